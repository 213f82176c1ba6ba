/*
 * Walking the input tables over a tree of data; see order_input.h.
 *
 * Input fields are matched to rows in the order of both, so that a coerced GraphQL input costs one comparison
 * per field. A fault's path is kept as links on the stack and only written out when there is a fault. Tables
 * nest a few levels deep and are static: the recursion is bounded by the code, not by the input.
 */
#include "actors/order_input.h"

#include <stdio.h>

#include "actors/money.h"
#include "actors/order_input_tables.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/datetime.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

#define JSON_BYTES_MAX (64u << 10)
#define NO_INDEX       SIZE_MAX

struct path {
    const struct path *up;
    struct oms_str name;
    size_t index; /* in the list `name`; NO_INDEX: the field itself */
};

struct input_parse {
    struct oms_arena *arena;
    struct refusal_list *refusals;
};

/* ---- refusals ---- */

static struct oms_str path_text(struct input_parse *parse, const struct path *path)
{
    const struct path *steps[8];
    size_t depth = 0, len = 0;
    char text[256];

    for (; path && depth < OMS_COUNT_OF(steps); path = path->up)
        steps[depth++] = path;
    while (depth > 0 && len < sizeof text) {
        const struct path *step = steps[--depth];

        if (step->name.len)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", len ? "." : "",
                                    OMS_STR_ARG(step->name));
        if (step->index != NO_INDEX && len < sizeof text)
            len += (size_t)snprintf(text + len, sizeof text - len, ".%zu", step->index);
    }
    return len ? refusal_field(parse->refusals, "%s", text) : REFUSAL_NO_FIELD;
}

static bool invalid(struct input_parse *parse, const struct path *path, const char *expected)
{
    struct oms_str name = path->name.len ? path->name : OMS_STR("The input");

    return refusal_add(parse->refusals, REFUSAL_INVALID, path_text(parse, path), "%.*s must be %s",
                       OMS_STR_ARG(name), expected);
}

static bool no_room(struct input_parse *parse, const struct path *path)
{
    return refusal_add(parse->refusals, REFUSAL_LIMIT_EXCEEDED, path_text(parse, path),
                       "The input is too large");
}

/* ---- places ---- */

static void store_bool(void *object, size_t offset, bool value)
{
    memcpy((char *)object + offset, &value, sizeof value);
}

static void store_u32(void *object, size_t offset, uint32_t value)
{
    memcpy((char *)object + offset, &value, sizeof value);
}

static void store_i64(void *object, size_t offset, int64_t value)
{
    memcpy((char *)object + offset, &value, sizeof value);
}

static void store_text(void *object, size_t offset, struct oms_str value)
{
    memcpy((char *)object + offset, &value, sizeof value);
}

static void store_list(void *object, const struct order_input_field *field, const void *items, size_t count)
{
    memcpy((char *)object + field->offset, &items, sizeof items);
    memcpy((char *)object + field->aux, &count, sizeof count);
    if (field->flag)
        store_bool(object, field->flag, true);
}

/* ---- values ---- */

static bool is_word(const struct oms_value *value)
{
    return value->kind == OMS_VALUE_STRING || value->kind == OMS_VALUE_ENUM;
}

static bool read_whole(const struct oms_value *value, int64_t *out)
{
    if (value->kind == OMS_VALUE_INT) {
        *out = value->integer;
        return true;
    }
    return value->kind == OMS_VALUE_NUMBER && oms_str_to_i64(value->text, out) == OMS_OK;
}

/* The text of a decimal, as it was written. */
static bool read_decimal(struct input_parse *parse, const struct path *path, const struct oms_value *value,
                         struct oms_str *out)
{
    char digits[MONEY_TEXT_SIZE];

    if (value->kind == OMS_VALUE_STRING || value->kind == OMS_VALUE_NUMBER) {
        *out = value->text;
        return true;
    }
    if (value->kind != OMS_VALUE_INT)
        return invalid(parse, path, "a decimal number, as a string or a number");
    *out = oms_str_copy(parse->arena, oms_str_make(digits, money_format(value->integer, 0, digits)));
    return oms_str_present(*out) || no_room(parse, path);
}

static bool take_count(struct input_parse *parse, const struct path *path,
                       const struct order_input_field *field, const struct oms_value *value, void *object)
{
    int64_t number;

    if (!read_whole(value, &number))
        return invalid(parse, path, "a whole number");
    if (field->kind == INPUT_REF_COUNT && number < 0)
        return invalid(parse, path,
                       field->expected ? field->expected : "a whole number from 1 to 2147483647");
    store_i64(object, field->offset, number);
    return true;
}

static bool take_bool(struct input_parse *parse, const struct path *path,
                      const struct order_input_field *field, const struct oms_value *value, void *object)
{
    if (value->kind != OMS_VALUE_BOOL)
        return invalid(parse, path, "true or false");
    store_bool(object, field->offset, field->kind == INPUT_BOOL_NOT ? !value->boolean : value->boolean);
    if (field->kind == INPUT_BOOL_FLAG)
        store_bool(object, field->aux, true);
    return true;
}

static bool take_amount(struct input_parse *parse, const struct path *path,
                        const struct order_input_field *field, const struct oms_value *value, void *object)
{
    struct order_amount amount = {.currency = MONEY_CURRENCY_NONE};

    if (!read_decimal(parse, path, value, &amount.text))
        return false;
    memcpy((char *)object + field->offset, &amount, sizeof amount);
    return true;
}

static bool take_money(struct input_parse *parse, const struct path *path,
                       const struct order_input_field *field, const struct oms_value *value, void *object)
{
    const struct oms_value *amount = oms_value_get_set(value, "amount");
    const struct oms_value *currency = oms_value_get_set(value, "currency");
    struct path at_amount = {path, OMS_STR("amount"), NO_INDEX};
    struct path at_currency = {path, OMS_STR("currency"), NO_INDEX};
    struct order_amount money = {.currency = MONEY_CURRENCY_NONE};
    bool ok = true;

    if (value->kind != OMS_VALUE_OBJECT)
        return invalid(parse, path, "an object of amount and currency");
    if (value->object.count > (size_t)(amount != NULL) + (currency != NULL))
        return invalid(parse, path, "an object of amount and currency only, neither of them null");
    if (!amount)
        ok = refusal_add(parse->refusals, REFUSAL_REQUIRED, path_text(parse, &at_amount),
                         "amount is required");
    else
        ok = read_decimal(parse, &at_amount, amount, &money.text);
    if (!currency)
        return refusal_add(parse->refusals, REFUSAL_REQUIRED, path_text(parse, &at_currency),
                           "currency is required");
    if (is_word(currency))
        money.currency = money_currency_parse(currency->text);
    if (money.currency == MONEY_CURRENCY_NONE)
        return invalid(parse, &at_currency, "a currency code of ISO 4217 in capitals, such as USD");
    memcpy((char *)object + field->offset, &money, sizeof money);
    return ok;
}

static bool take_instant(struct input_parse *parse, const struct path *path,
                         const struct order_input_field *field, const struct oms_value *value, void *object)
{
    int64_t instant;

    if (value->kind != OMS_VALUE_STRING || oms_datetime_parse(value->text, &instant) != OMS_OK)
        return invalid(parse, path, "an RFC 3339 date and time, such as 2026-11-22T10:15:30Z");
    store_i64(object, field->offset, instant);
    if (field->aux)
        store_bool(object, field->aux, true);
    return true;
}

static bool take_part(struct input_parse *parse, const struct path *path,
                      const struct order_input_field *field, const struct oms_value *value, void *object)
{
    char expected[64];
    uint32_t number = 0;
    int64_t whole;
    bool ok;

    if (value->kind == OMS_VALUE_STRING) {
        ok = value->text.len && value->text.data[0] != '-' &&
             order_part_parse(value->text, field->prefix, &number);
    } else {
        ok = read_whole(value, &whole) && whole > 0 && whole <= UINT32_MAX;
        number = ok ? (uint32_t)whole : 0;
    }
    if (!ok || number == 0) {
        snprintf(expected, sizeof expected, "an id such as %s%s1", field->prefix,
                 field->prefix[0] ? "-" : "");
        return invalid(parse, path, expected);
    }
    store_u32(object, field->offset, number);
    return true;
}

static bool take_json(struct input_parse *parse, const struct path *path,
                      const struct order_input_field *field, const struct oms_value *value, void *object)
{
    struct oms_str copy = OMS_STR_NONE;
    struct oms_buf text;
    bool over;

    oms_buf_init(&text, JSON_BYTES_MAX);
    oms_value_write_json(value, &text);
    over = text.overflow;
    if (!text.overflow)
        copy = oms_str_copy(parse->arena, oms_buf_str(&text));
    oms_buf_fini(&text);
    if (over) /* what is within this bound is measured against the field's own by its command */
        return refusal_add(parse->refusals, REFUSAL_INVALID, path_text(parse, path),
                           "%.*s is more than %u bytes of JSON, at most %u are accepted",
                           OMS_STR_ARG(path->name), JSON_BYTES_MAX, field->max);
    if (!oms_str_present(copy))
        return no_room(parse, path);
    store_text(object, field->offset, copy);
    return true;
}

static bool take_enum(struct input_parse *parse, const struct path *path,
                      const struct order_input_field *field, const struct oms_value *value, void *object)
{
    unsigned number;

    if (!is_word(value) || !field->parse(value->text, &number))
        return invalid(parse, path, field->expected);
    store_u32(object, field->offset, number);
    return true;
}

static bool take_commands(struct input_parse *parse, const struct path *path,
                          const struct order_input_field *field, const struct oms_value *value, void *object)
{
    order_command_set set = 0;
    bool ok = true;

    if (value->kind != OMS_VALUE_LIST)
        return invalid(parse, path, "a list of command names");
    for (size_t i = 0; i < value->list.count; i++) {
        const struct oms_value *item = &value->list.items[i];
        struct path at = {path->up, path->name, i};
        enum order_command_type type = is_word(item) ? order_command_parse(item->text) : ORDER_COMMAND_NONE;

        if (type == ORDER_COMMAND_NONE)
            ok = invalid(parse, &at, "a command's name, such as markAsShipped");
        else
            set |= ORDER_COMMAND_BIT(type);
    }
    memcpy((char *)object + field->offset, &set, sizeof set);
    return ok;
}

/* ---- objects and lists ---- */

static bool read_object(struct input_parse *parse, const struct path *path,
                        const struct order_input_table *table, const struct oms_value *value, bool common,
                        void *object);

static bool check_list(struct input_parse *parse, const struct path *path,
                       const struct order_input_field *field, const struct oms_value *value)
{
    if (value->kind != OMS_VALUE_LIST)
        return invalid(parse, path, "a list");
    if (value->list.count > field->max)
        return refusal_add(parse->refusals, REFUSAL_LIMIT_EXCEEDED, path_text(parse, path),
                           "%.*s has %zu items, at most %u are accepted", OMS_STR_ARG(path->name),
                           value->list.count, field->max);
    if (value->list.count == 0 && field->expected)
        return refusal_add(parse->refusals, REFUSAL_REQUIRED, path_text(parse, path), "%s", field->expected);
    return true;
}

static bool take_list(struct input_parse *parse, const struct path *path,
                      const struct order_input_field *field, const struct oms_value *value, void *object)
{
    size_t count, size = field->table->size;
    bool ok = true;
    char *items;

    if (!check_list(parse, path, field, value))
        return false;
    count = value->list.count;
    items = oms_arena_calloc(parse->arena, count + 1, size);
    if (!items)
        return no_room(parse, path);
    for (size_t i = 0; i < count; i++) {
        struct path at = {path->up, path->name, i};

        ok &= read_object(parse, &at, field->table, &value->list.items[i], false, items + i * size);
    }
    store_list(object, field, items, count);
    return ok;
}

/* Texts, or objects whose one field is a code. */
static bool take_texts(struct input_parse *parse, const struct path *path,
                       const struct order_input_field *field, const struct oms_value *value, void *object)
{
    struct oms_str *texts;
    bool ok = true;

    if (!check_list(parse, path, field, value))
        return false;
    texts = oms_arena_calloc(parse->arena, value->list.count + 1, sizeof *texts);
    if (!texts)
        return no_room(parse, path);
    for (size_t i = 0; i < value->list.count; i++) {
        const struct oms_value *item = &value->list.items[i];
        struct path at = {path->up, path->name, i};
        struct path at_code = {&at, OMS_STR("couponCode"), NO_INDEX};

        if (field->kind == INPUT_CODES && item->kind == OMS_VALUE_OBJECT && item->object.count == 1)
            item = oms_value_get_set(item, "couponCode");
        if (item && item->kind == OMS_VALUE_STRING)
            texts[i] = item->text;
        else
            ok = invalid(parse, field->kind == INPUT_CODES ? &at_code : &at, "a string");
    }
    store_list(object, field, texts, value->list.count);
    return ok;
}

static bool take_field(struct input_parse *parse, const struct path *path,
                       const struct order_input_field *field, const struct oms_value *value, void *object)
{
    struct oms_str text;

    switch ((enum order_input_kind)field->kind) {
    case INPUT_TEXT:
        if (value->kind != OMS_VALUE_STRING)
            return invalid(parse, path, "a string");
        store_text(object, field->offset, value->text);
        return true;
    case INPUT_COUNT:
    case INPUT_REF_COUNT:
        return take_count(parse, path, field, value, object);
    case INPUT_BOOL:
    case INPUT_BOOL_NOT:
    case INPUT_BOOL_TRUE:
    case INPUT_BOOL_FLAG:
        return take_bool(parse, path, field, value, object);
    case INPUT_DECIMAL:
        return take_amount(parse, path, field, value, object);
    case INPUT_MONEY:
        return take_money(parse, path, field, value, object);
    case INPUT_DECIMAL_TEXT:
        if (!read_decimal(parse, path, value, &text))
            return false;
        store_text(object, field->offset, text);
        return true;
    case INPUT_INSTANT:
        return take_instant(parse, path, field, value, object);
    case INPUT_PART:
        return take_part(parse, path, field, value, object);
    case INPUT_JSON:
        return take_json(parse, path, field, value, object);
    case INPUT_ENUM:
        return take_enum(parse, path, field, value, object);
    case INPUT_COMMANDS:
        return take_commands(parse, path, field, value, object);
    case INPUT_OBJECT:
        if (field->aux)
            store_bool(object, field->aux, true);
        return read_object(parse, path, field->table, value, false, (char *)object + field->offset);
    case INPUT_LIST:
        return take_list(parse, path, field, value, object);
    case INPUT_TEXTS:
    case INPUT_CODES:
        return take_texts(parse, path, field, value, object);
    }
    OMS_UNREACHABLE();
}

/* What every mutation has beside its own fields; read by the caller. */
static bool is_common(struct oms_str name)
{
    static const char *const names[] = {"orderId", "expectedVersion", "clientMutationId", "idempotencyKey",
                                        "tenantId"};

    for (size_t i = 0; i < OMS_COUNT_OF(names); i++)
        if (oms_str_eq_c(name, names[i]))
            return true;
    return false;
}

/* The row of this name, looked for from `*from` on and around: inputs come in the order of the rows. */
static const struct order_input_field *find_row(const struct order_input_table *table, struct oms_str name,
                                                size_t *from)
{
    for (size_t tried = 0, at = *from; tried < table->count; tried++) {
        const struct order_input_field *field = &table->fields[at];

        at = at + 1 < table->count ? at + 1 : 0;
        if (field->name_len == name.len && memcmp(field->name, name.data, name.len) == 0) {
            *from = at;
            return field;
        }
    }
    return NULL;
}

static bool refuse_unknown(struct input_parse *parse, const struct path *path,
                           const struct order_input_table *table, struct oms_str name)
{
    const char *names[32], *near;
    size_t count = 0;
    struct path at = {path, name.len > 64 ? oms_str_make(name.data, 64) : name, NO_INDEX};

    for (; count < table->count && count < OMS_COUNT_OF(names); count++)
        names[count] = table->fields[count].name;
    near = count ? oms_str_nearest(name, names, count) : NULL;
    return refusal_add(parse->refusals, REFUSAL_INVALID, path_text(parse, &at),
                       "There is no field %.*s%s%s%s", OMS_STR_ARG(at.name), near ? ", did you mean " : "",
                       near ? near : "", near ? "?" : "");
}

static bool refuse_missing(struct input_parse *parse, const struct path *path,
                           const struct order_input_field *field)
{
    struct path at = {path, oms_str_of(field->name), NO_INDEX};

    return refusal_add(parse->refusals, REFUSAL_REQUIRED, path_text(parse, &at), "%s is required",
                       field->name);
}

static void set_defaults(const struct order_input_table *table, void *object)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->fields[i].kind == INPUT_REF_COUNT)
            store_i64(object, table->fields[i].offset, -1);
        else if (table->fields[i].kind == INPUT_BOOL_TRUE)
            store_bool(object, table->fields[i].offset, true);
    }
}

static bool read_object(struct input_parse *parse, const struct path *path,
                        const struct order_input_table *table, const struct oms_value *value, bool common,
                        void *object)
{
    uint64_t seen = 0;
    size_t next = 0;
    bool ok = true;

    OMS_ASSERT(table->count <= 64);
    if (value->kind != OMS_VALUE_OBJECT)
        return invalid(parse, path, "an object");
    set_defaults(table, object);
    for (size_t i = 0; i < value->object.count; i++) {
        const struct oms_field *given = &value->object.fields[i];
        const struct order_input_field *field;
        struct path at = {path, given->name, NO_INDEX};

        field = find_row(table, given->name, &next);
        if (!field && common && is_common(given->name))
            continue;
        if (!field) {
            ok = refuse_unknown(parse, path, table, given->name);
        } else if (given->value.kind != OMS_VALUE_NULL) {
            seen |= UINT64_C(1) << (field - table->fields);
            ok &= take_field(parse, &at, field, &given->value, object);
        }
    }
    for (size_t i = 0; i < table->count; i++)
        if (table->fields[i].required && !(seen & UINT64_C(1) << i))
            ok = refuse_missing(parse, path, &table->fields[i]);
    return ok;
}

/* ---- the command ---- */

static bool read_expected_version(struct input_parse *parse, const struct oms_value *input,
                                  struct order_command *out)
{
    const struct oms_value *value = oms_value_get_set(input, "expectedVersion");
    struct path at = {NULL, OMS_STR("expectedVersion"), NO_INDEX};
    int64_t version;

    if (!value)
        return true;
    if (!read_whole(value, &version) || version < 1)
        return invalid(parse, &at, "a version from 1 on");
    out->has_expected_version = true;
    out->expected_version = (uint64_t)version;
    return true;
}

static bool read_key(struct input_parse *parse, const struct oms_value *input,
                     const struct order_input_context *context, struct order_command *out)
{
    const struct oms_value *value = oms_value_get_set(input, "idempotencyKey");
    struct path at = {NULL, OMS_STR("idempotencyKey"), NO_INDEX};
    struct oms_str key = context->header_key;

    if (value && value->kind != OMS_VALUE_STRING)
        return invalid(parse, &at, "a string");
    if (value && oms_str_present(key) && !oms_str_eq(key, value->text))
        return invalid(parse, &at, "the same as the header Idempotency-Key, or one of them left out");
    if (value)
        key = value->text;
    if (!oms_str_present(key))
        return true;
    if (key.len == 0 || key.len > OMS_ID_BYTES_MAX)
        return refusal_add(parse->refusals, REFUSAL_INVALID, path_text(parse, &at),
                           "idempotencyKey has %zu bytes, 1 to %d are accepted", key.len, OMS_ID_BYTES_MAX);
    out->has_key = true;
    out->idempotency_key = key;
    return true;
}

static bool read_order_id(struct input_parse *parse, const struct oms_value *input,
                          unsigned char order[IDS_ORDER_SIZE])
{
    const struct oms_value *value = oms_value_get_set(input, "orderId");

    if (!value)
        return refusal_add(parse->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("orderId"),
                           "orderId is required");
    if (value->kind != OMS_VALUE_STRING || ids_order_parse(value->text, order) != OMS_OK)
        return refusal_add(parse->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("orderId"),
                           "There is no such order");
    return true;
}

/* By reference, else by key, else a new one. */
static bool derive_order_id(struct input_parse *parse, const struct order_input_context *context,
                            struct order_command *out, unsigned char order[IDS_ORDER_SIZE])
{
    struct order_create_input *create = &out->create;
    char *text = oms_arena_alloc(parse->arena, IDS_ORDER_TEXT + 1);
    struct path at = {NULL, OMS_STR("lineItems"), NO_INDEX};

    if (!text)
        return no_room(parse, &at);
    if (create->external_ref.len)
        ids_order_from_reference(context->id_key, context->principal->tenant, create->source,
                                 create->external_ref, order);
    else if (out->has_key)
        ids_order_from_key(context->id_key, context->principal->tenant, context->principal->subject,
                           out->idempotency_key, order);
    else
        ids_order_random(context->now_ms, context->random_hi, context->random_lo, order);
    ids_order_text(order, text);
    create->order_id = oms_str_make(text, IDS_ORDER_TEXT);
    return true;
}

/* What is not said, so that saying it makes no difference. */
static void fill_defaults(const struct order_input_context *context, struct order_command *out)
{
    switch (out->type) {
    case ORDER_COMMAND_CREATE_ORDER:
        if (!out->create.source.len)
            out->create.source = context->default_source.len ? context->default_source : OMS_STR("api");
        if (out->create.stage == ORDER_STAGE_NONE)
            out->create.stage = ORDER_STAGE_CONFIRMED;
        if (out->create.has_payment && out->create.payment.status == ORDER_PAYMENT_NONE)
            out->create.payment.status = ORDER_PAYMENT_CAPTURED;
        return;
    case ORDER_COMMAND_RECORD_PAYMENT:
        if (out->payment.status == ORDER_PAYMENT_NONE)
            out->payment.status = ORDER_PAYMENT_CAPTURED;
        return;
    case ORDER_COMMAND_FAIL_SHIPMENT:
        if (out->shipment.status == ORDER_SHIPMENT_NONE)
            out->shipment.status = ORDER_SHIPMENT_FAILED;
        return;
    default:
        return;
    }
}

bool order_input_parse(enum order_command_type type, const struct oms_value *input,
                       const struct order_input_context *context, struct oms_arena *arena,
                       struct order_command *out, unsigned char order[IDS_ORDER_SIZE], bool *order_known,
                       struct refusal_list *refusals)
{
    struct input_parse parse = {.arena = arena, .refusals = refusals};
    const struct order_input_table *table = order_input_table_of(type);
    struct path top = {NULL, OMS_STR(""), NO_INDEX};
    bool creates = type == ORDER_COMMAND_CREATE_ORDER;
    bool ok;

    OMS_ASSERT(table);
    memset(out, 0, sizeof *out);
    out->type = type;
    out->principal = context->principal;
    *order_known = !creates && read_order_id(&parse, input, order);
    if (!creates && !*order_known)
        return false; /* nothing else may tell whether the order exists */
    ok = read_object(&parse, &top, table, input, true, out);
    ok &= read_key(&parse, input, context, out);
    if (!creates)
        ok &= read_expected_version(&parse, input, out);
    fill_defaults(context, out);
    if (creates && (ok || out->create.external_ref.len))
        ok &= *order_known = derive_order_id(&parse, context, out, order);
    if (!ok)
        return false;
    out->fingerprint = order_input_fingerprint(context->id_key, out);
    if (out->has_key)
        out->key = ids_idempotency(context->id_key, context->principal->tenant, context->principal->subject,
                                   oms_str_of(order_command_info(type)->mutation),
                                   oms_str_make(order, IDS_ORDER_SIZE), out->idempotency_key);
    return true;
}

struct oms_str order_input_client_mutation_id(const struct oms_value *input)
{
    const struct oms_value *value = oms_value_get_set(input, "clientMutationId");

    return value && value->kind == OMS_VALUE_STRING ? value->text : OMS_STR_NONE;
}
