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

/* The methods, backgrounds and quadratures are listed with the config, in model.h. */
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

/* ---- global importance ------------------------------------------------------------------------------------------ */

/* Of a pattern: the background's base stays. */
#define XC_PATTERN_KEEP 0xFFu

typedef struct xc_importance {
    double mean, deviation, standard_error; /* of the effect over backgrounds; deviation with n - 1 */
} xc_importance;

/* What each of `count` patterns (count,L), codes or XC_PATTERN_KEEP, adds to each output of the network, the logit or
 * probability, when it is put into the backgrounds: effects (count,classes). Refuses backgrounds of another length.
 * Source: Koo et al. 2021 (PLoS Comput Biol 17:e1008925). */
xc_status xc_global_importance(const xc_network *network, const xc_backend *backend, const xc_split *backgrounds,
                               const uint8_t *patterns, size_t count, bool probability, int threads,
                               xc_importance *effects, xc_error *error);

/* ---- a trial's file --------------------------------------------------------------------------------------------- */

#define XC_ATTRIBUTION_FILE "attribution.tsv"

/* What a config's attribution section is about: sequences of a split, and what they were drawn from. */
typedef struct xc_attribution_truth {
    uint32_t *index; /* (count) */
    size_t count;
    float *probabilities; /* (count,4,L) */
} xc_attribution_truth;

/* Reads the truth of the first config->sequences of a split that are labelled with its class, from the file that the
 * split, with its labels, was read from. Refuses a file without model_*, one of another shape, a class that the data
 * has not, and data without positives. Free with xc_attribution_truth_free. */
xc_status xc_attribution_truth_read(const char *path, xc_split_name name, const xc_split *split,
                                    const xc_attribution_config *config, xc_attribution_truth *truth, xc_error *error);
void xc_attribution_truth_free(xc_attribution_truth *truth);

typedef struct xc_trial_attribution {
    bool measured;
    xc_attribution_scores method[XC_METHOD_COUNT]; /* of the config's methods */
} xc_trial_attribution;

/* Explains the truth's sequences by each of the config's methods, scores the maps, and writes attribution.tsv into
 * `folder`, whole or not at all. Thread safe for different folders. */
xc_status xc_attribution_measure(const xc_network *network, const xc_attribution_config *config,
                                 const xc_backend *backend, const xc_split *split, const xc_attribution_truth *truth,
                                 int threads, const char *folder, xc_trial_attribution *scores, xc_error *error);

/* Reads attribution.tsv back; measured is false when there is none. Refuses one that is not of the config's methods. */
xc_status xc_attribution_read_scores(const char *folder, const xc_attribution_config *config,
                                     xc_trial_attribution *scores, xc_error *error);

/* Removes it. */
void xc_attribution_remove(const char *folder);

#ifdef __cplusplus
}
#endif
#endif
