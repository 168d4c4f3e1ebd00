/* plan.h: where everything of a pack stands in its one piece of backend memory. Internal to host/model.
 */
#ifndef EXPCONV_PLAN_H
#define EXPCONV_PLAN_H

#include "expconv/model.h"

/* Byte offsets from the start of the memory, multiples of 64; XC_ABSENT where the pack needs none. */
typedef struct xc_plan {
    size_t parameters, gradients, first_moment, second_moment; /* float (T,parameter_count) */
    size_t running;                                            /* float (T,running_count) */
    size_t activation;                                         /* xc_activation (layers,T) */
    size_t seed, step, clipped;                                /* uint64_t (T) */
    size_t rate;                                               /* float (T) */
    size_t l2;                                                 /* xc_l2 (l2_count) */
    size_t cursor;                                             /* uint32_t: items of the order that are taken */
    size_t index;                                              /* uint32_t (T,N) */
    size_t class_weights;                                      /* float (classes) */
    size_t loss;                                               /* double (T) */
    size_t y[XC_MAX_LAYERS], dy[XC_MAX_LAYERS];                /* float (T,N,Lp,F) */
    size_t saved[XC_MAX_LAYERS], saved_stride[XC_MAX_LAYERS];
    size_t forward_scratch[XC_MAX_LAYERS], backward_scratch[XC_MAX_LAYERS];
    size_t scratch_bytes[XC_MAX_LAYERS]; /* of a call, without what each trial has of it */
    size_t thread_scratch;               /* of one thread: what a pack without a team uses */
    size_t thread_scratch_bytes;         /* of one thread, the most that any layer wants */
    size_t bytes;                        /* of the whole */
} xc_plan;

void xc_plan_make(const xc_model *model, const xc_backend *backend, int32_t trials, int32_t batch, xc_purpose purpose,
                  xc_plan *plan);

#endif
