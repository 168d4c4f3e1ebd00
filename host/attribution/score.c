/* score.c: how well contributions find the positions that a sequence was made of.
 * Sources: labels, AUROC and AUPR, Koo & Ploenzke 2021 and their scripts; the ranking is host/train's.
 */
#include <math.h>
#include <stdlib.h>

#include "expconv/attribution.h"

#define LEAST_INFORMATION 0.01 /* bits */
#define NOISE_POSITIONS 10

/* 2 + sum of p log2(p + 1e-10) at position l of (4,length). */
static double information_at(const float *truth, size_t length, size_t l) {
    double bits = 2;
    for (size_t b = 0; b < 4; b++) {
        const double p = (double)truth[b * length + l];
        bits += p * log2(p + 1e-10);
    }
    return bits;
}

static int descending(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Mean score where the label is set over the mean of the largest elsewhere, which are put into `others`. */
static double signal_to_noise(const float *score, const float *label, size_t length, float *others) {
    double signal = 0, noise = 0;
    size_t positions = 0, count = 0;
    for (size_t l = 0; l < length; l++)
        if (label[l] > 0)
            signal += (double)score[l], positions++;
        else
            others[count++] = score[l];
    qsort(others, count, sizeof *others, descending);
    const size_t largest = count < NOISE_POSITIONS ? count : NOISE_POSITIONS;
    for (size_t i = 0; i < largest; i++) noise += (double)others[i];
    return signal / (double)positions / (noise / (double)largest);
}

xc_attribution_score xc_attribution_score_of(const uint8_t *codes, uint32_t length, const float *contributions,
                                             const float *truth, float *work) {
    float *const score = work, *const label = score + length, *const others = label + length;
    for (size_t l = 0; l < length; l++) {
        score[l] = codes[l] < 4 ? contributions[codes[l] * (size_t)length + l] : 0;
        label[l] = information_at(truth, length, l) > LEAST_INFORMATION;
    }
    const double auroc = xc_auroc(score, label, length);
    return (xc_attribution_score){.auroc = auroc,
                                  .aupr = isnan(auroc) ? NAN : xc_aupr(score, label, length),
                                  .signal_to_noise = signal_to_noise(score, label, length, others)};
}

/* Mean and deviation (with n - 1) of one member over the scores that have it. */
static size_t mean_of(const xc_attribution_score *score, size_t count, size_t member, double *mean, double *deviation) {
    double sum = 0, squares = 0;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const double value = ((const double *)&score[i])[member];
        if (isfinite(value)) sum += value, used++;
    }
    *mean = sum / (double)used;
    for (size_t i = 0; i < count; i++) {
        const double off = ((const double *)&score[i])[member] - *mean;
        if (isfinite(off)) squares += off * off;
    }
    *deviation = used > 1 ? sqrt(squares / (double)(used - 1)) : NAN;
    return used;
}

xc_attribution_scores xc_attribution_scores_of(const xc_attribution_score *score, size_t count) {
    xc_attribution_scores all = {0};
    all.sequences = mean_of(score, count, 0, &all.mean.auroc, &all.deviation.auroc);
    mean_of(score, count, 1, &all.mean.aupr, &all.deviation.aupr);
    mean_of(score, count, 2, &all.mean.signal_to_noise, &all.deviation.signal_to_noise);
    return all;
}
