/* one_hot.c: the loops over one-hot values: fold and pack. See one_hot.h.
 */
#include <string.h>

#include "one_hot.h"

/* One set of loops for each width of a cell. `stride` is a constant 1 in the calls that matter, so that they vectorise.
 */
#define DEFINE_FOLD(word, name)                                                                                       \
    static inline __attribute__((always_inline)) bool channel_##name##_by(                                            \
        uint8_t *restrict mask, const word *restrict values, size_t count, size_t stride, uint8_t bit, word one,      \
        word keep) {                                                                                                  \
        word fault = 0;                                                                                               \
        for (size_t l = 0; l < count; l++) {                                                                          \
            const word value = values[l * stride];                                                                    \
            const bool is_one = value == one;                                                                         \
            mask[l] |= is_one ? bit : 0;                                                                              \
            fault |= is_one ? (word)0 : (word)(value & keep);                                                         \
        }                                                                                                             \
        return fault != 0;                                                                                            \
    }                                                                                                                 \
    static bool channel_##name(uint8_t *mask, const word *values, size_t count, size_t stride, uint8_t bit, word one, \
                               word keep) {                                                                           \
        if (stride == 1) return channel_##name##_by(mask, values, count, 1, bit, one, keep);                          \
        return channel_##name##_by(mask, values, count, stride, bit, one, keep);                                      \
    }                                                                                                                 \
    static bool columns_##name(uint8_t *restrict mask, const word *restrict values, size_t count, word one,           \
                               word keep) {                                                                           \
        word fault = 0;                                                                                               \
        for (size_t l = 0; l < count; l++) {                                                                          \
            const word a = values[4 * l], c = values[4 * l + 1], g = values[4 * l + 2], t = values[4 * l + 3];        \
            mask[l] |= (uint8_t)((a == one) | (c == one) << 1 | (g == one) << 2 | (t == one) << 3);                   \
            fault |= (word)((a == one ? 0 : a) | (c == one ? 0 : c) | (g == one ? 0 : g) | (t == one ? 0 : t));       \
        }                                                                                                             \
        return (fault & keep) != 0;                                                                                   \
    }

DEFINE_FOLD(uint8_t, 8)
DEFINE_FOLD(uint16_t, 16)
DEFINE_FOLD(uint32_t, 32)
DEFINE_FOLD(uint64_t, 64)

bool xc_fold_channel(const xc_cell *cell, uint8_t *mask, const void *values, size_t count, size_t stride, uint8_t bit) {
    switch (cell->size) {
        case 1:
            return channel_8(mask, values, count, stride, bit, (uint8_t)cell->one, (uint8_t)cell->keep);
        case 2:
            return channel_16(mask, values, count, stride, bit, (uint16_t)cell->one, (uint16_t)cell->keep);
        case 4:
            return channel_32(mask, values, count, stride, bit, (uint32_t)cell->one, (uint32_t)cell->keep);
        default:
            return channel_64(mask, values, count, stride, bit, cell->one, cell->keep);
    }
}

bool xc_fold_columns(const xc_cell *cell, uint8_t *mask, const void *values, size_t count) {
    switch (cell->size) {
        case 1:
            return columns_8(mask, values, count, (uint8_t)cell->one, (uint8_t)cell->keep);
        case 2:
            return columns_16(mask, values, count, (uint16_t)cell->one, (uint16_t)cell->keep);
        case 4:
            return columns_32(mask, values, count, (uint32_t)cell->one, (uint32_t)cell->keep);
        default:
            return columns_64(mask, values, count, cell->one, cell->keep);
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
