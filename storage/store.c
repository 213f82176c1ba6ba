/*
 * The store's outside: opening with recovery, the shards' side of commits (admission, units,
 * acknowledgements), and numbers. The workers are in committer.c and materialiser.c.
 *
 * Recovery is the materialiser's fold over the log's tail, partition by partition, from the applied position
 * on. It holds nothing but a window in memory, and stops at the first record that does not decode, does not
 * follow, or does not fold: a store that cannot explain its log must not serve.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "storage/replay.h"
#include "storage/store_impl.h"

#define WINDOW_MS_DEFAULT 500
#define FLUSH_MS_DEFAULT  5000
#define FREE_NODES_MAX    16384 /* kept per shard for the next commits */
#define FREE_NODES_IDLE   1024  /* … when there are none */
#define TRIM_NODES        1024  /* given back at a time */
#define RECORD_BYTES_KEEP (64u << 10)
#define FLIGHTS_MIN       1024
#define TENANTS_MIN       64

/* ---- recovery ---- */

static enum oms_status recover(struct store *store, struct store_recovery *recovery, struct oms_error *error)
{
    struct store_fold *fold = &store->materialiser.fold;
    const struct store_engine_ops *ops = store->engine->ops;
    enum oms_status status = OMS_OK;
    struct store_replay replay;
    uint64_t last;
    store_replay_init(&replay, store->engine, fold);
    for (unsigned i = 0; i < OMS_PARTITIONS && status == OMS_OK; i++) {
        status = ops->last_commit(store->engine, (uint16_t)i, &last);
        store->committer.next_commit[i] = last + 1;
        atomic_store_explicit(&store->durable_commits[i], last, memory_order_relaxed);
        if (status != OMS_OK)
            oms_error_set(error, status, "partition %u: the log cannot be read", i);
        else if (last < fold->applied[i])
            status = oms_error_set(error, OMS_CORRUPT,
                                   "partition %u: the log ends at commit %" PRIu64 " but %" PRIu64
                                   " were applied: acknowledged records are lost",
                                   i, last, fold->applied[i]);
        else if (last > fold->applied[i])
            status = store_replay_partition(&replay, (uint16_t)i, last, error);
    }
    recovery->units_replayed = replay.units;
    recovery->bytes_replayed = replay.record_bytes;
    store_replay_fini(&replay);
    return status;
}

/* ---- open and close ---- */

static void fill_defaults(struct store_config *config)
{
    if (!config->disk_reserve_bytes)
        config->disk_reserve_bytes = OMS_DISK_RESERVE_BYTES;
    if (!config->lag_units_max)
        config->lag_units_max = OMS_LAG_UNITS_MAX;
    if (!config->window_ms)
        config->window_ms = WINDOW_MS_DEFAULT;
    if (!config->flush_interval_ms)
        config->flush_interval_ms = FLUSH_MS_DEFAULT;
}

static struct store *store_create(const struct store_config *config)
{
    struct store *store = aligned_alloc(64, (sizeof(*store) + 63) / 64 * 64);
    OMS_ASSERT(store);
    memset(store, 0, sizeof(*store));
    store->config = *config;
    fill_defaults(&store->config);
    store->engine = config->engine;
    store->host = config->host;
    store->projector = config->projector;
    store_committer_init(store);
    store_materialiser_init(store);
    return store;
}

static void store_free(struct store *store)
{
    for (unsigned i = 0; i < OMS_SHARDS_MAX; i++) {
        struct store_shard *shard = store->shards[i];
        if (!shard)
            continue;
        for (struct store_node *node = shard->all, *next; node; node = next) {
            next = node->all_next;
            oms_buf_fini(&node->unit.record);
            oms_buf_fini(&node->unit.personal);
            oms_free(node);
        }
        oms_free(shard->flights);
        oms_free(shard->tenants);
        free(shard);
    }
    store_fold_fini(&store->materialiser.fold);
    free(store);
}

enum oms_status store_open(const struct store_config *config, struct store **out,
                           struct store_recovery *recovery, struct oms_error *error)
{
    struct store *store = store_create(config);
    struct store_recovery none;
    uint64_t begin = rt_mono_ns(store->host);
    recovery = recovery ? recovery : &none;
    memset(recovery, 0, sizeof(*recovery));
    enum oms_status status =
        store_fold_init(&store->materialiser.fold, store->engine, &store->projector, error);
    if (status == OMS_OK)
        status = recover(store, recovery, error);
    if (status != OMS_OK) {
        store_free(store);
        return status;
    }
    recovery->milliseconds = (rt_mono_ns(store->host) - begin) / 1000000;
    if (recovery->units_replayed) {
        store->materialiser.dirty = true;
        store->materialiser.dirty_since_ns = begin;
    }
    (void)store_committer_check_disk(store); /* sets `refusing`; nothing is in flight that could fail */
    store->host->ops->add_worker(store->host, &store->committer_worker);
    store->host->ops->add_worker(store->host, &store->materialiser_worker);
    *out = store;
    return OMS_OK;
}

static void discard_reads(struct store *store, void (*discard)(struct rt_message *message))
{
    struct rt_message *next;
    for (struct rt_message *message = store->materialiser.reads_first; message; message = next) {
        next = message->next;
        if (discard)
            discard(message);
    }
    store->materialiser.reads_first = NULL;
}

void store_close(struct store *store)
{
    int64_t wait_ms;
    store->closing = true;
    while (store_failed(store) == OMS_OK &&
           (store->committer.first || !rt_mailbox_is_empty(&store->committer_worker.port.mailbox)))
        (void)store_committer_step(&store->committer_worker, &wait_ms);
    bool clean = store_materialiser_finish(store) == OMS_OK;
    store->engine->ops->close(store->engine, clean);
    discard_reads(store, store->config.discard);
    store_free(store);
}

void store_abandon(struct store *store, void (*discard)(struct rt_message *message))
{
    discard_reads(store, discard);
    store_free(store);
}

/* ---- a shard's units ---- */

static struct store_shard *shard_of(const struct store *store, struct rt_shard *shard)
{
    struct store_shard *own = store->shards[rt_shard_index(shard)];
    OMS_ASSERT(own);
    return own;
}

struct store_unit *store_unit_take(struct store *store, struct rt_shard *shard)
{
    struct store_shard *own = shard_of(store, shard);
    struct store_node *node = own->free;
    if (node) {
        own->free = node->free_next;
        own->free_count--;
    } else {
        node = oms_calloc(1, sizeof(*node));
        node->all_next = own->all;
        if (own->all)
            own->all->all_prev = node;
        own->all = node;
        oms_buf_init(&node->unit.record, OMS_UNIT_BYTES_MAX);
        oms_buf_init(&node->unit.personal, OMS_UNIT_BYTES_MAX);
    }
    memset(&node->unit.message, 0, sizeof(node->unit.message));
    node->unit.message.home = (uint16_t)rt_shard_index(shard);
    node->unit.message.on_return = store_unit_home;
    node->unit.home_next = NULL;
    return &node->unit;
}

static void node_free(struct store_shard *own, struct store_node *node)
{
    if (node->all_prev)
        node->all_prev->all_next = node->all_next;
    else
        own->all = node->all_next;
    if (node->all_next)
        node->all_next->all_prev = node->all_prev;
    oms_buf_fini(&node->unit.record);
    oms_buf_fini(&node->unit.personal);
    oms_free(node);
}

void store_trim(struct store *store, struct rt_shard *shard)
{
    struct store_shard *own = shard_of(store, shard);
    bool idle = own->submitted_seq == own->trimmed_seq;
    own->trimmed_seq = own->submitted_seq;
    for (unsigned i = 0; idle && i < TRIM_NODES && own->free_count > FREE_NODES_IDLE; i++) {
        struct store_node *node = own->free;
        own->free = node->free_next;
        own->free_count--;
        node_free(own, node);
    }
}

static void empty(struct oms_buf *bytes)
{
    if (bytes->cap > RECORD_BYTES_KEEP) {
        oms_buf_fini(bytes);
        oms_buf_init(bytes, OMS_UNIT_BYTES_MAX);
    }
    oms_buf_reset(bytes);
}

void store_unit_recycle(struct store *store, struct rt_shard *shard, struct store_unit *unit)
{
    struct store_shard *own = shard_of(store, shard);
    struct store_node *node = OMS_CONTAINER_OF(unit, struct store_node, unit);
    OMS_ASSERT(unit->message.home == rt_shard_index(shard));
    if (own->free_count >= FREE_NODES_MAX) {
        node_free(own, node);
        return;
    }
    empty(&unit->record);
    empty(&unit->personal);
    node->free_next = own->free;
    own->free = node;
    own->free_count++;
}

void store_unit_home(struct rt_shard *shard, struct rt_message *message)
{
    struct store_shard *own = rt_shard_context(shard, RT_SLOT_STORAGE);
    struct store_unit *next;
    for (struct store_unit *unit = store_unit_of(message); unit; unit = next) {
        next = unit->home_next;
        unit->home_next = NULL;
        own->on_applied(shard, unit);
    }
}

/* ---- what is in flight, per tenant ---- */

static struct store_tenant_count *tenant_find(const struct store_shard *own, uint32_t tenant)
{
    size_t mask = own->tenant_cap - 1;
    for (size_t i = (size_t)oms_mix64(tenant) & mask;; i = (i + 1) & mask)
        if (!own->tenants[i].used || own->tenants[i].tenant == tenant)
            return &own->tenants[i];
}

static void tenants_grow(struct store_shard *own)
{
    struct store_shard old = *own;
    own->tenant_cap *= 2;
    own->tenants = oms_calloc(own->tenant_cap, sizeof(*own->tenants));
    for (size_t i = 0; i < old.tenant_cap; i++)
        if (old.tenants[i].used)
            *tenant_find(own, old.tenants[i].tenant) = old.tenants[i];
    oms_free(old.tenants);
}

static void tenant_add(struct store_shard *own, uint32_t tenant)
{
    struct store_tenant_count *entry = tenant_find(own, tenant);
    if (!entry->used) {
        if (++own->tenant_used * 2 > own->tenant_cap) {
            tenants_grow(own);
            entry = tenant_find(own, tenant);
        }
        entry->used = true;
        entry->tenant = tenant;
    }
    entry->count++;
}

static void flights_grow(struct store_shard *own)
{
    size_t cap = own->flight_cap * 2;
    struct store_flight *flights = oms_calloc(cap, sizeof(*flights));
    for (uint64_t seq = own->settled_seq + 1; seq < own->submitted_seq; seq++)
        flights[seq & (cap - 1)] = own->flights[seq & (own->flight_cap - 1)];
    oms_free(own->flights);
    own->flights = flights;
    own->flight_cap = cap;
}

/* After submitted_seq has counted this one. */
static void flight_add(struct store_shard *own, uint32_t tenant, size_t bytes)
{
    if (own->submitted_seq - own->settled_seq > own->flight_cap)
        flights_grow(own);
    own->flights[own->submitted_seq & (own->flight_cap - 1)] = (struct store_flight){tenant, (uint32_t)bytes};
    own->flight_bytes += bytes;
    tenant_add(own, tenant);
}

static void flights_settle(struct store_shard *own, uint64_t seq)
{
    OMS_ASSERT(seq <= own->submitted_seq);
    while (own->settled_seq < seq) {
        struct store_flight *flight = &own->flights[++own->settled_seq & (own->flight_cap - 1)];
        own->flight_bytes -= flight->bytes;
        tenant_find(own, flight->tenant)->count--;
    }
}

/* ---- acknowledgements ---- */

void store_shard_ack(struct store_shard *shard, uint64_t seq, enum oms_status status)
{
    _Atomic uint64_t *to = status == OMS_OK ? &shard->durable_to : &shard->failed_to;
    /* Release, before `posted` is looked at: see struct store_shard. */
    atomic_store_explicit(to, seq, memory_order_release);
    if (!atomic_exchange_explicit(&shard->posted, true, memory_order_acq_rel))
        rt_post(shard->store->host, rt_shard_index(shard->shard), &shard->ack);
}

static void ack_home(struct rt_shard *shard, struct rt_message *message)
{
    struct store_shard *own = OMS_CONTAINER_OF(message, struct store_shard, ack);
    /* Acquire and release: the numbers are read after this, and the committer may post the node again after
     * it. */
    (void)atomic_exchange_explicit(&own->posted, false, memory_order_acq_rel);
    uint64_t failed = atomic_load_explicit(&own->failed_to, memory_order_acquire);
    /* After `failed_to`: the committer stores durable_to first, so a failure never hides what was durable
     * before. */
    uint64_t durable = atomic_load_explicit(&own->durable_to, memory_order_acquire);
    if (durable > own->settled_seq) {
        flights_settle(own, durable);
        own->durable_seq = durable;
        own->on_durable(shard, durable, OMS_OK);
    }
    if (failed > own->settled_seq) {
        flights_settle(own, failed);
        own->on_durable(shard, failed, OMS_IO);
    }
}

bool store_owns_message(const struct rt_message *message)
{
    /* A nudge has no return; a flush is the only job of ours. */
    return message->on_return == NULL || message->on_return == store_unit_home ||
           message->on_return == ack_home || message->on_return == store_flush_home;
}

/* ---- commits ---- */

static void turn_end(struct rt_shard *shard, void *context)
{
    struct store_shard *own = context;
    (void)shard;
    if (!own->chained)
        return;
    rt_port_push(&own->store->committer_worker.port, own->first, own->last, own->chained);
    own->first = own->last = NULL;
    own->chained = 0;
}

void store_attach(struct store *store, struct rt_shard *shard,
                  void (*on_durable)(struct rt_shard *shard, uint64_t durable_seq, enum oms_status status),
                  void (*on_applied)(struct rt_shard *shard, struct store_unit *unit))
{
    unsigned index = rt_shard_index(shard);
    OMS_ASSERT(index < OMS_SHARDS_MAX && !store->shards[index] && on_durable && on_applied);
    struct store_shard *own = aligned_alloc(64, (sizeof(*own) + 63) / 64 * 64);
    OMS_ASSERT(own);
    memset(own, 0, sizeof(*own));
    own->store = store;
    own->shard = shard;
    own->on_durable = on_durable;
    own->on_applied = on_applied;
    own->flight_cap = FLIGHTS_MIN;
    own->flights = oms_calloc(own->flight_cap, sizeof(*own->flights));
    own->tenant_cap = TENANTS_MIN;
    own->tenants = oms_calloc(own->tenant_cap, sizeof(*own->tenants));
    own->ack.on_return = ack_home;
    store->shards[index] = own;
    rt_shard_set_context(shard, RT_SLOT_STORAGE, own);
    rt_shard_on_turn_end(shard, turn_end, own);
}

enum oms_status store_admit(struct store *store, struct rt_shard *shard, uint32_t tenant)
{
    struct store_shard *own = shard_of(store, shard);
    if (store_failed(store) != OMS_OK)
        return OMS_CLOSED;
    if (atomic_load_explicit(&store->refusing, memory_order_relaxed))
        return OMS_NO_SPACE;
    if (own->submitted_seq - own->settled_seq >= OMS_SHARD_IN_FLIGHT_MAX ||
        own->flight_bytes >= OMS_SHARD_IN_FLIGHT_BYTES ||
        tenant_find(own, tenant)->count >= OMS_TENANT_IN_FLIGHT_MAX)
        return OMS_BUSY;
    /* A lag that is too large holds the committer back, and so fills what may be in flight: no limit of its
     * own here. */
    return OMS_OK;
}

uint64_t store_submit(struct store *store, struct rt_shard *shard, struct store_unit *unit)
{
    struct store_shard *own = shard_of(store, shard);
    struct rt_message *message = &unit->message;
    OMS_ASSERT(message->home == rt_shard_index(shard) && message->on_return == store_unit_home);
    OMS_ASSERT(unit->record.len && !unit->record.overflow);
    unit->shard_seq = ++own->submitted_seq;
    flight_add(own, message->to.tenant, unit->record.len);
    message->next = NULL;
    if (own->last)
        own->last->next = message;
    else
        own->first = message;
    own->last = message;
    own->chained++;
    rt_shard_touch(shard);
    return unit->shard_seq;
}

uint64_t store_submitted_seq(struct store *store, struct rt_shard *shard)
{
    return shard_of(store, shard)->submitted_seq;
}

uint64_t store_durable_seq(struct store *store, struct rt_shard *shard)
{
    return shard_of(store, shard)->durable_seq;
}

uint64_t store_durable_commit(struct store *store, uint16_t partition)
{
    return atomic_load_explicit(&store->durable_commits[partition], memory_order_acquire);
}

/* ---- numbers ---- */

static uint64_t number(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t difference(uint64_t more, uint64_t less)
{
    return more > less ? more - less : 0; /* read at different moments */
}

void store_stats(struct store *store, struct store_stats *out)
{
    memset(out, 0, sizeof(*out));
    uint64_t applied = number(&store->applied_lsn), applied_bytes = number(&store->applied_bytes);
    out->units = number(&store->durable_lsn);
    out->bytes = number(&store->durable_bytes);
    out->batches = number(&store->stats.batches);
    out->lag_units = difference(out->units, applied);
    out->lag_bytes = difference(out->bytes, applied_bytes);
    out->lag_units_max = number(&store->stats.lag_units_max);
    out->windows = number(&store->stats.windows);
    out->writes = number(&store->stats.writes);
    for (size_t i = 0; i < OMS_COUNT_OF(out->batch_units); i++)
        out->batch_units[i] = number(&store->stats.batch_units[i]);
    for (size_t i = 0; i < OMS_COUNT_OF(out->sync_us_bucket); i++)
        out->sync_us_bucket[i] = number(&store->stats.sync_us_bucket[i]);
    out->sync_us_sum = number(&store->stats.sync_us_sum);
    out->refusing = atomic_load_explicit(&store->refusing, memory_order_relaxed);
}

struct store_engine *store_engine(struct store *store)
{
    return store->engine;
}
