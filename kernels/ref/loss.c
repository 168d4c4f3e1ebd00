/* loss.c: the losses and their gradients at the logits, in the forms that neither overflow nor cancel.
 *
 *   binary    mean over N and classes of w_c (max(z,0) - z y + log(1 + exp(-|z|)));  gradient w_c (s(z) - y)
 *   softmax   mean over N of -sum_c w_c y_c log p_c, p = softmax(z);                 gradient (sum_c w_c y_c) p - w y
 *   squared   mean over N and classes of w_c (z - y)^2;                              gradient 2 w_c (z - y)
 * Source of the first form: TensorFlow's sigmoid_cross_entropy_with_logits.
 */
#include <math.h>

#include "reference.h"

static double logit(const xc_ref_loss *loss, size_t i) {
    return loss->wide_logits ? loss->wide_logits[i] : loss->logits[i];
}

static void store_gradient(const xc_ref_loss *loss, size_t i, double gradient) {
    if (loss->wide_dlogits) loss->wide_dlogits[i] = gradient;
    if (loss->dlogits) loss->dlogits[i] = (float)gradient;
}

static double weight(const xc_ref_loss *loss, size_t c) { return loss->class_weights ? loss->class_weights[c] : 1; }

static const float *labels_of(const xc_ref_loss *loss, size_t n) {
    return loss->labels + (size_t)(loss->index[n] & ~XC_REVERSE_COMPLEMENT) * (size_t)loss->classes; /* (classes) */
}

static double binary(double z, double y, double *slope) {
    const double e = exp(-fabs(z)); /* in (0, 1] */
    *slope = (z >= 0 ? 1 / (1 + e) : e / (1 + e)) - y;
    return (z <= 0 ? 0 : z) - z * y + log1p(e);
}

static double squared(double z, double y, double *slope) {
    *slope = 2 * (z - y);
    return (z - y) * (z - y);
}

/* Sum over one row of a loss that treats every class by itself. */
static double elementwise_row(const xc_ref_loss *loss, size_t n) {
    const size_t classes = (size_t)loss->classes;
    const float *y = labels_of(loss, n);
    double sum = 0;
    for (size_t c = 0; c < classes; c++) {
        const double z = logit(loss, n * classes + c);
        double slope;
        sum += weight(loss, c) * (loss->kind == XC_LOSS_BINARY ? binary : squared)(z, y[c], &slope);
        store_gradient(loss, n * classes + c, weight(loss, c) * slope / ((double)loss->batch * loss->classes));
    }
    return sum;
}

static double softmax_row(const xc_ref_loss *loss, size_t n) {
    const size_t classes = (size_t)loss->classes, row = n * classes;
    const float *y = labels_of(loss, n);
    double largest = logit(loss, row), total = 0, sum = 0, mass = 0;
    for (size_t c = 1; c < classes; c++) largest = fmax(largest, logit(loss, row + c));
    for (size_t c = 0; c < classes; c++) total += exp(logit(loss, row + c) - largest);
    for (size_t c = 0; c < classes; c++) {
        sum -= weight(loss, c) * y[c] * (logit(loss, row + c) - largest - log(total));
        mass += weight(loss, c) * y[c];
    }
    for (size_t c = 0; c < classes; c++) {
        const double p = exp(logit(loss, row + c) - largest) / total;
        store_gradient(loss, row + c, (mass * p - weight(loss, c) * y[c]) / loss->batch);
    }
    return sum;
}

double xc_ref_loss_value(const xc_ref_loss *loss) {
    const bool softmax = loss->kind == XC_LOSS_SOFTMAX;
    double sum = 0;
    for (size_t n = 0; n < (size_t)loss->batch; n++) sum += (softmax ? softmax_row : elementwise_row)(loss, n);
    return sum / (softmax ? loss->batch : (double)loss->batch * loss->classes);
}

xc_status xc_ref_loss_op(const xc_backend *backend, const xc_loss_args *args, xc_error *error) {
    (void)backend, (void)error;
    for (int32_t trial = 0; trial < args->trials; trial++) {
        const size_t rows = (size_t)trial * (size_t)args->batch, elements = rows * (size_t)args->classes;
        const xc_ref_loss loss = {
            .kind = args->kind,
            .batch = args->batch,
            .classes = args->classes,
            .logits = args->logits + elements,
            .labels = args->labels,
            .index = args->index + rows,
            .class_weights = args->class_weights,
            .dlogits = args->dlogits ? args->dlogits + elements : NULL,
        };
        args->loss[trial] = xc_ref_loss_value(&loss);
    }
    return XC_OK;
}
