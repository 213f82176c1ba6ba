/*
 * recordPayment: the ledger. A payment is a fact and is recorded at any stage; (provider, transactionId)
 * names one entry. The one way in which an entry changes is that an authorization is settled: captured,
 * voided or failed under the same transaction.
 */
#include "actors/money.h"
#include "actors/order_internal.h"
#include "runtime/base/limits.h"

static struct oms_str filled(struct oms_str value)
{
    return value.len ? value : OMS_STR_NONE;
}

/* The entry of this transaction, or NULL. Cash has none. */
static const struct order_payment *same_transaction(const struct order *order,
                                                    const struct order_payment_input *in)
{
    if (!in->transaction_id.len)
        return NULL;
    for (size_t i = 0; i < order->payment_count; i++)
        if (oms_str_eq(order->payments[i].transaction_id, in->transaction_id) &&
            oms_str_eq(order->payments[i].provider, in->provider))
            return &order->payments[i];
    return NULL;
}

static bool read_payment(struct order_work *work, const char *prefix, const struct order_payment_input *in,
                         const char *amount_name, int64_t *amount)
{
    size_t before = work->refusals->count;

    order_field_text(work, prefix, "method", in->method, ORDER_NAME_TEXT);
    order_field_text(work, prefix, "provider", in->provider, ORDER_NAME_TEXT);
    order_field_text(work, prefix, "transactionId", in->transaction_id, ORDER_ID_TEXT);
    if (!oms_str_present(in->amount.text))
        refusal_add(work->refusals, REFUSAL_REQUIRED, order_path(work, prefix, amount_name), "%s is required",
                    amount_name);
    order_field_amount(work, prefix, amount_name, in->amount, amount);
    if (in->occurred_at > work->now + OMS_PLACED_AHEAD_MAX_MS)
        refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, "occurredAt"),
                    "occurredAt is more than 24 hours ahead");
    return work->refusals->count == before;
}

void order_emit_payment(struct order_work *work, const char *prefix, const struct order_payment_input *in,
                        const char *amount_name)
{
    const struct order *order = work->order;
    const struct order_payment *known = same_transaction(order, in);
    enum order_payment_entry_status status = in->status ? in->status : ORDER_PAYMENT_CAPTURED;
    struct order_event *event;
    int64_t amount = 0, paid;

    if (!read_payment(work, prefix, in, amount_name, &amount))
        return;
    if (known && (known->status != ORDER_PAYMENT_AUTHORIZED || status == ORDER_PAYMENT_AUTHORIZED)) {
        refusal_add(work->refusals, REFUSAL_DUPLICATE, order_path(work, prefix, "transactionId"),
                    "Payment PAY-%u has this provider and transactionId and is %s", (unsigned)known->id,
                    order_payment_entry_status_name(known->status));
        return;
    }
    if (!known && order->payment_count >= OMS_ORDER_PAYMENTS_MAX) {
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                    "An order has at most %d payments", OMS_ORDER_PAYMENTS_MAX);
        return;
    }
    if (!money_add(order->paid, amount, &paid)) {
        refusal_add(work->refusals, REFUSAL_INVALID, order_path(work, prefix, amount_name),
                    "The sum of all payments does not fit");
        return;
    }
    work->given_status = status;
    event = order_emit(work, ORDER_EVENT_PAYMENT_RECORDED);
    event->payment = (struct order_payment){
        .id = known ? known->id : (uint32_t)order->payment_count + 1,
        .status = status,
        .method = in->method.len ? in->method
                  : known        ? known->method
                                 : OMS_STR_NONE,
        .provider = filled(in->provider),
        .transaction_id = filled(in->transaction_id),
        .amount = amount,
        .occurred_at = in->occurred_at ? in->occurred_at : work->now,
        .recorded_at = work->now,
        .actor = order_actor_of(work->context->principal),
    };
}

void order_decide_payment(struct order_work *work)
{
    order_emit_payment(work, "", &work->command->payment, "amount");
}
