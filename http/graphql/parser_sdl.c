/* Type system definitions and extensions (section 3). */
#include "http/graphql/memory.h"
#include "http/graphql/parser.h"
#include "http/graphql/types.h"

static struct gql_input_def *gql_parse_input_defs(struct gql_parser *p, enum gql_token_kind open,
                                                  enum gql_token_kind close)
{
    struct gql_input_def *first = NULL, **end = &first;

    if (!gql_parse_accept(p, open))
        return NULL;
    do {
        struct gql_input_def *input = GQL_NEW(p->arena, struct gql_input_def);
        input->description = gql_parse_description(p);
        input->at = p->lexer.token.at;
        input->name = gql_parse_name(p);
        gql_parse_expect(p, GQL_TOKEN_COLON);
        input->type = gql_parse_type(p);
        if (gql_parse_accept(p, GQL_TOKEN_EQUALS))
            input->initial = gql_parse_value(p, true);
        input->directives = gql_parse_directives(p, true);
        *end = input;
        end = &input->next;
    } while (!p->lexer.failed && !gql_parse_accept(p, close));
    return first;
}

static struct gql_field_def *gql_parse_field_defs(struct gql_parser *p)
{
    struct gql_field_def *first = NULL, **end = &first;

    if (!gql_parse_accept(p, GQL_TOKEN_BRACE_L))
        return NULL;
    do {
        struct gql_field_def *field = GQL_NEW(p->arena, struct gql_field_def);
        field->description = gql_parse_description(p);
        field->at = p->lexer.token.at;
        field->name = gql_parse_name(p);
        field->args = gql_parse_input_defs(p, GQL_TOKEN_PAREN_L, GQL_TOKEN_PAREN_R);
        gql_parse_expect(p, GQL_TOKEN_COLON);
        field->type = gql_parse_type(p);
        field->directives = gql_parse_directives(p, true);
        *end = field;
        end = &field->next;
    } while (!p->lexer.failed && !gql_parse_accept(p, GQL_TOKEN_BRACE_R));
    return first;
}

static struct gql_value_def *gql_parse_value_defs(struct gql_parser *p)
{
    struct gql_value_def *first = NULL, **end = &first;

    if (!gql_parse_accept(p, GQL_TOKEN_BRACE_L))
        return NULL;
    do {
        struct gql_value_def *value = GQL_NEW(p->arena, struct gql_value_def);
        value->description = gql_parse_description(p);
        value->at = p->lexer.token.at;
        if (gql_parse_at_word(p, "true") || gql_parse_at_word(p, "false") || gql_parse_at_word(p, "null"))
            gql_parse_unexpected(p, "an enum value");
        value->name = gql_parse_name(p);
        value->directives = gql_parse_directives(p, true);
        *end = value;
        end = &value->next;
    } while (!p->lexer.failed && !gql_parse_accept(p, GQL_TOKEN_BRACE_R));
    return first;
}

/* Names between separators, with an optional leading one: interfaces and union members. */
static struct gql_name_ref *gql_parse_names(struct gql_parser *p, enum gql_token_kind separator)
{
    struct gql_name_ref *first = NULL, **end = &first;

    gql_parse_accept(p, separator);
    do {
        struct gql_name_ref *ref = GQL_NEW(p->arena, struct gql_name_ref);
        ref->at = p->lexer.token.at;
        ref->name = gql_parse_name(p);
        *end = ref;
        end = &ref->next;
    } while (gql_parse_accept(p, separator));
    return first;
}

static struct gql_name_ref *gql_parse_roots(struct gql_parser *p)
{
    struct gql_name_ref *first = NULL, **end = &first;

    if (!gql_parse_accept(p, GQL_TOKEN_BRACE_L))
        return NULL;
    do {
        struct gql_name_ref *ref = GQL_NEW(p->arena, struct gql_name_ref);
        ref->at = p->lexer.token.at;
        if (gql_parse_accept_word(p, "query"))
            ref->operation = GQL_QUERY;
        else if (gql_parse_accept_word(p, "mutation"))
            ref->operation = GQL_MUTATION;
        else if (gql_parse_accept_word(p, "subscription"))
            ref->operation = GQL_SUBSCRIPTION;
        else
            gql_parse_unexpected(p, "query, mutation or subscription");
        gql_parse_expect(p, GQL_TOKEN_COLON);
        ref->name = gql_parse_name(p);
        *end = ref;
        end = &ref->next;
    } while (!p->lexer.failed && !gql_parse_accept(p, GQL_TOKEN_BRACE_R));
    return first;
}

static uint32_t gql_parse_locations(struct gql_parser *p)
{
    uint32_t locations = 0;

    gql_parse_accept(p, GQL_TOKEN_PIPE);
    do {
        int location = gql_location_of(p->lexer.token.text);
        if (!gql_parse_at(p, GQL_TOKEN_NAME) || location < 0) {
            gql_parse_unexpected(p, "a directive location");
            break;
        }
        locations |= 1u << location;
        gql_lexer_next(&p->lexer);
    } while (gql_parse_accept(p, GQL_TOKEN_PIPE));
    return locations;
}

static void gql_parse_directive_def(struct gql_parser *p, struct gql_def *def)
{
    gql_parse_expect(p, GQL_TOKEN_AT);
    def->name = gql_parse_name(p);
    def->inputs = gql_parse_input_defs(p, GQL_TOKEN_PAREN_L, GQL_TOKEN_PAREN_R);
    def->repeatable = gql_parse_accept_word(p, "repeatable");
    gql_parse_expect_word(p, "on");
    def->locations = gql_parse_locations(p);
}

static void gql_parse_def_body(struct gql_parser *p, struct gql_def *def)
{
    if (def->kind == GQL_DEF_DIRECTIVE) {
        gql_parse_directive_def(p, def);
        return;
    }
    if (def->kind != GQL_DEF_SCHEMA)
        def->name = gql_parse_name(p);
    if ((def->kind == GQL_DEF_OBJECT || def->kind == GQL_DEF_INTERFACE) &&
        gql_parse_accept_word(p, "implements"))
        def->names = gql_parse_names(p, GQL_TOKEN_AMP);
    def->directives = gql_parse_directives(p, true);
    switch (def->kind) {
    case GQL_DEF_SCHEMA:
        def->names = gql_parse_roots(p);
        if (!def->names && !def->extends)
            gql_parse_unexpected(p, "\"{\"");
        break;
    case GQL_DEF_OBJECT:
    case GQL_DEF_INTERFACE:
        def->fields = gql_parse_field_defs(p);
        break;
    case GQL_DEF_UNION:
        if (gql_parse_accept(p, GQL_TOKEN_EQUALS))
            def->names = gql_parse_names(p, GQL_TOKEN_PIPE);
        break;
    case GQL_DEF_ENUM:
        def->values = gql_parse_value_defs(p);
        break;
    case GQL_DEF_INPUT:
        def->inputs = gql_parse_input_defs(p, GQL_TOKEN_BRACE_L, GQL_TOKEN_BRACE_R);
        break;
    case GQL_DEF_SCALAR:
    case GQL_DEF_DIRECTIVE:
        break;
    }
    /* An extension must extend something. */
    if (def->extends && !def->directives && !def->names && !def->fields && !def->values && !def->inputs)
        gql_parse_unexpected(p, "something to extend with");
}

bool gql_parse_definition(struct gql_parser *p, struct oms_str description, uint32_t at)
{
    static const char *const words[] = {
        [GQL_DEF_SCHEMA] = "schema",       [GQL_DEF_SCALAR] = "scalar",      [GQL_DEF_OBJECT] = "type",
        [GQL_DEF_INTERFACE] = "interface", [GQL_DEF_UNION] = "union",        [GQL_DEF_ENUM] = "enum",
        [GQL_DEF_INPUT] = "input",         [GQL_DEF_DIRECTIVE] = "directive"};
    bool extends = !oms_str_present(description) && gql_parse_accept_word(p, "extend");
    struct gql_def *def;

    for (size_t kind = 0; kind < OMS_COUNT_OF(words); kind++) {
        if (!gql_parse_accept_word(p, words[kind]))
            continue;
        if (extends && kind == GQL_DEF_DIRECTIVE)
            break;
        def = GQL_NEW(p->arena, struct gql_def);
        def->kind = (enum gql_def_kind)kind;
        def->extends = extends;
        def->description = description;
        def->at = at;
        gql_parse_def_body(p, def);
        *p->definitions_end = def;
        p->definitions_end = &def->next;
        return true;
    }
    if (extends)
        gql_parse_unexpected(p, "what to extend");
    return extends;
}
