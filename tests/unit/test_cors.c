/* Which pages may call: preflights by the union, requests by their own tenant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/cors.h"
#include "http_fixture.h"

#define METHODS (1u << HTTP_GET | 1u << HTTP_HEAD | 1u << HTTP_POST)
#define SHOP    "https://shop.example"
#define OTHER   "https://other.example:8443"

static struct http_cors *two_tenants(void)
{
    const struct oms_str shop[] = {OMS_STR(SHOP)}, other[] = {OMS_STR(OTHER), OMS_STR(SHOP), OMS_STR(OTHER)};
    struct http_cors *cors = http_cors_create(false);
    http_cors_set(cors, 1, shop, 1);
    http_cors_set(cors, 2, other, 3);
    http_cors_set(cors, 3, NULL, 0);
    return cors;
}

static void preflight(struct http_cors *cors, struct fake_exchange *fake, const char *origin, bool answered)
{
    fake_begin(fake, "OPTIONS", "/graphql");
    fake_header(fake, "origin", origin);
    fake_header(fake, "access-control-request-method", "POST");
    assert_int_equal(http_cors_begin(cors, &fake->exchange, METHODS), answered);
    assert_int_equal(fake->answers, answered);
}

static void test_preflight_by_union(void **state)
{
    (void)state;
    struct http_cors *cors = two_tenants();
    struct fake_exchange fake;
    preflight(cors, &fake, OTHER, true);
    assert_int_equal(fake.status, 204);
    assert_string_equal(fake_answer(&fake, "access-control-allow-origin"), OTHER);
    assert_string_equal(fake_answer(&fake, "access-control-allow-methods"), "GET, HEAD, POST");
    assert_string_equal(
        fake_answer(&fake, "access-control-allow-headers"),
        "authorization, content-type, idempotency-key, last-event-id, traceparent, x-tenant-id");
    assert_string_equal(fake_answer(&fake, "vary"), "Origin");
    assert_null(fake_answer(&fake, "access-control-allow-credentials"));
    assert_string_equal(fake.body, "");
    fake_end(&fake);

    preflight(cors, &fake, "https://evil.example", true);
    assert_int_equal(fake.status, 403);
    assert_null(fake_answer(&fake, "access-control-allow-origin"));
    assert_string_equal(fake_answer(&fake, "vary"), "Origin");
    fake_end(&fake);

    /* An empty origin is the table's own mark and must never match. */
    preflight(cors, &fake, "", true);
    assert_int_equal(fake.status, 403);
    fake_end(&fake);
    http_cors_destroy(cors);
}

static void test_options_without_preflight(void **state)
{
    (void)state;
    struct http_cors *cors = two_tenants();
    struct fake_exchange fake;
    fake_begin(&fake, "OPTIONS", "/graphql");
    fake_header(&fake, "origin", SHOP);
    assert_false(http_cors_begin(cors, &fake.exchange, METHODS));
    assert_int_equal(fake.answers, 0);
    fake_end(&fake);
    http_cors_destroy(cors);
}

static bool request(struct http_cors *cors, struct fake_exchange *fake, const char *origin, uint32_t tenant)
{
    fake_begin(fake, "POST", "/graphql");
    fake->exchange.authority = OMS_STR("orders.example:8080");
    if (origin)
        fake_header(fake, "origin", origin);
    assert_false(http_cors_begin(cors, &fake->exchange, METHODS));
    bool fine = http_cors_check(cors, &fake->exchange, tenant);
    assert_int_equal(fake->answers, fine ? 0 : 1);
    if (fine)
        http_respond(&fake->exchange, 200, "text/plain", NULL, 0);
    else
        assert_int_equal(fake->status, 403);
    return fine;
}

static void test_request_by_its_tenant(void **state)
{
    (void)state;
    struct http_cors *cors = two_tenants();
    struct fake_exchange fake;
    assert_true(request(cors, &fake, SHOP, 1));
    assert_string_equal(fake_answer(&fake, "access-control-allow-origin"), SHOP);
    assert_string_equal(fake_answer(&fake, "access-control-expose-headers"), "Retry-After");
    fake_end(&fake);
    assert_true(request(cors, &fake, SHOP, 2));
    fake_end(&fake);
    /* In the union, but not the tenant's. */
    assert_false(request(cors, &fake, OTHER, 1));
    assert_null(fake_answer(&fake, "access-control-allow-origin"));
    fake_end(&fake);
    assert_false(request(cors, &fake, SHOP, 3));
    fake_end(&fake);
    assert_false(request(cors, &fake, "null", 1));
    fake_end(&fake);
    /* No browser. */
    assert_true(request(cors, &fake, NULL, 3));
    assert_null(fake_answer(&fake, "access-control-allow-origin"));
    assert_string_equal(fake_answer(&fake, "vary"), "Origin");
    fake_end(&fake);
    /* A page of this server, whatever the scheme in front of a proxy. */
    assert_true(request(cors, &fake, "https://orders.example:8080", 3));
    fake_end(&fake);
    assert_false(request(cors, &fake, "https://orders.example", 3));
    fake_end(&fake);
    http_cors_destroy(cors);
}

static void test_withdrawal_counts(void **state)
{
    (void)state;
    struct http_cors *cors = two_tenants();
    struct fake_exchange fake;
    http_cors_set(cors, 2, NULL, 0);
    preflight(cors, &fake, OTHER, true);
    assert_int_equal(fake.status, 403);
    fake_end(&fake);
    preflight(cors, &fake, SHOP, true); /* tenant 1 still names it */
    assert_int_equal(fake.status, 204);
    fake_end(&fake);
    http_cors_set(cors, 1, NULL, 0);
    preflight(cors, &fake, SHOP, true);
    assert_int_equal(fake.status, 403);
    fake_end(&fake);
    http_cors_destroy(cors);
}

static void test_stars(void **state)
{
    (void)state;
    struct fake_exchange fake;
    struct http_cors *dev = http_cors_create(true);
    assert_true(request(dev, &fake, "https://anything.example", 7));
    assert_string_equal(fake_answer(&fake, "access-control-allow-origin"), "*");
    assert_null(fake_answer(&fake, "vary"));
    fake_end(&fake);
    http_cors_destroy(dev);

    const struct oms_str star = OMS_STR("*");
    struct http_cors *cors = http_cors_create(false);
    http_cors_set(cors, 1, &star, 1);
    assert_true(request(cors, &fake, SHOP, 1));
    assert_string_equal(fake_answer(&fake, "access-control-allow-origin"), SHOP);
    fake_end(&fake);
    assert_false(request(cors, &fake, SHOP, 2));
    fake_end(&fake);
    http_cors_destroy(cors);
}

static void test_many_tenants(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    char text[64];
    struct fake_exchange fake;
    struct http_cors *cors = http_cors_create(false);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 1; i <= COUNT; i++) {
            snprintf(text, sizeof(text), "https://t%u.example:%u", i, round + 1);
            const struct oms_str origin = oms_str_of(text);
            http_cors_set(cors, i, &origin, 1);
        }
    }
    assert_true(request(cors, &fake, "https://t1234.example:2", 1234));
    fake_end(&fake);
    assert_false(request(cors, &fake, "https://t1234.example:1", 1234));
    fake_end(&fake);
    assert_false(request(cors, &fake, "https://t1234.example:2", 1235));
    fake_end(&fake);
    http_cors_destroy(cors);
}

static void test_origin_form(void **state)
{
    (void)state;
    static const char *const good[] = {"*",
                                       "https://a",
                                       "http://a.b-c.example:8080",
                                       "http://[::1]:3000",
                                       "https://[2001:db8::1]",
                                       "capacitor://localhost",
                                       "http://127.0.0.1"};
    static const char *const bad[] = {"",
                                      "null",
                                      "https://",
                                      "https://A.example",
                                      "a.example",
                                      "https://a/",
                                      "https://a?x",
                                      "https://a:",
                                      "https://a:123456",
                                      "https://u@a",
                                      "https://a b",
                                      "://a",
                                      "https://[",
                                      "https://[]"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(http_cors_origin_valid(oms_str_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(http_cors_origin_valid(oms_str_of(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preflight_by_union),
        cmocka_unit_test(test_options_without_preflight),
        cmocka_unit_test(test_request_by_its_tenant),
        cmocka_unit_test(test_withdrawal_counts),
        cmocka_unit_test(test_stars),
        cmocka_unit_test(test_many_tenants),
        cmocka_unit_test(test_origin_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
