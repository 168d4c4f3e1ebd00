/* config_fixture.h: what the tests of the config room share: a config read from a text, one that must be good, and a
 * table of those that must be refused. Includes cmocka.h itself; runs in the repository's root.
 */
#ifndef EXPCONV_CONFIG_FIXTURE_H
#define EXPCONV_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expconv/model.h"

#define FOLDER "build/test_config"
#define SWEEP FOLDER "/sweep.yaml"
#define DATA "data: {file: a.h5}\n"

/* Set-up of a group. */
static inline int make_config_folder(void **state) {
    (void)state;
    xc_error error = {0};
    return xc_make_folder(FOLDER, &error);
}

static inline void write_file(const char *path, const char *text, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline xc_status read_config(const char *text, const char *override, xc_config **config, xc_error *error) {
    write_file(SWEEP, text, strlen(text));
    return xc_config_read(SWEEP, &override, override != NULL, config, error);
}

/* A config that must be good. */
static inline xc_config *good(const char *text, const char *override) {
    xc_config *config = NULL;
    xc_error error = {0};
    if (read_config(text, override, &config, &error) != XC_OK) fail_msg("refused: %s", error.text);
    return config;
}

static inline char *text_of(const xc_config *config) {
    char *text = NULL;
    xc_error error = {0};
    assert_int_equal(xc_config_write(config, &text, &error), XC_OK);
    return text;
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

typedef struct refusal {
    const char *text, *override, *line; /* the error line after SWEEP, or after "--set " */
} refusal;

/* Each is refused, in one line, and with that line when it is given. refusals (count). */
static inline void assert_each_refused(const refusal *refusals, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const refusal *one = &refusals[i];
        xc_config *config = NULL;
        xc_error error = {0};
        const xc_status status = read_config(one->text, one->override, &config, &error);
        xc_config_free(config);
        if (status == XC_OK) fail_msg("not refused: %s %s", one->text, one->override ? one->override : "");
        assert_null(strchr(error.text, '\n'));
        assert_int_equal(error.status, status);
        if (!one->line) continue;
        char line[XC_ERROR_LENGTH];
        snprintf(line, sizeof line, "%s%s", one->override ? "--set " : SWEEP, one->line);
        assert_string_equal(error.text, line);
        assert_int_equal(status, one->override ? XC_USAGE : XC_INPUT);
    }
}

/* ---- sameness ---------------------------------------------------------------------------------------------------- */

#define SAME(member) assert_memory_equal(&a->member, &b->member, sizeof a->member)
#define SAME_TEXT(member)                                          \
    do {                                                           \
        assert_int_equal(a->member == NULL, b->member == NULL);    \
        if (a->member) assert_string_equal(a->member, b->member);  \
        if (a->member) assert_ptr_not_equal(a->member, b->member); \
    } while (0)
#define SAME_LIST(member)                                                                                        \
    do {                                                                                                         \
        SAME(member##_count);                                                                                    \
        if (a->member##_count) assert_memory_equal(a->member, b->member, a->member##_count * sizeof *a->member); \
    } while (0)

static inline void assert_same_blocks(const xc_model_config *a, const xc_model_config *b) {
    SAME(blocks_count);
    for (uint32_t i = 0; i < a->blocks_count; i++) {
        xc_block_config left = a->blocks[i], right = b->blocks[i];
        assert_int_equal(left.activation == NULL, right.activation == NULL);
        if (left.activation) assert_int_equal(*left.activation, *right.activation);
        left.activation = right.activation = NULL;
        assert_memory_equal(&left, &right, sizeof left);
    }
}

/* Equal member by member, with no memory in common. */
static inline void assert_same(const xc_config *a, const xc_config *b) {
    SAME_TEXT(data.file);
    SAME(data.reverse_complement);
    SAME_TEXT(data.train_x);
    SAME_TEXT(data.train_y);
    SAME_TEXT(data.valid_x);
    SAME_TEXT(data.valid_y);
    SAME_TEXT(data.test_x);
    SAME_TEXT(data.test_y);
    SAME_TEXT(model.zoo);
    SAME(model.length);
    SAME(model.activation);
    SAME(model.init);
    SAME(model.stddev);
    SAME(model.precision);
    assert_same_blocks(&a->model, &b->model);
    SAME(train.epochs);
    SAME(train.batch);
    SAME(train.optimizer);
    SAME(train.learning_rate);
    SAME(train.beta1);
    SAME(train.beta2);
    SAME(train.epsilon);
    SAME(train.momentum);
    SAME(train.loss);
    SAME_LIST(train.class_weights);
    SAME(train.monitor);
    SAME(train.early_stop.patience);
    SAME(train.early_stop.min_delta);
    SAME(train.reduce_lr.patience);
    SAME(train.reduce_lr.factor);
    SAME(train.reduce_lr.min);
    SAME(train.reduce_lr.min_delta);
    SAME(train.reduce_lr.cooldown);
    SAME(train.best_weights);
    SAME(train.seed);
    SAME(exponential.clip);
    SAME(exponential.beyond);
    SAME(exponential.scale);
}

static inline void assert_same_sweep(const xc_sweep_config *a, const xc_sweep_config *b) {
    SAME(zoo_count);
    for (uint32_t i = 0; i < a->zoo_count; i++) assert_string_equal(a->zoo[i], b->zoo[i]);
    SAME_LIST(activation);
    SAME_LIST(init);
    SAME_LIST(stddev);
    SAME_LIST(scale);
    SAME_LIST(clip);
    SAME_LIST(learning_rate);
    SAME(seeds);
}

/* read(write(c)) == c, and writing again gives the same text; consumes the config. */
static inline void assert_round_trip(xc_config *config) {
    char *first = text_of(config);
    xc_config *again = good(first, NULL);
    char *second = text_of(again);
    assert_same(config, again);
    assert_same_sweep(&config->sweep, &again->sweep);
    assert_string_equal(first, second);
    free(first);
    free(second);
    xc_config_free(config);
    xc_config_free(again);
}

#endif
