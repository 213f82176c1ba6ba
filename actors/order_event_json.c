/*
 * Events as JSON, walking the rows of order_event_json_tables.c; see order_event_json.h.
 *
 * What a vendor must not see is decided once per field (the row says it) and once per list item (by its
 * line).
 */
#include "actors/order_event_json.h"

#include "actors/money.h"
#include "actors/order_event_json_tables.h"
#include "actors/order_sight.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"

struct json_writer {
    struct oms_buf *out;
    const struct order *order;
    const struct access_order *on;
    const struct access *access;
    uint16_t currency;
    bool all;            /* sees all lines */
    bool whole_shipment; /* sees all items of the event's shipment */
};

/* ---- the vendor's lines ---- */

/* An added line carries its vendor itself; any other is looked up. */
static bool own_vendor(const struct access *access, struct oms_str vendor)
{
    return access_vendor(access, PERMISSION_GET_ORDER, vendor);
}

static bool own_line(const struct order *order, const struct access *access, uint32_t id)
{
    const struct order_line *line = order ? order_find_line(order, id) : NULL;

    return line && own_vendor(access, line->vendor.id);
}

static bool own_items(const struct order *order, const struct access *access, const struct order_item *items,
                      size_t count)
{
    static const struct access_order vendor = {.vendor = true};

    return order_sees_items(&(struct order_sight){order, access, &vendor}, items, count);
}

static bool own_return_items(const struct order *order, const struct access *access,
                             const struct order_return_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (own_line(order, access, items[i].line))
            return true;
    return false;
}

static bool touches_own_line(const struct order_event *event, const struct order *order,
                             const struct access *access)
{
    switch (event->type) {
    case ORDER_EVENT_LINE_ITEMS_ADDED:
        for (size_t i = 0; i < event->lines_added.line_count; i++)
            if (own_vendor(access, event->lines_added.lines[i].vendor.id))
                return true;
        return false;
    case ORDER_EVENT_SHIPMENT_ADDED:
        return own_items(order, access, event->shipment.items, event->shipment.item_count);
    case ORDER_EVENT_RETURN_REQUESTED:
        return own_return_items(order, access, event->returned.items, event->returned.item_count);
    default:
        return own_items(order, access, event->lines_changed.items, event->lines_changed.item_count);
    }
}

static bool own_shipment(const struct order *order, const struct access *access, uint32_t id)
{
    const struct order_shipment *shipment = order ? order_find_shipment(order, id) : NULL;

    return shipment && own_items(order, access, shipment->items, shipment->item_count);
}

static bool own_return(const struct order *order, const struct access *access, uint32_t id)
{
    const struct order_return *ret = order ? order_find_return(order, id) : NULL;

    return ret && own_return_items(order, access, ret->items, ret->item_count);
}

/* Whether nobody else's goods are in the shipment that the event is about. */
static bool whole_shipment(const struct order_event *event, const struct order_sight *sight)
{
    const struct order_shipment *shipment = NULL;

    if (event->type == ORDER_EVENT_SHIPMENT_ADDED)
        shipment = &event->shipment;
    else if (order_event_rows[event->type].seen & SEEN_BY_SHIPMENT)
        shipment = sight->order ? order_find_shipment(sight->order, event->shipment_changed.shipment) : NULL;
    return shipment && order_sees_all_items(sight, shipment->items, shipment->item_count);
}

bool order_event_visible(const struct order_event *event, const struct order *order,
                         const struct access_order *on, const struct access *access)
{
    unsigned seen = order_event_rows[event->type].seen;

    if (on->full)
        return true;
    if (seen & SEEN_WHEN_VISIBLE)
        return event->note.visible_to_customer && (on->customer || on->vendor);
    if (on->customer && (seen & SEEN_BY_CUSTOMER))
        return true;
    if (!on->vendor)
        return false;
    return (seen & SEEN_BY_VENDOR) || ((seen & SEEN_BY_LINE) && touches_own_line(event, order, access)) ||
           ((seen & SEEN_BY_SHIPMENT) && own_shipment(order, access, event->shipment_changed.shipment)) ||
           ((seen & SEEN_BY_RETURN) && own_return(order, access, event->return_changed.return_id));
}

bool order_event_needs_order(const struct order_event *event, const struct access_order *on)
{
    switch (event->type) {
    case ORDER_EVENT_STEP_STARTED:
    case ORDER_EVENT_STEP_FINISHED:
    case ORDER_EVENT_REVIEWER_ASSIGNED:
    case ORDER_EVENT_STEPS_RESET:
    case ORDER_EVENT_STEP_OVERDUE:
        return true;
    default:
        return !access_sees_all_lines(on);
    }
}

/* ---- writing ---- */

static const void *place_of(const void *object, const struct json_field *field)
{
    return (const char *)object + field->offset;
}

static bool flag_set(const void *object, const struct json_field *field)
{
    return field->aux == 0 || *(const bool *)((const char *)object + field->aux);
}

static void write_money(struct json_writer *writer, int64_t amount)
{
    char digits[MONEY_TEXT_SIZE], code[4];

    money_format(amount, money_exponent(writer->currency), digits);
    money_currency_text(writer->currency, code);
    oms_buf_appendf(writer->out, "{\"amount\":\"%s\",\"currency\":\"%s\"}", digits, code);
}

static void write_time(struct json_writer *writer, int64_t instant)
{
    char text[OMS_DATETIME_TEXT_SIZE];
    size_t len = oms_datetime_format(instant, text);

    oms_json_write_string(writer->out, oms_str_make(text, len));
}

static void write_part(struct json_writer *writer, const char *prefix, uint32_t number)
{
    char text[ORDER_PART_ID_SIZE];

    if (prefix[0])
        order_part_id(prefix, number, text);
    else
        oms_buf_appendf(writer->out, "\"%u\"", number);
    if (prefix[0])
        oms_json_write_string(writer->out, oms_str_of(text));
}

static void write_step(struct json_writer *writer, uint32_t activity)
{
    if (writer->order && activity < writer->order->activity_count)
        oms_json_write_string(writer->out, writer->order->activities[activity].step_name);
    else
        oms_buf_append_u64(writer->out, activity);
}

static void write_commands(struct json_writer *writer, order_command_set commands)
{
    bool first = true;

    oms_buf_append_char(writer->out, '[');
    for (unsigned type = 1; type < ORDER_COMMAND_COUNT; type++) {
        if (!(commands & ORDER_COMMAND_BIT(type)))
            continue;
        if (!first)
            oms_buf_append_char(writer->out, ',');
        oms_json_write_string(writer->out,
                              oms_str_of(order_command_info((enum order_command_type)type)->mutation));
        first = false;
    }
    oms_buf_append_char(writer->out, ']');
}

static void write_texts(struct json_writer *writer, const struct oms_str *texts, size_t count)
{
    oms_buf_append_char(writer->out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            oms_buf_append_char(writer->out, ',');
        oms_json_write_string(writer->out, texts[i]);
    }
    oms_buf_append_char(writer->out, ']');
}

static uint32_t load_u32(const void *place)
{
    uint32_t value;

    memcpy(&value, place, sizeof value);
    return value;
}

static int64_t load_i64(const void *place)
{
    int64_t value;

    memcpy(&value, place, sizeof value);
    return value;
}

static struct oms_str load_text(const void *place)
{
    struct oms_str value;

    memcpy(&value, place, sizeof value);
    return value;
}

static size_t load_size(const void *object, uint16_t offset)
{
    size_t value;

    memcpy(&value, (const char *)object + offset, sizeof value);
    return value;
}

static bool present(const struct json_writer *writer, const struct json_field *field, const void *object);

static bool any_present(const struct json_writer *writer, const struct json_table *table, const void *object)
{
    for (size_t i = 0; i < table->count; i++)
        if (present(writer, &table->fields[i], object))
            return true;
    return false;
}

/*
 * Whether there is something to write; an absent field leaves no name behind, nor does an object without
 * fields. Like write_object it goes no deeper than the static tables do.
 */
static bool present(const struct json_writer *writer, const struct json_field *field, const void *object)
{
    const void *place = place_of(object, field);

    if (!writer->all &&
        !(field->for_vendor == SHOWN || (field->for_vendor == SHOWN_OF_WHOLE && writer->whole_shipment)))
        return false;
    switch ((enum json_kind)field->kind) {
    case JSON_TEXT:
    case JSON_RAW:
        return oms_str_present(load_text(place));
    case JSON_COUNT:
    case JSON_PART:
        return load_u32(place) != 0;
    case JSON_WORD:
        return field->word(load_u32(place)) != NULL;
    case JSON_TIME:
    case JSON_COMMANDS:
        return load_i64(place) != 0;
    case JSON_LIST:
    case JSON_TEXTS:
        return load_size(object, field->aux) != 0;
    case JSON_MONEY:
        return flag_set(object, field);
    case JSON_OBJECT:
        return flag_set(object, field) && any_present(writer, field->table, place);
    default:
        return true;
    }
}

static void write_object(struct json_writer *writer, const struct json_table *table, const void *object);

/* Items of lines that are not the vendor's are left out; an added line says itself whose it is. */
static bool item_shown(const struct json_writer *writer, const struct json_field *field, const void *item)
{
    if (writer->all || !field->line)
        return true;
    if (field->table == &order_event_line_table)
        return own_vendor(writer->access, ((const struct order_line *)item)->vendor.id);
    return own_line(writer->order, writer->access, load_u32((const char *)item + field->line - 1));
}

static void write_list(struct json_writer *writer, const struct json_field *field, const void *object)
{
    size_t count = load_size(object, field->aux);
    const char *items;
    bool first = true;

    memcpy(&items, place_of(object, field), sizeof items);
    oms_buf_append_char(writer->out, '[');
    for (size_t i = 0; i < count; i++) {
        const void *item = items + i * field->table->size;

        if (!item_shown(writer, field, item))
            continue;
        if (!first)
            oms_buf_append_char(writer->out, ',');
        write_object(writer, field->table, item);
        first = false;
    }
    oms_buf_append_char(writer->out, ']');
}

static void write_value(struct json_writer *writer, const struct json_field *field, const void *object)
{
    const void *place = place_of(object, field);
    const struct oms_str *texts;

    switch ((enum json_kind)field->kind) {
    case JSON_TEXT:
        oms_json_write_string(writer->out, load_text(place));
        return;
    case JSON_RAW:
        oms_buf_append_str(writer->out, load_text(place));
        return;
    case JSON_BOOL:
        oms_buf_append_str(writer->out, *(const bool *)place ? OMS_STR("true") : OMS_STR("false"));
        return;
    case JSON_NUMBER:
        oms_buf_append_i64(writer->out, load_i64(place));
        return;
    case JSON_COUNT:
        oms_buf_append_u64(writer->out, load_u32(place));
        return;
    case JSON_MONEY:
        write_money(writer, load_i64(place));
        return;
    case JSON_TIME:
        write_time(writer, load_i64(place));
        return;
    case JSON_WORD:
        oms_json_write_string(writer->out, oms_str_of(field->word(load_u32(place))));
        return;
    case JSON_PART:
        write_part(writer, field->prefix, load_u32(place));
        return;
    case JSON_STEP:
        write_step(writer, load_u32(place));
        return;
    case JSON_COMMANDS:
        write_commands(writer, (order_command_set)load_i64(place));
        return;
    case JSON_OBJECT:
        write_object(writer, field->table, place);
        return;
    case JSON_LIST:
        write_list(writer, field, object);
        return;
    case JSON_TEXTS:
        memcpy(&texts, place, sizeof texts);
        write_texts(writer, texts, load_size(object, field->aux));
        return;
    }
}

/* Tables nest a few levels deep and are static, so this recursion is bounded by the code. */
static void write_object(struct json_writer *writer, const struct json_table *table, const void *object)
{
    bool first = true;

    oms_buf_append_char(writer->out, '{');
    for (size_t i = 0; i < table->count; i++) {
        const struct json_field *field = &table->fields[i];

        if (!present(writer, field, object))
            continue;
        if (!first)
            oms_buf_append_char(writer->out, ',');
        first = false;
        oms_json_write_string(writer->out, oms_str_of(field->name));
        oms_buf_append_char(writer->out, ':');
        write_value(writer, field, object);
    }
    oms_buf_append_char(writer->out, '}');
}

void order_event_change_json(const struct order_event *event, const struct order *order,
                             const struct access_order *on, const struct access *access, uint16_t currency,
                             struct oms_buf *out)
{
    struct json_writer writer = {.out = out,
                                 .order = order,
                                 .on = on,
                                 .access = access,
                                 .currency = currency,
                                 .all = access_sees_all_lines(on)};
    struct order_sight sight = {order, access, on};

    OMS_ASSERT(event->type > ORDER_EVENT_NONE && event->type < ORDER_EVENT_COUNT);
    if (!order_event_visible(event, order, on, access)) {
        oms_buf_append_lit(out, "{}");
        return;
    }
    writer.whole_shipment = whole_shipment(event, &sight);
    write_object(&writer, order_event_rows[event->type].table, &event->created);
}
