/* updateRolemap, and the tenant's rolemap as it is read (actors/tenant_snapshot.h). */
#include "actors/tenant_snapshot.h"
#include "http/api/roots_tenant.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

struct rolemap_payload {
    struct api_tenant_payload shared;     /* first: see there */
    const struct tenant_version *rolemap; /* whose it is; NULL: not told */
};

struct rolemap_task {
    struct api_tenant_task own;
    const struct oms_value *rows;
    struct tenant_snapshot snapshot;
    struct tenant_version *tried; /* of a dry run */
};

static const struct oms_value *given(const struct api_task *task, const char *name)
{
    return oms_value_get_set(oms_value_get_set(task->field->args, "input"), name);
}

static void answer(struct api_tenant_task *own)
{
    struct rolemap_task *r = OMS_CONTAINER_OF(own, struct rolemap_task, own);
    struct api_task *task = own->task;
    struct rolemap_payload payload = {.rolemap = NULL};
    api_tenant_payload_init(own, &payload.shared);
    if (task->scene.access && access_unscoped(task->scene.access, PERMISSION_MANAGE_ACCESS))
        payload.rolemap = r->tried ? r->tried : task->tenant;
    api_task_execute(task, &payload);
    tenant_version_release(r->tried);
    api_task_finish(task);
}

/* On the tenant's shard. */
static bool apply(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                  struct refusal_list *refusals)
{
    struct api_tenant_task *own =
        OMS_CONTAINER_OF((struct tenant_change *)(uintptr_t)change, struct api_tenant_task, change);
    struct rolemap_task *r = OMS_CONTAINER_OF(own, struct rolemap_task, own);
    r->snapshot.now_ms = now_ms;
    return tenant_version_set_rolemap(wanted, r->rows, &r->snapshot, refusals);
}

static void start_update(struct api_task *task)
{
    struct rolemap_task *r = OMS_ARENA_NEW(&task->call.arena, struct rolemap_task);
    if (!r) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return;
    }
    memset(r, 0, sizeof(*r));
    r->own.answer = answer;
    if (!api_tenant_begin(&r->own, task, PERMISSION_MANAGE_ACCESS))
        return;
    const struct oms_value *dry = given(task, "dryRun");
    r->rows = given(task, "rows");
    r->snapshot.origin = WORKFLOW_API;
    r->own.change.apply = apply;
    if (tenant_snapshot_version(given(task, "version"), &r->snapshot.version, &task->refusals) && dry &&
        dry->boolean) {
        r->tried = tenant_version_copy(task->tenant);
        r->snapshot.now_ms = rt_now_ms(task->request->as->api->config.host);
        tenant_version_set_rolemap(r->tried, r->rows, &r->snapshot, &task->refusals);
    }
    if (task->refusals.count || r->tried)
        answer(&r->own);
    else
        api_tenant_send(&r->own);
}

/* ---- resolvers: a rolemap is its tenant's version ---- */

static const void *tenant_rolemap(struct gql_exec *x, const void *parent)
{
    const struct api_scene *scene = api_scene_of(x);
    if (scene->access && access_unscoped(scene->access, PERMISSION_MANAGE_ACCESS))
        return parent;
    gql_fail(x, "FORBIDDEN", "This needs the permission manage_access");
    return NULL;
}

static const void *payload_rolemap(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct rolemap_payload *)parent)->rolemap;
}

static const void *row_at(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct tenant_version *)context)->permissions.roles[index];
}

static bool rolemap_rows(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    *out = (struct gql_list){((const struct tenant_version *)parent)->permissions.role_count, row_at, parent};
    return true;
}

API_LEAF_FN(rolemap_source, struct tenant_version,
            api_write_name(out, workflow_origin_name(p->rolemap_source.origin)))
API_LEAF_FN(rolemap_version, struct tenant_version, api_write_version(out, p->rolemap_source.version))
API_LEAF_FN(rolemap_updated, struct tenant_version, api_write_instant(out, p->rolemap_source.updated_at))
API_LEAF_FN(row_role, struct permission_rule, api_write_text(out, p->holder))
API_LEAF_FN(row_permissions, struct permission_rule, api_write_permissions(out, p->permissions))
API_LEAF_FN(row_scope, struct permission_rule, api_write_scope(out, &p->scope))

static const struct api_root_op op_update = {start_update, ORDER_COMMAND_NONE};

static const struct gql_binding bindings[] = {
    {"Mutation.updateRolemap", GQL_ROOT, 0, {.host = &op_update}},
    API_OBJECT("UpdateRolemapPayload.rolemap", payload_rolemap),
    API_OBJECT("Tenant.rolemap", tenant_rolemap),
    API_LEAF("Rolemap.source", rolemap_source),
    API_LEAF("Rolemap.sourceVersion", rolemap_version),
    API_LEAF("Rolemap.updatedAt", rolemap_updated),
    API_LIST("Rolemap.rows", rolemap_rows),
    API_LEAF("RolemapRow.role", row_role),
    API_LEAF("RolemapRow.permissions", row_permissions),
    API_LEAF("RolemapRow.scope", row_scope),
};

void api_bind_rolemap(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
