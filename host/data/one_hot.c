/* one_hot.c: the loops over one-hot values: find, fold and pack. See one_hot.h.
 */
#include "one_hot.h"

/* One loop for each width of a cell. */
#define DEFINE_FIND(word, name)                                                                                       \
    static bool find_##name(uint8_t *restrict ones, const word *restrict values, size_t count, word one, word keep) { \
        word fault = 0;                                                                                               \
        for (size_t i = 0; i < count; i++) {                                                                          \
            const word value = values[i];                                                                             \
            const bool is_one = value == one;                                                                         \
            ones[i] = is_one;                                                                                         \
            fault |= is_one ? (word)0 : (word)(value & keep);                                                         \
        }                                                                                                             \
        return fault != 0;                                                                                            \
    }

DEFINE_FIND(uint8_t, 8)
DEFINE_FIND(uint16_t, 16)
DEFINE_FIND(uint32_t, 32)
DEFINE_FIND(uint64_t, 64)

bool xc_find_ones(const xc_cell *cell, uint8_t *ones, const void *values, size_t count) {
    switch (cell->size) {
        case 1:
            return find_8(ones, values, count, (uint8_t)cell->one, (uint8_t)cell->keep);
        case 2:
            return find_16(ones, values, count, (uint16_t)cell->one, (uint16_t)cell->keep);
        case 4:
            return find_32(ones, values, count, (uint32_t)cell->one, (uint32_t)cell->keep);
        default:
            return find_64(ones, values, count, cell->one, cell->keep);
    }
}

/* The bytes of a pattern of `size` bytes as they lie in memory. */
static void pattern_bytes(uint64_t pattern, size_t size, uint8_t *bytes) {
    const uint8_t byte = (uint8_t)pattern;
    const uint16_t half = (uint16_t)pattern;
    const uint32_t word = (uint32_t)pattern;
    memcpy(bytes,
           size == 1   ? (const void *)&byte
           : size == 2 ? (const void *)&half
           : size == 4 ? (const void *)&word
                       : &pattern,
           size);
}

/* Always called with a constant size. */
static inline __attribute__((always_inline)) bool find_shuffled(size_t size, uint8_t *restrict ones,
                                                                const uint8_t *restrict bytes, size_t stride,
                                                                size_t count, const uint8_t *one, const uint8_t *keep) {
    uint8_t fault = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t differs = 0, some = 0;
        for (size_t b = 0; b < size; b++) {
            const uint8_t byte = bytes[b * stride + i];
            differs |= byte ^ one[b];
            some |= byte & keep[b];
        }
        ones[i] = differs == 0;
        fault |= differs == 0 ? (uint8_t)0 : some;
    }
    return fault != 0;
}

bool xc_find_shuffled_ones(const xc_cell *cell, uint8_t *ones, const uint8_t *bytes, size_t stride, size_t count) {
    uint8_t one[8], keep[8];
    pattern_bytes(cell->one, cell->size, one);
    pattern_bytes(cell->keep, cell->size, keep);
    switch (cell->size) {
        case 1:
            return find_shuffled(1, ones, bytes, stride, count, one, keep);
        case 2:
            return find_shuffled(2, ones, bytes, stride, count, one, keep);
        case 4:
            return find_shuffled(4, ones, bytes, stride, count, one, keep);
        default:
            return find_shuffled(8, ones, bytes, stride, count, one, keep);
    }
}

void xc_fold_columns(uint8_t *restrict mask, const uint8_t *restrict ones, size_t count) {
    for (size_t l = 0; l < count; l++) {
        const uint8_t *column = ones + 4 * l;
        mask[l] |= (uint8_t)(column[0] | column[1] << 1 | column[2] << 2 | column[3] << 3);
    }
}

bool xc_mask_to_codes(const uint8_t *restrict mask, uint8_t *restrict codes, size_t count) {
    uint8_t fault = 0;
    for (size_t l = 0; l < count; l++) {
        const uint8_t m = mask[l];
        fault |= (uint8_t)(m & (m - 1));
        /* 1 2 4 8 to 0 1 2 3, and no bit to N. */
        codes[l] = (uint8_t)((m >> 1) - (m >> 3) + (m == 0 ? 4 : 0));
    }
    return fault != 0;
}
