/* page_head.c: the beginning of the page: the question, what was swept, how far it came, and where to go from there. No
 * date: the same sweep gives the same bytes.
 */
#include <string.h>

#include "page.h"

static void write_document_head(const xc_page *page) {
    FILE *out = page->stream;
    fputs(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        /* The browser itself holds the page to its word: nothing is asked of anywhere. */
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
        "<meta name=\"generator\" content=\"expconv " XC_VERSION "\">\n<title>",
        out);
    xc_page_text(out, page->title);
    fputs(" · expconv</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n", out);
    fputs(xc_page_css, out);
    fputs("</style>\n</head>\n<body>\n", out);
}

/* How many different values a column has. */
static size_t count_values(const xc_grid *grid, const char *column) {
    char value[128], other[128];
    size_t different = 0;
    for (size_t i = 0; i < grid->count; i++) {
        bool seen = false;
        xc_grid_value(&grid->trial[i], column, value, sizeof value);
        for (size_t j = 0; j < i && !seen; j++) {
            xc_grid_value(&grid->trial[j], column, other, sizeof other);
            seen = strcmp(value, other) == 0;
        }
        different += !seen;
    }
    return different;
}

static void write_product(const xc_page *page) {
    static const char *const columns[][3] = {{"zoo", "model", "models"},
                                             {"activation", "activation", "activations"},
                                             {"init", "initialisation", "initialisations"},
                                             {"stddev", "deviation", "deviations"},
                                             {"scale", "scale", "scales"},
                                             {"clip", "clip", "clips"},
                                             {"learning_rate", "learning rate", "learning rates"}};
    FILE *out = page->stream;
    const xc_grid *grid = page->grid;
    fprintf(out, "%zu %s: ", grid->count, grid->count == 1 ? "network" : "networks");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        const size_t count = count_values(grid, columns[i][0]);
        if (i >= 3 && count == 1) continue;
        fprintf(out, "%s%zu&nbsp;%s", i ? " × " : "", count, columns[i][count == 1 ? 1 : 2]);
    }
    fprintf(out, " × %zu&nbsp;%s", grid->seeds, grid->seeds == 1 ? "seed" : "seeds");
}

static void write_states(const xc_page *page) {
    static const xc_trial_status order[] = {XC_TRIAL_DONE, XC_TRIAL_DIVERGED, XC_TRIAL_RUNNING, XC_TRIAL_WAITING};
    bool any = false;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const size_t count = xc_page_count(page->grid, order[i]);
        if (count == 0 && order[i] != XC_TRIAL_DONE) continue;
        fprintf(page->stream, "%s%zu&nbsp;%s", any ? ", " : "", count, xc_trial_status_word(order[i]));
        any = true;
    }
}

/* Whether the filters of all networks that are done were measured, and compared with a database. */
static void write_measured(const xc_page *page, size_t done) {
    FILE *out = page->stream;
    size_t measured = 0;
    for (size_t i = 0; i < page->grid->count; i++) measured += xc_page_scores(page->grid, i) != NULL;
    if (measured > 0 && !xc_page_compared(page))
        fputs(
            "<p class=\"notice\"><strong>Filters were compared with nothing.</strong> No match is counted: the "
            "config’s <code>filters</code> section names no <code>motifs</code>.</p>\n",
            out);
    if (measured >= done) return;
    if (measured == 0)
        fputs(
            "<p class=\"notice\"><strong>Filters were not measured.</strong> No motif is shown and no match is "
            "counted. ",
            out);
    else
        fprintf(out,
                "<p class=\"notice\"><strong>Not all filters were measured.</strong> Of the %zu networks that are "
                "done, %zu had their filters measured; what is said of filters is of those alone. ",
                done, measured);
    fputs(page->grid->trial[0].config->filters ? "Run" : "Give the config a <code>filters</code> section, or run", out);
    fputs(" <code>expconv filters</code> on this sweep, then make this page again.</p>\n", out);
}

static void write_notices(const xc_page *page) {
    FILE *out = page->stream;
    const xc_grid *grid = page->grid;
    const size_t done = xc_page_count(grid, XC_TRIAL_DONE), ended = done + xc_page_count(grid, XC_TRIAL_DIVERGED);
    if (ended < grid->count)
        fprintf(out,
                "<p class=\"notice\"><strong>Not finished.</strong> %zu of %zu networks have ended; what follows is of "
                "those alone. Run the same <code>expconv sweep</code> again to go on, then make this page again.</p>\n",
                ended, grid->count);
    if (done == 0 && ended == grid->count)
        fputs(
            "<p class=\"notice\"><strong>Every network diverged.</strong> There is nothing to compare; the reasons are "
            "below.</p>\n",
            out);
    if (done > 0) write_measured(page, done);
}

void xc_page_head(const xc_page *page) {
    FILE *out = page->stream;
    write_document_head(page);
    fputs("<header>\n<p class=\"kicker\">expconv sweep</p>\n<h1>", out);
    xc_page_text(out, page->title);
    fputs(
        "</h1>\n<p class=\"question\">Which settings make the filters of a network’s first layer readable sequence "
        "motifs, and at what cost in accuracy?</p>\n<dl class=\"facts\">\n<div><dt>Swept</dt><dd>",
        out);
    write_product(page);
    fputs("</dd></div>\n<div><dt>State</dt><dd>", out);
    write_states(page);
    fputs("</dd></div>\n<div><dt>Data</dt><dd><code>", out);
    xc_page_text(out, page->grid->trial[0].config->data.file);
    fputs("</code></dd></div>\n", out);
    const xc_filters_config *filters = page->grid->trial[0].config->filters;
    if (filters && filters->motifs) {
        fputs("<div><dt>Motifs</dt><dd><code>", out);
        xc_page_text(out, filters->motifs);
        fprintf(out, "</code>, matches of E ≤ %g</dd></div>\n", filters->evalue);
    }
    fputs("</dl>\n", out);
    write_notices(page);
    fputs("</header>\n<main>\n", out);
}
