/* file.c: files that are written whole or not at all, and the few path helpers the rooms share.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "expconv/base.h"

/* The file to replace: what a link stands for, so that the link stays one. NULL and errno when there is no memory. */
static char *target_of(const char *path) {
    char *real = realpath(path, NULL);
    return real || errno == ENOMEM ? real : strdup(path);
}

/* A rename would put a plain file in the place of a device or pipe. */
static bool is_special(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && !S_ISREG(about.st_mode);
}

xc_status xc_file_create(xc_file *file, const char *path, bool stream, xc_error *error) {
    *file = (xc_file){0};
    if (is_special(path)) return xc_fail(error, XC_IO, "%s: is not a plain file; name one to write", path);
    file->path = target_of(path);
    if (!file->path || asprintf(&file->temporary, "%s.%ld.tmp", file->path, (long)getpid()) < 0) {
        file->temporary = NULL;
        xc_file_discard(file);
        return xc_fail(error, XC_MEMORY, "out of memory for the name of %s", path);
    }
    if (!stream) return XC_OK;
    file->stream = fopen(file->temporary, "w");
    if (file->stream) return XC_OK;
    const xc_status status = xc_fail(error, XC_IO, "%s: cannot write: %s", path, strerror(errno));
    xc_file_discard(file);
    return status;
}

/* Syncs a file or folder by name; a rename is only safe against power loss when both have been. */
static int sync_path(const char *path, int flags) {
    const int descriptor = open(path, flags);
    if (descriptor < 0) return -1;
    const int result = fsync(descriptor);
    const int reason = errno;
    close(descriptor);
    errno = reason;
    return result;
}

static void sync_folder_of(const char *path) {
    char *folder = strdup(path);
    if (!folder) return;
    char *slash = strrchr(folder, '/');
    if (slash == folder) slash++;
    if (slash) *slash = 0;
    /* Some file systems refuse to sync a folder; the file itself is already safe. */
    (void)sync_path(slash ? folder : ".", O_RDONLY | O_DIRECTORY);
    free(folder);
}

xc_status xc_file_commit(xc_file *file, xc_error *error) {
    bool good = true;
    if (file->stream) {
        good = !ferror(file->stream) && fflush(file->stream) == 0;
        int reason = errno;
        if (fclose(file->stream) != 0 && good) {
            good = false;
            reason = errno;
        }
        file->stream = NULL;
        errno = reason;
    }
    good = good && sync_path(file->temporary, O_RDONLY) == 0 && rename(file->temporary, file->path) == 0;
    xc_status status = XC_OK;
    if (good)
        sync_folder_of(file->path);
    else
        status =
            xc_fail(error, XC_IO, "%s: cannot write: %s; the file is as it was before", file->path, strerror(errno));
    xc_file_discard(file);
    return status;
}

void xc_file_discard(xc_file *file) {
    if (file->stream) fclose(file->stream);
    if (file->temporary) unlink(file->temporary);
    free(file->temporary);
    free(file->path);
    *file = (xc_file){0};
}

/* Of "weights.h5.4711.tmp", as xc_file_create names it, what stands before ".4711.tmp"; false for any other name. */
static bool is_temporary(const char *name, char whole[256], long *process) {
    size_t length = strlen(name);
    if (length >= 256 || length < 5 || strcmp(name + length - 4, ".tmp") != 0) return false;
    length -= 4;
    const size_t number_end = length;
    while (length > 0 && name[length - 1] >= '0' && name[length - 1] <= '9') length--;
    if (length == number_end || length < 2 || name[length - 1] != '.') return false;
    *process = strtol(name + length, NULL, 10);
    snprintf(whole, 256, "%.*s", (int)(length - 1), name);
    return true;
}

void xc_remove_leftovers(const char *folder, bool (*ours)(const void *context, const char *name, long process),
                         const void *context) {
    char whole[256];
    long process;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (is_temporary(entry->d_name, whole, &process) && ours(context, whole, process))
            (void)unlinkat(dirfd(listing), entry->d_name, 0);
    if (listing) closedir(listing);
}

xc_status xc_file_read(const char *path, size_t limit, char **text, size_t *size, xc_error *error) {
    xc_status status = XC_OK;
    struct stat about;
    char *content = NULL;
    *text = NULL;
    FILE *stream = fopen(path, "rb");
    if (!stream || fstat(fileno(stream), &about) != 0) {
        status = xc_fail(error, XC_INPUT, "%s: cannot read: %s", path, strerror(errno));
        goto fail;
    }
    if (S_ISDIR(about.st_mode)) {
        status = xc_fail(error, XC_INPUT, "%s: is a folder, not a file", path);
        goto fail;
    }
    /* Read to the end rather than trust the size: pipes have none. */
    size_t used = 0, capacity = (size_t)about.st_size + 1;
    if (about.st_size > 0 && (size_t)about.st_size > limit) capacity = 1, used = limit + 1;
    while (used <= limit) {
        if (used + 1 >= capacity || !content) {
            capacity = capacity < 4096 ? 4096 : content ? 2 * capacity : capacity + 1;
            char *grown = realloc(content, capacity);
            if (!grown) {
                status = xc_fail(error, XC_MEMORY, "%s: out of memory", path);
                goto fail;
            }
            content = grown;
        }
        const size_t count = fread(content + used, 1, capacity - used - 1, stream);
        if (count == 0) break;
        used += count;
    }
    if (used > limit) {
        status = xc_fail(error, XC_INPUT, "%s: larger than %zu bytes; this is not the kind of file that is read here",
                         path, limit);
        goto fail;
    }
    if (ferror(stream)) {
        status = xc_fail(error, XC_IO, "%s: cannot read: %s", path, strerror(errno));
        goto fail;
    }
    content[used] = 0;
    if (size) *size = used;
    *text = content;
    fclose(stream);
    return XC_OK;
fail:
    free(content);
    if (stream) fclose(stream);
    return status;
}

xc_status xc_make_folder(const char *path, xc_error *error) {
    char *partial = strdup(path);
    if (!partial) return xc_fail(error, XC_MEMORY, "%s: out of memory", path);
    bool good = true;
    for (char *c = partial + 1; good; c++) {
        if (*c != '/' && *c != 0) continue;
        const char end = *c;
        *c = 0;
        good = mkdir(partial, 0777) == 0 || errno == EEXIST;
        *c = end;
        if (end == 0) break;
    }
    struct stat about;
    if (good && (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))) {
        errno = ENOTDIR;
        good = false;
    }
    free(partial);
    return good ? XC_OK : xc_fail(error, XC_IO, "%s: cannot make the folder: %s", path, strerror(errno));
}

bool xc_path_exists(const char *path) { return access(path, F_OK) == 0; }

bool xc_path_same_file(const char *path, const char *other) {
    struct stat one, two;
    if (stat(path, &one) != 0 || stat(other, &two) != 0) return false;
    return S_ISREG(one.st_mode) && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

char *xc_path_join(const char *folder, const char *name) {
    char *path;
    const size_t length = strlen(folder);
    const bool slash = length > 0 && folder[length - 1] == '/';
    return asprintf(&path, "%s%s%s", folder, slash ? "" : "/", name) < 0 ? NULL : path;
}
