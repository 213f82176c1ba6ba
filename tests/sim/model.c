/* The model at its boundaries: replies, copies, the log. See model.h. */
#include "tests/sim/model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "actors/order_codec.h"
#include "actors/unit_meta.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "tests/sim/model_impl.h"

/* ---- failures ---- */

struct model *model_create(void)
{
    struct model *model = oms_calloc(1, sizeof(*model));
    for (unsigned tenant = 0; tenant < SIM_TENANTS; tenant++)
        for (unsigned slot = 0; slot < SIM_SLOTS; slot++) {
            model->orders[tenant][slot].tip.tenant = tenant;
            model_fold(&model->orders[tenant][slot], 0, &model->orders[tenant][slot].tip);
        }
    return model;
}

void model_destroy(struct model *model)
{
    oms_free(model);
}

bool model_failed(const struct model *model)
{
    return model->failure[0] != '\0';
}

void model_fail(struct model *model, const char *format, ...)
{
    va_list args;
    if (model_failed(model))
        return;
    va_start(args, format);
    vsnprintf(model->failure, sizeof(model->failure), format, args);
    va_end(args);
}

static const char *op_name(const struct sim_op *op)
{
    return op->is_read ? "read" : order_command_info(op->type)->mutation;
}

/* ---- expiries ---- */

static const struct model_hold *find_hold(const struct model_state *s, uint32_t id)
{
    for (size_t i = 0; i < s->hold_count; i++)
        if (s->holds[i].id == id)
            return &s->holds[i];
    return NULL;
}

static void expire(struct model *model, struct model_order *order, uint32_t id, int64_t time)
{
    const struct model_hold *hold = find_hold(&order->tip, id);
    if (!hold || !hold->expires_at || hold->expires_at > time) {
        model_fail(model, "hold %u expired at %" PRId64 ", but it %s", (unsigned)id, time,
                   hold ? "was not due" : "is not active");
        return;
    }
    struct model_entry entry = {.expired = id, .time = time};
    model->counts.expired++;
    model_add_entry(order, &entry);
}

static void step_due(struct model *model, struct model_order *order, uint32_t index, int64_t time)
{
    int64_t due_at = order->tip.due_at[index];
    if (!due_at || due_at > time) {
        model_fail(model, "step %u was skipped at %" PRId64 ", but it was not due", (unsigned)index, time);
        return;
    }
    struct model_entry entry = {.due = index + 1, .time = time};
    model->counts.due++;
    model_add_entry(order, &entry);
}

/* The earliest thing that a timer did to the order and the model does not know: a hold, or a step + 1. */
static int64_t next_by_timer(const struct model_state *s, const struct order *shown, uint32_t *hold,
                             uint32_t *step)
{
    int64_t at = INT64_MAX;
    *hold = *step = 0;
    for (size_t i = 0; i < shown->released_hold_count; i++) {
        const struct order_hold *released = &shown->released_holds[i];
        if (released->released_by.kind == PRINCIPAL_TIMER && find_hold(s, released->id) &&
            released->released_at < at) {
            at = released->released_at;
            *hold = released->id;
        }
    }
    for (uint32_t i = 0; i < shown->activity_count && i < SIM_STEPS_MAX; i++) {
        const struct order_activity *activity = &shown->activities[i];
        if (activity->overdue && s->outcomes[i] == ORDER_OUTCOME_WAITING && activity->finished_at < at) {
            at = activity->finished_at;
            *hold = 0;
            *step = i + 1;
        }
    }
    return at;
}

/* Brings the model to `version` by the expiries and deadlines that the order shows. */
static void catch_up(struct model *model, struct model_order *order, const struct order *shown,
                     uint64_t version)
{
    uint32_t hold, step;
    while (order->tip.version < version && !model_failed(model)) {
        int64_t at = next_by_timer(&order->tip, shown, &hold, &step);
        if (hold)
            expire(model, order, hold, at);
        else if (step)
            step_due(model, order, step - 1, at);
        else
            break;
    }
    if (order->tip.version != version)
        model_fail(model, "an order was at version %" PRIu64 ", the model knows %" PRIu64, version,
                   order->tip.version);
}

/* ---- the actor's boundary ---- */

static const char *verdict_name(int verdict)
{
    switch (verdict) {
    case MODEL_ACCEPTED:
        return "accepted";
    case MODEL_REPLAYED:
        return "replayed";
    case MODEL_EXISTS:
        return "exists";
    case MODEL_NOTHING:
        return "nothing to do";
    default:
        return refusal_code_name((enum refusal_code)verdict);
    }
}

static int told(const struct sim_op *op, const struct order_reply *reply)
{
    if (reply->refusals && reply->refusals->count)
        return (int)reply->refusals->items[0].code;
    if (reply->replayed)
        return MODEL_REPLAYED;
    return op->type == ORDER_COMMAND_CREATE_ORDER && !reply->created ? MODEL_EXISTS : MODEL_ACCEPTED;
}

static void check_verdict(struct model *model, const struct sim_op *op, enum model_tenant tenant, int wanted,
                          int got)
{
    bool may_be_suspended =
        tenant == MODEL_TENANT_CHANGING && wanted == MODEL_ACCEPTED && got == REFUSAL_TENANT_SUSPENDED;
    bool erases = op->type == ORDER_COMMAND_ERASE_CUSTOMER; /* also of a suspended tenant */
    if (tenant == MODEL_TENANT_SUSPENDED && wanted == MODEL_ACCEPTED && !erases)
        wanted = REFUSAL_TENANT_SUSPENDED;
    if (wanted != got && !may_be_suspended)
        model_fail(model, "operation %" PRIu64 " (%s by %s on order %u/%u): %s, the model says %s",
                   op->serial, op_name(op), sim_people[op->person].subject, op->tenant, op->slot,
                   verdict_name(got), verdict_name(wanted));
    if (got == MODEL_ACCEPTED) {
        model->counts.accepted++;
        model->counts.accepted_of[op->type]++;
    } else if (got == MODEL_REPLAYED)
        model->counts.replayed++;
    else if (got == MODEL_EXISTS || got == MODEL_NOTHING)
        model->counts.exists++;
    else
        model->counts.refused[got]++;
}

static void check_standing(struct model *model, const struct sim_op *op, const struct order_reply *reply)
{
    const struct model_state *s = &model->orders[op->tenant][op->slot].tip;
    bool visible = s->version && model_reaches(s, op->person);
    enum sim_role role = sim_people[op->person].role;
    if (visible != (reply->order != NULL))
        model_fail(model, "operation %" PRIu64 " (%s): %s sees order %u/%u: %d, the model says %d",
                   op->serial, op_name(op), sim_people[op->person].subject, op->tenant, op->slot,
                   reply->order != NULL, visible);
    else if (visible &&
             (reply->on.full != (role == SIM_STAFF) || reply->on.customer != (role == SIM_CUSTOMER) ||
              reply->on.vendor != (role == SIM_VENDOR)))
        model_fail(model, "operation %" PRIu64 ": %s stands wrongly to order %u/%u", op->serial,
                   sim_people[op->person].subject, op->tenant, op->slot);
    if (!visible)
        model->counts.hidden++;
}

uint64_t model_render(struct model *model, const struct sim_op *op, enum model_tenant tenant,
                      const struct order_reply *reply)
{
    struct model_order *order = &model->orders[op->tenant][op->slot];
    bool by_reference = op->slot < SIM_SLOT_UNKNOWN - SIM_SLOTS_BY_KEY;
    int got = op->is_read ? MODEL_EXISTS : told(op, reply);
    /* No version was made, and none can have been made by a timer since. */
    if (got == MODEL_ACCEPTED && op->type == ORDER_COMMAND_ERASE_CUSTOMER && reply->order &&
        reply->order->version == order->tip.version)
        got = MODEL_NOTHING;
    if (got == MODEL_ACCEPTED && !reply->order)
        model_fail(model, "operation %" PRIu64 " was accepted and shows no order", op->serial);
    if (model_failed(model))
        return 0;
    if (reply->order)
        catch_up(model, order, reply->order, reply->order->version - (got == MODEL_ACCEPTED));
    int64_t now = reply->now_ms > order->tip.modified_at ? reply->now_ms : order->tip.modified_at;
    if (op->is_read)
        model->counts.reads++;
    else
        check_verdict(model, op, tenant, model_verdict(&order->tip, op, by_reference, now), got);
    if (model_failed(model))
        return 0;
    if (got == MODEL_ACCEPTED)
        model_add_entry(order, &(struct model_entry){.op = *op, .time = now});
    check_standing(model, op, reply);
    if (reply->order)
        model_compare(model, op->tenant, op->slot, reply->order, op_name(op));
    return reply->order ? reply->order->version : 0;
}

void model_check_copy(struct model *model, unsigned tenant, unsigned slot, unsigned person,
                      const struct order *order, uint64_t at_least)
{
    struct model_order *known = &model->orders[tenant][slot];
    if (!order) {
        if (at_least && model_reaches(&known->tip, person))
            model_fail(model, "%s is not shown a copy of order %u/%u", sim_people[person].subject, tenant,
                       slot);
        return;
    }
    if (order->version < at_least)
        model_fail(model,
                   "a read of order %u/%u shows version %" PRIu64 ", %" PRIu64
                   " had been acknowledged before",
                   tenant, slot, order->version, at_least);
    if (order->version > known->tip.version)
        catch_up(model, known, order, order->version);
    if (model_failed(model))
        return;
    struct model_state *state = oms_malloc(sizeof(*state));
    model_fold(known, order->version, state);
    if (!model_reaches(state, person))
        model_fail(model, "%s is shown a copy of order %u/%u", sim_people[person].subject, tenant, slot);
    model_compare_state(model, tenant, slot, state, order, "copy");
    oms_free(state);
}

void model_meet(struct model *model, unsigned tenant, unsigned slot, const struct order *order)
{
    struct model_order *known = &model->orders[tenant][slot];
    if (known->tip.version && order->version > known->tip.version)
        catch_up(model, known, order, order->version);
}

void model_acknowledge(struct model *model, const struct sim_op *op, uint64_t version)
{
    struct model_order *order = &model->orders[op->tenant][op->slot];
    if (version > order->logged)
        model_fail(model,
                   "operation %" PRIu64 " was answered with version %" PRIu64
                   " of order %u/%u, the log has %" PRIu64,
                   op->serial, version, op->tenant, op->slot, order->logged);
    if (version > order->acked)
        order->acked = version;
}

/* ---- the log's boundary ---- */

static bool matches(const struct model_entry *entry, const struct store_record *record,
                    const struct order_event_meta *meta)
{
    if (record->time_ms != entry->time)
        return false;
    if (entry->expired)
        return meta->command == ORDER_COMMAND_EXPIRE_HOLD && meta->actor.kind == PRINCIPAL_TIMER;
    if (entry->due)
        return meta->command == ORDER_COMMAND_STEP_DUE && meta->actor.kind == PRINCIPAL_TIMER;
    struct oms_hash128 print = sim_op_fingerprint(&entry->op);
    return meta->command == entry->op.type &&
           (oms_str_eq_c(meta->actor.subject, sim_people[entry->op.person].subject) ||
            (record->erased && oms_str_eq(meta->actor.subject, ORDER_ERASED))) &&
           meta->has_key == entry->op.has_key &&
           (!meta->has_key || (meta->fingerprint.lo == print.lo && meta->fingerprint.hi == print.hi));
}

/* The record is version `index` + 1, whole, and what the model knows for it. True when it knows one. */
static bool check_record(struct model *model, unsigned tenant, unsigned slot, uint64_t index,
                         const struct store_record *record, struct order_event_meta *meta)
{
    struct model_order *order = &model->orders[tenant][slot];
    if (record->version_from != index || record->version_to != index + 1)
        model_fail(model, "order %u/%u: a record goes from version %u to %u, %" PRIu64 " came before", tenant,
                   slot, record->version_from, record->version_to, index);
    else if (!record->event_count || unit_meta_read(record, meta) != OMS_OK)
        model_fail(model, "order %u/%u: the record of version %u is not whole", tenant, slot,
                   record->version_to);
    if (model_failed(model))
        return false;
    if (index < order->tip.version) {
        if (!matches(&order->entries[index], record, meta))
            model_fail(model, "order %u/%u: the record of version %u is another command's", tenant, slot,
                       record->version_to);
        return true;
    }
    if (meta->command != ORDER_COMMAND_EXPIRE_HOLD && meta->command != ORDER_COMMAND_STEP_DUE)
        model_fail(model, "order %u/%u: the log has a version %u that nobody asked for", tenant, slot,
                   record->version_to);
    return false;
}

void model_logged(struct model *model, unsigned tenant, unsigned slot, const struct store_record *record)
{
    struct model_order *order = &model->orders[tenant][slot];
    struct order_event_meta meta = {0};
    check_record(model, tenant, slot, order->logged, record, &meta);
    order->logged = record->version_to;
}

void model_recover_begin(struct model *model, unsigned tenant, unsigned slot)
{
    model->orders[tenant][slot].logged = 0;
    model->orders[tenant][slot].readable = model->orders[tenant][slot].unreadable = 0;
}

/* The keys of all that an erasure found are gone, and no other one's. */
static void check_keys(struct model *model, unsigned tenant, unsigned slot, const struct store_record *record)
{
    struct model_order *order = &model->orders[tenant][slot];
    if (record->sealed.len)
        (*(record->erased ? &order->unreadable : &order->readable))++;
    if (!record->destroys)
        return;
    if (order->readable)
        model_fail(model, "order %u/%u: %" PRIu64 " keys outlived the erasure in version %u", tenant, slot,
                   order->readable, record->version_to);
    order->readable = order->unreadable = 0;
}

void model_recover_record(struct model *model, unsigned tenant, unsigned slot,
                          const struct store_record *record)
{
    struct model_order *order = &model->orders[tenant][slot];
    struct order_event_meta meta = {0};
    check_keys(model, tenant, slot, record);
    if (!check_record(model, tenant, slot, order->logged, record, &meta) && !model_failed(model)) {
        /* Expired just before the crash, seen by nobody: which hold is in the event. */
        struct oms_arena arena;
        struct order_event event;
        oms_arena_init(&arena, 1024, 1 << 20);
        if (order_event_open(record->events[0], record->personal, &arena, &event) == OMS_OK &&
            event.type == ORDER_EVENT_HOLD_RELEASED)
            expire(model, order, event.hold_released.hold, record->time_ms);
        else if (event.type == ORDER_EVENT_STEP_OVERDUE && event.step_overdue.activity < SIM_STEPS_MAX)
            step_due(model, order, event.step_overdue.activity, record->time_ms);
        else
            model_fail(model, "order %u/%u: the record of a timer says nothing of it", tenant, slot);
        oms_arena_fini(&arena);
    }
    order->logged++;
}

void model_recover_end(struct model *model, unsigned tenant, unsigned slot)
{
    struct model_order *order = &model->orders[tenant][slot];
    if (order->unreadable)
        model_fail(model, "order %u/%u: %" PRIu64 " records lack their keys and nobody erased them", tenant,
                   slot, order->unreadable);
    if (order->logged < order->acked)
        model_fail(model, "order %u/%u: version %" PRIu64 " had been acknowledged, the log ends at %" PRIu64,
                   tenant, slot, order->acked, order->logged);
    if (model_failed(model))
        return;
    model->counts.recovered_pending += order->logged - order->acked;
    model->counts.lost_pending += order->tip.version - order->logged;
    if (order->logged < order->tip.version)
        model_fold(order, order->logged, &order->tip);
    order->acked = order->logged;
}
