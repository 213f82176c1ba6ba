/* RFC 3339 in and out: its examples, what it excludes, and every day of the calendar against a plain count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/datetime.h"
#include "runtime/base/prng.h"

static void check_parse(const char *text, int64_t expected)
{
    int64_t ms = -1;
    if (oms_datetime_parse(oms_str_of(text), &ms) != OMS_OK || ms != expected)
        fail_msg("%s: %lld, wanted %lld", text, (long long)ms, (long long)expected);
}

static void check_refused(const char *text)
{
    int64_t ms = 77;
    if (oms_datetime_parse(oms_str_of(text), &ms) != OMS_INVALID || ms != 77)
        fail_msg("%s accepted as %lld", text, (long long)ms);
}

static void check_format(int64_t ms, const char *expected)
{
    char text[OMS_DATETIME_TEXT_SIZE];
    assert_int_equal(oms_datetime_format(ms, text), strlen(expected));
    assert_string_equal(text, expected);
}

static void test_reads(void **state)
{
    (void)state;
    check_parse("1970-01-01T00:00:00Z", 0);
    check_parse("1970-01-01T00:00:00.001Z", 1);
    check_parse("1969-12-31T23:59:59.999Z", -1);
    check_parse("2001-09-09T01:46:40Z", INT64_C(1000000000000));
    check_parse("2038-01-19T03:14:08Z", INT64_C(2147483648000));
    check_parse("0001-01-01T00:00:00Z", INT64_C(-62135596800000));
    check_parse("9999-12-31T23:59:59.999Z", INT64_C(253402300799999));
    check_parse("2000-02-29t12:00:00z", INT64_C(951825600000));
    check_parse("1970-01-01T00:00:00.9Z", 900);
    check_parse("1970-01-01T00:00:00.12Z", 120);
    check_parse("1970-01-01T00:00:00.123999999Z", 123);
    check_parse("1970-01-01T01:30:00+01:30", 0);
    check_parse("1969-12-31T23:00:00-01:00", 0);
    check_parse("1970-01-01T00:00:00-00:00", 0);
    check_parse("1970-01-01T23:59:00+23:59", 0);
}

/* RFC 3339 section 5.8. */
static void test_examples_of_the_rfc(void **state)
{
    (void)state;
    check_parse("1985-04-12T23:20:50.52Z", INT64_C(482196050520));
    check_parse("1996-12-19T16:39:57-08:00", INT64_C(851042397000));
    check_parse("1990-12-31T23:59:60Z", INT64_C(662687999999));
    check_parse("1990-12-31T15:59:60-08:00", INT64_C(662687999999));
    check_parse("1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130));
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2026",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00Z ",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T12:00:60Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00+1:00",
        "2026-1-01T00:00:00Z",
        "02026-01-01T00:00:00Z",
        "-026-01-01T00:00:00Z",
        "2026-01-01T00:00:-1Z",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_refused(texts[i]);
    int64_t ms;
    assert_int_equal(oms_datetime_parse(OMS_STR_NONE, &ms), OMS_INVALID);
}

static void test_writes(void **state)
{
    (void)state;
    check_format(0, "1970-01-01T00:00:00.000Z");
    check_format(-1, "1969-12-31T23:59:59.999Z");
    check_format(INT64_C(253402300799999), "9999-12-31T23:59:59.999Z");
    check_format(INT64_C(-62135596800000), "0001-01-01T00:00:00.000Z");
    check_format(INT64_C(951825600123), "2000-02-29T12:00:00.123Z");
    /* What has no text shows the nearest that has. */
    check_format(INT64_MAX, "9999-12-31T23:59:59.999Z");
    check_format(INT64_MIN, "0001-01-01T00:00:00.000Z");
}

static bool plain_leap(int year)
{
    return year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
}

/* Counts every day of the years 1 to 9999 and compares both directions. */
static void test_every_day(void **state)
{
    (void)state;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t expected = INT64_C(-62135596800000);
    int64_t ms;
    for (int year = 1; year <= 9999; year++)
        for (int month = 1; month <= 12; month++) {
            int length = lengths[month - 1] + (month == 2 && plain_leap(year));
            for (int day = 1; day <= length; day++, expected += 86400000) {
                char text[OMS_DATETIME_TEXT_SIZE];
                assert_true(oms_datetime_from_civil(year, month, day, &ms) == OMS_OK && ms == expected);
                oms_datetime_format(expected, text);
                assert_true((text[8] - '0') * 10 + text[9] - '0' == day);
                assert_true((text[5] - '0') * 10 + text[6] - '0' == month);
            }
            assert_int_equal(oms_datetime_from_civil(year, month, length + 1, &ms), OMS_INVALID);
            assert_int_equal(oms_datetime_from_civil(year, month, 0, &ms), OMS_INVALID);
        }
    assert_true(expected == INT64_C(253402300800000));
    assert_int_equal(oms_datetime_from_civil(0, 1, 1, &ms), OMS_INVALID);
    assert_int_equal(oms_datetime_from_civil(10000, 1, 1, &ms), OMS_INVALID);
    assert_int_equal(oms_datetime_from_civil(2026, 13, 1, &ms), OMS_INVALID);
    assert_int_equal(oms_datetime_from_civil(2026, 0, 1, &ms), OMS_INVALID);
}

static void test_round_trips(void **state)
{
    (void)state;
    struct oms_prng prng;
    oms_prng_seed(&prng, 6);
    for (int i = 0; i < 100000; i++) {
        int64_t ms = INT64_C(-62135596800000) + (int64_t)oms_prng_below(&prng, UINT64_C(315537897600000));
        char text[OMS_DATETIME_TEXT_SIZE];
        size_t len = oms_datetime_format(ms, text);
        int64_t back;
        assert_int_equal(oms_datetime_parse(oms_str_make(text, len), &back), OMS_OK);
        assert_true(back == ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),     cmocka_unit_test(test_examples_of_the_rfc),
        cmocka_unit_test(test_refuses),   cmocka_unit_test(test_writes),
        cmocka_unit_test(test_every_day), cmocka_unit_test(test_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
