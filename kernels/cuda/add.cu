/* add.cu: the end of a residual unit, z = x + x_skip (or x alone); the gradient of both is dz.
 */
#include "place.cuh"

#define THREADS 256

DEVICE size_t own_element(void) { return (size_t)blockIdx.x * THREADS + threadIdx.x; }

static __global__ void __launch_bounds__(THREADS) k_add_fwd(cuda_call c, size_t elements) {
    const int t = (int)blockIdx.z;
    const size_t i = own_element(), at = (size_t)t * elements + i;
    if (i < elements) z_of(&c, t)[i] = c.x_skip ? c.x[at] + c.x_skip[at] : c.x[at];
}

static __global__ void __launch_bounds__(THREADS) k_add_bwd(cuda_call c, size_t elements) {
    const int t = (int)blockIdx.z;
    const size_t i = own_element(), at = (size_t)t * elements + i;
    if (i >= elements) return;
    const float dz = z_of(&c, t)[i];
    if (c.dx) c.dx[at] = c.add_to_dx ? c.dx[at] + dz : dz;
    if (c.dx_skip) c.dx_skip[at] = dz;
}

static size_t element_count(const cuda_call *call) { return (size_t)call->rows * (size_t)call->block.filters; }

void cuda_add_forward(const cuda_call *call, cudaStream_t stream) {
    const dim3 grid(blocks_for(element_count(call), THREADS), 1, (unsigned)call->trials);
    XC_LAUNCH(k_add_fwd, grid, THREADS, 0, stream, *call, element_count(call));
}

void cuda_add_input_gradient(const cuda_call *call, cudaStream_t stream) {
    const dim3 grid(blocks_for(element_count(call), THREADS), 1, (unsigned)call->trials);
    if (call->dx || call->dx_skip) XC_LAUNCH(k_add_bwd, grid, THREADS, 0, stream, *call, element_count(call));
}
