/*
 * libcsv does not count lines, so it is fed a physical line at a time: a row begins on the line on which the
 * parser is between rows. After a fault the parser is made anew and the rest of that line is skipped.
 */
#include "http/import/import_csv.h"

#include <csv.h>
#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/utf8.h"

enum phase { PHASE_MARK, PHASE_HEADER, PHASE_ROWS };

struct import_csv {
    struct import_csv_sink sink;
    struct csv_parser parser;
    unsigned char delimiter;
    enum phase phase;
    enum oms_status status;
    char error[256];

    uint64_t line;     /* of the next byte */
    uint64_t offset;   /* the same in bytes */
    uint64_t row_line; /* where the current row began */
    uint64_t row_offset;
    uint64_t rows_begin; /* behind the header */
    uint64_t row_number;
    uint64_t row_bytes; /* fed since the current row began */
    bool in_row;        /* the parser is inside a row */
    bool row_ended;     /* a row was delivered by the current piece */
    bool skipping;      /* behind a fault: to the end of this line */
    bool last_was_cr;   /* "\r" ended the last piece; a "\n" now belongs to it */

    struct oms_buf text; /* of the current row's fields */
    size_t ends[IMPORT_CSV_COLUMNS_MAX];
    size_t count;
    bool too_many;
    struct oms_str fields[IMPORT_CSV_COLUMNS_MAX];

    size_t columns;
    unsigned char mark[3];
    size_t mark_len;
};

static void parser_init(struct import_csv *csv)
{
    OMS_ASSERT(csv_init(&csv->parser, CSV_STRICT | CSV_STRICT_FINI) == 0);
    csv_set_delim(&csv->parser, csv->delimiter);
    csv_set_blk_size(&csv->parser,
                     16384); /* a field's buffer grows by so much; 128 bytes would copy it too often */
}

struct import_csv *import_csv_create(char delimiter, const struct import_csv_sink *sink)
{
    struct import_csv *csv = oms_calloc(1, sizeof(*csv));

    csv->sink = *sink;
    csv->delimiter = (unsigned char)delimiter;
    csv->line = 1;
    oms_buf_init(&csv->text, IMPORT_CSV_ROW_BYTES_MAX);
    parser_init(csv);
    return csv;
}

void import_csv_destroy(struct import_csv *csv)
{
    if (!csv)
        return;
    csv_free(&csv->parser);
    oms_buf_fini(&csv->text);
    oms_free(csv);
}

const char *import_csv_error(const struct import_csv *csv)
{
    return csv->error;
}

static void row_reset(struct import_csv *csv)
{
    oms_buf_reset(&csv->text);
    csv->count = 0;
    csv->too_many = false;
    csv->row_bytes = 0;
}

static void report_bad(struct import_csv *csv, const char *message, bool with_fields)
{
    struct import_csv_fault fault = {csv->row_line, csv->line, message, with_fields ? csv->count : 0,
                                     csv->fields};

    if (csv->phase != PHASE_ROWS) {
        csv->status = OMS_INVALID;
        snprintf(csv->error, sizeof(csv->error), "line %llu: the header: %s",
                 (unsigned long long)csv->row_line, message);
        return;
    }
    if (!csv->sink.bad(csv->sink.context, &fault))
        csv->status = OMS_CLOSED;
}

/* ---- libcsv's callbacks ---- */

static void on_field(void *data, size_t len, void *context)
{
    struct import_csv *csv = context;

    if (csv->count == IMPORT_CSV_COLUMNS_MAX) {
        csv->too_many = true;
        return;
    }
    oms_buf_append(&csv->text, data, len);
    csv->ends[csv->count++] = csv->text.len;
}

static void take_fields(struct import_csv *csv)
{
    size_t start = 0;

    for (size_t i = 0; i < csv->count; i++) {
        csv->fields[i] = oms_str_make(csv->text.data ? csv->text.data + start : "", csv->ends[i] - start);
        start = csv->ends[i];
    }
}

static void take_header(struct import_csv *csv)
{
    struct import_csv_row header = {0, csv->row_line, csv->row_offset, csv->count, csv->fields};
    char message[200];

    for (size_t i = 0; i < csv->count; i++) {
        if (csv->fields[i].len == 0) {
            snprintf(message, sizeof(message), "column %zu has no name", i + 1);
            report_bad(csv, message, false);
            return;
        }
        for (size_t other = 0; other < i; other++) {
            if (oms_str_eq(csv->fields[i], csv->fields[other])) {
                snprintf(message, sizeof(message), "two columns are named \"%.*s\"",
                         csv->fields[i].len > 100 ? 100 : (int)csv->fields[i].len, csv->fields[i].data);
                report_bad(csv, message, false);
                return;
            }
        }
    }
    csv->columns = csv->count;
    csv->phase = PHASE_ROWS;
    if (!csv->sink.header(csv->sink.context, &header))
        csv->status = OMS_CLOSED;
}

static void on_row(int character, void *context)
{
    struct import_csv *csv = context;
    struct oms_str text = oms_buf_str(&csv->text);
    char message[128];

    (void)character;
    csv->row_ended = true;
    if (csv->status != OMS_OK)
        return;
    take_fields(csv);
    if (csv->text.overflow) {
        report_bad(csv, "a row of more than 1 MiB", false);
    } else if (csv->too_many) {
        report_bad(csv, "more than 1,024 columns", false);
    } else if (!oms_utf8_valid(text)) {
        report_bad(csv, "not UTF-8 text", false);
    } else if (text.len && memchr(text.data, 0, text.len)) {
        report_bad(csv, "a NUL byte", false);
    } else if (csv->phase == PHASE_HEADER) {
        take_header(csv);
    } else if (csv->count != csv->columns) {
        snprintf(message, sizeof(message), "%zu columns where the header has %zu", csv->count, csv->columns);
        report_bad(csv, message, true);
    } else {
        struct import_csv_row row = {++csv->row_number, csv->row_line, csv->row_offset, csv->count,
                                     csv->fields};
        if (!csv->sink.row(csv->sink.context, &row))
            csv->status = OMS_CLOSED;
    }
    row_reset(csv);
}

/* ---- feeding ---- */

static bool blank(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (data[i] != ' ' && data[i] != '\t' && data[i] != '\r' && data[i] != '\n')
            return false;
    return true;
}

static void start_over(struct import_csv *csv, const char *message)
{
    report_bad(csv, message, false);
    csv_free(&csv->parser);
    parser_init(csv);
    row_reset(csv);
    csv->in_row = false;
}

/* A piece of one physical line, with its end when `ends_line`. */
static void feed_piece(struct import_csv *csv, const char *data, size_t len, bool ends_line)
{
    if (csv->skipping) {
        csv->skipping = !ends_line;
        return;
    }
    if (!csv->in_row) {
        csv->row_line = csv->line;
        csv->row_offset = csv->offset;
    }
    csv->row_ended = false;
    csv->row_bytes += len;
    size_t used = csv_parse(&csv->parser, data, len, on_field, on_row, csv);
    if (csv->status != OMS_OK)
        return;
    if (used != len) {
        start_over(csv, csv_error(&csv->parser) == CSV_EPARSE ? "a quote where none may be"
                                                              : "a field that is too long");
        csv->skipping = !ends_line;
    } else if (csv->row_ended) {
        csv->in_row = false;
        csv->row_bytes = 0;
    } else {
        csv->in_row = csv->in_row || !blank(data, len);
        if (!csv->in_row)
            csv->row_bytes = 0;
    }
    if (csv->row_bytes > IMPORT_CSV_ROW_BYTES_MAX) {
        start_over(csv, "a row of more than 1 MiB (an unclosed quote?)");
        csv->skipping = !ends_line;
    }
}

/* The length of the piece up to and with the next line's end; *ends when there is one. */
static size_t next_piece(const char *data, size_t len, bool *ends)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' || data[i] == '\r') {
            *ends = true;
            return data[i] == '\r' && i + 1 < len && data[i + 1] == '\n' ? i + 2 : i + 1;
        }
    }
    *ends = false;
    return len;
}

static void feed_text(struct import_csv *csv, const char *data, size_t len)
{
    if (csv->phase == PHASE_MARK)
        csv->phase = PHASE_HEADER;
    while (len && csv->status == OMS_OK) {
        bool ends;
        size_t piece = next_piece(data, len, &ends);
        /* "\n" of a "\r\n" that was cut between two calls: the line has been counted. */
        bool tail = csv->last_was_cr && data[0] == '\n';
        if (tail) {
            piece = 1;
            (void)csv_parse(&csv->parser, data, 1, on_field, on_row, csv);
        } else {
            feed_piece(csv, data, piece, ends);
        }
        csv->offset += piece;
        if (csv->phase == PHASE_ROWS && !csv->rows_begin)
            csv->rows_begin = csv->offset;
        if (ends && !tail)
            csv->line++;
        csv->last_was_cr = !tail && data[piece - 1] == '\r' && piece == len;
        data += piece;
        len -= piece;
    }
}

/* Swallows a byte order mark, which may come in pieces. */
static void feed_mark(struct import_csv *csv, const char **data, size_t *len)
{
    static const unsigned char mark[3] = {0xEF, 0xBB, 0xBF};

    while (*len && csv->mark_len < 3 && (unsigned char)**data == mark[csv->mark_len]) {
        csv->mark[csv->mark_len++] = (unsigned char)**data;
        (*data)++;
        (*len)--;
    }
    if (csv->mark_len == 3)
        csv->offset = 3;
    if (csv->mark_len == 3 || *len == 0)
        return;
    if (csv->mark_len) /* it was none: give back what it looked like */
        feed_text(csv, (const char *)csv->mark, csv->mark_len);
    csv->mark_len = 3;
}

enum oms_status import_csv_feed(struct import_csv *csv, const void *data, size_t len)
{
    const char *next = data;

    if (csv->mark_len < 3)
        feed_mark(csv, &next, &len);
    if (csv->mark_len == 3 && len)
        feed_text(csv, next, len);
    return csv->status;
}

uint64_t import_csv_rows_begin(const struct import_csv *csv)
{
    return csv->rows_begin;
}

void import_csv_place(const struct import_csv *csv, struct import_csv_place *out)
{
    bool inside = csv->in_row || csv->skipping;

    *out =
        (struct import_csv_place){inside ? csv->row_offset : csv->offset, inside ? csv->row_line : csv->line,
                                  csv->row_number, !inside && csv->last_was_cr};
}

void import_csv_seek(struct import_csv *csv, const struct import_csv_place *place)
{
    OMS_ASSERT(csv->phase == PHASE_ROWS && !csv->in_row && !csv->skipping);
    csv->offset = place->offset;
    csv->line = place->line;
    csv->row_number = place->row;
    csv->last_was_cr = place->after_cr;
}

enum oms_status import_csv_finish(struct import_csv *csv)
{
    if (csv->status != OMS_OK)
        return csv->status;
    if (csv->in_row && !csv->skipping) {
        csv->row_ended = false;
        if (csv_fini(&csv->parser, on_field, on_row, csv) != 0)
            report_bad(csv, "a quote that is not closed", false);
    }
    if (csv->status == OMS_OK && csv->phase != PHASE_ROWS) {
        csv->status = OMS_INVALID;
        snprintf(csv->error, sizeof(csv->error), "the file has no header row");
    }
    return csv->status;
}
