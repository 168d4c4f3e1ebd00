/* page_summary.c: the table of settings, and the table of how well each ground truth motif is found.
 */
#include <math.h>
#include <string.h>

#include "page.h"

typedef struct column {
    const char *heading;
    int decimals;     /* -1: two digits, for what is usually 0 */
    const char *word; /* of a measure; NULL: of a trial's training */
    double (*value)(const xc_grid *grid, size_t trial);
} column;

static double epochs_of(const xc_grid *grid, size_t i) { return grid->trial[i].epochs; }
static double seconds_of(const xc_grid *grid, size_t i) { return grid->trial[i].seconds; }
static double clip_of(const xc_grid *grid, size_t i) { return grid->trial[i].clip_fraction; }

static const column known[] = {{"Match planted", 2, "match_ground_truth", NULL},
                               {"Match any", 2, "match_any", NULL},
                               {"Coverage", 2, "coverage", NULL},
                               {"Test AUROC", 3, "test_auroc", NULL},
                               {"Test AUPR", 3, "test_aupr", NULL},
                               {"Test Pearson r", 3, "test_pearson", NULL},
                               {"Epochs", 0, NULL, epochs_of},
                               {"Seconds", 0, NULL, seconds_of},
                               {"Clipped", -1, NULL, clip_of}};
enum { COLUMNS = sizeof known / sizeof *known };

/* The columns that have a value somewhere. Returns how many. */
static int choose(const xc_grid *grid, column shown[COLUMNS]) {
    int count = 0;
    for (int i = 0; i < COLUMNS; i++) {
        column one = known[i];
        const xc_measure *measure = one.word ? xc_page_measure(one.word) : NULL;
        if (measure) one.value = measure->value;
        if (one.value && xc_page_measured(grid, one.value)) shown[count++] = one;
    }
    return count;
}

static void write_number(FILE *out, double value, int decimals) {
    if (decimals < 0 && isfinite(value))
        fprintf(out, "%.2g", value);
    else
        xc_page_number(out, value, decimals);
}

static void write_headings(const xc_page *page) {
    static const char *const heading[][2] = {
        {"zoo", "Model"}, {"activation", "Activation"}, {"init", "Initialisation"}, {"learning_rate", "Learning rate"}};
    const char *name[XC_PAGE_COLUMNS];
    const int count = xc_page_columns(page->grid, name);
    for (int i = 0; i < count; i++) {
        const char *text = name[i];
        bool word = false;
        for (size_t j = 0; j < sizeof heading / sizeof *heading; j++)
            if (strcmp(heading[j][0], name[i]) == 0) text = heading[j][1], word = j < 3;
        fprintf(page->stream, "<th scope=\"col\"%s>%s</th>", word ? " class=\"word\"" : "", text);
    }
}

static void write_names(const xc_page *page, size_t first) {
    char value[128];
    const char *name[XC_PAGE_COLUMNS];
    const int count = xc_page_columns(page->grid, name);
    for (int i = 0; i < count; i++) {
        xc_grid_value(&page->grid->trial[first], name[i], value, sizeof value);
        const bool word = i < 2 || strcmp(name[i], "init") == 0;
        fprintf(page->stream, i < 2 ? "<th scope=\"row\" class=\"word\">" : word ? "<td class=\"word\">" : "<td>");
        xc_page_text(page->stream, value);
        fputs(i < 2 ? "</th>" : "</td>", page->stream);
    }
}

static void write_cell(const xc_page *page, size_t first, const column *shown) {
    FILE *out = page->stream;
    const xc_statistics s = xc_page_statistics(page, first, shown->value);
    if (s.count == 0) {
        fputs("<td data-value=\"\">–</td>", out);
        return;
    }
    fprintf(out, "<td data-value=\"%.9g\">", s.median);
    write_number(out, s.median, shown->decimals);
    if (s.count > 1) {
        const int decimals = shown->decimals > 0 ? shown->decimals : shown->decimals == 0 ? 1 : -1;
        fputs("<small>", out);
        write_number(out, s.mean, decimals);
        fputs(" ± ", out);
        write_number(out, s.deviation, decimals);
        fputs("</small>", out);
    }
    fputs("</td>", out);
}

static void write_setting(const xc_page *page, size_t first, const column *shown, int columns) {
    FILE *out = page->stream;
    size_t done = 0, diverged = 0;
    for (size_t i = first; i < first + page->grid->seeds; i++) {
        done += page->grid->trial[i].status == XC_TRIAL_DONE;
        diverged += page->grid->trial[i].status == XC_TRIAL_DIVERGED;
    }
    fputs("<tr>", out);
    write_names(page, first);
    for (int i = 0; i < columns; i++) write_cell(page, first, &shown[i]);
    fprintf(out, "<td>%zu</td><td>%zu</td>", done + diverged, diverged);
    fputs("</tr>\n", out);
}

static bool is_shown(const column *shown, int columns, const char *heading) {
    for (int i = 0; i < columns; i++)
        if (strcmp(shown[i].heading, heading) == 0) return true;
    return false;
}

/* Of the columns that are there. */
static void write_note(FILE *out, const column *shown, int columns) {
    fputs("<p class=\"note\">", out);
    if (columns > 0)
        fputs(
            "Median over the networks of a setting that did not diverge; beneath it the mean ± the standard "
            "deviation, where there are two or more.",
            out);
    if (is_shown(shown, columns, "Match planted"))
        fputs(
            " <em>Match</em>: the fraction of first-layer filters that match a planted motif, or any motif of the "
            "database. <em>Coverage</em>: the fraction of planted motifs that some filter matches. Planted are the "
            "motifs that the config names as the ground truth of the data.",
            out);
    else if (is_shown(shown, columns, "Match any"))
        fputs(" <em>Match any</em>: the fraction of first-layer filters that match any motif of the database.", out);
    if (is_shown(shown, columns, "Clipped"))
        fputs(
            " <em>Clipped</em>: the fraction of the first layer’s activations that met the clip of the exponential in "
            "the last epoch.",
            out);
    fputs(" <em>Ended</em>: networks that are done or diverged.</p>\n", out);
}

void xc_page_summary(const xc_page *page) {
    FILE *out = page->stream;
    column shown[COLUMNS];
    const int columns = choose(page->grid, shown);
    fputs(
        "<section id=\"settings\">\n<h2>Settings</h2>\n<div class=\"table\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"Table of settings\">\n<table class=\"sortable\">\n<thead><tr>",
        out);
    write_headings(page);
    for (int i = 0; i < columns; i++) fprintf(out, "<th scope=\"col\">%s</th>", shown[i].heading);
    fputs("<th scope=\"col\">Ended</th><th scope=\"col\">Diverged</th>", out);
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t first = 0; first < page->grid->count; first += page->grid->seeds)
        write_setting(page, first, shown, columns);
    fputs("</tbody>\n</table>\n</div>\n", out);
    write_note(out, shown, columns);
    fputs("</section>\n", out);
}

/* ---- the least q of each ground truth motif --------------------------------------------------------------------- */

static double median_q(const xc_page *page, size_t first, uint32_t motif) {
    size_t count = 0;
    for (size_t i = first; i < first + page->grid->seeds; i++) {
        const xc_filter_scores *scores = xc_page_scores(page->grid, i);
        if (scores && scores->best_q) page->scratch[0][count++] = scores->best_q[motif];
    }
    return xc_statistics_of(page->scratch[0], count).median;
}

static void write_best_q(const xc_page *page, size_t first, uint32_t motifs) {
    char text[XC_PAGE_SMALL];
    fputs("<tr>", page->stream);
    write_names(page, first);
    for (uint32_t i = 0; i < motifs; i++) {
        const double q = median_q(page, first, i);
        fputs("<td data-value=\"", page->stream);
        if (isfinite(q)) fprintf(page->stream, "%.9g", q);
        fprintf(page->stream, "\"%s>", q <= 0.1 ? " class=\"found\"" : "");
        xc_page_text(page->stream, xc_page_small(q, text));
        fputs("</td>", page->stream);
    }
    fputs("</tr>\n", page->stream);
}

void xc_page_best_q(const xc_page *page) {
    const xc_filters_config *config = page->grid->trial[0].config->filters;
    bool any = false;
    for (size_t i = 0; config && config->ground_truth_count > 0 && i < page->grid->count; i++) {
        const xc_filter_scores *scores = xc_page_scores(page->grid, i);
        any = any || (scores && scores->best_q);
    }
    if (!any) return;
    FILE *out = page->stream;
    fputs(
        "<section id=\"motifs\">\n<h2>Which motifs are found</h2>\n<div class=\"table\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"Table of planted motifs\">\n<table class=\"sortable\">\n<thead><tr>",
        out);
    write_headings(page);
    for (uint32_t i = 0; i < config->ground_truth_count; i++) {
        fputs("<th scope=\"col\">", out);
        xc_page_text(out, config->ground_truth[i].name);
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t first = 0; first < page->grid->count; first += page->grid->seeds)
        write_best_q(page, first, config->ground_truth_count);
    fputs(
        "</tbody>\n</table>\n</div>\n<p class=\"note\">The least <i>q</i>-value that a filter of a network has for "
        "each planted motif, "
        "median over the networks of a setting; 1: no filter matches it. Bold: at most 0.1.</p>\n</section>\n",
        out);
}
