/* motif.h: sequence motifs as position probability matrices, and the files they come in.
 */
#ifndef EXPCONV_MOTIF_H
#define EXPCONV_MOTIF_H

#include "expconv/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A position probability matrix: rows are positions, columns A C G T, each row sums to 1. */
typedef struct xc_motif {
    char id[64];    /* "MA0058.3"; the first word of a MEME MOTIF line or a JASPAR header */
    char name[64];  /* "MAX"; empty when the file has none */
    uint32_t width; /* positions, at least 1 */
    double sites;   /* nsites, or the largest column sum of counts; 0 when the file says nothing */
    float *ppm;     /* (width,4) */
} xc_motif;

typedef struct xc_motif_list {
    xc_motif *motif;
    size_t count;
} xc_motif_list;

/* Reads MEME (version 4 and later) or JASPAR PFM (counts or plain rows), told apart by content. Accepts what is seen in
 * the wild: CRLF, blank lines, a missing final newline, no name, lower case, background lines, URL lines, `E=` or not.
 * Refuses, with file and line: a truncated matrix, rows that do not sum to 1 (MEME; within 0.02, then normalised),
 * negative or NaN entries, width 0 or above 10,000, another alphabet than DNA, files above 64 MiB. PFM counts become
 * probabilities without pseudocounts. Free with xc_motif_list_free, also on failure. */
xc_status xc_motif_read(const char *path, xc_motif_list *motifs, xc_error *error);
void xc_motif_list_free(xc_motif_list *motifs);

/* First motif whose name (or id) equals `name` without regard to case; NULL when there is none. */
const xc_motif *xc_motif_find(const xc_motif_list *motifs, const char *name);

#ifdef __cplusplus
}
#endif
#endif
