/* From the Authorization header to claims: the answers 401, the cache, and that no token shows anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/auth/authenticate.h"
#include "http_fixture.h"
#include "runtime/base/alloc.h"
#include "runtime/host.h"

#define NOW_MS INT64_C(1800000000000)
#define SECRET "0123456789abcdef0123456789abcdef"

static int64_t clock_ms = NOW_MS;

static int64_t now_ms(struct rt_host *host)
{
    (void)host;
    return clock_ms;
}

static const struct rt_host_ops host_ops = {.now_ms = now_ms};
static struct rt_host host = {.ops = &host_ops};
static struct http_issuer issuer;
static struct http_issuer_set set = {.items = {&issuer}, .count = 1};
static struct http_auth auth;

static int set_up(void **state)
{
    static const struct oms_str audience = {"a", 1};
    (void)state;
    clock_ms = NOW_MS;
    issuer = (struct http_issuer){.issuer = OMS_STR("i"),
                                  .audiences = &audience,
                                  .audience_count = 1,
                                  .algorithms = 1u << HTTP_ALG_HS256,
                                  .keys = {{.kind = HTTP_KEY_HMAC, .material = OMS_STR(SECRET)}},
                                  .key_count = 1,
                                  .any_tenant = true,
                                  .any_role = true};
    http_issuer_default_claims(&issuer);
    http_auth_init(&auth, &host, &set, OMS_STR_NONE, 8);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_auth_fini(&auth);
    return 0;
}

static char *make_token(const char *payload)
{
    return fixture_token("HS256", NULL, OMS_STR(SECRET), "{\"alg\":\"HS256\"}", payload);
}

/* The header's value; NULL: no header. */
static const struct http_claims *ask(struct fake_exchange *fake, const char *header)
{
    fake_begin(fake, "POST", "/graphql");
    if (header)
        fake_header(fake, "authorization", header);
    const struct http_claims *claims = http_authenticate(&auth, &fake->exchange);
    assert_int_equal(fake->answers, claims ? 0 : 1);
    return claims;
}

static void assert_refused(const char *header, const char *challenge)
{
    struct fake_exchange fake;
    assert_null(ask(&fake, header));
    assert_int_equal(fake.status, 401);
    assert_string_equal(fake_answer(&fake, "www-authenticate"), challenge);
    assert_non_null(strstr(fake.body, "\"code\":\"UNAUTHENTICATED\""));
    fake_end(&fake);
}

#define CHALLENGE(text) "Bearer realm=\"liteoms\", error=\"invalid_token\", error_description=\"" text "\""
#define MALFORMED       CHALLENGE("the bearer token is not a valid JSON Web Token")

static void test_refusals(void **state)
{
    (void)state;
    assert_refused(NULL, "Bearer realm=\"liteoms\"");
    assert_refused("", MALFORMED);
    assert_refused("Bearer", MALFORMED);
    assert_refused("Bearer ", MALFORMED);
    assert_refused("Basic dXNlcjpwYXNz", MALFORMED);
    assert_refused("Bearer not-a-token", MALFORMED);
    assert_refused("Bearer a.b.c d", MALFORMED);
}

static void test_two_headers(void **state)
{
    struct fake_exchange fake;
    char header[1024];
    (void)state;
    char *token = make_token("{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"u\",\"exp\":1800000300}");
    snprintf(header, sizeof(header), "Bearer %s", token);
    fake_begin(&fake, "POST", "/graphql");
    fake_header(&fake, "authorization", header);
    fake_header(&fake, "authorization", "Bearer other");
    assert_null(http_authenticate(&auth, &fake.exchange));
    assert_int_equal(fake.status, 401);
    fake_end(&fake);
    oms_free(token);
}

static void test_cached_until_it_expires(void **state)
{
    struct fake_exchange fake;
    char header[1024];
    (void)state;
    char *token =
        make_token("{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"u\",\"exp\":1800000300,\"tenant_id\":\"shop\"}");
    const char *schemes[] = {"Bearer", "bearer", "BEARER "};
    for (size_t i = 0; i < 3; i++) {
        snprintf(header, sizeof(header), "%s %s", schemes[i], token);
        const struct http_claims *claims = ask(&fake, header);
        assert_non_null(claims);
        assert_true(oms_str_eq_c(claims->subject, "u"));
        struct oms_str tenant;
        assert_int_equal(http_auth_tenant(&auth, &fake.exchange, claims, OMS_STR_NONE, &tenant),
                         HTTP_TENANT_FINE);
        assert_true(oms_str_eq_c(tenant, "shop"));
        http_claims_release(claims);
        fake_end(&fake);
    }
    struct http_token_cache_stats stats = http_token_cache_stats(auth.cache);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.hits, 2);
    clock_ms = NOW_MS + 360000; /* the last moment, skew included */
    http_claims_release(ask(&fake, header));
    fake_end(&fake);
    snprintf(header, sizeof(header), "Bearer %s", token);
    /* Whole seconds decide in the verification: the token itself counts to the end of that second. */
    clock_ms = NOW_MS + 361000;
    assert_refused(header, CHALLENGE("the bearer token has expired"));
    oms_free(token);
}

static void test_failures_are_not_cached(void **state)
{
    char header[1024];
    (void)state;
    char *token =
        make_token("{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"u\",\"nbf\":1800000120,\"exp\":1800000300}");
    snprintf(header, sizeof(header), "Bearer %s", token);
    assert_refused(header, CHALLENGE("the bearer token is not valid yet"));
    clock_ms += 60000;
    struct fake_exchange fake;
    const struct http_claims *claims = ask(&fake, header);
    assert_non_null(claims);
    http_claims_release(claims);
    fake_end(&fake);
    oms_free(token);
}

static void test_tenant_header(void **state)
{
    struct fake_exchange fake;
    char header[1024];
    struct oms_str tenant;
    (void)state;
    char *token = make_token(
        "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"u\",\"exp\":1800000300,\"tenant_id\":[\"x\",\"y\"]}");
    snprintf(header, sizeof(header), "Bearer %s", token);
    fake_begin(&fake, "POST", "/graphql");
    fake_header(&fake, "authorization", header);
    fake_header(&fake, "x-tenant-id", "y");
    const struct http_claims *claims = http_authenticate(&auth, &fake.exchange);
    assert_non_null(claims);
    assert_int_equal(http_auth_tenant(&auth, &fake.exchange, claims, OMS_STR_NONE, &tenant),
                     HTTP_TENANT_FINE);
    assert_true(oms_str_eq_c(tenant, "y"));
    assert_int_equal(http_auth_tenant(&auth, &fake.exchange, claims, OMS_STR("x"), &tenant),
                     HTTP_TENANT_CONFLICT);
    http_claims_release(claims);
    fake_end(&fake);
    oms_free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cached_until_it_expires, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures_are_not_cached, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tenant_header, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
