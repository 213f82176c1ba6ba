/*
 * What those who run the server ask it: /healthz (is the process alive), /readyz (should it get traffic) and
 * /metrics. None needs a token and none tells anything of a tenant.
 */
#ifndef HTTP_OPS_H
#define HTTP_OPS_H

#include "http/router.h"

struct http_metrics;

struct http_ops {
    struct http_metrics *metrics;
    /* True when traffic is welcome; else `why` says what is missing ("draining", "the disk is full"), static
     * text. */
    bool (*ready)(void *context, const char **why);
    void *context;
};

/* Adds the three routes; `ops` is borrowed for the router's life. */
void http_ops_add_routes(struct http_router *router, struct http_ops *ops);

#endif
