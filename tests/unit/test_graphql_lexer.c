/* The lexer: every kind of token, what is ignored, numbers, strings with escapes, block strings, and faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/graphql/lexer.h"

#define ARENA_MAX ((size_t)64 << 20)

struct lexing {
    struct oms_arena arena;
    struct gql_errors errors;
    struct gql_lexer lexer;
    char *copy;
};

/* Of a copy of the exact size, so that the sanitizer sees any read behind it. */
static void start_bytes(struct lexing *l, const char *text, size_t len, uint32_t tokens_max)
{
    l->copy = malloc(len ? len : 1);
    memcpy(l->copy, text, len);
    oms_arena_init(&l->arena, 4096, ARENA_MAX);
    gql_errors_init(&l->errors, &l->arena);
    gql_lexer_init(&l->lexer, oms_str_make(l->copy, len), tokens_max, &l->arena, &l->errors);
}

static void start(struct lexing *l, const char *text)
{
    start_bytes(l, text, strlen(text), 0);
}

static void end(struct lexing *l)
{
    oms_arena_fini(&l->arena);
    free(l->copy);
}

static void check_token(struct lexing *l, enum gql_token_kind kind, const char *text)
{
    gql_lexer_next(&l->lexer);
    assert_false(l->lexer.failed);
    assert_int_equal(l->lexer.token.kind, kind);
    assert_int_equal(l->lexer.token.text.len, strlen(text));
    assert_memory_equal(l->lexer.token.text.data, text, strlen(text));
}

/* One token, then the end. */
static void check_only(const char *source, enum gql_token_kind kind, const char *text)
{
    struct lexing l;

    start(&l, source);
    check_token(&l, kind, text);
    gql_lexer_next(&l.lexer);
    assert_int_equal(l.lexer.token.kind, GQL_TOKEN_EOF);
    assert_false(l.lexer.failed);
    end(&l);
}

static void check_fault(const char *source, const char *message, unsigned line, unsigned column)
{
    struct lexing l;

    start(&l, source);
    do
        gql_lexer_next(&l.lexer);
    while (l.lexer.token.kind != GQL_TOKEN_EOF);
    if (!l.lexer.failed)
        fail_msg("%s was accepted", source);
    assert_int_equal(l.errors.count, 1);
    assert_string_equal(l.errors.items[0].message.data, message);
    assert_int_equal(l.errors.items[0].line, line);
    assert_int_equal(l.errors.items[0].column, column);
    assert_string_equal(l.errors.items[0].code, "GRAPHQL_PARSE_FAILED");
    end(&l);
}

static void test_punctuators(void **state)
{
    static const char *const texts[] = {"!", "$", "&", "(", ")", "...", ":",
                                        "=", "@", "[", "]", "{", "|",   "}"};
    struct lexing l;

    (void)state;
    start(&l, "!$&()...:=@[]{|}");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_token(&l, (enum gql_token_kind)(GQL_TOKEN_BANG + i), texts[i]);
    end(&l);
}

static void test_ignored(void **state)
{
    struct lexing l;

    (void)state;
    start(&l, "\xEF\xBB\xBF \t,,# a comment with \" and \xC3\xA9\r\n a,\n#x\rb # end");
    check_token(&l, GQL_TOKEN_NAME, "a");
    assert_int_equal(l.lexer.token.at, 35);
    check_token(&l, GQL_TOKEN_NAME, "b");
    gql_lexer_next(&l.lexer);
    assert_int_equal(l.lexer.token.kind, GQL_TOKEN_EOF);
    gql_lexer_next(&l.lexer);
    assert_int_equal(l.lexer.token.kind, GQL_TOKEN_EOF);
    assert_int_equal(l.lexer.tokens, 2);
    end(&l);
}

static void test_names_and_numbers(void **state)
{
    (void)state;
    check_only("_aZ09_", GQL_TOKEN_NAME, "_aZ09_");
    check_only("0", GQL_TOKEN_INT, "0");
    check_only("-0", GQL_TOKEN_INT, "-0");
    check_only("-1234567890123456789012", GQL_TOKEN_INT, "-1234567890123456789012");
    check_only("0.5", GQL_TOKEN_FLOAT, "0.5");
    check_only("-1.50e+10", GQL_TOKEN_FLOAT, "-1.50e+10");
    check_only("1E-3", GQL_TOKEN_FLOAT, "1E-3");
}

static void test_number_faults(void **state)
{
    (void)state;
    check_fault("01", "Invalid number: unexpected '1'.", 1, 2);
    check_fault("1.", "Invalid number: expected a digit, found end of text.", 1, 3);
    check_fault("1.e1", "Invalid number: expected a digit, found 'e'.", 1, 3);
    check_fault("-", "Invalid number: expected a digit, found end of text.", 1, 2);
    check_fault("+1", "Unexpected character '+'.", 1, 1);
    check_fault("1e", "Invalid number: expected a digit, found end of text.", 1, 3);
    check_fault("1.2.3", "Invalid number: unexpected '.'.", 1, 4);
    check_fault("12a", "Invalid number: unexpected 'a'.", 1, 3);
    check_fault("0x1", "Invalid number: unexpected 'x'.", 1, 2);
    check_fault("1_000", "Invalid number: unexpected '_'.", 1, 2);
}

static void test_strings(void **state)
{
    (void)state;
    check_only("\"\"", GQL_TOKEN_STRING, "");
    check_only("\"simple \xC3\xA9 # , \"", GQL_TOKEN_STRING, "simple \xC3\xA9 # , ");
    check_only("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", GQL_TOKEN_STRING, "\"\\/\b\f\n\r\t");
    check_only("\"\\u0041\\u00e9\\u20AC\"", GQL_TOKEN_STRING, "A\xC3\xA9\xE2\x82\xAC");
    check_only("\"\\uD83D\\uDCA9\"", GQL_TOKEN_STRING, "\xF0\x9F\x92\xA9");
    check_only("\"\\u{1F4A9}\\u{41}\\u{00000041}\"", GQL_TOKEN_STRING,
               "\xF0\x9F\x92\xA9"
               "AA");
    check_only("\"\\u{10FFFF}\"", GQL_TOKEN_STRING, "\xF4\x8F\xBF\xBF");
}

static void test_string_faults(void **state)
{
    (void)state;
    check_fault("\"abc", "Unterminated string.", 1, 5);
    check_fault("\"abc\n\"", "Unterminated string.", 1, 5);
    check_fault("\"abc\\", "Unterminated string.", 1, 5);
    check_fault("\"abc\\\n\"", "Unterminated string.", 1, 5);
    check_fault("\"\\n\\u{41)", "Invalid Unicode escape in a string.", 1, 4);
    check_fault("\"\\n", "Unterminated string.", 1, 4);
    check_fault("\"a\\x\"", "Invalid escape in a string.", 1, 3);
    check_fault("\"\\u12\"", "Invalid Unicode escape in a string.", 1, 2);
    check_fault("\"\\uD800\"", "Invalid Unicode escape in a string.", 1, 2);
    check_fault("\"\\uDC00\\uD800\"", "Invalid Unicode escape in a string.", 1, 2);
    check_fault("\"\\uD800\\u0041\"", "Invalid Unicode escape in a string.", 1, 2);
    check_fault("\"\\u{110000}\"", "Invalid Unicode escape in a string.", 1, 2);
    check_fault("\"\\u{D800}\"", "Invalid Unicode escape in a string.", 1, 2);
    check_fault("\"\\u{}\"", "Invalid Unicode escape in a string.", 1, 2);
    check_fault("\"\\u{41\"", "Invalid Unicode escape in a string.", 1, 2);
    check_fault("'a'", "Unexpected character '''; strings are written with double quotes.", 1, 1);
}

static void test_block_strings(void **state)
{
    (void)state;
    check_only("\"\"\"\"\"\"", GQL_TOKEN_STRING, "");
    check_only("\"\"\"simple\"\"\"", GQL_TOKEN_STRING, "simple");
    check_only("\"\"\" white space \"\"\"", GQL_TOKEN_STRING, " white space ");
    check_only("\"\"\"contains \" quote\"\"\"", GQL_TOKEN_STRING, "contains \" quote");
    check_only("\"\"\"contains \\\"\"\" triple\"\"\"", GQL_TOKEN_STRING, "contains \"\"\" triple");
    check_only("\"\"\"raw \\n \\u0041 \\x\"\"\"", GQL_TOKEN_STRING, "raw \\n \\u0041 \\x");
    check_only("\"\"\"a\r\nb\rc\nd\"\"\"", GQL_TOKEN_STRING, "a\nb\nc\nd");
    /* The example of section 2.9.4. */
    check_only("\"\"\"\n    Hello,\n      World!\n\n    Yours,\n      GraphQL.\n  \"\"\"", GQL_TOKEN_STRING,
               "Hello,\n  World!\n\nYours,\n  GraphQL.");
    check_only("\"\"\"first\n    second\n  third\n\t \n\"\"\"", GQL_TOKEN_STRING, "first\n  second\nthird");
    check_only("\"\"\"\n\n \t\n\"\"\"", GQL_TOKEN_STRING, "");
    check_fault("\"\"\"abc\"\"", "Unterminated block string.", 1, 9);
    check_fault("\"\"\"abc\n\\\"\"\"", "Unterminated block string.", 2, 5);
}

static void test_characters(void **state)
{
    (void)state;
    check_fault("a\n  ?", "Unexpected character '?'.", 2, 3);
    check_fault("..", "Unexpected character '.'.", 1, 1);
    check_fault("\xE2\x82\xAC", "Unexpected character U+20AC.", 1, 1);
    check_fault("\xC3\xA9 ?", "Unexpected character U+00E9.", 1, 1);
    check_fault("# \xC3\xA9\xE2\x82\xAC\n\x07", "Unexpected character U+0007.", 2, 1);
    check_fault("\"\xC3\xA9\xE2\x82\xAC\" ?", "Unexpected character '?'.", 1,
                6); /* columns are characters… */
    check_fault("\"\xF0\x9F\x92\xA9\" ?", "Unexpected character '?'.", 1,
                6); /* …of UTF-16: one beyond its first plane counts twice */
}

static void test_limit(void **state)
{
    struct lexing l;

    (void)state;
    start_bytes(&l, "a b c d", 7, 3);
    check_token(&l, GQL_TOKEN_NAME, "a");
    check_token(&l, GQL_TOKEN_NAME, "b");
    check_token(&l, GQL_TOKEN_NAME, "c");
    gql_lexer_next(&l.lexer);
    assert_true(l.lexer.failed && l.lexer.limited);
    assert_string_equal(l.errors.items[0].message.data, "The document has more than 3 tokens.");
    assert_string_equal(l.errors.items[0].code, "LIMIT_EXCEEDED");
    end(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_punctuators),
        cmocka_unit_test(test_ignored),
        cmocka_unit_test(test_names_and_numbers),
        cmocka_unit_test(test_number_faults),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_string_faults),
        cmocka_unit_test(test_block_strings),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
