/*
 * The mailbox: Vyukov's intrusive multi-producer single-consumer queue with a stub node.
 *
 * Invariants: `tail` is the newest node, and every node but the newest is linked to its successor, or will be
 * once its producer finishes the second half of a push. Only the consumer touches `head`. The stub is in the
 * queue exactly when the consumer put it there because it took the newest message.
 *
 * Memory orders, in pairs:
 *  (1) link: a push stores prev->next with release; the consumer loads next with acquire. So the consumer
 * sees all that the producer wrote to the messages, and the links inside of a chain. (2) hand-over between
 * producers: the exchange of tail is a release of our last node (its next is NULL) and an acquire of the
 * previous producer's one, whose next we then overwrite. (3) sleep: the consumer stores asleep and then loads
 * tail; a producer exchanges tail and then loads asleep. All four are seq_cst, so in their single order one
 * side sees the other: no wake-up is lost. A fence would do as well, but ThreadSanitizer does not know
 * fences; on x86 these cost nothing above the exchange.
 */
#include "runtime/mailbox.h"

#include <stddef.h>

#include "runtime/base/assert.h"

static struct rt_message *next_of(const struct rt_message *message)
{
    return __atomic_load_n(&message->next, __ATOMIC_ACQUIRE); /* (1) */
}

static void link_chain(struct rt_mailbox *mailbox, struct rt_message *first, struct rt_message *last)
{
    /* Relaxed: published by the exchange (2). Atomic, because the consumer may look at it right after that.
     */
    __atomic_store_n(&last->next, NULL, __ATOMIC_RELAXED);
    struct rt_message *previous =
        atomic_exchange_explicit(&mailbox->tail, last, memory_order_seq_cst); /* (2)(3) */
    __atomic_store_n(&previous->next, first, __ATOMIC_RELEASE);               /* (1) */
}

void rt_mailbox_init(struct rt_mailbox *mailbox)
{
    memset(&mailbox->stub, 0, sizeof mailbox->stub);
    mailbox->head = &mailbox->stub;
    atomic_init(&mailbox->tail, &mailbox->stub);
    atomic_init(&mailbox->pushed, 0);
    atomic_init(&mailbox->popped, 0);
    atomic_init(&mailbox->asleep, false);
}

bool rt_mailbox_push(struct rt_mailbox *mailbox, struct rt_message *first, struct rt_message *last,
                     unsigned count)
{
    /* Relaxed: a statistic. Before the link, so that it is not behind `popped` for long. */
    atomic_fetch_add_explicit(&mailbox->pushed, count, memory_order_relaxed);
    link_chain(mailbox, first, last);
    if (!atomic_load_explicit(&mailbox->asleep, memory_order_seq_cst)) /* (3) */
        return false;
    /* Several producers may see the sleeper; the one that clears the flag wakes it. */
    return atomic_exchange_explicit(&mailbox->asleep, false, memory_order_acq_rel);
}

static struct rt_message *take(struct rt_mailbox *mailbox, struct rt_message *message,
                               struct rt_message *next)
{
    mailbox->head = next;
    unsigned popped = atomic_load_explicit(&mailbox->popped, memory_order_relaxed);
    atomic_store_explicit(&mailbox->popped, popped + 1, memory_order_relaxed); /* one writer: no RMW needed */
    message->next = NULL;
    return message;
}

struct rt_message *rt_mailbox_pop(struct rt_mailbox *mailbox)
{
    struct rt_message *head = mailbox->head;
    struct rt_message *next = next_of(head);

    if (head == &mailbox->stub) {
        if (!next)
            return NULL;
        mailbox->head = head = next;
        next = next_of(head);
    }
    if (next)
        return take(mailbox, head, next);
    /* `head` looks like the newest. If it is not, a producer stands between its exchange and its link. */
    if (head != atomic_load_explicit(&mailbox->tail, memory_order_acquire))
        return NULL;
    /* The stub goes behind it, so that head can leave. */
    link_chain(mailbox, &mailbox->stub, &mailbox->stub);
    next = next_of(head);
    return next ? take(mailbox, head, next) : NULL;
}

bool rt_mailbox_is_empty(const struct rt_mailbox *mailbox)
{
    return mailbox->head == &mailbox->stub &&
           atomic_load_explicit(&mailbox->tail, memory_order_acquire) == &mailbox->stub;
}

bool rt_mailbox_sleep(struct rt_mailbox *mailbox)
{
    if (!rt_mailbox_is_empty(mailbox))
        return false;
    atomic_store_explicit(&mailbox->asleep, true, memory_order_seq_cst);              /* (3) */
    if (atomic_load_explicit(&mailbox->tail, memory_order_seq_cst) == &mailbox->stub) /* (3) */
        return true;
    /* A producer came in between; if it saw the flag, its wake-up is a harmless extra one. */
    atomic_store_explicit(&mailbox->asleep, false, memory_order_relaxed);
    return false;
}

void rt_mailbox_awake(struct rt_mailbox *mailbox)
{
    /* Relaxed: the flag carries no data, and a producer that still sees it set sends one wake-up too many. */
    atomic_store_explicit(&mailbox->asleep, false, memory_order_relaxed);
}

unsigned rt_mailbox_depth(const struct rt_mailbox *mailbox)
{
    unsigned popped = atomic_load_explicit(&mailbox->popped, memory_order_relaxed);
    unsigned depth = atomic_load_explicit(&mailbox->pushed, memory_order_relaxed) - popped;
    return depth > UINT32_MAX / 2 ? 0 : depth; /* popped was read the fresher one */
}

void rt_port_init(struct rt_port *port)
{
    rt_mailbox_init(&port->mailbox);
    port->wake = NULL;
    port->host_data = NULL;
}

void rt_port_push(struct rt_port *port, struct rt_message *first, struct rt_message *last, unsigned count)
{
    OMS_ASSERT(first && last && count);
    if (rt_mailbox_push(&port->mailbox, first, last, count) && port->wake)
        port->wake(port);
}
