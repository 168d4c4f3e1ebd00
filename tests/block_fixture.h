/* block_fixture.h: the backend of one instruction set, and the memory of one block's call, for tests that call the CPU
 * backend's ops by themselves. Not a library: each test program includes it once, after cmocka.
 */
#ifndef EXPCONV_BLOCK_FIXTURE_H
#define EXPCONV_BLOCK_FIXTURE_H

#include <stdlib.h>

#include "expconv/backend.h"

/* The backend of the set that *state names; skips the test where the processor has no such instructions. */
static inline const xc_backend *backend_of(void **state) {
    const xc_backend *backend;
    xc_error error;
    setenv("EXPCONV_ISA", *state, 1);
    const xc_status status = xc_backend_cpu(&backend, &error);
    unsetenv("EXPCONV_ISA");
    if (status != XC_OK) skip();
    return backend;
}

/* Gives a call of one trial (its block and batch are set) a team and memory; end_block takes them back. */
static inline void begin_block(const xc_backend *backend, xc_block_args *args, int threads) {
    xc_block_memory memory = {0};
    xc_error error;
    assert_int_equal(xc_team_create(threads, &args->team, &error), XC_OK);
    backend->block_memory(backend, args->block, args->batch, &memory);
    args->saved = backend->allocate(backend, memory.saved);
    args->saved_stride = memory.saved;
    args->scratch = backend->allocate(backend, memory.scratch + memory.trial_scratch);
    args->thread_scratch = backend->allocate(backend, memory.thread_scratch * (size_t)xc_team_threads(args->team));
    args->thread_scratch_stride = memory.thread_scratch;
    assert_true(args->saved && args->scratch && args->thread_scratch);
}

static inline void end_block(const xc_backend *backend, xc_block_args *args) {
    backend->release(backend, args->saved);
    backend->release(backend, args->scratch);
    backend->release(backend, args->thread_scratch);
    xc_team_free(args->team);
}

#endif
