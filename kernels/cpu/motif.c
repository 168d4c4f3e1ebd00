/* motif.c: the first layer by lookup. Taps are taken in threes; a group's table holds the sum of its three kernel rows
 * for every word of three letters, so that an output is one table row per group, added. The weight gradient is the
 * mirror: dz is added to the row that was read, and the tables are folded back to taps.
 *
 * N and what lies beyond the ends are a fifth letter, whose kernel row is zero: borders need no care. Tables lie in
 * panels of 2 LANES columns (the last of LANES where that is enough), which the first cache holds.
 */
#include "motif.h"

/* ---- sequences to words ------------------------------------------------------------------------------------------ */

/* Letters of one sequence at letters[0..L), reverse complement applied. */
static void unpack(const xc_dna_view *dna, uint32_t index, uint8_t *letters, size_t length) {
    const bool reverse = index & XC_REVERSE_COMPLEMENT;
    const uint32_t sequence = index & ~XC_REVERSE_COMPLEMENT;
    const uint8_t *row = dna->bases + (size_t)sequence * dna->row_bytes;
    if (reverse)
        for (size_t l = 0; l < length; l++) letters[length - 1 - l] = 3 - (row[l / 4] >> 2 * (l % 4) & 3);
    else
        for (size_t l = 0; l < length; l++) letters[l] = row[l / 4] >> 2 * (l % 4) & 3;
    if (!dna->run_start) return;
    for (uint32_t r = dna->run_start[sequence]; r < dna->run_start[sequence + 1]; r++) {
        const size_t first = dna->runs[r] >> XC_RUN_SHIFT, count = dna->runs[r] & XC_RUN_LONGEST;
        memset(letters + (reverse ? length - first - count : first), XC_BASE_N, count);
    }
}

/* Word numbers times LANES of all sequences: codes (N, code count). */
static void encode(cpu_trial *b) {
    uint8_t *letters = b->letters;
    const size_t count = motif_code_count(b->conv_length, b->width), left = (size_t)b->block->pad_left;
    const size_t beyond = left + b->length, total = count + 2 > beyond ? count + 2 : beyond;
    memset(letters, XC_BASE_N, total);
    for (size_t n = 0; n < b->batch; n++) {
        uint16_t *restrict codes = b->codes + n * count;
        unpack(b->dna, b->index[n], letters + left, b->length);
        for (size_t i = 0; i < count; i++)
            codes[i] = (uint16_t)((letters[i] * 25 + letters[i + 1] * 5 + letters[i + 2]) * LANES);
    }
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

/* Row of tap k for a letter at columns c..; zero for N and for taps beyond the kernel. */
INLINE vfloat tap_row(const cpu_trial *b, size_t k, size_t letter, size_t c) {
    if (letter == XC_BASE_N || k >= b->width || c >= b->filters) return v_set(0);
    return v_load_part(b->kernel + (k * 4 + letter) * b->filters + c, b->filters - c);
}

/* One vector of columns of a group's table; rows are `wide` floats apart. */
static void build_table(const cpu_trial *b, float *table, size_t first_tap, size_t c, size_t wide) {
    vfloat last[5];
    for (size_t i = 0; i < 5; i++) last[i] = tap_row(b, first_tap + 2, i, c);
    for (size_t word = 0; word < 25; word++) {
        const vfloat two = tap_row(b, first_tap, word / 5, c) + tap_row(b, first_tap + 1, word % 5, c);
        for (size_t i = 0; i < 5; i++) v_store(table + (word * 5 + i) * wide, two + last[i]);
    }
}

/* The mirror of build_table: sums of the table's rows by letter, added to dkernel. */
static void fold_table(cpu_trial *b, const float *table, size_t first_tap, size_t c, size_t wide) {
    vfloat sum[MOTIF_TAPS][5] = {{{0}}};
    for (size_t word = 0; word < MOTIF_WORDS; word++) {
        const vfloat row = v_load(table + word * wide);
        sum[0][word / 25] += row;
        sum[1][word / 5 % 5] += row;
        sum[2][word % 5] += row;
    }
    for (size_t t = 0; t < MOTIF_TAPS && first_tap + t < b->width; t++)
        for (size_t letter = 0; letter < 4; letter++) {
            float *to = b->dkernel + ((first_tap + t) * 4 + letter) * b->filters + c;
            v_store_part(to, v_load_part(to, b->filters - c) + sum[t][letter], b->filters - c);
        }
}

static void for_each_table(cpu_trial *b, bool build) {
    const size_t groups = motif_groups(b->width);
    for (size_t c = 0; c < b->filters; c += 2 * LANES) {
        const size_t wide = b->filters - c > LANES ? 2 * LANES : LANES;
        for (size_t g = 0; g < groups; g++) {
            float *table = b->panels + groups * MOTIF_WORDS * c + g * MOTIF_WORDS * wide;
            for (size_t v = 0; v < wide && c + v < b->columns; v += LANES)
                if (build)
                    build_table(b, table + v, g * MOTIF_TAPS, c + v, wide);
                else
                    fold_table(b, table + v, g * MOTIF_TAPS, c + v, wide);
        }
    }
}

/* ---- lookup ------------------------------------------------------------------------------------------------------ */

INLINE void look_up(const int vectors, const uint16_t *codes, const float *tables, size_t groups, const float *start,
                    float *z, size_t rows, size_t stride) {
    for (size_t l = 0; l < rows; l++) {
        vfloat sum[2];
        const float *table = tables;
        for (int v = 0; v < vectors; v++) sum[v] = v_load(start + v * LANES);
        for (size_t g = 0; g < groups; g++, table += MOTIF_WORDS * LANES * vectors)
            for (int v = 0; v < vectors; v++)
                sum[v] += v_load(table + (size_t)codes[l + MOTIF_TAPS * g] * (size_t)vectors + v * LANES);
        for (int v = 0; v < vectors; v++) v_store(z + l * stride + v * LANES, sum[v]);
    }
}

INLINE void scatter(const int vectors, const uint16_t *codes, float *tables, size_t groups, const float *dz,
                    size_t rows, size_t stride) {
    for (size_t l = 0; l < rows; l++) {
        vfloat d[2];
        float *table = tables;
        for (int v = 0; v < vectors; v++) d[v] = v_load(dz + l * stride + v * LANES);
        for (size_t g = 0; g < groups; g++, table += MOTIF_WORDS * LANES * vectors) {
            float *row = table + (size_t)codes[l + MOTIF_TAPS * g] * (size_t)vectors;
            for (int v = 0; v < vectors; v++) v_store(row + v * LANES, v_load(row + v * LANES) + d[v]);
        }
    }
}

/* Sequences n .. n + count - 1, panel by panel. */
static void walk(cpu_trial *b, size_t first, size_t count, bool forward) {
    const size_t groups = motif_groups(b->width), codes = motif_code_count(b->conv_length, b->width);
    for (size_t c = 0; c < b->filters; c += 2 * LANES) {
        float *tables = b->panels + groups * MOTIF_WORDS * c;
        const bool two = b->filters - c > LANES;
        for (size_t n = first; n < first + count; n++) {
            const uint16_t *code = b->codes + n * codes;
            float *z = cpu_z_row(b, n, 0) + c;
            if (forward && two)
                look_up(2, code, tables, groups, b->start + c, z, b->conv_length, b->columns);
            else if (forward)
                look_up(1, code, tables, groups, b->start + c, z, b->conv_length, b->columns);
            else if (two)
                scatter(2, code, tables, groups, z, b->conv_length, b->columns);
            else
                scatter(1, code, tables, groups, z, b->conv_length, b->columns);
        }
    }
}

void xc_cpu_motif_forward(cpu_trial *b) {
    const size_t chunk = cpu_chunk(b, b->conv_length, b->columns);
    xc_cpu_norm_begin(b);
    encode(b);
    for_each_table(b, true);
    for (size_t n = 0; n < b->batch; n += chunk) {
        const size_t count = b->batch - n < chunk ? b->batch - n : chunk;
        walk(b, n, count, true);
    }
    xc_cpu_norm_end(b);
}

void xc_cpu_motif_backward(cpu_trial *b) {
    const size_t chunk = cpu_chunk(b, b->conv_length, b->columns);
    encode(b);
    memset(b->panels, 0, motif_groups(b->width) * MOTIF_WORDS * b->columns * sizeof(float));
    for (size_t n = 0; n < b->batch; n += chunk) {
        const size_t count = b->batch - n < chunk ? b->batch - n : chunk;
        xc_cpu_tail_rows(b, n, count);
        walk(b, n, count, false);
    }
    for_each_table(b, false);
    if (!b->dx) return;
    xc_cpu_input_gradient_begin(b);
    xc_cpu_input_gradient(b, 0, b->batch);
}
