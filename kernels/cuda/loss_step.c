/* loss_step.c: the loss, and the optimizer step with what it needs of the host's arrays.
 */
#include <math.h>
#include <string.h>

#include "backend.h"

xc_status cuda_loss_op(const xc_backend *backend, const xc_loss_args *args, xc_error *error) {
    cuda_device *device = cuda_device_of(backend);
    cuda_loss(args, device->stream);
    return cuda_check_launches(device, "loss", error);
}

static float rate_of(const xc_step_args *args, int32_t trial) {
    const double beta1 = args->beta1, beta2 = args->beta2, s = (double)args->step[trial] + 1;
    const double rate = args->learning_rate[trial];
    return (float)(args->kind == XC_ADAM ? rate * sqrt(1 - pow(beta2, s)) / (1 - pow(beta1, s)) : rate);
}

/* Fills in what the kernel reads. Steps that come at the same time take turns; the stream keeps each one's launch
 * before the next one's copy. */
static xc_status send_area(cuda_device *device, const xc_step_args *args, xc_error *error) {
    xc_status status;
    float rate[CUDA_MOST_TRIALS];
    for (int32_t t = 0; t < args->trials; t++) rate[t] = rate_of(args, t);
    XC_TRY(CUDA_CHECK(cudaMemcpyAsync(device->step_area->rate, rate, (size_t)args->trials * sizeof *rate,
                                      cudaMemcpyHostToDevice, device->stream)));
    if (args->l2_count == 0) return XC_OK;
    XC_TRY(CUDA_CHECK(cudaMemcpyAsync(device->step_area->l2, args->l2, (size_t)args->l2_count * sizeof *args->l2,
                                      cudaMemcpyHostToDevice, device->stream)));
fail:
    return status;
}

xc_status cuda_step_op(const xc_backend *backend, const xc_step_args *args, xc_error *error) {
    xc_status status;
    cuda_device *device = cuda_device_of(backend);
    if (args->trials > CUDA_MOST_TRIALS || args->l2_count > CUDA_MOST_L2)
        return xc_fail(error, XC_DEVICE,
                       "a step of %d trials with %d L2 factors is more than the CUDA backend's %d and %d; use smaller "
                       "packs or fewer layers",
                       args->trials, args->l2_count, CUDA_MOST_TRIALS, CUDA_MOST_L2);
    pthread_mutex_lock(&device->step_lock);
    XC_TRY(send_area(device, args, error));
    cuda_step(args, device->step_area, device->stream);
    XC_TRY(cuda_check_launches(device, "step", error));
fail:
    pthread_mutex_unlock(&device->step_lock);
    return status;
}
