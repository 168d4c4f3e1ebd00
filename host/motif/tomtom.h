/* tomtom.h: what the files of Tomtom share: the columns of the targets, the work of one query from its columns to its
 * matches, and the random numbers of the q-values. One xc_tomtom_query belongs to one thread.
 *
 * Words: a strand is a target or its reverse complement, 2 i and 2 i + 1 for target i. A column is one position of one
 * strand. A shifted score is 0 where a query column does as well as its median over all columns; it is what an
 * unaligned query column scores.
 */
#ifndef EXPCONV_HOST_MOTIF_TOMTOM_H
#define EXPCONV_HOST_MOTIF_TOMTOM_H

#include "expconv/motif.h"

/* Loops that are worth compiling for several instruction sets. No sums are contracted: all give the same bits. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_THREAD__)
#define TOMTOM_CLONES __attribute__((target_clones("default", "avx2")))
#else
#define TOMTOM_CLONES
#endif

enum { TOMTOM_BINS = 100 };

/* ---- tomtom_columns.c -------------------------------------------------------------------------------------------- */

/* Adds 0.1 pseudocount spread like the background to the motif's `sites`; writes column (width,4), reversed and
 * complemented on demand. */
void xc_tomtom_frequencies(const xc_motif *motif, const double background[4], bool reverse, double *column);

/* The background of a list, uniform when its file says nothing, made equal on both strands. */
void xc_tomtom_background(const xc_motif_list *motifs, double background[4]);

typedef struct xc_tomtom_targets {
    xc_tomtom_distance distance;
    size_t count;     /* strands */
    size_t columns;   /* of all strands */
    double *value;    /* (4,columns): all A, then all C, G, T */
    float *near;      /* (4,columns) the same as xc_tomtom_near has it */
    uint32_t *width;  /* (count) */
    size_t *first;    /* (count) first column of a strand */
    uint32_t *widths; /* (width_count) that occur, ascending */
    size_t width_count;
    uint32_t *width_place; /* (count) place in `widths` */
    uint32_t *by_rank;     /* (count) strands sorted by "+id" and "-id" */
    uint32_t *same;        /* (count / 2) first target with the same id */
} xc_tomtom_targets;

xc_status xc_tomtom_targets_make(const xc_motif_list *motifs, const double background[4], xc_tomtom_distance distance,
                                 xc_tomtom_targets *targets, xc_error *error);
void xc_tomtom_targets_free(xc_tomtom_targets *targets);

/* ---- one query --------------------------------------------------------------------------------------------------- */

typedef struct xc_tomtom_query {
    const xc_tomtom_targets *targets;
    uint32_t room;     /* widest query that the arrays have room for */
    uint32_t width;    /* of the query at hand */
    double *column;    /* (room,4) */
    float *far;        /* (room,columns) how far columns are, in single precision */
    double *scratch;   /* (columns) */
    uint32_t *place;   /* (columns) */
    uint8_t *doubtful; /* (columns / 32) */
    int8_t *shifted;   /* (room,columns) shifted scores in bins, -100..100 */
    int null;          /* bins by which they were shifted: shifted + null is 0..100 */
    double *density;   /* (room,BINS+1) of `shifted + null` for each query column, over all columns */
    int8_t *spread;    /* (room,columns + (count + 1) * room) shifted scores with gaps between the strands */
    int16_t *sum;      /* (columns + (count + 1) * room) */
    int32_t *tie;      /* (width_count,PLACES) */
    int32_t *best;     /* (count) best complete score of a strand */
    int32_t *offset;   /* (count) where it is */
    uint32_t *overlap; /* (count) */
    double *chain[2];  /* (room * BINS + 1 + 4 * TOMTOM_PADDING) distributions that grow by a column */
    double *tail;      /* (room * 2 * BINS + 1) */
    double *edge;      /* (room + 1,room * 2 * BINS + 1) */
    double *window;    /* (room + 1,room * 2 * BINS + 1) */
    double *upper;     /* (width_count,room * 2 * BINS + 1) P(the best of all offsets and strands >= score) */
    uint64_t *key[2];  /* (count) strands to be sorted */
    uint64_t *sorted;  /* (count) the one of them that is; not owned */
    float *p;          /* (count) ascending */
    double *q;         /* (count) */
    uint8_t *classes;  /* (count) */
    bool *seen;        /* (count / 2) targets already met */
} xc_tomtom_query;

/* tomtom.c: room for queries of width 1..room. Close also on failure. */
xc_status xc_tomtom_query_open(const xc_tomtom_targets *targets, uint32_t room, xc_tomtom_query *query,
                               xc_error *error);
void xc_tomtom_query_close(xc_tomtom_query *query);

/* tomtom_distance.c: the score of a query column against the target column at `place`, in double precision. */
double xc_tomtom_score(const xc_tomtom_targets *targets, const double column[4], size_t place);

/* A column for single precision: its numbers for the Euclidean distance; for Pearson's they are centred and of length
 * 1, or 0 when the column is flat. */
void xc_tomtom_near(xc_tomtom_distance distance, const double column[4], float near[4]);

/* Fills `far`, how far all columns are: -score of the Euclidean distance, 2 - score of Pearson's; never negative. Of
 * each query column, finds the least and the greatest. `shifted` receives the buckets: (far - from) * rate, clamped to
 * 0..255, less 128.
 *
 * No `far` is off by FAR_ERROR: the four numbers of a column are rounded to 2^-24, which moves a distance or a product
 * by at most 2 x 2^-24 for each of the two columns; the rest is at most eight roundings of numbers up to 3. */
void xc_tomtom_far(xc_tomtom_query *query, float *nearest, float *farthest);
double xc_tomtom_far_at_zero(xc_tomtom_distance distance);
#define TOMTOM_FAR_ERROR 2e-6f

typedef struct xc_tomtom_buckets {
    float from, rate;
} xc_tomtom_buckets;
xc_tomtom_buckets xc_tomtom_choose_buckets(xc_tomtom_distance distance);

/* tomtom_median.c: the lower median of the scores of a query column, given `far` and the buckets. */
double xc_tomtom_median(xc_tomtom_query *query, uint32_t row);

/* tomtom_scores.c: scores of all pairs of columns, shifted by the medians and put into bins. */
void xc_tomtom_scores(xc_tomtom_query *query);

/* tomtom_align.c: best, offset, overlap. `shifted` and `spread` are touched up to two chunks after their end. */
void xc_tomtom_align(xc_tomtom_query *query);
enum { TOMTOM_CHUNK = 32, TOMTOM_PLACES = 1024 };

/* tomtom_null.c: `upper` for all scores from the smallest in `best` on. A score's place is score + width * null. */
void xc_tomtom_null(xc_tomtom_query *query);
enum { TOMTOM_PADDING = 160 };

/* ---- tomtom_qvalue.c --------------------------------------------------------------------------------------------- */

typedef struct xc_tomtom_random {
    uint32_t word[624];
    uint32_t next;
} xc_tomtom_random;

void xc_tomtom_random_start(xc_tomtom_random *random);

/* Passes over what the q-values of one query use when there are `count` p-values. */
void xc_tomtom_random_skip(xc_tomtom_random *random, size_t count);

/* Draws DRAWS of `count` with replacement, and counts how many are of each class; `classes` (count) is below CLASSES.
 */
enum { TOMTOM_CLASSES = 108, TOMTOM_DRAWS = 1000 };
void xc_tomtom_resample(xc_tomtom_random *random, const uint8_t *classes, size_t count, uint32_t found[TOMTOM_CLASSES]);

/* q (count) from p (count), ascending. `classes` (count) is scratch. */
void xc_tomtom_qvalues(const float *p, size_t count, xc_tomtom_random *random, uint8_t *classes, double *q);

#endif
