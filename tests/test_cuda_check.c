/* test_cuda_check.c: that `make cuda-check` fails where it should, on planted kernels and one architecture, and that
 * its occupancy is that of the toolkit's cuda_occupancy.h.
 */
#include "e2e/cli.h"

#define ARCH "90"

/* `make cuda-check` on files of the folder, by the name that `run` starts. The TSV is FOLDER/check.tsv. */
static outcome check(const char *files, const char *more) {
    setenv("EXPCONV", "make --no-print-directory cuda-check", 1);
    outcome result = run("CUDA_ALL_ARCHS=" ARCH " CUDA_CHECK=%s/check CUDA_CHECK_FILES='%s' %s", folder, files, more);
    if (strstr(result.out, "bin/nvcc (make CUDA=")) {
        assert_int_not_equal(result.status, 0);
        print_message("%s", result.out);
        end(&result);
        skip();
    }
    return result;
}

static const char GOOD[] =
    "template <int N> __global__ void __launch_bounds__(128, 2) k_template(float *x) { x[threadIdx.x] *= N; }\n"
    "template __global__ void k_template<3>(float *);\n"
    "__global__ void __launch_bounds__(4 * 16) k_dynamic(float *x, int n) {\n"
    "    extern __shared__ float tile[];\n"
    "    __shared__ float fixed[256];\n"
    "    tile[n - threadIdx.x] = fixed[n] = x[threadIdx.x];\n"
    "    __syncthreads();\n"
    "    x[threadIdx.x] = tile[n] + fixed[n - threadIdx.x];\n"
    "}\n";

/* 64 threads are 2 warps, of which an SM has 64 in 32 blocks: a block may have 228 KB / 32, less 1024 + 1024 bytes. */
static void test_good(void **state) {
    (void)state;
    outcome result = check(write_text("good.cu", GOOD), "");
    assert_done(&result);
    assert_contains(result.out, "2 kernels, 1 architectures, 2 rows in");
    assert_contains(result.out, ", 0 wrong\n");
    char *table = read_text(in_folder("check.tsv"));
    assert_contains(table, "file\tkernel\tarch\tthreads\tregisters\tshared\t");
    assert_contains(table, "good\tk_template<3>\t" ARCH "\t128\t");
    assert_contains(table, "\t64\t64\twarps\t-\n");
    const char *row = strstr(table, "good\tk_dynamic\t" ARCH "\t64\t");
    int registers, parameters, barriers;
    assert_non_null(row);
    assert_int_equal(sscanf(row, "good k_dynamic 90 64 %d 1024 5248 %d %d 0 0 0 64 64 warps,blocks", &registers,
                            &parameters, &barriers),
                     3);
    assert_int_equal(parameters, 12);
    assert_int_equal(barriers, 1);
    free(table);
    end(&result);
}

/* A chain of values that must all be held at once. */
#define HOLDS                                                                                               \
    "(float *x) {\n    float v[96];\n#pragma unroll\n    for (int i = 0; i < 96; i++) v[i] = x[i * 1024 + " \
    "threadIdx.x];\n"                                                                                       \
    "#pragma unroll\n    for (int i = 0; i < 96; i++) x[i * 1024 + 95 - threadIdx.x] = v[i] * v[95 - i];\n}\n"

/* Faults that are in the files, all in one run: each is named, and nothing else is. */
static void test_faults(void **state) {
    (void)state;
    char files[1000];
    snprintf(files, sizeof files, "%s %s %s %s %s", write_text("good.cu", GOOD),
             write_text("spill.cu", "__global__ void __launch_bounds__(1024, 2) k_spill" HOLDS),
             write_text("stack.cu",
                        "__global__ void __launch_bounds__(32) k_stack(int *x, int n) {\n"
                        "    int v[40];\n    for (int i = 0; i < n; i++) v[x[i]] = i;\n"
                        "    x[n] = v[x[n]];\n}\n"),
             write_text("warning.cu", "__global__ void __launch_bounds__(32) k_warning(int *x) { int unused = 3; }\n"),
             write_text("bounds.cu", "__global__ void k_bounds(int *x) { x[threadIdx.x] = 1; }\n"));
    outcome result = check(files, "");
    assert_int_not_equal(result.status, 0);
    assert_contains(result.out, ", 4 wrong\n");
    assert_contains(result.out, "\n  spill.cu, k_spill: spills; has a stack frame (sm 90)\n");
    assert_contains(result.out, "\n  stack.cu, k_stack: has a stack frame (sm 90)\n");
    assert_contains(result.out, "\n  bounds.cu, k_bounds: has no __launch_bounds__ (sm 90)\n");
    assert_contains(result.out, "\n  warning.cu: does not compile: ");
    assert_contains(result.out, "variable \"unused\" was declared but never referenced (sm 90)\n");
    end(&result);
}

/* Good as it is, and not where more blocks leave it fewer registers; other flags compile anew. */
static void test_flags(void **state) {
    (void)state;
    const char *file = write_text("flags.cu",
                                  "#ifndef BLOCKS\n#define BLOCKS 1\n#endif\n"
                                  "__global__ void __launch_bounds__(256, BLOCKS) k_flags" HOLDS);
    outcome result = check(file, "");
    assert_done(&result);
    end(&result);
    result = check(file, "CUDA_CHECK_EXTRA=-DBLOCKS=8");
    assert_int_not_equal(result.status, 0);
    assert_contains(result.out, "flags.cu, k_flags: spills");
    end(&result);
    result = check(file, "");
    assert_done(&result);
    end(&result);
}

/* ---- occupancy --------------------------------------------------------------------------------------------------- */

#if defined(__has_include)
#if __has_include(<cuda_occupancy.h>)
#define HAS_OCCUPANCY
#include <cuda_occupancy.h>
#endif
#endif

#ifdef HAS_OCCUPANCY

#define CASES 300 /* of each architecture */

/* Warps and KB of shared memory of an SM, which the toolkit asks of the device. */
static const struct {
    int arch, warps, kilobytes;
} SM[] = {{75, 32, 64},  {80, 64, 164},  {86, 48, 100},  {87, 48, 164},  {88, 48, 100},  {89, 48, 100},
          {90, 64, 228}, {100, 64, 228}, {103, 64, 228}, {110, 48, 228}, {120, 48, 100}, {121, 48, 100}};

static int toolkit_blocks(int sm, int threads, int registers, int shared, int barriers) {
    const size_t reserved = SM[sm].arch < 80 ? 0 : 1024, all = (size_t)SM[sm].kilobytes * 1024;
    const cudaOccDeviceProp device = {.computeMajor = SM[sm].arch / 10,
                                      .computeMinor = SM[sm].arch % 10,
                                      .maxThreadsPerBlock = 1024,
                                      .maxThreadsPerMultiprocessor = 32 * SM[sm].warps,
                                      .regsPerBlock = 65536,
                                      .regsPerMultiprocessor = 65536,
                                      .warpSize = 32,
                                      .sharedMemPerBlock = 49152 + reserved,
                                      .sharedMemPerMultiprocessor = all,
                                      .numSms = 1,
                                      .sharedMemPerBlockOptin = all,
                                      .reservedSharedMemPerBlock = reserved};
    const cudaOccFuncAttributes function = {.maxThreadsPerBlock = 1024,
                                            .numRegs = registers,
                                            .sharedSizeBytes = (size_t)shared,
                                            .shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN,
                                            .numBlockBarriers = barriers};
    const cudaOccDeviceState nothing_set = {.carveoutConfig = SHAREDMEM_CARVEOUT_DEFAULT};
    cudaOccResult result = {0};
    assert_int_equal(cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &function, &nothing_set, threads, 0),
                     CUDA_OCC_SUCCESS);
    return result.activeBlocksPerMultiprocessor;
}

static uint32_t below(uint32_t *random, uint32_t bound) {
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) % bound;
}

static void test_occupancy(void **state) {
    (void)state;
    enum { SMS = sizeof SM / sizeof SM[0] };
    static int want[SMS * CASES];
    FILE *lines = fopen(in_folder("lines"), "w");
    uint32_t random = 1;
    for (int i = 0; i < SMS * CASES; i++) {
        const bool small = below(&random, 2); /* or the limit is seldom that of blocks or barriers */
        const int sm = i % SMS, threads = 1 + (int)below(&random, small ? 96 : 1024);
        const int registers = (int)below(&random, small ? 48 : 256), barriers = (int)below(&random, 5);
        const int shared = below(&random, 3) ? (int)below(&random, small ? 2048 : 49153) : 0;
        want[i] = toolkit_blocks(sm, threads, registers, shared, barriers);
        fprintf(lines, "%d %d %d %d %d\n", SM[sm].arch, threads, registers, shared, barriers);
    }
    assert_int_equal(fclose(lines), 0);
    setenv("EXPCONV", "tests/cuda_check.sh", 1);
    outcome result = run("occupancy <%s", in_folder("lines"));
    assert_done(&result);
    const char *line = result.out;
    for (int i = 0; i < SMS * CASES; i++, line = strchr(line, '\n') + 1)
        if (atoi(line) != want[i]) fail_msg("line %d: %d blocks, the toolkit says %d", i + 1, atoi(line), want[i]);
    end(&result);
}
#else
static void test_occupancy(void **state) {
    (void)state;
    print_message("built without the CUDA toolkit\n");
    skip();
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {IN_FOLDER(test_good), IN_FOLDER(test_faults), IN_FOLDER(test_flags),
                                       IN_FOLDER(test_occupancy)};
    return _cmocka_run_group_tests("cuda_check", tests, sizeof tests / sizeof *tests, NULL, NULL);
}
