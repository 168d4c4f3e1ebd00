/* filters.c: how long does it take to make motifs of the first layer's filters, beside the forward pass of that layer
 * alone, which cannot be avoided? One thread, cnn-deep at 6,000 random sequences of 200 bases; relu, whose filters have
 * windows by the thousand, and the exponential, which has few. Rounds alternate between the two.
 *
 *     filters [--rounds 9] [--batch 10]
 *
 * Prints a JSON line per activation: milliseconds of both, the median of the rounds' ratios, the windows a filter has,
 * and the floor of what the extraction adds: the bytes of all activations at the rate that the core reads its second
 * cache, which the forward pass has just filled. The network is not trained: weights are random, with the kernels of
 * the exponential scaled until its windows are as few as those of a trained one.
 */
#include <sched.h>

#include "expconv/filters.h"
#include "measure.h"

enum { MOST_ROUNDS = 99, MOST_BATCH = 4096, SEQUENCES = 6000, LENGTH = 200, CLASSES = 12 };

typedef struct question {
    const xc_backend *backend;
    xc_split split;
    int rounds, batch;
    double read_rate; /* bytes a second */
} question;

/* ---- data and network -------------------------------------------------------------------------------------------- */

static xc_status make_split(xc_split *split, xc_error *error) {
    xc_random_sequence random = {.seed = 1, .stream = XC_STREAM_SIMULATE};
    xc_dna_builder builder = {0};
    uint8_t codes[LENGTH];
    xc_status status;
    XC_TRY(xc_dna_builder_open(&builder, SEQUENCES, LENGTH, error));
    for (int i = 0; i < SEQUENCES; i++) {
        for (int l = 0; l < LENGTH; l++) codes[l] = (uint8_t)xc_random_below(&random, 4);
        XC_TRY(xc_dna_builder_append(&builder, codes, error));
    }
    xc_dna_builder_finish(&builder, &split->dna);
fail:
    xc_dna_builder_free(&builder);
    return status;
}

/* Initial weights; running statistics such that batch norm multiplies by `scale` alone. */
static xc_status make_network(xc_activation_kind kind, float scale, xc_network *network, xc_error *error) {
    xc_status status;
    char activation[64];
    snprintf(activation, sizeof activation, "model.activation=%s", xc_activation_word(kind));
    const char *overrides[] = {"model.zoo=cnn-deep", activation};
    XC_TRY(xc_config_read("configs/demo.yaml", overrides, 2, &network->config, error));
    XC_TRY(xc_model_build(&network->config->model, LENGTH, CLASSES, &network->model, error));
    xc_model *model = &network->model;
    XC_TRY(xc_allocate(&network->state.parameters, model->parameter_count, sizeof(float), "weights", error));
    XC_TRY(xc_allocate(&network->state.running, model->running_count, sizeof(float), "weights", error));
    xc_model_initialise(model, 1, network->state.parameters, network->state.running);
    const xc_block *block = &model->layer[0].block;
    for (int32_t f = 0; f < block->filters; f++) network->state.parameters[block->gamma + (size_t)f] = scale;
fail:
    return status;
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

static xc_status forward(const question *q, xc_pack *pack, const xc_device_split *device, xc_error *error) {
    uint32_t index[MOST_BATCH];
    for (uint32_t first = 0; first < SEQUENCES; first += (uint32_t)q->batch) {
        const uint32_t left = SEQUENCES - first, count = left < (uint32_t)q->batch ? left : (uint32_t)q->batch;
        for (uint32_t i = 0; i < count; i++) index[i] = first + i;
        const xc_status status = xc_pack_forward(pack, device, index, (int32_t)count, false, error);
        if (status != XC_OK) return status;
    }
    return XC_OK;
}

static double mean_sites(const xc_motif_list *motifs) {
    double sum = 0;
    for (size_t f = 0; f < motifs->count; f++) sum += motifs->motif[f].sites;
    return sum / (double)motifs->count;
}

#if defined(__x86_64__)
#define WIDEST __attribute__((target_clones("avx2", "default")))
#else
#define WIDEST
#endif

/* Bytes a second that one core reads of a quarter of a MiB, again and again. */
WIDEST static double measure_read_rate(void) {
    enum { FLOATS = 1 << 16, TIMES = 200 };
    typedef float eight __attribute__((vector_size(32)));
    static eight values[FLOATS / 8];
    double best = 0;
    for (int j = 0; j < FLOATS / 8; j++) values[j] += (float)j;
    for (int round = 0; round < 9; round++) {
        eight sum[4] = {{0}};
        const double start = xc_seconds();
        for (int i = 0; i < TIMES; i++) {
            for (int j = 0; j < FLOATS / 8; j += 4)
                for (int k = 0; k < 4; k++) sum[k] += values[j + k];
            __asm__ volatile("" ::"r"(values) : "memory");
        }
        const double rate = (double)TIMES * sizeof values / (xc_seconds() - start);
        volatile float keep = sum[0][0] + sum[1][0] + sum[2][0] + sum[3][0];
        (void)keep;
        best = rate > best ? rate : best;
    }
    return best;
}

static void report(const question *q, const xc_network *network, double *forwards, double *extractions, double *ratios,
                   double sites) {
    const size_t rounds = (size_t)q->rounds;
    const double ratio = measure_median(ratios, rounds);
    const double bytes = (double)SEQUENCES * LENGTH * network->model.layer[0].block.filters * sizeof(float);
    printf(
        "{\"bench\":\"filters\",\"model\":\"cnn-deep\",\"activation\":\"%s\",\"sequences\":%d,\"batch\":%d,"
        "\"windows_per_filter\":%.0f,\"forward_ms\":%.2f,\"extraction_ms\":%.2f,\"ratio\":%.3f,\"least\":%.3f,"
        "\"most\":%.3f,\"rounds\":%d,\"floor_added_ms\":%.2f,%s}\n",
        xc_activation_word(network->model.activation), SEQUENCES, q->batch, sites,
        1e3 * measure_median(forwards, rounds), 1e3 * measure_median(extractions, rounds), ratio, ratios[0],
        ratios[rounds - 1], q->rounds, 1e3 * bytes / q->read_rate, measure_where());
    fflush(stdout);
}

static xc_status measure(const question *q, xc_activation_kind kind, float scale, xc_error *error) {
    static xc_model first;
    static const double threshold = 0.5;
    const xc_filters_options options = {&threshold, 1, 20, 1};
    double forwards[MOST_ROUNDS], extractions[MOST_ROUNDS], ratios[MOST_ROUNDS], sites = 0;
    xc_network network = {0};
    xc_device_split device = {0};
    xc_pack *pack = NULL;
    xc_status status;
    XC_TRY(make_network(kind, scale, &network, error));
    xc_model_first_block(&network.model, &first);
    const xc_activation activation = xc_config_activation(network.config);
    XC_TRY(xc_pack_create(q->backend, &first, 1, q->batch, XC_FOR_INFERENCE, &pack, error));
    XC_TRY(xc_device_split_open(q->backend, &q->split, &device, error));
    xc_pack_set(pack, 0, &network.state, &activation, 0);
    for (int round = -1; round < q->rounds; round++) { /* the first warms up */
        const int at = round < 0 ? 0 : round;
        xc_motif_list motifs;
        const double start = xc_seconds();
        XC_TRY(forward(q, pack, &device, error));
        const double middle = xc_seconds();
        XC_TRY(xc_filters_extract(&network, q->backend, &q->split, &options, &motifs, error));
        extractions[at] = xc_seconds() - middle;
        forwards[at] = middle - start;
        ratios[at] = extractions[at] / forwards[at];
        sites = mean_sites(&motifs);
        xc_motif_list_free(&motifs);
    }
    report(q, &network, forwards, extractions, ratios, sites);
fail:
    xc_pack_free(pack);
    xc_device_split_close(&device);
    xc_network_close(&network);
    return status;
}

int main(int count, char **arguments) {
    question q = {.rounds = 9, .batch = 10};
    xc_error error = {0};
    cpu_set_t one;
    for (int at = 1; at < count; at += 2) {
        const int value = at + 1 < count ? atoi(arguments[at + 1]) : 0;
        if (strcmp(arguments[at], "--rounds") == 0 && value >= 1 && value <= MOST_ROUNDS)
            q.rounds = value;
        else if (strcmp(arguments[at], "--batch") == 0 && value >= 1 && value <= MOST_BATCH)
            q.batch = value;
        else
            return fprintf(stderr, "usage: filters [--rounds 1..99] [--batch 1..4096]\n"), 2;
    }
    measure_where(); /* the machine as it is before this */
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    q.read_rate = measure_read_rate();
    xc_status status;
    XC_TRY(xc_backend_cpu(&q.backend, &error));
    XC_TRY(make_split(&q.split, &error));
    XC_TRY(measure(&q, XC_RELU, 1, &error));
    XC_TRY(measure(&q, XC_EXPONENTIAL, 3, &error));
fail:
    if (status != XC_OK) fprintf(stderr, "filters: %s\n", error.text);
    xc_split_free(&q.split);
    return status == XC_OK ? 0 : 1;
}
