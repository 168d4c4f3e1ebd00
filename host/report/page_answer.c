/* page_answer.c: the answer in a sentence or two for each group of settings, from the data alone: where nothing was
 * measured nothing is said.
 */
#include <math.h>

#include "page.h"

enum { MOST_ANSWERS = 6 };

typedef struct extremes {
    size_t best, worst;     /* first trials of settings; of equal ones the first */
    size_t as_good, as_bad; /* other settings with the same median */
    double high, low;       /* the medians */
    size_t settings;        /* that were measured */
} extremes;

static double median_of(const xc_page *page, size_t first, const xc_measure *measure) {
    return xc_page_statistics(page, first, measure->value).median;
}

/* Of the settings of a group, those with the highest and the lowest median. */
static extremes find_extremes(const xc_page *page, size_t leader, const xc_measure *measure) {
    extremes found = {.high = NAN, .low = NAN};
    for (size_t first = leader; first < page->grid->count; first += page->grid->seeds) {
        if (!xc_page_same_group(page->grid, leader, first)) continue;
        const double median = median_of(page, first, measure);
        if (!isfinite(median)) continue;
        if (median == found.high) found.as_good++;
        if (median == found.low) found.as_bad++;
        if (!(median <= found.high)) found.best = first, found.high = median, found.as_good = 0;
        if (!(median >= found.low)) found.worst = first, found.low = median, found.as_bad = 0;
        found.settings++;
    }
    return found;
}

static double test_p(const xc_page *page, size_t first, size_t second, const xc_measure *measure) {
    const size_t n = xc_page_values(page->grid, first, measure->value, page->scratch[0]);
    const size_t m = xc_page_values(page->grid, second, measure->value, page->scratch[1]);
    return xc_welch_test(page->scratch[0], n, page->scratch[1], m).p;
}

/* " (Welch p = 3e-07)" of a setting against the one of its group with this median; against several the largest p, and
 * nothing when one of them has none. */
static void write_p(const xc_page *page, size_t chosen, double median, const xc_measure *measure) {
    char text[XC_PAGE_SMALL];
    double largest = 0;
    size_t tests = 0;
    for (size_t first = 0; first < page->grid->count; first += page->grid->seeds) {
        if (!xc_page_same_group(page->grid, chosen, first) || median_of(page, first, measure) != median) continue;
        const double p = test_p(page, chosen, first, measure);
        if (!isfinite(p)) return;
        largest = fmax(largest, p);
        tests++;
    }
    if (tests == 0) return;
    fprintf(page->stream, " (%sWelch&nbsp;<i>p</i>&nbsp;%s", tests > 1 ? "largest " : "",
            largest < 1e-307 ? "" : "=&nbsp;");
    xc_page_text(page->stream, xc_page_small(largest, text));
    fputc(')', page->stream);
}

/* "0.00 with relu and 3 others". */
static void write_value(const xc_page *page, size_t first, size_t others, double value, int decimals) {
    fprintf(page->stream, "<strong>%.*f</strong> with %s", decimals, value, xc_page_activation(page->grid, first));
    if (others > 0) fprintf(page->stream, " and %zu %s", others, others == 1 ? "other" : "others");
}

/* Two values that differ are written so that they do. */
static int decimals_for(double high, double low, int decimals) {
    while (decimals < 9 && high > low && high - low < pow(10, -decimals)) decimals++;
    return decimals;
}

/* "is 0.97 with exponential and 0.00 with relu (Welch p = 3e-07)". */
static void write_comparison(const xc_page *page, extremes found, const xc_measure *measure, int decimals) {
    FILE *out = page->stream;
    if (found.settings > 1 && !(found.high > found.low)) {
        fprintf(out, " is <strong>%.*f</strong> with %s %zu activations", decimals, found.high,
                found.settings == 2 ? "each of the" : "all", found.settings);
        return;
    }
    if (found.settings > 1) decimals = decimals_for(found.high, found.low, decimals);
    fputs(found.settings > 2 ? " is highest, " : " is ", out);
    write_value(page, found.best, found.as_good, found.high, decimals);
    if (found.settings < 2) return;
    fputs(found.settings > 2 ? ", and lowest, " : " and ", out);
    write_value(page, found.worst, found.as_bad, found.low, decimals);
    if (found.as_good == 0) write_p(page, found.best, found.low, measure);
}

/* What the setting with the most matches has, and the most that there is. */
static void write_cost(const xc_page *page, size_t chosen, extremes found, const xc_measure *accuracy) {
    FILE *out = page->stream;
    const double median = median_of(page, chosen, accuracy);
    const bool highest = median >= found.high;
    const int decimals = highest ? 3 : decimals_for(found.high, median, 3);
    fprintf(out, " With %s, the median AUROC on the test set is <strong>%.*f</strong>",
            xc_page_activation(page->grid, chosen), decimals, median);
    if (highest) {
        fprintf(out, ", the highest of the %zu activations", found.settings);
        return;
    }
    fputs("; the highest is ", out);
    write_value(page, found.best, found.as_good, found.high, decimals);
    write_p(page, chosen, found.high, accuracy);
}

static void write_answer(const xc_page *page, size_t leader, const xc_measure *match, const char *what,
                         const xc_measure *accuracy) {
    char label[XC_PAGE_LABEL];
    FILE *out = page->stream;
    const extremes found = find_extremes(page, leader, match), cost = find_extremes(page, leader, accuracy);
    fputs("<p>In <strong>", out);
    xc_page_text(out, xc_page_label(page->grid, leader, false, label));
    fprintf(out, "</strong>, the median fraction of filters that match %s", what);
    write_comparison(page, found, match, 2);
    fputc('.', out);
    const bool one_chosen = found.settings > 2 && found.as_good == 0 && isfinite(median_of(page, found.best, accuracy));
    if (one_chosen)
        write_cost(page, found.best, cost, accuracy);
    else if (cost.settings > 0) {
        fputs(" The median AUROC on the test set", out);
        write_comparison(page, cost, accuracy, 3);
    }
    fputs(cost.settings > 0 ? ".</p>\n" : "</p>\n", out);
}

void xc_page_answer(const xc_page *page) {
    const xc_grid *grid = page->grid;
    const xc_measure *truth = xc_page_measure("match_ground_truth"), *any = xc_page_measure("match_any");
    const xc_measure *accuracy = xc_page_measure("test_auroc");
    const bool known = truth && xc_page_measured(grid, truth->value);
    const xc_measure *match = known ? truth : any;
    if (!match || !accuracy || !xc_page_measured(grid, match->value)) return;
    const char *what = known ? "a planted motif" : "any motif of the database";
    size_t answers = 0, left = 0;
    bool compared = false;
    fputs("<section class=\"answer\" aria-label=\"The answer\">\n", page->stream);
    for (size_t first = 0; first < grid->count; first += grid->seeds) {
        const size_t settings = xc_page_leads(grid, first) ? find_extremes(page, first, match).settings : 0;
        if (settings == 0) continue;
        compared = compared || settings > 1;
        if (answers < MOST_ANSWERS) {
            write_answer(page, first, match, what, accuracy);
            answers++;
        } else
            left++;
    }
    if (left > 0)
        fprintf(page->stream, "<p class=\"note\">So far %zu of %zu groups of settings; all are in the table.</p>\n",
                answers, answers + left);
    fprintf(page->stream,
            "<p class=\"note\">Medians over the networks of a setting that did not diverge, at most %zu%s.</p>\n"
            "</section>\n",
            grid->seeds, compared ? "; <i>p</i> of two-sided Welch t-tests between two activations" : "");
}
