/* room.h: what the files of host/attribution share: a thread's worker, which explains a few sequences at a time, and
 * the methods, each of which is one function of it.
 */
#ifndef EXPCONV_ATTRIBUTION_ROOM_H
#define EXPCONV_ATTRIBUTION_ROOM_H

#include "expconv/attribution.h"

struct xc_windows;
typedef struct xc_mutator xc_mutator;

/* What all threads share and none changes. */
typedef struct xc_explanation {
    const xc_network *network;
    const xc_backend *backend;
    const xc_split *split;
    const xc_attribution_settings *settings;
    xc_activation activation;
    xc_model *first, *rest;           /* the network, cut; of all methods but mutagenesis */
    const struct xc_windows *windows; /* of mutagenesis: what a change reaches */
    int32_t substitutions;            /* and how many at a time */
    int32_t references;               /* R a sequence; 0: the method has none */
    int32_t sequences;                /* G: how many a worker takes at a time */
    int32_t pairs;                    /* of integrated gradients: how many ways at a time */
    float *place, *share;             /* (steps) of the quadrature */
} xc_explanation;

/* Where the results of one group of sequences go: as in xc_attribution_part. */
typedef struct xc_results {
    float *hypothetical, *contributions; /* (count,4,L) */
    float *output, *gap;                 /* (count) */
} xc_results;

/* One thread's packs and buffers. Rows are those of a group: a sequence, then its R references. */
typedef struct xc_worker {
    const xc_explanation *what;
    xc_pack *first, *rest; /* NULL of mutagenesis, which has */
    xc_mutator *mutator;
    float *place, *share;           /* (steps) the backend's */
    float *points, *point_gradient; /* (pairs,steps,Lc,F) the backend's; of integrated gradients */
    float *input_gradient;          /* (rows,L,4) the backend's */
    float *gradient;                /* (rows,L,4) the host's */
    float *logits, *logit_gradient; /* (rows or points, classes) the host's */
    double *output;                 /* (rows) the host's: what is explained, of each row */
    uint8_t *codes;                 /* (rows,L) */
    uint32_t *index;                /* (rows) 0, 1, ... */
    void *shuffle;                  /* xc_shuffle_work(L) */
    xc_split own;                   /* the rows, packed */
    xc_device_split device;         /* and where the backend reads them */
    bool is_open;                   /* the two above */
} xc_worker;

xc_status xc_worker_open(const xc_explanation *what, xc_worker *worker, xc_error *error);
void xc_worker_close(xc_worker *worker);

/* Unpacks sequences first .. first + count - 1 of index, fills in their
 * references, and brings all to the backend. worker.c */
xc_status xc_worker_take(xc_worker *worker, const uint32_t *index, int32_t count, xc_error *error);

/* Outputs of `rows` rows of the rest's last forward, to worker->output; logits stay in worker->logits. link.c */
void xc_worker_outputs(xc_worker *worker, int32_t rows);

/* The output's value, and its slope at each logit, of logits (classes): gradient (classes). link.c */
double xc_link_value(const xc_worker *worker, const float *logits);
void xc_link_gradient(const xc_worker *worker, const float *logits, float *gradient);
/* Multipliers m (classes) with sum of m (a - b) = value at a - value at b, of logits a and b (classes). */
void xc_link_multiplier(const xc_worker *worker, const float *a, const float *b, float *multiplier);

/* Sends worker->logit_gradient (rows,classes) to the rest. */
void xc_worker_send_gradient(xc_worker *worker, int32_t rows);

/* Back through the first layer's linear part, to worker->gradient (rows,L,4). */
xc_status xc_worker_gradient(xc_worker *worker, int32_t rows, xc_error *error);

/* Refuses what xc_attribute refuses. check.c */
xc_status xc_attribution_settings_check(const xc_network *network, const xc_split *split,
                                        const xc_attribution_settings *settings, xc_error *error);

/* The methods: of `count` sequences that were taken. */
xc_status xc_explain_saliency(xc_worker *worker, int32_t count, const xc_results *results, xc_error *error);
xc_status xc_explain_path(xc_worker *worker, int32_t count, const xc_results *results, xc_error *error);
xc_status xc_explain_deepshap(xc_worker *worker, int32_t count, const xc_results *results, xc_error *error);
xc_status xc_explain_mutagenesis(xc_worker *worker, int32_t count, const xc_results *results, xc_error *error);

/* What mutagenesis wants besides, worker->mutator. mutagenesis.c */
xc_status xc_mutator_open(xc_worker *worker, xc_error *error);
void xc_mutator_close(xc_worker *worker);

/* Results of methods with references, of multipliers worker->gradient and outputs worker->output of the rows.
 * combine.c */
void xc_combine_references(const xc_worker *worker, int32_t count, const xc_results *results);

/* Places in [0,1] and shares, which sum to 1, of `steps` gradients. quadrature.c */
void xc_quadrature_points(xc_quadrature quadrature, uint32_t steps, float *place, float *share);

#endif
