/* answers_loss.c: losses and optimizer steps whose answers are known by hand. Run on every backend.
 */
#include "ops_test.h"

static double loss_of(const xc_backend *backend, xc_loss_kind kind, const float *logits, const float *labels,
                      const float *weights, float *dlogits) {
    enum { BATCH = 2, CLASSES = 2 };
    const uint32_t index[BATCH] = {0, 1};
    const size_t elements = BATCH * CLASSES * sizeof(float);
    double loss;
    guarded z = guarded_make(backend, elements, logits, true), y = guarded_make(backend, elements, labels, true);
    guarded i = guarded_make(backend, sizeof index, index, true), w = {0};
    guarded dz = guarded_make(backend, elements, NULL, false), out = guarded_make(backend, sizeof loss, NULL, false);
    if (weights) w = guarded_make(backend, CLASSES * sizeof(float), weights, true);
    const xc_loss_args args = {.kind = kind,
                               .trials = 1,
                               .batch = BATCH,
                               .classes = CLASSES,
                               .logits = guarded_pointer(&z),
                               .labels = guarded_pointer(&y),
                               .index = guarded_pointer(&i),
                               .class_weights = guarded_pointer(&w),
                               .dlogits = guarded_pointer(&dz),
                               .loss = guarded_pointer(&out)};
    xc_error error = {0};
    assert_int_equal(backend->loss(backend, &args, &error), XC_OK);
    guarded_end(&z, NULL, "logits", "");
    guarded_end(&y, NULL, "labels", "");
    guarded_end(&i, NULL, "index", "");
    guarded_end(&w, NULL, "class weights", "");
    guarded_end(&dz, dlogits, "dlogits", "");
    guarded_end(&out, &loss, "loss", "");
    return loss;
}

void answer_losses(void **state) {
    const xc_backend *backend = ((const op_test *)*state)->backend;
    const float logits[] = {0, 1.0986123f, 0, 0}; /* sigmoid(log 3) = 3/4 */
    const float labels[] = {1, 0, 0, 1}, weights[] = {1, 3};
    float d[4];
    double loss = loss_of(backend, XC_LOSS_BINARY, logits, labels, weights, d);
    assert_true(fabs(loss - (log(2) + 3 * log(4) + log(2) + 3 * log(2)) / 4) < 1e-6);
    check_values(d, (const float[]){-0.125f, 0.5625f, 0.125f, -0.375f}, 4);
    loss = loss_of(backend, XC_LOSS_SOFTMAX, logits, labels, weights, d); /* p = 1/4, 3/4 and 1/2, 1/2 */
    assert_true(fabs(loss - (log(4) + 3 * log(2)) / 2) < 1e-6);
    check_values(d, (const float[]){-0.375f, 0.375f, 0.75f, -0.75f}, 4);
    const float values[] = {3, 1, 0, 2};
    loss = loss_of(backend, XC_LOSS_SQUARED, values, labels, weights, d);
    assert_true(fabs(loss - (4 + 3 * 1 + 0 + 3 * 1) / 4.0) < 1e-6);
    check_values(d, (const float[]){1, 1.5f, 0, 1.5f}, 4);
    const float far[] = {200, -200, -200, 200}; /* neither overflow nor NaN */
    loss = loss_of(backend, XC_LOSS_BINARY, far, labels, NULL, d);
    assert_true(loss >= 0 && loss < 1e-30);
    loss = loss_of(backend, XC_LOSS_SOFTMAX, far, (const float[]){0, 1, 1, 0}, NULL, d);
    assert_true(fabs(loss - 400) < 1e-3);
}

void answer_steps(void **state) {
    const xc_backend *backend = ((const op_test *)*state)->backend;
    const float before[] = {1, 2, -3}, gradient[] = {0.5f, -4, 0.25f}, zeros[3] = {0}, rate = 0.1f;
    const xc_l2 l2 = {2, 1, 0.125f}; /* gradient of the third: .25 + 2 (.125) (-3) = -.5 */
    const uint64_t step = 0;
    for (int kind = 0; kind < XC_OPTIMIZER_COUNT; kind++) {
        const size_t bytes = sizeof before;
        float after[3];
        guarded w = guarded_make(backend, bytes, before, false), g = guarded_make(backend, bytes, gradient, false);
        guarded m = guarded_make(backend, bytes, zeros, false), v = guarded_make(backend, bytes, zeros, false);
        guarded rates = guarded_make(backend, sizeof rate, &rate, true),
                l2s = guarded_make(backend, sizeof l2, &l2, true);
        guarded steps = guarded_make(backend, sizeof step, &step, false);
        uint64_t steps_after;
        const xc_step_args args = {.kind = (xc_optimizer_kind)kind,
                                   .trials = 1,
                                   .parameter_count = 3,
                                   .parameter_stride = 3,
                                   .parameters = guarded_pointer(&w),
                                   .gradients = guarded_pointer(&g),
                                   .first_moment = guarded_pointer(&m),
                                   .second_moment = guarded_pointer(&v),
                                   .learning_rate = guarded_pointer(&rates),
                                   .step = guarded_pointer(&steps),
                                   .beta1 = 0.9f,
                                   .beta2 = 0.999f,
                                   .epsilon = 1e-7f,
                                   .momentum = 0.9f,
                                   .l2 = guarded_pointer(&l2s),
                                   .l2_count = 1};
        xc_error error = {0};
        assert_int_equal(backend->step(backend, &args, &error), XC_OK);
        guarded_end(&w, after, "parameters", "");
        guarded_end(&g, NULL, "gradients", "");
        guarded_end(&m, NULL, "first moment", "");
        guarded_end(&v, NULL, "second moment", "");
        guarded_end(&rates, NULL, "learning rate", "");
        guarded_end(&l2s, NULL, "l2", "");
        guarded_end(&steps, &steps_after, "step", "");
        assert_int_equal(steps_after, 1);
        /* Adam's first step is the rate times the gradient's sign; SGD's is the rate times the gradient. */
        const float adam[] = {0.9f, 2.1f, -2.9f}, sgd[] = {0.95f, 2.4f, -2.95f};
        for (int i = 0; i < 3; i++)
            assert_true(fabsf(after[i] - (kind == XC_ADAM ? adam : sgd)[i]) < (kind == XC_ADAM ? 2e-6f : 3e-7f));
    }
}
