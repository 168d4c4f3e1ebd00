/* tail.cu: what follows the linear part of every block: normalise, activation, dropout, max pool, and the way back.
 * Forward has a thread for each output; backward one for each element of z, which finds its own window: nothing is
 * scattered, so nothing is added atomically but the count of clipped values. Formulas: kernels/ref/block.c.
 */
#include "activation.cuh"
#include "columns.cuh"

#define THREADS 128

/* Batch norm's constants of one filter, and the trial's. */
typedef struct tail_filter {
    float mean, inverse, gamma, beta;
} tail_filter;

DEVICE tail_filter load_filter(const cuda_call *c, int t, int f) {
    tail_filter filter = {0, 1, 1, 0};
    if (!has_norm(c)) return filter;
    const float *parameters = parameters_of(c, t);
    filter.mean = mean_of(c, t)[f];
    filter.inverse = inverse_of(c, t)[f];
    filter.gamma = parameters[c->block.gamma + f];
    filter.beta = parameters[c->block.beta + f];
    return filter;
}

/* What the activation is applied to. */
DEVICE float normalised(const cuda_call *c, const tail_filter *filter, float z) {
    return has_norm(c) ? filter->gamma * ((z - filter->mean) * filter->inverse) + filter->beta : z;
}

/* What dropout multiplies element e of (N,Lc,F) by: 0 or 1 / (1 - rate); 1 in inference. */
DEVICE float dropout_factor(const cuda_call *c, const cuda_trial *trial, size_t e) {
    const uint32_t threshold = xc_dropout_threshold(c->block.dropout);
    if (!c->training || threshold == 0) return 1;
    const xc_philox_words words =
        xc_random(trial->seed, XC_STREAM_DROPOUT, c->block.dropout_stream, trial->step << 32 | e / 8);
    /* chosen without an index, which would put the words into local memory */
    const uint32_t pair = (uint32_t)(e % 8 / 2);
    const uint32_t low = pair & 1 ? words.word[1] : words.word[0], high = pair & 1 ? words.word[3] : words.word[2];
    const uint32_t number = (pair & 2 ? high : low) >> (e % 2 * 16) & 0xFFFFu;
    return number >= threshold ? 65536.0f / (65536.0f - (float)threshold) : 0.0f;
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

/* The first of the largest so far; a NaN is larger than all. */
typedef struct tail_best {
    float value;
    int32_t winner;
} tail_best;

DEVICE void meet(tail_best *best, float value, int32_t l) {
    const bool first_nan = value != value && best->value == best->value;
    if (best->winner >= 0 && !(value > best->value) && !first_nan) return;
    best->value = value;
    best->winner = l;
}

/* Output i of (N,Lp,F); returns how many of the values that are its to count the clip met. The last window counts those
 * after it too, which no window takes. */
DEVICE unsigned pool_window(const cuda_call *c, int t, size_t i) {
    const xc_block *block = &c->block;
    const int filters = block->filters, f = (int)(i % (size_t)filters);
    const size_t window = i / (size_t)filters;
    const int j = (int)(window % (size_t)block->out_length), start = j * block->pool - block->pool_pad_left;
    const size_t sequence = window / (size_t)block->out_length * (size_t)block->conv_length;
    const int end = start + block->pool < block->conv_length ? start + block->pool : block->conv_length;
    const int counted = j == block->out_length - 1 ? block->conv_length : end;
    const cuda_trial trial = c->trial[t];
    const tail_filter filter = load_filter(c, t, f);
    const float *z = z_of(c, t); /* (N,Lc,F) */
    tail_best best = {0, -1};
    unsigned clipped = 0;
    for (int l = start < 0 ? 0 : start; l < counted; l++) {
        const size_t e = (sequence + (size_t)l) * (size_t)filters + (size_t)f;
        const float u = normalised(c, &filter, z[e]);
        clipped += activation_clips(&trial.activation, u);
        if (l >= end) continue;
        const float factor = dropout_factor(c, &trial, e);
        meet(&best, factor == 0 ? 0 : factor * activation_value(&trial.activation, u), l);
    }
    const size_t outputs = (size_t)c->batch * (size_t)block->out_length * (size_t)filters;
    c->y[(size_t)t * outputs + i] = best.value;
    if (block->pool > 1) winner_of(c, t)[i] = best.winner;
    return clipped;
}

static __global__ void __launch_bounds__(THREADS) k_tail_fwd(cuda_call c) {
    const int t = (int)blockIdx.z;
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    const size_t outputs = (size_t)c.batch * (size_t)c.block.out_length * (size_t)c.block.filters;
    const unsigned own = i < outputs ? pool_window(&c, t, i) : 0;
    const unsigned clipped = __reduce_add_sync(0xffffffffu, own);
    if (threadIdx.x % 32 == 0 && clipped > 0) atomicAdd(&c.trial[t].clipped, (unsigned long long)clipped);
}

void cuda_tail_forward(const cuda_call *call, cudaStream_t stream) {
    const xc_block *block = &call->block;
    const size_t outputs = (size_t)call->batch * (size_t)block->out_length * (size_t)block->filters;
    const dim3 grid(blocks_for(outputs, THREADS), 1, (unsigned)call->trials);
    XC_LAUNCH(k_tail_fwd, grid, THREADS, 0, stream, *call);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

/* The gradient at u of filter f in row r: dy of its window, if it won, through dropout and activation. */
DEVICE float gradient_at_u(const cuda_call *c, int t, const cuda_trial *trial, const tail_filter *filter, float z,
                           int r, int f) {
    const xc_block *block = &c->block;
    const int n = r / block->conv_length, l = r - n * block->conv_length, j = (l + block->pool_pad_left) / block->pool;
    if (j >= block->out_length) return 0;
    const size_t o = ((size_t)n * (size_t)block->out_length + (size_t)j) * (size_t)block->filters + (size_t)f;
    if (block->pool > 1 && winner_of(c, t)[o] != l) return 0;
    const float factor = dropout_factor(c, trial, (size_t)r * (size_t)block->filters + (size_t)f);
    if (factor == 0) return 0;
    const size_t outputs = (size_t)c->batch * (size_t)block->out_length * (size_t)block->filters;
    const float slope = activation_slope(&trial->activation, normalised(c, filter, z));
    return c->dy[(size_t)t * outputs + o] * factor * slope;
}

/* The chunk's sums of du and du h, h = (z - mean) / deviation. */
static __global__ void __launch_bounds__(COLUMNS *GROUPS) k_tail_bwd_sums(cuda_call c) {
    const int t = (int)blockIdx.z, f = chunk_filter(), filters = c.block.filters, end = chunk_end(&c);
    const cuda_trial trial = c.trial[t];
    const float *z = z_of(&c, t); /* (N,Lc,F) */
    double dbeta = 0, dgamma = 0;
    if (f < filters) {
        const tail_filter filter = load_filter(&c, t, f);
        for (int r = chunk_begin(); r < end; r += GROUPS) {
            const float value = z[(size_t)r * filters + f];
            const float du = gradient_at_u(&c, t, &trial, &filter, value, r, f);
            dbeta += du;
            dgamma += (double)du * ((value - filter.mean) * filter.inverse);
        }
    }
    store_chunk(&c, t, dbeta, dgamma);
}

/* Mean and variance are constants in inference, so nothing is taken off there. */
static __global__ void k_tail_bwd_norm(cuda_call c) {
    const int t = (int)blockIdx.z, f = (int)(blockIdx.x * COLUMNS + threadIdx.x), filters = c.block.filters;
    if (f >= filters) return;
    const double dbeta = add_chunks(&c, t, 0, f), dgamma = add_chunks(&c, t, 1, f), n = c.rows;
    gradients_of(&c, t)[c.block.beta + f] += (float)dbeta;
    gradients_of(&c, t)[c.block.gamma + f] += (float)dgamma;
    centre_of(&c, t)[f] = c.training ? (float)(dbeta / n) : 0.0f;
    centre_of(&c, t)[filters + f] = c.training ? (float)(dgamma / n) : 0.0f;
}

/* dz over z, and the chunk's sums of it. */
static __global__ void __launch_bounds__(COLUMNS *GROUPS) k_tail_bwd(cuda_call c) {
    const int t = (int)blockIdx.z, f = chunk_filter(), filters = c.block.filters, end = chunk_end(&c);
    const cuda_trial trial = c.trial[t];
    const bool rectified = c.block.before_norm == XC_RELU;
    float *z = z_of(&c, t); /* (N,Lc,F) */
    double sum = 0;
    if (f < filters) {
        const tail_filter filter = load_filter(&c, t, f);
        const float mean_du = has_norm(&c) ? centre_of(&c, t)[f] : 0;
        const float mean_duh = has_norm(&c) ? centre_of(&c, t)[filters + f] : 0;
        for (int r = chunk_begin(); r < end; r += GROUPS) {
            const size_t e = (size_t)r * filters + f;
            const float value = z[e], h = (value - filter.mean) * filter.inverse;
            float dz = gradient_at_u(&c, t, &trial, &filter, value, r, f);
            if (has_norm(&c)) dz = filter.gamma * filter.inverse * (dz - (mean_du + h * mean_duh));
            if (rectified && !(value > 0)) dz = 0;
            z[e] = dz;
            sum += dz;
        }
    }
    store_chunk(&c, t, sum, 0);
}

static __global__ void k_tail_bwd_bias(cuda_call c) {
    const int t = (int)blockIdx.z, f = (int)(blockIdx.x * COLUMNS + threadIdx.x);
    if (f < c.block.filters) gradients_of(&c, t)[c.block.bias + f] += (float)add_chunks(&c, t, 0, f);
}

void cuda_tail_backward(const cuda_call *call, cudaStream_t stream) {
    const dim3 block(COLUMNS, GROUPS);
    if (call->block.gamma != XC_ABSENT) {
        XC_LAUNCH(k_tail_bwd_sums, chunk_grid(call), block, 0, stream, *call);
        XC_LAUNCH(k_tail_bwd_norm, filter_grid(call), COLUMNS, 0, stream, *call);
    }
    XC_LAUNCH(k_tail_bwd, chunk_grid(call), block, 0, stream, *call);
    if (call->block.bias != XC_ABSENT) XC_LAUNCH(k_tail_bwd_bias, filter_grid(call), COLUMNS, 0, stream, *call);
}
