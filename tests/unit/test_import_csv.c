/* CSV rows: what is read, which line a fault is on, and that the file goes on behind it, however it is cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/import/import_csv.h"
#include "runtime/base/buf.h"

/* Everything that happened, as text: "H a|b", "1@2 x|y", "!3-4 why". */
struct transcript {
    struct oms_buf text;
    int stop_after;
    int rows;
};

static void put_fields(struct transcript *transcript, size_t count, const struct oms_str *fields)
{
    for (size_t i = 0; i < count; i++)
        oms_buf_appendf(&transcript->text, "%s%.*s", i ? "|" : " ", OMS_STR_ARG(fields[i]));
    oms_buf_append_char(&transcript->text, '\n');
}

static bool on_header(void *context, const struct import_csv_row *header)
{
    struct transcript *transcript = context;
    oms_buf_append_char(&transcript->text, 'H');
    put_fields(transcript, header->count, header->fields);
    return true;
}

static bool on_row(void *context, const struct import_csv_row *row)
{
    struct transcript *transcript = context;
    oms_buf_appendf(&transcript->text, "%d@%d", (int)row->number, (int)row->line);
    put_fields(transcript, row->count, row->fields);
    return ++transcript->rows != transcript->stop_after;
}

static bool on_bad(void *context, const struct import_csv_fault *fault)
{
    struct transcript *transcript = context;
    oms_buf_appendf(&transcript->text, "!%d-%d %s\n", (int)fault->first_line, (int)fault->last_line,
                    fault->message);
    return true;
}

/* Reads `text` in pieces of `piece` bytes; the transcript is freed by the caller. */
static char *read_all(const char *text, size_t len, size_t piece, int stop_after, enum oms_status *status)
{
    struct transcript transcript = {.stop_after = stop_after};
    struct import_csv_sink sink = {&transcript, on_header, on_row, on_bad};
    struct import_csv *csv = import_csv_create(',', &sink);

    oms_buf_init(&transcript.text, 1 << 20);
    *status = OMS_OK;
    for (size_t at = 0; at < len && *status == OMS_OK; at += piece)
        *status = import_csv_feed(csv, text + at, len - at < piece ? len - at : piece);
    if (*status == OMS_OK)
        *status = import_csv_finish(csv);
    if (*status == OMS_INVALID)
        oms_buf_appendf(&transcript.text, "E %s\n", import_csv_error(csv));
    oms_buf_append_char(&transcript.text, '\0');
    import_csv_destroy(csv);
    return transcript.text.data;
}

static void check(const char *text, size_t len, const char *expected, enum oms_status expected_status)
{
    static const size_t pieces[] = {1, 2, 3, 7, 1000000};

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        enum oms_status status;
        char *got = read_all(text, len, pieces[i], 0, &status);
        assert_string_equal(got, expected);
        assert_int_equal(status, expected_status);
        free(got);
    }
}

#define CHECK(text, expected)         check(text, sizeof(text) - 1, expected, OMS_OK)
#define CHECK_INVALID(text, expected) check(text, sizeof(text) - 1, expected, OMS_INVALID)

static void test_plain(void **state)
{
    (void)state;
    CHECK("a,b\n1,2\n3,4\n", "H a|b\n1@2 1|2\n2@3 3|4\n");
    CHECK("a,b\r\n1,2\r\n3,4", "H a|b\n1@2 1|2\n2@3 3|4\n");
    CHECK("a,b\r1,2\r3,4\r", "H a|b\n1@2 1|2\n2@3 3|4\n");
    CHECK("a,b\n,\n", "H a|b\n1@2 |\n");
}

static void test_byte_order_mark(void **state)
{
    (void)state;
    CHECK("\xEF\xBB\xBF"
          "a,b\n1,2\n",
          "H a|b\n1@2 1|2\n");
    CHECK("\xEF\xBB\xBF"
          "\"a\",b\n1,2\n",
          "H a|b\n1@2 1|2\n");
    CHECK_INVALID("\xEF\xBB", "E the file has no header row\n");
    CHECK_INVALID("\xEF\xBBx,b\n1,2\n", "E line 1: the header: not UTF-8 text\n");
}

static void test_quotes(void **state)
{
    (void)state;
    CHECK("a,b\n\"x, y\",\"say \"\"hi\"\"\"\n", "H a|b\n1@2 x, y|say \"hi\"\n");
    /* A line's end inside quotes is part of the field; the next row's line counts it. */
    CHECK("a,b\n\"x\r\ny\",1\nz,2\n", "H a|b\n1@2 x\r\ny|1\n2@4 z|2\n");
}

static void test_blank_lines(void **state)
{
    (void)state;
    CHECK("\n\na,b\n\n  \n1,2\n\r\n\n3,4\n\n", "H a|b\n1@6 1|2\n2@9 3|4\n");
}

static void test_wrong_number_of_columns(void **state)
{
    (void)state;
    CHECK("a,b\n1\n1,2,3\n4,5\n",
          "H a|b\n!2-2 1 columns where the header has 2\n!3-3 3 columns where the header has 2\n1@4 4|5\n");
}

static void test_stray_quotes(void **state)
{
    (void)state;
    CHECK("a,b\nx\"y,1\n2,3\n", "H a|b\n!2-2 a quote where none may be\n1@3 2|3\n");
    CHECK("a,b\n\"x\"y,1\n2,3\n", "H a|b\n!2-2 a quote where none may be\n1@3 2|3\n");
    CHECK("a,b\n1,\"open\n2,3\n4,\"5\"\n6,7\n", "H a|b\n!2-4 a quote where none may be\n1@5 6|7\n");
    CHECK("a,b\n1,\"open\n2,3\n", "H a|b\n!2-4 a quote that is not closed\n");
}

static void test_not_text(void **state)
{
    (void)state;
    CHECK("a,b\n1,\xFF\n2,3\n", "H a|b\n!2-2 not UTF-8 text\n1@3 2|3\n");
    check("a,b\n1,\0\n2,3\n", 12, "H a|b\n!2-2 a NUL byte\n1@3 2|3\n", OMS_OK);
}

static void test_headers(void **state)
{
    (void)state;
    CHECK_INVALID("", "E the file has no header row\n");
    CHECK_INVALID("\n\n", "E the file has no header row\n");
    CHECK_INVALID("a,b,a\n1,2,3\n", "E line 1: the header: two columns are named \"a\"\n");
    CHECK_INVALID("a,,c\n", "E line 1: the header: column 2 has no name\n");
    CHECK_INVALID("\na\"b,c\n", "E line 2: the header: a quote where none may be\n");
}

static void test_large_row(void **state)
{
    size_t size = IMPORT_CSV_ROW_BYTES_MAX + 100;
    char *text = malloc(size + 64);
    enum oms_status status;

    (void)state;
    strcpy(text, "a,b\n1,\"");
    size_t head = strlen(text);
    memset(text + head, 'x', size);
    strcpy(text + head + size, "\n2,3\n4,5\n");
    char *got = read_all(text, strlen(text), 65536, 0, &status);
    assert_int_equal(status, OMS_OK);
    /* The quote is given up within the row's own line; the file goes on behind it. */
    assert_string_equal(got, "H a|b\n!2-2 a row of more than 1 MiB (an unclosed quote?)\n1@3 2|3\n2@4 4|5\n");
    free(got);
    free(text);
}

static void test_many_columns(void **state)
{
    char text[4 + 2 * 1200 + 16] = "a,b\n";
    enum oms_status status;
    size_t len = 4;

    (void)state;
    for (int i = 0; i < 1200; i++) {
        text[len++] = 'x';
        text[len++] = ',';
    }
    text[len++] = '\n';
    char *got = read_all(text, len, 100, 0, &status);
    assert_string_equal(got, "H a|b\n!2-2 more than 1,024 columns\n");
    free(got);
}

static void test_the_sink_stops(void **state)
{
    enum oms_status status;

    (void)state;
    char *got = read_all("a\n1\n2\n3\n", 8, 1000, 2, &status);
    assert_int_equal(status, OMS_CLOSED);
    assert_string_equal(got, "H a\n1@2 1\n2@3 2\n");
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_byte_order_mark),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_blank_lines),
        cmocka_unit_test(test_wrong_number_of_columns),
        cmocka_unit_test(test_stray_quotes),
        cmocka_unit_test(test_not_text),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_large_row),
        cmocka_unit_test(test_many_columns),
        cmocka_unit_test(test_the_sink_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
