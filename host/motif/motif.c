/* motif.c: motifs that are made here instead of read: a list of flat ones to fill, what a position tells, and the
 * clipping of positions that tell nothing. Reading is in read.c, writing in meme_write.c.
 */
#include <math.h>
#include <string.h>

#include "expconv/motif.h"

xc_status xc_motif_list_create(xc_motif_list *motifs, size_t count, uint32_t width, xc_error *error) {
    xc_status status;
    *motifs = (xc_motif_list){.background = {0.25, 0.25, 0.25, 0.25}};
    XC_TRY(xc_allocate(&motifs->motif, count, sizeof *motifs->motif, "motifs", error));
    motifs->count = count;
    for (size_t i = 0; i < count; i++) {
        xc_motif *motif = &motifs->motif[i];
        snprintf(motif->id, sizeof motif->id, "filter%zu", i);
        motif->width = width;
        XC_TRY(xc_allocate(&motif->ppm, (size_t)width * 4, sizeof *motif->ppm, "a motif", error));
        for (size_t j = 0; j < (size_t)width * 4; j++) motif->ppm[j] = 0.25f;
    }
fail:
    return status;
}

double xc_motif_information(const float ppm[4]) {
    double bits = 2;
    for (int base = 0; base < 4; base++) bits += (double)ppm[base] * log2((double)ppm[base] + 1e-7);
    return bits;
}

void xc_motif_clip(xc_motif *motif, double bits, uint32_t padding) {
    uint32_t first = motif->width, last = 0; /* with more information than `bits` */
    for (uint32_t i = 0; i < motif->width; i++) {
        if (!(xc_motif_information(motif->ppm + (size_t)4 * i) > bits)) continue;
        if (first == motif->width) first = i;
        last = i;
    }
    if (first == motif->width) return;
    first -= first < padding ? first : padding;
    last += motif->width - 1 - last < padding ? motif->width - 1 - last : padding;
    motif->width = last - first + 1;
    memmove(motif->ppm, motif->ppm + (size_t)4 * first, (size_t)4 * motif->width * sizeof *motif->ppm);
    if (motif->written)
        memmove(motif->written, motif->written + (size_t)4 * first, (size_t)4 * motif->width * sizeof *motif->written);
}
