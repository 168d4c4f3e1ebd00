/* ops.c: the block ops, one trial after another, and the table of this instruction set.
 */
#include "../host_memory.h"
#include "dispatch.h"
#include "trial.h"

/* ---- the sum of two inputs --------------------------------------------------------------------------------------- */

static void add_range(cpu_trial *b, size_t first, size_t sequences, double *partial_sums) {
    for (size_t r = first * b->conv_length; r < (first + sequences) * b->conv_length; r++) {
        const float *x = b->x + r * b->filters;                              /* (F) */
        const float *x_skip = b->x_skip ? b->x_skip + r * b->filters : NULL; /* (F) */
        float *z = b->z + r * b->columns;                                    /* (Fs) */
        for (size_t f = 0; f < b->columns; f += LANES) {
            const size_t left = b->filters - f;
            const vfloat skip = x_skip ? v_load_part(x_skip + f, left) : v_set(0);
            v_store(z + f, v_load_part(x + f, left) + skip + v_load(b->start + f));
        }
    }
    xc_cpu_norm_range(b, first, sequences, partial_sums);
}

static void add_forward(cpu_trial *b) {
    xc_cpu_norm_begin(b);
    xc_cpu_each_range(b, add_range);
    xc_cpu_norm_end(b);
}

static void add_back_range(cpu_trial *b, size_t first, size_t sequences, double *partial_sums) {
    (void)partial_sums;
    xc_cpu_tail_rows(b, first, sequences);
    for (size_t r = first * b->conv_length; r < (first + sequences) * b->conv_length; r++) {
        const float *dz = b->z + r * b->columns; /* (Fs) */
        for (size_t f = 0; f < b->columns; f += LANES) {
            const size_t left = b->filters - f, at = r * b->filters + f;
            const vfloat gradient = v_load(dz + f);
            const vfloat before = b->dx && b->add_to_dx ? v_load_part(b->dx + at, left) : v_set(0);
            if (b->dx) v_store_part(b->dx + at, before + gradient, left);
            if (b->dx_skip) v_store_part(b->dx_skip + at, gradient, left);
        }
    }
}

static void add_backward(cpu_trial *b) { xc_cpu_each_range(b, add_back_range); }

/* ---- ops --------------------------------------------------------------------------------------------------------- */

typedef void linear_part(cpu_trial *b);

static xc_status forward(const xc_block_args *args, linear_part *linear, xc_error *error) {
    if (args->block->pool >= (int32_t)ROUTE_DROPPED)
        return xc_fail(error, XC_DEVICE, "pool %d is wider than the CPU backend's %d; use a smaller one",
                       args->block->pool, (int)ROUTE_DROPPED - 1);
    for (int32_t t = 0; t < args->trials; t++) {
        cpu_trial b;
        xc_cpu_load(args, (size_t)t, &b);
        linear(&b);
        if (args->block->kind != XC_BLOCK_MOTIF) xc_cpu_tail_forward(&b); /* the motif block has done its own */
    }
    return XC_OK;
}

static xc_status backward(const xc_block_args *args, linear_part *linear, xc_error *error) {
    (void)error;
    for (int32_t t = 0; t < args->trials; t++) {
        cpu_trial b;
        xc_cpu_load(args, (size_t)t, &b);
        const bool own_tail = args->block->kind == XC_BLOCK_MOTIF;
        if (!own_tail) xc_cpu_tail_begin(&b);
        linear(&b);
        if (!own_tail) xc_cpu_tail_end(&b);
    }
    return XC_OK;
}

#define OP(name, direction, linear)                                                                              \
    static xc_status name##_##direction(const xc_backend *backend, const xc_block_args *args, xc_error *error) { \
        (void)backend;                                                                                           \
        return direction(args, linear, error);                                                                   \
    }
OP(motif_block, forward, xc_cpu_motif_forward)
OP(motif_block, backward, xc_cpu_motif_backward)
OP(conv_block, forward, xc_cpu_conv_forward)
OP(conv_block, backward, xc_cpu_conv_backward)
OP(add_block, forward, add_forward)
OP(add_block, backward, add_backward)

const xc_backend XC_ISA_NAME(xc_cpu_table) = {
    .version = XC_BACKEND_VERSION,
    .name = "cpu",
    .description = CPU_DESCRIPTION(XC_ISA),
    HOST_MEMORY,
    .block_memory = xc_cpu_block_memory,
    .motif_block_forward = motif_block_forward,
    .motif_block_backward = motif_block_backward,
    .conv_block_forward = conv_block_forward,
    .conv_block_backward = conv_block_backward,
    .dense_block_forward = conv_block_forward, /* a convolution of width 1 over N positions */
    .dense_block_backward = conv_block_backward,
    .add_block_forward = add_block_forward,
    .add_block_backward = add_block_backward,
    .loss = xc_cpu_loss,
    .step = xc_cpu_step,
    .path_points = xc_cpu_path_points,
    .path_sum = xc_cpu_path_sum,
    .splice = xc_cpu_splice,
};
