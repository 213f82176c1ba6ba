/* The model's returns and refunds: what may come back, what it was worth, and what is given for it. */
#include "runtime/base/assert.h"
#include "tests/sim/model_impl.h"

int64_t model_returnable(const struct model_line *line)
{
    return line->shipped - line->return_open - line->returned;
}

/* ---- verdicts ---- */

static int on_request(const struct model_state *s, const struct sim_op *op)
{
    bool any = false;
    unsigned at = model_line_place(s, op->content.part);
    for (unsigned i = 0; i < s->line_count; i++)
        any = any || model_returnable(&s->lines[i]) > 0;
    if (!any)
        return REFUSAL_NOT_RETURNABLE;
    if (!op->content.part)
        return MODEL_ACCEPTED;
    if (at == s->line_count)
        return REFUSAL_NOT_FOUND;
    int64_t most = model_returnable(&s->lines[at]);
    int64_t asked = op->content.quantity < 0 ? most : op->content.quantity;
    if (asked > 0 && asked <= most)
        return MODEL_ACCEPTED;
    return s->lines[at].shipped == 0 ? REFUSAL_NOT_RETURNABLE : REFUSAL_QUANTITY_EXCEEDED;
}

static bool return_mine(const struct model_state *s, unsigned person, const struct model_return *ret)
{
    for (unsigned i = 0; i < s->line_count; i++)
        if (ret->units[i] && !model_line_mine(s, person, i))
            return false;
    return true;
}

/* Only some of one line came, nothing of the others. */
static int on_received(const struct model_state *s, const struct sim_op *op, const struct model_return *ret)
{
    unsigned at = model_line_place(s, op->content.of);
    if (!op->content.of)
        return MODEL_ACCEPTED;
    if (at == s->line_count || !model_line_mine(s, op->person, at) || !ret->units[at])
        return REFUSAL_NOT_FOUND;
    return op->content.quantity > ret->units[at] ? REFUSAL_QUANTITY_EXCEEDED : MODEL_ACCEPTED;
}

int model_return_verdict(const struct model_state *s, const struct sim_op *op)
{
    if (op->type == ORDER_COMMAND_REQUEST_RETURN)
        return on_request(s, op);
    if (op->content.part > s->return_count || !return_mine(s, op->person, &s->returns[op->content.part - 1]))
        return REFUSAL_NOT_FOUND;
    const struct model_return *ret = &s->returns[op->content.part - 1];
    bool requested = ret->status == ORDER_RETURN_REQUESTED, approved = ret->status == ORDER_RETURN_APPROVED;
    switch (op->type) {
    case ORDER_COMMAND_RECEIVE_RETURN:
        return approved ? on_received(s, op, ret) : REFUSAL_INVALID;
    case ORDER_COMMAND_CANCEL_RETURN:
        return requested || approved ? MODEL_ACCEPTED : REFUSAL_INVALID;
    default:
        return requested ? MODEL_ACCEPTED : REFUSAL_INVALID;
    }
}

/* A new refund: of a return (all that is left of it, or an amount), or of an amount. */
static int on_new_refund(const struct model_state *s, const struct sim_op *op, int64_t left)
{
    int64_t amount = op->content.amount;
    if (op->content.of) {
        if (op->content.of > s->return_count)
            return REFUSAL_NOT_FOUND;
        const struct model_return *ret = &s->returns[op->content.of - 1];
        bool came = ret->status == ORDER_RETURN_RECEIVED || ret->status == ORDER_RETURN_CLOSED;
        if (!came)
            return REFUSAL_INVALID;
        if (ret->status == ORDER_RETURN_CLOSED || ret->value <= ret->refunded ||
            amount > ret->value - ret->refunded)
            return REFUSAL_REFUND_EXCEEDED;
        amount = amount ? amount : ret->value - ret->refunded;
    }
    return amount > left ? REFUSAL_REFUND_EXCEEDED : MODEL_ACCEPTED;
}

int model_refund_verdict(const struct model_state *s, const struct sim_op *op)
{
    int64_t left = s->paid - s->refunded - s->reserved;
    bool pending = false;
    for (size_t i = 0; i < s->refund_count; i++)
        pending = pending || s->refunds[i].status == ORDER_REFUND_PENDING;
    if (left <= 0 && !pending)
        return REFUSAL_REFUND_EXCEEDED;
    if (!op->content.part)
        return on_new_refund(s, op, left);
    if (op->content.part > s->refund_count)
        return REFUSAL_NOT_FOUND;
    return s->refunds[op->content.part - 1].status == ORDER_REFUND_PENDING ? MODEL_ACCEPTED
                                                                           : REFUSAL_CONFLICT;
}

/* ---- what they do ---- */

static void apply_request(struct model_state *s, const struct sim_op *op)
{
    OMS_ASSERT(s->return_count < MODEL_PARTS_MAX);
    struct model_return *ret = &s->returns[s->return_count++];
    unsigned at = model_line_place(s, op->content.part);
    ret->status = ORDER_RETURN_REQUESTED;
    for (unsigned i = 0; i < s->line_count; i++) {
        int64_t units = model_returnable(&s->lines[i]);
        if (op->content.part && i != at)
            continue;
        if (op->content.part && op->content.quantity > 0)
            units = op->content.quantity;
        ret->units[i] = (int32_t)units;
        s->lines[i].return_open += units;
    }
}

static void close_lines(struct model_state *s, const struct model_return *ret)
{
    for (unsigned i = 0; i < s->line_count; i++)
        s->lines[i].return_open -= ret->units[i];
}

static void apply_received(struct model_state *s, const struct sim_op *op, struct model_return *ret)
{
    unsigned at = model_line_place(s, op->content.of);
    close_lines(s, ret);
    for (unsigned i = 0; i < s->line_count; i++) {
        int64_t came = !op->content.of ? ret->units[i] : i == at ? op->content.quantity : 0;
        s->lines[i].returned += came;
        ret->value += came * s->lines[i].price;
    }
    ret->status = ret->value ? ORDER_RETURN_RECEIVED : ORDER_RETURN_CLOSED;
}

void model_return_apply(struct model_state *s, const struct sim_op *op)
{
    if (op->type == ORDER_COMMAND_REQUEST_RETURN) {
        apply_request(s, op);
        return;
    }
    struct model_return *ret = &s->returns[op->content.part - 1];
    if (op->type == ORDER_COMMAND_APPROVE_RETURN) {
        ret->status = ORDER_RETURN_APPROVED;
    } else if (op->type == ORDER_COMMAND_RECEIVE_RETURN) {
        apply_received(s, op, ret);
    } else {
        close_lines(s, ret);
        ret->status =
            op->type == ORDER_COMMAND_REJECT_RETURN ? ORDER_RETURN_REJECTED : ORDER_RETURN_CANCELLED;
    }
}

/* Adds (or takes away) what a refund counts for in its status. */
static void count(struct model_state *s, const struct model_refund *refund, int sign)
{
    s->reserved += refund->status == ORDER_REFUND_PENDING ? sign * refund->amount : 0;
    s->refunded += refund->status == ORDER_REFUND_SUCCEEDED ? sign * refund->amount : 0;
    if (refund->of && refund->status != ORDER_REFUND_FAILED)
        s->returns[refund->of - 1].refunded += sign * refund->amount;
}

/* All of it is given back, by refunds that have succeeded. */
static void close_return(struct model_state *s, uint64_t of)
{
    int64_t given = 0;
    for (size_t i = 0; i < s->refund_count; i++)
        if (s->refunds[i].of == of && s->refunds[i].status == ORDER_REFUND_SUCCEEDED)
            given += s->refunds[i].amount;
    if (s->returns[of - 1].status == ORDER_RETURN_RECEIVED && given >= s->returns[of - 1].value)
        s->returns[of - 1].status = ORDER_RETURN_CLOSED;
}

void model_refund_apply(struct model_state *s, const struct sim_op *op)
{
    struct model_refund *refund;
    if (op->content.part) {
        refund = &s->refunds[op->content.part - 1];
        count(s, refund, -1);
    } else {
        OMS_ASSERT(s->refund_count < MODEL_PARTS_MAX);
        refund = &s->refunds[s->refund_count++];
        refund->of = op->content.of;
        refund->amount = op->content.amount;
        if (refund->of && !refund->amount)
            refund->amount = s->returns[refund->of - 1].value - s->returns[refund->of - 1].refunded;
    }
    refund->status = op->content.status;
    count(s, refund, 1);
    if (refund->of && refund->status == ORDER_REFUND_SUCCEEDED)
        close_return(s, refund->of);
}

int64_t model_refund_due(const struct model_state *s)
{
    int64_t kept = s->stage == ORDER_STAGE_CANCELLED ? 0 : s->final;
    for (size_t i = 0; i < s->return_count && s->stage != ORDER_STAGE_CANCELLED; i++)
        kept -= s->returns[i].value;
    int64_t due = s->paid - s->refunded - s->reserved - (kept > 0 ? kept : 0);
    return due > 0 ? due : 0;
}
