/* backend.c: the reference as a backend: its table, and memory that is the host's. Slow on purpose: it is
 * what the other backends are checked against, never what anyone trains with.
 */
#include <stdlib.h>
#include <string.h>

#include "reference.h"

static void *allocate(const xc_backend *backend, size_t bytes) {
    (void)backend;
    const size_t whole = (bytes + 63) / 64 * 64;
    if (whole < bytes) return NULL;
    void *memory = aligned_alloc(64, whole ? whole : 64);
    if (memory) memset(memory, 0, whole ? whole : 64);
    return memory;
}

static void release(const xc_backend *backend, void *memory) {
    (void)backend;
    free(memory);
}

static void copy(const xc_backend *backend, void *to, const void *from, size_t bytes) {
    (void)backend;
    if (bytes > 0) memcpy(to, from, bytes);
}

static void zero(const xc_backend *backend, void *memory, size_t bytes) {
    (void)backend;
    if (bytes > 0) memset(memory, 0, bytes);
}

static const xc_backend reference = {
    .version = XC_BACKEND_VERSION,
    .name = "ref",
    .description = "plain C with double accumulators, for checking the others",
    .host_memory = true,
    .allocate = allocate,
    .release = release,
    .upload = copy,
    .download = copy,
    .copy = copy,
    .zero = zero,
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
};

const xc_backend *xc_backend_reference(void) { return &reference; }
