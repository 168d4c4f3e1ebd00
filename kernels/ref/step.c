/* step.c: one optimizer step, with g = gradient + 2 factor w from the L2 penalty factor sum w^2.
 *
 *   Adam  m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w -= lr sqrt(1 - b2^s) / (1 - b1^s) m / (sqrt(v) + epsilon)
 *         Kingma & Ba 2015 (arXiv 1412.6980), the efficient form at the end of section 2, as Keras has it; s from 1
 *   SGD   m = momentum m - lr g,  w += m
 */
#include "reference.h"

#include <math.h>

static double l2_factor(const xc_step_args *args, size_t i) {
    for (int32_t p = 0; p < args->l2_count; p++)
        if (i >= args->l2[p].offset && i < args->l2[p].offset + args->l2[p].count) return args->l2[p].factor;
    return 0;
}

static void adam(const xc_step_args *args, int32_t trial, size_t at, double g) {
    const double beta1 = args->beta1, beta2 = args->beta2, s = (double)args->step[trial] + 1;
    const double rate = args->learning_rate[trial] * sqrt(1 - pow(beta2, s)) / (1 - pow(beta1, s));
    const double m = beta1 * args->first_moment[at] + (1 - beta1) * g;
    const double v = beta2 * args->second_moment[at] + (1 - beta2) * g * g;
    args->first_moment[at] = (float)m;
    args->second_moment[at] = (float)v;
    args->parameters[at] = (float)(args->parameters[at] - rate * m / (sqrt(v) + (double)args->epsilon));
}

static void sgd(const xc_step_args *args, int32_t trial, size_t at, double g) {
    const double m = (double)args->momentum * args->first_moment[at] - (double)args->learning_rate[trial] * g;
    args->first_moment[at] = (float)m;
    args->parameters[at] = (float)(args->parameters[at] + m);
}

xc_status xc_ref_step_op(const xc_backend *backend, const xc_step_args *args, xc_error *error) {
    (void)backend, (void)error;
    for (int32_t trial = 0; trial < args->trials; trial++)
        for (size_t i = 0; i < args->parameter_count; i++) {
            const size_t at = (size_t)trial * args->parameter_stride + i;
            const double g = args->gradients[at] + 2 * l2_factor(args, i) * args->parameters[at];
            (args->kind == XC_ADAM ? adam : sgd)(args, trial, at, g);
            args->gradients[at] = 0;
        }
    for (int32_t trial = 0; trial < args->trials; trial++) args->step[trial]++;
    return XC_OK;
}
