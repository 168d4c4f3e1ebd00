/* registry.c: finds, checks and opens a backend by the name that --device gives. The CPU backend and the reference are
 * linked in; the one for NVIDIA GPUs is opened at run time (plugin.c).
 */
#include <string.h>

#include "expconv/backend.h"
#include "plugin.h"

/* A GPU must be asked for by name as long as the CUDA backend has only run on an emulated one. */
static void log_choice(const xc_backend *cpu) {
    const xc_backend *gpu;
    xc_error missing = {0};
    if (xc_plugin_open_cuda(&gpu, &missing) == XC_OK)
        xc_log(XC_LOG_INFO, "device: the CPU (%s); --device cuda takes the GPU (%s), on which its kernels are untried",
               cpu->description, gpu->description);
    else
        xc_log(XC_LOG_INFO, "device: the CPU (%s); CUDA: %s", cpu->description, missing.text);
}

xc_status xc_backend_open(const char *device, const xc_backend **backend, xc_error *error) {
    static const char *const names[] = {"auto", "cpu", "cuda", "ref", NULL};
    xc_error missing = {0};
    *backend = NULL;
    if (strcmp(device, "ref") == 0) {
        *backend = xc_backend_reference();
        return XC_OK;
    }
    const bool any = strcmp(device, "auto") == 0, cuda = strcmp(device, "cuda") == 0;
    if (!any && !cuda && strcmp(device, "cpu") != 0)
        return xc_fail(error, XC_USAGE, "--device %s: unknown device; did you mean %s? (auto, cpu, cuda)", device,
                       xc_nearest(device, names));
    if (cuda) {
        if (xc_plugin_open_cuda(backend, &missing) == XC_OK) return XC_OK;
        return xc_fail(error, XC_DEVICE, "--device cuda: %s", missing.text);
    }
    const xc_status status = xc_backend_cpu(backend, error);
    if (status == XC_OK && any) log_choice(*backend);
    return status;
}

void xc_backend_list(FILE *stream) {
    const xc_backend *cpu, *cuda;
    xc_error error = {0};
    if (xc_backend_cpu(&cpu, &error) == XC_OK)
        fprintf(stream, "cpu\tusable\t%d cores; %s\n", xc_core_count(), cpu->description);
    else
        fprintf(stream, "cpu\tnot usable\t%s\n", error.text);
    if (xc_plugin_open_cuda(&cuda, &error) == XC_OK)
        fprintf(stream, "cuda\tusable\t%s\n", cuda->description);
    else
        fprintf(stream, "cuda\tnot usable\t%s\n", error.text);
    fprintf(stream, "ref\tusable\t%s\n", xc_backend_reference()->description);
}
