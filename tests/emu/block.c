/* block.c: runs a grid, a block at a time, a block's threads as fibers in rounds: each that can go on is resumed, in
 * the chosen order, until it ends or waits. When none can, all must wait at one barrier, which opens; anything else is
 * a deadlock, or a barrier that not all threads reach, and is told with each waiter's line.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emu.h"
#include "fiber.h"
#include "race.h"

typedef enum thread_state { NEW, READY, AT_BARRIER, IN_WARP, ENDED } thread_state;

typedef struct thread {
    thread_state state;
    emu_fiber *fiber;
    uint3 index;
    const char *file; /* where it waits */
    int line;
    int given; /* to the barrier */
    emu_warp_op op;
    uint32_t mask;
    uint64_t value; /* given to the warp's operation, then taken from it */
    int lane, width;
} thread;

/* One declaration of shared memory: its bytes end at a page that cannot be touched. */
typedef struct shared_piece {
    const char *file;
    int line;
    size_t mapped;
    unsigned char *memory, *start;
    bool used; /* by this block */
} shared_piece;

enum { MOST_PIECES = 64, MOST_WARPS = EMU_MOST_THREADS / EMU_WARP };

emu_place emu_here;
static const emu_kernel *kernel;
static thread threads[EMU_MOST_THREADS];
static int count, current, barrier_sum;
static shared_piece pieces[MOST_PIECES]; /* number 0: dynamic */
static int piece_count = 1;
static size_t shared_limit, shared_used;

int emu_thread_number(void) { return current; }
const char *emu_kernel_name(void) { return kernel ? kernel->name : NULL; }

/* ---- order ------------------------------------------------------------------------------------------------------- */

static emu_order order = EMU_FORWARD;
static uint64_t random_state = 1;

void emu_set_order(emu_order wanted, uint64_t seed) {
    order = wanted;
    random_state = seed * 2 + 1;
}
emu_order emu_get_order(void) { return order; }

uint32_t emu_random(uint32_t below) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 32) * below >> 32);
}

/* Numbers 0 .. n - 1 in the order in which they take turns. */
static void put_in_order(int *number, int n) {
    for (int i = 0; i < n; i++) number[i] = order == EMU_REVERSE ? n - 1 - i : i;
    for (int i = n - 1; order == EMU_SHUFFLED && i > 0; i--) {
        const int j = (int)emu_random((uint32_t)i + 1), kept = number[i];
        number[i] = number[j];
        number[j] = kept;
    }
}

/* ---- complaints -------------------------------------------------------------------------------------------------- */

void emu_stop(const char *file, int line, const char *format, ...) {
    va_list values;
    va_start(values, format);
    fprintf(stderr, "emulated GPU: kernel %s, block (%u,%u,%u), thread (%u,%u,%u): ", kernel ? kernel->name : "none",
            emu_here.block.x, emu_here.block.y, emu_here.block.z, emu_here.thread.x, emu_here.thread.y,
            emu_here.thread.z);
    if (file) fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    abort();
}

/* Everybody waits, and not for the same: tells where, a line for each place. */
static void stop_waiting(const char *what) {
    fprintf(stderr, "emulated GPU: kernel %s, block (%u,%u,%u): %s\n", kernel->name, emu_here.block.x, emu_here.block.y,
            emu_here.block.z, what);
    for (int i = 0; i < count; i++) {
        int same = 0;
        bool told = false;
        for (int j = 0; j < count; j++) {
            const bool like = threads[j].state == threads[i].state && threads[j].file == threads[i].file &&
                              threads[j].line == threads[i].line;
            told |= like && j < i;
            same += like;
        }
        if (told) continue;
        if (threads[i].state == ENDED)
            fprintf(stderr, "    %d have ended\n", same);
        else
            fprintf(stderr, "    %d wait at %s:%d (thread (%u,%u,%u) among them)\n", same, threads[i].file,
                    threads[i].line, threads[i].index.x, threads[i].index.y, threads[i].index.z);
    }
    abort();
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

static void wait_as(thread_state state, const char *file, int line) {
    thread *t = &threads[current];
    t->state = state;
    t->file = file;
    t->line = line;
    emu_fiber_yield();
}

int emu_barrier_sum(int value, const char *file, int line) {
    threads[current].given = value;
    const int meeting = emu_race_arrive(EMU_WHOLE_BLOCK);
    wait_as(AT_BARRIER, file, line);
    emu_race_leave(meeting);
    return barrier_sum;
}

void emu_barrier(const char *file, int line) { emu_barrier_sum(0, file, line); }

/* Opens the barrier that all threads wait at. */
static void open_barrier(void) {
    barrier_sum = 0;
    for (int i = 0; i < count; i++) {
        if (threads[i].state != AT_BARRIER) stop_waiting("threads wait for each other, and none can go on");
        if (threads[i].file != threads[0].file || threads[i].line != threads[0].line)
            stop_waiting("threads wait at different barriers");
        barrier_sum += threads[i].given;
    }
    for (int i = 0; i < count; i++) threads[i].state = READY;
    emu_race_open(EMU_WHOLE_BLOCK);
}

/* ---- warps ------------------------------------------------------------------------------------------------------- */

static const char *const WARP_OP_NAMES[] = {
    "__syncwarp",    "__shfl_sync",  "__shfl_up_sync",    "__shfl_down_sync",  "__shfl_xor_sync",
    "__ballot_sync", "__activemask", "__reduce_add_sync", "__reduce_min_sync", "__reduce_max_sync"};

/* The lane whose value lane `lane` takes, or itself where that lane does not exist in its part of `width` lanes. */
static int source_of(const thread *t, int lane) {
    const int begin = lane / t->width * t->width, within = lane - begin;
    switch (t->op) {
        case EMU_SHUFFLE:
            return begin + (t->lane & (t->width - 1));
        case EMU_UP:
            return within - t->lane >= 0 ? lane - t->lane : lane;
        case EMU_DOWN:
            return within + t->lane < t->width ? lane + t->lane : lane;
        default:
            return (within ^ t->lane) < t->width ? begin + (within ^ t->lane) : lane;
    }
}

static uint64_t combine(const thread *warp, uint32_t mask, emu_warp_op op) {
    uint64_t result = op == EMU_MIN ? UINT32_MAX : 0;
    for (int lane = 0; lane < EMU_WARP; lane++) {
        if (!(mask >> lane & 1)) continue;
        const uint64_t value = warp[lane].value;
        if (op == EMU_BALLOT)
            result |= (uint64_t)(value != 0) << lane;
        else if (op == EMU_ADD)
            result = (uint32_t)(result + value);
        else if (op == EMU_MIN ? value < result : op == EMU_MAX && value > result)
            result = value;
    }
    return result;
}

/* All lanes of the mask are there: each takes its value and may go on. */
static void finish_warp(thread *warp, uint32_t mask, emu_warp_op op) {
    uint64_t taken[EMU_WARP];
    for (int lane = 0; lane < EMU_WARP; lane++) {
        if (!(mask >> lane & 1)) continue;
        thread *t = &warp[lane];
        if (op >= EMU_SHUFFLE && op <= EMU_XOR) {
            const int source = source_of(t, lane);
            if (!(mask >> source & 1)) {
                emu_here.thread = t->index;
                emu_stop(t->file, t->line, "%s reads lane %d, which is not in the mask %08x", WARP_OP_NAMES[op], source,
                         mask);
            }
            taken[lane] = warp[source].value;
        } else {
            taken[lane] = op == EMU_SYNC ? 0 : combine(warp, mask, op);
        }
    }
    for (int lane = 0; lane < EMU_WARP; lane++)
        if (mask >> lane & 1) {
            warp[lane].value = taken[lane];
            warp[lane].state = READY;
        }
}

/* Whether the lanes of the mask that have arrived want the same; the mask of those that have. */
static uint32_t arrived(const thread *warp, const thread *t) {
    uint32_t here = 0;
    for (int lane = 0; lane < EMU_WARP && warp + lane < threads + count; lane++) {
        const thread *other = &warp[lane];
        if (!(t->mask >> lane & 1)) continue;
        if (other->state == ENDED)
            emu_stop(t->file, t->line, "%s waits for lane %d, which has ended", WARP_OP_NAMES[t->op], lane);
        if (other->state != IN_WARP) continue;
        if (other->mask != t->mask || other->op != t->op)
            emu_stop(t->file, t->line, "%s with mask %08x meets lane %d in %s with mask %08x (%s:%d)",
                     WARP_OP_NAMES[t->op], t->mask, lane, WARP_OP_NAMES[other->op], other->mask, other->file,
                     other->line);
        here |= 1u << lane;
    }
    return here;
}

uint64_t emu_warp(emu_warp_op op, uint32_t mask, uint64_t value, int lane, int width, const char *file, int line) {
    thread *t = &threads[current], *warp = &threads[current / EMU_WARP * EMU_WARP];
    const int own = current % EMU_WARP, lanes = count - current / EMU_WARP * EMU_WARP;
    const uint32_t existing = lanes >= EMU_WARP ? UINT32_MAX : (1u << lanes) - 1;
    if (!(mask >> own & 1))
        emu_stop(file, line, "%s by lane %d, which is not in its mask %08x", WARP_OP_NAMES[op], own, mask);
    if (mask & ~existing)
        emu_stop(file, line, "%s with mask %08x, but the warp has %d lanes", WARP_OP_NAMES[op], mask, lanes);
    t->op = op;
    t->mask = mask;
    t->value = value;
    t->lane = lane;
    t->width = width;
    t->file = file;
    t->line = line;
    t->state = IN_WARP;
    const int place = (int)(warp - threads) + __builtin_ctz(mask);
    const int meeting = op == EMU_SYNC ? emu_race_arrive(place) : 0;
    if (arrived(warp, t) == mask) {
        finish_warp(warp, mask, op);
        if (op == EMU_SYNC) emu_race_open(place);
    } else {
        emu_fiber_yield();
    }
    if (op == EMU_SYNC) emu_race_leave(meeting);
    return t->value;
}

/* A thread that ends must not be waited for. */
static void leave_warp(int number) {
    const thread *warp = &threads[number / EMU_WARP * EMU_WARP];
    for (int lane = 0; lane < EMU_WARP && warp + lane < threads + count; lane++)
        if (warp[lane].state == IN_WARP && warp[lane].mask >> number % EMU_WARP & 1)
            emu_stop(warp[lane].file, warp[lane].line, "lane %d waits in %s for this thread, which has ended", lane,
                     WARP_OP_NAMES[warp[lane].op]);
}

/* ---- shared memory ----------------------------------------------------------------------------------------------- */

/* Memory for a piece, which a page follows that cannot be touched. */
static void map_piece(shared_piece *piece, size_t whole, size_t page) {
    if (piece->mapped) munmap(piece->memory, piece->mapped + page);
    piece->memory = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (piece->memory == MAP_FAILED || mprotect(piece->memory + whole, page, PROT_NONE) != 0)
        emu_stop(piece->file, piece->line, "no memory for %zu bytes of shared memory", whole);
    piece->mapped = whole;
}

/* Gives a piece memory for this block, filled with what nobody wrote. */
static void begin_piece(shared_piece *piece, size_t bytes, const char *file, int line) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
    shared_used += bytes;
    if (shared_used > shared_limit)
        emu_stop(file, line, "the block wants %zu bytes of shared memory, and may have %zu", shared_used, shared_limit);
    emu_race_as_host();
    if (piece->mapped < whole) map_piece(piece, whole, page);
    emu_race_renew(piece->memory, piece->mapped);
    emu_race_as_thread();
    piece->start = piece->memory + piece->mapped - bytes;
    piece->used = true;
}

static void *enter_piece(shared_piece *piece, size_t bytes, const char *file, int line) {
    if (!piece->used) begin_piece(piece, bytes, file, line);
    emu_race_enter_shared();
    return piece->start;
}

void *emu_shared(size_t bytes, const char *file, int line) {
    int i = 1;
    while (i < piece_count && (pieces[i].file != file || pieces[i].line != line)) i++;
    if (i == MOST_PIECES) emu_stop(file, line, "more than %d declarations of shared memory", MOST_PIECES - 1);
    if (i == piece_count) pieces[piece_count++] = (shared_piece){.file = file, .line = line};
    return enter_piece(&pieces[i], bytes, file, line);
}

void *emu_dynamic_shared(void) { return enter_piece(&pieces[0], (kernel->shared + 15) / 16 * 16, NULL, 0); }

/* ---- a grid ------------------------------------------------------------------------------------------------------ */

static void run_thread(void *context) {
    (void)context;
    emu_race_begin_thread();
    kernel->run(kernel->arguments);
    emu_race_end_thread();
}

/* Resumes a thread; what it waits for is in its state afterwards. */
static void resume(int number) {
    thread *t = &threads[number];
    if (t->state == NEW) t->fiber = emu_fiber_begin(run_thread, NULL);
    t->state = READY;
    current = number;
    emu_here.thread = t->index;
    if (!emu_fiber_resume(t->fiber)) return;
    t->state = ENDED;
    leave_warp(number);
}

static void run_block(void) {
    int turn[EMU_MOST_THREADS], ended = 0;
    for (int i = 0; i < piece_count; i++) pieces[i].used = false;
    shared_used = 0;
    emu_race_begin_block(count);
    for (int i = 0; i < count; i++) {
        const unsigned x = emu_here.threads.x, y = emu_here.threads.y, number = (unsigned)i;
        threads[i] = (thread){.index = {number % x, number / x % y, number / x / y}};
    }
    while (ended < count) {
        bool moved = false;
        put_in_order(turn, count);
        for (int i = 0; i < count; i++) {
            thread *t = &threads[turn[i]];
            if (t->state != NEW && t->state != READY) continue;
            resume(turn[i]);
            moved = true;
            ended += t->state == ENDED;
        }
        if (!moved && ended < count) {
            if (ended > 0) stop_waiting("threads wait for others that have ended");
            open_barrier();
        }
    }
    emu_race_end_block();
}

void emu_run_kernel(const emu_kernel *which) {
    const dim3 grid = which->grid;
    const size_t blocks = (size_t)grid.x * grid.y * grid.z;
    kernel = which;
    count = (int)(which->block.x * which->block.y * which->block.z);
    /* What a kernel opts in to is dynamic; its static memory comes on top. */
    shared_limit = emu_shared_limit(which->function) > EMU_SHARED_PLAIN ? EMU_SHARED_MOST : EMU_SHARED_PLAIN;
    emu_here = (emu_place){.threads = which->block, .blocks = grid};
    /* Any block may come first; a shuffled order would be a list of all, a stride that shares no divisor does as well.
     */
    size_t stride = 1, first = 0;
    if (order == EMU_SHUFFLED && blocks > 2) {
        first = emu_random((uint32_t)blocks);
        const size_t primes[] = {7919, 104729, 1299709};
        stride = primes[emu_random(3)];
        if (blocks % stride == 0) stride = 1;
    }
    emu_open_memory();
    emu_fiber_keep(count);
    for (size_t i = 0; i < blocks; i++) {
        const size_t b = order == EMU_REVERSE ? blocks - 1 - i : (first + i % blocks * (stride % blocks)) % blocks;
        emu_here.block =
            (uint3){(unsigned)(b % grid.x), (unsigned)(b / grid.x % grid.y), (unsigned)(b / grid.x / grid.y)};
        run_block();
    }
    emu_race_end_kernel();
    emu_check_edges(kernel->name);
    emu_close_memory();
    kernel = NULL;
}
