/* data_fixture.h: what the tests of the data and motif rooms share: a temporary folder, files of text, real data when
 * it is there, and calls that must succeed or must fail with a given line. Included once by a test program, after
 * cmocka.
 */
#ifndef EXPCONV_DATA_FIXTURE_H
#define EXPCONV_DATA_FIXTURE_H

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expconv/data.h"

/* Ends the test when a fallible call fails; `error` is the name of the xc_error it may use. */
#define MUST(call)                                                       \
    do {                                                                 \
        xc_error must_error = {0}, *error = &must_error;                 \
        if ((call) != XC_OK) fail_msg("%s: %s", #call, must_error.text); \
    } while (0)

/* Ends the test unless the call fails with `wanted` status, one line, and `part` in it. */
#define MUST_FAIL(call, wanted, part)                                                                                  \
    do {                                                                                                               \
        xc_error must_error = {0}, *error = &must_error;                                                               \
        const xc_status must_status = (call);                                                                          \
        if (must_status != (wanted) || must_error.status != (wanted) || !strstr(must_error.text, (part)))              \
            fail_msg("%s: status %d, \"%s\"; expected %d, \"%s\"", #call, must_status, must_error.text, wanted, part); \
    } while (0)

static char fixture_folder[64];

/* Group set-up and tear-down: a fresh folder, removed with the files in it. */
static inline int fixture_open(void **state) {
    (void)state;
    snprintf(fixture_folder, sizeof fixture_folder, "/tmp/expconv_test_XXXXXX");
    return mkdtemp(fixture_folder) ? 0 : -1;
}

/* How many files the folder holds; with `remove`, none afterwards. */
static inline int fixture_files(bool remove) {
    int count = 0;
    DIR *folder = opendir(fixture_folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[400];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", fixture_folder, entry->d_name);
        if (remove) unlink(path);
        count++;
    }
    closedir(folder);
    return count;
}

static inline int fixture_close(void **state) {
    (void)state;
    fixture_files(true);
    return rmdir(fixture_folder);
}

/* The path of a name in the folder; good until the eighth call after. */
static inline const char *fixture_path(const char *name) {
    static char paths[8][128];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", fixture_folder, name);
    return path;
}

/* Writes `size` bytes as a file of the folder; returns its path. */
static inline const char *fixture_write(const char *name, const void *content, size_t size) {
    const char *path = fixture_path(name);
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(content, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
    return path;
}

static inline const char *fixture_text(const char *name, const char *text) {
    return fixture_write(name, text, strlen(text));
}

/* A file of real data, found in $EXPCONV_TEST_DATA or ../shared/data; the test is skipped when it is not there. */
static inline const char *fixture_data(const char *name) {
    static char path[512];
    const char *folder = getenv("EXPCONV_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "../shared/data", name);
    if (access(path, R_OK) != 0) {
        print_message("%s is not there\n", path);
        skip();
    }
    return path;
}

#endif
