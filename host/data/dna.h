/* dna.h: what only this room needs of the builder.
 */
#ifndef EXPCONV_HOST_DATA_DNA_H
#define EXPCONV_HOST_DATA_DNA_H

#include "expconv/data.h"

/* Makes room for `capacity` sequences in all, for readers that do not know beforehand how many will come. */
xc_status xc_dna_builder_reserve(xc_dna_builder *builder, uint32_t capacity, xc_error *error);

#endif
