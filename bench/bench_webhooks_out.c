/*
 * The benchmark of webhooks out: how many deliveries a second one endpoint gets, from a log that holds them
 * already (a replay), and live, beside the commands that make them. What the phases are: bench/README.md.
 *
 * The sink is a thread of this program: it reads whole requests, looks for a signature, counts, and answers
 * 200. Server, sink and load client share the machine. Everything is bounded: events, seconds.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/load/load.h"
#include "bench/load/workload.h"
#include "bench/process.h"
#include "bench/setup.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"

#define SINK_FDS    1024
#define SINK_BYTES  (256u << 10)
#define ANSWER      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define WAIT_MS_MAX 120000
#define QUIET_MS    1000

/* ---- the sink ---- */

struct sink_connection {
    size_t len;
    char bytes[SINK_BYTES];
};

struct sink {
    int listener, epoll;
    unsigned port;
    struct sink_connection *connections[SINK_FDS];
    atomic_bool stop;
    atomic_uint_fast64_t count, bytes, wrong;
};

/* The length of the first whole request in the bytes; 0: there is none yet. */
static size_t request_len(struct sink *sink, struct sink_connection *connection)
{
    connection->bytes[connection->len] = '\0';
    char *end = strstr(connection->bytes, "\r\n\r\n"), *length;

    if (!end)
        return 0;
    length = strcasestr(connection->bytes, "content-length:");
    if (!length || length > end || !strstr(connection->bytes, "webhook-signature: v1,")) {
        sink->wrong++;
        return connection->len;
    }
    size_t whole = (size_t)(end + 4 - connection->bytes) + strtoul(length + 15, NULL, 10);
    return whole <= connection->len ? whole : 0;
}

static bool serve_connection(struct sink *sink, int fd)
{
    struct sink_connection *connection = sink->connections[fd];
    ssize_t got = read(fd, connection->bytes + connection->len, SINK_BYTES - 1 - connection->len);

    if (got <= 0)
        return false;
    connection->len += (size_t)got;
    for (size_t whole; (whole = request_len(sink, connection)) > 0;) {
        sink->count++;
        sink->bytes += whole;
        connection->len -= whole;
        memmove(connection->bytes, connection->bytes + whole, connection->len);
        if (write(fd, ANSWER, sizeof(ANSWER) - 1) != sizeof(ANSWER) - 1)
            return false;
    }
    return connection->len < SINK_BYTES - 1;
}

static void accept_connection(struct sink *sink)
{
    int fd = accept(sink->listener, NULL, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (fd < 0)
        return;
    OMS_ASSERT(fd < SINK_FDS);
    sink->connections[fd] = oms_calloc(1, sizeof(struct sink_connection));
    OMS_ASSERT(epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void *run_sink(void *context)
{
    struct sink *sink = context;
    struct epoll_event events[64];

    while (!atomic_load(&sink->stop)) {
        int count = epoll_wait(sink->epoll, events, OMS_COUNT_OF(events), 100);

        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;

            if (fd == sink->listener) {
                accept_connection(sink);
            } else if (!serve_connection(sink, fd)) {
                oms_free(sink->connections[fd]);
                sink->connections[fd] = NULL;
                close(fd);
            }
        }
    }
    return NULL;
}

static void open_sink(struct sink *sink)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    sink->listener = socket(AF_INET, SOCK_STREAM, 0);
    sink->epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = sink->listener};
    OMS_ASSERT(bind(sink->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    OMS_ASSERT(listen(sink->listener, 128) == 0);
    OMS_ASSERT(getsockname(sink->listener, (struct sockaddr *)&address, &len) == 0);
    OMS_ASSERT(epoll_ctl(sink->epoll, EPOLL_CTL_ADD, sink->listener, &event) == 0);
    sink->port = ntohs(address.sin_port);
}

static void close_sink(struct sink *sink)
{
    for (int fd = 0; fd < SINK_FDS; fd++)
        if (sink->connections[fd]) {
            close(fd);
            oms_free(sink->connections[fd]);
        }
    close(sink->listener);
    close(sink->epoll);
}

/* ---- the server ---- */

struct bench {
    const char *liteoms, *data, *json_path;
    double seconds;
    unsigned shards;
    uint64_t orders;
    char folder[512], log[600], token[8192], endpoint[64];
    struct process server;
    struct sink sink;
    struct oms_buf json;
    bool failed;
};

static bool fail(struct bench *bench, const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    bench->failed = true;
    return false;
}

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

/* A mutation that must be done; the answer's text is cut off at `size`. */
static bool post(struct bench *bench, const char *document, char *out, size_t size)
{
    struct oms_buf body, answer;
    struct oms_error error;
    unsigned status = 0;

    oms_buf_init(&body, 1u << 16);
    oms_buf_init(&answer, 1u << 20);
    oms_buf_appendf(&body, "{\"query\":\"%s\"}", document);
    bool fine = load_fetch(bench->server.port, "POST", "/graphql", bench->token, oms_buf_str(&body), &status,
                           &answer, &error) == OMS_OK;
    snprintf(out, size, "%.*s", fine ? (int)answer.len : 0, fine ? answer.data : "");
    oms_buf_fini(&body);
    oms_buf_fini(&answer);
    return (fine && strstr(out, "\"userErrors\":[]")) || fail(bench, document, fine ? out : error.message);
}

/* Creations of orders of two lines, each an order of its own. */
static bool make_orders(struct bench *bench, const char *run, uint64_t count, double seconds, double rate,
                        uint64_t *made)
{
    static struct load_result result;
    const struct workload_config config = {.run_id = run};
    struct workload *workload = workload_create(&config);
    const struct load_config load = {.port = bench->server.port,
                                     .path = "/graphql",
                                     .token = bench->token,
                                     .connections = 8,
                                     .streams = 8,
                                     .requests_max = count,
                                     .duration_s = seconds,
                                     .rate = rate};
    struct oms_error error;
    enum oms_status status = load_run(&load, workload_load(workload), &result, &error);
    bool done = status == OMS_OK && result.wrong == 0;

    workload_destroy(workload);
    *made = result.answers;
    return done || fail(bench, "orders", status == OMS_OK ? result.first_wrong : error.message);
}

static bool make_endpoint(struct bench *bench)
{
    char document[600], answer[8192], *id;

    snprintf(
        document, sizeof(document),
        "mutation { createWebhookEndpoint(input: { url: \\\"http://127.0.0.1:%u/\\\", enabled: false }) { "
        "userErrors { code } endpoint { endpointId } } }",
        bench->sink.port);
    if (!post(bench, document, answer, sizeof(answer)) || !(id = strstr(answer, "whe_")))
        return false;
    snprintf(bench->endpoint, sizeof(bench->endpoint), "%.20s", id);
    return true;
}

static bool change_endpoint(struct bench *bench, const char *mutation, const char *more, const char *select)
{
    char document[600], answer[8192];

    snprintf(document, sizeof(document),
             "mutation { %s(input: { endpointId: \\\"%s\\\" %s }) { userErrors { code } %s } }", mutation,
             bench->endpoint, more, select);
    return post(bench, document, answer, sizeof(answer));
}

/* Processor seconds of the shards' threads: who delivers, without who reads the log and writes it. */
static double shards_cpu_s(const struct bench *bench)
{
    char path[64], line[1024];
    uint64_t ticks = 0;
    struct dirent *entry;

    snprintf(path, sizeof(path), "/proc/%d/task", bench->server.pid);
    DIR *folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        char name[600];
        unsigned long user = 0, system = 0;
        const char *behind;

        snprintf(name, sizeof(name), "%s/%s/stat", path, entry->d_name);
        FILE *file = fopen(name, "re");
        if (!file)
            continue;
        if (fgets(line, sizeof(line), file) && strstr(line, "(shard-") && (behind = strrchr(line, ')')) &&
            sscanf(behind + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2)
            ticks += user + system;
        fclose(file);
    }
    if (folder)
        closedir(folder);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* ---- phases ---- */

struct spent {
    double all, shards;
};

static struct spent spent(const struct bench *bench)
{
    return (struct spent){process_cpu_s(&bench->server), shards_cpu_s(bench)};
}

static void print_row(struct bench *bench, const char *name, uint64_t count, double seconds,
                      struct spent from, struct spent to, uint64_t bytes)
{
    double cpu = to.all - from.all, shards = to.shards - from.shards, rate = (double)count / seconds,
           per_cpu = (double)count / (cpu > 0 ? cpu : 1e-9),
           per_shard = (double)count / (shards > 0 ? shards : 1e-9);

    printf("%-24s %10llu %12.0f %14.0f %14.0f %8.2f %10.0f\n", name, (unsigned long long)count, rate, per_cpu,
           per_shard, cpu / seconds, count ? (double)bytes / (double)count : 0.0);
    fflush(stdout);
    oms_buf_appendf(&bench->json,
                    "%s{\"phase\":\"%s\",\"deliveries\":%llu,\"seconds\":%.2f,\"deliveries_per_s\":%.0f,"
                    "\"deliveries_per_cpu_s\":%.0f,\"deliveries_per_shard_cpu_s\":%.0f,\"server_cores\":%.2f,"
                    "\"bytes_per_delivery\":%.0f}",
                    bench->json.len > 1 ? "," : "", name, (unsigned long long)count, seconds, rate, per_cpu,
                    per_shard, cpu / seconds, count ? (double)bytes / (double)count : 0.0);
}

/* Waits until so many came. */
static bool wait_for(struct bench *bench, uint64_t count)
{
    uint64_t end = load_now_ns() + UINT64_C(1000000) * WAIT_MS_MAX;

    while (bench->sink.count < count && load_now_ns() < end)
        setup_sleep_ms(1);
    return bench->sink.count >= count || fail(bench, "deliveries", "they do not come");
}

/* Waits until nothing comes any more; the time at which the last one came, and the processor's. */
static uint64_t wait_for_rest(struct bench *bench, struct spent *to)
{
    uint64_t last = load_now_ns(), end = last + UINT64_C(1000000) * WAIT_MS_MAX, seen = bench->sink.count;

    *to = spent(bench);
    while (load_now_ns() < last + UINT64_C(1000000) * QUIET_MS && load_now_ns() < end) {
        setup_sleep_ms(10);
        if (bench->sink.count == seen)
            continue;
        seen = bench->sink.count;
        last = load_now_ns();
        *to = spent(bench);
    }
    return last;
}

/* Everything of the log, from its beginning. */
static void measure_replay(struct bench *bench)
{
    struct spent before, after;

    if (!change_endpoint(bench, "updateWebhookEndpoint", "enabled: true", "") ||
        !change_endpoint(bench, "replayWebhook", "after: \\\"0\\\"", "") ||
        !wait_for(bench, bench->orders / 10))
        return;
    before = spent(bench);
    uint64_t begin = load_now_ns(), from = bench->sink.count, bytes = bench->sink.bytes;
    uint64_t end = wait_for_rest(bench, &after);
    print_row(bench, "replay", bench->sink.count - from, (double)(end - begin) / 1e9, before, after,
              bench->sink.bytes - bytes);
}

/* Beside the commands that make the events. */
static void measure_live(struct bench *bench, double rate)
{
    char name[48];
    uint64_t made;
    struct spent before = spent(bench), after;
    uint64_t begin = load_now_ns(), from = bench->sink.count, bytes = bench->sink.bytes;

    snprintf(name, sizeof(name), "live, %.0f orders/s", rate);
    if (!make_orders(bench, name, 0, bench->seconds, rate, &made))
        return;
    uint64_t end = wait_for_rest(bench, &after);
    print_row(bench, name, bench->sink.count - from, (double)(end - begin) / 1e9, before, after,
              bench->sink.bytes - bytes);
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
    static struct bench bench;
    pthread_t thread;
    uint64_t made;

    bench.liteoms = setup_text("BENCH_LITEOMS", "build/liteoms");
    bench.data = setup_text("BENCH_DATA", "build/bench-data");
    bench.json_path = setup_text("BENCH_WEBHOOKS_OUT_JSON", "build/bench-webhooks-out.json");
    bench.seconds = setup_number("BENCH_SECONDS", 8);
    bench.shards = (unsigned)setup_number("BENCH_SHARDS", 1);
    bench.orders = (uint64_t)setup_number("BENCH_ORDERS", 50000);
    snprintf(bench.folder, sizeof(bench.folder), "%s/webhooks-out", bench.data);
    snprintf(bench.log, sizeof(bench.log), "%s/webhooks-out.log", bench.data);
    oms_buf_init(&bench.json, 1u << 20);
    oms_buf_append_char(&bench.json, '[');
    open_sink(&bench.sink);
    OMS_ASSERT(pthread_create(&thread, NULL, run_sink, &bench.sink) == 0);
    if (start(&bench) && make_orders(&bench, "replay", bench.orders, 0, 0, &made) && make_endpoint(&bench)) {
        printf("%-24s %10s %12s %14s %14s %8s %10s\n", "webhooks out", "deliveries", "a second",
               "a CPU second", "a shard's", "cores", "bytes each");
        fflush(stdout);
        measure_replay(&bench);
        measure_live(&bench, 1000);
        measure_live(&bench, 3000);
    }
    if (bench.server.pid > 0 && process_stop(&bench.server) != 0)
        (void)fail(&bench, "stop", bench.log);
    setup_remove_folder(bench.folder);
    atomic_store(&bench.sink.stop, true);
    pthread_join(thread, NULL);
    if (bench.sink.wrong)
        (void)fail(&bench, "sink", "a delivery had no signature");
    close_sink(&bench.sink);
    write_json(&bench);
    oms_buf_fini(&bench.json);
    return bench.failed;
}
