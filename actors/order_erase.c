/*
 * Erasing a customer from one order: the command, and what its event does to the state.
 *
 * The event says only that it happened. Applying it turns every personal text that is there into
 * ORDER_ERASED, which is also what a sealed text without its key reads as (order_pack.h): so an order that
 * was folded before its keys were destroyed and one that is folded after end as the same state. Whatever is
 * personal in order_pack_tables.c and order_event_codec.c is cleared here; test_order_erase walks both.
 */
#include "actors/order_fold.h"

/* ---- the command ---- */

void order_decide_erase(struct order_work *work)
{
    const struct order *order = work->order;

    int64_t since = work->command->erase.since_ms;

    if (order->erased_event &&
        (order->erased_event == order->event_count || (since && order->erased_at >= since))) {
        work->out->kind = ORDER_DECISION_NOTHING;
        return;
    }
    if (order_live(order) && !work->command->erase.force) {
        refusal_add(work->refusals, REFUSAL_WRONG_STAGE, REFUSAL_NO_FIELD,
                    "The order is %s: its customer's data is still needed. Complete or cancel it first",
                    order_stage_name(order->stage));
        return;
    }
    order_emit(work, ORDER_EVENT_CUSTOMER_ERASED)->erased = (struct order_erased){
        .notes = order->note_count - order->notes_erased,
    };
}

/* ---- the event ---- */

static void erase(struct order *order, struct oms_str *text)
{
    if (!oms_str_present(*text))
        return;
    order->garbage += text->len;
    *text = ORDER_ERASED;
}

static void erase_json(struct order *order, struct oms_str *text)
{
    if (!oms_str_present(*text))
        return;
    order->garbage += text->len;
    *text = ORDER_ERASED_JSON;
}

static void erase_address(struct order *order, struct order_address *address)
{
    erase(order, &address->recipient);
    erase(order, &address->street);
    erase(order, &address->line2);
    erase(order, &address->city);
    erase(order, &address->state);
    erase(order, &address->postal);
    erase(order, &address->phone);
}

/* Who is the order's customer is nobody's name any more. */
static void erase_actor(struct order *order, struct oms_str customer, struct order_actor *actor)
{
    if (!oms_str_present(customer) || !oms_str_eq(actor->subject, customer))
        return;
    erase(order, &actor->subject);
    erase(order, &actor->display_name);
}

static void erase_hold(struct order *order, struct oms_str customer, struct order_hold *hold)
{
    erase(order, &hold->reason);
    erase(order, &hold->release_reason);
    erase_actor(order, customer, &hold->owner);
    erase_actor(order, customer, &hold->released_by);
}

static void erase_parts(struct order *order, struct oms_str customer)
{
    for (size_t i = 0; i < order->line_count; i++)
        erase_json(order, &order->lines[i].options);
    for (size_t i = 0; i < order->payment_count; i++)
        erase_actor(order, customer, &order->payments[i].actor);
    for (size_t i = 0; i < order->shipment_count; i++) {
        erase_address(order, &order->shipments[i].address);
        erase(order, &order->shipments[i].label_url);
        erase(order, &order->shipments[i].reason);
    }
    for (size_t i = 0; i < order->return_count; i++) {
        erase(order, &order->returns[i].reason);
        erase(order, &order->returns[i].comments);
        erase(order, &order->returns[i].decision_note);
        erase_actor(order, customer, &order->returns[i].requested_by);
    }
    for (size_t i = 0; i < order->refund_count; i++) {
        erase(order, &order->refunds[i].reason);
        erase_actor(order, customer, &order->refunds[i].actor);
    }
}

static void erase_steps(struct order *order, struct oms_str customer)
{
    /* An order's activities are its own, though the view shows them const. */
    struct order_activity *activities = order->activities;

    for (size_t i = 0; i < order->activity_count; i++) {
        erase(order, &activities[i].comments);
        erase_json(order, &activities[i].user_input);
        erase_actor(order, customer, &activities[i].actor);
    }
    for (size_t i = 0; i < order->hold_count; i++)
        erase_hold(order, customer, &order->holds[i]);
    for (size_t i = 0; i < order->released_hold_count; i++)
        erase_hold(order, customer, &order->released_holds[i]);
}

void order_apply_erased(struct order *order, const struct order_event *event,
                        const struct order_event_meta *meta)
{
    struct oms_str customer = order->customer.customer_id;

    (void)event;
    erase_actor(order, customer, &order->created_by);
    erase_parts(order, customer);
    erase_steps(order, customer);
    erase(order, &order->cancellation_reason);
    erase_address(order, &order->destination);
    erase_address(order, &order->billing);
    erase(order, &order->customer.customer_id);
    erase(order, &order->customer.name);
    erase(order, &order->customer.first_name);
    erase(order, &order->customer.last_name);
    erase(order, &order->customer.email);
    erase(order, &order->customer.phone);
    /* Notes are nothing but text: what is left of them stands in their events. */
    order->notes_held = 0;
    order->notes_erased = order->note_count;
    order->erased_at = meta->time;
    order->erased_event = meta->sequence;
}
