/* folder_fixture.h: a fresh folder for a test or a group, and its removal with all that is in it. Included after
 * cmocka.h by each test program that writes files.
 */
#ifndef EXPCONV_FOLDER_FIXTURE_H
#define EXPCONV_FOLDER_FIXTURE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static char folder[64];

/* Set-up and tear-down of cmocka; `state` is not used. */
static inline int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/expconv-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* How many files are in it, but for hidden ones. */
static inline int count_files(void) {
    int count = 0;
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream));) count += entry->d_name[0] != '.';
    closedir(stream);
    return count;
}

#endif
