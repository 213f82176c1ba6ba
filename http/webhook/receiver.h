/*
 * Webhooks in: POST /webhook/{provider}/{tenant}/{topic} and POST /webhook/{provider}/shipment_tracker.
 *
 * A delivery is verified, mapped, begun in its tenant's inbox (so that of equal ones a single one runs),
 * applied by its order, and answered when what it did is durable: 2xx for nothing less. What was refused for
 * good is remembered with its answer, what came too early waits in the inbox. Without a valid signature an
 * answer tells nothing of which tenants exist. docs/webhooks.md says all this to users.
 */
#ifndef WEBHOOK_RECEIVER_H
#define WEBHOOK_RECEIVER_H

#include "actors/inbox.h"
#include "actors/system.h"
#include "actors/tenant_webhook.h"
#include "http/exchange.h"
#include "http/metrics.h"
#include "http/router.h"

struct http_claims;
struct webhook_receiver;

struct webhook_receiver_config {
    struct rt_host *host;
    struct http_metrics *metrics;           /* may be NULL */
    const struct tenant_webhook *operators; /* of the operator's carrier account */
    size_t operator_count;
    /* The caller's claims, or false after answering 401: for the list of what waits. May be NULL: no list. */
    bool (*authenticate)(struct http_exchange *exchange, void *context, const struct http_claims **out);
    void *authenticate_context;
    struct oms_str single_tenant;
};

/* Whether the entries mean something: providers, topics, secrets and maps. OMS_INVALID with the place. */
OMS_MUST_USE enum oms_status webhook_check(const struct tenant_webhook *entries, size_t count,
                                           bool is_operator, struct oms_error *error);

/* Before the actors: they tell it of tenants while they are created. The entries must have been checked. */
struct webhook_receiver *webhook_receiver_create(const struct webhook_receiver_config *config);
/* After the actors are created, before the host starts. */
void webhook_receiver_bind(struct webhook_receiver *receiver, struct actors_system *system);
/* After the host has stopped. NULL is allowed. */
void webhook_receiver_destroy(struct webhook_receiver *receiver);

void webhook_receiver_add_routes(struct http_router *router, struct webhook_receiver *receiver);
/* For actors_config.on_tenant: the shard has this version from now on. */
void webhook_receiver_tenant(struct webhook_receiver *receiver, struct rt_shard *shard,
                             const struct tenant_version *tenant);
/* For actors_config.on_waiting; context is the receiver. */
void webhook_receiver_try(void *receiver, struct rt_shard *shard, uint32_t tenant, unsigned lane,
                          const struct inbox_entry *entry);

#endif
