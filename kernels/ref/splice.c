/* splice.c: a window of a tensor some positions of which were computed anew, position by position.
 */
#include <string.h>

#include "reference.h"

/* Position `at` of row v, (C); NULL beyond the tensor's ends. */
static const float *position(const xc_splice_args *args, int32_t v, int32_t at) {
    const size_t channels = (size_t)args->channels;
    const int32_t inside = at - args->changed_start[v];
    if (at < 0 || at >= args->length) return NULL;
    if (inside >= 0 && inside < args->changed_length)
        return args->changed + ((size_t)v * (size_t)args->changed_length + (size_t)inside) * channels;
    return args->base + ((size_t)args->which[v] * (size_t)args->length + (size_t)at) * channels;
}

xc_status xc_ref_splice_op(const xc_backend *backend, const xc_splice_args *args, xc_error *error) {
    (void)backend, (void)error;
    const size_t bytes = (size_t)args->channels * sizeof(float);
    float *out = args->out;
    for (int32_t v = 0; v < args->rows; v++)
        for (int32_t i = 0; i < args->out_length; i++, out += args->channels) {
            const float *from = position(args, v, args->out_start[v] + i);
            if (from)
                memcpy(out, from, bytes);
            else
                memset(out, 0, bytes);
        }
    return XC_OK;
}
