/* splice.c: a window of a tensor some positions of which were computed anew: of each row at most five spans, zeros and
 * copies, one after another.
 */
#include "trial.h"

typedef struct window {
    float *out;  /* of the next position */
    int32_t at;  /* its place in the tensor */
    int32_t end; /* of the window */
    size_t channels;
} window;

/* Moves on to position `to` of the tensor, or the window's end; what is passed is copied from `from`, which holds
 * position `first` at its beginning; zeros when it is NULL. */
static void go_to(window *w, int32_t to, const float *from, int32_t first) {
    if (to > w->end) to = w->end;
    if (to <= w->at) return;
    const size_t floats = (size_t)(to - w->at) * w->channels;
    if (from)
        memcpy(w->out, from + (size_t)(w->at - first) * w->channels, floats * sizeof(float));
    else
        memset(w->out, 0, floats * sizeof(float));
    w->out += floats;
    w->at = to;
}

xc_status xc_cpu_splice(const xc_backend *backend, const xc_splice_args *args, xc_error *error) {
    (void)backend, (void)error;
    const size_t channels = (size_t)args->channels, floats = (size_t)args->out_length * channels;
    for (size_t v = 0; v < (size_t)args->rows; v++) {
        const float *base = args->base + (size_t)args->which[v] * (size_t)args->length * channels; /* (L,C) */
        const float *changed = args->changed + v * (size_t)args->changed_length * channels;        /* (A,C) */
        const int32_t begin = args->changed_start[v], start = args->out_start[v];
        window w = {args->out + v * floats, start, start + args->out_length, channels};
        go_to(&w, 0, NULL, 0);
        go_to(&w, begin, base, 0);
        go_to(&w, begin + args->changed_length, changed, begin);
        go_to(&w, args->length, base, 0);
        go_to(&w, INT32_MAX, NULL, 0);
    }
    return XC_OK;
}
