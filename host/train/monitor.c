/* monitor.c: whether the number that the callbacks watch can exist at all. Metrics are undefined for some labels, such
 * as the AUROC of classes with one label only; a NaN never improves, so training would end after its patience without
 * having been judged. A NaN that comes from diverging weights is another thing, and not looked for here.
 */
#include <math.h>
#include <stdlib.h>

#include "room.h"

/* With nothing to stop, reduce or choose, the monitored number is only shown. */
static bool is_watched(const xc_train_config *config) {
    return config->early_stop.patience > 0 || config->reduce_lr.patience > 0 || config->best_weights;
}

/* Measures made-up logits, finite and different from row to row: a metric that is NaN of them is NaN of any. */
xc_status xc_train_monitor_check(const xc_dataset *dataset, const xc_train_config *config, bool *exists,
                                 xc_error *error) {
    xc_status status = XC_OK;
    const xc_split *split = &dataset->split[XC_VALID];
    const size_t items = xc_split_items(split), classes = (size_t)split->classes;
    float *logits = NULL; /* (items,classes) */
    xc_metrics metrics;
    *exists = true;
    if (config->monitor == XC_METRIC_LOSS || !is_watched(config)) return XC_OK;
    XC_TRY(xc_allocate(&logits, items * classes, sizeof *logits, "logits", error));
    for (size_t i = 0; i < items; i++)
        for (size_t c = 0; c < classes; c++) logits[i * classes + c] = (float)((i + 1) * (c + 1) % 1009) / 1009;
    const xc_metrics_input input = {.loss = config->loss,
                                    .class_weights = config->class_weights,
                                    .logits = logits,
                                    .labels = split->labels,
                                    .items = items,
                                    .label_rows = split->dna.sequences,
                                    .classes = split->classes};
    XC_TRY(xc_metrics_of(&input, false, &metrics, error));
    *exists = !isnan(metrics.mean[config->monitor]);
    if (!*exists)
        xc_log(XC_LOG_WARNING,
               "%s: val_%s does not exist for these labels of the valid split, so no epoch is better than another and "
               "training ends after its patience; set train.monitor to val_loss",
               dataset->path, xc_metric_word(config->monitor));
fail:
    free(logits);
    return status;
}
