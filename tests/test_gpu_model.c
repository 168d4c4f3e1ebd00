/* test_gpu_model.c: what a training step of the CUDA backend may cost, counted from its launches (bench/gpu_traffic.h):
 * how many they are, that their number and their bytes a trial do not depend on the number of trials, and what the
 * first block moves through device memory over what it must.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "../bench/gpu_traffic.h"

#define MUST(call)                                                       \
    do {                                                                 \
        xc_error must_error = {0}, *error = &must_error;                 \
        if ((call) != XC_OK) fail_msg("%s: %s", #call, must_error.text); \
    } while (0)

enum { BATCH = 100, CLASSES = 12 };

static void count(const char *name, int trials, xc_model *model, gpu_step *step) {
    static uint8_t bases[65536];
    static float labels[CLASSES];
    char zoo[80];
    const char *overrides[] = {zoo};
    xc_config *config;
    snprintf(zoo, sizeof zoo, "model.zoo=%s", name);
    MUST(xc_config_read("configs/demo.yaml", overrides, 1, &config, error));
    MUST(xc_model_build(&config->model, (int32_t)config->model.length, CLASSES, model, error));
    const xc_split split = {
        .dna = {.bases = bases,
                .sequences = 1,
                .length = (uint32_t)model->length,
                .row_bytes = (uint32_t)(model->length + 3) / 4},
        .labels = labels,
        .classes = CLASSES,
    };
    MUST(gpu_count_step(model, &split, trials, BATCH, step, error));
    xc_config_free(config);
}

static double bytes_of(const gpu_step *step) {
    double sum = 0;
    for (int i = 0; i < step->count; i++) sum += step->launch[i].activations + step->launch[i].parameters;
    return sum;
}

static int launches_of_one_trial(const gpu_step *step) {
    int some = 0;
    for (int i = 0; i < step->count; i++) some += gpu_is_of_one_trial(step->launch[i].kernel);
    return some;
}

static int open_gpu(void **state) {
    (void)state;
    MUST(gpu_open(error));
    return 0;
}

/* All that is launched for all trials at once is launched as often for 128 as for one; what cuDNN does, for each. */
static void launches_are_few(void **state) {
    static xc_model model;
    static gpu_step one, many;
    (void)state;
    for (const char *const *name = xc_zoo_names(); *name; name++) {
        count(*name, 1, &model, &one);
        count(*name, 128, &model, &many);
        const int alone = launches_of_one_trial(&one);
        assert_int_equal(launches_of_one_trial(&many), 128 * alone);
        assert_int_equal(many.count - 128 * alone, one.count - alone);
        assert_true(fabs(bytes_of(&many) / 128 / bytes_of(&one) - 1) < 1e-9);
        if (strcmp(*name, "cnn-deep") == 0) assert_true(alone == 0 && one.count <= 40);
        if (strcmp(*name, "cnn-50") == 0) assert_true(alone == 0 && one.count <= 28);
        if (strcmp(*name, "basset") == 0) assert_true(alone > 0);
    }
}

/* Within 1.3 of packed input, pooled output and its gradient. */
static void first_block_moves_little(void **state) {
    static xc_model model;
    static gpu_step step;
    (void)state;
    for (const char *const *name = xc_zoo_names(); *name; name++) {
        count(*name, 8, &model, &step);
        const double ratio = gpu_first_block(&step, &model, 8, BATCH).activations;
        if (!(ratio >= 1 && ratio <= 1.3)) fail_msg("%s: the first block moves %.3f of its floor", *name, ratio);
    }
}

/* cnn-50 by hand: a trial's bytes and operations of three launches. */
static void counts_are_right(void **state) {
    static xc_model model;
    static gpu_step step;
    bool forward = false, backward = false, product = false;
    (void)state;
    count("cnn-50", 3, &model, &step);
    for (int i = 0; i < step.count; i++) {
        const gpu_launch *l = &step.launch[i];
        if (strcmp(l->kernel, "k_motif_fwd") == 0) { /* 50 bytes and an index; 4 windows of 32 filters, 4 bits each */
            forward = true;
            assert_true(l->activations == 3 * 100 * (50 + 4 + 4 * 32 * 4 + 4 * 4 * 4));
            assert_true(l->additions == 3.0 * 100 * 200 * 10 * 32);
        }
        if (strcmp(l->kernel, "k_motif_bwd") == 0) { /* looks at 4 positions a window, and adds to one */
            backward = true;
            assert_true(l->activations == 3 * 100 * (50 + 4 + 4 * 32 * 4 + 4 * 4 * 4));
            assert_true(l->additions == 3.0 * 100 * 4 * (4 + 1) * 10 * 32);
        }
        if (strcmp(l->kernel, "k_conv_fwd") == 0) { /* (100,4,32) to (100,4,124), width 5 */
            product = true;
            assert_true(l->activations == 3 * 4.0 * 100 * 4 * (32 + 124));
            assert_true(l->products == 3 * 2.0 * 100 * 4 * 5 * 32 * 124);
        }
    }
    assert_true(forward && backward && product);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(launches_are_few), cmocka_unit_test(first_block_moves_little),
                                       cmocka_unit_test(counts_are_right)};
    return cmocka_run_group_tests_name("gpu_model", tests, open_gpu, NULL);
}
