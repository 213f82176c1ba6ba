/*
 * Currencies and decimal text; see money.h.
 *
 * The table is indexed by the packed letters and holds exponent + 1, so that a lookup is one load and an
 * unknown code is zero. Source: ISO 4217 list one with the funds codes that have a minor unit; ANG and BGN,
 * withdrawn in 2025 and 2026, stay for orders placed before. Metals, test codes and units without decimals
 * are left out.
 */
#include "actors/money.h"

#include "runtime/base/assert.h"
#include "runtime/base/value.h"

#define C(a, b, c, exponent) [MONEY_CODE(a, b, c)] = (exponent) + 1

/* clang-format off */
static const uint8_t currency_table[MONEY_CURRENCY_COUNT] = {
    C('A', 'E', 'D', 2), C('A', 'F', 'N', 2), C('A', 'L', 'L', 2), C('A', 'M', 'D', 2), C('A', 'N', 'G', 2),
    C('A', 'O', 'A', 2), C('A', 'R', 'S', 2), C('A', 'U', 'D', 2), C('A', 'W', 'G', 2), C('A', 'Z', 'N', 2),
    C('B', 'A', 'M', 2), C('B', 'B', 'D', 2), C('B', 'D', 'T', 2), C('B', 'G', 'N', 2), C('B', 'H', 'D', 3),
    C('B', 'I', 'F', 0), C('B', 'M', 'D', 2), C('B', 'N', 'D', 2), C('B', 'O', 'B', 2), C('B', 'O', 'V', 2),
    C('B', 'R', 'L', 2), C('B', 'S', 'D', 2), C('B', 'T', 'N', 2), C('B', 'W', 'P', 2), C('B', 'Y', 'N', 2),
    C('B', 'Z', 'D', 2), C('C', 'A', 'D', 2), C('C', 'D', 'F', 2), C('C', 'H', 'E', 2), C('C', 'H', 'F', 2),
    C('C', 'H', 'W', 2), C('C', 'L', 'F', 4), C('C', 'L', 'P', 0), C('C', 'N', 'Y', 2), C('C', 'O', 'P', 2),
    C('C', 'O', 'U', 2), C('C', 'R', 'C', 2), C('C', 'U', 'P', 2), C('C', 'V', 'E', 2), C('C', 'Z', 'K', 2),
    C('D', 'J', 'F', 0), C('D', 'K', 'K', 2), C('D', 'O', 'P', 2), C('D', 'Z', 'D', 2), C('E', 'G', 'P', 2),
    C('E', 'R', 'N', 2), C('E', 'T', 'B', 2), C('E', 'U', 'R', 2), C('F', 'J', 'D', 2), C('F', 'K', 'P', 2),
    C('G', 'B', 'P', 2), C('G', 'E', 'L', 2), C('G', 'H', 'S', 2), C('G', 'I', 'P', 2), C('G', 'M', 'D', 2),
    C('G', 'N', 'F', 0), C('G', 'T', 'Q', 2), C('G', 'Y', 'D', 2), C('H', 'K', 'D', 2), C('H', 'N', 'L', 2),
    C('H', 'T', 'G', 2), C('H', 'U', 'F', 2), C('I', 'D', 'R', 2), C('I', 'L', 'S', 2), C('I', 'N', 'R', 2),
    C('I', 'Q', 'D', 3), C('I', 'R', 'R', 2), C('I', 'S', 'K', 0), C('J', 'M', 'D', 2), C('J', 'O', 'D', 3),
    C('J', 'P', 'Y', 0), C('K', 'E', 'S', 2), C('K', 'G', 'S', 2), C('K', 'H', 'R', 2), C('K', 'M', 'F', 0),
    C('K', 'P', 'W', 2), C('K', 'R', 'W', 0), C('K', 'W', 'D', 3), C('K', 'Y', 'D', 2), C('K', 'Z', 'T', 2),
    C('L', 'A', 'K', 2), C('L', 'B', 'P', 2), C('L', 'K', 'R', 2), C('L', 'R', 'D', 2), C('L', 'S', 'L', 2),
    C('L', 'Y', 'D', 3), C('M', 'A', 'D', 2), C('M', 'D', 'L', 2), C('M', 'G', 'A', 2), C('M', 'K', 'D', 2),
    C('M', 'M', 'K', 2), C('M', 'N', 'T', 2), C('M', 'O', 'P', 2), C('M', 'R', 'U', 2), C('M', 'U', 'R', 2),
    C('M', 'V', 'R', 2), C('M', 'W', 'K', 2), C('M', 'X', 'N', 2), C('M', 'X', 'V', 2), C('M', 'Y', 'R', 2),
    C('M', 'Z', 'N', 2), C('N', 'A', 'D', 2), C('N', 'G', 'N', 2), C('N', 'I', 'O', 2), C('N', 'O', 'K', 2),
    C('N', 'P', 'R', 2), C('N', 'Z', 'D', 2), C('O', 'M', 'R', 3), C('P', 'A', 'B', 2), C('P', 'E', 'N', 2),
    C('P', 'G', 'K', 2), C('P', 'H', 'P', 2), C('P', 'K', 'R', 2), C('P', 'L', 'N', 2), C('P', 'Y', 'G', 0),
    C('Q', 'A', 'R', 2), C('R', 'O', 'N', 2), C('R', 'S', 'D', 2), C('R', 'U', 'B', 2), C('R', 'W', 'F', 0),
    C('S', 'A', 'R', 2), C('S', 'B', 'D', 2), C('S', 'C', 'R', 2), C('S', 'D', 'G', 2), C('S', 'E', 'K', 2),
    C('S', 'G', 'D', 2), C('S', 'H', 'P', 2), C('S', 'L', 'E', 2), C('S', 'O', 'S', 2), C('S', 'R', 'D', 2),
    C('S', 'S', 'P', 2), C('S', 'T', 'N', 2), C('S', 'V', 'C', 2), C('S', 'Y', 'P', 2), C('S', 'Z', 'L', 2),
    C('T', 'H', 'B', 2), C('T', 'J', 'S', 2), C('T', 'M', 'T', 2), C('T', 'N', 'D', 3), C('T', 'O', 'P', 2),
    C('T', 'R', 'Y', 2), C('T', 'T', 'D', 2), C('T', 'W', 'D', 2), C('T', 'Z', 'S', 2), C('U', 'A', 'H', 2),
    C('U', 'G', 'X', 0), C('U', 'S', 'D', 2), C('U', 'S', 'N', 2), C('U', 'Y', 'I', 0), C('U', 'Y', 'U', 2),
    C('U', 'Y', 'W', 4), C('U', 'Z', 'S', 2), C('V', 'E', 'D', 2), C('V', 'E', 'S', 2), C('V', 'N', 'D', 0),
    C('V', 'U', 'V', 0), C('W', 'S', 'T', 2), C('X', 'A', 'D', 2), C('X', 'A', 'F', 0), C('X', 'C', 'D', 2),
    C('X', 'C', 'G', 2), C('X', 'O', 'F', 0), C('X', 'P', 'F', 0), C('Y', 'E', 'R', 2), C('Z', 'A', 'R', 2),
    C('Z', 'M', 'W', 2), C('Z', 'W', 'G', 2),
};
/* clang-format on */

uint16_t money_currency_parse(struct oms_str code)
{
    uint16_t currency;

    if (code.len != 3)
        return MONEY_CURRENCY_NONE;
    for (size_t i = 0; i < 3; i++)
        if (code.data[i] < 'A' || code.data[i] > 'Z')
            return MONEY_CURRENCY_NONE;
    currency = MONEY_CODE(code.data[0], code.data[1], code.data[2]);
    return currency_table[currency] ? currency : MONEY_CURRENCY_NONE;
}

bool money_currency_known(uint16_t currency)
{
    return currency < MONEY_CURRENCY_COUNT && currency_table[currency] != 0;
}

unsigned money_exponent(uint16_t currency)
{
    OMS_ASSERT(money_currency_known(currency));
    return currency_table[currency] - 1u;
}

void money_currency_text(uint16_t currency, char out[4])
{
    unsigned packed;

    OMS_ASSERT(currency != MONEY_CURRENCY_NONE && currency < MONEY_CURRENCY_COUNT);
    packed = currency - 1u;
    out[0] = (char)('A' + packed / (26 * 26));
    out[1] = (char)('A' + packed / 26 % 26);
    out[2] = (char)('A' + packed % 26);
    out[3] = 0;
}

/* A number's parts as written: the digits before and behind the point, and the exponent part's value. */
struct number {
    struct oms_str whole, fraction;
    bool negative;
    long exponent;
};

static size_t count_digits(struct oms_str text, size_t at)
{
    size_t n = 0;

    while (at + n < text.len && text.data[at + n] >= '0' && text.data[at + n] <= '9')
        n++;
    return n;
}

/* "e+12" at `at`; the value saturates, since anything over a few dozen is refused or zero anyhow. */
static bool split_exponent(struct oms_str text, size_t at, struct number *out)
{
    bool negative = false;
    size_t digits;

    if (++at < text.len && (text.data[at] == '+' || text.data[at] == '-'))
        negative = text.data[at++] == '-';
    digits = count_digits(text, at);
    if (!digits || at + digits != text.len)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (out->exponent < 100000)
            out->exponent = out->exponent * 10 + (text.data[at + i] - '0');
    if (negative)
        out->exponent = -out->exponent;
    return true;
}

/* RFC 8259 section 6. */
static bool split_number(struct oms_str text, struct number *out)
{
    size_t at = 0, digits;

    *out = (struct number){.negative = text.len && text.data[0] == '-'};
    if (out->negative)
        at++;
    digits = count_digits(text, at);
    if (!digits || (digits > 1 && text.data[at] == '0'))
        return false;
    out->whole = oms_str_make(text.data + at, digits);
    at += digits;
    if (at < text.len && text.data[at] == '.') {
        digits = count_digits(text, at + 1);
        if (!digits)
            return false;
        out->fraction = oms_str_make(text.data + at + 1, digits);
        at += 1 + digits;
    }
    if (at == text.len)
        return true;
    return (text.data[at] == 'e' || text.data[at] == 'E') && split_exponent(text, at, out);
}

/* Appends digits below zero, since INT64_MIN has no positive twin. */
static bool push_digits(struct oms_str digits, int64_t *value)
{
    for (size_t i = 0; i < digits.len; i++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_sub_overflow(*value, digits.data[i] - '0', value))
            return false;
    return true;
}

enum money_parse money_parse(struct oms_str text, unsigned exponent, int64_t *out)
{
    struct number number;
    int64_t value = 0;
    long decimals, zeros;

    if (!split_number(text, &number))
        return MONEY_PARSE_SYNTAX;
    decimals = (long)number.fraction.len - number.exponent;
    if (decimals > (long)exponent)
        return MONEY_PARSE_DECIMALS;
    if (!push_digits(number.whole, &value) || !push_digits(number.fraction, &value))
        return MONEY_PARSE_OVERFLOW;
    zeros = (long)exponent - decimals;
    for (; zeros > 0 && value != 0; zeros--)
        if (__builtin_mul_overflow(value, 10, &value))
            return MONEY_PARSE_OVERFLOW;
    if (!number.negative && __builtin_sub_overflow(0, value, &value))
        return MONEY_PARSE_OVERFLOW;
    *out = value;
    return MONEY_PARSE_OK;
}

enum money_parse money_parse_value(const struct oms_value *value, unsigned exponent, int64_t *out)
{
    int64_t amount;

    if (value->kind == OMS_VALUE_STRING || value->kind == OMS_VALUE_NUMBER)
        return money_parse(value->text, exponent, out);
    if (value->kind != OMS_VALUE_INT)
        return MONEY_PARSE_SYNTAX;
    amount = value->integer;
    for (; exponent > 0; exponent--)
        if (!money_mul(amount, 10, &amount))
            return MONEY_PARSE_OVERFLOW;
    *out = amount;
    return MONEY_PARSE_OK;
}

size_t money_format(int64_t minor, unsigned exponent, char out[MONEY_TEXT_SIZE])
{
    uint64_t rest = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    char text[MONEY_TEXT_SIZE];
    size_t at = sizeof text, digits = 0, len;

    OMS_ASSERT(exponent <= MONEY_EXPONENT_MAX);
    do {
        if (digits == exponent && digits > 0)
            text[--at] = '.';
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
        digits++;
    } while (rest || digits <= exponent);
    if (minor < 0)
        text[--at] = '-';
    len = sizeof text - at;
    memcpy(out, text + at, len);
    out[len] = 0;
    return len;
}

__extension__ typedef __int128 wide_int;

static bool narrow(wide_int wide, int64_t *out)
{
    if (wide > INT64_MAX || wide < INT64_MIN)
        return false;
    *out = (int64_t)wide;
    return true;
}

bool money_share(int64_t amount, int64_t part, int64_t whole, int64_t *out)
{
    wide_int product = (wide_int)amount * part, quotient, rest;

    OMS_ASSERT(whole > 0);
    quotient = product / whole;
    rest = product % whole;
    if (rest < 0)
        rest = -rest;
    if (rest * 2 >= whole)
        quotient += product < 0 ? -1 : 1;
    return narrow(quotient, out);
}

bool money_share_floor(int64_t amount, int64_t part, int64_t whole, int64_t *out)
{
    OMS_ASSERT(whole > 0);
    return narrow((wide_int)amount * part / whole, out);
}
