/*
 * The materialiser: folds durable units into the derived families, a window at a time, behind the committer.
 *
 * A window closes when it is full or old, or at once when a read waits: coalescing many units of one actor
 * into one state saves work, a reader's time does not. Its writes are one atomic write with the applied
 * positions; then applied_lsn moves, reads that waited for it start, and the units go home in chains.
 *
 * Nobody waits for a window but reads and, when the lag is at its limit, commits. So otherwise it is folded a
 * few actors at a time with naps between, over about the time in which the next one gathers: a burst of tens
 * of milliseconds would take a core away from the shards and the committer, for whose work callers do wait.
 * Units go home a chain at a time for the same reason. A napping materialiser is not woken for each batch.
 *
 * Derived families are flushed in time by a job in the slow pool, so that neither a read nor the lag waits
 * for it; its only purpose is that a crash replays little.
 */
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "storage/store_impl.h"

#define WINDOW_BYTES_MAX ((size_t)16 << 20)
#define HOME_CHAIN_MAX   256 /* units that one message takes home: a shard's turn stays short */
#define STEP_RECORDS     16  /* folded between two looks at who waits: some tens of microseconds */
#define STEP_GATHERED    512 /* the same for what only puts units into the fold */
#define NAP_MS           1

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

/* Puts up to `max` more of the waiting units into the fold; *full when no more belong into this window. */
static enum oms_status gather_some(struct store_materialiser *m, size_t max, bool *full)
{
    struct store_unit *unit = m->window_last ? m->window_last->home_next : m->first;
    for (size_t count = 0; unit && count < max; count++, unit = unit->home_next) {
        struct oms_str value = oms_buf_str(&unit->record);
        enum oms_status status =
            store_fold_add(&m->fold, store_partition_of(unit->message.to.tenant), unit->commit,
                           &unit->message.to, value, oms_buf_str(&unit->personal));
        if (status != OMS_OK)
            return status;
        m->window_last = unit;
        m->window_bytes += value.len;
        if (m->fold.count >= OMS_MATERIALISE_WINDOW_UNITS || m->window_bytes >= WINDOW_BYTES_MAX) {
            *full = true;
            return OMS_OK;
        }
    }
    *full = unit == NULL;
    return OMS_OK;
}

/* The applied units that come first go home, in a chain for each shard, until one of the chains is long. */
static void send_some_home(struct store *store)
{
    struct store_materialiser *m = &store->materialiser;
    struct store_unit *heads[OMS_SHARDS_MAX] = {0}, *tails[OMS_SHARDS_MAX];
    unsigned counts[OMS_SHARDS_MAX] = {0};
    for (bool full = false; m->home_first && !full;) {
        struct store_unit *unit = m->home_first;
        unsigned home = unit->message.home;
        m->home_first = unit->home_next;
        unit->home_next = NULL;
        if (heads[home])
            tails[home]->home_next = unit;
        else
            heads[home] = unit;
        tails[home] = unit;
        full = ++counts[home] == HOME_CHAIN_MAX;
    }
    for (unsigned home = 0; home < store->host->shard_count; home++)
        if (heads[home])
            rt_return_from_outside(store->host, &heads[home]->message);
}

/* Takes the window's units off the waiting list, and puts them on that of those to go home. */
static void cut_off(struct store *store, uint64_t count)
{
    struct store_materialiser *m = &store->materialiser;
    struct store_unit *first = m->first, *last = m->window_last;
    m->waiting -= count;
    m->first = last->home_next;
    if (!m->first)
        m->last = NULL;
    last->home_next = NULL;
    if (store->closing)
        return;
    if (m->home_first)
        m->home_last->home_next = first;
    else
        m->home_first = first;
    m->home_last = last;
}

static enum oms_status fail(struct store *store, enum oms_status status, const struct oms_error *error)
{
    store_fail(store, status, error);
    return status;
}

static void begin_window(struct store *store, uint64_t now)
{
    struct store_materialiser *m = &store->materialiser;
    m->stage = STORE_WINDOW_GATHERS;
    m->stage_since_ns = now;
    m->window_last = NULL;
    m->window_bytes = 0;
}

/* Writes the folded window and publishes that. */
static enum oms_status end_window(struct store *store, uint64_t now)
{
    struct store_materialiser *m = &store->materialiser;
    uint64_t writes_before = m->fold.writes_done, count = m->fold.count, applied = m->window_last->lsn;
    struct oms_error error;
    enum oms_status status = store_fold_write(&m->fold, &error);
    if (status != OMS_OK)
        return fail(store, status, &error);
    cut_off(store, count);
    m->stage = STORE_WINDOW_OPEN;
    m->window_open = m->first != NULL;
    m->window_opened_ns = m->stage_since_ns; /* the first of them came after that */
    if (!m->dirty) {
        m->dirty = true;
        m->dirty_since_ns = now;
    }
    store_count(&store->stats.windows, 1);
    store_count(&store->stats.writes, m->fold.writes_done - writes_before);
    store_count(&store->applied_bytes, m->window_bytes);
    /* Release: a reader that sees it opens its view after our write. */
    atomic_store_explicit(&store->applied_lsn, applied, memory_order_release);
    return OMS_OK;
}

/* One piece of the closed window's work, or all of a stage of it. */
static enum oms_status work(struct store *store, bool all, uint64_t now)
{
    struct store_materialiser *m = &store->materialiser;
    struct oms_error error = {.status = OMS_CORRUPT, .message = "a commit number is out of order"};
    bool done = false;
    enum oms_status status;
    if (m->stage == STORE_WINDOW_GATHERS) {
        status = gather_some(m, all ? SIZE_MAX : STEP_GATHERED, &done);
        if (done) {
            m->stage = STORE_WINDOW_FOLDS;
            m->stage_since_ns = now;
        }
        return status == OMS_OK ? OMS_OK : fail(store, status, &error);
    }
    status = store_fold_some(&m->fold, all ? SIZE_MAX : STEP_RECORDS, &done, &error);
    if (status != OMS_OK)
        return fail(store, status, &error);
    return done ? end_window(store, now) : OMS_OK;
}

/* ---- the step ---- */

/* A window is full early enough that commits need not wait for it to become old. */
static uint64_t window_units(const struct store *store)
{
    uint64_t half_lag = store->config.lag_units_max / 2;
    return half_lag < OMS_MATERIALISE_WINDOW_UNITS ? (half_lag ? half_lag : 1) : OMS_MATERIALISE_WINDOW_UNITS;
}

/* Whether commits may soon have to wait for us. */
static bool lag_is_high(const struct store *store)
{
    uint64_t units = atomic_load_explicit(&store->durable_lsn, memory_order_relaxed) -
                     atomic_load_explicit(&store->applied_lsn, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&store->durable_bytes, memory_order_relaxed) -
                     atomic_load_explicit(&store->applied_bytes, memory_order_relaxed);
    return units >= store->config.lag_units_max / 2 || bytes >= OMS_LAG_BYTES_MAX / 2;
}

static bool window_is_due(const struct store *store, uint64_t now, int64_t *left_ms)
{
    const struct store_materialiser *m = &store->materialiser;
    uint64_t open_ms = (now - m->window_opened_ns) / 1000000;
    *left_ms = (int64_t)(store->config.window_ms - open_ms);
    return m->reads_first || m->waiting >= window_units(store) || open_ms >= store->config.window_ms ||
           lag_is_high(store) || store->host->finishing;
}

/* Whether more of the window is folded than of the time for it is over, and nobody needs it sooner. */
static bool may_nap(const struct store *store, uint64_t now)
{
    const struct store_materialiser *m = &store->materialiser;
    if (m->stage != STORE_WINDOW_FOLDS || store->host->finishing || m->reads_first || lag_is_high(store) ||
        m->waiting - m->fold.count >= window_units(store))
        return false;
    /* Nine tenths of a window's time, so that it ends before the next one is due. */
    uint64_t budget_ns = (uint64_t)store->config.window_ms * 900000;
    return m->fold.folded * budget_ns > m->fold.count * (now - m->stage_since_ns);
}

/* Sleeps without being woken: everything that comes meanwhile can wait for so long. What the step returns. */
static bool nap(struct rt_worker *worker, int64_t *wait_ms, int64_t nap_ms)
{
    if (nap_ms > NAP_MS)
        nap_ms = NAP_MS;
    if (*wait_ms < 0 || nap_ms < *wait_ms)
        *wait_ms = nap_ms;
    worker->deaf = true;
    return false;
}

bool store_materialiser_step(struct rt_worker *worker, int64_t *wait_ms)
{
    struct store *store = store_of(worker);
    struct store_materialiser *m = &store->materialiser;
    uint64_t now = rt_mono_ns(store->host);
    int64_t left_ms;
    *wait_ms = -1;
    worker->deaf = false;
    drain_port(store, now);
    if (m->reads_first)
        wake_reads(store);
    do
        send_some_home(store);
    while (m->home_first && store->host->finishing);
    if (store_failed(store) != OMS_OK)
        return m->home_first != NULL;
    *wait_ms = flush_in_time(store, now);
    if (m->stage == STORE_WINDOW_OPEN) {
        if (!m->first)
            return m->home_first ? nap(worker, wait_ms, NAP_MS) : false;
        if (!window_is_due(store, now, &left_ms))
            return nap(worker, wait_ms, left_ms);
        begin_window(store, now);
    } else if (may_nap(store, now)) {
        return nap(worker, wait_ms, NAP_MS);
    }
    if (work(store, store->host->finishing, now) != OMS_OK ||
        (m->reads_first && m->stage == STORE_WINDOW_OPEN))
        wake_reads(store);
    return true;
}

enum oms_status store_materialiser_finish(struct store *store)
{
    struct store_materialiser *m = &store->materialiser;
    enum oms_status status = store_failed(store);
    drain_port(store, 0);
    while (m->first && status == OMS_OK) {
        if (m->stage == STORE_WINDOW_OPEN)
            begin_window(store, 0);
        status = work(store, true, 0);
    }
    return status;
}
