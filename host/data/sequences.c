/* sequences.c: one-hot datasets of any layout, numeric type and storage to packed DNA. Threads take slab after slab
 * (source.h), read each whole (slab.h) and pack it where its sequences belong; the runs of N are joined at the end.
 * What is wrong with the first slab that has something wrong is the error, whichever thread came upon it.
 */
#include <stdlib.h>
#include <string.h>

#include "dna.h"
#include "sequences.h"
#include "slab.h"

/* The values that are looked at together for the first fault, as double. */
#define FAULT_BYTES ((size_t)8 << 20)

/* Everything of a reading. What changes while threads read is under the source's lock. */
typedef struct reading {
    xc_source source;
    xc_dna_builder whole;
    xc_dna_builder *part; /* (slabs) */
    size_t next;          /* the slab that is taken next */
    size_t failed;        /* the first slab with something wrong; `slabs` when there is none */
    bool fault;           /* a column of that slab is not one-hot; else `error` says what is wrong */
    xc_error error;
} reading;

/* ---- faults ----------------------------------------------------------------------------------------------------- */

/* Whether column (4), `stride` apart, is one-hot or all zero. */
static bool good_column(const double *column, size_t stride) {
    int ones = 0;
    for (size_t base = 0; base < 4; base++) {
        if (column[base * stride] != 0 && column[base * stride] != 1) return false;
        ones += column[base * stride] == 1;
    }
    return ones <= 1;
}

/* Looks through the values (rows, 4 * length) of sequences; names the first column that is neither. */
static xc_status name_fault_in(const xc_source *source, const double *values, xc_range rows, xc_error *error) {
    const xc_slab_box box = xc_slab_box_of(source, rows.end - rows.begin, 4, source->length);
    const size_t stride = box.channel_stride;
    for (size_t row = 0; row < box.rows; row++) {
        for (size_t l = 0; l < source->length; l++) {
            const double *column = values + row * box.row_stride + l * box.position_stride;
            if (good_column(column, stride)) continue;
            return xc_fail(
                error, XC_INPUT,
                "%s: %s: sequence %zu, position %zu is not one-hot (%g %g %g %g); every column must be one-hot or "
                "all zero (both are counted from 0)",
                source->h5->path, source->header->x_name, rows.begin + row, l, column[0], column[stride],
                column[2 * stride], column[3 * stride]);
        }
    }
    return XC_OK;
}

/* Names the first fault of a slab; it is known that there is one, and here alone values are converted to numbers that
 * can be shown. */
static xc_status name_fault(const xc_source *source, xc_range slab, xc_error *error) {
    const size_t cells = 4 * source->length, fitting = FAULT_BYTES / (cells * sizeof(double));
    const size_t step = fitting ? fitting : 1;
    double *values; /* (step, 4 * length) */
    xc_status status;
    XC_TRY(xc_allocate(&values, step * cells, sizeof *values, "a slab of sequences", error));
    for (xc_range rows = {slab.begin, slab.begin}; rows.end < slab.end && status == XC_OK; rows.begin = rows.end) {
        rows.end = rows.begin + step < slab.end ? rows.begin + step : slab.end;
        status = xc_source_read(source, H5T_NATIVE_DOUBLE, rows, values, error);
        status = status == XC_OK ? name_fault_in(source, values, rows, error) : xc_source_unread(source, rows, error);
    }
    free(values);
    if (status != XC_OK) return status;
    status = xc_fail(error, XC_INPUT, "%s: %s: a column of sequences %zu to %zu is not one-hot", source->h5->path,
                     source->header->x_name, slab.begin, slab.end - 1);
fail:
    return status;
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

/* Takes the next slab; false when there is none, or an earlier one is wrong. */
static bool take_slab(reading *r, size_t *slab) {
    pthread_mutex_lock(&r->source.lock);
    *slab = r->next;
    const bool taken = *slab < r->failed;
    r->next += taken;
    pthread_mutex_unlock(&r->source.lock);
    return taken;
}

/* Notes what is wrong with a slab, unless an earlier one is wrong. */
static void note_failure(reading *r, size_t slab, bool fault, const xc_error *error) {
    pthread_mutex_lock(&r->source.lock);
    if (slab < r->failed) {
        r->failed = slab;
        r->fault = fault;
        r->error = *error;
    }
    pthread_mutex_unlock(&r->source.lock);
}

static xc_status read_slab(reading *r, xc_slab_reader *reader, size_t slab, bool *fault, xc_error *error) {
    const xc_range rows = xc_source_slab(&r->source, slab);
    if (xc_interrupted()) return xc_fail(error, XC_INTERRUPTED, "interrupted while reading %s", r->source.h5->path);
    xc_dna_builder_part(&r->whole, (uint32_t)rows.begin, (uint32_t)rows.end, &r->part[slab]);
    return xc_slab_read(reader, rows, &r->part[slab], fault, error);
}

static void read_slabs(void *context, int thread) {
    reading *r = context;
    xc_slab_reader reader;
    xc_error error = {0};
    size_t slab;
    (void)thread;
    pthread_mutex_lock(&r->source.lock);
    xc_h5_silence();
    pthread_mutex_unlock(&r->source.lock);
    xc_status status = xc_slab_reader_open(&reader, &r->source, &error);
    while (take_slab(r, &slab)) {
        bool fault = false;
        if (status == XC_OK) status = read_slab(r, &reader, slab, &fault, &error);
        if (status != XC_OK || fault) note_failure(r, slab, status == XC_OK, &error);
    }
    xc_slab_reader_close(&reader);
}

static xc_status read_all(reading *r, const xc_split_header *header, int threads, xc_error *error) {
    const size_t slabs = r->failed = r->source.slabs;
    xc_status status;
    XC_TRY(xc_dna_builder_open(&r->whole, (uint32_t)header->sequences, (uint32_t)header->length, error));
    XC_TRY(xc_allocate(&r->part, slabs, sizeof *r->part, "packed sequences", error));
    xc_parallel((size_t)threads < slabs ? threads : (int)slabs, read_slabs, r);
    if (r->failed == slabs) return xc_dna_builder_join(&r->whole, r->part, slabs, error);
    if (r->fault) return name_fault(&r->source, xc_source_slab(&r->source, r->failed), error);
    status = r->error.status;
    if (error) *error = r->error;
fail:
    return status;
}

xc_status xc_sequences_read(const xc_h5 *h5, const xc_split_header *header, int threads, xc_dna_view *dna,
                            xc_error *error) {
    xc_status status;
    reading *r = NULL;
    XC_TRY(xc_allocate(&r, 1, sizeof *r, "reading", error));
    status = xc_source_open(&r->source, h5, header, error);
    if (status == XC_OK) status = read_all(r, header, threads, error);
    if (status == XC_OK) xc_dna_builder_finish(&r->whole, dna);
    if (r->part) xc_dna_parts_free(r->part, r->source.slabs);
    xc_dna_builder_free(&r->whole);
    xc_source_close(&r->source);
fail:
    free(r);
    return status;
}
