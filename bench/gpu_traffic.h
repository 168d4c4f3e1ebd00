/* gpu_traffic.h: what one training step of the CUDA backend moves and computes, counted from the launches that it
 * makes: they are asked for on the emulated GPU, which is dry and only tells of them (tests/emu), so that packs of any
 * size can be looked at. For each launch a table says which tensors the kernel reads and writes, and how many
 * operations it does; a kernel that is not in the table ends the program, so that the table cannot fall behind.
 *
 * Bytes: every tensor once for each kernel that reads or writes it; what a kernel reads again comes from caches. Those
 * of activations (input, outputs, gradients, winners) and those of parameters (weights, gradients, moments, sums of
 * blocks) stand apart. Operations: products as two, the additions of the first layer's tables as one; what is done once
 * an element is not counted: it is bound by memory. Included once by each program, which links the emulated backend.
 */
#ifndef EXPCONV_GPU_TRAFFIC_H
#define EXPCONV_GPU_TRAFFIC_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/cuda/call.h"
#include "../tests/emu/emu.h"
#include "expconv/model.h"

xc_status xc_backend_cuda(uint32_t version, const xc_backend **backend, xc_error *error);

typedef struct gpu_launch {
    char kernel[48];
    double activations, parameters; /* bytes */
    double products, additions;     /* operations */
    bool first_block;
} gpu_launch;

enum { GPU_MOST_LAUNCHES = 4096 };
typedef struct gpu_step {
    int count;
    gpu_launch launch[GPU_MOST_LAUNCHES];
} gpu_step;

/* What is being asked for. */
static struct {
    gpu_step *step; /* NULL: nothing is counted */
    xc_backend wrapped;
    const xc_backend *real;
    const xc_block_args *block; /* of the op that runs, or NULL */
    bool backward;
    int calls;                                     /* of libraries in this op */
    double loss_elements, parameters, batch_items; /* of the other ops, all trials */
} gpu;

/* ---- sizes of a block, of one trial --------------------------------------------------------------------------------
 */

typedef struct gpu_sizes {
    double x, z, y, kernel, packed; /* bytes */
    double record, winner;          /* what tells backward who won */
    double sums, parts;             /* partial sums of statistics, and of kernels' gradients: written, then read */
    double products, pairs;         /* operations of one pass */
    double looks;                   /* of backward at each window, for its winner */
} gpu_sizes;

static inline gpu_sizes gpu_sizes_of(const xc_block *b, int32_t batch) {
    const double n = batch, rows = n * b->conv_length, outputs = n * b->out_length * b->filters;
    const double weights = (double)b->width * b->channels * b->filters;
    const bool wins = b->pool > 1 || xc_dropout_threshold(b->dropout) > 0, motif = b->kind == XC_BLOCK_MOTIF;
    return (gpu_sizes){
        .x = 4 * n * b->length * b->channels,
        .z = 4 * rows * b->filters,
        .y = 4 * outputs,
        .kernel = 4 * weights,
        .packed = n * ((b->length + 3) / 4) + 4 * n,
        .record = motif ? 4.0 * n * b->out_length * (double)cuda_motif_record_words(b) : 0,
        .winner = wins ? 2 * outputs : 0,
        .sums = 2 * 16 * (double)((int64_t)rows / CUDA_TILE + 1) * b->filters,
        .parts = 2 * (double)(motif ? cuda_motif_scratch(b, batch) : cuda_conv_scratch(b, batch)),
        .products = 2 * rows * weights,
        .pairs = (double)((b->width + 1) / 2) * b->filters,
        .looks = cuda_motif_grain(b),
    };
}

/* ---- the table ------------------------------------------------------------------------------------------------------
 */

static inline void gpu_fill(gpu_launch *l, const gpu_sizes *s, const xc_block_args *a) {
    const xc_block *b = a->block;
    const double weights = s->kernel, add = a->add_to_dx ? s->x : 0, values = (double)a->batch * b->conv_length;
    const char *k = l->kernel;
#define KERNEL(name, bytes, of_parameters, of_products, of_additions)                                                  \
    if (strcmp(k, name) == 0) {                                                                                        \
        l->activations = bytes, l->parameters = of_parameters, l->products = of_products, l->additions = of_additions; \
        return;                                                                                                        \
    }
    KERNEL("k_motif_statistics", s->packed, 2 * weights, 0, 0)
    KERNEL("k_motif_fwd", s->packed + s->y + s->record, weights, 0, values * s->pairs)
    KERNEL("k_motif_bwd", s->packed + s->y + s->record, 4 * weights + s->parts, 0,
           (1 + s->looks) * s->y / 4 / b->filters * s->pairs)
    KERNEL("k_motif_linear", s->packed + s->z, weights, 0, values * b->width * b->filters)
    KERNEL("k_motif_bwd_kernel", s->packed + s->z, 2 * weights, 0, values * b->width * b->filters)
    KERNEL("k_conv_fwd", s->x + s->z, weights + s->sums, s->products, 0)
    KERNEL("k_conv_bwd_kernel", s->x + s->z, 2 * weights + s->parts, s->products, 0)
    KERNEL("k_conv_bwd_input", s->z + s->x + add, weights, s->products, 0)
    KERNEL("k_norm_batch", s->z, s->sums / 4, 0, 0)
    KERNEL("k_tail_fwd", s->z + s->y + s->winner, 0, 0, 0)
    KERNEL("k_tail_bwd_sums", s->y + s->winner + s->y, s->sums / 4, 0, 0)
    KERNEL("k_tail_bwd", 2 * s->z + s->y + s->winner, 0, 0, 0)
    KERNEL("k_tail_bwd_bias", 2 * s->z + s->y + s->winner, s->sums / 4, 0, 0)
    KERNEL("k_add_fwd", 2 * s->x + s->z, 0, 0, 0)
    KERNEL("k_add_bwd", s->z + 2 * s->x + add, 0, 0, 0)
    /* Dense layers: forward; in backward first the kernel's gradient, then the input's. */
    KERNEL("cublasLtMatmul", s->x + s->z + (gpu.calls == 2 ? add : 0),
           (gpu.backward && gpu.calls == 1 ? 2 : 1) * weights, s->products, 0)
    KERNEL("cudnnConvolutionForward", s->x + s->z, weights, s->products, 0)
    KERNEL("cudnnConvolutionBackwardFilter", s->x + s->z, weights, s->products, 0)
    KERNEL("cudnnConvolutionBackwardData", s->z + s->x + add, weights, s->products, 0)
    KERNEL("k_dnn_turn", 0, 2 * weights, 0, 0)
    KERNEL("k_dnn_turn_and_add", 0, 3 * weights, 0, 0)
#undef KERNEL
    fprintf(stderr, "gpu_traffic: kernel %s of a block is not in the table\n", k);
    abort();
}

/* Launches that are a trial's alone, not of all trials at once. */
static inline bool gpu_is_of_one_trial(const char *kernel) {
    return strncmp(kernel, "cudnn", 5) == 0 || strncmp(kernel, "k_dnn", 5) == 0;
}

static inline void gpu_fill_other(gpu_launch *l) {
    if (strcmp(l->kernel, "k_take_batch") == 0)
        l->activations = 8 * gpu.batch_items;
    else if (strcmp(l->kernel, "k_loss") == 0)
        l->activations = 12 * gpu.loss_elements;
    else if (strcmp(l->kernel, "k_step") == 0)
        l->parameters = 32 * gpu.parameters;
    else {
        fprintf(stderr, "gpu_traffic: kernel %s is not in the table\n", l->kernel);
        abort();
    }
}

static inline void gpu_on_launch(const emu_kernel *kernel, void *context) {
    (void)context;
    if (!gpu.step) return;
    if (gpu.step->count == GPU_MOST_LAUNCHES) abort();
    gpu_launch *l = &gpu.step->launch[gpu.step->count++];
    const char *name = kernel->name + strspn(kernel->name, "( ");
    *l = (gpu_launch){0};
    snprintf(l->kernel, sizeof l->kernel, "%.*s", (int)strcspn(name, "<)"), name);
    if (!gpu.block) {
        gpu_fill_other(l);
        return;
    }
    gpu.calls += l->kernel[0] == 'c';
    const gpu_sizes sizes = gpu_sizes_of(gpu.block->block, gpu.block->batch);
    const double trials = gpu_is_of_one_trial(l->kernel) ? 1 : gpu.block->trials;
    gpu_fill(l, &sizes, gpu.block);
    l->activations *= trials, l->parameters *= trials, l->products *= trials, l->additions *= trials;
    l->first_block = gpu.block->block->kind == XC_BLOCK_MOTIF;
}

/* ---- the backend, with an eye on what is asked for ------------------------------------------------------------------
 */

static inline xc_status gpu_block(const xc_block_args *args, xc_block_op op, bool backward, xc_error *error) {
    gpu.block = args;
    gpu.backward = backward;
    gpu.calls = 0;
    const xc_status status = op(gpu.real, args, error);
    gpu.block = NULL;
    return status;
}
static inline xc_status gpu_forward(const xc_backend *backend, const xc_block_args *args, xc_error *error) {
    (void)backend;
    return gpu_block(args, gpu.real->conv_block_forward, false, error); /* one function does every kind */
}
static inline xc_status gpu_backward(const xc_backend *backend, const xc_block_args *args, xc_error *error) {
    (void)backend;
    return gpu_block(args, gpu.real->conv_block_backward, true, error);
}
static inline xc_status gpu_loss(const xc_backend *backend, const xc_loss_args *args, xc_error *error) {
    (void)backend;
    gpu.loss_elements = (double)args->trials * args->batch * args->classes;
    return gpu.real->loss(gpu.real, args, error);
}
static inline xc_status gpu_optimize(const xc_backend *backend, const xc_step_args *args, xc_error *error) {
    (void)backend;
    gpu.parameters = (double)args->trials * (double)args->parameter_count;
    return gpu.real->step(gpu.real, args, error);
}
static inline void gpu_take(const xc_backend *backend, const uint32_t *order, size_t stride, uint32_t *cursor,
                            int32_t trials, int32_t batch, uint32_t *index) {
    (void)backend;
    gpu.batch_items = (double)trials * batch;
    gpu.real->take_batch(gpu.real, order, stride, cursor, trials, batch, index);
}

/* Opens the backend on a dry GPU that has as much memory as is asked for. */
static inline xc_status gpu_open(xc_error *error) {
    setenv("EMU_MEMORY", "1000000000000000", 1);
    const xc_status status = xc_backend_cuda(XC_BACKEND_VERSION, &gpu.real, error);
    if (status != XC_OK) return status;
    emu_set_dry(gpu_on_launch, NULL);
    gpu.wrapped = *gpu.real;
    gpu.wrapped.motif_block_forward = gpu.wrapped.conv_block_forward = gpu_forward;
    gpu.wrapped.dense_block_forward = gpu.wrapped.add_block_forward = gpu_forward;
    gpu.wrapped.motif_block_backward = gpu.wrapped.conv_block_backward = gpu_backward;
    gpu.wrapped.dense_block_backward = gpu.wrapped.add_block_backward = gpu_backward;
    gpu.wrapped.loss = gpu_loss;
    gpu.wrapped.step = gpu_optimize;
    gpu.wrapped.take_batch = gpu_take;
    return XC_OK;
}

/* The launches of one training step of `trials` trials of a model at `batch`, to *step. */
static inline xc_status gpu_count_step(const xc_model *model, const xc_split *split, int trials, int32_t batch,
                                       gpu_step *step, xc_error *error) {
    static const xc_optimizer adam = {XC_ADAM, 0.9f, 0.999f, 1e-7f, 0};
    static uint32_t order[1024];
    xc_status status;
    xc_pack *pack = NULL;
    xc_device_split data = {0};
    float *rates = NULL;
    double *loss = NULL;
    step->count = 0;
    XC_TRY(xc_allocate(&rates, (size_t)trials, sizeof *rates, "rates", error));
    XC_TRY(xc_allocate(&loss, (size_t)trials, sizeof *loss, "losses", error));
    XC_TRY(xc_device_split_open(&gpu.wrapped, split, &data, error));
    XC_TRY(xc_pack_create(&gpu.wrapped, model, trials, batch, XC_FOR_TRAINING, &pack, error));
    XC_TRY(xc_pack_set_order(pack, 0, order, (size_t)batch, error));
    gpu.step = step;
    XC_TRY(xc_pack_train_forward(pack, &data, batch, XC_LOSS_BINARY, NULL, loss, error));
    XC_TRY(xc_pack_train_backward(pack, &adam, rates, error));
fail:
    gpu.step = NULL;
    xc_pack_free(pack);
    xc_device_split_close(&data);
    free(rates);
    free(loss);
    return status;
}

/* Of the first block: bytes that its launches move, over those of packed input, pooled output and its gradient. Without
 * and with what belongs to parameters. */
typedef struct gpu_ratio {
    double activations, all;
} gpu_ratio;
static inline gpu_ratio gpu_first_block(const gpu_step *step, const xc_model *model, int trials, int32_t batch) {
    const xc_block *b = &model->layer[0].block;
    const double outputs = 4.0 * batch * b->out_length * b->filters;
    const double floor = trials * (batch * (double)((b->length + 3) / 4) + 2 * outputs);
    gpu_ratio ratio = {0};
    for (int i = 0; i < step->count; i++) {
        const gpu_launch *l = &step->launch[i];
        if (!l->first_block) continue;
        ratio.activations += l->activations / floor;
        ratio.all += (l->activations + l->parameters) / floor;
    }
    return ratio;
}

#endif
