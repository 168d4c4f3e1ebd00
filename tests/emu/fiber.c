/* fiber.c: see fiber.h. On x86-64 a switch is a dozen instructions; elsewhere ucontext's, which asks the kernel each
 * time. Sanitizers are told of each switch.
 */
#include "fiber.h"

#include "race.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define ADDRESS_SANITIZER 1
#else
#define ADDRESS_SANITIZER 0
#endif

/* Sanitizers and -O0 make frames large. */
enum { STACK_BYTES = 256 << 10, GUARD_BYTES = 4096 };

struct emu_fiber {
    emu_fiber *next; /* of those that have ended */
    emu_fiber *all;  /* of all that were ever made */
    void (*entry)(void *);
    void *context;
    bool ended;
    unsigned char *memory; /* guard page, then stack */
    size_t top;            /* bytes of stack: less some, as equal tops would meet in one set of the first cache */
    void *fake;            /* AddressSanitizer's */
    void *clock;           /* ThreadSanitizer's */
#if defined(__x86_64__)
    void *stack_pointer;
#else
    ucontext_t state;
#endif
};

static emu_fiber *ended, **last_ended = &ended, *all, *running;
static size_t made, least; /* so many before one is used again */
#if defined(__x86_64__)
static void *resumer;

/* void emu_fiber_switch(void **from, void *to): keeps the registers that a call must keep, and the stack. */
void emu_fiber_switch(void **from, void *to);
__asm__(
    ".text\n.type emu_fiber_switch,@function\nemu_fiber_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
    ".size emu_fiber_switch,.-emu_fiber_switch\n");
#else
static ucontext_t resumer;
#endif

#if ADDRESS_SANITIZER
static const void *resumer_stack;
static size_t resumer_bytes;
static void *resumer_fake;
#endif

static void to_fiber(emu_fiber *f) {
#if ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(&resumer_fake, f->memory + GUARD_BYTES, f->top);
#endif
#if defined(__x86_64__)
    emu_fiber_switch(&resumer, f->stack_pointer);
#else
    swapcontext(&resumer, &f->state);
#endif
#if ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(resumer_fake, NULL, NULL);
#endif
}

static void to_resumer(emu_fiber *f) {
#if ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(f->ended ? NULL : &f->fake, resumer_stack, resumer_bytes);
#endif
#if defined(__x86_64__)
    emu_fiber_switch(&f->stack_pointer, resumer);
#else
    swapcontext(&f->state, &resumer);
#endif
#if ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(f->fake, &resumer_stack, &resumer_bytes);
#endif
}

static void begin(void) {
    emu_fiber *f = running;
#if ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(NULL, &resumer_stack, &resumer_bytes);
#endif
    f->entry(f->context);
    f->ended = true;
    to_resumer(f);
    abort(); /* an ended fiber is not resumed */
}

static void prepare(emu_fiber *f) {
#if defined(__x86_64__)
    /* As if emu_fiber_switch had been called by nobody and had begin to return to; the stack is then aligned as calls
     * want it. */
    uintptr_t *at = (uintptr_t *)(f->memory + GUARD_BYTES + f->top) - 2;
    *at = (uintptr_t)begin;
    for (int i = 0; i < 6; i++) *--at = 0;
    f->stack_pointer = at;
#else
    getcontext(&f->state);
    f->state.uc_stack.ss_sp = f->memory + GUARD_BYTES;
    f->state.uc_stack.ss_size = f->top;
    f->state.uc_link = NULL;
    makecontext(&f->state, begin, 0);
#endif
}

static emu_fiber *make(void) {
    emu_fiber *f = calloc(1, sizeof *f);
    void *memory = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f == NULL || memory == MAP_FAILED || mprotect(memory, GUARD_BYTES, PROT_NONE) != 0) {
        fprintf(stderr, "emulated GPU: no memory for the stack of a thread\n");
        abort();
    }
    f->memory = memory;
    f->top = STACK_BYTES - made++ % 16 * 192;
    f->all = all;
    f->clock = emu_race_make();
    all = f;
    return f;
}

/* Twice as many, and some, so that thread i of the next block but one does not come after thread i of this one. */
void emu_fiber_keep(int together) {
#ifdef EMU_RACES
    if (least < 2 * (size_t)together + 64) least = 2 * (size_t)together + 64;
#else
    (void)together;
#endif
}

static emu_fiber *take_ended(void) {
    emu_fiber *f = ended;
    if (f == NULL || made < least) return NULL;
    ended = f->next;
    if (ended == NULL) last_ended = &ended;
    return f;
}

/* To be used again: last of all, or first, as it is in the cache. */
static void keep_ended(emu_fiber *f) {
    emu_fiber **at = least > 0 ? last_ended : &ended;
    f->next = *at;
    *at = f;
    if (f->next == NULL) last_ended = &f->next;
}

emu_fiber *emu_fiber_begin(void (*entry)(void *), void *context) {
    emu_fiber *f = take_ended();
    if (f == NULL) f = make();
    f->entry = entry;
    f->context = context;
    f->ended = false;
    f->fake = NULL;
    prepare(f);
    return f;
}

bool emu_fiber_resume(emu_fiber *f) {
    running = f;
    emu_race_switch(f->clock);
    to_fiber(f);
    emu_race_switch(NULL);
    running = NULL;
    if (!f->ended) return false;
    keep_ended(f);
    return true;
}

void emu_fiber_yield(void) { to_resumer(running); }

bool emu_fiber_overflowed(const void *address) {
    for (const emu_fiber *f = all; f != NULL; f = f->all)
        if ((const unsigned char *)address >= f->memory && (const unsigned char *)address < f->memory + GUARD_BYTES)
            return true;
    return false;
}
