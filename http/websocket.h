/*
 * A WebSocket connection (RFC 6455), as protocols see it: no h2o and no wslay here.
 *
 * It begins as an exchange with `Upgrade: websocket` over HTTP/1.1 and lives on that shard; every function
 * and event is on its thread. Pings of the client are answered below. The carrier bounds what it takes (one
 * message: HTTP_WEBSOCKET_MESSAGE_MAX, else it closes with 1009) and refuses binary messages (1003) and text
 * that is not UTF-8 (1007).
 */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include "http/exchange.h"

struct http_websocket;

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

/* Whether the request asks for a WebSocket properly (version 13, a key, GET, HTTP/1.1). */
bool http_websocket_wanted(const struct http_exchange *exchange);
/*
 * Accepts: answers 101 with `protocol` (static; NULL: none) and ends the exchange. NULL when the client has
 * gone or the request is no proper one (then it was answered 400). `events` is static.
 */
struct http_websocket *http_websocket_accept(struct http_exchange *exchange, const char *protocol,
                                             const struct http_websocket_events *events, void *context);
struct rt_shard *http_websocket_shard(const struct http_websocket *ws);
/* "127.0.0.1:4711"; as long as the WebSocket. */
struct oms_str http_websocket_peer(const struct http_websocket *ws);
/* Sends one text message made of the chunks and takes over their holds. Check http_websocket_unsent before.
 */
void http_websocket_send(struct http_websocket *ws, const struct http_chunk *chunks, size_t count);
/* Bytes handed over and not yet written to the socket. */
size_t http_websocket_unsent(const struct http_websocket *ws);
/* A ping with no body. */
void http_websocket_ping(struct http_websocket *ws);
/* Sends a close frame after what waits and ends the connection; `gone` follows later. Idempotent. */
void http_websocket_close(struct http_websocket *ws, unsigned code, const char *reason);

#endif
