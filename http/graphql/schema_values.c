/*
 * Values in a schema: directives where the SDL applies them, and defaults. They are validated by the same
 * rules as documents, then defaults are coerced (constants never change) and printed for introspection.
 * Defaults of input fields may not lead back to themselves (InputObjectDefaultValueHasCycle, section 3.10),
 * so they are coerced in the order of their dependence: a field's default waits for the defaults that it
 * would take in.
 */
#include "http/graphql/coerce.h"
#include "http/graphql/print.h"
#include "http/graphql/validate.h"

static void gql_check_input_applied(struct gql_validator *v, const struct gql_input *inputs, uint32_t count,
                                    enum gql_location location)
{
    for (uint32_t i = 0; i < count; i++) {
        gql_validate_directives(v, inputs[i].ast->directives, location);
        if (inputs[i].initial)
            gql_validate_value(v, inputs[i].initial, inputs[i].type, false, false);
    }
}

static void gql_check_type_values(struct gql_validator *v, const struct gql_type *type)
{
    static const enum gql_location places[] = {
        [GQL_KIND_SCALAR] = GQL_AT_SCALAR,       [GQL_KIND_OBJECT] = GQL_AT_OBJECT,
        [GQL_KIND_INTERFACE] = GQL_AT_INTERFACE, [GQL_KIND_UNION] = GQL_AT_UNION,
        [GQL_KIND_ENUM] = GQL_AT_ENUM,           [GQL_KIND_INPUT] = GQL_AT_INPUT_OBJECT};

    for (uint32_t i = 0; i < type->def_count; i++)
        gql_validate_directives(v, type->defs[i]->directives, places[type->kind]);
    for (uint32_t i = 0; i < type->field_count; i++) {
        gql_validate_directives(v, type->fields[i].ast->directives, GQL_AT_FIELD_DEFINITION);
        gql_check_input_applied(v, type->fields[i].args, type->fields[i].arg_count,
                                GQL_AT_ARGUMENT_DEFINITION);
    }
    gql_check_input_applied(v, type->inputs, type->input_count, GQL_AT_INPUT_FIELD_DEFINITION);
    for (uint32_t i = 0; i < type->value_count; i++)
        gql_validate_directives(v, type->values[i].ast->directives, GQL_AT_ENUM_VALUE);
}

/* ---- defaults ---- */

/*
 * Whether all defaults that coercing `lit` to `type` takes in are coerced already: those of input fields that
 * an object literal leaves out. Recursion follows the literal.
 */
static bool gql_default_ready(const struct gql_lit *lit, const struct gql_typeref *type)
{
    const struct gql_type *named = type->named;

    if (named->kind != GQL_KIND_INPUT || lit->kind == GQL_LIT_NULL)
        return true;
    for (const struct gql_lit *item = lit->items; item; item = item->next) {
        if (!gql_default_ready(item, type))
            return false;
    }
    for (uint32_t i = 0; lit->kind == GQL_LIT_OBJECT && i < named->input_count; i++) {
        const struct gql_input *input = &named->inputs[i];
        const struct gql_lit_field *field = lit->fields;
        while (field && !oms_str_eq(field->name, input->name))
            field = field->next;
        if (field ? !gql_default_ready(field->value, input->type) : input->initial && !input->initial_value)
            return false;
    }
    return true;
}

struct gql_defaults {
    struct gql_schema *schema;
    struct gql_validator *v;
    bool progress;
    const struct gql_input *waiting; /* one that is not ready */
};

static void gql_coerce_defaults(struct gql_defaults *d, struct gql_input *inputs, uint32_t count)
{
    struct oms_arena *arena = &d->schema->arena;

    for (uint32_t i = 0; i < count; i++) {
        struct gql_input *input = &inputs[i];
        struct gql_coercion c;
        struct oms_value *value;
        struct oms_buf text;
        if (!input->initial || input->initial_value)
            continue;
        if (!gql_default_ready(input->initial, input->type)) {
            d->waiting = input;
            continue;
        }
        value = GQL_NEW(arena, struct oms_value);
        gql_coercion_init(&c, arena, NULL, NULL);
        if (!gql_coerce_literal(&c, input->initial, input->type, value))
            GQL_VALIDATE_ERROR(d->v, input->initial->at, "%s", c.message);
        input->initial_value = value;
        oms_buf_init(&text, GQL_ARENA_UNBOUNDED);
        gql_print_literal(input->initial, &text);
        input->initial_text = oms_str_copy(arena, oms_buf_str(&text));
        oms_buf_fini(&text);
        d->progress = true;
    }
}

static void gql_coerce_all_defaults(struct gql_validator *v, struct gql_schema *schema)
{
    struct gql_defaults d = {schema, v, true, NULL};

    while (d.progress) {
        d.progress = false;
        d.waiting = NULL;
        for (uint32_t i = 0; i < schema->type_count; i++) {
            struct gql_type *type = schema->types[i];
            gql_coerce_defaults(&d, type->inputs, type->input_count);
            for (uint32_t k = 0; k < type->field_count; k++)
                gql_coerce_defaults(&d, type->fields[k].args, type->fields[k].arg_count);
        }
        for (uint32_t i = 0; i < schema->directive_count; i++)
            gql_coerce_defaults(&d, schema->directives[i]->args, schema->directives[i]->arg_count);
    }
    if (d.waiting)
        GQL_VALIDATE_ERROR(v, d.waiting->ast->at, "The default of \"%.*s\" leads back to itself.",
                           GQL_NAME(d.waiting->name));
}

static void gql_check_values(struct gql_validator *v, struct gql_schema *schema,
                             const struct gql_document *document)
{
    for (uint32_t i = 0; i < schema->type_count; i++)
        gql_check_type_values(v, schema->types[i]);
    for (const struct gql_def *def = document->definitions; def; def = def->next) {
        if (def->kind == GQL_DEF_SCHEMA)
            gql_validate_directives(v, def->directives, GQL_AT_SCHEMA);
    }
    for (uint32_t i = 0; i < schema->directive_count; i++)
        gql_check_input_applied(v, schema->directives[i]->args, schema->directives[i]->arg_count,
                                GQL_AT_ARGUMENT_DEFINITION);
    if (!v->failed)
        gql_coerce_all_defaults(v, schema);
}

bool gql_schema_check_values(struct gql_schema *schema, const struct gql_document *document,
                             struct gql_errors *errors)
{
    struct oms_arena scratch;
    struct gql_validator v = {.schema = schema,
                              .source = document->source,
                              .arena = &schema->arena,
                              .scratch = &scratch,
                              .errors = errors};

    oms_arena_init(&scratch, 4096, GQL_ARENA_UNBOUNDED);
    gql_check_values(&v, schema, document);
    oms_arena_fini(&scratch);
    return !v.failed;
}
