/*
 * Replies that wait for durability. Nothing leaves the process before the unit that it depends on is synced:
 * a reply is rendered when its command is applied, held here, and sent home by the shard's acknowledgement.
 *
 * Sequences in the queue never fall, since a message that depends on an older unit may as well wait for the
 * newest that is on its way with it (the same batch or the next).
 */
#ifndef ACTORS_HELD_H
#define ACTORS_HELD_H

#include "runtime/shard.h"

struct held_queue {
    struct held_item *first, *last;
    uint64_t count;
    uint64_t failed_seq; /* units above the durable ones, up to this, are of unknown outcome */
};

/* Part of every message that can be held. `release` is called once, on the shard, with OMS_OK or OMS_IO. */
struct held_item {
    struct held_item *next;
    uint64_t seq;
    void (*release)(struct rt_shard *shard, struct held_item *item, enum oms_status status);
};

/* Waits for `seq`; calls release at once when it is durable already, or known to be of unknown outcome. */
void held_push(struct held_queue *queue, struct rt_shard *shard, struct held_item *item, uint64_t seq,
               uint64_t durable_seq);
/* Releases everything up to `durable_seq`. */
void held_release(struct held_queue *queue, struct rt_shard *shard, uint64_t durable_seq,
                  enum oms_status status);

#endif
