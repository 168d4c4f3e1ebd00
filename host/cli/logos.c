/* logos.c: `expconv logos`: attribution maps as letters, one sheet a sequence that compares files. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "expconv/report.h"

enum { MOST_FILES = 12, USUAL_SEQUENCES = 5 };

static const cli_option options[] = {
    {"out", "DIR", "folder for the pictures: sequence-NUMBER.svg, .pdf and .png"},
    {"with", "MAPS.h5", "another file on the same sequences, beneath the first; may be given again"},
    {"label", "TEXT", "of the first file, the next, ... (default: model, activation and method)"},
    {"sequence", "N", "number in the split of a sequence to draw; may be given again (default: the first 5)"},
    {"data", "FILE.h5", "where model_* is, the ground truth (default: the file that the sequences are of)"},
    {"from", "N", "first position to draw, counted from 1 (default: 1)"},
    {"to", "N", "last position to draw (default: the end)"},
    {"line", "N", "bases of a line (default: all up to 120, else 100)"},
    {NULL, NULL, NULL},
};

typedef struct logos_run {
    const cli_arguments *arguments;
    xc_maps *maps[MOST_FILES];
    char label[MOST_FILES][160];
    int files;
    float *values[MOST_FILES + 1]; /* (4,length) of the part that is drawn; the last: the truth */
    float *row;                    /* (4,L) */
    uint8_t *codes, *other;        /* (L) */
    uint64_t from, to, line;       /* positions from .. to - 1 */
    xc_truth *truth;               /* NULL: none */
    xc_dataset dataset;            /* the sequences that it is of */
    const xc_split *split;
    char data[1024]; /* the file of both */
} logos_run;

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void name_file(const logos_run *run, int file, char label[160]) {
    char model[48], activation[48], method[48];
    xc_maps_word(run->maps[file], "model", model, sizeof model);
    xc_maps_word(run->maps[file], "activation", activation, sizeof activation);
    xc_maps_word(run->maps[file], "method", method, sizeof method);
    for (char *c = method; *c; c++)
        if (*c == '_') *c = ' ';
    snprintf(label, 160, "%s\n%s", activation, method);
}

static xc_status open_file(logos_run *run, const char *path, xc_error *error) {
    if (run->files == MOST_FILES)
        return xc_fail(error, XC_USAGE, "more than %d files; a sheet has no room for them", MOST_FILES);
    const xc_status status = xc_maps_open(path, &run->maps[run->files], error);
    if (status != XC_OK) return status;
    if (xc_maps_length(run->maps[run->files]) != xc_maps_length(run->maps[0]))
        return xc_fail(error, XC_INPUT,
                       "%s: its sequences have %u bases, those of %s %u; compare maps of the same ones", path,
                       xc_maps_length(run->maps[run->files]), run->arguments->operand, xc_maps_length(run->maps[0]));
    run->files++;
    return XC_OK;
}

static xc_status open_files(logos_run *run, xc_error *error) {
    xc_status status;
    int labels = 0;
    XC_TRY(open_file(run, run->arguments->operand, error));
    for (int i = 0; i < run->arguments->given_count; i++)
        if (strcmp(run->arguments->given[i].name, "with") == 0)
            XC_TRY(open_file(run, run->arguments->given[i].value, error));
    for (int i = 0; i < run->files; i++) name_file(run, i, run->label[i]);
    for (int i = 0; i < run->arguments->given_count; i++) {
        if (strcmp(run->arguments->given[i].name, "label") != 0) continue;
        if (labels == run->files)
            return xc_fail(error, XC_USAGE, "more labels than files, of which there are %d", run->files);
        snprintf(run->label[labels++], sizeof run->label[0], "%s", run->arguments->given[i].value);
    }
fail:
    return status;
}

static void drop_truth(logos_run *run) {
    xc_truth_close(run->truth);
    xc_dataset_free(&run->dataset);
    run->truth = NULL;
}

static xc_status read_truth(logos_run *run, xc_split_name split, xc_error *error) {
    xc_status status;
    XC_TRY(xc_dataset_read(run->data, NULL, 1u << split, false, 0, &run->dataset, error));
    run->split = &run->dataset.split[split];
    if (run->split->dna.length != xc_maps_length(run->maps[0]))
        return xc_fail(error, XC_INPUT, "%s: its sequences have another length than the maps", run->data);
    XC_TRY(xc_truth_open(run->data, split, run->split, &run->truth, error));
fail:
    return status;
}

/* The truth is drawn where there is one; only where a file was named must there be. */
static xc_status open_truth(logos_run *run, xc_error *error) {
    char word[16];
    xc_error none = {0};
    xc_split_name split = XC_TEST;
    const char *named = cli_value(run->arguments, "data");
    xc_maps_word(run->maps[0], "data", run->data, sizeof run->data);
    xc_maps_word(run->maps[0], "split", word, sizeof word);
    if (named) snprintf(run->data, sizeof run->data, "%s", named);
    for (int s = 0; s < XC_SPLIT_COUNT; s++)
        if (strcmp(word, xc_split_word((xc_split_name)s)) == 0) split = (xc_split_name)s;
    const xc_status status = read_truth(run, split, &none);
    if (status == XC_OK) return XC_OK;
    drop_truth(run);
    if (!named && status != XC_INTERRUPTED) return XC_OK;
    if (error) *error = none;
    return status;
}

/* ---- one sheet --------------------------------------------------------------------------------------------------- */

/* The row of an index word in a file. */
static xc_status find_row(const logos_run *run, int file, uint32_t index, size_t *row, xc_error *error) {
    for (*row = 0; *row < xc_maps_count(run->maps[file]); ++*row)
        if (xc_maps_index(run->maps[file], *row) == index) return XC_OK;
    return xc_fail(error, XC_INPUT, "%s: has no map of sequence %u",
                   file == 0 ? run->arguments->operand : run->label[file], index & ~XC_REVERSE_COMPLEMENT);
}

/* Positions from .. to - 1 of the contributions of the bases that are there, or of the truth. */
static void cut(const logos_run *run, bool bases_alone, float *to) {
    const size_t length = xc_maps_length(run->maps[0]), part = run->to - run->from;
    for (size_t b = 0; b < 4; b++)
        for (size_t l = 0; l < part; l++) {
            const size_t at = run->from + l;
            to[b * part + l] = bases_alone && run->codes[at] != b ? 0 : run->row[b * length + at];
        }
}

/* Whether the truth's file has this sequence, whose bases are in `codes`, under this index. */
static bool is_of_truth(const logos_run *run, uint32_t index) {
    if ((index & ~XC_REVERSE_COMPLEMENT) >= run->split->dna.sequences) return false;
    xc_dna_unpack(&run->split->dna, index, run->other);
    return memcmp(run->codes, run->other, run->split->dna.length) == 0;
}

/* The truth of a sequence to the last of `values`, unless the file was changed since its maps were made. */
static xc_status take_truth(logos_run *run, uint32_t index, xc_error *error) {
    const uint32_t number = index & ~XC_REVERSE_COMPLEMENT;
    if (!is_of_truth(run, index)) {
        if (cli_value(run->arguments, "data"))
            return xc_fail(error, XC_INPUT, "%s: its sequence %u is not that of the maps; name the file they are of",
                           run->data, number);
        xc_log(XC_LOG_WARNING, "%s: its sequence %u is not that of the maps any more; no ground truth is drawn",
               run->data, number);
        drop_truth(run);
        return XC_OK;
    }
    const xc_status status = xc_truth_read(run->truth, index, run->row, error);
    if (status == XC_OK) cut(run, false, run->values[MOST_FILES]);
    return status;
}

static xc_status draw(logos_run *run, const char *folder, uint32_t index, xc_error *error) {
    xc_status status = XC_OK;
    xc_attribution_track tracks[MOST_FILES + 1];
    size_t row, count = 0;
    char name[64], title[64], *stem = NULL;
    const uint32_t number = index & ~XC_REVERSE_COMPLEMENT;
    for (int i = 0; i < run->files; i++) {
        XC_TRY(find_row(run, i, index, &row, error));
        XC_TRY(xc_maps_read(run->maps[i], row, i == 0 ? run->codes : run->other, run->row, error));
        if (i > 0 && memcmp(run->codes, run->other, xc_maps_length(run->maps[0])) != 0) {
            status = xc_fail(error, XC_INPUT, "sequence %u is not the same in all files; compare maps of the same data",
                             number);
            goto fail;
        }
        cut(run, true, run->values[i]);
        tracks[count++] = (xc_attribution_track){.label = run->label[i], .values = run->values[i]};
    }
    if (run->truth) XC_TRY(take_truth(run, index, error));
    if (run->truth)
        tracks[count++] =
            (xc_attribution_track){.label = "ground truth", .values = run->values[MOST_FILES], .information = true};
    snprintf(name, sizeof name, "sequence-%u%s", number, index == number ? "" : "-reverse");
    snprintf(title, sizeof title, "Sequence %u%s", number, index == number ? "" : ", reverse complement");
    stem = xc_path_join(folder, name);
    if (!stem) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", folder);
    XC_TRY(xc_figure_attribution(stem, title, (uint32_t)run->from + 1, (uint32_t)(run->to - run->from), tracks, count,
                                 (uint32_t)run->line, error));
    xc_log(XC_LOG_INFO, "%s.svg, .pdf, .png", stem);
fail:
    free(stem);
    return status;
}

static xc_status draw_all(logos_run *run, const char *folder, xc_error *error) {
    xc_status status = XC_OK;
    bool named = false;
    for (int i = 0; i < run->arguments->given_count && status == XC_OK; i++) {
        if (strcmp(run->arguments->given[i].name, "sequence") != 0) continue;
        char *end;
        const unsigned long number = strtoul(run->arguments->given[i].value, &end, 10);
        if (end == run->arguments->given[i].value || *end || number >= XC_REVERSE_COMPLEMENT)
            return xc_fail(error, XC_USAGE, "--sequence %s is not the number of a sequence",
                           run->arguments->given[i].value);
        named = true;
        status = draw(run, folder, (uint32_t)number, error);
    }
    for (size_t i = 0; !named && i < USUAL_SEQUENCES && i < xc_maps_count(run->maps[0]) && status == XC_OK; i++)
        status = draw(run, folder, xc_maps_index(run->maps[0], i), error);
    return status;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static xc_status choose_part(logos_run *run, xc_error *error) {
    xc_status status;
    const uint32_t length = xc_maps_length(run->maps[0]);
    run->from = 1;
    run->to = length;
    XC_TRY(cli_number(run->arguments, "from", 1, length, &run->from, error));
    XC_TRY(cli_number(run->arguments, "to", run->from, length, &run->to, error));
    XC_TRY(cli_number(run->arguments, "line", 10, 1000, &run->line, error));
    run->from--;
    XC_TRY(xc_allocate(&run->row, 4 * (size_t)length, sizeof(float), "a map", error));
    XC_TRY(xc_allocate(&run->codes, length, 1, "a map", error));
    XC_TRY(xc_allocate(&run->other, length, 1, "a map", error));
    for (int i = 0; i <= MOST_FILES; i++)
        XC_TRY(xc_allocate(&run->values[i], 4 * (size_t)length, sizeof(float), "a map", error));
fail:
    return status;
}

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    xc_status status;
    logos_run work = {.arguments = arguments};
    const char *folder;
    XC_TRY(cli_required(arguments, "out", &folder, error));
    XC_TRY(open_files(&work, error));
    XC_TRY(choose_part(&work, error));
    XC_TRY(open_truth(&work, error));
    XC_TRY(xc_make_folder(folder, error));
    XC_TRY(draw_all(&work, folder, error));
fail:
    for (int i = 0; i < MOST_FILES; i++) xc_maps_close(work.maps[i]);
    for (int i = 0; i <= MOST_FILES; i++) free(work.values[i]);
    drop_truth(&work);
    free(work.row);
    free(work.codes);
    free(work.other);
    return status;
}

const cli_command cli_logos = {
    .name = "logos",
    .operand = "MAPS.h5",
    .summary = "attribution maps as letters, files compared",
    .usage = "MAPS.h5 [--with MAPS.h5]... --out DIR [options]",
    .details =
        "Draws maps of expconv attribute: each base of a sequence as high as its contribution, those that take\n"
        "away upside down; of several files one beneath the other, and at the bottom what a simulated sequence\n"
        "was made of. A sheet a sequence, as SVG, PDF and PNG.\n",
    .examples =
        "  expconv logos relu.h5 --with exponential.h5 --sequence 12 --out pictures\n"
        "  expconv logos maps.h5 --sequence 3 --from 80 --to 140 --out pictures\n",
    .options = options,
    .common = 0,
    .run = run,
};
