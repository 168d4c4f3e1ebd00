/* words.c: methods, backgrounds and quadratures as configs, options and files name them.
 */
#include "expconv/attribution.h"

#define WORD(name, word) [name] = word,

const char *xc_method_word(xc_attribution_method method) {
    static const char *const words[] = {XC_ATTRIBUTION_METHODS(WORD)};
    return words[method];
}

const char *xc_background_word(xc_background background) {
    static const char *const words[] = {XC_BACKGROUNDS(WORD)};
    return words[background];
}

const char *xc_quadrature_word(xc_quadrature quadrature) {
    static const char *const words[] = {XC_QUADRATURES(WORD)};
    return words[quadrature];
}
