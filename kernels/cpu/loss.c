/* loss.c: the losses and their gradients at the logits. There are few logits, so this is plain C in double; formulas as
 * in the reference (kernels/ref/loss.c), in the forms that neither overflow nor cancel.
 */
#include <math.h>

#include "trial.h"

typedef struct loss_rows {
    xc_loss_kind kind;
    size_t classes;
    const float *weights; /* (classes) or NULL */
    double count;         /* what the sum is divided by */
} loss_rows;

static double weight(const loss_rows *rows, size_t c) { return rows->weights ? rows->weights[c] : 1; }

static double binary(double z, double y, double *slope) {
    const double e = exp(-fabs(z)); /* in (0, 1] */
    *slope = (z >= 0 ? 1 / (1 + e) : e / (1 + e)) - y;
    return (z <= 0 ? 0 : z) - z * y + log1p(e);
}

/* Sum over one row; dz may be NULL. */
static double elementwise_row(const loss_rows *rows, const float *z, const float *y, float *dz) {
    double sum = 0;
    for (size_t c = 0; c < rows->classes; c++) {
        const double difference = (double)z[c] - y[c];
        double slope = 2 * difference;
        sum += weight(rows, c) * (rows->kind == XC_LOSS_BINARY ? binary(z[c], y[c], &slope) : difference * difference);
        if (dz) dz[c] = (float)(weight(rows, c) * slope / rows->count);
    }
    return sum;
}

static double softmax_row(const loss_rows *rows, const float *z, const float *y, float *dz) {
    double largest = z[0], total = 0, sum = 0, mass = 0;
    for (size_t c = 1; c < rows->classes; c++) largest = fmax(largest, z[c]);
    for (size_t c = 0; c < rows->classes; c++) total += exp(z[c] - largest);
    const double log_total = log(total);
    for (size_t c = 0; c < rows->classes; c++) {
        sum -= weight(rows, c) * y[c] * (z[c] - largest - log_total);
        mass += weight(rows, c) * y[c];
    }
    for (size_t c = 0; dz && c < rows->classes; c++)
        dz[c] = (float)((mass * exp(z[c] - largest) / total - weight(rows, c) * y[c]) / rows->count);
    return sum;
}

xc_status xc_cpu_loss(const xc_backend *backend, const xc_loss_args *args, xc_error *error) {
    (void)backend, (void)error;
    const size_t batch = (size_t)args->batch, classes = (size_t)args->classes;
    const bool softmax = args->kind == XC_LOSS_SOFTMAX;
    const loss_rows rows = {args->kind, classes, args->class_weights, (double)(softmax ? batch : batch * classes)};
    for (size_t t = 0; t < (size_t)args->trials; t++) {
        double sum = 0;
        for (size_t n = t * batch; n < (t + 1) * batch; n++) {
            const float *y = args->labels + (size_t)(args->index[n] & ~XC_REVERSE_COMPLEMENT) * classes;
            float *dz = args->dlogits ? args->dlogits + n * classes : NULL;
            sum += (softmax ? softmax_row : elementwise_row)(&rows, args->logits + n * classes, y, dz);
        }
        args->loss[t] = sum / rows.count;
    }
    return XC_OK;
}
