/* packs.c: what does a training step of a trial cost when T trials train in one pack on a device? For each model and T
 * the milliseconds of a step of the whole pack, forward, loss, backward and Adam, as training asks for it (recorded
 * where the device can), divided by T; and beside it PyTorch on the same kind of device, one trial, eager and compiled,
 * taking turns with ours.
 *
 *     packs [--device cpu|cuda] [--rounds 5] [--batch 100] [--most 128] [MODEL ...]
 *
 * T goes by fours from 1 to --most (on the CPU 4), as long as the pack has memory. Prints a JSON line per model, system
 * and T, then a row of the table: the fastest T against the fastest peer. No floor: bench/gpu_model has those.
 */
#include "network.h"
#include "peer.h"

enum { MOST_ROUNDS = 99, SEQUENCES = 2000, MOST_STEPS = 400, MOST_T = 8, PEERS = 2 };
#define ROUND_SECONDS 0.5

typedef struct sized_pack {
    int trials, steps;
    xc_pack *pack;
    float *rates; /* (trials) */
    double *loss; /* (trials) */
    double times[MOST_ROUNDS];
} sized_pack;

typedef struct question {
    const xc_backend *backend;
    const char *device, *model_name;
    int32_t batch;
    int rounds, most;
    xc_split split;
    xc_device_split data;
    sized_pack packs[MOST_T];
    int pack_count;
    peer_arrangement peers[PEERS];
    int peer_count;
} question;

/* ---- our packs --------------------------------------------------------------------------------------------------- */

/* The same order for every trial: what is in a batch does not change how long it takes. */
static xc_status restart(const question *q, sized_pack *p, xc_error *error) {
    static uint32_t order[SEQUENCES];
    xc_status status = XC_OK;
    for (uint32_t i = 0; i < SEQUENCES; i++) order[i] = i;
    for (int t = 0; t < p->trials; t++) XC_TRY(xc_pack_set_order(p->pack, t, order, SEQUENCES, error));
    (void)q;
fail:
    return status;
}

/* One epoch at most: batches come from the order, from its start. */
static xc_status time_steps(const question *q, sized_pack *p, int steps, double *milliseconds, xc_error *error) {
    static const xc_optimizer adam = {XC_ADAM, 0.9f, 0.999f, 1e-7f, 0};
    xc_status status = XC_OK;
    double times[MOST_STEPS];
    XC_TRY(restart(q, p, error));
    for (int i = 0; i < steps; i++) {
        if (i > 0 && i % (SEQUENCES / q->batch) == 0) XC_TRY(restart(q, p, error));
        const double start = xc_seconds();
        XC_TRY(xc_pack_train_forward(p->pack, &q->data, q->batch, XC_LOSS_BINARY, NULL, p->loss, error));
        XC_TRY(xc_pack_train_backward(p->pack, &adam, p->rates, error));
        times[i] = 1e3 * (xc_seconds() - start); /* the next step's loss waits for this one's end */
    }
    *milliseconds = measure_median(times, (size_t)steps) / p->trials;
fail:
    return status;
}

static void close_pack(sized_pack *p) {
    xc_pack_free(p->pack);
    free(p->rates);
    free(p->loss);
    *p = (sized_pack){0};
}

static xc_status open_pack(const question *q, const xc_model *model, const xc_activation *activation, int trials,
                           sized_pack *p, xc_error *error) {
    xc_trial_state state = {0};
    xc_status status;
    *p = (sized_pack){.trials = trials};
    XC_TRY(xc_pack_create(q->backend, model, trials, q->batch, XC_FOR_TRAINING, &p->pack, error));
    XC_TRY(xc_allocate(&p->rates, (size_t)trials, sizeof *p->rates, "rates", error));
    XC_TRY(xc_allocate(&p->loss, (size_t)trials, sizeof *p->loss, "losses", error));
    XC_TRY(xc_allocate(&state.parameters, model->parameter_count, sizeof(float), "parameters", error));
    XC_TRY(xc_allocate(&state.running, model->running_count, sizeof(float), "running statistics", error));
    for (int t = 0; t < trials; t++) {
        xc_model_initialise(model, (uint64_t)t, state.parameters, state.running);
        xc_pack_set(p->pack, t, &state, activation, (uint64_t)t);
        p->rates[t] = 1e-3f;
    }
fail:
    free(state.parameters);
    free(state.running);
    if (status != XC_OK) close_pack(p);
    return status;
}

/* Packs of 1, 4, 16 ... trials, until one has no memory; each warm, and with as many steps a round as fill it. */
static xc_status open_packs(question *q, const xc_model *model, const xc_activation *activation, xc_error *error) {
    xc_status status = XC_OK;
    for (int trials = 1; trials <= q->most && q->pack_count < MOST_T; trials *= 4) {
        sized_pack *p = &q->packs[q->pack_count];
        double each = 0;
        status = open_pack(q, model, activation, trials, p, error);
        if (status == XC_MEMORY && q->pack_count > 0) return XC_OK;
        if (status != XC_OK) return status;
        q->pack_count++;
        for (int i = 0; i < 2; i++) XC_TRY(time_steps(q, p, 3, &each, error)); /* by then it is recorded */
        const double steps = 1e3 * ROUND_SECONDS / (each * trials);
        p->steps = steps < 3 ? 3 : steps > MOST_STEPS ? MOST_STEPS : (int)steps;
    }
fail:
    return status;
}

/* ---- the peers --------------------------------------------------------------------------------------------------- */

static void start_peers(question *q) {
    char batch[16];
    const char *own[] = {"--model", q->model_name, "--steps", "50", "--batch", batch, "--device", q->device, NULL};
    snprintf(batch, sizeof batch, "%d", (int)q->batch);
    for (int form = 0; form < PEERS; form++) {
        peer_arrangement *a = &q->peers[q->peer_count];
        *a = (peer_arrangement){.package = "torch",
                                .script = "bench/peers/torch_train_step.py",
                                .processes = 1,
                                .threads = xc_core_count(),
                                .trials = 1};
        if (form == 1) a->extra[0] = "--compile";
        if (!peer_arrange(a, own) || isnan(peer_round(a))) continue;
        if (form == 1) snprintf(a->text + strlen(a->text), 16, ", compiled");
        q->peer_count++;
    }
}

/* ---- a model ----------------------------------------------------------------------------------------------------- */

static void print_times(const question *q, const char *system, int trials, double *times) {
    const double median = measure_median(times, (size_t)q->rounds); /* sorts */
    printf(
        "{\"bench\":\"packs\",\"device\":\"%s\",\"model\":\"%s\",\"system\":\"%s\",\"trials\":%d,\"batch\":%d,"
        "\"median_ms\":%.4f,\"min_ms\":%.4f,\"max_ms\":%.4f,\"rounds\":%d,\"about\":\"%s\",%s}\n",
        q->device, q->model_name, system, trials, q->batch, median, times[0], times[q->rounds - 1], q->rounds,
        q->backend->description, measure_where());
    fflush(stdout);
}

static void print_row(question *q) {
    const sized_pack *best = &q->packs[0];
    const peer_arrangement *fastest = NULL;
    for (int i = 0; i < q->pack_count; i++)
        if (q->packs[i].times[q->rounds / 2] < best->times[q->rounds / 2]) best = &q->packs[i]; /* sorted by now */
    for (int i = 0; i < q->peer_count; i++)
        if (!fastest || q->peers[i].times[q->rounds / 2] < fastest->times[q->rounds / 2]) fastest = &q->peers[i];
    const double ours = best->times[q->rounds / 2], theirs = fastest ? fastest->times[q->rounds / 2] : 0;
    measure_row row = {.unit = "ms", .ours = ours, .theirs = theirs, .ratio = theirs / ours};
    snprintf(row.what, sizeof row.what, "a trial's step in a pack of %d, %s, %s", best->trials, q->model_name,
             q->device);
    if (fastest) snprintf(row.peer, sizeof row.peer, "%.40s, %.50s", fastest->system, fastest->text);
    measure_print_row("packs", &row);
}

static xc_status measure_model(question *q, int number, xc_error *error) {
    static xc_model model;
    xc_activation activation;
    xc_status status;
    q->model_name = MODELS[number].name;
    q->pack_count = q->peer_count = 0;
    XC_TRY(network_model(q->model_name, MODELS[number].classes, &model, &activation, error));
    XC_TRY(network_split(SEQUENCES, model.length, MODELS[number].classes, &q->split, error));
    XC_TRY(xc_device_split_open(q->backend, &q->split, &q->data, error));
    XC_TRY(open_packs(q, &model, &activation, error));
    start_peers(q);
    for (int round = 0; round < q->rounds; round++) {
        for (int i = 0; i < q->pack_count; i++)
            XC_TRY(time_steps(q, &q->packs[i], q->packs[i].steps, &q->packs[i].times[round], error));
        for (int i = 0; i < q->peer_count; i++) q->peers[i].times[round] = peer_round(&q->peers[i]);
    }
    for (int i = 0; i < q->pack_count; i++) print_times(q, "expconv", q->packs[i].trials, q->packs[i].times);
    for (int i = 0; i < q->peer_count; i++) print_times(q, q->peers[i].system, 1, q->peers[i].times);
    print_row(q);
fail:
    for (int i = 0; i < q->peer_count; i++) peer_dismiss(&q->peers[i]);
    for (int i = 0; i < q->pack_count; i++) close_pack(&q->packs[i]);
    xc_device_split_close(&q->data);
    xc_split_free(&q->split);
    return status;
}

/* ---- command line ------------------------------------------------------------------------------------------------ */

static bool is_wanted(const char *name, int count, char **wanted) {
    for (int i = 0; i < count; i++)
        if (strcmp(wanted[i], name) == 0) return true;
    return count == 0;
}

/* The number of an option, when it is this one and within its range. */
static bool takes(char **arguments, const char *name, int most, int *value) {
    const int given = atoi(arguments[1]);
    if (strcmp(arguments[0], name) != 0 || given < 1 || given > most) return false;
    *value = given;
    return true;
}

int main(int argument_count, char **arguments) {
    static question q = {.device = "cpu", .batch = 100, .rounds = 5};
    xc_error error = {0};
    int at = 1;
    for (; at + 1 < argument_count && strncmp(arguments[at], "--", 2) == 0; at += 2) {
        if (strcmp(arguments[at], "--device") == 0)
            q.device = arguments[at + 1];
        else if (!takes(arguments + at, "--rounds", MOST_ROUNDS, &q.rounds) &&
                 !takes(arguments + at, "--batch", SEQUENCES, &q.batch) &&
                 !takes(arguments + at, "--most", 1024, &q.most))
            return fprintf(stderr,
                           "usage: packs [--device cpu|cuda] [--rounds 1..99] [--batch 1..2000] [--most 1..1024] "
                           "[MODEL ...]\n"),
                   2;
    }
    if (q.most == 0) q.most = strcmp(q.device, "cpu") == 0 ? 4 : 256;
    signal(SIGPIPE, SIG_IGN); /* a peer that died is a failed write */
    if (xc_backend_open(q.device, &q.backend, &error) != XC_OK || xc_make_folder("build/bench", &error) != XC_OK)
        return fprintf(stderr, "packs: %s\n", error.text), 1;
    for (int i = 0; i < MODEL_COUNT; i++) {
        if (!is_wanted(MODELS[i].name, argument_count - at, arguments + at)) continue;
        if (measure_model(&q, i, &error) != XC_OK) return fprintf(stderr, "packs: %s\n", error.text), 1;
    }
    return 0;
}
