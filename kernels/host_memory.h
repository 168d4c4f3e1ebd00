/* host_memory.h: the memory functions of a backend whose memory is the host's, which the reference and the CPU backend
 * both are. HOST_MEMORY fills in the table.
 */
#ifndef EXPCONV_HOST_MEMORY_H
#define EXPCONV_HOST_MEMORY_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "expconv/backend.h"

/* A large page: a step walks through dozens of rows a page apart, more than a processor has translations for. */
#define HOST_LARGE_PAGE ((size_t)2 << 20)

static void *host_allocate(const xc_backend *backend, size_t bytes) {
    (void)backend;
    const size_t unit = bytes < HOST_LARGE_PAGE ? 64 : HOST_LARGE_PAGE;
    const size_t whole = bytes < 64 ? 64 : (bytes + unit - 1) / unit * unit;
    if (whole < bytes) return NULL;
    void *memory = aligned_alloc(unit, whole);
    if (!memory) return NULL;
#ifdef MADV_HUGEPAGE
    if (unit == HOST_LARGE_PAGE) madvise(memory, whole, MADV_HUGEPAGE); /* a wish: what it answers does not matter */
#endif
    return memset(memory, 0, whole);
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

static void host_take_batch(const xc_backend *backend, const uint32_t *order, size_t stride, uint32_t *cursor,
                            int32_t trials, int32_t batch, uint32_t *index) {
    (void)backend;
    const size_t count = (size_t)batch;
    for (size_t t = 0; t < (size_t)trials; t++)
        memcpy(index + t * count, order + t * stride + *cursor, count * sizeof *index);
    *cursor += (uint32_t)batch;
}

#define HOST_MEMORY                                                                               \
    .host_memory = true, .allocate = host_allocate, .release = host_release, .upload = host_copy, \
    .download = host_copy, .copy = host_copy, .zero = host_zero, .take_batch = host_take_batch

#endif
