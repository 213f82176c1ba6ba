/*
 * The benchmark of live streams: readers by the thousand on one server, events at a fixed rate, every
 * delivery looked at. What the phases are and how to read the numbers: bench/README.md.
 *
 * The events are holds placed and released on hot orders by the load client, paced on a thread beside the
 * readers'; server and both threads share the machine. Everything is bounded: readers, seconds, events.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/load/readers.h"
#include "bench/load/workload.h"
#include "bench/process.h"
#include "bench/setup.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"

#define DOCUMENT                                                                                             \
    "subscription { tenantEvents { cursor event { commit at command order { orderId stage } } } }"
#define STREAMS   100 /* of a connection: what the server announces */
#define ORDERS    1000
#define SETTLE_MS 1000

struct bench {
    const char *liteoms, *data, *json_path;
    double seconds;
    unsigned shards;
    char folder[512], log[600];
    char token[8192];
    char *ids[ORDERS];
    struct workload *holds;
    struct process server;
    struct oms_buf json;
    bool failed;
};

/* ---- small things ---- */

static bool fail(struct bench *bench, const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    bench->failed = true;
    return false;
}

/* ---- the server ---- */

static bool start(struct bench *bench)
{
    char shards[16];
    struct oms_error error;
    char *argv[] = {SETUP_ARGUMENT(bench->liteoms),
                    SETUP_ARGUMENT("serve"),
                    SETUP_ARGUMENT("--dev"),
                    SETUP_ARGUMENT("--data"),
                    bench->folder,
                    SETUP_ARGUMENT("--listen"),
                    SETUP_ARGUMENT("127.0.0.1:0"),
                    SETUP_ARGUMENT("--shards"),
                    shards,
                    NULL};
    char *token_argv[] = {SETUP_ARGUMENT(bench->liteoms),
                          SETUP_ARGUMENT("token"),
                          SETUP_ARGUMENT("--tenant"),
                          SETUP_ARGUMENT("demo"),
                          SETUP_ARGUMENT("--sub"),
                          SETUP_ARGUMENT("bench"),
                          SETUP_ARGUMENT("--role"),
                          SETUP_ARGUMENT("admin"),
                          SETUP_ARGUMENT("--ttl"),
                          SETUP_ARGUMENT("86400"),
                          SETUP_ARGUMENT("--data"),
                          bench->folder,
                          NULL};
    snprintf(shards, sizeof(shards), "%u", bench->shards);
    setup_remove_folder(bench->folder);
    if (process_start(argv, bench->log, &bench->server, &error) != OMS_OK ||
        process_line(token_argv, bench->token, sizeof(bench->token), &error) != OMS_OK)
        return fail(bench, "start", error.message);
    return true;
}

static void stop(struct bench *bench)
{
    if (bench->server.pid > 0 && process_stop(&bench->server) != 0)
        (void)fail(bench, "stop", bench->log);
    bench->server.pid = 0;
    setup_remove_folder(bench->folder);
}

static bool make_orders(struct bench *bench)
{
    static struct load_result result;
    const struct workload_config config = {.run_id = "streams"};
    struct workload *workload = workload_create(&config);
    const struct load_config load = {.port = bench->server.port,
                                     .path = "/graphql",
                                     .token = bench->token,
                                     .connections = 8,
                                     .streams = 8,
                                     .requests_max = ORDERS};
    struct oms_error error;
    enum oms_status status = load_run(&load, workload_load(workload), &result, &error);
    bool done =
        status == OMS_OK && result.wrong == 0 && workload_take_ids(workload, bench->ids, ORDERS) == ORDERS;
    workload_destroy(workload);
    if (!done)
        return fail(bench, "orders", status == OMS_OK ? result.first_wrong : error.message);
    const struct workload_config holds = {.seed = 7, .order_ids = bench->ids, .order_count = ORDERS};
    bench->holds = workload_hold(&holds);
    return true;
}

/* ---- events ---- */

struct source {
    struct load_config load;
    struct workload *workload;
    struct load_result result;
    struct oms_error error;
    enum oms_status status;
};

static void *run_source(void *context)
{
    struct source *source = context;
    source->status =
        load_run(&source->load, workload_load(source->workload), &source->result, &source->error);
    return NULL;
}

/* ---- a phase ---- */

struct phase {
    const char *name;
    unsigned connections; /* of readers */
    double events;        /* a second */
    double target_rate;   /* deliveries a second; 0: none */
    double target_p99_ms; /* 0: none */
};

static void print_row(struct bench *bench, const struct phase *phase, const struct readers_result *result,
                      double seconds, double server_cores)
{
    double rate = (double)result->events / seconds,
           p50 = (double)histogram_quantile(&result->latency, 0.5) / 1e6,
           p99 = (double)histogram_quantile(&result->latency, 0.99) / 1e6;
    unsigned streams = phase->connections * STREAMS;
    bool met = (phase->target_rate <= 0 || rate >= phase->target_rate * 0.99) &&
               (phase->target_p99_ms <= 0 || p99 < phase->target_p99_ms) && !result->wrong && !result->ended;
    printf("%-22s %8u %9.0f %13.0f %8.1f %8.1f %8.1f %7.2f %7llu  %s\n", phase->name, streams, phase->events,
           rate, p50, p99, (double)result->latency.max_ns / 1e6, server_cores,
           (unsigned long long)result->ended,
           phase->target_rate > 0 || phase->target_p99_ms > 0 ? met ? "met" : "missed" : "");
    fflush(stdout);
    oms_buf_appendf(&bench->json,
                    "%s{\"phase\":\"%s\",\"streams\":%u,\"events_per_s\":%.0f,\"seconds\":%.2f,"
                    "\"deliveries_per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,"
                    "\"server_cores\":%.2f,\"bytes_per_s\":%.0f,\"ended\":%llu,\"met\":%s}",
                    bench->json.len > 1 ? "," : "", phase->name, streams, phase->events, seconds, rate, p50,
                    p99, (double)result->latency.max_ns / 1e6, server_cores, (double)result->bytes / seconds,
                    (unsigned long long)result->ended, met ? "true" : "false");
}

/* All readers have counted the same, and nothing was wrong. */
static void check(struct bench *bench, const struct phase *phase, const struct readers_result *result)
{
    char why[400];
    if (result->wrong)
        snprintf(why, sizeof(why), "%llu wrong events; the first: %s", (unsigned long long)result->wrong,
                 result->first_wrong);
    else if (!result->ended && result->least != result->most)
        snprintf(why, sizeof(why), "one reader got %llu events, another %llu",
                 (unsigned long long)result->least, (unsigned long long)result->most);
    else
        return;
    (void)fail(bench, phase->name, why);
}

static void measure(struct bench *bench, const struct phase *phase)
{
    const struct readers_config config = {.port = bench->server.port,
                                          .token = bench->token,
                                          .document = DOCUMENT,
                                          .connections = phase->connections,
                                          .streams = STREAMS};
    static struct source source;
    static struct readers_result result;
    struct readers *readers;
    struct oms_error error;
    pthread_t thread;

    if (readers_open(&config, &readers, &error) != OMS_OK) {
        (void)fail(bench, phase->name, error.message);
        return;
    }
    source = (struct source){.load = {.port = bench->server.port,
                                      .path = "/graphql",
                                      .token = bench->token,
                                      .connections = 1,
                                      .streams = 32,
                                      .duration_s = bench->seconds,
                                      .rate = phase->events},
                             .workload = bench->holds};
    readers_reset(readers);
    double cpu = process_cpu_s(&bench->server);
    uint64_t begin = load_now_ns();
    OMS_ASSERT(pthread_create(&thread, NULL, run_source, &source) == 0);
    pthread_join(thread, NULL);
    double seconds = (double)(load_now_ns() - begin) / 1e9;
    double cores = (process_cpu_s(&bench->server) - cpu) / seconds;
    if (source.status != OMS_OK || source.result.wrong)
        (void)fail(bench, phase->name,
                   source.status != OMS_OK ? source.error.message : source.result.first_wrong);
    readers_look(readers, &result); /* what came in time: the rate */
    print_row(bench, phase, &result, seconds, cores);
    setup_sleep_ms(SETTLE_MS);
    readers_look(readers, &result); /* all of it: the check */
    check(bench, phase, &result);
    readers_close(readers);
    setup_sleep_ms(SETTLE_MS);
}

/* ---- memory ---- */

static void measure_memory(struct bench *bench, bool get, unsigned connections, double target)
{
    const struct readers_config config = {.port = bench->server.port,
                                          .token = bench->token,
                                          .document = DOCUMENT,
                                          .connections = connections,
                                          .streams = STREAMS,
                                          .get = get};
    struct readers *readers;
    struct oms_error error;
    uint64_t before = 0, after = 0;
    setup_sleep_ms(3000);
    (void)process_rss(&bench->server, &before);
    if (readers_open(&config, &readers, &error) != OMS_OK) {
        (void)fail(bench, "memory", error.message);
        return;
    }
    setup_sleep_ms(3000);
    (void)process_rss(&bench->server, &after);
    double each = ((double)after - (double)before) / (connections * STREAMS);
    printf("an idle stream (%s): %.1f KiB of the whole process, %u streams; aim %.0f: %s\n",
           get ? "GET" : "POST", each / 1024, connections * STREAMS, target / 1024,
           each < target ? "met" : "missed");
    oms_buf_appendf(&bench->json, "%s{\"phase\":\"memory %s\",\"bytes_per_stream\":%.0f,\"met\":%s}",
                    bench->json.len > 1 ? "," : "", get ? "GET" : "POST", each,
                    each < target ? "true" : "false");
    readers_close(readers);
    setup_sleep_ms(SETTLE_MS);
}

static void write_json(struct bench *bench)
{
    FILE *file = fopen(bench->json_path, "w");
    oms_buf_append_lit(&bench->json, "]\n");
    if (!file || fwrite(bench->json.data, 1, bench->json.len, file) != bench->json.len || fclose(file) != 0)
        (void)fail(bench, bench->json_path, "cannot be written");
}

int main(void)
{
    static const struct phase phases[] = {
        {"1,000 readers", 10, 500, 500000, 0},
        {"10,000 readers", 100, 50, 500000, 0},
        {"10,000, latency", 100, 10, 0, 50},
    };
    static struct bench bench;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    bench.liteoms = setup_text("BENCH_LITEOMS", "build/liteoms");
    bench.data = setup_text("BENCH_DATA", "build/bench-data");
    bench.json_path = setup_text("BENCH_STREAMS_JSON", "build/bench-streams.json");
    bench.seconds = setup_number("BENCH_SECONDS", 8);
    bench.shards = (unsigned)setup_number("BENCH_SHARDS", cores > 1 ? (double)cores - 1 : 1);
    snprintf(bench.folder, sizeof(bench.folder), "%s/streams", bench.data);
    snprintf(bench.log, sizeof(bench.log), "%s/streams.log", bench.data);
    oms_buf_init(&bench.json, 1u << 20);
    oms_buf_append_char(&bench.json, '[');
    /* A server of its own for each: memory that one has given back serves the next without growth. */
    for (int get = 1; get >= 0; get--) {
        if (start(&bench))
            measure_memory(&bench, get, 100, get ? 8 * 1024 : 14 * 1024);
        stop(&bench);
    }
    if (start(&bench)) {
        if (make_orders(&bench)) {
            printf("%-22s %8s %9s %13s %8s %8s %8s %7s %7s\n", "live streams", "streams", "events/s",
                   "deliveries/s", "p50 ms", "p99 ms", "max ms", "cores", "cut off");
            for (size_t i = 0; i < OMS_COUNT_OF(phases); i++)
                measure(&bench, &phases[i]);
        }
    }
    stop(&bench);
    write_json(&bench);
    if (bench.holds)
        workload_destroy(bench.holds);
    oms_buf_fini(&bench.json);
    return bench.failed;
}
