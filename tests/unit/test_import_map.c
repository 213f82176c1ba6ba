/*
 * Maps and orders: the amounts at their edges, the superstore map to the letter, the language's refusals,
 * grouping, and the real file (when it lies beside the project) in a dry run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/import/import_amount.h"
#include "http/import/import_orders.h"
#include "runtime/base/arena.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"
#include "tests/integration/superstore_file.h"

/* ---- amounts ---- */

static void check_amounts(const char *net, const char *discount, const char *quantity, int64_t price,
                          int64_t off)
{
    struct import_amounts amounts;
    enum import_amount_fault fault;

    assert_null(import_amounts_compute(oms_str_of(net), oms_str_of(discount), oms_str_of(quantity), 2,
                                       &amounts, &fault));
    assert_int_equal(amounts.unit_price, price);
    assert_int_equal(amounts.line_discount, off);
}

static void refuse_amounts(const char *net, const char *discount, const char *quantity,
                           enum import_amount_fault wanted)
{
    struct import_amounts amounts;
    enum import_amount_fault fault;

    assert_non_null(import_amounts_compute(oms_str_of(net), oms_str_of(discount), oms_str_of(quantity), 2,
                                           &amounts, &fault));
    assert_int_equal(fault, wanted);
}

static void test_amounts(void **state)
{
    (void)state;
    check_amounts("261.96", "0", "2", 13098, 0);
    check_amounts("957.5775", "0.45", "5", 34821, 78347); /* 174105 − 95757.75 rounded half up to 95758 */
    check_amounts("22.368", "0.2", "2", 1398, 559);       /* 2236.8 → 2237 */
    check_amounts("0.005", "0.5", "1", 1, 0);             /* half a cent up */
    check_amounts("0", "0", "3", 0, 0);
    check_amounts("5", "0.000", "1", 500, 0);
    check_amounts("0.9999", "0.9999", "1", 999900, 999800);
}

static void test_amounts_refused(void **state)
{
    (void)state;
    refuse_amounts("10", "0", "3", IMPORT_AMOUNT_NET); /* 3.33… */
    refuse_amounts("1.001", "0", "1", IMPORT_AMOUNT_NET);
    refuse_amounts("", "0", "1", IMPORT_AMOUNT_NET);
    refuse_amounts("-1", "0", "1", IMPORT_AMOUNT_NET);
    refuse_amounts("1e2", "0", "1", IMPORT_AMOUNT_NET);
    refuse_amounts("1.", "0", "1", IMPORT_AMOUNT_NET);
    refuse_amounts(".5", "0", "1", IMPORT_AMOUNT_NET);
    refuse_amounts("1.2.3", "0", "1", IMPORT_AMOUNT_NET);
    refuse_amounts("1234567890123456", "0", "1", IMPORT_AMOUNT_NET);
    refuse_amounts("1", "1", "1", IMPORT_AMOUNT_DISCOUNT);
    refuse_amounts("1", "20%", "1", IMPORT_AMOUNT_DISCOUNT);
    refuse_amounts("1", "1.5", "1", IMPORT_AMOUNT_DISCOUNT);
    refuse_amounts("1", "0", "0", IMPORT_AMOUNT_QUANTITY);
    refuse_amounts("1", "0", "1.5", IMPORT_AMOUNT_QUANTITY);
    refuse_amounts("1", "0", "1000000001", IMPORT_AMOUNT_QUANTITY);
}

/* ---- dates ---- */

static void check_date(const char *format, const char *text, const char *expected)
{
    char out[OMS_DATETIME_TEXT_SIZE];
    int64_t ms;

    if (!expected) {
        assert_int_equal(import_date_parse(format, oms_str_of(text), &ms), OMS_INVALID);
        return;
    }
    assert_int_equal(import_date_parse(format, oms_str_of(text), &ms), OMS_OK);
    oms_datetime_format(ms, out);
    assert_string_equal(out, expected);
}

static void test_dates(void **state)
{
    (void)state;
    check_date("M/D/YYYY", "11/8/2018", "2018-11-08T00:00:00.000Z");
    check_date("M/D/YYYY", "1/31/2020", "2020-01-31T00:00:00.000Z");
    check_date("M/D/YYYY", "2/29/2016", "2016-02-29T00:00:00.000Z");
    check_date("M/D/YYYY", "2/29/2015", NULL);
    check_date("M/D/YYYY", "13/1/2015", NULL);
    check_date("M/D/YYYY", "1/1/15", NULL);
    check_date("M/D/YYYY", "1/1/2015 ", NULL);
    check_date("M/D/YYYY", "1-1-2015", NULL);
    check_date("M/D/YYYY", "", NULL);
    check_date("DD.MM.YYYY", "03.04.2021", "2021-04-03T00:00:00.000Z");
    check_date("DD.MM.YYYY", "3.4.2021", NULL);
    check_date("YYYYMMDD", "20210403", "2021-04-03T00:00:00.000Z");
}

/* ---- reading whole files ---- */

struct result {
    struct oms_buf text; /* orders and refusals, a line each */
    unsigned orders, refused;
    uint64_t rows;
    int64_t cents; /* of all lines, after discounts */
    struct oms_arena arena;
};

static int64_t cents_of(const struct oms_value *value)
{
    int64_t whole = 0, cents = 0;
    char text[64];

    assert_non_null(value);
    snprintf(text, sizeof(text), "%.*s", OMS_STR_ARG(value->text));
    long long a = 0, b = 0;
    assert_int_equal(sscanf(text, "%lld.%2lld", &a, &b), 2); /* always with two decimals */
    whole = a;
    cents = b;
    return whole * 100 + cents;
}

static bool on_order(void *context, const struct import_order *order)
{
    struct result *result = context;
    struct oms_value input;
    struct oms_json_error error;

    oms_arena_reset(&result->arena);
    assert_int_equal(oms_json_parse(order->input, 16, &result->arena, &input, &error), OMS_OK);
    const struct oms_value *ref = oms_value_get(&input, "externalRef");
    assert_true(ref && oms_str_eq(ref->text, order->ref));
    const struct oms_value *lines = oms_value_get(&input, "lineItems");
    assert_non_null(lines);
    assert_int_equal(lines->list.count, order->row_count);
    for (size_t i = 0; i < lines->list.count; i++) {
        const struct oms_value *line = &lines->list.items[i];
        const struct oms_value *price = oms_value_get(line, "productPrice");
        int64_t quantity;
        if (!price || !oms_value_get(line, "discountAmount"))
            continue;
        assert_int_equal(oms_str_to_i64(oms_value_get(line, "orderQuantity")->text, &quantity), OMS_OK);
        result->cents += cents_of(oms_value_get(price, "amount")) * quantity -
                         cents_of(oms_value_get(line, "discountAmount"));
    }
    result->orders++;
    result->rows += order->row_count;
    oms_buf_appendf(&result->text, "+%.*s", OMS_STR_ARG(order->ref));
    for (size_t i = 0; i < order->row_count; i++)
        oms_buf_appendf(&result->text, " %d", (int)order->rows[i].line);
    oms_buf_append_char(&result->text, '\n');
    return true;
}

static bool on_refused(void *context, const struct import_refusal *refusal)
{
    struct result *result = context;

    result->refused += (unsigned)refusal->row_count;
    oms_buf_appendf(&result->text, "-%.*s", OMS_STR_ARG(refusal->ref));
    for (size_t i = 0; i < refusal->row_count; i++)
        oms_buf_appendf(&result->text, " %d", (int)refusal->rows[i].line);
    oms_buf_appendf(&result->text, " %s %.*s: %s\n", refusal->code, OMS_STR_ARG(refusal->field),
                    refusal->message);
    return true;
}

static void result_init(struct result *result)
{
    *result = (struct result){0};
    oms_buf_init(&result->text, 16 << 20);
    oms_arena_init(&result->arena, 65536, 16 << 20);
}

static void result_fini(struct result *result)
{
    oms_buf_fini(&result->text);
    oms_arena_fini(&result->arena);
}

static enum oms_status read_text(struct import_map *map, const char *text, size_t len, size_t piece,
                                 struct result *result, char error[512])
{
    struct import_orders_sink sink = {result, on_order, on_refused};
    struct import_orders *orders = import_orders_create(map, &sink);
    enum oms_status status = OMS_OK;

    for (size_t at = 0; at < len && status == OMS_OK; at += piece)
        status = import_orders_feed(orders, text + at, len - at < piece ? len - at : piece);
    if (status == OMS_OK)
        status = import_orders_finish(orders);
    if (error)
        snprintf(error, 512, "%s", import_orders_error(orders));
    import_orders_destroy(orders);
    oms_buf_append_char(&result->text, '\0');
    return status;
}

static struct import_map *load(const char *name)
{
    struct import_map *map = NULL;
    struct oms_error error;

    assert_int_equal(import_map_load(name, NULL, 0, &map, &error), OMS_OK);
    return map;
}

/* ---- the superstore map ---- */

#define SUPERSTORE_HEADER                                                                                    \
    "Row ID,Order ID,Order Date,Ship Date,Ship Mode,Customer ID,Customer "                                   \
    "Name,Segment,Country,City,State,Postal "                                                                \
    "Code,Region,Product ID,Category,Sub-Category,Product Name,Sales,Quantity,Discount,Profit\n"

static bool keep_input(void *context, const struct import_order *order)
{
    oms_buf_append_str(context, order->input);
    return true;
}

static bool never_refused(void *context, const struct import_refusal *refusal)
{
    (void)context;
    fail_msg("refused: %s", refusal->message);
    return true;
}

static void check_superstore(const struct import_option *options, size_t option_count, const char *rows,
                             const char *expected)
{
    struct oms_buf got;
    struct import_orders_sink sink = {&got, keep_input, never_refused};
    struct import_map *map = NULL;
    struct oms_error error;

    oms_buf_init(&got, 1 << 20);
    assert_int_equal(import_map_load("superstore", options, option_count, &map, &error), OMS_OK);
    struct import_orders *orders = import_orders_create(map, &sink);
    assert_int_equal(import_orders_feed(orders, SUPERSTORE_HEADER, strlen(SUPERSTORE_HEADER)), OMS_OK);
    assert_int_equal(import_orders_feed(orders, rows, strlen(rows)), OMS_OK);
    assert_int_equal(import_orders_finish(orders), OMS_OK);
    oms_buf_append_char(&got, '\0');
    assert_string_equal(got.data, expected);
    import_orders_destroy(orders);
    import_map_destroy(map);
    oms_buf_fini(&got);
}

static void test_superstore_to_the_letter(void **state)
{
    static const struct import_option options[] = {{"currency", "EUR"}, {"vendor", "acme"}};

    (void)state;
    check_superstore(
        NULL, 0,
        "1,CA-1,11/8/2018,11/11/2018,Second Class,CG-1,Claire Gute,Consumer,United "
        "States,Henderson,Kentucky,42420,South,"
        "FUR-1,Furniture,Bookcases,\"Bookcase, \"\"oak\"\"\",957.5775,5,0.45,-383.0\n"
        "2,CA-1,11/8/2018,11/11/2018,Second Class,CG-1,Claire Gute,Consumer,United "
        "States,Henderson,Kentucky,42420,South,"
        "FUR-2,Furniture,Chairs,Chair,14.62,2,0,6.8714\n",
        "{\"externalRef\":\"CA-1\",\"placedAt\":\"2018-11-08T00:00:00.000Z\","
        "\"customerDetails\":{\"customerId\":\"CG-1\",\"name\":\"Claire Gute\"},"
        "\"destination\":{\"city\":\"Henderson\",\"state\":\"Kentucky\",\"postal\":\"42420\",\"country\":"
        "\"United "
        "States\"},\"shippingDetails\":{\"method\":\"Second Class\"},\"notes\":[{\"text\":\"Ship date: "
        "2018-11-11\"}],"
        "\"source\":\"superstore\",\"lineItems\":["
        "{\"productSku\":\"FUR-1\",\"productName\":\"Bookcase, "
        "\\\"oak\\\"\",\"productCategory\":\"Furniture\","
        "\"vendor\":{\"vendorId\":\"superstore\"},\"orderQuantity\":5,"
        "\"productPrice\":{\"amount\":\"348.21\",\"currency\":\"USD\"},\"discountAmount\":\"783.47\"},"
        "{\"productSku\":\"FUR-2\",\"productName\":\"Chair\",\"productCategory\":\"Furniture\","
        "\"vendor\":{\"vendorId\":\"superstore\"},\"orderQuantity\":2,"
        "\"productPrice\":{\"amount\":\"7.31\",\"currency\":\"USD\"},\"discountAmount\":\"0.00\"}]}");
    /* No postal code, a ship date that is not there, options. */
    check_superstore(
        options, 2, "1,CA-2,1/2/2020,,Same Day,X,Y,,United States,Burlington,Vermont,,East,S,C,,P,5,1,0,1\n",
        "{\"externalRef\":\"CA-2\",\"placedAt\":\"2020-01-02T00:00:00.000Z\","
        "\"customerDetails\":{\"customerId\":\"X\",\"name\":\"Y\"},"
        "\"destination\":{\"city\":\"Burlington\",\"state\":\"Vermont\",\"country\":\"United States\"},"
        "\"shippingDetails\":{\"method\":\"Same Day\"},\"source\":\"superstore\",\"lineItems\":["
        "{\"productSku\":\"S\",\"productName\":\"P\",\"productCategory\":\"C\",\"vendor\":{\"vendorId\":"
        "\"acme\"},\"orderQuantity\":1,\"productPrice\":{\"amount\":\"5.00\",\"currency\":\"EUR\"},"
        "\"discountAmount\":\"0.00\"}]}");
}

static void test_generated_file(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    long rows = superstore_write(file, 300, 7);

    (void)state;
    assert_int_equal(fclose(file), 0);
    for (size_t piece = 1; piece < 100000; piece *= 41) {
        struct result result;
        struct import_map *map = load("superstore");
        result_init(&result);
        assert_int_equal(read_text(map, text, len, piece, &result, NULL), OMS_OK);
        assert_int_equal(result.orders, 300);
        assert_int_equal(result.rows, rows);
        assert_int_equal(result.refused, 0);
        result_fini(&result);
        import_map_destroy(map);
    }
    free(text);
}

/* 5,009 orders of 9,994 rows; their sales, each rounded half up to cents, sum to what the lines say. */
static void test_real_file(void **state)
{
    static const char path[] = LITEOMS_SOURCE_DIR "/../shared/data/superstore.csv";
    FILE *file = fopen(path, "rb");
    char *text = malloc(4 << 20);
    struct result result;

    (void)state;
    if (!file) {
        free(text);
        skip();
        return;
    }
    size_t len = fread(text, 1, 4 << 20, file);
    assert_true(len > 0 && len < 4 << 20);
    (void)fclose(file);
    struct import_map *map = load("superstore");
    result_init(&result);
    assert_int_equal(read_text(map, text, len, 65536, &result, NULL), OMS_OK);
    assert_int_equal(result.orders, 5009);
    assert_int_equal(result.rows, 9994);
    assert_int_equal(result.refused, 0);
    assert_int_equal(result.cents, 229720107);
    result_fini(&result);
    import_map_destroy(map);
    free(text);
}

/* ---- grouping ---- */

static const char small_map[] =
    "{\"name\":\"small\",\"group\":\"o\",\"order\":{\"externalRef\":\"o\",\"customerDetails\":{"
    "\"name\":\"n\"}},\"line\":{\"productSku\":\"s\",\"orderQuantity\":{\"$integer\":\"q\"}}}";

static void check_small(const char *rows, const char *expected)
{
    struct import_map *map = NULL;
    struct oms_error error;
    struct result result;
    char text[4096];

    assert_int_equal(import_map_parse("small", oms_str_of(small_map), NULL, 0, &map, &error), OMS_OK);
    snprintf(text, sizeof(text), "o,n,s,q\n%s", rows);
    result_init(&result);
    assert_int_equal(read_text(map, text, strlen(text), 5, &result, NULL), OMS_OK);
    assert_string_equal(result.text.data, expected);
    result_fini(&result);
    import_map_destroy(map);
}

static void test_groups(void **state)
{
    (void)state;
    check_small("A,x,1,1\nA,x,2,1\nB,y,1,1\n", "+A 2 3\n+B 4\n");
    check_small(
        "A,x,1,1\nB,y,1,1\nA,x,2,1\nA,x,3,1\nC,z,1,1\n",
        "+A 2\n+B 3\n-A 4 NON_CONTIGUOUS o: rows of its order stand before, with another order's between "
        "them\n"
        "-A 5 NON_CONTIGUOUS o: rows of its order stand before, with another order's between them\n+C 6\n");
    check_small("A,x,1,1\nA,y,2,1\nB,y,1,1\n",
                "-A 2 3 CONFLICT n: n differs from that of the order's first row (line 2)\n+B 4\n");
    check_small("A,x,1,1\nA,x,2,two\nA,x,3,1\n", "-A 2 3 4 INVALID q: q \"two\": not a whole number\n");
}

static void test_unreadable_rows_take_their_neighbours(void **state)
{
    (void)state;
    check_small("A,x,1,1\nB,y,1\nB,y,2,1\nC,z,1,1\n",
                "- 3 INVALID : 3 columns where the header has 4\n"
                "-A 2 INVALID : line 3 beside it cannot be read and could be a line of this order\n"
                "-B 4 INVALID : line 3 beside it cannot be read and could be a line of this order\n+C 5\n");
    check_small("A,x,1,1\nA\"\nA,x,2,1\nB,y,1,1\n",
                "- 3 INVALID : a quote where none may be\n"
                "-A 2 4 INVALID : line 3 beside it cannot be read and could be a line of this order\n+B 5\n");
    check_small("A,x,1,1\n,x,2,1\n",
                "- 3 REQUIRED o: it does not say which order it belongs to\n"
                "-A 2 INVALID : line 3 beside it cannot be read and could be a line of this order\n");
}

static void test_too_many_lines(void **state)
{
    struct oms_buf rows;

    (void)state;
    oms_buf_init(&rows, 1 << 20);
    oms_buf_append_lit(&rows, "o,n,s,q\n");
    for (int i = 0; i < 501; i++)
        oms_buf_append_lit(&rows, "A,x,1,1\n");
    struct import_map *map = NULL;
    struct oms_error error;
    struct result result;
    assert_int_equal(import_map_parse("small", oms_str_of(small_map), NULL, 0, &map, &error), OMS_OK);
    result_init(&result);
    assert_int_equal(read_text(map, rows.data, rows.len, 4096, &result, NULL), OMS_OK);
    assert_int_equal(result.orders, 0);
    assert_int_equal(result.refused, 501);
    assert_non_null(strstr(result.text.data, "LIMIT_EXCEEDED : more than 500 lines"));
    result_fini(&result);
    import_map_destroy(map);
    oms_buf_fini(&rows);
}

static void test_many_orders_are_remembered(void **state)
{
    struct oms_buf rows;
    struct result result;

    (void)state;
    oms_buf_init(&rows, 4 << 20);
    oms_buf_append_lit(&rows, "o,n,s,q\n");
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5000; i++)
            oms_buf_appendf(&rows, "R-%d,x,1,1\n", i);
    struct import_map *map = NULL;
    struct oms_error error;
    assert_int_equal(import_map_parse("small", oms_str_of(small_map), NULL, 0, &map, &error), OMS_OK);
    result_init(&result);
    assert_int_equal(read_text(map, rows.data, rows.len, 4096, &result, NULL), OMS_OK);
    assert_int_equal(result.orders, 5000);
    assert_int_equal(result.refused, 5000);
    result_fini(&result);
    import_map_destroy(map);
    oms_buf_fini(&rows);
}

/* ---- the language ---- */

static void refuse_map(const char *text, const char *message)
{
    struct import_map *map = NULL;
    struct oms_error error;

    assert_int_not_equal(import_map_parse("m", oms_str_of(text), NULL, 0, &map, &error), OMS_OK);
    assert_string_equal(error.message, message);
}

#define AROUND(order, line)                                                                                  \
    "{\"name\":\"m\",\"group\":\"o\",\"order\":{\"externalRef\":\"o\"," order "},\"line\":{" line "}}"

static void test_maps_refused(void **state)
{
    (void)state;
    refuse_map("[]", "map m: the map: must be an object");
    refuse_map("{\"group\":\"o\"}", "map m: the map: \"name\" must be a text: it becomes the orders' source");
    refuse_map("{\"name\":\"m\",\"grup\":\"o\"}",
               "map m: the map: unknown key \"grup\"; did you mean \"group\"?");
    refuse_map("{\"name\":\"m\",\"group\":\"o\"}", "map m: order: must be an object");
    refuse_map("{\"name\":\"m\",\"group\":\"o\",\"order\":{},\"line\":{}}",
               "map m: the map: order needs \"externalRef\": it is what makes an import repeatable");
    refuse_map(AROUND("\"a\":{\"b\":{\"$dote\":\"c\"}}", ""),
               "map m: order.a.b: there is no operation $dote");
    refuse_map(AROUND("\"a\":{\"b\":{\"$text\":\"c\",\"format\":\"x\"}}", ""),
               "map m: order.a.b: \"format\" does not go with $text");
    refuse_map(
        AROUND("\"a\":1", ""),
        "map m: order.a: expected a column's name, an object or a list (a fixed value is {\"$const\": …})");
    refuse_map(AROUND("\"a\":{\"$date\":\"d\",\"format\":\"M/D\"}", ""),
               "map m: order.a: \"format\" must have YYYY, M or MM, and D or DD, such as \"M/D/YYYY\"");
    refuse_map(AROUND("\"a\":\"b\"", "\"c\":{\"$option\":\"vendor\"}"),
               "map m: line.c: $option must name one of the map's options");
    refuse_map(
        AROUND("\"a\":\"b\"", "\"c\":{\"$unitPrice\":{\"net\":\"a\",\"discount\":\"b\",\"quantity\":\"c\"}}"),
        "map m: line.c: prices need the option \"currency\" in the map");
    refuse_map(AROUND("\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{\"i\":\"j\"}}}}}}}}", ""),
               "map m: order.a.b.c.d.e.f.g.h: nested deeper than 8");
}

static void test_map_that_is_no_json(void **state)
{
    struct import_map *map = NULL;
    struct oms_error error;

    (void)state;
    assert_int_equal(import_map_parse("m", OMS_STR("{\n]"), NULL, 0, &map, &error), OMS_INVALID);
    assert_non_null(strstr(error.message, "map m: line 2, column 1: "));
}

static void test_options_and_names(void **state)
{
    static const struct import_option unknown[] = {{"colour", "red"}};
    static const struct import_option wrong[] = {{"currency", "dollars"}};
    struct import_map *map = NULL;
    struct oms_error error;

    (void)state;
    assert_int_equal(import_map_load("superstore", unknown, 1, &map, &error), OMS_INVALID);
    assert_string_equal(error.message, "map superstore: the map: it has no option \"colour\"");
    assert_int_equal(import_map_load("superstore", wrong, 1, &map, &error), OMS_INVALID);
    assert_string_equal(error.message,
                        "map superstore: the map: \"dollars\" is no ISO 4217 currency, such as USD");
    assert_int_equal(import_map_load("superstor", NULL, 0, &map, &error), OMS_NOT_FOUND);
    assert_non_null(strstr(error.message, "superstore, shopify, woocommerce, woocommerce-net, jsonl"));
}

static void test_missing_column(void **state)
{
    struct import_map *map = load("superstore");
    struct result result;
    char error[512];

    (void)state;
    result_init(&result);
    assert_int_equal(read_text(map, "Order Id,x\n1,2\n", 15, 100, &result, error), OMS_INVALID);
    assert_string_equal(
        error, "the file has no column \"Order ID\", which the map superstore needs (it has \"Order Id\")");
    result_fini(&result);
    import_map_destroy(map);
}

static void test_every_operation(void **state)
{
    static const char text[] =
        AROUND("\"a\":[{\"$text\":\"t\",\"prefix\":\"p\\\": \"},{\"$const\":{\"k\":[1,null]}}],"
               "\"e\":{\"f\":{\"g\":\"empty\"}},\"l\":[\"empty\"]",
               "\"b\":{\"$boolean\":\"b\"},\"i\":{\"$integer\":\"i\"},\"d\":{\"$decimal\":\"d\"},"
               "\"r\":{\"$text\":\"t\",\"required\":true}");
    static const char rows[] =
        "o,t,empty,b,i,d\n\"1\",tt\"\n1,tt,,yes,007,1.50\n2,,,no,1,2\n3,t,,maybe,1,2\n4,t,,0,1,1e\n";
    struct oms_buf got;
    struct import_map *map = NULL;
    struct oms_error error;
    struct result result;

    (void)state;
    oms_buf_init(&got, 1 << 16);
    assert_int_equal(import_map_parse("m", oms_str_of(text), NULL, 0, &map, &error), OMS_OK);
    const struct oms_str header[] = {OMS_STR("o"), OMS_STR("t"), OMS_STR("empty"),
                                     OMS_STR("b"), OMS_STR("i"), OMS_STR("d")};
    const struct oms_str row[] = {OMS_STR("1"),   OMS_STR("t\\t"), OMS_STR(""),
                                  OMS_STR("YES"), OMS_STR("-7"),   OMS_STR("1.50")};
    struct import_fault fault;
    assert_int_equal(import_map_bind(map, header, 6, &error), OMS_OK);
    assert_int_equal(import_map_write_order(map, row, &got, &fault), OMS_OK);
    assert_int_equal(import_map_write_line(map, row, row, &got, &fault), OMS_OK);
    oms_buf_append_char(&got, '\0');
    assert_string_equal(got.data,
                        "\"externalRef\":\"1\",\"a\":[\"p\\\": t\\\\t\",{\"k\":[1,null]}],\"source\":\"m\""
                        "{\"b\":true,\"i\":-7,\"d\":\"1.50\",\"r\":\"t\\\\t\"}");
    result_init(&result);
    assert_int_equal(read_text(map, rows, sizeof(rows) - 1, 9, &result, NULL), OMS_OK);
    assert_string_equal(result.text.data,
                        "- 2 INVALID : a quote where none may be\n"
                        "-1 3 INVALID : line 2 beside it cannot be read and could be a line of this order\n"
                        "-2 4 REQUIRED t: t: is empty\n"
                        "-3 5 INVALID b: b \"maybe\": neither true nor false\n"
                        "-4 6 INVALID d: d \"1e\": not a decimal number\n");
    result_fini(&result);
    import_map_destroy(map);
    oms_buf_fini(&got);
}

static void test_json_lines(void **state)
{
    static const char lines[] =
        "\xEF\xBB\xBF{\"externalRef\":\"A\",\"lineItems\":[1]}\r\n\n"
        "{\"externalRef\":\"B\",\"source\":\"shop\",\"lineItems\":[1]}\n"
        "{\"lineItems\":[1]}\n[1]\n{\"externalRef\":\n{\"externalRef\":\"C\",\"lineItems\":[2]}";
    struct import_map *map = load("jsonl");
    struct result result;

    (void)state;
    for (size_t piece = 1; piece < 200; piece += 13) {
        result_init(&result);
        assert_int_equal(read_text(map, lines, sizeof(lines) - 1, piece, &result, NULL), OMS_OK);
        assert_int_equal(result.orders, 3);
        assert_int_equal(result.refused, 3);
        assert_non_null(strstr(result.text.data, "+A 1\n+B 3\n- 4 REQUIRED externalRef: "));
        assert_non_null(strstr(result.text.data, "- 5 INVALID : not an object\n- 6 INVALID : column 16: "));
        assert_non_null(strstr(result.text.data, "+C 7\n"));
        result_fini(&result);
    }
    import_map_destroy(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_amounts_refused),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_superstore_to_the_letter),
        cmocka_unit_test(test_generated_file),
        cmocka_unit_test(test_real_file),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_unreadable_rows_take_their_neighbours),
        cmocka_unit_test(test_too_many_lines),
        cmocka_unit_test(test_many_orders_are_remembered),
        cmocka_unit_test(test_maps_refused),
        cmocka_unit_test(test_map_that_is_no_json),
        cmocka_unit_test(test_options_and_names),
        cmocka_unit_test(test_missing_column),
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_json_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
