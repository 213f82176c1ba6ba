/*
 * API keys of a tenant: createApiKey, revokeApiKey, and the list of them (actors/tenant_api_key.h).
 *
 * The secret is made here and leaves in the one answer that creates the key; the tenant's actor gets its
 * hash. The key's id follows from the idempotency key, where there is one, so that a repeat finds the key
 * that the first call made. Its secret nobody has any more.
 */
#include "actors/order_input.h"
#include "http/api/roots_tenant.h"
#include "http/auth/api_key.h"
#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/base/prng.h"

struct key_payload {
    struct api_tenant_payload shared; /* first: see there */
    struct oms_str text;              /* absent: not told */
    const struct tenant_api_key *key; /* of shared.tenant; NULL: none, or not told */
};

struct key_task {
    struct api_tenant_task own;
    struct tenant_api_key wanted;
    char id[TENANT_API_KEY_ID_SIZE];
    char secret[TENANT_API_KEY_SECRET_SIZE];
    char text[HTTP_API_KEY_TEXT_SIZE];
    bool created; /* else: revoked */
};

static const struct oms_value *given(const struct api_task *task, const char *name)
{
    return oms_value_get_set(oms_value_get_set(task->field->args, "input"), name);
}

/* The id of a key that was, or is to be, created under this change's idempotency key. */
static void make_id(struct key_task *k)
{
    const struct tenant_change *change = &k->own.change;
    unsigned char random[6];
    if (change->has_key)
        memcpy(random, &change->key.lo, sizeof(random));
    else
        oms_random_bytes(random, sizeof(random));
    tenant_api_key_id(k->own.task->tenant->number, random, k->id);
    k->wanted.id = oms_str_make(k->id, sizeof(k->id));
}

static void answer(struct api_tenant_task *own)
{
    struct key_task *k = OMS_CONTAINER_OF(own, struct key_task, own);
    struct api_task *task = own->task;
    struct key_payload payload = {.text = OMS_STR_NONE};
    api_tenant_payload_init(own, &payload.shared);
    if (task->scene.access && access_unscoped(task->scene.access, PERMISSION_MANAGE_ACCESS) &&
        !task->refusals.count) {
        if (own->call.replayed && k->created)
            make_id(k);
        payload.key = tenant_find_api_key(task->tenant, k->wanted.id);
        if (payload.key && k->created && !own->call.replayed) {
            http_api_key_text(k->wanted.id, k->secret, k->text);
            payload.text = oms_str_make(k->text, sizeof(k->text) - 1);
        }
    }
    if (!task->refusals.count && !own->call.replayed)
        OMS_LOG(OMS_LOG_INFO, k->created ? "api_key.created" : "api_key.revoked",
                OMS_LOG_STR("tenant", task->tenant->name), OMS_LOG_STR("key", k->wanted.id),
                OMS_LOG_STR("subject", task->principal.subject));
    api_task_execute(task, &payload);
    api_task_finish(task);
}

static struct key_task *take(struct api_task *task)
{
    struct key_task *k = OMS_ARENA_NEW(&task->call.arena, struct key_task);
    if (!k) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return NULL;
    }
    memset(k, 0, sizeof(*k));
    k->own.answer = answer;
    return k;
}

/* ---- createApiKey ---- */

static bool read_name(struct key_task *k)
{
    struct api_task *task = k->own.task;
    struct oms_str name = oms_str_trim(given(task, "name")->text);
    bool fine = name.len >= 1 && name.len <= OMS_NAME_BYTES_MAX;
    for (size_t i = 0; fine && i < name.len; i++)
        fine = (unsigned char)name.data[i] >= ' ' && name.data[i] != 0x7f;
    k->wanted.name = name;
    return fine || refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("name"),
                               "name must have 1 to %d bytes and no control characters", OMS_NAME_BYTES_MAX);
}

static bool read_permissions(struct key_task *k)
{
    struct refusal_list *refusals = &k->own.task->refusals;
    const struct oms_value *list = given(k->own.task, "permissions");
    const char *names[PERMISSION_COUNT];
    for (unsigned i = 0; i < PERMISSION_COUNT; i++)
        names[i] = permission_name((enum permission)i);
    if (!list->list.count)
        return refusal_add(refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("permissions"),
                           "Name at least one permission, such as get_order");
    for (size_t i = 0; i < list->list.count; i++) {
        struct oms_str text = list->list.items[i].text;
        enum permission permission;
        if (permission_parse(text, &permission)) {
            k->wanted.permissions |= PERMISSION_BIT(permission);
            continue;
        }
        const char *near = oms_str_nearest(text, names, PERMISSION_COUNT);
        return refusal_add(refusals, REFUSAL_INVALID, refusal_field(refusals, "permissions.%zu", i),
                           "There is no permission '%.*s'%s%s%s", (int)(text.len > 64 ? 64 : text.len),
                           text.data, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return true;
}

static bool read_scope(struct key_task *k)
{
    struct refusal_list *refusals = &k->own.task->refusals;
    const struct oms_value *scope = given(k->own.task, "scope");
    const struct oms_value *customer = scope ? oms_value_get_set(scope, "customerId") : NULL;
    const struct oms_value *vendor = scope ? oms_value_get_set(scope, "vendorId") : NULL;
    k->wanted.scope.kind = PERMISSION_SCOPE_TENANT;
    if (!scope)
        return true;
    if (!customer == !vendor)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("scope"),
                           "A scope has either customerId or vendorId; leave it out for the whole tenant");
    k->wanted.scope.kind = customer ? PERMISSION_SCOPE_CUSTOMER : PERMISSION_SCOPE_VENDOR;
    k->wanted.scope.value = customer ? customer->text : vendor->text;
    /* "$" begins a template of the rolemap, which means nothing for a key. */
    if (k->wanted.scope.value.len < 1 || k->wanted.scope.value.len > OMS_ID_BYTES_MAX ||
        k->wanted.scope.value.data[0] == '$')
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("scope"),
                           "The id of a scope has 1 to %d bytes and does not begin with '$'",
                           OMS_ID_BYTES_MAX);
    return true;
}

/* Nobody gives a key what they do not have. */
static bool check_holds(const struct key_task *k, const struct access *access, struct refusal_list *refusals)
{
    const struct tenant_api_key *key = &k->wanted;
    for (unsigned i = 0; i < PERMISSION_COUNT; i++) {
        enum permission p = (enum permission)i;
        if (!(key->permissions & PERMISSION_BIT(p)) || access_unscoped(access, p))
            continue;
        if ((key->scope.kind == PERMISSION_SCOPE_CUSTOMER && access_customer(access, p, key->scope.value)) ||
            (key->scope.kind == PERMISSION_SCOPE_VENDOR && access_vendor(access, p, key->scope.value)))
            continue;
        return refusal_add(refusals, REFUSAL_FORBIDDEN, REFUSAL_FIELD("permissions"),
                           "You do not hold %s yourself, so you cannot give it to a key", permission_name(p));
    }
    return true;
}

/* On the tenant's shard. */
static bool apply_create(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                         struct refusal_list *refusals)
{
    struct api_tenant_task *own =
        OMS_CONTAINER_OF((struct tenant_change *)(uintptr_t)change, struct api_tenant_task, change);
    struct key_task *k = OMS_CONTAINER_OF(own, struct key_task, own);
    struct access access;
    if (!permission_evaluate(&wanted->permissions, &own->task->principal, &wanted->arena, &access) ||
        !access_unscoped(&access, PERMISSION_MANAGE_ACCESS)) /* withdrawn meanwhile */
        return refusal_add(refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                           "This needs the permission manage_access");
    if (!check_holds(k, &access, refusals))
        return false;
    if (k->wanted.expires_at && k->wanted.expires_at <= now_ms)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("expiresAt"),
                           "expiresAt must lie ahead; leave it out for a key that does not expire");
    make_id(k);
    k->wanted.created_at = now_ms;
    return tenant_version_add_api_key(wanted, &k->wanted, now_ms, refusals);
}

static void start_create(struct api_task *task)
{
    struct key_task *k = take(task);
    if (!k || !api_tenant_begin(&k->own, task, PERMISSION_MANAGE_ACCESS))
        return;
    const struct oms_value *expires = given(task, "expiresAt");
    k->created = true;
    k->own.change.apply = apply_create;
    k->wanted.created_by = task->principal.subject;
    (void)read_name(k);
    (void)read_permissions(k);
    (void)read_scope(k);
    if (expires && oms_datetime_parse(expires->text, &k->wanted.expires_at) != OMS_OK)
        refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("expiresAt"), "This is no instant");
    if (task->refusals.count) {
        answer(&k->own);
        return;
    }
    http_api_key_make(k->secret, k->wanted.hash);
    api_tenant_send(&k->own);
}

/* ---- revokeApiKey ---- */

/* On the tenant's shard. */
static bool apply_revoke(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                         struct refusal_list *refusals)
{
    struct api_tenant_task *own =
        OMS_CONTAINER_OF((struct tenant_change *)(uintptr_t)change, struct api_tenant_task, change);
    struct key_task *k = OMS_CONTAINER_OF(own, struct key_task, own);
    return tenant_version_revoke_api_key(wanted, k->wanted.id, own->task->principal.subject, now_ms,
                                         refusals);
}

static void start_revoke(struct api_task *task)
{
    struct key_task *k = take(task);
    if (!k || !api_tenant_begin(&k->own, task, PERMISSION_MANAGE_ACCESS))
        return;
    k->own.change.apply = apply_revoke;
    k->own.also_suspended = true; /* a key that leaked must not stay because the tenant sleeps */
    k->wanted.id = given(task, "apiKeyId")->text;
    api_tenant_send(&k->own);
}

/* ---- apiKeys ---- */

static const void *key_item(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct tenant_version *)context)->api_keys[index];
}

static void start_list(struct api_task *task)
{
    const struct oms_value *tenant = oms_value_get_set(task->field->args, "tenantId");
    if (!api_task_tenant(task, tenant ? tenant->text : OMS_STR_NONE))
        return;
    if (!api_tenant_may(task, PERMISSION_MANAGE_ACCESS)) {
        api_task_fail(task, "FORBIDDEN", "This needs the permission manage_access");
        return;
    }
    task->scene = (struct api_scene){.tenant = task->tenant,
                                     .principal = &task->principal,
                                     .now_ms = rt_now_ms(task->request->as->api->config.host),
                                     .api = task->request->as->api,
                                     .arena = &task->call.arena};
    const struct gql_list list = {task->tenant->api_key_count, key_item, task->tenant};
    api_task_execute(task, &list);
    api_task_finish(task);
}

/* ---- resolvers ---- */

static const void *payload_key(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct key_payload *)parent)->key;
}

static bool write_prefix(struct oms_buf *out, struct oms_str id)
{
    oms_buf_append_lit(out, "\"" TENANT_API_KEY_PREFIX);
    oms_buf_append_str(out, id);
    oms_buf_append_char(out, '"');
    return true;
}

static const void *key_scope(struct gql_exec *x, const void *parent)
{
    const struct tenant_api_key *key = parent;
    (void)x;
    return key->scope.kind == PERMISSION_SCOPE_TENANT ? NULL : &key->scope;
}

API_LEAF_FN(payload_text, struct key_payload, api_write_text(out, p->text))
API_LEAF_FN(key_id, struct tenant_api_key, api_write_text(out, p->id))
API_LEAF_FN(key_name, struct tenant_api_key, api_write_text(out, p->name))
API_LEAF_FN(key_prefix, struct tenant_api_key, write_prefix(out, p->id))
API_LEAF_FN(key_permissions, struct tenant_api_key, api_write_permissions(out, p->permissions))
API_LEAF_FN(key_status, struct tenant_api_key,
            api_write_name(out,
                           tenant_api_key_status_name(tenant_api_key_status(p, api_scene_of(x)->now_ms))))
API_LEAF_FN(key_created_at, struct tenant_api_key, api_write_instant(out, p->created_at))
API_LEAF_FN(key_created_by, struct tenant_api_key, api_write_text(out, p->created_by))
API_LEAF_FN(key_expires_at, struct tenant_api_key, api_write_instant(out, p->expires_at))
API_LEAF_FN(key_revoked_at, struct tenant_api_key, api_write_instant(out, p->revoked_at))
API_LEAF_FN(key_revoked_by, struct tenant_api_key, api_write_text(out, p->revoked_by))
API_LEAF_FN(key_last_used, struct tenant_api_key,
            api_write_instant(out, http_api_key_last_used(api_scene_of(x)->api->config.api_key_uses, p->id)))
API_LEAF_FN(scope_customer, struct permission_scope,
            api_write_text(out, p->kind == PERMISSION_SCOPE_CUSTOMER ? p->value : OMS_STR_NONE))
API_LEAF_FN(scope_vendor, struct permission_scope,
            api_write_text(out, p->kind == PERMISSION_SCOPE_VENDOR ? p->value : OMS_STR_NONE))

static const struct api_root_op op_create = {start_create, ORDER_COMMAND_NONE},
                                op_revoke = {start_revoke, ORDER_COMMAND_NONE},
                                op_list = {start_list, ORDER_COMMAND_NONE};

static const struct gql_binding bindings[] = {
    {"Mutation.createApiKey", GQL_ROOT, 0, {.host = &op_create}},
    {"Mutation.revokeApiKey", GQL_ROOT, 0, {.host = &op_revoke}},
    {"Query.apiKeys", GQL_ROOT, 0, {.host = &op_list}},
    API_LEAF("CreateApiKeyPayload.key", payload_text),
    API_OBJECT("CreateApiKeyPayload.apiKey", payload_key),
    API_OBJECT("RevokeApiKeyPayload.apiKey", payload_key),
    API_LEAF("ApiKey.apiKeyId", key_id),
    API_LEAF("ApiKey.name", key_name),
    API_LEAF("ApiKey.prefix", key_prefix),
    API_LEAF("ApiKey.permissions", key_permissions),
    API_OBJECT("ApiKey.scope", key_scope),
    API_LEAF("ApiKey.status", key_status),
    API_LEAF("ApiKey.createdAt", key_created_at),
    API_LEAF("ApiKey.createdBy", key_created_by),
    API_LEAF("ApiKey.expiresAt", key_expires_at),
    API_LEAF("ApiKey.revokedAt", key_revoked_at),
    API_LEAF("ApiKey.revokedBy", key_revoked_by),
    API_LEAF("ApiKey.lastUsedAt", key_last_used),
    API_LEAF("ApiKeyScope.customerId", scope_customer),
    API_LEAF("ApiKeyScope.vendorId", scope_vendor),
};

void api_bind_api_keys(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
