/* devices.c: `expconv devices`: what can be used here, and why the rest cannot. */
#include "cli.h"

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    (void)arguments;
    (void)error;
    xc_backend_list(stdout);
    return XC_OK;
}

const cli_command cli_devices = {
    .name = "devices",
    .summary = "list what can be used here, and why the rest cannot",
    .usage = "",
    .details =
        "Prints a line for every device: its name for --device, whether it is usable, and what it is or what\n"
        "is missing.\n",
    .examples = "  expconv devices\n",
    .run = run,
};
