/*
 * The mailbox: order, chains, the sleep protocol, and the same under several real producers. The threaded
 * tests are what runs under ThreadSanitizer; a lost wake-up shows as a consumer that waits for ten seconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/prng.h"
#include "runtime/mailbox.h"

struct item {
    struct rt_message message;
    unsigned producer;
    unsigned number;
};

static void test_order_and_depth(void **state)
{
    (void)state;
    struct rt_mailbox mailbox;
    struct rt_message messages[5];

    rt_mailbox_init(&mailbox);
    assert_true(rt_mailbox_is_empty(&mailbox));
    assert_null(rt_mailbox_pop(&mailbox));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 5; i++)
            assert_false(rt_mailbox_push(&mailbox, &messages[i], &messages[i], 1));
        assert_int_equal(rt_mailbox_depth(&mailbox), 5);
        assert_false(rt_mailbox_is_empty(&mailbox));
        for (unsigned i = 0; i < 5; i++)
            assert_ptr_equal(rt_mailbox_pop(&mailbox), &messages[i]);
        assert_null(rt_mailbox_pop(&mailbox));
        assert_true(rt_mailbox_is_empty(&mailbox));
        assert_int_equal(rt_mailbox_depth(&mailbox), 0);
    }
}

static void test_chain(void **state)
{
    (void)state;
    struct rt_mailbox mailbox;
    struct rt_message messages[6];

    rt_mailbox_init(&mailbox);
    for (unsigned i = 0; i < 5; i++)
        messages[i].next = &messages[i + 1];
    messages[5].next = &messages[0]; /* garbage: the last link is the mailbox's to set */
    rt_mailbox_push(&mailbox, &messages[0], &messages[2], 3);
    rt_mailbox_push(&mailbox, &messages[3], &messages[5], 3);
    assert_int_equal(rt_mailbox_depth(&mailbox), 6);
    for (unsigned i = 0; i < 6; i++)
        assert_ptr_equal(rt_mailbox_pop(&mailbox), &messages[i]);
    assert_null(rt_mailbox_pop(&mailbox));
}

static void test_one_wake_per_edge(void **state)
{
    (void)state;
    struct rt_mailbox mailbox;
    struct rt_message messages[4];

    rt_mailbox_init(&mailbox);
    assert_true(rt_mailbox_sleep(&mailbox));
    assert_true(rt_mailbox_push(&mailbox, &messages[0], &messages[0], 1));
    assert_false(rt_mailbox_push(&mailbox, &messages[1], &messages[1], 1));
    rt_mailbox_awake(&mailbox);
    assert_false(rt_mailbox_sleep(&mailbox)); /* not empty */
    assert_false(rt_mailbox_push(&mailbox, &messages[2], &messages[2], 1));
    while (rt_mailbox_pop(&mailbox))
        ;
    assert_true(rt_mailbox_sleep(&mailbox));
    assert_true(rt_mailbox_push(&mailbox, &messages[3], &messages[3], 1));
}

static void count_wake(struct rt_port *port)
{
    ++*(int *)port->host_data;
}

static void test_port_wakes(void **state)
{
    (void)state;
    struct rt_port port;
    struct rt_message messages[3];
    int wakes = 0;

    rt_port_init(&port);
    rt_port_push(&port, &messages[0], &messages[0], 1); /* nobody to wake yet */
    assert_ptr_equal(rt_mailbox_pop(&port.mailbox), &messages[0]);
    port.host_data = &wakes;
    port.wake = count_wake;
    assert_true(rt_mailbox_sleep(&port.mailbox));
    rt_port_push(&port, &messages[1], &messages[1], 1);
    rt_port_push(&port, &messages[2], &messages[2], 1);
    assert_int_equal(wakes, 1);
}

/* ---- several producers ---- */

enum { PRODUCERS = 4, CHAIN_MAX = 16 };

struct bench {
    struct rt_mailbox mailbox;
    sem_t wake;
    atomic_uint wakes;
    unsigned per_producer;
    bool slow; /* pause between pushes, so that the consumer falls asleep often */
};

struct producer {
    struct bench *bench;
    unsigned number;
    struct item *items;
    pthread_t thread;
};

static void dawdle(struct oms_prng *prng)
{
    uint64_t choice = oms_prng_below(prng, 64);
    if (choice == 0)
        sched_yield();
    for (volatile unsigned i = 0; i < choice * 8; i++)
        ;
}

static void *produce(void *arg)
{
    struct producer *producer = arg;
    struct bench *bench = producer->bench;
    struct oms_prng prng;
    unsigned next = 0;

    oms_prng_seed(&prng, producer->number);
    while (next < bench->per_producer) {
        unsigned count = bench->slow ? 1 : 1 + (unsigned)oms_prng_below(&prng, CHAIN_MAX);
        if (count > bench->per_producer - next)
            count = bench->per_producer - next;
        struct item *chain = &producer->items[next];
        for (unsigned i = 0; i < count; i++) {
            chain[i].producer = producer->number;
            chain[i].number = next + i;
            chain[i].message.next = &chain[i + 1].message;
        }
        if (rt_mailbox_push(&bench->mailbox, &chain[0].message, &chain[count - 1].message, count)) {
            atomic_fetch_add(&bench->wakes, 1);
            sem_post(&bench->wake);
        }
        next += count;
        if (bench->slow)
            dawdle(&prng);
    }
    return NULL;
}

/* False when no wake-up came within ten seconds. */
static bool wait_wake(struct bench *bench)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 10;
    while (sem_timedwait(&bench->wake, &deadline) != 0) {
        if (errno == ETIMEDOUT)
            return false;
    }
    return true;
}

static void run_producers(unsigned per_producer, bool slow)
{
    struct bench bench = {.per_producer = per_producer, .slow = slow};
    struct producer producers[PRODUCERS];
    unsigned expected[PRODUCERS] = {0}, total = 0, sleeps = 0, declared = 0;

    rt_mailbox_init(&bench.mailbox);
    assert_int_equal(sem_init(&bench.wake, 0, 0), 0);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.bench = &bench, .number = i};
        producers[i].items = oms_calloc(per_producer + 1, sizeof(struct item));
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    while (total < per_producer * PRODUCERS) {
        struct rt_message *message = rt_mailbox_pop(&bench.mailbox);
        if (message) {
            const struct item *item = (const struct item *)message;
            assert_int_equal(item->number, expected[item->producer]);
            expected[item->producer]++;
            total++;
            continue;
        }
        declared++;
        if (rt_mailbox_sleep(&bench.mailbox)) {
            sleeps++;
            assert_true(wait_wake(&bench));
            rt_mailbox_awake(&bench.mailbox);
        }
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        pthread_join(producers[i].thread, NULL);
        oms_free(producers[i].items);
    }
    /* One wake-up per declared sleep at most, not one per message. */
    assert_true(atomic_load(&bench.wakes) <= declared);
    if (slow)
        assert_true(sleeps > 0); /* or it did not test what it is for */
    assert_null(rt_mailbox_pop(&bench.mailbox));
    assert_int_equal(rt_mailbox_depth(&bench.mailbox), 0);
    sem_destroy(&bench.wake);
}

static void test_producers_in_chains(void **state)
{
    (void)state;
    run_producers(100000, false);
}

static void test_sleepy_consumer(void **state)
{
    (void)state;
    run_producers(10000, true);
}

/* ---- one message at a time: nobody comes after a lost wake-up to repair it ---- */

struct duel {
    struct rt_mailbox mailbox;
    struct bench bench; /* for the semaphore */
    struct rt_message message; /* not the producer's: the last one is read after its thread has ended */
    atomic_uint received;
    unsigned rounds;
};

/* Pushes the next one as soon as the last was received, which is when the consumer is about to fall asleep.
 */
static void *duel_producer(void *arg)
{
    struct duel *duel = arg;
    struct oms_prng prng;

    oms_prng_seed(&prng, 3);
    for (unsigned i = 0; i < duel->rounds; i++) {
        while (atomic_load(&duel->received) != i)
            if (oms_prng_below(&prng, 1000) == 0)
                sched_yield();
        for (volatile uint64_t delay = oms_prng_below(&prng, 100); delay > 0; delay--)
            ;
        if (rt_mailbox_push(&duel->mailbox, &duel->message, &duel->message, 1))
            sem_post(&duel->bench.wake);
    }
    return NULL;
}

static void test_no_lost_wake(void **state)
{
    (void)state;
    struct duel duel = {.rounds = 40000};
    struct oms_prng prng;
    pthread_t thread;
    unsigned received = 0;

    oms_prng_seed(&prng, 4);
    rt_mailbox_init(&duel.mailbox);
    assert_int_equal(sem_init(&duel.bench.wake, 0, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, duel_producer, &duel), 0);
    while (received < duel.rounds) {
        if (rt_mailbox_pop(&duel.mailbox)) {
            atomic_store(&duel.received, ++received);
            for (volatile uint64_t delay = oms_prng_below(&prng, 100); delay > 0; delay--)
                ;
        } else if (rt_mailbox_sleep(&duel.mailbox)) {
            assert_true(wait_wake(&duel.bench));
            rt_mailbox_awake(&duel.mailbox);
        }
    }
    pthread_join(thread, NULL);
    sem_destroy(&duel.bench.wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_depth),     cmocka_unit_test(test_chain),
        cmocka_unit_test(test_one_wake_per_edge),   cmocka_unit_test(test_port_wakes),
        cmocka_unit_test(test_producers_in_chains), cmocka_unit_test(test_sleepy_consumer),
        cmocka_unit_test(test_no_lost_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
