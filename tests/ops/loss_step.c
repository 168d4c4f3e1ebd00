/* loss_step.c: the loss and the optimizer step on a backend against the reference, packs against trials alone, and the
 * losses' gradients against central differences in double.
 */
#include "ops_test.h"

static double normal(xc_random_sequence *random) {
    const double radius = sqrt(-2 * log(1 - xc_uniform(xc_random_next(random))));
    return radius * cos(6.283185307179586 * xc_uniform(xc_random_next(random)));
}

/* ---- loss -------------------------------------------------------------------------------------------------------- */

#define MAX_BATCH 100
#define MAX_CLASSES 33
#define SEQUENCES 120

typedef struct loss_case {
    char text[120];
    xc_loss_kind kind;
    int32_t trials, batch, classes;
    bool weighted, gradient;
    float logits[MAX_TRIALS * MAX_BATCH * MAX_CLASSES];
    float labels[SEQUENCES * MAX_CLASSES];
    uint32_t index[MAX_TRIALS * MAX_BATCH];
    float class_weights[MAX_CLASSES];
} loss_case;

static const int32_t BATCHES[] = {1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 100};
static const int32_t CLASSES[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33};
static const int32_t TRIALS[] = {1, 2, 5};
#define LOSS_CASES (12 * 15)

static void draw_labels(loss_case *c, xc_random_sequence *random) {
    for (int s = 0; s < SEQUENCES; s++) {
        float *row = c->labels + s * c->classes;
        const uint32_t one = xc_random_below(random, (uint32_t)c->classes);
        for (int k = 0; k < c->classes; k++) {
            row[k] = (float)xc_random_below(random, 2);
            if (c->kind == XC_LOSS_SOFTMAX) row[k] = k == (int)one;
            if (c->kind == XC_LOSS_SQUARED || s % 5 == 0) row[k] = (float)xc_uniform(xc_random_next(random)); /* soft */
        }
    }
}

static void draw_loss(loss_case *c, int number) {
    xc_random_sequence random = {.seed = (uint64_t)number, .stream = XC_STREAM_SIMULATE, .substream = 100};
    *c = (loss_case){.kind = (xc_loss_kind)(number / 3 % XC_LOSS_COUNT),
                     .trials = TRIALS[number % 3],
                     .batch = BATCHES[number % 12],
                     .classes = CLASSES[number / 12]};
    c->weighted = number / 2 % 2;
    c->gradient = number % 7 != 6;
    const double spread = number % 4 == 0 ? 40 : number % 4 == 1 ? 0.01 : 2; /* saturated, flat, ordinary */
    for (int i = 0; i < c->trials * c->batch * c->classes; i++) c->logits[i] = (float)(spread * normal(&random));
    for (int i = 0; i < c->trials * c->batch; i++) {
        c->index[i] = xc_random_below(&random, SEQUENCES);
        if (xc_random_below(&random, 2)) c->index[i] |= XC_REVERSE_COMPLEMENT;
    }
    for (int k = 0; k < c->classes; k++) c->class_weights[k] = 0.25f + (float)xc_uniform(xc_random_next(&random));
    draw_labels(c, &random);
    snprintf(c->text, sizeof c->text, "case %d: loss %d T%d N%d classes %d%s spread %g", number, (int)c->kind,
             c->trials, c->batch, c->classes, c->weighted ? " weighted" : "", spread);
}

static xc_ref_loss reference_loss(const loss_case *c, int t) {
    return (xc_ref_loss){
        .kind = c->kind,
        .batch = c->batch,
        .classes = c->classes,
        .logits = c->logits + t * c->batch * c->classes,
        .labels = c->labels,
        .index = c->index + t * c->batch,
        .class_weights = c->weighted ? c->class_weights : NULL,
    };
}

/* dlogits is (trials,N,classes). */
static void run_loss(const xc_backend *backend, const loss_case *c, int first, int trials, float *dlogits,
                     double *loss) {
    const size_t rows = (size_t)(trials * c->batch), elements = rows * (size_t)c->classes;
    guarded logits = guarded_make(backend, elements * 4, c->logits + first * c->batch * c->classes, true);
    guarded labels = guarded_make(backend, (size_t)(SEQUENCES * c->classes) * 4, c->labels, true);
    guarded index = guarded_make(backend, rows * 4, c->index + first * c->batch, true);
    guarded weights = {0}, gradient = {0};
    if (c->weighted) weights = guarded_make(backend, (size_t)c->classes * 4, c->class_weights, true);
    if (c->gradient) gradient = guarded_make(backend, elements * 4, NULL, false);
    guarded losses = guarded_make(backend, (size_t)trials * sizeof(double), NULL, false);
    const xc_loss_args args = {
        .kind = c->kind,
        .trials = trials,
        .batch = c->batch,
        .classes = c->classes,
        .logits = guarded_pointer(&logits),
        .labels = guarded_pointer(&labels),
        .index = guarded_pointer(&index),
        .class_weights = guarded_pointer(&weights),
        .dlogits = guarded_pointer(&gradient),
        .loss = guarded_pointer(&losses),
    };
    xc_error error = {0};
    if (backend->loss(backend, &args, &error) != XC_OK) fail_msg("loss failed: %s; %s", error.text, c->text);
    guarded_end(&logits, NULL, "logits", c->text);
    guarded_end(&labels, NULL, "labels", c->text);
    guarded_end(&index, NULL, "index", c->text);
    guarded_end(&weights, NULL, "class weights", c->text);
    guarded_end(&gradient, dlogits, "dlogits", c->text);
    guarded_end(&losses, loss, "loss", c->text);
}

static void check_loss_trial(const loss_case *c, int t, const float *dlogits, double loss, double tolerance) {
    static double want[MAX_BATCH * MAX_CLASSES];
    const size_t elements = (size_t)(c->batch * c->classes);
    xc_ref_loss reference = reference_loss(c, t);
    reference.wide_dlogits = want;
    const double value = xc_ref_loss_value(&reference);
    if (!(fabs(loss - value) <= tolerance * fabs(value)))
        fail_msg("loss is %.12g, expected %.12g; %s", loss, value, c->text);
    if (c->gradient) check_near(dlogits, want, NULL, elements, tolerance, 0, "dlogits", c->text);
}

void test_loss_values(const op_test *test) {
    static loss_case c;
    static float pack[MAX_TRIALS * MAX_BATCH * MAX_CLASSES], alone[MAX_BATCH * MAX_CLASSES];
    for (int number = 0; number < LOSS_CASES; number++) {
        double loss[MAX_TRIALS];
        draw_loss(&c, number);
        const size_t elements = (size_t)(c.batch * c.classes);
        run_loss(test->backend, &c, 0, c.trials, pack, loss);
        for (int t = 0; t < c.trials; t++) {
            double loss_alone;
            check_loss_trial(&c, t, pack + (size_t)t * elements, loss[t], test->row->values);
            run_loss(test->backend, &c, t, 1, alone, &loss_alone);
            if (memcmp(&loss_alone, &loss[t], sizeof(double)) != 0 ||
                (c.gradient && memcmp(alone, pack + (size_t)t * elements, elements * sizeof(float)) != 0))
                fail_msg("trial %d differs between pack and alone; %s", t, c.text);
        }
    }
}

void test_loss_gradients(double tolerance) {
    static loss_case c;
    static double logits[MAX_BATCH * MAX_CLASSES], gradient[MAX_BATCH * MAX_CLASSES];
    const double step = 1e-5;
    for (int number = 0; number < LOSS_CASES; number++) {
        draw_loss(&c, number);
        if (c.batch > 9 || number % 4 == 0) continue; /* saturated logits: their gradients are below the differences */
        const size_t elements = (size_t)(c.batch * c.classes);
        double error = 0, norm = 0, mass = 0;
        xc_ref_loss reference = reference_loss(&c, 0);
        for (size_t i = 0; i < elements; i++) logits[i] = c.logits[i];
        reference.wide_logits = logits;
        reference.wide_dlogits = gradient;
        xc_ref_loss_value(&reference);
        reference.wide_dlogits = NULL;
        for (size_t i = 0; i < elements; i++) {
            const double value = logits[i];
            logits[i] = value + step;
            const double above = xc_ref_loss_value(&reference);
            logits[i] = value - step;
            const double below = xc_ref_loss_value(&reference);
            logits[i] = value;
            const double difference = (above - below) / (2 * step);
            error += (difference - gradient[i]) * (difference - gradient[i]);
            norm += difference * difference;
            mass += fabs(value);
        }
        if (c.kind == XC_LOSS_SOFTMAX && c.classes == 1) norm = 1; /* constant: the gradient is 0 */
        if (!(sqrt(error) <= tolerance * sqrt(norm)))
            fail_msg("gradient off by %.2g of its norm %.3g; %s", sqrt(error / norm), sqrt(norm), c.text);
        assert_true(mass > 0);
    }
}

/* ---- step -------------------------------------------------------------------------------------------------------- */

#define MAX_PARAMETERS 160

typedef struct step_case {
    char text[120];
    xc_step_args args; /* pointers to the arrays below */
    float parameters[MAX_TRIALS * MAX_PARAMETERS], gradients[MAX_TRIALS * MAX_PARAMETERS];
    float first_moment[MAX_TRIALS * MAX_PARAMETERS], second_moment[MAX_TRIALS * MAX_PARAMETERS];
    float learning_rate[MAX_TRIALS];
    uint64_t step[MAX_TRIALS];
    xc_l2 l2[3];
} step_case;

static const size_t PARAMETERS[] = {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 130};
static const float RATE[MAX_TRIALS] = {0.001f, 0.1f, 1, 0, 0.5f};
static const uint64_t STEP_NUMBER[] = {0, 1, 2, 10, 1000, 100000};

static void draw_l2(step_case *c, size_t count, int number) {
    c->args.l2_count = 0;
    if (number % 3 == 0) return;
    c->l2[c->args.l2_count++] = (xc_l2){0, (count + 1) / 2, 1e-2f};
    if (number % 3 == 2 && count > 8) c->l2[c->args.l2_count++] = (xc_l2){count - 3, 3, 0.1f};
}

static void draw_step(step_case *c, int number) {
    xc_random_sequence random = {.seed = (uint64_t)number, .stream = XC_STREAM_SIMULATE, .substream = 101};
    const size_t count = PARAMETERS[number % 18], stride = (count + 15) / 16 * 16;
    memset(c, 0, sizeof *c);
    c->args = (xc_step_args){
        .kind = number / 18 % 3 == 2 ? XC_SGD : XC_ADAM,
        .trials = TRIALS[number / 2 % 3],
        .parameter_count = count,
        .parameter_stride = stride,
        .learning_rate = c->learning_rate,
        .step = c->step,
        .beta1 = 0.9f,
        .beta2 = 0.999f,
        .epsilon = 1e-7f,
        .momentum = number % 2 ? 0.9f : 0,
        .l2 = c->l2,
    };
    for (size_t i = 0; i < (size_t)c->args.trials * stride; i++) {
        const bool used = i % stride < count;
        const double g = normal(&random) * (number % 5 == 0 ? 1e-6 : 0.1);
        const double v = normal(&random);
        c->parameters[i] = (float)(0.3 * normal(&random));
        if (!used) continue;
        c->gradients[i] = i % 11 == 3 ? 0 : (float)g;
        if (number % 4 == 0) continue; /* moments 0, as at the start */
        c->first_moment[i] = (float)(0.05 * normal(&random));
        c->second_moment[i] = (float)(0.01 * v * v);
    }
    for (int t = 0; t < c->args.trials; t++) {
        c->learning_rate[t] = RATE[(t + number) % MAX_TRIALS];
        c->step[t] = STEP_NUMBER[(t + number) % 6];
    }
    draw_l2(c, count, number);
    snprintf(c->text, sizeof c->text, "case %d: optimizer %d T%d %zu parameters", number, (int)c->args.kind,
             c->args.trials, count);
}

/* Runs trials first .. on a backend and writes the state after the step over `c`'s. */
static void run_step(const xc_backend *backend, step_case *c, int first, int trials) {
    const size_t at = (size_t)first * c->args.parameter_stride;
    const size_t bytes = (size_t)trials * c->args.parameter_stride * sizeof(float);
    guarded parameters = guarded_make(backend, bytes, c->parameters + at, false);
    guarded gradients = guarded_make(backend, bytes, c->gradients + at, false);
    guarded first_moment = guarded_make(backend, bytes, c->first_moment + at, false);
    guarded second_moment = guarded_make(backend, bytes, c->second_moment + at, false);
    xc_step_args args = c->args;
    args.trials = trials;
    guarded l2 = guarded_make(backend, (size_t)c->args.l2_count * sizeof *c->l2, c->l2, true);
    guarded rate = guarded_make(backend, (size_t)trials * sizeof *c->learning_rate, c->learning_rate + first, true);
    guarded number = guarded_make(backend, (size_t)trials * sizeof *c->step, c->step + first, false);
    args.l2 = guarded_pointer(&l2);
    args.learning_rate = guarded_pointer(&rate);
    args.step = guarded_pointer(&number);
    args.parameters = guarded_pointer(&parameters);
    args.gradients = guarded_pointer(&gradients);
    args.first_moment = guarded_pointer(&first_moment);
    args.second_moment = guarded_pointer(&second_moment);
    xc_error error = {0};
    if (backend->step(backend, &args, &error) != XC_OK) fail_msg("step failed: %s; %s", error.text, c->text);
    guarded_end(&parameters, c->parameters + at, "parameters", c->text);
    guarded_end(&gradients, c->gradients + at, "gradients", c->text);
    guarded_end(&first_moment, c->first_moment + at, "first moment", c->text);
    guarded_end(&second_moment, c->second_moment + at, "second moment", c->text);
    guarded_end(&l2, NULL, "l2", c->text);
    guarded_end(&rate, NULL, "learning rate", c->text);
    guarded_end(&number, c->step + first, "step", c->text);
}

static void check_floats(const float *got, const float *want, size_t count, double tolerance, const char *what,
                         const char *text) {
    double wide[MAX_PARAMETERS];
    for (size_t i = 0; i < count; i++) wide[i] = want[i];
    check_near(got, wide, NULL, count, tolerance, 0, what, text);
}

static void check_step_trial(const step_case *got, const step_case *want, int t, double tolerance) {
    const size_t at = (size_t)t * got->args.parameter_stride, count = got->args.parameter_count;
    assert_true(got->step[t] == want->step[t]);
    check_floats(got->parameters + at, want->parameters + at, count, tolerance, "parameters", got->text);
    check_floats(got->first_moment + at, want->first_moment + at, count, tolerance, "first moment", got->text);
    if (got->args.kind == XC_ADAM)
        check_floats(got->second_moment + at, want->second_moment + at, count, tolerance, "second moment", got->text);
    for (size_t i = 0; i < count; i++)
        if (got->gradients[at + i] != 0) fail_msg("gradients[%zu] is not 0 after the step; %s", i, got->text);
    for (size_t i = count; i < got->args.parameter_stride; i++)
        if (got->parameters[at + i] != want->parameters[at + i])
            fail_msg("parameters[%zu], beyond the last, was changed; %s", i, got->text);
}

static void check_step_alone(const xc_backend *backend, const step_case *before, const step_case *pack) {
    static step_case alone;
    const size_t count = before->args.parameter_count * sizeof(float);
    for (int t = 0; before->args.trials > 1 && t < before->args.trials; t++) {
        const size_t at = (size_t)t * before->args.parameter_stride;
        alone = *before;
        run_step(backend, &alone, t, 1);
        if (memcmp(alone.parameters + at, pack->parameters + at, count) != 0 ||
            memcmp(alone.first_moment + at, pack->first_moment + at, count) != 0 ||
            memcmp(alone.second_moment + at, pack->second_moment + at, count) != 0)
            fail_msg("trial %d differs between pack and alone; %s", t, before->text);
    }
}

void test_step_values(const op_test *test) {
    static step_case before, want, got;
    for (int number = 0; number < 18 * 3 * 4; number++) {
        draw_step(&before, number);
        want = got = before;
        run_step(xc_backend_reference(), &want, 0, before.args.trials);
        run_step(test->backend, &got, 0, before.args.trials);
        for (int t = 0; t < before.args.trials; t++) check_step_trial(&got, &want, t, test->row->values);
        check_step_alone(test->backend, &before, &got);
    }
}
