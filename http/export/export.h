/*
 * GET /export/orders.jsonl and .csv: a tenant's orders as one long answer, from one snapshot of the store.
 * And /export/customer.json: all that is held of one customer, their orders with their events, which is not
 * gone on with.
 *
 * An export holds a view of the store and reads it page by page in the read pool, a page ahead of what its
 * client takes: memory is constant, and who reads slowly holds up nobody. The answer carries cursors; a
 * request with after=CURSOR goes on behind one, on a new snapshot, without the orders that came in after the
 * first one was opened. What is written, and how, is told in docs/sync.md.
 *
 * A snapshot keeps what was overwritten since from being given back to the disk, so exports are few at a time
 * and end after OMS_EXPORT_MS_MAX; they can always be gone on with.
 */
#ifndef HTTP_EXPORT_H
#define HTTP_EXPORT_H

#include "http/api/api.h"
#include "http/router.h"

struct http_exports;

struct http_exports_config {
    struct api *api; /* its schema, store, throttles and cross-origin rules */
    /* As api_config.authenticate, but who is known later is handed to http_export_as. */
    bool (*authenticate)(struct http_exchange *exchange, void *context, const struct http_claims **out);
    void *authenticate_context;
};

/* Before the host starts. */
struct http_exports *http_exports_create(const struct http_exports_config *config);
void http_exports_add_routes(struct http_router *router, struct http_exports *exports);
/* The same request for a sender who is known by now; takes over the hold on the claims. */
void http_export_as(struct http_exchange *exchange, void *exports, const struct http_claims *claims);
/* After the host has stopped and the connections are gone, before the store is closed: gives back its views.
 */
void http_exports_stop(struct http_exports *exports);
/* After the store is closed. NULL is allowed. */
void http_exports_destroy(struct http_exports *exports);

#endif
