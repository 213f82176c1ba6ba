/* Requests per second: what is admitted at once, over time, and per tenant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/throttle.h"

#define SECOND UINT64_C(1000000000)

/* How many of `tries` at one time are admitted. */
static unsigned admitted(struct http_throttle *throttle, uint32_t tenant, uint64_t per_second,
                         uint64_t now_ns, unsigned tries)
{
    unsigned count = 0;
    for (unsigned i = 0; i < tries; i++)
        count += http_throttle_take(throttle, tenant, per_second, now_ns) == 0;
    return count;
}

static void test_one_second_at_once(void **state)
{
    struct http_throttle throttle;
    uint64_t now = 5 * SECOND;
    (void)state;
    http_throttle_init(&throttle, 1);
    assert_int_equal(admitted(&throttle, 1, 10, now, 100), 10);
    /* What was refused took nothing: a tenth of a second is one request more, however many were refused. */
    assert_int_equal(http_throttle_take(&throttle, 1, 10, now), SECOND / 10);
    assert_int_equal(admitted(&throttle, 1, 10, now + SECOND / 10 - 1, 5), 0);
    assert_int_equal(admitted(&throttle, 1, 10, now + SECOND / 10, 5), 1);
    /* A long rest saves up one second, not more. */
    assert_int_equal(admitted(&throttle, 1, 10, now + 3600 * SECOND, 100), 10);
    http_throttle_fini(&throttle);
}

static void test_the_rate_over_time(void **state)
{
    struct http_throttle throttle;
    unsigned count = 0;
    (void)state;
    http_throttle_init(&throttle, 4); /* 200 a second in all: 50 here */
    for (uint64_t ms = 0; ms < 10000; ms++)
        count += admitted(&throttle, 7, 200, SECOND + ms * 1000000, 3);
    assert_in_range(count, 50 * 10 + 49, 50 * 11);
    http_throttle_fini(&throttle);
}

static void test_less_than_one_a_shard(void **state)
{
    struct http_throttle throttle;
    (void)state;
    http_throttle_init(&throttle, 8);
    assert_int_equal(admitted(&throttle, 1, 2, SECOND, 10), 1);
    assert_int_equal(http_throttle_take(&throttle, 1, 2, SECOND), 4 * SECOND);
    assert_int_equal(admitted(&throttle, 1, 2, 5 * SECOND, 10), 1);
    http_throttle_fini(&throttle);
}

static void test_tenants_do_not_share(void **state)
{
    struct http_throttle throttle;
    (void)state;
    http_throttle_init(&throttle, 1);
    assert_int_equal(admitted(&throttle, 1, 3, SECOND, 10), 3);
    assert_int_equal(admitted(&throttle, 60000, 5, SECOND, 10), 5);
    assert_int_equal(admitted(&throttle, 16, 2, SECOND, 10), 2);
    assert_int_equal(admitted(&throttle, 1, 3, SECOND, 10), 0);
    /* No limit, an extreme one, and one that was changed. */
    assert_int_equal(admitted(&throttle, 2, 0, SECOND, 1000), 1000);
    assert_int_equal(admitted(&throttle, 3, UINT64_MAX, SECOND, 1000), 1000);
    assert_int_equal(admitted(&throttle, 1, 0, SECOND, 10), 10);
    assert_int_equal(admitted(&throttle, 1, 1000, SECOND + SECOND / 2, 1000), 500);
    http_throttle_fini(&throttle);
}

/* ---- budgets ---- */

static void test_budget(void **state)
{
    const struct http_budget budget = {.capacity = 100, .restore = 10};
    uint64_t now = 50 * SECOND, full = 0;
    (void)state;
    assert_int_equal(http_budget_available(&budget, 1, full, now), 100);
    assert_int_equal(http_budget_wait(&budget, 1, full, 100, now), 0);
    full = http_budget_take(&budget, 1, full, 60, now);
    assert_int_equal(http_budget_available(&budget, 1, full, now), 40);
    assert_int_equal(http_budget_wait(&budget, 1, full, 40, now), 0);
    assert_int_equal(http_budget_wait(&budget, 1, full, 41, now), SECOND / 10);
    assert_int_equal(http_budget_wait(&budget, 1, full, 100, now), 6 * SECOND);
    /* A unit is there when all of it is. */
    assert_int_equal(http_budget_available(&budget, 1, full, now + SECOND / 10 - 1), 40);
    assert_int_equal(http_budget_available(&budget, 1, full, now + SECOND / 10), 41);
    /* Full is full, however long ago. */
    assert_int_equal(http_budget_available(&budget, 1, full, now + 600 * SECOND), 100);
    assert_int_equal(http_budget_wait(&budget, 1, full, 100, now + 600 * SECOND), 0);
}

static void test_budget_of_a_share(void **state)
{
    const struct http_budget budget = {.capacity = 100, .restore = 10};
    uint64_t now = SECOND, full;
    (void)state;
    full = http_budget_take(&budget, 4, 0, 100, now);
    assert_int_equal(http_budget_available(&budget, 4, full, now), 0);
    assert_int_equal(http_budget_available(&budget, 4, full, now + 2 * SECOND), 5);
    assert_int_equal(http_budget_wait(&budget, 4, full, 100, now), 40 * SECOND);
}

static void test_budget_at_its_largest(void **state)
{
    const struct http_budget slow = {.capacity = HTTP_BUDGET_CAPACITY_MAX, .restore = 1};
    const struct http_budget fast = {.capacity = HTTP_BUDGET_CAPACITY_MAX,
                                     .restore = HTTP_BUDGET_CAPACITY_MAX};
    uint64_t now = 1000 * SECOND, full;
    (void)state;
    full = http_budget_take(&slow, 64, 0, HTTP_BUDGET_CAPACITY_MAX, now);
    assert_int_equal(http_budget_available(&slow, 64, full, now), 0);
    assert_true(http_budget_wait(&slow, 64, full, 1, now) == 64 * SECOND);
    assert_int_equal(http_budget_available(&slow, 64, full, now + 640 * SECOND), 10);
    full = http_budget_take(&fast, 64, 0, HTTP_BUDGET_CAPACITY_MAX, now);
    assert_int_equal(http_budget_wait(&fast, 64, full, HTTP_BUDGET_CAPACITY_MAX, now), 64 * SECOND);
}

static void test_table_forgets_the_fullest(void **state)
{
    struct http_budget_table *table = http_budget_table_create();
    (void)state;
    *http_budget_table_place(table, 77) = 1000 * SECOND;
    assert_int_equal(*http_budget_table_place(table, 77), 1000 * SECOND);
    /* A crowd with little to wait for does not push out the one who has much. */
    for (uint64_t hash = 1000; hash < 200000; hash++)
        *http_budget_table_place(table, hash) = hash;
    assert_int_equal(*http_budget_table_place(table, 77), 1000 * SECOND);
    assert_int_equal(*http_budget_table_place(table, 78), 0);
    http_budget_table_destroy(table);
}

static void test_many_at_once(void **state)
{
    struct http_throttle throttle;
    uint64_t now = 5 * SECOND;
    (void)state;
    http_throttle_init(&throttle, 1);
    assert_int_equal(http_throttle_take_many(&throttle, 1, 10, 6, now), 0);
    /* All or none. */
    assert_int_equal(http_throttle_take_many(&throttle, 1, 10, 6, now), SECOND / 5);
    assert_int_equal(http_throttle_take_many(&throttle, 1, 10, 4, now), 0);
    assert_int_equal(admitted(&throttle, 1, 10, now, 5), 0);
    http_throttle_fini(&throttle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_second_at_once),
        cmocka_unit_test(test_the_rate_over_time),
        cmocka_unit_test(test_less_than_one_a_shard),
        cmocka_unit_test(test_tenants_do_not_share),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_budget_of_a_share),
        cmocka_unit_test(test_budget_at_its_largest),
        cmocka_unit_test(test_table_forgets_the_fullest),
        cmocka_unit_test(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
