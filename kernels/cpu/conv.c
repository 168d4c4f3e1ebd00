/* conv.c: convolution (K = 1: dense layer) forward, weight gradient and input gradient, all by gemm.h's two kernels.
 *
 * Channels last, the K C inputs of an output position follow each other, and the next position's begin C further: a
 * product with overlapping rows. Sequences that need zeros at their ends are copied with them, a chunk at a time.
 */
#include "gemm.h"
#include "trial.h"

/* The windows of `count` sequences from number n on; copied with their zeros if they need any. */
static cpu_rows windows(cpu_trial *b, size_t n, size_t count) {
    const size_t c = b->channels, rows = b->conv_length + b->gap, left = (size_t)b->block->pad_left;
    const float *x = b->x + n * b->length * c; /* (count,L,C) */
    if (!cpu_needs_zeros(b)) return (cpu_rows){x, b->length * c, c};
    const size_t inside = rows - left < b->length ? rows - left : b->length;
    for (size_t i = 0; i < count; i++) {
        float *to = b->padded + i * rows * c;
        memset(to, 0, left * c * sizeof(float));
        memcpy(to + left * c, x + i * b->length * c, inside * c * sizeof(float));
        memset(to + (left + inside) * c, 0, (rows - left - inside) * c * sizeof(float));
    }
    return (cpu_rows){b->padded, rows * c, c};
}

void xc_cpu_conv_forward(cpu_trial *b) {
    if (b->spectral.size) return xc_cpu_spectral_forward(b);
    const size_t chunk = cpu_conv_chunk(b), depth = b->width * b->channels;
    xc_cpu_norm_begin(b);
    xc_cpu_pack(b->panels, b->kernel, depth, b->filters);
    for (size_t n = 0; n < b->batch; n += chunk) {
        const size_t count = b->batch - n < chunk ? b->batch - n : chunk;
        const cpu_rows in = windows(b, n, count);
        const cpu_rows out = {cpu_z_row(b, n, 0), (b->conv_length + b->gap) * b->columns, b->columns};
        xc_cpu_gemm(&in, &out, count, b->conv_length, b->panels, depth, b->filters, b->start, false);
    }
    xc_cpu_norm_end(b);
}

static void weight_gradient(cpu_trial *b, size_t n, size_t count) {
    const size_t samples = cpu_is_flat(b) ? 1 : count, rows = count * b->conv_length / samples;
    const cpu_rows left = windows(b, n, count);
    const cpu_rows right = {cpu_z_row(b, n, 0), (b->conv_length + b->gap) * b->columns, b->columns};
    xc_cpu_outer(&left, &right, samples, rows, b->dkernel, b->width * b->channels, b->filters, true, b->gathered);
}

void xc_cpu_input_gradient_begin(cpu_trial *b) {
    for (size_t n = 0; n <= b->batch; n++)
        memset(cpu_z_row(b, n, 0) - b->gap * b->columns, 0, b->gap * b->columns * sizeof(float));
    xc_cpu_pack_flipped(b->panels, b->kernel, b->width, b->channels, b->filters, b->columns);
}

void xc_cpu_input_gradient(cpu_trial *b, size_t n, size_t count) {
    const size_t rows = b->conv_length + b->gap;
    const cpu_rows in = {b->z + (n * rows + (size_t)b->block->pad_left) * b->columns, rows * b->columns, b->columns};
    const cpu_rows out = {b->dx + n * b->length * b->channels, b->length * b->channels, b->channels};
    xc_cpu_gemm(&in, &out, count, b->length, b->panels, b->width * b->columns, b->channels, NULL, b->add_to_dx);
}

void xc_cpu_conv_backward(cpu_trial *b) {
    if (b->spectral.size) return xc_cpu_spectral_backward(b);
    const size_t chunk = cpu_gradient_chunk(b);
    if (b->dx) xc_cpu_input_gradient_begin(b);
    for (size_t n = 0; n < b->batch; n += chunk) {
        const size_t count = b->batch - n < chunk ? b->batch - n : chunk;
        xc_cpu_tail_rows(b, n, count);
        weight_gradient(b, n, count);
        if (b->dx) xc_cpu_input_gradient(b, n, count);
    }
}
