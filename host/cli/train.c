/* train.c: `expconv train`: one trial. */
#include <math.h>
#include <stdlib.h>

#include "cli.h"

static const cli_option options[] = {
    {"out", "DIR", "the trial's folder: config.yaml, weights.h5, history.tsv, metrics.tsv"},
    {"set", "KEY=VALUE", "change the config, as in --set train.epochs=20; may be repeated"},
    {NULL, NULL, NULL},
};

static void write_split(FILE *stream, const char *split, const xc_metrics *metrics) {
    fputs(split, stream);
    for (int i = 0; i < XC_METRIC_COUNT; i++) {
        if (isnan(metrics->mean[i]))
            fputs("\tnan", stream);
        else
            fprintf(stream, "\t%.4f", metrics->mean[i]);
    }
    fputc('\n', stream);
}

static xc_status print_metrics(const xc_trial *trial, xc_error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return xc_fail(error, XC_MEMORY, "out of memory for the table of metrics");
    fputs("split", stream);
    for (int i = 0; i < XC_METRIC_COUNT; i++) fprintf(stream, "\t%s", xc_metric_word((xc_metric)i));
    fputc('\n', stream);
    write_split(stream, "valid", &trial->valid);
    write_split(stream, "test", &trial->test);
    fclose(stream);
    const xc_status status = cli_print_columns(stdout, text, error);
    free(text);
    return status;
}

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    xc_status status = XC_OK;
    xc_config *config = NULL;
    xc_trial trial = {0};
    xc_sweep_options sweep = {.device = arguments->device, .threads = arguments->threads};
    XC_TRY(cli_required(arguments, "out", &sweep.folder, error));
    XC_TRY(cli_read_config(arguments, &config, error));
    xc_interrupt_install();
    XC_TRY(xc_sweep_single(config, &sweep, &trial, error));
    if (trial.status == XC_TRIAL_DIVERGED) {
        status = xc_fail(error, XC_INPUT, "%s: training diverged in epoch %u: %s; try a smaller train.learning_rate",
                         sweep.folder, trial.epochs, trial.reason);
        goto fail;
    }
    XC_TRY(print_metrics(&trial, error));
    xc_log(XC_LOG_INFO, "%s: %u epochs, the best is %u", sweep.folder, trial.epochs, trial.best_epoch);
fail:
    xc_trial_clear(&trial);
    xc_config_free(config);
    return status;
}

const cli_command cli_train = {
    .name = "train",
    .operand = "CONFIG.yaml",
    .summary = "train one network",
    .usage = "CONFIG.yaml --out DIR [--set KEY=VALUE]... [options]",
    .details =
        "Trains the network of a config without lists, and prints its metrics on the validation and the\n"
        "test split. After every epoch the state is saved: when it was interrupted, the same command goes on.\n"
        "One network trains on one thread; `expconv sweep` trains several side by side. The results are the\n"
        "same for any number of threads. On a GPU model.precision (fp32, tf32 or bf16 in the config) says what\n"
        "the factors of its products are rounded to.\n",
    .examples =
        "  expconv train chipseq.yaml --out chipseq\n"
        "  expconv train chipseq.yaml --set model.zoo=cnn-deep --set train.seed=3 --out chipseq-3\n",
    .options = options,
    .common = CLI_THREADS | CLI_DEVICE,
    .run = run,
};
