/* motif_block.c: the first layer on packed DNA. The reference unpacks it to one-hot columns (A C G T; N is a column of
 * zeros) and convolves those, which is what the layer means; fast backends look sums up in tables instead.
 *
 * A reverse complement is read from its end with A<->T, C<->G, that is 3 - base; an N stays an N.
 */
#include "reference.h"

#include <string.h>

/* Base at `position` of a stored row, without regard to N. */
static int32_t packed_base(const xc_dna_view *dna, uint32_t sequence, uint32_t position) {
    const uint8_t *row = dna->bases + (size_t)sequence * dna->row_bytes;
    return row[position / 4] >> (2 * (position % 4)) & 3;
}

static bool is_unknown(const xc_dna_view *dna, uint32_t sequence, uint32_t position) {
    if (!dna->run_start) return false;
    for (uint32_t r = dna->run_start[sequence]; r < dna->run_start[sequence + 1]; r++) {
        const uint32_t first = dna->runs[r] >> XC_RUN_SHIFT, length = dna->runs[r] & XC_RUN_LONGEST;
        if (position >= first && position < first + length) return true;
    }
    return false;
}

static int32_t base_at(const xc_dna_view *dna, uint32_t index, uint32_t position) {
    const bool reverse = index & XC_REVERSE_COMPLEMENT;
    const uint32_t sequence = index & ~XC_REVERSE_COMPLEMENT;
    if (reverse) position = dna->length - 1 - position;
    if (is_unknown(dna, sequence, position)) return XC_BASE_N;
    const int32_t base = packed_base(dna, sequence, position);
    return reverse ? 3 - base : base;
}

static void motif_load(const xc_block_args *args, int32_t trial, xc_ref_block *b) {
    const size_t batch = (size_t)args->batch, length = (size_t)args->block->length;
    const uint32_t *index = args->index + (size_t)trial * batch; /* (N) */
    memset(b->x, 0, batch * length * 4 * sizeof(double));
    for (size_t n = 0; n < batch; n++)
        for (size_t l = 0; l < length; l++) {
            const int32_t base = base_at(args->dna, index[n], (uint32_t)l);
            if (base != XC_BASE_N) b->x[(n * length + l) * 4 + (size_t)base] = 1;
        }
}

static void motif_forward(xc_ref_block *b) { xc_ref_conv.forward(b); }
static void motif_backward(xc_ref_block *b) { xc_ref_conv.backward(b); }

const xc_ref_linear xc_ref_motif = {motif_load, motif_forward, motif_backward};
