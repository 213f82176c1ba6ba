/*
 * The production engine: two RocksDB databases below one folder. The only file that sees rocksdb/c.h.
 *
 *   log/    one column family, key = partition (be16) + commit (be64), value = record. Every batch is synced.
 * Commit numbers grow, so sorted runs overlap little and mostly move down without being rewritten. state/  a
 * column family per derived family, written without a write-ahead log. They are flushed atomically, so after
 * a crash they are together at the end of some window (store_fold replays the rest).
 *
 * Facts about RocksDB 7.8 that this file rests on; test_store_engine checks those that can be:
 *  - rocksdb_flush_cf flushes that family alone, even with atomic_flush. A flush that is due by memory takes
 * all of them together, and so does a manual compaction whose range lies in a memtable: `flush` asks for one
 * of a single key that every flush rewrites.
 *  - Closing flushes what has no write-ahead log unless avoid_flush_during_shutdown is set, which the C API
 * can only do by an options string. We flush ourselves when the end is clean.
 *  - The info LOG aborts the process on a full disk. At the level HEADER nothing is written to it after
 * opening.
 *  - Debian's build has assertions on, and one insertion into a memtable then compares some 50 keys more. Two
 * things make it four times as fast: the hint per key prefix (keys of a batch come sorted, so the place of
 * the last one is near), and no performance counters, which cost a thread-local look-up for each comparison.
 *  - Column family handles must be destroyed before the database is closed (assertions are on).
 *  - A background error stays until a reopen: a failed write is therefore final for the process.
 */
#include <rocksdb/c.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/base/wire.h"
#include "storage/engine.h"
#include "storage/keys.h"
#include "storage/wal_tail.h"

#define LOG_KEY_SIZE         10
#define CACHE_BYTES_DEFAULT  ((uint64_t)256 << 20)
#define MEMORY_BYTES_DEFAULT ((uint64_t)128 << 20)
#define LOG_MEMTABLE_BYTES   ((size_t)64 << 20)
#define OPEN_FREE_BYTES_MIN  ((uint64_t)16 << 20) /* opening writes a manifest, options and an empty log */
#define BACKGROUND_JOBS      3
#define INFO_LOG_HEADER      5 /* rocksdb::InfoLogLevel::HEADER_LEVEL */
#define PERF_LEVEL_OFF       1 /* rocksdb::PerfLevel::kDisable; per thread */
#define READ_TIER_CACHE      1 /* rocksdb::kBlockCacheTier */
#define RECOVER_TAIL_ONLY    0 /* rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords */
#define PURGE_WAITS          100
#define PURGE_WAIT_NS        20000000
#define BOTTOM_TOO           3 /* rocksdb::BottommostLevelCompaction::kForceOptimized */
#define KEYS_MEMTABLE_BYTES  ((size_t)16 << 20)
#define LOG_WAL_BYTES_MAX    ((uint64_t)256 << 20) /* a few keys must not keep all write-ahead files */
#define RECOVER_TO_DAMAGE    2                     /* rocksdb::WALRecoveryMode::kPointInTimeRecovery */

static const char *const family_names[STORE_FAMILY_COUNT] = {
    [STORE_STATE] = "state", [STORE_ASIDE] = "aside",   [STORE_TIMELINE] = "timeline",
    [STORE_TERMS] = "terms", [STORE_TIMERS] = "timers", [STORE_META] = "meta",
};

struct engine {
    struct store_engine base;
    char *folder;
    int lock_fd;
    rocksdb_cache_t *cache;
    rocksdb_options_t *log_options;
    rocksdb_options_t *state_options;
    rocksdb_t *log;
    rocksdb_t *state;
    rocksdb_column_family_handle_t *log_default;
    rocksdb_column_family_handle_t *keys;           /* of the log */
    rocksdb_column_family_handle_t *default_family; /* every database has it; unused in state */
    rocksdb_column_family_handle_t *families[STORE_FAMILY_COUNT];
    rocksdb_writeoptions_t *synced;
    rocksdb_writeoptions_t *unlogged;
    rocksdb_readoptions_t *blocking;
    rocksdb_readoptions_t *cached;
    rocksdb_compactoptions_t *compact;
    rocksdb_writebatch_t *log_batch;   /* the committer's, kept for its memory */
    rocksdb_writebatch_t *state_batch; /* the materialiser's */
};

struct store_view {
    struct engine *engine;
    const rocksdb_snapshot_t *log_snapshot;
    const rocksdb_snapshot_t *state_snapshot;
    rocksdb_readoptions_t *log_read;
    rocksdb_readoptions_t *state_read;
};

struct store_iter {
    rocksdb_iterator_t *it;
    rocksdb_readoptions_t *read; /* has the snapshot and the bounds */
    char *lower, *upper;         /* the bounds' bytes, which RocksDB borrows */
    bool is_log;
    unsigned char partition[2];
};

/* A key in `meta` of our own, see engine_flush_state. */
static const char flush_key[] = "~flush";

static struct engine *engine_of(struct store_engine *engine)
{
    return (struct engine *)engine;
}

/* Logs RocksDB's text once, frees it, and says what it means to us. */
static enum oms_status take_error(const char *what, char *text)
{
    if (!text)
        return OMS_OK;
    enum oms_status status = strncmp(text, "Corruption", 10) == 0 ? OMS_CORRUPT : OMS_IO;
    OMS_LOG(OMS_LOG_ERROR, "store.engine_error", OMS_LOG_TEXT("what", what), OMS_LOG_TEXT("error", text));
    rocksdb_free(text);
    return status;
}

static void log_key(uint16_t partition, uint64_t commit, unsigned char out[LOG_KEY_SIZE])
{
    oms_put_be16(out, partition);
    oms_put_be64(out + 2, commit);
}

/* ---- writing ---- */

/*
 * Deletes the actor's keys below the record's: those that are written, one by one (the batch's only writer is
 * the caller, so none comes in between), and those that are earlier in this batch. A range deletion would be
 * one entry, but the memtable's hint does not take it.
 */
static enum oms_status add_destroyed(struct engine *engine, const struct store_append *records, size_t at)
{
    const struct store_append *record = &records[at];
    unsigned char first[STORE_SEAL_KEY_SIZE], end[STORE_SEAL_KEY_SIZE], key[STORE_SEAL_KEY_SIZE];
    char *error = NULL;
    size_t len;
    store_seal_key(&record->actor, 0, first);
    store_seal_key(&record->actor, record->commit, end);
    rocksdb_iterator_t *it = rocksdb_create_iterator_cf(engine->log, engine->blocking, engine->keys);
    for (rocksdb_iter_seek(it, (const char *)first, sizeof(first)); rocksdb_iter_valid(it);
         rocksdb_iter_next(it)) {
        const char *found = rocksdb_iter_key(it, &len);
        if (len != sizeof(end) || memcmp(found, end, sizeof(end)) >= 0)
            break;
        rocksdb_writebatch_delete_cf(engine->log_batch, engine->keys, found, len);
    }
    rocksdb_iter_get_error(it, &error);
    rocksdb_iter_destroy(it);
    for (size_t i = 0; i < at; i++)
        if (records[i].key.data && rt_address_eq(&records[i].actor, &record->actor)) {
            store_seal_key(&records[i].actor, records[i].commit, key);
            rocksdb_writebatch_delete_cf(engine->log_batch, engine->keys, (const char *)key, sizeof(key));
        }
    return take_error("keys", error);
}

/* What the record does to the keys, in the same batch. */
static enum oms_status add_keys(struct engine *engine, const struct store_append *records, size_t at)
{
    const struct store_append *record = &records[at];
    unsigned char key[STORE_SEAL_KEY_SIZE];
    enum oms_status status = record->destroys ? add_destroyed(engine, records, at) : OMS_OK;
    if (!record->key.data)
        return status;
    store_seal_key(&record->actor, record->commit, key);
    rocksdb_writebatch_put_cf(engine->log_batch, engine->keys, (const char *)key, sizeof(key),
                              record->key.data, record->key.len);
    return status;
}

static enum oms_status engine_append(struct store_engine *base, const struct store_append *records,
                                     size_t count)
{
    struct engine *engine = engine_of(base);
    char *error = NULL;
    rocksdb_set_perf_level(PERF_LEVEL_OFF);
    rocksdb_writebatch_clear(engine->log_batch);
    for (size_t i = 0; i < count; i++) {
        unsigned char key[LOG_KEY_SIZE];
        log_key(records[i].partition, records[i].commit, key);
        if (records[i].value.data)
            rocksdb_writebatch_put(engine->log_batch, (const char *)key, sizeof(key), records[i].value.data,
                                   records[i].value.len);
        if (add_keys(engine, records, i) != OMS_OK)
            return OMS_IO;
    }
    rocksdb_write(engine->log, engine->synced, engine->log_batch, &error);
    return take_error("append", error) == OMS_OK ? OMS_OK : OMS_IO;
}

static enum oms_status engine_write_state(struct store_engine *base, const struct store_write *writes,
                                          size_t count)
{
    struct engine *engine = engine_of(base);
    char *error = NULL;
    rocksdb_set_perf_level(PERF_LEVEL_OFF);
    rocksdb_writebatch_clear(engine->state_batch);
    for (size_t i = 0; i < count; i++) {
        const struct store_write *write = &writes[i];
        rocksdb_column_family_handle_t *family = engine->families[write->family];
        if (write->is_delete)
            rocksdb_writebatch_delete_cf(engine->state_batch, family, write->key.data, write->key.len);
        else
            rocksdb_writebatch_put_cf(engine->state_batch, family, write->key.data, write->key.len,
                                      write->value.data, write->value.len);
    }
    rocksdb_write(engine->state, engine->unlogged, engine->state_batch, &error);
    return take_error("write", error) == OMS_OK ? OMS_OK : OMS_IO;
}

/*
 * Puts a key into the memtable and compacts the range of that key, which flushes all families together first
 * (see the top). The C API does not tell how that went; a failed flush is a background error, which is
 * counted.
 */
static enum oms_status engine_flush_state(struct store_engine *base)
{
    struct engine *engine = engine_of(base);
    rocksdb_column_family_handle_t *meta = engine->families[STORE_META];
    const size_t len = sizeof(flush_key) - 1;
    char *error = NULL;
    rocksdb_put_cf(engine->state, engine->unlogged, meta, flush_key, len, "", 0, &error);
    if (error)
        return take_error("flush", error);
    rocksdb_compact_range_cf_opt(engine->state, meta, engine->compact, flush_key, len, flush_key, len);
    char *failures = rocksdb_property_value(engine->state, "rocksdb.background-errors");
    bool failed = failures && strcmp(failures, "0") != 0;
    if (failed)
        OMS_LOG(OMS_LOG_ERROR, "store.engine_error", OMS_LOG_TEXT("what", "flush"),
                OMS_LOG_TEXT("background_errors", failures));
    rocksdb_free(failures);
    return failed ? OMS_IO : OMS_OK;
}

/* ---- purging ---- */

/* Whether a view is open that was opened before this sequence number; views of the state may hold old values
 * alive, views of the log old keys. */
static bool has_older_view(rocksdb_t *db, uint64_t sequence)
{
    uint64_t count = 0, oldest = 0;
    if (rocksdb_property_int(db, "rocksdb.num-snapshots", &count) != 0 || count == 0)
        return false;
    return rocksdb_property_int(db, "rocksdb.oldest-snapshot-sequence", &oldest) != 0 || oldest < sequence;
}

/* Waits a little for views that are older than now: lists and the like end within it, exports do not. */
static bool older_views_stay(struct engine *engine)
{
    uint64_t state = rocksdb_get_latest_sequence_number(engine->state);
    uint64_t log = rocksdb_get_latest_sequence_number(engine->log);
    for (unsigned i = 0; has_older_view(engine->state, state) || has_older_view(engine->log, log); i++) {
        if (i == PURGE_WAITS)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = PURGE_WAIT_NS}, NULL);
    }
    return false;
}

/* Both families: a write-ahead file goes when neither needs it any more. */
static enum oms_status flush_log(struct engine *engine)
{
    rocksdb_column_family_handle_t *families[] = {engine->keys, engine->log_default};
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    char *error = NULL;
    for (size_t i = 0; i < OMS_COUNT_OF(families) && !error; i++)
        rocksdb_flush_cf(engine->log, flush, families[i], &error);
    rocksdb_flushoptions_destroy(flush);
    return take_error("flush of the log", error) == OMS_OK ? OMS_OK : OMS_IO;
}

static enum oms_status engine_purge(struct store_engine *base, const struct store_range *ranges, size_t count)
{
    struct engine *engine = engine_of(base);
    bool seen = older_views_stay(engine);
    enum oms_status status = engine_flush_state(base);
    if (status == OMS_OK)
        status = flush_log(engine);
    if (status != OMS_OK)
        return status;
    rocksdb_compactoptions_t *rewrite = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_exclusive_manual_compaction(rewrite, 0);
    rocksdb_compactoptions_set_bottommost_level_compaction(rewrite, BOTTOM_TOO);
    rocksdb_compact_range_cf_opt(engine->log, engine->keys, rewrite, NULL, 0, NULL, 0);
    for (size_t i = 0; i < count; i++)
        rocksdb_compact_range_cf_opt(engine->state, engine->families[ranges[i].family], rewrite,
                                     ranges[i].lower.data, ranges[i].lower.len, ranges[i].upper.data,
                                     ranges[i].upper.len);
    rocksdb_compactoptions_destroy(rewrite);
    return seen ? OMS_BUSY : OMS_OK;
}

/* ---- reading ---- */

static enum oms_status get_with(rocksdb_t *db, const rocksdb_readoptions_t *read,
                                rocksdb_column_family_handle_t *family, const char *key, size_t key_len,
                                struct oms_buf *out)
{
    char *error = NULL;
    size_t len;
    rocksdb_set_perf_level(PERF_LEVEL_OFF);
    rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(db, read, family, key, key_len, &error);
    if (error && strncmp(error, "Result incomplete", 17) == 0) {
        rocksdb_free(error);
        return OMS_BLOCKED;
    }
    if (error)
        return take_error("get", error);
    if (!slice)
        return OMS_NOT_FOUND;
    const char *value = rocksdb_pinnableslice_value(slice, &len);
    oms_buf_append(out, value, len);
    rocksdb_pinnableslice_destroy(slice);
    return out->overflow ? OMS_LIMIT : OMS_OK;
}

static enum oms_status engine_get_state(struct store_engine *base, enum store_family family,
                                        struct oms_str key, bool may_block, struct oms_buf *out)
{
    struct engine *engine = engine_of(base);
    return get_with(engine->state, may_block ? engine->blocking : engine->cached, engine->families[family],
                    key.data, key.len, out);
}

/* The state's snapshot first: the log then holds every commit that the derived families speak of. */
static struct store_view *engine_view_open(struct store_engine *base)
{
    struct engine *engine = engine_of(base);
    struct store_view *view = oms_calloc(1, sizeof(*view));
    rocksdb_set_perf_level(PERF_LEVEL_OFF);
    view->engine = engine;
    view->state_snapshot = rocksdb_create_snapshot(engine->state);
    view->log_snapshot = rocksdb_create_snapshot(engine->log);
    view->state_read = rocksdb_readoptions_create();
    view->log_read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(view->state_read, view->state_snapshot);
    rocksdb_readoptions_set_snapshot(view->log_read, view->log_snapshot);
    return view;
}

static void engine_view_close(struct store_view *view)
{
    rocksdb_readoptions_destroy(view->state_read);
    rocksdb_readoptions_destroy(view->log_read);
    rocksdb_release_snapshot(view->engine->state, view->state_snapshot);
    rocksdb_release_snapshot(view->engine->log, view->log_snapshot);
    oms_free(view);
}

static enum oms_status engine_view_get(struct store_view *view, enum store_family family, struct oms_str key,
                                       struct oms_buf *out)
{
    return get_with(view->engine->state, view->state_read, view->engine->families[family], key.data, key.len,
                    out);
}

static enum oms_status engine_view_log_get(struct store_view *view, uint16_t partition, uint64_t commit,
                                           struct oms_buf *out)
{
    unsigned char key[LOG_KEY_SIZE];
    char *error = NULL;
    size_t len;
    log_key(partition, commit, key);
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned(view->engine->log, view->log_read, (const char *)key, sizeof(key), &error);
    if (error)
        return take_error("log get", error);
    if (!slice)
        return OMS_NOT_FOUND;
    const char *value = rocksdb_pinnableslice_value(slice, &len);
    oms_buf_append(out, value, len);
    rocksdb_pinnableslice_destroy(slice);
    return out->overflow ? OMS_LIMIT : OMS_OK;
}

static enum oms_status engine_view_key_get(struct store_view *view, const struct rt_address *actor,
                                           uint64_t commit, struct oms_buf *out)
{
    unsigned char key[STORE_SEAL_KEY_SIZE];
    store_seal_key(actor, commit, key);
    return get_with(view->engine->log, view->log_read, view->engine->keys, (const char *)key, sizeof(key),
                    out);
}

/* ---- iterators ---- */

static struct store_iter *iter_create(const rocksdb_snapshot_t *snapshot, struct oms_str lower,
                                      struct oms_str upper)
{
    struct store_iter *iter = oms_calloc(1, sizeof(*iter));
    iter->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(iter->read, snapshot);
    if (lower.data) {
        iter->lower = oms_str_dup(lower);
        rocksdb_readoptions_set_iterate_lower_bound(iter->read, iter->lower, lower.len);
    }
    if (upper.data) {
        iter->upper = oms_str_dup(upper);
        rocksdb_readoptions_set_iterate_upper_bound(iter->read, iter->upper, upper.len);
    }
    return iter;
}

static struct store_iter *engine_iter_open(struct store_view *view, enum store_family family,
                                           struct oms_str lower, struct oms_str upper)
{
    struct store_iter *iter = iter_create(view->state_snapshot, lower, upper);
    iter->it = rocksdb_create_iterator_cf(view->engine->state, iter->read, view->engine->families[family]);
    rocksdb_iter_seek_to_first(iter->it);
    return iter;
}

static struct store_iter *engine_log_iter_open(struct store_view *view, uint16_t partition, uint64_t from)
{
    unsigned char lower[LOG_KEY_SIZE], upper[2];
    bool is_last = partition == UINT16_MAX;
    log_key(partition, from, lower);
    oms_put_be16(upper, (uint16_t)(partition + 1));
    struct store_iter *iter = iter_create(view->log_snapshot, oms_str_make(lower, sizeof(lower)),
                                          is_last ? OMS_STR_NONE : oms_str_make(upper, sizeof(upper)));
    iter->is_log = true;
    oms_put_be16(iter->partition, partition);
    iter->it = rocksdb_create_iterator(view->engine->log, iter->read);
    rocksdb_iter_seek_to_first(iter->it);
    return iter;
}

/* The engine's key for what the caller calls the item; a log item is called by its commit alone. */
static struct oms_str full_key(const struct store_iter *iter, struct oms_str key,
                               unsigned char out[LOG_KEY_SIZE])
{
    if (!iter->is_log)
        return key;
    OMS_ASSERT(key.len == 8);
    memcpy(out, iter->partition, 2);
    memcpy(out + 2, key.data, 8);
    return oms_str_make(out, LOG_KEY_SIZE);
}

static void engine_iter_seek_first(struct store_iter *iter, struct oms_str key)
{
    unsigned char bytes[LOG_KEY_SIZE];
    if (!key.data) {
        rocksdb_iter_seek_to_first(iter->it);
        return;
    }
    key = full_key(iter, key, bytes);
    rocksdb_iter_seek(iter->it, key.data, key.len);
}

static void engine_iter_seek_last(struct store_iter *iter, struct oms_str key)
{
    unsigned char bytes[LOG_KEY_SIZE];
    if (!key.data) {
        rocksdb_iter_seek_to_last(iter->it);
        return;
    }
    key = full_key(iter, key, bytes);
    rocksdb_iter_seek_for_prev(iter->it, key.data, key.len);
}

static void engine_iter_move_next(struct store_iter *iter)
{
    if (rocksdb_iter_valid(iter->it))
        rocksdb_iter_next(iter->it);
}

static void engine_iter_move_prev(struct store_iter *iter)
{
    if (rocksdb_iter_valid(iter->it))
        rocksdb_iter_prev(iter->it);
}

static bool engine_iter_item(struct store_iter *iter, struct oms_str *key, struct oms_str *value,
                             enum oms_status *status)
{
    *status = OMS_OK;
    if (!rocksdb_iter_valid(iter->it)) {
        char *error = NULL;
        rocksdb_iter_get_error(iter->it, &error);
        *status = take_error("iterate", error);
        return false;
    }
    key->data = rocksdb_iter_key(iter->it, &key->len);
    value->data = rocksdb_iter_value(iter->it, &value->len);
    if (iter->is_log) {
        key->data += 2;
        key->len -= 2;
    }
    return true;
}

static void engine_iter_close(struct store_iter *iter)
{
    rocksdb_iter_destroy(iter->it);
    rocksdb_readoptions_destroy(iter->read);
    oms_free(iter->lower);
    oms_free(iter->upper);
    oms_free(iter);
}

static enum oms_status engine_last_commit(struct store_engine *base, uint16_t partition, uint64_t *out)
{
    struct store_view *view = engine_view_open(base);
    struct store_iter *iter = engine_log_iter_open(view, partition, 0);
    struct oms_str key, value;
    enum oms_status status;
    *out = 0;
    rocksdb_iter_seek_to_last(iter->it);
    if (engine_iter_item(iter, &key, &value, &status))
        *out = oms_get_be64((const unsigned char *)key.data);
    engine_iter_close(iter);
    engine_view_close(view);
    return status;
}

/* ---- numbers ---- */

static enum oms_status free_bytes_of(const char *folder, uint64_t *out)
{
    struct statvfs fs;
    if (statvfs(folder, &fs) != 0)
        return OMS_IO;
    *out = (uint64_t)fs.f_bavail * fs.f_frsize;
    return OMS_OK;
}

static enum oms_status engine_free_bytes(struct store_engine *base, uint64_t *out)
{
    return free_bytes_of(engine_of(base)->folder, out);
}

static void metric(rocksdb_t *db, rocksdb_column_family_handle_t *family, const char *prefix,
                   const char *name, const char *property, struct oms_buf *out)
{
    uint64_t value;
    int failed = family ? rocksdb_property_int_cf(db, family, property, &value)
                        : rocksdb_property_int(db, property, &value);
    if (!failed)
        oms_buf_appendf(out, "%s_%s %" PRIu64 "\n", prefix, name, value);
}

static void engine_metrics(struct store_engine *base, struct oms_buf *out)
{
    struct engine *engine = engine_of(base);
    metric(engine->log, NULL, "log", "memtable_bytes", "rocksdb.cur-size-all-mem-tables", out);
    metric(engine->log, NULL, "log", "sst_bytes", "rocksdb.total-sst-files-size", out);
    metric(engine->log, engine->keys, "keys", "memtable_bytes", "rocksdb.cur-size-all-mem-tables", out);
    metric(engine->log, engine->keys, "keys", "sst_bytes", "rocksdb.total-sst-files-size", out);
    metric(engine->log, engine->keys, "keys", "keys", "rocksdb.estimate-num-keys", out);
    metric(engine->log, NULL, "log", "compaction_pending", "rocksdb.compaction-pending", out);
    metric(engine->log, NULL, "log", "write_stopped", "rocksdb.is-write-stopped", out);
    for (unsigned i = 0; i < STORE_FAMILY_COUNT; i++) {
        metric(engine->state, engine->families[i], family_names[i], "memtable_bytes",
               "rocksdb.cur-size-all-mem-tables", out);
        metric(engine->state, engine->families[i], family_names[i], "sst_bytes",
               "rocksdb.total-sst-files-size", out);
        metric(engine->state, engine->families[i], family_names[i], "keys", "rocksdb.estimate-num-keys", out);
    }
    metric(engine->state, engine->families[STORE_STATE], "state", "write_stopped", "rocksdb.is-write-stopped",
           out);
    oms_buf_appendf(out, "cache_bytes %zu\n", rocksdb_cache_get_usage(engine->cache));
    uint64_t free_bytes;
    if (engine_free_bytes(base, &free_bytes) == OMS_OK)
        oms_buf_appendf(out, "disk_free_bytes %" PRIu64 "\n", free_bytes);
}

/* ---- closing ---- */

static void close_databases(struct engine *engine)
{
    for (unsigned i = 0; i < STORE_FAMILY_COUNT; i++)
        if (engine->families[i])
            rocksdb_column_family_handle_destroy(engine->families[i]);
    if (engine->default_family)
        rocksdb_column_family_handle_destroy(engine->default_family);
    if (engine->log_default)
        rocksdb_column_family_handle_destroy(engine->log_default);
    if (engine->keys)
        rocksdb_column_family_handle_destroy(engine->keys);
    if (engine->state)
        rocksdb_close(engine->state);
    if (engine->log)
        rocksdb_close(engine->log);
}

static void engine_free(struct engine *engine)
{
    close_databases(engine);
    if (engine->log_options)
        rocksdb_options_destroy(engine->log_options);
    if (engine->state_options)
        rocksdb_options_destroy(engine->state_options);
    if (engine->cache)
        rocksdb_cache_destroy(engine->cache);
    rocksdb_writeoptions_destroy(engine->synced);
    rocksdb_writeoptions_destroy(engine->unlogged);
    rocksdb_readoptions_destroy(engine->blocking);
    rocksdb_readoptions_destroy(engine->cached);
    rocksdb_compactoptions_destroy(engine->compact);
    rocksdb_writebatch_destroy(engine->log_batch);
    rocksdb_writebatch_destroy(engine->state_batch);
    if (engine->lock_fd >= 0)
        close(engine->lock_fd); /* and with it the lock */
    oms_free(engine->folder);
    oms_free(engine);
}

static void engine_close(struct store_engine *base, bool clean)
{
    struct engine *engine = engine_of(base);
    if (clean) {
        (void)engine_flush_state(base);
        /* The log's memtables too: the next start then reads nothing. It is synced already, so failing is
         * harmless. */
        (void)flush_log(engine);
    }
    engine_free(engine);
}

static const struct store_engine_ops engine_ops = {
    .append = engine_append,
    .last_commit = engine_last_commit,
    .write = engine_write_state,
    .flush = engine_flush_state,
    .get = engine_get_state,
    .view_open = engine_view_open,
    .view_close = engine_view_close,
    .view_get = engine_view_get,
    .view_log_get = engine_view_log_get,
    .view_key_get = engine_view_key_get,
    .purge = engine_purge,
    .iter_open = engine_iter_open,
    .log_iter_open = engine_log_iter_open,
    .iter_seek = engine_iter_seek_first,
    .iter_seek_last = engine_iter_seek_last,
    .iter_next = engine_iter_move_next,
    .iter_prev = engine_iter_move_prev,
    .iter_item = engine_iter_item,
    .iter_close = engine_iter_close,
    .free_bytes = engine_free_bytes,
    .metrics = engine_metrics,
    .close = engine_close,
};

/* ---- opening ---- */

/* The whole path is made, readable by its owner only: it holds personal data. */
static enum oms_status make_folder(const char *folder, struct oms_error *error)
{
    char path[4096];
    size_t len = strlen(folder);
    if (len == 0 || len >= sizeof(path))
        return oms_error_set(error, OMS_INVALID, "the data folder's name is empty or too long");
    memcpy(path, folder, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        char kept = path[i];
        path[i] = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST && errno != EISDIR)
            return oms_error_set(error, errno == EACCES || errno == EROFS ? OMS_DENIED : OMS_IO,
                                 "cannot make the data folder %s: %s", path, strerror(errno));
        path[i] = kept;
    }
    return OMS_OK;
}

/* An exclusive lock on a file of ours, held as long as the descriptor is open: one clear line for a second
 * process. */
static enum oms_status lock_folder(struct engine *engine, struct oms_error *error)
{
    char path[4200], pid[32] = "";
    snprintf(path, sizeof(path), "%s/lock", engine->folder);
    engine->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (engine->lock_fd < 0)
        return oms_error_set(error, errno == EACCES || errno == EROFS ? OMS_DENIED : OMS_IO,
                             "cannot use the data folder %s: %s", engine->folder, strerror(errno));
    if (flock(engine->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return oms_error_set(error, OMS_IO, "cannot lock the data folder %s: %s", engine->folder,
                                 strerror(errno));
        ssize_t len = pread(engine->lock_fd, pid, sizeof(pid) - 1, 0);
        pid[len > 0 ? len : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        return oms_error_set(error, OMS_EXISTS, "the data folder %s is in use by another process%s%s%s",
                             engine->folder, *pid ? " (pid " : "", pid, *pid ? ")" : "");
    }
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(engine->lock_fd, 0) != 0 || pwrite(engine->lock_fd, pid, (size_t)len, 0) != len)
        OMS_LOG(OMS_LOG_WARN, "store.lock_without_pid", OMS_LOG_TEXT("folder", engine->folder));
    return OMS_OK;
}

static enum oms_status check_room(const struct engine *engine, struct oms_error *error)
{
    uint64_t free_bytes;
    if (free_bytes_of(engine->folder, &free_bytes) == OMS_OK && free_bytes < OPEN_FREE_BYTES_MIN)
        return oms_error_set(error, OMS_NO_SPACE,
                             "the disk below %s is full: %" PRIu64 " bytes free, %" PRIu64 " needed to open",
                             engine->folder, free_bytes, OPEN_FREE_BYTES_MIN);
    return OMS_OK;
}

/* Bits per key: every creation asks for an order that is not there, and one in a thousand then reads a block
 * in vain (at the usual 10 bits one in a hundred would, in each sorted run). */
#define FILTER_BITS 15

static rocksdb_block_based_table_options_t *table_options(rocksdb_cache_t *cache, bool bloom,
                                                          bool filters_in_cache, size_t block_size)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_block_size(table, block_size);
    rocksdb_block_based_options_set_format_version(table, 5);
    if (bloom)
        rocksdb_block_based_options_set_filter_policy(table,
                                                      rocksdb_filterpolicy_create_bloom_full(FILTER_BITS));
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, filters_in_cache);
    if (filters_in_cache)
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    return table;
}

/*
 * What both databases share. The options that the C API has no function for come as a string; `hint_prefix`
 * is the number of leading bytes that keys near each other in a batch have in common.
 */
static rocksdb_options_t *common_options(unsigned hint_prefix, struct oms_error *error)
{
    char extra[256];
    rocksdb_options_t *plain = rocksdb_options_create(), *options = rocksdb_options_create();
    char *text = NULL;
    rocksdb_options_set_create_if_missing(plain, 1);
    rocksdb_options_set_create_missing_column_families(plain, 1);
    rocksdb_options_set_info_log_level(plain, INFO_LOG_HEADER);
    rocksdb_options_set_keep_log_file_num(plain, 2);
    rocksdb_options_set_stats_dump_period_sec(plain, 0);
    rocksdb_options_set_skip_stats_update_on_db_open(plain, 1);
    rocksdb_options_set_max_background_jobs(plain, BACKGROUND_JOBS);
    rocksdb_options_set_bytes_per_sync(plain,
                                       1 << 20); /* files go out evenly, not all before a commit's sync */
    rocksdb_options_set_compression(plain, rocksdb_lz4_compression);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(plain, 1);
    rocksdb_options_set_target_file_size_base(plain, (uint64_t)64 << 20);
    rocksdb_options_set_max_bytes_for_level_base(plain, (uint64_t)256 << 20);
    snprintf(extra, sizeof(extra),
             "avoid_flush_during_shutdown=true;stats_persist_period_sec=0;"
             "memtable_insert_with_hint_prefix_extractor=fixed:%u",
             hint_prefix);
    rocksdb_get_options_from_string(plain, extra, options, &text);
    rocksdb_options_destroy(plain);
    if (text) {
        oms_error_set(error, OMS_INVALID, "RocksDB does not take our options: %s", text);
        rocksdb_free(text);
        rocksdb_options_destroy(options);
        return NULL;
    }
    return options;
}

static void set_table(rocksdb_options_t *options, rocksdb_block_based_table_options_t *table)
{
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
}

static void open_log_families(struct engine *engine, const char *path, char **text)
{
    const char *const names[] = {"default", "keys"};
    rocksdb_column_family_handle_t *handles[2] = {NULL, NULL};
    rocksdb_options_t *keys = rocksdb_options_create_copy(engine->log_options);
    rocksdb_options_set_write_buffer_size(keys, KEYS_MEMTABLE_BYTES);
    const rocksdb_options_t *options[] = {engine->log_options, keys};
    engine->log = rocksdb_open_column_families(engine->log_options, path, 2, names, options, handles, text);
    rocksdb_options_destroy(keys);
    engine->log_default = engine->log ? handles[0] : NULL;
    engine->keys = engine->log ? handles[1] : NULL;
}

static enum oms_status open_log(struct engine *engine, struct oms_error *error)
{
    char path[4200], *text = NULL;
    engine->log_options = common_options(2, error); /* partition */
    if (!engine->log_options)
        return OMS_INVALID;
    rocksdb_options_set_write_buffer_size(engine->log_options, LOG_MEMTABLE_BYTES);
    rocksdb_options_set_max_write_buffer_number(engine->log_options, 6);
    /* A commit never waits for compaction of the log: readers bear some more sorted runs instead. */
    rocksdb_options_set_level0_slowdown_writes_trigger(engine->log_options, 100);
    rocksdb_options_set_level0_stop_writes_trigger(engine->log_options, 200);
    rocksdb_options_set_wal_recovery_mode(engine->log_options, RECOVER_TAIL_ONLY);
    rocksdb_options_set_max_total_wal_size(engine->log_options, LOG_WAL_BYTES_MAX);
    set_table(engine->log_options, table_options(engine->cache, true, true, 16 << 10));
    snprintf(path, sizeof(path), "%s/log", engine->folder);
    if (access(path, F_OK) == 0 && store_wal_inspect(path, false) == STORE_WAL_DAMAGED)
        return oms_error_set(
            error, OMS_CORRUPT,
            "cannot open the log in %s: a record of its newest files is damaged, and acknowledged ones "
            "lie behind it",
            path);
    open_log_families(engine, path, &text);
    if (text && strncmp(text, "Corruption", 10) == 0 && store_wal_inspect(path, true) == STORE_WAL_TORN) {
        OMS_LOG(OMS_LOG_WARN, "store.torn_tail", OMS_LOG_TEXT("error", text),
                OMS_LOG_TEXT("consequence", "the last batch was never acknowledged and is left out"));
        rocksdb_free(text);
        text = NULL;
        rocksdb_options_set_wal_recovery_mode(engine->log_options, RECOVER_TO_DAMAGE);
        open_log_families(engine, path, &text);
    }
    if (!text)
        return OMS_OK;
    enum oms_status status = strncmp(text, "Corruption", 10) == 0 ? OMS_CORRUPT : OMS_IO;
    oms_error_set(error, status, "cannot open the log in %s: %s", path, text);
    rocksdb_free(text);
    return status;
}

static rocksdb_options_t *family_options(const struct engine *engine, enum store_family family)
{
    rocksdb_options_t *options = rocksdb_options_create_copy(engine->state_options);
    bool point_reads = family == STORE_STATE || family == STORE_ASIDE || family == STORE_META;
    set_table(options, table_options(engine->cache, point_reads, false, 8 << 10));
    if (family == STORE_STATE) {
        /* Every creation asks first whether its order is there: a filter answers without a walk of the
         * memtable. */
        rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, 0.02);
        rocksdb_options_set_memtable_whole_key_filtering(options, 1);
    }
    return options;
}

static enum oms_status open_state(struct engine *engine, uint64_t memory_bytes, struct oms_error *error)
{
    char path[4200], *text = NULL;
    const char *names[STORE_FAMILY_COUNT + 1] = {"default"};
    rocksdb_column_family_handle_t *handles[STORE_FAMILY_COUNT + 1];
    const rocksdb_options_t *options[STORE_FAMILY_COUNT + 1];
    engine->state_options = common_options(5, error); /* tenant, and kind or index */
    if (!engine->state_options)
        return OMS_INVALID;
    rocksdb_options_set_atomic_flush(engine->state_options, 1);
    /* All families together: the first that would be flushed by its own size takes all with it. */
    rocksdb_options_set_db_write_buffer_size(engine->state_options, memory_bytes);
    rocksdb_options_set_write_buffer_size(engine->state_options, memory_bytes);
    rocksdb_options_set_max_write_buffer_number(engine->state_options, 4);
    rocksdb_options_set_level0_file_num_compaction_trigger(engine->state_options, 8);
    rocksdb_options_set_min_level_to_compress(engine->state_options, 1); /* flushed files do not live long */
    rocksdb_options_set_level0_slowdown_writes_trigger(engine->state_options, 24);
    rocksdb_options_set_level0_stop_writes_trigger(engine->state_options, 48);
    options[0] = engine->state_options;
    for (unsigned i = 0; i < STORE_FAMILY_COUNT; i++) {
        names[i + 1] = family_names[i];
        options[i + 1] = family_options(engine, (enum store_family)i);
    }
    snprintf(path, sizeof(path), "%s/state", engine->folder);
    engine->state = rocksdb_open_column_families(engine->state_options, path, STORE_FAMILY_COUNT + 1, names,
                                                 options, handles, &text);
    for (unsigned i = 0; i < STORE_FAMILY_COUNT; i++)
        rocksdb_options_destroy((rocksdb_options_t *)(uintptr_t)options[i + 1]);
    if (text) {
        enum oms_status status = strncmp(text, "Corruption", 10) == 0 ? OMS_CORRUPT : OMS_IO;
        oms_error_set(error, status, "cannot open the derived families in %s: %s", path, text);
        rocksdb_free(text);
        return status;
    }
    engine->default_family = handles[0];
    memcpy(engine->families, handles + 1, sizeof(engine->families));
    return OMS_OK;
}

static struct engine *engine_create(const struct store_rocksdb_config *config)
{
    struct engine *engine = oms_calloc(1, sizeof(*engine));
    engine->base.ops = &engine_ops;
    engine->folder = oms_strdup(config->folder);
    engine->lock_fd = -1;
    engine->synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(engine->synced, 1);
    engine->unlogged = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(engine->unlogged, 1);
    engine->blocking = rocksdb_readoptions_create();
    engine->cached = rocksdb_readoptions_create();
    rocksdb_readoptions_set_read_tier(engine->cached, READ_TIER_CACHE);
    engine->compact = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_exclusive_manual_compaction(engine->compact, 0); /* other compactions go on */
    engine->log_batch = rocksdb_writebatch_create();
    engine->state_batch = rocksdb_writebatch_create();
    return engine;
}

enum oms_status store_rocksdb_open(const struct store_rocksdb_config *config, struct store_engine **out,
                                   struct oms_error *error)
{
    enum oms_status status = make_folder(config->folder, error);
    if (status != OMS_OK)
        return status;
    struct engine *engine = engine_create(config);
    engine->cache = rocksdb_cache_create_lru(config->cache_bytes ? config->cache_bytes : CACHE_BYTES_DEFAULT);
    status = lock_folder(engine, error);
    if (status == OMS_OK)
        status = check_room(engine, error);
    if (status == OMS_OK)
        status = open_log(engine, error);
    if (status == OMS_OK)
        status =
            open_state(engine, config->memtable_bytes ? config->memtable_bytes : MEMORY_BYTES_DEFAULT, error);
    if (status != OMS_OK) {
        engine_free(engine);
        return status;
    }
    *out = &engine->base;
    return OMS_OK;
}
