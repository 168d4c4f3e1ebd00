/* windows.h: what one changed base can reach in a network, layer by layer, and the network's layers cut to it.
 */
#ifndef EXPCONV_ATTRIBUTION_WINDOWS_H
#define EXPCONV_ATTRIBUTION_WINDOWS_H

#include "room.h"

/* One layer of the network, computed anew for changed inputs. Positions it does not compute are as they were. */
typedef struct xc_window {
    xc_model model;             /* that layer alone, of windows of its input */
    size_t parameters, running; /* where its own begin in the whole network's */
    int32_t length;             /* positions that it computes anew, after its pool: the same for any change */
    int32_t *start;             /* (L) the first of them, for a change at each position of the sequence */
    int32_t *input_start;       /* (L) the first position that it reads; may be before 0 */
} xc_window;

typedef struct xc_windows {
    int32_t layers, sequence_length; /* L */
    xc_window *window;               /* (layers) */
} xc_windows;

/* Freed with xc_windows_free, also on failure. */
xc_status xc_windows_make(const xc_model *model, xc_windows *windows, xc_error *error);
void xc_windows_free(xc_windows *windows);

#endif
