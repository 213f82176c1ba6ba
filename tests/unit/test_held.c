/* Held replies: in order, each once, at its unit's acknowledgement and not before; failures reach all of
 * them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "actors/held.h"

enum { ITEMS = 16 };

static struct {
    struct held_item *released[ITEMS]; /* in order */
    enum oms_status statuses[ITEMS];
    unsigned count;
    struct held_queue *push_to; /* a release that holds another one */
    struct held_item *push;
} seen;

static void release(struct rt_shard *shard, struct held_item *item, enum oms_status status)
{
    assert_null(shard); /* passed on as it came */
    assert_in_range(seen.count, 0, ITEMS - 1);
    seen.released[seen.count] = item;
    seen.statuses[seen.count++] = status;
    if (seen.push) {
        struct held_item *next = seen.push;
        seen.push = NULL;
        held_push(seen.push_to, NULL, next, item->seq + 1, item->seq);
    }
}

static int set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    return 0;
}

static void init(struct held_item items[ITEMS])
{
    memset(items, 0, ITEMS * sizeof(*items));
    for (unsigned i = 0; i < ITEMS; i++)
        items[i].release = release;
}

static void expect(const struct held_queue *queue, unsigned released, uint64_t waiting)
{
    assert_int_equal(seen.count, released);
    assert_int_equal(queue->count, waiting);
    assert_int_equal(queue->first == NULL, waiting == 0);
    assert_int_equal(queue->last == NULL, waiting == 0);
}

static void test_what_is_durable_does_not_wait(void **state)
{
    struct held_queue queue = {0};
    struct held_item items[ITEMS];
    (void)state;
    init(items);
    held_push(&queue, NULL, &items[0], 0, 0); /* depends on nothing */
    held_push(&queue, NULL, &items[1], 7, 7);
    expect(&queue, 2, 0);
    assert_int_equal(seen.statuses[0], OMS_OK);
    assert_int_equal(seen.statuses[1], OMS_OK);
}

static void test_released_in_order_up_to_the_durable_one(void **state)
{
    struct held_queue queue = {0};
    struct held_item items[ITEMS];
    (void)state;
    init(items);
    for (unsigned i = 0; i < 6; i++)
        held_push(&queue, NULL, &items[i], 1 + i / 2, 0); /* two each of 1, 2, 3 */
    expect(&queue, 0, 6);
    held_release(&queue, NULL, 0, OMS_OK);
    expect(&queue, 0, 6);
    held_release(&queue, NULL, 2, OMS_OK);
    expect(&queue, 4, 2);
    held_release(&queue, NULL, 9, OMS_OK);
    expect(&queue, 6, 0);
    for (unsigned i = 0; i < 6; i++) {
        assert_ptr_equal(seen.released[i], &items[i]);
        assert_int_equal(seen.statuses[i], OMS_OK);
    }
}

/* A reply that needs an older unit waits behind one that needs a newer: its order is that of the pushes. */
static void test_sequences_never_fall(void **state)
{
    struct held_queue queue = {0};
    struct held_item items[ITEMS];
    (void)state;
    init(items);
    held_push(&queue, NULL, &items[0], 5, 2);
    held_push(&queue, NULL, &items[1], 3, 2);
    held_release(&queue, NULL, 4, OMS_OK);
    expect(&queue, 0, 2);
    held_release(&queue, NULL, 5, OMS_OK);
    expect(&queue, 2, 0);
    assert_ptr_equal(seen.released[0], &items[0]);
    assert_ptr_equal(seen.released[1], &items[1]);
}

/* A failed batch answers what waited for it; what comes later and depends on it is unknown too, at once. */
static void test_a_failure(void **state)
{
    struct held_queue queue = {0};
    struct held_item items[ITEMS];
    (void)state;
    init(items);
    held_push(&queue, NULL, &items[0], 3, 2);
    held_push(&queue, NULL, &items[1], 4, 2);
    held_push(&queue, NULL, &items[2], 6, 2);
    held_release(&queue, NULL, 4, OMS_IO);
    expect(&queue, 2, 1);
    assert_int_equal(seen.statuses[0], OMS_IO);
    assert_int_equal(seen.statuses[1], OMS_IO);
    held_push(&queue, NULL, &items[3], 4, 2);
    expect(&queue, 3, 1);
    assert_int_equal(seen.statuses[2], OMS_IO);
    held_push(&queue, NULL, &items[4], 2, 2); /* what it depends on had been durable before */
    expect(&queue, 4, 1);
    assert_int_equal(seen.statuses[3], OMS_OK);
    held_release(&queue, NULL, 6, OMS_IO);
    expect(&queue, 5, 0);
    assert_ptr_equal(seen.released[4], &items[2]);
    assert_int_equal(seen.statuses[4], OMS_IO);
}

/* A release may hold again: what it pushes waits for its own unit, and the walk goes on behind it. */
static void test_held_while_releasing(void **state)
{
    struct held_queue queue = {0};
    struct held_item items[ITEMS];
    (void)state;
    init(items);
    held_push(&queue, NULL, &items[0], 1, 0);
    seen.push_to = &queue;
    seen.push = &items[1];
    held_release(&queue, NULL, 1, OMS_OK);
    expect(&queue, 1, 1);
    held_release(&queue, NULL, 2, OMS_OK);
    expect(&queue, 2, 0);
    assert_ptr_equal(seen.released[1], &items[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_is_durable_does_not_wait, set_up),
        cmocka_unit_test_setup(test_released_in_order_up_to_the_durable_one, set_up),
        cmocka_unit_test_setup(test_sequences_never_fall, set_up),
        cmocka_unit_test_setup(test_a_failure, set_up),
        cmocka_unit_test_setup(test_held_while_releasing, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
