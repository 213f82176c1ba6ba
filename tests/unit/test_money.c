/* Exact decimals: what is read, what is refused and why, and the limits of 64 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "actors/money.h"
#include "runtime/base/assert.h"
#include "runtime/base/prng.h"
#include "runtime/base/value.h"

static void currencies_have_their_exponents(void **state)
{
    static const struct {
        const char *code;
        unsigned exponent;
    } known[] = {{"USD", 2}, {"EUR", 2}, {"JPY", 0}, {"KRW", 0}, {"VND", 0}, {"KWD", 3}, {"BHD", 3},
                 {"TND", 3}, {"CLF", 4}, {"CLP", 0}, {"ISK", 0}, {"ZWG", 2}, {"XOF", 0}, {"XCG", 2}};
    char text[4];

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(known); i++) {
        uint16_t currency = money_currency_parse(oms_str_of(known[i].code));

        assert_true(money_currency_known(currency));
        assert_int_equal(money_exponent(currency), known[i].exponent);
        money_currency_text(currency, text);
        assert_string_equal(text, known[i].code);
    }
}

static void unknown_currencies_are_none(void **state)
{
    static const char *const unknown[] = {"", "US", "usd", "USDX", "XXX", "XAU", "ABC", "U$D", "AAA", "ZZZ"};

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(unknown); i++)
        assert_int_equal(money_currency_parse(oms_str_of(unknown[i])), MONEY_CURRENCY_NONE);
    assert_false(money_currency_known(MONEY_CURRENCY_NONE));
    assert_false(money_currency_known(UINT16_MAX));
}

static void every_known_currency_round_trips(void **state)
{
    unsigned known = 0;
    char text[4];

    (void)state;
    for (unsigned i = 1; i < MONEY_CURRENCY_COUNT; i++) {
        if (!money_currency_known((uint16_t)i))
            continue;
        known++;
        money_currency_text((uint16_t)i, text);
        assert_int_equal(money_currency_parse(oms_str_of(text)), i);
        assert_true(money_exponent((uint16_t)i) <= MONEY_EXPONENT_MAX);
    }
    assert_int_equal(known, 167);
}

static void decimals_are_read_exactly(void **state)
{
    static const struct {
        const char *text;
        unsigned exponent;
        int64_t minor;
    } good[] = {
        {"0", 2, 0},
        {"0.00", 2, 0},
        {"-0", 2, 0},
        {"12.5", 2, 1250},
        {"12.50", 2, 1250},
        {"-12.5", 2, -1250},
        {"100", 0, 100},
        {"1.234", 3, 1234},
        {"1e2", 2, 10000},
        {"1E+2", 0, 100},
        {"12.345e1", 2, 12345},
        {"1200e-2", 2, 1200},
        {"1.5e0", 2, 150},
        {"0e99999", 2, 0},
        {"0.1", 4, 1000},
        {"92233720368547758.07", 2, INT64_MAX},
        {"-92233720368547758.08", 2, INT64_MIN},
        {"9223372036854775807", 0, INT64_MAX},
    };
    int64_t out;

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(good); i++) {
        assert_int_equal(money_parse(oms_str_of(good[i].text), good[i].exponent, &out), MONEY_PARSE_OK);
        assert_true(out == good[i].minor);
    }
}

static void bad_decimals_are_refused_with_their_reason(void **state)
{
    static const struct {
        const char *text;
        unsigned exponent;
        enum money_parse why;
    } bad[] = {
        {"", 2, MONEY_PARSE_SYNTAX},
        {"-", 2, MONEY_PARSE_SYNTAX},
        {"+1", 2, MONEY_PARSE_SYNTAX},
        {" 1", 2, MONEY_PARSE_SYNTAX},
        {"1 ", 2, MONEY_PARSE_SYNTAX},
        {"01", 2, MONEY_PARSE_SYNTAX},
        {".5", 2, MONEY_PARSE_SYNTAX},
        {"5.", 2, MONEY_PARSE_SYNTAX},
        {"1,50", 2, MONEY_PARSE_SYNTAX},
        {"1e", 2, MONEY_PARSE_SYNTAX},
        {"1e+", 2, MONEY_PARSE_SYNTAX},
        {"1e2x", 2, MONEY_PARSE_SYNTAX},
        {"NaN", 2, MONEY_PARSE_SYNTAX},
        {"Infinity", 2, MONEY_PARSE_SYNTAX},
        {"0x10", 2, MONEY_PARSE_SYNTAX},
        {"1.001", 2, MONEY_PARSE_DECIMALS},
        {"1.000", 2, MONEY_PARSE_DECIMALS},
        {"100.0", 0, MONEY_PARSE_DECIMALS},
        {"1e-3", 2, MONEY_PARSE_DECIMALS},
        {"1e-99999999999999999999", 2, MONEY_PARSE_DECIMALS},
        {"92233720368547758.08", 2, MONEY_PARSE_OVERFLOW},
        {"-92233720368547758.09", 2, MONEY_PARSE_OVERFLOW},
        {"9223372036854775808", 0, MONEY_PARSE_OVERFLOW},
        {"1e19", 0, MONEY_PARSE_OVERFLOW},
        {"1e99999999999999999999", 2, MONEY_PARSE_OVERFLOW},
        {"99999999999999999999999999", 2, MONEY_PARSE_OVERFLOW},
    };
    int64_t out = 77;

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        assert_int_equal(money_parse(oms_str_of(bad[i].text), bad[i].exponent, &out), bad[i].why);
        assert_int_equal(out, 77);
    }
}

static void values_of_every_kind(void **state)
{
    struct oms_value text = {.kind = OMS_VALUE_STRING, .text = OMS_STR("1.5")};
    struct oms_value number = {.kind = OMS_VALUE_NUMBER, .text = OMS_STR("1e1")};
    struct oms_value whole = {.kind = OMS_VALUE_INT, .integer = 7};
    struct oms_value large = {.kind = OMS_VALUE_INT, .integer = INT64_MAX};
    struct oms_value other = {.kind = OMS_VALUE_BOOL, .boolean = true};
    int64_t out;

    (void)state;
    assert_int_equal(money_parse_value(&text, 2, &out), MONEY_PARSE_OK);
    assert_int_equal(out, 150);
    assert_int_equal(money_parse_value(&number, 2, &out), MONEY_PARSE_OK);
    assert_int_equal(out, 1000);
    assert_int_equal(money_parse_value(&whole, 3, &out), MONEY_PARSE_OK);
    assert_int_equal(out, 7000);
    assert_int_equal(money_parse_value(&large, 1, &out), MONEY_PARSE_OVERFLOW);
    assert_int_equal(money_parse_value(&other, 2, &out), MONEY_PARSE_SYNTAX);
}

static void formatting(void **state)
{
    char text[MONEY_TEXT_SIZE];

    (void)state;
    assert_int_equal(money_format(0, 2, text), 4);
    assert_string_equal(text, "0.00");
    money_format(5, 2, text);
    assert_string_equal(text, "0.05");
    money_format(-1250, 2, text);
    assert_string_equal(text, "-12.50");
    money_format(100, 0, text);
    assert_string_equal(text, "100");
    money_format(1, 4, text);
    assert_string_equal(text, "0.0001");
    money_format(INT64_MAX, 0, text);
    assert_string_equal(text, "9223372036854775807");
    money_format(INT64_MIN, 3, text);
    assert_string_equal(text, "-9223372036854775.808");
}

static void what_is_formatted_is_read_back(void **state)
{
    struct oms_prng prng;
    char text[MONEY_TEXT_SIZE];
    int64_t out;

    (void)state;
    oms_prng_seed(&prng, 1);
    for (int i = 0; i < 100000; i++) {
        int64_t minor = (int64_t)(oms_prng_next(&prng) >> oms_prng_below(&prng, 64));
        unsigned exponent = (unsigned)oms_prng_below(&prng, MONEY_EXPONENT_MAX + 1);
        size_t len = money_format(minor, exponent, text);

        assert_int_equal(money_parse(oms_str_make(text, len), exponent, &out), MONEY_PARSE_OK);
        assert_true(out == minor);
    }
}

static void arithmetic_tells_of_overflow(void **state)
{
    int64_t out = 5;

    (void)state;
    assert_true(money_add(INT64_MAX - 1, 1, &out));
    assert_true(out == INT64_MAX);
    assert_false(money_add(INT64_MAX, 1, &out));
    assert_false(money_sub(INT64_MIN, 1, &out));
    assert_false(money_mul(INT64_MAX / 2 + 1, 2, &out));
    assert_true(out == INT64_MAX);
    assert_true(money_mul(-3, 4, &out));
    assert_int_equal(out, -12);
}

static void shares_round_half_up_once(void **state)
{
    int64_t out;

    (void)state;
    assert_true(money_share(1, 1, 2, &out));
    assert_int_equal(out, 1);
    assert_true(money_share(-1, 1, 2, &out));
    assert_int_equal(out, -1);
    assert_true(money_share(10, 1, 3, &out));
    assert_int_equal(out, 3);
    assert_true(money_share(20, 1, 3, &out));
    assert_int_equal(out, 7);
    assert_true(money_share_floor(20, 1, 3, &out));
    assert_int_equal(out, 6);
    assert_true(money_share(INT64_MAX, INT64_MAX, INT64_MAX, &out));
    assert_true(out == INT64_MAX);
    assert_false(money_share(INT64_MAX, 2, 1, &out));
    assert_false(money_share_floor(INT64_MAX, INT64_MAX, 1, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(currencies_have_their_exponents),
        cmocka_unit_test(unknown_currencies_are_none),
        cmocka_unit_test(every_known_currency_round_trips),
        cmocka_unit_test(decimals_are_read_exactly),
        cmocka_unit_test(bad_decimals_are_refused_with_their_reason),
        cmocka_unit_test(values_of_every_kind),
        cmocka_unit_test(formatting),
        cmocka_unit_test(what_is_formatted_is_read_back),
        cmocka_unit_test(arithmetic_tells_of_overflow),
        cmocka_unit_test(shares_round_half_up_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
