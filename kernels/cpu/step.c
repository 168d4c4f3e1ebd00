/* step.c: the optimizers, one pass over parameters, gradients and moments that leaves the gradients zero. Formulas in
 * kernels/ref/step.c; the factors that only depend on the step's number are computed in double.
 */
#include <float.h>
#include <math.h>

#include "trial.h"

typedef struct step_factors {
    float rate, beta1, beta2, one_minus_beta1, one_minus_beta2, epsilon, momentum;
} step_factors;

/* 0 for a denormal: the moments of a parameter without gradient decay to denormals, stay there, and would make each of
 * its steps three times as long. */
static inline float normal(float x) { return fabsf(x) < FLT_MIN ? 0 : x; }

/* `count` parameters with one L2 factor; `penalty` is twice it. */
static void adam(float *restrict w, float *restrict g, float *restrict m, float *restrict v, size_t count,
                 float penalty, const step_factors *factors) {
    const step_factors s = *factors;
    for (size_t i = 0; i < count; i++) {
        const float gradient = g[i] + penalty * w[i];
        const float first = normal(s.beta1 * m[i] + s.one_minus_beta1 * gradient);
        const float second = normal(s.beta2 * v[i] + s.one_minus_beta2 * gradient * gradient);
        m[i] = first;
        v[i] = second;
        w[i] -= s.rate * first / (sqrtf(second) + s.epsilon);
        g[i] = 0;
    }
}

static void sgd(float *restrict w, float *restrict g, float *restrict m, size_t count, float penalty,
                const step_factors *factors) {
    const step_factors s = *factors;
    for (size_t i = 0; i < count; i++) {
        m[i] = s.momentum * m[i] - s.rate * (g[i] + penalty * w[i]);
        w[i] += m[i];
        g[i] = 0;
    }
}

/* `count` parameters from number `at` on, of those from `begin` to `end`. */
static void step_range(const xc_step_args *args, size_t base, xc_range within, size_t at, size_t count, float l2,
                       const step_factors *factors) {
    const size_t begin = at > within.begin ? at : within.begin, end = at + count < within.end ? at + count : within.end;
    if (begin >= end) return;
    at = base + begin;
    count = end - begin;
    float *w = args->parameters + at, *g = args->gradients + at, *m = args->first_moment + at;
    if (args->kind == XC_ADAM)
        adam(w, g, m, args->second_moment + at, count, 2 * l2, factors);
    else
        sgd(w, g, m, count, 2 * l2, factors);
}

static step_factors factors_of(const xc_step_args *args, size_t trial) {
    const double beta1 = args->beta1, beta2 = args->beta2, s = (double)args->step[trial] + 1;
    double rate = args->learning_rate[trial];
    if (args->kind == XC_ADAM) rate *= sqrt(1 - pow(beta2, s)) / (1 - pow(beta1, s));
    return (step_factors){(float)rate,        args->beta1,   args->beta2,   (float)(1 - beta1),
                          (float)(1 - beta2), args->epsilon, args->momentum};
}

/* Threads share each trial's parameters, whose values do not depend on each other. */
static void step_share(void *context, int thread, int threads) {
    const xc_step_args *args = context;
    const xc_range lines = xc_share((args->parameter_count + 15) / 16, thread, threads); /* of the cache */
    const xc_range within = {lines.begin * 16, lines.end * 16};
    for (size_t t = 0; t < (size_t)args->trials; t++) {
        const step_factors factors = factors_of(args, t);
        const size_t base = t * args->parameter_stride;
        size_t at = 0;
        for (int32_t i = 0; i < args->l2_count; i++) {
            const xc_l2 *l2 = &args->l2[i];
            step_range(args, base, within, at, l2->offset - at, 0, &factors);
            step_range(args, base, within, l2->offset, l2->count, l2->factor, &factors);
            at = l2->offset + l2->count;
        }
        step_range(args, base, within, at, args->parameter_count - at, 0, &factors);
    }
}

xc_status xc_cpu_step(const xc_backend *backend, const xc_step_args *args, xc_error *error) {
    (void)backend, (void)error;
    xc_step_args copy = *args;
    xc_team_run(args->team, step_share, &copy);
    for (int32_t t = 0; t < args->trials; t++) args->step[t]++;
    return XC_OK;
}
