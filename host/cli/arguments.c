/* arguments.c: from argv to options, and from the same table to --help. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MOST_OPTIONS = 32, HELP_COLUMN = 26 };

static const cli_option threads_option = {"threads", "N", "threads to use (default: all cores)"};
static const cli_option device_option = {"device", "NAME", "auto, cpu, cuda or ref (default: auto)"};
static const cli_option general_options[] = {
    {"quiet", NULL, "warnings and errors only"},
    {"log-json", "FILE", "append all messages to FILE, one JSON object a line"},
    {"help", NULL, "print this text"},
    {NULL, NULL, NULL},
};

/* All options of a command, its own first. */
static int list_options(const cli_command *command, cli_option list[MOST_OPTIONS]) {
    int count = 0;
    for (const cli_option *option = command->options; option && option->name; option++) list[count++] = *option;
    if (command->common & CLI_THREADS) list[count++] = threads_option;
    if (command->common & CLI_DEVICE) list[count++] = device_option;
    for (const cli_option *option = general_options; option->name; option++) list[count++] = *option;
    return count;
}

/* ---- help -------------------------------------------------------------------------------------------------------- */

static void print_option(const cli_option *option, FILE *stream) {
    char left[64];
    snprintf(left, sizeof left, "  --%s%s%s", option->name, option->value ? " " : "",
             option->value ? option->value : "");
    fprintf(stream, "%-*s", HELP_COLUMN, left);
    if (strlen(left) >= HELP_COLUMN) fprintf(stream, "\n%*s", HELP_COLUMN, "");
    for (const char *c = option->help; *c; c++) {
        fputc(*c, stream);
        if (*c == '\n') fprintf(stream, "%*s", HELP_COLUMN, "");
    }
    fputc('\n', stream);
}

void cli_print_help(const cli_command *command, FILE *stream) {
    cli_option list[MOST_OPTIONS];
    const int count = list_options(command, list);
    fprintf(stream, "usage: expconv %s%s%s\n\n%s\noptions:\n", command->name, *command->usage ? " " : "",
            command->usage, command->details);
    for (int i = 0; i < count; i++) print_option(&list[i], stream);
    fprintf(stream, "\nexamples:\n%s", command->examples);
}

/* ---- parsing ----------------------------------------------------------------------------------------------------- */

static xc_status unknown_option(const cli_command *command, const cli_option *list, int count, const char *argument,
                                xc_error *error) {
    const char *names[MOST_OPTIONS + 1] = {NULL};
    char word[64];
    for (int i = 0; i < count; i++) names[i] = list[i].name;
    snprintf(word, sizeof word, "%s", argument + strspn(argument, "-"));
    word[strcspn(word, "=")] = 0;
    return xc_fail(error, XC_USAGE, "%s: unknown option %s; did you mean --%s? See expconv %s --help", command->name,
                   argument, xc_nearest(word, names), command->name);
}

/* What getopt_long complains about: it stands behind us in argv, or is a letter in a cluster of letters. */
static xc_status refuse_option(const cli_command *command, const cli_option *list, int count, char **argv, int result,
                               xc_error *error) {
    const char *argument = argv[optind - 1];
    if (result == ':')
        return xc_fail(error, XC_USAGE, "%s: option %s needs a value; see expconv %s --help", command->name, argument,
                       command->name);
    for (int i = 0; i < count && strncmp(argument, "--", 2) == 0; i++) {
        const size_t length = strlen(list[i].name);
        if (!list[i].value && strncmp(argument + 2, list[i].name, length) == 0 && argument[2 + length] == '=')
            return xc_fail(error, XC_USAGE, "%s: option --%s takes no value", command->name, list[i].name);
    }
    char letter[3] = {'-', (char)optopt, 0};
    return unknown_option(command, list, count, optopt > 0 && optopt < 128 ? letter : argument, error);
}

/* Fills `given`; an operand's place in argv is moved to the end by getopt_long. */
static xc_status read_options(const cli_command *command, int argc, char **argv, cli_arguments *arguments,
                              xc_error *error) {
    cli_option list[MOST_OPTIONS];
    struct option options[MOST_OPTIONS + 1] = {{NULL, 0, NULL, 0}};
    const int count = list_options(command, list);
    for (int i = 0; i < count; i++) {
        options[i].name = list[i].name;
        options[i].has_arg = list[i].value ? required_argument : no_argument;
    }
    opterr = 0;
    optind = 1;
    int index = 0, result;
    while ((result = getopt_long(argc, argv, ":h", options, &index)) != -1) {
        if (result == 'h') {
            arguments->help = true;
            continue;
        }
        if (result != 0) return refuse_option(command, list, count, argv, result, error);
        arguments->given[arguments->given_count++] = (cli_given){list[index].name, optarg};
        if (strcmp(list[index].name, "help") == 0) arguments->help = true;
    }
    return XC_OK;
}

static xc_status read_operand(const cli_command *command, int argc, char **argv, cli_arguments *arguments,
                              xc_error *error) {
    const int wanted = (command->operand ? 1 : 0) + (command->second ? 1 : 0);
    if (argc - optind > wanted)
        return xc_fail(error, XC_USAGE, "%s: unexpected argument %s; see expconv %s --help", command->name,
                       argv[optind + wanted], command->name);
    if (argc - optind < wanted)
        return xc_fail(error, XC_USAGE, "%s: %s is missing; see expconv %s --help", command->name,
                       argc > optind ? command->second : command->operand, command->name);
    arguments->operand = command->operand ? argv[optind] : NULL;
    arguments->second = command->second ? argv[optind + 1] : NULL;
    return XC_OK;
}

static xc_status read_common(cli_arguments *arguments, xc_error *error) {
    static const char *const devices[] = {"auto", "cpu", "cuda", "ref", NULL};
    uint64_t threads = 0;
    int device = 0;
    xc_status status = XC_OK;
    if (cli_value(arguments, "threads")) XC_TRY(cli_number(arguments, "threads", 1, 4096, &threads, error));
    XC_TRY(cli_choice(arguments, "device", devices, &device, error));
    arguments->threads = (int)threads;
    arguments->device = devices[device];
    for (int i = 0; i < arguments->given_count; i++)
        if (strcmp(arguments->given[i].name, "quiet") == 0) xc_log_set_quiet(true);
    if (cli_value(arguments, "log-json")) XC_TRY(xc_log_open_json(cli_value(arguments, "log-json"), error));
fail:
    return status;
}

xc_status cli_keep(const cli_arguments *arguments, const char *input, xc_error *error) {
    const char *out = cli_value(arguments, "out");
    if (!out || !input || !xc_path_same_file(out, input)) return XC_OK;
    return xc_fail(error, XC_USAGE, "--out %s: that file is read here; name another", out);
}

/* Nothing that the command line asks to read is written over. */
static xc_status keep_inputs(const cli_arguments *arguments, xc_error *error) {
    xc_status status = XC_OK;
    XC_TRY(cli_keep(arguments, arguments->operand, error));
    XC_TRY(cli_keep(arguments, arguments->second, error));
    for (int i = 0; i < arguments->given_count; i++) {
        const cli_given *given = &arguments->given[i];
        if (strcmp(given->name, "out") != 0) XC_TRY(cli_keep(arguments, given->value, error));
    }
fail:
    return status;
}

xc_status cli_parse(const cli_command *command, int argc, char **argv, cli_arguments *arguments, xc_error *error) {
    xc_status status = XC_OK;
    *arguments = (cli_arguments){0};
    XC_TRY(xc_allocate(&arguments->given, (size_t)argc, sizeof *arguments->given, "the command line", error));
    XC_TRY(read_options(command, argc, argv, arguments, error));
    if (arguments->help) return XC_OK;
    XC_TRY(read_operand(command, argc, argv, arguments, error));
    XC_TRY(keep_inputs(arguments, error));
    XC_TRY(read_common(arguments, error));
fail:
    return status;
}

void cli_arguments_free(cli_arguments *arguments) {
    free(arguments->given);
    *arguments = (cli_arguments){0};
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

const char *cli_value(const cli_arguments *arguments, const char *name) {
    for (int i = arguments->given_count - 1; i >= 0; i--)
        if (strcmp(arguments->given[i].name, name) == 0) return arguments->given[i].value;
    return NULL;
}

bool cli_has(const cli_arguments *arguments, const char *name) {
    for (int i = 0; i < arguments->given_count; i++)
        if (strcmp(arguments->given[i].name, name) == 0) return true;
    return false;
}

xc_status cli_required(const cli_arguments *arguments, const char *name, const char **value, xc_error *error) {
    *value = cli_value(arguments, name);
    if (*value && **value) return XC_OK;
    return xc_fail(error, XC_USAGE, "--%s is missing; add it, --help tells more", name);
}

xc_status cli_real(const cli_arguments *arguments, const char *name, double *number, xc_error *error) {
    const char *text = cli_value(arguments, name);
    char *end = NULL;
    if (!text) return XC_OK;
    const double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < 0)
        return xc_fail(error, XC_USAGE, "--%s %s: must be a number, at least 0", name, text);
    *number = value;
    return XC_OK;
}

xc_status cli_number(const cli_arguments *arguments, const char *name, uint64_t least, uint64_t most, uint64_t *number,
                     xc_error *error) {
    const char *text = cli_value(arguments, name);
    char *end = NULL;
    if (!text) return XC_OK;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    const bool digits = *text >= '0' && *text <= '9' && *end == 0 && errno == 0;
    if (!digits || value < least || value > most)
        return xc_fail(error, XC_USAGE, "--%s %s: must be a whole number from %llu to %llu", name, text,
                       (unsigned long long)least, (unsigned long long)most);
    *number = value;
    return XC_OK;
}

xc_status cli_choice(const cli_arguments *arguments, const char *name, const char *const *words, int *choice,
                     xc_error *error) {
    const char *text = cli_value(arguments, name);
    if (!text) return XC_OK;
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], text) != 0) continue;
        *choice = i;
        return XC_OK;
    }
    return xc_fail(error, XC_USAGE, "--%s %s: no such choice; did you mean %s?", name, text, xc_nearest(text, words));
}
