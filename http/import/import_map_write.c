/*
 * From a row to JSON: one pass over a template's instructions. A container that ends up empty is taken back
 * by setting the buffer's length to where its separator began.
 */
#include <stdio.h>

#include "actors/money.h"
#include "http/import/import_amount.h"
#include "http/import/import_map_impl.h"
#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"

struct open_container {
    size_t mark; /* of the buffer, before its separator and name */
    unsigned end;
    unsigned members;
    char close;
};

/* The state of one writing. */
struct writer {
    const struct import_map *map;
    const struct oms_str *fields;
    const struct oms_str *first; /* the order's first row; its order columns only */
    struct oms_buf *out;
    struct import_fault *fault;
    struct open_container stack[IMPORT_MAP_DEPTH_MAX + 1]; /* [0] is the root, which writes no braces */
    unsigned depth;
};

enum leaf_result { LEAF_WRITTEN, LEAF_EMPTY, LEAF_FAULT };

static struct oms_str value_of(const struct writer *writer, const struct import_node *node, unsigned which)
{
    return import_map_field(writer->map, node->of_order ? writer->first : writer->fields,
                            node->columns[which]);
}

/* The text of the first column that has one, without what is stripped. */
static struct oms_str text_of(const struct writer *writer, const struct import_node *node)
{
    struct oms_str text = value_of(writer, node, 0);

    for (unsigned i = 1; i < node->column_count && text.len == 0; i++)
        text = value_of(writer, node, i);
    while (text.len && node->strip.len && memchr(node->strip.data, text.data[0], node->strip.len))
        text = oms_str_make(text.data + 1, text.len - 1);
    return text;
}

static enum leaf_result refuse(struct writer *writer, const struct import_node *node, unsigned which,
                               const char *code, const char *message)
{
    struct oms_str value = value_of(writer, node, which);
    struct oms_str column = writer->map->columns[node->columns[which]].name;

    *writer->fault = (struct import_fault){.code = code, .field = column};
    if (column.len > 80)
        column.len = 80;
    if (value.len > 60)
        value.len = 60;
    snprintf(writer->fault->message, sizeof(writer->fault->message), "%.*s%s%.*s%s: %s", OMS_STR_ARG(column),
             value.len ? " \"" : "", OMS_STR_ARG(value), value.len ? "\"" : "", message);
    return LEAF_FAULT;
}

/* ---- leaves ---- */

/* Two strings become one: the prefix's closing quote and the text's opening one go. */
static void write_prefixed(struct oms_buf *out, struct oms_str prefix, struct oms_str text)
{
    if (prefix.len == 0) {
        oms_json_write_string(out, text);
        return;
    }
    oms_json_write_string(out, prefix);
    if (out->overflow)
        return;
    size_t mark = --out->len;
    oms_json_write_string(out, text);
    if (out->overflow)
        return;
    memmove(out->data + mark, out->data + mark + 1, out->len - mark - 1);
    out->len--;
}

static unsigned read_number(const char **at, const char *end, size_t digits_min, size_t digits_max)
{
    unsigned value = 0;
    size_t digits = 0;

    while (*at < end && digits < digits_max && **at >= '0' && **at <= '9') {
        value = value * 10 + (unsigned)(**at - '0');
        (*at)++;
        digits++;
    }
    return digits >= digits_min ? value : UINT32_MAX;
}

enum oms_status import_date_parse(const char *format, struct oms_str text, int64_t *out_ms)
{
    unsigned year = UINT32_MAX, month = UINT32_MAX, day = UINT32_MAX;
    const char *at = text.data, *end = text.data + text.len;

    while (*format) {
        size_t run = strspn(format, (char[]){*format, '\0'});
        if (*format == 'Y')
            year = read_number(&at, end, run, run);
        else if (*format == 'M')
            month = read_number(&at, end, run, 2);
        else if (*format == 'D')
            day = read_number(&at, end, run, 2);
        else
            for (size_t i = 0; i < run; i++)
                if (at == end || *at++ != *format)
                    return OMS_INVALID;
        format += run;
    }
    if (at != end || year > 9999 || month > 12 || day > 31)
        return OMS_INVALID;
    return oms_datetime_from_civil((int)year, (int)month, (int)day, out_ms);
}

static enum leaf_result write_date(struct writer *writer, const struct import_node *node)
{
    char text[OMS_DATETIME_TEXT_SIZE], message[96];
    int64_t ms;

    if (import_date_parse(node->format, value_of(writer, node, 0), &ms) != OMS_OK) {
        snprintf(message, sizeof(message), "not a date as %.40s", node->format);
        return refuse(writer, node, 0, "INVALID", message);
    }
    size_t len = oms_datetime_format(ms, text);
    write_prefixed(writer->out, node->prefix, oms_str_make(text, node->op == IMPORT_OP_DAY ? 10 : len));
    return LEAF_WRITTEN;
}

static enum leaf_result write_instant(struct writer *writer, const struct import_node *node)
{
    char text[OMS_DATETIME_TEXT_SIZE];
    int64_t ms;

    if (import_instant_parse(value_of(writer, node, 0), node->offset_minutes, &ms) != OMS_OK)
        return refuse(writer, node, 0, "INVALID", "not a date and time such as 2026-03-01 09:30:00 +0100");
    oms_json_write_string(writer->out, oms_str_make(text, oms_datetime_format(ms, text)));
    return LEAF_WRITTEN;
}

static enum leaf_result write_word(struct writer *writer, const struct import_node *node,
                                   struct oms_str value)
{
    for (unsigned i = 0; i < node->word_count; i++) {
        if (!oms_str_eq_nocase(value, node->words[i].word))
            continue;
        oms_buf_append_str(writer->out, node->words[i].json);
        return oms_str_present(node->words[i].json) ? LEAF_WRITTEN : LEAF_EMPTY;
    }
    if (!oms_str_present(node->text))
        return refuse(writer, node, 0, "INVALID", "the map does not know this word");
    oms_buf_append_str(writer->out, node->text);
    return LEAF_WRITTEN;
}

static enum leaf_result write_sum(struct writer *writer, const struct import_node *node)
{
    char text[48];
    bool empty = false, same = false;
    unsigned which;
    const char *why = node->op == IMPORT_OP_SUM
                          ? import_sum(writer->map, node, writer->fields, text, &empty, &which)
                          : import_equals(writer->map, node, writer->fields, &same, &empty, &which);

    if (why)
        return refuse(writer, node, which, "INVALID", why);
    if (empty)
        return node->required ? refuse(writer, node, 0, "REQUIRED", "is empty") : LEAF_EMPTY;
    if (node->op == IMPORT_OP_SUM)
        oms_json_write_string(writer->out, oms_str_of(text));
    else
        oms_buf_append_str(writer->out, same ? OMS_STR("true") : OMS_STR("false"));
    return LEAF_WRITTEN;
}

static enum leaf_result write_boolean(struct writer *writer, const struct import_node *node)
{
    static const char *const words[] = {"false", "true", "no", "yes", "0", "1"};

    for (unsigned i = 0; i < OMS_COUNT_OF(words); i++) {
        if (oms_str_eq_nocase(value_of(writer, node, 0), oms_str_of(words[i]))) {
            oms_buf_append_str(writer->out, i & 1 ? OMS_STR("true") : OMS_STR("false"));
            return LEAF_WRITTEN;
        }
    }
    return refuse(writer, node, 0, "INVALID", "neither true nor false");
}

static enum leaf_result write_price(struct writer *writer, const struct import_node *node)
{
    struct import_amounts amounts;
    enum import_amount_fault which;
    char text[MONEY_TEXT_SIZE];
    const char *why =
        import_amounts_compute(value_of(writer, node, 0), value_of(writer, node, 1),
                               value_of(writer, node, 2), writer->map->exponent, &amounts, &which);

    if (why)
        return refuse(writer, node, which, "INVALID", why);
    size_t len = money_format(node->op == IMPORT_OP_UNIT_PRICE ? amounts.unit_price : amounts.line_discount,
                              writer->map->exponent, text);
    oms_json_write_string(writer->out, oms_str_make(text, len));
    return LEAF_WRITTEN;
}

static enum leaf_result write_leaf(struct writer *writer, const struct import_node *node)
{
    struct oms_str value;
    int64_t number;

    if (node->op == IMPORT_OP_CONST) {
        oms_buf_append_str(writer->out, node->text);
        return LEAF_WRITTEN;
    }
    if (node->op == IMPORT_OP_UNIT_PRICE || node->op == IMPORT_OP_LINE_DISCOUNT)
        return write_price(writer, node);
    if (node->op == IMPORT_OP_SUM || node->op == IMPORT_OP_EQUALS)
        return write_sum(writer, node);
    value = text_of(writer, node);
    if (value.len == 0 && oms_str_present(node->text)) {
        oms_buf_append_str(writer->out, node->text);
        return LEAF_WRITTEN;
    }
    if (value.len == 0)
        return node->required ? refuse(writer, node, 0, "REQUIRED", "is empty") : LEAF_EMPTY;
    switch (node->op) {
    case IMPORT_OP_DATE:
    case IMPORT_OP_DAY:
        return write_date(writer, node);
    case IMPORT_OP_INSTANT:
        return write_instant(writer, node);
    case IMPORT_OP_WORD:
        return write_word(writer, node, value);
    case IMPORT_OP_BOOLEAN:
        return write_boolean(writer, node);
    case IMPORT_OP_INTEGER:
        if (oms_str_to_i64(value, &number) != OMS_OK)
            return refuse(writer, node, 0, "INVALID", "not a whole number");
        oms_buf_append_i64(writer->out, number);
        return LEAF_WRITTEN;
    case IMPORT_OP_DECIMAL:
        if (money_parse(value, MONEY_EXPONENT_MAX, &number) == MONEY_PARSE_SYNTAX)
            return refuse(writer, node, 0, "INVALID", "not a decimal number");
        oms_json_write_string(writer->out, value);
        return LEAF_WRITTEN;
    default:
        write_prefixed(writer->out, node->prefix, value);
        return LEAF_WRITTEN;
    }
}

/* ---- the walk ---- */

static void close_container(struct writer *writer)
{
    struct open_container *open = &writer->stack[writer->depth--];

    if (open->members == 0) {
        writer->out->len = open->mark;
        return;
    }
    oms_buf_append_char(writer->out, open->close);
    writer->stack[writer->depth].members++;
}

static bool write_node(struct writer *writer, const struct import_node *node)
{
    struct open_container *parent = &writer->stack[writer->depth];
    size_t mark = writer->out->len;

    if (parent->members)
        oms_buf_append_char(writer->out, ',');
    if (oms_str_present(node->name)) {
        oms_json_write_string(writer->out, node->name);
        oms_buf_append_char(writer->out, ':');
    }
    if (node->op == IMPORT_OP_OBJECT || node->op == IMPORT_OP_LIST) {
        bool object = node->op == IMPORT_OP_OBJECT;
        OMS_ASSERT(writer->depth < IMPORT_MAP_DEPTH_MAX);
        writer->stack[++writer->depth] = (struct open_container){mark, node->end, 0, object ? '}' : ']'};
        oms_buf_append_char(writer->out, object ? '{' : '[');
        return true;
    }
    enum leaf_result result = write_leaf(writer, node);
    if (result == LEAF_FAULT)
        return false;
    if (result == LEAF_EMPTY)
        writer->out->len = mark;
    else
        parent->members++;
    return true;
}

static enum oms_status write_template(const struct import_map *map, const struct import_template *template,
                                      const struct oms_str *fields, const struct oms_str *first,
                                      struct oms_buf *out, struct import_fault *fault)
{
    struct writer writer = {.map = map, .fields = fields, .first = first, .out = out, .fault = fault};

    writer.stack[0].end = template->count;
    for (unsigned i = 0; i < template->count; i++) {
        while (writer.depth > 0 && writer.stack[writer.depth].end <= i)
            close_container(&writer);
        if (!import_conditions_hold(map, &template->nodes[i].when, fields)) {
            i = template->nodes[i].end - 1;
            continue;
        }
        if (!write_node(&writer, &template->nodes[i]))
            return OMS_INVALID;
    }
    while (writer.depth > 0)
        close_container(&writer);
    if (out->overflow) {
        *fault = (struct import_fault){.code = "LIMIT_EXCEEDED",
                                       .message = "the order is larger than a request may be"};
        return OMS_INVALID;
    }
    return OMS_OK;
}

enum oms_status import_map_write_order(const struct import_map *map, const struct oms_str *fields,
                                       struct oms_buf *out, struct import_fault *fault)
{
    return write_template(map, &map->order, fields, fields, out, fault);
}

enum oms_status import_map_write_line(const struct import_map *map, const struct oms_str *fields,
                                      const struct oms_str *first, struct oms_buf *out,
                                      struct import_fault *fault)
{
    oms_buf_append_char(out, '{');
    enum oms_status status = write_template(map, &map->line, fields, first, out, fault);
    oms_buf_append_char(out, '}');
    return status;
}
