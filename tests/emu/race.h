/* race.h: what the emulator tells ThreadSanitizer, so that it sees a CUDA device's races: the threads of blocks, each
 * with a clock of its own, and what orders them. The emulator itself is compiled without ThreadSanitizer, and with
 * EMU_RACES where the rest has it; otherwise nothing here does anything.
 *
 * Work of streams is ordered as the host runs it. Within a kernel: a barrier orders the threads of a block, __syncwarp
 * the lanes of its mask; an atomic operation orders after it what its thread had done before its last __threadfence,
 * for those who use the same address later (see race.c). Shuffles and votes order nothing.
 */
#ifndef EMU_RACE_H
#define EMU_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef EMU_RACES

/* By the host's thread that runs a kernel. */
void emu_race_begin_block(int threads);
void emu_race_end_block(void);
void emu_race_end_kernel(void);

/* By a thread of the block, when it begins and when it ends. */
void emu_race_begin_thread(void);
void emu_race_end_thread(void);

/* By a thread that meets others: before it waits and after; `open` once all are there. Places are the lowest thread of
 * those that meet, or the whole block. `arrive` returns the number to leave by. */
enum { EMU_WHOLE_BLOCK = -1 };
int emu_race_arrive(int place);
void emu_race_open(int place);
void emu_race_leave(int number);

/* By a thread that makes shared memory for its block, which is then the host's work; new memory is whole pages, filled
 * with 0xff; and by every thread before it uses it. */
void emu_race_as_host(void);
void emu_race_renew(void *memory, size_t bytes);
void emu_race_as_thread(void);
void emu_race_enter_shared(void);

/* fiber.c: a clock for a fiber, and whose turn it is. */
void *emu_race_make(void);
void emu_race_switch(void *clock); /* NULL: the host's thread's */

#else

static inline void emu_race_begin_block(int threads) { (void)threads; }
static inline void emu_race_end_block(void) {}
static inline void emu_race_end_kernel(void) {}
static inline void emu_race_begin_thread(void) {}
static inline void emu_race_end_thread(void) {}
enum { EMU_WHOLE_BLOCK = -1 };
static inline int emu_race_arrive(int place) { return place; }
static inline void emu_race_open(int place) { (void)place; }
static inline void emu_race_leave(int number) { (void)number; }
static inline void emu_race_as_host(void) {}
static inline void emu_race_as_thread(void) {}
static inline void emu_race_renew(void *memory, size_t bytes) { memset(memory, 0xff, bytes); }
static inline void emu_race_enter_shared(void) {}
static inline void *emu_race_make(void) { return NULL; }
static inline void emu_race_switch(void *clock) { (void)clock; }

#endif
#endif
