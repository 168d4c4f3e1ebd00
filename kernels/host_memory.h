/* host_memory.h: the memory functions of a backend whose memory is the host's, which the reference and the CPU backend
 * both are. HOST_MEMORY fills in the table.
 */
#ifndef EXPCONV_HOST_MEMORY_H
#define EXPCONV_HOST_MEMORY_H

#include <stdlib.h>
#include <string.h>

#include "expconv/backend.h"

static void *host_allocate(const xc_backend *backend, size_t bytes) {
    (void)backend;
    const size_t whole = bytes < 64 ? 64 : (bytes + 63) / 64 * 64;
    if (whole < bytes) return NULL;
    void *memory = aligned_alloc(64, whole);
    if (memory) memset(memory, 0, whole);
    return memory;
}

static void host_release(const xc_backend *backend, void *memory) {
    (void)backend;
    free(memory);
}

static void host_copy(const xc_backend *backend, void *to, const void *from, size_t bytes) {
    (void)backend;
    if (bytes > 0) memcpy(to, from, bytes);
}

static void host_zero(const xc_backend *backend, void *memory, size_t bytes) {
    (void)backend;
    if (bytes > 0) memset(memory, 0, bytes);
}

#define HOST_MEMORY                                                                                                    \
    .host_memory = true, .allocate = host_allocate, .release = host_release, .upload = host_copy,                      \
    .download = host_copy, .copy = host_copy, .zero = host_zero

#endif
