/* ppm.h: windows around what activates a filter, collected in one reading of the activations and counted when the
 * largest activation is known. Internal to host/motif: ppm_find.c searches, ppm_collect.c and ppm_list.c collect,
 * ppm_count.c counts, ppm.c runs all over a split and makes motifs of the counts.
 *
 * While the largest activation of a filter is not yet known, the largest so far stands for it: what is above its share
 * of that is a superset. A hit is kept as 8 bytes in lists of bounded memory. When that is full, hits that have fallen
 * under their threshold go, and if that is not enough the longest lists do: those filters are collected again in a
 * second reading, with a threshold that then is known. So the result is exact whatever the memory.
 */
#ifndef EXPCONV_HOST_MOTIF_PPM_H
#define EXPCONV_HOST_MOTIF_PPM_H

#include "expconv/filters.h"

#define XC_PPM_WIDEST 64

/* An activation above the threshold, and where its window begins on the forward strand: in bases from the first of the
 * chunk's sequence, the rows of packed DNA taken as one. */
typedef struct xc_ppm_hit {
    float activation;
    uint32_t place;
} xc_ppm_hit;

/* Some hits of one filter, all on one strand. */
typedef struct xc_ppm_chunk {
    struct xc_ppm_chunk *next;
    uint32_t count; /* of hits; of the last chunk of a list the list knows better */
    uint32_t sequence;
    bool reverse;
    xc_ppm_hit hit[]; /* (memory.hits) */
} xc_ppm_chunk;

/* Memory of many chunks. */
typedef struct xc_ppm_block {
    struct xc_ppm_block *next;
    char *chunks;
} xc_ppm_block;

/* How much a thread may hold, 8 MiB by default; tests take less. */
typedef struct xc_ppm_memory {
    uint32_t chunks; /* at least two a filter */
    uint32_t hits;   /* of a chunk */
    uint32_t reach;  /* sequences that the places of one chunk are of */
} xc_ppm_memory;

/* What the threads share and none changes. */
typedef struct xc_ppm_plan {
    const xc_dna_view *dna;
    xc_ppm_memory memory;
    uint32_t filters, length, conv_length, window;
    uint32_t first, end;                   /* activations whose window is inside: first .. end - 1 */
    uint32_t start;                        /* of the window of activation 0, modulo 2^32 */
    uint32_t thresholds;                   /* how many */
    const float *fraction;                 /* (thresholds) of the largest activation, ascending */
    _Alignas(16) uint8_t one_hot[256][16]; /* of the four bases of a packed byte */
} xc_ppm_plan;

void xc_ppm_plan_make(xc_ppm_plan *plan, const xc_block *block, const xc_dna_view *dna, uint32_t window,
                      const float *fraction, uint32_t thresholds, const xc_ppm_memory *memory);

/* ---- ppm_count.c ------------------------------------------------------------------------------------------------- */

/* Integer counts, by the highest threshold that a window's activation exceeds. */
typedef struct xc_ppm_counts {
    uint64_t *sites; /* (filters, thresholds) */
    uint64_t *bases; /* (filters, thresholds, window, 4); N counts for none */
} xc_ppm_counts;

xc_status xc_ppm_counts_open(xc_ppm_counts *counts, const xc_ppm_plan *plan, xc_error *error);
void xc_ppm_counts_close(xc_ppm_counts *counts);

/* Counts the windows of the first `count` hits of a chunk of a filter whose largest activation is `largest`; those at
 * or under the lowest threshold are passed over. */
void xc_ppm_count(const xc_ppm_plan *plan, const xc_ppm_chunk *chunk, uint32_t count, uint32_t filter, float largest,
                  const xc_ppm_counts *counts);

/* ---- ppm_find.c -------------------------------------------------------------------------------------------------- */

/* Rows that are searched at a time, at most. */
#define XC_PPM_ROWS 256

/* How many of `filters` are searched at a time: at most the bits of a word, and eights as long as there are any. */
static inline uint32_t xc_ppm_together(uint32_t filters) {
    return filters >= 32 ? 32 : filters >= 8 ? filters / 8 * 8 : filters;
}

/* Searches activations (rows,stride), at most XC_PPM_ROWS rows, for those of `filters` (as above) that are above their
 * threshold (filters), or no numbers. A row that has any becomes one of found (XC_PPM_ROWS + 1): the row in the high
 * half, and bit f of the low half for filter f. Returns how many. */
uint32_t xc_ppm_find(const float *activations, uint32_t rows, size_t stride, const float *threshold, uint32_t filters,
                     uint64_t *found);

/* ---- ppm_list.c -------------------------------------------------------------------------------------------------- */

/* The hits of one filter. */
typedef struct xc_ppm_list {
    xc_ppm_hit *end, *limit; /* where the next goes, which is always before the limit */
    float largest;           /* activation so far, at least 0; in the second reading, of all threads */
    float fraction;          /* lowest threshold as a share of it; 1: collects nothing */
    xc_ppm_chunk *head, *last;
    uint32_t chunks;
} xc_ppm_list;

/* One thread's. */
typedef struct xc_ppm_collector {
    const xc_ppm_plan *plan;
    xc_ppm_list *list; /* (filters) */
    float *threshold;  /* (filters) fraction * largest of the lists */
    bool *again;       /* (filters) gave up its hits and must be collected in a second reading */
    bool known;        /* the largest activations are: this is the second reading */
    xc_ppm_counts counts;
    xc_ppm_chunk *free;
    uint32_t free_count, made;   /* chunks */
    struct xc_ppm_block *blocks; /* memory of chunks */
    xc_ppm_hit nowhere;          /* what is put here nobody reads */
    uint64_t found[XC_PPM_ROWS + 1];
    uint32_t sequence; /* what new chunks are of */
    bool reverse;
    bool started;    /* those two are set */
    xc_error *error; /* where failures go */
} xc_ppm_collector;

/* Close also after a failure. */
xc_status xc_ppm_open(xc_ppm_collector *collector, const xc_ppm_plan *plan, xc_error *error);
void xc_ppm_close(xc_ppm_collector *collector);

/* After a change of a filter's largest activation or fraction. */
void xc_ppm_set_threshold(xc_ppm_collector *collector, uint32_t filter);

/* Hits from now on are of this strand, and of sequences from this one on. */
xc_status xc_ppm_begin_origin(xc_ppm_collector *collector, uint32_t sequence, bool reverse);

/* Makes a place for the next hit of a list whose last chunk is full, or of another origin. */
xc_status xc_ppm_extend(xc_ppm_collector *collector, xc_ppm_list *list);

/* After the first reading by all threads: the largest activations (filters), and the filters (filters) that some thread
 * gave up and all collect again. Counts the hits of the others. */
void xc_ppm_know(xc_ppm_collector *collector, const float *largest, const bool *again);

/* After the second reading: counts what is left. */
void xc_ppm_finish(xc_ppm_collector *collector);

/* ---- ppm_collect.c, ppm.c ---------------------------------------------------------------------------------------- */

/* Takes the activations (conv_length, filters) of the sequence with this index word. One that is not finite is an
 * error, XC_INPUT, that names the filter. */
xc_status xc_ppm_scan(xc_ppm_collector *collector, uint32_t index, const float *activations);

/* xc_filters_extract with another bound on each thread's memory. */
xc_status xc_ppm_extract(const xc_network *network, const xc_backend *backend, const xc_split *split,
                         const xc_filters_options *options, const xc_ppm_memory *memory, xc_motif_list *motifs,
                         xc_error *error);

#endif
