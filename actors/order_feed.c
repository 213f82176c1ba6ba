/*
 * The tenant's feed: its partition of the log in commit order, filtered. Part of order_history.h.
 *
 * What an event alone can tell (type, command) is checked first; what needs the order as of the event (stage,
 * vendor, the caller's scope) is asked of a few folds that move along with the walk, so that a page costs its
 * own units and one fold per order in it.
 */
#include "actors/ids.h"
#include "actors/order.h"
#include "actors/order_bits.h"
#include "actors/order_codec.h"
#include "actors/order_history.h"
#include "actors/unit_meta.h"
#include "runtime/base/limits.h"
#include "runtime/base/wire.h"
#include "storage/sealed.h"
#include "storage/store.h"

struct order_event_filter {
    uint64_t types;    /* bits of enum order_event_type; 0: all */
    uint64_t commands; /* bits of enum order_command_type; 0: all */
    unsigned stages;   /* bits; 0: all */
    unsigned fulfillments, payments;
    const struct oms_value *vendors, *customers; /* lists of strings; NULL: all */
};

/* ---- the filter ---- */

static const struct oms_value *list_of(const struct oms_value *input, const char *name)
{
    const struct oms_value *list = input ? oms_value_get_set(input, name) : NULL;
    return list && list->kind == OMS_VALUE_LIST && list->list.count ? list : NULL;
}

static uint64_t bits_of(const struct oms_value *input, const char *name,
                        unsigned (*number)(struct oms_str word), struct refusal_list *refusals)
{
    return order_bits(list_of(input, name), name, number, refusals);
}

enum oms_status order_event_filter_parse(const struct oms_value *input, struct oms_arena *arena,
                                         const struct order_event_filter **out, struct refusal_list *refusals)
{
    struct order_event_filter *filter = OMS_ARENA_NEW(arena, struct order_event_filter);
    size_t before = refusals->count;
    if (!filter)
        return OMS_LIMIT;
    filter->types = bits_of(input, "types", order_bits_event, refusals);
    filter->commands = bits_of(input, "commands", order_bits_command, refusals);
    filter->stages = (unsigned)bits_of(input, "stages", order_bits_stage, refusals);
    filter->fulfillments = (unsigned)bits_of(input, "fulfillmentStatuses", order_bits_fulfillment, refusals);
    filter->payments = (unsigned)bits_of(input, "paymentStatuses", order_bits_payment, refusals);
    filter->vendors = list_of(input, "vendorIds");
    filter->customers = list_of(input, "customerIds");
    *out = filter;
    return refusals->count == before ? OMS_OK : OMS_INVALID;
}

static bool wants_order(const struct order_event_filter *filter)
{
    return filter && (filter->stages || filter->fulfillments || filter->payments || filter->vendors ||
                      filter->customers);
}

static bool in_list(const struct oms_value *list, struct oms_str text)
{
    for (size_t i = 0; i < list->list.count; i++)
        if (oms_str_eq(list->list.items[i].text, text))
            return true;
    return false;
}

bool order_event_filter_event(const struct order_event_filter *filter, enum order_event_type type,
                              enum order_command_type command)
{
    return !filter || ((!filter->types || (filter->types >> type & 1)) &&
                       (!filter->commands || (filter->commands >> command & 1)));
}

/* Of what the caller sees of the order: a vendor neither payments nor who the customer is, and their own
 * lines only. */
bool order_event_filter_order(const struct order_event_filter *filter, const struct order *order,
                              const struct access *access, const struct access_order *on)
{
    if (!filter)
        return true;
    if ((filter->stages && !(filter->stages >> order->stage & 1)) ||
        (filter->fulfillments && !(filter->fulfillments >> order->fulfillment & 1)) ||
        (filter->payments && !(access_sees_payments(on) && filter->payments >> order->payment & 1)) ||
        (filter->customers &&
         !(access_sees_contact(on) && in_list(filter->customers, order_customer_id(order)))))
        return false;
    if (!filter->vendors)
        return true;
    for (size_t i = 0; i < order->line_count; i++)
        if (in_list(filter->vendors, order->lines[i].vendor.id) &&
            (access_sees_all_lines(on) ||
             access_vendor(access, PERMISSION_GET_ORDER, order->lines[i].vendor.id)))
            return true;
    return false;
}

/* ---- folds that move along ---- */

struct feed_fold {
    unsigned char id[16];
    struct order *order;
    uint64_t used; /* examined units at its last use: the smallest one is replaced */
};

struct feed {
    struct store_engine *engine;
    struct store_view *view;
    const struct access *access;
    const struct order_event_filter *filter;
    struct feed_fold folds[OMS_FEED_FOLDS_MAX];
    uint64_t clock;
    uint64_t
        folded; /* units of folds made anew: they count as examined, or many orders in turn cost a square */
};

/* The order after this unit: a kept fold moved on, or a fold from the beginning. */
static enum oms_status fold_at(struct feed *feed, const struct store_record *record,
                               struct oms_arena *scratch, const struct order **out)
{
    struct feed_fold *slot = &feed->folds[0];
    feed->clock++;
    for (size_t i = 0; i < OMS_FEED_FOLDS_MAX; i++) {
        struct feed_fold *fold = &feed->folds[i];
        if (fold->order && memcmp(fold->id, record->actor.key, 16) == 0) {
            fold->used = feed->clock;
            *out = fold->order;
            return unit_fold(record, SIZE_MAX, scratch, fold->order);
        }
        if (fold->used < slot->used)
            slot = fold;
    }
    order_destroy(slot->order);
    slot->order = NULL;
    memcpy(slot->id, record->actor.key, 16);
    slot->used = feed->clock;
    feed->folded += record->version_to;
    enum oms_status status = order_history_at_event(feed->engine, feed->view, &record->actor, record->commit,
                                                    UINT32_MAX, &slot->order);
    *out = slot->order;
    /* The log is ahead of the timeline for units younger than this read: the page ends before them. */
    if (status == OMS_NOT_FOUND || (status == OMS_OK && slot->order->version < record->version_to))
        status = OMS_BUSY;
    return status;
}

static bool reaches(const struct feed *feed, const struct order *order)
{
    struct access_order on;
    struct order_context context = {.principal = &(struct principal){.kind = PRINCIPAL_USER},
                                    .access = feed->access};
    return order_access(order, &context, PERMISSION_GET_ORDER, &on) &&
           order_event_filter_order(feed->filter, order, feed->access, &on);
}

/* ---- the walk ---- */

/* Adds the events of one record that match; *full when the page has no room for the next one. */
static enum oms_status add_record(struct feed *feed, const struct store_record *seen, uint64_t after_commit,
                                  unsigned after_ordinal, unsigned limit, struct oms_str value,
                                  struct oms_arena *arena, struct oms_arena *scratch,
                                  struct order_history_page *page)
{
    struct order_event_meta meta;
    struct store_record record;
    const struct order *order = NULL;
    enum oms_status status = unit_meta_read(seen, &meta);
    if (status != OMS_OK)
        return status;
    if (!access_unscoped(feed->access, PERMISSION_GET_ORDER) || wants_order(feed->filter)) {
        status = fold_at(feed, seen, scratch, &order);
        if (status != OMS_OK || !reaches(feed, order))
            return status;
    }
    bool kept = false;
    for (size_t i = 0; i < seen->event_count; i++) {
        struct order_event event;
        if (seen->commit == after_commit && i <= after_ordinal)
            continue;
        status = order_event_open(seen->events[i], seen->personal, scratch, &event);
        if (status != OMS_OK)
            return status;
        if (!order_event_filter_event(feed->filter, event.type, meta.command))
            continue;
        if (page->count == limit) {
            page->has_next = true;
            return OMS_OK;
        }
        if (!kept) {
            struct oms_str copy = oms_str_copy(arena, value);
            status = oms_str_present(copy) ? store_record_read(feed->engine, feed->view, seen->partition,
                                                               seen->commit, copy, arena, &record)
                                           : OMS_LIMIT;
            if (status == OMS_OK)
                status = unit_meta_read(&record, &meta);
            if (status != OMS_OK)
                return status;
            kept = true;
        }
        struct order_history_event *out = &page->items[page->count++];
        memcpy(out->order_id, record.actor.key, sizeof(out->order_id));
        out->commit = record.commit;
        out->ordinal = (unsigned)i;
        out->meta = meta;
        out->meta.sequence += i;
        status = order_event_open(record.events[i], record.personal, arena, &out->event);
        if (status != OMS_OK)
            return status;
        page->end_commit = out->commit;
        page->end_ordinal = out->ordinal;
    }
    return OMS_OK;
}

enum oms_status order_history_feed(struct store_engine *engine, struct store_view *view, uint32_t tenant,
                                   const struct access *access, const struct order_event_filter *filter,
                                   uint64_t after_commit, unsigned after_ordinal, unsigned limit,
                                   struct oms_arena *arena, struct order_history_page *page)
{
    struct feed feed = {.engine = engine, .view = view, .access = access, .filter = filter};
    struct oms_arena scratch;
    struct oms_str key, value;
    uint16_t partition = store_partition_of(tenant);
    uint64_t applied;
    *page = (struct order_history_page){.end_commit = after_commit, .end_ordinal = after_ordinal};
    /* The log may be ahead of the states and timelines that its events are shown with: the page ends there.
     */
    enum oms_status status = store_view_applied(engine, view, partition, &applied);
    if (status != OMS_OK)
        return status;
    page->items = oms_arena_calloc(arena, limit, sizeof(page->items[0]));
    if (!page->items)
        return OMS_LIMIT;
    oms_arena_init(&scratch, 64u << 10, OMS_REQUEST_ARENA_BYTES_MAX);
    struct store_iter *iter = engine->ops->log_iter_open(view, partition, after_commit ? after_commit : 1);
    while (status == OMS_OK && !page->has_next && engine->ops->iter_item(iter, &key, &value, &status)) {
        struct store_record record;
        uint64_t commit = oms_get_be64((const unsigned char *)key.data);
        if (commit > applied || page->examined++ + feed.folded >= OMS_LIST_EXAMINED_MAX) {
            page->has_next = true;
            break;
        }
        oms_arena_reset(&scratch);
        status = store_record_decode(partition, commit, value, &scratch, &record);
        bool ours = status == OMS_OK && record.actor.tenant == tenant && record.actor.kind == RT_ACTOR_ORDER;
        if (ours)
            status = store_record_open(engine, view, &scratch, &record);
        if (ours && status == OMS_OK)
            status =
                add_record(&feed, &record, after_commit, after_ordinal, limit, value, arena, &scratch, page);
        if (status == OMS_BUSY) {
            status = OMS_OK;
            page->has_next = true;
        } else if (status == OMS_OK && !page->has_next) {
            page->end_commit = commit;
            page->end_ordinal = record.event_count ? (unsigned)record.event_count - 1 : 0;
        }
        engine->ops->iter_next(iter);
    }
    engine->ops->iter_close(iter);
    page->examined += feed.folded;
    for (size_t i = 0; i < OMS_FEED_FOLDS_MAX; i++)
        order_destroy(feed.folds[i].order);
    oms_arena_fini(&scratch);
    return status;
}
