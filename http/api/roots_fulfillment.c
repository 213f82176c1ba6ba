/* updateFulfillment, and what is known of the tenant's fulfillment as it is read (actors/tenant_snapshot.h).
 */
#include "actors/tenant_snapshot.h"
#include "http/api/roots_tenant.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

struct fulfillment_payload {
    struct api_tenant_payload shared;         /* first: see there */
    const struct tenant_version *fulfillment; /* whose it is; NULL: not told */
};

struct fulfillment_task {
    struct api_tenant_task own;
    const struct oms_value *sections;
    struct tenant_snapshot snapshot;
    struct tenant_version *tried; /* of a dry run */
};

static const struct oms_value *given(const struct api_task *task, const char *name)
{
    return oms_value_get_set(oms_value_get_set(task->field->args, "input"), name);
}

static void answer(struct api_tenant_task *own)
{
    struct fulfillment_task *r = OMS_CONTAINER_OF(own, struct fulfillment_task, own);
    struct api_task *task = own->task;
    struct fulfillment_payload payload = {.fulfillment = NULL};
    api_tenant_payload_init(own, &payload.shared);
    if (task->scene.access && access_unscoped(task->scene.access, PERMISSION_MANAGE_WORKFLOW))
        payload.fulfillment = r->tried ? r->tried : task->tenant;
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
    struct fulfillment_task *r = OMS_CONTAINER_OF(own, struct fulfillment_task, own);
    r->snapshot.now_ms = now_ms;
    return tenant_version_set_fulfillment(wanted, r->sections, &r->snapshot, refusals);
}

static void start_update(struct api_task *task)
{
    struct fulfillment_task *r = OMS_ARENA_NEW(&task->call.arena, struct fulfillment_task);
    if (!r) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return;
    }
    memset(r, 0, sizeof(*r));
    r->own.answer = answer;
    if (!api_tenant_begin(&r->own, task, PERMISSION_MANAGE_WORKFLOW))
        return;
    const struct oms_value *dry = given(task, "dryRun");
    r->sections = oms_value_get_set(task->field->args, "input");
    r->snapshot.origin = WORKFLOW_API;
    r->own.change.apply = apply;
    if (tenant_snapshot_version(given(task, "version"), &r->snapshot.version, &task->refusals) && dry &&
        dry->boolean) {
        r->tried = tenant_version_copy(task->tenant);
        r->snapshot.now_ms = rt_now_ms(task->request->as->api->config.host);
        tenant_version_set_fulfillment(r->tried, r->sections, &r->snapshot, &task->refusals);
    }
    if (task->refusals.count || r->tried)
        answer(&r->own);
    else
        api_tenant_send(&r->own);
}

/* ---- resolvers: what is known is its tenant's version ---- */

static const void *tenant_fulfillment(struct gql_exec *x, const void *parent)
{
    const struct api_scene *scene = api_scene_of(x);
    if (scene->access && access_unscoped(scene->access, PERMISSION_GET_ORDER))
        return parent;
    gql_fail(x, "FORBIDDEN", "This needs the permission get_order for the whole tenant");
    return NULL;
}

static const void *payload_fulfillment(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct fulfillment_payload *)parent)->fulfillment;
}

static const void *warehouses_of(struct gql_exec *x, const void *parent)
{
    (void)x;
    return &((const struct tenant_version *)parent)->warehouses_source;
}

static const void *carriers_of(struct gql_exec *x, const void *parent)
{
    (void)x;
    return &((const struct tenant_version *)parent)->carriers_source;
}

static const void *warehouse_at(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct tenant_version *)context)->fulfillment.warehouses[index];
}

static bool warehouses(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    *out = (struct gql_list){((const struct tenant_version *)parent)->fulfillment.warehouse_count,
                             warehouse_at, parent};
    return true;
}

static const void *carrier_at(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct tenant_version *)context)->fulfillment.carriers[index];
}

static bool carriers(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    *out = (struct gql_list){((const struct tenant_version *)parent)->fulfillment.carrier_count, carrier_at,
                             parent};
    return true;
}

static bool write_levels(struct oms_buf *out, const struct fulfillment_carrier *carrier)
{
    oms_buf_append_char(out, '[');
    for (size_t i = 0; i < carrier->service_level_count; i++) {
        if (i)
            oms_buf_append_char(out, ',');
        oms_json_write_string(out, carrier->service_levels[i]);
    }
    oms_buf_append_char(out, ']');
    return true;
}

/* Null where nobody has told anything. */
static bool write_source(struct oms_buf *out, const struct tenant_source *source)
{
    return api_write_name(out, source->origin ? workflow_origin_name(source->origin) : NULL);
}

API_LEAF_FN(source_name, struct tenant_source, write_source(out, p))
API_LEAF_FN(source_version, struct tenant_source, api_write_version(out, p->version))
API_LEAF_FN(source_updated, struct tenant_source, api_write_instant(out, p->updated_at))
API_LEAF_FN(warehouse_id, struct fulfillment_warehouse, api_write_text(out, p->id))
API_LEAF_FN(warehouse_name, struct fulfillment_warehouse, api_write_text(out, p->name))
API_LEAF_FN(warehouse_address, struct fulfillment_warehouse, api_write_text(out, p->address))
API_LEAF_FN(warehouse_city, struct fulfillment_warehouse, api_write_text(out, p->city))
API_LEAF_FN(warehouse_country, struct fulfillment_warehouse, api_write_text(out, p->country))
API_LEAF_FN(warehouse_active, struct fulfillment_warehouse, api_write_bool(out, !p->inactive))
API_LEAF_FN(carrier_id, struct fulfillment_carrier, api_write_text(out, p->id))
API_LEAF_FN(carrier_name, struct fulfillment_carrier, api_write_text(out, p->name))
API_LEAF_FN(carrier_levels, struct fulfillment_carrier, write_levels(out, p))
API_LEAF_FN(carrier_template, struct fulfillment_carrier, api_write_text(out, p->tracking_url_template))
API_LEAF_FN(carrier_active, struct fulfillment_carrier, api_write_bool(out, !p->inactive))

static const struct api_root_op op_update = {start_update, ORDER_COMMAND_NONE};

static const struct gql_binding bindings[] = {
    {"Mutation.updateFulfillment", GQL_ROOT, 0, {.host = &op_update}},
    API_OBJECT("UpdateFulfillmentPayload.fulfillment", payload_fulfillment),
    API_OBJECT("Tenant.fulfillment", tenant_fulfillment),
    API_OBJECT("Fulfillment.warehousesSource", warehouses_of),
    API_OBJECT("Fulfillment.carriersSource", carriers_of),
    API_LIST("Fulfillment.warehouses", warehouses),
    API_LIST("Fulfillment.carriers", carriers),
    API_LEAF("SnapshotOrigin.source", source_name),
    API_LEAF("SnapshotOrigin.sourceVersion", source_version),
    API_LEAF("SnapshotOrigin.updatedAt", source_updated),
    API_LEAF("Warehouse.id", warehouse_id),
    API_LEAF("Warehouse.name", warehouse_name),
    API_LEAF("Warehouse.address", warehouse_address),
    API_LEAF("Warehouse.city", warehouse_city),
    API_LEAF("Warehouse.country", warehouse_country),
    API_LEAF("Warehouse.active", warehouse_active),
    API_LEAF("Carrier.id", carrier_id),
    API_LEAF("Carrier.name", carrier_name),
    API_LEAF("Carrier.serviceLevels", carrier_levels),
    API_LEAF("Carrier.trackingUrlTemplate", carrier_template),
    API_LEAF("Carrier.active", carrier_active),
};

void api_bind_fulfillment(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
