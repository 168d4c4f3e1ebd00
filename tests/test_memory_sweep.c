/* test_memory_sweep.c: whole sweeps on a device with little memory: the planner's packs, two at a time, a device that
 * says more than it has, filters that are measured beside the packs; always the results that the CPU gives. The device
 * is limited_fixture.h's, put in the place of every other: this program has its own xc_backend_open.
 */
#include "e2e/sweep.h"
#include "expconv/sweep.h"
#include "limited_fixture.h"

#define MUST(call)                                                       \
    do {                                                                 \
        xc_error must_error = {0}, *error = &must_error;                 \
        if ((call) != XC_OK) fail_msg("%s: %s", #call, must_error.text); \
    } while (0)

xc_status xc_backend_open(const char *device, const xc_backend **backend, xc_error *error) {
    if (strcmp(device, "cpu") == 0) return xc_backend_cpu(backend, error);
    *backend = &limited;
    return XC_OK;
}

static int open_group(void **state) {
    (void)state;
    xc_log_set_quiet(true);
    make_limited();
    return 0;
}

static xc_config *read_config(const char *path, const char *override) {
    xc_config *config = NULL;
    MUST(xc_config_read(path, &override, override != NULL, &config, error));
    return config;
}

/* Runs into FOLDER/place; what was logged is to be freed. */
static xc_status sweep(const char *config_path, const char *override, const char *place, const char *device,
                       int threads, char **text, xc_error *refused) {
    const char *log = in_folder("%s.log", place);
    xc_config *config = read_config(config_path, override);
    const xc_sweep_options options = {.folder = in_folder("%s", place), .device = device, .threads = threads};
    MUST(xc_log_open_json(log, error));
    const xc_status status = xc_sweep_run(config, &options, refused);
    xc_log_close();
    *text = read_text(log);
    xc_config_free(config);
    assert_int_equal(limited_memory.used, 0);
    return status;
}

static char *sweep_well(const char *config, const char *place, const char *device, int threads) {
    char *text;
    MUST(sweep(config, NULL, place, device, threads, &text, error));
    return text;
}

/* What the data takes on the device, and what a sweep's trials do beside it. */
static size_t data_bytes, pack_bytes[TRIALS + 1];

static void count_bytes(const char *config_path) {
    xc_config *config = read_config(config_path, NULL);
    xc_dataset data;
    xc_model model;
    const xc_data_names names = {0};
    MUST(xc_dataset_read(config->data.file, &names, 7, false, 1, &data, error));
    MUST(xc_model_build(&config->model, LENGTH, CLASSES, &model, error));
    data_bytes = 0;
    for (int s = 0; s < XC_SPLIT_COUNT; s++) data_bytes += xc_device_split_bytes(&limited, &data.split[s]);
    for (int32_t t = 1; t <= TRIALS; t++) {
        const int32_t batch = (int32_t)config->train.batch;
        pack_bytes[t] = xc_pack_bytes(&model, &limited, t, batch, XC_FOR_TRAINING) +
                        (size_t)t * TRAIN * sizeof(uint32_t) +
                        xc_pack_bytes(&model, &limited, 1, batch, XC_FOR_INFERENCE);
    }
    xc_dataset_free(&data);
    xc_config_free(config);
}

static void assert_said(const char *text, const char *part, int times) {
    if (count_in(text, part) != times) fail_msg("\"%s\" is not there %d times: %s", part, times, text);
}

static void the_planner_keeps_to_the_memory(void **state) {
    (void)state;
    const char *config = make_sweep(6, 3);
    free(sweep_well(config, "cpu", "cpu", 2));
    count_bytes(config);
    const size_t bytes = (size_t)((double)pack_bytes[2] * 2 / 0.9) + 64;
    set_budget(data_bytes + bytes, 0);
    char *text = sweep_well(config, "planned", "cuda", 8);
    assert_said(text, "packs of 2 trials of tiny: ", 1);
    assert_said(text, "warning", 0);
    assert_int_equal(limited_memory.refusals, 0);
    assert_true(limited_memory.most_used <= data_bytes + 2 * pack_bytes[2]);
    assert_same_sweep("cpu", "planned");
    free(text);
}

/* The device says that three trials fit twice, but there is room for one pack of two and hardly anything beside it. */
static void a_device_that_lies(void **state) {
    (void)state;
    const char *config = make_sweep(6, 3);
    free(sweep_well(config, "cpu", "cpu", 2));
    count_bytes(config);
    const size_t said = (size_t)((double)pack_bytes[3] * 2 / 0.9) + 64;
    static const int threads[] = {1, 2, 2, 2, 2};
    for (int i = 0; i < 5; i++) {
        char place[16];
        snprintf(place, sizeof place, "lie%d", i);
        set_budget(data_bytes + (i == 4 ? pack_bytes[1] : pack_bytes[2]), said);
        char *text = sweep_well(config, place, "cuda", threads[i]);
        assert_said(text, threads[i] == 1 ? "packs of 6 trials of tiny: " : "packs of 3 trials of tiny: ", 1);
        assert_true(limited_memory.refusals > 0 && count_in(text, "warning") > 0);
        assert_same_sweep("cpu", place);
        free(text);
    }
}

/* Measuring asks for memory when the pack has all of it: then the packs become smaller. */
static void filters_find_memory(void **state) {
    (void)state;
    char with[600];
    const char *config = make_sweep(3, 3);
    char *text = read_text(config);
    snprintf(with, sizeof with, "%sfilters: {window: 10}\n", text);
    config = write_text("filters.yaml", with);
    free(text);
    count_bytes(config);
    free(sweep_well(config, "cpu", "cpu", 2));
    for (int lies = 0; lies < 2; lies++) {
        const char *place = lies ? "lie" : "truth";
        set_budget(data_bytes + pack_bytes[6], lies ? (size_t)1 << 40 : 0);
        text = sweep_well(config, place, "cuda", 1);
        assert_said(text, "warning", lies ? 1 : 0);
        assert_said(text, "no memory for 6 trials at once: trained as 3 and 3", lies ? 1 : 0);
        free(text);
        assert_same_sweep("cpu", place);
        for (int t = 0; t < TRIALS; t++)
            assert_same_bytes(in_folder("cpu/trials/%s/filters.meme", trial_names[t]),
                              in_folder("%s/trials/%s/filters.meme", place, trial_names[t]));
    }
}

/* Nothing is trained, and another config may have the folder. */
static void too_little_for_one_trial(void **state) {
    (void)state;
    char *text;
    xc_error refused = {0};
    const char *config = make_sweep(3, 3);
    count_bytes(config);
    set_budget(data_bytes + pack_bytes[1] - 1, 0);
    assert_int_equal(sweep(config, NULL, "out", "cuda", 2, &text, &refused), XC_MEMORY);
    assert_contains(refused.text, "model tiny: no memory on limited for one trial at batch 30, which takes ");
    assert_contains(refused.text, " are free; use a smaller train.batch");
    assert_false(exists(in_folder("out/config.yaml")));
    assert_false(exists(in_folder("out/trials")));
    free(text);
    MUST(sweep(config, "train.batch=5", "out", "cuda", 2, &text, error));
    assert_said(text, "warning", 0);
    free(text);
    /* A folder that was begun keeps its config. */
    set_budget(data_bytes + 1, 0);
    char *manifest = read_text(in_folder("out/manifest.tsv"));
    unlink(in_folder("out/trials/%s/metrics.tsv", trial_names[1]));
    assert_int_equal(sweep(config, "train.batch=5", "out", "cuda", 2, &text, &refused), XC_MEMORY);
    assert_true(exists(in_folder("out/config.yaml")));
    free(text);
    free(manifest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(the_planner_keeps_to_the_memory),
        IN_FOLDER(a_device_that_lies),
        IN_FOLDER(filters_find_memory),
        IN_FOLDER(too_little_for_one_trial),
    };
    return cmocka_run_group_tests_name("memory_sweep", tests, open_group, NULL);
}
