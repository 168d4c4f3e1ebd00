/* evaluate.c: `expconv evaluate`: the metrics of a trained network on a data file. */
#include <stdlib.h>

#include "cli.h"

static const cli_option options[] = {
    {"data", "FILE.h5", "the data"},
    {"split", "NAME", "train, valid or test (default: test)"},
    {"reverse-complement", "yes|no", "also the reverse complement of every sequence (default: as in training)"},
    {"x", "NAME", "dataset of the sequences (default: as in training, or searched)"},
    {"y", "NAME", "dataset of the labels (default: as in training, or searched)"},
    {NULL, NULL, NULL},
};

static xc_status check_labels(const xc_network *network, const char *path, const xc_split *split, const char *y_name,
                              xc_error *error) {
    char where[1200];
    snprintf(where, sizeof where, "%s: %s", path, y_name);
    if (!split->labels)
        return xc_fail(error, XC_INPUT, "%s: has no labels to evaluate against; use expconv predict", path);
    if (split->classes != network->model.classes)
        return xc_fail(error, XC_INPUT, "%s: %d classes, but the network was trained on %d", path, split->classes,
                       network->model.classes);
    return xc_split_check_labels(split, network->config->train.loss, where, error);
}

static void tell_one_label(const char *path, const char *split, const xc_metrics *metrics) {
    if (metrics->one_label == 0) return;
    xc_log(XC_LOG_NOTICE, "%s: %s: %d of %d classes have one label only; their AUROC is nan and left out of the mean",
           path, split, (int)metrics->one_label, (int)metrics->classes);
}

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    static const char *const answers[] = {"no", "yes", NULL};
    xc_status status = XC_OK;
    xc_network network = {0};
    xc_dataset dataset = {0};
    xc_metrics metrics = {0};
    xc_split_name which = XC_TEST;
    float *logits = NULL, *labels = NULL; /* (items,classes) */
    const char *path;
    int reverse_complement = 0;
    XC_TRY(cli_required(arguments, "data", &path, error));
    XC_TRY(xc_network_open(arguments->operand, &network, error));
    reverse_complement = network.config->data.reverse_complement;
    XC_TRY(cli_choice(arguments, "reverse-complement", answers, &reverse_complement, error));
    XC_TRY(cli_read_split(arguments, path, &network, true, reverse_complement, &dataset, &which, error));
    const xc_split *split = &dataset.split[which];
    XC_TRY(check_labels(&network, path, split, dataset.header[which].y_name, error));
    XC_TRY(cli_logits(arguments, &network, split, &logits, error));

    const size_t items = xc_split_items(split);
    const xc_train_config *train = &network.config->train;
    XC_TRY(xc_allocate(&labels, items * (size_t)split->classes, sizeof *labels, "the labels", error));
    xc_split_labels(split, labels);
    XC_TRY(xc_metrics_compute(train->loss, train->class_weights, logits, labels, items, split->classes, true, &metrics,
                              error));
    tell_one_label(path, xc_split_word(which), &metrics);
    XC_TRY(xc_metrics_write(stdout, xc_split_word(which), &metrics, true));
fail:
    xc_metrics_free(&metrics);
    free(labels);
    free(logits);
    xc_dataset_free(&dataset);
    xc_network_close(&network);
    return status;
}

const cli_command cli_evaluate = {
    .name = "evaluate",
    .operand = "TRIAL_DIR",
    .summary = "measure a trained network on a data file",
    .usage = "TRIAL_DIR --data FILE.h5 [--split test] [options]",
    .details =
        "Prints the metrics of a trained network on one split, as TSV: the mean, then every class. TRIAL_DIR\n"
        "is the folder of expconv train, or one of the folders in trials/ of a sweep.\n",
    .examples = "  expconv evaluate demo/trials/cnn-2.relu.glorot_uniform.s000 --data task1.h5\n",
    .options = options,
    .common = CLI_THREADS | CLI_DEVICE,
    .run = run,
};
