/*
 * The life of a server process: data folder → store → actors → API → sockets, and the same way back.
 *
 * Ending is one chain of labels in http_serve, each undoing what was made before it, so that a failure at any
 * point of the start and an orderly stop run the same code.
 */
#include "http/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/system.h"
#include "http/api/api.h"
#include "http/assets.h"
#include "http/auth/authenticate.h"
#include "http/auth/dev_issuer.h"
#include "http/auth/host_issuer.h"
#include "http/cors.h"
#include "http/demo.h"
#include "http/export/export.h"
#include "http/metrics.h"
#include "http/nats/bus.h"
#include "http/ops.h"
#include "http/outhook/outhooks.h"
#include "http/privacy/erasures.h"
#include "http/privacy/master_key.h"
#include "http/privacy/replay.h"
#include "http/router.h"
#include "http/server_h2o.h"
#include "http/server_stats.h"
#include "http/store_key.h"
#include "http/stream/front.h"
#include "http/stream/stream.h"
#include "http/upload/upload.h"
#include "http/webhook/receiver.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/host_uv.h"

#define SPIN_US_MAX      50
#define SLOW_THREADS     (OMS_JWKS_FETCHES_MAX + 1) /* one is left for the store's flushes when issuers hang */
#define FATAL_GRACE_MS   2000 /* for the answers OUTCOME_UNKNOWN to leave after a failed write */
#define DEMO_TOKEN_TTL_S (30 * 24 * 3600)
#define PAGE_TOKEN_TTL_S (24 * 3600) /* the page gets another when it is loaded again */

struct serve {
    const struct http_config *config;
    const char *data;
    struct rt_host *host;
    struct store *store;
    struct store_vault *vault;
    struct http_erasures *erasures;
    struct actors_system *system;
    struct http_metrics *metrics;
    struct http_router *router;
    struct http_server *server;
    struct http_server_stats *stats;
    struct api *api;
    struct stream_front *front;
    struct http_assets *assets; /* NULL: no /graphiql */
    struct webhook_receiver *webhooks;
    struct nats_bus *nats; /* NULL: no broker is configured */
    struct http_outhook_settings outhook_settings;
    struct outhooks *outhooks;
    struct http_ops ops;
    struct http_issuer dev_issuer, host_issuer;
    struct http_host_access host_access;
    struct http_issuer_set issuers;
    struct http_auth *auth; /* one per shard */
    struct http_api_key_uses *key_uses;
    struct http_jwks *jwks;  /* NULL: no issuer publishes its keys */
    struct http_cors **cors; /* one per shard */
    struct http_exports *exports;
    struct http_uploads *uploads;
    struct oms_arena arena;
    atomic_bool ready;
    atomic_bool failed; /* a write failed: stop, and say so by the exit status */
    pthread_t main_thread;
};

/* ---- what the parts ask ---- */

static bool authenticate(struct http_exchange *exchange, void *context, const struct http_claims **out)
{
    struct serve *serve = context;
    const struct http_auth_resume resume = {api_handle_graphql_as, serve->api};
    *out = http_authenticate_or_wait(&serve->auth[rt_shard_index(exchange->shard)], exchange, &resume);
    return *out != NULL;
}

static bool authenticate_export(struct http_exchange *exchange, void *context, const struct http_claims **out)
{
    struct serve *serve = context;
    const struct http_auth_resume resume = {http_export_as, serve->exports};
    *out = http_authenticate_or_wait(&serve->auth[rt_shard_index(exchange->shard)], exchange, &resume);
    return *out != NULL;
}

static bool authenticate_upload(struct http_exchange *exchange, void *context, const struct http_claims **out)
{
    struct serve *serve = context;
    const struct http_auth_resume resume = {http_upload_as, serve->uploads};
    *out = http_authenticate_or_wait(&serve->auth[rt_shard_index(exchange->shard)], exchange, &resume);
    return *out != NULL;
}

/* Where nobody needs to wait for an issuer's keys: 503 tells to come again. */
static bool authenticate_now(struct http_exchange *exchange, void *context, const struct http_claims **out)
{
    struct serve *serve = context;
    *out = http_authenticate(&serve->auth[rt_shard_index(exchange->shard)], exchange);
    return *out != NULL;
}

/* For connection_init of a WebSocket. */
static bool authenticate_socket(struct http_exchange *exchange, void *context, const struct http_claims **out)
{
    struct serve *serve = context;
    const struct http_auth_resume resume = {stream_ws_known, NULL};
    *out = http_authenticate_or_wait(&serve->auth[rt_shard_index(exchange->shard)], exchange, &resume);
    return *out != NULL;
}

static void on_news(void *context, struct rt_shard *shard, const struct http_jwks_news *news)
{
    struct serve *serve = context;
    http_auth_news(&serve->auth[rt_shard_index(shard)], news);
}

static struct http_cors *cors_of(void *context, unsigned shard)
{
    return ((struct serve *)context)->cors[shard];
}

static void on_tenant(void *context, struct rt_shard *shard, const struct tenant_version *tenant)
{
    struct serve *serve = context;
    http_cors_set(serve->cors[rt_shard_index(shard)], tenant->number, tenant->cors_origins,
                  tenant->status == TENANT_REMOVED ? 0 : tenant->cors_origin_count);
    webhook_receiver_tenant(serve->webhooks, shard, tenant);
    nats_bus_tenant(serve->nats, shard, tenant);
    outhooks_tenant(serve->outhooks, shard, tenant);
}

static bool is_ready(void *context, const char **why)
{
    struct serve *serve = context;
    struct store_stats stats;
    store_stats(serve->store, &stats);
    *why = !atomic_load(&serve->ready)           ? "starting"
           : atomic_load(&serve->failed)         ? "stopping: a write failed"
           : http_server_draining(serve->server) ? "draining"
           : stats.refusing                      ? "the disk is full: reads only"
                                                 : NULL;
    return !*why;
}

/* A read that the stop left behind: deadlines that were looked for, a state that was loaded. */
static void discard(struct rt_message *message)
{
    (void)actors_discard(message);
}

static void on_fatal(void *context, enum oms_status status)
{
    struct serve *serve = context;
    (void)status; /* the store has logged it, with the reason */
    atomic_store(&serve->failed, true);
    pthread_kill(serve->main_thread, SIGTERM);
}

/* ---- making the parts ---- */

static enum oms_status make_folder(const char *folder, struct oms_error *error)
{
    if (mkdir(folder, 0700) == 0 || errno == EEXIST)
        return OMS_OK;
    return oms_error_set(error, OMS_IO, "the data folder '%s' cannot be made: %s", folder, strerror(errno));
}

static enum oms_status open_store(struct serve *serve, struct oms_error *error)
{
    const struct store_rocksdb_config engine_config = {.folder = serve->data};
    struct store_engine *engine;
    struct store_recovery recovery;
    enum oms_status status = store_rocksdb_open(&engine_config, &engine, error);
    if (status != OMS_OK)
        return status;
    status = http_master_key_open(serve->data, serve->config->master_key_file.data, serve->host, engine,
                                  &serve->vault, error);
    if (status != OMS_OK) {
        engine->ops->close(engine, false);
        return status;
    }
    struct store_config config = {
        .engine = engine,
        .host = serve->host,
        .projector = actors_projector(),
        .disk_reserve_bytes = serve->config->disk_reserve_bytes,
        .on_fatal = on_fatal,
        .fatal_context = serve,
        .discard = discard,
    };
    status = store_open(&config, &serve->store, &recovery, error);
    if (status != OMS_OK) {
        engine->ops->close(engine, false);
        return status;
    }
    OMS_LOG(OMS_LOG_INFO, "store.open", OMS_LOG_U64("units_replayed", recovery.units_replayed),
            OMS_LOG_U64("milliseconds", recovery.milliseconds));
    return OMS_OK;
}

/* Nothing was ever committed. */
static bool store_is_empty(struct store *store)
{
    struct store_engine *engine = store_engine(store);
    for (unsigned i = 0; i < OMS_PARTITIONS; i++) {
        uint64_t last;
        if (engine->ops->last_commit(engine, (uint16_t)i, &last) != OMS_OK || last)
            return false;
    }
    return true;
}

/* Before the actors, which tell it of tenants. What the configuration says of webhooks must mean something.
 */
static enum oms_status make_webhooks(struct serve *serve, struct oms_error *error)
{
    const struct http_config *config = serve->config;
    const struct webhook_receiver_config receiver = {
        .host = serve->host,
        .metrics = serve->metrics,
        .operators = config->webhooks,
        .operator_count = config->webhook_count,
        .authenticate = authenticate_now,
        .authenticate_context = serve,
        .single_tenant = config->single_tenant,
    };
    enum oms_status status = webhook_check(config->webhooks, config->webhook_count, true, error);
    for (size_t i = 0; status == OMS_OK && i < config->tenant_count; i++) {
        struct tenant_version *tenant;
        struct oms_error fault;
        status = tenant_parse(&config->tenants[i], &tenant, &fault);
        if (status != OMS_OK)
            return oms_error_set(error, status, "tenants[%zu]: %.400s", i, fault.message);
        status = webhook_check(tenant->webhooks, tenant->webhook_count, false, &fault);
        if (status != OMS_OK)
            oms_error_set(error, status, "tenants[%zu].%.400s", i, fault.message);
        tenant_version_release(tenant);
    }
    if (status == OMS_OK)
        serve->webhooks = webhook_receiver_create(&receiver);
    return status;
}

static enum oms_status open_erasures(struct serve *serve, struct oms_error *error)
{
    char path[4096 + 32];
    if (oms_str_present(serve->config->erasure_log))
        snprintf(path, sizeof(path), "%s", serve->config->erasure_log.data);
    else
        snprintf(path, sizeof(path), "%s/%s", serve->data, HTTP_ERASURES_FILE);
    return http_erasures_open(path, &serve->erasures, error);
}

static enum oms_status make_actors(struct serve *serve, struct oms_error *error)
{
    serve->uploads = http_uploads_create(serve->host);
    struct actors_config config = {
        .host = serve->host,
        .store = serve->store,
        .orders_resident_max = serve->config->orders_resident_max,
        .orders_thawed_max = serve->config->orders_thawed_max,
        .on_tenant = on_tenant,
        .on_tenant_context = serve,
        .on_waiting = webhook_receiver_try,
        .on_waiting_context = serve->webhooks,
        .on_upload_due = http_upload_due,
        .on_upload_context = serve->uploads,
    };
    enum oms_status status =
        http_store_key_load(serve->data, store_is_empty(serve->store), &config.id_key, error);
    return status == OMS_OK ? actors_system_create(&config, &serve->system, error) : status;
}

static enum oms_status make_auth(struct serve *serve, struct oms_error *error)
{
    const struct http_config *config = serve->config;
    enum oms_status status = OMS_OK;
    for (size_t i = 0; i < config->issuer_count; i++)
        serve->issuers.items[serve->issuers.count++] = &config->issuers[i];
    if (config->dev) {
        status = http_dev_issuer_load(serve->data, &serve->arena, &serve->dev_issuer, error);
        serve->issuers.items[serve->issuers.count++] = &serve->dev_issuer;
    }
    http_host_issuer_make(&serve->host_access, &serve->host_issuer);
    serve->issuers.items[serve->issuers.count++] = &serve->host_issuer;
    serve->auth = oms_calloc(serve->host->shard_count, sizeof(serve->auth[0]));
    serve->key_uses = http_api_key_uses_create();
    for (unsigned i = 0; i < serve->host->shard_count; i++) {
        http_auth_init(&serve->auth[i], serve->host, &serve->issuers, config->single_tenant,
                       config->token_cache_max);
        http_auth_use_api_keys(&serve->auth[i], actors_tenant, serve->key_uses);
    }
    const struct http_jwks_config jwks = {
        .host = serve->host, .issuers = &serve->issuers, .on_news = on_news, .context = serve};
    serve->jwks = http_jwks_create(&jwks);
    if (!serve->jwks)
        return status;
    for (unsigned i = 0; i < serve->host->shard_count; i++)
        http_auth_use_keeper(&serve->auth[i], serve->jwks, serve->host->shards[i]);
    http_metrics_source(serve->metrics, http_jwks_write_metrics, serve->jwks);
    return status;
}

static void make_cors(struct serve *serve)
{
    serve->cors = oms_calloc(serve->host->shard_count, sizeof(serve->cors[0]));
    for (unsigned i = 0; i < serve->host->shard_count; i++)
        serve->cors[i] = http_cors_create(serve->config->dev);
}

static enum oms_status make_api(struct serve *serve, struct oms_error *error)
{
    const struct stream_front_config front = {
        .host = serve->host,
        .handle = api_handle_graphql,
        .handle_as = api_handle_graphql_as,
        .authenticate = authenticate_socket,
        .authenticate_context = serve,
    };
    serve->front = stream_front_create(&front);
    const struct api_config config = {
        .host = serve->host,
        .system = serve->system,
        .single_tenant = serve->config->single_tenant,
        .graphql = serve->config->graphql,
        .authenticate = authenticate,
        .authenticate_context = serve,
        .cors = cors_of,
        .cors_context = serve,
        .subscribe = stream_front_subscribe,
        .ticket = stream_front_ticket,
        .stream_context = serve->front,
        .api_key_uses = serve->key_uses,
        .stream_replay_hours = serve->config->stream_replay_hours,
        .erasures = serve->erasures,
        .outhook_settings = &serve->outhook_settings,
    };
    enum oms_status status = api_create(&config, &serve->api, error);
    if (status != OMS_OK)
        return status;
    stream_front_bind(serve->front, serve->api);
    return stream_hub_create(serve->api, error);
}

/* A token for tenant `demo`, role admin. */
static bool mint_demo_token(struct serve *serve, int64_t ttl_s, struct oms_buf *out)
{
    struct oms_str role = OMS_STR("admin");
    struct oms_error error;
    struct http_dev_token wanted = {.tenant = OMS_STR(HTTP_DEMO_TENANT),
                                    .subject = OMS_STR("you"),
                                    .roles = &role,
                                    .role_count = 1,
                                    .now_ms = rt_now_ms(serve->host),
                                    .ttl_s = ttl_s};
    if (http_dev_issuer_mint(&serve->dev_issuer, &wanted, out, &error) == OMS_OK)
        return true;
    OMS_LOG(OMS_LOG_ERROR, "serve.no_demo_token", OMS_LOG_TEXT("reason", error.message));
    return false;
}

static bool page_token(void *context, struct oms_buf *out)
{
    return mint_demo_token(context, PAGE_TOKEN_TTL_S, out);
}

static void add_graphiql(struct serve *serve)
{
    const struct http_assets_config config = {.token = serve->config->dev ? page_token : NULL,
                                              .context = serve};
    if (!http_config_graphiql(serve->config))
        return;
    if (!http_assets_carried()) {
        OMS_LOG(OMS_LOG_WARN, "serve.no_graphiql", OMS_LOG_TEXT("reason", "built with LITEOMS_GRAPHIQL=OFF"));
        return;
    }
    serve->assets = http_assets_create(&config);
    http_assets_add_routes(serve->router, serve->assets);
}

static enum oms_status make_server(struct serve *serve, struct oms_error *error)
{
    const struct http_config *config = serve->config;
    struct http_server_config server = {
        .host = serve->host,
        .listen = config->listen,
        .tls_cert_file = config->tls_cert.data,
        .tls_key_file = config->tls_key.data,
        .limits = config->limits,
        .metrics = serve->metrics,
        .handle = http_router_handle,
        .observe = http_router_observe,
        .context = serve->router,
    };
    const struct http_route graphql = {"/graphql", 1u << HTTP_GET | 1u << HTTP_POST, stream_front_handle,
                                       serve->front};
    serve->ops = (struct http_ops){.metrics = serve->metrics, .ready = is_ready, .context = serve};
    http_router_add(serve->router, &graphql);
    http_ops_add_routes(serve->router, &serve->ops);
    webhook_receiver_bind(serve->webhooks, serve->system);
    webhook_receiver_add_routes(serve->router, serve->webhooks);
    const struct http_exports_config exports = {
        .api = serve->api, .authenticate = authenticate_export, .authenticate_context = serve};
    serve->exports = http_exports_create(&exports);
    http_exports_add_routes(serve->router, serve->exports);
    const struct http_uploads_config uploads = {.host = serve->host,
                                                .api = serve->api,
                                                .authenticate = authenticate_upload,
                                                .authenticate_context = serve};
    http_uploads_bind(serve->uploads, &uploads);
    http_uploads_add_routes(serve->router, serve->uploads);
    add_graphiql(serve);
    for (unsigned i = 0; i < serve->host->shard_count; i++)
        http_router_set_cors(serve->router, i, serve->cors[i]);
    return http_server_create(&server, &serve->server, error);
}

static void make_nats(struct serve *serve)
{
    const struct nats_bus_config config = {.host = serve->host,
                                           .settings = &serve->config->nats,
                                           .metrics = serve->metrics,
                                           .receiver = serve->webhooks,
                                           .system = serve->system,
                                           .api = serve->api};
    if (config.settings->enabled)
        serve->nats = nats_bus_create(&config);
}

static void make_outhooks(struct serve *serve)
{
    const struct outhooks_config config = {.host = serve->host,
                                           .settings = &serve->outhook_settings,
                                           .metrics = serve->metrics,
                                           .system = serve->system,
                                           .api = serve->api};
    serve->outhooks = outhooks_create(&config);
    api_use_outhooks(serve->api, outhooks_call, serve->outhooks);
}

/* ---- running ---- */

static void print_demo(struct serve *serve)
{
    struct oms_buf token;
    const char *url = http_server_url(serve->server);
    oms_buf_init(&token, OMS_TOKEN_BYTES_MAX);
    if (mint_demo_token(serve, DEMO_TOKEN_TTL_S, &token))
        printf(
            "\nA token for tenant '" HTTP_DEMO_TENANT "' (role admin, 30 days):\n\nTOKEN=%.*s\n\n"
            "Place an order:\n\n"
            "curl -s %s/graphql -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d "
            "'{\"query\":\"mutation { createOrder(input: { externalRef: \\\"WEB-1\\\", customerDetails: { "
            "name: "
            "\\\"Ada Byron\\\" }, destination: { city: \\\"London\\\", country: \\\"GB\\\" }, lineItems: [{ "
            "productSku: \\\"TEA\\\", productName: \\\"Tea\\\", vendor: { vendorId: \\\"tea-house\\\" }, "
            "orderQuantity: 2, productPrice: { amount: \\\"7.50\\\", currency: \\\"GBP\\\" } }] }) { created "
            "order { orderId stage finalAmount { amount currency } } userErrors { code message } } }\"}'\n\n",
            (int)token.len, token.data, url);
    if (serve->assets)
        printf("Explore the API in a browser: %s/graphiql\n\n", url);
    oms_buf_fini(&token);
}

/* Waits for SIGTERM or SIGINT, which the main thread has blocked and no other thread handles. */
static void wait_for_end(struct serve *serve, const sigset_t *signals)
{
    int signal_number;
    while (sigwait(signals, &signal_number) != 0)
        continue;
    OMS_LOG(OMS_LOG_INFO, "server.stopping",
            OMS_LOG_TEXT("reason", atomic_load(&serve->failed) ? "a write failed"
                                   : signal_number == SIGINT   ? "SIGINT"
                                                               : "SIGTERM"));
}

/* Lets `liteoms tenant` find the server. Without it the server is as good to everybody else. */
static void publish_host(struct serve *serve)
{
    struct http_host_access *access = &serve->host_access;
    struct oms_error error;
    const char *cert = serve->config->tls_cert.data;
    snprintf(access->url, sizeof(access->url), "%s", http_server_url(serve->server));
    if (cert && !realpath(cert, access->tls_cert))
        access->tls_cert[0] = '\0';
    if (http_host_issuer_publish(access, serve->data, &error) != OMS_OK)
        OMS_LOG(OMS_LOG_WARN, "serve.no_host_access", OMS_LOG_TEXT("reason", error.message));
}

static enum oms_status run(struct serve *serve, const sigset_t *signals, struct oms_error *error)
{
    enum oms_status status = http_demo_tenants(serve->system, serve->host, serve->config, error);
    if (status == OMS_OK)
        status = http_erasures_replay(serve->erasures, serve->system, serve->host, error);
    struct oms_error missing;
    /* Samples that cannot be placed, as on a full disk, are no reason not to serve what is there. */
    if (status == OMS_OK && serve->config->dev &&
        http_demo_orders(serve->system, serve->host, &missing) != OMS_OK)
        OMS_LOG(OMS_LOG_WARN, "server.no_samples", OMS_LOG_TEXT("reason", missing.message));
    if (status != OMS_OK) {
        http_jwks_stop(serve->jwks);
        http_server_drain(serve->server, 0);
        http_server_wait_drained(serve->server);
        outhooks_stop(serve->outhooks);
        nats_bus_stop(serve->nats);
        return status;
    }
    http_jwks_wait_first(serve->jwks, OMS_JWKS_START_MS);
    atomic_store(&serve->ready, true);
    publish_host(serve);
    printf("liteoms: ready on %s\n", http_server_url(serve->server));
    if (serve->config->dev)
        print_demo(serve);
    fflush(stdout);
    wait_for_end(serve, signals);
    http_host_issuer_withdraw(serve->data);
    http_jwks_stop(serve->jwks);
    stream_hub_drain(serve->api);
    http_server_drain(serve->server,
                      atomic_load(&serve->failed) ? FATAL_GRACE_MS : serve->config->drain_timeout_ms);
    if (!http_server_wait_drained(serve->server))
        OMS_LOG(OMS_LOG_WARN, "server.drain_timed_out",
                OMS_LOG_U64("timeout_ms", serve->config->drain_timeout_ms));
    outhooks_stop(serve->outhooks);
    nats_bus_stop(serve->nats);
    return OMS_OK;
}

static void init(struct serve *serve, const struct http_config *config, sigset_t *signals)
{
    memset(serve, 0, sizeof(*serve));
    serve->config = config;
    serve->data = config->data.data;
    serve->outhook_settings = config->outhooks;
    if (config->dev) /* what a developer runs beside it */
        serve->outhook_settings.policy.allow_loopback = serve->outhook_settings.policy.allow_http = true;
    serve->main_thread = pthread_self();
    oms_arena_init(&serve->arena, 4096, 1u << 20);
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, signals, NULL); /* before any thread: they inherit it */
    signal(SIGPIPE, SIG_IGN);
}

/* Everything that exists, in the order that undoes the start. */
static void fini(struct serve *serve)
{
    unsigned shards = serve->host ? serve->host->shard_count : 0;
    if (serve->host)
        serve->host->ops->stop(serve->host); /* also one that never started gives its workers back */
    if (serve->server)
        http_server_destroy(serve->server);
    if (serve->exports)
        http_exports_stop(serve->exports);
    if (serve->store)
        store_close(serve->store);
    store_vault_destroy(serve->vault);
    http_erasures_close(serve->erasures);
    if (serve->host)
        serve->host->ops->destroy(serve->host);
    http_exports_destroy(serve->exports);
    http_uploads_destroy(serve->uploads);
    nats_bus_destroy(serve->nats);
    outhooks_destroy(serve->outhooks);
    if (serve->api) {
        stream_hub_destroy(serve->api); /* after the connections, which close their readers */
        api_destroy(serve->api);
    }
    stream_front_destroy(serve->front);
    if (serve->system)
        actors_system_destroy(serve->system);
    webhook_receiver_destroy(serve->webhooks);
    if (serve->stats)
        http_server_stats_destroy(serve->stats);
    if (serve->router)
        http_router_destroy(serve->router);
    if (serve->assets)
        http_assets_destroy(serve->assets);
    if (serve->metrics)
        http_metrics_destroy(serve->metrics);
    for (unsigned i = 0; serve->auth && i < shards; i++)
        http_auth_fini(&serve->auth[i]);
    http_api_key_uses_destroy(serve->key_uses);
    http_jwks_destroy(serve->jwks);
    for (unsigned i = 0; serve->cors && i < shards; i++)
        http_cors_destroy(serve->cors[i]);
    oms_free(serve->auth);
    oms_free(serve->cors);
    oms_arena_fini(&serve->arena);
}

static enum oms_status make(struct serve *serve, struct oms_error *error)
{
    const struct rt_host_uv_config host = {
        .shards = serve->config->shards, .slow_threads = SLOW_THREADS, .spin_us_max = SPIN_US_MAX};
    enum oms_status status = make_folder(serve->data, error);
    if (status == OMS_OK)
        status = rt_host_uv_create(&host, &serve->host, error);
    if (status != OMS_OK)
        return status;
    serve->metrics = http_metrics_create(serve->host->shard_count);
    serve->router = http_router_create(serve->host->shard_count, serve->metrics);
    make_cors(serve);
    if ((status = make_webhooks(serve, error)) != OMS_OK || (status = open_store(serve, error)) != OMS_OK ||
        (status = open_erasures(serve, error)) != OMS_OK || (status = make_actors(serve, error)) != OMS_OK ||
        (status = make_auth(serve, error)) != OMS_OK || (status = make_api(serve, error)) != OMS_OK)
        return status;
    make_nats(serve);
    make_outhooks(serve);
    serve->stats = http_server_stats_create(serve->host, serve->metrics, serve->store, serve->api);
    return make_server(serve, error);
}

int http_serve(const struct http_config *config)
{
    struct serve serve;
    struct oms_error error;
    sigset_t signals;
    init(&serve, config, &signals);
    enum oms_status status = http_config_check(config, &error);
    if (status == OMS_OK)
        status = make(&serve, &error);
    if (status == OMS_OK)
        status = serve.host->ops->start(serve.host, &error);
    if (status == OMS_OK) {
        status = run(&serve, &signals, &error);
    }
    if (status == OMS_OK && atomic_load(&serve.failed))
        status =
            oms_error_set(&error, OMS_IO,
                          "a write to the store in '%s' failed (see the log): its outcome is unknown to its "
                          "callers; start again when the disk is well, recovery decides",
                          serve.data);
    if (status != OMS_OK)
        fprintf(stderr, "liteoms: %s\n", error.message);
    fini(&serve);
    /* What fini still had to write may have failed, too. */
    return status == OMS_OK && !atomic_load(&serve.failed) ? 0 : 1;
}
