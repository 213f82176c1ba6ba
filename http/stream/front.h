/*
 * The front door of /graphql: what is not a plain request goes another way before the endpoint sees it.
 *
 * A WebSocket is accepted and speaks graphql-transport-ws; a `ticket` in the URL of an EventSource is
 * redeemed for the claims that it stands for, on the shard that issued it; everything else goes straight to
 * the endpoint. The front also gives the endpoint its ways to answer a subscription and to issue a ticket
 * (api_config).
 */
#ifndef STREAM_FRONT_H
#define STREAM_FRONT_H

#include "http/auth/ticket.h"
#include "http/exchange.h"
#include "http/stream/stream.h"
#include "http/stream/transport_ws.h"

struct stream_front;

struct stream_front_config {
    struct rt_host *host;
    /* The endpoint, for senders whose token it verifies, and for one who is known (takes over the hold). */
    void (*handle)(struct http_exchange *exchange, void *context);
    void (*handle_as)(struct http_exchange *exchange, void *context, const struct http_claims *claims);
    /* As in stream_ws_config. */
    bool (*authenticate)(struct http_exchange *exchange, void *context, const struct http_claims **out);
    void *authenticate_context;
};

/* Before the host starts. */
struct stream_front *stream_front_create(const struct stream_front_config *config);
/* What the endpoint is called with. */
void stream_front_bind(struct stream_front *front, void *context);
/* After the host has stopped and the connections have gone. */
void stream_front_destroy(struct stream_front *front);

/* The handler of /graphql; `front` is a struct stream_front. */
void stream_front_handle(struct http_exchange *exchange, void *front);

/* api_config.subscribe: answers the exchange with the stream of the subscription. */
void stream_front_subscribe(void *front, struct api_shard *as, struct http_exchange *exchange,
                            const struct stream_request *request, bool as_events);
/* api_config.ticket */
OMS_MUST_USE enum oms_status stream_front_ticket(void *front, struct rt_shard *shard,
                                                 const struct http_claims *claims,
                                                 char text[HTTP_TICKET_TEXT_SIZE], int64_t *expires_ms);

/* The shard's WebSockets. */
void stream_front_stats(const struct stream_front *front, unsigned shard, struct stream_ws_stats *out);

#endif
