/* activation.h: the activations and their slopes, in double, as formulas.
 */
#ifndef EXPCONV_REF_ACTIVATION_H
#define EXPCONV_REF_ACTIVATION_H

#include "expconv/backend.h"

/* The activation's value at x. A NaN stays a NaN, for every kind. */
double xc_ref_activation(const xc_activation *activation, double x);

/* Its derivative at x; at a kink, the one that TensorFlow takes: 0 for relu at 0. */
double xc_ref_activation_slope(const xc_activation *activation, double x);

/* Whether the exponential's clip acts at x; false for every other kind. */
bool xc_ref_activation_clips(const xc_activation *activation, double x);

#endif
