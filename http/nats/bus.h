/*
 * Events to and from a broker: NATS JetStream. docs/events.md tells users.
 *
 * Out: every committed event of every tenant, at least once, in order per order, with its cursor as the
 * message's id. In: messages of durable consumers go the way of webhooks (http/webhook/delivery.h) and are
 * acknowledged when what they did is durable. Without a broker the server serves as ever; events wait in the
 * log, which they never leave.
 */
#ifndef NATS_BUS_H
#define NATS_BUS_H

#include "http/metrics.h"
#include "http/nats_settings.h"

struct actors_system;
struct api;
struct nats_bus;
struct rt_host;
struct rt_shard;
struct tenant_version;
struct webhook_receiver;

struct nats_bus_config {
    struct rt_host *host;
    const struct http_nats_settings *settings; /* enabled; borrowed until destroy */
    struct http_metrics *metrics;              /* may be NULL */
    struct webhook_receiver *receiver;
    struct actors_system *system;
    struct api *api; /* with its streams */
};

/* After the actors and the API are created, before the host starts; connecting begins with it. */
struct nats_bus *nats_bus_create(const struct nats_bus_config *config);
/* For actors_config.on_tenant, also before the bus is there (NULL). */
void nats_bus_tenant(struct nats_bus *bus, struct rt_shard *shard, const struct tenant_version *tenant);
/* Waits a moment for what is under way, and says good-bye to the broker; from no shard, while
 * the host runs. NULL is allowed. */
void nats_bus_stop(struct nats_bus *bus);
/* After the host has been destroyed, which knows the timer. NULL is allowed. */
void nats_bus_destroy(struct nats_bus *bus);

#endif
