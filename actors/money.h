/*
 * Money: an exact count of minor units (cents, yen, fils) in an int64_t, with an ISO 4217 currency beside it.
 *
 * A currency is a uint16_t made of its three letters (1 + base 26; 0 = none): stable in stored records,
 * compared as an integer, its exponent one load away. Text is parsed digit by digit, never through floating
 * point; more decimals than the currency has are refused, not rounded; overflow is an error everywhere. Pure
 * functions, any thread.
 */
#ifndef MONEY_H
#define MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct oms_value;

#define MONEY_TEXT_SIZE      32
#define MONEY_CURRENCY_NONE  0
#define MONEY_CODE(a, b, c)  ((uint16_t)(1 + (((a) - 'A') * 26 + ((b) - 'A')) * 26 + ((c) - 'A')))
#define MONEY_CURRENCY_COUNT (1 + 26 * 26 * 26)
#define MONEY_EXPONENT_MAX   4

/* ---- currencies (ISO 4217 list one, active codes; see money.c for the edges) ---- */

/* Three capital letters → the currency; MONEY_CURRENCY_NONE for an unknown one. */
uint16_t money_currency_parse(struct oms_str code);
/* Whether the code is in the table; stored bytes are checked with this. */
bool money_currency_known(uint16_t currency);
/* Digits behind the decimal point (JPY 0, USD 2, KWD 3, CLF 4); currency must be known. */
unsigned money_exponent(uint16_t currency);
/* Writes three letters and a NUL. */
void money_currency_text(uint16_t currency, char out[4]);

/* ---- text ---- */

enum money_parse {
    MONEY_PARSE_OK = 0,
    MONEY_PARSE_SYNTAX,   /* no decimal number as RFC 8259 section 6 writes it */
    MONEY_PARSE_DECIMALS, /* more digits behind the point than the exponent allows, zeros too */
    MONEY_PARSE_OVERFLOW, /* does not fit an int64_t of minor units */
};

/*
 * A decimal number → minor units at `exponent` digits. The grammar is JSON's number ("-12.5", "1e2"; no
 * blanks, no
 * '+', no leading zeros); an exponent part moves the point textually, so 12.345e1 is 123.45.
 */
OMS_MUST_USE enum money_parse money_parse(struct oms_str text, unsigned exponent, int64_t *out);
/* The same from a string, number or integer value; another kind is MONEY_PARSE_SYNTAX. */
OMS_MUST_USE enum money_parse money_parse_value(const struct oms_value *value, unsigned exponent,
                                                int64_t *out);
/* "-12.50"; writes a NUL, returns the length without it. exponent at most MONEY_EXPONENT_MAX. */
size_t money_format(int64_t minor, unsigned exponent, char out[MONEY_TEXT_SIZE]);

/* ---- arithmetic: false on overflow, `out` is then untouched ---- */

static inline OMS_MUST_USE bool money_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

static inline OMS_MUST_USE bool money_sub(int64_t a, int64_t b, int64_t *out)
{
    int64_t difference;

    if (__builtin_sub_overflow(a, b, &difference))
        return false;
    *out = difference;
    return true;
}

static inline OMS_MUST_USE bool money_mul(int64_t a, int64_t b, int64_t *out)
{
    int64_t product;

    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

/* amount × part / whole with a 128-bit product, rounded half away from zero; whole > 0. */
OMS_MUST_USE bool money_share(int64_t amount, int64_t part, int64_t whole, int64_t *out);
/* The same, rounded towards zero: for allocations whose last unit takes the remainder. */
OMS_MUST_USE bool money_share_floor(int64_t amount, int64_t part, int64_t whole, int64_t *out);

#endif
