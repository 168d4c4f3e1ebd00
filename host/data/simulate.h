/* simulate.h: the laws of the paper's synthetic tasks, apart from the file they are written to.
 *
 * Sequence i of a simulation is a function of (seed, i) alone, so it does not matter in which order they are made.
 */
#ifndef EXPCONV_HOST_DATA_SIMULATE_H
#define EXPCONV_HOST_DATA_SIMULATE_H

#include "expconv/data.h"

/* A motif as it is implanted: on one strand, standing for one class. */
typedef struct xc_implant {
    const xc_motif *motif;
    bool reverse;  /* its reverse complement */
    int32_t class; /* task motifs: whose label it sets */
} xc_implant;

typedef struct xc_simulator {
    const xc_simulation *simulation;
    xc_implant *implant;    /* what can be drawn; task grammar: first what positives draw from */
    uint32_t implants;      /* for negatives (and all of task motifs) */
    uint32_t core_implants; /* for positives of task grammar */
    uint32_t fewest;        /* implants in a sequence */
    int32_t classes;
    const char *const *class_names; /* (classes) */
    uint32_t *order;                /* (sequences) a permutation: row of the file to number of the sequence */
} xc_simulator;

/* Chooses the motifs of the task and the order of the sequences. Free with xc_simulator_free, also on failure. */
xc_status xc_simulator_open(xc_simulator *simulator, const xc_simulation *simulation, const xc_motif_list *motifs,
                            xc_error *error);
void xc_simulator_free(xc_simulator *simulator);

/* Makes sequence `number`: its probabilities model (4,length), bases drawn from them x (4,length) one-hot, labels y
 * (classes). Fails only when implants do not fit into the length. Thread safe. */
xc_status xc_simulator_draw(const xc_simulator *simulator, uint32_t number, float *model, int8_t *x, int8_t *y,
                            xc_error *error);

#endif
