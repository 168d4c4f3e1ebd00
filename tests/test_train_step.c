/* test_train_step.c: what training checks before it begins (folder, labels, monitored metric), and what a step then
 * sees: the order of the sequences, and no memory beyond the plan.
 */
#include "train_fixture.h"

#include <math.h>

/* ---- the folder ------------------------------------------------------------------------------------------------- */

static void test_claim(void **state) {
    (void)state;
    xc_error refused = {0};
    xc_trial trial = make_trial("claimed", NULL), other = make_trial("claimed", OVERRIDES("train.batch=50"));
    MUST(xc_trial_claim_folder(&trial, NULL, error));
    MUST(xc_trial_claim_folder(&trial, NULL, error));
    assert_int_equal(xc_trial_claim_folder(&other, NULL, &refused), XC_INPUT);
    print_message("# %s\n", refused.text);
    assert_non_null(strstr(refused.text, "train.batch is 20 there and 50 here"));
    xc_trial_clear(&other);
    other = make_trial("claimed", OVERRIDES("model.activation=exponential"));
    assert_int_equal(xc_trial_claim_folder(&other, NULL, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "model.activation is relu there and exponential here"));
    trial.config->model.blocks[0].conv = 5; /* blocks are whole lines */
    assert_int_equal(xc_trial_claim_folder(&trial, NULL, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "config: line "));
    assert_non_null(strstr(refused.text, "\"{conv: 6, "));
    trial.config->model.blocks[0].conv = 6;
    MUST(xc_trial_read_results(&trial, error));
    assert_int_equal(trial.status, XC_TRIAL_WAITING);
    xc_trial_clear(&other);
    xc_trial_clear(&trial);
}

static void test_data_check(void **state) {
    (void)state;
    xc_error refused = {0};
    MUST(xc_train_data_check(&dataset, XC_LOSS_BINARY, error));
    assert_int_equal(xc_train_data_check(&dataset, XC_LOSS_SOFTMAX, &refused), XC_INPUT);
    print_message("# %s\n", refused.text);
    float labels[45 * CLASSES] = {0};
    xc_dataset changed = dataset;
    changed.split[XC_VALID].labels = labels;
    MUST(xc_train_data_check(&changed, XC_LOSS_BINARY, error)); /* one label: a notice */
    labels[7] = 0.5f;
    assert_int_equal(xc_train_data_check(&changed, XC_LOSS_BINARY, &refused), XC_INPUT);
    MUST(xc_train_data_check(&changed, XC_LOSS_SQUARED, error));
    changed.split[XC_VALID].dna.sequences = 0;
    assert_int_equal(xc_train_data_check(&changed, XC_LOSS_BINARY, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "valid"));
}

/* The monitored metric must exist for the labels, when anything depends on it. */
static void test_monitor_check(void **state) {
    (void)state;
    float labels[45 * CLASSES] = {0};
    xc_dataset changed = dataset;
    bool exists = false;
    xc_trial trial = make_trial("monitor", OVERRIDES("train.loss=mean_squared_error"));
    xc_train_config *config = &trial.config->train;
    MUST(xc_train_monitor_check(&changed, config, &exists, error));
    assert_true(exists); /* labels of 0 and 1 can be ranked */
    changed.split[XC_VALID].labels = labels;
    for (int loss = 0; loss < 2; loss++) {
        config->loss = loss ? XC_LOSS_SQUARED : XC_LOSS_BINARY;
        config->monitor = XC_METRIC_AUROC;
        MUST(xc_train_monitor_check(&changed, config, &exists, error));
        assert_false(exists);
        config->monitor = XC_METRIC_LOSS;
        MUST(xc_train_monitor_check(&changed, config, &exists, error));
        assert_true(exists);
    }
    for (int i = 0; i < 45 * CLASSES; i++) labels[i] = (float)i / 7;
    config->monitor = XC_METRIC_AUROC;
    MUST(xc_train_monitor_check(&changed, config, &exists, error));
    assert_false(exists);
    config->monitor = XC_METRIC_PEARSON;
    MUST(xc_train_monitor_check(&changed, config, &exists, error));
    assert_true(exists);
    config->monitor = XC_METRIC_AUROC;
    config->early_stop.patience = config->reduce_lr.patience = 0;
    config->best_weights = false;
    MUST(xc_train_monitor_check(&changed, config, &exists, error));
    assert_true(exists);
    xc_trial_clear(&trial);
}

static void test_order(void **state) {
    (void)state;
    const xc_split *split = &dataset.split[XC_TRAIN];
    uint32_t first[TRAIN_ITEMS], second[TRAIN_ITEMS];
    bool seen[TRAIN_ITEMS] = {false};
    xc_epoch_order(split, 7, 3, first);
    for (int i = 0; i < TRAIN_ITEMS; i++) {
        const uint32_t item =
            (first[i] & ~XC_REVERSE_COMPLEMENT) + (first[i] & XC_REVERSE_COMPLEMENT ? split->dna.sequences : 0);
        assert_true(item < TRAIN_ITEMS && !seen[item]);
        seen[item] = true;
    }
    xc_epoch_order(split, 7, 3, second);
    assert_memory_equal(first, second, sizeof first);
    xc_epoch_order(split, 7, 4, second);
    assert_memory_not_equal(first, second, sizeof first);
    xc_epoch_order(split, 8, 3, second);
    assert_memory_not_equal(first, second, sizeof first);
}

/* ---- what a step sees -------------------------------------------------------------------------------------------- */

/* Index words that the reference's first block was given in training, of a pack of one. */
static uint32_t seen_words[3 * TRAIN_ITEMS];
static size_t seen_count;

static xc_status spy_forward(const xc_backend *backend, const xc_block_args *args, xc_error *error) {
    const size_t batch = (size_t)args->batch;
    if (args->training) {
        assert_true(seen_count + batch <= 3 * TRAIN_ITEMS);
        memcpy(seen_words + seen_count, args->index, batch * sizeof(uint32_t));
        seen_count += batch;
    }
    return reference->motif_block_forward(backend, args, error);
}

/* Each epoch every item once, in the order of the trial's seed and the epoch, the last batch being what is left. */
static void test_steps_in_order(void **state) {
    (void)state;
    xc_backend spy = *reference;
    spy.motif_block_forward = spy_forward;
    xc_trial trial = make_trial("order", OVERRIDES("train.epochs=3", "train.seed=21"));
    uint32_t order[TRAIN_ITEMS];
    MUST(xc_train_pack(&spy, &reference_data, (xc_trial *[]){&trial}, 1, NULL, error));
    assert_int_equal(seen_count, 3 * TRAIN_ITEMS);
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        xc_epoch_order(&dataset.split[XC_TRAIN], 21, epoch, order);
        assert_memory_equal(seen_words + epoch * TRAIN_ITEMS, order, sizeof order);
    }
    xc_trial_clear(&trial);
}

static size_t largest_bytes;

static void *spy_allocate(const xc_backend *backend, size_t bytes) {
    if (bytes > largest_bytes) largest_bytes = bytes;
    return bytes > (size_t)64 << 20 ? NULL : reference->allocate(backend, bytes);
}

/* A batch of more than there is takes no more memory than there is, and gives what one of all items gives. */
static void test_large_batch(void **state) {
    (void)state;
    xc_backend spy = *reference;
    spy.allocate = spy_allocate;
    xc_trial large = make_trial("large-batch", OVERRIDES("train.batch=1000000"));
    xc_trial whole = make_trial("whole-batch", OVERRIDES("train.batch=214"));
    MUST(xc_train_pack(&spy, &reference_data, (xc_trial *[]){&large}, 1, NULL, error));
    const size_t large_bytes = largest_bytes;
    largest_bytes = 0;
    MUST(xc_train_pack(&spy, &reference_data, (xc_trial *[]){&whole}, 1, NULL, error));
    assert_int_equal(large_bytes, largest_bytes);
    assert_same_results("large-batch", "whole-batch");
    xc_trial_clear(&large);
    xc_trial_clear(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_claim),
        cmocka_unit_test(test_data_check),
        cmocka_unit_test(test_steps_in_order),
        cmocka_unit_test(test_monitor_check),
        cmocka_unit_test(test_large_batch),
    };
    return cmocka_run_group_tests_name("train_step", tests, open_all, close_all);
}
