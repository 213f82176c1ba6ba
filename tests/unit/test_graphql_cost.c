/* What documents cost: objects, pages by literals and variables, other lists, the dearest of a union,
 * saturation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "tests/unit/graphql_fixture.h"

#define LIST OMS_GQL_COST_LIST

static uint64_t cost_of(const char *document, const char *variables)
{
    struct gql_prepared *prepared = NULL;
    struct gql_request *request = NULL;
    struct gql_errors errors;
    struct oms_arena arena;
    struct oms_value values = {.kind = OMS_VALUE_NULL};
    struct oms_json_error fault;

    oms_arena_init(&arena, 4096, 1u << 20);
    gql_errors_init(&errors, &arena);
    if (variables)
        assert_int_equal(oms_json_parse(oms_str_of(variables), 8, &arena, &values, &fault), OMS_OK);
    enum oms_status status = gql_prepare(gqf_shop.schema, oms_str_of(document), &prepared, &errors);
    if (status == OMS_OK)
        status = gql_bind(prepared, OMS_STR_NONE, &values, &arena, &request, &errors);
    if (status != OMS_OK)
        fail_msg("%s: %.*s", document, OMS_STR_ARG(errors.items[0].message));
    uint64_t cost = gql_request_cost(request, &arena);
    gql_prepared_release(prepared);
    oms_arena_fini(&arena);
    return cost;
}

static void test_objects(void **state)
{
    (void)state;
    assert_int_equal(cost_of("{ __typename hello missing }", NULL), 0);
    assert_int_equal(cost_of("{ toy { id name } }", NULL), 1);
    assert_int_equal(cost_of("{ toy { next { next { id } } } }", NULL), 3);
    assert_int_equal(cost_of("{ a: toy { id } b: toy { id next { id } } }", NULL), 3);
    /* Twice under one key is once. */
    assert_int_equal(cost_of("{ toy { id } ...F } fragment F on Query { toy { name } }", NULL), 1);
    assert_int_equal(cost_of("mutation { rename(id: 1, name: \"x\") { id shelf { id } } }", NULL), 2);
}

static void test_lists(void **state)
{
    (void)state;
    assert_int_equal(cost_of("{ shelves { id } }", NULL), LIST);
    assert_int_equal(cost_of("{ shelf { spare { __typename } } }", NULL), 1 + LIST);
    assert_int_equal(cost_of("{ shelf { rows { __typename } } }", NULL), 1 + LIST * LIST);
    assert_int_equal(cost_of("{ shelves { spare { ... on Book { next { id } } } } }", NULL),
                     LIST * (1 + LIST * (1 + 1)));
}

static void test_pages(void **state)
{
    (void)state;
    assert_int_equal(cost_of("{ shelf { items(first: 7) { __typename } } }", NULL), 1 + 7);
    assert_int_equal(cost_of("{ shelf { items { __typename } } }", NULL), 1 + 3); /* its default */
    assert_int_equal(cost_of("{ shelf { items(first: null) { __typename } } }", NULL),
                     1 + OMS_PAGE_SIZE_DEFAULT);
    assert_int_equal(cost_of("{ shelf { items(first: -5) { __typename } } }", NULL), 1);
    assert_int_equal(cost_of("{ shelves { items(first: 2) { ... on Toy { next { id } } } } }", NULL),
                     LIST * (1 + 2 * 2));
}

static void test_pages_of_variables(void **state)
{
    static const char page[] = "query($n: Int) { shelf { items(first: $n) { __typename } } hello }";
    static const char two[] =
        "query($n: Int, $m: Int = 2) { shelves { items(first: $n) { ... on Book { shelf { "
        "items(first: $m) { __typename } } } } } }";
    (void)state;
    assert_int_equal(cost_of(page, "{\"n\":9}"), 1 + 9);
    assert_int_equal(cost_of(page, "{\"n\":null}"), 1 + OMS_PAGE_SIZE_DEFAULT);
    assert_int_equal(cost_of(page, NULL), 1 + 3); /* an absent variable leaves the argument's default */
    assert_int_equal(cost_of(two, "{\"n\":4}"), LIST * (1 + 4 * (1 + 1 + 2)));
    assert_int_equal(cost_of(two, "{\"n\":4,\"m\":6}"), LIST * (1 + 4 * (1 + 1 + 6)));
    /* A variable elsewhere in the arguments changes nothing. */
    assert_int_equal(
        cost_of("query($s: [Size!]) { shelf { items(first: 5, sizes: $s) { __typename } } }", "{\"s\":[]}"),
        1 + 5);
}

static void test_conditions(void **state)
{
    static const char document[] = "query($with: Boolean!, $n: Int) { shelf { id items(first: $n) "
                                   "@include(if: $with) { __typename } } }";
    (void)state;
    assert_int_equal(cost_of(document, "{\"with\":true,\"n\":6}"), 7);
    assert_int_equal(cost_of(document, "{\"with\":false,\"n\":6}"), 1);
}

/* Of the types that a value may be, the one that costs most. */
static void test_abstract_types(void **state)
{
    (void)state;
    assert_int_equal(
        cost_of("{ best { ... on Book { next { next { id } } } ... on Toy { next { id } } } }", NULL), 3);
    assert_int_equal(
        cost_of("query($n: Int) { named { id ... on Shelf { items(first: $n) { __typename } } ... on Book { "
                "next { id } } } }",
                "{\"n\":5}"),
        6);
    assert_int_equal(
        cost_of("query($n: Int) { named { id ... on Shelf { items(first: $n) { __typename } } ... on Book { "
                "next { id } } } }",
                "{\"n\":0}"),
        2);
}

static void test_saturation(void **state)
{
    char document[4096] = "{ shelf { ";
    char text[4200];
    (void)state;
    for (unsigned i = 0; i < 12; i++)
        strcat(document, "items(first: 2000000000) { ... on Book { shelf { ");
    strcat(document, "id ");
    for (unsigned i = 0; i < 12; i++)
        strcat(document, "} } } ");
    strcat(document, "} }");
    assert_true(cost_of(document, NULL) == UINT64_C(1000000000000));
    snprintf(text, sizeof(text), "query($n: Int) %s", document);
    for (char *at; (at = strstr(text, "2000000000")) != NULL;)
        memcpy(at, "$n        ", 10);
    assert_true(cost_of(text, "{\"n\":2000000000}") == UINT64_C(1000000000000));
    assert_int_equal(cost_of(text, "{\"n\":0}"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects),    cmocka_unit_test(test_lists),
        cmocka_unit_test(test_pages),      cmocka_unit_test(test_pages_of_variables),
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_abstract_types),
        cmocka_unit_test(test_saturation),
    };
    return cmocka_run_group_tests(tests, gqf_set_up, gqf_tear_down);
}
