/*
 * One lane of an inbox: lets one of equal deliveries run at a time, remembers what no order does, and has
 * waiting updates tried again. See inbox.h.
 *
 * Which deliveries are under way is known in memory only: they end with the process, and are then new again,
 * while their order remembers what it accepted. What is told of an entry is told when its unit is durable.
 */
#include "actors/inbox_state.h"
#include "actors/system_shard.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include <stdio.h>

#include "storage/keys.h"

#define FLIGHTS_MAX     4096
#define TRIES_AT_ONCE   16
#define TRY_FIRST_MS    500
#define TRY_LAST_MS     30000
#define LIST_BYTES_MAX  (1u << 20)
#define STATE_BYTES_MAX (256u << 20) /* above any that the limits allow */

enum residence { LANE_UNLOADED, LANE_LOADING, LANE_LOADED, LANE_FAULTY };

/* A delivery under way, and equal ones that wait for what becomes of it. */
struct flight {
    struct oms_hash128 key, content;
    struct inbox_call *first, *last;
};

struct lane {
    struct rt_actor base;
    struct inbox inbox;
    struct flight *flights;
    size_t flight_count, flight_cap;
    uint64_t last_seq;
    uint32_t unapplied;
    unsigned trying;
    enum residence residence;
};

static unsigned lane_number(const struct lane *lane)
{
    return lane->base.address.key[15];
}

static void finish(struct actors_shard *as, struct inbox_call *call, enum inbox_result result)
{
    call->result = result;
    rt_return(as->shard, &call->message);
}

static void release(struct rt_shard *shard, struct held_item *item, enum oms_status status)
{
    struct inbox_call *call = OMS_CONTAINER_OF(item, struct inbox_call, held);
    if (status != OMS_OK)
        call->result = INBOX_UNKNOWN;
    rt_return(shard, &call->message);
}

/* The call goes home when all that the lane has submitted is durable. */
static void hold(struct actors_shard *as, struct lane *lane, struct inbox_call *call,
                 enum inbox_result result)
{
    call->result = result;
    call->held.release = release;
    held_push(&as->held, as->shard, &call->held, lane->last_seq, store_durable_seq(as->store, as->shard));
}

/* ---- changes ---- */

static enum inbox_result admit(struct actors_shard *as, const struct lane *lane)
{
    enum oms_status status = store_admit(as->store, as->shard, lane->base.address.tenant);
    return status == OMS_OK         ? INBOX_DONE
           : status == OMS_NO_SPACE ? INBOX_NO_SPACE
           : status == OMS_CLOSED   ? INBOX_STOPPING
                                    : INBOX_BUSY;
}

/* Submits a unit of one event and applies it. */
static void submit(struct actors_shard *as, struct lane *lane, const struct oms_buf *event, int64_t now_ms)
{
    struct store_unit *unit = store_unit_take(as->store, as->shard);
    store_unit_begin(unit, &lane->base.address, lane->inbox.version, lane->inbox.version + 1, now_ms);
    size_t mark = store_unit_begin_event(unit);
    oms_buf_append_str(&unit->record, oms_buf_str(event));
    store_unit_end_event(unit, mark);
    OMS_ASSERT(store_unit_end(unit) == OMS_OK); /* entries are bounded far below a unit */
    lane->unapplied++;
    lane->last_seq = store_submit(as->store, as->shard, unit);
    struct order_watch *watch = actors_watch(as, &lane->base.address, unit, 0);
    if (watch)
        actors_watch_hold(as, watch, lane->last_seq);
    size_t waiting = lane->inbox.waiting;
    OMS_ASSERT(inbox_apply(&lane->inbox, oms_buf_str(event), now_ms) == OMS_OK);
    tenant_counts_add(
        &as->system->counts[lane->base.address.tenant],
        (struct tenant_usage){.webhooks_waiting = (int64_t)lane->inbox.waiting - (int64_t)waiting});
    lane->inbox.version++;
}

static enum inbox_result record(struct actors_shard *as, struct lane *lane, const struct inbox_call *call)
{
    int64_t now_ms = rt_now_ms(as->system->config.host);
    bool waits = call->phase == INBOX_WAITING;
    enum inbox_result admitted = admit(as, lane);
    struct oms_buf event;
    struct inbox_entry entry = {
        .number = lane->inbox.number_next,
        .phase = call->phase,
        .key = call->key,
        .content = call->content,
        .at = now_ms,
        .expires_at = waits ? call->expires_at : 0,
        .status = call->status,
        .answer = oms_buf_str(&call->answer),
        .provider = call->provider,
        .topic = call->topic,
        .update = waits ? call->update : OMS_STR_NONE,
    };
    if (admitted != INBOX_DONE)
        return admitted;
    if (!inbox_has_room(&lane->inbox, waits, now_ms) || entry.answer.len > OMS_INBOX_ANSWER_BYTES_MAX ||
        entry.update.len > OMS_INBOX_UPDATE_BYTES_MAX)
        return INBOX_BUSY;
    oms_buf_init(&event, OMS_UNIT_BYTES_MAX);
    inbox_put_added(&entry, &event);
    submit(as, lane, &event, now_ms);
    oms_buf_fini(&event);
    return INBOX_DONE;
}

static enum inbox_result settle_entry(struct actors_shard *as, struct lane *lane, uint32_t number,
                                      enum inbox_phase phase, int64_t expires_at, struct oms_str reason)
{
    enum inbox_result admitted = admit(as, lane);
    struct oms_buf event;
    if (admitted != INBOX_DONE)
        return admitted;
    oms_buf_init(&event, OMS_UNIT_BYTES_MAX);
    inbox_put_settled(number, phase, expires_at, reason, &event);
    submit(as, lane, &event, rt_now_ms(as->system->config.host));
    oms_buf_fini(&event);
    return INBOX_DONE;
}

/* ---- flights ---- */

static struct flight *find_flight(const struct lane *lane, struct oms_hash128 key)
{
    for (size_t i = 0; i < lane->flight_count; i++)
        if (lane->flights[i].key.lo == key.lo && lane->flights[i].key.hi == key.hi)
            return &lane->flights[i];
    return NULL;
}

static bool same(struct oms_hash128 a, struct oms_hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

static void tell_first_answer(struct actors_shard *as, struct lane *lane, struct inbox_call *call,
                              const struct inbox_entry *entry)
{
    call->status = entry->status;
    oms_buf_reset(&call->answer);
    oms_buf_append_str(&call->answer, entry->answer);
    hold(as, lane, call, INBOX_KNOWN);
}

static void add_flight(struct lane *lane, const struct inbox_call *call)
{
    if (lane->flight_count == lane->flight_cap) {
        lane->flight_cap = lane->flight_cap ? lane->flight_cap * 2 : 8;
        lane->flights = oms_reallocarray(lane->flights, lane->flight_cap, sizeof(lane->flights[0]));
    }
    lane->flights[lane->flight_count++] = (struct flight){.key = call->key, .content = call->content};
}

static void begin(struct actors_shard *as, struct lane *lane, struct inbox_call *call)
{
    const struct inbox_entry *entry = inbox_find(&lane->inbox, call->key);
    struct flight *flight = find_flight(lane, call->key);
    if (entry && same(entry->content, call->content)) {
        tell_first_answer(as, lane, call, entry);
    } else if (entry || (flight && !same(flight->content, call->content))) {
        finish(as, call, INBOX_OTHER);
    } else if (flight) {
        call->next = NULL;
        if (flight->last)
            flight->last->next = call;
        else
            flight->first = call;
        flight->last = call;
    } else if (lane->flight_count >= FLIGHTS_MAX) {
        finish(as, call, INBOX_BUSY);
    } else {
        add_flight(lane, call);
        finish(as, call, INBOX_DONE);
    }
}

/* What waited for this delivery: gets its answer if it is remembered here, else the next one runs. */
static void land(struct actors_shard *as, struct lane *lane, struct oms_hash128 key)
{
    struct flight *flight = find_flight(lane, key);
    const struct inbox_entry *entry = inbox_find(&lane->inbox, key);
    OMS_ASSERT(flight);
    while (entry && flight->first) {
        struct inbox_call *call = flight->first;
        flight->first = call->next;
        tell_first_answer(as, lane, call, entry);
    }
    if (flight->first) {
        struct inbox_call *call = flight->first;
        flight->first = call->next;
        if (!flight->first)
            flight->last = NULL;
        finish(as, call, INBOX_DONE);
        return;
    }
    *flight = lane->flights[--lane->flight_count];
}

static void end(struct actors_shard *as, struct lane *lane, struct inbox_call *call)
{
    enum inbox_result result = call->phase == INBOX_NOTHING ? INBOX_DONE : record(as, lane, call);
    land(as, lane, call->key);
    if (result == INBOX_DONE && call->phase != INBOX_NOTHING)
        hold(as, lane, call, result);
    else
        finish(as, call, result);
}

/* ---- what waits ---- */

static void log_in_vain(const struct lane *lane, const struct inbox_entry *entry, const char *event)
{
    char id[32];
    snprintf(id, sizeof(id), "%u-%u", lane_number(lane), (unsigned)entry->number);
    OMS_LOG(OMS_LOG_WARN, event, OMS_LOG_U64("tenant", lane->base.address.tenant),
            OMS_LOG_STR("provider", entry->provider), OMS_LOG_STR("topic", entry->topic),
            OMS_LOG_TEXT("id", id));
}

static void settle(struct actors_shard *as, struct lane *lane, struct inbox_call *call)
{
    struct inbox_entry *entry = inbox_find_number(&lane->inbox, call->number);
    OMS_ASSERT(entry && entry->trying && lane->trying);
    entry->trying = false;
    lane->trying--;
    if (call->phase == INBOX_WAITING || call->phase == INBOX_NOTHING) {
        int64_t pause = (int64_t)TRY_FIRST_MS << (entry->tries < 7 ? entry->tries : 7);
        entry->tries++;
        entry->try_at = rt_now_ms(as->system->config.host) + (pause < TRY_LAST_MS ? pause : TRY_LAST_MS);
        finish(as, call, INBOX_DONE);
        return;
    }
    if (call->phase == INBOX_FAILED)
        log_in_vain(lane, entry, "webhook.waiting_failed");
    enum inbox_result result = settle_entry(as, lane, call->number, call->phase, 0, call->reason);
    hold(as, lane, call, result);
}

static void replay(struct actors_shard *as, struct lane *lane, struct inbox_call *call)
{
    struct inbox_entry *entry = inbox_find_number(&lane->inbox, call->number);
    if (!entry || (entry->phase != INBOX_EXPIRED && entry->phase != INBOX_FAILED) ||
        !oms_str_present(entry->update)) {
        finish(as, call, INBOX_MISSING);
        return;
    }
    entry->tries = 0;
    entry->try_at = 0;
    enum inbox_result result =
        lane->inbox.waiting < OMS_INBOX_WAITING_MAX
            ? settle_entry(as, lane, call->number, INBOX_WAITING, call->expires_at, OMS_STR_NONE)
            : INBOX_BUSY;
    hold(as, lane, call, result);
}

static void list(struct actors_shard *as, struct lane *lane, struct inbox_call *call)
{
    for (size_t i = 0; i < lane->inbox.count && call->answer.len < LIST_BYTES_MAX; i++) {
        const struct inbox_entry *entry = &lane->inbox.items[i];
        if (entry->phase == INBOX_REFUSED || entry->phase == INBOX_APPLIED)
            continue;
        if (call->answer.len)
            oms_buf_append_char(&call->answer, ',');
        inbox_write_json(entry, lane_number(lane), &call->answer);
    }
    hold(as, lane, call, INBOX_DONE);
}

/* The durable timer of a lane in which something waits is always due: it asks twice a second. */
static void run_timer(struct actors_shard *as, struct lane *lane)
{
    const struct actors_config *config = &as->system->config;
    int64_t now_ms = rt_now_ms(config->host);
    for (size_t i = 0; i < lane->inbox.count; i++) {
        struct inbox_entry *entry = &lane->inbox.items[i];
        if (entry->phase != INBOX_WAITING || entry->trying)
            continue;
        if (now_ms >= entry->expires_at) {
            uint32_t number = entry->number;
            log_in_vain(lane, entry, "webhook.waiting_expired");
            if (settle_entry(as, lane, number, INBOX_EXPIRED, 0, OMS_STR_NONE) != INBOX_DONE)
                return;
            i = (size_t)-1; /* entries may have moved */
        } else if (now_ms >= entry->try_at && lane->trying < TRIES_AT_ONCE && config->on_waiting) {
            entry->trying = true;
            lane->trying++;
            config->on_waiting(config->on_waiting_context, as->shard, lane->base.address.tenant,
                               lane_number(lane), entry);
        }
    }
}

/* ---- loading ---- */

struct lane_load {
    struct store_read read;
    struct rt_address address;
    struct rt_message *waiting;
    struct oms_buf bytes;
    enum oms_status status;
};

static void dispatch(struct actors_shard *as, struct lane *lane, struct rt_message *message);

static void settled_load(struct lane *lane, enum oms_status status, struct oms_str bytes)
{
    lane->residence = LANE_LOADED;
    if (status == OMS_NOT_FOUND)
        return;
    if (status == OMS_OK)
        status = inbox_decode(bytes, &lane->inbox);
    if (status != OMS_OK) {
        OMS_LOG(OMS_LOG_ERROR, "inbox.load_failed", OMS_LOG_TEXT("status", oms_status_name(status)));
        lane->residence = LANE_FAULTY;
    }
}

static void load_run(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct lane_load *load = OMS_CONTAINER_OF(read, struct lane_load, read);
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    store_address_key(&load->address, key);
    load->status = engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &load->bytes);
}

static void give_back(struct actors_shard *as, struct rt_message *message, enum inbox_result result)
{
    if (message->kind == INBOX_MESSAGE_CALL)
        OMS_CONTAINER_OF(message, struct inbox_call, message)->result = result;
    rt_return(as->shard, message);
}

static void load_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct lane_load *load = OMS_CONTAINER_OF(message, struct lane_load, read.job.message);
    struct actors_shard *as = actors_shard_of(shard);
    struct lane *lane = (struct lane *)rt_actor_find(shard, &load->address);
    OMS_ASSERT(lane && lane->residence == LANE_LOADING);
    rt_actor_resume(shard, &lane->base);
    if (message->status == OMS_OK) {
        settled_load(lane, load->status, oms_buf_str(&load->bytes));
        dispatch(as, lane, load->waiting);
    } else {
        lane->residence = LANE_UNLOADED;
        give_back(as, load->waiting, message->status == OMS_IO ? INBOX_FAULT : INBOX_BUSY);
    }
    oms_buf_fini(&load->bytes);
    oms_free(load);
}

bool inbox_actor_discard(struct rt_message *message)
{
    if (message->on_return != load_returned)
        return false;
    struct lane_load *load = OMS_CONTAINER_OF(message, struct lane_load, read.job.message);
    if (load->waiting->kind != INBOX_MESSAGE_CALL)
        (void)order_timers_discard(load->waiting);
    oms_buf_fini(&load->bytes);
    oms_free(load);
    return true;
}

/* True when the state is there now, false when `message` waits for the pool. */
static bool load(struct actors_shard *as, struct lane *lane, struct rt_message *message)
{
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    store_address_key(&lane->base.address, key);
    oms_buf_reset(&as->freeze_buf);
    enum oms_status status =
        store_get_cached(as->store, STORE_STATE, oms_str_make(key, sizeof(key)), &as->freeze_buf);
    if (status != OMS_BLOCKED) {
        settled_load(lane, status, oms_buf_str(&as->freeze_buf));
        return true;
    }
    struct lane_load *job = oms_calloc(1, sizeof(*job));
    job->address = lane->base.address;
    job->waiting = message;
    job->read.run = load_run;
    job->read.pool = RT_POOL_LOAD;
    job->read.job.message.home = (uint16_t)rt_shard_index(as->shard);
    job->read.job.message.on_return = load_returned;
    oms_buf_init(&job->bytes, STATE_BYTES_MAX);
    lane->residence = LANE_LOADING;
    rt_actor_pause(&lane->base);
    store_read(as->store, as->shard, &job->read);
    return false;
}

/* ---- the class ---- */

static void dispatch(struct actors_shard *as, struct lane *lane, struct rt_message *message)
{
    static void (*const run[])(struct actors_shard *, struct lane *,
                               struct inbox_call *) = {[INBOX_BEGIN] = begin,
                                                       [INBOX_END] = end,
                                                       [INBOX_SETTLE] = settle,
                                                       [INBOX_REPLAY] = replay,
                                                       [INBOX_LIST] = list};
    if (lane->residence == LANE_FAULTY) {
        give_back(as, message, INBOX_FAULT);
    } else if (message->kind == INBOX_MESSAGE_CALL) {
        struct inbox_call *call = OMS_CONTAINER_OF(message, struct inbox_call, message);
        run[call->op](as, lane, call);
    } else {
        run_timer(as, lane);
        rt_return(as->shard, message);
    }
}

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    (void)shard;
    struct lane *lane = oms_calloc(1, sizeof(*lane));
    rt_actor_init(&lane->base, &inbox_actor_class, address);
    inbox_init(&lane->inbox);
    return &lane->base;
}

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct actors_shard *as = actors_shard_of(shard);
    struct lane *lane = (struct lane *)actor;
    if (lane->residence == LANE_UNLOADED && !load(as, lane, message))
        return;
    dispatch(as, lane, message);
}

static bool may_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    const struct lane *lane = (const struct lane *)actor;
    return lane->unapplied == 0 && lane->flight_count == 0 && lane->trying == 0 &&
           lane->residence != LANE_LOADING;
}

static void destroy(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    struct lane *lane = (struct lane *)actor;
    inbox_fini(&lane->inbox);
    oms_free(lane->flights);
    oms_free(lane);
}

const struct rt_actor_class inbox_actor_class = {
    .name = "inbox",
    .activate = activate,
    .receive = receive,
    .may_passivate = may_passivate,
    .destroy = destroy,
};

void inbox_actor_applied(struct actors_shard *as, const struct rt_address *address)
{
    struct lane *lane = (struct lane *)rt_actor_find(as->shard, address);
    OMS_ASSERT(lane && lane->unapplied > 0);
    lane->unapplied--;
}

unsigned inbox_lane_of(struct oms_hash128 key)
{
    return (unsigned)(key.hi % OMS_INBOX_LANES);
}

void inbox_call_send(struct rt_shard *shard, struct inbox_call *call)
{
    bool keyed = call->op == INBOX_BEGIN || call->op == INBOX_END;
    memset(&call->message.to, 0, sizeof(call->message.to));
    call->message.to.tenant = call->tenant;
    call->message.to.kind = RT_ACTOR_INBOX;
    call->message.to.key[15] = (unsigned char)(keyed ? inbox_lane_of(call->key) : call->lane);
    call->message.kind = INBOX_MESSAGE_CALL;
    /* What was begun must end: these may use the part of the queues that is kept for the system. */
    call->message.flags = call->op == INBOX_END || call->op == INBOX_SETTLE ? RT_MESSAGE_SYSTEM : 0;
    call->message.home = (uint16_t)rt_shard_index(shard);
    rt_send(shard, &call->message);
}
