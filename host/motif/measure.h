/* measure.h: what the files that measure a trial's filters share, and which names they give to their files. */
#ifndef EXPCONV_HOST_MOTIF_MEASURE_H
#define EXPCONV_HOST_MOTIF_MEASURE_H

#include "expconv/filters.h"

/* Whether xc_filters_measure gives a file this name: filters.meme, tomtom-0.1.tsv and so on. */
bool xc_filters_writes(const char *name);

/* ---- score_file.c: filters.tsv ----------------------------------------------------------------------------------- */

/* Writes folder/filters.tsv: threshold (count), scores (count). */
xc_status xc_filter_scores_write(const char *folder, const xc_filters_config *config, const double *threshold,
                                 const xc_filter_scores *scores, uint32_t count, xc_error *error);

#endif
