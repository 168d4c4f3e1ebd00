/* ppm_list.c: the hits of each filter in lists of chunks from a bounded pool. What happens when the pool is empty is
 * told in ppm.h and done in make_room; so is the second reading that this may need. Which hits there are is found in
 * ppm_collect.c, and they are counted in ppm_count.c.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "ppm.h"

#define BLOCK_BYTES ((size_t)2 << 20)

/* ---- chunks ------------------------------------------------------------------------------------------------------ */

/* A chunk to the list's end; there must be one. */
static void add_chunk(xc_ppm_collector *c, xc_ppm_list *list) {
    xc_ppm_chunk *chunk = c->free;
    c->free = chunk->next;
    c->free_count--;
    chunk->next = NULL;
    chunk->sequence = c->sequence;
    chunk->reverse = c->reverse;
    if (list->last)
        list->last->next = chunk;
    else
        list->head = chunk;
    list->last = chunk;
    list->chunks++;
    list->end = chunk->hit;
    list->limit = chunk->hit + c->plan->memory.hits;
}

/* More chunks to the free ones, as far as the bound goes. Blocks begin as huge pages do, and are one where the system
 * has them: to touch a thousand small pages for the first time would take longer than to fill them. */
static xc_status make_chunks(xc_ppm_collector *c, xc_error *error) {
    const xc_ppm_memory *memory = &c->plan->memory;
    const size_t bytes = (sizeof(xc_ppm_chunk) + memory->hits * sizeof(xc_ppm_hit) + 63) / 64 * 64;
    const uint32_t left = memory->chunks - c->made, fit = bytes < BLOCK_BYTES ? (uint32_t)(BLOCK_BYTES / bytes) : 1;
    const uint32_t count = left < fit ? left : fit;
    const size_t size = (count * bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    xc_ppm_block *block;
    const xc_status status = xc_allocate(&block, 1, sizeof *block, "what activates the filters", error);
    if (status != XC_OK) return status;
    block->next = c->blocks;
    c->blocks = block;
    block->chunks = aligned_alloc(BLOCK_BYTES, size);
    if (!block->chunks)
        return xc_fail(error, XC_MEMORY, "out of memory: %zu bytes for what activates the filters", size);
#ifdef MADV_HUGEPAGE
    madvise(block->chunks, size, MADV_HUGEPAGE);
#endif
    for (uint32_t i = count; i-- > 0;) {
        xc_ppm_chunk *chunk = (xc_ppm_chunk *)(block->chunks + i * bytes);
        chunk->next = c->free;
        c->free = chunk;
    }
    c->free_count += count;
    c->made += count;
    return XC_OK;
}

/* ---- opening and closing ----------------------------------------------------------------------------------------- */

xc_status xc_ppm_open(xc_ppm_collector *c, const xc_ppm_plan *plan, xc_error *error) {
    xc_status status;
    *c = (xc_ppm_collector){.plan = plan, .error = error};
    XC_TRY(xc_allocate(&c->list, plan->filters, sizeof *c->list, "lists of hits", error));
    XC_TRY(xc_allocate(&c->threshold, plan->filters, sizeof *c->threshold, "thresholds", error));
    XC_TRY(xc_allocate(&c->again, plan->filters, sizeof *c->again, "filters", error));
    XC_TRY(xc_ppm_counts_open(&c->counts, plan, error));
    for (uint32_t f = 0; f < plan->filters; f++) {
        if (!c->free) XC_TRY(make_chunks(c, error));
        c->list[f].fraction = plan->fraction[0];
        add_chunk(c, &c->list[f]);
    }
fail:
    return status;
}

void xc_ppm_close(xc_ppm_collector *c) {
    while (c->blocks) {
        xc_ppm_block *next = c->blocks->next;
        free(c->blocks->chunks);
        free(c->blocks);
        c->blocks = next;
    }
    free(c->list);
    free(c->threshold);
    free(c->again);
    xc_ppm_counts_close(&c->counts);
    *c = (xc_ppm_collector){0};
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static uint32_t hits_of(const xc_ppm_list *list, const xc_ppm_chunk *chunk) {
    return chunk == list->last ? (uint32_t)(list->end - chunk->hit) : chunk->count;
}

void xc_ppm_set_threshold(xc_ppm_collector *c, uint32_t f) {
    c->threshold[f] = c->list[f].fraction * c->list[f].largest;
}

/* All chunks after `last` become free; last == NULL: all. */
static void cut(xc_ppm_collector *c, xc_ppm_list *list, xc_ppm_chunk *last) {
    xc_ppm_chunk *chunk = last ? last->next : list->head;
    while (chunk) {
        xc_ppm_chunk *next = chunk->next;
        chunk->next = c->free;
        c->free = chunk;
        c->free_count++;
        list->chunks--;
        chunk = next;
    }
    if (last)
        last->next = NULL;
    else
        list->head = NULL;
    list->last = last;
}

/* From now on the filter only follows its largest activation. */
static void stop(xc_ppm_collector *c, uint32_t f) {
    xc_ppm_list *list = &c->list[f];
    cut(c, list, NULL);
    list->fraction = 1;
    xc_ppm_set_threshold(c, f);
    list->end = &c->nowhere;
    list->limit = &c->nowhere + 1;
}

/* Drops the hits that are not above the threshold as it now is. Chunks are filled from the front of the list, each with
 * hits of one strand and origin; the last keeps its own, and room where it had any. */
static void compact(xc_ppm_collector *c, uint32_t f) {
    xc_ppm_list *list = &c->list[f];
    const uint32_t most = c->plan->memory.hits;
    const uint32_t last_sequence = list->last->sequence;
    const bool last_reverse = list->last->reverse;
    xc_ppm_chunk *to = list->head;
    uint32_t kept = 0;
    for (xc_ppm_chunk *from = list->head; from; from = from->next) {
        const uint32_t count = hits_of(list, from), sequence = from->sequence;
        const bool reverse = from->reverse;
        for (uint32_t i = 0; i < count; i++) {
            const xc_ppm_hit hit = from->hit[i];
            if (!(hit.activation > c->threshold[f])) continue;
            if (kept == most || (kept > 0 && (to->sequence != sequence || to->reverse != reverse))) {
                to->count = kept;
                to = to->next; /* `from` at most */
                kept = 0;
            }
            to->sequence = sequence;
            to->reverse = reverse;
            to->hit[kept++] = hit;
        }
    }
    if (to != list->last && (kept == most || to->sequence != last_sequence || to->reverse != last_reverse)) {
        to->count = kept;
        to = to->next;
        kept = 0;
    }
    to->sequence = last_sequence;
    to->reverse = last_reverse;
    cut(c, list, to);
    list->end = to->hit + kept;
    list->limit = to->hit + most;
}

/* Counts what a list holds, and empties it. */
static void drain(xc_ppm_collector *c, uint32_t f) {
    xc_ppm_list *list = &c->list[f];
    for (const xc_ppm_chunk *chunk = list->head; chunk; chunk = chunk->next)
        xc_ppm_count(c->plan, chunk, hits_of(list, chunk), f, list->largest, &c->counts);
    cut(c, list, NULL);
}

/* ---- room -------------------------------------------------------------------------------------------------------- */

/* The filter with the longest list gives it up. */
static void give_up_longest(xc_ppm_collector *c) {
    uint32_t longest = 0;
    for (uint32_t f = 1; f < c->plan->filters; f++)
        if (c->list[f].chunks > c->list[longest].chunks) longest = f;
    c->again[longest] = true;
    stop(c, longest);
}

/* Frees at least a part of the pool, so that this is not needed often. */
static void make_room(xc_ppm_collector *c) {
    const uint32_t enough = (c->plan->memory.chunks + 3) / 4;
    for (uint32_t f = 0; f < c->plan->filters; f++) {
        if (!c->list[f].head) continue;
        if (c->known) {
            drain(c, f);
            add_chunk(c, &c->list[f]);
        } else {
            compact(c, f);
        }
    }
    while (!c->known && c->free_count < enough) give_up_longest(c);
}

xc_status xc_ppm_extend(xc_ppm_collector *c, xc_ppm_list *list) {
    if (!list->last) { /* given up: a hit that nobody wants */
        list->end = &c->nowhere;
        return XC_OK;
    }
    if (!c->free && c->made < c->plan->memory.chunks) {
        const xc_status status = make_chunks(c, c->error);
        if (status != XC_OK) return status;
    }
    if (!c->free) make_room(c);
    if (!list->last) return XC_OK;   /* now it is given up */
    xc_ppm_chunk *last = list->last; /* may have room by now */
    if (last->sequence == c->sequence && last->reverse == c->reverse && list->end < list->limit) return XC_OK;
    last->count = (uint32_t)(list->end - last->hit);
    add_chunk(c, list);
    return XC_OK;
}

xc_status xc_ppm_begin_origin(xc_ppm_collector *c, uint32_t sequence, bool reverse) {
    c->sequence = sequence;
    c->reverse = reverse;
    c->started = true;
    for (uint32_t f = 0; f < c->plan->filters; f++) {
        xc_ppm_list *list = &c->list[f];
        if (!list->last) continue;
        if (list->end == list->last->hit) {
            list->last->sequence = sequence;
            list->last->reverse = reverse;
            continue;
        }
        const xc_status status = xc_ppm_extend(c, list);
        if (status != XC_OK) return status;
    }
    return XC_OK;
}

/* ---- the second reading ------------------------------------------------------------------------------------------ */

void xc_ppm_know(xc_ppm_collector *c, const float *largest, const bool *again) {
    for (uint32_t f = 0; f < c->plan->filters; f++) {
        xc_ppm_list *list = &c->list[f];
        list->largest = largest[f];
        if (!again[f]) drain(c, f);
        stop(c, f);
    }
    for (uint32_t f = 0; f < c->plan->filters; f++) {
        if (!again[f]) continue;
        c->list[f].fraction = c->plan->fraction[0];
        xc_ppm_set_threshold(c, f);
        add_chunk(c, &c->list[f]);
    }
    c->known = true;
}

void xc_ppm_finish(xc_ppm_collector *c) {
    for (uint32_t f = 0; f < c->plan->filters; f++) drain(c, f);
}
