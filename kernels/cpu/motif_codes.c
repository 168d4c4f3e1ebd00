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

/* Whether a sequence has an N. */
static bool has_runs(const xc_dna_view *dna, uint32_t index) {
    const uint32_t sequence = index & ~XC_REVERSE_COMPLEMENT;
    return dna->run_start && dna->run_start[sequence] < dna->run_start[sequence + 1];
}

/* Table rows of the words at each place, times LANES; `known` are the places that are sure to see no N. */
static void write_codes(const uint8_t *letters, size_t count, xc_range known, const uint16_t *rows,
                        uint16_t *restrict codes) {
    for (size_t i = 0; i < known.begin; i++) codes[i] = rows[letters[i] * 25 + letters[i + 1] * 5 + letters[i + 2]];
    for (size_t i = known.begin; i < known.end; i++)
        codes[i] = (uint16_t)((letters[i] * 16 + letters[i + 1] * 4 + letters[i + 2]) * LANES);
    for (size_t i = known.end; i < count; i++) codes[i] = rows[letters[i] * 25 + letters[i + 1] * 5 + letters[i + 2]];
}

void xc_cpu_motif_encode(cpu_trial *b, xc_range sequences) {
    uint8_t *letters = b->motif.letters;
    const size_t count = motif_code_count(b->conv_length, b->width), left = (size_t)b->block->pad_left;
    const size_t end = left + b->length < 2 + left ? left : left + b->length - 2;
    uint16_t rows[MOTIF_WORDS];
    for (size_t i = 0; i < MOTIF_WORDS; i++) rows[i] = (uint16_t)(motif_word(i / 25, i / 5 % 5, i % 5) * LANES);
    memset(letters, XC_BASE_N, motif_letter_count(b));
    for (size_t n = sequences.begin; n < sequences.end; n++) {
        const bool some = has_runs(b->dna, b->index[n]) || left >= count;
        const xc_range known = {some ? 0 : left, some ? 0 : end < count ? end : count};
        unpack(b->dna, b->index[n], letters + left, b->length);
        write_codes(letters, count, known, rows, b->codes + n * count);
        if (b->motif.paired) xc_cpu_motif_mask(b, n, letters);
    }
}
