/* test_golden.c: every zoo model against PyTorch in float64: logits, loss, all gradients, ten steps of Adam. The
 * numbers are in tests/golden/MODEL.h5; make_golden.py beside them says what they are and gives the function that makes
 * weights, sequences and labels, which is written here a second time. The models come from the zoo's YAML by the way
 * that users take, with dropout set to 0. Runs in the root of the repository.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <hdf5.h>

#include "golden_fixture.h"

#define BATCH 8
#define STEPS 10
#define VECTORS 64
#define LABEL_TAG 1001
#define SIGN_TAG 2000

#define VALUES \
    1e-4 /* of the norm of the logits, and of each gradient's scale, which is its norm unless that is zero by law */
#define LOSSES 1e-3 /* the loss itself, at the start and after each step */

/* ---- the data --------------------------------------------------------------------------------------------------- */

static xc_split make_split(uint64_t sequence_tag, uint32_t length, int32_t classes) {
    xc_split split = {.classes = classes};
    xc_dna_builder builder;
    MUST(xc_dna_builder_open(&builder, BATCH, length, error));
    uint8_t *codes = test_malloc(length);
    for (uint32_t n = 0; n < BATCH; n++) {
        for (uint32_t l = 0; l < length; l++) codes[l] = (uint8_t)(4 * uniform(sequence_tag, n * length + l));
        MUST(xc_dna_builder_append(&builder, codes, error));
    }
    test_free(codes);
    xc_dna_builder_finish(&builder, &split.dna);
    float *labels;
    MUST(xc_allocate(&labels, (size_t)(BATCH * classes), sizeof *labels, "labels", error));
    for (int32_t i = 0; i < BATCH * classes; i++) labels[i] = uniform(LABEL_TAG, (uint64_t)i) < 0.5 ? 1 : 0;
    split.labels = labels;
    return split;
}

/* ---- the model --------------------------------------------------------------------------------------------------- */

/* One model on one backend; what the comparison needs. */
typedef struct golden_case {
    hid_t file;
    xc_config *config;
    xc_model *model;
    xc_split split;
    xc_device_split device;
    xc_pack *pack;
    uint32_t index[BATCH];
} golden_case;

static void open_case(golden_case *g, const char *name, const xc_backend *backend) {
    char path[128], activation[32];
    snprintf(path, sizeof path, "tests/golden/%s.h5", name);
    g->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (g->file < 0) fail_msg("%s is missing or damaged; make it with tests/golden/make_golden.py", path);
    read_word(g->file, "activation", activation, sizeof activation);
    assert_int_equal(read_number(g->file, "batch"), BATCH);
    g->config = read_config(name, activation);
    g->model = test_malloc(sizeof *g->model);
    MUST(xc_model_build(&g->config->model, (int32_t)read_number(g->file, "length"),
                        (int32_t)read_number(g->file, "classes"), g->model, error));
    assert_float_equal(g->model->tensor[0].l2, read_number(g->file, "l2_first"), 1e-9);
    g->split =
        make_split((uint64_t)read_number(g->file, "sequence_tag"), (uint32_t)g->model->length, g->model->classes);
    MUST(xc_device_split_open(backend, &g->split, &g->device, error));
    MUST(xc_pack_create(backend, g->model, 1, BATCH, XC_FOR_TRAINING, &g->pack, error));
    for (uint32_t n = 0; n < BATCH; n++) g->index[n] = n;

    const double beta_shift = read_number(g->file, "beta_shift");
    xc_trial_state state = new_state(g->model);
    xc_model_initialise(g->model, 0, state.parameters, state.running);
    for (int32_t i = 0; i < g->model->tensor_count; i++)
        fill_tensor(&g->model->tensor[i], (uint64_t)i, beta_shift, state.parameters + g->model->tensor[i].offset);
    const xc_activation first = xc_config_activation(g->config);
    xc_pack_set(g->pack, 0, &state, &first, 0);
    free_state(&state);
}

static void close_case(golden_case *g) {
    xc_pack_free(g->pack);
    xc_device_split_close(&g->device);
    xc_split_free(&g->split);
    test_free(g->model);
    xc_config_free(g->config);
    H5Fclose(g->file);
}

/* ---- the comparisons --------------------------------------------------------------------------------------------- */

/* The worst of each kind that this model showed: logits and gradients as parts of their norms, the loss as it is and as
 * a part of the golden one. */
typedef struct worst_seen {
    double logits, gradient, loss, loss_part;
} worst_seen;

static void check_logits(const golden_case *g, worst_seen *worst) {
    size_t count;
    double *golden = read_doubles(g->file, "logits", &count), norm = 0, distance = 0;
    assert_int_equal(count, BATCH * g->model->classes);
    float *logits = test_malloc(count * sizeof *logits);
    xc_pack_logits(g->pack, logits);
    for (size_t i = 0; i < count; i++) {
        norm += golden[i] * golden[i];
        distance += (logits[i] - golden[i]) * (logits[i] - golden[i]);
    }
    worst->logits = sqrt(distance / norm);
    if (!(worst->logits <= VALUES)) fail_msg("logits: off by %.2e of their norm", worst->logits);
    test_free(logits);
    test_free(golden);
}

/* How far `gradient` is at the elements that were stored. */
static double sampled_distance(const golden_case *g, const char *group, const float *gradient, size_t size) {
    char name[128];
    size_t count, same;
    snprintf(name, sizeof name, "%s/sample_index", group);
    double *index = read_doubles(g->file, name, &count);
    snprintf(name, sizeof name, "%s/sample_value", group);
    double *value = read_doubles(g->file, name, &same), distance = 0;
    assert_true(count == same && count == (size < 2048 ? size : 2048));
    for (size_t j = 0; j < count; j++) {
        const double off = gradient[(size_t)index[j]] - value[j];
        distance += off * off;
    }
    test_free(index);
    test_free(value);
    return sqrt(distance);
}

/* How far it is as a whole, from projections on vectors of signs. */
static double projected_distance(const golden_case *g, const char *group, const float *gradient, size_t size) {
    char name[128];
    size_t count;
    snprintf(name, sizeof name, "%s/projection", group);
    double *golden = read_doubles(g->file, name, &count), distance = 0;
    assert_int_equal(count, VECTORS);
    for (uint64_t j = 0; j < VECTORS; j++) {
        double sum = 0;
        for (size_t i = 0; i < size; i++) sum += mixed(SIGN_TAG + j, i) >> 63 ? gradient[i] : -gradient[i];
        distance += (sum - golden[j]) * (sum - golden[j]);
    }
    test_free(golden);
    return sqrt(distance / VECTORS);
}

static void check_gradient(const golden_case *g, hid_t groups, int32_t i, const float *gradient, worst_seen *worst) {
    char name[64], group[96], scale_name[112];
    size_t one;
    const xc_tensor *tensor = &g->model->tensor[i];
    assert_true(
        H5Lget_name_by_idx(groups, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, name, sizeof name, H5P_DEFAULT) > 0);
    /* A residual is two blocks there and three layers here, so that only the roles are the same. */
    assert_string_equal(role_of(name), role_of(tensor->name));
    snprintf(group, sizeof group, "gradient/%s", name);
    snprintf(scale_name, sizeof scale_name, "%s/scale", group);
    double *scale = read_doubles(g->file, scale_name, &one);
    const double sampled = sampled_distance(g, group, gradient, tensor->count) / *scale;
    const double projected = projected_distance(g, group, gradient, tensor->count) / *scale;
    test_free(scale);
    worst->gradient = fmax(worst->gradient, fmax(sampled, projected));
    if (!(sampled <= VALUES && projected <= VALUES))
        fail_msg("gradient of %s: off by %.2e of its scale by samples, %.2e as a whole", tensor->name, sampled,
                 projected);
}

static void check_gradients(const golden_case *g, worst_seen *worst) {
    H5G_info_t about;
    const hid_t groups = H5Gopen2(g->file, "gradient", H5P_DEFAULT);
    assert_true(groups >= 0 && H5Gget_info(groups, &about) >= 0);
    assert_int_equal(about.nlinks, g->model->tensor_count);
    float *gradients = test_malloc(g->model->parameter_count * sizeof *gradients);
    xc_pack_gradients(g->pack, 0, gradients);
    for (int32_t i = 0; i < g->model->tensor_count; i++)
        check_gradient(g, groups, i, gradients + g->model->tensor[i].offset, worst);
    test_free(gradients);
    H5Gclose(groups);
}

static void check_loss(double golden, double loss, int32_t step, worst_seen *worst) {
    const double off = fabs(loss - golden);
    worst->loss = fmax(worst->loss, off);
    worst->loss_part = fmax(worst->loss_part, off / golden);
    if (!(off <= LOSSES)) fail_msg("loss after %d steps: %.6f instead of %.6f", step, loss, golden);
}

static double forward_loss(golden_case *g) {
    double loss;
    MUST(xc_pack_forward(g->pack, &g->device, g->index, BATCH, true, error));
    MUST(xc_pack_loss(g->pack, XC_LOSS_BINARY, NULL, &loss, error));
    return loss;
}

static void check_model(const char *name, const xc_backend *backend) {
    golden_case g;
    worst_seen worst = {0};
    size_t count;
    open_case(&g, name, backend);
    const xc_train_config *train = &g.config->train;
    const xc_optimizer adam = {train->optimizer, (float)train->beta1, (float)train->beta2, (float)train->epsilon,
                               (float)train->momentum};
    const float rate = (float)train->learning_rate;
    assert_float_equal(rate, read_number(g.file, "adam_lr"), 1e-9);
    double *golden = read_doubles(g.file, "loss", &count);
    assert_int_equal(count, STEPS + 1);
    for (int32_t step = 0; step <= STEPS; step++) {
        check_loss(golden[step], forward_loss(&g), step, &worst);
        if (step == 0) check_logits(&g, &worst);
        if (step == STEPS) break;
        MUST(xc_pack_backward(g.pack, error));
        if (step == 0) check_gradients(&g, &worst);
        MUST(xc_pack_step(g.pack, &adam, &rate, error));
    }
    print_message("%-18s on %-4s logits %.1e  gradients %.1e  losses %.1e (%.1e of them)\n", name, backend->name,
                  worst.logits, worst.gradient, worst.loss, worst.loss_part);
    test_free(golden);
    close_case(&g);
}

/* The prestate is the model's name. */
static void on_cpu(void **state) {
    const xc_backend *backend;
    MUST(xc_backend_cpu(&backend, error));
    check_model(*state, backend);
}

static void on_reference(void **state) { check_model(*state, xc_backend_reference()); }

/* The CUDA backend on the emulated GPU, which is linked in where the toolkit's headers are. */
#ifdef XC_TEST_CUDAEMU
xc_status xc_backend_cuda(uint32_t version, const xc_backend **backend, xc_error *error);

static void on_emulated(void **state) {
    const xc_backend *backend;
    MUST(xc_backend_cuda(XC_BACKEND_VERSION, &backend, error));
    check_model(*state, backend);
}
#else
static void on_emulated(void **state) {
    (void)state;
    print_message("built without the CUDA toolkit\n");
    skip();
}
#endif

/* The GPU itself, asked for by $EXPCONV_TEST_GPU (`make gpu-check`). */
static void on_gpu(void **state) {
    const xc_backend *backend;
    MUST(xc_backend_open("cuda", &backend, error));
    check_model(*state, backend);
}

/* `test_golden WORD` runs the tests whose title contains WORD. */
int main(int argc, char **argv) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    /* The reference is slow: one model of each kind of layer. */
    static const char *const small[] = {"cnn-2",        "cnn-local",    "cnn-dist",
                                        "residualbind", "cnn-deep-log", "cnn-dist-log"};
    static char titles[160][64];
    struct CMUnitTest tests[160];
    size_t count = 0;
    for (const char *const *name = xc_zoo_names(); *name && count < 96; name++, count++) {
        snprintf(titles[count], sizeof titles[count], "%s (cpu)", *name);
        tests[count] = (struct CMUnitTest){titles[count], on_cpu, NULL, NULL, (void *)*name};
    }
    for (size_t i = 0; i < sizeof small / sizeof *small; i++, count++) {
        snprintf(titles[count], sizeof titles[count], "%s (ref)", small[i]);
        tests[count] = (struct CMUnitTest){titles[count], on_reference, NULL, NULL, (void *)small[i]};
    }
    for (size_t i = 0; i < sizeof small / sizeof *small; i++, count++) {
        snprintf(titles[count], sizeof titles[count], "%s (cudaemu)", small[i]);
        tests[count] = (struct CMUnitTest){titles[count], on_emulated, NULL, NULL, (void *)small[i]};
    }
    for (const char *const *name = xc_zoo_names(); getenv("EXPCONV_TEST_GPU") && *name && count < 160;
         name++, count++) {
        snprintf(titles[count], sizeof titles[count], "%s (cuda)", *name);
        tests[count] = (struct CMUnitTest){titles[count], on_gpu, NULL, NULL, (void *)*name};
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (argc < 2 || strstr(titles[i], argv[1])) tests[kept++] = tests[i];
    return _cmocka_run_group_tests("golden", tests, kept, NULL, NULL);
}
