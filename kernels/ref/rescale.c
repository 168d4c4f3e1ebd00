/* rescale.c: DeepLIFT's rescale rule, which takes the place of the slopes of activation and pool: of each output one
 * position is charged with the difference that the outputs of sequence and reference have.
 *
 * Source: Shrikumar, Greenside, Kundaje 2017 (arXiv 1704.02685), section 3.5.2; backend.h says what is done at pools.
 */
#include <math.h>
#include <string.h>

#include "activation.h"
#include "reference.h"

/* (a(v) - a(u)) / (v - u) where the outputs differ by `difference`. */
static double multiplier(const xc_activation *activation, double v, double u, double difference, bool same) {
    if (fabs(v - u) >= (double)xc_rescale_near(activation->kind, same)) return difference / (v - u);
    return xc_ref_activation_slope(activation, (v + u) / 2);
}

/* Outputs of one row, a reference's, with those of its sequence: `output` and `of` are their first. */
static void rescale_row(xc_ref_block *b, size_t row, size_t sequence) {
    const size_t filters = (size_t)b->block->filters, middle = (size_t)b->block->conv_length * filters;
    const size_t outputs = (size_t)b->block->out_length * filters;
    double *du = b->du + row * middle;                                                       /* (Lc,F) */
    const double *v = b->u + sequence * middle, *u = b->u + row * middle;                    /* (Lc,F) */
    const int32_t *winner = b->winner + row * outputs, *of = b->winner + sequence * outputs; /* (Lp,F) */
    for (size_t o = 0; o < outputs; o++) {
        const size_t f = o % filters, mine = (size_t)winner[o] * filters + f, its = (size_t)of[o] * filters + f;
        const double difference =
            xc_ref_activation(&b->activation, v[its]) - xc_ref_activation(&b->activation, u[mine]);
        const size_t e = difference >= 0 ? its : mine;
        du[e] = b->dy[row * outputs + o] * multiplier(&b->activation, v[e], u[e], difference, its == mine);
    }
}

void xc_ref_rescale(xc_ref_block *b) {
    const size_t rows = (size_t)b->batch, group = (size_t)b->references + 1;
    memset(b->du, 0, rows * (size_t)b->block->conv_length * (size_t)b->block->filters * sizeof(double));
    for (size_t row = 0; row < rows; row++)
        if (row % group != 0) rescale_row(b, row, row - row % group);
}
