/* Section 5.4: argument names, uniqueness, required arguments. For fields and directives alike. */
#include "http/graphql/validate.h"

static void gql_validate_arg_names(struct gql_validator *v, const struct gql_arg *args, const char *what)
{
    struct gql_map seen;

    gql_map_init(&seen, v->scratch, &v->schema->key);
    for (const struct gql_arg *arg = args; arg; arg = arg->next) {
        const struct gql_arg *other = gql_map_add(&seen, arg->name, (void *)(uintptr_t)arg);
        if (other)
            gql_error_also(GQL_VALIDATE_ERROR(v, other->at, "Argument \"%.*s\" of %s is given twice.",
                                              GQL_NAME(arg->name), what),
                           v->source, arg->at);
    }
}

void gql_validate_untyped_args(struct gql_validator *v, const struct gql_arg *args, const char *what)
{
    if (args && args->next)
        gql_validate_arg_names(v, args, what);
    for (const struct gql_arg *arg = args; arg; arg = arg->next)
        gql_validate_untyped(v, arg->value);
}

void gql_validate_args(struct gql_validator *v, const struct gql_input *inputs, uint32_t count,
                       const struct gql_arg *args, uint32_t at, const char *what)
{
    if (args && args->next)
        gql_validate_arg_names(v, args, what);
    for (const struct gql_arg *arg = args; arg; arg = arg->next) {
        const struct gql_input *input = gql_find_input(inputs, count, arg->name);
        if (input) {
            gql_validate_value(v, arg->value, input->type, input->initial != NULL, false);
            continue;
        }
        GQL_VALIDATE_ERROR(v, arg->at, "There is no argument \"%.*s\" of %s.%s", GQL_NAME(arg->name), what,
                           gql_did_you_mean(v->errors, arg->name, count, gql_input_name_at, inputs).text);
        gql_validate_untyped(v, arg->value);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct gql_arg *arg = args;
        if (!gql_input_required(&inputs[i]))
            continue;
        while (arg && !oms_str_eq(arg->name, inputs[i].name))
            arg = arg->next;
        if (!arg)
            GQL_VALIDATE_ERROR(v, at, "Argument \"%.*s\" of type \"%s\" of %s is required.",
                               GQL_NAME(inputs[i].name), gql_typeref_text(inputs[i].type).text, what);
    }
}
