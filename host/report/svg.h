/* svg.h: a growing buffer, and what is done to cairo's SVG before anybody sees it. Private to figure.c and its tests.
 */
#ifndef EXPCONV_REPORT_SVG_H
#define EXPCONV_REPORT_SVG_H

#include "figure.h"

typedef struct xc_bytes {
    char *data; /* ends with a 0 that is not counted; NULL when empty; to be freed */
    size_t count, capacity;
} xc_bytes;

/* False when there is no memory; the buffer is as it was then. */
bool xc_bytes_append(xc_bytes *buffer, const void *data, size_t length);

/* Appends the declaration that an SVG file of its own begins with. */
bool xc_svg_start(xc_bytes *svg);

/* Appends `raw` to `clean` without its XML declaration and with ids that depend on nothing but the picture. False when
 * there is no memory. */
bool xc_svg_clean(const xc_bytes *raw, xc_bytes *clean);

#endif
