/*
 * What the two halves of graphql-transport-ws share: transport_ws.c (the connection and its messages) and
 * ws_operation.c (an operation as an exchange). Internal to http/stream.
 */
#ifndef STREAM_WS_IMPL_H
#define STREAM_WS_IMPL_H

#include "http/auth/claims.h"
#include "http/stream/transport_ws.h"
#include "http/websocket.h"
#include "runtime/base/value.h"
#include "runtime/shard.h"

struct ws_connection {
    struct stream_ws_service *service;
    struct http_websocket *ws;      /* NULL: gone, the last operation under way frees the connection */
    struct ws_operation *first;     /* newest first */
    struct ws_operation *turn;      /* whose turn it is when there is room; NULL: the first one's */
    unsigned count;                 /* operations that the client may still name */
    unsigned alive;                 /* … and those that it may not, but that have not come back yet */
    struct http_exchange *greeting; /* connection_init while its sender is looked at; else NULL */
    bool initialised, acknowledged, closed;
    bool ponged;            /* since the last ping */
    unsigned silent;        /* pings in a row without a pong */
    int64_t expires_ms;     /* of the token */
    struct rt_timer timer;  /* until the acknowledgement: its deadline; then the next ping or the expiry */
    struct oms_arena arena; /* the texts below */
    struct oms_str authorization;  /* "Bearer …" */
    struct oms_str origin, tenant; /* of the handshake; tenant may come with connection_init */
};

/* One operation. It stands in for an HTTP request; `exchange` is its first member. */
struct ws_operation {
    struct http_exchange exchange;
    struct ws_connection *connection;
    struct ws_operation *prev, *next;
    struct http_payload *prefix; /* {"id":"…","type":"next","payload": */
    struct oms_str id;           /* JSON text, quoted; in `prefix` */
    bool forgotten;              /* completed by the client, or the connection has gone: nothing is sent */
    bool sent;                   /* what was handed over has not been written out yet */
    bool crowded_out;            /* it may have something to send, but others fill the connection */
    const struct http_stream_events *events; /* of a stream; NULL: a single result is awaited */
    void *context;
};

struct stream_ws_service {
    struct rt_shard *shard;
    struct stream_ws_config config;
    void *context; /* of config.handle */
    struct stream_ws_stats stats;
};

/* ---- ws_operation.c ---- */

/* Starts the operation of a `subscribe` message. */
void ws_operation_start(struct ws_connection *connection, struct oms_str id, const struct oms_value *payload);
/* The active operation with this id (plain text), or NULL. */
struct ws_operation *ws_operation_find(const struct ws_connection *connection, struct oms_str id);
/* The client wants nothing more of it. */
void ws_operation_forget(struct ws_operation *operation);
/* Everything was written out: streams may go on. */
void ws_operations_ready(struct ws_connection *connection);

/* Looks, by an exchange that stands for connection_init, whether its token is good: now or later the
 * connection is acknowledged or closed. */
void ws_authenticate(struct ws_connection *connection);

/* ---- transport_ws.c ---- */

/* Sends one message made of the chunks; takes over their holds; nothing when the connection is closing. */
void ws_send(struct ws_connection *connection, const struct http_chunk *chunks, size_t count);
/* Sends a message of one text. */
void ws_send_text(struct ws_connection *connection, struct oms_str text);
/* An operation has ended: frees it, and the connection when it was the last of one that has gone. */
void ws_connection_drop(struct ws_connection *connection);
void ws_close(struct ws_connection *connection, unsigned code, const char *reason);
#define WS_CLOSE_REASON_SIZE 120 /* a close frame holds 123 bytes of it (RFC 6455 section 5.5) */
/* The sender of connection_init is known: says so, unless the connection is closing. */
void ws_acknowledge(struct ws_connection *connection, int64_t expires_ms);

#endif
