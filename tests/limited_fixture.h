/* limited_fixture.h: a device without hardware: the CPU's ops, memory that is said not to be the host's, and of that
 * only a budget, which the test sets. Also what was logged, as text. Includes nothing of cmocka; the test does before.
 */
#ifndef EXPCONV_LIMITED_FIXTURE_H
#define EXPCONV_LIMITED_FIXTURE_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "expconv/backend.h"

/* In front of each piece: how large it is. */
enum { LIMITED_HEAD = 64 };

/* Bytes; what is said to be free is `said`, or what really is when that is 0. */
static struct {
    pthread_mutex_t lock;
    size_t budget, used, most_used, refusals, said;
} limited_memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

static xc_backend limited, limited_below;

static void *limited_allocate(const xc_backend *self, size_t bytes) {
    (void)self;
    char *memory = NULL;
    pthread_mutex_lock(&limited_memory.lock);
    if (limited_memory.used + bytes <= limited_memory.budget)
        memory = limited_below.allocate(&limited_below, bytes + LIMITED_HEAD);
    if (memory) {
        memcpy(memory, &bytes, sizeof bytes);
        limited_memory.used += bytes;
        if (limited_memory.used > limited_memory.most_used) limited_memory.most_used = limited_memory.used;
    } else {
        limited_memory.refusals++;
    }
    pthread_mutex_unlock(&limited_memory.lock);
    return memory ? memory + LIMITED_HEAD : NULL;
}

static void limited_release(const xc_backend *self, void *memory) {
    size_t bytes;
    (void)self;
    if (!memory) return;
    char *whole = (char *)memory - LIMITED_HEAD;
    memcpy(&bytes, whole, sizeof bytes);
    pthread_mutex_lock(&limited_memory.lock);
    limited_memory.used -= bytes;
    pthread_mutex_unlock(&limited_memory.lock);
    limited_below.release(&limited_below, whole);
}

static size_t limited_free_memory(const xc_backend *self) {
    (void)self;
    pthread_mutex_lock(&limited_memory.lock);
    const size_t left = limited_memory.said ? limited_memory.said : limited_memory.budget - limited_memory.used;
    pthread_mutex_unlock(&limited_memory.lock);
    return left;
}

static inline void make_limited(void) {
    const xc_backend *cpu_backend = NULL;
    xc_error error = {0};
    if (xc_backend_cpu(&cpu_backend, &error) != XC_OK) abort();
    limited_below = limited = *cpu_backend;
    limited.name = "limited";
    limited.host_memory = false;
    limited.allocate = limited_allocate;
    limited.release = limited_release;
    limited.free_memory = limited_free_memory;
    limited_memory.budget = SIZE_MAX / 2;
}

/* From now on so many bytes more than are in use, said to be `said` (0: the truth). */
static inline void set_budget(size_t bytes, size_t said) {
    limited_memory.budget = limited_memory.used + bytes;
    limited_memory.most_used = limited_memory.used;
    limited_memory.refusals = 0;
    limited_memory.said = said;
}

/* How often `part` stands in the text. */
static inline int count_in(const char *text, const char *part) {
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) count++;
    return count;
}

#endif
