/* train_step.c: how long is one training step (forward, loss, backward, Adam), beside PyTorch, TensorFlow and JAX on
 * the same cores in the same run? Ours in three arrangements: one trial with one thread, one trial with all cores
 * within its step, and as many trials side by side as there are cores. Every peer in its own: one process with all
 * threads, as many processes as cores, and JAX with several trials under vmap. Each is tried for a round; those that
 * come near the fastest then take turns with ours.
 *
 *     train_step [--rounds 5] [--batch 100] [MODEL ...]
 *
 * Prints a JSON line per model, system and arrangement: milliseconds a step (of a round the median step, over the
 * trials that ran at the same time), operations and bytes counted, and the floor: the operations of direct convolution
 * over the measured multiply-add rate of the cores in use, which a form of fewer operations may go below. Then two rows
 * of the table.
 */
#include "floors.h"
#include "network.h"
#include "peer.h"

#define MAX_ROUNDS 99
#define SEQUENCES 2000
#define ROUND_SECONDS 0.4 /* of a round's steps, if they were at their floor */

typedef struct arrangement {
    const char *text;
    int side, threads; /* trials, and threads of each */
    runner runners[PEER_MOST];
    double times[MAX_ROUNDS];
} arrangement;

enum { OURS_ONE, OURS_ALONE, OURS_SIDE, OURS_COUNT };
enum { MOST_PEERS = 8 };

typedef struct question {
    const char *model_name;
    int32_t batch;
    int rounds, cores, steps;
    double operations, bytes; /* of a step */
    floors floors;
    arrangement ours[OURS_COUNT];
    peer_arrangement peers[MOST_PEERS];
    int peer_count;
} question;

/* ---- counting ---------------------------------------------------------------------------------------------------- */

/* Bytes that must move if no cache held them: a block's output and its gradient are written once and read twice and
 * once; Adam reads a weight, its gradient and two moments, writes all four, and the gradient is written before. */
static double step_bytes(const xc_model *model, int32_t batch) {
    double values = 9.0 * (double)model->parameter_count;
    for (int32_t i = 0; i < model->layer_count; i++) {
        const xc_block *b = &model->layer[i].block;
        values += 5.0 * batch * b->out_length * b->filters;
    }
    return 4 * values;
}

/* ---- the peers --------------------------------------------------------------------------------------------------- */

static void add_peers(question *q) {
    static const struct {
        const char *package, *script;
    } systems[] = {{"torch", "bench/peers/torch_train_step.py"},
                   {"tensorflow", "bench/peers/keras_train_step.py"},
                   {"jax", "bench/peers/jax_train_step.py"}};
    q->peer_count = 0;
    for (int i = 0; i < 3; i++)
        for (int form = 0; form < (i == 2 ? 4 : 2); form++) {
            if (form == 1 && q->cores == 1) continue;
            q->peers[q->peer_count++] = (peer_arrangement){.package = systems[i].package,
                                                           .script = systems[i].script,
                                                           .processes = form == 1 ? q->cores : 1,
                                                           .threads = form == 1 ? 1 : q->cores,
                                                           .trials = form == 2   ? 2
                                                                     : form == 3 ? 4
                                                                                 : 1};
        }
}

static void print_times(const question *q, const char *system, const char *text, double *times, int rounds, int cores) {
    const double median = measure_median(times, (size_t)rounds); /* sorts */
    const double floor = 1e3 * q->operations / q->floors.peak / cores;
    printf(
        "{\"bench\":\"train_step\",\"model\":\"%s\",\"system\":\"%s\",\"arrangement\":\"%s\",\"batch\":%d,"
        "\"median_ms\":%.3f,\"min_ms\":%.3f,\"max_ms\":%.3f,\"rounds\":%d,\"gflop\":%.3f,\"mb\":%.1f,%s,"
        "\"floor_ms\":%.3f,\"bytes_ms\":%.3f,\"reached\":%.3f,%s}\n",
        q->model_name, system, text, q->batch, median, times[0], times[rounds - 1], rounds, 1e-9 * q->operations,
        1e-6 * q->bytes, floors_text(&q->floors), floor, 1e3 * q->bytes / q->floors.copy, floor / median,
        measure_where());
    fflush(stdout);
}

static void print_left_out(const void *context, const peer_arrangement *a) {
    const question *q = context;
    double time = a->times[0];
    print_times(q, a->system, a->text, &time, 1, q->cores);
}

/* Starts every arrangement, gives it a round, and keeps those that are near the fastest. */
static void start_peers(question *q) {
    char steps[16], batch[16];
    const char *own[] = {"--model", q->model_name, "--steps", steps, "--batch", batch, NULL};
    snprintf(steps, sizeof steps, "%d", q->steps);
    snprintf(batch, sizeof batch, "%d", (int)q->batch);
    for (int i = 0; i < q->peer_count; i++)
        q->peers[i].times[0] = peer_arrange(&q->peers[i], own) ? peer_round(&q->peers[i]) : NAN;
    q->peer_count = peer_keep_near(q->peers, q->peer_count, true, print_left_out, q);
}

/* ---- one model --------------------------------------------------------------------------------------------------- */

static xc_status measure_rounds(question *q, xc_error *error) {
    for (int round = -1; round < q->rounds; round++) { /* the first warms up */
        const int at = round < 0 ? 0 : round;
        for (int i = 0; i < OURS_COUNT; i++) {
            arrangement *a = &q->ours[i];
            const xc_status status = runner_round(a->runners, a->side, q->steps, &a->times[at], error);
            if (status != XC_OK) return status;
        }
        for (int i = 0; i < q->peer_count; i++) {
            q->peers[i].times[at] = peer_round(&q->peers[i]);
            if (isnan(q->peers[i].times[at]))
                return xc_fail(error, XC_DEVICE, "%s: a peer stopped; see %s", q->model_name, PEER_LOG);
        }
    }
    return XC_OK;
}

/* A row of the table: ours against the fastest peer, of all or of those with one process for one trial. */
static void print_row(const question *q, const arrangement *ours, const char *what, bool alone, double at_least) {
    const peer_arrangement *best = NULL;
    for (int i = 0; i < q->peer_count; i++) {
        const peer_arrangement *a = &q->peers[i];
        if (alone && !peer_is_alone(a)) continue;
        if (!best || a->times[q->rounds / 2] < best->times[q->rounds / 2]) best = a; /* sorted by now */
    }
    const double median = ours->times[q->rounds / 2], theirs = best ? best->times[q->rounds / 2] : 0;
    measure_row row = {.unit = "ms",
                       .ours = median,
                       .theirs = theirs,
                       .ratio = theirs / median,
                       .at_least = at_least,
                       .reached = 1e3 * q->operations / q->floors.peak / q->cores / median};
    snprintf(row.what, sizeof row.what, "training step, %s, %s", q->model_name, what);
    if (best) snprintf(row.peer, sizeof row.peer, "%.40s, %.50s", best->system, best->text);
    measure_print_row("train_step", &row);
}

static xc_status measure_model(question *q, int number, const xc_backend *backend, xc_error *error) {
    static xc_model model;
    xc_activation activation;
    xc_split split = {0};
    xc_status status;
    q->model_name = MODELS[number].name;
    q->peer_count = 0;
    XC_TRY(network_model(q->model_name, MODELS[number].classes, &model, &activation, error));
    XC_TRY(network_split(SEQUENCES, model.length, MODELS[number].classes, &split, error));
    q->operations = network_operations(&model, q->batch);
    q->bytes = step_bytes(&model, q->batch);
    const double floor = q->operations / q->floors.peak / q->cores; /* seconds */
    q->steps = floor < ROUND_SECONDS / RUNNER_STEPS ? RUNNER_STEPS
               : floor > ROUND_SECONDS / 3          ? 3
                                                    : ROUND_SECONDS / floor;
    q->ours[OURS_ONE].text = "1 trial x 1 thread", q->ours[OURS_ONE].side = q->ours[OURS_ONE].threads = 1;
    q->ours[OURS_ALONE].text = "1 trial x all threads", q->ours[OURS_ALONE].side = 1;
    q->ours[OURS_SIDE].text = "a trial a core x 1 thread", q->ours[OURS_SIDE].threads = 1;
    q->ours[OURS_ALONE].threads = q->ours[OURS_SIDE].side = q->cores;
    for (int i = 0; i < OURS_COUNT; i++)
        for (int j = 0; j < q->ours[i].side; j++)
            XC_TRY(runner_open(&q->ours[i].runners[j], backend, &model, &activation, &split, q->batch,
                               q->ours[i].threads, (uint64_t)j, error));
    add_peers(q);
    start_peers(q);
    XC_TRY(measure_rounds(q, error));
    for (int i = 0; i < OURS_COUNT; i++)
        print_times(q, "expconv", q->ours[i].text, q->ours[i].times, q->rounds, i == OURS_ONE ? 1 : q->cores);
    for (int i = 0; i < q->peer_count; i++)
        print_times(q, q->peers[i].system, q->peers[i].text, q->peers[i].times, q->rounds, q->cores);
    print_row(q, &q->ours[OURS_SIDE], "side by side", false, MODELS[number].side_by_side);
    print_row(q, &q->ours[OURS_ALONE], "one trial alone", true, MODELS[number].alone);
fail:
    for (int i = 0; i < q->peer_count; i++) peer_dismiss(&q->peers[i]);
    for (int i = 0; i < OURS_COUNT; i++)
        for (int j = 0; j < q->ours[i].side; j++) runner_close(&q->ours[i].runners[j]);
    xc_split_free(&split);
    return status;
}

/* ---- command line ------------------------------------------------------------------------------------------------ */

static bool is_wanted(const char *name, int count, char **wanted) {
    for (int i = 0; i < count; i++)
        if (strcmp(wanted[i], name) == 0) return true;
    return count == 0;
}

int main(int argument_count, char **arguments) {
    static question q = {.batch = 100, .rounds = 5};
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
    q.cores = xc_core_count();
    if (q.cores > PEER_MOST) q.cores = PEER_MOST;
    signal(SIGPIPE, SIG_IGN); /* a peer that died is a failed write */
    if (xc_backend_cpu(&backend, &error) != XC_OK || xc_make_folder("build/bench", &error) != XC_OK)
        return fprintf(stderr, "train_step: %s\n", error.text), 1;
    measure_floors(backend, &q.floors);
    for (int i = 0; i < MODEL_COUNT; i++) {
        if (!is_wanted(MODELS[i].name, argument_count - at, arguments + at)) continue;
        if (measure_model(&q, i, backend, &error) != XC_OK) return fprintf(stderr, "train_step: %s\n", error.text), 1;
    }
    return 0;
}
