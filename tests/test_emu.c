/* test_emu.c: the emulated GPU (tests/emu) does what CUDA promises, and catches what CUDA does not: every fault of
 * test_kernels.h, and those of a host program. A fault that ends the process is run in a child.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "emu/emu.h"
#include "emu/test_kernels.h"

#define GOOD(call) assert_int_equal(call, cudaSuccess)

enum { BLOCKS = 5, VALUES = BLOCKS * 64 };
static const emu_order ORDERS[] = {EMU_FORWARD, EMU_REVERSE, EMU_SHUFFLED};

static void *device(size_t bytes) {
    void *memory;
    GOOD(cudaMalloc(&memory, bytes));
    return memory;
}

static void *device_copy(const void *values, size_t bytes) {
    void *memory = device(bytes);
    GOOD(cudaMemcpy(memory, values, bytes, cudaMemcpyHostToDevice));
    return memory;
}

static float input(int i) { return (float)(i * i % 17 - 3); }

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

/* Runs test_sums; whether all sums are right. */
static bool sums_are_right(test_fault fault) {
    float in[VALUES], out[BLOCKS];
    bool right = true;
    for (int i = 0; i < VALUES; i++) in[i] = input(i);
    float *from = device_copy(in, sizeof in), *to = device(sizeof out);
    test_sums(fault, from, to, BLOCKS, NULL);
    GOOD(cudaMemcpy(out, to, sizeof out, cudaMemcpyDeviceToHost));
    for (int b = 0; b < BLOCKS; b++) {
        float sum = 0;
        for (int i = 0; i < 64; i++) sum += input(b * 64 + i);
        right &= out[b] == sum;
    }
    GOOD(cudaFree(from));
    GOOD(cudaFree(to));
    return right;
}

static bool warps_are_right(test_fault fault) {
    int in[VALUES], out[VALUES];
    bool right = true;
    for (int i = 0; i < VALUES; i++) in[i] = i * 7 % 13;
    int *from = device_copy(in, sizeof in), *to = device(sizeof out);
    test_warps(fault, from, to, BLOCKS, NULL);
    GOOD(cudaMemcpy(out, to, sizeof out, cudaMemcpyDeviceToHost));
    for (int i = 0; i < VALUES; i++) {
        int sum = 0;
        for (int lane = 0; lane < 32; lane++) sum += in[i / 32 * 32 + lane];
        right &= out[i] == sum;
    }
    GOOD(cudaFree(from));
    GOOD(cudaFree(to));
    return right;
}

static void test_right_in_every_order(void **state) {
    (void)state;
    for (int o = 0; o < 3; o++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            emu_set_order(ORDERS[o], seed);
            assert_true(sums_are_right(RIGHT));
            assert_true(warps_are_right(RIGHT));
        }
    emu_set_order(EMU_FORWARD, 1);
}

static void test_every_warp_operation(void **state) {
    (void)state;
    unsigned out[32][16];
    unsigned *to = device(sizeof out);
    test_warp_operations(to, NULL);
    GOOD(cudaMemcpy(out, to, sizeof out, cudaMemcpyDeviceToHost));
    for (unsigned lane = 0; lane < 32; lane++) {
        const unsigned expected[16] = {30,
                                       (lane / 8 * 8 + 3) * 10,
                                       lane ? lane - 1 : 0,
                                       lane < 31 ? lane + 1 : 31,
                                       lane % 4 < 2 ? lane + 2 : lane,
                                       lane ^ 1,
                                       0x49249249u,
                                       1,
                                       0,
                                       496,
                                       31,
                                       7,
                                       lane < 8 ? 7 - lane : 99,
                                       3,
                                       20,
                                       0};
        for (int i = 0; i < 16; i++) assert_int_equal(out[lane][i], expected[i]);
    }
    GOOD(cudaFree(to));
}

static void test_every_thread_runs_once(void **state) {
    (void)state;
    for (int o = 0; o < 3; o++)
        for (int blocks = 1; blocks < 200; blocks += 23) {
            int counts[3] = {0};
            emu_set_order(ORDERS[o], (uint64_t)blocks);
            int *to = device_copy(counts, sizeof counts);
            test_counts(to, blocks, 88, NULL);
            GOOD(cudaMemcpy(counts, to, sizeof counts, cudaMemcpyDeviceToHost));
            assert_int_equal(counts[0], blocks * 88);
            assert_int_equal(counts[1], blocks > 1 ? 88 : 0);
            assert_int_equal(counts[2], blocks * 44);
            GOOD(cudaFree(to));
        }
    emu_set_order(EMU_FORWARD, 1);
}

static void test_dynamic_shared_memory(void **state) {
    (void)state;
    int *to = device(sizeof *to), out;
    test_dynamic(to, EMU_SHARED_PLAIN + 1, NULL);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidConfiguration); /* nobody has opted in */
    assert_int_equal(test_dynamic_opt_in(EMU_SHARED_MOST + 1), cudaErrorInvalidValue);
    GOOD(test_dynamic_opt_in(200000));
    for (int bytes = 1; bytes < 200000; bytes = bytes * 3 + 5) {
        test_dynamic(to, bytes, NULL);
        GOOD(cudaMemcpy(&out, to, sizeof out, cudaMemcpyDeviceToHost));
        assert_int_equal(out, (bytes - 1) % 251);
    }
    GOOD(cudaFree(to));
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

/* What a child that did `work` wrote to stderr; fails unless it was stopped. */
static void assert_stopped(void (*work)(int), int argument, const char *says) {
    int ends[2];
    char text[4096];
    size_t length = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* cmocka's handlers would go on */
        emu_explain_faults();
        work(argument);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0;) length += (size_t)got;
    text[length] = 0;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) fail_msg("fault %d was let pass", argument);
    if (!strstr(text, says)) fail_msg("fault %d: \"%s\" instead of \"%s\"", argument, text, says);
}

static void run_sums(int fault) { sums_are_right((test_fault)fault); }
static void run_warps(int fault) { warps_are_right((test_fault)fault); }

/* UBSan sees an index before the page beyond does, and knows its line. */
#if defined(__SANITIZE_ADDRESS__)
#define SAYS_BEYOND_SHARED "test_kernels.cu:9:37: runtime error: index 64 out of bounds"
#else
#define SAYS_BEYOND_SHARED "is no memory of its"
#endif

static void test_kernels_are_stopped(void **state) {
    (void)state;
    static const struct {
        void (*work)(int);
        test_fault fault;
        const char *says;
    } faults[] = {{run_sums, BEYOND_SHARED, SAYS_BEYOND_SHARED},
                  {run_sums, BEYOND_DEVICE, "reads or writes 1280 bytes from the start of an allocation of 1280"},
                  {run_sums, HALF_AT_BARRIER, "threads wait for others that have ended\n    32 wait at"},
                  {run_sums, OTHER_BARRIER, "threads wait at different barriers\n    32 wait at"},
                  {run_warps, INACTIVE_LANE, "__shfl_xor_sync with mask ffffffff"},
                  {run_warps, OUTSIDE_MASK, "by lane 5, which is not in its mask ffffffdf"},
                  {run_warps, SOURCE_OUTSIDE, "reads lane 16, which is not in the mask 0000ffff"},
                  {run_warps, ENDED_LANE, "which has ended"}};
    for (int o = 0; o < 3; o++)
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
            emu_set_order(ORDERS[o], i);
            assert_stopped(faults[i].work, (int)faults[i].fault, faults[i].says);
        }
    emu_set_order(EMU_FORWARD, 1);
}

/* What no device stops either gives another result in one of the orders, as nothing is zero by chance. */
static void test_what_goes_on_is_wrong(void **state) {
    (void)state;
    for (int o = 0; o < 3; o++) {
        emu_set_order(ORDERS[o], 1);
        assert_false(sums_are_right(NOT_WRITTEN));
    }
    bool right[3];
    for (int o = 0; o < 3; o++) {
        emu_set_order(ORDERS[o], 1);
        right[o] = sums_are_right(NO_BARRIER);
    }
    assert_false(right[0]);
    assert_false(right[2]);
    emu_set_order(EMU_FORWARD, 1);
}

static void run_deep(int argument) {
    (void)argument;
    const int out[2] = {-1, 0};
    test_deep(device_copy(out, sizeof out), NULL);
    cudaDeviceSynchronize();
}

static void touch_device(int argument) {
    volatile int *memory = device(4000);
    if (argument == 0) memory[3] = 1;
    if (argument == 1) exit(memory[3] == -1);
}

static void launch_on_host_memory(int argument) {
    (void)argument;
    static int values[256];
    test_twice_and_one(values, NULL);
}

static void test_host_is_stopped(void **state) {
    (void)state;
    assert_stopped(run_deep, 0, "a thread's stack is full");
    assert_stopped(touch_device, 0, "the host reads or writes device memory");
    assert_stopped(touch_device, 1, "the host reads or writes device memory");
    assert_stopped(launch_on_host_memory, 0, "points to host memory");
}

static void test_refusals(void **state) {
    (void)state;
    int host[256];
    int *memory = device(sizeof host), *other;
    const size_t bytes = sizeof host;
    assert_int_equal(cudaMemcpy(memory, host, bytes + 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    assert_int_equal(cudaMemcpy(host, host, bytes, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    assert_int_equal(cudaMemcpy(memory, host, bytes, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
    assert_int_equal(cudaMemset(host, 0, bytes), cudaErrorInvalidValue);
    assert_int_equal(cudaFree(memory + 1), cudaErrorInvalidValue);
    GOOD(cudaPeekAtLastError());
    test_counts(memory, 3, 2000, NULL);
    assert_int_equal(cudaPeekAtLastError(), cudaErrorInvalidConfiguration);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidConfiguration);
    GOOD(cudaGetLastError());
    test_dynamic(memory, 300 << 10, NULL);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidConfiguration);
    setenv("EMU_MEMORY", "100000", 1);
    size_t left, all;
    GOOD(cudaMemGetInfo(&left, &all));
    assert_int_equal(all, 100000);
    assert_int_equal(left, 100000 - bytes);
    assert_int_equal(cudaMalloc((void **)&other, left + 1), cudaErrorMemoryAllocation);
    GOOD(cudaMalloc((void **)&other, left));
    GOOD(cudaFree(other));
    unsetenv("EMU_MEMORY");
    GOOD(cudaFree(memory));
}

/* ---- streams ----------------------------------------------------------------------------------------------------- */

/* Doubles values in one stream after another stream has filled them; waits for it or not. Whether the result is right.
 */
static bool twice_after_fill(bool wait) {
    int *pinned, *memory = device(256 * sizeof *memory), out[256];
    cudaStream_t fill, twice;
    cudaEvent_t filled;
    bool right = true;
    GOOD(cudaMallocHost((void **)&pinned, sizeof out));
    for (int i = 0; i < 256; i++) pinned[i] = i;
    GOOD(cudaStreamCreate(&fill));
    GOOD(cudaStreamCreateWithFlags(&twice, cudaStreamNonBlocking));
    GOOD(cudaEventCreateWithFlags(&filled, cudaEventDisableTiming));
    GOOD(cudaMemcpyAsync(memory, pinned, sizeof out, cudaMemcpyHostToDevice, fill));
    GOOD(cudaEventRecord(filled, fill));
    if (wait) GOOD(cudaStreamWaitEvent(twice, filled, 0));
    test_twice_and_one(memory, twice);
    test_twice_and_one(memory, twice);
    GOOD(cudaMemcpyAsync(pinned, memory, sizeof out, cudaMemcpyDeviceToHost, twice));
    right &= pinned[1] == 1; /* nothing has come back yet */
    GOOD(cudaStreamSynchronize(twice));
    for (int i = 0; i < 256; i++) right &= pinned[i] == 4 * i + 3;
    GOOD(cudaEventSynchronize(filled));
    GOOD(cudaEventQuery(filled));
    GOOD(cudaEventDestroy(filled));
    GOOD(cudaStreamDestroy(fill));
    GOOD(cudaStreamDestroy(twice));
    GOOD(cudaFreeHost(pinned));
    GOOD(cudaFree(memory));
    return right;
}

static void test_lost_wait_is_seen(void **state) {
    (void)state;
    int wrong = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        emu_set_order(EMU_SHUFFLED, seed);
        assert_true(twice_after_fill(true));
        wrong += !twice_after_fill(false);
    }
    assert_true(wrong > 0);
    emu_set_order(EMU_FORWARD, 1);
    assert_true(twice_after_fill(true));
    emu_set_order(EMU_REVERSE, 1);
    assert_true(twice_after_fill(true));
    emu_set_order(EMU_FORWARD, 1);
}

/* Two streams in one graph: values are filled in one, doubled in the other, doubled in the first and brought back. */
static cudaGraph_t capture(cudaStream_t one, cudaStream_t two, int *memory, int *pinned, bool join) {
    cudaEvent_t there, back;
    cudaGraph_t graph = NULL;
    GOOD(cudaEventCreate(&there));
    GOOD(cudaEventCreate(&back));
    GOOD(cudaStreamBeginCapture(one, cudaStreamCaptureModeThreadLocal));
    GOOD(cudaMemcpyAsync(memory, pinned, 256 * sizeof *memory, cudaMemcpyHostToDevice, one));
    GOOD(cudaEventRecord(there, one));
    GOOD(cudaStreamWaitEvent(two, there, 0));
    test_twice_and_one(memory, two);
    GOOD(cudaEventRecord(back, two));
    if (join) GOOD(cudaStreamWaitEvent(one, back, 0));
    test_twice_and_one(memory, one);
    GOOD(cudaMemcpyAsync(pinned, memory, 256 * sizeof *memory, cudaMemcpyDeviceToHost, one));
    assert_int_equal(cudaStreamSynchronize(one), cudaErrorStreamCaptureUnsupported);
    assert_int_equal(cudaStreamEndCapture(one, &graph), join ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
    GOOD(cudaEventDestroy(there));
    GOOD(cudaEventDestroy(back));
    return graph;
}

static void test_graphs(void **state) {
    (void)state;
    int *pinned, *memory = device(256 * sizeof *memory);
    cudaStream_t one, two;
    GOOD(cudaMallocHost((void **)&pinned, 256 * sizeof *pinned));
    GOOD(cudaStreamCreate(&one));
    GOOD(cudaStreamCreate(&two));
    for (uint64_t seed = 1; seed <= 10; seed++) {
        size_t nodes;
        cudaGraphExec_t made;
        emu_set_order(ORDERS[seed % 3], seed);
        for (int i = 0; i < 256; i++) pinned[i] = i;
        cudaGraph_t graph = capture(one, two, memory, pinned, true);
        GOOD(cudaStreamSynchronize(two));
        assert_int_equal(pinned[7], 7); /* a capture does nothing */
        GOOD(cudaGraphGetNodes(graph, NULL, &nodes));
        assert_int_equal(nodes, 4);
        GOOD(cudaGraphInstantiate(&made, graph, 0));
        GOOD(cudaGraphDestroy(graph));
        for (int launch = 0; launch < 3; launch++) GOOD(cudaGraphLaunch(made, one));
        GOOD(cudaGraphExecDestroy(made)); /* launches that wait still have theirs */
        GOOD(cudaStreamSynchronize(one));
        for (int i = 0; i < 256; i++) assert_int_equal(pinned[i], 64 * i + 63);
        assert_null(capture(one, two, memory, pinned, false));
    }
    emu_set_order(EMU_FORWARD, 1);
    GOOD(cudaStreamDestroy(one));
    GOOD(cudaStreamDestroy(two));
    GOOD(cudaFreeHost(pinned));
    GOOD(cudaFree(memory));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_in_every_order),   cmocka_unit_test(test_every_warp_operation),
        cmocka_unit_test(test_every_thread_runs_once), cmocka_unit_test(test_dynamic_shared_memory),
        cmocka_unit_test(test_kernels_are_stopped),    cmocka_unit_test(test_what_goes_on_is_wrong),
        cmocka_unit_test(test_host_is_stopped),        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_lost_wait_is_seen),      cmocka_unit_test(test_graphs)};
    return cmocka_run_group_tests_name("emu", tests, NULL, NULL);
}
