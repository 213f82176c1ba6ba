/* Who is asking and for which tenant; the scalars and the Node interface. */
#include "actors/ids.h"
#include "http/api/resolve.h"
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

static const struct gql_binding bindings[] = {
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
