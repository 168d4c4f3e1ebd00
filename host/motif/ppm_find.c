/* ppm_find.c: activations above their filter's threshold, 32 rows at a time. Comparisons are collected as bits, a word
 * of 32 rows for each filter, and nothing branches on them. Nearly all the time of an extraction beyond that of the
 * network itself is spent on reading the activations once, which is done here.
 */
#include <string.h>

#include "ppm.h"

#define SIXTEEN 16

/* NAME: bit r of word f: activation (r,f) of (rows,stride) is not at or below the threshold of f, for 16 filters. With
 * vectors of BYTES, of which a function wants to hold sixteen filters in registers. */
#define DEFINE_MARK(NAME, BYTES, ATTRIBUTE)                                                                    \
    ATTRIBUTE static void NAME(const float *activations, uint32_t rows, size_t stride, const float *threshold, \
                               uint32_t *words) {                                                              \
        typedef float floats __attribute__((vector_size(BYTES), aligned(4), may_alias));                       \
        typedef uint32_t bits __attribute__((vector_size(BYTES)));                                             \
        enum { LANES = BYTES / 4, COUNT = SIXTEEN / LANES };                                                   \
        bits marks[COUNT] = {{0}}, bit = (bits){0} + 1;                                                        \
        floats limit[COUNT];                                                                                   \
        for (int i = 0; i < COUNT; i++) limit[i] = *(const floats *)(threshold + LANES * i);                   \
        for (uint32_t r = 0; r < rows; r++, activations += stride, bit += bit)                                 \
            for (int i = 0; i < COUNT; i++)                                                                    \
                marks[i] |= ~(bits)(*(const floats *)(activations + LANES * i) <= limit[i]) & bit;             \
        memcpy(words, marks, sizeof marks);                                                                    \
    }

DEFINE_MARK(mark_sixteen, 16, )
#if defined(__x86_64__)
DEFINE_MARK(mark_sixteen_avx2, 32, __attribute__((target("avx2"))))
#endif

/* The same of `count` filters, the last. */
static void mark_some(const float *activations, uint32_t rows, size_t stride, const float *threshold, uint32_t count,
                      uint32_t *words) {
    for (uint32_t f = 0; f < count; f++) words[f] = 0;
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t f = 0; f < count; f++) words[f] |= (uint32_t) !(activations[r * stride + f] <= threshold[f]) << r;
}

uint32_t xc_ppm_find(const float *activations, uint32_t rows, uint32_t filters, const float *threshold,
                     uint64_t *found) {
    uint32_t count = 0, words[SIXTEEN];
    uint32_t f = 0;
#if defined(__x86_64__)
    const bool wide = __builtin_cpu_supports("avx2");
#endif
    for (; f + SIXTEEN <= filters; f += SIXTEEN) {
#if defined(__x86_64__)
        if (wide)
            mark_sixteen_avx2(activations + f, rows, filters, threshold + f, words);
        else
#endif
            mark_sixteen(activations + f, rows, filters, threshold + f, words);
        for (uint32_t i = 0; i < SIXTEEN; i++) {
            found[count] = (uint64_t)(f + i) << 32 | words[i];
            count += words[i] != 0;
        }
    }
    if (f == filters) return count;
    mark_some(activations + f, rows, filters, threshold + f, filters - f, words);
    for (uint32_t i = 0; f + i < filters; i++) {
        found[count] = (uint64_t)(f + i) << 32 | words[i];
        count += words[i] != 0;
    }
    return count;
}
