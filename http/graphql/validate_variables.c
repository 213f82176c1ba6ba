/* Section 5.8: variables are unique, of input types, defined, used, and allowed where they are used. */
#include "http/graphql/coerce.h"
#include "http/graphql/validate.h"

static void gql_validate_variable(struct gql_validator *v, struct gql_variable *variable)
{
    const struct gql_ast_type *inner = variable->type;

    gql_validate_directives(v, variable->directives, GQL_AT_VARIABLE_DEFINITION);
    variable->resolved = gql_resolve_type(v->schema, v->arena, variable->type);
    if (!variable->resolved) {
        while (inner->of)
            inner = inner->of;
        GQL_VALIDATE_ERROR(v, inner->at, "Unknown type \"%.*s\".%s", GQL_NAME(inner->name),
                           gql_did_you_mean(v->errors, inner->name, v->schema->type_count,
                                            gql_schema_type_name_at, v->schema)
                               .text);
        return;
    }
    if (!gql_is_input(variable->resolved->named)) {
        GQL_VALIDATE_ERROR(v, variable->type->at,
                           "Variable \"$%.*s\" cannot have the type \"%s\": it is no input type.",
                           GQL_NAME(variable->name), gql_typeref_text(variable->resolved).text);
        variable->resolved = NULL;
        return;
    }
    if (variable->initial)
        gql_validate_value(v, variable->initial, variable->resolved, false, false);
}

void gql_validate_variable_defs(struct gql_validator *v, struct gql_operation_ast *operation)
{
    gql_map_init(&operation->by_name, v->arena, &v->schema->key);
    for (struct gql_variable *variable = operation->variables; variable; variable = variable->next) {
        const struct gql_variable *other = gql_map_add(&operation->by_name, variable->name, variable);
        if (other)
            gql_error_also(GQL_VALIDATE_ERROR(v, other->name_at, "There are two variables \"$%.*s\".",
                                              GQL_NAME(variable->name)),
                           v->source, variable->name_at);
        gql_validate_variable(v, variable);
    }
}

/* AreTypesCompatible (section 5.8.5). */
static bool gql_types_compatible(const struct gql_typeref *variable, const struct gql_typeref *place)
{
    for (;;) {
        if (place->kind == GQL_KIND_NON_NULL) {
            if (variable->kind != GQL_KIND_NON_NULL)
                return false;
            variable = variable->of;
            place = place->of;
        } else if (variable->kind == GQL_KIND_NON_NULL) {
            variable = variable->of;
        } else if (place->kind == GQL_KIND_LIST && variable->kind == GQL_KIND_LIST) {
            variable = variable->of;
            place = place->of;
        } else {
            return !place->of && !variable->of && place->named == variable->named;
        }
    }
}

/* IsVariableUsageAllowed (section 5.8.5). */
static bool gql_usage_allowed(const struct gql_variable *variable, const struct gql_usage *usage)
{
    const struct gql_typeref *place = usage->type;
    bool has_default = variable->initial && variable->initial->kind != GQL_LIT_NULL;

    if ((place->kind == GQL_KIND_NON_NULL || usage->one_of) &&
        variable->resolved->kind != GQL_KIND_NON_NULL) {
        if (!has_default && !usage->has_default)
            return false;
        if (place->kind == GQL_KIND_NON_NULL)
            place = place->of;
    }
    return gql_types_compatible(variable->resolved, place);
}

static void gql_validate_usages(struct gql_validator *v, struct gql_scope *scope, void *context)
{
    const struct gql_operation_ast *operation = context;

    for (const struct gql_usage *usage = scope->usages; usage; usage = usage->next) {
        struct gql_variable *variable = gql_map_get(&operation->by_name, usage->name);
        if (!variable) {
            struct gql_error *error =
                oms_str_present(operation->name)
                    ? GQL_VALIDATE_ERROR(v, usage->at,
                                         "Variable \"$%.*s\" is not defined by operation \"%.*s\".",
                                         GQL_NAME(usage->name), GQL_NAME(operation->name))
                    : GQL_VALIDATE_ERROR(v, usage->at, "Variable \"$%.*s\" is not defined.",
                                         GQL_NAME(usage->name));
            gql_error_also(error, v->source, operation->at);
            continue;
        }
        variable->used = true;
        if (!usage->type || !variable->resolved || gql_usage_allowed(variable, usage))
            continue;
        gql_error_also(
            GQL_VALIDATE_ERROR(v, variable->at,
                               "Variable \"$%.*s\" of type \"%s\" is used where \"%s\" is expected%s.",
                               GQL_NAME(usage->name), gql_typeref_text(variable->resolved).text,
                               gql_typeref_text(usage->type).text,
                               usage->one_of ? ", in an input that takes exactly one field and no null" : ""),
            v->source, usage->at);
    }
}

void gql_validate_variable_use(struct gql_validator *v)
{
    for (struct gql_operation_ast *o = v->document->operations; o; o = o->next) {
        gql_each_reached(v, &o->scope, gql_validate_usages, o);
        for (const struct gql_variable *variable = o->variables; variable; variable = variable->next) {
            const struct gql_variable *first = gql_map_get(&o->by_name, variable->name);
            if (!first->used)
                GQL_VALIDATE_ERROR(v, variable->at, "Variable \"$%.*s\" is never used.",
                                   GQL_NAME(variable->name));
        }
    }
}
