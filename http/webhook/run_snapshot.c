/*
 * A delivery that brings a snapshot: the tenant's workflow, rolemap or fulfillment, or what is stored of a
 * user. It goes
 * to the tenant's or the user's actor, by the same functions as the API's mutations.
 *
 * Deliveries overtake each other, and senders repeat what is refused. So one that is older than what is there
 * is answered as done, with a word that nothing changed; one of the same version with other content is
 * refused.
 */
#include "actors/tenant_snapshot.h"
#include "http/webhook/run.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

static void finish(struct webhook_run *run, enum webhook_outcome outcome)
{
    run->outcome = outcome;
    run->done(run);
}

#define CHANGED OMS_STR("{\"status\":\"applied\",\"changed\":true}")
#define SAME    OMS_STR("{\"status\":\"applied\",\"changed\":false}")
#define OLDER                                                                                                \
    OMS_STR("{\"status\":\"ignored\",\"changed\":false,\"message\":\"What is there is newer: nothing was "   \
            "changed\"}")

static void apply_done(struct webhook_run *run, struct oms_str answer)
{
    run->answer = answer;
    finish(run, WEBHOOK_APPLIED);
}

/* What came back with refusals: the same for ever, or what another delivery may cure. */
static void refuse(struct webhook_run *run)
{
    bool conflict = run->refusals.items[0].code == REFUSAL_CONFLICT;

    finish(run, conflict ? WEBHOOK_REFUSED : WEBHOOK_MALFORMED);
}

/* A call that did not come to a decision. */
static void fail(struct webhook_run *run, enum oms_status status)
{
    run->call.result = status == OMS_IO ? ORDER_CALL_UNKNOWN : ORDER_CALL_BUSY;
    run->refusals.count = 0;
    finish(run, WEBHOOK_UNAVAILABLE);
}

/* ---- users ---- */

static void user_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct webhook_run *run = OMS_CONTAINER_OF(message, struct webhook_run, user_call.message);
    const struct user_call *call = &run->user_call;
    enum oms_status status = message->status == OMS_OK ? call->status : OMS_BUSY;

    (void)shard;
    user_call_fini(&run->user_call);
    if (status != OMS_OK && status != OMS_LIMIT)
        fail(run, status);
    else if (status == OMS_OK && call->outcome == USER_OLDER)
        apply_done(run, OLDER);
    else if (!user_call_refuse(call, &run->refusals))
        refuse(run);
    else
        apply_done(run, call->outcome == USER_CHANGED ? CHANGED : SAME);
}

static const char *const time_names[] = {"occurred_at", "occurredAt", "timestamp", "time"};

static struct oms_str time_of(const struct oms_value *tree, const struct oms_value *data)
{
    for (size_t i = 0; i < 2 * OMS_COUNT_OF(time_names); i++) {
        const struct oms_value *value = oms_value_get_set(i % 2 ? data : tree, time_names[i / 2]);

        if (value && value->kind == OMS_VALUE_STRING)
            return value->text;
    }
    return OMS_STR_NONE;
}

/* { event_type: "UserLoggedIn", data: { sub, tenant_id, roles } }; of the login topic the data may stand
 * alone. */
static bool read_user(struct webhook_run *run)
{
    const struct oms_value *tree = &run->update->input, *data = oms_value_get_set(tree, "data"),
                           *type = oms_value_get_set(tree, "event_type");
    bool login = run->update->snapshot == WEBHOOK_SNAPSHOT_LOGIN || type;

    run->user_update = (struct user_update){.user = OMS_STR_NONE, .origin = run->origin};
    if (type && (type->kind != OMS_VALUE_STRING || !oms_str_eq_c(type->text, "UserLoggedIn")))
        return refusal_add(
            &run->refusals, REFUSAL_INVALID, REFUSAL_FIELD("event_type"),
            "event_type must be UserLoggedIn; for anything else leave it out and tell user, roles "
            "and grants");
    if (!login)
        return user_update_parse(tree, run->arena, &run->user_update, &run->refusals);
    if (!data)
        data = tree;
    return user_login_parse(data, time_of(tree, data), run->arena, &run->user_update, &run->refusals);
}

static void run_user(struct webhook_run *run)
{
    if (!read_user(run)) {
        finish(run, WEBHOOK_MALFORMED);
        return;
    }
    user_call_init(&run->user_call);
    run->user_call.tenant = run->tenant;
    run->user_call.update = &run->user_update;
    run->user_call.message.on_return = user_returned;
    user_call_send(run->shard, &run->user_call);
}

/* ---- parts of the tenant ---- */

static const struct oms_value *first_of(const struct oms_value *tree, const char *a, const char *b)
{
    const struct oms_value *value = oms_value_get_set(tree, a);

    return value ? value : oms_value_get_set(tree, b);
}

/* On the tenant's shard. */
static bool apply(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                  struct refusal_list *refusals)
{
    struct webhook_run *run =
        OMS_CONTAINER_OF((struct tenant_change *)(uintptr_t)change, struct webhook_run, change);

    run->snapshot.now_ms = now_ms;
    switch (run->update->snapshot) {
    case WEBHOOK_SNAPSHOT_WORKFLOW:
        return tenant_version_set_workflow(wanted, run->part, &run->snapshot, refusals);
    case WEBHOOK_SNAPSHOT_ROLEMAP:
        return tenant_version_set_rolemap(wanted, run->part, &run->snapshot, refusals);
    case WEBHOOK_SNAPSHOT_FULFILLMENT:
        return tenant_version_set_fulfillment(wanted, run->part, &run->snapshot, refusals);
    case WEBHOOK_SNAPSHOT_NONE:
    case WEBHOOK_SNAPSHOT_USER:
    case WEBHOOK_SNAPSHOT_LOGIN:
        break;
    }
    OMS_UNREACHABLE();
}

static void tenant_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct webhook_run *run = OMS_CONTAINER_OF(message, struct webhook_run, tenant_call.message);
    enum oms_status status = message->status == OMS_OK ? run->tenant_call.status : OMS_BUSY;

    (void)shard;
    tenant_call_fini(&run->tenant_call);
    if (status == OMS_LIMIT)
        refusal_add(&run->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                    "The tenant with this change would be larger than a tenant may be");
    if (status != OMS_OK && status != OMS_LIMIT)
        fail(run, status);
    else if (run->snapshot.older)
        apply_done(run, OLDER);
    else if (run->refusals.count)
        refuse(run);
    else
        apply_done(run, run->tenant_call.changed ? CHANGED : SAME);
}

/* The workflow stands in "workflow", or is the payload itself less what concerns the delivery. */
static const struct oms_value *workflow_of(struct webhook_run *run)
{
    static const char *const others[] = {"tenant_id",      "tenantId",      "version",
                                         "source_version", "sourceVersion", "id"};
    const struct oms_value *tree = &run->update->input, *inner = oms_value_get_set(tree, "workflow");
    struct oms_value *own = OMS_ARENA_NEW(run->arena, struct oms_value);
    struct oms_field *fields = oms_arena_calloc(run->arena, tree->object.count + 1, sizeof(*fields));
    size_t count = 0;

    if (inner || !own || !fields)
        return inner;
    for (size_t i = 0; i < tree->object.count; i++) {
        bool other = false;

        for (size_t k = 0; k < OMS_COUNT_OF(others); k++)
            other = other || oms_str_eq_c(tree->object.fields[i].name, others[k]);
        if (!other)
            fields[count++] = tree->object.fields[i];
    }
    *own = (struct oms_value){.kind = OMS_VALUE_OBJECT, .object = {fields, count}};
    return own;
}

static bool read_part(struct webhook_run *run)
{
    const struct oms_value *tree = &run->update->input, *version = oms_value_get_set(tree, "version");

    run->snapshot = (struct tenant_snapshot){.origin = run->origin};
    if (!version)
        version = first_of(tree, "source_version", "sourceVersion");
    if (!tenant_snapshot_version(version, &run->snapshot.version, &run->refusals))
        return false;
    if (run->update->snapshot == WEBHOOK_SNAPSHOT_FULFILLMENT) {
        run->part = tree;
        return !oms_value_get_set(tree, "tracking") ||
               refusal_add(&run->refusals, REFUSAL_INVALID, REFUSAL_FIELD("tracking"),
                           "Tell of shipments by the topic shipment_tracker, one at a time");
    }
    if (run->update->snapshot == WEBHOOK_SNAPSHOT_WORKFLOW)
        run->part = workflow_of(run);
    else
        run->part = first_of(tree, "rows", "rolemap");
    return run->part || refusal_add(&run->refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("rows"),
                                    "rows are required: all rows of the rolemap");
}

static void run_part(struct webhook_run *run)
{
    if (!read_part(run)) {
        finish(run, WEBHOOK_MALFORMED);
        return;
    }
    /* The tenant's shard writes refusals: into memory that nobody here uses meanwhile. */
    refusal_list_init(&run->refusals, &run->call.arena);
    run->change = (struct tenant_change){.apply = apply};
    tenant_call_init(&run->tenant_call);
    run->tenant_call.number = run->tenant;
    run->tenant_call.change = &run->change;
    run->tenant_call.refusals = &run->refusals;
    run->tenant_call.message.on_return = tenant_returned;
    tenant_call_send(run->shard, &run->tenant_call);
}

void webhook_run_snapshot(struct webhook_run *run)
{
    const struct tenant_version *tenant = actors_tenant(run->shard, run->tenant);

    if (!tenant || tenant->status != TENANT_ACTIVE) {
        finish(run, WEBHOOK_SUSPENDED);
        return;
    }
    if (run->update->snapshot == WEBHOOK_SNAPSHOT_USER || run->update->snapshot == WEBHOOK_SNAPSHOT_LOGIN)
        run_user(run);
    else
        run_part(run);
}
