/* test_cuda_step.c: a training step of the CUDA backend as the emulated GPU sees it: how many launches it is, whatever
 * the number of trials, that nothing goes to the device and only losses come back, and that a step that was recorded
 * gives the same bytes as one that is asked for op by op.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "emu/emu.h"
#include "model_fixture.h"

xc_status xc_backend_cuda(uint32_t version, const xc_backend **backend, xc_error *error);

enum { CLASSES = 3, SEQUENCES = 9, BATCH = 4, MOST_TRIALS = 5 };
static const xc_optimizer adam = {.kind = XC_ADAM, .beta1 = .9f, .beta2 = .999f, .epsilon = 1e-7f};
static const xc_activation exponential = {XC_EXPONENTIAL, XC_BEYOND_LINEAR, 1, 2};
static const float rates[MOST_TRIALS] = {.001f, .002f, .003f, .004f, .005f};

typedef struct question {
    const xc_backend *backend;
    xc_model model;
    xc_split split;
    xc_device_split device;
    xc_pack *pack;
    uint32_t order[MOST_TRIALS][2 * SEQUENCES];
} question;

static void build(const char *zoo, xc_model *model) {
    char override[64];
    const char *const overrides[] = {override};
    xc_config *config;
    snprintf(override, sizeof override, "model.zoo=%s", zoo);
    MUST(xc_config_read("configs/demo.yaml", overrides, 1, &config, error));
    MUST(xc_model_build(&config->model, (int32_t)config->model.length, CLASSES, model, error));
    xc_config_free(config);
}

/* A pack of `trials` trials of a model, each with an order and a seed of its own. */
static void begin(question *q, const char *zoo, int trials) {
    build(zoo, &q->model);
    MUST(xc_backend_cuda(XC_BACKEND_VERSION, &q->backend, error));
    q->split = random_split(SEQUENCES, (uint32_t)q->model.length, CLASSES, 3);
    MUST(xc_device_split_open(q->backend, &q->split, &q->device, error));
    MUST(xc_pack_create(q->backend, &q->model, trials, BATCH, XC_FOR_TRAINING, &q->pack, error));
    xc_trial_state state = new_state(&q->model);
    for (int t = 0; t < trials; t++) {
        xc_model_initialise(&q->model, (uint64_t)t + 1, state.parameters, state.running);
        xc_pack_set(q->pack, t, &state, &exponential, (uint64_t)t + 1);
        for (uint32_t i = 0; i < 2 * SEQUENCES; i++) {
            const uint32_t item = (i * 5 + (uint32_t)t * 7) % (2 * SEQUENCES);
            q->order[t][i] = item < SEQUENCES ? item : (item - SEQUENCES) | XC_REVERSE_COMPLEMENT;
        }
    }
    free_state(&state);
}

static void end(question *q) {
    xc_pack_free(q->pack);
    xc_device_split_close(&q->device);
    xc_split_free(&q->split);
}

static void set_orders(question *q, const int *trials) {
    for (int32_t t = 0; t < xc_pack_trials(q->pack); t++)
        MUST(xc_pack_set_order(q->pack, t, q->order[trials[t]], 2 * SEQUENCES, error));
}

static const int IN_ORDER[MOST_TRIALS] = {0, 1, 2, 3, 4};

/* ---- launches ---------------------------------------------------------------------------------------------------- */

/* Launches of one step of a pack, when it has been recorded. */
static uint64_t launches_of(const char *zoo, int trials) {
    static question q;
    double loss[MOST_TRIALS];
    begin(&q, zoo, trials);
    set_orders(&q, IN_ORDER);
    emu_tally before = {0};
    for (int step = 0; step < 3; step++) {
        before = emu_get_tally();
        MUST(xc_pack_train_forward(q.pack, &q.device, BATCH, XC_LOSS_BINARY, NULL, loss, error));
        MUST(xc_pack_train_backward(q.pack, &adam, rates, error));
        q.backend->download(q.backend, loss, q.device.labels, sizeof *loss); /* waits for the step */
    }
    const emu_tally after = emu_get_tally();
    assert_int_equal(after.graphs - before.graphs, 2);
    assert_int_equal(after.graph_nodes - before.graph_nodes, after.kernels - before.kernels);
    assert_int_equal(after.copies_in - before.copies_in, 0);
    assert_int_equal(after.copies_out - before.copies_out, 2); /* the losses, and the wait above */
    assert_int_equal(after.copies_within - before.copies_within + after.fills - before.fills, 0);
    end(&q);
    return after.kernels - before.kernels;
}

static void launches_do_not_depend_on_trials(void **state) {
    (void)state;
    static const struct {
        const char *zoo;
        uint64_t most;
    } models[] = {{"cnn-deep", 40},  {"cnn-50", 28},   {"cnn-2", 28},
                  {"cnn-local", 28}, {"cnn-dist", 40}, {"residualbind", 60}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const uint64_t one = launches_of(models[i].zoo, 1);
        print_message("%-12s %d launches a step\n", models[i].zoo, (int)one);
        assert_int_equal(launches_of(models[i].zoo, 3), one);
        if (one > models[i].most) fail_msg("%s: %d launches, wanted %d", models[i].zoo, (int)one, (int)models[i].most);
    }
}

/* ---- recorded steps ---------------------------------------------------------------------------------------------- */

/* Steps of two epochs, the last batch of each a small one; after the fifth step trial 1 leaves. */
static void train(question *q, bool recorded, double (*losses)[MOST_TRIALS]) {
    int trials[MOST_TRIALS] = {0, 1, 2, 3, 4}, number = 0;
    float rate[MOST_TRIALS];
    for (int epoch = 0; epoch < 2; epoch++) {
        set_orders(q, trials);
        for (int first = 0; first < 2 * SEQUENCES; first += BATCH, number++) {
            const int batch = 2 * SEQUENCES - first < BATCH ? 2 * SEQUENCES - first : BATCH;
            const int count = xc_pack_trials(q->pack);
            uint32_t index[MOST_TRIALS * BATCH];
            for (int t = 0; t < count; t++) {
                rate[t] = rates[trials[t]] * (epoch ? .2f : 1);
                memcpy(index + t * batch, q->order[trials[t]] + first, (size_t)batch * sizeof *index);
            }
            if (recorded) {
                MUST(xc_pack_train_forward(q->pack, &q->device, batch, XC_LOSS_BINARY, NULL, losses[number], error));
                MUST(xc_pack_train_backward(q->pack, &adam, rate, error));
            } else {
                MUST(xc_pack_forward(q->pack, &q->device, index, batch, true, error));
                MUST(xc_pack_loss(q->pack, XC_LOSS_BINARY, NULL, losses[number], error));
                MUST(xc_pack_backward(q->pack, error));
                MUST(xc_pack_step(q->pack, &adam, rate, error));
            }
            if (number != 5) continue;
            xc_pack_remove(q->pack, 1);
            trials[1] = trials[count - 1];
        }
    }
}

static void recorded_steps_are_the_same(void **state) {
    static question q[2];
    static double losses[2][12][MOST_TRIALS];
    (void)state;
    for (int o = EMU_FORWARD; o <= EMU_SHUFFLED; o++) {
        emu_set_order((emu_order)o, 7);
        for (int recorded = 0; recorded < 2; recorded++) {
            begin(&q[recorded], "cnn-50", 3);
            train(&q[recorded], recorded, losses[recorded]);
        }
        assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
        assert_true(losses[0][9][1] > 0);
        assert_int_equal(xc_pack_trials(q[1].pack), 2);
        for (int32_t t = 0; t < 2; t++) {
            xc_trial_state states[2];
            uint64_t clipped[2], total[2];
            for (int i = 0; i < 2; i++) {
                states[i] = new_state(&q[i].model);
                xc_pack_get(q[i].pack, t, &states[i]);
                xc_pack_clipped(q[i].pack, t, &clipped[i], &total[i]);
            }
            assert_same_state(&q[0].model, &states[0], &states[1]);
            assert_true(clipped[0] > 0 && clipped[0] == clipped[1] && total[0] == total[1]);
            free_state(&states[0]);
            free_state(&states[1]);
        }
        end(&q[0]);
        end(&q[1]);
    }
    emu_set_order(EMU_FORWARD, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(launches_do_not_depend_on_trials),
                                       cmocka_unit_test(recorded_steps_are_the_same)};
    return cmocka_run_group_tests_name("cuda_step", tests, NULL, NULL);
}
