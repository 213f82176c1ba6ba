/*
 * Pools: tenants take turns, each has a cap, loads have a pool of their own. Slow jobs wait at a gate that
 * the test opens by so many, so nothing here depends on time; what is never run shows as a wait of 30
 * seconds. Runs under ThreadSanitizer as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/host_uv.h"
#include "runtime/pool.h"

enum { QUEUE_OPEN = OMS_POOL_QUEUE_MAX - OMS_POOL_QUEUE_MAX / 10 }; /* without the tenth of the system's */

struct piece {
    struct rt_job job; /* first: its message is the piece's */
    bool slow;
    unsigned turn; /* the how-manyth that started, from 1; 0: it did not run */
    unsigned returns;
};

static struct {
    struct rt_host *host;
    struct rt_job_queue pool;
    sem_t gate, started, ran;
    atomic_uint turns;
} world;

static void run_piece(struct rt_job *job)
{
    struct piece *piece = (struct piece *)job;
    piece->turn = atomic_fetch_add(&world.turns, 1) + 1;
    sem_post(&world.started);
    while (piece->slow && sem_wait(&world.gate) != 0)
        OMS_ASSERT(errno == EINTR);
    sem_post(&world.ran);
}

static void piece_home(struct rt_shard *shard, struct rt_message *message)
{
    (void)shard;
    ((struct piece *)message)->returns++;
}

static void wait_for(sem_t *semaphore, unsigned count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 30;
    for (unsigned i = 0; i < count; i++) {
        while (sem_timedwait(semaphore, &deadline) != 0)
            OMS_ASSERT(errno == EINTR); /* a time-out: it does not run */
    }
}

static void open_gate(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sem_post(&world.gate);
}

static void set_up(void)
{
    const struct rt_host_uv_config config = {.shards = 1, .read_threads = 2};
    struct oms_error error;

    memset(&world, 0, sizeof world);
    assert_int_equal(sem_init(&world.gate, 0, 0), 0);
    assert_int_equal(sem_init(&world.started, 0, 0), 0);
    assert_int_equal(sem_init(&world.ran, 0, 0), 0);
    assert_int_equal(rt_host_uv_create(&config, &world.host, &error), OMS_OK);
    rt_job_queue_init(&world.pool, world.host, "pool-test");
}

static void start_pool(unsigned threads)
{
    struct oms_error error;
    assert_int_equal(rt_job_queue_start(&world.pool, threads, &error), OMS_OK);
}

/* Stops everything; then each of the pieces has come home exactly once. */
static void tear_down(struct piece *pieces, unsigned count)
{
    rt_job_queue_stop(&world.pool);
    world.host->ops->stop(world.host);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pieces[i].returns, 1);
    rt_job_queue_fini(&world.pool);
    world.host->ops->destroy(world.host);
    sem_destroy(&world.gate);
    sem_destroy(&world.started);
    sem_destroy(&world.ran);
}

static void prepare(struct piece *piece, uint32_t tenant, bool slow)
{
    *piece = (struct piece){.job = {.run = run_piece, .tenant = tenant}, .slow = slow};
    piece->job.message.on_return = piece_home;
}

static enum oms_status push(struct piece *piece, uint32_t tenant)
{
    prepare(piece, tenant, false);
    rt_job_queue_push(&world.pool, &piece->job);
    return piece->job.message.status;
}

/* ---- tests ---- */

static void test_tenants_take_turns(void **state)
{
    (void)state;
    static const struct {
        uint32_t tenant;
        unsigned turn;
    } cases[] = {
        {7, 1}, {7, 5}, {7, 8}, {7, 10}, {1024 + 7, 2}, {1024 + 7, 6},
        {0, 3}, {9, 4}, {0, 7}, {7, 11}, {0, 9},
    };
    struct piece pieces[OMS_COUNT_OF(cases)];

    set_up();
    for (unsigned i = 0; i < OMS_COUNT_OF(cases); i++)
        assert_int_equal(push(&pieces[i], cases[i].tenant), OMS_OK);
    start_pool(1);
    wait_for(&world.ran, OMS_COUNT_OF(cases));
    for (unsigned i = 0; i < OMS_COUNT_OF(cases); i++)
        assert_int_equal(pieces[i].turn, cases[i].turn);
    tear_down(pieces, OMS_COUNT_OF(cases));
}

/* Lanes come and go, share buckets, and are used again. */
static void test_many_tenants(void **state)
{
    (void)state;
    enum { TENANTS = 5000, EACH = 3, JOBS = TENANTS * EACH, ROUNDS = 2, ALL = ROUNDS * (JOBS + 1) };
    struct piece *pieces = oms_calloc(ALL, sizeof *pieces);

    set_up();
    start_pool(1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct piece *first = &pieces[round * (JOBS + 1)], *plug = &first[JOBS];
        prepare(plug, UINT32_MAX, true);
        rt_job_queue_push(&world.pool, &plug->job);
        wait_for(&world.started, 1);
        for (unsigned i = 0; i < JOBS; i++) /* all jobs of a tenant, then the next tenant's */
            assert_int_equal(push(&first[i], 1 + i / EACH), OMS_OK);
        open_gate(1);
        wait_for(&world.ran, JOBS + 1);
        wait_for(&world.started, JOBS);
        for (unsigned i = 0; i < JOBS; i++) /* the first of all, the second of all, … */
            assert_int_equal(first[i].turn - plug->turn, 1 + i % EACH * TENANTS + i / EACH);
    }
    tear_down(pieces, ALL);
    oms_free(pieces);
}

static void test_a_flood_delays_nobody(void **state)
{
    (void)state;
    enum { FLOOD = 1000, THREADS = 2, ALL = FLOOD + 4 };
    struct piece *pieces = oms_calloc(ALL, sizeof *pieces);
    struct piece *other = &pieces[FLOOD];

    set_up();
    start_pool(THREADS);
    for (unsigned i = 0; i < FLOOD; i++) {
        prepare(&pieces[i], 1, true);
        rt_job_queue_push(&world.pool, &pieces[i].job);
    }
    wait_for(&world.started, THREADS); /* both threads are in a slow job, 998 wait */
    assert_int_equal(push(&other[0], 2), OMS_OK);
    assert_int_equal(push(&other[1], 0), OMS_OK);
    open_gate(2); /* one thread takes one more of the flood; both others' jobs come with the second */
    wait_for(&world.ran, 4);
    /* With the flood in both threads again, the same once more: turns were not used up. */
    wait_for(&world.started, 4);
    assert_int_equal(push(&other[2], 2), OMS_OK);
    assert_int_equal(push(&other[3], 3), OMS_OK);
    open_gate(2);
    wait_for(&world.ran, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(other[i].turn, 1, i < 2 ? 5 : 9);
    open_gate(FLOOD);
    tear_down(pieces, ALL);
    oms_free(pieces);
}

static void test_a_tenant_has_a_cap(void **state)
{
    (void)state;
    enum { OVER = 10, ALL = OMS_POOL_TENANT_MAX + OVER };
    struct piece *pieces = oms_calloc(ALL + 4, sizeof *pieces);
    struct piece *other = &pieces[ALL];

    set_up();
    for (unsigned i = 0; i < ALL; i++)
        assert_int_equal(push(&pieces[i], 1), i < OMS_POOL_TENANT_MAX ? OMS_OK : OMS_BUSY);
    assert_int_equal(push(&other[0], 2), OMS_OK);
    assert_int_equal(push(&other[1], 1025), OMS_OK); /* the same bucket */
    start_pool(1);
    wait_for(&world.ran, OMS_POOL_TENANT_MAX + 2);
    for (unsigned i = OMS_POOL_TENANT_MAX; i < ALL; i++)
        assert_int_equal(pieces[i].turn, 0);
    prepare(&other[2], 1, false); /* the cap is of what waits, and nothing does */
    rt_job_queue_push(&world.pool, &other[2].job);
    prepare(&other[3], 1, false);
    rt_job_queue_push(&world.pool, &other[3].job);
    wait_for(&world.ran, 2);
    tear_down(pieces, ALL + 4);
    oms_free(pieces);
}

static void test_the_queue_has_a_maximum(void **state)
{
    (void)state;
    struct piece *pieces = oms_calloc(QUEUE_OPEN + 3, sizeof *pieces);
    struct piece *more = &pieces[QUEUE_OPEN];

    set_up();
    for (unsigned i = 0; i < QUEUE_OPEN; i++) /* of nobody: no cap but the queue's */
        assert_int_equal(push(&pieces[i], 0), OMS_OK);
    assert_int_equal(push(&more[0], 0), OMS_BUSY);
    assert_int_equal(push(&more[1], 5), OMS_BUSY);
    prepare(&more[2], 0, false);
    more[2].job.message.flags = RT_MESSAGE_SYSTEM;
    rt_job_queue_push(&world.pool, &more[2].job);
    assert_int_equal(more[2].job.message.status, OMS_OK);
    /* No thread ever ran: all go home undone. */
    tear_down(pieces, QUEUE_OPEN + 3);
    assert_int_equal(pieces[0].job.message.status, OMS_CLOSED);
    assert_int_equal(more[2].job.message.status, OMS_CLOSED);
    assert_int_equal(atomic_load(&world.turns), 0);
    oms_free(pieces);
}

static void test_stop_runs_what_waits(void **state)
{
    (void)state;
    enum { JOBS = 300 };
    struct piece pieces[JOBS + 1];

    set_up();
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(push(&pieces[i], i % 7), OMS_OK);
    start_pool(2);
    rt_job_queue_stop(&world.pool);
    assert_int_equal(atomic_load(&world.turns), JOBS);
    assert_int_equal(push(&pieces[JOBS], 1), OMS_CLOSED);
    tear_down(pieces, JOBS + 1);
}

static void test_loads_do_not_wait_for_reads(void **state)
{
    (void)state;
    enum { FLOOD = 1000, ALL = FLOOD + 1 };
    struct piece *pieces = oms_calloc(ALL, sizeof *pieces);
    struct oms_error error;

    set_up();
    assert_int_equal(world.host->ops->start(world.host, &error), OMS_OK);
    for (unsigned i = 0; i < FLOOD; i++) {
        prepare(&pieces[i], i % 2, true);
        world.host->ops->offload(world.host, RT_POOL_READ, &pieces[i].job);
    }
    wait_for(&world.started, 2); /* all its threads are taken, and the gate is shut */
    prepare(&pieces[FLOOD], 0, false);
    world.host->ops->offload(world.host, RT_POOL_LOAD, &pieces[FLOOD].job);
    wait_for(&world.ran, 1);
    open_gate(FLOOD);
    wait_for(&world.ran, FLOOD);
    tear_down(pieces, ALL);
    oms_free(pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tenants_take_turns),          cmocka_unit_test(test_many_tenants),
        cmocka_unit_test(test_a_flood_delays_nobody),       cmocka_unit_test(test_a_tenant_has_a_cap),
        cmocka_unit_test(test_the_queue_has_a_maximum),     cmocka_unit_test(test_stop_runs_what_waits),
        cmocka_unit_test(test_loads_do_not_wait_for_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
