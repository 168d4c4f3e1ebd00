/* test_cuda_stream.c: data that the emulated GPU has no room for, and that is streamed: the same bytes as of data that
 * lies there, in every order in which the device may do what it was asked for; who leaves or changes the order in the
 * middle; batches that were not the ones to be expected; and memory, which is what was counted.
 */
#include "train_fixture.h"

#include "emu/emu.h"
#include "expconv/filters.h"
#include "model_fixture.h"

xc_status xc_backend_cuda(uint32_t version, const xc_backend **backend, xc_error *error);

enum { MOST_TRIALS = 4, N = 8, ITEMS = 30, MOST_STEPS = 20, SEEDS = 4 };
static const xc_optimizer adam = {.kind = XC_ADAM, .beta1 = .9f, .beta2 = .999f, .epsilon = 1e-7f};
static const xc_activation exponential = {XC_EXPONENTIAL, XC_BEYOND_LINEAR, 1, 2};
static const float rates[MOST_TRIALS] = {.001f, .002f, .003f, .004f};

static const xc_backend *cuda;
static xc_device_split resident[XC_SPLIT_COUNT], streamed[XC_SPLIT_COUNT];
static xc_model model;

/* ---- a device with little memory --------------------------------------------------------------------------------- */

static void give_memory(size_t bytes) {
    size_t left, all;
    char text[32];
    cudaMemGetInfo(&left, &all);
    snprintf(text, sizeof text, "%zu", all - left + bytes);
    setenv("EMU_MEMORY", text, 1);
}

static void give_all_memory(void) { unsetenv("EMU_MEMORY"); }

static int open_cuda(void **state) {
    if (open_all(state) != 0) return -1;
    MUST(xc_backend_cuda(XC_BACKEND_VERSION, &cuda, error));
    xc_trial trial = make_trial("shape", NULL);
    MUST(xc_model_build(&trial.config->model, LENGTH, CLASSES, &model, error));
    xc_trial_clear(&trial);
    for (int s = 0; s < XC_SPLIT_COUNT; s++) {
        MUST(xc_device_split_open(cuda, &dataset.split[s], &resident[s], error));
        give_memory(1000);
        MUST(xc_device_split_open(cuda, &dataset.split[s], &streamed[s], error));
        give_all_memory();
        assert_false(resident[s].streamed);
        assert_true(streamed[s].streamed && streamed[s].most_runs > 1);
    }
    return 0;
}

static int close_cuda(void **state) {
    for (int s = 0; s < XC_SPLIT_COUNT; s++) {
        xc_device_split_close(&resident[s]);
        xc_device_split_close(&streamed[s]);
    }
    return close_all(state);
}

/* Forward, reverse, and shuffled by some seeds. */
static const int ORDERS = 2 + SEEDS;
static void set_device_order(int i) { emu_set_order(i < 2 ? (emu_order)i : EMU_SHUFFLED, (uint64_t)i + 5); }

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static uint32_t orders[2][MOST_TRIALS][ITEMS]; /* of epochs */

static void make_orders(void) {
    for (uint32_t e = 0; e < 2; e++)
        for (uint32_t t = 0; t < MOST_TRIALS; t++)
            for (uint32_t i = 0; i < ITEMS; i++) {
                const uint32_t item = (i * 31 + t * 17 + e * 5) % TRAIN_ITEMS;
                orders[e][t][i] = xc_split_index(&dataset.split[XC_TRAIN], item);
            }
}

/* How a run goes over the data. */
typedef enum way { RESIDENT, STREAMED, BY_INDEX, WAYS } way;

typedef struct run {
    way way;
    const xc_device_split *data; /* (splits) */
    xc_pack *pack;
    int trials[MOST_TRIALS]; /* of each slot */
    int step;
    double loss[MOST_STEPS][MOST_TRIALS];
    float logits[MOST_TRIALS * N * CLASSES];
} run;

static xc_pack *new_pack(int trials, bool training) {
    xc_pack *pack;
    MUST(xc_pack_create(cuda, &model, trials, N, training ? XC_FOR_TRAINING : XC_FOR_INFERENCE, &pack, error));
    xc_trial_state state = new_state(&model);
    for (int t = 0; t < trials; t++) {
        xc_model_initialise(&model, (uint64_t)t + 1, state.parameters, state.running);
        xc_pack_set(pack, t, &state, &exponential, (uint64_t)t + 1);
    }
    free_state(&state);
    return pack;
}

static void set_orders(run *r, int epoch) {
    for (int32_t t = 0; t < xc_pack_trials(r->pack); t++)
        MUST(xc_pack_set_order(r->pack, t, orders[epoch][r->trials[t]], ITEMS, error));
}

static void step_by_index(run *r, int epoch, int first, int batch, const float *rate) {
    uint32_t index[MOST_TRIALS * N];
    for (int t = 0; t < xc_pack_trials(r->pack); t++)
        memcpy(index + t * batch, orders[epoch][r->trials[t]] + first, (size_t)batch * sizeof *index);
    MUST(xc_pack_forward(r->pack, &r->data[XC_TRAIN], index, batch, true, error));
    memset(index, 0xff, sizeof index); /* is the pack's no longer */
    MUST(xc_pack_loss(r->pack, XC_LOSS_BINARY, NULL, r->loss[r->step], error));
    MUST(xc_pack_backward(r->pack, error));
    MUST(xc_pack_step(r->pack, &adam, rate, error));
}

static void step(run *r, int epoch, int first, int batch) {
    float rate[MOST_TRIALS];
    for (int t = 0; t < xc_pack_trials(r->pack); t++) rate[t] = rates[r->trials[t]];
    if (r->way == BY_INDEX) {
        step_by_index(r, epoch, first, batch, rate);
    } else {
        MUST(xc_pack_train_forward(r->pack, &r->data[XC_TRAIN], batch, XC_LOSS_BINARY, NULL, r->loss[r->step], error));
        MUST(xc_pack_train_backward(r->pack, &adam, rate, error));
    }
    r->step++;
}

static void leave(run *r, int slot) {
    xc_pack_remove(r->pack, slot);
    r->trials[slot] = r->trials[xc_pack_trials(r->pack)];
}

/* Inference in between, of some of the other split; the first batch's logits are not waited for. */
static void look(run *r) {
    uint32_t index[MOST_TRIALS * N];
    for (uint32_t b = 0; b < 2; b++) {
        for (uint32_t i = 0; i < MOST_TRIALS * N; i++)
            index[i] = xc_split_index(&dataset.split[XC_VALID], (i * 7 + b) % 90);
        MUST(xc_pack_forward(r->pack, &r->data[XC_VALID], index, N, false, error));
    }
    xc_pack_logits(r->pack, r->logits);
}

static run begin(way how, int trials) {
    run r = {.way = how, .data = how == RESIDENT ? resident : streamed, .pack = new_pack(trials, true)};
    for (int t = 0; t < trials; t++) r.trials[t] = t;
    MUST(xc_pack_reserve_order(r.pack, &r.data[XC_TRAIN], ITEMS, error));
    return r;
}

/* Whole batches that are expected and others that are not, epochs that end with a part of one, a trial that leaves, a
 * look at other data with and without a batch that was sent ahead, and orders that begin anew before they have ended.
 */
static run train(way how) {
    static const int uneven[] = {8, 5, 8, 8, 1};
    run r = begin(how, MOST_TRIALS);
    for (int epoch = 0; epoch < 2; epoch++) {
        set_orders(&r, epoch);
        for (int first = 0; first < ITEMS; first += N) {
            step(&r, epoch, first, ITEMS - first < N ? ITEMS - first : N);
            if (epoch == 1 && first == N) leave(&r, 1);
        }
    }
    look(&r);
    set_orders(&r, 1);
    step(&r, 1, 0, N);
    set_orders(&r, 0);
    step(&r, 0, 0, N);
    step(&r, 0, N, N);
    look(&r);
    step(&r, 0, 2 * N, N);
    set_orders(&r, 1);
    for (int i = 0, first = 0; i < 5; first += uneven[i++]) step(&r, 1, first, uneven[i]);
    leave(&r, 0);
    set_orders(&r, 0);
    for (int first = 0; first < 3 * N; first += N) step(&r, 0, first, N);
    return r;
}

static void assert_same_run(const run *a, const run *b) {
    assert_int_equal(a->step, b->step);
    assert_memory_equal(a->loss, b->loss, sizeof a->loss);
    assert_memory_equal(a->logits, b->logits, sizeof a->logits);
    assert_int_equal(xc_pack_trials(a->pack), xc_pack_trials(b->pack));
    for (int32_t t = 0; t < xc_pack_trials(a->pack); t++) {
        xc_trial_state states[2] = {new_state(&model), new_state(&model)};
        xc_pack_get(a->pack, t, &states[0]);
        xc_pack_get(b->pack, t, &states[1]);
        assert_same_state(&model, &states[0], &states[1]);
        free_state(&states[0]);
        free_state(&states[1]);
    }
}

static void streamed_steps_are_the_same(void **state) {
    (void)state;
    make_orders();
    const run plain = train(RESIDENT);
    assert_int_equal(plain.step, 20);
    assert_true(plain.loss[19][1] > 0);
    for (int i = 0; i < ORDERS; i++)
        for (int w = STREAMED; w < WAYS; w++) {
            set_device_order(i);
            const run other = train((way)w);
            assert_same_run(&plain, &other);
            xc_pack_free(other.pack);
        }
    emu_set_order(EMU_FORWARD, 1);
    xc_pack_free(plain.pack);
}

/* Two epochs, of which the second is left after a step; so batches change their places from one call to the next. */
static void five_steps(run *r) {
    r->step = 0;
    set_orders(r, 0);
    for (int first = 0; first < ITEMS; first += N) step(r, 0, first, ITEMS - first < N ? ITEMS - first : N);
    set_orders(r, 1);
    step(r, 1, 0, N);
}

/* A step is one copy to the device, the two recordings and the copy of the losses: nothing that waits. */
static void a_streamed_step_is_one_copy(void **state) {
    (void)state;
    make_orders();
    run r = begin(STREAMED, 3);
    for (int i = 0; i < 4; i++) five_steps(&r);
    cudaDeviceSynchronize();
    const emu_tally before = emu_get_tally();
    five_steps(&r);
    cudaDeviceSynchronize();
    const emu_tally after = emu_get_tally();
    assert_int_equal(after.graphs - before.graphs, 10);
    assert_int_equal(after.graph_nodes - before.graph_nodes, after.kernels - before.kernels);
    assert_int_equal(after.copies_in - before.copies_in, 6); /* one that the second epoch does not use */
    assert_int_equal(after.copies_out - before.copies_out, 5);
    assert_int_equal(after.copies_within - before.copies_within + after.fills - before.fills, 0);
    xc_pack_free(r.pack);
}

/* ---- inference --------------------------------------------------------------------------------------------------- */

/* Batches of which nobody reads the logits, in between, and so nobody has waited for. */
static void infer(const xc_device_split *data, bool training, int trials, float *logits) {
    xc_pack *pack = new_pack(trials, training);
    uint32_t index[MOST_TRIALS * N];
    for (int b = 0; b < 6; b++) {
        const int batch = b == 4 ? N - 3 : N;
        for (uint32_t i = 0; i < MOST_TRIALS * N; i++)
            index[i] = xc_split_index(&dataset.split[b % 3], (i * 13 + (uint32_t)b * 5) % 70);
        MUST(xc_pack_forward(pack, &data[b % 3], index, batch, false, error));
        if (b % 2 == 1) xc_pack_logits(pack, logits + b * trials * N * CLASSES);
    }
    xc_pack_free(pack);
}

static void streamed_inference_is_the_same(void **state) {
    static float logits[2][6 * MOST_TRIALS * N * CLASSES];
    (void)state;
    for (int trials = 1; trials <= 3; trials += 2) {
        memset(logits, 0, sizeof logits);
        infer(resident, false, trials, logits[0]);
        assert_true(logits[0][trials * N * CLASSES] != 0);
        for (int i = 0; i < ORDERS; i++)
            for (int training = 0; training < 2; training++) {
                set_device_order(i);
                memset(logits[1], 0, sizeof logits[1]);
                infer(streamed, training, trials, logits[1]);
                assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
            }
    }
    emu_set_order(EMU_FORWARD, 1);
}

/* Data without N wants less memory than what comes after it. */
static void places_grow(void **state) {
    static float logits[2][2][N * CLASSES];
    (void)state;
    xc_split plain = make_split(40, 9);
    uint32_t index[N];
    for (uint32_t i = 0; i < N; i++) index[i] = i * 3;
    const uint32_t *run_start = plain.dna.run_start, *runs = plain.dna.runs;
    plain.dna.run_start = plain.dna.runs = NULL;
    for (int w = 0; w < 2; w++) {
        xc_device_split device;
        xc_pack *pack = new_pack(1, false);
        MUST((w ? xc_device_split_stream : xc_device_split_open)(cuda, &plain, &device, error));
        assert_int_equal(device.streamed, w);
        for (int b = 0; b < 2; b++) {
            MUST(xc_pack_forward(pack, b ? &(w ? streamed : resident)[XC_TRAIN] : &device, index, N, false, error));
            xc_pack_logits(pack, logits[w][b]);
        }
        xc_device_split_close(&device);
        xc_pack_free(pack);
    }
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    plain.dna.run_start = run_start, plain.dna.runs = runs;
    xc_split_free(&plain);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static xc_trial new_trial(const char *place, int seed) {
    char word[32];
    snprintf(word, sizeof word, "train.seed=%d", seed);
    return make_trial(place, OVERRIDES(word, seed == 2 ? "train.epochs=1" : "train.epochs=2"));
}

/* A training of three trials, one of which ends first, with so much memory (0: all), in folders PREFIX1 to 3. */
static xc_status train_whole(const char *prefix, const xc_train_data *data, size_t memory, size_t *wanted,
                             xc_error *refused) {
    xc_trial trials[3], *pointers[3];
    for (int i = 0; i < 3; i++) {
        char place[32];
        snprintf(place, sizeof place, "%s%d", prefix, i);
        trials[i] = new_trial(place, i + 1);
        pointers[i] = &trials[i];
    }
    *wanted = xc_train_bytes(cuda, data, trials[0].config, &model, 3);
    if (memory > 0) give_memory(memory);
    const xc_status status = xc_train_at_once(cuda, data, pointers, 3, NULL, refused);
    give_all_memory();
    for (int i = 0; i < 3; i++) xc_trial_clear(&trials[i]);
    return status;
}

static void whole_trainings_are_the_same(void **state) {
    (void)state;
    xc_train_data data[2];
    xc_error refused = {0};
    size_t wanted[2];
    for (int i = 0; i < 2; i++) {
        if (i == 1) give_memory(1000);
        MUST(xc_train_data_open(cuda, &dataset, &data[i], error));
        give_all_memory();
    }
    MUST(train_whole("resident", &data[0], 0, &wanted[0], error));
    MUST(train_whole("any", &data[1], 0, &wanted[1], error));
    assert_int_equal(train_whole("little", &data[1], wanted[1] - 1, &wanted[1], &refused), XC_MEMORY);
    emu_set_order(EMU_SHUFFLED, 3);
    MUST(train_whole("streamed", &data[1], wanted[1], &wanted[1], error));
    emu_set_order(EMU_FORWARD, 1);
    assert_same_results("resident0", "streamed0");
    assert_same_results("resident1", "streamed1");
    assert_same_results("resident2", "streamed2");
    xc_train_data_close(&data[0]);
    xc_train_data_close(&data[1]);
}

/* Motifs of filters with the memory that was counted, streamed and, where the backend cannot, copied. */
static void extraction_is_the_same(void **state) {
    (void)state;
    xc_backend copying = *cuda;
    copying.send = NULL;
    const double threshold = 0.5;
    xc_network network;
    xc_motif_list motifs[2];
    xc_error refused = {0};
    const xc_split *split = &dataset.split[XC_TEST];
    const xc_filters_options options = {.threshold = &threshold, .threshold_count = 1, .window = 10, .threads = 1};
    xc_trial trial = new_trial("extraction", 2);
    MUST(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&trial}, 1, NULL, error));
    MUST(xc_network_open(trial.folder, &network, error));
    MUST(xc_filters_extract(&network, &copying, split, &options, &motifs[0], error));
    const size_t wanted = xc_filters_bytes(&network.model, cuda, split, 1);
    give_memory(wanted - 1);
    assert_int_equal(xc_filters_extract(&network, cuda, split, &options, &motifs[1], &refused), XC_MEMORY);
    give_memory(wanted);
    MUST(xc_filters_extract(&network, cuda, split, &options, &motifs[1], error));
    give_all_memory();
    assert_int_equal(motifs[0].count, motifs[1].count);
    for (size_t i = 0; i < motifs[0].count; i++) {
        const xc_motif *a = &motifs[0].motif[i], *b = &motifs[1].motif[i];
        assert_int_equal(a->width, b->width);
        assert_true(a->sites == b->sites);
        assert_memory_equal(a->ppm, b->ppm, (size_t)a->width * 4 * sizeof *a->ppm);
    }
    for (int i = 0; i < 2; i++) xc_motif_list_free(&motifs[i]);
    xc_network_close(&network);
    xc_trial_clear(&trial);
}

static void *no_staging(const xc_backend *backend, size_t bytes) {
    (void)backend, (void)bytes;
    return NULL;
}

static void refusals_say_what_is_missing(void **state) {
    (void)state;
    xc_error refused = {0};
    xc_device_split device;
    xc_pack *pack;
    const uint32_t index[N] = {0};
    size_t left, after, all;
    xc_backend other = *cuda;
    other.send = NULL;
    cudaMemGetInfo(&left, &all);
    give_memory(1000);
    assert_int_equal(xc_device_split_open(&other, &dataset.split[XC_TRAIN], &device, &refused), XC_MEMORY);
    assert_non_null(strstr(refused.text, "no memory on cudaemu for the data set ("));
    give_all_memory();

    pack = new_pack(1, true);
    give_memory(64);
    assert_int_equal(xc_pack_reserve_order(pack, &streamed[XC_TRAIN], ITEMS, &refused), XC_MEMORY);
    assert_non_null(strstr(refused.text, "model tiny: no memory on the device for batches of streamed data (2 times "));
    give_all_memory();
    xc_pack_free(pack);

    other = *cuda;
    other.allocate_staging = no_staging;
    MUST(xc_pack_create(&other, &model, 1, N, XC_FOR_INFERENCE, &pack, error));
    MUST(xc_device_split_stream(&other, &dataset.split[XC_TRAIN], &device, error));
    assert_int_equal(xc_pack_forward(pack, &device, index, N, false, &refused), XC_MEMORY);
    assert_non_null(strstr(refused.text, "no memory of the host that the device can read for batches of streamed"));
    xc_pack_free(pack);
    xc_device_split_close(&device);
    cudaMemGetInfo(&after, &all);
    assert_int_equal(left, after);
}

/* A copy leaves a quarter of the memory for trials, and a line says what is streamed. */
static void a_copy_leaves_room(void **state) {
    (void)state;
    const xc_split *split = &dataset.split[XC_TRAIN];
    const size_t bytes = xc_device_split_bytes(cuda, split), enough = (bytes * 4 + 2) / 3;
    char *path = xc_path_join(folder, "log"), *text = NULL, line[128];
    MUST(xc_log_open_json(path, error));
    for (int little = 0; little < 2; little++) {
        xc_device_split device;
        give_memory(enough - (size_t)little * 2);
        MUST(xc_device_split_open(cuda, split, &device, error));
        give_all_memory();
        assert_int_equal(device.streamed, little);
        xc_device_split_close(&device);
    }
    xc_log_close();
    MUST(xc_file_read(path, 1 << 16, &text, NULL, error));
    snprintf(line, sizeof line,
             "\"data: %.1f MB do not fit beside trials into the %.1f MB free on cudaemu and are streamed",
             (double)bytes / 1e6, (double)(enough - 2) / 1e6);
    if (!strstr(text, line) || strchr(text, '\n') != strrchr(text, '\n')) fail_msg("%s: %s", line, text);
    free(text);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streamed_steps_are_the_same),    cmocka_unit_test(a_streamed_step_is_one_copy),
        cmocka_unit_test(streamed_inference_is_the_same), cmocka_unit_test(places_grow),
        cmocka_unit_test(whole_trainings_are_the_same),   cmocka_unit_test(extraction_is_the_same),
        cmocka_unit_test(refusals_say_what_is_missing),   cmocka_unit_test(a_copy_leaves_room)};
    return cmocka_run_group_tests_name("cuda_stream", tests, open_cuda, close_cuda);
}
