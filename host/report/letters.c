/* letters.c: the outlines of A C G T for sequence logos: heavy capitals without serifs, drawn for this program, each
 * from edge to edge of its box, so that a letter's height on paper is its height in bits. Coordinates are whole
 * numbers, which reads the same in any locale.
 */
#include <stdlib.h>

#include "figure.h"

const char *const xc_letter_path[4] = {
    /* A, and its counter turned the other way round */
    "M 0 100 L 35 0 L 65 0 L 100 100 L 73 100 L 67 81 L 33 81 L 27 100 Z "
    "M 38 65 L 62 65 L 50 26 Z",
    /* C */
    "M 100 34 C 96 12 78 0 52 0 C 20 0 0 20 0 50 C 0 80 20 100 52 100 C 78 100 96 88 100 65 "
    "L 74 61 C 71 75 64 82 53 82 C 36 82 27 70 27 50 C 27 30 36 18 53 18 C 64 18 71 25 74 38 Z",
    /* G */
    "M 99 32 C 94 11 77 0 53 0 C 20 0 0 20 0 50 C 0 80 20 100 54 100 C 74 100 90 94 100 83 L 100 46 L 54 46 "
    "L 54 63 L 74 63 L 74 75 C 69 80 63 82 54 82 C 36 82 27 70 27 50 C 27 30 36 18 53 18 C 64 18 70 24 73 35 Z",
    /* T */
    "M 0 0 L 100 0 L 100 18 L 64 18 L 64 100 L 36 100 L 36 18 L 0 18 Z",
};

typedef struct box {
    double x, y, width, height;
} box;

/* Reads `count` points behind a command, in the box's place. */
static const char *read_points(const char *text, const box *into, int count, double points[6]) {
    for (int i = 0; i < 2 * count; i++) {
        char *end;
        const double hundredths = (double)strtol(text, &end, 10) / 100;
        points[i] = i % 2 == 0 ? into->x + hundredths * into->width : into->y + hundredths * into->height;
        text = end;
    }
    return text;
}

void xc_letter_outline(cairo_t *cairo, int base, double x, double y, double width, double height) {
    const box into = {x, y, width, height};
    double p[6];
    for (const char *text = xc_letter_path[base]; *text;) {
        switch (*text++) {
            case 'M':
                text = read_points(text, &into, 1, p);
                cairo_move_to(cairo, p[0], p[1]);
                break;
            case 'L':
                text = read_points(text, &into, 1, p);
                cairo_line_to(cairo, p[0], p[1]);
                break;
            case 'C':
                text = read_points(text, &into, 3, p);
                cairo_curve_to(cairo, p[0], p[1], p[2], p[3], p[4], p[5]);
                break;
            case 'Z':
                cairo_close_path(cairo);
                break;
            default: /* the space between commands */
                break;
        }
    }
}
