/* emu_fixture.h: what the tests of the emulated GPU share: its memory, from the host.
 */
#ifndef EXPCONV_EMU_FIXTURE_H
#define EXPCONV_EMU_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emu/emu.h"
#include "emu/test_kernels.h"

#define GOOD(call) assert_int_equal(call, cudaSuccess)

static inline void *device(size_t bytes) {
    void *memory;
    GOOD(cudaMalloc(&memory, bytes));
    return memory;
}

static inline void *device_copy(const void *values, size_t bytes) {
    void *memory = device(bytes);
    GOOD(cudaMemcpy(memory, values, bytes, cudaMemcpyHostToDevice));
    return memory;
}

/* Brings `bytes` back and releases them. */
static inline void device_end(void *memory, void *values, size_t bytes) {
    if (values) GOOD(cudaMemcpy(values, memory, bytes, cudaMemcpyDeviceToHost));
    GOOD(cudaFree(memory));
}

#endif
