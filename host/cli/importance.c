/* importance.c: `expconv importance`: what motifs, put into backgrounds, add to a trained network's outputs. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "expconv/attribution.h"

enum { MOST_MOTIFS = 16, MOST_GAPS = 256 };

static const cli_option options[] = {
    {"motif", "TEXT", "A C G T, and N where the background stays; given again: several, in this order"},
    {"motifs", "DB.meme", "take --motif as a name or identifier of this file: its most likely bases"},
    {"gap", "LIST", "bases between one motif and the next, as in 0,5,10: a row each (default: 0)"},
    {"position", "N", "of the first motif's first base, counted from 1 (default: all in the middle)"},
    {"data", "FILE.h5", "sequences that backgrounds are shuffled from (default: those of the training)"},
    {"split", "NAME", "train, valid or test (default: test)"},
    {"x", "NAME", "dataset of the sequences (default: as in training, or searched)"},
    {"background", "WHAT", "shuffle, or dinucleotide: with the same pairs of neighbours (default: dinucleotide)"},
    {"backgrounds", "N", "how many (default: 1000)"},
    {"of", "WHAT", "logit, or probability: after the sigmoid or softmax (default: logit)"},
    {"seed", "N", "of the shuffles (default: 0)"},
    {"out", "FILE.tsv", "file to write (default: stdout)"},
    {NULL, NULL, NULL},
};

typedef struct importance_run {
    const cli_arguments *arguments;
    xc_network network;
    xc_dataset dataset;
    xc_split backgrounds;
    char *motif[MOST_MOTIFS]; /* letters, owned */
    size_t motifs;
    uint32_t gap[MOST_GAPS];
    size_t gaps;
    uint8_t *patterns;      /* (gaps,L) */
    xc_importance *effects; /* (gaps,classes) */
} importance_run;

/* ---- motifs ------------------------------------------------------------------------------------------------------ */

/* The most likely base where it is likelier than all others together, else N. */
static char *consensus_of(const xc_motif *motif) {
    char *text = malloc(motif->width + 1);
    for (uint32_t i = 0; text && i < motif->width; i++) {
        text[i] = 'N';
        for (int b = 0; b < 4; b++)
            if (motif->ppm[4 * (size_t)i + (size_t)b] > 0.5f) text[i] = "ACGT"[b];
    }
    if (text) text[motif->width] = 0;
    return text;
}

static xc_status read_motif(const char *given, const xc_motif_list *database, char **text, xc_error *error) {
    const xc_motif *motif = database ? xc_motif_find(database, given) : NULL;
    if (database && !motif)
        return xc_fail(error, XC_INPUT, "%s: no motif of that name or identifier in the database", given);
    *text = motif ? consensus_of(motif) : strdup(given);
    if (!*text) return xc_fail(error, XC_MEMORY, "no memory for a motif");
    for (char *c = *text; *c; c++) {
        *c = (char)toupper((unsigned char)*c);
        if (!strchr("ACGTN", *c))
            return xc_fail(error, XC_USAGE, "--motif %s: '%c' is none of A C G T N; --motifs DB.meme reads names",
                           given, *c);
    }
    if (!**text) return xc_fail(error, XC_USAGE, "--motif is empty");
    return XC_OK;
}

static xc_status read_motifs(importance_run *run, xc_error *error) {
    xc_status status = XC_OK;
    xc_motif_list database = {0};
    const char *path = cli_value(run->arguments, "motifs");
    if (path) XC_TRY(xc_motif_read(path, &database, error));
    for (int i = 0; i < run->arguments->given_count; i++) {
        if (strcmp(run->arguments->given[i].name, "motif") != 0) continue;
        if (run->motifs == MOST_MOTIFS) {
            status = xc_fail(error, XC_USAGE, "more than %d motifs", MOST_MOTIFS);
            goto fail;
        }
        XC_TRY(read_motif(run->arguments->given[i].value, path ? &database : NULL, &run->motif[run->motifs++], error));
    }
    if (run->motifs == 0) status = xc_fail(error, XC_USAGE, "--motif is missing; add it, --help tells more");
fail:
    xc_motif_list_free(&database);
    return status;
}

static xc_status read_gaps(importance_run *run, xc_error *error) {
    const char *text = cli_value(run->arguments, "gap");
    run->gaps = 1;
    if (!text) return XC_OK;
    for (run->gaps = 0;; text++) {
        char *end;
        const unsigned long gap = strtoul(text, &end, 10);
        if (end == text || *text == '-' || gap > 1000000 || (*end && *end != ',') || run->gaps == MOST_GAPS)
            return xc_fail(error, XC_USAGE, "--gap %s: give up to %d whole numbers with ',' between them",
                           cli_value(run->arguments, "gap"), MOST_GAPS);
        run->gap[run->gaps++] = (uint32_t)gap;
        text = end;
        if (!*text) return XC_OK;
    }
}

/* The motifs with this gap, in the middle or at --position. */
static xc_status make_pattern(const importance_run *run, uint32_t gap, uint8_t *pattern, xc_error *error) {
    const size_t length = (size_t)run->network.model.length;
    size_t wide = (run->motifs - 1) * gap;
    uint64_t position = 0;
    for (size_t m = 0; m < run->motifs; m++) wide += strlen(run->motif[m]);
    const xc_status status = cli_number(run->arguments, "position", 1, length, &position, error);
    if (status != XC_OK) return status;
    size_t at = position > 0 ? position - 1 : wide < length ? (length - wide) / 2 : 0;
    if (at + wide > length)
        return xc_fail(error, XC_USAGE,
                       "the motifs with a gap of %u take %zu bases%s; the network's sequences have %zu", gap, wide,
                       position > 0 ? " from --position on" : "", length);
    memset(pattern, XC_PATTERN_KEEP, length);
    for (size_t m = 0; m < run->motifs; m++, at += gap)
        for (const char *c = run->motif[m]; *c; c++, at++)
            if (*c != 'N') pattern[at] = (uint8_t)(strchr("ACGT", *c) - "ACGT");
    return XC_OK;
}

/* ---- backgrounds ------------------------------------------------------------------------------------------------- */

static xc_status shuffle(importance_run *run, const xc_split *split, xc_error *error) {
    static const char *const kinds[] = {"dinucleotide", "shuffle", NULL};
    xc_status status;
    const uint32_t length = split->dna.length;
    xc_dna_builder builder = {0};
    uint8_t *codes = NULL, *shuffled = NULL;
    void *work = NULL;
    int kind = 0;
    uint64_t count = 1000, seed = 0;
    XC_TRY(cli_choice(run->arguments, "background", kinds, &kind, error));
    XC_TRY(cli_number(run->arguments, "backgrounds", 1, 10000000, &count, error));
    XC_TRY(cli_number(run->arguments, "seed", 0, UINT64_MAX, &seed, error));
    XC_TRY(xc_allocate(&codes, length, 1, "a background", error));
    XC_TRY(xc_allocate(&shuffled, length, 1, "a background", error));
    XC_TRY(xc_allocate(&work, xc_shuffle_work(length), 1, "a background", error));
    XC_TRY(xc_dna_builder_open(&builder, (uint32_t)count, length, error));
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t sequence = i % split->dna.sequences, number = i / split->dna.sequences;
        xc_dna_unpack(&split->dna, sequence, codes);
        (kind == 0 ? xc_shuffle_dinucleotides : xc_shuffle)(codes, length, seed, sequence, number, shuffled, work);
        XC_TRY(xc_dna_builder_append(&builder, shuffled, error));
    }
    xc_dna_builder_finish(&builder, &run->backgrounds.dna);
fail:
    xc_dna_builder_free(&builder);
    free(codes);
    free(shuffled);
    free(work);
    return status;
}

static xc_status make_backgrounds(importance_run *run, xc_error *error) {
    xc_status status;
    xc_split_name which;
    const char *data = cli_value(run->arguments, "data");
    if (!data) data = run->network.config->data.file;
    XC_TRY(cli_read_split(run->arguments, data, &run->network, false, false, &run->dataset, &which, error));
    XC_TRY(shuffle(run, &run->dataset.split[which], error));
fail:
    return status;
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static void write_rows(const importance_run *run, FILE *stream) {
    const int32_t classes = run->network.model.classes;
    fputs("motifs\tgap\tclass\teffect\teffect_sd\teffect_se\tbackgrounds\n", stream);
    for (size_t g = 0; g < run->gaps; g++)
        for (int32_t j = 0; j < classes; j++) {
            const xc_importance *e = &run->effects[g * (size_t)classes + (size_t)j];
            for (size_t m = 0; m < run->motifs; m++) fprintf(stream, "%s%s", m > 0 ? "+" : "", run->motif[m]);
            fprintf(stream, "\t%u\t%d\t%.6g\t%.6g\t%.6g\t%u\n", run->gap[g], j, e->mean, e->deviation,
                    e->standard_error, run->backgrounds.dna.sequences);
        }
}

static xc_status write_results(const importance_run *run, xc_error *error) {
    const char *path = cli_value(run->arguments, "out");
    if (!path) {
        write_rows(run, stdout);
        return XC_OK;
    }
    xc_file file;
    const xc_status status = xc_file_create(&file, path, true, error);
    if (status != XC_OK) return status;
    write_rows(run, file.stream);
    return xc_file_commit(&file, error);
}

static xc_status compute(importance_run *run, xc_error *error) {
    static const char *const outputs[] = {"logit", "probability", NULL};
    xc_status status;
    const xc_backend *backend;
    const size_t length = (size_t)run->network.model.length;
    int of = 0;
    XC_TRY(cli_choice(run->arguments, "of", outputs, &of, error));
    XC_TRY(xc_allocate(&run->patterns, run->gaps, length, "patterns", error));
    XC_TRY(xc_allocate(&run->effects, run->gaps * (size_t)run->network.model.classes, sizeof *run->effects, "effects",
                       error));
    for (size_t g = 0; g < run->gaps; g++) XC_TRY(make_pattern(run, run->gap[g], run->patterns + g * length, error));
    XC_TRY(make_backgrounds(run, error));
    XC_TRY(xc_backend_open(run->arguments->device, &backend, error));
    XC_TRY(xc_global_importance(&run->network, backend, &run->backgrounds, run->patterns, run->gaps, of == 1,
                                run->arguments->threads, run->effects, error));
fail:
    return status;
}

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    xc_status status;
    importance_run work = {.arguments = arguments};
    xc_interrupt_install();
    XC_TRY(xc_network_open(arguments->operand, &work.network, error));
    XC_TRY(read_motifs(&work, error));
    XC_TRY(read_gaps(&work, error));
    XC_TRY(compute(&work, error));
    XC_TRY(write_results(&work, error));
fail:
    for (size_t m = 0; m < work.motifs; m++) free(work.motif[m]);
    free(work.patterns);
    free(work.effects);
    xc_split_free(&work.backgrounds);
    xc_dataset_free(&work.dataset);
    xc_network_close(&work.network);
    return status;
}

const cli_command cli_importance = {
    .name = "importance",
    .operand = "TRIAL_DIR",
    .summary = "what motifs add to a trained network's outputs",
    .usage = "TRIAL_DIR --motif TEXT [--motif TEXT]... [--gap LIST] [options]",
    .details =
        "Global importance analysis: puts motifs into many backgrounds, shuffled from the data, and prints the\n"
        "mean difference that they make to each output, its standard deviation over backgrounds and the error of\n"
        "the mean, as TSV: a row a gap and class.\n",
    .examples =
        "  expconv importance mine --motif TGACTCA\n"
        "  expconv importance mine --motif CACGTG --motif TGACTCA --gap 0,2,5,10,20 --out gaps.tsv\n"
        "  expconv importance mine --motifs JASPAR_CORE_2016_vertebrates.meme --motif MAX\n",
    .options = options,
    .common = CLI_THREADS | CLI_DEVICE,
    .run = run,
};
