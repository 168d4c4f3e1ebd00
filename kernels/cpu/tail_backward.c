/* tail_backward.c: dy to dz, which takes z's place. First du, the gradient at the activation's input, at winners alone
 * (it is zero elsewhere), with the sums that batch norm wants; then dz at every position, when the linear part asks for
 * it:
 *
 *   dz = scale (du - dbeta / n - (z - mean) inverse dgamma / n) = scale du - ((z - mean) slope + level)
 *
 * where slope and level are 0 in inference and without batch norm. Source: Ioffe & Szegedy 2015, section 3.
 */
#include "trial.h"

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

/* Through dropout, with the sums of du and of du (z - mean) of the strip. Relu, whose slope is but a mask, begins here
 * with dy. */
INLINE void finish_strip(cpu_trial *b, const float *peak, size_t output, size_t rows, const bool relu,
                         const bool drop) {
    const vfloat keep = v_set(cpu_keep_factor(b));
    float *sum_g = b->strip, *sum_gz = b->strip + b->columns, *du = b->du + output * b->columns;
    for (size_t f = 0; f < b->columns; f += LANES) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        const size_t left = b->filters - f;
        vfloat g = v_set(0), gz = v_set(0);
        for (size_t r = 0; r < rows; r++) {
            const size_t e = r * b->columns + f;
            const vfloat z = v_load(peak + e);
            vfloat d = relu ? v_load_part(b->dy + (output + r) * b->filters + f, left) : v_load(du + e);
            if (relu) d = v_where(cpu_normalised(&by, z) > 0.0f, d);
            if (drop) d = v_where(passes(b, output + r, f), d * keep);
            if (relu || drop) v_store(du + e, d);
            g += d;
            gz += d * (z - by.mean);
        }
        v_store(sum_g + f, g);
        v_store(sum_gz + f, gz);
    }
    double *restrict sums = b->sums, *restrict products = b->sums + b->columns;
    for (size_t f = 0; f < b->columns; f++) {
        sums[f] += sum_g[f];
        products[f] += sum_gz[f];
    }
}

static void backward_strip(cpu_trial *b, const float *peak, size_t output, size_t rows) {
    const bool relu = b->activation.kind == XC_RELU;
    if (!relu) prepare_strip(b, peak, output, rows);
    if (relu && b->dropped) finish_strip(b, peak, output, rows, true, true);
    if (relu && !b->dropped) finish_strip(b, peak, output, rows, true, false);
    if (!relu && b->dropped) finish_strip(b, peak, output, rows, false, true);
    if (!relu && !b->dropped) finish_strip(b, peak, output, rows, false, false);
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
    const bool pooled = b->block->pool > 1;
    const size_t spans = !pooled && b->gap ? b->batch : 1, rows = b->batch * b->out_length / spans;
    xc_cpu_norm_constants(b);
    memset(b->sums, 0, 2 * b->columns * sizeof(double));
    for (size_t s = 0; s < spans; s++)
        for (size_t r = 0; r < rows; r += b->strip_rows) {
            const size_t count = rows - r < b->strip_rows ? rows - r : b->strip_rows, output = s * rows + r;
            backward_strip(b, pooled ? b->peak + output * b->columns : cpu_z_row(b, s, r), output, count);
        }
    norm_gradients(b);
    memset(b->sums, 0, b->columns * sizeof(double)); /* from here on: sum of dz */
}

/* ---- dz ---------------------------------------------------------------------------------------------------------- */

typedef struct formula {
    vfloat mean, scale, slope, level;
    bool relu; /* the activation before the norm is relu: nothing goes below 0 */
} formula;

INLINE formula formula_of(const cpu_trial *b, size_t f) {
    return (formula){v_load(b->mean + f), v_load(b->scale + f), v_load(b->slope + f), v_load(b->level + f),
                     b->block->before_norm == XC_RELU};
}

INLINE vfloat apply(const formula *c, vfloat z, vfloat du) {
    const vfloat dz = c->scale * du - ((z - c->mean) * c->slope + c->level);
    return c->relu ? v_where(z > 0.0f, dz) : dz;
}

/* `rows` rows of z become dz; du (rows,Fs), or NULL: 0. */
static void plain_rows(const cpu_trial *b, float *z, const float *du, size_t rows) {
    for (size_t f = 0; f < b->columns; f += LANES) {
        const formula c = formula_of(b, f);
        for (size_t e = f; e < rows * b->columns; e += b->columns)
            v_store(z + e, apply(&c, v_load(z + e), du ? v_load(du + e) : v_set(0)));
    }
}

/* Rows of a window that exist become dz; the first stands at `first_place` of it. */
static void window_rows(const cpu_trial *b, float *z, size_t rows, int32_t first_place, size_t output) {
    for (size_t f = 0; f < b->columns; f += LANES) {
        const formula c = formula_of(b, f);
        const vfloat du = v_load(b->du + output * b->columns + f);
        const vint route = __builtin_convertvector(*(const vshort_memory *)(b->route + output * b->columns + f), vint);
        vint place = v_set_int(first_place);
        for (size_t e = f; e < rows * b->columns; e += b->columns, place += 1)
            v_store(z + e, apply(&c, v_load(z + e), v_where(route == place, du)));
    }
}

static void pooled_sequence(const cpu_trial *b, size_t n) {
    const int64_t length = (int64_t)b->conv_length, pool = b->block->pool;
    int64_t start = -b->block->pool_pad_left;
    for (size_t j = 0; j < b->out_length; j++, start += pool) {
        const int64_t first = start < 0 ? 0 : start, end = start + pool < length ? start + pool : length;
        window_rows(b, cpu_z_row(b, n, (size_t)first), (size_t)(end - first), (int32_t)(first - start),
                    n * b->out_length + j);
    }
    if (start < length) plain_rows(b, cpu_z_row(b, n, (size_t)start), NULL, (size_t)(length - start));
}

static void sum_bias(cpu_trial *b, const float *dz, size_t rows) {
    for (size_t r = 0; r < rows; r++)
        for (size_t f = 0; f < b->columns; f++) b->sums[f] += dz[r * b->columns + f];
}

void xc_cpu_tail_rows(cpu_trial *b, size_t first_sequence, size_t sequences) {
    const size_t spans = b->gap || b->block->pool > 1 ? sequences : 1, rows = sequences * b->conv_length / spans;
    for (size_t n = first_sequence; n < first_sequence + spans; n++) {
        float *z = cpu_z_row(b, n, 0); /* (rows,Fs) */
        if (b->block->pool > 1)
            pooled_sequence(b, n);
        else
            for (size_t r = 0; r < rows; r += b->strip_rows)
                plain_rows(b, z + r * b->columns, b->du + (n * b->conv_length + r) * b->columns,
                           rows - r < b->strip_rows ? rows - r : b->strip_rows);
        if (b->dbias) sum_bias(b, z, rows);
    }
}

void xc_cpu_tail_end(cpu_trial *b) {
    if (!b->dbias) return;
    for (size_t f = 0; f < b->filters; f++) b->dbias[f] += (float)b->sums[f];
}
