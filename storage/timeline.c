/*
 * Packing and walking the runs of commit numbers that the materialiser keeps per actor (timeline.h has the
 * format).
 *
 * A run's first version is part of its key, so a walk from version V starts at the last run that begins at or
 * before V and skips inside it: one seek, and one byte or two per unit.
 */
#include "storage/timeline.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

void store_timeline_pack(const struct store_record *records, size_t count,
                         unsigned char key[STORE_TIMELINE_KEY_SIZE], struct oms_buf *value)
{
    OMS_ASSERT(count > 0);
    uint32_t version = records[0].version_from;
    uint64_t commit = 0;
    store_address_key(&records[0].actor, key);
    oms_put_be32(key + STORE_ADDRESS_KEY_SIZE, version + 1);
    oms_put_be64(key + STORE_ADDRESS_KEY_SIZE + 4, records[0].commit);
    for (size_t i = 0; i < count; i++) {
        OMS_ASSERT(records[i].version_to >= version && records[i].commit > commit);
        oms_wire_put_varint(value, records[i].version_to - version);
        oms_wire_put_varint(value, records[i].commit - commit);
        version = records[i].version_to;
        commit = records[i].commit;
    }
}

void store_timeline_run_read(struct store_timeline_run *run, struct oms_str key, struct oms_str value)
{
    memset(run, 0, sizeof(*run));
    oms_wire_read(&run->wire, value);
    if (key.len != STORE_TIMELINE_KEY_SIZE) {
        run->corrupt = true;
        return;
    }
    run->item.version_to = oms_get_be32((const unsigned char *)key.data + STORE_ADDRESS_KEY_SIZE) - 1;
}

bool store_timeline_run_next(struct store_timeline_run *run)
{
    if (run->corrupt || run->wire.next == run->wire.end)
        return false;
    uint64_t versions = oms_wire_varint(&run->wire);
    uint64_t commits = oms_wire_varint(&run->wire);
    if (run->wire.corrupt || versions > UINT32_MAX - run->item.version_to || commits == 0 ||
        commits > UINT64_MAX - run->item.commit) {
        run->corrupt = true;
        return false;
    }
    run->item.version_to += (uint32_t)versions;
    run->item.commit += commits;
    return true;
}

struct store_timeline {
    struct store_engine *engine;
    struct store_iter *iter;
    struct store_timeline_run run;
    bool in_run;
    uint32_t from_version;
};

struct store_timeline *store_timeline_open(struct store_engine *engine, struct store_view *view,
                                           const struct rt_address *actor, uint32_t from_version)
{
    struct store_timeline *timeline = oms_calloc(1, sizeof(*timeline));
    unsigned char lower[STORE_TIMELINE_KEY_SIZE], upper[STORE_TIMELINE_KEY_SIZE];
    memset(lower, 0, sizeof(lower));
    memset(upper, 0xff, sizeof(upper));
    store_address_key(actor, lower);
    store_address_key(actor, upper);
    timeline->engine = engine;
    timeline->from_version = from_version;
    timeline->iter = engine->ops->iter_open(view, STORE_TIMELINE, oms_str_make(lower, sizeof(lower)),
                                            oms_str_make(upper, sizeof(upper)));
    if (from_version > 1) {
        /* A later run with a smaller or equal first version holds no unit before it that reaches
         * from_version. */
        oms_put_be32(lower + STORE_ADDRESS_KEY_SIZE, from_version);
        struct oms_str key, value;
        enum oms_status status;
        engine->ops->iter_seek_last(timeline->iter, oms_str_make(lower, sizeof(lower)));
        if (!engine->ops->iter_item(timeline->iter, &key, &value, &status)) {
            memset(lower + STORE_ADDRESS_KEY_SIZE, 0, sizeof(lower) - STORE_ADDRESS_KEY_SIZE);
            engine->ops->iter_seek(timeline->iter, oms_str_make(lower, sizeof(lower)));
        }
    }
    return timeline;
}

bool store_timeline_next(struct store_timeline *timeline, struct store_timeline_item *out,
                         enum oms_status *status)
{
    const struct store_engine_ops *ops = timeline->engine->ops;
    for (;;) {
        if (timeline->in_run && store_timeline_run_next(&timeline->run)) {
            *out = timeline->run.item;
            *status = OMS_OK;
            if (out->version_to >= timeline->from_version)
                return true;
            continue;
        }
        if (timeline->in_run) {
            if (timeline->run.corrupt) {
                *status = OMS_CORRUPT;
                return false;
            }
            ops->iter_next(timeline->iter);
        }
        struct oms_str key, value;
        if (!ops->iter_item(timeline->iter, &key, &value, status))
            return false;
        store_timeline_run_read(&timeline->run, key, value);
        timeline->in_run = true;
    }
}

void store_timeline_close(struct store_timeline *timeline)
{
    if (!timeline)
        return;
    timeline->engine->ops->iter_close(timeline->iter);
    oms_free(timeline);
}
