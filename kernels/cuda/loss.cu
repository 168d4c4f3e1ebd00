/* loss.cu: the losses and their gradients at the logits, a block a trial, in double: there are few logits. Formulas:
 * kernels/ref/loss.c.
 */
#include "place.cuh"

#define THREADS 128

/* Pointers of one trial. */
typedef struct loss_trial {
    const float *logits;   /* (N,classes) */
    const uint32_t *index; /* (N) */
    float *dlogits;        /* (N,classes) or NULL */
} loss_trial;

DEVICE loss_trial trial_of(const xc_loss_args *a, int t) {
    const size_t rows = (size_t)t * (size_t)a->batch, elements = rows * (size_t)a->classes;
    const loss_trial trial = {a->logits + elements, a->index + rows, a->dlogits ? a->dlogits + elements : NULL};
    return trial;
}

DEVICE double weight(const xc_loss_args *a, int c) { return a->class_weights ? a->class_weights[c] : 1; }

/* Labels (classes) of sequence n of the batch. */
DEVICE const float *labels_of(const xc_loss_args *a, const loss_trial *trial, int n) {
    return a->labels + (size_t)(trial->index[n] & ~XC_REVERSE_COMPLEMENT) * (size_t)a->classes;
}

/* Losses that treat every class by itself: element i of (N,classes). */
DEVICE double element_loss(const xc_loss_args *a, const loss_trial *trial, int i) {
    const int n = i / a->classes, c = i - n * a->classes;
    const double z = trial->logits[i], y = labels_of(a, trial, n)[c];
    double value = (z - y) * (z - y), slope = 2 * (z - y);
    if (a->kind == XC_LOSS_BINARY) {
        const double e = exp(-fabs(z)); /* in (0, 1] */
        slope = (z >= 0 ? 1 / (1 + e) : e / (1 + e)) - y;
        value = (z <= 0 ? 0 : z) - z * y + log1p(e);
    }
    if (trial->dlogits) trial->dlogits[i] = (float)(weight(a, c) * slope / ((double)a->batch * a->classes));
    return weight(a, c) * value;
}

DEVICE double softmax_loss(const xc_loss_args *a, const loss_trial *trial, int n) {
    const size_t row = (size_t)n * (size_t)a->classes;
    const float *z = trial->logits + row, *y = labels_of(a, trial, n); /* (classes) */
    double largest = z[0], total = 0, sum = 0, mass = 0;
    for (int c = 1; c < a->classes; c++) largest = fmax(largest, (double)z[c]);
    for (int c = 0; c < a->classes; c++) total += exp(z[c] - largest);
    for (int c = 0; c < a->classes; c++) {
        sum -= weight(a, c) * y[c] * (z[c] - largest - log(total));
        mass += weight(a, c) * y[c];
    }
    for (int c = 0; trial->dlogits && c < a->classes; c++)
        trial->dlogits[row + (size_t)c] =
            (float)((mass * (exp(z[c] - largest) / total) - weight(a, c) * y[c]) / a->batch);
    return sum;
}

static __global__ void __launch_bounds__(THREADS) k_loss(xc_loss_args a) {
    XC_SHARED(double, sums, [THREADS]);
    const int t = (int)blockIdx.x;
    const loss_trial trial = trial_of(&a, t);
    const bool softmax = a.kind == XC_LOSS_SOFTMAX;
    const int count = softmax ? a.batch : a.batch * a.classes;
    double sum = 0;
    for (int i = (int)threadIdx.x; i < count; i += THREADS)
        sum += softmax ? softmax_loss(&a, &trial, i) : element_loss(&a, &trial, i);
    sums[threadIdx.x] = sum;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if ((int)threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + (unsigned)half];
        __syncthreads();
    }
    if (threadIdx.x == 0) a.loss[t] = sums[0] / count;
}

void cuda_loss(const xc_loss_args *args, cudaStream_t stream) {
    XC_LAUNCH(k_loss, (unsigned)args->trials, THREADS, 0, stream, *args);
}
