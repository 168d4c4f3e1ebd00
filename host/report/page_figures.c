/* page_figures.c: the box plots, training curves and activation functions: each goes into the page in light and in
 * dark, with its gist in words, and into the folder of figures as SVG, PDF and PNG.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../train/room.h"
#include "figure.h"
#include "page.h"

enum { MOST_SPOKEN = 12, WIDE_PIXELS = 600 }; /* a wide figure scrolls on a phone rather than shrinks */
static const double quiet_seconds = 1;        /* a small sweep's figures need no progress line */

/* A setting has curves as soon as one of its trials has a history. */
static bool has_curves(const xc_grid *grid, size_t first) {
    for (size_t i = first; i < first + grid->seeds; i++)
        if (xc_trial_has(&grid->trial[i], XC_HISTORY_FILE)) return true;
    return false;
}

size_t xc_page_figure_count(const xc_page *page) {
    const xc_grid *grid = page->grid;
    size_t count = 1; /* the activations */
    for (const xc_measure *measure = xc_measures; measure->word; measure++)
        count += xc_page_measured(grid, measure->value);
    for (size_t first = 0; first < grid->count; first += grid->seeds) count += has_curves(grid, first);
    for (size_t i = 0; i < grid->count; i++) count += xc_trial_has(&grid->trial[i], XC_FILTERS_FILE);
    return count;
}

xc_status xc_page_figure_drawn(xc_page *page, xc_error *error) {
    page->drawn++;
    if (xc_interrupted())
        return xc_fail(error, XC_INTERRUPTED, "interrupted; %s was not written: make it again with the same command",
                       page->path);
    if (xc_seconds() - page->begun > quiet_seconds)
        xc_log_progress(page->drawn == page->to_draw, "report: %zu of %zu figures", page->drawn, page->to_draw);
    return XC_OK;
}

/* ---- a picture in the page --------------------------------------------------------------------------------------- */

static xc_status write_data(FILE *out, const xc_picture *picture, const xc_theme *theme, xc_error *error) {
    char *svg = NULL;
    const xc_status status = xc_picture_svg(picture, theme, &svg, error);
    if (status == XC_OK) {
        fputs("data:image/svg+xml;base64,", out);
        xc_page_base64(out, svg, strlen(svg));
    }
    free(svg);
    return status;
}

/* Also writes the files figures/NAME.*. `gist` is already safe for HTML. */
static xc_status write_picture(xc_page *page, const xc_picture *picture, const char *name, const char *gist,
                               xc_error *error) {
    xc_status status = XC_OK;
    FILE *out = page->stream;
    const double width = picture->width * 96 / 72;
    char *stem = xc_path_join(page->figures, name);
    if (!stem) return xc_fail(error, XC_MEMORY, "out of memory for the name of a figure");
    fprintf(out, "<div class=\"figure%s\" tabindex=\"0\">\n<picture>\n", width > WIDE_PIXELS ? " wide" : "");
    fputs("<source media=\"screen and (prefers-color-scheme: dark)\" srcset=\"", out);
    XC_TRY(write_data(out, picture, &xc_theme_dark, error));
    fputs("\">\n<img src=\"", out);
    XC_TRY(write_data(out, picture, &xc_theme_light, error));
    fprintf(out, "\" width=\"%.0f\" height=\"%.0f\" alt=\"%s\">\n</picture>\n</div>\n", width,
            picture->height * 96 / 72, gist);
    XC_TRY(xc_picture_write(picture, stem, error));
    XC_TRY(xc_page_figure_drawn(page, error));
fail:
    free(stem);
    return status;
}

/* ---- box plots --------------------------------------------------------------------------------------------------- */

/* "Box plots of ... cnn-deep, relu: median 0.00 of 3; ...", to be freed. */
static char *describe_boxes(const xc_page *page, const xc_measure *measure) {
    char *text = NULL, label[XC_PAGE_LABEL];
    size_t size = 0, spoken = 0, left = 0;
    const xc_grid *grid = page->grid;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return NULL;
    fputs("Box plots by activation: ", stream);
    xc_page_text(stream, measure->label);
    fputs(". Medians: ", stream);
    for (size_t first = 0; first < grid->count; first += grid->seeds) {
        const xc_statistics s = xc_page_statistics(page, first, measure->value);
        if (s.count == 0) continue;
        if (spoken == MOST_SPOKEN) {
            left++;
            continue;
        }
        if (spoken++ > 0) fputs("; ", stream);
        xc_page_text(stream, xc_page_label(grid, first, true, label));
        fprintf(stream, " %.3g (n = %zu)", s.median, s.count);
    }
    if (left > 0) fprintf(stream, "; and %zu more settings, in the table", left);
    fputc('.', stream);
    return fclose(stream) == 0 ? text : NULL;
}

static xc_status write_boxes(xc_page *page, const xc_measure *measure, xc_error *error) {
    xc_status status = XC_OK;
    xc_picture picture = {0};
    char *gist = describe_boxes(page, measure);
    if (!gist) return xc_fail(error, XC_MEMORY, "out of memory for a figure's description");
    XC_TRY(xc_boxes_picture(page->grid, measure, &picture, error));
    fputs("<figure>\n<figcaption>", page->stream);
    xc_page_text(page->stream, measure->label);
    fputs("</figcaption>\n", page->stream);
    XC_TRY(write_picture(page, &picture, measure->word, gist, error));
    fputs("</figure>\n", page->stream);
fail:
    xc_picture_free(&picture);
    free(gist);
    return status;
}

xc_status xc_page_boxes(xc_page *page, xc_error *error) {
    xc_status status = XC_OK;
    bool any = false;
    for (const xc_measure *measure = xc_measures; measure->word; measure++) {
        if (!xc_page_measured(page->grid, measure->value)) continue;
        if (!any)
            fputs(
                "<section id=\"distributions\">\n<h2>Distributions</h2>\n<p class=\"note\">Each point is a network and "
                "the upright line the "
                "median; where there are enough networks, a box spans the quartiles and whiskers reach the furthest "
                "network within 1.5 times the box.</p>\n<div class=\"figures\">\n",
                page->stream);
        any = true;
        XC_TRY(write_boxes(page, measure, error));
    }
    if (any) fputs("</div>\n</section>\n", page->stream);
fail:
    return status;
}

/* ---- training curves --------------------------------------------------------------------------------------------- */

static char *describe_curves(const xc_page *page, size_t first) {
    char *text = NULL, label[XC_PAGE_LABEL];
    size_t size = 0, count = 0;
    uint32_t fewest = UINT32_MAX, most = 0;
    const xc_grid *grid = page->grid;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return NULL;
    for (size_t i = first; i < first + grid->seeds; i++) {
        const uint32_t epochs = grid->trial[i].epochs;
        if (epochs == 0) continue;
        count++;
        if (epochs < fewest) fewest = epochs;
        if (epochs > most) most = epochs;
        page->scratch[0][count - 1] = grid->trial[i].train_loss;
    }
    fputs("Training curves of ", stream);
    xc_page_text(stream, xc_page_label(grid, first, true, label));
    fputs(": loss and the monitored metric by epoch", stream);
    if (count > 0) fprintf(stream, ", %zu %s of %u", count, count == 1 ? "network" : "networks", fewest);
    if (count > 0 && most > fewest) fprintf(stream, " to %u", most);
    if (count > 0) fprintf(stream, " %s", most == 1 ? "epoch" : "epochs");
    const xc_statistics loss = xc_statistics_of(page->scratch[0], count);
    if (loss.count > 0) fprintf(stream, ", median training loss %.3g at the end", loss.median);
    fputc('.', stream);
    return fclose(stream) == 0 ? text : NULL;
}

/* "training.cnn-deep.relu.glorot_uniform": the trial's name without its seed, to be freed. */
static char *curves_name(const xc_trial *trial) {
    char *name;
    const char *seed = strrchr(trial->name, '.');
    const int length = seed ? (int)(seed - trial->name) : (int)strlen(trial->name);
    return asprintf(&name, "training.%.*s", length, trial->name) < 0 ? NULL : name;
}

static xc_status write_curves(xc_page *page, size_t first, xc_error *error) {
    xc_status status = XC_OK;
    xc_picture picture = {0};
    char label[XC_PAGE_LABEL], *name = curves_name(&page->grid->trial[first]), *gist = describe_curves(page, first);
    if (!name || !gist) {
        status = xc_fail(error, XC_MEMORY, "out of memory for a figure's name");
        goto fail;
    }
    XC_TRY(xc_curves_picture(page->grid, first, &picture, error));
    fprintf(page->stream, "<details%s>\n<summary>", page->grid->count == page->grid->seeds ? " open" : "");
    xc_page_text(page->stream, xc_page_label(page->grid, first, true, label));
    fputs("</summary>\n<figure>\n", page->stream);
    XC_TRY(write_picture(page, &picture, name, gist, error));
    fputs("</figure>\n</details>\n", page->stream);
fail:
    xc_picture_free(&picture);
    free(name);
    free(gist);
    return status;
}

xc_status xc_page_curves(xc_page *page, xc_error *error) {
    xc_status status = XC_OK;
    bool any = false;
    for (size_t first = 0; first < page->grid->count; first += page->grid->seeds) {
        if (!has_curves(page->grid, first)) continue;
        if (!any) fputs("<section id=\"training\">\n<h2>Training curves</h2>\n", page->stream);
        any = true;
        XC_TRY(write_curves(page, first, error));
    }
    if (any) fputs("</section>\n", page->stream);
fail:
    return status;
}

/* ---- activation functions ---------------------------------------------------------------------------------------- */

xc_status xc_page_activations(xc_page *page, xc_error *error) {
    xc_status status = XC_OK;
    xc_picture picture = {0};
    char gist[1024] = "The activation functions as curves:";
    const xc_grid *grid = page->grid;
    for (size_t first = 0; first < grid->count; first += grid->seeds) {
        bool seen = false;
        for (size_t other = 0; other < first; other += grid->seeds)
            seen = seen || strcmp(xc_page_activation(grid, first), xc_page_activation(grid, other)) == 0;
        const size_t used = strlen(gist);
        if (!seen)
            snprintf(gist + used, sizeof gist - used, "%s %s", first ? "," : "", xc_page_activation(grid, first));
    }
    XC_TRY(xc_activations_picture(grid, &picture, error));
    fputs("<section id=\"activations\">\n<h2>The activation functions</h2>\n<figure>\n", page->stream);
    XC_TRY(write_picture(page, &picture, "activations", gist, error));
    fputs("</figure>\n</section>\n", page->stream);
fail:
    xc_picture_free(&picture);
    return status;
}
