/* folder.c: a sweep's folder belongs to one config, and to one process at a time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../train/room.h"
#include "room.h"

xc_status xc_sweep_check_folder(const xc_config *config, const char *folder, xc_error *error) {
    /* Claiming a folder that has a config only compares, so a trial of no name stands for the sweep. */
    const xc_trial owner = {.folder = (char *)folder, .config = (xc_config *)config};
    char *path = xc_path_join(folder, "config.yaml");
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for the name of %s/config.yaml", folder);
    const bool claimed = xc_path_exists(path);
    free(path);
    return claimed ? xc_trial_claim_folder(&owner, error) : XC_OK;
}

static xc_status lock_file(const char *folder, const char *path, int *lock, xc_error *error) {
    *lock = open(path, O_RDONLY | O_CLOEXEC);
    if (*lock < 0) return xc_fail(error, XC_IO, "%s: cannot read: %s", path, strerror(errno));
    /* Some network file systems know no locks; a sweep there is the user's to watch. */
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return XC_OK;
    return xc_fail(error, XC_IO, "%s: another expconv is at work in this folder; wait for it or choose another --out",
                   folder);
}

/* Whether a name is one that xc_file_create gives to what it has not finished, "weights.h5.4711.tmp": the user's own
 * files may end in .tmp too. */
static bool is_leftover(const char *name) {
    static const char *const written[] = {"results.tsv",   "summary.tsv",      "manifest.tsv",
                                          XC_CONFIG_FILE,  XC_WEIGHTS_FILE,    XC_HISTORY_FILE,
                                          XC_METRICS_FILE, XC_CHECKPOINT_FILE, XC_DIVERGED_FILE};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        const size_t length = strlen(written[i]);
        if (strncmp(name, written[i], length) != 0 || name[length] != '.') continue;
        const size_t digits = strspn(name + length + 1, "0123456789");
        if (digits > 0 && strcmp(name + length + 1 + digits, ".tmp") == 0) return true;
    }
    return false;
}

/* A process that was killed while it wrote leaves temporary files. Under the lock they are nobody's. */
static void remove_leftovers(const char *folder) {
    DIR *listing = opendir(folder);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (is_leftover(entry->d_name)) (void)unlinkat(dirfd(listing), entry->d_name, 0);
    if (listing) closedir(listing);
}

xc_status xc_sweep_claim_folder(const xc_config *config, const xc_grid *grid, const char *folder, int *lock,
                                xc_error *error) {
    xc_status status = XC_OK;
    const xc_trial owner = {.folder = (char *)folder, .config = (xc_config *)config};
    char *path = xc_path_join(folder, "config.yaml");
    *lock = -1;
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for the name of %s/config.yaml", folder);
    XC_TRY(xc_trial_claim_folder(&owner, error));
    XC_TRY(lock_file(folder, path, lock, error));
    remove_leftovers(folder);
    for (size_t i = 0; i < grid->count; i++) remove_leftovers(grid->trial[i].folder);
fail:
    if (status != XC_OK) xc_sweep_leave_folder(lock);
    free(path);
    return status;
}

void xc_sweep_leave_folder(int *lock) {
    if (*lock >= 0) close(*lock);
    *lock = -1;
}
