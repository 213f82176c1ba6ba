/*
 * The inside of struct store, shared by store.c, committer.c, materialiser.c and readers.c only.
 *
 * Who may touch what: a store_shard belongs to its shard's thread, the committer's and the materialiser's
 * structures to their workers, and what crosses is atomic and explained where it stands. Single-writer
 * counters are stored and loaded relaxed; whatever another thread acts upon is stored with release and loaded
 * with acquire.
 *
 * The three numbers that order everything:
 *   shard_seq    per shard, given by store_submit; acknowledgements are "settled up to"
 *   durable_lsn  stored by the committer after a synced append, before any acknowledgement of it
 *   applied_lsn  stored by the materialiser after the derived write
 */
#ifndef STORE_STORE_IMPL_H
#define STORE_STORE_IMPL_H

#include <stdatomic.h>

#include "runtime/base/limits.h"
#include "runtime/shard.h"
#include "storage/fold.h"

/* ---- a shard's side ---- */

/* A unit node; every one that a shard made is in its list, wherever the unit travels, so that none leaks. */
struct store_node {
    struct store_unit unit;
    struct store_node *all_prev, *all_next;
    struct store_node *free_next;
};

/* What admission counts of a unit in flight. */
struct store_flight {
    uint32_t tenant;
    uint32_t bytes;
};

/* Units in flight per tenant: open addressing, never shrunk, as many entries as tenants ever seen. */
struct store_tenant_count {
    uint32_t tenant;
    uint32_t count;
    bool used;
};

struct store_shard {
    struct store *store;
    struct rt_shard *shard;
    void (*on_durable)(struct rt_shard *shard, uint64_t durable_seq, enum oms_status status);
    void (*on_applied)(struct rt_shard *shard, struct store_unit *unit);

    struct rt_message *first, *last; /* submitted in this turn */
    unsigned chained;
    uint64_t submitted_seq;
    uint64_t settled_seq; /* answered by on_durable, whatever the status */
    uint64_t durable_seq; /* answered with OMS_OK */

    struct store_flight *flights; /* of shard_seq s at s & (flight_cap − 1), for settled < s <= submitted */
    size_t flight_cap;
    uint64_t flight_bytes;
    struct store_tenant_count *tenants;
    size_t tenant_cap, tenant_used;

    struct store_node *all;
    struct store_node *free;
    unsigned free_count;
    uint64_t trimmed_seq; /* submitted_seq at the last trim */

    /*
     * The committer's news for this shard. It stores durable_to (or failed_to) with release and posts `ack`
     * unless it is posted already; the shard clears `posted` before it reads the numbers, so no news is lost
     * and the one node is never in a queue twice.
     */
    struct rt_message ack;
    _Alignas(64) atomic_bool posted;
    _Atomic uint64_t durable_to;
    _Atomic uint64_t failed_to; /* units after durable_to up to here are OMS_IO */
};

/* ---- the committer ---- */

struct store_committer {
    struct rt_message *first, *last; /* taken from the port, oldest first */
    uint64_t next_lsn;
    uint64_t next_commit[OMS_PARTITIONS];
    uint64_t disk_checked_ns;
    bool disk_known;
    bool told_fatal;
    struct store_append appends[OMS_COMMIT_BATCH_UNITS_MAX];
};

void store_committer_init(struct store *store);
bool store_committer_step(struct rt_worker *worker, int64_t *wait_ms);
/* Measures the free space now and sets store->refusing. OMS_NO_SPACE below the hard reserve. */
enum oms_status store_committer_check_disk(struct store *store);

/* ---- the materialiser ---- */

enum store_window {
    STORE_WINDOW_OPEN,    /* units wait for it to become due */
    STORE_WINDOW_GATHERS, /* they are put into the fold */
    STORE_WINDOW_FOLDS,   /* which takes no more */
};

struct store_materialiser {
    struct store_fold fold;
    struct store_unit *first, *last; /* not applied yet, oldest first, linked by home_next */
    uint64_t waiting;                /* of them */
    uint64_t window_opened_ns;
    bool window_open;
    enum store_window stage;
    uint64_t stage_since_ns;
    struct store_unit *window_last; /* the window being gathered or folded ends here */
    uint64_t window_bytes;
    struct store_unit *home_first, *home_last; /* applied, on their way home, linked by home_next */
    struct rt_message *reads_first, *reads_last;
    bool dirty; /* written since the last flush was asked for */
    uint64_t dirty_since_ns;
    struct rt_job flush;
    atomic_bool flushing; /* set here, cleared by the job's return on shard 0 */
};

void store_materialiser_init(struct store *store);
bool store_materialiser_step(struct rt_worker *worker, int64_t *wait_ms);
/* At close, on the only thread left: applies all that waits, without windows, acknowledgements or returns. */
enum oms_status store_materialiser_finish(struct store *store);

/* ---- all of it ---- */

struct store {
    struct store_engine *engine;
    struct rt_host *host;
    struct store_projector projector;
    struct store_config config;                             /* with defaults filled in */
    struct rt_worker committer_worker, materialiser_worker; /* the host's from add_worker to its stop */
    struct store_committer committer;
    struct store_materialiser materialiser;
    struct store_shard *shards[OMS_SHARDS_MAX];
    bool closing; /* the host has stopped: nobody to tell */

    /* Written by one worker each, read by everybody. */
    _Alignas(64) _Atomic uint64_t durable_lsn;
    _Atomic uint64_t durable_bytes;
    _Atomic uint64_t durable_commits[OMS_PARTITIONS];
    _Alignas(64) _Atomic uint64_t applied_lsn;
    _Atomic uint64_t applied_bytes;
    _Alignas(64) atomic_bool refusing;
    atomic_int failed;       /* enum oms_status of the first failure; nothing is written after it */
    struct rt_message nudge; /* wakes the committer so that it tells about a failure elsewhere */
    atomic_bool nudged;

    struct {
        _Atomic uint64_t batches, lag_units_max, windows, writes;
        _Atomic uint64_t batch_units[13];
        _Atomic uint64_t sync_us_bucket[16];
        _Atomic uint64_t sync_us_sum;
    } stats;
};

/* Adds to a counter that only the calling thread writes. */
static inline void store_count(_Atomic uint64_t *counter, uint64_t more)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + more, memory_order_relaxed);
}

/* Records the first failure; the committer then tells on_fatal. Any thread. */
void store_fail(struct store *store, enum oms_status status, const struct oms_error *error);

static inline enum oms_status store_failed(struct store *store)
{
    return (enum oms_status)atomic_load_explicit(&store->failed, memory_order_acquire);
}

/* The committer: tells the shard that its units up to `seq` are durable, or failed. */
void store_shard_ack(struct store_shard *shard, uint64_t seq, enum oms_status status);
/* on_return of units; tells a worker which messages in its port are units. */
void store_unit_home(struct rt_shard *shard, struct rt_message *message);
/* on_return of the materialiser's flush. */
void store_flush_home(struct rt_shard *home, struct rt_message *message);

static inline struct store_unit *store_unit_of(struct rt_message *message)
{
    return (struct store_unit *)((char *)message - offsetof(struct store_unit, message));
}

#endif
