/*
 * What follows from the rest of an order: the rolled-up statuses, what is owed back, the current step.
 *
 * Derived after every event and after a thaw, stored for lists; nothing here is in an event of its own.
 */
#include "actors/order.h"

static void derive_fulfillment(struct order *order)
{
    int64_t active = 0, shipped = 0, delivered = 0;

    for (size_t i = 0; i < order->line_count; i++) {
        active += order->lines[i].quantity - order->lines[i].cancelled;
        shipped += order->lines[i].shipped;
        delivered += order->lines[i].delivered;
    }
    if (active == 0 || shipped == 0)
        order->fulfillment = ORDER_FULFILLMENT_UNFULFILLED;
    else if (delivered == active)
        order->fulfillment = ORDER_FULFILLMENT_DELIVERED;
    else if (delivered)
        order->fulfillment = ORDER_FULFILLMENT_PARTIALLY_DELIVERED;
    else if (shipped == active)
        order->fulfillment = ORDER_FULFILLMENT_SHIPPED;
    else
        order->fulfillment = ORDER_FULFILLMENT_PARTIALLY_SHIPPED;
}

static void derive_payment(struct order *order)
{
    if (order->refunded)
        order->payment = order->refunded >= order->paid ? ORDER_PAYMENT_STATUS_REFUNDED
                                                        : ORDER_PAYMENT_STATUS_PARTIALLY_REFUNDED;
    else if (order->stage == ORDER_STAGE_CANCELLED && order->paid == 0)
        order->payment = ORDER_PAYMENT_STATUS_CANCELLED;
    else if (order->paid >= order->totals.final)
        order->payment = ORDER_PAYMENT_STATUS_PAID;
    else
        order->payment = order->paid ? ORDER_PAYMENT_STATUS_PARTIALLY_PAID : ORDER_PAYMENT_STATUS_PENDING;
}

/*
 * Owed back: what was captured less what went or is going back, above what the merchant may keep. That is
 * nothing of a cancelled order, else the final amount less the value of goods that came back and the shipping
 * given back, plus the restocking fees kept.
 */
static void derive_refund_due(struct order *order)
{
    int64_t kept = 0, due;

    if (order->stage != ORDER_STAGE_CANCELLED) {
        kept = order->totals.final;
        for (size_t i = 0; i < order->return_count; i++)
            kept -= order->returns[i].value;
        for (size_t i = 0; i < order->refund_count; i++)
            if (order->refunds[i].status != ORDER_REFUND_FAILED)
                kept += order->refunds[i].fee - order->refunds[i].shipping;
    }
    due = order->paid - order->refunded - order->refund_reserved - (kept > 0 ? kept : 0);
    order->refund_due = due > 0 ? due : 0;
}

static void derive_activity(struct order *order)
{
    order->current_activity = 0;
    for (size_t i = 0; i < order->activity_count; i++)
        if (order->activities[i].stage == order->stage &&
            order->activities[i].outcome == ORDER_OUTCOME_WAITING) {
            order->current_activity = (uint32_t)i + 1;
            return;
        }
}

void order_derive(struct order *order)
{
    derive_fulfillment(order);
    derive_payment(order);
    derive_refund_due(order);
    derive_activity(order);
}
