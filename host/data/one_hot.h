/* one_hot.h: from one-hot values of any numeric type to base codes, in two steps that the compiler vectorises.
 *
 * Fold: every value that is one sets its channel's bit in a mask of one byte a position; the order in which channels
 * and stretches of positions arrive does not matter, so blocks of a file are folded as they come. Values are compared
 * as bit patterns in the file's own type and byte order: nothing is converted, and only exactly 0 and 1 pass. Pack:
 * masks become codes A C G T N = 0..4. Both say only that there is a fault; who wants to know where looks again.
 */
#ifndef EXPCONV_HOST_DATA_ONE_HOT_H
#define EXPCONV_HOST_DATA_ONE_HOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bit patterns of a numeric type, as loaded by this machine from the file's byte order. */
typedef struct xc_cell {
    size_t size;   /* bytes: 1, 2, 4 or 8 */
    uint64_t one;  /* the pattern of 1 */
    uint64_t keep; /* a value is zero when pattern & keep is 0; leaves out the sign of -0 */
} xc_cell;

/* Folds `count` values, `stride` elements apart, of the channel whose bit is `bit` (1 2 4 8 for A C G T) into
 * mask (count). Returns whether some value was neither 0 nor 1. `values` is aligned to the type. */
bool xc_fold_channel(const xc_cell *cell, uint8_t *mask, const void *values, size_t count, size_t stride, uint8_t bit);

/* Folds values (count,4). The same otherwise. */
bool xc_fold_columns(const xc_cell *cell, uint8_t *mask, const void *values, size_t count);

/* codes (count) from mask (count). Returns whether some position had more than one 1. */
bool xc_mask_to_codes(const uint8_t *mask, uint8_t *codes, size_t count);

#endif
