/*
 * The order's own stages: placeOrder, confirmOrder, cancelOrder, markAsCompleted; and addNote.
 *
 * markAsShipped is with the shipments, since the stage follows the goods.
 */
#include "actors/order_internal.h"
#include "actors/workflow.h"
#include "runtime/base/limits.h"

bool order_ready_place(struct order_work *work)
{
    return work->order->line_count > 0 ||
           refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_NO_FIELD, "The order has no lines");
}

void order_decide_place(struct order_work *work)
{
    order_emit_stage(work, ORDER_STAGE_PENDING, OMS_STR_NONE);
}

void order_decide_confirm(struct order_work *work)
{
    order_emit_stage(work, ORDER_STAGE_CONFIRMED, OMS_STR_NONE);
}

/* ---- cancelOrder ---- */

/* A shipment that has left and not come back, or NULL. */
static const struct order_shipment *gone_shipment(const struct order *order)
{
    for (size_t i = 0; i < order->shipment_count; i++)
        if (order_shipment_counts(order->shipments[i].status) & 2)
            return &order->shipments[i];
    return NULL;
}

bool order_ready_cancel_order(struct order_work *work)
{
    const struct order_shipment *gone = gone_shipment(work->order);

    return !gone || refusal_add(work->refusals, REFUSAL_WRONG_STAGE, REFUSAL_NO_FIELD,
                                "Shipment SHP-%u is %s: what has left can only be returned",
                                (unsigned)gone->id, order_shipment_status_name(gone->status));
}

bool order_may_cancel(struct order_work *work)
{
    unsigned stages = order_rule_of(ORDER_COMMAND_CANCEL_ORDER)->stages;

    return (stages & 1u << work->stage) && !gone_shipment(work->order) &&
           order_check_holds(work, ORDER_COMMAND_CANCEL_ORDER, false);
}

void order_emit_cancelled(struct order_work *work, struct oms_str reason)
{
    for (size_t i = 0; i < work->order->shipment_count; i++) {
        const struct order_shipment *shipment = &work->order->shipments[i];
        struct order_event *event;

        if (shipment->status != ORDER_SHIPMENT_PENDING && shipment->status != ORDER_SHIPMENT_CONFIRMED)
            continue;
        event = order_emit(work, ORDER_EVENT_SHIPMENT_CANCELLED);
        event->shipment_changed.shipment = shipment->id;
        event->shipment_changed.status = ORDER_SHIPMENT_CANCELLED;
        event->shipment_changed.occurred_at = work->now;
        event->shipment_changed.reason = OMS_STR("order cancelled");
    }
    order_emit_stage(work, ORDER_STAGE_CANCELLED, reason);
}

void order_decide_cancel_order(struct order_work *work)
{
    struct oms_str reason = work->command->cancel.reason;

    if (order_field_required(work, "", "cancellationReason", reason, ORDER_LONG_TEXT))
        order_emit_cancelled(work, reason);
}

/* ---- markAsCompleted ---- */

bool order_ready_complete(struct order_work *work)
{
    const struct order *order = work->order;
    const struct workflow_conditions *conditions =
        workflow_conditions_of(work->context->workflow, ORDER_COMMAND_MARK_AS_COMPLETED);

    if (conditions->complete_requires_delivered && order->fulfillment != ORDER_FULFILLMENT_DELIVERED)
        refusal_add(work->refusals, REFUSAL_WRONG_STAGE, REFUSAL_NO_FIELD,
                    "The workflow completes an order when all is delivered, it is %s",
                    order_fulfillment_status_name(order->fulfillment));
    /* What an order's customer owes is for whoever may see payments. */
    if (order->paid < order->totals.final)
        refusal_add(work->refusals, REFUSAL_PAYMENT_OUTSTANDING, REFUSAL_NO_FIELD,
                    access_sees_payments(&work->on) ? "%s of %s are paid" : "The order is not paid in full",
                    order_money(work, order->paid).text, order_money(work, order->totals.final).text);
    return !ORDER_REFUSED(work);
}

void order_decide_complete(struct order_work *work)
{
    order_emit_stage(work, ORDER_STAGE_COMPLETED, OMS_STR_NONE);
}

/* ---- addNote ---- */

void order_decide_add_note(struct order_work *work)
{
    const struct order_note_input *in = &work->command->note;
    struct order_event *event;

    if (work->order->note_count >= OMS_ORDER_NOTES_MAX) {
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD, "An order has at most %d notes",
                    OMS_ORDER_NOTES_MAX);
        return;
    }
    if (!order_field_required(work, "", "note", in->text, ORDER_LONG_TEXT))
        return;
    event = order_emit(work, ORDER_EVENT_NOTE_ADDED);
    event->note = (struct order_note){
        .id = work->order->note_count + 1,
        /* What a customer writes is theirs to read. */
        .visible_to_customer = in->visible_to_customer || (work->on.customer && !work->on.full),
        .text = in->text,
        .author = order_actor_of(work->context->principal),
    };
}
