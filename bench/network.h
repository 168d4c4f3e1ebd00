/* network.h: our side of the benches that run a whole network of the zoo: random sequences in memory, a model of fresh
 * weights, and a pack of one trial that trains on them. Included once by each bench that needs it.
 */
#ifndef EXPCONV_NETWORK_H
#define EXPCONV_NETWORK_H

#include "expconv/model.h"
#include "measure.h"

/* The paper's five, and the classes of their data. */
static const struct {
    const char *name;
    int32_t classes;
    double side_by_side, alone; /* the ratios to the fastest peer that are asked for; 0: none */
} MODELS[] = {{"cnn-deep", 12, 3, 4},
              {"cnn-2", 12, 4, 0},
              {"cnn-50", 12, 10, 0},
              {"residualbind", 1, 3, 0},
              {"basset", 164, 2.5, 3}};
#define MODEL_COUNT ((int)(sizeof MODELS / sizeof MODELS[0]))

static inline xc_status network_split(uint32_t sequences, int32_t length, int32_t classes, xc_split *split,
                                      xc_error *error) {
    xc_random_sequence random = {.seed = 1, .stream = XC_STREAM_SIMULATE};
    xc_dna_builder builder = {0};
    uint8_t *codes = NULL;
    float *labels = NULL;
    xc_status status;
    XC_TRY(xc_dna_builder_open(&builder, sequences, (uint32_t)length, error));
    XC_TRY(xc_allocate(&codes, (size_t)length, 1, "codes", error));
    XC_TRY(xc_allocate(&labels, (size_t)sequences * (size_t)classes, sizeof *labels, "labels", error));
    for (uint32_t i = 0; i < sequences; i++) {
        for (int32_t l = 0; l < length; l++) codes[l] = (uint8_t)xc_random_below(&random, 4);
        XC_TRY(xc_dna_builder_append(&builder, codes, error));
    }
    for (size_t i = 0; i < (size_t)sequences * (size_t)classes; i++) labels[i] = (float)xc_random_below(&random, 2);
    *split = (xc_split){.classes = classes, .labels = labels};
    xc_dna_builder_finish(&builder, &split->dna);
    labels = NULL;
fail:
    free(labels);
    free(codes);
    xc_dna_builder_free(&builder);
    return status;
}

/* A zoo model with the exponential in its first block. */
static inline xc_status network_model(const char *name, int32_t classes, xc_model *model, xc_activation *activation,
                                      xc_error *error) {
    char zoo[80];
    snprintf(zoo, sizeof zoo, "model.zoo=%s", name);
    const char *overrides[] = {zoo, "model.activation=exponential"};
    xc_config *config = NULL;
    xc_status status;
    XC_TRY(xc_config_read("configs/demo.yaml", overrides, 2, &config, error));
    *activation = xc_config_activation(config);
    XC_TRY(xc_model_build(&config->model, (int32_t)config->model.length, classes, model, error));
fail:
    xc_config_free(config);
    return status;
}

/* Operations of a step as direct convolution, a multiply-add counted as two: forward, weight gradient, input gradient.
 * The first layer is counted as lookup: one addition for three taps, forward and back. */
static inline double network_operations(const xc_model *model, int32_t batch) {
    double sum = 0;
    for (int32_t i = 0; i < model->layer_count; i++) {
        const xc_block *b = &model->layer[i].block;
        const double outputs = (double)batch * b->conv_length * b->filters;
        if (b->kind == XC_BLOCK_MOTIF) sum += 2 * outputs * ((b->width + 2) / 3);
        if (b->kind == XC_BLOCK_CONV || b->kind == XC_BLOCK_DENSE) sum += 3 * 2 * outputs * b->width * b->channels;
    }
    return sum;
}

/* Operations of a forward pass of one sequence, counted likewise. */
static inline double network_forward_operations(const xc_model *model) {
    double sum = 0;
    for (int32_t i = 0; i < model->layer_count; i++) {
        const xc_block *b = &model->layer[i].block;
        const double outputs = (double)b->conv_length * b->filters;
        if (b->kind == XC_BLOCK_MOTIF) sum += outputs * ((b->width + 2) / 3);
        if (b->kind == XC_BLOCK_CONV || b->kind == XC_BLOCK_DENSE) sum += 2 * outputs * b->width * b->channels;
    }
    return sum;
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

enum { RUNNER_STEPS = 200 }; /* most of a round */

typedef struct runner {
    xc_pack *pack;
    xc_team *team; /* threads within its step; NULL: one */
    xc_device_split split;
    uint32_t sequences;
    xc_random_sequence random;
    int32_t batch;
    int steps;
    double times[RUNNER_STEPS]; /* milliseconds of each */
    xc_status status;
    xc_error error;
} runner;

static inline void runner_close(runner *r) {
    if (r->pack) xc_device_split_close(&r->split);
    xc_pack_free(r->pack);
    xc_team_free(r->team);
    *r = (runner){0};
}

static inline xc_status runner_open(runner *r, const xc_backend *backend, const xc_model *model,
                                    const xc_activation *activation, const xc_split *split, int32_t batch, int threads,
                                    uint64_t seed, xc_error *error) {
    xc_trial_state state = {0};
    xc_status status;
    *r = (runner){
        .batch = batch, .sequences = split->dna.sequences, .random = {.seed = seed, .stream = XC_STREAM_ORDER}};
    XC_TRY(xc_pack_create(backend, model, 1, batch, XC_FOR_TRAINING, &r->pack, error));
    XC_TRY(xc_team_create(threads, &r->team, error));
    XC_TRY(xc_pack_set_team(r->pack, r->team, error));
    XC_TRY(xc_device_split_open(backend, split, &r->split, error));
    XC_TRY(xc_allocate(&state.parameters, model->parameter_count, sizeof(float), "parameters", error));
    XC_TRY(xc_allocate(&state.running, model->running_count, sizeof(float), "running statistics", error));
    xc_model_initialise(model, seed, state.parameters, state.running);
    xc_pack_set(r->pack, 0, &state, activation, seed);
fail:
    free(state.parameters);
    free(state.running);
    return status;
}

static inline xc_status runner_step(runner *r) {
    static const xc_optimizer adam = {XC_ADAM, 0.9f, 0.999f, 1e-7f, 0};
    static const float rate = 1e-3f;
    uint32_t index[1024];
    double loss;
    xc_status status;
    for (int32_t n = 0; n < r->batch; n++) index[n] = xc_random_below(&r->random, r->sequences);
    XC_TRY(xc_pack_forward(r->pack, &r->split, index, r->batch, true, &r->error));
    XC_TRY(xc_pack_loss(r->pack, XC_LOSS_BINARY, NULL, &loss, &r->error));
    XC_TRY(xc_pack_backward(r->pack, &r->error));
    XC_TRY(xc_pack_step(r->pack, &adam, &rate, &r->error));
fail:
    return status;
}

static inline void runner_thread(void *context, int thread) {
    runner *r = (runner *)context + thread;
    r->status = XC_OK;
    for (int i = 0; i < r->steps && r->status == XC_OK; i++) {
        const double start = xc_seconds();
        r->status = runner_step(r);
        r->times[i] = 1e3 * (xc_seconds() - start);
    }
}

/* Milliseconds a step of `side` runners at the same time, all together: of each its median step, as of the peers
 * (peer_round). */
static inline xc_status runner_round(runner *runners, int side, int steps, double *milliseconds, xc_error *error) {
    double rate = 0;
    for (int i = 0; i < side; i++) runners[i].steps = steps;
    xc_parallel(side, runner_thread, runners);
    for (int i = 0; i < side; i++) {
        if (runners[i].status != XC_OK) return *error = runners[i].error, runners[i].status;
        rate += 1 / measure_median(runners[i].times, (size_t)steps);
    }
    *milliseconds = 1 / rate;
    return XC_OK;
}

#endif
