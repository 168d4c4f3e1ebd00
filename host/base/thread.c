/* thread.c: time, cores, threads, and the flag that Ctrl-C sets.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "expconv/base.h"

double xc_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Whole cores of the control group's quota, rounded up; 0 when there is no limit. */
static int quota_cores(void) {
    long quota = 0, period = 0;
    FILE *stream = fopen("/sys/fs/cgroup/cpu.max", "r");
    if (!stream) return 0;
    const int fields = fscanf(stream, "%ld %ld", &quota, &period); /* "max 100000" leaves 0 fields */
    fclose(stream);
    return fields == 2 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

int xc_core_count(void) {
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    const int quota = quota_cores();
    if (quota > 0 && quota < cores) cores = quota;
    return cores > 0 ? cores : 1;
}

struct parallel_call {
    void (*work)(void *context, int thread);
    void *context;
    int thread;
    pthread_t handle;
    bool started;
};

static void *run_call(void *argument) {
    struct parallel_call *call = argument;
    call->work(call->context, call->thread);
    return NULL;
}

void xc_parallel(int threads, void (*work)(void *context, int thread), void *context) {
    struct parallel_call *calls = threads > 1 ? calloc((size_t)threads, sizeof *calls) : NULL;
    for (int i = 1; calls && i < threads; i++) {
        calls[i] = (struct parallel_call){work, context, i, 0, false};
        calls[i].started = pthread_create(&calls[i].handle, NULL, run_call, &calls[i]) == 0;
    }
    work(context, 0);
    /* A thread that could not be started has its share done here: slower, never wrong. */
    for (int i = 1; i < threads; i++)
        if (!calls || !calls[i].started) work(context, i);
    for (int i = 1; calls && i < threads; i++)
        if (calls[i].started) pthread_join(calls[i].handle, NULL);
    free(calls);
}

/* Atomic, as every thread reads it; without a lock, as a signal handler may write it. */
static atomic_bool interrupted;

static void on_signal(int number) {
    (void)number;
    atomic_store(&interrupted, true);
}

void xc_interrupt_install(void) {
    /* SA_RESETHAND: the second signal finds the default action and ends the process. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    atomic_store(&interrupted, false);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool xc_interrupted(void) { return atomic_load(&interrupted); }

xc_status xc_go_on(xc_error *error) { return xc_interrupted() ? xc_fail(error, XC_INTERRUPTED, "interrupted") : XC_OK; }
