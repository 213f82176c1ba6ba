/* Issuers from settings: what is read, and each mistake with the place that its message names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/rsa.h>

#include "http/auth/dev_issuer.h"
#include "http/auth/issuer.h"
#include "http/auth/token.h"
#include "http_fixture.h"
#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"

#define NOW_MS INT64_C(1800000000000)

static struct oms_arena arena;
static struct http_issuer issuer;
static char message[512];
static char folder[64];

static int set_up(void **state)
{
    (void)state;
    oms_arena_init(&arena, 4096, 4u << 20);
    snprintf(folder, sizeof(folder), "/tmp/liteoms-issuer-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static void remove_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
}

static int tear_down(void **state)
{
    (void)state;
    oms_arena_fini(&arena);
    remove_file("key.pem");
    remove_file(HTTP_DEV_ISSUER_FILE);
    return rmdir(folder);
}

static bool parse(const char *json)
{
    struct oms_json_error fault;
    struct oms_error error = {OMS_OK, ""};
    struct oms_value value;
    assert_int_equal(oms_json_parse(oms_str_copy(&arena, oms_str_of(json)), 16, &arena, &value, &fault),
                     OMS_OK);
    bool fine = http_issuer_parse(&value, "issuers[0]", folder, &arena, &issuer, &error) == OMS_OK;
    snprintf(message, sizeof(message), "%s", error.message);
    return fine;
}

/* A PEM text inside a JSON string. */
static char *in_json(char *pem)
{
    struct oms_buf out;
    oms_buf_init(&out, 1u << 16);
    oms_json_write_string(&out, oms_str_of(pem));
    char *text = oms_str_dup(oms_buf_str(&out));
    oms_buf_fini(&out);
    oms_free(pem);
    return text;
}

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

#define COMMON                                                                                               \
    "\"issuer\":\"https://idp\",\"audience\":\"orders\",\"tenants\":\"*\",\"roles\":[\"staff\",\"admin\"]"

static void test_rsa_and_curves(void **state)
{
    char json[16384];
    (void)state;
    EVP_PKEY *rsa = fixture_key("RSA"), *curve = fixture_key("P-384");
    char *rsa_text = in_json(fixture_public_pem(rsa)), *curve_text = in_json(fixture_public_pem(curve));
    snprintf(json, sizeof(json),
             "{" COMMON ",\"algorithms\":[\"RS256\",\"RS384\",\"ES384\"],\"key\":%s,\"operator\":true,"
             "\"keys\":[{\"kid\":\"k2\",\"key\":%s}],\"claims\":{\"tenant_id\":\"org.id\",\"roles\":[\"a.b\","
             "[\"x.y\",\"z\"]]}}",
             rsa_text, curve_text);
    assert_true(parse(json));
    assert_int_equal(issuer.key_count, 2);
    assert_int_equal(issuer.keys[0].kind, HTTP_KEY_RSA);
    assert_false(oms_str_present(issuer.keys[0].kid));
    assert_int_equal(issuer.keys[1].kind, HTTP_KEY_P384);
    assert_true(oms_str_eq_c(issuer.keys[1].kid, "k2"));
    assert_true(issuer.any_tenant && !issuer.any_role && issuer.is_operator);
    assert_int_equal(issuer.role_count, 2);
    assert_int_equal(issuer.tenant.count, 2);
    assert_true(oms_str_eq_c(issuer.tenant.names[1], "id"));
    assert_int_equal(issuer.role_path_count, 2);
    assert_true(oms_str_eq_c(issuer.role_paths[1].names[0], "x.y"));
    assert_false(oms_str_present(issuer.role_paths[1].whole));
    assert_true(oms_str_eq_c(issuer.subject.names[0], "sub"));
    oms_free(rsa_text);
    oms_free(curve_text);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(curve);
}

static void test_files(void **state)
{
    (void)state;
    EVP_PKEY *key = fixture_key("P-256");
    char *pem = fixture_public_pem(key);
    write_file("key.pem", pem);
    assert_true(parse("{" COMMON ",\"algorithms\":[\"ES256\"],\"key_file\":\"key.pem\"}"));
    assert_int_equal(issuer.keys[0].kind, HTTP_KEY_P256);
    assert_false(parse("{" COMMON ",\"algorithms\":[\"ES256\"],\"key_file\":\"nowhere.pem\"}"));
    assert_non_null(strstr(message, "'issuers[0].key_file'"));
    assert_non_null(strstr(message, "nowhere.pem"));
    write_file("key.pem", "0123456789abcdef0123456789abcdef\n");
    assert_true(parse("{" COMMON ",\"algorithms\":[\"HS256\"],\"hmac_secret_file\":\"key.pem\"}"));
    assert_int_equal(issuer.keys[0].material.len, 32);
    oms_free(pem);
    EVP_PKEY_free(key);
}

static void test_published_keys(void **state)
{
#define ISSUER_AT(url)                                                                                       \
    "{\"issuer\":\"" url "\",\"audience\":\"a\",\"tenants\":\"*\",\"roles\":\"*\",\"algorithms\":["          \
                         "\"RS256\"]"
    (void)state;
    assert_true(parse(ISSUER_AT("https://i.example/realm") ",\"discovery\":true}"));
    assert_true(http_issuer_publishes(&issuer) && issuer.jwks.is_discovery);
    assert_true(oms_str_eq_c(issuer.jwks.url, "https://i.example/realm/.well-known/openid-configuration"));
    assert_int_equal(issuer.key_count, 0);
    assert_int_equal(issuer.jwks.refetch_interval_s, 5);
    assert_int_equal(issuer.jwks.stale_s, 24 * 3600);
    assert_true(parse(ISSUER_AT("https://i.example/") ",\"discovery\":true}"));
    assert_true(oms_str_eq_c(issuer.jwks.url, "https://i.example/.well-known/openid-configuration"));
    assert_false(parse(ISSUER_AT("i.example") ",\"discovery\":true}"));
    assert_non_null(strstr(message, "'issuers[0].discovery'"));
    assert_true(parse(ISSUER_AT("i") ",\"jwks_url\":\"http://i/k\",\"jwks_allow_http\":true}"));
    assert_false(issuer.jwks.is_discovery);
    assert_true(parse(ISSUER_AT("i") ",\"jwks_url\":\"http://127.0.0.1/k\",\"jwks_stale_hours\":1}"));
    assert_int_equal(issuer.jwks.stale_s, 3600);
}

static void test_mistakes(void **state)
{
#define SECRET ",\"hmac_secret\":\"0123456789abcdef0123456789abcdef\""
    static const struct {
        const char *json, *place, *says;
    } cases[] = {
        {"[]", "'issuers[0]'", "must be an object, not a list"},
        {"{\"issuer\":\"x\",\"audiance\":\"y\"}", "'issuers[0].audiance'", "did you mean 'audience'?"},
        {"{}", "'issuers[0].issuer'", "is required"},
        {"{\"issuer\":7}", "'issuers[0].issuer'", "must be a text that is not empty, not a number"},
        {"{\"issuer\":\"x\"}", "'issuers[0].audience'", "is required"},
        {"{\"issuer\":\"x\",\"audience\":[]}", "'issuers[0].audience'", "is required"},
        {"{\"issuer\":\"x\",\"audience\":[7]}", "'issuers[0].audience'", "only texts"},
        {"{\"issuer\":\"x\",\"audience\":\"y\"}", "'issuers[0].algorithms'", "is required"},
        {"{" COMMON ",\"algorithms\":[\"none\"]" SECRET "}", "'issuers[0].algorithms'", "'none'"},
        {"{" COMMON ",\"algorithms\":[\"HS512\"]" SECRET "}", "'issuers[0].algorithms'", "known are"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"]}", "'issuers[0]'", "needs a key"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"],\"hmac_secret\":\"short\"}", "'issuers[0].hmac_secret'",
         "at least 32 bytes"},
        {"{" COMMON ",\"algorithms\":[\"RS256\"]" SECRET "}", "'issuers[0].algorithms'",
         "no key of the issuer"},
        {"{" COMMON ",\"algorithms\":[\"RS256\",\"HS256\"]" SECRET "}", "'issuers[0].algorithms'", "RS256"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"],\"keys\":[{\"kid\":\"a\"}]" SECRET "}",
         "'issuers[0].keys[0]'", "needs 'key'"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"],\"key\":\"nonsense\"" SECRET "}", "'issuers[0].key'",
         "in PEM format"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"],\"key\":\"x\",\"key_file\":\"y\"}", "'issuers[0].key'",
         "one is enough"},
        {"{\"issuer\":\"x\",\"audience\":\"y\",\"algorithms\":[\"HS256\"],\"roles\":\"*\"" SECRET "}",
         "'issuers[0].tenants'", "is required"},
        {"{\"issuer\":\"x\",\"audience\":\"y\",\"algorithms\":[\"HS256\"],\"tenants\":\"*\"" SECRET "}",
         "'issuers[0].roles'", "is required"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"],\"operator\":\"yes\"" SECRET "}", "'issuers[0].operator'",
         "must be true or false"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"],\"jwks_url\":\"https://i/k\"}", "'issuers[0].algorithms'",
         "cannot be published"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"],\"jwks_url\":\"https://i/k\"" SECRET "}", "'issuers[0]'",
         "one is enough"},
        {"{" COMMON ",\"algorithms\":[\"RS256\"],\"jwks_url\":\"http://i/k\"}", "'issuers[0].jwks_url'",
         "must be https"},
        {"{" COMMON ",\"algorithms\":[\"RS256\"],\"jwks_url\":\"/etc/keys\"}", "'issuers[0].jwks_url'",
         "must be a URL"},
        {"{" COMMON ",\"algorithms\":[\"RS256\"],\"jwks_url\":\"https://i/k\",\"discovery\":true}",
         "'issuers[0].jwks_url'", "one is enough"},
        {"{" COMMON ",\"algorithms\":[\"RS256\"],\"discovery\":7}", "'issuers[0].discovery'", "must be true"},
        {"{" COMMON ",\"algorithms\":[\"RS256\"],\"discovery\":false}", "'issuers[0]'", "needs a key"},
        {"{" COMMON ",\"algorithms\":[\"RS256\"],\"discovery\":\"https://i/d\",\"jwks_ca_file\":\"nowhere\"}",
         "'issuers[0].jwks_ca_file'", "nowhere"},
        {"{" COMMON
         ",\"algorithms\":[\"RS256\"],\"discovery\":\"https://i/d\",\"jwks_refetch_interval_s\":0}",
         "'issuers[0].jwks_refetch_interval_s'", "1"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"],\"claims\":{\"role\":\"x\"}" SECRET "}",
         "'issuers[0].claims.role'", "did you mean 'roles'?"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"],\"claims\":{\"sub\":7}" SECRET "}",
         "'issuers[0].claims.sub'", "claim's name"},
        {"{" COMMON ",\"algorithms\":[\"HS256\"],\"claims\":{\"roles\":[]}" SECRET "}",
         "'issuers[0].claims.roles'", "at most 8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool fine = parse(cases[i].json);
        if (fine || !strstr(message, cases[i].place) || !strstr(message, cases[i].says))
            print_error("for %s: %s\n", cases[i].json, fine ? "accepted" : message);
        assert_false(fine);
        assert_non_null(strstr(message, cases[i].place));
        assert_non_null(strstr(message, cases[i].says));
    }
}

static void test_unusable_keys(void **state)
{
    struct oms_error error;
    EVP_PKEY *weak = EVP_RSA_gen(1024), *odd = fixture_key("secp256k1"), *good = fixture_key("P-256");
    char *weak_pem = fixture_public_pem(weak), *odd_pem = fixture_public_pem(odd),
         *private_pem = fixture_private_pem(good);
    (void)state;
    issuer = (struct http_issuer){0};
    assert_int_equal(http_issuer_add_pem(&issuer, oms_str_of(weak_pem), OMS_STR_NONE, &arena, &error),
                     OMS_INVALID);
    assert_non_null(strstr(error.message, "1024 bits"));
    assert_int_equal(http_issuer_add_pem(&issuer, oms_str_of(odd_pem), OMS_STR_NONE, &arena, &error),
                     OMS_INVALID);
    assert_non_null(strstr(error.message, "P-256"));
    assert_int_equal(http_issuer_add_pem(&issuer, oms_str_of(private_pem), OMS_STR_NONE, &arena, &error),
                     OMS_INVALID);
    assert_non_null(strstr(error.message, "private key"));
    assert_int_equal(issuer.key_count, 0);
    oms_free(weak_pem);
    oms_free(odd_pem);
    oms_free(private_pem);
    EVP_PKEY_free(weak);
    EVP_PKEY_free(odd);
    EVP_PKEY_free(good);
}

static void test_development_issuer(void **state)
{
    static const struct oms_str roles[] = {{"admin", 5}, {"operator", 8}};
    const struct http_dev_token wanted = {.tenant = OMS_STR("demo"),
                                          .subject = OMS_STR("ann \"a\""),
                                          .vendor_id = OMS_STR("v1"),
                                          .roles = roles,
                                          .role_count = 2,
                                          .now_ms = NOW_MS,
                                          .ttl_s = 60};
    struct http_issuer first, second;
    struct oms_error error;
    struct oms_buf token;
    enum http_token_fault fault;
    char path[256];
    struct stat info;
    (void)state;
    assert_int_equal(http_dev_issuer_load(folder, &arena, &first, &error), OMS_OK);
    assert_int_equal(http_dev_issuer_load(folder, &arena, &second, &error), OMS_OK);
    assert_true(oms_str_eq(first.keys[0].material, second.keys[0].material));
    snprintf(path, sizeof(path), "%s/%s", folder, HTTP_DEV_ISSUER_FILE);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);

    oms_buf_init(&token, 1u << 16);
    assert_int_equal(http_dev_issuer_mint(&first, &wanted, &token, &error), OMS_OK);
    struct http_issuer_set set = {.items = {&second}, .count = 1};
    struct http_claims *claims = http_token_verify(&set, oms_buf_str(&token), NOW_MS + 30000, &fault);
    assert_int_equal(fault, HTTP_TOKEN_FINE);
    assert_true(oms_str_eq(claims->subject, wanted.subject));
    assert_true(oms_str_eq_c(claims->tenants[0], "demo"));
    assert_true(oms_str_eq_c(claims->vendor_id, "v1"));
    assert_int_equal(claims->role_count, 2);
    assert_true(claims->is_operator);
    http_claims_release(claims);
    assert_null(http_token_verify(&set, oms_buf_str(&token), NOW_MS + 121000, &fault));
    assert_int_equal(fault, HTTP_TOKEN_EXPIRED);

    struct http_dev_token bad = wanted;
    bad.ttl_s = 0;
    assert_int_equal(http_dev_issuer_mint(&first, &bad, &token, &error), OMS_INVALID);
    bad = wanted;
    bad.subject = OMS_STR("");
    assert_int_equal(http_dev_issuer_mint(&first, &bad, &token, &error), OMS_INVALID);
    bad.subject = OMS_STR("\xff");
    assert_int_equal(http_dev_issuer_mint(&first, &bad, &token, &error), OMS_INVALID);
    oms_buf_fini(&token);
}

static void test_development_secret_is_guarded(void **state)
{
    struct http_issuer loaded;
    struct oms_error error;
    char path[256];
    (void)state;
    snprintf(path, sizeof(path), "%s/%s", folder, HTTP_DEV_ISSUER_FILE);
    assert_int_equal(http_dev_issuer_load(folder, &arena, &loaded, &error), OMS_OK);
    chmod(path, 0644);
    assert_int_equal(http_dev_issuer_load(folder, &arena, &loaded, &error), OMS_DENIED);
    assert_non_null(strstr(error.message, "chmod 600"));
    write_file(HTTP_DEV_ISSUER_FILE, "not a secret\n");
    chmod(path, 0600);
    assert_int_equal(http_dev_issuer_load(folder, &arena, &loaded, &error), OMS_CORRUPT);
    unlink(path);
    assert_int_equal(http_dev_issuer_load("/nowhere/at/all", &arena, &loaded, &error), OMS_IO);
    assert_non_null(strstr(error.message, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsa_and_curves),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_published_keys),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_unusable_keys),
        cmocka_unit_test(test_development_issuer),
        cmocka_unit_test(test_development_secret_is_guarded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
