/*
 * What the files of http/h2o/ share. They are the server on libh2o 2.2 (its libuv build), and the only ones
 * that know h2o: server.c makes and ends it and accepts connections, request.c turns requests into exchanges
 * and answers them, stream.c
 * answers without a known end, websocket.c takes connections over, connections.c samples, judges and drains
 * connections.
 *
 * Every shard has an h2o context, a listening socket and its own connections on its own loop; the
 * configuration and the TLS context are shared and immutable.
 */
#ifndef HTTP_H2O_INTERNAL_H
#define HTTP_H2O_INTERNAL_H

#include <h2o.h>
/* They need h2o.h before them. */
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/connection.h"
#include "http/listen.h"
#include "http/server_h2o.h"
#include "http/server_limits.h"
#include "runtime/base/assert.h"
#include "runtime/shard.h"

struct http_h2o_shard {
    struct http_server *server;
    struct rt_shard *shard;
    struct http_metrics_row *row;
    unsigned index;
    h2o_context_t h2o;
    h2o_accept_ctx_t accept;
    uv_tcp_t listener;
    bool listening;
    struct http_connections connections;
    struct http_slots slots;
    unsigned websockets;
    struct rt_timer timer;
    uint64_t buffered; /* the last sum over our connections */
    struct rt_message drain_message;
    bool drain_asked, draining, drained;
    int64_t drain_at_ms, drain_deadline_ms;
    bool context_made;
};

struct http_server {
    struct http_server_config config;
    struct http_server_limits limits;
    h2o_globalconf_t h2o;
    SSL_CTX *tls;
    struct http_listen_address address;
    char url[96];
    struct http_server_numbers ids;
    unsigned shard_count;
    atomic_bool draining;
    atomic_uint drain_timeout_ms;
    _Atomic uint64_t buffered_all;
    pthread_mutex_t lock;
    pthread_cond_t drained;
    unsigned undrained; /* shards; under the lock */
    bool drained_clean; /* under the lock */
    struct http_h2o_shard shards[];
};

static inline struct http_h2o_shard *http_h2o_shard_of_request(const h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(struct http_h2o_shard, h2o, req->conn->ctx);
}

static inline struct http_h2o_shard *http_h2o_shard_of_slot(const struct http_slot *slot)
{
    return OMS_CONTAINER_OF(slot->home, struct http_h2o_shard, slots);
}

static inline struct http_h2o_shard *http_h2o_shard_of(const struct http_connection *connection)
{
    return connection->owner;
}

static inline h2o_socket_t *http_h2o_socket_of(const struct http_connection *connection)
{
    return connection->socket;
}

/* NULL when the socket is on its way out. */
static inline struct http_connection *http_h2o_connection_of(h2o_conn_t *conn)
{
    h2o_socket_t *sock = conn->callbacks->get_socket(conn);
    return sock ? sock->on_close.data : NULL;
}

/* ---- request.c ---- */

extern const struct http_exchange_ops http_h2o_exchange_ops;
/* Lets h2o call us for every request, at its end, and for the errors that it answers by itself. */
void http_h2o_register_requests(struct http_server *server, h2o_hostconf_t *host);

/* What comes before a body. With `copy` the headers' text may go before the response has gone out. */
void http_h2o_set_head(struct http_slot *slot, unsigned status, size_t content_length,
                       const char *content_type, const struct http_header *headers, size_t header_count,
                       bool copy);
/* Tells the server's owner that a request has been answered. */
void http_h2o_observe(struct http_slot *slot, unsigned status, uint64_t now_ns);

/* ---- stream.c: members of http_exchange_ops, and ---- */

bool http_h2o_stream_begin(struct http_exchange *exchange, unsigned status, const char *content_type,
                           const struct http_header *headers, size_t header_count,
                           const struct http_stream_events *events, void *context);
bool http_h2o_stream_is_ready(const struct http_exchange *exchange);
void http_h2o_stream_send(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count);
void http_h2o_stream_end(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count);
void http_h2o_stream_abort(struct http_exchange *exchange);
/* The request goes: gives back what the stream holds. Its handler is told by http_slot_disposed. */
void http_h2o_stream_disposed(struct http_slot *slot);
/* Ends the stream whatever is in flight, and tells nobody. It may be disposed when this returns. */
void http_h2o_stream_cut(struct http_slot *slot);
/* HTTP/1: the connection was shut down; h2o, which does not read it now, is to notice. */
void http_h2o_stream_wake(struct http_slot *slot);

/* ---- websocket.c ---- */

/* A member of http_exchange_ops. */
struct http_websocket *http_h2o_websocket_accept(struct http_exchange *exchange, struct oms_str accept,
                                                 const char *protocol,
                                                 const struct http_websocket_events *events, void *context);
/* The connection goes before the upgrade was done. */
void http_h2o_websocket_detach(struct http_websocket *ws);
/* Bytes of a message that has not come whole. */
uint64_t http_h2o_websocket_buffered(const struct http_websocket *ws);
/* It was closed by us, and the client has not done its part in time. */
bool http_h2o_websocket_overdue(const struct http_websocket *ws, uint64_t now_ns);
/* The connection was shut down; whoever does not read it now is to notice. */
void http_h2o_websocket_wake(struct http_websocket *ws);

/* ---- connections.c ---- */

/* Counts a request for the guard. */
void http_h2o_count_request(struct http_connection *connection, h2o_req_t *req);
/* Ends it by shutdown(2): h2o sees the end of the stream and closes, but not yet. Idempotent. */
void http_h2o_end_connection(struct http_connection *connection);
/* Whoever makes a connection starts the timer that looks after it. */
void http_h2o_start_timer(struct http_h2o_shard *shard);
void http_h2o_on_timer(struct rt_shard *rt_shard, struct rt_timer *timer);
/* rt_message.on_return */
void http_h2o_on_drain(struct rt_shard *rt_shard, struct rt_message *message);

/* ---- server.c ---- */

/* Takes what already waits in the listener's queue (closing drops it), then closes. Idempotent. */
void http_h2o_stop_listening(struct http_h2o_shard *shard);

#endif
