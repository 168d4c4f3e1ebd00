/* test_sweep.c: the grid's order and names, and the statistics of a setting against numbers made with numpy. What needs
 * trained networks is tested through the command line (test_cli_sweep.c and its neighbours).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expconv/sweep.h"

/* ---- statistics -------------------------------------------------------------------------------------------------- */

static void test_statistics_as_numpy(void **state) {
    (void)state;
    double values[] = {7.5, -1, 3, 3, 12.25, 0.5};
    const xc_statistics s = xc_statistics_of(values, 6);
    assert_int_equal(s.count, 6);
    assert_true(fabs(s.mean - 4.208333333333333) < 1e-14);
    assert_true(fabs(s.deviation - 4.8847125469843835) < 1e-14); /* numpy.std(ddof=1) */
    assert_true(s.median == 3);
    assert_true(fabs(s.lower_quartile - 1.125) < 1e-14);
    assert_true(fabs(s.upper_quartile - 6.375) < 1e-14);
}

static void test_statistics_without_nan(void **state) {
    (void)state;
    double values[] = {NAN, 4, INFINITY, 2, -NAN, 3, 1};
    const xc_statistics s = xc_statistics_of(values, 7);
    assert_int_equal(s.count, 4);
    assert_true(s.mean == 2.5 && s.median == 2.5);
    assert_true(s.lower_quartile == 1.75 && s.upper_quartile == 3.25);
    assert_true(fabs(s.deviation - 1.2909944487358056) < 1e-15);
}

static void test_statistics_of_few(void **state) {
    (void)state;
    double one[] = {5};
    const xc_statistics s = xc_statistics_of(one, 1);
    assert_int_equal(s.count, 1);
    assert_true(s.mean == 5 && s.median == 5 && s.lower_quartile == 5 && s.upper_quartile == 5);
    assert_true(isnan(s.deviation));
    const xc_statistics none = xc_statistics_of(one, 0);
    assert_int_equal(none.count, 0);
    assert_true(isnan(none.mean) && isnan(none.median) && isnan(none.deviation) && isnan(none.upper_quartile));
}

/* ---- grid -------------------------------------------------------------------------------------------------------- */

#define BLOCKS "model: {zoo: tiny, activation: relu, blocks: [{conv: 4, width: 7, pool: 10}, {dense: 8}]}\n"

static xc_config *read_config(const char *text) {
    char path[] = "/tmp/expconv-sweep-XXXXXX";
    xc_config *config = NULL;
    xc_error error = {0};
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    const xc_status status = xc_config_read(path, NULL, 0, &config, &error);
    unlink(path);
    if (status != XC_OK) fail_msg("%s", error.text);
    return config;
}

static void test_grid_order_and_names(void **state) {
    (void)state;
    xc_error error = {0};
    xc_grid grid;
    xc_config *config = read_config("data: {file: none.h5}\n" BLOCKS
                                    "train: {seed: 7}\n"
                                    "sweep: {activation: [relu, exponential], scale: [0.1, 1, 5], seeds: 2}\n");
    assert_int_equal(xc_grid_build(config, "here/", &grid, &error), XC_OK);
    static const char *const names[] = {
        "tiny.relu.glorot_uniform.scale0.1.s007",        "tiny.relu.glorot_uniform.scale0.1.s008",
        "tiny.relu.glorot_uniform.scale1.s007",          "tiny.relu.glorot_uniform.scale1.s008",
        "tiny.relu.glorot_uniform.scale5.s007",          "tiny.relu.glorot_uniform.scale5.s008",
        "tiny.exponential.glorot_uniform.scale0.1.s007", "tiny.exponential.glorot_uniform.scale0.1.s008",
        "tiny.exponential.glorot_uniform.scale1.s007",   "tiny.exponential.glorot_uniform.scale1.s008",
        "tiny.exponential.glorot_uniform.scale5.s007",   "tiny.exponential.glorot_uniform.scale5.s008"};
    assert_int_equal(grid.count, 12);
    assert_int_equal(grid.seeds, 2);
    for (size_t i = 0; i < grid.count; i++) {
        char folder[128];
        snprintf(folder, sizeof folder, "here/trials/%s", names[i]);
        assert_string_equal(grid.trial[i].name, names[i]);
        assert_string_equal(grid.trial[i].folder, folder);
        assert_int_equal(grid.trial[i].status, XC_TRIAL_WAITING);
        assert_int_equal(grid.trial[i].config->sweep.activation_count, 0);
    }
    assert_int_equal(grid.trial[10].config->model.activation, XC_EXPONENTIAL);
    assert_true(grid.trial[10].config->exponential.scale == 5);
    assert_int_equal(grid.trial[11].config->train.seed, 8);

    assert_int_equal(grid.varied_count, 3);
    assert_string_equal(grid.varied[0], "activation");
    assert_string_equal(grid.varied[1], "scale");
    assert_string_equal(grid.varied[2], "seed");
    char value[32];
    xc_grid_value(&grid.trial[1], "scale", value, sizeof value);
    assert_string_equal(value, "0.1");
    xc_grid_value(&grid.trial[1], "seed", value, sizeof value);
    assert_string_equal(value, "8");
    xc_grid_value(&grid.trial[1], "zoo", value, sizeof value);
    assert_string_equal(value, "tiny");
    xc_grid_free(&grid);
    xc_config_free(config);
}

static void test_grid_of_one(void **state) {
    (void)state;
    xc_error error = {0};
    xc_grid grid;
    xc_config *config = read_config("data: {file: none.h5}\n" BLOCKS);
    assert_int_equal(xc_grid_build(config, "here", &grid, &error), XC_OK);
    assert_int_equal(grid.count, 1);
    assert_string_equal(grid.trial[0].name, "tiny.relu.glorot_uniform.s000");
    assert_int_equal(grid.varied_count, 1);
    assert_string_equal(grid.varied[0], "seed");
    xc_grid_free(&grid);
    xc_config_free(config);
}

static void test_grid_every_axis(void **state) {
    (void)state;
    xc_error error = {0};
    xc_grid grid;
    xc_config *config =
        read_config("data: {file: none.h5}\n" BLOCKS
                    "sweep: {activation: [exponential], init: [normal], stddev: [0.005, 2], scale: [2],\n"
                    "        clip: [10, 30], learning_rate: [1.0e-5], seeds: 1}\n");
    assert_int_equal(xc_grid_build(config, "here", &grid, &error), XC_OK);
    assert_int_equal(grid.count, 4);
    assert_string_equal(grid.trial[1].name,
                        "tiny.exponential.normal.stddev0.005.scale2.clip30.learning_rate1e-05.s000");
    assert_int_equal(grid.trial[3].config->model.init, XC_INIT_NORMAL);
    assert_true(grid.trial[3].config->model.stddev == 2 && grid.trial[3].config->exponential.clip == 30);
    assert_true(grid.trial[3].config->train.learning_rate == 1e-5);
    assert_int_equal(grid.varied_count, 7);
    xc_grid_free(&grid);
    xc_config_free(config);
}

static void test_grid_zoo_brings_its_blocks(void **state) {
    (void)state;
    xc_error error = {0};
    xc_grid grid;
    if (!xc_zoo_names()[0]) skip();
    xc_config *config = read_config("data: {file: none.h5}\nsweep: {zoo: [cnn-2, cnn-deep], seeds: 3}\n");
    assert_int_equal(xc_grid_build(config, "here", &grid, &error), XC_OK);
    assert_int_equal(grid.count, 6);
    assert_string_equal(grid.trial[2].name, "cnn-2.exponential.glorot_uniform.s002");
    assert_string_equal(grid.trial[3].name, "cnn-deep.exponential.glorot_uniform.s000");
    assert_true(grid.trial[3].config->model.blocks_count > grid.trial[2].config->model.blocks_count);
    assert_true(xc_trials_fit(grid.trial[0].config, grid.trial[2].config));
    assert_false(xc_trials_fit(grid.trial[2].config, grid.trial[3].config));
    grid.trial[2].config->model.precision = XC_TF32;
    assert_false(xc_trials_fit(grid.trial[0].config, grid.trial[2].config));
    xc_grid_free(&grid);
    xc_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics_as_numpy),
        cmocka_unit_test(test_statistics_without_nan),
        cmocka_unit_test(test_statistics_of_few),
        cmocka_unit_test(test_grid_order_and_names),
        cmocka_unit_test(test_grid_of_one),
        cmocka_unit_test(test_grid_every_axis),
        cmocka_unit_test(test_grid_zoo_brings_its_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
