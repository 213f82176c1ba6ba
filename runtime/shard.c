/*
 * The shard's turn: inbox, timers, actors, hooks, and the chains to other shards.
 *
 * Invariants:
 *  - Messages from one sender to one actor arrive in order: those within the shard all go through `local`,
 * those from another shard all through the inbox.
 *  - activate() and on_return() are called from the turn's own loop and never from inside rt_send or
 * rt_return, so neither nests, however long a chain of reactions is.
 *  - Everything that a turn takes up is bounded: inbox, timers and messages by turn_messages, returns by what
 * had come home when they were looked at.
 *
 * Why messages are handed to mailboxes in groups: over many actors each costs a cache miss in the directory
 * and one or two at the actor. Looked up side by side these misses overlap, which is worth a factor of
 * several.
 */
#include "runtime/shard.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/shard_internal.h"

enum {
    INBOX_BATCH = 64,   /* messages taken from the inbox in one go */
    LOCAL_BATCH = 64,   /* local messages that are gathered while other actors can run */
    AHEAD_ACTOR = 12,   /* how far ahead of its delivery a message's actor is fetched into the cache */
    COLD_ACTORS = 4096, /* with fewer residents everything is in the cache anyway */
};

struct rt_shard *rt_shard_create(struct rt_host *host, unsigned index)
{
    OMS_ASSERT(host->shard_count >= 1 && host->shard_count <= OMS_SHARDS_MAX && index < host->shard_count);
    struct rt_shard *shard = oms_calloc(1, sizeof *shard);

    shard->host = host;
    shard->index = index;
    shard->turn_messages = OMS_SHARD_TURN_MESSAGES;
    shard->out = oms_calloc(host->shard_count, sizeof *shard->out);
    rt_runqueue_init(&shard->runqueue);
    rt_timer_heap_init(&shard->timers);
    rt_directory_init(&shard->directory);
    rt_port_init(&shard->port);
    return shard;
}

void rt_shard_destroy(struct rt_shard *shard)
{
    if (!shard)
        return;
    OMS_ASSERT(shard->directory.count == 0);
    rt_runqueue_fini(&shard->runqueue);
    rt_timer_heap_fini(&shard->timers);
    rt_directory_fini(&shard->directory);
    oms_free(shard->local.items);
    oms_free(shard->out);
    oms_free(shard);
}

unsigned rt_shard_index(const struct rt_shard *shard)
{
    return shard->index;
}

struct rt_host *rt_shard_host(const struct rt_shard *shard)
{
    return shard->host;
}

struct rt_port *rt_shard_port(struct rt_shard *shard)
{
    return &shard->port;
}

/* By the upper half of the hash; the directory uses the lower one. */
static unsigned shard_of_hash(const struct rt_host *host, uint64_t hash)
{
    return (unsigned)((hash >> 32) * host->shard_count >> 32);
}

unsigned rt_shard_of(const struct rt_host *host, const struct rt_address *address)
{
    return shard_of_hash(host, rt_address_hash(address));
}

void rt_shard_register(struct rt_shard *shard, enum rt_actor_kind kind, const struct rt_actor_class *class)
{
    OMS_ASSERT((unsigned)kind < RT_ACTOR_KINDS_MAX && !shard->classes[kind]);
    OMS_ASSERT(class->activate && class->receive && class->may_passivate && class->destroy);
    shard->classes[kind] = class;
}

void rt_shard_set_context(struct rt_shard *shard, unsigned slot, void *context)
{
    OMS_ASSERT(slot < RT_SLOT_COUNT);
    shard->contexts[slot] = context;
}

void *rt_shard_context(const struct rt_shard *shard, unsigned slot)
{
    OMS_ASSERT(slot < RT_SLOT_COUNT);
    return shard->contexts[slot];
}

void rt_shard_on_turn_end(struct rt_shard *shard, void (*hook)(struct rt_shard *shard, void *context),
                          void *context)
{
    OMS_ASSERT(shard->hook_count < RT_TURN_HOOKS_MAX);
    shard->hooks[shard->hook_count++] = (struct rt_turn_hook){hook, context};
}

const struct rt_shard_stats *rt_shard_stats(struct rt_shard *shard)
{
    shard->stats.actors_live = shard->directory.count;
    shard->stats.queued = shard->runqueue.queued;
    shard->stats.inbox_depth = rt_mailbox_depth(&shard->port.mailbox);
    return &shard->stats;
}

/* ---- sending ---- */

static void chain_out(struct rt_shard *shard, unsigned destination, struct rt_message *message)
{
    rt_chain_append(&shard->out[destination], message);
    shard->out_mask |= UINT64_C(1) << destination;
}

void rt_return(struct rt_shard *shard, struct rt_message *message)
{
    OMS_ASSERT(message->on_return && message->home < shard->host->shard_count);
    if (message->home == shard->index) {
        rt_chain_append(&shard->returns, message);
        return;
    }
    message->flags |= RT_MESSAGE_RETURNING;
    chain_out(shard, message->home, message);
}

static void refuse(struct rt_shard *shard, struct rt_message *message, enum oms_status status)
{
    message->status = status;
    shard->stats.refused++;
    rt_return(shard, message);
}

/* A limit as this message meets it: a tenth is kept for the system's own messages. */
static uint32_t limit_for(const struct rt_message *message, uint32_t limit)
{
    return message->flags & RT_MESSAGE_SYSTEM ? limit : limit - limit / 10;
}

static void enqueue(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct rt_tenant_queue *tenant = rt_runqueue_tenant(&shard->runqueue, actor->address.tenant);

    if (actor->queued >= limit_for(message, OMS_ACTOR_MAILBOX_MAX) ||
        tenant->queued >= limit_for(message, OMS_TENANT_IN_FLIGHT_MAX)) {
        refuse(shard, message, OMS_BUSY);
        return;
    }
    message->next = NULL;
    if (actor->last)
        actor->last->next = message;
    else
        actor->first = message;
    actor->last = message;
    actor->queued++;
    tenant->queued++;
    shard->runqueue.queued++;
    if (!actor->scheduled && !actor->paused)
        rt_runqueue_schedule(&shard->runqueue, tenant, actor);
}

static void append_local(struct rt_local_queue *local, struct rt_message *message, uint64_t hash)
{
    if (local->count == local->capacity) {
        local->capacity = local->capacity ? local->capacity * 2 : 2 * LOCAL_BATCH;
        local->items = oms_reallocarray(local->items, local->capacity, sizeof *local->items);
    }
    local->items[local->count++] = (struct rt_local_item){message, hash};
}

static bool is_cold(const struct rt_shard *shard)
{
    return shard->directory.count > COLD_ACTORS;
}

void rt_send(struct rt_shard *shard, struct rt_message *message)
{
    OMS_ASSERT(message->home == shard->index);
    rt_forward(shard, message);
}

void rt_forward(struct rt_shard *shard, struct rt_message *message)
{
    OMS_ASSERT(message->home < shard->host->shard_count && message->on_return);
    uint64_t hash = rt_address_hash(&message->to);
    unsigned destination = shard_of_hash(shard->host, hash);

    message->status = OMS_OK;
    message->flags &= (uint8_t)~RT_MESSAGE_RETURNING;
    if (destination != shard->index) {
        chain_out(shard, destination, message);
        return;
    }
    append_local(&shard->local, message, hash);
    if (is_cold(shard))
        rt_directory_prefetch_slot(&shard->directory, hash); /* it is delivered some messages later */
}

static void push_home(struct rt_host *host, struct rt_message *message)
{
    OMS_ASSERT(message->home < host->shard_count && message->on_return);
    message->flags |= RT_MESSAGE_RETURNING;
    rt_port_push(&host->shards[message->home]->port, message, message, 1);
}

void rt_return_from_outside(struct rt_host *host, struct rt_message *message)
{
    push_home(host, message);
}

void rt_post(struct rt_host *host, unsigned index, struct rt_message *message)
{
    message->home = (uint16_t)index;
    message->status = OMS_OK;
    push_home(host, message);
}

/* ---- the turn ---- */

/* The new actor; NULL when its class cannot make it now. */
static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address, uint64_t hash)
{
    const struct rt_actor_class *class =
        address->kind < RT_ACTOR_KINDS_MAX ? shard->classes[address->kind] : NULL;
    OMS_ASSERT(class);
    struct rt_actor *actor = class->activate(shard, address);
    if (actor) {
        OMS_ASSERT(actor->class == class && rt_address_eq(&actor->address, address));
        rt_actor_insert(shard, actor, hash);
    }
    return actor;
}

static void deliver(struct rt_shard *shard, struct rt_message *message, uint64_t hash)
{
    if (shard->closed) {
        refuse(shard, message, OMS_CLOSED);
        return;
    }
    struct rt_actor *actor = rt_directory_find(&shard->directory, &message->to, hash);
    if (!actor)
        actor = activate(shard, &message->to, hash);
    if (actor)
        enqueue(shard, actor, message);
    else
        refuse(shard, message, OMS_BUSY);
}

/* Hands out all local messages, also those that activations send meanwhile. Returns how many there were. */
static unsigned deliver_local(struct rt_shard *shard)
{
    struct rt_local_queue *local = &shard->local; /* its items may move during a delivery */
    bool cold = is_cold(shard);
    unsigned i;

    for (i = 0; cold && i < local->count && i < AHEAD_ACTOR; i++)
        rt_directory_prefetch_actor(&shard->directory, local->items[i].hash);
    for (i = 0; i < local->count; i++) {
        if (cold && i + AHEAD_ACTOR < local->count)
            rt_directory_prefetch_actor(&shard->directory, local->items[i + AHEAD_ACTOR].hash);
        deliver(shard, local->items[i].message, local->items[i].hash);
    }
    local->count = 0;
    return i;
}

/* Calls back for the returns that had come home before. Returns how many there were. */
static unsigned take_returns(struct rt_shard *shard)
{
    unsigned count = shard->returns.count;

    for (unsigned i = 0; i < count; i++) {
        struct rt_message *message = rt_chain_take(&shard->returns);
        shard->stats.returns++;
        message->on_return(shard, message);
    }
    return count;
}

/* Hashes the addresses, and fetches what delivering the batch will touch: all slots, then all actors. */
static void prepare_batch(struct rt_shard *shard, struct rt_message *const *batch, uint64_t *hashes,
                          unsigned count)
{
    bool cold = is_cold(shard);

    for (unsigned i = 0; i < count; i++) {
        hashes[i] = rt_address_hash(&batch[i]->to);
        if (cold && !(batch[i]->flags & RT_MESSAGE_RETURNING))
            rt_directory_prefetch_slot(&shard->directory, hashes[i]);
    }
    for (unsigned i = 0; cold && i < count; i++) {
        if (!(batch[i]->flags & RT_MESSAGE_RETURNING))
            rt_directory_prefetch_actor(&shard->directory, hashes[i]);
    }
}

static unsigned drain_inbox(struct rt_shard *shard)
{
    struct rt_message *batch[INBOX_BATCH];
    uint64_t hashes[INBOX_BATCH];
    unsigned total = 0, count;

    do {
        for (count = 0; count < INBOX_BATCH; count++) {
            batch[count] = rt_mailbox_pop(&shard->port.mailbox);
            if (!batch[count])
                break;
        }
        prepare_batch(shard, batch, hashes, count);
        for (unsigned i = 0; i < count; i++) {
            if (!(batch[i]->flags & RT_MESSAGE_RETURNING)) {
                deliver(shard, batch[i], hashes[i]);
                continue;
            }
            batch[i]->flags &= (uint8_t)~RT_MESSAGE_RETURNING;
            shard->stats.returns++;
            batch[i]->on_return(shard, batch[i]);
        }
        total += count;
    } while (count == INBOX_BATCH && total < shard->turn_messages * 2);
    return total;
}

static unsigned fire_timers(struct rt_shard *shard)
{
    unsigned fired = 0;
    struct rt_timer *timer;

    if (!shard->timers.count)
        return 0;
    int64_t now_ms = rt_now_ms(shard->host);
    while (fired < shard->turn_messages && (timer = rt_timer_heap_take_due(&shard->timers, now_ms)) != NULL) {
        fired++;
        timer->fire(shard, timer);
    }
    return fired;
}

/* Returns how many messages the actor received; clears *actor when it went away meanwhile. */
static unsigned run_actor(struct rt_shard *shard, struct rt_actor **actor_in_out, unsigned messages_max)
{
    struct rt_actor *actor = *actor_in_out;
    const struct rt_actor_class *class = actor->class;
    unsigned handled = 0;

    actor->touched = true;
    shard->running = actor;
    while (handled < messages_max && actor->first && !actor->paused) {
        struct rt_message *message = actor->first;
        actor->first = message->next;
        if (actor->first)
            __builtin_prefetch(actor->first);
        else
            actor->last = NULL;
        actor->queued--;
        message->next = NULL;
        handled++;
        class->receive(shard, actor, message);
        if (shard->running != actor) {
            *actor_in_out = NULL;
            break;
        }
    }
    shard->running = NULL;
    return handled;
}

static unsigned run_actors(struct rt_shard *shard)
{
    unsigned done = take_returns(shard) + deliver_local(shard), handled = 0;

    /* Rounds are bounded as well, for answers that are refused and sent again without any actor's turn. */
    for (unsigned round = 0; handled < shard->turn_messages && round < shard->turn_messages * 2; round++) {
        struct rt_tenant_queue *tenant;
        struct rt_actor *actor = rt_runqueue_next(&shard->runqueue, &tenant);
        if (actor) {
            unsigned most = shard->turn_messages - handled;
            if (most > OMS_ACTOR_TURN_MESSAGES)
                most = OMS_ACTOR_TURN_MESSAGES;
            if (most > tenant->deficit)
                most = tenant->deficit;
            unsigned count = run_actor(shard, &actor, most);
            rt_runqueue_done(&shard->runqueue, tenant, actor, count);
            handled += count;
        }
        if (shard->returns.count)
            done += take_returns(shard);
        if (!actor && !shard->local.count)
            break;
        if (shard->local.count >= LOCAL_BATCH || rt_runqueue_is_empty(&shard->runqueue))
            done += deliver_local(shard);
    }
    done += deliver_local(shard);
    shard->stats.messages += handled;
    return done + handled;
}

static unsigned flush(struct rt_shard *shard)
{
    unsigned flushed = 0;

    while (shard->out_mask) {
        unsigned destination = (unsigned)__builtin_ctzll(shard->out_mask);
        struct rt_chain *chain = &shard->out[destination];

        shard->out_mask &= shard->out_mask - 1;
        rt_port_push(&shard->host->shards[destination]->port, chain->first, chain->last, chain->count);
        flushed += chain->count;
        *chain = (struct rt_chain){NULL, NULL, 0};
    }
    return flushed;
}

bool rt_shard_busy(const struct rt_shard *shard)
{
    return shard->local.count || shard->returns.count || shard->out_mask || shard->touched ||
           !rt_runqueue_is_empty(&shard->runqueue) || !rt_mailbox_is_empty(&shard->port.mailbox);
}

int64_t rt_shard_next_due(const struct rt_shard *shard)
{
    return shard->timers.count ? shard->timers.slots[1]->due_ms : INT64_MAX;
}

void rt_shard_touch(struct rt_shard *shard)
{
    shard->touched = true;
}

bool rt_shard_step(struct rt_shard *shard, int64_t *wait_ms)
{
    /* Callbacks of the loop may have sent between turns; that counts as this turn's doing. */
    bool did = shard->out_mask != 0 || shard->touched;

    did |= drain_inbox(shard) != 0;
    did |= fire_timers(shard) != 0;
    did |= run_actors(shard) != 0;
    if (did) {
        shard->touched = false;
        shard->stats.turns++;
        for (unsigned i = 0; i < shard->hook_count; i++)
            shard->hooks[i].call(shard, shard->hooks[i].context);
        flush(shard);
    }
    *wait_ms = -1;
    if (shard->timers.count) {
        int64_t wait = rt_shard_next_due(shard) - rt_now_ms(shard->host);
        *wait_ms = wait > 0 ? wait : 0;
    }
    return rt_shard_busy(shard) || *wait_ms == 0;
}

/* ---- the end ---- */

void rt_shard_close(struct rt_shard *shard)
{
    shard->closed = true;
    for (struct rt_actor *actor = shard->lru_oldest; actor; actor = actor->lru_next) {
        struct rt_chain mailbox = {actor->first, actor->last, actor->queued};
        struct rt_message *message;

        if (!actor->queued)
            continue;
        rt_runqueue_forget(&shard->runqueue, rt_runqueue_tenant(&shard->runqueue, actor->address.tenant),
                           actor->queued);
        actor->first = actor->last = NULL;
        actor->queued = 0;
        while ((message = rt_chain_take(&mailbox)) != NULL)
            refuse(shard, message, OMS_CLOSED);
    }
}

static void discard_all(struct rt_chain *chain, void (*discard)(struct rt_message *message))
{
    struct rt_message *message;
    while ((message = rt_chain_take(chain)) != NULL) {
        if (discard)
            discard(message);
    }
}

void rt_shard_drop_actors(struct rt_shard *shard, void (*discard)(struct rt_message *message))
{
    struct rt_actor *actor;

    while ((actor = shard->lru_oldest) != NULL) {
        struct rt_chain mailbox = {actor->first, actor->last, actor->queued};
        discard_all(&mailbox, discard);
        rt_actor_remove(shard, actor);
        actor->class->destroy(shard, actor);
    }
    rt_runqueue_fini(&shard->runqueue); /* it points to them */
    rt_runqueue_init(&shard->runqueue);
}

void rt_shard_crash(struct rt_shard *shard, void (*discard)(struct rt_message *message))
{
    struct rt_message *message;

    rt_shard_drop_actors(shard, discard);
    for (unsigned i = 0; discard && i < shard->local.count; i++)
        discard(shard->local.items[i].message);
    shard->local.count = 0;
    discard_all(&shard->returns, discard);
    for (unsigned i = 0; i < shard->host->shard_count; i++)
        discard_all(&shard->out[i], discard);
    shard->out_mask = 0;
    while ((message = rt_mailbox_pop(&shard->port.mailbox)) != NULL) {
        if (discard)
            discard(message);
    }
    rt_timer_heap_fini(&shard->timers);
}
