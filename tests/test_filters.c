/* test_filters.c: motifs of filters. What the extraction finds in one streamed reading is held against a count by brute
 * force over activations that are all in memory, for every kind of activation, padding, strand, bound on memory and
 * number of threads; the counts must be equal, not close. And the pieces alone: clipping, kernels, the first block.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>

#include "../host/motif/ppm.h"
#include "model_fixture.h"

#define SEQUENCES 150
#define ITEMS (2 * SEQUENCES)
#define MOST_THRESHOLDS 4

static xc_split split;

/* ---- a network of random weights --------------------------------------------------------------------------------- */

typedef struct shape {
    uint32_t filters, width;
    xc_padding padding;
    uint32_t pool;
    xc_activation_kind activation;
} shape;

static xc_network new_network(const shape *of, int32_t length) {
    xc_network network = {0};
    xc_block_config blocks[] = {conv_entry(of->filters, of->width, of->padding, 0.1, of->pool, XC_PADDING_SAME),
                                dense_entry(3, 0)};
    xc_model_config model = blocks_config("small", blocks, 2);
    model.activation = of->activation;
    MUST(xc_model_build(&model, length, 2, &network.model, error));
    network.config = test_calloc(1, sizeof *network.config);
    network.config->model.activation = of->activation;
    network.config->exponential.clip = 30;
    network.config->exponential.scale = 1;
    network.state = new_state(&network.model);
    xc_model_initialise(&network.model, 7, network.state.parameters, network.state.running);
    const xc_block *block = &network.model.layer[0].block;
    xc_random_sequence draw = {.seed = 3, .stream = XC_STREAM_WEIGHTS, .substream = 1000};
    for (uint32_t f = 0; f < of->filters; f++) { /* no filter as any other */
        network.state.parameters[block->gamma + f] = 0.2f + (float)xc_random_below(&draw, 1000) / 500;
        network.state.parameters[block->beta + f] = (float)xc_random_below(&draw, 1000) / 1000 - 0.5f;
        network.state.running[block->running + f] = (float)xc_random_below(&draw, 1000) / 1000 - 0.5f;
        network.state.running[block->running + of->filters + f] = 0.1f + (float)xc_random_below(&draw, 1000) / 1000;
    }
    return network;
}

static void free_network(xc_network *network) {
    free_state(&network->state);
    test_free(network->config);
}

/* Activations of the first block (items,conv_length,filters), all at once; test_free. */
static float *new_activations(const xc_network *network, const xc_backend *backend, const xc_split *of) {
    static xc_model first;
    const int32_t items = (int32_t)xc_split_items(of);
    const xc_activation activation = xc_config_activation(network->config);
    xc_pack *pack;
    xc_device_split device;
    uint32_t *index = test_malloc((size_t)items * sizeof *index);
    xc_model_first_block(&network->model, &first);
    float *activations = test_malloc((size_t)items * (size_t)first.classes * sizeof *activations);
    for (int32_t i = 0; i < items; i++) index[i] = xc_split_index(of, (size_t)i);
    MUST(xc_device_split_open(backend, of, &device, error));
    MUST(xc_pack_create(backend, &first, 1, items, XC_FOR_INFERENCE, &pack, error));
    xc_pack_set(pack, 0, &network->state, &activation, 0);
    MUST(xc_pack_forward(pack, &device, index, items, false, error));
    xc_pack_logits(pack, activations);
    const float *lent = xc_pack_lend_logits(pack);
    assert_true((lent != NULL) == backend->host_memory);
    assert_memory_equal(lent, activations, (size_t)items * (size_t)first.classes * sizeof *activations);
    xc_pack_free(pack);
    xc_device_split_close(&device);
    test_free(index);
    return activations;
}

/* ---- brute force ------------------------------------------------------------------------------------------------- */

/* Counts (window,4) and sites of one filter at one threshold. */
static uint64_t count_windows(const xc_block *block, const xc_split *of, const float *activations, uint32_t filter,
                              double threshold, int window, double *counts) {
    const int positions = block->conv_length, length = (int)of->dna.length;
    const size_t items = xc_split_items(of), filters = (size_t)block->filters;
    uint8_t *codes = test_malloc(of->dna.length);
    uint64_t sites = 0;
    float largest = activations[filter];
    for (size_t i = filter; i < items * (size_t)positions * filters; i += filters)
        largest = activations[i] > largest ? activations[i] : largest;
    const float limit = (float)threshold * largest;
    for (int i = 0; i < 4 * window; i++) counts[i] = 0;
    for (size_t item = 0; item < items; item++) {
        xc_dna_unpack(&of->dna, xc_split_index(of, item), codes);
        for (int l = 0; l < positions; l++) {
            const int middle = l + (block->width - 1) / 2 - block->pad_left;
            const int start = middle - window / 2, end = middle + window / 2;
            if (!(activations[(item * (size_t)positions + (size_t)l) * filters + filter] > limit)) continue;
            if (!(start > 0 && end < length)) continue;
            sites++;
            for (int j = 0; j < window; j++)
                if (codes[start + j] != XC_BASE_N) counts[4 * j + codes[start + j]]++;
        }
    }
    test_free(codes);
    return sites;
}

/* Counts to probabilities, clipped; returns the width. */
static uint32_t clipped(uint64_t sites, double *counts, uint32_t window) {
    int first = -1, last = -1;
    for (uint32_t i = 0; i < window; i++) {
        double *row = counts + 4 * i, sum = row[0] + row[1] + row[2] + row[3], bits = 2;
        for (int b = 0; b < 4; b++) row[b] = sites < 2 || sum == 0 ? 0.25 : row[b] / sum;
        for (int b = 0; b < 4; b++) bits += row[b] * log2(row[b] + 1e-7);
        if (bits <= 0.5) continue;
        if (first < 0) first = (int)i;
        last = (int)i;
    }
    if (first < 0) return window;
    first = first < 3 ? 0 : first - 3;
    last = last + 3 >= (int)window ? (int)window - 1 : last + 3;
    memmove(counts, counts + 4 * first, (size_t)(last - first + 1) * 4 * sizeof *counts);
    return (uint32_t)(last - first + 1);
}

static void assert_motif(const xc_motif *motif, uint64_t sites, const double *ppm, uint32_t width) {
    assert_true(motif->sites == (double)sites);
    assert_int_equal(motif->width, width);
    for (uint32_t i = 0; i < 4 * width; i++) assert_true(fabs((double)motif->ppm[i] - ppm[i]) < 1e-6);
}

/* The extraction, in every way, against brute force. Returns all windows of all filters at the first threshold. */
static uint64_t check(const shape *of, const xc_backend *backend, uint32_t window, const double *thresholds,
                      uint32_t threshold_count) {
    static const xc_ppm_memory memories[] = {{4096, 512, 1u << 20}, {1, 1, 40}, {1, 7, 1u << 20}, {90, 3, 1}};
    xc_network network = new_network(of, (int32_t)split.dna.length);
    float *activations = new_activations(&network, backend, &split);
    double counts[MOST_THRESHOLDS][XC_PPM_WIDEST * 4];
    xc_motif_list motifs[MOST_THRESHOLDS];
    uint64_t all = 0;
    for (int threads = 1; threads <= 3; threads++)
        for (size_t m = 0; m <= sizeof memories / sizeof *memories; m++) {
            const xc_filters_options options = {thresholds, threshold_count, window, threads};
            if (m == 0)
                MUST(xc_filters_extract(&network, backend, &split, &options, motifs, error));
            else
                MUST(xc_ppm_extract(&network, backend, &split, &options, &memories[m - 1], motifs, error));
            for (uint32_t t = 0; t < threshold_count; t++) {
                assert_int_equal(motifs[t].count, of->filters);
                for (uint32_t f = 0; f < of->filters; f++) {
                    const uint64_t sites = count_windows(&network.model.layer[0].block, &split, activations, f,
                                                         thresholds[t], (int)window, counts[t]);
                    const uint32_t width = clipped(sites, counts[t], window);
                    assert_motif(&motifs[t].motif[f], sites, counts[t], width);
                    if (t == 0 && m == 0 && threads == 1) all += sites;
                }
                xc_motif_list_free(&motifs[t]);
            }
        }
    test_free(activations);
    free_network(&network);
    return all;
}

static const double HALF = 0.5;

static const xc_backend *cpu(void) {
    const xc_backend *backend;
    MUST(xc_backend_cpu(&backend, error));
    return backend;
}

static void test_activations(void **state) {
    (void)state;
    static const xc_activation_kind kinds[] = {XC_RELU, XC_EXPONENTIAL, XC_TANH, XC_LOG};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const shape of = {.filters = 5, .width = 9, .pool = 3, .activation = kinds[i]};
        assert_true(check(&of, xc_backend_reference(), 20, &HALF, 1) > 10);
        assert_true(check(&of, cpu(), 20, &HALF, 1) > 10);
    }
}

static void test_shapes(void **state) {
    (void)state;
    static const struct {
        shape of;
        uint32_t window;
    } cases[] = {
        {{1, 1, XC_PADDING_SAME, 1, XC_EXPONENTIAL}, 20},   {{8, 9, XC_PADDING_SAME, 1, XC_RELU}, 28},
        {{17, 8, XC_PADDING_SAME, 1, XC_EXPONENTIAL}, 6},   {{3, 8, XC_PADDING_VALID, 1, XC_RELU}, 64},
        {{32, 19, XC_PADDING_SAME, 1, XC_RELU}, 2},         {{41, 19, XC_PADDING_VALID, 5, XC_SOFTPLUS}, 30},
        {{4, 31, XC_PADDING_VALID, 1, XC_EXPONENTIAL}, 20}, {{2, 67, XC_PADDING_VALID, 1, XC_EXPONENTIAL}, 20},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(&cases[i].of, cpu(), cases[i].window, &HALF, 1);
}

static void test_thresholds(void **state) {
    (void)state;
    static const double thresholds[] = {0.3, 0, 0.9, 0.3};
    const shape of = {.filters = 6, .width = 7, .pool = 1, .activation = XC_EXPONENTIAL};
    check(&of, cpu(), 12, thresholds, 4);
}

/* ---- what is known without counting ------------------------------------------------------------------------------ */

/* Where every activation counts, every window does that is not the first or the last. */
static void test_ends(void **state) {
    (void)state;
    static const double least = 0;
    const xc_padding paddings[] = {XC_PADDING_SAME, XC_PADDING_VALID};
    for (int i = 0; i < 2; i++) {
        const shape of = {.filters = 1, .width = 9, .padding = paddings[i], .pool = 1, .activation = XC_EXPONENTIAL};
        assert_int_equal(check(&of, cpu(), 20, &least, 1), ITEMS * (67 - 20 - 1));
        /* A window of 2 could begin at 1 .. 64, but without padding the middles are 4 .. 62 only. */
        assert_int_equal(check(&of, cpu(), 2, &least, 1), ITEMS * (i == 0 ? 64 : 59));
    }
}

/* Sequences longer than what is searched at a time, each of one base: no count may run over. */
static void test_long_runs(void **state) {
    (void)state;
    static const double least = 0;
    const xc_split random = split;
    const shape of = {.filters = 9, .width = 5, .pool = 1, .activation = XC_EXPONENTIAL};
    xc_dna_builder builder;
    uint8_t codes[600];
    MUST(xc_dna_builder_open(&builder, 3, sizeof codes, error));
    for (int i = 0; i < 3; i++) {
        memset(codes, i == 0 ? 1 : 0, sizeof codes);
        MUST(xc_dna_builder_append(&builder, codes, error));
    }
    split = (xc_split){.classes = 2, .reverse_complement = true};
    xc_dna_builder_finish(&builder, &split.dna);
    assert_int_equal(check(&of, cpu(), 20, &least, 1), 9 * 6 * (600 - 20 - 1));
    xc_split_free(&split);
    split = random;
}

static xc_motif_list extract(const xc_network *network, double threshold) {
    xc_motif_list motifs;
    const xc_filters_options options = {&threshold, 1, 20, 1};
    MUST(xc_filters_extract(network, cpu(), &split, &options, &motifs, error));
    return motifs;
}

static void assert_flat(const xc_motif *motif, double sites) {
    assert_true(motif->sites == sites);
    assert_int_equal(motif->width, 20);
    for (int i = 0; i < 80; i++) assert_true(motif->ppm[i] == 0.25f);
}

static void test_few_windows(void **state) {
    (void)state;
    const shape of = {.filters = 8, .width = 9, .pool = 1, .activation = XC_TANH};
    xc_network network = new_network(&of, (int32_t)split.dna.length);
    const xc_block *block = &network.model.layer[0].block;
    network.state.parameters[block->gamma + 2] = 0; /* filter 2 is tanh(-1) everywhere */
    network.state.parameters[block->beta + 2] = -1;
    xc_motif_list motifs = extract(&network, 0.5);
    assert_flat(&motifs.motif[2], 0);
    assert_true(motifs.motif[3].sites > 1);
    xc_motif_list_free(&motifs);
    network.config->model.activation = XC_LINEAR;
    motifs = extract(&network, 0.999999); /* the largest alone, where its window is inside */
    int single = 0;
    for (int f = 0; f < 8; f++) {
        assert_flat(&motifs.motif[f], motifs.motif[f].sites);
        single += motifs.motif[f].sites == 1;
    }
    assert_true(single > 0);
    xc_motif_list_free(&motifs);
    free_network(&network);
}

static void expect_failure(const xc_network *network, const xc_split *of, int threads, xc_status wanted,
                           const char *part) {
    xc_error error = {0};
    xc_motif_list motifs;
    const xc_filters_options options = {&HALF, 1, 20, threads};
    assert_int_equal(xc_filters_extract(network, cpu(), of, &options, &motifs, &error), wanted);
    assert_non_null(strstr(error.text, part));
    xc_motif_list_free(&motifs);
}

static void test_failures(void **state) {
    (void)state;
    const shape of = {.filters = 20, .width = 9, .pool = 1, .activation = XC_EXPONENTIAL};
    xc_network network = new_network(&of, (int32_t)split.dna.length);
    const xc_block *block = &network.model.layer[0].block;
    xc_split other = random_split(3, 50, 2, 9);
    expect_failure(&network, &other, 1, XC_INPUT, "length 50");
    xc_split_free(&other);
    network.state.parameters[block->beta + 17] = NAN;
    for (int threads = 1; threads <= 3; threads++) expect_failure(&network, &split, threads, XC_INPUT, "filter 17");
    network.state.parameters[block->beta + 3] = NAN; /* of those that are compared eight at a time */
    expect_failure(&network, &split, 1, XC_INPUT, "filter 3 ");
    network.state.parameters[block->beta + 3] = 0;
    network.state.parameters[block->beta + 17] = INFINITY;
    network.config->model.activation = XC_RELU;
    expect_failure(&network, &split, 1, XC_INPUT, "filter 17");
    network.state.parameters[block->beta + 17] = 0;
    xc_interrupt_install();
    raise(SIGINT);
    expect_failure(&network, &split, 2, XC_INTERRUPTED, "interrupted");
    xc_interrupt_install(); /* clears the flag */
    network.state.parameters[block->kernel + 17] = NAN;
    xc_motif_list motifs;
    xc_error error = {0};
    assert_int_equal(xc_filters_kernels(&network, &motifs, &error), XC_INPUT);
    assert_non_null(strstr(error.text, "filter 17"));
    xc_motif_list_free(&motifs);
    free_network(&network);
}

/* ---- the pieces -------------------------------------------------------------------------------------------------- */

/* The first block by its formula, at all positions of some items. */
static void test_first_block(void **state) {
    (void)state;
    const shape of = {.filters = 5, .width = 9, .pool = 4, .activation = XC_RELU};
    xc_network network = new_network(&of, (int32_t)split.dna.length);
    const xc_block *block = &network.model.layer[0].block;
    const float *p = network.state.parameters, *running = network.state.running + block->running;
    float *activations = new_activations(&network, cpu(), &split);
    uint8_t codes[67];
    for (size_t item = 0; item < ITEMS; item += 37) {
        xc_dna_unpack(&split.dna, xc_split_index(&split, item), codes);
        for (int l = 0; l < 67; l++)
            for (int f = 0; f < 5; f++) {
                double z = 0;
                for (int k = 0; k < 9; k++) {
                    const int at = l + k - 4;
                    if (at >= 0 && at < 67 && codes[at] != XC_BASE_N)
                        z += (double)p[block->kernel + (size_t)((k * 4 + codes[at]) * 5 + f)];
                }
                z = (z - (double)running[f]) / sqrt((double)running[5 + f] + (double)block->norm_epsilon);
                z = fmax(0, z * (double)p[block->gamma + (size_t)f] + (double)p[block->beta + (size_t)f]);
                assert_true(fabs(z - (double)activations[(item * 67 + (size_t)l) * 5 + (size_t)f]) < 1e-4);
            }
    }
    test_free(activations);
    free_network(&network);
}

static void test_kernels(void **state) {
    (void)state;
    const shape of = {.filters = 3, .width = 6, .pool = 1, .activation = XC_EXPONENTIAL};
    xc_network network = new_network(&of, (int32_t)split.dna.length);
    const float *kernel = network.state.parameters + network.model.layer[0].block.kernel; /* (6,4,3) */
    xc_motif_list motifs;
    MUST(xc_filters_kernels(&network, &motifs, error));
    assert_int_equal(motifs.count, 3);
    assert_string_equal(motifs.motif[2].id, "filter2");
    for (int f = 0; f < 3; f++) {
        assert_int_equal(motifs.motif[f].width, 6);
        assert_true(motifs.motif[f].sites == 0);
        for (int k = 0; k < 6; k++) {
            double sum = 0;
            for (int b = 0; b < 4; b++) sum += exp((double)kernel[(k * 4 + b) * 3 + f]);
            for (int b = 0; b < 4; b++)
                assert_true(fabs(exp((double)kernel[(k * 4 + b) * 3 + f]) / sum -
                                 (double)motifs.motif[f].ppm[4 * k + b]) < 1e-6);
        }
    }
    xc_motif_list_free(&motifs);
    free_network(&network);
}

/* A list of one motif of width 12 with sharp positions where the mask has a 1. */
static xc_motif_list sharp(uint32_t mask) {
    xc_motif_list motifs;
    MUST(xc_motif_list_create(&motifs, 1, 12, error));
    for (uint32_t i = 0; i < 12; i++)
        for (uint32_t b = 0; b < 4 && mask >> i & 1; b++) motifs.motif[0].ppm[4 * i + b] = b == i % 4;
    return motifs;
}

static void test_clip(void **state) {
    (void)state;
    static const struct {
        uint32_t mask, padding, first, width;
    } cases[] = {{0x0, 3, 0, 12},  {0xfff, 3, 0, 12}, {0x060, 3, 2, 8},  {0x060, 0, 5, 2}, {0x0a0, 1, 4, 5},
                 {0x001, 3, 0, 4}, {0x800, 3, 8, 4},  {0x801, 3, 0, 12}, {0x008, 3, 0, 7}, {0x010, 99, 0, 12}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        xc_motif_list motifs = sharp(cases[i].mask), whole = sharp(cases[i].mask);
        xc_motif_clip(&motifs.motif[0], 0.5, cases[i].padding);
        assert_int_equal(motifs.motif[0].width, cases[i].width);
        assert_memory_equal(motifs.motif[0].ppm, whole.motif[0].ppm + 4 * cases[i].first,
                            cases[i].width * 4 * sizeof(float));
        xc_motif_list_free(&motifs);
        xc_motif_list_free(&whole);
    }
}

static void test_information(void **state) {
    (void)state;
    const float flat[4] = {0.25f, 0.25f, 0.25f, 0.25f}, sure[4] = {0, 1, 0, 0}, two[4] = {0.5f, 0, 0.5f, 0};
    assert_true(fabs(xc_motif_information(flat)) < 1e-5);
    assert_true(fabs(xc_motif_information(sure) - 2) < 1e-5);
    assert_true(fabs(xc_motif_information(two) - 1) < 1e-5);
}

static void test_list(void **state) {
    (void)state;
    xc_motif_list motifs;
    MUST(xc_motif_list_create(&motifs, 11, 20, error));
    assert_int_equal(motifs.count, 11);
    assert_string_equal(motifs.motif[10].id, "filter10");
    assert_string_equal(motifs.motif[10].name, "");
    assert_flat(&motifs.motif[10], 0);
    for (int b = 0; b < 4; b++) assert_true(motifs.background[b] == 0.25);
    xc_motif_list_free(&motifs);
}

static int open_split(void **state) {
    (void)state;
    split = random_split(SEQUENCES, 67, 2, 5);
    return 0;
}

static int close_split(void **state) {
    (void)state;
    xc_split_free(&split);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations), cmocka_unit_test(test_shapes),      cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_ends),        cmocka_unit_test(test_long_runs),   cmocka_unit_test(test_few_windows),
        cmocka_unit_test(test_failures),    cmocka_unit_test(test_first_block), cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_clip),        cmocka_unit_test(test_information), cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, open_split, close_split);
}
