/* Published keys: which keys of a document count, every way in which one does not, and what a set is good
 * for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "http/auth/jwks.h"
#include "http/auth/jwks_fetch.h"
#include "http/auth/jwks_url.h"
#include "http/auth/token.h"
#include "http_fixture.h"
#include "runtime/base/alloc.h"
#include "runtime/base/encoding.h"

#define NOW_S INT64_C(1800000000)
#define ALL                                                                                                  \
    (1u << HTTP_ALG_RS256 | 1u << HTTP_ALG_RS512 | 1u << HTTP_ALG_ES256 | 1u << HTTP_ALG_ES384 |             \
     1u << HTTP_ALG_ES512)

static EVP_PKEY *rsa, *p256, *p384, *p521;
static struct oms_buf text;

static int set_up(void **state)
{
    (void)state;
    rsa = fixture_key("RSA");
    p256 = fixture_key("P-256");
    p384 = fixture_key("P-384");
    p521 = fixture_key("P-521");
    oms_buf_init(&text, 1u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p521);
    oms_buf_fini(&text);
    return 0;
}

/* ---- writing documents ---- */

/* "name":"base64url", with `bytes` bytes (0: as many as needed). */
static void add_number(EVP_PKEY *key, const char *param, const char *name, size_t bytes)
{
    BIGNUM *number = NULL;
    unsigned char data[2048];
    assert_int_equal(EVP_PKEY_get_bn_param(key, param, &number), 1);
    int len = bytes ? BN_bn2binpad(number, data, (int)bytes) : BN_bn2bin(number, data);
    oms_buf_appendf(&text, ",\"%s\":\"", name);
    oms_base64url_encode(&text, data, (size_t)len);
    oms_buf_append_char(&text, '"');
    BN_free(number);
}

/* The key with `more` members (",\"kid\":\"a\""). */
static void add_jwk(EVP_PKEY *key, const char *more)
{
    static const struct {
        int bits;
        const char *name;
        size_t bytes;
    } curves[] = {{256, "P-256", 32}, {384, "P-384", 48}, {521, "P-521", 66}};
    if (EVP_PKEY_is_a(key, "RSA")) {
        oms_buf_append_lit(&text, "{\"kty\":\"RSA\"");
        add_number(key, OSSL_PKEY_PARAM_RSA_N, "n", 0);
        add_number(key, OSSL_PKEY_PARAM_RSA_E, "e", 0);
    } else {
        size_t i = 0;
        while (curves[i].bits != EVP_PKEY_get_bits(key))
            i++;
        oms_buf_appendf(&text, "{\"kty\":\"EC\",\"crv\":\"%s\"", curves[i].name);
        add_number(key, OSSL_PKEY_PARAM_EC_PUB_X, "x", curves[i].bytes);
        add_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", curves[i].bytes);
    }
    oms_buf_appendf(&text, "%s}", more);
}

static void begin(void)
{
    oms_buf_reset(&text);
    oms_buf_append_lit(&text, "{\"keys\":[");
}

static const struct http_key_set *end(unsigned algorithms)
{
    struct oms_error error;
    oms_buf_append_lit(&text, "]}");
    return http_jwks_parse(oms_buf_str(&text), algorithms, &error);
}

static const struct http_key_set *set_of(EVP_PKEY *key, const char *more, unsigned algorithms)
{
    begin();
    add_jwk(key, more);
    return end(algorithms);
}

/* ---- keys ---- */

/* A token that the key signed is good with the set, and with no other algorithm's header. */
static void assert_verifies(const struct http_key_set *keys, const char *algorithm, EVP_PKEY *key,
                            const char *kid, enum http_token_fault wanted)
{
    static const struct oms_str audience = {"a", 1};
    struct http_issuer issuer = {.issuer = OMS_STR("i"),
                                 .audiences = &audience,
                                 .audience_count = 1,
                                 .algorithms = ALL,
                                 .jwks = {.url = OMS_STR("https://i/keys")},
                                 .any_tenant = true,
                                 .any_role = true};
    struct http_issuer_set set = {.items = {&issuer}, .fetched = {keys}, .count = 1};
    char header[512], payload[128];
    enum http_token_fault fault;
    http_issuer_default_claims(&issuer);
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"at+jwt\"%s%s%s}", algorithm,
             kid ? ",\"kid\":\"" : "", kid ? kid : "", kid ? "\"" : "");
    snprintf(payload, sizeof(payload), "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"u\",\"exp\":%lld}",
             (long long)NOW_S + 60);
    char *token = fixture_token(algorithm, key, OMS_STR_NONE, header, payload);
    struct http_claims *claims = http_token_verify(&set, oms_str_of(token), NOW_S * 1000, &fault);
    if (fault != wanted)
        print_error("%s with %s: %s\n", algorithm, header, http_token_fault_name(fault));
    assert_int_equal(fault, wanted);
    if (claims)
        assert_int_equal(claims->key_mark, keys->keys[0].mark);
    http_claims_release(claims);
    oms_free(token);
}

static void test_each_kind(void **state)
{
    const struct {
        EVP_PKEY *key;
        const char *algorithm;
        enum http_key_kind kind;
    } cases[] = {{rsa, "RS256", HTTP_KEY_RSA},
                 {p256, "ES256", HTTP_KEY_P256},
                 {p384, "ES384", HTTP_KEY_P384},
                 {p521, "ES512", HTTP_KEY_P521}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const struct http_key_set *set = set_of(cases[i].key, ",\"kid\":\"a\",\"use\":\"sig\"", ALL);
        assert_non_null(set);
        assert_int_equal(set->count, 1);
        assert_int_equal(set->keys[0].kind, cases[i].kind);
        char *pem = fixture_public_pem(cases[i].key);
        assert_true(oms_str_eq_c(set->keys[0].material, pem));
        oms_free(pem);
        assert_verifies(set, cases[i].algorithm, cases[i].key, "a", HTTP_TOKEN_FINE);
        assert_verifies(set, cases[i].algorithm, cases[i].key, NULL, HTTP_TOKEN_FINE);
        assert_verifies(set, cases[i].algorithm, cases[i].key, "b", HTTP_TOKEN_KEY_UNKNOWN);
        http_key_set_release(set);
    }
    assert_verifies(NULL, "RS256", rsa, "a", HTTP_TOKEN_KEY_UNKNOWN);
}

static void test_what_a_key_is_for(void **state)
{
    static const struct {
        const char *more;
        bool counts;
    } cases[] = {
        {"", true},
        {",\"use\":\"sig\"", true},
        {",\"use\":\"enc\"", false},
        {",\"use\":7", false},
        {",\"use\":null", false},
        {",\"key_ops\":[\"verify\"]", true},
        {",\"key_ops\":[7,\"verify\"]", true},
        {",\"key_ops\":[]", false},
        {",\"key_ops\":[\"sign\",\"encrypt\"]", false},
        {",\"key_ops\":\"verify\"", false},
        {",\"use\":\"enc\",\"key_ops\":[\"verify\"]", false},
        {",\"alg\":\"RS256\"", true},
        {",\"alg\":\"RS384\"", false}, /* not the issuer's */
        {",\"alg\":\"PS256\"", false},
        {",\"alg\":\"ES256\"", false}, /* not the key's */
        {",\"alg\":\"HS256\"", false},
        {",\"alg\":\"none\"", false},
        {",\"alg\":7", false},
        {",\"kid\":\"\"", false},
        {",\"kid\":7", false},
        {",\"kid\":\"a\\nb\"", false},
        {",\"d\":\"AQAB\"", false},
        {",\"k\":\"AQAB\"", false},
        {",\"p\":null", false},
        {",\"x5c\":[\"AAAA\"],\"unknown\":{\"a\":[1]}", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct http_key_set *set = set_of(rsa, cases[i].more, ALL);
        assert_non_null(set);
        if (set->count != cases[i].counts)
            print_error("%s: %zu keys\n", cases[i].more, set->count);
        assert_int_equal(set->count, cases[i].counts);
        assert_int_equal(set->skipped, !cases[i].counts);
        assert_int_equal(set->skipped_why != NULL, !cases[i].counts);
        http_key_set_release(set);
    }
    /* A key's own algorithm binds it. */
    const struct http_key_set *set = set_of(rsa, ",\"alg\":\"RS512\"", ALL);
    assert_verifies(set, "RS512", rsa, NULL, HTTP_TOKEN_FINE);
    assert_verifies(set, "RS256", rsa, NULL, HTTP_TOKEN_KEY_UNKNOWN);
    http_key_set_release(set);
    set = set_of(p256, "", 1u << HTTP_ALG_RS256);
    assert_int_equal(set->count, 0);
    http_key_set_release(set);
    char more[OMS_JWKS_KID_BYTES_MAX + 32];
    for (int extra = 0; extra < 2; extra++) {
        snprintf(more, sizeof(more), ",\"kid\":\"%0*d\"", OMS_JWKS_KID_BYTES_MAX + extra, 1);
        set = set_of(rsa, more, ALL);
        assert_int_equal(set->count, !extra);
        http_key_set_release(set);
    }
}

static void test_malformed_keys(void **state)
{
#define X "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define Y "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
    static const char *const keys[] = {
        "7",
        "null",
        "\"RSA\"",
        "[]",
        "{}",
        "{\"kty\":7}",
        "{\"kty\":\"rsa\"}",
        "{\"kty\":\"oct\",\"k\":\"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYw\",\"alg\":\"HS256\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        "{\"kty\":\"RSA\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":7,\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"\"}",
        "{\"kty\":\"EC\"}",
        "{\"kty\":\"EC\",\"crv\":7,\"x\":\"" X "\",\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" X "\"}", /* off the curve */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "=\",\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "AA\",\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
        "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        begin();
        oms_buf_appendf(&text, "%s", keys[i]);
        const struct http_key_set *set = end(ALL);
        assert_non_null(set);
        if (set->count)
            print_error("taken: %s\n", keys[i]);
        assert_int_equal(set->count, 0);
        assert_int_equal(set->skipped, 1);
        http_key_set_release(set);
    }
    /* The example of RFC 7517 appendix A.1 as it is. */
    begin();
    oms_buf_append_lit(&text,
                       "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\",\"kid\":\"1\"}");
    const struct http_key_set *set = end(ALL);
    assert_int_equal(set->count, 1);
    http_key_set_release(set);
}

static void add_rsa(size_t bytes, unsigned char last, const char *e)
{
    unsigned char n[1100];
    memset(n, 0xd3, sizeof(n));
    n[bytes - 1] = last;
    oms_buf_append_lit(&text, "{\"kty\":\"RSA\",\"n\":\"");
    oms_base64url_encode(&text, n, bytes);
    oms_buf_appendf(&text, "\",\"e\":\"%s\"}", e);
}

static void test_weak_rsa(void **state)
{
    static const struct {
        size_t bytes;
        unsigned char last;
        const char *e;
    } cases[] = {
        {128, 0xd3, "AQAB"}, {255, 0xd3, "AQAB"},           {1025, 0xd3, "AQAB"},
        {256, 0xd2, "AQAB"}, /* even */ {256, 0xd3, "AQ"},  {256, 0xd3, "Ag"},
        {256, 0xd3, "AA"},   {256, 0xd3, "AQAAAAAAAAAAAQ"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        begin();
        add_rsa(cases[i].bytes, cases[i].last, cases[i].e);
        const struct http_key_set *set = end(ALL);
        assert_int_equal(set->count, 0);
        http_key_set_release(set);
    }
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    const struct http_key_set *set = set_of(weak, "", ALL);
    assert_int_equal(set->count, 0);
    http_key_set_release(set);
    EVP_PKEY_free(weak);
}

/* ---- documents ---- */

static void test_documents(void **state)
{
    static const struct {
        const char *document, *says;
    } cases[] = {
        {"", "no JSON"},
        {"{", "no JSON"},
        {"nonsense", "no JSON"},
        {"{\"keys\":[]} x", "no JSON"},
        {"{\"keys\":[],\"keys\":[]}", "no JSON"},
        {"\xff\xfe", "no JSON"},
        {"{\"keys\":[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]}", "no JSON"},
        {"null", "no list"},
        {"[]", "no list"},
        {"7", "no list"},
        {"{}", "no list"},
        {"{\"keys\":null}", "no list"},
        {"{\"keys\":{}}", "no list"},
        {"{\"Keys\":[]}", "no list"},
    };
    struct oms_error error;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_null(http_jwks_parse(oms_str_of(cases[i].document), ALL, &error));
        if (!strstr(error.message, cases[i].says))
            print_error("%s: %s\n", cases[i].document, error.message);
        assert_non_null(strstr(error.message, cases[i].says));
    }
    begin();
    const struct http_key_set *set = end(ALL);
    assert_non_null(set); /* no keys are keys: all are withdrawn */
    assert_int_equal(set->count, 0);
    http_key_set_release(set);
    for (unsigned extra = 0; extra < 2; extra++) {
        begin();
        for (unsigned i = 0; i < OMS_JWKS_KEYS_MAX + extra; i++)
            oms_buf_appendf(&text, "%s{}", i ? "," : "");
        set = end(ALL);
        assert_int_equal(set == NULL, extra);
        http_key_set_release(set);
    }
    begin();
    for (unsigned i = 0; text.len <= OMS_JWKS_BYTES_MAX; i++)
        oms_buf_append_lit(&text, "                                ");
    assert_null(end(ALL));
}

static void test_duplicates(void **state)
{
    (void)state;
    begin();
    add_jwk(rsa, ",\"kid\":\"a\"");
    oms_buf_append_char(&text, ',');
    add_jwk(rsa, ",\"kid\":\"a\""); /* the same again */
    oms_buf_append_char(&text, ',');
    add_jwk(p256, ",\"kid\":\"a\""); /* another of that name */
    oms_buf_append_char(&text, ',');
    add_jwk(rsa, ",\"kid\":\"b\""); /* another name of the first */
    const struct http_key_set *set = end(ALL);
    assert_int_equal(set->count, 3);
    assert_int_equal(set->skipped, 1);
    assert_verifies(set, "RS256", rsa, "a", HTTP_TOKEN_FINE);
    http_key_set_release(set);
}

static void test_sets_compared(void **state)
{
    (void)state;
    begin();
    add_jwk(rsa, ",\"kid\":\"a\"");
    oms_buf_append_char(&text, ',');
    add_jwk(p256, "");
    const struct http_key_set *one = end(ALL);
    begin();
    add_jwk(p256, "");
    oms_buf_append_char(&text, ',');
    add_jwk(rsa, ",\"kid\":\"a\"");
    const struct http_key_set *same = end(ALL);
    const struct http_key_set *other = set_of(rsa, ",\"kid\":\"b\"", ALL);
    assert_true(http_key_set_same(one, same));
    assert_false(http_key_set_same(one, other));
    assert_false(http_key_set_same(one, NULL));
    assert_true(http_key_set_same(NULL, NULL));
    assert_true(http_key_set_has(one, same->keys[0].mark));
    assert_false(http_key_set_has(one, other->keys[0].mark));
    assert_false(http_key_set_has(NULL, other->keys[0].mark));
    assert_false(http_key_set_has(one, 0)); /* configured keys have no mark */
    http_key_set_release(http_key_set_hold(one));
    http_key_set_release(one);
    http_key_set_release(same);
    http_key_set_release(other);
}

/* ---- where they come from ---- */

static void test_urls(void **state)
{
    static const struct {
        const char *url;
        bool fine, fine_with_http;
    } cases[] = {
        {"https://login.example/keys", true, true},
        {"https://login.example:8443/a/b?c=d", true, true},
        {"HTTPS://login.example/keys", true, true},
        {"http://127.0.0.1:8080/keys", true, true},
        {"http://127.8.9.1/keys", true, true},
        {"http://[::1]:8080/keys", true, true},
        {"http://localhost/keys", true, true},
        {"http://login.example/keys", false, true},
        {"http://127.0.0.1.evil.example/keys", false, true},
        {"http://localhost.evil.example/keys", false, true},
        {"http://10.0.0.1/keys", false, true},
        {"http://[::2]/keys", false, true},
        {"http://127.0.0.1@evil.example/keys", false, false},
        {"https://user:secret@login.example/keys", false, false},
        {"https://login.example/keys#part", false, false},
        {"file:///etc/passwd", false, false},
        {"ftp://login.example/keys", false, false},
        {"gopher://127.0.0.1/x", false, false},
        {"login.example/keys", false, false},
        {"https://", false, false},
        {"", false, false},
        {"https://login.example/a b", false, false},
        {"https://login.example/\r\nHost: x", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *why = http_jwks_url_fault(oms_str_of(cases[i].url), false);
        const char *why_http = http_jwks_url_fault(oms_str_of(cases[i].url), true);
        if (!why != cases[i].fine || !why_http != cases[i].fine_with_http)
            print_error("%s: %s / %s\n", cases[i].url, why, why_http);
        assert_int_equal(!why, cases[i].fine);
        assert_int_equal(!why_http, cases[i].fine_with_http);
    }
    assert_true(http_jwks_url_is_secure(OMS_STR("Https://x")));
    assert_false(http_jwks_url_is_secure(OMS_STR("http://x")));
    assert_false(http_jwks_url_is_secure(OMS_STR("http")));
}

static void test_cache_control(void **state)
{
    static const struct {
        const char *header;
        int64_t ttl_ms;
    } cases[] = {
        {NULL, OMS_JWKS_TTL_MS},
        {"", OMS_JWKS_TTL_MS},
        {"public", OMS_JWKS_TTL_MS},
        {"max-age=3600", 3600000},
        {"public, max-age=3600, must-revalidate", 3600000},
        {",Max-Age=3600", 3600000},
        {"max-age=\"3600\"", 3600000},
        {"max-age=0", OMS_JWKS_TTL_MIN_MS},
        {"max-age=10", OMS_JWKS_TTL_MIN_MS},
        {"max-age=99999999", OMS_JWKS_TTL_MAX_MS},
        {"max-age=99999999999999999999999999", OMS_JWKS_TTL_MAX_MS},
        {"max-age=-1", OMS_JWKS_TTL_MS},
        {"max-age=", OMS_JWKS_TTL_MS},
        {"max-age=abc", OMS_JWKS_TTL_MS},
        {"s-max-age=7200", OMS_JWKS_TTL_MS},
        {"max-age=3600, no-store", OMS_JWKS_TTL_MIN_MS},
        {"no-cache", OMS_JWKS_TTL_MIN_MS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(http_jwks_ttl_ms(oms_str_of(cases[i].header)), cases[i].ttl_ms);
}

static void test_discovery(void **state)
{
    static const struct {
        const char *document;
        const char *found;
    } cases[] = {
        {"{\"issuer\":\"https://i\",\"jwks_uri\":\"https://k/keys\"}", "https://k/keys"},
        {"{\"issuer\":\"https://i\",\"jwks_uri\":\"http://127.0.0.1/keys\"}", NULL}, /* out of TLS */
        {"{\"issuer\":\"https://i/\",\"jwks_uri\":\"https://k/keys\"}", NULL},
        {"{\"issuer\":\"https://j\",\"jwks_uri\":\"https://k/keys\"}", NULL},
        {"{\"jwks_uri\":\"https://k/keys\"}", NULL},
        {"{\"issuer\":\"https://i\"}", NULL},
        {"{\"issuer\":\"https://i\",\"jwks_uri\":[]}", NULL},
        {"{\"issuer\":\"https://i\",\"jwks_uri\":\"file:///etc/passwd\"}", NULL},
        {"[]", NULL},
        {"", NULL},
        {"nonsense", NULL},
    };
    struct http_issuer issuer = {.issuer = OMS_STR("https://i"),
                                 .jwks = {.url = OMS_STR("https://i/d"), .is_discovery = true}};
    struct oms_error error;
    struct oms_buf out;
    (void)state;
    oms_buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        oms_buf_reset(&out);
        enum oms_status status =
            http_jwks_read_discovery(oms_str_of(cases[i].document), &issuer, &out, &error);
        assert_int_equal(status == OMS_OK, cases[i].found != NULL);
        if (cases[i].found)
            assert_string_equal(out.data, cases[i].found);
    }
    oms_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind),      cmocka_unit_test(test_what_a_key_is_for),
        cmocka_unit_test(test_malformed_keys), cmocka_unit_test(test_weak_rsa),
        cmocka_unit_test(test_documents),      cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_sets_compared),  cmocka_unit_test(test_urls),
        cmocka_unit_test(test_cache_control),  cmocka_unit_test(test_discovery),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
