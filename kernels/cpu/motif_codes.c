/* motif_codes.c: packed sequences to letters (A C G T N = 0..4, reverse complement applied, N beyond the ends) and to
 * the numbers of the words of three letters that begin at each place.
 */
#include "motif.h"

/* The four letters of a byte of packed bases, lowest first. */
static inline uint32_t four_letters(uint32_t byte) {
    const uint32_t pairs = (byte | byte << 12) & 0x000f000fu; /* two letters in each half */
    return (pairs | pairs << 6) & 0x03030303u;
}

/* Letters of one sequence at letters[0..L). */
static void unpack(const xc_dna_view *dna, uint32_t index, uint8_t *letters, size_t length) {
    const bool reverse = index & XC_REVERSE_COMPLEMENT;
    const uint32_t sequence = index & ~XC_REVERSE_COMPLEMENT;
    const uint8_t *row = dna->bases + (size_t)sequence * dna->row_bytes;
    size_t l = 0;
    for (; !reverse && l + 4 <= length; l += 4) {
        const uint32_t four = four_letters(row[l / 4]);
        memcpy(letters + l, &four, 4);
    }
    for (; reverse && l + 4 <= length; l += 4) {
        const uint32_t four = __builtin_bswap32(0x03030303u - four_letters(row[l / 4]));
        memcpy(letters + length - 4 - l, &four, 4);
    }
    for (; l < length; l++) {
        const uint8_t letter = row[l / 4] >> 2 * (l % 4) & 3;
        letters[reverse ? length - 1 - l : l] = reverse ? 3 - letter : letter;
    }
    if (!dna->run_start) return;
    for (uint32_t r = dna->run_start[sequence]; r < dna->run_start[sequence + 1]; r++) {
        const size_t first = dna->runs[r] >> XC_RUN_SHIFT, count = dna->runs[r] & XC_RUN_LONGEST;
        memset(letters + (reverse ? length - first - count : first), XC_BASE_N, count);
    }
}

void xc_cpu_motif_encode(cpu_trial *b, xc_range sequences) {
    uint8_t *letters = b->motif.letters;
    const size_t codes = motif_code_count(b->conv_length, b->width), left = (size_t)b->block->pad_left;
    uint16_t rows[MOTIF_WORDS];
    for (size_t i = 0; i < MOTIF_WORDS; i++) rows[i] = (uint16_t)(motif_word(i / 25, i / 5 % 5, i % 5) * LANES);
    memset(letters, XC_BASE_N, motif_letter_count(b));
    for (size_t n = sequences.begin; n < sequences.end; n++) {
        uint16_t *restrict code = b->codes + n * codes;
        unpack(b->dna, b->index[n], letters + left, b->length);
        for (size_t i = 0; i < codes; i++) code[i] = rows[letters[i] * 25 + letters[i + 1] * 5 + letters[i + 2]];
        if (b->motif.paired) xc_cpu_motif_mask(b, n, letters);
    }
}
