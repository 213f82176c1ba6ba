/*
 * The committer: turns what the shards submit into synced batches, and is the only writer of the log.
 *
 * A step takes all that waits, forms one batch, numbers it, appends it with one sync, publishes durable_lsn,
 * tells each shard once, and hands the chain to the materialiser. While it syncs, the next batch gathers:
 * batches grow with load by themselves.
 *
 * Invariants: commit numbers of a partition have no gap, because a number is used up only by a batch that was
 * appended, and nothing is appended after a failure (its outcome is unknown; recovery decides). Nothing is
 * acknowledged before its sync. Space is checked before a batch, so that the engine never meets a full disk.
 */
#include <inttypes.h>

#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "storage/store_impl.h"

#define DISK_CHECK_EVERY_NS (5u * 1000000u)
#define DISK_RECHECK_MS     100 /* while refusing, with nothing to commit */
#define LAG_WAIT_MS         1
/* Below this share of the reserve a batch is not even tried: compaction needs the rest to make room. */
#define DISK_HARD_SHARE 4

static struct store *store_of(struct rt_worker *worker)
{
    return OMS_CONTAINER_OF(worker, struct store, committer_worker);
}

void store_committer_init(struct store *store)
{
    struct rt_worker *worker = &store->committer_worker;
    worker->name = "committer";
    worker->step = store_committer_step;
    rt_port_init(&worker->port);
    store->committer.next_lsn = 1;
}

/* ---- free space ---- */

static uint64_t in_flight_bytes_max(const struct store *store)
{
    return (uint64_t)store->host->shard_count * OMS_SHARD_IN_FLIGHT_BYTES;
}

static bool is_refusing(struct store *store)
{
    return atomic_load_explicit(&store->refusing, memory_order_relaxed); /* we are its only writer */
}

enum oms_status store_committer_check_disk(struct store *store)
{
    uint64_t free_bytes = 0, reserve = store->config.disk_reserve_bytes;
    enum oms_status status = store->engine->ops->free_bytes(store->engine, &free_bytes);
    if (status != OMS_OK)
        free_bytes = reserve; /* unknown: refuse, but let what is in flight through */
    bool was = is_refusing(store);
    /* Once refusing, a little more must become free before it ends, so that it does not flap. */
    uint64_t low = reserve + in_flight_bytes_max(store) + (was ? reserve / 16 : 0);
    bool now = free_bytes < low;
    if (now != was) {
        /* Relaxed: a shard may see it a little later; what it lets through is counted in the reserve. */
        atomic_store_explicit(&store->refusing, now, memory_order_relaxed);
        OMS_LOG(now ? OMS_LOG_ERROR : OMS_LOG_INFO, now ? "store.disk_low" : "store.disk_recovered",
                OMS_LOG_U64("free_bytes", free_bytes), OMS_LOG_U64("needed_bytes", low));
    }
    return free_bytes < reserve / DISK_HARD_SHARE ? OMS_NO_SPACE : OMS_OK;
}

static enum oms_status check_disk_sometimes(struct store *store)
{
    struct store_committer *committer = &store->committer;
    uint64_t now = rt_mono_ns(store->host);
    if (committer->disk_known && now - committer->disk_checked_ns < DISK_CHECK_EVERY_NS)
        return OMS_OK;
    enum oms_status status = store_committer_check_disk(store);
    committer->disk_known = status == OMS_OK;
    committer->disk_checked_ns = now;
    return status;
}

/* ---- what waits ---- */

static void drain_port(struct store *store)
{
    struct store_committer *committer = &store->committer;
    struct rt_message *message;
    while ((message = rt_mailbox_pop(&store->committer_worker.port.mailbox))) {
        if (message == &store->nudge) {
            /* Release: whoever sees it cleared may post it again, after we let go of it. */
            atomic_store_explicit(&store->nudged, false, memory_order_release);
            continue;
        }
        message->next = NULL;
        if (committer->last)
            committer->last->next = message;
        else
            committer->first = message;
        committer->last = message;
    }
}

/* How many units may become durable before the materialiser has to catch up; 0: none, commits wait. */
static uint64_t lag_room(struct store *store)
{
    uint64_t applied = atomic_load_explicit(&store->applied_lsn, memory_order_acquire);
    uint64_t applied_bytes = atomic_load_explicit(&store->applied_bytes, memory_order_relaxed);
    uint64_t durable = atomic_load_explicit(&store->durable_lsn, memory_order_relaxed);
    uint64_t durable_bytes = atomic_load_explicit(&store->durable_bytes, memory_order_relaxed);
    uint64_t lag = durable - applied;
    if (lag >= store->config.lag_units_max || durable_bytes - applied_bytes >= OMS_LAG_BYTES_MAX)
        return 0;
    return store->config.lag_units_max - lag;
}

/* ---- a batch ---- */

struct batch {
    struct rt_message *first, *last;
    unsigned count;
    size_t bytes;
    uint64_t shards; /* a bit per shard that has units in it */
    uint64_t shard_seq[OMS_SHARDS_MAX];
};

/* Takes at most `room` units off the waiting list and numbers them. */
static void form(struct store_committer *committer, struct batch *batch, uint64_t room)
{
    batch->first = committer->first;
    while (committer->first && batch->count < OMS_COMMIT_BATCH_UNITS_MAX && batch->count < room) {
        struct store_unit *unit = store_unit_of(committer->first);
        if (batch->count && batch->bytes + unit->record.len > OMS_COMMIT_BATCH_BYTES_MAX)
            break;
        uint16_t partition = store_partition_of(unit->message.to.tenant);
        unit->lsn = committer->next_lsn++;
        unit->commit = committer->next_commit[partition]++;
        committer->appends[batch->count++] = (struct store_append){
            .partition = partition,
            .commit = unit->commit,
            .value = oms_buf_str(&unit->record),
            .actor = unit->message.to,
            .key = unit->has_key ? oms_str_make(unit->key, sizeof(unit->key)) : OMS_STR_NONE,
            .destroys = unit->destroys,
        };
        batch->bytes += unit->record.len;
        batch->shards |= UINT64_C(1) << unit->message.home;
        batch->shard_seq[unit->message.home] = unit->shard_seq; /* per shard they come in order */
        batch->last = committer->first;
        committer->first = committer->first->next;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): something waits, and the first is always taken */
    batch->last->next = NULL;
    if (!committer->first)
        committer->last = NULL;
}

static unsigned bucket_of(uint64_t value, unsigned buckets)
{
    unsigned bucket = 0;
    while (bucket + 1 < buckets && (UINT64_C(1) << bucket) < value)
        bucket++;
    return bucket;
}

static enum oms_status append(struct store *store, const struct batch *batch)
{
    uint64_t begin = rt_mono_ns(store->host);
    enum oms_status status =
        store->engine->ops->append(store->engine, store->committer.appends, batch->count);
    uint64_t took_us = (rt_mono_ns(store->host) - begin) / 1000;
    store_count(&store->stats.batches, 1);
    store_count(&store->stats.batch_units[bucket_of(batch->count, 13)], 1);
    store_count(&store->stats.sync_us_bucket[bucket_of(took_us, 16)], 1);
    store_count(&store->stats.sync_us_sum, took_us);
    return status;
}

static void publish(struct store *store, const struct batch *batch)
{
    uint64_t durable = atomic_load_explicit(&store->durable_lsn, memory_order_relaxed) + batch->count;
    store_count(&store->durable_bytes, batch->bytes);
    /* Release: whoever reads a number finds its record in the log. */
    for (unsigned i = 0; i < batch->count; i++) {
        const struct store_append *append = &store->committer.appends[i];
        atomic_store_explicit(&store->durable_commits[append->partition], append->commit,
                              memory_order_release);
    }
    /* Release, and before the acknowledgements: a shard that was told waits in a read for at least this. */
    atomic_store_explicit(&store->durable_lsn, durable, memory_order_release);
    uint64_t lag = durable - atomic_load_explicit(&store->applied_lsn, memory_order_relaxed);
    if (lag > atomic_load_explicit(&store->stats.lag_units_max, memory_order_relaxed))
        atomic_store_explicit(&store->stats.lag_units_max, lag, memory_order_relaxed);
}

static void acknowledge(struct store *store, const struct batch *batch, enum oms_status status)
{
    for (uint64_t left = batch->shards; left && !store->closing; left &= left - 1) {
        unsigned index = (unsigned)__builtin_ctzll(left);
        store_shard_ack(store->shards[index], batch->shard_seq[index], status);
    }
}

/* ---- failures ---- */

void store_fail(struct store *store, enum oms_status status, const struct oms_error *error)
{
    int none = OMS_OK;
    /* Release: whoever acts on the failure sees what led to it. The first one stays. */
    if (!atomic_compare_exchange_strong_explicit(&store->failed, &none, (int)status, memory_order_acq_rel,
                                                 memory_order_relaxed))
        return;
    OMS_LOG(
        OMS_LOG_ERROR, "store.failed", OMS_LOG_TEXT("status", oms_status_name(status)),
        OMS_LOG_TEXT("error", error ? error->message : "a write to the log failed, its outcome is unknown"));
    if (!atomic_exchange_explicit(&store->nudged, true, memory_order_acq_rel))
        rt_port_push(&store->committer_worker.port, &store->nudge, &store->nudge, 1);
}

/* Everything that waits is told that its outcome is unknown; the nodes stay with their shards' lists. */
static void refuse_all(struct store *store)
{
    struct store_committer *committer = &store->committer;
    struct batch all = {0};
    if (!committer->told_fatal) {
        committer->told_fatal = true;
        if (store->config.on_fatal)
            store->config.on_fatal(store->config.fatal_context, store_failed(store));
    }
    for (struct rt_message *message = committer->first; message; message = message->next) {
        all.shards |= UINT64_C(1) << message->home;
        all.shard_seq[message->home] = store_unit_of(message)->shard_seq;
    }
    committer->first = committer->last = NULL;
    acknowledge(store, &all, OMS_IO);
}

/* ---- the step ---- */

bool store_committer_step(struct rt_worker *worker, int64_t *wait_ms)
{
    struct store *store = store_of(worker);
    struct store_committer *committer = &store->committer;
    struct batch batch = {0};
    *wait_ms = -1;
    drain_port(store);
    if (store_failed(store) != OMS_OK) {
        refuse_all(store);
        return false;
    }
    enum oms_status status = committer->first || is_refusing(store) ? check_disk_sometimes(store) : OMS_OK;
    if (is_refusing(store))
        *wait_ms = DISK_RECHECK_MS; /* admission lets nobody through who would wake us */
    if (!committer->first)
        return false;
    uint64_t room = store->closing ? UINT64_MAX : lag_room(store);
    if (!room) {
        *wait_ms = LAG_WAIT_MS;
        return false;
    }
    form(committer, &batch, room);
    if (status == OMS_OK)
        status = append(store, &batch);
    if (status != OMS_OK) {
        acknowledge(store, &batch, OMS_IO);
        store_fail(store, status, NULL);
        return true;
    }
    publish(store, &batch);
    acknowledge(store, &batch, OMS_OK);
    rt_port_push(&store->materialiser_worker.port, batch.first, batch.last, batch.count);
    return committer->first != NULL || rt_mailbox_depth(&worker->port.mailbox) > 0;
}
