/* initialise.c: initial weights as a function of (seed, tensor, element), by Keras' definitions.
 *
 * Element e of tensor i is drawn from xc_random(seed, XC_STREAM_WEIGHTS, i, index): uniform initialisers take word e
 * mod 4 of index e / 4; normal ones take words 0 and 1 of index 64 e + a through Box and Muller, where a = 0, 1, 2, ...
 * is the attempt that first lies within two deviations (a plain normal keeps attempt 0). No trial's weights therefore
 * depend on anything but its seed and its model's shape.
 *
 * Source: keras.initializers.VarianceScaling; Glorot & Bengio 2010; He et al. 2015; LeCun et al. 1998.
 */
#include <math.h>
#include <string.h>

#include "expconv/model.h"

#define PI 3.14159265358979323846
#define TRUNCATED_DEVIATION 0.87962566103423978 /* deviation of a unit normal cut at two */
#define ATTEMPTS 64u /* a unit normal lies outside of two deviations once in 22: all 64 attempts, once in 10^85 */

/* Inputs and outputs that one element of the kernel's output, or input, sees. */
static void fans(const xc_tensor *tensor, double *in, double *out) {
    const double field = tensor->rank == 3 ? tensor->shape[0] : 1;
    *in = field * tensor->shape[tensor->rank - 2];
    *out = field * tensor->shape[tensor->rank - 1];
}

/* The variance that the initialiser asks for. */
static double variance(const xc_tensor *tensor, double stddev) {
    double in, out;
    fans(tensor, &in, &out);
    switch (tensor->init) {
        case XC_INIT_GLOROT_UNIFORM:
        case XC_INIT_GLOROT_NORMAL:
            return 2 / (in + out);
        case XC_INIT_HE_UNIFORM:
        case XC_INIT_HE_NORMAL:
            return 2 / in;
        case XC_INIT_LECUN_UNIFORM:
        case XC_INIT_LECUN_NORMAL:
            return 1 / in;
        default:
            return stddev * stddev;
    }
}

static double unit_normal(uint64_t seed, uint32_t tensor, uint64_t index) {
    const xc_philox_words words = xc_random(seed, XC_STREAM_WEIGHTS, tensor, index);
    const double radius = sqrt(-2 * log(xc_uniform(words.word[0]) + 0.5 / 4294967296.0));
    return radius * cos(2 * PI * xc_uniform(words.word[1]));
}

/* values (count), uniform in [-limit, limit). */
static void fill_uniform(uint64_t seed, uint32_t tensor, double limit, float *values, size_t count) {
    xc_random_sequence sequence = {.seed = seed, .stream = XC_STREAM_WEIGHTS, .substream = tensor};
    for (size_t e = 0; e < count; e++) values[e] = (float)((2 * xc_uniform(xc_random_next(&sequence)) - 1) * limit);
}

static void fill_normal(uint64_t seed, uint32_t tensor, double deviation, bool truncated, float *values, size_t count) {
    for (size_t e = 0; e < count; e++) {
        double z = 0;
        for (uint64_t attempt = 0; attempt < ATTEMPTS; attempt++) {
            z = unit_normal(seed, tensor, e * ATTEMPTS + attempt);
            if (!truncated || fabs(z) <= 2) break;
        }
        values[e] = (float)(z * deviation);
    }
}

static void fill_kernel(const xc_tensor *tensor, uint32_t number, double stddev, uint64_t seed, float *values) {
    const double deviation = sqrt(variance(tensor, stddev));
    switch (tensor->init) {
        case XC_INIT_GLOROT_UNIFORM:
        case XC_INIT_HE_UNIFORM:
        case XC_INIT_LECUN_UNIFORM:
            fill_uniform(seed, number, sqrt(3.0) * deviation, values, tensor->count);
            break;
        case XC_INIT_NORMAL:
            fill_normal(seed, number, deviation, false, values, tensor->count);
            break;
        default:
            fill_normal(seed, number, deviation / TRUNCATED_DEVIATION, true, values, tensor->count);
    }
}

void xc_model_initialise(const xc_model *model, uint64_t seed, float *parameters, float *running) {
    memset(parameters, 0, model->parameter_count * sizeof *parameters); /* bias, beta, and the gaps between tensors */
    memset(running, 0, model->running_count * sizeof *running);
    for (int32_t i = 0; i < model->tensor_count; i++) {
        const xc_tensor *tensor = &model->tensor[i];
        if (tensor->is_kernel) fill_kernel(tensor, (uint32_t)i, model->stddev, seed, parameters + tensor->offset);
    }
    for (int32_t i = 0; i < model->layer_count; i++) {
        const xc_block *block = &model->layer[i].block;
        if (block->gamma == XC_ABSENT) continue;
        for (int32_t f = 0; f < block->filters; f++) {
            parameters[block->gamma + (size_t)f] = 1;
            running[block->running + (size_t)(block->filters + f)] = 1;
        }
    }
}
