/* page_settings.c: the settings of a grid as the page speaks of them: their names, which of them differ in the
 * activation alone, and the values of their finished trials. Nothing is written here.
 */
#include <math.h>
#include <string.h>

#include "axis.h"
#include "page.h"

int xc_page_columns(const xc_grid *grid, const char *column[XC_PAGE_COLUMNS]) {
    int count = 0;
    column[count++] = "zoo";
    column[count++] = "activation";
    for (int32_t i = 0; i < grid->varied_count; i++) {
        const char *name = grid->varied[i];
        const bool taken = strcmp(name, "zoo") == 0 || strcmp(name, "activation") == 0 || strcmp(name, "seed") == 0;
        if (!taken && xc_column_varies(grid, name)) column[count++] = name;
    }
    return count;
}

const char *xc_page_label(const xc_grid *grid, size_t first, bool activation, char label[XC_PAGE_LABEL]) {
    char value[XC_LABEL_SIZE];
    const char *column[XC_PAGE_COLUMNS];
    const int count = xc_page_columns(grid, column);
    label[0] = 0;
    for (int i = 0; i < count; i++) {
        if (!activation && strcmp(column[i], "activation") == 0) continue;
        xc_value_label(&grid->trial[first], column[i], value, sizeof value);
        const size_t used = strlen(label);
        snprintf(label + used, XC_PAGE_LABEL - used, "%s%s", used ? ", " : "", value);
    }
    return label;
}

const char *xc_page_activation(const xc_grid *grid, size_t first) {
    return xc_activation_word(grid->trial[first].config->model.activation);
}

bool xc_page_same_group(const xc_grid *grid, size_t first, size_t other) {
    char a[XC_PAGE_LABEL], b[XC_PAGE_LABEL];
    return strcmp(xc_page_label(grid, first, false, a), xc_page_label(grid, other, false, b)) == 0;
}

bool xc_page_leads(const xc_grid *grid, size_t first) {
    for (size_t other = 0; other < first; other += grid->seeds)
        if (xc_page_same_group(grid, first, other)) return false;
    return true;
}

static double value_of(const xc_grid *grid, size_t trial, double (*value)(const xc_grid *, size_t)) {
    return grid->trial[trial].status == XC_TRIAL_DONE ? value(grid, trial) : NAN;
}

size_t xc_page_values(const xc_grid *grid, size_t first, double (*value)(const xc_grid *, size_t), double *values) {
    size_t count = 0;
    for (size_t i = first; i < first + grid->seeds; i++) {
        const double one = value_of(grid, i, value);
        if (isfinite(one)) values[count++] = one;
    }
    return count;
}

xc_statistics xc_page_statistics(const xc_page *page, size_t first, double (*value)(const xc_grid *, size_t)) {
    return xc_statistics_of(page->scratch[0], xc_page_values(page->grid, first, value, page->scratch[0]));
}

bool xc_page_measured(const xc_grid *grid, double (*value)(const xc_grid *, size_t)) {
    for (size_t i = 0; i < grid->count; i++)
        if (isfinite(value_of(grid, i, value))) return true;
    return false;
}

size_t xc_page_count(const xc_grid *grid, xc_trial_status status) {
    size_t count = 0;
    for (size_t i = 0; i < grid->count; i++) count += grid->trial[i].status == status;
    return count;
}

const xc_filter_scores *xc_page_scores(const xc_grid *grid, size_t trial) {
    return grid->scores && grid->scores[trial].filters > 0 ? &grid->scores[trial] : NULL;
}

bool xc_page_compared(const xc_page *page) {
    const xc_filters_config *config = page->grid->trial[0].config->filters;
    return config && config->motifs;
}

const xc_measure *xc_page_measure(const char *word) {
    for (const xc_measure *measure = xc_measures; measure->word; measure++)
        if (strcmp(measure->word, word) == 0) return measure;
    return NULL;
}
