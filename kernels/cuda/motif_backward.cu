/* motif_backward.cu: the first block's gradients in one pass over the gradient of its pooled output. At each winner u
 * is looked up again, so that nothing was kept but where they are; its gradient g is added, for each pair of taps, to
 * the row of a table that the pair read, in shared memory: one warp owns a pair, so every row is added to in the order
 * of the windows, whatever the run. Blocks share the batch; the one that comes last adds their tables' taps R = sum g x
 * and finishes, with h = (z - mean) / sigma:
 *
 *   dbeta = sum g,  dgamma = (w R - mean dbeta) / sigma,
 *   dW = gamma / sigma (R - dbeta s / n - dgamma / sigma (G w - mean s) / n)
 *
 * where s / n and (G w - mean s) / n come from motif_statistics.cu; in inference mean and variance are constants and
 * dW = gamma / sigma R.
 */
#include "last_block.cuh"
#include "motif_pairs.cuh"

#define MOST_WARPS 12
#define WINDOWS 64        /* of a tile */
#define CODES 4096        /* in shared memory at once, or one sequence's */
#define BLOCK_WINDOWS 800 /* of a block, about */

/* Warps of a block: each pair of taps has its own, or all have the same number of pairs, about. */
static int warp_count(const xc_block *block) {
    const int pairs = pair_count(block), each = (pairs + MOST_WARPS - 1) / MOST_WARPS;
    return (pairs + each - 1) / each;
}

static int backward_each(const xc_block *block, int32_t batch) {
    return sequences_each(batch, block->out_length, BLOCK_WINDOWS);
}
static __host__ __device__ inline int sequences_at_once(const xc_block *block) {
    const int count = code_count(block);
    return CODES / count < 1 ? 1 : CODES / count;
}

/* Rows that a block gives: R's (4K), then dbeta. */
static __host__ __device__ inline int part_rows(const xc_block *block) { return block->width * 4 + 1; }

size_t cuda_motif_scratch(const xc_block *block, int32_t batch) {
    const size_t parts = blocks_for((size_t)batch, (size_t)backward_each(block, batch));
    return parts * (size_t)group_count(block) * (size_t)part_rows(block) * FILTERS * sizeof(float);
}

size_t cuda_motif_record_words(const xc_block *block) {
    return (size_t)group_count(block) * (size_t)recording_of(block).planes;
}

size_t cuda_motif_backward_shared(const xc_block *block) {
    const size_t codes = (size_t)sequences_at_once(block) * (size_t)code_count(block);
    return 2 * table_floats(block) * sizeof(float) + WINDOWS * FILTERS * (sizeof(float) + sizeof(uint16_t)) +
           FILTERS * sizeof(float) + codes * sizeof(uint16_t);
}

/* ---- gradients at the winners ------------------------------------------------------------------------------------ */

/* The block's shared memory. */
typedef struct work {
    float *table;    /* (pairs,25,FILTERS) of the forward pass */
    float *sums;     /* (pairs,25,FILTERS): g added to the rows that were read */
    float *gradient; /* (WINDOWS,FILTERS): g of a tile's windows */
    float *beta;     /* (FILTERS) */
    uint16_t *place; /* (WINDOWS,FILTERS): where the winner's first code stands */
    uint16_t *codes; /* (sequences_at_once,code_count) */
} work;

DEVICE work lay_out(const xc_block *block, unsigned char *shared) {
    work w;
    w.table = (float *)shared;
    w.sums = w.table + table_floats(block);
    w.gradient = w.sums + table_floats(block);
    w.beta = w.gradient + WINDOWS * FILTERS;
    w.place = (uint16_t *)(w.beta + FILTERS);
    w.codes = w.place + WINDOWS * FILTERS;
    return w;
}

/* The number that is recorded of a window for this lane's filter. */
DEVICE int recorded(const cuda_call *c, const recording *r, int t, size_t window) {
    const uint32_t *record = record_of(c, r, t, window);
    int number = 0;
    for (int p = 0; p < r->planes; p++) number |= (int)(record[p] >> threadIdx.x & 1) << p;
    return number;
}

DEVICE float look_up_one(const cuda_call *c, const affine *norm, const float *table, const uint16_t *codes) {
    float u = norm->shift;
    for (int pair = 0; pair < pair_count(&c->block); pair++)
        u += table[(size_t)pair * PAIR_FLOATS + codes[2 * pair] + threadIdx.x];
    return u;
}

/* What passes windows on, beside its shared memory. */
typedef struct passer {
    const cuda_call *c;
    const recording *record;
    int t, f;
    affine norm;
    xc_activation activation;
    dropout drop;
} passer;

/* A window's winner: its position in the sequence, and u there. */
typedef struct winner {
    int position;
    float u;
} winner;

/* The winner of window j, of which part `part` is recorded, of the sequence of the batch that has these codes.
 *
 * Of a wide pool forward has told only the part, of `grain` positions, in which a winner that was kept is. There it is
 * the first of the best of those that were kept: forward took the first of the best of the whole window, by is_better,
 * which orders all values, NaNs included; that is also the first of the best of any fewer positions that it is among.
 * Those that were dropped need no look: the winner is better than their 0, or came before it. Both passes compare the
 * same floats: the tables are made alike, look_up_one adds their rows in the order in which look_up does, the
 * activation is the same function, and dropout's number depends on nothing but the element.
 *
 * A window has up to 15 parts, so that this looks at a fifteenth of its positions, rounded up. Each that is the best so
 * far costs a draw, of which eight filters share one in forward: half as many as there, about.
 */
DEVICE winner find_winner(const passer *p, const work *w, size_t sequence, const uint16_t *codes, int j, int part) {
    const xc_block *block = &p->c->block;
    const int grain = p->record->grain, start = j * block->pool - block->pool_pad_left;
    const int first = start + part * grain;
    if (grain == 1) return winner{first, look_up_one(p->c, &p->norm, w->table, codes + first)};
    int end = first + grain < start + block->pool ? first + grain : start + block->pool;
    if (end > block->conv_length) end = block->conv_length;
    winner best = {first < 0 ? 0 : first, 0};
    float most = 0;
    bool none = true;
#pragma unroll 1
    for (int l = best.position; l < end; l++) {
        const size_t row = sequence * (size_t)block->conv_length + (size_t)l;
        const float u = look_up_one(p->c, &p->norm, w->table, codes + l);
        const float value = kept_value(&p->drop, &p->activation, u);
        if (!is_better(value, most, none)) continue;
        if (!dropout_bits<1>(&p->drop, row * (size_t)block->filters + (size_t)p->f)) continue;
        best = winner{l, u};
        most = value;
        none = false;
    }
    return best;
}

/* Window j of sequence n of the batch, whose codes begin at `from`, to slot `slot` of the tile. */
DEVICE void pass_window(const passer *p, int n, int j, int from, int slot, work *w) {
    const cuda_call *c = p->c;
    const size_t filters = (size_t)c->block.filters, windows = (size_t)c->block.out_length;
    const size_t window = (size_t)n * windows + (size_t)j, all = (size_t)c->batch * windows;
    const int part = recorded(c, p->record, p->t, window);
    int place = from;
    float g = 0;
    if (p->f < c->block.filters && part < p->record->parts) {
        const float dy = c->dy[((size_t)p->t * all + window) * filters + (size_t)p->f];
        const winner won = find_winner(p, w, (size_t)n, w->codes + from, j, part);
        g = dy * p->drop.factor * activation_slope(&p->activation, won.u);
        place += won.position;
    }
    w->gradient[slot * FILTERS + (int)threadIdx.x] = g;
    w->place[slot * FILTERS + (int)threadIdx.x] = (uint16_t)place;
}

/* Adds a tile to the rows of this warp's pairs, window by window. */
DEVICE void add_tile(const cuda_call *c, int windows, const work *w) {
    const int lane = (int)threadIdx.x;
    for (int i = 0; i < windows; i++) {
        const float g = w->gradient[i * FILTERS + lane];
        const uint16_t *codes = w->codes + w->place[i * FILTERS + lane];
        for (int pair = (int)threadIdx.y; pair < pair_count(&c->block); pair += (int)blockDim.y)
            w->sums[pair * PAIR_FLOATS + codes[2 * pair] + lane] += g;
        if (threadIdx.y == 0) w->beta[lane] += g;
    }
}

/* All windows of `sequences` sequences from number `first` on, whose codes are in shared memory. */
DEVICE void add_sequences(const passer *p, int first, int sequences, work *w) {
    const xc_block *block = &p->c->block;
    const int lp = block->out_length, count = code_count(block), all = sequences * lp;
    for (int tile = 0; tile < all; tile += WINDOWS) {
        const int windows = all - tile < WINDOWS ? all - tile : WINDOWS;
        for (int i = (int)threadIdx.y; i < windows; i += (int)blockDim.y) {
            const int n = (tile + i) / lp, j = tile + i - n * lp;
            pass_window(p, first + n, j, n * count, i, w);
        }
        __syncthreads();
        add_tile(p->c, windows, w);
        __syncthreads();
    }
}

/* ---- from tables to taps ----------------------------------------------------------------------------------------- */

/* R of row (tap,base), from the pairs' rows in which this base was read by this tap. */
DEVICE float tap_sum(const float *sums, int tap, int base) {
    const float *rows = sums + (size_t)(tap / 2) * PAIR_FLOATS + threadIdx.x;
    float sum = 0;
    for (int other = 0; other < LETTERS; other++)
        sum += rows[(tap % 2 == 0 ? base * LETTERS + other : other * LETTERS + base) * FILTERS];
    return sum;
}

DEVICE float *part_of(const cuda_call *c, int t, int part) {
    const size_t each = (size_t)part_rows(&c->block) * FILTERS;
    return (float *)scratch_of(c, t) + ((size_t)part * gridDim.y + blockIdx.y) * each;
}

/* Adds all blocks' parts to sums (4K + 1,FILTERS). */
DEVICE void add_parts(const cuda_call *c, int t, float *sums) {
    for (int row = (int)threadIdx.y; row < part_rows(&c->block); row += (int)blockDim.y) {
        float sum = 0;
        for (int part = 0; part < (int)gridDim.x; part++)
            sum += load_part(&part_of(c, t, part)[row * FILTERS + (int)threadIdx.x]);
        sums[row * FILTERS + (int)threadIdx.x] = sum;
    }
    __syncthreads();
}

/* What the norm takes off each row, for this lane's filter: dW = factor (R - base s / n - slope (G w - mean s) / n). */
typedef struct centre {
    float factor, base, slope;
} centre;

/* Gradients of the norm's parameters and of the bias; R and dbeta in sums (4K + 1,FILTERS). One warp calls it. */
DEVICE centre finish_norm(const cuda_call *c, int t, int f, const float *sums) {
    const int rows = c->block.width * 4, filters = c->block.filters;
    const float *kernel = parameters_of(c, t) + c->block.kernel; /* (K,4,F) */
    const double beta = sums[rows * FILTERS + (int)threadIdx.x];
    float *gradients = gradients_of(c, t);
    centre out = {1, 0, 0};
    if (!has_norm(c)) {
        if (has_bias(c)) gradients[c->block.bias + f] += (float)beta;
        return out;
    }
    double product = 0;
    for (int a = 0; a < rows; a++)
        product += (double)kernel[(size_t)a * (size_t)filters + (size_t)f] * sums[a * FILTERS + (int)threadIdx.x];
    const double mean = (double)mean_of(c, t)[f] - bias_of(c, t, f), inverse = inverse_of(c, t)[f];
    const double gamma = (product - mean * beta) * inverse;
    gradients[c->block.beta + f] += (float)beta;
    gradients[c->block.gamma + f] += (float)gamma;
    out.factor = parameters_of(c, t)[c->block.gamma + f] * (float)inverse;
    if (c->training) {
        out.base = (float)beta;
        out.slope = (float)(gamma * inverse);
    } else if (has_bias(c)) { /* in training the norm takes off whatever a bias adds, and its gradient is 0 */
        gradients[c->block.bias + f] += out.factor * (float)beta;
    }
    return out;
}

DEVICE void finish(const cuda_call *c, int t, int f, const float *sums, centre *shared) {
    const int rows = c->block.width * 4, filters = c->block.filters;
    const float *slope = (const float *)(saved_of(c, t) + c->at.slope); /* (K,4,F) */
    const float *input = (const float *)(saved_of(c, t) + c->at.input); /* (K,4) */
    float *dkernel = gradients_of(c, t) + c->block.kernel;              /* (K,4,F) */
    if (threadIdx.y == 0 && f < filters) shared[threadIdx.x] = finish_norm(c, t, f, sums);
    __syncthreads();
    const centre own = shared[threadIdx.x];
    const bool centred = has_norm(c) && c->training;
    for (int a = (int)threadIdx.y; f < filters && a < rows; a += (int)blockDim.y) {
        const size_t at = (size_t)a * (size_t)filters + (size_t)f;
        float r = sums[a * FILTERS + (int)threadIdx.x];
        if (centred) r -= own.base * input[a] + own.slope * slope[at];
        dkernel[at] += own.factor * r;
    }
}

static __global__ void __launch_bounds__(FILTERS *MOST_WARPS) k_motif_bwd(cuda_call c, int each, recording record) {
    XC_DYNAMIC_SHARED(unsigned char, shared);
    XC_SHARED(centre, centres, [FILTERS]);
    work w = lay_out(&c.block, shared);
    const int t = (int)blockIdx.z, f = (int)(blockIdx.y * FILTERS + threadIdx.x), first = (int)blockIdx.x * each;
    const int stop = c.batch - first < each ? c.batch : first + each, at_once = sequences_at_once(&c.block);
    const passer p = {&c, &record, t, f, affine_of(&c, t, f), c.activation[t], dropout_of(&c, t)};
    load_table(&c, t, p.norm.factor, w.table);
    for (int row = (int)threadIdx.y; row < pair_count(&c.block) * PAIR_ROWS; row += (int)blockDim.y)
        w.sums[row * FILTERS + (int)threadIdx.x] = 0;
    if (threadIdx.y == 0) w.beta[threadIdx.x] = 0;
    for (int n = first; n < stop; n += at_once) {
        const int sequences = stop - n < at_once ? stop - n : at_once;
        load_codes(&c, t, n, sequences, w.codes);
        __syncthreads();
        add_sequences(&p, n, sequences, &w);
    }
    float *part = part_of(&c, t, (int)blockIdx.x);
    for (int row = (int)threadIdx.y; row < c.block.width * 4; row += (int)blockDim.y)
        part[row * FILTERS + (int)threadIdx.x] = tap_sum(w.sums, row / 4, row % 4);
    if (threadIdx.y == 0) part[c.block.width * 4 * FILTERS + (int)threadIdx.x] = w.beta[threadIdx.x];
    if (!is_last_block(&c.counters[(size_t)t * gridDim.y + blockIdx.y], gridDim.x)) return;
    add_parts(&c, t, w.sums);
    finish(&c, t, f, w.sums, centres);
}

void cuda_motif_backward(const cuda_call *call, cudaStream_t stream) {
    const int each = backward_each(&call->block, call->batch);
    const size_t shared = cuda_motif_backward_shared(&call->block);
    const dim3 block(FILTERS, (unsigned)warp_count(&call->block));
    const dim3 grid(blocks_for((size_t)call->batch, (size_t)each), (unsigned)group_count(&call->block),
                    (unsigned)call->trials);
    allow_shared((const void *)k_motif_bwd, shared);
    XC_LAUNCH(k_motif_bwd, grid, block, shared, stream, *call, each, recording_of(&call->block));
}
