/*
 * The past, folded from the log. See order_history.h.
 *
 * An order's own history walks its timeline; the tenant's feed walks its partition. Where a filter or the
 * caller's scope asks what an order was at an event, its fold is kept beside the walk and moved on from event
 * to event.
 */
#include "actors/order_history.h"

#include "actors/ids.h"
#include "actors/order.h"
#include "actors/order_codec.h"
#include "actors/unit_meta.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "storage/keys.h"
#include "storage/sealed.h"
#include "storage/timeline.h"

/* ---- records ---- */

/* Reads one record of the log into `bytes` and decodes it; slices live until `bytes` changes. */
static enum oms_status read_record(struct store_engine *engine, struct store_view *view, uint32_t tenant,
                                   uint64_t commit, struct oms_arena *arena, struct oms_buf *bytes,
                                   struct store_record *record)
{
    uint16_t partition = store_partition_of(tenant);
    oms_buf_reset(bytes);
    enum oms_status status = engine->ops->view_log_get(view, partition, commit, bytes);
    if (status != OMS_OK)
        return status == OMS_NOT_FOUND ? OMS_CORRUPT : status;
    return store_record_read(engine, view, partition, commit, oms_buf_str(bytes), arena, record);
}

/* ---- an order as it was ---- */

struct fold_until {
    uint32_t version; /* 0: not bounded */
    int64_t at_ms;    /* 0: not bounded */
    uint64_t commit;  /* 0: not bounded; its unit is the last one */
    size_t ordinal;   /* of that unit's events, the last one applied */
};

#define SCRATCH_MAX (64u << 20)

/* Folds the order's units in turn until the bound; OMS_NOT_FOUND when none is within it. */
static enum oms_status fold_order(struct store_engine *engine, struct store_view *view,
                                  const struct rt_address *address, const struct fold_until *until,
                                  struct order *order)
{
    struct oms_arena scratch;
    struct oms_buf bytes;
    struct store_timeline_item item;
    enum oms_status status = OMS_OK;
    struct store_timeline *timeline = store_timeline_open(engine, view, address, 0);
    oms_arena_init(&scratch, 16u << 10, SCRATCH_MAX);
    oms_buf_init(&bytes, OMS_UNIT_BYTES_MAX);
    while (status == OMS_OK && store_timeline_next(timeline, &item, &status)) {
        struct store_record record;
        if ((until->version && item.version_to > until->version) ||
            (until->commit && item.commit > until->commit))
            break;
        oms_arena_reset(&scratch);
        status = read_record(engine, view, address->tenant, item.commit, &scratch, &bytes, &record);
        if (status == OMS_OK && until->at_ms && record.time_ms > until->at_ms)
            break;
        if (status == OMS_OK)
            status =
                unit_fold(&record, item.commit == until->commit ? until->ordinal : SIZE_MAX, &scratch, order);
    }
    store_timeline_close(timeline);
    oms_buf_fini(&bytes);
    oms_arena_fini(&scratch);
    return status == OMS_OK && order->event_count == 0 ? OMS_NOT_FOUND : status;
}

static enum oms_status fold_new(struct store_engine *engine, struct store_view *view,
                                const struct rt_address *address, const struct fold_until *until,
                                struct order **out)
{
    struct order *order = order_create();
    enum oms_status status = fold_order(engine, view, address, until, order);
    if (status != OMS_OK) {
        order_destroy(order);
        return status;
    }
    *out = order;
    return OMS_OK;
}

enum oms_status order_history_at(struct store_engine *engine, struct store_view *view,
                                 const struct rt_address *order, uint32_t version, int64_t at_ms,
                                 struct order **out)
{
    struct fold_until until = {.version = version, .at_ms = at_ms};
    enum oms_status status = fold_new(engine, view, order, &until, out);
    if (status == OMS_OK && version && (*out)->version != version) {
        order_destroy(*out);
        return OMS_NOT_FOUND;
    }
    return status;
}

enum oms_status order_history_at_event(struct store_engine *engine, struct store_view *view,
                                       const struct rt_address *order, uint64_t commit, unsigned ordinal,
                                       struct order **out)
{
    struct fold_until until = {.commit = commit, .ordinal = ordinal};
    return fold_new(engine, view, order, &until, out);
}

/* ---- the order as it is ---- */

enum oms_status order_history_merge_notes(struct store_engine *engine, struct store_view *view,
                                          const struct rt_address *address, struct order *order)
{
    unsigned char lower[ORDER_ASIDE_KEY_SIZE], upper[ORDER_ASIDE_KEY_SIZE];
    struct oms_str key, value;
    enum oms_status status = OMS_OK;
    if (order->notes_held == order_notes_kept(order))
        return OMS_OK;
    order_aside_key(address, ORDER_ASIDE_NOTE, 0, lower);
    order_aside_key(address, ORDER_ASIDE_NOTE, UINT64_MAX, upper);
    struct store_iter *iter = engine->ops->iter_open(view, STORE_ASIDE, oms_str_make(lower, sizeof(lower)),
                                                     oms_str_make(upper, sizeof(upper)));
    engine->ops->iter_seek(iter, oms_str_make(lower, sizeof(lower)));
    while (status == OMS_OK && order->notes_held < order_notes_kept(order) &&
           engine->ops->iter_item(iter, &key, &value, &status)) {
        status = order_note_merge(order, value);
        engine->ops->iter_next(iter);
    }
    engine->ops->iter_close(iter);
    return status;
}

enum oms_status order_history_load(struct store_engine *engine, struct store_view *view,
                                   const struct rt_address *address, struct order **out)
{
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct oms_buf bytes;
    oms_buf_init(&bytes, ORDER_ARENA_MAX);
    store_address_key(address, key);
    enum oms_status status = engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &bytes);
    if (status == OMS_OK) {
        struct order *order = order_create();
        status = order_thaw(oms_buf_str(&bytes), order);
        if (status == OMS_OK)
            status = order_history_merge_notes(engine, view, address, order);
        if (status == OMS_OK)
            *out = order;
        else
            order_destroy(order);
    }
    oms_buf_fini(&bytes);
    return status;
}

/* ---- pages of events ---- */

#define PAGE_ROOM_FIRST 8 /* most orders have few events, and a list may ask for those of many orders */

/* Room for one more event; NULL when the arena is exhausted. */
static struct order_history_event *page_next(struct order_history_page *page, size_t *room,
                                             struct oms_arena *arena)
{
    if (page->count == *room) {
        size_t more = *room ? 2 * *room : PAGE_ROOM_FIRST;
        struct order_history_event *items = oms_arena_calloc(arena, more, sizeof(*items));
        if (!items)
            return NULL;
        if (page->count)
            memcpy(items, page->items, page->count * sizeof(*items));
        page->items = items;
        *room = more;
    }
    return &page->items[page->count];
}

/* Decodes event `ordinal` of a record whose bytes live in the arena. */
static enum oms_status page_decode(const struct store_record *record, const struct order_event_meta *first,
                                   size_t ordinal, struct oms_arena *arena, struct order_history_event *out)
{
    memcpy(out->order_id, record->actor.key, sizeof(out->order_id));
    out->commit = record->commit;
    out->ordinal = (unsigned)ordinal;
    out->meta = *first;
    out->meta.sequence += ordinal;
    return order_event_open(record->events[ordinal], record->personal, arena, &out->event);
}

static bool is_after(uint64_t commit, size_t ordinal, uint64_t after_commit, unsigned after_ordinal)
{
    return commit > after_commit || (commit == after_commit && ordinal > after_ordinal);
}

/* A record whose bytes are kept in the arena, so that its events may borrow from them. */
static enum oms_status keep_record(struct store_engine *engine, struct store_view *view, uint16_t partition,
                                   uint64_t commit, struct oms_str value, struct oms_arena *arena,
                                   struct store_record *record, struct order_event_meta *meta)
{
    struct oms_str kept = oms_str_copy(arena, value);
    if (!oms_str_present(kept))
        return OMS_LIMIT;
    enum oms_status status = store_record_read(engine, view, partition, commit, kept, arena, record);
    return status == OMS_OK ? unit_meta_read(record, meta) : status;
}

enum oms_status order_history_events(struct store_engine *engine, struct store_view *view,
                                     const struct rt_address *order, uint64_t after_commit,
                                     unsigned after_ordinal, unsigned limit, struct oms_arena *arena,
                                     struct order_history_page *page)
{
    struct store_timeline_item item;
    struct oms_buf bytes;
    enum oms_status status = OMS_OK;
    size_t room = 0;
    uint16_t partition = store_partition_of(order->tenant);
    struct store_timeline *timeline = store_timeline_open(engine, view, order, 0);
    *page = (struct order_history_page){.end_commit = after_commit, .end_ordinal = after_ordinal};
    oms_buf_init(&bytes, OMS_UNIT_BYTES_MAX);
    while (status == OMS_OK && !page->has_next && store_timeline_next(timeline, &item, &status)) {
        struct store_record record;
        struct order_event_meta meta;
        if (item.commit < after_commit)
            continue;
        oms_buf_reset(&bytes);
        status = engine->ops->view_log_get(view, partition, item.commit, &bytes);
        if (status == OMS_OK)
            status =
                keep_record(engine, view, partition, item.commit, oms_buf_str(&bytes), arena, &record, &meta);
        for (size_t i = 0; status == OMS_OK && i < record.event_count; i++) {
            if (!is_after(item.commit, i, after_commit, after_ordinal))
                continue;
            if (page->count == limit) {
                page->has_next = true;
                break;
            }
            struct order_history_event *out = page_next(page, &room, arena);
            status = out ? page_decode(&record, &meta, i, arena, out) : OMS_LIMIT;
            if (status != OMS_OK)
                break;
            page->count++;
            page->end_commit = item.commit;
            page->end_ordinal = (unsigned)i;
        }
        page->examined++;
    }
    store_timeline_close(timeline);
    oms_buf_fini(&bytes);
    return status;
}
