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
    char id[64];     /* "MA0058.3"; the first word of a MEME MOTIF line or a JASPAR header */
    char name[64];   /* "MAX"; empty when the file has none */
    uint32_t width;  /* positions, at least 1 */
    double sites;    /* nsites, or the largest column sum of counts; 0 when the file says nothing */
    float *ppm;      /* (width,4) */
    double *written; /* (width,4) as the file has it, normalised only if the sum is more than 1e-5 off, as the MEME
                      * suite does; NULL in a motif that was not read from a file */
} xc_motif;

typedef struct xc_motif_list {
    xc_motif *motif;
    size_t count;
    double background[4]; /* A C G T, as the file says, summing to 1; all 0 when it says nothing */
} xc_motif_list;

/* Reads MEME (version 4 and later) or JASPAR PFM (counts or plain rows), told apart by content. Accepts what is seen in
 * the wild: CRLF, a byte order mark, blank lines, a missing final newline, no name, lower case, background lines, URL
 * lines, `E=` or not, no `w=` or `nsites=`, alphabet blocks whose symbols are those of DNA. Of motifs with equal ids
 * the first is kept and the others are left out with a warning, as in the MEME suite. Of two matrices of a motif the
 * probabilities count. One that has a log-odds matrix alone becomes background times 2^(score / 100), as in the MEME
 * suite: background of both strands, 100 sites and 0.01 pseudocounts taken back. Names are cut to 63 bytes. PFM counts
 * become probabilities without pseudocounts. Refuses, with file and line: a truncated matrix or one with rows too many,
 * rows that do not sum to 1 (MEME; within 0.02, then normalised), negative or NaN entries, width 0 or from 10,000 on,
 * no `alength=`, another alphabet than DNA, ids above 63 bytes, files above 64 MiB or a million motifs.
 * Free with xc_motif_list_free, also on failure. */
xc_status xc_motif_read(const char *path, xc_motif_list *motifs, xc_error *error);
void xc_motif_list_free(xc_motif_list *motifs);

/* First motif whose name (or id) equals `name` without regard to case; NULL when there is none. */
const xc_motif *xc_motif_find(const xc_motif_list *motifs, const char *name);

/* Motifs for `count` filters: "filter0", "filter1", ..., each (width,4), flat (0.25), without sites; the background is
 * flat too. Free with xc_motif_list_free, also on failure. */
xc_status xc_motif_list_create(xc_motif_list *motifs, size_t count, uint32_t width, xc_error *error);

/* Information of one position in bits, 0 to 2: 2 + sum p log2(p + 1e-7). Source: Koo & Ploenzke 2021. */
double xc_motif_information(const float ppm[4]);

/* Clips a motif to what is between its first and its last position with more than `bits` of information, and `padding`
 * positions more on each side where there are any. A motif without such a position stays whole. */
void xc_motif_clip(xc_motif *motif, double bits, uint32_t padding);

/* Writes MEME version 4: alphabet, strands, background (flat when the list has none), and of each motif id, name (when
 * it has one) and probabilities with six decimals that sum to exactly 1, nsites as it is. Refuses (XC_INPUT) an id or
 * name that would not be read back: empty ids, blanks, `=` in a name. */
xc_status xc_meme_write(FILE *stream, const xc_motif_list *motifs, xc_error *error);

/* The same into a file, whole or not at all. */
xc_status xc_meme_write_file(const char *path, const xc_motif_list *motifs, xc_error *error);

/* ---- comparing motifs (Tomtom) ---------------------------------------------------------------------------------- */

/* Tomtom: which motifs of a database does a query look like? Gupta, Stamatoyannopoulos, Bailey & Noble, Genome Biology
 * 8:R24 (2007), with complete scores as Tanaka et al., Bioinformatics 27:1603 (2011): a query position that is not
 * aligned scores the median over all target columns. Both strands, overlap of 1 or more, 100 bins of score, exact
 * p-values of the best of all offsets and strands. */

/* Wider queries are skipped with a warning: the tables grow with the cube of the width. */
#define XC_TOMTOM_WIDEST 100

typedef enum xc_tomtom_distance { XC_TOMTOM_EUCLIDEAN, XC_TOMTOM_PEARSON } xc_tomtom_distance;

typedef struct xc_tomtom_options {
    xc_tomtom_distance distance;
    bool by_evalue;   /* the threshold is on E; else on q */
    double threshold; /* matches above it are left out */
    int threads;      /* at least 1; the result does not depend on it */
} xc_tomtom_options;

/* The better strand of one target for one query. */
typedef struct xc_tomtom_match {
    uint32_t query, target; /* places in the two lists */
    int32_t offset;         /* of the query's first position in the target as it is aligned; negative: before it */
    uint32_t overlap;       /* positions that are aligned */
    bool reverse;           /* the target is aligned as its reverse complement */
    float p, e;
    double q; /* over both strands of all targets, of this query */
} xc_tomtom_match;

typedef struct xc_tomtom_result {
    xc_tomtom_match *match; /* in the order of the queries; of each, the best first */
    size_t count;
} xc_tomtom_result;

/* Compares each query with each target. Free with xc_tomtom_free, also on failure. Thread safe. */
xc_status xc_tomtom(const xc_motif_list *queries, const xc_motif_list *targets, const xc_tomtom_options *options,
                    xc_tomtom_result *result, xc_error *error);
void xc_tomtom_free(xc_tomtom_result *result);

/* The columns of MEME's tomtom.tsv: header, one line a match, and a comment that names this program. */
xc_status xc_tomtom_write(FILE *stream, const xc_motif_list *queries, const xc_motif_list *targets,
                          const xc_tomtom_result *result, xc_error *error);

#ifdef __cplusplus
}
#endif
#endif
