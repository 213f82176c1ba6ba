/*
 * The fold of money: the ledger of payments, and refunds with what they hold of a return.
 *
 * paid, refunded and refund_reserved are sums over the parts and change here and nowhere else.
 */
#include "actors/order_fold.h"
#include "runtime/base/limits.h"

void order_apply_payment(struct order *order, const struct order_event *event,
                         const struct order_event_meta *meta)
{
    const struct order_payment *payment = &event->payment;
    struct order_payment *entry;

    (void)meta;
    if (payment->id <= order->payment_count) {
        entry = &order->payments[payment->id - 1];
        OMS_ASSERT(entry->status == ORDER_PAYMENT_AUTHORIZED);
    } else {
        OMS_ASSERT(payment->id == order->payment_count + 1);
        order->payments = order_grow(order, order->payments, order->payment_count, &order->payment_cap,
                                     sizeof(*order->payments));
        entry = &order->payments[order->payment_count++];
    }
    *entry = *payment;
    entry->method = order_keep(order, payment->method);
    entry->provider = order_keep(order, payment->provider);
    entry->transaction_id = order_keep(order, payment->transaction_id);
    entry->actor = order_keep_actor(order, &payment->actor);
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
        order_return_at(order, refund->return_id)->refunded += sign * refund->goods;
    OMS_ASSERT(order->refund_reserved >= 0 && order->refunded >= 0 &&
               order->refunded + order->refund_reserved <= order->paid);
}

void order_apply_refund(struct order *order, const struct order_event *event,
                        const struct order_event_meta *meta)
{
    const struct order_refund *added = &event->refund;
    struct order_refund *refund;

    (void)meta;
    order->refunds =
        order_grow(order, order->refunds, order->refund_count, &order->refund_cap, sizeof(*order->refunds));
    OMS_ASSERT(added->id == order->refund_count + 1);
    refund = &order->refunds[order->refund_count++];
    *refund = *added;
    refund->reason = order_keep(order, added->reason);
    refund->provider = order_keep(order, added->provider);
    refund->transaction_id = order_keep(order, added->transaction_id);
    refund->actor = order_keep_actor(order, &added->actor);
    count_refund(order, refund, 1);
}

void order_apply_refund_settled(struct order *order, const struct order_event *event,
                                const struct order_event_meta *meta)
{
    const struct order_refund_settled *settled = &event->refund_settled;
    struct order_refund *refund = (struct order_refund *)order_find_refund(order, settled->refund);

    OMS_ASSERT(refund && refund->status == ORDER_REFUND_PENDING);
    count_refund(order, refund, -1);
    refund->status = settled->status;
    refund->settled_at = meta->time;
    order_replace_if_present(order, &refund->provider, settled->provider);
    order_replace_if_present(order, &refund->transaction_id, settled->transaction_id);
    count_refund(order, refund, 1);
}
