/* tail_backward.c: dy to dz, which takes z's place. First du, the gradient at the activation's input, at winners alone
 * (it is zero elsewhere), with the sums that batch norm wants; then dz at every position:
 *
 *   dz = scale (du - dbeta / n - (z - mean) dgamma inverse / n)
 *
 * where the last two terms vanish in inference and without batch norm. Source: Ioffe & Szegedy 2015, section 3.
 */
#include "trial.h"

/* ---- du ---------------------------------------------------------------------------------------------------------- */

static float keep_factor(const cpu_trial *b) {
    return 65536.0f / (65536.0f - (float)xc_dropout_threshold(b->block->dropout));
}

/* Lanes of output row `output` whose gradient goes on. */
INLINE vint passes(const cpu_trial *b, size_t output, size_t f) {
    if (b->block->pool > 1) {
        const vshort route = *(const vshort_memory *)(b->route + output * b->columns + f);
        return __builtin_convertvector(route, vint) != (int32_t)ROUTE_DROPPED;
    }
    return cpu_kept(b->dropped, output * b->filters + f);
}

/* du of `rows` output rows from number `output` on, whose z at the winners are `peak`. */
static void strip_gradient(cpu_trial *b, const float *peak, size_t output, size_t rows) {
    float *du = b->du + output * b->columns, *u = b->strip;
    for (size_t r = 0; r < rows; r++)
        for (size_t f = 0; f < b->columns; f += LANES) {
            const size_t e = r * b->columns + f;
            const vfloat deviation = v_load(peak + e) - v_load(b->mean + f);
            v_store(u + e, deviation * v_load(b->scale + f) + v_load(b->shift + f));
            v_store(du + e, v_load_part(b->dy + (output + r) * b->filters + f, b->filters - f));
        }
    xc_cpu_multiply_slope(&b->activation, u, du, rows * b->columns);
    if (!b->dropped) return;
    const vfloat keep = v_set(keep_factor(b));
    for (size_t r = 0; r < rows; r++)
        for (size_t f = 0; f < b->columns; f += LANES) {
            float *at = du + r * b->columns + f;
            v_store(at, v_where(passes(b, output + r, f), v_load(at) * keep));
        }
}

/* Adds sum du and sum du (z - mean) of a strip to sums[0] and sums[1]. */
static void strip_sums(cpu_trial *b, const float *peak, const float *du, size_t rows) {
    float *sum_g = b->strip, *sum_gz = b->strip + b->columns;
    for (size_t f = 0; f < b->columns; f += LANES) {
        const vfloat mean = v_load(b->mean + f);
        vfloat g = v_set(0), gz = v_set(0);
        for (size_t r = 0; r < rows; r++) {
            const vfloat d = v_load(du + r * b->columns + f);
            g += d;
            gz += d * (v_load(peak + r * b->columns + f) - mean);
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

static void winners_backward(cpu_trial *b) {
    const bool pooled = b->block->pool > 1;
    const size_t spans = !pooled && b->gap ? b->batch : 1, rows = b->batch * b->out_length / spans;
    for (size_t s = 0; s < spans; s++)
        for (size_t r = 0; r < rows; r += b->strip_rows) {
            const size_t count = rows - r < b->strip_rows ? rows - r : b->strip_rows, output = s * rows + r;
            const float *peak = pooled ? b->peak + output * b->columns : cpu_z_row(b, s, r);
            strip_gradient(b, peak, output, count);
            if (b->norm) strip_sums(b, peak, b->du + output * b->columns, count);
        }
}

/* ---- dz ---------------------------------------------------------------------------------------------------------- */

/* The constants of the formula above, over b->sums. */
typedef struct centring {
    float *centre; /* (Fs) dbeta / n */
    float *slope;  /* (Fs) dgamma inverse / n */
    bool relu;     /* the activation before the norm is relu: nothing goes below 0 */
} centring;

static centring norm_gradients(cpu_trial *b) {
    const double n = (double)(b->batch * b->conv_length);
    centring c = {b->strip, b->strip + b->columns, b->block->before_norm == XC_RELU};
    for (size_t f = 0; f < b->columns; f++) {
        const double dbeta = b->sums[f], dgamma = b->sums[b->columns + f] * b->inverse[f];
        const bool centred = b->norm && b->training;
        c.centre[f] = centred ? (float)(dbeta / n) : 0;
        c.slope[f] = centred ? (float)(dgamma * b->inverse[f] / n) : 0;
        if (!b->norm || f >= b->filters) continue;
        if (b->dbeta) b->dbeta[f] += (float)dbeta;
        if (b->dgamma) b->dgamma[f] += (float)dgamma;
    }
    return c;
}

INLINE vfloat centred(const cpu_trial *b, const centring *c, vfloat z, vfloat du, size_t f) {
    const vfloat deviation = z - v_load(b->mean + f);
    vfloat dz = v_load(b->scale + f) * (du - v_load(c->centre + f) - deviation * v_load(c->slope + f));
    if (c->relu) dz = v_where(z > 0.0f, dz);
    return dz;
}

/* `rows` rows of z become dz; du (rows,Fs), or NULL: 0. */
static void plain_rows(const cpu_trial *b, const centring *c, float *z, const float *du, size_t rows) {
    for (size_t r = 0; r < rows; r++)
        for (size_t f = 0; f < b->columns; f += LANES) {
            const size_t e = r * b->columns + f;
            v_store(z + e, centred(b, c, v_load(z + e), du ? v_load(du + e) : v_set(0), f));
        }
}

/* Rows of a window that exist become dz. */
static void window_rows(const cpu_trial *b, const centring *c, float *z, size_t rows, int32_t first_place, size_t output) {
    for (size_t f = 0; f < b->columns; f += LANES) {
        const vfloat du = v_load(b->du + output * b->columns + f);
        const vint route = __builtin_convertvector(*(const vshort_memory *)(b->route + output * b->columns + f), vint);
        vint place = v_set_int(first_place);
        for (size_t p = 0; p < rows; p++, place += 1) {
            float *at = z + p * b->columns + f;
            v_store(at, centred(b, c, v_load(at), v_where(route == place, du), f));
        }
    }
}

static void pooled_backward(cpu_trial *b, const centring *c) {
    const int64_t length = (int64_t)b->conv_length, pool = b->block->pool;
    for (size_t n = 0; n < b->batch; n++) {
        int64_t start = -b->block->pool_pad_left;
        for (size_t j = 0; j < b->out_length; j++, start += pool) {
            const int64_t first = start < 0 ? 0 : start, end = start + pool < length ? start + pool : length;
            window_rows(b, c, cpu_z_row(b, n, (size_t)first), (size_t)(end - first), (int32_t)(first - start),
                        n * b->out_length + j);
        }
        if (start < length) plain_rows(b, c, cpu_z_row(b, n, (size_t)start), NULL, (size_t)(length - start));
    }
}

static void bias_gradient(cpu_trial *b) {
    double *restrict sums = b->sums;
    memset(sums, 0, b->columns * sizeof(double));
    for (size_t n = 0; n < b->batch; n++)
        for (size_t l = 0; l < b->conv_length; l++) {
            const float *dz = cpu_z_row(b, n, l); /* (Fs) */
            for (size_t f = 0; f < b->columns; f++) sums[f] += dz[f];
        }
    for (size_t f = 0; f < b->filters; f++) b->dbias[f] += (float)sums[f];
}

void xc_cpu_tail_backward(cpu_trial *b) {
    xc_cpu_norm_constants(b);
    memset(b->sums, 0, 2 * b->columns * sizeof(double));
    winners_backward(b);
    const centring c = norm_gradients(b);
    const size_t spans = b->gap ? b->batch : 1, rows = b->batch * b->conv_length / spans;
    if (b->block->pool > 1)
        pooled_backward(b, &c);
    else
        for (size_t s = 0; s < spans; s++) plain_rows(b, &c, cpu_z_row(b, s, 0), b->du + s * rows * b->columns, rows);
    if (b->dbias) bias_gradient(b);
}
