/* test_plugin.c: the CUDA backend as a shared object, seen from the command line: what is said when it is not there, is
 * something else, or has no GPU to work on. What it computes is tested by test_ops, on the emulated GPU.
 */
#include <math.h>

#include "e2e/sweep.h"
#include "expconv/backend.h"

#define REAL "build/libexpconv_cuda.so"
#define EMULATED "build/libexpconv_cudaemu.so"

/* What `expconv devices` says of CUDA with $EXPCONV_CUDA set so; the whole output is the caller's to end. */
static const char *cuda_line(const char *file, outcome *result) {
    if (file)
        setenv("EXPCONV_CUDA", file, 1);
    else
        unsetenv("EXPCONV_CUDA");
    *result = run("devices");
    unsetenv("EXPCONV_CUDA");
    assert_done(result);
    const char *line = strstr(result->out, "cuda\t");
    assert_non_null(line);
    assert_contains(result->out, "cpu\tusable");
    return line;
}

static void test_not_there(void **state) {
    (void)state;
    outcome result;
    const char *line = cuda_line("/nowhere/at/all.so", &result);
    assert_contains(line, "cuda\tnot usable\t$EXPCONV_CUDA names /nowhere/at/all.so, which is not there");
    end(&result);
}

static void test_not_a_shared_object(void **state) {
    (void)state;
    outcome result;
    const char *file = write_text("text.so", "not a shared object\n"), *line = cuda_line(file, &result);
    assert_contains(line, "cuda\tnot usable");
    assert_contains(line, file);
    end(&result);
}

/* The program itself wants nothing of the toolkit: it starts where that is not installed. */
static void test_program_wants_no_toolkit(void **state) {
    (void)state;
    static const char *const names[] = {"libcuda.so", "libcudart", "libcublas", "libcudnn"};
    const char *program = getenv("EXPCONV") ? getenv("EXPCONV") : "./expconv";
    struct stat about;
    assert_int_equal(stat(program, &about), 0);
    char *bytes = read_text(program);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_null(memmem(bytes, (size_t)about.st_size, names[i], strlen(names[i])));
    free(bytes);
}

/* With a GPU it is usable; without one it says which call said so, and what to do. */
static void test_the_real_one(void **state) {
    (void)state;
    outcome result;
    if (!exists(REAL)) {
        print_message("no %s: built without nvcc\n", REAL);
        skip();
    }
    const char *line = cuda_line(REAL, &result);
    if (strncmp(line, "cuda\tusable", 11) != 0) {
        assert_contains(line, "cudaGetDeviceCount: cudaError");
        assert_contains(line, "--device cpu");
    }
    end(&result);
}

/* The loss of the validation split, the third column, in the last line of a history. */
static double last_loss(const char *history) {
    char *text = read_text(history);
    double loss = NAN;
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        sscanf(line, "%*d %*f %lf", &loss);
    free(text);
    return loss;
}

/* A whole training through the shared object, on the emulated GPU, ends where the CPU's does. */
static void test_training(void **state) {
    (void)state;
    double loss[2];
    static const char *const devices[] = {"cpu", "cuda"};
    if (!exists(EMULATED)) {
        print_message("no %s: built without the CUDA toolkit\n", EMULATED);
        skip();
    }
    outcome result =
        run("simulate --quiet --task motifs --motifs configs/motifs/task1.meme --sequences 200 --seed 1 --out %s",
            in_folder("data.h5"));
    assert_done(&result);
    end(&result);
    char text[600];
    snprintf(text, sizeof text,
             "data: {file: %s}\nmodel: {zoo: cnn-50, activation: exponential}\ntrain: {epochs: 2, batch: 20}\n",
             in_folder("data.h5"));
    const char *config = write_text("config.yaml", text);
    setenv("EXPCONV_CUDA", EMULATED, 1);
    for (int i = 0; i < 2; i++) {
        result = run("train %s --quiet --device %s --out %s", config, devices[i], in_folder("%s", devices[i]));
        assert_done(&result);
        end(&result);
        loss[i] = last_loss(in_folder("%s/history.tsv", devices[i]));
    }
    unsetenv("EXPCONV_CUDA");
    if (!(loss[0] > 0 && fabs(loss[1] - loss[0]) < 1e-4 * loss[0]))
        fail_msg("loss %.9g on the CPU, %.9g on the emulated GPU", loss[0], loss[1]);
}

/* A sweep of two seeds into a folder. */
static void sweep_two(const char *config, const char *name, const char *options) {
    outcome result = run("sweep %s --quiet %s --out %s", config, options, in_folder("%s", name));
    assert_done(&result);
    end(&result);
}

/* Two trials in one pack: all they are measured by is the CPU's to 1e-3, and their bytes are those of packs of one. */
static void test_two_trials(void **state) {
    (void)state;
    static const char *const metrics[] = {"train_loss", "valid_loss", "valid_auroc", "valid_aupr",   "valid_accuracy",
                                          "test_loss",  "test_auroc", "test_aupr",   "test_accuracy"};
    if (!exists(EMULATED)) {
        print_message("no %s: built without the CUDA toolkit\n", EMULATED);
        skip();
    }
    outcome result =
        run("simulate --quiet --task motifs --motifs configs/motifs/task1.meme --sequences 600 --seed 2 --out %s",
            in_folder("data.h5"));
    assert_done(&result);
    end(&result);
    char text[600];
    snprintf(text, sizeof text,
             "data: {file: %s}\nmodel: {zoo: cnn-50, activation: exponential}\ntrain: {epochs: 3, batch: 50}\n"
             "sweep: {seeds: 2}\n",
             in_folder("data.h5"));
    const char *config = write_text("config.yaml", text);
    setenv("EXPCONV_CUDA", EMULATED, 1);
    sweep_two(config, "cpu", "--device cpu");
    sweep_two(config, "two", "--device cuda --pack 2");
    sweep_two(config, "one", "--device cuda --pack 1");
    unsetenv("EXPCONV_CUDA");
    char *cpu = read_text(in_folder("cpu/results.tsv")), *cuda = read_text(in_folder("two/results.tsv"));
    for (int trial = 0; trial < 2; trial++) {
        for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
            const double wanted = atof(cell(cpu, trial, metrics[i])), got = atof(cell(cuda, trial, metrics[i]));
            if (!(wanted > 0 && fabs(got - wanted) < 1e-3))
                fail_msg("trial %d: %s is %.6f on the CPU, %.6f on the emulated GPU", trial, metrics[i], wanted, got);
        }
        const char *files[] = {"weights.h5", "history.tsv"};
        for (int i = 0; i < 2; i++) {
            const char *at = in_folder("two/trials/cnn-50.exponential.glorot_uniform.s00%d/%s", trial, files[i]);
            const char *other = in_folder("one/trials/cnn-50.exponential.glorot_uniform.s00%d/%s", trial, files[i]);
            assert_same_bytes(at, other);
        }
    }
    free(cpu);
    free(cuda);
}

/* `auto` takes the CPU where `cuda` fails. The library keeps its first answer, so nobody here asks it before. */
static void test_auto_falls_back(void **state) {
    (void)state;
    const xc_backend *backend;
    xc_error error = {0};
    setenv("EXPCONV_CUDA", "/nowhere/at/all.so", 1);
    assert_int_equal(xc_backend_open("auto", &backend, &error), XC_OK);
    assert_string_equal(backend->name, "cpu");
    assert_int_equal(xc_backend_open("cuda", &backend, &error), XC_DEVICE);
    assert_null(backend);
    assert_contains(error.text, "--device cuda: $EXPCONV_CUDA names /nowhere/at/all.so");
    unsetenv("EXPCONV_CUDA");
}

int main(void) {
    const struct CMUnitTest tests[] = {IN_FOLDER(test_not_there),
                                       IN_FOLDER(test_not_a_shared_object),
                                       IN_FOLDER(test_program_wants_no_toolkit),
                                       IN_FOLDER(test_the_real_one),
                                       IN_FOLDER(test_training),
                                       IN_FOLDER(test_two_trials),
                                       IN_FOLDER(test_auto_falls_back)};
    return _cmocka_run_group_tests("plugin", tests, sizeof tests / sizeof *tests, NULL, NULL);
}
