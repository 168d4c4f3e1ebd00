/* test_weights.c: weights.h5 and checkpoints come back as they went, the same state gives the same bytes, another
 * model's file is refused by the first tensor that differs, and a full disk or a cut file is an error that leaves
 * nothing behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder_fixture.h"
#include "model_fixture.h"

static xc_model model;

static const char *in_folder(const char *name) {
    static char path[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static void assert_same_files(const char *a, const char *b) {
    char *text_a, *text_b;
    size_t size_a, size_b;
    MUST(xc_file_read(a, 1 << 24, &text_a, &size_a, error));
    MUST(xc_file_read(b, 1 << 24, &text_b, &size_b, error));
    assert_int_equal(size_a, size_b);
    assert_memory_equal(text_a, text_b, size_a);
    free(text_a);
    free(text_b);
}

/* Block 1 of the model has `filters` filters of width `width`. */
static void build(uint32_t filters, uint32_t width, int32_t length, int32_t classes, bool norm) {
    xc_block_config blocks[] = {conv_entry(6, 5, XC_PADDING_SAME, .1, 1, XC_PADDING_VALID),
                                conv_entry(filters, width, XC_PADDING_SAME, .1, 4, XC_PADDING_VALID),
                                dense_entry(9, .5)};
    blocks[2].norm = norm;
    const xc_model_config config = blocks_config("tiny", blocks, 3);
    MUST(xc_model_build(&config, length, classes, &model, error));
}

/* Every number different, so that no two can be exchanged unseen; zero between the tensors, as in a pack. */
static xc_trial_state numbered_state(void) {
    xc_trial_state state = new_state(&model);
    xc_model_initialise(&model, 3, state.parameters, state.running);
    for (int32_t i = 0; i < model.tensor_count; i++)
        for (size_t e = model.tensor[i].offset; e < model.tensor[i].offset + model.tensor[i].count; e++) {
            state.parameters[e] = (float)e + 0.25f;
            state.first_moment[e] = -(float)e - 0.5f;
            state.second_moment[e] = (float)e * 1e-12f;
        }
    for (int32_t i = 0; i < model.layer_count; i++)
        for (int32_t f = 0; f < 2 * model.layer[i].block.filters && model.layer[i].block.running != XC_ABSENT; f++)
            state.running[model.layer[i].block.running + (size_t)f] = (float)(100 * i + f) + 0.125f;
    state.step = 0x123456789ull;
    return state;
}

/* ---- there and back ---------------------------------------------------------------------------------------------- */

static void weights_come_back(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    xc_trial_state written = numbered_state(), read = new_state(&model);
    MUST(xc_weights_write(in_folder("weights.h5"), &model, &written, error));
    MUST(xc_weights_read(in_folder("weights.h5"), &model, &read, error));
    assert_memory_equal(read.parameters, written.parameters, model.parameter_count * sizeof(float));
    assert_memory_equal(read.running, written.running, model.running_count * sizeof(float));
    free_state(&written);
    free_state(&read);
}

static void any_reader_finds_the_tensors(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    xc_trial_state written = numbered_state();
    MUST(xc_weights_write(in_folder("weights.h5"), &model, &written, error));
    const hid_t file = H5Fopen(in_folder("weights.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    float kernel[3][6][8], variance[8];
    hid_t dataset = H5Dopen2(file, "block1.kernel", H5P_DEFAULT);
    assert_int_equal(H5Dget_storage_size(dataset), sizeof kernel);
    assert_true(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, kernel) >= 0);
    assert_true(kernel[1][0][2] == (float)(model.layer[1].block.kernel + 6 * 8 + 2) + 0.25f);
    H5Dclose(dataset);
    dataset = H5Dopen2(file, "running/block1.variance", H5P_DEFAULT);
    assert_true(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, variance) >= 0);
    assert_true(variance[3] == 111.125f);
    H5Dclose(dataset);
    for (int i = 0; i < 5; i++) {
        static const char *const names[] = {"format", "model", "activation", "length", "classes"};
        assert_true(H5Aexists(file, names[i]) > 0);
    }
    H5Fclose(file);
    free_state(&written);
}

static void a_checkpoint_comes_back_whole(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    const char extra[] = "whatever the loop keeps";
    xc_trial_state written = numbered_state(), read = new_state(&model);
    void *back;
    size_t size = 0;
    MUST(xc_checkpoint_write(in_folder("checkpoint.h5"), &model, &written, extra, sizeof extra, error));
    MUST(xc_checkpoint_read(in_folder("checkpoint.h5"), &model, &read, &back, &size, error));
    assert_same_state(&model, &written, &read);
    assert_int_equal(size, sizeof extra);
    assert_string_equal(back, extra);
    free(back);
    size = 7;
    xc_error refusal = {0};
    assert_int_equal(xc_checkpoint_read(in_folder("checkpoint.h5"), &model, &read, &back, &size, &refusal), XC_INPUT);
    assert_non_null(strstr(refusal.text, "holds 24 bytes of training state but 7 are wanted"));
    assert_null(back);
    MUST(xc_checkpoint_write(in_folder("checkpoint.h5"), &model, &written, NULL, 0, error));
    size = 0;
    MUST(xc_checkpoint_read(in_folder("checkpoint.h5"), &model, &read, &back, &size, error));
    assert_int_equal(size, 0);
    free(back);
    free_state(&written);
    free_state(&read);
}

static void the_same_state_gives_the_same_bytes(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    xc_trial_state state = numbered_state();
    MUST(xc_weights_write(in_folder("a.h5"), &model, &state, error));
    MUST(xc_checkpoint_write(in_folder("c.h5"), &model, &state, "extra", 5, error));
    sleep(1); /* a time in the file would show */
    MUST(xc_weights_write(in_folder("b.h5"), &model, &state, error));
    MUST(xc_checkpoint_write(in_folder("d.h5"), &model, &state, "extra", 5, error));
    assert_same_files(in_folder("a.h5"), in_folder("b.h5"));
    assert_same_files(in_folder("c.h5"), in_folder("d.h5"));
    free_state(&state);
}

static void write_one(void *context, int thread) {
    char name[32];
    snprintf(name, sizeof name, "thread%d.h5", thread);
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    xc_error error = {0};
    for (int i = 0; i < 10; i++)
        if (xc_weights_write(path, &model, context, &error) != XC_OK) abort();
}

static void threads_may_write_at_the_same_time(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    xc_trial_state state = numbered_state();
    xc_parallel(4, write_one, &state);
    for (int i = 1; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "thread%d.h5", i);
        assert_same_files(in_folder("thread0.h5"), in_folder(name));
    }
    free_state(&state);
}

/* ---- files of something else ------------------------------------------------------------------------------------- */

/* Reading weights.h5, or a checkpoint, as the present model fails with a line that ends in `line`. */
static void assert_unreadable(const char *name, const char *line) {
    xc_error error = {0};
    xc_trial_state state = new_state(&model);
    assert_int_equal(xc_weights_read(in_folder(name), &model, &state, &error), XC_INPUT);
    if (!strstr(error.text, line)) fail_msg("'%s' instead of '%s'", error.text, line);
    assert_true(strncmp(error.text, in_folder(name), strlen(in_folder(name))) == 0);
    free_state(&state);
}

static void another_models_weights_are_refused(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    xc_trial_state state = numbered_state();
    MUST(xc_weights_write(in_folder("weights.h5"), &model, &state, error));
    MUST(xc_checkpoint_write(in_folder("checkpoint.h5"), &model, &state, NULL, 0, error));
    build(7, 3, 20, 2, true);
    assert_unreadable("weights.h5",
                      "tensor block1.kernel is (3,6,8) but this model's is (3,6,7); give the file of this "
                      "model");
    build(8, 3, 20, 5, true);
    assert_unreadable("weights.h5", "tensor block3.kernel is (9,2) but this model's is (9,5)");
    build(8, 3, 21, 2, true);
    assert_unreadable("weights.h5", "is of a model for sequences of 20 bases but tiny here is for 21");
    build(8, 3, 20, 2, false);
    assert_unreadable("weights.h5", "has 11 tensors but model tiny has 9");
    build(8, 3, 20, 2, true);
    assert_unreadable("checkpoint.h5", "holds 'expconv checkpoint', not 'expconv weights'");
    model.activation = XC_EXPONENTIAL; /* the shapes are the same */
    assert_unreadable("weights.h5", "is of model tiny with relu but this one is tiny with exponential");
    build(8, 3, 20, 2, true);
    strcpy(model.name, "other");
    assert_unreadable("weights.h5", "is of model tiny with relu but this one is other with relu");
    free_state(&state);
    build(8, 3, 20, 2, false);
    state = numbered_state();
    MUST(xc_weights_write(in_folder("plain.h5"), &model, &state, error));
    free_state(&state);
    build(8, 3, 20, 2, true);
    assert_unreadable("plain.h5", "has no tensor block2.gamma, which this model has as (9)");
}

static void a_later_format_is_refused(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    xc_trial_state state = numbered_state();
    MUST(xc_weights_write(in_folder("weights.h5"), &model, &state, error));
    const hid_t file = H5Fopen(in_folder("weights.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t version = H5Aopen(file, "version", H5P_DEFAULT);
    const uint64_t later = 2;
    assert_true(H5Awrite(version, H5T_NATIVE_UINT64, &later) >= 0);
    H5Aclose(version);
    H5Fclose(file);
    assert_unreadable("weights.h5", "has format version 2 but this program reads 1; use the program that wrote it");
    free_state(&state);
}

static void what_is_no_weights_file_is_refused(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    assert_unreadable("missing.h5", "cannot read: No such file or directory");
    FILE *stream = fopen(in_folder("text.h5"), "w");
    fputs("not what the name says\n", stream);
    fclose(stream);
    assert_unreadable("text.h5", "is not an HDF5 file");
    const hid_t file = H5Fcreate(in_folder("empty.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    assert_unreadable("empty.h5", "has no attribute format; it was not written by expconv");
}

static void a_cut_file_is_refused_at_any_length(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    xc_trial_state state = numbered_state();
    MUST(xc_weights_write(in_folder("weights.h5"), &model, &state, error));
    MUST(xc_checkpoint_write(in_folder("checkpoint.h5"), &model, &state, "extra", 5, error));
    char *text;
    size_t size;
    MUST(xc_file_read(in_folder("weights.h5"), 1 << 24, &text, &size, error));
    free(text);
    const size_t sizes[] = {size - 1, size - 100, size / 2, size / 10, 1000, 96, 10, 1, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(truncate(in_folder("weights.h5"), (off_t)sizes[i]), 0);
        assert_unreadable("weights.h5", sizes[i] < 8 ? "is not an HDF5 file" : "truncated or damaged");
        assert_int_equal(truncate(in_folder("checkpoint.h5"), (off_t)sizes[i]), 0);
        xc_error error = {0};
        void *extra;
        size_t extra_size = 0;
        assert_int_equal(xc_checkpoint_read(in_folder("checkpoint.h5"), &model, &state, &extra, &extra_size, &error),
                         XC_INPUT);
        assert_null(extra);
    }
    free_state(&state);
}

/* ---- a full disk ------------------------------------------------------------------------------------------------- */

/* In a process of its own, since the limit cannot be taken back: 0 when writing failed in one clear line. */
static int write_with_limit(rlim_t limit, const xc_trial_state *state) {
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN); /* the write then fails with EFBIG, as it does with ENOSPC on a full disk */
        const struct rlimit bound = {limit, limit};
        xc_error error = {0};
        if (setrlimit(RLIMIT_FSIZE, &bound) != 0) _exit(2);
        const xc_status weights = xc_weights_write(in_folder("weights.h5"), &model, state, &error);
        const bool clear = strstr(error.text, "weights.h5: cannot write: ") && !strchr(error.text, '\n');
        const xc_status checkpoint = xc_checkpoint_write(in_folder("checkpoint.h5"), &model, state, "x", 1, &error);
        _exit(weights == XC_IO && checkpoint == XC_IO && clear ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_full_disk_leaves_the_old_file(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    xc_trial_state state = numbered_state();
    MUST(xc_weights_write(in_folder("weights.h5"), &model, &state, error));
    MUST(xc_weights_write(in_folder("before.h5"), &model, &state, error));
    const int files = count_files();
    state.parameters[0] = -1;
    const rlim_t limits[] = {0, 100, 4096, 9000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        assert_int_equal(write_with_limit(limits[i], &state), 0);
        assert_same_files(in_folder("weights.h5"), in_folder("before.h5"));
        assert_int_equal(count_files(), files); /* no checkpoint, and nothing half-written beside it */
    }
    free_state(&state);
}

static void a_folder_that_is_not_there_is_an_error(void **unused) {
    (void)unused;
    build(8, 3, 20, 2, true);
    xc_trial_state state = numbered_state();
    xc_error error = {0};
    assert_int_equal(xc_weights_write(in_folder("nowhere/weights.h5"), &model, &state, &error), XC_IO);
    assert_non_null(strstr(error.text, "nowhere/weights.h5: cannot write: No such file or directory"));
    free_state(&state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
        TEST(weights_come_back),
        TEST(any_reader_finds_the_tensors),
        TEST(a_checkpoint_comes_back_whole),
        TEST(the_same_state_gives_the_same_bytes),
        TEST(threads_may_write_at_the_same_time),
        TEST(another_models_weights_are_refused),
        TEST(a_later_format_is_refused),
        TEST(what_is_no_weights_file_is_refused),
        TEST(a_cut_file_is_refused_at_any_length),
        TEST(a_full_disk_leaves_the_old_file),
        TEST(a_folder_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
