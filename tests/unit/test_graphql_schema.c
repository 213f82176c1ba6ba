/* Building schemas: what section 3 refuses, extensions, bindings, defaults, and printing as SDL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/graphql/memory.h"
#include "http/graphql/parser.h"
#include "http/graphql/types.h"
#include "runtime/base/assert.h"
#include "tests/unit/graphql_fixture.h"

/* ---- a schema of one query field, whose types the tests vary ---- */

static bool leaf(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    (void)parent;
    oms_buf_append_lit(out, "1");
    return true;
}

static const char root_host[] = "host";

/* "" or the first problem of `sdl`; bindings are complete when the only problem left is a missing one. */
static const char *problem_of(const char *sdl)
{
    static struct oms_error error;
    static const struct gql_binding binding = {
        .field = "Query.a", .kind = GQL_ROOT, .resolve.host = root_host};
    struct gql_schema_config config = {.sdl = oms_str_of(sdl), .bindings = &binding, .binding_count = 1};
    struct gql_schema *schema;

    if (gql_schema_create(&config, &schema, &error) != OMS_OK)
        return error.message;
    gql_schema_destroy(schema);
    return "";
}

static void check_refused(const char *sdl, const char *part)
{
    const char *problem = problem_of(sdl);

    if (!strstr(problem, part))
        fail_msg("%s\n gave \"%s\"\n instead of \"%s\"", sdl, problem, part);
}

#define Q "type Query { a: Int } "

static void test_accepts(void **state)
{
    (void)state;
    assert_string_equal(problem_of(Q), "");
    assert_string_equal(problem_of("schema { query: Query } " Q), "");
    assert_string_equal(problem_of("type Query extend type Query { a: Int }"), "");
    assert_string_equal(problem_of(Q "scalar ID scalar Int"), "");
    assert_string_equal(problem_of(Q "input I { i: I, l: [I!]! }"), "");
    assert_string_equal(problem_of(Q "interface A { x: [Int] } interface B implements A { x: [Int!]! }"), "");
    assert_string_equal(problem_of(Q "input I { a: [I!] = [{a: []}], b: Int = 3 }"), "");
    assert_string_equal(
        problem_of(Q "directive @d(i: I = {e: X}) on FIELD input I { e: E = Y } enum E { X Y }"), "");
}

static void test_names(void **state)
{
    (void)state;
    check_refused("type Query { __a: Int }", "reserved");
    check_refused(Q "type __T { a: Int }", "\"__T\" is reserved");
    check_refused("type Query { a(__b: Int): Int }", "\"__b\" is reserved");
    check_refused(Q "enum E { __A }", "reserved");
    check_refused(Q "input I { __a: Int }", "reserved");
    check_refused(Q "directive @__d on FIELD", "reserved");
    check_refused(Q "scalar S scalar S", "two types \"S\"");
    check_refused("type Query { a: Int a: Int }", "two fields \"a\"");
    check_refused("type Query { a(b: Int, b: Int): Int }", "two arguments \"b\"");
    check_refused(Q "enum E { A A }", "two values \"A\"");
    check_refused(Q "input I { a: Int a: Int }", "two fields \"a\"");
    check_refused(Q "directive @d on FIELD directive @d on FIELD", "two directives \"@d\"");
    check_refused("type Query { a: Strin }", "Unknown type \"Strin\". Did you mean \"String\"?");
    check_refused("type Query { a: __Meta }", "Unknown type \"__Meta\"");
    check_refused(Q "extend type X { a: Int }", "Cannot extend \"X\"");
    check_refused(Q "extend enum Query { A }", "another kind");
}

static void test_roots(void **state)
{
    (void)state;
    check_refused("type T { a: Int }", "no query root");
    check_refused("schema { query: Nope } " Q, "\"Nope\" is no object type");
    check_refused("schema { query: Query mutation: Query } " Q, "same root type");
    check_refused("schema { query: Query query: Query } " Q, "two query roots");
    check_refused("schema { query: Query } schema { query: Query } " Q, "two schema definitions");
    check_refused(Q "query { a }", "type system definitions only");
    check_refused("type Query { a: Query }", "cannot have the root type");
    check_refused("type Query { a: Int", "line 1, column 20: Expected");
}

static void test_members(void **state)
{
    (void)state;
    check_refused(Q "type T", "\"T\" has no members");
    check_refused(Q "union U", "\"U\" has no members");
    check_refused(Q "enum E", "\"E\" has no members");
    check_refused(Q "input I", "\"I\" has no members");
    check_refused("type Query { a: I } input I { a: Int }", "no output type");
    check_refused("type Query { a(b: [Query]): Int }", "no input type");
    check_refused(Q "input I { a: Query }", "no input type");
    check_refused(Q "union U = Query | Int", "cannot hold \"Int\"");
    check_refused(Q "union U = Query | Query", "holds \"Query\" twice");
    check_refused("type Query { a(b: Int! @deprecated): Int }", "required and cannot be deprecated");
    check_refused(Q "input I { a: Int! @deprecated }", "required and cannot be deprecated");
    check_refused(Q "input I @oneOf { a: Int! }", "is @oneOf");
    check_refused(Q "input I @oneOf { a: Int = 1 }", "is @oneOf");
    check_refused(Q "input I { a: I! }", "can have no finite value");
    check_refused(Q "input A { b: B! } input B { a: A! }", "can have no finite value");
}

#define N "interface N { f(x: Int): N! g: [N] } "

static void test_interfaces(void **state)
{
    (void)state;
    check_refused("type Query implements Int { a: Int }", "which is no interface");
    check_refused(Q "interface A implements A { a: Int }", "implement \"A\" itself");
    check_refused(N "type Query implements N & N { f(x: Int): Query! g: [N] a: Int }",
                  "implement \"N\" twice");
    check_refused(N "type Query implements N { f(x: Int): Query! a: Int }", "lacks the field \"g\"");
    check_refused(N "type Query implements N { f: Query! g: [N] a: Int }", "lacks the argument \"x\"");
    check_refused(N "type Query implements N { f(x: Int!): Query! g: [N] a: Int }",
                  "must have the type \"Int\"");
    check_refused(N "type Query implements N { f(x: Int, y: Int!): Query! g: [N] a: Int }",
                  "cannot be required");
    check_refused(N "type Query implements N { f(x: Int): Query g: [N] a: Int }", "promises \"N!\"");
    check_refused(N "type Query implements N { f(x: Int): Query! g: N a: Int }", "promises \"[N]\"");
    check_refused(N "type Query implements N { f(x: Int): Query! g: [Int] a: Int }", "promises \"[N]\"");
    check_refused(N "type Query implements N { f(x: Int): Query! g: [N] @deprecated a: Int }",
                  "is deprecated, but not");
    check_refused(Q
                  "interface A { x: Int } interface B implements A { x: Int } type T implements B { x: Int }",
                  "must implement \"A\" too");
    check_refused(Q "interface A implements B { x: Int } interface B implements A { x: Int }",
                  "must implement");
}

static void test_directives(void **state)
{
    (void)state;
    check_refused("type Query @nope { a: Int }", "Unknown directive \"@nope\"");
    check_refused("type Query @deprecated { a: Int }", "cannot stand on OBJECT");
    check_refused("type Query { a: Int @deprecated(reason: 1) }", "Expected a String, found 1");
    check_refused("type Query { a: Int @deprecated(reason: null) }", "found null");
    check_refused("type Query { a: Int @deprecated @deprecated }", "given twice");
    check_refused("type Query { a: Int @deprecated(why: \"x\") }", "no argument \"why\"");
    check_refused(Q "scalar S @specifiedBy", "Argument \"url\"");
    check_refused(Q "directive @d(a: Int @d) on ARGUMENT_DEFINITION", "refers to itself");
    check_refused(Q "directive @a(x: I) on INPUT_OBJECT input I @a { x: Int }", "refers to itself");
    check_refused(
        Q "directive @a(x: Int @b) on ARGUMENT_DEFINITION directive @b(x: Int @a) on ARGUMENT_DEFINITION",
        "refers to itself");
    check_refused(Q "schema @skip(if: true) { query: Query }", "cannot stand on SCHEMA");
}

static void test_defaults(void **state)
{
    (void)state;
    check_refused("type Query { a(b: Int = \"x\"): Int }", "Expected an Int");
    check_refused("type Query { a(b: Int! = null): Int }", "found null");
    check_refused(Q "input I { e: E = Z } enum E { X Y }", "enum E, found Z");
    check_refused("type Query { a(i: I = {}): Int } input I { x: Int! }", "Field \"x\" of type \"Int!\"");
    check_refused("type Query { a(i: I = {y: 1}): Int } input I { x: Int }", "is no field of \"I\"");
    /* Section 3.10: defaults that lead back to themselves. */
    check_refused(Q "input I { a: I = {} }", "leads back to itself");
    check_refused(Q "input A { b: B = {} } input B { a: A = {} }", "leads back to itself");
    check_refused(Q "input I { a: [I] = [{}] }", "leads back to itself");
    assert_string_equal(problem_of(Q "input I { a: I = {a: null} }"), "");
    assert_string_equal(problem_of(Q "input A { b: B = {} } input B { a: A = {b: null}, c: Int = 1 }"), "");
}

static void test_bindings(void **state)
{
    static const struct {
        const char *field;
        enum gql_resolver_kind kind;
        const char *problem;
    } cases[] = {
        {"Query.hell", GQL_ROOT, "\"Query.hell\" is for no field"},
        {"Nope.a", GQL_LEAF, "\"Nope.a\" is for no field"},
        {"nodot", GQL_LEAF, "\"nodot\" is for no field"},
        {"Node.id", GQL_LEAF, "\"Node.id\" is for no field"},
        {"__Type.name", GQL_LEAF, "\"__Type.name\" is for no field"},
        {"Book.pages", GQL_LEAF, "\"Book.pages\" is bound twice"},
    };

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(cases); i++) {
        struct gql_schema_config config = gqf_config(gqf_sdl);
        struct gql_binding *bindings = calloc(config.binding_count + 1, sizeof(*bindings));
        struct gql_schema *schema;
        struct oms_error error = {OMS_OK, ""};
        memcpy(bindings, config.bindings, config.binding_count * sizeof(*bindings));
        bindings[config.binding_count++] =
            (struct gql_binding){.field = cases[i].field, .kind = cases[i].kind, .resolve.leaf = leaf};
        config.bindings = bindings;
        assert_int_equal(gql_schema_create(&config, &schema, &error), OMS_INVALID);
        if (!strstr(error.message, cases[i].problem))
            fail_msg("%s instead of %s", error.message, cases[i].problem);
        free(bindings);
    }
}

/* Each binding left out in turn, and each given another kind. */
static void test_bindings_complete(void **state)
{
    struct gql_schema_config full = gqf_config(gqf_sdl);
    struct gql_schema *schema;
    struct oms_error error;

    (void)state;
    for (size_t i = 0; i < full.binding_count; i++) {
        struct gql_schema_config config = full;
        struct gql_binding *bindings = calloc(full.binding_count, sizeof(*bindings));
        memcpy(bindings, full.bindings, full.binding_count * sizeof(*bindings));
        config.bindings = bindings;
        bindings[i].kind = bindings[i].kind == GQL_LEAF ? GQL_OBJECT : GQL_LEAF;
        assert_int_equal(gql_schema_create(&config, &schema, &error), OMS_INVALID);
        assert_non_null(strstr(error.message, full.bindings[i].field));
        bindings[i] = full.bindings[full.binding_count - 1];
        config.binding_count--;
        if (i != full.binding_count - 1) {
            assert_int_equal(gql_schema_create(&config, &schema, &error), OMS_INVALID);
            assert_non_null(strstr(error.message, full.bindings[i].field));
        }
        free(bindings);
    }
    for (size_t i = 0; i < full.type_count; i++) {
        struct gql_schema_config config = full;
        struct gql_type_binding types[8];
        memcpy(types, full.types, full.type_count * sizeof(*types));
        types[i] = types[--config.type_count];
        config.types = types;
        assert_int_equal(gql_schema_create(&config, &schema, &error), OMS_INVALID);
        assert_non_null(strstr(error.message, full.types[i].abstract));
    }
}

static void print(const struct gql_schema *schema, struct oms_buf *out)
{
    oms_buf_init(out, 1u << 20);
    gql_schema_print(schema, out);
}

/* What is printed parses to a schema that prints the same, and holds what matters. */
static void test_print(void **state)
{
    struct gqf f;
    struct oms_buf first, second;
    struct gql_schema_config config;
    struct gql_schema *again;
    struct oms_error error = {OMS_OK, ""};

    (void)state;
    gqf_init(&f);
    print(f.schema, &first);
    config = gqf_config("");
    config.sdl = oms_buf_str(&first);
    if (gql_schema_create(&config, &again, &error) != OMS_OK)
        fail_msg("%s\n%.*s", error.message, OMS_STR_ARG(oms_buf_str(&first)));
    print(again, &second);
    oms_buf_append_char(&first, '\0');
    oms_buf_append_char(&second, '\0');
    assert_string_equal(first.data, second.data);
    assert_non_null(
        strstr(first.data, "\"\"\"\nA book\n  with pages.\n\"\"\"\ntype Book implements Node & Named {\n"));
    assert_non_null(strstr(first.data, "  items(first: Int = 3, sizes: [Size!]): [Item!]!\n"));
    assert_non_null(strstr(
        first.data, "  \"\"\"\n  Very large.\n  \"\"\"\n  HUGE @deprecated(reason: \"Use LARGE.\")\n"));
    assert_non_null(strstr(first.data, "scalar Money @specifiedBy(url: \"https://example.org/money\")\n"));
    assert_non_null(strstr(first.data, "input Pick @oneOf {\n"));
    assert_non_null(strstr(first.data, "union Item = Book | Toy\n"));
    assert_non_null(strstr(first.data, "  sizes: [Size!] = [SMALL]\n"));
    assert_non_null(strstr(first.data, "repeatable on QUERY | FIELD | OBJECT\n"));
    assert_null(strstr(first.data, "__"));
    assert_null(strstr(first.data, "scalar Int"));
    oms_buf_fini(&first);
    oms_buf_fini(&second);
    gql_schema_destroy(again);
    gqf_fini(&f);
}

/* Descriptions that block strings cannot hold as they are. */
static void test_print_descriptions(void **state)
{
    static const char *const texts[] = {"\"x\"",
                                        "\"\"\"a \\\"\"\"\\\"\"\" b\"\"\"",
                                        "\" leading\"",
                                        "\"tail \"",
                                        "\"a\\u0001\"",
                                        "\"a\\n\\n  b\\\\\"",
                                        "\"\"",
                                        "\"\"\"say \"\"\"",
                                        "\"\\\"\\\"\\\"\\\"\""};

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(texts); i++) {
        static const struct gql_binding binding = {
            .field = "Query.a", .kind = GQL_ROOT, .resolve.host = root_host};
        struct gql_schema_config config = {.bindings = &binding, .binding_count = 1};
        struct gql_schema *schema, *again;
        struct oms_buf sdl, out;
        struct oms_error error = {OMS_OK, ""};
        oms_buf_init(&sdl, 1 << 16);
        oms_buf_appendf(&sdl, "%s type Query { %s a(%s b: Int): Int }", texts[i], texts[i], texts[i]);
        config.sdl = oms_buf_str(&sdl);
        assert_int_equal(gql_schema_create(&config, &schema, &error), OMS_OK);
        print(schema, &out);
        config.sdl = oms_buf_str(&out);
        if (gql_schema_create(&config, &again, &error) != OMS_OK)
            fail_msg("%s: %.*s", error.message, OMS_STR_ARG(config.sdl));
        const struct gql_type *a = schema->types[0], *b = again->types[0];
        assert_true(oms_str_eq(a->description, b->description));
        assert_true(oms_str_eq(a->description, b->fields[0].description));
        assert_true(oms_str_eq(a->description, b->fields[0].args[0].description));
        gql_schema_destroy(schema);
        gql_schema_destroy(again);
        oms_buf_fini(&sdl);
        oms_buf_fini(&out);
    }
}

/* Section 3.5: a built-in scalar that nothing refers to is not part of the schema. */
static void test_unreferenced(void **state)
{
    static const struct gql_binding binding = {
        .field = "Query.a", .kind = GQL_ROOT, .resolve.host = root_host};
    struct gql_schema_config config = {.bindings = &binding, .binding_count = 1};
    struct gql_schema *schema;
    struct oms_error error;

    (void)state;
    config.sdl = OMS_STR("type Query { a(id: ID): String } directive @d(x: [Float!]) on FIELD");
    assert_int_equal(gql_schema_create(&config, &schema, &error), OMS_OK);
    assert_true(gql_schema_type(schema, OMS_STR("Int"))->hidden);
    assert_false(gql_schema_type(schema, OMS_STR("ID"))->hidden);
    assert_false(gql_schema_type(schema, OMS_STR("Float"))->hidden);
    assert_false(gql_schema_type(schema, OMS_STR("Boolean"))->hidden); /* introspection has some */
    gql_schema_destroy(schema);
}

/* ---- http/schema.graphql itself ---- */

static char *read_schema(void)
{
    FILE *file = fopen(LITEOMS_SOURCE_DIR "/http/schema.graphql", "rb");
    char *text;
    long size;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    rewind(file);
    text = malloc((size_t)size + 1);
    assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* Counts what has no description and names it. */
static unsigned undescribed(struct oms_str description, struct oms_str type, struct oms_str member,
                            struct oms_str argument)
{
    if (oms_str_present(description) && oms_str_trim(description).len > 0)
        return 0;
    print_error("no description: %.*s.%.*s(%.*s)\n", OMS_STR_ARG(type), OMS_STR_ARG(member),
                OMS_STR_ARG(argument));
    return 1;
}

static unsigned undescribed_inputs(const struct gql_input_def *inputs, struct oms_str type,
                                   struct oms_str field)
{
    unsigned count = 0;

    for (; inputs; inputs = inputs->next)
        count += undescribed(inputs->description, type, field, inputs->name);
    return count;
}

static unsigned undescribed_members(const struct gql_def *def)
{
    unsigned count = undescribed_inputs(def->inputs, def->name, OMS_STR(""));

    for (const struct gql_field_def *field = def->fields; field; field = field->next) {
        count += undescribed(field->description, def->name, field->name, OMS_STR(""));
        count += undescribed_inputs(field->args, def->name, field->name);
    }
    for (const struct gql_value_def *value = def->values; value; value = value->next)
        count += undescribed(value->description, def->name, value->name, OMS_STR(""));
    return count;
}

/* The API is documented where it is defined: every type, field, argument, input field and enum value. */
static void test_described(void **state)
{
    char *text = read_schema();
    struct gql_document *document;
    struct gql_errors errors;
    struct oms_arena arena;
    unsigned missing = 0, seen = 0;

    (void)state;
    oms_arena_init(&arena, 64u << 10, GQL_ARENA_UNBOUNDED);
    gql_errors_init(&errors, &arena);
    assert_int_equal(gql_parse(oms_str_of(text), 0, &arena, &document, &errors), OMS_OK);
    for (const struct gql_def *def = document->definitions; def; def = def->next, seen++) {
        if (!def->extends)
            missing += undescribed(def->description, def->name, OMS_STR(""), OMS_STR(""));
        missing += undescribed_members(def);
    }
    assert_true(seen > 100);
    assert_int_equal(missing, 0);
    oms_arena_fini(&arena);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_directives),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_bindings),
        cmocka_unit_test(test_bindings_complete),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_print_descriptions),
        cmocka_unit_test(test_unreferenced),
        cmocka_unit_test(test_described),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
