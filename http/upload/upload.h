/*
 * Imports by HTTP: POST /import begins one, PATCH /import/{id} brings the file in chunks (by the conventions
 * of tus 1.0), GET tells its state and /import/{id}/results its report, DELETE forgets it. docs/import.md has
 * the protocol.
 *
 * An upload lives on the shard of its actor (actors/upload.h), whatever shard a request came to. The shard
 * reads the file's rows with the maps of `liteoms import`, makes commands of them and sends these to their
 * orders in the process, a bounded number at a time; a chunk is answered when every order in it is durable,
 * and so is the upload's progress. What is in memory of an upload is a cache: it can go at any time, and is
 * read again by the next request.
 */
#ifndef HTTP_UPLOAD_H
#define HTTP_UPLOAD_H

#include "http/api/api.h"
#include "http/router.h"

struct http_uploads;

struct http_uploads_config {
    struct rt_host *host;
    struct api *api; /* its throttles and cross-origin rules */
    /* As http_exports_config. */
    bool (*authenticate)(struct http_exchange *exchange, void *context, const struct http_claims **out);
    void *authenticate_context;
};

/* Before the actors, which tell it of uploads whose time is over. */
struct http_uploads *http_uploads_create(struct rt_host *host);
/* Before the host starts. The config is copied. */
void http_uploads_bind(struct http_uploads *uploads, const struct http_uploads_config *config);
void http_uploads_add_routes(struct http_router *router, struct http_uploads *uploads);
/* The same request for a sender who is known by now; takes over the hold on the claims. */
void http_upload_as(struct http_exchange *exchange, void *uploads, const struct http_claims *claims);
/* actors_config.on_upload_due; context is the uploads. */
void http_upload_due(void *uploads, struct rt_shard *shard, const struct rt_address *upload);
/* After the host has stopped and the store is closed. NULL is allowed. */
void http_uploads_destroy(struct http_uploads *uploads);

#endif
