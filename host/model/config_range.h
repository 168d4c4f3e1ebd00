/* config_range.h: intervals that numbers of a config must lie in, and the refusal of those that do not. Shared by the
 * files that check a config.
 */
#ifndef EXPCONV_CONFIG_RANGE_H
#define EXPCONV_CONFIG_RANGE_H

#include <math.h>

#include "config_document.h"

/* low <= value <= high, or with `above` / `below` set: low < value, value < high. */
typedef struct xc_interval {
    double low, high;
    bool above, below;
} xc_interval;

#define XC_AT_LEAST(low) \
    { low, INFINITY, false, false }
#define XC_ABOVE(low) \
    { low, INFINITY, true, false }
#define XC_FROM_TO(low, high) \
    { low, high, false, false }
#define XC_FROM_BELOW(low, high) \
    { low, high, false, true }
#define XC_BETWEEN(low, high) \
    { low, high, true, true }

/* Refuses a value that is not finite or not in the range; path: "section.key[3]", where it stands in the document. */
xc_status xc_config_check_range(const xc_document *document, const char *path, double value, xc_interval range,
                                xc_error *error);

#endif
