/*
 * The connection to the broker: a thread that connects, again and again, and writes what it is given; what
 * the broker says is handed to shard 0. It knows NATS, neither JetStream nor what messages mean.
 *
 * libnats runs with threads of its own and not on its libuv adapter: the adapter has to be attached on the
 * loop's thread while a connection is there, so a server could not start without a broker; connecting blocks,
 * holding a lock that publishing takes; and a shard never blocks. Each connection is a new object, an epoch:
 * libnats reconnects nothing, so nothing that was written for a lost connection is written to the next one.
 * link.c is the only file that sees nats.h.
 */
#ifndef NATS_LINK_H
#define NATS_LINK_H

#include "http/nats_settings.h"
#include "runtime/host.h"

struct nats_link;

enum nats_event_kind {
    NATS_UP,      /* connected: `epoch` is the connection's, `number` the largest payload */
    NATS_DOWN,    /* the connection of `epoch` is gone, or (epoch 0) could not be made: `text` says why */
    NATS_MESSAGE, /* for the inbox, or of a pull */
    NATS_FAULT,   /* the broker said what is wrong, as "Permissions Violation …": `text` */
};

/* What is handed to shard 0: one block, freed by the receiver with nats_event_free. */
struct nats_event {
    struct rt_message message;
    struct nats_link *link;
    enum nats_event_kind kind;
    uint32_t epoch;
    unsigned status; /* of a message without content: 100, 404, 408, 409, 503 (nobody listens) …; 0: none */
    uint64_t number;
    struct oms_str subject, reply; /* reply absent: none */
    struct oms_str id;             /* Nats-Msg-Id; absent: none */
    struct oms_str text;           /* payload, or the reason */
};

struct nats_header {
    const char *name;
    struct oms_str value;
};

struct nats_link_config {
    struct rt_host *host;
    const struct http_nats_settings *settings; /* borrowed until destroy */
    /* On shard 0's thread; takes over the event. */
    void (*on_event)(void *context, struct rt_shard *shard, struct nats_event *event);
    void *context;
};

/* Before the host starts; connecting begins with it. */
struct nats_link *nats_link_create(const struct nats_link_config *config);
/* Ends the connection when all that was given has been written; afterwards no event comes. From no shard,
 * while the host runs or before it started. */
void nats_link_stop(struct nats_link *link);
/* After the host has stopped. NULL is allowed. */
void nats_link_destroy(struct nats_link *link);

/* Where answers come: "_INBOX.LITEOMS.….", with its dot; the rest of a subject is the asker's. */
const char *nats_link_inbox(const struct nats_link *link);

/*
 * Any thread: writes a message on the connection of that epoch, in the order of the calls; on another one it
 * is dropped. Everything is copied. `reply` may be NULL.
 */
void nats_link_send(struct nats_link *link, uint32_t epoch, const char *subject, const char *reply,
                    const struct nats_header *headers, size_t header_count, struct oms_str payload);
/* Ends the connection, so that a new one is made after a pause. Any thread. */
void nats_link_reset(struct nats_link *link, uint32_t epoch);

void nats_event_free(struct nats_event *event);

#endif
