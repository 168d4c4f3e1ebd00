/* meme_write.c: writes motifs as MEME version 4, for the MEME suite, memelite and ourselves. The six decimals of a row
 * sum to exactly 1. What a MOTIF line cannot carry (blanks in a name) is refused, not changed.
 *
 * Source: "MEME motif format" in the MEME suite's manual.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "expconv/motif.h"

#define MILLION 1000000

/* Six decimals of each of four probabilities, in millionths: every one rounded down, and what is then missing given to
 * those that lost most. Returns false when they are no probabilities. */
static bool in_millionths(const double probability[4], int millionths[4]) {
    double sum = 0, lost[4];
    int missing = MILLION;
    for (int base = 0; base < 4; base++) sum += probability[base];
    for (int base = 0; base < 4; base++)
        if (!(probability[base] >= 0) || !(sum > 0) || !isfinite(sum)) return false;
    for (int base = 0; base < 4; base++) {
        const double exact = probability[base] / sum * MILLION;
        millionths[base] = (int)exact;
        lost[base] = exact - millionths[base];
        missing -= millionths[base];
    }
    while (missing-- > 0) {
        int most = 0;
        for (int base = 1; base < 4; base++)
            if (lost[base] > lost[most]) most = base;
        millionths[most]++;
        lost[most] = -1;
    }
    return true;
}

/* Whether the text is one word that a MOTIF line can carry. A sign "=" in a name would be read as "width = 19". */
static bool is_word(const char *text, bool name) {
    for (const char *c = text; *c; c++)
        if (isspace((unsigned char)*c) || iscntrl((unsigned char)*c) || (name && *c == '=')) return false;
    return true;
}

static xc_status write_header(FILE *stream, const double background[4], xc_error *error) {
    static const double flat[4] = {0.25, 0.25, 0.25, 0.25};
    int share[4];
    const bool given = background[0] + background[1] + background[2] + background[3] != 0;
    if (!in_millionths(given ? background : flat, share))
        return xc_fail(error, XC_INPUT, "the background of the motifs is not four probabilities");
    fputs("MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies\n", stream);
    for (int base = 0; base < 4; base++)
        fprintf(stream, "%s%c %d.%06d", base ? " " : "", "ACGT"[base], share[base] / MILLION, share[base] % MILLION);
    fputs("\n", stream);
    return XC_OK;
}

static xc_status write_motif(FILE *stream, const xc_motif *motif, xc_error *error) {
    if (!*motif->id || !is_word(motif->id, false))
        return xc_fail(error, XC_INPUT, "motif \"%s\": an identifier must be one word to be written as MEME",
                       motif->id);
    if (!is_word(motif->name, true))
        return xc_fail(error, XC_INPUT,
                       "motif %s: its name \"%s\" must be one word without \"=\" to be written as MEME", motif->id,
                       motif->name);
    fprintf(stream, "\nMOTIF %s%s%s\n", motif->id, *motif->name ? " " : "", motif->name);
    fprintf(stream, "letter-probability matrix: alength= 4 w= %u nsites= %.15g E= 0\n", motif->width, motif->sites);
    for (uint32_t i = 0; i < motif->width; i++) {
        double row[4];
        int share[4];
        for (int base = 0; base < 4; base++) row[base] = (double)motif->ppm[(size_t)4 * i + (size_t)base];
        if (!in_millionths(row, share))
            return xc_fail(error, XC_INPUT, "motif %s: position %u is not four probabilities", motif->id, i + 1);
        for (int base = 0; base < 4; base++)
            fprintf(stream, "%s%d.%06d", base ? " " : "", share[base] / MILLION, share[base] % MILLION);
        fputs("\n", stream);
    }
    return XC_OK;
}

xc_status xc_meme_write(FILE *stream, const xc_motif_list *motifs, xc_error *error) {
    xc_status status = XC_OK;
    XC_TRY(write_header(stream, motifs->background, error));
    for (size_t i = 0; i < motifs->count; i++) XC_TRY(write_motif(stream, &motifs->motif[i], error));
    if (fflush(stream) != 0 || ferror(stream))
        status = xc_fail(error, XC_IO, "cannot write the motifs: %s", strerror(errno));
fail:
    return status;
}

xc_status xc_meme_write_file(const char *path, const xc_motif_list *motifs, xc_error *error) {
    xc_status status = XC_OK;
    xc_file file = {0};
    XC_TRY(xc_file_create(&file, path, true, error));
    status = xc_meme_write(file.stream, motifs, error);
    if (status != XC_OK) {
        xc_fail_in(error, "%s", path);
        goto fail;
    }
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    return status;
}
