/* loss_step.c: the loss and the optimizer step.
 */
#include "backend.h"

xc_status cuda_loss_op(const xc_backend *backend, const xc_loss_args *args, xc_error *error) {
    xc_status status;
    cuda_context *context;
    XC_TRY(cuda_context_get(&context, error));
    cuda_loss(args, context->stream);
    XC_TRY(cuda_check_launches(cuda_device_of(backend), "loss", error));
fail:
    return status;
}

xc_status cuda_step_op(const xc_backend *backend, const xc_step_args *args, xc_error *error) {
    xc_status status;
    cuda_context *context;
    XC_TRY(cuda_context_get(&context, error));
    cuda_step(args, context->counters, context->stream);
    XC_TRY(cuda_check_launches(cuda_device_of(backend), "step", error));
fail:
    return status;
}
