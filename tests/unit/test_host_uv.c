/*
 * The production host with real threads: round trips across shards, workers, pools, timers, and stopping at
 * every moment. Whatever is lost shows as a wait of more than ten seconds. Runs under ThreadSanitizer as
 * well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/prng.h"
#include "runtime/host_uv.h"
#include "runtime/shard.h"

enum { BALLS = 32, TARGETS = 64 };

static struct {
    struct rt_host *host;
    sem_t done;
    atomic_uint received, destroyed, closed, jobs, home;
    pthread_t shard_threads[4];
} world;

/* A message that goes to random actors and home, `left` times. */
struct ball {
    struct rt_job job; /* first: its message is the ball's */
    struct oms_prng prng;
    unsigned left;
    pthread_t ran_on;
};

/* ---- the actors ---- */

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address);

static void receive(struct rt_shard *shard, struct rt_actor *actor, struct rt_message *message)
{
    OMS_ASSERT(rt_shard_of(world.host, &actor->address) == rt_shard_index(shard));
    atomic_fetch_add(&world.received, 1);
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
    atomic_fetch_add(&world.destroyed, 1);
    oms_free(actor);
}

static const struct rt_actor_class class = {"wall", activate, receive, may_passivate, destroy, NULL};

static struct rt_actor *activate(struct rt_shard *shard, const struct rt_address *address)
{
    (void)shard;
    struct rt_actor *actor = oms_calloc(1, sizeof *actor);
    rt_actor_init(actor, &class, address);
    return actor;
}

static void bounce(struct rt_shard *shard, struct rt_message *message)
{
    struct ball *ball = (struct ball *)message;

    if (message->status == OMS_CLOSED) {
        atomic_fetch_add(&world.closed, 1);
        return;
    }
    if (!ball->left) {
        sem_post(&world.done);
        return;
    }
    ball->left--;
    message->to = (struct rt_address){.tenant = 1, .kind = RT_ACTOR_ORDER};
    message->to.key[0] = (unsigned char)oms_prng_below(&ball->prng, TARGETS);
    rt_send(shard, message);
}

static void throw_ball(struct ball *ball, unsigned number, unsigned left)
{
    memset(ball, 0, sizeof *ball);
    oms_prng_seed(&ball->prng, number);
    ball->left = left;
    ball->job.message.on_return = bounce;
    rt_post(world.host, number % world.host->shard_count, &ball->job.message);
}

/* ---- the host ---- */

static void create_world(unsigned shards, unsigned spin_us)
{
    const struct rt_host_uv_config config = {.shards = shards, .spin_us_max = spin_us};
    struct oms_error error;

    memset(&world, 0, sizeof world);
    assert_int_equal(sem_init(&world.done, 0, 0), 0);
    assert_int_equal(rt_host_uv_create(&config, &world.host, &error), OMS_OK);
    for (unsigned i = 0; i < shards; i++)
        rt_shard_register(world.host->shards[i], RT_ACTOR_ORDER, &class);
}

static void start_world(void)
{
    struct oms_error error;
    assert_int_equal(world.host->ops->start(world.host, &error), OMS_OK);
}

static void destroy_world(void)
{
    world.host->ops->destroy(world.host);
    sem_destroy(&world.done);
}

static void wait_done(unsigned count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 30;
    for (unsigned i = 0; i < count; i++) {
        while (sem_timedwait(&world.done, &deadline) != 0)
            OMS_ASSERT(errno == EINTR); /* a time-out: something was lost */
    }
}

/* ---- tests ---- */

static void test_bad_configuration(void **state)
{
    (void)state;
    struct rt_host *host;
    struct oms_error error;
    struct rt_host_uv_config config = {.shards = 0};

    assert_int_equal(rt_host_uv_create(&config, &host, &error), OMS_INVALID);
    assert_null(host);
    config.shards = OMS_SHARDS_MAX + 1;
    assert_int_equal(rt_host_uv_create(&config, &host, &error), OMS_INVALID);
    config.shards = 1;
    config.read_threads = 100000;
    assert_int_equal(rt_host_uv_create(&config, &host, &error), OMS_INVALID);
}

static void ping_pong(unsigned shards, unsigned spin_us, unsigned balls, unsigned rounds)
{
    struct ball *all = oms_calloc(balls, sizeof *all);

    create_world(shards, spin_us);
    start_world();
    for (unsigned i = 0; i < balls; i++)
        throw_ball(&all[i], i, rounds);
    wait_done(balls);
    assert_int_equal(atomic_load(&world.received), balls * rounds);
    world.host->ops->stop(world.host);
    assert_int_equal(atomic_load(&world.destroyed), TARGETS);
    assert_int_equal(atomic_load(&world.closed), 0);
    destroy_world();
    oms_free(all);
}

static void test_ping_pong(void **state)
{
    (void)state;
    ping_pong(2, 0, BALLS, 2000);
    ping_pong(4, 20, BALLS, 1000);
}

/* One ball: after every hop all shards fall asleep, so every hop needs its wake-up. */
static void test_no_lost_wake(void **state)
{
    (void)state;
    ping_pong(2, 0, 1, 5000);
    ping_pong(3, 20, 1, 5000);
}

static void wake_up(struct rt_shard *shard, struct rt_message *message)
{
    (void)shard;
    (void)message;
    sem_post(&world.done);
}

static void test_post_from_outside(void **state)
{
    (void)state;
    struct rt_message message = {.on_return = wake_up};

    create_world(1, 20);
    start_world();
    for (unsigned i = 0; i < 3000; i++) {
        rt_post(world.host, 0, &message);
        wait_done(1);
        for (volatile unsigned k = 0; k < i % 100 * 50; k++)
            ; /* meets the shard at different moments of falling asleep */
    }
    destroy_world();
}

/* ---- timers and the clock ---- */

static struct rt_timer timers[20];
static int64_t timer_started_ms;

static void fire(struct rt_shard *shard, struct rt_timer *timer)
{
    OMS_ASSERT(rt_now_ms(rt_shard_host(shard)) >= timer->due_ms);
    sem_post(&world.done);
}

static void start_timers(struct rt_shard *shard, struct rt_message *message)
{
    (void)message;
    timer_started_ms = rt_now_ms(rt_shard_host(shard));
    for (unsigned i = 0; i < OMS_COUNT_OF(timers); i++) {
        timers[i] = (struct rt_timer){.fire = fire};
        rt_timer_start(shard, &timers[i], timer_started_ms + 5 * (int64_t)(i + 1));
    }
}

static void test_timers(void **state)
{
    (void)state;
    struct rt_message message = {.on_return = start_timers};

    create_world(1, 0);
    start_world();
    rt_post(world.host, 0, &message);
    wait_done(OMS_COUNT_OF(timers));
    assert_true(rt_now_ms(world.host) - timer_started_ms >= 100);
    destroy_world();
}

static _Atomic(int64_t) latest_ms;

static void *watch_clock(void *arg)
{
    struct rt_host *host = arg;
    for (unsigned i = 0; i < 50000; i++) {
        int64_t before = atomic_load(&latest_ms);
        int64_t now = rt_now_ms(host);
        OMS_ASSERT(now >= before);
        while (before < now && !atomic_compare_exchange_weak(&latest_ms, &before, now))
            ;
    }
    return NULL;
}

static void test_clock_never_goes_back(void **state)
{
    (void)state;
    pthread_t threads[3];

    create_world(1, 0);
    assert_true(llabs(rt_now_ms(world.host) - (int64_t)time(NULL) * 1000) < 5000);
    for (unsigned i = 0; i < OMS_COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, watch_clock, world.host), 0);
    for (unsigned i = 0; i < OMS_COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_not_equal(rt_random(world.host), rt_random(world.host));
    destroy_world();
}

static void test_idle_does_not_spin(void **state)
{
    (void)state;
    struct timespec before, after;

    create_world(2, 1000);
    start_world();
    usleep(50000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    usleep(300000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t used_us = (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
    assert_true(used_us < 50000);
    destroy_world();
}

/* ---- workers ---- */

struct echo {
    struct rt_worker worker;
    atomic_uint seen, time_outs;
    int64_t wait_ms;
};

static bool step_echo(struct rt_worker *worker, int64_t *wait_ms)
{
    struct echo *echo = OMS_CONTAINER_OF(worker, struct echo, worker);
    struct rt_message *message = rt_mailbox_pop(&worker->port.mailbox);

    *wait_ms = echo->wait_ms;
    if (!message) {
        atomic_fetch_add(&echo->time_outs, 1);
        return false;
    }
    atomic_fetch_add(&echo->seen, 1);
    rt_return_from_outside(world.host, message);
    return true;
}

static struct echo *the_echo;

static void to_worker(struct rt_shard *shard, struct rt_message *message)
{
    struct ball *ball = (struct ball *)message;

    (void)shard;
    if (!ball->left) {
        sem_post(&world.done);
        return;
    }
    ball->left--;
    rt_port_push(&the_echo->worker.port, message, message, 1);
}

static void test_worker(void **state)
{
    (void)state;
    struct echo echo = {.worker = {.name = "echo", .step = step_echo}, .wait_ms = -1};
    struct ball balls[4];

    the_echo = &echo;
    create_world(2, 0);
    world.host->ops->add_worker(world.host, &echo.worker);
    start_world();
    for (unsigned i = 0; i < OMS_COUNT_OF(balls); i++) {
        memset(&balls[i], 0, sizeof balls[i]);
        balls[i].left = 2000;
        balls[i].job.message.on_return = to_worker;
        rt_post(world.host, i % 2, &balls[i].job.message);
    }
    wait_done(OMS_COUNT_OF(balls));
    assert_int_equal(atomic_load(&echo.seen), 2000 * OMS_COUNT_OF(balls));
    destroy_world();
}

static void test_worker_time_out_and_drain(void **state)
{
    (void)state;
    struct echo echo = {.worker = {.name = "echo", .step = step_echo}, .wait_ms = 5};
    struct ball balls[100];

    create_world(1, 0);
    world.host->ops->add_worker(world.host, &echo.worker);
    start_world();
    usleep(200000);
    unsigned time_outs = atomic_load(&echo.time_outs);
    assert_in_range(time_outs, 2, 45);
    /* Pushed right before the stop: taken all the same, and home. */
    for (unsigned i = 0; i < OMS_COUNT_OF(balls); i++) {
        memset(&balls[i], 0, sizeof balls[i]);
        balls[i].job.message.on_return = wake_up;
        rt_port_push(&echo.worker.port, &balls[i].job.message, &balls[i].job.message, 1);
    }
    world.host->ops->stop(world.host);
    assert_int_equal(atomic_load(&echo.seen), OMS_COUNT_OF(balls));
    wait_done(OMS_COUNT_OF(balls));
    destroy_world();
}

/* ---- pools ---- */

static void run_job(struct rt_job *job)
{
    ((struct ball *)job)->ran_on = pthread_self();
    atomic_fetch_add(&world.jobs, 1);
}

static void job_home(struct rt_shard *shard, struct rt_message *message)
{
    struct ball *ball = (struct ball *)message;

    if (message->status == OMS_CLOSED) {
        atomic_fetch_add(&world.closed, 1);
        return;
    }
    OMS_ASSERT(!pthread_equal(ball->ran_on, pthread_self()));
    OMS_ASSERT(rt_shard_index(shard) == message->home);
    atomic_fetch_add(&world.home, 1);
    sem_post(&world.done);
}

static void offload(struct ball *ball, unsigned home, enum rt_pool pool)
{
    memset(ball, 0, sizeof *ball);
    ball->job.run = run_job;
    ball->job.message.on_return = job_home;
    ball->job.message.home = (uint16_t)home;
    world.host->ops->offload(world.host, pool, &ball->job);
}

static void test_pools(void **state)
{
    (void)state;
    enum { JOBS = 2000 };
    struct ball *balls = oms_calloc(JOBS, sizeof *balls);

    create_world(2, 0);
    start_world();
    for (unsigned i = 0; i < JOBS; i++)
        offload(&balls[i], i % 2, i % 3 ? RT_POOL_READ : RT_POOL_SLOW);
    wait_done(JOBS);
    assert_int_equal(atomic_load(&world.jobs), JOBS);
    world.host->ops->stop(world.host);
    offload(&balls[0], 0, RT_POOL_READ); /* too late: not run, and home at the host's end */
    destroy_world();
    assert_int_equal(atomic_load(&world.jobs), JOBS);
    oms_free(balls);
}

static void test_pool_limit(void **state)
{
    (void)state;
    enum { JOBS = 40000 };
    struct ball *balls = oms_calloc(JOBS, sizeof *balls);
    unsigned busy = 0;

    create_world(1, 0);
    for (unsigned i = 0; i < JOBS; i++) /* before start: no thread takes any */
        offload(&balls[i], 0, RT_POOL_READ);
    for (unsigned i = 0; i < JOBS; i++)
        busy += balls[i].job.message.status == OMS_BUSY;
    assert_in_range(busy, 1, JOBS - 1);
    start_world();
    wait_done(JOBS);
    assert_int_equal(atomic_load(&world.jobs), JOBS - busy);
    destroy_world();
    oms_free(balls);
}

/* ---- stopping ---- */

static void test_stop_in_full_flight(void **state)
{
    (void)state;
    struct ball balls[BALLS];

    for (unsigned round = 0; round < 12; round++) {
        create_world(1 + round % 3, round % 2 * 20);
        start_world();
        for (unsigned i = 0; i < BALLS; i++)
            throw_ball(&balls[i], i, UINT32_MAX); /* these never end by themselves */
        usleep(round * 300);
        world.host->ops->stop(world.host);
        world.host->ops->stop(world.host); /* again: nothing */
        assert_int_equal(atomic_load(&world.closed), BALLS);
        destroy_world();
    }
}

static void test_never_started(void **state)
{
    (void)state;
    struct ball ball;

    create_world(2, 0);
    throw_ball(&ball, 0, 10);
    destroy_world();
    assert_int_equal(ball.left, 0); /* finished on this thread */
    assert_int_equal(atomic_load(&world.received), 10);
}

struct server {
    uv_timer_t ticking; /* an open handle, as a listener is */
    uv_timer_t goodbye; /* closes later, as a draining connection does */
    pthread_t closed_on;
    unsigned hook_calls, ticks;
    bool gone;
};

static void on_tick(uv_timer_t *handle)
{
    ((struct server *)handle->data)->ticks++;
    sem_post(&world.done);
}

static void on_gone(uv_handle_t *handle)
{
    ((struct server *)handle->data)->gone = true;
}

static void on_goodbye(uv_timer_t *handle)
{
    uv_close((uv_handle_t *)handle, on_gone);
}

static void close_server(void *arg)
{
    struct server *server = arg;

    server->hook_calls++;
    server->closed_on = pthread_self();
    uv_close((uv_handle_t *)&server->ticking, NULL);
    uv_timer_start(&server->goodbye, on_goodbye, 30, 0);
}

static void open_server(struct server *server, unsigned shard)
{
    struct uv_loop_s *loop = rt_host_uv_loop(world.host, shard);

    memset(server, 0, sizeof *server);
    uv_timer_init(loop, &server->ticking);
    uv_timer_init(loop, &server->goodbye);
    server->ticking.data = server->goodbye.data = server;
    uv_timer_start(&server->ticking, on_tick, 1, 1);
    rt_host_uv_on_stop(world.host, shard, close_server, server);
}

static void test_foreign_handles(void **state)
{
    (void)state;
    for (unsigned started = 0; started < 2; started++) {
        struct server server;
        create_world(2, 0);
        open_server(&server, 1);
        if (started) {
            start_world();
            wait_done(3); /* its handle lives on our loop */
        }
        world.host->ops->stop(world.host);
        assert_int_equal(server.hook_calls, 1);
        assert_true(server.gone); /* stop waited for it */
        assert_int_equal(!pthread_equal(server.closed_on, pthread_self()), started);
        destroy_world();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_configuration),
        cmocka_unit_test(test_ping_pong),
        cmocka_unit_test(test_no_lost_wake),
        cmocka_unit_test(test_post_from_outside),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_clock_never_goes_back),
        cmocka_unit_test(test_idle_does_not_spin),
        cmocka_unit_test(test_worker),
        cmocka_unit_test(test_worker_time_out_and_drain),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_pool_limit),
        cmocka_unit_test(test_stop_in_full_flight),
        cmocka_unit_test(test_never_started),
        cmocka_unit_test(test_foreign_handles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
