/*
 * From definitions to types. First all names are registered, so that types may refer to each other in any
 * order; then each type takes the members of its definition and of its extensions; then interfaces and unions
 * learn which objects they may be. What needs the finished types (conformance, default values) is checked
 * later.
 */
#include "http/graphql/errors.h"
#include "http/graphql/memory.h"
#include "http/graphql/types.h"
#include "runtime/base/limits.h"

struct gql_builder {
    struct gql_schema *schema;
    const struct gql_document *document; /* the one whose definitions are being read */
    struct gql_errors *errors;
    uint32_t type_cap, directive_cap;
};

#define GQL_BUILD_ERROR(b, at, ...)                                                                          \
    gql_error_at((b)->errors, GQL_CODE_VALIDATE, (b)->document->source, (at), __VA_ARGS__)

static const enum gql_kind gql_kind_of_def[] = {
    [GQL_DEF_SCHEMA] = GQL_KIND_SCALAR, /* unused */
    [GQL_DEF_SCALAR] = GQL_KIND_SCALAR,       [GQL_DEF_OBJECT] = GQL_KIND_OBJECT,
    [GQL_DEF_INTERFACE] = GQL_KIND_INTERFACE, [GQL_DEF_UNION] = GQL_KIND_UNION,
    [GQL_DEF_ENUM] = GQL_KIND_ENUM,           [GQL_DEF_INPUT] = GQL_KIND_INPUT,
    [GQL_DEF_DIRECTIVE] = GQL_KIND_SCALAR, /* unused */
};

static struct oms_str gql_keep(struct gql_builder *b, struct oms_str text)
{
    return oms_str_copy(&b->schema->arena, text);
}

/* ---- names ---- */

static enum gql_scalar gql_builtin_scalar(struct oms_str name)
{
    static const struct {
        const char *name;
        enum gql_scalar scalar;
    } table[] = {{"Int", GQL_SCALAR_INT},
                 {"Float", GQL_SCALAR_FLOAT},
                 {"String", GQL_SCALAR_STRING},
                 {"Boolean", GQL_SCALAR_BOOLEAN},
                 {"ID", GQL_SCALAR_ID}};

    for (size_t i = 0; i < OMS_COUNT_OF(table); i++) {
        if (oms_str_eq_c(name, table[i].name))
            return table[i].scalar;
    }
    return GQL_SCALAR_CUSTOM;
}

static void gql_register_type(struct gql_builder *b, const struct gql_def *def, bool builtin)
{
    struct gql_schema *schema = b->schema;
    struct gql_type *type;

    if (!builtin && def->kind == GQL_DEF_SCALAR && gql_builtin_scalar(def->name) != GQL_SCALAR_CUSTOM)
        return; /* a schema may spell out what is built in */
    type = GQL_NEW(&schema->arena, struct gql_type);
    type->kind = gql_kind_of_def[def->kind];
    type->name = gql_keep(b, def->name);
    type->description = gql_keep(b, def->description);
    type->ref = (struct gql_typeref){type->kind, NULL, type};
    type->index = schema->type_count;
    type->builtin = builtin;
    type->hidden = builtin && oms_str_eq_c(type->name, "__Meta");
    type->at = def->at;
    if (type->kind == GQL_KIND_SCALAR)
        type->scalar = gql_builtin_scalar(type->name);
    gql_map_init(&type->members, &schema->arena, &schema->key);
    if (gql_map_add(&schema->by_name, type->name, type)) {
        GQL_BUILD_ERROR(b, def->at, "There are two types \"%.*s\".", GQL_NAME(def->name));
        return;
    }
    OMS_ASSERT(schema->type_count < b->type_cap);
    schema->types[schema->type_count++] = type;
}

static void gql_register_directive(struct gql_builder *b, const struct gql_def *def, bool builtin)
{
    struct gql_schema *schema = b->schema;
    struct gql_directive *directive = GQL_NEW(&schema->arena, struct gql_directive);
    const struct gql_directive *there;

    directive->name = gql_keep(b, def->name);
    directive->description = gql_keep(b, def->description);
    directive->locations = def->locations;
    directive->repeatable = def->repeatable;
    directive->builtin = builtin;
    directive->ast = def;
    there = gql_map_add(&schema->directives_by_name, directive->name, directive);
    if (there) {
        if (!there->builtin)
            GQL_BUILD_ERROR(b, def->at, "There are two directives \"@%.*s\".", GQL_NAME(def->name));
        return;
    }
    OMS_ASSERT(schema->directive_count < b->directive_cap);
    schema->directives[schema->directive_count++] = directive;
}

static void gql_register(struct gql_builder *b, const struct gql_document *document, bool builtin)
{
    b->document = document;
    for (const struct gql_def *def = document->definitions; def; def = def->next) {
        if (def->extends || def->kind == GQL_DEF_SCHEMA)
            continue;
        if (def->kind != GQL_DEF_DIRECTIVE)
            gql_register_type(b, def, builtin);
    }
}

static void gql_register_directives(struct gql_builder *b, const struct gql_document *document, bool builtin)
{
    b->document = document;
    for (const struct gql_def *def = document->definitions; def; def = def->next) {
        if (def->kind == GQL_DEF_DIRECTIVE)
            gql_register_directive(b, def, builtin);
    }
}

static void gql_reserve(struct gql_builder *b, const struct gql_document *prelude)
{
    struct gql_schema *schema = b->schema;
    const struct gql_document *documents[] = {b->document, prelude};

    for (size_t i = 0; i < 2; i++) {
        for (const struct gql_def *def = documents[i]->definitions; def; def = def->next) {
            b->type_cap++;
            b->directive_cap += def->kind == GQL_DEF_DIRECTIVE;
        }
    }
    schema->types = GQL_ARRAY(&schema->arena, struct gql_type *, b->type_cap);
    schema->directives = GQL_ARRAY(&schema->arena, struct gql_directive *, b->directive_cap);
    gql_map_init(&schema->by_name, &schema->arena, &schema->key);
    gql_map_init(&schema->directives_by_name, &schema->arena, &schema->key);
}

/* ---- types of fields and inputs ---- */

const struct gql_typeref *gql_resolve_type(const struct gql_schema *schema, struct oms_arena *arena,
                                           const struct gql_ast_type *ast)
{
    const struct gql_ast_type *inner = ast;
    const struct gql_typeref *ref;
    const struct gql_type *named;
    unsigned depth = 0;
    const struct gql_ast_type *chain[OMS_GQL_DEPTH_MAX + 1];

    for (; inner->of; inner = inner->of) {
        OMS_ASSERT(depth < OMS_COUNT_OF(chain));
        chain[depth++] = inner;
    }
    named = gql_schema_type(schema, inner->name);
    if (!named || named->hidden)
        return NULL;
    ref = &named->ref;
    for (;;) {
        if (inner->non_null) {
            struct gql_typeref *wrapper = GQL_NEW(arena, struct gql_typeref);
            *wrapper = (struct gql_typeref){GQL_KIND_NON_NULL, ref, named};
            ref = wrapper;
        }
        if (depth == 0)
            return ref;
        inner = chain[--depth];
        struct gql_typeref *list = GQL_NEW(arena, struct gql_typeref);
        *list = (struct gql_typeref){GQL_KIND_LIST, ref, named};
        ref = list;
    }
}

static const struct gql_typeref *gql_build_ref(struct gql_builder *b, const struct gql_ast_type *ast)
{
    const struct gql_typeref *ref = gql_resolve_type(b->schema, &b->schema->arena, ast);

    if (!ref) {
        while (ast->of)
            ast = ast->of;
        GQL_BUILD_ERROR(
            b, ast->at, "Unknown type \"%.*s\".%s", GQL_NAME(ast->name),
            gql_did_you_mean(b->errors, ast->name, b->schema->type_count, gql_schema_type_name_at, b->schema)
                .text);
        ref = &gql_schema_type(b->schema, OMS_STR("String"))->ref; /* so that building can go on */
    }
    return ref;
}

/* @deprecated(reason:), read before directives are checked; a wrong one is reported then. */
static bool gql_build_deprecated(struct gql_builder *b, const struct gql_applied *applied,
                                 struct oms_str *reason)
{
    for (; applied; applied = applied->next) {
        if (!oms_str_eq_c(applied->name, "deprecated"))
            continue;
        *reason = OMS_STR("No longer supported");
        for (const struct gql_arg *arg = applied->args; arg; arg = arg->next) {
            if (oms_str_eq_c(arg->name, "reason") && arg->value->kind == GQL_LIT_STRING)
                *reason = gql_keep(b, arg->value->text);
        }
        return true;
    }
    return false;
}

static void gql_build_input(struct gql_builder *b, struct gql_input *input, const struct gql_input_def *def)
{
    input->name = gql_keep(b, def->name);
    input->description = gql_keep(b, def->description);
    input->type = gql_build_ref(b, def->type);
    if (!gql_is_input(input->type->named))
        GQL_BUILD_ERROR(b, def->type->at, "\"%.*s\" cannot have the type \"%s\": it is no input type.",
                        GQL_NAME(def->name), gql_typeref_text(input->type).text);
    input->initial = def->initial;
    input->deprecated = gql_build_deprecated(b, def->directives, &input->reason);
    input->ast = def;
    if (input->deprecated && gql_input_required(input))
        GQL_BUILD_ERROR(b, def->at, "\"%.*s\" is required and cannot be deprecated.", GQL_NAME(def->name));
}

static struct gql_input *gql_build_args(struct gql_builder *b, const struct gql_input_def *defs,
                                        uint32_t *count)
{
    struct gql_input *args;
    uint32_t n = 0;

    for (const struct gql_input_def *def = defs; def; def = def->next)
        n++;
    args = GQL_ARRAY(&b->schema->arena, struct gql_input, n);
    *count = 0;
    for (const struct gql_input_def *def = defs; def; def = def->next) {
        if (gql_find_input(args, *count, def->name))
            GQL_BUILD_ERROR(b, def->at, "There are two arguments \"%.*s\".", GQL_NAME(def->name));
        args[*count].index = *count;
        gql_build_input(b, &args[(*count)++], def);
    }
    return args;
}

static void gql_build_field(struct gql_builder *b, struct gql_type *type, const struct gql_field_def *def)
{
    struct gql_field *field = &type->fields[type->field_count];

    field->name = gql_keep(b, def->name);
    field->description = gql_keep(b, def->description);
    field->parent = type;
    field->type = gql_build_ref(b, def->type);
    if (!gql_is_output(field->type->named))
        GQL_BUILD_ERROR(b, def->type->at, "\"%.*s.%.*s\" cannot have the type \"%s\": it is no output type.",
                        GQL_NAME(type->name), GQL_NAME(def->name), gql_typeref_text(field->type).text);
    field->args = gql_build_args(b, def->args, &field->arg_count);
    field->deprecated = gql_build_deprecated(b, def->directives, &field->reason);
    field->ast = def;
    if (gql_map_add(&type->members, field->name, field))
        GQL_BUILD_ERROR(b, def->at, "Type \"%.*s\" has two fields \"%.*s\".", GQL_NAME(type->name),
                        GQL_NAME(def->name));
    else
        type->field_count++;
}

/* ---- members; `def` is the definition or an extension of the type ---- */

static void gql_build_interfaces(struct gql_builder *b, struct gql_type *type, const struct gql_def *def)
{
    for (const struct gql_name_ref *ref = def->names; ref; ref = ref->next) {
        const struct gql_type *interface = gql_schema_type(b->schema, ref->name);
        bool twice = false;
        if (!interface || interface->kind != GQL_KIND_INTERFACE) {
            GQL_BUILD_ERROR(b, ref->at, "\"%.*s\" implements \"%.*s\", which is no interface.",
                            GQL_NAME(type->name), GQL_NAME(ref->name));
            continue;
        }
        for (uint32_t i = 0; i < type->interface_count; i++)
            twice |= type->interfaces[i] == interface;
        if (twice || interface == type)
            GQL_BUILD_ERROR(b, ref->at, "\"%.*s\" cannot implement \"%.*s\" %s.", GQL_NAME(type->name),
                            GQL_NAME(ref->name), twice ? "twice" : "itself");
        else
            type->interfaces[type->interface_count++] = interface;
    }
}

static void gql_build_union(struct gql_builder *b, struct gql_type *type, const struct gql_def *def)
{
    for (const struct gql_name_ref *ref = def->names; ref; ref = ref->next) {
        const struct gql_type *member = gql_schema_type(b->schema, ref->name);
        bool twice = false;
        if (!member || member->kind != GQL_KIND_OBJECT) {
            GQL_BUILD_ERROR(b, ref->at, "Union \"%.*s\" cannot hold \"%.*s\": it is no object type.",
                            GQL_NAME(type->name), GQL_NAME(ref->name));
            continue;
        }
        for (uint32_t i = 0; i < type->possible_count; i++)
            twice |= type->possible[i] == member;
        if (twice)
            GQL_BUILD_ERROR(b, ref->at, "Union \"%.*s\" holds \"%.*s\" twice.", GQL_NAME(type->name),
                            GQL_NAME(ref->name));
        else
            type->possible[type->possible_count++] = member;
    }
}

static void gql_build_enum(struct gql_builder *b, struct gql_type *type, const struct gql_def *def)
{
    for (const struct gql_value_def *ast = def->values; ast; ast = ast->next) {
        struct gql_enum_value *value = &type->values[type->value_count];
        value->name = gql_keep(b, ast->name);
        value->description = gql_keep(b, ast->description);
        value->deprecated = gql_build_deprecated(b, ast->directives, &value->reason);
        value->ast = ast;
        if (gql_map_add(&type->members, value->name, value))
            GQL_BUILD_ERROR(b, ast->at, "Enum \"%.*s\" has two values \"%.*s\".", GQL_NAME(type->name),
                            GQL_NAME(ast->name));
        else
            type->value_count++;
    }
}

static void gql_build_inputs(struct gql_builder *b, struct gql_type *type, const struct gql_def *def)
{
    for (const struct gql_input_def *ast = def->inputs; ast; ast = ast->next) {
        struct gql_input *input = &type->inputs[type->input_count];
        gql_build_input(b, input, ast);
        input->index = type->input_count;
        if (gql_map_add(&type->members, input->name, input))
            GQL_BUILD_ERROR(b, ast->at, "Input \"%.*s\" has two fields \"%.*s\".", GQL_NAME(type->name),
                            GQL_NAME(ast->name));
        else
            type->input_count++;
    }
}

static void gql_build_marks(struct gql_builder *b, struct gql_type *type, const struct gql_def *def)
{
    for (const struct gql_applied *applied = def->directives; applied; applied = applied->next) {
        if (oms_str_eq_c(applied->name, "oneOf") && type->kind == GQL_KIND_INPUT)
            type->one_of = true;
        if (oms_str_eq_c(applied->name, "specifiedBy") && type->kind == GQL_KIND_SCALAR && applied->args &&
            applied->args->value->kind == GQL_LIT_STRING)
            type->specified_by = gql_keep(b, applied->args->value->text);
    }
}

/* Room for the members of the definition and all extensions. */
static void gql_build_reserve(struct gql_builder *b, struct gql_type *type)
{
    struct oms_arena *arena = &b->schema->arena;
    uint32_t fields = 0, inputs = 0, values = 0, names = 0, defs = 0;

    for (const struct gql_def *def = b->document->definitions; def; def = def->next) {
        if (!oms_str_eq(def->name, type->name) || def->kind == GQL_DEF_DIRECTIVE)
            continue;
        defs++;
        for (const struct gql_field_def *i = def->fields; i; i = i->next)
            fields++;
        for (const struct gql_input_def *i = def->inputs; i; i = i->next)
            inputs++;
        for (const struct gql_value_def *i = def->values; i; i = i->next)
            values++;
        for (const struct gql_name_ref *i = def->names; i; i = i->next)
            names++;
    }
    type->defs = GQL_ARRAY(arena, const struct gql_def *, defs);
    /* One more of each: a duplicate is built before it is found to be one. */
    type->fields = GQL_ARRAY(arena, struct gql_field, fields + 1);
    type->inputs = GQL_ARRAY(arena, struct gql_input, inputs + 1);
    type->values = GQL_ARRAY(arena, struct gql_enum_value, values + 1);
    type->interfaces = GQL_ARRAY(arena, const struct gql_type *, names + 1);
    if (type->kind == GQL_KIND_UNION)
        type->possible = GQL_ARRAY(arena, const struct gql_type *, names + 1);
}

static void gql_build_type(struct gql_builder *b, struct gql_type *type)
{
    gql_build_reserve(b, type);
    for (const struct gql_def *def = b->document->definitions; def; def = def->next) {
        if (def->kind == GQL_DEF_SCHEMA || def->kind == GQL_DEF_DIRECTIVE ||
            !oms_str_eq(def->name, type->name))
            continue;
        if (gql_kind_of_def[def->kind] != type->kind) {
            GQL_BUILD_ERROR(b, def->at, "\"%.*s\" is extended as another kind of type.",
                            GQL_NAME(type->name));
            continue;
        }
        type->defs[type->def_count++] = def;
        if (type->kind == GQL_KIND_OBJECT || type->kind == GQL_KIND_INTERFACE)
            gql_build_interfaces(b, type, def);
        for (const struct gql_field_def *field = def->fields; field; field = field->next)
            gql_build_field(b, type, field);
        if (type->kind == GQL_KIND_UNION)
            gql_build_union(b, type, def);
        gql_build_enum(b, type, def);
        gql_build_inputs(b, type, def);
        gql_build_marks(b, type, def);
    }
}

static void gql_build_extended(struct gql_builder *b)
{
    for (const struct gql_def *def = b->document->definitions; def; def = def->next) {
        if (def->extends && def->kind != GQL_DEF_SCHEMA && !gql_schema_type(b->schema, def->name))
            GQL_BUILD_ERROR(b, def->at, "Cannot extend \"%.*s\": there is no such type.",
                            GQL_NAME(def->name));
    }
}

/* ---- root types (section 3.3.1) ---- */

static void gql_build_root(struct gql_builder *b, const struct gql_name_ref *ref)
{
    const struct gql_type *type = gql_schema_type(b->schema, ref->name);
    const struct gql_type **root = &b->schema->roots[ref->operation];

    if (!type || type->kind != GQL_KIND_OBJECT)
        GQL_BUILD_ERROR(b, ref->at, "The %s root \"%.*s\" is no object type.",
                        gql_operation_word(ref->operation), GQL_NAME(ref->name));
    else if (*root)
        GQL_BUILD_ERROR(b, ref->at, "There are two %s roots.", gql_operation_word(ref->operation));
    else
        *root = type;
}

static void gql_build_roots(struct gql_builder *b)
{
    static const char *const names[] = {"Query", "Mutation", "Subscription"};
    struct gql_schema *schema = b->schema;
    const struct gql_def *schema_def = NULL;

    for (const struct gql_def *def = b->document->definitions; def; def = def->next) {
        if (def->kind != GQL_DEF_SCHEMA)
            continue;
        if (!def->extends && schema_def)
            GQL_BUILD_ERROR(b, def->at, "There are two schema definitions.");
        if (!def->extends)
            schema_def = def;
        if (oms_str_present(def->description))
            schema->description = gql_keep(b, def->description);
        for (const struct gql_name_ref *ref = def->names; ref; ref = ref->next)
            gql_build_root(b, ref);
    }
    for (int i = 0; i < 3 && !schema_def; i++) {
        const struct gql_type *type = gql_schema_type(schema, oms_str_of(names[i]));
        if (type && type->kind == GQL_KIND_OBJECT && !schema->roots[i])
            schema->roots[i] = type;
    }
    if (!schema->roots[GQL_QUERY])
        gql_errors_add(b->errors, GQL_CODE_VALIDATE, "There is no query root type.");
    for (int i = 0; i < 3; i++) {
        if (schema->roots[i] && schema->roots[i] == schema->roots[(i + 1) % 3])
            gql_errors_add(b->errors, GQL_CODE_VALIDATE, "Two operations have the same root type.");
    }
}

/* ---- possible types ---- */

static void gql_build_possible(struct gql_schema *schema, struct gql_type *type)
{
    if (type->kind == GQL_KIND_OBJECT || type->kind == GQL_KIND_INTERFACE) {
        type->possible = GQL_ARRAY(&schema->arena, const struct gql_type *, schema->type_count);
        for (uint32_t i = 0; i < schema->type_count; i++) {
            const struct gql_type *object = schema->types[i];
            bool is = object == type;
            if (object->kind != GQL_KIND_OBJECT)
                continue;
            for (uint32_t k = 0; k < object->interface_count; k++)
                is |= object->interfaces[k] == type;
            if (is)
                type->possible[type->possible_count++] = object;
        }
    }
    type->possible_bits = GQL_ARRAY(&schema->arena, uint64_t, (schema->type_count + 63) / 64);
    for (uint32_t i = 0; i < type->possible_count; i++)
        type->possible_bits[type->possible[i]->index / 64] |= UINT64_C(1) << (type->possible[i]->index % 64);
}

/* Section 3.5: a built-in scalar that nothing refers to is not part of the schema. */
static void gql_build_referenced(struct gql_schema *schema)
{
    bool *referenced = GQL_ARRAY(&schema->arena, bool, schema->type_count);

    for (uint32_t i = 0; i < schema->type_count; i++) {
        const struct gql_type *type = schema->types[i];
        for (uint32_t k = 0; k < type->input_count; k++)
            referenced[type->inputs[k].type->named->index] = true;
        for (uint32_t k = 0; k < type->field_count; k++) {
            const struct gql_field *field = &type->fields[k];
            referenced[field->type->named->index] = true;
            for (uint32_t j = 0; j < field->arg_count; j++)
                referenced[field->args[j].type->named->index] = true;
        }
    }
    for (uint32_t i = 0; i < schema->directive_count; i++) {
        for (uint32_t k = 0; k < schema->directives[i]->arg_count; k++)
            referenced[schema->directives[i]->args[k].type->named->index] = true;
    }
    for (uint32_t i = 0; i < schema->type_count; i++) {
        struct gql_type *type = schema->types[i];
        if (type->scalar != GQL_SCALAR_CUSTOM && type->kind == GQL_KIND_SCALAR && !referenced[i])
            type->hidden = true;
    }
}

static void gql_build_meta(struct gql_schema *schema)
{
    const struct gql_type *meta = gql_schema_type(schema, OMS_STR("__Meta"));

    schema->meta_schema = &meta->fields[0];
    schema->meta_type = &meta->fields[1];
    schema->meta_typename = &meta->fields[2];
    schema->skip = gql_schema_directive(schema, OMS_STR("skip"));
    schema->include = gql_schema_directive(schema, OMS_STR("include"));
}

bool gql_schema_build(struct gql_schema *schema, const struct gql_document *prelude,
                      const struct gql_document *document, struct gql_errors *errors)
{
    struct gql_builder b = {.schema = schema, .document = document, .errors = errors};

    gql_reserve(&b, prelude);
    gql_register(&b, document, false);
    gql_register(&b, prelude, true);
    gql_register_directives(&b, prelude, true);
    gql_register_directives(&b, document, false);
    for (uint32_t i = 0; i < schema->type_count; i++) {
        b.document = schema->types[i]->builtin ? prelude : document;
        gql_build_type(&b, schema->types[i]);
    }
    for (uint32_t i = 0; i < schema->directive_count; i++) {
        struct gql_directive *directive = schema->directives[i];
        b.document = directive->builtin ? prelude : document;
        directive->args = gql_build_args(&b, directive->ast->inputs, &directive->arg_count);
    }
    b.document = document;
    gql_build_extended(&b);
    gql_build_roots(&b);
    for (uint32_t i = 0; i < schema->type_count; i++)
        gql_build_possible(schema, schema->types[i]);
    gql_build_referenced(schema);
    gql_build_meta(schema);
    return errors->count == 0;
}
