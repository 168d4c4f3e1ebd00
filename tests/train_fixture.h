/* train_fixture.h: the small simulated question (which of two motifs is in the sequence) that the tests of the training
 * room share, its data on both backends, and trials in a fresh folder. Includes cmocka.h itself.
 */
#ifndef EXPCONV_TRAIN_FIXTURE_H
#define EXPCONV_TRAIN_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../host/train/room.h"
#include "expconv/train.h"
#include "folder_fixture.h"

#define MUST(call)                                                       \
    do {                                                                 \
        xc_error must_error = {0}, *error = &must_error;                 \
        if ((call) != XC_OK) fail_msg("%s: %s", #call, must_error.text); \
    } while (0)

/* ---- data ------------------------------------------------------------------------------------------------------- */

enum { LENGTH = 30, TRAIN_ITEMS = 2 * 107, BATCH = 20, CLASSES = 2 };

/* Half of the sequences hold motif 0, half hold motif 1, drawn apart; now and then an N. */
static inline xc_split make_split(uint32_t sequences, uint64_t seed) {
    static const uint8_t motif[CLASSES][7] = {{3, 2, 0, 1, 3, 1, 0}, {2, 2, 1, 2, 1, 1, 2}};
    xc_random_sequence draw = {.seed = seed, .stream = XC_STREAM_SIMULATE, .substream = 1234};
    xc_split split = {.classes = CLASSES, .reverse_complement = true};
    xc_dna_builder builder;
    float *labels;
    uint8_t codes[LENGTH];
    MUST(xc_dna_builder_open(&builder, sequences, LENGTH, error));
    MUST(xc_allocate(&labels, sequences * (size_t)CLASSES, sizeof *labels, "labels", error));
    for (uint32_t i = 0; i < sequences; i++) {
        for (int l = 0; l < LENGTH; l++)
            codes[l] = xc_random_below(&draw, 40) == 0 ? XC_BASE_N : (uint8_t)xc_random_below(&draw, 4);
        for (uint32_t c = 0; c < CLASSES; c++) {
            const uint32_t at = c * LENGTH / 2 + xc_random_below(&draw, LENGTH / 2 - 7);
            labels[i * CLASSES + c] = (float)xc_random_below(&draw, 2);
            if (labels[i * CLASSES + c] > 0) memcpy(codes + at, motif[c], sizeof motif[c]);
        }
        MUST(xc_dna_builder_append(&builder, codes, error));
    }
    xc_dna_builder_finish(&builder, &split.dna);
    xc_dna_builder_free(&builder);
    split.labels = labels;
    return split;
}

static xc_dataset dataset;
static xc_train_data reference_data, cpu_data;
static const xc_backend *reference, *cpu;

static inline int open_all(void **state) {
    xc_log_set_quiet(true);
    if (make_folder(state) != 0) return -1;
    strcpy(dataset.path, "motifs.h5");
    dataset.split[XC_TRAIN] = make_split(TRAIN_ITEMS / 2, 1);
    dataset.split[XC_VALID] = make_split(45, 2);
    dataset.split[XC_TEST] = make_split(35, 3);
    reference = xc_backend_reference();
    MUST(xc_backend_cpu(&cpu, error));
    MUST(xc_train_data_open(reference, &dataset, &reference_data, error));
    MUST(xc_train_data_open(cpu, &dataset, &cpu_data, error));
    return 0;
}

static inline int close_all(void **state) {
    xc_train_data_close(&reference_data);
    xc_train_data_close(&cpu_data);
    for (int s = 0; s < XC_SPLIT_COUNT; s++) xc_split_free(&dataset.split[s]);
    return remove_folder(state);
}

/* ---- trials ----------------------------------------------------------------------------------------------------- */

static const char config_text[] =
    "data: {file: motifs.h5, reverse_complement: true}\n"
    "model:\n"
    "  zoo: tiny\n"
    "  activation: relu\n"
    "  blocks:\n"
    "    - {conv: 6, width: 7, dropout: 0.1, pool: 5}\n"
    "    - {dense: 8, dropout: 0.1}\n"
    "train: {epochs: 4, batch: 20, learning_rate: 0.01, monitor: val_auroc}\n";

enum { MOST_OVERRIDES = 8 };

/* A trial in folder/place by the config above with overrides, NULL-terminated. xc_trial_clear. */
static inline xc_trial make_trial(const char *place, const char *const *overrides) {
    char path[128];
    xc_trial trial = {0};
    int count = 0;
    while (overrides && overrides[count]) count++;
    snprintf(path, sizeof path, "%s/tiny.yaml", folder);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(config_text, stream);
    fclose(stream);
    MUST(xc_config_read(path, overrides, count, &trial.config, error));
    trial.name = strdup(place);
    trial.folder = xc_path_join(folder, place);
    MUST(xc_make_folder(trial.folder, error));
    return trial;
}
#define OVERRIDES(...) ((const char *const[MOST_OVERRIDES + 1]){__VA_ARGS__})

static inline char *read_text(const char *place, const char *name, size_t *size) {
    char path[256], *text;
    snprintf(path, sizeof path, "%s/%s/%s", folder, place, name);
    MUST(xc_file_read(path, (size_t)1 << 26, &text, size, error));
    return text;
}

static inline bool exists(const char *place, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s/%s", folder, place, name);
    return xc_path_exists(path);
}

static inline void assert_same_file(const char *place, const char *other, const char *name) {
    size_t size, other_size;
    char *text = read_text(place, name, &size), *other_text = read_text(other, name, &other_size);
    if (size != other_size || memcmp(text, other_text, size) != 0)
        fail_msg("%s of %s and %s are not the same", name, place, other);
    free(text);
    free(other_text);
}

static inline void assert_same_results(const char *place, const char *other) {
    assert_same_file(place, other, XC_WEIGHTS_FILE);
    assert_same_file(place, other, XC_HISTORY_FILE);
    assert_same_file(place, other, XC_METRICS_FILE);
}

#endif
