/* tomtom.c: `expconv tomtom`: which motifs of a database do these motifs look like? */
#include <string.h>

#include "cli.h"

#include "expconv/motif.h"

static const cli_option options[] = {
    {"thresh", "NUMBER", "largest q-value to report, 0 to 1 (default: 0.1; MEME's own is 0.5)"},
    {"evalue", NULL, "--thresh is the largest E-value, and may be above 1"},
    {"distance", "NAME", "of two positions: ed (Euclidean) or pearson (default: ed)"},
    {"out", "FILE.tsv", "file to write (default: standard output)"},
    {NULL, NULL, NULL},
};

static xc_status write_table(const char *path, const xc_motif_list *queries, const xc_motif_list *targets,
                             const xc_tomtom_result *result, xc_error *error) {
    xc_status status = XC_OK;
    xc_file file = {0};
    if (!path) return xc_tomtom_write(stdout, queries, targets, result, error);
    XC_TRY(xc_file_create(&file, path, true, error));
    XC_TRY(xc_tomtom_write(file.stream, queries, targets, result, error));
    XC_TRY(xc_file_commit(&file, error));
    xc_log(XC_LOG_INFO, "%s: wrote %zu matches", path, result->count);
fail:
    xc_file_discard(&file);
    return status;
}

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    static const char *const distances[] = {"ed", "pearson", NULL};
    xc_status status = XC_OK;
    xc_motif_list queries = {0}, targets = {0};
    xc_tomtom_result result = {0};
    xc_tomtom_options chosen = {.threshold = 0.1,
                                .threads = arguments->threads > 0 ? arguments->threads : xc_core_count()};
    int distance = 0;
    chosen.by_evalue = cli_has(arguments, "evalue");
    XC_TRY(cli_choice(arguments, "distance", distances, &distance, error));
    chosen.distance = distance == 0 ? XC_TOMTOM_EUCLIDEAN : XC_TOMTOM_PEARSON;
    XC_TRY(cli_real(arguments, "thresh", &chosen.threshold, error));
    if (!chosen.by_evalue && chosen.threshold > 1)
        return xc_fail(error, XC_USAGE, "--thresh %g: a q-value is at most 1; add --evalue for a threshold on E",
                       chosen.threshold);
    XC_TRY(xc_motif_read(arguments->operand, &queries, error));
    XC_TRY(xc_motif_read(arguments->second, &targets, error));
    if (targets.count < 50)
        xc_log(XC_LOG_NOTICE, "%s: %zu motifs; p-values are estimated from the targets, and 50 are few",
               arguments->second, targets.count);
    XC_TRY(xc_tomtom(&queries, &targets, &chosen, &result, error));
    XC_TRY(write_table(cli_value(arguments, "out"), &queries, &targets, &result, error));
fail:
    xc_tomtom_free(&result);
    xc_motif_list_free(&targets);
    xc_motif_list_free(&queries);
    return status;
}

const cli_command cli_tomtom = {
    .name = "tomtom",
    .operand = "QUERY.meme",
    .second = "TARGET.meme",
    .summary = "find the motifs of a database that motifs look like",
    .usage = "QUERY.meme TARGET.meme [--thresh 0.1] [--evalue] [options]",
    .details =
        "Compares each motif of QUERY with each of TARGET (MEME or JASPAR files) on both strands and at\n"
        "all offsets, and writes the matches as the MEME suite's tomtom does, in the columns of its\n"
        "tomtom.tsv: exact p-values of the best alignment, E-values, and q-values of each query. Queries of\n"
        "more than 100 positions are skipped with a warning.\n",
    .examples =
        "  expconv tomtom filters.meme JASPAR_CORE_2016_vertebrates.meme --out tomtom.tsv\n"
        "  expconv tomtom filters.meme JASPAR_CORE_2016_vertebrates.meme --evalue --thresh 0.1\n",
    .options = options,
    .common = CLI_THREADS,
    .run = run,
};
