/* quadrature.c: at which points of the way gradients are taken, and with which weights: integral of g over [0,1] = sum
 * of share g(place).
 *
 * Sources: the left Riemann sum, Koo & Ploenzke's scripts; Gauss-Legendre, nodes by Newton's method from Tricomi's
 * first guess (Press et al., Numerical Recipes, section 4.6, names both).
 */
#include <math.h>

#include "room.h"

/* Legendre's polynomial of degree n at x, and its derivative, by the three-term recurrence. */
static double legendre(uint32_t n, double x, double *slope) {
    double before = 1, value = x;
    for (uint32_t k = 2; k <= n; k++) {
        const double next = ((2.0 * k - 1) * x * value - (k - 1.0) * before) / k;
        before = value;
        value = next;
    }
    *slope = n * (x * value - before) / (x * x - 1);
    return value;
}

static void gauss(uint32_t steps, float *place, float *share) {
    for (uint32_t i = 0; i < steps; i++) {
        double x = cos(M_PI * (i + 0.75) / (steps + 0.5)), slope = 1;
        for (int round = 0; round < 100; round++) {
            const double change = legendre(steps, x, &slope) / slope;
            x -= change;
            if (fabs(change) < 1e-15) break;
        }
        legendre(steps, x, &slope);
        place[i] = (float)((1 - x) / 2);
        share[i] = (float)(1 / ((1 - x * x) * slope * slope));
    }
}

void xc_quadrature_points(xc_quadrature quadrature, uint32_t steps, float *place, float *share) {
    const double shift = quadrature == XC_QUADRATURE_MIDPOINT ? 0.5 : 0;
    if (quadrature == XC_QUADRATURE_GAUSS && steps > 1) return gauss(steps, place, share);
    for (uint32_t i = 0; i < steps; i++) {
        place[i] = (float)((quadrature == XC_QUADRATURE_GAUSS ? 0.5 : i + shift) / steps);
        share[i] = (float)(1.0 / steps);
    }
}
