/* attribution.h: which bases a trained network's output rests on: four methods, what they are measured against, and
 * their files. All arrays of one sequence are (4,L): rows A C G T, as in the files.
 */
#ifndef EXPCONV_ATTRIBUTION_H
#define EXPCONV_ATTRIBUTION_H

#include "expconv/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- settings --------------------------------------------------------------------------------------------------- */

/* X(ENUM, "name in configs and options"). */
#define XC_ATTRIBUTION_METHODS(X)                      \
    X(XC_SALIENCY, "saliency")                         \
    X(XC_INTEGRATED_GRADIENTS, "integrated_gradients") \
    X(XC_MUTAGENESIS, "mutagenesis")                   \
    X(XC_DEEPSHAP, "deepshap")

#define XC_METHOD_ENUM(name, word) name,
typedef enum xc_attribution_method { XC_ATTRIBUTION_METHODS(XC_METHOD_ENUM) XC_METHOD_COUNT } xc_attribution_method;
#undef XC_METHOD_ENUM

/* X(ENUM, "name"): what integrated gradients start from and deepshap compares with. */
#define XC_BACKGROUNDS(X)                                                                          \
    X(XC_BACKGROUND_SHUFFLE, "shuffle")           /* the sequence's own bases in another order */  \
    X(XC_BACKGROUND_DINUCLEOTIDE, "dinucleotide") /* the same with all pairs of neighbours kept */ \
    X(XC_BACKGROUND_ZERO, "zero")                 /* zeros in every channel */                     \
    X(XC_BACKGROUND_FILE, "file")                 /* sequences of a file, the same for all */

#define XC_BACKGROUND_ENUM(name, word) name,
typedef enum xc_background { XC_BACKGROUNDS(XC_BACKGROUND_ENUM) XC_BACKGROUND_COUNT } xc_background;
#undef XC_BACKGROUND_ENUM

/* X(ENUM, "name"): where on the way from background to sequence gradients are taken, with which weights. */
#define XC_QUADRATURES(X)                                                                               \
    X(XC_QUADRATURE_LEFT, "left")         /* 0, 1/steps, ...: the paper's, an error of order 1/steps */ \
    X(XC_QUADRATURE_MIDPOINT, "midpoint") /* 1/2 further each */                                        \
    X(XC_QUADRATURE_GAUSS, "gauss")       /* Gauss-Legendre */

#define XC_QUADRATURE_ENUM(name, word) name,
typedef enum xc_quadrature { XC_QUADRATURES(XC_QUADRATURE_ENUM) XC_QUADRATURE_COUNT } xc_quadrature;
#undef XC_QUADRATURE_ENUM

const char *xc_method_word(xc_attribution_method method);
const char *xc_background_word(xc_background background);
const char *xc_quadrature_word(xc_quadrature quadrature);

#define XC_MOST_STEPS 1000
#define XC_MOST_BACKGROUNDS 1000

typedef struct xc_attribution_settings {
    xc_attribution_method method;
    int32_t class_index;      /* whose output is explained, from 0 */
    bool probability;         /* of the output after its link; false: the logit */
    xc_background background; /* this and the next two: of integrated gradients and deepshap */
    uint32_t backgrounds;     /* a sequence; 1 of XC_BACKGROUND_ZERO, all there are of XC_BACKGROUND_FILE */
    const xc_split *file;     /* of XC_BACKGROUND_FILE; the caller's */
    uint32_t steps;           /* of integrated gradients */
    xc_quadrature quadrature;
    uint64_t seed; /* of the shuffles */
} xc_attribution_settings;

/* ---- attribution ------------------------------------------------------------------------------------------------ */

/* What is known of `count` sequences that stand together among those asked for. Borrowed: good within the call.
 *
 *   hypothetical   of each base what it would add if it stood there: gradients (saliency); differences to the output
 *                  (mutagenesis, 0 at the base that is there); for the others, with m the mean gradient or multiplier
 *                  of a background, the mean over backgrounds of m at the base less m at the background's base
 *   contributions  what is scored: gradient times input (saliency); the norm of a position's differences, at the base
 *                  that is there (mutagenesis); the mean over backgrounds of m times (sequence - background), for
 *                  integrated gradients and deepshap: its sum is the output's difference but for `gap`
 *   output         the logit or probability that is explained
 *   gap            sum of the contributions less (output - mean output of the backgrounds); 0 of saliency and
 *                  mutagenesis
 */
typedef struct xc_attribution_part {
    size_t first, count;
    const float *hypothetical;  /* (count,4,L) */
    const float *contributions; /* (count,4,L) */
    const float *output, *gap;  /* (count) */
} xc_attribution_part;

typedef xc_status xc_attribution_sink(void *context, const xc_attribution_part *part, xc_error *error);

/* Attributions of the sequences of `index` (count; words of backend.h: numbers of the split, with
 * XC_REVERSE_COMPLEMENT), handed to `sink` in order by the caller's thread. Memory does not grow with `count`. The same
 * bytes for any number of threads (0: all cores).
 *
 * Refuses: sequences or backgrounds of another length than the network's, a class that it has not, no steps, no
 * backgrounds. XC_INTERRUPTED when xc_interrupted(); what the sink fails with.
 * Sources: Simonyan et al. 2013 (saliency); Sundararajan et al. 2017 (integrated gradients); Zhou & Troyanskaya 2015
 * (mutagenesis); Shrikumar et al. 2017, rescale rule, and Lundberg & Lee 2017 (deepshap). */
xc_status xc_attribute(const xc_network *network, const xc_backend *backend, const xc_split *split,
                       const uint32_t *index, size_t count, const xc_attribution_settings *settings, int threads,
                       xc_attribution_sink *sink, void *context, xc_error *error);

/* ---- backgrounds ------------------------------------------------------------------------------------------------ */

/* Background number `number` of a sequence, both as codes (length; 0..3, XC_BASE_N). Depends on its arguments alone.
 *   shuffle       a permutation, each as likely as any other
 *   dinucleotide  a sequence with the same number of each pair of neighbours, each as likely as any other: a random
 *                 Euler path, with the first and last base where they were. N is a letter like the others.
 * `work` holds xc_shuffle_work(length) bytes, whatever was in it. Thread safe.
 * Source: Altschul & Erickson 1985; last exits by Wilson 1996 (a random walk's loop-erased tree). */
void xc_shuffle(const uint8_t *codes, uint32_t length, uint64_t seed, uint64_t sequence, uint32_t number, uint8_t *to,
                void *work);
void xc_shuffle_dinucleotides(const uint8_t *codes, uint32_t length, uint64_t seed, uint64_t sequence, uint32_t number,
                              uint8_t *to, void *work);
size_t xc_shuffle_work(uint32_t length);

/* ---- scores ----------------------------------------------------------------------------------------------------- */

/* How well contributions find what a sequence was made of. A position's label: whether its information, 2 + sum of
 * p log2(p + 1e-10) of the probabilities it was drawn from, is above 0.01; its score: the contribution of the base that
 * is there (the sum over bases of contributions times the one-hot sequence). NaN where all positions have one label.
 * Source: Koo & Ploenzke 2021, and their published scripts. */
typedef struct xc_attribution_score {
    double auroc, aupr;
    double signal_to_noise; /* mean score where the label is set / mean of the 10 largest scores elsewhere */
} xc_attribution_score;

/* Of one sequence: codes (length), contributions (4,length), truth (4,length). `work` holds 3 * length floats. */
xc_attribution_score xc_attribution_score_of(const uint8_t *codes, uint32_t length, const float *contributions,
                                             const float *truth, float *work);

/* Means over sequences; NaN are left out. */
typedef struct xc_attribution_scores {
    size_t sequences; /* that had a score */
    xc_attribution_score mean, deviation;
} xc_attribution_scores;
xc_attribution_scores xc_attribution_scores_of(const xc_attribution_score *score, size_t count);

#ifdef __cplusplus
}
#endif
#endif
