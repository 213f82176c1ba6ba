/*
 * The committer on the simulation host: gapless numbers, one acknowledgement a batch, limits, full disks and
 * failed writes. What is stored afterwards is always checked against the log.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "tests/unit/storage_toy.h"

#define MIB ((uint64_t)1 << 20)

static void test_all_shards_all_units(void **state)
{
    struct toy_fixture *f = *state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        toy_start(f, seed, NULL);
        toy_adopt(&f->world);
        for (int round = 0; round < 20; round++) {
            for (unsigned shard = 0; shard < TOY_SHARDS; shard++)
                toy_submit(&f->world, shard, 1 + (unsigned)round, 0, UINT32_MAX);
            toy_run(&f->world, round % 3);
        }
        toy_run(&f->world, 100);
        assert_int_equal(f->world.applied, seed * 3 * 210);
        assert_int_equal(f->world.failed_units, 0);
        struct store_stats stats = toy_stats(f);
        assert_int_equal(stats.units, 3 * 210);
        assert_int_equal(stats.lag_units, 0);
        assert_int_equal(stats.lag_bytes, 0);
        assert_true(stats.batches <= stats.units && stats.batches > 0);
        uint64_t counted = 0;
        for (int i = 0; i < 13; i++)
            counted += stats.batch_units[i];
        assert_int_equal(counted, stats.batches);
        toy_close(&f->world);
        assert_int_equal(toy_verify_memory(f), seed * 3 * 210);
    }
}

static void test_one_message_a_batch(void **state)
{
    struct toy_fixture *f = *state;
    toy_start(f, 7, NULL);
    toy_submit(&f->world, 0, 3000, 1, 5);
    toy_run(&f->world, 100);
    struct store_stats stats = toy_stats(f);
    assert_int_equal(stats.units, 3000);
    assert_int_equal(stats.batches, 1);
    assert_int_equal(stats.batch_units[12], 1);
    assert_int_equal(f->world.acks, 1);
    assert_int_equal(f->world.actors[1][5].version_acked, 3000);
    toy_close(&f->world);
    assert_int_equal(toy_verify_memory(f), 3000);
}

static void test_batches_have_a_maximum(void **state)
{
    struct toy_fixture *f = *state;
    toy_start(f, 7, NULL);
    toy_submit(&f->world, 0, 2 * OMS_COMMIT_BATCH_UNITS_MAX + 1, 1, 5);
    toy_run(&f->world, 100);
    assert_int_equal(toy_stats(f).batches, 3);
    toy_close(&f->world);
}

static void read_numbers(struct rt_shard *shard, void *arg)
{
    struct toy_world *world = arg;
    assert_int_equal(store_submitted_seq(world->store, shard), 10);
    assert_int_equal(store_durable_seq(world->store, shard), 10);
}

static void test_numbers_of_a_shard(void **state)
{
    struct toy_fixture *f = *state;
    toy_start(f, 7, NULL);
    for (unsigned shard = 0; shard < TOY_SHARDS; shard++)
        toy_submit(&f->world, shard, 10, 0, UINT32_MAX);
    toy_run(&f->world, 100);
    for (unsigned shard = 0; shard < TOY_SHARDS; shard++)
        toy_on_shard(&f->world, shard, read_numbers, &f->world);
    toy_close(&f->world);
}

/* A limit of admission, not of submission: the unit that was admitted may still go. */
static void test_a_tenant_has_a_limit(void **state)
{
    struct toy_fixture *f = *state;
    toy_start(f, 3, NULL);
    toy_submit(&f->world, 0, OMS_TENANT_IN_FLIGHT_MAX + 10, 1, 5);
    toy_run(&f->world, 100);
    assert_int_equal(f->world.refused[OMS_BUSY], 10);
    assert_int_equal(f->world.actors[1][5].version_acked, OMS_TENANT_IN_FLIGHT_MAX);
    toy_submit(&f->world, 0, 10, 1, 5); /* and when these are acknowledged, there is room again */
    toy_run(&f->world, 100);
    assert_int_equal(f->world.actors[1][5].version_acked, OMS_TENANT_IN_FLIGHT_MAX + 10);
    toy_close(&f->world);
    toy_verify_memory(f);
}

/* The last write's outcome is unknown: everybody is told so once, nothing follows, and a restart decides. */
static void check_failed_append(struct toy_fixture *f, bool kept)
{
    toy_start(f, 11, NULL);
    toy_submit(&f->world, 0, 5, 1, 5);
    toy_run(&f->world, 100);
    if (kept)
        store_memory_faults(f->memory)->append_fails_kept = 1;
    else
        store_memory_faults(f->memory)->append_fails_lost = 1;
    toy_submit(&f->world, 0, 4, 1, 5);
    toy_run(&f->world, 100);
    assert_int_equal(f->world.failed_units, 4);
    assert_int_equal(f->world.fatal, 1);
    assert_int_equal(f->world.fatal_status, OMS_IO);
    assert_int_equal(f->world.actors[1][5].version_acked, 5);
    toy_submit(&f->world, 0, 3, 1, 5);
    toy_run(&f->world, 100);
    assert_int_equal(f->world.fatal, 1);
    assert_int_equal(f->world.refused[OMS_CLOSED], 3);
    toy_close(&f->world);

    toy_start(f, 12, NULL);
    toy_adopt(&f->world);
    assert_int_equal(f->world.actors[1][5].version, kept ? 9 : 5);
    toy_submit(&f->world, 0, 1, 1, 5); /* the numbers go on without a gap */
    toy_run(&f->world, 100);
    toy_close(&f->world);
    assert_int_equal(toy_verify_memory(f), kept ? 10 : 6);
}

static void test_failed_append_that_was_kept(void **state)
{
    check_failed_append(*state, true);
}

static void test_failed_append_that_was_lost(void **state)
{
    check_failed_append(*state, false);
}

/* Units that were on their way when the failure came are answered as well. */
static void test_failure_answers_everything(void **state)
{
    struct toy_fixture *f = *state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        f->world.fatal = 0;
        toy_start(f, seed, NULL);
        toy_adopt(&f->world);
        store_memory_faults(f->memory)->append_fails_lost = 1 + (unsigned)seed % 4;
        for (int round = 0; round < 12; round++)
            for (unsigned shard = 0; shard < TOY_SHARDS; shard++) {
                toy_submit(&f->world, shard, 10, 0, UINT32_MAX);
                rt_host_sim_run(f->world.host, 6, 0);
            }
        toy_run(&f->world, 100);
        assert_int_equal(f->world.fatal, 1);
        for (unsigned shard = 0; shard < TOY_SHARDS; shard++)
            assert_int_equal(f->world.pending_count[shard], 0);
        toy_crash(&f->world);
        store_memory_faults(f->memory)->append_fails_lost = 0;
    }
    toy_verify_memory(f);
}

static void test_low_disk_refuses_cleanly_and_recovers(void **state)
{
    struct toy_fixture *f = *state;
    struct store_config config = {.disk_reserve_bytes = 64 * MIB};
    uint64_t soft = 64 * MIB + TOY_SHARDS * (uint64_t)OMS_SHARD_IN_FLIGHT_BYTES;
    store_memory_faults(f->memory)->free_bytes = soft;
    toy_start(f, 5, &config);
    toy_submit(&f->world, 0, 10, 1, 5);
    toy_run(&f->world, 50);
    assert_int_equal(f->world.actors[1][5].version_acked, 10);

    store_memory_faults(f->memory)->free_bytes = soft - 1;
    rt_host_sim_advance(f->world.host, 10); /* space is measured every few milliseconds */
    toy_submit(&f->world, 0, 1, 1, 5);      /* the one that finds out: it goes through */
    toy_run(&f->world, 50);
    assert_true(toy_stats(f).refusing);
    toy_submit(&f->world, 0, 7, 1, 5);
    toy_run(&f->world, 50);
    assert_int_equal(f->world.refused[OMS_NO_SPACE], 7);
    assert_int_equal(f->world.actors[1][5].version_acked, 11);
    assert_int_equal(f->world.actors[1][5].version, 11); /* refused before anything changed */

    store_memory_faults(f->memory)->free_bytes = soft + 1; /* a little more is not enough: it would flap */
    toy_run(&f->world, 500);
    assert_true(toy_stats(f).refusing);
    store_memory_faults(f->memory)->free_bytes = 2 * soft;
    toy_run(&f->world, 500); /* it looks by itself */
    assert_false(toy_stats(f).refusing);
    toy_submit(&f->world, 0, 3, 1, 5);
    toy_run(&f->world, 50);
    assert_int_equal(f->world.actors[1][5].version_acked, 14);
    assert_int_equal(f->world.fatal, 0);
    toy_close(&f->world);
    assert_int_equal(toy_verify_memory(f), 14);
}

static void test_a_full_disk_from_the_start(void **state)
{
    struct toy_fixture *f = *state;
    store_memory_faults(f->memory)->free_bytes = 0;
    toy_start(f, 5, NULL);
    toy_submit(&f->world, 0, 2, 1, 5);
    toy_run(&f->world, 500);
    assert_int_equal(f->world.refused[OMS_NO_SPACE], 2);
    assert_int_equal(f->world.fatal, 0); /* reads go on */
    toy_close(&f->world);
}

/* What is in flight when the hard reserve is touched is not even tried; its outcome is as that of a failed
 * write. */
static void test_hard_reserve_is_as_a_failed_write(void **state)
{
    struct toy_fixture *f = *state;
    struct store_config config = {.disk_reserve_bytes = 64 * MIB};
    toy_start(f, 5, &config);
    store_memory_faults(f->memory)->free_bytes = 16 * MIB - 1;
    toy_submit(&f->world, 0, 2, 1, 5);
    toy_run(&f->world, 500);
    assert_int_equal(f->world.fatal, 1);
    assert_int_equal(f->world.fatal_status, OMS_NO_SPACE);
    assert_int_equal(f->world.failed_units, 2);
    toy_close(&f->world);
    assert_int_equal(toy_verify_memory(f), 0);
}

/* With a small lag allowed, commits wait for the materialiser, but all gets done. */
static void test_lag_holds_commits_back(void **state)
{
    struct toy_fixture *f = *state;
    struct store_config config = {.lag_units_max = 50, .window_ms = 30};
    toy_start(f, 9, &config);
    for (int round = 0; round < 40; round++) {
        toy_submit(&f->world, 0, 80, 0, UINT32_MAX);
        toy_run(&f->world, round % 5 ? 1 : 40);
        assert_true(toy_stats(f).lag_units <= 50);
    }
    toy_run(&f->world, 1000);
    assert_true(f->world.refused[OMS_OK] > 100);
    assert_int_equal(f->world.applied, f->world.refused[OMS_OK]);
    assert_true(toy_stats(f).lag_units_max >= 50);
    toy_close(&f->world);
    assert_int_equal(toy_verify_memory(f), f->world.refused[OMS_OK]);
}

/* Stopped in the middle: what was submitted is committed and applied at the orderly end. */
static void test_close_finishes(void **state)
{
    struct toy_fixture *f = *state;
    toy_start(f, 9, NULL);
    toy_submit(&f->world, 0, 100, 1, 5);
    while (f->world.actors[1][5].version < 100)
        rt_host_sim_step(f->world.host);
    toy_close(&f->world);
    assert_int_equal(toy_verify_memory(f), 100);
}

/* The same while commits wait for the materialiser, at whatever moment: the host's end answers them all. */
static void test_a_stop_answers_who_waits_for_the_lag(void **state)
{
    struct toy_fixture *f = *state;
    struct store_config config = {.lag_units_max = 4};
    uint32_t version = 0;
    for (unsigned life = 1; life <= 40; life++) {
        toy_start(f, life, &config);
        version += 30;
        toy_submit(&f->world, 0, 30, 1, 5);
        while (f->world.actors[1][5].version < version)
            rt_host_sim_step(f->world.host);
        for (unsigned i = 0; i < life; i++)
            rt_host_sim_step(f->world.host);
        f->world.host->ops->stop(f->world.host);
        assert_int_equal(f->world.actors[1][5].version_acked, version);
        toy_close(&f->world);
    }
    assert_int_equal(toy_verify_memory(f), version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_shards_all_units, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_one_message_a_batch, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_batches_have_a_maximum, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_of_a_shard, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_a_tenant_has_a_limit, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_failed_append_that_was_kept, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_failed_append_that_was_lost, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_failure_answers_everything, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_low_disk_refuses_cleanly_and_recovers, toy_set_up,
                                        toy_tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_from_the_start, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_hard_reserve_is_as_a_failed_write, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_lag_holds_commits_back, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_close_finishes, toy_set_up, toy_tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_answers_who_waits_for_the_lag, toy_set_up, toy_tear_down),
    };
    oms_log_set_level(OMS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
