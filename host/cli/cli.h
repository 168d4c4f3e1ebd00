/* cli.h: what the subcommands share: a command described by a table, from which both its parsing and its help are made.
 *
 * A command returns a status and main alone turns it into an exit status. Results go to stdout, all else to stderr.
 */
#ifndef EXPCONV_CLI_H
#define EXPCONV_CLI_H

#include "expconv/sweep.h"

#define CLI_VERSION XC_VERSION

/* ---- arguments.c ------------------------------------------------------------------------------------------------- */

typedef struct cli_option {
    const char *name;  /* "out", without the dashes; NULL ends a list */
    const char *value; /* what stands for the value in the help: "DIR"; NULL: a switch */
    const char *help;  /* with the default; "\n" begins another line */
} cli_option;

/* Which of the options that many commands have, beside --quiet, --log-json and --help, which all have. */
enum { CLI_THREADS = 1, CLI_DEVICE = 2 };

typedef struct cli_given {
    const char *name, *value;
} cli_given;

/* A command line that was understood. Points into argv; cli_arguments_free. */
typedef struct cli_arguments {
    const char *operand; /* the one operand of a command that has one, or the first of two */
    const char *second;  /* the other one */
    cli_given *given;    /* options in their order */
    int given_count;
    bool help;
    int threads; /* 0: all cores */
    const char *device;
} cli_arguments;

typedef struct cli_command {
    const char *name;
    const char *operand; /* "CONFIG.yaml"; NULL: none */
    const char *second;  /* a second operand; NULL: none */
    const char *summary; /* one line, of the list of commands */
    const char *usage;   /* what follows the name */
    const char *details; /* paragraphs, ending with a newline */
    const char *examples;
    const cli_option *options;
    unsigned common;
    xc_status (*run)(const cli_arguments *arguments, xc_error *error);
} cli_command;

/* Reads argv (argv[0] is the command's name). Unknown options name the nearest. Sets quiet and the JSON log. */
xc_status cli_parse(const cli_command *command, int argc, char **argv, cli_arguments *arguments, xc_error *error);
void cli_arguments_free(cli_arguments *arguments);

void cli_print_help(const cli_command *command, FILE *stream);

/* The last value given for an option, or NULL. */
const char *cli_value(const cli_arguments *arguments, const char *name);

/* Whether a switch, or any option, was given. */
bool cli_has(const cli_arguments *arguments, const char *name);

/* The last value given for an option; it must be there. */
xc_status cli_required(const cli_arguments *arguments, const char *name, const char **value, xc_error *error);

/* Refuses an --out that names the plain file `input` (NULL: none), which is read. The command line's own files are seen
 * to; this is for those that are found elsewhere. */
xc_status cli_keep(const cli_arguments *arguments, const char *input, xc_error *error);

/* A finite number, at least 0; *number is left alone when the option was not given. */
xc_status cli_real(const cli_arguments *arguments, const char *name, double *number, xc_error *error);

/* A whole number in least..most; *number is left alone when the option was not given. */
xc_status cli_number(const cli_arguments *arguments, const char *name, uint64_t least, uint64_t most, uint64_t *number,
                     xc_error *error);

/* The place of an option's value among `words` (NULL-terminated); *choice is left alone when it was not given. */
xc_status cli_choice(const cli_arguments *arguments, const char *name, const char *const *words, int *choice,
                     xc_error *error);

/* ---- table.c ----------------------------------------------------------------------------------------------------- */

/* Prints TSV text in columns for people: words to the left, numbers to the right. Changes the text. */
xc_status cli_print_columns(FILE *stream, char *tsv, xc_error *error);

/* ---- options.c --------------------------------------------------------------------------------------------------- */

/* The config that train and sweep read: the operand with all --set. */
xc_status cli_read_config(const cli_arguments *arguments, xc_config **config, xc_error *error);

/* Reads one split of --data for a network: the split of --split, which must have the network's length. The labels are
 * read when they are wanted. Nothing is asked of the file's other splits. */
xc_status cli_read_split(const cli_arguments *arguments, const char *path, const xc_network *network, bool labels,
                         bool reverse_complement, xc_dataset *dataset, xc_split_name *which, xc_error *error);

/* Opens --device and computes the logits (items,classes) of a split, to be freed. */
xc_status cli_logits(const cli_arguments *arguments, const xc_network *network, const xc_split *split, float **logits,
                     xc_error *error);

/* ---- the commands, one file each --------------------------------------------------------------------------------- */

extern const cli_command cli_simulate, cli_inspect, cli_train, cli_sweep, cli_evaluate, cli_predict, cli_filters,
    cli_tomtom, cli_attribute, cli_logos, cli_importance, cli_report, cli_devices;

#endif
