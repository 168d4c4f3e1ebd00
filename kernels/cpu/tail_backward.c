/* tail_backward.c: dy to dz, which takes z's place. First du, the gradient at the activation's input, at winners alone
 * (it is zero elsewhere), with the sums that batch norm wants; then dz at every position, when the linear part asks for
 * it:
 *
 *   dz = scale (du - dbeta / n - (z - mean) inverse dgamma / n) = scale du - ((z - mean) slope + level)
 *
 * where slope and level are 0 in inference and without batch norm. Source: Ioffe & Szegedy 2015, section 3.
 */
#include "tail.h"

/* ---- du ---------------------------------------------------------------------------------------------------------- */

/* Lanes of output row `output` whose gradient goes on. */
INLINE vint passes(const cpu_trial *b, size_t output, size_t f) {
    if (b->block->pool > 1) {
        const vshort route = *(const vshort_memory *)(b->route + output * b->columns + f);
        return __builtin_convertvector(route, vint) != (int32_t)ROUTE_DROPPED;
    }
    return cpu_kept(b->dropped, output * b->filters + f);
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

/* What the slope of an exponential is made of. */
typedef struct exponential_slopes {
    vfloat times, clip, beyond; /* the slope beyond the clip, with dropout's factor */
} exponential_slopes;

INLINE exponential_slopes slopes_of(const cpu_trial *b) {
    const vfloat times = v_set(b->activation.scale), clip = v_set(b->activation.clip);
    const bool hard = b->activation.beyond == XC_BEYOND_HARD;
    return (exponential_slopes){times, clip, hard ? v_set(0) : times * v_exp(clip) * cpu_keep_factor(b)};
}

/* du of relu and of the exponential, whose slopes y tells; y holds dropout's factor. */
INLINE vfloat fused_gradient(const exponential_slopes *s, const cpu_normaliser *by, const cpu_fused as, vfloat z,
                             vfloat y, vfloat dy, vfloat keep) {
    if (as == FUSED_RELU) return v_where(y > 0.0f, dy * keep);
    const vint beyond = s->times * cpu_normalised(by, z) > s->clip;
    return v_where(y != 0.0f, dy * v_select(beyond, s->beyond, s->times * y));
}

/* du of element `e` on of row `z` of a block without pool. Relu's mask costs less to find again than y to read. */
INLINE vfloat plain_gradient(const cpu_trial *b, const exponential_slopes *s, const cpu_normaliser *by,
                             const cpu_fused as, const cpu_drop drop, vfloat z, size_t e, size_t left, vfloat keep) {
    const vfloat dy = v_load_part(b->dy + e, left);
    if (as == FUSED_EXPONENTIAL) return fused_gradient(s, by, as, z, v_load_part(b->y + e, left), dy, keep);
    vfloat d = drop == DROP_NONE ? dy : v_where(cpu_kept_as(drop, b->dropped, e), dy * keep);
    return as == FUSED_LINEAR ? d : v_where(cpu_normalised(by, z) > 0.0f, d);
}

/* The sums of a strip in one pass, for `vectors` vectors of columns of which the last has `left` filters. Du is stored
 * where there is a pool; elsewhere it is computed again when it is wanted. */
INLINE void fused_columns(const cpu_trial *b, const float *peak, size_t output, size_t rows, size_t f,
                          const int vectors, size_t left, const cpu_fused as, const cpu_drop drop, const bool pooled) {
    const vfloat keep = v_set(cpu_keep_factor(b));
    const exponential_slopes s = slopes_of(b);
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
                d = fused_gradient(&s, &by[v], as, z, v_load_part(b->y + e, part), v_load_part(b->dy + e, part), keep);
                v_store(b->du + output * b->columns + inside, d);
            } else {
                d = plain_gradient(b, &s, &by[v], as, drop, z, e, part, keep);
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

/* Gradients of gamma and beta, and the constants of the formula above. */
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

void xc_cpu_tail_begin(cpu_trial *b) {
    const size_t sums = 2 * b->columns;
    xc_cpu_norm_constants(b);
    xc_cpu_each_range(b, begin_range);
    memset(b->sums, 0, sums * sizeof(double));
    for (size_t r = 0; r < cpu_ranges(b); r++)
        for (size_t i = 0; i < sums; i++) b->sums[i] += b->partial_sums[r * sums + i];
    norm_gradients(b);
}

/* ---- dz ---------------------------------------------------------------------------------------------------------- */

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
    const exponential_slopes s = slopes_of(b);
    const bool relu = b->block->before_norm == XC_RELU;
    for (size_t r = 0; r < rows; r++, z += b->columns, element += b->filters)
        for (size_t f = 0; f < b->columns; f += LANES) {
            const cpu_normaliser by = cpu_normaliser_of(b, f);
            const vfloat value = v_load(z + f);
            const vfloat d = plain_gradient(b, &s, &by, as, drop, value, element + f, b->filters - f, keep);
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
    else if (cpu_fused_of(b) != FUSED_NOT)
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
