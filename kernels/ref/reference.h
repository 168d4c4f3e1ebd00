/* reference.h: the core of the reference backend. It works on one trial of one block at a time, all in double, on the
 * struct below; the ops (trial.c) only convert floats to it and back. So a test can load a trial, change a double,
 * run the core again and take differences that no float has rounded.
 *
 * Letters as in backend.h: N batch, L length, C channels, F filters, K width, Lc and Lp length after convolution and
 * pool.
 */
#ifndef EXPCONV_REFERENCE_H
#define EXPCONV_REFERENCE_H

#include "expconv/backend.h"

typedef struct xc_ref_block {
    const xc_block *block;
    int32_t batch, training;
    int32_t references; /* of the rescale rule; 0: gradients */
    xc_activation activation;
    uint64_t seed, step; /* of dropout */

    double *x;       /* (N,L,C); of a motif block one-hot (N,L,4) */
    double *x_skip;  /* (N,Lc,F) of an add block, zeros where there is none; NULL of other kinds; so below: NULL is what
                        the block has not */
    double *kernel;  /* (K,C,F) */
    double *bias;    /* (F) */
    double *gamma;   /* (F) */
    double *beta;    /* (F) */
    double *running; /* (2,F) mean, variance; changed by forward when training */

    /* Forward writes these; backward reads all but y. */
    double *z;        /* (N,Lc,F) linear part and bias */
    double *u;        /* (N,Lc,F) after activation before the norm and batch norm: what the activation is applied to */
    double *mean;     /* (F) that batch norm used */
    double *variance; /* (F) that batch norm used, biased */
    int32_t *winner;  /* (N,Lp,F) position in 0..Lc-1 that each pool window took */
    double *y;        /* (N,Lp,F) */
    uint64_t clipped; /* activations that the clip met */

    /* Backward reads dy and writes the others, with `=`. */
    double *dy;             /* (N,Lp,F) */
    double *du;             /* (N,Lc,F) */
    double *dz;             /* (N,Lc,F) */
    double *dx;             /* (N,L,C) */
    double *dx_skip;        /* (N,Lc,F) */
    double *dkernel;        /* (K,C,F) */
    double *dbias;          /* (F) */
    double *dgamma, *dbeta; /* (F) */
} xc_ref_block;

/* The part of a block that differs between kinds. */
typedef struct xc_ref_linear {
    void (*load)(const xc_block_args *args, int32_t trial, xc_ref_block *b); /* trial's input to x (and x_skip) */
    void (*forward)(xc_ref_block *b);                                        /* x, kernel to z, without bias */
    void (*backward)(xc_ref_block *b);                                       /* dz to dkernel, dx, dx_skip */
} xc_ref_linear;

extern const xc_ref_linear xc_ref_motif, xc_ref_conv, xc_ref_dense, xc_ref_add;
const xc_ref_linear *xc_ref_linear_of(xc_block_kind kind);

/* Points every member of `b` into args->saved and args->scratch (sized by xc_ref_block_memory) and fills inputs,
 * parameters, running statistics and, when args has it, dy, of one trial. What forward kept in saved stays. */
void xc_ref_load(const xc_block_args *args, int32_t trial, xc_ref_block *b);
void xc_ref_block_memory(const xc_backend *backend, const xc_block *block, int32_t batch, xc_block_memory *memory);

/* Forward and backward of a loaded trial. */
void xc_ref_block_forward(xc_ref_block *b);
void xc_ref_block_backward(xc_ref_block *b);

/* What all kinds share: block.c. */
void xc_ref_tail_forward(xc_ref_block *b);
void xc_ref_tail_backward(xc_ref_block *b);

/* dy to du by the rescale rule instead: rescale.c. */
void xc_ref_rescale(xc_ref_block *b);

/* The value that the pool sees at element e of (N,Lc,F): the activation of u after dropout. */
double xc_ref_activated(const xc_ref_block *b, size_t e);

/* What dropout multiplies element e by: 0 or 1 / (1 - rate); 1 in inference. */
double xc_ref_dropout_factor(const xc_ref_block *b, size_t e);

/* The ops of all kinds of block, for the table. */
xc_status xc_ref_forward_op(const xc_backend *backend, const xc_block_args *args, xc_error *error);
xc_status xc_ref_backward_op(const xc_backend *backend, const xc_block_args *args, xc_error *error);

/* The loss of one trial. Logits are read, and gradients written, as doubles where the wide member is not NULL. */
typedef struct xc_ref_loss {
    xc_loss_kind kind;
    int32_t batch, classes;
    const float *logits;        /* (N,classes) */
    const double *wide_logits;  /* (N,classes) */
    const float *labels;        /* (sequences,classes) */
    const uint32_t *index;      /* (N) */
    const float *class_weights; /* (classes) or NULL */
    float *dlogits;             /* (N,classes) or NULL */
    double *wide_dlogits;       /* (N,classes) or NULL */
} xc_ref_loss;

/* The mean loss; writes its gradient too. */
double xc_ref_loss_value(const xc_ref_loss *loss);
xc_status xc_ref_loss_op(const xc_backend *backend, const xc_loss_args *args, xc_error *error);
xc_status xc_ref_path_points_op(const xc_backend *backend, const xc_path_args *args, xc_error *error);
xc_status xc_ref_path_sum_op(const xc_backend *backend, const xc_path_args *args, xc_error *error);
xc_status xc_ref_splice_op(const xc_backend *backend, const xc_splice_args *args, xc_error *error);
xc_status xc_ref_step_op(const xc_backend *backend, const xc_step_args *args, xc_error *error);

#endif
