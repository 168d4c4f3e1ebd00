/* test_gpu_check.c: that `make gpu-check` notices what it should: no GPU, parts that fail, are skipped or take too
 * long. The GPU is the emulated one, behind $EXPCONV_CUDA; compute-sanitizer is a script that says what the test wants.
 */
#include "e2e/cli.h"

#define EMULATED "build/libexpconv_cudaemu.so"

/* tests/gpu_check.sh, by the name that `run` starts, with its log in the folder. */
static outcome check(const char *settings) {
    char log[128];
    snprintf(log, sizeof log, "%s/gpu.log", folder);
    setenv("GPU_CHECK_LOG", log, 1);
    setenv("EXPCONV", "env", 1);
    outcome result = run("%s tests/gpu_check.sh", settings);
    return result;
}

/* The same on the emulated GPU. */
static outcome check_emulated(const char *settings) {
    char all[1000];
    if (!exists(EMULATED)) {
        print_message("no %s: built without the CUDA toolkit\n", EMULATED);
        skip();
    }
    snprintf(all, sizeof all, "EXPCONV_CUDA=" EMULATED " %s", settings);
    return check(all);
}

/* A line of its own, which the log has too. */
static void test_no_gpu(void **state) {
    (void)state;
    outcome result = check("EXPCONV_CUDA=/nowhere/at/all.so");
    assert_int_not_equal(result.status, 0);
    assert_int_equal(strncmp(result.out, "gpu-check: no GPU to check (nvcc ", 33), 0);
    assert_contains(result.out, "): $EXPCONV_CUDA names /nowhere/at/all.so, which is not there");
    assert_ptr_equal(strchr(result.out, '\n'), result.out + strlen(result.out) - 1);
    end(&result);
    char *log = read_text(in_folder("gpu.log"));
    assert_contains(log, "gpu-check: no GPU to check");
    free(log);
}

/* Two trainings agree, but not to the last bit. */
static void test_training(void **state) {
    (void)state;
    outcome result = check_emulated(
        "GPU_CHECK_PARTS='training bench' GPU_CHECK_SEQUENCES=100 GPU_CHECK_EPOCHS=1 "
        "GPU_CHECK_MODELS=cnn-50 GPU_CHECK_BENCH='--rounds 1 --most 1 --batch 4 cnn-50'");
    assert_contains(result.out, "\ngpu         emulated on the CPU, compute capability ");
    assert_contains(result.out, "cnn-50 exponential, seed 0\n  train_loss                 GPU ");
    assert_contains(result.out, "training: 2 trials, metrics differ by ");
    assert_contains(result.out, "\ntraining   passed ");
    assert_contains(result.out, "\"bench\":\"packs\",\"device\":\"cuda\",\"model\":\"cnn-50\",\"system\":\"expconv\"");
    assert_contains(result.out, "\nbench      passed ");
    end(&result);
    result = check_emulated(
        "GPU_CHECK_PARTS=training GPU_CHECK_SEQUENCES=100 GPU_CHECK_EPOCHS=1 "
        "GPU_CHECK_MODELS=cnn-50 GPU_CHECK_TOLERANCE=0");
    assert_int_not_equal(result.status, 0);
    assert_contains(result.out, "  <-- differ\n");
    assert_contains(result.out, "\ntraining   failed ");
    end(&result);
}

/* What a tool says decides, whatever its exit status: a test that fails, none at all, errors, hazards. */
static void test_tools(void **state) {
    (void)state;
    static const char script[] =
        "#!/bin/sh\n"
        "case $2 in\n"
        "    memcheck) echo 'ok 1 - a'; echo '========= ERROR SUMMARY: 0 errors' ;;\n"
        "    racecheck) echo 'ok 1 - a'; echo '========= RACECHECK SUMMARY: 1 hazards' ;;\n"
        "    initcheck) echo 'not ok 1 - a'; echo '========= ERROR SUMMARY: 0 errors' ;;\n"
        "    synccheck) echo '========= ERROR SUMMARY: 0 errors' ;;\n"
        "esac\n";
    char settings[500];
    assert_int_equal(chmod(write_text("compute-sanitizer", script), 0755), 0);
    snprintf(settings, sizeof settings, "PATH=%s:\"$PATH\" GPU_CHECK_PARTS='memcheck racecheck initcheck synccheck'",
             folder);
    outcome result = check_emulated(settings);
    assert_int_not_equal(result.status, 0);
    assert_contains(result.out, "\nmemcheck   passed ");
    assert_contains(result.out, "\nracecheck  failed ");
    assert_contains(result.out, "\ninitcheck  failed ");
    assert_contains(result.out, "\nsynccheck  failed ");
    end(&result);
    snprintf(settings, sizeof settings, "PATH=%s:\"$PATH\" GPU_CHECK_PARTS=memcheck", folder);
    result = check_emulated(settings);
    assert_done(&result);
    end(&result);
}

/* The time is up before the models are done; a part that is not there is refused. */
static void test_limits(void **state) {
    (void)state;
    outcome result = check_emulated("GPU_CHECK_PARTS=golden GPU_CHECK_SECONDS=0.2");
    assert_int_not_equal(result.status, 0);
    assert_contains(result.out, "\ngolden     failed (not done in 0.2 s) ");
    end(&result);
    result = check_emulated("GPU_CHECK_PARTS='golden silver'");
    assert_int_not_equal(result.status, 0);
    assert_string_equal(result.out, "gpu-check: GPU_CHECK_PARTS: there is no part silver\n");
    end(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {IN_FOLDER(test_no_gpu), IN_FOLDER(test_training), IN_FOLDER(test_tools),
                                       IN_FOLDER(test_limits)};
    return _cmocka_run_group_tests("gpu_check", tests, sizeof tests / sizeof *tests, NULL, NULL);
}
