/*
 * `when`: what a step asks of an order before it is waited for; see workflow.h.
 *
 * A table names the facts. Amounts are compared exactly: a condition's number has up to four decimals, an
 * order's amount those of its currency, and both are brought to four before they meet.
 */
#include <stdarg.h>
#include <stdio.h>

#include "actors/country.h"
#include "actors/money.h"
#include "actors/workflow.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

#define SHOWN 64

__extension__ typedef __int128 wide; /* an amount at four decimals */

static const struct {
    enum workflow_fact_kind kind;
    const char *name, *other;
} facts[WORKFLOW_FACT_COUNT] = {
#define X(name, kind, text, other) {WORKFLOW_KIND_##kind, text, other},
    WORKFLOW_FACT_LIST(X)
#undef X
};

/* The words of each operator, the first is its name. */
static const char *const op_words[WORKFLOW_OP_COUNT][3] = {
    {"eq", "==", "="},       {"ne", "!=", NULL},     {"gt", ">", NULL},  {"gte", ">=", NULL},
    {"lt", "<", NULL},       {"lte", "<=", NULL},    {"in", NULL, NULL}, {"not_in", "notIn", NULL},
    {"matches", NULL, NULL}, {"exists", NULL, NULL},
};

#define OP(name)   (1u << WORKFLOW_OP_##name)
#define OP_EQUAL   (OP(EQ) | OP(NE))
#define OP_LIST    (OP(IN) | OP(NOT_IN))
#define OP_COMPARE (OP(GT) | OP(GTE) | OP(LT) | OP(LTE))

static const unsigned kind_ops[] = {
    [WORKFLOW_KIND_AMOUNT] = OP_EQUAL | OP_LIST | OP_COMPARE,
    [WORKFLOW_KIND_NUMBER] = OP_EQUAL | OP_LIST | OP_COMPARE,
    [WORKFLOW_KIND_TEXT] = OP_EQUAL | OP_LIST | OP(MATCHES) | OP(EXISTS),
    [WORKFLOW_KIND_TEXTS] = OP_EQUAL | OP_LIST | OP(MATCHES) | OP(EXISTS),
    [WORKFLOW_KIND_COUNTRY] = OP_EQUAL | OP_LIST | OP(EXISTS),
    [WORKFLOW_KIND_PAYMENT] = OP_EQUAL | OP_LIST,
    [WORKFLOW_KIND_FULFILLMENT] = OP_EQUAL | OP_LIST,
    [WORKFLOW_KIND_FLAG] = OP_EQUAL,
};

const char *workflow_fact_name(enum workflow_fact fact)
{
    return facts[fact].name;
}

enum workflow_fact_kind workflow_fact_kind(enum workflow_fact fact)
{
    return facts[fact].kind;
}

const char *workflow_op_name(enum workflow_op op)
{
    return op_words[op][0];
}

/* ---- reading ---- */

struct reading {
    struct oms_str path, who;
    struct oms_arena *arena;
    struct refusal_list *refusals;
    struct workflow_when *out;
    enum workflow_fact_kind kind;
};

static OMS_PRINTF(3, 4) bool fault(const struct reading *r, const char *key, const char *format, ...)
{
    char text[320];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return refusal_add(r->refusals, REFUSAL_INVALID,
                       refusal_field(r->refusals, "%.*s%s", OMS_STR_ARG(r->path), key), "%.*swhen: %s",
                       OMS_STR_ARG(r->who), text);
}

static int shown(struct oms_str text)
{
    return (int)(text.len < SHOWN ? text.len : SHOWN);
}

static bool read_fact(struct reading *r, const struct oms_value *value)
{
    const char *names[WORKFLOW_FACT_COUNT], *near;

    if (!value || value->kind != OMS_VALUE_STRING)
        return fault(r, ".field", "field must be a string that names what is asked of the order");
    for (unsigned i = 0; i < WORKFLOW_FACT_COUNT; i++) {
        if (oms_str_eq_c(value->text, facts[i].name) ||
            (facts[i].other && oms_str_eq_c(value->text, facts[i].other))) {
            r->out->fact = (enum workflow_fact)i;
            r->kind = facts[i].kind;
            return true;
        }
        names[i] = facts[i].name;
    }
    near = oms_str_nearest(value->text, names, WORKFLOW_FACT_COUNT);
    return fault(r, ".field", "unknown field '%.*s'%s%s%s", shown(value->text), value->text.data,
                 near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* "eq, ne, in or not_in": what may stand with a kind. */
static void list_ops(unsigned ops, char out[96])
{
    size_t len = 0;

    out[0] = '\0';
    for (unsigned op = 0; op < WORKFLOW_OP_COUNT; op++)
        if (ops & 1u << op)
            len += (size_t)snprintf(out + len, 96 - len, "%s%s", len ? ", " : "", op_words[op][0]);
}

static bool read_op(struct reading *r, const struct oms_value *value)
{
    char list[96];

    list_ops(kind_ops[r->kind], list);
    if (!value || value->kind != OMS_VALUE_STRING)
        return fault(r, ".op", "op must be one of %s", list);
    for (unsigned op = 0; op < WORKFLOW_OP_COUNT; op++)
        for (size_t i = 0; i < OMS_COUNT_OF(op_words[op]) && op_words[op][i]; i++) {
            if (!oms_str_eq_c(value->text, op_words[op][i]))
                continue;
            r->out->op = (enum workflow_op)op;
            return (kind_ops[r->kind] & 1u << op) != 0 ||
                   fault(r, ".op", "%s cannot be asked with %s, only with %s", facts[r->out->fact].name,
                         op_words[op][0], list);
        }
    return fault(r, ".op", "unknown op '%.*s': %s knows %s", shown(value->text), value->text.data,
                 facts[r->out->fact].name, list);
}

/* One status by its word. */
static bool read_status(struct reading *r, struct oms_str word, int64_t *out)
{
    enum order_payment_status payment = ORDER_PAYMENT_STATUS_PENDING;
    enum order_fulfillment_status fulfillment = ORDER_FULFILLMENT_UNFULFILLED;
    bool known = r->kind == WORKFLOW_KIND_PAYMENT ? order_payment_status_parse(word, &payment)
                                                  : order_fulfillment_status_parse(word, &fulfillment);

    *out = r->kind == WORKFLOW_KIND_PAYMENT ? (int64_t)payment : (int64_t)fulfillment;
    return known || fault(r, ".value", "'%.*s' is no %s", shown(word), word.data, facts[r->out->fact].name);
}

static bool read_text(struct reading *r, const struct oms_value *value, struct oms_str *text, int64_t *number)
{
    if (value->kind != OMS_VALUE_STRING || !value->text.len)
        return fault(r, ".value", "%s is compared with text that is not empty", facts[r->out->fact].name);
    if (r->kind == WORKFLOW_KIND_PAYMENT || r->kind == WORKFLOW_KIND_FULFILLMENT)
        return read_status(r, value->text, number);
    *text = value->text;
    if (r->kind == WORKFLOW_KIND_COUNTRY && !oms_str_present(*text = country_parse(value->text)))
        return fault(r, ".value", "'%.*s' is no country", shown(value->text), value->text.data);
    if (r->out->fact == WORKFLOW_FACT_CURRENCY && !money_currency_parse(value->text))
        return fault(r, ".value", "'%.*s' is no currency of ISO 4217", shown(value->text), value->text.data);
    *text = oms_str_copy(r->arena, *text);
    return oms_str_present(*text) || fault(r, ".value", "the workflow is too large");
}

static bool read_one(struct reading *r, const struct oms_value *value, struct oms_str *text, int64_t *number)
{
    bool counts = r->kind == WORKFLOW_KIND_NUMBER;

    if (r->kind != WORKFLOW_KIND_AMOUNT && !counts)
        return read_text(r, value, text, number);
    if (money_parse_value(value, WORKFLOW_AMOUNT_DIGITS, number) != MONEY_PARSE_OK || *number < 0 ||
        (counts && *number % 10000))
        return fault(r, ".value", "%s is compared with a %s", facts[r->out->fact].name,
                     counts ? "whole number of at least 0"
                            : "decimal of at least 0, with at most 4 digits after the point");
    return true;
}

static bool read_list(struct reading *r, const struct oms_value *value)
{
    bool listed = r->out->op == WORKFLOW_OP_IN || r->out->op == WORKFLOW_OP_NOT_IN;
    size_t count = listed && value->kind == OMS_VALUE_LIST ? value->list.count : 1;
    struct oms_str *texts;
    int64_t *numbers;

    if (listed && (value->kind != OMS_VALUE_LIST || !count || count > OMS_WORKFLOW_VALUES_MAX))
        return fault(r, ".value", "%s needs a list of 1 to %d values", op_words[r->out->op][0],
                     OMS_WORKFLOW_VALUES_MAX);
    texts = oms_arena_calloc(r->arena, count, sizeof *texts);
    numbers = oms_arena_calloc(r->arena, count, sizeof *numbers);
    if (!texts || !numbers)
        return fault(r, ".value", "the workflow is too large");
    for (size_t i = 0; i < count; i++)
        if (!read_one(r, listed ? &value->list.items[i] : value, &texts[i], &numbers[i]))
            return false;
    r->out->texts = texts;
    r->out->numbers = numbers;
    r->out->value_count = count;
    return true;
}

static bool read_pattern(struct reading *r, const struct oms_value *value)
{
    char message[128];
    size_t offset;

    if (value->kind != OMS_VALUE_STRING || !value->text.len)
        return fault(r, ".value", "matches needs a regular expression");
    r->out->pattern = pattern_compile(value->text, r->arena, message, &offset);
    return r->out->pattern || fault(r, ".value", "the pattern '%.*s' is wrong at character %zu: %s",
                                    shown(value->text), value->text.data, offset + 1, message);
}

static bool read_value(struct reading *r, const struct oms_value *value)
{
    bool flag = r->kind == WORKFLOW_KIND_FLAG || r->out->op == WORKFLOW_OP_EXISTS;

    if (!value && r->out->op == WORKFLOW_OP_EXISTS) {
        r->out->flag = true;
        return true;
    }
    if (!value)
        return fault(r, ".value", "value is missing");
    if (flag && value->kind != OMS_VALUE_BOOL)
        return fault(r, ".value", "%s is compared with true or false", facts[r->out->fact].name);
    if (flag)
        r->out->flag = value->boolean;
    else if (r->out->op == WORKFLOW_OP_MATCHES)
        return read_pattern(r, value);
    else
        return read_list(r, value);
    return true;
}

bool workflow_when_parse(const struct oms_value *value, struct oms_str path, struct oms_str who,
                         struct oms_arena *arena, struct refusal_list *refusals, struct workflow_when *out)
{
    struct reading r = {.path = path, .who = who, .arena = arena, .refusals = refusals, .out = out};

    *out = (struct workflow_when){.fact = WORKFLOW_FACT_FINAL_AMOUNT};
    if (value->kind != OMS_VALUE_OBJECT)
        return fault(&r, "", "a condition must be an object {field, op, value}");
    for (size_t i = 0; i < value->object.count; i++) {
        struct oms_str name = value->object.fields[i].name;

        if (!oms_str_eq_c(name, "field") && !oms_str_eq_c(name, "op") && !oms_str_eq_c(name, "value"))
            return fault(&r, "", "unknown key '%.*s', expected field, op and value", shown(name), name.data);
    }
    if (oms_value_get_set(value, "value")) {
        struct oms_buf text;

        oms_buf_init(&text, OMS_WORKFLOW_BYTES_MAX);
        oms_value_write_json(oms_value_get_set(value, "value"), &text);
        out->given = oms_str_copy(arena, oms_buf_str(&text));
        oms_buf_fini(&text);
    }
    return read_fact(&r, oms_value_get_set(value, "field")) && read_op(&r, oms_value_get_set(value, "op")) &&
           read_value(&r, oms_value_get_set(value, "value"));
}

/* ---- asking ---- */

struct asking {
    const struct order *order;
    const struct workflow_when *when;
    struct pattern_runner runner;
    bool any; /* some text was there */
    bool hit; /* one of them is what EQ, IN or MATCHES asks for */
};

/* Offers one text of the order to the condition. */
static void offer(struct asking *ask, struct oms_str text)
{
    const struct workflow_when *when = ask->when;

    if (!text.len || ask->hit)
        return;
    ask->any = true;
    if (when->op == WORKFLOW_OP_MATCHES)
        ask->hit = pattern_match(&ask->runner, when->pattern, text) != PATTERN_NO;
    for (size_t i = 0; i < when->value_count && !ask->hit; i++)
        ask->hit = oms_str_eq(text, when->texts[i]);
}

static void offer_lines(struct asking *ask)
{
    for (size_t i = 0; i < ask->order->line_count; i++) {
        const struct order_line *line = &ask->order->lines[i];

        if (line->cancelled >= line->quantity)
            continue;
        offer(ask, ask->when->fact == WORKFLOW_FACT_SKU        ? line->sku
                   : ask->when->fact == WORKFLOW_FACT_CATEGORY ? line->category
                                                               : line->vendor.id);
    }
}

static void offer_texts(struct asking *ask)
{
    const struct order *order = ask->order;
    char currency[4];

    switch (ask->when->fact) {
    case WORKFLOW_FACT_CURRENCY:
        money_currency_text(order->currency, currency);
        offer(ask, oms_str_of(currency));
        break;
    case WORKFLOW_FACT_SOURCE:
        offer(ask, order->source);
        break;
    case WORKFLOW_FACT_EXTERNAL_REF:
        offer(ask, order->external_ref);
        break;
    case WORKFLOW_FACT_CUSTOMER_ID:
        offer(ask, order->customer.customer_id);
        break;
    case WORKFLOW_FACT_COUNTRY:
        offer(ask, order->destination.country);
        break;
    case WORKFLOW_FACT_STATE:
        offer(ask, order->destination.state);
        break;
    case WORKFLOW_FACT_CITY:
        offer(ask, order->destination.city);
        break;
    case WORKFLOW_FACT_POSTAL:
        offer(ask, order->destination.postal);
        break;
    case WORKFLOW_FACT_BILLING_COUNTRY:
        offer(ask, order->billing.country);
        break;
    case WORKFLOW_FACT_SHIPPING_METHOD:
        offer(ask, order->shipping.method);
        break;
    case WORKFLOW_FACT_COUPON:
        for (size_t i = 0; i < order->coupon_count; i++)
            offer(ask, order->coupons[i]);
        break;
    case WORKFLOW_FACT_PAYMENT_METHOD:
        for (size_t i = 0; i < order->payment_count; i++)
            offer(ask, order->payments[i].method);
        break;
    default:
        offer_lines(ask);
        break;
    }
}

static bool text_holds(struct asking *ask)
{
    offer_texts(ask);
    switch (ask->when->op) {
    case WORKFLOW_OP_EXISTS:
        return ask->any == ask->when->flag;
    case WORKFLOW_OP_NE:
    case WORKFLOW_OP_NOT_IN:
        return !ask->hit;
    default:
        return ask->hit;
    }
}

static int64_t amount_of(const struct order *order, enum workflow_fact fact)
{
    switch (fact) {
    case WORKFLOW_FACT_TOTAL_AMOUNT:
        return order->totals.total;
    case WORKFLOW_FACT_DISCOUNTS:
        return order->totals.discounts;
    case WORKFLOW_FACT_TAX_AMOUNT:
        return order->totals.tax;
    case WORKFLOW_FACT_SHIPPING_COST:
        return order->totals.shipping;
    case WORKFLOW_FACT_PAID_AMOUNT:
        return order->paid;
    default:
        return order->totals.final;
    }
}

static int64_t vendors_of(const struct order *order)
{
    int64_t count = 0;

    for (size_t i = 0; i < order->line_count; i++) {
        size_t k = 0;

        while (k < i && !oms_str_eq(order->lines[k].vendor.id, order->lines[i].vendor.id))
            k++;
        count += k == i;
    }
    return count;
}

static int64_t number_of(const struct order *order, enum workflow_fact fact)
{
    int64_t units = 0;

    switch (fact) {
    case WORKFLOW_FACT_LINE_COUNT:
        return (int64_t)order->line_count;
    case WORKFLOW_FACT_VENDOR_COUNT:
        return vendors_of(order);
    case WORKFLOW_FACT_PAYMENT_STATUS:
        return order->payment;
    case WORKFLOW_FACT_FULFILLMENT_STATUS:
        return order->fulfillment;
    default:
        for (size_t i = 0; i < order->line_count; i++)
            units += order->lines[i].quantity - order->lines[i].cancelled;
        return units;
    }
}

/* At four decimals; statuses as they are. */
static wide value_of(const struct order *order, const struct workflow_when *when)
{
    wide value;

    if (facts[when->fact].kind == WORKFLOW_KIND_NUMBER)
        return (wide)number_of(order, when->fact) * 10000;
    if (facts[when->fact].kind != WORKFLOW_KIND_AMOUNT)
        return number_of(order, when->fact);
    value = amount_of(order, when->fact);
    for (unsigned i = money_exponent(order->currency); i < WORKFLOW_AMOUNT_DIGITS; i++)
        value *= 10;
    return value;
}

static bool number_holds(const struct order *order, const struct workflow_when *when)
{
    wide value = value_of(order, when);
    bool listed = false;

    for (size_t i = 0; i < when->value_count; i++)
        listed = listed || value == when->numbers[i];
    switch (when->op) {
    case WORKFLOW_OP_NE:
    case WORKFLOW_OP_NOT_IN:
        return !listed;
    case WORKFLOW_OP_GT:
        return value > when->numbers[0];
    case WORKFLOW_OP_GTE:
        return value >= when->numbers[0];
    case WORKFLOW_OP_LT:
        return value < when->numbers[0];
    case WORKFLOW_OP_LTE:
        return value <= when->numbers[0];
    default:
        return listed;
    }
}

static bool flag_of(const struct order *order, enum workflow_fact fact)
{
    if (fact == WORKFLOW_FACT_TAXES_INCLUDED)
        return order->taxes_included;
    if (fact == WORKFLOW_FACT_ON_HOLD)
        return order_on_hold(order);
    for (size_t i = 0; i < order->line_count; i++)
        if (order->lines[i].free_gift)
            return true;
    return false;
}

static bool holds(const struct workflow_when *when, const struct order *order, struct oms_arena *scratch)
{
    struct asking ask = {.order = order, .when = when, .runner = {.arena = scratch}};

    switch (facts[when->fact].kind) {
    case WORKFLOW_KIND_TEXT:
    case WORKFLOW_KIND_TEXTS:
    case WORKFLOW_KIND_COUNTRY:
        return text_holds(&ask);
    case WORKFLOW_KIND_FLAG:
        return (flag_of(order, when->fact) == when->flag) == (when->op == WORKFLOW_OP_EQ);
    case WORKFLOW_KIND_AMOUNT:
    case WORKFLOW_KIND_NUMBER:
    case WORKFLOW_KIND_PAYMENT:
    case WORKFLOW_KIND_FULFILLMENT:
        return number_holds(order, when);
    }
    OMS_UNREACHABLE();
    return true;
}

bool workflow_when_holds(const struct workflow_step *step, const struct order *order,
                         struct oms_arena *scratch)
{
    for (size_t i = 0; i < step->when_count; i++)
        if (!holds(&step->when[i], order, scratch))
            return false;
    return true;
}
