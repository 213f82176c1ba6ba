/*
 * Actors: state that one shard owns and that processes messages one at a time.
 *
 * A class says how an actor is made, receives and goes away. The runtime keeps the directory (address → actor), the
 * actor's mailbox and its turn; what the actor knows is the class's own structure, whose first member is rt_actor.
 * All functions are called on the actor's shard.
 */
#ifndef RT_ACTOR_H
#define RT_ACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/message.h"

struct rt_actor;

struct rt_actor_class {
    const char *name;
    /*
     * Makes the actor for its first message; it may pause itself until its state is loaded. It may send, but not to
     * be answered before it returns. NULL: cannot now, the message comes home with OMS_BUSY.
     */
    struct rt_actor *(*activate)(struct rt_shard *shard, const struct rt_address *address);
    /* Owns the message: it returns it, keeps it or frees it. */
    void (*receive)(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message);
    /* May it go now? False while a unit of work is in flight or not yet materialised. Its mailbox is empty. */
    bool (*may_passivate)(struct rt_shard *shard, struct rt_actor *actor);
    /* Frees the actor; the runtime has removed it from the directory. */
    void (*destroy)(struct rt_shard *shard, struct rt_actor *actor);
    /*
     * Fetches into the cache what the actor's next message will touch beside the actor: called some turns before it,
     * when there are many. `near`: a second time, a few turns before; what the first call fetched can be followed.
     * Reads nothing but the actor and, when near, that. May be NULL.
     */
    void (*prefetch)(const struct rt_actor *actor, bool near);
};

/* Kept small: a million idle actors are resident. What a message touches comes first. */
struct rt_actor {
    struct rt_address address;
    const struct rt_actor_class *class;
    struct rt_message *first, *last; /* mailbox, oldest first */
    uint32_t queued;
    bool scheduled; /* in the run queue */
    bool paused;    /* messages wait */
    bool touched;   /* received something since passivation last looked at it */
    struct rt_actor *lru_prev, *lru_next;
};

/* Fills a new actor; for activate(). */
void rt_actor_init(struct rt_actor *actor, const struct rt_actor_class *class, const struct rt_address *address);
/* No message is delivered until resume; both may be called from receive(). */
void rt_actor_pause(struct rt_actor *actor);
void rt_actor_resume(struct rt_shard *shard, struct rt_actor *actor);
/* The resident actor, or NULL. Does not activate. */
struct rt_actor *rt_actor_find(struct rt_shard *shard, const struct rt_address *address);
/*
 * Passivates idle actors, longest idle first, while more than `resident_max` are live; at most `count_max` a call.
 * "Longest idle" is by second chance (the clock algorithm): an exact list would touch two cold neighbours for
 * every message. The work of a call is bounded, so a call may find fewer than there are.
 */
void rt_actor_passivate_idle(struct rt_shard *shard, uint64_t resident_max, unsigned count_max);
/*
 * Removes this actor at once if it may go (mailbox empty, not paused, may_passivate); false otherwise. May be called
 * from its own receive(), which must not touch the actor after true.
 */
bool rt_actor_passivate(struct rt_shard *shard, struct rt_actor *actor);

#endif
