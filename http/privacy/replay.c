/*
 * See replay.h. A window of orders is under way at a time; each is told the time of its line, so that an
 * order that was erased since says so and nothing happens.
 */
#include "http/privacy/replay.h"

#include <pthread.h>

#include "actors/order.h"
#include "actors/order_call.h"
#include "http/privacy/purge.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/shard.h"

#define WINDOW 64

struct replay;

struct item {
    struct rt_message start;
    struct replay *of;
    struct order_call call;
    struct order_command command;
    struct principal principal;
    char tenant[OMS_ID_BYTES_MAX + 1];
    unsigned char order[IDS_ORDER_SIZE];
    int64_t at_ms;
    bool busy; /* under way */
};

struct replay {
    struct actors_system *system;
    struct rt_host *host;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct item items[WINDOW];
    uint64_t asked, erased, failed;
    bool purged;
    struct http_purge purge;
    struct rt_message purge_start;
};

static void finished(struct item *item, bool failed)
{
    struct replay *replay = item->of;
    pthread_mutex_lock(&replay->mutex);
    item->busy = false;
    replay->failed += failed;
    pthread_cond_signal(&replay->changed);
    pthread_mutex_unlock(&replay->mutex);
}

/* On the order's shard. What is refused has no order: a store from before it was made. */
static void item_render(struct order_call *call, const struct order_reply *reply)
{
    (void)call;
    (void)reply;
}

static void item_home(struct rt_shard *shard, struct rt_message *message)
{
    struct item *item = OMS_CONTAINER_OF(message, struct item, call.message);
    (void)shard;
    bool failed = message->status != OMS_OK || item->call.result != ORDER_CALL_DONE;
    oms_arena_fini(&item->call.arena);
    oms_buf_fini(&item->call.out);
    oms_buf_fini(&item->call.frozen);
    finished(item, failed);
}

/* On shard 0, which knows the tenants by name. One that is not there has no orders to erase. */
static void item_start(struct rt_shard *shard, struct rt_message *message)
{
    struct item *item = OMS_CONTAINER_OF(message, struct item, start);
    const struct tenant_version *tenant = actors_tenant_by_name(shard, oms_str_of(item->tenant));
    struct order_call *call = &item->call;
    if (!tenant) { /* a removed one may be activated again */
        finished(item, false);
        return;
    }
    memset(call, 0, sizeof(*call));
    item->principal = (struct principal){
        .kind = PRINCIPAL_SYSTEM, .tenant = tenant->number, .display_name = OMS_STR("LiteOMS erasure log")};
    item->command = (struct order_command){.type = ORDER_COMMAND_ERASE_CUSTOMER,
                                           .principal = &item->principal,
                                           .erase = {.force = true, .since_ms = item->at_ms}};
    oms_arena_init(&call->arena, 1024, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&call->out, OMS_RESPONSE_BYTES_MAX);
    oms_buf_init(&call->frozen, ORDER_ARENA_MAX);
    call->kind = ORDER_CALL_COMMAND;
    call->principal = &item->principal;
    call->command = &item->command;
    call->command_type = ORDER_COMMAND_ERASE_CUSTOMER;
    call->render = item_render;
    call->message.on_return = item_home;
    ids_order_address(tenant->number, item->order, &call->message.to);
    order_call_send(shard, call);
}

/* For each line of the log: waits for a free place and sends it off. */
static void each(void *context, const struct http_erasure *erasure)
{
    struct replay *replay = context;
    struct item *item = NULL;
    if (erasure->tenant.len > OMS_ID_BYTES_MAX)
        return;
    pthread_mutex_lock(&replay->mutex);
    while (!item) {
        for (size_t i = 0; i < WINDOW && !item; i++)
            if (!replay->items[i].busy)
                item = &replay->items[i];
        if (!item)
            pthread_cond_wait(&replay->changed, &replay->mutex);
    }
    item->busy = true;
    pthread_mutex_unlock(&replay->mutex);
    memset(&item->start, 0, sizeof(item->start));
    item->of = replay;
    memcpy(item->tenant, erasure->tenant.data, erasure->tenant.len);
    item->tenant[erasure->tenant.len] = '\0';
    memcpy(item->order, erasure->order, sizeof(item->order));
    item->at_ms = erasure->at_ms;
    item->start.on_return = item_start;
    replay->asked++;
    rt_post(replay->host, 0, &item->start);
}

static void wait_for_all(struct replay *replay)
{
    pthread_mutex_lock(&replay->mutex);
    for (size_t i = 0; i < WINDOW; i++)
        while (replay->items[i].busy)
            pthread_cond_wait(&replay->changed, &replay->mutex);
    pthread_mutex_unlock(&replay->mutex);
}

/* ---- what a crash or a restored backup left in files ---- */

static void purge_done(struct rt_shard *shard, struct http_purge *purge)
{
    struct replay *replay = OMS_CONTAINER_OF(purge, struct replay, purge);
    (void)shard;
    pthread_mutex_lock(&replay->mutex);
    replay->purged = true;
    pthread_cond_signal(&replay->changed);
    pthread_mutex_unlock(&replay->mutex);
}

static void purge_begin(struct rt_shard *shard, struct rt_message *message)
{
    http_purge_start(shard, &OMS_CONTAINER_OF(message, struct replay, purge_start)->purge);
}

static void purge(struct replay *replay, struct http_erasures *erasures)
{
    replay->purge = (struct http_purge){.store = actors_store(replay->system),
                                        .host = replay->host,
                                        .erasures = erasures,
                                        .everything = true,
                                        .done = purge_done};
    replay->purge_start.on_return = purge_begin;
    rt_post(replay->host, 0, &replay->purge_start);
    pthread_mutex_lock(&replay->mutex);
    while (!replay->purged)
        pthread_cond_wait(&replay->changed, &replay->mutex);
    pthread_mutex_unlock(&replay->mutex);
}

static uint64_t durable_units(struct actors_system *system)
{
    struct store_stats stats;
    store_stats(actors_store(system), &stats);
    return stats.units;
}

enum oms_status http_erasures_replay(struct http_erasures *erasures, struct actors_system *system,
                                     struct rt_host *host, struct oms_error *error)
{
    struct replay *replay = oms_calloc(1, sizeof(*replay));
    uint64_t before = durable_units(system);
    replay->system = system;
    replay->host = host;
    pthread_mutex_init(&replay->mutex, NULL);
    pthread_cond_init(&replay->changed, NULL);
    enum oms_status status = http_erasures_read(erasures, each, replay, error);
    wait_for_all(replay);
    replay->erased = durable_units(system) - before;
    if (status == OMS_OK && replay->failed)
        status = oms_error_set(error, OMS_BUSY, "%llu orders of the erasure log cannot be erased again",
                               (unsigned long long)replay->failed);
    if (status == OMS_OK && (replay->erased || http_erasures_pending(erasures)))
        purge(replay, erasures);
    if (replay->erased)
        OMS_LOG(OMS_LOG_WARN, "privacy.erased_again", OMS_LOG_U64("orders", replay->erased),
                OMS_LOG_TEXT("reason", "the erasure log is ahead of the store"));
    pthread_cond_destroy(&replay->changed);
    pthread_mutex_destroy(&replay->mutex);
    oms_free(replay);
    return status;
}
