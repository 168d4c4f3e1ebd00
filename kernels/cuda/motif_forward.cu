/* motif_forward.cu: the first block from packed DNA to its pooled output, without anything between in device memory:
 * table lookup, the norm folded into the table, activation, dropout, max pool; and what backward needs of each window,
 * where its winner is, in a few bits. A warp walks along the positions of a stretch of windows, a lane a filter.
 */
#include "motif_pairs.cuh"

#define WARPS 8
#define TOGETHER 8           /* positions whose sums a warp has at once */
#define BLOCK_POSITIONS 800  /* of a block, about */
#define STRETCH_POSITIONS 96 /* of a warp's stretch of windows, about */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define RESIDENT 2 /* blocks of a multiprocessor that registers are shared among */
#else
#define RESIDENT 3
#endif
#define NUMBERS (WARPS * TOGETHER * FILTERS / 2)

/* What a warp keeps of a window while it walks through it. */
typedef struct best_so_far {
    float value;
    unsigned offset; /* in the window; of what was dropped, beyond it */
    bool none;
} best_so_far;

DEVICE void meet(best_so_far *best, float value, unsigned offset) {
    if (!is_better(value, best->value, best->none)) return;
    best->value = value;
    best->offset = offset;
    best->none = false;
}

/* Everything that a lane needs along its way. */
typedef struct walker {
    const cuda_call *c;
    const recording *record;
    int t, f, lane;
    xc_activation activation;
    dropout drop;
    affine norm;
    const float *table; /* (pairs,25,FILTERS), from this lane's column on */
    uint32_t *numbers;  /* (TOGETHER,FILTERS / 2) of this warp: dropout's, two in a word */
    unsigned clipped;
} walker;

/* u at TOGETHER positions, the first of which has the code `codes[0]`, at an even place. */
DEVICE void look_up(const walker *w, const uint16_t *codes, float (&u)[TOGETHER]) {
    const int pairs = pair_count(&w->c->block);
    const float *row = w->table;
#pragma unroll
    for (int i = 0; i < TOGETHER; i++) u[i] = w->norm.shift;
    for (int pair = 0; pair < pairs; pair++, row += PAIR_FLOATS, codes += 2)
#pragma unroll
        for (int i = 0; i < TOGETHER; i += 2) {
            const uint32_t two = *(const uint32_t *)(codes + i);
            u[i] += row[two & 0xffffu];
            u[i + 1] += row[two >> 16];
        }
}

/* Bit i: whether this lane's element at position i is kept, of TOGETHER positions, the first of which has element e in
 * this block's first filter. Where eight filters share a block of Philox, each lane makes one block for all: in memory
 * their numbers follow each other as elements do. */
DEVICE unsigned draw(const walker *w, size_t e) {
    const size_t filters = (size_t)w->c->block.filters;
    unsigned bits = 0;
    if (w->drop.threshold == 0) return (1u << TOGETHER) - 1;
    if (filters % 8 != 0) {
#pragma unroll 1
        for (int i = 0; i < TOGETHER; i++)
            bits |= dropout_bits<1>(&w->drop, e + (size_t)i * filters + (size_t)w->lane) << i;
        return bits;
    }
    const size_t own = e + (size_t)(w->lane / 4) * filters + (size_t)(w->lane % 4 * 8);
    const xc_philox_words words = dropout_words(&w->drop, own / 8);
    __syncwarp();
#pragma unroll
    for (int i = 0; i < 4; i++) w->numbers[w->lane * 4 + i] = words.word[i];
    __syncwarp();
#pragma unroll
    for (int i = 0; i < TOGETHER; i++) {
        const uint32_t two = w->numbers[(i * FILTERS + w->lane) / 2];
        bits |= (unsigned)((two >> (w->lane % 2 * 16) & 0xffffu) >= w->drop.threshold) << i;
    }
    return bits;
}

/* Writes window number `window` of (N Lp). */
DEVICE void finish_window(const walker *w, size_t window, const best_so_far *best) {
    const xc_block *block = &w->c->block;
    const size_t filters = (size_t)block->filters;
    const size_t outputs = (size_t)w->c->batch * (size_t)block->out_length * filters;
    const recording *r = w->record;
    const int number = (int)((uint64_t)best->offset * r->per_grain >> 31); /* offset / grain */
    if (w->f < block->filters) w->c->y[(size_t)w->t * outputs + window * filters + (size_t)w->f] = best->value;
    unsigned own = 0;
#pragma unroll 1
    for (int p = 0; p < r->planes; p++) {
        const unsigned plane = __ballot_sync(ALL_LANES, number >> p & 1);
        if (w->lane == p) own = plane;
    }
    if (w->lane < r->planes) record_of(w->c, r, w->t, window)[w->lane] = own;
}

/* Windows from `first` to before `last` of sequence n, whose codes are given. */
DEVICE void walk(walker *w, int n, int first, int last, const uint16_t *codes) {
    const xc_block *block = &w->c->block;
    const int filters = block->filters,
              end = last == block->out_length ? block->conv_length : last * block->pool - block->pool_pad_left;
    int j = first, start = first * block->pool - block->pool_pad_left;
    const int begin = start < 0 ? 0 : start;
    best_so_far best = {0, 0, true};
    for (int l = begin / TOGETHER * TOGETHER; l < end; l += TOGETHER) {
        float u[TOGETHER];
        look_up(w, codes + l, u);
        const size_t row = (size_t)n * (size_t)block->conv_length + (size_t)l;
        const unsigned bits = draw(w, row * (size_t)filters + blockIdx.y * FILTERS);
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
            if (l + i < begin || l + i >= end) continue;
            w->clipped += w->f < filters && activation_clips(&w->activation, u[i]);
            if (j == last) continue; /* behind the last window, which no window takes */
            const int kept = bits >> i & 1;
            meet(&best, kept ? kept_value(&w->drop, &w->activation, u[i]) : 0,
                 kept ? (unsigned)(l + i - start) : w->record->dropped);
            if (l + i + 1 < start + block->pool && l + i + 1 < block->conv_length) continue;
            finish_window(w, (size_t)n * (size_t)block->out_length + (size_t)j, &best);
            best.none = true;
            start += block->pool;
            j++;
        }
    }
}

static __global__ void __launch_bounds__(FILTERS *WARPS, RESIDENT)
    k_motif_fwd(cuda_call c, int each, recording record) {
    XC_DYNAMIC_SHARED(unsigned char, shared);
    float *table = (float *)shared;                                   /* (pairs,25,FILTERS) */
    uint32_t *numbers = (uint32_t *)(table + table_floats(&c.block)); /* (WARPS,TOGETHER,FILTERS / 2) */
    uint16_t *codes = (uint16_t *)(numbers + NUMBERS);                /* (each,code_count) */
    const int t = (int)blockIdx.z, f = (int)(blockIdx.y * FILTERS + threadIdx.x), first = (int)blockIdx.x * each;
    const int sequences = c.batch - first < each ? c.batch - first : each;
    const affine norm = affine_of(&c, t, f);
    load_table(&c, t, norm.factor, table);
    load_codes(&c, t, first, sequences, codes);
    __syncthreads();
    walker w = {&c,
                &record,
                t,
                f,
                (int)threadIdx.x,
                c.activation[t],
                dropout_of(&c, t),
                norm,
                table + threadIdx.x,
                numbers + threadIdx.y * (NUMBERS / WARPS),
                0};
    const int windows = STRETCH_POSITIONS / c.block.pool < 1 ? 1 : STRETCH_POSITIONS / c.block.pool;
    const int stretches = (c.block.out_length + windows - 1) / windows;
    for (int s = (int)threadIdx.y; s < sequences * stretches; s += WARPS) {
        const int n = s / stretches, from = (s - n * stretches) * windows;
        const int to = from + windows < c.block.out_length ? from + windows : c.block.out_length;
        walk(&w, first + n, from, to, codes + n * code_count(&c.block));
    }
    const unsigned clipped = add_lanes(w.clipped);
    if (threadIdx.x == 0 && clipped > 0 && c.clipped) atomicAdd(&c.clipped[t], (unsigned long long)clipped);
}

static int forward_each(const xc_block *block, int32_t batch) {
    return sequences_each(batch, block->conv_length, BLOCK_POSITIONS);
}
size_t cuda_motif_forward_shared(const xc_block *block, int32_t batch) {
    return table_floats(block) * sizeof(float) + NUMBERS * sizeof(uint32_t) +
           (size_t)forward_each(block, batch) * (size_t)code_count(block) * sizeof(uint16_t);
}

void cuda_motif_forward(const cuda_call *call, cudaStream_t stream) {
    const int each = forward_each(&call->block, call->batch);
    const size_t shared = cuda_motif_forward_shared(&call->block, call->batch);
    const dim3 block(FILTERS, WARPS), grid(blocks_for((size_t)call->batch, (size_t)each),
                                           (unsigned)group_count(&call->block), (unsigned)call->trials);
    allow_shared((const void *)k_motif_fwd, shared);
    XC_LAUNCH(k_motif_fwd, grid, block, shared, stream, *call, each, recording_of(&call->block));
}
