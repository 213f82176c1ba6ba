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

struct rt_mailbox {
    _Alignas(64) _Atomic(struct rt_message *) tail; /* producers */
    _Alignas(64) struct rt_message *head;           /* the consumer */
    struct rt_message stub;
    _Alignas(64) atomic_bool asleep;
    atomic_uint depth; /* approximate, for metrics and limits */
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
unsigned rt_mailbox_depth(const struct rt_mailbox *mailbox);

/* A mailbox with the means to wake its consumer, whatever that is: a uv loop, a thread, a simulator's slot. */
struct rt_port {
    struct rt_mailbox mailbox;
    void (*wake)(struct rt_port *port); /* any thread; set by the host */
    void *host_data;
};

/* Any thread. */
void rt_port_push(struct rt_port *port, struct rt_message *first, struct rt_message *last, unsigned count);

#endif
