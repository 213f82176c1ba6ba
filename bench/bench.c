/*
 * The benchmark: starts each server under test on a free port with a fresh data folder, drives it by the load
 * client in this process, and compares what the engine does with the floors at the same connections and
 * streams. What the phases are and how to read the numbers: bench/README.md.
 *
 * Everything is bounded: seconds per phase, requests per fill, and the children die with this process.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/webhook_workload.h"
#include "bench/load/workload.h"
#include "bench/measure.h"
#include "bench/process.h"
#include "bench/report.h"
#include "bench/setup.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

/* As long as a token of the development issuer: the client packs and the server unpacks it for each request.
 */
#define FLOOR_TOKEN                                                                                          \
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."                                                                  \
    "eyJhdWQiOiJub2JvZHkiLCJleHAiOjE3OTc5NDMxMDUsImlhdCI6MTc5NTM1MTEwNSwiaXNzIjoibm9ib2R5LXJlYWRzIiwicm9s"   \
    "ZXMiOlsibm9uZSJdLCJzdWIiOiJiZW5jaCIsInRlbmFudF9pZCI6ImRlbW8ifQ."                                        \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define FLOOR_BYTES 600 /* of a floor's answer */
#define WSS_SECRET  "a secret of the benchmark's own"

struct settings {
    const char *liteoms, *floors, *data, *json, *phases;
    double warmup_s, duration_s;
    unsigned rounds; /* slices of a phase, each beside one of its floor */
    unsigned shards;
    size_t orders;         /* hot ones */
    uint64_t store_orders; /* of the large store */
};

struct bench {
    struct settings settings;
    struct report report;
    struct process server;
    struct process floors[2]; /* constant, durable; they idle beside the server */
    char folder[512];
    char log[600];
    char token[8192];
    const char *floor_token;
    char run_id[32];
    char **ids;
    uint64_t next_number; /* of the next reference, so that none repeats on a server */
    bool failed;
};

/* ---- small things ---- */

static bool wanted(const struct bench *bench, const char *phases)
{
    return strpbrk(bench->settings.phases, phases) != NULL;
}

static bool fail(struct bench *bench, const struct oms_error *error)
{
    fprintf(stderr, "bench: %s\n", error->message);
    bench->failed = true;
    return false;
}

/* ---- servers ---- */

static struct measure_target server_target(const struct bench *bench)
{
    return (struct measure_target){.process = &bench->server, .token = bench->token, .has_metrics = true};
}

/* The same headers as the server gets; nobody looks at the token. */
static struct measure_target floor_target(const struct bench *bench, char floor)
{
    return (struct measure_target){.process = &bench->floors[floor == 'b'], .token = bench->floor_token};
}

static double metric(const struct bench *bench, const char *suffix)
{
    struct measure_target target = server_target(bench);
    return measure_metric(&target, suffix);
}

static bool start_floor(struct bench *bench, unsigned index)
{
    static const char *const modes[] = {"constant", "durable"};
    char shards[16], folder[512], log[600];
    struct oms_error error;

    snprintf(shards, sizeof(shards), "%u", bench->settings.shards);
    snprintf(folder, sizeof(folder), "%s/floor-%s", bench->settings.data, modes[index]);
    snprintf(log, sizeof(log), "%s/floor-%s.log", bench->settings.data, modes[index]);
    setup_remove_folder(folder);
    char *argv[] = {SETUP_ARGUMENT(bench->settings.floors),
                    SETUP_ARGUMENT(modes[index]),
                    SETUP_ARGUMENT("127.0.0.1:0"),
                    folder,
                    shards,
                    NULL};
    if (process_start(argv, log, &bench->floors[index], &error) != OMS_OK)
        return fail(bench, &error);
    return true;
}

static void end_floors(struct bench *bench)
{
    char folder[512];

    for (unsigned i = 0; i < 2; i++)
        if (bench->floors[i].pid > 0)
            (void)process_stop(&bench->floors[i]);
    snprintf(folder, sizeof(folder), "%s/floor-durable", bench->settings.data);
    setup_remove_folder(folder);
}

/* The server's configuration: who may send webhooks. */
static bool write_config(const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file)
        return false;
    fprintf(
        file,
        "{\"tenants\":[{\"name\":\"demo\",\"webhooks\":[{\"provider\":\"wss\",\"secrets\":[\"%s\"]}]}]}\n",
        WSS_SECRET);
    return fclose(file) == 0;
}

static bool start_again(struct bench *bench)
{
    char shards[16], config[600];
    struct oms_error error;
    char *argv[] = {SETUP_ARGUMENT(bench->settings.liteoms),
                    SETUP_ARGUMENT("serve"),
                    SETUP_ARGUMENT("--dev"),
                    SETUP_ARGUMENT("--data"),
                    bench->folder,
                    SETUP_ARGUMENT("--listen"),
                    SETUP_ARGUMENT("127.0.0.1:0"),
                    SETUP_ARGUMENT("--shards"),
                    shards,
                    SETUP_ARGUMENT("--config"),
                    config,
                    NULL};
    char *token_argv[] = {SETUP_ARGUMENT(bench->settings.liteoms),
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

    snprintf(shards, sizeof(shards), "%u", bench->settings.shards);
    snprintf(config, sizeof(config), "%s/config.json", bench->settings.data);
    if (!write_config(config)) {
        fprintf(stderr, "bench: %s: %s\n", config, strerror(errno));
        bench->failed = true;
        return false;
    }
    if (process_start(argv, bench->log, &bench->server, &error) != OMS_OK)
        return fail(bench, &error);
    if (process_line(token_argv, bench->token, sizeof(bench->token), &error) != OMS_OK)
        return fail(bench, &error);
    return true;
}

static bool start_liteoms(struct bench *bench, const char *name)
{
    snprintf(bench->folder, sizeof(bench->folder), "%s/%s", bench->settings.data, name);
    snprintf(bench->log, sizeof(bench->log), "%s/%s.log", bench->settings.data, name);
    setup_remove_folder(bench->folder);
    bench->next_number = 0;
    return start_again(bench);
}

static void stop_server(struct bench *bench)
{
    if (bench->server.pid <= 0)
        return;
    int status = process_stop(&bench->server);
    if (status != 0) {
        fprintf(stderr, "bench: the server stopped with %d; see %s\n", status, bench->log);
        bench->failed = true;
    }
}

static void end_server(struct bench *bench)
{
    stop_server(bench);
    setup_remove_folder(bench->folder);
}

/* ---- one measurement ---- */

struct measurement {
    const char *phase, *name;
    unsigned connections, streams;
    const char *path; /* NULL: /graphql */
    double rate;
    char floor;
    double target_ratio, target_p99_us;
    bool quiet;    /* a fill: not a row of the table */
    bool on_floor; /* a floor itself */
    uint64_t requests_max;
};

static void fill_row(struct bench *bench, const struct measurement *wish, const struct measure_total *total,
                     const struct measure_total *floor)
{
    const struct load_result *result = &total->result;
    struct report_row *row = report_add(&bench->report);

    *row = (struct report_row){
        .phase = wish->phase,
        .name = wish->name,
        .connections = wish->connections,
        .streams = wish->streams,
        .offered = wish->rate,
        .seconds = result->seconds,
        .rate = measure_rate(total),
        .p50_us = (double)histogram_quantile(&result->latency, 0.50) / 1e3,
        .p99_us = (double)histogram_quantile(&result->latency, 0.99) / 1e3,
        .p999_us = (double)histogram_quantile(&result->latency, 0.999) / 1e3,
        .max_us = (double)result->latency.max_ns / 1e3,
        .mean_us = (double)histogram_mean(&result->latency) / 1e3,
        .wrong = result->wrong,
        .unanswered = result->unanswered,
        .lag_units_max = total->lag_units_max,
        .cpu_share = total->wall_s > 0 ? total->cpu_s / total->wall_s : 0,
        .floor = wish->floor,
        .floor_rate = measure_rate(floor),
        .floor_p50_us = (double)histogram_quantile(&floor->result.latency, 0.50) / 1e3,
        .floor_p99_us = (double)histogram_quantile(&floor->result.latency, 0.99) / 1e3,
        .target_ratio = wish->target_ratio,
        .target_p99_us = wish->target_p99_us,
    };
    report_print_row(stdout, row);
}

/* Slices of the phase in turn with slices of its floor, so that what else the machine does meets both alike.
 * At a fixed rate the floor gets the same rate: then its latency is what can be compared. */
static enum oms_status run_slices(struct bench *bench, const struct measurement *wish,
                                  const struct load_workload *workload, struct measure_total *total,
                                  struct measure_total *floor, struct oms_error *error)
{
    unsigned rounds = wish->floor ? bench->settings.rounds : 1;
    struct measure_shape shape = {wish->connections,
                                  wish->streams,
                                  wish->rate,
                                  bench->settings.warmup_s,
                                  bench->settings.duration_s / rounds,
                                  wish->requests_max};
    struct measure_shape floor_shape = {wish->connections,
                                        wish->streams,
                                        wish->rate,
                                        bench->settings.warmup_s / 2,
                                        bench->settings.duration_s / rounds,
                                        0};
    struct measure_target target = wish->on_floor ? floor_target(bench, *wish->phase) : server_target(bench);
    struct measure_target beside = floor_target(bench, wish->floor);
    struct workload *constant = workload_constant(FLOOR_BYTES);
    enum oms_status status = OMS_OK;

    target.path = wish->path;
    for (unsigned i = 0; i < rounds && status == OMS_OK; i++) {
        if (wish->floor)
            status = measure_slice(&beside, &floor_shape, workload_load(constant), floor, error);
        if (status == OMS_OK)
            status = measure_slice(&target, &shape, workload, total, error);
    }
    workload_destroy(constant);
    return status;
}

static bool measure(struct bench *bench, const struct measurement *wish, const struct load_workload *workload)
{
    struct measure_total *total = measure_total_create(), *floor = measure_total_create();
    struct oms_error error;
    enum oms_status status = run_slices(bench, wish, workload, total, floor, &error);
    uint64_t faults = total->result.wrong + total->result.unanswered;

    if (status == OMS_OK && !wish->quiet)
        fill_row(bench, wish, total, floor);
    if (faults) {
        fprintf(stderr, "bench: %s: %llu wrong, %llu unanswered; the first: %s\n", wish->name,
                (unsigned long long)total->result.wrong, (unsigned long long)total->result.unanswered,
                total->result.first_wrong);
        bench->failed = true;
    }
    oms_free(total);
    oms_free(floor);
    if (status != OMS_OK)
        fail(bench, &error);
    return status == OMS_OK;
}

/* Makes `count` orders; keeps the ids of the first ones when `ids` is given. */
static bool make_orders(struct bench *bench, uint64_t count, char **ids, size_t ids_max)
{
    struct workload_config config = {.run_id = bench->run_id, .first = bench->next_number};
    struct workload *workload = workload_create(&config);
    struct measurement wish = {
        .name = "filling", .connections = 32, .streams = 32, .quiet = true, .requests_max = count};

    bool done = measure(bench, &wish, workload_load(workload));
    bench->next_number += count;
    if (done && ids && workload_take_ids(workload, ids, ids_max) != ids_max) {
        fprintf(stderr, "bench: fewer orders were made than asked for\n");
        bench->failed = true;
        done = false;
    }
    workload_destroy(workload);
    return done;
}

/* ---- the phases ---- */

/* Starts the floors that the phases are compared with, and leaves them running: idle, they cost nothing. */
static bool floors(struct bench *bench)
{
    static const unsigned shapes[][2] = {{32, 4}, {32, 32}, {64, 1}};
    static const char *const names[] = {"floor: 600 bytes", "floor: 600 bytes after a commit"};

    for (unsigned floor = 0; floor < 2; floor++) {
        if (!wanted(bench, floor ? "bdefw" : "ac"))
            continue;
        if (!start_floor(bench, floor))
            return false;
        for (unsigned i = 0; i < (floor ? 3u : 2u); i++) {
            struct measurement wish = {.phase = floor ? "b" : "a",
                                       .name = names[floor],
                                       .on_floor = true,
                                       .connections = shapes[i][0],
                                       .streams = shapes[i][1]};
            struct workload *workload = workload_constant(FLOOR_BYTES);
            bool done = measure(bench, &wish, workload_load(workload));
            workload_destroy(workload);
            if (!done)
                return false;
        }
    }
    return true;
}

static void run_get(struct bench *bench, const struct workload_config *hot)
{
    struct workload *workload = workload_get(hot);
    static const unsigned streams[] = {4, 32};

    for (unsigned i = 0; i < 2; i++) {
        struct measurement wish = {.phase = "c",
                                   .name = "getOrder, 15 fields, hot orders",
                                   .connections = 32,
                                   .streams = streams[i],
                                   .floor = 'a',
                                   .target_ratio = 0.35};
        if (!measure(bench, &wish, workload_load(workload)))
            break;
    }
    workload_destroy(workload);
}

static void run_create(struct bench *bench)
{
    static const unsigned streams[] = {4, 32};

    for (unsigned i = 0; i < 2; i++) {
        struct workload_config config = {.run_id = bench->run_id, .first = bench->next_number};
        struct workload *workload = workload_create(&config);
        struct measurement wish = {.phase = "d",
                                   .name = "createOrder, 2 lines",
                                   .connections = 32,
                                   .streams = streams[i],
                                   .floor = 'b',
                                   .target_ratio = 0.3};
        bool done = measure(bench, &wish, workload_load(workload));
        bench->next_number += 100000000;
        workload_destroy(workload);
        if (!done)
            break;
    }
}

static void run_hold(struct bench *bench, const struct workload_config *hot)
{
    struct workload *workload = workload_hold(hot);
    static const unsigned streams[] = {4, 32};
    bool done = true;

    for (unsigned i = 0; i < 2 && done; i++) {
        struct measurement wish = {.phase = "e",
                                   .name = "hold and release, 10,000 orders",
                                   .connections = 32,
                                   .streams = streams[i],
                                   .floor = 'b',
                                   .target_ratio = 0.5};
        done = measure(bench, &wish, workload_load(workload));
    }
    if (done) {
        struct measurement wish = {.phase = "e",
                                   .name = "the same at half load",
                                   .connections = 32,
                                   .streams = 4,
                                   .rate = report_rate(&bench->report, "e", 32, 4) / 2,
                                   .floor = 'b',
                                   .target_p99_us = 5000};
        (void)measure(bench, &wish, workload_load(workload));
    }
    workload_destroy(workload);
}

static void run_single(struct bench *bench, const struct workload_config *hot)
{
    struct workload_config one = *hot;
    /* An order of its own: the holds of (e)'s orders are not none any more. */
    char *id = NULL;

    one.order_count = 1;
    one.order_ids = &id;
    if (!make_orders(bench, 1, &id, 1))
        return;
    struct workload *workload = workload_hold(&one);
    struct measurement wish = {.phase = "f",
                               .name = "the same on one order, 64 clients",
                               .connections = 64,
                               .streams = 1,
                               .floor = 'b',
                               .target_ratio = 0.3};
    (void)measure(bench, &wish, workload_load(workload));
    workload_destroy(workload);
    oms_free(id);
}

/* Signed webhooks: orders, each new, and payments of the hot orders. */
static void run_webhooks(struct bench *bench, const struct workload_config *hot)
{
    static const unsigned streams[] = {4, 32};
    static const char *const names[] = {"webhooks: orders of 2 lines", "webhooks: payments"};
    static const char *const paths[] = {"/webhook/wss/demo/tenant_create_order",
                                        "/webhook/wss/demo/orders/paid"};
    struct webhook_workload hooks;
    struct load_workload load;

    webhook_workload_init(&hooks, WSS_SECRET, bench->run_id, &load);
    for (unsigned i = 0; i < 4; i++) {
        struct measurement wish = {.phase = "w",
                                   .name = names[i / 2],
                                   .connections = 32,
                                   .streams = streams[i % 2],
                                   .path = paths[i / 2],
                                   .floor = 'b',
                                   .target_ratio = 0.5};
        webhook_workload_pay(&hooks, i / 2 ? hot->order_ids : NULL, hot->order_count);
        if (!measure(bench, &wish, &load))
            return;
    }
}

static void hot_phases(struct bench *bench)
{
    size_t count = bench->settings.orders;
    struct workload_config hot = {
        .seed = 42, .run_id = bench->run_id, .order_ids = bench->ids, .order_count = count};

    if (!start_liteoms(bench, "hot"))
        return;
    if (make_orders(bench, count, bench->ids, count)) {
        if (wanted(bench, "c"))
            run_get(bench, &hot);
        if (wanted(bench, "e"))
            run_hold(bench, &hot);
        if (wanted(bench, "f"))
            run_single(bench, &hot);
        if (wanted(bench, "d"))
            run_create(bench);
        if (wanted(bench, "w"))
            run_webhooks(bench, &hot);
        for (size_t i = 0; i < count; i++)
            oms_free(bench->ids[i]);
    }
    end_server(bench);
}

/* Until the materialiser has caught up and memory has settled. */
static void settle(struct bench *bench)
{
    uint64_t rss = 0;

    for (unsigned i = 0; i < 300; i++) {
        uint64_t now = process_rss(&bench->server, NULL);
        double lag = metric(bench, "lag_units");
        if (i >= 20 && lag <= 0 && now < rss + (1u << 20) && now + (1u << 20) > rss)
            return;
        rss = now;
        setup_sleep_ms(200);
    }
}

static void run_pages(struct bench *bench)
{
    static const unsigned shapes[][2] = {{16, 1}, {32, 4}};
    struct workload_config config = {
        .seed = 7, .run_id = bench->run_id, .stages = {"CONFIRMED", "PENDING", "DRAFT"}};

    for (unsigned i = 0; i < 2; i++) {
        struct workload *workload = workload_page(&config);
        struct measurement wish = {.phase = "g",
                                   .name = "a page of 20 orders of a stage",
                                   .connections = shapes[i][0],
                                   .streams = shapes[i][1],
                                   .target_p99_us = 20000};
        bool done = measure(bench, &wish, workload_load(workload));
        if (done && workload_short_pages(workload))
            report_fact(&bench->report, i ? "short_pages_32x4" : "short_pages_16x1",
                        "(g) pages with fewer than 20 orders", "", (double)workload_short_pages(workload), 0);
        workload_destroy(workload);
        if (!done)
            return;
    }
}

/* Kills the server in the middle of createOrder at full load and starts it again. */
struct killer {
    struct process *process;
    long after_ms;
};

static void *kill_later(void *argument)
{
    struct killer *killer = argument;
    setup_sleep_ms(killer->after_ms);
    kill(killer->process->pid, SIGKILL);
    return NULL;
}

static void run_crash(struct bench *bench)
{
    struct workload_config config = {.run_id = bench->run_id, .first = bench->next_number};
    struct workload *workload = workload_create(&config);
    struct load_config load = {.port = bench->server.port,
                               .path = "/graphql",
                               .token = bench->token,
                               .connections = 32,
                               .streams = 32,
                               .duration_s = 60};
    struct load_result *result = oms_calloc(1, sizeof(*result));
    struct killer killer = {&bench->server, (long)(bench->settings.duration_s * 1000)};
    struct oms_error error;
    pthread_t thread;

    (void)pthread_create(&thread, NULL, kill_later, &killer);
    if (load_run(&load, workload_load(workload), result, &error) == OMS_OK) {
        fprintf(stderr, "bench: the server outlived kill -9\n");
        bench->failed = true;
    }
    pthread_join(thread, NULL);
    process_kill(&bench->server);
    workload_destroy(workload);
    oms_free(result);
    bench->next_number += 100000000;
    if (start_again(bench))
        report_fact(&bench->report, "start_after_crash_s", "start after kill -9 under full load", "s",
                    bench->server.ready_s, 10);
}

/* Until no order is thawed and the allocator has given back what that took: what resident and idle orders
 * cost. */
static void wait_idle(const struct bench *bench)
{
    const struct timespec second = {.tv_sec = 1};
    for (int i = 0; i < 120 && metric(bench, "orders_thawed") > 0; i++)
        nanosleep(&second, NULL);
    for (int i = 0; i < 15; i++)
        nanosleep(&second, NULL);
}

/* What the storage engine holds in write buffers and its block cache: fixed budgets, whatever is resident. */
static double engine_bytes(const struct bench *bench)
{
    static const char *const families[] = {"log", "state", "aside", "timeline", "terms", "timers", "meta"};
    double sum = metric(bench, "engine_cache_bytes");
    for (size_t i = 0; i < OMS_COUNT_OF(families); i++) {
        char name[64];
        snprintf(name, sizeof(name), "engine_%s_memtable_bytes", families[i]);
        double bytes = metric(bench, name);
        sum += bytes > 0 ? bytes : 0;
    }
    return sum;
}

static void large_store(struct bench *bench)
{
    uint64_t count = bench->settings.store_orders;
    uint64_t anonymous_before = 0, anonymous = 0;

    if (!start_liteoms(bench, "large"))
        return;
    printf("   filling a store with %llu orders …\n", (unsigned long long)count);
    fflush(stdout);
    (void)process_rss(&bench->server, &anonymous_before);
    uint64_t begin = load_now_ns();
    if (!make_orders(bench, count, NULL, 0)) {
        end_server(bench);
        return;
    }
    double seconds = (double)(load_now_ns() - begin) / 1e9;
    report_fact(&bench->report, "fill_per_s", "orders made a second while filling the store", "/s",
                (double)count / seconds, 0);
    settle(bench);
    wait_idle(bench);
    uint64_t rss = process_rss(&bench->server, &anonymous);
    double engine = engine_bytes(bench);
    double live = metric(bench, "orders_live");
    report_fact(&bench->report, "orders_live", "orders resident after the fill", "", live, 0);
    report_fact(&bench->report, "rss_mib", "resident memory then, all of the process", "MiB",
                (double)rss / 1048576, 0);
    report_fact(&bench->report, "anonymous_mib", "of it anonymous, less what the empty server had", "MiB",
                (double)(anonymous - anonymous_before) / 1048576, 0);
    report_fact(&bench->report, "engine_mib", "of that the storage engine's write buffers and cache", "MiB",
                engine / 1048576, 0);
    begin = load_now_ns();
    stop_server(bench);
    report_fact(&bench->report, "stop_s", "clean stop", "s", (double)(load_now_ns() - begin) / 1e9, 0);
    if (!start_again(bench))
        return;
    report_fact(&bench->report, "start_after_clean_stop_s", "start after a clean stop", "s",
                bench->server.ready_s, 1);
    (void)process_rss(&bench->server, &anonymous_before);
    report_fact(&bench->report, "anonymous_passivated_mib", "anonymous memory then, no order resident", "MiB",
                (double)anonymous_before / 1048576, 0);
    if (live > 0)
        report_fact(&bench->report, "bytes_per_idle_order",
                    "bytes for each resident idle order (difference, less the engine's budgets)", "B",
                    ((double)anonymous - (double)anonymous_before - engine) / live, 600.0 * 1048576 / 1e6);
    if (wanted(bench, "g"))
        run_pages(bench);
    if (wanted(bench, "k"))
        run_crash(bench);
    end_server(bench);
}

/* ---- main ---- */

static void read_settings(struct settings *settings)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    settings->liteoms = setup_text("BENCH_LITEOMS", "build/liteoms");
    settings->floors = setup_text("BENCH_FLOORS", "build/bench/liteoms-floors");
    settings->data = setup_text("BENCH_DATA", "build/bench-data");
    settings->json = setup_text("BENCH_JSON", "build/bench.json");
    settings->phases = setup_text("BENCH_PHASES", "abcdefwgmk");
    settings->warmup_s = setup_number("BENCH_WARMUP", 2);
    settings->duration_s = setup_number("BENCH_SECONDS", 8);
    settings->rounds = (unsigned)setup_number("BENCH_ROUNDS", 3);
    if (settings->rounds < 1 || settings->rounds > 100)
        settings->rounds = 3;
    /* What the server takes by itself: a core is left for the committer, the materialiser and the kernel. */
    long shards = cores > 2 ? cores - 1 : 1;
    settings->shards = (unsigned)setup_number("BENCH_SHARDS", (double)(shards > 64 ? 64 : shards));
    settings->orders = (size_t)setup_number("BENCH_ORDERS", 10000);
    settings->store_orders = (uint64_t)setup_number("BENCH_STORE_ORDERS", 1000000);
    if (settings->orders < 1 || settings->orders > 65536)
        settings->orders = 10000;
}

int main(void)
{
    static struct bench bench;
    struct oms_error error;
    struct settings *settings = &bench.settings;

    read_settings(settings);
    bench.report.warmup_s = settings->warmup_s;
    bench.report.duration_s = settings->duration_s;
    bench.report.shards = settings->shards;
    bench.report.store_orders = settings->store_orders;
    bench.ids = oms_calloc(settings->orders, sizeof(char *));
    bench.floor_token = FLOOR_TOKEN;
    snprintf(bench.run_id, sizeof(bench.run_id), "B%llx", (unsigned long long)time(NULL));
    if (mkdir(settings->data, 0755) < 0 && errno != EEXIST) {
        fprintf(stderr, "bench: %s: %s\n", settings->data, strerror(errno));
        return 1;
    }
    printf("%u shards, %.0f s a phase after %.0f s of warm-up; data below %s\n", settings->shards,
           settings->duration_s, settings->warmup_s, settings->data);
    report_print_head(stdout);
    if (wanted(&bench, "abcdefw") && floors(&bench) && wanted(&bench, "cdefw"))
        hot_phases(&bench);
    end_floors(&bench);
    if (wanted(&bench, "gmk"))
        large_store(&bench);
    report_print_facts(stdout, &bench.report);
    if (report_write_json(&bench.report, settings->json, &error) != OMS_OK)
        fail(&bench, &error);
    else
        printf("written: %s\n", settings->json);
    oms_free(bench.ids);
    return bench.failed ? 1 : 0;
}
