/* train_step.c: how long is one training step (forward, loss, backward, Adam), beside PyTorch on the same cores in the
 * same run? Each system in two arrangements: one trial alone, and as many trials side by side as there are cores. For
 * PyTorch the first has all cores as threads of one process; ours has one thread. Rounds alternate between systems.
 *
 *     train_step [--rounds 5] [--batch 100] [MODEL ...]
 *
 * Prints a JSON line per model, system and arrangement: milliseconds a step (wall time of a round over its steps over
 * its trials), the floor (operations counted, over the measured multiply-add rate), and at the end the ratio of the
 * best arrangements. Without PyTorch the peer's lines are missing and a notice says so.
 */
#include "expconv/model.h"
#include "measure.h"
#include "peer.h"

#define MAX_ROUNDS 99
#define MAX_SIDE 16
#define SEQUENCES 2000
#define PEER_SCRIPT "bench/peers/torch_train_step.py"

/* The paper's five, and the classes of their data. */
static const struct {
    const char *name;
    int32_t classes;
} MODELS[] = {{"cnn-deep", 12}, {"cnn-2", 12}, {"cnn-50", 12}, {"residualbind", 1}, {"basset", 164}};
#define MODEL_COUNT (sizeof MODELS / sizeof MODELS[0])

/* ---- counting ---------------------------------------------------------------------------------------------------- */

/* Operations of a step as direct convolution, a multiply-add counted as two: forward, weight gradient, input gradient.
 * The first layer is counted as lookup: one addition for three taps, forward and back. */
static double step_operations(const xc_model *model, int32_t batch) {
    double sum = 0;
    for (int32_t i = 0; i < model->layer_count; i++) {
        const xc_block *b = &model->layer[i].block;
        const double outputs = (double)batch * b->conv_length * b->filters;
        if (b->kind == XC_BLOCK_MOTIF) sum += 2 * outputs * ((b->width + 2) / 3);
        if (b->kind == XC_BLOCK_CONV || b->kind == XC_BLOCK_DENSE) sum += 3 * 2 * outputs * b->width * b->channels;
    }
    return sum;
}

/* ---- ours -------------------------------------------------------------------------------------------------------- */

typedef struct runner {
    xc_pack *pack;
    xc_device_split split;
    xc_random_sequence random;
    int32_t batch;
    int steps;
    xc_status status;
    xc_error error;
} runner;

static xc_status run_step(runner *r) {
    static const xc_optimizer adam = {XC_ADAM, 0.9f, 0.999f, 1e-7f, 0};
    static const float rate = 1e-3f;
    uint32_t index[1024];
    double loss;
    xc_status status;
    for (int32_t n = 0; n < r->batch; n++) index[n] = xc_random_below(&r->random, SEQUENCES);
    XC_TRY(xc_pack_forward(r->pack, &r->split, index, r->batch, true, &r->error));
    XC_TRY(xc_pack_loss(r->pack, XC_LOSS_BINARY, NULL, &loss, &r->error));
    XC_TRY(xc_pack_backward(r->pack, &r->error));
    XC_TRY(xc_pack_step(r->pack, &adam, &rate, &r->error));
fail:
    return status;
}

static void run_thread(void *context, int thread) {
    runner *r = (runner *)context + thread;
    r->status = XC_OK;
    for (int i = 0; i < r->steps && r->status == XC_OK; i++) r->status = run_step(r);
}

/* Milliseconds a step of `side` runners at the same time. */
static xc_status run_round(runner *runners, int side, int steps, double *milliseconds, xc_error *error) {
    for (int i = 0; i < side; i++) runners[i].steps = steps;
    const double start = xc_seconds();
    xc_parallel(side, run_thread, runners);
    *milliseconds = 1e3 * (xc_seconds() - start) / steps / side;
    for (int i = 0; i < side; i++)
        if (runners[i].status != XC_OK) return *error = runners[i].error, runners[i].status;
    return XC_OK;
}

static xc_status make_split(int32_t length, int32_t classes, xc_split *split, xc_error *error) {
    xc_random_sequence random = {.seed = 1, .stream = XC_STREAM_SIMULATE};
    xc_dna_builder builder = {0};
    uint8_t *codes = NULL;
    float *labels = NULL;
    xc_status status;
    XC_TRY(xc_dna_builder_open(&builder, SEQUENCES, (uint32_t)length, error));
    XC_TRY(xc_allocate(&codes, (size_t)length, 1, "codes", error));
    XC_TRY(xc_allocate(&labels, (size_t)SEQUENCES * (size_t)classes, sizeof *labels, "labels", error));
    for (int i = 0; i < SEQUENCES; i++) {
        for (int32_t l = 0; l < length; l++) codes[l] = (uint8_t)xc_random_below(&random, 4);
        XC_TRY(xc_dna_builder_append(&builder, codes, error));
    }
    for (size_t i = 0; i < (size_t)SEQUENCES * (size_t)classes; i++) labels[i] = (float)xc_random_below(&random, 2);
    *split = (xc_split){.classes = classes, .labels = labels};
    xc_dna_builder_finish(&builder, &split->dna);
    labels = NULL;
fail:
    free(labels);
    free(codes);
    xc_dna_builder_free(&builder);
    return status;
}

static void close_runner(runner *r) {
    if (r->pack) xc_device_split_close(&r->split);
    xc_pack_free(r->pack);
    *r = (runner){0};
}

static xc_status open_runner(runner *r, const xc_backend *backend, const xc_model *model,
                             const xc_activation *activation, const xc_split *split, int32_t batch, uint64_t seed,
                             xc_error *error) {
    xc_trial_state state = {0};
    xc_status status;
    *r = (runner){.batch = batch, .random = {.seed = seed, .stream = XC_STREAM_ORDER}};
    XC_TRY(xc_pack_create(backend, model, 1, batch, true, &r->pack, error));
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

/* ---- the peer ---------------------------------------------------------------------------------------------------- */

typedef struct arrangement {
    char system[48], text[48];
    peer peers[MAX_SIDE]; /* of PyTorch */
    int side;             /* processes or trials at the same time */
    double times[MAX_ROUNDS];
} arrangement;

/* Starts `processes` PyTorch processes of `threads` threads; false when PyTorch is not here. */
static bool start_torch(arrangement *a, const char *model, int processes, int threads, int steps, int32_t batch) {
    char thread_text[16], step_text[16], batch_text[16];
    snprintf(thread_text, sizeof thread_text, "%d", threads);
    snprintf(step_text, sizeof step_text, "%d", steps);
    snprintf(batch_text, sizeof batch_text, "%d", (int)batch);
    const char *arguments[] = {peer_python(), PEER_SCRIPT, "--serve", "--model", model,      "--threads",
                               thread_text,   "--steps",   step_text, "--batch", batch_text, NULL};
    *a = (arrangement){.system = "pytorch", .side = processes};
    snprintf(a->text, sizeof a->text, "%d process%s x %d thread%s", processes, processes > 1 ? "es" : "", threads,
             threads > 1 ? "s" : "");
    bool good = true;
    for (int i = 0; i < processes && good; i++) good = peer_start(&a->peers[i], arguments);
    for (int i = 0; i < processes && good; i++) good = peer_read(&a->peers[i]);
    for (int i = 0; i < processes && !good; i++) peer_end(&a->peers[i]);
    return good;
}

static void name_version(arrangement *a) {
    char version[32] = "";
    const char *at = strstr(a->peers[0].line, "\"version\": \"");
    if (at) sscanf(at, "\"version\": \"%31[^\"]", version);
    snprintf(a->system, sizeof a->system, "pytorch %s", version);
}

/* ---- one model --------------------------------------------------------------------------------------------------- */

typedef struct question {
    const char *model_name;
    int32_t batch;
    int rounds, cores;
    double peak; /* operations a second of one core */
    arrangement ours[2], torch[2];
    int torch_count; /* 0: PyTorch is not here */
} question;

static double report(const question *q, arrangement *a, double operations, int cores) {
    const double median = measure_median(a->times, (size_t)q->rounds); /* sorts */
    const double floor = 1e3 * operations / q->peak / cores;
    printf(
        "{\"bench\":\"train_step\",\"model\":\"%s\",\"system\":\"%s\",\"arrangement\":\"%s\",\"batch\":%d,"
        "\"median_ms\":%.3f,\"min_ms\":%.3f,\"max_ms\":%.3f,\"rounds\":%d,\"gflop\":%.3f,\"peak_gflops\":%.1f,"
        "\"floor_ms\":%.3f,\"reached\":%.2f,%s}\n",
        q->model_name, a->system, a->text, q->batch, median, a->times[0], a->times[q->rounds - 1], q->rounds,
        1e-9 * operations, 1e-9 * q->peak, floor, floor / median, measure_where());
    fflush(stdout);
    return median;
}

static xc_status measure_rounds(question *q, runner *runners, int steps, xc_error *error) {
    for (int round = -1; round < q->rounds; round++) { /* the first warms up */
        const int at = round < 0 ? 0 : round;
        for (int i = 0; i < 2; i++) {
            const xc_status status = run_round(runners, q->ours[i].side, steps, &q->ours[i].times[at], error);
            if (status != XC_OK) return status;
        }
        for (int i = 0; i < q->torch_count; i++) {
            arrangement *a = &q->torch[i];
            a->times[at] = peer_round(a->peers, a->side);
            if (isnan(a->times[at]))
                return xc_fail(error, XC_DEVICE, "%s: the peer stopped; see build/bench/peer.log", q->model_name);
        }
    }
    return XC_OK;
}

static void report_all(question *q, double operations) {
    double best[2] = {INFINITY, INFINITY};
    for (int i = 0; i < 2; i++) best[0] = fmin(best[0], report(q, &q->ours[i], operations, q->ours[i].side));
    for (int i = 0; i < q->torch_count; i++) {
        name_version(&q->torch[i]);
        best[1] = fmin(best[1], report(q, &q->torch[i], operations, q->cores));
    }
    if (q->torch_count > 0)
        printf(
            "{\"bench\":\"train_step\",\"model\":\"%s\",\"ours_ms\":%.3f,\"peer\":\"%s\",\"peer_ms\":%.3f,"
            "\"ratio\":%.2f,%s}\n",
            q->model_name, best[0], q->torch[0].system, best[1], best[1] / best[0], measure_where());
    fflush(stdout);
}

static void start_peers(question *q, int steps) {
    q->torch_count = 0;
    if (start_torch(&q->torch[0], q->model_name, 1, q->cores, steps, q->batch)) q->torch_count++;
    if (q->torch_count == 1 && start_torch(&q->torch[1], q->model_name, q->cores, 1, steps, q->batch)) q->torch_count++;
    if (q->torch_count == 0)
        fprintf(stderr, "train_step: no PyTorch in %s (see build/bench/peer.log); its lines are left out\n",
                peer_python());
}

static xc_status measure_model(question *q, const xc_backend *backend, int32_t classes, xc_error *error) {
    static xc_model model;
    char zoo[80];
    snprintf(zoo, sizeof zoo, "model.zoo=%s", q->model_name);
    const char *overrides[] = {zoo, "model.activation=exponential"};
    runner runners[MAX_SIDE] = {{0}};
    xc_split split = {0};
    xc_config *config = NULL;
    xc_status status;
    XC_TRY(xc_config_read("configs/demo.yaml", overrides, 2, &config, error));
    const int32_t length = (int32_t)config->model.length;
    const xc_activation activation = xc_config_activation(config);
    XC_TRY(xc_model_build(&config->model, length, classes, &model, error));
    XC_TRY(make_split(length, classes, &split, error));
    for (int i = 0; i < q->cores; i++)
        XC_TRY(open_runner(&runners[i], backend, &model, &activation, &split, q->batch, (uint64_t)i, error));
    const double operations = step_operations(&model, q->batch);
    const double guess = operations / (0.3 * q->peak); /* seconds a step */
    const int steps = guess > 0.25 ? 2 : guess < 0.01 ? 50 : (int)(0.5 / guess);
    q->ours[0] = (arrangement){.system = "expconv", .text = "1 trial x 1 thread", .side = 1};
    q->ours[1] = (arrangement){.system = "expconv", .side = q->cores};
    snprintf(q->ours[1].text, sizeof q->ours[1].text, "%d trials x 1 thread", q->cores);
    start_peers(q, steps);
    XC_TRY(measure_rounds(q, runners, steps, error));
    report_all(q, operations);
fail:
    for (int i = 0; i < q->torch_count; i++)
        for (int j = 0; j < q->torch[i].side; j++) peer_end(&q->torch[i].peers[j]);
    for (int i = 0; i < q->cores; i++) close_runner(&runners[i]);
    xc_split_free(&split);
    xc_config_free(config);
    return status;
}

/* ---- command line ------------------------------------------------------------------------------------------------ */

static bool is_wanted(const char *name, int count, char **wanted) {
    for (int i = 0; i < count; i++)
        if (strcmp(wanted[i], name) == 0) return true;
    return count == 0;
}

int main(int argument_count, char **arguments) {
    question q = {.batch = 100, .rounds = 5, .cores = xc_core_count()};
    xc_error error = {0};
    const xc_backend *backend;
    int at = 1;
    for (; at + 1 < argument_count && strncmp(arguments[at], "--", 2) == 0; at += 2) {
        const int value = atoi(arguments[at + 1]);
        if (strcmp(arguments[at], "--rounds") == 0 && value >= 1 && value <= MAX_ROUNDS)
            q.rounds = value;
        else if (strcmp(arguments[at], "--batch") == 0 && value >= 1 && value <= 1024)
            q.batch = value;
        else
            return fprintf(stderr, "usage: train_step [--rounds 1..99] [--batch 1..1024] [MODEL ...]\n"), 2;
    }
    if (q.cores > MAX_SIDE) q.cores = MAX_SIDE;
    signal(SIGPIPE, SIG_IGN); /* a peer that died is a failed write */
    if (xc_backend_cpu(&backend, &error) != XC_OK || xc_make_folder("build/bench", &error) != XC_OK)
        return fprintf(stderr, "train_step: %s\n", error.text), 1;
    q.peak = measure_peak();
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        q.model_name = MODELS[i].name;
        if (!is_wanted(q.model_name, argument_count - at, arguments + at)) continue;
        if (measure_model(&q, backend, MODELS[i].classes, &error) != XC_OK)
            return fprintf(stderr, "train_step: %s\n", error.text), 1;
    }
    return 0;
}
