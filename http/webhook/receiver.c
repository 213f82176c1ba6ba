/* The receiver's life, its tenants, its numbers, and what waits; see receiver.h. The way of one delivery is
 * in front.c and delivery.c. */
#include <stdio.h>

#include "http/webhook/receiver_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"

#define SEND_AGAIN_MS 20

/* ---- shards ---- */

struct webhook_shard *webhook_shard_of(struct webhook_receiver *receiver, struct rt_shard *shard)
{
    return &receiver->shards[rt_shard_index(shard)];
}

void webhook_live_add(struct webhook_shard *shard, struct webhook_live *live)
{
    live->prev = NULL;
    live->next = shard->live;
    if (shard->live)
        shard->live->prev = live;
    shard->live = live;
}

void webhook_live_remove(struct webhook_shard *shard, struct webhook_live *live)
{
    *(live->prev ? &live->prev->next : &shard->live) = live->next;
    if (live->next)
        live->next->prev = live->prev;
}

/* The shard's own thread is the only writer. */
static void bump(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* The last row of each table is for what is in none. */
void webhook_count(struct webhook_shard *shard, const struct webhook_provider *provider,
                   const struct webhook_topic *topic, enum webhook_result result)
{
    size_t p = provider ? webhook_provider_index(provider) : WEBHOOK_PROVIDERS_MAX - 1;
    size_t t = topic ? webhook_topic_index(topic) : WEBHOOK_TOPICS_MAX - 1;

    OMS_ASSERT(p < WEBHOOK_PROVIDERS_MAX && t < WEBHOOK_TOPICS_MAX);
    bump(&shard->counts[p][t][result]);
}

static uint64_t sum_of(const struct webhook_receiver *receiver, size_t p, size_t t, size_t r)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < receiver->shard_count; i++)
        sum += atomic_load_explicit(&receiver->shards[i].counts[p][t][r], memory_order_relaxed);
    return sum;
}

static void write_metrics(void *context, struct oms_buf *out)
{
    static const char *const results[] = {
#define X(name, label) label,
        WEBHOOK_RESULT_LIST(X)
#undef X
    };
    const struct webhook_receiver *receiver = context;
    uint64_t tries = 0;
    char labels[160];

    http_metrics_write_head(out, "liteoms_webhooks_total", "counter",
                            "Webhook deliveries answered, by provider, topic and what became of them.");
    for (size_t p = 0; p < WEBHOOK_PROVIDERS_MAX; p++)
        for (size_t t = 0; t < WEBHOOK_TOPICS_MAX; t++)
            for (size_t r = 0; r < WEBHOOK_RESULT_COUNT; r++) {
                const struct webhook_provider *provider = webhook_provider_at(p);
                const struct webhook_topic *topic = webhook_topic_at(t);
                uint64_t sum = sum_of(receiver, p, t, r);

                if (!sum)
                    continue;
                snprintf(labels, sizeof(labels), "provider=\"%s\",topic=\"%s\",result=\"%s\"",
                         provider ? webhook_provider_name(provider) : "none", topic ? topic->name : "none",
                         results[r]);
                http_metrics_write_u64(out, "liteoms_webhooks_total", labels, sum);
            }
    for (unsigned i = 0; i < receiver->shard_count; i++)
        tries += atomic_load_explicit(&receiver->shards[i].tries, memory_order_relaxed);
    http_metrics_write_head(out, "liteoms_webhook_tries_total", "counter",
                            "Times that an update which came too early was tried again.");
    http_metrics_write_u64(out, "liteoms_webhook_tries_total", "", tries);
}

/* ---- life ---- */

enum oms_status webhook_check(const struct tenant_webhook *entries, size_t count, bool is_operator,
                              struct oms_error *error)
{
    struct webhook_hooks *hooks;
    enum oms_status status = webhook_hooks_create(entries, count, is_operator, &hooks, error);

    webhook_hooks_destroy(hooks);
    return status;
}

struct webhook_receiver *webhook_receiver_create(const struct webhook_receiver_config *config)
{
    struct webhook_receiver *receiver = oms_calloc(1, sizeof(*receiver));

    receiver->config = *config;
    receiver->shard_count = config->host->shard_count;
    receiver->shards = oms_calloc(receiver->shard_count, sizeof(receiver->shards[0]));
    for (unsigned i = 0; config->operator_count && i < receiver->shard_count; i++) {
        struct oms_error error;
        enum oms_status status = webhook_hooks_create(config->operators, config->operator_count, true,
                                                      &receiver->shards[i].operators, &error);
        OMS_ASSERT(status == OMS_OK); /* it was checked */
    }
    if (config->metrics)
        http_metrics_source(config->metrics, write_metrics, receiver);
    return receiver;
}

void webhook_receiver_bind(struct webhook_receiver *receiver, struct actors_system *system)
{
    receiver->system = system;
}

void webhook_receiver_destroy(struct webhook_receiver *receiver)
{
    if (!receiver)
        return;
    for (unsigned i = 0; i < receiver->shard_count; i++) {
        struct webhook_shard *shard = &receiver->shards[i];

        while (shard->live) {
            struct webhook_live *live = shard->live;

            webhook_live_remove(shard, live);
            live->destroy(live);
        }
        for (size_t k = 0; k < shard->tenant_cap; k++)
            webhook_hooks_destroy(shard->tenants[k]);
        oms_free(shard->tenants);
        webhook_hooks_destroy(shard->operators);
    }
    oms_free(receiver->shards);
    oms_free(receiver);
}

/* Stored by another version of the program, perhaps: what it does not understand is switched off, and said.
 */
void webhook_receiver_tenant(struct webhook_receiver *receiver, struct rt_shard *shard,
                             const struct tenant_version *tenant)
{
    struct webhook_shard *own = webhook_shard_of(receiver, shard);
    struct webhook_hooks *hooks = NULL;
    struct oms_error error;

    if (tenant->webhook_count &&
        webhook_hooks_create(tenant->webhooks, tenant->webhook_count, false, &hooks, &error) != OMS_OK)
        OMS_LOG(OMS_LOG_ERROR, "webhook.not_understood", OMS_LOG_STR("tenant", tenant->name),
                OMS_LOG_TEXT("reason", error.message));
    if (tenant->number >= own->tenant_cap) {
        size_t cap = own->tenant_cap ? own->tenant_cap : 16;

        if (!hooks)
            return;
        while (cap <= tenant->number)
            cap *= 2;
        own->tenants = oms_reallocarray(own->tenants, cap, sizeof(own->tenants[0]));
        memset(own->tenants + own->tenant_cap, 0, (cap - own->tenant_cap) * sizeof(own->tenants[0]));
        own->tenant_cap = cap;
    }
    webhook_hooks_destroy(own->tenants[tenant->number]);
    own->tenants[tenant->number] = hooks;
}

/* ---- calls that must arrive ---- */

static void send_again(struct rt_shard *shard, struct rt_timer *timer)
{
    inbox_call_send(shard, &OMS_CONTAINER_OF(timer, struct webhook_sending, timer)->call);
}

static void sending_home(struct rt_shard *shard, struct rt_message *message)
{
    struct inbox_call *call = OMS_CONTAINER_OF(message, struct inbox_call, message);
    struct webhook_sending *sending = OMS_CONTAINER_OF(call, struct webhook_sending, call);

    if (message->status != OMS_BUSY) {
        sending->sent(sending);
        return;
    }
    sending->timer.fire = send_again;
    rt_timer_start(shard, &sending->timer, rt_now_ms(rt_shard_host(shard)) + SEND_AGAIN_MS);
}

void webhook_send(struct rt_shard *shard, struct webhook_sending *sending,
                  void (*sent)(struct webhook_sending *sending))
{
    sending->shard = shard;
    sending->sent = sent;
    sending->call.message.on_return = sending_home;
    inbox_call_send(shard, &sending->call);
}

/* ---- what waits ---- */

struct waiting_try {
    struct webhook_live live;
    struct webhook_shard *shard;
    struct webhook_sending settle;
    struct webhook_run run;
    struct webhook_update update;
    struct oms_arena arena;
    char key_text[64];
    char reason[512];
};

static void try_destroy(struct webhook_live *live)
{
    struct waiting_try *try = OMS_CONTAINER_OF(live, struct waiting_try, live);

    webhook_run_fini(&try->run);
    oms_arena_fini(&try->arena);
    oms_buf_fini(&try->settle.call.answer);
    oms_free(try);
}

static void settled(struct webhook_sending *sending)
{
    struct waiting_try *try = OMS_CONTAINER_OF(sending, struct waiting_try, settle);

    webhook_live_remove(try->shard, &try->live);
    try_destroy(&try->live);
}

static void tried(struct webhook_run *run)
{
    struct waiting_try *try = OMS_CONTAINER_OF(run, struct waiting_try, run);
    struct inbox_call *call = &try->settle.call;

    switch (run->outcome) {
    case WEBHOOK_APPLIED:
        call->phase = INBOX_APPLIED;
        break;
    case WEBHOOK_REFUSED:
    case WEBHOOK_MALFORMED:
        call->phase = INBOX_FAILED;
        if (run->refusals.count)
            snprintf(
                try->reason, sizeof(try->reason), "%s: %.*s", refusal_code_name(run->refusals.items[0].code),
                (int)(run->refusals.items[0].message.len < 400 ? run->refusals.items[0].message.len : 400),
                run->refusals.items[0].message.data);
        call->reason = oms_str_of(try->reason);
        break;
    case WEBHOOK_AHEAD:
    case WEBHOOK_UNAVAILABLE:
    case WEBHOOK_SUSPENDED:
    case WEBHOOK_FULL:
        call->phase = INBOX_WAITING;
        break;
    }
    webhook_send(run->shard, &try->settle, settled);
}

/* The key that its first try had, so that one which a crash cut off is not done twice. */
void webhook_receiver_try(void *context, struct rt_shard *shard, uint32_t tenant, unsigned lane,
                          const struct inbox_entry *entry)
{
    struct webhook_receiver *receiver = context;
    struct waiting_try *try = oms_calloc(1, sizeof(*try));

    try->shard = webhook_shard_of(receiver, shard);
    try->live.destroy = try_destroy;
    webhook_live_add(try->shard, &try->live);
    bump(&try->shard->tries);
    oms_arena_init(&try->arena, 4096, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&try->settle.call.answer, 64);
    try->settle.call.op = INBOX_SETTLE;
    try->settle.call.tenant = tenant;
    try->settle.call.lane = lane;
    try->settle.call.number = entry->number;
    snprintf(try->key_text, sizeof(try->key_text), "waited:%016llx%016llx", (unsigned long long)entry->key.hi,
             (unsigned long long)entry->key.lo);
    try->run = (struct webhook_run){
        .shard = shard,
        .system = receiver->system,
        .update = &try->update,
        .tenant = tenant,
        .provider = oms_str_copy(&try->arena, entry->provider),
        .key = oms_str_of(try->key_text),
        .arena = &try->arena,
        .done = tried,
    };
    struct oms_str stored = oms_str_copy(&try->arena, entry->update);
    if (webhook_update_read(stored, &try->arena, &try->update) == OMS_OK) {
        webhook_run_start(&try->run);
        return;
    }
    refusal_list_init(&try->run.refusals, &try->arena);
    try->run.outcome = WEBHOOK_MALFORMED;
    tried(&try->run);
}

void webhook_receiver_add_routes(struct http_router *router, struct webhook_receiver *receiver)
{
    const struct http_route route = {"/webhook/", 1u << HTTP_POST, webhook_handle, receiver};

    const struct http_route list = {"/webhook/waiting", 1u << HTTP_GET, webhook_handle_waiting, receiver},
                            one = {"/webhook/waiting/", 1u << HTTP_GET | 1u << HTTP_POST,
                                   webhook_handle_waiting, receiver};

    http_router_add(router, &route);
    if (receiver->config.authenticate) {
        http_router_add(router, &list);
        http_router_add(router, &one);
    }
}
