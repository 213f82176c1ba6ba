/* Value trees: look-up, writing every kind, deep copies that share nothing, and nesting deeper than the C
 * stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/value.h"

#define TEXT OMS_STR("{\"a\":1,\"b\":null,\"c\":[true,\"x\\n\",{\"d\":[]}],\"e\":{}}")

static void test_get(void **state)
{
    (void)state;
    struct oms_arena arena;
    struct oms_value value;
    oms_arena_init(&arena, 1024, 1 << 20);
    assert_int_equal(oms_json_parse(TEXT, 16, &arena, &value, NULL), OMS_OK);
    assert_int_equal(oms_value_get(&value, "a")->kind, OMS_VALUE_NUMBER);
    assert_int_equal(oms_value_get(&value, "b")->kind, OMS_VALUE_NULL);
    assert_null(oms_value_get_set(&value, "b"));
    assert_non_null(oms_value_get_set(&value, "c"));
    assert_null(oms_value_get(&value, "missing"));
    assert_null(oms_value_get(&value, "aa"));
    assert_null(oms_value_get(oms_value_get(&value, "a"), "a"));
    assert_null(oms_value_get(oms_value_get(&value, "c"), "a"));
    assert_null(oms_value_get(NULL, "a"));
    oms_arena_fini(&arena);
}

static void test_writes_every_kind(void **state)
{
    (void)state;
    struct oms_value items[] = {
        {.kind = OMS_VALUE_NULL},
        {.kind = OMS_VALUE_BOOL, .boolean = true},
        {.kind = OMS_VALUE_BOOL, .boolean = false},
        {.kind = OMS_VALUE_INT, .integer = INT64_MIN},
        {.kind = OMS_VALUE_NUMBER, .text = OMS_STR("1.50")},
        {.kind = OMS_VALUE_STRING, .text = OMS_STR("a\"b")},
        {.kind = OMS_VALUE_ENUM, .text = OMS_STR("PENDING")},
        {.kind = OMS_VALUE_LIST},
        {.kind = OMS_VALUE_OBJECT},
    };
    struct oms_value list = {.kind = OMS_VALUE_LIST, .list = {items, sizeof(items) / sizeof(items[0])}};
    struct oms_buf out;
    oms_buf_init(&out, 1000);
    oms_value_write_json(&list, &out);
    assert_true(oms_str_eq_c(oms_buf_str(&out),
                             "[null,true,false,-9223372036854775808,1.50,\"a\\\"b\",\"PENDING\",[],{}]"));
    oms_buf_fini(&out);
}

static void test_a_copy_shares_nothing(void **state)
{
    (void)state;
    struct oms_arena source, arena;
    struct oms_value value, copy;
    char text[200];
    struct oms_buf out;
    memcpy(text, TEXT.data, TEXT.len);
    oms_arena_init(&source, 1024, 1 << 20);
    oms_arena_init(&arena, 1024, 1 << 20);
    oms_buf_init(&out, 1000);
    assert_int_equal(oms_json_parse(oms_str_make(text, TEXT.len), 16, &source, &value, NULL), OMS_OK);
    assert_true(oms_value_copy(&value, &arena, &copy));
    memset(text, '?', sizeof(text));
    oms_arena_fini(&source);
    oms_value_write_json(&copy, &out);
    assert_true(oms_str_eq(oms_buf_str(&out), TEXT));
    oms_buf_fini(&out);
    oms_arena_fini(&arena);
}

static void test_a_copy_without_room_fails(void **state)
{
    (void)state;
    struct oms_arena source;
    struct oms_value value;
    int failed = 0, made = 0;
    oms_arena_init(&source, 1024, 1 << 20);
    assert_int_equal(oms_json_parse(TEXT, 16, &source, &value, NULL), OMS_OK);
    for (size_t max = 0; max < 2000; max += 8) {
        struct oms_arena arena;
        struct oms_value copy;
        oms_arena_init(&arena, 64, max);
        bool ok = oms_value_copy(&value, &arena, &copy);
        assert_int_equal(ok, !arena.exhausted);
        ok ? made++ : failed++;
        oms_arena_fini(&arena);
    }
    assert_true(made > 10 && failed > 10);
    oms_arena_fini(&source);
}

static void test_deep_nesting(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    struct oms_arena source, arena;
    struct oms_value value, copy;
    struct oms_buf text, out;
    oms_buf_init(&text, 1 << 20);
    oms_buf_init(&out, 1 << 20);
    for (int i = 0; i < DEPTH; i++)
        oms_buf_append_char(&text, '[');
    for (int i = 0; i < DEPTH; i++)
        oms_buf_append_char(&text, ']');
    oms_arena_init(&source, 4096, 64 << 20);
    oms_arena_init(&arena, 4096, 64 << 20);
    assert_int_equal(oms_json_parse(oms_buf_str(&text), DEPTH, &source, &value, NULL), OMS_OK);
    assert_true(oms_value_copy(&value, &arena, &copy));
    oms_value_write_json(&copy, &out);
    assert_true(oms_str_eq(oms_buf_str(&out), oms_buf_str(&text)));
    oms_buf_fini(&text);
    oms_buf_fini(&out);
    oms_arena_fini(&source);
    oms_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_writes_every_kind),
        cmocka_unit_test(test_a_copy_shares_nothing),
        cmocka_unit_test(test_a_copy_without_room_fails),
        cmocka_unit_test(test_deep_nesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
