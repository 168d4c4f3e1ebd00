/* predict.c: how many sequences a second does a trained cnn-deep predict, beside PyTorch, TensorFlow and JAX? 100,000
 * random sequences of 200 bases in memory, all cores: ours as `expconv predict` does it (xc_network_logits), each peer
 * as one process with all threads and as a process a core, with the best of three batch sizes. Each peer is tried for a
 * round; those near the fastest then take turns with ours.
 *
 *     predict [--rounds 5] [--sequences 100000]
 *
 * Prints a JSON line a system and arrangement, and the whole program's rate, `./expconv predict --fasta` from file to
 * file. The floor: operations of direct convolution (lookup in the first layer) at the multiply-add peak of all cores.
 */
#include "expconv/train.h"
#include "floors.h"
#include "network.h"
#include "peer.h"

#define MAX_ROUNDS 99
#define TRIAL "build/bench/predict.trial"
#define FASTA "build/bench/predict.fa"

enum { CLASSES = 12, MOST_PEERS = 6 };

typedef struct question {
    int rounds, sequences, cores;
    double operations; /* of a sequence */
    floors floors;
    double ours[MAX_ROUNDS]; /* milliseconds for a thousand sequences, as the peers' */
    peer_arrangement peers[MOST_PEERS];
    int peer_count;
} question;

static xc_status make_network(xc_network *network, xc_error *error) {
    static const char *const overrides[] = {"model.zoo=cnn-deep", "model.activation=exponential"};
    xc_model *model = &network->model;
    xc_status status;
    XC_TRY(xc_config_read("configs/demo.yaml", overrides, 2, &network->config, error));
    XC_TRY(xc_model_build(&network->config->model, (int32_t)network->config->model.length, CLASSES, model, error));
    XC_TRY(xc_allocate(&network->state.parameters, model->parameter_count, sizeof(float), "weights", error));
    XC_TRY(xc_allocate(&network->state.running, model->running_count, sizeof(float), "weights", error));
    xc_model_initialise(model, 1, network->state.parameters, network->state.running);
fail:
    return status;
}

static void print_left_out(const void *context, const peer_arrangement *a) {
    (void)context;
    printf("{\"bench\":\"predict\",\"system\":\"%s\",\"arrangement\":\"%s\",\"sequences_s\":%.0f,\"rounds\":1,%s}\n",
           a->system, a->text, 1e6 / a->times[0], measure_where());
}

static void start_peers(question *q) {
    static const struct {
        const char *package, *script;
    } systems[] = {{"torch", "bench/peers/torch_predict.py"},
                   {"tensorflow", "bench/peers/keras_predict.py"},
                   {"jax", "bench/peers/jax_predict.py"}};
    for (int i = 0; i < MOST_PEERS; i++) {
        char share[16];
        const char *own[] = {"--model", "cnn-deep", "--sequences", share, NULL};
        peer_arrangement *a = &q->peers[i];
        const bool side = i % 2;
        *a = (peer_arrangement){.package = systems[i / 2].package,
                                .script = systems[i / 2].script,
                                .processes = side ? q->cores : 1,
                                .threads = side ? 1 : q->cores,
                                .trials = 1};
        snprintf(share, sizeof share, "%d", q->sequences / a->processes);
        a->times[0] = (!side || q->cores > 1) && peer_arrange(a, own) ? peer_round(a) : NAN;
    }
    q->peer_count = peer_keep_near(q->peers, MOST_PEERS, false, print_left_out, NULL);
}

static xc_status measure_rounds(question *q, const xc_backend *backend, const xc_network *network,
                                const xc_split *split, float *logits, xc_error *error) {
    for (int round = -1; round < q->rounds; round++) { /* the first warms up */
        const int at = round < 0 ? 0 : round;
        const double start = xc_seconds();
        const xc_status status = xc_network_logits(network, backend, split, q->cores, logits, error);
        if (status != XC_OK) return status;
        q->ours[at] = 1e6 * (xc_seconds() - start) / q->sequences;
        for (int i = 0; i < q->peer_count; i++) {
            q->peers[i].times[at] = peer_round(&q->peers[i]);
            if (isnan(q->peers[i].times[at])) return xc_fail(error, XC_DEVICE, "a peer stopped; see " PEER_LOG);
        }
    }
    return XC_OK;
}

static void report(const question *q, const char *system, const char *text, double *times) {
    const double median = measure_median(times, (size_t)q->rounds); /* sorts */
    const double floor = 1e6 * q->operations / q->floors.peak / q->cores;
    printf(
        "{\"bench\":\"predict\",\"system\":\"%s\",\"arrangement\":\"%s\",\"sequences\":%d,\"sequences_s\":%.0f,"
        "\"least_s\":%.0f,\"most_s\":%.0f,\"rounds\":%d,\"mflop\":%.3f,%s,\"floor_sequences_s\":%.0f,"
        "\"reached\":%.3f,%s}\n",
        system, text, q->sequences, 1e6 / median, 1e6 / times[q->rounds - 1], 1e6 / times[0], q->rounds,
        1e-6 * q->operations, floors_text(&q->floors), 1e6 / floor, floor / median, measure_where());
    fflush(stdout);
}

/* Sequences a second of the whole program, or 0. A network is trained first, for one epoch of few sequences. */
static double whole_program(const question *q, const xc_split *split) {
    static const char prepare[] =
        "rm -rf " TRIAL
        " && ./expconv simulate --task motifs --motifs configs/motifs/task1.meme --sequences 1000 --seed 1"
        " --out build/bench/predict.h5 >build/bench/predict.log 2>&1 &&"
        " printf 'data: {file: build/bench/predict.h5}\\nmodel: {zoo: cnn-deep, activation: exponential}\\n'"
        " >build/bench/predict.yaml && ./expconv train build/bench/predict.yaml --set train.epochs=1 --out " TRIAL
        " >>build/bench/predict.log 2>&1";
    static const char command[] = "./expconv predict " TRIAL " --fasta " FASTA
                                  " --out build/bench/predict.tsv"
                                  " >>build/bench/predict.log 2>&1";
    uint8_t codes[4096];
    FILE *fasta = fopen(FASTA, "w");
    if (!fasta) return 0;
    for (int i = 0; i < q->sequences; i++) {
        xc_dna_unpack(&split->dna, (uint32_t)i, codes);
        for (uint32_t l = 0; l < split->dna.length; l++) codes[l] = (uint8_t) "ACGTN"[codes[l]];
        fprintf(fasta, ">s%d\n%.*s\n", i, (int)split->dna.length, (const char *)codes);
    }
    if (fclose(fasta) != 0 || system(prepare) != 0) return 0;
    double seconds[3];
    for (int i = 0; i < 3; i++) {
        const double start = xc_seconds();
        if (system(command) != 0) return 0;
        seconds[i] = xc_seconds() - start;
    }
    return q->sequences / measure_median(seconds, 3);
}

static void report_all(question *q, const xc_split *split) {
    const peer_arrangement *best = NULL;
    report(q, "expconv", "all threads", q->ours);
    for (int i = 0; i < q->peer_count; i++) {
        peer_arrangement *a = &q->peers[i];
        report(q, a->system, a->text, a->times);
        if (!best || a->times[q->rounds / 2] < best->times[q->rounds / 2]) best = a;
    }
    printf(
        "{\"bench\":\"predict\",\"system\":\"expconv\",\"arrangement\":\"whole program, FASTA to TSV\","
        "\"sequences\":%d,\"sequences_s\":%.0f,\"rounds\":3,%s}\n",
        q->sequences, whole_program(q, split), measure_where());
    const double ours = 1e6 / measure_median(q->ours, (size_t)q->rounds);
    const double theirs = best ? 1e6 / best->times[q->rounds / 2] : 0;
    measure_row row = {.unit = "seq/s",
                       .ours = ours,
                       .theirs = theirs,
                       .ratio = best ? ours / theirs : 0,
                       .at_least = 6,
                       .reached = ours * q->operations / q->floors.peak / q->cores};
    snprintf(row.what, sizeof row.what, "predict, cnn-deep, %d x 200", q->sequences);
    if (best) snprintf(row.peer, sizeof row.peer, "%.40s, %.50s", best->system, best->text);
    measure_print_row("predict", &row);
}

int main(int count, char **arguments) {
    static question q = {.rounds = 5, .sequences = 100000};
    static xc_network network;
    xc_error error = {0};
    xc_split split = {0};
    float *logits = NULL;
    const xc_backend *backend;
    for (int at = 1; at < count; at += 2) {
        const int value = at + 1 < count ? atoi(arguments[at + 1]) : 0;
        if (strcmp(arguments[at], "--rounds") == 0 && value >= 1 && value <= MAX_ROUNDS)
            q.rounds = value;
        else if (strcmp(arguments[at], "--sequences") == 0 && value >= 4000 && value <= 10000000)
            q.sequences = value;
        else
            return fprintf(stderr, "usage: predict [--rounds 1..99] [--sequences 4000..]\n"), 2;
    }
    q.cores = xc_core_count() < PEER_MOST ? xc_core_count() : PEER_MOST;
    signal(SIGPIPE, SIG_IGN);
    xc_status status;
    XC_TRY(xc_make_folder("build/bench", &error));
    XC_TRY(xc_backend_cpu(&backend, &error));
    measure_floors(backend, &q.floors);
    XC_TRY(make_network(&network, &error));
    XC_TRY(network_split((uint32_t)q.sequences, network.model.length, CLASSES, &split, &error));
    XC_TRY(xc_allocate(&logits, (size_t)q.sequences * CLASSES, sizeof *logits, "logits", &error));
    q.operations = network_forward_operations(&network.model);
    start_peers(&q);
    XC_TRY(measure_rounds(&q, backend, &network, &split, logits, &error));
    report_all(&q, &split);
fail:
    if (status != XC_OK) fprintf(stderr, "predict: %s\n", error.text);
    for (int i = 0; i < q.peer_count; i++) peer_dismiss(&q.peers[i]);
    free(logits);
    xc_split_free(&split);
    xc_network_close(&network);
    return status == XC_OK ? 0 : 1;
}
