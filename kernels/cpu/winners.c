/* winners.c: the input gradient of a convolution under a pool when batch norm is a constant (inference, or none) and no
 * parameter's gradient is wanted, as in attribution. Of each window dz is then 0 but at its winner, so that dx is a sum
 * of one row of the turned kernel for each winner whose gradient is not 0:
 *
 *   dx[p + k - pad_left, c] += dz[p, f] kernel[k, c, f]     where f's winner stands at p
 *
 * The winners of a position are the bits of a few words, so that its sums stay in registers while they are added up:
 * of TAPS taps at most and a slice of the channels at a time.
 */
#include "trial.h"

#define TAPS 7
#define WORD_FILTERS 64

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
INLINE size_t words(const cpu_trial *b) { return (b->filters + WORD_FILTERS - 1) / WORD_FILTERS; }
size_t xc_cpu_winners_word_count(const cpu_trial *b) { return b->conv_length * words(b); }

/* Products with single rows run at some two thirds of the speed of a matrix product's. */
bool xc_cpu_winners_pay(const cpu_trial *b) {
    const size_t products = b->out_length * b->width * b->channels * b->filters;
    return b->block->kind == XC_BLOCK_CONV && b->block->pool > 1 && b->block->before_norm == XC_LINEAR &&
           products + products / 2 < b->spectral.cost;
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

/* ---- who stands where -------------------------------------------------------------------------------------------- */

/* Du of a window, (Fs), becomes dz; of LANES filters from f on those whose is not 0, as a mask. */
INLINE vint scale_winners(const cpu_trial *b, float *du, vint route, size_t f) {
    const vint found = route != (int32_t)ROUTE_DROPPED;
    const vfloat dz = v_where(found, v_load(du + f) * v_load(b->scale + f));
    v_store(du + f, dz);
    return (dz != 0.0f) & v_before(b->filters - f);
}

/* Sets the bits (Lc,words) of sequence n's winners at their positions. */
static void find_winners(const cpu_trial *b, size_t n) {
    const int64_t pool = b->block->pool, length = (int64_t)b->conv_length;
    int64_t start = -b->block->pool_pad_left; /* may be before 0; no winner is */
    memset(b->winners.bits, 0, xc_cpu_winners_word_count(b) * sizeof(uint64_t));
    for (size_t j = 0; j < b->out_length; j++, start += pool) {
        const size_t output = (n * b->out_length + j) * b->columns;
        const int64_t begin = start < 0 ? 0 : start, end = start + pool < length ? start + pool : length;
        for (size_t f = 0; f < b->filters; f += LANES) {
            const vint route = __builtin_convertvector(*(const vshort_memory *)(b->route + output + f), vint);
            const vint alive = scale_winners(b, b->du + output, route, f);
            uint64_t *bits = b->winners.bits + (size_t)begin * words(b) + f / WORD_FILTERS;
            for (int64_t p = begin; p < end; p++, bits += words(b))
                *bits |= (uint64_t)v_bits((route == (int32_t)(p - start)) & alive) << f % WORD_FILTERS;
        }
    }
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

INLINE bool is_anybody(const uint64_t *bits, size_t count) {
    uint64_t any = 0;
    for (size_t w = 0; w < count; w++) any |= bits[w];
    return any != 0;
}

/* The sum of a position's winners, added to `taps` rows of `vectors` vectors; the kernel's rows are row_floats apart.
 */
INLINE void add_winners(const uint64_t *bits, size_t count, const float *dz, const float *kernel, size_t row_floats,
                        float *sums, const int taps, const int vectors) {
    vfloat sum[14];
#pragma GCC unroll 14
    for (int i = 0; i < taps * vectors; i++) sum[i] = v_load(sums + i * LANES);
    for (size_t w = 0; w < count; w++)
        for (uint64_t left = bits[w]; left != 0; left &= left - 1) {
            const size_t filter = w * WORD_FILTERS + (size_t)__builtin_ctzll(left);
            const vfloat g = v_set(dz[filter]);
            const float *row = kernel + filter * row_floats;
            __asm__("" : "+r"(row)); /* one register: GCC would keep a pointer for each vector, more than there are */
#pragma GCC unroll 14
            for (int i = 0; i < taps * vectors; i++) sum[i] += g * v_load(row + i * LANES);
        }
#pragma GCC unroll 14
    for (int i = 0; i < taps * vectors; i++) v_store(sums + i * LANES, sum[i]);
}

/* All winners of sequence n: of `taps` taps from `tap` on, to the slice's sums. */
INLINE void add_positions(const cpu_trial *b, size_t n, size_t slice, size_t tap, const int taps, const int vectors) {
    const size_t wide = (size_t)vectors * LANES, row = b->width * wide, count = words(b);
    const float *kernel = b->winners.kernel + slice * b->filters * row + tap * wide;
    size_t p = 0, end = (size_t)(b->block->pool - b->block->pool_pad_left);
    for (size_t j = 0; j < b->out_length; j++, end += (size_t)b->block->pool) {
        const float *dz = b->du + (n * b->out_length + j) * b->columns; /* (Fs) */
        for (; p < end && p < b->conv_length; p++) {
            const uint64_t *bits = b->winners.bits + p * count;
            if (is_anybody(bits, count))
                add_winners(bits, count, dz, kernel, row, b->winners.sums + (p + tap) * wide, taps, vectors);
        }
    }
}

#define POSITIONS(taps, vectors)                                                                           \
    static void add_positions_##taps##_##vectors(const cpu_trial *b, size_t n, size_t slice, size_t tap) { \
        add_positions(b, n, slice, tap, taps, vectors);                                                    \
    }
POSITIONS(1, 2)
POSITIONS(2, 2)
POSITIONS(3, 2)
POSITIONS(4, 2)
POSITIONS(5, 2)
POSITIONS(6, 2)
POSITIONS(7, 2)
POSITIONS(1, 4)
POSITIONS(2, 4)
POSITIONS(3, 4)

typedef void positions_function(const cpu_trial *b, size_t n, size_t slice, size_t tap);
static positions_function *const NARROW[] = {add_positions_1_2, add_positions_2_2, add_positions_3_2, add_positions_4_2,
                                             add_positions_5_2, add_positions_6_2, add_positions_7_2};
static positions_function *const WIDE[] = {add_positions_1_4, add_positions_2_4, add_positions_3_4};

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
    positions_function *const *functions = most <= 3 ? WIDE : NARROW;
    find_winners(b, n);
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
