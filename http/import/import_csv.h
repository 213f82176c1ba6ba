/*
 * CSV files row by row (RFC 4180, by libcsv in its strict mode), fed in pieces of any size.
 *
 * A byte order mark is skipped, the first row is the header, blank lines are no rows. Every row and every
 * fault is named by its physical line, from 1, as an editor shows it. A row that cannot be read - a stray or
 * unclosed quote, bytes that are no UTF-8, another number of columns than the header, over the limits - goes
 * to `bad` and the file goes on behind it. Memory is bounded by the largest row allowed.
 */
#ifndef IMPORT_CSV_H
#define IMPORT_CSV_H

#include <stdint.h>

#include "runtime/base/str.h"

#define IMPORT_CSV_COLUMNS_MAX   1024
#define IMPORT_CSV_ROW_BYTES_MAX (1u << 20)

struct import_csv;

struct import_csv_row {
    uint64_t number; /* from 1, the header and bad rows not counted */
    uint64_t line;   /* where it begins */
    uint64_t offset; /* the same in bytes */
    size_t count;
    const struct oms_str *fields; /* valid during the callback; white space around unquoted fields is gone */
};

/* Where a reader stands: before the byte at `offset` of the file. */
struct import_csv_place {
    uint64_t offset, line, row; /* row: number of the last one before it */
    bool after_cr;              /* the byte before was "\r" */
};

struct import_csv_fault {
    uint64_t first_line, last_line;
    const char *message; /* valid during the callback */
    size_t count;        /* the fields, when only their number is wrong; else 0 */
    const struct oms_str *fields;
};

/* Each returns false to stop the reading: import_csv_feed then answers OMS_CLOSED. */
struct import_csv_sink {
    void *context;
    /* Once, first. The columns' names are not empty and differ from each other. */
    bool (*header)(void *context, const struct import_csv_row *header);
    bool (*row)(void *context, const struct import_csv_row *row);
    bool (*bad)(void *context, const struct import_csv_fault *fault);
};

/* The sink is copied. delimiter: one byte, not a quote or a line's end. */
struct import_csv *import_csv_create(char delimiter, const struct import_csv_sink *sink);
void import_csv_destroy(struct import_csv *csv);
/*
 * The next bytes. OMS_INVALID when the header is not usable (import_csv_error says why), OMS_CLOSED when the
 * sink stopped; both are final.
 */
OMS_MUST_USE enum oms_status import_csv_feed(struct import_csv *csv, const void *data, size_t len);
/* The end of the file: a last row without a line's end counts. OMS_INVALID also when there was no header. */
OMS_MUST_USE enum oms_status import_csv_finish(struct import_csv *csv);
/* The first byte behind the header row; 0 while it has not been read. */
uint64_t import_csv_rows_begin(const struct import_csv *csv);
/* Behind everything that it has told of: where the row that it is in begins, else where it is. */
void import_csv_place(const struct import_csv *csv, struct import_csv_place *out);
/* After the header: the bytes that are fed next stand at `place`, where a row begins. */
void import_csv_seek(struct import_csv *csv, const struct import_csv_place *place);
const char *import_csv_error(const struct import_csv *csv);

#endif
