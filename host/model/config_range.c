/* config_range.c: the check of one number of a config against its interval, and the words for it.
 */
#include "config_range.h"

#include "config_schema.h"

xc_status xc_config_check_range(const xc_document *document, const char *path, double value, xc_interval range,
                                xc_error *error) {
    const bool high_enough = range.above ? value > range.low : value >= range.low;
    const bool low_enough = range.below ? value < range.high : value <= range.high;
    if (isfinite(value) && high_enough && low_enough) return XC_OK;
    char is[32], low[32], high[32], wanted[128];
    xc_config_number(value, is);
    xc_config_number(range.low, low);
    xc_config_number(range.high, high);
    if (!isfinite(range.high))
        snprintf(wanted, sizeof wanted, "%s %s", range.above ? "above" : "at least", low);
    else if (!isfinite(range.low))
        snprintf(wanted, sizeof wanted, "%s %s", range.below ? "below" : "at most", high);
    else if (!range.above && !range.below)
        snprintf(wanted, sizeof wanted, "from %s to %s", low, high);
    else
        snprintf(wanted, sizeof wanted, "%s %s and below %s", range.above ? "above" : "at least", low, high);
    return xc_document_refuse(document, xc_document_find(document, path), error, "%s is %s; it must be %s", path, is,
                              wanted);
}
