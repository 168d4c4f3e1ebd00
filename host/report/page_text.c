/* page_text.c: text and numbers as the page writes them. User's text goes through xc_page_text alone, so nothing in a
 * name, a path or a reason can become markup.
 */
#include <math.h>

#include "page.h"

void xc_page_text(FILE *stream, const char *text) {
    for (; *text; text++) {
        switch (*text) {
            case '&':
                fputs("&amp;", stream);
                break;
            case '<':
                fputs("&lt;", stream);
                break;
            case '>':
                fputs("&gt;", stream);
                break;
            case '"':
                fputs("&quot;", stream);
                break;
            case '\'':
                fputs("&#39;", stream);
                break;
            default:
                fputc((unsigned char)*text < 0x20 && *text != '\n' ? ' ' : *text, stream);
        }
    }
}

void xc_page_base64(FILE *stream, const char *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const uint32_t group = (uint32_t)(unsigned char)bytes[i] << 16 |
                               (left > 1 ? (uint32_t)(unsigned char)bytes[i + 1] << 8 : 0) |
                               (left > 2 ? (uint32_t)(unsigned char)bytes[i + 2] : 0);
        const char four[4] = {digits[group >> 18], digits[group >> 12 & 63], left > 1 ? digits[group >> 6 & 63] : '=',
                              left > 2 ? digits[group & 63] : '='};
        fwrite(four, 1, sizeof four, stream);
    }
}

void xc_page_number(FILE *stream, double value, int decimals) {
    if (isfinite(value))
        fprintf(stream, "%.*f", decimals, value);
    else
        fputs("–", stream);
}

const char *xc_page_small(double value, char text[XC_PAGE_SMALL]) {
    if (!isfinite(value))
        snprintf(text, XC_PAGE_SMALL, "–");
    else if (value < 1e-307)
        snprintf(text, XC_PAGE_SMALL, "< 1e-307");
    else
        snprintf(text, XC_PAGE_SMALL, value < 0.001 ? "%.0e" : "%.2g", value);
    return text;
}

const char *xc_page_why_no_p(size_t first_count, size_t second_count) {
    return first_count < 2 || second_count < 2 ? "too few trials" : "both constant";
}
