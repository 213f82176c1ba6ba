/* Names, look-ups and comparisons of schema types. Nothing here changes a schema. */
#include "http/graphql/types.h"

#include "runtime/base/assert.h"

static const char *const gql_location_names[GQL_LOCATION_COUNT] = {
    [GQL_AT_QUERY] = "QUERY",
    [GQL_AT_MUTATION] = "MUTATION",
    [GQL_AT_SUBSCRIPTION] = "SUBSCRIPTION",
    [GQL_AT_FIELD] = "FIELD",
    [GQL_AT_FRAGMENT_DEFINITION] = "FRAGMENT_DEFINITION",
    [GQL_AT_FRAGMENT_SPREAD] = "FRAGMENT_SPREAD",
    [GQL_AT_INLINE_FRAGMENT] = "INLINE_FRAGMENT",
    [GQL_AT_VARIABLE_DEFINITION] = "VARIABLE_DEFINITION",
    [GQL_AT_SCHEMA] = "SCHEMA",
    [GQL_AT_SCALAR] = "SCALAR",
    [GQL_AT_OBJECT] = "OBJECT",
    [GQL_AT_FIELD_DEFINITION] = "FIELD_DEFINITION",
    [GQL_AT_ARGUMENT_DEFINITION] = "ARGUMENT_DEFINITION",
    [GQL_AT_INTERFACE] = "INTERFACE",
    [GQL_AT_UNION] = "UNION",
    [GQL_AT_ENUM] = "ENUM",
    [GQL_AT_ENUM_VALUE] = "ENUM_VALUE",
    [GQL_AT_INPUT_OBJECT] = "INPUT_OBJECT",
    [GQL_AT_INPUT_FIELD_DEFINITION] = "INPUT_FIELD_DEFINITION",
};

const char *gql_kind_name(enum gql_kind kind)
{
    static const char *const names[] = {"SCALAR", "OBJECT",       "INTERFACE", "UNION",
                                        "ENUM",   "INPUT_OBJECT", "LIST",      "NON_NULL"};

    return names[kind];
}

const char *gql_location_name(enum gql_location location)
{
    return gql_location_names[location];
}

int gql_location_of(struct oms_str name)
{
    for (int i = 0; i < GQL_LOCATION_COUNT; i++) {
        if (oms_str_eq_c(name, gql_location_names[i]))
            return i;
    }
    return -1;
}

const char *gql_operation_word(enum gql_operation operation)
{
    static const char *const words[] = {"query", "mutation", "subscription"};

    return words[operation];
}

const struct gql_type *gql_schema_type(const struct gql_schema *schema, struct oms_str name)
{
    return gql_map_get(&schema->by_name, name);
}

const struct gql_directive *gql_schema_directive(const struct gql_schema *schema, struct oms_str name)
{
    return gql_map_get(&schema->directives_by_name, name);
}

const struct gql_field *gql_type_field(const struct gql_schema *schema, const struct gql_type *type,
                                       struct oms_str name)
{
    if (name.len > 2 && name.data[0] == '_' && name.data[1] == '_') {
        if (oms_str_eq(name, schema->meta_typename->name))
            return schema->meta_typename;
        if (type == schema->roots[GQL_QUERY] && oms_str_eq(name, schema->meta_schema->name))
            return schema->meta_schema;
        if (type == schema->roots[GQL_QUERY] && oms_str_eq(name, schema->meta_type->name))
            return schema->meta_type;
    }
    return type->kind == GQL_KIND_UNION ? NULL : gql_map_get(&type->members, name);
}

const struct gql_input *gql_type_input(const struct gql_type *type, struct oms_str name)
{
    return gql_map_get(&type->members, name);
}

const struct gql_enum_value *gql_type_value(const struct gql_type *type, struct oms_str name)
{
    return gql_map_get(&type->members, name);
}

const struct gql_input *gql_find_input(const struct gql_input *inputs, uint32_t count, struct oms_str name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (oms_str_eq(inputs[i].name, name))
            return &inputs[i];
    }
    return NULL;
}

bool gql_types_overlap(const struct gql_schema *schema, const struct gql_type *a, const struct gql_type *b)
{
    for (uint32_t i = 0; i < (schema->type_count + 63) / 64; i++) {
        if (a->possible_bits[i] & b->possible_bits[i])
            return true;
    }
    return false;
}

bool gql_type_implements(const struct gql_type *type, const struct gql_type *interface)
{
    for (uint32_t i = 0; i < type->interface_count; i++) {
        if (type->interfaces[i] == interface)
            return true;
    }
    return false;
}

bool gql_typeref_eq(const struct gql_typeref *a, const struct gql_typeref *b)
{
    while (a->kind == b->kind && a->of && b->of) {
        a = a->of;
        b = b->of;
    }
    return a->kind == b->kind && a->named == b->named && !a->of == !b->of;
}

void gql_typeref_write(const struct gql_typeref *type, struct oms_buf *out)
{
    const struct gql_typeref *t;
    char tail[2 * 64];
    size_t len = 0;

    for (t = type; t->of; t = t->of) {
        OMS_ASSERT(len < sizeof(tail));
        if (t->kind == GQL_KIND_LIST)
            oms_buf_append_char(out, '[');
        tail[len++] = t->kind == GQL_KIND_LIST ? ']' : '!';
    }
    oms_buf_append_str(out, t->named->name);
    while (len > 0)
        oms_buf_append_char(out, tail[--len]);
}

struct gql_type_text gql_typeref_text(const struct gql_typeref *type)
{
    struct gql_type_text out;
    struct oms_buf buf;
    size_t len;

    oms_buf_init(&buf, 4096);
    gql_typeref_write(type, &buf);
    len = buf.len < sizeof(out.text) ? buf.len : sizeof(out.text) - 1;
    memcpy(out.text, buf.data, len);
    out.text[len] = '\0';
    oms_buf_fini(&buf);
    return out;
}

struct oms_str gql_field_name_at(const void *fields, size_t i)
{
    return ((const struct gql_field *)fields)[i].name;
}

struct oms_str gql_input_name_at(const void *inputs, size_t i)
{
    return ((const struct gql_input *)inputs)[i].name;
}

struct oms_str gql_value_name_at(const void *values, size_t i)
{
    return ((const struct gql_enum_value *)values)[i].name;
}

struct oms_str gql_schema_type_name_at(const void *schema, size_t i)
{
    const struct gql_type *type = ((const struct gql_schema *)schema)->types[i];

    return type->hidden ? OMS_STR_NONE : type->name;
}

struct oms_str gql_directive_name_at(const void *schema, size_t i)
{
    return ((const struct gql_schema *)schema)->directives[i]->name;
}
