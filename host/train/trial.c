/* trial.c: what a trial is apart from its folder: the words for its state, its memory, and which trials can share a
 * pack.
 */
#include <stdlib.h>
#include <string.h>

#include "room.h"

const char *xc_trial_status_word(xc_trial_status status) {
#define STATUS_WORD(name, word) word,
    static const char *const words[] = {XC_TRIAL_STATES(STATUS_WORD)};
#undef STATUS_WORD
    return words[status];
}

bool xc_trial_ended(const xc_trial *trial) {
    return trial->status == XC_TRIAL_DONE || trial->status == XC_TRIAL_DIVERGED;
}

void xc_trial_clear(xc_trial *trial) {
    free(trial->name);
    free(trial->folder);
    xc_config_free(trial->config);
    xc_metrics_free(&trial->valid);
    xc_metrics_free(&trial->test);
    memset(trial, 0, sizeof *trial);
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static bool same_data(const xc_data_config *a, const xc_data_config *b) {
    return same_text(a->file, b->file) && a->reverse_complement == b->reverse_complement &&
           same_text(a->train_x, b->train_x) && same_text(a->train_y, b->train_y) &&
           same_text(a->valid_x, b->valid_x) && same_text(a->valid_y, b->valid_y) && same_text(a->test_x, b->test_x) &&
           same_text(a->test_y, b->test_y);
}

/* An activation that is not written is the trial's own in the first block, and relu elsewhere: either way no matter of
 * the shape. */
static bool same_block(const xc_block_config *a, const xc_block_config *b) {
    const bool same_activation =
        a->activation == b->activation || (a->activation && b->activation && *a->activation == *b->activation);
    return same_activation && a->conv == b->conv && a->residual == b->residual && a->dense == b->dense &&
           a->width == b->width && a->padding == b->padding && a->pool == b->pool &&
           a->pool_padding == b->pool_padding && a->dropout == b->dropout && a->norm == b->norm && a->l2 == b->l2;
}

static bool same_model(const xc_model_config *a, const xc_model_config *b) {
    if (!same_text(a->zoo, b->zoo) || a->length != b->length || a->precision != b->precision) return false;
    if (a->blocks_count != b->blocks_count) return false;
    for (uint32_t i = 0; i < a->blocks_count; i++)
        if (!same_block(&a->blocks[i], &b->blocks[i])) return false;
    return true;
}

static bool same_training(const xc_train_config *a, const xc_train_config *b) {
    if (a->class_weights_count != b->class_weights_count) return false;
    for (uint32_t i = 0; i < a->class_weights_count; i++)
        if (a->class_weights[i] != b->class_weights[i]) return false;
    return a->batch == b->batch && a->loss == b->loss && a->optimizer == b->optimizer && a->beta1 == b->beta1 &&
           a->beta2 == b->beta2 && a->epsilon == b->epsilon && a->momentum == b->momentum;
}

bool xc_trials_fit(const xc_config *a, const xc_config *b) {
    return same_data(&a->data, &b->data) && same_model(&a->model, &b->model) && same_training(&a->train, &b->train);
}
