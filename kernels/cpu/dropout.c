/* dropout.c: which elements dropout drops, as bits: Philox4x32-10 on as many counters at once as VECTORS vectors have
 * lanes of 64 bits, exactly the numbers of xc_dropout_threshold in backend.h. A counter gives eight numbers, so one
 * byte of bits.
 *
 * Three words of a counter are the same in a whole call, so the first three rounds are partly done beforehand. Only low
 * halves of lanes mean anything until the last round; the multiplication reads no others.
 */
#include "trial.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef uint64_t vlong __attribute__((vector_size(VECTOR_BYTES)));
typedef int16_t vhalf __attribute__((vector_size(VECTOR_BYTES)));
#define COUNTERS (LANES / 2)
#define VECTORS 4 /* independent chains of ten rounds that hide each other's latencies */
#define ROUNDS 10

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

/* What all counters of a call share. In the last round the numbers' signs are turned, so that signed comparisons order
 * them as unsigned. */
typedef struct call_constants {
    vlong key0[ROUNDS], key1[ROUNDS]; /* of a round, with those words of the first three that are known */
    vhalf limit;
} call_constants;

static call_constants constants_of(uint32_t threshold, uint64_t seed, uint32_t stream, uint64_t step) {
    call_constants c;
    const vlong zero = {0};
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32), keys[2][ROUNDS];
    for (int i = 0; i < ROUNDS; i++, k0 += XC_PHILOX_W0, k1 += XC_PHILOX_W1) keys[0][i] = k0, keys[1][i] = k1;
    /* Round 0 makes words 0 and 1 of known ones, round 1 from these the high part of word 2, and word 3. */
    const uint64_t product1 = (uint64_t)XC_PHILOX_M1 * stream;
    const uint64_t product0 = (uint64_t)XC_PHILOX_M0 * ((uint32_t)(product1 >> 32) ^ (uint32_t)step ^ keys[0][0]);
    keys[1][0] ^= (uint32_t)XC_STREAM_DROPOUT;
    keys[0][1] ^= (uint32_t)product1;
    keys[1][1] ^= (uint32_t)(product0 >> 32);
    keys[1][2] ^= (uint32_t)product0;
    for (int i = 0; i < ROUNDS - 1; i++) {
        c.key0[i] = zero + keys[0][i];
        c.key1[i] = zero + keys[1][i];
    }
    c.key0[ROUNDS - 1] = zero + ((uint64_t)(keys[0][ROUNDS - 1] ^ 0x80008000u) << 32 | 0x80008000u);
    c.key1[ROUNDS - 1] = zero + ((uint64_t)(keys[1][ROUNDS - 1] ^ 0x80008000u) << 32 | 0x80008000u);
    c.limit = (vhalf){0} + (int16_t)(threshold ^ 0x8000u); /* below 65536, as the rate is below 1 */
    return c;
}

/* Counters' words as 64-bit lanes: 1 and 0, 3 and 2; low first. */
INLINE void ten_rounds(const call_constants *c, vlong counter, vlong *words10, vlong *words32) {
    const vlong m0 = (vlong){0} + XC_PHILOX_M0, m1 = (vlong){0} + XC_PHILOX_M1;
    const vlong first = multiply_low(counter, m0), second = multiply_low(first >> 32 ^ c->key1[0], m1);
    const vlong third0 = multiply_low(second >> 32 ^ c->key0[1], m0), third1 = multiply_low(first ^ c->key1[1], m1);
    vlong c0 = third1 >> 32 ^ second ^ c->key0[2], c1 = third1, c2 = third0 >> 32 ^ c->key1[2], c3 = third0;
#pragma GCC unroll 6
    for (int round = 3; round < ROUNDS - 1; round++) {
        const vlong p0 = multiply_low(c0, m0), p1 = multiply_low(c2, m1);
        c0 = p1 >> 32 ^ c1 ^ c->key0[round];
        c1 = p1;
        c2 = p0 >> 32 ^ c3 ^ c->key1[round];
        c3 = p0;
    }
    *words10 = multiply_low(c2, m1) ^ c1 << 32 ^ c->key0[ROUNDS - 1];
    *words32 = multiply_low(c0, m0) ^ c3 << 32 ^ c->key1[ROUNDS - 1];
}

/* Bytes of COUNTERS counters where their numbers are below the limit, first counter lowest. */
INLINE uint64_t small_numbers(vlong words10, vlong words32, vhalf limit) {
    const vhalf small10 = (vhalf)words10 < limit, small32 = (vhalf)words32 < limit;
#if defined(XC_ISA_avx2)
    const __m256i order = _mm256_setr_epi8(2, 3, 0, 1, 10, 11, 8, 9, 6, 7, 4, 5, 14, 15, 12, 13, 2, 3, 0, 1, 10, 11, 8,
                                           9, 6, 7, 4, 5, 14, 15, 12, 13);
    const __m256i bytes = _mm256_packs_epi16((__m256i)small10, (__m256i)small32);
    return (uint32_t)_mm256_movemask_epi8(_mm256_shuffle_epi8(bytes, order));
#elif defined(__SSE2__) && VECTOR_BYTES == 16
    const __m128i bytes = _mm_packs_epi16(_mm_shuffle_epi32((__m128i)small10, 0xb1), /* words 0 1, of both counters */
                                          _mm_shuffle_epi32((__m128i)small32, 0xb1));
    return (uint32_t)_mm_movemask_epi8(_mm_shuffle_epi32(bytes, 0xd8));
#else
    const vlong bits = ((vlong)small10 & 0x0002000100080004u) | ((vlong)small32 & 0x0020001000800040u);
    const vlong pairs = bits | bits >> 32, all = pairs | pairs >> 16;
    uint64_t bytes = 0;
    for (int i = 0; i < COUNTERS; i++) bytes |= (all[i] & 0xff) << 8 * i;
    return bytes;
#endif
}

void xc_cpu_dropout(uint8_t *dropped, size_t first, size_t count, uint32_t threshold, uint64_t seed, uint32_t stream,
                    uint64_t step) {
    const call_constants c = constants_of(threshold, seed, stream, step);
    const size_t bytes = (count + 7) / 8;
    vlong counter;
    for (int i = 0; i < COUNTERS; i++) counter[i] = first / 8 + (uint64_t)i;
    for (size_t at = 0; at < bytes; at += VECTORS * COUNTERS) {
        vlong words10[VECTORS], words32[VECTORS];
        for (int v = 0; v < VECTORS; v++, counter += COUNTERS) ten_rounds(&c, counter, &words10[v], &words32[v]);
        uint8_t made[VECTORS * 8];
        for (int v = 0; v < VECTORS; v++) {
            const uint64_t some = small_numbers(words10[v], words32[v], c.limit);
            memcpy(made + v * COUNTERS, &some, sizeof some);
        }
        if (bytes - at >= VECTORS * COUNTERS)
            memcpy(dropped + at, made, VECTORS * COUNTERS);
        else
            memcpy(dropped + at, made, bytes - at);
    }
}
