/* blocks.c: the block ops: which way a block goes, and the fixed row of launches of that way, for all trials together.
 * Nothing is allocated and nothing is waited for.
 */
#include "backend.h"

/* ---- ways -------------------------------------------------------------------------------------------------------- */

/* A motif block goes in one pass where nothing but its pooled output is ever wanted, and its tables fit. */
static bool in_one_pass(const cuda_device *device, const xc_block *block) {
    const int32_t any_batch = INT32_MAX;
    return block->kind == XC_BLOCK_MOTIF && block->before_norm == XC_LINEAR && !block->input_gradient &&
           block->width <= CUDA_MOTIF_MOST_WIDTH && block->conv_length <= CUDA_MOTIF_MOST_LENGTH &&
           cuda_motif_statistics_shared(block) <= device->shared_bytes &&
           cuda_motif_forward_shared(block, any_batch) <= device->shared_bytes &&
           cuda_motif_backward_shared(block) + CUDA_STATIC_SHARED <= device->shared_bytes;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static size_t take(size_t *used, size_t bytes) {
    const size_t at = *used;
    *used += (bytes + 63) / 64 * 64;
    return at;
}

static cuda_layout lay_out(const xc_block *block, int32_t batch, bool one_pass) {
    cuda_layout at = {0};
    const size_t filters = (size_t)block->filters, windows = (size_t)batch * (size_t)block->out_length;
    const size_t rows = (size_t)batch * (size_t)block->conv_length, taps = (size_t)block->width * 4;
    const size_t each = filters * sizeof(float);
    at.mean = take(&at.bytes, each);
    at.inverse = take(&at.bytes, each);
    if (one_pass) {
        at.record = take(&at.bytes, windows * cuda_motif_record_words(block) * sizeof(uint32_t));
        at.slope = take(&at.bytes, taps * each);
        at.input = take(&at.bytes, taps * sizeof(float));
        return at;
    }
    at.z = take(&at.bytes, rows * each);
    at.winner = take(&at.bytes, cuda_has_winners(block) ? windows * filters * sizeof(uint16_t) : 0);
    at.centre = take(&at.bytes, 2 * each);
    at.partial = take(&at.bytes, (rows + CUDA_TILE - 1) / CUDA_TILE * 2 * filters * sizeof(double));
    return at;
}

static size_t scratch_bytes(const xc_block *block, int32_t batch, bool one_pass) {
    const size_t bytes = one_pass ? cuda_motif_scratch(block, batch) : cuda_linear_scratch(block, batch);
    return (bytes + 63) / 64 * 64;
}

/* What a library wants besides, in every call of at most `batch`. */
static size_t workspace_bytes(cuda_context *context, const xc_block *block, int32_t batch) {
    return context ? cuda_linear_workspace(context, block, batch) : 0;
}

void cuda_block_memory(const xc_backend *backend, const xc_block *block, int32_t batch, xc_block_memory *memory) {
    cuda_device *device = cuda_device_of(backend);
    const bool one_pass = in_one_pass(device, block);
    *memory = (xc_block_memory){
        .saved = lay_out(block, batch, one_pass).bytes,
        .scratch = one_pass ? 0 : workspace_bytes(cuda_context_try(device), block, batch),
        .trial_scratch = scratch_bytes(block, batch, one_pass),
    };
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

/* A library's workspace begins where it wants to, for which cuda_linear_workspace has left room. */
static void *aligned_workspace(void *scratch) {
    const size_t at = (size_t)scratch;
    return (char *)scratch + (CUDA_WORKSPACE_ALIGNMENT - at % CUDA_WORKSPACE_ALIGNMENT) % CUDA_WORKSPACE_ALIGNMENT;
}

static cuda_call call_of(const cuda_device *device, cuda_context *context, const xc_block_args *args) {
    const bool one_pass = in_one_pass(device, args->block);
    const size_t workspace = args->scratch_bytes;
    cuda_call call = {
        .block = *args->block,
        .trials = args->trials,
        .batch = args->batch,
        .training = args->training,
        .add_to_dx = args->add_to_dx,
        .references = args->references,
        .rows = args->batch * args->block->conv_length,
        .activation = args->activation,
        .seed = args->seed,
        .step = args->step,
        .clipped = args->training ? (unsigned long long *)args->clipped : NULL,
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
        .workspace = aligned_workspace(args->scratch),
        .workspace_bytes = workspace > CUDA_WORKSPACE_ALIGNMENT ? workspace - CUDA_WORKSPACE_ALIGNMENT : 0,
        .scratch = (unsigned char *)args->scratch + workspace,
        .scratch_stride = scratch_bytes(args->block, args->batch, one_pass),
        .counters = context->counters,
        .at = lay_out(args->block, args->batch, one_pass),
    };
    if (args->dna) call.dna = *args->dna;
    return call;
}

/* Counters of a trial that the kernels of a block use: one for each 32 columns, or each tile of its kernel's gradient.
 */
static size_t counters_of(const xc_block *block) {
    const size_t columns = ((size_t)block->filters + 31) / 32;
    const size_t tiles = block->kind == XC_BLOCK_CONV ? cuda_conv_counters(block) : 0;
    return tiles > columns ? tiles : columns;
}

static xc_status check_call(const xc_block_args *args, xc_error *error) {
    const size_t counters = (size_t)args->trials * counters_of(args->block);
    if (args->trials > CUDA_MOST_TRIALS || counters > CUDA_COUNTERS)
        return xc_fail(error, XC_DEVICE,
                       "%d trials at a time are more than the CUDA backend does of this model; use "
                       "smaller packs",
                       args->trials);
    if (args->block->pool > CUDA_MOST_POOL)
        return xc_fail(error, XC_DEVICE, "a pool of %d is wider than the CUDA backend's %d", args->block->pool,
                       CUDA_MOST_POOL);
    return XC_OK;
}

/* The linear part to z, what batch norm normalises by, and what follows. */
static xc_status forward_by_z(cuda_context *context, const cuda_call *call, xc_error *error) {
    const bool norm = call->block.gamma != XC_ABSENT;
    const xc_status status = cuda_linear_forward(context, call, error);
    if (status != XC_OK) return status;
    if (norm && call->training && !cuda_linear_sums_statistics(context, call)) cuda_norm_batch(call, context->stream);
    if (norm && !call->training) cuda_norm_running(call, context->stream);
    cuda_tail_forward(call, context->stream);
    return XC_OK;
}

static void forward_in_one_pass(const cuda_call *call, cudaStream_t stream) {
    if (call->block.gamma != XC_ABSENT && call->training) cuda_motif_statistics(call, stream);
    if (call->block.gamma != XC_ABSENT && !call->training) cuda_norm_running(call, stream);
    cuda_motif_forward(call, stream);
}

xc_status cuda_block_forward(const xc_backend *backend, const xc_block_args *args, xc_error *error) {
    xc_status status;
    cuda_device *device = cuda_device_of(backend);
    cuda_context *context;
    XC_TRY(check_call(args, error));
    XC_TRY(cuda_context_get(&context, error));
    const cuda_call call = call_of(device, context, args);
    if (in_one_pass(device, args->block))
        forward_in_one_pass(&call, context->stream);
    else
        XC_TRY(forward_by_z(context, &call, error));
    XC_TRY(cuda_check_launches(device, "forward of a block", error));
fail:
    return status;
}

xc_status cuda_block_backward(const xc_backend *backend, const xc_block_args *args, xc_error *error) {
    xc_status status;
    cuda_device *device = cuda_device_of(backend);
    cuda_context *context;
    XC_TRY(check_call(args, error));
    XC_TRY(cuda_context_get(&context, error));
    const cuda_call call = call_of(device, context, args);
    if (in_one_pass(device, args->block)) { /* which has no dx */
        if (call.gradients) cuda_motif_backward(&call, context->stream);
    } else {
        cuda_tail_backward(&call, context->stream);
        XC_TRY(cuda_linear_backward(context, &call, error));
    }
    XC_TRY(cuda_check_launches(device, "backward of a block", error));
fail:
    return status;
}
