/* dna.c: DNA at 2 bits a base: the builder that packs it, unpacking, and splits as the training loop indexes them. The
 * format (runs of N included) is in backend.h.
 */
#include <stdlib.h>
#include <string.h>

#include "dna.h"

/* The last position that a run can begin at, and one. */
#define SEQUENCE_LONGEST ((1u << (32 - XC_RUN_SHIFT)) - 1)

xc_status xc_dna_builder_open(xc_dna_builder *builder, uint32_t capacity, uint32_t length, xc_error *error) {
    *builder = (xc_dna_builder){.capacity = capacity, .length = length, .row_bytes = (length + 3) / 4};
    if (length < 1 || length > SEQUENCE_LONGEST)
        return xc_fail(error, XC_INPUT, "sequences of %u bases; 1 to %u can be held", length, SEQUENCE_LONGEST);
    return xc_allocate(&builder->bases, capacity, builder->row_bytes, "packed sequences", error);
}

xc_status xc_dna_builder_reserve(xc_dna_builder *builder, uint32_t capacity, xc_error *error) {
    if (capacity <= builder->capacity) return XC_OK;
    uint8_t *bases = realloc(builder->bases, (size_t)capacity * builder->row_bytes);
    if (bases) builder->bases = bases;
    uint32_t *run_start = NULL;
    if (builder->run_start) {
        run_start = realloc(builder->run_start, ((size_t)capacity + 1) * sizeof *run_start);
        if (run_start) builder->run_start = run_start;
    }
    if (!bases || (builder->run_start && !run_start))
        return xc_fail(error, XC_MEMORY, "out of memory for %u sequences of %u bases", capacity, builder->length);
    builder->capacity = capacity;
    return XC_OK;
}

static xc_status append_run(xc_dna_builder *builder, uint32_t first, uint32_t length, xc_error *error) {
    if (builder->run_count == builder->run_capacity) {
        const size_t capacity = builder->run_capacity ? 2 * builder->run_capacity : 256;
        uint32_t *larger = capacity > UINT32_MAX ? NULL : realloc(builder->runs, capacity * sizeof *larger);
        if (!larger) return xc_fail(error, XC_MEMORY, "out of memory for %zu runs of N", capacity);
        builder->runs = larger;
        builder->run_capacity = capacity;
    }
    builder->runs[builder->run_count++] = first << XC_RUN_SHIFT | length;
    return XC_OK;
}

/* Lists the runs of N of one sequence; codes (length). */
static xc_status append_runs(xc_dna_builder *builder, const uint8_t *codes, xc_error *error) {
    xc_status status = XC_OK;
    if (!builder->run_start)
        XC_TRY(xc_allocate(&builder->run_start, (size_t)builder->capacity + 1, sizeof *builder->run_start, "runs of N",
                           error));
    for (uint32_t first = 0; first < builder->length; first++) {
        if (codes[first] != XC_BASE_N) continue;
        uint32_t end = first + 1;
        while (end < builder->length && codes[end] == XC_BASE_N && end - first < XC_RUN_LONGEST) end++;
        XC_TRY(append_run(builder, first, end - first, error));
        first = end - 1;
    }
fail:
    return status;
}

/* Four codes a byte into row (row_bytes), N as 0. Returns whether there was an N. */
static bool pack_row(uint8_t *restrict row, const uint8_t *restrict codes, uint32_t length) {
    uint8_t any = 0;
    for (uint32_t l = 0; l < length; l++) any |= codes[l];
    const uint32_t whole = length / 4;
    for (uint32_t j = 0; j < whole; j++) {
        const uint8_t *c = codes + (size_t)4 * j;
        row[j] = (uint8_t)((c[0] & 3) | (c[1] & 3) << 2 | (c[2] & 3) << 4 | (c[3] & 3) << 6);
    }
    if (length % 4) row[whole] = 0;
    for (uint32_t l = 4 * whole; l < length; l++) row[whole] |= (uint8_t)((codes[l] & 3) << 2 * (l % 4));
    return any & XC_BASE_N;
}

xc_status xc_dna_builder_append(xc_dna_builder *builder, const uint8_t *codes, xc_error *error) {
    xc_status status = XC_OK;
    if (builder->sequences == builder->capacity)
        return xc_fail(error, XC_INPUT, "more than the %u sequences that were announced", builder->capacity);
    uint8_t *row = builder->bases + (size_t)builder->sequences * builder->row_bytes;
    if (pack_row(row, codes, builder->length)) XC_TRY(append_runs(builder, codes, error));
    builder->sequences++;
    if (builder->run_start) builder->run_start[builder->sequences] = (uint32_t)builder->run_count;
fail:
    return status;
}

void xc_dna_builder_part(const xc_dna_builder *whole, uint32_t first, uint32_t end, xc_dna_builder *part) {
    *part = (xc_dna_builder){.bases = whole->bases + (size_t)first * whole->row_bytes,
                             .capacity = end - first,
                             .length = whole->length,
                             .row_bytes = whole->row_bytes};
}

xc_status xc_dna_builder_join(xc_dna_builder *whole, const xc_dna_builder *parts, size_t count, xc_error *error) {
    xc_status status = XC_OK;
    size_t runs = 0;
    for (size_t i = 0; i < count; i++) runs += parts[i].run_count;
    whole->sequences = whole->capacity;
    if (!runs) return XC_OK;
    if (runs > UINT32_MAX) return xc_fail(error, XC_MEMORY, "out of memory for %zu runs of N", runs);
    XC_TRY(xc_allocate(&whole->run_start, (size_t)whole->capacity + 1, sizeof *whole->run_start, "runs of N", error));
    XC_TRY(xc_allocate(&whole->runs, runs, sizeof *whole->runs, "runs of N", error));
    whole->run_capacity = runs;
    uint32_t *run_start = whole->run_start + 1; /* the ends of a part's sequences */
    for (const xc_dna_builder *part = parts; part < parts + count; run_start += part++->capacity) {
        for (uint32_t i = 0; i < part->capacity; i++)
            run_start[i] = (uint32_t)whole->run_count + (part->run_start ? part->run_start[i + 1] : 0);
        if (part->run_count) memcpy(whole->runs + whole->run_count, part->runs, part->run_count * sizeof *part->runs);
        whole->run_count += part->run_count;
    }
fail:
    return status;
}

void xc_dna_parts_free(xc_dna_builder *parts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(parts[i].run_start);
        free(parts[i].runs);
    }
    free(parts);
}

void xc_dna_builder_finish(xc_dna_builder *builder, xc_dna_view *dna) {
    *dna = (xc_dna_view){.bases = builder->bases,
                         .run_start = builder->run_start,
                         .runs = builder->runs,
                         .sequences = builder->sequences,
                         .length = builder->length,
                         .row_bytes = builder->row_bytes};
    *builder = (xc_dna_builder){0};
}

void xc_dna_builder_free(xc_dna_builder *builder) {
    free(builder->bases);
    free(builder->run_start);
    free(builder->runs);
    *builder = (xc_dna_builder){0};
}

void xc_dna_unpack(const xc_dna_view *dna, uint32_t index, uint8_t *codes) {
    const uint32_t sequence = index & ~XC_REVERSE_COMPLEMENT, length = dna->length;
    const bool reverse = index & XC_REVERSE_COMPLEMENT;
    const uint8_t *row = dna->bases + (size_t)sequence * dna->row_bytes;
    for (uint32_t l = 0; l < length; l++) {
        const uint8_t code = row[l / 4] >> 2 * (l % 4) & 3;
        if (reverse)
            codes[length - 1 - l] = 3 - code;
        else
            codes[l] = code;
    }
    if (!dna->run_start) return;
    for (uint32_t run = dna->run_start[sequence]; run < dna->run_start[sequence + 1]; run++) {
        const uint32_t first = dna->runs[run] >> XC_RUN_SHIFT, count = dna->runs[run] & XC_RUN_LONGEST;
        memset(codes + (reverse ? length - first - count : first), XC_BASE_N, count);
    }
}

void xc_split_free(xc_split *split) {
    free((void *)split->dna.bases);
    free((void *)split->dna.run_start);
    free((void *)split->dna.runs);
    free((void *)split->labels);
    *split = (xc_split){0};
}

size_t xc_split_items(const xc_split *split) {
    return (size_t)split->dna.sequences * (split->reverse_complement ? 2 : 1);
}

uint32_t xc_split_index(const xc_split *split, size_t item) {
    const uint32_t sequences = split->dna.sequences;
    return item < sequences ? (uint32_t)item : (uint32_t)(item - sequences) | XC_REVERSE_COMPLEMENT;
}

xc_status xc_split_check_binary(const xc_split *split, const char *where, xc_error *error) {
    const size_t classes = (size_t)split->classes, count = split->dna.sequences * classes;
    for (size_t i = 0; i < count; i++)
        if (split->labels[i] != 0 && split->labels[i] != 1)
            return xc_fail(error, XC_INPUT, "%s: the label of sequence %zu, class %zu is %g; this loss needs 0 or 1",
                           where, i / classes, i % classes, (double)split->labels[i]);
    return XC_OK;
}
