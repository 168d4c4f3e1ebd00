/* table.c: fills and prints the aligned table of inspect. See table.h.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "table.h"

int xc_table_row(xc_table *table, const char *format, ...) {
    char label[XC_TABLE_CELL];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(label, sizeof label, format, arguments);
    va_end(arguments);
    for (int row = 0; row < table->rows; row++)
        if (*label && strcmp(table->label[row], label) == 0) return row;
    if (table->rows < XC_TABLE_ROWS) table->rows++;
    memcpy(table->label[table->rows - 1], label, sizeof label);
    return table->rows - 1;
}

void xc_table_set(xc_table *table, const char *label, int column, const char *format, ...) {
    const int row = xc_table_row(table, "%s", label);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(table->cell[row][column], XC_TABLE_CELL, format, arguments);
    va_end(arguments);
}

void xc_table_print(const xc_table *table, FILE *stream) {
    int label_width = 0, width[XC_SPLIT_COUNT] = {0};
    for (int row = 0; row < table->rows; row++) {
        const int length = (int)strlen(table->label[row]);
        if (length > label_width) label_width = length;
        for (int column = 0; column < XC_SPLIT_COUNT; column++) {
            const int cell = (int)strlen(table->cell[row][column]);
            if (cell > width[column]) width[column] = cell;
        }
    }
    for (int row = 0; row < table->rows; row++) {
        char line[XC_TABLE_CELL * (XC_SPLIT_COUNT + 1) + 32];
        int used = snprintf(line, sizeof line, "%-*s", label_width, table->label[row]);
        for (int column = 0; column < XC_SPLIT_COUNT; column++)
            if (table->shown[column])
                used += snprintf(line + used, sizeof line - (size_t)used, "   %-*s", width[column],
                                 table->cell[row][column]);
        while (used > 0 && line[used - 1] == ' ') used--;
        fprintf(stream, "%.*s\n", used, line);
    }
}

const char *xc_thousands(uint64_t value, char *text) {
    char digits[24];
    const int count = snprintf(digits, sizeof digits, "%" PRIu64, value);
    char *out = text;
    for (int i = 0; i < count; i++) {
        if (i && (count - i) % 3 == 0) *out++ = ',';
        *out++ = digits[i];
    }
    *out = 0;
    return text;
}
