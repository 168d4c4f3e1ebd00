/* inspect.c: `expconv inspect`: what is in an HDF5 file, and what is wrong with it. */
#include "cli.h"

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    return xc_inspect(arguments->operand, NULL, arguments->threads, stdout, error);
}

const cli_command cli_inspect = {
    .name = "inspect",
    .operand = "FILE.h5",
    .summary = "show what is in a data file, and its first fault",
    .usage = "FILE.h5 [options]",
    .details =
        "Prints the layout, counts, length, base composition and class balance of each split of an HDF5\n"
        "file. Every column is checked; a fault is named and makes the exit status 1.\n",
    .examples = "  expconv inspect IRF1_400_h3k27ac.h5\n",
    .common = CLI_THREADS,
    .run = run,
};
