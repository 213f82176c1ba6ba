/*
 * The resolvers of the introspection types (section 4.2). Their values are the schema's own structures: a
 * __Type is a gql_typeref (a named type's own, or a wrapper), a __Field a gql_field, an __InputValue a
 * gql_input, and so on. Lists walk the schema's arrays; where deprecated members are left out, an array of
 * the rest is made in the execution's scratch memory.
 */
#include "http/graphql/execute.h"
#include "http/graphql/memory.h"
#include "runtime/base/json.h"

static bool gql_put_text(struct oms_buf *out, struct oms_str text)
{
    if (!oms_str_present(text))
        return false;
    oms_json_write_string(out, text);
    return true;
}

static bool gql_put_bool(struct oms_buf *out, bool value)
{
    oms_buf_append_str(out, value ? OMS_STR("true") : OMS_STR("false"));
    return true;
}

/* ---- lists of pointers ---- */

static const void *gql_pointer_item(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return ((const void *const *)context)[index];
}

/* Room for `count` pointers; NULL after reporting that there is none. */
static const void **gql_pointers(struct gql_exec *x, size_t count)
{
    const void **items = oms_arena_calloc(gql_exec_arena(x), count ? count : 1, sizeof(*items));

    if (!items)
        gql_fail(x, "LIMIT_EXCEEDED", "The introspection result is too large.");
    return items;
}

static bool gql_with_deprecated(const struct gql_exec *x)
{
    const struct oms_value *arg = gql_arg(x, "includeDeprecated");

    return arg && arg->kind == OMS_VALUE_BOOL && arg->boolean;
}

static bool gql_list_inputs(struct gql_exec *x, const struct gql_input *inputs, uint32_t count,
                            struct gql_list *out)
{
    bool all = gql_with_deprecated(x);
    const void **items = gql_pointers(x, count);

    *out = (struct gql_list){0, gql_pointer_item, items};
    for (uint32_t i = 0; items && i < count; i++) {
        if (all || !inputs[i].deprecated)
            items[out->count++] = &inputs[i];
    }
    return items != NULL;
}

static bool gql_list_types(struct gql_exec *x, const struct gql_type *const *types, uint32_t count,
                           struct gql_list *out)
{
    const void **items = gql_pointers(x, count);

    *out = (struct gql_list){0, gql_pointer_item, items};
    for (uint32_t i = 0; items && i < count; i++) {
        if (!types[i]->hidden)
            items[out->count++] = &types[i]->ref;
    }
    return items != NULL;
}

/* ---- __Schema ---- */

static bool gql_schema_description(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    return gql_put_text(out, ((const struct gql_schema *)parent)->description);
}

static bool gql_schema_types(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct gql_schema *schema = parent;

    return gql_list_types(x, (const struct gql_type *const *)schema->types, schema->type_count, out);
}

static const void *gql_schema_root(const void *parent, enum gql_operation operation)
{
    const struct gql_type *root = ((const struct gql_schema *)parent)->roots[operation];

    return root ? &root->ref : NULL;
}

static const void *gql_schema_query(struct gql_exec *x, const void *parent)
{
    (void)x;
    return gql_schema_root(parent, GQL_QUERY);
}

static const void *gql_schema_mutation(struct gql_exec *x, const void *parent)
{
    (void)x;
    return gql_schema_root(parent, GQL_MUTATION);
}

static const void *gql_schema_subscription(struct gql_exec *x, const void *parent)
{
    (void)x;
    return gql_schema_root(parent, GQL_SUBSCRIPTION);
}

static bool gql_schema_directives(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct gql_schema *schema = parent;

    (void)x;
    *out = (struct gql_list){schema->directive_count, gql_pointer_item, schema->directives};
    return true;
}

/* ---- __Type ---- */

static const struct gql_type *gql_named(const void *parent)
{
    const struct gql_typeref *ref = parent;

    return ref->of ? NULL : ref->named;
}

static bool gql_type_kind(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    oms_buf_append_char(out, '"');
    oms_buf_append_str(out, oms_str_of(gql_kind_name(((const struct gql_typeref *)parent)->kind)));
    oms_buf_append_char(out, '"');
    return true;
}

static bool gql_type_name(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct gql_type *type = gql_named(parent);

    (void)x;
    return type && gql_put_text(out, type->name);
}

static bool gql_type_description(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct gql_type *type = gql_named(parent);

    (void)x;
    return type && gql_put_text(out, type->description);
}

static bool gql_type_specified_by(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct gql_type *type = gql_named(parent);

    (void)x;
    return type && gql_put_text(out, type->specified_by);
}

static bool gql_type_fields(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct gql_type *type = gql_named(parent);
    const void **items;
    bool all = gql_with_deprecated(x);

    if (!type || (type->kind != GQL_KIND_OBJECT && type->kind != GQL_KIND_INTERFACE))
        return false;
    items = gql_pointers(x, type->field_count);
    *out = (struct gql_list){0, gql_pointer_item, items};
    for (uint32_t i = 0; items && i < type->field_count; i++) {
        if (all || !type->fields[i].deprecated)
            items[out->count++] = &type->fields[i];
    }
    return items != NULL;
}

static bool gql_type_interfaces(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct gql_type *type = gql_named(parent);

    if (!type || (type->kind != GQL_KIND_OBJECT && type->kind != GQL_KIND_INTERFACE))
        return false;
    return gql_list_types(x, type->interfaces, type->interface_count, out);
}

static bool gql_type_possible(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct gql_type *type = gql_named(parent);

    if (!type || !gql_is_abstract(type))
        return false;
    return gql_list_types(x, type->possible, type->possible_count, out);
}

static bool gql_type_values(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct gql_type *type = gql_named(parent);
    const void **items;
    bool all = gql_with_deprecated(x);

    if (!type || type->kind != GQL_KIND_ENUM)
        return false;
    items = gql_pointers(x, type->value_count);
    *out = (struct gql_list){0, gql_pointer_item, items};
    for (uint32_t i = 0; items && i < type->value_count; i++) {
        if (all || !type->values[i].deprecated)
            items[out->count++] = &type->values[i];
    }
    return items != NULL;
}

static bool gql_type_inputs(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct gql_type *type = gql_named(parent);

    if (!type || type->kind != GQL_KIND_INPUT)
        return false;
    return gql_list_inputs(x, type->inputs, type->input_count, out);
}

static const void *gql_type_of_type(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct gql_typeref *)parent)->of;
}

static bool gql_type_one_of(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct gql_type *type = gql_named(parent);

    (void)x;
    return type && type->kind == GQL_KIND_INPUT && gql_put_bool(out, type->one_of);
}

/* ---- __Field, __InputValue, __EnumValue: alike but for their structures ---- */

#define GQL_MEMBER_RESOLVERS(prefix, structure)                                                              \
    static bool prefix##_name(struct gql_exec *x, const void *parent, struct oms_buf *out)                   \
    {                                                                                                        \
        (void)x;                                                                                             \
        return gql_put_text(out, ((const structure *)parent)->name);                                         \
    }                                                                                                        \
    static bool prefix##_description(struct gql_exec *x, const void *parent, struct oms_buf *out)            \
    {                                                                                                        \
        (void)x;                                                                                             \
        return gql_put_text(out, ((const structure *)parent)->description);                                  \
    }                                                                                                        \
    static bool prefix##_deprecated(struct gql_exec *x, const void *parent, struct oms_buf *out)             \
    {                                                                                                        \
        (void)x;                                                                                             \
        return gql_put_bool(out, ((const structure *)parent)->deprecated);                                   \
    }                                                                                                        \
    static bool prefix##_reason(struct gql_exec *x, const void *parent, struct oms_buf *out)                 \
    {                                                                                                        \
        (void)x;                                                                                             \
        return gql_put_text(out, ((const structure *)parent)->reason);                                       \
    }

GQL_MEMBER_RESOLVERS(gql_field, struct gql_field)
GQL_MEMBER_RESOLVERS(gql_input, struct gql_input)
GQL_MEMBER_RESOLVERS(gql_value, struct gql_enum_value)

static bool gql_field_args(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct gql_field *field = parent;

    return gql_list_inputs(x, field->args, field->arg_count, out);
}

static const void *gql_field_type(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct gql_field *)parent)->type;
}

static const void *gql_input_type(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct gql_input *)parent)->type;
}

static bool gql_input_default(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    return gql_put_text(out, ((const struct gql_input *)parent)->initial_text);
}

/* ---- __Directive ---- */

static bool gql_directive_name(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    return gql_put_text(out, ((const struct gql_directive *)parent)->name);
}

static bool gql_directive_description(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    return gql_put_text(out, ((const struct gql_directive *)parent)->description);
}

static bool gql_directive_repeatable(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    return gql_put_bool(out, ((const struct gql_directive *)parent)->repeatable);
}

static bool gql_directive_locations(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct gql_directive *directive = parent;
    char separator = '[';

    (void)x;
    for (int i = 0; i < GQL_LOCATION_COUNT; i++) {
        if (!(directive->locations >> i & 1))
            continue;
        oms_buf_append_char(out, separator);
        oms_json_write_string(out, oms_str_of(gql_location_name((enum gql_location)i)));
        separator = ',';
    }
    oms_buf_append_char(out, ']');
    return true;
}

static bool gql_directive_args(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct gql_directive *directive = parent;

    return gql_list_inputs(x, directive->args, directive->arg_count, out);
}

/* ---- the table ---- */

#define GQL_BIND_LEAF(name, function)                                                                        \
    {                                                                                                        \
        .field = name, .kind = GQL_LEAF, .resolve.leaf = function                                            \
    }
#define GQL_BIND_OBJECT(name, function)                                                                      \
    {                                                                                                        \
        .field = name, .kind = GQL_OBJECT, .resolve.object = function                                        \
    }
#define GQL_BIND_LIST(name, function)                                                                        \
    {                                                                                                        \
        .field = name, .kind = GQL_LIST, .resolve.list = function                                            \
    }

static const struct gql_binding gql_introspection_table[] = {
    GQL_BIND_LEAF("__Schema.description", gql_schema_description),
    GQL_BIND_LIST("__Schema.types", gql_schema_types),
    GQL_BIND_OBJECT("__Schema.queryType", gql_schema_query),
    GQL_BIND_OBJECT("__Schema.mutationType", gql_schema_mutation),
    GQL_BIND_OBJECT("__Schema.subscriptionType", gql_schema_subscription),
    GQL_BIND_LIST("__Schema.directives", gql_schema_directives),
    GQL_BIND_LEAF("__Type.kind", gql_type_kind),
    GQL_BIND_LEAF("__Type.name", gql_type_name),
    GQL_BIND_LEAF("__Type.description", gql_type_description),
    GQL_BIND_LEAF("__Type.specifiedByURL", gql_type_specified_by),
    GQL_BIND_LIST("__Type.fields", gql_type_fields),
    GQL_BIND_LIST("__Type.interfaces", gql_type_interfaces),
    GQL_BIND_LIST("__Type.possibleTypes", gql_type_possible),
    GQL_BIND_LIST("__Type.enumValues", gql_type_values),
    GQL_BIND_LIST("__Type.inputFields", gql_type_inputs),
    GQL_BIND_OBJECT("__Type.ofType", gql_type_of_type),
    GQL_BIND_LEAF("__Type.isOneOf", gql_type_one_of),
    GQL_BIND_LEAF("__Field.name", gql_field_name),
    GQL_BIND_LEAF("__Field.description", gql_field_description),
    GQL_BIND_LIST("__Field.args", gql_field_args),
    GQL_BIND_OBJECT("__Field.type", gql_field_type),
    GQL_BIND_LEAF("__Field.isDeprecated", gql_field_deprecated),
    GQL_BIND_LEAF("__Field.deprecationReason", gql_field_reason),
    GQL_BIND_LEAF("__InputValue.name", gql_input_name),
    GQL_BIND_LEAF("__InputValue.description", gql_input_description),
    GQL_BIND_OBJECT("__InputValue.type", gql_input_type),
    GQL_BIND_LEAF("__InputValue.defaultValue", gql_input_default),
    GQL_BIND_LEAF("__InputValue.isDeprecated", gql_input_deprecated),
    GQL_BIND_LEAF("__InputValue.deprecationReason", gql_input_reason),
    GQL_BIND_LEAF("__EnumValue.name", gql_value_name),
    GQL_BIND_LEAF("__EnumValue.description", gql_value_description),
    GQL_BIND_LEAF("__EnumValue.isDeprecated", gql_value_deprecated),
    GQL_BIND_LEAF("__EnumValue.deprecationReason", gql_value_reason),
    GQL_BIND_LEAF("__Directive.name", gql_directive_name),
    GQL_BIND_LEAF("__Directive.description", gql_directive_description),
    GQL_BIND_LEAF("__Directive.isRepeatable", gql_directive_repeatable),
    GQL_BIND_LEAF("__Directive.locations", gql_directive_locations),
    GQL_BIND_LIST("__Directive.args", gql_directive_args),
};

const struct gql_binding *gql_introspection_bindings(size_t *count)
{
    *count = OMS_COUNT_OF(gql_introspection_table);
    return gql_introspection_table;
}
