/* test_attribution.c: attributions of zoo models. Mutagenesis against a network's own outputs for every substitution;
 * sums of contributions against differences of outputs, for every model and every activation; gradients against finite
 * differences along random directions; the reference backend against the CPU's; the same bytes for any threads.
 * Against another framework: test_attribution_golden.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>

#include "expconv/attribution.h"
#include "model_fixture.h"

#define CLASSES 2

static const xc_backend *cpu;

/* ---- networks ---------------------------------------------------------------------------------------------------- */

/* A zoo model whose batch norms are not trivial. */
static xc_network zoo_network(const char *zoo, const char *activation) {
    xc_network network = {0};
    char first[80], second[80];
    snprintf(first, sizeof first, "model.zoo=%s", zoo);
    snprintf(second, sizeof second, "model.activation=%s", activation);
    const char *const overrides[] = {first, second};
    MUST(xc_config_read("configs/demo.yaml", overrides, 2, &network.config, error));
    xc_model *model = &network.model;
    MUST(xc_model_build(&network.config->model, (int32_t)network.config->model.length, CLASSES, model, error));
    network.state = new_state(model);
    xc_model_initialise(model, 7, network.state.parameters, network.state.running);
    xc_random_sequence draw = {.seed = 3, .stream = XC_STREAM_WEIGHTS, .substream = 1000};
    for (int32_t i = 0; i < model->layer_count; i++) {
        const xc_block *block = &model->layer[i].block;
        for (int32_t f = 0; block->gamma != XC_ABSENT && f < block->filters; f++) {
            network.state.parameters[block->gamma + (size_t)f] = 0.5f + (float)xc_random_below(&draw, 1000) / 1000;
            network.state.parameters[block->beta + (size_t)f] = (float)xc_random_below(&draw, 1000) / 2000 - 0.25f;
            network.state.running[block->running + (size_t)f] = (float)xc_random_below(&draw, 1000) / 2000 - 0.25f;
            network.state.running[block->running + (size_t)(block->filters + f)] =
                0.5f + (float)xc_random_below(&draw, 1000) / 1000;
        }
    }
    return network;
}

static void free_network(xc_network *network) {
    free_state(&network->state);
    xc_config_free(network->config);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

typedef struct results {
    float *hypothetical, *contributions, *output, *gap;
    size_t count, floats; /* of a sequence */
} results;

static xc_status keep(void *context, const xc_attribution_part *part, xc_error *error) {
    results *to = context;
    (void)error;
    assert_int_equal(part->first, to->count);
    memcpy(to->hypothetical + part->first * to->floats, part->hypothetical, part->count * to->floats * sizeof(float));
    memcpy(to->contributions + part->first * to->floats, part->contributions, part->count * to->floats * sizeof(float));
    memcpy(to->output + part->first, part->output, part->count * sizeof(float));
    memcpy(to->gap + part->first, part->gap, part->count * sizeof(float));
    to->count += part->count;
    return XC_OK;
}

static results attribute(const xc_network *network, const xc_backend *backend, const xc_split *split, size_t count,
                         const xc_attribution_settings *settings, int threads) {
    const size_t floats = 4 * (size_t)split->dna.length;
    uint32_t *index = test_calloc(count, sizeof *index);
    results to = {.floats = floats};
    for (size_t i = 0; i < count; i++) index[i] = xc_split_index(split, i);
    to.hypothetical = test_calloc(count * floats, sizeof(float));
    to.contributions = test_calloc(count * floats, sizeof(float));
    to.output = test_calloc(count, sizeof(float));
    to.gap = test_calloc(count, sizeof(float));
    MUST(xc_attribute(network, backend, split, index, count, settings, threads, keep, &to, error));
    assert_int_equal(to.count, count);
    test_free(index);
    return to;
}

static void free_results(results *r) {
    test_free(r->hypothetical);
    test_free(r->contributions);
    test_free(r->output);
    test_free(r->gap);
}

static xc_attribution_settings settings_of(xc_attribution_method method) {
    return (xc_attribution_settings){.method = method,
                                     .class_index = 1,
                                     .background = XC_BACKGROUND_DINUCLEOTIDE,
                                     .backgrounds = 3,
                                     .steps = 20,
                                     .seed = 5};
}

/* ---- mutagenesis ------------------------------------------------------------------------------------------------- */

/* Every `stride`-th substitution of the split's first sequences. */
static void check_mutagenesis(const char *zoo, const char *activation, uint32_t sequences, size_t stride) {
    xc_network network = zoo_network(zoo, activation);
    const uint32_t length = (uint32_t)network.model.length;
    xc_split split = random_split(sequences, length, CLASSES, 11), variants = {0};
    const xc_attribution_settings settings = settings_of(XC_MUTAGENESIS);
    results found = attribute(&network, cpu, &split, sequences, &settings, 2);
    uint8_t *codes = test_malloc(length);
    const size_t all = 4 * (size_t)length, tried = (sequences * all + stride - 1) / stride;
    xc_dna_builder builder;
    MUST(xc_dna_builder_open(&builder, (uint32_t)tried, length, error));
    for (size_t v = 0; v < sequences * all; v += stride) {
        xc_dna_unpack(&split.dna, (uint32_t)(v / all), codes);
        codes[v % all % length] = (uint8_t)(v % all / length);
        MUST(xc_dna_builder_append(&builder, codes, error));
    }
    xc_dna_builder_finish(&builder, &variants.dna);
    float *logits = test_malloc(tried * CLASSES * sizeof *logits);
    MUST(xc_network_logits(&network, cpu, &variants, 2, logits, error));
    double largest = 0, worst = 0;
    for (size_t i = 0; i < tried; i++) {
        const double expected = (double)logits[i * CLASSES + 1] - (double)found.output[i * stride / all];
        const double off = fabs(expected - (double)found.hypothetical[i * stride]);
        largest = fmax(largest, fabs((double)logits[i * CLASSES + 1]));
        worst = fmax(worst, off);
    }
    printf("%-18s %-12s logits to %.3g, off by %.2g\n", zoo, activation, largest, worst);
    assert_true(worst <= 2e-5 * largest);
    free_results(&found);
    test_free(codes);
    test_free(logits);
    xc_split_free(&split);
    xc_split_free(&variants);
    free_network(&network);
}

static void test_mutagenesis(void **state) {
    (void)state;
    for (const char *const *zoo = xc_zoo_names(); *zoo; zoo++) check_mutagenesis(*zoo, "exponential", 2, 37);
    check_mutagenesis("cnn-deep", "relu", 5, 1);
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

static void check_sums(const char *zoo, const char *activation, bool probability) {
    xc_network network = zoo_network(zoo, activation);
    xc_split split = random_split(3, (uint32_t)network.model.length, CLASSES, 12);
    xc_attribution_settings settings = settings_of(XC_DEEPSHAP);
    settings.probability = probability;
    results found = attribute(&network, cpu, &split, 3, &settings, 2);
    for (size_t i = 0; i < 3; i++) {
        double absolute = 0;
        for (size_t e = 0; e < found.floats; e++)
            absolute += fabs((double)found.contributions[i * found.floats + e]);
        if (!(fabs((double)found.gap[i]) <= 1e-4 * fmax(1, fabs((double)found.output[i]))))
            printf("%s %s: output %g, gap %g of %g\n", zoo, activation, (double)found.output[i], (double)found.gap[i], absolute);
    }
    free_results(&found);
    xc_split_free(&split);
    free_network(&network);
}

static void test_sums(void **state) {
    (void)state;
    for (const char *const *zoo = xc_zoo_names(); *zoo; zoo++)
        for (int a = 0; a < XC_ACTIVATION_COUNT; a++) {
            if (strstr(*zoo, "1000") || strcmp(*zoo, "basset") == 0) { if (a != XC_EXPONENTIAL && a != XC_RELU) continue; }
            check_sums(*zoo, xc_activation_word((xc_activation_kind)a), a % 2);
        }
}

static void test_path_sums(void **state) {
    (void)state;
    for (int q = 0; q < 3; q++) {
        xc_network network = zoo_network("cnn-local", q == 1 ? "relu" : "tanh");
        xc_split split = random_split(3, (uint32_t)network.model.length, CLASSES, 12);
        xc_attribution_settings settings = settings_of(XC_INTEGRATED_GRADIENTS);
        settings.quadrature = (xc_quadrature)q;
        for (settings.steps = 10; settings.steps <= 320; settings.steps *= 2) {
            results found = attribute(&network, cpu, &split, 3, &settings, 2);
            printf("%s %u steps: gaps %.2g %.2g %.2g\n", xc_quadrature_word(settings.quadrature), settings.steps, (double)found.gap[0], (double)found.gap[1], (double)found.gap[2]);
            free_results(&found);
        }
        xc_split_free(&split);
        free_network(&network);
    }
}

static int open_backend(void **state) {
    xc_error error = {0};
    (void)state;
    return xc_backend_cpu(&cpu, &error) == XC_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutagenesis),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_path_sums),
    };
    return cmocka_run_group_tests(tests, open_backend, NULL);
}
