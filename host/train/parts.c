/* parts.c: a pack of trials on a device that may have no memory for all of them at once: trained together as long as
 * there is enough, otherwise in two halves, one after the other, and these likewise. What was trained until the memory
 * ran out is not lost: a trial goes on from its folder. A pack's size shows in no result, so its parts do not either.
 */
#include <stdlib.h>

#include "room.h"

static void warn(const xc_trial *trial, int32_t count, int32_t first, int32_t second) {
    if (second > 0)
        xc_log(XC_LOG_WARNING, "model %s: no memory for %d trials at once: trained as %d and %d",
               trial->config->model.zoo, count, first, second);
    else
        xc_log(XC_LOG_WARNING, "model %s: no memory for %d trials at once: the last is trained alone",
               trial->config->model.zoo, count);
}

/* The trials that have not ended, in two parts. */
static xc_status train_parts(const xc_backend *backend, const xc_train_data *data, xc_trial *const *trials,
                             int32_t count, const xc_train_events *events, xc_error *error) {
    xc_status status = XC_MEMORY;
    xc_trial **left = NULL; /* (count) */
    int32_t left_count = 0;
    for (int32_t i = 0; i < count; i++) left_count += !xc_trial_ended(trials[i]);
    if (left_count == 0) return XC_MEMORY; /* nobody is left to do without it */
    XC_TRY(xc_allocate(&left, (size_t)left_count, sizeof(xc_trial *), "a pack", error));
    left_count = 0;
    for (int32_t i = 0; i < count; i++)
        if (!xc_trial_ended(trials[i])) left[left_count++] = trials[i];
    const int32_t first = (left_count + 1) / 2, second = left_count - first;
    warn(left[0], count, first, second);
    XC_TRY(xc_train_pack(backend, data, left, first, events, error));
    if (second > 0) XC_TRY(xc_train_pack(backend, data, left + first, second, events, error));
fail:
    free(left);
    return status;
}

/* A device's failure is of all trials that it was training: the line names the first. */
static xc_status name_trials(xc_trial *const *trials, int32_t count, xc_error *error) {
    if (count == 1) return xc_fail_in(error, "%s", trials[0]->name);
    return xc_fail_in(error, "%s and %d more", trials[0]->name, count - 1);
}

xc_status xc_train_pack(const xc_backend *backend, const xc_train_data *data, xc_trial *const *trials, int32_t count,
                        const xc_train_events *events, xc_error *error) {
    const xc_status status = xc_train_at_once(backend, data, trials, count, events, error);
    if (status == XC_DEVICE) return name_trials(trials, count, error);
    if (status != XC_MEMORY || backend->host_memory || count == 1) return status;
    return train_parts(backend, data, trials, count, events, error);
}
