/*
 * The GraphQL engine without a server: any schema, any data, one request a line. The conformance tests ask it
 * and graphql-js the same questions, over schemas with what the real one has no use for (unions, repeatable
 * directives, subscriptions) and over data with holes and failures, at thousands of requests a second.
 *
 * Lines in, JSON:
 *   {"sdl": "...", "data": {"Query": {...}, "Mutation": {...}}}   → {"error": null | "..."}
 *   {"query": "...", "variables": {...}, "operationName": "...", "check": true}   → the response; "check"
 * stops before execution and answers {"data":null} for a request that could be executed
 *
 * Every field is resolved by its name in its parent's object; a field whose name starts with "echo" answers
 * its coerced arguments as JSON in a string. {"!error": "..."} in the data is a failure with that text, and
 * "__typename" says of an object behind an interface or union what it is.
 */
#include <stdio.h>
#include <stdlib.h>

#include "http/graphql/execute.h"
#include "http/graphql/memory.h"
#include "http/graphql/parser.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define PROBE_JSON_DEPTH 100
#define PROBE_BYTES_MAX  (64u << 20)

struct probe {
    struct oms_arena schema_arena; /* of the bindings and the data */
    struct gql_schema *schema;
    struct oms_value data;
};

/* ---- resolvers ---- */

static const struct oms_value *probe_member(struct gql_exec *x, const void *parent)
{
    const struct oms_value *value = oms_value_get_set(parent, gql_exec_field(x)->name.data);
    const struct oms_value *fault = value ? oms_value_get(value, "!error") : NULL;

    if (!fault)
        return value;
    gql_fail(x, "DATA", "%.*s", OMS_STR_ARG(fault->text));
    return NULL;
}

/* The coerced arguments as JSON in a JSON string. */
static void probe_echo(const struct oms_value *args, struct oms_buf *out)
{
    struct oms_buf text;

    oms_buf_init(&text, PROBE_BYTES_MAX);
    if (args)
        oms_value_write_json(args, &text);
    else
        oms_buf_append_lit(&text, "{}");
    oms_json_write_string(out, oms_buf_str(&text));
    oms_buf_fini(&text);
}

static bool probe_leaf(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct oms_value *value;

    if (oms_str_starts(gql_exec_field(x)->name, OMS_STR("echo"))) {
        probe_echo(gql_exec_args(x), out);
        return true;
    }
    value = probe_member(x, parent);
    if (value)
        oms_value_write_json(value, out);
    return value != NULL;
}

static const void *probe_object(struct gql_exec *x, const void *parent)
{
    return probe_member(x, parent);
}

static const void *probe_item(struct gql_exec *x, const void *context, size_t index)
{
    const struct oms_value *item = &((const struct oms_value *)context)->list.items[index];
    const struct oms_value *fault = oms_value_get(item, "!error");
    struct gql_list *list;

    if (fault)
        gql_fail(x, "DATA", "%.*s", OMS_STR_ARG(fault->text));
    if (fault || item->kind == OMS_VALUE_NULL)
        return NULL;
    if (item->kind != OMS_VALUE_LIST)
        return item;
    list = OMS_ARENA_NEW(gql_exec_arena(x), struct gql_list);
    OMS_ASSERT(list);
    *list = (struct gql_list){item->list.count, probe_item, item};
    return list;
}

static bool probe_list(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct oms_value *value = probe_member(x, parent);

    if (value)
        *out = (struct gql_list){value->list.count, probe_item, value};
    return value != NULL;
}

static const char *probe_type_of(struct gql_exec *x, const void *value)
{
    const struct oms_value *name = oms_value_get(value, "__typename");

    (void)x;
    OMS_ASSERT(name);
    return name->text.data; /* ends in NUL: the data was copied */
}

/* ---- bindings from the SDL ---- */

struct probe_bindings {
    struct oms_arena *arena;
    const struct gql_document *document;
    struct gql_binding *fields;
    size_t field_count;
    struct gql_type_binding *types;
    size_t type_count;
};

static bool probe_is_root(const struct probe_bindings *b, struct oms_str type)
{
    bool named = false;

    for (const struct gql_def *def = b->document->definitions; def; def = def->next) {
        if (def->kind != GQL_DEF_SCHEMA)
            continue;
        named |= !def->extends;
        for (const struct gql_name_ref *ref = def->names; ref; ref = ref->next) {
            if (oms_str_eq(ref->name, type))
                return true;
        }
    }
    return !named && (oms_str_eq_c(type, "Query") || oms_str_eq_c(type, "Mutation") ||
                      oms_str_eq_c(type, "Subscription"));
}

static bool probe_is_composite(const struct probe_bindings *b, struct oms_str type)
{
    for (const struct gql_def *def = b->document->definitions; def; def = def->next) {
        if (!def->extends && def->kind != GQL_DEF_DIRECTIVE && oms_str_eq(def->name, type))
            return def->kind == GQL_DEF_OBJECT || def->kind == GQL_DEF_INTERFACE ||
                   def->kind == GQL_DEF_UNION;
    }
    return false;
}

static void probe_bind(struct probe_bindings *b, struct oms_str type, const struct gql_field_def *field)
{
    struct gql_binding *binding = &b->fields[b->field_count++];
    size_t len = type.len + field->name.len + 2;
    char *name = oms_arena_alloc(b->arena, len);
    const struct gql_ast_type *inner = field->type;

    OMS_ASSERT(name);
    snprintf(name, len, "%.*s.%.*s", OMS_STR_ARG(type), OMS_STR_ARG(field->name));
    binding->field = name;
    while (inner->of)
        inner = inner->of;
    if (probe_is_root(b, type)) {
        binding->kind = GQL_ROOT;
        binding->resolve.host = b;
    } else if (!probe_is_composite(b, inner->name)) {
        binding->kind = GQL_LEAF;
        binding->resolve.leaf = probe_leaf;
    } else if (field->type->of) {
        binding->kind = GQL_LIST;
        binding->resolve.list = probe_list;
    } else {
        binding->kind = GQL_OBJECT;
        binding->resolve.object = probe_object;
    }
}

static void probe_bind_all(struct probe_bindings *b)
{
    size_t fields = 0, types = 0;

    for (const struct gql_def *def = b->document->definitions; def; def = def->next) {
        types++;
        for (const struct gql_field_def *field = def->fields; field; field = field->next)
            fields++;
    }
    b->fields = GQL_ARRAY(b->arena, struct gql_binding, fields);
    b->types = GQL_ARRAY(b->arena, struct gql_type_binding, types);
    for (const struct gql_def *def = b->document->definitions; def; def = def->next) {
        for (const struct gql_field_def *f = def->kind == GQL_DEF_OBJECT ? def->fields : NULL; f; f = f->next)
            probe_bind(b, def->name, f);
        if (!def->extends && (def->kind == GQL_DEF_INTERFACE || def->kind == GQL_DEF_UNION))
            b->types[b->type_count++] =
                (struct gql_type_binding){oms_str_copy(b->arena, def->name).data, probe_type_of};
    }
}

static void probe_load(struct probe *p, const struct oms_value *line, struct oms_buf *out)
{
    const struct oms_value *data = oms_value_get(line, "data");
    struct oms_str sdl = oms_value_get(line, "sdl")->text;
    struct probe_bindings b = {.arena = &p->schema_arena};
    struct gql_document *document;
    struct gql_errors errors;
    struct oms_error error = {OMS_OK, ""};
    struct gql_schema_config config = {.sdl = sdl};

    gql_schema_destroy(p->schema);
    p->schema = NULL;
    oms_arena_reset(&p->schema_arena);
    p->data = (struct oms_value){.kind = OMS_VALUE_NULL};
    if (data)
        OMS_ASSERT(oms_value_copy(data, &p->schema_arena, &p->data));
    gql_errors_init(&errors, &p->schema_arena);
    if (gql_parse(sdl, 0, &p->schema_arena, &document, &errors) == OMS_OK) {
        b.document = document;
        probe_bind_all(&b);
        config.bindings = b.fields;
        config.binding_count = b.field_count;
        config.types = b.types;
        config.type_count = b.type_count;
    }
    if (gql_schema_create(&config, &p->schema, &error) != OMS_OK)
        OMS_ASSERT(error.message[0] && !p->schema);
    oms_buf_append_lit(out, "{\"error\":");
    if (p->schema)
        oms_buf_append_lit(out, "null");
    else
        oms_json_write_string(out, oms_str_of(error.message));
    oms_buf_append_char(out, '}');
}

/* ---- requests ---- */

static void probe_root(const struct probe *p, const struct gql_request *request, size_t index,
                       struct gql_root_result *result, struct oms_arena *arena, struct gql_errors *errors)
{
    static const char *const types[] = {"Query", "Mutation", "Subscription"};
    const struct gql_root *root = gql_request_root(request, index);
    const struct oms_value *parent = oms_value_get(&p->data, types[gql_request_operation(request)]);
    const struct oms_value *value =
        parent ? oms_value_get_set(parent, oms_str_copy(arena, root->field).data) : NULL;
    const struct oms_value *fault = value ? oms_value_get(value, "!error") : NULL;
    struct gql_list list;
    struct oms_buf text, out;
    struct oms_str json;
    const void *given = value;

    oms_buf_init(&out, PROBE_BYTES_MAX);
    oms_buf_init(&text, PROBE_BYTES_MAX);
    if (oms_str_starts(root->field, OMS_STR("echo")))
        probe_echo(root->args, &text);
    else if (value && !gql_is_composite(request->plan->root->steps[index].field->type->named))
        oms_value_write_json(value, &text);
    if (text.len > 0) {
        json = oms_buf_str(&text);
        given = &json;
    } else if (value && value->kind == OMS_VALUE_LIST) {
        list = (struct gql_list){value->list.count, probe_item, value};
        given = &list;
    }
    if (!root->host)
        result->outcome = gql_execute_meta(request, index, &out, errors);
    else if (fault)
        result->outcome = gql_execute_failed(request, index, "DATA", fault->text.data, &out, errors);
    else
        result->outcome = gql_execute(request, index, given, NULL, &out, errors);
    result->json = out.len ? oms_str_copy(arena, oms_buf_str(&out)) : OMS_STR_NONE;
    oms_buf_fini(&text);
    oms_buf_fini(&out);
}

/* The roots in order; what stands behind one that makes the whole data null is not worth the work. */
static void probe_execute(const struct probe *p, const struct gql_request *request, struct oms_arena *arena,
                          struct gql_errors *errors, struct oms_buf *out)
{
    size_t count = gql_request_root_count(request);
    struct gql_root_result results[OMS_GQL_ROOT_FIELDS_MAX] = {{.outcome = GQL_ROOT_NULL}};
    bool dead = false;

    for (size_t i = 0; i < count && !dead; i++) {
        probe_root(p, request, i, &results[i], arena, errors);
        dead = results[i].outcome == GQL_ROOT_NULL;
    }
    gql_respond(request, results, errors, out);
}

static void probe_ask(struct probe *p, const struct oms_value *line, struct oms_arena *arena,
                      struct oms_buf *out)
{
    const struct oms_value *name = oms_value_get_set(line, "operationName");
    struct gql_prepared *prepared = NULL;
    struct gql_request *request;
    struct gql_errors errors;

    gql_errors_init(&errors, arena);
    if (gql_prepare(p->schema, oms_value_get(line, "query")->text, &prepared, &errors) != OMS_OK) {
        gql_respond(NULL, NULL, &errors, out);
        return;
    }
    if (oms_value_get(line, "check"))
        oms_buf_append_lit(out, "{\"data\":null}");
    else if (gql_bind(prepared, name ? name->text : OMS_STR_NONE, oms_value_get_set(line, "variables"), arena,
                      &request, &errors) == OMS_OK)
        probe_execute(p, request, arena, &errors, out);
    else
        gql_respond(NULL, NULL, &errors, out);
    gql_prepared_release(prepared);
}

static void probe_line(struct probe *p, struct oms_str text)
{
    struct oms_arena arena;
    struct oms_value line;
    struct oms_json_error error;
    struct oms_buf out;

    oms_arena_init(&arena, 64u << 10, PROBE_BYTES_MAX);
    oms_buf_init(&out, PROBE_BYTES_MAX);
    if (oms_json_parse(text, PROBE_JSON_DEPTH, &arena, &line, &error) != OMS_OK)
        oms_buf_append_lit(&out, "{\"error\":\"the line is no JSON\"}");
    else if (oms_value_get(&line, "sdl"))
        probe_load(p, &line, &out);
    else if (p->schema)
        probe_ask(p, &line, &arena, &out);
    oms_buf_append_char(&out, '\n');
    fwrite(out.data, 1, out.len, stdout);
    fflush(stdout);
    oms_buf_fini(&out);
    oms_arena_fini(&arena);
}

int main(void)
{
    struct probe p = {.schema = NULL};
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;

    oms_arena_init(&p.schema_arena, 64u << 10, GQL_ARENA_UNBOUNDED);
    while ((len = getline(&text, &cap, stdin)) > 0)
        probe_line(&p, oms_str_make(text, (size_t)len - (text[len - 1] == '\n')));
    free(text);
    gql_schema_destroy(p.schema);
    oms_arena_fini(&p.schema_arena);
    return 0;
}
