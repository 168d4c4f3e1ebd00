/* test_emu_faults.c: every fault of emu/faults.def is seen on the emulated GPU as is said there, and the same code
 * without it is right in every order of threads. Each fault runs in a process of its own, which is this program again,
 * with the number of the fault, the order and its seed: ThreadSanitizer looks at nothing in the child of a fork.
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu_fixture.h"

enum { BLOCKS = 5, VALUES = BLOCKS * 64, WRONG_RESULT = 3 };

static const struct {
    emu_order order;
    uint64_t seed;
} ORDERS[] = {{EMU_FORWARD, 1},  {EMU_REVERSE, 1},  {EMU_SHUFFLED, 1}, {EMU_SHUFFLED, 2}, {EMU_SHUFFLED, 3},
              {EMU_SHUFFLED, 4}, {EMU_SHUFFLED, 5}, {EMU_SHUFFLED, 6}, {EMU_SHUFFLED, 7}, {EMU_SHUFFLED, 8}};
enum { ALL_ORDERS = sizeof ORDERS / sizeof *ORDERS, FEW_ORDERS = 3 };

/* ---- the code that faults are planted in: each says whether the result is right --------------------------------- */

static float input(int i) { return (float)(i * i % 17 - 3); }

static float *inputs(void) {
    float in[VALUES];
    for (int i = 0; i < VALUES; i++) in[i] = input(i);
    return device_copy(in, sizeof in);
}

static float sum_of(int first, int count) {
    float sum = 0;
    for (int i = first; i < first + count; i++) sum += input(i);
    return sum;
}

static bool sums(test_fault fault) {
    float out[BLOCKS], *from = inputs(), *to = device(sizeof out);
    bool right = true;
    test_sums(fault, from, to, BLOCKS, NULL);
    device_end(to, out, sizeof out);
    device_end(from, NULL, 0);
    for (int b = 0; b < BLOCKS; b++) right &= out[b] == sum_of(b * 64, 64);
    return right;
}

/* out[i] of warps or exchange; wants in[i] = 7 i mod 13. */
static bool lanes(test_fault fault, bool neighbours) {
    int in[VALUES], out[VALUES];
    bool right = true;
    for (int i = 0; i < VALUES; i++) in[i] = i * 7 % 13;
    int *from = device_copy(in, sizeof in), *to = device(sizeof out);
    (neighbours ? test_exchange : test_warps)(fault, from, to, BLOCKS, NULL);
    device_end(to, out, sizeof out);
    device_end(from, NULL, 0);
    for (int i = 0; i < VALUES; i++) {
        int sum = 0;
        for (int lane = 0; lane < 32; lane++) sum += in[i / 32 * 32 + lane];
        right &= out[i] == (neighbours ? in[i ^ 1] : sum);
    }
    return right;
}

static bool warps(test_fault fault) { return lanes(fault, false); }
static bool exchange(test_fault fault) { return lanes(fault, true); }

static bool additions(test_fault fault) {
    float sum = 0.5f, *to = device_copy(&sum, sizeof sum);
    test_additions(fault, to, BLOCKS, NULL);
    device_end(to, &sum, sizeof sum);
    return sum == BLOCKS + 0.5f;
}

/* Twice, as the counter must be ready for the next launch. */
static bool last(test_fault fault) {
    unsigned none = 0;
    float *from = inputs(), *partial = device(BLOCKS * sizeof(float)), *to = device(sizeof(float)), sum = 0;
    unsigned *counter = device_copy(&none, sizeof none);
    for (int i = 0; i < 2; i++) test_last(fault, from, partial, counter, to, BLOCKS, NULL);
    device_end(to, &sum, sizeof sum);
    device_end(counter, &none, sizeof none);
    device_end(partial, NULL, 0);
    device_end(from, NULL, 0);
    return sum == sum_of(0, VALUES) && none == 0;
}

static bool deep(test_fault fault) {
    int out[2] = {fault == FULL_STACK ? -1 : 10, 7}, *to = device_copy(out, sizeof out);
    test_deep(to, NULL);
    device_end(to, out, sizeof out);
    return out[1] != 7;
}

/* Doubles values in one stream after another stream has filled them. */
static bool streams(test_fault fault) {
    int *pinned, *memory = device(256 * sizeof *memory);
    cudaStream_t fill, twice;
    cudaEvent_t filled;
    bool right = true;
    GOOD(cudaMallocHost((void **)&pinned, 256 * sizeof *pinned));
    for (int i = 0; i < 256; i++) pinned[i] = i;
    GOOD(cudaStreamCreate(&fill));
    GOOD(cudaStreamCreateWithFlags(&twice, cudaStreamNonBlocking));
    GOOD(cudaEventCreateWithFlags(&filled, cudaEventDisableTiming));
    GOOD(cudaMemcpyAsync(memory, pinned, 256 * sizeof *memory, cudaMemcpyHostToDevice, fill));
    GOOD(cudaEventRecord(filled, fill));
    if (fault != LOST_WAIT) GOOD(cudaStreamWaitEvent(twice, filled, 0));
    test_twice_and_one(memory, twice);
    test_twice_and_one(memory, twice);
    GOOD(cudaMemcpyAsync(pinned, memory, 256 * sizeof *memory, cudaMemcpyDeviceToHost, twice));
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

static bool touch(test_fault fault) {
    static int values[256]; /* so large that a kernel could do its work on it */
    memset(values, 0, sizeof values);
    int *memory = device_copy(values, sizeof values);
    if (fault == HOST_WRITES) *(volatile int *)&memory[3] = 1;
    if (fault == HOST_READS) values[0] = *(volatile int *)&memory[3];
    test_twice_and_one(fault == HOST_ARGUMENT ? values : memory, NULL);
    device_end(memory, values, sizeof values);
    return values[3] == 1;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* How a fault is seen: a process that ends with these words, a wrong result where there are none, or not. */
typedef struct seen {
    const char *says, *kernel;
    bool passes, same;
} seen;
#define STOPS(text) \
    { .says = text }
#define RACE(name) \
    { .says = "ThreadSanitizer: data race", .kernel = name }
#define WRONG \
    { 0 }
#define PASSES \
    { .passes = true }
#define SAME \
    { .same = true } /* as plainly */

static const struct fault {
    const char *name, *what;
    bool (*code)(test_fault fault);
    test_fault fault;
    seen plain, address, thread;
} FAULTS[] = {
#define FAULT(name, code, what, plain, address, thread) {#name, what, code, name, plain, address, thread},
#include "emu/faults.def"
};
enum { FAULTS_IN_ALL = FAULT_COUNT - 1 };

static const seen *seen_here(const struct fault *f) {
    const seen *here = &f->plain;
#if defined(__SANITIZE_ADDRESS__)
    here = &f->address;
#elif defined(__SANITIZE_THREAD__)
    here = &f->thread;
#endif
    return here->same ? &f->plain : here;
}

/* ---- a fault in a process of its own ----------------------------------------------------------------------------- */

static int run_child(char **argument) {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    emu_set_order((emu_order)atoi(argument[1]), strtoull(argument[2], NULL, 10));
    const struct fault *f = &FAULTS[atoi(argument[0])];
    return f->code(f->fault) ? 0 : WRONG_RESULT;
}

/* Its status, and what it wrote to stderr, up to `room` - 1 bytes. */
static int run_fault(int number, int order, char *text, size_t room) {
    int ends[2], status;
    char given[3][24], rest[512];
    size_t length = 0;
    snprintf(given[0], sizeof given[0], "%d", number);
    snprintf(given[1], sizeof given[1], "%d", (int)ORDERS[order].order);
    snprintf(given[2], sizeof given[2], "%d", (int)ORDERS[order].seed);
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "test_emu_faults", given[0], given[1], given[2], (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], text + length, room - 1 - length)) > 0;) length += (size_t)got;
    while (read(ends[0], rest, sizeof rest) > 0) continue;
    text[length] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Whether it was seen as wanted; fails where it ends in another way. */
static bool is_seen(const struct fault *f, int order, int status, const char *text) {
    const seen *wanted = seen_here(f);
    const bool ended = WIFEXITED(status), right = ended && WEXITSTATUS(status) == 0;
    if (right) return wanted->passes;
    if (ended && WEXITSTATUS(status) == WRONG_RESULT) return !wanted->passes && wanted->says == NULL;
    if (wanted->says == NULL || !strstr(text, wanted->says))
        fail_msg("%s, order %d: \"%s\" instead of \"%s\"", f->name, order, text,
                 wanted->says ? wanted->says : "a result");
    if (wanted->kernel && (!strstr(text, wanted->kernel) || !strstr(text, "test_kernels.cu:")))
        fail_msg("%s, order %d: \"%s\" without %s and its line", f->name, order, text, wanted->kernel);
    return true;
}

static void test_fault_is_seen(void **state) {
    static char text[32768];
    const struct fault *f = *state;
    const bool wrong = seen_here(f)->says == NULL && !seen_here(f)->passes;
    int times = 0;
    for (int o = 0; o < (wrong ? ALL_ORDERS : FEW_ORDERS) && !(wrong && times > 0); o++) {
        const int status = run_fault((int)(f - FAULTS), o, text, sizeof text);
        const bool is = is_seen(f, o, status, text);
        times += is;
        if (!is && !wrong) fail_msg("%s, order %d: status %x: %s", f->name, o, (unsigned)status, f->what);
    }
    if (times == 0) fail_msg("%s was let pass in every order: %s", f->name, f->what);
}

/* What a fault is planted in, without it. */
static void test_right_without(void **state) {
    const struct fault *f = *state;
    for (int o = 0; o < ALL_ORDERS; o++) {
        emu_set_order(ORDERS[o].order, ORDERS[o].seed);
        if (!f->code(RIGHT)) fail_msg("what %s is planted in is wrong in order %d", f->name, o);
    }
    emu_set_order(EMU_FORWARD, 1);
}

int main(int argc, char **argv) {
    static struct CMUnitTest tests[2 * FAULTS_IN_ALL];
    static char names[2 * FAULTS_IN_ALL][64];
    if (argc == 4) return run_child(argv + 1);
    for (int i = 0; i < 2 * FAULTS_IN_ALL; i++) {
        const struct fault *f = &FAULTS[i / 2];
        snprintf(names[i], sizeof names[i], "%s %s", i % 2 ? "right without" : "seen:", f->name);
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = i % 2 ? test_right_without : test_fault_is_seen, .initial_state = (void *)f};
    }
    return _cmocka_run_group_tests("emu_faults", tests, 2 * FAULTS_IN_ALL, NULL, NULL);
}
