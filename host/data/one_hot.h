/* one_hot.h: from one-hot values of any numeric type to base codes, in three steps that the compiler vectorises.
 *
 * Find: a stretch of values, of whatever channels, becomes one byte a value: 1 where it is one. Values are compared as
 * bit patterns in the file's own type and byte order, shuffled or not: nothing is converted, and only exactly 0 and 1
 * pass. Fold: those bytes set their channel's bit in a mask of one byte a position; the order in which channels and
 * stretches of positions arrive does not matter, so blocks of a file are folded as they come. Pack: masks become codes
 * A C G T N = 0..4. Finding and packing say only that there is a fault; who wants to know where looks again.
 */
#ifndef EXPCONV_HOST_DATA_ONE_HOT_H
#define EXPCONV_HOST_DATA_ONE_HOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The bit patterns of a numeric type, as loaded by this machine from the file's byte order. */
typedef struct xc_cell {
    size_t size;   /* bytes: 1, 2, 4 or 8 */
    uint64_t one;  /* the pattern of 1 */
    uint64_t keep; /* a value is zero when pattern & keep is 0; leaves out the sign of -0 */
} xc_cell;

/* ones (count) from values (count), aligned to the type. Returns whether some value was neither 0 nor 1. */
bool xc_find_ones(const xc_cell *cell, uint8_t *ones, const void *values, size_t count);

/* The same of values whose bytes were shuffled: byte b of value i is bytes[b * stride + i]. */
bool xc_find_shuffled_ones(const xc_cell *cell, uint8_t *ones, const uint8_t *bytes, size_t stride, size_t count);

/* memcpy for counts around ten, of which there are many: without a call. */
static inline void xc_copy_short(uint8_t *restrict to, const uint8_t *restrict from, size_t count) {
    uint64_t eight, last;
    uint32_t four, last_four;
    if (count >= 8) {
        memcpy(&last, from + count - 8, 8);
        for (size_t i = 0; i + 8 < count; i += 8) {
            memcpy(&eight, from + i, 8);
            memcpy(to + i, &eight, 8);
        }
        memcpy(to + count - 8, &last, 8);
    } else if (count >= 4) {
        memcpy(&four, from, 4);
        memcpy(&last_four, from + count - 4, 4);
        memcpy(to, &four, 4);
        memcpy(to + count - 4, &last_four, 4);
    } else {
        for (size_t i = 0; i < count; i++) to[i] = from[i];
    }
}

/* Eight positions at once; no bit can leave its byte. */
static inline uint64_t xc_folded_eight(const uint8_t *mask, const uint8_t *ones, unsigned channel) {
    uint64_t masks, found;
    memcpy(&masks, mask, sizeof masks);
    memcpy(&found, ones, sizeof found);
    return masks | found << channel;
}

/* Folds ones (count), `stride` apart, of a channel (0 1 2 3 for A C G T) into mask (count). In the header, as stretches
 * are short: a chunk may have few positions. */
static inline void xc_fold_channel(uint8_t *restrict mask, const uint8_t *restrict ones, size_t count, size_t stride,
                                   unsigned channel) {
    if (stride != 1 || count < 8) {
        for (size_t l = 0; l < count; l++) mask[l] |= (uint8_t)(ones[l * stride] << channel);
        return;
    }
    /* The last eight overlap others, and must not wait for their stores. */
    const uint64_t last = xc_folded_eight(mask + count - 8, ones + count - 8, channel);
    for (size_t l = 0; l + 8 < count; l += 8) {
        const uint64_t masks = xc_folded_eight(mask + l, ones + l, channel);
        memcpy(mask + l, &masks, sizeof masks);
    }
    memcpy(mask + count - 8, &last, sizeof last);
}

/* Folds ones (count,4) into mask (count). */
void xc_fold_columns(uint8_t *mask, const uint8_t *ones, size_t count);

/* codes (count) from mask (count). Returns whether some position had more than one 1. */
bool xc_mask_to_codes(const uint8_t *mask, uint8_t *codes, size_t count);

#endif
