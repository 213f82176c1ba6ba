/*
 * The fold: order_apply changes an order by one event, and nothing else ever changes an order.
 *
 * It only records what the event says. Rules are not checked again (the event is a fact), but what can only
 * come from a bug (a line that does not exist, a count below zero) is asserted. Text is copied into the
 * order's arena; what is replaced is counted as garbage, and freeze + thaw wins it back. What each event does
 * stands in order_state_{lines,goods,money,steps}.c; the table below brings them together.
 */
#include "actors/order_fold.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

/* ---- life ---- */

void order_init(struct order *order)
{
    memset(order, 0, sizeof(*order));
    oms_arena_init(&order->arena, ORDER_ARENA_CHUNK, ORDER_ARENA_MAX);
    order->line_next = 1;
    order->hold_next = 1;
}

void order_fini(struct order *order)
{
    oms_arena_fini(&order->arena);
    order->version = 0;
}

struct order *order_create(void)
{
    struct order *order = oms_malloc(sizeof(*order));

    order_init(order);
    return order;
}

void order_destroy(struct order *order)
{
    if (!order)
        return;
    order_fini(order);
    oms_free(order);
}

bool order_wants_compaction(const struct order *order)
{
    return order->garbage > 16 * 1024 && order->garbage > order->arena.used / 2;
}

/* ---- idempotency keys ---- */

const struct order_key *order_find_key(const struct order *order, struct oms_hash128 key)
{
    for (size_t i = order->key_count; i-- > 0;)
        if (order->keys[i].key.lo == key.lo && order->keys[i].key.hi == key.hi)
            return &order->keys[i];
    return NULL;
}

static void remember_key(struct order *order, const struct order_event_meta *meta)
{
    size_t drop = 0;

    while (order->key_count - drop >= OMS_ORDER_KEYS_KEPT &&
           order->keys[drop].at < meta->time - OMS_IDEMPOTENCY_KEEP_MS)
        drop++;
    if (drop) {
        memmove(order->keys, order->keys + drop, (order->key_count - drop) * sizeof(*order->keys));
        order->key_count -= drop;
    }
    order->keys = order_grow(order, order->keys, order->key_count, &order->key_cap, sizeof(*order->keys));
    order->keys[order->key_count++] =
        (struct order_key){meta->key, meta->fingerprint, meta->version, meta->time};
}

/* ---- the fold ---- */

static void apply_stage(struct order *order, const struct order_event *event,
                        const struct order_event_meta *meta)
{
    static const enum order_stage after[ORDER_EVENT_COUNT] = {
        [ORDER_EVENT_ORDER_PLACED] = ORDER_STAGE_PENDING,
        [ORDER_EVENT_ORDER_CONFIRMED] = ORDER_STAGE_CONFIRMED,
        [ORDER_EVENT_ORDER_SHIPPED] = ORDER_STAGE_SHIPPED,
        [ORDER_EVENT_ORDER_COMPLETED] = ORDER_STAGE_COMPLETED,
        [ORDER_EVENT_ORDER_CANCELLED] = ORDER_STAGE_CANCELLED,
    };

    (void)meta;
    OMS_ASSERT(order->stage == event->stage.from);
    order->stage = after[event->type];
    if (event->type == ORDER_EVENT_ORDER_CANCELLED)
        order_replace_if_present(order, &order->cancellation_reason, event->stage.reason);
}

/* What each event does, and whether a derived status (order_derive.c) may follow from it. */
static const struct {
    void (*apply)(struct order *order, const struct order_event *event, const struct order_event_meta *meta);
    bool derives;
} folds[ORDER_EVENT_COUNT] = {
    [ORDER_EVENT_ORDER_CREATED] = {order_apply_created, true},
    [ORDER_EVENT_LINE_ITEMS_ADDED] = {order_apply_lines_added, true},
    [ORDER_EVENT_LINE_ITEMS_REMOVED] = {order_apply_lines_removed, true},
    [ORDER_EVENT_QUANTITIES_CHANGED] = {order_apply_quantities, true},
    [ORDER_EVENT_DESTINATION_CHANGED] = {order_apply_destination, true},
    [ORDER_EVENT_ORDER_PLACED] = {apply_stage, true},
    [ORDER_EVENT_ORDER_CONFIRMED] = {apply_stage, true},
    [ORDER_EVENT_ORDER_SHIPPED] = {apply_stage, true},
    [ORDER_EVENT_ORDER_COMPLETED] = {apply_stage, true},
    [ORDER_EVENT_ORDER_CANCELLED] = {apply_stage, true},
    [ORDER_EVENT_LINE_ITEMS_CANCELLED] = {order_apply_lines_cancelled, true},
    [ORDER_EVENT_SHIPMENT_ADDED] = {order_apply_shipment_added, true},
    [ORDER_EVENT_SHIPMENT_CONFIRMED] = {order_apply_shipment_changed, true},
    [ORDER_EVENT_SHIPMENT_DISPATCHED] = {order_apply_shipment_changed, true},
    [ORDER_EVENT_SHIPMENT_DELIVERED] = {order_apply_shipment_changed, true},
    [ORDER_EVENT_SHIPMENT_CANCELLED] = {order_apply_shipment_changed, true},
    [ORDER_EVENT_SHIPMENT_FAILED] = {order_apply_shipment_changed, true},
    [ORDER_EVENT_SHIPMENT_SCANNED] = {order_apply_shipment_changed, true},
    [ORDER_EVENT_TRACKING_ADDED] = {order_apply_shipment_changed, true},
    [ORDER_EVENT_PAYMENT_RECORDED] = {order_apply_payment, true},
    [ORDER_EVENT_RETURN_REQUESTED] = {order_apply_return_requested, true},
    [ORDER_EVENT_RETURN_APPROVED] = {order_apply_return_approved, true},
    [ORDER_EVENT_RETURN_REJECTED] = {order_apply_return_ended, true},
    [ORDER_EVENT_RETURN_RECEIVED] = {order_apply_return_received, true},
    [ORDER_EVENT_RETURN_CANCELLED] = {order_apply_return_ended, true},
    [ORDER_EVENT_RETURN_CLOSED] = {order_apply_return_closed, true},
    [ORDER_EVENT_REFUND_PROCESSED] = {order_apply_refund, true},
    [ORDER_EVENT_REFUND_SETTLED] = {order_apply_refund_settled, true},
    [ORDER_EVENT_STEP_STARTED] = {order_apply_step_started, true},
    [ORDER_EVENT_STEP_FINISHED] = {order_apply_step_finished, true},
    [ORDER_EVENT_REVIEWER_ASSIGNED] = {order_apply_reviewer_assigned, true},
    [ORDER_EVENT_STEPS_RESET] = {order_apply_steps_reset, true},
    [ORDER_EVENT_STEP_OVERDUE] = {order_apply_step_overdue, true},
    /* the most frequent ones move nothing else */
    [ORDER_EVENT_HOLD_PLACED] = {order_apply_hold_placed, false},
    [ORDER_EVENT_HOLD_RELEASED] = {order_apply_hold_released, false},
    [ORDER_EVENT_NOTE_ADDED] = {order_apply_note, false},
    [ORDER_EVENT_WORKFLOW_MIGRATED] = {order_apply_workflow_migrated, true},
    [ORDER_EVENT_CUSTOMER_ERASED] = {order_apply_erased, false},
};

void order_apply(struct order *order, const struct order_event *event, const struct order_event_meta *meta)
{
    OMS_ASSERT((unsigned)event->type < ORDER_EVENT_COUNT && folds[event->type].apply);
    OMS_ASSERT(meta->sequence == order->event_count + 1);
    OMS_ASSERT(meta->version == order->version || meta->version == order->version + 1);
    folds[event->type].apply(order, event, meta);
    if (meta->version > order->version && meta->has_key)
        remember_key(order, meta);
    order->version = meta->version;
    order->event_count = meta->sequence;
    if (meta->time > order->modified_at)
        order->modified_at = meta->time;
    if (folds[event->type].derives)
        order_derive(order);
}
