/* motif_input.c: the first layer's gradient at its one-hot input, for attribution: dense, and not made to be fast. In
 * the one pass' way dz does not exist; its rows are made, a sequence at a time, from u, which is looked up again:
 *
 *   dz = scale (g - dbeta / n - h dgamma / n),   scale h = (u - beta) / deviation
 *
 * without the last two terms in inference and without batch norm.
 */
#include "motif.h"

/* dx[l,a] = sum over taps k and filters of kernel[k,a] dz[l + pad_left - k]. */
void xc_cpu_motif_dx(const cpu_trial *b, size_t n, const float *dz) {
    const size_t left = (size_t)b->block->pad_left;
    for (size_t l = 0; l < b->length; l++) {
        vfloat sum[4] = {{0}};
        for (size_t k = 0; k < b->width && k <= l + left; k++) {
            const float *row = dz + (l + left - k) * b->columns, *kernel = b->kernel + k * 4 * b->filters;
            if (l + left - k >= b->conv_length) continue;
            for (size_t a = 0; a < 4; a++, kernel += b->filters)
                for (size_t f = 0; f < b->filters; f += LANES)
                    sum[a] += v_load(row + f) * v_load_part(kernel + f, b->filters - f);
        }
        for (size_t a = 0; a < 4; a++) {
            float *dx = b->dx + (n * b->length + l) * 4 + a, total = 0;
            for (size_t i = 0; i < LANES; i++) total += sum[a][i];
            *dx = b->add_to_dx ? *dx + total : total;
        }
    }
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
    for (size_t n = sequences.begin; n < sequences.end; n++) {
        memset(dz, 0, b->conv_length * b->columns * sizeof(float));
        for (size_t c = 0; c < b->filters; c += MOTIF_PANEL) {
            for (size_t o = 0; o < b->out_length; o += MOTIF_STRIP)
                add_slopes(b, c, n, o, b->out_length - o < MOTIF_STRIP ? b->out_length - o : MOTIF_STRIP, dz);
            for (size_t l = 0; b->motif.paired && l < b->conv_length; l += MOTIF_STRIP)
                subtract_norm(b, c, n, l, b->conv_length - l < MOTIF_STRIP ? b->conv_length - l : MOTIF_STRIP, dz);
        }
        xc_cpu_motif_dx(b, n, dz);
    }
}
