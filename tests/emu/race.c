/* race.c: see race.h. ThreadSanitizer keeps a clock for each thread and for each token: a thread that releases a token
 * adds its clock to the token's, one that acquires it takes over the token's. Two accesses race when neither's clock
 * is in the other's.
 *
 * Weak order, so that a missing __threadfence is seen: a fence releases a token of the thread, no more. An atomic
 * operation on an address hands what its thread has fenced, and not what came after, to a clock of that address, and
 * takes over that clock. This is how C++ orders by fences, but that the one who reads needs no fence of his own.
 */
#include "race.h"

#include "emu.h"

#ifndef EMU_RACES

void emu_fence(void) {}
void emu_begin_atomic(const void *at) { (void)at; }
void emu_end_atomic(const void *at) { (void)at; }

#else

#include <sanitizer/tsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define VISIBLE __attribute__((visibility("default"))) /* to ThreadSanitizer, a shared library */

/* The first finding ends the process: what comes after it may be its consequence. */
VISIBLE const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "halt_on_error=1:exitcode=66:history_size=2"; }

/* Called with each finding. */
VISIBLE void __tsan_on_report(void *report);
void __tsan_on_report(void *report) {
    char text[300];
    (void)report;
    if (emu_kernel_name() == NULL) return;
    const int length = snprintf(text, sizeof text,
                                "emulated GPU: kernel %s, block (%u,%u,%u), thread (%u,%u,%u): a race with another "
                                "thread, see above\n",
                                emu_kernel_name(), emu_here.block.x, emu_here.block.y, emu_here.block.z,
                                emu_here.thread.x, emu_here.thread.y, emu_here.thread.z);
    if (write(STDERR_FILENO, text, (size_t)length) < 0) _exit(1);
}

/* ---- whose turn it is -------------------------------------------------------------------------------------------- */

static void *host, *current; /* current: a fiber's, NULL when it is the host's turn */

void *emu_race_make(void) { return __tsan_create_fiber(0); }

static void become(void *clock) { __tsan_switch_to_fiber(clock, __tsan_switch_to_fiber_no_sync); }

void emu_race_switch(void *clock) {
    if (current == NULL) host = __tsan_get_current_fiber();
    current = clock;
    become(clock ? clock : host);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

/* Tokens live in memory of their own for each block: when it is freed, what they ordered is forgotten. */
typedef struct meeting {
    int64_t token[2]; /* by turns: who comes early to the next meeting is not waited for by who leaves this one late */
    int64_t fence;    /* token of thread number place's last __threadfence */
    int turn;
    bool fenced;
} meeting;

static meeting *meetings; /* (1 + threads): the block's barrier, then of each thread */
static int64_t begun, ended;

void emu_race_begin_block(int threads) {
    meetings = calloc((size_t)threads + 1, sizeof *meetings);
    if (meetings == NULL) emu_stop(NULL, 0, "no memory for a block");
    __tsan_release(&begun);
}

void emu_race_end_block(void) { free(meetings); }

void emu_race_begin_thread(void) { __tsan_acquire(&begun); }
void emu_race_end_thread(void) { __tsan_release(&ended); }

int emu_race_arrive(int place) {
    meeting *m = &meetings[1 + place];
    __tsan_release(&m->token[m->turn]);
    return 2 * (1 + place) + m->turn;
}

void emu_race_open(int place) { meetings[1 + place].turn ^= 1; }

void emu_race_leave(int number) { __tsan_acquire(&meetings[number / 2].token[number % 2]); }

void emu_race_as_host(void) { become(host); }

void emu_race_as_thread(void) {
    __tsan_release(&begun);
    become(current);
}

/* To map it again makes ThreadSanitizer forget what the block before did there. */
void emu_race_renew(void *memory, size_t bytes) {
    if (mmap(memory, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != memory)
        emu_stop(NULL, 0, "no memory for shared memory");
    memset(memory, 0xff, bytes);
}

void emu_race_enter_shared(void) { __tsan_acquire(&begun); }

/* ---- fences and atomics ------------------------------------------------------------------------------------------ */

/* What atomic operations on an address hand on. A clock is dear: when there are more addresses, some share one. */
typedef struct counter {
    void *clock;
    int64_t token;
} counter;

enum { CLOCKS = 64, MOST_ADDRESSES = 1 << 16 };
static counter counters[CLOCKS];              /* used again by the next kernel, which comes after this one anyway */
static const void *addresses[MOST_ADDRESSES]; /* that were used after a fence in this kernel */
static int address_count;

/* The address's; `wanted`: or a new one, else NULL. */
static counter *counter_of(const void *at, bool wanted) {
    if (address_count == 0 && !wanted) return NULL;
    unsigned i = (unsigned)((uintptr_t)at >> 2) % MOST_ADDRESSES;
    while (addresses[i] != NULL && addresses[i] != at) i = (i + 1) % MOST_ADDRESSES;
    counter *c = &counters[i % CLOCKS];
    if (addresses[i] == at) return c;
    if (!wanted) return NULL;
    if (++address_count == MOST_ADDRESSES) emu_stop(NULL, 0, "more atomics after fences than we know the addresses of");
    addresses[i] = at;
    if (c->clock == NULL) c->clock = emu_race_make();
    return c;
}

void emu_race_end_kernel(void) {
    __tsan_acquire(&ended);
    if (address_count > 0) memset(addresses, 0, sizeof addresses);
    address_count = 0;
}

void emu_fence(void) {
    meeting *own = &meetings[1 + emu_thread_number()];
    __tsan_release(&own->fence);
    own->fenced = true;
}

/* Whether what the running thread does atomically there is for other blocks. Then the access itself is the clock's too,
 * so that the last to come may set a counter back as he likes. */
static bool hands_on(const void *at) { return meetings[1 + emu_thread_number()].fenced && emu_is_device(at, 1); }

void emu_begin_atomic(const void *at) {
    if (!hands_on(at)) return;
    become(counter_of(at, true)->clock);
    __tsan_acquire(&meetings[1 + emu_thread_number()].fence);
}

void emu_end_atomic(const void *at) {
    counter *c = counter_of(at, false);
    if (c == NULL) return;
    if (hands_on(at)) {
        __tsan_release(&c->token);
        become(current);
    }
    __tsan_acquire(&c->token);
}

#endif
