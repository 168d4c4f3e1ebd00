/* page_tests.c: two-sided Welch t-tests between the activations of each group of settings, all pairs, all measures. A
 * test that cannot be done says why.
 */
#include <math.h>
#include <stdlib.h>

#include "page.h"

enum { PAIRS_IN_SIGHT = 6 };

typedef struct pair {
    size_t first, second; /* first trials of two settings */
} pair;

static size_t count_pairs(const xc_grid *grid, size_t leader) {
    size_t settings = 0;
    for (size_t first = leader; first < grid->count; first += grid->seeds)
        settings += xc_page_same_group(grid, leader, first);
    return settings * (settings - 1) / 2;
}

/* mean ± sd of one side. */
static void write_side(FILE *out, xc_statistics s, int decimals) {
    fputs("<td>", out);
    xc_page_number(out, s.mean, decimals);
    if (s.count > 1) {
        fputs(" ± ", out);
        xc_page_number(out, s.deviation, decimals);
    }
    fputs("</td>", out);
}

static void write_test(const xc_page *page, const xc_measure *measure, pair of) {
    FILE *out = page->stream;
    char text[XC_PAGE_SMALL];
    double *one = page->scratch[0], *other = page->scratch[1];
    const size_t n = xc_page_values(page->grid, of.first, measure->value, one);
    const size_t m = xc_page_values(page->grid, of.second, measure->value, other);
    const xc_welch welch = xc_welch_test(one, n, other, m);
    fprintf(out, "<td class=\"word\">%s – %s</td>", xc_page_activation(page->grid, of.first),
            xc_page_activation(page->grid, of.second));
    if (isfinite(welch.p)) {
        fputs("<td>", out);
        xc_page_text(out, xc_page_small(welch.p, text));
        fprintf(out, "</td><td>%s%.2f</td><td>%.1f</td>", welch.t < 0 ? "−" : "", fabs(welch.t), welch.degrees);
    } else
        fprintf(out, "<td colspan=\"3\" class=\"none\">%s</td>", xc_page_why_no_p(n, m));
    write_side(out, xc_statistics_of(one, n), 3);
    write_side(out, xc_statistics_of(other, m), 3);
    fputs("</tr>\n", out);
}

/* The measure's name stands beside all of its pairs. */
static void write_measure(const xc_page *page, size_t leader, const xc_measure *measure) {
    const xc_grid *grid = page->grid;
    bool named = false;
    fputs("<tbody>\n", page->stream);
    for (size_t first = leader; first < grid->count; first += grid->seeds) {
        if (!xc_page_same_group(grid, leader, first)) continue;
        for (size_t second = first + grid->seeds; second < grid->count; second += grid->seeds) {
            if (!xc_page_same_group(grid, leader, second)) continue;
            fputs("<tr>", page->stream);
            if (!named) {
                fprintf(page->stream, "<th scope=\"rowgroup\" rowspan=\"%zu\">", count_pairs(grid, leader));
                xc_page_text(page->stream, measure->label);
                fputs("</th>", page->stream);
                named = true;
            }
            write_test(page, measure, (pair){first, second});
        }
    }
    fputs("</tbody>\n", page->stream);
}

static void write_group(const xc_page *page, size_t leader) {
    char label[XC_PAGE_LABEL];
    FILE *out = page->stream;
    const size_t pairs = count_pairs(page->grid, leader);
    const bool fold = pairs > PAIRS_IN_SIGHT;
    xc_page_label(page->grid, leader, false, label);
    fputs(fold ? "<details>\n<summary>" : "<h3>", out);
    xc_page_text(out, label);
    if (fold) fprintf(out, " <span class=\"aside\">%zu pairs</span>", pairs);
    fputs(fold ? "</summary>\n" : "</h3>\n", out);
    fputs("<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"t-tests of ", out);
    xc_page_text(out, label);
    fputs(
        "\">\n<table>\n<thead><tr><th scope=\"col\">Measure</th><th scope=\"col\" class=\"word\">Activations</th>"
        "<th scope=\"col\"><i>p</i></th><th scope=\"col\"><i>t</i></th><th scope=\"col\">Degrees</th>"
        "<th scope=\"col\">First</th><th scope=\"col\">Second</th></tr></thead>\n",
        out);
    for (const xc_measure *measure = xc_measures; measure->word; measure++)
        if (xc_page_measured(page->grid, measure->value)) write_measure(page, leader, measure);
    fputs("</table>\n</div>\n", out);
    if (fold) fputs("</details>\n", out);
}

void xc_page_tests(const xc_page *page) {
    const xc_grid *grid = page->grid;
    bool any = false;
    for (size_t first = 0; first < grid->count; first += grid->seeds)
        any = any || (xc_page_leads(grid, first) && count_pairs(grid, first) > 0);
    if (!any || xc_page_count(grid, XC_TRIAL_DONE) == 0) return;
    fputs(
        "<section id=\"tests\">\n<h2>Tests between activations</h2>\n<p class=\"note\">Two-sided Welch t-tests over "
        "the "
        "networks of two settings that differ in the activation alone; mean ± standard deviation of each. "
        "<i>t</i> is positive where the first mean is larger. Not corrected for the number of tests.</p>\n",
        page->stream);
    for (size_t first = 0; first < grid->count; first += grid->seeds)
        if (xc_page_leads(grid, first) && count_pairs(grid, first) > 0) write_group(page, first);
    fputs("</section>\n", page->stream);
}
