/* tail_rows.c: dz, which takes z's place, at every position when the linear part asks for it:
 *
 *   dz = scale (du - dbeta / n - (z - mean) inverse dgamma / n) = scale du - ((z - mean) slope + level)
 *
 * where slope and level are 0 in inference and without batch norm. Source: Ioffe & Szegedy 2015, section 3.
 */
#include "tail.h"

/* dz where scale du - level is `from`. */
INLINE vfloat gradient_at(vfloat z, vfloat from, vfloat mean, vfloat slope, const bool relu) {
    const vfloat dz = from - (z - mean) * slope;
    return relu ? v_where(z > 0.0f, dz) : dz; /* relu before the norm: nothing goes below 0 */
}

/* `rows` rows of z become dz; du (rows,Fs), or NULL: 0. */
INLINE void plain_rows(const cpu_trial *b, float *z, const float *du, size_t rows, const bool relu) {
    for (size_t r = 0; r < rows; r++, z += b->columns)
        for (size_t f = 0; f < b->columns; f += LANES) {
            const vfloat d = du ? v_load(du + r * b->columns + f) : v_set(0);
            const vfloat from = v_load(b->scale + f) * d - v_load(b->level + f);
            v_store(z + f, gradient_at(v_load(z + f), from, v_load(b->mean + f), v_load(b->slope + f), relu));
        }
}

/* The same of rows whose du was not kept; the first element's number is `element`. */
INLINE void fused_rows(const cpu_trial *b, float *z, size_t element, size_t rows, const cpu_fused as,
                       const cpu_drop drop) {
    const vfloat keep = v_set(cpu_keep_factor(b));
    const cpu_exponential_slopes s = cpu_slopes_of(b);
    const bool relu = b->block->before_norm == XC_RELU;
    for (size_t r = 0; r < rows; r++, z += b->columns, element += b->filters)
        for (size_t f = 0; f < b->columns; f += LANES) {
            const cpu_normaliser by = cpu_normaliser_of(b, f);
            const vfloat value = v_load(z + f);
            const vfloat d = cpu_plain_gradient(b, &s, &by, as, drop, value, element + f, b->filters - f, keep);
            const vfloat from = by.scale * d - v_load(b->level + f);
            v_store(z + f, gradient_at(value, from, by.mean, v_load(b->slope + f), relu));
        }
}

#define AGAIN(as, drop)                                                                          \
    static void again_##as##_##drop(const cpu_trial *b, float *z, size_t element, size_t rows) { \
        const cpu_trial fixed = *b;                                                              \
        fused_rows(&fixed, z, element, rows, as, drop);                                          \
    }
#define AGAINS(as) AGAIN(as, DROP_NONE) AGAIN(as, DROP_ANY) AGAIN(as, DROP_BYTES)
AGAINS(FUSED_LINEAR)
AGAINS(FUSED_RELU)
AGAIN(FUSED_EXPONENTIAL, DROP_NONE)

typedef void again_function(const cpu_trial *b, float *z, size_t element, size_t rows);
#define AGAINS_OF(as) \
    { again_##as##_DROP_NONE, again_##as##_DROP_ANY, again_##as##_DROP_BYTES }

static void rows_again(const cpu_trial *b, float *z, size_t element, size_t rows) {
    static again_function *const FUNCTIONS[2][3] = {AGAINS_OF(FUSED_LINEAR), AGAINS_OF(FUSED_RELU)};
    if (b->activation.kind == XC_EXPONENTIAL)
        again_FUSED_EXPONENTIAL_DROP_NONE(b, z, element, rows);
    else
        FUNCTIONS[b->activation.kind == XC_RELU][cpu_drop_of(b)](b, z, element, rows);
}

/* Rows of a window that exist become dz; the first stands at `place` of it. `vectors` vectors of columns. */
INLINE void window_columns(const cpu_trial *b, float *z, size_t rows, int32_t first_place, size_t output, size_t f,
                           const int vectors, const bool relu) {
    vfloat mean[4], slope[4], winner[4], other[4];
    vint route[4], place = v_set_int(first_place);
    for (int v = 0; v < vectors; v++) {
        const size_t c = f + (size_t)v * LANES, o = output * b->columns + c;
        mean[v] = v_load(b->mean + c);
        slope[v] = v_load(b->slope + c);
        other[v] = -v_load(b->level + c);
        winner[v] = v_load(b->scale + c) * v_load(b->du + o) - v_load(b->level + c);
        route[v] = __builtin_convertvector(*(const vshort_memory *)(b->route + o), vint);
    }
    for (size_t r = 0; r < rows; r++, place += 1)
        for (int v = 0; v < vectors; v++) {
            float *at = z + r * b->columns + f + v * LANES;
            const vfloat from = v_select(route[v] == place, winner[v], other[v]);
            v_store(at, gradient_at(v_load(at), from, mean[v], slope[v], relu));
        }
}

INLINE void pooled_sequence(const cpu_trial *b, size_t n, const bool relu) {
    const int64_t length = (int64_t)b->conv_length, pool = b->block->pool;
    int64_t start = -b->block->pool_pad_left;
    for (size_t j = 0; j < b->out_length; j++, start += pool) {
        const int64_t first = start < 0 ? 0 : start, end = start + pool < length ? start + pool : length;
        float *z = cpu_z_row(b, n, (size_t)first);
        const size_t rows = (size_t)(end - first), output = n * b->out_length + j;
        const int32_t place = (int32_t)(first - start);
        size_t f = 0;
        for (; f + 2 * LANES <= b->columns; f += 2 * LANES) window_columns(b, z, rows, place, output, f, 2, relu);
        if (f < b->columns) window_columns(b, z, rows, place, output, f, 1, relu);
    }
    if (start < length) plain_rows(b, cpu_z_row(b, n, (size_t)start), NULL, (size_t)(length - start), relu);
}

/* dz of `rows` rows from row 0 of sequence n on, which are the whole of it or of several that follow each other. */
INLINE void span(const cpu_trial *b, size_t n, size_t rows, const bool relu) {
    if (b->block->pool > 1)
        pooled_sequence(b, n, relu);
    else if (cpu_fused_of(b) != FUSED_NOT && b->references == 0)
        rows_again(b, cpu_z_row(b, n, 0), n * b->conv_length * b->filters, rows);
    else
        plain_rows(b, cpu_z_row(b, n, 0), b->du + n * b->conv_length * b->columns, rows, relu);
}

static void sum_bias(const cpu_trial *b, size_t n) {
    const float *dz = cpu_z_row(b, n, 0);                  /* (Lc,Fs) */
    double *restrict sums = b->bias_sums + n * b->columns; /* (Fs) */
    memset(sums, 0, b->columns * sizeof(double));
    for (size_t l = 0; l < b->conv_length; l++, dz += b->columns)
        for (size_t f = 0; f < b->columns; f++) sums[f] += dz[f];
}

void xc_cpu_tail_rows(const cpu_trial *b, size_t first, size_t sequences) {
    if (sequences == 0) return;
    const size_t spans = b->gap || b->block->pool > 1 ? sequences : 1, rows = sequences * b->conv_length / spans;
    for (size_t n = first; n < first + spans; n++) {
        if (b->block->before_norm == XC_RELU)
            span(b, n, rows, true);
        else
            span(b, n, rows, false);
    }
    for (size_t n = first; b->dbias && n < first + sequences; n++) sum_bias(b, n);
}

void xc_cpu_tail_end(cpu_trial *b) {
    if (!b->dbias) return;
    for (size_t f = 0; f < b->filters; f++) {
        double sum = 0;
        for (size_t n = 0; n < b->batch; n++) sum += b->bias_sums[n * b->columns + f];
        b->dbias[f] += (float)sum;
    }
}
