/*
 * A WebSocket connection (RFC 6455), as protocols see it: no h2o here.
 *
 * It begins as an exchange with `Upgrade: websocket` over HTTP/1.1 and lives on that shard; every function
 * and event is on its thread. Pings of the client are answered below. The carrier bounds what it takes (one
 * message: OMS_WEBSOCKET_MESSAGE_MAX, else it closes with 1009) and refuses binary messages (1003) and text
 * that is not UTF-8 (1007).
 */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include "http/exchange.h"

struct http_websocket;

/* What carries it: h2o in the server, a stand-in in tests. Protocols use the functions below instead. */
struct http_websocket_ops {
    void (*send)(struct http_websocket *ws, const struct http_chunk *chunks, size_t count);
    size_t (*unsent)(const struct http_websocket *ws);
    void (*ping)(struct http_websocket *ws);
    void (*close)(struct http_websocket *ws, unsigned code, const char *reason);
};

struct http_websocket {
    const struct http_websocket_ops *ops;
    struct rt_shard *shard;
    struct oms_str peer;
};

struct http_websocket_events {
    /* One whole text message; the text is valid during the call. */
    void (*message)(struct http_websocket *ws, struct oms_str text, void *context);
    /* What was handed over has been written to the socket: more may be sent. */
    void (*ready)(struct http_websocket *ws, void *context);
    /* A pong came, for who wants to know that the client lives. May be NULL. */
    void (*pong)(struct http_websocket *ws, void *context);
    /* The connection has ended, by whomever; `ws` must not be touched after it. Called exactly once. */
    void (*gone)(struct http_websocket *ws, void *context);
};

/* Whether the request asks for a WebSocket (GET, HTTP/1.1, Upgrade); whether properly, accept finds out. */
bool http_websocket_wanted(const struct http_exchange *exchange);
/*
 * Accepts: answers 101 with `protocol` (static; NULL: none) and ends the exchange. NULL when the client has
 * gone or the request is no proper one (then it was answered 400, or 426 for another version than 13).
 * `events` is static.
 */
struct http_websocket *http_websocket_accept(struct http_exchange *exchange, const char *protocol,
                                             const struct http_websocket_events *events, void *context);
struct rt_shard *http_websocket_shard(const struct http_websocket *ws);
/* "127.0.0.1:4711"; as long as the WebSocket. */
struct oms_str http_websocket_peer(const struct http_websocket *ws);
/* Sends one text message made of the chunks, one to HTTP_STREAM_CHUNKS_MAX, and takes over their holds. After
 * http_websocket_close nothing is sent. Check http_websocket_unsent before. */
void http_websocket_send(struct http_websocket *ws, const struct http_chunk *chunks, size_t count);
/* Bytes handed over and not yet written to the socket, with what each message costs while it waits. While
 * they are many (1 MiB) nothing more is read from the client. */
size_t http_websocket_unsent(const struct http_websocket *ws);
/* A ping with no body. */
void http_websocket_ping(struct http_websocket *ws);
/* Sends a close frame after what waits and ends the connection; `gone` follows later. Idempotent. */
void http_websocket_close(struct http_websocket *ws, unsigned code, const char *reason);

#endif
