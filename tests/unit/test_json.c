/*
 * The JSON parser and string writer: what RFC 8259 accepts and what it does not, the place of faults, limits,
 * and round trips of random trees and random strings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/prng.h"
#include "runtime/base/utf8.h"

#define ARENA_MAX ((size_t)64 << 20)

/* Parses a copy of the exact size, so that the sanitizer sees any read behind it. */
static enum oms_status parse(struct oms_arena *arena, const void *text, size_t len, struct oms_value *out,
                             struct oms_json_error *error)
{
    char *copy = malloc(len ? len : 1);
    if (len)
        memcpy(copy, text, len);
    struct oms_value borrowed;
    oms_arena_init(arena, 4096, ARENA_MAX);
    enum oms_status status = oms_json_parse(oms_str_make(copy, len), 16, arena, &borrowed, error);
    if (status == OMS_OK)
        assert_true(oms_value_copy(&borrowed, arena, out));
    free(copy);
    return status;
}

static void check_accepted(const char *text, const char *written)
{
    struct oms_arena arena;
    struct oms_value value;
    struct oms_json_error error = {0};
    struct oms_buf out;
    oms_buf_init(&out, 1 << 20);
    if (parse(&arena, text, strlen(text), &value, &error) != OMS_OK)
        fail_msg("%s refused: %s at %zu", text, error.message, error.offset);
    oms_value_write_json(&value, &out);
    oms_buf_append_char(&out, '\0');
    assert_string_equal(out.data, written ? written : text);
    oms_buf_fini(&out);
    oms_arena_fini(&arena);
}

static void check_refused_bytes(const char *text, size_t len, size_t offset, enum oms_status expected)
{
    struct oms_arena arena;
    struct oms_value value;
    struct oms_json_error error = {0};
    enum oms_status status = parse(&arena, text, len, &value, &error);
    if (status != expected || error.offset != offset || !error.message)
        fail_msg("<%s>: status %s, offset %zu, wanted %zu (%s)", text, oms_status_name(status), error.offset,
                 offset, error.message ? error.message : "no message");
    oms_arena_fini(&arena);
}

static void check_refused(const char *text, size_t offset)
{
    check_refused_bytes(text, strlen(text), offset, OMS_INVALID);
}

static void test_accepted(void **state)
{
    (void)state;
    check_accepted("null", NULL);
    check_accepted(" \t\r\n true \n", "true");
    check_accepted("false", NULL);
    check_accepted("\"\"", NULL);
    check_accepted("[]", NULL);
    check_accepted("[ ]", "[]");
    check_accepted("{}", NULL);
    check_accepted("{ }", "{}");
    check_accepted("[1,[2,{\"a\":[]}],{}]", NULL);
    check_accepted("{\"a\":1,\"b\":{\"a\":2},\"\":3}", NULL);
    check_accepted("[0,-0,1.0,1.50,-12.25e+10,1E5,1e-7,123456789012345678901234567890]", NULL);
    check_accepted("\"\\u0041\\/\\b\\f\\n\\r\\t\\\"\\\\\"", "\"A/\\b\\f\\n\\r\\t\\\"\\\\\"");
    check_accepted("\"\\u00e9\\u20ac\\ud83d\\ude00\\uD83D\\uDE00\"", "\"é€😀😀\"");
    check_accepted("\"\\u0000\\u001f\\u007f\"", "\"\\u0000\\u001f\x7f\"");
    check_accepted("\"é€😀 and some more text behind it\"", NULL);
    check_accepted("{\"a\\u0062\":1,\"b\":2}", "{\"ab\":1,\"b\":2}");
    check_accepted("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", NULL);
}

static void test_refused(void **state)
{
    (void)state;
    check_refused("", 0);
    check_refused("  ", 2);
    check_refused("\xef\xbb\xbf{}", 0);
    check_refused("nul", 0);
    check_refused("nulll", 4);
    check_refused("True", 0);
    check_refused("[1,]", 3);
    check_refused("[,1]", 1);
    check_refused("[1 2]", 3);
    check_refused("[1", 2);
    check_refused("[", 1);
    check_refused("]", 0);
    check_refused("[1}", 2);
    check_refused("{\"a\":1]", 6);
    check_refused("{\"a\":1,}", 7);
    check_refused("{\"a\"}", 4);
    check_refused("{\"a\":}", 5);
    check_refused("{a:1}", 1);
    check_refused("{1:1}", 1);
    check_refused("{\"a\" 1}", 5);
    check_refused("{} {}", 3);
    check_refused("1 1", 2);
    check_refused("'a'", 0);
    check_refused("[1]//x", 3);
    check_refused("NaN", 0);
    check_refused("-Infinity", 0);
}

static void test_refused_numbers(void **state)
{
    (void)state;
    check_refused("-", 0);
    check_refused("+1", 0);
    check_refused("01", 0);
    check_refused("-01", 0);
    check_refused("1.", 0);
    check_refused(".5", 0);
    check_refused("1.e5", 0);
    check_refused("1e", 0);
    check_refused("1e+", 0);
    check_refused("[1.2.3]", 4);
    check_refused("0x10", 1);
    check_refused("1a", 1);
}

static void test_refused_strings(void **state)
{
    (void)state;
    check_refused("\"abc", 0);
    check_refused("\"abc\\\"", 0);
    check_refused("\"abc\\", 4);
    check_refused("\"a\nb\"", 2);
    check_refused("\"a\x01\"", 2);
    check_refused_bytes("\"a\0\"", 4, 2, OMS_INVALID);
    check_refused("\"\\x41\"", 1);
    check_refused("\"\\\xc3\xa9\"", 1);
    check_refused("\"\\u12\"", 1);
    check_refused("\"\\u12g4\"", 1);
    check_refused("\"ab\\ud800\"", 3);
    check_refused("\"ab\\ud800x\\udc00\"", 3);
    check_refused("\"ab\\ud800\\u0041\"", 3);
    check_refused("\"ab\\udc00\"", 3);
    check_refused("\"abc\xff\"", 4);
    check_refused("\"\xc0\x80\"", 1);
    check_refused("\"\xed\xa0\x80\"", 1);
    check_refused("\"12345678901234567890\xe2\x82\"", 21);
    check_refused("{\"\xff\":1}", 2);
}

static void test_limits(void **state)
{
    (void)state;
    check_refused_bytes("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", 35, 16, OMS_LIMIT);
    struct oms_arena arena;
    struct oms_value value;
    struct oms_json_error error;
    char *text = malloc(200001);
    for (size_t i = 0; i < 100000; i++)
        memcpy(text + 2 * i, i ? ",1" : "[1", 2);
    text[200000] = ']';
    oms_arena_init(&arena, 1024, 20000);
    assert_int_equal(oms_json_parse(oms_str_make(text, 200001), 16, &arena, &value, &error), OMS_LIMIT);
    oms_arena_reset(&arena);
    /* Small enough for the stack of slots, too large for the array. */
    text[400] = ']';
    oms_arena_fini(&arena);
    oms_arena_init(&arena, 1024, 3000);
    assert_int_equal(oms_json_parse(oms_str_make(text, 401), 16, &arena, &value, &error), OMS_LIMIT);
    oms_arena_fini(&arena);
    oms_arena_init(&arena, 1024, 64);
    assert_int_equal(oms_json_parse(OMS_STR("\"\\n\""), 16, &arena, &value, NULL), OMS_OK);
    assert_int_equal(oms_json_parse(OMS_STR("[1,2,3,4,5,6,7,8,9]"), 16, &arena, &value, NULL), OMS_LIMIT);
    assert_true(arena.exhausted);
    oms_arena_fini(&arena);
    free(text);
}

static void test_place_of_a_fault(void **state)
{
    (void)state;
    struct oms_arena arena;
    struct oms_value value;
    struct oms_json_error error;
    oms_arena_init(&arena, 1024, ARENA_MAX);
    assert_int_equal(oms_json_parse(OMS_STR("{\n  \"a\": 1,\n  \"b\" 2\n}"), 16, &arena, &value, &error),
                     OMS_INVALID);
    assert_int_equal(error.line, 3);
    assert_int_equal(error.column, 7);
    assert_int_equal(error.offset, 18);
    assert_string_equal(error.message, "expected ':'");
    assert_int_equal(oms_json_parse(OMS_STR_NONE, 16, &arena, &value, &error), OMS_INVALID);
    assert_int_equal(error.line, 1);
    assert_int_equal(error.column, 1);
    oms_arena_fini(&arena);
}

static void test_plain_text_is_borrowed(void **state)
{
    (void)state;
    struct oms_arena arena;
    struct oms_value value;
    struct oms_str text = OMS_STR("{\"name\":\"borrowed\",\"n\":12.50,\"e\":\"\"}");
    oms_arena_init(&arena, 1024, ARENA_MAX);
    assert_int_equal(oms_json_parse(text, 16, &arena, &value, NULL), OMS_OK);
    assert_int_equal(value.object.count, 3);
    const struct oms_value *name = oms_value_get(&value, "name");
    assert_true(oms_str_eq_c(name->text, "borrowed"));
    assert_ptr_equal(name->text.data, text.data + 9);
    const struct oms_value *number = oms_value_get(&value, "n");
    assert_int_equal(number->kind, OMS_VALUE_NUMBER);
    assert_true(oms_str_eq_c(number->text, "12.50"));
    assert_true(oms_str_present(oms_value_get(&value, "e")->text));
    oms_arena_fini(&arena);
}

/* An object of `count` names; with `repeat` >= 0 the last name is that one again. Returns its offset. */
static size_t make_object(struct oms_buf *text, int count, int repeat)
{
    size_t last = 0;
    oms_buf_reset(text);
    oms_buf_append_char(text, '{');
    for (int i = 0; i < count; i++) {
        if (i)
            oms_buf_append_char(text, ',');
        last = text->len;
        oms_buf_appendf(text, "\"key%d\":%d", i == count - 1 && repeat >= 0 ? repeat : i, i);
    }
    oms_buf_append_char(text, '}');
    return last;
}

static void test_duplicate_names(void **state)
{
    (void)state;
    struct oms_buf text;
    struct oms_arena arena;
    struct oms_value value;
    struct oms_json_error error;
    oms_buf_init(&text, 1 << 20);
    oms_arena_init(&arena, 4096, ARENA_MAX);
    check_refused("{\"a\":1,\"a\":2}", 7);
    check_refused("{\"a\":1,\"\\u0061\":2}", 7);
    check_refused("{\"\":1,\"\":2}", 6);
    check_refused("[{\"a\":{\"b\":1,\"c\":[1,2],\"b\":2}}]", 23);
    check_accepted("{\"a\":{\"a\":1},\"b\":{\"a\":1}}", NULL);
    for (int count = 2; count < 200; count++)
        for (int repeat = -1; repeat < count - 1; repeat += 1 + count / 9) {
            size_t offset = make_object(&text, count, repeat);
            enum oms_status status = oms_json_parse(oms_buf_str(&text), 16, &arena, &value, &error);
            assert_int_equal(status, repeat < 0 ? OMS_OK : OMS_INVALID);
            if (repeat >= 0)
                assert_int_equal(error.offset, offset);
            else
                assert_int_equal(value.object.count, count);
            oms_arena_reset(&arena);
        }
    oms_arena_fini(&arena);
    oms_buf_fini(&text);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double time_of_object(int count)
{
    struct oms_buf text;
    struct oms_arena arena;
    struct oms_value value;
    oms_buf_init(&text, 16 << 20);
    oms_arena_init(&arena, 4096, ARENA_MAX);
    make_object(&text, count, -1);
    double start = seconds();
    assert_int_equal(oms_json_parse(oms_buf_str(&text), 16, &arena, &value, NULL), OMS_OK);
    double took = seconds() - start;
    assert_int_equal(value.object.count, count);
    oms_arena_fini(&arena);
    oms_buf_fini(&text);
    return took;
}

/* Sixteen times the names may cost about sixteen times the time, not 256 times. */
static void test_huge_objects_are_not_quadratic(void **state)
{
    (void)state;
    double small = time_of_object(20000);
    double large = time_of_object(320000);
    assert_true(large < 1.0 || large < small * 100);
}

/* A stop at every place of strings of every length: the wide scans and their remainders agree. */
static void test_scans_at_every_alignment(void **state)
{
    (void)state;
    static const char *const inner[] = {"\\n", "\\\"", "\\u00e9", "é", "€", "😀"};
    char plain[64], text[96];
    memset(plain, 'x', sizeof(plain));
    for (int len = 0; len < 50; len++)
        for (int at = 0; at <= len; at++)
            for (size_t k = 0; k < sizeof(inner) / sizeof(inner[0]); k++) {
                snprintf(text, sizeof(text), "[\"%.*s%s%.*s\",1]", at, plain, inner[k], len - at, plain);
                const char *written = k == 2 ? NULL : text;
                if (written) {
                    check_accepted(text, written);
                    continue;
                }
                char expected[96];
                snprintf(expected, sizeof(expected), "[\"%.*sé%.*s\",1]", at, plain, len - at, plain);
                check_accepted(text, expected);
            }
    for (int len = 1; len < 50; len++)
        for (int at = 0; at < len; at++) {
            snprintf(text, sizeof(text), "[\"%.*s\",1]", len, plain);
            text[2 + at] = '\x1f';
            check_refused(text, (size_t)at + 2);
            text[2 + at] = '\xff';
            check_refused(text, (size_t)at + 2);
        }
}

/* ---- random trees ---- */

static struct oms_str random_text(struct oms_prng *prng, struct oms_arena *arena)
{
    size_t count = (size_t)oms_prng_below(prng, oms_prng_below(prng, 10) == 0 ? 60 : 12);
    char *text = oms_arena_alloc(arena, count * 4 + 1);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t c = (uint32_t)oms_prng_below(prng, oms_prng_below(prng, 6) == 0 ? 0x110000 : 0x80);
        len += oms_utf8_encode(c >= 0xd800 && c <= 0xdfff ? 'x' : c, text + len);
    }
    return oms_str_make(text, len);
}

static void random_value(struct oms_prng *prng, struct oms_arena *arena, int depth, struct oms_value *out);

static void random_container(struct oms_prng *prng, struct oms_arena *arena, int depth, struct oms_value *out)
{
    size_t count = (size_t)oms_prng_below(prng, 6);
    if (oms_prng_below(prng, 30) == 0)
        count = 100;
    if (oms_prng_next(prng) & 1) {
        *out = (struct oms_value){.kind = OMS_VALUE_LIST};
        out->list.items = oms_arena_calloc(arena, count, sizeof(struct oms_value));
        out->list.count = count;
        for (size_t i = 0; i < count; i++)
            random_value(prng, arena, depth - 1, &out->list.items[i]);
        return;
    }
    *out = (struct oms_value){.kind = OMS_VALUE_OBJECT};
    out->object.fields = oms_arena_calloc(arena, count, sizeof(struct oms_field));
    out->object.count = count;
    for (size_t i = 0; i < count; i++) {
        /* The index in front keeps names unique. */
        struct oms_str rest = random_text(prng, arena);
        char *name = oms_arena_alloc(arena, rest.len + 8);
        int head = snprintf(name, 8, "%zu-", i);
        memcpy(name + head, rest.data, rest.len);
        out->object.fields[i].name = oms_str_make(name, (size_t)head + rest.len);
        random_value(prng, arena, depth - 1, &out->object.fields[i].value);
    }
}

static void random_value(struct oms_prng *prng, struct oms_arena *arena, int depth, struct oms_value *out)
{
    static const char *const numbers[] = {"0", "-0", "1.50", "-12e+3", "9007199254740993"};
    switch (oms_prng_below(prng, depth > 0 ? 7 : 4)) {
    case 0:
        *out = (struct oms_value){.kind = OMS_VALUE_NULL};
        return;
    case 1:
        *out = (struct oms_value){.kind = OMS_VALUE_BOOL, .boolean = oms_prng_next(prng) & 1};
        return;
    case 2:
        *out = (struct oms_value){.kind = OMS_VALUE_NUMBER,
                                  .text = oms_str_of(numbers[oms_prng_below(prng, 5)])};
        return;
    case 3:
        *out = (struct oms_value){.kind = OMS_VALUE_STRING, .text = random_text(prng, arena)};
        return;
    default:
        random_container(prng, arena, depth, out);
    }
}

static void check_equal(const struct oms_value *a, const struct oms_value *b)
{
    assert_int_equal(a->kind, b->kind);
    switch (a->kind) {
    case OMS_VALUE_BOOL:
        assert_int_equal(a->boolean, b->boolean);
        return;
    case OMS_VALUE_NUMBER:
    case OMS_VALUE_STRING:
        assert_true(oms_str_eq(a->text, b->text));
        return;
    case OMS_VALUE_LIST:
        assert_int_equal(a->list.count, b->list.count);
        for (size_t i = 0; i < a->list.count; i++)
            check_equal(&a->list.items[i], &b->list.items[i]);
        return;
    case OMS_VALUE_OBJECT:
        assert_int_equal(a->object.count, b->object.count);
        for (size_t i = 0; i < a->object.count; i++) {
            assert_true(oms_str_eq(a->object.fields[i].name, b->object.fields[i].name));
            check_equal(&a->object.fields[i].value, &b->object.fields[i].value);
        }
        return;
    default:
        return;
    }
}

static void test_round_trips(void **state)
{
    (void)state;
    struct oms_prng prng;
    struct oms_arena made;
    struct oms_buf out;
    oms_prng_seed(&prng, 42);
    oms_arena_init(&made, 65536, ARENA_MAX);
    oms_buf_init(&out, 64 << 20);
    for (int i = 0; i < 2000; i++) {
        struct oms_value value = {0}, parsed = {0};
        struct oms_arena arena;
        struct oms_json_error error = {0};
        random_value(&prng, &made, 4, &value);
        oms_value_write_json(&value, &out);
        assert_false(out.overflow);
        if (parse(&arena, out.data, out.len, &parsed, &error) != OMS_OK)
            fail_msg("round %d: %s at %zu", i, error.message, error.offset);
        check_equal(&value, &parsed);
        oms_arena_fini(&arena);
        oms_arena_reset(&made);
        oms_buf_reset(&out);
    }
    oms_buf_fini(&out);
    oms_arena_fini(&made);
}

static void test_a_string_over_the_maximum_sets_overflow(void **state)
{
    (void)state;
    struct oms_buf out;
    oms_buf_init(&out, 5);
    oms_json_write_string(&out, OMS_STR("abc"));
    assert_false(out.overflow);
    assert_int_equal(out.len, 5);
    oms_json_write_string(&out, OMS_STR(""));
    assert_true(out.overflow);
    oms_buf_reset(&out);
    oms_json_write_string(&out, OMS_STR("\n\n\n"));
    assert_true(out.overflow);
    assert_true(out.len <= 5);
    oms_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_numbers),
        cmocka_unit_test(test_refused_strings),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_place_of_a_fault),
        cmocka_unit_test(test_plain_text_is_borrowed),
        cmocka_unit_test(test_duplicate_names),
        cmocka_unit_test(test_huge_objects_are_not_quadratic),
        cmocka_unit_test(test_scans_at_every_alignment),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_a_string_over_the_maximum_sets_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
