/*
 * Section 3's rules over finished types: names, members, conformance to interfaces, input cycles, directives
 * that refer to themselves. The schema is the operator's own text, so clarity of the first message counts,
 * not speed.
 */
#include "http/graphql/errors.h"
#include "http/graphql/memory.h"
#include "http/graphql/types.h"

struct gql_checker {
    const struct gql_schema *schema;
    struct gql_errors *errors;
};

#define GQL_CHECK_ERROR(c, at, ...)                                                                          \
    gql_error_at((c)->errors, GQL_CODE_VALIDATE, (c)->schema->source, (at), __VA_ARGS__)

static void gql_check_name(struct gql_checker *c, struct oms_str name, uint32_t at)
{
    if (name.len >= 2 && name.data[0] == '_' && name.data[1] == '_')
        GQL_CHECK_ERROR(c, at, "The name \"%.*s\" is reserved: it starts with two underscores.",
                        GQL_NAME(name));
}

static void gql_check_inputs(struct gql_checker *c, const struct gql_input *inputs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        gql_check_name(c, inputs[i].name, inputs[i].ast->at);
}

/* ---- interfaces (IsValidImplementation, section 3.6) ---- */

static bool gql_is_subtype(const struct gql_type *type, const struct gql_type *of)
{
    if (type == of)
        return true;
    if (of->kind == GQL_KIND_UNION)
        return type->kind == GQL_KIND_OBJECT && gql_may_be(of, type);
    return gql_type_implements(type, of);
}

/* IsValidImplementationFieldType */
static bool gql_is_covariant(const struct gql_typeref *type, const struct gql_typeref *of)
{
    for (;;) {
        if (type->kind == GQL_KIND_NON_NULL) {
            type = type->of;
            if (of->kind == GQL_KIND_NON_NULL)
                of = of->of;
        } else if (type->kind == GQL_KIND_LIST && of->kind == GQL_KIND_LIST) {
            type = type->of;
            of = of->of;
        } else {
            return !type->of && !of->of && gql_is_subtype(type->named, of->named);
        }
    }
}

static void gql_check_args_of(struct gql_checker *c, const struct gql_type *type,
                              const struct gql_field *field, const struct gql_field *promised)
{
    uint32_t at = field->ast->at;

    for (uint32_t i = 0; i < promised->arg_count; i++) {
        const struct gql_input *want = &promised->args[i];
        const struct gql_input *arg = gql_find_input(field->args, field->arg_count, want->name);
        if (!arg)
            GQL_CHECK_ERROR(c, at, "\"%.*s.%.*s\" lacks the argument \"%.*s\" of interface \"%.*s\".",
                            GQL_NAME(type->name), GQL_NAME(field->name), GQL_NAME(want->name),
                            GQL_NAME(promised->parent->name));
        else if (!gql_typeref_eq(arg->type, want->type))
            GQL_CHECK_ERROR(c, arg->ast->at,
                            "Argument \"%.*s\" of \"%.*s.%.*s\" must have the type \"%s\", as in \"%.*s\".",
                            GQL_NAME(arg->name), GQL_NAME(type->name), GQL_NAME(field->name),
                            gql_typeref_text(want->type).text, GQL_NAME(promised->parent->name));
    }
    for (uint32_t i = 0; i < field->arg_count; i++) {
        if (gql_input_required(&field->args[i]) &&
            !gql_find_input(promised->args, promised->arg_count, field->args[i].name))
            GQL_CHECK_ERROR(
                c, field->args[i].ast->at,
                "Argument \"%.*s\" of \"%.*s.%.*s\" is not in interface \"%.*s\" and cannot be required.",
                GQL_NAME(field->args[i].name), GQL_NAME(type->name), GQL_NAME(field->name),
                GQL_NAME(promised->parent->name));
    }
}

static void gql_check_interface(struct gql_checker *c, const struct gql_type *type,
                                const struct gql_type *interface)
{
    for (uint32_t i = 0; i < interface->interface_count; i++) {
        /* A type is no interface of itself, so this refuses cycles as well. */
        if (interface->interfaces[i] == type || !gql_is_subtype(type, interface->interfaces[i]))
            GQL_CHECK_ERROR(c, type->at, "\"%.*s\" must implement \"%.*s\" too, since \"%.*s\" does.",
                            GQL_NAME(type->name), GQL_NAME(interface->interfaces[i]->name),
                            GQL_NAME(interface->name));
    }
    for (uint32_t i = 0; i < interface->field_count; i++) {
        const struct gql_field *promised = &interface->fields[i];
        const struct gql_field *field = gql_map_get(&type->members, promised->name);
        if (!field) {
            GQL_CHECK_ERROR(c, type->at, "\"%.*s\" lacks the field \"%.*s\" of interface \"%.*s\".",
                            GQL_NAME(type->name), GQL_NAME(promised->name), GQL_NAME(interface->name));
            continue;
        }
        if (!gql_is_covariant(field->type, promised->type))
            GQL_CHECK_ERROR(c, field->ast->at,
                            "\"%.*s.%.*s\" has the type \"%s\", but interface \"%.*s\" promises \"%s\".",
                            GQL_NAME(type->name), GQL_NAME(field->name), gql_typeref_text(field->type).text,
                            GQL_NAME(interface->name), gql_typeref_text(promised->type).text);
        if (field->deprecated && !promised->deprecated)
            GQL_CHECK_ERROR(c, field->ast->at, "\"%.*s.%.*s\" is deprecated, but not in interface \"%.*s\".",
                            GQL_NAME(type->name), GQL_NAME(field->name), GQL_NAME(interface->name));
        gql_check_args_of(c, type, field, promised);
    }
}

/* ---- input objects (section 3.10) ---- */

/* Whether a value of `type` can be finite: its non-null, non-list fields lead to no cycle. Fixed point over
 * all. */
static void gql_check_input_cycles(struct gql_checker *c)
{
    const struct gql_schema *schema = c->schema;
    bool *finite = oms_arena_calloc(c->errors->arena, schema->type_count, sizeof(*finite));
    bool changed = true;

    OMS_ASSERT(finite);
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < schema->type_count; i++) {
            const struct gql_type *type = schema->types[i];
            bool all = true;
            if (type->kind != GQL_KIND_INPUT || finite[i])
                continue;
            for (uint32_t k = 0; k < type->input_count; k++) {
                const struct gql_typeref *ref = type->inputs[k].type;
                if (ref->kind == GQL_KIND_NON_NULL && ref->of->kind == GQL_KIND_INPUT)
                    all &= finite[ref->named->index];
            }
            finite[i] = all;
            changed |= all;
        }
    }
    for (uint32_t i = 0; i < schema->type_count; i++) {
        if (schema->types[i]->kind == GQL_KIND_INPUT && !finite[i])
            GQL_CHECK_ERROR(c, schema->types[i]->at,
                            "Input \"%.*s\" can have no finite value: its required fields refer back to it.",
                            GQL_NAME(schema->types[i]->name));
    }
}

static void gql_check_one_of(struct gql_checker *c, const struct gql_type *type)
{
    for (uint32_t i = 0; i < type->input_count && type->one_of; i++) {
        const struct gql_input *input = &type->inputs[i];
        if (input->type->kind == GQL_KIND_NON_NULL || input->initial)
            GQL_CHECK_ERROR(c, input->ast->at,
                            "\"%.*s.%.*s\" must be nullable and without a default: \"%.*s\" is @oneOf.",
                            GQL_NAME(type->name), GQL_NAME(input->name), GQL_NAME(type->name));
    }
}

/* ---- types and directives ---- */

static void gql_check_type(struct gql_checker *c, const struct gql_type *type)
{
    uint32_t members = type->kind == GQL_KIND_UNION   ? type->possible_count
                       : type->kind == GQL_KIND_ENUM  ? type->value_count
                       : type->kind == GQL_KIND_INPUT ? type->input_count
                                                      : type->field_count;

    gql_check_name(c, type->name, type->at);
    if (members == 0 && type->kind != GQL_KIND_SCALAR)
        GQL_CHECK_ERROR(c, type->at, "Type \"%.*s\" has no members.", GQL_NAME(type->name));
    for (uint32_t i = 0; i < type->field_count; i++) {
        gql_check_name(c, type->fields[i].name, type->fields[i].ast->at);
        gql_check_inputs(c, type->fields[i].args, type->fields[i].arg_count);
    }
    for (uint32_t i = 0; i < type->value_count; i++)
        gql_check_name(c, type->values[i].name, type->values[i].ast->at);
    gql_check_inputs(c, type->inputs, type->input_count);
    gql_check_one_of(c, type);
    for (uint32_t i = 0; i < type->interface_count; i++)
        gql_check_interface(c, type, type->interfaces[i]);
}

/*
 * Section 3.13: a directive must not reach itself through the directives and types of its arguments. Marks
 * every directive and input type that is reached from `start`, breadth first.
 */
struct gql_reach {
    const struct gql_schema *schema;
    bool *types;
    bool *directives;
    bool changed;
};

static void gql_reach_applied(struct gql_reach *r, const struct gql_applied *applied)
{
    for (; applied; applied = applied->next) {
        for (uint32_t i = 0; i < r->schema->directive_count; i++) {
            if (oms_str_eq(r->schema->directives[i]->name, applied->name) && !r->directives[i])
                r->directives[i] = r->changed = true;
        }
    }
}

static void gql_reach_inputs(struct gql_reach *r, const struct gql_input *inputs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct gql_type *type = inputs[i].type->named;
        gql_reach_applied(r, inputs[i].ast->directives);
        if (!r->types[type->index])
            r->types[type->index] = r->changed = true;
    }
}

static void gql_reach_type(struct gql_reach *r, const struct gql_type *type)
{
    gql_reach_inputs(r, type->inputs, type->input_count);
    for (uint32_t i = 0; i < type->value_count; i++)
        gql_reach_applied(r, type->values[i].ast->directives);
    for (uint32_t i = 0; i < type->def_count; i++)
        gql_reach_applied(r, type->defs[i]->directives);
}

static void gql_check_directive(struct gql_checker *c, uint32_t index)
{
    const struct gql_schema *schema = c->schema;
    const struct gql_directive *directive = schema->directives[index];
    struct gql_reach r = {schema, oms_arena_calloc(c->errors->arena, schema->type_count, 1),
                          oms_arena_calloc(c->errors->arena, schema->directive_count, 1), true};

    OMS_ASSERT(r.types && r.directives);
    gql_check_name(c, directive->name, directive->ast->at);
    gql_check_inputs(c, directive->args, directive->arg_count);
    gql_reach_inputs(&r, directive->args, directive->arg_count);
    while (r.changed) {
        r.changed = false;
        for (uint32_t i = 0; i < schema->type_count; i++) {
            if (r.types[i])
                gql_reach_type(&r, schema->types[i]);
        }
        for (uint32_t i = 0; i < schema->directive_count; i++) {
            if (r.directives[i])
                gql_reach_inputs(&r, schema->directives[i]->args, schema->directives[i]->arg_count);
        }
    }
    if (r.directives[index])
        GQL_CHECK_ERROR(c, directive->ast->at, "Directive \"@%.*s\" refers to itself.",
                        GQL_NAME(directive->name));
}

bool gql_schema_check(struct gql_schema *schema, struct gql_errors *errors)
{
    struct gql_checker c = {schema, errors};

    for (uint32_t i = 0; i < schema->type_count; i++) {
        if (!schema->types[i]->builtin)
            gql_check_type(&c, schema->types[i]);
    }
    gql_check_input_cycles(&c);
    for (uint32_t i = 0; i < schema->directive_count; i++) {
        if (!schema->directives[i]->builtin)
            gql_check_directive(&c, i);
    }
    return errors->count == 0;
}
