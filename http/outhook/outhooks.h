/*
 * Webhooks out: events of a tenant to the endpoints that it named. docs/webhooks-out.md tells users.
 *
 * An endpoint lives on the shard that its outlet's address names, with all that belongs to it: a reader of
 * the tenant's events (http/stream), the events under way, and the record of how far it is (actors/outlet.h).
 * Endpoints share nothing but the numbers of deliveries at a time, of which each gets few while it fails; so
 * a dead one delays no other.
 */
#ifndef OUTHOOK_OUTHOOKS_H
#define OUTHOOK_OUTHOOKS_H

#include "http/metrics.h"
#include "http/outhook/call.h"
#include "http/outhook_settings.h"

struct actors_system;
struct api;
struct outhooks;
struct rt_host;
struct rt_shard;
struct tenant_version;

struct outhooks_config {
    struct rt_host *host;
    const struct http_outhook_settings *settings; /* borrowed until destroy */
    struct http_metrics *metrics;                 /* may be NULL */
    struct actors_system *system;
    struct api *api; /* with its streams */
};

/* After the actors and the API are created, before the host starts. */
struct outhooks *outhooks_create(const struct outhooks_config *config);
/* For actors_config.on_tenant, also before they are there (NULL). */
void outhooks_tenant(struct outhooks *hub, struct rt_shard *shard, const struct tenant_version *tenant);
/* A call of the API, from its home shard; `context` is the outhooks. */
void outhooks_call(void *context, struct rt_shard *shard, struct outhook_call *call);
/* Waits a moment for what is under way and records how far everything is; from no shard, while the host runs.
 * NULL is allowed. */
void outhooks_stop(struct outhooks *hub);
/* After the host has been destroyed, which knows the timers. NULL is allowed. */
void outhooks_destroy(struct outhooks *hub);

#endif
