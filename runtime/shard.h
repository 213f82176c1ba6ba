/*
 * A shard: one thread's share of the actors, with its run queue, timers and inbox.
 *
 * Everything here is called on the shard's own thread unless it says "any thread". Scheduling is deficit round
 * robin over tenants, then over their actors, so that one tenant's flood never starves another; an actor gets at
 * most OMS_ACTOR_TURN_MESSAGES a turn. Messages to other shards and returns are chained per destination and pushed
 * at the end of the turn.
 */
#ifndef RT_SHARD_H
#define RT_SHARD_H

#include "runtime/actor.h"
#include "runtime/host.h"
#include "runtime/timer.h"

struct rt_shard_stats {
    uint64_t messages;     /* received by actors */
    uint64_t returns;      /* that came home */
    uint64_t refused;      /* not delivered: mailbox or tenant over its limit */
    uint64_t turns;        /* that did something */
    uint64_t actors_live;
    uint64_t actors_activated;
    uint64_t actors_passivated;
    uint64_t queued;       /* messages waiting in actors' mailboxes now */
    uint64_t inbox_depth;
};

/* Called by hosts. The shard has no thread of its own. Actors are gone before destroy. */
struct rt_shard *rt_shard_create(struct rt_host *host, unsigned index);
void rt_shard_destroy(struct rt_shard *shard);
/*
 * One turn: inbox, due timers, up to OMS_SHARD_TURN_MESSAGES messages, end-of-turn hooks, flush of chains. True
 * while there is more to do at once. *wait_ms: until the next timer, -1 for none.
 */
bool rt_shard_step(struct rt_shard *shard, int64_t *wait_ms);

unsigned rt_shard_index(const struct rt_shard *shard);
struct rt_host *rt_shard_host(const struct rt_shard *shard);
/* The wake-able inbox; any thread may push to it. */
struct rt_port *rt_shard_port(struct rt_shard *shard);
/* Which shard an address lives on. Any thread. */
unsigned rt_shard_of(const struct rt_host *host, const struct rt_address *address);

/* Registers the class of a kind before start. Borrowed. */
void rt_shard_register(struct rt_shard *shard, enum rt_actor_kind kind, const struct rt_actor_class *class);
/* One pointer per slot for the layers above (0: storage, 1: actors, 2: http). */
enum { RT_SLOT_STORAGE, RT_SLOT_ACTORS, RT_SLOT_HTTP, RT_SLOT_COUNT };
void rt_shard_set_context(struct rt_shard *shard, unsigned slot, void *context);
void *rt_shard_context(const struct rt_shard *shard, unsigned slot);
/* Called at the end of every turn that did something, in order of registration: flush what was batched. */
void rt_shard_on_turn_end(struct rt_shard *shard, void (*hook)(struct rt_shard *shard, void *context), void *context);

/*
 * Moves a message to the actor message->to, on this or another shard. message->home must be this shard. Activates
 * the actor when needed. Over a mailbox's or tenant's limit it comes home with OMS_BUSY.
 */
void rt_send(struct rt_shard *shard, struct rt_message *message);
/* The same for a message that another shard may have made: it still comes home there. For receive(). */
void rt_forward(struct rt_shard *shard, struct rt_message *message);
/* Sends a message home (perhaps here: then on_return is called in this turn, never from inside rt_return). */
void rt_return(struct rt_shard *shard, struct rt_message *message);
/* The same from a worker or a pool: any thread that is no shard. */
void rt_return_from_outside(struct rt_host *host, struct rt_message *message);
/* Any thread: runs `on_return` of the message on shard `index` (messages made by nobody's shard: wake-ups). */
void rt_post(struct rt_host *host, unsigned index, struct rt_message *message);

/* Something was batched for the end of the turn, perhaps outside of one (a socket's callback): the hooks run at the
 * next step, also when it finds nothing else to do. */
void rt_shard_touch(struct rt_shard *shard);

const struct rt_shard_stats *rt_shard_stats(struct rt_shard *shard);

#endif
