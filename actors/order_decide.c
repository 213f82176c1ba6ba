/*
 * order_decide: the order of the checks, the frame around every command's own function, and what follows from
 * its events (its step is done, the stage advances when all has left, the next step starts).
 */
#include "actors/order_internal.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define EVENTS_FIRST 4

/* ---- the work ---- */

void *order_work_alloc(struct order_work *work, size_t count, size_t size)
{
    void *memory = oms_arena_calloc(work->arena, count ? count : 1, size);

    if (!memory)
        work->memory_failed = true;
    return memory;
}

struct order_event *order_emit(struct order_work *work, enum order_event_type type)
{
    struct order_decision *out = work->out;
    struct order_event *event = &work->spare;

    if (out->event_count == out->event_cap) {
        size_t cap = out->event_cap ? out->event_cap * 2 : EVENTS_FIRST;
        struct order_event *larger = oms_arena_alloc(work->arena, cap * sizeof(*larger));

        if (larger) {
            if (out->event_count)
                memcpy(larger, out->events, out->event_count * sizeof(*larger));
            out->events = larger;
            out->event_cap = cap;
        } else {
            work->memory_failed = true;
        }
    }
    if (out->event_count < out->event_cap)
        event = &out->events[out->event_count++];
    memset(event, 0, sizeof(*event));
    event->type = type;
    return event;
}

struct order_actor order_actor_of(const struct principal *principal)
{
    return (struct order_actor){principal->kind, principal->subject, principal->display_name};
}

static enum order_event_type stage_event(enum order_stage to)
{
    switch (to) {
    case ORDER_STAGE_PENDING:
        return ORDER_EVENT_ORDER_PLACED;
    case ORDER_STAGE_CONFIRMED:
        return ORDER_EVENT_ORDER_CONFIRMED;
    case ORDER_STAGE_SHIPPED:
        return ORDER_EVENT_ORDER_SHIPPED;
    case ORDER_STAGE_COMPLETED:
        return ORDER_EVENT_ORDER_COMPLETED;
    case ORDER_STAGE_CANCELLED:
        return ORDER_EVENT_ORDER_CANCELLED;
    case ORDER_STAGE_NONE:
    case ORDER_STAGE_DRAFT:
    case ORDER_STAGE_COUNT:
        break;
    }
    OMS_UNREACHABLE();
    return ORDER_EVENT_NONE;
}

/* A finished order keeps no active hold: nothing could release it any more. */
static void release_all_holds(struct order_work *work, enum order_stage to)
{
    for (size_t i = 0; i < work->order->hold_count; i++) {
        struct order_event *event;

        if (work->order->holds[i].id == work->hold_released)
            continue;
        event = order_emit(work, ORDER_EVENT_HOLD_RELEASED);
        event->hold_released = (struct order_hold_released){
            work->order->holds[i].id, false,
            to == ORDER_STAGE_CANCELLED ? OMS_STR("order cancelled") : OMS_STR("order completed")};
    }
}

void order_emit_stage(struct order_work *work, enum order_stage to, struct oms_str reason)
{
    enum order_stage from = work->stage;
    struct order_event *event;

    order_steps_leave(work, from, to);
    if (to == ORDER_STAGE_CANCELLED || to == ORDER_STAGE_COMPLETED)
        release_all_holds(work, to);
    event = order_emit(work, stage_event(to));
    event->stage.from = from;
    event->stage.reason = reason;
    work->stage = to;
}

static void work_init(struct order_work *work, const struct order *order, const struct order_context *context,
                      enum order_command_type type, struct oms_arena *arena, struct refusal_list *refusals)
{
    /* The spare event at the end is written before it is read. */
    memset(work, 0, offsetof(struct order_work, spare));
    work->order = order;
    work->context = context;
    work->type = type;
    work->arena = arena;
    work->refusals = refusals;
    work->now = context->now_ms > order->modified_at ? context->now_ms : order->modified_at;
    work->currency = order->currency;
    work->stage = order->stage;
    work->internal = principal_is_internal(context->principal);
    order_steps_begin(work);
}

/* ---- what follows ---- */

static void sum_units(struct order_work *work)
{
    for (size_t i = 0; i < work->order->line_count; i++) {
        work->units_active += work->order->lines[i].quantity - work->order->lines[i].cancelled;
        work->units_shipped += work->order->lines[i].shipped;
    }
}

/* The stage follows the goods: when all has left and the gates are open, the order is SHIPPED. */
static void advance(struct order_work *work)
{
    if (work->stage != ORDER_STAGE_CONFIRMED || work->order->stage == ORDER_STAGE_NONE)
        return;
    sum_units(work);
    if (work->units_active == 0 || work->units_shipped != work->units_active || work->hold_placed)
        return;
    if (order_check_holds(work, ORDER_COMMAND_MARK_AS_SHIPPED, false) &&
        order_steps_gate_open(work, ORDER_COMMAND_NONE, false))
        order_emit_stage(work, ORDER_STAGE_SHIPPED, OMS_STR_NONE);
}

static void finish(struct order_work *work)
{
    struct order_decision *out = work->out;

    if (out->kind != ORDER_DECISION_EVENTS || ORDER_REFUSED(work) || out->event_count == 0)
        return;
    order_steps_finish_own(work);
    order_steps_events_are_in(work);
    order_steps_pass(work);
    advance(work);
    order_steps_start_current(work);
}

static void conclude(struct order_work *work)
{
    struct order_decision *out = work->out;

    if (work->memory_failed && !ORDER_REFUSED(work))
        refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                    "The command needs more memory than a request may have");
    if (ORDER_REFUSED(work)) {
        out->kind = ORDER_DECISION_REFUSED;
        out->event_count = 0;
        out->created = false;
    }
    if (out->kind == ORDER_DECISION_EVENTS) {
        OMS_ASSERT(out->event_count > 0);
        out->version = work->order->version + 1;
    }
}

/* ---- before the command's own rules ---- */

/* true when the key has answered. */
static bool replay(struct order_work *work)
{
    const struct order_command *command = work->command;
    const struct order_key *known = command->has_key ? order_find_key(work->order, command->key) : NULL;

    if (!known)
        return false;
    if (known->fingerprint.lo == command->fingerprint.lo &&
        known->fingerprint.hi == command->fingerprint.hi) {
        work->out->kind = ORDER_DECISION_REPLAYED;
        work->out->version = known->version;
    } else {
        refusal_add(work->refusals, REFUSAL_IDEMPOTENCY_MISMATCH, REFUSAL_FIELD("idempotencyKey"),
                    "This key was used for another input of %s", order_command_info(work->type)->mutation);
    }
    return true;
}

static bool check_version(struct order_work *work)
{
    const struct order_command *command = work->command;

    if (!command->has_expected_version || command->expected_version == work->order->version)
        return true;
    return refusal_add(work->refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("expectedVersion"),
                       "The order is at version %llu, not %llu", (unsigned long long)work->order->version,
                       (unsigned long long)command->expected_version);
}

/* Keys are promised for 24 hours: when the memory for them is full, a new one cannot be kept. */
static bool check_key(struct order_work *work)
{
    const struct order *order = work->order;

    if (work->command->has_key &&
        !order_field_text(work, "", "idempotencyKey", work->command->idempotency_key, ORDER_ID_TEXT))
        return false;
    if (!work->command->has_key || order->key_count < OMS_ORDER_KEYS_MAX ||
        order->keys[0].at < work->now - OMS_IDEMPOTENCY_KEEP_MS)
        return true;
    return refusal_add(work->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("idempotencyKey"),
                       "The order remembers %d keys of the last 24 hours and has no room for another",
                       OMS_ORDER_KEYS_MAX);
}

/* createOrder on an order that exists: the same content is that order, other content a conflict. */
static void meet_existing(struct order_work *work)
{
    const struct order *order = work->order;
    const struct order_command *command = work->command;

    if (order->content_fingerprint.lo == command->fingerprint.lo &&
        order->content_fingerprint.hi == command->fingerprint.hi) {
        work->out->kind = ORDER_DECISION_EXISTS;
        work->out->version = order->version;
        return;
    }
    if (oms_str_present(order->external_ref))
        refusal_add(work->refusals, REFUSAL_CONFLICT, REFUSAL_FIELD("externalRef"),
                    "Order %.*s has this source and externalRef with other content",
                    OMS_STR_ARG(order->order_id));
    else
        refusal_add(work->refusals, REFUSAL_IDEMPOTENCY_MISMATCH, REFUSAL_FIELD("idempotencyKey"),
                    "This key was used for an order with other content");
}

static void decide_create(struct order_work *work)
{
    if (work->order->version == 0) {
        if (check_version(work) && check_key(work))
            order_decide_create(work);
        return;
    }
    if (order_check_access(work) && !replay(work))
        meet_existing(work);
}

static void decide_other(struct order_work *work)
{
    const struct order_rule *rule = order_rule_of(work->type);

    if (work->order->version == 0) {
        refusal_add(work->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("orderId"), "There is no such order");
        return;
    }
    if (!order_check_access(work) || replay(work) || !check_version(work) || !check_key(work) ||
        !order_check_state(work))
        return;
    rule->decide(work);
}

void order_decide(const struct order *order, const struct order_command *command,
                  const struct order_context *context, struct oms_arena *arena, struct order_decision *out)
{
    struct order_work work;

    out->kind = ORDER_DECISION_EVENTS;
    out->events = NULL;
    out->event_count = out->event_cap = 0;
    out->version = order->version;
    out->created = false;
    refusal_list_init(&out->refusals, arena);
    work_init(&work, order, context, command->type, arena, &out->refusals);
    work.command = command;
    work.out = out;
    if (command->type == ORDER_COMMAND_CREATE_ORDER)
        decide_create(&work);
    else
        decide_other(&work);
    finish(&work);
    conclude(&work);
    order_steps_end(&work);
}

void order_decision_meta(const struct order *order, const struct order_command *command,
                         const struct order_context *context, size_t index, struct order_event_meta *out)
{
    *out = (struct order_event_meta){
        .sequence = order->event_count + 1 + index,
        .version = order->version + 1,
        .time = context->now_ms > order->modified_at ? context->now_ms : order->modified_at,
        .actor = order_actor_of(context->principal),
        .command = command->type,
        .has_key = command->has_key,
        .idempotency_key = command->idempotency_key,
        .key = command->key,
        .fingerprint = command->fingerprint,
    };
}

/* ---- what may be done now ---- */

size_t order_available_actions(const struct order *order, const struct order_context *context,
                               struct oms_arena *arena, struct order_action actions[ORDER_ACTIONS_MAX])
{
    size_t count = 0;

    for (unsigned type = ORDER_COMMAND_CREATE_ORDER + 1; type <= ORDER_COMMAND_LAST_PUBLIC; type++) {
        struct order_action *action = &actions[count++];
        struct order_work work;

        action->command = (enum order_command_type)type;
        refusal_list_init(&action->reasons, arena);
        work_init(&work, order, context, action->command, arena, &action->reasons);
        if (order->version == 0)
            refusal_add(&action->reasons, REFUSAL_NOT_FOUND, REFUSAL_NO_FIELD, "There is no such order");
        else if (order_check_access(&work))
            order_check_state(&work);
        if (work.memory_failed && !action->reasons.count)
            refusal_add(&action->reasons, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                        "Not enough memory to tell");
        action->allowed = action->reasons.count == 0;
        order_steps_end(&work);
    }
    return count;
}
