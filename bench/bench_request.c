/*
 * What a request costs the server by itself, without sockets, threads and a client: the load client's own
 * bodies through router, API, actors and store, on the simulation host with one shard and the store in
 * memory.
 *
 *   liteoms-bench-request get|create|hold [requests, default 4096 [before them, default 1024]]
 *
 * It prints the processor time by request, which swings with the machine. What does not swing are
 * instructions:
 *
 *   valgrind --tool=callgrind --toggle-collect=serve_measured liteoms-bench-request hold 2048
 *
 * counts them by function, for the measured requests only; divide by their number. An order grows with what
 * was done to it: `hold 2048 49152` measures orders with some twenty released holds, as phase (e) leaves
 * them. Requests come in waves of
 * 128, as from 32 connections with 4 streams, and a wave is over when what it wrote has been materialised.
 * Every answer is checked. The simulation host and the store in memory are in the counts, under their own
 * names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/workload.h"
#include "http/api/api.h"
#include "http/auth/authenticate.h"
#include "http/auth/dev_issuer.h"
#include "http/connection.h"
#include "http/cors.h"
#include "http/metrics.h"
#include "http/router.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/host_sim.h"

#define WAVE           128u
#define WARM_UP        1024u
#define ORDERS         1024u
#define TENANT         "bench"
#define START_MS       INT64_C(1795305600000) /* 2026-11-22: the bodies are of the months before */
#define WINDOW_MS      1 /* of the materialiser: every wave is one, and hardly any time passes */
#define HORIZON_MS     20
#define WAVE_STEPS_MAX 1000000u

struct request {
    struct load_request load;
    struct http_slot *slot;
    bool answered;
    unsigned status;
    char buffer[LOAD_BUFFER_SIZE];
};

struct bench {
    struct rt_host *host;
    struct store_memory *memory;
    struct store *store;
    struct actors_system *system;
    struct http_metrics *metrics;
    struct http_router *router;
    struct http_cors *cors;
    struct http_auth auth;
    struct http_issuer issuer;
    struct http_issuer_set issuers;
    struct api *api;
    struct oms_arena arena;
    struct oms_buf bearer;
    struct http_slots slots;
    struct http_connections connections;
    struct http_connection *connection;
    struct http_header headers[3];
    unsigned answered; /* of the wave */
    struct request wave[WAVE];
};

/* ---- the carrier, as little as there can be ---- */

static struct bench *bench_of(const struct http_exchange *exchange)
{
    return OMS_CONTAINER_OF(((const struct http_slot *)exchange)->home, struct bench, slots);
}

static struct oms_str find_header(struct http_exchange *exchange, const char *name)
{
    const struct bench *bench = bench_of(exchange);
    size_t len = strlen(name);
    for (size_t i = 0; i < OMS_COUNT_OF(bench->headers); i++)
        if (bench->headers[i].name.len == len && memcmp(bench->headers[i].name.data, name, len) == 0)
            return bench->headers[i].value;
    return OMS_STR_NONE;
}

static unsigned count_headers(const struct http_exchange *exchange, const char *name)
{
    const struct bench *bench = bench_of(exchange);
    size_t len = strlen(name);
    unsigned count = 0;
    for (size_t i = 0; i < OMS_COUNT_OF(bench->headers); i++)
        count += bench->headers[i].name.len == len && memcmp(bench->headers[i].name.data, name, len) == 0;
    return count;
}

static void respond(struct http_exchange *exchange, unsigned status, const char *content_type,
                    const struct http_header *headers, size_t header_count)
{
    struct bench *bench = bench_of(exchange);
    struct http_slot *slot = http_slot_of(exchange);
    struct request *request = slot->request;
    uint64_t now_ns = rt_mono_ns(bench->host);
    (void)content_type;
    (void)headers;
    (void)header_count;
    bool there = http_slot_answered(slot, now_ns);
    OMS_ASSERT(there && !request->answered);
    http_router_observe(exchange, status, now_ns - exchange->started_ns, bench->router);
    request->answered = true;
    request->status = status;
    bench->answered++;
}

/* Nothing streams here. */
static const struct http_exchange_ops ops = {
    .header = find_header, .header_count = count_headers, .respond = respond};

static void receive(struct bench *bench, struct request *request)
{
    struct oms_str body = request->load.body;
    request->answered = false;
    request->slot = http_slot_take(&bench->slots, bench->connection, request, rt_mono_ns(bench->host));
    struct http_exchange *exchange = &request->slot->exchange;
    exchange->method = HTTP_POST;
    exchange->method_text = OMS_STR("POST");
    exchange->path = OMS_STR("/graphql");
    exchange->query = OMS_STR_NONE;
    exchange->authority = OMS_STR("127.0.0.1:8080");
    exchange->http_version = 20;
    exchange->body = oms_str_copy(&exchange->arena, body);
    http_router_handle(exchange, bench->router);
}

/* ---- requests ---- */

static void serve(struct bench *bench)
{
    bench->answered = 0;
    for (unsigned i = 0; i < WAVE; i++)
        receive(bench, &bench->wave[i]);
    rt_host_sim_run(bench->host, WAVE_STEPS_MAX, HORIZON_MS);
    OMS_ASSERT(bench->answered == WAVE);
}

/* Where a profiler turns itself on. */
static __attribute__((noinline)) void serve_measured(struct bench *bench)
{
    serve(bench);
    __asm__ volatile(""); /* no tail call: the function must be left when the wave is over */
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void make_requests(struct bench *bench, const struct load_workload *load)
{
    for (unsigned i = 0; i < WAVE; i++) {
        struct request *request = &bench->wave[i];
        request->load.buffer = request->buffer;
        bool any = load->next(load->context, &request->load);
        OMS_ASSERT(any);
    }
}

static void check_answers(struct bench *bench, const struct load_workload *load)
{
    for (unsigned i = 0; i < WAVE; i++) {
        struct request *request = &bench->wave[i];
        struct oms_str body = oms_buf_str(&request->slot->exchange.out);
        const char *why = load->check(load->context, request->load.tag, request->status, body);
        if (why) {
            fprintf(stderr, "liteoms-bench-request: %s: %.*s\n", why, OMS_STR_ARG(body));
            exit(1);
        }
        (void)http_slot_disposed(request->slot, rt_mono_ns(bench->host));
    }
}

/* Nanoseconds of the measured waves. */
static uint64_t run(struct bench *bench, const struct load_workload *load, unsigned waves, bool measured)
{
    uint64_t spent_ns = 0;
    for (unsigned i = 0; i < waves; i++) {
        make_requests(bench, load);
        uint64_t begin_ns = cpu_ns();
        if (measured)
            serve_measured(bench);
        else
            serve(bench);
        spent_ns += cpu_ns() - begin_ns;
        check_answers(bench, load);
    }
    return spent_ns;
}

/* ---- the server's parts ---- */

static bool authenticate(struct http_exchange *exchange, void *context, const struct http_claims **out)
{
    *out = http_authenticate(&((struct bench *)context)->auth, exchange);
    return *out != NULL;
}

static struct http_cors *cors_of(void *context, unsigned shard)
{
    (void)shard;
    return ((struct bench *)context)->cors;
}

struct tenant_job {
    struct rt_message start;
    struct tenant_call call;
    struct oms_buf config;
    bool home;
};

static void tenant_home(struct rt_shard *shard, struct rt_message *message)
{
    (void)shard;
    OMS_CONTAINER_OF(message, struct tenant_job, call.message)->home = true;
}

static void tenant_start(struct rt_shard *shard, struct rt_message *message)
{
    tenant_call_send(shard, &OMS_CONTAINER_OF(message, struct tenant_job, start)->call);
}

static void make_tenant(struct bench *bench)
{
    struct tenant_job job = {.start = {.on_return = tenant_start}};
    struct tenant_version *version = tenant_create_default(OMS_STR(TENANT));
    oms_buf_init(&job.config, OMS_TENANT_STATE_BYTES_MAX);
    tenant_version_encode(version, &job.config);
    tenant_call_init(&job.call);
    job.call.config = oms_buf_str(&job.config);
    job.call.message.on_return = tenant_home;
    rt_post(bench->host, 0, &job.start);
    rt_host_sim_run(bench->host, WAVE_STEPS_MAX, HORIZON_MS);
    OMS_ASSERT(job.home && job.call.status == OMS_OK);
    tenant_call_fini(&job.call);
    oms_buf_fini(&job.config);
    tenant_version_release(version);
}

/* The issuer of --dev, and a token like the load client's. */
static enum oms_status make_auth(struct bench *bench, struct oms_error *error)
{
    char folder[] = "/tmp/liteoms-bench-request-XXXXXX", file[128];
    struct oms_str role = OMS_STR("admin");
    struct http_dev_token token = {.tenant = OMS_STR(TENANT),
                                   .subject = OMS_STR("bench"),
                                   .roles = &role,
                                   .role_count = 1,
                                   .now_ms = START_MS,
                                   .ttl_s = 30 * 24 * 3600};
    if (!mkdtemp(folder))
        return oms_error_set(error, OMS_IO, "no folder under /tmp");
    enum oms_status status = http_dev_issuer_load(folder, &bench->arena, &bench->issuer, error);
    snprintf(file, sizeof(file), "%s/" HTTP_DEV_ISSUER_FILE, folder);
    unlink(file);
    rmdir(folder);
    oms_buf_append_lit(&bench->bearer, "Bearer ");
    if (status == OMS_OK)
        status = http_dev_issuer_mint(&bench->issuer, &token, &bench->bearer, error);
    bench->issuers.items[bench->issuers.count++] = &bench->issuer;
    http_auth_init(&bench->auth, bench->host, &bench->issuers, OMS_STR_NONE, 0);
    bench->headers[0] = (struct http_header){OMS_STR("content-type"), OMS_STR("application/json")};
    bench->headers[1] = (struct http_header){OMS_STR("authorization"), oms_buf_str(&bench->bearer)};
    bench->headers[2] = (struct http_header){OMS_STR("content-length"), OMS_STR("300")};
    return status;
}

static enum oms_status make_store(struct bench *bench, struct oms_error *error)
{
    struct store_recovery recovery;
    bench->memory = store_memory_create();
    store_memory_faults(bench->memory)->free_bytes = UINT64_MAX;
    struct store_config store = {.engine = store_memory_open(bench->memory),
                                 .host = bench->host,
                                 .projector = actors_projector(),
                                 .window_ms = WINDOW_MS};
    enum oms_status status = store_open(&store, &bench->store, &recovery, error);
    if (status != OMS_OK)
        return status;
    struct actors_config actors = {.host = bench->host, .store = bench->store, .id_key = {1, 2}};
    return actors_system_create(&actors, &bench->system, error);
}

static enum oms_status make_http(struct bench *bench, struct oms_error *error)
{
    bench->metrics = http_metrics_create(1);
    bench->router = http_router_create(1, bench->metrics);
    bench->cors = http_cors_create(true);
    http_router_set_cors(bench->router, 0, bench->cors);
    http_slots_init(&bench->slots, bench->host->shards[0], &ops);
    bench->connection = http_connection_create(&bench->connections);
    struct api_config config = {.host = bench->host,
                                .system = bench->system,
                                .authenticate = authenticate,
                                .authenticate_context = bench,
                                .cors = cors_of,
                                .cors_context = bench};
    enum oms_status status = make_auth(bench, error);
    if (status == OMS_OK)
        status = api_create(&config, &bench->api, error);
    const struct http_route graphql = {"/graphql", 1u << HTTP_GET | 1u << HTTP_POST, api_handle_graphql,
                                       bench->api};
    http_router_add(bench->router, &graphql);
    return status;
}

static struct bench *bench_create(void)
{
    struct bench *bench = oms_calloc(1, sizeof(*bench));
    struct oms_error error = {.message = ""};
    oms_arena_init(&bench->arena, 4096, 1u << 20);
    oms_buf_init(&bench->bearer, OMS_TOKEN_BYTES_MAX);
    bench->host =
        rt_host_sim_create(&(struct rt_host_sim_config){.seed = 1, .shards = 1, .start_ms = START_MS});
    if (make_store(bench, &error) != OMS_OK || make_http(bench, &error) != OMS_OK ||
        bench->host->ops->start(bench->host, &error) != OMS_OK) {
        fprintf(stderr, "liteoms-bench-request: %s\n", error.message);
        exit(1);
    }
    make_tenant(bench);
    return bench;
}

static void bench_destroy(struct bench *bench)
{
    bench->host->ops->stop(bench->host);
    store_close(bench->store);
    bench->host->ops->destroy(bench->host);
    api_destroy(bench->api);
    actors_system_destroy(bench->system);
    store_memory_destroy(bench->memory);
    http_router_destroy(bench->router);
    http_metrics_destroy(bench->metrics);
    http_auth_fini(&bench->auth);
    http_cors_destroy(bench->cors);
    http_connection_destroy(&bench->connections, bench->connection);
    http_slots_fini(&bench->slots);
    oms_buf_fini(&bench->bearer);
    oms_arena_fini(&bench->arena);
    oms_free(bench);
}

/* ---- the program ---- */

static void measure(struct bench *bench, const char *kind, unsigned waves, unsigned waves_before)
{
    struct workload_config config = {.seed = 1, .run_id = "WARM"};
    struct workload *orders = workload_create(&config);
    char *ids[ORDERS];
    run(bench, workload_load(orders), ORDERS / WAVE, false);
    config.order_ids = ids;
    config.order_count = workload_take_ids(orders, ids, ORDERS);
    config.run_id = "RUN";
    struct workload *workload = strcmp(kind, "get") == 0      ? workload_get(&config)
                                : strcmp(kind, "create") == 0 ? workload_create(&config)
                                                              : workload_hold(&config);
    run(bench, workload_load(workload), waves_before, false);
    uint64_t spent_ns = run(bench, workload_load(workload), waves, true);
    printf("%s: %u requests, %.2f us of processor time each\n", kind, waves * WAVE,
           (double)spent_ns / 1000 / (waves * WAVE));
    workload_destroy(workload);
    workload_destroy(orders);
    for (size_t i = 0; i < config.order_count; i++)
        oms_free(ids[i]);
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    unsigned waves = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) / WAVE : 32;
    unsigned before = (argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : WARM_UP) / WAVE;
    if ((strcmp(kind, "get") != 0 && strcmp(kind, "create") != 0 && strcmp(kind, "hold") != 0) ||
        waves == 0) {
        fprintf(stderr,
                "usage: liteoms-bench-request get|create|hold [requests [before them]], multiples of %u\n",
                WAVE);
        return 2;
    }
    struct bench *bench = bench_create();
    measure(bench, kind, waves, before);
    bench_destroy(bench);
    return 0;
}
