/*
 * The store on real threads: shards that submit, read and recycle while the committer and the materialiser
 * work and a foreign thread looks at the numbers. For the thread sanitizer above all; the final state is
 * checked as well.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/host_uv.h"
#include "tests/unit/storage_toy.h"

enum { SHARDS = 2, ACTORS = 64, IN_FLIGHT = 200, UNITS = 6000 };

/* One shard's client: works on actors of its own (tenant = shard), keeps some units in flight, reads now and
 * then. */
struct client {
    struct store_read read;
    struct rt_message kick;
    struct store *store;
    uint32_t tenant;
    uint32_t versions[ACTORS];
    uint64_t submitted, acknowledged, home, reads;
    uint64_t version_wanted, reading_actor;
    bool reading;
    atomic_bool done;
};

static struct client clients[SHARDS];

static void submit_some(struct rt_shard *shard, struct client *client)
{
    while (client->submitted < UNITS && client->submitted - client->acknowledged < IN_FLIGHT &&
           store_admit(client->store, shard, client->tenant) == OMS_OK) {
        struct store_unit *unit = store_unit_take(client->store, shard);
        uint64_t actor = client->submitted % 7 ? client->submitted % ACTORS : 0;
        toy_fill(unit, client->tenant, actor, client->versions[actor]++, 1);
        client->submitted++;
        assert_int_equal(store_submit(client->store, shard, unit), client->submitted);
    }
}

static void run_read(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct client *client = OMS_CONTAINER_OF(read, struct client, read);
    struct rt_address address;
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct oms_buf bytes;
    struct oms_wire wire;
    oms_buf_init(&bytes, 1000);
    toy_address(client->tenant, 0, &address);
    store_address_key(&address, key);
    uint64_t version = 0;
    if (engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &bytes) == OMS_OK) {
        oms_wire_read(&wire, oms_buf_str(&bytes));
        OMS_ASSERT(oms_wire_next(&wire));
        version = wire.number;
    }
    OMS_ASSERT(version >= client->version_wanted);
    oms_buf_fini(&bytes);
}

static void read_home(struct rt_shard *shard, struct rt_message *message)
{
    struct client *client = OMS_CONTAINER_OF(message, struct client, read.job.message);
    (void)shard;
    OMS_ASSERT(message->status == OMS_OK);
    client->reads++;
    client->reading = false;
    if (client->home == UNITS)
        atomic_store(&client->done, true);
}

static void on_durable(struct rt_shard *shard, uint64_t durable_seq, enum oms_status status)
{
    struct client *client = &clients[rt_shard_index(shard)];
    OMS_ASSERT(status == OMS_OK && durable_seq > client->acknowledged);
    client->acknowledged = durable_seq;
    OMS_ASSERT(store_durable_seq(client->store, shard) == durable_seq);
    if (!client->reading) {
        client->reading = true;
        client->version_wanted = 0;
        for (uint64_t i = 0; i < durable_seq; i++) /* units of actor 0 among the first durable_seq */
            client->version_wanted += i % 7 == 0 || i % ACTORS == 0;
        client->read.run = run_read;
        client->read.job.message.on_return = read_home;
        store_read(client->store, shard, &client->read);
    }
    submit_some(shard, client);
}

static void on_applied(struct rt_shard *shard, struct store_unit *unit)
{
    struct client *client = &clients[rt_shard_index(shard)];
    OMS_ASSERT(unit->shard_seq <= client->acknowledged); /* told before it comes home */
    client->home++;
    store_unit_recycle(client->store, shard, unit);
    if (client->home == UNITS && !client->reading)
        atomic_store(&client->done, true);
}

static void on_kick(struct rt_shard *shard, struct rt_message *message)
{
    submit_some(shard, OMS_CONTAINER_OF(message, struct client, kick));
}

static void run_all(struct store_engine *engine)
{
    struct rt_host_uv_config uv = {.shards = SHARDS, .spin_us_max = 20};
    struct oms_error error;
    struct rt_host *host;
    struct store *store;
    struct store_stats stats;
    assert_int_equal(rt_host_uv_create(&uv, &host, &error), OMS_OK);
    struct store_config config = {.engine = engine,
                                  .host = host,
                                  .projector = toy_projector(),
                                  .window_ms = 2,
                                  .flush_interval_ms = 10};
    assert_int_equal(store_open(&config, &store, NULL, &error), OMS_OK);
    memset(clients, 0, sizeof(clients));
    for (unsigned i = 0; i < SHARDS; i++) {
        clients[i].store = store;
        clients[i].tenant = i;
        clients[i].kick.on_return = on_kick;
        store_attach(store, host->shards[i], on_durable, on_applied);
    }
    assert_int_equal(host->ops->start(host, &error), OMS_OK);
    for (unsigned i = 0; i < SHARDS; i++)
        rt_post(host, i, &clients[i].kick);
    for (unsigned done = 0; done < SHARDS;) {
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
        store_stats(store, &stats);
        assert_true(stats.units <= SHARDS * UNITS);
        for (done = 0; done < SHARDS && atomic_load(&clients[done].done);)
            done++;
    }
    host->ops->stop(host);
    store_stats(store, &stats);
    assert_int_equal(stats.units, SHARDS * UNITS);
    assert_int_equal(stats.lag_units, 0);
    for (unsigned i = 0; i < SHARDS; i++)
        assert_true(clients[i].reads > 0);
    store_close(store);
    host->ops->destroy(host);
}

static void test_memory(void **state)
{
    struct store_memory *memory = store_memory_create();
    (void)state;
    run_all(store_memory_open(memory));
    struct store_engine *engine = store_memory_open(memory);
    assert_int_equal(toy_verify(engine), SHARDS * UNITS);
    engine->ops->close(engine, true);
    store_memory_destroy(memory);
}

static void test_rocksdb(void **state)
{
    char folder[] = "/tmp/liteoms-threads-XXXXXX", command[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    run_all(toy_open_rocksdb(folder));
    struct store_engine *engine = toy_open_rocksdb(folder);
    assert_int_equal(toy_verify(engine), SHARDS * UNITS);
    engine->ops->close(engine, true);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

/* RocksDB's own threads are not instrumented, so its memory looks unordered to the thread sanitizer. Ours is
 * watched. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librocksdb\nrace:librocksdb\n";
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory), cmocka_unit_test(test_rocksdb)};
    oms_log_set_level(OMS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
