/* header.h: finds a split's datasets in a file by name and shape, without reading them.
 */
#ifndef EXPCONV_HOST_DATA_HEADER_H
#define EXPCONV_HOST_DATA_HEADER_H

#include "h5.h"

/* Fills the header of one split; present stays false when no sequences were found under the searched names. Refuses
 * names given that are not there, other shapes and types than the known, empty datasets, and unequal counts. */
xc_status xc_header_read(const xc_h5 *h5, const xc_data_names *names, xc_split_name split, xc_split_header *header,
                         xc_error *error);

/* Refuses lengths or classes that differ between the splits that are present. header (XC_SPLIT_COUNT). */
xc_status xc_headers_check(const xc_h5 *h5, const xc_split_header *header, xc_error *error);

/* The error for a split that was asked for and is not there: what was looked for, and what the file holds. */
xc_status xc_header_missing(const xc_h5 *h5, xc_split_name split, xc_error *error);

/* Whether the file holds model_train, model_valid or model_test. */
bool xc_header_has_model(const xc_h5 *h5);

#endif
