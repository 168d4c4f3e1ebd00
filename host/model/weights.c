/* weights.c: weights.h5, and the parts that a checkpoint shares with it. One dataset a tensor under its name, in the
 * order of the layers, so that any HDF5 reader finds its way. Reading wants the model that was written: the same names,
 * the same shapes, and no more tensors.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "state_file.h"

#define FORMAT "expconv weights"
#define VERSION 1u
#define NAME_SIZE 64

/* ---- shared with the checkpoint ---------------------------------------------------------------------------------- */

xc_status xc_state_put_header(xc_image *h5, const char *format, const xc_model *model, xc_error *error) {
    xc_status status;
    XC_TRY(xc_image_put_text(h5, "format", format, error));
    XC_TRY(xc_image_put_number(h5, "version", VERSION, error));
    XC_TRY(xc_image_put_text(h5, "model", model->name, error));
    XC_TRY(xc_image_put_text(h5, "activation", xc_activation_word(model->activation), error));
    XC_TRY(xc_image_put_number(h5, "length", (uint64_t)model->length, error));
    XC_TRY(xc_image_put_number(h5, "classes", (uint64_t)model->classes, error));
    XC_TRY(xc_image_put_number(h5, "tensors", (uint64_t)model->tensor_count, error));
fail:
    return status;
}

/* Networks of the same shapes are told apart by the model's name and the first block's activation. */
static xc_status check_network(const xc_image *h5, const xc_model *model, xc_error *error) {
    xc_status status;
    char name[sizeof model->name], activation[NAME_SIZE];
    const char *here = xc_activation_word(model->activation);
    XC_TRY(xc_image_get_text(h5, "model", name, sizeof name, error));
    XC_TRY(xc_image_get_text(h5, "activation", activation, sizeof activation, error));
    if (strcmp(name, model->name) != 0 || strcmp(activation, here) != 0)
        status = xc_fail(error, XC_INPUT,
                         "%s: is of model %s with %s but this one is %s with %s; give the file of this model", h5->path,
                         name, activation, model->name, here);
fail:
    return status;
}

xc_status xc_state_check_header(const xc_image *h5, const char *format, const xc_model *model, xc_error *error) {
    xc_status status;
    char found[NAME_SIZE];
    uint64_t version, length;
    XC_TRY(xc_image_get_text(h5, "format", found, sizeof found, error));
    if (strcmp(found, format) != 0)
        return xc_fail(error, XC_INPUT, "%s: holds '%s', not '%s'", h5->path, found, format);
    XC_TRY(xc_image_get_number(h5, "version", &version, error));
    if (version != VERSION)
        return xc_fail(error, XC_INPUT,
                       "%s: has format version %" PRIu64
                       " but this program reads %u; use the program "
                       "that wrote it",
                       h5->path, version, VERSION);
    XC_TRY(xc_image_get_number(h5, "length", &length, error));
    if (length != (uint64_t)model->length)
        return xc_fail(error, XC_INPUT,
                       "%s: is of a model for sequences of %" PRIu64
                       " bases but %s here is for %d; give "
                       "the file of this model",
                       h5->path, length, model->name, model->length);
    XC_TRY(check_network(h5, model, error));
fail:
    return status;
}

/* "group/name", or the name alone. */
static const char *in_group(const char *group, const char *name, char path[NAME_SIZE]) {
    snprintf(path, NAME_SIZE, "%s%s%s", group, group[0] != 0 ? "/" : "", name);
    return path;
}

static void tensor_shape(const xc_tensor *tensor, hsize_t shape[3]) {
    for (int32_t i = 0; i < tensor->rank; i++) shape[i] = (hsize_t)tensor->shape[i];
}

xc_status xc_state_put_tensors(xc_image *h5, const char *group, const xc_model *model, const float *values,
                               xc_error *error) {
    xc_status status = XC_OK;
    char path[NAME_SIZE];
    hsize_t shape[3];
    if (group[0] != 0) XC_TRY(xc_image_put_group(h5, group, error));
    for (int32_t i = 0; i < model->tensor_count; i++) {
        const xc_tensor *tensor = &model->tensor[i];
        tensor_shape(tensor, shape);
        XC_TRY(xc_image_put(h5, in_group(group, tensor->name, path), H5T_NATIVE_FLOAT, tensor->rank, shape,
                            values + tensor->offset, error));
    }
fail:
    return status;
}

xc_status xc_state_get_tensors(const xc_image *h5, const char *group, const xc_model *model, float *values,
                               xc_error *error) {
    xc_status status = XC_OK;
    char path[NAME_SIZE];
    hsize_t shape[3];
    memset(values, 0, model->parameter_count * sizeof *values); /* the gaps between tensors */
    for (int32_t i = 0; i < model->tensor_count; i++) {
        const xc_tensor *tensor = &model->tensor[i];
        tensor_shape(tensor, shape);
        XC_TRY(xc_image_get(h5, in_group(group, tensor->name, path), H5T_NATIVE_FLOAT, tensor->rank, shape,
                            values + tensor->offset, error));
    }
fail:
    return status;
}

/* Statistic k of the model, layer k / 2's mean or variance: its name in a file and its place; false when the layer has
 * no batch norm. */
static bool statistic(const xc_model *model, int32_t k, char name[NAME_SIZE], size_t *offset, hsize_t *count) {
    const xc_block *block = &model->layer[k / 2].block;
    if (block->running == XC_ABSENT) return false;
    snprintf(name, NAME_SIZE, "running/block%d.%s", k / 2, k % 2 == 0 ? "mean" : "variance");
    *count = (hsize_t)block->filters;
    *offset = block->running + (k % 2 == 0 ? 0 : (size_t)block->filters);
    return true;
}

xc_status xc_state_put_running(xc_image *h5, const xc_model *model, const float *running, xc_error *error) {
    xc_status status;
    char name[NAME_SIZE];
    size_t offset;
    hsize_t count;
    XC_TRY(xc_image_put_group(h5, "running", error));
    for (int32_t k = 0; k < 2 * model->layer_count; k++)
        if (statistic(model, k, name, &offset, &count))
            XC_TRY(xc_image_put(h5, name, H5T_NATIVE_FLOAT, 1, &count, running + offset, error));
fail:
    return status;
}

xc_status xc_state_get_running(const xc_image *h5, const xc_model *model, float *running, xc_error *error) {
    xc_status status = XC_OK;
    char name[NAME_SIZE];
    size_t offset;
    hsize_t count;
    memset(running, 0, model->running_count * sizeof *running);
    for (int32_t k = 0; k < 2 * model->layer_count; k++)
        if (statistic(model, k, name, &offset, &count))
            XC_TRY(xc_image_get(h5, name, H5T_NATIVE_FLOAT, 1, &count, running + offset, error));
fail:
    return status;
}

xc_status xc_state_check_count(const xc_image *h5, const xc_model *model, xc_error *error) {
    uint64_t tensors;
    const xc_status status = xc_image_get_number(h5, "tensors", &tensors, error);
    if (status != XC_OK || tensors == (uint64_t)model->tensor_count) return status;
    return xc_fail(error, XC_INPUT, "%s: has %" PRIu64 " tensors but model %s has %d; give the file of this model",
                   h5->path, tensors, model->name, model->tensor_count);
}

/* ---- weights.h5 -------------------------------------------------------------------------------------------------- */

xc_status xc_weights_write(const char *path, const xc_model *model, const xc_trial_state *state, xc_error *error) {
    xc_status status;
    xc_image h5 = {0};
    void *image = NULL;
    size_t size = 0;
    xc_image_begin();
    XC_TRY(xc_image_create(&h5, path, error));
    XC_TRY(xc_state_put_header(&h5, FORMAT, model, error));
    XC_TRY(xc_state_put_tensors(&h5, "", model, state->parameters, error));
    XC_TRY(xc_state_put_running(&h5, model, state->running, error));
    XC_TRY(xc_image_take(&h5, &image, &size, error));
fail:
    xc_image_close(&h5);
    xc_image_end();
    if (status == XC_OK) status = xc_image_store(path, image, size, error);
    free(image);
    return status;
}

xc_status xc_weights_read(const char *path, const xc_model *model, xc_trial_state *state, xc_error *error) {
    xc_status status;
    xc_image h5 = {0};
    xc_image_begin();
    XC_TRY(xc_image_open(&h5, path, error));
    XC_TRY(xc_state_check_header(&h5, FORMAT, model, error));
    XC_TRY(xc_state_get_tensors(&h5, "", model, state->parameters, error));
    XC_TRY(xc_state_get_running(&h5, model, state->running, error));
    XC_TRY(xc_state_check_count(&h5, model, error));
fail:
    xc_image_close(&h5);
    xc_image_end();
    return status;
}

xc_status xc_weights_shape(const char *path, int32_t *length, int32_t *classes, xc_error *error) {
    xc_status status;
    xc_image h5 = {0};
    char found[NAME_SIZE];
    uint64_t length_found, classes_found;
    xc_image_begin();
    XC_TRY(xc_image_open(&h5, path, error));
    XC_TRY(xc_image_get_text(&h5, "format", found, sizeof found, error));
    XC_TRY(xc_image_get_number(&h5, "length", &length_found, error));
    XC_TRY(xc_image_get_number(&h5, "classes", &classes_found, error));
    if (strcmp(found, FORMAT) != 0 || length_found > INT32_MAX || classes_found > INT32_MAX)
        status = xc_fail(error, XC_INPUT, "%s: holds '%s', not '%s'", path, found, FORMAT);
    *length = (int32_t)length_found;
    *classes = (int32_t)classes_found;
fail:
    xc_image_close(&h5);
    xc_image_end();
    return status;
}
