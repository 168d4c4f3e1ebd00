/* test_base.c: errors keep to one line, files are written whole or not at all, threads and random numbers do what they
 * promise.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expconv/base.h"
#include "expconv/philox.h"
#include "folder_fixture.h"

static void assert_content(const char *path, const char *expected) {
    char *text;
    xc_error error = {0};
    assert_int_equal(xc_file_read(path, 1 << 20, &text, NULL, &error), XC_OK);
    assert_string_equal(text, expected);
    free(text);
}

static void an_error_is_one_line(void **state) {
    (void)state;
    xc_error error = {0};
    assert_int_equal(xc_fail(&error, XC_INPUT, "%s: bad\nname\r", "a"), XC_INPUT);
    assert_string_equal(error.text, "a: bad name ");
    assert_int_equal(xc_fail_in(&error, "in %s", "b"), XC_INPUT);
    assert_string_equal(error.text, "in b: a: bad name ");
    char *huge = malloc(5000);
    memset(huge, 'x', 4999);
    huge[4999] = 0;
    xc_fail(&error, XC_IO, "%s", huge);
    assert_int_equal(strlen(error.text), XC_ERROR_LENGTH - 1);
    free(huge);
    assert_int_equal(xc_fail(NULL, XC_IO, "nobody listens"), XC_IO);
}

static void the_nearest_word_is_found(void **state) {
    (void)state;
    const char *const names[] = {"relu", "exponential", "tanh", NULL};
    assert_string_equal(xc_nearest("exponental", names), "exponential");
    assert_string_equal(xc_nearest("RELU", names), "relu");
    assert_string_equal(xc_nearest("tahn", names), "tanh");
}

static void memory_is_zeroed_aligned_and_refused(void **state) {
    (void)state;
    unsigned char *memory;
    xc_error error = {0};
    assert_int_equal(xc_allocate(&memory, 1001, 3, "a test", &error), XC_OK);
    assert_int_equal((uintptr_t)memory % 64, 0);
    for (int i = 0; i < 3003; i++) assert_int_equal(memory[i], 0);
    free(memory);
    assert_int_equal(xc_allocate(&memory, SIZE_MAX / 2, 3, "a test", &error), XC_MEMORY);
    assert_null(memory);
    assert_non_null(strstr(error.text, "a test"));
}

static void a_commit_replaces_the_file_whole(void **state) {
    (void)state;
    char *path = xc_path_join(folder, "table.tsv");
    xc_error error = {0};
    for (int round = 0; round < 2; round++) {
        xc_file file;
        assert_int_equal(xc_file_create(&file, path, true, &error), XC_OK);
        fprintf(file.stream, "round %d\n", round);
        assert_int_equal(xc_file_commit(&file, &error), XC_OK);
        xc_file_discard(&file);
    }
    assert_content(path, "round 1\n");
    assert_int_equal(count_files(), 1);
    free(path);
}

static void a_discard_leaves_the_old_file(void **state) {
    (void)state;
    char *path = xc_path_join(folder, "table.tsv");
    xc_error error = {0};
    xc_file file;
    assert_int_equal(xc_file_create(&file, path, true, &error), XC_OK);
    fputs("old", file.stream);
    assert_int_equal(xc_file_commit(&file, &error), XC_OK);
    assert_int_equal(xc_file_create(&file, path, true, &error), XC_OK);
    fputs("new", file.stream);
    xc_file_discard(&file);
    assert_content(path, "old");
    assert_int_equal(count_files(), 1);
    free(path);
}

/* A child whose files may not grow past 4 KiB stands for a full disk. */
static void a_full_disk_leaves_the_old_file(void **state) {
    (void)state;
    char *path = xc_path_join(folder, "table.tsv");
    xc_error error = {0};
    xc_file file;
    assert_int_equal(xc_file_create(&file, path, true, &error), XC_OK);
    fputs("old", file.stream);
    assert_int_equal(xc_file_commit(&file, &error), XC_OK);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {4096, 4096};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        if (xc_file_create(&file, path, true, &error) != XC_OK) _exit(2);
        for (int i = 0; i < 100000; i++) fputs("new ", file.stream);
        const xc_status status = xc_file_commit(&file, &error);
        _exit(status == XC_IO && strstr(error.text, "table.tsv") && !strchr(error.text, '\n') ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_content(path, "old");
    assert_int_equal(count_files(), 1);
    free(path);
}

static void a_link_stays_a_link(void **state) {
    (void)state;
    char *path = xc_path_join(folder, "table.tsv"), *link = xc_path_join(folder, "link.tsv");
    xc_error error = {0};
    xc_file file;
    assert_int_equal(symlink("table.tsv", link), 0);
    fclose(fopen(path, "w"));
    assert_int_equal(xc_file_create(&file, link, true, &error), XC_OK);
    fputs("new", file.stream);
    assert_int_equal(xc_file_commit(&file, &error), XC_OK);
    assert_content(path, "new");
    struct stat about;
    assert_int_equal(lstat(link, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_int_equal(count_files(), 2);
    free(path);
    free(link);
}

/* A pipe of our own stands for /dev/null and its like, which a rename would replace for everybody. */
static void what_is_no_plain_file_is_not_replaced(void **state) {
    (void)state;
    char *path = xc_path_join(folder, "pipe");
    xc_error error = {0};
    xc_file file;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(xc_file_create(&file, path, true, &error), XC_IO);
    assert_non_null(strstr(error.text, "pipe: is not a plain file"));
    assert_int_equal(xc_file_create(&file, folder, true, &error), XC_IO);
    free(path);
}

static void reading_refuses_what_is_no_text(void **state) {
    (void)state;
    char *text;
    xc_error error = {0};
    assert_int_equal(xc_file_read(folder, 100, &text, NULL, &error), XC_INPUT);
    assert_non_null(strstr(error.text, "folder"));
    assert_int_equal(xc_file_read("/nonexistent/x", 100, &text, NULL, &error), XC_INPUT);
    assert_non_null(strstr(error.text, "No such file"));
    assert_int_equal(xc_file_read("/dev/zero", 100, &text, NULL, &error), XC_INPUT);
    assert_non_null(strstr(error.text, "larger than 100 bytes"));
}

static void folders_are_made_with_their_parents(void **state) {
    (void)state;
    char path[128];
    xc_error error = {0};
    snprintf(path, sizeof path, "%s/a/b/c", folder);
    assert_int_equal(xc_make_folder(path, &error), XC_OK);
    assert_int_equal(xc_make_folder(path, &error), XC_OK);
    assert_true(xc_path_exists(path));
    snprintf(path, sizeof path, "%s/a/file", folder);
    fclose(fopen(path, "w"));
    strcat(path, "/d");
    assert_int_equal(xc_make_folder(path, &error), XC_IO);
}

static void add_one(void *context, int thread) { __atomic_add_fetch((int *)context + thread, 1, __ATOMIC_RELAXED); }

static void every_thread_works_once(void **state) {
    (void)state;
    int done[7] = {0};
    xc_parallel(7, add_one, done);
    for (int i = 0; i < 7; i++) assert_int_equal(done[i], 1);
    assert_true(xc_core_count() >= 1);
}

static void an_interrupt_sets_the_flag_and_the_next_one_ends(void **state) {
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        xc_interrupt_install();
        if (xc_interrupted()) _exit(1);
        raise(SIGINT);
        if (!xc_interrupted()) _exit(2);
        raise(SIGINT);
        _exit(3);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

static void bounded_numbers_are_fair_and_within(void **state) {
    (void)state;
    enum { BOUND = 7, DRAWS = 70000 };
    int seen[BOUND] = {0};
    xc_random_sequence sequence = {.seed = 5, .stream = XC_STREAM_ORDER, .substream = 3};
    for (int i = 0; i < DRAWS; i++) {
        const uint32_t value = xc_random_below(&sequence, BOUND);
        assert_true(value < BOUND);
        seen[value]++;
    }
    /* Each count is binomial with standard deviation 93; five of them. */
    for (int i = 0; i < BOUND; i++) assert_in_range(seen[i], 10000 - 465, 10000 + 465);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_is_one_line),
        cmocka_unit_test(the_nearest_word_is_found),
        cmocka_unit_test(memory_is_zeroed_aligned_and_refused),
        cmocka_unit_test_setup_teardown(a_commit_replaces_the_file_whole, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_discard_leaves_the_old_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_old_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_link_stays_a_link, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_no_plain_file_is_not_replaced, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(reading_refuses_what_is_no_text, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(folders_are_made_with_their_parents, make_folder, remove_folder),
        cmocka_unit_test(every_thread_works_once),
        cmocka_unit_test(an_interrupt_sets_the_flag_and_the_next_one_ends),
        cmocka_unit_test(bounded_numbers_are_fair_and_within),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
