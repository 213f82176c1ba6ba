/*
 * Recovery: after a power cut at any moment, acknowledged units are there once, others once or not at all,
 * and the derived families are what a straight run would have made.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/base/prng.h"
#include "tests/unit/storage_toy.h"

/* Short windows and flushes, so that crashes fall between them. */
static struct store_recovery open_world(struct toy_fixture *f, uint64_t seed)
{
    struct store_config config = {.window_ms = 5, .flush_interval_ms = 40};
    return toy_start(f, seed, &config);
}

/* Many lives of one store, each ended by a crash after a random number of steps, with all that was
 * acknowledged. */
static void test_kill_points(void **state)
{
    struct toy_fixture *f = *state;
    struct oms_prng prng;
    uint64_t replayed = 0;
    oms_prng_seed(&prng, 99);
    for (uint64_t life = 1; life <= 150; life++) {
        store_memory_faults(f->memory)->crash_keeps_writes = (unsigned)oms_prng_below(&prng, 4);
        replayed += open_world(f, life).units_replayed;
        toy_adopt(&f->world);
        uint64_t bursts = oms_prng_below(&prng, 12);
        for (uint64_t i = 0; i < bursts; i++) {
            toy_submit(&f->world, (unsigned)oms_prng_below(&prng, TOY_SHARDS),
                       (unsigned)oms_prng_below(&prng, 60), 0, UINT32_MAX);
            rt_host_sim_run(f->world.host, oms_prng_below(&prng, 40), (int64_t)oms_prng_below(&prng, 60));
        }
        toy_crash(&f->world);
        if (life % 10 == 0)
            toy_verify_memory(f);
    }
    assert_true(replayed > 100);
    open_world(f, 1000);
    toy_adopt(&f->world);
    toy_close(&f->world);
    assert_true(toy_verify_memory(f) > 1000);
}

static void test_one_seed_one_trace(void **state)
{
    struct toy_fixture *f = *state;
    uint64_t traces[3];
    for (int i = 0; i < 3; i++) {
        struct store_memory *memory = store_memory_create();
        struct store_memory *kept = f->memory;
        f->memory = memory;
        memset(&f->world, 0, sizeof(f->world));
        open_world(f, i == 2 ? 6 : 5);
        for (unsigned shard = 0; shard < TOY_SHARDS; shard++)
            toy_submit(&f->world, shard, 40, 0, UINT32_MAX);
        toy_run(&f->world, 300);
        traces[i] = rt_host_sim_trace(f->world.host);
        toy_close(&f->world);
        store_memory_destroy(memory);
        f->memory = kept;
    }
    assert_true(traces[0] == traces[1]);
    assert_true(traces[0] != traces[2]);
}

/* The derived families can be thrown away: they come back from the log, in windows. */
static void test_everything_from_the_log(void **state)
{
    struct toy_fixture *f = *state;
    open_world(f, 1);
    toy_submit(&f->world, 0, OMS_MATERIALISE_WINDOW_UNITS + 100, 1, 5);
    toy_submit(&f->world, 0, 500, 2, 3);
    toy_run(&f->world, 100);
    toy_close(&f->world);
    store_memory_drop_state(f->memory);
    assert_int_equal(open_world(f, 2).units_replayed, OMS_MATERIALISE_WINDOW_UNITS + 600);
    toy_adopt(&f->world);
    toy_close(&f->world);
    assert_int_equal(open_world(f, 3).units_replayed, 0);
    toy_close(&f->world);
    assert_int_equal(toy_verify_memory(f), OMS_MATERIALISE_WINDOW_UNITS + 600);
}

/* Those of an older program are folded anew by themselves. */
static void test_an_older_format(void **state)
{
    struct toy_fixture *f = *state;
    static const char older[4] = {0, 0, 0, 1};
    const struct store_write writes[] = {
        {STORE_META, false, OMS_STR("format"), {older, sizeof(older)}},
        {STORE_TERMS, false, OMS_STR("a term that is made no more"), OMS_STR("")},
    };
    open_world(f, 1);
    toy_submit(&f->world, 0, 500, 2, 3);
    toy_run(&f->world, 100);
    toy_close(&f->world);
    struct store_engine *engine = store_memory_open(f->memory);
    assert_int_equal(engine->ops->write(engine, writes, 2), OMS_OK);
    engine->ops->close(engine, true);
    assert_int_equal(open_world(f, 2).units_replayed, 500);
    toy_adopt(&f->world);
    toy_close(&f->world);
    assert_int_equal(open_world(f, 3).units_replayed, 0);
    toy_close(&f->world);
    assert_int_equal(toy_verify_memory(f), 500);
}

static void test_a_clean_stop_replays_nothing(void **state)
{
    struct toy_fixture *f = *state;
    open_world(f, 1);
    toy_submit(&f->world, 0, 100, 1, 5);
    toy_run(&f->world, 3);
    toy_close(&f->world);
    struct store_recovery recovery = open_world(f, 2);
    assert_int_equal(recovery.units_replayed, 0);
    assert_int_equal(recovery.bytes_replayed, 0);
    toy_close(&f->world);
}

/* ---- what must not be served ---- */

static void fill_log(struct toy_fixture *f, unsigned count)
{
    open_world(f, 1);
    toy_submit(&f->world, 0, count, 1, 5);
    toy_run(&f->world, 100);
    toy_close(&f->world);
}

static void expect_refusal(struct toy_fixture *f, const char *says)
{
    struct oms_error error = {0};
    assert_int_equal(toy_open(&f->world, f->memory, 1, NULL, NULL, &error), OMS_CORRUPT);
    if (!strstr(error.message, says))
        fail_msg("'%s' does not say '%s'", error.message, says);
}

static void test_corrupt_record(void **state)
{
    struct toy_fixture *f = *state;
    fill_log(f, 50);
    assert_true(store_memory_corrupt(f->memory, store_partition_of(1), 33, 20));
    store_memory_drop_state(f->memory);
    expect_refusal(f, "commit 33");
}

static void test_lost_tail(void **state)
{
    struct toy_fixture *f = *state;
    fill_log(f, 50);
    store_memory_truncate(f->memory, store_partition_of(1), 41);
    expect_refusal(f, "acknowledged records are lost");
    /* With derived families that were not further than that, it is only a shorter log. */
    store_memory_drop_state(f->memory);
    assert_int_equal(open_world(f, 2).units_replayed, 40);
    toy_close(&f->world);
    assert_int_equal(toy_verify_memory(f), 40);
}

static void append(struct toy_fixture *f, uint64_t commit, uint32_t tenant, uint32_t version_from)
{
    struct store_engine *engine = store_memory_open(f->memory);
    struct oms_buf record;
    toy_record(&record, tenant, 5, version_from, 1);
    struct store_append one = {
        .partition = store_partition_of(1), .commit = commit, .value = oms_buf_str(&record)};
    assert_int_equal(engine->ops->append(engine, &one, 1), OMS_OK);
    oms_buf_fini(&record);
    engine->ops->close(engine, true);
}

static void test_a_missing_commit(void **state)
{
    struct toy_fixture *f = *state;
    fill_log(f, 10);
    append(f, 12, 1, 10);
    expect_refusal(f, "commit 12 follows 10");
}

static void test_a_version_that_does_not_follow(void **state)
{
    struct toy_fixture *f = *state;
    fill_log(f, 10);
    append(f, 11, 1, 17);
    expect_refusal(f, "does not fold");
    append(f, 11, 1, 10);
    append(f, 12, 1, 10);
    expect_refusal(f, "version 10 does not follow 11");
}

static void test_a_record_of_another_partition(void **state)
{
    struct toy_fixture *f = *state;
    fill_log(f, 10);
    append(f, 11, 2, 0);
    expect_refusal(f, "commit 11");
}

/* ---- on RocksDB, through the store ---- */

/* The log alone, as after a crash before the first flush; then opened, verified, opened again. */
static void test_rocksdb_replays(void **state)
{
    char folder[] = "/tmp/liteoms-recovery-XXXXXX", command[64];
    struct oms_error error = {0};
    struct rt_host_sim_config sim = {.seed = 1, .shards = 1};
    enum { UNITS = 20000 };
    (void)state;
    assert_non_null(mkdtemp(folder));
    struct store_engine *engine = toy_open_rocksdb(folder);
    for (uint64_t i = 0; i < UNITS; i += 100) {
        struct store_append records[100];
        struct oms_buf values[100];
        for (unsigned k = 0; k < 100; k++) {
            toy_record(&values[k], 1, (i + k) % 1000, (uint32_t)((i + k) / 1000), (uint32_t)k);
            records[k] = (struct store_append){
                .partition = store_partition_of(1), .commit = i + k + 1, .value = oms_buf_str(&values[k])};
        }
        assert_int_equal(engine->ops->append(engine, records, 100), OMS_OK);
        for (unsigned k = 0; k < 100; k++)
            oms_buf_fini(&values[k]);
    }
    engine->ops->close(engine, false);
    for (int life = 0; life < 3; life++) {
        struct store_recovery recovery;
        struct store *store;
        engine = toy_open_rocksdb(folder);
        struct rt_host *host = rt_host_sim_create(&sim);
        struct store_config config = {.engine = engine, .host = host, .projector = toy_projector()};
        if (store_open(&config, &store, &recovery, &error) != OMS_OK)
            fail_msg("%s", error.message);
        assert_int_equal(recovery.units_replayed, life == 0 ? UNITS : 0);
        uint32_t version;
        uint64_t sum;
        assert_int_equal(toy_read(engine, 1, 77, &version, &sum), OMS_OK);
        assert_int_equal(version, 20);
        assert_int_equal(sum, 20 * 77);
        host->ops->stop(host);
        store_close(store);
        host->ops->destroy(host);
    }
    engine = toy_open_rocksdb(folder);
    assert_int_equal(toy_verify(engine), UNITS);
    engine->ops->close(engine, false);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill_points, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_one_seed_one_trace, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_everything_from_the_log, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_an_older_format, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_a_clean_stop_replays_nothing, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_corrupt_record, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_lost_tail, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_a_missing_commit, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_a_version_that_does_not_follow, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_a_record_of_another_partition, toy_set_up, toy_tear_down),
        cmocka_unit_test(test_rocksdb_replays),
    };
    oms_log_set_level(OMS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
