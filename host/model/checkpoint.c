/* checkpoint.c: everything that a trial needs to go on after an epoch as if nothing had happened: parameters, running
 * statistics, moments, the number of steps, and bytes that belong to the training room and mean nothing here.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "state_file.h"

#define FORMAT "expconv checkpoint"

xc_status xc_checkpoint_write(const char *path, const xc_model *model, const xc_trial_state *state, const void *extra,
                              size_t extra_size, xc_error *error) {
    xc_status status;
    xc_image h5 = {0};
    void *image = NULL;
    size_t size = 0;
    const hsize_t length = extra_size;
    xc_image_begin();
    XC_TRY(xc_image_create(&h5, path, error));
    XC_TRY(xc_state_put_header(&h5, FORMAT, model, error));
    XC_TRY(xc_image_put_number(&h5, "step", state->step, error));
    XC_TRY(xc_image_put_number(&h5, "extra_size", extra_size, error));
    XC_TRY(xc_state_put_tensors(&h5, "", model, state->parameters, error));
    XC_TRY(xc_state_put_running(&h5, model, state->running, error));
    XC_TRY(xc_state_put_tensors(&h5, "first_moment", model, state->first_moment, error));
    XC_TRY(xc_state_put_tensors(&h5, "second_moment", model, state->second_moment, error));
    if (extra_size > 0) XC_TRY(xc_image_put(&h5, "extra", H5T_NATIVE_UINT8, 1, &length, extra, error));
    XC_TRY(xc_image_take(&h5, &image, &size, error));
fail:
    xc_image_close(&h5);
    xc_image_end();
    if (status == XC_OK) status = xc_image_store(path, image, size, error);
    free(image);
    return status;
}

/* The training room's bytes in fresh memory. */
static xc_status read_extra(const xc_image *h5, void **extra, size_t *extra_size, xc_error *error) {
    xc_status status;
    uint64_t size;
    XC_TRY(xc_image_get_number(h5, "extra_size", &size, error));
    if (*extra_size != 0 && size != *extra_size)
        return xc_fail(error, XC_INPUT,
                       "%s: holds %" PRIu64
                       " bytes of training state but %zu are wanted; it is of "
                       "another version of expconv: remove it to start the trial again",
                       h5->path, size, *extra_size);
    const hsize_t length = size;
    XC_TRY(xc_allocate(extra, (size_t)size, 1, h5->path, error));
    if (size > 0) XC_TRY(xc_image_get(h5, "extra", H5T_NATIVE_UINT8, 1, &length, *extra, error));
    *extra_size = (size_t)size;
    return XC_OK;
fail:
    free(*extra);
    *extra = NULL;
    return status;
}

xc_status xc_checkpoint_read(const char *path, const xc_model *model, xc_trial_state *state, void **extra,
                             size_t *extra_size, xc_error *error) {
    xc_status status;
    xc_image h5 = {0};
    *extra = NULL;
    xc_image_begin();
    XC_TRY(xc_image_open(&h5, path, error));
    XC_TRY(xc_state_check_header(&h5, FORMAT, model, error));
    XC_TRY(xc_image_get_number(&h5, "step", &state->step, error));
    XC_TRY(xc_state_get_tensors(&h5, "", model, state->parameters, error));
    XC_TRY(xc_state_get_running(&h5, model, state->running, error));
    XC_TRY(xc_state_get_tensors(&h5, "first_moment", model, state->first_moment, error));
    XC_TRY(xc_state_get_tensors(&h5, "second_moment", model, state->second_moment, error));
    XC_TRY(xc_state_check_count(&h5, model, error));
    XC_TRY(read_extra(&h5, extra, extra_size, error));
fail:
    xc_image_close(&h5);
    xc_image_end();
    return status;
}
