/* The model's fold: what each accepted entry does to an order, in plain arrays. */
#include "runtime/base/assert.h"
#include "tests/sim/model_impl.h"

/* A shipment's units leave one state's counts and enter another's. */
static void move(struct model_state *s, struct model_shipment *shipment, enum order_shipment_status to)
{
    enum order_shipment_status from = shipment->status;
    for (unsigned i = 0; i < s->line_count; i++) {
        int64_t units = shipment->units[i];
        s->lines[i].allocated += (to <= ORDER_SHIPMENT_DELIVERED ? units : 0) -
                                 (from && from <= ORDER_SHIPMENT_DELIVERED ? units : 0);
        s->lines[i].shipped +=
            (to == ORDER_SHIPMENT_IN_TRANSIT || to == ORDER_SHIPMENT_DELIVERED ? units : 0) -
            (from == ORDER_SHIPMENT_IN_TRANSIT || from == ORDER_SHIPMENT_DELIVERED ? units : 0);
        s->lines[i].delivered +=
            (to == ORDER_SHIPMENT_DELIVERED ? units : 0) - (from == ORDER_SHIPMENT_DELIVERED ? units : 0);
    }
    shipment->status = to;
}

static struct model_shipment *add_shipment(struct model_state *s)
{
    OMS_ASSERT(s->shipment_count < MODEL_PARTS_MAX);
    return &s->shipments[s->shipment_count++];
}

/* All that is in no shipment and this person's. */
static void take_rest(struct model_state *s, unsigned person, struct model_shipment *shipment)
{
    for (unsigned i = 0; i < s->line_count; i++)
        if (model_line_mine(s, person, i))
            shipment->units[i] = s->lines[i].quantity - s->lines[i].allocated;
}

static void apply_creation(struct model_state *s, const struct sim_op *op, int64_t time)
{
    struct sim_line lines[SIM_LINES_MAX];
    s->line_count = sim_variant_lines(op->content.variant, lines);
    for (unsigned i = 0; i < s->line_count; i++) {
        s->lines[i] = (struct model_line){lines[i].vendor, lines[i].quantity, lines[i].price, 0, 0, 0};
        s->final += lines[i].quantity * lines[i].price;
    }
    s->created_at = time;
    s->stage = sim_variant_stage(op->content.variant);
    s->customer = (unsigned)op->content.customer;
    if (!s->customer && sim_people[op->person].role == SIM_CUSTOMER)
        s->customer = op->person + 1;
    s->content = sim_op_fingerprint(op);
}

static void apply_add_shipment(struct model_state *s, const struct sim_op *op)
{
    struct model_shipment *shipment = add_shipment(s);
    if (op->content.part)
        shipment->units[op->content.part - 1] = op->content.quantity;
    else
        take_rest(s, op->person, shipment);
    move(s, shipment, ORDER_SHIPMENT_PENDING);
}

static void apply_mark_shipped(struct model_state *s, const struct sim_op *op)
{
    bool moved = false;
    for (size_t i = 0; i < s->shipment_count; i++) {
        struct model_shipment *shipment = &s->shipments[i];
        if (shipment->status > ORDER_SHIPMENT_CONFIRMED || !model_shipment_mine(s, op->person, shipment))
            continue;
        move(s, shipment, ORDER_SHIPMENT_IN_TRANSIT);
        moved = true;
    }
    if (model_unallocated(s, op->person)) {
        struct model_shipment *shipment = add_shipment(s);
        take_rest(s, op->person, shipment);
        move(s, shipment, ORDER_SHIPMENT_IN_TRANSIT);
        moved = true;
    }
    if (!moved)
        s->stage = ORDER_STAGE_SHIPPED;
}

static void apply_cancellation(struct model_state *s)
{
    for (size_t i = 0; i < s->shipment_count; i++)
        if (s->shipments[i].status <= ORDER_SHIPMENT_CONFIRMED)
            move(s, &s->shipments[i], ORDER_SHIPMENT_CANCELLED);
    s->stage = ORDER_STAGE_CANCELLED;
}

static void apply_payment(struct model_state *s, const struct sim_op *op)
{
    struct model_payment *entry = (struct model_payment *)model_transaction(s, op->content.payment_id);
    if (!entry) {
        OMS_ASSERT(s->payment_count < MODEL_PARTS_MAX);
        entry = &s->payments[s->payment_count++];
    }
    *entry = (struct model_payment){op->content.payment_id, op->content.status, op->content.amount};
    if (op->content.status == ORDER_PAYMENT_CAPTURED)
        s->paid += op->content.amount;
}

static void apply_refund(struct model_state *s, const struct sim_op *op)
{
    struct model_refund *refund;
    if (op->content.part) {
        refund = &s->refunds[op->content.part - 1];
        s->reserved -= refund->amount;
    } else {
        OMS_ASSERT(s->refund_count < MODEL_PARTS_MAX);
        refund = &s->refunds[s->refund_count++];
        refund->amount = op->content.amount;
    }
    refund->status = op->content.status;
    s->reserved += refund->status == ORDER_REFUND_PENDING ? refund->amount : 0;
    s->refunded += refund->status == ORDER_REFUND_SUCCEEDED ? refund->amount : 0;
}

static void drop_hold(struct model_state *s, uint64_t id)
{
    for (size_t i = 0; i < s->hold_count; i++)
        if (s->holds[i].id == id) {
            memmove(&s->holds[i], &s->holds[i + 1], (s->hold_count - i - 1) * sizeof(s->holds[0]));
            s->hold_count--;
            return;
        }
    OMS_UNREACHABLE();
}

static void apply_hold(struct model_state *s, const struct sim_op *op)
{
    OMS_ASSERT(s->hold_count < MODEL_PARTS_MAX);
    s->holds[s->hold_count++] =
        (struct model_hold){s->hold_next++, op->content.at, op->content.blocks, op->content.mark};
}

static void apply_input(struct model_state *s, const struct sim_op *op, int64_t time)
{
    switch (op->type) {
    case ORDER_COMMAND_CREATE_ORDER:
        apply_creation(s, op, time);
        break;
    case ORDER_COMMAND_PLACE_ORDER:
        s->stage = ORDER_STAGE_PENDING;
        break;
    case ORDER_COMMAND_CONFIRM_ORDER:
        s->stage = ORDER_STAGE_CONFIRMED;
        break;
    case ORDER_COMMAND_CANCEL_ORDER:
        apply_cancellation(s);
        break;
    case ORDER_COMMAND_MARK_AS_COMPLETED:
        s->stage = ORDER_STAGE_COMPLETED;
        break;
    case ORDER_COMMAND_ADD_SHIPMENT:
        apply_add_shipment(s, op);
        break;
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
        move(s, &s->shipments[op->content.part - 1], ORDER_SHIPMENT_CONFIRMED);
        break;
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
        move(s, &s->shipments[op->content.part - 1], ORDER_SHIPMENT_IN_TRANSIT);
        break;
    case ORDER_COMMAND_DELIVER_SHIPMENT:
        move(s, &s->shipments[op->content.part - 1], ORDER_SHIPMENT_DELIVERED);
        break;
    case ORDER_COMMAND_CANCEL_SHIPMENT:
        move(s, &s->shipments[op->content.part - 1], ORDER_SHIPMENT_CANCELLED);
        break;
    case ORDER_COMMAND_MARK_AS_SHIPPED:
        apply_mark_shipped(s, op);
        break;
    case ORDER_COMMAND_RECORD_PAYMENT:
        apply_payment(s, op);
        break;
    case ORDER_COMMAND_PROCESS_REFUND:
        apply_refund(s, op);
        break;
    case ORDER_COMMAND_PLACE_HOLD:
        apply_hold(s, op);
        break;
    case ORDER_COMMAND_RELEASE_HOLD:
        drop_hold(s, op->content.part);
        break;
    case ORDER_COMMAND_ADD_NOTE:
        OMS_ASSERT(s->note_count < MODEL_PARTS_MAX);
        s->notes[s->note_count++] = op->content.mark;
        break;
    default:
        OMS_UNREACHABLE();
    }
}

/* The stage follows the goods: all has left, and nothing holds it back. */
static void advance(struct model_state *s, int64_t time)
{
    for (unsigned i = 0; i < s->line_count; i++)
        if (s->lines[i].shipped < s->lines[i].quantity)
            return;
    if (s->stage == ORDER_STAGE_CONFIRMED && !model_held(s, ORDER_COMMAND_MARK_AS_SHIPPED, time))
        s->stage = ORDER_STAGE_SHIPPED;
}

static void apply(struct model_state *s, const struct model_entry *entry)
{
    const struct sim_op *op = &entry->op;
    if (entry->expired)
        drop_hold(s, entry->expired);
    else
        apply_input(s, op, entry->time);
    /* A hold placed now keeps the stage where it is, whatever it blocks. */
    if (entry->expired || (op->type != ORDER_COMMAND_CREATE_ORDER && op->type != ORDER_COMMAND_PLACE_HOLD))
        advance(s, entry->time);
    if (s->stage >= ORDER_STAGE_COMPLETED)
        s->hold_count = 0;
    if (!entry->expired && op->has_key) {
        OMS_ASSERT(s->key_count < MODEL_PARTS_MAX);
        s->keys[s->key_count++] = (struct model_key){op->person, op->key, op->type, sim_op_fingerprint(op)};
    }
    s->modified_at = entry->time;
    s->version++;
}

void model_add_entry(struct model_order *order, const struct model_entry *entry)
{
    OMS_ASSERT(order->tip.version < MODEL_PARTS_MAX);
    order->entries[order->tip.version] = *entry;
    apply(&order->tip, entry);
}

void model_fold(const struct model_order *order, uint64_t version, struct model_state *out)
{
    memset(out, 0, sizeof(*out));
    out->hold_next = 1;
    for (uint64_t i = 0; i < version; i++)
        apply(out, &order->entries[i]);
}
