/* motif_input.c: the first layer's gradient at its one-hot input, for attribution: a product
 * of dz with the kernel for all taps, whose rows are then added up. In the one pass' way dz does not exist; its rows
 * are made, a sequence at a time, from u, which is looked up again:
 *
 *   dz = scale (g - dbeta / n - h dgamma / n),   scale h = (u - beta) / deviation
 *
 * without the last two terms in inference and without batch norm.
 */
#include "gemm.h"
#include "motif.h"

/* A position's gradients for the four letters. */
typedef float vletters __attribute__((vector_size(16), aligned(4)));

/* Floats of a row of products: (K,4), whole vectors. */
INLINE size_t product_row(const cpu_trial *b) { return round_up(4 * b->width, LANES); }

void xc_cpu_motif_dx_begin(cpu_trial *b) {
    const size_t taps = 4 * b->width;
    xc_cpu_transpose(b->motif.turned, b->kernel, taps, b->filters, taps, b->filters);
    xc_cpu_pack(b->motif.turned_panels, b->motif.turned, b->filters, taps, cpu_all_panels(taps));
}

/* dx[l,a] = sum over taps k of products[l + pad_left - k][k,a], these being sums of kernel[k,a] dz over filters. */
void xc_cpu_motif_dx(const cpu_trial *b, size_t n, const float *dz, size_t stride) {
    const size_t left = (size_t)b->block->pad_left, wide = product_row(b);
    const cpu_rows in = {dz, 0, stride}, out = {b->motif.products, 0, wide};
    xc_cpu_gemm(&in, &out, 1, b->conv_length, b->motif.turned_panels, b->filters, 4 * b->width, NULL, false,
                cpu_all_panels(4 * b->width));
    for (size_t l = 0; l < b->length; l++) {
        vletters total = {0};
        const size_t end = l + left < b->width ? l + left + 1 : b->width; /* of the taps that reach a position */
        for (size_t k = l + left >= b->conv_length ? l + left - b->conv_length + 1 : 0; k < end; k++)
            total += *(const vletters *)(b->motif.products + (l + left - k) * wide + 4 * k);
        vletters *dx = (vletters *)(b->dx + (n * b->length + l) * 4);
        *dx = b->add_to_dx ? *dx + total : total;
    }
}

/* Whether dy is dz already. */
static bool is_bare(const cpu_trial *b) {
    return b->activation.kind == XC_LINEAR && b->block->pool == 1 && !b->norm && !b->dropped;
}

/* Adds scale g of outputs first .. first + rows - 1 of sequence n, panel c, to their rows of dz. */
static void add_slopes(const cpu_trial *b, size_t c, size_t n, size_t first, size_t rows, float *dz) {
    const size_t wide = (size_t)motif_vectors(b, c) * LANES;
    float g[MOTIF_STRIP_FLOATS];
    xc_cpu_motif_slopes(b, c, n, first, rows, g);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < wide; i++) {
            size_t l = first + r;
            if (b->block->pool > 1) {
                const uint16_t route = b->route[(n * b->out_length + l) * b->columns + c + i];
                if (route == ROUTE_DROPPED) continue;
                l = l * (size_t)b->block->pool + route - (size_t)b->block->pool_pad_left;
            }
            dz[l * b->columns + c + i] += g[r * wide + i] * (float)b->motif.factor[c + i];
        }
}

/* Minus what flows through the batch's mean and variance, in rows first .. first + rows - 1 of dz. */
static void subtract_norm(const cpu_trial *b, size_t c, size_t n, size_t first, size_t rows, float *dz) {
    const size_t wide = (size_t)motif_vectors(b, c) * LANES;
    const double count = (double)(b->batch * b->conv_length);
    float u[MOTIF_STRIP_FLOATS];
    motif_look_up_strip(b, c, n, first, rows, u);
    for (size_t i = 0; i < wide; i++) {
        const size_t f = c + i;
        const double level = b->motif.dbeta[f] * b->motif.factor[f] / count;
        const double slope = b->motif.dgamma[f] * b->motif.inverse[f] / count;
        for (size_t r = 0; r < rows; r++)
            dz[(first + r) * b->columns + f] -= (float)(level + (u[r * wide + i] - b->motif.offset[f]) * slope);
    }
}

void xc_cpu_motif_fused_dx(cpu_trial *b, xc_range sequences) {
    float *dz = b->motif.rows; /* (Lc,Fs) */
    xc_cpu_motif_dx_begin(b);
    for (size_t n = sequences.begin; is_bare(b) && n < sequences.end; n++)
        xc_cpu_motif_dx(b, n, b->dy + n * b->conv_length * b->filters, b->filters);
    if (is_bare(b)) return;
    for (size_t n = sequences.begin; n < sequences.end; n++) {
        memset(dz, 0, b->conv_length * b->columns * sizeof(float));
        for (size_t c = 0; c < b->filters; c += MOTIF_PANEL) {
            for (size_t o = 0; o < b->out_length; o += MOTIF_STRIP)
                add_slopes(b, c, n, o, b->out_length - o < MOTIF_STRIP ? b->out_length - o : MOTIF_STRIP, dz);
            for (size_t l = 0; b->motif.paired && l < b->conv_length; l += MOTIF_STRIP)
                subtract_norm(b, c, n, l, b->conv_length - l < MOTIF_STRIP ? b->conv_length - l : MOTIF_STRIP, dz);
        }
        xc_cpu_motif_dx(b, n, dz, b->columns);
    }
}
