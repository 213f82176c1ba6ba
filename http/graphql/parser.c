/*
 * Values, types, directives, operations and fragments. After the first error the lexer stands at the end of
 * the text, so loops end by themselves and what was built is thrown away by the caller with its arena.
 */
#include "http/graphql/parser.h"

#include "http/graphql/errors.h"
#include "http/graphql/memory.h"
#include "runtime/base/utf8.h"

/* ---- tokens ---- */

static const char *gql_token_word(enum gql_token_kind kind)
{
    static const char *const words[] = {
        [GQL_TOKEN_EOF] = "end of text", [GQL_TOKEN_BANG] = "\"!\"",      [GQL_TOKEN_DOLLAR] = "\"$\"",
        [GQL_TOKEN_AMP] = "\"&\"",       [GQL_TOKEN_PAREN_L] = "\"(\"",   [GQL_TOKEN_PAREN_R] = "\")\"",
        [GQL_TOKEN_SPREAD] = "\"...\"",  [GQL_TOKEN_COLON] = "\":\"",     [GQL_TOKEN_EQUALS] = "\"=\"",
        [GQL_TOKEN_AT] = "\"@\"",        [GQL_TOKEN_BRACKET_L] = "\"[\"", [GQL_TOKEN_BRACKET_R] = "\"]\"",
        [GQL_TOKEN_BRACE_L] = "\"{\"",   [GQL_TOKEN_PIPE] = "\"|\"",      [GQL_TOKEN_BRACE_R] = "\"}\"",
        [GQL_TOKEN_NAME] = "a name",     [GQL_TOKEN_INT] = "a number",    [GQL_TOKEN_FLOAT] = "a number",
        [GQL_TOKEN_STRING] = "a string"};

    return words[kind];
}

bool gql_parse_at(const struct gql_parser *p, enum gql_token_kind kind)
{
    return p->lexer.token.kind == kind;
}

bool gql_parse_at_word(const struct gql_parser *p, const char *word)
{
    return p->lexer.token.kind == GQL_TOKEN_NAME && oms_str_eq_c(p->lexer.token.text, word);
}

void gql_parse_unexpected(struct gql_parser *p, const char *what)
{
    const struct gql_token *token = &p->lexer.token;

    if (token->kind == GQL_TOKEN_NAME || token->kind == GQL_TOKEN_INT || token->kind == GQL_TOKEN_FLOAT)
        gql_lexer_fail(&p->lexer, token->at, "Expected %s, found \"%.*s\".", what, GQL_NAME(token->text));
    else
        gql_lexer_fail(&p->lexer, token->at, "Expected %s, found %s.", what, gql_token_word(token->kind));
}

bool gql_parse_accept(struct gql_parser *p, enum gql_token_kind kind)
{
    if (!gql_parse_at(p, kind))
        return false;
    gql_lexer_next(&p->lexer);
    return true;
}

bool gql_parse_accept_word(struct gql_parser *p, const char *word)
{
    if (!gql_parse_at_word(p, word))
        return false;
    gql_lexer_next(&p->lexer);
    return true;
}

void gql_parse_expect(struct gql_parser *p, enum gql_token_kind kind)
{
    if (!gql_parse_accept(p, kind))
        gql_parse_unexpected(p, gql_token_word(kind));
}

void gql_parse_expect_word(struct gql_parser *p, const char *word)
{
    char quoted[32] = "\"";

    if (gql_parse_accept_word(p, word))
        return;
    strncat(quoted, word, sizeof(quoted) - 3);
    strcat(quoted, "\"");
    gql_parse_unexpected(p, quoted);
}

struct oms_str gql_parse_name(struct gql_parser *p)
{
    struct oms_str name = p->lexer.token.text;

    gql_parse_expect(p, GQL_TOKEN_NAME);
    return p->lexer.failed ? OMS_STR("") : name;
}

struct oms_str gql_parse_description(struct gql_parser *p)
{
    struct oms_str text = p->lexer.token.text;

    return gql_parse_accept(p, GQL_TOKEN_STRING) ? text : OMS_STR_NONE;
}

static bool gql_parse_deeper(struct gql_parser *p, unsigned max)
{
    if (p->depth == max) {
        p->lexer.limited = true;
        gql_lexer_fail(&p->lexer, p->lexer.token.at, "The document is nested deeper than %u levels.", max);
        return false;
    }
    p->depth++;
    return true;
}

/* ---- values and types ---- */

static void gql_parse_list(struct gql_parser *p, struct gql_lit *list, bool constant)
{
    struct gql_lit **end = &list->items;

    list->kind = GQL_LIT_LIST;
    gql_parse_expect(p, GQL_TOKEN_BRACKET_L);
    while (!p->lexer.failed && !gql_parse_accept(p, GQL_TOKEN_BRACKET_R)) {
        *end = gql_parse_value(p, constant);
        list->has_variable |= (*end)->has_variable;
        list->count++;
        end = &(*end)->next;
    }
}

static void gql_parse_object(struct gql_parser *p, struct gql_lit *object, bool constant)
{
    struct gql_lit_field **end = &object->fields;

    object->kind = GQL_LIT_OBJECT;
    gql_parse_expect(p, GQL_TOKEN_BRACE_L);
    while (!p->lexer.failed && !gql_parse_accept(p, GQL_TOKEN_BRACE_R)) {
        struct gql_lit_field *field = GQL_NEW(p->arena, struct gql_lit_field);
        field->at = p->lexer.token.at;
        field->name = gql_parse_name(p);
        gql_parse_expect(p, GQL_TOKEN_COLON);
        field->value = gql_parse_value(p, constant);
        object->has_variable |= field->value->has_variable;
        object->count++;
        *end = field;
        end = &field->next;
    }
}

static void gql_parse_word_value(struct gql_parser *p, struct gql_lit *lit)
{
    lit->text = p->lexer.token.text;
    if (gql_parse_at_word(p, "true") || gql_parse_at_word(p, "false")) {
        lit->kind = GQL_LIT_BOOL;
        lit->boolean = gql_parse_at_word(p, "true");
    } else {
        lit->kind = gql_parse_at_word(p, "null") ? GQL_LIT_NULL : GQL_LIT_ENUM;
    }
    gql_lexer_next(&p->lexer);
}

/* Never NULL; after a failure a null literal. */
struct gql_lit *gql_parse_value(struct gql_parser *p, bool constant)
{
    const struct gql_token *token = &p->lexer.token;
    struct gql_lit *lit = GQL_NEW(p->arena, struct gql_lit);

    lit->at = token->at;
    lit->kind = GQL_LIT_NULL;
    if (!gql_parse_deeper(p, OMS_GQL_NESTING_MAX))
        return lit;
    switch (token->kind) {
    case GQL_TOKEN_BRACKET_L:
        gql_parse_list(p, lit, constant);
        break;
    case GQL_TOKEN_BRACE_L:
        gql_parse_object(p, lit, constant);
        break;
    case GQL_TOKEN_INT:
    case GQL_TOKEN_FLOAT:
    case GQL_TOKEN_STRING:
        lit->kind = token->kind == GQL_TOKEN_INT     ? GQL_LIT_INT
                    : token->kind == GQL_TOKEN_FLOAT ? GQL_LIT_FLOAT
                                                     : GQL_LIT_STRING;
        lit->text = token->text;
        gql_lexer_next(&p->lexer);
        break;
    case GQL_TOKEN_NAME:
        gql_parse_word_value(p, lit);
        break;
    case GQL_TOKEN_DOLLAR:
        if (!constant) {
            gql_lexer_next(&p->lexer);
            lit->kind = GQL_LIT_VARIABLE;
            lit->has_variable = true;
            lit->text = gql_parse_name(p);
            break;
        }
        gql_parse_unexpected(p, "a constant value");
        break;
    default:
        gql_parse_unexpected(p, "a value");
        break;
    }
    p->depth--;
    return lit;
}

/* Section 2.11. The depth of lists is bounded like that of values. */
struct gql_ast_type *gql_parse_type(struct gql_parser *p)
{
    struct gql_ast_type *type = GQL_NEW(p->arena, struct gql_ast_type);

    type->at = p->lexer.token.at;
    type->name = OMS_STR("");
    if (!gql_parse_deeper(p, OMS_GQL_DEPTH_MAX))
        return type;
    if (gql_parse_accept(p, GQL_TOKEN_BRACKET_L)) {
        type->name = OMS_STR_NONE;
        type->of = gql_parse_type(p);
        gql_parse_expect(p, GQL_TOKEN_BRACKET_R);
    } else {
        type->name = gql_parse_name(p);
    }
    type->non_null = gql_parse_accept(p, GQL_TOKEN_BANG);
    p->depth--;
    return type;
}

/* ---- arguments and directives ---- */

static struct gql_arg *gql_parse_args(struct gql_parser *p, bool constant)
{
    struct gql_arg *first = NULL, **end = &first;

    if (!gql_parse_accept(p, GQL_TOKEN_PAREN_L))
        return NULL;
    do {
        struct gql_arg *arg = GQL_NEW(p->arena, struct gql_arg);
        arg->at = p->lexer.token.at;
        arg->name = gql_parse_name(p);
        gql_parse_expect(p, GQL_TOKEN_COLON);
        arg->value = gql_parse_value(p, constant);
        *end = arg;
        end = &arg->next;
    } while (!p->lexer.failed && !gql_parse_accept(p, GQL_TOKEN_PAREN_R));
    return first;
}

struct gql_applied *gql_parse_directives(struct gql_parser *p, bool constant)
{
    struct gql_applied *first = NULL, **end = &first;

    while (gql_parse_at(p, GQL_TOKEN_AT)) {
        struct gql_applied *applied = GQL_NEW(p->arena, struct gql_applied);
        applied->at = p->lexer.token.at;
        gql_lexer_next(&p->lexer);
        applied->name = gql_parse_name(p);
        applied->args = gql_parse_args(p, constant);
        *end = applied;
        end = &applied->next;
    }
    return first;
}

/* ---- selections (section 2.5) ---- */

static struct gql_set *gql_parse_set(struct gql_parser *p);

static void gql_parse_fragment_selection(struct gql_parser *p, struct gql_selection *selection)
{
    bool on = gql_parse_accept_word(p, "on");

    selection->kind = on || !gql_parse_at(p, GQL_TOKEN_NAME) ? GQL_SELECT_INLINE : GQL_SELECT_SPREAD;
    selection->name_at = p->lexer.token.at;
    if (on || selection->kind == GQL_SELECT_SPREAD)
        selection->name = gql_parse_name(p);
    selection->directives = gql_parse_directives(p, false);
    if (selection->kind == GQL_SELECT_INLINE)
        selection->set = gql_parse_set(p);
}

static void gql_parse_field(struct gql_parser *p, struct gql_selection *selection)
{
    selection->kind = GQL_SELECT_FIELD;
    selection->name = selection->key = gql_parse_name(p);
    if (gql_parse_accept(p, GQL_TOKEN_COLON)) {
        selection->name = gql_parse_name(p);
        p->document->alias_count++;
    }
    selection->args = gql_parse_args(p, false);
    selection->directives = gql_parse_directives(p, false);
    if (gql_parse_at(p, GQL_TOKEN_BRACE_L))
        selection->set = gql_parse_set(p);
}

static struct gql_set *gql_parse_set(struct gql_parser *p)
{
    struct gql_set *set = GQL_NEW(p->arena, struct gql_set);
    struct gql_selection **end = &set->first;

    set->id = p->document->set_count++;
    set->at = p->lexer.token.at;
    gql_parse_expect(p, GQL_TOKEN_BRACE_L);
    if (!gql_parse_deeper(p, OMS_GQL_NESTING_MAX))
        return set;
    do {
        struct gql_selection *selection = GQL_NEW(p->arena, struct gql_selection);
        selection->at = p->lexer.token.at;
        if (gql_parse_accept(p, GQL_TOKEN_SPREAD))
            gql_parse_fragment_selection(p, selection);
        else
            gql_parse_field(p, selection);
        *end = selection;
        end = &selection->next;
    } while (!p->lexer.failed && !gql_parse_accept(p, GQL_TOKEN_BRACE_R));
    p->depth--;
    return set;
}

/* ---- operations and fragments ---- */

static void gql_parse_variables(struct gql_parser *p, struct gql_operation_ast *operation)
{
    struct gql_variable **end = &operation->variables;

    if (!gql_parse_accept(p, GQL_TOKEN_PAREN_L))
        return;
    do {
        struct gql_variable *variable = GQL_NEW(p->arena, struct gql_variable);
        variable->at = p->lexer.token.at;
        gql_parse_description(p);
        gql_parse_expect(p, GQL_TOKEN_DOLLAR);
        variable->name_at = p->lexer.token.at;
        variable->name = gql_parse_name(p);
        gql_parse_expect(p, GQL_TOKEN_COLON);
        variable->type = gql_parse_type(p);
        if (gql_parse_accept(p, GQL_TOKEN_EQUALS))
            variable->initial = gql_parse_value(p, true);
        variable->directives = gql_parse_directives(p, true);
        variable->index = operation->variable_count++;
        *end = variable;
        end = &variable->next;
    } while (!p->lexer.failed && !gql_parse_accept(p, GQL_TOKEN_PAREN_R));
}

static bool gql_parse_operation(struct gql_parser *p, struct gql_operation_ast *operation)
{
    if (gql_parse_at(p, GQL_TOKEN_BRACE_L)) {
        operation->kind = GQL_QUERY;
        operation->set = gql_parse_set(p);
        return true;
    }
    if (gql_parse_accept_word(p, "query"))
        operation->kind = GQL_QUERY;
    else if (gql_parse_accept_word(p, "mutation"))
        operation->kind = GQL_MUTATION;
    else if (gql_parse_accept_word(p, "subscription"))
        operation->kind = GQL_SUBSCRIPTION;
    else
        return false;
    operation->name_at = p->lexer.token.at;
    if (gql_parse_at(p, GQL_TOKEN_NAME))
        operation->name = gql_parse_name(p);
    gql_parse_variables(p, operation);
    operation->directives = gql_parse_directives(p, false);
    operation->set = gql_parse_set(p);
    return true;
}

static struct gql_fragment *gql_parse_fragment(struct gql_parser *p, uint32_t at)
{
    struct gql_fragment *fragment = GQL_NEW(p->arena, struct gql_fragment);

    fragment->at = at;
    gql_parse_expect_word(p, "fragment");
    if (gql_parse_at_word(p, "on"))
        gql_parse_unexpected(p, "a fragment's name");
    fragment->name_at = p->lexer.token.at;
    fragment->name = gql_parse_name(p);
    gql_parse_expect_word(p, "on");
    fragment->on_at = p->lexer.token.at;
    fragment->on = gql_parse_name(p);
    fragment->directives = gql_parse_directives(p, false);
    fragment->set = gql_parse_set(p);
    return fragment;
}

/* What stands here starts no definition; a description in front of another word is what is wrong with it. */
static void gql_parse_no_definition(struct gql_parser *p, bool described, uint32_t at)
{
    if (described && gql_parse_at(p, GQL_TOKEN_NAME))
        gql_lexer_fail(&p->lexer, at, "Only definitions can have a description.");
    else
        gql_parse_unexpected(p, "a definition");
}

static void gql_parse_document(struct gql_parser *p)
{
    struct gql_operation_ast **operation_end = &p->document->operations;
    struct gql_fragment **fragment_end = &p->document->fragments;

    do {
        uint32_t at = p->lexer.token.at;
        struct oms_str description = gql_parse_description(p);
        struct gql_operation_ast *operation;

        if (gql_parse_at_word(p, "fragment")) {
            *fragment_end = gql_parse_fragment(p, at);
            fragment_end = &(*fragment_end)->next;
            p->document->fragment_count++;
            continue;
        }
        if (gql_parse_definition(p, description, at))
            continue;
        operation = GQL_NEW(p->arena, struct gql_operation_ast);
        operation->at = at;
        if (oms_str_present(description) && gql_parse_at(p, GQL_TOKEN_BRACE_L))
            gql_lexer_fail(&p->lexer, at, "A query without the word \"query\" cannot have a description.");
        else if (!gql_parse_operation(p, operation))
            gql_parse_no_definition(p, oms_str_present(description), at);
        if (p->lexer.failed)
            break;
        *operation_end = operation;
        operation_end = &operation->next;
        p->document->operation_count++;
    } while (!p->lexer.failed && !gql_parse_at(p, GQL_TOKEN_EOF));
}

enum oms_status gql_parse(struct oms_str source, uint32_t tokens_max, struct oms_arena *arena,
                          struct gql_document **out, struct gql_errors *errors)
{
    struct gql_parser p = {.arena = arena, .document = GQL_NEW(arena, struct gql_document)};

    p.document->source = source;
    p.definitions_end = &p.document->definitions;
    if (!oms_utf8_valid(source)) {
        gql_errors_add(errors, GQL_CODE_PARSE, "The document is not valid UTF-8.");
        return OMS_INVALID;
    }
    gql_lexer_init(&p.lexer, source, tokens_max, arena, errors);
    gql_lexer_next(&p.lexer);
    gql_parse_document(&p);
    if (p.lexer.failed)
        return p.lexer.limited ? OMS_LIMIT : OMS_INVALID;
    OMS_ASSERT(p.depth == 0);
    p.document->token_count = p.lexer.tokens;
    *out = p.document;
    return OMS_OK;
}
