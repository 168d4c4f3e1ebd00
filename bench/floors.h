/* floors.h: what one core of this machine can do at most, measured in the run that it is compared with: multiply-adds
 * (measure.h), the matrix product of a library, and copying memory. Included once by each bench that needs it.
 *
 * The matrix product is OpenBLAS', one thread, where that is installed (it is opened at run time), our dense op
 * otherwise.
 */
#ifndef EXPCONV_FLOORS_H
#define EXPCONV_FLOORS_H

#include <dlfcn.h>

#include "expconv/backend.h"
#include "measure.h"

typedef struct floors {
    double peak;          /* operations a second: a multiply-add is two */
    double sgemm;         /* likewise */
    const char *sgemm_by; /* whose */
    double copy;          /* bytes a second that memcpy reads and writes, in pieces that fit no cache */
} floors;

enum { FLOORS_SIDE = 768, FLOORS_TRIES = 8 };

typedef void floors_gemm(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *,
                         int);

/* OpenBLAS' C interface, or NULL. */
static inline floors_gemm *floors_openblas(void) {
    void *library = dlopen("libopenblas.so.0", RTLD_NOW);
    if (!library) return NULL;
    void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
    if (set_threads) set_threads(1);
    return (floors_gemm *)dlsym(library, "cblas_sgemm");
}

/* A product of two square matrices as a dense block of nothing else. */
static inline double floors_dense(const xc_backend *backend, float *memory) {
    const int32_t side = FLOORS_SIDE;
    const size_t square = (size_t)side * (size_t)side;
    const xc_activation linear = {XC_LINEAR, XC_BEYOND_HARD, 1, 30};
    const xc_block block = {.kind = XC_BLOCK_DENSE,
                            .length = 1,
                            .channels = side,
                            .width = 1,
                            .conv_length = 1,
                            .filters = side,
                            .pool = 1,
                            .out_length = 1,
                            .bias = XC_ABSENT,
                            .gamma = XC_ABSENT,
                            .beta = XC_ABSENT,
                            .running = XC_ABSENT};
    xc_block_memory needed;
    xc_error error;
    double best = 0;
    backend->block_memory(backend, &block, side, &needed);
    const uint64_t zero = 0;
    xc_block_args args = {.block = &block,
                          .trials = 1,
                          .batch = side,
                          .x = memory,
                          .parameters = memory + square,
                          .parameter_stride = square,
                          .activation = &linear,
                          .seed = &zero,
                          .step = &zero,
                          .y = memory + 2 * square,
                          .saved_stride = needed.saved};
    args.saved = backend->allocate(backend, needed.saved + 64);
    char *scratch = backend->allocate(backend, needed.scratch + needed.thread_scratch + 64);
    args.scratch = scratch;
    args.thread_scratch = scratch ? scratch + needed.scratch : NULL;
    args.thread_scratch_stride = needed.thread_scratch;
    for (int i = 0; i < FLOORS_TRIES && args.saved && args.scratch; i++) {
        const double start = xc_seconds();
        if (backend->dense_block_forward(backend, &args, &error) != XC_OK) break;
        const double rate = 2.0 * (double)square * side / (xc_seconds() - start);
        if (rate > best) best = rate;
    }
    backend->release(backend, args.saved);
    backend->release(backend, args.scratch);
    return best;
}

static inline double floors_copy(void) {
    const size_t bytes = (size_t)64 << 20;
    char *from = malloc(bytes), *to = malloc(bytes);
    double best = 0;
    for (int i = 0; from && to && i < FLOORS_TRIES; i++) {
        memset(from, i, bytes);
        const double start = xc_seconds();
        memcpy(to, from, bytes);
        const double rate = 2.0 * (double)bytes / (xc_seconds() - start);
        if (rate > best && to[bytes / 2] == i) best = rate;
    }
    free(from);
    free(to);
    return best;
}

static inline void measure_floors(const xc_backend *backend, floors *f) {
    const size_t square = (size_t)FLOORS_SIDE * FLOORS_SIDE;
    float *memory = backend->allocate(backend, 3 * square * sizeof *memory);
    floors_gemm *gemm = floors_openblas();
    *f = (floors){.peak = measure_peak(), .sgemm_by = gemm ? "openblas" : "expconv dense", .copy = floors_copy()};
    for (size_t i = 0; memory && i < 2 * square; i++) memory[i] = (float)(i % 7) - 3;
    if (memory && !gemm) f->sgemm = floors_dense(backend, memory);
    for (int i = 0; memory && gemm && i < FLOORS_TRIES; i++) {
        const int n = FLOORS_SIDE;
        const double start = xc_seconds();
        gemm(101, 111, 111, n, n, n, 1, memory, n, memory + square, n, 0, memory + 2 * square, n);
        const double rate = 2.0 * (double)square * n / (xc_seconds() - start);
        if (rate > f->sgemm) f->sgemm = rate;
    }
    backend->release(backend, memory);
}

/* Their JSON members, without braces. */
static inline const char *floors_text(const floors *f) {
    static char text[160];
    snprintf(text, sizeof text, "\"peak_gflops\":%.1f,\"sgemm_gflops\":%.1f,\"sgemm_by\":\"%s\",\"copy_gb_s\":%.1f",
             1e-9 * f->peak, 1e-9 * f->sgemm, f->sgemm_by, 1e-9 * f->copy);
    return text;
}

#endif
