/* step.cu: one optimizer step of all trials; leaves the gradients zero and counts the step. Formulas:
 * kernels/ref/step.c.
 */
#include "last_block.cuh"

#define THREADS 256
#define EACH 4 /* parameters of a thread */

/* x^n by squaring: of a whole n it is as exact as pow, and quicker. */
DEVICE double power(double x, uint64_t n) {
    double result = 1;
    for (; n > 0; n /= 2, x *= x)
        if (n % 2) result *= x;
    return result;
}

/* The learning rate of trial t, with Adam's correction for the step's number. */
DEVICE float rate_of(const xc_step_args *a, int t) {
    const double rate = a->learning_rate[t];
    const uint64_t number = a->step[t] + 1;
    if (a->kind != XC_ADAM) return (float)rate;
    return (float)(rate * sqrt(1 - power(a->beta2, number)) / (1 - power(a->beta1, number)));
}

/* Twice the L2 factor of parameter i. */
DEVICE float penalty_of(const xc_step_args *a, size_t i) {
    for (int p = 0; p < a->l2_count; p++)
        if (i >= a->l2[p].offset && i - a->l2[p].offset < a->l2[p].count) return 2 * a->l2[p].factor;
    return 0;
}

/* Parameter i, which stands at `at` of the arrays. */
DEVICE void update(const xc_step_args *a, size_t i, size_t at, float rate) {
    const float w = a->parameters[at], g = a->gradients[at] + penalty_of(a, i) * w;
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

static __global__ void __launch_bounds__(THREADS) k_step(xc_step_args a, unsigned *counters) {
    XC_SHARED(float, rate, [1]);
    const int t = (int)blockIdx.z;
    if (threadIdx.x == 0) rate[0] = rate_of(&a, t);
    __syncthreads();
    for (int e = 0; e < EACH; e++) {
        const size_t i = ((size_t)blockIdx.x * EACH + (size_t)e) * THREADS + threadIdx.x;
        if (i < a.parameter_count) update(&a, i, (size_t)t * a.parameter_stride + i, rate[0]);
    }
    if (is_last_block(&counters[t], gridDim.x) && threadIdx.x == 0) a.step[t]++;
}

void cuda_step(const xc_step_args *args, unsigned *counters, cudaStream_t stream) {
    const dim3 grid(blocks_for(args->parameter_count, THREADS * EACH), 1, (unsigned)args->trials);
    XC_LAUNCH(k_step, grid, THREADS, 0, stream, *args, counters);
}
