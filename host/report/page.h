/* page.h: what the files of the page share: the page that is being written, text made safe for HTML, the settings of a
 * grid, and one function a section. Every function writes to page->stream; a full disk shows when the file is
 * committed.
 */
#ifndef EXPCONV_REPORT_PAGE_H
#define EXPCONV_REPORT_PAGE_H

#include "expconv/report.h"

typedef struct xc_page {
    FILE *stream;
    const char *path;
    const xc_grid *grid;
    const char *folder;     /* of the sweep */
    char *title;            /* its last name */
    char *figures;          /* folder of the figures, beside the page */
    xc_motif_list database; /* for the names of targets; empty when it cannot be read */
    double *scratch[2];     /* (grid->seeds) each */
    size_t drawn, to_draw;  /* figures */
    double begun;           /* seconds */
} xc_page;

/* build/page.c, made by the Makefile from page.css and page.js. */
extern const char xc_page_css[], xc_page_js[];

/* ---- page_text.c ------------------------------------------------------------------------------------------------- */

/* Text with the five letters of HTML escaped, and control characters as spaces. */
void xc_page_text(FILE *stream, const char *text);
void xc_page_base64(FILE *stream, const char *bytes, size_t size);

/* "0.972"; an en dash for NaN. */
void xc_page_number(FILE *stream, double value, int decimals);

enum { XC_PAGE_SMALL = 32 };

/* A p- or q-value: "3e-07" below 0.001, else two digits; "< 1e-307" for what a double cannot tell from 0. */
const char *xc_page_small(double value, char text[XC_PAGE_SMALL]);

/* Why a test of so many values has no p: "both constant" or "too few trials". */
const char *xc_page_why_no_p(size_t first_count, size_t second_count);

/* ---- page_settings.c: a setting is a run of grid->seeds trials, named by its first ------------------------------ */

enum { XC_PAGE_LABEL = 1024 };

/* What a setting is named by: zoo, activation, and what else differs between trials but the seed. Returns how many. */
enum { XC_PAGE_COLUMNS = 8 };
int xc_page_columns(const xc_grid *grid, const char *column[XC_PAGE_COLUMNS]);

/* "cnn-deep, exponential, clip 30": the values of these columns. Without the activation it is the name of a group:
 * settings that differ in the activation alone. */
const char *xc_page_label(const xc_grid *grid, size_t first, bool activation, char label[XC_PAGE_LABEL]);
const char *xc_page_activation(const xc_grid *grid, size_t first);

/* Whether two settings are of the same group, and whether a setting is the first of its group. */
bool xc_page_same_group(const xc_grid *grid, size_t first, size_t other);
bool xc_page_leads(const xc_grid *grid, size_t first);

/* The values of a setting's finished trials that were measured, into values (grid->seeds). */
size_t xc_page_values(const xc_grid *grid, size_t first, double (*value)(const xc_grid *, size_t), double *values);
xc_statistics xc_page_statistics(const xc_page *page, size_t first, double (*value)(const xc_grid *, size_t));
bool xc_page_measured(const xc_grid *grid, double (*value)(const xc_grid *, size_t));
size_t xc_page_count(const xc_grid *grid, xc_trial_status status);

/* The scores of a trial; NULL when its filters were not measured. */
const xc_filter_scores *xc_page_scores(const xc_grid *grid, size_t trial);

/* Whether the config names a database that filters are compared with. */
bool xc_page_compared(const xc_page *page);

/* A measure by its word; NULL when there is none. */
const xc_measure *xc_page_measure(const char *word);

/* From so many networks on the page spares the browser what nobody has looked at yet. */
enum { XC_PAGE_MANY = 100 };

/* ---- the sections ------------------------------------------------------------------------------------------------ */

void xc_page_head(const xc_page *page);                        /* page_head.c */
void xc_page_answer(const xc_page *page);                      /* page_answer.c */
void xc_page_summary(const xc_page *page);                     /* page_summary.c */
void xc_page_best_q(const xc_page *page);                      /* page_summary.c */
void xc_page_tests(const xc_page *page);                       /* page_tests.c */
xc_status xc_page_boxes(xc_page *page, xc_error *error);       /* page_figures.c */
xc_status xc_page_curves(xc_page *page, xc_error *error);      /* page_figures.c */
xc_status xc_page_activations(xc_page *page, xc_error *error); /* page_figures.c */
xc_status xc_page_trials(xc_page *page, xc_error *error);      /* page_trials.c */

/* How many figures the page will draw. */
size_t xc_page_figure_count(const xc_page *page);
/* One more was drawn: the progress line. XC_INTERRUPTED when interrupted. */
xc_status xc_page_figure_drawn(xc_page *page, xc_error *error);

/* ---- page_filters.c: a trial's filters and what they match ------------------------------------------------------ */

typedef struct xc_page_filters {
    xc_motif_list motifs;
    xc_filter_match *match; /* (motifs.count) */
    const char **truth;     /* (motifs.count) the ground truth motif that a filter matches, or NULL; of the config */
} xc_page_filters;

/* Reads filters.meme and tomtom.tsv. motifs.count is 0 when there are none. Free also on failure. */
xc_status xc_page_filters_read(const xc_page *page, const xc_trial *trial, xc_page_filters *filters, xc_error *error);
void xc_page_filters_free(xc_page_filters *filters);

/* page_sheet.c: the letters that all logos use, once; and the logos of a trial as a list. */
void xc_page_letters(const xc_page *page);
void xc_page_sheet(const xc_page *page, const xc_page_filters *filters);

#endif
