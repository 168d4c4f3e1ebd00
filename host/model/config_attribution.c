/* config_attribution.c: whether the values of an attribution section make sense. Whether the data has a ground truth
 * and the class is for who reads it to say.
 */
#include "config_range.h"
#include "config_schema.h"

static xc_status check_methods(const xc_attribution_config *attribution, const xc_document *document, xc_error *error) {
    if (attribution->methods_count == 0)
        return xc_document_refuse(document, xc_document_find(document, "attribution"), error,
                                  "attribution.methods is missing; list some of saliency, integrated_gradients, "
                                  "mutagenesis and deepshap");
    for (uint32_t j = 0; j < attribution->methods_count; j++)
        for (uint32_t i = 0; i < j; i++) {
            if (attribution->methods[i] != attribution->methods[j]) continue;
            char path[64];
            snprintf(path, sizeof path, "attribution.methods[%u]", j);
            return xc_document_refuse(document, xc_document_find(document, path), error,
                                      "attribution.methods has %s twice; every entry is measured once",
                                      xc_method_word(attribution->methods[j]));
        }
    return XC_OK;
}

xc_status xc_config_check_attribution(const xc_attribution_config *attribution, const xc_document *document,
                                      xc_error *error) {
    xc_status status;
    XC_TRY(check_methods(attribution, document, error));
    XC_TRY(xc_config_check_range(document, "attribution.sequences", attribution->sequences,
                                 (xc_interval)XC_FROM_TO(1, UINT32_MAX), error));
    XC_TRY(xc_config_check_range(document, "attribution.backgrounds", attribution->backgrounds,
                                 (xc_interval)XC_FROM_TO(1, XC_MOST_BACKGROUNDS), error));
    XC_TRY(xc_config_check_range(document, "attribution.steps", attribution->steps,
                                 (xc_interval)XC_FROM_TO(1, XC_MOST_STEPS), error));
    if (attribution->background == XC_BACKGROUND_FILE)
        status = xc_document_refuse(document, xc_document_find(document, "attribution.background"), error,
                                    "attribution.background is file; a sweep has shuffle, dinucleotide and zero");
fail:
    return status;
}
