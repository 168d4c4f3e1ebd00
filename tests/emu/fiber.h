/* fiber.h: functions that stop in the middle and go on later, each on a stack of its own with a guard page below.
 * Threads of a CUDA block are fibers. One system thread at a time may use them (the runtime's lock sees to that).
 */
#ifndef EMU_FIBER_H
#define EMU_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct emu_fiber emu_fiber;

/* A fiber that will call entry(context); its stack is an ended fiber's if there is one. Ends the process when no memory
 * is left. */
emu_fiber *emu_fiber_begin(void (*entry)(void *context), void *context);

/* Says how many are alive together. Where races are looked for, a stack, and what stands for it there, is then not used
 * again at once: two fibers that need not come one after the other must not have the same. */
void emu_fiber_keep(int together);

/* Runs it until it yields (false) or its function returns (true: the fiber is no more). Not to be called by a fiber. */
bool emu_fiber_resume(emu_fiber *fiber);

/* Called by the running fiber: goes back to who resumed it. */
void emu_fiber_yield(void);

/* Whether an address lies in a guard page of a stack. */
bool emu_fiber_overflowed(const void *address);

#ifdef __cplusplus
}
#endif
#endif
