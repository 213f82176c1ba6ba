/*
 * Introspection (section 4): the whole schema as tools ask for it, single types, deprecated members,
 * directives, and __typename. The query asks for all fields of all introspection types.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/base/json.h"
#include "tests/unit/graphql_fixture.h"

static const char everything[] =
    "query Everything {\n"
    "  __schema {\n"
    "    description\n"
    "    queryType { name kind } mutationType { name kind } subscriptionType { name kind }\n"
    "    types { ...WholeType }\n"
    "    directives { name description isRepeatable locations args(includeDeprecated: true) { ...Input } }\n"
    "  }\n"
    "}\n"
    "fragment WholeType on __Type {\n"
    "  kind name description specifiedByURL isOneOf\n"
    "  fields(includeDeprecated: true) {\n"
    "    name description args(includeDeprecated: true) { ...Input } type { ...Ref } isDeprecated "
    "deprecationReason\n"
    "  }\n"
    "  inputFields(includeDeprecated: true) { ...Input }\n"
    "  interfaces { ...Ref }\n"
    "  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }\n"
    "  possibleTypes { ...Ref }\n"
    "}\n"
    "fragment Input on __InputValue {\n"
    "  name description type { ...Ref } defaultValue isDeprecated deprecationReason\n"
    "}\n"
    "fragment Ref on __Type {\n"
    "  kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind "
    "name\n"
    "  ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } }\n"
    "}\n";

static void check(const char *document, const char *want)
{
    assert_string_equal(gqf_run(&gqf_shop, document, NULL, NULL), want);
}

static const struct oms_value *named(const struct oms_value *list, const char *name)
{
    for (size_t i = 0; i < list->list.count; i++) {
        if (oms_str_eq_c(oms_value_get(&list->list.items[i], "name")->text, name))
            return &list->list.items[i];
    }
    return NULL;
}

static void check_json(const struct oms_value *value, const char *want)
{
    struct oms_buf out;

    assert_non_null(value);
    oms_buf_init(&out, 1u << 20);
    oms_value_write_json(value, &out);
    oms_buf_append_char(&out, '\0');
    assert_string_equal(out.data, want);
    oms_buf_fini(&out);
}

static void test_everything(void **state)
{
    struct oms_arena arena;
    struct oms_value response;
    struct oms_json_error error;
    const struct oms_value *schema, *types, *type, *directives;

    (void)state;
    gqf_run(&gqf_shop, everything, NULL, NULL);
    oms_arena_init(&arena, 4096, 16u << 20);
    assert_int_equal(
        oms_json_parse(oms_str_make(gqf_shop.out.data, gqf_shop.out.len - 1), 64, &arena, &response, &error),
        OMS_OK);
    assert_null(oms_value_get(&response, "errors"));
    schema = oms_value_get(oms_value_get(&response, "data"), "__schema");
    check_json(oms_value_get(schema, "description"), "\"A shop for tests.\"");
    check_json(oms_value_get(schema, "queryType"), "{\"name\":\"Query\",\"kind\":\"OBJECT\"}");
    check_json(oms_value_get(schema, "subscriptionType"), "{\"name\":\"Subscription\",\"kind\":\"OBJECT\"}");
    types = oms_value_get(schema, "types");
    assert_null(named(types, "__Meta"));
    assert_int_equal(types->list.count, 15 + 5 + 8);
    type = named(types, "Money");
    check_json(type,
               "{\"kind\":\"SCALAR\",\"name\":\"Money\",\"description\":\"An amount such as \\\"1.50\\\".\","
               "\"specifiedByURL\":\"https://example.org/"
               "money\",\"isOneOf\":null,\"fields\":null,\"inputFields\":null,"
               "\"interfaces\":null,\"enumValues\":null,\"possibleTypes\":null}");
    check_json(oms_value_get(named(types, "Book"), "description"), "\"A book\\n  with pages.\"");
    check_json(named(oms_value_get(named(types, "Book"), "fields"), "old"),
               "{\"name\":\"old\",\"description\":null,\"args\":[{\"name\":\"gone\",\"description\":null,"
               "\"type\":{\"kind\":"
               "\"SCALAR\",\"name\":\"Int\",\"ofType\":null},\"defaultValue\":null,\"isDeprecated\":true,"
               "\"deprecationReason\":\"Not "
               "read.\"}],\"type\":{\"kind\":\"SCALAR\",\"name\":\"String\",\"ofType\":null},"
               "\"isDeprecated\":true,\"deprecationReason\":\"No longer supported\"}");
    check_json(oms_value_get(named(oms_value_get(named(types, "Shelf"), "fields"), "rows"), "type"),
               "{\"kind\":\"NON_NULL\",\"name\":null,\"ofType\":{\"kind\":\"LIST\",\"name\":null,\"ofType\":{"
               "\"kind\":"
               "\"LIST\",\"name\":null,\"ofType\":{\"kind\":\"NON_NULL\",\"name\":null,\"ofType\":{\"kind\":"
               "\"UNION\","
               "\"name\":\"Item\",\"ofType\":null}}}}}");
    check_json(oms_value_get(named(types, "Named"), "interfaces"),
               "[{\"kind\":\"INTERFACE\",\"name\":\"Node\",\"ofType\":null}]");
    check_json(oms_value_get(named(types, "Named"), "possibleTypes"),
               "[{\"kind\":\"OBJECT\",\"name\":\"Shelf\",\"ofType\":null},{\"kind\":\"OBJECT\",\"name\":"
               "\"Book\",\"ofType\":"
               "null},{\"kind\":\"OBJECT\",\"name\":\"Toy\",\"ofType\":null}]");
    check_json(
        oms_value_get(named(oms_value_get(named(types, "Range"), "inputFields"), "sizes"), "defaultValue"),
        "\"[SMALL]\"");
    check_json(oms_value_get(named(types, "Pick"), "isOneOf"), "true");
    check_json(oms_value_get(named(types, "Range"), "isOneOf"), "false");
    check_json(oms_value_get(named(types, "Query"), "interfaces"), "[]");
    directives = oms_value_get(schema, "directives");
    assert_int_equal(directives->list.count, 7);
    check_json(
        named(directives, "tag"),
        "{\"name\":\"tag\",\"description\":\"Marks things.\",\"isRepeatable\":true,\"locations\":[\"QUERY\","
        "\"FIELD\",\"OBJECT\"],\"args\":[{\"name\":\"name\",\"description\":\"The "
        "mark.\",\"type\":{\"kind\":\"NON_NULL\","
        "\"name\":null,\"ofType\":{\"kind\":\"SCALAR\",\"name\":\"String\",\"ofType\":null}},"
        "\"defaultValue\":null,"
        "\"isDeprecated\":false,\"deprecationReason\":null},{\"name\":\"weight\",\"description\":null,"
        "\"type\":{"
        "\"kind\":\"SCALAR\",\"name\":\"Int\",\"ofType\":null},\"defaultValue\":\"1\",\"isDeprecated\":false,"
        "\"deprecationReason\":null}]}");
    check_json(oms_value_get(named(oms_value_get(named(directives, "deprecated"), "args"), "reason"),
                             "defaultValue"),
               "\"\\\"No longer supported\\\"\"");
    oms_arena_fini(&arena);
}

static void test_type(void **state)
{
    (void)state;
    check(
        "{ __type(name: \"Size\") { kind enumValues { name } all: enumValues(includeDeprecated: true) { name "
        "isDeprecated deprecationReason } } }",
        "{\"data\":{\"__type\":{\"kind\":\"ENUM\",\"enumValues\":[{\"name\":\"SMALL\"},{\"name\":\"LARGE\"}],"
        "\"all\":[{"
        "\"name\":\"SMALL\",\"isDeprecated\":false,\"deprecationReason\":null},{\"name\":\"LARGE\","
        "\"isDeprecated\":"
        "false,\"deprecationReason\":null},{\"name\":\"HUGE\",\"isDeprecated\":true,\"deprecationReason\":"
        "\"Use "
        "LARGE.\"}]}}}");
    check("{ __type(name: \"Nope\") { name } }", "{\"data\":{\"__type\":null}}");
    check("{ __type(name: \"__Meta\") { name } }", "{\"data\":{\"__type\":null}}");
    check("{ t: __type(name: \"__Type\") { kind name ofType { name } interfaces { name } } }",
          "{\"data\":{\"t\":{\"kind\":\"OBJECT\",\"name\":\"__Type\",\"ofType\":null,\"interfaces\":[]}}}");
    assert_string_equal(gqf_run(&gqf_shop,
                                "query($n: String!) { __type(name: $n) { fields { name args { name } } } }",
                                "{\"n\":\"Book\"}", NULL),
                        "{\"data\":{\"__type\":{\"fields\":[{\"name\":\"id\",\"args\":[]},{\"name\":\"name\","
                        "\"args\":[]},{\"name\":\"pages\","
                        "\"args\":[]},{\"name\":\"tags\",\"args\":[]},{\"name\":\"price\",\"args\":[{"
                        "\"name\":\"currency\"},{\"name\":"
                        "\"factor\"}]},{\"name\":\"shelf\",\"args\":[]},{\"name\":\"next\",\"args\":[]},{"
                        "\"name\":\"broken\",\"args\":[]},{"
                        "\"name\":\"fails\",\"args\":[]}]}}}");
    check("{ __type(name: \"Book\") { fields(includeDeprecated: true) { name args { name } } } }",
          "{\"data\":{\"__type\":{\"fields\":[{\"name\":\"id\",\"args\":[]},{\"name\":\"name\",\"args\":[]},{"
          "\"name\":\"pages\","
          "\"args\":[]},{\"name\":\"tags\",\"args\":[]},{\"name\":\"price\",\"args\":[{\"name\":\"currency\"}"
          ",{\"name\":"
          "\"factor\"}]},{\"name\":\"shelf\",\"args\":[]},{\"name\":\"next\",\"args\":[]},{\"name\":"
          "\"broken\",\"args\":[]},{"
          "\"name\":\"fails\",\"args\":[]},{\"name\":\"old\",\"args\":[]}]}}}");
}

static void test_typename(void **state)
{
    (void)state;
    check("{ __typename a: __typename __schema { __typename queryType { __typename } } }",
          "{\"data\":{\"__typename\":\"Query\",\"a\":\"Query\",\"__schema\":{\"__typename\":\"__Schema\","
          "\"queryType\":{"
          "\"__typename\":\"__Type\"}}}}");
    check("mutation { __typename }", "{\"data\":{\"__typename\":\"Mutation\"}}");
    check("{ __schema { directives { ... on __Directive { name } __typename } } }",
          "{\"data\":{\"__schema\":{\"directives\":[{\"name\":\"skip\",\"__typename\":\"__Directive\"},{"
          "\"name\":\"include\","
          "\"__typename\":\"__Directive\"},{\"name\":\"deprecated\",\"__typename\":\"__Directive\"},{"
          "\"name\":\"specifiedBy\","
          "\"__typename\":\"__Directive\"},{\"name\":\"oneOf\",\"__typename\":\"__Directive\"},{\"name\":"
          "\"tag\","
          "\"__typename\":\"__Directive\"},{\"name\":\"once\",\"__typename\":\"__Directive\"}]}}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_type),
        cmocka_unit_test(test_typename),
    };

    return cmocka_run_group_tests(tests, gqf_set_up, gqf_tear_down);
}
