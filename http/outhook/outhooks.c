/* The deliveries of all endpoints: tenants, calls, the tick and the end; see outhooks.h. */
#include <stdio.h>
#include <time.h>

#include "http/auth/claims.h"
#include "http/outhook/outhook_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/host_uv.h"

#define POLL_NS 2000000

/* ---- endpoints of a shard ---- */

static struct outhook_endpoint *find(const struct outhook_shard *os, uint32_t tenant,
                                     const unsigned char key[TENANT_ENDPOINT_KEY_BYTES])
{
    for (struct outhook_endpoint *ep = os->endpoints; ep; ep = ep->next)
        if (ep->tenant == tenant && memcmp(ep->key, key, TENANT_ENDPOINT_KEY_BYTES) == 0 && !ep->removed)
            return ep;
    return NULL;
}

static unsigned shard_of(const struct outhooks *hub, uint32_t tenant,
                         const unsigned char key[TENANT_ENDPOINT_KEY_BYTES])
{
    struct rt_address address;

    outlet_address(tenant, key, &address);
    return rt_shard_of(hub->config.host, &address);
}

/* Its outlet is emptied; it goes when that is recorded. */
static void remove_endpoint(struct outhook_endpoint *ep)
{
    outhook_endpoint_halt(ep);
    ep->removed = true;
    ep->dirty = true;
    ep->mark_ms = 0;
}

static void take_endpoint(struct outhook_shard *os, const struct tenant_version *tenant,
                          const struct tenant_endpoint *endpoint)
{
    unsigned char key[TENANT_ENDPOINT_KEY_BYTES];

    if (!tenant_endpoint_id_parse(endpoint->id, key) || shard_of(os->hub, tenant->number, key) != os->index)
        return;
    struct outhook_endpoint *ep = find(os, tenant->number, key);
    if (!ep) {
        ep = outhook_endpoint_create(os, tenant, endpoint, key);
        ep->next = os->endpoints;
        os->endpoints = ep;
        os->endpoint_count++;
    }
    outhook_endpoint_update(ep, tenant, endpoint);
    ep->mentioned = true;
}

static void take_tenant(struct outhook_shard *os, const struct tenant_version *tenant)
{
    for (struct outhook_endpoint *ep = os->endpoints; ep; ep = ep->next)
        ep->mentioned = false;
    for (size_t i = 0; i < tenant->endpoint_count; i++)
        take_endpoint(os, tenant, &tenant->endpoints[i]);
    for (struct outhook_endpoint *ep = os->endpoints; ep; ep = ep->next)
        if (ep->tenant == tenant->number && !ep->mentioned && !ep->removed)
            remove_endpoint(ep);
}

void outhooks_tenant(struct outhooks *hub, struct rt_shard *shard, const struct tenant_version *tenant)
{
    if (hub && !hub->shards[rt_shard_index(shard)].stop_ms)
        take_tenant(&hub->shards[rt_shard_index(shard)], tenant);
}

/* Before the host starts. */
static void add_stored(void *context, const struct tenant_version *tenant)
{
    take_tenant(context, tenant);
}

/* ---- calls ---- */

static void came_home(struct rt_shard *shard, struct rt_message *message)
{
    struct outhook_call *call = OMS_CONTAINER_OF(message, struct outhook_call, message);

    call->done(shard, call);
}

void outhook_answer(struct outhook_shard *os, struct outhook_call *call, enum outhook_result result)
{
    call->result = result;
    call->message = (struct rt_message){.home = (uint16_t)call->home, .on_return = came_home};
    rt_post(os->hub->config.host, call->home, &call->message);
}

static enum outhook_result redeliver(struct outhook_endpoint *ep, struct outhook_call *call)
{
    bool all = call->at.commit == 0;

    for (size_t i = 0; i < ep->outlet.letter_count; i++) {
        struct ids_cursor at = ep->outlet.letters[i].at;

        if (!all && (at.commit != call->at.commit || at.ordinal != call->at.ordinal))
            continue;
        outhook_letters_add(ep, at);
        call->count++;
    }
    outhook_letters_next(ep);
    outhook_sender_run(ep->os->sender);
    return all || call->count ? OUTHOOK_DONE : OUTHOOK_MISSING;
}

static void replay(struct outhook_endpoint *ep, struct outhook_call *call)
{
    struct store *store = actors_store(ep->os->hub->config.system);

    if (call->at.commit > store_durable_commit(store, store_partition_of(ep->tenant))) {
        outhook_answer(ep->os, call, OUTHOOK_BEYOND);
        return;
    }
    outhook_endpoint_rewind(ep, call->at);
    call->next = ep->waiting;
    ep->waiting = call;
    ep->dirty = true;
    ep->mark_ms = 0;
    if (!ep->marking)
        outhook_endpoint_mark(ep);
}

static void arrived(struct rt_shard *shard, struct rt_message *message)
{
    struct outhook_call *call = OMS_CONTAINER_OF(message, struct outhook_call, message);
    struct outhook_shard *os = &call->hub->shards[rt_shard_index(shard)];
    struct outhook_endpoint *ep = find(os, call->tenant, call->key);

    if (!ep) {
        outhook_answer(os, call, OUTHOOK_MISSING);
    } else if (call->op == OUTHOOK_LOOK) {
        outhook_endpoint_look(ep, &call->view);
        outhook_answer(os, call, OUTHOOK_DONE);
    } else if (os->stop_ms) {
        outhook_answer(os, call, OUTHOOK_BUSY);
    } else if (call->op == OUTHOOK_TEST) {
        outhook_endpoint_test(ep, call);
        outhook_sender_run(os->sender);
    } else if (call->op == OUTHOOK_REDELIVER) {
        outhook_answer(os, call, redeliver(ep, call));
    } else {
        replay(ep, call);
    }
}

void outhooks_call(void *context, struct rt_shard *shard, struct outhook_call *call)
{
    struct outhooks *hub = context;
    unsigned index = shard_of(hub, call->tenant, call->key);

    call->hub = hub;
    call->home = rt_shard_index(shard);
    call->message = (struct rt_message){.home = (uint16_t)index, .on_return = arrived};
    rt_post(hub->config.host, index, &call->message);
}

/* ---- the tick ---- */

static void set(_Atomic uint64_t *number, uint64_t value)
{
    atomic_store_explicit(number, value, memory_order_relaxed);
}

static void measure(struct outhook_shard *os)
{
    uint64_t active = 0, backing = 0, off = 0, pending = 0;

    for (const struct outhook_endpoint *ep = os->endpoints; ep; ep = ep->next) {
        if (!outhook_endpoint_is_on(ep))
            off++;
        else if (ep->rest_ms)
            backing++;
        else
            active++;
        pending += ep->pending;
    }
    set(&os->active, active);
    set(&os->backing, backing);
    set(&os->off, off);
    set(&os->pending_now, pending);
    set(&os->flying_now, os->flying);
}

/* Frees what is removed and recorded so. */
static void sweep(struct outhook_shard *os)
{
    for (struct outhook_endpoint **place = &os->endpoints; *place;) {
        struct outhook_endpoint *ep = *place;

        if (!ep->removed || ep->marking || ep->dirty) {
            place = &ep->next;
            continue;
        }
        *place = ep->next;
        os->endpoint_count--;
        outhook_endpoint_destroy(ep);
    }
}

/* Nothing more is sent; true when all that was sent is answered and recorded. */
static bool finish(struct outhook_shard *os, int64_t now_ms)
{
    bool done = os->flying == 0;

    if (now_ms >= os->stop_ms - OMS_OUTHOOK_MARK_MS)
        for (struct outhook_endpoint *ep = os->endpoints; ep; ep = ep->next)
            outhook_endpoint_halt(ep); /* what is under way is sent again after the start */
    for (struct outhook_endpoint *ep = os->endpoints; ep; ep = ep->next) {
        if ((ep->dirty || ep->stale) && !ep->marking)
            outhook_endpoint_mark(ep);
        done = done && !ep->marking && !ep->dirty;
    }
    return done;
}

static void tick(struct rt_shard *shard, struct rt_timer *timer)
{
    struct outhook_shard *os = OMS_CONTAINER_OF(timer, struct outhook_shard, tick);
    int64_t now_ms = rt_now_ms(os->hub->config.host);
    unsigned opens = 0;

    if (os->stop_ms) {
        if (finish(os, now_ms) || now_ms >= os->stop_ms) {
            for (struct outhook_endpoint *ep = os->endpoints; ep; ep = ep->next)
                outhook_endpoint_halt(ep);
            atomic_store(&os->quiet, true);
            return;
        }
    } else {
        for (struct outhook_endpoint *ep = os->endpoints; ep; ep = ep->next)
            outhook_endpoint_tick(ep, now_ms, &opens);
        outhook_sender_run(os->sender);
        sweep(os);
    }
    measure(os);
    rt_timer_start(shard, timer, now_ms + OUTHOOK_TICK_MS);
}

/* ---- numbers ---- */

static uint64_t sum(const struct outhooks *hub, size_t offset)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < hub->shard_count; i++) {
        const char *place = (const char *)&hub->shards[i] + offset;
        total += atomic_load_explicit((const _Atomic uint64_t *)(const void *)place, memory_order_relaxed);
    }
    return total;
}

static void write_metrics(void *context, struct oms_buf *out)
{
    static const struct {
        const char *name, *labels, *kind, *help;
        size_t offset;
    } numbers[] = {
        {"liteoms_webhook_out_deliveries_total", "result=\"acknowledged\"", "counter",
         "Deliveries of webhooks to endpoints, by how they ended.",
         offsetof(struct outhook_shard, delivered)},
        {"liteoms_webhook_out_deliveries_total", "result=\"failed\"", NULL, NULL,
         offsetof(struct outhook_shard, failed)},
        {"liteoms_webhook_out_dead_letters_total", "", "counter", "Events that were given up.",
         offsetof(struct outhook_shard, dead)},
        {"liteoms_webhook_out_endpoints", "state=\"active\"", "gauge", "Endpoints, by how they stand.",
         offsetof(struct outhook_shard, active)},
        {"liteoms_webhook_out_endpoints", "state=\"backing_off\"", NULL, NULL,
         offsetof(struct outhook_shard, backing)},
        {"liteoms_webhook_out_endpoints", "state=\"disabled\"", NULL, NULL,
         offsetof(struct outhook_shard, off)},
        {"liteoms_webhook_out_in_flight", "", "gauge", "Deliveries under way.",
         offsetof(struct outhook_shard, flying_now)},
        {"liteoms_webhook_out_pending", "", "gauge", "Events that are read and not settled.",
         offsetof(struct outhook_shard, pending_now)},
    };

    for (size_t i = 0; i < OMS_COUNT_OF(numbers); i++) {
        if (numbers[i].kind)
            http_metrics_write_head(out, numbers[i].name, numbers[i].kind, numbers[i].help);
        http_metrics_write_u64(out, numbers[i].name, numbers[i].labels, sum(context, numbers[i].offset));
    }
}

/* ---- life ---- */

/* The loop ends: sockets are closed on its thread. */
static void close_sender(void *context)
{
    struct outhook_shard *os = context;

    for (struct outhook_endpoint *ep = os->endpoints; ep; ep = ep->next)
        outhook_endpoint_halt(ep);
    outhook_sender_destroy(os->sender);
    os->sender = NULL;
}

static const struct http_claims *make_claims(void)
{
    struct http_claims *claims = http_claims_create();

    claims->kind = PRINCIPAL_SYSTEM;
    claims->expires_ms = INT64_MAX;
    claims->is_operator = claims->any_tenant = true;
    claims->subject = OMS_STR("webhooks");
    return claims;
}

struct outhooks *outhooks_create(const struct outhooks_config *config)
{
    struct outhooks *hub = oms_calloc(1, sizeof(*hub));

    hub->config = *config;
    hub->shard_count = config->host->shard_count;
    hub->shards = oms_calloc(hub->shard_count, sizeof(hub->shards[0]));
    for (unsigned i = 0; i < hub->shard_count; i++) {
        struct outhook_shard *os = &hub->shards[i];

        os->hub = hub;
        os->index = i;
        os->shard = config->host->shards[i];
        os->claims = make_claims();
        os->tenant_flying = oms_calloc(OMS_TENANTS_MAX + 1, sizeof(os->tenant_flying[0]));
        os->sender = outhook_sender_create(config->host, i, config->settings);
        os->signer = outhook_signer_create();
        oms_buf_init(&os->signatures, 4096);
        rt_host_uv_on_stop(config->host, i, close_sender, os);
        actors_tenants_each(os->shard, add_stored, os);
        os->tick.fire = tick;
        rt_timer_start(os->shard, &os->tick, rt_now_ms(config->host) + OUTHOOK_TICK_MS);
    }
    if (config->metrics)
        http_metrics_source(config->metrics, write_metrics, hub);
    return hub;
}

static void asked_to_stop(struct rt_shard *shard, struct rt_message *message)
{
    struct outhook_shard *os = OMS_CONTAINER_OF(message, struct outhook_shard, stop);

    (void)shard;
    os->stop_ms = rt_now_ms(os->hub->config.host) + OMS_OUTHOOK_STOP_MS;
}

void outhooks_stop(struct outhooks *hub)
{
    const struct timespec poll = {.tv_nsec = POLL_NS};

    for (unsigned i = 0; hub && i < hub->shard_count; i++) {
        hub->shards[i].stop = (struct rt_message){.home = (uint16_t)i, .on_return = asked_to_stop};
        rt_post(hub->config.host, i, &hub->shards[i].stop);
    }
    for (unsigned i = 0; hub && i < hub->shard_count; i++)
        while (!atomic_load(&hub->shards[i].quiet))
            nanosleep(&poll, NULL);
}

void outhooks_destroy(struct outhooks *hub)
{
    if (!hub)
        return;
    for (unsigned i = 0; i < hub->shard_count; i++) {
        struct outhook_shard *os = &hub->shards[i];

        OMS_ASSERT(!os->sender);
        while (os->endpoints) {
            struct outhook_endpoint *ep = os->endpoints;

            os->endpoints = ep->next;
            outhook_endpoint_destroy(ep);
        }
        http_claims_release(os->claims);
        oms_buf_fini(&os->signatures);
        outhook_signer_destroy(os->signer);
        oms_free(os->tenant_flying);
    }
    oms_free(hub->shards);
    oms_free(hub);
}
