/* Borrowed text: comparing, trimming, copying, numbers and the nearest word. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/prng.h"
#include "runtime/base/str.h"

static void test_equality_and_order(void **state)
{
    (void)state;
    assert_true(oms_str_eq(OMS_STR_NONE, OMS_STR("")));
    assert_true(oms_str_eq_c(OMS_STR("ab"), "ab"));
    assert_false(oms_str_eq_c(OMS_STR("ab"), "abc"));
    assert_true(oms_str_eq_nocase(OMS_STR("Content-TYPE"), OMS_STR("content-type")));
    assert_false(oms_str_eq_nocase(OMS_STR("@"), OMS_STR("`")));
    assert_false(oms_str_eq_nocase(OMS_STR("\xc3\x89"), OMS_STR("\xc3\xa9")));
    assert_true(oms_str_compare(OMS_STR("a"), OMS_STR("b")) < 0);
    assert_true(oms_str_compare(OMS_STR("ab"), OMS_STR("a")) > 0);
    assert_true(oms_str_compare(OMS_STR("a\xff"), OMS_STR("ab")) > 0);
    assert_true(oms_str_compare(OMS_STR_NONE, OMS_STR("")) == 0);
    assert_true(oms_str_compare(OMS_STR_NONE, OMS_STR("a")) < 0);
    assert_true(oms_str_starts(OMS_STR("abc"), OMS_STR("ab")));
    assert_true(oms_str_starts(OMS_STR("abc"), OMS_STR("")));
    assert_false(oms_str_starts(OMS_STR("a"), OMS_STR("ab")));
}

static void test_trim(void **state)
{
    (void)state;
    assert_true(oms_str_eq_c(oms_str_trim(OMS_STR(" \t\r\n\v\f a b \n")), "a b"));
    assert_true(oms_str_eq_c(oms_str_trim(OMS_STR("ab")), "ab"));
    assert_int_equal(oms_str_trim(OMS_STR("  ")).len, 0);
    assert_true(oms_str_present(oms_str_trim(OMS_STR("  "))));
    assert_false(oms_str_present(oms_str_trim(OMS_STR_NONE)));
    assert_true(oms_str_eq_c(oms_str_trim(OMS_STR("\xc2\xa0x")), "\xc2\xa0x"));
}

static void test_copies(void **state)
{
    (void)state;
    struct oms_arena arena;
    oms_arena_init(&arena, 256, 1024);
    struct oms_str copy = oms_str_copy(&arena, oms_str_make("abcdef", 3));
    assert_string_equal(copy.data, "abc");
    assert_int_equal(copy.len, 3);
    assert_false(oms_str_present(oms_str_copy(&arena, OMS_STR_NONE)));
    assert_true(oms_str_present(oms_str_copy(&arena, OMS_STR(""))));
    static const char large[2000];
    assert_false(oms_str_present(oms_str_copy(&arena, oms_str_make(large, sizeof(large)))));
    assert_true(arena.exhausted);
    oms_arena_fini(&arena);
    char *heap = oms_str_dup(oms_str_make("abcdef", 2));
    assert_string_equal(heap, "ab");
    oms_free(heap);
    heap = oms_str_dup(OMS_STR_NONE);
    assert_string_equal(heap, "");
    oms_free(heap);
}

static void check_number(const char *text, enum oms_status expected, int64_t number)
{
    int64_t got = 77;
    enum oms_status status = oms_str_to_i64(oms_str_of(text), &got);
    if (status != expected || got != (status == OMS_OK ? number : 77))
        fail_msg("%s: %s, %" PRId64, text, oms_status_name(status), got);
}

static void test_numbers(void **state)
{
    (void)state;
    check_number("0", OMS_OK, 0);
    check_number("-0", OMS_OK, 0);
    check_number("007", OMS_OK, 7);
    check_number("9223372036854775807", OMS_OK, INT64_MAX);
    check_number("-9223372036854775808", OMS_OK, INT64_MIN);
    check_number("9223372036854775808", OMS_LIMIT, 0);
    check_number("-9223372036854775809", OMS_LIMIT, 0);
    check_number("99999999999999999999999999", OMS_LIMIT, 0);
    check_number("99999999999999999999999999x", OMS_INVALID, 0);
    check_number("", OMS_INVALID, 0);
    check_number("-", OMS_INVALID, 0);
    check_number("+1", OMS_INVALID, 0);
    check_number(" 1", OMS_INVALID, 0);
    check_number("1 ", OMS_INVALID, 0);
    check_number("--1", OMS_INVALID, 0);
    check_number("1.0", OMS_INVALID, 0);
    check_number("0x1", OMS_INVALID, 0);
    struct oms_prng prng;
    oms_prng_seed(&prng, 2);
    for (int i = 0; i < 10000; i++) {
        char text[32];
        int64_t number = (int64_t)(oms_prng_next(&prng) >> oms_prng_below(&prng, 64));
        snprintf(text, sizeof(text), "%" PRId64, number);
        check_number(text, OMS_OK, number);
    }
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const keys[] = {"listen", "data", "shards", "tls_cert", "tls_key", "single_tenant"};
    const size_t count = sizeof(keys) / sizeof(keys[0]);
    assert_string_equal(oms_str_nearest(OMS_STR("listn"), keys, count), "listen");
    assert_string_equal(oms_str_nearest(OMS_STR("data"), keys, count), "data");
    assert_string_equal(oms_str_nearest(OMS_STR("date"), keys, count), "data");
    assert_string_equal(oms_str_nearest(OMS_STR("tls_crt"), keys, count), "tls_cert");
    assert_string_equal(oms_str_nearest(OMS_STR("sharsd"), keys, count), "shards");
    /* Three wrong of twelve: over two, but within a third. */
    assert_string_equal(oms_str_nearest(OMS_STR("singletenan"), keys, count), "single_tenant");
    assert_string_equal(oms_str_nearest(OMS_STR("sinle_tenat"), keys, count), "single_tenant");
    assert_null(oms_str_nearest(OMS_STR("workflow"), keys, count));
    assert_null(oms_str_nearest(OMS_STR("xy"), keys, count));
    assert_null(oms_str_nearest(OMS_STR(""), keys, count));
    assert_null(oms_str_nearest(OMS_STR("data"), NULL, 0));
    static const char longest[500];
    assert_null(oms_str_nearest(oms_str_make(longest, sizeof(longest)), keys, count));
}

static void test_status_names(void **state)
{
    (void)state;
    assert_string_equal(oms_status_name(OMS_OK), "ok");
    assert_string_equal(oms_status_name(OMS_NOT_FOUND), "not_found");
    assert_string_equal(oms_status_name(OMS_CLOSED), "closed");
    assert_string_equal(oms_status_name((enum oms_status)99), "unknown");
    for (int i = OMS_OK; i <= OMS_CLOSED; i++)
        assert_string_not_equal(oms_status_name((enum oms_status)i), "unknown");
    struct oms_error error;
    assert_int_equal(oms_error_set(&error, OMS_IO, "cannot open %s\n", "x"), OMS_IO);
    assert_int_equal(error.status, OMS_IO);
    assert_string_equal(error.message, "cannot open x ");
    assert_int_equal(oms_error_set(NULL, OMS_BUSY, "%d", 1), OMS_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality_and_order),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_status_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
