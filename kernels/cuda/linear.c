/* linear.c: which implementation does the linear part of a block that goes by z: our kernels convolutions, all trials
 * at once; cuDNN the large ones, a trial a call, since one fills the GPU by itself; cuBLASLt dense layers. The choice
 * is by the block and the batch alone, so that a trial's result does not depend on the pack it is in.
 *
 * $EXPCONV_CUDA_CONV: `own` keeps to our kernels, `cudnn` gives cuDNN all that it can do; for tests and comparisons.
 */
#include <stdlib.h>
#include <string.h>

#include "backend.h"

/* ---- cuDNN or not ------------------------------------------------------------------------------------------------ */

/* Multiply-adds of a trial's forward pass from which on cuDNN is asked: 30 microseconds of an H100's float32 peak. */
#define LARGE_PRODUCTS 1e9

static cuda_convolution convolution_of(const xc_block *block, int32_t batch) {
    return (cuda_convolution){
        .batch = batch,
        .length = block->length,
        .channels = block->channels,
        .width = block->width,
        .pad_left = block->pad_left,
        .conv_length = block->conv_length,
        .filters = block->filters,
        .precision = block->precision,
    };
}

static bool is_large(const xc_block *block, int32_t batch) {
    const double products = (double)batch * block->conv_length * block->width * block->channels * block->filters;
    const char *chosen = getenv("EXPCONV_CUDA_CONV");
    if (chosen && strcmp(chosen, "own") == 0) return false;
    return products >= LARGE_PRODUCTS || (chosen && strcmp(chosen, "cudnn") == 0);
}

/* Bytes of workspace that cuDNN wants for this block, 0 where it is not asked, not here, or has no way to do it: our
 * kernels do it then. */
static size_t dnn_workspace(cuda_context *context, const xc_block *block, int32_t batch) {
    const cuda_convolution shape = convolution_of(block, batch);
    size_t bytes = 0;
    xc_error error;
    if (block->kind != XC_BLOCK_CONV || context->without_dnn || !is_large(block, batch) || !cuda_dnn_can(&shape))
        return 0;
    if (context->dnn == NULL && cuda_dnn_open(&context->dnn, &error) != XC_OK) context->without_dnn = true;
    if (context->dnn == NULL || cuda_dnn_plan(context->dnn, &shape, &bytes, &error) != XC_OK) return 0;
    return (bytes + CUDA_WORKSPACE_ALIGNMENT - 1) / CUDA_WORKSPACE_ALIGNMENT * CUDA_WORKSPACE_ALIGNMENT;
}

/* Whether all arrays of every trial begin where vectors may. */
static bool is_aligned(const cuda_call *call) {
    const xc_block *b = &call->block;
    const size_t input = (size_t)call->batch * (size_t)b->length * (size_t)b->channels;
    const size_t floats = input | call->parameter_stride | b->kernel;
    const size_t bytes = (size_t)call->x | (size_t)call->parameters | (size_t)call->gradients | (size_t)call->dx |
                         (size_t)call->saved | call->saved_stride;
    return floats % 4 == 0 && bytes % 16 == 0;
}

static bool by_dnn(cuda_context *context, const cuda_call *call) {
    if (call->workspace_bytes == 0) return false; /* the plan had nothing for cuDNN: it is not asked in every step */
    const size_t wanted = dnn_workspace(context, &call->block, call->batch);
    return wanted > 0 && wanted <= call->workspace_bytes && is_aligned(call);
}

bool cuda_linear_sums_statistics(cuda_context *context, const cuda_call *call) {
    return call->block.kind == XC_BLOCK_CONV && !by_dnn(context, call);
}

size_t cuda_linear_scratch(const xc_block *block, int32_t batch) {
    return block->kind == XC_BLOCK_CONV ? cuda_conv_scratch(block, batch) : 0;
}

size_t cuda_linear_workspace(cuda_context *context, const xc_block *block, int32_t batch) {
    const size_t wanted = dnn_workspace(context, block, batch);
    return wanted > 0 ? wanted + CUDA_WORKSPACE_ALIGNMENT : 0; /* scratch may begin anywhere */
}

/* ---- convolutions by cuDNN -----------------------------------------------------------------------------------------
 */

/* A trial's arrays. */
static const float *x_of(const cuda_call *call, int32_t t) { /* (N,L,C) */
    const xc_block *b = &call->block;
    return call->x + (size_t)t * (size_t)call->batch * (size_t)b->length * (size_t)b->channels;
}
static float *dx_of(const cuda_call *call, int32_t t) { return call->dx + (x_of(call, t) - call->x); }
static float *z_of(const cuda_call *call, int32_t t) { /* (N,Lc,F); dz in backward */
    return (float *)(call->saved + (size_t)t * call->saved_stride + call->at.z);
}
static size_t kernel_at(const cuda_call *call, int32_t t) { /* (K,C,F) */
    return (size_t)t * call->parameter_stride + call->block.kernel;
}

static xc_status dnn_forward(cuda_context *context, const cuda_call *call, xc_error *error) {
    const cuda_convolution shape = convolution_of(&call->block, call->batch);
    xc_status status = XC_OK;
    for (int32_t t = 0; t < call->trials && status == XC_OK; t++)
        status = cuda_dnn_forward(context->dnn, &shape, x_of(call, t), call->parameters + kernel_at(call, t),
                                  z_of(call, t), call->workspace, call->workspace_bytes, context->stream, error);
    return status;
}

static xc_status dnn_backward(cuda_context *context, const cuda_call *call, xc_error *error) {
    const cuda_convolution shape = convolution_of(&call->block, call->batch);
    xc_status status = XC_OK;
    for (int32_t t = 0; t < call->trials; t++) {
        if (call->gradients)
            XC_TRY(cuda_dnn_kernel_gradient(context->dnn, &shape, x_of(call, t), z_of(call, t),
                                            call->gradients + kernel_at(call, t), call->workspace,
                                            call->workspace_bytes, context->stream, error));
        if (call->dx)
            XC_TRY(cuda_dnn_input_gradient(context->dnn, &shape, z_of(call, t), call->parameters + kernel_at(call, t),
                                           dx_of(call, t), call->add_to_dx, call->workspace, call->workspace_bytes,
                                           context->stream, error));
    }
fail:
    return status;
}

/* ---- dense layers ------------------------------------------------------------------------------------------------ */

/* A trial's matrices: x (N,In), kernel (In,Out), z or dz (N,Out). */
static size_t input_stride(const cuda_call *call) { return (size_t)call->batch * (size_t)call->block.channels; }
static float *z_of_first(const cuda_call *call) { return (float *)(call->saved + call->at.z); }
static size_t z_stride(const cuda_call *call) { return call->saved_stride / sizeof(float); }

/* z = x kernel. */
static xc_status dense_forward(cuda_context *context, const cuda_call *call, xc_error *error) {
    const cuda_product product = {
        .rows = call->batch,
        .columns = call->block.filters,
        .depth = call->block.channels,
        .a = call->x,
        .a_stride = input_stride(call),
        .b = call->parameters + call->block.kernel,
        .b_stride = call->parameter_stride,
        .c = z_of_first(call),
        .c_stride = z_stride(call),
        .trials = call->trials,
        .precision = call->block.precision,
    };
    return cuda_blas_multiply(context->blas, &product, context->stream, error);
}

/* dkernel += x^T dz. */
static xc_status dense_kernel_gradient(cuda_context *context, const cuda_call *call, xc_error *error) {
    if (!call->gradients) return XC_OK;
    const cuda_product product = {
        .rows = call->block.channels,
        .columns = call->block.filters,
        .depth = call->batch,
        .turn_a = true,
        .a = call->x,
        .a_stride = input_stride(call),
        .b = z_of_first(call),
        .b_stride = z_stride(call),
        .c = call->gradients + call->block.kernel,
        .c_stride = call->parameter_stride,
        .beta = 1,
        .trials = call->trials,
        .precision = call->block.precision,
    };
    return cuda_blas_multiply(context->blas, &product, context->stream, error);
}

/* dx = or += dz kernel^T. */
static xc_status dense_input_gradient(cuda_context *context, const cuda_call *call, xc_error *error) {
    const cuda_product product = {
        .rows = call->batch,
        .columns = call->block.channels,
        .depth = call->block.filters,
        .turn_b = true,
        .a = z_of_first(call),
        .a_stride = z_stride(call),
        .b = call->parameters + call->block.kernel,
        .b_stride = call->parameter_stride,
        .c = call->dx,
        .c_stride = input_stride(call),
        .beta = call->add_to_dx ? 1 : 0,
        .trials = call->trials,
        .precision = call->block.precision,
    };
    return call->dx ? cuda_blas_multiply(context->blas, &product, context->stream, error) : XC_OK;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

xc_status cuda_linear_forward(cuda_context *context, const cuda_call *call, xc_error *error) {
    switch (call->block.kind) {
        case XC_BLOCK_MOTIF:
            cuda_motif_linear(call, context->stream);
            break;
        case XC_BLOCK_CONV:
            if (by_dnn(context, call)) return dnn_forward(context, call, error);
            cuda_conv_forward(call, context->stream);
            break;
        case XC_BLOCK_DENSE:
            return dense_forward(context, call, error);
        case XC_BLOCK_ADD:
            cuda_add_forward(call, context->stream);
            break;
    }
    return XC_OK;
}

xc_status cuda_linear_backward(cuda_context *context, const cuda_call *call, xc_error *error) {
    xc_status status = XC_OK;
    switch (call->block.kind) {
        case XC_BLOCK_MOTIF:
            if (call->gradients) cuda_motif_kernel_gradient(call, context->stream);
            cuda_conv_input_gradient(call, context->stream);
            break;
        case XC_BLOCK_CONV:
            if (by_dnn(context, call)) return dnn_backward(context, call, error);
            if (call->gradients) cuda_conv_kernel_gradient(call, context->stream);
            cuda_conv_input_gradient(call, context->stream);
            break;
        case XC_BLOCK_DENSE:
            XC_TRY(dense_kernel_gradient(context, call, error));
            XC_TRY(dense_input_gradient(context, call, error));
            break;
        case XC_BLOCK_ADD:
            cuda_add_input_gradient(call, context->stream);
            break;
    }
fail:
    return status;
}
