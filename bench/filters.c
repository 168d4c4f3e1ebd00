/* filters.c: what does extracting motifs from activations cost beyond computing the activations? Prints a JSON line for
 * relu and one for the exponential: medians and spread, in seconds of one core, of xc_filters_extract over 6,000
 * sequences of 200 bases, of the forward pass of cnn-deep's first block alone over the same (with the better of two
 * batch sizes), and the ratio of the two; rounds alternate. Nothing is trained: gamma and beta of fresh weights are set
 * so that relu has about as many windows a filter as after training (17,000), the exponential some hundreds.
 */
#include "expconv/filters.h"
#include "measure.h"

enum { SEQUENCES = 6000, LENGTH = 200, ROUNDS = 9 };

static const int batches[] = {10, 100};

static const struct setting {
    const char *activation;
    float gamma, beta;
} settings[] = {{"relu", 1.0f, 0.0f}, {"exponential", 3.0f, 0.0f}};

static xc_status make_sequences(xc_split *split, xc_error *error) {
    xc_status status;
    xc_dna_builder builder = {0};
    uint8_t codes[LENGTH];
    xc_random_sequence random = {.seed = 1, .stream = XC_STREAM_SIMULATE};
    XC_TRY(xc_dna_builder_open(&builder, SEQUENCES, LENGTH, error));
    for (int i = 0; i < SEQUENCES; i++) {
        for (int l = 0; l < LENGTH; l++) codes[l] = (uint8_t)(xc_random_next(&random) >> 30);
        XC_TRY(xc_dna_builder_append(&builder, codes, error));
    }
    xc_dna_builder_finish(&builder, &split->dna);
fail:
    xc_dna_builder_free(&builder);
    return status;
}

/* cnn-deep with fresh weights; gamma and beta of its first block as the setting has them. */
static xc_status make_network(const struct setting *setting, xc_network *network, xc_error *error) {
    xc_status status;
    char activation[64];
    snprintf(activation, sizeof activation, "model.activation=%s", setting->activation);
    const char *overrides[] = {"model.zoo=cnn-deep", activation, "sweep={}", "filters=null"};
    XC_TRY(xc_config_read("configs/demo.yaml", overrides, 4, &network->config, error));
    XC_TRY(xc_model_build(&network->config->model, LENGTH, 12, &network->model, error));
    const xc_model *model = &network->model;
    const xc_block *block = &model->layer[0].block;
    XC_TRY(xc_allocate(&network->state.parameters, model->parameter_count, sizeof(float), "weights", error));
    XC_TRY(xc_allocate(&network->state.running, model->running_count, sizeof(float), "weights", error));
    xc_model_initialise(model, 1, network->state.parameters, network->state.running);
    for (int f = 0; f < block->filters; f++) {
        network->state.parameters[block->gamma + (size_t)f] = setting->gamma;
        network->state.parameters[block->beta + (size_t)f] = setting->beta;
    }
fail:
    return status;
}

/* Seconds of the first block's forward pass over the split. */
static xc_status time_forward(const xc_backend *backend, const xc_network *network, const xc_split *split, int batch,
                              double *seconds, xc_error *error) {
    xc_status status;
    static xc_model first;
    xc_pack *pack = NULL;
    xc_device_split device = {0};
    uint32_t index[128];
    const xc_activation activation = xc_config_activation(network->config);
    xc_model_first_block(&network->model, &first);
    const double start = xc_seconds();
    XC_TRY(xc_pack_create(backend, &first, 1, batch, false, &pack, error));
    xc_pack_set(pack, 0, &network->state, &activation, 0);
    XC_TRY(xc_device_split_open(backend, split, &device, error));
    for (uint32_t i = 0; i < SEQUENCES; i += (uint32_t)batch) {
        for (int n = 0; n < batch; n++) index[n] = i + (uint32_t)n;
        XC_TRY(xc_pack_forward(pack, &device, index, batch, false, error));
    }
    *seconds = xc_seconds() - start;
fail:
    xc_device_split_close(&device);
    xc_pack_free(pack);
    return status;
}

static xc_status time_extraction(const xc_backend *backend, const xc_network *network, const xc_split *split,
                                 double *seconds, double *windows, xc_error *error) {
    const double half = 0.5;
    const xc_filters_options options = {.threshold = &half, .threshold_count = 1, .window = 20, .threads = 1};
    xc_motif_list motifs = {0};
    const double start = xc_seconds();
    const xc_status status = xc_filters_extract(network, backend, split, &options, &motifs, error);
    *seconds = xc_seconds() - start;
    *windows = 0;
    for (size_t f = 0; f < motifs.count; f++) *windows += motifs.motif[f].sites / (double)motifs.count;
    xc_motif_list_free(&motifs);
    return status;
}

static xc_status measure(const xc_backend *backend, const struct setting *setting, const xc_split *split,
                         xc_error *error) {
    enum { BATCHES = sizeof batches / sizeof *batches };
    xc_status status;
    xc_network network = {0};
    double forward[BATCHES][ROUNDS], extraction[ROUNDS], windows, ignored;
    XC_TRY(make_network(setting, &network, error));
    XC_TRY(time_extraction(backend, &network, split, &ignored, &windows, error)); /* warms up */
    for (int round = 0; round < ROUNDS; round++) {
        for (int b = 0; b < BATCHES; b++)
            XC_TRY(time_forward(backend, &network, split, batches[b], &forward[b][round], error));
        XC_TRY(time_extraction(backend, &network, split, &extraction[round], &windows, error));
    }
    int best = 0;
    for (int b = 0; b < BATCHES; b++)
        if (measure_median(forward[b], ROUNDS) < measure_median(forward[best], ROUNDS)) best = b;
    const double floor = measure_median(forward[best], ROUNDS), median = measure_median(extraction, ROUNDS);
    printf(
        "{\"bench\":\"filters\",\"activation\":\"%s\",\"windows_per_filter\":%.0f,\"median\":%.4f,\"least\":%.4f,"
        "\"most\":%.4f,\"forward\":{\"batch\":%d,\"median\":%.4f,\"least\":%.4f,\"most\":%.4f},\"ratio\":%.2f,%s}\n",
        setting->activation, windows, median, extraction[0], extraction[ROUNDS - 1], batches[best], floor,
        forward[best][0], forward[best][ROUNDS - 1], median / floor, measure_where());
fail:
    xc_network_close(&network);
    return status;
}

int main(void) {
    const xc_backend *backend;
    xc_error error = {0};
    xc_split split = {0};
    xc_status status;
    XC_TRY(xc_backend_cpu(&backend, &error));
    XC_TRY(make_sequences(&split, &error));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        XC_TRY(measure(backend, &settings[i], &split, &error));
fail:
    if (status != XC_OK) fprintf(stderr, "filters: %s\n", error.text);
    xc_split_free(&split);
    return status != XC_OK;
}
