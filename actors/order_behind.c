/*
 * One seek per order: the run of its timeline that holds the current version, read up to the unit that made
 * it. Only when that unit is the cursor's own is its record read, to count its events. See order_behind.h.
 */
#include "actors/order_behind.h"

#include "runtime/base/limits.h"
#include "storage/timeline.h"
#include "storage/unit.h"

#define RECORD_ARENA_CHUNK 4096

void order_behind_init(struct order_behind *behind, struct store_engine *engine, struct store_view *view,
                       uint32_t tenant, struct ids_cursor cursor)
{
    *behind = (struct order_behind){.engine = engine, .view = view, .tenant = tenant, .cursor = cursor};
}

void order_behind_fini(struct order_behind *behind)
{
    if (behind->runs)
        behind->engine->ops->iter_close(behind->runs);
    behind->runs = NULL;
}

static void open_runs(struct order_behind *behind)
{
    unsigned char lower[STORE_TIMELINE_KEY_SIZE] = {0}, upper[STORE_TIMELINE_KEY_SIZE];

    memset(upper, 0xff, sizeof(upper));
    oms_put_be32(lower, behind->tenant);
    oms_put_be32(upper, behind->tenant);
    behind->runs = behind->engine->ops->iter_open(
        behind->view, STORE_TIMELINE, oms_str_make(lower, sizeof(lower)), oms_str_make(upper, sizeof(upper)));
}

/* The commit of the unit that made `version`. The last run that begins at or before a version holds it. */
static enum oms_status commit_of(struct order_behind *behind, const struct rt_address *order,
                                 uint32_t version, uint64_t *commit)
{
    const struct store_engine_ops *ops = behind->engine->ops;
    unsigned char last[STORE_TIMELINE_KEY_SIZE];
    struct store_timeline_run run;
    struct oms_str key, value;
    enum oms_status status = OMS_OK;

    memset(last, 0xff, sizeof(last));
    store_address_key(order, last);
    oms_put_be32(last + STORE_ADDRESS_KEY_SIZE, version);
    ops->iter_seek_last(behind->runs, oms_str_make(last, sizeof(last)));
    if (!ops->iter_item(behind->runs, &key, &value, &status))
        return status == OMS_OK ? OMS_CORRUPT : status;
    if (key.len < STORE_ADDRESS_KEY_SIZE || memcmp(key.data, last, STORE_ADDRESS_KEY_SIZE) != 0)
        return OMS_CORRUPT; /* a stored order without its past */
    store_timeline_run_read(&run, key, value);
    while (store_timeline_run_next(&run))
        if (run.item.version_to >= version) {
            *commit = run.item.commit;
            return OMS_OK;
        }
    return OMS_CORRUPT;
}

/* The number of events in a unit of the log. */
static enum oms_status count_events(struct order_behind *behind, uint64_t commit, size_t *count)
{
    uint16_t partition = store_partition_of(behind->tenant);
    struct store_record record;
    struct oms_arena arena;
    struct oms_buf bytes;

    oms_arena_init(&arena, RECORD_ARENA_CHUNK, OMS_UNIT_BYTES_MAX);
    oms_buf_init(&bytes, OMS_UNIT_BYTES_MAX);
    enum oms_status status = behind->engine->ops->view_log_get(behind->view, partition, commit, &bytes);
    if (status == OMS_OK)
        status = store_record_decode(partition, commit, oms_buf_str(&bytes), &arena, &record);
    else if (status == OMS_NOT_FOUND)
        status = OMS_CORRUPT;
    if (status == OMS_OK)
        *count = record.event_count;
    oms_buf_fini(&bytes);
    oms_arena_fini(&arena);
    return status;
}

bool order_is_behind(struct order_behind *behind, const unsigned char order_id[16], uint32_t version,
                     enum oms_status *status)
{
    struct rt_address order;
    uint64_t commit = 0;
    size_t events = 0;

    if (!behind->runs)
        open_runs(behind);
    ids_order_address(behind->tenant, order_id, &order);
    *status = commit_of(behind, &order, version, &commit);
    if (*status != OMS_OK || commit != behind->cursor.commit)
        return *status == OMS_OK && commit > behind->cursor.commit;
    *status = count_events(behind, commit, &events);
    return *status == OMS_OK && events > (size_t)behind->cursor.ordinal + 1;
}
