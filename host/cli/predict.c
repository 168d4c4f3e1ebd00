/* predict.c: `expconv predict`: a trained network's probabilities for sequences of an HDF5 or FASTA file. */
#include <stdlib.h>

#include "cli.h"

static const cli_option options[] = {
    {"data", "FILE.h5", "sequences of an HDF5 file; or"},
    {"fasta", "FILE.fa", "of a FASTA file, plain or gzip, all of the length the network was trained on"},
    {"out", "FILE.tsv", "file to write; one that is there is replaced, once the new one is whole"},
    {"split", "NAME", "of --data: train, valid or test (default: test)"},
    {"x", "NAME", "of --data: dataset of the sequences (default: as in training, or searched)"},
    {NULL, NULL, NULL},
};

/* A row a sequence: its name, or its number in the split from 0, then a probability a class. */
static xc_status write_predictions(const char *path, char *const *names, const float *values, size_t items,
                                   int32_t classes, xc_error *error) {
    xc_file file;
    const xc_status status = xc_file_create(&file, path, true, error);
    if (status != XC_OK) return status;
    fputs("sequence", file.stream);
    for (int32_t j = 0; j < classes; j++) fprintf(file.stream, "\tclass%d", j);
    fputc('\n', file.stream);
    for (size_t i = 0; i < items; i++) {
        if (names)
            fputs(names[i], file.stream);
        else
            fprintf(file.stream, "%zu", i);
        for (int32_t j = 0; j < classes; j++)
            fprintf(file.stream, "\t%.7g", (double)values[i * (size_t)classes + (size_t)j]);
        fputc('\n', file.stream);
    }
    return xc_file_commit(&file, error);
}

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    xc_status status = XC_OK;
    xc_network network = {0};
    xc_dataset dataset = {0};
    xc_split from_fasta = {0};
    xc_split_name which = XC_TEST;
    char **names = NULL;
    float *values = NULL; /* (items,classes) */
    const char *data = cli_value(arguments, "data"), *fasta = cli_value(arguments, "fasta"), *out;
    if (!data == !fasta) return xc_fail(error, XC_USAGE, "give --data FILE.h5 or --fasta FILE.fa, one of the two");
    XC_TRY(cli_required(arguments, "out", &out, error));
    XC_TRY(xc_network_open(arguments->operand, &network, error));
    if (data)
        XC_TRY(cli_read_split(arguments, data, &network, false, false, &dataset, &which, error));
    else
        XC_TRY(xc_fasta_read(fasta, (uint32_t)network.model.length, &from_fasta, &names, error));

    const xc_split *split = data ? &dataset.split[which] : &from_fasta;
    const size_t items = xc_split_items(split);
    XC_TRY(cli_logits(arguments, &network, split, &values, error));
    xc_link(network.config->train.loss, values, items, network.model.classes);
    XC_TRY(write_predictions(out, names, values, items, network.model.classes, error));
    xc_log(XC_LOG_INFO, "%s: wrote predictions for %zu sequences", out, items);
fail:
    for (uint32_t i = 0; names && i < from_fasta.dna.sequences; i++) free(names[i]);
    free(names);
    free(values);
    xc_split_free(&from_fasta);
    xc_dataset_free(&dataset);
    xc_network_close(&network);
    return status;
}

const cli_command cli_predict = {
    .name = "predict",
    .operand = "TRIAL_DIR",
    .summary = "a trained network's probabilities for new sequences",
    .usage = "TRIAL_DIR --data FILE.h5 | --fasta FILE.fa --out FILE.tsv [options]",
    .details =
        "Writes a TSV file with a row a sequence: its name in the FASTA file or its number in the HDF5 file,\n"
        "from 0, then the probability of every class (for a squared error, the predicted value).\n",
    .examples =
        "  expconv predict mine --data task1.h5 --split valid --out predictions.tsv\n"
        "  expconv predict demo/trials/cnn-2.relu.glorot_uniform.s000 --fasta peaks.fa --out peaks.tsv\n",
    .options = options,
    .common = CLI_THREADS | CLI_DEVICE,
    .run = run,
};
