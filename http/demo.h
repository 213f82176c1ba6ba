/*
 * Tenants and first orders of a server that starts: the configured tenants are created or brought up to date;
 * `single_tenant` exists; in development mode there is a tenant `demo` with a few orders to look at. All of
 * it goes through the actors like everything else and is idempotent, so it runs at every start.
 */
#ifndef HTTP_DEMO_H
#define HTTP_DEMO_H

#include "actors/system.h"
#include "http/config.h"

#define HTTP_DEMO_TENANT "demo"

/*
 * Any thread but a shard's, after the host has started. Waits until every shard has every tenant. OMS_INVALID
 * names the tenant whose settings are not usable. A tenant that cannot be changed because the disk is full
 * keeps what is stored, and one that does not exist yet is left out until a start with room, each with a
 * warning in the log.
 */
OMS_MUST_USE enum oms_status http_demo_tenants(struct actors_system *system, struct rt_host *host,
                                               const struct http_config *config, struct oms_error *error);
/* The same: places the sample orders of the tenant `demo` that are not there yet. */
OMS_MUST_USE enum oms_status http_demo_orders(struct actors_system *system, struct rt_host *host,
                                              struct oms_error *error);

#endif
