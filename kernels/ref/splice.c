/* splice.c: a window of a tensor some positions of which were computed anew, position by position.
 */
#include <math.h>

#include "reference.h"

/* Position `at` of row v before the pool, (C). */
static const float *position(const xc_splice_args *args, int32_t v, int32_t at) {
    const size_t channels = (size_t)args->channels;
    const int32_t inside = at - args->changed_start[v];
    if (inside >= 0 && inside < args->changed_length)
        return args->changed + ((size_t)v * (size_t)args->changed_length + (size_t)inside) * channels;
    return args->base + ((size_t)args->which[v] * (size_t)args->length + (size_t)at) * channels;
}

/* The largest of pooled window j of row v; a NaN is larger than all. 0 beyond the ends. */
static float largest(const xc_splice_args *args, int32_t v, int32_t j, int32_t channel) {
    const int32_t start = j * args->pool - args->pool_pad_left;
    float best = 0;
    bool found = false;
    if (j < 0 || j >= args->pooled_length) return 0;
    for (int32_t at = start; at < start + args->pool; at++) {
        if (at < 0 || at >= args->length) continue;
        const float value = position(args, v, at)[channel];
        if (!found || value > best || isnan(value)) best = value;
        found = true;
    }
    return best;
}

xc_status xc_ref_splice_op(const xc_backend *backend, const xc_splice_args *args, xc_error *error) {
    (void)backend, (void)error;
    float *out = args->out;
    for (int32_t v = 0; v < args->rows; v++)
        for (int32_t i = 0; i < args->out_length; i++)
            for (int32_t c = 0; c < args->channels; c++) *out++ = largest(args, v, args->out_start[v] + i, c);
    return XC_OK;
}
