/* The model's fold: what each accepted entry does to an order, in plain arrays. */
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
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
            shipment->units[i] = (int32_t)model_line_left(&s->lines[i]);
}

/* No discounts, taxes or shipping: the final amount is the price of what is not cancelled. */
static void sum(struct model_state *s)
{
    s->final = 0;
    for (unsigned i = 0; i < s->line_count; i++)
        s->final += (s->lines[i].quantity - s->lines[i].cancelled) * s->lines[i].price;
}

static void apply_creation(struct model_state *s, const struct sim_op *op, int64_t time)
{
    struct sim_line lines[SIM_LINES_MAX];
    s->line_count = sim_variant_lines(op->content.variant, lines);
    for (unsigned i = 0; i < s->line_count; i++) {
        s->lines[i] = (struct model_line){.id = s->line_next++,
                                          .vendor = lines[i].vendor,
                                          .quantity = lines[i].quantity,
                                          .price = lines[i].price};
    }
    sum(s);
    s->created_at = time;
    s->stage = sim_variant_stage(op->content.variant);
    s->customer = (unsigned)op->content.customer;
    if (!s->customer && sim_people[op->person].role == SIM_CUSTOMER)
        s->customer = op->person + 1;
    s->content = sim_op_fingerprint(op);
    model_steps_create(s);
}

/* ---- lines ---- */

static void apply_line(struct model_state *s, const struct sim_op *op)
{
    unsigned at = model_line_place(s, op->content.part);
    if (op->type == ORDER_COMMAND_ADD_LINE_ITEM) {
        OMS_ASSERT(s->line_count < MODEL_LINES_MAX);
        s->lines[s->line_count++] = (struct model_line){.id = s->line_next++,
                                                        .vendor = (unsigned)op->content.part,
                                                        .quantity = op->content.quantity,
                                                        .price = op->content.amount};
    } else if (op->type == ORDER_COMMAND_REMOVE_LINE_ITEM) {
        memmove(&s->lines[at], &s->lines[at + 1], (s->line_count - at - 1) * sizeof(s->lines[0]));
        s->line_count--;
    } else {
        s->lines[at].quantity = op->content.quantity;
    }
    sum(s);
}

static void apply_cancel_lines(struct model_state *s, const struct sim_op *op)
{
    struct model_line *line = &s->lines[model_line_place(s, op->content.part)];
    int64_t left = 0;
    line->cancelled += op->content.quantity < 0 ? model_line_left(line) : op->content.quantity;
    sum(s);
    for (unsigned i = 0; i < s->line_count; i++)
        left += s->lines[i].quantity - s->lines[i].cancelled;
    if (left == 0)
        model_set_stage(s, ORDER_STAGE_CANCELLED);
}

/* ---- parcels ---- */

/* A fact of this instant; `at` is when it happened. */
static void happen(struct model_state *s, struct model_shipment *shipment, enum order_shipment_status to,
                   int64_t at)
{
    move(s, shipment, to);
    if (to == ORDER_SHIPMENT_IN_TRANSIT || (to == ORDER_SHIPMENT_DELIVERED && !shipment->dispatched_at))
        shipment->dispatched_at = at;
    if (at > shipment->status_at)
        shipment->status_at = at;
}

static void apply_to_shipment(struct model_state *s, const struct sim_op *op, int64_t time)
{
    struct model_shipment *shipment = &s->shipments[op->content.part - 1];
    switch (op->type) {
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
        happen(s, shipment, ORDER_SHIPMENT_CONFIRMED, time);
        break;
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
        happen(s, shipment, ORDER_SHIPMENT_IN_TRANSIT, time);
        break;
    case ORDER_COMMAND_DELIVER_SHIPMENT:
        happen(s, shipment, ORDER_SHIPMENT_DELIVERED,
               time > shipment->dispatched_at ? time : shipment->dispatched_at);
        break;
    case ORDER_COMMAND_CANCEL_SHIPMENT:
        happen(s, shipment, ORDER_SHIPMENT_CANCELLED, time);
        break;
    case ORDER_COMMAND_FAIL_SHIPMENT:
        happen(s, shipment, (enum order_shipment_status)op->content.status, time);
        break;
    default:
        shipment->tracking = op->content.mark;
        break;
    }
}

static void apply_scan(struct model_state *s, const struct sim_op *op, int64_t time)
{
    struct model_shipment *shipment = &s->shipments[op->content.part - 1];
    enum order_shipment_status to = (enum order_shipment_status)op->content.status;
    int64_t at = op->content.at ? op->content.at : time;
    if (model_scan_moves(s, shipment, to, at))
        happen(s, shipment, to, at);
    else if (at > shipment->status_at)
        shipment->status_at = at;
}

static void apply_add_shipment(struct model_state *s, const struct sim_op *op)
{
    struct model_shipment *shipment = add_shipment(s);
    if (op->content.part)
        shipment->units[model_line_place(s, op->content.part)] = (int32_t)op->content.quantity;
    else
        take_rest(s, op->person, shipment);
    move(s, shipment, ORDER_SHIPMENT_PENDING);
}

static void apply_mark_shipped(struct model_state *s, const struct sim_op *op, int64_t time)
{
    bool moved = false;
    for (size_t i = 0; i < s->shipment_count; i++) {
        struct model_shipment *shipment = &s->shipments[i];
        if (shipment->status > ORDER_SHIPMENT_CONFIRMED || !model_shipment_mine(s, op->person, shipment))
            continue;
        happen(s, shipment, ORDER_SHIPMENT_IN_TRANSIT, time);
        moved = true;
    }
    if (model_unallocated(s, op->person)) {
        struct model_shipment *shipment = add_shipment(s);
        take_rest(s, op->person, shipment);
        happen(s, shipment, ORDER_SHIPMENT_IN_TRANSIT, time);
        moved = true;
    }
    if (!moved)
        model_set_stage(s, ORDER_STAGE_SHIPPED);
}

static void apply_cancellation(struct model_state *s, int64_t time)
{
    for (size_t i = 0; i < s->shipment_count; i++)
        if (s->shipments[i].status <= ORDER_SHIPMENT_CONFIRMED)
            happen(s, &s->shipments[i], ORDER_SHIPMENT_CANCELLED, time);
    model_set_stage(s, ORDER_STAGE_CANCELLED);
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

static void apply_step(struct model_state *s, const struct sim_op *op)
{
    if (!model_step_apply(s, op))
        return;
    if (s->hold_count < OMS_ORDER_HOLDS_ACTIVE_MAX) /* rejected: held until somebody looks */
        s->holds[s->hold_count++] = (struct model_hold){.id = s->hold_next++};
}

/* Texts are gone; a mark that is not there reads as 0. */
static void apply_erasure(struct model_state *s)
{
    s->erased = s->version + 1;
    s->customer = 0;
    s->destination = 0;
    s->notes_erased = s->note_count;
    for (size_t i = 0; i < s->hold_count; i++)
        s->holds[i].mark = 0;
}

static void apply_input(struct model_state *s, const struct sim_op *op, int64_t time)
{
    switch (op->type) {
    case ORDER_COMMAND_CREATE_ORDER:
        apply_creation(s, op, time);
        break;
    case ORDER_COMMAND_PLACE_ORDER:
        model_set_stage(s, ORDER_STAGE_PENDING);
        break;
    case ORDER_COMMAND_CONFIRM_ORDER:
        model_set_stage(s, ORDER_STAGE_CONFIRMED);
        break;
    case ORDER_COMMAND_CANCEL_ORDER:
        apply_cancellation(s, time);
        break;
    case ORDER_COMMAND_MARK_AS_COMPLETED:
        model_set_stage(s, ORDER_STAGE_COMPLETED);
        break;
    case ORDER_COMMAND_ADD_SHIPMENT:
        apply_add_shipment(s, op);
        break;
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
    case ORDER_COMMAND_DELIVER_SHIPMENT:
    case ORDER_COMMAND_CANCEL_SHIPMENT:
    case ORDER_COMMAND_FAIL_SHIPMENT:
    case ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE:
        apply_to_shipment(s, op, time);
        break;
    case ORDER_COMMAND_TRACK_SHIPMENT:
        apply_scan(s, op, time);
        break;
    case ORDER_COMMAND_ADD_LINE_ITEM:
    case ORDER_COMMAND_REMOVE_LINE_ITEM:
    case ORDER_COMMAND_CHANGE_QUANTITY:
        apply_line(s, op);
        break;
    case ORDER_COMMAND_CANCEL_LINE_ITEMS:
        apply_cancel_lines(s, op);
        break;
    case ORDER_COMMAND_CHANGE_DESTINATION:
        s->destination = op->content.mark;
        break;
    case ORDER_COMMAND_REQUEST_RETURN:
    case ORDER_COMMAND_APPROVE_RETURN:
    case ORDER_COMMAND_REJECT_RETURN:
    case ORDER_COMMAND_RECEIVE_RETURN:
    case ORDER_COMMAND_CANCEL_RETURN:
        model_return_apply(s, op);
        break;
    case ORDER_COMMAND_ESCALATE_REVIEWER:
    case ORDER_COMMAND_REVIEW_ORDER:
    case ORDER_COMMAND_COMPLETE_ACTIVITY:
    case ORDER_COMMAND_SKIP_ACTIVITY:
        apply_step(s, op);
        break;
    case ORDER_COMMAND_MARK_AS_SHIPPED:
        apply_mark_shipped(s, op, time);
        break;
    case ORDER_COMMAND_RECORD_PAYMENT:
        apply_payment(s, op);
        break;
    case ORDER_COMMAND_PROCESS_REFUND:
        model_refund_apply(s, op);
        break;
    case ORDER_COMMAND_PLACE_HOLD:
        apply_hold(s, op);
        break;
    case ORDER_COMMAND_RELEASE_HOLD:
        drop_hold(s, op->content.part);
        break;
    case ORDER_COMMAND_ERASE_CUSTOMER:
        apply_erasure(s);
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
    int64_t active = 0, shipped = 0;
    for (unsigned i = 0; i < s->line_count; i++) {
        active += s->lines[i].quantity - s->lines[i].cancelled;
        shipped += s->lines[i].shipped;
    }
    if (s->stage == ORDER_STAGE_CONFIRMED && active && shipped == active && model_gate_open(s) &&
        !model_held(s, ORDER_COMMAND_MARK_AS_SHIPPED, time))
        model_set_stage(s, ORDER_STAGE_SHIPPED);
}

static void apply(struct model_state *s, const struct model_entry *entry)
{
    const struct sim_op *op = &entry->op;
    size_t holds = s->hold_count;
    if (entry->expired)
        drop_hold(s, entry->expired);
    else if (entry->due)
        s->outcomes[entry->due - 1] = ORDER_OUTCOME_SKIPPED;
    else
        apply_input(s, op, entry->time);
    /* A hold placed now keeps the stage where it is, whatever it blocks. */
    bool placed = s->hold_count > holds;
    bool timer = entry->expired || entry->due;
    if (timer || (!placed && op->type != ORDER_COMMAND_CREATE_ORDER))
        advance(s, entry->time);
    if (s->stage >= ORDER_STAGE_COMPLETED)
        s->hold_count = 0;
    model_steps_settle(s, holds, entry->time);
    if (!timer && op->has_key) {
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
    unsigned tenant = order->tip.tenant;
    memset(out, 0, sizeof(*out));
    out->hold_next = out->line_next = 1;
    out->tenant = tenant;
    for (uint64_t i = 0; i < version; i++)
        apply(out, &order->entries[i]);
}
