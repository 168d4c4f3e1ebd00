/* check.c: the data as training wants it: opened for a backend, its labels fit for the loss, and classes that cannot be
 * measured named once.
 */
#include <string.h>

#include "room.h"

xc_status xc_train_data_open(const xc_backend *backend, const xc_dataset *dataset, xc_train_data *data,
                             xc_error *error) {
    memset(data, 0, sizeof *data);
    data->dataset = dataset;
    for (int s = 0; s < XC_SPLIT_COUNT; s++) {
        if (dataset->split[s].dna.sequences == 0) continue;
        const xc_status status = xc_device_split_open(backend, &dataset->split[s], &data->split[s], error);
        if (status != XC_OK) {
            xc_train_data_close(data);
            return status;
        }
    }
    return XC_OK;
}

void xc_train_data_close(xc_train_data *data) {
    for (int s = 0; s < XC_SPLIT_COUNT; s++)
        if (data->split[s].backend) xc_device_split_close(&data->split[s]);
    memset(data, 0, sizeof *data);
}

static xc_status check_one_hot(const xc_split *split, const char *where, xc_error *error) {
    const size_t classes = (size_t)split->classes;
    for (size_t i = 0; i < split->dna.sequences; i++) {
        size_t ones = 0, zeros = 0;
        for (size_t c = 0; c < classes; c++) {
            ones += split->labels[i * classes + c] == 1;
            zeros += split->labels[i * classes + c] == 0;
        }
        if (ones != 1 || ones + zeros != classes)
            return xc_fail(error, XC_INPUT,
                           "%s: the labels of sequence %zu are not one 1 among zeros, which %s needs; mend the labels "
                           "or choose another train.loss",
                           where, i, xc_loss_word(XC_LOSS_SOFTMAX));
    }
    return XC_OK;
}

xc_status xc_split_check_labels(const xc_split *split, xc_loss_kind loss, const char *where, xc_error *error) {
    if (loss == XC_LOSS_BINARY) return xc_split_check_binary(split, where, error);
    if (loss == XC_LOSS_SOFTMAX) return check_one_hot(split, where, error);
    return XC_OK;
}

static bool one_label(const xc_split *split, int32_t c) {
    const size_t classes = (size_t)split->classes;
    for (size_t i = 1; i < split->dna.sequences; i++)
        if (split->labels[i * classes + (size_t)c] != split->labels[c]) return false;
    return true;
}

/* Appends to a text that is cut where it ends. */
static void append(char *text, size_t size, const char *words) {
    const size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", words);
}

/* " valid: 3, 7" or " valid: 40 of 164 (3, 7, ...)" for a split with such classes. Returns how many. */
static int32_t list_one_label(const xc_split *split, const char *word, char *text, size_t size) {
    enum { NAMED = 8 };
    char names[NAMED * 16] = "", part[sizeof names + 80];
    int32_t count = 0;
    for (int32_t c = 0; c < split->classes; c++) {
        if (!one_label(split, c)) continue;
        char name[16];
        snprintf(name, sizeof name, "%s%d", count > 0 ? ", " : "", (int)c);
        if (count < NAMED) append(names, sizeof names, name);
        count++;
    }
    if (count == 0) return 0;
    if (count <= NAMED)
        snprintf(part, sizeof part, "%s %s: %s", *text ? ";" : "", word, names);
    else
        snprintf(part, sizeof part, "%s %s: %d of %d (%s, ...)", *text ? ";" : "", word, (int)count,
                 (int)split->classes, names);
    append(text, size, part);
    return count;
}

xc_status xc_train_data_check(const xc_dataset *dataset, xc_loss_kind loss, xc_error *error) {
    char lists[XC_SPLIT_COUNT * 256] = "";
    int32_t count = 0;
    for (int s = 0; s < XC_SPLIT_COUNT; s++) {
        const xc_split *split = &dataset->split[s];
        char where[sizeof dataset->path + 80];
        snprintf(where, sizeof where, "%s: %s", dataset->path,
                 dataset->header[s].y_name[0] ? dataset->header[s].y_name : xc_split_word((xc_split_name)s));
        if (split->dna.sequences == 0 || !split->labels) {
            if (s == XC_TEST && split->dna.sequences == 0) continue; /* metrics of test are nan then */
            return xc_fail(error, XC_INPUT,
                           "%s has no labelled %s split, which training needs; name its datasets under "
                           "data: in the config",
                           dataset->path, xc_split_word((xc_split_name)s));
        }
        const xc_status status = xc_split_check_labels(split, loss, where, error);
        if (status != XC_OK) return status;
        if (loss != XC_LOSS_SQUARED)
            count += list_one_label(split, xc_split_word((xc_split_name)s), lists, sizeof lists);
    }
    if (count > 0)
        xc_log(XC_LOG_NOTICE, "%s: classes with one label only, whose AUROC is nan and left out of the mean:%s",
               dataset->path, lists);
    return XC_OK;
}

void xc_split_labels(const xc_split *split, float *labels) {
    const size_t count = (size_t)split->dna.sequences * (size_t)split->classes;
    memcpy(labels, split->labels, count * sizeof *labels);
    if (split->reverse_complement) memcpy(labels + count, split->labels, count * sizeof *labels);
}
