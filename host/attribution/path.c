/* path.c: integrated gradients: the mean gradient on the straight way from a reference to the sequence. The first
 * layer's linear part is done once for both ends: points between them are points between its outputs, and the gradients
 * there are summed before they go back through it.
 * Source: Sundararajan, Taly, Yan 2017 (arXiv 1703.01365).
 */
#include "room.h"

/* Floats of a row of the first layer's linear part: (Lc,F). */
static size_t row_floats(const xc_worker *worker) {
    const xc_block *motif = &worker->what->first->layer[0].block;
    return (size_t)motif->conv_length * (size_t)motif->filters;
}

static xc_path_args path_args(const xc_worker *worker, int32_t first, int32_t pairs) {
    return (xc_path_args){
        .references = worker->what->references,
        .first = first,
        .pairs = pairs,
        .steps = (int32_t)worker->what->settings->steps,
        .width = row_floats(worker),
        .place = worker->place,
        .share = worker->share,
        .ends = xc_pack_output(worker->first),
        .points = worker->points,
        .gradient = worker->point_gradient,
        .sum = xc_pack_output_gradient(worker->first),
    };
}

/* The gradients of some pairs, summed to their references' rows. */
static xc_status sum_pairs(xc_worker *worker, int32_t first, int32_t pairs, xc_error *error) {
    xc_status status;
    const xc_backend *backend = worker->what->backend;
    const size_t classes = (size_t)worker->what->network->model.classes;
    const xc_path_args args = path_args(worker, first, pairs);
    const int32_t points = pairs * args.steps;
    XC_TRY(xc_go_on(error));
    XC_TRY(backend->path_points(backend, &args, error));
    XC_TRY(xc_pack_forward_input(worker->rest, points, error));
    xc_pack_logits(worker->rest, worker->logits);
    for (size_t i = 0; i < (size_t)points; i++)
        xc_link_gradient(worker, worker->logits + i * classes, worker->logit_gradient + i * classes);
    xc_worker_send_gradient(worker, points);
    XC_TRY(xc_pack_backward_input(worker->rest, 0, error));
    XC_TRY(backend->path_sum(backend, &args, error));
fail:
    return status;
}

xc_status xc_explain_path(xc_worker *worker, int32_t count, const xc_results *results, xc_error *error) {
    xc_status status;
    const xc_backend *backend = worker->what->backend;
    const int32_t rows = count * (worker->what->references + 1), pairs = count * worker->what->references;
    XC_TRY(xc_pack_forward(worker->first, &worker->device, worker->index, rows, false, error));
    xc_pack_set_input(worker->rest, xc_pack_output(worker->first), worker->point_gradient);
    XC_TRY(xc_pack_forward_input(worker->rest, rows, error));
    xc_worker_outputs(worker, rows);
    xc_pack_set_input(worker->rest, worker->points, worker->point_gradient);
    backend->zero(backend, xc_pack_output_gradient(worker->first), (size_t)rows * row_floats(worker) * sizeof(float));
    for (int32_t first = 0; first < pairs; first += worker->what->pairs) {
        const int32_t left = pairs - first;
        XC_TRY(sum_pairs(worker, first, left < worker->what->pairs ? left : worker->what->pairs, error));
    }
    XC_TRY(xc_worker_gradient(worker, rows, error));
    xc_combine_references(worker, count, results);
fail:
    return status;
}
