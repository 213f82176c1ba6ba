/* CSV cells, and cursors of exports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/money.h"
#include "http/export/export_impl.h"
#include "runtime/base/assert.h"

static void test_cells(void **state)
{
    static const struct {
        const char *text, *cell;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"a,b", "\"a,b\""},
        {"say \"hi\"", "\"say \"\"hi\"\"\""},
        {"two\nlines", "\"two\nlines\""},
        {"\r", "\"'\r\""},
        {"=1+1", "'=1+1"},
        {"=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""},
        {"+44", "'+44"},
        {"-1", "'-1"},
        {"@SUM(A1)", "'@SUM(A1)"},
        {"\tx", "'\tx"},
        {"'=x", "''=x"},
        {"'", "''"},
        {"a=1", "a=1"},
        {" =1", " =1"},
    };
    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(cases); i++) {
        struct oms_buf out;
        oms_buf_init(&out, 256);
        export_csv_text(oms_str_of(cases[i].text), &out);
        oms_buf_append_char(&out, '\0');
        assert_string_equal(out.data, cases[i].cell);
        oms_buf_fini(&out);
    }
}

static size_t count(const char *text, size_t len, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += text[i] == c;
    return n;
}

/* As many cells in a row as in the head, with lines and without. */
static void test_rows(void **state)
{
    struct order_line lines[2] = {{.id = 1, .sku = OMS_STR("A"), .quantity = 2, .unit_price = 150},
                                  {.id = 2, .sku = OMS_STR("B"), .quantity = 1, .unit_price = 5}};
    struct order order = {.order_id = OMS_STR("ORD-1"),
                          .currency = 0,
                          .customer = {.name = OMS_STR("Ada"), .email = OMS_STR("ada@example.com")},
                          .lines = lines,
                          .line_count = 2};
    struct oms_buf out;
    (void)state;
    oms_buf_init(&out, 1u << 16);
    order.currency = money_currency_parse(OMS_STR("USD"));
    assert_true(order.currency != MONEY_CURRENCY_NONE);
    export_csv_head(&out);
    size_t commas = count(out.data, out.len, ',');
    assert_int_equal(count(out.data, out.len, '\n'), 1);
    oms_buf_reset(&out);
    export_csv_order(&order, true, OMS_STR("CUR"), &out);
    assert_int_equal(count(out.data, out.len, '\n'), 2);
    assert_int_equal(count(out.data, out.len, ','), 2 * commas);
    assert_memory_equal(out.data + out.len - 6, ",CUR\r\n", 6);
    assert_non_null(memmem(out.data, out.len, "ada@example.com", 15));
    assert_non_null(memmem(out.data, out.len, ",1.50,", 6));
    oms_buf_reset(&out);
    order.line_count = 0;
    export_csv_order(&order, false, OMS_STR("CUR"), &out);
    assert_int_equal(count(out.data, out.len, '\n'), 1);
    assert_int_equal(count(out.data, out.len, ','), commas);
    assert_null(memmem(out.data, out.len, "ada@example.com", 15));
    assert_null(memmem(out.data, out.len, "Ada", 3));
    oms_buf_fini(&out);
}

static void test_cursors(void **state)
{
    static const char *const wrong[] = {"",    ".", "1a", "1a.", ".abc", "1A.abc", "g.abc", "1234567890abc.x",
                                        "-1.x"};
    struct export_cursor cursor = {.as_of_ms = 1735689600000, .len = 3, .text = "abc"}, back;
    char text[EXPORT_CURSOR_TEXT_MAX];
    char large[EXPORT_CURSOR_MAX + 4];
    (void)state;
    size_t len = export_cursor_write(&cursor, text);
    assert_true(export_cursor_parse(oms_str_make(text, len), &back));
    assert_int_equal(back.as_of_ms, cursor.as_of_ms);
    assert_true(oms_str_eq_c(oms_str_make(back.text, back.len), "abc"));
    for (size_t i = 0; i < OMS_COUNT_OF(wrong); i++)
        assert_false(export_cursor_parse(oms_str_of(wrong[i]), &back));
    memset(large, 'x', sizeof(large));
    memcpy(large, "1a.", 3);
    assert_true(export_cursor_parse(oms_str_make(large, EXPORT_CURSOR_MAX + 3), &back));
    assert_false(export_cursor_parse(oms_str_make(large, EXPORT_CURSOR_MAX + 4), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_cursors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
