/* device_split.c: a split of a data set where the backend can read it: borrowed when host memory will do, copied once
 * where there is room, so that training and inference send nothing but indices, and otherwise left to pack_stream.c.
 */
#include <string.h>

#include "expconv/model.h"

/* Of the free memory, for a copy; what is left is for trials. */
#define SHARE 0.75

/* A copy of `bytes` at `from` in the backend's memory; stays NULL when there is nothing to copy. */
static xc_status copy_over(const xc_backend *backend, const void *from, size_t bytes, void **to, xc_error *error) {
    *to = NULL;
    if (from == NULL || bytes == 0) return XC_OK;
    *to = backend->allocate(backend, bytes);
    if (*to == NULL)
        return xc_fail(error, XC_MEMORY, "no memory on %s for the data set (%.0f MB); use fewer sequences or the CPU",
                       backend->name, (double)bytes / 1e6);
    backend->upload(backend, *to, from, bytes);
    return XC_OK;
}

size_t xc_device_split_bytes(const xc_backend *backend, const xc_split *split) {
    const xc_dna_view *dna = &split->dna;
    if (backend->host_memory || dna->sequences == 0) return 0;
    const size_t sequences = dna->sequences, starts = dna->run_start == NULL ? 0 : sequences + 1;
    const size_t words = starts + (starts > 0 ? dna->run_start[sequences] : 0);
    const size_t labels = split->labels == NULL ? 0 : sequences * (size_t)split->classes;
    return sequences * dna->row_bytes + words * sizeof(uint32_t) + labels * sizeof(float);
}

static xc_status copy_split(const xc_split *split, xc_device_split *device, xc_error *error) {
    xc_status status;
    const xc_backend *backend = device->backend;
    const xc_dna_view *dna = &split->dna;
    const size_t sequences = dna->sequences;
    const size_t runs = dna->run_start == NULL ? 0 : dna->run_start[sequences];
    const size_t labels = sequences * (size_t)split->classes;
    XC_TRY(copy_over(backend, dna->bases, sequences * dna->row_bytes, &device->owned[0], error));
    XC_TRY(copy_over(backend, dna->run_start, (sequences + 1) * sizeof(uint32_t), &device->owned[1], error));
    XC_TRY(copy_over(backend, dna->runs, runs * sizeof(uint32_t), &device->owned[2], error));
    XC_TRY(copy_over(backend, split->labels, labels * sizeof(float), &device->owned[3], error));
    device->dna.bases = device->owned[0];
    device->dna.run_start = device->owned[1];
    device->dna.runs = device->owned[2];
    device->labels = device->owned[3];
    return XC_OK;
fail:
    xc_device_split_close(device);
    return status;
}

/* ---- streamed ---------------------------------------------------------------------------------------------------- */

static xc_device_split view_of(const xc_backend *backend, const xc_split *split) {
    return (xc_device_split){.backend = backend, .dna = split->dna, .labels = split->labels, .classes = split->classes};
}

static xc_device_split streamed_view_of(const xc_backend *backend, const xc_split *split) {
    xc_device_split device = view_of(backend, split);
    const uint32_t *start = split->dna.run_start;
    device.streamed = true;
    for (size_t i = 0; start != NULL && i < split->dna.sequences; i++)
        if (start[i + 1] - start[i] > device.most_runs) device.most_runs = start[i + 1] - start[i];
    return device;
}

static void log_streamed(const xc_backend *backend, size_t bytes, size_t left) {
    const bool large = bytes >= 1000000000;
    const double unit = large ? 1e9 : 1e6;
    const char *name = large ? "GB" : "MB";
    xc_log(XC_LOG_INFO, "data: %.1f %s do not fit beside trials into the %.1f %s free on %s and are streamed",
           (double)bytes / unit, name, (double)left / unit, name, backend->name);
}

xc_status xc_device_split_open(const xc_backend *backend, const xc_split *split, xc_device_split *device,
                               xc_error *error) {
    xc_error none = {0};
    *device = view_of(backend, split);
    if (backend->host_memory) return XC_OK;
    if (backend->send == NULL) return copy_split(split, device, error);
    const size_t bytes = xc_device_split_bytes(backend, split), left = backend->free_memory(backend);
    if ((double)bytes <= SHARE * (double)left && copy_split(split, device, &none) == XC_OK) return XC_OK;
    log_streamed(backend, bytes, left);
    *device = streamed_view_of(backend, split);
    return XC_OK;
}

xc_status xc_device_split_stream(const xc_backend *backend, const xc_split *split, xc_device_split *device,
                                 xc_error *error) {
    if (backend->host_memory || backend->send == NULL) return xc_device_split_open(backend, split, device, error);
    *device = streamed_view_of(backend, split);
    return XC_OK;
}

void xc_device_split_close(xc_device_split *device) {
    for (int i = 0; i < 4; i++)
        if (device->owned[i] != NULL) device->backend->release(device->backend, device->owned[i]);
    memset(device, 0, sizeof *device);
}
