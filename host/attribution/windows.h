/* windows.h: what one changed base can reach in a network, layer by layer, and the network's layers cut to it.
 */
#ifndef EXPCONV_ATTRIBUTION_WINDOWS_H
#define EXPCONV_ATTRIBUTION_WINDOWS_H

#include "room.h"

/* One layer of the network, computed anew for changed inputs. Positions it does not compute are as they were. */
typedef struct xc_window {
    xc_model model;             /* that layer alone, of windows of its input */
    size_t parameters, running; /* where its own begin in the whole network's */
    int32_t length;             /* positions that it computes anew: the same for any change */
    int32_t *start;             /* (L) the first of them, for a change at each position of the sequence */
    int32_t *input_start;       /* (L) the first position that it reads; may be before 0 */
} xc_window;

typedef struct xc_windows {
    xc_model *model;   /* the network, with pools as layers of their own */
    xc_window *window; /* (model->layer_count); empty where xc_windows_pool */
} xc_windows;

/* Whether layer i is a pool. Nobody computes it: who reads it finds the largest himself (xc_splice_args). */
static inline bool xc_windows_pool(const xc_windows *windows, int32_t i) {
    return windows->model->layer[i].block.pool > 1;
}

/* Freed with xc_windows_free, also on failure. */
xc_status xc_windows_make(const xc_model *network, xc_windows *windows, xc_error *error);
void xc_windows_free(xc_windows *windows);

#endif
