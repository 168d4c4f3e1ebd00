/* test_emu.c: the emulated GPU (tests/emu) does what CUDA promises, in every order. What it catches: test_emu_faults.c.
 */
#include "emu_fixture.h"

static const emu_order ORDERS[] = {EMU_FORWARD, EMU_REVERSE, EMU_SHUFFLED};

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

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

static void test_memory_is_aligned(void **state) {
    (void)state;
    for (size_t bytes = 1; bytes < 20000; bytes = bytes * 3 + 1) {
        unsigned char *memory = device(bytes), *other = device(bytes);
        assert_int_equal((uintptr_t)memory % 256, 0);
        assert_int_equal((uintptr_t)other % 256, 0);
        GOOD(cudaMemset(memory, 1, bytes));
        device_end(memory, NULL, 0);
        device_end(other, NULL, 0);
    }
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_warp_operation),
                                       cmocka_unit_test(test_every_thread_runs_once),
                                       cmocka_unit_test(test_dynamic_shared_memory),
                                       cmocka_unit_test(test_memory_is_aligned),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_graphs)};
    return cmocka_run_group_tests_name("emu", tests, NULL, NULL);
}
