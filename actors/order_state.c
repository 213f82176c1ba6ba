/*
 * The fold: order_apply changes an order by one event, and nothing else ever changes an order.
 *
 * It only records what the event says. Rules are not checked again (the event is a fact), but what can only
 * come from a bug (a line that does not exist, a count below zero) is asserted. Text is copied into the
 * order's arena; what is replaced is counted as garbage, and freeze + thaw wins it back.
 */
#include "actors/order_internal.h"
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

/* ---- memory ---- */

static struct oms_str keep(struct order *order, struct oms_str text)
{
    struct oms_str copy;

    if (!oms_str_present(text))
        return OMS_STR_NONE;
    copy = oms_str_copy(&order->arena, text);
    OMS_ASSERT(copy.data);
    return copy;
}

static void replace(struct order *order, struct oms_str *field, struct oms_str text)
{
    order->garbage += field->len;
    *field = keep(order, text);
}

static void replace_if_present(struct order *order, struct oms_str *field, struct oms_str text)
{
    if (oms_str_present(text))
        replace(order, field, text);
}

static void *keep_array(struct order *order, const void *items, size_t count, size_t size)
{
    void *copy;

    if (!count)
        return NULL;
    copy = oms_arena_calloc(&order->arena, count, size);
    OMS_ASSERT(copy);
    memcpy(copy, items, count * size);
    return copy;
}

/* Room for one more behind `count`; returns the array, moved when it grew. */
static void *grow(struct order *order, void *items, size_t count, size_t *cap, size_t size)
{
    void *larger;
    size_t wanted;

    if (count < *cap)
        return items;
    wanted = *cap ? *cap * 2 : 2;
    larger = oms_arena_calloc(&order->arena, wanted, size);
    OMS_ASSERT(larger);
    if (count)
        memcpy(larger, items, count * size);
    order->garbage += *cap * size;
    *cap = wanted;
    return larger;
}

static struct oms_str *keep_texts(struct order *order, const struct oms_str *texts, size_t count)
{
    struct oms_str *copy = keep_array(order, texts, count, sizeof(*texts));

    for (size_t i = 0; i < count; i++)
        copy[i] = keep(order, texts[i]);
    return copy;
}

static struct order_actor keep_actor(struct order *order, const struct order_actor *actor)
{
    /* The same few people act on an order again and again: share their text. */
    if (oms_str_present(order->created_by.subject) && oms_str_eq(actor->subject, order->created_by.subject) &&
        oms_str_present(actor->display_name) == oms_str_present(order->created_by.display_name) &&
        oms_str_eq(actor->display_name, order->created_by.display_name))
        return (struct order_actor){actor->kind, order->created_by.subject, order->created_by.display_name};
    return (struct order_actor){actor->kind, keep(order, actor->subject), keep(order, actor->display_name)};
}

static struct order_address keep_address(struct order *order, const struct order_address *in)
{
    return (struct order_address){
        .recipient = keep(order, in->recipient),
        .street = keep(order, in->street),
        .line2 = keep(order, in->line2),
        .city = keep(order, in->city),
        .state = keep(order, in->state),
        .postal = keep(order, in->postal),
        .country = keep(order, in->country),
        .phone = keep(order, in->phone),
    };
}

static struct order_package keep_package(struct order *order, const struct order_package *in)
{
    return (struct order_package){keep(order, in->weight), keep(order, in->dimensions)};
}

static void keep_line(struct order *order, struct order_line *line)
{
    line->sku = keep(order, line->sku);
    line->name = keep(order, line->name);
    line->category = keep(order, line->category);
    line->vendor.id = keep(order, line->vendor.id);
    line->vendor.name = keep(order, line->vendor.name);
    line->vendor.country = keep(order, line->vendor.country);
    line->options = keep(order, line->options);
    line->package = keep_package(order, &line->package);
}

static void keep_tax_lines(struct order *order, const struct order_tax_line *lines, size_t count)
{
    order->garbage += order->tax_line_count * sizeof(*order->tax_lines);
    order->tax_lines = keep_array(order, lines, count, sizeof(*lines));
    order->tax_line_count = count;
    for (size_t i = 0; i < count; i++) {
        order->tax_lines[i].title = keep(order, lines[i].title);
        order->tax_lines[i].rate = keep(order, lines[i].rate);
    }
}

/* ---- parts ---- */

static struct order_line *line_at(struct order *order, uint32_t id)
{
    struct order_line *line = (struct order_line *)order_find_line(order, id);

    OMS_ASSERT(line);
    return line;
}

static struct order_shipment *shipment_at(struct order *order, uint32_t id)
{
    struct order_shipment *shipment = (struct order_shipment *)order_find_shipment(order, id);

    OMS_ASSERT(shipment);
    return shipment;
}

static struct order_return *return_at(struct order *order, uint32_t id)
{
    struct order_return *ret = (struct order_return *)order_find_return(order, id);

    OMS_ASSERT(ret);
    return ret;
}

static struct order_activity *activity_at(struct order *order, uint32_t index)
{
    OMS_ASSERT(index < order->activity_count);
    return &order->activities[index];
}

/* ---- pricing ---- */

static void apply_pricing(struct order *order, const struct order_pricing *pricing)
{
    order->totals = pricing->totals;
    order->tax_given = pricing->tax_given;
    order->discount_given = pricing->discount_given;
    for (size_t i = 0; i < pricing->line_count; i++) {
        const struct order_line_price *price = &pricing->lines[i];
        struct order_line *line = line_at(order, price->line);

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
    order->lines = keep_array(order, created->lines, created->line_count, sizeof(*created->lines));
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
        keep_array(order, created->activities, created->activity_count, sizeof(*created->activities));
    order->activity_count = created->activity_count;
    for (size_t i = 0; i < created->activity_count; i++) {
        struct order_activity *activity = &order->activities[i];

        activity->step_name = keep(order, activity->step_name);
        activity->activity_status = keep(order, activity->activity_status);
    }
}

static void apply_created(struct order *order, const struct order_created *created,
                          const struct order_event_meta *meta)
{
    OMS_ASSERT(order->stage == ORDER_STAGE_NONE);
    order->created_by = keep_actor(order, &meta->actor);
    order->created_at = meta->time;
    order->order_id = keep(order, created->order_id);
    order->external_ref = keep(order, created->external_ref);
    order->source = keep(order, created->source);
    order->content_fingerprint = created->content_fingerprint;
    order->workflow_version = created->workflow_version;
    order->currency = created->currency;
    order->stage = created->stage;
    order->placed_at = created->placed_at;
    order->customer = (struct order_customer){
        .customer_id = keep(order, created->customer.customer_id),
        .name = keep(order, created->customer.name),
        .first_name = keep(order, created->customer.first_name),
        .last_name = keep(order, created->customer.last_name),
        .email = keep(order, created->customer.email),
        .phone = keep(order, created->customer.phone),
    };
    order->destination = keep_address(order, &created->destination);
    order->billing = keep_address(order, &created->billing);
    order->has_destination = created->has_destination;
    order->has_billing = created->has_billing;
    order->taxes_included = created->taxes_included;
    order->tax_given = created->tax_given;
    order->discount_given = created->discount_given;
    order->shipping =
        (struct order_shipping){keep(order, created->shipping.method),
                                keep(order, created->shipping.delivery_time), created->shipping.cost};
    order->totals = created->totals;
    apply_created_lists(order, created);
}

static void apply_lines_added(struct order *order, const struct order_lines_added *added)
{
    for (size_t i = 0; i < added->line_count; i++) {
        struct order_line *line;

        order->lines = grow(order, order->lines, order->line_count, &order->line_cap, sizeof(*order->lines));
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
        size_t at = (size_t)(line_at(order, changed->items[i].line) - order->lines);

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
        line_at(order, changed->items[i].line)->quantity = changed->items[i].quantity;
    apply_pricing(order, &changed->pricing);
}

static void apply_lines_cancelled(struct order *order, const struct order_lines_changed *changed)
{
    for (size_t i = 0; i < changed->item_count; i++) {
        struct order_line *line = line_at(order, changed->items[i].line);

        line->cancelled += changed->items[i].quantity;
        line->settled_quantity += changed->items[i].quantity;
        OMS_ASSERT(order_line_unallocated(line) >= 0);
    }
    if (oms_str_present(changed->reason))
        replace(order, &order->cancellation_reason, changed->reason);
    apply_pricing(order, &changed->pricing);
}

static void apply_destination(struct order *order, const struct order_destination_changed *changed)
{
    order->garbage += 128;
    if (changed->has_destination) {
        order->destination = keep_address(order, &changed->destination);
        order->has_destination = true;
    }
    if (changed->has_billing) {
        order->billing = keep_address(order, &changed->billing);
        order->has_billing = true;
    }
}

/* ---- shipments ---- */

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
        struct order_line *line = line_at(order, shipment->items[i].line);
        int64_t quantity = shipment->items[i].quantity;

        line->allocated += quantity * ((after & 1) - (before & 1));
        line->shipped += quantity * ((after >> 1 & 1) - (before >> 1 & 1));
        line->delivered += quantity * ((after >> 2 & 1) - (before >> 2 & 1));
        OMS_ASSERT(order_line_unallocated(line) >= 0 && line->delivered >= 0 &&
                   order_line_returnable(line) >= 0);
    }
}

static void apply_shipment_added(struct order *order, const struct order_shipment *added,
                                 const struct order_event_meta *meta)
{
    struct order_shipment *shipment;

    order->shipments =
        grow(order, order->shipments, order->shipment_count, &order->shipment_cap, sizeof(*order->shipments));
    OMS_ASSERT(added->id == order->shipment_count + 1);
    shipment = &order->shipments[order->shipment_count++];
    *shipment = *added;
    shipment->provider = keep(order, added->provider);
    shipment->warehouse = keep(order, added->warehouse);
    shipment->package = keep_package(order, &added->package);
    shipment->address = keep_address(order, &added->address);
    shipment->tracking_reference = keep(order, added->tracking_reference);
    shipment->tracking_url = keep(order, added->tracking_url);
    shipment->label_url = keep(order, added->label_url);
    shipment->reason = keep(order, added->reason);
    shipment->carrier_status = keep(order, added->carrier_status);
    shipment->items = keep_array(order, added->items, added->item_count, sizeof(*added->items));
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

static void apply_shipment_changed(struct order *order, const struct order_event *event)
{
    const struct order_shipment_changed *changed = &event->shipment_changed;
    struct order_shipment *shipment;

    if (!changed->shipment) {
        replace(order, &order->shipping_reference, changed->tracking_url);
        return;
    }
    shipment = shipment_at(order, changed->shipment);
    replace_if_present(order, &shipment->provider, changed->provider);
    replace_if_present(order, &shipment->tracking_reference, changed->tracking_reference);
    replace_if_present(order, &shipment->tracking_url, changed->tracking_url);
    replace_if_present(order, &shipment->label_url, changed->label_url);
    replace_if_present(order, &shipment->reason, changed->reason);
    if (changed->occurred_at >= shipment->status_at)
        replace_if_present(order, &shipment->carrier_status, changed->carrier_status);
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

/* ---- money ---- */

static void apply_payment(struct order *order, const struct order_payment *payment)
{
    struct order_payment *entry;

    if (payment->id <= order->payment_count) {
        entry = &order->payments[payment->id - 1];
        OMS_ASSERT(entry->status == ORDER_PAYMENT_AUTHORIZED);
    } else {
        OMS_ASSERT(payment->id == order->payment_count + 1);
        order->payments =
            grow(order, order->payments, order->payment_count, &order->payment_cap, sizeof(*order->payments));
        entry = &order->payments[order->payment_count++];
    }
    *entry = *payment;
    entry->method = keep(order, payment->method);
    entry->provider = keep(order, payment->provider);
    entry->transaction_id = keep(order, payment->transaction_id);
    entry->actor = keep_actor(order, &payment->actor);
    if (payment->status == ORDER_PAYMENT_CAPTURED)
        OMS_ASSERT(!__builtin_add_overflow(order->paid, payment->amount, &order->paid));
}

/* Adds (sign 1) or takes back (sign −1) what a refund holds in its status. */
static void count_refund(struct order *order, const struct order_refund *refund, int sign)
{
    if (refund->status == ORDER_REFUND_PENDING)
        order->refund_reserved += sign * refund->amount;
    else if (refund->status == ORDER_REFUND_SUCCEEDED)
        order->refunded += sign * refund->amount;
    if (refund->return_id && refund->status != ORDER_REFUND_FAILED)
        return_at(order, refund->return_id)->refunded += sign * refund->goods;
    OMS_ASSERT(order->refund_reserved >= 0 && order->refunded >= 0 &&
               order->refunded + order->refund_reserved <= order->paid);
}

static void apply_refund(struct order *order, const struct order_refund *added)
{
    struct order_refund *refund;

    order->refunds =
        grow(order, order->refunds, order->refund_count, &order->refund_cap, sizeof(*order->refunds));
    OMS_ASSERT(added->id == order->refund_count + 1);
    refund = &order->refunds[order->refund_count++];
    *refund = *added;
    refund->reason = keep(order, added->reason);
    refund->provider = keep(order, added->provider);
    refund->transaction_id = keep(order, added->transaction_id);
    refund->actor = keep_actor(order, &added->actor);
    count_refund(order, refund, 1);
}

static void apply_refund_settled(struct order *order, const struct order_refund_settled *settled, int64_t at)
{
    struct order_refund *refund = (struct order_refund *)order_find_refund(order, settled->refund);

    OMS_ASSERT(refund && refund->status == ORDER_REFUND_PENDING);
    count_refund(order, refund, -1);
    refund->status = settled->status;
    refund->settled_at = at;
    replace_if_present(order, &refund->provider, settled->provider);
    replace_if_present(order, &refund->transaction_id, settled->transaction_id);
    count_refund(order, refund, 1);
}

/* ---- returns ---- */

static void apply_return_requested(struct order *order, const struct order_return *added,
                                   const struct order_event_meta *meta)
{
    struct order_return *ret;

    order->returns =
        grow(order, order->returns, order->return_count, &order->return_cap, sizeof(*order->returns));
    OMS_ASSERT(added->id == order->return_count + 1);
    ret = &order->returns[order->return_count++];
    *ret = *added;
    ret->reason = keep(order, added->reason);
    ret->comments = keep(order, added->comments);
    ret->decision_note = keep(order, added->decision_note);
    ret->requested_by = keep_actor(order, &added->requested_by);
    ret->requested_at = meta->time;
    ret->items = keep_array(order, added->items, added->item_count, sizeof(*added->items));
    for (size_t i = 0; i < ret->item_count; i++) {
        struct order_line *line = line_at(order, ret->items[i].line);

        ret->items[i].condition = keep(order, ret->items[i].condition);
        line->return_open += ret->items[i].quantity;
        OMS_ASSERT(order_line_returnable(line) >= 0);
    }
}

static void close_return_items(struct order *order, const struct order_return *ret)
{
    for (size_t i = 0; i < ret->item_count; i++) {
        struct order_line *line = line_at(order, ret->items[i].line);

        line->return_open -= ret->items[i].quantity;
        OMS_ASSERT(line->return_open >= 0);
    }
}

static void apply_return_received(struct order *order, struct order_return *ret,
                                  const struct order_return_changed *changed)
{
    OMS_ASSERT(changed->item_count == ret->item_count);
    close_return_items(order, ret);
    ret->value = 0;
    for (size_t i = 0; i < ret->item_count; i++) {
        struct order_return_item *item = &ret->items[i];
        struct order_line *line = line_at(order, item->line);

        OMS_ASSERT(changed->items[i].line == item->line);
        item->received = changed->items[i].received;
        item->restock = changed->items[i].restock;
        item->value = changed->items[i].value;
        replace(order, &item->condition, changed->items[i].condition);
        line->returned += item->received;
        line->settled_quantity += item->received;
        OMS_ASSERT(order_line_returnable(line) >= 0 && line->settled_quantity <= line->priced_quantity);
        ret->value += item->value;
    }
}

static void apply_return_changed(struct order *order, const struct order_event *event, int64_t at)
{
    const struct order_return_changed *changed = &event->return_changed;
    struct order_return *ret = return_at(order, changed->return_id);

    replace_if_present(order, &ret->decision_note, changed->note);
    switch (event->type) {
    case ORDER_EVENT_RETURN_APPROVED:
        ret->status = ORDER_RETURN_APPROVED;
        ret->approved_at = at;
        break;
    case ORDER_EVENT_RETURN_RECEIVED:
        apply_return_received(order, ret, changed);
        ret->status = ORDER_RETURN_RECEIVED;
        ret->received_at = changed->occurred_at;
        break;
    case ORDER_EVENT_RETURN_CLOSED:
        ret->status = ORDER_RETURN_CLOSED;
        ret->closed_at = at;
        break;
    default:
        close_return_items(order, ret);
        ret->status =
            event->type == ORDER_EVENT_RETURN_REJECTED ? ORDER_RETURN_REJECTED : ORDER_RETURN_CANCELLED;
        ret->closed_at = at;
    }
}

/* ---- steps and holds ---- */

static void apply_step_finished(struct order *order, const struct order_step_finished *finished,
                                const struct order_event_meta *meta)
{
    struct order_activity *activity = activity_at(order, finished->activity);

    activity->outcome = finished->outcome;
    activity->finished_at = meta->time;
    activity->due_at = 0;
    activity->due_left_ms = 0;
    activity->actor = keep_actor(order, &meta->actor);
    replace_if_present(order, &activity->comments, finished->comments);
    replace_if_present(order, &activity->user_input, finished->user_input);
}

static void apply_steps_reset(struct order *order, uint32_t from)
{
    enum order_stage stage = activity_at(order, from)->stage;

    for (size_t i = from; i < order->activity_count && order->activities[i].stage == stage; i++) {
        struct order_activity *activity = &order->activities[i];

        order->garbage += activity->comments.len + activity->user_input.len;
        activity->outcome = ORDER_OUTCOME_WAITING;
        activity->overdue = false;
        activity->reviewer = activity->comments = activity->user_input = OMS_STR_NONE;
        memset(&activity->actor, 0, sizeof(activity->actor));
        activity->started_at = activity->due_at = activity->due_left_ms = activity->finished_at = 0;
    }
}

static void pause_deadlines(struct order *order, int64_t at)
{
    for (size_t i = 0; i < order->activity_count; i++) {
        struct order_activity *activity = &order->activities[i];

        if (activity->due_at) {
            activity->due_left_ms = activity->due_at > at ? activity->due_at - at : 1;
            activity->due_at = 0;
        }
    }
}

static void resume_deadlines(struct order *order, int64_t at)
{
    for (size_t i = 0; i < order->activity_count; i++) {
        struct order_activity *activity = &order->activities[i];

        if (activity->due_left_ms) {
            activity->due_at = at + activity->due_left_ms;
            activity->due_left_ms = 0;
        }
    }
}

static void apply_hold_placed(struct order *order, const struct order_hold *placed,
                              const struct order_event_meta *meta)
{
    struct order_hold *hold;

    if (!order->hold_count)
        pause_deadlines(order, meta->time);
    order->holds = grow(order, order->holds, order->hold_count, &order->hold_cap, sizeof(*order->holds));
    hold = &order->holds[order->hold_count++];
    *hold = *placed;
    OMS_ASSERT(hold->id == order->hold_next);
    order->hold_next++;
    hold->owner = keep_actor(order, &placed->owner);
    hold->reason = keep(order, placed->reason);
    hold->placed_at = meta->time;
}

static void apply_hold_released(struct order *order, const struct order_hold_released *released,
                                const struct order_event_meta *meta)
{
    const struct order_hold *found = order_find_hold(order, released->hold);
    struct order_hold hold;
    size_t at;

    OMS_ASSERT(found);
    at = (size_t)(found - order->holds);
    hold = *found;
    hold.released_at = meta->time;
    hold.released_by = keep_actor(order, &meta->actor);
    hold.release_reason = keep(order, released->reason);
    memmove(order->holds + at, order->holds + at + 1, (order->hold_count - at - 1) * sizeof(hold));
    if (!--order->hold_count)
        resume_deadlines(order, meta->time);
    if (order->released_hold_count == OMS_ORDER_HOLDS_RELEASED_KEPT) {
        const struct order_hold *oldest = &order->released_holds[0];

        order->garbage += oldest->reason.len + oldest->release_reason.len + oldest->owner.subject.len + 48;
        memmove(order->released_holds, order->released_holds + 1,
                (OMS_ORDER_HOLDS_RELEASED_KEPT - 1) * sizeof(hold));
        order->released_hold_count--;
    }
    order->released_holds = grow(order, order->released_holds, order->released_hold_count,
                                 &order->released_hold_cap, sizeof(*order->released_holds));
    order->released_holds[order->released_hold_count++] = hold;
}

static void apply_note(struct order *order, const struct order_note *added,
                       const struct order_event_meta *meta)
{
    struct order_note *note;

    order->notes = grow(order, order->notes, order->notes_held, &order->note_cap, sizeof(*order->notes));
    OMS_ASSERT(added->id == order->note_count + 1);
    note = &order->notes[order->notes_held++];
    order->note_count++;
    *note = *added;
    note->text = keep(order, added->text);
    note->author = keep_actor(order, &added->author);
    note->created_at = meta->time;
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
    order->keys = grow(order, order->keys, order->key_count, &order->key_cap, sizeof(*order->keys));
    order->keys[order->key_count++] =
        (struct order_key){meta->key, meta->fingerprint, meta->version, meta->time};
}

/* ---- the fold ---- */

static void apply_stage(struct order *order, const struct order_stage_changed *changed, enum order_stage to)
{
    OMS_ASSERT(order->stage == changed->from);
    order->stage = to;
    if (to == ORDER_STAGE_CANCELLED)
        replace_if_present(order, &order->cancellation_reason, changed->reason);
}

static void apply_activity_event(struct order *order, const struct order_event *event,
                                 const struct order_event_meta *meta)
{
    struct order_activity *activity;

    switch (event->type) {
    case ORDER_EVENT_STEP_STARTED:
        activity = activity_at(order, event->step_started.activity);
        activity->started_at = meta->time;
        activity->due_at = event->step_started.due_at;
        activity->due_left_ms = event->step_started.due_left_ms;
        break;
    case ORDER_EVENT_STEP_FINISHED:
        apply_step_finished(order, &event->step_finished, meta);
        break;
    case ORDER_EVENT_REVIEWER_ASSIGNED:
        activity = activity_at(order, event->reviewer.activity);
        replace(order, &activity->reviewer, event->reviewer.reviewer);
        replace_if_present(order, &activity->comments, event->reviewer.comments);
        if (activity->outcome == ORDER_OUTCOME_REJECTED) { /* a new reviewer opens the step again */
            activity->outcome = ORDER_OUTCOME_WAITING;
            activity->finished_at = 0;
        }
        break;
    case ORDER_EVENT_STEPS_RESET:
        apply_steps_reset(order, event->steps_reset.activity);
        break;
    default:
        activity = activity_at(order, event->step_overdue.activity);
        activity->overdue = true;
        activity->due_at = 0;
        activity->due_left_ms = 0;
    }
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
        apply_shipment_added(order, &event->shipment, meta);
        return;
    case ORDER_EVENT_SHIPMENT_CONFIRMED:
    case ORDER_EVENT_SHIPMENT_DISPATCHED:
    case ORDER_EVENT_SHIPMENT_DELIVERED:
    case ORDER_EVENT_SHIPMENT_CANCELLED:
    case ORDER_EVENT_SHIPMENT_FAILED:
    case ORDER_EVENT_SHIPMENT_SCANNED:
    case ORDER_EVENT_TRACKING_ADDED:
        apply_shipment_changed(order, event);
        return;
    case ORDER_EVENT_PAYMENT_RECORDED:
        apply_payment(order, &event->payment);
        return;
    case ORDER_EVENT_RETURN_REQUESTED:
        apply_return_requested(order, &event->returned, meta);
        return;
    case ORDER_EVENT_RETURN_APPROVED:
    case ORDER_EVENT_RETURN_REJECTED:
    case ORDER_EVENT_RETURN_RECEIVED:
    case ORDER_EVENT_RETURN_CANCELLED:
    case ORDER_EVENT_RETURN_CLOSED:
        apply_return_changed(order, event, meta->time);
        return;
    case ORDER_EVENT_REFUND_PROCESSED:
        apply_refund(order, &event->refund);
        return;
    case ORDER_EVENT_REFUND_SETTLED:
        apply_refund_settled(order, &event->refund_settled, meta->time);
        return;
    case ORDER_EVENT_STEP_STARTED:
    case ORDER_EVENT_STEP_FINISHED:
    case ORDER_EVENT_REVIEWER_ASSIGNED:
    case ORDER_EVENT_STEPS_RESET:
    case ORDER_EVENT_STEP_OVERDUE:
        apply_activity_event(order, event, meta);
        return;
    case ORDER_EVENT_HOLD_PLACED:
        apply_hold_placed(order, &event->hold, meta);
        return;
    case ORDER_EVENT_HOLD_RELEASED:
        apply_hold_released(order, &event->hold_released, meta);
        return;
    case ORDER_EVENT_NOTE_ADDED:
        apply_note(order, &event->note, meta);
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
