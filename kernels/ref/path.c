/* path.c: points on the straight way from a reference to its sequence, and the weighted sum of gradients taken there.
 *
 * Source: Sundararajan, Taly, Yan 2017 (arXiv 1703.01365), equation 1, as a sum over points.
 */
#include "reference.h"

/* Rows of a pair, in (groups,R+1,E). */
static size_t reference_row(const xc_path_args *args, int32_t pair) {
    const size_t references = (size_t)args->references, p = (size_t)pair;
    return p / references * (references + 1) + 1 + p % references;
}
static size_t sequence_row(const xc_path_args *args, int32_t pair) {
    const size_t references = (size_t)args->references;
    return (size_t)pair / references * (references + 1);
}

xc_status xc_ref_path_points_op(const xc_backend *backend, const xc_path_args *args, xc_error *error) {
    (void)backend, (void)error;
    float *point = args->points;
    for (int32_t pair = args->first; pair < args->first + args->pairs; pair++) {
        const float *from = args->ends + reference_row(args, pair) * args->width; /* (E) */
        const float *to = args->ends + sequence_row(args, pair) * args->width;    /* (E) */
        for (int32_t s = 0; s < args->steps; s++)
            for (size_t e = 0; e < args->width; e++)
                *point++ = (float)(from[e] + (double)args->place[s] * ((double)to[e] - from[e]));
    }
    return XC_OK;
}

xc_status xc_ref_path_sum_op(const xc_backend *backend, const xc_path_args *args, xc_error *error) {
    (void)backend, (void)error;
    const size_t steps = (size_t)args->steps;
    for (int32_t pair = 0; pair < args->pairs; pair++) {
        const float *gradient = args->gradient + (size_t)pair * steps * args->width;   /* (S,E) */
        float *to = args->sum + reference_row(args, args->first + pair) * args->width; /* (E) */
        for (size_t e = 0; e < args->width; e++) {
            double sum = 0;
            for (size_t s = 0; s < steps; s++) sum += (double)args->share[s] * gradient[s * args->width + e];
            to[e] = (float)sum;
        }
    }
    return XC_OK;
}
