/*
 * eraseCustomer: a page of a customer's orders is found in the read pool, written down in the erasure log,
 * erased one by one by its actor, and at last no file of the store holds what was before
 * (http/privacy/purge.h).
 *
 * The erasure log comes first: what a crash leaves half done is finished at the next start. The walk is the
 * client's loop, a page of at most OMS_ERASE_PAGE_MAX orders per call, so that there is no job to lose. An
 * order that is not finished is left alone and named, unless `force`; orders that came in later are found by
 * the next call.
 */
#include "actors/ids.h"
#include "actors/order.h"
#include "actors/order_codec.h"
#include "actors/order_list.h"
#include "http/api/resolve.h"
#include "http/api/roots_tenant.h"
#include "http/privacy/purge.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "storage/keys.h"
#include "storage/timeline.h"

/* Value of CustomerErasure. */
struct erasure_report {
    uint64_t examined, erased, already, failed;
    uint64_t unsealed; /* of those erased: their creation lies in the log as it is */
    struct oms_str open[OMS_ERASE_TOLD_MAX];
    size_t open_told;
    uint64_t open_count;
    bool purged;
    bool user_left; /* the customer's stored authorization as a user is still there */
    bool has_next;
    struct oms_str cursor;
};

struct erase_payload {
    struct api_tenant_payload shared; /* first: see there */
    const struct erasure_report *report;
};

struct erase_task;

struct erase_item {
    struct order_call call;
    struct order_command command;
    struct erase_task *of;
    bool refused;
};

struct erase_task {
    struct api_tenant_task own;
    bool force;
    /* finding */
    struct store_read read;
    struct order_list_query list;
    const struct oms_value *ids; /* instead of a list; NULL: none */
    uint64_t walk_max;
    enum oms_status status;
    bool bad_id;
    unsigned char (*orders)[IDS_ORDER_SIZE];
    size_t order_count, left;
    /* writing down */
    struct rt_job job;
    enum oms_status written;
    /* erasing */
    struct erase_item *items;
    /* forgetting the user */
    struct user_call user;
    struct user_update removal;
    struct http_purge purge;
    bool walked;
    struct erasure_report report;
};

static const struct oms_value *given(const struct api_task *task, const char *name)
{
    return oms_value_get_set(oms_value_get_set(task->field->args, "input"), name);
}

static struct http_erasures *erasures_of(const struct erase_task *e)
{
    return e->own.task->request->as->api->config.erasures;
}

static void answer(struct api_tenant_task *own)
{
    struct erase_task *e = OMS_CONTAINER_OF(own, struct erase_task, own);
    struct api_task *task = own->task;
    struct erase_payload payload = {.report = NULL};
    api_tenant_payload_init(own, &payload.shared);
    if (e->walked && task->scene.access && access_unscoped(task->scene.access, PERMISSION_ERASE_CUSTOMER))
        payload.report = &e->report;
    api_task_execute(task, &payload);
    api_task_finish(task);
}

/* ---- purging ---- */

static void purged(struct rt_shard *shard, struct http_purge *purge)
{
    struct erase_task *e = OMS_CONTAINER_OF(purge, struct erase_task, purge);
    (void)shard;
    e->report.purged = purge->status == OMS_OK;
    answer(&e->own);
}

/* Also without an order: an earlier purge may not have come to its end. */
static void purge(struct erase_task *e)
{
    struct api_task *task = e->own.task;
    struct http_erasures *erasures = erasures_of(e);
    bool pending = erasures && http_erasures_pending(erasures);
    if (!e->report.erased && !pending) {
        e->report.purged = true;
        answer(&e->own);
        return;
    }
    e->purge = (struct http_purge){
        .store = actors_store(task->request->as->api->config.system),
        .host = task->request->as->api->config.host,
        .erasures = erasures,
        .tenant = task->tenant->number,
        .orders = (const unsigned char(*)[IDS_ORDER_SIZE])e->orders,
        .order_count = e->order_count,
        .everything = !e->order_count || e->purge.everything,
        .done = purged,
    };
    http_purge_start(task->request->as->shard, &e->purge);
}

/* ---- the customer as a user ---- */

static bool user_stored(const struct erase_task *e, struct oms_str id)
{
    const struct api_task *task = e->own.task;
    const struct user_version *user = actors_user(task->request->as->shard, task->tenant->number, id);
    return user && !user->removed;
}

static void user_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct erase_task *e = OMS_CONTAINER_OF(message, struct erase_task, user.message);
    (void)shard;
    user_call_fini(&e->user);
    e->report.user_left = user_stored(e, e->removal.user);
    purge(e);
}

/*
 * After the last page, when no order is left open. It takes the right to manage access: else whoever may only
 * erase could take an administrator's rights away.
 */
static void forget_user(struct erase_task *e)
{
    struct api_task *task = e->own.task;
    const struct oms_value *customer = given(task, "customerId");
    e->report.user_left = customer && user_stored(e, customer->text);
    if (!e->report.user_left || e->report.has_next || e->report.open_count || e->report.failed ||
        !api_tenant_may(task, PERMISSION_MANAGE_ACCESS)) {
        purge(e);
        return;
    }
    e->removal = (struct user_update){.kind = USER_REMOVE, .user = customer->text, .origin = WORKFLOW_API};
    user_call_init(&e->user);
    e->user.tenant = task->tenant->number;
    e->user.update = &e->removal;
    e->user.message.on_return = user_returned;
    user_call_send(task->request->as->shard, &e->user);
}

/* ---- erasing ---- */

/* On the order's shard. */
static void item_render(struct order_call *call, const struct order_reply *reply)
{
    OMS_CONTAINER_OF(call, struct erase_item, call)->refused = reply->refusals && reply->refusals->count;
}

static void item_home(struct rt_shard *shard, struct rt_message *message)
{
    struct erase_item *item = OMS_CONTAINER_OF(message, struct erase_item, call.message);
    struct erase_task *e = item->of;
    (void)shard;
    if (message->status == OMS_OK && item->call.result == ORDER_CALL_DONE && !item->refused)
        e->report.erased++;
    else
        e->report.failed++;
    oms_arena_fini(&item->call.arena);
    oms_buf_fini(&item->call.out);
    oms_buf_fini(&item->call.frozen);
    if (--e->left == 0)
        forget_user(e);
}

static void erase_page(struct erase_task *e)
{
    struct api_task *task = e->own.task;
    e->items = oms_arena_calloc(&task->call.arena, e->order_count, sizeof(*e->items));
    if (!e->items) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return;
    }
    e->left = e->order_count;
    for (size_t i = 0; i < e->order_count; i++) {
        struct erase_item *item = &e->items[i];
        item->of = e;
        item->command.type = ORDER_COMMAND_ERASE_CUSTOMER;
        item->command.principal = &task->principal;
        item->command.erase = (struct order_erase_input){.force = true}; /* it was looked at already */
        oms_arena_init(&item->call.arena, 1024, OMS_REQUEST_ARENA_BYTES_MAX);
        oms_buf_init(&item->call.out, OMS_RESPONSE_BYTES_MAX);
        oms_buf_init(&item->call.frozen, ORDER_ARENA_MAX);
        item->call.kind = ORDER_CALL_COMMAND;
        item->call.principal = &task->principal;
        item->call.command = &item->command;
        item->call.command_type = ORDER_COMMAND_ERASE_CUSTOMER;
        item->call.render = item_render;
        item->call.message.on_return = item_home;
        ids_order_address(task->tenant->number, e->orders[i], &item->call.message.to);
        order_call_send(task->request->as->shard, &item->call);
    }
}

/* ---- writing down ---- */

static void write_run(struct rt_job *job)
{
    struct erase_task *e = OMS_CONTAINER_OF(job, struct erase_task, job);
    const struct api_task *task = e->own.task;
    e->written = http_erasures_add(erasures_of(e), task->tenant->name,
                                   (const unsigned char(*)[IDS_ORDER_SIZE])e->orders, e->order_count,
                                   rt_now_ms(task->request->as->api->config.host));
}

static void write_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct erase_task *e = OMS_CONTAINER_OF(message, struct erase_task, job.message);
    struct api_task *task = e->own.task;
    (void)shard;
    if (message->status != OMS_OK)
        refusal_add(&task->refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD,
                    "Too much is in flight: retry in a moment; nothing was erased");
    else if (e->written != OMS_OK)
        refusal_add(&task->refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD,
                    "The erasure log cannot be written: nothing was erased");
    if (task->refusals.count)
        answer(&e->own);
    else
        erase_page(e);
}

static void write_down(struct erase_task *e)
{
    struct api_shard *as = e->own.task->request->as;
    struct http_erasures *erasures = erasures_of(e);
    if (!erasures) {
        erase_page(e);
        return;
    }
    e->purge.everything = http_erasures_pending(erasures);
    e->job.run = write_run;
    e->job.tenant = e->own.task->tenant->number;
    e->job.message.home = (uint16_t)rt_shard_index(as->shard);
    e->job.message.on_return = write_returned;
    as->api->config.host->ops->offload(as->api->config.host, RT_POOL_SLOW, &e->job);
}

/* ---- finding, in the read pool ---- */

/* Whether the creation lies in the log without being sealed, as stores wrote it before there were keys. */
static bool is_unsealed(const struct erase_task *e, struct store_engine *engine, struct store_view *view,
                        const unsigned char id[IDS_ORDER_SIZE])
{
    uint16_t partition = store_partition_of(e->own.task->tenant->number);
    struct rt_address address;
    struct store_timeline_item item;
    struct store_record record = {0};
    struct oms_arena arena;
    struct oms_buf bytes;
    enum oms_status status = OMS_OK;
    ids_order_address(e->own.task->tenant->number, id, &address);
    oms_arena_init(&arena, 4096, OMS_UNIT_BYTES_MAX);
    oms_buf_init(&bytes, OMS_UNIT_BYTES_MAX);
    struct store_timeline *timeline = store_timeline_open(engine, view, &address, 0);
    if (store_timeline_next(timeline, &item, &status))
        status = engine->ops->view_log_get(view, partition, item.commit, &bytes);
    store_timeline_close(timeline);
    if (status == OMS_OK)
        status = store_record_decode(partition, item.commit, oms_buf_str(&bytes), &arena, &record);
    oms_buf_fini(&bytes);
    oms_arena_fini(&arena);
    return status == OMS_OK && !record.sealed.len;
}

static void consider(struct erase_task *e, const struct order *order, struct store_engine *engine,
                     struct store_view *view)
{
    struct erasure_report *report = &e->report;
    report->examined++;
    if (order->erased_event && order->erased_event == order->event_count) {
        report->already++;
        return;
    }
    if (order_live(order) && !e->force) {
        if (report->open_told < OMS_ERASE_TOLD_MAX)
            report->open[report->open_told++] = oms_str_copy(&e->own.task->call.arena, order->order_id);
        report->open_count++;
        return;
    }
    e->status = ids_order_parse(order->order_id, e->orders[e->order_count]);
    if (e->status == OMS_OK && is_unsealed(e, engine, view, e->orders[e->order_count]))
        report->unsealed++;
    e->order_count++;
}

static void find_listed(struct erase_task *e, struct store_engine *engine, struct store_view *view)
{
    struct order_page page = {.has_next = true};
    while (e->status == OMS_OK && page.has_next && e->report.examined < e->walk_max) {
        uint64_t left = e->walk_max - e->report.examined;
        e->list.limit = left < OMS_PAGE_SIZE_MAX ? (unsigned)left : OMS_PAGE_SIZE_MAX;
        e->status = order_list_run(engine, view, &e->list, &e->own.task->call.arena, &page);
        if (e->status != OMS_OK)
            return;
        bool short_page = page.count < e->list.limit; /* it ended at the bound of what may be looked at */
        for (size_t i = 0; e->status == OMS_OK && i < page.count; i++)
            consider(e, page.rows[i].order, engine, view);
        if (oms_str_present(page.end_cursor))
            e->report.cursor = page.end_cursor;
        e->list.cursor = e->report.cursor;
        e->report.has_next = page.has_next;
        order_page_fini(&page);
        if (short_page)
            return;
    }
}

static void find_named(struct erase_task *e, struct store_engine *engine, struct store_view *view)
{
    for (size_t i = 0; e->status == OMS_OK && i < e->ids->list.count; i++) {
        unsigned char id[IDS_ORDER_SIZE], key[STORE_ADDRESS_KEY_SIZE];
        struct rt_address address;
        struct oms_buf bytes;
        if (ids_order_parse(e->ids->list.items[i].text, id) != OMS_OK) {
            e->bad_id = true;
            continue;
        }
        ids_order_address(e->own.task->tenant->number, id, &address);
        store_address_key(&address, key);
        oms_buf_init(&bytes, ORDER_ARENA_MAX);
        struct order *order = order_create();
        e->status = engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &bytes);
        if (e->status == OMS_OK)
            e->status = order_thaw(oms_buf_str(&bytes), order);
        if (e->status == OMS_OK) {
            consider(e, order, engine, view);
        } else if (e->status == OMS_NOT_FOUND) {
            e->bad_id = true;
            e->status = OMS_OK;
        }
        order_destroy(order);
        oms_buf_fini(&bytes);
    }
}

static void find_run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct erase_task *e = OMS_CONTAINER_OF(read, struct erase_task, read);
    if (e->ids)
        find_named(e, engine, view);
    else
        find_listed(e, engine, view);
}

static void found(struct rt_shard *shard, struct rt_message *message)
{
    struct erase_task *e = OMS_CONTAINER_OF(message, struct erase_task, read.job.message);
    struct api_task *task = e->own.task;
    (void)shard;
    if (message->status != OMS_OK)
        refusal_add(&task->refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD,
                    "Too many reads are in flight: retry in a moment; nothing was erased");
    else if (e->status == OMS_INVALID)
        refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("after"),
                    "This is no cursor of this list");
    else if (e->status != OMS_OK) {
        api_task_fail(task, "INTERNAL", "The store cannot be read");
        return;
    } else if (e->bad_id)
        refusal_add(&task->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("orderIds"),
                    "There is no such order among them: nothing was erased");
    else if (!api_tenant_may(task, PERMISSION_ERASE_CUSTOMER)) /* withdrawn meanwhile */
        refusal_add(&task->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                    "This needs the permission erase_customer");
    e->walked = !task->refusals.count;
    if (task->refusals.count)
        answer(&e->own);
    else if (e->order_count)
        write_down(e);
    else
        forget_user(e);
}

/* ---- the input ---- */

/* A filter of one text under one name; false when memory is exhausted. */
static bool filter_by(struct erase_task *e, const char *name, struct oms_str text)
{
    struct oms_arena *arena = &e->own.task->call.arena;
    struct oms_value *item = oms_arena_calloc(arena, 1, sizeof(*item));
    struct oms_field *field = oms_arena_calloc(arena, 1, sizeof(*field));
    struct access *access = oms_arena_calloc(arena, 1, sizeof(*access));
    struct refusal_list refusals;
    if (!item || !field || !access)
        return false;
    *item = (struct oms_value){.kind = OMS_VALUE_STRING, .text = text};
    field->name = oms_str_of(name);
    field->value.kind = OMS_VALUE_LIST;
    field->value.list.items = item;
    field->value.list.count = 1;
    struct oms_value filter = {.kind = OMS_VALUE_OBJECT, .object = {.fields = field, .count = 1}};
    access->unscoped = access->any = PERMISSION_ALL; /* erase_customer reaches every order of the tenant */
    e->list.access = access;
    e->list.tenant = e->own.task->tenant->number;
    refusal_list_init(&refusals, arena);
    return order_filter_parse(&filter, arena, &e->list.filter, &refusals) == OMS_OK;
}

static void read_who(struct erase_task *e)
{
    struct api_task *task = e->own.task;
    const struct oms_value *customer = given(task, "customerId"), *email = given(task, "email");
    e->ids = given(task, "orderIds");
    if ((customer != NULL) + (email != NULL) + (e->ids != NULL) != 1)
        refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD,
                    "Exactly one of customerId, email and orderIds says who is erased");
    else if ((customer && !customer->text.len) || (email && !email->text.len))
        refusal_add(&task->refusals, REFUSAL_REQUIRED,
                    customer ? REFUSAL_FIELD("customerId") : REFUSAL_FIELD("email"),
                    "An empty text names nobody");
    else if (e->ids && (!e->ids->list.count || e->ids->list.count > OMS_ERASE_PAGE_MAX))
        refusal_add(&task->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("orderIds"),
                    "1 to %d orders at a time", OMS_ERASE_PAGE_MAX);
    else if (!e->ids &&
             !filter_by(e, customer ? "customerId" : "email", customer ? customer->text : email->text))
        refusal_add(&task->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD, "The input is too large");
}

static bool read_input(struct erase_task *e)
{
    struct api_task *task = e->own.task;
    const struct oms_value *first = given(task, "first"), *force = given(task, "force");
    const struct oms_value *after = given(task, "after");
    read_who(e);
    if (first && (first->integer < 1 || first->integer > OMS_ERASE_PAGE_MAX))
        refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("first"), "first is 1 to %d",
                    OMS_ERASE_PAGE_MAX);
    e->force = force && force->boolean;
    e->walk_max = first ? (uint64_t)first->integer : OMS_ERASE_PAGE_MAX;
    e->list.cursor = after ? after->text : OMS_STR_NONE;
    return !task->refusals.count;
}

static void start_erase(struct api_task *task)
{
    struct erase_task *e = OMS_ARENA_NEW(&task->call.arena, struct erase_task);
    if (!e) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return;
    }
    memset(e, 0, sizeof(*e));
    e->own.answer = answer;
    if (!api_tenant_begin(&e->own, task, PERMISSION_ERASE_CUSTOMER))
        return;
    e->orders =
        oms_arena_calloc(&task->call.arena, OMS_ERASE_PAGE_MAX + OMS_PAGE_SIZE_MAX, sizeof(e->orders[0]));
    if (!e->orders) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return;
    }
    if (!read_input(e)) {
        answer(&e->own);
        return;
    }
    struct api_shard *as = task->request->as;
    e->read.run = find_run;
    e->read.job.message.home = (uint16_t)rt_shard_index(as->shard);
    e->read.job.message.on_return = found;
    e->read.job.tenant = task->tenant->number;
    store_read(actors_store(as->api->config.system), as->shard, &e->read);
}

/* ---- resolvers ---- */

static const void *payload_report(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct erase_payload *)parent)->report;
}

static bool is_complete(const struct erasure_report *report)
{
    return !report->has_next && !report->failed && !report->open_count && !report->user_left &&
           report->purged;
}

API_LEAF_FN(report_examined, struct erasure_report, api_write_int(out, (int64_t)p->examined))
API_LEAF_FN(report_erased, struct erasure_report, api_write_int(out, (int64_t)p->erased))
API_LEAF_FN(report_already, struct erasure_report, api_write_int(out, (int64_t)p->already))
API_LEAF_FN(report_failed, struct erasure_report, api_write_int(out, (int64_t)p->failed))
API_LEAF_FN(report_unsealed, struct erasure_report, api_write_int(out, (int64_t)p->unsealed))
API_LEAF_FN(report_purged, struct erasure_report, api_write_bool(out, p->purged))
API_LEAF_FN(report_user_left, struct erasure_report, api_write_bool(out, p->user_left))
API_LEAF_FN(report_complete, struct erasure_report, api_write_bool(out, is_complete(p)))
API_LEAF_FN(report_cursor, struct erasure_report, api_write_text(out, p->cursor))
API_LEAF_FN(report_next, struct erasure_report, api_write_bool(out, p->has_next))

static bool write_open(const struct erasure_report *report, struct oms_buf *out)
{
    oms_buf_append_char(out, '[');
    for (size_t i = 0; i < report->open_told; i++) {
        if (i)
            oms_buf_append_char(out, ',');
        api_write_text(out, report->open[i]);
    }
    oms_buf_append_char(out, ']');
    return true;
}

API_LEAF_FN(report_open, struct erasure_report, write_open(p, out))

static const struct api_root_op op_erase = {start_erase, ORDER_COMMAND_NONE};

static const struct gql_binding bindings[] = {
    {"Mutation.eraseCustomer", GQL_ROOT, 0, {.host = &op_erase}},
    API_OBJECT("EraseCustomerPayload.erasure", payload_report),
    API_LEAF("CustomerErasure.examined", report_examined),
    API_LEAF("CustomerErasure.erased", report_erased),
    API_LEAF("CustomerErasure.already", report_already),
    API_LEAF("CustomerErasure.failed", report_failed),
    API_LEAF("CustomerErasure.unsealed", report_unsealed),
    API_LEAF("CustomerErasure.openOrders", report_open),
    API_LEAF("CustomerErasure.purged", report_purged),
    API_LEAF("CustomerErasure.userAuthorizationLeft", report_user_left),
    API_LEAF("CustomerErasure.complete", report_complete),
    API_LEAF("CustomerErasure.endCursor", report_cursor),
    API_LEAF("CustomerErasure.hasNextPage", report_next),
};

void api_bind_privacy(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
