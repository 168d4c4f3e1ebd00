/* page.c: one self-contained HTML page about a sweep, in the order of a reader's questions: what was asked, the answer,
 * the table, the figures, the tests, and every network behind a fold. The page is written whole or not at all; figures
 * are written beside it as they are drawn.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

/* "sweep" of "demo/sweep/", and of "." the folder's real name. */
static char *last_name(const char *folder) {
    char *real = realpath(folder, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;
    char *name = strdup(slash && slash[1] ? slash + 1 : folder);
    free(real);
    return name;
}

/* The folder `figures` beside the page. */
static char *figures_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder;
    return asprintf(&folder, "%.*sfigures", slash ? (int)(slash + 1 - path) : 0, path) < 0 ? NULL : folder;
}

/* The names of targets are a kindness: without the database their identifiers do. */
static void read_database(xc_page *page) {
    const xc_filters_config *config = page->grid->trial[0].config->filters;
    xc_error why = {0};
    if (!config || !config->motifs || xc_motif_read(config->motifs, &page->database, &why) == XC_OK) return;
    xc_motif_list_free(&page->database);
    xc_log(XC_LOG_NOTICE, "motifs are shown by identifier, not by name: %s", why.text);
}

/* Nobody locks a page: what another process is writing at this moment is left to it. */
static bool is_gone(long process) { return process > INT_MAX || (kill((pid_t)process, 0) != 0 && errno == ESRCH); }

static bool is_this_page(const void *page, const char *name, long process) {
    return strcmp(name, page) == 0 && is_gone(process);
}

static bool is_figure(const void *context, const char *name, long process) {
    static const char *const begins[] = {"filters.", "training.", "activations."};
    static const char *const ends[] = {".svg", ".pdf", ".png"};
    const char *ending = strrchr(name, '.');
    bool begun = false, ended = false;
    (void)context;
    for (int i = 0; i < 3; i++) {
        begun = begun || strncmp(name, begins[i], strlen(begins[i])) == 0;
        ended = ended || (ending && strcmp(ending, ends[i]) == 0);
    }
    for (const xc_measure *measure = xc_measures; measure->word && ended && !begun; measure++)
        begun = (size_t)(ending - name) == strlen(measure->word) &&
                strncmp(name, measure->word, strlen(measure->word)) == 0;
    return begun && ended && is_gone(process);
}

/* What a report that was killed has left. */
static xc_status remove_leftovers(const xc_page *page, xc_error *error) {
    const char *slash = strrchr(page->path, '/');
    char *folder = slash ? strndup(page->path, (size_t)(slash + 1 - page->path)) : strdup(".");
    if (!folder) return xc_fail(error, XC_MEMORY, "out of memory for the page");
    xc_remove_leftovers(folder, is_this_page, slash ? slash + 1 : page->path);
    xc_remove_leftovers(page->figures, is_figure, NULL);
    free(folder);
    return XC_OK;
}

static xc_status prepare(xc_page *page, const char *folder, xc_error *error) {
    xc_status status = XC_OK;
    page->title = last_name(folder);
    page->figures = figures_folder(page->path);
    if (!page->title || !page->figures) return xc_fail(error, XC_MEMORY, "out of memory for the page");
    for (int i = 0; i < 2; i++)
        XC_TRY(
            xc_allocate(&page->scratch[i], page->grid->seeds, sizeof **page->scratch, "the page's statistics", error));
    XC_TRY(xc_make_folder(page->figures, error));
    XC_TRY(remove_leftovers(page, error));
    read_database(page);
    page->to_draw = xc_page_figure_count(page);
    page->begun = xc_seconds();
fail:
    return status;
}

static void write_footer(const xc_page *page) {
    FILE *out = page->stream;
    fputs("</main>\n<footer>\n<p>Made by expconv " XC_VERSION ". To make it again: <code>expconv report ", out);
    xc_page_text(out, page->folder);
    fputs(
        "</code>. The figures are also in the folder <code>figures</code> beside this page, as SVG, PDF and "
        "PNG; the numbers in the sweep’s <code>results.tsv</code> and <code>summary.tsv</code>.</p>\n"
        "<p>The question and the measures are those of Peter K. Koo and Matt Ploenzke, <cite>Improving "
        "representations of genomic sequence motifs in convolutional networks with exponential activations</cite>, "
        "Nature Machine Intelligence 3, 258–266 (2021), <a "
        "href=\"https://doi.org/10.1038/s42256-020-00291-x\">doi:10.1038/s42256-020-00291-x</a>.</p>\n</footer>\n"
        "<script>\n",
        out);
    fputs(xc_page_js, out);
    fputs("</script>\n</body>\n</html>\n", out);
}

static xc_status write_page(xc_page *page, xc_error *error) {
    xc_status status = XC_OK;
    xc_page_head(page);
    xc_page_letters(page);
    xc_page_answer(page);
    xc_page_summary(page);
    XC_TRY(xc_page_boxes(page, error));
    xc_page_tests(page);
    xc_page_best_q(page);
    XC_TRY(xc_page_curves(page, error));
    XC_TRY(xc_page_activations(page, error));
    XC_TRY(xc_page_trials(page, error));
    write_footer(page);
fail:
    return status;
}

xc_status xc_report_write(const char *folder, const char *path, xc_error *error) {
    xc_status status = XC_OK;
    xc_grid grid = {0};
    xc_file file = {0};
    xc_page page = {.grid = &grid, .folder = folder, .path = path};
    XC_TRY(xc_sweep_read(folder, &grid, error));
    XC_TRY(prepare(&page, folder, error));
    XC_TRY(xc_file_create(&file, path, true, error));
    page.stream = file.stream;
    XC_TRY(write_page(&page, error));
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    xc_motif_list_free(&page.database);
    free(page.scratch[0]);
    free(page.scratch[1]);
    free(page.title);
    free(page.figures);
    xc_grid_free(&grid);
    return status;
}
