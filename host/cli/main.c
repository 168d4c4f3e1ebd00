/* main.c: finds the command, runs it, and turns its status into an exit status: 0 done, 1 failed, 2 wrong use, 130
 * interrupted. The only file that ends the process.
 */
#include <errno.h>
#include <string.h>

#include "cli.h"

static const cli_command *const commands[] = {&cli_simulate,   &cli_inspect, &cli_train,  &cli_sweep,     &cli_evaluate,
                                              &cli_predict,    &cli_filters, &cli_tomtom, &cli_attribute, &cli_logos,
                                              &cli_importance, &cli_report,  &cli_devices};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_overview(FILE *stream) {
    fputs(
        "usage: expconv COMMAND [arguments] [options]\n\n"
        "Trains convolutional networks on DNA, many at a time.\n\ncommands:\n",
        stream);
    for (int i = 0; i < COMMAND_COUNT; i++) fprintf(stream, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs(
        "\nexpconv COMMAND --help tells more about a command; expconv --version prints the version.\n\nexamples:\n"
        "  expconv inspect chipseq.h5\n"
        "  expconv sweep configs/demo.yaml --out demo\n",
        stream);
}

static xc_status find_command(const char *name, const cli_command **command, xc_error *error) {
    const char *names[COMMAND_COUNT + 1] = {NULL};
    for (int i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i]->name;
        *command = commands[i];
        if (strcmp(name, names[i]) == 0) return XC_OK;
    }
    return xc_fail(error, XC_USAGE, "unknown %s %s; did you mean %s? See expconv --help",
                   *name == '-' ? "option" : "command", name, *name == '-' ? "--help" : xc_nearest(name, names));
}

static xc_status run(int argc, char **argv, xc_error *error) {
    xc_status status = XC_OK;
    cli_arguments arguments = {0};
    const cli_command *command = NULL;
    const char *first = argc > 1 ? argv[1] : "--help";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        print_overview(stdout);
        return XC_OK;
    }
    if (strcmp(first, "--version") == 0) {
        puts("expconv " CLI_VERSION);
        return XC_OK;
    }
    XC_TRY(find_command(first, &command, error));
    XC_TRY(cli_parse(command, argc - 1, argv + 1, &arguments, error));
    if (arguments.help)
        cli_print_help(command, stdout);
    else
        XC_TRY(command->run(&arguments, error));
fail:
    cli_arguments_free(&arguments);
    return status;
}

int main(int argc, char **argv) {
    xc_error error = {0};
    xc_status status = run(argc, argv, &error);
    /* A result that did not reach its reader is a failure, and a full disk shows only now. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == XC_OK)
        status = xc_fail(&error, XC_IO, "standard output: cannot write the results: %s", strerror(errno));
    if (status == XC_INTERRUPTED)
        xc_log(XC_LOG_WARNING, "%s", error.text);
    else if (status != XC_OK)
        xc_log(XC_LOG_ERROR, "%s", error.text);
    xc_log_close();
    if (status == XC_OK) return 0;
    if (status == XC_INTERRUPTED) return 130;
    return status == XC_USAGE ? 2 : 1;
}
