/*
 * updateWorkflow and migrateOrders: a new version of the tenant's workflow, and the way of live orders to it.
 *
 * A new version goes to the tenant's actor like any change of a tenant. Orders are walked a page at a time in
 * the read pool, on one view of the store: for each it is reckoned what would become of it (order_migrate.h),
 * which is all that a dry run does. A migration then sends each order of the page that can follow its
 * command, and answers when all are durable; the client goes on behind the page's cursor, whatever happened
 * to the server meanwhile.
 */
#include "actors/ids.h"
#include "actors/order.h"
#include "actors/order_codec.h"
#include "actors/order_list.h"
#include "actors/order_migrate.h"
#include "http/api/resolve_workflow.h"
#include "http/api/roots_tenant.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "storage/keys.h"

/* ---- what an answer tells ---- */

/* Value of StrandedOrder. */
struct stranded_order {
    struct oms_str order_id, step, message;
    uint32_t workflow_version;
    enum order_stage stage;
    const char *reason;
};

/* Value of StrandedOrders, and of what a migration tells of its progress. */
struct walk_report {
    uint64_t examined, stranded;
    uint64_t migrated, already, failed; /* migrateOrders */
    struct stranded_order orders[OMS_MIGRATE_TOLD_MAX];
    size_t told;
    struct oms_str cursor; /* behind the last order; absent: there was none */
    bool has_next;
};

struct workflow_payload {
    struct api_tenant_payload shared; /* first: see there */
    const struct workflow *workflow;  /* of shared.tenant; NULL: not told */
    const struct walk_report *report; /* NULL: nothing was walked */
};

/* ---- the work ---- */

struct follower {
    struct order_call call;
    struct order_command command;
    struct workflow_task *of;
    bool refused;
};

struct workflow_task {
    struct api_tenant_task own;
    const struct oms_value *workflow; /* the input's */
    struct tenant_snapshot snapshot;
    int64_t expected; /* current version; −1: any */
    bool dry_run;
    /* walking */
    struct store_read read;
    struct workflow built;         /* of a dry run */
    const struct workflow *target; /* where the orders would go */
    struct order_list_query list;
    const struct oms_value *ids; /* instead of a list; NULL: none */
    uint64_t walk_max;           /* orders of this answer */
    bool without_step;
    enum oms_status status; /* of the walk */
    bool bad_id;
    struct walk_report report;
    /* migrating */
    unsigned char (*follow)[IDS_ORDER_SIZE]; /* ids of orders that can */
    size_t follow_count, left;
    struct follower *items;
};

static const struct oms_value *input_of(const struct api_task *task)
{
    return oms_value_get_set(task->field->args, "input");
}

static const struct oms_value *given(const struct api_task *task, const char *name)
{
    return oms_value_get_set(input_of(task), name);
}

static void answer(struct api_tenant_task *own)
{
    struct workflow_task *w = OMS_CONTAINER_OF(own, struct workflow_task, own);
    struct api_task *task = own->task;
    struct workflow_payload payload = {.report = w->read.run ? &w->report : NULL};
    api_tenant_payload_init(own, &payload.shared);
    bool may = task->scene.access && access_unscoped(task->scene.access, PERMISSION_MANAGE_WORKFLOW);
    if (may)
        payload.workflow = w->target == &w->built ? w->target : tenant_workflow(task->tenant, 0);
    if (!may)
        payload.report = NULL;
    api_task_execute(task, &payload);
    api_task_finish(task);
}

static struct workflow_task *take(struct api_task *task)
{
    struct workflow_task *w = OMS_ARENA_NEW(&task->call.arena, struct workflow_task);
    if (!w) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return NULL;
    }
    memset(w, 0, sizeof(*w));
    w->own.answer = answer;
    w->expected = -1;
    return w;
}

/* ---- walking orders, in the read pool ---- */

static void tell(struct workflow_task *w, const struct order *order, const struct order_migration *plan)
{
    struct oms_arena *arena = &w->own.task->call.arena;
    w->report.stranded++;
    if (w->report.told == OMS_MIGRATE_TOLD_MAX)
        return;
    w->report.orders[w->report.told++] = (struct stranded_order){
        .order_id = oms_str_copy(arena, order->order_id),
        .step = oms_str_copy(arena, plan->step),
        .message = oms_str_copy(arena, plan->message),
        .workflow_version = order->workflow_version,
        .stage = order->stage,
        .reason = order_strand_name(plan->strand),
    };
}

static void consider(struct workflow_task *w, const struct order *order, struct oms_arena *scratch)
{
    const struct tenant_version *tenant = w->own.task->tenant;
    const struct workflow *from =
        order->workflow_version ? tenant_workflow(tenant, order->workflow_version) : NULL;
    struct order_migration plan;
    w->report.examined++;
    if (!order_live(order) || order->workflow_version == w->target->version) {
        w->report.already++;
        return;
    }
    oms_arena_reset(scratch);
    if (!order_migrate_plan(order, from, w->target, order->modified_at, scratch, &plan)) {
        w->status = OMS_LIMIT;
        return;
    }
    if (plan.strand)
        tell(w, order, &plan);
    if (w->follow && (!plan.strand || (plan.strand == ORDER_STRAND_STEP_REMOVED && w->without_step)))
        w->status = ids_order_parse(order->order_id, w->follow[w->follow_count++]);
}

static void walk_list(struct workflow_task *w, struct store_engine *engine, struct store_view *view,
                      struct oms_arena *scratch)
{
    struct order_page page = {.has_next = true};
    while (w->status == OMS_OK && page.has_next && w->report.examined < w->walk_max) {
        struct oms_arena *arena = &w->own.task->call.arena;
        uint64_t left = w->walk_max - w->report.examined;
        w->list.limit = left < OMS_PAGE_SIZE_MAX ? (unsigned)left : OMS_PAGE_SIZE_MAX;
        w->status = order_list_run(engine, view, &w->list, arena, &page);
        if (w->status != OMS_OK)
            return;
        for (size_t i = 0; w->status == OMS_OK && i < page.count; i++)
            consider(w, page.rows[i].order, scratch);
        if (page.count)
            w->report.cursor = page.rows[page.count - 1].cursor;
        else if (oms_str_present(page.end_cursor))
            w->report.cursor = page.end_cursor;
        w->list.cursor = w->report.cursor;
        w->report.has_next = page.has_next;
        order_page_fini(&page);
    }
}

static void walk_ids(struct workflow_task *w, struct store_engine *engine, struct store_view *view,
                     struct oms_arena *scratch)
{
    for (size_t i = 0; w->status == OMS_OK && i < w->ids->list.count; i++) {
        unsigned char id[IDS_ORDER_SIZE], key[STORE_ADDRESS_KEY_SIZE];
        struct rt_address address;
        struct order *order;
        struct oms_buf bytes;
        if (ids_order_parse(w->ids->list.items[i].text, id) != OMS_OK) {
            w->bad_id = true;
            continue;
        }
        ids_order_address(w->own.task->tenant->number, id, &address);
        store_address_key(&address, key);
        oms_buf_init(&bytes, ORDER_ARENA_MAX);
        order = order_create();
        w->status = engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &bytes);
        if (w->status == OMS_OK)
            w->status = order_thaw(oms_buf_str(&bytes), order);
        if (w->status == OMS_OK)
            consider(w, order, scratch);
        else if (w->status == OMS_NOT_FOUND) {
            w->bad_id = true;
            w->status = OMS_OK;
        }
        order_destroy(order);
        oms_buf_fini(&bytes);
    }
}

static void walk_run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct workflow_task *w = OMS_CONTAINER_OF(read, struct workflow_task, read);
    struct oms_arena scratch;
    oms_arena_init(&scratch, 16384, OMS_REQUEST_ARENA_BYTES_MAX);
    if (w->ids)
        walk_ids(w, engine, view, &scratch);
    else
        walk_list(w, engine, view, &scratch);
    oms_arena_fini(&scratch);
}

static void migrate_page(struct workflow_task *w);

static void walk_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct workflow_task *w = OMS_CONTAINER_OF(message, struct workflow_task, read.job.message);
    struct api_task *task = w->own.task;
    (void)shard;
    if (message->status != OMS_OK)
        refusal_add(&task->refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD,
                    "Too many reads are in flight: retry in a moment; nothing was changed");
    else if (w->status == OMS_INVALID)
        refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("after"),
                    "This is no cursor of this list");
    else if (w->status != OMS_OK) {
        api_task_fail(task, "INTERNAL", "The store cannot be read");
        return;
    } else if (w->bad_id)
        refusal_add(&task->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("orderIds"),
                    "There is no such order among them: nothing was changed");
    else if (!api_tenant_may(task, PERMISSION_MANAGE_WORKFLOW)) /* withdrawn meanwhile */
        refusal_add(&task->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                    "This needs the permission manage_workflow");
    if (task->refusals.count || !w->follow_count || w->dry_run)
        answer(&w->own);
    else
        migrate_page(w);
}

/* All live orders, the oldest first, so that new ones come behind the cursor. */
static bool live_orders(struct workflow_task *w)
{
    static const char *const stages[] = {"DRAFT", "PENDING", "CONFIRMED", "SHIPPED"};
    struct oms_arena *arena = &w->own.task->call.arena;
    struct oms_value *items = oms_arena_calloc(arena, OMS_COUNT_OF(stages), sizeof(*items));
    struct oms_field *field = oms_arena_calloc(arena, 1, sizeof(*field));
    struct access *access = oms_arena_calloc(arena, 1, sizeof(*access));
    struct refusal_list refusals;
    if (!items || !field || !access)
        return false;
    for (size_t i = 0; i < OMS_COUNT_OF(stages); i++)
        items[i] = (struct oms_value){.kind = OMS_VALUE_ENUM, .text = oms_str_of(stages[i])};
    field->name = OMS_STR("stage");
    field->value.kind = OMS_VALUE_LIST;
    field->value.list.items = items;
    field->value.list.count = OMS_COUNT_OF(stages);
    struct oms_value filter = {.kind = OMS_VALUE_OBJECT, .object = {.fields = field, .count = 1}};
    access->unscoped = access->any = PERMISSION_ALL;
    w->list.access = access;
    w->list.tenant = w->own.task->tenant->number;
    refusal_list_init(&refusals, arena);
    return order_filter_parse(&filter, arena, &w->list.filter, &refusals) == OMS_OK;
}

static void walk(struct workflow_task *w)
{
    struct api_task *task = w->own.task;
    struct api_shard *as = task->request->as;
    const struct oms_value *after = given(task, "after");
    w->list.cursor = after ? after->text : OMS_STR_NONE;
    if (!live_orders(w)) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return;
    }
    w->read.run = walk_run;
    w->read.job.message.home = (uint16_t)rt_shard_index(as->shard);
    w->read.job.message.on_return = walk_returned;
    w->read.job.tenant = task->tenant->number;
    store_read(actors_store(as->api->config.system), as->shard, &w->read);
}

/* ---- updateWorkflow ---- */

static bool check_expected(const struct workflow_task *w, const struct tenant_version *tenant,
                           struct refusal_list *refusals)
{
    uint32_t current = tenant_workflow(tenant, 0)->version;
    return w->expected < 0 || w->expected == (int64_t)current ||
           refusal_add(refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("expectedVersion"),
                       "The workflow is at version %u, not %lld", current, (long long)w->expected);
}

/* On the tenant's shard. */
static bool apply(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                  struct refusal_list *refusals)
{
    struct api_tenant_task *own =
        OMS_CONTAINER_OF((struct tenant_change *)(uintptr_t)change, struct api_tenant_task, change);
    struct workflow_task *w = OMS_CONTAINER_OF(own, struct workflow_task, own);
    struct tenant_snapshot snapshot = w->snapshot;
    snapshot.now_ms = now_ms;
    return check_expected(w, wanted, refusals) &&
           tenant_version_set_workflow(wanted, w->workflow, &snapshot, refusals);
}

/* The workflow as a tree: JSON, or a text that is JSON. */
static bool read_workflow(struct workflow_task *w)
{
    struct api_task *task = w->own.task;
    const struct oms_value *value = given(task, "workflow");
    struct oms_json_error fault = {0};
    w->workflow = value;
    if (value->kind != OMS_VALUE_STRING)
        return true;
    struct oms_value *parsed = OMS_ARENA_NEW(&task->call.arena, struct oms_value);
    if (parsed &&
        oms_json_parse(value->text, OMS_JSON_DEPTH_MAX, &task->call.arena, parsed, &fault) == OMS_OK) {
        w->workflow = parsed;
        return true;
    }
    return refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("workflow"),
                       "The text is no JSON: line %u, column %u: %s", fault.line, fault.column,
                       fault.message ? fault.message : "too large");
}

static void try_out(struct workflow_task *w)
{
    struct api_task *task = w->own.task;
    uint32_t version = tenant_workflow(task->tenant, 0)->version + 1;
    if (!check_expected(w, task->tenant, &task->refusals) ||
        !workflow_build_new(w->workflow, version, "workflow.", &task->call.arena, &w->built,
                            &task->refusals)) {
        answer(&w->own);
        return;
    }
    w->built.origin = WORKFLOW_API;
    w->target = &w->built;
    w->walk_max = OMS_LIST_EXAMINED_MAX;
    walk(w);
}

static void start_update(struct api_task *task)
{
    struct workflow_task *w = take(task);
    if (!w || !api_tenant_begin(&w->own, task, PERMISSION_MANAGE_WORKFLOW))
        return;
    const struct oms_value *expected = given(task, "expectedVersion"), *dry = given(task, "dryRun");
    const struct oms_value *source = given(task, "sourceVersion");
    if (expected)
        w->expected = expected->integer;
    if (source && source->integer < 1)
        refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("sourceVersion"),
                    "sourceVersion starts at 1");
    w->dry_run = dry && dry->boolean;
    w->snapshot = (struct tenant_snapshot){.origin = WORKFLOW_API, .version = source ? source->integer : 0};
    w->own.change.apply = apply;
    if (!read_workflow(w) || task->refusals.count)
        answer(&w->own);
    else if (w->dry_run)
        try_out(w);
    else
        api_tenant_send(&w->own);
}

/* ---- migrateOrders ---- */

/* On the order's shard. */
static void item_render(struct order_call *call, const struct order_reply *reply)
{
    OMS_CONTAINER_OF(call, struct follower, call)->refused = reply->refusals && reply->refusals->count;
}

static void item_home(struct rt_shard *shard, struct rt_message *message)
{
    struct follower *item = OMS_CONTAINER_OF(message, struct follower, call.message);
    struct workflow_task *w = item->of;
    (void)shard;
    if (message->status == OMS_OK && item->call.result == ORDER_CALL_DONE && !item->refused)
        w->report.migrated++;
    else
        w->report.failed++;
    oms_arena_fini(&item->call.arena);
    oms_buf_fini(&item->call.out);
    oms_buf_fini(&item->call.frozen);
    if (--w->left == 0)
        answer(&w->own);
}

static void migrate_page(struct workflow_task *w)
{
    struct api_task *task = w->own.task;
    w->items = oms_arena_calloc(&task->call.arena, w->follow_count, sizeof(*w->items));
    if (!w->items) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return;
    }
    w->left = w->follow_count;
    for (size_t i = 0; i < w->follow_count; i++) {
        struct follower *item = &w->items[i];
        item->of = w;
        item->command.type = ORDER_COMMAND_MIGRATE_WORKFLOW;
        item->command.principal = &task->principal;
        item->command.migrate = (struct order_migrate_input){w->target->version, w->without_step};
        oms_arena_init(&item->call.arena, 1024, OMS_REQUEST_ARENA_BYTES_MAX);
        oms_buf_init(&item->call.out, OMS_RESPONSE_BYTES_MAX);
        oms_buf_init(&item->call.frozen, ORDER_ARENA_MAX);
        item->call.kind = ORDER_CALL_COMMAND;
        item->call.principal = &task->principal;
        item->call.command = &item->command;
        item->call.command_type = ORDER_COMMAND_MIGRATE_WORKFLOW;
        item->call.render = item_render;
        item->call.message.on_return = item_home;
        ids_order_address(task->tenant->number, w->follow[i], &item->call.message.to);
        order_call_send(task->request->as->shard, &item->call);
    }
}

static bool read_migration(struct workflow_task *w)
{
    struct api_task *task = w->own.task;
    const struct oms_value *to = given(task, "toVersion"), *first = given(task, "first");
    const struct oms_value *dry = given(task, "dryRun"), *stranded = given(task, "onStranded");
    w->ids = given(task, "orderIds");
    w->dry_run = dry && dry->boolean;
    w->without_step = stranded && oms_str_eq_c(stranded->text, "MIGRATE");
    w->walk_max = OMS_MIGRATE_PAGE_MAX;
    if (to && (to->integer < 1 || to->integer > UINT32_MAX ||
               !tenant_workflow(task->tenant, (uint32_t)to->integer)))
        refusal_add(&task->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("toVersion"),
                    "The tenant's workflow has no version %lld", (long long)to->integer);
    if (first && (first->integer < 1 || first->integer > OMS_MIGRATE_PAGE_MAX))
        refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("first"), "first is 1 to %d",
                    OMS_MIGRATE_PAGE_MAX);
    if (w->ids && w->ids->list.count > OMS_MIGRATE_PAGE_MAX)
        refusal_add(&task->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("orderIds"),
                    "At most %d orders at a time", OMS_MIGRATE_PAGE_MAX);
    if (task->tenant->status != TENANT_ACTIVE && !w->dry_run)
        refusal_add(&task->refusals, REFUSAL_TENANT_SUSPENDED, REFUSAL_NO_FIELD,
                    "The tenant is suspended: it can be read but not changed");
    if (task->refusals.count)
        return false;
    w->target = tenant_workflow(task->tenant, to ? (uint32_t)to->integer : 0);
    if (first)
        w->walk_max = (uint64_t)first->integer;
    return true;
}

static void start_migrate(struct api_task *task)
{
    struct workflow_task *w = take(task);
    if (!w || !api_tenant_begin(&w->own, task, PERMISSION_MANAGE_WORKFLOW))
        return;
    if (!read_migration(w)) {
        answer(&w->own);
        return;
    }
    w->follow = oms_arena_calloc(&task->call.arena, OMS_MIGRATE_PAGE_MAX, sizeof(w->follow[0]));
    if (!w->follow)
        api_task_fail(task, "INTERNAL", "The answer is too large");
    else
        walk(w);
}

/* ---- resolvers ---- */

static const void *payload_workflow(struct gql_exec *x, const void *parent)
{
    const struct workflow_payload *p = parent;
    return p->workflow ? api_workflow(x, p->shared.tenant, p->workflow) : NULL;
}

static const void *payload_report(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct workflow_payload *)parent)->report;
}

API_LEAF_FN(report_examined, struct walk_report, api_write_int(out, (int64_t)p->examined))
API_LEAF_FN(report_stranded, struct walk_report, api_write_int(out, (int64_t)p->stranded))
API_LEAF_FN(report_migrated, struct walk_report, api_write_int(out, (int64_t)p->migrated))
API_LEAF_FN(report_already, struct walk_report, api_write_int(out, (int64_t)p->already))
API_LEAF_FN(report_failed, struct walk_report, api_write_int(out, (int64_t)p->failed))
API_LEAF_FN(report_cursor, struct walk_report, api_write_text(out, p->cursor))
API_LEAF_FN(report_next, struct walk_report, api_write_bool(out, p->has_next))

static const void *stranded_item(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct walk_report *)context)->orders[index];
}

static bool report_orders(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    *out = (struct gql_list){((const struct walk_report *)parent)->told, stranded_item, parent};
    return true;
}

API_LEAF_FN(stranded_id, struct stranded_order, api_write_text(out, p->order_id))
API_LEAF_FN(stranded_stage, struct stranded_order, api_write_name(out, order_stage_name(p->stage)))
API_LEAF_FN(stranded_version, struct stranded_order, api_write_int(out, p->workflow_version))
API_LEAF_FN(stranded_reason, struct stranded_order, api_write_name(out, p->reason))
API_LEAF_FN(stranded_step, struct stranded_order, api_write_text(out, p->step))
API_LEAF_FN(stranded_message, struct stranded_order, api_write_text(out, p->message))

static const struct api_root_op op_update = {start_update, ORDER_COMMAND_NONE},
                                op_migrate = {start_migrate, ORDER_COMMAND_NONE};

static const struct gql_binding bindings[] = {
    {"Mutation.updateWorkflow", GQL_ROOT, 0, {.host = &op_update}},
    {"Mutation.migrateOrders", GQL_ROOT, 0, {.host = &op_migrate}},
    API_OBJECT("UpdateWorkflowPayload.workflow", payload_workflow),
    API_OBJECT("UpdateWorkflowPayload.stranded", payload_report),
    API_OBJECT("MigrateOrdersPayload.workflow", payload_workflow),
    API_OBJECT("MigrateOrdersPayload.progress", payload_report),
    API_OBJECT("MigrateOrdersPayload.stranded", payload_report),
    API_LEAF("MigrationProgress.examined", report_examined),
    API_LEAF("MigrationProgress.migrated", report_migrated),
    API_LEAF("MigrationProgress.already", report_already),
    API_LEAF("MigrationProgress.failed", report_failed),
    API_LEAF("MigrationProgress.endCursor", report_cursor),
    API_LEAF("MigrationProgress.hasNextPage", report_next),
    API_LEAF("StrandedOrders.examined", report_examined),
    API_LEAF("StrandedOrders.count", report_stranded),
    API_LIST("StrandedOrders.orders", report_orders),
    API_LEAF("StrandedOrders.endCursor", report_cursor),
    API_LEAF("StrandedOrders.hasNextPage", report_next),
    API_LEAF("StrandedOrder.orderId", stranded_id),
    API_LEAF("StrandedOrder.stage", stranded_stage),
    API_LEAF("StrandedOrder.workflowVersion", stranded_version),
    API_LEAF("StrandedOrder.reason", stranded_reason),
    API_LEAF("StrandedOrder.stepName", stranded_step),
    API_LEAF("StrandedOrder.message", stranded_message),
};

void api_bind_workflow_roots(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
