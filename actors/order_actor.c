/*
 * The order actor: one order's messages, one at a time.
 *
 * A command is decided on the state in memory, its unit is encoded and submitted, its events are applied, and
 * the reply is rendered at once and held until the unit is durable; the actor goes on with its next message
 * meanwhile. The state in memory is therefore always "everything submitted", and what leaves is always
 * durable.
 *
 * Residence: unloaded → (loading) → absent, thawed or faulty; thawed ⇄ frozen by a least-recently-used list,
 * so that an idle order costs its bytes and little more. An actor with a unit not yet materialised is not
 * passivated, because the store could not give its state back.
 */
#include "actors/order.h"
#include "actors/order_call.h"
#include "actors/order_codec.h"
#include "actors/order_observer.h"
#include "actors/system_shard.h"
#include "actors/unit_meta.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "storage/keys.h"
#include "storage/sealed.h"

enum residence { ORDER_UNLOADED, ORDER_LOADING, ORDER_ABSENT, ORDER_FROZEN, ORDER_THAWED, ORDER_FAULTY };

struct order_instance {
    struct rt_actor base;
    struct order_instance *thawed_prev, *thawed_next;
    union {
        struct order *order;   /* ORDER_THAWED; also ORDER_ABSENT while a creation may come (then NULL) */
        unsigned char *frozen; /* ORDER_FROZEN: frozen_len bytes */
    };
    uint64_t last_seq; /* shard_seq of the last submitted unit */
    uint32_t frozen_len;
    uint32_t unapplied; /* submitted, not yet materialised */
    uint32_t touched;   /* the shard's ticks at the last message */
    uint8_t residence;  /* enum residence */
    bool passing;       /* all that asked for it since it is here were passing calls */
};

/* ---- residence ---- */

static void thawed_unlink(struct actors_shard *as, struct order_instance *oa)
{
    *(oa->thawed_prev ? &oa->thawed_prev->thawed_next : &as->thawed_first) = oa->thawed_next;
    *(oa->thawed_next ? &oa->thawed_next->thawed_prev : &as->thawed_last) = oa->thawed_prev;
    oa->thawed_prev = oa->thawed_next = NULL;
    as->stats.orders_thawed--;
}

static void thawed_append(struct actors_shard *as, struct order_instance *oa)
{
    oa->thawed_prev = as->thawed_last;
    oa->thawed_next = NULL;
    *(as->thawed_last ? &as->thawed_last->thawed_next : &as->thawed_first) = oa;
    as->thawed_last = oa;
    as->stats.orders_thawed++;
}

static void become_thawed(struct actors_shard *as, struct order_instance *oa, struct order *order)
{
    oa->order = order;
    oa->residence = ORDER_THAWED;
    thawed_append(as, oa);
    if (as->stats.orders_thawed > as->system->config.orders_thawed_max)
        order_actor_freeze_oldest(as);
}

static void become_frozen(struct actors_shard *as, struct order_instance *oa)
{
    OMS_ASSERT(oa->residence == ORDER_THAWED);
    struct order *order = oa->order;
    thawed_unlink(as, oa);
    oms_buf_reset(&as->freeze_buf);
    order_freeze(order, &as->freeze_buf);
    OMS_ASSERT(!as->freeze_buf.overflow && as->freeze_buf.len <= UINT32_MAX);
    oa->frozen = oms_malloc(as->freeze_buf.len);
    oa->frozen_len = (uint32_t)as->freeze_buf.len;
    memcpy(oa->frozen, as->freeze_buf.data, as->freeze_buf.len);
    oa->residence = ORDER_FROZEN;
    order_destroy(order);
}

void order_actor_freeze_oldest(struct actors_shard *as)
{
    if (as->thawed_first && as->thawed_first != as->thawed_last)
        become_frozen(as, as->thawed_first);
}

#define IDLE_TICKS      50
#define FREEZE_PER_TICK 1024

void order_actor_freeze_idle(struct actors_shard *as)
{
    as->ticks++;
    for (unsigned i = 0; i < FREEZE_PER_TICK && as->thawed_first; i++) {
        if (as->ticks - as->thawed_first->touched < IDLE_TICKS)
            break;
        become_frozen(as, as->thawed_first);
    }
}

/* Thaws stored or kept bytes. The actor becomes faulty when they do not decode: nothing can be decided then.
 */
static void thaw(struct actors_shard *as, struct order_instance *oa, struct oms_str bytes)
{
    struct order *order = order_create();
    if (order_thaw(bytes, order) != OMS_OK) {
        OMS_LOG(OMS_LOG_ERROR, "order.state_corrupt", OMS_LOG_U64("tenant", oa->base.address.tenant));
        order_destroy(order);
        oa->order = NULL;
        oa->residence = ORDER_FAULTY;
        return;
    }
    become_thawed(as, oa, order);
}

static void touch(struct actors_shard *as, struct order_instance *oa)
{
    oa->touched = as->ticks;
    if (oa->residence == ORDER_FROZEN) {
        unsigned char *bytes = oa->frozen;
        thaw(as, oa, oms_str_make(bytes, oa->frozen_len));
        oms_free(bytes);
    } else if (oa->residence == ORDER_THAWED && as->thawed_last != oa) {
        thawed_unlink(as, oa);
        thawed_append(as, oa);
    }
}

/* Edits leave garbage in an order's arena, an erasure what was erased: a freeze and a thaw win it back. */
static void compact(struct actors_shard *as, struct order_instance *oa, bool erased)
{
    if (oa->residence == ORDER_THAWED &&
        (order_wants_compaction(oa->order) || (erased && oa->order->garbage))) {
        become_frozen(as, oa);
        touch(as, oa);
    }
}

/* ---- loading ---- */

struct order_load {
    struct store_read read;
    struct rt_address address;
    struct rt_message *waiting; /* the message that asked for the state */
    struct oms_buf bytes;
    enum oms_status status;
};

static void dispatch(struct actors_shard *as, struct order_instance *oa, struct rt_message *message);

static void load_settled(struct actors_shard *as, struct order_instance *oa, enum oms_status status,
                         struct oms_str bytes)
{
    if (status == OMS_OK) {
        thaw(as, oa, bytes);
    } else if (status == OMS_NOT_FOUND) {
        oa->order = NULL;
        oa->residence = ORDER_ABSENT;
    } else {
        OMS_LOG(OMS_LOG_ERROR, "order.load_failed", OMS_LOG_TEXT("status", oms_status_name(status)));
        oa->order = NULL;
        oa->residence = ORDER_FAULTY;
    }
}

static void load_run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct order_load *load = OMS_CONTAINER_OF(read, struct order_load, read);
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    store_address_key(&load->address, key);
    load->status = engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &load->bytes);
}

/* The read never ran (its pool is full, the host stops, the store has failed): the next message tries again.
 */
static void load_refused(struct actors_shard *as, struct order_instance *oa, struct rt_message *waiting,
                         enum oms_status status)
{
    oa->residence = ORDER_UNLOADED;
    if (waiting->kind == ORDER_MESSAGE_CALL)
        OMS_CONTAINER_OF(waiting, struct order_call, message)->result =
            status == OMS_IO ? ORDER_CALL_FAULT : ORDER_CALL_BUSY;
    rt_return(as->shard, waiting);
}

static void load_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct order_load *load = OMS_CONTAINER_OF(message, struct order_load, read.job.message);
    struct actors_shard *as = actors_shard_of(shard);
    struct order_instance *oa = (struct order_instance *)rt_actor_find(shard, &load->address);
    OMS_ASSERT(oa && oa->residence == ORDER_LOADING);
    rt_actor_resume(shard, &oa->base);
    if (message->status == OMS_OK) {
        load_settled(as, oa, load->status, oms_buf_str(&load->bytes));
        dispatch(as, oa, load->waiting);
    } else {
        load_refused(as, oa, load->waiting, message->status);
    }
    oms_buf_fini(&load->bytes);
    oms_free(load);
}

bool order_actor_discard(struct rt_message *message)
{
    if (message->on_return != load_returned)
        return false;
    struct order_load *load = OMS_CONTAINER_OF(message, struct order_load, read.job.message);
    if (load->waiting->kind == ORDER_MESSAGE_TIMER)
        (void)order_timers_discard(load->waiting);
    oms_buf_fini(&load->bytes);
    oms_free(load);
    return true;
}

/* Loads the state; true when it is there now, false when `message` waits for the pool. */
static bool load(struct actors_shard *as, struct order_instance *oa, struct rt_message *message)
{
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    store_address_key(&oa->base.address, key);
    oms_buf_reset(&as->freeze_buf);
    enum oms_status status =
        store_get_cached(as->store, STORE_STATE, oms_str_make(key, sizeof(key)), &as->freeze_buf);
    if (status != OMS_BLOCKED) {
        as->stats.loads_cached++;
        load_settled(as, oa, status, oms_buf_str(&as->freeze_buf));
        return true;
    }
    struct order_load *job = oms_calloc(1, sizeof(*job));
    job->address = oa->base.address;
    job->waiting = message;
    job->read.run = load_run;
    job->read.pool = RT_POOL_LOAD;
    job->read.job.message.home = (uint16_t)rt_shard_index(as->shard);
    job->read.job.message.on_return = load_returned;
    oms_buf_init(&job->bytes, ORDER_ARENA_MAX);
    oa->residence = ORDER_LOADING;
    rt_actor_pause(&oa->base);
    as->stats.loads_pool++;
    store_read(as->store, as->shard, &job->read);
    return false;
}

/* ---- replying ---- */

static void call_release(struct rt_shard *shard, struct held_item *item, enum oms_status status)
{
    struct order_call *call = OMS_CONTAINER_OF(item, struct order_call, held);
    if (status != OMS_OK)
        call->result = ORDER_CALL_UNKNOWN;
    rt_return(shard, &call->message);
}

static void call_finish(struct actors_shard *as, struct order_call *call, enum order_call_result result)
{
    call->result = result;
    rt_return(as->shard, &call->message);
}

static void copy_refusals(struct order_call *call, const struct refusal_list *from)
{
    refusal_list_init(&call->frozen_refusals, &call->arena);
    for (size_t i = 0; from && i < from->count; i++)
        refusal_add(&call->frozen_refusals, from->items[i].code,
                    oms_str_copy(&call->arena, from->items[i].field), "%.*s",
                    OMS_STR_ARG(from->items[i].message));
}

static bool must_freeze(const struct order_call *call, const struct order *order)
{
    if (call->freeze == ORDER_CALL_FREEZE_FOR_NOTES)
        return order && order->notes_held < order_notes_kept(order);
    return call->freeze == ORDER_CALL_FREEZE_ALWAYS;
}

/* Renders (or copies) the reply and holds it until what it shows is durable. */
static void reply(struct actors_shard *as, struct order_instance *oa, struct order_call *call,
                  struct order_reply *reply)
{
    call->created = reply->created;
    call->replayed = reply->replayed;
    call->result = ORDER_CALL_DONE;
    if (must_freeze(call, reply->order)) {
        call->was_frozen = true;
        copy_refusals(call, reply->refusals);
        if (reply->order)
            order_freeze(reply->order, &call->frozen);
    } else {
        call->render(call, reply);
    }
    call->held.release = call_release;
    held_push(&as->held, as->shard, &call->held, oa->last_seq, store_durable_seq(as->store, as->shard));
}

/* ---- deciding ---- */

/* Encodes the decision as a unit; NULL when it is larger than a unit may be (nothing has happened then). */
static struct store_unit *encode_unit(struct actors_shard *as, struct order_instance *oa,
                                      const struct order *order, const struct order_command *command,
                                      const struct order_context *context,
                                      const struct order_decision *decision)
{
    struct store_unit *unit = store_unit_take(as->store, as->shard);
    struct order_event_meta meta;
    order_decision_meta(order, command, context, 0, &meta);
    store_unit_begin(unit, &oa->base.address, (uint32_t)order->version, (uint32_t)decision->version,
                     meta.time);
    struct oms_str customer =
        order->version ? order_customer_id(order) : decision->events[0].created.customer.customer_id;
    unit_meta_put(unit, &meta, customer);
    for (size_t i = 0; i < decision->event_count; i++) {
        size_t mark = store_unit_begin_event(unit);
        order_event_seal(&decision->events[i], customer, &unit->personal, &unit->record);
        store_unit_end_event(unit, mark);
        if (decision->events[i].type == ORDER_EVENT_CUSTOMER_ERASED)
            store_unit_put_destroys(unit);
    }
    store_unit_seal(store_engine(as->store), as->system->config.host, unit);
    if (store_unit_end(unit) == OMS_OK)
        return unit;
    store_unit_recycle(as->store, as->shard, unit);
    return NULL;
}

/* ---- the tenant's limits ---- */

static struct tenant_counts *counts_of(struct actors_shard *as, const struct order_instance *oa)
{
    return &as->system->counts[oa->base.address.tenant];
}

/* One number that may not grow over its limit; false when it would, and then it is as it was. Shards add to
 * it at once, so it is added to first and looked at then. */
static bool reserve(_Atomic int64_t *count, uint64_t limit, int64_t more, int64_t *before)
{
    *before = atomic_fetch_add_explicit(count, more, memory_order_relaxed);
    if (!limit || *before + more <= (int64_t)limit)
        return true;
    atomic_fetch_sub_explicit(count, more, memory_order_relaxed);
    return false;
}

/*
 * Takes room for a new order, or refuses it. Nothing else is ever refused for these limits: what happens to
 * an order that is there (a payment, a carrier's scan, a deadline) is a fact, and an order that nobody could
 * finish would help nobody.
 */
static bool reserve_room(struct tenant_counts *counts, const struct tenant_limits *limits,
                         struct order_decision *decision)
{
    int64_t before;
    if (!reserve(&counts->open_orders, limits->open_orders, 1, &before))
        return refusal_add(&decision->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("tenantId"),
                           "The tenant has %lld open orders; its limit open_orders is %llu",
                           (long long)before, (unsigned long long)limits->open_orders);
    if (reserve(&counts->stored_events, limits->stored_events, (int64_t)decision->event_count, &before))
        return true;
    atomic_fetch_sub_explicit(&counts->open_orders, 1, memory_order_relaxed);
    return refusal_add(&decision->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("tenantId"),
                       "The tenant has %lld stored events; its limit stored_events is %llu",
                       (long long)before, (unsigned long long)limits->stored_events);
}

/* Submits the unit and applies its events: from here on the actor's state is "everything submitted". */
static void commit(struct actors_shard *as, struct order_instance *oa, struct order *order,
                   struct store_unit *unit, const struct order_command *command,
                   const struct order_context *context, const struct order_decision *decision)
{
    /* Metas name sequences that follow from the order as it was decided on, so the first one is taken before.
     */
    struct order_event_meta meta;
    order_decision_meta(order, command, context, 0, &meta);
    /* A creation has its room already: reserve_room. */
    bool is_new = order->version == 0;
    struct tenant_usage delta = {
        .open_orders = is_new ? -1 : -(int64_t)order_live(order),
        .stored_events = is_new ? 0 : (int64_t)decision->event_count,
    };
    oa->last_seq = store_submit(as->store, as->shard, unit);
    oa->unapplied++;
    struct order_watch *watch =
        actors_watch(as, &oa->base.address, unit, (unsigned)decision->event_count); /* mostly NULL */
    for (size_t i = 0; i < decision->event_count; i++) {
        order_apply(order, &decision->events[i], &meta);
        if (watch)
            actors_watch_event(as, watch, order, &decision->events[i], &meta, (unsigned)i);
        meta.sequence++;
    }
    if (watch)
        actors_watch_hold(as, watch, oa->last_seq);
    OMS_ASSERT(order->version == decision->version);
    delta.open_orders += order_live(order);
    tenant_counts_add(counts_of(as, oa), delta);
    if (oa->residence == ORDER_ABSENT)
        become_thawed(as, oa, order);
    as->stats.commands_accepted++;
}

/* What decide may know besides the order. */
static void context_init(struct order_context *context, struct actors_shard *as,
                         const struct tenant_version *tenant, const struct order *order,
                         const struct principal *principal, const struct access *access)
{
    *context = (struct order_context){
        .now_ms = rt_now_ms(as->system->config.host),
        .principal = principal,
        .access = access,
        .workflow = tenant_workflow(tenant, order && order->version ? order->workflow_version : 0),
        .fulfillment = &tenant->fulfillment,
    };
}

static void show(struct actors_shard *as, struct order_instance *oa, struct order_call *call,
                 const struct order_context *context, const struct tenant_version *tenant,
                 const struct order *order, const struct refusal_list *refusals,
                 const struct order_decision *decision)
{
    struct order_reply out = {
        .access = context->access,
        .tenant = tenant,
        .principal = call->principal,
        .refusals = refusals,
        .created = decision && decision->created,
        .replayed = decision && decision->kind == ORDER_DECISION_REPLAYED,
        .version = decision ? decision->version : 0,
        .now_ms = context->now_ms,
    };
    if (order && order->version && order_access(order, context, PERMISSION_GET_ORDER, &out.on))
        out.order = order;
    reply(as, oa, call, &out);
}

static void run_command(struct actors_shard *as, struct order_instance *oa, struct order_call *call,
                        const struct tenant_version *tenant, const struct access *access)
{
    enum oms_status admitted = store_admit(as->store, as->shard, oa->base.address.tenant);
    if (admitted != OMS_OK) {
        call_finish(as, call,
                    admitted == OMS_NO_SPACE ? ORDER_CALL_NO_SPACE
                    : admitted == OMS_CLOSED ? ORDER_CALL_STOPPING
                                             : ORDER_CALL_BUSY);
        return;
    }
    /* A creation is decided on an empty order, which becomes the actor's when it is accepted. */
    struct order *order = oa->residence == ORDER_THAWED ? oa->order : order_create();
    struct order_context context;
    context_init(&context, as, tenant, order, call->principal, access);
    if (call->command->type == ORDER_COMMAND_MIGRATE_WORKFLOW)
        context.target = tenant_workflow(tenant, call->command->migrate.version);
    struct order_decision decision;
    order_decide(order, call->command, &context, &as->scratch, &decision);

    struct store_unit *unit = NULL;
    bool erases = call->command->type == ORDER_COMMAND_ERASE_CUSTOMER; /* also of a suspended tenant */
    if (decision.kind == ORDER_DECISION_EVENTS && tenant->status != TENANT_ACTIVE && !erases) {
        decision.kind = ORDER_DECISION_REFUSED;
        refusal_add(&decision.refusals, REFUSAL_TENANT_SUSPENDED, REFUSAL_NO_FIELD,
                    "The tenant is suspended: its orders can be read but not changed");
    } else if (decision.kind == ORDER_DECISION_EVENTS &&
               !(unit = encode_unit(as, oa, order, call->command, &context, &decision))) {
        decision.kind = ORDER_DECISION_REFUSED;
        refusal_add(&decision.refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                    "The change is larger than %u bytes when stored", OMS_UNIT_BYTES_MAX);
    } else if (unit && order->version == 0 && !reserve_room(counts_of(as, oa), &tenant->limits, &decision)) {
        decision.kind = ORDER_DECISION_REFUSED;
        as->stats.commands_over_limit++;
        store_unit_recycle(as->store, as->shard, unit);
        unit = NULL;
    }
    if (unit)
        commit(as, oa, order, unit, call->command, &context, &decision);
    else if (decision.kind == ORDER_DECISION_REPLAYED)
        as->stats.commands_replayed++;
    else if (decision.kind == ORDER_DECISION_REFUSED)
        as->stats.commands_refused++;
    if (decision.kind != ORDER_DECISION_EVENTS)
        decision.created = false;
    show(as, oa, call, &context, tenant, order,
         decision.kind == ORDER_DECISION_REFUSED ? &decision.refusals : NULL, &decision);
    if (oa->residence != ORDER_THAWED)
        order_destroy(order);
    else
        compact(as, oa, erases);
}

static void run_call(struct actors_shard *as, struct order_instance *oa, struct order_call *call)
{
    const struct tenant_version *tenant = tenant_table_get(&as->tenants, oa->base.address.tenant);
    if (!tenant || oa->residence == ORDER_FAULTY) {
        call_finish(as, call, ORDER_CALL_FAULT);
        return;
    }
    bool erased_again = call->command && call->command_type == ORDER_COMMAND_ERASE_CUSTOMER &&
                        call->principal->kind == PRINCIPAL_SYSTEM; /* by the erasure log */
    /* Removed since the call was sent: the next one will not find the tenant. */
    if (tenant->status == TENANT_REMOVED && !erased_again) {
        call_finish(as, call, ORDER_CALL_BUSY);
        return;
    }
    struct access access;
    struct principal who = *call->principal;
    actors_principal_own(as->shard, &who); /* this shard's, which is newer or the same */
    if (!permission_evaluate(&tenant->permissions, &who, &as->scratch, &access)) {
        call_finish(as, call, ORDER_CALL_BUSY);
        return;
    }
    if (call->kind == ORDER_CALL_COMMAND && call->command) {
        run_command(as, oa, call, tenant, &access);
        return;
    }
    as->stats.reads++;
    struct order *order = oa->residence == ORDER_THAWED ? oa->order : NULL;
    struct order_context context;
    context_init(&context, as, tenant, order, call->principal, &access);
    show(as, oa, call, &context, tenant, order, call->refused, NULL);
}

/* ---- timers ---- */

static void run_timer(struct actors_shard *as, struct order_instance *oa, struct order_timer_message *due)
{
    const struct tenant_version *tenant = tenant_table_get(&as->tenants, oa->base.address.tenant);
    static const struct principal timer_principal = {.kind = PRINCIPAL_TIMER};
    if (oa->residence == ORDER_THAWED && tenant && tenant->status == TENANT_ACTIVE &&
        store_admit(as->store, as->shard, oa->base.address.tenant) == OMS_OK) {
        struct order_command command = {.type = due->timer.command, .principal = &timer_principal};
        if (due->timer.command == ORDER_COMMAND_EXPIRE_HOLD)
            command.hold.hold = due->timer.part;
        else
            command.step.activity = due->timer.part;
        struct order_context context;
        context_init(&context, as, tenant, oa->order, &timer_principal, NULL);
        struct order_decision decision;
        order_decide(oa->order, &command, &context, &as->scratch, &decision);
        struct store_unit *unit = NULL;
        if (decision.kind == ORDER_DECISION_EVENTS)
            unit = encode_unit(as, oa, oa->order, &command, &context, &decision);
        if (unit) {
            commit(as, oa, oa->order, unit, &command, &context, &decision);
            as->stats.timers_fired++;
        }
    }
    rt_return(as->shard, &due->message);
}

/* ---- the class ---- */

static void note_absent(struct actors_shard *as, struct order_instance *oa)
{
    if (oa->residence == ORDER_ABSENT && oa->base.queued == 0 && as->absent_count < ACTORS_ABSENT_MAX)
        as->absent[as->absent_count++] = oa->base.address;
}

/* Millions of orders may come in one after the other and not be asked for again: those that the store can
 * give back do not wait for their place in memory to be wanted. */
static void let_pass(struct actors_shard *as, struct order_instance *oa)
{
    if (oa->passing && oa->unapplied == 0 && oa->residence == ORDER_THAWED)
        (void)rt_actor_passivate(as->shard, &oa->base);
}

static void dispatch(struct actors_shard *as, struct order_instance *oa, struct rt_message *message)
{
    touch(as, oa);
    oa->passing = oa->passing && message->kind == ORDER_MESSAGE_CALL &&
                  OMS_CONTAINER_OF(message, struct order_call, message)->passing;
    oms_arena_reset(&as->scratch);
    if (message->kind == ORDER_MESSAGE_CALL)
        run_call(as, oa, OMS_CONTAINER_OF(message, struct order_call, message));
    else
        run_timer(as, oa, OMS_CONTAINER_OF(message, struct order_timer_message, message));
    note_absent(as, oa);
    let_pass(as, oa); /* the last that is done with it */
}

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    struct actors_shard *as = actors_shard_of(shard);
    struct order_instance *oa = oms_calloc(1, sizeof(*oa));
    rt_actor_init(&oa->base, &order_actor_class, address);
    oa->residence = ORDER_UNLOADED;
    oa->passing = true;
    as->stats.orders_live++;
    return &oa->base;
}

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct actors_shard *as = actors_shard_of(shard);
    struct order_instance *oa = (struct order_instance *)actor;
    if (oa->residence == ORDER_UNLOADED && !load(as, oa, message))
        return;
    dispatch(as, oa, message);
}

#define CACHE_LINE 64u

static void prefetch_bytes(const void *data, size_t len)
{
    for (size_t i = 0; i < len; i += CACHE_LINE)
        __builtin_prefetch((const char *)data + i);
}

/* A request reads an order's fields here and there; then the first of its lists and texts. */
static void prefetch(const struct rt_actor *actor, bool near)
{
    const struct order_instance *oa = (const struct order_instance *)actor;
    if (oa->residence == ORDER_FROZEN && !near) {
        prefetch_bytes(oa->frozen, oa->frozen_len < 512 ? oa->frozen_len : 512);
    } else if (oa->residence == ORDER_THAWED && !near) {
        prefetch_bytes(oa->order, sizeof(*oa->order));
    } else if (oa->residence == ORDER_THAWED) {
        __builtin_prefetch(oa->order->order_id.data);
        __builtin_prefetch(oa->order->external_ref.data);
        __builtin_prefetch(oa->order->customer.name.data);
        prefetch_bytes(oa->order->activities, sizeof(oa->order->activities[0]));
    }
}

static bool may_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    const struct order_instance *oa = (const struct order_instance *)actor;
    return oa->unapplied == 0 && oa->residence != ORDER_LOADING;
}

static void destroy(struct rt_shard *shard, struct rt_actor *actor)
{
    struct actors_shard *as = actors_shard_of(shard);
    struct order_instance *oa = (struct order_instance *)actor;
    if (oa->residence == ORDER_THAWED) {
        thawed_unlink(as, oa);
        order_destroy(oa->order);
    } else if (oa->residence == ORDER_FROZEN) {
        oms_free(oa->frozen);
    }
    as->stats.orders_live--;
    oms_free(oa);
}

const struct rt_actor_class order_actor_class = {
    .name = "order",
    .activate = activate,
    .prefetch = prefetch,
    .receive = receive,
    .may_passivate = may_passivate,
    .destroy = destroy,
};

void order_actor_applied(struct actors_shard *as, const struct rt_address *address)
{
    struct order_instance *oa = (struct order_instance *)rt_actor_find(as->shard, address);
    OMS_ASSERT(oa && oa->unapplied > 0);
    oa->unapplied--;
    let_pass(as, oa);
}

void order_actor_passivate_absent(struct actors_shard *as, struct rt_actor *actor)
{
    if (((struct order_instance *)actor)->residence == ORDER_ABSENT)
        rt_actor_passivate(as->shard, actor);
}

void order_call_send(struct rt_shard *shard, struct order_call *call)
{
    call->message.kind = ORDER_MESSAGE_CALL;
    call->message.home = (uint16_t)rt_shard_index(shard);
    rt_send(shard, &call->message);
}
