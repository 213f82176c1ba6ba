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

#define CAPACITY_MIN 16u

void rt_runqueue_init(struct rt_runqueue *queue)
{
    memset(queue, 0, sizeof *queue);
    queue->capacity = CAPACITY_MIN;
    queue->table = oms_calloc(queue->capacity, sizeof(struct rt_tenant_queue *));
}

void rt_runqueue_fini(struct rt_runqueue *queue)
{
    for (size_t i = 0; i < queue->capacity; i++)
        oms_free(queue->table[i]);
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
            oms_free(old[i]);
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

static void append_actor(struct rt_tenant_queue *tenant, struct rt_actor *actor)
{
    actor->run_next = NULL;
    if (tenant->last)
        tenant->last->run_next = actor;
    else
        tenant->first = actor;
    tenant->last = actor;
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
        if (!tenant->first) {
            ring_pop(queue);
            tenant->active = tenant->in_turn = false;
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
        struct rt_actor *actor = tenant->first;
        tenant->first = actor->run_next;
        if (!tenant->first)
            tenant->last = NULL;
        else
            __builtin_prefetch(tenant->first);
        *out = tenant;
        return actor;
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
