/* memory.c: the device's memory, and the host's pinned memory. See emu.h.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emu.h"
#include "fiber.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define ADDRESS_SANITIZER 1
#else
#define ADDRESS_SANITIZER 0
#endif

/* One allocation. It ends at a guard page, but for what its alignment takes: that and what is before it are its edges,
 * filled like the rest, where nobody may read, which AddressSanitizer sees, or write, which we see. */
typedef struct region {
    struct region *next;
    unsigned char *start, *mapping;
    size_t bytes, mapped; /* mapped: without the guard page */
    bool device;
} region;

enum { ALIGNMENT = 256 };

static region *regions;
static size_t in_use;
static int opened;

/* Bytes of the device: $EMU_MEMORY, or 4 GiB. */
static size_t device_bytes(void) {
    const char *text = getenv("EMU_MEMORY");
    return text ? strtoull(text, NULL, 10) : (size_t)4 << 30;
}

static const region *region_of(const void *address, size_t bytes) {
    const unsigned char *at = address;
    for (const region *r = regions; r != NULL; r = r->next)
        if (at >= r->start && bytes <= r->bytes && (size_t)(at - r->start) <= r->bytes - bytes) return r;
    return NULL;
}

bool emu_is_device(const void *address, size_t bytes) {
    const region *r = region_of(address, bytes);
    return r != NULL && r->device;
}

bool emu_is_reachable(const void *address, size_t bytes) { return region_of(address, bytes) != NULL; }

/* ---- edges --------------------------------------------------------------------------------------------------------
 */

/* What is before and behind an allocation, up to ALIGNMENT bytes each. */
typedef struct edges {
    unsigned char *before, *behind;
    size_t before_bytes, behind_bytes;
} edges;

static edges edges_of(const region *r) {
    const size_t before = (size_t)(r->start - r->mapping), most = before < ALIGNMENT ? before : ALIGNMENT;
    unsigned char *end = r->start + r->bytes;
    return (edges){r->start - most, end, most, (size_t)(r->mapping + r->mapped - end)};
}

/* Whether AddressSanitizer lets nobody touch them. */
static void close_edges(const region *r, bool close) {
#if ADDRESS_SANITIZER
    const edges e = edges_of(r);
    (close ? __asan_poison_memory_region : __asan_unpoison_memory_region)(e.before, e.before_bytes);
    (close ? __asan_poison_memory_region : __asan_unpoison_memory_region)(e.behind, e.behind_bytes);
#else
    (void)r, (void)close;
#endif
}

static void check_edge(const region *r, const unsigned char *edge, size_t bytes, const char *who) {
    for (size_t i = 0; i < bytes && !ADDRESS_SANITIZER; i++) {
        if (edge[i] == 0xff) continue;
        fprintf(stderr, "emulated GPU: kernel %s wrote %td bytes from the start of an allocation of %zu\n", who,
                edge + i - r->start, r->bytes);
        abort();
    }
}

void emu_check_edges(const char *who) {
    for (const region *r = regions; r != NULL; r = r->next) {
        const edges e = edges_of(r);
        if (!r->device) continue;
        check_edge(r, e.before, e.before_bytes, who);
        check_edge(r, e.behind, e.behind_bytes, who);
    }
}

/* ---- who may touch it -------------------------------------------------------------------------------------------- */

static void protect_all(int protection) {
    for (const region *r = regions; r != NULL; r = r->next)
        if (r->device && mprotect(r->mapping, r->mapped, protection) != 0) abort();
}

void emu_open_memory(void) {
    if (opened++ == 0) protect_all(PROT_READ | PROT_WRITE);
}

void emu_close_memory(void) {
    if (--opened == 0) protect_all(PROT_NONE);
}

static void protect_one(const void *address, int protection) {
    const region *r = region_of(address, 1);
    if (opened == 0 && r != NULL && r->device && mprotect(r->mapping, r->mapped, protection) != 0) abort();
}

void emu_open_allocation(const void *address) { protect_one(address, PROT_READ | PROT_WRITE); }
void emu_close_allocation(const void *address) { protect_one(address, PROT_NONE); }

/* The device's allocation that begins nearest below an address, not further beyond its end than an index goes astray.
 */
static const region *device_region_below(const unsigned char *at) {
    const region *best = NULL;
    for (const region *r = regions; r != NULL; r = r->next)
        if (r->device && at >= r->mapping && at < r->mapping + r->mapped + 65536 &&
            (best == NULL || r->mapping > best->mapping))
            best = r;
    return best;
}

/* A touch of what may not be touched: says whose. Then the signal comes again, to whoever else wants it. */
static void explain(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    const unsigned char *at = info->si_addr;
    char text[200];
    int length = 0;
    const region *below = device_region_below(at);
    if (emu_fiber_overflowed(at))
        length = snprintf(text, sizeof text, "emulated GPU: a thread's stack is full\n");
    else if (below != NULL && opened == 0)
        length = snprintf(text, sizeof text, "emulated GPU: the host reads or writes device memory\n");
    else if (below != NULL)
        length =
            snprintf(text, sizeof text,
                     "emulated GPU: block (%u,%u,%u), thread (%u,%u,%u) reads or writes %td bytes from the start of "
                     "an allocation of %zu\n",
                     emu_here.block.x, emu_here.block.y, emu_here.block.z, emu_here.thread.x, emu_here.thread.y,
                     emu_here.thread.z, at - below->start, below->bytes);
    if (length == 0 && opened > 0)
        length =
            snprintf(text, sizeof text,
                     "emulated GPU: block (%u,%u,%u), thread (%u,%u,%u) reads or writes what is no memory of its\n",
                     emu_here.block.x, emu_here.block.y, emu_here.block.z, emu_here.thread.x, emu_here.thread.y,
                     emu_here.thread.z);
    if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0) _exit(1);
    signal(signal_number, SIG_DFL);
}

void emu_explain_faults(void) {
    static unsigned char own_stack[65536]; /* a thread's may be full */
    const stack_t stack = {.ss_sp = own_stack, .ss_size = sizeof own_stack};
    struct sigaction action = {.sa_sigaction = explain, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

/* ---- allocation -------------------------------------------------------------------------------------------------- */

static cudaError_t allocate(void **address, size_t bytes, bool device) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page) / page * page;
    const size_t end = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    region *r = calloc(1, sizeof *r);
    if (r == NULL || (device && in_use + bytes > device_bytes())) {
        free(r);
        return cudaErrorMemoryAllocation;
    }
    r->mapping = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (r->mapping == MAP_FAILED) {
        free(r);
        return cudaErrorMemoryAllocation;
    }
    if (regions == NULL) emu_explain_faults();
    *r = (region){.next = regions, .mapping = r->mapping, .mapped = whole, .bytes = bytes, .device = device};
    r->start = r->mapping + whole - end;
    if (!emu_is_dry()) memset(r->mapping, 0xff, whole);
    close_edges(r, true);
    if (mprotect(r->mapping + whole, page, PROT_NONE) != 0) abort();
    if (device && opened == 0 && mprotect(r->mapping, whole, PROT_NONE) != 0) abort();
    regions = r;
    if (device) in_use += bytes;
    *address = r->start;
    return cudaSuccess;
}

static cudaError_t release(void *address, bool device) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (address == NULL) return cudaSuccess;
    for (region **at = &regions; *at != NULL; at = &(*at)->next) {
        region *r = *at;
        if (r->start != address || r->device != device) continue;
        *at = r->next;
        if (device) in_use -= r->bytes;
        close_edges(r, false);
        munmap(r->mapping, r->mapped + page);
        free(r);
        return cudaSuccess;
    }
    return cudaErrorInvalidValue;
}

cudaError_t cudaMalloc(void **address, size_t bytes) {
    *address = NULL;
    if (bytes == 0) return cudaSuccess;
    emu_lock();
    const cudaError_t status = allocate(address, bytes, true);
    emu_unlock();
    return status;
}

/* As the device does, waits for all that was asked of it before. */
static cudaError_t wait_and_release(void *address, bool device) {
    cudaError_t status = cudaDeviceSynchronize();
    if (status != cudaSuccess) return status;
    emu_lock();
    status = release(address, device);
    emu_unlock();
    return status;
}

cudaError_t cudaFree(void *address) { return wait_and_release(address, true); }
cudaError_t cudaFreeHost(void *address) { return wait_and_release(address, false); }

cudaError_t cudaMallocHost(void **address, size_t bytes) {
    emu_lock();
    const cudaError_t status = allocate(address, bytes ? bytes : 1, false);
    emu_unlock();
    return status;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *all) {
    emu_lock();
    *all = device_bytes();
    *left = in_use < *all ? *all - in_use : 0;
    emu_unlock();
    return cudaSuccess;
}
