/*
 * Validation, rule by rule in the order of section 5: documents that pass and documents that do not, with
 * what they are refused for; then limits and the bounded time of overlapping fields.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "http/graphql/parser.h"
#include "http/graphql/validate.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "tests/unit/graphql_fixture.h"

static void valid(const char *document)
{
    const char *problems = gqf_problems(&gqf_shop, document);

    if (problems[0])
        fail_msg("%s\n was refused: %s", document, problems);
}

/* One problem per line of `problems`, each a part of the messages in order. */
static void invalid(const char *document, const char *want)
{
    const char *problems = gqf_problems(&gqf_shop, document);

    if (strcmp(problems, want) != 0)
        fail_msg("%s\n gave:\n%s\n instead of:\n%s", document, problems, want);
}

static void test_operations(void **state)
{
    (void)state;
    valid("query A { hello } query B { hello } mutation C { add(pick: {id: 1}) }");
    invalid("type T { a: Int }",
            "A type system definition cannot be executed.\nThe document holds no operation.");
    invalid("query A { hello } query A { hello }", "There are two operations \"A\".");
    invalid("query A { hello } mutation A { add(pick: {id: 1}) }", "There are two operations \"A\".");
    invalid("{ hello } query A { hello }", "An operation without a name must be the only one.");
    invalid("{ hello } { hello }", "An operation without a name must be the only one.\nAn operation without "
                                   "a name must be the only one.");
    invalid("fragment F on Query { hello }",
            "The document holds no operation.\nFragment \"F\" is never used.");
}

#define ONE_ROOT     "A subscription must have exactly one root field."
#define NO_DIRECTIVE "@skip and @include cannot stand at the root of a subscription."

static void test_subscriptions(void **state)
{
    (void)state;
    valid("subscription { changed { id } }");
    valid("subscription { changed { id } changed { name } }");
    valid("subscription S { ...F } fragment F on Subscription { changed { id other: name } }");
    valid("subscription { changed { id @skip(if: true) } }");
    invalid("subscription { changed { id } other { id } }", ONE_ROOT);
    invalid("subscription { changed { id } again: changed { id } }", ONE_ROOT);
    invalid("subscription { ...F } fragment F on Subscription { changed { id } other { id } }", ONE_ROOT);
    invalid("subscription { changed { id } ...F } fragment F on Subscription { ... { other { id } } }",
            ONE_ROOT);
    invalid("subscription { __typename }",
            "A subscription's root cannot be the introspection field \"__typename\".");
    invalid("subscription($a: Boolean!) { changed @skip(if: $a) { id } }", NO_DIRECTIVE);
    invalid("subscription { ... @include(if: true) { changed { id } } }", NO_DIRECTIVE);
    invalid("subscription { ...F @include(if: true) } fragment F on Subscription { changed { id } }",
            NO_DIRECTIVE);
}

static void test_fields(void **state)
{
    (void)state;
    valid("{ named { name ... on Toy { size } } best { __typename } __typename __schema { description } }");
    invalid("{ helo }", "Type \"Query\" has no field \"helo\". Did you mean \"hello\" or \"shelf\"?");
    invalid("{ shelf { pages } }",
            "Type \"Shelf\" has no field \"pages\". Did you mean \"name\" or \"spare\"?");
    invalid("{ best { id } }", "Type \"Item\" has no field \"id\". Did you mean to use an inline fragment on "
                               "\"Node\", \"Named\", \"Book\", or \"Toy\"?");
    invalid("{ node(id: 1) { name } }", "Type \"Node\" has no field \"name\". Did you mean to use an inline "
                                        "fragment on \"Named\", \"Book\", \"Shelf\", or \"Toy\"?");
    invalid("{ best { pages } }",
            "Type \"Item\" has no field \"pages\". Did you mean to use an inline fragment on \"Book\"?");
    /* Five names at most, nearest first, capitals hardly counting, digits as numbers. */
    invalid("{ SHELF { ID } }",
            "Type \"Query\" has no field \"SHELF\". Did you mean \"shelf\", \"hello\", or \"shelves\"?");
    invalid("{ shelf { __schema { description } } }", "Type \"Shelf\" has no field \"__schema\".");
    invalid("mutation { __type(name: \"x\") { name } }", "Type \"Mutation\" has no field \"__type\".");
    invalid("{ hello { a } }", "Field \"hello\" of type \"String!\" has no fields to select.");
    invalid("{ shelf }",
            "Field \"shelf\" of type \"Shelf\" needs a selection of fields. Did you mean \"shelf { ... }\"?");
    invalid("{ shelves }", "Field \"shelves\" of type \"[Shelf!]!\" needs a selection of fields. Did you "
                           "mean \"shelves { ... }\"?");
}

/* One fault brings no others: what stands below something unknown is walked for the names in it. */
static void test_unknown(void **state)
{
    (void)state;
    invalid(
        "query($a: Int, $b: Int, $c: String) { nope(x: $a, y: [{z: $b}]) { ...F hello @once(note: $c) } } "
        "fragment F on Query { hello }",
        "Type \"Query\" has no field \"nope\". Did you mean \"node\" or \"nodes\"?");
    invalid("query($a: Int) { hello @nope(x: {y: $a}) }",
            "Unknown directive \"@nope\". Did you mean \"once\"?");
    invalid("query($a: Int) { ... on Zzzzzzzz { a(b: $a) { ...F } } } fragment F on Query { hello }",
            "Unknown type \"Zzzzzzzz\".");
    invalid("query($a: Int) { hello { x(y: $a) } }",
            "Field \"hello\" of type \"String!\" has no fields to select.");
    invalid("query($a: Int) { echo(pick: {nope: $a, id: 1}) }", "\"nope\" is no field of \"Pick\". Did you "
                                                                "mean \"name\"?");
    invalid("{ nope { a(b: 1, b: 2) ...G } }",
            "Type \"Query\" has no field \"nope\". Did you mean \"node\" or \"nodes\"?\n"
            "Argument \"b\" of an unknown field is given twice.\nUnknown fragment \"G\".");
}

static void test_merge(void **state)
{
    (void)state;
    valid("{ hello hello shelf { id } shelf { id name } }");
    valid("{ a: hello a: hello b: echo(int: 1, list: [1, 2]) b: echo(list: [1, 2], int: 1) }");
    valid("{ echo(range: {from: 1, to: 2}) echo(range: {to: 2, from: 1}) }");
    valid("query($a: Int) { echo(int: $a) echo(int: $a) }");
    valid("{ best { ... on Book { x: pages } ... on Toy { y: size } } }");
    valid("{ best { ... on Book { x: name } ... on Toy { y: name } } }");
    /* Different objects: the fields may differ, the shapes may not. */
    valid("{ best { ... on Book { x: id } ... on Toy { x: id } } }");
    valid("{ best { ... on Book { x: next { id } } ... on Toy { x: next { name2: name } } } }");
    valid("{ named { ... on Book { x: pages } ... on Shelf { y: name } ... on Toy { x: broken } } }");
    invalid("{ a: hello a: missing }",
            "Fields \"a\" cannot be merged: they are different fields. Give one of them an alias.");
    invalid("{ hello hello(name: \"x\") }",
            "Fields \"hello\" cannot be merged: their arguments differ. Give one of them an alias.");
    invalid("{ hello(name: \"y\") hello(name: \"x\") }",
            "Fields \"hello\" cannot be merged: their arguments differ. Give one of them an alias.");
    invalid("query($a: String, $b: String) { hello(name: $a) hello(name: $b) }",
            "Fields \"hello\" cannot be merged: their arguments differ. Give one of them an alias.");
    invalid("{ echo(list: [1, 2]) echo(list: [2, 1]) }",
            "Fields \"echo\" cannot be merged: their arguments differ. Give one of them an alias.");
    invalid("{ shelf { x: id } shelf { x: name } }",
            "Fields \"x\" cannot be merged: they are different fields. Give one of them an alias.");
    invalid("{ shelf { ...F x: name } } fragment F on Named { x: id }",
            "Fields \"x\" cannot be merged: they are different fields. Give one of them an alias.");
    /* The same deep inside, through fragments and different objects. */
    invalid("{ best { ... on Book { x: pages } ... on Toy { x: size } } }",
            "Fields \"x\" cannot be merged: their types differ. Give one of them an alias.");
    invalid("{ best { ... on Book { x: name } ... on Toy { x: name } } }",
            "Fields \"x\" cannot be merged: their types differ. Give one of them an alias.");
    invalid("{ best { ... on Book { x: tags } ... on Toy { x: id } } }",
            "Fields \"x\" cannot be merged: their types differ. Give one of them an alias.");
    invalid("{ best { ... on Book { n: next { v: pages } } ... on Toy { n: next { v: size } } } }",
            "Fields \"v\" cannot be merged: their types differ. Give one of them an alias.");
    invalid("{ named { n: name ... on Toy { n: id } } }",
            "Fields \"n\" cannot be merged: they are different fields. Give one of them an alias.");
    invalid("{ shelf { ...A } shelf { ...B } } fragment A on Shelf { best { ... on Toy { t: id } } }\n"
            "fragment B on Shelf { best { ... on Toy { t: name } } }",
            "Fields \"t\" cannot be merged: they are different fields. Give one of them an alias.");
}

static void test_arguments(void **state)
{
    (void)state;
    valid("{ hello(name: \"x\") need(int: 1, range: {}) node(id: 5) { id } }");
    invalid("{ hello(nam: \"x\") }",
            "There is no argument \"nam\" of field \"Query.hello\". Did you mean \"name\"?");
    invalid("{ hello @skip(unless: true) }",
            "There is no argument \"unless\" of directive \"@skip\".\n"
            "Argument \"if\" of type \"Boolean!\" of directive \"@skip\" is required.");
    invalid("{ hello(name: \"x\", name: \"x\") }",
            "Argument \"name\" of field \"Query.hello\" is given twice.");
    invalid("{ node { id } }", "Argument \"id\" of type \"ID!\" of field \"Query.node\" is required.");
    invalid("{ node(id: null) { id } }", "Expected a value of type \"ID!\", found null.");
}

static void test_fragments(void **state)
{
    (void)state;
    valid("{ shelf { ...A } } fragment A on Shelf { id ...B } fragment B on Node { id }");
    valid("{ named { ...A } } fragment A on Item { ... on Book { pages } }");
    invalid("{ ...A ...A } fragment A on Query { hello } fragment A on Query { hello }",
            "There are two fragments \"A\".");
    invalid("{ ... on Zzzzzzzz { a } shelf { ...A } } fragment A on Shel { id }",
            "Unknown type \"Shel\". Did you mean \"Shelf\"?\nUnknown type \"Zzzzzzzz\".");
    invalid("{ shelf { ...A ... on Size { a } } } fragment A on Int { id }",
            "A fragment cannot be on \"Int\": it has no fields.\nA fragment cannot be on \"Size\": it has no "
            "fields.");
    invalid("{ shelf { ... on Range { from } } }", "A fragment cannot be on \"Range\": it has no fields.");
    invalid("{ hello } fragment A on Shelf { ...B } fragment B on Shelf { id }",
            "Fragment \"A\" is never used.\nFragment \"B\" is never used.");
    invalid("{ shelf { ...Nope } }", "Unknown fragment \"Nope\".");
    invalid("{ shelf { ...A } } fragment A on Shelf { ...A }", "Fragment \"A\" spreads itself.");
    invalid("{ shelf { ...A } } fragment A on Shelf { id ...B } fragment B on Shelf { ...C } fragment C on "
            "Shelf { ...A }",
            "Fragment \"A\" spreads itself through others.");
    invalid("{ shelf { ...A } } fragment A on Shelf { best { ... on Book { shelf { ...A } } } }",
            "Fragment \"A\" spreads itself.");
    invalid("{ shelf { ... on Book { id } } }", "A fragment on \"Book\" can never apply to \"Shelf\".");
    invalid("{ best { ... on Shelf { id } } }", "A fragment on \"Shelf\" can never apply to \"Item\".");
    invalid("{ shelf { ...A } } fragment A on Item { __typename }",
            "A fragment on \"Item\" can never apply to \"Shelf\".");
    valid("{ best { ... on Named { name } } nodes { ... on Item { __typename } } }");
    invalid("{ best { ... on Lost { id } } }", "A fragment on \"Lost\" can never apply to \"Item\".");
}

static void test_values(void **state)
{
    (void)state;
    valid("{ echo(int: 1, float: 1, string: \"s\", boolean: true, id: 7, size: LARGE, money: 1.5, any: {a: "
          "[1, X]}) }");
    valid(
        "{ echo(list: 1, matrix: [1, [2], null], range: {to: null}, ranges: {from: 2}, pick: {id: \"x\"}) }");
    invalid("{ echo(int: 1.0) }", "Expected an Int (a whole number of 32 bits), found 1.0.");
    invalid("{ echo(int: 2147483648) }", "Expected an Int (a whole number of 32 bits), found 2147483648.");
    invalid("{ echo(int: \"1\") }", "Expected an Int (a whole number of 32 bits), found \"1\".");
    invalid("{ echo(int: LARGE) }", "Expected an Int (a whole number of 32 bits), found LARGE.");
    invalid("{ echo(int: [1]) }", "Expected an Int (a whole number of 32 bits), found a list.");
    invalid("{ echo(int: {a: 1}) }", "Expected an Int (a whole number of 32 bits), found an object.");
    invalid("{ echo(float: \"1\") }", "Expected a Float (a finite number), found \"1\".");
    invalid("{ echo(float: 1e999) }", "Expected a Float (a finite number), found 1e999.");
    invalid("{ echo(string: 1) }", "Expected a String, found 1.");
    invalid("{ echo(boolean: 1) }", "Expected a Boolean, found 1.");
    invalid("{ echo(id: 1.5) }", "Expected an ID (text or a whole number), found 1.5.");
    invalid("{ echo(id: true) }", "Expected an ID (text or a whole number), found true.");
    invalid("{ echo(size: LARG) }", "Expected a value of the enum Size, found LARG. Did you mean \"LARGE\"?");
    invalid("{ echo(size: \"LARGE\") }",
            "Expected a value of the enum Size, found \"LARGE\". Did you mean \"LARGE\" or \"HUGE\"?");
    invalid("{ echo(money: \"bad\") }", "This is bad money.");
    invalid("{ echo(money: true) }", "Expected a Money, found true.");
    invalid("{ echo(list: [1, null]) }", "Expected a value of type \"Int!\", found null.");
    invalid("{ echo(list: [1, \"x\", true]) }", "Expected an Int (a whole number of 32 bits), found \"x\".\n"
                                                "Expected an Int (a whole number of 32 bits), found true.");
    invalid("{ echo(range: 1) }", "Expected an object for \"Range\".");
    invalid("{ echo(range: {form: 1}) }", "\"form\" is no field of \"Range\". Did you mean \"from\"?");
    invalid("{ echo(range: {from: null}) }", "Expected a value of type \"Int!\", found null.");
    invalid("{ echo(range: {to: 1, to: 2}) }", "Input field \"to\" is given twice.");
    invalid("{ echo(any: {to: 1, b: {c: 1, c: 2}}) }", "Input field \"c\" is given twice.");
    invalid("{ echo(range: {inner: {inner: {to: true}}}) }",
            "Expected an Int (a whole number of 32 bits), found true.");
    invalid("{ echo(need: null) }", "Expected a value of type \"Int!\", found null.");
}

static void test_one_of(void **state)
{
    (void)state;
    valid("{ echo(pick: {range: {to: 1}}) }");
    valid("query($id: ID!) { echo(pick: {id: $id}) }");
    valid("query($pick: Pick) { echo(pick: $pick) }");
    valid("query($id: ID! = \"x\") { echo(pick: {id: $id}) }");
    invalid("{ echo(pick: {}) }", "Exactly one field of \"Pick\" must be given.");
    invalid("{ echo(pick: {id: 1, name: \"x\"}) }", "Exactly one field of \"Pick\" must be given.");
    invalid("{ echo(pick: {id: null}) }", "Field \"id\" of \"Pick\" must not be null.");
    invalid("{ echo(pick: {id: 1, name: null}) }", "Exactly one field of \"Pick\" must be given.");
    invalid("query($id: ID) { echo(pick: {id: $id}) }",
            "Variable \"$id\" of type \"ID\" is used where \"ID\" is expected, in an input that takes "
            "exactly one "
            "field and no null.");
}

static void test_directives(void **state)
{
    (void)state;
    valid("query ($a: Int @once) @tag(name: \"a\") @tag(name: \"b\") { hello @skip(if: false) @once "
          "echo(int: $a) }");
    invalid("{ hello @nope }", "Unknown directive \"@nope\". Did you mean \"once\"?");
    invalid("{ hello @skp(if: true) }", "Unknown directive \"@skp\". Did you mean \"skip\"?");
    invalid("query @skip(if: true) { hello }", "Directive \"@skip\" cannot stand on QUERY.");
    invalid("{ hello @deprecated }", "Directive \"@deprecated\" cannot stand on FIELD.");
    invalid("{ ...F } fragment F on Query @once { hello }",
            "Directive \"@once\" cannot stand on FRAGMENT_DEFINITION.");
    invalid("{ ... @once { hello } }", "Directive \"@once\" cannot stand on INLINE_FRAGMENT.");
    invalid("{ hello @once @once }", "Directive \"@once\" is given twice.");
    invalid("mutation @once { add(pick: {id: 1}) }", "Directive \"@once\" cannot stand on MUTATION.");
    invalid("{ hello @skip(if: \"x\") }", "Expected a Boolean, found \"x\".");
}

static void test_variables(void **state)
{
    (void)state;
    valid("query($a: Int = 1, $b: [Range!], $c: Pick) { echo(int: $a, ranges: $b, pick: $c) }");
    valid("query A($a: Int) { ...F } query B($a: Int!) { ...F } fragment F on Query { echo(int: $a) }");
    invalid("query($a: Int, $a: Int) { echo(int: $a) }", "There are two variables \"$a\".");
    invalid("query($a: Shelf) { hello(name: $a) }",
            "Variable \"$a\" cannot have the type \"Shelf\": it is no input type.");
    invalid("query($a: [Strin!]) { hello(name: $a) }", "Unknown type \"Strin\". Did you mean \"String\"?");
    invalid("query($a: Int = \"x\") { echo(int: $a) }",
            "Expected an Int (a whole number of 32 bits), found \"x\".");
    invalid("query($a: Int! = null) { echo(int: $a) }", "Expected a value of type \"Int!\", found null.");
    invalid("{ hello(name: $a) }", "Variable \"$a\" is not defined.");
    invalid("query Q { echo(any: {x: [$a]}) }", "Variable \"$a\" is not defined by operation \"Q\".");
    invalid("query A($a: Int) { ...F } query B { ...F } fragment F on Query { ...G } fragment G on Query { "
            "echo(int: $a) }",
            "Variable \"$a\" is not defined by operation \"B\".");
    invalid("query($a: Int) { hello }", "Variable \"$a\" is never used.");
    invalid(
        "query A($a: Int) { ...F } query B($a: Int, $b: Int) { ...F } fragment F on Query { echo(int: $a) }",
        "Variable \"$b\" is never used.");
}

static void check_usage(const char *variable, const char *argument, bool allowed)
{
    char document[200], problem[200];

    snprintf(document, sizeof(document), "query($v: %s) { echo(%s) need(int: 1, range: {}) }", variable,
             argument);
    if (allowed) {
        valid(document);
        return;
    }
    snprintf(problem, sizeof(problem), "Variable \"$v\" of type \"");
    if (strncmp(gqf_problems(&gqf_shop, document), problem, strlen(problem)) != 0)
        fail_msg("%s: %s", document, gqf_problems(&gqf_shop, document));
}

static void test_usages(void **state)
{
    (void)state;
    check_usage("Int", "int: $v", true);
    check_usage("Int!", "int: $v", true);
    check_usage("String", "int: $v", false);
    check_usage("[Int]", "int: $v", false);
    check_usage("Int", "list: $v", false);
    check_usage("[Int]", "list: $v", false);
    check_usage("[Int!]", "list: $v", true);
    check_usage("[Int!]!", "list: $v", true);
    check_usage("Int", "list: [$v]", false);
    check_usage("Int!", "list: [$v]", true);
    check_usage("Int = 1", "list: [$v]", true); /* a default of the variable */
    check_usage("Int = null", "list: [$v]", false);
    check_usage("Int", "need: $v", true); /* a default of the place */
    check_usage("Int", "range: {from: $v}", true);
    check_usage("Int", "range: {to: $v}", true);
    check_usage("ID", "range: {to: $v}", false);
    check_usage("[[Int]]", "matrix: $v", true);
    check_usage("[[Int!]!]!", "matrix: $v", true);
    check_usage("[Int]", "matrix: $v", false);
    check_usage("[Int]", "matrix: [$v]", true);
    check_usage("Boolean", "any: [$v]", true);
    check_usage("Size", "range: {sizes: [$v]}", false);
    check_usage("Size!", "range: {sizes: [$v]}", true);
    check_usage("[Size!]", "range: {sizes: $v}", true); /* the field has a default */
}

static void test_skip_usage(void **state)
{
    (void)state;
    valid("query($a: Boolean!) { hello @skip(if: $a) }");
    valid("query($a: Boolean = true) { hello @skip(if: $a) }");
    invalid("query($a: Boolean) { hello @skip(if: $a) }",
            "Variable \"$a\" of type \"Boolean\" is used where \"Boolean!\" is expected.");
}

/* ---- places ---- */

static void test_places(void **state)
{
    const char *out;

    (void)state;
    out = gqf_run(&gqf_shop, "{\n  hello\n  shelf { x: id }\n  shelf { x: name }\n}", NULL, NULL);
    assert_string_equal(
        out, "{\"errors\":[{\"message\":\"Fields \\\"x\\\" cannot be merged: they are different "
             "fields. Give one of them an alias.\",\"locations\":[{\"line\":3,\"column\":11},{"
             "\"line\":4,\"column\":11}],\"extensions\":{\"code\":\"GRAPHQL_VALIDATION_FAILED\"}}]}");
    out = gqf_run(&gqf_shop, "{ hello(", NULL, NULL);
    assert_string_equal(out,
                        "{\"errors\":[{\"message\":\"Expected a name, found end of text.\",\"locations\":[{"
                        "\"line\":1,\"column\":9}],\"extensions\":{\"code\":\"GRAPHQL_PARSE_FAILED\"}}]}");
}

/* A list without room for errors does not make documents valid. */
static void test_no_room_for_errors(void **state)
{
    static const char *const documents[] = {
        "{",
        "{ nope }",
        "{ a: hello a: missing }",
        "{ hello ...F }",
        "{ echo(int: \"x\") }",
        "query($a: Int) { hello }",
        "subscription { __typename }",
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"};

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(documents); i++) {
        struct oms_arena arena;
        struct gql_errors errors;
        struct gql_prepared *prepared;
        struct oms_buf out;
        oms_arena_init(&arena, 64, 0);
        gql_errors_init(&errors, &arena);
        assert_int_not_equal(gql_prepare(gqf_shop.schema, oms_str_of(documents[i]), &prepared, &errors),
                             OMS_OK);
        assert_int_equal(errors.count, 0);
        assert_true(errors.truncated);
        oms_buf_init(&out, 1000);
        gql_respond(NULL, NULL, &errors, &out);
        oms_buf_append_char(&out, '\0');
        assert_string_equal(out.data,
                            "{\"errors\":[{\"message\":\"The request failed.\",\"extensions\":{\"code\":"
                            "\"INTERNAL\"}}]}");
        oms_buf_fini(&out);
        oms_arena_fini(&arena);
    }
}

/* ---- limits ---- */

static char *text_of(const char *before, const char *each, int count, const char *after)
{
    struct oms_buf buf;

    oms_buf_init(&buf, 1u << 24);
    oms_buf_append_str(&buf, oms_str_of(before));
    for (int i = 0; i < count; i++) {
        for (const char *c = each; *c; c++) {
            if (*c == '#')
                oms_buf_append_i64(&buf, i);
            else if (*c == '%')
                oms_buf_append_i64(&buf, i + 1);
            else
                oms_buf_append_char(&buf, *c);
        }
    }
    oms_buf_append_str(&buf, oms_str_of(after));
    oms_buf_append_char(&buf, '\0');
    return buf.data;
}

/*
 * A document in which every path of `levels` choices merges another combination of selection sets: at each
 * level a path goes on by "next" or by "shelf", and only "next" adds a chain of fragments that lasts to the
 * end.
 */
static char *combinations(int levels)
{
    struct oms_buf buf;

    oms_buf_init(&buf, 1u << 24);
    oms_buf_append_lit(&buf, "{best{...F0}}");
    for (int i = 0; i < levels; i++) {
        oms_buf_appendf(&buf, " fragment F%d on Book{next{...F%d ...A%dx%d} shelf{must{...F%d}}}", i, i + 1,
                        i, i + 1, i + 1);
        for (int k = i + 1; k < levels; k++)
            oms_buf_appendf(&buf, " fragment A%dx%d on Book{next{...A%dx%d} shelf{must{...A%dx%d}}}", i, k, i,
                            k + 1, i, k + 1);
        oms_buf_appendf(&buf, " fragment A%dx%d on Book{id}", i, levels);
    }
    oms_buf_appendf(&buf, " fragment F%d on Book{id}", levels);
    oms_buf_append_char(&buf, '\0');
    return buf.data;
}

/* Prepares within a second, and has `part` in its problems ("": it is valid). */
static void check_large(char *text, const char *part)
{
    struct timespec before, after;
    const char *problems;
    double seconds;

    clock_gettime(CLOCK_MONOTONIC, &before);
    problems = gqf_problems(&gqf_shop, text);
    clock_gettime(CLOCK_MONOTONIC, &after);
    seconds = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    if (part[0] ? !strstr(problems, part) : problems[0] != '\0')
        fail_msg("%.200s gave %.200s", text, problems);
    if (seconds > 5) /* a sanitizer build on a busy machine; the plain build takes milliseconds */
        fail_msg("%.200s took %g s", text, seconds);
    oms_free(text);
}

static void test_limits(void **state)
{
    (void)state;
    check_large(text_of("{", "a#: hello ", OMS_GQL_ALIASES_MAX + 1, "}"), "more than 200 aliases");
    check_large(text_of("{", "a#: hello ", OMS_GQL_ROOT_FIELDS_MAX, "}"), "");
    check_large(text_of("{", "a#: hello ", OMS_GQL_ROOT_FIELDS_MAX + 1, "}"), "more than 50 root fields");
    check_large(text_of("{toy", "{next", OMS_GQL_DEPTH_MAX - 2, "{id}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}"), "");
    check_large(text_of("{toy", "{next", OMS_GQL_DEPTH_MAX - 1, "{id}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}"),
                "more than 32 levels of fields");
    /* The same depth through fragments. */
    check_large(text_of("{toy{...F0}} fragment F40 on Toy{id}", " fragment F# on Toy{next{...F%}}", 40, ""),
                "more than 32 levels of fields");
    check_large(text_of("{", "hello ", 9900, "}"), "");
    check_large(text_of("#", "x", OMS_GQL_DOCUMENT_BYTES_MAX, "\n{hello}"), "larger than 131072 bytes");
    check_large(text_of("{", "nope# ", 3000, "}"), "has no field");
    check_large(text_of("{__schema{types{", "fields{type{", 2, "name}}}}}}}"), "");
    check_large(text_of("{__schema{types{", "fields{type{", 3, "name}}}}}}}}}"),
                "Introspection asks for more");
    check_large(text_of("{__schema{types{...F0}}} fragment F3 on __Type{name}",
                        " fragment F# on __Type{fields{type{...F%}}}", 3, ""),
                "Introspection asks for more");
}

/* Documents that are made to be slow. */
static void test_hostile(void **state)
{
    (void)state;
    /* Each fragment twice in the next: the expanded size doubles with every level. */
    check_large(text_of("{toy{...F0}} fragment F30 on Toy{id}",
                        " fragment F# on Toy{next{...F%} next{...F%}}", 30, ""),
                "");
    check_large(text_of("{toy{...F0}} fragment F30 on Toy{id}",
                        " fragment F# on Toy{a:next{...F%} b:next{...F%}}", 30, ""),
                "");
    /* The same without levels. */
    check_large(text_of("{toy{...F0}} fragment F500 on Toy{id}",
                        " fragment F# on Toy{...F% ... on Toy{...F%}}", 500, ""),
                "");
    /* Another combination of sets on every path: as many merged places as paths. */
    check_large(text_of("{toy{...F0} x:toy{...A0 ...B0}} fragment F26 on Toy{id} fragment A26 on Toy{id} "
                        "fragment B26 on Toy{id}",
                        " fragment F# on Toy{a:next{...F% ...A%} b:next{...F% ...B%}}"
                        " fragment A# on Toy{a:next{...A%} b:next{...A%}}"
                        " fragment B# on Toy{a:next{...B%} b:next{...B%}}",
                        26, ""),
                "");
    check_large(combinations(6), "");
    check_large(combinations(15), "overlap in too many ways");
    check_large(text_of("query(", "$v#:Int ", 1500, "){hello}"), "is never used");
    check_large(text_of("{echo(any:{", "k#:1 ", 3000, "})}"), "");
    check_large(text_of("{hello(", "k#:1 ", 3000, ")}"), "There is no argument");
    check_large(text_of("{hello", " @once", 4000, "}"), "is given twice");
    check_large(text_of("{hello}", " query Q#{hello}", 1900, ""), "must be the only one");
    check_large(
        text_of("", " query Q#{...F}", 1200, " fragment F on Query{hello shelf{id name best{__typename}}}"),
        "");
    check_large(
        text_of("{shelf{...F0}}", " fragment F# on Shelf{id ...F%}", 1000, " fragment F1000 on Shelf{...F0}"),
        "spreads itself through others");
}

/* How many fields the rule of overlapping fields looks at in `text`, which is freed, by token of it. */
static double merge_cost(char *text)
{
    struct oms_arena arena, error_arena;
    struct gql_document *document;
    struct gql_errors errors;
    double cost;

    oms_arena_init(&arena, 64u << 10, GQL_ARENA_UNBOUNDED);
    oms_arena_init(&error_arena, 4096, 1u << 20);
    gql_errors_init(&errors, &error_arena);
    assert_int_equal(gql_parse(oms_str_of(text), 0, &arena, &document, &errors), OMS_OK);
    if (gql_validate(gqf_shop.schema, document, &arena, &errors) != OMS_OK)
        fail_msg("%.100s: %s", text, errors.items[0].message.data);
    cost = (double)document->merge_visits / document->token_count;
    oms_arena_fini(&arena);
    oms_arena_fini(&error_arena);
    oms_free(text);
    return cost;
}

/*
 * What overlapping fields cost, counted instead of timed: documents whose expansion doubles with every level
 * cost the same by token at 10 and at 30 levels, and long ones the same as short ones.
 */
static void test_merge_cost(void **state)
{
    static const struct {
        const char *before, *each,
            *after; /* `each` follows what stands first, `after` is for the last level */
    } shapes[] = {
        {"{toy{...F0}}", " fragment F# on Toy{next{...F%} next{...F%}}", " fragment F%d on Toy{id}"},
        {"{toy{...F0}}", " fragment F# on Toy{a:next{...F%} b:next{...F%}}", " fragment F%d on Toy{id}"},
        {"{toy{...F0}}", " fragment F# on Toy{...F% ...F% ... on Toy{...F%}}", " fragment F%d on Toy{id}"},
        {"{toy{...F0 ...F0}}", " fragment F# on Toy{next{...F% ...F%} next{next{id}}}",
         " fragment F%d on Toy{id}"},
        {"{shelf{...F0} x:shelf{best{...on Toy{next{id}}}}}",
         " fragment F# on Shelf{best{... on Toy{next{id}} ... on Book{next{id}}} ...F%}",
         " fragment F%d on Shelf{id}"},
    };

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(shapes); i++) {
        double cost[2];
        for (int k = 0; k < 2; k++) {
            int levels = k ? 30 : 10;
            char before[256], last[64];
            snprintf(last, sizeof(last), shapes[i].after, levels);
            snprintf(before, sizeof(before), "%s%s", shapes[i].before, last);
            cost[k] = merge_cost(text_of(before, shapes[i].each, levels, ""));
        }
        if (cost[0] > 4 || cost[1] > cost[0] * 1.5)
            fail_msg("%s: %g fields by token, then %g", shapes[i].each, cost[0], cost[1]);
    }
    assert_true(merge_cost(text_of("{", "hello ", 100, "}")) <= 3);
    assert_true(merge_cost(text_of("{", "hello ", 9000, "}")) <= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations), cmocka_unit_test(test_subscriptions),
        cmocka_unit_test(test_fields),     cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_merge),      cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_fragments),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_one_of),     cmocka_unit_test(test_directives),
        cmocka_unit_test(test_variables),  cmocka_unit_test(test_usages),
        cmocka_unit_test(test_skip_usage), cmocka_unit_test(test_places),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_no_room_for_errors),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_merge_cost),
    };

    return cmocka_run_group_tests(tests, gqf_set_up, gqf_tear_down);
}
