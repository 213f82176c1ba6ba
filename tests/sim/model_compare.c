/* The model's comparison with a production order, part by part; the first difference is the failure. */
#include <inttypes.h>

#include "tests/sim/model_impl.h"

struct comparison {
    struct model *model;
    const char *where;
    unsigned tenant, slot;
    uint64_t version;
};

static void same(const struct comparison *c, const char *what, int64_t model, int64_t order)
{
    if (model != order)
        model_fail(c->model,
                   "%s: order %u/%u version %" PRIu64 ": %s is %" PRId64 ", the model says %" PRId64,
                   c->where, c->tenant, c->slot, c->version, what, order, model);
}

/* A text "… 17" says 17. */
static void same_mark(const struct comparison *c, const char *what, uint64_t mark, struct oms_str text)
{
    uint64_t found = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] >= '0' && text.data[i] <= '9')
            found = found * 10 + (uint64_t)(text.data[i] - '0');
    same(c, what, (int64_t)mark, (int64_t)found);
}

enum order_payment_status model_payment_status(const struct model_state *s)
{
    if (s->refunded)
        return s->refunded >= s->paid ? ORDER_PAYMENT_STATUS_REFUNDED
                                      : ORDER_PAYMENT_STATUS_PARTIALLY_REFUNDED;
    if (s->stage == ORDER_STAGE_CANCELLED && !s->paid)
        return ORDER_PAYMENT_STATUS_CANCELLED;
    if (s->paid >= s->final)
        return ORDER_PAYMENT_STATUS_PAID;
    return s->paid ? ORDER_PAYMENT_STATUS_PARTIALLY_PAID : ORDER_PAYMENT_STATUS_PENDING;
}

static void compare_lines(const struct comparison *c, const struct model_state *s, const struct order *order)
{
    same(c, "the number of lines", s->line_count, (int64_t)order->line_count);
    for (size_t i = 0; i < order->line_count && i < s->line_count; i++) {
        struct oms_str vendor = oms_str_of(sim_people[s->lines[i].vendor].subject);
        same(c, "a line's number", s->lines[i].id, order->lines[i].id);
        same(c, "a line's vendor", 1, oms_str_eq(vendor, order->lines[i].vendor.id));
        same(c, "a line's cancelled units", s->lines[i].cancelled, order->lines[i].cancelled);
        same(c, "a line's units in open returns", s->lines[i].return_open, order->lines[i].return_open);
        same(c, "a line's returned units", s->lines[i].returned, order->lines[i].returned);
        same(c, "a line's quantity", s->lines[i].quantity, order->lines[i].quantity);
        same(c, "a line's allocated units", s->lines[i].allocated, order->lines[i].allocated);
        same(c, "a line's shipped units", s->lines[i].shipped, order->lines[i].shipped);
        same(c, "a line's delivered units", s->lines[i].delivered, order->lines[i].delivered);
    }
}

static void compare_holds(const struct comparison *c, const struct model_state *s, const struct order *order)
{
    same(c, "the number of holds", (int64_t)s->hold_count, (int64_t)order->hold_count);
    same(c, "the next hold", s->hold_next, order->hold_next);
    for (size_t i = 0; i < order->hold_count && i < s->hold_count; i++) {
        same(c, "a hold's number", s->holds[i].id, order->holds[i].id);
        same(c, "a hold's expiry", s->holds[i].expires_at, order->holds[i].expires_at);
        same(c, "what a hold blocks", (int64_t)s->holds[i].blocks, (int64_t)order->holds[i].blocks);
        same_mark(c, "a hold's reason", s->holds[i].mark, order->holds[i].reason);
    }
}

static void compare_shipments(const struct comparison *c, const struct model_state *s,
                              const struct order *order)
{
    same(c, "the number of shipments", (int64_t)s->shipment_count, (int64_t)order->shipment_count);
    for (size_t i = 0; i < order->shipment_count && i < s->shipment_count; i++) {
        const struct order_shipment *shipment = &order->shipments[i];
        int64_t units = 0, wanted = 0;
        for (unsigned line = 0; line < s->line_count; line++)
            wanted += s->shipments[i].units[line];
        for (size_t item = 0; item < shipment->item_count; item++)
            units += shipment->items[item].quantity;
        same(c, "a shipment's status", s->shipments[i].status, shipment->status);
        same(c, "a shipment's units", wanted, units);
        same(c, "when a shipment's status was", s->shipments[i].status_at, shipment->status_at);
        same(c, "when a shipment left", s->shipments[i].dispatched_at, shipment->dispatched_at);
        same_mark(c, "a shipment's reference", s->shipments[i].tracking, shipment->tracking_reference);
    }
}

static void compare_returns(const struct comparison *c, const struct model_state *s,
                            const struct order *order)
{
    same(c, "the number of returns", (int64_t)s->return_count, (int64_t)order->return_count);
    for (size_t i = 0; i < order->return_count && i < s->return_count; i++) {
        const struct order_return *ret = &order->returns[i];
        int64_t units = 0, wanted = 0;
        for (unsigned line = 0; line < s->line_count; line++)
            wanted += s->returns[i].units[line];
        for (size_t item = 0; item < ret->item_count; item++)
            units += ret->items[item].quantity;
        same(c, "a return's status", s->returns[i].status, ret->status);
        same(c, "a return's units", wanted, units);
        same(c, "a return's value", s->returns[i].value, ret->value);
        same(c, "what a return got back", s->returns[i].refunded, ret->refunded);
    }
}

static void compare_steps(const struct comparison *c, const struct model_state *s, const struct order *order)
{
    unsigned count, reviews = 0;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    same(c, "the number of steps", count, (int64_t)order->activity_count);
    for (size_t i = 0; i < count && i < order->activity_count; i++) {
        const struct order_activity *activity = &order->activities[i];
        same(c, "a step's name", 1, oms_str_eq_c(activity->step_name, steps[i].name));
        same(c, "a step's outcome", s->outcomes[i], activity->outcome);
        same(c, "a step's deadline", s->due_at[i], activity->due_at);
        same(c, "what a hold leaves of a deadline", s->due_left[i], activity->due_left_ms);
        if (oms_str_present(activity->reviewer)) {
            reviews++;
            same(c, "the right reviewer", 1,
                 s->reviewer && oms_str_eq_c(activity->reviewer, sim_people[s->reviewer - 1].subject));
        }
    }
    same(c, "the number of reviews", s->reviewer != 0, reviews);
}

static void compare_money(const struct comparison *c, const struct model_state *s, const struct order *order)
{
    same(c, "finalAmount", s->final, order->totals.final);
    same(c, "what is paid", s->paid, order->paid);
    same(c, "what is refunded", s->refunded, order->refunded);
    same(c, "what is reserved", s->reserved, order->refund_reserved);
    same(c, "refundDue", model_refund_due(s), order->refund_due);
    same(c, "paymentStatus", model_payment_status(s), order->payment);
    same(c, "the number of payments", (int64_t)s->payment_count, (int64_t)order->payment_count);
    for (size_t i = 0; i < order->payment_count && i < s->payment_count; i++) {
        same(c, "a payment's status", (int64_t)s->payments[i].status, order->payments[i].status);
        same(c, "a payment's amount", s->payments[i].amount, order->payments[i].amount);
        same_mark(c, "a payment's transaction", s->payments[i].payment_id, order->payments[i].transaction_id);
    }
    same(c, "the number of refunds", (int64_t)s->refund_count, (int64_t)order->refund_count);
    for (size_t i = 0; i < order->refund_count && i < s->refund_count; i++) {
        same(c, "a refund's status", (int64_t)s->refunds[i].status, order->refunds[i].status);
        same(c, "a refund's amount", s->refunds[i].amount, order->refunds[i].amount);
        same(c, "a refund's return", (int64_t)s->refunds[i].of, order->refunds[i].return_id);
    }
}

static void compare_rest(const struct comparison *c, const struct model_state *s, const struct order *order)
{
    same_mark(c, "the destination", s->destination, order->destination.street);
    same(c, "createdAt", s->created_at, order->created_at);
    same(c, "modifiedAt", s->modified_at, order->modified_at);
    same(c, "the number of notes", (int64_t)s->note_count, order->note_count);
    for (size_t i = 0; i < order->notes_held && i < s->note_count; i++) {
        const struct order_note *note = &order->notes[i];
        same(c, "a note's number", (int64_t)(order->note_count - order->notes_held + i + 1), note->id);
        if (note->id && note->id <= s->note_count)
            same_mark(c, "a note", s->notes[note->id - 1], note->text);
    }
    same(c, "the number of idempotency keys", (int64_t)s->key_count, (int64_t)order->key_count);
    for (size_t i = 0; i < order->key_count && i < s->key_count; i++)
        same(c, "a key's fingerprint", (int64_t)s->keys[i].fingerprint.lo,
             (int64_t)order->keys[i].fingerprint.lo);
    struct oms_str customer = s->customer ? oms_str_of(sim_people[s->customer - 1].subject) : OMS_STR_NONE;
    same(c, "the right customer", 1, oms_str_eq(customer, order_customer_id(order)));
    same(c, "the number of erased notes", (int64_t)s->notes_erased, order->notes_erased);
    same(c, "whether the customer was erased", s->erased != 0, order->erased_at != 0);
    if (s->erased == s->version && s->erased)
        same(c, "what is left of the street", 1,
             !order->has_destination || !oms_str_present(order->destination.street) ||
                 oms_str_eq(order->destination.street, ORDER_ERASED));
}

void model_compare_state(struct model *model, unsigned tenant, unsigned slot, const struct model_state *s,
                         const struct order *order, const char *where)
{
    struct comparison c = {model, where, tenant, slot, s->version};
    same(&c, "the version", (int64_t)s->version, (int64_t)order->version);
    same(&c, "the stage", s->stage, order->stage);
    compare_lines(&c, s, order);
    compare_holds(&c, s, order);
    compare_shipments(&c, s, order);
    compare_returns(&c, s, order);
    compare_steps(&c, s, order);
    compare_money(&c, s, order);
    compare_rest(&c, s, order);
}

void model_compare(struct model *model, unsigned tenant, unsigned slot, const struct order *order,
                   const char *where)
{
    model_compare_state(model, tenant, slot, &model->orders[tenant][slot].tip, order, where);
}
