/*
 * Section 5.6: literals fit the type of their place; input objects have known, unique and all required
 * fields,
 * @oneOf ones exactly one. Variables are noted with what their place expects, for section 5.8.
 */
#include "http/graphql/coerce.h"
#include "http/graphql/validate.h"

static void gql_note_usage(struct gql_validator *v, const struct gql_lit *lit, const struct gql_typeref *type,
                           bool has_default, bool one_of)
{
    struct gql_usage *usage;

    if (!v->scope)
        return; /* constants only: the parser refused variables */
    usage = GQL_NEW(v->scratch, struct gql_usage);
    *usage = (struct gql_usage){
        .name = lit->text, .at = lit->at, .type = type, .has_default = has_default, .one_of = one_of};
    *v->scope->usages_end = usage;
    v->scope->usages_end = &usage->next;
}

static void gql_validate_unique(struct gql_validator *v, const struct gql_lit *object)
{
    struct gql_map seen;

    gql_map_init(&seen, v->scratch, &v->schema->key);
    for (const struct gql_lit_field *field = object->fields; field; field = field->next) {
        const struct gql_lit_field *other = gql_map_add(&seen, field->name, (void *)(uintptr_t)field);
        if (other)
            gql_error_also(GQL_VALIDATE_ERROR(v, other->at, "Input field \"%.*s\" is given twice.",
                                              GQL_NAME(field->name)),
                           v->source, field->at);
    }
}

void gql_validate_untyped(struct gql_validator *v, const struct gql_lit *lit)
{
    if (lit->kind == GQL_LIT_VARIABLE)
        gql_note_usage(v, lit, NULL, false, false);
    for (const struct gql_lit *item = lit->items; item; item = item->next)
        gql_validate_untyped(v, item);
    if (lit->count > 1 && lit->fields)
        gql_validate_unique(v, lit);
    for (const struct gql_lit_field *field = lit->fields; field; field = field->next)
        gql_validate_untyped(v, field->value);
}

static void gql_validate_leaf(struct gql_validator *v, const struct gql_lit *lit,
                              const struct gql_typeref *type)
{
    struct gql_coercion c;
    struct oms_value ignored;

    gql_validate_untyped(v, lit);
    if (lit->has_variable && type->kind == GQL_KIND_SCALAR && type->named->scalar == GQL_SCALAR_CUSTOM)
        return; /* known only when it is bound */
    gql_coercion_init(&c, v->scratch, NULL, NULL);
    if (!gql_coerce_literal(&c, lit, type, &ignored))
        GQL_VALIDATE_ERROR(v, lit->at, "%s", c.message);
}

/* `known` counts the fields of it that the type has. */
static void gql_validate_one_of(struct gql_validator *v, const struct gql_lit *lit,
                                const struct gql_type *type, uint32_t known)
{
    if (!type->one_of)
        return;
    if (known != 1)
        GQL_VALIDATE_ERROR(v, lit->at, "Exactly one field of \"%.*s\" must be given.", GQL_NAME(type->name));
    for (const struct gql_lit_field *field = lit->fields; field && known == 1; field = field->next) {
        if (field->value->kind == GQL_LIT_NULL && gql_type_input(type, field->name))
            GQL_VALIDATE_ERROR(v, lit->at, "Field \"%.*s\" of \"%.*s\" must not be null.",
                               GQL_NAME(field->name), GQL_NAME(type->name));
    }
}

static void gql_validate_object(struct gql_validator *v, const struct gql_lit *lit,
                                const struct gql_type *type)
{
    bool *given;
    uint32_t known = 0;

    if (lit->kind != GQL_LIT_OBJECT) {
        gql_validate_untyped(v, lit);
        GQL_VALIDATE_ERROR(v, lit->at, "Expected an object for \"%.*s\".", GQL_NAME(type->name));
        return;
    }
    if (lit->count > 1)
        gql_validate_unique(v, lit);
    given = GQL_ARRAY(v->scratch, bool, type->input_count);
    for (const struct gql_lit_field *field = lit->fields; field; field = field->next) {
        const struct gql_input *input = gql_type_input(type, field->name);
        if (!input) {
            GQL_VALIDATE_ERROR(
                v, field->at, "\"%.*s\" is no field of \"%.*s\".%s", GQL_NAME(field->name),
                GQL_NAME(type->name),
                gql_did_you_mean(v->errors, field->name, type->input_count, gql_input_name_at, type->inputs)
                    .text);
            gql_validate_untyped(v, field->value);
            continue;
        }
        given[input->index] = true;
        known++;
        gql_validate_value(v, field->value, input->type, input->initial != NULL, type->one_of);
    }
    for (uint32_t i = 0; i < type->input_count; i++) {
        if (!given[i] && gql_input_required(&type->inputs[i]))
            GQL_VALIDATE_ERROR(v, lit->at, "Field \"%.*s\" of type \"%s\" of \"%.*s\" is required.",
                               GQL_NAME(type->inputs[i].name), gql_typeref_text(type->inputs[i].type).text,
                               GQL_NAME(type->name));
    }
    gql_validate_one_of(v, lit, type, known);
}

void gql_validate_value(struct gql_validator *v, const struct gql_lit *lit, const struct gql_typeref *type,
                        bool has_default, bool one_of)
{
    if (gql_validate_enough(v))
        return;
    if (lit->kind == GQL_LIT_VARIABLE) {
        gql_note_usage(v, lit, type, has_default, one_of);
        return;
    }
    if (lit->kind == GQL_LIT_NULL) {
        if (type->kind == GQL_KIND_NON_NULL)
            GQL_VALIDATE_ERROR(v, lit->at, "Expected a value of type \"%s\", found null.",
                               gql_typeref_text(type).text);
        return;
    }
    if (type->kind == GQL_KIND_NON_NULL)
        type = type->of;
    if (type->kind == GQL_KIND_LIST) {
        if (lit->kind != GQL_LIT_LIST)
            gql_validate_value(v, lit, type->of, false, false);
        for (const struct gql_lit *item = lit->items; item; item = item->next)
            gql_validate_value(v, item, type->of, false, false);
    } else if (type->kind == GQL_KIND_INPUT) {
        gql_validate_object(v, lit, type->named);
    } else {
        gql_validate_leaf(v, lit, type);
    }
}
