/*
 * What a shard is made of, for runtime/ only: shard.c, actor.c, timer.c and the hosts. Layers above see
 * shard.h.
 */
#ifndef RT_SHARD_INTERNAL_H
#define RT_SHARD_INTERNAL_H

#include "runtime/base/limits.h"
#include "runtime/directory.h"
#include "runtime/runqueue.h"
#include "runtime/shard.h"

enum { RT_ACTOR_KINDS_MAX = 16, RT_TURN_HOOKS_MAX = 8 };

/* Messages linked by next, in order. */
struct rt_chain {
    struct rt_message *first, *last;
    unsigned count;
};

/* Messages to actors of this shard, in order of sending, with the hashes of their addresses. */
struct rt_local_queue {
    struct rt_local_item {
        struct rt_message *message;
        uint64_t hash;
    } * items;
    unsigned count, capacity;
};

/* A 4-ary heap of running timers, earliest at [1]. */
struct rt_timer_heap {
    struct rt_timer **slots; /* [0] unused */
    size_t count, capacity;
};

struct rt_turn_hook {
    void (*call)(struct rt_shard *shard, void *context);
    void *context;
};

struct rt_shard {
    struct rt_host *host;
    unsigned index;
    unsigned turn_messages;   /* OMS_SHARD_TURN_MESSAGES; the simulator varies it */
    bool closed;              /* refuses every message with OMS_CLOSED */
    bool touched; /* something waits for the end of a turn: see rt_shard_touch */
    struct rt_actor *running; /* whose receive() is being called */
    const struct rt_actor_class *classes[RT_ACTOR_KINDS_MAX];
    struct rt_runqueue runqueue;
    struct rt_local_queue local;
    struct rt_chain returns; /* came home here */
    struct rt_chain *out;    /* per destination shard, pushed at the end of the turn */
    uint64_t out_mask;       /* destinations with something in `out` */
    struct rt_actor *lru_oldest, *lru_newest;
    struct rt_timer_heap timers;
    struct rt_turn_hook hooks[RT_TURN_HOOKS_MAX];
    unsigned hook_count;
    void *contexts[RT_SLOT_COUNT];
    struct rt_shard_stats stats;
    struct rt_port port;
    struct rt_directory directory;
};

_Static_assert(OMS_SHARDS_MAX <= 64, "out_mask has a bit per shard");

static inline void rt_chain_append(struct rt_chain *chain, struct rt_message *message)
{
    message->next = NULL;
    if (chain->last)
        chain->last->next = message;
    else
        chain->first = message;
    chain->last = message;
    chain->count++;
}

static inline struct rt_message *rt_chain_take(struct rt_chain *chain)
{
    struct rt_message *message = chain->first;
    if (message) {
        chain->first = message->next;
        if (!chain->first)
            chain->last = NULL;
        chain->count--;
        message->next = NULL;
    }
    return message;
}

/* True when a step would find something to do now, timers aside. The shard's thread. */
bool rt_shard_busy(const struct rt_shard *shard);
/* now_ms at which the next timer is due; INT64_MAX for none. */
int64_t rt_shard_next_due(const struct rt_shard *shard);
/* From now on every message to an actor, waiting ones included, comes home with OMS_CLOSED. */
void rt_shard_close(struct rt_shard *shard);
/* Destroys all actors; what waits in their mailboxes goes to `discard` (NULL: is forgotten). */
void rt_shard_drop_actors(struct rt_shard *shard, void (*discard)(struct rt_message *message));
/* As in a power cut: drops everything without running it. */
void rt_shard_crash(struct rt_shard *shard, void (*discard)(struct rt_message *message));

/* Resident actors, for actor.c and shard.c. */
void rt_actor_insert(struct rt_shard *shard, struct rt_actor *actor, uint64_t hash);
void rt_actor_remove(struct rt_shard *shard, struct rt_actor *actor);

void rt_timer_heap_init(struct rt_timer_heap *heap);
void rt_timer_heap_fini(struct rt_timer_heap *heap);
/* The earliest timer when it is due by now_ms, no longer running; else NULL. */
struct rt_timer *rt_timer_heap_take_due(struct rt_timer_heap *heap, int64_t now_ms);

#endif
