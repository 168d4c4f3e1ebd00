/* attribute.h: what the files of `expconv attribute` share: attribute.c reads what is asked for and runs the methods,
 * attribute_settings.c understands the options, attribute_sink.c takes the results.
 */
#ifndef EXPCONV_CLI_ATTRIBUTE_H
#define EXPCONV_CLI_ATTRIBUTE_H

#include "cli.h"
#include "expconv/attribution.h"

typedef struct attribute_run {
    const cli_arguments *arguments;
    const char *data; /* path */
    xc_network network;
    const xc_backend *backend;
    xc_dataset dataset;
    const xc_split *split;
    xc_split_name which;
    xc_split backgrounds; /* of a FASTA file */
    xc_attribution_settings settings;
    int32_t *classes; /* (class_count) that are explained, one after another */
    int32_t class_count;
    uint32_t *index; /* (count) the sequences */
    size_t count;

    /* Where results go. */
    xc_attribution_file *file;
    xc_npz *modisco[2];          /* the sequences and the hypothetical contributions; NULL: not asked for */
    xc_truth *truth;             /* NULL: not scored */
    xc_attribution_score *score; /* (count) of the class in hand */
    uint8_t *codes;              /* (L) */
    float *probabilities;        /* (4,L); and of whatever else has this shape */
    float *work;                 /* (3,L) */
    int32_t class_number;        /* in hand */
    double worst_gap;
    uint32_t worst; /* whose gap that is */
    double start;   /* seconds */
} attribute_run;

/* Everything that the options and the data say. */
xc_status attribute_choose(attribute_run *run, xc_error *error);

/* Creates the file and writes its sequences. */
xc_status attribute_open_sink(attribute_run *run, xc_error *error);
xc_status attribute_sink(void *context, const xc_attribution_part *part, xc_error *error);
/* All files at their names. */
xc_status attribute_commit(attribute_run *run, xc_error *error);
/* After a class: warnings, and its scores as a row on stdout. */
xc_status attribute_end_class(attribute_run *run, xc_error *error);

#endif
