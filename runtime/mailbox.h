/*
 * The mailbox: an intrusive queue with many producers and one consumer (after Vyukov's intrusive MPSC queue).
 *
 * FIFO per producer; a chain is pushed with one atomic exchange. A push tells whether it made an empty mailbox
 * non-empty, so that the consumer is woken once per such edge and not per message. The consumer declares itself
 * empty by rt_mailbox_sleep before it blocks.
 */
#ifndef RT_MAILBOX_H
#define RT_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/message.h"

/*
 * Producers, consumer and the sleep flag stay a cache line apart by padding rather than by alignment, so that a
 * structure that embeds a mailbox can come from plain oms_malloc.
 */
struct rt_mailbox {
    char pad_front[64];
    _Atomic(struct rt_message *) tail; /* producers: the newest message */
    atomic_uint pushed;                /* producers: messages ever pushed, wraps */
    char pad_producers[64];
    struct rt_message *head; /* the consumer: the oldest message, or the stub */
    atomic_uint popped;      /* written by the consumer only; pushed - popped is the depth */
    struct rt_message stub;
    char pad_consumer[64];
    atomic_bool asleep; /* set by the consumer, cleared by whoever wakes it */
    char pad_back[64];
};

void rt_mailbox_init(struct rt_mailbox *mailbox);
/*
 * Any thread. Takes the chain first…last (linked by next) of `count` messages. True when the consumer was asleep
 * and must be woken by the caller.
 */
bool rt_mailbox_push(struct rt_mailbox *mailbox, struct rt_message *first, struct rt_message *last, unsigned count);
/* The consumer. The oldest message, or NULL when empty (or when a producer is half-way through a push). */
struct rt_message *rt_mailbox_pop(struct rt_mailbox *mailbox);
/* The consumer. Declares sleep; false when messages are there after all and it must go on. */
bool rt_mailbox_sleep(struct rt_mailbox *mailbox);
/* The consumer, after waking. */
void rt_mailbox_awake(struct rt_mailbox *mailbox);
/* The consumer. False as well when a producer is half-way through a push. */
bool rt_mailbox_is_empty(const struct rt_mailbox *mailbox);
/* Any thread. Approximate: for metrics and limits. */
unsigned rt_mailbox_depth(const struct rt_mailbox *mailbox);

/* A mailbox with the means to wake its consumer, whatever that is: a uv loop, a thread, a simulator's slot. */
struct rt_port {
    struct rt_mailbox mailbox;
    void (*wake)(struct rt_port *port); /* any thread; set by the host; NULL: nobody to wake */
    void *host_data;
};

/* For a port that is not zeroed memory; a worker's zeroed port is initialised by add_worker. */
void rt_port_init(struct rt_port *port);
/* Any thread. Moves the chain into the port and wakes its consumer when it sleeps. */
void rt_port_push(struct rt_port *port, struct rt_message *first, struct rt_message *last, unsigned count);

#endif
