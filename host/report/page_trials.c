/* page_trials.c: every trial behind a fold: what it is, how long it trained, what was measured, its filters and its
 * config; and before them all, what diverged and why.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

enum { LARGEST_CONFIG = 16 << 20 };

static void write_diverged(const xc_page *page) {
    if (xc_page_count(page->grid, XC_TRIAL_DIVERGED) == 0) return;
    fputs("<section id=\"diverged\">\n<h2>What diverged, and why</h2>\n<dl class=\"reasons\">\n", page->stream);
    for (size_t i = 0; i < page->grid->count; i++) {
        const xc_trial *trial = &page->grid->trial[i];
        if (trial->status != XC_TRIAL_DIVERGED) continue;
        fputs("<div><dt>", page->stream);
        xc_page_text(page->stream, trial->name);
        fputs("</dt><dd>", page->stream);
        xc_page_text(page->stream, *trial->reason ? trial->reason : "no reason was written");
        fputs("</dd></div>\n", page->stream);
    }
    fputs("</dl>\n</section>\n", page->stream);
}

static void write_fact(FILE *out, const char *name, double value, int decimals) {
    if (!isfinite(value)) return;
    fprintf(out, "<div><dt>%s</dt><dd>", name);
    if (decimals < 0)
        fprintf(out, "%.3g", value);
    else
        xc_page_number(out, value, decimals);
    fputs("</dd></div>\n", out);
}

static void write_facts(const xc_page *page, size_t place) {
    FILE *out = page->stream;
    const xc_trial *trial = &page->grid->trial[place];
    const xc_filter_scores *scores = xc_page_scores(page->grid, place);
    fputs("<dl class=\"facts\">\n<div><dt>State</dt><dd>", out);
    fputs(xc_trial_status_word(trial->status), out);
    if (*trial->reason) fputs(": ", out);
    xc_page_text(out, trial->reason);
    fprintf(out, "</dd></div>\n<div><dt>Seed</dt><dd>%" PRIu64 "</dd></div>\n", trial->config->train.seed);
    if (trial->epochs > 0) {
        fprintf(out, "<div><dt>Epochs</dt><dd>%u", trial->epochs);
        if (trial->best_epoch > 0) fprintf(out, " (best %u)", trial->best_epoch);
        fputs("</dd></div>\n", out);
    }
    if (trial->seconds > 0) write_fact(out, "Seconds", trial->seconds, 1);
    if (trial->status == XC_TRIAL_DONE) {
        write_fact(out, "Training loss", trial->train_loss, 4);
        write_fact(out, "Clipped", trial->clip_fraction, -1);
    }
    if (scores) {
        write_fact(out, "Filters", scores->filters, 0);
        write_fact(out, "Match planted", scores->match_ground_truth, 3);
        write_fact(out, "Match any", scores->match_any, 3);
        write_fact(out, "Coverage", scores->coverage, 3);
    }
    fputs("<div class=\"wide\"><dt>Folder</dt><dd><code>trials/", out);
    xc_page_text(out, trial->name);
    fputs("</code></dd></div>\n</dl>\n", out);
}

static const char *const metric_heading[] = {"Loss", "AUROC", "AUPR", "Average precision", "Accuracy", "Pearson r"};
_Static_assert(sizeof metric_heading / sizeof *metric_heading == XC_METRIC_COUNT, "a heading for each metric");

static void write_metrics(FILE *out, const xc_trial *trial) {
    const xc_metrics *split[] = {&trial->valid, &trial->test};
    static const char *const name[] = {"Validation", "Test"};
    bool shown[XC_METRIC_COUNT];
    for (int i = 0; i < XC_METRIC_COUNT; i++)
        shown[i] = isfinite(trial->valid.mean[i]) || isfinite(trial->test.mean[i]);
    fputs("<div class=\"table\">\n<table>\n<thead><tr><th></th>", out);
    for (int i = 0; i < XC_METRIC_COUNT; i++)
        if (shown[i]) fprintf(out, "<th scope=\"col\">%s</th>", metric_heading[i]);
    fputs("</tr></thead>\n<tbody>\n", out);
    for (int s = 0; s < 2; s++) {
        fprintf(out, "<tr><th scope=\"row\">%s</th>", name[s]);
        for (int i = 0; i < XC_METRIC_COUNT; i++) {
            if (!shown[i]) continue;
            fputs("<td>", out);
            xc_page_number(out, split[s]->mean[i], 4);
            fputs("</td>", out);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody>\n</table>\n</div>\n", out);
}

static xc_status write_config(const xc_page *page, const xc_trial *trial, xc_error *error) {
    xc_status status = XC_OK;
    char *text = NULL, *path = xc_path_join(trial->folder, "config.yaml");
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for the name of config.yaml");
    if (xc_path_exists(path))
        XC_TRY(xc_file_read(path, LARGEST_CONFIG, &text, NULL, error));
    else
        XC_TRY(xc_config_write(trial->config, &text, error));
    fputs("<details class=\"config\">\n<summary>config.yaml</summary>\n<pre tabindex=\"0\">", page->stream);
    xc_page_text(page->stream, text);
    fputs("</pre>\n</details>\n", page->stream);
fail:
    free(text);
    free(path);
    return status;
}

static xc_status write_filters(xc_page *page, const xc_trial *trial, xc_error *error) {
    xc_status status = XC_OK;
    char *name = NULL, *stem = NULL;
    xc_page_filters filters;
    XC_TRY(xc_page_filters_read(page, trial, &filters, error));
    if (filters.motifs.count == 0) goto fail;
    if (asprintf(&name, "filters.%s", trial->name) < 0) name = NULL;
    stem = name ? xc_path_join(page->figures, name) : NULL;
    if (!stem) {
        status = xc_fail(error, XC_MEMORY, "out of memory for the name of a figure");
        goto fail;
    }
    xc_page_sheet(page, &filters);
    XC_TRY(xc_figure_sheet(stem, trial->name, &filters.motifs, xc_page_compared(page) ? filters.match : NULL, error));
    XC_TRY(xc_page_figure_drawn(page, error));
fail:
    xc_page_filters_free(&filters);
    free(stem);
    free(name);
    return status;
}

/* What can be seen of a trial while its fold is closed. */
static void write_summary(const xc_page *page, size_t place) {
    FILE *out = page->stream;
    const xc_trial *trial = &page->grid->trial[place];
    const xc_filter_scores *scores = xc_page_scores(page->grid, place);
    const double match = !scores                                ? NAN
                         : isfinite(scores->match_ground_truth) ? scores->match_ground_truth
                                                                : scores->match_any;
    fprintf(out, "<summary><span class=\"name\">Seed %" PRIu64 "</span> <span class=\"state %s\">%s</span>",
            trial->config->train.seed, xc_trial_status_word(trial->status), xc_trial_status_word(trial->status));
    fputs("<span class=\"aside\">", out);
    const char *between = "";
    if (isfinite(match)) fprintf(out, "match&nbsp;%.2f", match), between = " · ";
    if (trial->status == XC_TRIAL_DONE && isfinite(trial->test.mean[XC_METRIC_AUROC]))
        fprintf(out, "%sAUROC&nbsp;%.3f", between, trial->test.mean[XC_METRIC_AUROC]), between = " · ";
    if (trial->epochs > 0)
        fprintf(out, "%s%u&nbsp;%s", between, trial->epochs, trial->epochs == 1 ? "epoch" : "epochs");
    fputs("</span></summary>\n", out);
}

static xc_status write_trial(xc_page *page, size_t place, xc_error *error) {
    xc_status status = XC_OK;
    const xc_trial *trial = &page->grid->trial[place];
    fputs("<details class=\"trial\">\n", page->stream);
    write_summary(page, place);
    /* Behind a closed fold, half a million letters would cost the browser seconds. What is in <noscript> is mere text
     * to it until the script unpacks it, and without scripts it is the page as ever. */
    const bool packed = page->grid->count > XC_PAGE_MANY;
    fputs(packed ? "<noscript><div class=\"body\">\n" : "<div class=\"body\">\n", page->stream);
    write_facts(page, place);
    if (trial->status == XC_TRIAL_DONE) write_metrics(page->stream, trial);
    XC_TRY(write_filters(page, trial, error));
    XC_TRY(write_config(page, trial, error));
    fputs(packed ? "</div></noscript>\n</details>\n" : "</div>\n</details>\n", page->stream);
fail:
    return status;
}

/* What stands beneath a logo depends on what its filter was compared with. */
static void write_key(const xc_page *page) {
    const xc_filters_config *config = page->grid->trial[0].config->filters;
    const bool compared = xc_page_compared(page);
    fputs(
        "<p class=\"note\">Logos of the first layer’s filters: a letter’s height is its share of the position’s "
        "information, and each logo is 2 bits high. ",
        page->stream);
    fputs(compared ? "Beneath stand the filter’s number, its best match and the match’s <i>q</i>-value"
                   : "Beneath stands the filter’s number",
          page->stream);
    if (compared && config->ground_truth_count > 0)
        fputs("; <span class=\"mark\">✓</span> names the planted motif that the filter matches", page->stream);
    fputs(".</p>\n", page->stream);
}

xc_status xc_page_trials(xc_page *page, xc_error *error) {
    xc_status status = XC_OK;
    char label[XC_PAGE_LABEL];
    const xc_grid *grid = page->grid;
    bool measured = false;
    for (size_t i = 0; i < grid->count; i++) measured = measured || xc_page_scores(grid, i);
    write_diverged(page);
    fputs("<section id=\"networks\">\n<h2>Every network</h2>\n", page->stream);
    if (measured) write_key(page);
    for (size_t i = 0; i < grid->count; i++) {
        if (i % grid->seeds == 0) {
            fputs("<h3>", page->stream);
            xc_page_text(page->stream, xc_page_label(grid, i, true, label));
            fputs("</h3>\n", page->stream);
        }
        XC_TRY(write_trial(page, i, error));
    }
    fputs("</section>\n", page->stream);
fail:
    return status;
}
