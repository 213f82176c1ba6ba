/*
 * The store: log, committer, materialiser and readers over one engine. It knows no order: the layer above
 * gives it a projector that folds records into derived writes.
 *
 *   shard ── store_submit ──▶ committer ── synced batch ──▶ "durable up to" ──▶ shard
 *                                └──────▶ materialiser ── derived writes ──▶ unit comes home to its shard
 *
 * Invariants: a unit is one record; acknowledged means synced; derived families plus their applied positions
 * always equal a fold of a prefix of the log, and recovery folds the rest; a read job starts only when
 * everything durable at its asking has been applied, so that its caller sees what it was told.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "runtime/host.h"
#include "storage/engine.h"
#include "storage/unit.h"

struct store;

/* ---- what the layer above gives ---- */

/* Collects derived writes; bytes are copied. */
struct store_writes;
void store_writes_put(struct store_writes *writes, enum store_family family, struct oms_str key,
                      struct oms_str value);
void store_writes_delete(struct store_writes *writes, enum store_family family, struct oms_str key);
/*
 * Adds to counters: the key's value is `count` numbers, at most STORE_SUM_NUMBERS, of 8 bytes each, big
 * endian; what is not there yet counts as zeros. A sum does not depend on how its parts are spread over
 * windows, so counters are a fold of the log like everything else. A key is either put or added to, never
 * both, and always with the same count.
 */
#define STORE_SUM_NUMBERS 4
void store_writes_add(struct store_writes *writes, enum store_family family, struct oms_str key,
                      const int64_t *deltas, size_t count);
/* The number at `index` of a counter's stored value; 0 when it has none. */
int64_t store_sum_read(struct oms_str value, size_t index);

struct store_projector {
    void *context;
    /*
     * Folds `records` (one actor's, consecutive versions, oldest first) on its `base` state (absent: none
     * yet) and puts the new state, asides, terms and timers into `writes` (the timeline is storage's own).
     * Called on the materialiser's thread and during recovery. OMS_CORRUPT stops the process: the log no
     * longer folds. `vault` is the store's, for hashes of terms.
     */
    enum oms_status (*project)(void *context, const struct store_vault *vault, const struct rt_address *actor,
                               struct oms_str base, const struct store_record *records, size_t count,
                               struct oms_arena *scratch, struct store_writes *writes);
};

struct store_config {
    struct store_engine *engine; /* owned by the store from a successful open on */
    struct rt_host *host;
    struct store_projector projector;
    uint64_t disk_reserve_bytes; /* 0: OMS_DISK_RESERVE_BYTES */
    uint64_t lag_units_max;      /* 0: OMS_LAG_UNITS_MAX */
    unsigned window_ms;          /* the materialiser waits this long for a window to fill; 0: 500 */
    unsigned
        flush_interval_ms; /* derived families are flushed at least so often while they change; 0: 5000 */
    /* Called once, on the committer's thread, when a write failed: outcome unknown, the process must stop. */
    void (*on_fatal)(void *context, enum oms_status status);
    void *fatal_context;
    /* Called by store_close for each read that the host's stop left parked: its owner frees it. May be NULL.
     */
    void (*discard)(struct rt_message *message);
};

struct store_recovery {
    uint64_t units_replayed;
    uint64_t bytes_replayed;
    uint64_t milliseconds;
};

/* Opens, replays the log's tail into the derived families, and adds its workers to the host (before host
 * start). */
OMS_MUST_USE enum oms_status store_open(const struct store_config *config, struct store **out,
                                        struct store_recovery *recovery, struct oms_error *error);
/*
 * After the host has stopped: commits and applies what is left, flushes, closes the engine. Nobody is told
 * any more. After a failure it only closes, as a crash would.
 */
void store_close(struct store *store);
/*
 * After rt_host_sim_crash: frees the store and all its units without touching the engine, which
 * store_memory_crash frees. Reads that were parked inside are handed to `discard` (may be NULL), as the host
 * does with what it held.
 */
void store_abandon(struct store *store, void (*discard)(struct rt_message *message));
/* Is this message storage's own (a unit, an acknowledgement, a flush)? For a crash's discard: nothing to free
 * then. */
bool store_owns_message(const struct rt_message *message);

/* ---- commits: on a shard's thread ---- */

/*
 * Registers the shard: `on_durable` is called on it after each batch with units of it: every unit with
 * shard_seq <= durable_seq has that status (OMS_OK; OMS_IO: outcome unknown). `on_applied` is called for each
 * unit node that comes home materialised; the callee owns the node and recycles it by store_unit_recycle. For
 * one unit the first comes before the second: the committer posts its news before it hands the unit on. So
 * from on_durable with OMS_OK until on_applied the unit's commit number can be read.
 */
void store_attach(struct store *store, struct rt_shard *shard,
                  void (*on_durable)(struct rt_shard *shard, uint64_t durable_seq, enum oms_status status),
                  void (*on_applied)(struct rt_shard *shard, struct store_unit *unit));

/* May this shard submit a unit for this tenant now? OMS_OK, OMS_BUSY (too much in flight),
 * OMS_NO_SPACE, or OMS_CLOSED after a failed write. Checked before decide, so that a refusal is clean. */
OMS_MUST_USE enum oms_status store_admit(struct store *store, struct rt_shard *shard, uint32_t tenant);
/* A recycled or new node with an empty record. It belongs to the caller until submit or recycle; the store
 * frees all nodes at its own end. */
struct store_unit *store_unit_take(struct store *store, struct rt_shard *shard);
void store_unit_recycle(struct store *store, struct rt_shard *shard, struct store_unit *unit);
/* From time to time: gives memory of recycled nodes back when nothing was submitted since the last call. */
void store_trim(struct store *store, struct rt_shard *shard);
/* Moves the unit to the committer at the end of this turn; returns its shard_seq. */
uint64_t store_submit(struct store *store, struct rt_shard *shard, struct store_unit *unit);
/* The shard's last submitted and last durable shard_seq. */
uint64_t store_submitted_seq(struct store *store, struct rt_shard *shard);
uint64_t store_durable_seq(struct store *store, struct rt_shard *shard);
/*
 * The highest durable commit number of a partition, 0 for none: every one up to it is in the log. Any thread;
 * published before any shard is told that its units are durable.
 */
uint64_t store_durable_commit(struct store *store, uint16_t partition);

/* ---- reads ---- */

/* Newest derived value without blocking: OMS_OK, OMS_NOT_FOUND or OMS_BLOCKED (then use a read job). Appends.
 */
OMS_MUST_USE enum oms_status store_get_cached(struct store *store, enum store_family family,
                                              struct oms_str key, struct oms_buf *out);

/*
 * A read in a pool: waits until all that is durable now is applied, opens a view, calls run on a pool
 * thread, closes the view, and comes home by job.message.on_return. The caller zeroes it, then sets run,
 * pool, and of the job the tenant and the message's home and on_return.
 */
struct store_read {
    struct rt_job job;
    void (*run)(struct store_read *read, struct store_engine *engine, struct store_view *view);
    enum rt_pool pool;   /* 0: RT_POOL_READ; RT_POOL_LOAD for a few keys that an actor waits for */
    uint64_t lsn_needed; /* storage's own */
    struct store *store; /* storage's own */
};
void store_read(struct store *store, struct rt_shard *shard, struct store_read *read);

/*
 * The partition's applied position in a view: its derived families are the fold of the log up to this commit,
 * though the log itself may show more. For what reads both. OMS_IO or OMS_CORRUPT.
 */
OMS_MUST_USE enum oms_status store_view_applied(struct store_engine *engine, struct store_view *view,
                                                uint16_t partition, uint64_t *out);

/* ---- numbers ---- */
struct store_stats {
    uint64_t units, bytes, batches;
    uint64_t lag_units, lag_bytes; /* durable, not yet applied */
    uint64_t lag_units_max;        /* highest since start */
    uint64_t windows, writes;      /* of the materialiser */
    uint64_t batch_units[13];      /* batches by size: ≤1, 2, 4, … 4096 */
    uint64_t sync_us_bucket[16];   /* append+sync time by power of two microseconds */
    uint64_t sync_us_sum;
    bool refusing; /* disk below the reserve */
};
/* Any thread; approximate. */
void store_stats(struct store *store, struct store_stats *out);
struct store_engine *store_engine(struct store *store);

/* ---- verify ---- */
struct store_verify_report {
    uint64_t units, actors, keys_compared, differences;
    char first_difference[256];
};
/*
 * Rebuilds every derived family from the log in a scratch folder and compares with what is stored (commit
 * numbers without a gap, versions without a gap, checksums, states, asides, timelines, terms, timers). The
 * store must not be open elsewhere. `progress` may be NULL. Both engines stay the caller's; `scratch` must be
 * empty.
 *
 * Derived families are compared at their own applied positions, so a store that crashed is verified as it
 * lies; the log behind these is checked record by record. A damaged log is OMS_CORRUPT with its place in
 * `error`; families that differ are OMS_OK with report->differences > 0.
 */
OMS_MUST_USE enum oms_status store_verify(struct store_engine *engine, struct store_engine *scratch,
                                          const struct store_projector *projector,
                                          void (*progress)(void *context, uint64_t units_done), void *context,
                                          struct store_verify_report *report, struct oms_error *error);

#endif
