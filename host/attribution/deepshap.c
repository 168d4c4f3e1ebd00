/* deepshap.c: DeepLIFT's multipliers by the rescale rule (the backend's), of a sequence with each of its references,
 * and their mean. Sources: Shrikumar, Greenside, Kundaje 2017 (arXiv 1704.02685); Lundberg & Lee 2017 (arXiv
 * 1705.07874), section 4.2.
 */
#include <string.h>

#include "room.h"

/* What the rest is given at its logits: 0 for the sequences themselves. */
static void start(const xc_worker *worker, int32_t count) {
    const size_t classes = (size_t)worker->what->network->model.classes;
    const size_t group = (size_t)worker->what->references + 1;
    for (size_t i = 0; i < (size_t)count * group; i += group) {
        const float *logits = worker->logits + i * classes;
        memset(worker->logit_gradient + i * classes, 0, classes * sizeof(float));
        for (size_t r = 1; r < group; r++)
            xc_link_multiplier(worker, logits, logits + r * classes, worker->logit_gradient + (i + r) * classes);
    }
}

xc_status xc_explain_deepshap(xc_worker *worker, int32_t count, const xc_results *results, xc_error *error) {
    xc_status status;
    const int32_t references = worker->what->references, rows = count * (references + 1);
    XC_TRY(xc_pack_forward(worker->first, &worker->device, worker->index, rows, false, error));
    XC_TRY(xc_pack_forward_input(worker->rest, rows, error));
    xc_worker_outputs(worker, rows);
    start(worker, count);
    xc_worker_send_gradient(worker, rows);
    XC_TRY(xc_pack_backward_input(worker->rest, references, error));
    XC_TRY(xc_worker_gradient(worker, rows, error));
    xc_combine_references(worker, count, results);
fail:
    return status;
}
