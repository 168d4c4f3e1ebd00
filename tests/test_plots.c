/* test_plots.c: box plots, training curves and activation functions: ticks by hand, the numbers of a box and where they
 * stand, what is said where nothing was measured, the values of the activations, and that files are whole and the same
 * twice. How the plots look, people judge.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../host/report/axis.h"
#include "../host/report/boxes.h"
#include "folder_fixture.h"

/* ---- ticks ------------------------------------------------------------------------------------------------------- */

/* `expected` are the labels, with a space after each. */
static void assert_labels(xc_ticks ticks, const char *expected) {
    char all[512] = "", label[64];
    for (int i = 0; i < ticks.count; i++) {
        xc_tick_label(&ticks, i, label, sizeof label);
        strcat(strcat(all, label), " ");
    }
    assert_string_equal(all, expected);
}

static void test_ticks(void **state) {
    (void)state;
    assert_labels(xc_ticks_of(0, 1, 5), "0 0.2 0.4 0.6 0.8 1.0 ");
    assert_labels(xc_ticks_of(0, 1, 2), "0 0.5 1.0 ");
    assert_labels(xc_ticks_of(0.03, 0.97, 5), "0 0.2 0.4 0.6 0.8 1.0 ");
    assert_labels(xc_ticks_of(-7, 12, 4), "−10 −5 0 5 10 15 ");
    assert_labels(xc_ticks_of(-0.31, -0.12, 4), "−0.35 −0.30 −0.25 −0.20 −0.15 −0.10 ");
    assert_labels(xc_ticks_of(0, 4000, 4), "0 1000 2000 3000 4000 ");
    assert_labels(xc_ticks_of(0, 1.9e6, 2), "0 10⁶ 2×10⁶ ");
    assert_labels(xc_ticks_of(-3e-7, 0, 3), "−3×10⁻⁷ −2×10⁻⁷ −10⁻⁷ 0 ");
}

static void test_ticks_are_exact(void **state) {
    (void)state;
    const xc_ticks ticks = xc_ticks_of(0, 1, 10);
    assert_int_equal(ticks.count, 11);
    assert_true(ticks.value[3] == 0.3 && ticks.value[7] == 0.7); /* not 3 * 0.1 */
    assert_true(ticks.low == 0 && ticks.high == 1);
    const xc_ticks tiny = xc_ticks_of(1.00000001, 1.00000003, 2);
    assert_true(tiny.value[0] == 1.00000001 && tiny.value[tiny.count - 1] == 1.00000003);
    assert_labels(tiny, "1.00000001 1.00000002 1.00000003 ");
}

static void test_ticks_without_a_range(void **state) {
    (void)state;
    assert_labels(xc_ticks_of(0, 0, 2), "0 0.5 1.0 ");
    assert_labels(xc_ticks_of(NAN, 1, 2), "0 0.5 1.0 ");
    assert_labels(xc_ticks_of(INFINITY, -INFINITY, 2), "0 0.5 1.0 ");
    assert_labels(xc_ticks_of(-INFINITY, 3, 2), "0 0.5 1.0 ");
    assert_labels(xc_ticks_of(40, 40, 4), "38 39 40 41 42 ");
    assert_labels(xc_ticks_of(-2, -2, 2), "−2.1 −2.0 −1.9 ");
    assert_labels(xc_ticks_of(0.3, 0.1 + 0.2, 3), "0.28 0.29 0.30 0.31 0.32 "); /* as good as equal */
    const double extremes[] = {-DBL_MAX, -1e-300, 1e-320, DBL_MIN, 1e200, DBL_MAX};
    for (int a = 0; a < 6; a++) {
        for (int b = a; b < 6; b++) {
            const xc_ticks ticks = xc_ticks_of(extremes[a], extremes[b], 5);
            assert_true(ticks.count >= 2 && ticks.count <= XC_TICKS_MOST && ticks.low < ticks.high);
            for (int i = 0; i < ticks.count; i++) assert_true(isfinite(ticks.value[i]));
        }
    }
}

static void test_ticks_within(void **state) {
    (void)state;
    const xc_ticks epochs = xc_ticks_within(0, 82, 5);
    assert_labels(epochs, "0 20 40 60 80 ");
    assert_true(epochs.low == 0 && epochs.high == 82);
    assert_labels(xc_ticks_within(0, 1, 1), "0 1 ");
    assert_labels(xc_ticks_within(0, 3, 3), "0 1 2 3 ");
    assert_labels(xc_ticks_within(-0.3, 6.3, 3), "0 2 4 6 "); /* 0 and 5 would be too few */
    assert_labels(xc_ticks_within(-4, 2.1, 3), "−4 −2 0 2 ");
    assert_true(xc_ticks_within(7, 7, 3).count >= 2);
}

static void test_ticks_of_fractions(void **state) {
    (void)state;
    assert_labels(xc_ticks_of_fraction(0.2, 0.6, 5), "0 0.2 0.4 0.6 0.8 1.0 ");
    assert_labels(xc_ticks_of_fraction(0.912, 0.976, 5), "0.90 0.92 0.94 0.96 0.98 ");
    assert_labels(xc_ticks_of_fraction(0.5, 0.99, 5), "0.5 0.6 0.7 0.8 0.9 1.0 ");
    assert_true(xc_ticks_of_fraction(1, 1, 5).high == 1); /* room below only */
    assert_true(xc_ticks_of_fraction(0.999, 1, 5).high == 1);
    assert_labels(xc_ticks_of_fraction(0, 0, 2), "0 0.5 1.0 ");
    assert_labels(xc_ticks_of_fraction(-1, 1, 2), "−1 0 1 "); /* no fraction, but shown */
    assert_labels(xc_ticks_of_fraction(NAN, NAN, 2), "0 0.5 1.0 ");
}

static void test_ticks_of_logarithms(void **state) {
    (void)state;
    assert_labels(xc_ticks_of_logarithm(0.11, 3, 5), "0.1 0.2 0.5 1 2 5 ");
    assert_labels(xc_ticks_of_logarithm(0.2, 300, 5), "1 10 100 ");
    assert_labels(xc_ticks_of_logarithm(2, 2, 5), "2 5 ");
    assert_labels(xc_ticks_of_logarithm(1, 1e12, 4), "1 1000 10⁶ 10⁹ 10¹² ");
    assert_labels(xc_ticks_of_logarithm(0, 1, 2), "0 0.5 1.0 "); /* no logarithm of 0 */
    const xc_plot plot = {.top = 10, .height = 100, .y = xc_ticks_of_logarithm(0.1, 1000, 4)};
    assert_true(fabs(xc_plot_y(&plot, 1) - 85) < 1e-9);
    assert_true(isnan(xc_plot_y(&plot, NAN)) && !isfinite(xc_plot_y(&plot, 0)));
}

/* ---- boxes ------------------------------------------------------------------------------------------------------- */

static void test_box_of_a_known_sample(void **state) {
    (void)state;
    /* Sorted 0 to 7 and 12.01: quartiles 2, 4, 6, so that whiskers reach to -4 and to 12. */
    double values[] = {12.01, 1, 2, NAN, 3, 4, 5, 6, 7, 0};
    const xc_box box = xc_box_of(values, 10);
    assert_int_equal(box.count, 9);
    assert_true(box.median == 4 && box.lower_quartile == 2 && box.upper_quartile == 6);
    assert_true(box.lower_whisker == 0 && box.upper_whisker == 7);
    double reached[] = {20, 1, 2, 12, 3, 4, 5, 6, 0};
    assert_true(xc_box_of(reached, 9).upper_whisker == 12); /* on the limit is within */
    double low[] = {-100, 10, 11, 12, 13};
    assert_true(xc_box_of(low, 5).lower_whisker == 10);
}

static void test_box_of_few(void **state) {
    (void)state;
    double none[] = {NAN, INFINITY};
    assert_int_equal(xc_box_of(none, 2).count, 0);
    double one[] = {NAN, 0.25};
    const xc_box box = xc_box_of(one, 2);
    assert_true(box.count == 1 && box.median == 0.25 && box.lower_whisker == 0.25 && box.upper_whisker == 0.25);
    double same[] = {3, 3, 3, 3, 3, 9};
    assert_true(xc_box_of(same, 6).upper_whisker == 3); /* quartiles at one place reach nowhere */
}

static void test_box_stands_on_its_values(void **state) {
    (void)state;
    const xc_plot plot = {.left = 100, .width = 200, .x = xc_ticks_of(0, 10, 5)};
    const xc_box box = {5, 0, 2.5, 5, 6, 10}, at = xc_box_place(&box, &plot);
    assert_true(at.lower_whisker == 100 && at.lower_quartile == 150 && at.median == 200);
    assert_true(at.upper_quartile == 220 && at.upper_whisker == 300);
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

static bool is_painted(cairo_surface_t *surface, int x, int y) {
    const unsigned char *row = cairo_image_surface_get_data(surface) + y * cairo_image_surface_get_stride(surface);
    return row[x] > 128;
}

/* A value between two NaN is a dot, and nothing is drawn where a NaN is. */
static void test_line_breaks_where_a_value_is_missing(void **state) {
    (void)state;
    const xc_plot plot = {.width = 60, .height = 20, .x = xc_ticks_of(0, 6, 6), .y = xc_ticks_of(0, 1, 2)};
    const double x[] = {0, 1, 2, 3, 4, 5, 6}, y[] = {0.5, 0.5, NAN, 0.5, NAN, 0.5, INFINITY};
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 61, 20);
    cairo_t *cairo = cairo_create(surface);
    xc_draw_line(cairo, &plot, (xc_colour){0, 0, 0}, 4, x, y, 7);
    cairo_destroy(cairo);
    cairo_surface_flush(surface);
    const bool expected[] = {true, true, true, false, false, false, true, false, false, false, true, false, false};
    for (int half = 0; half < 13; half++) {
        const int at = 5 * half;
        if (is_painted(surface, at, 10) != expected[half]) fail_msg("pixel %d", at);
    }
    assert_false(is_painted(surface, 5, 2));
    cairo_surface_destroy(surface);
}

/* ---- grids ------------------------------------------------------------------------------------------------------- */

static void read_grid(const char *yaml, xc_grid *grid) {
    char path[128];
    xc_error error = {0};
    xc_config *config;
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "data: {file: none.h5}\n%s", yaml);
    fclose(file);
    if (xc_config_read(path, NULL, 0, &config, &error) != XC_OK) fail_msg("%s", error.text);
    if (xc_grid_build(config, folder, grid, &error) != XC_OK) fail_msg("%s", error.text);
    xc_config_free(config);
}

/* The measure of the tests: what is in the trial's test AUROC. */
static double auroc(const xc_grid *grid, size_t trial) { return grid->trial[trial].test.mean[XC_METRIC_AUROC]; }
static const xc_measure measure = {"test_auroc", "test AUROC", true, auroc};

static void set(xc_grid *grid, size_t trial, double value) {
    grid->trial[trial].status = XC_TRIAL_DONE;
    grid->trial[trial].test.mean[XC_METRIC_AUROC] = value;
}

static void set_all(xc_grid *grid, double value) {
    for (size_t i = 0; i < grid->count; i++) set(grid, i, value);
}

static const xc_boxes *make_boxes(const xc_grid *grid, xc_picture *picture) {
    xc_error error = {0};
    if (xc_boxes_picture(grid, &measure, picture, &error) != XC_OK) fail_msg("%s", error.text);
    assert_true(picture->width > 0 && picture->width < 1200 && picture->height > 0);
    return picture->content;
}

static void test_panels_and_rows(void **state) {
    (void)state;
    xc_grid grid;
    xc_picture picture;
    read_grid("sweep: {zoo: [cnn-2, cnn-deep], activation: [relu, exponential, tanh], seeds: 4}\n", &grid);
    for (size_t i = 0; i < grid.count; i++) set(&grid, i, (double)i / 100);
    const xc_boxes *boxes = make_boxes(&grid, &picture);
    assert_true(boxes->panels == 2 && boxes->rows == 3 && boxes->seeds == 4 && boxes->columns == 1);
    assert_string_equal(boxes->model[0], "cnn-2");
    assert_string_equal(boxes->model[1], "cnn-deep");
    assert_string_equal(boxes->row[2].label[0], "tanh");
    assert_false(xc_boxes_show_headings(boxes));          /* that relu is an activation need not be said */
    assert_true(boxes->cell[3 * 1 + 1].value[2] == 0.18); /* cnn-deep, exponential, third seed: trial 18 */
    assert_true(boxes->plot[0].top == boxes->plot[1].top);
    assert_true(boxes->plot[0].left + boxes->plot[0].width < boxes->plot[1].left);
    xc_picture_free(&picture);
    xc_grid_free(&grid);
}

static void test_rows_are_named_by_all_that_varies(void **state) {
    (void)state;
    xc_grid grid;
    xc_picture picture;
    read_grid("sweep: {activation: [relu, exponential], init: [he_normal], scale: [0.1, 1, 2], seeds: 2}\n", &grid);
    set_all(&grid, 0.5);
    const xc_boxes *boxes = make_boxes(&grid, &picture);
    assert_true(boxes->panels == 1 && boxes->rows == 6 && boxes->columns == 2); /* one init is no difference */
    assert_string_equal(boxes->column[0], "activation");
    assert_string_equal(boxes->column[1], "scale");
    assert_string_equal(boxes->row[3].label[0], "exponential");
    assert_string_equal(boxes->row[3].label[1], "0.1");
    char setting[XC_LABEL_SIZE];
    xc_setting_label(&grid, 8, setting);
    assert_string_equal(setting, "exponential, scale 1");
    xc_picture_free(&picture);
    xc_grid_free(&grid);
}

static void test_what_is_missing_is_noted(void **state) {
    (void)state;
    xc_grid grid;
    xc_picture picture;
    read_grid("sweep: {activation: [relu, exponential, tanh, elu], seeds: 5}\n", &grid);
    set_all(&grid, NAN);
    for (size_t i = 0; i < 5; i++) set(&grid, i, 0.7 + 0.05 * (double)i);
    for (size_t i = 5; i < 8; i++) set(&grid, i, 0.8);
    grid.trial[8].status = grid.trial[9].status = grid.trial[10].status = XC_TRIAL_DIVERGED;
    const xc_boxes *boxes = make_boxes(&grid, &picture);
    assert_string_equal(boxes->cell[0].note, "");
    assert_string_equal(boxes->cell[1].note, "2 diverged");
    assert_string_equal(boxes->cell[2].note, "0 of 5, 1 diverged");
    assert_string_equal(boxes->cell[3].note, "not measured");
    assert_true(boxes->cell[1].box.count == 3 && boxes->cell[3].box.count == 0);
    xc_picture_free(&picture);
    xc_grid_free(&grid);
}

/* A note must not stand on a value. */
static void test_notes_keep_clear_of_values(void **state) {
    (void)state;
    const xc_plot plot = {.left = 100, .width = 200, .x = xc_ticks_of(0, 1, 5)};
    double value[2] = {0.1, 0.4};
    xc_box_cell cell = {.value = value, .note = "2 diverged"};
    const double width = xc_label_width(XC_TICK_SIZE, false, cell.note);
    const double right = xc_boxes_note_place(&cell, 2, &plot);
    assert_true(right > 0.4 * 200 && right + width < 200);
    value[1] = 0.95, value[0] = 0.5;
    const double left = xc_boxes_note_place(&cell, 2, &plot);
    assert_true(left > 0 && left + width < 100);
    value[0] = 0.05;
    assert_true(xc_boxes_note_place(&cell, 2, &plot) < 0);
    value[0] = value[1] = NAN;
    assert_true(xc_boxes_note_place(&cell, 2, &plot) >= 0);
}

static void test_measures(void **state) {
    (void)state;
    xc_grid grid;
    read_grid("sweep: {activation: [relu], seeds: 3}\n", &grid);
    xc_filter_scores scores[3] = {{.filters = 32, .match_any = 0.75, .match_ground_truth = 0.5, .coverage = 0.25}};
    xc_filter_scores *const own = grid.scores;
    grid.scores = scores;
    set_all(&grid, 0.9);
    for (size_t i = 0; i < 3; i++) grid.trial[i].test.mean[XC_METRIC_AUPR] = 0.8;
    grid.trial[2].status = XC_TRIAL_DIVERGED;
    xc_trial_attribution maps[3] = {{.measured = true}}, *const own_maps = grid.attribution;
    for (int i = 0; i < XC_METHOD_COUNT; i++) {
        maps[0].method[i].sequences = 10;
        maps[0].method[i].mean.auroc = 0.6 + 0.01 * i;
    }
    grid.attribution = maps;
    static const char *const word[] = {"match_ground_truth", "match_any",         "coverage",
                                       "saliency_auroc",     "mutagenesis_auroc", "integrated_gradients_auroc",
                                       "deepshap_auroc",     "test_auroc",        "test_aupr"};
    const double expected[] = {0.5,
                               0.75,
                               0.25,
                               0.6,
                               0.6 + 0.01 * XC_MUTAGENESIS,
                               0.6 + 0.01 * XC_INTEGRATED_GRADIENTS,
                               0.6 + 0.01 * XC_DEEPSHAP,
                               0.9,
                               0.8};
    for (int i = 0; i < 9; i++) {
        const xc_measure *m = &xc_measures[i];
        assert_string_equal(m->word, word[i]);
        assert_true(m->fraction && m->value(&grid, 0) == expected[i]);
        assert_true(i < 7 ? isnan(m->value(&grid, 1)) : m->value(&grid, 1) == expected[i]); /* not measured */
        assert_true(isnan(m->value(&grid, 2)));                                             /* diverged */
    }
    grid.scores = NULL;
    assert_true(isnan(xc_measures[0].value(&grid, 0)));
    grid.scores = own;
    grid.attribution = own_maps;
    xc_grid_free(&grid);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static char *read_all(const char *stem, const char *ending, size_t *size) {
    char path[256], *text;
    xc_error error = {0};
    snprintf(path, sizeof path, "%s/%s%s", folder, stem, ending);
    if (xc_file_read(path, 1 << 24, &text, size, &error) != XC_OK) fail_msg("%s", error.text);
    return text;
}

static void assert_same_files(const char *first, const char *second) {
    static const char *const ending[] = {".svg", ".pdf", ".png"}, *const magic[] = {"<?xml", "%PDF", "\x89PNG"};
    for (int i = 0; i < 3; i++) {
        size_t size, other_size;
        char *one = read_all(first, ending[i], &size), *other = read_all(second, ending[i], &other_size);
        assert_true(size > 500);
        assert_memory_equal(one, magic[i], strlen(magic[i]));
        assert_int_equal(size, other_size);
        assert_memory_equal(one, other, size);
        free(one);
        free(other);
    }
}

static void stem_of(const char *name, char stem[128]) { snprintf(stem, 128, "%s/%s", folder, name); }

static void write_history(const xc_trial *trial, int epochs, int missing) {
    xc_error error = {0};
    char *path = xc_path_join(trial->folder, "history.tsv");
    assert_int_equal(xc_make_folder(trial->folder, &error), XC_OK);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "epoch\tloss\tval_loss\tval_auroc\tval_aupr\tval_average_precision\tval_accuracy\tval_pearson\t"
            "learning_rate\tclip_fraction\n");
    for (int i = 1; i <= epochs; i++) {
        if (i == missing)
            fprintf(file, "%d\tnan\tnan\tnan\tnan\tnan\tnan\tnan\t0.001\t0\n", i);
        else
            fprintf(file, "%d\t%g\t%g\t%g\t%g\t0.5\t0.9\t0.5\t0.001\t0\n", i, 1.0 / i, 1.2 / i, 1 - 0.5 / i,
                    1 - 0.9 / i);
    }
    fclose(file);
    free(path);
}

static void write_all_figures(const xc_grid *grid, const char *boxes, const char *curves, const char *activations) {
    xc_error error = {0};
    char stem[128];
    stem_of(boxes, stem);
    if (xc_figure_boxes(stem, grid, &measure, &error) != XC_OK) fail_msg("%s", error.text);
    stem_of(curves, stem);
    if (xc_figure_curves(stem, grid, 0, &error) != XC_OK) fail_msg("%s", error.text);
    stem_of(activations, stem);
    if (xc_figure_activations(stem, grid, &error) != XC_OK) fail_msg("%s", error.text);
}

static void assert_figures(const xc_grid *grid) {
    write_all_figures(grid, "boxes", "curves", "activations");
    write_all_figures(grid, "boxes2", "curves2", "activations2");
    assert_same_files("boxes", "boxes2");
    assert_same_files("curves", "curves2");
    assert_same_files("activations", "activations2");
}

static void test_files_are_the_same_twice(void **state) {
    (void)state;
    xc_grid grid;
    read_grid("exponential: {clip: 3}\nsweep: {activation: [relu, exponential], seeds: 5}\n", &grid);
    for (size_t i = 0; i < grid.count; i++) set(&grid, i, 0.9 + 0.005 * (double)i);
    for (size_t i = 0; i < 4; i++) write_history(&grid.trial[i], 20 + (int)i, i == 1 ? 7 : 0);
    grid.trial[0].best_epoch = 18;
    assert_figures(&grid);
    xc_grid_free(&grid);
}

static void test_one_trial(void **state) {
    (void)state;
    xc_grid grid;
    read_grid("model: {activation: exponential}\n", &grid);
    assert_int_equal(grid.count, 1);
    set(&grid, 0, 0.93);
    write_history(&grid.trial[0], 1, 0);
    assert_figures(&grid);
    char setting[XC_LABEL_SIZE];
    xc_setting_label(&grid, 0, setting);
    assert_string_equal(setting, "cnn-deep, exponential");
    xc_grid_free(&grid);
}

/* Letters drawn in an SVG: cairo uses a glyph for each. */
static int count_letters(const char *stem) {
    char *svg = read_all(stem, ".svg", NULL);
    int count = 0;
    for (const char *at = svg; (at = strstr(at, "<use")); at++) count++;
    free(svg);
    return count;
}

static void test_nothing_measured_is_said(void **state) {
    (void)state;
    xc_grid grid;
    xc_picture picture;
    xc_error error = {0};
    char stem[128];
    read_grid("sweep: {activation: [relu, exponential], seeds: 3}\n", &grid);
    set_all(&grid, 0.1);
    stem_of("measured", stem);
    assert_int_equal(xc_figure_boxes(stem, &grid, &measure, &error), XC_OK);
    set_all(&grid, NAN);
    assert_figures(&grid); /* no history either */
    assert_false(xc_boxes_any(make_boxes(&grid, &picture), 0));
    xc_picture_free(&picture);
    assert_int_equal(count_letters("boxes"), count_letters("measured") + (int)strlen("not measured"));
    xc_grid_free(&grid);
}

static void test_long_names(void **state) {
    (void)state;
    xc_grid grid;
    xc_picture picture;
    read_grid("sweep: {activation: [relu, exponential], seeds: 4}\n", &grid);
    for (size_t i = 0; i < grid.count; i++) {
        char *zoo = grid.trial[i].config->model.zoo = realloc(grid.trial[i].config->model.zoo, 201);
        memset(zoo, 'W', 200), zoo[200] = 0;
        set(&grid, i, 0.3);
    }
    const xc_boxes *boxes = make_boxes(&grid, &picture);
    assert_true(xc_label_width(XC_TEXT_SIZE, true, boxes->model[0]) <= boxes->plot[0].width);
    assert_true(picture.width <= XC_PAGE_WIDTH);
    xc_picture_free(&picture);
    assert_figures(&grid);
    xc_grid_free(&grid);
}

static void test_text_is_cut_between_characters(void **state) {
    (void)state;
    char name[XC_LABEL_SIZE];
    for (double width = 8; width < 80; width++) {
        strcpy(name, "äöüäöüäöüäöü");
        xc_label_fit(name, 8, false, width);
        assert_true(xc_label_width(8, false, name) <= width);
        const size_t length = strlen(name);
        const bool whole = length == 24, cut = length >= 3 && strcmp(name + length - 3, "…") == 0;
        assert_true(whole || cut);
        if (cut) assert_true((length - 3) % 2 == 0 && memcmp(name, "äöüäöüäöüäöü", length - 3) == 0);
    }
    snprintf(name, sizeof name, "short");
    xc_label_fit(name, 8, false, 100);
    assert_string_equal(name, "short");
}

static void test_faults(void **state) {
    (void)state;
    xc_grid grid, empty = {0};
    xc_picture picture;
    xc_error error = {0};
    read_grid("sweep: {activation: [relu], seeds: 2}\n", &grid);
    assert_int_equal(xc_boxes_picture(&empty, &measure, &picture, &error), XC_INPUT);
    xc_picture_free(&picture);
    assert_int_equal(xc_activations_picture(&empty, &picture, &error), XC_INPUT);
    xc_picture_free(&picture);
    assert_int_equal(xc_curves_picture(&grid, 2, &picture, &error), XC_INPUT);
    xc_picture_free(&picture);
    char *path = xc_path_join(grid.trial[1].folder, "history.tsv");
    assert_int_equal(xc_make_folder(grid.trial[1].folder, &error), XC_OK);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "epoch\tloss\nnonsense\n");
    fclose(file);
    assert_int_equal(xc_curves_picture(&grid, 0, &picture, &error), XC_INPUT);
    assert_non_null(strstr(error.text, "history.tsv:2"));
    xc_picture_free(&picture);
    free(path);
    xc_grid_free(&grid);
}

/* ---- activations ------------------------------------------------------------------------------------------------- */

static void assert_value(xc_activation activation, float x, double expected) {
    xc_error error = {0};
    float y;
    assert_int_equal(xc_activation_values(&activation, &x, &y, 1, &error), XC_OK);
    if (y != (float)expected) fail_msg("%s(%g) is %.9g, not %.9g", xc_activation_word(activation.kind), x, y, expected);
}

static void test_values_of_activations(void **state) {
    (void)state;
    const xc_activation exponential = {.kind = XC_EXPONENTIAL, .scale = 2, .clip = 3, .beyond = XC_BEYOND_LINEAR};
    xc_activation hard = exponential;
    hard.beyond = XC_BEYOND_HARD;
    assert_value(exponential, 1, exp(2));
    assert_value(exponential, 2, exp(3) * (1 + 4 - 3)); /* goes on with the slope at the clip */
    assert_value(hard, 2, exp(3));
    assert_value((xc_activation){.kind = XC_RELU}, -3, 0);
    assert_value((xc_activation){.kind = XC_SCALE_RELU}, 2, 8);
    assert_value((xc_activation){.kind = XC_SHIFT_SIGMOID}, 8, 0.5);
    assert_value((xc_activation){.kind = XC_SCALE_SIGMOID}, 0, 2000);
    assert_value((xc_activation){.kind = XC_SHIFT_SCALE_TANH}, 6, 500);
    assert_value((xc_activation){.kind = XC_LOG}, 1, log(1 + 1e-10));
    assert_value((xc_activation){.kind = XC_LOG_RELU}, 0.5f, 0);
}

static void test_all_activations(void **state) {
    (void)state;
    xc_picture picture;
    xc_error error = {0};
    const float x[3] = {-6, 0, 6};
    float y[3];
    for (int kind = 0; kind < XC_ACTIVATION_COUNT; kind++) {
        const xc_activation activation = {.kind = (xc_activation_kind)kind, .scale = 1, .clip = 30};
        assert_int_equal(xc_activation_values(&activation, x, y, 3, &error), XC_OK);
        for (int i = 0; i < 3; i++) assert_true(isfinite(y[i]));
    }
    assert_int_equal(xc_activations_picture(NULL, &picture, &error), XC_OK);
    assert_true(picture.width <= XC_PAGE_WIDTH);
    char stem[128];
    stem_of("all", stem);
    assert_int_equal(xc_picture_write(&picture, stem, &error), XC_OK);
    assert_same_files("all", "all");
    xc_picture_free(&picture);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_ticks_are_exact),
        cmocka_unit_test(test_ticks_without_a_range),
        cmocka_unit_test(test_ticks_within),
        cmocka_unit_test(test_ticks_of_fractions),
        cmocka_unit_test(test_ticks_of_logarithms),
        cmocka_unit_test(test_box_of_a_known_sample),
        cmocka_unit_test(test_box_of_few),
        cmocka_unit_test(test_box_stands_on_its_values),
        cmocka_unit_test(test_line_breaks_where_a_value_is_missing),
        IN_FOLDER(test_panels_and_rows),
        IN_FOLDER(test_rows_are_named_by_all_that_varies),
        IN_FOLDER(test_what_is_missing_is_noted),
        cmocka_unit_test(test_notes_keep_clear_of_values),
        IN_FOLDER(test_measures),
        IN_FOLDER(test_files_are_the_same_twice),
        IN_FOLDER(test_one_trial),
        IN_FOLDER(test_nothing_measured_is_said),
        IN_FOLDER(test_long_names),
        cmocka_unit_test(test_text_is_cut_between_characters),
        IN_FOLDER(test_faults),
        cmocka_unit_test(test_values_of_activations),
        IN_FOLDER(test_all_activations),
    };
    return cmocka_run_group_tests_name("plots", tests, NULL, NULL);
}
