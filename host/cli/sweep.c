/* sweep.c: `expconv sweep`: the trials of a config with lists, and the summary of each setting. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { LARGEST_SUMMARY = 256 << 20 };

static const cli_option options[] = {
    {"out", "DIR", "the sweep's folder: manifest.tsv, results.tsv, summary.tsv, trials/"},
    {"set", "KEY=VALUE", "change the config, as in --set sweep.seeds=3; may be repeated"},
    {"pack", "N",
     "trials that train in lockstep (default: 1 on the CPU, what fits on a GPU);\n"
     "does not change the results"},
    {NULL, NULL, NULL},
};

/* The text of a table as cells: those of the header, then those of each row. */
typedef struct cells {
    char **header; /* (columns) */
    char **cell;   /* (rows,columns) */
    int columns, rows;
} cells;

/* What the table for people may have, as far as some row has a value: AUROC of a regression does not exist, and filters
 * are not measured everywhere. */
static const char *const measures[] = {"test_auroc",     "test_aupr",         "test_accuracy",
                                       "test_pearson",   "match_any",         "match_ground_truth",
                                       "saliency_auroc", "mutagenesis_auroc", "integrated_gradients_auroc",
                                       "deepshap_auroc"};
enum { MEASURE_COUNT = sizeof measures / sizeof *measures };

static int find_column(const cells *table, const char *name, const char *ending) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%s%s", name, ending);
    for (int i = 0; i < table->columns; i++)
        if (strcmp(table->header[i], wanted) == 0) return i;
    return -1;
}

/* Cuts the text; table->header is to be freed. */
static xc_status split_table(char *text, cells *table, xc_error *error) {
    size_t lines = 0, columns = 1;
    for (const char *c = text; *c; c++) {
        columns += lines == 0 && *c == '\t';
        lines += *c == '\n';
    }
    *table = (cells){.columns = (int)columns};
    const xc_status status =
        xc_allocate(&table->header, (lines + 2) * columns, sizeof *table->header, "the summary", error);
    if (status != XC_OK) return status;
    table->cell = table->header + columns;
    (void)xc_cut_fields(strsep(&text, "\n"), table->header, table->columns);
    for (char *line; (line = strsep(&text, "\n")) && *line;)
        table->rows +=
            xc_cut_fields(line, table->cell + table->rows * table->columns, table->columns) == table->columns;
    return XC_OK;
}

/* The place of a measure's mean, which its standard deviation follows; -1 when no row has a value. */
static int shown_column(const cells *table, const char *measure) {
    const int mean = find_column(table, measure, "_mean");
    for (int row = 0; mean >= 0 && mean + 1 < table->columns && row < table->rows; row++)
        if (strcmp(table->cell[row * table->columns + mean], "nan") != 0) return mean;
    return -1;
}

/* A row of summary.tsv cut down to what fits a screen: the setting, counts, epochs, and mean ± sd of the measures. */
static void write_row(FILE *stream, const cells *table, char *const *cell) {
    const int trials = find_column(table, "trials", ""), epochs = find_column(table, "epochs", "_mean");
    for (int i = 0; i < trials + 2 && i < table->columns; i++) fprintf(stream, "%s\t", cell[i]);
    if (cell == table->header)
        fputs("epochs", stream);
    else
        fprintf(stream, "%.1f", epochs >= 0 ? strtod(cell[epochs], NULL) : 0);
    for (int i = 0; i < MEASURE_COUNT; i++) {
        const int mean = shown_column(table, measures[i]);
        if (mean < 0) continue;
        if (cell == table->header)
            fprintf(stream, "\t%s", measures[i]);
        else
            fprintf(stream, "\t%.4f ± %.4f", strtod(cell[mean], NULL), strtod(cell[mean + 1], NULL));
    }
    fputc('\n', stream);
}

/* Turns the text of summary.tsv into the table that is printed, to be freed. */
static xc_status shorten(char *summary, char **text, xc_error *error) {
    xc_status status = XC_OK;
    size_t size = 0;
    cells table = {0};
    FILE *stream = NULL;
    XC_TRY(split_table(summary, &table, error));
    stream = open_memstream(text, &size);
    if (!stream) {
        status = xc_fail(error, XC_MEMORY, "out of memory for the summary");
        goto fail;
    }
    write_row(stream, &table, table.header);
    for (int i = 0; i < table.rows; i++) write_row(stream, &table, table.cell + i * table.columns);
    fclose(stream);
fail:
    free(table.header);
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
        "only what is missing; when it was interrupted or killed, it goes on from the last epoch. On a GPU\n"
        "model.precision (fp32, tf32 or bf16 in the config) says what the factors of products are rounded to,\n"
        "and as many trials train in lockstep as its memory holds.\n",
    .examples =
        "  expconv sweep configs/demo.yaml --out demo\n"
        "  expconv sweep configs/demo.yaml --set sweep.seeds=2 --set train.epochs=5 --threads 2 --out short\n",
    .options = options,
    .common = CLI_THREADS | CLI_DEVICE,
    .run = run,
};
