/*
 * The GraphQL API: the schema bound to the domain, and its endpoint.
 *
 * One api per process; what a request touches is per shard. The schema is http/schema.graphql, built into the
 * program; a field without a binding, or a binding without a field, refuses to start.
 */
#ifndef API_API_H
#define API_API_H

#include "actors/system.h"
#include "http/auth/claims.h"
#include "http/exchange.h"
#include "http/graphql_settings.h"
#include "http/metrics.h"

struct api;
struct api_shard;
struct http_api_key_uses;
struct http_cors;
struct http_erasures;
struct http_outhook_settings;
struct outhook_call;
struct rt_shard;
struct stream_request;

struct api_config {
    struct rt_host *host;
    struct actors_system *system;
    struct oms_str single_tenant; /* absent: tokens must name a tenant */
    struct http_graphql_settings graphql;
    /* The caller's claims with a hold for the callee; or false: it was answered, or comes again by
     * api_handle_graphql_as when the caller is known. On the exchange's shard. */
    bool (*authenticate)(struct http_exchange *exchange, void *context, const struct http_claims **out);
    void *authenticate_context;
    /* The shard's cross-origin rules; borrowed; may be NULL. */
    struct http_cors *(*cors)(void *context, unsigned shard);
    void *cors_context;
    /* Answers a subscription's exchange with its stream, as server-sent events or, for a WebSocket's
     * operation, as its protocol has them; takes a hold of the claims of its own. NULL: there are no streams.
     */
    void (*subscribe)(void *context, struct api_shard *as, struct http_exchange *exchange,
                      const struct stream_request *request, bool as_events);
    /* A ticket (http/auth/ticket.h) for the caller: OMS_BUSY when too many are out. NULL: there are none. */
    enum oms_status (*ticket)(void *context, struct rt_shard *shard, const struct http_claims *claims,
                              char *text, int64_t *expires_ms);
    void *stream_context;
    struct http_api_key_uses *api_key_uses;               /* borrowed; may be NULL */
    struct http_erasures *erasures;                       /* the erasure log; NULL: none is kept */
    const struct http_outhook_settings *outhook_settings; /* borrowed; NULL: nothing is sent */
    unsigned stream_replay_hours; /* how far back a stream may begin; 0: to the beginning of the log */
};

/* Before the host starts; everything in the config outlives the api. */
OMS_MUST_USE enum oms_status api_create(const struct api_config *config, struct api **out,
                                        struct oms_error *error);
/* Before the host starts: who is asked about the deliveries of webhooks (http/outhook/call.h). */
void api_use_outhooks(struct api *api,
                      void (*call)(void *context, struct rt_shard *shard, struct outhook_call *call),
                      void *context);
/* After the host has stopped. */
void api_destroy(struct api *api);

/* The handler of /graphql, for GET and POST; context is the api. */
void api_handle_graphql(struct http_exchange *exchange, void *api);
/* The same for a sender who is known already; takes over the hold on the claims. */
void api_handle_graphql_as(struct http_exchange *exchange, void *api, const struct http_claims *claims);

/* The schema's text, as it is built in. Static storage. */
struct oms_str api_schema_text(void);

struct api_stats {
    uint64_t plan_hits, plan_misses, plan_evictions, plans, plan_bytes;
    uint64_t persisted_hits, persisted_misses, persisted_registered, persisted_evictions, persisted,
        persisted_bytes;
    uint64_t requests, queries, mutations, errors;
    uint64_t throttled;
    uint64_t costs[HTTP_METRICS_BUCKETS], cost_sum; /* of requests that were let in: up to 1, 2, 4 … */
};
/* The shard's own; on its thread. */
void api_shard_stats(struct api *api, struct rt_shard *shard, struct api_stats *out);

#endif
