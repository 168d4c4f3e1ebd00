/* attribute.c: `expconv attribute`: which bases a trained network's output rests on. */
#include <stdlib.h>

#include "attribute.h"

static const cli_option options[] = {
    {"method", "NAME", "saliency, integrated_gradients, mutagenesis or deepshap"},
    {"out", "FILE.h5", "file to write; one that is there is replaced, once the new one is whole"},
    {"data", "FILE.h5", "the sequences (default: those of the training)"},
    {"split", "NAME", "train, valid or test (default: test)"},
    {"x", "NAME", "dataset of the sequences (default: as in training, or searched)"},
    {"y", "NAME", "dataset of the labels, for --only (default: as in training, or searched)"},
    {"class", "N|all", "output to explain, counted from 0, or each in turn (default: 0)"},
    {"of", "WHAT", "logit, or probability: after the sigmoid or softmax (default: logit)"},
    {"sequences", "N", "the first so many (default: all)"},
    {"only", "positives", "those labelled with the class (of --class all: the first)"},
    {"index", "FILE", "those whose numbers in the split, from 0, stand in a file, one a line"},
    {"background", "WHAT",
     "what integrated_gradients and deepshap compare a sequence with: shuffle of its bases,\n"
     "dinucleotide (a shuffle that keeps pairs), zero, or a FASTA file (default: shuffle)"},
    {"backgrounds", "N", "shuffles of each sequence (default: 10)"},
    {"steps", "N", "of integrated_gradients, from each background to the sequence (default: 20)"},
    {"quadrature", "NAME", "of these steps: left (the paper's), midpoint or gauss (default: left)"},
    {"seed", "N", "of the shuffles (default: 0)"},
    {"modisco", "DIR",
     "also write DIR/ohe.npz and DIR/attr.npz, for modisco motifs -s ohe.npz -a attr.npz\n"
     "(mutagenesis: less the mean of the four bases)"},
    {"truth", NULL, "score the maps against the file's model_*: a row a class on stdout"},
    {NULL, NULL, NULL},
};

static xc_status explain_classes(attribute_run *run, xc_error *error) {
    xc_status status = XC_OK;
    for (run->class_number = 0; run->class_number < run->class_count; run->class_number++) {
        run->settings.class_index = run->classes[run->class_number];
        XC_TRY(xc_attribute(&run->network, run->backend, run->split, run->index, run->count, &run->settings,
                            run->arguments->threads, attribute_sink, run, error));
        XC_TRY(attribute_end_class(run, error));
    }
fail:
    return status;
}

static void close_run(attribute_run *run) {
    xc_attribution_file_discard(run->file);
    for (int i = 0; i < 2; i++) xc_npz_discard(run->modisco[i]);
    xc_truth_close(run->truth);
    free(run->score);
    free(run->codes);
    free(run->probabilities);
    free(run->work);
    free(run->classes);
    free(run->index);
    xc_split_free(&run->backgrounds);
    xc_dataset_free(&run->dataset);
    xc_network_close(&run->network);
}

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    xc_status status;
    attribute_run work = {.arguments = arguments};
    xc_interrupt_install();
    XC_TRY(attribute_choose(&work, error));
    XC_TRY(attribute_open_sink(&work, error));
    XC_TRY(explain_classes(&work, error));
    XC_TRY(attribute_commit(&work, error));
    xc_log(XC_LOG_INFO, "%s: wrote %s maps of %zu sequences", cli_value(arguments, "out"),
           xc_method_word(work.settings.method), work.count);
fail:
    if (status == XC_INTERRUPTED)
        (void)xc_fail(error, XC_INTERRUPTED, "interrupted; %s was not written", cli_value(arguments, "out"));
    close_run(&work);
    return status;
}

const cli_command cli_attribute = {
    .name = "attribute",
    .operand = "TRIAL_DIR",
    .summary = "which bases a trained network's output rests on",
    .usage = "TRIAL_DIR --method NAME --out FILE.h5 [--data FILE.h5] [options]",
    .details =
        "Writes attribution maps of sequences as HDF5: `hypothetical` (n,4,L), what each base would add if it\n"
        "stood there, and `contributions` (n,4,L), what the bases that are there do add, with the sequences, the\n"
        "explained `output` and the `gap` between the sum of contributions and the difference of outputs.\n"
        "With --truth, prints how well the maps find what simulated sequences were made of.\n",
    .examples =
        "  expconv attribute mine --method deepshap --sequences 500 --out maps.h5\n"
        "  expconv attribute mine --data task3.h5 --method mutagenesis --of probability --only positives \\\n"
        "      --sequences 500 --truth --out maps.h5\n",
    .options = options,
    .common = CLI_THREADS | CLI_DEVICE,
    .run = run,
};
