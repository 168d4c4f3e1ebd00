/* tomtom_fixture.h: what the tests of Tomtom share: motifs as text, in few letters. Included once by a test program,
 * after cmocka.
 */
#ifndef EXPCONV_TOMTOM_FIXTURE_H
#define EXPCONV_TOMTOM_FIXTURE_H

#include "../host/motif/tomtom.h"
#include "data_fixture.h"

#define MEME "MEME version 4\n\nALPHABET= ACGT\n\n"
#define MOTIF(id, w) "MOTIF " id "\nletter-probability matrix: alength= 4 w= " #w " nsites= 20 E= 0\n"
#define A "1 0 0 0\n"
#define C "0 1 0 0\n"
#define G "0 0 1 0\n"
#define T "0 0 0 1\n"
#define FLAT "0.25 0.25 0.25 0.25\n"
#define MIXED "0.7 0.1 0.15 0.05\n"

static inline xc_motif_list read_text(const char *name, const char *text) {
    xc_motif_list motifs;
    MUST(xc_motif_read(fixture_text(name, text), &motifs, error));
    return motifs;
}

/* Columns of any kind, for motifs that a program writes. */
typedef struct column_source {
    uint32_t state;
} column_source;

static inline uint32_t next_number(column_source *source, uint32_t below) {
    source->state = source->state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)source->state * below >> 32);
}

#endif
