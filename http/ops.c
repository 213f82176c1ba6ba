/* The handlers behind ops.h. They answer at once, on the shard that was asked, and never touch the store. */
#include "http/ops.h"

#include "http/metrics.h"

#define TEXT_TYPE    "text/plain; charset=utf-8"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static const struct http_header no_store = {{"cache-control", 13}, {"no-store", 8}};

static void handle_health(struct http_exchange *exchange, void *context)
{
    (void)context;
    oms_buf_append_lit(&exchange->out, "ok\n");
    http_respond(exchange, 200, TEXT_TYPE, &no_store, 1);
}

static void handle_ready(struct http_exchange *exchange, void *context)
{
    const struct http_ops *ops = context;
    const char *why = "not ready";
    if (ops->ready(ops->context, &why)) {
        oms_buf_append_lit(&exchange->out, "ready\n");
        http_respond(exchange, 200, TEXT_TYPE, &no_store, 1);
        return;
    }
    oms_buf_append_str(&exchange->out, oms_str_of(why));
    oms_buf_append_lit(&exchange->out, "\n");
    http_respond(exchange, 503, TEXT_TYPE, &no_store, 1);
}

static void handle_metrics(struct http_exchange *exchange, void *context)
{
    const struct http_ops *ops = context;
    http_metrics_render(ops->metrics, &exchange->out);
    http_respond(exchange, 200, METRICS_TYPE, &no_store, 1);
}

void http_ops_add_routes(struct http_router *router, struct http_ops *ops)
{
    const struct http_route routes[] = {
        {"/healthz", 1u << HTTP_GET, handle_health, ops},
        {"/readyz", 1u << HTTP_GET, handle_ready, ops},
        {"/metrics", 1u << HTTP_GET, handle_metrics, ops},
    };
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        http_router_add(router, &routes[i]);
}
