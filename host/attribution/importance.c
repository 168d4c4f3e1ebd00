/* importance.c: global importance: what a pattern adds to the output wherever it is put, the mean over many backgrounds
 * of the output with it less that without. Source: Koo, Majdandzic, Ploenzke, Anand, Paul 2021 (PLoS Comput Biol
 * 17:e1008925), equation 2.
 */
#include <math.h>
#include <stdlib.h>

#include "expconv/attribution.h"

typedef struct importance_run {
    const xc_network *network;
    const xc_backend *backend;
    const xc_split *backgrounds;
    bool probability;
    int threads;
    uint8_t *codes;        /* (L) */
    float *without, *with; /* (backgrounds,classes) */
} importance_run;

/* All backgrounds with a pattern. */
static xc_status put_in(const importance_run *run, const uint8_t *pattern, xc_split *split, xc_error *error) {
    xc_status status;
    const xc_dna_view *dna = &run->backgrounds->dna;
    xc_dna_builder builder = {0};
    XC_TRY(xc_dna_builder_open(&builder, dna->sequences, dna->length, error));
    for (uint32_t i = 0; i < dna->sequences; i++) {
        xc_dna_unpack(dna, i, run->codes);
        for (uint32_t l = 0; l < dna->length; l++)
            if (pattern[l] != XC_PATTERN_KEEP) run->codes[l] = pattern[l];
        XC_TRY(xc_dna_builder_append(&builder, run->codes, error));
    }
    xc_dna_builder_finish(&builder, &split->dna);
fail:
    xc_dna_builder_free(&builder);
    return status;
}

static xc_status outputs(const importance_run *run, const xc_split *split, float *values, xc_error *error) {
    const xc_status status = xc_network_logits(run->network, run->backend, split, run->threads, values, error);
    if (status == XC_OK && run->probability)
        xc_link(run->network->config->train.loss, values, split->dna.sequences, run->network->model.classes);
    return status;
}

/* Mean, deviation (with n - 1) and error of the mean of one class. */
static xc_importance effect_of(const importance_run *run, size_t j) {
    const size_t n = run->backgrounds->dna.sequences, classes = (size_t)run->network->model.classes;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += (double)run->with[i * classes + j] - (double)run->without[i * classes + j];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double off = (double)run->with[i * classes + j] - (double)run->without[i * classes + j] - mean;
        squares += off * off;
    }
    const double deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : NAN;
    return (xc_importance){mean, deviation, deviation / sqrt((double)n)};
}

xc_status xc_global_importance(const xc_network *network, const xc_backend *backend, const xc_split *backgrounds,
                               const uint8_t *patterns, size_t count, bool probability, int threads,
                               xc_importance *effects, xc_error *error) {
    xc_status status;
    importance_run run = {.network = network,
                          .backend = backend,
                          .backgrounds = backgrounds,
                          .probability = probability,
                          .threads = threads > 0 ? threads : xc_core_count()};
    const size_t length = backgrounds->dna.length, classes = (size_t)network->model.classes;
    const size_t values = (size_t)backgrounds->dna.sequences * classes;
    XC_TRY(xc_allocate(&run.codes, length, 1, "a background", error));
    XC_TRY(xc_allocate(&run.without, values, sizeof(float), "outputs", error));
    XC_TRY(xc_allocate(&run.with, values, sizeof(float), "outputs", error));
    XC_TRY(outputs(&run, backgrounds, run.without, error));
    for (size_t p = 0; p < count; p++) {
        xc_split changed = {0};
        status = put_in(&run, patterns + p * length, &changed, error);
        if (status == XC_OK) status = outputs(&run, &changed, run.with, error);
        xc_split_free(&changed);
        if (status != XC_OK) goto fail;
        for (size_t j = 0; j < classes; j++) effects[p * classes + j] = effect_of(&run, j);
    }
fail:
    free(run.codes);
    free(run.without);
    free(run.with);
    return status;
}
