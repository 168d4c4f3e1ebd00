/* trial.c: the block ops: one trial after another, floats to doubles, the core, doubles to floats.
 *
 * saved holds, of each trial, what forward computes and backward reads; scratch holds the rest of one trial. The call's
 * own batch lays both out, so a smaller last batch needs no other care.
 */
#include "reference.h"

#include <string.h>

/* ---- memory ---------------------------------------------------------------------------------------------------- */

/* Memory handed out in pieces that begin at multiples of 64 bytes; with base == NULL it only counts. */
typedef struct pieces {
    unsigned char *base;
    size_t used;
} pieces;

static void *take(pieces *memory, size_t count, size_t size) {
    void *piece = memory->base ? memory->base + memory->used : NULL;
    memory->used += (count * size + 63) / 64 * 64;
    return piece;
}

static double *take_doubles(pieces *memory, size_t count) { return take(memory, count, sizeof(double)); }

static size_t kernel_count(const xc_block *block) {
    return block->kernel == XC_ABSENT ? 0 : (size_t)block->width * (size_t)block->channels * (size_t)block->filters;
}

static void lay_out(const xc_block *block, int32_t batch, pieces *saved, pieces *scratch, xc_ref_block *b) {
    const size_t n = (size_t)batch, filters = (size_t)block->filters;
    const size_t in = n * (size_t)block->length * (size_t)block->channels;
    const size_t middle = n * (size_t)block->conv_length * filters, out = n * (size_t)block->out_length * filters;
    const bool bias = block->bias != XC_ABSENT, norm = block->gamma != XC_ABSENT, add = block->kind == XC_BLOCK_ADD;
    *b = (xc_ref_block){.block = block, .batch = batch};
    b->z = take_doubles(saved, middle);
    b->u = take_doubles(saved, middle);
    b->mean = take_doubles(saved, filters);
    b->variance = take_doubles(saved, filters);
    b->winner = take(saved, out, sizeof(int32_t));

    b->x = take_doubles(scratch, in);
    b->dx = take_doubles(scratch, in);
    if (add) b->x_skip = take_doubles(scratch, middle);
    if (add) b->dx_skip = take_doubles(scratch, middle);
    if (!add) b->kernel = take_doubles(scratch, kernel_count(block));
    if (!add) b->dkernel = take_doubles(scratch, kernel_count(block));
    if (bias) b->bias = take_doubles(scratch, filters);
    if (bias) b->dbias = take_doubles(scratch, filters);
    if (norm) b->gamma = take_doubles(scratch, filters);
    if (norm) b->dgamma = take_doubles(scratch, filters);
    if (norm) b->beta = take_doubles(scratch, filters);
    if (norm) b->dbeta = take_doubles(scratch, filters);
    if (norm) b->running = take_doubles(scratch, 2 * filters);
    b->y = take_doubles(scratch, out);
    b->dy = take_doubles(scratch, out);
    b->du = take_doubles(scratch, middle);
    b->dz = take_doubles(scratch, middle);
}

void xc_ref_block_memory(const xc_backend *backend, const xc_block *block, int32_t batch, xc_block_memory *memory) {
    (void)backend;
    xc_ref_block b;
    pieces saved = {0}, scratch = {0};
    lay_out(block, batch, &saved, &scratch, &b);
    *memory = (xc_block_memory){.saved = saved.used, .scratch = scratch.used};
}

/* ---- floats and doubles ---------------------------------------------------------------------------------------- */

static void widen(double *to, const float *from, size_t count) {
    if (!to || !from) return;
    for (size_t i = 0; i < count; i++) to[i] = from[i];
}

static void narrow(float *to, const double *from, size_t count, bool add) {
    if (!to || !from) return;
    for (size_t i = 0; i < count; i++) to[i] = (float)(add ? to[i] + from[i] : from[i]);
}

void xc_ref_load(const xc_block_args *args, int32_t trial, xc_ref_block *b) {
    const xc_block *block = args->block;
    const size_t t = (size_t)trial, filters = (size_t)block->filters;
    const size_t out = (size_t)args->batch * (size_t)block->out_length * filters;
    const float *parameters = args->parameters ? args->parameters + t * args->parameter_stride : NULL;
    pieces saved = {(unsigned char *)args->saved + t * args->saved_stride, 0};
    pieces scratch = {args->scratch, 0};
    lay_out(block, args->batch, &saved, &scratch, b);
    b->training = args->training;
    b->references = args->references;
    b->activation = args->activation[trial];
    b->seed = args->seed ? args->seed[trial] : 0;
    b->step = args->step ? args->step[trial] : 0;
    if (b->kernel) widen(b->kernel, parameters + block->kernel, kernel_count(block));
    if (b->bias) widen(b->bias, parameters + block->bias, filters);
    if (b->gamma) {
        widen(b->gamma, parameters + block->gamma, filters);
        widen(b->beta, parameters + block->beta, filters);
        widen(b->running, args->running + t * args->running_stride + block->running, 2 * filters);
    }
    if (args->dy) widen(b->dy, args->dy + t * out, out);
    xc_ref_linear_of(block->kind)->load(args, trial, b);
}

/* ---- ops ------------------------------------------------------------------------------------------------------- */

static void store_forward(const xc_block_args *args, int32_t trial, const xc_ref_block *b) {
    const xc_block *block = args->block;
    const size_t t = (size_t)trial, filters = (size_t)block->filters;
    const size_t out = (size_t)args->batch * (size_t)block->out_length * filters;
    narrow(args->y + t * out, b->y, out, false);
    if (!args->training) return;
    if (b->gamma) narrow(args->running + t * args->running_stride + block->running, b->running, 2 * filters, false);
    if (args->clipped) args->clipped[trial] += b->clipped;
}

static void store_backward(const xc_block_args *args, int32_t trial, const xc_ref_block *b) {
    const xc_block *block = args->block;
    const size_t t = (size_t)trial, filters = (size_t)block->filters;
    const size_t in = (size_t)args->batch * (size_t)block->length * (size_t)block->channels;
    if (args->dx) narrow(args->dx + t * in, b->dx, in, args->add_to_dx);
    if (args->dx_skip) narrow(args->dx_skip + t * in, b->dx_skip, in, false);
    if (!args->gradients) return;
    float *gradients = args->gradients + t * args->parameter_stride;
    if (b->kernel) narrow(gradients + block->kernel, b->dkernel, kernel_count(block), true);
    if (b->bias) narrow(gradients + block->bias, b->dbias, filters, true);
    if (b->gamma) narrow(gradients + block->gamma, b->dgamma, filters, true);
    if (b->beta) narrow(gradients + block->beta, b->dbeta, filters, true);
}

xc_status xc_ref_forward_op(const xc_backend *backend, const xc_block_args *args, xc_error *error) {
    (void)backend, (void)error;
    for (int32_t trial = 0; trial < args->trials; trial++) {
        xc_ref_block b;
        xc_ref_load(args, trial, &b);
        xc_ref_block_forward(&b);
        store_forward(args, trial, &b);
    }
    return XC_OK;
}

xc_status xc_ref_backward_op(const xc_backend *backend, const xc_block_args *args, xc_error *error) {
    (void)backend, (void)error;
    for (int32_t trial = 0; trial < args->trials; trial++) {
        xc_ref_block b;
        xc_ref_load(args, trial, &b);
        xc_ref_block_backward(&b);
        store_backward(args, trial, &b);
    }
    return XC_OK;
}
