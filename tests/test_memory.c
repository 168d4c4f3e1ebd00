/* test_memory.c: packs that fit a device's memory: what a pack is counted to take is what it takes, the planner's
 * choice and the line that tells it, and a pack that does not fit all the same, trained in parts with the same results.
 */
#include "train_fixture.h"

#include <unistd.h>

#include "../host/sweep/room.h"
#include "limited_fixture.h"

static xc_train_data limited_data;

static int open_limited(void **state) {
    if (open_all(state) != 0) return -1;
    make_limited();
    MUST(xc_train_data_open(&limited, &dataset, &limited_data, error));
    return 0;
}

static int close_limited(void **state) {
    xc_train_data_close(&limited_data);
    assert_int_equal(limited_memory.used, 0); /* everything was given back */
    return close_all(state);
}

/* ---- the log ----------------------------------------------------------------------------------------------------- */

static void begin_log(void) {
    char *path = xc_path_join(folder, "log");
    unlink(path);
    MUST(xc_log_open_json(path, error));
    free(path);
}

/* All that was logged since begin_log, to be freed. */
static char *end_log(void) {
    char *path = xc_path_join(folder, "log"), *text = NULL;
    xc_log_close();
    MUST(xc_file_read(path, (size_t)1 << 20, &text, NULL, error));
    free(path);
    return text;
}

static void assert_said(const char *text, const char *part, int times) {
    if (count_in(text, part) != times) fail_msg("\"%s\" is not there %d times: %s", part, times, text);
}

/* ---- a sweep that waits ------------------------------------------------------------------------------------------ */

typedef struct waiting_sweep {
    xc_config *config;
    xc_grid grid;
    xc_ground ground;
} waiting_sweep;

static void open_waiting(waiting_sweep *sweep, const xc_backend *backend, const char *more) {
    char path[128];
    snprintf(path, sizeof path, "%s/waiting.yaml", folder);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fprintf(stream, "%s%s", config_text, more);
    fclose(stream);
    memset(sweep, 0, sizeof *sweep);
    MUST(xc_config_read(path, NULL, 0, &sweep->config, error));
    MUST(xc_grid_build(sweep->config, folder, &sweep->grid, error));
    sweep->ground.backend = backend;
    sweep->ground.dataset = dataset;
    sweep->ground.data = backend == &limited ? limited_data : cpu_data;
}

static void close_waiting(waiting_sweep *sweep) {
    xc_grid_free(&sweep->grid);
    xc_config_free(sweep->config);
}

static size_t bytes_of(const xc_config *config, int32_t trials) {
    xc_model model;
    MUST(xc_model_build(&config->model, LENGTH, CLASSES, &model, error));
    return xc_train_bytes(&limited, &limited_data, config, &model, trials);
}

static size_t bytes_in(const waiting_sweep *sweep, int32_t trials) {
    return bytes_of(sweep->grid.trial[0].config, trials);
}

/* Free memory of which `packs` shares hold `trials` trials each, and nearly one more. */
static size_t free_for(const waiting_sweep *sweep, int32_t trials, int packs) {
    return (size_t)((double)(bytes_in(sweep, trials + 1) - 64) * packs / 0.9);
}

/* The sizes of the queue's packs, "4 3 3"; every trial of the grid is in one, and they fit each other. */
static void assert_packs(const waiting_sweep *sweep, const xc_queue *queue, const char *sizes) {
    char text[256] = "";
    size_t next = 0;
    for (size_t i = 0; i < queue->packs; i++) {
        const xc_queued_pack *pack = &queue->pack[i];
        assert_int_equal(pack->first, next);
        next += pack->count;
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu", i ? " " : "", pack->count);
        for (size_t t = pack->first; t < next; t++)
            assert_true(xc_trials_fit(queue->trial[pack->first]->config, queue->trial[t]->config));
    }
    assert_int_equal(next, queue->trials);
    for (size_t i = 0; i < sweep->grid.count; i++) {
        size_t found = 0;
        for (size_t t = 0; t < queue->trials; t++) found += queue->trial[t] == &sweep->grid.trial[i];
        assert_int_equal(found, 1);
    }
    assert_string_equal(text, sizes);
}

/* Plans with so many threads; what was logged is to be freed. */
static char *plan(const waiting_sweep *sweep, int32_t pack, int threads, const char *sizes, int together) {
    xc_queue queue;
    begin_log();
    MUST(xc_queue_build(&sweep->grid, &sweep->ground, pack, threads, &queue, error));
    assert_packs(sweep, &queue, sizes);
    assert_int_equal(queue.together, together);
    xc_queue_free(&queue);
    return end_log();
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

enum { MANY = 5 };

/* Trials of one shape that differ in much and end at different epochs. */
static void make_many(const char *prefix, xc_trial trials[MANY], xc_trial *pointers[MANY]) {
    static const char *const overrides[MANY][MOST_OVERRIDES + 1] = {
        {"train.seed=1", "train.epochs=3"},
        {"train.seed=2", "train.epochs=1"},
        {"train.seed=3", "model.activation=exponential", "exponential.clip=1"},
        {"train.seed=4", "model.init=he_normal", "train.weights=best"},
        {"train.seed=1", "train.epochs=2", "train.learning_rate=0.1"},
    };
    for (int i = 0; i < MANY; i++) {
        char place[48];
        snprintf(place, sizeof place, "%s%d", prefix, i);
        trials[i] = make_trial(place, overrides[i]);
        pointers[i] = &trials[i];
    }
}

static void free_many(xc_trial trials[MANY]) {
    for (int i = 0; i < MANY; i++) xc_trial_clear(&trials[i]);
}

static void assert_as_cpu(const char *prefix, int count) {
    for (int i = 0; i < count; i++) {
        char first[48], place[48];
        snprintf(first, sizeof first, "cpu-%d", i);
        snprintf(place, sizeof place, "%s%d", prefix, i);
        assert_same_results(first, place);
        assert_false(exists(place, XC_CHECKPOINT_FILE));
    }
}

/* The first test: the others compare with what it leaves. */
static void what_is_counted_is_what_is_taken(void **state) {
    (void)state;
    xc_trial trials[MANY], *pointers[MANY];
    make_many("cpu-", trials, pointers);
    MUST(xc_train_pack(cpu, &cpu_data, pointers, MANY, NULL, error));
    free_many(trials);

    make_many("whole-", trials, pointers);
    const size_t bytes = bytes_of(trials[0].config, MANY), before = limited_memory.used;
    set_budget(bytes, 0);
    begin_log();
    MUST(xc_train_pack(&limited, &limited_data, pointers, MANY, NULL, error));
    char *text = end_log();
    assert_string_equal(text, "");
    assert_int_equal(limited_memory.most_used - before, bytes);
    assert_int_equal(limited_memory.used, before);
    assert_as_cpu("whole-", MANY);
    free(text);
    free_many(trials);
}

static void a_split_is_counted(void **state) {
    (void)state;
    xc_device_split device;
    for (int s = 0; s < XC_SPLIT_COUNT; s++) {
        const size_t before = limited_memory.used;
        MUST(xc_device_split_open(&limited, &dataset.split[s], &device, error));
        assert_int_equal(limited_memory.used - before, xc_device_split_bytes(&limited, &dataset.split[s]));
        xc_device_split_close(&device);
        assert_int_equal(xc_device_split_bytes(cpu, &dataset.split[s]), 0);
    }
}

/* Threads read at the same time, and each has all of its memory by the end of its first batch. */
static void extraction_is_counted(void **state) {
    (void)state;
    xc_trial trial = make_trial("extraction", OVERRIDES("train.epochs=1"));
    xc_network network;
    xc_motif_list motifs;
    const double threshold = 0.5;
    set_budget(SIZE_MAX / 4, 0);
    MUST(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&trial}, 1, NULL, error));
    MUST(xc_network_open(trial.folder, &network, error));
    for (int threads = 1; threads <= 3; threads++) {
        const xc_filters_options options = {
            .threshold = &threshold, .threshold_count = 1, .window = 10, .threads = threads};
        const size_t before = limited_memory.used;
        set_budget(SIZE_MAX / 4, 0);
        MUST(xc_filters_extract(&network, &limited, &dataset.split[XC_TEST], &options, &motifs, error));
        xc_motif_list_free(&motifs);
        assert_int_equal(limited_memory.most_used - before,
                         xc_filters_bytes(&network.model, &limited, &dataset.split[XC_TEST], threads));
    }
    xc_network_close(&network);
    xc_trial_clear(&trial);
}

/* ---- the planner ------------------------------------------------------------------------------------------------- */

static void as_many_as_fit_in_equal_packs(void **state) {
    (void)state;
    waiting_sweep sweep;
    char line[160], each[24];
    open_waiting(&sweep, &limited, "sweep: {activation: [relu, exponential], seeds: 5}\n");
    const size_t bytes = free_for(&sweep, 4, 2);
    set_budget(bytes, 0);
    char *text = plan(&sweep, 0, 8, "4 3 3", 2);
    xc_bytes_write(bytes_in(&sweep, 5) - bytes_in(&sweep, 4), each);
    snprintf(line, sizeof line, "\"packs of 4 trials of tiny: %.1f of %.1f MB free, %s a trial\"",
             (double)bytes_in(&sweep, 4) / 1e6, (double)bytes / 1e6, each);
    assert_said(text, line, 1);
    assert_said(text, "\n", 1);
    free(text);

    set_budget(free_for(&sweep, 9, 2), 0);
    free(plan(&sweep, 0, 8, "5 5", 2)); /* not 9 and 1 */
    set_budget(free_for(&sweep, 9, 2), 0);
    free(plan(&sweep, 0, 1, "10", 1)); /* one thread, one pack at a time, all of the memory */
    set_budget((size_t)80 << 30, 0);
    text = plan(&sweep, 0, 2, "10", 2);
    assert_said(text, "packs of 10 trials of tiny: 0.0 of 85.9 GB free, ", 1);
    free(text);
    close_waiting(&sweep);
}

/* Trials that have ended are in no pack, and one that is left has all of the memory. */
static void what_is_done_is_not_planned(void **state) {
    (void)state;
    waiting_sweep sweep;
    xc_queue queue;
    open_waiting(&sweep, &limited, "sweep: {seeds: 3}\n");
    sweep.grid.trial[0].status = XC_TRIAL_DONE;
    sweep.grid.trial[2].status = XC_TRIAL_DIVERGED;
    set_budget(free_for(&sweep, 1, 1), 0);
    MUST(xc_queue_build(&sweep.grid, &sweep.ground, 0, 8, &queue, error));
    assert_int_equal(queue.trials, 1);
    assert_int_equal(queue.packs, 1);
    assert_int_equal(queue.together, 1);
    assert_ptr_equal(queue.trial[0], &sweep.grid.trial[1]);
    xc_queue_free(&queue);
    sweep.grid.trial[1].status = XC_TRIAL_DONE;
    set_budget(0, 0);
    MUST(xc_queue_build(&sweep.grid, &sweep.ground, 0, 8, &queue, error));
    assert_int_equal(queue.packs, 0);
    xc_queue_free(&queue);
    close_waiting(&sweep);
}

static void each_shape_has_its_own_size(void **state) {
    (void)state;
    waiting_sweep sweep;
    open_waiting(&sweep, &limited, "sweep: {activation: [relu, exponential], seeds: 6}\n");
    for (size_t i = 6; i < 12; i++) {
        sweep.grid.trial[i].config->model.blocks[0].conv = 64;
        memcpy(sweep.grid.trial[i].config->model.zoo, "wide", 4);
    }
    const size_t wide = bytes_of(sweep.grid.trial[6].config, 2), bytes = (size_t)((double)wide * 2 / 0.9) + 64;
    assert_true(bytes_in(&sweep, 6) <= wide);
    set_budget(bytes, 0);
    char *text = plan(&sweep, 0, 4, "6 2 2 2", 2);
    assert_said(text, "packs of 6 trials of tiny: ", 1);
    assert_said(text, "packs of 2 trials of wide: ", 1);
    free(text);
    close_waiting(&sweep);
}

static void a_trial_too_large_for_two_has_the_memory_alone(void **state) {
    (void)state;
    waiting_sweep sweep;
    open_waiting(&sweep, &limited, "sweep: {seeds: 3}\n");
    set_budget((size_t)((double)bytes_in(&sweep, 1) / 0.9) + 64, 0);
    free(plan(&sweep, 0, 8, "1 1 1", 1));
    set_budget(bytes_in(&sweep, 1), 0); /* more than nine tenths */
    free(plan(&sweep, 0, 8, "1 1 1", 1));
    close_waiting(&sweep);
}

static void a_trial_that_does_not_fit_is_refused(void **state) {
    (void)state;
    waiting_sweep sweep;
    xc_queue queue;
    xc_error refused = {0};
    char wanted[24], left[24], line[256];
    open_waiting(&sweep, &limited, "sweep: {seeds: 3}\n");
    const size_t bytes = bytes_in(&sweep, 1) * 4 / 5;
    set_budget(bytes, 0);
    assert_int_equal(xc_queue_build(&sweep.grid, &sweep.ground, 0, 8, &queue, &refused), XC_MEMORY);
    xc_queue_free(&queue);
    xc_bytes_write(bytes_in(&sweep, 1), wanted);
    xc_bytes_write(bytes, left);
    snprintf(line, sizeof line,
             "model tiny: no memory on limited for one trial at batch 20, which takes %s: %s are free; use a smaller "
             "train.batch, end what else uses the device, or take --device cpu",
             wanted, left);
    assert_string_equal(refused.text, line);
    close_waiting(&sweep);
}

/* Filters that are measured when a trial ends take memory beside its pack. */
static void measuring_filters_is_planned(void **state) {
    (void)state;
    waiting_sweep sweep;
    xc_model model;
    open_waiting(&sweep, &limited, "sweep: {seeds: 8}\nfilters: {}\n");
    MUST(xc_model_build(&sweep.config->model, LENGTH, CLASSES, &model, error));
    const size_t measuring = xc_filters_bytes(&model, &limited, &dataset.split[XC_TEST], 2);
    assert_true(measuring > 0);
    set_budget((size_t)((double)(bytes_in(&sweep, 4) + measuring) * 2 / 0.9) + 64, 0);
    free(plan(&sweep, 0, 4, "4 4", 2));
    set_budget((size_t)((double)(bytes_in(&sweep, 4) + measuring) * 2 / 0.9) - 64, 0);
    free(plan(&sweep, 0, 4, "3 3 2", 2));
    close_waiting(&sweep);
}

static void no_pack_is_larger_than_a_device_takes(void **state) {
    (void)state;
    waiting_sweep sweep;
    open_waiting(&sweep, &limited, "sweep: {seeds: 1025}\n");
    set_budget((size_t)1 << 50, 0);
    free(plan(&sweep, 0, 2, "513 512", 2));
    free(plan(&sweep, 5000, 2, "1024 1", 2)); /* what the user says is not made equal */
    close_waiting(&sweep);
}

/* What was before: nothing is counted, and nothing said. */
static void without_counting_all_is_as_before(void **state) {
    (void)state;
    waiting_sweep sweep;
    static const struct {
        bool device;
        int32_t pack;
        int threads, together;
        const char *sizes;
    } wanted[] = {{false, 0, 8, 8, "1 1 1 1 1 1 1 1 1 1"},
                  {false, 4, 3, 3, "4 4 2"},
                  {false, 64, 3, 3, "10"},
                  {true, 0, 8, 2, "10"},
                  {true, 4, 8, 2, "4 4 2"},
                  {true, 4, 1, 1, "4 4 2"}};
    xc_backend silent = limited;
    silent.free_memory = NULL;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        open_waiting(&sweep, wanted[i].device ? &silent : cpu, "sweep: {activation: [relu, exponential], seeds: 5}\n");
        char *text = plan(&sweep, wanted[i].pack, wanted[i].threads, wanted[i].sizes, wanted[i].together);
        assert_string_equal(text, "");
        free(text);
        close_waiting(&sweep);
    }
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static void halves_until_they_fit(void **state) {
    (void)state;
    xc_trial trials[MANY], *pointers[MANY];
    make_many("halves-", trials, pointers);
    const size_t bytes = bytes_of(trials[0].config, 2), before = limited_memory.used;
    set_budget(bytes, (size_t)1 << 40);
    begin_log();
    MUST(xc_train_pack(&limited, &limited_data, pointers, MANY, NULL, error));
    char *text = end_log();
    assert_said(text, "\"model tiny: no memory for 5 trials at once: trained as 3 and 2\"", 1);
    assert_said(text, "\"model tiny: no memory for 3 trials at once: trained as 2 and 1\"", 1);
    assert_said(text, "warning", 2);
    assert_int_equal(limited_memory.refusals, 2);
    assert_int_equal(limited_memory.most_used - before, bytes);
    assert_as_cpu("halves-", MANY);
    free(text);
    free_many(trials);
}

static xc_status broken_loss(const xc_backend *backend, const xc_loss_args *args, xc_error *error) {
    (void)backend, (void)args;
    return xc_fail(error, XC_DEVICE, "loss: the device is gone");
}

/* Not split, not tried again: a device that fails is told of at once, with the trials that it failed. */
static void a_failing_device_names_the_trials(void **state) {
    (void)state;
    xc_trial trials[MANY], *pointers[MANY];
    xc_error failure = {0};
    make_many("failing-", trials, pointers);
    set_budget(SIZE_MAX / 4, 0);
    limited.loss = broken_loss;
    assert_int_equal(xc_train_pack(&limited, &limited_data, pointers, MANY, NULL, &failure), XC_DEVICE);
    char wanted[256];
    snprintf(wanted, sizeof wanted, "%s and %d more: loss: the device is gone", trials[0].name, MANY - 1);
    assert_string_equal(failure.text, wanted);
    assert_int_equal(xc_train_pack(&limited, &limited_data, pointers + 1, 1, NULL, &failure), XC_DEVICE);
    snprintf(wanted, sizeof wanted, "%s: loss: the device is gone", trials[1].name);
    assert_string_equal(failure.text, wanted);
    limited.loss = limited_below.loss;
    free_many(trials);
}

typedef struct told_ends {
    xc_trial *const *trials;
    int finished[MANY];
} told_ends;

static xc_status count_finished(void *context, xc_trial *trial, xc_error *error) {
    told_ends *told = context;
    (void)error;
    for (int i = 0; i < MANY; i++) told->finished[i] += told->trials[i] == trial;
    return XC_OK;
}

/* The memory for the inference at a trial's end is gone by then: whoever has ended stays so, the others go on from
 * their last epoch. The trial that ends first is refused; when it is done, the last one needs no part of its own. */
static void memory_that_is_lost_on_the_way(void **state) {
    (void)state;
    xc_trial trials[MANY], *pointers[MANY];
    make_many("lost-", trials, pointers);
    told_ends told = {.trials = pointers};
    const xc_train_events events = {.context = &told, .finished = count_finished};
    set_budget(bytes_of(trials[0].config, MANY) - 1, 0);
    begin_log();
    MUST(xc_train_pack(&limited, &limited_data, pointers, MANY, &events, error));
    char *text = end_log();
    assert_said(text, "no memory for 5 trials at once: trained as 3 and 2", 1);
    assert_said(text, "warning", 1);
    for (int i = 0; i < MANY; i++) assert_int_equal(told.finished[i], 1);
    assert_as_cpu("lost-", MANY);
    free(text);
    free_many(trials);
}

/* Takes all memory that is left when it is told of the second finished trial. */
static xc_status take_the_rest(void *context, xc_trial *trial, xc_error *error) {
    told_ends *told = context;
    const xc_status status = count_finished(context, trial, error);
    int finished = 0;
    for (int i = 0; i < MANY; i++) finished += told->finished[i];
    if (finished == 2) limited_memory.budget = limited_memory.used;
    return status;
}

/* Another program takes memory after some trials have ended: those that are left are parted, not those. */
static void who_has_ended_is_in_no_part(void **state) {
    (void)state;
    xc_trial trials[MANY], *pointers[MANY];
    make_many("rest-", trials, pointers);
    told_ends told = {.trials = pointers};
    const xc_train_events events = {.context = &told, .finished = take_the_rest};
    set_budget(bytes_of(trials[0].config, MANY), 0);
    begin_log();
    MUST(xc_train_pack(&limited, &limited_data, pointers, MANY, &events, error));
    char *text = end_log();
    assert_said(text, "no memory for 5 trials at once: trained as 2 and 1", 1);
    for (int i = 0; i < MANY; i++) assert_int_equal(told.finished[i], 1);
    assert_as_cpu("rest-", MANY);
    free(text);
    free_many(trials);
}

static void one_that_does_not_fit_is_refused(void **state) {
    (void)state;
    xc_error refused = {0};
    xc_backend silent = limited;
    silent.free_memory = NULL;
    const struct {
        const xc_backend *backend;
        size_t said;
        const char *part;
    } wanted[] = {{&limited, 0, ": 1.5 MB are free; use a smaller train.batch"},
                  {&limited, 900000000, ", although 900 MB are said to be free; use a smaller train.batch"},
                  {&silent, 0, "MB; use a smaller train.batch"}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        xc_trial trials[2] = {make_trial("refused0", OVERRIDES("model.blocks=[{conv: 400, width: 7}]")),
                              make_trial("refused1", OVERRIDES("model.blocks=[{conv: 400, width: 7}]"))};
        xc_trial *const both[] = {&trials[0], &trials[1]};
        assert_true(bytes_of(trials[0].config, 1) > 1500000);
        set_budget(1500000, wanted[i].said);
        begin_log();
        assert_int_equal(xc_train_pack(wanted[i].backend, &limited_data, both, 2, NULL, &refused), XC_MEMORY);
        char *text = end_log();
        assert_said(text, "no memory for 2 trials at once: trained as 1 and 1", 1);
        free(text);
        if (!strstr(refused.text, wanted[i].part)) fail_msg("%s", refused.text);
        assert_non_null(
            strstr(refused.text, "model tiny: no memory on limited for one trial at batch 20, which takes "));
        for (int t = 0; t < 2; t++) xc_trial_clear(&trials[t]);
    }
}

/* Memory for the pack and not for its orders is found out before anything is trained. */
static void orders_belong_to_the_pack(void **state) {
    (void)state;
    xc_trial trial = make_trial("orders", NULL);
    xc_model model;
    xc_error refused = {0};
    MUST(xc_model_build(&trial.config->model, LENGTH, CLASSES, &model, error));
    const size_t before = limited_memory.used;
    set_budget(xc_pack_bytes(&model, &limited, 1, BATCH, XC_FOR_TRAINING), 0);
    assert_int_equal(xc_train_pack(&limited, &limited_data, (xc_trial *[]){&trial}, 1, NULL, &refused), XC_MEMORY);
    assert_non_null(strstr(refused.text, "no memory on limited for one trial at batch 20, which takes "));
    assert_int_equal(limited_memory.used, before);
    xc_trial_clear(&trial);
}

/* Where memory is the host's, a pack that has none fails as it did. */
static void the_hosts_memory_is_not_parted(void **state) {
    (void)state;
    xc_trial trials[MANY], *pointers[MANY];
    xc_error refused = {0};
    xc_backend host = limited;
    host.host_memory = true;
    make_many("host-", trials, pointers);
    set_budget(bytes_of(trials[0].config, 2), 0);
    begin_log();
    assert_int_equal(xc_train_pack(&host, &cpu_data, pointers, MANY, NULL, &refused), XC_MEMORY);
    char *text = end_log();
    assert_string_equal(text, "");
    assert_non_null(strstr(refused.text, "no memory for 5 trials at batch 20 on limited"));
    free(text);
    free_many(trials);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_counted_is_what_is_taken),
        cmocka_unit_test(a_split_is_counted),
        cmocka_unit_test(extraction_is_counted),
        cmocka_unit_test(as_many_as_fit_in_equal_packs),
        cmocka_unit_test(what_is_done_is_not_planned),
        cmocka_unit_test(each_shape_has_its_own_size),
        cmocka_unit_test(a_trial_too_large_for_two_has_the_memory_alone),
        cmocka_unit_test(a_trial_that_does_not_fit_is_refused),
        cmocka_unit_test(measuring_filters_is_planned),
        cmocka_unit_test(no_pack_is_larger_than_a_device_takes),
        cmocka_unit_test(without_counting_all_is_as_before),
        cmocka_unit_test(halves_until_they_fit),
        cmocka_unit_test(a_failing_device_names_the_trials),
        cmocka_unit_test(memory_that_is_lost_on_the_way),
        cmocka_unit_test(who_has_ended_is_in_no_part),
        cmocka_unit_test(one_that_does_not_fit_is_refused),
        cmocka_unit_test(orders_belong_to_the_pack),
        cmocka_unit_test(the_hosts_memory_is_not_parted),
    };
    return cmocka_run_group_tests_name("memory", tests, open_limited, close_limited);
}
