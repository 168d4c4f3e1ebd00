/* test_attribution_golden.c: every attribution method against PyTorch in float64, of logits and of probabilities, on
 * each backend. The numbers are in tests/golden/attribution/MODEL.ACTIVATION.h5; make_attribution.py beside them says
 * what they are and gives the function that makes weights, sequences and backgrounds. Runs in the root of the
 * repository.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <hdf5.h>

#include "expconv/attribution.h"
#include "golden_fixture.h"

enum { SEQUENCES = 4, BACKGROUNDS = 3, STEPS = 5, MEAN_TAG = 3000, VARIANCE_TAG = 3100 };

/* Largest distances, as parts of a map's norm. The files are rounded by 7.5e-6 themselves; a rescale rule divides
 * differences that float32 has rounded. */
#define GRADIENTS 1e-4
#define DIFFERENCES 1e-4
#define MULTIPLIERS 2e-4

typedef struct golden_case {
    hid_t file;
    xc_network network;
    xc_split sequences, backgrounds; /* of sequence n from BACKGROUNDS n on */
    int32_t class_index;
} golden_case;

/* ---- the data ---------------------------------------------------------------------------------------------------- */

static uint8_t code_of(double tag, uint64_t i, bool unknown) {
    if (unknown && uniform((uint64_t)tag + 1, i) < 0.03) return XC_BASE_N;
    return (uint8_t)(4 * uniform((uint64_t)tag, i));
}

static void make_sequences(golden_case *g) {
    const uint32_t length = (uint32_t)g->network.model.length;
    size_t count;
    double *tag = read_doubles(g->file, "sequence_tag", &count);
    uint8_t *codes = test_malloc(length);
    xc_dna_builder sequences, backgrounds;
    assert_int_equal(count, SEQUENCES);
    MUST(xc_dna_builder_open(&sequences, SEQUENCES, length, error));
    MUST(xc_dna_builder_open(&backgrounds, SEQUENCES * BACKGROUNDS, length, error));
    for (uint32_t n = 0; n < SEQUENCES; n++) {
        for (uint32_t l = 0; l < length; l++) codes[l] = code_of(tag[n], l, n == 3);
        MUST(xc_dna_builder_append(&sequences, codes, error));
        for (uint32_t b = 0; b < BACKGROUNDS; b++) {
            for (uint32_t l = 0; l < length; l++) {
                codes[l] = code_of(tag[n] + 2, b * length + l, false);
                if (n == 3 && b == 2 && uniform((uint64_t)tag[n] + 3, l) < 0.03) codes[l] = XC_BASE_N;
            }
            MUST(xc_dna_builder_append(&backgrounds, codes, error));
        }
    }
    xc_dna_builder_finish(&sequences, &g->sequences.dna);
    xc_dna_builder_finish(&backgrounds, &g->backgrounds.dna);
    test_free(codes);
    test_free(tag);
}

static void make_running(xc_network *network) {
    uint64_t norm = 0;
    for (int32_t i = 0; i < network->model.layer_count; i++) {
        const xc_block *block = &network->model.layer[i].block;
        if (block->gamma == XC_ABSENT) continue;
        float *mean = network->state.running + block->running, *variance = mean + block->filters;
        for (uint64_t f = 0; f < (uint64_t)block->filters; f++) {
            mean[f] = (float)(0.1 * (2 * uniform(MEAN_TAG + norm, f) - 1));
            variance[f] = (float)(0.5 + uniform(VARIANCE_TAG + norm, f));
        }
        norm++;
    }
}

static void open_case(golden_case *g, const char *name) {
    char path[128], activation[32], model[32];
    *g = (golden_case){0};
    snprintf(path, sizeof path, "tests/golden/attribution/%s.h5", name);
    g->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (g->file < 0) fail_msg("%s is missing or damaged; make it with tests/golden/make_attribution.py", path);
    read_word(g->file, "activation", activation, sizeof activation);
    read_word(g->file, "model", model, sizeof model);
    g->class_index = (int32_t)read_number(g->file, "class");
    xc_network *network = &g->network;
    network->config = read_config(model, activation);
    MUST(xc_model_build(&network->config->model, (int32_t)read_number(g->file, "length"),
                        (int32_t)read_number(g->file, "classes"), &network->model, error));
    network->state = new_state(&network->model);
    xc_model_initialise(&network->model, 0, network->state.parameters, network->state.running);
    const double beta_shift = read_number(g->file, "beta_shift");
    for (int32_t i = 0; i < network->model.tensor_count; i++)
        fill_tensor(&network->model.tensor[i], (uint64_t)i, beta_shift,
                    network->state.parameters + network->model.tensor[i].offset);
    make_running(network);
    make_sequences(g);
}

static void close_case(golden_case *g) {
    xc_split_free(&g->sequences);
    xc_split_free(&g->backgrounds);
    free_state(&g->network.state);
    xc_config_free(g->network.config);
    H5Fclose(g->file);
}

/* ---- one sequence's maps ----------------------------------------------------------------------------------------- */

typedef struct maps {
    float *hypothetical, *contributions; /* (SEQUENCES,4,L) */
    double output[SEQUENCES], gap[SEQUENCES];
    size_t floats, place;
} maps;

static xc_status keep(void *context, const xc_attribution_part *part, xc_error *error) {
    maps *m = context;
    (void)error;
    for (size_t i = 0; i < part->count; i++, m->place++) {
        memcpy(m->hypothetical + m->place * m->floats, part->hypothetical + i * m->floats, m->floats * sizeof(float));
        memcpy(m->contributions + m->place * m->floats, part->contributions + i * m->floats, m->floats * sizeof(float));
        m->output[m->place] = (double)part->output[i];
        m->gap[m->place] = (double)part->gap[i];
    }
    return XC_OK;
}

/* Each sequence against its own backgrounds. */
static void explain(golden_case *g, const xc_backend *backend, xc_attribution_settings settings, maps *m) {
    m->place = 0;
    for (uint32_t n = 0; n < SEQUENCES; n++) {
        xc_split own = g->backgrounds;
        own.dna.bases += (size_t)n * BACKGROUNDS * own.dna.row_bytes;
        own.dna.run_start += n * BACKGROUNDS;
        own.dna.sequences = BACKGROUNDS;
        settings.file = &own;
        MUST(xc_attribute(&g->network, backend, &g->sequences, &n, 1, &settings, 1, keep, m, error));
    }
}

/* ---- comparisons ------------------------------------------------------------------------------------------------- */

static double distance_to(const golden_case *g, const char *name, const float *found, size_t floats, size_t n) {
    size_t count;
    double *golden = read_doubles(g->file, name, &count), norm = 0, distance = 0;
    assert_int_equal(count, SEQUENCES * floats);
    for (size_t e = n * floats; e < (n + 1) * floats; e++) {
        norm += golden[e] * golden[e];
        distance += ((double)found[e] - golden[e]) * ((double)found[e] - golden[e]);
    }
    test_free(golden);
    return sqrt(distance / norm);
}

/* The worst of the four sequences. */
static double check_map(const golden_case *g, const char *what, const char *group, const char *map, const float *found,
                        size_t floats, double most) {
    char name[128];
    double worst = 0;
    snprintf(name, sizeof name, "%s/%s", group, map);
    for (size_t n = 0; n < SEQUENCES; n++) {
        const double distance = distance_to(g, name, found, floats, n);
        if (!(distance <= most)) fail_msg("%s: %s of sequence %zu: off by %.2e of its norm", what, name, n, distance);
        worst = fmax(worst, distance);
    }
    return worst;
}

static void check_output(const golden_case *g, const char *what, const char *group, const maps *m) {
    char name[64];
    size_t count;
    snprintf(name, sizeof name, "%s/output", group);
    double *golden = read_doubles(g->file, name, &count);
    for (size_t n = 0; n < SEQUENCES; n++)
        if (!(fabs(m->output[n] - golden[n]) <= 2e-5 * fmax(1, fabs(golden[n]))))
            fail_msg("%s: output of sequence %zu is %.7g, not %.7g", what, n, m->output[n], golden[n]);
    test_free(golden);
}

static double check_method(golden_case *g, const char *what, const xc_backend *backend, bool probability,
                           xc_attribution_method method, xc_quadrature quadrature, maps *m) {
    static const char *const folders[] = {"saliency", NULL, "mutagenesis", "deepshap"};
    char group[96], folder[64];
    const xc_attribution_settings settings = {.method = method,
                                              .class_index = g->class_index,
                                              .probability = probability,
                                              .background = XC_BACKGROUND_FILE,
                                              .steps = STEPS,
                                              .quadrature = quadrature};
    const double most = method == XC_DEEPSHAP ? MULTIPLIERS : method == XC_MUTAGENESIS ? DIFFERENCES : GRADIENTS;
    explain(g, backend, settings, m);
    snprintf(folder, sizeof folder, "integrated_%s", xc_quadrature_word(quadrature));
    if (folders[method]) snprintf(folder, sizeof folder, "%s", folders[method]);
    snprintf(group, sizeof group, "%s/%s", probability ? "probability" : "logit", folder);
    check_output(g, what, probability ? "probability" : "logit", m);
    double worst = check_map(g, what, group, "hypothetical", m->hypothetical, m->floats, most);
    if (method != XC_SALIENCY)
        worst = fmax(worst, check_map(g, what, group, "contributions", m->contributions, m->floats, most));
    return worst;
}

static void check_case(const char *name, const xc_backend *backend) {
    static const struct {
        xc_attribution_method method;
        xc_quadrature quadrature;
    } rows[] = {{XC_SALIENCY, XC_QUADRATURE_LEFT},
                {XC_INTEGRATED_GRADIENTS, XC_QUADRATURE_LEFT},
                {XC_INTEGRATED_GRADIENTS, XC_QUADRATURE_MIDPOINT},
                {XC_INTEGRATED_GRADIENTS, XC_QUADRATURE_GAUSS},
                {XC_MUTAGENESIS, XC_QUADRATURE_LEFT},
                {XC_DEEPSHAP, XC_QUADRATURE_LEFT}};
    static golden_case g;
    char what[96];
    open_case(&g, name);
    maps m = {.floats = 4 * (size_t)g.network.model.length};
    m.hypothetical = test_calloc(SEQUENCES * m.floats, sizeof(float));
    m.contributions = test_calloc(SEQUENCES * m.floats, sizeof(float));
    snprintf(what, sizeof what, "%s on %s", name, backend->name);
    for (int probability = 0; probability < 2; probability++) {
        print_message("%-26s %-8s %-12s", name, backend->name, probability ? "probability" : "logit");
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            print_message(" %.1e",
                          check_method(&g, what, backend, probability, rows[i].method, rows[i].quadrature, &m));
        print_message("\n");
    }
    test_free(m.hypothetical);
    test_free(m.contributions);
    close_case(&g);
}

static const char *const cases[] = {"cnn-local.relu",          "cnn-local.exponential", "cnn-deep.exponential",
                                    "cnn-deep.tanh",           "cnn-50.relu",           "cnn-dist-log.log",
                                    "residualbind.exponential"};

#define CASE_COUNT (sizeof cases / sizeof *cases)

static void test_cpu(void **state) {
    const xc_backend *cpu;
    (void)state;
    MUST(xc_backend_cpu(&cpu, error));
    for (size_t i = 0; i < CASE_COUNT; i++) check_case(cases[i], cpu);
}

static void test_reference(void **state) {
    (void)state;
    check_case("cnn-local.exponential", xc_backend_reference());
}

/* The CUDA backend on the emulated GPU, which is linked in where the toolkit's headers are: slow, so two cases. */
#ifdef XC_TEST_CUDAEMU
xc_status xc_backend_cuda(uint32_t version, const xc_backend **backend, xc_error *error);

static void test_emulated(void **state) {
    const xc_backend *emulated;
    (void)state;
    MUST(xc_backend_cuda(XC_BACKEND_VERSION, &emulated, error));
    check_case("cnn-local.exponential", emulated);
    check_case("cnn-50.relu", emulated);
}
#else
static void test_emulated(void **state) {
    (void)state;
    print_message("built without the CUDA toolkit\n");
    skip();
}
#endif

/* The GPU itself, asked for by $EXPCONV_TEST_GPU (`make gpu-check`). */
static void test_gpu(void **state) {
    const xc_backend *gpu;
    (void)state;
    MUST(xc_backend_open("cuda", &gpu, error));
    for (size_t i = 0; i < CASE_COUNT; i++) check_case(cases[i], gpu);
}

/* `test_attribution_golden WORD` runs the tests whose title contains WORD. */
int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {{"maps (cpu)", test_cpu, NULL, NULL, NULL},
                                       {"maps (ref)", test_reference, NULL, NULL, NULL},
                                       {"maps (cudaemu)", test_emulated, NULL, NULL, NULL},
                                       {"maps (cuda)", test_gpu, NULL, NULL, NULL}};
    struct CMUnitTest kept[4];
    const size_t count = getenv("EXPCONV_TEST_GPU") ? 4 : 3;
    size_t chosen = 0;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        if (argc < 2 || strstr(tests[i].name, argv[1])) kept[chosen++] = tests[i];
    print_message("distances: saliency, integrated gradients left, midpoint, gauss, mutagenesis, deepshap\n");
    return _cmocka_run_group_tests("maps", kept, chosen, NULL, NULL);
}
