/* Who is asking and for which tenant; the scalars and the Node interface. */
#include "actors/ids.h"
#include "http/api/request.h"
#include "http/api/traffic.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"

/* ---- Viewer: its value is the scene ---- */

static bool write_roles(struct oms_buf *out, const struct principal *principal)
{
    oms_buf_append_char(out, '[');
    for (size_t i = 0; i < principal->role_count; i++) {
        if (i)
            oms_buf_append_char(out, ',');
        oms_json_write_string(out, principal->roles[i]);
    }
    oms_buf_append_char(out, ']');
    return true;
}

static bool write_permissions(struct oms_buf *out, const struct access *access)
{
    const char *separator = "[";
    for (unsigned i = 0; access && i < PERMISSION_COUNT; i++) {
        if (!access_may(access, (enum permission)i))
            continue;
        oms_buf_append(out, separator, 1);
        api_write_name(out, permission_name((enum permission)i));
        separator = ",";
    }
    if (separator[0] == '[')
        oms_buf_append_char(out, '[');
    oms_buf_append_char(out, ']');
    return true;
}

API_LEAF_FN(viewer_subject, struct api_scene, api_write_text(out, p->principal->subject))
API_LEAF_FN(viewer_name, struct api_scene, api_write_text(out, p->principal->display_name))
API_LEAF_FN(viewer_roles, struct api_scene, write_roles(out, p->principal))
API_LEAF_FN(viewer_permissions, struct api_scene, write_permissions(out, p->access))

static const void *viewer_tenant(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct api_scene *)parent)->tenant;
}

/* ---- Tenant ---- */

static const char *status_name(enum tenant_status status)
{
    static const char *const names[] = {
        [TENANT_ACTIVE] = "ACTIVE", [TENANT_SUSPENDED] = "SUSPENDED", [TENANT_REMOVED] = "REMOVED"};
    return names[status];
}

API_LEAF_FN(tenant_id, struct tenant_version, api_write_text(out, p->name))
API_LEAF_FN(tenant_status, struct tenant_version, api_write_name(out, status_name(p->status)))
API_LEAF_FN(tenant_currency, struct tenant_version, api_write_currency(out, p->currency))
API_LEAF_FN(tenant_workflow_version, struct tenant_version,
            api_write_int(out, tenant_workflow(p, 0)->version))

/* ---- limits and usage: for whoever manages tenants ---- */

static bool may_manage(struct gql_exec *x)
{
    const struct api_scene *scene = api_scene_of(x);
    if (scene->principal->is_operator ||
        (scene->access && access_unscoped(scene->access, PERMISSION_MANAGE_TENANT)))
        return true;
    gql_fail(x, "FORBIDDEN", "This needs the permission manage_tenant");
    return false;
}

static const void *tenant_limits_of(struct gql_exec *x, const void *parent)
{
    return may_manage(x) ? &((const struct tenant_version *)parent)->limits : NULL;
}

static bool write_origins(struct gql_exec *x, const struct tenant_version *tenant, struct oms_buf *out)
{
    if (!may_manage(x))
        return false;
    oms_buf_append_char(out, '[');
    for (size_t i = 0; i < tenant->cors_origin_count; i++) {
        if (i)
            oms_buf_append_char(out, ',');
        oms_json_write_string(out, tenant->cors_origins[i]);
    }
    oms_buf_append_char(out, ']');
    return true;
}

/* Value of TenantUsage. */
struct usage {
    struct tenant_usage counts;
    uint64_t streams, requests, keys;
};

static const void *tenant_usage_of(struct gql_exec *x, const void *parent)
{
    const struct api_scene *scene = api_scene_of(x);
    const struct tenant_version *tenant = parent;
    struct api *api = scene->api;
    struct usage *usage;
    if (!may_manage(x))
        return NULL;
    usage = OMS_ARENA_NEW(gql_exec_arena(x), struct usage);
    if (!usage || !api) {
        gql_fail(x, "INTERNAL", "The answer is too large");
        return NULL;
    }
    *usage = (struct usage){.counts = actors_usage(api->config.system, tenant->number),
                            .requests = api_traffic_read(api, tenant->number, scene->now_ms)};
    if (api->tenant_streams)
        usage->streams = atomic_load_explicit(&api->tenant_streams[tenant->number], memory_order_relaxed);
    for (size_t i = 0; i < tenant->api_key_count; i++)
        usage->keys += tenant_api_key_status(&tenant->api_keys[i], scene->now_ms) == TENANT_API_KEY_LIVE;
    return usage;
}

API_LEAF_FN(tenant_origins, struct tenant_version, write_origins(x, p, out))
API_LEAF_FN(tenant_created, struct tenant_version, api_write_instant(out, p->created_at))
API_LEAF_FN(tenant_status_reason, struct tenant_version,
            may_manage(x) && api_write_text(out, p->status_reason))
API_LEAF_FN(tenant_status_by, struct tenant_version, may_manage(x) && api_write_text(out, p->status_by))
API_LEAF_FN(tenant_status_at, struct tenant_version, api_write_instant(out, p->status_at))
API_LEAF_FN(limit_requests, struct tenant_limits, api_write_int(out, (int64_t)p->requests_per_second))
API_LEAF_FN(limit_orders, struct tenant_limits, api_write_int(out, (int64_t)p->open_orders))
API_LEAF_FN(limit_streams, struct tenant_limits, api_write_int(out, (int64_t)p->streams))
API_LEAF_FN(limit_events, struct tenant_limits, api_write_int(out, (int64_t)p->stored_events))
API_LEAF_FN(usage_orders, struct usage, api_write_int(out, p->counts.open_orders))
API_LEAF_FN(usage_events, struct usage, api_write_int(out, p->counts.stored_events))
API_LEAF_FN(usage_streams, struct usage, api_write_int(out, (int64_t)p->streams))
API_LEAF_FN(usage_requests, struct usage, api_write_int(out, (int64_t)p->requests))
API_LEAF_FN(usage_waiting, struct usage, api_write_int(out, p->counts.webhooks_waiting))
API_LEAF_FN(usage_keys, struct usage, api_write_int(out, (int64_t)p->keys))

static const struct gql_binding bindings[] = {
    API_LEAF("Tenant.corsOrigins", tenant_origins),
    API_LEAF("Tenant.createdAt", tenant_created),
    API_LEAF("Tenant.statusReason", tenant_status_reason),
    API_LEAF("Tenant.statusChangedBy", tenant_status_by),
    API_LEAF("Tenant.statusChangedAt", tenant_status_at),
    API_OBJECT("Tenant.limits", tenant_limits_of),
    API_OBJECT("Tenant.usage", tenant_usage_of),
    API_LEAF("TenantLimits.requestsPerSecond", limit_requests),
    API_LEAF("TenantLimits.openOrders", limit_orders),
    API_LEAF("TenantLimits.streams", limit_streams),
    API_LEAF("TenantLimits.storedEvents", limit_events),
    API_LEAF("TenantUsage.openOrders", usage_orders),
    API_LEAF("TenantUsage.storedEvents", usage_events),
    API_LEAF("TenantUsage.streams", usage_streams),
    API_LEAF("TenantUsage.requestsLastMinute", usage_requests),
    API_LEAF("TenantUsage.webhooksWaiting", usage_waiting),
    API_LEAF("TenantUsage.apiKeys", usage_keys),
    API_LEAF("Viewer.subject", viewer_subject),
    API_LEAF("Viewer.displayName", viewer_name),
    API_LEAF("Viewer.roles", viewer_roles),
    API_LEAF("Viewer.permissions", viewer_permissions),
    API_OBJECT("Viewer.tenant", viewer_tenant),
    API_LEAF("Tenant.tenantId", tenant_id),
    API_LEAF("Tenant.status", tenant_status),
    API_LEAF("Tenant.defaultCurrency", tenant_currency),
    API_LEAF("Tenant.workflowVersion", tenant_workflow_version),
};

void api_bind_tenant(struct api_bindings *to)
{
    api_bindings_add(to, bindings, sizeof(bindings) / sizeof(bindings[0]));
}

/* ---- scalars: shape only; what a value means is the domain's to judge ---- */

static bool coerce_datetime(struct oms_value *value, struct oms_arena *arena, struct oms_str *message)
{
    int64_t ms;
    (void)arena;
    if (value->kind == OMS_VALUE_STRING && oms_datetime_parse(value->text, &ms) == OMS_OK)
        return true;
    *message = OMS_STR("an RFC 3339 instant such as \"2026-11-22T10:15:30Z\" is accepted");
    return false;
}

static bool coerce_decimal(struct oms_value *value, struct oms_arena *arena, struct oms_str *message)
{
    (void)arena;
    if (value->kind == OMS_VALUE_STRING || value->kind == OMS_VALUE_NUMBER || value->kind == OMS_VALUE_INT)
        return true;
    *message = OMS_STR("a decimal number as a string or a number is accepted");
    return false;
}

static bool coerce_currency(struct oms_value *value, struct oms_arena *arena, struct oms_str *message)
{
    (void)arena;
    if (value->kind == OMS_VALUE_STRING)
        return true;
    *message = OMS_STR("an ISO 4217 code such as \"USD\" is accepted");
    return false;
}

static const struct gql_scalar_binding scalars[] = {
    {"DateTime", coerce_datetime},
    {"Decimal", coerce_decimal},
    {"CurrencyCode", coerce_currency},
};

const struct gql_scalar_binding *api_scalars(size_t *count)
{
    *count = sizeof(scalars) / sizeof(scalars[0]);
    return scalars;
}

/* ---- Node ---- */

static const char *node_type(struct gql_exec *x, const void *value)
{
    (void)x;
    return ((const struct api_node *)value)->type;
}

static const struct gql_type_binding types[] = {{"Node", node_type}};

const struct gql_type_binding *api_types(size_t *count)
{
    *count = sizeof(types) / sizeof(types[0]);
    return types;
}
