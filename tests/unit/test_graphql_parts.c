/* A root field whose objects are executed one by one and joined: the same answer as at once, aliases, errors
 * with their paths, an item that must not be null, a full buffer, cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/graphql/graphql.h"
#include "runtime/base/assert.h"

#define ITEMS 3

static const char sdl[] =
    "type Query { ask: Int } "
    "type Mutation { make(input: MakeInput!): MakePayload } "
    "input MakeInput { names: [String!]!  more: [Int!]  word: String } "
    "type MakePayload { results: [Item!]!  maybe: [Item]  words: [Item!]!  count: Int! } "
    "type Item { number: Int!  broken: Int!  fails: Int  below: Item  all: [Item!]! }";

struct joined { /* the value of MakePayload */
    struct oms_str json[4][ITEMS];
};

static const int numbers[ITEMS] = {10, 11, 12};

static bool item_number(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    oms_buf_append_i64(out, *(const int *)parent);
    return true;
}

static bool item_broken(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)parent;
    (void)out;
    gql_fail(x, "BROKEN", "It is broken");
    return false;
}

static const void *item_below(struct gql_exec *x, const void *parent)
{
    (void)x;
    return parent;
}

static const void *all_item(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    (void)index;
    return context;
}

static bool item_all(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    *out = (struct gql_list){2, all_item, parent};
    return true;
}

static bool payload_results(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct joined *joined = parent;
    const struct oms_str *items = joined->json[gql_exec_part(x)];
    if (!oms_str_present(items[0]))
        return false;
    for (size_t i = 0; i < ITEMS; i++) {
        oms_buf_append_char(out, i ? ',' : '[');
        oms_buf_append_str(out, items[i]);
    }
    oms_buf_append_char(out, ']');
    return true;
}

static bool payload_words(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    (void)parent;
    *out = (struct gql_list){2, all_item, &numbers[0]};
    return true;
}

static bool payload_count(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    (void)parent;
    oms_buf_append_i64(out, ITEMS);
    return true;
}

static const struct gql_binding bindings[] = {
    {"Query.ask", GQL_ROOT, 0, {.host = ""}},
    {"Mutation.make", GQL_ROOT, 0, {.host = ""}},
    {"MakePayload.results", GQL_PARTS, 0, {.leaf = payload_results}},
    {"MakePayload.maybe", GQL_PARTS, 0, {.leaf = payload_results}},
    {"MakePayload.words", GQL_LIST, 0, {.list = payload_words}},
    {"MakePayload.count", GQL_LEAF, 0, {.leaf = payload_count}},
    {"Item.number", GQL_LEAF, 0, {.leaf = item_number}},
    {"Item.broken", GQL_LEAF, 0, {.leaf = item_broken}},
    {"Item.fails", GQL_LEAF, 0, {.leaf = item_broken}},
    {"Item.below", GQL_OBJECT, 0, {.object = item_below}},
    {"Item.all", GQL_LIST, 0, {.list = item_all}},
};

struct lab {
    struct gql_schema *schema;
    struct gql_prepared *prepared;
    struct gql_request *request;
    struct gql_errors errors;
    struct oms_arena arena;
    struct oms_buf out, parts;
};

static void lab_init(struct lab *lab, const char *document, size_t out_max)
{
    struct oms_error error = {0};
    const struct gql_schema_config config = {
        .sdl = oms_str_of(sdl), .bindings = bindings, .binding_count = OMS_COUNT_OF(bindings)};
    oms_arena_init(&lab->arena, 4096, 1u << 20);
    oms_buf_init(&lab->out, 1u << 16);
    oms_buf_init(&lab->parts, out_max);
    gql_errors_init(&lab->errors, &lab->arena);
    if (gql_schema_create(&config, &lab->schema, &error) != OMS_OK)
        fail_msg("%s", error.message);
    if (gql_prepare(lab->schema, oms_str_of(document), &lab->prepared, &lab->errors) != OMS_OK ||
        gql_bind(lab->prepared, OMS_STR_NONE, NULL, &lab->arena, &lab->request, &lab->errors) != OMS_OK)
        fail_msg("%s: %.*s", document, OMS_STR_ARG(lab->errors.items[0].message));
}

static void lab_fini(struct lab *lab)
{
    gql_prepared_release(lab->prepared);
    gql_schema_destroy(lab->schema);
    oms_buf_fini(&lab->out);
    oms_buf_fini(&lab->parts);
    oms_arena_fini(&lab->arena);
}

/* Executes all items of `field`, last first, as their order does not matter, then the root. */
static const char *run(struct lab *lab, const char *field)
{
    struct joined joined = {{{{NULL, 0}}}};
    size_t parts = gql_part_count(lab->request, 0, field);
    size_t ends[4][ITEMS], starts[4][ITEMS];
    for (size_t i = ITEMS; i-- > 0;) {
        for (size_t part = 0; part < parts; part++) {
            starts[part][i] = lab->parts.len;
            enum gql_outcome outcome = gql_execute_part(lab->request, 0, field, part, i, &numbers[i], NULL,
                                                        &lab->parts, &lab->errors);
            ends[part][i] = lab->parts.len;
            assert_true((outcome == GQL_ROOT_NULL) == (starts[part][i] == ends[part][i]));
        }
    }
    for (size_t part = 0; part < parts; part++)
        for (size_t i = 0; i < ITEMS; i++)
            if (starts[part][i] != ends[part][i])
                joined.json[part][i] =
                    oms_str_make(lab->parts.data + starts[part][i], ends[part][i] - starts[part][i]);
    struct gql_root_result result;
    struct oms_buf value;
    oms_buf_init(&value, 1u << 16);
    result.outcome = gql_execute(lab->request, 0, &joined, NULL, &value, &lab->errors);
    result.json = oms_buf_str(&value);
    gql_respond(lab->request, &result, &lab->errors, &lab->out);
    oms_buf_append_char(&lab->out, '\0');
    oms_buf_fini(&value);
    return lab->out.data;
}

static void test_joined(void **state)
{
    struct lab lab;
    (void)state;
    lab_init(&lab,
             "mutation { m: make(input: {names: []}) { a: results { number below { number } } count "
             "words { number } b: results { all { n: number } } results { __typename } } }",
             1u << 16);
    assert_int_equal(gql_part_count(lab.request, 0, "results"), 3);
    assert_int_equal(gql_part_count(lab.request, 0, "maybe"), 0);
    assert_string_equal(
        run(&lab, "results"),
        "{\"data\":{\"m\":{\"a\":[{\"number\":10,\"below\":{\"number\":10}},{\"number\":11,\"below\":"
        "{\"number\":11}},{\"number\":12,\"below\":{\"number\":12}}],\"count\":3,\"words\":[{\"number\":10},"
        "{\"number\":10}],\"b\":[{\"all\":[{\"n\":10},{\"n\":10}]},{\"all\":[{\"n\":11},{\"n\":11}]},"
        "{\"all\":[{\"n\":12},{\"n\":12}]}],\"results\":[{\"__typename\":\"Item\"},{\"__typename\":\"Item\"},"
        "{\"__typename\":\"Item\"}]}}}");
    lab_fini(&lab);
}

static void test_errors(void **state)
{
    struct lab lab;
    const char *text;
    (void)state;
    /* Where null may be, the item stays. */
    lab_init(&lab, "mutation { m: make(input: {names: []}) { r: results { number fails all { fails } } } }",
             1u << 16);
    text = run(&lab, "results");
    assert_non_null(
        strstr(text, "{\"number\":11,\"fails\":null,\"all\":[{\"fails\":null},{\"fails\":null}]}"));
    assert_non_null(strstr(text, "\"path\":[\"m\",\"r\",2,\"fails\"]"));
    assert_non_null(strstr(text, "\"path\":[\"m\",\"r\",0,\"all\",1,\"fails\"]"));
    assert_int_equal(lab.errors.count, 3 * ITEMS);
    lab_fini(&lab);
    /* An item that may be null is null. */
    lab_init(&lab, "mutation { make(input: {names: []}) { maybe { number broken } } }", 1u << 16);
    text = run(&lab, "maybe");
    assert_non_null(strstr(text, "\"maybe\":[null,null,null]"));
    assert_non_null(strstr(text, "\"path\":[\"make\",\"maybe\",1,\"broken\"]"));
    lab_fini(&lab);
    /* One that must not be leaves nothing of its list, and that nothing of the root. */
    lab_init(&lab, "mutation { make(input: {names: []}) { results { below { broken } all { broken } } } }",
             1u << 16);
    text = run(&lab, "results");
    assert_non_null(strstr(text, "\"data\":{\"make\":null}"));
    lab_fini(&lab);
}

static void test_full(void **state)
{
    struct lab lab;
    (void)state;
    lab_init(&lab, "mutation { make(input: {names: []}) { results { number all { number } } } }", 60);
    size_t before;
    assert_int_equal(
        gql_execute_part(lab.request, 0, "results", 0, 0, &numbers[0], NULL, &lab.parts, &lab.errors),
        GQL_DATA);
    before = lab.parts.len;
    assert_int_equal(
        gql_execute_part(lab.request, 0, "results", 0, 1, &numbers[1], NULL, &lab.parts, &lab.errors),
        GQL_ROOT_NULL);
    assert_int_equal(lab.parts.len, before);
    assert_false(lab.parts.overflow);
    assert_int_equal(lab.errors.count, 1);
    assert_true(oms_str_eq_c(lab.errors.items[0].path, "[\"make\",\"results\",1]"));
    assert_string_equal(lab.errors.items[0].code, "LIMIT_EXCEEDED");
    lab_fini(&lab);
}

static uint64_t cost_of(const char *document)
{
    struct lab lab;
    lab_init(&lab, document, 64);
    uint64_t cost = gql_request_cost(lab.request, &lab.arena);
    lab_fini(&lab);
    return cost;
}

static void test_cost(void **state)
{
    (void)state;
    /* An item costs what is asked of it, and at least one; the longest list of the input counts. */
    assert_int_equal(cost_of("mutation { make(input: {names: [\"a\", \"b\"]}) { results { number } } }"),
                     1 + 2);
    assert_int_equal(cost_of("mutation { make(input: {names: [\"a\", \"b\"]}) { count } }"), 1 + 2);
    assert_int_equal(cost_of("mutation { make(input: {names: []}) { count } }"), 1);
    assert_int_equal(cost_of("mutation { make(input: {names: [\"a\"], more: [1, 2, 3, 4]}) { results { below "
                             "{ number } } } }"),
                     1 + 4 * 2);
    assert_int_equal(
        cost_of("mutation($w: String = \"w\") { make(input: {names: [\"a\", \"b\", \"c\"], word: $w}) "
                "{ results { below { number } } } }"),
        1 + 3 * 2);
}

static void test_kinds(void **state)
{
    struct gql_binding wrong[OMS_COUNT_OF(bindings)];
    struct gql_schema_config config = {
        .sdl = oms_str_of(sdl), .bindings = wrong, .binding_count = OMS_COUNT_OF(bindings)};
    struct gql_schema *schema;
    struct oms_error error = {0};
    (void)state;
    memcpy(wrong, bindings, sizeof(bindings));
    wrong[9].kind = GQL_PARTS; /* below is one object */
    assert_int_not_equal(gql_schema_create(&config, &schema, &error), OMS_OK);
    assert_non_null(strstr(error.message, "The binding of \"Item.below\" is GQL_PARTS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined), cmocka_unit_test(test_errors), cmocka_unit_test(test_full),
        cmocka_unit_test(test_cost),   cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
