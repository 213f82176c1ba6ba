/*
 * The simulation host: a small world of actors that talk across shards, a worker and jobs, run under many
 * seeds. One seed is one trace and one outcome; different seeds differ; time jumps; a crash drops everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/host_sim.h"
#include "runtime/timer.h"
#include "tests/unit/runtime_fixture.h"

enum { SHARDS = 3, TOKENS = 12, HOPS = 40 };

/* A token hops from actor to actor, at times through the worker or a job. */
struct token {
    struct rt_job job; /* first, so that its message is the token's */
    unsigned number;
    unsigned hops;
    bool done;
};

struct world {
    struct rt_host *host;
    struct rt_worker worker;
    struct token tokens[TOKENS];
    uint64_t outcome; /* hash over what happened, in order */
    unsigned received, worker_steps, worker_timeouts, jobs, timers, discarded, destroyed;
    int64_t worker_wait_ms;
    struct rt_timer timer;
    int64_t timer_every_ms;
    bool scripted; /* tokens go the same way whatever the seed */
};

static struct world world;

static void note(uint64_t what)
{
    world.outcome = oms_mix64(world.outcome ^ what);
}

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address);

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    struct token *token = (struct token *)message;

    world.received++;
    note((uint64_t)token->number << 8 | actor->address.key[0]);
    note((uint64_t)rt_now_ms(rt_shard_host(shard)));
    rt_return(shard, message);
}

static bool may_passivate(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    (void)actor;
    return true;
}

static void destroy(struct rt_shard *shard, struct rt_actor *actor)
{
    (void)shard;
    world.destroyed++;
    oms_free(actor);
}

static const struct rt_actor_class class = {"hop", activate, receive, may_passivate, destroy, NULL};

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    (void)shard;
    struct rt_actor *actor = oms_calloc(1, sizeof *actor);
    rt_actor_init(actor, &class, address);
    return actor;
}

static void run_job(struct rt_job *job)
{
    world.jobs++;
    note(((struct token *)job)->number);
}

static void hop(struct rt_shard *shard, struct rt_message *message)
{
    struct token *token = (struct token *)message;
    struct rt_host *host = rt_shard_host(shard);

    if (message->status == OMS_CLOSED)
        return;
    if (++token->hops == HOPS) {
        token->done = true;
        return;
    }
    uint64_t random = world.scripted ? oms_mix64(token->number * HOPS + token->hops) : rt_random(host);
    uint64_t choice = random % 8;
    if (choice == 0) {
        token->job.tenant = (uint32_t)(random / 8 % 4);
        host->ops->offload(host, (enum rt_pool)(random / 32 % RT_POOL_COUNT), &token->job);
    } else if (choice == 1) {
        rt_port_push(&world.worker.port, message, message, 1);
    } else {
        message->to = (struct rt_address){.tenant = 1, .kind = RT_ACTOR_ORDER};
        message->to.key[0] = (unsigned char)(random / 8 % 20);
        rt_send(shard, message);
    }
}

static bool step_worker(struct rt_worker *worker, int64_t *wait_ms)
{
    struct rt_message *message = rt_mailbox_pop(&worker->port.mailbox);

    world.worker_steps++;
    *wait_ms = world.worker_wait_ms;
    if (!message) {
        world.worker_timeouts++;
        return false;
    }
    note(((struct token *)message)->number + 100);
    rt_return_from_outside(world.host, message);
    return !rt_mailbox_is_empty(&worker->port.mailbox);
}

static void fire(struct rt_shard *shard, struct rt_timer *timer)
{
    world.timers++;
    if (world.timer_every_ms)
        rt_timer_start(shard, timer, timer->due_ms + world.timer_every_ms);
}

static void create_world(uint64_t seed)
{
    const struct rt_host_sim_config config = {.seed = seed, .shards = SHARDS, .start_ms = 1700000000000};

    memset(&world, 0, sizeof world);
    world.host = rt_host_sim_create(&config);
    world.worker_wait_ms = -1;
    world.worker.name = "test";
    world.worker.step = step_worker;
    world.timer.fire = fire;
    for (unsigned i = 0; i < SHARDS; i++)
        rt_shard_register(world.host->shards[i], RT_ACTOR_ORDER, &class);
    world.host->ops->add_worker(world.host, &world.worker);
}

static void start_world(void)
{
    assert_int_equal(world.host->ops->start(world.host, NULL), OMS_OK);
}

static void add_tokens(void)
{
    for (unsigned i = 0; i < TOKENS; i++) {
        world.tokens[i].number = i;
        world.tokens[i].job.run = run_job;
        world.tokens[i].job.message.on_return = hop;
        rt_post(world.host, i % SHARDS, &world.tokens[i].job.message);
    }
}

static void run_world(uint64_t seed, bool scripted, uint64_t *trace, uint64_t *outcome)
{
    create_world(seed);
    world.scripted = scripted;
    start_world();
    add_tokens();
    uint64_t steps = rt_host_sim_run(world.host, 1000000, 60000);
    assert_true(steps > HOPS && steps < 1000000);
    for (unsigned i = 0; i < TOKENS; i++)
        assert_true(world.tokens[i].done);
    assert_true(world.jobs > 0 && world.worker_steps > 0 && world.received > 0);
    assert_false(rt_host_sim_step(world.host));
    *trace = rt_host_sim_trace(world.host);
    *outcome = world.outcome;
    world.host->ops->stop(world.host);
    assert_int_equal(world.destroyed, rt_shard_stats(world.host->shards[0])->actors_activated +
                                          rt_shard_stats(world.host->shards[1])->actors_activated +
                                          rt_shard_stats(world.host->shards[2])->actors_activated);
    world.host->ops->destroy(world.host);
}

enum { SEEDS = 100 };

static void run_seeds(bool scripted)
{
    uint64_t traces[SEEDS], outcomes[SEEDS];

    for (unsigned seed = 0; seed < SEEDS; seed++) {
        uint64_t trace, outcome;
        run_world(seed, scripted, &traces[seed], &outcomes[seed]);
        run_world(seed, scripted, &trace, &outcome);
        assert_int_equal(trace, traces[seed]);
        assert_int_equal(outcome, outcomes[seed]);
        for (unsigned other = 0; other < seed; other++) {
            assert_int_not_equal(traces[seed], traces[other]);
            assert_int_not_equal(outcomes[seed], outcomes[other]);
        }
    }
}

static void test_one_seed_one_trace(void **state)
{
    (void)state;
    run_seeds(false);
}

/* The world draws nothing here: only schedules differ, and they do make a difference. */
static void test_seeds_pick_schedules(void **state)
{
    (void)state;
    run_seeds(true);
}

static void test_nothing_before_start(void **state)
{
    (void)state;
    create_world(1);
    add_tokens();
    assert_false(rt_host_sim_step(world.host));
    start_world();
    assert_true(rt_host_sim_step(world.host));
    world.host->ops->destroy(world.host); /* stops first; what hops then is closed or done */
    assert_true(world.destroyed > 0);
}

static void test_time_jumps_to_timers(void **state)
{
    (void)state;
    create_world(2);
    start_world();
    rt_host_sim_run(world.host, 1000, 0);
    int64_t before = rt_now_ms(world.host);
    uint64_t mono = rt_mono_ns(world.host);
    rt_timer_start(world.host->shards[1], &world.timer, before + 5000);
    assert_int_equal(rt_host_sim_run(world.host, 1000, 4000), 0); /* beyond the horizon */
    assert_int_equal(rt_now_ms(world.host), before);
    assert_int_equal(rt_host_sim_run(world.host, 1000, 6000), 1);
    assert_int_equal(world.timers, 1);
    assert_in_range(rt_now_ms(world.host), before + 5000, before + 5010);
    assert_true(rt_mono_ns(world.host) - mono >= 4999000000);

    rt_timer_start(world.host->shards[1], &world.timer, rt_now_ms(world.host) + 100000);
    rt_host_sim_advance(world.host, 100000);
    assert_int_equal(world.timers, 1); /* only a step runs anything */
    assert_true(rt_host_sim_step(world.host));
    assert_int_equal(world.timers, 2);
    assert_false(rt_host_sim_step(world.host));
    world.host->ops->destroy(world.host);
}

static void test_periodic_timers_end_with_the_horizon(void **state)
{
    (void)state;
    create_world(3);
    start_world();
    world.timer_every_ms = 100;
    rt_timer_start(world.host->shards[0], &world.timer, rt_now_ms(world.host) + 100);
    rt_host_sim_run(world.host, 1000000, 10000);
    assert_in_range(world.timers, 98, 100);
    world.timer_every_ms = 0;
    world.host->ops->destroy(world.host);
}

static void test_worker_time_out(void **state)
{
    (void)state;
    create_world(4);
    world.worker_wait_ms = 50;
    start_world();
    rt_host_sim_run(world.host, 1000000, 1000);
    assert_in_range(world.worker_timeouts, 18, 21);
    world.host->ops->destroy(world.host);
}

static void discard(struct rt_message *message)
{
    struct token *token = (struct token *)message;
    assert_false(token->done);
    token->done = true; /* gone, once */
    world.discarded++;
}

static void test_crash_drops_everything(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 100; seed++) {
        create_world(seed);
        start_world();
        add_tokens();
        rt_timer_start(world.host->shards[0], &world.timer, INT64_MAX - 1);
        for (unsigned i = 0; i < 20 + seed; i++)
            rt_host_sim_step(world.host);
        unsigned done = 0, received = world.received, jobs = world.jobs;
        for (unsigned i = 0; i < TOKENS; i++)
            done += world.tokens[i].done;
        rt_host_sim_crash(world.host, discard);
        assert_int_equal(world.discarded, TOKENS - done);
        assert_false(rt_host_sim_step(world.host));
        world.host->ops->stop(world.host);
        assert_int_equal(world.received, received);
        assert_int_equal(world.jobs, jobs);
        rt_timer_stop(world.host->shards[0], &world.timer); /* a late one is harmless */
        world.host->ops->destroy(world.host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_seed_one_trace),
        cmocka_unit_test(test_seeds_pick_schedules),
        cmocka_unit_test(test_nothing_before_start),
        cmocka_unit_test(test_time_jumps_to_timers),
        cmocka_unit_test(test_periodic_timers_end_with_the_horizon),
        cmocka_unit_test(test_worker_time_out),
        cmocka_unit_test(test_crash_drops_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
