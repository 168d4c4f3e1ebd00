/* pack.h: what a pack is made of. Internal to host/model: pack.c holds and moves trials, pack_step.c trains them,
 * pack_stream.c brings the batches of streamed splits.
 */
#ifndef EXPCONV_PACK_H
#define EXPCONV_PACK_H

#include "plan.h"

/* What a step's ops depend on besides the backend's memory: as long as it stays the same, so do the ops. */
typedef struct pack_step_key {
    const void *bases, *labels; /* of the split, or of the batch that was brought */
    const void *source;         /* bases of the split */
    xc_optimizer optimizer;
    xc_loss_kind loss;
    int32_t batch;
    bool backward, weighted; /* which half of the step; whether classes have weights */
} pack_step_key;

typedef struct pack_recording {
    pack_step_key key;
    xc_recording *recording; /* NULL: done once, and recorded the next time */
} pack_recording;

/* Both halves of a step, for whole batches and for the last of an epoch, in either of a stream's places. */
#define XC_PACK_RECORDINGS 8

/* A place for a batch of a streamed split, in staging memory and in the backend's, alike. */
typedef struct pack_place {
    char *memory, *staging; /* (bytes of the stream) */
    bool busy;              /* ops that read it were asked for since the host last waited: not to be written */
} pack_place;

typedef struct pack_stream {
    pack_place place[2];
    int32_t places;  /* 2 when the pack trains, otherwise 1 */
    int32_t current; /* where the last batch that was taken is */
    size_t bytes;
    xc_device_split split; /* that the batches in the places are of; its memory is the host's and not looked at later */
    int32_t ahead; /* sequences of a batch of each order that was sent to the other place for the next step; or 0 */
    size_t taken;  /* items of the orders that steps have had */
} pack_stream;

struct xc_pack {
    const xc_backend *backend;
    xc_model model;
    xc_plan plan;
    char *memory;       /* (plan.bytes) the backend's */
    xc_team *team;      /* the caller's; NULL: one thread */
    char *team_scratch; /* (threads, plan.thread_scratch_bytes) the backend's; NULL without a team */
    int32_t capacity, trials, batch;
    xc_purpose purpose;

    /* Of attribution: see xc_pack_set_input. */
    const float *input, *skip;
    float *input_gradient;

    /* One entry a slot, as the host knows them. */
    xc_activation *activation; /* (layers,capacity) */
    uint64_t *step, *total;    /* (capacity) steps done; activations since they were last asked for */
    float *rate;               /* (capacity) learning rates that the backend has */
    float *class_weights;      /* (classes) that the backend has */
    bool has_class_weights;

    /* Items of an epoch in the order of each slot: in the backend's memory (NULL until there is one), or the caller's
     * when the split is streamed. */
    uint32_t *order;             /* (capacity,order_items) */
    const uint32_t **order_lent; /* (capacity) of (order_items) */
    size_t order_items;
    bool lends_orders;
    pack_stream *stream; /* NULL until a split is streamed */
    pack_recording recordings[XC_PACK_RECORDINGS];
    int recording_count;

    /* The last forward. */
    xc_dna_view dna;
    const float *labels;   /* (sequences,classes) in the backend's memory */
    const uint32_t *index; /* (T,N) likewise */
    const void *source;    /* bases of the split, wherever they are */
    bool last_streamed;
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
xc_status xc_pack_run_backward(xc_pack *pack, int32_t references, xc_error *error);
xc_status xc_pack_run_step(xc_pack *pack, const xc_optimizer *optimizer, xc_error *error);
void xc_pack_count_step(xc_pack *pack); /* on the host's side, after the step's ops were asked for */

/* What changes seldom, brought to the backend where it differs from what is there. */
void xc_pack_send_rates(xc_pack *pack, const float *learning_rate);
bool xc_pack_send_class_weights(xc_pack *pack, const double *class_weights); /* whether there are some */
xc_status xc_pack_check_split(const xc_pack *pack, const xc_device_split *split, bool labels, xc_error *error);

/* The recorded steps do not fit the pack any more. pack_train.c */
void xc_pack_forget(xc_pack *pack);

/* Batches of streamed splits. pack_stream.c. Each of the first two leaves a batch in the current place: the sequences
 * of index (T,batch) of the host, or the next `batch` of each order; `show` points the pack's view at it. */
xc_status xc_pack_stream_bring(xc_pack *pack, const xc_device_split *split, const uint32_t *index, int32_t batch,
                               xc_error *error);
xc_status xc_pack_stream_take(xc_pack *pack, const xc_device_split *split, int32_t batch, xc_error *error);
void xc_pack_stream_show(xc_pack *pack);

/* Sends what the next step is likely to take: `batch` sequences of each order, or as many as are left. */
void xc_pack_stream_send_ahead(xc_pack *pack, int32_t batch);
void xc_pack_stream_drop(xc_pack *pack);         /* what was sent ahead is not wanted any more */
void xc_pack_stream_read(xc_pack *pack);         /* ops that read the last forward's batch were asked for */
void xc_pack_stream_waited(const xc_pack *pack); /* all that was asked for before is done */
void xc_pack_stream_free(xc_pack *pack);

#endif
