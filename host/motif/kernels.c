/* kernels.c: the first layer's kernels as motifs, without any data: each position's weights as probabilities.
 */
#include <math.h>

#include "expconv/filters.h"

/* Weights of one position, `stride` floats apart from base to base, to probabilities (4). */
static bool softmax(const float *weight, size_t stride, float *probability) {
    double most = weight[0], part[4], sum = 0;
    for (int base = 1; base < 4; base++) most = fmax(most, weight[base * stride]);
    for (int base = 0; base < 4; base++) sum += part[base] = exp(weight[base * stride] - most);
    for (int base = 0; base < 4; base++) probability[base] = (float)(part[base] / sum);
    return isfinite(sum);
}

xc_status xc_filters_kernels(const xc_network *network, xc_motif_list *motifs, xc_error *error) {
    xc_status status;
    const xc_block *block = &network->model.layer[0].block;
    const float *kernel = network->state.parameters + block->kernel; /* (K,4,F) */
    const size_t filters = (size_t)block->filters, width = (size_t)block->width;
    XC_TRY(xc_motif_list_create(motifs, filters, (uint32_t)width, error));
    for (size_t f = 0; f < filters; f++)
        for (size_t k = 0; k < width; k++)
            if (!softmax(kernel + k * 4 * filters + f, filters, motifs->motif[f].ppm + 4 * k))
                return xc_fail(error, XC_INPUT,
                               "model %s: the first layer's filter %zu has a weight that is not finite; the network "
                               "has diverged and has no motifs",
                               network->model.name, f);
fail:
    return status;
}
