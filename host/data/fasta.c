/* fasta.c: FASTA files, plain or compressed, to packed DNA. htslib opens and inflates them; its kseq.h cuts the
 * records.
 */
#include <errno.h>
#include <htslib/bgzf.h>
#include <htslib/hts.h>
#include <htslib/hts_log.h>
#include <htslib/kseq.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dna.h"

/* kseq takes a negative count for bytes and would never end, so it is shown the end of the file after a fault. */
typedef struct input {
    BGZF *file;
    bool failed;
} input;

static int read_input(input *in, void *bytes, size_t size) {
    const ssize_t count = in->failed ? 0 : bgzf_read(in->file, bytes, size);
    if (count >= 0) return (int)count;
    in->failed = true;
    return 0;
}

/* The macros of kseq.h define functions that we do not all call. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
KSEQ_INIT(input *, read_input)
#pragma GCC diagnostic pop

typedef struct fasta {
    const char *path;
    input input;
    kseq_t *record;
    xc_dna_builder builder;
    uint8_t *codes; /* (length) */
    char **names;   /* (builder.capacity) when wanted */
    bool want_names;
} fasta;

/* A C G T to 0..3, other IUPAC codes to N, everything else to -1. */
static int base_code(char letter) {
    switch (letter | 0x20) {
        case 'a':
            return 0;
        case 'c':
            return 1;
        case 'g':
            return 2;
        case 't':
            return 3;
        default:
            return letter && strchr("RYSWKMBDHVNryswkmbdhvn", letter) ? XC_BASE_N : -1;
    }
}

static xc_status grow(fasta *f, xc_error *error) {
    const uint32_t sequences = f->builder.sequences;
    if (sequences < f->builder.capacity) return XC_OK;
    if (sequences >= XC_REVERSE_COMPLEMENT / 2)
        return xc_fail(error, XC_INPUT, "%s: more than %u sequences", f->path, sequences);
    const xc_status status = xc_dna_builder_reserve(&f->builder, 2 * sequences, error);
    if (status != XC_OK || !f->want_names) return status;
    char **names = realloc(f->names, 2 * (size_t)sequences * sizeof *names);
    if (!names) return xc_fail(error, XC_MEMORY, "out of memory for %u names", 2 * sequences);
    f->names = names;
    return XC_OK;
}

static xc_status open_builder(fasta *f, uint32_t length, xc_error *error) {
    enum { FIRST_CAPACITY = 1024 };
    xc_status status;
    XC_TRY(xc_dna_builder_open(&f->builder, FIRST_CAPACITY, length, error));
    XC_TRY(xc_allocate(&f->codes, length, 1, "a sequence", error));
    if (f->want_names) XC_TRY(xc_allocate(&f->names, FIRST_CAPACITY, sizeof *f->names, "names", error));
    return XC_OK;
fail:
    return xc_fail_in(error, "%s: sequence \"%.100s\"", f->path, f->record->name.s);
}

static xc_status append_record(fasta *f, uint32_t length, xc_error *error) {
    const char *name = f->record->name.s, *bases = f->record->seq.s;
    const size_t count = f->record->seq.l;
    xc_status status = XC_OK;
    if (f->record->name.l == 0)
        return xc_fail(error, XC_INPUT, "%s: sequence %u, counted from 1, has no name after its \">\"", f->path,
                       f->builder.sequences + 1);
    if (count == 0) return xc_fail(error, XC_INPUT, "%s: sequence \"%.100s\" is empty", f->path, name);
    if (!f->codes)
        XC_TRY(open_builder(f, length ? length : (uint32_t)(count > UINT32_MAX ? UINT32_MAX : count), error));
    if (count != f->builder.length)
        return xc_fail(error, XC_INPUT, "%s: sequence \"%.100s\" has %zu bases, but %u are needed%s", f->path, name,
                       count, f->builder.length, length ? "" : ", as many as the first has");
    for (size_t l = 0; l < count; l++) {
        const int code = base_code(bases[l]);
        if (code < 0)
            return xc_fail(error, XC_INPUT, "%s: sequence \"%.100s\" has '%c' at base %zu, which is no DNA code",
                           f->path, name, bases[l], l + 1);
        f->codes[l] = (uint8_t)code;
    }
    XC_TRY(grow(f, error));
    if (f->want_names) {
        char *copy = strdup(name);
        if (!copy) return xc_fail(error, XC_MEMORY, "out of memory for names");
        f->names[f->builder.sequences] = copy;
    }
    status = xc_dna_builder_append(&f->builder, f->codes, error);
    if (status != XC_OK && f->want_names) free(f->names[f->builder.sequences]);
fail:
    return status;
}

/* A record before the fault may be cut, so the fault is told first. */
static xc_status read_records(fasta *f, uint32_t length, xc_error *error) {
    int result;
    while ((result = kseq_read(f->record)) >= 0 && !f->input.failed) {
        const xc_status status = append_record(f, length, error);
        if (status != XC_OK) return status;
    }
    if (f->input.failed)
        return xc_fail(error, XC_INPUT, "%s: damaged or cut short after %u sequences; copy it again", f->path,
                       f->builder.sequences);
    if (result < -1) return xc_fail(error, XC_INPUT, "%s: damaged after %u sequences", f->path, f->builder.sequences);
    if (f->builder.sequences == 0)
        return xc_fail(error, XC_INPUT, "%s: holds no sequence; a FASTA file has lines \">name\", then bases", f->path);
    return XC_OK;
}

xc_status xc_fasta_read(const char *path, uint32_t length, xc_split *split, char ***names, xc_error *error) {
    fasta f = {.path = path, .want_names = names != NULL};
    *split = (xc_split){0};
    if (names) *names = NULL;
    hts_set_log_level(HTS_LOG_OFF); /* faults are told in `error` */
    f.input.file = access(path, R_OK) == 0 ? bgzf_open(path, "r") : NULL;
    if (!f.input.file) return xc_fail(error, XC_IO, "%s: cannot read: %s", path, strerror(errno));
    /* bgzip ends a file with an empty block, without which a cut between two blocks would go unseen. */
    f.input.failed = bgzf_compression(f.input.file) == bgzf && bgzf_check_EOF(f.input.file) == 0;
    f.record = kseq_init(&f.input);
    xc_status status =
        f.record ? read_records(&f, length, error) : xc_fail(error, XC_MEMORY, "out of memory for %s", path);
    if (status == XC_OK) {
        xc_dna_builder_finish(&f.builder, &split->dna);
        if (names) *names = f.names;
    } else {
        for (uint32_t i = 0; f.names && i < f.builder.sequences; i++) free(f.names[i]);
        free(f.names);
    }
    if (f.record) kseq_destroy(f.record);
    bgzf_close(f.input.file);
    xc_dna_builder_free(&f.builder);
    free(f.codes);
    return status;
}
