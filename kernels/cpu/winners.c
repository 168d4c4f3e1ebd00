/* winners.c: the input gradient of a convolution under a pool when batch norm is a constant (inference, or none) and no
 * parameter's gradient is wanted, as in attribution. Of each window dz is then 0 but at its winner, so that dx is a sum
 * of one row of the turned kernel for each winner whose gradient is not 0:
 *
 *   dx[p + k - pad_left, c] += dz[p, f] kernel[k, c, f]     where f's winner stands at p
 *
 * The winners of a position are a chain of filters, so that its sums stay in registers while they are added up: of
 * TAPS taps at most and a slice of the channels at a time.
 */
#include "trial.h"

#define TAPS 7
#define NOBODY 0xFFFFu /* the end of a chain */

/* Of a convolution with few taps wider slices are added up at once: as many sums as there are registers. */
INLINE size_t taps_at_once(const cpu_trial *b) {
    const size_t blocks = (b->width + TAPS - 1) / TAPS;
    return (b->width + blocks - 1) / blocks;
}
INLINE size_t slice_floats(const cpu_trial *b) { return (taps_at_once(b) <= 3 ? 4 : 2) * LANES; }
INLINE size_t slices(const cpu_trial *b) { return (b->channels + slice_floats(b) - 1) / slice_floats(b); }

/* Rows of a slice of dx with all that taps reach beyond its ends. */
INLINE size_t sum_rows(const cpu_trial *b) {
    const size_t reached = b->conv_length + b->width - 1, wanted = b->length + (size_t)b->block->pad_left;
    return reached > wanted ? reached : wanted;
}

size_t xc_cpu_winners_kernel_floats(const cpu_trial *b) { return slices(b) * b->filters * b->width * slice_floats(b); }
size_t xc_cpu_winners_sum_floats(const cpu_trial *b) { return sum_rows(b) * slice_floats(b); }
size_t xc_cpu_winners_chain_count(const cpu_trial *b) { return b->conv_length + b->out_length * b->filters; }

/* Products with single rows run at some two thirds of the speed of a matrix product's. */
bool xc_cpu_winners_pay(const cpu_trial *b) {
    const size_t products = b->out_length * b->width * b->channels * b->filters;
    return b->block->kind == XC_BLOCK_CONV && b->block->pool > 1 && b->block->before_norm == XC_LINEAR &&
           b->filters < NOBODY && products + products / 2 < b->spectral.cost;
}

bool xc_cpu_winners_suffice(const cpu_trial *b) {
    return b->winners.kernel != NULL && b->dx && !b->dkernel && !(b->norm && b->training);
}

/* The kernel (K,C,F) as (slices,F,K,slice), zeros beyond C. */
static void pack_slice(const cpu_trial *b, size_t slice) {
    const size_t wide = slice_floats(b), row = b->width * wide, first = slice * wide;
    const size_t there = b->channels - first < wide ? b->channels - first : wide;
    float *to = b->winners.kernel + slice * b->filters * row;
    if (there < wide) memset(to, 0, b->filters * row * sizeof *to);
    for (size_t k = 0; k < b->width; k++)
        for (size_t c = 0; c < there; c++) {
            const float *from = b->kernel + (k * b->channels + first + c) * b->filters; /* (F) */
            for (size_t f = 0; f < b->filters; f++) to[f * row + k * wide + c] = from[f];
        }
}

/* ---- chains ------------------------------------------------------------------------------------------------------ */

/* Du of a window, (Fs), becomes dz; a bit is set in `alive` for each filter whose is not 0, of LANES filters from f on.
 */
INLINE uint32_t scale_winners(const cpu_trial *b, size_t output, size_t f) {
    float *du = b->du + output * b->columns + f;
    const vshort route = *(const vshort_memory *)(b->route + output * b->columns + f);
    const vint found = __builtin_convertvector(route, vint) != (int32_t)ROUTE_DROPPED;
    const vfloat dz = v_where(found, v_load(du) * v_load(b->scale + f));
    v_store(du, dz);
    return v_bits((dz != 0.0f) & v_before(b->filters - f));
}

/* Puts the winners of sequence n into their positions' chains. */
static void make_chains(const cpu_trial *b, size_t n) {
    uint16_t *first = b->winners.chain, *next = first + b->conv_length; /* (Lc), (Lp,F) */
    memset(first, 0xFF, b->conv_length * sizeof *first);
    for (size_t j = 0; j < b->out_length; j++, next += b->filters) {
        const size_t output = n * b->out_length + j;
        const int64_t start = (int64_t)j * b->block->pool - b->block->pool_pad_left; /* may be before 0; no winner is */
        for (size_t f = 0; f < b->filters; f += LANES)
            for (uint32_t bits = scale_winners(b, output, f); bits != 0; bits &= bits - 1) {
                const size_t filter = f + (size_t)__builtin_ctz(bits);
                uint16_t *at = first + (start + b->route[output * b->columns + filter]);
                next[filter] = *at;
                *at = (uint16_t)filter;
            }
    }
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

/* A chain's sum, added to `taps` rows of `vectors` vectors; the kernel's rows are row_floats apart. */
INLINE void add_chain(size_t filter, const uint16_t *next, const float *dz, const float *kernel, size_t row_floats,
                      float *sums, const int taps, const int vectors) {
    vfloat sum[14];
#pragma GCC unroll 14
    for (int i = 0; i < taps * vectors; i++) sum[i] = v_load(sums + i * LANES);
    for (; filter != NOBODY; filter = next[filter]) {
        const vfloat g = v_set(dz[filter]);
        const float *row = kernel + filter * row_floats;
        __asm__("" : "+r"(row)); /* one register: GCC would keep a pointer for each vector, more than there are */
#pragma GCC unroll 14
        for (int i = 0; i < taps * vectors; i++) sum[i] += g * v_load(row + i * LANES);
    }
#pragma GCC unroll 14
    for (int i = 0; i < taps * vectors; i++) v_store(sums + i * LANES, sum[i]);
}

/* All chains of sequence n: of `taps` taps from `tap` on, to the slice's sums. */
INLINE void add_chains(const cpu_trial *b, size_t n, size_t slice, size_t tap, const int taps, const int vectors) {
    const size_t wide = (size_t)vectors * LANES, row = b->width * wide;
    const float *kernel = b->winners.kernel + slice * b->filters * row + tap * wide;
    const uint16_t *first = b->winners.chain, *next = first + b->conv_length; /* (Lc), (Lp,F) */
    size_t p = 0, end = (size_t)(b->block->pool - b->block->pool_pad_left);
    for (size_t j = 0; j < b->out_length; j++, end += (size_t)b->block->pool, next += b->filters) {
        const float *dz = b->du + (n * b->out_length + j) * b->columns; /* (Fs) */
        for (; p < end && p < b->conv_length; p++)
            if (first[p] != NOBODY)
                add_chain(first[p], next, dz, kernel, row, b->winners.sums + (p + tap) * wide, taps, vectors);
    }
}

#define CHAINS(taps, vectors)                                                                           \
    static void add_chains_##taps##_##vectors(const cpu_trial *b, size_t n, size_t slice, size_t tap) { \
        add_chains(b, n, slice, tap, taps, vectors);                                                    \
    }
CHAINS(1, 2)
CHAINS(2, 2)
CHAINS(3, 2) CHAINS(4, 2) CHAINS(5, 2) CHAINS(6, 2) CHAINS(7, 2) CHAINS(1, 4) CHAINS(2, 4) CHAINS(3, 4)

    typedef void chains_function(const cpu_trial *b, size_t n, size_t slice, size_t tap);
static chains_function *const NARROW[] = {add_chains_1_2, add_chains_2_2, add_chains_3_2, add_chains_4_2,
                                          add_chains_5_2, add_chains_6_2, add_chains_7_2};
static chains_function *const WIDE[] = {add_chains_1_4, add_chains_2_4, add_chains_3_4};

/* The slice's sums to dx (L,C). */
static void store_slice(const cpu_trial *b, size_t n, size_t slice) {
    const size_t wide = slice_floats(b), first = slice * wide;
    for (size_t l = 0; l < b->length; l++) {
        const float *sums = b->winners.sums + (l + (size_t)b->block->pad_left) * wide;
        float *dx = b->dx + (n * b->length + l) * b->channels;
        for (size_t c = first; c < first + wide && c < b->channels; c += LANES) {
            const size_t left = b->channels - c;
            const vfloat before = b->add_to_dx ? v_load_part(dx + c, left) : v_set(0);
            v_store_part(dx + c, before + v_load(sums + c - first), left);
        }
    }
}

static void sequence_gradient(const cpu_trial *b, size_t n) {
    const size_t most = taps_at_once(b);
    chains_function *const *functions = most <= 3 ? WIDE : NARROW;
    make_chains(b, n);
    for (size_t slice = 0; slice < slices(b); slice++) {
        memset(b->winners.sums, 0, xc_cpu_winners_sum_floats(b) * sizeof(float));
        for (size_t tap = 0; tap < b->width; tap += most)
            functions[(b->width - tap < most ? b->width - tap : most) - 1](b, n, slice, tap);
        store_slice(b, n, slice);
    }
}

static void backward(void *context, int thread, int threads) {
    cpu_trial own = *(cpu_trial *)context, *b = &own;
    const xc_range packed = xc_share(slices(b), thread, threads), sequences = xc_share(b->batch, thread, threads);
    xc_cpu_take_thread(b, thread);
    for (size_t slice = packed.begin; slice < packed.end; slice++) pack_slice(b, slice);
    xc_team_barrier(b->team);
    for (size_t n = sequences.begin; n < sequences.end; n++) sequence_gradient(b, n);
}

void xc_cpu_winners_backward(cpu_trial *b) { xc_team_run(b->team, backward, b); }
