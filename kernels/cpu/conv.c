/* conv.c: convolution (K = 1: dense layer) forward, weight gradient and input gradient, all by gemm.h's two kernels.
 *
 * Channels last, the K C inputs of an output position follow each other, and the next position's begin C further: a
 * product with overlapping rows. Sequences that need zeros at their ends are copied with them, a chunk at a time.
 */
#include "gemm.h"
#include "trial.h"

/* The windows of sequences number i .. i + count - 1 of the chunk that begins at n; copied with their zeros, to their
 * place in the chunk, if they need any. */
static cpu_rows windows(const cpu_trial *b, size_t n, size_t i, size_t count) {
    const size_t c = b->channels, rows = b->conv_length + b->gap, left = (size_t)b->block->pad_left;
    const float *x = b->x + (n + i) * b->length * c; /* (count,L,C) */
    if (!cpu_needs_zeros(b)) return (cpu_rows){x, b->length * c, c};
    const size_t inside = rows - left < b->length ? rows - left : b->length;
    float *to = b->padded + i * rows * c;
    const cpu_rows copied = {to, rows * c, c};
    for (; count > 0; count--, x += b->length * c, to += rows * c) {
        memset(to, 0, left * c * sizeof(float));
        memcpy(to + left * c, x, inside * c * sizeof(float));
        memset(to + (left + inside) * c, 0, (rows - left - inside) * c * sizeof(float));
    }
    return copied;
}

/* Rows of z of `count` sequences from n on. */
static cpu_rows z_rows(const cpu_trial *b, size_t n) {
    return (cpu_rows){cpu_z_row(b, n, 0), (b->conv_length + b->gap) * b->columns, b->columns};
}

/* Threads share the sequences of each chunk, or the columns where a sequence is one row. */
static void forward(void *context, int thread, int threads) {
    const cpu_trial *b = context;
    const size_t chunk = cpu_conv_chunk(b), depth = b->width * b->channels, panels = xc_cpu_panels(b->filters);
    const bool flat = cpu_is_flat(b);
    const xc_range packed = xc_share(panels, thread, threads), which = flat ? packed : cpu_all_panels(b->filters);
    xc_cpu_pack(b->panels, b->kernel, depth, b->filters, packed);
    if (!flat) xc_team_barrier(b->team);
    for (size_t n = 0; n < b->batch; n += chunk) {
        const size_t count = b->batch - n < chunk ? b->batch - n : chunk;
        const xc_range own = flat ? (xc_range){0, count} : xc_share(count, thread, threads);
        const cpu_rows in = windows(b, n, own.begin, own.end - own.begin), out = z_rows(b, n + own.begin);
        xc_cpu_gemm(&in, &out, own.end - own.begin, b->conv_length, b->panels, depth, b->filters, b->start, false,
                    which);
    }
}

void xc_cpu_conv_forward(cpu_trial *b) {
    if (b->spectral.size) return xc_cpu_spectral_forward(b);
    xc_cpu_norm_begin(b);
    xc_team_run(b->team, forward, b);
    xc_cpu_each_range(b, xc_cpu_norm_range);
    xc_cpu_norm_end(b);
}

static void weight_gradient(const cpu_trial *b, const cpu_rows *left, size_t n, size_t count, xc_range panels) {
    const size_t samples = cpu_is_flat(b) ? 1 : count, rows = count * b->conv_length / samples;
    const cpu_rows right = z_rows(b, n);
    xc_cpu_outer(left, &right, samples, rows, b->dkernel, b->width * b->channels, b->filters, true, b->gathered,
                 panels);
}

static void pack_for_input(cpu_trial *b, xc_range panels) {
    xc_cpu_pack_flipped(b->panels, b->kernel, b->width, b->channels, b->filters, b->columns, panels);
}

static void clear_gaps(cpu_trial *b) {
    for (size_t n = 0; n <= b->batch; n++)
        memset(cpu_z_row(b, n, 0) - b->gap * b->columns, 0, b->gap * b->columns * sizeof(float));
}

/* dx of sequences whose dz is there. */
static void input_gradient(const cpu_trial *b, size_t n, size_t count) {
    const size_t rows = b->conv_length + b->gap;
    const cpu_rows in = {b->z + (n * rows + (size_t)b->block->pad_left) * b->columns, rows * b->columns, b->columns};
    const cpu_rows out = {b->dx + n * b->length * b->channels, b->length * b->channels, b->channels};
    xc_cpu_gemm(&in, &out, count, b->length, b->panels, b->width * b->columns, b->channels, NULL, b->add_to_dx,
                cpu_all_panels(b->channels));
}

/* Threads share the sequences of each chunk; for the weight gradient, which sums over all of them, its columns. */
static void backward(void *context, int thread, int threads) {
    cpu_trial own = *(cpu_trial *)context, *b = &own;
    const size_t chunk = cpu_gradient_chunk(b);
    const xc_range panels = xc_share(xc_cpu_panels(b->filters), thread, threads);
    xc_cpu_take_thread(b, thread);
    if (b->dx) pack_for_input(b, xc_share(xc_cpu_panels(b->channels), thread, threads));
    for (size_t n = 0; n < b->batch; n += chunk) {
        const size_t count = b->batch - n < chunk ? b->batch - n : chunk;
        const xc_range share = xc_share(count, thread, threads);
        xc_team_barrier(b->team); /* the kernel is packed, and nobody reads the last chunk's windows */
        cpu_rows left = windows(b, n, share.begin, share.end - share.begin);
        left.first -= share.begin * left.sample_stride;
        xc_cpu_tail_rows(b, n + share.begin, share.end - share.begin);
        if (b->dx) input_gradient(b, n + share.begin, share.end - share.begin);
        xc_team_barrier(b->team);
        if (b->dkernel) weight_gradient(b, &left, n, count, panels);
    }
}

void xc_cpu_conv_backward(cpu_trial *b) {
    if (xc_cpu_winners_suffice(b)) return xc_cpu_winners_backward(b);
    if (b->spectral.size) return xc_cpu_spectral_backward(b);
    if (b->dx) clear_gaps(b);
    xc_team_run(b->team, backward, b);
}
