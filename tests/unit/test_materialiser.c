/*
 * The materialiser on the simulation host: windows, timelines, reads that wait for what their caller was
 * told, flushes in time, failures.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "storage/timeline.h"
#include "tests/unit/storage_toy.h"

static void test_a_window_coalesces(void **state)
{
    struct toy_fixture *f = *state;
    uint32_t version;
    uint64_t sum;
    toy_start(f, 1, NULL);
    toy_submit(&f->world, 0, 1000, 1, 5);
    toy_run(&f->world, 100);
    struct store_stats stats = toy_stats(f);
    assert_int_equal(stats.windows, 1);
    assert_in_range(stats.writes, 100, 110); /* one state, one term, one run, 100 asides; not 1000 states */
    assert_int_equal(f->world.applied, 1000);
    assert_int_equal(toy_read(store_engine(f->world.store), 1, 5, &version, &sum), OMS_OK);
    assert_int_equal(version, 1000);
    assert_int_equal(sum, f->world.actors[1][5].sum);
    toy_close(&f->world);
}

static void test_windows_have_a_maximum(void **state)
{
    struct toy_fixture *f = *state;
    toy_start(f, 1, NULL);
    toy_submit(&f->world, 0, OMS_MATERIALISE_WINDOW_UNITS + 1, 1, 5);
    toy_run(&f->world, 500); /* they go home a few at a time */
    assert_in_range(toy_stats(f).windows, 2, 4);
    assert_int_equal(f->world.applied, OMS_MATERIALISE_WINDOW_UNITS + 1);
    toy_close(&f->world);
}

/* An end of the host in the middle of a fold: the rest of it, and what waits behind it, is done at once. */
static void test_the_end_comes_in_the_middle(void **state)
{
    struct toy_fixture *f = *state;
    struct store_config config = {.window_ms = 10000};
    toy_start(f, 1, &config);
    for (unsigned actor = 0; actor < 16; actor++)
        toy_submit(&f->world, 0, OMS_MATERIALISE_WINDOW_UNITS / 16, 1, actor);
    toy_run(&f->world, 100);
    toy_submit(&f->world, 0, 1000, 1, 6);
    toy_run(&f->world, 100);
    assert_int_equal(f->world.applied, 0); /* it takes its time */
    f->world.host->ops->stop(f->world.host);
    assert_int_equal(f->world.applied, OMS_MATERIALISE_WINDOW_UNITS + 1000);
    toy_close(&f->world);
}

/* Without readers a window stays open for its time; then it closes by itself. */
static void test_a_window_waits(void **state)
{
    struct toy_fixture *f = *state;
    struct store_config config = {.window_ms = 50};
    toy_start(f, 1, &config);
    toy_submit(&f->world, 0, 10, 1, 5);
    toy_run(&f->world, 10);
    assert_int_equal(f->world.acks, 1); /* durable and told, long before it is applied */
    assert_int_equal(toy_stats(f).windows, 0);
    assert_int_equal(toy_stats(f).lag_units, 10);
    assert_int_equal(f->world.applied, 0);
    toy_run(&f->world, 100);
    assert_int_equal(toy_stats(f).windows, 1);
    assert_int_equal(f->world.applied, 10);
    toy_close(&f->world);
}

/* ---- the timeline ---- */

static void check_timeline(struct toy_fixture *f, uint32_t tenant, uint32_t number, uint32_t from,
                           uint32_t last)
{
    struct store_engine *engine = store_engine(f->world.store);
    struct rt_address address;
    struct store_timeline_item item;
    struct oms_buf record;
    struct oms_arena arena;
    enum oms_status status;
    oms_buf_init(&record, 1 << 20);
    oms_arena_init(&arena, 1024, 1 << 20);
    toy_address(tenant, number, &address);
    struct store_view *view = engine->ops->view_open(engine);
    struct store_timeline *timeline = store_timeline_open(engine, view, &address, from);
    for (uint32_t version = from ? from : 1; version <= last; version++) {
        struct store_record decoded;
        uint16_t partition = store_partition_of(tenant);
        assert_true(store_timeline_next(timeline, &item, &status));
        assert_int_equal(item.version_to, version);
        oms_buf_reset(&record);
        assert_int_equal(engine->ops->view_log_get(view, partition, item.commit, &record), OMS_OK);
        assert_int_equal(store_record_decode(partition, item.commit, oms_buf_str(&record), &arena, &decoded),
                         OMS_OK);
        assert_true(rt_address_eq(&decoded.actor, &address));
        assert_int_equal(decoded.version_to, version);
    }
    assert_false(store_timeline_next(timeline, &item, &status));
    assert_int_equal(status, OMS_OK);
    store_timeline_close(timeline);
    engine->ops->view_close(view);
    oms_buf_fini(&record);
    oms_arena_fini(&arena);
}

static void test_timeline(void **state)
{
    struct toy_fixture *f = *state;
    struct store_config config = {.window_ms = 5};
    toy_start(f, 3, &config);
    for (int round = 0; round < 30; round++) {
        for (unsigned shard = 0; shard < TOY_SHARDS; shard++)
            toy_submit(&f->world, shard, 5 + (unsigned)round, 0, UINT32_MAX);
        toy_submit(&f->world, 0, (unsigned)round % 4, 2, 9);
        toy_run(&f->world, 20);
    }
    assert_true(toy_stats(f).windows > 20); /* so there are many runs */
    for (uint32_t tenant = 0; tenant < TOY_TENANTS; tenant++)
        for (uint32_t number = 0; number < TOY_ACTORS; number++) {
            uint32_t last = f->world.actors[tenant][number].version;
            check_timeline(f, tenant, number, 0, last);
            for (uint32_t from = 1; from <= last + 1; from += 1 + last / 20)
                check_timeline(f, tenant, number, from, last);
        }
    check_timeline(f, 77, 0, 0, 0); /* one that never was */
    toy_close(&f->world);
}

/* Units that leave the version where it is (a recorded refusal) have their place as well. */
static void test_a_run_without_new_versions(void **state)
{
    struct store_record records[4] = {
        {.commit = 7, .version_from = 3, .version_to = 3},
        {.commit = 9, .version_from = 3, .version_to = 5},
        {.commit = 300, .version_from = 5, .version_to = 5},
        {.commit = 301, .version_from = 5, .version_to = 6},
    };
    unsigned char key[STORE_TIMELINE_KEY_SIZE], later[STORE_TIMELINE_KEY_SIZE];
    struct oms_buf value;
    struct store_timeline_run run;
    (void)state;
    oms_buf_init(&value, 1000);
    store_timeline_pack(records, 4, key, &value);
    store_timeline_run_read(&run, oms_str_make(key, sizeof(key)), oms_buf_str(&value));
    for (int i = 0; i < 4; i++) {
        assert_true(store_timeline_run_next(&run));
        assert_int_equal(run.item.commit, records[i].commit);
        assert_int_equal(run.item.version_to, records[i].version_to);
    }
    assert_false(store_timeline_run_next(&run));
    assert_false(run.corrupt);
    /* Two runs that begin at the same version do not take each other's key. */
    oms_buf_reset(&value);
    store_timeline_pack(records + 1, 1, later, &value);
    assert_true(memcmp(key, later, sizeof(key)) < 0);
    for (size_t len = 0; len < value.len; len++) {
        store_timeline_run_read(&run, oms_str_make(later, sizeof(later)), oms_str_make(value.data, len));
        while (store_timeline_run_next(&run))
            ;
        assert_true(len == 0 || run.corrupt);
    }
    oms_buf_fini(&value);
}

/* ---- reads ---- */

struct reading {
    struct store_read read;
    struct toy_world *world;
    uint32_t tenant, number, version_at_asking, version_seen;
    bool ran, home;
    enum oms_status status;
};

static void run_reading(struct store_read *read, struct store_engine *engine, struct store_view *view)
{
    struct reading *reading = OMS_CONTAINER_OF(read, struct reading, read);
    struct oms_buf bytes;
    struct rt_address address;
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct oms_wire wire;
    oms_buf_init(&bytes, 1000);
    toy_address(reading->tenant, reading->number, &address);
    store_address_key(&address, key);
    if (engine->ops->view_get(view, STORE_STATE, oms_str_make(key, sizeof(key)), &bytes) == OMS_OK) {
        oms_wire_read(&wire, oms_buf_str(&bytes));
        assert_true(oms_wire_next(&wire));
        reading->version_seen = (uint32_t)wire.number;
    }
    oms_buf_fini(&bytes);
    reading->ran = true;
}

static void reading_home(struct rt_shard *shard, struct rt_message *message)
{
    struct reading *reading = OMS_CONTAINER_OF(message, struct reading, read.job.message);
    (void)shard;
    reading->home = true;
    reading->status = message->status;
}

static void start_reading(struct rt_shard *shard, void *arg)
{
    struct reading *reading = arg;
    reading->version_at_asking = reading->world->actors[reading->tenant][reading->number].version_acked;
    reading->read.run = run_reading;
    reading->read.job.message.on_return = reading_home;
    store_read(reading->world->store, shard, &reading->read);
}

static void test_a_read_shortens_the_window(void **state)
{
    struct toy_fixture *f = *state;
    struct store_config config = {.window_ms = 1000};
    struct reading reading = {.world = &f->world, .tenant = 1, .number = 5};
    toy_start(f, 1, &config);
    toy_submit(&f->world, 0, 10, 1, 5);
    toy_run(&f->world, 10);
    assert_int_equal(f->world.applied, 0);
    toy_on_shard(&f->world, 2, start_reading, &reading);
    toy_run(&f->world, 10);
    assert_true(reading.home && reading.ran);
    assert_int_equal(reading.status, OMS_OK);
    assert_int_equal(reading.version_seen, 10);
    toy_close(&f->world);
}

/* Whatever the schedule, a read sees at least what had been acknowledged when it was asked for. */
static void test_reads_see_what_was_acknowledged(void **state)
{
    struct toy_fixture *f = *state;
    unsigned waited = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct reading readings[8];
        struct store_config config = {.window_ms = 1 + (unsigned)seed % 30};
        toy_start(f, seed, &config);
        toy_adopt(&f->world);
        memset(readings, 0, sizeof(readings));
        for (int i = 0; i < 8; i++) {
            toy_submit(&f->world, 0, 1 + (unsigned)seed % 5, 1, 5);
            rt_host_sim_run(f->world.host, seed % 12, 0);
            readings[i] = (struct reading){.world = &f->world, .tenant = 1, .number = 5};
            toy_on_shard(&f->world, (unsigned)i % TOY_SHARDS, start_reading, &readings[i]);
            waited += !readings[i].home;
        }
        toy_run(&f->world, 100);
        for (int i = 0; i < 8; i++) {
            assert_true(readings[i].home && readings[i].ran);
            assert_in_range(readings[i].version_seen, readings[i].version_at_asking,
                            f->world.actors[1][5].version);
        }
        toy_close(&f->world);
    }
    assert_true(waited > 0);
}

static void test_reads_come_home_from_a_failed_store(void **state)
{
    struct toy_fixture *f = *state;
    struct reading reading = {.world = &f->world, .tenant = 1, .number = 5};
    struct store_config config = {.window_ms = 1000};
    toy_start(f, 1, &config);
    toy_submit(&f->world, 0, 10, 1, 5);
    toy_run(&f->world, 10);
    store_memory_faults(f->memory)->write_fails = 1;
    toy_on_shard(&f->world, 0, start_reading, &reading);
    toy_run(&f->world, 100);
    assert_true(reading.home);
    assert_false(reading.ran);
    assert_int_equal(reading.status, OMS_IO);
    assert_int_equal(f->world.fatal, 1); /* the committer tells, although the failure was not its own */
    assert_int_equal(f->world.failed_units, 0);
    toy_close(&f->world);
    /* The log has everything: the next life has it all. */
    toy_start(f, 2, NULL);
    toy_adopt(&f->world);
    assert_int_equal(f->world.actors[1][5].version, 10);
    toy_close(&f->world);
}

static void read_cached(struct rt_shard *shard, void *arg)
{
    struct toy_fixture *f = arg;
    struct rt_address address;
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct oms_buf out;
    (void)shard;
    oms_buf_init(&out, 1000);
    toy_address(1, 5, &address);
    store_address_key(&address, key);
    struct oms_str key_str = oms_str_make(key, sizeof(key));
    assert_int_equal(store_get_cached(f->world.store, STORE_STATE, key_str, &out), OMS_OK);
    assert_true(out.len > 0);
    assert_int_equal(store_get_cached(f->world.store, STORE_ASIDE, key_str, &out), OMS_NOT_FOUND);
    oms_buf_fini(&out);
}

static void test_cached_reads(void **state)
{
    struct toy_fixture *f = *state;
    toy_start(f, 1, NULL);
    toy_submit(&f->world, 0, 3, 1, 5);
    toy_run(&f->world, 100);
    toy_on_shard(&f->world, 0, read_cached, f);
    toy_close(&f->world);
}

/* ---- flushes ---- */

static void test_flush_in_time(void **state)
{
    struct toy_fixture *f = *state;
    struct store_config config = {.flush_interval_ms = 200};
    struct store_recovery recovery;
    struct oms_error error;
    toy_start(f, 1, &config);
    toy_submit(&f->world, 0, 10, 1, 5);
    toy_run(&f->world, 1000); /* applied, and flushed after 200 ms without anything else happening */
    toy_crash(&f->world);
    assert_int_equal(toy_open(&f->world, f->memory, 2, &config, &recovery, &error), OMS_OK);
    assert_int_equal(recovery.units_replayed, 0);
    toy_adopt(&f->world);
    toy_submit(&f->world, 0, 10, 1, 5);
    toy_run(&f->world, 100);
    toy_crash(&f->world);
    assert_int_equal(toy_open(&f->world, f->memory, 3, &config, &recovery, &error), OMS_OK);
    assert_int_equal(recovery.units_replayed, 10);
    toy_run(&f->world, 1000); /* what was replayed is flushed as well */
    toy_crash(&f->world);
    assert_int_equal(toy_open(&f->world, f->memory, 4, &config, &recovery, &error), OMS_OK);
    assert_int_equal(recovery.units_replayed, 0);
    toy_close(&f->world);
}

static void test_a_failed_flush_is_fatal(void **state)
{
    struct toy_fixture *f = *state;
    struct store_config config = {.flush_interval_ms = 200};
    toy_start(f, 1, &config);
    store_memory_faults(f->memory)->flush_fails = 1;
    toy_submit(&f->world, 0, 10, 1, 5);
    toy_run(&f->world, 1000);
    assert_int_equal(f->world.fatal, 1);
    toy_close(&f->world);
    toy_start(f, 2, NULL);
    toy_adopt(&f->world);
    toy_close(&f->world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_window_coalesces, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_windows_have_a_maximum, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_the_end_comes_in_the_middle, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_a_window_waits, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_timeline, toy_set_up, toy_tear_down),
        cmocka_unit_test(test_a_run_without_new_versions),
        cmocka_unit_test_setup_teardown(test_a_read_shortens_the_window, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_reads_see_what_was_acknowledged, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_reads_come_home_from_a_failed_store, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_cached_reads, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_flush_in_time, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_flush_is_fatal, toy_set_up, toy_tear_down),
    };
    oms_log_set_level(OMS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
