/*
 * The model's rules: who reaches an order, and what must come out of a command. Told from the domain's
 * description, in its precedence; what the workload never sends is not told.
 */
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "tests/sim/model_impl.h"

/* ---- who may ---- */

#define BIT(command) ORDER_COMMAND_BIT(ORDER_COMMAND_##command)

static bool role_may(enum sim_role role, enum order_command_type type)
{
    static const order_command_set customer = BIT(CREATE_ORDER) | BIT(ADD_LINE_ITEM) | BIT(REMOVE_LINE_ITEM) |
                                              BIT(CHANGE_QUANTITY) | BIT(CHANGE_DESTINATION) |
                                              BIT(PLACE_ORDER) | BIT(CANCEL_LINE_ITEMS) | BIT(CANCEL_ORDER) |
                                              BIT(REQUEST_RETURN) | BIT(CANCEL_RETURN) | BIT(ADD_NOTE);
    static const order_command_set vendor = BIT(ADD_SHIPMENT) | BIT(CONFIRM_SHIPMENT) |
                                            BIT(DISPATCH_SHIPMENT) | BIT(DELIVER_SHIPMENT) |
                                            BIT(CANCEL_SHIPMENT) | BIT(FAIL_SHIPMENT) | BIT(MARK_AS_SHIPPED) |
                                            BIT(ADD_SHIPPING_TRACKING_REFERENCE) | BIT(MARK_AS_COMPLETED) |
                                            BIT(CANCEL_ORDER) | BIT(CANCEL_LINE_ITEMS) | BIT(APPROVE_RETURN) |
                                            BIT(REJECT_RETURN) | BIT(RECEIVE_RETURN) | BIT(ADD_NOTE);
    if (role == SIM_STAFF)
        return true;
    return ((role == SIM_CUSTOMER ? customer : vendor) & ORDER_COMMAND_BIT(type)) != 0;
}

static bool all_lines(const struct model_state *s, unsigned vendor)
{
    for (unsigned i = 0; i < s->line_count; i++)
        if (s->lines[i].vendor != vendor)
            return false;
    return s->line_count > 0;
}

/* Whether this person knows of the order at all. */
bool model_reaches(const struct model_state *s, unsigned person)
{
    switch (sim_people[person].role) {
    case SIM_STAFF:
        return true;
    case SIM_CUSTOMER:
        return s->customer == person + 1;
    case SIM_VENDOR:
        for (unsigned i = 0; i < s->line_count; i++)
            if (s->lines[i].vendor == person)
                return true;
        return false;
    }
    OMS_UNREACHABLE();
}

unsigned model_line_place(const struct model_state *s, uint64_t id)
{
    unsigned i = 0;
    while (i < s->line_count && s->lines[i].id != id)
        i++;
    return i;
}

bool model_line_mine(const struct model_state *s, unsigned person, unsigned line)
{
    return sim_people[person].role != SIM_VENDOR || s->lines[line].vendor == person;
}

bool model_shipment_mine(const struct model_state *s, unsigned person, const struct model_shipment *shipment)
{
    for (unsigned i = 0; i < s->line_count; i++)
        if (shipment->units[i] && !model_line_mine(s, person, i))
            return false;
    return true;
}

/* ---- verdicts ---- */

static int keyed(const struct model_state *s, const struct sim_op *op)
{
    struct oms_hash128 print = sim_op_fingerprint(op);
    for (size_t i = 0; op->has_key && i < s->key_count; i++) {
        const struct model_key *key = &s->keys[i];
        if (key->person == op->person && key->key == op->key && key->type == op->type)
            return key->fingerprint.lo == print.lo && key->fingerprint.hi == print.hi
                       ? MODEL_REPLAYED
                       : REFUSAL_IDEMPOTENCY_MISMATCH;
    }
    return MODEL_ACCEPTED;
}

static int on_creation(const struct model_state *s, const struct sim_op *op, bool by_reference)
{
    struct oms_hash128 print = sim_op_fingerprint(op);
    enum sim_role role = sim_people[op->person].role;
    if (s->version == 0) {
        bool own = op->content.customer == 0 || op->content.customer == op->person + 1;
        return role == SIM_STAFF || (role == SIM_CUSTOMER && own) ? MODEL_ACCEPTED : REFUSAL_FORBIDDEN;
    }
    if (!model_reaches(s, op->person))
        return REFUSAL_NOT_FOUND;
    if (!role_may(role, op->type))
        return REFUSAL_FORBIDDEN;
    int key = keyed(s, op);
    if (key != MODEL_ACCEPTED)
        return key;
    if (s->content.lo == print.lo && s->content.hi == print.hi)
        return MODEL_EXISTS;
    return by_reference ? REFUSAL_CONFLICT : REFUSAL_IDEMPOTENCY_MISMATCH;
}

static bool stage_allows(enum order_stage stage, enum order_command_type type)
{
    bool live = stage <= ORDER_STAGE_SHIPPED;
    bool confirmed = stage == ORDER_STAGE_CONFIRMED, shipped = stage == ORDER_STAGE_SHIPPED;
    bool pending = stage == ORDER_STAGE_PENDING;
    switch (type) {
    case ORDER_COMMAND_ADD_LINE_ITEM:
    case ORDER_COMMAND_REMOVE_LINE_ITEM:
    case ORDER_COMMAND_CHANGE_QUANTITY:
        return stage == ORDER_STAGE_DRAFT || pending;
    case ORDER_COMMAND_CANCEL_LINE_ITEMS:
        return pending || confirmed;
    case ORDER_COMMAND_ESCALATE_REVIEWER:
    case ORDER_COMMAND_REVIEW_ORDER:
    case ORDER_COMMAND_COMPLETE_ACTIVITY:
    case ORDER_COMMAND_SKIP_ACTIVITY:
        return stage != ORDER_STAGE_CANCELLED;
    case ORDER_COMMAND_PLACE_ORDER:
        return stage == ORDER_STAGE_DRAFT;
    case ORDER_COMMAND_CONFIRM_ORDER:
        return stage == ORDER_STAGE_PENDING;
    case ORDER_COMMAND_CANCEL_ORDER:
        return stage == ORDER_STAGE_PENDING || confirmed;
    case ORDER_COMMAND_ADD_SHIPMENT:
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
        return confirmed || shipped;
    case ORDER_COMMAND_DELIVER_SHIPMENT:
    case ORDER_COMMAND_CANCEL_SHIPMENT:
    case ORDER_COMMAND_FAIL_SHIPMENT:
    case ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE:
    case ORDER_COMMAND_REQUEST_RETURN:
    case ORDER_COMMAND_APPROVE_RETURN:
    case ORDER_COMMAND_REJECT_RETURN:
    case ORDER_COMMAND_RECEIVE_RETURN:
    case ORDER_COMMAND_CANCEL_RETURN:
        return confirmed || shipped || stage == ORDER_STAGE_COMPLETED;
    case ORDER_COMMAND_MARK_AS_SHIPPED:
        return confirmed;
    case ORDER_COMMAND_MARK_AS_COMPLETED:
        return shipped;
    case ORDER_COMMAND_PROCESS_REFUND:
        return stage != ORDER_STAGE_DRAFT;
    case ORDER_COMMAND_CHANGE_DESTINATION:
    case ORDER_COMMAND_PLACE_HOLD:
    case ORDER_COMMAND_RELEASE_HOLD:
        return live;
    default:
        return true;
    }
}

bool model_held(const struct model_state *s, enum order_command_type type, int64_t now)
{
    for (size_t i = 0; i < s->hold_count; i++) {
        const struct model_hold *hold = &s->holds[i];
        order_command_set blocks = hold->blocks
                                       ? hold->blocks
                                       : BIT(PLACE_ORDER) | BIT(CONFIRM_ORDER) | BIT(DISPATCH_SHIPMENT) |
                                             BIT(MARK_AS_SHIPPED) | BIT(MARK_AS_COMPLETED);
        if ((!hold->expires_at || hold->expires_at > now) && (blocks & ORDER_COMMAND_BIT(type)))
            return true;
    }
    return false;
}

int64_t model_unallocated(const struct model_state *s, unsigned person)
{
    int64_t units = 0;
    for (unsigned i = 0; i < s->line_count; i++)
        if (model_line_mine(s, person, i))
            units += model_line_left(&s->lines[i]);
    return units;
}

static bool any_shipment(const struct model_state *s, unsigned person, enum order_shipment_status from,
                         enum order_shipment_status to)
{
    for (size_t i = 0; i < s->shipment_count; i++)
        if (s->shipments[i].status >= from && s->shipments[i].status <= to &&
            model_shipment_mine(s, person, &s->shipments[i]))
            return true;
    return false;
}

/* A command on the shipment of its number, which must be between two states. */
static int on_shipment(const struct model_state *s, const struct sim_op *op, enum order_shipment_status from,
                       enum order_shipment_status to)
{
    if (op->content.part > s->shipment_count ||
        !model_shipment_mine(s, op->person, &s->shipments[op->content.part - 1]))
        return REFUSAL_NOT_FOUND;
    const struct model_shipment *shipment = &s->shipments[op->content.part - 1];
    return shipment->status >= from && shipment->status <= to ? MODEL_ACCEPTED : REFUSAL_INVALID;
}

static int on_add_shipment(const struct model_state *s, const struct sim_op *op)
{
    uint64_t line = op->content.part;
    if (model_unallocated(s, op->person) == 0)
        return REFUSAL_QUANTITY_EXCEEDED;
    if (line == 0)
        return MODEL_ACCEPTED;
    unsigned at = model_line_place(s, line);
    if (at == s->line_count || !model_line_mine(s, op->person, at))
        return REFUSAL_NOT_FOUND;
    return op->content.quantity > model_line_left(&s->lines[at]) ? REFUSAL_QUANTITY_EXCEEDED : MODEL_ACCEPTED;
}

static int on_mark_shipped(const struct model_state *s, const struct sim_op *op)
{
    if (model_unallocated(s, op->person) ||
        any_shipment(s, op->person, ORDER_SHIPMENT_PENDING, ORDER_SHIPMENT_CONFIRMED))
        return MODEL_ACCEPTED;
    for (unsigned i = 0; i < s->line_count; i++)
        if (s->lines[i].shipped < s->lines[i].quantity - s->lines[i].cancelled)
            return REFUSAL_INVALID;
    return MODEL_ACCEPTED;
}

const struct model_payment *model_transaction(const struct model_state *s, uint64_t payment_id)
{
    for (size_t i = 0; payment_id && i < s->payment_count; i++)
        if (s->payments[i].payment_id == payment_id)
            return &s->payments[i];
    return NULL;
}

static int on_payment(const struct model_state *s, const struct sim_op *op)
{
    const struct model_payment *known = model_transaction(s, op->content.payment_id);
    bool settles =
        known && known->status == ORDER_PAYMENT_AUTHORIZED && op->content.status != ORDER_PAYMENT_AUTHORIZED;
    return known && !settles ? REFUSAL_DUPLICATE : MODEL_ACCEPTED;
}

/* ---- lines ---- */

static int on_line(const struct model_state *s, const struct sim_op *op)
{
    unsigned at = model_line_place(s, op->content.part);
    if (at == s->line_count || !model_line_mine(s, op->person, at))
        return REFUSAL_NOT_FOUND;
    if (op->type == ORDER_COMMAND_REMOVE_LINE_ITEM)
        return s->line_count == 1 ? REFUSAL_INVALID : MODEL_ACCEPTED;
    if (op->type == ORDER_COMMAND_CHANGE_QUANTITY)
        return op->content.quantity <= s->lines[at].cancelled ? REFUSAL_INVALID : MODEL_ACCEPTED;
    int64_t left = model_line_left(&s->lines[at]);
    return left == 0 || op->content.quantity > left ? REFUSAL_QUANTITY_EXCEEDED : MODEL_ACCEPTED;
}

static int on_cancel_lines(const struct model_state *s, const struct sim_op *op)
{
    return model_unallocated(s, op->person) ? on_line(s, op) : REFUSAL_QUANTITY_EXCEEDED;
}

static int on_destination(const struct model_state *s)
{
    for (size_t i = 0; i < s->shipment_count; i++)
        if (s->shipments[i].status >= ORDER_SHIPMENT_CONFIRMED &&
            s->shipments[i].status <= ORDER_SHIPMENT_DELIVERED)
            return REFUSAL_WRONG_STAGE;
    return MODEL_ACCEPTED;
}

/* ---- what a parcel meets ---- */

bool model_in_return(const struct model_state *s, const struct model_shipment *shipment)
{
    for (unsigned i = 0; i < s->line_count; i++)
        if (model_returnable(&s->lines[i]) < shipment->units[i])
            return true;
    return false;
}

bool model_scan_moves(const struct model_state *s, const struct model_shipment *shipment,
                      enum order_shipment_status to, int64_t at)
{
    enum order_shipment_status from = shipment->status;
    if (from > ORDER_SHIPMENT_DELIVERED)
        return false;
    if (to <= ORDER_SHIPMENT_DELIVERED) /* forwards, whenever it is told */
        return to > from;
    return at >= shipment->status_at && !(from >= ORDER_SHIPMENT_IN_TRANSIT && model_in_return(s, shipment));
}

static int on_fail(const struct model_state *s, const struct sim_op *op)
{
    int verdict = on_shipment(s, op, ORDER_SHIPMENT_IN_TRANSIT, ORDER_SHIPMENT_DELIVERED);
    if (verdict == MODEL_ACCEPTED && model_in_return(s, &s->shipments[op->content.part - 1]))
        return REFUSAL_CONFLICT;
    return verdict;
}

static int on_tracking(const struct model_state *s, const struct sim_op *op)
{
    if (s->stage != ORDER_STAGE_SHIPPED &&
        !any_shipment(s, op->person, ORDER_SHIPMENT_PENDING, ORDER_SHIPMENT_DELIVERED))
        return REFUSAL_WRONG_STAGE;
    return on_shipment(s, op, ORDER_SHIPMENT_PENDING, ORDER_SHIPMENT_DELIVERED);
}

static int on_release(const struct model_state *s, const struct sim_op *op)
{
    for (size_t i = 0; i < s->hold_count; i++)
        if (s->holds[i].id == op->content.part)
            return MODEL_ACCEPTED;
    return REFUSAL_NOT_FOUND;
}

/* What each command needs beyond stage and holds. */
static int on_input(const struct model_state *s, const struct sim_op *op, int64_t now)
{
    switch (op->type) {
    case ORDER_COMMAND_ADD_SHIPMENT:
        return on_add_shipment(s, op);
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
        return on_shipment(s, op, ORDER_SHIPMENT_PENDING, ORDER_SHIPMENT_PENDING);
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
    case ORDER_COMMAND_CANCEL_SHIPMENT:
        return on_shipment(s, op, ORDER_SHIPMENT_PENDING, ORDER_SHIPMENT_CONFIRMED);
    case ORDER_COMMAND_DELIVER_SHIPMENT:
        return on_shipment(s, op, ORDER_SHIPMENT_IN_TRANSIT, ORDER_SHIPMENT_IN_TRANSIT);
    case ORDER_COMMAND_MARK_AS_SHIPPED:
        return on_mark_shipped(s, op);
    case ORDER_COMMAND_MARK_AS_COMPLETED:
        return s->paid < s->final ? REFUSAL_PAYMENT_OUTSTANDING : MODEL_ACCEPTED;
    case ORDER_COMMAND_CANCEL_ORDER:
        return any_shipment(s, SIM_CLERK, ORDER_SHIPMENT_IN_TRANSIT, ORDER_SHIPMENT_DELIVERED)
                   ? REFUSAL_WRONG_STAGE
                   : MODEL_ACCEPTED;
    case ORDER_COMMAND_RECORD_PAYMENT:
        return on_payment(s, op);
    case ORDER_COMMAND_PROCESS_REFUND:
        return model_refund_verdict(s, op);
    case ORDER_COMMAND_FAIL_SHIPMENT:
        return on_fail(s, op);
    case ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE:
        return on_tracking(s, op);
    case ORDER_COMMAND_TRACK_SHIPMENT:
        return op->content.part > s->shipment_count ? REFUSAL_NOT_FOUND : MODEL_ACCEPTED;
    case ORDER_COMMAND_REMOVE_LINE_ITEM:
    case ORDER_COMMAND_CHANGE_QUANTITY:
        return on_line(s, op);
    case ORDER_COMMAND_CANCEL_LINE_ITEMS:
        return on_cancel_lines(s, op);
    case ORDER_COMMAND_CHANGE_DESTINATION:
        return on_destination(s);
    case ORDER_COMMAND_REQUEST_RETURN:
    case ORDER_COMMAND_APPROVE_RETURN:
    case ORDER_COMMAND_REJECT_RETURN:
    case ORDER_COMMAND_RECEIVE_RETURN:
    case ORDER_COMMAND_CANCEL_RETURN:
        return model_return_verdict(s, op);
    case ORDER_COMMAND_ESCALATE_REVIEWER:
    case ORDER_COMMAND_REVIEW_ORDER:
    case ORDER_COMMAND_COMPLETE_ACTIVITY:
    case ORDER_COMMAND_SKIP_ACTIVITY:
        return model_step_verdict(s, op);
    case ORDER_COMMAND_ERASE_CUSTOMER:
        if (s->erased && s->erased == s->version)
            return MODEL_NOTHING;
        return s->stage <= ORDER_STAGE_SHIPPED && !op->content.status ? REFUSAL_WRONG_STAGE : MODEL_ACCEPTED;
    case ORDER_COMMAND_RELEASE_HOLD:
        return on_release(s, op);
    case ORDER_COMMAND_PLACE_HOLD:
        if (op->content.at && op->content.at <= now)
            return REFUSAL_INVALID;
        return s->hold_count >= OMS_ORDER_HOLDS_ACTIVE_MAX ? REFUSAL_LIMIT_EXCEEDED : MODEL_ACCEPTED;
    default:
        return MODEL_ACCEPTED;
    }
}

int model_verdict(const struct model_state *s, const struct sim_op *op, bool by_reference, int64_t now)
{
    static const order_command_set whole =
        BIT(PLACE_ORDER) | BIT(CONFIRM_ORDER) | BIT(MARK_AS_COMPLETED) | BIT(CANCEL_ORDER);
    enum sim_role role = sim_people[op->person].role;
    if (op->type == ORDER_COMMAND_CREATE_ORDER)
        return on_creation(s, op, by_reference);
    if (op->type == ORDER_COMMAND_TRACK_SHIPMENT && s->version && op->person != SIM_CARRIER)
        return REFUSAL_FORBIDDEN; /* said to everybody: the command is not theirs, whatever the order */
    if (op->type == ORDER_COMMAND_ERASE_CUSTOMER && s->version && op->person != SIM_CLERK)
        return REFUSAL_FORBIDDEN; /* the same */
    if (s->version == 0 || !model_reaches(s, op->person))
        return REFUSAL_NOT_FOUND;
    if (!role_may(role, op->type))
        return REFUSAL_FORBIDDEN;
    if (role == SIM_VENDOR && (whole & ORDER_COMMAND_BIT(op->type)) && !all_lines(s, op->person))
        return REFUSAL_FORBIDDEN;
    int key = keyed(s, op);
    if (key != MODEL_ACCEPTED)
        return key;
    if (op->has_expected && op->expected != s->version)
        return REFUSAL_CONFLICT;
    if (!stage_allows(s->stage, op->type))
        return REFUSAL_WRONG_STAGE;
    if (model_held(s, op->type, now))
        return REFUSAL_ON_HOLD;
    int step = model_step_gate(s, op->type);
    if (step != MODEL_ACCEPTED)
        return step;
    return on_input(s, op, now);
}
