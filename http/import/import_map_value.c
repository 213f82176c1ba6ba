/*
 * What a leaf's columns come to: conditions, instants and sums. Amounts are parsed as text and computed in
 * 128-bit integers; nothing is floating point.
 */
#include <stdio.h>

#include "http/import/import_map_impl.h"
#include "runtime/base/datetime.h"

__extension__ typedef __int128 wide;

#define DIGITS_MAX   15
#define DECIMALS_MAX 9
#define PLACES_MAX   4 /* of a quotient: what the widest currency has */
#define OFFSET_MAX   (14 * 60)
#define MINUTE_MS    60000

struct oms_str import_map_field(const struct import_map *map, const struct oms_str *fields, unsigned column)
{
    size_t bound = map->columns[column].bound;
    return bound == IMPORT_COLUMN_UNBOUND ? OMS_STR("") : fields[bound];
}

/* ---- conditions ---- */

static bool holds(const struct import_map *map, const struct import_condition *condition,
                  const struct oms_str *fields)
{
    if (condition->known)
        return condition->holds;
    struct oms_str text = import_map_field(map, fields, condition->column);
    if (condition->any)
        return text.len != 0;
    for (unsigned i = 0; i < condition->value_count; i++)
        if (oms_str_eq_nocase(text, condition->values[i]))
            return !condition->negated;
    return condition->negated;
}

bool import_conditions_hold(const struct import_map *map, const struct import_conditions *conditions,
                            const struct oms_str *fields)
{
    for (unsigned i = 0; i < conditions->count; i++)
        if (!holds(map, &map->conditions[conditions->first + i], fields))
            return false;
    return true;
}

/* ---- instants ---- */

static bool two_digits(const char *at, int *out)
{
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return false;
    *out = (at[0] - '0') * 10 + at[1] - '0';
    return true;
}

bool import_offset_parse(struct oms_str text, int *out_minutes)
{
    int hours, minutes;

    *out_minutes = 0;
    if (oms_str_eq_nocase(text, OMS_STR("Z")) || oms_str_eq_nocase(text, OMS_STR("UTC")))
        return true;
    size_t minutes_at = text.len == 6 && text.data[3] == ':' ? 4 : 3;
    if (text.len != minutes_at + 2 || (text.data[0] != '+' && text.data[0] != '-') ||
        !two_digits(text.data + 1, &hours) || !two_digits(text.data + minutes_at, &minutes) || minutes > 59 ||
        hours * 60 + minutes > OFFSET_MAX)
        return false;
    *out_minutes = (hours * 60 + minutes) * (text.data[0] == '-' ? -1 : 1);
    return true;
}

/* Where the offset of "2020-05-12 10:32:11 -0400" begins: behind the time's digits, points and colons. */
static size_t time_end(struct oms_str text)
{
    size_t at = 11;
    while (at < text.len &&
           ((text.data[at] >= '0' && text.data[at] <= '9') || text.data[at] == ':' || text.data[at] == '.'))
        at++;
    return at;
}

enum oms_status import_instant_parse(struct oms_str text, int offset_minutes, int64_t *out_ms)
{
    char whole[OMS_DATETIME_TEXT_SIZE + 16];

    if (text.len < 16 || text.len > 40 ||
        (text.data[10] != ' ' && text.data[10] != 'T' && text.data[10] != 't'))
        return OMS_INVALID;
    size_t end = time_end(text);
    struct oms_str offset = oms_str_trim(oms_str_make(text.data + end, text.len - end));
    if (offset.len && !import_offset_parse(offset, &offset_minutes))
        return OMS_INVALID;
    const char *seconds = end == 16 ? ":00" : ""; /* "10:32" */
    snprintf(whole, sizeof(whole), "%.10sT%.*s%sZ", text.data, (int)(end - 11), text.data + 11, seconds);
    enum oms_status status = oms_datetime_parse(oms_str_of(whole), out_ms);
    if (status == OMS_OK)
        *out_ms -= (int64_t)offset_minutes * MINUTE_MS;
    return status;
}

/* ---- sums ---- */

/* mantissa ÷ 10^DECIMALS_MAX; false for what is no plain decimal. */
static bool parse(struct oms_str text, wide *out)
{
    unsigned digits = 0, decimals = 0;
    bool point = false, negative = text.len && text.data[0] == '-';
    wide value = 0;

    for (size_t i = negative; i < text.len; i++) {
        char c = text.data[i];
        if (c == '.' && !point && digits > 0 && i + 1 < text.len) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || ++digits > DIGITS_MAX + DECIMALS_MAX || decimals == DECIMALS_MAX)
            return false;
        value = value * 10 + (c - '0');
        decimals += point;
    }
    if (digits == 0 || digits - decimals > DIGITS_MAX)
        return false;
    while (decimals++ < DECIMALS_MAX)
        value *= 10;
    *out = negative ? -value : value;
    return true;
}

/* Adds the columns `from` … `to` of the node; *some tells whether any of them holds something. */
static const char *add_up(const struct import_map *map, const struct import_node *node,
                          const struct oms_str *fields, unsigned from, unsigned to, wide *sum, bool *some,
                          unsigned *which)
{
    *sum = 0;
    *some = false;
    for (unsigned i = from; i < to; i++) {
        struct oms_str text = import_map_field(map, fields, node->columns[i]);
        wide value;
        if (text.len == 0)
            continue;
        *some = true;
        *which = i;
        if (!parse(text, &value))
            return "not a plain decimal number";
        *sum += value;
    }
    *which = from;
    return NULL;
}

static wide power_of_ten(unsigned exponent)
{
    wide power = 1;
    while (exponent--)
        power *= 10;
    return power;
}

/* Without zeros at the end: a file may write "1000.00" of a currency that has no cents. */
static void format(wide value, char out[48])
{
    unsigned places = DECIMALS_MAX;
    while (places > 0 && value % 10 == 0) {
        value /= 10;
        places--;
    }
    wide one = power_of_ten(places);
    int len = snprintf(out, 48, "%lld", (long long)(value / one));
    if (places)
        snprintf(out + len, 48 - (size_t)len, ".%0*lld", (int)places, (long long)(value % one));
}

/* An amount with places that a currency has: what is behind them must be zero. */
static const char *divide(const struct import_map *map, const struct import_node *node,
                          const struct oms_str *fields, wide *value, unsigned *which)
{
    unsigned last = node->column_count - 1;
    wide by, unit = power_of_ten(DECIMALS_MAX - PLACES_MAX);

    *which = last;
    if (!parse(import_map_field(map, fields, node->columns[last]), &by) || by <= 0)
        return "not a number above zero, by which an amount is divided";
    by /= unit; /* ten thousandths of a piece are more than enough */
    *which = 0;
    if (by == 0 || (*value / unit * power_of_ten(PLACES_MAX)) % by || *value % unit)
        return "cannot be divided by the quantity without a remainder";
    *value = *value / unit * power_of_ten(PLACES_MAX) / by * unit;
    return NULL;
}

const char *import_sum(const struct import_map *map, const struct import_node *node,
                       const struct oms_str *fields, char out[48], bool *empty, unsigned *which)
{
    unsigned end = node->column_count - node->divided;
    wide sum, less;
    bool some, any;
    const char *why = add_up(map, node, fields, 0, node->added, &sum, &some, which);

    *empty = !some;
    if (why || !some)
        return why;
    if ((why = add_up(map, node, fields, node->added, end, &less, &any, which)))
        return why;
    sum -= less;
    *which = 0;
    if (sum < 0)
        return "comes to less than zero";
    if (node->divided && (why = divide(map, node, fields, &sum, which)))
        return why;
    format(sum, out);
    return NULL;
}

const char *import_equals(const struct import_map *map, const struct import_node *node,
                          const struct oms_str *fields, bool *out, bool *empty, unsigned *which)
{
    wide sum, to;
    bool some, any;
    const char *why = add_up(map, node, fields, 0, node->added, &sum, &some, which);

    if (!why)
        why = add_up(map, node, fields, node->added, node->column_count, &to, &any, which);
    if (why)
        return why;
    *empty = !some || !any;
    *out = sum == to;
    return NULL;
}
