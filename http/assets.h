/*
 * The page /graphiql: files that were made at build time (assets/graphiql/) and are carried by the program,
 * and the token that a server in development mode fills in.
 *
 * The files are constant, so every answer carries an ETag and a browser that has them asks only whether they
 * still hold. The page's content security policy lets it talk to this server and to nobody else.
 *
 * Read-only once made: handlers run on every shard.
 */
#ifndef HTTP_ASSETS_H
#define HTTP_ASSETS_H

#include "http/router.h"

struct http_assets;

struct http_assets_config {
    /*
     * Appends a token for the page's headers editor; false when there is none to give. On the exchange's
     * shard. NULL: not in development mode, and the page says where a token belongs.
     */
    bool (*token)(void *context, struct oms_buf *out);
    void *context;
};

/* Whether the program was built with the files. */
bool http_assets_carried(void);

struct http_assets *http_assets_create(const struct http_assets_config *config);
/* After the host has stopped. */
void http_assets_destroy(struct http_assets *assets);

/*
 * Adds /graphiql and what lies below it; `assets` is borrowed for the router's life.
 *
 * /graphiql/token answers {"token": …}, or null with a `reason`. Who gets it may do what it may, so it goes
 * only to this page in a browser on this machine: the peer and the host that it asked for must be loopback
 * (a name that was rebound to 127.0.0.1 is not), and a page of another origin gets none.
 */
void http_assets_add_routes(struct http_router *router, struct http_assets *assets);

#endif
