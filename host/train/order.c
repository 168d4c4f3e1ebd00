/* order.c: the order in which a trial sees its training items: a function of its seed and the epoch, and of nothing
 * else, so that it does not depend on the pack, the threads or a resume.
 */
#include "room.h"

/* Source: Fisher and Yates, in Durstenfeld's form. */
void xc_epoch_order(const xc_split *split, uint64_t seed, uint32_t epoch, uint32_t *order) {
    const size_t items = xc_split_items(split);
    for (size_t i = 0; i < items; i++) order[i] = xc_split_index(split, i);
    xc_random_sequence sequence = {.seed = seed, .stream = XC_STREAM_ORDER, .substream = epoch};
    for (size_t i = items; i > 1; i--) {
        const uint32_t j = xc_random_below(&sequence, (uint32_t)i);
        const uint32_t swapped = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swapped;
    }
}
