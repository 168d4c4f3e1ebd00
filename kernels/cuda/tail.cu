/* tail.cu: what follows the linear part of a block that goes by z: bias, normalise, activation, dropout, max pool, and
 * the way back. A thread has a few filters of one output forward, of one position backward, where each position finds
 * its own window: nothing is scattered, so nothing is added atomically but the count of clipped values. By the rescale
 * rule a thread has one window of all rows of a group. Formulas: kernels/ref/block.c, kernels/ref/rescale.c.
 */
#include "activation.cuh"
#include "columns.cuh"
#include "dropout.cuh"

#define THREADS 128

/* Everything of one filter that its values pass through. */
typedef struct tail_filter {
    float bias, mean, inverse, gamma, beta;
} tail_filter;

DEVICE tail_filter load_filter(const cuda_call *c, int t, int f) {
    tail_filter filter = {bias_of(c, t, f), 0, 1, 1, 0};
    if (!has_norm(c)) return filter;
    filter.mean = mean_of(c, t)[f];
    filter.inverse = inverse_of(c, t)[f];
    filter.gamma = parameters_of(c, t)[c->block.gamma + f];
    filter.beta = parameters_of(c, t)[c->block.beta + f];
    return filter;
}

/* h = (v - mean) / deviation, of what goes into the norm; without a norm v itself. */
DEVICE float deviations(const cuda_call *c, const tail_filter *filter, float z) {
    return (before_norm(c, z, filter->bias) - filter->mean) * filter->inverse;
}

/* What the activation is applied to. */
DEVICE float normalised(const cuda_call *c, const tail_filter *filter, float z) {
    const float h = deviations(c, filter, z);
    return has_norm(c) ? filter->gamma * h + filter->beta : h;
}

/* COUNT floats that follow each other, from a multiple of COUNT on. */
template <int COUNT>
DEVICE void load_floats(const float *from, float (&values)[COUNT]) {
    if constexpr (COUNT == 1) {
        values[0] = from[0];
    } else {
#pragma unroll
        for (int i = 0; i < COUNT; i += 4) {
            const float4 four = *(const float4 *)(from + i);
            values[i] = four.x, values[i + 1] = four.y, values[i + 2] = four.z, values[i + 3] = four.w;
        }
    }
}

template <int COUNT>
DEVICE void store_floats(float *to, const float (&values)[COUNT]) {
    if constexpr (COUNT == 1) {
        to[0] = values[0];
    } else {
#pragma unroll
        for (int i = 0; i < COUNT; i += 4)
            *(float4 *)(to + i) = make_float4(values[i], values[i + 1], values[i + 2], values[i + 3]);
    }
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

/* Positions of sequence n that window j has, and, in the last window, those after it, which are counted only. */
typedef struct window {
    int start, begin, end, counted; /* start may lie before the first position */
} window;

DEVICE window window_of(const xc_block *block, int j) {
    const int start = j * block->pool - block->pool_pad_left, stop = start + block->pool;
    const int end = stop < block->conv_length ? stop : block->conv_length;
    const window w = {start, start < 0 ? 0 : start, end, j == block->out_length - 1 ? block->conv_length : end};
    return w;
}

/* COUNT filters from f on of window number `window_number` of (N Lp); returns how many of the values that are its to
 * count the clip met. */
template <int COUNT>
DEVICE unsigned pool_window(const cuda_call *c, int t, size_t window_number, int f) {
    const xc_block *block = &c->block;
    const size_t filters = (size_t)block->filters;
    const int j = (int)(window_number % (size_t)block->out_length);
    const window w = window_of(block, j);
    const size_t sequence = window_number / (size_t)block->out_length * (size_t)block->conv_length;
    const xc_activation activation = c->activation[t];
    const dropout drop = dropout_of(c, t);
    tail_filter filter[COUNT];
    float best[COUNT] = {};
    uint16_t winner[COUNT] = {};
    unsigned clipped = 0;
#pragma unroll
    for (int i = 0; i < COUNT; i++) filter[i] = load_filter(c, t, f + i);
    for (int l = w.begin; l < w.counted; l++) {
        const size_t e = (sequence + (size_t)l) * filters + (size_t)f;
        const unsigned kept = l < w.end ? dropout_bits<COUNT>(&drop, e) : 0;
        float z[COUNT];
        load_floats<COUNT>(z_of(c, t) + e, z);
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const float u = normalised(c, &filter[i], z[i]);
            clipped += activation_clips(&activation, u);
            if (l >= w.end) continue;
            const float value = kept >> i & 1 ? drop.factor * activation_value(&activation, u) : 0;
            if (!is_better(value, best[i], l == w.begin)) continue;
            best[i] = value;
            winner[i] = (uint16_t)((l - w.start) * 2 + (kept >> i & 1));
        }
    }
    const size_t at = window_number * filters + (size_t)f, outputs = (size_t)c->batch * block->out_length * filters;
    store_floats<COUNT>(c->y + (size_t)t * outputs + at, best);
    if (cuda_has_winners(&c->block))
#pragma unroll
        for (int i = 0; i < COUNT; i++) winner_of(c, t)[at + i] = winner[i];
    return clipped;
}

template <int COUNT>
static __global__ void __launch_bounds__(THREADS) k_tail_fwd(cuda_call c) {
    const int t = (int)blockIdx.z, groups = c.block.filters / COUNT;
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x, window_number = i / (size_t)groups;
    const int f = (int)(i % (size_t)groups) * COUNT;
    const bool exists = window_number < (size_t)c.batch * (size_t)c.block.out_length;
    const unsigned clipped = add_lanes(exists ? pool_window<COUNT>(&c, t, window_number, f) : 0);
    if (threadIdx.x % 32 == 0 && clipped > 0 && c.clipped) atomicAdd(&c.clipped[t], (unsigned long long)clipped);
}

/* How many filters that follow each other a thread has: all of them share one block of Philox where it can be. */
static int filters_each(const cuda_call *call) {
    return call->block.filters % 8 == 0 ? 8 : call->block.filters % 4 == 0 ? 4 : 1;
}

static dim3 tail_grid(const cuda_call *call, size_t rows, int each) {
    const size_t items = rows * (size_t)(call->block.filters / each);
    return dim3(blocks_for(items, THREADS), 1, (unsigned)call->trials);
}

void cuda_tail_forward(const cuda_call *call, cudaStream_t stream) {
    const int each = filters_each(call);
    const dim3 grid = tail_grid(call, (size_t)call->batch * (size_t)call->block.out_length, each);
    if (each == 8)
        XC_LAUNCH(k_tail_fwd<8>, grid, THREADS, 0, stream, *call);
    else if (each == 4)
        XC_LAUNCH(k_tail_fwd<4>, grid, THREADS, 0, stream, *call);
    else
        XC_LAUNCH(k_tail_fwd<1>, grid, THREADS, 0, stream, *call);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

/* What an output's gradient is on the other side of dropout, and the position it goes to. */
typedef struct passed {
    float gradient;
    int position;
} passed;

/* Output o = (n Lp + j) F + f of trial t. */
DEVICE passed pass_dropout(const cuda_call *c, int t, size_t o, int j) {
    const size_t outputs = (size_t)c->batch * (size_t)c->block.out_length * (size_t)c->block.filters;
    const int start = j * c->block.pool - c->block.pool_pad_left;
    passed p = {c->dy[(size_t)t * outputs + o], start};
    if (!cuda_has_winners(&c->block)) return p;
    const uint16_t winner = winner_of(c, t)[o];
    p.position = start + (winner >> 1);
    p.gradient = winner & 1 ? p.gradient * dropout_factor(c) : 0;
    return p;
}

/* Sums of du and of du h over the outputs: elsewhere du is 0. Mean and variance are constants in inference: there the
 * sums are gradients of the norm's parameters and nothing else. */
static __global__ void __launch_bounds__(COLUMNS *GROUPS) k_tail_bwd_sums(cuda_call c) {
    const xc_block *block = &c.block;
    const int t = (int)blockIdx.z, f = chunk_filter(), filters = block->filters, lp = block->out_length;
    const int end = chunk_end(c.batch * lp);
    const xc_activation activation = c.activation[t];
    const float *z = z_of(&c, t); /* (N,Lc,F) */
    double dbeta = 0, dgamma = 0;
    tail_filter filter = {};
    if (f < filters) filter = load_filter(&c, t, f);
    for (int o = chunk_begin(); f < filters && o < end; o += GROUPS) {
        const int n = o / lp, j = o - n * lp;
        const passed p = pass_dropout(&c, t, (size_t)o * filters + f, j);
        if (p.gradient == 0) continue;
        const float value = z[((size_t)n * block->conv_length + p.position) * filters + f];
        const float du = p.gradient * activation_slope(&activation, normalised(&c, &filter, value));
        dbeta += du;
        dgamma += (double)du * deviations(&c, &filter, value);
    }
    if (!add_columns(&c, t, &dbeta, &dgamma)) return;
    if (c.gradients) {
        gradients_of(&c, t)[block->beta + f] += (float)dbeta;
        gradients_of(&c, t)[block->gamma + f] += (float)dgamma;
    }
    if (!c.training) return;
    centre_of(&c, t)[f] = (float)(dbeta / c.rows);
    centre_of(&c, t)[filters + f] = (float)(dgamma / c.rows);
}

/* dz of filter f at position l of sequence n, where z is `value`. */
DEVICE float dz_at(const cuda_call *c, int t, const xc_activation *activation, const tail_filter *filter, float value,
                   int n, int l, int f) {
    const xc_block *block = &c->block;
    const int j = (l + block->pool_pad_left) / block->pool, filters = block->filters;
    float dz = 0;
    if (j < block->out_length) {
        const passed p = pass_dropout(c, t, ((size_t)n * block->out_length + j) * filters + f, j);
        const bool won = block->pool == 1 || p.position == l;
        if (won && p.gradient != 0) dz = p.gradient * activation_slope(activation, normalised(c, filter, value));
    }
    if (has_norm(c)) {
        const float h = deviations(c, filter, value);
        const float centre = c->training ? centre_of(c, t)[f] + h * centre_of(c, t)[filters + f] : 0;
        dz = filter->gamma * filter->inverse * (dz - centre);
    }
    return block->before_norm == XC_RELU && !(value + filter->bias > 0) ? 0 : dz;
}

template <int COUNT>
static __global__ void __launch_bounds__(THREADS) k_tail_bwd(cuda_call c) {
    const int t = (int)blockIdx.z, groups = c.block.filters / COUNT;
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    const int row = (int)(i / (size_t)groups), f = (int)(i % (size_t)groups) * COUNT;
    const int n = row / c.block.conv_length, l = row - n * c.block.conv_length;
    const xc_activation activation = c.activation[t];
    float values[COUNT];
    float *z = z_of(&c, t) + (size_t)row * (size_t)c.block.filters + (size_t)f;
    if (row >= c.rows) return;
    load_floats<COUNT>(z, values);
#pragma unroll
    for (int k = 0; k < COUNT; k++) {
        const tail_filter filter = load_filter(&c, t, f + k);
        values[k] = dz_at(&c, t, &activation, &filter, values[k], n, l, f + k);
    }
    store_floats<COUNT>(z, values);
}

/* The gradient of a bias: the sum of dz, which a block computes as it goes. */
static __global__ void __launch_bounds__(COLUMNS *GROUPS) k_tail_bwd_bias(cuda_call c) {
    const int t = (int)blockIdx.z, f = chunk_filter(), filters = c.block.filters, end = chunk_end(c.rows);
    const xc_activation activation = c.activation[t];
    float *z = z_of(&c, t); /* (N,Lc,F) */
    double sum = 0, none = 0;
    tail_filter filter = {};
    if (f < filters) filter = load_filter(&c, t, f);
    for (int r = chunk_begin(); f < filters && r < end; r += GROUPS) {
        const int n = r / c.block.conv_length, l = r - n * c.block.conv_length;
        float *at = &z[(size_t)r * filters + f];
        const float dz = dz_at(&c, t, &activation, &filter, *at, n, l, f);
        *at = dz;
        sum += dz;
    }
    if (add_columns(&c, t, &sum, &none)) gradients_of(&c, t)[c.block.bias + f] += (float)sum;
}

/* ---- the rescale rule -------------------------------------------------------------------------------------------- */

/* Position whose value output o = (n Lp + j) F + f is. */
DEVICE int winner_position(const cuda_call *c, int t, size_t o, int j) {
    const int start = j * c->block.pool - c->block.pool_pad_left;
    return cuda_has_winners(&c->block) ? start + (winner_of(c, t)[o] >> 1) : start;
}

/* (a(v) - a(u)) / (v - u), where the outputs differ by `difference`. */
DEVICE float multiplier(const xc_activation *activation, float v, float u, float difference, bool same) {
    if (fabsf(v - u) >= xc_rescale_near(activation->kind, same)) return difference / (v - u);
    return activation_slope(activation, 0.5f * (v + u));
}

/* Filter f of window j of a group, in which a thread has all rows: it alone reads what it writes over. */
DEVICE void rescale_window(const cuda_call *c, int t, int group, int j, int f) {
    const size_t filters = (size_t)c->block.filters, each = (size_t)c->block.conv_length * filters;
    const size_t outputs = (size_t)c->block.out_length * filters, first = (size_t)group * (size_t)(c->references + 1);
    const size_t all = (size_t)t * (size_t)c->batch * outputs,
                 output = first * outputs + (size_t)j * filters + (size_t)f;
    const window w = window_of(&c->block, j);
    const xc_activation activation = c->activation[t];
    const tail_filter filter = load_filter(c, t, f);
    const int its = winner_position(c, t, output, j);
    const float y = c->y[all + output];
    float *sequence = z_of(c, t) + first * each + (size_t)f; /* (Lc,F), and below */
    for (int r = 1; r <= c->references; r++) {
        const size_t o = output + (size_t)r * outputs;
        const float difference = y - c->y[all + o];
        const int mine = winner_position(c, t, o, j), at = difference >= 0 ? its : mine;
        float *row = sequence + (size_t)r * each;
        const float v = normalised(c, &filter, sequence[(size_t)at * filters]);
        const float u = normalised(c, &filter, row[(size_t)at * filters]);
        const float dv = c->dy[all + o] * multiplier(&activation, v, u, difference, its == mine);
        for (int l = w.begin; l < w.counted; l++)
            row[(size_t)l * filters] = l == at ? filter.gamma * filter.inverse * dv : 0;
    }
    for (int l = w.begin; l < w.counted; l++) sequence[(size_t)l * filters] = 0;
}

static __global__ void __launch_bounds__(THREADS) k_tail_rescale(cuda_call c, size_t items) {
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x, filters = (size_t)c.block.filters;
    const size_t number = i / filters, lp = (size_t)c.block.out_length;
    if (i < items) rescale_window(&c, (int)blockIdx.z, (int)(number / lp), (int)(number % lp), (int)(i % filters));
}

static void rescale(const cuda_call *call, cudaStream_t stream) {
    const size_t windows = (size_t)(call->batch / (call->references + 1)) * (size_t)call->block.out_length;
    const size_t items = windows * (size_t)call->block.filters;
    const dim3 grid(blocks_for(items, THREADS), 1, (unsigned)call->trials);
    XC_LAUNCH(k_tail_rescale, grid, THREADS, 0, stream, *call, items);
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

void cuda_tail_backward(const cuda_call *call, cudaStream_t stream) {
    const dim3 block(COLUMNS, GROUPS);
    const size_t outputs = (size_t)call->batch * (size_t)call->block.out_length, rows = (size_t)call->rows;
    const int each = call->block.filters % 4 == 0 ? 4 : 1;
    if (call->references > 0) return rescale(call, stream);
    if (call->block.gamma != XC_ABSENT && (call->training || call->gradients))
        XC_LAUNCH(k_tail_bwd_sums, chunk_grid(call, outputs), block, 0, stream, *call);
    if (call->block.bias != XC_ABSENT && call->gradients)
        XC_LAUNCH(k_tail_bwd_bias, chunk_grid(call, rows), block, 0, stream, *call);
    else if (each == 4)
        XC_LAUNCH(k_tail_bwd<4>, tail_grid(call, rows, each), THREADS, 0, stream, *call);
    else
        XC_LAUNCH(k_tail_bwd<1>, tail_grid(call, rows, each), THREADS, 0, stream, *call);
}
