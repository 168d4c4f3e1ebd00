/* saliency.c: the gradient of the output at the one-hot sequence, for all four bases.
 * Source: Simonyan, Vedaldi, Zisserman 2013 (arXiv 1312.6034).
 */
#include "room.h"

static void store(const xc_worker *worker, size_t i, const xc_results *results) {
    const size_t length = worker->what->split->dna.length;
    const float *gradient = worker->gradient + i * length * 4; /* (L,4) */
    const uint8_t *codes = worker->codes + i * length;
    float *hypothetical = results->hypothetical + i * 4 * length;
    float *contributions = results->contributions + i * 4 * length;
    for (size_t l = 0; l < length; l++)
        for (size_t b = 0; b < 4; b++) {
            hypothetical[b * length + l] = gradient[4 * l + b];
            contributions[b * length + l] = codes[l] == b ? gradient[4 * l + b] : 0;
        }
    results->output[i] = (float)worker->output[i];
    results->gap[i] = 0;
}

xc_status xc_explain_saliency(xc_worker *worker, int32_t count, const xc_results *results, xc_error *error) {
    xc_status status;
    const size_t classes = (size_t)worker->what->network->model.classes;
    XC_TRY(xc_pack_forward(worker->first, &worker->device, worker->index, count, false, error));
    XC_TRY(xc_pack_forward_input(worker->rest, count, error));
    xc_worker_outputs(worker, count);
    for (size_t i = 0; i < (size_t)count; i++)
        xc_link_gradient(worker, worker->logits + i * classes, worker->logit_gradient + i * classes);
    xc_worker_send_gradient(worker, count);
    XC_TRY(xc_pack_backward_input(worker->rest, 0, error));
    XC_TRY(xc_worker_gradient(worker, count, error));
    for (size_t i = 0; i < (size_t)count; i++) store(worker, i, results);
fail:
    return status;
}
