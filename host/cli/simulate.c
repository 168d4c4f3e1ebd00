/* simulate.c: `expconv simulate`: the paper's synthetic tasks as HDF5 files. */
#include "cli.h"

static const cli_option options[] = {
    {"task", "NAME",
     "motifs (the paper's task 1: which of twelve motifs are in a sequence)\n"
     "or grammar (task 3: motifs of one set, or of others)"},
    {"motifs", "FILE", "motifs to plant, MEME or JASPAR PFM"},
    {"out", "FILE.h5", "file to write; one that is there is replaced, once the new one is whole"},
    {"sequences", "N", "sequences in all, split 70/10/20 (default: 30000 for motifs, 20000 for grammar)"},
    {"length", "L", "bases of a sequence (default: 200)"},
    {"seed", "S", "the same seed gives the same bytes (default: 0)"},
    {NULL, NULL, NULL},
};

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    static const char *const tasks[] = {"motifs", "grammar", NULL};
    xc_status status = XC_OK;
    xc_motif_list motifs = {0};
    const char *task_name, *motif_file, *out;
    int task = 0;
    XC_TRY(cli_required(arguments, "task", &task_name, error));
    XC_TRY(cli_choice(arguments, "task", tasks, &task, error));
    XC_TRY(cli_required(arguments, "motifs", &motif_file, error));
    XC_TRY(cli_required(arguments, "out", &out, error));
    uint64_t sequences = task == 0 ? 30000 : 20000, length = 200, seed = 0;
    XC_TRY(cli_number(arguments, "sequences", 10, 100000000, &sequences, error));
    XC_TRY(cli_number(arguments, "length", 1, 1048575, &length, error));
    XC_TRY(cli_number(arguments, "seed", 0, UINT64_MAX, &seed, error));

    XC_TRY(xc_motif_read(motif_file, &motifs, error));
    const xc_simulation simulation = {task == 0 ? XC_TASK_MOTIFS : XC_TASK_GRAMMAR, (uint32_t)sequences,
                                      (uint32_t)length, seed};
    XC_TRY(xc_simulate(&simulation, &motifs, out, error));
    xc_log(XC_LOG_INFO, "%s: wrote %u sequences of %u bases", out, simulation.sequences, simulation.length);
fail:
    xc_motif_list_free(&motifs);
    return status;
}

const cli_command cli_simulate = {
    .name = "simulate",
    .summary = "write a synthetic data set of the paper",
    .usage = "--task motifs|grammar --motifs FILE --out FILE.h5 [options]",
    .details =
        "Plants motifs into random DNA by the laws of the paper and writes X_*, Y_* and model_* (the\n"
        "probabilities that each base was drawn from) for train, valid and test.\n",
    .examples =
        "  expconv simulate --task motifs --motifs motifs.meme --out task1.h5\n"
        "  expconv simulate --task grammar --motifs pfm_vertebrates.txt --out task3.h5 --seed 7\n",
    .options = options,
    .run = run,
};
