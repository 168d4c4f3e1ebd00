/* link.c: what is explained of the logits: one of them, or the probability that the loss's link makes of them; its
 * gradient at the logits, and its multipliers between two rows of them.
 *
 * The sigmoid's multiplier is DeepLIFT's; the softmax, whose inputs act together, gets the mean of its gradient on the
 * straight way between both, which sums to the difference likewise (Aumann & Shapley 1974).
 */
#include <math.h>
#include <string.h>

#include "room.h"

static bool is_linear(const xc_worker *worker) {
    const xc_attribution_settings *settings = worker->what->settings;
    return !settings->probability || worker->what->network->config->train.loss == XC_LOSS_SQUARED;
}
static bool is_softmax(const xc_worker *worker) { return worker->what->network->config->train.loss == XC_LOSS_SOFTMAX; }
static int32_t class_count(const xc_worker *worker) { return worker->what->network->model.classes; }

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* Class j of the softmax of a + place (b - a). */
static double softmax_between(const xc_worker *worker, const float *a, const float *b, double place, int32_t j) {
    const int32_t classes = class_count(worker);
    double sum = 0;
    const double mine = a[j] + place * ((double)b[j] - a[j]);
    for (int32_t c = 0; c < classes; c++) sum += exp(a[c] + place * ((double)b[c] - a[c]) - mine);
    return 1 / sum;
}

double xc_link_value(const xc_worker *worker, const float *logits) {
    const int32_t j = worker->what->settings->class_index;
    if (is_linear(worker)) return logits[j];
    return is_softmax(worker) ? softmax_between(worker, logits, logits, 0, j) : sigmoid(logits[j]);
}

/* Adds share times the gradient at a + place (b - a). */
static void add_softmax_gradient(const xc_worker *worker, const float *a, const float *b, double place, double share,
                                 float *gradient) {
    const int32_t j = worker->what->settings->class_index, classes = class_count(worker);
    const double mine = softmax_between(worker, a, b, place, j);
    for (int32_t c = 0; c < classes; c++) {
        const double other = softmax_between(worker, a, b, place, c);
        gradient[c] += (float)(share * mine * ((c == j) - other));
    }
}

void xc_link_gradient(const xc_worker *worker, const float *logits, float *gradient) {
    const int32_t j = worker->what->settings->class_index;
    memset(gradient, 0, (size_t)class_count(worker) * sizeof *gradient);
    if (is_linear(worker)) {
        gradient[j] = 1;
    } else if (is_softmax(worker)) {
        add_softmax_gradient(worker, logits, logits, 0, 1, gradient);
    } else {
        const double p = sigmoid(logits[j]);
        gradient[j] = (float)(p * sigmoid(-(double)logits[j]));
    }
}

#define SOFTMAX_STEPS 64
#define LINK_NEAR 1e-6 /* of logits, whose sigmoids are doubles: the slope is right to as much */

void xc_link_multiplier(const xc_worker *worker, const float *a, const float *b, float *multiplier) {
    const int32_t j = worker->what->settings->class_index;
    if (is_linear(worker) || (!is_softmax(worker) && fabs((double)a[j] - b[j]) < LINK_NEAR))
        return xc_link_gradient(worker, a, multiplier);
    memset(multiplier, 0, (size_t)class_count(worker) * sizeof *multiplier);
    if (!is_softmax(worker)) {
        multiplier[j] = (float)((sigmoid(a[j]) - sigmoid(b[j])) / ((double)a[j] - b[j]));
        return;
    }
    float place[SOFTMAX_STEPS], share[SOFTMAX_STEPS];
    xc_quadrature_points(XC_QUADRATURE_GAUSS, SOFTMAX_STEPS, place, share);
    for (int s = 0; s < SOFTMAX_STEPS; s++)
        add_softmax_gradient(worker, a, b, (double)place[s], (double)share[s], multiplier);
}

void xc_worker_outputs(xc_worker *worker, int32_t rows) {
    const size_t classes = (size_t)class_count(worker);
    xc_pack_logits(worker->rest, worker->logits);
    for (size_t n = 0; n < (size_t)rows; n++) worker->output[n] = xc_link_value(worker, worker->logits + n * classes);
}

void xc_worker_send_gradient(xc_worker *worker, int32_t rows) {
    const xc_backend *backend = worker->what->backend;
    backend->upload(backend, xc_pack_output_gradient(worker->rest), worker->logit_gradient,
                    (size_t)rows * (size_t)class_count(worker) * sizeof(float));
}
