/*
 * A schema in memory: its types, directives and bindings. Built once, immutable after that, read by any
 * thread.
 *
 * Everything lives in the schema's arena. Names and descriptions end in NUL behind their length. A named type
 * holds a gql_typeref of itself, so that a gql_typeref pointer stands for any type, wrapped or not: that is
 * what
 * __Type values are in introspection.
 *
 * The introspection types, the built-in scalars and directives come from a prelude in SDL (prelude.c) and are
 * ordinary types with ordinary bindings (introspection.c), so the engine has no special cases for them.
 */
#ifndef GQL_TYPES_H
#define GQL_TYPES_H

#include "http/graphql/ast.h"

/* In the order of __TypeKind. */
enum gql_kind {
    GQL_KIND_SCALAR,
    GQL_KIND_OBJECT,
    GQL_KIND_INTERFACE,
    GQL_KIND_UNION,
    GQL_KIND_ENUM,
    GQL_KIND_INPUT,
    GQL_KIND_LIST,
    GQL_KIND_NON_NULL,
};

enum gql_scalar {
    GQL_SCALAR_CUSTOM,
    GQL_SCALAR_INT,
    GQL_SCALAR_FLOAT,
    GQL_SCALAR_STRING,
    GQL_SCALAR_BOOLEAN,
    GQL_SCALAR_ID
};

/* In the order of __DirectiveLocation. */
enum gql_location {
    GQL_AT_QUERY,
    GQL_AT_MUTATION,
    GQL_AT_SUBSCRIPTION,
    GQL_AT_FIELD,
    GQL_AT_FRAGMENT_DEFINITION,
    GQL_AT_FRAGMENT_SPREAD,
    GQL_AT_INLINE_FRAGMENT,
    GQL_AT_VARIABLE_DEFINITION,
    GQL_AT_SCHEMA,
    GQL_AT_SCALAR,
    GQL_AT_OBJECT,
    GQL_AT_FIELD_DEFINITION,
    GQL_AT_ARGUMENT_DEFINITION,
    GQL_AT_INTERFACE,
    GQL_AT_UNION,
    GQL_AT_ENUM,
    GQL_AT_ENUM_VALUE,
    GQL_AT_INPUT_OBJECT,
    GQL_AT_INPUT_FIELD_DEFINITION,
    GQL_LOCATION_COUNT,
};

struct gql_type;

struct gql_typeref {
    enum gql_kind kind;
    const struct gql_typeref *of; /* of a list or non-null type */
    const struct gql_type *named; /* the type inside all wrappers */
};

struct gql_input { /* an argument or an input field */
    struct oms_str name, description;
    const struct gql_typeref *type;
    const struct gql_lit *initial;   /* the default as written, NULL without one */
    struct oms_value *initial_value; /* coerced */
    struct oms_str initial_text;     /* printed; absent without one */
    bool deprecated;
    struct oms_str reason;
    uint32_t index;
    const struct gql_input_def *ast;
};

struct gql_field {
    struct oms_str name, description;
    const struct gql_type *parent;
    const struct gql_typeref *type;
    struct gql_input *args;
    uint32_t arg_count;
    bool deprecated;
    struct oms_str reason;
    const struct gql_field_def *ast;
    const struct gql_binding *binding; /* of an object type's field */
};

struct gql_enum_value {
    struct oms_str name, description;
    bool deprecated;
    struct oms_str reason;
    const struct gql_value_def *ast;
};

struct gql_type {
    enum gql_kind kind;
    struct gql_typeref ref; /* itself, unwrapped */
    struct oms_str name, description;
    uint32_t index; /* in gql_schema.types */
    bool builtin;   /* from the prelude */
    bool hidden;    /* not in introspection and unknown to documents: of the engine only, or a built-in scalar
                       that nothing in the schema refers to (section 3.5) */
    uint32_t at;
    const struct gql_def **defs; /* its definition and extensions */
    uint32_t def_count;
    struct gql_map members;   /* fields, input fields or enum values by name */
    struct gql_field *fields; /* object, interface */
    uint32_t field_count;
    const struct gql_type **interfaces; /* object, interface */
    uint32_t interface_count;
    const struct gql_type **possible; /* the object types that it may be; an object: itself */
    uint32_t possible_count;
    uint64_t *possible_bits;  /* by type index */
    struct gql_input *inputs; /* input object */
    uint32_t input_count;
    bool one_of;
    struct gql_enum_value *values; /* enum */
    uint32_t value_count;
    enum gql_scalar scalar;
    struct oms_str specified_by;
    const struct gql_scalar_binding *scalar_binding;
    const struct gql_type_binding *type_binding; /* interface, union */
};

struct gql_directive {
    struct oms_str name, description;
    struct gql_input *args;
    uint32_t arg_count;
    uint32_t locations; /* 1 << enum gql_location */
    bool repeatable;
    bool builtin;
    const struct gql_def *ast;
};

struct gql_schema {
    struct oms_arena arena;
    struct oms_hash_key key; /* of all maps */
    struct oms_str source;   /* the SDL */
    struct gql_type **types; /* those of the SDL first, in its order, then the prelude's */
    uint32_t type_count;
    struct gql_map by_name;
    struct gql_directive **directives;
    uint32_t directive_count;
    struct gql_map directives_by_name;
    const struct gql_type *roots[3]; /* by enum gql_operation; NULL: not supported */
    struct oms_str description;
    const struct gql_field *meta_schema, *meta_type, *meta_typename;
    const struct gql_directive *skip, *include;
};

/* ---- names ---- */

const char *gql_kind_name(enum gql_kind kind);
const char *gql_location_name(enum gql_location location);
/* -1 when there is no such location. */
int gql_location_of(struct oms_str name);
/* "query", "mutation", "subscription". */
const char *gql_operation_word(enum gql_operation operation);

/* ---- look-ups ---- */

const struct gql_type *gql_schema_type(const struct gql_schema *schema, struct oms_str name);
const struct gql_directive *gql_schema_directive(const struct gql_schema *schema, struct oms_str name);
/* A field of an object or interface type, or a meta field that may be selected on it. */
const struct gql_field *gql_type_field(const struct gql_schema *schema, const struct gql_type *type,
                                       struct oms_str name);
const struct gql_input *gql_type_input(const struct gql_type *type, struct oms_str name);
const struct gql_enum_value *gql_type_value(const struct gql_type *type, struct oms_str name);
const struct gql_input *gql_find_input(const struct gql_input *inputs, uint32_t count, struct oms_str name);

static inline bool gql_is_composite(const struct gql_type *type)
{
    return type->kind == GQL_KIND_OBJECT || type->kind == GQL_KIND_INTERFACE || type->kind == GQL_KIND_UNION;
}

static inline bool gql_is_abstract(const struct gql_type *type)
{
    return type->kind == GQL_KIND_INTERFACE || type->kind == GQL_KIND_UNION;
}

static inline bool gql_is_input(const struct gql_type *type)
{
    return type->kind == GQL_KIND_SCALAR || type->kind == GQL_KIND_ENUM || type->kind == GQL_KIND_INPUT;
}

static inline bool gql_is_output(const struct gql_type *type)
{
    return type->kind != GQL_KIND_INPUT;
}

/* Whether a value of composite type `type` may be an `object`. */
static inline bool gql_may_be(const struct gql_type *type, const struct gql_type *object)
{
    return type->possible_bits[object->index / 64] >> (object->index % 64) & 1;
}

/* Section 5.5.2.3: some object type belongs to both. */
bool gql_types_overlap(const struct gql_schema *schema, const struct gql_type *a, const struct gql_type *b);
/* Whether an object or interface type names `interface` among its own. */
bool gql_type_implements(const struct gql_type *type, const struct gql_type *interface);
bool gql_typeref_eq(const struct gql_typeref *a, const struct gql_typeref *b);
/* "[Int!]!" */
void gql_typeref_write(const struct gql_typeref *type, struct oms_buf *out);
/* The same for messages, cut at 128 bytes. */
struct gql_type_text {
    char text[128];
};
struct gql_type_text gql_typeref_text(const struct gql_typeref *type);

/* Required: non-null without a default (section 3.6.1). */
static inline bool gql_input_required(const struct gql_input *input)
{
    return input->type->kind == GQL_KIND_NON_NULL && !input->initial;
}

/* For gql_did_you_mean: the context is the array. */
struct oms_str gql_field_name_at(const void *fields, size_t i);
struct oms_str gql_input_name_at(const void *inputs, size_t i);
struct oms_str gql_value_name_at(const void *values, size_t i);
struct oms_str gql_schema_type_name_at(const void *schema, size_t i);
struct oms_str gql_directive_name_at(const void *schema, size_t i);

/* ---- building a schema; each step adds its errors and returns whether there were none ---- */

/* Types and directives from the two parsed texts (schema_build.c). */
bool gql_schema_build(struct gql_schema *schema, const struct gql_document *prelude,
                      const struct gql_document *document, struct gql_errors *errors);
/* The wrapped type that an AST type names; NULL with an error when it is unknown. */
const struct gql_typeref *gql_resolve_type(const struct gql_schema *schema, struct oms_arena *arena,
                                           const struct gql_ast_type *ast);
/* Section 3's rules for types (schema_check.c). */
bool gql_schema_check(struct gql_schema *schema, struct gql_errors *errors);
/* Directives where the SDL uses them, and default values, which are coerced here (schema_values.c). */
bool gql_schema_check_values(struct gql_schema *schema, const struct gql_document *document,
                             struct gql_errors *errors);
/* Resolvers (bind.c). */
bool gql_schema_bind(struct gql_schema *schema, const struct gql_schema_config *config,
                     struct gql_errors *errors);

/* The engine's own definitions and the resolvers of the introspection types. */
struct oms_str gql_prelude(void);
const struct gql_binding *gql_introspection_bindings(size_t *count);

#endif
