/* The parser: what it makes of documents and definitions, where it finds faults, and its depth limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/graphql/parser.h"
#include "http/graphql/print.h"
#include "runtime/base/alloc.h"

#define ARENA_MAX ((size_t)256 << 20)

struct parsing {
    struct oms_arena arena;
    struct gql_errors errors;
    struct gql_document *document;
    enum oms_status status;
};

static void parse(struct parsing *p, struct oms_str text)
{
    oms_arena_init(&p->arena, 4096, ARENA_MAX);
    gql_errors_init(&p->errors, &p->arena);
    p->document = NULL;
    p->status = gql_parse(text, OMS_GQL_TOKENS_MAX, &p->arena, &p->document, &p->errors);
}

static void parse_ok(struct parsing *p, const char *text)
{
    parse(p, oms_str_of(text));
    if (p->status != OMS_OK)
        fail_msg("%s: %s", text, p->errors.items[0].message.data);
}

static void end(struct parsing *p)
{
    oms_arena_fini(&p->arena);
}

static void check_fault(const char *text, const char *message, unsigned line, unsigned column)
{
    struct parsing p;

    parse(&p, oms_str_of(text));
    if (p.status == OMS_OK)
        fail_msg("%s was accepted", text);
    assert_int_equal(p.status, OMS_INVALID);
    assert_int_equal(p.errors.count, 1);
    assert_string_equal(p.errors.items[0].message.data, message);
    assert_int_equal(p.errors.items[0].line, line);
    assert_int_equal(p.errors.items[0].column, column);
    end(&p);
}

static void check_str(struct oms_str s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.data, text, s.len);
}

static void test_operation(void **state)
{
    struct parsing p;
    const struct gql_operation_ast *o;
    const struct gql_selection *s;

    (void)state;
    parse_ok(&p, "\"Asks.\" query Q($a: [Int!]! = [1] @x, \"Second.\" $b: T) @d(e: $a) {\n"
                 "  alias: field(x: 1, y: {a: [$b, ENUM, null, true]}) @skip(if: true) { id }\n"
                 "  ...F @z ... on T { id } ... @y { id }\n"
                 "}\nfragment F on T { id }");
    o = p.document->operations;
    assert_int_equal(p.document->operation_count, 1);
    assert_int_equal(o->kind, GQL_QUERY);
    check_str(o->name, "Q");
    assert_int_equal(o->variable_count, 2);
    check_str(o->variables->name, "a");
    assert_true(o->variables->type->non_null && o->variables->type->of->non_null);
    check_str(o->variables->type->of->name, "Int");
    assert_int_equal(o->variables->initial->kind, GQL_LIT_LIST);
    check_str(o->variables->directives->name, "x");
    assert_null(o->variables->next->initial);
    check_str(o->directives->name, "d");
    s = o->set->first;
    check_str(s->key, "alias");
    check_str(s->name, "field");
    check_str(s->args->name, "x");
    assert_int_equal(s->args->value->kind, GQL_LIT_INT);
    assert_true(s->args->next->value->has_variable);
    assert_false(s->args->value->has_variable);
    check_str(s->directives->name, "skip");
    assert_non_null(s->set);
    s = s->next;
    assert_int_equal(s->kind, GQL_SELECT_SPREAD);
    check_str(s->name, "F");
    s = s->next;
    assert_int_equal(s->kind, GQL_SELECT_INLINE);
    check_str(s->name, "T");
    s = s->next;
    assert_int_equal(s->kind, GQL_SELECT_INLINE);
    assert_false(oms_str_present(s->name));
    assert_null(s->next);
    check_str(p.document->fragments->on, "T");
    assert_int_equal(p.document->alias_count, 1);
    end(&p);
}

static void test_keywords_are_names(void **state)
{
    struct parsing p;

    (void)state;
    parse_ok(&p, "query query($on: on) { fragment on: type(mutation: $on, true: enum) { null } }\n"
                 "fragment query on on { on ...query2 } fragment query2 on fragment { true false }");
    check_str(p.document->operations->name, "query");
    check_str(p.document->operations->set->first->name, "fragment");
    end(&p);
}

static void test_faults(void **state)
{
    (void)state;
    check_fault("", "Expected a definition, found end of text.", 1, 1);
    check_fault("{", "Expected a name, found end of text.", 1, 2);
    check_fault("{}", "Expected a name, found \"}\".", 1, 2);
    check_fault("{ a {} }", "Expected a name, found \"}\".", 1, 6);
    check_fault("{ a() }", "Expected a name, found \")\".", 1, 5);
    check_fault("{ a(b:) }", "Expected a value, found \")\".", 1, 7);
    check_fault("{ a: }", "Expected a name, found \"}\".", 1, 6);
    check_fault("{ a\n  b: 1 }", "Expected a name, found \"1\".", 2, 6);
    check_fault("query ($a: Int = $b) { a }", "Expected a constant value, found \"$\".", 1, 18);
    check_fault("query ($a: Int @x(y: $b)) { a }", "Expected a constant value, found \"$\".", 1, 22);
    check_fault("query () { a }", "Expected \"$\", found \")\".", 1, 8);
    check_fault("query ($a Int) { a }", "Expected \":\", found \"Int\".", 1, 11);
    check_fault("query ($a: [Int) { a }", "Expected \"]\", found \")\".", 1, 16);
    check_fault("query ($a: Int!!) { a }", "Expected \"$\", found \"!\".", 1, 16);
    check_fault("fragment on on T { a }", "Expected a fragment's name, found \"on\".", 1, 10);
    check_fault("fragment F T { a }", "Expected \"on\", found \"T\".", 1, 12);
    check_fault("{ ... on }", "Expected a name, found \"}\".", 1, 10);
    check_fault("{ ...on on { a } } garbage", "Expected a definition, found \"garbage\".", 1, 20);
    check_fault("\"No description here.\" { a }",
                "A query without the word \"query\" cannot have a description.", 1, 1);
    check_fault("{ a(b: {c 1}) }", "Expected \":\", found \"1\".", 1, 11);
    check_fault("{ a(b: [1, }) }", "Expected a value, found \"}\".", 1, 12);
    check_fault("{ a } }", "Expected a definition, found \"}\".", 1, 7);
    check_fault("{ a(b: \"x) }", "Unterminated string.", 1, 13);
}

static void test_encoding(void **state)
{
    struct parsing p;

    (void)state;
    parse(&p, OMS_STR("{ a(b: \"\xFF\") }"));
    assert_int_equal(p.status, OMS_INVALID);
    assert_string_equal(p.errors.items[0].message.data, "The document is not valid UTF-8.");
    end(&p);
    parse(&p, OMS_STR("{ a \0 }"));
    assert_int_equal(p.status, OMS_INVALID);
    assert_string_equal(p.errors.items[0].message.data, "Unexpected character U+0000.");
    end(&p);
}

/* `count` times `open`, then `middle`, then `count` times `close`. */
static char *nest(const char *open, const char *middle, const char *close, size_t count)
{
    struct oms_buf buf;

    oms_buf_init(&buf, 1u << 24);
    for (size_t i = 0; i < count; i++)
        oms_buf_append_str(&buf, oms_str_of(open));
    oms_buf_append_str(&buf, oms_str_of(middle));
    for (size_t i = 0; i < count; i++)
        oms_buf_append_str(&buf, oms_str_of(close));
    oms_buf_append_char(&buf, '\0');
    return buf.data;
}

static void check_nesting(const char *before, const char *open, const char *middle, const char *close,
                          const char *after, size_t max)
{
    for (size_t count = max; count < max + 3000; count += count == max ? 1 : 2999) {
        char *inner = nest(open, middle, close, count), *text = oms_malloc(strlen(inner) + 100);
        struct parsing p;
        snprintf(text, strlen(inner) + 100, "%s%s%s", before, inner, after);
        parse(&p, oms_str_of(text));
        assert_int_equal(p.status, count <= max ? OMS_OK : OMS_LIMIT);
        if (p.status == OMS_LIMIT)
            assert_string_equal(p.errors.items[0].code, "LIMIT_EXCEEDED");
        end(&p);
        oms_free(text);
        oms_free(inner);
    }
}

static void test_depth(void **state)
{
    (void)state;
    check_nesting("", "{a", "", "}", "", OMS_GQL_NESTING_MAX);
    check_nesting("{a(b:", "[", "", "]", ")}", OMS_GQL_NESTING_MAX - 1);
    check_nesting("{a(b:", "{c:", "1", "}", ")}", OMS_GQL_NESTING_MAX - 2);
    check_nesting("query($a:", "[", "T", "]", "){a}", OMS_GQL_DEPTH_MAX - 1);
    check_nesting("", "{...", "{a}", "}", "", OMS_GQL_NESTING_MAX - 1);
}

static void test_tokens(void **state)
{
    char *text = nest(" a", "", "", OMS_GQL_TOKENS_MAX - 1);
    struct parsing p;

    (void)state;
    text[0] = '{';
    parse(&p, oms_str_of(text));
    assert_int_equal(p.status, OMS_INVALID); /* just enough tokens, but no end */
    end(&p);
    oms_free(text);
    text = nest(" a", "", "", OMS_GQL_TOKENS_MAX);
    text[0] = '{';
    parse(&p, oms_str_of(text));
    assert_int_equal(p.status, OMS_LIMIT);
    end(&p);
    oms_free(text);
}

static void test_definitions(void **state)
{
    struct parsing p;
    const struct gql_def *def;

    (void)state;
    parse_ok(&p,
             "\"\"\"The schema.\"\"\" schema @d { query: Q mutation: M }\n"
             "\"S.\" scalar S @specifiedBy(url: \"u\")\n"
             "type T implements & A & B @d { \"F.\" f(\"X.\" x: [Int!] = [1] @d, y: I): T! @deprecated }\n"
             "interface A implements B { f: T } union U = | T | V  enum E { \"One.\" ONE @d TWO }\n"
             "input I @oneOf { a: Int = 1 @d b: [I] }\n"
             "directive @d(a: Int) repeatable on | FIELD | OBJECT\n"
             "extend type T @d extend schema { subscription: S2 } extend enum E { THREE }\n"
             "type Empty  union None  extend union U = W");
    def = p.document->definitions;
    assert_int_equal(def->kind, GQL_DEF_SCHEMA);
    check_str(def->description, "The schema.");
    assert_int_equal(def->names->next->operation, GQL_MUTATION);
    def = def->next;
    check_str(def->name, "S");
    def = def->next;
    check_str(def->names->next->name, "B");
    check_str(def->fields->description, "F.");
    check_str(def->fields->args->description, "X.");
    assert_int_equal(def->fields->args->initial->kind, GQL_LIT_LIST);
    assert_true(def->fields->type->non_null);
    def = def->next->next;
    check_str(def->names->name, "T");
    check_str(def->names->next->name, "V");
    def = def->next;
    check_str(def->values->description, "One.");
    def = def->next->next;
    assert_int_equal(def->kind, GQL_DEF_DIRECTIVE);
    assert_true(def->repeatable);
    assert_true(def->next->extends);
    end(&p);
}

static void test_definition_faults(void **state)
{
    (void)state;
    check_fault("type T { }", "Expected a name, found \"}\".", 1, 10);
    check_fault("enum E { true }", "Expected an enum value, found \"true\".", 1, 10);
    check_fault("schema { query Q }", "Expected \":\", found \"Q\".", 1, 16);
    check_fault("schema @d", "Expected \"{\", found end of text.", 1, 10);
    check_fault("schema { other: Q }", "Expected query, mutation or subscription, found \"other\".", 1, 10);
    check_fault("directive @d on FIELDS", "Expected a directive location, found \"FIELDS\".", 1, 17);
    check_fault("directive d on FIELD", "Expected \"@\", found \"d\".", 1, 11);
    check_fault("extend type T", "Expected something to extend with, found end of text.", 1, 14);
    check_fault("extend directive @d on FIELD", "Expected what to extend, found \"@\".", 1, 18);
    check_fault("\"No.\" extend type T @d", "Only definitions can have a description.", 1, 1);
    check_fault("input I { a: Int = $x }", "Expected a constant value, found \"$\".", 1, 20);
    check_fault("union U = ", "Expected a name, found end of text.", 1, 11);
    check_fault("type T implements { a: Int }", "Expected a name, found \"{\".", 1, 19);
}

/* Printing a literal and reading it again gives the same text. */
static void test_print_literal(void **state)
{
    static const char text[] =
        "[1, -2.5e3, \"q\\\"\\n\\u0001\", true, null, ENUM, {}, [], { a: { b: $c }, d: [$e] }]";
    struct parsing p;
    struct oms_buf buf;

    (void)state;
    oms_buf_init(&buf, 1 << 16);
    oms_buf_appendf(&buf, "{ a(b: %s) }", text);
    parse(&p, oms_buf_str(&buf));
    assert_int_equal(p.status, OMS_OK);
    struct oms_buf out;
    oms_buf_init(&out, 1 << 16);
    gql_print_literal(p.document->operations->set->first->args->value, &out);
    oms_buf_append_char(&out, '\0');
    assert_string_equal(out.data, text);
    oms_buf_fini(&out);
    end(&p);
    oms_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operation),     cmocka_unit_test(test_keywords_are_names),
        cmocka_unit_test(test_faults),        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_depth),         cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_definitions),   cmocka_unit_test(test_definition_faults),
        cmocka_unit_test(test_print_literal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
