/* table.h: a table of texts with a column for each split, printed aligned. What inspect shows is one of these.
 */
#ifndef EXPCONV_HOST_DATA_TABLE_H
#define EXPCONV_HOST_DATA_TABLE_H

#include "expconv/data.h"

enum { XC_TABLE_ROWS = 64, XC_TABLE_CELL = 112 };

typedef struct xc_table {
    int rows;
    char label[XC_TABLE_ROWS][XC_TABLE_CELL];
    char cell[XC_TABLE_ROWS][XC_SPLIT_COUNT][XC_TABLE_CELL];
    bool shown[XC_SPLIT_COUNT]; /* columns to print */
} xc_table;

/* The row with this label, added at the end when it is not there; an empty label always adds an empty line. */
int xc_table_row(xc_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets one cell of the row `label`. */
void xc_table_set(xc_table *table, const char *label, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void xc_table_print(const xc_table *table, FILE *stream);

/* 1234567 as "1,234,567" into text (32); returns it. */
const char *xc_thousands(uint64_t value, char *text);

#endif
