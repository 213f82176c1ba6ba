/*
 * The floors that the benchmark compares with: what our own HTTP server, runtime and log can do with no
 * GraphQL and no domain above them.
 *
 *   constant   answers 600 bytes to a POST
 *   durable    the same, but the answer waits until one 500-byte record of its own is group-committed and
 * synced
 *
 * Everything is the production code, threads included; the materialiser folds the durable floor's records
 * into nothing. An exchange that waits hangs in its shard's queue in the order of submission:
 * acknowledgements are "durable up to", so the queue is answered from its head.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/metrics.h"
#include "http/server_h2o.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/wire.h"
#include "runtime/host_uv.h"
#include "runtime/shard.h"
#include "storage/store.h"

#define ANSWER_BYTES 600
#define RECORD_BYTES 500

struct waiting {
    struct waiting *next;
    struct http_exchange *exchange;
    uint64_t seq;
};

struct floor_shard {
    _Alignas(64) struct waiting *first;
    struct waiting *last, *free;
    uint64_t next_key;
};

struct floors {
    struct store *store;
    struct floor_shard shards[OMS_SHARDS_MAX];
    char answer[ANSWER_BYTES];
    char record[RECORD_BYTES];
};

static struct floors floors;

static void answer(struct http_exchange *exchange)
{
    oms_buf_append(&exchange->out, floors.answer, sizeof(floors.answer));
    http_respond(exchange, 200, "application/json", NULL, 0);
}

static void handle_constant(struct http_exchange *exchange, void *context)
{
    (void)context;
    answer(exchange);
}

static void handle_durable(struct http_exchange *exchange, void *context)
{
    struct floor_shard *shard = &floors.shards[rt_shard_index(exchange->shard)];
    struct rt_address actor = {.tenant = 1, .kind = RT_ACTOR_ORDER};

    (void)context;
    if (store_admit(floors.store, exchange->shard, actor.tenant) != OMS_OK) {
        http_respond_error(exchange, 503, "BUSY", "too much in flight");
        return;
    }
    /* An actor per record: each is version 1 of its own, as createOrder's are. */
    oms_put_be64(actor.key, rt_shard_index(exchange->shard));
    oms_put_be64(actor.key + 8, shard->next_key++);
    struct store_unit *unit = store_unit_take(floors.store, exchange->shard);
    store_unit_begin(unit, &actor, 0, 1, rt_now_ms(rt_shard_host(exchange->shard)));
    size_t mark = store_unit_begin_event(unit);
    oms_buf_append(&unit->record, floors.record, sizeof(floors.record));
    store_unit_end_event(unit, mark);
    OMS_ASSERT(store_unit_end(unit) == OMS_OK);

    struct waiting *waiting = shard->free;
    if (waiting)
        shard->free = waiting->next;
    else
        waiting = oms_malloc(sizeof(*waiting));
    *waiting = (struct waiting){NULL, exchange, store_submit(floors.store, exchange->shard, unit)};
    if (shard->last && shard->first)
        shard->last->next = waiting;
    else
        shard->first = waiting;
    shard->last = waiting;
}

static void on_durable(struct rt_shard *rt, uint64_t durable_seq, enum oms_status status)
{
    struct floor_shard *shard = &floors.shards[rt_shard_index(rt)];

    while (shard->first && shard->first->seq <= durable_seq) {
        struct waiting *waiting = shard->first;
        shard->first = waiting->next;
        if (status == OMS_OK)
            answer(waiting->exchange);
        else
            http_respond_error(waiting->exchange, 503, "OUTCOME_UNKNOWN", "the write failed");
        waiting->next = shard->free;
        shard->free = waiting;
    }
}

static void on_applied(struct rt_shard *shard, struct store_unit *unit)
{
    store_unit_recycle(floors.store, shard, unit);
}

static enum oms_status project_nothing(void *context, const struct store_vault *vault,
                                       const struct rt_address *actor, struct oms_str base,
                                       const struct store_record *records, size_t count,
                                       struct oms_arena *scratch, struct store_writes *writes)
{
    (void)context;
    (void)vault;
    (void)actor;
    (void)base;
    (void)records;
    (void)count;
    (void)scratch;
    (void)writes;
    return OMS_OK;
}

static void on_fatal(void *context, enum oms_status status)
{
    (void)context;
    fprintf(stderr, "liteoms-floors: the log failed: %s\n", oms_status_name(status));
    _exit(1);
}

static enum oms_status open_store(struct rt_host *host, const char *folder, struct oms_error *error)
{
    struct store_rocksdb_config rocksdb = {.folder = folder};
    struct store_config config = {.host = host, .projector = {NULL, project_nothing}, .on_fatal = on_fatal};
    struct store_recovery recovery;
    enum oms_status status = store_rocksdb_open(&rocksdb, &config.engine, error);

    if (status == OMS_OK)
        status = store_open(&config, &floors.store, &recovery, error);
    for (unsigned i = 0; status == OMS_OK && i < host->shard_count; i++)
        store_attach(floors.store, host->shards[i], on_durable, on_applied);
    return status;
}

static int serve(const char *mode, const char *listen, const char *folder, unsigned shards)
{
    struct rt_host_uv_config host_config = {.shards = shards, .spin_us_max = 20};
    struct http_metrics *metrics = http_metrics_create(shards);
    struct http_server_config server_config = {.listen = oms_str_of(listen), .metrics = metrics};
    struct http_server *server = NULL;
    struct rt_host *host = NULL;
    struct oms_error error = {OMS_OK, ""};
    bool durable = strcmp(mode, "durable") == 0;
    sigset_t stop;
    int signal_number;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    enum oms_status status = rt_host_uv_create(&host_config, &host, &error);
    if (status == OMS_OK && durable)
        status = open_store(host, folder, &error);
    server_config.host = host;
    server_config.handle = durable ? handle_durable : handle_constant;
    if (status == OMS_OK)
        status = http_server_create(&server_config, &server, &error);
    if (status == OMS_OK)
        status = host->ops->start(host, &error);
    if (status != OMS_OK) {
        fprintf(stderr, "liteoms-floors: %s\n", error.message);
        return 1;
    }
    printf("liteoms-floors: ready on %s\n", http_server_url(server));
    fflush(stdout);
    sigwait(&stop, &signal_number);
    http_server_drain(server, 2000);
    (void)http_server_wait_drained(server);
    host->ops->stop(host);
    if (durable)
        store_close(floors.store);
    http_server_destroy(server);
    host->ops->destroy(host);
    http_metrics_destroy(metrics);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5 || (strcmp(argv[1], "constant") != 0 && strcmp(argv[1], "durable") != 0)) {
        fprintf(stderr, "usage: liteoms-floors constant|durable ADDR:PORT FOLDER SHARDS\n");
        return 2;
    }
    memset(floors.answer, 'x', sizeof(floors.answer));
    for (size_t i = 0; i < sizeof(floors.record); i++)
        floors.record[i] = (char)oms_mix64(i); /* does not compress */
    long shards = strtol(argv[4], NULL, 10);
    if (shards < 1 || shards > OMS_SHARDS_MAX) {
        fprintf(stderr, "liteoms-floors: shards: 1 to %d\n", OMS_SHARDS_MAX);
        return 2;
    }
    return serve(argv[1], argv[2], argv[3], (unsigned)shards);
}
