/* emu.h: a CUDA device on the CPU, as its parts see each other: blocks of fibers (block.c), memory (memory.c), streams
 * and events (stream.c), and the runtime's calls over them (runtime.c). What kernels see is device.h.
 *
 * Functions of this file want the runtime's lock held, which the CUDA calls take. Where a program does what a device
 * would not allow, or what it would let pass and compute nonsense, a line says who did what where, and the process
 * ends.
 */
#ifndef EMU_EMU_H
#define EMU_EMU_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { EMU_WARP = 32, EMU_MOST_THREADS = 1024 };
enum { EMU_SHARED_PLAIN = 48 << 10, EMU_SHARED_MOST = 227 << 10 }; /* bytes a block: without opting in, and with */

/* The order in which the threads of a block, and the blocks of a grid, take turns; and streams (see stream.c). Set by
 * $EMU_ORDER (forward, reverse, shuffled) and $EMU_SEED when the device is first used, or by the test. */
typedef enum emu_order { EMU_FORWARD, EMU_REVERSE, EMU_SHUFFLED } emu_order;
void emu_set_order(emu_order order, uint64_t seed);
emu_order emu_get_order(void);
uint32_t emu_random(uint32_t below); /* of the seed */

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

/* A launch that waits in a stream. The arguments are the launch's own copy. */
typedef struct emu_kernel {
    const char *name;
    const void *function;               /* for what it has opted in to */
    void (*run)(const void *arguments); /* one thread */
    void (*release)(void *arguments);
    void *arguments;
    dim3 grid, block;
    size_t shared; /* dynamic, bytes a block */
} emu_kernel;

/* Queues it; refuses, as the device does, what is too large. */
cudaError_t emu_launch(const emu_kernel *kernel, cudaStream_t stream);
void emu_run_kernel(const emu_kernel *kernel);

/* What the device has done since the program began; work in a graph each time that the graph is launched. */
typedef struct emu_tally {
    uint64_t kernels, copies_in, copies_out, copies_within, fills; /* kernels: a library's calls too; in: from the host */
    uint64_t graphs, graph_nodes;                                  /* launches of graphs, and work in them */
} emu_tally;
emu_tally emu_get_tally(void);

/* From now on kernels and calls of libraries are only told to `on_launch` when they are asked for, with the lock held,
 * and nothing is done: device memory is reserved, not filled, copies to it are dropped, and what is brought back is
 * zeros. So a large model's work can be looked at without doing it. NULL ends it; not while work waits. */
typedef void emu_on_launch(const emu_kernel *kernel, void *context);
void emu_set_dry(emu_on_launch *on_launch, void *context);
bool emu_is_dry(void);

/* Bytes of shared memory that a block of this kernel may have: more than the plain ones only where the program has said
 * so by cudaFuncSetAttribute. */
size_t emu_shared_limit(const void *function);

/* The thread that runs, for device.h; valid within kernels. */
typedef struct emu_place {
    uint3 thread, block;
    dim3 threads, blocks; /* blockDim, gridDim */
} emu_place;
extern emu_place emu_here;
int emu_thread_number(void);       /* in its block */
const char *emu_kernel_name(void); /* NULL: none runs */

void emu_barrier(const char *file, int line);
/* What __syncthreads_count and _or reduce: the sum over the block, once all are there. */
int emu_barrier_sum(int value, const char *file, int line);

/* Warp operations: all lanes of `mask` meet, give a value and take one. */
typedef enum emu_warp_op {
    EMU_SYNC,
    EMU_SHUFFLE,
    EMU_UP,
    EMU_DOWN,
    EMU_XOR,
    EMU_BALLOT,
    EMU_ACTIVE,
    EMU_ADD,
    EMU_MIN,
    EMU_MAX
} emu_warp_op;
uint64_t emu_warp(emu_warp_op op, uint32_t mask, uint64_t value, int lane, int width, const char *file, int line);

/* __threadfence; and what comes before and after every atomic operation (race.c). */
void emu_fence(void);
void emu_begin_atomic(const void *at);
void emu_end_atomic(const void *at);

/* Static shared memory that the statement at file:line declares, the same for all threads of a block; and dynamic. */
void *emu_shared(size_t bytes, const char *file, int line);
void *emu_dynamic_shared(void);

/* Ends the process: "emulated GPU: kernel k, block (..), thread (..): file:line: " and the message. */
void emu_stop(const char *file, int line, const char *format, ...) __attribute__((noreturn, format(printf, 3, 4)));

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Device memory ends at a page that cannot be touched, is filled with 0xff (NaN), and is out of the host's reach while
 * no kernel or copy runs. */
void emu_open_memory(void); /* to kernels and copies; calls nest */
void emu_close_memory(void);
/* The same of one allocation, for a copy: cheaper, where there are many. Host memory is let pass. */
void emu_open_allocation(const void *address);
void emu_close_allocation(const void *address);
/* Stops when `who` (a kernel) has written before or behind an allocation, where that is not out of everybody's reach.
 */
void emu_check_edges(const char *who);
/* Whether `bytes` from `address` on lie in one allocation of the device; of the device or of pinned host memory. */
bool emu_is_device(const void *address, size_t bytes);
bool emu_is_reachable(const void *address, size_t bytes);
/* Installs the handler that says who touched what; done with the first allocation, and wanted again where somebody else
 * has installed his own. */
void emu_explain_faults(void);

/* ---- the lock ---------------------------------------------------------------------------------------------------- */

void emu_lock(void);
void emu_unlock(void);

#ifdef __cplusplus
}
#endif
#endif
