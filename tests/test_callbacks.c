/* test_callbacks.c: early stopping and reduce-on-plateau on sequences worked out by hand from Keras' source. In each
 * row the value of an epoch stands beside what must be true after it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "expconv/train.h"

typedef struct epoch {
    double value, rate; /* rate: after the epoch */
    bool best, stop;
} epoch;

static void play(const xc_train_config *config, const epoch *epochs, size_t count) {
    xc_callbacks callbacks;
    xc_callbacks_start(&callbacks, config);
    for (size_t i = 0; i < count; i++) {
        bool best;
        const bool stop = xc_callbacks_epoch(&callbacks, config, (uint32_t)i + 1, epochs[i].value, &best);
        if (best != epochs[i].best || stop != epochs[i].stop || fabs(callbacks.learning_rate - epochs[i].rate) > 1e-15)
            fail_msg("epoch %zu: best %d, stop %d, rate %.17g", i + 1, best, stop, callbacks.learning_rate);
    }
}
#define PLAY(config, epochs) play(&(config), epochs, sizeof(epochs) / sizeof *(epochs))

static xc_train_config stop_only(xc_metric monitor, uint32_t patience, double min_delta) {
    return (xc_train_config){
        .monitor = monitor, .learning_rate = 1, .early_stop = {.patience = patience, .min_delta = min_delta}};
}

static xc_train_config reduce_only(uint32_t patience, double factor, double min, double min_delta, uint32_t cooldown) {
    return (xc_train_config){
        .monitor = XC_METRIC_AUPR, .learning_rate = 1, .reduce_lr = {patience, factor, min, min_delta, cooldown}};
}

/* Three epochs without a new best stop after the third; an equal value is no new best. */
static void test_stop_counts(void **state) {
    (void)state;
    const xc_train_config config = stop_only(XC_METRIC_AUROC, 3, 0);
    const epoch epochs[] = {
        {0.5, 1, true, false},  {0.5, 1, false, false}, {0.4, 1, false, false}, {0.6, 1, true, false},
        {0.6, 1, false, false}, {0.1, 1, false, false}, {0.5, 1, false, true},
    };
    PLAY(config, epochs);
}

static void test_stop_on_loss(void **state) {
    (void)state;
    const xc_train_config config = stop_only(XC_METRIC_LOSS, 2, 0);
    const epoch epochs[] = {
        {0.7, 1, true, false}, {0.6, 1, true, false}, {0.65, 1, false, false}, {0.6, 1, false, true}};
    PLAY(config, epochs);
}

/* A gain must be more than min_delta, measured from the last best, so small gains add up. Binary fractions: exact. */
static void test_stop_min_delta(void **state) {
    (void)state;
    const xc_train_config larger = stop_only(XC_METRIC_AUROC, 2, 0.125);
    const epoch up[] = {{0.25, 1, true, false},
                        {0.375, 1, false, false},
                        {0.40625, 1, true, false},
                        {0.5, 1, false, false},
                        {0.53125, 1, false, true}};
    PLAY(larger, up);
    const xc_train_config smaller = stop_only(XC_METRIC_LOSS, 2, 0.125);
    const epoch down[] = {{0.75, 1, true, false},
                          {0.625, 1, false, false},
                          {0.59375, 1, true, false},
                          {0.46875, 1, false, false},
                          {0.4375, 1, true, false}};
    PLAY(smaller, down);
}

/* With patience 1 the first epoch cannot stop, even when it has no value; its weights are the best until a better. */
static void test_stop_never_after_first(void **state) {
    (void)state;
    const xc_train_config config = stop_only(XC_METRIC_AUROC, 1, 0);
    const epoch epochs[] = {{NAN, 1, true, false}, {NAN, 1, false, true}};
    PLAY(config, epochs);
    const epoch recovers[] = {{NAN, 1, true, false}, {0.5, 1, true, false}, {NAN, 1, false, true}};
    PLAY(config, recovers);
}

static void test_stop_off(void **state) {
    (void)state;
    const xc_train_config config = stop_only(XC_METRIC_AUROC, 0, 0);
    const epoch epochs[] = {
        {0.5, 1, true, false}, {0.4, 1, false, false}, {0.4, 1, false, false}, {0.6, 1, true, false}};
    PLAY(config, epochs);
}

/* Two epochs without improvement reduce; the count begins anew; never under the minimum. */
static void test_reduce_counts(void **state) {
    (void)state;
    const xc_train_config config = reduce_only(2, 0.25, 0.1, 0, 0);
    const epoch epochs[] = {
        {0.5, 1, true, false},     {0.5, 1, false, false},   {0.5, 0.25, false, false},
        {0.4, 0.25, false, false}, {0.6, 0.25, true, false}, {0.6, 0.25, false, false},
        {0.6, 0.1, false, false},  {0.6, 0.1, false, false}, {0.6, 0.1, false, false},
    };
    PLAY(config, epochs);
}

/* The plateau's min_delta is its own: 0.5625 is a new best to stop by, but no improvement to the plateau, whose best
 * stays 0.5 until 0.6875 goes more than 0.125 over it. */
static void test_reduce_min_delta(void **state) {
    (void)state;
    const xc_train_config config = reduce_only(2, 0.5, 0, 0.125, 0);
    const epoch epochs[] = {
        {0.5, 1, true, false},      {0.5625, 1, true, false}, {0.625, 0.5, true, false},
        {0.6875, 0.5, true, false}, {0.75, 0.5, true, false}, {0.8125, 0.25, true, false},
    };
    PLAY(config, epochs);
}

/* Patience 1, cooldown 2. Epoch 2 reduces; epoch 3 is cooling; at epoch 4 the cooldown is counted down to 0 before the
 * epoch is judged, so it waits already and reduces at once. An improvement while cooling still becomes the best. */
static void test_reduce_cooldown(void **state) {
    (void)state;
    const xc_train_config one = reduce_only(1, 0.5, 0, 0, 2);
    const epoch epochs[] = {
        {0.5, 1, true, false},    {0.5, 0.5, false, false},   {0.5, 0.5, false, false},   {0.5, 0.25, false, false},
        {0.7, 0.25, true, false}, {0.6, 0.125, false, false}, {0.6, 0.125, false, false}, {0.6, 0.0625, false, false},
    };
    PLAY(one, epochs);
    /* Patience 2, cooldown 2: reduced at 3; 4 cools; 5 waits 1; 6 waits 2 and reduces. */
    const xc_train_config two = reduce_only(2, 0.5, 0, 0, 2);
    const epoch later[] = {
        {0.5, 1, true, false},    {0.5, 1, false, false},   {0.5, 0.5, false, false},
        {0.5, 0.5, false, false}, {0.5, 0.5, false, false}, {0.5, 0.25, false, false},
    };
    PLAY(two, later);
}

static void test_reduce_nan(void **state) {
    (void)state;
    const xc_train_config config = reduce_only(2, 0.5, 0, 0, 0);
    const epoch epochs[] = {{NAN, 1, true, false}, {NAN, 0.5, false, false}, {0.5, 0.5, true, false}};
    PLAY(config, epochs);
}

/* The paper's protocol: stop after 20, reduce by 0.2 after 5 with min_delta 1e-4 and minimum 1e-7. */
static void test_paper(void **state) {
    (void)state;
    const xc_train_config config = {
        .monitor = XC_METRIC_AUPR, .learning_rate = 0.001, .early_stop = {20, 0}, .reduce_lr = {5, 0.2, 1e-7, 1e-4, 0}};
    xc_callbacks callbacks;
    xc_callbacks_start(&callbacks, &config);
    bool best;
    assert_false(xc_callbacks_epoch(&callbacks, &config, 1, 0.8, &best));
    for (uint32_t e = 2; e <= 20; e++) {
        assert_false(xc_callbacks_epoch(&callbacks, &config, e, 0.79, &best));
        const uint32_t reductions = (e - 1) / 5;
        assert_true(fabs(callbacks.learning_rate / (0.001 * pow(0.2, reductions)) - 1) < 1e-12);
    }
    assert_true(xc_callbacks_epoch(&callbacks, &config, 21, 0.79, &best));
    assert_int_equal(callbacks.best_epoch, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_counts),      cmocka_unit_test(test_stop_on_loss),
        cmocka_unit_test(test_stop_min_delta),   cmocka_unit_test(test_stop_never_after_first),
        cmocka_unit_test(test_stop_off),         cmocka_unit_test(test_reduce_counts),
        cmocka_unit_test(test_reduce_min_delta), cmocka_unit_test(test_reduce_cooldown),
        cmocka_unit_test(test_reduce_nan),       cmocka_unit_test(test_paper),
    };
    return cmocka_run_group_tests_name("callbacks", tests, NULL, NULL);
}
