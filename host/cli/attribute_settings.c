/* attribute_settings.c: which method, of which class, against what, for which sequences. */
#include <stdlib.h>
#include <string.h>

#include "attribute.h"

#define WORD(name, word) word,
static const char *const methods[] = {XC_ATTRIBUTION_METHODS(WORD) NULL};
static const char *const quadratures[] = {XC_QUADRATURES(WORD) NULL};
static const char *const backgrounds[] = {XC_BACKGROUNDS(WORD) NULL};

/* ---- method and class -------------------------------------------------------------------------------------------- */

static xc_status choose_background(attribute_run *run, xc_error *error) {
    xc_attribution_settings *settings = &run->settings;
    const char *given = cli_value(run->arguments, "background");
    if (!given) return XC_OK;
    for (int i = 0; backgrounds[i]; i++) {
        if (strcmp(given, backgrounds[i]) != 0 || i == XC_BACKGROUND_FILE) continue;
        settings->background = (xc_background)i;
        return XC_OK;
    }
    if (!xc_path_exists(given))
        return xc_fail(error, XC_USAGE,
                       "--background %s: neither shuffle, dinucleotide or zero nor a FASTA file that is there", given);
    settings->background = XC_BACKGROUND_FILE;
    settings->file = &run->backgrounds;
    char **names = NULL;
    const xc_status status = xc_fasta_read(given, 0, &run->backgrounds, &names, error);
    for (uint32_t i = 0; names && i < run->backgrounds.dna.sequences; i++) free(names[i]);
    free(names);
    return status;
}

static xc_status choose_method(attribute_run *run, xc_error *error) {
    static const char *const outputs[] = {"logit", "probability", NULL};
    xc_status status;
    xc_attribution_settings *settings = &run->settings;
    uint64_t steps = 20, count = 10;
    int method = -1, quadrature = XC_QUADRATURE_LEFT, output = 0;
    const char *given;
    *settings = (xc_attribution_settings){.background = XC_BACKGROUND_SHUFFLE};
    XC_TRY(cli_required(run->arguments, "method", &given, error));
    XC_TRY(cli_choice(run->arguments, "method", methods, &method, error));
    XC_TRY(cli_choice(run->arguments, "quadrature", quadratures, &quadrature, error));
    XC_TRY(cli_choice(run->arguments, "of", outputs, &output, error));
    XC_TRY(cli_number(run->arguments, "steps", 1, XC_MOST_STEPS, &steps, error));
    XC_TRY(cli_number(run->arguments, "backgrounds", 1, XC_MOST_BACKGROUNDS, &count, error));
    XC_TRY(cli_number(run->arguments, "seed", 0, UINT64_MAX, &settings->seed, error));
    settings->method = (xc_attribution_method)method;
    settings->quadrature = (xc_quadrature)quadrature;
    settings->probability = output == 1;
    settings->steps = (uint32_t)steps;
    settings->backgrounds = (uint32_t)count;
    XC_TRY(choose_background(run, error));
fail:
    return status;
}

static xc_status choose_classes(attribute_run *run, xc_error *error) {
    const int32_t all = run->network.model.classes;
    const char *given = cli_value(run->arguments, "class");
    const bool every = given && strcmp(given, "all") == 0;
    uint64_t one = 0;
    run->class_count = every ? all : 1;
    xc_status status = xc_allocate(&run->classes, (size_t)run->class_count, sizeof *run->classes, "classes", error);
    if (status != XC_OK) return status;
    if (!every) status = cli_number(run->arguments, "class", 0, INT32_MAX, &one, error);
    if (status == XC_OK && one >= (uint64_t)all)
        status = xc_fail(error, XC_USAGE, "--class %s: the network has %d class%s, counted from 0", given, all,
                         all == 1 ? "" : "es");
    for (int32_t i = 0; i < run->class_count; i++) run->classes[i] = every ? i : (int32_t)one;
    return status;
}

/* ---- sequences --------------------------------------------------------------------------------------------------- */

/* Whether a number of the split is asked for: any, or those labelled with the class. */
static bool is_asked_for(const attribute_run *run, size_t sequence, bool positives) {
    const xc_split *split = run->split;
    return !positives || split->labels[sequence * (size_t)split->classes + (size_t)run->classes[0]] > 0.5f;
}

/* Numbers of a file, one a line. */
static xc_status read_numbers(attribute_run *run, const char *path, xc_error *error) {
    xc_status status;
    char *text = NULL;
    const uint32_t all = run->split->dna.sequences;
    uint32_t line = 0;
    XC_TRY(xc_file_read(path, (size_t)1 << 30, &text, NULL, error));
    size_t lines = 1;
    for (const char *c = text; *c; c++) lines += *c == '\n';
    XC_TRY(xc_allocate(&run->index, lines, sizeof *run->index, "sequences", error));
    char *rest = NULL;
    for (char *one = strtok_r(text, "\n", &rest); one; one = strtok_r(NULL, "\n", &rest)) {
        char *end;
        const unsigned long number = strtoul(one, &end, 10);
        line++;
        if (end == one || (*end != 0 && *end != '\r' && *end != '\t') || *one == '-' || number >= all) {
            status = xc_fail(error, XC_INPUT, "%s: line %u: \"%.40s\" is not the number of one of %u sequences, from 0",
                             path, line, one, all);
            goto fail;
        }
        run->index[run->count++] = (uint32_t)number;
    }
    if (run->count == 0) status = xc_fail(error, XC_INPUT, "%s: holds no number of a sequence", path);
fail:
    free(text);
    return status;
}

static xc_status choose_sequences(attribute_run *run, xc_error *error) {
    xc_status status;
    const xc_split *split = run->split;
    const bool positives = cli_value(run->arguments, "only") != NULL;
    static const char *const which[] = {"positives", NULL};
    int choice = 0;
    uint64_t most = split->dna.sequences;
    const char *numbers = cli_value(run->arguments, "index");
    XC_TRY(cli_choice(run->arguments, "only", which, &choice, error));
    XC_TRY(cli_number(run->arguments, "sequences", 1, UINT32_MAX, &most, error));
    if (numbers && (positives || cli_value(run->arguments, "sequences"))) {
        status = xc_fail(error, XC_USAGE, "--index names the sequences; leave --only and --sequences out");
        goto fail;
    }
    if (numbers) return read_numbers(run, numbers, error);
    if (positives && !split->labels) {
        status = xc_fail(error, XC_INPUT, "%s: has no labels, so there are no positives; leave --only out", run->data);
        goto fail;
    }
    if (positives && split->classes <= run->classes[0]) {
        status = xc_fail(error, XC_INPUT, "%s: has labels of %d classes, but the network's class %d is asked for",
                         run->data, split->classes, run->classes[0]);
        goto fail;
    }
    XC_TRY(xc_allocate(&run->index, split->dna.sequences, sizeof *run->index, "sequences", error));
    for (uint32_t i = 0; i < split->dna.sequences && run->count < most; i++)
        if (is_asked_for(run, i, positives)) run->index[run->count++] = i;
    if (run->count == 0)
        status = xc_fail(error, XC_INPUT, "%s: none of %u %s sequences is labelled with class %d", run->data,
                         split->dna.sequences, xc_split_word(run->which), run->classes[0]);
fail:
    return status;
}

xc_status attribute_choose(attribute_run *run, xc_error *error) {
    xc_status status;
    const cli_arguments *arguments = run->arguments;
    const bool labels = cli_value(arguments, "only") != NULL;
    XC_TRY(choose_method(run, error));
    XC_TRY(xc_network_open(arguments->operand, &run->network, error));
    XC_TRY(choose_classes(run, error));
    run->data = cli_value(arguments, "data");
    if (!run->data) run->data = run->network.config->data.file;
    if (!xc_path_exists(run->data)) {
        status = xc_fail(error, XC_INPUT, "%s: is not there; name the sequences with --data", run->data);
        goto fail;
    }
    XC_TRY(cli_read_split(arguments, run->data, &run->network, labels, false, &run->dataset, &run->which, error));
    run->split = &run->dataset.split[run->which];
    XC_TRY(choose_sequences(run, error));
    XC_TRY(xc_backend_open(arguments->device, &run->backend, error));
fail:
    return status;
}
