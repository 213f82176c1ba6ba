/*
 * Shipments: PENDING → CONFIRMED → IN_TRANSIT → DELIVERED, CANCELLED before they leave, FAILED or
 * RETURNED_TO_SENDER afterwards, which frees their quantities. Allocation is counted per line over live
 * shipments.
 *
 * A person's dispatch obeys gates; a carrier's scan (trackShipment) is a fact: always recorded, and an older
 * occurred_at than the newest known never moves a status. The order's stage follows in order_decide.c.
 */
#include <stdio.h>

#include "actors/fulfillment.h"
#include "actors/order_internal.h"
#include "runtime/base/limits.h"

#define BIT(status) (1u << ORDER_SHIPMENT_##status)

static struct oms_str filled(struct oms_str value)
{
    return value.len ? value : OMS_STR_NONE;
}

/* ---- which shipments ---- */

static bool any_in(const struct order_work *work, unsigned statuses)
{
    for (size_t i = 0; i < work->order->shipment_count; i++)
        if ((statuses & 1u << work->order->shipments[i].status) &&
            order_shipment_reachable(work, &work->order->shipments[i]))
            return true;
    return false;
}

/* For availableActions; a command names its shipment, and named_shipment says better what is wrong with that
 * one. */
static bool ready_in(struct order_work *work, unsigned statuses, const char *what)
{
    return work->command || any_in(work, statuses) ||
           refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD, "No shipment can be %s now", what);
}

#define CONFIRMABLE   BIT(PENDING)
#define DISPATCHABLE  (BIT(PENDING) | BIT(CONFIRMED))
#define DELIVERABLE   BIT(IN_TRANSIT)
#define CANCELLABLE   (BIT(PENDING) | BIT(CONFIRMED))
#define FAILABLE      (BIT(IN_TRANSIT) | BIT(DELIVERED))
#define LIVE_SHIPMENT (BIT(PENDING) | BIT(CONFIRMED) | BIT(IN_TRANSIT) | BIT(DELIVERED))

bool order_ready_confirm_shipment(struct order_work *work)
{
    return ready_in(work, CONFIRMABLE, "confirmed");
}

bool order_ready_dispatch_shipment(struct order_work *work)
{
    return ready_in(work, DISPATCHABLE, "dispatched");
}

bool order_ready_deliver_shipment(struct order_work *work)
{
    return ready_in(work, DELIVERABLE, "delivered");
}

bool order_ready_cancel_shipment(struct order_work *work)
{
    return ready_in(work, CANCELLABLE, "cancelled");
}

bool order_ready_fail_shipment(struct order_work *work)
{
    return ready_in(work, FAILABLE, "failed");
}

bool order_ready_tracking(struct order_work *work)
{
    if (work->order->stage == ORDER_STAGE_SHIPPED || any_in(work, LIVE_SHIPMENT))
        return true;
    return refusal_add(work->refusals, REFUSAL_WRONG_STAGE, REFUSAL_NO_FIELD,
                       "A tracking reference needs stage SHIPPED or a shipment");
}

static bool any_unallocated(const struct order_work *work)
{
    for (size_t i = 0; i < work->order->line_count; i++)
        if (order_line_unallocated(&work->order->lines[i]) > 0 &&
            order_line_reachable(work, &work->order->lines[i]))
            return true;
    return false;
}

bool order_ready_add_shipment(struct order_work *work)
{
    return any_unallocated(work) || refusal_add(work->refusals, REFUSAL_QUANTITY_EXCEEDED, REFUSAL_NO_FIELD,
                                                "Every quantity is in a shipment or cancelled");
}

bool order_ready_mark_shipped(struct order_work *work)
{
    const struct order *order = work->order;

    if (any_unallocated(work) || any_in(work, DISPATCHABLE))
        return true;
    for (size_t i = 0; i < order->line_count; i++)
        if (order->lines[i].shipped < order->lines[i].quantity - order->lines[i].cancelled)
            return refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD,
                               "Nothing of yours is left to ship");
    return true; /* all has left by carriers' scans: only the stage waits */
}

/* The shipment of the input in one of these statuses; NULL after a refusal. */
static const struct order_shipment *named_shipment(struct order_work *work, unsigned statuses,
                                                   const char *what)
{
    uint32_t number = work->command->shipment.shipment;
    const struct order_shipment *shipment = order_find_shipment(work->order, number);

    if (!number) {
        refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("shipmentId"), "shipmentId is required");
        return NULL;
    }
    if (!shipment || !order_shipment_reachable(work, shipment)) {
        refusal_add(work->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("shipmentId"),
                    "The order has no shipment SHP-%u", (unsigned)number);
        return NULL;
    }
    if (!(statuses & 1u << shipment->status)) {
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("shipmentId"),
                    "Shipment SHP-%u is %s and cannot be %s", (unsigned)number,
                    order_shipment_status_name(shipment->status), what);
        return NULL;
    }
    return shipment;
}

/* ---- fields ---- */

static bool append_name(char *text, size_t size, size_t *len, struct oms_str name)
{
    if (*len + name.len + 2 >= size)
        return false;
    *len += (size_t)snprintf(text + *len, size - *len, "%s%.*s", *len ? ", " : "", OMS_STR_ARG(name));
    return true;
}

/* Names the active ones, as far as a sentence goes. */
static void refuse_warehouse(struct order_work *work, const struct fulfillment *all, struct oms_str asked,
                             bool known)
{
    char names[400] = "";
    size_t len = 0;

    for (size_t i = 0; i < all->warehouse_count; i++)
        if (!all->warehouses[i].inactive && !append_name(names, sizeof(names), &len, all->warehouses[i].id))
            break;
    refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("warehouse"), "%s '%.*s'; there is: %s",
                known ? "Not in use is the warehouse" : "There is no warehouse", OMS_STR_ARG(asked), names);
}

static void refuse_carrier(struct order_work *work, const struct fulfillment *all, struct oms_str asked,
                           bool known)
{
    char names[400] = "";
    size_t len = 0;

    for (size_t i = 0; i < all->carrier_count; i++)
        if (!all->carriers[i].inactive && !append_name(names, sizeof(names), &len, all->carriers[i].id))
            break;
    refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("provider"), "%s '%.*s'; there is: %s",
                known ? "Not in use is the carrier" : "There is no carrier", OMS_STR_ARG(asked), names);
}

/* What the tenant ships with, where that is known. What a webhook tells has happened, whoever carried it. */
static void check_fulfillment(struct order_work *work)
{
    const struct order_shipment_input *in = &work->command->shipment;
    const struct fulfillment *all = work->context->fulfillment;

    if (!all || work->context->principal->kind == PRINCIPAL_WEBHOOK ||
        work->type == ORDER_COMMAND_TRACK_SHIPMENT)
        return;
    if (all->warehouse_count && in->warehouse.len) {
        const struct fulfillment_warehouse *warehouse = fulfillment_warehouse(all, in->warehouse);

        if (!warehouse || warehouse->inactive)
            refuse_warehouse(work, all, in->warehouse, warehouse != NULL);
    }
    if (all->carrier_count && in->provider.len) {
        const struct fulfillment_carrier *carrier = fulfillment_carrier(all, in->provider);

        if (!carrier || carrier->inactive)
            refuse_carrier(work, all, in->provider, carrier != NULL);
    }
}

/* The tracking URL of the input, or by the carrier's template where neither input nor shipment has one. */
static struct oms_str tracking_url(struct order_work *work, const struct order_shipment *shipment)
{
    const struct order_shipment_input *in = &work->command->shipment;
    const struct fulfillment *all = work->context->fulfillment;
    struct oms_str provider = in->provider, reference = in->tracking_reference;

    if (in->tracking_url.len || !all || !all->carrier_count || (shipment && shipment->tracking_url.len))
        return filled(in->tracking_url);
    if (!provider.len && shipment)
        provider = shipment->provider;
    if (!reference.len && shipment)
        reference = shipment->tracking_reference;
    if (!provider.len || !reference.len)
        return OMS_STR_NONE;
    return fulfillment_tracking_url(fulfillment_carrier(all, provider), reference, work->arena);
}

/* What dispatch, confirmation and addShipment may bring. */
static void read_details(struct order_work *work, int64_t *cost)
{
    const struct order_shipment_input *in = &work->command->shipment;

    order_field_text(work, "", "provider", in->provider, ORDER_NAME_TEXT);
    order_field_text(work, "", "warehouse", in->warehouse, ORDER_NAME_TEXT);
    order_field_text(work, "", "trackingReference", in->tracking_reference, ORDER_ID_TEXT);
    order_field_url(work, "", "shippingReference", in->tracking_url);
    order_field_url(work, "", "labelUrl", in->label_url);
    order_field_text(work, "", "reason", in->reason, ORDER_LONG_TEXT);
    order_field_text(work, "", "carrierStatus", in->carrier_status, ORDER_NAME_TEXT);
    order_field_text(work, "package.", "weight", in->package.weight, ORDER_ID_TEXT);
    order_field_text(work, "package.", "dimensions", in->package.dimensions, ORDER_ID_TEXT);
    order_field_amount(work, "", "shipmentAmount", in->cost, cost);
    if (!ORDER_REFUSED(work))
        check_fulfillment(work);
    if (in->pickup_from && in->pickup_until && in->pickup_until < in->pickup_from)
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("pickupUntil"),
                    "The pickup window ends before it begins");
}

static struct order_shipment_changed *emit_changed(struct order_work *work, enum order_event_type type,
                                                   uint32_t shipment, enum order_shipment_status status,
                                                   int64_t at)
{
    struct order_event *event = order_emit(work, type);

    event->shipment_changed.shipment = shipment;
    event->shipment_changed.status = status;
    event->shipment_changed.occurred_at = at;
    return &event->shipment_changed;
}

static void fill_details(struct order_work *work, struct order_shipment_changed *changed, int64_t cost)
{
    const struct order_shipment_input *in = &work->command->shipment;

    changed->provider = filled(in->provider);
    changed->tracking_reference = filled(in->tracking_reference);
    changed->tracking_url = tracking_url(work, order_find_shipment(work->order, changed->shipment));
    changed->label_url = filled(in->label_url);
    changed->reason = filled(in->reason);
    changed->carrier_status = filled(in->carrier_status);
    changed->has_cost = oms_str_present(in->cost.text);
    changed->cost = changed->has_cost ? cost : 0;
    changed->pickup_from = in->pickup_from;
    changed->pickup_until = in->pickup_until;
}

static int64_t units_of(const struct order_shipment *shipment)
{
    int64_t units = 0;

    for (size_t i = 0; i < shipment->item_count; i++)
        units += shipment->items[i].quantity;
    return units;
}

/* ---- addShipment ---- */

static size_t count_unallocated(const struct order_work *work)
{
    size_t count = 0;

    for (size_t i = 0; i < work->order->line_count; i++)
        count += order_line_unallocated(&work->order->lines[i]) > 0 &&
                 order_line_reachable(work, &work->order->lines[i]);
    return count;
}

/* All that is not in a shipment yet, within reach. */
static struct order_item *items_of_rest(struct order_work *work, size_t *count)
{
    struct order_item *items;

    *count = 0;
    items = order_work_alloc(work, count_unallocated(work), sizeof(*items));
    for (size_t i = 0; items && i < work->order->line_count; i++) {
        const struct order_line *line = &work->order->lines[i];

        if (order_line_unallocated(line) > 0 && order_line_reachable(work, line))
            items[(*count)++] = (struct order_item){line->id, order_line_unallocated(line)};
    }
    return items;
}

static void read_item(struct order_work *work, size_t index, const struct order_line_ref *ref,
                      struct order_item *items, size_t *count)
{
    const struct order_line *line;
    int64_t quantity, most;
    size_t at;
    char prefix[ORDER_PREFIX_SIZE];

    order_prefix(prefix, "shipmentItems.", index);
    line = order_resolve_line(work, prefix, ref);
    if (!line)
        return;
    most = order_line_unallocated(line);
    quantity = ref->quantity < 0 ? most : ref->quantity;
    if (ref->quantity >= 0 && !order_field_quantity(work, prefix, "quantity", quantity))
        return;
    for (at = 0; at < *count && items[at].line != line->id; at++)
        continue;
    if (at < *count)
        most -= items[at].quantity;
    if (quantity > most || quantity == 0) {
        refusal_add(work->refusals, REFUSAL_QUANTITY_EXCEEDED, order_path(work, prefix, "quantity"),
                    "%lld of line %u asked, %lld left: %lld ordered, %lld cancelled, %lld in shipments",
                    (long long)quantity, (unsigned)line->id, (long long)most, (long long)line->quantity,
                    (long long)line->cancelled, (long long)line->allocated);
        return;
    }
    if (at == *count)
        items[(*count)++] = (struct order_item){line->id, 0};
    items[at].quantity += quantity;
}

static struct order_item *read_items(struct order_work *work, size_t *count)
{
    const struct order_shipment_input *in = &work->command->shipment;
    struct order_item *items;

    if (in->item_count == 0)
        return items_of_rest(work, count);
    *count = 0;
    if (in->item_count > OMS_ORDER_LINES_MAX) {
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("shipmentItems"),
                    "A shipment has at most %d items", OMS_ORDER_LINES_MAX);
        return NULL;
    }
    items = order_work_alloc(work, in->item_count, sizeof(*items));
    for (size_t i = 0; items && i < in->item_count; i++)
        read_item(work, i, &in->items[i], items, count);
    return items;
}

static bool room_for_shipment(struct order_work *work)
{
    return work->order->shipment_count < OMS_ORDER_SHIPMENTS_MAX ||
           refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                       "An order has at most %d shipments", OMS_ORDER_SHIPMENTS_MAX);
}

static void emit_shipment(struct order_work *work, const struct order_item *items, size_t count,
                          const struct order_address *address, int64_t cost)
{
    const struct order_shipment_input *in = &work->command->shipment;
    struct order_event *event = order_emit(work, ORDER_EVENT_SHIPMENT_ADDED);

    event->shipment = (struct order_shipment){
        .id = (uint32_t)work->order->shipment_count + 1,
        .status = ORDER_SHIPMENT_PENDING,
        .mode = in->mode,
        .provider = filled(in->provider),
        .warehouse = filled(in->warehouse),
        .package = {filled(in->package.weight), filled(in->package.dimensions)},
        .pickup_from = in->pickup_from,
        .pickup_until = in->pickup_until,
        .address = *address,
        .cost = cost,
        .has_cost = oms_str_present(in->cost.text),
        .tracking_reference = filled(in->tracking_reference),
        .tracking_url = tracking_url(work, NULL),
        .label_url = filled(in->label_url),
        .items = (struct order_item *)items,
        .item_count = count,
    };
}

void order_decide_add_shipment(struct order_work *work)
{
    const struct order_shipment_input *in = &work->command->shipment;
    struct order_address address;
    struct order_item *items;
    size_t count = 0;
    int64_t cost = 0;

    memset(&address, 0, sizeof(address));
    if (!room_for_shipment(work))
        return;
    read_details(work, &cost);
    if (in->has_address)
        order_field_address(work, "shipmentAddress.", &in->address, &address, false);
    items = read_items(work, &count);
    if (!ORDER_REFUSED(work) && items)
        emit_shipment(work, items, count, &address, cost);
}

/* ---- by the shipment's state ---- */

void order_decide_confirm_shipment(struct order_work *work)
{
    const struct order_shipment *shipment = named_shipment(work, CONFIRMABLE, "confirmed");
    int64_t cost = 0;

    read_details(work, &cost);
    if (shipment && !ORDER_REFUSED(work))
        fill_details(work,
                     emit_changed(work, ORDER_EVENT_SHIPMENT_CONFIRMED, shipment->id,
                                  ORDER_SHIPMENT_CONFIRMED, work->now),
                     cost);
}

void order_decide_dispatch_shipment(struct order_work *work)
{
    const struct order_shipment *shipment = named_shipment(work, DISPATCHABLE, "dispatched");
    int64_t cost = 0, at = 0;

    read_details(work, &cost);
    order_field_occurred(work, work->command->shipment.occurred_at, &at);
    if (!shipment || ORDER_REFUSED(work))
        return;
    fill_details(
        work,
        emit_changed(work, ORDER_EVENT_SHIPMENT_DISPATCHED, shipment->id, ORDER_SHIPMENT_IN_TRANSIT, at),
        cost);
    work->units_shipped += units_of(shipment);
}

void order_decide_deliver_shipment(struct order_work *work)
{
    const struct order_shipment *shipment = named_shipment(work, DELIVERABLE, "delivered");
    int64_t at = 0;

    order_field_occurred(work, work->command->shipment.occurred_at, &at);
    if (shipment && !work->command->shipment.occurred_at && at < shipment->dispatched_at)
        at = shipment->dispatched_at;
    if (shipment && at < shipment->dispatched_at)
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("occurredAt"),
                    "The shipment cannot be delivered before it was dispatched");
    if (shipment && !ORDER_REFUSED(work))
        emit_changed(work, ORDER_EVENT_SHIPMENT_DELIVERED, shipment->id, ORDER_SHIPMENT_DELIVERED, at);
}

void order_decide_cancel_shipment(struct order_work *work)
{
    const struct order_shipment *shipment =
        named_shipment(work, CANCELLABLE, "cancelled: it has left or ended");
    struct oms_str reason = work->command->shipment.reason;

    order_field_text(work, "", "reason", reason, ORDER_LONG_TEXT);
    if (shipment && !ORDER_REFUSED(work))
        emit_changed(work, ORDER_EVENT_SHIPMENT_CANCELLED, shipment->id, ORDER_SHIPMENT_CANCELLED, work->now)
            ->reason = filled(reason);
}

/* Goods that a return speaks of cannot come back a second way. */
static bool held_by_return(const struct order_work *work, const struct order_shipment *shipment)
{
    for (size_t i = 0; i < shipment->item_count; i++)
        if (order_line_returnable(order_find_line(work->order, shipment->items[i].line)) <
            shipment->items[i].quantity)
            return true;
    return false;
}

void order_decide_fail_shipment(struct order_work *work)
{
    const struct order_shipment_input *in = &work->command->shipment;
    enum order_shipment_status status = in->status ? in->status : ORDER_SHIPMENT_FAILED;
    const struct order_shipment *shipment = named_shipment(work, FAILABLE, "failed");
    int64_t at = 0;

    order_field_text(work, "", "reason", in->reason, ORDER_LONG_TEXT);
    order_field_occurred(work, in->occurred_at, &at);
    if (status != ORDER_SHIPMENT_FAILED && status != ORDER_SHIPMENT_RETURNED_TO_SENDER)
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("status"),
                    "A shipment fails as FAILED or RETURNED_TO_SENDER");
    if (shipment && held_by_return(work, shipment))
        refusal_add(work->refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("shipmentId"),
                    "Goods of shipment SHP-%u are in a return: settle or cancel it first",
                    (unsigned)shipment->id);
    if (!shipment || ORDER_REFUSED(work))
        return;
    emit_changed(work, ORDER_EVENT_SHIPMENT_FAILED, shipment->id, status, at)->reason = filled(in->reason);
    work->units_shipped -= units_of(shipment);
}

/* ---- markAsShipped: open shipments leave, and one more takes the rest ---- */

static size_t count_open(const struct order_work *work)
{
    size_t count = 0;

    for (size_t i = 0; i < work->order->shipment_count; i++)
        count += (DISPATCHABLE & 1u << work->order->shipments[i].status) != 0 &&
                 order_shipment_reachable(work, &work->order->shipments[i]);
    return count;
}

/* The details of the input belong to the one shipment that takes the rest, or to the only one that leaves. */
static bool check_details_have_a_place(struct order_work *work, size_t rest)
{
    const struct order_shipment_input *in = &work->command->shipment;

    if (rest || count_open(work) <= 1 ||
        !(in->tracking_reference.len || in->label_url.len || oms_str_present(in->cost.text)))
        return true;
    return refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("trackingReference"),
                       "Several shipments leave: give tracking, label and cost by dispatchShipment");
}

static void dispatch_open(struct order_work *work, bool with_details, int64_t cost, int64_t at)
{
    for (size_t i = 0; i < work->order->shipment_count; i++) {
        const struct order_shipment *shipment = &work->order->shipments[i];
        struct order_shipment_changed *changed;

        if (!(DISPATCHABLE & 1u << shipment->status) || !order_shipment_reachable(work, shipment))
            continue;
        changed =
            emit_changed(work, ORDER_EVENT_SHIPMENT_DISPATCHED, shipment->id, ORDER_SHIPMENT_IN_TRANSIT, at);
        if (with_details)
            fill_details(work, changed, cost);
        work->units_shipped += units_of(shipment);
    }
}

static void dispatch_rest(struct order_work *work, const struct order_item *items, size_t count, int64_t cost,
                          int64_t at)
{
    struct order_address nowhere;

    memset(&nowhere, 0, sizeof(nowhere));
    emit_shipment(work, items, count, &nowhere, cost);
    emit_changed(work, ORDER_EVENT_SHIPMENT_DISPATCHED, (uint32_t)work->order->shipment_count + 1,
                 ORDER_SHIPMENT_IN_TRANSIT, at);
    for (size_t i = 0; i < count; i++)
        work->units_shipped += items[i].quantity;
}

void order_decide_mark_shipped(struct order_work *work)
{
    struct order_item *items;
    size_t count = 0;
    int64_t cost = 0, at = 0;

    read_details(work, &cost);
    order_field_occurred(work, work->command->shipment.occurred_at, &at);
    items = items_of_rest(work, &count);
    if (!items || (count && !room_for_shipment(work)) || !check_details_have_a_place(work, count) ||
        ORDER_REFUSED(work))
        return;
    dispatch_open(work, count == 0 && count_open(work) == 1, cost, at);
    if (count)
        dispatch_rest(work, items, count, cost, at);
    if (!work->out->event_count)
        order_emit_stage(work, ORDER_STAGE_SHIPPED, OMS_STR_NONE); /* all had left: only the stage waited */
    if (work->command->shipment.tracking_url.len && (work->on.full || work->on.all_lines))
        emit_changed(work, ORDER_EVENT_TRACKING_ADDED, 0, ORDER_SHIPMENT_NONE, at)->tracking_url =
            work->command->shipment.tracking_url;
}

/* ---- tracking ---- */

void order_decide_tracking(struct order_work *work)
{
    const struct order_shipment_input *in = &work->command->shipment;
    const struct order_shipment *shipment = NULL;

    if (in->shipment) {
        shipment = named_shipment(work, LIVE_SHIPMENT, "tracked");
    } else if (work->order->stage != ORDER_STAGE_SHIPPED) {
        refusal_add(
            work->refusals, REFUSAL_WRONG_STAGE, REFUSAL_FIELD("shipmentId"),
            "Before stage SHIPPED and after it a tracking reference belongs to a shipment: give shipmentId");
        return;
    } else if (!work->on.full && !work->on.all_lines) {
        refusal_add(work->refusals, REFUSAL_FORBIDDEN, REFUSAL_FIELD("shipmentId"),
                    "The order has lines of other vendors: name a shipment of yours");
        return;
    }
    order_field_required(work, "", "shippingReference", in->tracking_url, OMS_URL_BYTES_MAX);
    if (!ORDER_REFUSED(work))
        order_field_url(work, "", "shippingReference", in->tracking_url);
    order_field_text(work, "", "trackingReference", in->tracking_reference, ORDER_ID_TEXT);
    if (!ORDER_REFUSED(work)) {
        struct order_shipment_changed *changed = emit_changed(
            work, ORDER_EVENT_TRACKING_ADDED, shipment ? shipment->id : 0, ORDER_SHIPMENT_NONE, 0);

        changed->tracking_url = in->tracking_url;
        if (shipment)
            changed->tracking_reference = filled(in->tracking_reference);
    }
}

/* ---- a carrier's scan ---- */

/*
 * Whether the fact moves the shipment; anything else is recorded as a scan. A step forwards counts whenever
 * it is told; failing takes something back, so an older fact than the newest known cannot do it.
 */
static bool scan_moves(const struct order_work *work, const struct order_shipment *shipment,
                       enum order_shipment_status to, int64_t at)
{
    unsigned open = DISPATCHABLE;

    switch (to) {
    case ORDER_SHIPMENT_CONFIRMED:
        return shipment->status == ORDER_SHIPMENT_PENDING;
    case ORDER_SHIPMENT_IN_TRANSIT:
        return (open & 1u << shipment->status) != 0;
    case ORDER_SHIPMENT_DELIVERED:
        return ((open | BIT(IN_TRANSIT)) & 1u << shipment->status) != 0;
    case ORDER_SHIPMENT_FAILED:
    case ORDER_SHIPMENT_RETURNED_TO_SENDER:
        return at >= shipment->status_at && ((open | FAILABLE) & 1u << shipment->status) != 0 &&
               !((FAILABLE & 1u << shipment->status) && held_by_return(work, shipment));
    case ORDER_SHIPMENT_NONE:
    case ORDER_SHIPMENT_PENDING:
    case ORDER_SHIPMENT_CANCELLED:
    case ORDER_SHIPMENT_STATUS_COUNT:
        break;
    }
    return false;
}

static enum order_event_type scan_event(enum order_shipment_status to)
{
    switch (to) {
    case ORDER_SHIPMENT_CONFIRMED:
        return ORDER_EVENT_SHIPMENT_CONFIRMED;
    case ORDER_SHIPMENT_IN_TRANSIT:
        return ORDER_EVENT_SHIPMENT_DISPATCHED;
    case ORDER_SHIPMENT_DELIVERED:
        return ORDER_EVENT_SHIPMENT_DELIVERED;
    default:
        return ORDER_EVENT_SHIPMENT_FAILED;
    }
}

static const struct order_shipment *tracked_shipment(struct order_work *work)
{
    const struct order_shipment_input *in = &work->command->shipment;
    const struct order_shipment *shipment = in->shipment
                                                ? order_find_shipment(work->order, in->shipment)
                                                : order_find_tracking(work->order, in->tracking_reference);

    if (!shipment)
        refusal_add(work->refusals, REFUSAL_NOT_FOUND,
                    in->shipment ? REFUSAL_FIELD("shipmentId") : REFUSAL_FIELD("trackingReference"),
                    "The order has no such shipment");
    return shipment;
}

void order_decide_track(struct order_work *work)
{
    const struct order_shipment_input *in = &work->command->shipment;
    const struct order_shipment *shipment = tracked_shipment(work);
    int64_t at = 0, cost = 0;
    unsigned before, after;

    read_details(work, &cost);
    order_field_occurred(work, in->occurred_at, &at);
    if (!shipment || ORDER_REFUSED(work))
        return;
    if (!scan_moves(work, shipment, in->status, at)) {
        fill_details(work, emit_changed(work, ORDER_EVENT_SHIPMENT_SCANNED, shipment->id, in->status, at),
                     cost);
        return;
    }
    before = order_shipment_counts(shipment->status);
    after = order_shipment_counts(in->status);
    fill_details(work, emit_changed(work, scan_event(in->status), shipment->id, in->status, at), cost);
    if ((after & 2) && !(before & 2)) {
        work->units_shipped += units_of(shipment);
        order_steps_finish_fact(work, ORDER_COMMAND_DISPATCH_SHIPMENT);
    } else if (!(after & 2) && (before & 2)) {
        work->units_shipped -= units_of(shipment);
    }
    if (after & 4)
        order_steps_finish_fact(work, ORDER_COMMAND_DELIVER_SHIPMENT);
}
