/*
 * Input fields: lengths, text, e-mail, URLs, amounts, quantities, addresses, instants.
 *
 * Each check adds one refusal that names the field's path, what is wrong and what would be accepted. Optional
 * fields may be absent or empty; what is stored of an empty one is nothing.
 */
#include <stdio.h>

#include "actors/country.h"
#include "actors/money.h"
#include "actors/order_internal.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/utf8.h"

void order_prefix(char out[ORDER_PREFIX_SIZE], const char *list, size_t index)
{
    char digits[20];
    size_t len = strlen(list), count = 0;

    OMS_ASSERT(len < ORDER_PREFIX_SIZE - sizeof(digits) - 2);
    memcpy(out, list, len);
    do
        digits[count++] = (char)('0' + index % 10);
    while ((index /= 10) != 0);
    while (count)
        out[len++] = digits[--count];
    out[len++] = '.';
    out[len] = '\0';
}

struct oms_str order_path(struct order_work *work, const char *prefix, const char *name)
{
    return refusal_field(work->refusals, "%s%s", prefix, name);
}

struct order_money_text order_money(const struct order_work *work, int64_t amount)
{
    struct order_money_text out;
    char code[4], digits[MONEY_TEXT_SIZE];

    money_currency_text(work->currency, code);
    money_format(amount, money_exponent(work->currency), digits);
    snprintf(out.text, sizeof(out.text), "%s %s", digits, code);
    return out;
}

/* ---- text ---- */

/* Printable ASCII needs no further look; it is nearly everything. */
static bool plain_ascii(struct oms_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] < 0x20 || (unsigned char)s.data[i] > 0x7e)
            return false;
    return true;
}

static bool has_control(struct oms_str s, bool lines_allowed)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c == 0x7f || (c < 0x20 && !(lines_allowed && (c == '\n' || c == '\r' || c == '\t'))))
            return true;
    }
    return false;
}

bool order_field_text(struct order_work *work, const char *prefix, const char *name, struct oms_str value,
                      size_t max)
{
    if (value.len == 0)
        return true;
    if (value.len > max)
        return refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, name),
                           "%s is %zu bytes long, at most %zu are accepted", name, value.len, max);
    if (plain_ascii(value))
        return true;
    if (!oms_utf8_valid(value))
        return refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, name),
                           "%s is not valid UTF-8", name);
    if (has_control(value, max > ORDER_NAME_TEXT))
        return refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, name),
                           "%s contains control characters", name);
    return true;
}

bool order_field_required(struct order_work *work, const char *prefix, const char *name, struct oms_str value,
                          size_t max)
{
    if (oms_str_trim(value).len == 0)
        return refusal_add(work->refusals, REFUSAL_REQUIRED, order_path(work, prefix, name), "%s is required",
                           name);
    return order_field_text(work, prefix, name, value, max);
}

static bool email_char(unsigned char c)
{
    return c > 0x20 && c != 0x7f && c != '<' && c != '>' && c != '(' && c != ')' && c != ',' && c != ';' &&
           c != '"' && c != '\\' && c != '[' && c != ']';
}

/* The addresses that people have: local@domain of RFC 5321 without quoting and address literals. */
static bool email_valid(struct oms_str s)
{
    const char *at = memchr(s.data, '@', s.len);
    size_t local = at ? (size_t)(at - s.data) : 0, label = 0;
    bool dot = false;

    if (!at || local == 0 || local > 64 || s.data[0] == '.' || at[-1] == '.')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!email_char(c) || (c == '@' && i != local) || (c == '.' && s.data[i - 1] == '.'))
            return false;
        if (i <= local)
            continue;
        if (c == '.') {
            dot = true;
            if (label == 0)
                return false;
            label = 0;
        } else if (++label > 63 || (c == '-' && label == 1)) {
            return false;
        }
    }
    return dot && label > 0;
}

bool order_field_email(struct order_work *work, const char *prefix, const char *name, struct oms_str value)
{
    if (value.len == 0)
        return true;
    if (!order_field_text(work, prefix, name, value, OMS_EMAIL_BYTES_MAX))
        return false;
    if (!email_valid(value))
        return refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, name),
                           "%s must be an e-mail address such as ada@example.org", name);
    return true;
}

bool order_field_url(struct order_work *work, const char *prefix, const char *name, struct oms_str value)
{
    size_t scheme, host;

    if (value.len == 0)
        return true;
    if (!order_field_text(work, prefix, name, value, OMS_URL_BYTES_MAX))
        return false;
    scheme = value.len >= 8 && oms_str_eq_nocase(oms_str_make(value.data, 8), OMS_STR("https://"))  ? 8
             : value.len >= 7 && oms_str_eq_nocase(oms_str_make(value.data, 7), OMS_STR("http://")) ? 7
                                                                                                    : 0;
    for (host = scheme; host < value.len && !memchr("/?#", value.data[host], 3); host++)
        continue;
    if (!scheme || host == scheme || memchr(value.data, ' ', value.len) ||
        memchr(value.data, '"', value.len) || memchr(value.data, '<', value.len) ||
        memchr(value.data, '\\', value.len) || memchr(value.data + scheme, '@', host - scheme))
        return refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, name),
                           "%s must be an http or https URL such as https://carrier.example/track/1", name);
    return true;
}

bool order_field_json(struct order_work *work, const char *prefix, const char *name, struct oms_str value,
                      size_t max)
{
    if (value.len > max)
        return refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, name),
                           "%s is %zu bytes of JSON, at most %zu are accepted", name, value.len, max);
    return true;
}

/* ---- numbers ---- */

static bool refuse_amount(struct order_work *work, const char *prefix, const char *name,
                          enum money_parse fault)
{
    struct oms_str path = order_path(work, prefix, name);
    char code[4];

    money_currency_text(work->currency, code);
    switch (fault) {
    case MONEY_PARSE_DECIMALS:
        return refusal_add(work->refusals, REFUSAL_INVALID, path,
                           "%s has more decimals than %s allows: at most %u", name, code,
                           money_exponent(work->currency));
    case MONEY_PARSE_OVERFLOW:
        return refusal_add(work->refusals, REFUSAL_INVALID, path, "%s is too large", name);
    case MONEY_PARSE_SYNTAX:
    case MONEY_PARSE_OK:
        break;
    }
    return refusal_add(work->refusals, REFUSAL_INVALID, path, "%s must be a decimal number such as %s", name,
                       money_exponent(work->currency) ? "12.5" : "12");
}

bool order_field_amount(struct order_work *work, const char *prefix, const char *name,
                        struct order_amount value, int64_t *out)
{
    enum money_parse fault;
    int64_t amount = 0;

    if (!oms_str_present(value.text))
        return true;
    if (value.currency && value.currency != work->currency) {
        char theirs[4], ours[4];

        money_currency_text(value.currency, theirs);
        money_currency_text(work->currency, ours);
        return refusal_add(work->refusals, REFUSAL_CURRENCY_MISMATCH, order_path(work, prefix, name),
                           "%s is in %s, the order is in %s", name, theirs, ours);
    }
    fault = money_parse(value.text, money_exponent(work->currency), &amount);
    if (fault != MONEY_PARSE_OK)
        return refuse_amount(work, prefix, name, fault);
    if (amount < 0)
        return refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, name),
                           "%s must not be negative", name);
    *out = amount;
    return true;
}

bool order_field_quantity(struct order_work *work, const char *prefix, const char *name, int64_t value)
{
    if (value >= 1 && value <= OMS_ORDER_QUANTITY_MAX)
        return true;
    return refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, name),
                       "%s must be a whole number from 1 to %d", name, (int)OMS_ORDER_QUANTITY_MAX);
}

bool order_field_occurred(struct order_work *work, int64_t value, int64_t *out)
{
    *out = value ? value : work->now;
    if (*out > work->now + OMS_PLACED_AHEAD_MAX_MS)
        return refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("occurredAt"),
                           "occurredAt is more than 24 hours ahead");
    return true;
}

/* ---- addresses ---- */

static struct oms_str filled(struct oms_str value)
{
    return value.len ? value : OMS_STR_NONE;
}

bool order_field_address(struct order_work *work, const char *prefix, const struct order_address *in,
                         struct order_address *out, bool required)
{
    bool ok = true;

    *out = (struct order_address){filled(in->recipient), filled(in->street), filled(in->line2),
                                  filled(in->city),      filled(in->state),  filled(in->postal),
                                  OMS_STR_NONE,          filled(in->phone)};
    ok &= order_field_text(work, prefix, "recipient", in->recipient, ORDER_NAME_TEXT);
    ok &= order_field_text(work, prefix, "street", in->street, ORDER_NAME_TEXT);
    ok &= order_field_text(work, prefix, "line2", in->line2, ORDER_NAME_TEXT);
    ok &= required ? order_field_required(work, prefix, "city", in->city, ORDER_NAME_TEXT)
                   : order_field_text(work, prefix, "city", in->city, ORDER_NAME_TEXT);
    ok &= order_field_text(work, prefix, "state", in->state, ORDER_NAME_TEXT);
    ok &= order_field_text(work, prefix, "postal", in->postal, ORDER_ID_TEXT);
    ok &= order_field_text(work, prefix, "phone", in->phone, ORDER_ID_TEXT);
    if (required && !order_field_required(work, prefix, "country", in->country, ORDER_NAME_TEXT))
        return false;
    if (in->country.len) {
        out->country = country_parse(in->country);
        if (!oms_str_present(out->country))
            return refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, "country"),
                               "\"%.*s\" is no country: give an ISO 3166 code or its English name",
                               (int)(in->country.len < 60 ? in->country.len : 60), in->country.data);
    }
    return ok;
}
