/* answers_precision.c: what a convolution's products are made of under each precision: exactly the factors rounded to
 * nearest, ties to even, with sums as good as float32's. The expected values are double sums of factors that are
 * rounded here, by arithmetic. Backends in host memory compute in float32 whatever is asked for.
 */
#include "ops_test.h"

enum { N = 3, L = 11, K = 3, MOST_C = 8, MOST_F = 72 };

/* The nearest number with `bits` bits of mantissa, the first one included. */
static double rounded(double x, int bits) {
    int exponent;
    const double mantissa = frexp(x, &exponent);
    return ldexp(rint(ldexp(mantissa, bits)), exponent - bits);
}

static const int BITS[XC_PRECISION_COUNT] = {24, 11, 8};

typedef struct conv {
    block_case c;
    int channels, filters, bits;
    float x[N * L * MOST_C], kernel[K * MOST_C * MOST_F], dy[N * L * MOST_F], zeros[K * MOST_C * MOST_F];
    float running[64], dx[N * L * MOST_C];
} conv;

static void fill(float *values, size_t count, uint32_t substream) {
    xc_random_sequence draw = {.seed = 9, .stream = XC_STREAM_SIMULATE, .substream = substream};
    for (size_t i = 0; i < count; i++) values[i] = (float)(xc_uniform(xc_random_next(&draw)) * 2 - 1);
}

static void make(conv *v, int channels, int filters, xc_precision precision, int bits) {
    const size_t kernel = (size_t)(K * channels * filters);
    *v = (conv){.channels = channels, .filters = filters, .bits = bits};
    v->c = (block_case){.text = "precision", .trials = 1, .batch = N, .training = 1, .wants_dx = true};
    v->c.block = (xc_block){.kind = XC_BLOCK_CONV,
                            .length = L,
                            .channels = channels,
                            .width = K,
                            .pad_left = 1,
                            .conv_length = L,
                            .filters = filters,
                            .pool = 1,
                            .out_length = L,
                            .precision = precision,
                            .bias = XC_ABSENT,
                            .gamma = XC_ABSENT,
                            .beta = XC_ABSENT};
    v->c.in_count = (size_t)(N * L * channels);
    v->c.middle_count = v->c.out_count = (size_t)(N * L * filters);
    v->c.parameter_stride = kernel;
    v->c.running_stride = 64;
    v->c.x = v->x, v->c.parameters = v->kernel, v->c.gradients = v->zeros, v->c.running = v->running;
    v->c.dy = v->dy, v->c.dx = v->dx;
    fill(v->x, v->c.in_count, 1);
    fill(v->kernel, kernel, 2);
    fill(v->dy, v->c.out_count, 3);
}

/* Adds all products of the formula, of factors with so many bits: y, dx and dkernel. */
static void expect(const conv *v, int bits, double *y, double *dx, double *dkernel) {
    const int channels = v->channels, filters = v->filters;
    memset(y, 0, v->c.out_count * sizeof *y);
    memset(dx, 0, v->c.in_count * sizeof *dx);
    memset(dkernel, 0, v->c.parameter_stride * sizeof *dkernel);
    for (int i = 0; i < N * L * K * channels * filters; i++) {
        const int f = i % filters, c = i / filters % channels, k = i / filters / channels % K;
        const int row = i / filters / channels / K, at = row % L + k - 1;
        if (at < 0 || at >= L) continue;
        const int out = row * filters + f, in = (row - row % L + at) * channels + c,
                  w = (k * channels + c) * filters + f;
        const double x = rounded(v->x[in], bits), weight = rounded(v->kernel[w], bits), dy = rounded(v->dy[out], bits);
        y[out] += x * weight;
        dx[in] += dy * weight;
        dkernel[w] += x * dy;
    }
}

static double largest_difference(const double *a, const double *b, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

static void check(const xc_backend *backend, int channels, int filters, xc_precision precision) {
    static conv v;
    static double y[N * L * MOST_F], dx[N * L * MOST_C], dkernel[K * MOST_C * MOST_F], exact[N * L * MOST_F];
    const int bits = backend->host_memory ? 24 : BITS[precision];
    make(&v, channels, filters, precision, bits);
    expect(&v, 24, exact, dx, dkernel);
    expect(&v, bits, y, dx, dkernel);
    if (bits < 24) assert_true(largest_difference(y, exact, v.c.out_count) > ldexp(1, -bits - 2)); /* it can be seen */
    results r = run_block(backend, &v.c, 0, 1, true);
    check_near(r.y, y, NULL, v.c.out_count, 2e-6, 0, "y", "precision");
    check_near(r.dx, dx, NULL, v.c.in_count, 2e-6, 0, "dx", "precision");
    check_near(r.gradients, dkernel, NULL, v.c.parameter_stride, 2e-6, 0, "dkernel", "precision");
    results_free(&r);
}

void answer_precision(void **state) {
    const xc_backend *backend = ((const op_test *)*state)->backend;
    for (int precision = 0; precision < XC_PRECISION_COUNT; precision++) {
        check(backend, 5, 7, (xc_precision)precision);
        check(backend, 8, 72, (xc_precision)precision);
    }
}
