/* manifest.c: manifest.tsv, every trial of a sweep and its state.
 *
 * A trial's folder is the truth about it. The manifest gathers that for people, and keeps the one thing that no folder
 * holds, because it may differ between two runs of the same trial: how long it took.
 */
#include <stdlib.h>
#include <string.h>

#include "room.h"

static const char header[] = "trial\tstate\tepochs\tseconds\treason";

enum { FIELDS = 5, LARGEST_MANIFEST = 256 << 20 };

xc_status xc_sweep_write_manifest(const xc_grid *grid, const char *folder, xc_error *error) {
    xc_file file;
    char *path = xc_path_join(folder, XC_MANIFEST_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for the name of manifest.tsv");
    const xc_status status = xc_file_create(&file, path, true, error);
    free(path);
    if (status != XC_OK) return status;
    fprintf(file.stream, "%s\n", header);
    for (size_t i = 0; i < grid->count; i++) {
        const xc_trial *trial = &grid->trial[i];
        fprintf(file.stream, "%s\t%s\t%u\t%.1f\t", trial->name, xc_trial_status_word(trial->status), trial->epochs,
                trial->seconds);
        xc_sweep_write_field(file.stream, trial->reason);
        fputc('\n', file.stream);
    }
    return xc_file_commit(&file, error);
}

xc_status xc_sweep_read_manifest(xc_grid *grid, const char *folder, xc_error *error) {
    xc_status status = XC_OK;
    char *text = NULL, *path = xc_path_join(folder, XC_MANIFEST_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for the name of manifest.tsv");
    if (!xc_path_exists(path)) goto fail;
    XC_TRY(xc_file_read(path, LARGEST_MANIFEST, &text, NULL, error));

    char *rest = text, *line = strsep(&rest, "\n"), *field[FIELDS];
    const bool ours = strcmp(line, header) == 0;
    for (size_t i = 0; ours && i < grid->count && rest; i++) {
        xc_trial *trial = &grid->trial[i];
        line = strsep(&rest, "\n");
        /* The config is the same, so the rows stand in grid order; a row that does not was edited. */
        if (xc_cut_fields(line, field, FIELDS) != FIELDS || strcmp(field[0], trial->name) != 0) continue;
        trial->seconds = strtod(field[3], NULL);
    }
fail:
    free(text);
    free(path);
    return status;
}
