/*
 * Connections and the exchanges on them, as far as no HTTP library is needed to handle them: who is alive,
 * who waits for whom, and what is recycled. One shard's, on its thread.
 *
 * An exchange lives in a slot. A slot has two owners at first, the handler that will answer and the request
 * that the library may dispose of at any moment; when both are done with it, it goes back to the shard's free
 * list. An answer that is not written out yet hangs in its connection's list, oldest first.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "http/exchange.h"
#include "http/guard.h"

#define HTTP_PEER_SIZE 64

struct http_connection {
    struct http_connection *prev, *next;
    struct http_slot *unsent_first, *unsent_last; /* answered, not yet written out; oldest first */
    void *owner;                                  /* the carrier's: its shard */
    void *socket;                                 /* the carrier's */
    void *stream;                                 /* the carrier's: what lies below the socket */
    struct http_guard guard;
    struct http_guard_sample sample;
    unsigned slots; /* exchanges that have a request of this connection */
    unsigned ids_sampled;
    bool is_http2;
    bool ended; /* shut down by us */
    size_t peer_len;
    char peer[HTTP_PEER_SIZE];
};

/* A shard's connections, newest first. */
struct http_connections {
    struct http_connection *first;
    unsigned count;
};

struct http_slot {
    struct http_exchange exchange;
    struct http_slots *home;
    struct http_connection *connection; /* NULL when the request is gone */
    void *request;                      /* the carrier's; NULL when it is gone */
    struct http_slot *prev, *next;      /* of the connection's unsent answers; `next` also of the free list */
    uint64_t answered_ns;               /* 0: not yet */
    char peer[HTTP_PEER_SIZE];
};

/* A shard's slots. */
struct http_slots {
    struct rt_shard *shard;
    const struct http_exchange_ops *ops;
    struct http_slot *free;
    unsigned free_count;
    unsigned in_flight; /* taken and not answered */
};

void http_slots_init(struct http_slots *slots, struct rt_shard *shard, const struct http_exchange_ops *ops);
/* Nothing may be in flight. */
void http_slots_fini(struct http_slots *slots);
/* A slot for a request that has arrived on the connection; its exchange is empty but for peer and start. */
struct http_slot *http_slot_take(struct http_slots *slots, struct http_connection *connection, void *request,
                                 uint64_t now_ns);
/* The handler has answered. False when the request is gone: the slot is recycled then, there is nobody to
 * send to. */
bool http_slot_answered(struct http_slot *slot, uint64_t now_ns);
/* The request is gone. True when it had not been answered. */
bool http_slot_disposed(struct http_slot *slot);

static inline struct http_slot *http_slot_of(struct http_exchange *exchange)
{
    return (struct http_slot *)exchange; /* its first member */
}

/* A new connection in the list. */
struct http_connection *http_connection_create(struct http_connections *connections);
/* Its requests are gone. */
void http_connection_destroy(struct http_connections *connections, struct http_connection *connection);

/*
 * Judges every connection that is not ended by its sample, which the carrier has filled but for
 * `oldest_unsent_ms`, and calls `end` for those that must go. Gives the sum of what is buffered and the
 * connection that buffers most, NULL when none does.
 */
uint64_t http_connections_judge(struct http_connections *connections, const struct http_guard_limits *limits,
                                uint64_t now_ns,
                                void (*end)(struct http_connection *connection,
                                            enum http_guard_verdict verdict),
                                struct http_connection **worst);

#endif
