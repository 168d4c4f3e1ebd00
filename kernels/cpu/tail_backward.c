/* tail_backward.c: the first half of the way from dy to dz: du, the gradient at the activation's input, with the sums
 * that batch norm's gradients are made of. Where there is a pool du is that of winners alone (it is zero elsewhere) and
 * kept; else it is kept only where its slope is dear. The second half is tail_rows.c.
 */
#include "tail.h"

/* Lanes of output row `output` whose gradient goes on. */
INLINE vint passes(const cpu_trial *b, size_t output, size_t f) {
    if (b->block->pool > 1) {
        const vshort route = *(const vshort_memory *)(b->route + output * b->columns + f);
        return __builtin_convertvector(route, vint) != (int32_t)ROUTE_DROPPED;
    }
    return cpu_kept(b->dropped, output * b->filters + f, b->filters - f);
}

/* dy to du, and u to the strip, for the slopes. */
static void prepare_strip(cpu_trial *b, const float *peak, size_t output, size_t rows) {
    for (size_t f = 0; f < b->columns; f += LANES) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        const float *dy = b->dy + output * b->filters + f;
        float *du = b->du + output * b->columns;
        for (size_t r = 0; r < rows; r++) {
            const size_t e = r * b->columns + f;
            v_store(b->strip + e, cpu_normalised(&by, v_load(peak + e)));
            v_store(du + e, v_load_part(dy + r * b->filters, b->filters - f));
        }
    }
    xc_cpu_multiply_slope(&b->activation, b->strip, b->du + output * b->columns, rows * b->columns);
}

/* Through dropout, with the sums of du and of du (z - mean) of the strip. */
INLINE void finish_strip(cpu_trial *b, const float *peak, size_t output, size_t rows, const bool drop) {
    const vfloat keep = v_set(cpu_keep_factor(b));
    float *sum_g = b->strip, *sum_gz = b->strip + b->columns, *du = b->du + output * b->columns;
    for (size_t f = 0; f < b->columns; f += LANES) {
        const vfloat mean = v_load(b->mean + f);
        vfloat g = v_set(0), gz = v_set(0);
        for (size_t r = 0; r < rows; r++) {
            const size_t e = r * b->columns + f;
            vfloat d = v_load(du + e);
            if (drop) v_store(du + e, d = v_where(passes(b, output + r, f), d * keep));
            g += d;
            gz += d * (v_load(peak + e) - mean);
        }
        v_store(sum_g + f, g);
        v_store(sum_gz + f, gz);
    }
}

/* The sums of a strip in one pass, for `vectors` vectors of columns of which the last has `left` filters. Du is stored
 * where there is a pool; elsewhere it is computed again when it is wanted. */
INLINE void fused_columns(const cpu_trial *b, const float *peak, size_t output, size_t rows, size_t f,
                          const int vectors, size_t left, const cpu_fused as, const cpu_drop drop, const bool pooled) {
    const vfloat keep = v_set(cpu_keep_factor(b));
    const cpu_exponential_slopes s = cpu_slopes_of(b);
    cpu_normaliser by[4];
    vfloat g[4], gz[4];
    for (int v = 0; v < vectors; v++) {
        by[v] = cpu_normaliser_of(b, f + (size_t)v * LANES);
        g[v] = gz[v] = v_set(0);
    }
    for (size_t r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            const size_t i = f + (size_t)v * LANES, inside = r * b->columns + i, e = (output + r) * b->filters + i;
            const size_t part = v == vectors - 1 ? left : LANES;
            const vfloat z = v_load(peak + inside);
            vfloat d;
            if (pooled) {
                d = cpu_fused_gradient(&s, &by[v], as, z, v_load_part(b->y + e, part), v_load_part(b->dy + e, part),
                                       keep);
                v_store(b->du + output * b->columns + inside, d);
            } else {
                d = cpu_plain_gradient(b, &s, &by[v], as, drop, z, e, part, keep);
            }
            g[v] += d;
            gz[v] += d * (z - by[v].mean);
        }
    for (int v = 0; v < vectors; v++) {
        v_store(b->strip + f + v * LANES, g[v]);
        v_store(b->strip + b->columns + f + v * LANES, gz[v]);
    }
}

INLINE void fused_strip(const cpu_trial *b, const float *peak, size_t output, size_t rows, const cpu_fused as,
                        const cpu_drop drop, const bool pooled) {
    size_t f = 0;
    for (; f + 4 * LANES <= b->filters; f += 4 * LANES)
        fused_columns(b, peak, output, rows, f, 4, LANES, as, drop, pooled);
    const size_t left = b->filters - f;
    if (left > 3 * LANES) fused_columns(b, peak, output, rows, f, 4, left - 3 * LANES, as, drop, pooled);
    if (left > 2 * LANES && left <= 3 * LANES)
        fused_columns(b, peak, output, rows, f, 3, left - 2 * LANES, as, drop, pooled);
    if (left > LANES && left <= 2 * LANES) fused_columns(b, peak, output, rows, f, 2, left - LANES, as, drop, pooled);
    if (left > 0 && left <= LANES) fused_columns(b, peak, output, rows, f, 1, left, as, drop, pooled);
}

#define STRIP(as, drop)                                                                               \
    static void strip_##as##_##drop(const cpu_trial *b, const float *z, size_t output, size_t rows) { \
        fused_strip(b, z, output, rows, as, drop, false);                                             \
    }
#define STRIPS(as) STRIP(as, DROP_NONE) STRIP(as, DROP_ANY) STRIP(as, DROP_BYTES)
STRIPS(FUSED_LINEAR)
STRIPS(FUSED_RELU)
STRIP(FUSED_EXPONENTIAL, DROP_NONE)

typedef void strip_function(const cpu_trial *b, const float *z, size_t output, size_t rows);
#define STRIPS_OF(as) \
    { strip_##as##_DROP_NONE, strip_##as##_DROP_ANY, strip_##as##_DROP_BYTES }

/* One strip, whose sums are added to `sums` (2,Fs). */
static void backward_strip(cpu_trial *b, const float *peak, size_t output, size_t rows, double *sums) {
    static strip_function *const PLAIN[2][3] = {STRIPS_OF(FUSED_LINEAR), STRIPS_OF(FUSED_RELU)};
    const cpu_fused as = cpu_fused_of(b);
    const cpu_trial fixed = *b; /* whose pointers no store can change */
    if (as == FUSED_NOT || (as == FUSED_LINEAR && b->block->pool > 1)) {
        prepare_strip(b, peak, output, rows);
        if (b->dropped)
            finish_strip(b, peak, output, rows, true);
        else
            finish_strip(b, peak, output, rows, false);
    } else if (b->block->pool == 1) {
        if (as == FUSED_EXPONENTIAL)
            strip_FUSED_EXPONENTIAL_DROP_NONE(&fixed, peak, output, rows);
        else
            PLAIN[as == FUSED_RELU][cpu_drop_of(b)](&fixed, peak, output, rows);
    } else if (as == FUSED_RELU) {
        fused_strip(&fixed, peak, output, rows, FUSED_RELU, DROP_NONE, true);
    } else {
        fused_strip(&fixed, peak, output, rows, FUSED_EXPONENTIAL, DROP_NONE, true);
    }
    for (size_t f = 0; f < 2 * b->columns; f++) sums[f] += b->strip[f];
}

static void begin_range(cpu_trial *b, size_t first, size_t sequences, double *partial_sums) {
    const bool pooled = b->block->pool > 1;
    const size_t spans = !pooled && b->gap ? sequences : 1, rows = sequences * b->out_length / spans;
    memset(partial_sums, 0, 2 * b->columns * sizeof(double));
    for (size_t s = first; s < first + spans; s++)
        for (size_t r = 0; r < rows; r += b->strip_rows) {
            const size_t count = rows - r < b->strip_rows ? rows - r : b->strip_rows, output = s * b->out_length + r;
            const float *peak = pooled ? b->peak + output * b->columns : cpu_z_row(b, s, r);
            backward_strip(b, peak, output, count, partial_sums);
        }
}

/* Gradients of gamma and beta, and the constants of the formula in tail_rows.c. */
static void norm_gradients(cpu_trial *b) {
    const double n = (double)(b->batch * b->conv_length);
    for (size_t f = 0; f < b->columns; f++) {
        const double dbeta = b->sums[f], dgamma = b->sums[b->columns + f] * b->inverse[f];
        const double slope = b->norm && b->training ? b->scale[f] * dgamma * b->inverse[f] / n : 0;
        const double level = b->norm && b->training ? b->scale[f] * dbeta / n : 0;
        b->slope[f] = (float)slope;
        b->level[f] = (float)level;
        if (!b->norm || f >= b->filters) continue;
        if (b->dbeta) b->dbeta[f] += (float)dbeta;
        if (b->dgamma) b->dgamma[f] += (float)dgamma;
    }
}

/* Whether anybody reads the sums, or du, which is not kept where it is soon found again. */
static bool is_wanted(const cpu_trial *b) {
    const bool kept = b->block->pool > 1 || cpu_fused_of(b) == FUSED_NOT || b->references > 0;
    return kept || b->dkernel || b->dgamma || (b->norm && b->training);
}

void xc_cpu_tail_begin(cpu_trial *b) {
    const size_t sums = 2 * b->columns;
    xc_cpu_norm_constants(b);
    memset(b->partial_sums, 0, cpu_ranges(b) * sums * sizeof(double));
    if (is_wanted(b)) xc_cpu_each_range(b, b->references > 0 ? xc_cpu_rescale_range : begin_range);
    memset(b->sums, 0, sums * sizeof(double));
    for (size_t r = 0; r < cpu_ranges(b); r++)
        for (size_t i = 0; i < sums; i++) b->sums[i] += b->partial_sums[r * sums + i];
    norm_gradients(b);
}
