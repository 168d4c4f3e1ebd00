/* config_filters.c: whether the values of a filters section make sense: ranges, lists without repetition, ground truths
 * that have names and motifs. Whether the database is there and has these motifs is for who reads it to say.
 */
#include <string.h>

#include "config_range.h"
#include "config_schema.h"

static xc_status check_numbers(const xc_filters_config *filters, const xc_document *document, xc_error *error) {
    xc_status status = XC_OK;
    XC_TRY(xc_config_check_range(document, "filters.threshold", filters->threshold, (xc_interval)XC_FROM_BELOW(0, 1),
                                 error));
    XC_TRY(xc_config_check_range(document, "filters.evalue", filters->evalue, (xc_interval)XC_ABOVE(0), error));
    if (filters->window < 2 || filters->window > 64 || filters->window % 2)
        return xc_document_refuse(document, xc_document_find(document, "filters.window"), error,
                                  "filters.window is %u; it must be even, from 2 to 64", filters->window);
fail:
    return status;
}

bool xc_thresholds_same(double a, double b) {
    char one[32], other[32];
    snprintf(one, sizeof one, XC_THRESHOLD_FORMAT, a);
    snprintf(other, sizeof other, XC_THRESHOLD_FORMAT, b);
    return strcmp(one, other) == 0;
}

static xc_status check_thresholds(const xc_filters_config *filters, const xc_document *document, xc_error *error) {
    for (uint32_t j = 0; j < filters->thresholds_count; j++) {
        char path[64];
        snprintf(path, sizeof path, "filters.thresholds[%u]", j);
        const double threshold = filters->thresholds[j];
        const xc_status status =
            xc_config_check_range(document, path, threshold, (xc_interval)XC_FROM_BELOW(0, 1), error);
        if (status != XC_OK) return status;
        const int node = xc_document_find(document, path);
        if (xc_thresholds_same(threshold, filters->threshold))
            return xc_document_refuse(document, node, error,
                                      "filters.thresholds has %g, which is filters.threshold; list the others alone",
                                      threshold);
        for (uint32_t i = 0; i < j; i++)
            if (xc_thresholds_same(threshold, filters->thresholds[i]))
                return xc_document_refuse(document, node, error,
                                          "filters.thresholds has %g twice; every entry is measured once", threshold);
    }
    return XC_OK;
}

/* ---- ground truth ----------------------------------------------------------------------------------------------- */

/* A name becomes part of a column's name in tables without quoting. */
static bool can_name_column(const char *name) {
    for (; *name; name++)
        if ((unsigned char)*name <= ' ' || *name == 0x7f) return false;
    return true;
}

static xc_status check_entry(const xc_filters_config *filters, const xc_document *document, uint32_t i,
                             xc_error *error) {
    const xc_ground_truth *truth = &filters->ground_truth[i];
    char path[64], name_path[80];
    snprintf(path, sizeof path, "filters.ground_truth[%u]", i);
    snprintf(name_path, sizeof name_path, "%s.name", path);
    const int node = xc_document_find(document, path), name_node = xc_document_find(document, name_path);
    if (!truth->name)
        return xc_document_refuse(document, node, error, "%s needs a name, such as {name: MAX, motifs: [MA0058.1]}",
                                  path);
    if (!can_name_column(truth->name))
        return xc_document_refuse(document, name_node, error,
                                  "%s has a space or a control character; it becomes the column q_NAME", name_path);
    for (uint32_t j = 0; j < i; j++)
        if (strcmp(truth->name, filters->ground_truth[j].name) == 0)
            return xc_document_refuse(document, name_node, error,
                                      "filters.ground_truth has %s twice; give all its "
                                      "motifs in one entry",
                                      truth->name);
    if (!truth->motifs_count)
        return xc_document_refuse(document, node, error,
                                  "%s (%s) needs motifs, the identifiers that the database has of it", path,
                                  truth->name);
    return XC_OK;
}

/* The entry that has an identifier before motif `before` of entry `last`; NULL: none. */
static const xc_ground_truth *find_motif(const xc_filters_config *filters, const char *motif, uint32_t last,
                                         uint32_t before) {
    for (uint32_t i = 0; i <= last; i++) {
        const xc_ground_truth *truth = &filters->ground_truth[i];
        const uint32_t count = i < last ? truth->motifs_count : before;
        for (uint32_t m = 0; m < count; m++)
            if (strcmp(truth->motifs[m], motif) == 0) return truth;
    }
    return NULL;
}

static xc_status check_motifs(const xc_filters_config *filters, const xc_document *document, uint32_t i,
                              xc_error *error) {
    const xc_ground_truth *truth = &filters->ground_truth[i];
    for (uint32_t m = 0; m < truth->motifs_count; m++) {
        const xc_ground_truth *other = find_motif(filters, truth->motifs[m], i, m);
        if (!other) continue;
        char path[96];
        snprintf(path, sizeof path, "filters.ground_truth[%u].motifs[%u]", i, m);
        const int node = xc_document_find(document, path);
        if (other == truth)
            return xc_document_refuse(document, node, error, "filters.ground_truth: %s has %s twice", truth->name,
                                      truth->motifs[m]);
        return xc_document_refuse(document, node, error,
                                  "filters.ground_truth: %s is a motif of both %s and %s; a match must mean one",
                                  truth->motifs[m], other->name, truth->name);
    }
    return XC_OK;
}

/* What needs a database to compare with. */
static xc_status check_database(const xc_filters_config *filters, const xc_document *document, xc_error *error) {
    if (filters->motifs) return XC_OK;
    if (filters->ground_truth_count)
        return xc_document_refuse(document, xc_document_find(document, "filters.ground_truth"), error,
                                  "filters.ground_truth needs filters.motifs, the file of the database that has these "
                                  "identifiers");
    if (filters->ignore_alone_count)
        return xc_document_refuse(document, xc_document_find(document, "filters.ignore_alone"), error,
                                  "filters.ignore_alone changes nothing: it is for filters.motifs, which is not given");
    return XC_OK;
}

xc_status xc_config_check_filters(const xc_filters_config *filters, const xc_document *document, xc_error *error) {
    xc_status status = XC_OK;
    XC_TRY(check_numbers(filters, document, error));
    XC_TRY(check_thresholds(filters, document, error));
    XC_TRY(check_database(filters, document, error));
    for (uint32_t i = 0; i < filters->ground_truth_count; i++) {
        XC_TRY(check_entry(filters, document, i, error));
        XC_TRY(check_motifs(filters, document, i, error));
    }
fail:
    return status;
}
