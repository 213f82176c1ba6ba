/*
 * The keeper of published keys and the requests that wait for it, under a simulated host: time passes only
 * here, and the provider is a function that answers what the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>

#include "http/auth/authenticate.h"
#include "http_fixture.h"
#include "runtime/base/alloc.h"
#include "runtime/base/encoding.h"
#include "runtime/host_sim.h"
#include "runtime/shard.h"

#define START_MS INT64_C(1800000000000)
#define SHARDS   2
#define STEPS    100000
#define CROWD    (OMS_JWKS_WAITING_MAX + 20)

/* What the provider does. */
static struct {
    const char *document; /* NULL: it fails */
    int64_t ttl_ms;
    unsigned fetches;
} provider;

static struct rt_host *host;
static struct http_jwks *jwks;
static struct http_auth auths[SHARDS];
static struct http_issuer issuer;
static struct http_issuer_set issuers;
static EVP_PKEY *key;
static char *both, *only_a, *only_b; /* documents */
static unsigned resumed;
static const struct http_claims *resumed_claims;

/* ---- the world ---- */

static enum oms_status fetch(const struct http_issuer *of, const atomic_bool *stop, struct oms_buf *document,
                             int64_t *ttl_ms, struct oms_error *error)
{
    assert_ptr_equal(of, &issuer);
    if (atomic_load(stop))
        return oms_error_set(error, OMS_CLOSED, "the server stops");
    provider.fetches++;
    *ttl_ms = provider.ttl_ms;
    if (!provider.document)
        return oms_error_set(error, OMS_IO, "it does not answer");
    oms_buf_append_str(document, oms_str_of(provider.document));
    return OMS_OK;
}

static void on_news(void *context, struct rt_shard *shard, const struct http_jwks_news *news)
{
    (void)context;
    http_auth_news(&auths[rt_shard_index(shard)], news);
}

static void add_number(struct oms_buf *out, const char *param, const char *name)
{
    BIGNUM *number = NULL;
    unsigned char data[512];
    assert_int_equal(EVP_PKEY_get_bn_param(key, param, &number), 1);
    oms_buf_appendf(out, ",\"%s\":\"", name);
    oms_base64url_encode(out, data, (size_t)BN_bn2bin(number, data));
    oms_buf_append_char(out, '"');
    BN_free(number);
}

/* The key under each of the names. */
static char *document(const char *first, const char *second)
{
    struct oms_buf out;
    oms_buf_init(&out, 1u << 16);
    oms_buf_append_lit(&out, "{\"keys\":[");
    for (const char *kid = first; kid; kid = kid == first ? second : NULL) {
        oms_buf_appendf(&out, "%s{\"kty\":\"RSA\",\"kid\":\"%s\"", kid == first ? "" : ",", kid);
        add_number(&out, OSSL_PKEY_PARAM_RSA_N, "n");
        add_number(&out, OSSL_PKEY_PARAM_RSA_E, "e");
        oms_buf_append_char(&out, '}');
    }
    oms_buf_append_lit(&out, "]}");
    char *text = oms_str_dup(oms_buf_str(&out));
    oms_buf_fini(&out);
    return text;
}

static void run(int64_t ms)
{
    int64_t end_ms = rt_now_ms(host) + ms;
    rt_host_sim_run(host, STEPS, ms);
    if (rt_now_ms(host) < end_ms)
        rt_host_sim_advance(host, end_ms - rt_now_ms(host));
    rt_host_sim_run(host, STEPS, 0);
}

static int set_up(void **state)
{
    static const struct oms_str audience = {"a", 1};
    struct oms_error error;
    (void)state;
    key = fixture_key("RSA");
    both = document("a", "b");
    only_a = document("a", NULL);
    only_b = document("b", NULL);
    provider.document = only_a;
    provider.ttl_ms = OMS_JWKS_TTL_MS;
    provider.fetches = resumed = 0;
    resumed_claims = NULL;
    issuer = (struct http_issuer){
        .issuer = OMS_STR("i"),
        .audiences = &audience,
        .audience_count = 1,
        .algorithms = 1u << HTTP_ALG_RS256,
        .jwks = {.url = OMS_STR("https://i/keys"), .refetch_interval_s = 5, .stale_s = 24 * 3600},
        .any_tenant = true,
        .any_role = true};
    http_issuer_default_claims(&issuer);
    issuers = (struct http_issuer_set){.items = {&issuer}, .count = 1};
    host =
        rt_host_sim_create(&(struct rt_host_sim_config){.seed = 3, .shards = SHARDS, .start_ms = START_MS});
    const struct http_jwks_config config = {
        .host = host, .issuers = &issuers, .fetch = fetch, .on_news = on_news};
    jwks = http_jwks_create(&config);
    assert_non_null(jwks);
    for (unsigned i = 0; i < SHARDS; i++) {
        http_auth_init(&auths[i], host, &issuers, OMS_STR_NONE, 64);
        http_auth_use_keeper(&auths[i], jwks, host->shards[i]);
    }
    assert_int_equal(host->ops->start(host, &error), OMS_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_jwks_stop(jwks);
    host->ops->stop(host);
    for (unsigned i = 0; i < SHARDS; i++)
        http_auth_fini(&auths[i]);
    host->ops->destroy(host);
    http_jwks_destroy(jwks);
    EVP_PKEY_free(key);
    oms_free(both);
    oms_free(only_a);
    oms_free(only_b);
    return 0;
}

/* ---- requests ---- */

static void known(struct http_exchange *exchange, void *context, const struct http_claims *claims)
{
    struct fake_exchange *fake = (struct fake_exchange *)exchange;
    (void)context;
    assert_int_equal(fake->answers, 0);
    resumed++;
    http_claims_release(claims);
    exchange->handler_data = fake; /* for the test: it went on */
}

struct asked {
    struct fake_exchange fake;
    char header[2048];
};

static void write_header(char out[2048], const char *kid)
{
    char head[128], payload[128];
    snprintf(head, sizeof(head), "{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid);
    snprintf(payload, sizeof(payload), "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"u\",\"exp\":%lld}",
             (long long)(rt_now_ms(host) / 1000 + 400 * 24 * 3600));
    char *token = fixture_token("RS256", key, OMS_STR_NONE, head, payload);
    snprintf(out, 2048, "Bearer %s", token);
    oms_free(token);
}

/* True when the sender was known at once. */
static bool send_header(struct asked *asked, unsigned shard, bool may_wait)
{
    static const struct http_auth_resume resume = {known, NULL};
    fake_begin(&asked->fake, "POST", "/graphql");
    fake_header(&asked->fake, "authorization", asked->header);
    const struct http_claims *claims =
        http_authenticate_or_wait(&auths[shard], &asked->fake.exchange, may_wait ? &resume : NULL);
    http_claims_release(claims);
    return claims != NULL;
}

static bool ask(struct asked *asked, unsigned shard, const char *kid)
{
    write_header(asked->header, kid);
    return send_header(asked, shard, true);
}

/* The status that a request gets, after as long as it takes: 0 when it went on. */
static unsigned told(unsigned shard, const char *kid)
{
    struct asked asked;
    bool fine = ask(&asked, shard, kid);
    if (!fine && !asked.fake.answers)
        run(OMS_JWKS_WAIT_MS + 1000);
    unsigned status = asked.fake.status;
    assert_int_equal(asked.fake.answers, !fine && !asked.fake.exchange.handler_data);
    fake_end(&asked.fake);
    return status;
}

/* ---- tests ---- */

static void test_fetched_at_the_start(void **state)
{
    (void)state;
    run(1000);
    assert_int_equal(provider.fetches, 1);
    for (unsigned i = 0; i < SHARDS; i++)
        assert_int_equal(told(i, "a"), 0);
    assert_int_equal(resumed, 0); /* nobody waited */
    assert_int_equal(provider.fetches, 1);
}

static void test_before_the_first_answer(void **state)
{
    struct asked asked;
    (void)state;
    assert_false(ask(&asked, 1, "a"));
    assert_int_equal(asked.fake.answers, 0);
    run(OMS_JWKS_WAIT_MS);
    assert_int_equal(resumed, 1);
    fake_end(&asked.fake);
}

static void test_rotation(void **state)
{
    struct asked crowd[20];
    (void)state;
    run(10000);
    assert_int_equal(told(0, "a"), 0);
    provider.document = both;
    for (unsigned i = 0; i < 20; i++)
        assert_false(ask(&crowd[i], i % SHARDS, "b"));
    run(OMS_JWKS_WAIT_MS);
    assert_int_equal(resumed, 20);
    assert_true(provider.fetches <= 3);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(crowd[i].fake.answers, 0);
        fake_end(&crowd[i].fake);
    }
    assert_int_equal(told(1, "a"), 0);
    /* A withdrawn key: tokens that were cached count no more, the others' do. */
    struct asked cached;
    write_header(cached.header, "a");
    assert_true(send_header(&cached, 0, true));
    fake_end(&cached.fake);
    provider.document = only_b;
    run(2 * OMS_JWKS_TTL_MS);
    assert_false(send_header(&cached, 0, true));
    run(OMS_JWKS_WAIT_MS);
    assert_int_equal(cached.fake.status, 401);
    fake_end(&cached.fake);
    assert_int_equal(told(0, "b"), 0);
}

static void test_unknown_kids(void **state)
{
    char kid[32];
    (void)state;
    run(10000);
    unsigned before = provider.fetches;
    int64_t begin_ms = rt_now_ms(host);
    assert_int_equal(told(0, "x"), 401);
    assert_int_equal(provider.fetches, before + 1);
    int64_t now = rt_now_ms(host);
    assert_int_equal(told(0, "x"), 401);
    assert_true(rt_now_ms(host) == now); /* at once, without looking again */
    assert_int_equal(provider.fetches, before + 1);
    for (unsigned i = 0; i < 30; i++) {
        struct asked asked;
        snprintf(kid, sizeof(kid), "x%u", i);
        assert_false(ask(&asked, i % SHARDS, kid));
        run(1000);
        if (!asked.fake.answers)
            run(OMS_JWKS_WAIT_MS);
        assert_int_equal(asked.fake.status, 401);
        fake_end(&asked.fake);
    }
    assert_true(provider.fetches - before <= (uint64_t)(rt_now_ms(host) - begin_ms) / 5000 + 1);
    /* One that was not there comes to be. */
    provider.document = both;
    run(OMS_JWKS_UNKNOWN_MS);
    assert_int_equal(told(1, "b"), 0);
}

static void test_the_provider_fails(void **state)
{
    (void)state;
    run(10000);
    provider.document = NULL;
    assert_int_equal(told(0, "b"), 503);
    assert_int_equal(told(0, "a"), 0); /* what is known goes on */
    int64_t now = rt_now_ms(host);
    assert_int_equal(told(0, "b"), 503);
    assert_true(rt_now_ms(host) == now); /* at once, while it is known to fail */
    provider.document = "nonsense";
    run(60000);
    assert_int_equal(told(1, "a"), 0);
    provider.document = both;
    run(OMS_JWKS_RETRY_MAX_MS * 2);
    assert_int_equal(told(0, "b"), 0);
}

static void test_stale_keys(void **state)
{
    (void)state;
    run(10000);
    assert_int_equal(told(0, "a"), 0);
    provider.document = NULL;
    run(23ll * 3600 * 1000);
    assert_int_equal(told(0, "a"), 0);
    unsigned fetches = provider.fetches;
    assert_in_range(fetches, 23 * 45, 23 * 60 + 10); /* about one a minute */
    run(2ll * 3600 * 1000);
    assert_int_equal(told(0, "a"), 503);
    provider.document = only_a;
    run(2 * OMS_JWKS_RETRY_MAX_MS);
    assert_int_equal(told(0, "a"), 0);
}

static void test_grows_old(void **state)
{
    (void)state;
    provider.ttl_ms = OMS_JWKS_TTL_MIN_MS;
    run(10 * OMS_JWKS_TTL_MIN_MS);
    assert_in_range(provider.fetches, 9, 11);
}

static void test_who_cannot_wait(void **state)
{
    static struct asked crowd[CROWD];
    struct asked asked;
    unsigned waiting = 0;
    (void)state;
    run(10000);
    write_header(asked.header, "y");
    assert_false(send_header(&asked, 0, false));
    assert_int_equal(asked.fake.status, 503);
    fake_end(&asked.fake);
    run(OMS_JWKS_WAIT_MS);
    provider.document = both;
    for (unsigned i = 0; i < CROWD; i++) {
        strcpy(crowd[i].header, i ? crowd[0].header : "");
        if (!i)
            write_header(crowd[i].header, "b");
        assert_false(send_header(&crowd[i], 0, true));
        waiting += !crowd[i].fake.answers;
        assert_true(!crowd[i].fake.answers || crowd[i].fake.status == 503);
    }
    assert_int_equal(waiting, OMS_JWKS_WAITING_MAX);
    /* The first of them goes away: what it asked must not run. */
    crowd[0].fake.exchange.gone = true;
    run(OMS_JWKS_WAIT_MS);
    assert_int_equal(resumed, OMS_JWKS_WAITING_MAX - 1);
    for (unsigned i = 0; i < CROWD; i++)
        fake_end(&crowd[i].fake);
}

static void test_stopping(void **state)
{
    struct asked asked;
    (void)state;
    run(10000);
    assert_false(ask(&asked, 1, "b"));
    http_jwks_stop(jwks);
    rt_host_sim_run(host, STEPS, 0);
    assert_int_equal(asked.fake.status, 503);
    fake_end(&asked.fake);
    assert_int_equal(told(1, "c"), 503);
    assert_int_equal(told(1, "a"), 0);
    unsigned fetches = provider.fetches;
    run(2 * OMS_JWKS_TTL_MS);
    assert_int_equal(provider.fetches, fetches);
}

static void test_metrics(void **state)
{
    struct oms_buf out;
    (void)state;
    run(10000);
    (void)told(0, "x");
    oms_buf_init(&out, 1u << 16);
    http_jwks_write_metrics(jwks, &out);
    oms_buf_append_char(&out, '\0');
    assert_non_null(strstr(out.data, "liteoms_jwks_fetches_total{issuer=\"i\"} 2\n"));
    assert_non_null(strstr(out.data, "liteoms_jwks_unknown_kids_total{issuer=\"i\"} 1\n"));
    assert_non_null(strstr(out.data, "liteoms_jwks_keys{issuer=\"i\"} 1\n"));
    oms_buf_fini(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_fetched_at_the_start),
        TEST(test_before_the_first_answer),
        TEST(test_rotation),
        TEST(test_unknown_kids),
        TEST(test_the_provider_fails),
        TEST(test_stale_keys),
        TEST(test_grows_old),
        TEST(test_who_cannot_wait),
        TEST(test_stopping),
        TEST(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
