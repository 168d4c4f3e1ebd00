/* dispatch.h: the instruction sets that this program was compiled for, and the table that each set's files export.
 */
#ifndef EXPCONV_CPU_DISPATCH_H
#define EXPCONV_CPU_DISPATCH_H

#include "expconv/backend.h"

/* X(set, processor features that it needs), best first. The Makefile compiles all but zen4, which is of two of them. */
#if defined(__x86_64__)
#define CPU_SETS(X)       \
    X(zen4, HAS_ZEN4)     \
    X(avx512, HAS_AVX512) \
    X(avx2, HAS_AVX2)     \
    X(baseline, true)
#define CPU_HAS(feature) __builtin_cpu_supports(feature)
#define HAS_AVX2 (CPU_HAS("avx2") && CPU_HAS("fma") && CPU_HAS("bmi2"))
#define HAS_AVX512 (CPU_HAS("avx512f") && CPU_HAS("avx512bw") && CPU_HAS("avx512dq") && CPU_HAS("avx512vl") && HAS_AVX2)
#define HAS_ZEN4 (HAS_AVX512 && xc_cpu_is_zen_3_or_4())
#define CPU_SET_WORDS "baseline avx2 avx512 zen4"

/* zen4.c: whether this processor is of AMD's family of Zen 3, which has no AVX-512, and Zen 4. */
bool xc_cpu_is_zen_3_or_4(void);
#else
#define CPU_SETS(X) X(baseline, true)
#define CPU_SET_WORDS "baseline"
#endif

#define CPU_TEXT(set) #set
#define CPU_DESCRIPTION(set) "instruction set " CPU_TEXT(set) ", chosen from " CPU_SET_WORDS

#define CPU_DECLARE(set, supported) extern const xc_backend xc_cpu_table_##set;
CPU_SETS(CPU_DECLARE)
#undef CPU_DECLARE

#endif
