/* check.c: what cannot be attributed, refused before anything is computed.
 */
#include "room.h"

static xc_status check_background(const xc_network *network, const xc_attribution_settings *settings, xc_error *error) {
    const bool from_file = settings->background == XC_BACKGROUND_FILE;
    if (settings->method != XC_INTEGRATED_GRADIENTS && settings->method != XC_DEEPSHAP) return XC_OK;
    if (!from_file && settings->background != XC_BACKGROUND_ZERO &&
        (settings->backgrounds < 1 || settings->backgrounds > XC_MOST_BACKGROUNDS))
        return xc_fail(error, XC_INPUT, "%u backgrounds a sequence; give 1 to %d", settings->backgrounds,
                       XC_MOST_BACKGROUNDS);
    if (from_file && (settings->file == NULL || settings->file->dna.sequences == 0))
        return xc_fail(error, XC_INPUT, "there are no backgrounds; give a file with at least one sequence");
    if (from_file && settings->file->dna.sequences > XC_MOST_BACKGROUNDS)
        return xc_fail(error, XC_INPUT,
                       "the file has %u backgrounds, more than %d; every one is compared with every "
                       "sequence, give fewer",
                       settings->file->dna.sequences, XC_MOST_BACKGROUNDS);
    if (from_file && (int32_t)settings->file->dna.length != network->model.length)
        return xc_fail(error, XC_INPUT, "the backgrounds have length %u, but the network was trained on %d",
                       settings->file->dna.length, network->model.length);
    return XC_OK;
}

xc_status xc_attribution_settings_check(const xc_network *network, const xc_split *split,
                                        const xc_attribution_settings *settings, xc_error *error) {
    const int32_t classes = network->model.classes;
    if ((int32_t)split->dna.length != network->model.length)
        return xc_fail(error, XC_INPUT, "the sequences have length %u, but the network was trained on %d",
                       split->dna.length, network->model.length);
    if (settings->class_index < 0 || settings->class_index >= classes)
        return xc_fail(error, XC_INPUT, "there is no class %d; the network has %d, counted from 0",
                       settings->class_index, classes);
    if (settings->method == XC_INTEGRATED_GRADIENTS && (settings->steps < 1 || settings->steps > XC_MOST_STEPS))
        return xc_fail(error, XC_INPUT, "%u steps from a background to the sequence; give 1 to %d", settings->steps,
                       XC_MOST_STEPS);
    return check_background(network, settings, error);
}
