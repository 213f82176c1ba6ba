/*
 * Coercion of variables and arguments: the tables of section 3 (scalars, enums, lists, input objects,
 * @oneOf), of 6.1.2 (variables) and 6.4.1 (arguments). `echo` answers with the arguments that its host was
 * given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json.h"
#include "tests/unit/graphql_fixture.h"

/* The arguments of `echo` without `need`, as JSON; or the first error's message. */
static const char *echo(const char *document, const char *variables)
{
    static char text[4096];
    struct oms_arena arena;
    struct oms_value response, args;
    struct oms_json_error error;
    struct oms_buf out;
    const struct oms_value *errors, *value;

    gqf_run(&gqf_shop, document, variables, NULL);
    oms_arena_init(&arena, 4096, 1u << 20);
    oms_buf_init(&out, sizeof(text));
    assert_int_equal(
        oms_json_parse(oms_str_make(gqf_shop.out.data, gqf_shop.out.len - 1), 64, &arena, &response, &error),
        OMS_OK);
    errors = oms_value_get(&response, "errors");
    if (errors) {
        oms_buf_append_str(&out, oms_value_get(&errors->list.items[0], "message")->text);
    } else {
        value = oms_value_get(oms_value_get(&response, "data"), "echo");
        assert_int_equal(oms_json_parse(value->text, 64, &arena, &args, &error), OMS_OK);
        assert_true(args.object.count > 0);
        args.object.count--; /* `need` comes last and is always there */
        oms_value_write_json(&args, &out);
    }
    snprintf(text, sizeof(text), "%.*s", OMS_STR_ARG(oms_buf_str(&out)));
    oms_buf_fini(&out);
    oms_arena_fini(&arena);
    return text;
}

static void check_literal(const char *argument, const char *want)
{
    char document[400];

    snprintf(document, sizeof(document), "{ echo(%s) }", argument);
    assert_string_equal(echo(document, NULL), want);
}

/* $v of `type`, given as `value`, for the argument `name`. */
static void check_variable(const char *type, const char *name, const char *value, const char *want)
{
    char document[400], variables[400];

    snprintf(document, sizeof(document), "query($v: %s) { echo(%s: $v) }", type, name);
    snprintf(variables, sizeof(variables), "{\"v\": %s}", value);
    assert_string_equal(echo(document, variables), want);
}

static void test_literals(void **state)
{
    (void)state;
    check_literal("need: 1", "{}");
    check_literal("int: -2147483648", "{\"int\":-2147483648}");
    check_literal("float: 1", "{\"float\":1}");
    check_literal("float: -1.5e3", "{\"float\":-1.5e3}");
    check_literal("id: 12345678901234567890", "{\"id\":\"12345678901234567890\"}");
    check_literal("id: \"x\"", "{\"id\":\"x\"}");
    check_literal("string: \"\"\"a\n  b\"\"\"", "{\"string\":\"a\\nb\"}");
    check_literal("size: HUGE, boolean: false",
                  "{\"boolean\":false,\"size\":\"HUGE\"}"); /* in schema order */
    check_literal("int: null", "{\"int\":null}");
    check_literal("money: 1.50", "{\"money\":\"1.50\"}");
    check_literal("any: {b: [1, 2.0, X, \"y\", null], a: {}}",
                  "{\"any\":{\"b\":[1,2.0,\"X\",\"y\",null],\"a\":{}}}");
    check_literal("range: {}", "{\"range\":{\"from\":1,\"sizes\":[\"SMALL\"]}}");
    check_literal("range: {sizes: LARGE, to: null, from: 3}",
                  "{\"range\":{\"from\":3,\"to\":null,\"sizes\":[\"LARGE\"]}}");
    check_literal(
        "ranges: {inner: {}}",
        "{\"ranges\":[{\"from\":1,\"inner\":{\"from\":1,\"sizes\":[\"SMALL\"]},\"sizes\":[\"SMALL\"]}]}");
    check_literal("pick: {name: \"n\"}", "{\"pick\":{\"name\":\"n\"}}");
}

/* Section 3.12's table. */
static void test_lists(void **state)
{
    (void)state;
    check_literal("list: [1, 2, 3]", "{\"list\":[1,2,3]}");
    check_literal("list: 1", "{\"list\":[1]}");
    check_literal("list: []", "{\"list\":[]}");
    check_literal("list: null", "{\"list\":null}");
    check_literal("matrix: [[1], [2, 3]]", "{\"matrix\":[[1],[2,3]]}");
    check_literal("matrix: [1, null, [2]]", "{\"matrix\":[[1],null,[2]]}");
    check_literal("matrix: [[1], [null]]", "{\"matrix\":[[1],[null]]}");
    check_literal("matrix: 1", "{\"matrix\":[[1]]}");
    check_literal("matrix: null", "{\"matrix\":null}");
    check_variable("[Int!]", "list", "[1,2]", "{\"list\":[1,2]}");
    check_variable("[Int!]", "list", "3", "{\"list\":[3]}");
    check_variable("[[Int]]", "matrix", "[1,[2,null],null]", "{\"matrix\":[[1],[2,null],null]}");
    check_variable("[[Int]]", "matrix", "5", "{\"matrix\":[[5]]}");
    check_variable("[Int!]", "list", "[1,null]",
                   "Variable \"$v[1]\": Expected a value of type \"Int!\", found null.");
    check_variable("[[Int]]", "matrix", "[[1],[\"x\"]]",
                   "Variable \"$v[1][0]\": Expected an Int (a whole number of 32 bits), found \"x\".");
}

static void test_scalars(void **state)
{
    (void)state;
    check_variable("Int", "int", "7", "{\"int\":7}");
    check_variable("Int", "int", "7.0", "{\"int\":7}");
    check_variable("Int", "int", "1e3", "{\"int\":1000}");
    check_variable("Int", "int", "7.5",
                   "Variable \"$v\": Expected an Int (a whole number of 32 bits), found 7.5.");
    check_variable("Int", "int", "2147483648",
                   "Variable \"$v\": Expected an Int (a whole number of 32 bits), found 2147483648.");
    check_variable("Int", "int", "\"7\"",
                   "Variable \"$v\": Expected an Int (a whole number of 32 bits), found \"7\".");
    check_variable("Int", "int", "true",
                   "Variable \"$v\": Expected an Int (a whole number of 32 bits), found true.");
    check_variable("Float", "float", "1.25", "{\"float\":1.25}");
    check_variable("Float", "float", "\"1\"",
                   "Variable \"$v\": Expected a Float (a finite number), found \"1\".");
    check_variable("Float", "float", "1e400",
                   "Variable \"$v\": Expected a Float (a finite number), found 1e400.");
    check_variable("String", "string", "\"\\u00e9\"", "{\"string\":\"\xC3\xA9\"}");
    check_variable("String", "string", "1", "Variable \"$v\": Expected a String, found 1.");
    check_variable("Boolean", "boolean", "true", "{\"boolean\":true}");
    check_variable("Boolean", "boolean", "\"true\"", "Variable \"$v\": Expected a Boolean, found \"true\".");
    check_variable("ID", "id", "\"a\"", "{\"id\":\"a\"}");
    check_variable("ID", "id", "4", "{\"id\":\"4\"}");
    check_variable("ID", "id", "4.5", "Variable \"$v\": Expected an ID (text or a whole number), found 4.5.");
    check_variable("Size", "size", "\"LARGE\"", "{\"size\":\"LARGE\"}");
    check_variable("Size", "size", "\"large\"",
                   "Variable \"$v\": Expected a value of the enum Size, found \"large\". Did you mean "
                   "\"LARGE\" or \"HUGE\"?");
    check_variable(
        "Size", "size", "\"LARG\"",
        "Variable \"$v\": Expected a value of the enum Size, found \"LARG\". Did you mean \"LARGE\"?");
    check_variable("Size", "size", "1", "Variable \"$v\": Expected a value of the enum Size, found 1.");
    check_variable("Money", "money", "\"2\"", "{\"money\":\"2\"}");
    check_variable("Money", "money", "\"bad\"", "Variable \"$v\": This is bad money.");
    check_variable("Any", "any", "{\"a\":[1,{\"b\":null}]}", "{\"any\":{\"a\":[1,{\"b\":null}]}}");
}

/* The tables of section 3.10. */
static void test_objects(void **state)
{
    (void)state;
    check_variable("Range", "range", "{\"to\":5}", "{\"range\":{\"from\":1,\"to\":5,\"sizes\":[\"SMALL\"]}}");
    check_variable("Range", "range", "{\"sizes\":null}", "{\"range\":{\"from\":1,\"sizes\":null}}");
    check_variable("Range", "range", "{\"from\":null}",
                   "Variable \"$v.from\": Expected a value of type \"Int!\", found null.");
    check_variable(
        "Range", "range", "{\"inner\":{\"inner\":{\"to\":\"x\"}}}",
        "Variable \"$v.inner.inner.to\": Expected an Int (a whole number of 32 bits), found \"x\".");
    check_variable("Range", "range", "{\"too\":1}",
                   "Variable \"$v\": \"too\" is no field of \"Range\". Did you mean \"to\"?");
    check_variable("Range", "range", "\"x\"", "Variable \"$v\": Expected an object for \"Range\".");
    check_variable("[Range!]", "ranges", "[{},{\"from\":true}]",
                   "Variable \"$v[1].from\": Expected an Int (a whole number of 32 bits), found true.");
    check_variable("Pick", "pick", "{\"id\":1}", "{\"pick\":{\"id\":\"1\"}}");
    check_variable("Pick", "pick", "{}", "Variable \"$v\": Exactly one field of \"Pick\" must be given.");
    check_variable("Pick", "pick", "{\"id\":1,\"name\":\"x\"}",
                   "Variable \"$v\": Exactly one field of \"Pick\" must be given.");
    check_variable("Pick", "pick", "{\"id\":1,\"name\":null}",
                   "Variable \"$v\": Exactly one field of \"Pick\" must be given.");
    check_variable("Pick", "pick", "{\"id\":null}",
                   "Variable \"$v\": Field \"id\" of \"Pick\" must not be null.");
}

static void test_variables(void **state)
{
    static const char q[] = "query($v: Int = 5) { echo(int: $v) }";
    static const char object[] = "query($v: Int) { echo(range: {to: $v, from: $v}) }";

    (void)state;
    assert_string_equal(echo(q, "{}"), "{\"int\":5}");
    assert_string_equal(echo(q, NULL), "{\"int\":5}");
    assert_string_equal(echo(q, "{\"v\":null}"), "{\"int\":null}");
    assert_string_equal(echo(q, "{\"v\":6,\"other\":1}"), "{\"int\":6}");
    assert_string_equal(echo("query($v: Int) { echo(int: $v) }", "{}"), "{}"); /* as if not written */
    assert_string_equal(echo("query($v: Int!) { echo(int: $v) }", "{}"),
                        "Variable \"$v\" of type \"Int!\" is required.");
    assert_string_equal(echo("query($v: Int!) { echo(int: $v) }", "{\"v\":null}"),
                        "Variable \"$v\": Expected a value of type \"Int!\", found null.");
    assert_string_equal(echo("query($v: Int! = 3) { echo(int: $v) }", "{}"), "{\"int\":3}");
    assert_string_equal(echo(q, "[1]"), "The variables must be an object.");
    /* Inside literals. */
    assert_string_equal(echo(object, "{}"), "{\"range\":{\"from\":1,\"sizes\":[\"SMALL\"]}}");
    assert_string_equal(echo(object, "{\"v\":4}"), "{\"range\":{\"from\":4,\"to\":4,\"sizes\":[\"SMALL\"]}}");
    assert_string_equal(echo(object, "{\"v\":null}"),
                        "Argument \"range.from\": Expected a value of type \"Int!\", found null.");
    assert_string_equal(echo("query($v: Int) { echo(matrix: [[$v], [1, $v]]) }", "{}"),
                        "{\"matrix\":[[null],[1,null]]}");
    assert_string_equal(
        echo("query($v: Any, $w: Int) { echo(any: {a: $v, b: [$w]}) }", "{\"v\":[true],\"w\":3}"),
        "{\"any\":{\"a\":[true],\"b\":[3]}}");
    /* A member whose variable has no value is not there; an item is null. */
    assert_string_equal(echo("query($v: Any, $w: Int) { echo(any: {a: $v, b: [$w], c: 1}) }", "{}"),
                        "{\"any\":{\"b\":[null],\"c\":1}}");
    assert_string_equal(echo("query($v: Int) { echo(need: $v, int: 1) }", "{}"), "{\"int\":1}");
}

static void check_response(const char *document, const char *variables, const char *operation,
                           const char *want)
{
    assert_string_equal(gqf_run(&gqf_shop, document, variables, operation), want);
}

/* A nullable variable in a non-null place that has a default: null is an error of the field (section 6.4.1).
 */
static void test_field_errors(void **state)
{
    (void)state;
    check_response(
        "query($v: Int) { hello a: echo(need: $v) }", "{\"v\":null}", NULL,
        "{\"data\":{\"hello\":\"{\\\"name\\\":\\\"you\\\"}\",\"a\":null},\"errors\":[{\"message\":"
        "\"Argument \\\"need\\\": Expected a value of type \\\"Int!\\\", found null.\",\"locations\":[{"
        "\"line\":1,\"column\":38}],\"path\":[\"a\"],\"extensions\":{\"code\":\"BAD_USER_INPUT\"}}]}");
    check_response(
        "query($v: String) { best { ... on Book { pages price(currency: $v) } } }", "{\"v\":null}", NULL,
        "{\"data\":{\"best\":{\"pages\":10,\"price\":null}},\"errors\":[{\"message\":\"Argument "
        "\\\"currency\\\": Expected a value of type \\\"String!\\\", found null.\",\"locations\":[{"
        "\"line\":1,\"column\":64}],\"path\":[\"best\",\"price\"],\"extensions\":{\"code\":"
        "\"BAD_USER_INPUT\"}}]}");
}

static void test_operation_names(void **state)
{
    static const char two[] = "query A { a: __typename } query B { b: __typename }";

    (void)state;
    check_response(two, NULL, "B", "{\"data\":{\"b\":\"Query\"}}");
    check_response(
        two, NULL, NULL,
        "{\"errors\":[{\"message\":\"The document has 2 operations: say by operationName which one to "
        "run.\",\"extensions\":{\"code\":\"BAD_USER_INPUT\"}}]}");
    check_response(
        two, NULL, "C",
        "{\"errors\":[{\"message\":\"The document has no operation of that name.\",\"extensions\":{"
        "\"code\":\"BAD_USER_INPUT\"}}]}");
    check_response("{ __typename }", NULL, "",
                   "{\"errors\":[{\"message\":\"The document has no operation of that "
                   "name.\",\"extensions\":{\"code\":\"BAD_USER_INPUT\"}}]}");
}

/* A request's arena that runs out is a refusal, wherever it happens. */
static void test_exhaustion(void **state)
{
    static const char document[] =
        "query($v: [Range!], $a: Boolean!) { echo(ranges: $v) best @skip(if: $a) { ... on Book { id } } }";
    struct oms_arena values;
    struct oms_value variables;
    struct oms_json_error json_error;
    struct gql_prepared *prepared;
    struct gql_request *request;
    unsigned limited = 0, done = 0;

    (void)state;
    oms_arena_init(&values, 4096, 1u << 20);
    assert_int_equal(oms_json_parse(OMS_STR("{\"a\":false,\"v\":[{\"inner\":{\"to\":1}},{},{},{},{},{},{}]}"),
                                    64, &values, &variables, &json_error),
                     OMS_OK);
    for (size_t max = 0; max < 8192; max += 8) {
        struct oms_arena arena, error_arena;
        struct gql_errors errors;
        enum oms_status status;
        oms_arena_init(&error_arena, 512, 1u << 16);
        gql_errors_init(&errors, &error_arena);
        assert_int_equal(gql_prepare(gqf_shop.schema, oms_str_of(document), &prepared, &errors), OMS_OK);
        oms_arena_init(&arena, 64, max);
        status = gql_bind(prepared, OMS_STR_NONE, &variables, &arena, &request, &errors);
        assert_true(status == OMS_OK || status == OMS_LIMIT);
        assert_int_equal(status == OMS_LIMIT, errors.count > 0);
        limited += status == OMS_LIMIT;
        done += status == OMS_OK;
        oms_arena_fini(&arena);
        oms_arena_fini(&error_arena);
        gql_prepared_release(prepared);
    }
    assert_true(limited > 10 && done > 10);
    oms_arena_fini(&values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_scalars),         cmocka_unit_test(test_objects),
        cmocka_unit_test(test_variables),       cmocka_unit_test(test_field_errors),
        cmocka_unit_test(test_operation_names), cmocka_unit_test(test_exhaustion),
    };

    return cmocka_run_group_tests(tests, gqf_set_up, gqf_tear_down);
}
