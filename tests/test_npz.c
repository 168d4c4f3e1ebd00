/* test_npz.c: arrays as NumPy's .npz: the .npy entry byte by byte, stored, read back with libzip; the same bytes twice;
 * nothing left of what was not finished; full disks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zip.h>

#include "data_fixture.h"

enum { COUNT = 11, LENGTH = 37, ROW = 4 * LENGTH, HEADER = 128 };

/* ---- writing and reading ------------------------------------------------------------------------------------------
 */

static float floats[COUNT * ROW];

static int make_values(void **state) {
    for (int i = 0; i < COUNT * ROW; i++) floats[i] = (float)(i - 700) / 3;
    return fixture_open(state);
}

/* All rows, `step` at a time. */
static void write_rows(xc_npz *npz, size_t step) {
    for (size_t row = 0; row < COUNT; row += step)
        MUST(xc_npz_write(npz, floats + row * ROW, COUNT - row < step ? COUNT - row : step, error));
}

static const char *write_file(const char *name, size_t step) {
    xc_npz *npz;
    MUST(xc_npz_create(fixture_path(name), COUNT, LENGTH, &npz, error));
    write_rows(npz, step);
    MUST(xc_npz_commit(npz, error));
    xc_npz_discard(npz);
    return fixture_path(name);
}

/* The one entry of the archive, open; its size. */
static zip_file_t *open_entry(zip_t *zip, zip_uint64_t *size) {
    zip_stat_t about;
    assert_int_equal(zip_get_num_entries(zip, 0), 1);
    assert_int_equal(zip_stat(zip, "arr_0.npy", 0, &about), 0);
    assert_int_equal(about.comp_method, ZIP_CM_STORE);
    *size = about.size;
    zip_file_t *file = zip_fopen(zip, "arr_0.npy", 0);
    assert_non_null(file);
    return file;
}

static void check_file(const char *path) {
    static const char start[] =
        "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (11, 4, 37), }";
    const size_t started = sizeof start - 1, data = sizeof floats;
    static char content[HEADER + sizeof floats + 1];
    zip_uint64_t size;
    zip_t *zip = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, NULL);
    assert_non_null(zip);
    zip_file_t *file = open_entry(zip, &size);
    assert_int_equal(size, HEADER + data);
    assert_int_equal(zip_fread(file, content, sizeof content), (zip_int64_t)size); /* the checksum too */
    assert_int_equal(zip_fclose(file), 0);
    zip_discard(zip);
    assert_memory_equal(content, start, started);
    for (size_t i = started; i < HEADER - 1; i++) assert_int_equal(content[i], ' ');
    assert_int_equal(content[HEADER - 1], '\n');
    assert_memory_equal(content + HEADER, floats, data);
}

static void rows_are_read_back(void **state) {
    (void)state;
    struct stat about;
    check_file(write_file("float.npz", 4));
    check_file(write_file("float.npz", COUNT)); /* in place of the other */
    assert_int_equal(fixture_files(false), 1);
    const mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(fixture_path("float.npz"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0666 & ~mask);
}

static void the_same_bytes_twice(void **state) {
    (void)state;
    char *one, *other;
    size_t size, other_size;
    write_file("one.npz", 2);
    sleep(2);                         /* an archive's times are of two seconds */
    setenv("TZ", "EST5", 1), tzset(); /* and local */
    write_file("other.npz", 5);
    unsetenv("TZ"), tzset();
    MUST(xc_file_read(fixture_path("one.npz"), 1 << 20, &one, &size, error));
    MUST(xc_file_read(fixture_path("other.npz"), 1 << 20, &other, &other_size, error));
    assert_int_equal(size, other_size);
    assert_memory_equal(one, other, size);
    free(one);
    free(other);
}

/* ---- nothing or the whole -----------------------------------------------------------------------------------------
 */

static void discard_leaves_nothing(void **state) {
    (void)state;
    xc_npz *npz;
    fixture_files(true);
    MUST(xc_npz_create(fixture_path("gone.npz"), COUNT, LENGTH, &npz, error));
    MUST(xc_npz_write(npz, floats, 3, error));
    xc_npz_discard(npz);
    xc_npz_discard(NULL);
    assert_int_equal(fixture_files(false), 0);
}

static void rows_must_be_as_many_as_announced(void **state) {
    (void)state;
    xc_npz *npz;
    MUST(xc_npz_create(fixture_path("few.npz"), COUNT, LENGTH, &npz, error));
    MUST(xc_npz_write(npz, floats, 3, error));
    MUST_FAIL(xc_npz_write(npz, floats, COUNT - 2, error), XC_IO,
              "few.npz: cannot write: there are more rows than were announced");
    MUST_FAIL(xc_npz_commit(npz, error), XC_IO, "few.npz: cannot write: rows are missing");
    xc_npz_discard(npz);
    assert_int_equal(fixture_files(false), 0);
    MUST_FAIL(xc_npz_create("no/such.npz", COUNT, LENGTH, &npz, error), XC_IO, "no/such.npz");
    assert_null(npz);
    MUST_FAIL(xc_npz_create(".", COUNT, LENGTH, &npz, error), XC_IO, "is not a plain file");
    assert_null(npz);
}

/* From now on no file may be larger; 0: as before. Writing beyond fails, as on a full disk. */
static void limit_files(rlim_t size) {
    struct rlimit limit;
    static rlim_t before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    if (size) before = limit.rlim_cur;
    signal(SIGXFSZ, size ? SIG_IGN : SIG_DFL);
    limit.rlim_cur = size ? size : before;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* While rows are written, and while they become an archive. An archive that was there stays. */
static void a_disk_that_fills_up_is_an_error(void **state) {
    (void)state;
    const rlim_t all = HEADER + sizeof floats, limits[] = {100, all / 2, all - 1, all, all + 40};
    write_file("full.npz", COUNT);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        xc_npz *npz;
        xc_error reason = {0};
        MUST(xc_npz_create(fixture_path("full.npz"), COUNT, LENGTH, &npz, error));
        limit_files(limits[i]);
        xc_status status = xc_npz_write(npz, floats, COUNT, &reason);
        if (status == XC_OK) status = xc_npz_commit(npz, &reason);
        limit_files(0);
        assert_int_equal(status, XC_IO);
        assert_non_null(strstr(reason.text, "full.npz: cannot write: "));
        assert_null(strchr(reason.text, '\n'));
        xc_npz_discard(npz);
        assert_int_equal(fixture_files(false), 1);
        check_file(fixture_path("full.npz"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_back),
        cmocka_unit_test(the_same_bytes_twice),
        cmocka_unit_test(discard_leaves_nothing),
        cmocka_unit_test(rows_must_be_as_many_as_announced),
        cmocka_unit_test(a_disk_that_fills_up_is_an_error),
    };
    return cmocka_run_group_tests_name("npz", tests, make_values, fixture_close);
}
