/* path.c: points on the straight way from a reference to its sequence, and the weighted sum of gradients taken there. A
 * piece of a row at a time, so that what is read again for every step is in the first cache.
 */
#include "trial.h"

#define PIECE 1024 /* floats */

/* Rows of a pair, in (groups,R+1,E). */
INLINE size_t sequence_row(const xc_path_args *args, size_t pair) {
    const size_t references = (size_t)args->references;
    return pair / references * (references + 1);
}
INLINE size_t reference_row(const xc_path_args *args, size_t pair) {
    return sequence_row(args, pair) + 1 + pair % (size_t)args->references;
}

INLINE size_t piece_of(const xc_path_args *args, size_t from) {
    return args->width - from < PIECE ? args->width - from : PIECE;
}

/* One point's piece; at either end it is that row, whatever rounding would say. */
static void point(const float *from, const float *to, float place, float *out, size_t count) {
    if (place == 1) {
        memcpy(out, to, count * sizeof(float));
        return;
    }
    for (size_t e = 0; e < count; e += LANES) {
        const vfloat a = v_load_part(from + e, count - e), b = v_load_part(to + e, count - e);
        v_store_part(out + e, a + place * (b - a), count - e);
    }
}

xc_status xc_cpu_path_points(const xc_backend *backend, const xc_path_args *args, xc_error *error) {
    (void)backend, (void)error;
    const size_t steps = (size_t)args->steps, width = args->width;
    for (size_t p = 0; p < (size_t)args->pairs; p++) {
        const size_t pair = (size_t)args->first + p;
        const float *from = args->ends + reference_row(args, pair) * width; /* (E) */
        const float *to = args->ends + sequence_row(args, pair) * width;    /* (E) */
        for (size_t e = 0; e < width; e += PIECE)
            for (size_t s = 0; s < steps; s++)
                point(from + e, to + e, args->place[s], args->points + (p * steps + s) * width + e, piece_of(args, e));
    }
    return XC_OK;
}

xc_status xc_cpu_path_sum(const xc_backend *backend, const xc_path_args *args, xc_error *error) {
    (void)backend, (void)error;
    const size_t steps = (size_t)args->steps, width = args->width;
    for (size_t p = 0; p < (size_t)args->pairs; p++) {
        const float *gradient = args->gradient + p * steps * width;                   /* (S,E) */
        float *to = args->sum + reference_row(args, (size_t)args->first + p) * width; /* (E) */
        for (size_t e = 0; e < width; e += LANES) {
            vfloat sum = v_set(0);
            for (size_t s = 0; s < steps; s++) sum += args->share[s] * v_load_part(gradient + s * width + e, width - e);
            v_store_part(to + e, sum, width - e);
        }
    }
    return XC_OK;
}
