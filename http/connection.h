/*
 * Connections and the exchanges on them, as far as no HTTP library is needed to handle them: who is alive,
 * who waits for whom, and what is recycled. One shard's, on its thread.
 *
 * An exchange lives in a slot. A slot has two owners at first, the handler that will answer and the request
 * that the library may dispose of at any moment; when both are done with it, it goes back to the shard's free
 * list. An answer that is not written out yet hangs in its connection's list, oldest first.
 *
 * A handler that streams keeps its exchange beyond the answer's begin, until it ends the stream or the
 * request is gone, whichever comes first. Such a slot has given its memory back but for the structure itself,
 * is not in flight any more, and hangs in its connection's second list while something of it is on its way:
 * an idle stream may live for days, one whose client does not read may not.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "http/exchange.h"
#include "http/guard.h"

#define HTTP_PEER_SIZE 64

struct http_slot;

struct http_slot_list {
    struct http_slot *first, *last;
};

struct http_connection {
    struct http_connection *prev, *next;
    struct http_slot_list unsent;     /* answered, not yet written out; oldest first */
    struct http_slot_list sending;    /* streams with something on its way; oldest first */
    void *owner;                      /* the carrier's: its shard */
    void *socket;                     /* the carrier's */
    void *stream;                     /* the carrier's: what lies below the socket */
    struct http_slot *stream_slot;    /* the carrier's: HTTP/1's one stream */
    struct http_websocket *websocket; /* the carrier's: what the connection was upgraded to */
    struct http_guard guard;
    struct http_guard_sample sample;
    uint64_t unwritten_bytes; /* set by the carrier before a judgement: waits for the kernel to take it */
    uint64_t unwritten_before, sent_before; /* at the last judgement */
    uint64_t moved_ns;                      /* when either changed for the last time */
    unsigned slots;                         /* exchanges that have a request of this connection */
    unsigned streams;                       /* of them: that stream */
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
    struct http_slot *prev, *next;      /* of one of the connection's lists; `next` also of the free list */
    uint64_t answered_ns;               /* 0: not yet; for a stream: begun */
    uint64_t sending_ns;                /* a stream: when what is on its way was handed over; 0: nothing is */
    const struct http_stream_events *events; /* a stream that its handler has not ended; else NULL */
    void *events_context;
    void *stream; /* the carrier's part of a stream; NULL: an ordinary answer */
    char peer[HTTP_PEER_SIZE];
};

/* A shard's slots. */
struct http_slots {
    struct rt_shard *shard;
    const struct http_exchange_ops *ops;
    struct http_slot *free;
    unsigned free_count;
    unsigned in_flight; /* taken and not answered */
    unsigned streams;   /* begun, and their request is there */
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
/*
 * The request is gone. True when it had not been answered. A stream that its handler has not ended is told
 * `gone`.
 */
bool http_slot_disposed(struct http_slot *slot, uint64_t now_ns);

/* The handler begins a stream, whose `stream` the carrier sets. False as http_slot_answered. */
bool http_slot_streams(struct http_slot *slot, const struct http_stream_events *events, void *context,
                       uint64_t now_ns);
/* The stream's memory is given back: its head is out, or on its way in somebody else's buffer. */
void http_slot_slim(struct http_slot *slot);
/* Something of the stream is on its way (again), or nothing is any more. Both may be said twice. */
void http_slot_sending(struct http_slot *slot, uint64_t now_ns);
void http_slot_sent(struct http_slot *slot);
/* Nobody is to be told anything about the stream any more: the handler has ended it. */
void http_slot_silence(struct http_slot *slot);

static inline struct http_slot *http_slot_of(struct http_exchange *exchange)
{
    return (struct http_slot *)exchange; /* its first member */
}

/* A new connection in the list. */
struct http_connection *http_connection_create(struct http_connections *connections);
/* Its requests are gone. */
void http_connection_destroy(struct http_connections *connections, struct http_connection *connection);

/* What a judgement does to those who must go. Neither may destroy a connection, but later. */
struct http_sentence {
    void (*end)(struct http_connection *connection, enum http_guard_verdict verdict);
    /* A stream whose client has not taken what is on its way; the slot is in no list any more. */
    void (*cut)(struct http_slot *slot);
};

/*
 * Judges every connection that is not ended by its sample, which the carrier has filled but for
 * `oldest_unsent_ms`. Gives the sum of what is buffered and the connection that buffers most, NULL when none
 * does.
 */
uint64_t http_connections_judge(struct http_connections *connections, const struct http_guard_limits *limits,
                                uint64_t now_ns, const struct http_sentence *sentence,
                                struct http_connection **worst);

#endif
