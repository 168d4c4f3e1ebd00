/* vector.h: the vector types that every file of this folder is written in, and the names of its external symbols.
 *
 * The files of kernels/cpu (dispatch.c excepted) are compiled once per instruction set with -DXC_ISA=<set>; GCC's
 * vector extensions turn the same source into SSE, AVX2 or AVX-512 code. Nothing here depends on a processor: where the
 * compiler knows no such set the baseline's vectors of 16 bytes are what remains.
 */
#ifndef EXPCONV_CPU_VECTOR_H
#define EXPCONV_CPU_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(XC_ISA_avx2) || defined(XC_ISA_avx512)
#include <immintrin.h>
#endif

#ifndef XC_ISA
#error "compile with -DXC_ISA=baseline, avx2 or avx512"
#endif
#define XC_ISA_PASTE(name, set) name##_##set
#define XC_ISA_EXPAND(name, set) XC_ISA_PASTE(name, set)
#define XC_ISA_NAME(name) XC_ISA_EXPAND(name, XC_ISA)

/* Register tiles are TILE_ROWS rows of 2 vectors or WIDE_ROWS of 3: as many sums as the set has registers for. */
#if defined(XC_ISA_avx512)
#define VECTOR_BYTES 64
#define TILE_ROWS 8
#define WIDE_ROWS 8
#elif defined(XC_ISA_avx2)
#define VECTOR_BYTES 32
#define TILE_ROWS 6
#define WIDE_ROWS 4
#else
#define VECTOR_BYTES 16
#define TILE_ROWS 6
#define WIDE_ROWS 4
#endif
#define LANES (VECTOR_BYTES / 4)

#define INLINE static inline __attribute__((always_inline))

typedef float vfloat __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t vint __attribute__((vector_size(VECTOR_BYTES)));
typedef uint16_t vshort __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef float vfloat_memory __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef uint16_t vshort_memory __attribute__((vector_size(VECTOR_BYTES / 2), aligned(2), may_alias));

INLINE vfloat v_load(const float *from) { return *(const vfloat_memory *)from; }
INLINE void v_store(float *to, vfloat value) { *(vfloat_memory *)to = value; }
INLINE vfloat v_set(float value) { return value - (vfloat){0}; }
INLINE vint v_set_int(int32_t value) { return value - (vint){0}; }

/* 0, 1, ...; and the first `count` lanes as a mask. */
INLINE vint v_lanes(void) {
    vint lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    return lane;
}
INLINE vint v_before(size_t count) { return v_lanes() < (int32_t)(count < LANES ? count : LANES); }

/* Of the first `count` lanes, LANES or fewer, and no memory beyond them; others are loaded as 0. */
#if defined(XC_ISA_avx512)
INLINE __mmask16 v_first(size_t count) { return (__mmask16)_bzhi_u32(0xFFFF, (unsigned)count); }
INLINE vfloat v_load_few(const float *from, size_t count) { return _mm512_maskz_loadu_ps(v_first(count), from); }
INLINE void v_store_few(float *to, vfloat value, size_t count) { _mm512_mask_storeu_ps(to, v_first(count), value); }
#elif defined(XC_ISA_avx2)
INLINE vfloat v_load_few(const float *from, size_t count) { return _mm256_maskload_ps(from, (__m256i)v_before(count)); }
INLINE void v_store_few(float *to, vfloat value, size_t count) {
    _mm256_maskstore_ps(to, (__m256i)v_before(count), value);
}
#else
INLINE vfloat v_load_few(const float *from, size_t count) {
    vfloat value = {0};
    memcpy(&value, from, count * sizeof(float));
    return value;
}
INLINE void v_store_few(float *to, vfloat value, size_t count) { memcpy(to, &value, count * sizeof(float)); }
#endif

/* The same of any number, most often LANES or more. */
INLINE vfloat v_load_part(const float *from, size_t count) {
    return count >= LANES ? v_load(from) : v_load_few(from, count);
}
INLINE void v_store_part(float *to, vfloat value, size_t count) {
    if (count >= LANES)
        v_store(to, value);
    else
        v_store_few(to, value, count);
}

/* Lanes of `yes` where the mask (all ones or zero in a lane) is set, of `no` elsewhere. GCC finds one instruction for
 * this in AVX-512 but not in AVX2. */
INLINE vint v_select_int(vint mask, vint yes, vint no) {
#if defined(XC_ISA_avx2)
    return (vint)_mm256_blendv_epi8((__m256i)no, (__m256i)yes, (__m256i)mask);
#else
    return (mask & yes) | (~mask & no);
#endif
}
INLINE vfloat v_select(vint mask, vfloat yes, vfloat no) { return (vfloat)v_select_int(mask, (vint)yes, (vint)no); }
/* `value` where the mask is set, 0 elsewhere. */
INLINE vfloat v_where(vint mask, vfloat value) { return (vfloat)(mask & (vint)value); }

/* Bit i: lane i of a mask. */
#if defined(XC_ISA_avx512)
INLINE uint32_t v_bits(vint mask) { return _mm512_movepi32_mask((__m512i)mask); }
#elif defined(XC_ISA_avx2)
INLINE uint32_t v_bits(vint mask) { return (uint32_t)_mm256_movemask_ps((__m256)mask); }
#else
INLINE uint32_t v_bits(vint mask) {
    uint32_t bits = 0;
    for (int i = 0; i < LANES; i++) bits |= (uint32_t)(mask[i] & 1) << i;
    return bits;
}
#endif

/* max and min that keep a NaN of `value`; bound is a number. The instructions give their second operand then. */
#if defined(XC_ISA_avx512)
INLINE vfloat v_at_least(vfloat value, vfloat bound) { return _mm512_max_ps(bound, value); }
INLINE vfloat v_at_most(vfloat value, vfloat bound) { return _mm512_min_ps(bound, value); }
#elif defined(XC_ISA_avx2)
INLINE vfloat v_at_least(vfloat value, vfloat bound) { return _mm256_max_ps(bound, value); }
INLINE vfloat v_at_most(vfloat value, vfloat bound) { return _mm256_min_ps(bound, value); }
#else
INLINE vfloat v_at_least(vfloat value, vfloat bound) { return v_select(value < bound, bound, value); }
INLINE vfloat v_at_most(vfloat value, vfloat bound) { return v_select(value > bound, bound, value); }
#endif

INLINE vfloat v_abs(vfloat value) { return (vfloat)((vint)value & 0x7fffffff); }

INLINE size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

#endif
