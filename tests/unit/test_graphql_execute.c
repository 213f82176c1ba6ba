/*
 * Execution: order and merging of fields, fragments on interfaces and unions, lists, null propagation with
 * paths (section 6.4.4), @skip and @include, what a host sees of a request, and the bounds of the response.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "tests/unit/graphql_fixture.h"

static void check(const char *document, const char *want)
{
    assert_string_equal(gqf_run(&gqf_shop, document, NULL, NULL), want);
}

static void check_with(const char *document, const char *variables, const char *want)
{
    assert_string_equal(gqf_run(&gqf_shop, document, variables, NULL), want);
}

/* ---- selections ---- */

static void test_order_and_merging(void **state)
{
    (void)state;
    check("{ shelf { name id } }", "{\"data\":{\"shelf\":{\"name\":\"Top\",\"id\":\"s1\"}}}");
    check("{ b: hello a: __typename }", "{\"data\":{\"b\":\"{\\\"name\\\":\\\"you\\\"}\",\"a\":\"Query\"}}");
    /* A field's place is that of its first mention, its selections come together in order. */
    check("{ shelf { id } toy { id } shelf { name id } }",
          "{\"data\":{\"shelf\":{\"id\":\"s1\",\"name\":\"Top\"},\"toy\":{\"id\":\"t1\"}}}");
    check("{ ...A shelf { best { ... on Toy { name } } } ...A } fragment A on Query { shelf { id best { "
          "__typename } } }",
          "{\"data\":{\"shelf\":{\"id\":\"s1\",\"best\":{\"__typename\":\"Toy\",\"name\":\"Car\"}}}}");
    check("{ x: toy { id } y: toy { z: id id __typename q: __typename } }",
          "{\"data\":{\"x\":{\"id\":\"t1\"},\"y\":{\"z\":\"t1\",\"id\":\"t1\",\"__typename\":\"Toy\",\"q\":"
          "\"Toy\"}}}");
    check("{ toy { __typename } }", "{\"data\":{\"toy\":{\"__typename\":\"Toy\"}}}");
}

static void test_fragments(void **state)
{
    (void)state;
    check("{ node(id: \"b1\") { id ... on Named { name } ... on Book { pages } ... on Toy { size } "
          "__typename } }",
          "{\"data\":{\"node\":{\"id\":\"b1\",\"name\":\"A \\\"quoted\\\" "
          "book\",\"pages\":10,\"__typename\":\"Book\"}}}");
    check("{ named { ...N } best { ...I } } fragment N on Node { id ...I } fragment I on Item { ... on Toy { "
          "size } "
          "... on Book { tags } }",
          "{\"data\":{\"named\":{\"id\":\"t1\",\"size\":\"LARGE\"},\"best\":{\"tags\":[\"x\",\"y\"]}}}");
    check("{ shelves { items(first: 2) { ... on Named { id } ... on Book { next { id } } ... { __typename } "
          "} } }",
          "{\"data\":{\"shelves\":[{\"items\":[{\"id\":\"b1\",\"next\":{\"id\":\"b2\"},\"__typename\":"
          "\"Book\"},{\"id\":"
          "\"t1\",\"__typename\":\"Toy\"}]},{\"items\":[{\"id\":\"b1\",\"next\":{\"id\":\"b2\"},\"__"
          "typename\":\"Book\"},{"
          "\"id\":\"t1\",\"__typename\":\"Toy\"}]}]}}");
    /* No fragment applies: an empty object. */
    check("{ best { ... on Toy { id } } }", "{\"data\":{\"best\":{}}}");
    check("{ best { ... on Book { next { next { id } } } } }",
          "{\"data\":{\"best\":{\"next\":{\"next\":null}}}}");
}

static void test_arguments(void **state)
{
    (void)state;
    check("{ shelf { items(first: 1) { __typename } none: items(first: 0) { __typename } } }",
          "{\"data\":{\"shelf\":{\"items\":[{\"__typename\":\"Book\"}],\"none\":[]}}}");
    check("{ best { ... on Book { price a: price(factor: 2, currency: \"USD\") } } }",
          "{\"data\":{\"best\":{\"price\":[\"1\",\"EUR\"],\"a\":[\"2\",\"USD\"]}}}");
    check_with("query($n: Int, $c: String! = \"GBP\") { shelf { items(first: $n) { ... on Book { "
               "price(currency: $c) } } } }",
               "{\"n\":1}", "{\"data\":{\"shelf\":{\"items\":[{\"price\":[\"1\",\"GBP\"]}]}}}");
    /* The same plan, other variables. */
    check_with(
        "query($n: Int) { shelf { items(first: $n) { __typename } } }", "{}",
        "{\"data\":{\"shelf\":{\"items\":[{\"__typename\":\"Book\"},{\"__typename\":\"Toy\"},{\"__typename\":"
        "\"Book\"}]}}}");
}

/* ---- null (section 6.4.4) ---- */

static void test_null(void **state)
{
    (void)state;
    check("{ node(id: \"zz\") { id } }", "{\"data\":{\"node\":null}}");
    check("{ best { ... on Book { next { name } } } }", "{\"data\":{\"best\":{\"next\":{\"name\":null}}}}");
    check("{ toy { parts { id } next { next { id } } } }",
          "{\"data\":{\"toy\":{\"parts\":null,\"next\":{\"next\":null}}}}");
    /* A resolver's error: its field is null, the rest is there. */
    check("{ best { ... on Book { id fails name } } }",
          "{\"data\":{\"best\":{\"id\":\"b1\",\"fails\":null,\"name\":\"A \\\"quoted\\\" "
          "book\"}},\"errors\":[{\"message\":"
          "\"No ink for 3 pages.\",\"locations\":[{\"line\":1,\"column\":27}],\"path\":[\"best\",\"fails\"],"
          "\"extensions\":{\"code\":\"OUT_OF_INK\"}}]}");
}

#define BROKEN(path, line, column)                                                                           \
    "{\"message\":\"\\\"Book.broken\\\" cannot be null.\",\"locations\":[{\"line\":" line                    \
    ",\"column\":" column "}],\"path\":" path ",\"extensions\":{\"code\":\"INTERNAL\"}}"

static void test_propagation(void **state)
{
    (void)state;
    /* To the nearest nullable field. */
    check("{ hello best { ... on Book { id broken name } } }",
          "{\"data\":{\"hello\":\"{\\\"name\\\":\\\"you\\\"}\",\"best\":null},\"errors\":[" BROKEN(
              "[\"best\",\"broken\"]", "1", "33") "]}");
    /* To a nullable item of a list: its siblings stay. */
    check("{ nodes { ... on Book { broken } } }",
          "{\"data\":{\"nodes\":[{},null,null,{},null]},\"errors\":[" BROKEN(
              "[\"nodes\",1,\"broken\"]", "1",
              "25") ",{\"message\":\"A value of \\\"Node\\\" has no type of "
                    "it.\",\"locations\":[{\"line\":1,\"column\":3}],"
                    "\"path\":[\"nodes\",4],\"extensions\":{\"code\":\"INTERNAL\"}}]}");
    /* [Item!]! inside a nullable object. */
    check("{ shelf { id items { ... on Book { broken } } } toy { id } }",
          "{\"data\":{\"shelf\":null,\"toy\":{\"id\":\"t1\"}},\"errors\":[" BROKEN(
              "[\"shelf\",\"items\",0,\"broken\"]", "1", "36") "]}");
    /* [[Item!]]!: the inner list is nullable. */
    check("{ shelf { rows { ... on Book { broken } } } }",
          "{\"data\":{\"shelf\":{\"rows\":[null,null,[],null]}},\"errors\":[" BROKEN(
              "[\"shelf\",\"rows\",0,0,\"broken\"]", "1",
              "32") ",{\"message\":\"\\\"Shelf.rows\\\" cannot be "
                    "null.\",\"locations\":[{\"line\":1,\"column\":11}],\"path\":[\"shelf\","
                    "\"rows\",1,1],\"extensions\":{\"code\":\"INTERNAL\"}}]}");
    /* [Item]: a null item is no error, a broken one is. */
    check("{ shelf { spare { ... on Book { broken } __typename ... on Toy { id name } } } }",
          "{\"data\":{\"shelf\":{\"spare\":[null,null,null]}},\"errors\":[{\"message\":\"\\\"Toy.name\\\" "
          "cannot be null.\","
          "\"locations\":[{\"line\":1,\"column\":69}],\"path\":[\"shelf\",\"spare\",0,\"name\"],"
          "\"extensions\":{\"code\":"
          "\"INTERNAL\"}}," BROKEN("[\"shelf\",\"spare\",2,\"broken\"]", "1", "33") "]}");
    /* To the root: data is null. */
    check("{ toy { id } missing }",
          "{\"data\":null,\"errors\":[{\"message\":\"\\\"Query.missing\\\" cannot be "
          "null.\",\"locations\":[{\"line\":1,"
          "\"column\":14}],\"path\":[\"missing\"],\"extensions\":{\"code\":\"INTERNAL\"}}]}");
    check("{ m: must { x: must { id } } }",
          "{\"data\":null,\"errors\":[{\"message\":\"\\\"Shelf.must\\\" cannot be "
          "null.\",\"locations\":[{\"line\":1,"
          "\"column\":13}],\"path\":[\"m\",\"x\"],\"extensions\":{\"code\":\"INTERNAL\"}}]}");
    check("{ shelves { best { ... on Toy { next { broken } } } } }",
          "{\"data\":{\"shelves\":[{\"best\":{\"next\":null}},{\"best\":{\"next\":null}}]},\"errors\":["
          "{\"message\":\"\\\"Toy.broken\\\" cannot be "
          "null.\",\"locations\":[{\"line\":1,\"column\":40}],\"path\":[\"shelves\",0,"
          "\"best\",\"next\",\"broken\"],\"extensions\":{\"code\":\"INTERNAL\"}},"
          "{\"message\":\"\\\"Toy.broken\\\" cannot be "
          "null.\",\"locations\":[{\"line\":1,\"column\":40}],\"path\":[\"shelves\",1,"
          "\"best\",\"next\",\"broken\"],\"extensions\":{\"code\":\"INTERNAL\"}}]}");
}

/* ---- @skip and @include ---- */

static void test_conditions(void **state)
{
    static const char document[] =
        "query($a: Boolean!, $b: Boolean! = true) { toy { id @skip(if: $a) name @include(if: $b) ...F "
        "@include(if: $a) "
        "size @skip(if: true) ... @skip(if: $b) { x: id } } } fragment F on Toy { size }";
    static const char both[] =
        "query($a: Boolean!, $b: Boolean!) { toy { id @skip(if: $a) @include(if: $b) } }";

    (void)state;
    check_with(document, "{\"a\":true}", "{\"data\":{\"toy\":{\"name\":\"Car\",\"size\":\"LARGE\"}}}");
    check_with(document, "{\"a\":false}", "{\"data\":{\"toy\":{\"id\":\"t1\",\"name\":\"Car\"}}}");
    check_with(document, "{\"a\":false,\"b\":false}", "{\"data\":{\"toy\":{\"id\":\"t1\",\"x\":\"t1\"}}}");
    check_with(document, "{\"a\":true,\"b\":false}",
               "{\"data\":{\"toy\":{\"size\":\"LARGE\",\"x\":\"t1\"}}}");
    check_with(both, "{\"a\":false,\"b\":true}", "{\"data\":{\"toy\":{\"id\":\"t1\"}}}");
    check_with(both, "{\"a\":true,\"b\":true}", "{\"data\":{\"toy\":{}}}");
    check_with(both, "{\"a\":false,\"b\":false}", "{\"data\":{\"toy\":{}}}");
    /* Of two mentions one is enough, and only the selections of what is left come together. */
    check_with("query($a: Boolean!) { toy @skip(if: $a) { id } toy @include(if: $a) { name } toy { size } }",
               "{\"a\":true}", "{\"data\":{\"toy\":{\"name\":\"Car\",\"size\":\"LARGE\"}}}");
    check_with("query($a: Boolean!) { toy @skip(if: $a) { id } hello @skip(if: $a) }", "{\"a\":true}",
               "{\"data\":{}}");
    check_with(
        "query($a: Boolean = true) { hello @skip(if: $a) }", "{\"a\":null}",
        "{\"errors\":[{\"message\":\"Variable \\\"$a\\\" decides @skip or @include and must not be null.\","
        "\"locations\":[{\"line\":1,\"column\":45}],\"extensions\":{\"code\":\"BAD_USER_INPUT\"}}]}");
}

/* A null for a condition below the root is an error of each object that asks it, twice with a kept plan. */
static void test_null_conditions(void **state)
{
    static const char document[] =
        "query($a: Boolean = true, $b: Boolean!) { hello best { ... on Toy { id @include(if: $a) } kind: "
        "__typename } shelf { id rows { ... on Book @skip(if: $a) { id } } } toy { id @skip(if: $b) "
        "@include(if: $a) name } }";

    (void)state;
    for (int i = 0; i < 2; i++)
        check_with(document, "{\"a\":null,\"b\":true}",
                   "{\"data\":{\"hello\":\"{\\\"name\\\":\\\"you\\\"}\",\"best\":{\"kind\":\"Book\"},"
                   "\"shelf\":{\"id\":\"s1\",\"rows\":[null,null,[],null]},\"toy\":{\"name\":\"Car\"}},"
                   "\"errors\":[{\"message\":\"Variable \\\"$a\\\" decides @skip or @include and must not be "
                   "null.\",\"locations\":[{\"line\":1,\"column\":150}],\"path\":[\"shelf\",\"rows\",0,0],"
                   "\"extensions\":{\"code\":\"BAD_USER_INPUT\"}},{\"message\":\"Variable \\\"$a\\\" decides "
                   "@skip or @include and must not be null.\",\"locations\":[{\"line\":1,\"column\":150}],"
                   "\"path\":[\"shelf\",\"rows\",1,0],\"extensions\":{\"code\":\"BAD_USER_INPUT\"}}]}");
}

/* All masks of five conditions on one prepared document: more than it keeps plans for. */
static void test_variants(void **state)
{
    static const char document[] =
        "query($a: Boolean!, $b: Boolean!, $c: Boolean!, $d: Boolean!, $e: Boolean!) { toy { a: id "
        "@include(if: $a) "
        "b: id @include(if: $b) c: id @include(if: $c) d: id @include(if: $d) e: id @include(if: $e) } }";
    struct gql_prepared *prepared;
    struct gql_errors errors;
    struct oms_arena arena;
    size_t bytes;

    (void)state;
    oms_arena_init(&arena, 4096, 1u << 20);
    gql_errors_init(&errors, &arena);
    assert_int_equal(gql_prepare(gqf_shop.schema, oms_str_of(document), &prepared, &errors), OMS_OK);
    bytes = gql_prepared_bytes(prepared);
    for (unsigned round = 0; round < 3 * 32; round++) {
        struct oms_field fields[5];
        struct oms_value variables = {.kind = OMS_VALUE_OBJECT, .object = {fields, 5}};
        struct gql_request *request;
        char want[200] = "{\"data\":{\"toy\":{";
        const char *separator = "";
        oms_arena_reset(&arena);
        gql_errors_init(&errors, &arena);
        for (unsigned i = 0; i < 5; i++) {
            static const char *const names[] = {"a", "b", "c", "d", "e"};
            fields[i].name = oms_str_of(names[i]);
            fields[i].value = (struct oms_value){.kind = OMS_VALUE_BOOL, .boolean = round >> i & 1};
            if (round >> i & 1) {
                snprintf(want + strlen(want), sizeof(want) - strlen(want), "%s\"%s\":\"t1\"", separator,
                         names[i]);
                separator = ",";
            }
        }
        strcat(want, "}}}");
        assert_int_equal(gql_bind(prepared, OMS_STR_NONE, &variables, &arena, &request, &errors), OMS_OK);
        oms_buf_reset(&gqf_shop.out);
        gqf_execute(&gqf_shop, request, &errors);
        oms_buf_append_char(&gqf_shop.out, '\0');
        assert_string_equal(gqf_shop.out.data, want);
    }
    assert_int_equal(gql_prepared_bytes(prepared), bytes);
    gql_prepared_hold(prepared);
    gql_prepared_release(prepared);
    gql_prepared_release(prepared);
    oms_arena_fini(&arena);
}

/* ---- what a host sees ---- */

static void test_request(void **state)
{
    static const char document[] =
        "mutation M($id: ID!) {\n  a: rename(id: $id, name: \"x\") { ...F }\n  __typename\n"
        "  rename(id: 2, name: \"y\") { id } }\n"
        "fragment F on Book { n: next { shelf { items { ... on Book { p: pages } } } } }";
    struct gql_prepared *prepared;
    struct gql_request *request;
    const struct gql_root *root;
    struct gql_errors errors;
    struct oms_arena arena;
    struct oms_field field = {OMS_STR("id"), {.kind = OMS_VALUE_STRING, .text = {"7", 1}}};
    struct oms_value variables = {.kind = OMS_VALUE_OBJECT, .object = {&field, 1}};

    (void)state;
    oms_arena_init(&arena, 4096, 1u << 20);
    gql_errors_init(&errors, &arena);
    assert_int_equal(gql_prepare(gqf_shop.schema, oms_str_of(document), &prepared, &errors), OMS_OK);
    assert_true(gql_prepared_bytes(prepared) > sizeof(document));
    assert_int_equal(gql_bind(prepared, OMS_STR("M"), &variables, &arena, &request, &errors), OMS_OK);
    assert_int_equal(gql_request_operation(request), GQL_MUTATION);
    assert_true(oms_str_eq_c(gql_request_operation_name(request), "M"));
    assert_int_equal(gql_request_root_count(request), 3);
    root = gql_request_root(request, 0);
    assert_true(oms_str_eq_c(root->response_key, "a"));
    assert_true(oms_str_eq_c(root->field, "rename"));
    assert_true(oms_str_eq_c(oms_value_get(root->args, "id")->text, "7"));
    assert_true(oms_str_eq_c(oms_value_get(root->args, "name")->text, "x"));
    assert_int_equal(root->needs, GQL_NEEDS_STORE); /* pages, far below */
    assert_int_equal(root->line, 2);
    assert_int_equal(root->column, 3);
    assert_non_null(root->host);
    assert_true(gql_root_selects(request, 0, "next"));
    assert_true(gql_root_selects(request, 0, "next.shelf.items.pages"));
    assert_false(gql_root_selects(request, 0, "next.shelf.items.id"));
    assert_false(gql_root_selects(request, 0, "n"));
    assert_false(gql_root_selects(request, 0, "id"));
    root = gql_request_root(request, 1);
    assert_null(root->host);
    assert_int_equal(root->args->kind, OMS_VALUE_OBJECT);
    assert_false(gql_root_selects(request, 1, "id"));
    root = gql_request_root(request, 2);
    assert_int_equal(root->needs, 0);
    assert_true(oms_str_eq_c(oms_value_get(root->args, "id")->text, "2"));
    gql_prepared_release(prepared);
    oms_arena_fini(&arena);
}

static void test_anonymous_subscription(void **state)
{
    (void)state;
    check("subscription { changed { id } }", "{\"data\":{\"changed\":{\"id\":\"b1\"}}}");
}

/* One event of a stream: the root value in, the whole response out; the errors are the event's own. */
static void check_event(const struct gql_request *request, const void *value, const char *want)
{
    struct oms_arena arena;
    struct gql_errors errors;
    struct oms_buf data, out;
    struct gql_root_result result;

    oms_arena_init(&arena, 512, 1u << 16);
    gql_errors_init(&errors, &arena);
    oms_buf_init(&data, 1u << 16);
    oms_buf_init(&out, 1u << 16);
    result.outcome = gql_execute(request, 0, value, &gqf_shop, &data, &errors);
    result.json = oms_buf_str(&data);
    gql_respond(request, &result, &errors, &out);
    oms_buf_append_char(&out, '\0');
    assert_string_equal(out.data, want);
    oms_buf_fini(&data);
    oms_buf_fini(&out);
    oms_arena_fini(&arena);
}

/*
 * What a stream does: bind once, look at the kind of operation and at the root's arguments before anything is
 * executed, then execute for every event, each with a root value and an error list of its own.
 */
static void test_subscription_events(void **state)
{
    static const char document[] =
        "subscription S($id: ID) { now: changed(id: $id) { id price(factor: 2) ...F } } "
        "fragment F on Book { next { broken id } }";
    struct oms_field field = {OMS_STR("id"), {.kind = OMS_VALUE_INT, .integer = 7}};
    struct oms_value variables = {.kind = OMS_VALUE_OBJECT, .object = {&field, 1}};
    struct gql_prepared *prepared;
    struct gql_request *request;
    const struct gql_root *root;
    struct gql_errors errors;
    struct oms_arena arena;
    const void *const *books = gqf_books();

    (void)state;
    oms_arena_init(&arena, 4096, 1u << 20);
    gql_errors_init(&errors, &arena);
    assert_int_equal(gql_prepare(gqf_shop.schema, oms_str_of(document), &prepared, &errors), OMS_OK);
    assert_int_equal(gql_bind(prepared, OMS_STR_NONE, &variables, &arena, &request, &errors), OMS_OK);
    assert_int_equal(gql_request_operation(request), GQL_SUBSCRIPTION);
    assert_int_equal(gql_request_root_count(request), 1);
    root = gql_request_root(request, 0);
    assert_non_null(root->host);
    assert_true(oms_str_eq_c(root->field, "changed"));
    assert_true(oms_str_eq_c(oms_value_get(root->args, "id")->text, "7"));
    for (int i = 0; i < 2; i++) {
        check_event(request, books[1],
                    "{\"data\":{\"now\":{\"id\":\"b2\",\"price\":[\"2\",\"EUR\"],\"next\":null}}}");
        check_event(request, books[0],
                    "{\"data\":{\"now\":{\"id\":\"b1\",\"price\":[\"2\",\"EUR\"],\"next\":null}},\"errors\":["
                    "{\"message\":\"\\\"Book.broken\\\" cannot be "
                    "null.\",\"locations\":[{\"line\":1,\"column\":108}],"
                    "\"path\":[\"now\",\"next\",\"broken\"],\"extensions\":{\"code\":\"INTERNAL\"}}]}");
        check_event(request, NULL, "{\"data\":{\"now\":null}}");
    }
    assert_int_equal(errors.count, 0);
    gql_prepared_release(prepared);
    oms_arena_fini(&arena);
}

/* ---- threads ---- */

#define THREADS 4

struct worker {
    const struct gql_request *request;
    pthread_t thread;
    unsigned good;
};

static void *work(void *argument)
{
    struct worker *w = argument;

    for (int i = 0; i < 200; i++) {
        struct gqf own = {.schema = NULL};
        struct oms_arena arena;
        struct gql_errors errors;
        oms_arena_init(&arena, 512, 1u << 20);
        gql_errors_init(&errors, &arena);
        oms_buf_init(&own.out, 1u << 16);
        gqf_execute(&own, w->request, &errors);
        oms_buf_append_char(&own.out, '\0');
        w->good +=
            strstr(own.out.data, "\"id\":\"t1\"") && strstr(own.out.data, "No ink") && errors.count == 1;
        oms_buf_fini(&own.out);
        oms_arena_fini(&arena);
    }
    return NULL;
}

/* One request executed by several threads while their document is bound for others, with new masks. */
static void test_threads(void **state)
{
    static const char document[] =
        "query($n: Int, $a: Boolean!, $b: Boolean!, $c: Boolean!) { toy { id @include(if: $a) "
        "name @include(if: $b) size @skip(if: $c) } best { ... on Book { fails "
        "price(factor: $n) } } __schema { types { name } } }";
    struct worker workers[THREADS] = {{.good = 0}};
    struct gql_prepared *prepared;
    struct gql_errors errors;
    struct oms_arena arena;

    (void)state;
    oms_arena_init(&arena, 4096, 1u << 22);
    gql_errors_init(&errors, &arena);
    assert_int_equal(gql_prepare(gqf_shop.schema, oms_str_of(document), &prepared, &errors), OMS_OK);
    for (unsigned round = 0; round < 64; round++) {
        struct gql_request *request;
        struct oms_field fields[] = {
            {OMS_STR("n"), {.kind = OMS_VALUE_INT, .integer = round}},
            {OMS_STR("a"), {.kind = OMS_VALUE_BOOL, .boolean = round < THREADS || (round & 1)}},
            {OMS_STR("b"), {.kind = OMS_VALUE_BOOL, .boolean = round & 2}},
            {OMS_STR("c"), {.kind = OMS_VALUE_BOOL, .boolean = round & 4}}};
        struct oms_value variables = {.kind = OMS_VALUE_OBJECT, .object = {fields, 4}};
        assert_int_equal(gql_bind(prepared, OMS_STR_NONE, &variables, &arena, &request, &errors), OMS_OK);
        if (round >= THREADS)
            continue;
        workers[round].request = request;
        assert_int_equal(pthread_create(&workers[round].thread, NULL, work, &workers[round]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].good, 200);
    }
    gql_prepared_release(prepared);
    oms_arena_fini(&arena);
}

/* ---- bounds ---- */

/* A buffer that is too small at every possible size: never half a value, and an error says so. */
static void test_overflow(void **state)
{
    struct gql_prepared *prepared;
    struct gql_errors errors;
    struct gql_request *request;
    struct oms_arena arena;
    static const char *const documents[] = {"{ toy { id name next { id name size } } }",
                                            "{ shelf { items { ... on Node { id } } } }"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const void *value = NULL;
        unsigned full = 0, cut = 0;
        for (size_t max = 10; max < 120; max++) {
            struct oms_buf out;
            enum gql_outcome outcome;
            oms_arena_init(&arena, 4096, 1u << 20);
            gql_errors_init(&errors, &arena);
            assert_int_equal(gql_prepare(gqf_shop.schema, oms_str_of(documents[i]), &prepared, &errors),
                             OMS_OK);
            assert_int_equal(gql_bind(prepared, OMS_STR_NONE, NULL, &arena, &request, &errors), OMS_OK);
            oms_buf_init(&out, max);
            oms_buf_append_lit(&out, "before");
            value = i == 0 ? gqf_toy() : gqf_shelf();
            outcome = gql_execute(request, 0, value, &gqf_shop, &out, &errors);
            assert_false(out.overflow);
            assert_memory_equal(out.data, "before", 6);
            if (outcome == GQL_FIELD_NULL) {
                assert_int_equal(out.len, 10);
                assert_memory_equal(out.data + 6, "null", 4);
                assert_int_equal(errors.count, 1);
                assert_string_equal(errors.items[0].message.data, "The response is too large.");
                cut++;
            } else {
                assert_int_equal(outcome, GQL_DATA);
                assert_int_equal(errors.count, 0);
                assert_int_equal(out.data[out.len - 1], '}');
                full++;
            }
            oms_buf_fini(&out);
            gql_prepared_release(prepared);
            oms_arena_fini(&arena);
        }
        assert_true(full > 10 && cut > 10);
    }
}

/* More errors than are kept: the response says which came first, and is whole. */
static void test_many_errors(void **state)
{
    struct oms_buf buf;
    const char *out;
    int count = 0;

    (void)state;
    oms_buf_init(&buf, 1u << 20);
    oms_buf_append_lit(&buf, "{ best { ... on Book {");
    for (int i = 0; i < 3 * OMS_GQL_ERRORS_MAX; i++)
        oms_buf_appendf(&buf, " f%d: fails", i);
    oms_buf_append_lit(&buf, " } } }");
    gqf_run_bytes(&gqf_shop, oms_buf_str(&buf), OMS_STR_NONE, OMS_STR_NONE);
    oms_buf_append_char(&gqf_shop.out, '\0');
    out = gqf_shop.out.data;
    for (const char *at = strstr(out, "No ink"); at; at = strstr(at + 1, "No ink"))
        count++;
    assert_int_equal(count, OMS_GQL_ERRORS_MAX);
    assert_non_null(strstr(out, "\"f149\":null}}"));
    assert_int_equal(out[strlen(out) - 1], '}');
    oms_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_merging),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_propagation),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_anonymous_subscription),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_many_errors),
        cmocka_unit_test(test_subscription_events),
        cmocka_unit_test(test_null_conditions),
    };

    return cmocka_run_group_tests(tests, gqf_set_up, gqf_tear_down);
}
