/* The cache of verified tokens: hits, expiry, order of eviction, and who holds what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/auth/token_cache.h"

static void put(struct http_token_cache *cache, const char *token, int64_t expires_ms)
{
    struct http_claims *claims = http_claims_create();
    claims->expires_ms = expires_ms;
    claims->subject = oms_str_copy(&claims->arena, oms_str_of(token));
    http_token_cache_put(cache, oms_str_of(token), claims);
    assert_int_equal(claims->holds, 2);
    http_claims_release(claims);
}

static bool has(struct http_token_cache *cache, const char *token, int64_t now_ms)
{
    const struct http_claims *claims = http_token_cache_get(cache, oms_str_of(token), now_ms);
    if (!claims)
        return false;
    assert_true(oms_str_eq_c(claims->subject, token));
    http_claims_release(claims);
    return true;
}

static void test_hit_and_miss(void **state)
{
    (void)state;
    struct http_token_cache *cache = http_token_cache_create(4);
    assert_false(has(cache, "a", 0));
    put(cache, "a", 100);
    assert_true(has(cache, "a", 0));
    assert_true(has(cache, "a", 100));
    assert_false(has(cache, "b", 0));
    assert_false(has(cache, "", 0));
    struct http_token_cache_stats stats = http_token_cache_stats(cache);
    assert_int_equal(stats.hits, 2);
    assert_int_equal(stats.misses, 3);
    assert_int_equal(stats.size, 1);
    http_token_cache_destroy(cache);
}

static void test_expiry(void **state)
{
    (void)state;
    struct http_token_cache *cache = http_token_cache_create(4);
    put(cache, "a", 100);
    assert_false(has(cache, "a", 101));
    assert_int_equal(http_token_cache_stats(cache).size, 0);
    assert_false(has(cache, "a", 50)); /* gone for good */
    http_token_cache_destroy(cache);
}

static void test_longest_unused_goes(void **state)
{
    (void)state;
    struct http_token_cache *cache = http_token_cache_create(3);
    put(cache, "a", 100);
    put(cache, "b", 100);
    put(cache, "c", 100);
    assert_true(has(cache, "a", 0));
    put(cache, "d", 100); /* b was used longest ago */
    assert_false(has(cache, "b", 0));
    assert_true(has(cache, "a", 0) && has(cache, "c", 0) && has(cache, "d", 0));
    assert_int_equal(http_token_cache_stats(cache).evictions, 1);
    put(cache, "d", 200); /* again: not twice */
    assert_int_equal(http_token_cache_stats(cache).size, 3);
    assert_true(has(cache, "d", 150));
    http_token_cache_destroy(cache);
}

static void test_claims_outlive_the_cache(void **state)
{
    (void)state;
    struct http_token_cache *cache = http_token_cache_create(1);
    put(cache, "a", 100);
    const struct http_claims *held = http_token_cache_get(cache, OMS_STR("a"), 0);
    put(cache, "b", 100);
    assert_int_equal(held->holds, 1);
    assert_true(oms_str_eq_c(held->subject, "a"));
    http_token_cache_clear(cache);
    assert_false(has(cache, "b", 0));
    http_token_cache_destroy(cache);
    assert_true(oms_str_eq_c(held->subject, "a"));
    http_claims_release(held);
}

/* Against a naive model: a list in order of use. */
static void test_many(void **state)
{
    enum { MAX = 64, NAMES = 200, STEPS = 20000 };
    int order[MAX];
    unsigned count = 0;
    uint64_t seed = 12345;
    (void)state;
    struct http_token_cache *cache = http_token_cache_create(MAX);
    for (unsigned step = 0; step < STEPS; step++) {
        char name[16];
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        int n = (int)((seed >> 33) % NAMES);
        snprintf(name, sizeof(name), "t%d", n);
        unsigned at = 0;
        while (at < count && order[at] != n)
            at++;
        assert_int_equal(has(cache, name, 0), at < count);
        if (at == count) {
            put(cache, name, 1);
            if (count == MAX)
                at = count - 1;
            else
                count++;
        }
        for (; at > 0; at--)
            order[at] = order[at - 1];
        order[0] = n;
        if (step % 5000 == 4999) {
            http_token_cache_clear(cache);
            count = 0;
        }
        assert_int_equal(http_token_cache_stats(cache).size, count);
    }
    http_token_cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hit_and_miss),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_longest_unused_goes),
        cmocka_unit_test(test_claims_outlive_the_cache),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
