/* tomtom_distance.c: how far a query column is from a target column: exactly, or for all target columns in single
 * precision with a bounded error. Euclidean distance, or Pearson's correlation.
 *
 * The exact arithmetic follows the MEME suite's step by step, so that a score falls into the same bin.
 */
#include <math.h>
#include <string.h>

#include "tomtom.h"

/* ---- double precision -------------------------------------------------------------------------------------------- */

static double square(const double x[4]) { return ((x[0] * x[0] + x[1] * x[1]) + x[2] * x[2]) + x[3] * x[3]; }

/* Pearson's means are 1/4, whatever the columns sum to. A flat column correlates with nothing. */
double xc_tomtom_score(const xc_tomtom_targets *targets, const double column[4], size_t place) {
    const double *value = targets->value + place;
    const size_t stride = targets->columns;
    double q[4], t[4];
    if (targets->distance == XC_TOMTOM_EUCLIDEAN) {
        for (size_t base = 0; base < 4; base++) q[base] = column[base] - value[base * stride];
        return -sqrt(square(q));
    }
    for (size_t base = 0; base < 4; base++) q[base] = column[base] - 0.25, t[base] = value[base * stride] - 0.25;
    const double product = ((q[0] * t[0] + q[1] * t[1]) + q[2] * t[2]) + q[3] * t[3],
                 norm = sqrt(square(q) * square(t));
    return norm != 0 ? product / norm : 0;
}

double xc_tomtom_far_at_zero(xc_tomtom_distance distance) { return distance == XC_TOMTOM_EUCLIDEAN ? 0 : 2; }

/* ---- single precision -------------------------------------------------------------------------------------------- */

void xc_tomtom_near(xc_tomtom_distance distance, const double column[4], float near[4]) {
    double centred[4];
    for (int base = 0; base < 4; base++) centred[base] = column[base] - 0.25;
    const double norm = sqrt(square(centred));
    for (int base = 0; base < 4; base++)
        near[base] = (float)(distance == XC_TOMTOM_EUCLIDEAN ? column[base] : norm != 0 ? centred[base] / norm : 0);
}

TOMTOM_CLONES
static void near_euclidean(const float column[4], const float *restrict value, size_t stride, size_t count,
                           float *restrict far) {
    const float *a = value, *c = value + stride, *g = value + 2 * stride, *t = value + 3 * stride;
    for (size_t i = 0; i < count; i++) {
        const float da = column[0] - a[i], dc = column[1] - c[i], dg = column[2] - g[i], dt = column[3] - t[i];
        far[i] = sqrtf((da * da + dc * dc) + (dg * dg + dt * dt));
    }
}

TOMTOM_CLONES
static void near_pearson(const float column[4], const float *restrict value, size_t stride, size_t count,
                         float *restrict far) {
    const float *a = value, *c = value + stride, *g = value + 2 * stride, *t = value + 3 * stride;
    for (size_t i = 0; i < count; i++)
        far[i] = 2 - ((column[0] * a[i] + column[1] * c[i]) + (column[2] * g[i] + column[3] * t[i]));
}

xc_tomtom_buckets xc_tomtom_choose_buckets(xc_tomtom_distance distance) {
    const bool euclidean = distance == XC_TOMTOM_EUCLIDEAN;
    return euclidean ? (xc_tomtom_buckets){0, 256 / 1.45f} : (xc_tomtom_buckets){0.99f, 256 / 2.02f};
}

TOMTOM_CLONES
static void put_into_buckets(const float *restrict far, size_t count, xc_tomtom_buckets into, int8_t *restrict bucket) {
    for (size_t i = 0; i < count; i++) {
        float at = (far[i] - into.from) * into.rate;
        at = at < 255 ? at : 255;
        at = at > 0 ? at : 0;
        bucket[i] = (int8_t)((int)at - 128);
    }
}

/* Numbers that are not negative order like their bits, whose extremes can be found several at a time. */
TOMTOM_CLONES
static void find_extremes(const float *far, size_t count, float *nearest, float *farthest) {
    typedef int32_t __attribute__((may_alias)) bits;
    const bits *value = (const bits *)far;
    int32_t least = value[0], most = value[0];
    for (size_t i = 0; i < count; i++) {
        least = value[i] < least ? value[i] : least;
        most = value[i] > most ? value[i] : most;
    }
    memcpy(nearest, &least, sizeof least);
    memcpy(farthest, &most, sizeof most);
}

/* In pieces of the targets that stay in the cache. */
void xc_tomtom_far(xc_tomtom_query *query, float *nearest, float *farthest) {
    enum { PIECE = 1024 };
    const xc_tomtom_targets *targets = query->targets;
    const size_t stride = targets->columns;
    for (size_t from = 0; from < stride; from += PIECE) {
        const size_t piece = stride - from < PIECE ? stride - from : PIECE;
        for (uint32_t row = 0; row < query->width; row++) {
            float *far = query->far + row * stride + from, near[4], low, high;
            xc_tomtom_near(targets->distance, query->column + 4 * (size_t)row, near);
            (targets->distance == XC_TOMTOM_EUCLIDEAN ? near_euclidean : near_pearson)(near, targets->near + from,
                                                                                       stride, piece, far);
            put_into_buckets(far, piece, xc_tomtom_choose_buckets(targets->distance),
                             query->shifted + row * stride + from);
            find_extremes(far, piece, &low, &high);
            if (from == 0 || low < nearest[row]) nearest[row] = low;
            if (from == 0 || high > farthest[row]) farthest[row] = high;
        }
    }
}
