/* sweep.c: how long is a whole sweep, beside PyTorch? Runs `./expconv sweep` of cnn-deep x {relu, exponential} x 4
 * seeds x 3 epochs on 21,000 sequences of the simulated task 1 as one process, and the same trials in
 * bench/peers/torch_sweep.py as a process a core, with one thread each, or one process with all threads (--alone 1):
 * reading, training, validation each epoch, test.
 *
 *     sweep [--rounds 1] [--sequences 30000] [--epochs 3] [--seeds 4] [--alone 0]
 *
 * 70% of the sequences are trained on. Prints a JSON line a round: wall time and peak resident memory of both (of
 * several processes the sum of their peaks), and medians over the trials, so that one round has a spread. The floor is
 * that of the training steps alone, as train_step counts them. Wants ./expconv; files go to build/bench.
 */
#include <ctype.h>

#include "floors.h"
#include "network.h"
#include "peer.h"

#define MAX_ROUNDS 15
#define MAX_TRIALS 256
#define FOLDER "build/bench/sweep.out"

typedef struct question {
    int rounds, sequences, epochs, seeds, alone, cores;
    char data[128];
} question;

typedef struct outcome {
    double seconds, bytes;            /* wall; peak resident memory */
    double trial_median, trial_least; /* seconds of a trial */
    int trials;
} outcome;

/* Runs a program to its end, with its output in a log; its peak resident memory, or NAN. */
static double run_program(const char *const *arguments, const char *log) {
    struct rusage usage = {0};
    int result = -1;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        if (!freopen(log, "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0) _exit(126);
        execv(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    if (child < 0 || wait4(child, &result, 0, &usage) != child || result != 0) return NAN;
    return 1024.0 * (double)usage.ru_maxrss;
}

static xc_status make_data(question *q, xc_error *error) {
    char count[16];
    snprintf(count, sizeof count, "%d", q->sequences);
    snprintf(q->data, sizeof q->data, "build/bench/task1_%d.h5", q->sequences);
    const char *const simulate[] = {
        "./expconv",   "simulate", "--task", "motifs", "--motifs", "configs/motifs/task1.meme", "--seed", "1",
        "--sequences", count,      "--out",  q->data,  NULL};
    if (xc_path_exists(q->data) || !isnan(run_program(simulate, "build/bench/simulate.log"))) return XC_OK;
    return xc_fail(error, XC_IO, "%s: cannot be made; see build/bench/simulate.log", q->data);
}

static void trial_times(outcome *o, double *seconds, int count) {
    o->trials = count;
    o->trial_median = count ? measure_median(seconds, (size_t)count) : NAN; /* sorts */
    o->trial_least = count ? seconds[0] : NAN;
}

/* ---- ours -------------------------------------------------------------------------------------------------------- */

/* The column `seconds` of the manifest. */
static int read_manifest(double *seconds) {
    char line[4096], *field[8];
    int count = 0;
    FILE *stream = fopen(FOLDER "/manifest.tsv", "r");
    while (stream && fgets(line, sizeof line, stream) && count < MAX_TRIALS)
        if (xc_cut_fields(line, field, 8) > 3 && isdigit((unsigned char)field[3][0])) seconds[count++] = atof(field[3]);
    if (stream) fclose(stream);
    return count;
}

static xc_status run_ours(const question *q, outcome *o, xc_error *error) {
    static const char config[] = "build/bench/sweep.yaml";
    static const char *const command[] = {"./expconv", "sweep", config, "--out", FOLDER, NULL};
    double seconds[MAX_TRIALS];
    xc_file file;
    if (system("rm -rf " FOLDER) != 0) return xc_fail(error, XC_IO, FOLDER ": cannot be removed");
    xc_status status = xc_file_create(&file, config, true, error);
    if (status != XC_OK) return status;
    fprintf(file.stream,
            "data: {file: %s}\nmodel: {zoo: cnn-deep}\ntrain: {epochs: %d, monitor: val_auroc}\n"
            "sweep: {activation: [relu, exponential], seeds: %d}\n",
            q->data, q->epochs, q->seeds);
    if ((status = xc_file_commit(&file, error)) != XC_OK) return status;
    const double start = xc_seconds();
    o->bytes = run_program(command, "build/bench/sweep.log");
    o->seconds = xc_seconds() - start;
    if (isnan(o->bytes)) return xc_fail(error, XC_DEVICE, "./expconv sweep failed; see build/bench/sweep.log");
    trial_times(o, seconds, read_manifest(seconds));
    return XC_OK;
}

/* ---- the peer ---------------------------------------------------------------------------------------------------- */

/* False when PyTorch is not here or fails. */
static bool run_torch(const question *q, int processes, int threads, outcome *o, char *version) {
    peer peers[PEER_MOST] = {{0}};
    char text[5][16];
    double seconds[MAX_TRIALS];
    int count = 0;
    const char *python = peer_python("torch");
    if (!python || !peer_python("h5py")) return false;
    const int numbers[] = {q->epochs, q->seeds, threads, processes};
    for (int i = 0; i < 4; i++) snprintf(text[i], sizeof text[i], "%d", numbers[i]);
    const double start = xc_seconds();
    for (int i = 0; i < processes; i++) {
        snprintf(text[4], sizeof text[4], "%d", i);
        const char *const arguments[] = {python,      "bench/peers/torch_sweep.py",
                                         "--data",    q->data,
                                         "--epochs",  text[0],
                                         "--seeds",   text[1],
                                         "--threads", text[2],
                                         "--of",      text[3],
                                         "--share",   text[4],
                                         NULL};
        if (!peer_start(&peers[i], arguments)) return false;
    }
    o->bytes = 0;
    for (int i = 0; i < processes; i++) {
        while (peer_read(&peers[i]) && count < MAX_TRIALS) {
            const char *at = strstr(peers[i].line, "\"version\": \"");
            if (at) sscanf(at, "\"version\": \"%19[^+\"]", version);
            seconds[count++] = peer_number(&peers[i], "seconds");
        }
        o->bytes += peer_end(&peers[i]);
    }
    o->seconds = xc_seconds() - start;
    trial_times(o, seconds, count);
    if (count == 2 * q->seeds) return true;
    fprintf(stderr, "  notice   torch_sweep.py finished %d of %d trials; see " PEER_LOG "\n", count, 2 * q->seeds);
    return false;
}

/* ---- report ------------------------------------------------------------------------------------------------------ */

static void print_outcome(const question *q, const char *system, const char *text, const outcome *o) {
    printf(
        "{\"bench\":\"sweep\",\"system\":\"%s\",\"arrangement\":\"%s\",\"model\":\"cnn-deep\",\"activations\":2,"
        "\"seeds\":%d,\"epochs\":%d,\"sequences\":%d,\"trained_on\":%d,\"seconds\":%.3f,\"peak_mb\":%.1f,\"trials\":%d,"
        "\"trial_median_s\":%.3f,\"trial_least_s\":%.3f,%s}\n",
        system, text, q->seeds, q->epochs, q->sequences, q->sequences * 7 / 10, o->seconds, o->bytes / (1 << 20),
        o->trials, o->trial_median, o->trial_least, measure_where());
    fflush(stdout);
}

/* Seconds of the training steps alone at the multiply-add peak of all cores: as direct convolution. */
static xc_status sweep_floor(const question *q, double *seconds, xc_error *error) {
    static xc_model model;
    xc_activation activation;
    floors f;
    const xc_backend *backend;
    xc_status status;
    XC_TRY(xc_backend_cpu(&backend, error));
    XC_TRY(network_model("cnn-deep", 12, &model, &activation, error));
    measure_floors(backend, &f);
    const double trained = (double)(q->sequences * 7 / 10) * q->epochs * 2 * q->seeds;
    *seconds = trained * network_operations(&model, 1) / f.peak / q->cores;
fail:
    return status;
}

static xc_status measure(question *q, xc_error *error) {
    double ours[MAX_ROUNDS], theirs[MAX_ROUNDS], floor;
    outcome a = {0}, b = {0};
    char version[20] = "", text[64], system[32];
    const int processes = q->alone ? 1 : q->cores, threads = q->alone ? q->cores : 1;
    bool has_peer = true;
    xc_status status;
    snprintf(text, sizeof text, "%d process%s x %d thread%s", processes, processes > 1 ? "es" : "", threads,
             threads > 1 ? "s" : "");
    XC_TRY(make_data(q, error));
    XC_TRY(sweep_floor(q, &floor, error));
    for (int round = 0; round < q->rounds; round++) {
        XC_TRY(run_ours(q, &a, error));
        print_outcome(q, "expconv", "1 process", &a);
        ours[round] = a.seconds;
        has_peer = has_peer && run_torch(q, processes, threads, &b, version);
        theirs[round] = has_peer ? b.seconds : 0;
        snprintf(system, sizeof system, "pytorch %s", version);
        if (has_peer) print_outcome(q, system, text, &b);
    }
    const double median = measure_median(ours, (size_t)q->rounds), other = measure_median(theirs, (size_t)q->rounds);
    measure_row row = {.unit = "s",
                       .ours = median,
                       .theirs = other,
                       .ratio = other / median,
                       .at_least = 4,
                       .reached = floor / median};
    snprintf(row.what, sizeof row.what, "sweep, %d trials x %d epochs", 2 * q->seeds, q->epochs);
    if (has_peer) snprintf(row.peer, sizeof row.peer, "%.31s, %.60s", system, text);
    measure_print_row("sweep", &row);
    row.unit = "MB", row.reached = 0;
    row.ours = a.bytes / (1 << 20), row.theirs = b.bytes / (1 << 20), row.ratio = row.theirs / row.ours;
    snprintf(row.what, sizeof row.what, "peak memory of that sweep");
    measure_print_row("sweep", &row);
fail:
    return status;
}

int main(int count, char **arguments) {
    question q = {.rounds = 1, .sequences = 30000, .epochs = 3, .seeds = 4};
    const struct {
        const char *name;
        int *value, least, most;
    } options[] = {{"--rounds", &q.rounds, 1, MAX_ROUNDS},
                   {"--sequences", &q.sequences, 100, 10000000},
                   {"--epochs", &q.epochs, 1, 1000},
                   {"--seeds", &q.seeds, 1, MAX_TRIALS / 2},
                   {"--alone", &q.alone, 0, 1}};
    xc_error error = {0};
    for (int at = 1; at < count; at += 2) {
        const int value = at + 1 < count ? atoi(arguments[at + 1]) : -1;
        size_t i = 0;
        while (i < 5 && strcmp(arguments[at], options[i].name) != 0) i++;
        if (i == 5 || value < options[i].least || value > options[i].most)
            return fprintf(stderr,
                           "usage: sweep [--rounds N] [--sequences N] [--epochs N] [--seeds N] [--alone 0|1]\n"),
                   2;
        *options[i].value = value;
    }
    q.cores = xc_core_count() < PEER_MOST ? xc_core_count() : PEER_MOST;
    signal(SIGPIPE, SIG_IGN);
    if (xc_make_folder("build/bench", &error) == XC_OK && measure(&q, &error) == XC_OK) return 0;
    fprintf(stderr, "sweep: %s\n", error.text);
    return 1;
}
