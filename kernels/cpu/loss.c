/* loss.c: the losses and their gradients at the logits; formulas as in the reference (kernels/ref/loss.c), in the forms
 * that neither overflow nor cancel. The binary loss, of which there may be hundreds of classes, is done in vectors;
 * sums are in double.
 */
#include <math.h>

#include "trial.h"
#include "vmath.h"

typedef struct loss_rows {
    size_t classes;
    const float *weights; /* (classes) or NULL */
    double count;         /* what the sum is divided by */
} loss_rows;

static double weight(const loss_rows *rows, size_t c) { return rows->weights ? rows->weights[c] : 1; }

/* Sum over one row; dz may be NULL. */
static double binary_row(const loss_rows *rows, const float *z, const float *y, float *dz) {
    const vfloat share = v_set((float)(1 / rows->count));
    double sum = 0;
    for (size_t c = 0; c < rows->classes; c += LANES) {
        const size_t left = rows->classes - c;
        const vfloat logit = v_load_part(z + c, left), label = v_load_part(y + c, left);
        const vfloat weights = rows->weights ? v_load_part(rows->weights + c, left) : v_set(1);
        const vfloat e = v_exp(-v_abs(logit)); /* in (0, 1] */
        const vfloat above = v_select(logit <= 0.0f, v_set(0), logit);
        const vfloat loss = weights * (above - logit * label + v_log1p(e));
        for (size_t i = 0; i < LANES && i < left; i++) sum += loss[i];
        if (!dz) continue;
        const vfloat rest = 1.0f - label,
                     slope = v_select(logit >= 0.0f, rest - label * e, rest * e - label) / (e + 1.0f);
        v_store_part(dz + c, weights * slope * share, left);
    }
    return sum;
}

static double squared_row(const loss_rows *rows, const float *z, const float *y, float *dz) {
    double sum = 0;
    for (size_t c = 0; c < rows->classes; c++) {
        const double difference = (double)z[c] - y[c];
        sum += weight(rows, c) * difference * difference;
        if (dz) dz[c] = (float)(weight(rows, c) * 2 * difference / rows->count);
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
    const loss_rows rows = {classes, args->class_weights, (double)(softmax ? batch : batch * classes)};
    double (*row)(const loss_rows *, const float *, const float *, float *) = softmax ? softmax_row
                                                                              : args->kind == XC_LOSS_BINARY
                                                                                  ? binary_row
                                                                                  : squared_row;
    for (size_t t = 0; t < (size_t)args->trials; t++) {
        double sum = 0;
        for (size_t n = t * batch; n < (t + 1) * batch; n++) {
            const float *y = args->labels + (size_t)(args->index[n] & ~XC_REVERSE_COMPLEMENT) * classes;
            float *dz = args->dlogits ? args->dlogits + n * classes : NULL;
            sum += row(&rows, args->logits + n * classes, y, dz);
        }
        args->loss[t] = sum / rows.count;
    }
    return XC_OK;
}
