/*
 * The HTTP server with handlers that know no order, for tests of the transport.
 *
 *   http_probe LISTEN [--tls CERT KEY] [--shards N] [--body BYTES] [--in-flight N] [--connections N]
 *              [--request-timeout MS] [--response-timeout MS] [--grace MS]
 *
 * /const answers 600 bytes, /echo the body, /large 24 MiB, /slow?MS after so many milliseconds; each shows in
 * /metrics. Routes that stay open: stream_routes.c, websocket_routes.c. SIGTERM drains and exits 0, or 1 when
 * connections were left. Prints "ready on URL".
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/cors.h"
#include "http/metrics.h"
#include "http/ops.h"
#include "http/router.h"
#include "http/server_h2o.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/host_uv.h"
#include "runtime/shard.h"
#include "tests/integration/http_probe/routes.h"

#define TEXT "text/plain; charset=utf-8"

struct wait {
    struct rt_timer timer;
    struct http_exchange *exchange;
};

static struct http_server *server;

static void handle_const(struct http_exchange *exchange, void *context)
{
    (void)context;
    char text[600];
    memset(text, 'x', sizeof(text));
    oms_buf_append(&exchange->out, text, sizeof(text));
    http_respond(exchange, 200, "application/json", NULL, 0);
}

static void handle_echo(struct http_exchange *exchange, void *context)
{
    (void)context;
    oms_buf_append_str(&exchange->out, exchange->body);
    http_respond(exchange, 200, TEXT, NULL, 0);
}

static void handle_large(struct http_exchange *exchange, void *context)
{
    (void)context;
    char line[1024];
    memset(line, 'y', sizeof(line));
    for (unsigned i = 0; i < 24 * 1024; i++)
        oms_buf_append(&exchange->out, line, sizeof(line));
    http_respond(exchange, 200, TEXT, NULL, 0);
}

static void on_wait(struct rt_shard *shard, struct rt_timer *timer)
{
    struct wait *wait = OMS_CONTAINER_OF(timer, struct wait, timer);
    struct http_exchange *exchange = wait->exchange;
    (void)shard;
    /* The body must still be readable, whatever the client did meanwhile. */
    oms_buf_append_lit(&exchange->out, "waited ");
    oms_buf_append_str(&exchange->out, exchange->body);
    http_respond(exchange, 200, TEXT, NULL, 0);
}

static void handle_slow(struct http_exchange *exchange, void *context)
{
    int64_t ms = 0;
    (void)context;
    if (oms_str_to_i64(exchange->query, &ms) != OMS_OK) {
        http_respond_error(exchange, 400, "INVALID", "the query must be a number of milliseconds");
        return;
    }
    struct wait *wait = OMS_ARENA_NEW(&exchange->arena, struct wait);
    wait->exchange = exchange;
    wait->timer.fire = on_wait;
    rt_timer_start(exchange->shard, &wait->timer, rt_now_ms(rt_shard_host(exchange->shard)) + ms);
}

static bool ready(void *context, const char **why)
{
    (void)context;
    *why = "draining";
    return !http_server_draining(server);
}

static unsigned long number(const char *text)
{
    return strtoul(text, NULL, 10);
}

static void read_arguments(int argc, char **argv, struct http_server_config *config, unsigned *shards)
{
    for (int i = 2; i < argc; i++) {
        const char *name = argv[i];
        OMS_ASSERT(i + 1 < argc);
        if (strcmp(name, "--tls") == 0) {
            OMS_ASSERT(i + 2 < argc);
            config->tls_cert_file = argv[++i];
            config->tls_key_file = argv[++i];
        } else if (strcmp(name, "--shards") == 0) {
            *shards = (unsigned)number(argv[++i]);
        } else if (strcmp(name, "--body") == 0) {
            config->limits.body_bytes = number(argv[++i]);
        } else if (strcmp(name, "--in-flight") == 0) {
            config->limits.requests_in_flight = (unsigned)number(argv[++i]);
        } else if (strcmp(name, "--connections") == 0) {
            config->limits.connections = (unsigned)number(argv[++i]);
        } else if (strcmp(name, "--request-timeout") == 0) {
            config->limits.request_timeout_ms = (unsigned)number(argv[++i]);
        } else if (strcmp(name, "--response-timeout") == 0) {
            config->limits.response_timeout_ms = (unsigned)number(argv[++i]);
        } else if (strcmp(name, "--grace") == 0) {
            config->limits.drain_grace_ms = (unsigned)number(argv[++i]);
        } else {
            fprintf(stderr, "unknown argument %s\n", name);
            exit(2);
        }
    }
}

static void wait_for_signal(void)
{
    sigset_t set;
    int received;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigwait(&set, &received);
}

int main(int argc, char **argv)
{
    struct http_server_config config = {.listen = oms_str_of(argc > 1 ? argv[1] : "127.0.0.1:0")};
    unsigned shards = 1;
    struct oms_error error;
    read_arguments(argc, argv, &config, &shards);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);

    const struct rt_host_uv_config host_config = {.shards = shards, .spin_us_max = 50};
    if (rt_host_uv_create(&host_config, &config.host, &error) != OMS_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    config.metrics = http_metrics_create(shards);
    struct http_router *router = http_router_create(shards, config.metrics);
    struct http_cors *cors[OMS_SHARDS_MAX];
    const struct http_route routes[] = {
        {"/const", 1u << HTTP_GET | 1u << HTTP_POST, handle_const, NULL},
        {"/echo", 1u << HTTP_POST | 1u << HTTP_PUT, handle_echo, NULL},
        {"/large", 1u << HTTP_GET, handle_large, NULL},
        {"/slow", 1u << HTTP_GET | 1u << HTTP_POST, handle_slow, NULL},
    };
    for (unsigned i = 0; i < OMS_COUNT_OF(routes); i++)
        http_router_add(router, &routes[i]);
    probe_add_stream_routes(router);
    probe_add_websocket_routes(router);
    struct http_ops ops = {config.metrics, ready, NULL};
    http_ops_add_routes(router, &ops);
    for (unsigned i = 0; i < shards; i++) {
        const struct oms_str origin = OMS_STR("https://shop.example");
        cors[i] = http_cors_create(false);
        http_cors_set(cors[i], 1, &origin, 1);
        http_router_set_cors(router, i, cors[i]);
    }
    config.handle = http_router_handle;
    config.observe = http_router_observe;
    config.context = router;

    int code = 1;
    if (http_server_create(&config, &server, &error) != OMS_OK ||
        config.host->ops->start(config.host, &error) != OMS_OK) {
        fprintf(stderr, "%s\n", error.message);
    } else {
        printf("ready on %s\n", http_server_url(server));
        fflush(stdout);
        wait_for_signal();
        http_server_drain(server, 3000);
        code = http_server_wait_drained(server) ? 0 : 1;
        config.host->ops->stop(config.host);
    }
    http_server_destroy(server);
    config.host->ops->destroy(config.host);
    http_router_destroy(router);
    for (unsigned i = 0; i < shards; i++)
        http_cors_destroy(cors[i]);
    http_metrics_destroy(config.metrics);
    return code;
}
