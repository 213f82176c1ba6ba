/*
 * The materialiser: folds durable units into the derived families, a window at a time, behind the committer.
 *
 * A window closes when it is full or old, or at once when a read waits: coalescing many units of one actor
 * into one state saves work, a reader's time does not. Its writes are one atomic write with the applied
 * positions; then applied_lsn moves, reads that waited for it start, and the units go home in chains.
 *
 * Derived families are flushed in time by a job in the slow pool, so that neither a read nor the lag waits
 * for it; its only purpose is that a crash replays little.
 */
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "storage/store_impl.h"

#define WINDOW_BYTES_MAX ((size_t)16 << 20)
#define HOME_CHAIN_MAX   256 /* units that one message takes home: a shard's turn stays short */

static struct store *store_of(struct rt_worker *worker)
{
    return OMS_CONTAINER_OF(worker, struct store, materialiser_worker);
}

/* ---- flushing in time ---- */

static void flush_run(struct rt_job *job)
{
    struct store *store = OMS_CONTAINER_OF(job, struct store, materialiser.flush);
    enum oms_status status = store->engine->ops->flush(store->engine);
    struct oms_error error;
    if (status != OMS_OK) {
        oms_error_set(&error, status, "the derived families cannot be flushed");
        store_fail(store, status, &error);
    }
}

void store_flush_home(struct rt_shard *home, struct rt_message *message)
{
    struct store *store = OMS_CONTAINER_OF(message, struct store, materialiser.flush.message);
    (void)home;
    /* Release: the materialiser may use the job again. One that the pool did not take is tried again in time.
     */
    atomic_store_explicit(&store->materialiser.flushing, false, memory_order_release);
}

/* Milliseconds until a flush is due; -1 for never. Starts it when it is due. */
static int64_t flush_in_time(struct store *store, uint64_t now)
{
    struct store_materialiser *m = &store->materialiser;
    if (!m->dirty)
        return -1;
    uint64_t age_ms = (now - m->dirty_since_ns) / 1000000;
    if (age_ms < store->config.flush_interval_ms)
        return (int64_t)(store->config.flush_interval_ms - age_ms);
    /* Acquire: pairs with store_flush_home. While one runs, look again after another interval. */
    if (!atomic_load_explicit(&m->flushing, memory_order_acquire)) {
        atomic_store_explicit(&m->flushing, true, memory_order_relaxed);
        m->dirty = false;
        m->flush.message.home = 0;
        m->flush.message.flags = RT_MESSAGE_SYSTEM;
        store->host->ops->offload(store->host, RT_POOL_SLOW, &m->flush);
        return -1;
    }
    m->dirty_since_ns = now;
    return (int64_t)store->config.flush_interval_ms;
}

void store_materialiser_init(struct store *store)
{
    struct store_materialiser *m = &store->materialiser;
    struct rt_worker *worker = &store->materialiser_worker;
    worker->name = "materialiser";
    worker->step = store_materialiser_step;
    m->flush.run = flush_run;
    m->flush.message.on_return = store_flush_home;
    rt_port_init(&worker->port);
}

/* ---- what waits ---- */

static void park_read(struct store_materialiser *m, struct rt_message *message)
{
    message->next = NULL;
    if (m->reads_last)
        m->reads_last->next = message;
    else
        m->reads_first = message;
    m->reads_last = message;
}

static void add_unit(struct store_materialiser *m, struct store_unit *unit)
{
    unit->home_next = NULL;
    if (m->last)
        m->last->home_next = unit;
    else
        m->first = unit;
    m->last = unit;
    m->waiting++;
}

static void drain_port(struct store *store, uint64_t now)
{
    struct store_materialiser *m = &store->materialiser;
    struct rt_message *message;
    while ((message = rt_mailbox_pop(&store->materialiser_worker.port.mailbox))) {
        if (message->on_return == store_unit_home)
            add_unit(m, store_unit_of(message));
        else
            park_read(m, message);
    }
    if (m->first && !m->window_open) {
        m->window_open = true;
        m->window_opened_ns = now;
    }
}

/* Starts the reads that have waited for what is applied now; when the store has failed, sends them home. */
static void wake_reads(struct store *store)
{
    struct store_materialiser *m = &store->materialiser;
    struct rt_message *message = m->reads_first;
    enum oms_status failed = store_failed(store);
    uint64_t applied = atomic_load_explicit(&store->applied_lsn, memory_order_relaxed);
    m->reads_first = m->reads_last = NULL;
    while (message) {
        struct rt_message *next = message->next;
        struct store_read *read = OMS_CONTAINER_OF(message, struct store_read, job.message);
        if (failed != OMS_OK) {
            message->status = OMS_IO;
            rt_return_from_outside(store->host, message);
        } else if (read->lsn_needed <= applied) {
            store->host->ops->offload(store->host, read->pool, &read->job);
        } else {
            park_read(m, message);
        }
        message = next;
    }
}

/* ---- a window ---- */

/* Puts up to a window of the waiting units into the fold; the last of them, and their bytes. */
static enum oms_status fill_window(struct store_materialiser *m, struct store_unit **last, uint64_t *bytes)
{
    unsigned count = 0;
    *bytes = 0;
    for (struct store_unit *unit = m->first; unit && count < OMS_MATERIALISE_WINDOW_UNITS;
         unit = unit->home_next) {
        struct oms_str value = oms_buf_str(&unit->record);
        enum oms_status status = store_fold_add(&m->fold, store_partition_of(unit->message.to.tenant),
                                                unit->commit, &unit->message.to, value);
        if (status != OMS_OK)
            return status;
        *last = unit;
        *bytes += value.len;
        count++;
        if (*bytes >= WINDOW_BYTES_MAX)
            break;
    }
    return OMS_OK;
}

/* Units first…last of the waiting list, cut off, go home in chains of one shard each. */
static void send_home(struct store *store, struct store_unit *first, struct store_unit *last)
{
    struct store_unit *heads[OMS_SHARDS_MAX] = {0}, *tails[OMS_SHARDS_MAX];
    unsigned counts[OMS_SHARDS_MAX] = {0};
    last->home_next = NULL;
    for (struct store_unit *unit = first, *next; unit; unit = next) {
        unsigned home = unit->message.home;
        next = unit->home_next;
        unit->home_next = NULL;
        if (heads[home])
            tails[home]->home_next = unit;
        else
            heads[home] = unit;
        tails[home] = unit;
        if (++counts[home] == HOME_CHAIN_MAX) {
            rt_return_from_outside(store->host, &heads[home]->message);
            heads[home] = NULL;
            counts[home] = 0;
        }
    }
    for (unsigned home = 0; home < store->host->shard_count; home++)
        if (heads[home])
            rt_return_from_outside(store->host, &heads[home]->message);
}

static void cut_off(struct store_materialiser *m, struct store_unit *last)
{
    for (struct store_unit *unit = m->first;; unit = unit->home_next) {
        m->waiting--;
        if (unit == last)
            break;
    }
    m->first = last->home_next;
    if (!m->first)
        m->last = NULL;
}

static enum oms_status apply_window(struct store *store, uint64_t now)
{
    struct store_materialiser *m = &store->materialiser;
    struct store_unit *first = m->first, *last = NULL;
    uint64_t bytes, writes_before = m->fold.writes_done;
    struct oms_error error = {.status = OMS_CORRUPT, .message = "a commit number is out of order"};
    enum oms_status status = fill_window(m, &last, &bytes);
    if (status == OMS_OK)
        status = store_fold_run(&m->fold, &error);
    if (status != OMS_OK) {
        store_fail(store, status, &error);
        return status;
    }
    uint64_t applied = last->lsn;
    cut_off(m, last);
    m->window_open = m->first != NULL;
    m->window_opened_ns = now;
    if (!m->dirty) {
        m->dirty = true;
        m->dirty_since_ns = now;
    }
    store_count(&store->stats.windows, 1);
    store_count(&store->stats.writes, m->fold.writes_done - writes_before);
    store_count(&store->applied_bytes, bytes);
    /* Release: a reader that sees it opens its view after our write. */
    atomic_store_explicit(&store->applied_lsn, applied, memory_order_release);
    if (!store->closing)
        send_home(store, first, last);
    return OMS_OK;
}

/* ---- the step ---- */

/* A window is full early enough that commits need not wait for it to become old. */
static uint64_t window_units(const struct store *store)
{
    uint64_t half_lag = store->config.lag_units_max / 2;
    return half_lag < OMS_MATERIALISE_WINDOW_UNITS ? (half_lag ? half_lag : 1) : OMS_MATERIALISE_WINDOW_UNITS;
}

bool store_materialiser_step(struct rt_worker *worker, int64_t *wait_ms)
{
    struct store *store = store_of(worker);
    struct store_materialiser *m = &store->materialiser;
    uint64_t now = rt_mono_ns(store->host);
    *wait_ms = -1;
    drain_port(store, now);
    if (m->reads_first)
        wake_reads(store);
    if (store_failed(store) != OMS_OK)
        return false;
    *wait_ms = flush_in_time(store, now);
    if (!m->first)
        return false;
    uint64_t open_ms = (now - m->window_opened_ns) / 1000000;
    if (!m->reads_first && m->waiting < window_units(store) && open_ms < store->config.window_ms) {
        int64_t left = (int64_t)(store->config.window_ms - open_ms);
        if (*wait_ms < 0 || left < *wait_ms)
            *wait_ms = left;
        return false;
    }
    if (apply_window(store, now) != OMS_OK || m->reads_first)
        wake_reads(store);
    return true;
}

enum oms_status store_materialiser_finish(struct store *store)
{
    enum oms_status status = store_failed(store);
    drain_port(store, 0);
    while (store->materialiser.first && status == OMS_OK)
        status = apply_window(store, 0);
    return status;
}
