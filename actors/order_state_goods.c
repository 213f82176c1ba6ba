/*
 * The fold of goods: shipments and returns, and the counts of their lines.
 *
 * A line's counts change here and nowhere else; a status change moves each item's quantity from what the old
 * status counts as to what the new one does.
 */
#include "actors/order_fold.h"
#include "runtime/base/limits.h"

/* ---- shipments ---- */

static struct order_shipment *shipment_at(struct order *order, uint32_t id)
{
    struct order_shipment *shipment = (struct order_shipment *)order_find_shipment(order, id);

    OMS_ASSERT(shipment);
    return shipment;
}

unsigned order_shipment_counts(enum order_shipment_status status)
{
    switch (status) {
    case ORDER_SHIPMENT_PENDING:
    case ORDER_SHIPMENT_CONFIRMED:
        return 1;
    case ORDER_SHIPMENT_IN_TRANSIT:
        return 1 | 2;
    case ORDER_SHIPMENT_DELIVERED:
        return 1 | 2 | 4;
    case ORDER_SHIPMENT_NONE:
    case ORDER_SHIPMENT_CANCELLED:
    case ORDER_SHIPMENT_FAILED:
    case ORDER_SHIPMENT_RETURNED_TO_SENDER:
    case ORDER_SHIPMENT_STATUS_COUNT:
        break;
    }
    return 0;
}

/* Moves the counts of the shipment's lines from one status to another. */
static void count_shipment(struct order *order, const struct order_shipment *shipment,
                           enum order_shipment_status from, enum order_shipment_status to)
{
    int before = (int)order_shipment_counts(from), after = (int)order_shipment_counts(to);

    for (size_t i = 0; i < shipment->item_count; i++) {
        struct order_line *line = order_line_at(order, shipment->items[i].line);
        int64_t quantity = shipment->items[i].quantity;

        line->allocated += quantity * ((after & 1) - (before & 1));
        line->shipped += quantity * ((after >> 1 & 1) - (before >> 1 & 1));
        line->delivered += quantity * ((after >> 2 & 1) - (before >> 2 & 1));
        OMS_ASSERT(order_line_unallocated(line) >= 0 && line->delivered >= 0 &&
                   order_line_returnable(line) >= 0);
    }
}

void order_apply_shipment_added(struct order *order, const struct order_event *event,
                                const struct order_event_meta *meta)
{
    const struct order_shipment *added = &event->shipment;
    struct order_shipment *shipment;

    order->shipments = order_grow(order, order->shipments, order->shipment_count, &order->shipment_cap,
                                  sizeof(*order->shipments));
    OMS_ASSERT(added->id == order->shipment_count + 1);
    shipment = &order->shipments[order->shipment_count++];
    *shipment = *added;
    shipment->provider = order_keep(order, added->provider);
    shipment->warehouse = order_keep(order, added->warehouse);
    shipment->package = order_keep_package(order, &added->package);
    shipment->address = order_keep_address(order, &added->address);
    shipment->tracking_reference = order_keep(order, added->tracking_reference);
    shipment->tracking_url = order_keep(order, added->tracking_url);
    shipment->label_url = order_keep(order, added->label_url);
    shipment->reason = order_keep(order, added->reason);
    shipment->carrier_status = order_keep(order, added->carrier_status);
    shipment->items = order_keep_array(order, added->items, added->item_count, sizeof(*added->items));
    shipment->created_at = meta->time;
    count_shipment(order, shipment, ORDER_SHIPMENT_NONE, shipment->status);
}

static void stamp_shipment(struct order_shipment *shipment, enum order_shipment_status status, int64_t at)
{
    switch (status) {
    case ORDER_SHIPMENT_CONFIRMED:
        shipment->confirmed_at = at;
        break;
    case ORDER_SHIPMENT_IN_TRANSIT:
        shipment->dispatched_at = at;
        break;
    case ORDER_SHIPMENT_DELIVERED:
        shipment->delivered_at = at;
        if (!shipment->dispatched_at)
            shipment->dispatched_at = at;
        break;
    case ORDER_SHIPMENT_CANCELLED:
    case ORDER_SHIPMENT_FAILED:
    case ORDER_SHIPMENT_RETURNED_TO_SENDER:
        shipment->closed_at = at;
        break;
    case ORDER_SHIPMENT_NONE:
    case ORDER_SHIPMENT_PENDING:
    case ORDER_SHIPMENT_STATUS_COUNT:
        break;
    }
}

void order_apply_shipment_changed(struct order *order, const struct order_event *event,
                                  const struct order_event_meta *meta)
{
    const struct order_shipment_changed *changed = &event->shipment_changed;
    struct order_shipment *shipment;

    (void)meta;
    if (!changed->shipment) {
        order_replace(order, &order->shipping_reference, changed->tracking_url);
        return;
    }
    shipment = shipment_at(order, changed->shipment);
    order_replace_if_present(order, &shipment->provider, changed->provider);
    order_replace_if_present(order, &shipment->tracking_reference, changed->tracking_reference);
    order_replace_if_present(order, &shipment->tracking_url, changed->tracking_url);
    order_replace_if_present(order, &shipment->label_url, changed->label_url);
    order_replace_if_present(order, &shipment->reason, changed->reason);
    if (changed->occurred_at >= shipment->status_at)
        order_replace_if_present(order, &shipment->carrier_status, changed->carrier_status);
    if (changed->has_cost) {
        shipment->cost = changed->cost;
        shipment->has_cost = true;
    }
    if (changed->pickup_from)
        shipment->pickup_from = changed->pickup_from;
    if (changed->pickup_until)
        shipment->pickup_until = changed->pickup_until;
    if (changed->occurred_at > shipment->status_at)
        shipment->status_at = changed->occurred_at;
    if (event->type == ORDER_EVENT_SHIPMENT_SCANNED || event->type == ORDER_EVENT_TRACKING_ADDED)
        return;
    count_shipment(order, shipment, shipment->status, changed->status);
    shipment->status = changed->status;
    stamp_shipment(shipment, changed->status, changed->occurred_at);
}

/* ---- returns ---- */

/* The return of the event, with the note of who decided. */
static struct order_return *changed_return(struct order *order, const struct order_return_changed *changed)
{
    struct order_return *ret = order_return_at(order, changed->return_id);

    order_replace_if_present(order, &ret->decision_note, changed->note);
    return ret;
}

void order_apply_return_requested(struct order *order, const struct order_event *event,
                                  const struct order_event_meta *meta)
{
    const struct order_return *added = &event->returned;
    struct order_return *ret;

    order->returns =
        order_grow(order, order->returns, order->return_count, &order->return_cap, sizeof(*order->returns));
    OMS_ASSERT(added->id == order->return_count + 1);
    ret = &order->returns[order->return_count++];
    *ret = *added;
    ret->reason = order_keep(order, added->reason);
    ret->comments = order_keep(order, added->comments);
    ret->decision_note = order_keep(order, added->decision_note);
    ret->requested_by = order_keep_actor(order, &added->requested_by);
    ret->requested_at = meta->time;
    ret->items = order_keep_array(order, added->items, added->item_count, sizeof(*added->items));
    for (size_t i = 0; i < ret->item_count; i++) {
        struct order_line *line = order_line_at(order, ret->items[i].line);

        ret->items[i].condition = order_keep(order, ret->items[i].condition);
        line->return_open += ret->items[i].quantity;
        OMS_ASSERT(order_line_returnable(line) >= 0);
    }
}

static void close_return_items(struct order *order, const struct order_return *ret)
{
    for (size_t i = 0; i < ret->item_count; i++) {
        struct order_line *line = order_line_at(order, ret->items[i].line);

        line->return_open -= ret->items[i].quantity;
        OMS_ASSERT(line->return_open >= 0);
    }
}

void order_apply_return_approved(struct order *order, const struct order_event *event,
                                 const struct order_event_meta *meta)
{
    struct order_return *ret = changed_return(order, &event->return_changed);

    ret->status = ORDER_RETURN_APPROVED;
    ret->approved_at = meta->time;
}

void order_apply_return_received(struct order *order, const struct order_event *event,
                                 const struct order_event_meta *meta)
{
    const struct order_return_changed *changed = &event->return_changed;
    struct order_return *ret = changed_return(order, changed);

    (void)meta;
    OMS_ASSERT(changed->item_count == ret->item_count);
    close_return_items(order, ret);
    ret->value = 0;
    for (size_t i = 0; i < ret->item_count; i++) {
        struct order_return_item *item = &ret->items[i];
        struct order_line *line = order_line_at(order, item->line);

        OMS_ASSERT(changed->items[i].line == item->line);
        item->received = changed->items[i].received;
        item->restock = changed->items[i].restock;
        item->value = changed->items[i].value;
        order_replace(order, &item->condition, changed->items[i].condition);
        line->returned += item->received;
        line->settled_quantity += item->received;
        OMS_ASSERT(order_line_returnable(line) >= 0 && line->settled_quantity <= line->priced_quantity);
        ret->value += item->value;
    }
    ret->status = ORDER_RETURN_RECEIVED;
    ret->received_at = changed->occurred_at;
}

void order_apply_return_closed(struct order *order, const struct order_event *event,
                               const struct order_event_meta *meta)
{
    struct order_return *ret = changed_return(order, &event->return_changed);

    ret->status = ORDER_RETURN_CLOSED;
    ret->closed_at = meta->time;
}

void order_apply_return_ended(struct order *order, const struct order_event *event,
                              const struct order_event_meta *meta)
{
    struct order_return *ret = changed_return(order, &event->return_changed);

    close_return_items(order, ret);
    ret->status = event->type == ORDER_EVENT_RETURN_REJECTED ? ORDER_RETURN_REJECTED : ORDER_RETURN_CANCELLED;
    ret->closed_at = meta->time;
}
