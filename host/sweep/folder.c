/* folder.c: a sweep's folder belongs to one config, and to one process at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../motif/measure.h"
#include "../train/room.h"
#include "room.h"

xc_status xc_sweep_check_folder(const xc_config *config, const char *folder, xc_error *error) {
    /* A trial of no name stands for the sweep. */
    const xc_trial owner = {.folder = (char *)folder, .config = (xc_config *)config};
    return xc_trial_check_folder(&owner, error);
}

/* The folder itself is locked: every file in it may be replaced by another while the lock is held. */
static xc_status lock_folder(const char *folder, int *lock, xc_error *error) {
    *lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0) return xc_fail(error, XC_IO, "%s: cannot read: %s", folder, strerror(errno));
    /* Some network file systems know no locks; a sweep there is the user's to watch. */
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return XC_OK;
    return xc_fail(error, XC_IO, "%s: another expconv is at work in this folder; wait for it or choose another --out",
                   folder);
}

/* Whether a file is of those that are written here: the user's own may end in .tmp too. */
static bool is_written_here(const void *context, const char *name, long process) {
    static const char *const written[] = {"results.tsv",   "summary.tsv",      XC_MANIFEST_FILE,
                                          XC_CONFIG_FILE,  XC_WEIGHTS_FILE,    XC_HISTORY_FILE,
                                          XC_METRICS_FILE, XC_CHECKPOINT_FILE, XC_DIVERGED_FILE};
    (void)context, (void)process; /* under the lock a temporary file is nobody's */
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        if (strcmp(name, written[i]) == 0) return true;
    return strcmp(name, XC_ATTRIBUTION_FILE) == 0 || xc_filters_writes(name);
}

static void remove_leftovers(const char *folder) { xc_remove_leftovers(folder, is_written_here, NULL); }

/* Folders of trials that were begun take the measures of this run's config, and lose what another one measured. */
static xc_status claim_begun(const xc_grid *grid, xc_error *error) {
    xc_status status = XC_OK;
    for (size_t i = 0; i < grid->count; i++) {
        const xc_trial *trial = &grid->trial[i];
        remove_leftovers(trial->folder);
        if (xc_trial_has(trial, XC_CONFIG_FILE)) XC_TRY(xc_trial_claim_folder(trial, xc_measure_remove, error));
    }
fail:
    return status;
}

xc_status xc_sweep_claim_folder(const xc_config *config, const xc_grid *grid, const char *folder, int *lock,
                                xc_error *error) {
    xc_status status = XC_OK;
    const xc_trial owner = {.folder = (char *)folder, .config = (xc_config *)config};
    *lock = -1;
    XC_TRY(xc_make_folder(folder, error));
    XC_TRY(lock_folder(folder, lock, error));
    remove_leftovers(folder);
    /* The sweep's own config.yaml last: whoever reads the folder never finds measures of another config. */
    XC_TRY(claim_begun(grid, error));
    XC_TRY(xc_trial_claim_folder(&owner, xc_measure_remove, error));
fail:
    if (status != XC_OK) xc_sweep_leave_folder(lock);
    return status;
}

void xc_sweep_leave_folder(int *lock) {
    if (*lock >= 0) close(*lock);
    *lock = -1;
}
