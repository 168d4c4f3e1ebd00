/* motif.h: sizes of the lookup convolution, for motif.c and layout.c. */
#ifndef EXPCONV_CPU_MOTIF_H
#define EXPCONV_CPU_MOTIF_H

#include "trial.h"

/* Letters are A C G T N = 0..4; N is also what lies beyond the ends. Three taps share a table of all their words. */
#define MOTIF_TAPS 3
#define MOTIF_WORDS 125

INLINE size_t motif_groups(size_t width) { return (width + MOTIF_TAPS - 1) / MOTIF_TAPS; }

/* Word numbers of one sequence: one for every place at which a group of taps can begin. */
INLINE size_t motif_code_count(size_t conv_length, size_t width) {
    return round_up(conv_length + MOTIF_TAPS * motif_groups(width), 32);
}

#endif
