/* dataset.h: reading one split, shared by the dataset reader and inspect.
 */
#ifndef EXPCONV_HOST_DATA_DATASET_H
#define EXPCONV_HOST_DATA_DATASET_H

#include "header.h"

/* Reads the sequences and labels that `header` found, with `threads` threads. On failure `split` is empty. */
xc_status xc_split_read(const xc_h5 *h5, const xc_split_header *header, bool reverse_complement, int threads,
                        xc_split *split, xc_error *error);

#endif
