/*
 * Reviews, the tenant's own activities, and their deadlines.
 *
 * A review is a step named review_order (or any step that a caller escalates by name). escalateReviewer
 * assigns who must decide, again and again until it is decided; escalating a REJECTED one asks for a new
 * review, so that a rejection with onReject: hold is no dead end.
 */
#include "actors/order_internal.h"
#include "actors/workflow.h"
#include "runtime/base/limits.h"

#define NO_STEP SIZE_MAX

static struct oms_str filled(struct oms_str value)
{
    return value.len ? value : OMS_STR_NONE;
}

static bool in_stage(const struct order_work *work, size_t index)
{
    return work->activities[index].stage == work->stage;
}

/* A step that does not apply to the order waits for nobody. */
static bool waiting(struct order_work *work, size_t index)
{
    return in_stage(work, index) && work->outcomes[index] == ORDER_OUTCOME_WAITING &&
           order_steps_applies(work, index);
}

static enum order_command_type command_of(const struct order_work *work, size_t index)
{
    const struct workflow_step *step = order_step_of(work, &work->activities[index]);

    return step ? step->command : ORDER_COMMAND_NONE;
}

/* ---- reviews ---- */

/*
 * The step under review: by name, else the stage's review_order step, else one that was escalated. `again`
 * takes a rejected one too.
 */
static size_t review_step(struct order_work *work, struct oms_str name, bool again)
{
    size_t escalated = NO_STEP;

    for (size_t i = 0; i < work->activity_count; i++) {
        if (!waiting(work, i) && !(again && in_stage(work, i) && work->outcomes[i] == ORDER_OUTCOME_REJECTED))
            continue;
        if (name.len ? oms_str_eq(work->activities[i].step_name, name)
                     : command_of(work, i) == ORDER_COMMAND_REVIEW_ORDER)
            return i;
        if (!name.len && work->activities[i].reviewer.len && escalated == NO_STEP)
            escalated = i;
    }
    return escalated;
}

static size_t escalation_step(struct order_work *work)
{
    for (size_t i = 0; i < work->activity_count; i++)
        if (waiting(work, i) && command_of(work, i) == ORDER_COMMAND_ESCALATE_REVIEWER)
            return i;
    return NO_STEP;
}

static struct oms_str asked_name(const struct order_work *work)
{
    return work->command ? work->command->step.step_name : OMS_STR_NONE;
}

static bool any_waiting(struct order_work *work)
{
    for (size_t i = 0; i < work->activity_count; i++)
        if (waiting(work, i))
            return true;
    return false;
}

bool order_ready_escalate(struct order_work *work)
{
    struct oms_str name = asked_name(work);

    if (review_step(work, name, true) != NO_STEP || (!name.len && escalation_step(work) != NO_STEP))
        return true;
    return refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP,
                       name.len ? REFUSAL_FIELD("stepName") : REFUSAL_NO_FIELD,
                       "No review is pending in stage %s", order_stage_name(work->stage));
}

bool order_ready_review(struct order_work *work)
{
    struct oms_str name = asked_name(work);
    size_t index = review_step(work, name, false);

    if (index == NO_STEP)
        return refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP,
                           name.len ? REFUSAL_FIELD("stepName") : REFUSAL_NO_FIELD,
                           "No review is pending in stage %s", order_stage_name(work->stage));
    if (work->internal)
        return true;
    if (!work->activities[index].reviewer.len)
        return refusal_add(work->refusals, REFUSAL_NOT_ASSIGNED_REVIEWER, REFUSAL_NO_FIELD,
                           "Nobody is assigned to step %.*s: escalate it to a reviewer first",
                           OMS_STR_ARG(work->activities[index].step_name));
    if (!oms_str_eq(work->activities[index].reviewer, work->context->principal->subject))
        return refusal_add(work->refusals, REFUSAL_NOT_ASSIGNED_REVIEWER, REFUSAL_NO_FIELD,
                           "Step %.*s is assigned to another reviewer",
                           OMS_STR_ARG(work->activities[index].step_name));
    return true;
}

static void emit_reset(struct order_work *work, size_t from)
{
    order_emit(work, ORDER_EVENT_STEPS_RESET)->steps_reset.activity = (uint32_t)from;
    for (size_t i = from; i < work->activity_count && in_stage(work, i); i++) {
        work->outcomes[i] = ORDER_OUTCOME_WAITING;
        work->started[i] = false;
        work->applies[i] = 0; /* asked again when its turn comes */
    }
}

void order_decide_escalate(struct order_work *work)
{
    const struct order_step_input *in = &work->command->step;
    size_t own = escalation_step(work), target = review_step(work, in->step_name, true);
    struct order_event *event;

    order_field_required(work, "", "reviewer", in->reviewer, ORDER_ID_TEXT);
    order_field_text(work, "", "comments", in->comments, ORDER_LONG_TEXT);
    if (ORDER_REFUSED(work))
        return;
    if (in->step_name.len)
        own = NO_STEP;
    if (own != NO_STEP) { /* the escalation is a step of its own and has its place in the sequence */
        if (order_steps_perform(work, work->activities[own].step_name, REFUSAL_NO_FIELD) == NO_STEP)
            return;
        if (target == NO_STEP)
            target = own;
    } else if (!order_steps_in_order(work, target, REFUSAL_NO_FIELD)) {
        return;
    }
    work->outcomes[target] = ORDER_OUTCOME_WAITING; /* a rejected one is open again */
    event = order_emit(work, ORDER_EVENT_REVIEWER_ASSIGNED);
    event->reviewer = (struct order_reviewer_assigned){(uint32_t)target, in->reviewer, filled(in->comments)};
    if (own != NO_STEP)
        order_steps_finish(work, own, ORDER_OUTCOME_DONE, OMS_STR_NONE, OMS_STR_NONE);
}

/* The first step of the stage that `retry` may reset: never one of a stage that the order has left. */
static size_t retry_from(const struct order_work *work, size_t rejected, uint32_t step)
{
    size_t from = rejected;

    for (size_t i = rejected + 1; i-- > 0 && in_stage(work, i);)
        if (work->activities[i].step >= step)
            from = i;
    return from;
}

static void after_rejection(struct order_work *work, size_t index)
{
    const struct workflow_step *step = order_step_of(work, &work->activities[index]);
    enum workflow_on_reject what = step ? step->on_reject : WORKFLOW_REJECT_HOLD;

    if (what == WORKFLOW_REJECT_RETRY) {
        emit_reset(work, retry_from(work, index, step->retry_step));
        return;
    }
    if (what == WORKFLOW_REJECT_CANCEL && order_may_cancel(work)) {
        order_emit_cancelled(work, work->command->step.comments.len ? work->command->step.comments
                                                                    : OMS_STR("rejected by review"));
        return;
    }
    /* Holds of the default, also where a cancellation has become impossible. */
    if (work->order->hold_count < OMS_ORDER_HOLDS_ACTIVE_MAX && order_live(work->order))
        order_emit_hold(work, OMS_STR("rejected by review"), 0, 0);
}

void order_decide_review(struct order_work *work)
{
    const struct order_step_input *in = &work->command->step;
    size_t index = review_step(work, in->step_name, false);

    order_field_text(work, "", "comments", in->comments, ORDER_LONG_TEXT);
    if (!in->has_is_approved)
        refusal_add(work->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("isApproved"), "isApproved is required");
    if (ORDER_REFUSED(work) ||
        order_steps_perform(work, work->activities[index].step_name, REFUSAL_NO_FIELD) == NO_STEP)
        return;
    order_steps_finish(work, index, in->is_approved ? ORDER_OUTCOME_APPROVED : ORDER_OUTCOME_REJECTED,
                       filled(in->comments), OMS_STR_NONE);
    if (!in->is_approved)
        after_rejection(work, index);
}

/* ---- the tenant's own steps ---- */

bool order_ready_activity(struct order_work *work)
{
    for (size_t i = 0; i < work->activity_count; i++)
        if (waiting(work, i) && command_of(work, i) == ORDER_COMMAND_NONE)
            return true;
    return refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP, REFUSAL_NO_FIELD,
                       "No step of the tenant's own is waiting in stage %s", order_stage_name(work->stage));
}

bool order_ready_skip(struct order_work *work)
{
    for (size_t i = 0; i < work->activity_count; i++)
        if (waiting(work, i) && work->activities[i].optional)
            return true;
    return refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP, REFUSAL_NO_FIELD,
                       any_waiting(work) ? "Every waiting step of stage %s is required"
                                         : "No step is waiting in stage %s",
                       order_stage_name(work->stage));
}

void order_decide_complete_activity(struct order_work *work)
{
    const struct order_step_input *in = &work->command->step;
    size_t index;

    order_field_text(work, "", "comments", in->comments, ORDER_LONG_TEXT);
    order_field_json(work, "", "userInput", in->user_input, OMS_TEXT_BYTES_MAX);
    if (!order_field_required(work, "", "stepName", in->step_name, ORDER_NAME_TEXT) || ORDER_REFUSED(work))
        return;
    index = order_steps_perform(work, in->step_name, REFUSAL_FIELD("stepName"));
    if (index == NO_STEP)
        return;
    if (command_of(work, index) != ORDER_COMMAND_NONE) {
        refusal_add(work->refusals, REFUSAL_INVALID, REFUSAL_FIELD("stepName"),
                    "Step %.*s is completed by %s", OMS_STR_ARG(in->step_name),
                    order_command_info(command_of(work, index))->mutation);
        return;
    }
    order_steps_finish(work, index, ORDER_OUTCOME_DONE, filled(in->comments), filled(in->user_input));
}

void order_decide_skip_activity(struct order_work *work)
{
    const struct order_step_input *in = &work->command->step;
    size_t index;

    order_field_text(work, "", "comments", in->comments, ORDER_LONG_TEXT);
    if (!order_field_required(work, "", "stepName", in->step_name, ORDER_NAME_TEXT) || ORDER_REFUSED(work))
        return;
    for (index = 0; index < work->activity_count; index++)
        if (waiting(work, index) && oms_str_eq(work->activities[index].step_name, in->step_name))
            break;
    if (index == work->activity_count) {
        refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP, REFUSAL_FIELD("stepName"),
                    "No step of this name is waiting in stage %s", order_stage_name(work->stage));
        return;
    }
    if (!work->activities[index].optional) {
        refusal_add(work->refusals, REFUSAL_STEP_PENDING, REFUSAL_FIELD("stepName"),
                    "Step %.*s is required and cannot be skipped", OMS_STR_ARG(in->step_name));
        return;
    }
    order_steps_finish(work, index, ORDER_OUTCOME_SKIPPED, filled(in->comments), OMS_STR_NONE);
}

/* ---- deadlines ---- */

void order_decide_step_due(struct order_work *work)
{
    size_t index = (size_t)work->command->step.activity - 1; /* 0 wraps to beyond any count */
    const struct workflow_step *step;

    if (index >= work->activity_count || !waiting(work, index) || !work->activities[index].due_at ||
        work->activities[index].due_at > work->now) {
        work->out->kind = ORDER_DECISION_NOTHING;
        return;
    }
    step = order_step_of(work, &work->activities[index]);
    order_emit(work, ORDER_EVENT_STEP_OVERDUE)->step_overdue =
        (struct order_step_overdue){(uint32_t)index, step ? (uint32_t)step->on_due + 1 : 0};
    switch (step ? step->on_due : WORKFLOW_DUE_NOTIFY) {
    case WORKFLOW_DUE_SKIP:
        order_steps_finish(work, index, ORDER_OUTCOME_SKIPPED, OMS_STR("not done in time"), OMS_STR_NONE);
        break;
    case WORKFLOW_DUE_CANCEL:
        if (order_may_cancel(work))
            order_emit_cancelled(work, OMS_STR("a step was not done in time"));
        break;
    case WORKFLOW_DUE_ESCALATE:
        if (step->escalate_to.len)
            order_emit(work, ORDER_EVENT_REVIEWER_ASSIGNED)->reviewer = (struct order_reviewer_assigned){
                (uint32_t)index, step->escalate_to, OMS_STR("not done in time")};
        break;
    case WORKFLOW_DUE_NOTIFY:
        break; /* the event itself tells; who is told is for its receivers */
    }
}
