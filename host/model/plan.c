/* plan.c: the memory plan of a pack. What lives from step to step stands first; behind it buffers that are needed for a
 * part of the step share memory wherever their lifetimes do not meet.
 *
 * Time within a step, for n layers: forward of layer i at i, the loss at n, backward of layer i at 2n - i. A pack for
 * inference ends at n, one for attribution goes back too, but has nothing that changes parameters. An output lives
 * until its last reader, which in training is its own backward; a gradient lives from the first backward that writes it
 * (the last reader of that output) to its own. So the memory of late outputs serves early gradients: outputs may be
 * looked at until backward begins, the logits until the next forward.
 */
#include "plan.h"

#define ALIGN 64u

typedef struct buffer {
    size_t *offset; /* where the answer goes */
    size_t bytes, start;
    int32_t from, to; /* first and last moment of need */
} buffer;

/* y, dy, saved and two scratches a layer. */
#define MAX_BUFFERS (5 * XC_MAX_LAYERS)

typedef struct planner {
    buffer buffers[MAX_BUFFERS];
    int32_t count;
    size_t bytes; /* taken by what stays */
} planner;

static size_t aligned(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

static size_t stay(planner *p, size_t bytes) {
    const size_t offset = p->bytes;
    p->bytes += aligned(bytes);
    return offset;
}

static void need(planner *p, size_t *offset, size_t bytes, int32_t from, int32_t to) {
    if (bytes == 0) return;
    p->buffers[p->count++] = (buffer){.offset = offset, .bytes = aligned(bytes), .from = from, .to = to};
}

/* The lowest start that meets none of the first `placed` buffers alive at the same time. */
static size_t lowest_start(const planner *p, int32_t placed) {
    const buffer *mine = &p->buffers[placed];
    size_t start = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int32_t i = 0; i < placed; i++) {
            const buffer *other = &p->buffers[i];
            const bool together = other->from <= mine->to && mine->from <= other->to;
            if (together && other->start < start + mine->bytes && start < other->start + other->bytes) {
                start = other->start + other->bytes;
                moved = true;
            }
        }
    }
    return start;
}

/* Places the largest first; returns the bytes that all take together. */
static size_t place(planner *p) {
    size_t end = 0;
    for (int32_t i = 0; i < p->count; i++) {
        int32_t largest = i;
        for (int32_t j = i + 1; j < p->count; j++)
            if (p->buffers[j].bytes > p->buffers[largest].bytes) largest = j;
        const buffer chosen = p->buffers[largest];
        p->buffers[largest] = p->buffers[i];
        p->buffers[i] = chosen;
        p->buffers[i].start = lowest_start(p, i);
        *p->buffers[i].offset = p->bytes + p->buffers[i].start;
        if (p->buffers[i].start + chosen.bytes > end) end = p->buffers[i].start + chosen.bytes;
    }
    return end;
}

/* The last layer that reads the output of `layer`; the number of layers for the logits, which the loss reads. */
static int32_t last_reader(const xc_model *model, int32_t layer) {
    for (int32_t i = model->layer_count - 1; i > layer; i--)
        if (model->layer[i].input == layer || model->layer[i].skip == layer) return i;
    return model->layer_count;
}

static void plan_layer(planner *p, const xc_model *model, const xc_backend *backend, int32_t i, int32_t trials,
                       int32_t batch, xc_purpose purpose, xc_plan *plan) {
    const xc_block *block = &model->layer[i].block;
    const int32_t n = model->layer_count, reader = last_reader(model, i);
    const bool keeps = purpose != XC_FOR_INFERENCE;
    const int32_t back = keeps ? 2 * n - i : n; /* moment of its own backward */
    xc_block_memory memory;
    backend->block_memory(backend, block, batch, &memory);
    const size_t output =
        (size_t)trials * (size_t)batch * (size_t)block->out_length * (size_t)block->filters * sizeof(float);
    const size_t saved = (size_t)trials * memory.saved;
    const size_t scratch = memory.scratch + (size_t)trials * memory.trial_scratch;
    plan->saved_stride[i] = memory.saved;
    plan->scratch_bytes[i] = memory.scratch;
    if (memory.thread_scratch > plan->thread_scratch_bytes) plan->thread_scratch_bytes = memory.thread_scratch;
    need(p, &plan->forward_scratch[i], scratch, i, i);
    if (keeps) {
        need(p, &plan->y[i], output, i, reader == n ? 2 * n : back);
        need(p, &plan->dy[i], output, reader == n ? n : 2 * n - reader, back);
        need(p, &plan->saved[i], saved, i, back);
        need(p, &plan->backward_scratch[i], scratch, back, back);
    } else {
        need(p, &plan->y[i], output, i, reader);
        need(p, &plan->saved[i], saved, i, i); /* an op may write it; nobody reads it again */
    }
}

void xc_plan_make(const xc_model *model, const xc_backend *backend, int32_t trials, int32_t batch, xc_purpose purpose,
                  xc_plan *plan) {
    const bool training = purpose == XC_FOR_TRAINING;
    planner p = {.count = 0};
    const size_t t = (size_t)trials, parameters = t * model->parameter_count * sizeof(float);
    plan->parameters = stay(&p, parameters);
    plan->running = stay(&p, t * model->running_count * sizeof(float));
    plan->gradients = training ? stay(&p, parameters) : XC_ABSENT;
    plan->first_moment = training ? stay(&p, parameters) : XC_ABSENT;
    plan->second_moment = training ? stay(&p, parameters) : XC_ABSENT;
    plan->activation = stay(&p, (size_t)model->layer_count * t * sizeof(xc_activation));
    plan->seed = stay(&p, t * sizeof(uint64_t));
    plan->step = stay(&p, t * sizeof(uint64_t));
    plan->clipped = stay(&p, t * sizeof(uint64_t));
    plan->rate = stay(&p, t * sizeof(float));
    plan->l2 = stay(&p, (size_t)model->l2_count * sizeof(xc_l2));
    plan->cursor = stay(&p, sizeof(uint32_t));
    plan->index = stay(&p, t * (size_t)batch * sizeof(uint32_t));
    plan->class_weights = stay(&p, (size_t)model->classes * sizeof(float));
    plan->loss = stay(&p, t * sizeof(double));
    plan->thread_scratch_bytes = 0;
    for (int32_t i = 0; i < model->layer_count; i++) {
        plan->dy[i] = plan->saved[i] = plan->forward_scratch[i] = plan->backward_scratch[i] = XC_ABSENT;
        plan_layer(&p, model, backend, i, trials, batch, purpose, plan);
    }
    plan->thread_scratch = stay(&p, plan->thread_scratch_bytes);
    plan->bytes = p.bytes + place(&p);
}
