/*
 * The storage engine's vtable: bytes in, bytes out. store_rocksdb.c is production, store_memory.c its twin
 * for tests and the simulator (latency, faults and crashes that lose what was not synced).
 *
 * Two databases under one folder: `log` (one record per unit of work, written in synced batches; the only
 * truth, with the keys of what is sealed in it beside it) and `state` (the derived families, written without
 * a write-ahead log and flushed together with their applied positions; can be deleted and rebuilt). They are
 * two so that the materialiser's writes never wait in the same write queue as a commit's fsync.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "runtime/base/buf.h"
#include "runtime/base/str.h"
#include "runtime/message.h"

enum store_family {
    STORE_STATE,    /* address → state of an actor */
    STORE_ASIDE,    /* address, kind, sequence → notes and other parts kept beside the state */
    STORE_TIMELINE, /* address, first version of a run → commit numbers of its units */
    STORE_TERMS,    /* tenant, index, term, sort key, address → small value: the lists' indexes */
    STORE_TIMERS,   /* due time, address, name → empty: durable deadlines */
    STORE_META,     /* applied positions per partition, format, epoch; written by storage only */
    STORE_FAMILY_COUNT,
};

struct store_engine;
struct store_view;
struct store_iter;
struct store_vault;

/* One record for the log, with the wrapped key of what is sealed in it (sealed.h). */
struct store_append {
    uint16_t partition;
    uint64_t commit;
    struct oms_str value; /* absent: only a key is written */
    struct rt_address actor;
    struct oms_str key; /* absent: none; kept under (actor, commit) */
    bool destroys;      /* every key of the actor below `commit` goes with this append */
};

/* Keys of a family from lower (inclusive) to upper (exclusive). */
struct store_range {
    enum store_family family;
    struct oms_str lower, upper;
};

/* One write to a derived family. */
struct store_write {
    enum store_family family;
    bool is_delete;
    struct oms_str key;
    struct oms_str value;
};

struct store_engine_ops {
    /* Writes and syncs all or nothing visible to readers, in the order of the records. OMS_IO means unknown:
     * it may be there after a reopen. */
    enum oms_status (*append)(struct store_engine *engine, const struct store_append *records, size_t count);
    /* The highest commit number of the partition in the log; 0 when it is empty. */
    enum oms_status (*last_commit)(struct store_engine *engine, uint16_t partition, uint64_t *out);
    /* Atomic, visible at once, not durable until flush. */
    enum oms_status (*write)(struct store_engine *engine, const struct store_write *writes, size_t count);
    /* Makes everything written so far durable, all families together. Blocks; any thread, also beside a
     * write. */
    enum oms_status (*flush)(struct store_engine *engine);
    /* Newest value. may_block false: OMS_BLOCKED when it would have to read a file. Appends to `out`. */
    enum oms_status (*get)(struct store_engine *engine, enum store_family family, struct oms_str key,
                           bool may_block, struct oms_buf *out);
    /* A consistent snapshot of log and derived families; blocking reads only. Closed by view_close. */
    struct store_view *(*view_open)(struct store_engine *engine);
    void (*view_close)(struct store_view *view);
    enum oms_status (*view_get)(struct store_view *view, enum store_family family, struct oms_str key,
                                struct oms_buf *out);
    /* One record of the log; OMS_NOT_FOUND beyond its end. Appends the value to `out`. */
    enum oms_status (*view_log_get)(struct store_view *view, uint16_t partition, uint64_t commit,
                                    struct oms_buf *out);
    /* The wrapped key of an actor's unit; OMS_NOT_FOUND when it never had one or it was destroyed. Appends.
     */
    enum oms_status (*view_key_get)(struct store_view *view, const struct rt_address *actor, uint64_t commit,
                                    struct oms_buf *out);
    /* Iterates a family between lower (inclusive) and upper (exclusive; absent: to the end). Stands at the
     * first. The view must stay open as long as the iterator. */
    struct store_iter *(*iter_open)(struct store_view *view, enum store_family family, struct oms_str lower,
                                    struct oms_str upper);
    /* The same over the log: partition's records from commit `from` on. Key of an item: 8 bytes commit, big
     * endian. */
    struct store_iter *(*log_iter_open)(struct store_view *view, uint16_t partition, uint64_t from);
    void (*iter_seek)(struct store_iter *iter, struct oms_str key); /* first at or after; absent: the first */
    void (*iter_seek_last)(struct store_iter *iter,
                           struct oms_str key); /* last at or before; absent: the last */
    void (*iter_next)(struct store_iter *iter);
    void (*iter_prev)(struct store_iter *iter);
    /* False at the end or on an error (then *status tells). Slices are valid until the next move. */
    bool (*iter_item)(struct store_iter *iter, struct oms_str *key, struct oms_str *value,
                      enum oms_status *status);
    void (*iter_close)(struct store_iter *iter);
    /*
     * Makes sure that no file holds what was overwritten or deleted in these ranges, or destroyed among the
     * keys, before this call: flushes all and rewrites what overlaps. Blocks for as long as that takes; any
     * thread, also beside a write. OMS_BUSY: done, but a view older than the call stayed open and may have
     * kept something alive: call again.
     */
    enum oms_status (*purge)(struct store_engine *engine, const struct store_range *ranges, size_t count);
    /* Bytes that can still be written below the folder. */
    enum oms_status (*free_bytes)(struct store_engine *engine, uint64_t *out);
    /* Numbers for /metrics, as "name value\n" lines without prefix. */
    void (*metrics)(struct store_engine *engine, struct oms_buf *out);
    /* Closes and frees the engine; flushes derived families first when `clean`, else leaves all as a crash
     * would. */
    void (*close)(struct store_engine *engine, bool clean);
};

struct store_engine {
    const struct store_engine_ops *ops;
    const struct store_vault
        *vault; /* borrowed; who opens an engine sets it before units with personal texts */
};

struct store_rocksdb_config {
    const char *folder;      /* made when missing; locked against a second process */
    uint64_t cache_bytes;    /* block cache; 0: 256 MiB */
    uint64_t memtable_bytes; /* of the derived families together; 0: 128 MiB */
};

/* Opens or makes the databases. `error` says in one line what is wrong with the folder, and which. */
OMS_MUST_USE enum oms_status store_rocksdb_open(const struct store_rocksdb_config *config,
                                                struct store_engine **out, struct oms_error *error);

/* ---- the twin ---- */
struct store_memory;
/* With a vault of its own, whose master key is fixed. */
struct store_memory *store_memory_create(void);
void store_memory_destroy(struct store_memory *memory);
/* An engine over the memory; closing it keeps what was durable. */
struct store_engine *store_memory_open(struct store_memory *memory);
/* Forgets what was not synced or flushed, as a power cut does; the engine over it must not be used again. */
void store_memory_crash(struct store_memory *memory);

/* The next faults, each counted down by one per call of its kind; 0 is off, 1 the very next. */
struct store_memory_faults {
    unsigned append_fails_kept; /* returns OMS_IO although the batch is durable */
    unsigned append_fails_lost; /* returns OMS_IO and the batch is gone */
    unsigned write_fails;
    uint64_t free_bytes; /* what free_bytes answers; UINT64_MAX: plenty */
    unsigned flush_fails;
    /* At a crash so many writes since the last flush survive, oldest first, as a flush in the background may
     * have made them durable. Not counted down. */
    unsigned crash_keeps_writes;
};
struct store_memory_faults *store_memory_faults(struct store_memory *memory);
/* Flips a bit of a log record, as a failing disk does; false when there is no such record or byte. */
bool store_memory_corrupt(struct store_memory *memory, uint16_t partition, uint64_t commit, size_t offset);
/* Forgets a partition's records from commit `from` on, as a lost tail of the log does. */
void store_memory_truncate(struct store_memory *memory, uint16_t partition, uint64_t from);
/* All derived families forgotten, as if the state folder had been deleted; no view may be open. */
void store_memory_drop_state(struct store_memory *memory);

#endif
