/* test_threads.c: the number of threads within a step shows in no byte: training steps and inference of every model of
 * the zoo by teams of one to four, with dropout, clip counts, running statistics and a batch that ends in parts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model_fixture.h"

#define BATCH 9
#define SEQUENCES 40
#define CLASSES 5
#define STEPS 2
#define TRIALS 2
#define MOST_THREADS 4

static const xc_optimizer adam = {.kind = XC_ADAM, .beta1 = .9f, .beta2 = .999f, .epsilon = 1e-7f};

/* Two trials, one of which meets its clip. */
static const xc_activation activations[TRIALS] = {
    {.kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_LINEAR, .scale = 1, .clip = .1f},
    {.kind = XC_TANH, .scale = 1, .clip = 30},
};

/* All that a pack can tell after its steps. */
typedef struct outcome {
    xc_trial_state state[TRIALS];
    double loss[TRIALS];
    uint64_t clipped[TRIALS], total[TRIALS];
    float logits[TRIALS * BATCH * CLASSES]; /* of inference */
} outcome;

static void train(xc_pack *pack, const xc_device_split *device, outcome *o) {
    static const float rates[TRIALS] = {.001f, .002f};
    uint32_t index[TRIALS * BATCH];
    for (uint32_t step = 0; step < STEPS; step++) {
        const int32_t batch = step == 0 ? BATCH : BATCH - 2;
        for (uint32_t i = 0; i < TRIALS * BATCH; i++)
            index[i] = (i * 7 + step * 5) % SEQUENCES | (i % 3 == 0 ? XC_REVERSE_COMPLEMENT : 0);
        MUST(xc_pack_forward(pack, device, index, batch, true, error));
        MUST(xc_pack_loss(pack, XC_LOSS_BINARY, NULL, o->loss, error));
        MUST(xc_pack_backward(pack, error));
        MUST(xc_pack_step(pack, &adam, rates, error));
    }
    MUST(xc_pack_forward(pack, device, index, BATCH, false, error));
    xc_pack_logits(pack, o->logits);
}

static outcome train_by(const xc_backend *backend, const xc_model *model, const xc_device_split *device, int threads) {
    outcome o = {0};
    xc_pack *pack;
    xc_team *team;
    MUST(xc_team_create(threads, &team, error));
    MUST(xc_pack_create(backend, model, TRIALS, BATCH, XC_FOR_TRAINING, &pack, error));
    MUST(xc_pack_set_team(pack, team, error));
    for (int t = 0; t < TRIALS; t++) {
        o.state[t] = new_state(model);
        xc_model_initialise(model, (uint64_t)t + 1, o.state[t].parameters, o.state[t].running);
        xc_pack_set(pack, t, &o.state[t], &activations[t], (uint64_t)t + 1);
    }
    train(pack, device, &o);
    for (int t = 0; t < TRIALS; t++) {
        xc_pack_get(pack, t, &o.state[t]);
        xc_pack_clipped(pack, t, &o.clipped[t], &o.total[t]);
    }
    xc_pack_free(pack);
    xc_team_free(team);
    return o;
}

static void free_outcome(outcome *o) {
    for (int t = 0; t < TRIALS; t++) free_state(&o->state[t]);
}

static void assert_same(const xc_model *model, const outcome *a, const outcome *b) {
    for (int t = 0; t < TRIALS; t++) assert_same_state(model, &a->state[t], &b->state[t]);
    assert_memory_equal(a->loss, b->loss, sizeof a->loss);
    assert_memory_equal(a->clipped, b->clipped, sizeof a->clipped);
    assert_memory_equal(a->total, b->total, sizeof a->total);
    assert_memory_equal(a->logits, b->logits, sizeof a->logits);
}

/* The prestate is the model's name in the zoo. */
static void threads_do_not_show(void **state) {
    static xc_model model;
    char zoo[64];
    const char *const overrides[] = {zoo};
    xc_config *config;
    snprintf(zoo, sizeof zoo, "model.zoo=%s", (const char *)*state);
    MUST(xc_config_read("configs/demo.yaml", overrides, 1, &config, error));
    const int32_t length = (int32_t)config->model.length;
    MUST(xc_model_build(&config->model, length, CLASSES, &model, error));
    xc_config_free(config);
    xc_split split = random_split(SEQUENCES, (uint32_t)length, CLASSES, 3);
    const xc_backend *backend;
    xc_device_split device;
    MUST(xc_backend_cpu(&backend, error));
    MUST(xc_device_split_open(backend, &split, &device, error));
    outcome alone = train_by(backend, &model, &device, 1);
    assert_true(alone.clipped[0] > 0 && alone.clipped[0] < alone.total[0]);
    for (int threads = 2; threads <= MOST_THREADS; threads++) {
        outcome together = train_by(backend, &model, &device, threads);
        assert_same(&model, &alone, &together);
        free_outcome(&together);
    }
    free_outcome(&alone);
    xc_device_split_close(&device);
    xc_split_free(&split);
}

int main(void) {
    struct CMUnitTest tests[32];
    size_t count = 0;
    for (const char *const *name = xc_zoo_names(); *name && count < 32; name++, count++)
        tests[count] = (struct CMUnitTest){*name, threads_do_not_show, NULL, NULL, (void *)*name};
    return _cmocka_run_group_tests("threads", tests, count, NULL, NULL);
}
