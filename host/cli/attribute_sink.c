/* attribute_sink.c: results of `expconv attribute` as they come: to the file, to the scores, and to the progress line.
 */
#include <math.h>
#include <stdlib.h>

#include "attribute.h"

#define LARGE_GAP 1e-3

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* The sequence in run->codes, one-hot (4,L), to the first of modisco's files. */
static xc_status write_one_hot(attribute_run *run, xc_error *error) {
    const size_t length = run->split->dna.length;
    for (size_t e = 0; e < 4 * length; e++) run->probabilities[e] = run->codes[e % length] == e / length;
    return xc_npz_write(run->modisco[0], run->probabilities, 1, error);
}

static xc_status write_sequences(attribute_run *run, xc_error *error) {
    xc_status status = XC_OK;
    for (size_t i = 0; i < run->count; i++) {
        xc_dna_unpack(&run->split->dna, run->index[i], run->codes);
        XC_TRY(xc_attribution_file_write_sequence(run->file, i, run->index[i], run->codes, error));
        if (run->modisco[0]) XC_TRY(write_one_hot(run, error));
    }
fail:
    return status;
}

static xc_status create_modisco(attribute_run *run, const char *folder, xc_error *error) {
    static const char *const names[] = {"ohe.npz", "attr.npz"};
    xc_status status;
    if (run->class_count > 1) return xc_fail(error, XC_USAGE, "--modisco is of one class; name it with --class N");
    XC_TRY(xc_make_folder(folder, error));
    for (int i = 0; i < 2; i++) {
        char *path = xc_path_join(folder, names[i]);
        if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", folder);
        status = xc_npz_create(path, run->count, run->split->dna.length, &run->modisco[i], error);
        free(path);
        if (status != XC_OK) goto fail;
    }
fail:
    return status;
}

xc_status attribute_commit(attribute_run *run, xc_error *error) {
    xc_status status = XC_OK;
    for (int i = 0; i < 2; i++)
        if (run->modisco[i]) XC_TRY(xc_npz_commit(run->modisco[i], error));
    XC_TRY(xc_attribution_file_commit(run->file, error));
fail:
    return status;
}

static xc_status create_file(attribute_run *run, const char *path, xc_error *error) {
    const xc_attribution_settings *s = &run->settings;
    const xc_config *config = run->network.config;
    const bool background = s->method == XC_INTEGRATED_GRADIENTS || s->method == XC_DEEPSHAP;
    xc_file_attribute attributes[20];
    size_t count = 0;
    attributes[count++] = (xc_file_attribute){"format", "expconv attribution 1", 0};
    attributes[count++] = (xc_file_attribute){"version", CLI_VERSION, 0};
    attributes[count++] = (xc_file_attribute){"method", xc_method_word(s->method), 0};
    attributes[count++] = (xc_file_attribute){"of", s->probability ? "probability" : "logit", 0};
    if (run->class_count == 1) attributes[count++] = (xc_file_attribute){"class", NULL, run->classes[0]};
    if (s->method == XC_INTEGRATED_GRADIENTS) {
        attributes[count++] = (xc_file_attribute){"steps", NULL, s->steps};
        attributes[count++] = (xc_file_attribute){"quadrature", xc_quadrature_word(s->quadrature), 0};
    }
    if (background) {
        const bool file = s->background == XC_BACKGROUND_FILE;
        const char *given = cli_value(run->arguments, "background");
        attributes[count++] = (xc_file_attribute){"background", file ? given : xc_background_word(s->background), 0};
        attributes[count++] = (xc_file_attribute){"backgrounds", NULL,
                                                  file                                  ? run->backgrounds.dna.sequences
                                                  : s->background == XC_BACKGROUND_ZERO ? 1
                                                                                        : s->backgrounds};
        attributes[count++] = (xc_file_attribute){"seed", NULL, (double)s->seed};
    }
    attributes[count++] = (xc_file_attribute){"trial", run->arguments->operand, 0};
    attributes[count++] = (xc_file_attribute){"model", run->network.model.name, 0};
    attributes[count++] = (xc_file_attribute){"activation", xc_activation_word(config->model.activation), 0};
    attributes[count++] = (xc_file_attribute){"data", run->data, 0};
    attributes[count++] = (xc_file_attribute){"split", xc_split_word(run->which), 0};
    return xc_attribution_file_create(path, run->count, run->split->dna.length, run->classes, run->class_count,
                                      attributes, count, &run->file, error);
}

xc_status attribute_open_sink(attribute_run *run, xc_error *error) {
    xc_status status;
    const size_t length = run->split->dna.length;
    const char *path;
    XC_TRY(cli_required(run->arguments, "out", &path, error));
    XC_TRY(xc_allocate(&run->codes, length, 1, "a sequence", error));
    XC_TRY(xc_allocate(&run->probabilities, 4 * length, sizeof(float), "the ground truth", error));
    XC_TRY(xc_allocate(&run->work, 3 * length, sizeof(float), "scores", error));
    XC_TRY(xc_allocate(&run->score, run->count, sizeof *run->score, "scores", error));
    if (cli_has(run->arguments, "truth")) XC_TRY(xc_truth_open(run->data, run->which, run->split, &run->truth, error));
    if (cli_has(run->arguments, "modisco")) XC_TRY(create_modisco(run, cli_value(run->arguments, "modisco"), error));
    XC_TRY(create_file(run, path, error));
    XC_TRY(write_sequences(run, error));
    run->start = xc_seconds();
fail:
    return status;
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static xc_status score_part(attribute_run *run, const xc_attribution_part *part, xc_error *error) {
    const uint32_t length = run->split->dna.length;
    for (size_t i = 0; i < part->count; i++) {
        const uint32_t index = run->index[part->first + i];
        const xc_status status = xc_truth_read(run->truth, index, run->probabilities, error);
        if (status != XC_OK) return status;
        xc_dna_unpack(&run->split->dna, index, run->codes);
        run->score[part->first + i] = xc_attribution_score_of(run->codes, length, part->contributions + i * 4 * length,
                                                              run->probabilities, run->work);
    }
    return XC_OK;
}

static void note_gaps(attribute_run *run, const xc_attribution_part *part) {
    for (size_t i = 0; i < part->count; i++) {
        const double gap = fabs((double)part->gap[i]);
        if (gap <= run->worst_gap) continue;
        run->worst_gap = gap;
        run->worst = run->index[part->first + i];
    }
}

static void show_progress(const attribute_run *run, const xc_attribution_part *part) {
    const size_t done = part->first + part->count + (size_t)run->class_number * run->count;
    const size_t all = run->count * (size_t)run->class_count;
    const double rate = (double)done / (xc_seconds() - run->start);
    xc_log_progress(done == all, "%zu of %zu maps, %.3g a second, %.0f s left", done, all, rate,
                    (double)(all - done) / rate);
}

/* Mutagenesis has 0 at the base that is there: from the mean of all four, that base has its due, and TF-MoDISco, which
 * multiplies by the sequence, something to find. */
static xc_status write_hypothetical(attribute_run *run, const xc_attribution_part *part, xc_error *error) {
    xc_status status = XC_OK;
    const size_t length = run->split->dna.length;
    if (run->settings.method != XC_MUTAGENESIS)
        return xc_npz_write(run->modisco[1], part->hypothetical, part->count, error);
    for (size_t i = 0; i < part->count && status == XC_OK; i++) {
        const float *map = part->hypothetical + i * 4 * length;
        for (size_t l = 0; l < length; l++) {
            const float mean = (map[l] + map[length + l] + map[2 * length + l] + map[3 * length + l]) / 4;
            for (size_t b = 0; b < 4; b++) run->probabilities[b * length + l] = map[b * length + l] - mean;
        }
        status = xc_npz_write(run->modisco[1], run->probabilities, 1, error);
    }
    return status;
}

xc_status attribute_sink(void *context, const xc_attribution_part *part, xc_error *error) {
    xc_status status;
    attribute_run *run = context;
    XC_TRY(xc_attribution_file_write(run->file, run->class_number, part->first, part->count, part->hypothetical,
                                     part->contributions, part->output, part->gap, error));
    if (run->modisco[1]) XC_TRY(write_hypothetical(run, part, error));
    if (run->truth) XC_TRY(score_part(run, part, error));
    note_gaps(run, part);
    show_progress(run, part);
fail:
    return status;
}

xc_status attribute_end_class(attribute_run *run, xc_error *error) {
    const char *method = xc_method_word(run->settings.method);
    (void)error;
    if (run->settings.method == XC_DEEPSHAP && run->worst_gap > LARGE_GAP)
        xc_log(XC_LOG_WARNING,
               "class %d: contributions of sequence %u sum to %.2g more or less than the difference of outputs",
               run->settings.class_index, run->worst & ~XC_REVERSE_COMPLEMENT, run->worst_gap);
    run->worst_gap = 0;
    if (!run->truth) return XC_OK;
    const xc_attribution_scores all = xc_attribution_scores_of(run->score, run->count);
    if (run->class_number == 0)
        puts("class\tmethod\tsequences\tauroc\tauroc_sd\taupr\taupr_sd\tsignal_to_noise\tsignal_to_noise_sd");
    printf("%d\t%s\t%zu\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\n", run->settings.class_index, method, all.sequences,
           all.mean.auroc, all.deviation.auroc, all.mean.aupr, all.deviation.aupr, all.mean.signal_to_noise,
           all.deviation.signal_to_noise);
    return XC_OK;
}
