/* motif_tables.c: tables of the sums that a group of three taps can have, one row a word of three letters, and their
 * mirror, which folds gradients of table rows back to taps. Sums are made in double and rounded once.
 */
#include "motif.h"

/* One vector of columns of one tap's rows. */
typedef struct tap_rows {
    double of[MOTIF_LETTERS][LANES];
} tap_rows;

/* Rows of tap k times the factor; 0 for taps beyond the kernel. */
static tap_rows load_tap(const cpu_trial *b, size_t k, size_t c) {
    tap_rows tap = {{{0}}};
    if (k >= b->width) return tap;
    for (size_t a = 0; a < MOTIF_LETTERS; a++) {
        const double *from = b->motif.taps + (k * MOTIF_LETTERS + a) * b->columns + c;
        for (size_t i = 0; i < LANES; i++) tap.of[a][i] = from[i] * b->motif.factor[c + i];
    }
    return tap;
}

INLINE vfloat larger(vfloat most, vfloat value) { return v_select((value > most) | (value != value), value, most); }

/* One vector of columns of group g's table, rows `wide` floats apart; returns the largest magnitude. */
static vfloat build_table(const cpu_trial *b, float *table, size_t g, size_t c, size_t wide) {
    tap_rows taps[MOTIF_TAPS];
    vfloat most = v_set(0);
    for (size_t t = 0; t < MOTIF_TAPS; t++) taps[t] = load_tap(b, g * MOTIF_TAPS + t, c);
    for (size_t a = 0; g == 0 && a < MOTIF_LETTERS; a++)
        for (size_t i = 0; i < LANES; i++) taps[0].of[a][i] += b->motif.offset[c + i];
    for (size_t pair = 0; pair < MOTIF_LETTERS * MOTIF_LETTERS; pair++) {
        const size_t first = pair / MOTIF_LETTERS, second = pair % MOTIF_LETTERS;
        double two[LANES];
        for (size_t i = 0; i < LANES; i++) two[i] = taps[0].of[first][i] + taps[1].of[second][i];
        for (size_t third = 0; third < MOTIF_LETTERS; third++) {
            float *row = table + motif_word(first, second, third) * wide;
            for (size_t i = 0; i < LANES; i++) row[i] = (float)(two[i] + taps[2].of[third][i]);
            most = larger(most, v_abs(v_load(row)));
        }
    }
    return most;
}

void xc_cpu_motif_build(cpu_trial *b, xc_range columns) {
    const size_t groups = motif_groups(b->width);
    for (size_t c = columns.begin; c < columns.end; c += LANES) {
        const size_t panel = c / MOTIF_PANEL * MOTIF_PANEL, wide = (size_t)motif_vectors(b, panel) * LANES;
        float *table = b->panels + motif_panel_at(b, panel) + (c - panel);
        vfloat sum = v_set(0);
        for (size_t g = 0; g < groups; g++, table += MOTIF_WORDS * wide) sum += build_table(b, table, g, c, wide);
        v_store(b->motif.reach + c, sum);
    }
}

/* Sums of the rows of group g's table by tap and letter. */
static void fold_table(const float *table, size_t wide, tap_rows *taps) {
    memset(taps, 0, MOTIF_TAPS * sizeof *taps);
    for (size_t pair = 0; pair < MOTIF_LETTERS * MOTIF_LETTERS; pair++) {
        const size_t first = pair / MOTIF_LETTERS, second = pair % MOTIF_LETTERS;
        double two[LANES] = {0};
        for (size_t third = 0; third < MOTIF_LETTERS; third++) {
            const float *row = table + motif_word(first, second, third) * wide;
            for (size_t i = 0; i < LANES; i++) {
                taps[2].of[third][i] += row[i];
                two[i] += row[i];
            }
        }
        for (size_t i = 0; i < LANES; i++) {
            taps[0].of[first][i] += two[i];
            taps[1].of[second][i] += two[i];
        }
    }
}

void xc_cpu_motif_fold(cpu_trial *b, size_t c, xc_range groups) {
    const size_t wide = (size_t)motif_vectors(b, c) * LANES;
    for (size_t v = 0; v < wide; v += LANES)
        for (size_t g = groups.begin; g < groups.end; g++) {
            tap_rows taps[MOTIF_TAPS];
            fold_table(b->motif.sums + motif_panel_at(b, c) + g * MOTIF_WORDS * wide + v, wide, taps);
            for (size_t t = 0; t < MOTIF_TAPS && g * MOTIF_TAPS + t < b->width; t++)
                for (size_t a = 0; a < MOTIF_LETTERS; a++)
                    memcpy(b->motif.response + ((g * MOTIF_TAPS + t) * MOTIF_LETTERS + a) * b->columns + c + v,
                           taps[t].of[a], sizeof taps[t].of[a]);
        }
}
