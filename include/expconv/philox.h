/* philox.h: randomness as a function. Philox4x32-10 maps (key, counter) to four random words with no state, so that
 * initial weights, epoch order, dropout masks and simulated data depend on the seed and on what is being drawn, never
 * on threads, pack size, backend or resume.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
#ifndef EXPCONV_PHILOX_H
#define EXPCONV_PHILOX_H

#include <stdint.h>

#ifdef __CUDACC__
#define XC_DEVICE_INLINE static __host__ __device__ __forceinline__
#else
#define XC_DEVICE_INLINE static inline
#endif

/* What a number is drawn for; the fourth word of the counter. Numbers are part of the reproducibility contract: never
 * renumber, only append. */
typedef enum xc_stream {
    XC_STREAM_WEIGHTS = 1,  /* substream: index of the parameter tensor */
    XC_STREAM_ORDER = 2,    /* substream: epoch, from 0 */
    XC_STREAM_DROPOUT = 3,  /* substream: see xc_dropout_threshold in backend.h */
    XC_STREAM_SIMULATE = 4, /* substream: what is being drawn, see host/data/simulate.c */
    XC_STREAM_SHUFFLE = 5,  /* the key: see host/attribution/shuffle.c; substream: number of the background */
} xc_stream;

typedef struct xc_philox_words {
    uint32_t word[4];
} xc_philox_words;

#define XC_PHILOX_M0 0xD2511F53u
#define XC_PHILOX_M1 0xCD9E8D57u
#define XC_PHILOX_W0 0x9E3779B9u
#define XC_PHILOX_W1 0xBB67AE85u

/* Ten rounds of Philox on the counter (c0, c1, c2, c3) under the key (k0, k1). */
XC_DEVICE_INLINE xc_philox_words xc_philox4x32(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
                                               uint32_t k1) {
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)XC_PHILOX_M0 * c0;
        const uint64_t p1 = (uint64_t)XC_PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += XC_PHILOX_W0;
        k1 += XC_PHILOX_W1;
    }
    const xc_philox_words out = {{c0, c1, c2, c3}};
    return out;
}

/* The four words number `index` of (seed, stream, substream). */
XC_DEVICE_INLINE xc_philox_words xc_random(uint64_t seed, xc_stream stream, uint32_t substream, uint64_t index) {
    return xc_philox4x32((uint32_t)index, (uint32_t)(index >> 32), substream, (uint32_t)stream, (uint32_t)seed,
                         (uint32_t)(seed >> 32));
}

/* Uniform in [0, 1) with 32 bits. */
XC_DEVICE_INLINE double xc_uniform(uint32_t word) { return (double)word * (1.0 / 4294967296.0); }

/* A state-free sequence made convenient: draws words one after another. For host code that draws many. */
typedef struct xc_random_sequence {
    uint64_t seed;
    xc_stream stream;
    uint32_t substream;
    uint64_t next; /* number of the next word */
    xc_philox_words words;
} xc_random_sequence;

static inline uint32_t xc_random_next(xc_random_sequence *sequence) {
    if (sequence->next % 4 == 0)
        sequence->words = xc_random(sequence->seed, sequence->stream, sequence->substream, sequence->next / 4);
    return sequence->words.word[sequence->next++ % 4];
}

/* Uniform integer in [0, bound), exactly (Lemire's multiplication with rejection); bound > 0. */
static inline uint32_t xc_random_below(xc_random_sequence *sequence, uint32_t bound) {
    uint64_t product = (uint64_t)xc_random_next(sequence) * bound;
    if ((uint32_t)product < bound) {
        const uint32_t threshold = (0u - bound) % bound;
        while ((uint32_t)product < threshold) product = (uint64_t)xc_random_next(sequence) * bound;
    }
    return (uint32_t)(product >> 32);
}

#endif
