/* read.c: a sweep's folder as it stands, for those who look at it: the grid of its config.yaml, and of each trial what
 * its own folder says. Nothing is locked, written or trained, and the data need not be there any more.
 */
#include <stdlib.h>
#include <string.h>

#include "../train/room.h"
#include "room.h"

/* A trial's folder has a config.yaml as well; only a sweep's has a manifest. */
static xc_status check_sweep(const char *folder, char **config_path, xc_error *error) {
    char *manifest = xc_path_join(folder, XC_MANIFEST_FILE);
    *config_path = xc_path_join(folder, XC_CONFIG_FILE);
    const bool complete = manifest && *config_path && xc_path_exists(manifest) && xc_path_exists(*config_path);
    const bool memory = manifest && *config_path;
    free(manifest);
    if (!memory) return xc_fail(error, XC_MEMORY, "out of memory for a path in %s", folder);
    if (complete) return XC_OK;
    return xc_fail(error, XC_INPUT, "%s: not the folder of a sweep, which holds %s and %s", folder, XC_CONFIG_FILE,
                   XC_MANIFEST_FILE);
}

xc_status xc_sweep_read(const char *folder, xc_grid *grid, xc_error *error) {
    xc_status status = XC_OK;
    xc_config *config = NULL;
    char *config_path = NULL;
    memset(grid, 0, sizeof *grid);
    XC_TRY(check_sweep(folder, &config_path, error));
    XC_TRY(xc_config_read(config_path, NULL, 0, &config, error));
    XC_TRY(xc_grid_build(config, folder, grid, error));
    XC_TRY(xc_sweep_read_manifest(grid, folder, error));
    for (size_t i = 0; i < grid->count; i++) {
        XC_TRY(xc_trial_read_results(&grid->trial[i], error));
        XC_TRY(xc_measure_read(grid, i, error));
    }
fail:
    xc_config_free(config);
    free(config_path);
    return status;
}
