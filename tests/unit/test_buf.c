/* The byte buffer: growth, the maximum (all or nothing), numbers and formats. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/prng.h"

#define assert_buf(buf, expected)                                                                            \
    do {                                                                                                     \
        assert_int_equal((buf)->len, strlen(expected));                                                      \
        assert_memory_equal((buf)->data, (expected), (buf)->len);                                            \
    } while (0)

static void test_appends(void **state)
{
    (void)state;
    struct oms_buf buf;
    oms_buf_init(&buf, 1000);
    assert_null(buf.data);
    oms_buf_append(&buf, NULL, 0);
    oms_buf_append_lit(&buf, "ab");
    oms_buf_append_char(&buf, 'c');
    oms_buf_append_str(&buf, OMS_STR("de"));
    oms_buf_append_str(&buf, OMS_STR_NONE);
    oms_buf_appendf(&buf, "%d-%s", 42, "x");
    assert_buf(&buf, "abcde42-x");
    assert_true(oms_str_eq_c(oms_buf_str(&buf), "abcde42-x"));
    const char *data = buf.data;
    oms_buf_reset(&buf);
    oms_buf_append_lit(&buf, "z");
    assert_ptr_equal(buf.data, data);
    assert_buf(&buf, "z");
    oms_buf_fini(&buf);
}

static void test_the_maximum_is_exact(void **state)
{
    (void)state;
    struct oms_buf buf;
    oms_buf_init(&buf, 5);
    oms_buf_append_lit(&buf, "123");
    oms_buf_append_lit(&buf, "456");
    assert_true(buf.overflow);
    assert_buf(&buf, "123");
    oms_buf_reset(&buf);
    assert_false(buf.overflow);
    oms_buf_append_lit(&buf, "12345");
    assert_false(buf.overflow);
    assert_buf(&buf, "12345");
    assert_int_equal(buf.cap, 5);
    oms_buf_append_char(&buf, '6');
    assert_true(buf.overflow);
    assert_buf(&buf, "12345");
    assert_false(oms_buf_reserve(&buf, SIZE_MAX));
    oms_buf_fini(&buf);
}

static void test_numbers_are_all_or_nothing(void **state)
{
    (void)state;
    struct oms_buf buf;
    oms_buf_init(&buf, 3);
    oms_buf_append_i64(&buf, -123);
    assert_true(buf.overflow);
    assert_int_equal(buf.len, 0);
    oms_buf_reset(&buf);
    oms_buf_append_i64(&buf, -12);
    assert_false(buf.overflow);
    assert_buf(&buf, "-12");
    oms_buf_append_i64(&buf, -1);
    assert_buf(&buf, "-12");
    oms_buf_reset(&buf);
    oms_buf_appendf(&buf, "%s", "1234");
    assert_true(buf.overflow);
    assert_int_equal(buf.len, 0);
    oms_buf_fini(&buf);
}

static void check_number(int64_t number)
{
    char expected[32];
    struct oms_buf buf;
    oms_buf_init(&buf, 100);
    snprintf(expected, sizeof(expected), "%" PRId64, number);
    oms_buf_append_i64(&buf, number);
    assert_buf(&buf, expected);
    oms_buf_reset(&buf);
    snprintf(expected, sizeof(expected), "%" PRIu64, (uint64_t)number);
    oms_buf_append_u64(&buf, (uint64_t)number);
    assert_buf(&buf, expected);
    oms_buf_fini(&buf);
}

static void test_numbers(void **state)
{
    (void)state;
    struct oms_prng prng;
    oms_prng_seed(&prng, 1);
    check_number(0);
    check_number(INT64_MIN);
    check_number(INT64_MAX);
    check_number(-1);
    for (int64_t power = 1; power < INT64_MAX / 10; power *= 10) {
        check_number(power - 1);
        check_number(power);
        check_number(-power);
    }
    for (int i = 0; i < 10000; i++)
        check_number((int64_t)(oms_prng_next(&prng) >> oms_prng_below(&prng, 64)));
}

static void test_long_format(void **state)
{
    (void)state;
    struct oms_buf buf;
    char expected[2001];
    memset(expected, 'q', 2000);
    expected[2000] = '\0';
    oms_buf_init(&buf, 2000);
    oms_buf_appendf(&buf, "%s", expected);
    assert_false(buf.overflow);
    assert_buf(&buf, expected);
    oms_buf_fini(&buf);
}

static void test_grows_to_the_same_bytes(void **state)
{
    (void)state;
    struct oms_prng prng;
    struct oms_buf buf;
    static char model[100000];
    oms_prng_seed(&prng, 3);
    oms_buf_init(&buf, sizeof(model));
    size_t len = 0;
    for (;;) {
        char piece[300];
        size_t n = (size_t)oms_prng_below(&prng, sizeof(piece));
        for (size_t i = 0; i < n; i++)
            piece[i] = (char)oms_prng_next(&prng);
        if (len + n > sizeof(model))
            break;
        memcpy(model + len, piece, n);
        len += n;
        oms_buf_append(&buf, piece, n);
    }
    assert_false(buf.overflow);
    assert_int_equal(buf.len, len);
    assert_memory_equal(buf.data, model, len);
    oms_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),     cmocka_unit_test(test_the_maximum_is_exact),
        cmocka_unit_test(test_numbers),     cmocka_unit_test(test_numbers_are_all_or_nothing),
        cmocka_unit_test(test_long_format), cmocka_unit_test(test_grows_to_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
