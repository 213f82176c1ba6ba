/*
 * From a path and a method to a handler: 404 and 405, cross-origin preflights, and the numbers per route.
 *
 * Routes are added before the shards run; afterwards the table is read-only and shared. The longest matching
 * path wins; a path that ends in '/' matches everything below it.
 */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/exchange.h"

struct http_cors;
struct http_metrics;
struct http_router;

#define HTTP_ROUTES_MAX 32

/* `metrics` may be NULL; it is borrowed. */
struct http_router *http_router_create(unsigned shards, struct http_metrics *metrics);
void http_router_destroy(struct http_router *router);
/* The route is copied, its path borrowed. */
void http_router_add(struct http_router *router, const struct http_route *route);
/* The shard's cross-origin table; borrowed. Without one no header is added and OPTIONS is a method like any
 * other. */
void http_router_set_cors(struct http_router *router, unsigned shard, struct http_cors *cors);

/* Handles a request to its end: the server's callback; `router` is a struct http_router. */
void http_router_handle(struct http_exchange *exchange, void *router);
/* Counts an answered request: the server's callback. `ns`: from its arrival to its answer. */
void http_router_observe(struct http_exchange *exchange, unsigned status, uint64_t ns, void *router);

#endif
