/* statistics.c: mean, standard deviation, median and quartiles of the trials of one setting.
 *
 * Quartiles interpolate linearly between order statistics, as numpy.percentile does by default, so that a table of ours
 * and one made in a notebook agree. Values that are not finite are left out and not counted.
 */
#include "expconv/sweep.h"

#include <math.h>
#include <stdlib.h>

static int compare_double(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile(const double *sorted, size_t count, double q) {
    const double place = q * (double)(count - 1);
    const size_t below = (size_t)floor(place);
    if (below + 1 >= count) return sorted[count - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

xc_statistics xc_statistics_of(double *values, size_t count) {
    xc_statistics result = {0, NAN, NAN, NAN, NAN, NAN};
    size_t finite = 0;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i])) values[finite++] = values[i];
    }
    result.count = finite;
    if (finite == 0) return result;
    qsort(values, finite, sizeof *values, compare_double);

    /* Summed in sorted order: the result does not depend on the order in which trials ended. */
    double sum = 0, squares = 0;
    for (size_t i = 0; i < finite; i++) sum += values[i];
    result.mean = sum / (double)finite;
    for (size_t i = 0; i < finite; i++) squares += (values[i] - result.mean) * (values[i] - result.mean);
    if (finite > 1) result.deviation = sqrt(squares / (double)(finite - 1));
    result.median = quantile(values, finite, 0.5);
    result.lower_quartile = quantile(values, finite, 0.25);
    result.upper_quartile = quantile(values, finite, 0.75);
    return result;
}
