/* dnn_none.c: dnn.h where cudnn.h was not found when the backend was built: nothing can be opened, and a line says so.
 */
#include "dnn.h"

static xc_status none(xc_error *error) {
    return xc_fail(error, XC_DEVICE, "built without cuDNN; install it and build again, or do without it");
}

bool cuda_dnn_can(const cuda_convolution *shape) {
    (void)shape;
    return false;
}

xc_status cuda_dnn_open(cuda_dnn **dnn, xc_error *error) {
    *dnn = NULL;
    return none(error);
}

void cuda_dnn_close(cuda_dnn *dnn) { (void)dnn; }

xc_status cuda_dnn_plan(cuda_dnn *dnn, const cuda_convolution *shape, size_t *workspace_bytes, xc_error *error) {
    (void)dnn, (void)shape, (void)workspace_bytes;
    return none(error);
}

xc_status cuda_dnn_forward(cuda_dnn *dnn, const cuda_convolution *shape, const float *x, const float *kernel, float *z,
                           void *workspace, size_t bytes, cudaStream_t stream, xc_error *error) {
    (void)dnn, (void)shape, (void)x, (void)kernel, (void)z, (void)workspace, (void)bytes, (void)stream;
    return none(error);
}

xc_status cuda_dnn_input_gradient(cuda_dnn *dnn, const cuda_convolution *shape, const float *dz, const float *kernel,
                                  float *dx, bool add, void *workspace, size_t bytes, cudaStream_t stream,
                                  xc_error *error) {
    (void)dnn, (void)shape, (void)dz, (void)kernel, (void)dx, (void)add, (void)workspace, (void)bytes, (void)stream;
    return none(error);
}

xc_status cuda_dnn_kernel_gradient(cuda_dnn *dnn, const cuda_convolution *shape, const float *x, const float *dz,
                                   float *dkernel, void *workspace, size_t bytes, cudaStream_t stream,
                                   xc_error *error) {
    (void)dnn, (void)shape, (void)x, (void)dz, (void)dkernel, (void)workspace, (void)bytes, (void)stream;
    return none(error);
}
