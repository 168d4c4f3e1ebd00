/* sweep.c: `expconv sweep`: the trials of a config with lists, and the summary of each setting. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MOST_COLUMNS = 64, LARGEST_SUMMARY = 256 << 20 };

static const cli_option options[] = {
    {"out", "DIR", "the sweep's folder: manifest.tsv, results.tsv, summary.tsv, trials/"},
    {"set", "KEY=VALUE", "change the config, as in --set sweep.seeds=3; may be repeated"},
    {"pack", "N",
     "trials that train in lockstep (default: the device's choice, 1 on the CPU);\n"
     "does not change the results"},
    {NULL, NULL, NULL},
};

static int find_column(char *const *header, int columns, const char *name) {
    for (int i = 0; i < columns; i++)
        if (strcmp(header[i], name) == 0) return i;
    return -1;
}

static int split_line(char *line, char *cell[MOST_COLUMNS]) {
    int count = 0;
    for (char *rest = line; rest && count < MOST_COLUMNS;) cell[count++] = strsep(&rest, "\t");
    return count;
}

/* A row of summary.tsv cut down to what fits a screen: the setting, counts, epochs, and mean ± sd of the metrics that
 * the data has (AUROC of a regression does not exist). */
static void write_row(FILE *stream, char *const *header, char *const *cell, int columns, const bool *shown) {
    const int trials = find_column(header, columns, "trials");
    for (int i = 0; i < trials + 2 && i < columns; i++) fprintf(stream, "%s\t", cell[i]);
    const int epochs = find_column(header, columns, "epochs_mean");
    if (cell == header)
        fputs("epochs", stream);
    else
        fprintf(stream, "%.1f", epochs >= 0 ? strtod(cell[epochs], NULL) : 0);
    for (int metric = 0; metric < XC_METRIC_COUNT; metric++) {
        char name[64];
        if (!shown[metric]) continue;
        snprintf(name, sizeof name, "test_%s_mean", xc_metric_word((xc_metric)metric));
        const int mean = find_column(header, columns, name);
        if (cell == header)
            fprintf(stream, "\ttest_%s", xc_metric_word((xc_metric)metric));
        else
            fprintf(stream, "\t%.4f ± %.4f", strtod(cell[mean], NULL), strtod(cell[mean + 1], NULL));
    }
    fputc('\n', stream);
}

/* Which of the metrics for people have a value in some row. */
static void choose_metrics(char *const *header, char *(*rows)[MOST_COLUMNS], int count, int columns, bool *shown) {
    static const xc_metric candidates[] = {XC_METRIC_AUROC, XC_METRIC_AUPR, XC_METRIC_ACCURACY, XC_METRIC_PEARSON};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        char name[64];
        snprintf(name, sizeof name, "test_%s_mean", xc_metric_word(candidates[i]));
        const int mean = find_column(header, columns, name);
        for (int row = 0; mean >= 0 && mean + 1 < columns && row < count; row++)
            if (strcmp(rows[row][mean], "nan") != 0) shown[candidates[i]] = true;
    }
}

/* Turns the text of summary.tsv into the table that is printed, to be freed. */
static xc_status shorten(char *summary, char **table, xc_error *error) {
    xc_status status = XC_OK;
    size_t lines = 1, size = 0;
    int count = 0;
    bool shown[XC_METRIC_COUNT] = {false};
    char *header[MOST_COLUMNS], *(*rows)[MOST_COLUMNS] = NULL;
    FILE *stream = NULL;
    for (const char *c = summary; *c; c++) lines += *c == '\n';
    XC_TRY(xc_allocate(&rows, lines, sizeof *rows, "the summary", error));
    const int columns = split_line(strsep(&summary, "\n"), header);
    for (char *line; (line = strsep(&summary, "\n")) && *line;)
        if (split_line(line, rows[count]) == columns) count++;
    choose_metrics(header, rows, count, columns, shown);
    stream = open_memstream(table, &size);
    if (!stream) {
        status = xc_fail(error, XC_MEMORY, "out of memory for the summary");
        goto fail;
    }
    write_row(stream, header, header, columns, shown);
    for (int i = 0; i < count; i++) write_row(stream, header, rows[i], columns, shown);
    fclose(stream);
fail:
    free(rows);
    return status;
}

static xc_status print_summary(const char *folder, xc_error *error) {
    xc_status status = XC_OK;
    char *text = NULL, *table = NULL, *path = xc_path_join(folder, "summary.tsv");
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for the name of summary.tsv");
    XC_TRY(xc_file_read(path, LARGEST_SUMMARY, &text, NULL, error));
    XC_TRY(shorten(text, &table, error));
    XC_TRY(cli_print_columns(stdout, table, error));
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    printf("\n%s%sresults.tsv  one row a trial\n%s%ssummary.tsv  one row a setting\n", folder, slash, folder, slash);
fail:
    free(table);
    free(text);
    free(path);
    return status;
}

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    xc_status status = XC_OK;
    xc_config *config = NULL;
    uint64_t pack = 0;
    xc_sweep_options sweep = {.device = arguments->device, .threads = arguments->threads};
    XC_TRY(cli_required(arguments, "out", &sweep.folder, error));
    if (cli_value(arguments, "pack")) XC_TRY(cli_number(arguments, "pack", 1, 10000, &pack, error));
    sweep.pack = (int32_t)pack;
    XC_TRY(cli_read_config(arguments, &config, error));
    xc_interrupt_install();
    XC_TRY(xc_sweep_run(config, &sweep, error));
    XC_TRY(print_summary(sweep.folder, error));
fail:
    xc_config_free(config);
    return status;
}

const cli_command cli_sweep = {
    .name = "sweep",
    .operand = "CONFIG.yaml",
    .summary = "train all trials of a config with lists, and table them",
    .usage = "CONFIG.yaml --out DIR [--set KEY=VALUE]... [options]",
    .details =
        "Trains the product of the lists in the config's sweep section, several trials at a time, and prints\n"
        "the mean and standard deviation of each setting over its seeds. Run again, the same command does\n"
        "only what is missing; when it was interrupted or killed, it goes on from the last epoch.\n",
    .examples =
        "  expconv sweep configs/demo.yaml --out demo\n"
        "  expconv sweep configs/demo.yaml --set sweep.seeds=2 --set train.epochs=5 --threads 2 --out short\n",
    .options = options,
    .common = CLI_THREADS | CLI_DEVICE,
    .run = run,
};
