/*
 * Messages and addresses: what actors, shards, workers and pools pass to each other.
 *
 * A message has one owner at every moment: sending moves it. A request and its answer are the same node: it is
 * allocated by a shard (its home), travels to where the work is, is filled in, and comes home, where it is recycled.
 * So no memory is allocated on one core and freed on another.
 */
#ifndef RT_MESSAGE_H
#define RT_MESSAGE_H

#include <stdint.h>
#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/status.h"

struct rt_shard;

/* What lives behind an address; the store keeps these numbers. */
enum rt_actor_kind {
    RT_ACTOR_TENANT = 1,
    RT_ACTOR_ORDER = 2,
    RT_ACTOR_INBOX = 3,
    RT_ACTOR_USER = 4,
    RT_ACTOR_OUTLET = 5,
    RT_ACTOR_MARK = 6,
    RT_ACTOR_UPLOAD = 8,
};

/* Names one actor. `key` is 16 bytes that the actor's layer chooses (an order's id; zero for a tenant). */
struct rt_address {
    unsigned char key[16];
    uint32_t tenant;
    uint32_t kind;
};

static inline int rt_address_eq(const struct rt_address *a, const struct rt_address *b)
{
    return memcmp(a->key, b->key, 16) == 0 && a->tenant == b->tenant && a->kind == b->kind;
}

/* Well mixed; keys are hashes or ULIDs, strangers cannot choose them freely, so no keyed hash is needed. */
static inline uint64_t rt_address_hash(const struct rt_address *a)
{
    uint64_t hi, lo;
    memcpy(&hi, a->key, 8);
    memcpy(&lo, a->key + 8, 8);
    return oms_mix64(hi ^ oms_mix64(lo ^ ((uint64_t)a->tenant << 8 | a->kind)));
}

enum rt_message_flags {
    RT_MESSAGE_RETURNING = 1u << 0, /* on its way home; set by the runtime */
    RT_MESSAGE_SYSTEM = 1u << 1,    /* timers, outbox, parked updates: may use the reserved tenth of queues */
};

/* The head of every message structure (first member by convention, OMS_CONTAINER_OF otherwise). */
struct rt_message {
    struct rt_message *next; /* link of whatever queue holds it */
    struct rt_address to;    /* the actor; unused for jobs */
    uint16_t home;           /* shard that allocated it and gets it back */
    uint8_t kind;            /* of the receiving class's message kinds */
    uint8_t flags;           /* rt_message_flags */
    enum oms_status status;  /* when it comes home: OMS_OK, or OMS_BUSY/OMS_CLOSED when it was not delivered */
    /* Called on the home shard's thread when the message comes back; the owner again. */
    void (*on_return)(struct rt_shard *home, struct rt_message *message);
};

#endif
