/* test_attribution_score.c: scores of maps against scikit-learn's, their means; and the ground truth read from files of
 * every layout.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "expconv/attribution.h"

enum { LENGTH = 12 };

/* ---- scores ------------------------------------------------------------------------------------------------------ */

static const uint8_t codes[LENGTH] = {0, 1, 2, 3, XC_BASE_N, 0, 1, 2, 3, 0, 2, 1};
static const float at_base[LENGTH] = {0.3f, -0.1f, 0.5f, 0.5f, 0, 0.2f, 0.05f, -0.4f, 0.9f, 0.5f, 0, 0.1f};
static const int labels[LENGTH] = {1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1};

/* Contributions and truth with these; what stands at other bases, and at N, must not count. */
static void make(float contributions[4 * LENGTH], float truth[4 * LENGTH], bool one_label) {
    for (int b = 0; b < 4; b++)
        for (int l = 0; l < LENGTH; l++) {
            contributions[b * LENGTH + l] = codes[l] == b ? at_base[l] : 7;
            truth[b * LENGTH + l] = 0.25f;
            if (labels[l] && !one_label) truth[b * LENGTH + l] = b == 2 ? 0.4f : 0.2f; /* 0.078 bits */
        }
}

/* roc_auc_score(labels, scores); auc(recall, precision) of precision_recall_curve: scikit-learn 1.9.1. */
static void test_score(void **state) {
    (void)state;
    float contributions[4 * LENGTH], truth[4 * LENGTH], work[3 * LENGTH];
    make(contributions, truth, false);
    const xc_attribution_score score = xc_attribution_score_of(codes, LENGTH, contributions, truth, work);
    assert_float_equal(score.auroc, 0.8, 1e-12);
    assert_float_equal(score.aupr, 0.7247619047619047, 1e-12);
    assert_float_equal(score.signal_to_noise, 5.090909, 1e-5);
    make(contributions, truth, true);
    assert_true(isnan(xc_attribution_score_of(codes, LENGTH, contributions, truth, work).auroc));
    for (int e = 0; e < 4 * LENGTH; e++) truth[e] = e < LENGTH; /* positives alone */
    assert_true(isnan(xc_attribution_score_of(codes, LENGTH, contributions, truth, work).aupr));
}

static void test_means(void **state) {
    (void)state;
    const xc_attribution_score scores[] = {{0.5, 0.25, 1}, {NAN, NAN, NAN}, {0.7, 0.75, 4}};
    const xc_attribution_scores all = xc_attribution_scores_of(scores, 3);
    assert_int_equal(all.sequences, 2);
    assert_float_equal(all.mean.auroc, 0.6, 1e-12);
    assert_float_equal(all.deviation.auroc, 0.2 / sqrt(2), 1e-12);
    assert_float_equal(all.mean.aupr, 0.5, 1e-12);
    assert_float_equal(all.mean.signal_to_noise, 2.5, 1e-12);
    assert_true(isnan(xc_attribution_scores_of(scores, 1).deviation.auroc));
    assert_int_equal(xc_attribution_scores_of(scores + 1, 1).sequences, 0);
}

/* ---- the truth in files ------------------------------------------------------------------------------------------ */

enum { SEQUENCES = 5 };

static double probability(int n, int b, int l) { return (n * 100 + b * 20 + l) / 1024.0; }

static void write_truth(const char *path, int layout, hid_t type) {
    static const hsize_t shapes[4][4] = {
        {SEQUENCES, 4, LENGTH, 0}, {SEQUENCES, 4, LENGTH, 1}, {SEQUENCES, 4, 1, LENGTH}, {SEQUENCES, LENGTH, 4, 0}};
    double values[SEQUENCES * 4 * LENGTH];
    for (int n = 0; n < SEQUENCES; n++)
        for (int b = 0; b < 4; b++)
            for (int l = 0; l < LENGTH; l++)
                values[n * 4 * LENGTH + (layout == XC_LAYOUT_NL4 ? 4 * l + b : b * LENGTH + l)] = probability(n, b, l);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(shapes[layout][3] ? 4 : 3, shapes[layout], NULL);
    const hid_t set = H5Dcreate2(file, "model_valid", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Fclose(file);
}

static void test_truth(void **state) {
    (void)state;
    const xc_split split = {.dna = {.sequences = SEQUENCES, .length = LENGTH}};
    char path[] = "/tmp/expconv-truth-XXXXXX";
    close(mkstemp(path));
    for (int layout = 0; layout < 4; layout++)
        for (int wide = 0; wide < 2; wide++) {
            xc_error error = {0};
            xc_truth *truth;
            float p[4 * LENGTH];
            write_truth(path, layout, wide ? H5T_IEEE_F64LE : H5T_IEEE_F32BE);
            if (xc_truth_open(path, XC_VALID, &split, &truth, &error) != XC_OK) fail_msg("%s", error.text);
            for (int n = 0; n < SEQUENCES; n++) {
                assert_int_equal(xc_truth_read(truth, (uint32_t)n, p, &error), XC_OK);
                for (int e = 0; e < 4 * LENGTH; e++) assert_true(p[e] == (float)probability(n, e / LENGTH, e % LENGTH));
                assert_int_equal(xc_truth_read(truth, (uint32_t)n | XC_REVERSE_COMPLEMENT, p, &error), XC_OK);
                for (int e = 0; e < 4 * LENGTH; e++)
                    assert_true(p[e] == (float)probability(n, 3 - e / LENGTH, LENGTH - 1 - e % LENGTH));
            }
            xc_truth_close(truth);
        }
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score),
        cmocka_unit_test(test_means),
        cmocka_unit_test(test_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
