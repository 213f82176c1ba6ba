/*
 * The operator's work on tenants: tenants, createTenant, updateTenant, suspendTenant, activateTenant,
 * removeTenant.
 *
 * Who is the operator is said by the token (an issuer marked so asserted the role), never by a tenant's
 * rolemap, so nothing that a tenant can change gives or takes it. updateTenant is also a tenant's own, for
 * whoever holds manage_tenant there: currency and origins, but not the limits that the operator set.
 */
#include <inttypes.h>
#include <stdio.h>

#include "actors/order_input.h"
#include "actors/tenant_settings.h"
#include "http/api/roots_tenant.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

struct operator_task {
    struct api_tenant_task own;
    enum tenant_status status; /* suspend, activate, remove */
    struct oms_str reason;
    struct oms_value limits; /* as the configuration has them */
    bool has_limits, limits_are_mine;
    struct oms_buf config; /* create: the encoded version */
    struct oms_str name;
};

static const struct oms_value *given(const struct api_task *task, const char *name)
{
    return oms_value_get_set(oms_value_get_set(task->field->args, "input"), name);
}

static bool is_operator(const struct api_task *task)
{
    return task->request->claims->is_operator;
}

static bool refuse_stranger(struct api_task *task)
{
    return refusal_add(&task->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                       "This needs the role operator, from an issuer that may assert it");
}

/* ---- answers ---- */

static void answer(struct api_tenant_task *own)
{
    struct operator_task *o = OMS_CONTAINER_OF(own, struct operator_task, own);
    struct api_task *task = own->task;
    struct api_tenant_payload payload = {.shared = {.client_mutation_id = task->client_mutation_id,
                                                    .refusals = &task->refusals,
                                                    .replayed = own->call.replayed}};
    oms_buf_fini(&o->config);
    if (o->name.len && !task->refusals.count && !task->tenant) { /* created */
        const struct tenant_version *made = actors_tenant_by_name(task->request->as->shard, o->name);
        if (made)
            api_task_under(task, made);
    }
    if (task->tenant && !task->refusals.count && !own->call.replayed)
        OMS_LOG(OMS_LOG_INFO, "tenant.changed", OMS_LOG_STR("tenant", task->tenant->name),
                OMS_LOG_STR("by_mutation", task->field->field),
                OMS_LOG_STR("subject", task->request->claims->subject));
    if (task->tenant) {
        api_tenant_payload_init(own, &payload);
        if (!is_operator(task) &&
            !(task->scene.access && access_unscoped(task->scene.access, PERMISSION_MANAGE_TENANT)))
            payload.tenant = NULL;
    }
    api_task_execute(task, &payload);
    api_task_finish(task);
}

static struct operator_task *take(struct api_task *task)
{
    struct operator_task *o = OMS_ARENA_NEW(&task->call.arena, struct operator_task);
    if (!o) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return NULL;
    }
    memset(o, 0, sizeof(*o));
    o->own.task = task;
    o->own.answer = answer;
    oms_buf_init(&o->config, OMS_TENANT_STATE_BYTES_MAX);
    task->client_mutation_id = order_input_client_mutation_id(oms_value_get_set(task->field->args, "input"));
    refusal_list_init(&task->refusals, &task->call.arena);
    return o;
}

/* The tenant that the operator names, whatever its status; false with a refusal. Who is not the operator
 * learns nothing of it. */
static bool find_tenant(struct operator_task *o)
{
    struct api_task *task = o->own.task;
    if (!is_operator(task))
        return refuse_stranger(task);
    const struct tenant_version *tenant =
        actors_tenant_by_name(task->request->as->shard, given(task, "tenantId")->text);
    if (!tenant)
        return refusal_add(&task->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("tenantId"),
                           "There is no tenant of this name");
    api_task_under(task, tenant);
    return true;
}

/* ---- reading the input as the configuration's tree ---- */

/* { requestsPerSecond, openOrders, streams, storedEvents } → { "requests_per_second", … }. */
static bool read_limits(struct operator_task *o)
{
    static const struct {
        const char *input, *config;
    } names[] = {{"requestsPerSecond", "requests_per_second"},
                 {"openOrders", "open_orders"},
                 {"streams", "streams"},
                 {"storedEvents", "stored_events"}};
    struct api_task *task = o->own.task;
    struct refusal_list *refusals = &task->refusals;
    const struct oms_value *limits = given(task, "limits");
    struct oms_field *fields = oms_arena_calloc(&task->call.arena, OMS_COUNT_OF(names), sizeof(*fields));
    size_t count = 0;
    if (!limits)
        return true;
    if (!fields)
        return refusal_add(refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD, "The request needs too much memory");
    for (size_t i = 0; i < OMS_COUNT_OF(names); i++) {
        const struct oms_value *value = oms_value_get_set(limits, names[i].input);
        if (!value)
            continue;
        if (value->integer < 0)
            return refusal_add(refusals, REFUSAL_INVALID,
                               refusal_field(refusals, "limits.%s", names[i].input),
                               "A limit is a whole number; 0 means that there is none");
        fields[count++] = (struct oms_field){oms_str_of(names[i].config), *value};
    }
    o->limits = (struct oms_value){.kind = OMS_VALUE_OBJECT, .object = {.fields = fields, .count = count}};
    o->has_limits = count > 0;
    return true;
}

/* Sets what the input names on a version of one's own. */
static bool set_parts(struct operator_task *o, struct tenant_version *wanted, struct refusal_list *refusals)
{
    struct api_task *task = o->own.task;
    const struct {
        const char *key, *field;
        const struct oms_value *value;
    } parts[] = {{"currency", "currency", given(task, "currency")},
                 {"cors_origins", "corsOrigins", given(task, "corsOrigins")},
                 {"limits", "limits", o->has_limits ? &o->limits : NULL}};
    struct oms_error error;
    for (size_t i = 0; i < OMS_COUNT_OF(parts); i++)
        if (parts[i].value && tenant_version_set_part(wanted, parts[i].key, parts[i].value, &error) != OMS_OK)
            return refusal_add(refusals, REFUSAL_INVALID, oms_str_of(parts[i].field), "%.400s",
                               error.message);
    return true;
}

/* ---- createTenant ---- */

static void start_create(struct api_task *task)
{
    struct operator_task *o = take(task);
    if (!o)
        return;
    if (!is_operator(task)) {
        (void)refuse_stranger(task);
        answer(&o->own);
        return;
    }
    o->name = given(task, "name")->text;
    if (!tenant_name_valid(o->name))
        refusal_add(
            &task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("name"),
            "name must have 1 to %d characters of a-z, 0-9, '-', '_' and '.', the first a letter or digit",
            OMS_TENANT_NAME_BYTES_MAX);
    if (read_limits(o) && !task->refusals.count) {
        struct tenant_version *wanted = tenant_create_default(o->name);
        tenant_settings_unnote(wanted);
        if (set_parts(o, wanted, &task->refusals))
            tenant_version_encode(wanted, &o->config);
        tenant_version_release(wanted);
    }
    if (task->refusals.count)
        answer(&o->own);
    else
        api_tenant_create(&o->own, oms_buf_str(&o->config));
}

/* ---- updateTenant ---- */

/* On the tenant's shard. */
static bool apply_update(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                         struct refusal_list *refusals)
{
    struct api_tenant_task *own =
        OMS_CONTAINER_OF((struct tenant_change *)(uintptr_t)change, struct api_tenant_task, change);
    struct operator_task *o = OMS_CONTAINER_OF(own, struct operator_task, own);
    (void)now_ms;
    return set_parts(o, wanted, refusals);
}

static void start_update(struct api_task *task)
{
    struct operator_task *o = take(task);
    if (!o)
        return;
    if (is_operator(task)) {
        if (!given(task, "tenantId"))
            refusal_add(&task->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("tenantId"), "Name the tenant");
        else
            (void)find_tenant(o);
    } else if (!api_tenant_begin(&o->own, task, PERMISSION_MANAGE_TENANT)) {
        return;
    }
    if (!task->refusals.count && read_limits(o) && o->has_limits && !is_operator(task))
        refusal_add(&task->refusals, REFUSAL_FORBIDDEN, REFUSAL_FIELD("limits"),
                    "Limits are the operator's to set");
    o->own.change.apply = apply_update;
    o->own.also_suspended = is_operator(task);
    if (task->refusals.count)
        answer(&o->own);
    else
        api_tenant_send(&o->own);
}

/* ---- suspendTenant, activateTenant, removeTenant ---- */

/* On the tenant's shard. */
static bool apply_status(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                         struct refusal_list *refusals)
{
    struct api_tenant_task *own =
        OMS_CONTAINER_OF((struct tenant_change *)(uintptr_t)change, struct api_tenant_task, change);
    struct operator_task *o = OMS_CONTAINER_OF(own, struct operator_task, own);
    if (wanted->status == TENANT_REMOVED && o->status == TENANT_SUSPENDED)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("tenantId"),
                           "The tenant was removed: activate it first");
    tenant_version_set_status(wanted, o->status, o->reason, own->task->principal.subject, now_ms);
    return true;
}

static void start_status(struct api_task *task, enum tenant_status status)
{
    struct operator_task *o = take(task);
    if (!o)
        return;
    const struct oms_value *reason = given(task, "reason"), *confirm = given(task, "confirm");
    o->status = status;
    o->reason = reason ? reason->text : OMS_STR_NONE;
    o->own.change.apply = apply_status;
    o->own.also_suspended = true;
    if (find_tenant(o)) {
        if (o->reason.len > OMS_TEXT_BYTES_MAX)
            refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("reason"),
                        "reason has at most %d bytes", OMS_TEXT_BYTES_MAX);
        if (status == TENANT_REMOVED && !oms_str_eq(confirm->text, task->tenant->name))
            refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("confirm"),
                        "confirm must be the tenant's name once more: nothing of it is served afterwards");
    }
    if (task->refusals.count)
        answer(&o->own);
    else
        api_tenant_send(&o->own);
}

static void start_suspend(struct api_task *task)
{
    start_status(task, TENANT_SUSPENDED);
}

static void start_activate(struct api_task *task)
{
    start_status(task, TENANT_ACTIVE);
}

static void start_remove(struct api_task *task)
{
    start_status(task, TENANT_REMOVED);
}

/* ---- tenants ---- */

/* Value of TenantConnection. */
struct tenant_page {
    const struct tenant_version **items;
    size_t count, first;
    uint32_t after;            /* number */
    enum tenant_status status; /* 0: any */
    struct api_page_info info;
    char cursors[2][16];
};

static void collect(void *context, const struct tenant_version *tenant)
{
    struct tenant_page *page = context;
    if (tenant->number <= page->after || (page->status && tenant->status != page->status))
        return;
    if (page->count < page->first)
        page->items[page->count++] = tenant;
    else
        page->info.has_next = true;
}

static struct oms_str cursor_of(const struct tenant_version *tenant, char text[16])
{
    int len = snprintf(text, 16, "t%" PRIu32, tenant->number);
    return oms_str_make(text, (size_t)len);
}

static bool read_page(struct api_task *task, struct tenant_page *page)
{
    static const char *const names[] = {NULL, "ACTIVE", "SUSPENDED", "REMOVED"};
    const struct oms_value *first = oms_value_get_set(task->field->args, "first");
    const struct oms_value *after = oms_value_get_set(task->field->args, "after");
    const struct oms_value *status = oms_value_get_set(task->field->args, "status");
    int64_t number = 0;
    page->first = first ? (size_t)first->integer : OMS_PAGE_SIZE_DEFAULT;
    if (first && (first->integer < 1 || first->integer > OMS_PAGE_SIZE_MAX)) {
        api_task_fail(task, "BAD_USER_INPUT", "\"first\" is 1 to %d", OMS_PAGE_SIZE_MAX);
        return false;
    }
    if (after &&
        (after->text.len < 2 || after->text.data[0] != 't' ||
         oms_str_to_i64(oms_str_make(after->text.data + 1, after->text.len - 1), &number) != OMS_OK ||
         number < 0 || number > UINT32_MAX)) {
        api_task_fail(task, "BAD_USER_INPUT", "\"after\" is no cursor of this list");
        return false;
    }
    page->after = (uint32_t)number;
    for (unsigned i = 1; status && i < OMS_COUNT_OF(names); i++)
        if (oms_str_eq_c(status->text, names[i]))
            page->status = (enum tenant_status)i;
    page->items = oms_arena_calloc(&task->call.arena, page->first, sizeof(page->items[0]));
    if (!page->items)
        api_task_fail(task, "INTERNAL", "The answer is too large");
    return page->items != NULL;
}

static void start_tenants(struct api_task *task)
{
    struct tenant_page page = {.count = 0};
    if (!is_operator(task)) {
        api_task_fail(task, "FORBIDDEN", "This needs the role operator, from an issuer that may assert it");
        return;
    }
    if (!read_page(task, &page))
        return;
    actors_tenants_each(task->request->as->shard, collect, &page);
    page.info.has_previous = page.after > 0;
    if (page.count) {
        page.info.start = cursor_of(page.items[0], page.cursors[0]);
        page.info.end = cursor_of(page.items[page.count - 1], page.cursors[1]);
    }
    http_claims_principal(task->request->claims, 0, &task->principal);
    task->scene = (struct api_scene){.principal = &task->principal,
                                     .now_ms = rt_now_ms(task->request->as->api->config.host),
                                     .api = task->request->as->api,
                                     .arena = &task->call.arena};
    api_task_execute(task, &page);
    api_task_finish(task);
}

static const void *tenants_item(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return ((const struct tenant_page *)context)->items[index];
}

static bool tenants_nodes(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct tenant_page *page = parent;
    (void)x;
    *out = (struct gql_list){page->count, tenants_item, page};
    return true;
}

static const void *tenants_info(struct gql_exec *x, const void *parent)
{
    (void)x;
    return &((const struct tenant_page *)parent)->info;
}

/* An edge is its tenant. */
static const void *edge_node(struct gql_exec *x, const void *parent)
{
    (void)x;
    return parent;
}

static bool edge_cursor(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    char text[16];
    (void)x;
    return api_write_text(out, cursor_of(parent, text));
}

static const void *payload_tenant(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct api_tenant_payload *)parent)->tenant;
}

static const struct api_root_op op_tenants = {start_tenants, ORDER_COMMAND_NONE},
                                op_create = {start_create, ORDER_COMMAND_NONE},
                                op_update = {start_update, ORDER_COMMAND_NONE},
                                op_suspend = {start_suspend, ORDER_COMMAND_NONE},
                                op_activate = {start_activate, ORDER_COMMAND_NONE},
                                op_remove = {start_remove, ORDER_COMMAND_NONE};

static const struct gql_binding bindings[] = {
    {"Query.tenants", GQL_ROOT, 0, {.host = &op_tenants}},
    {"Mutation.createTenant", GQL_ROOT, 0, {.host = &op_create}},
    {"Mutation.updateTenant", GQL_ROOT, 0, {.host = &op_update}},
    {"Mutation.suspendTenant", GQL_ROOT, 0, {.host = &op_suspend}},
    {"Mutation.activateTenant", GQL_ROOT, 0, {.host = &op_activate}},
    {"Mutation.removeTenant", GQL_ROOT, 0, {.host = &op_remove}},
    API_LIST("TenantConnection.nodes", tenants_nodes),
    API_LIST("TenantConnection.edges", tenants_nodes),
    API_OBJECT("TenantConnection.pageInfo", tenants_info),
    API_LEAF("TenantEdge.cursor", edge_cursor),
    API_OBJECT("TenantEdge.node", edge_node),
    API_OBJECT("CreateTenantPayload.tenant", payload_tenant),
    API_OBJECT("UpdateTenantPayload.tenant", payload_tenant),
    API_OBJECT("SuspendTenantPayload.tenant", payload_tenant),
    API_OBJECT("ActivateTenantPayload.tenant", payload_tenant),
    API_OBJECT("RemoveTenantPayload.tenant", payload_tenant),
};

void api_bind_operator(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
