/*
 * The fold of what was ordered: creation, edits of lines and of the destination, and the sums that go with
 * them.
 *
 * Prices are never computed here: an event carries the sums that its decision found, so that an old log folds
 * to the same order under later rules.
 */
#include "actors/order_fold.h"

/* ---- text that an order keeps ---- */

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

void order_apply_created(struct order *order, const struct order_event *event,
                         const struct order_event_meta *meta)
{
    const struct order_created *created = &event->created;

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

void order_apply_lines_added(struct order *order, const struct order_event *event,
                             const struct order_event_meta *meta)
{
    const struct order_lines_added *added = &event->lines_added;

    (void)meta;
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

void order_apply_lines_removed(struct order *order, const struct order_event *event,
                               const struct order_event_meta *meta)
{
    const struct order_lines_changed *changed = &event->lines_changed;

    (void)meta;
    for (size_t i = 0; i < changed->item_count; i++) {
        size_t at = (size_t)(order_line_at(order, changed->items[i].line) - order->lines);

        memmove(order->lines + at, order->lines + at + 1,
                (order->line_count - at - 1) * sizeof(*order->lines));
        order->line_count--;
        order->garbage += 128;
    }
    apply_pricing(order, &changed->pricing);
}

void order_apply_quantities(struct order *order, const struct order_event *event,
                            const struct order_event_meta *meta)
{
    const struct order_lines_changed *changed = &event->lines_changed;

    (void)meta;
    for (size_t i = 0; i < changed->item_count; i++)
        order_line_at(order, changed->items[i].line)->quantity = changed->items[i].quantity;
    apply_pricing(order, &changed->pricing);
}

void order_apply_lines_cancelled(struct order *order, const struct order_event *event,
                                 const struct order_event_meta *meta)
{
    const struct order_lines_changed *changed = &event->lines_changed;

    (void)meta;
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

void order_apply_destination(struct order *order, const struct order_event *event,
                             const struct order_event_meta *meta)
{
    const struct order_destination_changed *changed = &event->destination;

    (void)meta;
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
