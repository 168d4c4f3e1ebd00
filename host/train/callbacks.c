/* callbacks.c: EarlyStopping and ReduceLROnPlateau on one number an epoch, with the counting of Keras.
 *
 * Source: Keras 2.11 to 3, callbacks EarlyStopping and ReduceLROnPlateau, mode taken from the metric. Both keep a best
 * of their own, because their min_delta differ. A NaN is larger and smaller than nothing, so it never improves. Three
 * details that other implementations have otherwise: early stopping counts the epoch before it compares, and never
 * stops after the first; a cooldown is counted down before the epoch is judged, so its last epoch is judged; and when
 * the rate is at its minimum the wait goes on counting.
 */
#include <math.h>

#include "room.h"

#define METRIC_LARGER(name, word, larger) larger,
static const bool metric_larger[XC_METRIC_COUNT] = {XC_METRICS(METRIC_LARGER)};
#undef METRIC_LARGER

bool xc_metric_larger(xc_metric metric) { return metric_larger[metric]; }

void xc_callbacks_start(xc_callbacks *callbacks, const xc_train_config *config) {
    const double worst = xc_metric_larger(config->monitor) ? -INFINITY : INFINITY;
    *callbacks = (xc_callbacks){
        .stop_best = worst,
        .reduce_best = worst,
        .learning_rate = config->learning_rate,
    };
}

/* The two compare alike but for rounding: early stopping moves the value by min_delta, the other moves the best. */
static bool stop_improves(const xc_train_config *config, double value, double best) {
    const double min_delta = config->early_stop.min_delta;
    return xc_metric_larger(config->monitor) ? value - min_delta > best : value + min_delta < best;
}

static bool reduce_improves(const xc_train_config *config, double value, double best) {
    const double min_delta = config->reduce_lr.min_delta;
    return xc_metric_larger(config->monitor) ? value > best + min_delta : value < best - min_delta;
}

/* True when training should stop. `*new_best` is also set in the first epoch: with nothing better yet, Keras keeps its
 * weights as the best. */
static bool early_stop(xc_callbacks *callbacks, const xc_train_config *config, uint32_t epoch, double value,
                       bool *new_best) {
    *new_best = epoch == 1;
    callbacks->stop_wait++;
    if (stop_improves(config, value, callbacks->stop_best)) {
        callbacks->stop_best = value;
        callbacks->stop_wait = 0;
        *new_best = true;
    }
    if (*new_best) callbacks->best_epoch = epoch;
    const uint32_t patience = config->early_stop.patience;
    return patience > 0 && callbacks->stop_wait >= patience && epoch > 1;
}

static void reduce_learning_rate(xc_callbacks *callbacks, const xc_train_config *config, double value) {
    const xc_reduce_lr_config *reduce = &config->reduce_lr;
    if (reduce->patience == 0) return;
    if (callbacks->cooldown_left > 0) {
        callbacks->cooldown_left--;
        callbacks->reduce_wait = 0;
    }
    if (reduce_improves(config, value, callbacks->reduce_best)) {
        callbacks->reduce_best = value;
        callbacks->reduce_wait = 0;
    } else if (callbacks->cooldown_left == 0) {
        callbacks->reduce_wait++;
        if (callbacks->reduce_wait >= reduce->patience && callbacks->learning_rate > reduce->min) {
            callbacks->learning_rate = fmax(callbacks->learning_rate * reduce->factor, reduce->min);
            callbacks->cooldown_left = reduce->cooldown;
            callbacks->reduce_wait = 0;
        }
    }
}

bool xc_callbacks_epoch(xc_callbacks *callbacks, const xc_train_config *config, uint32_t epoch, double value,
                        bool *new_best) {
    const bool stop = early_stop(callbacks, config, epoch, value, new_best);
    reduce_learning_rate(callbacks, config, value);
    return stop;
}
