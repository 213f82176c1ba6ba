/* One root field's work: made here, sent to an order or to the read pool, and counted in when it is home. */
#include <stdarg.h>
#include <stdio.h>

#include "actors/ids.h"
#include "actors/order.h"
#include "actors/order_codec.h"
#include "http/api/fan.h"
#include "http/api/request.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define TASK_ARENA_CHUNK 8192
#define TASK_OUT_KEPT    (64u << 10) /* a larger buffer is given back, so that one huge page does not stay */
#define FREE_TASKS_MAX   4096
#define READ_REPEATS_MAX 4 /* of a read whose tenant changes under it again and again */

/* ---- life ---- */

static struct api_task *task_create(void)
{
    struct api_task *task = oms_calloc(1, sizeof(*task));
    oms_arena_init(&task->call.arena, TASK_ARENA_CHUNK, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&task->call.out, OMS_RESPONSE_BYTES_MAX);
    oms_buf_init(&task->call.frozen, ORDER_ARENA_MAX);
    return task;
}

static void task_destroy(struct api_task *task)
{
    oms_arena_fini(&task->call.arena);
    oms_buf_fini(&task->call.out);
    oms_buf_fini(&task->call.frozen);
    oms_free(task);
}

struct api_task *api_task_take(struct api_request *request, size_t root)
{
    struct api_shard *as = request->as;
    struct api_task *task = as->free_tasks;
    if (task) {
        as->free_tasks = task->next;
        as->free_count--;
    } else {
        task = task_create();
    }
    task->request = request;
    task->root = root;
    task->field = gql_request_root(request->gql, root);
    task->outcome = GQL_FIELD_NULL;
    gql_errors_init(&task->errors, &task->call.arena);
    return task;
}

static void buf_recycle(struct oms_buf *buf)
{
    if (buf->cap > TASK_OUT_KEPT) {
        size_t max = buf->max;
        oms_buf_fini(buf);
        oms_buf_init(buf, max);
    }
    oms_buf_reset(buf);
}

_Static_assert(offsetof(struct api_task, command) + sizeof(struct order_command) == sizeof(struct api_task),
               "nothing lies behind what is not cleared");

void api_task_recycle(struct api_task *task)
{
    struct api_shard *as = task->request->as;
    if (task->fan)
        api_fan_recycle(task->fan);
    tenant_version_release(task->tenant);
    user_version_release(task->principal.own);
    if (as->free_count >= FREE_TASKS_MAX) {
        task_destroy(task);
        return;
    }
    oms_arena_reset(&task->call.arena);
    buf_recycle(&task->call.out);
    buf_recycle(&task->call.frozen);
    struct oms_arena arena = task->call.arena;
    struct oms_buf out = task->call.out, frozen = task->call.frozen;
    memset(task, 0, offsetof(struct api_task, command));
    task->command.type = ORDER_COMMAND_NONE;
    task->call.arena = arena;
    task->call.out = out;
    task->call.frozen = frozen;
    task->next = as->free_tasks;
    as->free_tasks = task;
    as->free_count++;
}

void api_tasks_fini(struct api_shard *as)
{
    while (as->free_tasks) {
        struct api_task *task = as->free_tasks;
        as->free_tasks = task->next;
        task_destroy(task);
    }
}

void api_task_fault(struct api_task *task, const char *code, const char *message)
{
    if (task->part_of) {
        api_fan_fault(task, code, message);
        return;
    }
    oms_buf_reset(&task->call.out);
    task->outcome =
        gql_execute_failed(task->request->gql, task->root, code, message, &task->call.out, &task->errors);
}

void api_task_fail(struct api_task *task, const char *code, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    api_task_fault(task, code, message);
    api_task_finish(task);
}

/* ---- executing ---- */

void api_task_execute(struct api_task *task, const void *value)
{
    if (task->part_of) {
        api_fan_execute(task, value);
        return;
    }
    task->outcome =
        gql_execute(task->request->gql, task->root, value, &task->scene, &task->call.out, &task->errors);
}

/* ---- tenants ---- */

bool api_task_tenant(struct api_task *task, struct oms_str requested)
{
    struct api_request *request = task->request;
    const struct api_config *config = &request->as->api->config;
    struct oms_str name;
    enum http_tenant_fault fault =
        http_claims_tenant(request->claims, request->tenant_header, requested, config->single_tenant, &name);
    if (fault != HTTP_TENANT_FINE) {
        api_task_fail(task, fault == HTTP_TENANT_REQUIRED ? "TENANT_REQUIRED" : "FORBIDDEN", "%s",
                      http_tenant_fault_message(fault));
        return false;
    }
    const struct tenant_version *tenant = actors_tenant_by_name(request->as->shard, name);
    if (!tenant || tenant->status == TENANT_REMOVED) {
        /* The same words as for a tenant that the token does not cover: whether it exists is nobody's
         * business. */
        api_task_fail(task, "FORBIDDEN", "%s", http_tenant_fault_message(HTTP_TENANT_FORBIDDEN));
        return false;
    }
    api_task_under(task, tenant);
    return true;
}

void api_task_under(struct api_task *task, const struct tenant_version *tenant)
{
    struct rt_shard *shard = task->request->as->shard;
    const struct tenant_version *before = task->tenant;
    const struct user_version *own = task->principal.own;
    task->tenant = tenant_version_hold(tenant);
    tenant_version_release(before);
    http_claims_principal(task->request->claims, tenant->number, &task->principal);
    actors_principal_own(shard, &task->principal);
    user_version_hold(task->principal.own);
    user_version_release(own);
}

/* ---- calls to orders ---- */

/* On the order's shard. */
static void render(struct order_call *call, const struct order_reply *reply)
{
    struct api_task *task = OMS_CONTAINER_OF(call, struct api_task, call);
    struct api_order order = {.node = API_NODE_ORDER, .order = reply->order, .on = reply->on};
    task->scene = (struct api_scene){.tenant = reply->tenant,
                                     .principal = reply->principal,
                                     .access = reply->access,
                                     .now_ms = reply->now_ms,
                                     .arena = &call->arena};
    if (!task->is_mutation) {
        api_task_execute(task, reply->order ? &order : NULL);
        return;
    }
    struct api_payload payload = {.client_mutation_id = task->client_mutation_id,
                                  .refusals = reply->refusals,
                                  .order = reply->order ? &order : NULL,
                                  .replayed = reply->replayed,
                                  .created = reply->created};
    api_task_execute(task, &payload);
}

/*
 * In the read pool: the same from the order's frozen bytes, where the store can be read. Whether the caller
 * may see it is asked again: the order's shard has answered that before the wait for the pool.
 */
static void render_frozen(struct api_task *task)
{
    struct order_call *call = &task->call;
    struct api_order *order = NULL;
    if (call->frozen.len) {
        struct order *thawed = order_create();
        struct rt_address address;
        ids_order_address(task->tenant->number, task->id, &address);
        enum oms_status status = order_thaw(oms_buf_str(&call->frozen), thawed);
        if (status == OMS_OK)
            status = order_history_merge_notes(task->scene.engine, task->scene.view, &address, thawed);
        order = api_pages_keep(&task->scene, thawed);
        if (status != OMS_OK || !order) {
            api_task_fault(task, "INTERNAL", "The order cannot be read");
            return;
        }
        if (!api_pages_may_see(&task->scene, thawed, &order->on))
            order = NULL;
    }
    if (!task->is_mutation) {
        api_task_execute(task, order);
        return;
    }
    struct api_payload payload = {.client_mutation_id = task->client_mutation_id,
                                  .refusals = &call->frozen_refusals,
                                  .order = order,
                                  .replayed = call->replayed,
                                  .created = call->created};
    api_task_execute(task, &payload);
}

/* A mutation that could not be run at all answers in its payload, a read in the top-level errors. */
static void answer_unrun(struct api_task *task, enum refusal_code code, const char *gql_code,
                         const char *message)
{
    if (!task->is_mutation) {
        api_task_fail(task, gql_code, "%s", message);
        return;
    }
    struct refusal_list refusals;
    refusal_list_init(&refusals, &task->call.arena);
    refusal_add(&refusals, code, REFUSAL_NO_FIELD, "%s", message);
    struct api_payload payload = {.client_mutation_id = task->client_mutation_id, .refusals = &refusals};
    oms_buf_reset(&task->call.out);
    api_task_execute(task, &payload);
    api_task_finish(task);
}

static void call_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct api_task *task = OMS_CONTAINER_OF(message, struct api_task, call.message);
    enum order_call_result result = task->call.result;
    (void)shard;
    if (message->status != OMS_OK)
        result = ORDER_CALL_BUSY;
    switch (result) {
    case ORDER_CALL_DONE:
        if (task->call.was_frozen) {
            task->run = render_frozen;
            api_task_read(task);
        } else {
            api_task_finish(task);
        }
        break;
    case ORDER_CALL_UNKNOWN:
        answer_unrun(task, REFUSAL_OUTCOME_UNKNOWN, "OUTCOME_UNKNOWN",
                     "The write failed, so its outcome is unknown: retry with the same idempotency key");
        break;
    case ORDER_CALL_BUSY:
        answer_unrun(task, REFUSAL_BUSY, "BUSY",
                     "Too much is in flight: retry in a moment; nothing was changed");
        break;
    case ORDER_CALL_NO_SPACE:
        answer_unrun(task, REFUSAL_BUSY, "BUSY",
                     "The disk is full: nothing was changed; retry when there is room again");
        break;
    case ORDER_CALL_STOPPING:
        answer_unrun(
            task, REFUSAL_BUSY, "BUSY",
            "The server is stopping because a write failed: nothing was changed; retry when it is back");
        break;
    case ORDER_CALL_FAULT:
        api_task_fail(task, "INTERNAL", "The stored order cannot be read");
        break;
    }
}

void api_task_call(struct api_task *task, enum order_call_kind kind)
{
    struct order_call *call = &task->call;
    call->kind = kind;
    call->principal = &task->principal;
    call->command = kind == ORDER_CALL_COMMAND ? &task->command : NULL;
    call->command_type = task->command.type;
    call->render = render;
    call->freeze = task->field->needs & GQL_NEEDS_STORE   ? ORDER_CALL_FREEZE_ALWAYS
                   : task->field->needs & API_NEEDS_NOTES ? ORDER_CALL_FREEZE_FOR_NOTES
                                                          : ORDER_CALL_FREEZE_NEVER;
    call->message.on_return = call_returned;
    ids_order_address(task->tenant->number, task->id, &call->message.to);
    order_call_send(task->request->as->shard, call);
}

/* ---- reads in the pool ---- */

static void read_run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct api_task *task = OMS_CONTAINER_OF(read, struct api_task, read);
    struct access *access = OMS_ARENA_NEW(&task->call.arena, struct access);
    task->scene.engine = engine;
    task->scene.view = view;
    task->scene.tenant = task->tenant;
    task->scene.principal = &task->principal;
    task->scene.arena = &task->call.arena;
    task->scene.rows = &task->request->rows;
    if (!access ||
        !permission_evaluate(&task->tenant->permissions, &task->principal, &task->call.arena, access)) {
        api_task_fault(task, "INTERNAL", "The answer is too large");
        return;
    }
    task->scene.access = access;
    task->run(task);
    api_pages_release(&task->scene);
}

/* The command is decided, and stored if it was accepted; only its order cannot be shown. Saying BUSY alone
 * would invite to repeat what has been done. */
static void answer_unshown(struct api_task *task)
{
    struct api_payload payload = {.client_mutation_id = task->client_mutation_id,
                                  .refusals = &task->call.frozen_refusals,
                                  .replayed = task->call.replayed,
                                  .created = task->call.created};
    oms_buf_reset(&task->call.out);
    api_task_execute(task, &payload);
    (void)gql_errors_add(
        &task->errors, "BUSY",
        "Too many reads are in flight to show the order: the outcome stands, do not repeat the "
        "command; read the order in a moment");
    api_task_finish(task);
}

/*
 * Whether the tenant, or what is stored of the user, changed while the read waited and ran: then what it
 * shows was allowed by a version that is over, and a withdrawal may have been answered since. Holds the
 * current version for another read; NULL when there is none to read under.
 */
static bool tenant_moved(struct api_task *task, const struct tenant_version **now)
{
    struct principal who = task->principal;
    *now = actors_tenant(task->request->as->shard, task->tenant->number);
    actors_principal_own(task->request->as->shard, &who);
    if (*now == task->tenant && who.own == task->principal.own)
        return false;
    if (!*now || (*now)->status == TENANT_REMOVED || task->read_repeats == READ_REPEATS_MAX)
        *now = NULL;
    return true;
}

static void read_again(struct api_task *task, const struct tenant_version *tenant)
{
    api_task_under(task, tenant);
    task->read_repeats++;
    oms_buf_reset(&task->call.out);
    gql_errors_init(&task->errors, &task->call.arena);
    api_task_read(task);
}

static void read_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct api_task *task = OMS_CONTAINER_OF(message, struct api_task, read.job.message);
    const struct tenant_version *now = NULL;
    bool ran = message->status == OMS_OK, moved = ran && tenant_moved(task, &now);
    (void)shard;
    if (ran && !moved)
        api_task_finish(task);
    else if (now)
        read_again(task, now);
    else if (task->is_mutation)
        answer_unshown(task);
    else if (moved)
        api_task_fail(task, "BUSY", "The tenant is being changed: retry in a moment");
    else
        api_task_fail(task, "BUSY", "Too many reads are in flight: retry in a moment");
}

void api_task_read(struct api_task *task)
{
    struct api_shard *as = task->request->as;
    memset(&task->read, 0, sizeof(task->read));
    task->scene.now_ms = rt_now_ms(as->api->config.host);
    task->read.run = read_run;
    task->read.job.message.home = (uint16_t)rt_shard_index(as->shard);
    task->read.job.message.on_return = read_returned;
    task->read.job.tenant = task->tenant->number;
    store_read(actors_store(as->api->config.system), as->shard, &task->read);
}
