/* test_step_quiet.c: a training step asks the system for nothing once the first few are done: no memory, no lock, no
 * page. The allocator and pthread_mutex_lock are counted on their way through this program; page faults by the kernel.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "model_fixture.h"

#define BATCH 100
#define SEQUENCES 300
#define CLASSES 12
#define WARM 3
#define STEPS 5
#define GROUPS 6

/* ---- what is counted --------------------------------------------------------------------------------------------- */

static atomic_long allocations, mappings, locks;

#ifdef __GLIBC__
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    atomic_fetch_add(&allocations, 1);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **memory, size_t alignment, size_t size) {
    *memory = memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
    atomic_fetch_add(&mappings, 1);
    return (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    static int (*next)(pthread_mutex_t * mutex);
    atomic_fetch_add(&locks, 1);
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    return next(mutex);
}
#define COUNTED true
#else
#define COUNTED false
#endif

typedef struct counts {
    long allocations, mappings, locks, faults;
} counts;

static counts count_now(void) {
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (counts){atomic_load(&allocations), atomic_load(&mappings), atomic_load(&locks),
                    usage.ru_minflt + usage.ru_majflt};
}

static counts since(const counts *before) {
    const counts now = count_now();
    return (counts){now.allocations - before->allocations, now.mappings - before->mappings, now.locks - before->locks,
                    now.faults - before->faults};
}

/* The counters count. */
static void counting_works(void **state) {
    (void)state;
    if (!COUNTED) skip();
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    const counts before = count_now();
    char *volatile memory = malloc(1 << 22);
    for (size_t i = 0; i < 1 << 22; i += 1 << 12) memory[i] = 1;
    free(memory);
    memory = aligned_alloc(64, 640);
    free(memory);
    void *page = mmap(NULL, 1 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    munmap(page, 1 << 12);
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    const counts found = since(&before);
    assert_true(found.allocations >= 2 && found.mappings >= 1 && found.locks >= 1 && found.faults >= 1);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void step(xc_pack *pack, const xc_device_split *device, uint32_t number) {
    static const xc_optimizer adam = {.kind = XC_ADAM, .beta1 = .9f, .beta2 = .999f, .epsilon = 1e-7f};
    const float rate = .001f;
    uint32_t index[BATCH];
    double loss;
    for (uint32_t i = 0; i < BATCH; i++) index[i] = (i * 7 + number * 11) % SEQUENCES;
    MUST(xc_pack_forward(pack, device, index, BATCH, true, error));
    MUST(xc_pack_loss(pack, XC_LOSS_BINARY, NULL, &loss, error));
    MUST(xc_pack_backward(pack, error));
    MUST(xc_pack_step(pack, &adam, &rate, error));
}

static void build(const char *zoo, xc_model *model) {
    char override[64];
    const char *const overrides[] = {override};
    xc_config *config;
    snprintf(override, sizeof override, "model.zoo=%s", zoo);
    MUST(xc_config_read("configs/demo.yaml", overrides, 1, &config, error));
    MUST(xc_model_build(&config->model, (int32_t)config->model.length, CLASSES, model, error));
    xc_config_free(config);
}

static void check_steps(const char *zoo, int threads) {
    static const xc_activation activation = {
        .kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_LINEAR, .scale = 1, .clip = 30};
    static xc_model model;
    const xc_backend *backend;
    xc_pack *pack;
    xc_team *team;
    xc_device_split device;
    MUST(xc_backend_cpu(&backend, error));
    build(zoo, &model);
    xc_split split = random_split(SEQUENCES, (uint32_t)model.length, CLASSES, 3);
    MUST(xc_device_split_open(backend, &split, &device, error));
    MUST(xc_team_create(threads, &team, error));
    MUST(xc_pack_create(backend, &model, 1, BATCH, XC_FOR_TRAINING, &pack, error));
    MUST(xc_pack_set_team(pack, team, error));
    xc_trial_state state = new_state(&model);
    xc_model_initialise(&model, 1, state.parameters, state.running);
    xc_pack_set(pack, 0, &state, &activation, 1);
    uint32_t number = 0;
    while (number < WARM) step(pack, &device, number++);
    /* The kernel moves pages of its own accord now and then, but not in every group of steps. */
    long fewest = -1;
    for (int group = 0; group < GROUPS && fewest != 0; group++) {
        const counts before = count_now();
        for (int i = 0; i < STEPS; i++) step(pack, &device, number++);
        const counts found = since(&before);
        if (found.allocations + found.mappings + found.locks > 0)
            fail_msg("%s, %d threads: %ld allocations, %ld mappings, %ld locks in %d steps", zoo, threads,
                     found.allocations, found.mappings, found.locks, STEPS);
        if (fewest < 0 || found.faults < fewest) fewest = found.faults;
    }
    if (fewest > 0) fail_msg("%s, %d threads: %ld page faults in %d steps", zoo, threads, fewest, STEPS);
    free_state(&state);
    xc_pack_free(pack);
    xc_team_free(team);
    xc_device_split_close(&device);
    xc_split_free(&split);
}

static void cnn_deep_alone(void **state) {
    (void)state;
    check_steps("cnn-deep", 1);
}

static void cnn_deep_by_two_threads(void **state) {
    (void)state;
    check_steps("cnn-deep", 2);
}

static void residualbind_by_three_threads(void **state) {
    (void)state;
    check_steps("residualbind", 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting_works),
        cmocka_unit_test(cnn_deep_alone),
        cmocka_unit_test(cnn_deep_by_two_threads),
        cmocka_unit_test(residualbind_by_three_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
