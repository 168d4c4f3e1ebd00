/* options.c: what several commands do with their options: read a config, read a split for a network, run the network.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

xc_status cli_read_config(const cli_arguments *arguments, xc_config **config, xc_error *error) {
    const char **overrides = NULL;
    int count = 0;
    *config = NULL;
    xc_status status = xc_allocate(&overrides, (size_t)arguments->given_count, sizeof *overrides, "--set", error);
    if (status != XC_OK) return status;
    for (int i = 0; i < arguments->given_count; i++)
        if (strcmp(arguments->given[i].name, "set") == 0) overrides[count++] = arguments->given[i].value;
    status = xc_config_read(arguments->operand, overrides, count, config, error);
    free(overrides);
    return status;
}

static xc_status check_shape(const char *path, const xc_network *network, const xc_split *split, xc_error *error) {
    if (split->dna.length == (uint32_t)network->model.length) return XC_OK;
    return xc_fail(error, XC_INPUT, "%s: sequences of %u bases, but the network was trained on %d", path,
                   split->dna.length, network->model.length);
}

xc_status cli_read_split(const cli_arguments *arguments, const char *path, const xc_network *network, bool labels,
                         bool reverse_complement, xc_dataset *dataset, xc_split_name *which, xc_error *error) {
    static const char *const words[] = {"train", "valid", "test", NULL};
    xc_status status = XC_OK;
    int split = XC_TEST;
    const xc_data_config *data = &network->config->data;
    const char *const trained_x[] = {data->train_x, data->valid_x, data->test_x};
    const char *const trained_y[] = {data->train_y, data->valid_y, data->test_y};
    xc_data_names names = {0};
    memset(dataset, 0, sizeof *dataset);
    XC_TRY(cli_keep(arguments, path, error));
    XC_TRY(cli_choice(arguments, "split", words, &split, error));
    *which = (xc_split_name)split;
    names.x[split] = cli_value(arguments, "x") ? cli_value(arguments, "x") : trained_x[split];
    names.y[split] = cli_value(arguments, "y") ? cli_value(arguments, "y") : trained_y[split];
    if (!labels) names.y[split] = "";
    XC_TRY(xc_dataset_read(path, &names, 1u << split, reverse_complement, arguments->threads, dataset, error));
    XC_TRY(check_shape(path, network, &dataset->split[split], error));
fail:
    return status;
}

xc_status cli_logits(const cli_arguments *arguments, const xc_network *network, const xc_split *split, float **logits,
                     xc_error *error) {
    xc_status status = XC_OK;
    const xc_backend *backend = NULL;
    const int threads = arguments->threads > 0 ? arguments->threads : xc_core_count();
    const size_t count = xc_split_items(split) * (size_t)network->model.classes;
    *logits = NULL;
    XC_TRY(xc_backend_open(arguments->device, &backend, error));
    XC_TRY(xc_allocate(logits, count, sizeof **logits, "the network's outputs", error));
    XC_TRY(xc_network_logits(network, backend, split, threads, *logits, error));
fail:
    return status;
}
