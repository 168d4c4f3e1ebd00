/* plugin.c: finds and opens the CUDA backend: the file that $EXPCONV_CUDA names, or libexpconv_cuda.so beside the
 * program or in the folder build beside it, where make puts it. So the program itself needs neither a toolkit nor a
 * driver.
 */
#include "plugin.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "libexpconv_cuda.so"
#define LONGEST 4096

typedef xc_status backend_opener(uint32_t version, const xc_backend **backend, xc_error *error);

/* The folder that the program lies in, with its last slash; "" when that is not known. */
static void find_own_folder(char *folder, size_t size) {
    const ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    folder[length > 0 ? length : 0] = 0;
    char *slash = strrchr(folder, '/');
    if (slash) slash[1] = 0;
}

static xc_status find_file(char *path, size_t size, xc_error *error) {
    static const char *const places[] = {"", "build/"};
    char folder[LONGEST];
    const char *named = getenv("EXPCONV_CUDA");
    if (named && *named) {
        snprintf(path, size, "%s", named);
        if (xc_path_exists(path)) return XC_OK;
        return xc_fail(error, XC_DEVICE, "$EXPCONV_CUDA names %s, which is not there; give " FILE_NAME, named);
    }
    find_own_folder(folder, sizeof folder);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(path, size, "%s%s" FILE_NAME, folder, places[i]);
        if (xc_path_exists(path)) return XC_OK;
    }
    return xc_fail(error, XC_DEVICE,
                   "no " FILE_NAME
                   " beside the program; run make where the CUDA toolkit is, or name one in $EXPCONV_CUDA");
}

static xc_status open_file(const xc_backend **backend, xc_error *error) {
    xc_status status;
    char path[LONGEST + sizeof "build/" FILE_NAME];
    backend_opener *opener;
    XC_TRY(find_file(path, sizeof path, error));
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) return xc_fail(error, XC_DEVICE, "%s; build it again on this machine", dlerror());
    *(void **)&opener = dlsym(object, "xc_backend_cuda");
    if (!opener) {
        dlclose(object);
        return xc_fail(error, XC_DEVICE, "%s: not a backend; give the " FILE_NAME " of this program", path);
    }
    XC_TRY(opener(XC_BACKEND_VERSION, backend, error));
    if ((*backend)->version != XC_BACKEND_VERSION)
        return xc_fail(error, XC_DEVICE, "%s: version %u, but the program wants %u; build both again", path,
                       (*backend)->version, XC_BACKEND_VERSION);
    return XC_OK;
fail:
    return status;
}

xc_status xc_plugin_open_cuda(const xc_backend **backend, xc_error *error) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const xc_backend *opened;
    static xc_error failed;
    static bool tried;
    pthread_mutex_lock(&lock);
    if (!tried && open_file(&opened, &failed) != XC_OK) opened = NULL;
    tried = true;
    pthread_mutex_unlock(&lock);
    *backend = opened;
    return opened ? XC_OK : xc_fail(error, failed.status, "%s", failed.text);
}
