/*
 * One order is open at a time: its members as JSON from its first row, its lines as JSON so far, and the text
 * of the columns that must not differ between its rows.
 */
#include "http/import/import_orders.h"

#include <stdio.h>

#include "http/import/import_csv.h"
#include "http/import/import_seen.h"
#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

struct open_order {
    bool open;
    bool refused; /* by the fault */
    bool skipped; /* refused, and the map wants it so */
    struct import_fault fault;
    struct oms_buf key;
    struct oms_buf members, lines;
    size_t line_count;
    struct oms_buf columns; /* text of the order's columns, joined */
    size_t *column_ends;
    struct oms_str *first; /* the order's columns in its first row, by number in the header */
    struct import_row_place *rows;
    size_t row_count, row_cap;
    struct import_orders_place place; /* of its first row */
};

struct import_orders {
    struct import_map *map;
    struct import_orders_sink sink;
    struct import_csv *csv; /* NULL for JSON Lines */
    struct open_order order;
    struct import_seen closed;
    struct oms_buf input;
    uint64_t poison_line; /* a row that could not be read, before the next order; 0: none */
    char error[512];
    /* JSON Lines */
    struct oms_buf json_line;
    struct oms_arena arena;
    uint64_t line, row_number;
    uint64_t line_offset, offset; /* of the current line's first byte; of the next byte */
    bool too_long;
    bool stopped;
};

/* ---- refusing ---- */

static bool refuse_row(struct import_orders *orders, struct oms_str ref, struct import_row_place place,
                       const char *code, struct oms_str field, const char *message)
{
    struct import_refusal refusal = {ref, &place, 1, code, field, message, false};
    return orders->sink.refused(orders->sink.context, &refusal);
}

/* The first fault of an order stays. */
static void refuse_open(struct open_order *order, const struct import_fault *fault)
{
    if (!order->refused)
        order->fault = *fault;
    order->refused = true;
}

static void poison_fault(struct import_fault *fault, uint64_t line)
{
    *fault = (struct import_fault){.code = "INVALID"};
    snprintf(fault->message, sizeof(fault->message),
             "line %llu beside it cannot be read and could be a line of this order",
             (unsigned long long)line);
}

/* ---- closing an order ---- */

static bool close_order(struct import_orders *orders)
{
    struct open_order *order = &orders->order;
    struct oms_str ref = oms_buf_str(&order->key);

    if (!order->open)
        return true;
    order->open = false;
    import_seen_add(&orders->closed, ref);
    if (!order->refused) {
        oms_buf_reset(&orders->input);
        oms_buf_append_char(&orders->input, '{');
        oms_buf_append_str(&orders->input, oms_buf_str(&order->members));
        oms_buf_append_lit(&orders->input, ",\"lineItems\":[");
        oms_buf_append_str(&orders->input, oms_buf_str(&order->lines));
        oms_buf_append_lit(&orders->input, "]}");
        if (orders->input.overflow)
            refuse_open(order,
                        &(struct import_fault){.code = "LIMIT_EXCEEDED",
                                               .message = "the order is larger than a request may be"});
    }
    if (order->refused) {
        struct import_refusal refusal = {ref,
                                         order->rows,
                                         order->row_count,
                                         order->fault.code,
                                         order->fault.field,
                                         order->fault.message,
                                         order->skipped};
        return orders->sink.refused(orders->sink.context, &refusal);
    }
    struct import_order done = {ref, oms_buf_str(&orders->input), order->rows, order->row_count};
    return orders->sink.order(orders->sink.context, &done);
}

/* ---- rows ---- */

static void open_order(struct import_orders *orders, struct oms_str key, const struct import_csv_row *row)
{
    const struct oms_str *fields = row->fields;
    struct open_order *order = &orders->order;
    const size_t *columns;
    size_t count = import_map_order_columns(orders->map, &columns);
    struct import_fault fault;

    order->open = true;
    order->place =
        (struct import_orders_place){row->offset, row->line, row->number - 1, orders->poison_line, false};
    order->refused = false;
    order->skipped = false;
    order->row_count = 0;
    order->line_count = 0;
    oms_buf_reset(&order->key);
    oms_buf_append_str(&order->key, key);
    oms_buf_reset(&order->members);
    oms_buf_reset(&order->lines);
    oms_buf_reset(&order->columns);
    for (size_t i = 0; i < count; i++) {
        oms_buf_append_str(&order->columns, fields[columns[i]]);
        order->column_ends[i] = order->columns.len;
    }
    for (size_t i = 0, start = 0; i < count; start = order->column_ends[i++])
        order->first[columns[i]] = oms_str_make(order->columns.data + start, order->column_ends[i] - start);
    const char *left_out = import_map_skips(orders->map, fields);
    if (left_out) {
        fault = (struct import_fault){.code = "SKIPPED"};
        snprintf(fault.message, sizeof(fault.message), "%s", left_out);
        refuse_open(order, &fault);
        order->skipped = true;
    } else if (import_map_write_order(orders->map, fields, &order->members, &fault) != OMS_OK)
        refuse_open(order, &fault);
    if (orders->poison_line) {
        poison_fault(&fault, orders->poison_line);
        refuse_open(order, &fault);
    }
    orders->poison_line = 0;
}

/* The order's own columns must say the same in every row of it. */
static bool same_order(const struct import_orders *orders, const struct oms_str *fields,
                       struct import_fault *fault)
{
    const struct open_order *order = &orders->order;
    const size_t *columns;
    size_t count = import_map_order_columns(orders->map, &columns), start = 0;

    for (size_t i = 0; i < count; i++) {
        struct oms_str first = oms_str_make(order->columns.data + start, order->column_ends[i] - start);
        start = order->column_ends[i];
        bool left_empty = import_map_first_row_only(orders->map) && fields[columns[i]].len == 0;
        if (left_empty || oms_str_eq(first, fields[columns[i]]))
            continue;
        *fault = (struct import_fault){.code = "CONFLICT",
                                       .field = import_map_column_name(orders->map, columns[i])};
        snprintf(fault->message, sizeof(fault->message),
                 "%.*s differs from that of the order's first row (line %llu)",
                 (int)(fault->field.len > 80 ? 80 : fault->field.len), fault->field.data,
                 (unsigned long long)order->rows[0].line);
        return false;
    }
    return true;
}

static void add_row(struct import_orders *orders, const struct oms_str *fields, struct import_row_place place)
{
    struct open_order *order = &orders->order;
    struct import_fault fault;

    if (order->row_count == order->row_cap) {
        order->row_cap = order->row_cap ? order->row_cap * 2 : 64;
        order->rows = oms_reallocarray(order->rows, order->row_cap, sizeof(*order->rows));
    }
    order->rows[order->row_count++] = place;
    if (order->refused)
        return;
    if (++order->line_count > OMS_ORDER_LINES_MAX) {
        fault = (struct import_fault){.code = "LIMIT_EXCEEDED"};
        snprintf(fault.message, sizeof(fault.message), "more than %d lines", OMS_ORDER_LINES_MAX);
        refuse_open(order, &fault);
        return;
    }
    if (order->row_count > 1 && !same_order(orders, fields, &fault)) {
        refuse_open(order, &fault);
        return;
    }
    if (order->line_count > 1)
        oms_buf_append_char(&order->lines, ',');
    if (import_map_write_line(orders->map, fields, order->first, &order->lines, &fault) != OMS_OK)
        refuse_open(order, &fault);
}

static bool take_unreadable(struct import_orders *orders, uint64_t line)
{
    struct import_fault fault;

    poison_fault(&fault, line);
    if (orders->order.open)
        refuse_open(&orders->order, &fault);
    orders->poison_line = line;
    return true;
}

static bool on_header(void *context, const struct import_csv_row *header)
{
    struct import_orders *orders = context;
    struct oms_error error;
    const size_t *columns;

    if (import_map_bind(orders->map, header->fields, header->count, &error) != OMS_OK) {
        snprintf(orders->error, sizeof(orders->error), "%s", error.message);
        return false;
    }
    size_t count = import_map_order_columns(orders->map, &columns);
    orders->order.column_ends = oms_calloc(count ? count : 1, sizeof(size_t));
    orders->order.first = oms_calloc(header->count + 1, sizeof(*orders->order.first));
    return true;
}

static bool on_row(void *context, const struct import_csv_row *row)
{
    struct import_orders *orders = context;
    struct import_row_place place = {row->number, row->line};
    size_t column = import_map_group_column(orders->map);
    struct oms_str key = row->fields[column];

    if (key.len == 0) {
        struct oms_str name = import_map_column_name(orders->map, column);
        return take_unreadable(orders, row->line) && refuse_row(orders, OMS_STR_NONE, place, "REQUIRED", name,
                                                                "it does not say which order it belongs to");
    }
    if (!orders->order.open || !oms_str_eq(key, oms_buf_str(&orders->order.key))) {
        if (!close_order(orders))
            return false;
        if (import_seen_has(&orders->closed, key))
            return refuse_row(orders, key, place, "NON_CONTIGUOUS",
                              import_map_column_name(orders->map, column),
                              "rows of its order stand before, with another order's between them");
        open_order(orders, key, row);
    } else if (orders->poison_line) {
        orders->poison_line = 0; /* the row that could not be read stood inside this order */
    }
    add_row(orders, row->fields, place);
    return true;
}

static bool on_bad(void *context, const struct import_csv_fault *fault)
{
    struct import_orders *orders = context;
    char message[192];

    if (fault->last_line > fault->first_line)
        snprintf(message, sizeof(message), "lines %llu to %llu: %s", (unsigned long long)fault->first_line,
                 (unsigned long long)fault->last_line, fault->message);
    else
        snprintf(message, sizeof(message), "%s", fault->message);
    return take_unreadable(orders, fault->first_line) &&
           refuse_row(orders, OMS_STR_NONE, (struct import_row_place){0, fault->first_line}, "INVALID",
                      OMS_STR_NONE, message);
}

/* ---- JSON Lines ---- */

static struct oms_str text_of(const struct oms_value *object, const char *name)
{
    const struct oms_value *value = oms_value_get_set(object, name);
    return value && value->kind == OMS_VALUE_STRING ? value->text : OMS_STR_NONE;
}

static bool take_json_line(struct import_orders *orders)
{
    struct oms_str text = oms_str_trim(oms_buf_str(&orders->json_line));
    struct import_row_place place = {++orders->row_number, orders->line};
    struct oms_json_error json_error;
    struct oms_value value;
    char message[256];

    oms_arena_reset(&orders->arena);
    if (orders->too_long)
        return refuse_row(orders, OMS_STR_NONE, place, "LIMIT_EXCEEDED", OMS_STR_NONE,
                          "a line of more than 1 MiB");
    if (oms_json_parse(text, OMS_JSON_DEPTH_MAX, &orders->arena, &value, &json_error) != OMS_OK) {
        snprintf(message, sizeof(message), "column %u: %s", json_error.column, json_error.message);
        return refuse_row(orders, OMS_STR_NONE, place, "INVALID", OMS_STR_NONE, message);
    }
    struct oms_str ref = text_of(&value, "externalRef");
    if (value.kind != OMS_VALUE_OBJECT)
        return refuse_row(orders, OMS_STR_NONE, place, "INVALID", OMS_STR_NONE, "not an object");
    if (ref.len == 0)
        return refuse_row(orders, OMS_STR_NONE, place, "REQUIRED", OMS_STR("externalRef"),
                          "it is what makes an import repeatable");
    oms_buf_reset(&orders->input);
    if (!oms_value_get(&value, "source")) {
        oms_buf_append_lit(&orders->input, "{\"source\":");
        oms_json_write_string(&orders->input, oms_str_of(import_map_name(orders->map)));
        oms_buf_append_char(&orders->input, ',');
        text = oms_str_make(text.data + 1, text.len - 1);
    }
    oms_buf_append_str(&orders->input, text);
    if (orders->input.overflow)
        return refuse_row(orders, ref, place, "LIMIT_EXCEEDED", OMS_STR_NONE,
                          "the order is larger than a request may be");
    struct import_order order = {ref, oms_buf_str(&orders->input), &place, 1};
    return orders->sink.order(orders->sink.context, &order);
}

static bool end_json_line(struct import_orders *orders)
{
    struct oms_str text = oms_buf_str(&orders->json_line);
    bool going_on = true;

    if (orders->line == 1 && oms_str_starts(text, OMS_STR("\xEF\xBB\xBF"))) {
        memmove(orders->json_line.data, orders->json_line.data + 3, text.len - 3);
        orders->json_line.len -= 3;
        text.len -= 3;
    }
    if (orders->too_long || oms_str_trim(text).len > 0)
        going_on = take_json_line(orders);
    oms_buf_reset(&orders->json_line);
    orders->too_long = false;
    orders->line++;
    orders->line_offset = orders->offset;
    return going_on;
}

static enum oms_status feed_json_lines(struct import_orders *orders, const char *data, size_t len)
{
    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t piece = end ? (size_t)(end - data) : len;
        if (!orders->too_long)
            oms_buf_append(&orders->json_line, data, piece);
        orders->too_long = orders->too_long || orders->json_line.overflow;
        orders->offset += piece + (end != NULL);
        if (end && !end_json_line(orders))
            return OMS_CLOSED;
        piece += end != NULL;
        data += piece;
        len -= piece;
    }
    return OMS_OK;
}

/* ---- making and feeding ---- */

struct import_orders *import_orders_create(struct import_map *map, const struct import_orders_sink *sink)
{
    struct import_orders *orders = oms_calloc(1, sizeof(*orders));
    struct import_csv_sink csv_sink = {orders, on_header, on_row, on_bad};

    orders->map = map;
    orders->sink = *sink;
    orders->line = 1;
    oms_buf_init(&orders->order.key, IMPORT_CSV_ROW_BYTES_MAX);
    oms_buf_init(&orders->order.members, OMS_BODY_BYTES_MAX);
    oms_buf_init(&orders->order.lines, OMS_BODY_BYTES_MAX);
    oms_buf_init(&orders->order.columns, IMPORT_CSV_ROW_BYTES_MAX * 2);
    (void)oms_buf_reserve(&orders->order.columns, 64);       /* its data is never NULL */
    oms_buf_init(&orders->input, OMS_BODY_BYTES_MAX - 4096); /* room for the request around it */
    oms_buf_init(&orders->json_line, OMS_BODY_BYTES_MAX);
    oms_arena_init(&orders->arena, 65536, OMS_REQUEST_ARENA_BYTES_MAX);
    import_seen_init(&orders->closed);
    if (!import_map_is_json_lines(map))
        orders->csv = import_csv_create(import_map_delimiter(map), &csv_sink);
    return orders;
}

void import_orders_destroy(struct import_orders *orders)
{
    if (!orders)
        return;
    import_csv_destroy(orders->csv);
    import_seen_fini(&orders->closed);
    oms_arena_fini(&orders->arena);
    oms_buf_fini(&orders->json_line);
    oms_buf_fini(&orders->input);
    oms_buf_fini(&orders->order.columns);
    oms_buf_fini(&orders->order.lines);
    oms_buf_fini(&orders->order.members);
    oms_buf_fini(&orders->order.key);
    oms_free(orders->order.column_ends);
    oms_free(orders->order.first);
    oms_free(orders->order.rows);
    oms_free(orders);
}

/* A header that the map does not fit stops the reader like a sink does; it is the file's fault all the same.
 */
static enum oms_status csv_status(struct import_orders *orders, enum oms_status status)
{
    if (status == OMS_INVALID && !orders->error[0])
        snprintf(orders->error, sizeof(orders->error), "%s", import_csv_error(orders->csv));
    return status == OMS_CLOSED && orders->error[0] ? OMS_INVALID : status;
}

enum oms_status import_orders_feed(struct import_orders *orders, const void *data, size_t len)
{
    enum oms_status status;

    if (orders->stopped)
        return orders->error[0] ? OMS_INVALID : OMS_CLOSED;
    if (orders->csv)
        status = csv_status(orders, import_csv_feed(orders->csv, data, len));
    else
        status = feed_json_lines(orders, data, len);
    orders->stopped = status != OMS_OK;
    return status;
}

enum oms_status import_orders_finish(struct import_orders *orders)
{
    enum oms_status status = OMS_OK;

    if (orders->stopped)
        return orders->error[0] ? OMS_INVALID : OMS_CLOSED;
    orders->stopped = true;
    if (orders->csv) {
        status = csv_status(orders, import_csv_finish(orders->csv));
        if (status == OMS_OK && !close_order(orders))
            status = OMS_CLOSED;
    } else if (orders->json_line.len > 0 || orders->too_long) {
        status = end_json_line(orders) ? OMS_OK : OMS_CLOSED;
    }
    return status;
}

const char *import_orders_error(const struct import_orders *orders)
{
    return orders->error;
}

/* ---- going on later ---- */

void import_orders_place(const struct import_orders *orders, struct import_orders_place *out)
{
    struct import_csv_place csv;

    if (!orders->csv) {
        *out = (struct import_orders_place){orders->line_offset, orders->line, orders->row_number, 0, false};
    } else if (!import_csv_rows_begin(orders->csv)) {
        *out = (struct import_orders_place){0, 1, 0, 0, false};
    } else if (orders->order.open) {
        *out = orders->order.place;
    } else {
        import_csv_place(orders->csv, &csv);
        *out = (struct import_orders_place){csv.offset, csv.line, csv.row, orders->poison_line, csv.after_cr};
    }
}

uint64_t import_orders_header_len(const struct import_orders *orders)
{
    return orders->csv ? import_csv_rows_begin(orders->csv) : 0;
}

void import_orders_seek(struct import_orders *orders, const struct import_orders_place *place)
{
    const struct import_csv_place csv = {place->offset, place->line, place->row, place->after_cr};

    orders->poison_line = place->poison_line;
    if (orders->csv) {
        import_csv_seek(orders->csv, &csv);
        return;
    }
    orders->offset = orders->line_offset = place->offset;
    orders->line = place->line;
    orders->row_number = place->row;
}

void import_orders_add_closed(struct import_orders *orders, struct oms_str key)
{
    import_seen_add(&orders->closed, key);
}

size_t import_orders_closed_count(const struct import_orders *orders)
{
    return orders->closed.count;
}
