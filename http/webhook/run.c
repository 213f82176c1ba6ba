/* See run.h. An update of goods that left (FULFIL) may take three commands, each with a key of its own, so
 * that a repeat, or a try after a crash between two of them, goes on where it ended. */
#include "http/webhook/run.h"

#include <stdio.h>

#include "actors/order_input.h"
#include "actors/order_terms.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define KEY_TEXT_MAX OMS_ID_BYTES_MAX

static void finish(struct webhook_run *run, enum webhook_outcome outcome)
{
    run->outcome = outcome;
    run->done(run);
}

/* ---- what came back ---- */

static bool says(const struct webhook_run *run, enum refusal_code code, const char *field)
{
    return run->refusals.count && run->refusals.items[0].code == code &&
           (!field || oms_str_eq_c(run->refusals.items[0].field, field));
}

static bool is_early(enum order_stage stage)
{
    return stage == ORDER_STAGE_DRAFT || stage == ORDER_STAGE_PENDING;
}

/* Whether time may bring what it lacks. */
static bool is_ahead(const struct webhook_run *run)
{
    if (run->update->action == WEBHOOK_CREATE)
        return false;
    return says(run, REFUSAL_NOT_FOUND, "orderId") || says(run, REFUSAL_NOT_FOUND, "trackingReference") ||
           (says(run, REFUSAL_WRONG_STAGE, NULL) && is_early(run->stage)) ||
           says(run, REFUSAL_ON_HOLD, NULL) || says(run, REFUSAL_STEP_PENDING, NULL) ||
           says(run, REFUSAL_UNEXPECTED_STEP, NULL);
}

/* On the order's shard: writes into the call's own memory only. */
static void render(struct order_call *call, const struct order_reply *reply)
{
    struct webhook_run *run = OMS_CONTAINER_OF(call, struct webhook_run, call);

    refusal_list_init(&run->refusals, &call->arena);
    for (size_t i = 0; reply->refusals && i < reply->refusals->count; i++) {
        const struct refusal *from = &reply->refusals->items[i];
        refusal_add(&run->refusals, from->code, oms_str_copy(&call->arena, from->field), "%.*s",
                    OMS_STR_ARG(from->message));
    }
    run->stage = reply->order ? reply->order->stage : ORDER_STAGE_NONE;
    run->replayed = reply->replayed;
    /* An order that was there before has gone on since: its version is no part of the first answer. */
    bool exists = run->update->action == WEBHOOK_CREATE && !reply->created && !reply->replayed;
    run->version = exists ? 0 : reply->version;
    if (reply->order)
        snprintf(run->order_id, sizeof(run->order_id), "%.*s", OMS_STR_ARG(reply->order->order_id));
}

static void go_on(struct webhook_run *run);

static void judge(struct webhook_run *run)
{
    if (!run->refusals.count)
        go_on(run);
    else if (says(run, REFUSAL_TENANT_SUSPENDED, NULL))
        finish(run, WEBHOOK_SUSPENDED);
    else if (says(run, REFUSAL_LIMIT_EXCEEDED, "tenantId"))
        finish(run, WEBHOOK_FULL);
    else if (run->update->action == WEBHOOK_FULFIL && run->step == 1 &&
             says(run, REFUSAL_NOT_FOUND, "trackingReference"))
        go_on(run);
    else
        finish(run, is_ahead(run) ? WEBHOOK_AHEAD : WEBHOOK_REFUSED);
}

static void returned(struct rt_shard *shard, struct rt_message *message)
{
    struct webhook_run *run = OMS_CONTAINER_OF(message, struct webhook_run, call.message);

    (void)shard;
    if (message->status != OMS_OK || run->call.result != ORDER_CALL_DONE) {
        run->refusals.count = 0;
        finish(run, WEBHOOK_UNAVAILABLE);
        return;
    }
    judge(run);
}

/* ---- commands ---- */

static void send(struct webhook_run *run)
{
    struct order_call *call = &run->call;

    oms_arena_reset(&call->arena);
    call->kind = ORDER_CALL_COMMAND;
    call->principal = &run->principal;
    call->command = &run->command;
    call->command_type = run->command.type;
    call->render = render;
    call->freeze = ORDER_CALL_FREEZE_NEVER;
    call->message.flags = 0;
    call->message.status = OMS_OK;
    call->message.on_return = returned;
    ids_order_address(run->principal.tenant, run->id, &call->message.to);
    order_call_send(run->shard, call);
}

/* The input with the order's id in it. */
static bool with_order(struct webhook_run *run, const struct oms_value *input, struct oms_value *out)
{
    struct oms_field *fields = oms_arena_calloc(run->arena, input->object.count + 1, sizeof(*fields));
    char *text = oms_arena_alloc(run->arena, IDS_ORDER_TEXT + 1);

    if (!fields || !text)
        return false;
    ids_order_text(run->id, text);
    if (input->object.count)
        memcpy(fields, input->object.fields, input->object.count * sizeof(*fields));
    fields[input->object.count] = (struct oms_field){
        OMS_STR("orderId"), {.kind = OMS_VALUE_STRING, .text = oms_str_make(text, IDS_ORDER_TEXT)}};
    *out = (struct oms_value){.kind = OMS_VALUE_OBJECT, .object = {fields, input->object.count + 1}};
    return true;
}

static void command(struct webhook_run *run, enum order_command_type type, const struct oms_value *input,
                    const char *key_tail)
{
    struct rt_host *host = rt_shard_host(run->shard);
    struct oms_value whole;
    bool known;
    char *key = oms_arena_alloc(run->arena, KEY_TEXT_MAX + 1);

    refusal_list_init(&run->refusals, run->arena);
    if (!key || (type != ORDER_COMMAND_CREATE_ORDER && !with_order(run, input, &whole))) {
        finish(run, WEBHOOK_UNAVAILABLE);
        return;
    }
    snprintf(key, KEY_TEXT_MAX + 1, "%.*s%s", OMS_STR_ARG(run->key), key_tail);
    const struct order_input_context context = {
        .principal = &run->principal,
        .id_key = actors_id_key(run->system),
        .now_ms = rt_now_ms(host),
        .random_hi = rt_random(host),
        .random_lo = rt_random(host),
        .header_key = oms_str_of(key),
        .default_source = run->provider,
    };
    if (order_input_parse(type, type == ORDER_COMMAND_CREATE_ORDER ? input : &whole, &context, run->arena,
                          &run->command, run->id, &known, &run->refusals))
        send(run);
    else
        finish(run, WEBHOOK_MALFORMED);
}

/* The next step; the last one's success is the run's. */
static void go_on(struct webhook_run *run)
{
    const struct webhook_update *update = run->update;
    bool missing = run->refusals.count != 0; /* FULFIL: the order has no such shipment yet */

    run->step++;
    if (update->action != WEBHOOK_FULFIL) {
        if (run->step == 1)
            command(run, update->command, &update->input, "");
        else
            finish(run, WEBHOOK_APPLIED);
    } else if (run->step == 1 || run->step == 3) {
        command(run, ORDER_COMMAND_TRACK_SHIPMENT, &update->input, "");
    } else if (run->step == 2 && missing) {
        command(run, ORDER_COMMAND_ADD_SHIPMENT, &update->shipment, ":shipment");
    } else {
        finish(run, WEBHOOK_APPLIED);
    }
}

/* ---- finding the order of a tracking reference ---- */

/* The newest order of the tenant with a shipment of this reference. */
static bool find_in_tenant(struct webhook_run *run, struct store_engine *engine, struct store_view *view,
                           uint32_t tenant, unsigned char id[IDS_ORDER_SIZE])
{
    unsigned char lower[ORDER_TERM_KEY_MAX], upper[ORDER_TERM_KEY_MAX];
    struct oms_str key, value;
    enum oms_status status = OMS_OK;
    int64_t instant;

    size_t len = order_term_prefix(tenant, ORDER_INDEX_REFERENCE, run->update->tracking_reference, lower);
    memcpy(upper, lower, len);
    memset(upper + len, 0xff, 8 + IDS_ORDER_SIZE);
    struct oms_str end = oms_str_make(upper, len + 8 + IDS_ORDER_SIZE);
    struct store_iter *iter = engine->ops->iter_open(view, STORE_TERMS, oms_str_make(lower, len), end);
    engine->ops->iter_seek_last(iter, end);
    bool found = engine->ops->iter_item(iter, &key, &value, &status) && order_term_read(key, &instant, id);
    if (status != OMS_OK)
        run->read_status = status;
    engine->ops->iter_close(iter);
    return found;
}

/* In the read pool. */
static void look(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct webhook_run *run = OMS_CONTAINER_OF(read, struct webhook_run, read);
    unsigned char id[IDS_ORDER_SIZE];

    run->read_status = OMS_OK;
    run->found = 0;
    for (size_t i = 0; i < run->tenant_count; i++) {
        if (!find_in_tenant(run, engine, view, run->tenants[i], id))
            continue;
        if (run->found++ == 0) {
            memcpy(run->id, id, sizeof(id));
            run->principal.tenant = run->tenants[i];
        }
    }
}

static void looked(struct rt_shard *shard, struct rt_message *message)
{
    struct webhook_run *run = OMS_CONTAINER_OF(message, struct webhook_run, read.job.message);

    (void)shard;
    refusal_list_init(&run->refusals, run->arena);
    if (message->status != OMS_OK || run->read_status != OMS_OK) {
        finish(run, WEBHOOK_UNAVAILABLE);
    } else if (run->found == 0) {
        refusal_add(&run->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("trackingReference"),
                    "There is no shipment of this reference");
        finish(run, WEBHOOK_AHEAD);
    } else if (run->found > 1) {
        refusal_add(&run->refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("trackingReference"),
                    "Several tenants have a shipment of this reference: name one by tenant_id");
        finish(run, WEBHOOK_REFUSED);
    } else {
        go_on(run);
    }
}

struct tenant_walk {
    struct webhook_run *run;
    size_t cap;
};

static void add_tenant(void *context, const struct tenant_version *tenant)
{
    struct tenant_walk *walk = context;

    if (tenant->status != TENANT_REMOVED && walk->run->tenants && walk->run->tenant_count < walk->cap)
        walk->run->tenants[walk->run->tenant_count++] = tenant->number;
}

static void count_tenant(void *context, const struct tenant_version *tenant)
{
    (void)tenant;
    ((struct tenant_walk *)context)->cap++;
}

static void find_order(struct webhook_run *run)
{
    struct tenant_walk walk = {.run = run, .cap = run->tenant != 0};

    if (!run->tenant)
        actors_tenants_each(run->shard, count_tenant, &walk);
    run->tenants = oms_arena_calloc(run->arena, walk.cap + 1, sizeof(run->tenants[0]));
    if (!run->tenants) {
        finish(run, WEBHOOK_UNAVAILABLE);
        return;
    }
    if (run->tenant)
        run->tenants[run->tenant_count++] = run->tenant;
    else
        actors_tenants_each(run->shard, add_tenant, &walk);
    memset(&run->read, 0, sizeof(run->read));
    run->read.run = look;
    run->read.job.tenant = run->tenant;
    run->read.job.message.home = (uint16_t)rt_shard_index(run->shard);
    run->read.job.message.on_return = looked;
    store_read(actors_store(run->system), run->shard, &run->read);
}

/* ---- life ---- */

void webhook_run_start(struct webhook_run *run)
{
    const struct webhook_update *update = run->update;

    run->principal =
        (struct principal){.kind = PRINCIPAL_WEBHOOK, .tenant = run->tenant, .subject = run->provider};
    run->step = 0;
    run->order_id[0] = '\0';
    run->version = 0;
    run->tenant_count = 0;
    memset(&run->call, 0, sizeof(run->call));
    oms_arena_init(&run->call.arena, 1024, 1u << 20);
    oms_buf_init(&run->call.out, OMS_RESPONSE_BYTES_MAX);
    oms_buf_init(&run->call.frozen, OMS_RESPONSE_BYTES_MAX);
    refusal_list_init(&run->refusals, run->arena);
    run->answer = OMS_STR_NONE;
    if (update->action == WEBHOOK_SNAPSHOT) {
        webhook_run_snapshot(run);
    } else if (update->action == WEBHOOK_CREATE) {
        go_on(run);
    } else if (oms_str_present(update->order_id) && run->tenant) {
        if (ids_order_parse(update->order_id, run->id) == OMS_OK) {
            go_on(run);
            return;
        }
        refusal_add(&run->refusals, REFUSAL_INVALID, REFUSAL_FIELD("orderId"), "orderId is no order's id");
        finish(run, WEBHOOK_MALFORMED);
    } else if (oms_str_present(update->external_ref) && run->tenant) {
        ids_order_from_reference(actors_id_key(run->system), run->tenant, update->source,
                                 update->external_ref, run->id);
        go_on(run);
    } else {
        find_order(run);
    }
}

void webhook_run_fini(struct webhook_run *run)
{
    oms_arena_fini(&run->call.arena);
    oms_buf_fini(&run->call.out);
    oms_buf_fini(&run->call.frozen);
}
