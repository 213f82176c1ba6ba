/*
 * The run queue of a shard: deficit round robin over tenants, then first come first served over each tenant's
 * actors (Shreedhar and Varghese, "Efficient fair queueing using deficit round robin", 1995; the unit of cost
 * is one message). Internal to runtime/.
 *
 * A tenant with waiting actors is in the ring. When its turn comes it gets OMS_TENANT_QUANTUM messages; what
 * it does not use is lost when it has nothing more to do, so that nobody saves up a burst. So a tenant waits
 * at most one quantum of every other active tenant, however deep their queues are.
 */
#ifndef RT_RUNQUEUE_H
#define RT_RUNQUEUE_H

#include "runtime/actor.h"

struct rt_tenant_queue {
    struct rt_tenant_queue *ring_next;
    /*
     * Actors that wait for their turn: a ring of `capacity` (a power of two) pointers. Not linked through the
     * actors, so that the next ones can be fetched into the cache before their turn, and an idle actor does
     * not pay for a link.
     */
    struct rt_actor **waiting;
    uint32_t head, count, capacity;
    uint32_t tenant;
    uint32_t queued; /* messages in mailboxes of the tenant's actors, paused ones included */
    uint32_t deficit;
    bool active;  /* in the ring */
    bool in_turn; /* has its quantum */
};

struct rt_runqueue {
    struct rt_tenant_queue *ring_first, *ring_last;
    struct rt_tenant_queue *recent; /* the last one looked up */
    struct rt_tenant_queue **table; /* open addressing by tenant number; capacity is a power of two */
    size_t capacity;
    size_t used;
    uint64_t queued;
};

void rt_runqueue_init(struct rt_runqueue *queue);
void rt_runqueue_fini(struct rt_runqueue *queue);
/* The queue of a tenant, made when needed. Valid while it has messages or is active. */
struct rt_tenant_queue *rt_runqueue_tenant(struct rt_runqueue *queue, uint32_t tenant);
/* Appends an actor that has messages and is neither scheduled nor paused. */
void rt_runqueue_schedule(struct rt_runqueue *queue, struct rt_tenant_queue *tenant, struct rt_actor *actor);
/*
 * Takes out the actor whose turn it is, or NULL. *tenant is its tenant's queue, whose `deficit` (at least 1)
 * bounds the turn. It stays `scheduled` until rt_runqueue_done.
 */
struct rt_actor *rt_runqueue_next(struct rt_runqueue *queue, struct rt_tenant_queue **tenant);
/* After the turn: accounts for `handled` messages. `actor` goes back if it has more; NULL when it is gone. */
void rt_runqueue_done(struct rt_runqueue *queue, struct rt_tenant_queue *tenant, struct rt_actor *actor,
                      unsigned handled);
/* `count` messages of the tenant left their mailboxes without a turn. */
void rt_runqueue_forget(struct rt_runqueue *queue, struct rt_tenant_queue *tenant, unsigned count);

static inline bool rt_runqueue_is_empty(const struct rt_runqueue *queue)
{
    return queue->ring_first == NULL;
}

#endif
