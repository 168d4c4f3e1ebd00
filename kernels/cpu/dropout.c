/* dropout.c: which elements dropout drops, as bits: Philox4x32-10 on as many counters at once as a vector has lanes of
 * 64 bits, exactly the numbers of xc_dropout_threshold in backend.h. A counter gives eight numbers, so one byte of
 * bits.
 */
#include "trial.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef uint64_t vlong __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t vword __attribute__((vector_size(VECTOR_BYTES)));
typedef uint16_t vhalf __attribute__((vector_size(VECTOR_BYTES)));
#define COUNTERS (LANES / 2)

/* Product of the low halves of the 64-bit lanes. */
INLINE vlong multiply_low(vlong a, vlong b) {
#if defined(XC_ISA_avx512)
    return (vlong)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(XC_ISA_avx2)
    return (vlong)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (vlong)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

/* Bits 2i and 2i + 1 of the low 16 bits (the latter in the high half, see fold) where the word's halves are small. */
INLINE vword small_halves(vlong word, vhalf threshold, int i) {
    const vhalf small = (vhalf)((vhalf)word < threshold);
    return (vword)small & (1u << (2 * i) | 1u << (2 * i + 1 + 16));
}

INLINE void store_bytes(uint8_t *to, vword bits) {
    const vword folded = bits | bits >> 16;
    for (int i = 0; i < COUNTERS; i++) to[i] = (uint8_t)folded[2 * i];
}

void xc_cpu_dropout(uint8_t *dropped, size_t count, uint32_t threshold, uint64_t seed, uint32_t stream, uint64_t step) {
    const vlong m0 = (vlong){0} + XC_PHILOX_M0, m1 = (vlong){0} + XC_PHILOX_M1;
    const vhalf limit = (vhalf){0} + (uint16_t)threshold; /* below 65536, as the rate is below 1 */
    vlong lane;
    for (int i = 0; i < COUNTERS; i++) lane[i] = (uint64_t)i;
    const size_t bytes = round_up((count + 7) / 8, 8);
    for (size_t at = 0; at < bytes; at += COUNTERS) {
        vlong c0 = lane + at, c1 = (vlong){0} + (uint32_t)step, c2 = (vlong){0} + stream;
        vlong c3 = (vlong){0} + (uint64_t)XC_STREAM_DROPOUT;
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        /* Only the low halves of the lanes mean anything; the multiplication reads no others. */
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++, k0 += XC_PHILOX_W0, k1 += XC_PHILOX_W1) {
            const vlong p0 = multiply_low(c0, m0), p1 = multiply_low(c2, m1);
            c0 = p1 >> 32 ^ c1 ^ k0;
            c1 = p1;
            c2 = p0 >> 32 ^ c3 ^ k1;
            c3 = p0;
        }
        store_bytes(dropped + at, small_halves(c0, limit, 0) | small_halves(c1, limit, 1) | small_halves(c2, limit, 2) |
                                      small_halves(c3, limit, 3));
    }
}
