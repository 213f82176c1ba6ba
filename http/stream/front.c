/* The front door of /graphql. See front.h. */
#include "http/stream/front.h"

#include "http/query_string.h"
#include "http/stream/pump.h"
#include "http/websocket.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/shard.h"

struct front_shard {
    struct stream_pumps *pumps;
    struct stream_ws_service *websockets;
    struct http_tickets *tickets;
};

struct stream_front {
    struct stream_front_config config;
    void *context; /* of the endpoint */
    unsigned shard_count;
    struct front_shard shards[];
};

static struct front_shard *shard_of(struct stream_front *front, const struct rt_shard *shard)
{
    return &front->shards[rt_shard_index(shard)];
}

/* ---- tickets ---- */

/* A ticket on its way to the shard that issued it, and back with the claims. */
struct redemption {
    struct rt_message message;
    struct stream_front *front;
    struct http_exchange *exchange;
    struct http_ticket ticket;
    const struct http_claims *claims;
};

static void redeemed(struct stream_front *front, struct http_exchange *exchange,
                     const struct http_claims *claims)
{
    if (!claims) {
        http_respond_error(
            exchange, 401, "UNAUTHENTICATED",
            "The ticket is unknown, was used already, or is older than a minute: ask for a new one");
        return;
    }
    front->config.handle_as(exchange, front->context, claims);
}

static void redemption_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct redemption *redemption = OMS_CONTAINER_OF(message, struct redemption, message);
    (void)shard;
    redeemed(redemption->front, redemption->exchange, redemption->claims);
    oms_free(redemption);
}

/* On the shard that issued the ticket. */
static void redemption_arrived(struct rt_shard *shard, struct rt_message *message)
{
    struct redemption *redemption = OMS_CONTAINER_OF(message, struct redemption, message);
    struct stream_front *front = redemption->front;
    redemption->claims = http_ticket_redeem(shard_of(front, shard)->tickets, &redemption->ticket,
                                            rt_now_ms(front->config.host));
    unsigned home = rt_shard_index(redemption->exchange->shard);
    *message = (struct rt_message){.home = (uint16_t)home, .on_return = redemption_returned};
    rt_post(front->config.host, home, message);
}

static void redeem(struct stream_front *front, struct http_exchange *exchange, struct oms_str text)
{
    struct http_ticket ticket;
    if (!http_ticket_parse(text, &ticket) || ticket.shard >= front->shard_count) {
        redeemed(front, exchange, NULL);
        return;
    }
    if (ticket.shard == rt_shard_index(exchange->shard)) {
        redeemed(
            front, exchange,
            http_ticket_redeem(front->shards[ticket.shard].tickets, &ticket, rt_now_ms(front->config.host)));
        return;
    }
    struct redemption *redemption = oms_calloc(1, sizeof(*redemption));
    redemption->front = front;
    redemption->exchange = exchange;
    redemption->ticket = ticket;
    redemption->message.home = (uint16_t)ticket.shard;
    redemption->message.on_return = redemption_arrived;
    rt_post(front->config.host, ticket.shard, &redemption->message);
}

enum oms_status stream_front_ticket(void *context, struct rt_shard *shard, const struct http_claims *claims,
                                    char text[HTTP_TICKET_TEXT_SIZE], int64_t *expires_ms)
{
    struct stream_front *front = context;
    return http_ticket_issue(shard_of(front, shard)->tickets, claims, rt_now_ms(front->config.host), text,
                             expires_ms);
}

/* ---- requests ---- */

void stream_front_handle(struct http_exchange *exchange, void *context)
{
    struct stream_front *front = context;
    if (exchange->method == HTTP_GET) {
        struct oms_str ticket = http_query_get(exchange->query, "ticket", &exchange->arena);
        if (http_websocket_wanted(exchange)) {
            stream_ws_accept(shard_of(front, exchange->shard)->websockets, exchange);
            return;
        }
        if (oms_str_present(ticket)) {
            redeem(front, exchange, ticket);
            return;
        }
    }
    front->config.handle(exchange, front->context);
}

void stream_front_subscribe(void *context, struct api_shard *as, struct http_exchange *exchange,
                            const struct stream_request *request, bool as_events)
{
    struct stream_front *front = context;
    stream_pump(shard_of(front, exchange->shard)->pumps, as, exchange, request, as_events);
}

void stream_front_stats(const struct stream_front *front, unsigned shard, struct stream_ws_stats *out)
{
    stream_ws_stats(front->shards[shard].websockets, out);
}

/* ---- life ---- */

struct stream_front *stream_front_create(const struct stream_front_config *config)
{
    unsigned count = config->host->shard_count;
    struct stream_front *front = oms_calloc(1, sizeof(*front) + count * sizeof(front->shards[0]));
    const struct stream_ws_config websockets = {
        .handle = config->handle,
        .authenticate = config->authenticate,
        .authenticate_context = config->authenticate_context,
    };
    front->config = *config;
    front->shard_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct rt_shard *shard = config->host->shards[i];
        front->shards[i].pumps = stream_pumps_create(shard);
        front->shards[i].websockets = stream_ws_create(shard, &websockets);
        front->shards[i].tickets = http_tickets_create(i);
    }
    return front;
}

void stream_front_bind(struct stream_front *front, void *context)
{
    front->context = context;
    for (unsigned i = 0; i < front->shard_count; i++)
        stream_ws_bind(front->shards[i].websockets, context);
}

void stream_front_destroy(struct stream_front *front)
{
    if (!front)
        return;
    for (unsigned i = 0; i < front->shard_count; i++) {
        stream_pumps_destroy(front->shards[i].pumps);
        stream_ws_destroy(front->shards[i].websockets);
        http_tickets_destroy(front->shards[i].tickets);
    }
    oms_free(front);
}
