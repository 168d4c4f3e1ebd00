/* one_launch.c: the ops that are one launch each: the loss, the optimizer step, paths between rows, splices.
 */
#include "backend.h"

#define ONE_LAUNCH(name, type, ...)                                                            \
    xc_status cuda_##name##_op(const xc_backend *backend, const type *args, xc_error *error) { \
        xc_status status;                                                                      \
        cuda_context *context;                                                                 \
        XC_TRY(cuda_context_get(&context, error));                                             \
        cuda_##name(args, __VA_ARGS__);                                                        \
        XC_TRY(cuda_check_launches(cuda_device_of(backend), #name, error));                    \
    fail:                                                                                      \
        return status;                                                                         \
    }

ONE_LAUNCH(loss, xc_loss_args, context->stream)
ONE_LAUNCH(step, xc_step_args, context->counters, context->stream)
ONE_LAUNCH(path_points, xc_path_args, context->stream)
ONE_LAUNCH(path_sum, xc_path_args, context->stream)
ONE_LAUNCH(splice, xc_splice_args, context->stream)
