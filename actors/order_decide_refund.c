/*
 * processRefund: of a received return, of an amount with a reason, of shipping; and the settling of a PENDING
 * one.
 *
 * LiteOMS records refunds, the payment system makes them: a new one is PENDING unless said otherwise and
 * reserves its amount, so that two clerks cannot refund the same money. Bounds, each checked by itself: what
 * the return is worth less what it got, the shipping not yet refunded, the workflow's max_refund_amount, and
 * paid − refunded − reserved.
 */
#include "actors/money.h"
#include "actors/order_internal.h"
#include "actors/workflow.h"
#include "runtime/base/limits.h"

#define PERCENT_100 (100 * WORKFLOW_PERCENT_UNIT)

static struct oms_str filled(struct oms_str value)
{
    return value.len ? value : OMS_STR_NONE;
}

static int64_t money_left(const struct order *order)
{
    return order->paid - order->refunded - order->refund_reserved;
}

static bool any_pending(const struct order *order)
{
    for (size_t i = 0; i < order->refund_count; i++)
        if (order->refunds[i].status == ORDER_REFUND_PENDING)
            return true;
    return false;
}

bool order_ready_refund(struct order_work *work)
{
    return money_left(work->order) > 0 || any_pending(work->order) ||
           refusal_add(work->refusals, REFUSAL_REFUND_EXCEEDED, REFUSAL_NO_FIELD,
                       "Nothing is left to refund: %s paid, %s refunded",
                       order_money(work, work->order->paid).text,
                       order_money(work, work->order->refunded + work->order->refund_reserved).text);
}

/* ---- parts of a new refund ---- */

static int64_t fee_percent(const struct order_work *work)
{
    if (work->order->stage == ORDER_STAGE_CANCELLED)
        return 0;
    return workflow_conditions_of(work->context->workflow, ORDER_COMMAND_PROCESS_REFUND)->restocking_fee;
}

static const struct order_return *named_return(struct order_work *work)
{
    uint32_t number = work->command->refund.return_id;
    const struct order_return *ret = order_find_return(work->order, number);

    if (!ret)
        refusal_add(work->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("returnId"),
                    "The order has no return RET-%u", (unsigned)number);
    else if (ret->status == ORDER_RETURN_CLOSED || ret->value <= ret->refunded)
        refusal_add(work->refusals,
                    ret->status == ORDER_RETURN_CLOSED || ret->status == ORDER_RETURN_RECEIVED
                        ? REFUSAL_REFUND_EXCEEDED
                        : REFUSAL_INVALID,
                    REFUSAL_FIELD("returnId"),
                    ret->status == ORDER_RETURN_CLOSED || ret->status == ORDER_RETURN_RECEIVED
                        ? "Return RET-%u is refunded in full%.0s"
                        : "Return RET-%u is %s: a return is refunded once it is RECEIVED",
                    (unsigned)number, order_return_status_name(ret->status));
    else
        return ret;
    return NULL;
}

/* Goods, fee and amount of a return's refund; `amount`: what the customer shall get, −1 for all. */
static bool split_return(struct order_work *work, const struct order_return *ret, int64_t amount,
                         struct order_refund *refund)
{
    int64_t left = ret->value - ret->refunded, percent = fee_percent(work), fee, most;

    if (!money_share(left, percent, PERCENT_100, &fee))
        return refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD,
                           "The restocking fee does not fit");
    most = left - fee;
    if (amount > most)
        return refusal_add(work->refusals, REFUSAL_REFUND_EXCEEDED, REFUSAL_FIELD("amount"),
                           "Return RET-%u can still be refunded with %s", (unsigned)ret->id,
                           order_money(work, most).text);
    refund->goods = left;
    refund->fee = fee;
    if (amount >= 0 && amount < most) {
        /* A part: the goods whose value less the fee is this amount. */
        if (percent && (!money_share(amount, PERCENT_100, PERCENT_100 - percent, &refund->goods) ||
                        refund->goods > left))
            refund->goods = left;
        if (!percent)
            refund->goods = amount;
        refund->fee = refund->goods - amount;
    }
    return true;
}

static bool read_shipping(struct order_work *work, struct order_refund *refund)
{
    const struct order *order = work->order;
    int64_t left = order->totals.shipping - order->totals.shipping_discount +
                   (order->taxes_included ? 0 : order->totals.shipping_tax);

    if (!work->command->refund.refund_shipping)
        return true;
    for (size_t i = 0; i < order->refund_count; i++)
        if (order->refunds[i].status != ORDER_REFUND_FAILED)
            left -= order->refunds[i].shipping;
    if (left <= 0)
        return refusal_add(work->refusals, REFUSAL_REFUND_EXCEEDED, REFUSAL_FIELD("refundShipping"),
                           "The order has no shipping cost left to refund");
    refund->shipping = left;
    return true;
}

static bool check_maximum(struct order_work *work, int64_t amount)
{
    struct oms_str text =
        workflow_conditions_of(work->context->workflow, ORDER_COMMAND_PROCESS_REFUND)->max_refund_amount;
    int64_t most;

    if (!oms_str_present(text))
        return true;
    if (money_parse(text, money_exponent(work->currency), &most) != MONEY_PARSE_OK)
        return refusal_add(work->refusals, REFUSAL_REFUND_EXCEEDED, REFUSAL_FIELD("amount"),
                           "The workflow's max_refund_amount %.*s is no amount of the order's currency",
                           OMS_STR_ARG(text));
    return amount <= most || refusal_add(work->refusals, REFUSAL_REFUND_EXCEEDED, REFUSAL_FIELD("amount"),
                                         "The workflow allows at most %s per refund, this is %s",
                                         order_money(work, most).text, order_money(work, amount).text);
}

static bool check_bounds(struct order_work *work, const struct order_refund *refund)
{
    if (refund->amount == 0 && refund->goods == 0)
        return refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("amount"),
                           "Give an amount above zero");
    if (!check_maximum(work, refund->amount))
        return false;
    if (refund->status != ORDER_REFUND_FAILED && refund->amount > money_left(work->order))
        return refusal_add(work->refusals, REFUSAL_REFUND_EXCEEDED, REFUSAL_FIELD("amount"),
                           "%s would be refunded, %s of the payments are left",
                           order_money(work, refund->amount).text,
                           order_money(work, money_left(work->order)).text);
    return true;
}

/* ---- closing the return ---- */

/* What SUCCEEDED refunds have given for the return's goods, `now` being added. */
static bool settled_in_full(const struct order *order, const struct order_return *ret, int64_t now)
{
    int64_t goods = now;

    for (size_t i = 0; i < order->refund_count; i++)
        if (order->refunds[i].return_id == ret->id && order->refunds[i].status == ORDER_REFUND_SUCCEEDED)
            goods += order->refunds[i].goods;
    return goods >= ret->value;
}

static void close_return(struct order_work *work, uint32_t return_id, int64_t goods)
{
    const struct order_return *ret = order_find_return(work->order, return_id);

    if (ret && ret->status == ORDER_RETURN_RECEIVED && settled_in_full(work->order, ret, goods))
        order_emit(work, ORDER_EVENT_RETURN_CLOSED)->return_changed.return_id = return_id;
}

/* ---- the command ---- */

static void read_texts(struct order_work *work)
{
    const struct order_refund_input *in = &work->command->refund;

    order_field_text(work, "", "reason", in->reason, ORDER_LONG_TEXT);
    order_field_text(work, "", "provider", in->provider, ORDER_NAME_TEXT);
    order_field_text(work, "", "transactionId", in->transaction_id, ORDER_ID_TEXT);
}

static void settle(struct order_work *work)
{
    const struct order_refund_input *in = &work->command->refund;
    const struct order_refund *refund = order_find_refund(work->order, in->refund_id);
    enum order_refund_status status = in->status ? in->status : ORDER_REFUND_SUCCEEDED;
    struct order_event *event;
    int64_t amount = refund ? refund->amount : 0;

    if (!refund) {
        refusal_add(work->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("refundId"),
                    "The order has no refund REF-%u", (unsigned)in->refund_id);
        return;
    }
    if (refund->status != ORDER_REFUND_PENDING)
        refusal_add(work->refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("refundId"),
                    "Refund REF-%u is %s already", (unsigned)refund->id,
                    order_refund_status_name(refund->status));
    if (status == ORDER_REFUND_PENDING)
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("status"),
                    "A refund is settled as SUCCEEDED or FAILED");
    order_field_amount(work, "", "amount", in->amount, &amount);
    if (amount != refund->amount || (in->return_id && in->return_id != refund->return_id))
        refusal_add(work->refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("refundId"),
                    "Refund REF-%u is of %s: settle it as it is, or fail it and make another",
                    (unsigned)refund->id, order_money(work, refund->amount).text);
    if (ORDER_REFUSED(work))
        return;
    event = order_emit(work, ORDER_EVENT_REFUND_SETTLED);
    event->refund_settled =
        (struct order_refund_settled){refund->id, status, filled(in->provider), filled(in->transaction_id)};
    if (status == ORDER_REFUND_SUCCEEDED && refund->return_id)
        close_return(work, refund->return_id, refund->goods);
}

static bool read_amount(struct order_work *work, struct order_refund *refund)
{
    const struct order_refund_input *in = &work->command->refund;
    const struct order_return *ret;
    int64_t amount = -1;

    if (!order_field_amount(work, "", "amount", in->amount, &amount))
        return false;
    if (in->return_id) {
        ret = named_return(work);
        if (!ret || !split_return(work, ret, amount, refund))
            return false;
    } else {
        if (amount < 0 && !in->refund_shipping)
            return refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("amount"),
                               "Give a returnId, or an amount with a reason");
        if (oms_str_trim(in->reason).len == 0)
            return refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("reason"),
                               "A refund without a return needs a reason");
    }
    if (!read_shipping(work, refund))
        return false;
    refund->amount = in->return_id ? refund->goods - refund->fee : amount < 0 ? 0 : amount;
    return money_add(refund->amount, refund->shipping, &refund->amount) ||
           refusal_add(work->refusals, REFUSAL_REFUND_EXCEEDED, REFUSAL_FIELD("amount"),
                       "The amount is too large");
}

void order_decide_refund(struct order_work *work)
{
    const struct order_refund_input *in = &work->command->refund;
    struct order_refund refund = {
        .id = (uint32_t)work->order->refund_count + 1,
        .status = in->status ? in->status : ORDER_REFUND_PENDING,
        .return_id = in->return_id,
        .reason = filled(in->reason),
        .provider = filled(in->provider),
        .transaction_id = filled(in->transaction_id),
        .actor = order_actor_of(work->context->principal),
        .created_at = work->now,
    };

    read_texts(work);
    if (in->refund_id) {
        settle(work);
        return;
    }
    if (work->order->refund_count >= OMS_ORDER_REFUNDS_MAX) {
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                    "An order has at most %d refunds", OMS_ORDER_REFUNDS_MAX);
        return;
    }
    if (!read_amount(work, &refund) || !check_bounds(work, &refund) || ORDER_REFUSED(work))
        return;
    if (refund.status != ORDER_REFUND_PENDING)
        refund.settled_at = work->now;
    order_emit(work, ORDER_EVENT_REFUND_PROCESSED)->refund = refund;
    if (refund.status == ORDER_REFUND_SUCCEEDED && refund.return_id)
        close_return(work, refund.return_id, refund.goods);
}
