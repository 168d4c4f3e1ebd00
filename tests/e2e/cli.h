/* cli.h: what the command-line tests share: running ./expconv ($EXPCONV names another), a folder that is removed
 * afterwards, and small HDF5 files, good ones and spoilt ones. Functions are inline because each test is one program.
 */
#ifndef EXPCONV_TESTS_CLI_H
#define EXPCONV_TESTS_CLI_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <hdf5.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../folder_fixture.h"

/* ---- a folder for each test ---------------------------------------------------------------------------------------
 */

/* What in_folder gave out, freed with the folder. */
static struct path {
    struct path *next;
    char text[];
} * paths;

static inline int remove_test_folder(void **state) {
    for (struct path *next; paths; paths = next) {
        next = paths->next;
        free(paths);
    }
    return remove_folder(state);
}

/* "FOLDER/name", good until the end of the test. */
static inline const char *in_folder(const char *format, ...) {
    char name[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const size_t size = strlen(folder) + strlen(name) + 2;
    struct path *path = malloc(sizeof *path + size);
    assert_non_null(path);
    snprintf(path->text, size, "%s/%s", folder, name);
    path->next = paths;
    paths = path;
    return path->text;
}

static inline char *read_text(const char *path) {
    FILE *stream = fopen(path, "rb");
    if (!stream) fail_msg("cannot read %s", path);
    char *text = NULL;
    size_t size = 0, used = 0, count;
    do {
        text = realloc(text, size += 65536);
        count = fread(text + used, 1, size - used - 1, stream);
        used += count;
    } while (count > 0);
    text[used] = 0;
    fclose(stream);
    return text;
}

static inline const char *write_text(const char *name, const char *text) {
    const char *path = in_folder("%s", name);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
    return path;
}

static inline bool exists(const char *path) { return access(path, F_OK) == 0; }

static inline void assert_same_bytes(const char *one, const char *other) {
    char command[1200];
    snprintf(command, sizeof command, "cmp -s '%s' '%s'", one, other);
    if (system(command) != 0) fail_msg("%s and %s differ", one, other);
}

/* Nothing that was begun and not finished lies about. */
static inline void assert_no_leftovers(void) {
    char command[256];
    snprintf(command, sizeof command, "test -z \"$(find '%s' -name '*.tmp')\"", folder);
    if (system(command) != 0) fail_msg("temporary files were left in %s", folder);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_test_folder)

/* ---- running ------------------------------------------------------------------------------------------------------
 */

typedef struct outcome {
    int status; /* exit status; 128 + signal when it was killed */
    char *out, *err;
} outcome;

/* Starts `expconv ARGUMENTS` through the shell, which becomes it. file_limit > 0: no file may be larger. */
static inline pid_t start(rlim_t file_limit, const char *arguments) {
    char command[8192];
    const char *program = getenv("EXPCONV");
    snprintf(command, sizeof command, "exec %s %s >'%s/stdout' 2>'%s/stderr'", program ? program : "./expconv",
             arguments, folder, folder);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) return child;
    if (file_limit > 0) {
        const struct rlimit limit = {file_limit, file_limit};
        signal(SIGXFSZ, SIG_IGN); /* writing fails, as on a full disk */
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static inline outcome finish(pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    outcome result = {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), NULL, NULL};
    result.out = read_text(in_folder("stdout"));
    result.err = read_text(in_folder("stderr"));
    return result;
}

static inline void sleep_milliseconds(long milliseconds) {
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Starts the command and kills it, each time a little later, until it ends by itself; two kills at least. */
static inline void kill_until_done(const char *arguments, long first_milliseconds, long later_by) {
    int kills = 0;
    for (long milliseconds = first_milliseconds;; milliseconds += later_by, kills++) {
        const pid_t child = start(0, arguments);
        sleep_milliseconds(milliseconds);
        kill(child, SIGKILL);
        outcome result = finish(child);
        const int status = result.status;
        free(result.out);
        free(result.err);
        if (status == 0) break;
        assert_int_equal(status, 128 + SIGKILL);
    }
    assert_true(kills >= 2);
}

static inline outcome run(const char *format, ...) {
    char arguments[3500];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    return finish(start(0, arguments));
}

static inline void end(outcome *result) {
    free(result->out);
    free(result->err);
    *result = (outcome){0};
}

static inline void assert_contains(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("\"%s\" is not in: %s", part, text);
}

/* Done, and nothing to complain about. */
static inline void assert_done(const outcome *result) {
    if (result->status != 0) fail_msg("exit status %d: %s", result->status, result->err);
}

/* Failed with this status, nothing on stdout, and one line of error that holds every part (NULL-terminated). */
static inline void assert_refused(const outcome *result, int status, ...) {
    const char *line = result->err, *part;
    if (result->status != status) fail_msg("exit status %d instead of %d: %s", result->status, status, result->err);
    if (strncmp(line, "expconv: error: ", 16) != 0) fail_msg("not an error line: %s", line);
    if (strchr(line, '\n') != line + strlen(line) - 1) fail_msg("not one line: %s", line);
    assert_string_equal(result->out, "");
    va_list parts;
    va_start(parts, status);
    while ((part = va_arg(parts, const char *))) assert_contains(line, part);
    va_end(parts);
}

/* ---- HDF5 files ---------------------------------------------------------------------------------------------------
 */

enum { LENGTH = 40, CLASSES = 2, TRAIN = 200, VALID = 60, TEST = 70 };

/* Writes float data as dataset `name`, in place of one that is there. */
static inline void put(const char *path, const char *name, int rank, const hsize_t *dims, const float *data) {
    const hid_t file = exists(path) ? H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT)
                                    : H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    if (H5Lexists(file, name, H5P_DEFAULT) > 0) H5Ldelete(file, name, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t set = H5Dcreate2(file, name, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    if (data) assert_true(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Fclose(file);
}

static inline void drop(const char *path, const char *name) {
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
    H5Fclose(file);
}

/* Base l of sequence i of a split: reproducible, and with a word of its own in the sequences of each class. */
static inline int base_of(int split, int i, int l) {
    static const int words[CLASSES][8] = {{0, 1, 2, 3, 0, 0, 1, 1}, {3, 3, 2, 2, 1, 3, 0, 2}};
    uint32_t hash = (uint32_t)(split * 1000003 + i * 8191 + l) * 2654435761u;
    hash ^= hash >> 15;
    hash *= 2246822519u;
    hash ^= hash >> 13;
    for (int c = 0; c < CLASSES; c++)
        if ((i >> c & 1) && l >= 5 + 15 * c && l < 13 + 15 * c) return words[c][l - 5 - 15 * c];
    return (int)(hash & 3);
}

static inline float label_of(int i, int class) { return (float)(i >> class & 1); }

/* X (n,4,LENGTH), to be freed. */
static inline float *one_hot(int split, int count) {
    float *x = calloc((size_t)count * 4 * LENGTH, sizeof *x);
    for (int i = 0; i < count; i++)
        for (int l = 0; l < LENGTH; l++) x[((size_t)i * 4 + (size_t)base_of(split, i, l)) * LENGTH + (size_t)l] = 1;
    return x;
}

/* Y (n,CLASSES), to be freed. */
static inline float *labels(int count) {
    float *y = calloc((size_t)count * CLASSES, sizeof *y);
    for (int i = 0; i < count; i++)
        for (int c = 0; c < CLASSES; c++) y[i * CLASSES + c] = label_of(i, c);
    return y;
}

/* A good file in the paper's layout. Its networks learn in a few epochs. */
static inline const char *make_data(const char *name) {
    static const char *const words[] = {"train", "valid", "test"};
    static const int counts[] = {TRAIN, VALID, TEST};
    const char *path = in_folder("%s", name);
    for (int split = 0; split < 3; split++) {
        char set[16];
        float *x = one_hot(split, counts[split]), *y = labels(counts[split]);
        snprintf(set, sizeof set, "X_%s", words[split]);
        put(path, set, 3, (hsize_t[]){(hsize_t)counts[split], 4, LENGTH}, x);
        snprintf(set, sizeof set, "Y_%s", words[split]);
        put(path, set, 2, (hsize_t[]){(hsize_t)counts[split], CLASSES}, y);
        free(x);
        free(y);
    }
    return path;
}

/* A config of the tiny network on that file, with `more` at its end. */
static inline const char *make_config(const char *name, const char *data, const char *more) {
    char text[4096];
    snprintf(text, sizeof text,
             "data: {file: \"%s\"}\n"
             "model:\n"
             "  zoo: tiny\n"
             "  activation: relu\n"
             "  blocks:\n"
             "    - {conv: 8, width: 9, dropout: 0.1, pool: 8}\n"
             "    - {dense: 12, dropout: 0.3}\n"
             "%s",
             data, more);
    return write_text(name, text);
}

#endif
