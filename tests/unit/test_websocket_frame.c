/* Frames of clients, good and bad (RFC 6455 section 5), whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "http/websocket_frame.h"
#include "runtime/base/prng.h"

#define MESSAGE_MAX 70000

static struct http_ws_parser parser;
static char log_text[4096]; /* what came, as "text(hello) ping(x) close(1000)" */

static void note(const char *what, struct oms_str text)
{
    size_t len = strlen(log_text);
    snprintf(log_text + len, sizeof(log_text) - len, "%s%s(%.*s)", len ? " " : "", what, OMS_STR_ARG(text));
}

/* Feeds it in pieces of `step` bytes. False after an error. */
static bool feed(const char *data, size_t len, size_t step)
{
    for (size_t at = 0; at < len;) {
        char code[8];
        enum http_ws_event event;
        size_t part = len - at < step ? len - at : step;
        size_t taken = http_ws_parse(&parser, data + at, part, &event);
        assert_true(taken <= part);
        assert_true(taken > 0);
        at += taken;
        snprintf(code, sizeof(code), "%u", parser.code);
        if (event == HTTP_WS_EVENT_MESSAGE)
            note("text", parser.text.len < 100 ? parser.text : OMS_STR("long"));
        else if (event == HTTP_WS_EVENT_PING)
            note("ping", parser.text);
        else if (event == HTTP_WS_EVENT_PONG)
            note("pong", parser.text);
        else if (event == HTTP_WS_EVENT_CLOSE)
            note("close", oms_str_of(code));
        else if (event == HTTP_WS_EVENT_ERROR)
            note("error", oms_str_of(code));
        else
            assert_int_equal(taken, part);
        if (event == HTTP_WS_EVENT_ERROR)
            return false;
    }
    return true;
}

/* A client's frame: its first byte, the payload, masked. Returns its length. */
static size_t put_frame(char *out, unsigned first, const char *payload, size_t len)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t head = http_ws_head((unsigned char *)out, HTTP_WS_TEXT, len);
    out[0] = (char)first;
    out[1] = (char)(out[1] | 0x80);
    memcpy(out + head, mask, 4);
    for (size_t i = 0; i < len; i++)
        out[head + 4 + i] = (char)((unsigned char)payload[i] ^ mask[i % 4]);
    return head + 4 + len;
}

static void check(const char *bytes, size_t len, const char *expected)
{
    for (size_t step = 1; step <= len + 1; step = step == 1 ? 3 : step == 3 ? len + 1 : len + 2) {
        log_text[0] = '\0';
        http_ws_parser_init(&parser, MESSAGE_MAX);
        feed(bytes, len, step);
        if (strcmp(log_text, expected) != 0)
            fail_msg("in steps of %zu: %s, expected %s", step, log_text, expected);
        http_ws_parser_fini(&parser);
    }
}

/* One frame with a text payload. */
static void check_frame(unsigned first, const char *payload, size_t len, const char *expected)
{
    static char bytes[MESSAGE_MAX + 100];
    check(bytes, put_frame(bytes, first, payload, len), expected);
}

static void test_examples_of_the_rfc(void **state)
{
    (void)state;
    /* Section 5.7. */
    check("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, "text(Hello)");
    unsigned char head[HTTP_WS_HEAD_MAX];
    assert_int_equal(http_ws_head(head, HTTP_WS_TEXT, 5), 2);
    assert_memory_equal(head, "\x81\x05", 2);
    assert_int_equal(http_ws_head(head, HTTP_WS_BINARY, 256), 4);
    assert_memory_equal(head, "\x82\x7e\x01\x00", 4);
    assert_int_equal(http_ws_head(head, HTTP_WS_BINARY, 65536), 10);
    assert_memory_equal(head, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
}

static void test_lengths(void **state)
{
    static const size_t lengths[] = {0, 1, 125, 126, 65535, 65536, MESSAGE_MAX};
    static char text[MESSAGE_MAX + 1];
    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char expected[120];
        size_t len = lengths[i];
        snprintf(expected, sizeof(expected), "text(%.*s)", len < 100 ? (int)len : 4,
                 len < 100 ? text : "long");
        check_frame(0x81, text, len, expected);
    }
    check_frame(0x81, text, MESSAGE_MAX + 1, "error(1009)");
}

static void test_fragments_with_control_between(void **state)
{
    char bytes[200];
    size_t len = put_frame(bytes, 0x01, "Hel", 3);
    (void)state;
    len += put_frame(bytes + len, 0x89, "are you there", 13);
    len += put_frame(bytes + len, 0x00, "", 0);
    len += put_frame(bytes + len, 0x8a, "", 0);
    len += put_frame(bytes + len, 0x80, "lo", 2);
    len += put_frame(bytes + len, 0x81, "next", 4);
    len += put_frame(bytes + len, 0x88,
                     "\x03\xe8"
                     "bye",
                     5);
    check(bytes, len, "ping(are you there) pong() text(Hello) text(next) close(1000)");
    /* The fragments' sum has the maximum too, and a character may lie across them. */
    static char long_text[MESSAGE_MAX];
    static char two[2 * MESSAGE_MAX];
    memset(long_text, 'x', sizeof(long_text));
    len = put_frame(two, 0x01, long_text, MESSAGE_MAX);
    len += put_frame(two + len, 0x80, "x", 1);
    check(two, len, "error(1009)");
    len = put_frame(bytes, 0x01, "\xe2\x82", 2);
    len += put_frame(bytes + len, 0x80, "\xac", 1);
    check(bytes, len, "text(\xe2\x82\xac)");
}

static void test_what_is_refused(void **state)
{
    char bytes[300], zeros[126] = {0};
    (void)state;
    check_frame(0xc1, "x", 1, "error(1002)"); /* a reserved bit */
    check_frame(0x83, "x", 1, "error(1002)"); /* unknown opcodes */
    check_frame(0x8b, "x", 1, "error(1002)");
    check_frame(0x82, "x", 1, "error(1003)"); /* binary */
    check_frame(0x80, "x", 1, "error(1002)"); /* continues nothing */
    check_frame(0x09, "x", 1, "error(1002)"); /* a fragmented ping */
    check_frame(0x89, zeros, 126, "error(1002)");
    check("\x81\x05hello", 7, "error(1002)");                          /* not masked */
    check("\x81\xfe\x00\x05\x01\x01\x01\x01hello", 13, "error(1002)"); /* a length in too long a form */
    check("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x01\x01\x01\x01\x01", 14, "error(1002)");
    check_frame(0x81, "\xc0\x80", 2, "error(1007)");
    check_frame(0x81, "\xed\xa0\x80", 3, "error(1007)"); /* a surrogate */
    size_t len = put_frame(bytes, 0x01, "a", 1);
    len += put_frame(bytes + len, 0x81, "b", 1); /* a message in a message */
    check(bytes, len, "error(1002)");
}

static void test_closings(void **state)
{
    (void)state;
    check_frame(0x88, "", 0, "close(1005)");
    check_frame(0x88, "\x03", 1, "error(1002)");
    check_frame(0x88, "\x0f\xa0", 2, "close(4000)");
    check_frame(0x88, "\x03\xed", 2, "error(1002)"); /* 1005 is never sent */
    check_frame(0x88, "\x03\xee", 2, "error(1002)");
    check_frame(0x88, "\x00\x01", 2, "error(1002)");
    check_frame(0x88, "\x13\x88", 2, "error(1002)"); /* 5000 */
    check_frame(0x88, "\x03\xe8\xff", 3, "error(1007)");
}

static void test_memory_is_given_back(void **state)
{
    char bytes[100];
    (void)state;
    http_ws_parser_init(&parser, MESSAGE_MAX);
    assert_true(sizeof(parser) < 256);
    assert_true(feed(bytes, put_frame(bytes, 0x81, "whole", 5), 100));
    http_ws_parser_rest(&parser);
    assert_null(parser.message.data);
    log_text[0] = '\0';
    assert_true(feed(bytes, put_frame(bytes, 0x01, "half", 4), 100));
    http_ws_parser_rest(&parser);
    assert_true(feed(bytes, put_frame(bytes, 0x80, "!", 1), 100));
    assert_string_equal(log_text, "text(half!)");
    http_ws_parser_fini(&parser);
}

/* Whatever comes, it ends in an error or is taken, and no byte beyond is touched (a sanitizer looks on). */
static void test_garbage(void **state)
{
    struct oms_prng prng;
    (void)state;
    oms_prng_seed(&prng, 7);
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[64];
        size_t len = 1 + oms_prng_below(&prng, sizeof(bytes));
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)oms_prng_next(&prng);
        if (round % 2) { /* so that more of them get behind the head */
            bytes[0] = (char)(0x81 | (bytes[0] & 0x0a));
            bytes[len > 1] = (char)(0x80 | (bytes[len > 1] & 0x3f));
        }
        log_text[0] = '\0';
        http_ws_parser_init(&parser, 40);
        feed(bytes, len, 1 + oms_prng_below(&prng, 20));
        http_ws_parser_fini(&parser);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_rfc),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_fragments_with_control_between),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_closings),
        cmocka_unit_test(test_memory_is_given_back),
        cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
