/* Timers: order, moving, stopping, what a turn tells about waiting; and a long random run against a plain
 * array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/prng.h"
#include "runtime/timer.h"
#include "tests/unit/runtime_fixture.h"

enum { TIMERS = 300 };

static struct {
    struct rt_timer timers[TIMERS];
    int64_t expected[TIMERS]; /* due; 0: not running */
    int64_t last_due;
    unsigned fired;
    bool restart;
} run;

static void fire(struct rt_shard *shard, struct rt_timer *timer)
{
    size_t i = (size_t)(timer - run.timers);

    assert_int_equal(timer->heap_index, 0);
    assert_int_equal(run.expected[i], timer->due_ms);
    assert_true(timer->due_ms <= rt_now_ms(rt_shard_host(shard)));
    assert_true(timer->due_ms >= run.last_due);
    run.last_due = timer->due_ms;
    run.expected[i] = 0;
    run.fired++;
    if (run.restart)
        rt_timer_start(shard, timer, run.expected[i] = timer->due_ms);
}

static void set_up(struct fixture *fixture)
{
    fixture_init(fixture, 1);
    memset(&run, 0, sizeof run);
    for (unsigned i = 0; i < TIMERS; i++)
        run.timers[i].fire = fire;
}

static void start(struct rt_shard *shard, unsigned i, int64_t due_ms)
{
    run.expected[i] = due_ms;
    rt_timer_start(shard, &run.timers[i], due_ms);
}

static void test_wait_and_fire(void **state)
{
    (void)state;
    struct fixture fixture;
    int64_t wait_ms;
    set_up(&fixture);
    struct rt_shard *shard = fixture.host.shards[0];

    assert_false(rt_shard_step(shard, &wait_ms));
    assert_int_equal(wait_ms, -1);
    start(shard, 0, 1050);
    start(shard, 1, 1020);
    assert_false(rt_shard_step(shard, &wait_ms));
    assert_int_equal(wait_ms, 20);
    fixture.now_ms = 1019;
    rt_shard_step(shard, &wait_ms);
    assert_int_equal(run.fired, 0);
    fixture.now_ms = 1020;
    rt_shard_step(shard, &wait_ms);
    assert_int_equal(run.fired, 1);
    assert_int_equal(wait_ms, 30);
    start(shard, 0, 1030); /* moved */
    start(shard, 2, 900);  /* long past: at once */
    run.last_due = 0;
    rt_shard_step(shard, &wait_ms);
    assert_int_equal(run.fired, 2);
    assert_int_equal(wait_ms, 10);
    rt_timer_stop(shard, &run.timers[0]);
    rt_timer_stop(shard, &run.timers[0]); /* again: nothing */
    fixture.now_ms = 2000;
    assert_false(rt_shard_step(shard, &wait_ms));
    assert_int_equal(wait_ms, -1);
    assert_int_equal(run.fired, 2);
    fixture_fini(&fixture);
}

static void test_restart_does_not_hang_the_turn(void **state)
{
    (void)state;
    struct fixture fixture;
    int64_t wait_ms;
    set_up(&fixture);

    run.restart = true;
    start(fixture.host.shards[0], 0, 1000);
    assert_true(rt_shard_step(fixture.host.shards[0], &wait_ms));
    assert_int_equal(run.fired, OMS_SHARD_TURN_MESSAGES);
    assert_int_equal(wait_ms, 0);
    rt_timer_stop(fixture.host.shards[0], &run.timers[0]);
    fixture_fini(&fixture);
}

static void test_random_against_model(void **state)
{
    (void)state;
    struct fixture fixture;
    struct oms_prng prng;
    int64_t wait_ms;
    set_up(&fixture);
    struct rt_shard *shard = fixture.host.shards[0];

    oms_prng_seed(&prng, 7);
    for (unsigned step = 0; step < 100000; step++) {
        unsigned i = (unsigned)oms_prng_below(&prng, TIMERS);
        uint64_t choice = oms_prng_below(&prng, 10);
        if (choice < 6) {
            start(shard, i, fixture.now_ms + 1 + (int64_t)oms_prng_below(&prng, 500));
        } else if (choice < 8) {
            rt_timer_stop(shard, &run.timers[i]);
            run.expected[i] = 0;
        } else {
            fixture.now_ms += (int64_t)oms_prng_below(&prng, 20);
            rt_shard_step(shard, &wait_ms);
            int64_t earliest = INT64_MAX;
            for (unsigned k = 0; k < TIMERS; k++) {
                assert_true(run.expected[k] == 0 || run.expected[k] > fixture.now_ms);
                if (run.expected[k] && run.expected[k] < earliest)
                    earliest = run.expected[k];
            }
            assert_int_equal(wait_ms, earliest == INT64_MAX ? -1 : earliest - fixture.now_ms);
        }
    }
    assert_true(run.fired > 10000);
    fixture_fini(&fixture);
    for (unsigned i = 0; i < TIMERS; i++)
        assert_int_equal(run.timers[i].heap_index, 0); /* a late stop finds them not running */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_and_fire),
        cmocka_unit_test(test_restart_does_not_hang_the_turn),
        cmocka_unit_test(test_random_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
