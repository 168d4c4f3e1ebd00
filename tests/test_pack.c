/* test_pack.c: a trial's numbers depend on nothing but the trial: not on how many share its pack, not on who leaves it,
 * not on a stop and a restart, not on where the memory is. And the gradients that a whole network's backward gives are
 * the slopes of its loss. On the reference and on the fast CPU backend.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <unistd.h>

#include "model_fixture.h"

#define LENGTH 61
#define CLASSES 3
#define BATCH 10
#define SEQUENCES 37
#define TRIALS 5
#define STEPS 6

static const xc_optimizer adam = {.kind = XC_ADAM, .beta1 = .9f, .beta2 = .999f, .epsilon = 1e-7f};
static const float rates[TRIALS] = {.001f, .002f, .003f, .0005f, .01f};

/* Five trials that have nothing in common but their shape. */
static const xc_activation activations[TRIALS] = {
    {.kind = XC_RELU, .scale = 1, .clip = 30},
    {.kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_LINEAR, .scale = 1, .clip = 2},
    {.kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_HARD, .scale = 2, .clip = 1},
    {.kind = XC_TANH, .scale = 1, .clip = 30},
    {.kind = XC_SHIFT_SCALE_RELU, .scale = 1, .clip = 30},
};

static xc_model model;
static xc_split split;
static const xc_backend *backend;

/* Every kind of layer, dropout everywhere, pools of both paddings. */
static void build_model(double dropout) {
    xc_block_config blocks[] = {conv_entry(10, 19, XC_PADDING_SAME, dropout, 2, XC_PADDING_SAME), residual_entry(5, 3),
                                conv_entry(7, 4, XC_PADDING_VALID, dropout, 2, XC_PADDING_VALID),
                                dense_entry(17, dropout)};
    blocks[1].dropout = dropout;
    const xc_model_config config = blocks_config("all-kinds", blocks, 4);
    MUST(xc_model_build(&config, LENGTH, CLASSES, &model, error));
}

/* The prestate of a test is the backend's name. */
static int open_backend(void **state) {
    backend = xc_backend_reference();
    if (strcmp(*state, "cpu") == 0) MUST(xc_backend_cpu(&backend, error));
    split = random_split(SEQUENCES, LENGTH, CLASSES, 5);
    build_model(.2);
    return 0;
}

static int close_backend(void **state) {
    (void)state;
    xc_split_free(&split);
    return 0;
}

/* Item i of the batch of trial seed `seed` at `step`: any function of these three will do. */
static uint32_t drawn(uint64_t seed, uint64_t step, int32_t i) {
    const uint32_t item = xc_random(seed, XC_STREAM_ORDER, (uint32_t)step, (uint64_t)i).word[0] % (2 * SEQUENCES);
    return item < SEQUENCES ? item : (item - SEQUENCES) | XC_REVERSE_COMPLEMENT;
}

/* A pack in which slot t is trial trials[t], freshly initialised. */
static xc_pack *new_pack(const xc_backend *on, const int *trials, int count, int32_t batch) {
    xc_pack *pack;
    MUST(xc_pack_create(on, &model, count, batch, XC_FOR_TRAINING, &pack, error));
    xc_trial_state state = new_state(&model);
    for (int t = 0; t < count; t++) {
        state.step = 0;
        xc_model_initialise(&model, (uint64_t)trials[t], state.parameters, state.running);
        xc_pack_set(pack, t, &state, &activations[trials[t]], (uint64_t)trials[t]);
    }
    free_state(&state);
    return pack;
}

/* One training step; trials[t] is in slot t. The last of three batches is a partial one. */
static void step(xc_pack *pack, const xc_device_split *device, const int *trials, uint64_t number, double *loss) {
    const int32_t batch = number % 3 == 2 ? 7 : BATCH, count = xc_pack_trials(pack);
    uint32_t index[TRIALS * BATCH];
    float learning_rate[TRIALS];
    for (int32_t t = 0; t < count; t++) {
        learning_rate[t] = rates[trials[t]];
        for (int32_t i = 0; i < batch; i++) index[t * batch + i] = drawn((uint64_t)trials[t], number, i);
    }
    MUST(xc_pack_forward(pack, device, index, batch, true, error));
    MUST(xc_pack_loss(pack, XC_LOSS_BINARY, NULL, loss, error));
    MUST(xc_pack_backward(pack, error));
    MUST(xc_pack_step(pack, &adam, learning_rate, error));
}

static void train(xc_pack *pack, const xc_device_split *device, const int *trials, uint64_t from, uint64_t to) {
    double loss[TRIALS];
    for (uint64_t number = from; number < to; number++) step(pack, device, trials, number, loss);
}

/* The state of each trial after STEPS steps in a pack of its own: what every other way must give. */
static void train_alone(const xc_device_split *device, xc_trial_state states[TRIALS]) {
    for (int t = 0; t < TRIALS; t++) {
        xc_pack *pack = new_pack(backend, &t, 1, BATCH);
        train(pack, device, &t, 0, STEPS);
        states[t] = new_state(&model);
        xc_pack_get(pack, 0, &states[t]);
        assert_int_equal(states[t].step, STEPS);
        xc_pack_free(pack);
    }
}

static void assert_slot(const xc_pack *pack, int32_t slot, const xc_trial_state *expected) {
    xc_trial_state state = new_state(&model);
    xc_pack_get(pack, slot, &state);
    assert_same_state(&model, expected, &state);
    free_state(&state);
}

static void open_split(xc_device_split *device) { MUST(xc_device_split_open(backend, &split, device, error)); }

/* ---- byte for byte ----------------------------------------------------------------------------------------------- */

static void pack_size_does_not_show(void **unused) {
    (void)unused;
    xc_device_split device;
    xc_trial_state alone[TRIALS];
    open_split(&device);
    train_alone(&device, alone);
    const int pairs[3][2] = {{1, 3}, {4, 0}, {2, 1}}, all[TRIALS] = {0, 1, 2, 3, 4};
    for (int p = 0; p < 3; p++) {
        xc_pack *pack = new_pack(backend, pairs[p], 2, BATCH);
        train(pack, &device, pairs[p], 0, STEPS);
        for (int t = 0; t < 2; t++) assert_slot(pack, t, &alone[pairs[p][t]]);
        xc_pack_free(pack);
    }
    xc_pack *pack = new_pack(backend, all, TRIALS, BATCH);
    train(pack, &device, all, 0, STEPS);
    for (int t = 0; t < TRIALS; t++) assert_slot(pack, t, &alone[t]);
    xc_pack_free(pack);
    for (int t = 0; t < TRIALS; t++) free_state(&alone[t]);
    xc_device_split_close(&device);
}

static void who_leaves_does_not_show(void **unused) {
    (void)unused;
    xc_device_split device;
    xc_trial_state alone[TRIALS];
    open_split(&device);
    train_alone(&device, alone);
    int trials[TRIALS] = {0, 1, 2, 3, 4};
    xc_pack *pack = new_pack(backend, trials, TRIALS, BATCH);
    train(pack, &device, trials, 0, 2);
    xc_pack_remove(pack, 1);
    trials[1] = 4;
    assert_int_equal(xc_pack_trials(pack), 4);
    train(pack, &device, trials, 2, 3);
    xc_pack_remove(pack, 3); /* the last slot: nobody moves */
    train(pack, &device, trials, 3, 5);
    xc_pack_remove(pack, 0);
    trials[0] = 2;
    train(pack, &device, trials, 5, STEPS);
    assert_int_equal(xc_pack_trials(pack), 2);
    assert_slot(pack, 0, &alone[2]);
    assert_slot(pack, 1, &alone[4]);
    xc_pack_free(pack);
    for (int t = 0; t < TRIALS; t++) free_state(&alone[t]);
    xc_device_split_close(&device);
}

static void a_restart_does_not_show(void **unused) {
    (void)unused;
    char path[] = "/tmp/expconv-pack-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    xc_device_split device;
    xc_trial_state alone[TRIALS];
    open_split(&device);
    train_alone(&device, alone);
    for (int t = 0; t < TRIALS; t++) {
        xc_pack *pack = new_pack(backend, &t, 1, BATCH);
        train(pack, &device, &t, 0, 3);
        xc_trial_state state = new_state(&model);
        xc_pack_get(pack, 0, &state);
        xc_pack_free(pack);
        MUST(xc_checkpoint_write(path, &model, &state, "epoch", 6, error));
        free_state(&state);

        state = new_state(&model);
        void *extra;
        size_t extra_size = 6;
        MUST(xc_checkpoint_read(path, &model, &state, &extra, &extra_size, error));
        free(extra);
        MUST(xc_pack_create(backend, &model, 1, BATCH, XC_FOR_TRAINING, &pack, error));
        xc_pack_set(pack, 0, &state, &activations[t], (uint64_t)t);
        train(pack, &device, &t, 3, STEPS);
        assert_slot(pack, 0, &alone[t]);
        xc_pack_free(pack);
        free_state(&state);
        free_state(&alone[t]);
    }
    unlink(path);
    xc_device_split_close(&device);
}

static void a_slot_used_again_starts_clean(void **unused) {
    (void)unused;
    xc_device_split device;
    xc_trial_state alone[TRIALS], state = new_state(&model);
    open_split(&device);
    train_alone(&device, alone);
    const int first = 4, second = 1;
    xc_pack *pack = new_pack(backend, &first, 1, BATCH);
    train(pack, &device, &first, 0, 4);
    xc_model_initialise(&model, 1, state.parameters, state.running);
    free(state.first_moment);
    free(state.second_moment);
    state.first_moment = state.second_moment = NULL; /* zero */
    xc_pack_set(pack, 0, &state, &activations[second], 1);
    train(pack, &device, &second, 0, STEPS);
    assert_slot(pack, 0, &alone[second]);
    xc_pack_free(pack);
    free_state(&state);
    for (int t = 0; t < TRIALS; t++) free_state(&alone[t]);
    xc_device_split_close(&device);
}

/* The same backend as if its memory were out of the host's reach: all goes through upload, download and copy. */
static void where_the_memory_is_does_not_show(void **unused) {
    (void)unused;
    xc_device_split device, far_device;
    xc_trial_state alone[TRIALS];
    open_split(&device);
    train_alone(&device, alone);
    xc_backend far = *backend;
    far.host_memory = false;
    MUST(xc_device_split_open(&far, &split, &far_device, error));
    assert_true(far_device.dna.bases != split.dna.bases && far_device.labels != split.labels);
    assert_true(device.dna.bases == split.dna.bases && device.labels == split.labels);
    const int all[TRIALS] = {0, 1, 2, 3, 4};
    xc_pack *pack = new_pack(&far, all, TRIALS, BATCH);
    train(pack, &far_device, all, 0, STEPS);
    for (int t = 0; t < TRIALS; t++) {
        assert_slot(pack, t, &alone[t]);
        free_state(&alone[t]);
    }
    xc_pack_free(pack);
    xc_device_split_close(&far_device);
    assert_null(far_device.dna.bases);
    xc_device_split_close(&device);
}

static void inference_is_the_same_in_any_pack(void **unused) {
    (void)unused;
    xc_device_split device;
    open_split(&device);
    const int trials[2] = {1, 0};
    xc_pack *pack = new_pack(backend, trials, 2, BATCH), *inference;
    train(pack, &device, trials, 0, 3);
    MUST(xc_pack_create(backend, &model, 1, 4, XC_FOR_INFERENCE, &inference, error));
    assert_true(xc_pack_bytes(&model, backend, 1, 4, XC_FOR_INFERENCE) <
                xc_pack_bytes(&model, backend, 1, 4, XC_FOR_TRAINING));
    xc_trial_state state = new_state(&model);
    xc_pack_get(pack, 1, &state);
    xc_pack_set(inference, 0, &state, &activations[0], 0);
    uint32_t index[2 * BATCH];
    for (int i = 0; i < 2 * BATCH; i++) index[i] = (uint32_t)(i % BATCH);
    float expected[2 * BATCH * CLASSES], logits[4 * CLASSES];
    double loss[2], part;
    MUST(xc_pack_forward(pack, &device, index, BATCH, false, error));
    xc_pack_logits(pack, expected);
    MUST(xc_pack_loss(pack, XC_LOSS_BINARY, NULL, loss, error));
    double sum = 0;
    for (int32_t from = 0; from < BATCH; from += 4) {
        const int32_t count = BATCH - from < 4 ? BATCH - from : 4;
        MUST(xc_pack_forward(inference, &device, index + from, count, false, error));
        xc_pack_logits(inference, logits);
        assert_memory_equal(logits, expected + (BATCH + from) * CLASSES, (size_t)(count * CLASSES) * sizeof(float));
        MUST(xc_pack_loss(inference, XC_LOSS_BINARY, NULL, &part, error));
        sum += part * count / BATCH;
    }
    assert_true(fabs(sum - loss[1]) < 1e-6);
    xc_trial_state after = new_state(&model);
    xc_pack_get(pack, 1, &after); /* inference changes nothing */
    assert_same_state(&model, &state, &after);
    free_state(&state);
    free_state(&after);
    xc_pack_free(pack);
    xc_pack_free(inference);
    xc_device_split_close(&device);
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static double loss_at(xc_pack *pack, const xc_device_split *device, const uint32_t *index, xc_trial_state *state,
                      const xc_activation *activation, xc_loss_kind kind, const double *weights) {
    double loss;
    state->step = 0;
    xc_pack_set(pack, 0, state, activation, 1);
    MUST(xc_pack_forward(pack, device, index, BATCH, true, error));
    MUST(xc_pack_loss(pack, kind, weights, &loss, error));
    return loss;
}

/* Slope of the loss along the direction in which the tensor's gradient points, against the gradient's norm. Kernels
 * take a small step, since relu and max pool have many kinks along it; the others, whose slopes are small, a larger
 * one, since the logits are floats. 2% of the norm shows any term that is missing. */
static void assert_slope(xc_pack *pack, const xc_device_split *device, const uint32_t *index, xc_trial_state *state,
                         const xc_activation *activation, xc_loss_kind kind, const double *weights,
                         const xc_tensor *tensor, const float *gradients) {
    double norm = 0, size = 0;
    float *values = state->parameters + tensor->offset;
    const float *gradient = gradients + tensor->offset;
    for (size_t e = 0; e < tensor->count; e++) {
        norm += (double)gradient[e] * gradient[e];
        size += (double)values[e] * values[e];
    }
    norm = sqrt(norm);
    assert_true(norm > 1e-7);
    const double h = tensor->is_kernel ? 3e-5 * sqrt(size) : 1e-3 * (sqrt(size) + 1);
    double loss[2];
    for (int side = 0; side < 2; side++) {
        const double stretch = (side == 0 ? h : -h) / norm;
        float *moved = test_malloc(tensor->count * sizeof *moved);
        memcpy(moved, values, tensor->count * sizeof *moved);
        for (size_t e = 0; e < tensor->count; e++) values[e] += (float)(stretch * gradient[e]);
        loss[side] = loss_at(pack, device, index, state, activation, kind, weights);
        memcpy(values, moved, tensor->count * sizeof *moved);
        test_free(moved);
    }
    const double slope = (loss[0] - loss[1]) / (2 * h);
    if (!(fabs(slope - norm) < 0.02 * norm + 1e-6)) fail_msg("%s: slope %g but gradient %g", tensor->name, slope, norm);
}

static void gradients_are_slopes_of_the_loss(void **unused) {
    (void)unused;
    const double weights[CLASSES] = {1, 3, .5};
    const xc_activation activation = {.kind = XC_SOFTPLUS, .scale = 1, .clip = 30};
    xc_device_split device;
    open_split(&device);
    xc_pack *pack;
    MUST(xc_pack_create(backend, &model, 1, BATCH, XC_FOR_TRAINING, &pack, error));
    xc_trial_state state = new_state(&model);
    xc_model_initialise(&model, 11, state.parameters, state.running);
    float *gradients = test_malloc(model.parameter_count * sizeof *gradients);
    uint32_t index[BATCH];
    for (int32_t i = 0; i < BATCH; i++) index[i] = drawn(3, 0, i);
    for (xc_loss_kind kind = 0; kind < XC_LOSS_COUNT; kind++) {
        loss_at(pack, &device, index, &state, &activation, kind, weights);
        MUST(xc_pack_backward(pack, error));
        xc_pack_gradients(pack, 0, gradients);
        for (int32_t i = 0; i < model.tensor_count; i++)
            assert_slope(pack, &device, index, &state, &activation, kind, weights, &model.tensor[i], gradients);
    }
    test_free(gradients);
    free_state(&state);
    xc_pack_free(pack);
    xc_device_split_close(&device);
}

/* ---- what can be asked ------------------------------------------------------------------------------------------- */

static void clipped_activations_are_counted(void **unused) {
    (void)unused;
    xc_device_split device;
    open_split(&device);
    const int trials[2] = {2, 0};
    xc_pack *pack = new_pack(backend, trials, 2, BATCH);
    train(pack, &device, trials, 0, 3); /* batches of 10, 10 and 7 */
    uint64_t clipped, total;
    xc_pack_clipped(pack, 0, &clipped, &total);
    assert_int_equal(total, (10 + 10 + 7) * LENGTH * 10);
    /* exp(min(2 x, 1)) of a normal x: the clip acts beyond half a deviation, three times in ten. */
    assert_in_range(clipped * 100 / total, 20, 42);
    xc_pack_clipped(pack, 0, &clipped, &total);
    assert_int_equal(clipped + total, 0);
    xc_pack_clipped(pack, 1, &clipped, &total); /* relu has no clip */
    assert_int_equal(clipped + total, 0);
    xc_pack_free(pack);
    xc_device_split_close(&device);
}

/* Slot 1 of two, after parameter `offset` was made `value`: where is the first that is not finite? */
static void assert_found(const xc_device_split *device, size_t offset, float value, const char *expected) {
    const int trials[2] = {0, 3};
    char where[64];
    double loss[2];
    uint32_t index[2 * BATCH] = {0};
    xc_pack *pack = new_pack(backend, trials, 2, BATCH);
    xc_trial_state state = new_state(&model);
    xc_pack_get(pack, 1, &state);
    if (offset != XC_ABSENT) state.parameters[offset] = value;
    xc_pack_set(pack, 1, &state, &activations[0], 3);
    MUST(xc_pack_forward(pack, device, index, BATCH, true, error));
    MUST(xc_pack_loss(pack, XC_LOSS_BINARY, NULL, loss, error));
    assert_true(isfinite(loss[0]));
    xc_pack_find_nonfinite(pack, 1, where, sizeof where);
    assert_string_equal(where, expected);
    xc_pack_find_nonfinite(pack, 0, where, sizeof where);
    assert_string_equal(where, "loss");
    free_state(&state);
    xc_pack_free(pack);
}

static void the_first_nonfinite_value_is_found(void **unused) {
    (void)unused;
    xc_device_split device;
    open_split(&device);
    assert_found(&device, XC_ABSENT, 0, "loss");
    assert_found(&device, model.layer[1].block.kernel + 3, NAN, "block1.kernel");
    assert_found(&device, model.layer[4].block.beta, INFINITY, "block4.beta");
    assert_found(&device, model.layer[6].block.bias + 1, -INFINITY, "block6.bias");
    assert_found(&device, model.layer[0].block.gamma + 2, 3e38f, "block0 output"); /* overflows times a deviation */
    xc_device_split_close(&device);
}

static void no_labels_no_loss(void **unused) {
    (void)unused;
    xc_device_split device;
    open_split(&device);
    device.labels = NULL;
    const int trial = 0;
    uint32_t index[BATCH] = {0};
    double loss;
    xc_error refusal = {0};
    xc_pack *pack = new_pack(backend, &trial, 1, BATCH);
    MUST(xc_pack_forward(pack, &device, index, BATCH, true, error));
    assert_int_equal(xc_pack_loss(pack, XC_LOSS_BINARY, NULL, &loss, &refusal), XC_INPUT);
    assert_string_equal(refusal.text, "the data has no labels, and a loss needs them; use a file with labels");
    xc_pack_free(pack);
    xc_device_split_close(&device);
}

static void sequences_of_another_length_are_refused(void **unused) {
    (void)unused;
    xc_device_split device;
    xc_split longer = random_split(3, LENGTH + 1, CLASSES, 1);
    MUST(xc_device_split_open(backend, &longer, &device, error));
    const int trial = 0;
    uint32_t index[BATCH] = {0};
    xc_error refusal = {0};
    xc_pack *pack = new_pack(backend, &trial, 1, BATCH);
    assert_int_equal(xc_pack_forward(pack, &device, index, BATCH, false, &refusal), XC_INPUT);
    assert_string_equal(refusal.text,
                        "model all-kinds is for sequences of 61 bases but these have 62; give data of that length");
    xc_pack_free(pack);
    xc_device_split_close(&device);
    xc_split_free(&longer);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static size_t bytes_asked;
static void *refuse_memory(const xc_backend *on, size_t bytes) {
    (void)on;
    bytes_asked = bytes;
    return NULL;
}

static void no_memory_is_an_error(void **unused) {
    (void)unused;
    xc_backend full = *backend;
    full.host_memory = false;
    full.allocate = refuse_memory;
    xc_pack *pack;
    xc_device_split device;
    xc_error refusal = {0};
    assert_int_equal(xc_pack_create(&full, &model, 3, BATCH, XC_FOR_TRAINING, &pack, &refusal), XC_MEMORY);
    assert_null(pack);
    assert_non_null(strstr(refusal.text, "model all-kinds: no memory for 3 trials at batch 10 on "));
    assert_int_equal(bytes_asked, xc_pack_bytes(&model, &full, 3, BATCH, XC_FOR_TRAINING));
    assert_int_equal(xc_device_split_open(&full, &split, &device, &refusal), XC_MEMORY);
}

/* cnn-50 at length 1000 and the paper's batch must leave a laptop room. */
static void cnn_50_fits_a_laptop(void **unused) {
    (void)unused;
    xc_block_config blocks[] = {conv_entry(64, 19, XC_PADDING_SAME, .1, 50, XC_PADDING_SAME),
                                conv_entry(248, 5, XC_PADDING_SAME, .1, 2, XC_PADDING_SAME), dense_entry(1024, .5)};
    const xc_model_config config = blocks_config("cnn-50-1000", blocks, 3);
    MUST(xc_model_build(&config, 1000, 12, &model, error));
    const size_t bytes = xc_pack_bytes(&model, backend, 1, 100, XC_FOR_TRAINING);
    print_message("cnn-50-1000 at batch 100: %.1f MB\n", (double)bytes / 1e6);
    assert_true(bytes < 150000000);
}

#define ON(name, test) \
    { #test " (" name ")", test, open_backend, close_backend, name }
#define ON_BOTH(test) ON("ref", test), ON("cpu", test)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(pack_size_does_not_show),
        ON_BOTH(who_leaves_does_not_show),
        ON_BOTH(a_restart_does_not_show),
        ON_BOTH(a_slot_used_again_starts_clean),
        ON_BOTH(where_the_memory_is_does_not_show),
        ON_BOTH(inference_is_the_same_in_any_pack),
        ON_BOTH(gradients_are_slopes_of_the_loss),
        ON_BOTH(clipped_activations_are_counted),
        ON_BOTH(the_first_nonfinite_value_is_found),
        ON_BOTH(no_labels_no_loss),
        ON_BOTH(sequences_of_another_length_are_refused),
        ON_BOTH(no_memory_is_an_error),
        ON("cpu", cnn_50_fits_a_laptop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
