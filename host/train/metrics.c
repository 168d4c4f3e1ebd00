/* metrics.c: loss, AUROC, AUPR, average precision, accuracy and Pearson's r, per class and as a mean.
 *
 * Scores are ranked as logits (softmax: log probabilities), which order as the probabilities do but do not run together
 * at 1 in float. What does not exist is NaN and left out of the mean: AUROC of a class with one label, AUPR and average
 * precision without a positive, r of a constant, ranks and accuracy of a regression (ranks exist there when all labels
 * are 0 or 1). A NaN among the scores is another matter: it makes its class, and the means, NaN, for a broken network
 * must not look like one with fewer classes. Infinite scores are ranked at the ends.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "room.h"

/* One class on its own, contiguous. */
typedef struct class_column {
    size_t items;
    float *scores;      /* (items) what is ranked */
    float *labels;      /* (items) */
    double *prediction; /* (items) probability, or the regression's value */
    double *partition;  /* (items) log of the softmax's denominator; NaN where a logit is NaN. Of all classes */
    uint32_t *keys;     /* (2 items) */
} class_column;

/* Binary cross-entropy of a logit and a 0/1 label, and the probability, from one exponential. */
static double binary_loss(double logit, bool positive, double *probability) {
    const double small = exp(-fabs(logit)), wrong = positive ? -logit : logit;
    *probability = (logit >= 0 ? 1 : small) / (1 + small);
    return (wrong > 0 ? wrong : 0) + log1p(small);
}

/* log sum_c exp(z_c) of one row. */
static double log_partition(const float *logits, int32_t classes) {
    double largest = -INFINITY, sum = 0;
    for (int32_t c = 0; c < classes; c++) {
        if (isnan(logits[c])) return NAN;
        if (logits[c] > largest) largest = logits[c];
    }
    if (isinf(largest)) return NAN;
    for (int32_t c = 0; c < classes; c++) sum += exp(logits[c] - largest);
    return largest + log(sum);
}

static void partition_rows(const xc_metrics_input *input, double *partition) {
    for (size_t i = 0; i < input->items; i++)
        partition[i] = log_partition(input->logits + i * (size_t)input->classes, input->classes);
}

/* Takes class c out of the matrices; the sum of its weighted losses is returned. */
static double gather_column(const xc_metrics_input *input, int32_t c, class_column *column) {
    const size_t classes = (size_t)input->classes;
    const double weight = input->class_weights ? input->class_weights[c] : 1;
    double loss = 0;
    size_t row = 0;
    for (size_t i = 0; i < input->items; i++) {
        const float label = input->labels[row * classes + (size_t)c];
        row = row + 1 == input->label_rows ? 0 : row + 1;
        const double logit = input->logits[i * classes + (size_t)c];
        double score = logit;
        column->prediction[i] = logit;
        switch (input->loss) {
            case XC_LOSS_BINARY:
                loss += weight * binary_loss(logit, label > 0.5f, &column->prediction[i]);
                break;
            case XC_LOSS_SOFTMAX:
                score = logit - column->partition[i];
                if (label > 0.5f) loss -= weight * score;
                column->prediction[i] = exp(score);
                break;
            default:
                loss += weight * (logit - label) * (logit - label);
                break;
        }
        column->scores[i] = (float)score;
        column->labels[i] = label;
    }
    return loss;
}

/* Pearson's r of predictions and labels; NaN when either is constant. */
static double pearson(const double *x, const float *y, size_t n) {
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0, yy = 0;
    bool x_varies = false, y_varies = false;
    for (size_t i = 0; i < n; i++) {
        mean_x += x[i];
        mean_y += y[i];
        x_varies |= x[i] != x[0];
        y_varies |= y[i] != y[0];
    }
    if (!x_varies || !y_varies) return NAN;
    mean_x /= (double)n;
    mean_y /= (double)n;
    for (size_t i = 0; i < n; i++) {
        const double dx = x[i] - mean_x, dy = y[i] - mean_y;
        xx += dx * dx;
        xy += dx * dy;
        yy += dy * dy;
    }
    const double r = xy / (sqrt(xx) * sqrt(yy));
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

static int32_t largest_of(const float *row, int32_t classes) {
    int32_t largest = 0;
    for (int32_t c = 1; c < classes; c++)
        if (row[c] > row[largest]) largest = c;
    return largest;
}

/* Share of items where prediction (probability above one half; softmax: the argmax) and label agree about class c. */
static double class_accuracy(const xc_metrics_input *input, int32_t c, const class_column *column) {
    size_t agree = 0;
    for (size_t i = 0; i < column->items; i++) {
        const bool predicted = input->loss == XC_LOSS_SOFTMAX
                                   ? largest_of(input->logits + i * (size_t)input->classes, input->classes) == c
                                   : column->scores[i] > 0;
        agree += predicted == (column->labels[i] > 0.5f);
    }
    return (double)agree / (double)column->items;
}

/* Share of items whose argmax is the label's class. */
static double argmax_accuracy(const xc_metrics_input *input) {
    const size_t classes = (size_t)input->classes;
    size_t right = 0;
    for (size_t i = 0; i < input->items; i++) {
        const int32_t c = largest_of(input->logits + i * classes, input->classes);
        right += input->labels[i % input->label_rows * classes + (size_t)c] > 0.5f;
    }
    return (double)right / (double)input->items;
}

/* What the labels of a column are: how many positives, and whether all are 0 or 1. */
static size_t count_positives(const class_column *column, bool *binary) {
    size_t positives = 0;
    *binary = true;
    for (size_t i = 0; i < column->items; i++) {
        positives += column->labels[i] > 0.5f;
        if (column->labels[i] != 0 && column->labels[i] != 1) *binary = false;
    }
    return positives;
}

static bool has_nan(const class_column *column) {
    for (size_t i = 0; i < column->items; i++)
        if (isnan(column->scores[i])) return true;
    return false;
}

/* All metrics of class c. Returns whether the scores are free of NaN; `*one_label`: the labels are all the same. */
static bool measure_class(const xc_metrics_input *input, int32_t c, class_column *column, double value[XC_METRIC_COUNT],
                          bool *one_label) {
    for (int m = 0; m < XC_METRIC_COUNT; m++) value[m] = NAN;
    const double loss = gather_column(input, c, column);
    bool binary;
    const size_t positives = count_positives(column, &binary);
    *one_label = binary && (positives == 0 || positives == column->items);
    if (has_nan(column)) return false;

    value[XC_METRIC_LOSS] = loss / (double)column->items;
    value[XC_METRIC_PEARSON] = pearson(column->prediction, column->labels, column->items);
    if (input->loss != XC_LOSS_SQUARED) value[XC_METRIC_ACCURACY] = class_accuracy(input, c, column);
    if (binary) {
        const xc_ranking ranking = xc_rank(column->scores, column->labels, column->items, column->keys);
        value[XC_METRIC_AUROC] = ranking.auroc;
        value[XC_METRIC_AUPR] = ranking.aupr;
        value[XC_METRIC_AVERAGE_PRECISION] = ranking.average_precision;
    }
    return true;
}

/* Adds class values up to means over the classes where each exists. */
typedef struct mean_sums {
    double sum[XC_METRIC_COUNT];
    int32_t count[XC_METRIC_COUNT];
    bool broken; /* a NaN among the scores */
} mean_sums;

static void add_class(mean_sums *sums, const double value[XC_METRIC_COUNT]) {
    for (int m = 0; m < XC_METRIC_COUNT; m++) {
        if (isnan(value[m])) continue;
        sums->sum[m] += value[m];
        sums->count[m]++;
    }
}

static void take_means(const mean_sums *sums, const xc_metrics_input *input, double mean[XC_METRIC_COUNT]) {
    for (int m = 0; m < XC_METRIC_COUNT; m++)
        mean[m] = sums->broken || sums->count[m] == 0 ? NAN : sums->sum[m] / sums->count[m];
    if (input->loss == XC_LOSS_SOFTMAX && !sums->broken) { /* a row's loss and its hit belong to all classes together */
        mean[XC_METRIC_LOSS] = sums->sum[XC_METRIC_LOSS];
        mean[XC_METRIC_ACCURACY] = argmax_accuracy(input);
    }
}

static xc_status open_column(const xc_metrics_input *input, class_column *column, xc_error *error) {
    xc_status status = XC_OK;
    const char *what = "metrics";
    column->items = input->items;
    XC_TRY(xc_allocate(&column->scores, input->items, sizeof(float), what, error));
    XC_TRY(xc_allocate(&column->labels, input->items, sizeof(float), what, error));
    XC_TRY(xc_allocate(&column->prediction, input->items, sizeof(double), what, error));
    XC_TRY(xc_allocate(&column->keys, 2 * input->items, sizeof(uint32_t), what, error));
    if (input->loss == XC_LOSS_SOFTMAX) {
        XC_TRY(xc_allocate(&column->partition, input->items, sizeof(double), what, error));
        partition_rows(input, column->partition);
    }
fail:
    return status;
}

static void close_column(class_column *column) {
    free(column->scores);
    free(column->labels);
    free(column->prediction);
    free(column->partition);
    free(column->keys);
}

xc_status xc_metrics_of(const xc_metrics_input *input, bool per_class, xc_metrics *metrics, xc_error *error) {
    xc_status status = XC_OK;
    class_column column = {0};
    mean_sums sums = {0};
    const size_t classes = (size_t)input->classes;
    xc_metrics_none(metrics);
    metrics->classes = input->classes;
    if (per_class)
        XC_TRY(xc_allocate(&metrics->per_class, XC_METRIC_COUNT * classes, sizeof(double), "metrics", error));
    for (size_t i = 0; i < XC_METRIC_COUNT * classes && per_class; i++) metrics->per_class[i] = NAN;
    if (input->items == 0) return XC_OK;

    XC_TRY(open_column(input, &column, error));
    for (int32_t c = 0; c < input->classes; c++) {
        double value[XC_METRIC_COUNT];
        bool one_label;
        if (!measure_class(input, c, &column, value, &one_label)) sums.broken = true;
        add_class(&sums, value);
        metrics->one_label += one_label;
        for (size_t m = 0; m < XC_METRIC_COUNT && per_class; m++)
            metrics->per_class[m * classes + (size_t)c] = value[m];
    }
    take_means(&sums, input, metrics->mean);
fail:
    close_column(&column);
    if (status != XC_OK) xc_metrics_free(metrics);
    return status;
}

xc_status xc_metrics_compute(xc_loss_kind loss, const double *class_weights, const float *logits, const float *labels,
                             size_t items, int32_t classes, bool per_class, xc_metrics *metrics, xc_error *error) {
    const xc_metrics_input input = {.loss = loss,
                                    .class_weights = class_weights,
                                    .logits = logits,
                                    .labels = labels,
                                    .items = items,
                                    .label_rows = items,
                                    .classes = classes};
    return xc_metrics_of(&input, per_class, metrics, error);
}

void xc_metrics_none(xc_metrics *metrics) {
    memset(metrics, 0, sizeof *metrics);
    for (int m = 0; m < XC_METRIC_COUNT; m++) metrics->mean[m] = NAN;
}

void xc_metrics_free(xc_metrics *metrics) {
    free(metrics->per_class);
    metrics->per_class = NULL;
}

void xc_link(xc_loss_kind loss, float *logits, size_t items, int32_t classes) {
    const size_t count = items * (size_t)classes;
    if (loss == XC_LOSS_BINARY) {
        for (size_t i = 0; i < count; i++) {
            const double z = logits[i];
            logits[i] = (float)(z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)));
        }
    } else if (loss == XC_LOSS_SOFTMAX) {
        for (size_t i = 0; i < items; i++) {
            float *const row = logits + i * (size_t)classes;
            const double partition = log_partition(row, classes);
            for (int32_t c = 0; c < classes; c++) row[c] = (float)exp(row[c] - partition);
        }
    }
}

void xc_metric_headings(FILE *stream, const char *prefix) {
#define METRIC_WORD(name, word, larger) word,
    static const char *const words[XC_METRIC_COUNT] = {XC_METRICS(METRIC_WORD)};
#undef METRIC_WORD
    for (int m = 0; m < XC_METRIC_COUNT; m++) fprintf(stream, "\t%s%s", prefix, words[m]);
}

xc_status xc_metrics_write(FILE *stream, const char *split, const xc_metrics *metrics, bool header) {
    if (header) {
        fputs("split\tclass", stream);
        xc_metric_headings(stream, "");
        fputc('\n', stream);
    }
    const int32_t rows = metrics->per_class ? metrics->classes : 0;
    for (int32_t c = -1; c < rows; c++) {
        fprintf(stream, c < 0 ? "%s\tmean" : "%s\t%d", split, (int)c);
        for (int m = 0; m < XC_METRIC_COUNT; m++) {
            fputc('\t', stream);
            xc_number_write(stream, c < 0 ? metrics->mean[m] : metrics->per_class[m * metrics->classes + c]);
        }
        fputc('\n', stream);
    }
    return ferror(stream) ? XC_IO : XC_OK;
}
