/*
 * Folding a window: sort its records by actor, decode and project one actor at a time, write everything at
 * once.
 *
 * Actors are visited in the order of their addresses, so base states are read, and states and timelines are
 * written, in key order. The sorted item is the actor's 21-byte address and the record's place in the window
 * in three words: sorting touches nothing else.
 */
#include "storage/fold.h"

#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "storage/sealed.h"
#include "storage/store.h"
#include "storage/timeline.h"

#define WINDOW_RECORDS_MAX ((size_t)1 << 24) /* the place in the window has 24 bits */
#define FORMAT_NOW         3u                /* 2: with counters of tenants; 3: customers' terms are hashes */

/* address (21 bytes), then place (3 bytes), as one number in three words, most significant first. */
struct store_fold_item {
    uint64_t sort[3];
    struct oms_str value;
    struct oms_str personal;
    uint64_t commit;
    uint16_t partition;
};

static const char format_key[] = "format";

static size_t applied_key(uint16_t partition, unsigned char out[3])
{
    out[0] = 'a';
    oms_put_be16(out + 1, partition);
    return 3;
}

/* `view` NULL: the newest. */
static enum oms_status read_applied(struct store_engine *engine, struct store_view *view, uint16_t partition,
                                    uint64_t *out)
{
    unsigned char key[3];
    struct oms_buf value;
    struct oms_str key_str = oms_str_make(key, applied_key(partition, key));
    oms_buf_init(&value, 64);
    *out = 0;
    enum oms_status status = view ? engine->ops->view_get(view, STORE_META, key_str, &value)
                                  : engine->ops->get(engine, STORE_META, key_str, true, &value);
    if (status == OMS_NOT_FOUND)
        status = OMS_OK;
    else if (status == OMS_OK && value.len == 8)
        *out = oms_get_be64((const unsigned char *)value.data);
    else if (status == OMS_OK)
        status = OMS_CORRUPT;
    oms_buf_fini(&value);
    return status;
}

enum oms_status store_fold_applied(struct store_engine *engine, uint16_t partition, uint64_t *out)
{
    return read_applied(engine, NULL, partition, out);
}

enum oms_status store_view_applied(struct store_engine *engine, struct store_view *view, uint16_t partition,
                                   uint64_t *out)
{
    return read_applied(engine, view, partition, out);
}

#define WIPE_KEYS 1024

/* Deletes a family's keys, but for the format's own. */
static enum oms_status wipe_family(struct store_engine *engine, struct store_view *view,
                                   enum store_family family, struct store_writes *writes)
{
    const struct store_write *sorted;
    struct oms_str key, value;
    enum oms_status status = OMS_OK;
    struct store_iter *iter = engine->ops->iter_open(view, family, OMS_STR_NONE, OMS_STR_NONE);
    while (status == OMS_OK && engine->ops->iter_item(iter, &key, &value, &status)) {
        if (family != STORE_META || !oms_str_eq_c(key, format_key))
            store_writes_delete(writes, family, key);
        engine->ops->iter_next(iter);
        if (writes->count == WIPE_KEYS) {
            size_t count = store_writes_sorted(writes, &sorted);
            status = engine->ops->write(engine, sorted, count);
            store_writes_reset(writes);
        }
    }
    engine->ops->iter_close(iter);
    size_t count = store_writes_sorted(writes, &sorted);
    if (status == OMS_OK && count)
        status = engine->ops->write(engine, sorted, count);
    store_writes_reset(writes);
    return status;
}

/* Everything derived is forgotten, to be folded anew; the format last, so that a crash before begins again.
 */
static enum oms_status wipe(struct store_engine *engine)
{
    struct store_write format = {STORE_META, true, oms_str_of(format_key), OMS_STR_NONE};
    struct store_writes writes;
    enum oms_status status = OMS_OK;
    struct store_view *view = engine->ops->view_open(engine);
    store_writes_init(&writes);
    for (unsigned family = 0; family < STORE_FAMILY_COUNT && status == OMS_OK; family++)
        status = wipe_family(engine, view, (enum store_family)family, &writes);
    store_writes_fini(&writes);
    engine->ops->view_close(view);
    return status == OMS_OK ? engine->ops->write(engine, &format, 1) : status;
}

static enum oms_status check_format(struct store_engine *engine, struct oms_error *error)
{
    struct oms_buf value;
    oms_buf_init(&value, 64);
    enum oms_status status = engine->ops->get(engine, STORE_META, oms_str_of(format_key), true, &value);
    if (status == OMS_NOT_FOUND)
        status = OMS_OK; /* nothing is derived yet */
    else if (status != OMS_OK)
        oms_error_set(error, status, "the derived families cannot be read");
    else if (value.len == 4 && oms_get_be32((const unsigned char *)value.data) < FORMAT_NOW) {
        OMS_LOG(OMS_LOG_WARN, "store.rebuild",
                OMS_LOG_TEXT("reason", "the derived families have an older format: they are folded anew"));
        status = wipe(engine);
        if (status != OMS_OK)
            oms_error_set(error, status, "the derived families of an older format cannot be removed");
    } else if (value.len != 4 || oms_get_be32((const unsigned char *)value.data) != FORMAT_NOW)
        status = oms_error_set(
            error, OMS_CORRUPT,
            "the derived families have another program's format: remove the folder 'state' in the "
            "data folder, and this start makes them anew from the log");
    oms_buf_fini(&value);
    return status;
}

enum oms_status store_fold_init(struct store_fold *fold, struct store_engine *engine,
                                const struct store_projector *projector, struct oms_error *error)
{
    memset(fold, 0, sizeof(*fold));
    fold->engine = engine;
    fold->projector = projector;
    fold->vault = engine->vault;
    store_writes_init(&fold->writes);
    oms_arena_init(&fold->decoded, 64 << 10, (size_t)1 << 30);
    oms_arena_init(&fold->scratch, 64 << 10, (size_t)1 << 30);
    oms_buf_init(&fold->base, (size_t)1 << 30);
    oms_buf_init(&fold->run, (size_t)1 << 30);
    enum oms_status status = check_format(engine, error);
    for (unsigned i = 0; i < OMS_PARTITIONS && status == OMS_OK; i++) {
        status = store_fold_applied(engine, (uint16_t)i, &fold->applied[i]);
        fold->seen[i] = fold->applied[i];
        if (status != OMS_OK)
            oms_error_set(error, status, "the applied position of partition %u cannot be read", i);
    }
    return status;
}

void store_fold_fini(struct store_fold *fold)
{
    store_writes_fini(&fold->writes);
    oms_arena_fini(&fold->decoded);
    oms_arena_fini(&fold->scratch);
    oms_buf_fini(&fold->base);
    oms_buf_fini(&fold->run);
    oms_free(fold->items);
    oms_free(fold->records);
    memset(fold, 0, sizeof(*fold));
}

enum oms_status store_fold_add(struct store_fold *fold, uint16_t partition, uint64_t commit,
                               const struct rt_address *actor, struct oms_str value, struct oms_str personal)
{
    OMS_ASSERT(partition < OMS_PARTITIONS && fold->count < WINDOW_RECORDS_MAX && !fold->closed);
    if (commit != fold->seen[partition] + 1)
        return OMS_CORRUPT;
    fold->seen[partition] = commit;
    if (fold->count == fold->cap) {
        fold->cap = fold->cap ? fold->cap * 2 : 1024;
        fold->items = oms_reallocarray(fold->items, fold->cap, sizeof(*fold->items));
    }
    unsigned char key[24];
    struct store_fold_item *item = &fold->items[fold->count];
    store_address_key(actor, key);
    key[21] = (unsigned char)(fold->count >> 16);
    oms_put_be16(key + 22, (uint16_t)fold->count);
    for (int word = 0; word < 3; word++)
        item->sort[word] = oms_get_be64(key + 8 * word);
    item->value = value;
    item->personal = personal;
    item->commit = commit;
    item->partition = partition;
    fold->count++;
    return OMS_OK;
}

static int compare(const void *left, const void *right)
{
    const struct store_fold_item *a = left, *b = right;
    for (int word = 0; word < 3; word++)
        if (a->sort[word] != b->sort[word])
            return a->sort[word] < b->sort[word] ? -1 : 1;
    return 0;
}

static bool same_actor(const struct store_fold_item *a, const struct store_fold_item *b)
{
    return a->sort[0] == b->sort[0] && a->sort[1] == b->sort[1] && a->sort[2] >> 24 == b->sort[2] >> 24;
}

/* Of a record in memory the texts are known; one from the log has them under its key. */
static enum oms_status open_item(struct store_fold *fold, const struct store_fold_item *item,
                                 struct store_record *record)
{
    if (!oms_str_present(record->sealed))
        return OMS_OK;
    if (item->personal.len) {
        record->personal = item->personal;
        return OMS_OK;
    }
    if (!fold->keys)
        return OMS_CORRUPT;
    return store_record_open(fold->keys, fold->keys_view, &fold->decoded, record);
}

static enum oms_status decode_group(struct store_fold *fold, const struct store_fold_item *items,
                                    size_t count, struct oms_error *error)
{
    if (fold->records_cap < count) {
        fold->records_cap = count * 2;
        fold->records = oms_reallocarray(fold->records, fold->records_cap, sizeof(*fold->records));
    }
    oms_arena_reset(&fold->decoded);
    for (size_t i = 0; i < count; i++) {
        const struct store_fold_item *item = &items[i];
        struct store_record *record = &fold->records[i];
        enum oms_status status =
            store_record_decode(item->partition, item->commit, item->value, &fold->decoded, record);
        if (status != OMS_OK)
            return oms_error_set(error, status, "partition %u commit %llu: the record does not decode",
                                 item->partition, (unsigned long long)item->commit);
        status = open_item(fold, item, record);
        if (status != OMS_OK)
            return oms_error_set(error, status,
                                 "partition %u commit %llu: its sealed texts do not open with their key",
                                 item->partition, (unsigned long long)item->commit);
        if (i > 0 && record->version_from != fold->records[i - 1].version_to)
            return oms_error_set(error, OMS_CORRUPT,
                                 "partition %u commit %llu: version %u does not follow %u", item->partition,
                                 (unsigned long long)item->commit, record->version_from,
                                 fold->records[i - 1].version_to);
    }
    return OMS_OK;
}

/* Verification only: the versions of an actor have no gap from window to window either. */
static enum oms_status check_history(struct store_fold *fold, const struct store_record *first,
                                     struct oms_error *error)
{
    const struct store_engine_ops *ops = fold->engine->ops;
    unsigned char lower[STORE_TIMELINE_KEY_SIZE], upper[STORE_TIMELINE_KEY_SIZE];
    struct store_timeline_run run = {0};
    struct oms_str key, value;
    enum oms_status status;
    memset(lower, 0, sizeof(lower));
    memset(upper, 0xff, sizeof(upper));
    store_address_key(&first->actor, lower);
    store_address_key(&first->actor, upper);
    struct store_view *view = ops->view_open(fold->engine);
    struct store_iter *iter = ops->iter_open(view, STORE_TIMELINE, oms_str_make(lower, sizeof(lower)),
                                             oms_str_make(upper, sizeof(upper)));
    ops->iter_seek_last(iter, OMS_STR_NONE);
    if (ops->iter_item(iter, &key, &value, &status)) {
        store_timeline_run_read(&run, key, value);
        while (store_timeline_run_next(&run))
            ;
    }
    if (status == OMS_OK && (run.corrupt || run.item.version_to != first->version_from))
        status = oms_error_set(error, OMS_CORRUPT, "partition %u commit %llu: version %u does not follow %u",
                               first->partition, (unsigned long long)first->commit, first->version_from,
                               run.item.version_to);
    ops->iter_close(iter);
    ops->view_close(view);
    return status;
}

static enum oms_status read_base(struct store_fold *fold, const struct store_record *first,
                                 struct oms_str *base)
{
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    *base = OMS_STR_NONE;
    if (first->version_from == 0)
        return OMS_OK; /* a creation has none: no look-up */
    store_address_key(&first->actor, key);
    oms_buf_reset(&fold->base);
    enum oms_status status =
        fold->engine->ops->get(fold->engine, STORE_STATE, oms_str_make(key, sizeof(key)), true, &fold->base);
    if (status == OMS_NOT_FOUND)
        return OMS_OK;
    if (status == OMS_OK)
        *base = oms_str_make(fold->base.data ? fold->base.data : "", fold->base.len);
    return status;
}

static enum oms_status fold_group(struct store_fold *fold, const struct store_fold_item *items, size_t count,
                                  struct oms_error *error)
{
    struct oms_str base;
    unsigned char key[STORE_TIMELINE_KEY_SIZE];
    enum oms_status status = decode_group(fold, items, count, error);
    if (status != OMS_OK)
        return status;
    const struct store_record *first = &fold->records[0];
    if (fold->check_history && (status = check_history(fold, first, error)) != OMS_OK)
        return status;
    status = read_base(fold, first, &base);
    if (status != OMS_OK)
        return oms_error_set(error, status, "a stored state cannot be read");
    oms_arena_reset(&fold->scratch);
    status = fold->projector->project(fold->projector->context, fold->vault, &first->actor, base,
                                      fold->records, count, &fold->scratch, &fold->writes);
    if (status != OMS_OK)
        return oms_error_set(error, status,
                             "partition %u commit %llu: the record does not fold on the stored state",
                             first->partition, (unsigned long long)first->commit);
    oms_buf_reset(&fold->run);
    store_timeline_pack(fold->records, count, key, &fold->run);
    store_writes_put(&fold->writes, STORE_TIMELINE, oms_str_make(key, sizeof(key)), oms_buf_str(&fold->run));
    return OMS_OK;
}

static void put_positions(struct store_fold *fold)
{
    unsigned char key[3], value[8], format[4];
    oms_put_be32(format, FORMAT_NOW);
    store_writes_put(&fold->writes, STORE_META, oms_str_of(format_key), oms_str_make(format, sizeof(format)));
    for (unsigned i = 0; i < OMS_PARTITIONS; i++) {
        if (fold->seen[i] == fold->applied[i])
            continue;
        oms_put_be64(value, fold->seen[i]);
        struct oms_str key_str = oms_str_make(key, applied_key((uint16_t)i, key));
        store_writes_put(&fold->writes, STORE_META, key_str, oms_str_make(value, sizeof(value)));
    }
}

enum oms_status store_fold_some(struct store_fold *fold, size_t records, bool *done, struct oms_error *error)
{
    enum oms_status status = OMS_OK;
    size_t first = fold->folded;
    if (!fold->closed && fold->count)
        qsort(fold->items, fold->count, sizeof(*fold->items), compare);
    fold->closed = true;
    while (fold->folded < fold->count && fold->folded - first < records && status == OMS_OK) {
        size_t begin = fold->folded, end = begin + 1;
        while (end < fold->count && same_actor(&fold->items[begin], &fold->items[end]))
            end++;
        status = fold_group(fold, &fold->items[begin], end - begin, error);
        fold->folded = end;
    }
    *done = fold->folded == fold->count;
    return status;
}

enum oms_status store_fold_write(struct store_fold *fold, struct oms_error *error)
{
    const struct store_write *writes;
    enum oms_status status = OMS_OK;
    OMS_ASSERT(fold->folded == fold->count);
    if (fold->count)
        status = store_writes_settle(&fold->writes, fold->engine);
    if (fold->count && status == OMS_OK) {
        put_positions(fold);
        size_t count = store_writes_sorted(&fold->writes, &writes);
        status = fold->engine->ops->write(fold->engine, writes, count);
        fold->writes_done += count;
    }
    if (status == OMS_OK)
        memcpy(fold->applied, fold->seen, sizeof(fold->applied));
    else
        oms_error_set(error, status, "the derived families cannot be written");
    store_writes_reset(&fold->writes);
    fold->count = fold->folded = 0;
    fold->closed = false;
    return status;
}

enum oms_status store_fold_run(struct store_fold *fold, struct oms_error *error)
{
    bool done;
    enum oms_status status = store_fold_some(fold, SIZE_MAX, &done, error);
    return status == OMS_OK ? store_fold_write(fold, error) : status;
}
