/* pack.h: what a pack is made of. Internal to host/model: pack.c holds and moves trials, pack_step.c trains them.
 */
#ifndef EXPCONV_PACK_H
#define EXPCONV_PACK_H

#include "plan.h"

/* What a step's ops depend on besides the backend's memory: as long as it stays the same, so do the ops. */
typedef struct pack_step_key {
    const void *bases, *labels; /* of the split */
    xc_optimizer optimizer;
    xc_loss_kind loss;
    int32_t batch;
    bool backward, weighted; /* which half of the step; whether classes have weights */
} pack_step_key;

typedef struct pack_recording {
    pack_step_key key;
    xc_recording *recording; /* NULL: done once, and recorded the next time */
} pack_recording;

/* Both halves of a step, for whole batches and for the last of an epoch. */
#define XC_PACK_RECORDINGS 4

struct xc_pack {
    const xc_backend *backend;
    xc_model model;
    xc_plan plan;
    char *memory;       /* (plan.bytes) the backend's */
    xc_team *team;      /* the caller's; NULL: one thread */
    char *team_scratch; /* (threads, plan.thread_scratch_bytes) the backend's; NULL without a team */
    int32_t capacity, trials, batch;
    bool training;

    /* One entry a slot, as the host knows them. */
    xc_activation *activation; /* (layers,capacity) */
    uint64_t *step, *total;    /* (capacity) steps done; activations since they were last asked for */
    float *rate;               /* (capacity) learning rates that the backend has */
    float *class_weights;      /* (classes) that the backend has */
    bool has_class_weights;

    /* Items of an epoch in the order of each slot, in the backend's memory; NULL until there is one. */
    uint32_t *order; /* (capacity,order_items) */
    size_t order_items;
    pack_recording recordings[XC_PACK_RECORDINGS];
    int recording_count;

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

/* The ops of a pass over the batch that stands in plan.index: asked for, not waited for. pack_step.c */
void xc_pack_begin(xc_pack *pack, const xc_device_split *split, int32_t batch, bool training);
xc_status xc_pack_run_forward(xc_pack *pack, xc_error *error);
xc_status xc_pack_run_loss(xc_pack *pack, xc_loss_kind kind, bool weighted, xc_error *error);
xc_status xc_pack_run_backward(xc_pack *pack, xc_error *error);
xc_status xc_pack_run_step(xc_pack *pack, const xc_optimizer *optimizer, xc_error *error);
void xc_pack_count_step(xc_pack *pack); /* on the host's side, after the step's ops were asked for */

/* What changes seldom, brought to the backend where it differs from what is there. */
void xc_pack_send_rates(xc_pack *pack, const float *learning_rate);
bool xc_pack_send_class_weights(xc_pack *pack, const double *class_weights); /* whether there are some */
xc_status xc_pack_check_split(const xc_pack *pack, const xc_device_split *split, bool labels, xc_error *error);

/* The recorded steps do not fit the pack any more. pack_train.c */
void xc_pack_forget(xc_pack *pack);

#endif
