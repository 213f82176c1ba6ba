/*
 * What one shard holds of the actor system. Internal to actors/: the order and tenant actors, the held
 * replies and the timer feed share it. Touched by its shard's thread only.
 */
#ifndef ACTORS_SYSTEM_SHARD_H
#define ACTORS_SYSTEM_SHARD_H

#include "actors/held.h"
#include "actors/order.h"
#include "actors/order_call.h"
#include "actors/order_observer.h"
#include "actors/system.h"
#include "actors/tenant_table.h"
#include "actors/user_table.h"
#include "runtime/base/limits.h"

struct order_instance;

#define ACTORS_ABSENT_MAX 256

struct actors_shard {
    struct actors_system *system;
    struct rt_shard *shard;
    struct store *store;
    struct held_queue held;      /* calls that wait for durability, oldest first */
    struct tenant_table tenants; /* current versions */
    struct user_table users;     /* the same */
    struct oms_arena scratch;    /* one message's decisions and access; reset before each */
    /* Order actors with a thawed state, least recently used first: over the maximum the oldest is frozen. */
    struct order_instance *thawed_first, *thawed_last;
    struct oms_buf freeze_buf;
    /* Actors of orders that turned out not to exist: gone at the end of the turn, so that probing costs
     * nothing. */
    struct rt_address absent[ACTORS_ABSENT_MAX];
    unsigned absent_count;
    struct rt_timer timer_poll; /* shard 0: looks for due deadlines */
    struct timer_poll *poll;    /* shard 0: the one look that may be under way */
    struct rt_timer tick;       /* ten times a second: orders that nobody asked for lately are frozen */
    uint32_t ticks;
    struct actors_stats stats;
    unsigned observed_count;       /* partitions whose units made here somebody listens to */
    bool observed[OMS_PARTITIONS]; /* which */
};

struct actors_system {
    struct actors_config config;
    const struct order_observer *observer; /* NULL: nothing is observed */
    struct actors_shard **shards;
    unsigned shard_count;
    struct tenant_counts *counts; /* by tenant number */
};

struct actors_shard *actors_shard_of(struct rt_shard *shard);
/* Makes the version current on this shard; takes over the hold. */
void actors_shard_put_tenant(struct actors_shard *as, const struct tenant_version *version);
/* The same of a user's. */
void actors_shard_put_user(struct actors_shard *as, struct user_version *user);

/* ---- watches (order_observer.h) ---- */

struct order_watch *actors_watch_begin(struct actors_shard *as, const struct rt_address *actor,
                                       struct store_unit *unit, unsigned event_count);
/* For a unit that was just submitted; NULL when nobody listens, as almost always. */
static inline struct order_watch *actors_watch(struct actors_shard *as, const struct rt_address *actor,
                                               struct store_unit *unit, unsigned event_count)
{
    return as->observed_count && as->observed[store_partition_of(actor->tenant)]
               ? actors_watch_begin(as, actor, unit, event_count)
               : NULL;
}
static inline void actors_watch_event(struct actors_shard *as, struct order_watch *watch,
                                      const struct order *order, const struct order_event *event,
                                      const struct order_event_meta *meta, unsigned ordinal)
{
    const struct order_observer *observer = as->system->observer;
    observer->event(observer->context, as->shard, watch, order, event, meta, ordinal);
}
/* The watch waits for its unit; before the reply to the command is held, so that it goes first. */
void actors_watch_hold(struct actors_shard *as, struct order_watch *watch, uint64_t seq);

/* Message kinds of the order actor. */
enum { ORDER_MESSAGE_CALL = 1, ORDER_MESSAGE_TIMER };
/* … and of the tenant actor. */
enum { TENANT_MESSAGE_CALL = 1 };
/* … and of a mark. */
enum { MARK_MESSAGE_CALL = 1 };
/* … and of an outlet. */
enum { OUTLET_MESSAGE_CALL = 1 };
/* … and of a lane of an inbox, which gets ORDER_MESSAGE_TIMER too. */
enum { INBOX_MESSAGE_CALL = 1 };
/* … and of a user. */
enum { USER_MESSAGE_CALL = 1 };
/* … and of an upload, which gets ORDER_MESSAGE_TIMER too. */
enum { UPLOAD_MESSAGE_CALL = 1 };

extern const struct rt_actor_class order_actor_class;
extern const struct rt_actor_class tenant_actor_class;
extern const struct rt_actor_class inbox_actor_class;
extern const struct rt_actor_class mark_actor_class;
extern const struct rt_actor_class outlet_actor_class;
extern const struct rt_actor_class user_actor_class;
extern const struct rt_actor_class upload_actor_class;

/* A unit of this actor is materialised; the caller recycles the node. */
void order_actor_applied(struct actors_shard *as, const struct rt_address *address);
void tenant_actor_applied(struct actors_shard *as, const struct rt_address *address);
void inbox_actor_applied(struct actors_shard *as, const struct rt_address *address);
void mark_actor_applied(struct actors_shard *as, const struct rt_address *address);
void outlet_actor_applied(struct actors_shard *as, const struct rt_address *address);
void user_actor_applied(struct actors_shard *as, const struct rt_address *address);
void upload_actor_applied(struct actors_shard *as, const struct rt_address *address);

/* A due deadline on its way to its order. Comes home by itself; allocated and freed by order_timers.c. */
struct order_timer_message {
    struct rt_message message;
    struct order_timer timer;
};
void order_timers_start(struct actors_shard *as);
void order_timers_fini(struct actors_shard *as);

/* A crash dropped this message: frees it when it is this source's own, else false. */
bool order_actor_discard(struct rt_message *message);
bool order_timers_discard(struct rt_message *message);
bool tenant_actor_discard(struct rt_message *message);
bool inbox_actor_discard(struct rt_message *message);
bool user_actor_discard(struct rt_message *message);

/* Over the maximum of thawed orders: the least recently used one is kept as bytes from now on. */
void order_actor_freeze_oldest(struct actors_shard *as);
/* The tick: freezes orders that were not touched for some seconds, oldest first, a bounded number at a time.
 */
void order_actor_freeze_idle(struct actors_shard *as);
/* Passivates the actor when its order still does not exist and nobody waits for it. */
void order_actor_passivate_absent(struct actors_shard *as, struct rt_actor *actor);

#endif
