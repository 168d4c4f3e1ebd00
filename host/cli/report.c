/* report.c: `expconv report`: what a sweep found, as one page. */
#include <stdlib.h>

#include "cli.h"

#include "expconv/report.h"

static const cli_option options[] = {
    {"out", "FILE.html", "the page (default: report.html in the sweep's folder); its figures go beside it"},
    {NULL, NULL, NULL},
};

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    xc_status status = XC_OK;
    const char *given = cli_value(arguments, "out");
    char *path = given ? NULL : xc_path_join(arguments->operand, "report.html");
    if (!given && !path) return xc_fail(error, XC_MEMORY, "out of memory for the name of report.html");
    xc_interrupt_install();
    XC_TRY(xc_report_write(arguments->operand, given ? given : path, error));
    xc_log(XC_LOG_INFO, "%s: written, with its figures in the folder figures beside it", given ? given : path);
fail:
    free(path);
    return status;
}

const cli_command cli_report = {
    .name = "report",
    .operand = "SWEEP_DIR",
    .summary = "write what a sweep found as one HTML page, with its figures",
    .usage = "SWEEP_DIR [--out FILE.html] [options]",
    .details =
        "Writes one self-contained page: the answer, the table of settings, box plots, t-tests between\n"
        "activations, training curves, and of every network its filters as logos. The page asks for nothing\n"
        "from anywhere. Its figures are also written as SVG, PDF and PNG into the folder figures beside it.\n"
        "A sweep that is still running gives a page of what there is.\n",
    .examples =
        "  expconv report demo\n"
        "  expconv report demo --out demo.html\n",
    .options = options,
    .run = run,
};
