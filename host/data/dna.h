/* dna.h: what only this room needs of the builder.
 */
#ifndef EXPCONV_HOST_DATA_DNA_H
#define EXPCONV_HOST_DATA_DNA_H

#include "expconv/data.h"

/* Makes room for `capacity` sequences in all, for readers that do not know beforehand how many will come. */
xc_status xc_dna_builder_reserve(xc_dna_builder *builder, uint32_t capacity, xc_error *error);

/* A builder of the sequences first .. end - 1 of `whole`, for threads that fill it side by side: bases go to their
 * place in the whole's memory, runs of N are the part's own until they are joined. */
void xc_dna_builder_part(const xc_dna_builder *whole, uint32_t first, uint32_t end, xc_dna_builder *part);

/* Makes `whole`, to which nothing was appended, the sum of its parts: full ones, in order, of all its sequences. */
xc_status xc_dna_builder_join(xc_dna_builder *whole, const xc_dna_builder *parts, size_t count, xc_error *error);
void xc_dna_parts_free(xc_dna_builder *parts, size_t count);

#endif
