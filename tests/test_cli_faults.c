/* test_cli_faults.c: a sweep that is interrupted, killed or out of disk space has lost nothing that was whole: the next
 * run ends with the bytes of one that was left in peace.
 */
#include <sys/mount.h>

#include "e2e/sweep.h"

/* ---- interruptions ------------------------------------------------------------------------------------------------
 */

/* Waits until some trial has a checkpoint. */
static void wait_for_checkpoint(const char *name) {
    for (int i = 0; i < 30000; i++) {
        for (int t = 0; t < TRIALS; t++)
            if (exists(in_folder("%s/trials/%s/checkpoint.h5", name, trial_names[t]))) return;
        sleep_milliseconds(1);
    }
    fail_msg("no checkpoint appeared");
}

static void test_ctrl_c(void **state) {
    (void)state;
    const char *config = make_sweep(20, 0);
    sweep_into(config, "whole", "--threads 1 --pack 5");
    static const int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        char arguments[512];
        snprintf(arguments, sizeof arguments, "sweep %s --quiet --threads 2 --pack 2 --out %s", config,
                 in_folder("cut%d", i));
        const pid_t child = start(0, arguments);
        wait_for_checkpoint(i ? "cut1" : "cut0");
        char *during = read_text(in_folder("cut%d/manifest.tsv", i));
        assert_contains(during, "\trunning\t"); /* while they run, not only when they have been cut */
        free(during);
        kill(child, signals[i]);
        outcome result = finish(child);
        if (result.status == 0) fail_msg("the sweep ended before it could be interrupted");
        assert_int_equal(result.status, 130);
        assert_contains(result.err, "run the same command again");
        assert_int_equal(count_lines(result.err), 1);
        assert_string_equal(result.out, "");
        end(&result);
        char *manifest = read_text(in_folder("cut%d/manifest.tsv", i));
        assert_contains(manifest, "\trunning\t");
        free(manifest);
        assert_no_leftovers();
        sweep_into(config, i ? "cut1" : "cut0", "--threads 1 --pack 1");
        assert_same_sweep("whole", i ? "cut1" : "cut0");
    }
}

static void test_train_interrupted(void **state) {
    (void)state;
    const char *config =
        make_config("one.yaml", make_data("data.h5"), "train: {epochs: 60, batch: 30, early_stop: {patience: 0}}\n");
    outcome whole = run("train %s --quiet --out %s", config, in_folder("whole"));
    assert_done(&whole);
    end(&whole);
    char arguments[512];
    snprintf(arguments, sizeof arguments, "train %s --quiet --out %s", config, in_folder("cut"));
    const pid_t child = start(0, arguments);
    for (int i = 0; i < 30000 && !exists(in_folder("cut/checkpoint.h5")); i++) sleep_milliseconds(1);
    kill(child, SIGINT);
    outcome cut = finish(child);
    assert_int_equal(cut.status, 130);
    assert_contains(cut.err, "run the same command again");
    end(&cut);
    outcome rest = run("train %s --quiet --out %s", config, in_folder("cut"));
    assert_done(&rest);
    end(&rest);
    static const char *const files[] = {"weights.h5", "history.tsv", "metrics.tsv"};
    for (int i = 0; i < 3; i++) assert_same_bytes(in_folder("whole/%s", files[i]), in_folder("cut/%s", files[i]));
    assert_false(exists(in_folder("cut/checkpoint.h5")));
}

static void test_killed_again_and_again(void **state) {
    (void)state;
    const char *config = make_sweep(12, 0);
    sweep_into(config, "whole", "--threads 2");
    char arguments[512];
    snprintf(arguments, sizeof arguments, "sweep %s --quiet --threads 2 --pack 2 --out %s", config, in_folder("cut"));
    kill_until_done(arguments, 15, 13);
    sweep_into(config, "cut", "");
    assert_same_sweep("whole", "cut");
    assert_no_leftovers();
}

/* ---- a disk that is full ------------------------------------------------------------------------------------------
 */

/* Whatever stands in the sweep's folder afterwards is whole: going on with room gives the uninterrupted sweep. */
static void test_file_that_may_not_grow(void **state) {
    (void)state;
    const char *config = make_sweep(6, 0);
    sweep_into(config, "whole", "");
    char arguments[512];
    snprintf(arguments, sizeof arguments, "sweep %s --quiet --threads 1 --out %s", config, in_folder("full"));
    static const rlim_t limits[] = {0x200, 0x1000, 0x2000};
    for (int i = 0; i < 3; i++) {
        outcome result = finish(start(limits[i], arguments));
        assert_refused(&result, 1, "cannot write", "File too large", NULL);
        end(&result);
        assert_no_leftovers();
    }
    sweep_into(config, "full", "");
    assert_same_sweep("whole", "full");
}

/* A run that ended before its first checkpoint leaves the folder to whichever config comes next. */
static void test_failed_start_claims_nothing(void **state) {
    (void)state;
    const char *config = make_config("one.yaml", make_data("data.h5"), "train: {epochs: 2, batch: 30}\n");
    char arguments[512];
    snprintf(arguments, sizeof arguments, "train %s --quiet --out %s", config, in_folder("out"));
    outcome failed = finish(start(0x1000, arguments));
    assert_refused(&failed, 1, "checkpoint.h5", "File too large", NULL);
    end(&failed);
    outcome other = run("train %s --quiet --set train.batch=20 --out %s", config, in_folder("out"));
    assert_done(&other);
    end(&other);
    /* A finished trial keeps its folder. */
    outcome refused = run("train %s --quiet --out %s", config, in_folder("out"));
    assert_refused(&refused, 1, "train.batch is 20 there and 30 here", NULL);
    end(&refused);
}

static void test_full_disk(void **state) {
    (void)state;
    const char *config = make_sweep(6, 0);
    char disk[128];
    snprintf(disk, sizeof disk, "%s/disk", folder);
    assert_int_equal(mkdir(disk, 0777), 0);
    if (mount("tmpfs", disk, "tmpfs", 0, "size=96k") != 0) skip(); /* needs to be root, and be let */
    sweep_into(config, "whole", "");
    outcome result = run("sweep %s --quiet --threads 1 --out %s", config, in_folder("disk/out"));
    char command[256];
    snprintf(command, sizeof command, "test -z \"$(find '%s' -name '*.tmp')\"", disk);
    const int leftovers = system(command);
    const int remounted = mount("tmpfs", disk, "tmpfs", MS_REMOUNT, "size=64m");
    outcome rest = run("sweep %s --quiet --threads 1 --out %s", config, in_folder("disk/out"));
    const int moved = system((snprintf(command, sizeof command, "cp -r '%s/out' '%s/filled'", disk, folder), command));
    umount(disk);
    assert_int_equal(remounted + moved, 0);
    assert_refused(&result, 1, "No space left on device", NULL);
    assert_int_equal(leftovers, 0);
    assert_done(&rest);
    assert_same_sweep("whole", "filled");
    end(&result);
    end(&rest);
}

/* ---- one at a time ------------------------------------------------------------------------------------------------
 */

static void test_two_sweeps_in_one_folder(void **state) {
    (void)state;
    const char *config = make_sweep(60, 0);
    char arguments[512];
    snprintf(arguments, sizeof arguments, "sweep %s --quiet --threads 1 --out %s", config, in_folder("out"));
    const pid_t child = start(0, arguments);
    wait_for_checkpoint("out");
    outcome second = run("sweep %s --quiet --out %s", config, in_folder("out"));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_refused(&second, 1, "another expconv is at work", NULL);
    end(&second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_ctrl_c),
        IN_FOLDER(test_train_interrupted),
        IN_FOLDER(test_killed_again_and_again),
        IN_FOLDER(test_file_that_may_not_grow),
        IN_FOLDER(test_failed_start_claims_nothing),
        IN_FOLDER(test_full_disk),
        IN_FOLDER(test_two_sweeps_in_one_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
