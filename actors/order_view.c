/*
 * Reading helpers over an order: finding parts, the current activity's status, the next deadline.
 *
 * Parts that are never removed (shipments, returns, refunds, payments) stand at their number − 1; lines and
 * holds can leave and are searched.
 */
#include "actors/order.h"

const struct order_line *order_find_line(const struct order *order, uint32_t id)
{
    size_t low = 0, high = order->line_count;

    /* Ids ascend; without removals the line stands at id − 1. */
    if (id && id <= high && order->lines[id - 1].id == id)
        return &order->lines[id - 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (order->lines[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < order->line_count && order->lines[low].id == id ? &order->lines[low] : NULL;
}

const struct order_shipment *order_find_shipment(const struct order *order, uint32_t id)
{
    return id && id <= order->shipment_count ? &order->shipments[id - 1] : NULL;
}

const struct order_return *order_find_return(const struct order *order, uint32_t id)
{
    return id && id <= order->return_count ? &order->returns[id - 1] : NULL;
}

const struct order_refund *order_find_refund(const struct order *order, uint32_t id)
{
    return id && id <= order->refund_count ? &order->refunds[id - 1] : NULL;
}

const struct order_hold *order_find_hold(const struct order *order, uint32_t id)
{
    for (size_t i = 0; i < order->hold_count; i++)
        if (order->holds[i].id == id)
            return &order->holds[i];
    return NULL;
}

const struct order_shipment *order_find_tracking(const struct order *order, struct oms_str reference)
{
    for (size_t i = 0; i < order->shipment_count; i++)
        if (oms_str_present(order->shipments[i].tracking_reference) &&
            oms_str_eq(order->shipments[i].tracking_reference, reference))
            return &order->shipments[i];
    return NULL;
}

struct oms_str order_activity_status(const struct order *order)
{
    if (!order->current_activity)
        return OMS_STR("NoPendingActions");
    return order->activities[order->current_activity - 1].activity_status;
}

struct order_timer order_timer_next(const struct order *order)
{
    struct order_timer next = {0, ORDER_COMMAND_NONE, 0};

    for (size_t i = 0; i < order->hold_count && order_live(order); i++)
        if (order->holds[i].expires_at && (!next.at || order->holds[i].expires_at < next.at))
            next = (struct order_timer){order->holds[i].expires_at, ORDER_COMMAND_EXPIRE_HOLD,
                                        order->holds[i].id};
    for (size_t i = 0; i < order->activity_count; i++) {
        const struct order_activity *activity = &order->activities[i];

        if (activity->due_at && activity->stage == order->stage &&
            activity->outcome == ORDER_OUTCOME_WAITING && (!next.at || activity->due_at < next.at))
            next = (struct order_timer){activity->due_at, ORDER_COMMAND_STEP_DUE, (uint32_t)i + 1};
    }
    return next;
}
