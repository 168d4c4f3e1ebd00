/* zen4.c: the CPU backend of AMD's Zen 4, which does a vector of AVX-512 in two halves: lanes that stand for no filter
 * and no channel cost it as much as those that do. A block whose tensors fill AVX2's vectors much better than AVX-512's
 * goes to AVX2's ops, all else to AVX-512's. What is chosen depends on the block alone, as its saved memory is laid out
 * by the set that computes it.
 */
#if defined(__x86_64__)
#include <cpuid.h>

#include "../host_memory.h"
#include "dispatch.h"

#define FAMILY_ZEN_3_AND_4 0x19

bool xc_cpu_is_zen_3_or_4(void) {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx) || ebx != signature_AMD_ebx || ecx != signature_AMD_ecx) return false;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return false;
    const unsigned family = (eax >> 8 & 0xF) + (eax >> 20 & 0xFF);
    return family == FAMILY_ZEN_3_AND_4;
}

/* Lanes that vectors of `lanes` spend on a count, as a part of those that are wanted. */
static double spent(int32_t count, int32_t lanes) {
    return (double)((count + lanes - 1) / lanes * lanes) / (double)count;
}

/* Columns are filters in two of three products (forward and the weight gradient), channels in the third; a first layer
 * has no third. */
static double lanes_spent(const xc_block *block, int32_t lanes) {
    if (block->kind == XC_BLOCK_MOTIF) return spent(block->filters, lanes);
    return (2 * spent(block->filters, lanes) + spent(block->channels, lanes)) / 3;
}

static const xc_backend *best_for(const xc_block *block) {
    return lanes_spent(block, 16) > 1.1 * lanes_spent(block, 8) ? &xc_cpu_table_avx2 : &xc_cpu_table_avx512;
}

static void block_memory(const xc_backend *backend, const xc_block *block, int32_t batch, xc_block_memory *memory) {
    (void)backend;
    const xc_backend *best = best_for(block);
    best->block_memory(best, block, batch, memory);
}

#define BLOCK_OP(name)                                                                             \
    static xc_status name(const xc_backend *backend, const xc_block_args *args, xc_error *error) { \
        (void)backend;                                                                             \
        const xc_backend *best = best_for(args->block);                                            \
        return best->name(best, args, error);                                                      \
    }
BLOCK_OP(motif_block_forward)
BLOCK_OP(motif_block_backward)
BLOCK_OP(conv_block_forward)
BLOCK_OP(conv_block_backward)
BLOCK_OP(dense_block_forward)
BLOCK_OP(dense_block_backward)
BLOCK_OP(add_block_forward)
BLOCK_OP(add_block_backward)

#define OTHER_OP(name, args_type)                                                              \
    static xc_status name(const xc_backend *backend, const args_type *args, xc_error *error) { \
        (void)backend;                                                                         \
        return xc_cpu_table_avx512.name(&xc_cpu_table_avx512, args, error);                    \
    }
OTHER_OP(loss, xc_loss_args)
OTHER_OP(step, xc_step_args)
OTHER_OP(path_points, xc_path_args)
OTHER_OP(path_sum, xc_path_args)
OTHER_OP(splice, xc_splice_args)

const xc_backend xc_cpu_table_zen4 = {
    .version = XC_BACKEND_VERSION,
    .name = "cpu",
    .description = "instruction sets avx512 and avx2, for each block the better on Zen 4, chosen from " CPU_SET_WORDS,
    HOST_MEMORY,
    .block_memory = block_memory,
    .motif_block_forward = motif_block_forward,
    .motif_block_backward = motif_block_backward,
    .conv_block_forward = conv_block_forward,
    .conv_block_backward = conv_block_backward,
    .dense_block_forward = dense_block_forward,
    .dense_block_backward = dense_block_backward,
    .add_block_forward = add_block_forward,
    .add_block_backward = add_block_backward,
    .loss = loss,
    .step = step,
    .path_points = path_points,
    .path_sum = path_sum,
    .splice = splice,
};
#endif
