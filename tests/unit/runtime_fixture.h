/*
 * For tests of the runtime: a host whose clock and turns the test itself moves, and an actor class whose
 * receive is whatever the test says. No threads.
 */
#ifndef RUNTIME_FIXTURE_H
#define RUNTIME_FIXTURE_H

#include "runtime/shard_internal.h"

struct fixture {
    struct rt_host host;
    int64_t now_ms;
};

struct fixture_actor {
    struct rt_actor actor;
    unsigned received;
    bool stays;                 /* may not be passivated */
    bool fetched, fetched_near; /* into the cache, in this order and before the first message */
};

struct fixture_message {
    struct rt_message message;
    unsigned number;
    bool came_home;
    enum oms_status result;
};

struct fixture_behaviour {
    /* NULL: return the message. */
    void (*receive)(struct rt_shard *shard, struct fixture_actor *actor, struct fixture_message *message);
    /* NULL: nothing. Called for a new actor in activate. */
    void (*activated)(struct rt_shard *shard, struct fixture_actor *actor);
    /* NULL: just note it. */
    void (*came_home)(struct rt_shard *shard, struct fixture_message *message);
    bool refuse_activation;
    unsigned destroyed;
};

/* What the class does now; reset by fixture_init. */
extern struct fixture_behaviour fixture_behaviour;
extern const struct rt_actor_class fixture_class;

void fixture_init(struct fixture *fixture, unsigned shards);
void fixture_fini(struct fixture *fixture);
/* Steps all shards until none has anything to do; returns steps. */
unsigned fixture_run(struct fixture *fixture);
/* The n-th address of the tenant on that shard. */
struct rt_address fixture_address(const struct rt_host *host, unsigned shard, uint32_t tenant, uint64_t n);
void fixture_message_init(struct fixture_message *message, unsigned home, struct rt_address to,
                          unsigned number);

#endif
