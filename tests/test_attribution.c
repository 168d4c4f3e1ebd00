/* test_attribution.c: attributions of zoo models. Mutagenesis against a network's own outputs for every substitution;
 * sums of contributions against differences of outputs, for every model and every activation; closed forms of a linear
 * network; the same bytes for any threads; refusals. Against another framework: test_attribution_golden.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>

#include "../host/attribution/windows.h"
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

/* One or two layers of length 60 before the output, for what has a closed form: `between` stands after each. */
static xc_network small_network(const char *between, bool norm, uint32_t layers) {
    xc_network network = {0};
    xc_activation_kind kind = strcmp(between, "linear") == 0 ? XC_LINEAR : XC_TANH;
    const char *const overrides[] = {"model.zoo=cnn-local"};
    MUST(xc_config_read("configs/demo.yaml", overrides, 1, &network.config, error));
    xc_block_config blocks[] = {conv_entry(12, 7, XC_PADDING_SAME, 0, 1, XC_PADDING_SAME), dense_entry(9, 0)};
    blocks[0].norm = blocks[1].norm = norm;
    blocks[0].activation = blocks[1].activation = &kind;
    xc_model_config model = blocks_config("small", blocks, layers);
    MUST(xc_model_build(&model, 60, CLASSES, &network.model, error));
    network.state = new_state(&network.model);
    xc_model_initialise(&network.model, 7, network.state.parameters, network.state.running);
    return network;
}

static xc_network linear_network(void) { return small_network("linear", true, 2); }
static xc_network smooth_network(void) { return small_network("tanh", true, 2); }

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
    if (!(worst <= 2e-5 * largest)) fail_msg("%s, %s: off by %.2g of %.2g", zoo, activation, worst, largest);
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

/* Positions that are computed anew for one changed base, layer by layer but for the pools: by hand, from the widths of
 * the kernels and of the pools. */
static void check_windows(const char *zoo, const int32_t *lengths) {
    xc_network network = zoo_network(zoo, "exponential");
    xc_windows windows;
    MUST(xc_windows_make(&network.model, &windows, error));
    for (int32_t i = 0; i < windows.model->layer_count; i++)
        if (!xc_windows_pool(&windows, i)) assert_int_equal(windows.window[i].length, *lengths++);
    assert_int_equal(*lengths, 0);
    xc_windows_free(&windows);
    free_network(&network);
}

static void test_windows(void **state) {
    (void)state;
    check_windows("cnn-deep", (const int32_t[]){19, 19 + 6, 7 + 6, 4 + 2, 1, 1, 0});
    check_windows("cnn-dist-log", (const int32_t[]){19, 19 + 6, 7 + 6, 4 + 2, 1, 1, 0}); /* pools with padding */
    check_windows("cnn-local", (const int32_t[]){19, 4, 1, 1, 0});                       /* all four there are */
    check_windows("residualbind", (const int32_t[]){19, 19 + 4, 19 + 8, 19 + 8, 4 + 6, 3 + 2, 1, 1, 0});
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

/* The gap, as a part of the difference of outputs and at least of one unit of them. */
static double check_sums(const xc_network *network, const xc_split *split, const xc_attribution_settings *settings) {
    double worst = 0;
    results found = attribute(network, cpu, split, split->dna.sequences, settings, 2);
    for (size_t i = 0; i < found.count; i++) {
        double sum = 0;
        for (size_t e = 0; e < found.floats; e++) sum += (double)found.contributions[i * found.floats + e];
        assert_true(isfinite(sum));
        worst = fmax(worst, fabs((double)found.gap[i]) / fmax(1, fabs((double)found.output[i])));
    }
    free_results(&found);
    return worst;
}

/* Every zoo model with every activation; the large ones with two. */
static void test_deepshap_sums(void **state) {
    double worst = 0;
    (void)state;
    for (const char *const *zoo = xc_zoo_names(); *zoo; zoo++)
        for (int a = 0; a < XC_ACTIVATION_COUNT; a++) {
            const bool large = strstr(*zoo, "1000") || strcmp(*zoo, "basset") == 0;
            if (large && a != XC_EXPONENTIAL && a != XC_RELU) continue;
            xc_network network = zoo_network(*zoo, xc_activation_word((xc_activation_kind)a));
            xc_split split = random_split(3, (uint32_t)network.model.length, CLASSES, 12);
            xc_attribution_settings settings = settings_of(XC_DEEPSHAP);
            settings.probability = a % 2;
            const double gap = check_sums(&network, &split, &settings);
            if (!(gap <= 1e-4)) fail_msg("%s, %s: gap %.2g", *zoo, xc_activation_word((xc_activation_kind)a), gap);
            worst = fmax(worst, gap);
            xc_split_free(&split);
            free_network(&network);
        }
    printf("worst gap %.2g\n", worst);
}

/* A softmax and a squared error have their own links. */
static void test_links(void **state) {
    (void)state;
    for (int loss = 0; loss < 3; loss++)
        for (int method = 0; method < 2; method++) {
            xc_network network = zoo_network("cnn-local", "exponential");
            network.config->train.loss = (xc_loss_kind)loss;
            xc_split split = random_split(3, (uint32_t)network.model.length, CLASSES, 12);
            xc_attribution_settings settings = settings_of(method == 0 ? XC_DEEPSHAP : XC_SALIENCY);
            settings.probability = true;
            results found = attribute(&network, cpu, &split, 3, &settings, 1);
            float *expected = test_malloc(xc_split_items(&split) * CLASSES * sizeof *expected);
            MUST(xc_network_logits(&network, cpu, &split, 1, expected, error));
            xc_link((xc_loss_kind)loss, expected, 3, CLASSES);
            for (size_t i = 0; i < 3; i++) {
                assert_float_equal(found.output[i], expected[i * CLASSES + 1], 1e-5);
                assert_true(fabs((double)found.gap[i]) <= 1e-4);
            }
            test_free(expected);
            free_results(&found);
            xc_split_free(&split);
            free_network(&network);
        }
}

/* Gaps of integrated gradients fall with the steps: of a smooth network as the rules promise. */
static void test_path_sums(void **state) {
    static const double most[] = {1e-2, 1e-4, 2e-5};
    (void)state;
    for (int q = 0; q < 3; q++) {
        xc_network network = smooth_network();
        xc_split split = random_split(3, 60, CLASSES, 12);
        xc_attribution_settings settings = settings_of(XC_INTEGRATED_GRADIENTS);
        settings.quadrature = (xc_quadrature)q;
        settings.steps = 40;
        const double gap = check_sums(&network, &split, &settings);
        printf("%s: gap %.2g\n", xc_quadrature_word((xc_quadrature)q), gap);
        assert_true(gap <= most[q]);
        settings.steps = 2;
        assert_true(check_sums(&network, &split, &settings) > gap);
        xc_split_free(&split);
        free_network(&network);
    }
}

/* Places within [0,1], shares of sum 1, and polynomials up to degree 2 steps - 1 exactly. */
static void test_gauss(void **state) {
    (void)state;
    for (uint32_t steps = 1; steps <= 20; steps++) {
        float place[20], share[20];
        xc_quadrature_points(XC_QUADRATURE_GAUSS, steps, place, share);
        for (uint32_t degree = 0; degree < 2 * steps && degree < 12; degree++) {
            double sum = 0;
            for (uint32_t s = 0; s < steps; s++) sum += (double)share[s] * pow((double)place[s], degree);
            assert_float_equal(sum, 1.0 / (degree + 1), 2e-6);
        }
    }
}

/* ---- closed forms ------------------------------------------------------------------------------------------------ */

/* Without activations all methods tell the same: a base's effect, wherever it stands. */
static void test_linear(void **state) {
    (void)state;
    xc_network network = linear_network();
    xc_split split = random_split(4, 60, CLASSES, 12);
    xc_attribution_settings settings = settings_of(XC_SALIENCY);
    results gradient = attribute(&network, cpu, &split, 4, &settings, 1);
    settings = settings_of(XC_DEEPSHAP);
    settings.background = XC_BACKGROUND_ZERO;
    results shap = attribute(&network, cpu, &split, 4, &settings, 1);
    settings.method = XC_INTEGRATED_GRADIENTS;
    results path = attribute(&network, cpu, &split, 4, &settings, 1);
    for (size_t e = 0; e < 4 * gradient.floats; e++) {
        assert_float_equal(shap.hypothetical[e], gradient.hypothetical[e], 1e-5);
        assert_float_equal(path.hypothetical[e], gradient.hypothetical[e], 1e-5);
        assert_float_equal(shap.contributions[e], gradient.contributions[e], 1e-5);
    }
    settings = settings_of(XC_MUTAGENESIS);
    results mutated = attribute(&network, cpu, &split, 4, &settings, 1);
    uint8_t codes[60];
    for (uint32_t i = 0; i < 4; i++) {
        xc_dna_unpack(&split.dna, i, codes);
        for (size_t l = 0; l < 60; l++)
            for (size_t b = 0; b < 4; b++) {
                const float *g = gradient.hypothetical + i * gradient.floats;
                const float there = codes[l] < 4 ? g[codes[l] * 60u + l] : 0;
                assert_float_equal(mutated.hypothetical[i * mutated.floats + b * 60 + l],
                                   codes[l] == b ? 0 : g[b * 60 + l] - there, 1e-5);
            }
    }
    free_results(&gradient);
    free_results(&shap);
    free_results(&path);
    free_results(&mutated);
    xc_split_free(&split);
    free_network(&network);
}

/* z (60,12) of the small network's first layer, in double. */
static void small_rows(const xc_network *network, const uint8_t *codes, double z[60][12]) {
    const xc_block *block = &network->model.layer[0].block;
    for (int l = 0; l < 60; l++)
        for (int f = 0; f < 12; f++) {
            z[l][f] = 0;
            for (int k = 0; k < 7; k++) {
                const int at = l + k - block->pad_left;
                if (at < 0 || at >= 60 || codes[at] > 3) continue;
                z[l][f] += (double)network->state.parameters[block->kernel + (size_t)((k * 4 + codes[at]) * 12 + f)];
            }
        }
}

/* One hidden layer: m[l,b] = sum over taps and filters of kernel (tanh(v) - tanh(u)) / (v - u) weight. */
static void test_hidden_layer(void **state) {
    (void)state;
    xc_network network = small_network("tanh", false, 1);
    const xc_block *first = &network.model.layer[0].block, *last = &network.model.layer[1].block;
    xc_split split = random_split(1, 60, CLASSES, 12), background = random_split(1, 60, CLASSES, 13);
    xc_attribution_settings settings = settings_of(XC_DEEPSHAP);
    settings.background = XC_BACKGROUND_FILE;
    settings.file = &background;
    background.reverse_complement = false;
    results found = attribute(&network, cpu, &split, 1, &settings, 1);
    uint8_t x[60], r[60];
    static double v[60][12], u[60][12], m[60][4];
    xc_dna_unpack(&split.dna, 0, x);
    xc_dna_unpack(&background.dna, 0, r);
    small_rows(&network, x, v);
    small_rows(&network, r, u);
    memset(m, 0, sizeof m);
    for (int l = 0; l < 60; l++)
        for (int f = 0; f < 12; f++) {
            const double step = v[l][f] - u[l][f], middle = tanh((v[l][f] + u[l][f]) / 2);
            const double slope = fabs(step) < 1e-6 ? 1 - middle * middle : (tanh(v[l][f]) - tanh(u[l][f])) / step;
            const double weight =
                slope * (double)network.state.parameters[last->kernel + (size_t)((l * 12 + f) * CLASSES + 1)];
            for (int k = 0; k < 7; k++) {
                const int at = l + k - first->pad_left;
                for (int b = 0; at >= 0 && at < 60 && b < 4; b++)
                    m[at][b] +=
                        weight * (double)network.state.parameters[first->kernel + (size_t)((k * 4 + b) * 12 + f)];
            }
        }
    for (int l = 0; l < 60; l++)
        for (int b = 0; b < 4; b++) {
            const double there = r[l] < 4 ? m[l][r[l]] : 0;
            assert_float_equal(found.hypothetical[b * 60 + l], m[l][b] - there, 2e-6);
            assert_float_equal(found.contributions[b * 60 + l], m[l][b] * ((x[l] == b) - (r[l] == b)), 2e-6);
        }
    free_results(&found);
    xc_split_free(&split);
    xc_split_free(&background);
    free_network(&network);
}

/* What a base adds to a linear network is its gradient less that of the base it takes the place of. */
static void test_importance(void **state) {
    enum { PLACE = 30 };
    (void)state;
    xc_network network = linear_network();
    xc_split split = random_split(50, 60, CLASSES, 12);
    xc_attribution_settings settings = settings_of(XC_SALIENCY);
    results gradient = attribute(&network, cpu, &split, 50, &settings, 1);
    uint8_t patterns[2][60], codes[60];
    memset(patterns, XC_PATTERN_KEEP, sizeof patterns);
    patterns[1][PLACE] = 2;
    xc_importance effects[2][CLASSES];
    split.reverse_complement = false;
    MUST(xc_global_importance(&network, cpu, &split, patterns[0], 2, false, 2, effects[0], error));
    double sum = 0;
    for (uint32_t i = 0; i < 50; i++) {
        const float *g = gradient.hypothetical + i * gradient.floats + PLACE;
        xc_dna_unpack(&split.dna, i, codes);
        sum += (double)g[2 * 60] - (codes[PLACE] < 4 ? (double)g[codes[PLACE] * 60u] : 0);
    }
    assert_float_equal(effects[0][1].mean, 0, 1e-12);
    assert_float_equal(effects[1][1].mean, sum / 50, 1e-5);
    assert_float_equal(effects[1][1].standard_error, effects[1][1].deviation / sqrt(50), 1e-12);
    assert_true(effects[1][1].deviation > 0);
    free_results(&gradient);
    xc_split_free(&split);
    free_network(&network);
}

/* ---- threads and backends ---------------------------------------------------------------------------------------- */

static void test_threads(void **state) {
    (void)state;
    xc_network network = zoo_network("cnn-local", "exponential");
    xc_split split = random_split(70, (uint32_t)network.model.length, CLASSES, 13);
    for (int method = 0; method < XC_METHOD_COUNT; method++) {
        const xc_attribution_settings settings = settings_of((xc_attribution_method)method);
        results one = attribute(&network, cpu, &split, 70, &settings, 1);
        for (int threads = 2; threads <= 5; threads += 3) {
            results more = attribute(&network, cpu, &split, 70, &settings, threads);
            assert_memory_equal(one.hypothetical, more.hypothetical, 70 * one.floats * sizeof(float));
            assert_memory_equal(one.contributions, more.contributions, 70 * one.floats * sizeof(float));
            assert_memory_equal(one.gap, more.gap, 70 * sizeof(float));
            free_results(&more);
        }
        free_results(&one);
    }
    xc_split_free(&split);
    free_network(&network);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* The CPU as a device of `room` bytes, of which the most that were taken at once are kept. */
static struct { size_t taken, most, room; } memory;
enum { HEADER = 64 };

static void *take_memory(const xc_backend *backend, size_t bytes) {
    if (memory.taken + bytes > memory.room) return NULL;
    char *block = cpu->allocate(backend, bytes + HEADER);
    memcpy(block, &bytes, sizeof bytes);
    memory.taken += bytes;
    if (memory.taken > memory.most) memory.most = memory.taken;
    return block + HEADER;
}

static void give_memory(const xc_backend *backend, void *at) {
    size_t bytes;
    char *block = (char *)at - HEADER;
    memcpy(&bytes, block, sizeof bytes);
    memory.taken -= bytes;
    cpu->release(backend, block);
}

/* Where memory is short less is done at a time, to the same results; where it is not enough for one, one line. */
static void test_short_memory(void **state) {
    (void)state;
    enum { COUNT = 100 };
    xc_network network = zoo_network("cnn-local", "exponential");
    xc_split split = random_split(COUNT, (uint32_t)network.model.length, CLASSES, 13);
    xc_backend small = *cpu;
    small.allocate = take_memory;
    small.release = give_memory;
    for (int method = 0; method < XC_METHOD_COUNT; method++) {
        const xc_attribution_settings settings = settings_of((xc_attribution_method)method);
        results all = attribute(&network, cpu, &split, COUNT, &settings, 1);
        memory.taken = memory.most = 0;
        memory.room = SIZE_MAX;
        results free_of_limits = attribute(&network, &small, &split, COUNT, &settings, 1);
        const size_t wanted = memory.most;
        for (int part = 2; part <= (method == XC_MUTAGENESIS ? 2 : 4); part++) {
            memory.room = wanted / (size_t)part;
            memory.most = 0;
            results less = attribute(&network, &small, &split, COUNT, &settings, 1);
            assert_in_range(memory.most, 1, memory.room);
            assert_memory_equal(all.hypothetical, less.hypothetical, COUNT * all.floats * sizeof(float));
            assert_memory_equal(all.contributions, less.contributions, COUNT * all.floats * sizeof(float));
            assert_memory_equal(all.gap, less.gap, COUNT * sizeof(float));
            assert_int_equal(memory.taken, 0);
            free_results(&less);
        }
        memory.room = wanted / 1000;
        const uint32_t index = 0;
        xc_error error = {0};
        results nothing = {0};
        assert_int_equal(xc_attribute(&network, &small, &split, &index, 1, &settings, 1, keep, &nothing, &error),
                         XC_MEMORY);
        if (!strstr(error.text, "no memory for")) fail_msg("\"%s\"", error.text);
        assert_int_equal(memory.taken, 0);
        free_results(&free_of_limits);
        free_results(&all);
    }
    xc_split_free(&split);
    free_network(&network);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void refuse(const xc_network *network, const xc_split *split, const xc_attribution_settings *settings,
                   const char *part) {
    const uint32_t index = 0;
    xc_error error = {0};
    results to = {0};
    assert_int_equal(xc_attribute(network, cpu, split, &index, 1, settings, 1, keep, &to, &error), XC_INPUT);
    if (!strstr(error.text, part)) fail_msg("\"%s\" does not say \"%s\"", error.text, part);
}

static void test_refusals(void **state) {
    (void)state;
    xc_network network = linear_network();
    xc_split split = random_split(2, 60, CLASSES, 1), longer = random_split(2, 61, CLASSES, 1);
    xc_attribution_settings settings = settings_of(XC_SALIENCY);
    refuse(&network, &longer, &settings, "the sequences have length 61");
    settings.class_index = CLASSES;
    refuse(&network, &split, &settings, "there is no class 2; the network has 2");
    settings.class_index = -1;
    refuse(&network, &split, &settings, "there is no class -1");
    settings = settings_of(XC_INTEGRATED_GRADIENTS);
    settings.steps = 0;
    refuse(&network, &split, &settings, "0 steps");
    settings = settings_of(XC_DEEPSHAP);
    settings.backgrounds = 0;
    refuse(&network, &split, &settings, "0 backgrounds");
    settings.background = XC_BACKGROUND_FILE;
    refuse(&network, &split, &settings, "there are no backgrounds");
    settings.file = &longer;
    refuse(&network, &split, &settings, "the backgrounds have length 61");
    xc_split_free(&split);
    xc_split_free(&longer);
    free_network(&network);
}

static int open_backend(void **state) {
    xc_error error = {0};
    (void)state;
    return xc_backend_cpu(&cpu, &error) == XC_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutagenesis), cmocka_unit_test(test_windows),      cmocka_unit_test(test_deepshap_sums),
        cmocka_unit_test(test_links),       cmocka_unit_test(test_path_sums),    cmocka_unit_test(test_gauss),
        cmocka_unit_test(test_linear),      cmocka_unit_test(test_hidden_layer), cmocka_unit_test(test_importance),
        cmocka_unit_test(test_threads),     cmocka_unit_test(test_short_memory), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, open_backend, NULL);
}
