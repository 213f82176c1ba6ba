/* See order_migrate.h. The command that does it is decided at the end. */
#include "actors/order_migrate.h"

#include <stdarg.h>
#include <stdio.h>

#include "actors/money.h"
#include "actors/order_internal.h"

struct plan {
    const struct order *order;
    const struct workflow *from, *to;
    int64_t now;
    struct oms_arena *arena;
    struct order_migration *out;
};

const char *order_strand_name(enum order_strand strand)
{
    static const char *const names[ORDER_STRAND_COUNT] = {NULL, "STEP_REMOVED", "STEP_IMPOSSIBLE", "REFUNDS"};

    return strand < ORDER_STRAND_COUNT ? names[strand] : NULL;
}

/* The first reason is told. */
static OMS_PRINTF(4, 5) void strand(struct plan *plan, enum order_strand strand, struct oms_str step,
                                    const char *format, ...)
{
    char text[512];
    va_list args;

    if (plan->out->strand)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    plan->out->strand = strand;
    plan->out->step = step;
    plan->out->message = oms_str_copy(plan->arena, oms_str_of(text));
}

/* ---- what the order shows ---- */

static bool any_shipment(const struct order *order, unsigned statuses)
{
    for (size_t i = 0; i < order->shipment_count; i++)
        if (statuses & 1u << order->shipments[i].status)
            return true;
    return false;
}

static int64_t unallocated(const struct order *order)
{
    int64_t units = 0;

    for (size_t i = 0; i < order->line_count; i++)
        units += order_line_unallocated(&order->lines[i]);
    return units;
}

#define STATUS(name) (1u << ORDER_SHIPMENT_##name)
#define GONE         (STATUS(IN_TRANSIT) | STATUS(DELIVERED))
#define PLANNED      (STATUS(PENDING) | STATUS(CONFIRMED))

/* Whether the order shows that this command has run, so that a new step of its name need not be waited for.
 */
static bool shows_done(const struct order *order, enum order_command_type command)
{
    switch (command) {
    case ORDER_COMMAND_CREATE_ORDER:
        return true;
    case ORDER_COMMAND_ADD_SHIPMENT:
        return any_shipment(order, PLANNED | GONE);
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
        return any_shipment(order, STATUS(CONFIRMED) | GONE);
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
        return any_shipment(order, GONE);
    case ORDER_COMMAND_DELIVER_SHIPMENT:
        return any_shipment(order, STATUS(DELIVERED));
    case ORDER_COMMAND_CANCEL_SHIPMENT:
        return any_shipment(order, STATUS(CANCELLED));
    case ORDER_COMMAND_FAIL_SHIPMENT:
        return any_shipment(order, STATUS(FAILED) | STATUS(RETURNED_TO_SENDER));
    case ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE:
        return oms_str_present(order->shipping_reference);
    case ORDER_COMMAND_ADD_NOTE:
        return order->note_count > 0;
    case ORDER_COMMAND_RECORD_PAYMENT:
        for (size_t i = 0; i < order->payment_count; i++)
            if (order->payments[i].status == ORDER_PAYMENT_AUTHORIZED ||
                order->payments[i].status == ORDER_PAYMENT_CAPTURED)
                return true;
        return false;
    case ORDER_COMMAND_CANCEL_LINE_ITEMS:
        for (size_t i = 0; i < order->line_count; i++)
            if (order->lines[i].cancelled)
                return true;
        return false;
    default:
        return command && command == workflow_leaving_command((enum order_stage)(order->stage - 1));
    }
}

/* Whether the command can never run on this order again. */
static bool is_over(const struct order *order, enum order_command_type command)
{
    switch (command) {
    case ORDER_COMMAND_CHANGE_DESTINATION:
        return any_shipment(order, STATUS(CONFIRMED) | GONE);
    case ORDER_COMMAND_CANCEL_LINE_ITEMS:
    case ORDER_COMMAND_ADD_SHIPMENT:
        return unallocated(order) == 0 && !any_shipment(order, PLANNED);
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
    case ORDER_COMMAND_CANCEL_SHIPMENT:
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
        return unallocated(order) == 0 && !any_shipment(order, PLANNED);
    default:
        return false;
    }
}

/* ---- steps ---- */

static const struct order_activity *known_by(const struct order *order, const struct workflow_step *step)
{
    for (size_t i = 0; i < order->activity_count; i++)
        if (oms_str_eq(order->activities[i].step_name, step->name))
            return &order->activities[i];
    return NULL;
}

static void begin(const struct plan *plan, const struct workflow_step *step, struct order_activity *out)
{
    const struct order *order = plan->order;

    if (step->stage < order->stage ||
        (step->stage > order->stage && step->command == ORDER_COMMAND_CREATE_ORDER))
        out->outcome = ORDER_OUTCOME_NOT_APPLICABLE;
    else if (step->stage == order->stage && shows_done(order, step->command))
        out->outcome = ORDER_OUTCOME_DONE;
    if (out->outcome != ORDER_OUTCOME_WAITING)
        out->finished_at = plan->now;
}

/* The deadline of a step that has begun: what it had used of the old one is used. */
static void carry_deadline(const struct plan *plan, const struct workflow_step *step,
                           const struct order_activity *old, struct order_activity *out)
{
    const struct workflow_step *was =
        plan->from && old->step < plan->from->step_count ? &plan->from->steps[old->step] : NULL;
    int64_t remaining = old->due_at ? old->due_at - plan->now : old->due_left_ms, used, left;

    out->due_at = out->due_left_ms = 0;
    out->overdue = old->overdue;
    if (!step->due_in_ms || old->overdue || !old->started_at)
        return;
    used = was && was->due_in_ms && remaining ? was->due_in_ms - remaining : plan->now - old->started_at;
    left = step->due_in_ms - used;
    if (left < 1)
        left = 1;
    if (plan->order->hold_count)
        out->due_left_ms = left;
    else
        out->due_at = plan->now + left;
}

static bool outcome_stays(const struct plan *plan, const struct workflow_step *step,
                          const struct order_activity *old)
{
    bool here = step->stage <= plan->order->stage;

    switch (old->outcome) {
    case ORDER_OUTCOME_DONE:
    case ORDER_OUTCOME_APPROVED:
        return true;
    case ORDER_OUTCOME_REJECTED:
        return step->stage == plan->order->stage && old->stage == step->stage;
    case ORDER_OUTCOME_SKIPPED: /* what was optional may have become required */
        return here && (step->optional || !old->optional || step->stage < plan->order->stage);
    case ORDER_OUTCOME_NOT_APPLICABLE:
        return here && old->stage == step->stage;
    case ORDER_OUTCOME_WAITING:
        return step->stage == plan->order->stage && old->stage == step->stage;
    case ORDER_OUTCOME_COUNT:
        break;
    }
    return false;
}

static void carry(const struct plan *plan, const struct workflow_step *step, const struct order_activity *old,
                  struct order_activity *out)
{
    out->outcome = old->outcome;
    out->reviewer = old->reviewer;
    out->comments = old->comments;
    out->user_input = old->user_input;
    out->actor = old->actor;
    out->started_at = old->started_at;
    out->finished_at = old->finished_at;
    out->overdue = old->overdue;
    if (old->outcome == ORDER_OUTCOME_WAITING)
        carry_deadline(plan, step, old, out);
}

static void plan_step(struct plan *plan, size_t index)
{
    const struct workflow_step *step = &plan->to->steps[index];
    const struct order_activity *old = known_by(plan->order, step);
    struct order_activity *out = &plan->out->activities[plan->out->activity_count++];

    *out = (struct order_activity){
        .step = (uint32_t)index,
        .stage = step->stage,
        .sequence = step->sequence,
        .optional = step->optional,
        .step_name = step->name,
        .activity_status = step->activity_status,
    };
    if (old && outcome_stays(plan, step, old)) {
        carry(plan, step, old, out);
        return;
    }
    begin(plan, step, out);
    if (out->outcome == ORDER_OUTCOME_WAITING && step->stage == plan->order->stage && !step->optional &&
        is_over(plan->order, step->command))
        strand(plan, ORDER_STRAND_STEP_IMPOSSIBLE, step->name,
               "Version %u requires step %.*s in stage %s, but %s is no longer possible on this order",
               plan->to->version, OMS_STR_ARG(step->name), order_stage_name(step->stage),
               order_command_info(step->command)->mutation);
}

/* The step that the order is at, when somebody has to do it and nobody could tell by the new version. */
static void check_current(struct plan *plan)
{
    const struct order *order = plan->order;
    const struct order_activity *at;
    enum order_command_type command;
    bool own;

    if (!order->current_activity)
        return;
    at = &order->activities[order->current_activity - 1];
    command = order_command_parse(at->step_name);
    own = !command || command == ORDER_COMMAND_REVIEW_ORDER || command == ORDER_COMMAND_ESCALATE_REVIEWER;
    if (!oms_str_present(at->reviewer) && (at->optional || !own))
        return;
    for (size_t i = 0; i < plan->to->step_count; i++)
        if (plan->to->steps[i].stage == at->stage && oms_str_eq(plan->to->steps[i].name, at->step_name))
            return;
    strand(plan, ORDER_STRAND_STEP_REMOVED, at->step_name,
           "The order is at step %.*s (%.*s), which version %u does not have in stage %s",
           OMS_STR_ARG(at->step_name), OMS_STR_ARG(at->activity_status), plan->to->version,
           order_stage_name(at->stage));
}

static void check_refunds(struct plan *plan)
{
    struct oms_str most = workflow_conditions_of(plan->to, ORDER_COMMAND_PROCESS_REFUND)->max_refund_amount;
    char currency[4];
    int64_t amount;

    if (!oms_str_present(most) ||
        money_parse(most, money_exponent(plan->order->currency), &amount) == MONEY_PARSE_OK)
        return;
    money_currency_text(plan->order->currency, currency);
    strand(plan, ORDER_STRAND_REFUNDS, OMS_STR_NONE,
           "Version %u allows at most %.*s per refund, which is no amount of %s: the order could never be "
           "refunded",
           plan->to->version, OMS_STR_ARG(most), currency);
}

bool order_migrate_plan(const struct order *order, const struct workflow *from, const struct workflow *to,
                        int64_t now_ms, struct oms_arena *arena, struct order_migration *out)
{
    struct plan plan = {order, from, to, now_ms, arena, out};

    *out = (struct order_migration){.strand = ORDER_STRAND_NONE};
    out->activities = oms_arena_calloc(arena, to->step_count + 1, sizeof(*out->activities));
    if (!out->activities)
        return false;
    for (size_t i = 0; i < to->step_count; i++)
        if (!to->steps[i].conditions_only)
            plan_step(&plan, i);
    check_refunds(&plan);
    check_current(&plan); /* last: of several reasons one that nobody can overrule is told */
    return true;
}

/* ---- the command ---- */

/* The overlay of the decision goes on with the new steps. */
static void take_over(struct order_work *work, const struct order_migration *plan)
{
    work->activities = plan->activities;
    work->activity_count = plan->activity_count;
    work->outcomes = order_work_alloc(work, plan->activity_count, sizeof(*work->outcomes));
    work->started = order_work_alloc(work, plan->activity_count, sizeof(*work->started));
    work->applies = order_work_alloc(work, plan->activity_count, sizeof(*work->applies));
    if (work->memory_failed) {
        work->activity_count = 0;
        return;
    }
    for (size_t i = 0; i < plan->activity_count; i++) {
        work->outcomes[i] = plan->activities[i].outcome;
        work->started[i] = plan->activities[i].started_at != 0;
    }
    work->own_context = *work->context;
    work->own_context.workflow = work->context->target;
    work->context = &work->own_context;
}

void order_decide_migrate(struct order_work *work)
{
    const struct workflow *to = work->context->target;
    struct order_migration plan;
    bool may;

    if (!to) {
        refusal_add(work->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("toVersion"),
                    "The tenant has no workflow of this version");
        return;
    }
    if (work->order->workflow_version == to->version) {
        work->out->kind = ORDER_DECISION_NOTHING;
        return;
    }
    if (!order_migrate_plan(work->order, work->context->workflow, to, work->now, work->arena, &plan)) {
        work->memory_failed = true;
        return;
    }
    may = plan.strand == ORDER_STRAND_NONE ||
          (plan.strand == ORDER_STRAND_STEP_REMOVED && work->command->migrate.without_step);
    if (!may) {
        refusal_add(work->refusals, REFUSAL_UNEXPECTED_STEP, REFUSAL_NO_FIELD, "%.*s",
                    OMS_STR_ARG(plan.message));
        return;
    }
    order_emit(work, ORDER_EVENT_WORKFLOW_MIGRATED)->workflow_migrated = (struct order_workflow_migrated){
        work->order->workflow_version, to->version, plan.activities, plan.activity_count};
    take_over(work, &plan);
}
