/* splice.c: a window of a tensor some positions of which were computed anew: of each row at most five spans, zeros,
 * copies, and the pooled windows that a change is in, one after another.
 */
#include <math.h>

#include "trial.h"

typedef struct window {
    float *out;  /* of the next position */
    int32_t at;  /* its place in the pooled tensor */
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

/* The larger; a NaN is larger than all. */
INLINE vfloat larger(vfloat best, vfloat value) { return v_select((best < value) | (value != value), value, best); }

/* Puts `rows` rows (C) from `from` on among those that the four are the largest of: four do not wait for each other. */
INLINE void add_rows(vfloat *four, const float *from, int32_t rows, size_t channels, size_t left) {
    int32_t r = 0;
    for (; r + 4 <= rows; r += 4)
#pragma GCC unroll 4
        for (int32_t i = 0; i < 4; i++) four[i] = larger(four[i], v_load_part(from + (size_t)(r + i) * channels, left));
    for (; r < rows; r++) four[0] = larger(four[0], v_load_part(from + (size_t)r * channels, left));
}

static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t within(int32_t position, int32_t begin, int32_t end) {
    return position < begin ? begin : smaller(position, end);
}

/* The pooled windows up to `to`, each of what was (`base`), what is (`changed`, position `begin` at its beginning), and
 * what was. */
static void pool_to(window *w, int32_t to, const xc_splice_args *args, const float *base, const float *changed,
                    int32_t begin) {
    const size_t channels = w->channels;
    for (; w->at < smaller(to, w->end); w->at++, w->out += channels) {
        const int32_t start = w->at * args->pool - args->pool_pad_left;
        const int32_t first = start < 0 ? 0 : start, last = smaller(start + args->pool, args->length);
        const int32_t a = within(begin, first, last), b = within(begin + args->changed_length, first, last);
        for (size_t c = 0; c < channels; c += LANES) {
            const size_t left = channels - c;
            const vfloat least = v_set(-INFINITY);
            vfloat four[4] = {least, least, least, least};
            add_rows(four, base + (size_t)first * channels + c, a - first, channels, left);
            add_rows(four, changed + (size_t)(a - begin) * channels + c, b - a, channels, left);
            add_rows(four, base + (size_t)b * channels + c, last - b, channels, left);
            const vfloat best = larger(larger(four[0], four[1]), larger(four[2], four[3]));
            v_store_part(w->out + c, best, left);
        }
    }
}

xc_status xc_cpu_splice(const xc_backend *backend, const xc_splice_args *args, xc_error *error) {
    (void)backend, (void)error;
    const size_t channels = (size_t)args->channels, floats = (size_t)args->out_length * channels;
    const int32_t pool = args->pool, pad = args->pool_pad_left, end = args->pooled_length;
    for (size_t v = 0; v < (size_t)args->rows; v++) {
        const size_t which = (size_t)args->which[v];
        const float *base = args->base + which * (size_t)args->length * channels;              /* (L,C) */
        const float *pooled = args->pooled + which * (size_t)args->pooled_length * channels;   /* (Lp,C) */
        const float *changed = args->changed + v * (size_t)args->changed_length * channels;    /* (A,C) */
        const int32_t begin = args->changed_start[v], last = begin + args->changed_length - 1; /* changed */
        const int32_t start = args->out_start[v];
        window w = {args->out + v * floats, start, start + args->out_length, channels};
        go_to(&w, 0, NULL, 0);
        go_to(&w, smaller((begin + pad) / pool, end), pooled, 0);
        if (pool == 1)
            go_to(&w, last + 1, changed, begin);
        else
            pool_to(&w, smaller((last + pad) / pool + 1, end), args, base, changed, begin);
        go_to(&w, end, pooled, 0);
        go_to(&w, INT32_MAX, NULL, 0);
    }
    return XC_OK;
}
