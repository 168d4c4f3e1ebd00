/* state_file.h: what weights.h5 and a checkpoint have in common. Internal to host/model; between xc_image_begin and
 * end.
 */
#ifndef EXPCONV_STATE_FILE_H
#define EXPCONV_STATE_FILE_H

#include "expconv/model.h"
#include "h5_image.h"

/* Attributes: `format`, the version, and the model's name, first activation, length and classes. */
xc_status xc_state_put_header(xc_image *h5, const char *format, const xc_model *model, xc_error *error);
/* Refuses another format, another version, or another model. */
xc_status xc_state_check_header(const xc_image *h5, const char *format, const xc_model *model, xc_error *error);

/* values (parameter_count), one dataset a tensor, in the group `group` ("" for the root). */
xc_status xc_state_put_tensors(xc_image *h5, const char *group, const xc_model *model, const float *values,
                               xc_error *error);
xc_status xc_state_get_tensors(const xc_image *h5, const char *group, const xc_model *model, float *values,
                               xc_error *error);

/* running (running_count) as running/blockN.mean and running/blockN.variance. */
xc_status xc_state_put_running(xc_image *h5, const xc_model *model, const float *running, xc_error *error);
xc_status xc_state_get_running(const xc_image *h5, const xc_model *model, float *running, xc_error *error);

/* Refuses a file that has more tensors than the model; after get_tensors, which names one that is missing. */
xc_status xc_state_check_count(const xc_image *h5, const xc_model *model, xc_error *error);

#endif
