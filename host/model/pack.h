/* pack.h: what a pack is made of. Internal to host/model: pack.c holds and moves trials, pack_step.c trains them.
 */
#ifndef EXPCONV_PACK_H
#define EXPCONV_PACK_H

#include "plan.h"

struct xc_pack {
    const xc_backend *backend;
    xc_model model;
    xc_plan plan;
    char *memory; /* (plan.bytes) the backend's */
    xc_team *team;      /* the caller's; NULL: one thread */
    char *team_scratch; /* (threads, plan.thread_scratch_bytes) the backend's; NULL without a team */
    int32_t capacity, trials, batch;
    bool training;

    /* One entry a slot, on the host. */
    xc_activation *activation; /* (layers,capacity) */
    uint64_t *seed, *step;     /* (capacity) */
    uint64_t *clipped, *total; /* (capacity) */
    float *class_weights;      /* (classes) as float, on its way to the backend */

    /* The last forward. */
    xc_dna_view dna;
    const float *labels; /* (sequences,classes) in the backend's memory */
    int32_t last_batch;
    bool last_training;
};

/* A place in the backend's memory; NULL for XC_ABSENT. */
static inline void *xc_pack_at(const xc_pack *pack, size_t offset) {
    return offset == XC_ABSENT ? NULL : pack->memory + offset;
}

/* Slot t of an array (T,stride) of floats. */
static inline float *xc_pack_slot(const xc_pack *pack, size_t offset, size_t stride, int32_t slot) {
    return (float *)xc_pack_at(pack, offset) + (size_t)slot * stride;
}

#endif
