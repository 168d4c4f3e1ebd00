/* test_metrics.c: the metrics against scikit-learn and SciPy, on scores with and without ties, and on what those
 * refuse: NaN, infinities, classes with one label. The numbers were made with scikit-learn 1.9.1 and SciPy 1.17.1:
 *
 *   def rank(y, s):
 *       p, r, _ = precision_recall_curve(y, s)
 *       return roc_auc_score(y, s), auc(r, p), average_precision_score(y, s)
 *   p = 1 / (1 + np.exp(-z)); bce = -(y * np.log(p) + (1 - y) * np.log(1 - p))          # binary, in double
 *   for j in range(4): weight[j] * bce[:, j].mean(), rank(y[:, j], z[:, j]), accuracy_score(y[:, j], p[:, j] > .5),
 *                      pearsonr(p[:, j], y[:, j])[0]
 *   q = scipy.special.softmax(z, 1)                                                     # softmax, t the classes
 *   log_loss(t, q), accuracy_score(t, q.argmax(1)); for j: rank(t == j, q[:, j]),
 *                      accuracy_score(t == j, q.argmax(1) == j), pearsonr(q[:, j], t == j)[0]
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expconv/train.h"

#define CLOSE 1e-12

static void assert_close(double value, double expected, double within) {
    if (isnan(expected) ? !isnan(value) : !(fabs(value - expected) <= within))
        fail_msg("%.17g is not %.17g", value, expected);
}

enum { RANKED = 24 };

static const struct {
    const char *name;
    float scores[RANKED], labels[RANKED];
    double auroc, aupr, average_precision;
} ranked[] = {
    {"distinct",
     {0.00123015337, 0.298745543, -0.274137855, -0.89059186, -0.454670787, -0.991646528, 0.0601436011, 1.34021521,
      -0.492206514, -0.620474875, 0.489842057, 0.356887013, 0.105414249, -0.930468023, -0.0292518232, 0.695303202,
      -1.34421456, -0.457615763, -1.90122271, -1.28953779, -1.84173501, -0.235091135, -1.26744652, 0.271264344},
     {0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1},
     0.42857142857142855, 0.24310255816226628, 0.28678945262315453},
    {"ties",
     {0, -0.0f, -2.5, -0.5, -0.0f, 0, -1.5, -0.5, -1, -1, 1, -1, -0.0f, 1, -0.5, -0.0f, 0, 0, -1, 0, 1.5, -1.5, 1,
      0},
     {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1},
     0.81578947368421051, 0.60714285714285721, 0.51428571428571423},
    {"three values",
     {0, 1, 1, 0, 0, 0, -1, -1, 0, 0, 0, -1, -1, -1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0},
     {1, 1, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0},
     0.66783216783216781, 0.68949362041467299, 0.58114035087719296},
    {"equal",
     {0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25,
      0.25, 0.25, 0.25, 0.25, 0.25, 0.25},
     {0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0},
     0.5, 0.77083333333333326, 0.54166666666666663},
    {"zeros of both signs",
     {0, -1, -0.0f, -0.0f, 1, 1, -0.0f, 1, -0.0f, 1, -0.0f, 1, -1, 0, -2, -2, 0, -1, 0, 2, -1, -1, 0, 0},
     {1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0},
     0.72857142857142854, 0.69821746880570401, 0.61016042780748669},
};

static void test_ranks(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ranked / sizeof *ranked; i++) {
        print_message("# %s\n", ranked[i].name);
        assert_close(xc_auroc(ranked[i].scores, ranked[i].labels, RANKED), ranked[i].auroc, CLOSE);
        assert_close(xc_aupr(ranked[i].scores, ranked[i].labels, RANKED), ranked[i].aupr, CLOSE);
        assert_close(xc_average_precision(ranked[i].scores, ranked[i].labels, RANKED), ranked[i].average_precision,
                     CLOSE);
    }
}

/* AUROC counted pair by pair, and the curve by sorting once more for each threshold: slow and plain. */
static void rank_slowly(const float *scores, const float *labels, size_t n, double value[3]) {
    double pairs = 0, wins = 0, last_recall = 0, last_precision = 1, threshold = INFINITY;
    size_t positives = 0;
    for (size_t i = 0; i < n; i++) {
        positives += labels[i] > 0;
        for (size_t j = 0; j < n && labels[i] > 0; j++) {
            if (labels[j] > 0) continue;
            pairs++;
            wins += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
        }
    }
    value[0] = wins / pairs;
    value[1] = value[2] = 0;
    for (;;) {
        double next = -INFINITY;
        size_t called = 0, right = 0;
        for (size_t i = 0; i < n; i++)
            if (scores[i] < threshold && scores[i] > next) next = scores[i];
        if (isinf(next)) return;
        threshold = next;
        for (size_t i = 0; i < n; i++) {
            called += scores[i] >= threshold;
            right += scores[i] >= threshold && labels[i] > 0;
        }
        const double recall = (double)right / (double)positives, precision = (double)right / (double)called;
        value[1] += (recall - last_recall) * (precision + last_precision) / 2;
        value[2] += (recall - last_recall) * precision;
        last_recall = recall;
        last_precision = precision;
    }
}

/* Many sizes and widths of ties, so that every pass of the sort has work. */
static void test_ranks_against_slow(void **state) {
    (void)state;
    enum { MOST = 300 };
    xc_random_sequence random = {.seed = 5, .stream = XC_STREAM_SIMULATE};
    float scores[MOST], labels[MOST];
    for (size_t n = 2; n <= MOST; n += n < 20 ? 1 : 31) {
        for (int scale = 0; scale < 4; scale++) {
            static const double widths[4] = {2, 40, 1e4, 4e9};
            for (size_t i = 0; i < n; i++) {
                scores[i] = (float)(floor(xc_uniform(xc_random_next(&random)) * widths[scale]) - widths[scale] / 2);
                labels[i] = i < 2 ? (float)i : (float)xc_random_below(&random, 2);
            }
            double slow[3];
            rank_slowly(scores, labels, n, slow);
            assert_close(xc_auroc(scores, labels, n), slow[0], CLOSE);
            assert_close(xc_aupr(scores, labels, n), slow[1], CLOSE);
            assert_close(xc_average_precision(scores, labels, n), slow[2], CLOSE);
        }
    }
}

static void test_undefined(void **state) {
    (void)state;
    const float scores[5] = {3, 1, 2, 2, 0}, ones[5] = {1, 1, 1, 1, 1}, zeros[5] = {0};
    assert_true(isnan(xc_auroc(scores, ones, 5)));
    assert_close(xc_aupr(scores, ones, 5), 1, CLOSE); /* as scikit-learn: nothing but true positives */
    assert_close(xc_average_precision(scores, ones, 5), 1, CLOSE);
    assert_true(isnan(xc_auroc(scores, zeros, 5)));
    assert_true(isnan(xc_aupr(scores, zeros, 5)));
    assert_true(isnan(xc_average_precision(scores, zeros, 5)));
    assert_true(isnan(xc_auroc(scores, ones, 0)));
}

static void test_infinite_and_nan_scores(void **state) {
    (void)state;
    const float labels[6] = {0, 1, 0, 1, 1, 0};
    float scores[6] = {-INFINITY, INFINITY, 0, 3.4e38f, INFINITY, INFINITY};
    /* pairs won: 3 with -inf, 3 with 0; against the third negative, two ties and a loss */
    assert_close(xc_auroc(scores, labels, 6), 7.0 / 9, CLOSE);
    assert_close(xc_average_precision(scores, labels, 6), 2.0 / 3 * 2 / 3 + 1.0 / 3 * 3 / 4, CLOSE);
    scores[2] = NAN;
    assert_true(isnan(xc_auroc(scores, labels, 6)));
    assert_true(isnan(xc_aupr(scores, labels, 6)));
}

enum { ITEMS = 20, CLASSES = 4 };

/* (ITEMS,CLASSES) */
static const float logits[ITEMS * CLASSES] = {
    -3, -2, -3, -2.70000005, 0.600000024, -2.29999995, 1.10000002, 1, 6.0999999, -4.19999981, 2.70000005,
    -0.300000012, -0.0f, -4.30000019, -1.39999998, 2.20000005, -0.200000003, 0.200000003, -0.899999976, 3.5,
    -0.100000001, -6.5999999, -2.0999999, -5.9000001, -9.80000019, -1.60000002, 4, 0.100000001, -3.5, -2.79999995,
    3.4000001, 0.5, 0.100000001, -0.200000003, 0.100000001, 2.4000001, 1.70000005, 0.600000024, -3.0999999, 1.5,
    -2.0999999, 3.29999995, -3.79999995, -0.400000006, -0.0f, -4, 5.19999981, 4.4000001, -1.39999998, 2.29999995,
    1.10000002, -7.80000019, 0.800000012, -0.200000003, 0.200000003, -3.20000005, -0.800000012, -0.5, 3.5999999, 1,
    -0.0f, 4.5999999, -1.70000005, -1.20000005, -5.5, 4.69999981, 2.9000001, 2.79999995, 2, 0.300000012,
    0.600000024, -0.800000012, -0.600000024, 0.200000003, 4.5, 1.70000005, -0.200000003, -1.70000005, -1.89999998,
    4.80000019
};

static const double weights[CLASSES] = {1, 2, 0.5, 3};

static void check_class(const xc_metrics *metrics, int c, const double expected[XC_METRIC_COUNT]) {
    for (int m = 0; m < XC_METRIC_COUNT; m++)
        assert_close(metrics->per_class[m * metrics->classes + c], expected[m], m == XC_METRIC_LOSS ? 1e-9 : CLOSE);
}

/* Mean over the classes where the metric exists. */
static void check_means(const xc_metrics *metrics, const double expected[][XC_METRIC_COUNT]) {
    for (int m = 0; m < XC_METRIC_COUNT; m++) {
        double sum = 0, count = 0;
        for (int c = 0; c < CLASSES; c++)
            if (!isnan(expected[c][m])) sum += expected[c][m], count++;
        assert_close(metrics->mean[m], sum / count, 1e-9);
    }
}

static void test_binary(void **state) {
    (void)state;
    static const float labels[ITEMS * CLASSES] = {
    0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0,
    0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1,
    1, 0, 0, 0, 1, 0
    };
    /* loss, AUROC, AUPR, average precision, accuracy, r; class 2 is positive everywhere */
    static const double expected[CLASSES][XC_METRIC_COUNT] = {
        {1.03485263754235, 0.535, 0.558073268106163, 0.583326023391813, 0.5, 0.0510936050308268},
        {2.31903599875462, 0.521978021978022, 0.36721384357939, 0.431272509003601, 0.55, 0.0106743628261775},
        {0.536670599262629, NAN, 1, 1, 0.6, NAN},
        {4.09877910347256, 0.49, 0.442404284312179, 0.491215495031284, 0.6, 0.0873036442206374},
    };
    xc_metrics metrics;
    xc_error error = {0};
    assert_int_equal(
        xc_metrics_compute(XC_LOSS_BINARY, weights, logits, labels, ITEMS, CLASSES, true, &metrics, &error), XC_OK);
    for (int c = 0; c < CLASSES; c++) check_class(&metrics, c, expected[c]);
    check_means(&metrics, expected);
    assert_int_equal(metrics.one_label, 1);
    xc_metrics_free(&metrics);

    assert_int_equal(xc_metrics_compute(XC_LOSS_BINARY, NULL, logits, labels, ITEMS, CLASSES, false, &metrics, &error),
                     XC_OK);
    assert_null(metrics.per_class);
    double unweighted = 0;
    for (int c = 0; c < CLASSES; c++) unweighted += expected[c][XC_METRIC_LOSS] / weights[c] / CLASSES;
    assert_close(metrics.mean[XC_METRIC_LOSS], unweighted, 1e-9);
}

static void test_softmax(void **state) {
    (void)state;
    static const int truth[ITEMS] = {
        2, 2, 0, 2, 2, 2, 2, 2, 1, 0, 0, 0, 0, 2, 2, 0, 1, 2, 2, 1
    };
    /* AUROC, AUPR, average precision, accuracy, r; class 3 never is */
    static const double expected[CLASSES][5] = {
        {0.5, 0.41041895196307, 0.440976792815028, 0.65, 0.077969943137053},
        {0.568627450980392, 0.166898148148148, 0.247685185185185, 0.7, 0.0580089960555838},
        {0.808080808080808, 0.844105831037649, 0.85203823953824, 0.65, 0.444679940224569},
        {NAN, NAN, NAN, 0.8, NAN},
    };
    float labels[ITEMS * CLASSES] = {0};
    for (int i = 0; i < ITEMS; i++) labels[i * CLASSES + truth[i]] = 1;
    xc_metrics metrics;
    xc_error error = {0};
    assert_int_equal(xc_metrics_compute(XC_LOSS_SOFTMAX, NULL, logits, labels, ITEMS, CLASSES, true, &metrics, &error),
                     XC_OK);
    assert_close(metrics.mean[XC_METRIC_LOSS], 2.32082867784676, 1e-9);
    assert_close(metrics.mean[XC_METRIC_ACCURACY], 0.4, CLOSE);
    for (int c = 0; c < CLASSES; c++)
        for (int m = 0; m < 5; m++) assert_close(metrics.per_class[(m + 1) * CLASSES + c], expected[c][m], CLOSE);
    assert_int_equal(metrics.one_label, 1);
    xc_metrics_free(&metrics);
    assert_int_equal(
        xc_metrics_compute(XC_LOSS_SOFTMAX, weights, logits, labels, ITEMS, CLASSES, false, &metrics, &error), XC_OK);
    assert_close(metrics.mean[XC_METRIC_LOSS], 2.39251319431268, 1e-9);
}

static void test_squared(void **state) {
    (void)state;
    static const float labels[ITEMS] = {
        -1.44000006, 0.790000021, -0.189999998, 0.219999999, 1, -1.73000002, -0.779999971, 0.180000007, 0.389999986,
        -0.379999995, 1.02999997, 0.209999993, -1.21000004, -0.930000007, 0.810000002, 0.460000008, -1.89999998,
        1.35000002, 0.600000024, 1.34000003
    };
    float predictions[ITEMS];
    for (int i = 0; i < ITEMS; i++) predictions[i] = logits[i * CLASSES];
    xc_metrics metrics;
    xc_error error = {0};
    assert_int_equal(xc_metrics_compute(XC_LOSS_SQUARED, NULL, predictions, labels, ITEMS, 1, false, &metrics, &error),
                     XC_OK);
    assert_close(metrics.mean[XC_METRIC_LOSS], 8.91800975799561, 1e-6); /* the expected number is from float32 */
    assert_close(metrics.mean[XC_METRIC_PEARSON], 0.338727546144284, CLOSE);
    assert_true(isnan(metrics.mean[XC_METRIC_AUROC]));
    assert_true(isnan(metrics.mean[XC_METRIC_ACCURACY]));
    assert_int_equal(metrics.one_label, 0);
}

/* One NaN makes its class and the means NaN, not the other classes. Infinite logits have finite or infinite losses. */
static void test_broken_logits(void **state) {
    (void)state;
    const float labels[6] = {1, 0, 0, 1, 1, 0};
    float broken[6] = {1, 2, NAN, 1, 3, 0};
    xc_metrics metrics;
    xc_error error = {0};
    assert_int_equal(xc_metrics_compute(XC_LOSS_BINARY, NULL, broken, labels, 3, 2, true, &metrics, &error), XC_OK);
    for (int m = 0; m < XC_METRIC_COUNT; m++) {
        assert_true(isnan(metrics.mean[m]));
        assert_true(isnan(metrics.per_class[m * 2]));
        assert_false(isnan(metrics.per_class[m * 2 + 1]));
    }
    xc_metrics_free(&metrics);
    broken[2] = -INFINITY; /* right, and as sure as can be */
    assert_int_equal(xc_metrics_compute(XC_LOSS_BINARY, NULL, broken, labels, 3, 2, true, &metrics, &error), XC_OK);
    assert_close(metrics.per_class[0], (log1p(exp(-1)) + log1p(exp(-3))) / 3, CLOSE);
    xc_metrics_free(&metrics);
    broken[2] = INFINITY; /* wrong */
    assert_int_equal(xc_metrics_compute(XC_LOSS_BINARY, NULL, broken, labels, 3, 2, false, &metrics, &error), XC_OK);
    assert_true(isinf(metrics.mean[XC_METRIC_LOSS]));
    assert_int_equal(xc_metrics_compute(XC_LOSS_BINARY, NULL, broken, labels, 0, 2, false, &metrics, &error), XC_OK);
    assert_true(isnan(metrics.mean[XC_METRIC_AUROC]));
}

static void test_link(void **state) {
    (void)state;
    float binary[4] = {0, -200, 200, 1};
    xc_link(XC_LOSS_BINARY, binary, 2, 2);
    assert_true(binary[0] == 0.5f && binary[1] == 0 && binary[2] == 1);
    assert_close(binary[3], 1 / (1 + exp(-1)), 1e-7);
    float softmax[3] = {1000, 1001, 1002};
    xc_link(XC_LOSS_SOFTMAX, softmax, 1, 3);
    assert_close(softmax[0], 0.090030573170380458, 1e-7);
    assert_close((double)softmax[0] + softmax[1] + softmax[2], 1, 1e-6);
    float value[2] = {-3, 7};
    xc_link(XC_LOSS_SQUARED, value, 1, 2);
    assert_true(value[0] == -3 && value[1] == 7);
}

static void test_written(void **state) {
    (void)state;
    double per_class[XC_METRIC_COUNT] = {0.25, NAN, 0.5, 0.75, 1, -0.125};
    const xc_metrics metrics = {
        .classes = 1, .mean = {0.25, -NAN, 0.5, 0.75, 1, -1.0 / 3}, .per_class = per_class};
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_int_equal(xc_metrics_write(stream, "valid", &metrics, true), XC_OK);
    fclose(stream);
    assert_string_equal(text, "split\tclass\tloss\tauroc\taupr\taverage_precision\taccuracy\tpearson\n"
                              "valid\tmean\t0.25\tnan\t0.5\t0.75\t1\t-0.333333333\n"
                              "valid\t0\t0.25\tnan\t0.5\t0.75\t1\t-0.125\n");
    free(text);
}

/* Runs every epoch, so it must not be felt: 12 classes of 100,000 items. */
static void test_speed(void **state) {
    (void)state;
    enum { MANY = 100000, MANY_CLASSES = 12 };
    xc_random_sequence random = {.seed = 1, .stream = XC_STREAM_SIMULATE};
    float *scores = malloc(sizeof *scores * MANY * MANY_CLASSES);
    float *labels = malloc(sizeof *labels * MANY * MANY_CLASSES);
    assert_true(scores && labels);
    for (size_t i = 0; i < (size_t)MANY * MANY_CLASSES; i++) {
        scores[i] = (float)(xc_uniform(xc_random_next(&random)) * 20 - 10);
        labels[i] = (float)xc_random_below(&random, 2);
    }
    xc_metrics metrics;
    xc_error error = {0};
    const double start = xc_seconds();
    assert_int_equal(
        xc_metrics_compute(XC_LOSS_BINARY, NULL, scores, labels, MANY, MANY_CLASSES, false, &metrics, &error), XC_OK);
    const double seconds = xc_seconds() - start;
    print_message("# 12 classes of 100,000 items: %.3f s\n", seconds);
    assert_true(seconds < 1.5);
    assert_close(metrics.mean[XC_METRIC_AUROC], 0.5, 0.01);
    free(scores);
    free(labels);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks),     cmocka_unit_test(test_ranks_against_slow),
        cmocka_unit_test(test_undefined), cmocka_unit_test(test_infinite_and_nan_scores),
        cmocka_unit_test(test_binary),    cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_squared),   cmocka_unit_test(test_broken_logits),
        cmocka_unit_test(test_link),      cmocka_unit_test(test_written),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
