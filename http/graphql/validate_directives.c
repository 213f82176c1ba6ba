/* Section 5.7: directives are defined, stand where they may, and once unless repeatable. */
#include <stdio.h>

#include "http/graphql/validate.h"

void gql_validate_directives(struct gql_validator *v, const struct gql_applied *applied,
                             enum gql_location location)
{
    struct gql_map seen;
    char what[120];

    gql_map_init(&seen, v->scratch, &v->schema->key);
    for (; applied; applied = applied->next) {
        const struct gql_directive *directive = gql_schema_directive(v->schema, applied->name);
        const struct gql_applied *other;
        if (!directive) {
            GQL_VALIDATE_ERROR(v, applied->at, "Unknown directive \"@%.*s\".%s", GQL_NAME(applied->name),
                               gql_did_you_mean(v->errors, applied->name, v->schema->directive_count,
                                                gql_directive_name_at, v->schema)
                                   .text);
            gql_validate_untyped_args(v, applied->args, "an unknown directive");
            continue;
        }
        if (!(directive->locations >> location & 1))
            GQL_VALIDATE_ERROR(v, applied->at, "Directive \"@%.*s\" cannot stand on %s.",
                               GQL_NAME(applied->name), gql_location_name(location));
        snprintf(what, sizeof(what), "directive \"@%.*s\"", GQL_NAME(applied->name));
        gql_validate_args(v, directive->args, directive->arg_count, applied->args, applied->at, what);
        if (directive->repeatable)
            continue;
        other = gql_map_add(&seen, applied->name, (void *)(uintptr_t)applied);
        if (other)
            gql_error_also(GQL_VALIDATE_ERROR(v, other->at, "Directive \"@%.*s\" is given twice.",
                                              GQL_NAME(applied->name)),
                           v->source, applied->at);
    }
}
