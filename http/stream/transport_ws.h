/*
 * The graphql-transport-ws protocol: GraphQL operations over a WebSocket.
 *
 *   client                               server
 *   connection_init {token}  ─────────▶  authenticates         ◀─── connection_ack, or closes with 4403
 *   subscribe {id, query …}  ─────────▶  runs the operation    ◀─── next*, then complete; or error
 *   complete {id}            ─────────▶  forgets the operation
 *
 * Every operation is an exchange of its own, carried by the WebSocket instead of HTTP, so it takes the same
 * way as a request: the endpoint parses, authenticates and answers it, and streams are pumped into it
 * (pump.h). The token comes with connection_init as `Authorization` ("Bearer …", also below `headers`), or
 * with the upgrade's Authorization header; it is verified again for every operation, and the connection ends
 * when it expires.
 *
 * Closings: 4400 a message that is none of the protocol's, 4401 an operation before the acknowledgement, 4403
 * no or no longer a valid token, 4406 another subprotocol, 4408 no connection_init in time, 4409 an id in
 * use, 4429 a second connection_init; 1013 the token's issuer
 * cannot be asked for its keys; 1008 a reader that does not read.
 */
#ifndef STREAM_TRANSPORT_WS_H
#define STREAM_TRANSPORT_WS_H

#include "http/exchange.h"

struct http_claims;

#define STREAM_WS_PROTOCOL "graphql-transport-ws"

struct stream_ws_service; /* a shard's */

/* `handle` runs an operation's exchange (api_handle_graphql). `authenticate` is asked about the exchange of a
 * connection_init: true with the claims; false when it was answered, or stream_ws_known will be called. */
struct stream_ws_config {
    void (*handle)(struct http_exchange *exchange, void *context);
    bool (*authenticate)(struct http_exchange *exchange, void *context, const struct http_claims **out);
    void *authenticate_context;
};

struct stream_ws_service *stream_ws_create(struct rt_shard *shard, const struct stream_ws_config *config);
/* Goes on with the exchange of a connection_init; takes over the hold on the claims. `context` is not used.
 */
void stream_ws_known(struct http_exchange *exchange, void *context, const struct http_claims *claims);
/* What `handle` is called with. */
void stream_ws_bind(struct stream_ws_service *service, void *context);
/* Its connections have gone. */
void stream_ws_destroy(struct stream_ws_service *service);
/* Takes an exchange that asks for a WebSocket (http_websocket_wanted) over. */
void stream_ws_accept(struct stream_ws_service *service, struct http_exchange *exchange);

struct stream_ws_stats {
    uint64_t connections, opened, operations, closed_by_us;
};
void stream_ws_stats(const struct stream_ws_service *service, struct stream_ws_stats *out);

#endif
