/* dropout.cuh: which elements dropout keeps: xc_dropout_threshold in expconv/backend.h has the rule. Eight elements
 * share one block of Philox, so kernels ask for a few that follow each other.
 */
#ifndef EXPCONV_CUDA_DROPOUT_CUH
#define EXPCONV_CUDA_DROPOUT_CUH

#include "place.cuh"

/* A trial's dropout in one block; threshold 0: none. */
typedef struct dropout {
    uint64_t seed, step;
    uint32_t stream, threshold;
    float factor; /* of what is kept */
} dropout;

DEVICE uint32_t dropout_threshold(const cuda_call *c) {
    return c->training ? xc_dropout_threshold(c->block.dropout) : 0;
}
DEVICE float dropout_factor(const cuda_call *c) { return 65536.0f / (65536.0f - (float)dropout_threshold(c)); }

DEVICE dropout dropout_of(const cuda_call *c, int t) {
    const uint32_t threshold = dropout_threshold(c);
    dropout d = {0, 0, c->block.dropout_stream, threshold, dropout_factor(c)};
    if (threshold > 0) d.seed = c->seed[t], d.step = c->step[t];
    return d;
}

/* The numbers of elements 8 `eighth` .. 8 `eighth` + 7 of (N,Lc,F): two in a word, the low half first. */
DEVICE xc_philox_words dropout_words(const dropout *d, size_t eighth) {
    return xc_random(d->seed, XC_STREAM_DROPOUT, d->stream, d->step << 32 | eighth);
}

/* Bit i: whether element e + i is kept, of COUNT elements; e is a multiple of COUNT, which is 1, 4 or 8. */
template <int COUNT>
DEVICE unsigned dropout_bits(const dropout *d, size_t e) {
    if (d->threshold == 0) return (1u << COUNT) - 1;
    const xc_philox_words words = dropout_words(d, e / 8);
    unsigned bits = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) bits |= (unsigned)((words.word[i / 2] >> (i % 2 * 16) & 0xffffu) >= d->threshold) << i;
    return bits >> (e % 8) & ((1u << COUNT) - 1);
}

#endif
