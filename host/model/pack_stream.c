/* pack_stream.c: batches of a split that the backend has no room for: gathered on the host into staging memory, brought
 * to the backend's with one copy, and read there as if they were a data set whose sequence t N + n is trial t's n-th.
 * A pack that trains has two places for batches, so that the next one is gathered and sent while the backend still
 * computes; one for inference has a single place.
 *
 * A place may be written when nobody reads it any more: the host its staging memory when the copy is done, the copy the
 * backend's when the ops are, which wait for the copy. `busy` says that ops were asked for and not yet waited for. In
 * training this never is so: the batch of step i + 1 goes where step i - 1's was, when step i's backward has been asked
 * for. Before that the loss of step i came to the host, which waits for all that was asked for before it: all of step
 * i - 1, and with it its copy. A batch that was sent ahead and dropped may still be on its way, and arrive as it will:
 * the one that is sent to its place next comes after it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"

/* ---- places ------------------------------------------------------------------------------------------------------ */

/* Where the parts of a batch are, in bytes from the start of a place, which is where bases (rows,row_bytes) are. What
 * has no fixed size comes last. */
typedef struct layout {
    size_t labels;    /* float (rows,classes) */
    size_t index;     /* uint32_t (rows) */
    size_t run_start; /* uint32_t (rows + 1), when the split has runs of N */
    size_t runs;      /* uint32_t (rows * most_runs) at most */
    size_t bytes;
} layout;

static size_t next_part(size_t *end, size_t bytes) {
    const size_t start = *end;
    *end += (bytes + 63) / 64 * 64;
    return start;
}

static layout lay_out(const xc_device_split *split, size_t rows) {
    layout l = {0};
    const bool runs = split->dna.run_start != NULL;
    next_part(&l.bytes, rows * split->dna.row_bytes);
    l.labels = next_part(&l.bytes, split->labels == NULL ? 0 : rows * (size_t)split->classes * sizeof(float));
    l.index = next_part(&l.bytes, rows * sizeof(uint32_t));
    l.run_start = next_part(&l.bytes, runs ? (rows + 1) * sizeof(uint32_t) : 0);
    l.runs = next_part(&l.bytes, rows * split->most_runs * sizeof(uint32_t));
    return l;
}

size_t xc_device_split_batch_bytes(const xc_device_split *split, int32_t trials, int32_t batch) {
    return split->streamed ? lay_out(split, (size_t)trials * (size_t)batch).bytes : 0;
}

void xc_pack_stream_waited(const xc_pack *pack) {
    for (int i = 0; pack->stream != NULL && i < 2; i++) pack->stream->place[i].busy = false;
}

/* All that was asked for is done: any number that comes back says so. */
static void wait(const xc_pack *pack) {
    uint32_t any;
    pack->backend->download(pack->backend, &any, xc_pack_at(pack, pack->plan.cursor), sizeof any);
    xc_pack_stream_waited(pack);
}

static void release_places(const xc_pack *pack) {
    pack_stream *stream = pack->stream;
    if (stream->bytes > 0) {
        pack->backend->await_sent(pack->backend);
        wait(pack);
    }
    for (int i = 0; i < stream->places; i++) {
        pack->backend->release(pack->backend, stream->place[i].memory);
        pack->backend->release_staging(pack->backend, stream->place[i].staging);
        stream->place[i] = (pack_place){0};
    }
    stream->bytes = 0;
}

xc_status xc_pack_reserve_split(xc_pack *pack, const xc_device_split *split, xc_error *error) {
    const xc_backend *backend = pack->backend;
    const size_t bytes = xc_device_split_batch_bytes(split, pack->capacity, pack->batch);
    if (!split->streamed) return XC_OK;
    if (pack->stream == NULL) {
        const xc_status status = xc_allocate(&pack->stream, 1, sizeof *pack->stream, "a stream", error);
        if (status != XC_OK) return status;
        pack->stream->places = pack->purpose == XC_FOR_TRAINING ? 2 : 1;
    }
    pack_stream *stream = pack->stream;
    if (bytes <= stream->bytes) return XC_OK;
    xc_pack_stream_drop(pack);
    release_places(pack);
    for (int i = 0; i < stream->places; i++) {
        pack_place *place = &stream->place[i];
        place->memory = backend->allocate(backend, bytes);
        place->staging = backend->allocate_staging(backend, bytes);
        if (place->memory != NULL && place->staging != NULL) continue;
        const bool device = place->memory == NULL;
        release_places(pack);
        return xc_fail(error, XC_MEMORY,
                       "model %s: no memory %s for batches of streamed data (%d times %.1f MB); use a smaller batch or "
                       "fewer trials at a time",
                       pack->model.name, device ? "on the device" : "of the host that the device can read",
                       stream->places, (double)bytes / 1e6);
    }
    stream->bytes = bytes;
    return XC_OK;
}

void xc_pack_stream_free(xc_pack *pack) {
    if (pack->stream == NULL) return;
    release_places(pack);
    free(pack->stream);
}

/* ---- a batch ----------------------------------------------------------------------------------------------------- */

/* The sequences of items (batch) as rows `first` and on; returns the runs that there are after them. */
static uint32_t gather(const xc_device_split *split, const layout *l, const uint32_t *items, size_t batch, size_t first,
                       uint32_t runs, char *to) {
    const xc_dna_view *dna = &split->dna;
    const size_t row_bytes = dna->row_bytes, classes = (size_t)split->classes;
    uint32_t *index = (uint32_t *)(to + l->index), *run_start = (uint32_t *)(to + l->run_start);
    for (size_t n = 0; n < batch; n++) {
        const size_t row = first + n, sequence = items[n] & ~XC_REVERSE_COMPLEMENT;
        index[row] = (uint32_t)row | (items[n] & XC_REVERSE_COMPLEMENT);
        memcpy(to + row * row_bytes, dna->bases + sequence * row_bytes, row_bytes);
        if (split->labels != NULL)
            memcpy((float *)(to + l->labels) + row * classes, split->labels + sequence * classes,
                   classes * sizeof(float));
        if (dna->run_start == NULL) continue;
        const uint32_t start = dna->run_start[sequence], count = dna->run_start[sequence + 1] - start;
        memcpy((uint32_t *)(to + l->runs) + runs, dna->runs + start, count * sizeof(uint32_t));
        run_start[row] = runs;
        runs += count;
        run_start[row + 1] = runs;
    }
    return runs;
}

/* Gathers a batch in a place and sends it: of index (T,batch), or the next of each order where index is NULL. */
static void send(xc_pack *pack, int32_t where, const xc_device_split *split, const uint32_t *index, int32_t batch) {
    pack_stream *stream = pack->stream;
    pack_place *place = &stream->place[where];
    const size_t n = (size_t)batch, trials = (size_t)pack->trials;
    const layout l = lay_out(split, trials * n);
    uint32_t runs = 0;
    if (place->busy) wait(pack);
    for (size_t t = 0; t < trials; t++) {
        const uint32_t *items = index != NULL ? index + t * n : pack->order_lent[t] + stream->taken;
        runs = gather(split, &l, items, n, t * n, runs, place->staging);
    }
    stream->split = *split;
    pack->backend->send(pack->backend, place->memory, place->staging, l.runs + runs * sizeof(uint32_t));
}

/* The place where no batch is that somebody may still read; the only one, if there is one. */
static int32_t other_place(const pack_stream *stream) { return stream->places > 1 ? 1 - stream->current : 0; }

void xc_pack_stream_drop(xc_pack *pack) {
    if (pack->stream != NULL) pack->stream->ahead = 0;
}

xc_status xc_pack_stream_bring(xc_pack *pack, const xc_device_split *split, const uint32_t *index, int32_t batch,
                               xc_error *error) {
    const xc_status status = xc_pack_reserve_split(pack, split, error);
    if (status != XC_OK) return status;
    xc_pack_stream_drop(pack);
    pack_stream *stream = pack->stream;
    send(pack, other_place(stream), split, index, batch);
    stream->current = other_place(stream);
    pack->backend->await_sent(pack->backend);
    return XC_OK;
}

xc_status xc_pack_stream_take(xc_pack *pack, const xc_device_split *split, int32_t batch, xc_error *error) {
    const xc_status status = xc_pack_reserve_split(pack, split, error);
    if (status != XC_OK) return status;
    pack_stream *stream = pack->stream;
    assert(stream->taken + (size_t)batch <= pack->order_items);
    if (stream->ahead != batch || stream->split.dna.bases != split->dna.bases) {
        xc_pack_stream_drop(pack);
        send(pack, other_place(stream), split, NULL, batch);
    }
    stream->ahead = 0;
    stream->current = other_place(stream);
    stream->taken += (size_t)batch;
    pack->backend->await_sent(pack->backend);
    return XC_OK;
}

void xc_pack_stream_send_ahead(xc_pack *pack, int32_t batch) {
    pack_stream *stream = pack->stream;
    const size_t left = pack->order_items - stream->taken;
    if (left == 0) return;
    const int32_t next = left < (size_t)batch ? (int32_t)left : batch;
    const xc_device_split split = stream->split;
    send(pack, other_place(stream), &split, NULL, next);
    stream->ahead = next;
}

void xc_pack_stream_show(xc_pack *pack) {
    const pack_stream *stream = pack->stream;
    const char *memory = stream->place[stream->current].memory;
    const size_t rows = (size_t)pack->trials * (size_t)pack->last_batch;
    const layout l = lay_out(&stream->split, rows);
    const bool runs = pack->dna.run_start != NULL;
    pack->dna.bases = (const uint8_t *)memory;
    pack->dna.run_start = runs ? (const uint32_t *)(memory + l.run_start) : NULL;
    pack->dna.runs = runs ? (const uint32_t *)(memory + l.runs) : NULL;
    pack->dna.sequences = (uint32_t)rows;
    if (pack->labels != NULL) pack->labels = (const float *)(memory + l.labels);
    pack->index = (const uint32_t *)(memory + l.index);
    xc_pack_stream_read(pack);
}

void xc_pack_stream_read(xc_pack *pack) {
    if (pack->last_streamed) pack->stream->place[pack->stream->current].busy = true;
}
