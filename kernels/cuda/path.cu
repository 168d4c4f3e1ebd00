/* path.cu: points on the straight way from a reference to its sequence, and the weighted sum of gradients taken there.
 * A thread has one element of a pair's rows and goes through the steps in order. Formulas: kernels/ref/path.c.
 */
#include "place.cuh"

#define THREADS 256

/* What a thread has: a pair, of those of the call, and an element. */
typedef struct own {
    size_t pair, element;
} own;

/* Grid x: pairs, then pieces of their rows. */
DEVICE own own_of(const xc_path_args *a) {
    const unsigned pair = blockIdx.x % (unsigned)a->pairs, piece = blockIdx.x / (unsigned)a->pairs;
    const own it = {pair, (size_t)piece * THREADS + threadIdx.x};
    return it;
}

/* Rows of a pair, in (groups,R+1,E). */
DEVICE size_t sequence_row(const xc_path_args *a, size_t pair) {
    const size_t references = (size_t)a->references;
    return ((size_t)a->first + pair) / references * (references + 1);
}
DEVICE size_t reference_row(const xc_path_args *a, size_t pair) {
    return sequence_row(a, pair) + 1 + ((size_t)a->first + pair) % (size_t)a->references;
}

static __global__ void __launch_bounds__(THREADS) k_path_points(xc_path_args a) {
    const own it = own_of(&a);
    if (it.element >= a.width) return;
    const float from = a.ends[reference_row(&a, it.pair) * a.width + it.element];
    const float to = a.ends[sequence_row(&a, it.pair) * a.width + it.element], way = to - from;
    float *points = a.points + it.pair * (size_t)a.steps * a.width + it.element; /* (S,E) */
    for (int s = 0; s < a.steps; s++, points += a.width)
        *points = a.place[s] == 1 ? to : from + a.place[s] * way; /* the sequence itself, whatever rounding would say */
}

static __global__ void __launch_bounds__(THREADS) k_path_sum(xc_path_args a) {
    const own it = own_of(&a);
    if (it.element >= a.width) return;
    const float *gradient = a.gradient + it.pair * (size_t)a.steps * a.width + it.element; /* (S,E) */
    float sum = 0;
    for (int s = 0; s < a.steps; s++, gradient += a.width) sum += a.share[s] * *gradient;
    a.sum[reference_row(&a, it.pair) * a.width + it.element] = sum;
}

static unsigned block_count(const xc_path_args *args) {
    return (unsigned)args->pairs * blocks_for(args->width, THREADS);
}

void cuda_path_points(const xc_path_args *args, cudaStream_t stream) {
    XC_LAUNCH(k_path_points, block_count(args), THREADS, 0, stream, *args);
}

void cuda_path_sum(const xc_path_args *args, cudaStream_t stream) {
    XC_LAUNCH(k_path_sum, block_count(args), THREADS, 0, stream, *args);
}
