/*
 * Holds: several at once, each with owner, reason, optional expiry, and the commands that it blocks.
 */
#include "actors/order_internal.h"
#include "runtime/base/limits.h"

void order_emit_hold(struct order_work *work, struct oms_str reason, int64_t expires_at,
                     order_command_set blocks)
{
    struct order_event *event = order_emit(work, ORDER_EVENT_HOLD_PLACED);

    event->hold = (struct order_hold){
        .id = work->order->hold_next,
        .owner = order_actor_of(work->context->principal),
        .reason = reason.len ? reason : OMS_STR_NONE,
        .blocks = blocks,
        .expires_at = expires_at,
    };
    work->hold_placed = true;
}

static bool check_blocks(struct order_work *work, order_command_set blocks)
{
    order_command_set wrong = blocks & ~ORDER_HOLD_NAMEABLE;

    for (unsigned type = 1; wrong && type < ORDER_COMMAND_COUNT; type++)
        if (wrong & ORDER_COMMAND_BIT(type))
            return refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("blocks"),
                               "A hold cannot block %s",
                               order_command_info((enum order_command_type)type)->mutation);
    return wrong == 0 || refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("blocks"),
                                     "A hold can only block commands");
}

void order_decide_place_hold(struct order_work *work)
{
    const struct order_hold_input *in = &work->command->hold;

    order_field_text(work, "", "reason", in->reason, ORDER_LONG_TEXT);
    check_blocks(work, in->blocks);
    if (in->expires_at && in->expires_at <= work->now)
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("expiresAt"), "expiresAt is in the past");
    if (work->order->hold_count >= OMS_ORDER_HOLDS_ACTIVE_MAX)
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                    "An order has at most %d active holds", OMS_ORDER_HOLDS_ACTIVE_MAX);
    if (!ORDER_REFUSED(work))
        order_emit_hold(work, in->reason, in->expires_at, in->blocks);
}

bool order_ready_release_hold(struct order_work *work)
{
    return work->order->hold_count > 0 ||
           refusal_add(work->refusals, REFUSAL_NOT_FOUND, REFUSAL_NO_FIELD, "The order has no active hold");
}

static void emit_release(struct order_work *work, uint32_t hold, bool expired, struct oms_str reason)
{
    struct order_event *event = order_emit(work, ORDER_EVENT_HOLD_RELEASED);

    event->hold_released = (struct order_hold_released){hold, expired, reason.len ? reason : OMS_STR_NONE};
    work->hold_released = hold;
}

void order_decide_release_hold(struct order_work *work)
{
    const struct order_hold_input *in = &work->command->hold;

    if (!in->hold)
        refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("holdId"), "holdId is required");
    else if (!order_find_hold(work->order, in->hold))
        refusal_add(work->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("holdId"),
                    "The order has no active hold HLD-%u", (unsigned)in->hold);
    order_field_text(work, "", "reason", in->reason, ORDER_LONG_TEXT);
    if (!ORDER_REFUSED(work))
        emit_release(work, in->hold, false, in->reason);
}

void order_decide_expire_hold(struct order_work *work)
{
    const struct order_hold *hold = order_find_hold(work->order, work->command->hold.hold);

    if (hold && hold->expires_at && hold->expires_at <= work->now)
        emit_release(work, hold->id, true, OMS_STR("expired"));
    else
        work->out->kind = ORDER_DECISION_NOTHING;
}
