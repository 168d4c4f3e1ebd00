/* motif.h: the first layer by lookup: sizes, the inner loops, and what its files offer each other.
 *
 *   motif_codes.c     sequences to letters and words
 *   motif_counts.c    letters and pairs of letters counted, by popcounts of bit masks
 *   motif_norm.c      batch norm's statistics from those counts
 *   motif_tables.c    tables from kernel rows, and their mirror
 *   motif_forward.c   one pass: lookup, activation, dropout
 *   motif_pool.c      the same with a max pool
 *   motif_backward.c  one pass: the gradient at batch norm's output to the tables, all gradients from those
 *   motif_input.c     the gradient at the one-hot input
 *   motif_rows.c      the way by rows of z, where batch norm does not follow the lookup
 *   motif.c           the steps of either way, shared out among threads
 *
 * Taps are taken in threes; a group's table holds the sum of its three kernel rows for every word of three letters, so
 * that an output is one table row per group, added. The weight gradient is the mirror: the output's gradient is added
 * to the row that was read, and the tables are folded back to taps. N and what lies beyond the ends are a fifth letter,
 * so that borders need no care. Tables lie in panels of MOTIF_PANEL columns (the last of LANES where that is enough),
 * which the first cache holds.
 *
 * Threads share sequences, columns, or groups of taps; every sum is made by one thread in the order of sequences, so
 * that their number is not seen.
 */
#ifndef EXPCONV_CPU_MOTIF_H
#define EXPCONV_CPU_MOTIF_H

#include "trial.h"

#define MOTIF_LETTERS 5 /* A C G T N */
#define MOTIF_TAPS 3
#define MOTIF_WORDS 125
#define MOTIF_VECTORS (VECTOR_BYTES < 64 ? 2 : 1)
#define MOTIF_PANEL (MOTIF_VECTORS * LANES)

/* Beyond this width counting pairs of taps would cost more than a pass over z. */
#define MOTIF_PAIRED_WIDTH 64

/* Rows that the look-up makes at once, and rows of a strip in the first cache. A strip has room for MOTIF_ROWS more,
 * and so have a sequence's codes. */
#define MOTIF_ROWS 4
#define MOTIF_STRIP 64
#define MOTIF_STRIP_FLOATS ((MOTIF_STRIP + MOTIF_ROWS) * MOTIF_PANEL)

INLINE size_t motif_groups(size_t width) { return (width + MOTIF_TAPS - 1) / MOTIF_TAPS; }

/* The table row of a word: words without N come first, so that what most positions read lies together and no two rows
 * of one table share a set of the first cache. */
INLINE size_t motif_word(size_t a, size_t b, size_t c) {
    const size_t known = a == 4 ? 64 : b == 4 ? 16 * a + 16 : 16 * a + 4 * b + c; /* of those words, before this */
    return a < 4 && b < 4 && c < 4 ? known : 64 + 25 * a + 5 * b + c - known;
}

/* Words of one sequence: one for every place at which a group of taps can begin. */
INLINE size_t motif_code_count(size_t conv_length, size_t width) {
    return round_up(conv_length + MOTIF_ROWS + MOTIF_TAPS * motif_groups(width), 32);
}

/* Letters of one sequence with what the first and last taps see beyond its ends; whole words of a mask. */
INLINE size_t motif_letter_count(const cpu_trial *b) {
    const size_t codes = motif_code_count(b->conv_length, b->width) + MOTIF_TAPS - 1;
    const size_t sequence = (size_t)b->block->pad_left + b->length;
    return round_up(codes > sequence ? codes : sequence, 64);
}

/* Rows of taps: one a tap and letter. */
INLINE size_t motif_tap_rows(const cpu_trial *b) { return b->width * MOTIF_LETTERS; }

INLINE size_t motif_table_floats(const cpu_trial *b) { return motif_groups(b->width) * MOTIF_WORDS * b->columns; }

/* Vectors of the panel that begins at column c, and its tables. */
INLINE int motif_vectors(const cpu_trial *b, size_t c) { return b->filters - c > LANES ? MOTIF_VECTORS : 1; }
INLINE size_t motif_panel_at(const cpu_trial *b, size_t c) { return motif_groups(b->width) * MOTIF_WORDS * c; }

INLINE const uint16_t *motif_codes(const cpu_trial *b, size_t n) {
    return b->codes + n * motif_code_count(b->conv_length, b->width);
}

/* ---- inner loops ------------------------------------------------------------------------------------------------- */

/* Sums of one panel at `rows` positions, the first of which reads codes[0], to u (rows up to MOTIF_ROWS, panel). */
INLINE void motif_look_up(const int vectors, const uint16_t *codes, const float *tables, size_t groups, float *u,
                          size_t rows) {
    for (size_t l = 0; l < rows; l += MOTIF_ROWS) {
        vfloat sum[MOTIF_ROWS][2];
        const float *table = tables;
        for (int r = 0; r < MOTIF_ROWS; r++)
            for (int v = 0; v < vectors; v++)
                sum[r][v] = v_load(table + (size_t)codes[l + r] * (size_t)vectors + v * LANES);
        for (size_t g = 1; g < groups; g++) {
            const uint16_t *code = codes + l + g * MOTIF_TAPS;
            table += MOTIF_WORDS * LANES * vectors;
            for (int r = 0; r < MOTIF_ROWS; r++)
                for (int v = 0; v < vectors; v++)
                    sum[r][v] += v_load(table + (size_t)code[r] * (size_t)vectors + v * LANES);
        }
        for (int r = 0; r < MOTIF_ROWS; r++)
            for (int v = 0; v < vectors; v++)
                v_store(u + ((l + (size_t)r) * (size_t)vectors + (size_t)v) * LANES, sum[r][v]);
    }
}

/* Adds a row's gradient to the table rows that the row's position read. */
INLINE void motif_add(const int vectors, const uint16_t *codes, float *tables, size_t groups, const vfloat *gradient) {
    for (size_t g = 0; g < groups; g++, tables += MOTIF_WORDS * LANES * vectors) {
        float *row = tables + (size_t)codes[g * MOTIF_TAPS] * (size_t)vectors;
        for (int v = 0; v < vectors; v++) v_store(row + v * LANES, v_load(row + v * LANES) + gradient[v]);
    }
}

/* u of positions first .. first + rows - 1 of sequence n, panel c, from the tables in `panels`. */
INLINE void motif_look_up_strip(const cpu_trial *b, size_t c, size_t n, size_t first, size_t rows, float *u) {
    const uint16_t *codes = motif_codes(b, n) + first;
    const float *tables = b->panels + motif_panel_at(b, c);
    if (motif_vectors(b, c) == 2)
        motif_look_up(2, codes, tables, motif_groups(b->width), u, rows);
    else
        motif_look_up(1, codes, tables, motif_groups(b->width), u, rows);
}

/* The groups of panel c that are a thread's when all panels' groups are shared out. */
INLINE xc_range motif_group_share(const cpu_trial *b, size_t c, int thread, int threads) {
    const size_t groups = motif_groups(b->width), vectors = (size_t)motif_vectors(b, c), first = c / LANES * groups;
    const xc_range share = xc_share(b->columns / LANES * groups, thread, threads);
    const size_t begin = share.begin < first ? 0 : (share.begin - first) / vectors;
    const size_t end = share.end < first ? 0 : (share.end - first) / vectors;
    return (xc_range){begin < groups ? begin : groups, end < groups ? end : groups};
}

/* The columns that are a thread's. */
INLINE xc_range motif_column_share(const cpu_trial *b, int thread, int threads) {
    const xc_range share = xc_share(b->columns / LANES, thread, threads);
    return (xc_range){share.begin * LANES, share.end * LANES};
}

/* Places of the winners of output row `output` (of all sequences), one vector of columns. */
INLINE vint motif_route(const cpu_trial *b, size_t output, size_t f) {
    return __builtin_convertvector(*(const vshort_memory *)(b->route + output * b->columns + f), vint);
}

/* ---- what the files offer each other ----------------------------------------------------------------------------- */

/* Whether the slope of the activation can be told from its value, dropped (0) or not; then u need not be kept. */
INLINE bool motif_slope_from_output(const xc_activation *activation) {
    return activation->kind == XC_RELU ||
           (activation->kind == XC_EXPONENTIAL && activation->beyond == XC_BEYOND_LINEAR);
}

#define xc_cpu_motif_encode XC_ISA_NAME(xc_cpu_motif_encode)
#define xc_cpu_motif_mask XC_ISA_NAME(xc_cpu_motif_mask)
#define xc_cpu_motif_count XC_ISA_NAME(xc_cpu_motif_count)
#define xc_cpu_motif_norm XC_ISA_NAME(xc_cpu_motif_norm)
#define xc_cpu_motif_factors XC_ISA_NAME(xc_cpu_motif_factors)
#define xc_cpu_motif_build XC_ISA_NAME(xc_cpu_motif_build)
#define xc_cpu_motif_fold XC_ISA_NAME(xc_cpu_motif_fold)
#define xc_cpu_motif_forward_pass XC_ISA_NAME(xc_cpu_motif_forward_pass)
#define xc_cpu_motif_slopes XC_ISA_NAME(xc_cpu_motif_slopes)
#define xc_cpu_motif_backward_pass XC_ISA_NAME(xc_cpu_motif_backward_pass)
#define xc_cpu_motif_gradients XC_ISA_NAME(xc_cpu_motif_gradients)
#define xc_cpu_motif_dx_begin XC_ISA_NAME(xc_cpu_motif_dx_begin)
#define xc_cpu_motif_dx XC_ISA_NAME(xc_cpu_motif_dx)
#define xc_cpu_motif_fused_dx XC_ISA_NAME(xc_cpu_motif_fused_dx)
#define xc_cpu_motif_rows_forward XC_ISA_NAME(xc_cpu_motif_rows_forward)
#define xc_cpu_motif_rows_backward XC_ISA_NAME(xc_cpu_motif_rows_backward)

/* Words of some sequences; their masks too, where pairs are to be counted: sequences then begin at a multiple of 8. */
void xc_cpu_motif_encode(cpu_trial *b, xc_range sequences);
void xc_cpu_motif_mask(cpu_trial *b, size_t n, const uint8_t *letters);

/* From all masks: counts, and the pairs of this thread's distances between taps. All threads of a run call it. */
void xc_cpu_motif_count(cpu_trial *b, int thread, int threads);

/* Of some columns, a multiple of LANES: taps (centred in training with batch norm, where the running statistics are
 * updated too) and 1 / deviation; then the factor and offset of the tables. */
void xc_cpu_motif_norm(cpu_trial *b, xc_range columns);
void xc_cpu_motif_factors(cpu_trial *b, xc_range columns);

/* Tables of some columns: factor (sum of taps) + offset of every word; and `reach`, a bound of every |u|, NaN if a tap
 * is. The mirror: sums of the rows of some groups' tables, panel c, by tap and letter, to `response`, `=`. */
void xc_cpu_motif_build(cpu_trial *b, xc_range columns);
void xc_cpu_motif_fold(cpu_trial *b, size_t c, xc_range groups);

/* u to y of some sequences, whose bits of dropout begin at a whole byte. */
void xc_cpu_motif_forward_pass(cpu_trial *b, xc_range sequences);

/* Gradient at batch norm's output, of `rows` (at most MOTIF_STRIP) outputs from `first` of sequence n, panel c, to g
 * (rows, panel). */
void xc_cpu_motif_slopes(const cpu_trial *b, size_t c, size_t n, size_t first, size_t rows, float *g);

/* That of all outputs to the tables of this thread's groups, and folded. Then the gradients of some columns. */
void xc_cpu_motif_backward_pass(cpu_trial *b, int thread, int threads);
void xc_cpu_motif_gradients(cpu_trial *b, xc_range columns);

/* dx of sequence n from its dz (Lc,Fs). The same of some sequences in the one pass' way, which makes dz. */
void xc_cpu_motif_dx_begin(cpu_trial *b); /* once a thread, of a block with input_gradient */
void xc_cpu_motif_dx(const cpu_trial *b, size_t n, const float *dz,
                     size_t stride); /* rows of dz, stride floats apart */
void xc_cpu_motif_fused_dx(cpu_trial *b, xc_range sequences);

void xc_cpu_motif_rows_forward(cpu_trial *b);
void xc_cpu_motif_rows_backward(cpu_trial *b);

#endif
