/* team.c: threads that run one function together many thousand times a second. A run and a barrier are a few atomic
 * operations each; who waits spins first, as the others are microseconds away, and then sleeps in the kernel, so that
 * an idle team costs nothing.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "expconv/base.h"

/* Looks before it sleeps: some 50 microseconds. */
#define TEAM_SPINS 2000

/* A number that waiters wait to change. */
typedef struct team_gate {
    atomic_uint number;
    atomic_int sleeping;
} team_gate;

struct xc_team {
    int threads; /* the caller's included */
    xc_team_work *work;
    void *context;
    atomic_bool stop;
    _Alignas(64) team_gate start; /* the number of runs begun */
    _Alignas(64) team_gate meet;  /* the number of barriers passed */
    _Alignas(64) atomic_int arrived;
    pthread_t *handles; /* (threads - 1) */
    struct team_member *members;
};

typedef struct team_member {
    xc_team *team;
    int thread;
} team_member;

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Returns when the gate's number is another than `value`. */
static void gate_wait(team_gate *gate, unsigned value) {
    for (int i = 0; i < TEAM_SPINS; i++, relax())
        if (atomic_load_explicit(&gate->number, memory_order_acquire) != value) return;
    atomic_fetch_add(&gate->sleeping, 1);
    while (atomic_load(&gate->number) == value)
        syscall(SYS_futex, &gate->number, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    atomic_fetch_sub(&gate->sleeping, 1);
}

/* A waiter that is about to sleep has either counted itself, or will find the new number: both sides are in one order.
 */
static void gate_advance(team_gate *gate) {
    atomic_fetch_add(&gate->number, 1);
    if (atomic_load(&gate->sleeping) > 0)
        syscall(SYS_futex, &gate->number, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
}

void xc_team_barrier(xc_team *team) {
    if (!team) return;
    const unsigned passed = atomic_load(&team->meet.number);
    if (atomic_fetch_add(&team->arrived, 1) + 1 < team->threads) {
        gate_wait(&team->meet, passed);
    } else {
        atomic_store(&team->arrived, 0);
        gate_advance(&team->meet);
    }
}

static void *run_member(void *argument) {
    const team_member *member = argument;
    xc_team *team = member->team;
    for (unsigned runs = 0;; runs++) {
        gate_wait(&team->start, runs);
        if (atomic_load(&team->stop)) return NULL;
        team->work(team->context, member->thread, team->threads);
        xc_team_barrier(team);
    }
}

void xc_team_run(xc_team *team, xc_team_work *work, void *context) {
    if (!team) {
        work(context, 0, 1);
        return;
    }
    team->work = work;
    team->context = context;
    gate_advance(&team->start);
    work(context, 0, team->threads);
    xc_team_barrier(team);
}

int xc_team_threads(const xc_team *team) { return team ? team->threads : 1; }

xc_status xc_team_create(int threads, xc_team **out, xc_error *error) {
    xc_status status = XC_OK;
    xc_team *team = NULL;
    *out = NULL;
    if (threads < 2) return XC_OK;
    const size_t others = (size_t)threads - 1;
    XC_TRY(xc_allocate(&team, 1, sizeof *team, "a team of threads", error));
    XC_TRY(xc_allocate(&team->handles, others, sizeof *team->handles, "a team of threads", error));
    XC_TRY(xc_allocate(&team->members, others, sizeof *team->members, "a team of threads", error));
    team->threads = 1;
    /* Nobody reads the count before the first run, which is after this loop. */
    for (size_t i = 0; i < others; i++, team->threads++) {
        team->members[i] = (team_member){team, team->threads};
        if (pthread_create(&team->handles[i], NULL, run_member, &team->members[i]) != 0) break;
    }
    if (team->threads > 1) {
        *out = team;
        return XC_OK;
    }
fail:
    xc_team_free(team);
    return status;
}

void xc_team_free(xc_team *team) {
    if (!team) return;
    if (team->threads > 1) {
        atomic_store(&team->stop, true);
        gate_advance(&team->start);
    }
    for (int i = 1; i < team->threads; i++) pthread_join(team->handles[i - 1], NULL);
    free(team->handles);
    free(team->members);
    free(team);
}
