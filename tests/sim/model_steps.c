/*
 * The model's steps: what a tenant's workflow asks of an order, told for the two workflows of sim_steps only.
 * Conditions ask for the number of lines only, which no command changes any more when they are asked.
 * No step of theirs is named as a command that a stage is entered by, or that runs beside it, which leaves:
 * gates, the leaving of a stage, reviews, and the tenant's own steps.
 */
#include "tests/sim/model_impl.h"

#define NO_STEP SIM_STEPS_MAX

static enum order_command_type leaving(enum order_stage stage)
{
    switch (stage) {
    case ORDER_STAGE_DRAFT:
        return ORDER_COMMAND_PLACE_ORDER;
    case ORDER_STAGE_PENDING:
        return ORDER_COMMAND_CONFIRM_ORDER;
    case ORDER_STAGE_CONFIRMED:
        return ORDER_COMMAND_MARK_AS_SHIPPED;
    case ORDER_STAGE_SHIPPED:
        return ORDER_COMMAND_MARK_AS_COMPLETED;
    default:
        return ORDER_COMMAND_NONE;
    }
}

static bool applies(const struct model_state *s, const struct sim_step *step)
{
    return s->line_count >= step->lines_at_least;
}

/* Whether the order may not leave its stage for this step. */
static bool owes(const struct model_state *s, const struct sim_step *step, unsigned i)
{
    return step->stage == s->stage && !step->optional && applies(s, step) &&
           (s->outcomes[i] == ORDER_OUTCOME_WAITING || s->outcomes[i] == ORDER_OUTCOME_REJECTED);
}

/* A required step stands before this one; the one that leaves the stage never does. */
static bool out_of_order(const struct model_state *s, unsigned index)
{
    unsigned count;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    for (unsigned i = 0; i < index; i++)
        if (owes(s, &steps[i], i) && steps[i].command != leaving(s->stage))
            return true;
    return false;
}

/* The waiting step of the stage that is this command, NO_STEP without one. */
static unsigned own_step(const struct model_state *s, enum order_command_type type)
{
    unsigned count;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    for (unsigned i = 0; i < count; i++)
        if (steps[i].stage == s->stage && steps[i].command == type && s->outcomes[i] == ORDER_OUTCOME_WAITING)
            return i;
    return NO_STEP;
}

bool model_gate_open(const struct model_state *s)
{
    unsigned count;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    for (unsigned i = 0; i < count; i++)
        if (owes(s, &steps[i], i) && steps[i].command != leaving(s->stage))
            return false;
    return true;
}

int model_step_gate(const struct model_state *s, enum order_command_type type)
{
    bool leaves = type == leaving(s->stage);
    unsigned own = own_step(s, type);
    if (!leaves && !(type == ORDER_COMMAND_DISPATCH_SHIPMENT && s->stage == ORDER_STAGE_CONFIRMED))
        return MODEL_ACCEPTED;
    if (leaves && own != NO_STEP && out_of_order(s, own))
        return REFUSAL_UNEXPECTED_STEP;
    return model_gate_open(s) ? MODEL_ACCEPTED : REFUSAL_STEP_PENDING;
}

/* The review of the stage, if it waits; or, asked again, if it was rejected. */
static unsigned review_step(const struct model_state *s, bool again)
{
    unsigned count;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    for (unsigned i = 0; i < count; i++)
        if (steps[i].stage == s->stage && steps[i].command == ORDER_COMMAND_REVIEW_ORDER &&
            (s->outcomes[i] == ORDER_OUTCOME_WAITING || (again && s->outcomes[i] == ORDER_OUTCOME_REJECTED)))
            return i;
    return NO_STEP;
}

static int on_review(const struct model_state *s, const struct sim_op *op)
{
    unsigned index = review_step(s, false);
    if (index == NO_STEP)
        return REFUSAL_UNEXPECTED_STEP;
    if (s->reviewer != op->person + 1)
        return REFUSAL_NOT_ASSIGNED_REVIEWER;
    return out_of_order(s, index) ? REFUSAL_UNEXPECTED_STEP : MODEL_ACCEPTED;
}

/* Any step of the stage waits that is the tenant's own (or optional). */
static bool any_waiting(const struct model_state *s, bool optional)
{
    unsigned count;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    for (unsigned i = 0; i < count; i++)
        if (steps[i].stage == s->stage && s->outcomes[i] == ORDER_OUTCOME_WAITING && applies(s, &steps[i]) &&
            (optional ? steps[i].optional : steps[i].command == ORDER_COMMAND_NONE))
            return true;
    return false;
}

static int on_own_step(const struct model_state *s, const struct sim_op *op)
{
    bool skips = op->type == ORDER_COMMAND_SKIP_ACTIVITY;
    unsigned count, index = (unsigned)op->content.part;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    if (!any_waiting(s, skips))
        return REFUSAL_UNEXPECTED_STEP;
    if (index >= count)
        return skips ? REFUSAL_UNEXPECTED_STEP : REFUSAL_NOT_FOUND;
    if (s->outcomes[index] != ORDER_OUTCOME_WAITING || steps[index].stage != s->stage ||
        !applies(s, &steps[index]))
        return REFUSAL_UNEXPECTED_STEP;
    if (skips)
        return steps[index].optional ? MODEL_ACCEPTED : REFUSAL_STEP_PENDING;
    if (out_of_order(s, index))
        return REFUSAL_UNEXPECTED_STEP;
    return steps[index].command ? REFUSAL_INVALID : MODEL_ACCEPTED;
}

int model_step_verdict(const struct model_state *s, const struct sim_op *op)
{
    switch (op->type) {
    case ORDER_COMMAND_ESCALATE_REVIEWER:
        return review_step(s, true) == NO_STEP ? REFUSAL_UNEXPECTED_STEP : MODEL_ACCEPTED;
    case ORDER_COMMAND_REVIEW_ORDER:
        return on_review(s, op);
    default:
        return on_own_step(s, op);
    }
}

/* ---- what they do ---- */

void model_steps_create(struct model_state *s)
{
    unsigned count;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    for (unsigned i = 0; i < count; i++)
        s->outcomes[i] = steps[i].stage < s->stage ? ORDER_OUTCOME_NOT_APPLICABLE : ORDER_OUTCOME_WAITING;
}

void model_set_stage(struct model_state *s, enum order_stage to)
{
    unsigned count;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    for (unsigned i = 0; i < count; i++) {
        if (s->outcomes[i] != ORDER_OUTCOME_WAITING)
            continue;
        if (to == ORDER_STAGE_CANCELLED)
            s->outcomes[i] = ORDER_OUTCOME_NOT_APPLICABLE;
        else if (steps[i].stage == s->stage)
            s->outcomes[i] = !applies(s, &steps[i])                  ? ORDER_OUTCOME_NOT_APPLICABLE
                             : steps[i].command == leaving(s->stage) ? ORDER_OUTCOME_DONE
                                                                     : ORDER_OUTCOME_SKIPPED;
    }
    s->stage = to;
}

/* Optional steps that are passed by are skipped. */
static void perform(struct model_state *s, unsigned index, enum order_outcome outcome)
{
    unsigned count;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    for (unsigned i = 0; i < index; i++) {
        if (steps[i].stage != s->stage || s->outcomes[i] != ORDER_OUTCOME_WAITING)
            continue;
        if (!applies(s, &steps[i]))
            s->outcomes[i] = ORDER_OUTCOME_NOT_APPLICABLE;
        else if (steps[i].optional)
            s->outcomes[i] = ORDER_OUTCOME_SKIPPED;
    }
    s->outcomes[index] = outcome;
}

/* Steps that do not apply are passed, and the first that does begins. */
static void begin_next(struct model_state *s, int64_t time)
{
    unsigned count;
    const struct sim_step *steps = sim_steps(s->tenant, &count);
    for (unsigned i = 0; i < count; i++) {
        if (steps[i].stage != s->stage || s->outcomes[i] != ORDER_OUTCOME_WAITING)
            continue;
        if (!applies(s, &steps[i])) {
            s->outcomes[i] = ORDER_OUTCOME_NOT_APPLICABLE;
            continue;
        }
        if (!s->started[i] && steps[i].due_in_ms)
            *(s->hold_count ? &s->due_left[i] : &s->due_at[i]) =
                s->hold_count ? steps[i].due_in_ms : time + steps[i].due_in_ms;
        s->started[i] = true;
        return;
    }
}

void model_steps_settle(struct model_state *s, size_t holds, int64_t time)
{
    for (unsigned i = 0; i < SIM_STEPS_MAX; i++) {
        if (s->outcomes[i] != ORDER_OUTCOME_WAITING)
            s->due_at[i] = s->due_left[i] = 0;
        if (!holds && s->hold_count && s->due_at[i]) {
            s->due_left[i] = s->due_at[i] > time ? s->due_at[i] - time : 1;
            s->due_at[i] = 0;
        } else if (holds && !s->hold_count && s->due_left[i]) {
            s->due_at[i] = time + s->due_left[i];
            s->due_left[i] = 0;
        }
    }
    begin_next(s, time);
}

bool model_step_apply(struct model_state *s, const struct sim_op *op)
{
    unsigned index;
    switch (op->type) {
    case ORDER_COMMAND_ESCALATE_REVIEWER:
        s->outcomes[review_step(s, true)] = ORDER_OUTCOME_WAITING;
        s->reviewer = (unsigned)op->content.part + 1;
        return false;
    case ORDER_COMMAND_REVIEW_ORDER:
        index = review_step(s, false);
        perform(s, index, op->content.status ? ORDER_OUTCOME_APPROVED : ORDER_OUTCOME_REJECTED);
        return !op->content.status;
    case ORDER_COMMAND_SKIP_ACTIVITY:
        s->outcomes[op->content.part] = ORDER_OUTCOME_SKIPPED;
        return false;
    default:
        perform(s, (unsigned)op->content.part, ORDER_OUTCOME_DONE);
        return false;
    }
}
