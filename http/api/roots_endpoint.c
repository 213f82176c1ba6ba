/*
 * Endpoints of webhooks: making, changing and deleting them (changes of the tenant), and asking and telling
 * those who deliver (http/outhook/call.h).
 *
 * A secret is made here and leaves in the answer that makes it; a repeat of that call, by its idempotency
 * key, tells it again, since the first answer may be what was lost.
 */
#include "actors/ids.h"
#include "actors/order_input.h"
#include "http/api/resolve_endpoint.h"
#include "http/api/roots_tenant.h"
#include "http/outhook/signing.h"
#include "http/outhook_settings.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/prng.h"

#define OVERLAP_DEFAULT_S (24 * 3600)

/* Value of the payloads. */
struct endpoint_payload {
    struct api_tenant_payload shared;    /* first: see there */
    const struct api_endpoint *endpoint; /* NULL: none, or not told */
    struct oms_str secret;               /* absent: not told */
    struct oms_str deleted;              /* its id; absent: it was not */
    const struct outlet_try *attempt;    /* of a test; NULL: there was none */
    size_t count;                        /* dead letters that are sent again */
};

enum endpoint_op { OP_CREATE, OP_UPDATE, OP_DELETE, OP_ROTATE, OP_TEST, OP_REDELIVER, OP_REPLAY };

struct endpoint_task {
    struct api_tenant_task own;
    enum endpoint_op op;
    struct tenant_endpoint wanted;
    bool has_url, has_description, has_filter, has_enabled;
    int64_t overlap_s;
    char id[TENANT_ENDPOINT_ID_SIZE];
    char secret[OUTHOOK_SECRET_TEXT_SIZE];
    struct outhook_call call; /* TEST, REDELIVER, REPLAY */
    struct api_endpoint *items;
    size_t count, left; /* of the items; those that are not looked at yet */
    void (*looked)(struct endpoint_task *e);
};

static const struct oms_value *given(const struct api_task *task, const char *name)
{
    return oms_value_get_set(oms_value_get_set(task->field->args, "input"), name);
}

static struct endpoint_task *task_of(struct api_tenant_task *own)
{
    return OMS_CONTAINER_OF(own, struct endpoint_task, own);
}

/* ---- looking at endpoints ---- */

/* Where a call of the task comes back to: its items know their place, the list knows the task. */
struct look {
    struct api_endpoint item; /* first */
    struct endpoint_task *of;
};

static void looked_at(struct rt_shard *home, struct outhook_call *call)
{
    struct api_endpoint *item = OMS_CONTAINER_OF(call, struct api_endpoint, look);
    struct look *look = (struct look *)item;

    (void)home;
    if (--look->of->left == 0)
        look->of->looked(look->of);
}

static const struct api_endpoint *item_at(const struct endpoint_task *e, size_t index)
{
    return &((const struct look *)(const void *)e->items)[index].item;
}

/* Asks how the endpoints stand; e->looked is called when all have answered. */
static void look_at(struct endpoint_task *e, const struct tenant_endpoint *endpoints, size_t count)
{
    struct api_task *task = e->own.task;
    struct api *api = task->request->as->api;
    struct look *looks = oms_arena_calloc(&task->call.arena, count + 1, sizeof(*looks));

    if (!looks)
        count = 0;
    e->items = (struct api_endpoint *)looks;
    e->count = count;
    e->left = count;
    for (size_t i = 0; i < count; i++)
        looks[i] = (struct look){.item = {.endpoint = &endpoints[i]}, .of = e};
    for (size_t i = 0; i < count; i++) {
        struct outhook_call *call = &looks[i].item.look;

        call->op = OUTHOOK_LOOK;
        call->tenant = task->tenant->number;
        call->done = looked_at;
        (void)tenant_endpoint_id_parse(endpoints[i].id, call->key);
        api->outhook_call(api->outhook_context, task->request->as->shard, call);
    }
    if (!count)
        e->looked(e);
}

static void release_looks(struct endpoint_task *e)
{
    for (size_t i = 0; i < e->count; i++)
        outhook_call_fini(&((struct look *)e->items)[i].item.look);
}

/* ---- answers of mutations ---- */

static void execute(struct endpoint_task *e)
{
    struct api_task *task = e->own.task;
    struct endpoint_payload payload = {.secret = OMS_STR_NONE, .deleted = OMS_STR_NONE};
    const struct tenant_version *shown = task->tenant; /* what was looked at lives in it */
    bool fine = !task->refusals.count;

    tenant_version_hold(shown);
    api_tenant_payload_init(&e->own, &payload.shared);
    if (fine && e->count) {
        payload.endpoint = item_at(e, 0);
        if (e->op == OP_CREATE || e->op == OP_ROTATE)
            payload.secret = payload.endpoint->endpoint->secrets[0].text;
    }
    if (fine && e->op == OP_DELETE)
        payload.deleted = e->wanted.id;
    if (fine && e->op == OP_TEST)
        payload.attempt = &e->call.attempt;
    payload.count = e->call.count;
    api_task_execute(task, &payload);
    release_looks(e);
    tenant_version_release(shown);
    api_task_finish(task);
}

static void say(const struct endpoint_task *e)
{
    static const char *const events[] = {
        [OP_CREATE] = "webhook_endpoint.created",  [OP_UPDATE] = "webhook_endpoint.updated",
        [OP_DELETE] = "webhook_endpoint.deleted",  [OP_ROTATE] = "webhook_endpoint.secret_rotated",
        [OP_TEST] = "webhook_endpoint.tested",     [OP_REDELIVER] = "webhook_endpoint.redelivered",
        [OP_REPLAY] = "webhook_endpoint.replayed",
    };
    const struct api_task *task = e->own.task;

    OMS_LOG(OMS_LOG_INFO, events[e->op], OMS_LOG_STR("tenant", task->tenant->name),
            OMS_LOG_STR("endpoint", e->wanted.id), OMS_LOG_STR("subject", task->principal.subject));
}

/* The id of an endpoint that was, or is to be, created under this change's idempotency key. */
static void make_id(struct endpoint_task *e)
{
    unsigned char random[TENANT_ENDPOINT_KEY_BYTES];

    if (e->own.change.has_key)
        memcpy(random, &e->own.change.key.lo, sizeof(random));
    else
        oms_random_bytes(random, sizeof(random));
    tenant_endpoint_id(random, e->id);
    e->wanted.id = oms_str_make(e->id, sizeof(e->id));
}

static void answer(struct api_tenant_task *own)
{
    struct endpoint_task *e = task_of(own);
    struct api_task *task = own->task;
    const struct tenant_version *now = actors_tenant(task->request->as->shard, task->tenant->number);
    const struct tenant_endpoint *endpoint = NULL;

    e->looked = execute;
    if (now)
        api_task_under(task, now);
    if (!task->refusals.count) {
        if (e->op == OP_CREATE && own->call.replayed)
            make_id(e);
        if (!own->call.replayed)
            say(e);
        if (api_tenant_may(task, PERMISSION_MANAGE_WEBHOOKS))
            endpoint = tenant_find_endpoint(task->tenant, e->wanted.id);
    }
    look_at(e, endpoint, endpoint ? 1 : 0);
}

static struct endpoint_task *take(struct api_task *task, enum endpoint_op op)
{
    struct endpoint_task *e = OMS_ARENA_NEW(&task->call.arena, struct endpoint_task);

    if (!e || !task->request->as->api->outhook_call) {
        api_task_fail(task, "INTERNAL", e ? "This server sends no webhooks" : "The answer is too large");
        return NULL;
    }
    memset(e, 0, sizeof(*e));
    e->op = op;
    e->own.answer = answer;
    if (!api_tenant_begin(&e->own, task, PERMISSION_MANAGE_WEBHOOKS))
        return NULL;
    const struct oms_value *id = given(task, "endpointId");
    if (id)
        e->wanted.id = id->text;
    return e;
}

/* ---- what an endpoint is ---- */

static bool read_url(struct endpoint_task *e)
{
    struct api_task *task = e->own.task;
    const struct oms_value *url = given(task, "url");
    const struct http_outhook_settings *settings = task->request->as->api->config.outhook_settings;
    const char *why;

    if (!url)
        return true;
    e->has_url = true;
    e->wanted.url = url->text;
    why = outhook_url_fault(url->text, &settings->policy);
    return !why || refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("url"), "url %s", why);
}

static bool read_description(struct endpoint_task *e)
{
    struct api_task *task = e->own.task;
    const struct oms_value *value =
        oms_value_get(oms_value_get_set(task->field->args, "input"), "description");

    if (!value)
        return true;
    e->has_description = true;
    if (value->kind != OMS_VALUE_STRING)
        return true; /* null: it has none any more */
    e->wanted.description = value->text;
    for (size_t i = 0; i < value->text.len; i++)
        if ((unsigned char)value->text.data[i] < ' ' || value->text.data[i] == 0x7f)
            return refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("description"),
                               "description must have no control characters");
    return value->text.len <= OMS_NAME_BYTES_MAX ||
           refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("description"),
                       "description must have %d bytes at most", OMS_NAME_BYTES_MAX);
}

static bool read_filter(struct endpoint_task *e)
{
    struct api_task *task = e->own.task;
    const struct oms_value *value = oms_value_get(oms_value_get_set(task->field->args, "input"), "filter");
    const struct order_event_filter *filter;
    struct refusal_list faults;
    struct oms_buf text;
    bool fine;

    if (!value)
        return true;
    e->has_filter = true;
    if (value->kind != OMS_VALUE_OBJECT)
        return true; /* null: every event */
    refusal_list_init(&faults, &task->call.arena);
    if (order_event_filter_parse(value, &task->call.arena, &filter, &faults) != OMS_OK)
        return refusal_add(
            &task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("filter"), "%.*s",
            OMS_STR_ARG(faults.count ? faults.items[0].message : OMS_STR("The filter is too large")));
    oms_buf_init(&text, OMS_ENDPOINT_FILTER_BYTES_MAX);
    oms_value_write_json(value, &text);
    fine = !text.overflow;
    if (fine)
        e->wanted.filter = oms_str_copy(&task->call.arena, oms_buf_str(&text));
    oms_buf_fini(&text);
    return fine || refusal_add(&task->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("filter"),
                               "The filter is too large");
}

static void read_enabled(struct endpoint_task *e)
{
    const struct oms_value *enabled = given(e->own.task, "enabled");

    e->has_enabled = enabled != NULL;
    e->wanted.disabled = enabled && !enabled->boolean;
}

/* True when there is nothing to refuse; else it is answered. */
static bool read_endpoint(struct endpoint_task *e)
{
    (void)read_url(e);
    (void)read_description(e);
    (void)read_filter(e);
    read_enabled(e);
    if (!e->own.task->refusals.count)
        return true;
    answer(&e->own);
    return false;
}

/* ---- changes, on the tenant's shard ---- */

static struct endpoint_task *changing(const struct tenant_change *change)
{
    return task_of(
        OMS_CONTAINER_OF((struct tenant_change *)(uintptr_t)change, struct api_tenant_task, change));
}

static bool still_may(struct endpoint_task *e, struct tenant_version *wanted, struct refusal_list *refusals)
{
    struct access access;

    return (permission_evaluate(&wanted->permissions, &e->own.task->principal, &wanted->arena, &access) &&
            access_unscoped(&access, PERMISSION_MANAGE_WEBHOOKS)) ||
           refusal_add(refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                       "This needs the permission manage_webhooks");
}

static bool apply_create(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                         struct refusal_list *refusals)
{
    struct endpoint_task *e = changing(change);
    struct store *store = actors_store(e->own.task->request->as->api->config.system);

    if (!still_may(e, wanted, refusals))
        return false;
    make_id(e);
    if (tenant_find_endpoint(wanted, e->wanted.id)) /* one of 2^64 */
        return refusal_add(refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD, "Retry: the endpoint's id is taken");
    e->wanted.created_at = e->wanted.updated_at = now_ms;
    e->wanted.revision = 1;
    e->wanted.start = store_durable_commit(store, store_partition_of(wanted->number));
    return tenant_version_put_endpoint(wanted, &e->wanted, refusals);
}

/* The endpoint as it is, to be changed; false with NOT_FOUND. */
static bool copy_found(const struct endpoint_task *e, const struct tenant_version *wanted, int64_t now_ms,
                       struct tenant_endpoint *out, struct refusal_list *refusals)
{
    const struct tenant_endpoint *found = tenant_find_endpoint(wanted, e->wanted.id);

    if (!found)
        return refusal_add(refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("endpointId"),
                           "The tenant has no such webhook endpoint");
    *out = *found;
    out->revision++;
    out->updated_at = now_ms;
    return true;
}

static bool apply_update(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                         struct refusal_list *refusals)
{
    struct endpoint_task *e = changing(change);
    struct tenant_endpoint next;

    if (!still_may(e, wanted, refusals) || !copy_found(e, wanted, now_ms, &next, refusals))
        return false;
    if (e->has_url)
        next.url = e->wanted.url;
    if (e->has_description)
        next.description = e->wanted.description;
    if (e->has_filter)
        next.filter = e->wanted.filter;
    if (e->has_enabled)
        next.disabled = e->wanted.disabled;
    return tenant_version_put_endpoint(wanted, &next, refusals);
}

static bool apply_rotate(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                         struct refusal_list *refusals)
{
    struct endpoint_task *e = changing(change);
    struct tenant_endpoint next;

    if (!still_may(e, wanted, refusals) || !copy_found(e, wanted, now_ms, &next, refusals))
        return false;
    next.secrets[1] = next.secrets[0];
    next.secrets[1].until = now_ms + e->overlap_s * 1000;
    next.secrets[0] = e->wanted.secrets[0];
    next.secret_count = e->overlap_s ? 2 : 1;
    return tenant_version_put_endpoint(wanted, &next, refusals);
}

static bool apply_delete(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                         struct refusal_list *refusals)
{
    struct endpoint_task *e = changing(change);

    (void)now_ms;
    return still_may(e, wanted, refusals) && tenant_version_delete_endpoint(wanted, e->wanted.id, refusals);
}

static void make_secret(struct endpoint_task *e)
{
    outhook_secret_make(e->secret);
    e->wanted.secrets[0] = (struct tenant_secret){.text = oms_str_make(e->secret, sizeof(e->secret))};
    e->wanted.secret_count = 1;
}

static void start_create(struct api_task *task)
{
    struct endpoint_task *e = take(task, OP_CREATE);

    if (!e || !read_endpoint(e))
        return;
    make_secret(e);
    e->own.change.apply = apply_create;
    api_tenant_send(&e->own);
}

static void start_update(struct api_task *task)
{
    struct endpoint_task *e = take(task, OP_UPDATE);

    if (!e || !read_endpoint(e))
        return;
    e->own.change.apply = apply_update;
    e->own.also_suspended = true; /* its deliveries go on, so they can be stopped */
    api_tenant_send(&e->own);
}

static void start_delete(struct api_task *task)
{
    struct endpoint_task *e = take(task, OP_DELETE);

    if (!e)
        return;
    e->own.change.apply = apply_delete;
    e->own.also_suspended = true;
    api_tenant_send(&e->own);
}

static void start_rotate(struct api_task *task)
{
    struct endpoint_task *e = take(task, OP_ROTATE);

    if (!e)
        return;
    const struct oms_value *overlap = given(task, "previousValidForSeconds");
    e->overlap_s = overlap ? overlap->integer : OVERLAP_DEFAULT_S;
    if (e->overlap_s < 0 || e->overlap_s > OMS_ENDPOINT_OVERLAP_MAX_S) {
        refusal_add(&task->refusals, REFUSAL_INVALID, REFUSAL_FIELD("previousValidForSeconds"),
                    "previousValidForSeconds must be 0 to %d", OMS_ENDPOINT_OVERLAP_MAX_S);
        answer(&e->own);
        return;
    }
    make_secret(e);
    e->own.change.apply = apply_rotate;
    e->own.also_suspended = true; /* a secret that leaked must not stay because the tenant sleeps */
    api_tenant_send(&e->own);
}

/* ---- what those who deliver are told ---- */

static void told(struct rt_shard *home, struct outhook_call *call)
{
    struct endpoint_task *e = OMS_CONTAINER_OF(call, struct endpoint_task, call);
    struct refusal_list *refusals = &e->own.task->refusals;

    (void)home;
    switch (call->result) {
    case OUTHOOK_DONE:
        break;
    case OUTHOOK_MISSING:
        refusal_add(refusals, REFUSAL_NOT_FOUND,
                    e->op == OP_REDELIVER ? REFUSAL_FIELD("cursor") : REFUSAL_FIELD("endpointId"),
                    e->op == OP_REDELIVER ? "The endpoint has no dead letter with this cursor"
                                          : "The tenant has no such webhook endpoint");
        break;
    case OUTHOOK_BEYOND:
        refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("after"),
                    "The cursor lies beyond the end of the log");
        break;
    case OUTHOOK_BUSY:
        refusal_add(refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD,
                    "Too much is in flight: retry in a moment; nothing was changed");
        break;
    case OUTHOOK_UNKNOWN:
        refusal_add(refusals, REFUSAL_OUTCOME_UNKNOWN, REFUSAL_NO_FIELD,
                    "The write failed, so its outcome is unknown: retry");
        break;
    }
    answer(&e->own);
}

static void tell(struct endpoint_task *e, enum outhook_op op, const struct oms_value *cursor,
                 const char *field)
{
    struct api_task *task = e->own.task;
    struct api *api = task->request->as->api;

    e->call.op = op;
    e->call.tenant = task->tenant->number;
    e->call.done = told;
    if (!tenant_endpoint_id_parse(e->wanted.id, e->call.key) ||
        !tenant_find_endpoint(task->tenant, e->wanted.id))
        refusal_add(&task->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("endpointId"),
                    "The tenant has no such webhook endpoint");
    else if (cursor && ids_cursor_parse(cursor->text, &e->call.at) != OMS_OK)
        refusal_add(&task->refusals, REFUSAL_INVALID, refusal_field(&task->refusals, "%s", field),
                    "This is not a cursor of this server");
    if (task->refusals.count)
        answer(&e->own);
    else
        api->outhook_call(api->outhook_context, task->request->as->shard, &e->call);
}

static void start_test(struct api_task *task)
{
    struct endpoint_task *e = take(task, OP_TEST);

    if (e)
        tell(e, OUTHOOK_TEST, NULL, NULL);
}

static void start_redeliver(struct api_task *task)
{
    struct endpoint_task *e = take(task, OP_REDELIVER);

    if (e)
        tell(e, OUTHOOK_REDELIVER, given(task, "cursor"), "cursor");
}

static void start_replay(struct api_task *task)
{
    struct endpoint_task *e = take(task, OP_REPLAY);

    if (e)
        tell(e, OUTHOOK_REPLAY, given(task, "after"), "after");
}

/* ---- queries ---- */

static const void *list_item(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return item_at(context, index);
}

static void show(struct endpoint_task *e, bool as_list)
{
    struct api_task *task = e->own.task;
    const struct gql_list list = {e->count, list_item, e};

    task->scene = (struct api_scene){.tenant = task->tenant,
                                     .principal = &task->principal,
                                     .now_ms = rt_now_ms(task->request->as->api->config.host),
                                     .api = task->request->as->api,
                                     .arena = &task->call.arena};
    api_task_execute(task, as_list ? (const void *)&list : e->count ? (const void *)item_at(e, 0) : NULL);
    release_looks(e);
    api_task_finish(task);
}

static void show_list(struct endpoint_task *e)
{
    show(e, true);
}

static void show_one(struct endpoint_task *e)
{
    show(e, false);
}

static struct endpoint_task *take_query(struct api_task *task)
{
    const struct oms_value *tenant = oms_value_get_set(task->field->args, "tenantId");
    struct endpoint_task *e = OMS_ARENA_NEW(&task->call.arena, struct endpoint_task);

    if (!api_task_tenant(task, tenant ? tenant->text : OMS_STR_NONE))
        return NULL;
    if (!api_tenant_may(task, PERMISSION_MANAGE_WEBHOOKS)) {
        api_task_fail(task, "FORBIDDEN", "This needs the permission manage_webhooks");
        return NULL;
    }
    if (!e || !task->request->as->api->outhook_call) {
        api_task_fail(task, "INTERNAL", e ? "This server sends no webhooks" : "The answer is too large");
        return NULL;
    }
    memset(e, 0, sizeof(*e));
    e->own.task = task;
    return e;
}

static void start_list(struct api_task *task)
{
    struct endpoint_task *e = take_query(task);

    if (!e)
        return;
    e->looked = show_list;
    look_at(e, task->tenant->endpoints, task->tenant->endpoint_count);
}

static void start_one(struct api_task *task)
{
    struct endpoint_task *e = take_query(task);

    if (!e)
        return;
    const struct oms_value *id = oms_value_get_set(task->field->args, "endpointId");
    const struct tenant_endpoint *endpoint = tenant_find_endpoint(task->tenant, id->text);
    e->looked = show_one;
    look_at(e, endpoint, endpoint ? 1 : 0);
}

/* ---- resolvers ---- */

static const void *payload_endpoint(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct endpoint_payload *)parent)->endpoint;
}

static const void *payload_delivery(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct endpoint_payload *)parent)->attempt;
}

API_LEAF_FN(payload_secret, struct endpoint_payload, api_write_text(out, p->secret))
API_LEAF_FN(payload_deleted, struct endpoint_payload, api_write_text(out, p->deleted))
API_LEAF_FN(payload_count, struct endpoint_payload, api_write_int(out, (int64_t)p->count))

static const struct api_root_op op_create = {start_create, ORDER_COMMAND_NONE},
                                op_update = {start_update, ORDER_COMMAND_NONE},
                                op_delete = {start_delete, ORDER_COMMAND_NONE},
                                op_rotate = {start_rotate, ORDER_COMMAND_NONE},
                                op_test = {start_test, ORDER_COMMAND_NONE},
                                op_redeliver = {start_redeliver, ORDER_COMMAND_NONE},
                                op_replay = {start_replay, ORDER_COMMAND_NONE},
                                op_list = {start_list, ORDER_COMMAND_NONE},
                                op_one = {start_one, ORDER_COMMAND_NONE};

static const struct gql_binding bindings[] = {
    {"Mutation.createWebhookEndpoint", GQL_ROOT, 0, {.host = &op_create}},
    {"Mutation.updateWebhookEndpoint", GQL_ROOT, 0, {.host = &op_update}},
    {"Mutation.deleteWebhookEndpoint", GQL_ROOT, 0, {.host = &op_delete}},
    {"Mutation.rotateWebhookSecret", GQL_ROOT, 0, {.host = &op_rotate}},
    {"Mutation.testWebhookEndpoint", GQL_ROOT, 0, {.host = &op_test}},
    {"Mutation.redeliverWebhook", GQL_ROOT, 0, {.host = &op_redeliver}},
    {"Mutation.replayWebhook", GQL_ROOT, 0, {.host = &op_replay}},
    {"Query.webhookEndpoints", GQL_ROOT, 0, {.host = &op_list}},
    {"Query.webhookEndpoint", GQL_ROOT, 0, {.host = &op_one}},
    API_OBJECT("CreateWebhookEndpointPayload.endpoint", payload_endpoint),
    API_LEAF("CreateWebhookEndpointPayload.secret", payload_secret),
    API_OBJECT("UpdateWebhookEndpointPayload.endpoint", payload_endpoint),
    API_LEAF("DeleteWebhookEndpointPayload.deletedEndpointId", payload_deleted),
    API_OBJECT("RotateWebhookSecretPayload.endpoint", payload_endpoint),
    API_LEAF("RotateWebhookSecretPayload.secret", payload_secret),
    API_OBJECT("TestWebhookEndpointPayload.delivery", payload_delivery),
    API_OBJECT("RedeliverWebhookPayload.endpoint", payload_endpoint),
    API_LEAF("RedeliverWebhookPayload.redelivering", payload_count),
    API_OBJECT("ReplayWebhookPayload.endpoint", payload_endpoint),
};

void api_bind_endpoints(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
    api_bind_endpoint_types(to);
}
