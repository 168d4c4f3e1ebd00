/* bases.cuh: reading packed DNA: the base at a position of an index, and runs of them unpacked into shared memory.
 */
#ifndef EXPCONV_CUDA_BASES_CUH
#define EXPCONV_CUDA_BASES_CUH

#include "place.cuh"

DEVICE bool is_unknown(const xc_dna_view *dna, uint32_t sequence, uint32_t position) {
    if (!dna->run_start) return false;
    for (uint32_t r = dna->run_start[sequence]; r < dna->run_start[sequence + 1]; r++) {
        const uint32_t first = dna->runs[r] >> XC_RUN_SHIFT, length = dna->runs[r] & XC_RUN_LONGEST;
        if (position < first) return false; /* runs ascend */
        if (position < first + length) return true;
    }
    return false;
}

/* The base that is read at `position` of an index, XC_BASE_N outside of the sequence too. */
DEVICE int base_at(const xc_dna_view *dna, uint32_t index, int position) {
    const bool reverse = index & XC_REVERSE_COMPLEMENT;
    const uint32_t sequence = index & ~XC_REVERSE_COMPLEMENT;
    if (position < 0 || position >= (int)dna->length) return XC_BASE_N;
    const uint32_t at = reverse ? dna->length - 1 - (uint32_t)position : (uint32_t)position;
    if (is_unknown(dna, sequence, at)) return XC_BASE_N;
    const int base = dna->bases[(size_t)sequence * dna->row_bytes + at / 4] >> (2 * (at % 4)) & 3;
    return reverse ? 3 - base : base;
}

#endif
