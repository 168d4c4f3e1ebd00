/* step.cu: one optimizer step of all trials, a thread a parameter; leaves the gradients zero. Formulas:
 * kernels/ref/step.c; the rates, which depend on the step's number, come from the host.
 */
#include "place.cuh"

#define THREADS 256

/* Everything by value that the kernels read. */
typedef struct step_call {
    xc_step_args args; /* its host pointers are not followed here */
    const cuda_step_area *area;
} step_call;

/* Twice the L2 factor of parameter i. */
DEVICE float penalty_of(const step_call *c, size_t i) {
    for (int p = 0; p < c->args.l2_count; p++) {
        const xc_l2 l2 = c->area->l2[p];
        if (i >= l2.offset && i - l2.offset < l2.count) return 2 * l2.factor;
    }
    return 0;
}

static __global__ void __launch_bounds__(THREADS) k_step(step_call c) {
    const xc_step_args *a = &c.args;
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x, at = (size_t)blockIdx.z * a->parameter_stride + i;
    if (i >= a->parameter_count) return;
    const float w = a->parameters[at], g = a->gradients[at] + penalty_of(&c, i) * w, rate = c.area->rate[blockIdx.z];
    a->gradients[at] = 0;
    if (a->kind == XC_ADAM) {
        const float m = a->beta1 * a->first_moment[at] + (float)(1 - (double)a->beta1) * g;
        const float v = a->beta2 * a->second_moment[at] + (float)(1 - (double)a->beta2) * g * g;
        a->first_moment[at] = m;
        a->second_moment[at] = v;
        a->parameters[at] = w - rate * m / (sqrtf(v) + a->epsilon);
    } else {
        const float m = a->momentum * a->first_moment[at] - rate * g;
        a->first_moment[at] = m;
        a->parameters[at] = w + m;
    }
}

void cuda_step(const xc_step_args *args, const cuda_step_area *area, cudaStream_t stream) {
    const dim3 grid(blocks_for(args->parameter_count, THREADS), 1, (unsigned)args->trials);
    const step_call call = {*args, area};
    XC_LAUNCH(k_step, grid, THREADS, 0, stream, call);
}
