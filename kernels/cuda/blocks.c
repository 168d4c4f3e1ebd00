/* blocks.c: the block ops: what each trial has of its own goes to the device, then a fixed row of launches for all
 * trials together. Nothing is allocated; the host waits only for the counts of clipped values.
 */
#include <string.h>

#include "backend.h"

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static size_t take(size_t *used, size_t bytes) {
    const size_t at = *used;
    *used += (bytes + 63) / 64 * 64;
    return at;
}

static int32_t row_count(const xc_block *block, int32_t batch) { return batch * block->conv_length; }
static int32_t chunk_count(const xc_block *block, int32_t batch) {
    return (row_count(block, batch) + CUDA_CHUNK - 1) / CUDA_CHUNK;
}

static cuda_layout lay_out(const xc_block *block, int32_t batch) {
    cuda_layout at = {0};
    const size_t filters = (size_t)block->filters, windows = (size_t)batch * (size_t)block->out_length;
    const size_t each = filters * sizeof(float);
    at.z = take(&at.bytes, (size_t)row_count(block, batch) * each);
    at.winner = take(&at.bytes, block->pool > 1 ? windows * filters * sizeof(int32_t) : 0);
    at.mean = take(&at.bytes, each);
    at.inverse = take(&at.bytes, each);
    at.centre = take(&at.bytes, 2 * each);
    at.partial = take(&at.bytes, (size_t)chunk_count(block, batch) * 2 * filters * sizeof(double));
    return at;
}

#define TRIAL_BYTES (CUDA_MOST_TRIALS * sizeof(cuda_trial))
_Static_assert(TRIAL_BYTES % 64 == 0, "scratch is whole multiples of 64");

void cuda_block_memory(const xc_backend *backend, const xc_block *block, int32_t batch, xc_block_memory *memory) {
    (void)backend;
    *memory = (xc_block_memory){.saved = lay_out(block, batch).bytes, .scratch = TRIAL_BYTES};
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static cuda_call call_of(const xc_block_args *args) {
    cuda_call call = {
        .block = *args->block,
        .trials = args->trials,
        .batch = args->batch,
        .training = args->training,
        .add_to_dx = args->add_to_dx,
        .rows = row_count(args->block, args->batch),
        .chunks = chunk_count(args->block, args->batch),
        .trial = args->scratch,
        .index = args->index,
        .x = args->x,
        .x_skip = args->x_skip,
        .parameters = args->parameters,
        .gradients = args->gradients,
        .running = args->running,
        .parameter_stride = args->parameter_stride,
        .running_stride = args->running_stride,
        .y = args->y,
        .dy = args->dy,
        .dx = args->dx,
        .dx_skip = args->dx_skip,
        .saved = args->saved,
        .saved_stride = args->saved_stride,
        .at = lay_out(args->block, args->batch),
    };
    if (args->dna) call.dna = *args->dna;
    return call;
}

/* What is each trial's own, to scratch. The copy has been read when the call returns: the array is not pinned. */
static xc_status send_trials(cuda_device *device, const xc_block_args *args, xc_error *error) {
    cuda_trial trials[CUDA_MOST_TRIALS];
    if (args->trials > CUDA_MOST_TRIALS)
        return xc_fail(error, XC_DEVICE, "%d trials at a time are more than the CUDA backend's %d; use smaller packs",
                       args->trials, CUDA_MOST_TRIALS);
    for (int32_t t = 0; t < args->trials; t++)
        trials[t] = (cuda_trial){
            .seed = args->seed ? args->seed[t] : 0,
            .step = args->step ? args->step[t] : 0,
            .activation = args->activation[t],
        };
    return CUDA_CHECK(cudaMemcpyAsync(args->scratch, trials, (size_t)args->trials * sizeof *trials,
                                      cudaMemcpyHostToDevice, device->stream));
}

static bool counts_clipped(const xc_block_args *args) {
    for (int32_t t = 0; args->clipped && args->training && t < args->trials; t++)
        if (args->activation[t].kind == XC_EXPONENTIAL) return true;
    return false;
}

static xc_status fetch_clipped(cuda_device *device, const xc_block_args *args, xc_error *error) {
    xc_status status;
    cuda_trial trials[CUDA_MOST_TRIALS];
    const size_t bytes = (size_t)args->trials * sizeof *trials;
    XC_TRY(CUDA_CHECK(cudaMemcpyAsync(trials, args->scratch, bytes, cudaMemcpyDeviceToHost, device->stream)));
    XC_TRY(CUDA_CHECK(cudaStreamSynchronize(device->stream)));
    for (int32_t t = 0; t < args->trials; t++) args->clipped[t] += trials[t].clipped;
fail:
    return status;
}

xc_status cuda_block_forward(const xc_backend *backend, const xc_block_args *args, xc_error *error) {
    xc_status status;
    cuda_device *device = cuda_device_of(backend);
    const cuda_call call = call_of(args);
    XC_TRY(send_trials(device, args, error));
    if (call.block.kind == XC_BLOCK_MOTIF)
        cuda_motif_forward(&call, device->stream);
    else if (call.block.kind == XC_BLOCK_ADD)
        cuda_add_forward(&call, device->stream);
    else
        cuda_conv_forward(&call, device->stream);
    cuda_norm_forward(&call, device->stream);
    cuda_tail_forward(&call, device->stream);
    XC_TRY(cuda_check_launches(device, "forward of a block", error));
    if (counts_clipped(args)) XC_TRY(fetch_clipped(device, args, error));
fail:
    return status;
}

xc_status cuda_block_backward(const xc_backend *backend, const xc_block_args *args, xc_error *error) {
    xc_status status;
    cuda_device *device = cuda_device_of(backend);
    const cuda_call call = call_of(args);
    XC_TRY(send_trials(device, args, error));
    cuda_tail_backward(&call, device->stream);
    if (call.block.kind == XC_BLOCK_ADD) {
        cuda_add_input_gradient(&call, device->stream);
    } else {
        (call.block.kind == XC_BLOCK_MOTIF ? cuda_motif_kernel_gradient : cuda_conv_kernel_gradient)(&call,
                                                                                                     device->stream);
        cuda_conv_input_gradient(&call, device->stream);
    }
    XC_TRY(cuda_check_launches(device, "backward of a block", error));
fail:
    return status;
}
