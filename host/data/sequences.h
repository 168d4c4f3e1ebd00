/* sequences.h: reads a one-hot dataset into packed DNA.
 */
#ifndef EXPCONV_HOST_DATA_SEQUENCES_H
#define EXPCONV_HOST_DATA_SEQUENCES_H

#include "h5.h"

/* Reads, checks and packs the sequences that `header` found, on as many threads: the same bytes and the same errors for
 * any number. On failure `dna` is empty. */
xc_status xc_sequences_read(const xc_h5 *h5, const xc_split_header *header, int threads, xc_dna_view *dna,
                            xc_error *error);

#endif
