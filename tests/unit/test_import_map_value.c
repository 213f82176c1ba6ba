/* What the leaves of a map come to: instants, sums, words, conditions, an order's first row, and the
 * language's refusals of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/import/import_map_impl.h"
#include "http/import/import_orders.h"
#include "runtime/base/datetime.h"

/* ---- instants ---- */

static void check_instant(const char *text, int offset, const char *wanted)
{
    char got[OMS_DATETIME_TEXT_SIZE];
    int64_t ms;

    if (!wanted) {
        assert_int_equal(import_instant_parse(oms_str_of(text), offset, &ms), OMS_INVALID);
        return;
    }
    assert_int_equal(import_instant_parse(oms_str_of(text), offset, &ms), OMS_OK);
    oms_datetime_format(ms, got);
    assert_string_equal(got, wanted);
}

static void test_instants(void **state)
{
    (void)state;
    check_instant("2025-10-07 09:50:26 +0200", 0, "2025-10-07T07:50:26.000Z");
    check_instant("2020-05-12 10:32:11 -0430", 0, "2020-05-12T15:02:11.000Z");
    check_instant("2020-05-12T10:32:11.25Z", 120, "2020-05-12T10:32:11.250Z");
    check_instant("2020-05-12 10:32:11", 120, "2020-05-12T08:32:11.000Z");
    check_instant("2020-05-12 10:32", 0, "2020-05-12T10:32:00.000Z");
    check_instant("2020-05-12 10:32:11 UTC", 60, "2020-05-12T10:32:11.000Z");
    check_instant("2020-02-30 10:32:11", 0, NULL);
    check_instant("2020-05-12", 0, NULL);
    check_instant("12/05/2020 10:32:11", 0, NULL);
    check_instant("2020-05-12 10:32:11 CET", 0, NULL);
    check_instant("2020-05-12 10:32:11 +1500", 0, NULL);
    check_instant("2020-05-12 25:32:11", 0, NULL);
    check_instant("2020-05-12 10:32:11 +02:0", 0, NULL);
}

/* ---- a small map, row by row ---- */

struct told {
    struct oms_buf text;
};

static bool on_order(void *context, const struct import_order *order)
{
    struct told *told = context;
    oms_buf_appendf(&told->text, "%.*s\n", OMS_STR_ARG(order->input));
    return true;
}

static bool on_refused(void *context, const struct import_refusal *refusal)
{
    struct told *told = context;
    oms_buf_appendf(&told->text, "%s%s %.*s: %s\n", refusal->skipped ? "skipped " : "", refusal->code,
                    OMS_STR_ARG(refusal->field), refusal->message);
    return true;
}

/* What becomes of the rows below the header "o,a,b,c,q" by this map. */
static void check(const char *head, const char *order, const char *line, const char *rows, const char *wanted)
{
    char text[2048];
    struct told told;
    struct import_map *map = NULL;
    struct oms_error error = {.message = ""};

    snprintf(text, sizeof(text),
             "{\"name\":\"m\",\"group\":\"o\",%s\"order\":{\"externalRef\":\"o\"%s%s},\"line\":{%s}}", head,
             *order ? "," : "", order, line);
    if (import_map_parse("m", oms_str_of(text), NULL, 0, &map, &error) != OMS_OK) {
        assert_string_equal(error.message, wanted);
        return;
    }
    oms_buf_init(&told.text, 1 << 16);
    struct import_orders_sink sink = {&told, on_order, on_refused};
    struct import_orders *orders = import_orders_create(map, &sink);
    assert_int_equal(import_orders_feed(orders, "o,a,b,c,q\n", 10), OMS_OK);
    assert_int_equal(import_orders_feed(orders, rows, strlen(rows)), OMS_OK);
    assert_int_equal(import_orders_finish(orders), OMS_OK);
    import_orders_destroy(orders);
    oms_buf_append_char(&told.text, '\0');
    assert_string_equal(told.text.data, wanted);
    oms_buf_fini(&told.text);
    import_map_destroy(map);
}

#define ORDER(members) "{\"externalRef\":\"1\"" members ",\"source\":\"m\",\"lineItems\":["
#define SUM(members)   "", "", "\"x\":{\"$sum\":" members "}"

static void test_sums(void **state)
{
    (void)state;
    check(SUM("[\"a\",\"b\"],\"less\":[\"c\"]"), "1,10.10,0.95,1.05,\n", ORDER("") "{\"x\":\"10\"}]}\n");
    check(SUM("[\"a\",\"b\"]"), "1,,2.50,,\n", ORDER("") "{\"x\":\"2.5\"}]}\n");
    check(SUM("[\"a\",\"b\"]"), "1,,,,\n", ORDER("") "{}]}\n");
    check(SUM("[\"a\"]"), "1,0.00,,,\n", ORDER("") "{\"x\":\"0\"}]}\n");
    check(SUM("[\"a\"]"), "1,1000.00,,,\n", ORDER("") "{\"x\":\"1000\"}]}\n");
    check(SUM("[\"a\"],\"by\":\"q\""), "1,20.01,,,3\n", ORDER("") "{\"x\":\"6.67\"}]}\n");
    check(SUM("[\"a\"],\"by\":\"q\""), "1,20.00,,,3\n",
          "INVALID a: a \"20.00\": cannot be divided by the quantity without a remainder\n");
    check(SUM("[\"a\"],\"by\":\"q\""), "1,20.00,,,0\n",
          "INVALID q: q \"0\": not a number above zero, by which an amount is divided\n");
    check(SUM("[\"a\"],\"by\":\"q\""), "1,20.00,,,\n",
          "INVALID q: q: not a number above zero, by which an amount is divided\n");
    check(SUM("[\"a\"],\"less\":[\"b\"]"), "1,1,1.01,,\n", "INVALID a: a \"1\": comes to less than zero\n");
    check(SUM("[\"a\",\"b\"]"), "1,1,\"1,5\",,\n", "INVALID b: b \"1,5\": not a plain decimal number\n");
    check(SUM("[\"a\"]"), "1,999999999999999.999999999,,,\n",
          ORDER("") "{\"x\":\"999999999999999.999999999\"}]}\n");
    check(SUM("[\"a\"]"), "1,1000000000000000,,,\n",
          "INVALID a: a \"1000000000000000\": not a plain decimal number\n");
}

static void test_words_and_firsts(void **state)
{
    (void)state;
    check("", "\"s\":{\"$word\":\"a\",\"words\":{\"paid\":\"P\",\"none\":null},\"else\":\"E\"}", "",
          "1,PAID,,,\n", ORDER(",\"s\":\"P\"") "{}]}\n");
    check("", "\"s\":{\"$word\":\"a\",\"words\":{\"paid\":\"P\",\"none\":null},\"else\":\"E\"}", "",
          "1,none,,,\n", ORDER("") "{}]}\n");
    check("", "\"s\":{\"$word\":\"a\",\"words\":{\"paid\":\"P\",\"none\":null},\"else\":\"E\"}", "",
          "1,odd,,,\n", ORDER(",\"s\":\"E\"") "{}]}\n");
    check("", "\"s\":{\"$word\":\"a\",\"words\":{\"paid\":\"P\"}}", "", "1,odd,,,\n",
          "INVALID a: a \"odd\": the map does not know this word\n");
    check("", "\"f\":{\"$first\":[\"a\",\"b\",\"c\"],\"strip\":\"'\",\"else\":\"E\"}", "", "1,,'0123,x,\n",
          ORDER(",\"f\":\"0123\"") "{}]}\n");
    check("", "\"f\":{\"$first\":[\"a\",\"b\"],\"else\":\"E\"}", "", "1,,,x,\n",
          ORDER(",\"f\":\"E\"") "{}]}\n");
    check("", "\"e\":{\"$equals\":[\"a\",\"b\"],\"to\":\"c\"}", "", "1,1.50,2,3.5,\n",
          ORDER(",\"e\":true") "{}]}\n");
    check("", "\"e\":{\"$equals\":[\"a\",\"b\"],\"to\":\"c\"}", "", "1,1.50,2,4,\n",
          ORDER(",\"e\":false") "{}]}\n");
    check("", "\"e\":{\"$equals\":[\"a\",\"b\"],\"to\":\"c\"}", "", "1,1.50,2,,\n", ORDER("") "{}]}\n");
}

static void test_conditions(void **state)
{
    static const char when[] = "\"p\":{\"$when\":[{\"column\":\"a\",\"in\":[\"x\",\"y\"]},{\"column\":\"b\","
                               "\"not\":[\"\",\"0\"]}],\"v\":{\"$const\":1}},\"t\":\"c\"";
    (void)state;
    check("", when, "", "1,X,5,c,\n", ORDER(",\"p\":{\"v\":1},\"t\":\"c\"") "{}]}\n");
    check("", when, "", "1,X,0,c,\n", ORDER(",\"t\":\"c\"") "{}]}\n");
    check("", when, "", "1,z,5,c,\n", ORDER(",\"t\":\"c\"") "{}]}\n");
    check(
        "\"options\":{\"o\":\"no\"},\"skip\":[{\"when\":{\"column\":\"a\"},\"because\":\"of a\"},{\"when\":[{"
        "\"column\":\"b\"},{\"option\":\"o\",\"in\":[\"no\"]}],\"because\":\"of b\"}],",
        "", "", "1,x,,,\n2,,x,,\n2,,x,,\n1,,,,\n",
        "skipped SKIPPED : of a\nskipped SKIPPED : of b\n"
        "NON_CONTIGUOUS o: rows of its order stand before, with another order's between them\n");
}

static void test_first_row_of_an_order(void **state)
{
    (void)state;
    check(
        "\"rows\":\"first\",", "\"a\":\"a\"", "\"c\":{\"$order\":\"b\"},\"q\":\"q\"",
        "1,x,EUR,,7\n1,,,,8\n1,x,EUR,,9\n",
        ORDER(",\"a\":\"x\"") "{\"c\":\"EUR\",\"q\":\"7\"},{\"c\":\"EUR\",\"q\":\"8\"},{\"c\":\"EUR\",\"q\":"
                              "\"9\"}]}\n");
    check("\"rows\":\"first\",", "\"a\":\"a\"", "", "1,x,,,\n1,y,,,\n",
          "CONFLICT a: a differs from that of the order's first row (line 2)\n");
    check("", "\"a\":\"a\"", "", "1,x,,,\n1,,,,\n",
          "CONFLICT a: a differs from that of the order's first row (line 2)\n");
    check("\"optional\":[\"zip\"],", "\"a\":\"zip\"", "", "1,x,,,\n", ORDER("") "{}]}\n");
}

static void test_refused_maps(void **state)
{
    (void)state;
    check("", "\"a\":{\"$order\":\"a\"}", "", "",
          "map m: order.a: $order belongs into \"line\": it is a column of the order's first row");
    check("", "\"a\":{\"$text\":[\"a\"]}", "", "",
          "map m: order.a: $text takes one column; {\"$first\": [...]} takes several");
    check("", "\"a\":{\"$first\":\"a\"}", "", "", "map m: order.a: $first takes a list of columns");
    check("", "\"a\":{\"$first\":[]}", "", "", "map m: order.a: expected 1 to 8 columns");
    check(
        "", "\"$when\":{\"column\":\"a\"}", "", "",
        "map m: order.$when: \"$when\" belongs into an object inside; whole orders are left out by \"skip\"");
    check("", "\"a\":{\"$when\":{\"column\":\"a\",\"in\":[\"x\"],\"not\":[\"y\"]},\"b\":\"b\"}", "", "",
          "map m: order.a: a condition is {\"column\": name} or {\"option\": name} with \"in\" or \"not\" "
          "and a "
          "list of texts");
    check("", "\"a\":{\"$when\":{\"option\":\"z\",\"in\":[\"x\"]},\"b\":\"b\"}", "", "",
          "map m: order.a: $option must name one of the map's options");
    check("", "\"a\":{\"$instant\":\"a\",\"offset\":\"CET\"}", "", "",
          "map m: order.a: \"CET\" is no offset from UTC, such as \"+02:00\"");
    check("\"rows\":\"some\",", "", "", "",
          "map m: the map: \"rows\" must be \"all\" or \"first\": which rows have the order's columns");
    check("\"optional\":[\"o\"],", "", "", "",
          "map m: the map: \"optional\" must name columns that the map uses, and not that of \"group\"");
    check("\"skip\":[{\"when\":{\"column\":\"a\"}}],", "", "", "",
          "map m: skip: a rule is {\"when\": condition, \"because\": text}");
    check("", "\"a\":{\"$word\":\"a\",\"words\":{}}", "", "",
          "map m: order.a: \"words\" must be an object of 1 to 64 words");
}

static void test_ready_maps_load(void **state)
{
    (void)state;
    for (unsigned i = 0; import_map_ready_name(i); i++) {
        struct import_map *map = NULL;
        struct oms_error error = {.message = ""};
        if (import_map_load(import_map_ready_name(i), NULL, 0, &map, &error) != OMS_OK)
            fail_msg("%s", error.message);
        import_map_destroy(map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instants),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_words_and_firsts),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_first_row_of_an_order),
        cmocka_unit_test(test_refused_maps),
        cmocka_unit_test(test_ready_maps_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
