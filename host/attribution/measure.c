/* measure.c: a trained trial's attribution maps scored against the ground truth, as a config asks for it; and
 * attribution.tsv, the scores: a row a method.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../train/room.h"
#include "room.h"

/* ---- which sequences --------------------------------------------------------------------------------------------- */

/* The first `most` that are labelled with the class. */
static xc_status choose(const xc_split *split, const xc_attribution_config *config, const char *path,
                        xc_attribution_truth *truth, xc_error *error) {
    const size_t class_index = config->class_index, classes = (size_t)split->classes;
    if (class_index >= classes)
        return xc_fail(error, XC_INPUT, "attribution.class is %u, but %s has %d classes, counted from 0",
                       config->class_index, path, split->classes);
    const xc_status status =
        xc_allocate(&truth->index, split->dna.sequences, sizeof *truth->index, "the sequences to explain", error);
    if (status != XC_OK) return status;
    for (uint32_t i = 0; i < split->dna.sequences && truth->count < config->sequences; i++)
        if (split->labels[i * classes + class_index] > 0.5f) truth->index[truth->count++] = i;
    if (truth->count > 0) return XC_OK;
    return xc_fail(error, XC_INPUT, "%s: no test sequence is labelled with class %u, whose maps attribution asks for",
                   path, config->class_index);
}

xc_status xc_attribution_truth_read(const char *path, xc_split_name name, const xc_split *split,
                                    const xc_attribution_config *config, xc_attribution_truth *truth, xc_error *error) {
    xc_status status;
    xc_truth *file = NULL;
    const size_t floats = 4 * (size_t)split->dna.length;
    *truth = (xc_attribution_truth){0};
    XC_TRY(xc_truth_open(path, name, split, &file, error));
    XC_TRY(choose(split, config, path, truth, error));
    XC_TRY(xc_allocate(&truth->probabilities, truth->count * floats, sizeof(float), "the ground truth", error));
    for (size_t i = 0; i < truth->count; i++)
        XC_TRY(xc_truth_read(file, truth->index[i], truth->probabilities + i * floats, error));
fail:
    xc_truth_close(file);
    if (status != XC_OK) xc_attribution_truth_free(truth);
    return status;
}

void xc_attribution_truth_free(xc_attribution_truth *truth) {
    free(truth->index);
    free(truth->probabilities);
    *truth = (xc_attribution_truth){0};
}

/* ---- scoring ----------------------------------------------------------------------------------------------------- */

typedef struct scoring {
    const xc_split *split;
    const xc_attribution_truth *truth;
    xc_attribution_score *score; /* (count) */
    uint8_t *codes;              /* (L) */
    float *work;                 /* (3,L) */
} scoring;

static xc_status score_part(void *context, const xc_attribution_part *part, xc_error *error) {
    const scoring *s = context;
    const uint32_t length = s->split->dna.length;
    (void)error;
    for (size_t i = 0; i < part->count; i++) {
        const size_t place = part->first + i, floats = 4 * (size_t)length;
        xc_dna_unpack(&s->split->dna, s->truth->index[place], s->codes);
        s->score[place] = xc_attribution_score_of(s->codes, length, part->contributions + i * floats,
                                                  s->truth->probabilities + place * floats, s->work);
    }
    return XC_OK;
}

static xc_attribution_settings settings_of(const xc_attribution_config *config, xc_attribution_method method) {
    return (xc_attribution_settings){.method = method,
                                     .class_index = (int32_t)config->class_index,
                                     .probability = config->probability,
                                     .background = config->background,
                                     .backgrounds = config->backgrounds,
                                     .steps = config->steps,
                                     .quadrature = config->quadrature,
                                     .seed = config->seed};
}

/* ---- attribution.tsv --------------------------------------------------------------------------------------------- */

static const char header[] = "method\tsequences\tauroc\tauroc_sd\taupr\taupr_sd\tsignal_to_noise\tsignal_to_noise_sd\n";
enum { NUMBERS = 6 };

static void write_row(FILE *stream, xc_attribution_method method, const xc_attribution_scores *s) {
    const double numbers[NUMBERS] = {s->mean.auroc,     s->deviation.auroc,      s->mean.aupr,
                                     s->deviation.aupr, s->mean.signal_to_noise, s->deviation.signal_to_noise};
    fprintf(stream, "%s\t%zu", xc_method_word(method), s->sequences);
    for (int i = 0; i < NUMBERS; i++) {
        fputc('\t', stream);
        xc_number_write(stream, numbers[i]);
    }
    fputc('\n', stream);
}

static xc_status write_scores(const char *path, const xc_attribution_config *config, const xc_trial_attribution *scores,
                              xc_error *error) {
    xc_file file;
    const xc_status status = xc_file_create(&file, path, true, error);
    if (status != XC_OK) return status;
    fputs(header, file.stream);
    for (uint32_t i = 0; i < config->methods_count; i++)
        write_row(file.stream, config->methods[i], &scores->method[config->methods[i]]);
    return xc_file_commit(&file, error);
}

/* Reads the row of a method at *at, and moves on to the next. */
static bool read_row(const char **at, xc_attribution_method method, xc_attribution_scores *s) {
    double *const numbers[NUMBERS] = {&s->mean.auroc,     &s->deviation.auroc,      &s->mean.aupr,
                                      &s->deviation.aupr, &s->mean.signal_to_noise, &s->deviation.signal_to_noise};
    const char *word = xc_method_word(method);
    const size_t length = strlen(word);
    char *after;
    if (strncmp(*at, word, length) != 0 || (*at)[length] != '\t') return false;
    s->sequences = strtoull(*at + length, &after, 10);
    for (int i = 0; i < NUMBERS; i++) {
        const char *from = after;
        if (*from != '\t') return false;
        *numbers[i] = strtod(from + 1, &after);
        if (after == from + 1) return false;
    }
    *at = after + 1;
    return *after == '\n';
}

xc_status xc_attribution_read_scores(const char *folder, const xc_attribution_config *config,
                                     xc_trial_attribution *scores, xc_error *error) {
    xc_status status = XC_OK;
    char *text = NULL, *path = xc_path_join(folder, XC_ATTRIBUTION_FILE);
    *scores = (xc_trial_attribution){0};
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", folder);
    if (!xc_path_exists(path)) goto fail;
    XC_TRY(xc_file_read(path, XC_TEXT_LIMIT, &text, NULL, error));
    bool good = strncmp(text, header, strlen(header)) == 0;
    const char *at = text + (good ? strlen(header) : 0);
    for (uint32_t i = 0; good && i < config->methods_count; i++)
        good = read_row(&at, config->methods[i], &scores->method[config->methods[i]]);
    scores->measured = good;
    if (!good)
        status = xc_fail(error, XC_INPUT,
                         "%s: not the scores of maps by this config; remove it, and they are measured again", path);
fail:
    free(text);
    free(path);
    return status;
}

void xc_attribution_remove(const char *folder) {
    char *path = xc_path_join(folder, XC_ATTRIBUTION_FILE);
    if (path) (void)unlink(path);
    free(path);
}

/* ---- a trial ----------------------------------------------------------------------------------------------------- */

xc_status xc_attribution_measure(const xc_network *network, const xc_attribution_config *config,
                                 const xc_backend *backend, const xc_split *split, const xc_attribution_truth *truth,
                                 int threads, const char *folder, xc_trial_attribution *scores, xc_error *error) {
    xc_status status;
    const size_t length = split->dna.length;
    scoring s = {.split = split, .truth = truth};
    char *path = xc_path_join(folder, XC_ATTRIBUTION_FILE);
    *scores = (xc_trial_attribution){0};
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", folder);
    XC_TRY(xc_allocate(&s.score, truth->count, sizeof *s.score, "scores of maps", error));
    XC_TRY(xc_allocate(&s.codes, length, 1, "scores of maps", error));
    XC_TRY(xc_allocate(&s.work, 3 * length, sizeof *s.work, "scores of maps", error));
    for (uint32_t i = 0; i < config->methods_count; i++) {
        const xc_attribution_settings settings = settings_of(config, config->methods[i]);
        XC_TRY(xc_attribute(network, backend, split, truth->index, truth->count, &settings, threads, score_part, &s,
                            error));
        scores->method[config->methods[i]] = xc_attribution_scores_of(s.score, truth->count);
    }
    XC_TRY(write_scores(path, config, scores, error));
    scores->measured = true;
fail:
    free(s.score);
    free(s.codes);
    free(s.work);
    free(path);
    return status;
}
