/*
 * Binding resolvers to a schema: every field of every object type gets exactly one of the right kind. A field
 * that was renamed in the schema or in the code stops the program at its start, not a client in production.
 */
#include "http/graphql/errors.h"
#include "http/graphql/memory.h"
#include "http/graphql/plan.h"
#include "http/graphql/types.h"
#include "runtime/base/limits.h"

struct gql_binder {
    struct gql_schema *schema;
    struct gql_errors *errors;
    bool internal; /* the engine's own bindings, of the prelude's types */
};

#define GQL_BIND_ERROR(b, ...) gql_errors_add((b)->errors, GQL_CODE_VALIDATE, __VA_ARGS__)

static struct gql_type *gql_bind_type(const struct gql_binder *b, struct oms_str name)
{
    return gql_map_get(&b->schema->by_name, name);
}

static bool gql_is_root(const struct gql_schema *schema, const struct gql_type *type)
{
    return type == schema->roots[0] || type == schema->roots[1] || type == schema->roots[2];
}

static const char *gql_resolver_word(enum gql_resolver_kind kind)
{
    static const char *const words[] = {"GQL_ROOT", "GQL_LEAF", "GQL_OBJECT", "GQL_LIST", "GQL_PARTS"};

    return words[kind];
}

static enum gql_resolver_kind gql_bind_kind(const struct gql_schema *schema, const struct gql_field *field)
{
    if (gql_is_root(schema, field->parent))
        return GQL_ROOT;
    if (!gql_is_composite(field->type->named))
        return GQL_LEAF;
    for (const struct gql_typeref *type = field->type; type->of; type = type->of) {
        if (type->kind == GQL_KIND_LIST)
            return GQL_LIST;
    }
    return GQL_OBJECT;
}

static bool gql_bind_has_function(const struct gql_binding *binding)
{
    switch (binding->kind) {
    case GQL_ROOT:
        return binding->resolve.host != NULL;
    case GQL_LEAF:
    case GQL_PARTS:
        return binding->resolve.leaf != NULL;
    case GQL_OBJECT:
        return binding->resolve.object != NULL;
    case GQL_LIST:
        return binding->resolve.list != NULL;
    }
    return false;
}

/* What is executed part by part is one list of one object type. */
static bool gql_bind_fits(const struct gql_binding *binding, const struct gql_field *field,
                          enum gql_resolver_kind want)
{
    unsigned lists = 0;

    if (binding->kind != GQL_PARTS)
        return binding->kind == want;
    for (const struct gql_typeref *type = field->type; type->of; type = type->of)
        lists += type->kind == GQL_KIND_LIST;
    return want == GQL_LIST && lists == 1;
}

static struct gql_field *gql_bind_find(const struct gql_binder *b, const char *name)
{
    const char *dot = strchr(name, '.');
    struct gql_type *type = dot ? gql_bind_type(b, oms_str_make(name, (size_t)(dot - name))) : NULL;

    if (!type || type->kind != GQL_KIND_OBJECT || type->builtin != b->internal)
        return NULL;
    return gql_map_get(&type->members, oms_str_of(dot + 1));
}

static void gql_bind_field(struct gql_binder *b, const struct gql_binding *binding)
{
    struct gql_field *field = gql_bind_find(b, binding->field);
    struct gql_binding *kept;
    enum gql_resolver_kind want;

    if (!field) {
        GQL_BIND_ERROR(b, "The binding \"%s\" is for no field of the schema's object types.", binding->field);
        return;
    }
    if (field->binding) {
        GQL_BIND_ERROR(b, "\"%s\" is bound twice.", binding->field);
        return;
    }
    want = gql_bind_kind(b->schema, field);
    if (!gql_bind_fits(binding, field, want)) {
        GQL_BIND_ERROR(b, "The binding of \"%s\" is %s, but its type needs %s.", binding->field,
                       gql_resolver_word(binding->kind), gql_resolver_word(want));
        return;
    }
    if (!gql_bind_has_function(binding)) {
        GQL_BIND_ERROR(b, "The binding of \"%s\" has no resolver.", binding->field);
        return;
    }
    kept = GQL_NEW(&b->schema->arena, struct gql_binding);
    *kept = *binding;
    field->binding = kept;
}

static void gql_bind_abstract(struct gql_binder *b, const struct gql_type_binding *binding)
{
    struct gql_type *type = gql_bind_type(b, oms_str_of(binding->abstract));

    if (!type || !gql_is_abstract(type))
        GQL_BIND_ERROR(b, "The binding \"%s\" is for no interface or union.", binding->abstract);
    else if (type->type_binding)
        GQL_BIND_ERROR(b, "\"%s\" is bound twice.", binding->abstract);
    else if (!binding->type_of)
        GQL_BIND_ERROR(b, "The binding of \"%s\" has no function.", binding->abstract);
    else
        type->type_binding = binding;
}

static void gql_bind_scalar(struct gql_binder *b, const struct gql_scalar_binding *binding)
{
    struct gql_type *type = gql_bind_type(b, oms_str_of(binding->scalar));

    if (!type || type->kind != GQL_KIND_SCALAR)
        GQL_BIND_ERROR(b, "The binding \"%s\" is for no scalar.", binding->scalar);
    else if (type->scalar_binding)
        GQL_BIND_ERROR(b, "\"%s\" is bound twice.", binding->scalar);
    else if (!binding->coerce)
        GQL_BIND_ERROR(b, "The binding of \"%s\" has no function.", binding->scalar);
    else
        type->scalar_binding = binding;
}

static void gql_bind_check_field(struct gql_binder *b, const struct gql_field *field)
{
    const struct gql_type *named = field->type->named;
    unsigned lists = 0;

    if (!field->binding && field->parent->kind == GQL_KIND_OBJECT)
        GQL_BIND_ERROR(b, "\"%.*s.%.*s\" has no binding.", GQL_NAME(field->parent->name),
                       GQL_NAME(field->name));
    if (gql_is_abstract(named) && !named->type_binding)
        GQL_BIND_ERROR(b, "\"%.*s\" is the type of \"%.*s.%.*s\" and has no binding.", GQL_NAME(named->name),
                       GQL_NAME(field->parent->name), GQL_NAME(field->name));
    /* Root fields are the host's to dispatch: there is nobody to resolve them below another field. */
    if (gql_is_root(b->schema, named))
        GQL_BIND_ERROR(b, "\"%.*s.%.*s\" cannot have the root type \"%.*s\".", GQL_NAME(field->parent->name),
                       GQL_NAME(field->name), GQL_NAME(named->name));
    for (const struct gql_typeref *type = field->type; type->of; type = type->of)
        lists += type->kind == GQL_KIND_LIST;
    if (lists > OMS_GQL_LIST_DEPTH_MAX)
        GQL_BIND_ERROR(b, "\"%.*s.%.*s\" has more than %d lists within each other.",
                       GQL_NAME(field->parent->name), GQL_NAME(field->name), OMS_GQL_LIST_DEPTH_MAX);
}

bool gql_schema_bind(struct gql_schema *schema, const struct gql_schema_config *config,
                     struct gql_errors *errors)
{
    struct gql_binder b = {schema, errors, true};
    size_t count;
    const struct gql_binding *internal = gql_introspection_bindings(&count);
    struct gql_type_binding *types = GQL_ARRAY(&schema->arena, struct gql_type_binding, config->type_count);
    struct gql_scalar_binding *scalars =
        GQL_ARRAY(&schema->arena, struct gql_scalar_binding, config->scalar_count);

    for (size_t i = 0; i < count; i++)
        gql_bind_field(&b, &internal[i]);
    b.internal = false;
    for (size_t i = 0; i < config->binding_count; i++)
        gql_bind_field(&b, &config->bindings[i]);
    for (size_t i = 0; i < config->type_count; i++) {
        types[i] = config->types[i];
        gql_bind_abstract(&b, &types[i]);
    }
    for (size_t i = 0; i < config->scalar_count; i++) {
        scalars[i] = config->scalars[i];
        gql_bind_scalar(&b, &scalars[i]);
    }
    for (uint32_t i = 0; i < schema->type_count; i++) {
        const struct gql_type *type = schema->types[i];
        for (uint32_t k = 0; k < type->field_count && !type->hidden; k++)
            gql_bind_check_field(&b, &type->fields[k]);
    }
    return errors->count == 0;
}
