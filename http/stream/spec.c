/*
 * What a topic is, as bytes, and the same made ready to execute.
 *
 * The key holds everything that an event's bytes may depend on: tenant and version, document and operation,
 * the field's arguments without where it begins, and what the caller may read. Variables count as a whole
 * where the selection takes arguments of its own (those fields all read the store); elsewhere only those that
 * @skip and @include may ask do, so that readers who resume at different cursors share a topic.
 */
#include <stdlib.h>

#include "http/stream/stream_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/wire.h"

#define SPEC_ARENA_MAX    (1u << 20) /* a document, the variables, and both in the key */
#define BINDING_ARENA_MAX (2u << 20)

static const struct oms_hash_key hash_key = {UINT64_C(0x73747265616d7370), UINT64_C(0x65636b6579)};

/* ---- the key ---- */

static void put_u64(struct oms_buf *out, uint64_t value)
{
    oms_buf_append(out, &value, sizeof(value));
}

static void put_text(struct oms_buf *out, struct oms_str text)
{
    put_u64(out, oms_str_present(text) ? text.len : UINT64_MAX);
    oms_buf_append_str(out, text);
}

static int compare_grants(const void *a, const void *b)
{
    const struct access_grant *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    int order = oms_str_compare(x->id, y->id);
    return order ? order : (x->permissions > y->permissions) - (x->permissions < y->permissions);
}

/* What the caller may do as far as it shows: reading only asks for get_order, and who reads the whole tenant
 * sees all of it. */
static void put_access(struct oms_buf *out, const struct access *access, uint64_t mask)
{
    bool all = access->unscoped & PERMISSION_BIT(PERMISSION_GET_ORDER);
    size_t count = 0, room = access->grant_count;
    put_u64(out, access->unscoped & mask);
    if (!room || (all && mask == PERMISSION_BIT(PERMISSION_GET_ORDER)))
        return;
    struct access_grant *grants = oms_calloc(room, sizeof(*grants));
    for (size_t i = 0; i < room; i++) {
        if (!(access->grants[i].permissions & mask))
            continue;
        grants[count] = access->grants[i];
        grants[count++].permissions &= mask;
    }
    qsort(grants, count, sizeof(*grants), compare_grants);
    put_u64(out, count);
    for (size_t i = 0; i < count; i++) {
        put_u64(out, grants[i].kind);
        put_u64(out, grants[i].permissions);
        put_text(out, grants[i].id);
    }
    oms_free(grants);
}

static void put_principal(struct oms_buf *out, const struct principal *principal)
{
    put_u64(out, principal->kind);
    put_text(out, principal->subject);
    put_text(out, principal->vendor_id);
    put_text(out, principal->customer_id);
    put_u64(out, principal->role_count);
    for (size_t i = 0; i < principal->role_count; i++)
        put_text(out, principal->roles[i]);
}

/* The field's arguments but for where it begins and whose it is. */
static void put_arguments(struct oms_buf *out, const struct oms_value *args)
{
    for (size_t i = 0; i < args->object.count; i++) {
        const struct oms_field *field = &args->object.fields[i];
        if (oms_str_eq_c(field->name, "after") || oms_str_eq_c(field->name, "tenantId"))
            continue;
        put_text(out, field->name);
        oms_value_write_json(&field->value, out);
    }
}

/* Variables that may decide which fields are there. */
static void put_switches(struct oms_buf *out, const struct oms_value *variables)
{
    for (size_t i = 0; variables && i < variables->object.count; i++) {
        const struct oms_field *field = &variables->object.fields[i];
        if (field->value.kind != OMS_VALUE_BOOL)
            continue;
        put_text(out, field->name);
        put_u64(out, field->value.boolean);
    }
}

static bool put_key(struct stream_spec *spec, const struct gql_request *request,
                    const struct oms_value *variables)
{
    const struct gql_root *root = gql_request_root(request, 0);
    bool caller = root->needs & API_NEEDS_CALLER;
    struct oms_buf key;
    oms_buf_init(&key, SPEC_ARENA_MAX);
    put_u64(&key, (uint64_t)spec->tenant << 32 | spec->version);
    put_access(&key, &spec->access, caller ? UINT64_MAX : PERMISSION_BIT(PERMISSION_GET_ORDER));
    if (caller)
        put_principal(&key, &spec->principal);
    put_text(&key, spec->document);
    put_text(&key, spec->operation);
    put_text(&key, root->response_key);
    put_arguments(&key, root->args);
    if (spec->from_store)
        put_text(&key, spec->variables);
    else
        put_switches(&key, variables);
    spec->key = oms_str_copy(&spec->arena, oms_buf_str(&key));
    bool fine = !key.overflow && oms_str_present(spec->key);
    oms_buf_fini(&key);
    if (fine)
        spec->hash = oms_siphash64(&hash_key, spec->key.data, spec->key.len);
    return fine;
}

/* ---- life ---- */

/* false: too large, or no JSON object (the protocol has parsed it before, so that is no case of its own). */
static bool parse_variables(struct oms_str text, struct oms_arena *arena, struct oms_value **out)
{
    struct oms_json_error error;
    *out = NULL;
    if (!oms_str_present(text) || !text.len)
        return true;
    *out = OMS_ARENA_NEW(arena, struct oms_value);
    if (!*out || oms_json_parse(text, OMS_JSON_DEPTH_MAX, arena, *out, &error) != OMS_OK)
        return false;
    if ((*out)->kind != OMS_VALUE_OBJECT)
        *out = NULL;
    return true;
}

static bool copy_text(struct oms_arena *arena, struct oms_str from, struct oms_str *to)
{
    *to = oms_str_copy(arena, from);
    return oms_str_present(*to) || !oms_str_present(from);
}

static struct stream_spec *make(struct oms_str document, struct oms_str operation, struct oms_str variables,
                                const struct gql_request *request, const struct tenant_version *tenant,
                                const struct principal *principal, const struct access *access)
{
    const struct gql_root *root = gql_request_root(request, 0);
    const struct api_subscription_op *op = root->host;
    struct stream_spec *spec = oms_calloc(1, sizeof(*spec));
    struct oms_value *values;
    struct oms_arena parsed;
    oms_arena_init(&spec->arena, 1024, SPEC_ARENA_MAX);
    oms_arena_init(&parsed, 1024, SPEC_ARENA_MAX);
    spec->field = op->field;
    spec->tenant = tenant->number;
    spec->version = tenant->version;
    spec->from_store = root->needs & (GQL_NEEDS_STORE | API_NEEDS_NOTES);
    if (op->field == API_ORDER_EVENTS) {
        enum oms_status status =
            ids_order_parse(oms_value_get_set(root->args, "orderId")->text, spec->order_id);
        OMS_ASSERT(status == OMS_OK); /* whoever makes a spec has looked */
    }
    bool made = copy_text(&spec->arena, document, &spec->document) &&
                copy_text(&spec->arena, operation, &spec->operation) &&
                copy_text(&spec->arena, variables, &spec->variables) &&
                parse_variables(spec->variables, &parsed, &values) &&
                access_copy(access, &spec->arena, &spec->access) &&
                principal_copy(principal, &spec->arena, &spec->principal) && put_key(spec, request, values);
    oms_arena_fini(&parsed);
    if (made)
        return spec;
    stream_spec_destroy(spec);
    return NULL;
}

struct stream_spec *stream_spec_create(const struct stream_request *request,
                                       const struct tenant_version *tenant, const struct principal *principal,
                                       const struct access *access, struct gql_errors *errors)
{
    struct stream_spec *spec = make(request->document, request->operation, request->variables, request->gql,
                                    tenant, principal, access);
    if (!spec)
        (void)gql_errors_add(errors, "LIMIT_EXCEEDED", "The subscription is too large");
    return spec;
}

struct stream_spec *stream_spec_again(const struct stream_spec *spec, const struct gql_request *request,
                                      const struct tenant_version *tenant, const struct principal *principal,
                                      const struct access *access)
{
    return make(spec->document, spec->operation, spec->variables, request, tenant, principal, access);
}

void stream_spec_destroy(struct stream_spec *spec)
{
    if (!spec)
        return;
    oms_arena_fini(&spec->arena);
    oms_free(spec);
}

/* ---- bindings ---- */

static struct gql_prepared *prepare(struct api_shard *as, struct oms_str document, struct gql_errors *errors)
{
    struct gql_prepared *prepared = plan_cache_get(&as->plans, document);
    if (prepared)
        return prepared;
    if (gql_prepare(as->api->schema, document, &prepared, errors) != OMS_OK)
        return NULL;
    plan_cache_put(&as->plans, document, prepared);
    return prepared;
}

static bool bind(struct stream_binding *binding, const struct stream_spec *spec, struct gql_errors *errors)
{
    struct oms_arena *arena = &binding->arena;
    struct refusal_list refusals;
    struct oms_str text;
    struct oms_value *variables;
    if (!copy_text(arena, spec->variables, &text) || !parse_variables(text, arena, &variables) ||
        gql_bind(binding->prepared, spec->operation, variables, arena, &binding->request, errors) != OMS_OK)
        return false;
    refusal_list_init(&refusals, arena);
    const struct oms_value *filter = oms_value_get_set(gql_request_root(binding->request, 0)->args, "filter");
    if (filter && order_event_filter_parse(filter, arena, &binding->filter, &refusals) != OMS_OK)
        return false;
    return access_copy(&spec->access, arena, &binding->access) &&
           principal_copy(&spec->principal, arena, &binding->principal);
}

bool stream_binding_init(struct stream_binding *binding, struct api_shard *as, const struct stream_spec *spec)
{
    struct gql_errors errors;
    *binding = (struct stream_binding){.prepared = NULL};
    oms_arena_init(&binding->arena, 2048, BINDING_ARENA_MAX);
    gql_errors_init(&errors, &binding->arena);
    binding->prepared = prepare(as, spec->document, &errors);
    if (binding->prepared && bind(binding, spec, &errors))
        return true;
    stream_binding_fini(binding);
    return false;
}

void stream_binding_fini(struct stream_binding *binding)
{
    if (binding->prepared)
        gql_prepared_release(binding->prepared);
    binding->prepared = NULL;
    oms_arena_fini(&binding->arena);
}

void stream_execute(const struct stream_binding *binding, const struct api_stream_item *item,
                    struct api_scene *scene, struct oms_arena *scratch, struct oms_buf *value,
                    struct oms_buf *out)
{
    struct gql_errors errors;
    struct gql_root_result result;
    oms_buf_reset(value);
    gql_errors_init(&errors, scratch);
    result.outcome = gql_execute(binding->request, 0, item, scene, value, &errors);
    result.json = oms_buf_str(value);
    gql_respond(binding->request, &result, &errors, out);
}
