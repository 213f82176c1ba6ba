/*
 * Who listens to commits: the layer above is told of units on their shard, as they are made and when they are
 * durable.
 *
 * A unit's watch is made when the unit has been submitted, is shown each event right after it was applied (so
 * that the order is as of that event), and waits with the held replies: `committed` is called when the unit
 * is durable, before the reply to its command leaves, and in the order in which the shard made its units.
 * Units of tenants and users are reported as well, without events, since the commit numbers of a partition
 * have no gap and whoever puts several shards' units in order counts on that.
 *
 * Where nobody listens this costs a test or two per unit: each shard has a flag per partition, set by
 * actors_observe.
 */
#ifndef ORDER_OBSERVER_H
#define ORDER_OBSERVER_H

#include "actors/held.h"
#include "actors/order_event.h"
#include "actors/order_view.h"
#include "actors/tenant.h"
#include "storage/unit.h"

struct actors_system;

/* Embedded in what the observer keeps for one unit. */
struct order_watch {
    struct held_item held;   /* the actor layer's own, like what follows */
    struct store_unit *unit; /* valid until `committed` has returned */
};

/* All functions are called on the shard's thread. */
struct order_observer {
    void *context;
    /*
     * A unit of this actor (an order or a tenant) with `event_count` events was submitted. NULL: nobody wants
     * it. The actor's tenant is in its address.
     */
    struct order_watch *(*begin)(void *context, struct rt_shard *shard, const struct rt_address *actor,
                                 unsigned event_count);
    /* Event `ordinal` (from 0) has been applied; everything is borrowed for the call. Orders only. */
    void (*event)(void *context, struct rt_shard *shard, struct order_watch *watch, const struct order *order,
                  const struct order_event *event, const struct order_event_meta *meta, unsigned ordinal);
    /* The unit is durable under this number (OMS_OK), or its outcome is unknown (OMS_IO, commit 0). The watch
     * is the observer's again. */
    void (*committed)(void *context, struct rt_shard *shard, struct order_watch *watch, uint64_t commit,
                      enum oms_status status);
    /* The shard's tenant has this version from now on; called after actors_config.on_tenant. */
    void (*tenant)(void *context, struct rt_shard *shard, const struct tenant_version *tenant);
    /* What is stored of a user grants something else from now on. */
    void (*user)(void *context, struct rt_shard *shard, const struct user_version *user);
};

/* Before the host starts; NULL for none. The observer outlives the system's last turn. */
void actors_set_observer(struct actors_system *system, const struct order_observer *observer);
/* On the shard's thread: whether units of the partition made here from now on are watched. */
void actors_observe(struct rt_shard *shard, uint16_t partition, bool on);
/*
 * Holds the item until everything that this shard has submitted so far is durable: what is asked after that
 * may count on it. On the shard's thread.
 */
void actors_hold(struct rt_shard *shard, struct held_item *item);

#endif
