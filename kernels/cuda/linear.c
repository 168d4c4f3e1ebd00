/* linear.c: which implementation does the linear part of a block that goes by z: our kernels convolutions, cuBLASLt
 * dense layers. The choice is by the block alone, so that a trial's result does not depend on the pack it is in.
 */
#include "backend.h"

bool cuda_linear_sums_statistics(const xc_block *block) { return block->kind == XC_BLOCK_CONV; }

size_t cuda_linear_scratch(const xc_block *block, int32_t batch) {
    return block->kind == XC_BLOCK_CONV ? cuda_conv_scratch(block, batch) : 0;
}

/* ---- dense layers ------------------------------------------------------------------------------------------------ */

/* A trial's matrices: x (N,In), kernel (In,Out), z or dz (N,Out). */
static size_t input_stride(const cuda_call *call) { return (size_t)call->batch * (size_t)call->block.channels; }
static float *z_of_first(const cuda_call *call) { return (float *)(call->saved + call->at.z); }
static size_t z_stride(const cuda_call *call) { return call->saved_stride / sizeof(float); }

/* z = x kernel. */
static xc_status dense_forward(const cuda_context *context, const cuda_call *call, xc_error *error) {
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
static xc_status dense_kernel_gradient(const cuda_context *context, const cuda_call *call, xc_error *error) {
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
static xc_status dense_input_gradient(const cuda_context *context, const cuda_call *call, xc_error *error) {
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

xc_status cuda_linear_forward(const cuda_context *context, const cuda_call *call, xc_error *error) {
    switch (call->block.kind) {
        case XC_BLOCK_MOTIF:
            cuda_motif_linear(call, context->stream);
            break;
        case XC_BLOCK_CONV:
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

xc_status cuda_linear_backward(const cuda_context *context, const cuda_call *call, xc_error *error) {
    xc_status status = XC_OK;
    switch (call->block.kind) {
        case XC_BLOCK_MOTIF:
            cuda_motif_kernel_gradient(call, context->stream);
            cuda_conv_input_gradient(call, context->stream);
            break;
        case XC_BLOCK_CONV:
            cuda_conv_kernel_gradient(call, context->stream);
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
