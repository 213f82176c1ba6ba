/*
 * The run queue (see runqueue.h).
 *
 * Invariants: a tenant is in the ring exactly when `active`; only the ring's first may be in_turn; an actor
 * is in its tenant's list exactly when `scheduled` and not running. Tenants' queues are kept after use, since
 * most come back, and swept when the table would grow: so the table is bounded by twice the tenants active at
 * one time.
 */
#include "runtime/runqueue.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define CAPACITY_MIN     16u
#define WAITING_MIN      4u
#define WAITING_KEPT_MAX 64u /* a longer ring is freed when the tenant has nothing to do */
/* So many turns ahead there are fetched into the cache: */
#define AHEAD_ACTOR   8u /* an actor */
#define AHEAD_STATE   5u /* what it points to, by its class, and its first message */
#define AHEAD_DETAILS 2u /* and what that points to */

void rt_runqueue_init(struct rt_runqueue *queue)
{
    memset(queue, 0, sizeof *queue);
    queue->capacity = CAPACITY_MIN;
    queue->table = oms_calloc(queue->capacity, sizeof(struct rt_tenant_queue *));
}

static void free_tenant(struct rt_tenant_queue *tenant)
{
    if (tenant)
        oms_free(tenant->waiting);
    oms_free(tenant);
}

void rt_runqueue_fini(struct rt_runqueue *queue)
{
    for (size_t i = 0; i < queue->capacity; i++)
        free_tenant(queue->table[i]);
    oms_free(queue->table);
    memset(queue, 0, sizeof *queue);
}

/* The slot that holds the tenant, or the empty one where it belongs. */
static struct rt_tenant_queue **slot_of(const struct rt_runqueue *queue, uint32_t tenant)
{
    size_t i = oms_mix64(tenant) & (queue->capacity - 1);
    while (queue->table[i] && queue->table[i]->tenant != tenant)
        i = (i + 1) & (queue->capacity - 1);
    return &queue->table[i];
}

/* Drops idle tenants and makes the table as large as the rest needs. */
static void sweep(struct rt_runqueue *queue)
{
    struct rt_tenant_queue **old = queue->table;
    size_t old_capacity = queue->capacity, live = 0;

    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i] && !old[i]->active && !old[i]->queued) {
            free_tenant(old[i]);
            old[i] = NULL;
        }
        live += old[i] != NULL;
    }
    size_t capacity = CAPACITY_MIN;
    while (capacity < live * 4)
        capacity *= 2;
    queue->capacity = capacity;
    queue->table = oms_calloc(capacity, sizeof(struct rt_tenant_queue *));
    queue->used = live;
    queue->recent = NULL;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i])
            *slot_of(queue, old[i]->tenant) = old[i];
    }
    oms_free(old);
}

struct rt_tenant_queue *rt_runqueue_tenant(struct rt_runqueue *queue, uint32_t tenant)
{
    if (queue->recent && queue->recent->tenant == tenant)
        return queue->recent;

    struct rt_tenant_queue **slot = slot_of(queue, tenant);
    if (!*slot) {
        if ((queue->used + 1) * 2 > queue->capacity) {
            sweep(queue);
            slot = slot_of(queue, tenant);
        }
        *slot = oms_calloc(1, sizeof **slot);
        (*slot)->tenant = tenant;
        queue->used++;
    }
    queue->recent = *slot;
    return *slot;
}

static void ring_append(struct rt_runqueue *queue, struct rt_tenant_queue *tenant)
{
    tenant->ring_next = NULL;
    if (queue->ring_last)
        queue->ring_last->ring_next = tenant;
    else
        queue->ring_first = tenant;
    queue->ring_last = tenant;
}

static void ring_pop(struct rt_runqueue *queue)
{
    queue->ring_first = queue->ring_first->ring_next;
    if (!queue->ring_first)
        queue->ring_last = NULL;
}

static struct rt_actor **waiting_at(const struct rt_tenant_queue *tenant, uint32_t position)
{
    return &tenant->waiting[(tenant->head + position) & (tenant->capacity - 1)];
}

static void grow_waiting(struct rt_tenant_queue *tenant)
{
    uint32_t capacity = tenant->capacity ? tenant->capacity * 2 : WAITING_MIN;
    struct rt_actor **waiting = oms_calloc(capacity, sizeof(struct rt_actor *));

    for (uint32_t i = 0; i < tenant->count; i++)
        waiting[i] = *waiting_at(tenant, i);
    oms_free(tenant->waiting);
    tenant->waiting = waiting;
    tenant->capacity = capacity;
    tenant->head = 0;
}

static void append_actor(struct rt_tenant_queue *tenant, struct rt_actor *actor)
{
    if (tenant->count == tenant->capacity)
        grow_waiting(tenant);
    *waiting_at(tenant, tenant->count) = actor;
    tenant->count++;
}

static void fetch_state(const struct rt_actor *actor, bool near)
{
    if (!near)
        __builtin_prefetch(actor->first);
    if (actor->class->prefetch)
        actor->class->prefetch(actor, near);
}

static struct rt_actor *pop_actor(struct rt_tenant_queue *tenant)
{
    struct rt_actor *actor = *waiting_at(tenant, 0);

    tenant->head = (tenant->head + 1) & (tenant->capacity - 1);
    tenant->count--;
    if (tenant->count > AHEAD_ACTOR) {
        const char *ahead = (const char *)*waiting_at(tenant, AHEAD_ACTOR);
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 55); /* all that a turn touches */
        fetch_state(*waiting_at(tenant, AHEAD_STATE), false);
        fetch_state(*waiting_at(tenant, AHEAD_DETAILS), true);
    }
    return actor;
}

static void retire(struct rt_runqueue *queue, struct rt_tenant_queue *tenant)
{
    ring_pop(queue);
    tenant->active = tenant->in_turn = false;
    if (tenant->capacity > WAITING_KEPT_MAX) {
        oms_free(tenant->waiting);
        tenant->waiting = NULL;
        tenant->head = tenant->capacity = 0;
    }
}

void rt_runqueue_schedule(struct rt_runqueue *queue, struct rt_tenant_queue *tenant, struct rt_actor *actor)
{
    OMS_ASSERT(!actor->scheduled);
    actor->scheduled = true;
    append_actor(tenant, actor);
    if (!tenant->active) {
        tenant->active = true;
        tenant->deficit = 0;
        ring_append(queue, tenant);
    }
}

struct rt_actor *rt_runqueue_next(struct rt_runqueue *queue, struct rt_tenant_queue **out)
{
    struct rt_tenant_queue *tenant;

    while ((tenant = queue->ring_first) != NULL) {
        if (!tenant->count) {
            retire(queue, tenant);
            continue;
        }
        if (!tenant->in_turn) {
            tenant->in_turn = true;
            tenant->deficit += OMS_TENANT_QUANTUM;
        }
        if (!tenant->deficit) {
            tenant->in_turn = false;
            ring_pop(queue);
            ring_append(queue, tenant);
            continue;
        }
        *out = tenant;
        return pop_actor(tenant);
    }
    return NULL;
}

void rt_runqueue_done(struct rt_runqueue *queue, struct rt_tenant_queue *tenant, struct rt_actor *actor,
                      unsigned handled)
{
    OMS_ASSERT(handled <= tenant->deficit && handled <= tenant->queued);
    tenant->deficit -= handled;
    tenant->queued -= handled;
    queue->queued -= handled;
    if (!actor)
        return;
    if (actor->queued && !actor->paused)
        append_actor(tenant, actor);
    else
        actor->scheduled = false;
}

void rt_runqueue_forget(struct rt_runqueue *queue, struct rt_tenant_queue *tenant, unsigned count)
{
    OMS_ASSERT(count <= tenant->queued);
    tenant->queued -= count;
    queue->queued -= count;
}
