/* backend.c: the reference as a backend: its table, and memory that is the host's. Slow on purpose: it is
 * what the other backends are checked against, never what anyone trains with.
 */
#include "../host_memory.h"
#include "reference.h"

static const xc_backend reference = {
    .version = XC_BACKEND_VERSION,
    .name = "ref",
    .description = "plain C with double accumulators, for checking the others",
    HOST_MEMORY,
    .block_memory = xc_ref_block_memory,
    .motif_block_forward = xc_ref_forward_op,
    .motif_block_backward = xc_ref_backward_op,
    .conv_block_forward = xc_ref_forward_op,
    .conv_block_backward = xc_ref_backward_op,
    .dense_block_forward = xc_ref_forward_op,
    .dense_block_backward = xc_ref_backward_op,
    .add_block_forward = xc_ref_forward_op,
    .add_block_backward = xc_ref_backward_op,
    .loss = xc_ref_loss_op,
    .step = xc_ref_step_op,
    .path_points = xc_ref_path_points_op,
    .path_sum = xc_ref_path_sum_op,
    .splice = xc_ref_splice_op,
};

const xc_backend *xc_backend_reference(void) { return &reference; }
