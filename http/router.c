/*
 * The table is a short list, longest path first, compared one by one: a server has a dozen routes, and the
 * first is the one that nearly all requests want.
 */
#include "http/router.h"

#include <stdio.h>

#include "http/cors.h"
#include "http/metrics.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/shard.h"

#define CLASSES 5u /* 1xx … 5xx */

struct entry {
    struct http_route route;
    size_t path_len;
    bool prefix;
    unsigned number; /* from 1, in order of addition */
};

struct numbers {
    unsigned classes[CLASSES];
    unsigned duration;
};

struct http_router {
    struct http_metrics *metrics;
    unsigned shards;
    unsigned count;
    struct entry entries[HTTP_ROUTES_MAX];
    struct numbers numbers[HTTP_ROUTES_MAX + 1]; /* 0: no route */
    struct http_cors *cors[OMS_SHARDS_MAX];
};

static void register_numbers(struct http_router *router, unsigned number, const char *path)
{
    if (!router->metrics)
        return;
    struct numbers *numbers = &router->numbers[number];
    char labels[160];
    for (unsigned i = 0; i < CLASSES; i++) {
        snprintf(labels, sizeof(labels), "route=\"%s\",code=\"%uxx\"", path, i + 1);
        numbers->classes[i] =
            http_metrics_counter(router->metrics, "liteoms_http_requests_total",
                                 "Requests answered, by route and class of status.", labels);
    }
    snprintf(labels, sizeof(labels), "route=\"%s\"", path);
    numbers->duration = http_metrics_histogram(
        router->metrics, "liteoms_http_request_duration_seconds",
        "From the whole request having arrived to its answer being handed to the socket.", labels);
}

struct http_router *http_router_create(unsigned shards, struct http_metrics *metrics)
{
    OMS_ASSERT(shards >= 1 && shards <= OMS_SHARDS_MAX);
    struct http_router *router = oms_calloc(1, sizeof(*router));
    router->metrics = metrics;
    router->shards = shards;
    register_numbers(router, 0, "none");
    return router;
}

void http_router_destroy(struct http_router *router)
{
    oms_free(router);
}

void http_router_add(struct http_router *router, const struct http_route *route)
{
    OMS_ASSERT(router->count < HTTP_ROUTES_MAX);
    struct entry entry = {.route = *route, .path_len = strlen(route->path), .number = router->count + 1};
    OMS_ASSERT(entry.path_len > 0 && route->path[0] == '/');
    entry.prefix = route->path[entry.path_len - 1] == '/' && entry.path_len > 1;
    if (entry.route.methods & 1u << HTTP_GET)
        entry.route.methods |= 1u << HTTP_HEAD;
    unsigned at = router->count++;
    while (at > 0 && router->entries[at - 1].path_len < entry.path_len) {
        router->entries[at] = router->entries[at - 1];
        at--;
    }
    router->entries[at] = entry;
    register_numbers(router, entry.number, route->path);
}

void http_router_set_cors(struct http_router *router, unsigned shard, struct http_cors *cors)
{
    OMS_ASSERT(shard < router->shards);
    router->cors[shard] = cors;
}

static const struct entry *match(const struct http_router *router, struct oms_str path)
{
    for (unsigned i = 0; i < router->count; i++) {
        const struct entry *entry = &router->entries[i];
        bool length = entry->prefix ? path.len >= entry->path_len : path.len == entry->path_len;
        if (length && memcmp(path.data, entry->route.path, entry->path_len) == 0)
            return entry;
    }
    return NULL;
}

static void answer_not_found(struct http_exchange *exchange)
{
    OMS_LOG(OMS_LOG_INFO, "http.not_found", OMS_LOG_STR("path", exchange->path),
            OMS_LOG_STR("peer", exchange->peer));
    http_respond_error(exchange, 404, "NOT_FOUND", "there is nothing at this path");
}

static void answer_wrong_method(struct http_exchange *exchange, unsigned methods)
{
    char allow[80] = "";
    for (unsigned i = 0; i < HTTP_OTHER; i++) {
        if (methods & 1u << i) {
            strcat(allow, allow[0] ? ", " : ""); /* all seven names fit */
            strcat(allow, http_method_name((enum http_method)i));
        }
    }
    OMS_LOG(OMS_LOG_INFO, "http.wrong_method", OMS_LOG_STR("method", exchange->method_text),
            OMS_LOG_STR("path", exchange->path), OMS_LOG_STR("peer", exchange->peer));
    const struct http_header header = {OMS_STR("allow"), oms_str_of(allow)};
    http_respond_error_with(exchange, 405, &header, 1, "METHOD_NOT_ALLOWED", "this path takes %s", allow);
}

static void answer_refusal(struct http_exchange *exchange)
{
    const struct http_header retry = {OMS_STR("retry-after"), OMS_STR("1")};
    if (exchange->refusal == 413) {
        OMS_LOG(OMS_LOG_WARN, "http.body_too_large", OMS_LOG_STR("path", exchange->path),
                OMS_LOG_STR("peer", exchange->peer));
        http_respond_error(exchange, 413, "BODY_TOO_LARGE",
                           "the request's body is larger than this server takes");
    } else {
        OMS_LOG(OMS_LOG_WARN, "http.too_many_requests", OMS_LOG_STR("peer", exchange->peer));
        http_respond_error_with(exchange, 503, &retry, 1, "BUSY",
                                "too many requests are in flight; try again");
    }
}

void http_router_handle(struct http_exchange *exchange, void *context)
{
    struct http_router *router = context;
    const struct entry *entry = match(router, exchange->path);
    unsigned methods = entry ? entry->route.methods : 0;
    exchange->route = entry ? entry->number : 0;
    struct http_cors *cors = router->cors[exchange->shard ? rt_shard_index(exchange->shard) : 0];
    if (cors && http_cors_begin(cors, exchange, methods))
        return;
    if (exchange->refusal)
        answer_refusal(exchange);
    else if (!entry)
        answer_not_found(exchange);
    else if (!(methods & 1u << exchange->method))
        answer_wrong_method(exchange, methods);
    else
        entry->route.handle(exchange, entry->route.context);
}

void http_router_observe(struct http_exchange *exchange, unsigned status, uint64_t ns, void *context)
{
    struct http_router *router = context;
    if (!router->metrics)
        return;
    const struct numbers *numbers = &router->numbers[exchange->route];
    struct http_metrics_row *row = http_metrics_row(router->metrics, rt_shard_index(exchange->shard));
    unsigned class = status / 100 - 1;
    http_metrics_add(row, numbers->classes[class < CLASSES ? class : CLASSES - 1], 1);
    http_metrics_observe(row, numbers->duration, ns);
}
