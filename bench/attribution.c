/* attribution.c: how long does an attribution map take? cnn-deep with the exponential, sequences of 200 bases in
 * memory, all cores: each method as `expconv attribute` does it (xc_attribute), beside PyTorch, and for deepshap beside
 * captum and tangermeme; mutagenesis also beside our own brute force, which predicts every substituted sequence
 * (xc_network_logits). 10 dinucleotide backgrounds, 20 steps.
 *
 *     attribution [--rounds 5] [--sequences 40] [--method NAME] [--peers 0]
 *
 * Prints a JSON line a system and method. Peers and ours take turns; a peer that is over 20 times slower is asked for
 * two rounds only. The floor: multiply-adds of direct convolution of all rows that the method asks for, forward and
 * where it does backward (as many again), at the measured peak of all cores; mutagenesis' is that of brute force.
 */
#include "expconv/attribution.h"
#include "floors.h"
#include "network.h"
#include "peer.h"

#define MAX_ROUNDS 99

enum { CLASSES = 12, BACKGROUNDS = 10, STEPS = 20, MOST_PEERS = 3, SLOW = 20, SLOW_ROUNDS = 2 };

typedef struct system_times {
    const char *name;
    double seconds[MAX_ROUNDS]; /* a sequence */
    int rounds;
    peer peer;
} system_times;

typedef struct question {
    int rounds, sequences, cores;
    bool alone; /* no peers */
    const char *only;
    floors floors;
    const xc_backend *backend;
    xc_network network;
    xc_split split;
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

/* ---- ours -------------------------------------------------------------------------------------------------------- */

static xc_status forget(void *context, const xc_attribution_part *part, xc_error *error) {
    (void)error;
    *(double *)context += (double)part->contributions[0];
    return XC_OK;
}

static xc_status ours(const question *q, xc_attribution_method method, double *seconds, xc_error *error) {
    xc_status status;
    uint32_t *index = NULL;
    double sum = 0;
    const xc_attribution_settings settings = {.method = method,
                                              .background = XC_BACKGROUND_DINUCLEOTIDE,
                                              .backgrounds = BACKGROUNDS,
                                              .steps = STEPS,
                                              .seed = 1};
    XC_TRY(xc_allocate(&index, (size_t)q->sequences, sizeof *index, "sequences", error));
    for (int i = 0; i < q->sequences; i++) index[i] = (uint32_t)i;
    const double start = xc_seconds();
    XC_TRY(xc_attribute(&q->network, q->backend, &q->split, index, (size_t)q->sequences, &settings, q->cores, forget,
                        &sum, error));
    *seconds = (xc_seconds() - start) / q->sequences;
fail:
    free(index);
    return status;
}

/* Every substitution of every sequence, predicted. */
static xc_status brute_force(const question *q, double *seconds, xc_error *error) {
    xc_status status;
    xc_dna_builder builder = {0};
    xc_split variants = {0};
    float *logits = NULL;
    const uint32_t length = q->split.dna.length, each = 3 * length;
    uint8_t codes[4096];
    const double start = xc_seconds();
    XC_TRY(xc_dna_builder_open(&builder, each * (uint32_t)q->sequences, length, error));
    XC_TRY(xc_allocate(&logits, (size_t)each * (size_t)q->sequences * CLASSES, sizeof *logits, "logits", error));
    for (uint32_t i = 0; i < (uint32_t)q->sequences; i++) {
        xc_dna_unpack(&q->split.dna, i, codes);
        for (uint32_t v = 0; v < each; v++) {
            const uint8_t before = codes[v / 3];
            codes[v / 3] = (uint8_t)((before + 1 + v % 3) % 4);
            XC_TRY(xc_dna_builder_append(&builder, codes, error));
            codes[v / 3] = before;
        }
    }
    xc_dna_builder_finish(&builder, &variants.dna);
    XC_TRY(xc_network_logits(&q->network, q->backend, &variants, q->cores, logits, error));
    *seconds = (xc_seconds() - start) / q->sequences;
fail:
    xc_dna_builder_free(&builder);
    xc_split_free(&variants);
    free(logits);
    return status;
}

/* ---- peers ------------------------------------------------------------------------------------------------------- */

static bool start_peer(const question *q, system_times *system, const char *package, const char *script,
                       xc_attribution_method method) {
    char sequences[16], threads[16];
    const char *python = peer_python(package);
    snprintf(sequences, sizeof sequences, "%d", q->sequences);
    snprintf(threads, sizeof threads, "%d", q->cores);
    const char *const arguments[] = {python,    script,      "--model", "cnn-deep", "--sequences",
                                     sequences, "--threads", threads,   "--method", xc_method_word(method),
                                     "--serve", NULL};
    if (!python || !peer_start(&system->peer, arguments)) return false;
    if (peer_read(&system->peer)) return true;
    fprintf(stderr, "  notice   %s did not start; see " PEER_LOG "\n", script);
    peer_end(&system->peer);
    return false;
}

/* Seconds a sequence; NAN when it stopped. */
static double ask_peer(system_times *system) {
    fputs("\n", system->peer.to);
    fflush(system->peer.to);
    return peer_read(&system->peer) ? 1e-3 * peer_number(&system->peer, "median_ms") : NAN;
}

static int start_peers(const question *q, xc_attribution_method method, system_times *systems) {
    static const struct {
        const char *name, *package, *script;
        bool deepshap_alone;
    } peers[MOST_PEERS] = {{"pytorch", "torch", "bench/peers/torch_attribution.py", false},
                           {"captum", "captum", "bench/peers/captum_attribution.py", true},
                           {"tangermeme", "tangermeme", "bench/peers/tangermeme_attribution.py", true}};
    int count = 0;
    for (int i = 0; i < MOST_PEERS && !q->alone; i++) {
        if (peers[i].deepshap_alone != (method == XC_DEEPSHAP)) continue;
        systems[count].name = peers[i].name;
        if (start_peer(q, &systems[count], peers[i].package, peers[i].script, method)) count++;
    }
    return count;
}

/* ---- one method -------------------------------------------------------------------------------------------------- */

/* Operations of direct convolution of all rows of one sequence. */
static double operations(const question *q, xc_attribution_method method) {
    const double forward = network_forward_operations(&q->network.model);
    switch (method) {
        case XC_INTEGRATED_GRADIENTS:
            return 2 * forward * BACKGROUNDS * STEPS;
        case XC_DEEPSHAP:
            return forward * (2 * BACKGROUNDS + 1);
        case XC_MUTAGENESIS:
            return forward * 3 * q->network.model.length;
        default:
            return 2 * forward;
    }
}

static double report(const question *q, xc_attribution_method method, const char *name, system_times *system) {
    const double median = measure_median(system->seconds, (size_t)system->rounds); /* sorts */
    const double floor = operations(q, method) / q->floors.peak / q->cores;
    printf(
        "{\"bench\":\"attribution\",\"method\":\"%s\",\"system\":\"%s\",\"sequences\":%d,\"ms\":%.4g,"
        "\"least_ms\":%.4g,\"most_ms\":%.4g,\"rounds\":%d,%s,\"floor_ms\":%.4g,\"reached\":%.3f,%s}\n",
        xc_method_word(method), name, q->sequences, 1e3 * median, 1e3 * system->seconds[0],
        1e3 * system->seconds[system->rounds - 1], system->rounds, floors_text(&q->floors), 1e3 * floor, floor / median,
        measure_where());
    fflush(stdout);
    return median;
}

static void print_row(const question *q, xc_attribution_method method, double mine, const char *other, double theirs,
                      double at_least) {
    measure_row row = {.unit = "ms", .ours = 1e3 * mine, .theirs = 1e3 * theirs, .at_least = at_least};
    row.ratio = theirs > 0 ? theirs / mine : 0;
    row.reached = operations(q, method) / q->floors.peak / q->cores / mine;
    snprintf(row.what, sizeof row.what, "%s, cnn-deep, %d x 200, a sequence", xc_method_word(method), q->sequences);
    snprintf(row.peer, sizeof row.peer, "%s", other);
    measure_print_row("attribution", &row);
}

static double asked_for(xc_attribution_method method) {
    return method == XC_INTEGRATED_GRADIENTS ? 6 : method == XC_DEEPSHAP ? 10 : method == XC_MUTAGENESIS ? 20 : 0;
}

static xc_status measure_rounds(const question *q, xc_attribution_method method, system_times *systems, int peers,
                                xc_error *error) {
    xc_status status = XC_OK;
    double warm;
    XC_TRY(ours(q, method, &warm, error));
    for (int round = 0; round < q->rounds; round++) {
        XC_TRY(ours(q, method, &systems[0].seconds[systems[0].rounds++], error));
        if (method == XC_MUTAGENESIS) XC_TRY(brute_force(q, &systems[1].seconds[systems[1].rounds++], error));
        for (int i = 2; i < 2 + peers; i++) {
            system_times *s = &systems[i];
            if (s->rounds >= SLOW_ROUNDS && s->seconds[0] > SLOW * systems[0].seconds[0]) continue;
            s->seconds[s->rounds++] = ask_peer(s);
            if (isnan(s->seconds[s->rounds - 1])) return xc_fail(error, XC_DEVICE, "a peer stopped; see " PEER_LOG);
        }
    }
fail:
    return status;
}

static xc_status measure_method(const question *q, xc_attribution_method method, xc_error *error) {
    static system_times systems[2 + MOST_PEERS];
    memset(systems, 0, sizeof systems);
    const int peers = start_peers(q, method, systems + 2);
    const xc_status status = measure_rounds(q, method, systems, peers, error);
    if (status == XC_OK) {
        double best = 0;
        const char *name = "";
        const double mine = report(q, method, "expconv", &systems[0]);
        if (systems[1].rounds > 0)
            print_row(q, method, mine, "our brute force", report(q, method, "brute force", &systems[1]), 8);
        for (int i = 2; i < 2 + peers; i++) {
            const double theirs = report(q, method, systems[i].name, &systems[i]);
            if (best == 0 || theirs < best) best = theirs, name = systems[i].name;
        }
        print_row(q, method, mine, name, best, asked_for(method));
    }
    for (int i = 2; i < 2 + peers; i++) peer_end(&systems[i].peer);
    return status;
}

int main(int count, char **arguments) {
    static question q = {.rounds = 5, .sequences = 40};
    xc_error error = {0};
    for (int at = 1; at < count; at += 2) {
        const char *value = at + 1 < count ? arguments[at + 1] : "";
        if (strcmp(arguments[at], "--rounds") == 0 && atoi(value) >= 1 && atoi(value) <= MAX_ROUNDS)
            q.rounds = atoi(value);
        else if (strcmp(arguments[at], "--sequences") == 0 && atoi(value) >= 1 && atoi(value) <= 100000)
            q.sequences = atoi(value);
        else if (strcmp(arguments[at], "--peers") == 0)
            q.alone = atoi(value) == 0;
        else if (strcmp(arguments[at], "--method") == 0)
            q.only = value;
        else
            return fprintf(stderr, "usage: attribution [--rounds 1..99] [--sequences 1..] [--method NAME]\n"), 2;
    }
    q.cores = xc_core_count();
    signal(SIGPIPE, SIG_IGN);
    xc_status status;
    XC_TRY(xc_make_folder("build/bench", &error));
    XC_TRY(xc_backend_cpu(&q.backend, &error));
    measure_floors(q.backend, &q.floors);
    XC_TRY(make_network(&q.network, &error));
    XC_TRY(network_split((uint32_t)q.sequences, q.network.model.length, CLASSES, &q.split, &error));
    for (int m = 0; m < XC_METHOD_COUNT; m++)
        if (!q.only || strcmp(q.only, xc_method_word((xc_attribution_method)m)) == 0)
            XC_TRY(measure_method(&q, (xc_attribution_method)m, &error));
fail:
    if (status != XC_OK) fprintf(stderr, "attribution: %s\n", error.text);
    xc_split_free(&q.split);
    xc_network_close(&q.network);
    return status == XC_OK ? 0 : 1;
}
