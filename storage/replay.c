/*
 * Replay: reads a partition's log in windows and folds each (replay.h).
 *
 * An iterator's slices die when it moves, and the fold needs a whole window at once, so records are copied to
 * one buffer of a window's size; it never grows while it holds any, because the fold has pointers into it.
 */
#include "storage/replay.h"

#include <inttypes.h>

#include "runtime/base/wire.h"

#define WINDOW_BYTES ((size_t)16 << 20)

void store_replay_init(struct store_replay *replay, struct store_engine *source, struct store_fold *fold)
{
    memset(replay, 0, sizeof(*replay));
    replay->source = source;
    replay->fold = fold;
    replay->view = source->ops->view_open(source);
    fold->keys = source;
    fold->keys_view = replay->view;
    oms_buf_init(&replay->bytes, (size_t)1 << 30);
}

void store_replay_fini(struct store_replay *replay)
{
    replay->source->ops->view_close(replay->view);
    replay->fold->keys = NULL;
    replay->fold->keys_view = NULL;
    oms_buf_fini(&replay->bytes);
}

/* False when the record must wait for the next window. */
static bool make_room(struct oms_buf *bytes, size_t len)
{
    if (bytes->cap - bytes->len >= len)
        return true;
    return bytes->len == 0 && oms_buf_reserve(bytes, len > WINDOW_BYTES ? len : WINDOW_BYTES);
}

static enum oms_status add_record(struct store_replay *replay, uint16_t partition, uint64_t commit,
                                  struct oms_str value, struct oms_error *error)
{
    struct rt_address actor;
    struct oms_str copy = {replay->bytes.data + replay->bytes.len, value.len};
    oms_buf_append_str(&replay->bytes, value);
    /* Before it is grouped by an address that may be the damage. */
    if (!store_record_intact(copy) || store_record_peek(copy, &actor) != OMS_OK ||
        store_partition_of(actor.tenant) != partition)
        return oms_error_set(error, OMS_CORRUPT,
                             "partition %u commit %" PRIu64 ": the record does not decode", partition,
                             commit);
    uint64_t before = replay->fold->seen[partition];
    if (store_fold_add(replay->fold, partition, commit, &actor, copy, OMS_STR_NONE) != OMS_OK)
        return oms_error_set(error, OMS_CORRUPT, "partition %u: commit %" PRIu64 " follows %" PRIu64,
                             partition, commit, before);
    replay->units++;
    replay->record_bytes += value.len;
    return OMS_OK;
}

static enum oms_status replay_window(struct store_replay *replay, struct store_iter *iter, uint16_t partition,
                                     uint64_t to, struct oms_error *error)
{
    const struct store_engine_ops *ops = replay->source->ops;
    struct oms_str key, value;
    enum oms_status status = OMS_OK;
    oms_buf_reset(&replay->bytes);
    while (replay->fold->count < OMS_MATERIALISE_WINDOW_UNITS &&
           ops->iter_item(iter, &key, &value, &status)) {
        uint64_t commit = oms_get_be64((const unsigned char *)key.data);
        if (commit > to || !make_room(&replay->bytes, value.len))
            break;
        status = add_record(replay, partition, commit, value, error);
        if (status != OMS_OK)
            return status;
        ops->iter_next(iter);
    }
    if (status != OMS_OK)
        return oms_error_set(error, status, "partition %u: the log cannot be read", partition);
    return store_fold_run(replay->fold, error);
}

enum oms_status store_replay_partition(struct store_replay *replay, uint16_t partition, uint64_t to,
                                       struct oms_error *error)
{
    const uint64_t *applied = &replay->fold->applied[partition];
    enum oms_status status = OMS_OK;
    struct store_iter *iter = replay->source->ops->log_iter_open(replay->view, partition, *applied + 1);
    while (status == OMS_OK && *applied < to) {
        uint64_t before = *applied;
        status = replay_window(replay, iter, partition, to, error);
        if (status == OMS_OK && *applied == before)
            status = oms_error_set(error, OMS_CORRUPT, "partition %u: commit %" PRIu64 " is missing",
                                   partition, before + 1);
        if (status == OMS_OK && replay->progress)
            replay->progress(replay->progress_context, replay->units);
    }
    replay->source->ops->iter_close(iter);
    return status;
}
