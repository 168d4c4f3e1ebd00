/* page_sheet.c: the filters of a trial as a list of small logos. The four letters are outlined once in the page, in
 * boxes of 10 by 20; a logo places and stretches them: a position is 10 wide, a bit 20 high; a wide logo is squeezed
 * into its cell, so that heights can be compared. Letters that nobody would see (below 0.02 bits) are left out, as a
 * big sweep has some hundred thousand letters.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "figure.h"
#include "page.h"

static const double lowest_bits = 0.02, lowest_of_many = 0.05; /* less than half a pixel; about one */

enum { POSITION = 10, BIT = 20 };

void xc_page_letters(const xc_page *page) {
    fputs("<svg width=\"0\" height=\"0\" class=\"letters\" aria-hidden=\"true\"><defs>\n", page->stream);
    for (int base = 0; base < 4; base++)
        fprintf(page->stream, "<path id=\"%c\" transform=\"scale(.1 .2)\" d=\"%s\"/>\n", "ACGT"[base],
                xc_letter_path[base]);
    fputs("</defs></svg>\n", page->stream);
}

/* A number of few characters: ".53", "12", "3.1". */
static void write_short(FILE *out, double value, int decimals) {
    char text[32];
    snprintf(text, sizeof text, "%.*f", decimals, value);
    char *end = text + strlen(text);
    if (decimals > 0) {
        while (end[-1] == '0') end--;
        if (end[-1] == '.') end--;
        *end = 0;
    }
    const char *begin = text[0] == '0' && text[1] == '.' ? text + 1 : text;
    fputs(*begin ? begin : "0", out);
}

static void write_letter(FILE *out, uint32_t position, const xc_logo_letter *letter) {
    fprintf(out, "<use href=\"#%c\" transform=\"matrix(1 0 0 ", "ACGT"[letter->base]);
    write_short(out, letter->height, 2);
    fprintf(out, " %u ", POSITION * position);
    write_short(out, 2 * BIT - BIT * (letter->bottom + letter->height), 1);
    fputs(")\"/>", out);
}

/* What a logo says: the likeliest base where a position has at least half a bit, else a point. */
static void write_consensus(FILE *out, const xc_motif *motif) {
    for (uint32_t i = 0; i < motif->width; i++) {
        const float *ppm = motif->ppm + 4 * (size_t)i;
        int best = 0;
        for (int base = 1; base < 4; base++)
            if (ppm[base] > ppm[best]) best = base;
        fputc(xc_motif_information(ppm) >= 0.5 ? "ACGT"[best] : '.', out);
    }
}

static void write_logo(FILE *out, const xc_motif *motif, double lowest) {
    fprintf(
        out,
        "<svg viewBox=\"0 0 %u %d\" width=\"%u\" height=\"%d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"",
        POSITION * motif->width, 2 * BIT, POSITION * motif->width, 2 * BIT);
    write_consensus(out, motif);
    fputs("\">", out);
    for (uint32_t i = 0; i < motif->width; i++) {
        xc_logo_letter letters[4];
        const int count = xc_logo_stack(motif->ppm + 4 * (size_t)i, letters);
        for (int j = 0; j < count; j++)
            if (letters[j].height >= lowest) write_letter(out, i, &letters[j]);
    }
    fputs("</svg>", out);
}

static void write_filter(FILE *out, size_t number, const xc_motif *motif, const xc_filter_match *match,
                         const char *truth, bool compared, double lowest) {
    char q[XC_PAGE_SMALL];
    fprintf(out, "<li%s>", truth ? " class=\"truth\"" : "");
    write_logo(out, motif, lowest);
    fprintf(out, "<p><span class=\"number\">%zu</span> ", number);
    if (*match->target) {
        fputs("<b>", out);
        xc_page_text(out, match->target);
        fputs("</b> <span class=\"q\"><i>q</i> ", out);
        xc_page_text(out, xc_page_small(match->q, q));
        fputs("</span>", out);
        if (truth) {
            fputs(" <span class=\"mark\">✓ ", out);
            xc_page_text(out, truth);
            fputs("</span>", out);
        }
    } else if (motif->sites < 2)
        fputs("<span class=\"q\">flat</span>", out);
    else if (compared)
        fputs("<span class=\"q\">no match</span>", out);
    fputs("</p></li>\n", out);
}

void xc_page_sheet(const xc_page *page, const xc_page_filters *filters) {
    const double lowest = page->grid->count > XC_PAGE_MANY ? lowest_of_many : lowest_bits;
    fputs("<ol class=\"sheet\">\n", page->stream);
    for (size_t i = 0; i < filters->motifs.count; i++)
        write_filter(page->stream, i, &filters->motifs.motif[i], &filters->match[i], filters->truth[i],
                     xc_page_compared(page), lowest);
    fputs("</ol>\n", page->stream);
}
