/* ppm_collect.c: one thread's collection of hits: takes the activations above their filter's threshold to the lists of
 * ppm_list.c, and follows the largest. Every activation of a split passes through here once.
 */
#include <assert.h>
#include <math.h>

#include "ppm.h"

#define CHUNK_HITS 509 /* 4096 bytes a chunk */
#define POOL_CHUNKS 2048

void xc_ppm_plan_make(xc_ppm_plan *plan, const xc_block *block, const xc_dna_view *dna, uint32_t window,
                      const float *fraction, uint32_t thresholds, const xc_ppm_memory *memory) {
    const int64_t half = window / 2, length = dna->length;
    const int64_t start = (block->width - 1) / 2 - block->pad_left - half; /* of the window of activation 0 */
    const int64_t first = start < 1 ? 1 - start : 0;                       /* its window begins after position 0 */
    int64_t end = length - window - start; /* windows before this one end before the sequence does */
    if (end > block->conv_length) end = block->conv_length;
    assert(window % 2 == 0 && window > 0 && window <= XC_PPM_WIDEST);
    *plan = (xc_ppm_plan){.dna = dna,
                          .filters = (uint32_t)block->filters,
                          .length = dna->length,
                          .conv_length = (uint32_t)block->conv_length,
                          .window = window,
                          .first = (uint32_t)(first < end ? first : 0),
                          .end = (uint32_t)(first < end ? end : 0),
                          .start = (uint32_t)start,
                          .thresholds = thresholds,
                          .fraction = fraction};
    plan->memory =
        (xc_ppm_memory){.chunks = POOL_CHUNKS, .hits = CHUNK_HITS, .reach = UINT32_MAX / (4 * dna->row_bytes)};
    if (memory) plan->memory = *memory;
    if (plan->memory.chunks < 2 * plan->filters) plan->memory.chunks = 2 * plan->filters;
    for (int byte = 0; byte < 256; byte++)
        for (int i = 0; i < 4; i++) plan->one_hot[byte][4 * i + (byte >> 2 * i & 3)] = 1;
}

/* ---- scanning ---------------------------------------------------------------------------------------------------- */

static xc_status not_finite(const xc_ppm_collector *c, uint32_t filter, float activation) {
    return xc_fail(
        c->error, XC_INPUT,
        "the first layer's filter %u has an activation that is not finite (%g); the network has diverged and "
        "has no motifs, train it again with a lower learning rate or clip",
        (unsigned)filter, (double)activation);
}

/* The hits that were found among activations (rows,filters), `first` the first of the filters that were searched.
 * `place`: of the first row's window; `step`: from a row's to the next; `inside`: whether these count. Where the
 * largest rises, what was found for less is kept too. One loop over the bits of all words, without a branch on where
 * one ends: that would be missed too often. */
static xc_status take(xc_ppm_collector *c, uint32_t first, uint32_t count, const float *activations, uint32_t place,
                      uint32_t step, bool inside) {
    const size_t filters = c->plan->filters;
    const uint64_t *found = c->found;
    uint32_t bits = (uint32_t)found[0];
    for (uint32_t i = 0; i < count;) {
        const uint32_t row = found[i] >> 32, next = (uint32_t)found[i + 1], f = first + (uint32_t)__builtin_ctz(bits);
        const float activation = activations[row * filters + f];
        xc_ppm_list *list = &c->list[f];
        if (__builtin_expect(!(activation <= list->largest), 0)) {
            if (!isfinite(activation)) return not_finite(c, f, activation);
            list->largest = activation;
            xc_ppm_set_threshold(c, f);
        }
        __builtin_prefetch(list->end + 12, 1); /* so that the store of a later hit need not wait for memory */
        *list->end = (xc_ppm_hit){activation, place + step * row};
        list->end += inside;
        if (__builtin_expect(list->end == list->limit, 0)) {
            const xc_status status = xc_ppm_extend(c, list);
            if (status != XC_OK) return status;
        }
        bits &= bits - 1;
        const uint32_t done = bits == 0;
        bits |= next & (0 - done);
        i += done;
    }
    return XC_OK;
}

/* Positions first .. end - 1 of a sequence, whose windows are all inside, or none. `place`: of position 0's. */
static xc_status scan(xc_ppm_collector *c, const float *activations, uint32_t first, uint32_t end, uint32_t place,
                      uint32_t step, bool inside) {
    const uint32_t filters = c->plan->filters;
    for (uint32_t row = first; row < end; row += XC_PPM_ROWS) {
        const uint32_t rows = end - row < XC_PPM_ROWS ? end - row : XC_PPM_ROWS;
        const float *from = activations + (size_t)row * filters;
        for (uint32_t f = 0, some; f < filters; f += some) {
            some = xc_ppm_together(filters - f);
            const uint32_t found = xc_ppm_find(from + f, rows, filters, c->threshold + f, some, c->found);
            const xc_status status = take(c, f, found, from, place + step * row, step, inside);
            if (status != XC_OK) return status;
        }
    }
    return XC_OK;
}

xc_status xc_ppm_scan(xc_ppm_collector *c, uint32_t index, const float *activations) {
    xc_status status = XC_OK;
    const xc_ppm_plan *plan = c->plan;
    const uint32_t sequence = index & ~XC_REVERSE_COMPLEMENT, row_bases = 4 * plan->dna->row_bytes;
    const bool reverse = index & XC_REVERSE_COMPLEMENT;
    if (!c->started || reverse != c->reverse || sequence < c->sequence || sequence - c->sequence >= plan->memory.reach)
        XC_TRY(xc_ppm_begin_origin(c, sequence, reverse));
    /* Modulo 2^32; the result is right for windows that are inside. */
    const uint32_t origin = (sequence - c->sequence) * row_bases, step = reverse ? UINT32_MAX : 1;
    const uint32_t place = origin + (reverse ? plan->length - plan->window - plan->start : plan->start);
    XC_TRY(scan(c, activations, 0, plan->first, place, step, false));
    XC_TRY(scan(c, activations, plan->first, plan->end, place, step, true));
    XC_TRY(scan(c, activations, plan->end, plan->conv_length, place, step, false));
fail:
    return status;
}
