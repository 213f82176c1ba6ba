/* The fields of Query: which data each needs, and where it is found. */
#include "actors/ids.h"
#include "actors/order.h"
#include "http/api/request.h"
#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/limits.h"

/* ---- arguments ---- */

static const struct oms_value *arg(const struct api_task *task, const char *name)
{
    return task->field->args ? oms_value_get_set(task->field->args, name) : NULL;
}

static struct oms_str text_arg(const struct api_task *task, const char *name)
{
    const struct oms_value *value = arg(task, name);
    return value ? value->text : OMS_STR_NONE;
}

/* Nothing there, or nothing for this caller: null, without a word about which. */
static void finish_null(struct api_task *task)
{
    api_task_execute(task, NULL);
    api_task_finish(task);
}

/* A fault of the store in the pool. */
static void pool_failed(struct api_task *task, enum oms_status status)
{
    if (status == OMS_LIMIT)
        api_task_fault(task, "RESPONSE_TOO_LARGE", "The answer is too large: ask for less");
    else
        api_task_fault(task, "INTERNAL", "The store cannot be read");
}

/* ---- one order ---- */

static void run_past(struct api_task *task)
{
    struct rt_address address;
    struct order *order;
    struct api_order *now, *value = NULL;
    /* Who may see an order is asked of the order as it is now: a reassigned order takes its past along. */
    enum oms_status status = api_pages_load(&task->scene, task->id, &now);
    if (status == OMS_OK && now) {
        ids_order_address(task->tenant->number, task->id, &address);
        status = order_history_at(task->scene.engine, task->scene.view, &address, task->at_version,
                                  task->at_ms, &order);
        if (status == OMS_OK) {
            value = api_pages_keep(&task->scene, order);
            if (value)
                value->on = now->on;
        }
    }
    if (status != OMS_OK && status != OMS_NOT_FOUND)
        pool_failed(task, status);
    else
        api_task_execute(task, value);
}

static void fetch(struct api_task *task)
{
    if (task->at_version || task->at_ms) {
        task->run = run_past;
        api_task_read(task);
    } else {
        api_task_call(task, ORDER_CALL_READ);
    }
}

static void start_get_order(struct api_task *task)
{
    const struct oms_value *version = arg(task, "atVersion");
    struct oms_str at = text_arg(task, "at");
    if (!api_task_tenant(task, text_arg(task, "tenantId")))
        return;
    if (version && version->integer < 1) {
        api_task_fail(task, "BAD_USER_INPUT", "\"atVersion\" starts at 1");
        return;
    }
    if (version && oms_str_present(at)) {
        api_task_fail(task, "BAD_USER_INPUT", "Give \"atVersion\" or \"at\", not both");
        return;
    }
    task->at_version = version ? (uint32_t)version->integer : 0;
    if (oms_str_present(at) && oms_datetime_parse(at, &task->at_ms) != OMS_OK) {
        api_task_fail(task, "BAD_USER_INPUT", "\"at\" is no RFC 3339 instant");
        return;
    }
    if (oms_str_present(at) && !task->at_ms)
        task->at_ms = -1; /* 0 says "now"; nothing had been taken in a millisecond earlier either */
    if (ids_order_parse(text_arg(task, "orderId"), task->id) != OMS_OK)
        finish_null(task);
    else
        fetch(task);
}

/* ---- lists ---- */

static bool parse_filter(struct api_task *task)
{
    struct refusal_list refusals;
    refusal_list_init(&refusals, &task->call.arena);
    enum oms_status status =
        order_filter_parse(arg(task, "filter"), &task->call.arena, &task->list.filter, &refusals);
    if (status == OMS_OK)
        return true;
    if (refusals.count)
        api_task_fail(task, "BAD_USER_INPUT", "\"%.*s\": %.*s", OMS_STR_ARG(refusals.items[0].field),
                      OMS_STR_ARG(refusals.items[0].message));
    else
        api_task_fail(task, "BAD_USER_INPUT", "The filter is too large");
    return false;
}

/* Notes lie beside the states that a list reads, and are fetched only for documents that show them. */
static enum oms_status add_notes(struct api_task *task, struct order_page *page)
{
    enum oms_status status = OMS_OK;
    for (size_t i = 0; status == OMS_OK && i < page->count; i++) {
        struct rt_address address;
        status = ids_order_parse(page->rows[i].order->order_id, task->id);
        ids_order_address(task->tenant->number, task->id, &address);
        if (status == OMS_OK)
            status = order_history_merge_notes(task->scene.engine, task->scene.view, &address,
                                               page->rows[i].order);
    }
    if (status != OMS_OK)
        order_page_fini(page);
    return status;
}

/* Whether the request may look at any more rows: lists and counts walk many. */
static bool begin_walk(struct api_task *task)
{
    if (api_scene_charge(&task->scene, 0))
        return true;
    api_task_fault(task, "LIMIT_EXCEEDED", API_TOO_MANY_ROWS);
    return false;
}

/*
 * The newest order with a shipment of the reference that this caller sees: the same walk, scope and bound as
 * a list filtered by it, so that others' orders neither answer nor hide the caller's own.
 */
static void run_by_reference(struct api_task *task)
{
    struct order_page page;
    task->list.access = task->scene.access;
    if (!begin_walk(task))
        return;
    enum oms_status status =
        order_list_run(task->scene.engine, task->scene.view, &task->list, &task->call.arena, &page);
    if (status == OMS_OK) {
        (void)api_scene_charge(&task->scene, page.examined);
        if (task->field->needs & API_NEEDS_NOTES)
            status = add_notes(task, &page);
    }
    if (status == OMS_OK && !page.count && page.has_next) {
        order_page_fini(&page);
        api_task_fault(task, "LIMIT_EXCEEDED",
                       "Too many orders carry this tracking reference to find yours among them");
        return;
    }
    struct api_order_page *value = status == OMS_OK ? api_pages_orders(&task->scene, &page) : NULL;
    if (!value)
        pool_failed(task, status == OMS_OK ? OMS_LIMIT : status);
    else
        api_task_execute(task, value->count ? &value->edges[0].order : NULL);
}

static void start_by_reference(struct api_task *task, struct oms_str reference)
{
    task->list.tenant = task->tenant->number;
    task->list.descending = true;
    task->list.limit = 1;
    task->list.filter = order_filter_of_reference(reference, &task->call.arena);
    task->run = run_by_reference;
    if (task->list.filter)
        api_task_read(task);
    else
        api_task_fail(task, "INTERNAL", "The answer is too large");
}

static void start_order(struct api_task *task)
{
    const struct oms_value *by = arg(task, "by");
    const struct oms_value *id = oms_value_get_set(by, "orderId");
    const struct oms_value *external = oms_value_get_set(by, "externalRef");
    const struct oms_value *reference = oms_value_get_set(by, "trackingReference");
    if (!api_task_tenant(task, text_arg(task, "tenantId")))
        return;
    if (id) {
        if (ids_order_parse(id->text, task->id) != OMS_OK)
            finish_null(task);
        else
            fetch(task);
    } else if (external) {
        const struct oms_value *source = oms_value_get_set(external, "source");
        const struct oms_value *ref = oms_value_get_set(external, "ref");
        ids_order_from_reference(actors_id_key(task->request->as->api->config.system), task->tenant->number,
                                 source ? source->text : OMS_STR("api"), ref->text, task->id);
        fetch(task);
    } else {
        start_by_reference(task, reference->text);
    }
}

static void run_orders(struct api_task *task)
{
    struct order_page page;
    task->list.access = task->scene.access;
    if (!begin_walk(task))
        return;
    enum oms_status status =
        order_list_run(task->scene.engine, task->scene.view, &task->list, &task->call.arena, &page);
    (void)api_scene_charge(&task->scene, page.examined);
    if (status == OMS_OK && task->field->needs & API_NEEDS_NOTES)
        status = add_notes(task, &page);
    struct api_order_page *value = status == OMS_OK ? api_pages_orders(&task->scene, &page) : NULL;
    if (status == OMS_INVALID) {
        api_task_fault(task, "BAD_USER_INPUT",
                       task->list.backward ? "\"before\" is not a cursor of this list"
                                           : "\"after\" is not a cursor of this list");
    } else if (!value) {
        pool_failed(task, status == OMS_OK ? OMS_LIMIT : status);
    } else {
        api_task_execute(task, value);
    }
}

static void start_orders(struct api_task *task)
{
    const struct oms_value *first = arg(task, "first"), *last = arg(task, "last"),
                           *sort = arg(task, "sortBy");
    struct oms_str after = text_arg(task, "after"), before = text_arg(task, "before"), message;
    if (!api_task_tenant(task, text_arg(task, "tenantId")))
        return;
    bool backward = last != NULL;
    if ((first && last) || (backward && oms_str_present(after)) || (!backward && oms_str_present(before))) {
        api_task_fail(task, "BAD_USER_INPUT", "Give \"first\" with \"after\", or \"last\" with \"before\"");
        return;
    }
    task->list.limit = api_page_size(backward ? last : first, &message);
    if (!task->list.limit) {
        api_task_fail(task, "BAD_USER_INPUT", "%.*s", OMS_STR_ARG(message));
        return;
    }
    const struct oms_value *direction = sort ? oms_value_get_set(sort, "direction") : NULL;
    task->list.tenant = task->tenant->number;
    task->list.descending = !direction || oms_str_eq_c(direction->text, "DESC");
    task->list.backward = backward;
    task->list.cursor = backward ? before : after;
    task->run = run_orders;
    if (parse_filter(task))
        api_task_read(task);
}

static void run_count(struct api_task *task)
{
    struct order_count count;
    task->list.access = task->scene.access;
    if (!begin_walk(task))
        return;
    enum oms_status status = order_list_count(task->scene.engine, task->scene.view, &task->list, &count);
    (void)api_scene_charge(&task->scene, count.examined);
    if (status != OMS_OK)
        pool_failed(task, status);
    else
        api_task_execute(task, &count);
}

static void start_count(struct api_task *task)
{
    if (!api_task_tenant(task, text_arg(task, "tenantId")))
        return;
    task->list.tenant = task->tenant->number;
    task->list.descending = true;
    task->list.limit = 1;
    task->run = run_count;
    if (parse_filter(task))
        api_task_read(task);
}

/* ---- the feed ---- */

static void run_feed(struct api_task *task)
{
    struct order_history_page page;
    struct api_event_page *value = NULL;
    if (!begin_walk(task))
        return;
    enum oms_status status = order_history_feed(task->scene.engine, task->scene.view, task->tenant->number,
                                                task->scene.access, task->events, task->after.commit,
                                                task->after.ordinal, task->first, &task->call.arena, &page);
    (void)api_scene_charge(&task->scene, page.examined);
    if (status == OMS_OK)
        status = api_pages_events(&task->scene, &page, text_arg(task, "after"), &value);
    if (status != OMS_OK)
        pool_failed(task, status);
    else
        api_task_execute(task, value);
}

static void start_feed(struct api_task *task)
{
    struct oms_str after = text_arg(task, "after"), message;
    struct ids_cursor cursor = {0, 0};
    struct refusal_list refusals;
    refusal_list_init(&refusals, &task->call.arena);
    if (!api_task_tenant(task, text_arg(task, "tenantId")))
        return;
    task->first = api_page_size(arg(task, "first"), &message);
    if (!task->first) {
        api_task_fail(task, "BAD_USER_INPUT", "%.*s", OMS_STR_ARG(message));
    } else if (oms_str_present(after) && ids_cursor_parse(after, &cursor) != OMS_OK) {
        api_task_fail(task, "BAD_USER_INPUT", "\"after\" is not a cursor of this server");
    } else if (order_event_filter_parse(arg(task, "filter"), &task->call.arena, &task->events, &refusals) !=
               OMS_OK) {
        api_task_fail(task, "BAD_USER_INPUT", "%.*s", OMS_STR_ARG(refusals.items[0].message));
    } else {
        task->after.commit = cursor.commit;
        task->after.ordinal = cursor.ordinal;
        task->run = run_feed;
        api_task_read(task);
    }
}

/* ---- node ---- */

static void run_event_node(struct api_task *task)
{
    struct order_history_page page;
    struct api_event_page *value = NULL;
    struct rt_address address;
    ids_order_address(task->tenant->number, task->id, &address);
    /* The event after the one before it. Ordinal 0 follows the last event of an earlier commit. */
    uint64_t commit = task->after.ordinal ? task->after.commit : task->after.commit - 1;
    unsigned ordinal = task->after.ordinal ? task->after.ordinal - 1 : UINT32_MAX;
    enum oms_status status = order_history_events(task->scene.engine, task->scene.view, &address, commit,
                                                  ordinal, 1, &task->call.arena, &page);
    if (status == OMS_OK)
        status = api_pages_events(&task->scene, &page, OMS_STR_NONE, &value);
    if (status != OMS_OK && status != OMS_NOT_FOUND) {
        pool_failed(task, status);
        return;
    }
    bool found = status == OMS_OK && value->count && value->events[0].event->commit == task->after.commit &&
                 value->events[0].event->ordinal == task->after.ordinal;
    api_task_execute(task, found ? &value->events[0] : NULL);
}

static void start_node(struct api_task *task)
{
    struct ids_node node;
    if (!api_task_tenant(task, OMS_STR_NONE))
        return;
    if (ids_node_parse(text_arg(task, "id"), &node) != OMS_OK || node.tenant != task->tenant->number) {
        finish_null(task);
        return;
    }
    memcpy(task->id, node.order, sizeof(task->id));
    if (node.kind == IDS_NODE_ORDER) {
        fetch(task);
    } else if (node.kind == IDS_NODE_EVENT) {
        task->after.commit = node.commit;
        task->after.ordinal = node.ordinal;
        task->run = run_event_node;
        api_task_read(task);
    } else {
        finish_null(task);
    }
}

/* ---- who is asking ---- */

static void start_viewer(struct api_task *task)
{
    struct access access;
    if (!api_task_tenant(task, OMS_STR_NONE))
        return;
    if (!permission_evaluate(&task->tenant->permissions, &task->principal, &task->call.arena, &access)) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return;
    }
    task->scene = (struct api_scene){.tenant = task->tenant,
                                     .principal = &task->principal,
                                     .access = &access,
                                     .now_ms = rt_now_ms(task->request->as->api->config.host),
                                     .api = task->request->as->api};
    api_task_execute(task, &task->scene);
    api_task_finish(task);
}

/* The operator sees a tenant that was removed, too: that it was. */
static bool find_for_operator(struct api_task *task)
{
    const struct tenant_version *tenant =
        task->request->claims->is_operator
            ? actors_tenant_by_name(task->request->as->shard, text_arg(task, "tenantId"))
            : NULL;
    if (!tenant)
        return false;
    api_task_under(task, tenant);
    return true;
}

static void start_tenant(struct api_task *task)
{
    struct access access;
    if (!find_for_operator(task) && !api_task_tenant(task, text_arg(task, "tenantId")))
        return;
    if (!permission_evaluate(&task->tenant->permissions, &task->principal, &task->call.arena, &access)) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return;
    }
    task->scene = (struct api_scene){.tenant = task->tenant,
                                     .principal = &task->principal,
                                     .access = &access,
                                     .now_ms = rt_now_ms(task->request->as->api->config.host),
                                     .api = task->request->as->api};
    api_task_execute(task, task->tenant);
    api_task_finish(task);
}

static const struct api_root_op op_get_order = {start_get_order, ORDER_COMMAND_NONE},
                                op_order = {start_order, ORDER_COMMAND_NONE},
                                op_orders = {start_orders, ORDER_COMMAND_NONE},
                                op_count = {start_count, ORDER_COMMAND_NONE},
                                op_feed = {start_feed, ORDER_COMMAND_NONE},
                                op_node = {start_node, ORDER_COMMAND_NONE},
                                op_viewer = {start_viewer, ORDER_COMMAND_NONE},
                                op_tenant = {start_tenant, ORDER_COMMAND_NONE};

#define ROOT(field, op)                                                                                      \
    {                                                                                                        \
        (field), GQL_ROOT, 0,                                                                                \
        {                                                                                                    \
            .host = &(op)                                                                                    \
        }                                                                                                    \
    }
static const struct gql_binding bindings[] = {
    ROOT("Query.getOrder", op_get_order),
    ROOT("Query.order", op_order),
    ROOT("Query.orders", op_orders),
    ROOT("Query.ordersCount", op_count),
    ROOT("Query.tenantEventLog", op_feed),
    ROOT("Query.node", op_node),
    ROOT("Query.viewer", op_viewer),
    ROOT("Query.tenant", op_tenant),
    ROOT("Query.getOrderByOrderId", op_get_order),
};

void api_bind_queries(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
