/* Registered documents: found by their hash, bounded, oldest out first, and known to every shard in the end.
 */
#include "http/api/persisted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/base/limits.h"
#include "runtime/host_sim.h"

#define SHARDS    3u
#define COUNT_MAX 4u
#define BYTES_MAX 4096u
#define STEPS_MAX 100000u

static struct rt_host *host;
static struct persisted stores[SHARDS], *all[SHARDS];

static void start_with(unsigned shards, size_t count_max, size_t bytes_max)
{
    host = rt_host_sim_create(&(struct rt_host_sim_config){.seed = 7, .shards = shards, .start_ms = 1});
    for (unsigned i = 0; i < shards; i++) {
        all[i] = &stores[i];
        persisted_init(&stores[i], host->shards[i], all, shards, count_max, bytes_max);
    }
    assert_int_equal(host->ops->start(host, &(struct oms_error){OMS_OK, ""}), OMS_OK);
}

static void start(unsigned shards, size_t count_max)
{
    start_with(shards, count_max, BYTES_MAX);
}

static void stop(unsigned shards)
{
    host->ops->stop(host);
    host->ops->destroy(host);
    for (unsigned i = 0; i < shards; i++)
        persisted_fini(&stores[i]);
}

static struct oms_str document(unsigned number)
{
    static char text[32];
    snprintf(text, sizeof(text), "{ a%u: __typename }", number);
    return oms_str_of(text);
}

static void put(unsigned shard, unsigned number)
{
    struct http_digest digest = http_digest_of(document(number));
    persisted_put(&stores[shard], &digest, document(number));
}

static bool has(unsigned shard, unsigned number)
{
    struct http_digest digest = http_digest_of(document(number));
    struct oms_str text = persisted_get(&stores[shard], &digest);
    assert_true(!oms_str_present(text) || oms_str_eq(text, document(number)));
    return oms_str_present(text);
}

static void test_digest(void **state)
{
    /* FIPS 180-4's "abc". */
    struct http_digest digest = http_digest_of(OMS_STR("abc")), other;
    (void)state;
    assert_true(http_digest_parse(OMS_STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
                                  &other));
    assert_true(http_digest_eq(&digest, &other));
    assert_true(http_digest_parse(OMS_STR("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
                                  &other));
    assert_true(http_digest_eq(&digest, &other));
    assert_false(http_digest_parse(OMS_STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a"),
                                   &other));
    assert_false(http_digest_parse(
        OMS_STR("ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), &other));
    assert_false(http_digest_parse(OMS_STR(""), &other));
}

static void test_oldest_goes_first(void **state)
{
    (void)state;
    start(1, COUNT_MAX);
    for (unsigned i = 0; i < COUNT_MAX; i++)
        put(0, i);
    assert_true(has(0, 0)); /* used: now the newest */
    put(0, COUNT_MAX);
    assert_true(has(0, 0));
    assert_false(has(0, 1));
    put(0, 0); /* known already */
    assert_int_equal(stores[0].count, COUNT_MAX);
    assert_int_equal(stores[0].registered, COUNT_MAX + 1);
    assert_int_equal(stores[0].evictions, 1);
    assert_int_equal(stores[0].hits, 2);
    assert_int_equal(stores[0].misses, 1);
    stop(1);
}

static void test_bytes_are_bounded(void **state)
{
    static char text[BYTES_MAX];
    (void)state;
    start(1, 1000);
    memset(text, '#', sizeof(text));
    for (size_t len = BYTES_MAX / 8; len < BYTES_MAX / 4; len += 64) {
        struct http_digest digest = http_digest_of(oms_str_make(text, len));
        persisted_put(&stores[0], &digest, oms_str_make(text, len));
        assert_true(stores[0].bytes <= BYTES_MAX);
    }
    assert_true(stores[0].evictions > 0);
    /* One that would take the place of nearly all others is not kept. */
    struct http_digest digest = http_digest_of(oms_str_make(text, sizeof(text)));
    persisted_put(&stores[0], &digest, oms_str_make(text, sizeof(text)));
    assert_false(oms_str_present(persisted_get(&stores[0], &digest)));
    stop(1);
}

static void test_switched_off(void **state)
{
    (void)state;
    start(1, 0);
    put(0, 1);
    assert_false(has(0, 1));
    assert_int_equal(stores[0].registered, 0);
    stop(1);
}

static void test_news_reach_every_shard(void **state)
{
    (void)state;
    start(SHARDS, COUNT_MAX);
    put(1, 5);
    assert_true(has(1, 5));
    assert_int_equal(stores[1].under_way_count, 1);
    rt_host_sim_run(host, STEPS_MAX, 100);
    for (unsigned i = 0; i < SHARDS; i++)
        assert_true(has(i, 5));
    assert_int_equal(stores[1].under_way_count, 0);
    assert_int_equal(stores[0].registered + stores[2].registered, 0);
    /* Two shards that learn one document at once. */
    put(0, 6);
    put(2, 6);
    rt_host_sim_run(host, STEPS_MAX, 100);
    for (unsigned i = 0; i < SHARDS; i++) {
        assert_true(has(i, 6));
        assert_int_equal(stores[i].count, 2);
    }
    stop(SHARDS);
}

/* A flood stays where it is, and what is on its way when the server stops is freed (the sanitizers look). */
static void test_flood(void **state)
{
    (void)state;
    start_with(SHARDS, 1000, 1u << 20);
    for (unsigned i = 0; i < 3 * OMS_GQL_PERSISTED_NEWS_MAX; i++)
        put(0, i);
    assert_int_equal(stores[0].under_way_count, OMS_GQL_PERSISTED_NEWS_MAX);
    assert_true(has(0, 3 * OMS_GQL_PERSISTED_NEWS_MAX - 1));
    rt_host_sim_run(host, STEPS_MAX, 100);
    assert_int_equal(stores[1].count, OMS_GQL_PERSISTED_NEWS_MAX);
    put(0, 7000);
    assert_int_equal(stores[0].under_way_count, 1);
    stop(SHARDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_oldest_goes_first),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_switched_off),
        cmocka_unit_test(test_news_reach_every_shard),
        cmocka_unit_test(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
