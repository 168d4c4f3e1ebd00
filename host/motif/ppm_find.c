/* ppm_find.c: activations above their filter's threshold, as a word a row and a bit a filter, found without a branch on
 * any of them. Every activation is read here once, and few are looked at again. Eight filters are compared at a time,
 * with AVX2 where the machine has it; those beyond the last eight, and other machines, one by one.
 */
#include "ppm.h"

#define INLINE static inline __attribute__((always_inline))

/* Bit i: activation i of `count` is not at or below its threshold. */
INLINE uint32_t above(const float *activation, const float *threshold, uint32_t count) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < count; i++) bits |= (uint32_t) !(activation[i] <= threshold[i]) << i;
    return bits;
}

/* NAME: xc_ppm_find for `eights` times eight filters. */
#define DEFINE_FIND(NAME, ABOVE_EIGHT, ATTRIBUTE)                                                                 \
    ATTRIBUTE INLINE uint32_t NAME(const uint32_t eights, const float *activations, uint32_t rows, size_t stride, \
                                   const float *threshold, uint64_t *found) {                                     \
        uint32_t count = 0;                                                                                       \
        for (uint32_t r = 0; r < rows; r++, activations += stride) {                                              \
            uint32_t bits = 0;                                                                                    \
            for (uint32_t i = 0; i < eights; i++)                                                                 \
                bits |= ABOVE_EIGHT(activations + 8 * i, threshold + 8 * i) << 8 * i;                             \
            found[count] = (uint64_t)r << 32 | bits;                                                              \
            count += bits != 0;                                                                                   \
        }                                                                                                         \
        return count;                                                                                             \
    }

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))

INLINE uint32_t above_eight(const float *activation, const float *threshold) {
    const __m128 low = _mm_cmpnle_ps(_mm_loadu_ps(activation), _mm_loadu_ps(threshold));
    const __m128 high = _mm_cmpnle_ps(_mm_loadu_ps(activation + 4), _mm_loadu_ps(threshold + 4));
    return (uint32_t)_mm_movemask_ps(low) | (uint32_t)_mm_movemask_ps(high) << 4;
}

AVX2 INLINE uint32_t above_eight_avx2(const float *activation, const float *threshold) {
    const __m256 values = _mm256_loadu_ps(activation), limits = _mm256_loadu_ps(threshold);
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(values, limits, _CMP_NLE_UQ));
}

DEFINE_FIND(find_eights_avx2, above_eight_avx2, AVX2)

/* The whole word's loop is unrolled. */
AVX2 static uint32_t find_avx2(uint32_t eights, const float *activations, uint32_t rows, size_t stride,
                               const float *threshold, uint64_t *found) {
    if (eights == 4) return find_eights_avx2(4, activations, rows, stride, threshold, found);
    return find_eights_avx2(eights, activations, rows, stride, threshold, found);
}
#else
INLINE uint32_t above_eight(const float *activation, const float *threshold) { return above(activation, threshold, 8); }
#endif

DEFINE_FIND(find_eights, above_eight, )

static uint32_t find_few(const float *activations, uint32_t rows, size_t stride, const float *threshold,
                         uint32_t filters, uint64_t *found) {
    uint32_t count = 0;
    for (uint32_t r = 0; r < rows; r++) {
        const uint32_t bits = above(activations + r * stride, threshold, filters);
        found[count] = (uint64_t)r << 32 | bits;
        count += bits != 0;
    }
    return count;
}

uint32_t xc_ppm_find(const float *activations, uint32_t rows, size_t stride, const float *threshold, uint32_t filters,
                     uint64_t *found) {
    const uint32_t eights = filters / 8;
    if (eights == 0) return find_few(activations, rows, stride, threshold, filters, found);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return find_avx2(eights, activations, rows, stride, threshold, found);
#endif
    if (eights == 4) return find_eights(4, activations, rows, stride, threshold, found);
    return find_eights(eights, activations, rows, stride, threshold, found);
}
