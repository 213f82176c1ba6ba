/*
 * The tenant's steps beside an order's stages: gates before a command, and what a command finishes, skips and
 * starts.
 *
 * Rules (domain section 5): steps of a stage run in sequence; performing one skips the waiting optional ones
 * before it and is refused while a required one before it waits; a stage is left only when its required steps
 * are done. A step that names a command is finished by that command and never blocks it; the step of the
 * command that leaves the stage also never blocks a later step of the stage, since the two would wait for
 * each other. Payments, holds, notes and cancelOrder need no step and finish theirs whatever waits before it.
 * SKIPPED satisfies a required step only by its own deadline (onDue: skip); REJECTED never does.
 *
 * `when` is asked once, when its step would become current: of the order as it is for steps that a command
 * passes by, of the order as the command leaves it for the step that comes after. A step that does not apply
 * is in nobody's way.
 */
#include "actors/order_codec.h"
#include "actors/order_internal.h"
#include "actors/workflow.h"
#include "runtime/base/assert.h"

#define NO_STEP SIZE_MAX

#define COMMANDS_WITHOUT_STEPS                                                                               \
    (ORDER_COMMAND_BIT(ORDER_COMMAND_CREATE_ORDER) | ORDER_COMMAND_BIT(ORDER_COMMAND_RECORD_PAYMENT) |       \
     ORDER_COMMAND_BIT(ORDER_COMMAND_CANCEL_ORDER) | ORDER_COMMAND_BIT(ORDER_COMMAND_PLACE_HOLD) |           \
     ORDER_COMMAND_BIT(ORDER_COMMAND_RELEASE_HOLD) | ORDER_COMMAND_BIT(ORDER_COMMAND_ADD_NOTE) |             \
     ORDER_COMMAND_BIT(ORDER_COMMAND_EXPIRE_HOLD) | ORDER_COMMAND_BIT(ORDER_COMMAND_STEP_DUE) |              \
     ORDER_COMMAND_BIT(ORDER_COMMAND_TRACK_SHIPMENT) | ORDER_COMMAND_BIT(ORDER_COMMAND_MIGRATE_WORKFLOW) |   \
     ORDER_COMMAND_BIT(ORDER_COMMAND_ERASE_CUSTOMER))
/* These choose their step by name, or have rules of their own. */
#define COMMANDS_ON_STEPS                                                                                    \
    (ORDER_COMMAND_BIT(ORDER_COMMAND_ESCALATE_REVIEWER) | ORDER_COMMAND_BIT(ORDER_COMMAND_REVIEW_ORDER) |    \
     ORDER_COMMAND_BIT(ORDER_COMMAND_COMPLETE_ACTIVITY) | ORDER_COMMAND_BIT(ORDER_COMMAND_SKIP_ACTIVITY))
#define COMMANDS_LEAVING                                                                                     \
    (ORDER_COMMAND_BIT(ORDER_COMMAND_PLACE_ORDER) | ORDER_COMMAND_BIT(ORDER_COMMAND_CONFIRM_ORDER) |         \
     ORDER_COMMAND_BIT(ORDER_COMMAND_MARK_AS_SHIPPED) | ORDER_COMMAND_BIT(ORDER_COMMAND_MARK_AS_COMPLETED))

static bool in_set(order_command_set set, enum order_command_type type)
{
    return (set & ORDER_COMMAND_BIT(type)) != 0;
}

const struct workflow_step *order_step_of(const struct order_work *work,
                                          const struct order_activity *activity)
{
    const struct workflow *workflow = work->context->workflow;

    if (!workflow || activity->step >= workflow->step_count)
        return NULL;
    return &workflow->steps[activity->step];
}

static enum order_command_type command_of(const struct order_work *work, size_t index)
{
    const struct workflow_step *step = order_step_of(work, &work->activities[index]);

    return step ? step->command : ORDER_COMMAND_NONE;
}

static bool waiting(const struct order_work *work, size_t index)
{
    return work->outcomes[index] == ORDER_OUTCOME_WAITING;
}

/* ---- when ---- */

/* The order with the events that are decided so far: a copy, made only for workflows that ask. */
static const struct order *preview(struct order_work *work)
{
    const struct order_decision *out = work->out;
    size_t count = work->events_are_in && out ? out->event_count : 0;
    struct order_event_meta meta;
    struct oms_buf bytes;

    if (count == 0)
        return work->order;
    if (work->preview && work->preview_events == count)
        return work->preview;
    order_destroy(work->preview);
    work->preview = order_create();
    work->preview_events = count;
    if (work->order->version) {
        oms_buf_init(&bytes, ORDER_ARENA_MAX);
        order_freeze(work->order, &bytes);
        OMS_ASSERT(!bytes.overflow && order_thaw(oms_buf_str(&bytes), work->preview) == OMS_OK);
        oms_buf_fini(&bytes);
    }
    order_decision_meta(work->order, work->command, work->context, 0, &meta);
    for (size_t i = 0; i < count; i++) {
        order_apply(work->preview, &out->events[i], &meta);
        meta.sequence++;
    }
    return work->preview;
}

void order_steps_end(struct order_work *work)
{
    order_destroy(work->preview);
    work->preview = NULL;
}

void order_steps_events_are_in(struct order_work *work)
{
    work->events_are_in = true;
    if (work->activity_count)
        memset(work->applies, 0, work->activity_count * sizeof(*work->applies));
}

/* Whether the step is one that this order takes; asked of steps that wait and have not started. */
bool order_steps_applies(struct order_work *work, size_t index)
{
    const struct workflow_step *step;

    if (work->started[index])
        return true;
    if (!work->applies[index]) {
        step = order_step_of(work, &work->activities[index]);
        work->applies[index] =
            !step || !step->when_count || workflow_when_holds(step, preview(work), work->arena) ? 1 : -1;
    }
    return work->applies[index] > 0;
}

/* What a stage must not be left with. */
static bool unsatisfied(struct order_work *work, size_t index)
{
    return !work->activities[index].optional && (work->outcomes[index] == ORDER_OUTCOME_REJECTED ||
                                                 (waiting(work, index) && order_steps_applies(work, index)));
}

static bool in_stage(const struct order_work *work, size_t index, enum order_stage stage)
{
    return work->activities[index].stage == stage;
}

void order_steps_begin(struct order_work *work)
{
    const struct order *order = work->order;

    work->activities = order->activities;
    work->activity_count = order->activity_count;
    if (!work->activity_count)
        return;
    work->outcomes = order_work_alloc(work, work->activity_count, sizeof(*work->outcomes));
    work->started = order_work_alloc(work, work->activity_count, sizeof(*work->started));
    work->applies = order_work_alloc(work, work->activity_count, sizeof(*work->applies));
    if (work->memory_failed) {
        work->activity_count = 0;
        return;
    }
    for (size_t i = 0; i < work->activity_count; i++) {
        work->outcomes[i] = order->activities[i].outcome;
        work->started[i] = order->activities[i].started_at != 0;
    }
}

size_t order_steps_current(const struct order_work *work)
{
    for (size_t i = 0; i < work->activity_count; i++)
        if (in_stage(work, i, work->stage) && waiting(work, i))
            return i;
    return NO_STEP;
}

/* ---- gates ---- */

static size_t own_step(struct order_work *work, enum order_command_type type, enum order_stage stage)
{
    for (size_t i = 0; i < work->activity_count; i++)
        if (in_stage(work, i, stage) && waiting(work, i) && command_of(work, i) == type &&
            order_steps_applies(work, i))
            return i;
    return NO_STEP;
}

/* Steps that wait for the goods to leave the stage: a step behind one of them would otherwise wait for it,
 * and it for the step. */
static bool leaves(const struct order_work *work, size_t index, enum order_stage stage)
{
    enum order_command_type command = command_of(work, index);

    return command && (command == workflow_leaving_command(stage) ||
                       (stage == ORDER_STAGE_CONFIRMED && command == ORDER_COMMAND_DISPATCH_SHIPMENT));
}

/* The first required step before `index` in its stage that is not done and may not be passed; NO_STEP: none.
 */
static size_t blocking_before(struct order_work *work, size_t index)
{
    enum order_stage stage = work->activities[index].stage;

    for (size_t i = 0; i < index; i++)
        if (in_stage(work, i, stage) && !leaves(work, i, stage) && unsatisfied(work, i))
            return i;
    return NO_STEP;
}

bool order_steps_in_order(struct order_work *work, size_t index, struct oms_str field)
{
    size_t before = blocking_before(work, index);

    if (before == NO_STEP)
        return true;
    return refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP, field, "Expected step %.*s, got %.*s",
                       OMS_STR_ARG(work->activities[before].step_name),
                       OMS_STR_ARG(work->activities[index].step_name));
}

static bool has_role(const struct order_work *work, struct oms_str role)
{
    const struct principal *principal = work->context->principal;

    if (work->internal || role.len == 0)
        return true;
    for (size_t i = 0; i < principal->role_count; i++)
        if (oms_str_eq(principal->roles[i], role))
            return true;
    return false;
}

static bool check_step_role(struct order_work *work, const struct workflow_step *step)
{
    if (!step || has_role(work, step->role))
        return true;
    return refusal_add(work->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD, "Step %.*s needs the role %.*s",
                       OMS_STR_ARG(step->name), OMS_STR_ARG(step->role));
}

bool order_steps_gate_open(struct order_work *work, enum order_command_type own, bool refuse)
{
    bool dispatching = own == ORDER_COMMAND_DISPATCH_SHIPMENT || own == ORDER_COMMAND_NONE;

    for (size_t i = 0; i < work->activity_count; i++) {
        enum order_command_type command = command_of(work, i);

        if (!in_stage(work, i, work->stage) || !unsatisfied(work, i))
            continue;
        if (work->outcomes[i] != ORDER_OUTCOME_REJECTED && command &&
            (command == own || (dispatching && (command == ORDER_COMMAND_DISPATCH_SHIPMENT ||
                                                command == ORDER_COMMAND_MARK_AS_SHIPPED))))
            continue;
        if (refuse)
            refusal_add(work->refusals, REFUSAL_STEP_PENDING, REFUSAL_NO_FIELD,
                        work->outcomes[i] == ORDER_OUTCOME_REJECTED ? "Step %.*s of stage %s was rejected"
                                                                    : "Step %.*s of stage %s is not done",
                        OMS_STR_ARG(work->activities[i].step_name), order_stage_name(work->stage));
        return false;
    }
    return true;
}

bool order_check_steps(struct order_work *work)
{
    enum order_stage stage = work->order->stage;
    enum order_command_type type = work->type;
    size_t own;

    if (in_set(COMMANDS_WITHOUT_STEPS | COMMANDS_ON_STEPS, type))
        return true;
    if (type == ORDER_COMMAND_REQUEST_RETURN || type == ORDER_COMMAND_PROCESS_REFUND)
        return check_step_role(work, workflow_command_step(work->context->workflow, type));
    if (!work->activity_count)
        return true;
    own = own_step(work, type, stage);
    if (own == NO_STEP && in_set(COMMANDS_LEAVING, type)) {
        size_t entered = own_step(work, type, (enum order_stage)(stage + 1));

        if (entered != NO_STEP && !check_step_role(work, order_step_of(work, &work->activities[entered])))
            return false;
    }
    if (own != NO_STEP && (!check_step_role(work, order_step_of(work, &work->activities[own])) ||
                           !order_steps_in_order(work, own, REFUSAL_NO_FIELD)))
        return false;
    if (in_set(COMMANDS_LEAVING, type) ||
        (type == ORDER_COMMAND_DISPATCH_SHIPMENT && stage == ORDER_STAGE_CONFIRMED))
        return order_steps_gate_open(work, type, true);
    return true;
}

/* ---- effects ---- */

void order_steps_finish(struct order_work *work, size_t index, enum order_outcome outcome,
                        struct oms_str comments, struct oms_str user_input)
{
    struct order_event *event = order_emit(work, ORDER_EVENT_STEP_FINISHED);

    event->step_finished = (struct order_step_finished){(uint32_t)index, outcome, comments, user_input};
    work->outcomes[index] = outcome;
}

static void finish_bare(struct order_work *work, size_t index, enum order_outcome outcome)
{
    order_steps_finish(work, index, outcome, OMS_STR_NONE, OMS_STR_NONE);
}

/* Performing a step passes those before it: what does not apply, and the optional ones that wait. */
static void skip_before(struct order_work *work, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (!in_stage(work, i, work->activities[index].stage) || !waiting(work, i))
            continue;
        if (!order_steps_applies(work, i))
            finish_bare(work, i, ORDER_OUTCOME_NOT_APPLICABLE);
        else if (work->activities[i].optional)
            finish_bare(work, i, ORDER_OUTCOME_SKIPPED);
    }
}

static void finish_of_command(struct order_work *work, enum order_command_type command,
                              enum order_stage stage, bool skips)
{
    size_t own = own_step(work, command, stage);

    if (own == NO_STEP)
        return;
    if (skips)
        skip_before(work, own);
    finish_bare(work, own, ORDER_OUTCOME_DONE);
}

void order_steps_finish_own(struct order_work *work)
{
    enum order_command_type type = work->type;
    enum order_stage stage = work->order->stage;

    if (!work->activity_count || in_set(COMMANDS_ON_STEPS | COMMANDS_LEAVING, type) ||
        type == ORDER_COMMAND_CREATE_ORDER || stage != work->stage)
        return; /* leaving the stage has finished what there was to finish */
    if (type == ORDER_COMMAND_RECORD_PAYMENT && work->given_status != ORDER_PAYMENT_CAPTURED &&
        work->given_status != ORDER_PAYMENT_AUTHORIZED)
        return; /* a payment that failed is recorded, but does not pay */
    finish_of_command(work, type, stage, !in_set(COMMANDS_WITHOUT_STEPS, type));
}

void order_steps_finish_fact(struct order_work *work, enum order_command_type command)
{
    finish_of_command(work, command, work->stage, false);
}

void order_steps_leave(struct order_work *work, enum order_stage from, enum order_stage to)
{
    enum order_command_type leaving = workflow_leaving_command(from);

    if (to == ORDER_STAGE_CANCELLED) {
        for (size_t i = 0; i < work->activity_count; i++)
            if (waiting(work, i) && !in_stage(work, i, ORDER_STAGE_CANCELLED))
                finish_bare(work, i, ORDER_OUTCOME_NOT_APPLICABLE);
        return;
    }
    if (!work->activity_count)
        return;
    finish_of_command(work, work->type, from, true);
    if (to == ORDER_STAGE_SHIPPED)
        finish_of_command(work, ORDER_COMMAND_DISPATCH_SHIPMENT, from, true);
    finish_of_command(work, leaving, from, true);
    for (size_t i = 0; i < work->activity_count; i++)
        if (in_stage(work, i, from) && waiting(work, i))
            finish_bare(work, i,
                        order_steps_applies(work, i) ? ORDER_OUTCOME_SKIPPED : ORDER_OUTCOME_NOT_APPLICABLE);
    finish_of_command(work, leaving, to, false);
}

void order_steps_pass(struct order_work *work)
{
    size_t current;

    while ((current = order_steps_current(work)) != NO_STEP && !order_steps_applies(work, current))
        finish_bare(work, current, ORDER_OUTCOME_NOT_APPLICABLE);
}

void order_steps_start_current(struct order_work *work)
{
    order_steps_pass(work);
    size_t current = order_steps_current(work);
    size_t holds = work->order->hold_count + (work->hold_placed ? 1 : 0) - (work->hold_released ? 1 : 0);
    const struct workflow_step *step;
    struct order_event *event;

    if (current == NO_STEP || work->started[current])
        return;
    step = order_step_of(work, &work->activities[current]);
    event = order_emit(work, ORDER_EVENT_STEP_STARTED);
    event->step_started.activity = (uint32_t)current;
    if (step && step->due_in_ms && holds)
        event->step_started.due_left_ms = step->due_in_ms;
    else if (step && step->due_in_ms)
        event->step_started.due_at = work->now + step->due_in_ms;
    work->started[current] = true;
}

size_t order_steps_perform(struct order_work *work, struct oms_str name, struct oms_str field)
{
    size_t index = NO_STEP, current;

    for (size_t i = 0; i < work->activity_count && index == NO_STEP; i++)
        if (oms_str_eq(work->activities[i].step_name, name))
            index = i;
    if (index == NO_STEP) {
        refusal_add(work->refusals, REFUSAL_NOT_FOUND, field,
                    "The order's workflow has no step of this name");
        return NO_STEP;
    }
    current = order_steps_current(work);
    if (!waiting(work, index))
        refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP, field, "Step %.*s is %s already",
                    OMS_STR_ARG(name), order_outcome_name(work->outcomes[index]));
    else if (!in_stage(work, index, work->stage) && current != NO_STEP)
        refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP, field, "Expected step %.*s, got %.*s",
                    OMS_STR_ARG(work->activities[current].step_name), OMS_STR_ARG(name));
    else if (!in_stage(work, index, work->stage))
        refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP, field,
                    "Step %.*s belongs to stage %s, the order is %s", OMS_STR_ARG(name),
                    order_stage_name(work->activities[index].stage), order_stage_name(work->stage));
    else if (!order_steps_applies(work, index))
        refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP, field, "Step %.*s does not apply to this order",
                    OMS_STR_ARG(name));
    else if (check_step_role(work, order_step_of(work, &work->activities[index])) &&
             order_steps_in_order(work, index, field)) {
        skip_before(work, index);
        return index;
    }
    return NO_STEP;
}

/* ---- creation ---- */

/* Whether the command of this step can still run once the order is in `stage`. */
static bool still_possible(enum order_command_type command, enum order_stage stage)
{
    switch (command) {
    case ORDER_COMMAND_CREATE_ORDER:
        return false;
    case ORDER_COMMAND_PLACE_ORDER:
        return stage < ORDER_STAGE_PENDING;
    case ORDER_COMMAND_CONFIRM_ORDER:
        return stage < ORDER_STAGE_CONFIRMED;
    default:
        return true;
    }
}

static enum order_outcome initial_outcome(const struct workflow_step *step, enum order_stage stage)
{
    bool implied = step->command == ORDER_COMMAND_CREATE_ORDER ||
                   (step->stage == stage && !still_possible(step->command, stage));

    if (implied && step->stage <= stage)
        return ORDER_OUTCOME_DONE; /* creating in this stage did what the step names */
    if (step->stage < stage || implied)
        return ORDER_OUTCOME_NOT_APPLICABLE;
    return ORDER_OUTCOME_WAITING;
}

void order_steps_instantiate(struct order_work *work, enum order_stage stage, struct order_created *created)
{
    const struct workflow *workflow = work->context->workflow;
    struct order_activity *activities;
    size_t count = 0;

    if (!workflow || !workflow->step_count)
        return;
    activities = order_work_alloc(work, workflow->step_count, sizeof(*activities));
    work->outcomes = order_work_alloc(work, workflow->step_count, sizeof(*work->outcomes));
    work->started = order_work_alloc(work, workflow->step_count, sizeof(*work->started));
    work->applies = order_work_alloc(work, workflow->step_count, sizeof(*work->applies));
    if (work->memory_failed)
        return;
    for (size_t i = 0; i < workflow->step_count; i++) {
        const struct workflow_step *step = &workflow->steps[i];

        if (step->conditions_only)
            continue;
        activities[count] = (struct order_activity){
            .step = (uint32_t)i,
            .stage = step->stage,
            .sequence = step->sequence,
            .optional = step->optional,
            .step_name = step->name,
            .activity_status = step->activity_status,
            .outcome = initial_outcome(step, stage),
        };
        if (activities[count].outcome != ORDER_OUTCOME_WAITING)
            activities[count].finished_at = work->now;
        work->outcomes[count] = activities[count].outcome;
        count++;
    }
    created->activities = work->activities = activities;
    created->activity_count = work->activity_count = count;
}
