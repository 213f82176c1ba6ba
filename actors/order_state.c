/*
 * The fold: order_apply changes an order by one event, and nothing else ever changes an order.
 *
 * It only records what the event says. Rules are not checked again (the event is a fact), but what can only
 * come from a bug (a line that does not exist, a count below zero) is asserted. Text is copied into the
 * order's arena; what is replaced is counted as garbage, and freeze + thaw wins it back.
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

/* ---- lines ---- */

static struct oms_str *keep_texts(struct order *order, const struct oms_str *texts, size_t count)
{
    struct oms_str *copy = order_keep_array(order, texts, count, sizeof(*texts));

    for (size_t i = 0; i < count; i++)
        copy[i] = order_keep(order, texts[i]);
    return copy;
}

static void keep_line(struct order *order, struct order_line *line)
{
    line->sku = order_keep(order, line->sku);
    line->name = order_keep(order, line->name);
    line->category = order_keep(order, line->category);
    line->vendor.id = order_keep(order, line->vendor.id);
    line->vendor.name = order_keep(order, line->vendor.name);
    line->vendor.country = order_keep(order, line->vendor.country);
    line->options = order_keep(order, line->options);
    line->package = order_keep_package(order, &line->package);
}

static void keep_tax_lines(struct order *order, const struct order_tax_line *lines, size_t count)
{
    order->garbage += order->tax_line_count * sizeof(*order->tax_lines);
    order->tax_lines = order_keep_array(order, lines, count, sizeof(*lines));
    order->tax_line_count = count;
    for (size_t i = 0; i < count; i++) {
        order->tax_lines[i].title = order_keep(order, lines[i].title);
        order->tax_lines[i].rate = order_keep(order, lines[i].rate);
    }
}

/* ---- pricing ---- */

static void apply_pricing(struct order *order, const struct order_pricing *pricing)
{
    order->totals = pricing->totals;
    order->tax_given = pricing->tax_given;
    order->discount_given = pricing->discount_given;
    for (size_t i = 0; i < pricing->line_count; i++) {
        const struct order_line_price *price = &pricing->lines[i];
        struct order_line *line = order_line_at(order, price->line);

        line->priced_quantity = price->priced_quantity;
        line->discount = price->discount;
        line->allocated_discount = price->allocated_discount;
        line->allocated_tax = price->allocated_tax;
        line->settled_quantity = 0;
    }
    keep_tax_lines(order, pricing->tax_lines, pricing->tax_line_count);
}

/* ---- creation and edits ---- */

static void apply_created_lists(struct order *order, const struct order_created *created)
{
    order->lines = order_keep_array(order, created->lines, created->line_count, sizeof(*created->lines));
    order->line_count = order->line_cap = created->line_count;
    for (size_t i = 0; i < created->line_count; i++) {
        keep_line(order, &order->lines[i]);
        if (order->lines[i].id >= order->line_next)
            order->line_next = order->lines[i].id + 1;
    }
    order->coupons = keep_texts(order, created->coupons, created->coupon_count);
    order->coupon_count = created->coupon_count;
    order->offers = keep_texts(order, created->offers, created->offer_count);
    order->offer_count = created->offer_count;
    order->tax_details = keep_texts(order, created->tax_details, created->tax_detail_count);
    order->tax_detail_count = created->tax_detail_count;
    keep_tax_lines(order, created->tax_lines, created->tax_line_count);
    order->activities =
        order_keep_array(order, created->activities, created->activity_count, sizeof(*created->activities));
    order->activity_count = created->activity_count;
    for (size_t i = 0; i < created->activity_count; i++) {
        struct order_activity *activity = &order->activities[i];

        activity->step_name = order_keep(order, activity->step_name);
        activity->activity_status = order_keep(order, activity->activity_status);
    }
}

static void apply_created(struct order *order, const struct order_created *created,
                          const struct order_event_meta *meta)
{
    OMS_ASSERT(order->stage == ORDER_STAGE_NONE);
    order->created_by = order_keep_actor(order, &meta->actor);
    order->created_at = meta->time;
    order->order_id = order_keep(order, created->order_id);
    order->external_ref = order_keep(order, created->external_ref);
    order->source = order_keep(order, created->source);
    order->content_fingerprint = created->content_fingerprint;
    order->workflow_version = created->workflow_version;
    order->currency = created->currency;
    order->stage = created->stage;
    order->placed_at = created->placed_at;
    order->customer = (struct order_customer){
        .customer_id = order_keep(order, created->customer.customer_id),
        .name = order_keep(order, created->customer.name),
        .first_name = order_keep(order, created->customer.first_name),
        .last_name = order_keep(order, created->customer.last_name),
        .email = order_keep(order, created->customer.email),
        .phone = order_keep(order, created->customer.phone),
    };
    order->destination = order_keep_address(order, &created->destination);
    order->billing = order_keep_address(order, &created->billing);
    order->has_destination = created->has_destination;
    order->has_billing = created->has_billing;
    order->taxes_included = created->taxes_included;
    order->tax_given = created->tax_given;
    order->discount_given = created->discount_given;
    order->shipping =
        (struct order_shipping){order_keep(order, created->shipping.method),
                                order_keep(order, created->shipping.delivery_time), created->shipping.cost};
    order->totals = created->totals;
    apply_created_lists(order, created);
}

static void apply_lines_added(struct order *order, const struct order_lines_added *added)
{
    for (size_t i = 0; i < added->line_count; i++) {
        struct order_line *line;

        order->lines =
            order_grow(order, order->lines, order->line_count, &order->line_cap, sizeof(*order->lines));
        line = &order->lines[order->line_count++];
        *line = added->lines[i];
        OMS_ASSERT(line->id >= order->line_next);
        order->line_next = line->id + 1;
        keep_line(order, line);
    }
    apply_pricing(order, &added->pricing);
}

static void apply_lines_removed(struct order *order, const struct order_lines_changed *changed)
{
    for (size_t i = 0; i < changed->item_count; i++) {
        size_t at = (size_t)(order_line_at(order, changed->items[i].line) - order->lines);

        memmove(order->lines + at, order->lines + at + 1,
                (order->line_count - at - 1) * sizeof(*order->lines));
        order->line_count--;
        order->garbage += 128;
    }
    apply_pricing(order, &changed->pricing);
}

static void apply_quantities(struct order *order, const struct order_lines_changed *changed)
{
    for (size_t i = 0; i < changed->item_count; i++)
        order_line_at(order, changed->items[i].line)->quantity = changed->items[i].quantity;
    apply_pricing(order, &changed->pricing);
}

static void apply_lines_cancelled(struct order *order, const struct order_lines_changed *changed)
{
    for (size_t i = 0; i < changed->item_count; i++) {
        struct order_line *line = order_line_at(order, changed->items[i].line);

        line->cancelled += changed->items[i].quantity;
        line->settled_quantity += changed->items[i].quantity;
        OMS_ASSERT(order_line_unallocated(line) >= 0);
    }
    if (oms_str_present(changed->reason))
        order_replace(order, &order->cancellation_reason, changed->reason);
    apply_pricing(order, &changed->pricing);
}

static void apply_destination(struct order *order, const struct order_destination_changed *changed)
{
    order->garbage += 128;
    if (changed->has_destination) {
        order->destination = order_keep_address(order, &changed->destination);
        order->has_destination = true;
    }
    if (changed->has_billing) {
        order->billing = order_keep_address(order, &changed->billing);
        order->has_billing = true;
    }
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

static void apply_stage(struct order *order, const struct order_stage_changed *changed, enum order_stage to)
{
    OMS_ASSERT(order->stage == changed->from);
    order->stage = to;
    if (to == ORDER_STAGE_CANCELLED)
        order_replace_if_present(order, &order->cancellation_reason, changed->reason);
}

static void apply_payload(struct order *order, const struct order_event *event,
                          const struct order_event_meta *meta)
{
    switch (event->type) {
    case ORDER_EVENT_ORDER_CREATED:
        apply_created(order, &event->created, meta);
        return;
    case ORDER_EVENT_LINE_ITEMS_ADDED:
        apply_lines_added(order, &event->lines_added);
        return;
    case ORDER_EVENT_LINE_ITEMS_REMOVED:
        apply_lines_removed(order, &event->lines_changed);
        return;
    case ORDER_EVENT_QUANTITIES_CHANGED:
        apply_quantities(order, &event->lines_changed);
        return;
    case ORDER_EVENT_DESTINATION_CHANGED:
        apply_destination(order, &event->destination);
        return;
    case ORDER_EVENT_ORDER_PLACED:
        apply_stage(order, &event->stage, ORDER_STAGE_PENDING);
        return;
    case ORDER_EVENT_ORDER_CONFIRMED:
        apply_stage(order, &event->stage, ORDER_STAGE_CONFIRMED);
        return;
    case ORDER_EVENT_ORDER_SHIPPED:
        apply_stage(order, &event->stage, ORDER_STAGE_SHIPPED);
        return;
    case ORDER_EVENT_ORDER_COMPLETED:
        apply_stage(order, &event->stage, ORDER_STAGE_COMPLETED);
        return;
    case ORDER_EVENT_ORDER_CANCELLED:
        apply_stage(order, &event->stage, ORDER_STAGE_CANCELLED);
        return;
    case ORDER_EVENT_LINE_ITEMS_CANCELLED:
        apply_lines_cancelled(order, &event->lines_changed);
        return;
    case ORDER_EVENT_SHIPMENT_ADDED:
        order_apply_shipment_added(order, &event->shipment, meta);
        return;
    case ORDER_EVENT_SHIPMENT_CONFIRMED:
    case ORDER_EVENT_SHIPMENT_DISPATCHED:
    case ORDER_EVENT_SHIPMENT_DELIVERED:
    case ORDER_EVENT_SHIPMENT_CANCELLED:
    case ORDER_EVENT_SHIPMENT_FAILED:
    case ORDER_EVENT_SHIPMENT_SCANNED:
    case ORDER_EVENT_TRACKING_ADDED:
        order_apply_shipment_changed(order, event);
        return;
    case ORDER_EVENT_PAYMENT_RECORDED:
        order_apply_payment(order, &event->payment);
        return;
    case ORDER_EVENT_RETURN_REQUESTED:
        order_apply_return_requested(order, &event->returned, meta);
        return;
    case ORDER_EVENT_RETURN_APPROVED:
    case ORDER_EVENT_RETURN_REJECTED:
    case ORDER_EVENT_RETURN_RECEIVED:
    case ORDER_EVENT_RETURN_CANCELLED:
    case ORDER_EVENT_RETURN_CLOSED:
        order_apply_return_changed(order, event, meta->time);
        return;
    case ORDER_EVENT_REFUND_PROCESSED:
        order_apply_refund(order, &event->refund);
        return;
    case ORDER_EVENT_REFUND_SETTLED:
        order_apply_refund_settled(order, &event->refund_settled, meta->time);
        return;
    case ORDER_EVENT_STEP_STARTED:
    case ORDER_EVENT_STEP_FINISHED:
    case ORDER_EVENT_REVIEWER_ASSIGNED:
    case ORDER_EVENT_STEPS_RESET:
    case ORDER_EVENT_STEP_OVERDUE:
        order_apply_activity_event(order, event, meta);
        return;
    case ORDER_EVENT_HOLD_PLACED:
        order_apply_hold_placed(order, &event->hold, meta);
        return;
    case ORDER_EVENT_HOLD_RELEASED:
        order_apply_hold_released(order, &event->hold_released, meta);
        return;
    case ORDER_EVENT_NOTE_ADDED:
        order_apply_note(order, &event->note, meta);
        return;
    case ORDER_EVENT_NONE:
    case ORDER_EVENT_COUNT:
        break;
    }
    OMS_UNREACHABLE();
}

void order_apply(struct order *order, const struct order_event *event, const struct order_event_meta *meta)
{
    OMS_ASSERT(meta->sequence == order->event_count + 1);
    OMS_ASSERT(meta->version == order->version || meta->version == order->version + 1);
    apply_payload(order, event, meta);
    if (meta->version > order->version && meta->has_key)
        remember_key(order, meta);
    order->version = meta->version;
    order->event_count = meta->sequence;
    if (meta->time > order->modified_at)
        order->modified_at = meta->time;
    /* Holds and notes move none of the derived statuses, and are the most frequent. */
    if (event->type != ORDER_EVENT_HOLD_PLACED && event->type != ORDER_EVENT_HOLD_RELEASED &&
        event->type != ORDER_EVENT_NOTE_ADDED)
        order_derive(order);
}
