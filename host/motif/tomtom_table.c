/* tomtom_table.c: matches as the table that the MEME suite's tomtom writes: the same columns, names and number format,
 * so that what reads one reads the other. The comment at its end names this program.
 */
#include <stdlib.h>

#include "tomtom.h"

/* The likeliest base of each position, as the motif is aligned, into text (width+1). The largest so far is kept in
 * single precision, which decides ties as MEME's tomtom does. */
static void write_consensus(const xc_motif *motif, const double background[4], bool reverse, double *column,
                            char *text) {
    xc_tomtom_frequencies(motif, background, reverse, column);
    for (uint32_t i = 0; i < motif->width; i++) {
        const double *at = column + 4 * (size_t)i;
        float most = (float)at[0];
        int best = 0;
        for (int base = 1; base < 4; base++) {
            if (!(at[base] > (double)most)) continue;
            most = (float)at[base];
            best = base;
        }
        text[i] = "ACGT"[best];
    }
    text[motif->width] = 0;
}

static uint32_t widest(const xc_motif_list *motifs) {
    uint32_t width = 0;
    for (size_t i = 0; i < motifs->count; i++)
        if (motifs->motif[i].width > width) width = motifs->motif[i].width;
    return width;
}

xc_status xc_tomtom_write(FILE *stream, const xc_motif_list *queries, const xc_motif_list *targets,
                          const xc_tomtom_result *result, xc_error *error) {
    xc_status status = XC_OK;
    double *column = NULL, background[4];         /* column: (width,4) */
    char *query_text = NULL, *target_text = NULL; /* (width+1) */
    const size_t query_width = widest(queries), target_width = widest(targets);
    const size_t width = query_width > target_width ? query_width : target_width;
    XC_TRY(xc_allocate(&column, 4 * width, sizeof *column, "a motif", error));
    XC_TRY(xc_allocate(&query_text, query_width + 1, 1, "a motif", error));
    XC_TRY(xc_allocate(&target_text, target_width + 1, 1, "a motif", error));
    xc_tomtom_background(queries, background);
    fputs(
        "Query_ID\tTarget_ID\tOptimal_offset\tp-value\tE-value\tq-value\tOverlap\tQuery_consensus\tTarget_consensus\t"
        "Orientation\n",
        stream);
    for (size_t i = 0; i < result->count; i++) {
        const xc_tomtom_match *match = &result->match[i];
        const xc_motif *query = &queries->motif[match->query], *target = &targets->motif[match->target];
        if (i == 0 || match->query != match[-1].query) write_consensus(query, background, false, column, query_text);
        write_consensus(target, background, match->reverse, column, target_text);
        fprintf(stream, "%s\t%s\t%d\t%g\t%g\t%g\t%u\t%s\t%s\t%c\n", query->id, target->id, match->offset,
                (double)match->p, (double)match->e, (double)(float)match->q, match->overlap, query_text, target_text,
                match->reverse ? '-' : '+');
    }
    fputs("\n# Motif comparison by expconv tomtom, in the format of the MEME suite's tomtom.tsv.\n", stream);
    if (ferror(stream)) status = xc_fail(error, XC_IO, "cannot write the matches");
fail:
    free(column);
    free(query_text);
    free(target_text);
    return status;
}
