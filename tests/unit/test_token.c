/* Verification of tokens: what passes, and every way to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/auth/token.h"
#include "http_fixture.h"
#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/limits.h"

#define NOW_S  INT64_C(1800000000)
#define NOW_MS (NOW_S * 1000)
#define ISSUER "https://idp.example/realms/shop"
#define SECRET "a secret of more than 32 bytes, as it must be"

static struct oms_arena arena;
static EVP_PKEY *rsa, *other_rsa, *p256, *p384, *p521;
static char *rsa_pem;
static struct http_issuer issuer, hmac_issuer;
static struct http_issuer_set set;

static void add_key(EVP_PKEY *key, const char *kid)
{
    char *pem = fixture_public_pem(key);
    assert_int_equal(http_issuer_add_pem(&issuer, oms_str_of(pem), oms_str_of(kid), &arena, NULL), OMS_OK);
    oms_free(pem);
}

static int set_up(void **state)
{
    static const struct oms_str audiences[] = {{"orders", 6}, {"liteoms", 7}};
    static const struct oms_str tenants[] = {{"shop", 4}, {"second", 6}},
                                roles[] = {{"staff", 5}, {"customer", 8}};
    (void)state;
    oms_arena_init(&arena, 4096, 1u << 20);
    rsa = fixture_key("RSA");
    other_rsa = fixture_key("RSA");
    p256 = fixture_key("P-256");
    p384 = fixture_key("P-384");
    p521 = fixture_key("P-521");
    rsa_pem = fixture_public_pem(rsa);
    issuer = (struct http_issuer){
        .issuer = OMS_STR(ISSUER),
        .audiences = audiences,
        .audience_count = 2,
        .algorithms = 1u << HTTP_ALG_RS256 | 1u << HTTP_ALG_RS512 | 1u << HTTP_ALG_ES256 |
                      1u << HTTP_ALG_ES384 | 1u << HTTP_ALG_ES512,
        .tenants = tenants,
        .tenant_count = 2,
        .roles = roles,
        .role_count = 2,
    };
    http_issuer_default_claims(&issuer);
    add_key(rsa, NULL);
    add_key(p256, "curve");
    add_key(p384, NULL);
    add_key(p521, NULL);
    hmac_issuer = issuer;
    hmac_issuer.issuer = OMS_STR("hmac");
    hmac_issuer.algorithms = 1u << HTTP_ALG_HS256;
    hmac_issuer.keys[0] = (struct http_issuer_key){.kind = HTTP_KEY_HMAC, .material = OMS_STR(SECRET)};
    hmac_issuer.key_count = 1;
    set = (struct http_issuer_set){.items = {&issuer, &hmac_issuer}, .count = 2};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(other_rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p521);
    oms_free(rsa_pem);
    oms_arena_fini(&arena);
    return 0;
}

static char *payload(const char *rest)
{
    static char text[8192];
    snprintf(text, sizeof(text),
             "{\"iss\":\"" ISSUER "\",\"aud\":\"orders\",\"sub\":\"u1\",\"exp\":%lld%s%s}",
             (long long)NOW_S + 300, rest[0] ? "," : "", rest);
    return text;
}

static struct http_claims *verify(const char *token, enum http_token_fault *fault)
{
    return http_token_verify(&set, oms_str_of(token), NOW_MS, fault);
}

/* Signs, verifies, and expects the fault. */
static void expect(const char *algorithm, EVP_PKEY *key, const char *header, const char *body,
                   enum http_token_fault wanted)
{
    enum http_token_fault fault;
    char *token = fixture_token(algorithm, key, OMS_STR(SECRET), header, body);
    struct http_claims *claims = verify(token, &fault);
    if (fault != wanted)
        print_error("%s, wanted %s for header %s, payload %s\n", http_token_fault_name(fault),
                    http_token_fault_name(wanted), header, body);
    assert_int_equal(fault, wanted);
    assert_int_equal(claims != NULL, wanted == HTTP_TOKEN_FINE);
    http_claims_release(claims);
    oms_free(token);
}

static void test_algorithms(void **state)
{
    (void)state;
    expect("RS256", rsa, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", payload(""), HTTP_TOKEN_FINE);
    expect("RS512", rsa, "{\"alg\":\"RS512\"}", payload(""), HTTP_TOKEN_FINE);
    expect("ES256", p256, "{\"alg\":\"ES256\",\"kid\":\"curve\"}", payload(""), HTTP_TOKEN_FINE);
    expect("ES256", p256, "{\"alg\":\"ES256\"}", payload(""), HTTP_TOKEN_FINE);
    expect("ES384", p384, "{\"alg\":\"ES384\",\"kid\":\"any\"}", payload(""), HTTP_TOKEN_FINE);
    expect("ES512", p521, "{\"alg\":\"ES512\"}", payload(""), HTTP_TOKEN_FINE);
    char hmac[512];
    snprintf(hmac, sizeof(hmac), "{\"iss\":\"hmac\",\"aud\":\"liteoms\",\"sub\":\"u1\",\"exp\":%lld}",
             (long long)NOW_S);
    expect("HS256", NULL, "{\"alg\":\"HS256\"}", hmac, HTTP_TOKEN_FINE);
    /* Not among the issuer's, though its key could. */
    expect("RS384", rsa, "{\"alg\":\"RS384\"}", payload(""), HTTP_TOKEN_ALGORITHM);
    /* Another issuer's algorithm. */
    expect("RS256", rsa, "{\"alg\":\"RS256\"}", hmac, HTTP_TOKEN_ALGORITHM);
    expect("ES256", p256, "{\"alg\":\"ES256\",\"kid\":\"gone\"}", payload(""), HTTP_TOKEN_SIGNATURE);
}

static void test_algorithm_confusion(void **state)
{
    enum http_token_fault fault;
    (void)state;
    /* The public key, which everybody has, as an HMAC secret. */
    char *token =
        fixture_token("HS256", NULL, oms_str_of(rsa_pem), "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", payload(""));
    assert_null(verify(token, &fault));
    assert_int_equal(fault, HTTP_TOKEN_ALGORITHM);
    oms_free(token);
    /* Even for an issuer that allows both, the RSA key stays an RSA key. */
    issuer.algorithms |= 1u << HTTP_ALG_HS256;
    token = fixture_token("HS256", NULL, issuer.keys[0].material, "{\"alg\":\"HS256\"}", payload(""));
    assert_null(verify(token, &fault));
    assert_int_equal(fault, HTTP_TOKEN_SIGNATURE);
    oms_free(token);
    issuer.algorithms &= ~(1u << HTTP_ALG_HS256);
    static const char *const nones[] = {
        "{\"alg\":\"none\"}", "{\"alg\":\"None\"}", "{\"alg\":\"NONE\"}",    "{}",
        "{\"alg\":null}",     "{\"alg\":\"\"}",     "{\"alg\":[\"RS256\"]}", "{\"alg\":\"rs256\"}"};
    for (size_t i = 0; i < sizeof(nones) / sizeof(*nones); i++) {
        expect("RS256", rsa, nones[i], payload(""), HTTP_TOKEN_ALGORITHM);
        token = fixture_token("none", NULL, OMS_STR_NONE, nones[i], payload(""));
        assert_null(verify(token, &fault)); /* an empty signature is no token at all */
        assert_int_equal(fault, HTTP_TOKEN_MALFORMED);
        oms_free(token);
    }
    /* The key of another curve, and another key. */
    expect("ES256", p256, "{\"alg\":\"ES384\"}", payload(""), HTTP_TOKEN_SIGNATURE);
    expect("RS256", other_rsa, "{\"alg\":\"RS256\"}", payload(""), HTTP_TOKEN_SIGNATURE);
}

static void test_every_truncation_and_flip(void **state)
{
    enum http_token_fault fault;
    (void)state;
    char *token = fixture_token("ES256", p256, OMS_STR_NONE, "{\"alg\":\"ES256\"}", payload(""));
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++)
        assert_null(http_token_verify(&set, oms_str_make(token, i), NOW_MS, &fault));
    for (size_t i = 0; i < len; i++) {
        char kept = token[i];
        token[i] = kept == 'A' ? 'B' : kept == '.' ? 'x' : 'A';
        struct http_claims *claims = verify(token, &fault);
        assert_null(claims);
        token[i] = kept;
    }
    struct http_claims *claims = verify(token, &fault);
    assert_non_null(claims);
    http_claims_release(claims);
    oms_free(token);
}

static void test_malformed(void **state)
{
    static const char *const texts[] = {"",
                                        ".",
                                        "..",
                                        "...",
                                        "a.b.c",
                                        "a.b",
                                        "e30.e30.",
                                        ".e30.e30",
                                        "e30..e30",
                                        "e30.e30.e30.e30",
                                        "e30 .e30.e30",
                                        "e30=.e30.e30",
                                        "\xff.e30.e30"};
    enum http_token_fault fault;
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_null(verify(texts[i], &fault));
        assert_int_equal(fault, HTTP_TOKEN_MALFORMED);
    }
    expect("RS256", rsa, "[1]", payload(""), HTTP_TOKEN_MALFORMED);
    expect("RS256", rsa, "{\"alg\":\"RS256\"", payload(""), HTTP_TOKEN_MALFORMED);
    expect("RS256", rsa, "{\"alg\":\"RS256\",\"alg\":\"RS256\"}", payload(""), HTTP_TOKEN_MALFORMED);
    expect("RS256", rsa, "{\"alg\":\"RS256\",\"crit\":[\"b64\"]}", payload(""), HTTP_TOKEN_MALFORMED);
    expect("RS256", rsa, "{\"alg\":\"RS256\"}", "[]", HTTP_TOKEN_MALFORMED);
    expect("RS256", rsa, "{\"alg\":\"RS256\"}", "null", HTTP_TOKEN_MALFORMED);
    expect("RS256", rsa, "{\"alg\":\"RS256\"}", payload("\"sub\":\"twice\""), HTTP_TOKEN_MALFORMED);
    expect("RS256", rsa, "{\"alg\":\"RS256\"}", payload("\"zero\":\"a\\u0000b\""), HTTP_TOKEN_MALFORMED);
    expect("RS256", rsa, "{\"alg\":\"RS256\"}", payload("\"x\":{\"y\":1,\"y\":2}"), HTTP_TOKEN_MALFORMED);
    expect("RS256", rsa, "{\"alg\":\"RS256\"}", payload("\"x\":\"\xc3\""), HTTP_TOKEN_MALFORMED);
    expect("RS256", rsa, "{\"alg\":\"RS256\"}",
           payload("\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
           HTTP_TOKEN_MALFORMED);
}

/* The depth is counted where JSON nests, not where a text holds brackets. */
static void test_depth(void **state)
{
    (void)state;
    expect("ES256", p256, "{\"alg\":\"ES256\"}", payload("\"x\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]"),
           HTTP_TOKEN_FINE);
    expect("ES256", p256, "{\"alg\":\"ES256\"}", payload("\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"),
           HTTP_TOKEN_MALFORMED);
    expect("ES256", p256, "{\"alg\":\"ES256\"}", payload("\"x\":\"\\\"[[[[[[[[[[[[[[[[[[{{{{\",\"y\":[[1]]"),
           HTTP_TOKEN_FINE);
    expect("ES256", p256, "{\"alg\":\"ES256\"}",
           payload("\"x\":\"]]]]\",\"y\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), HTTP_TOKEN_MALFORMED);
}

static void test_huge(void **state)
{
    enum http_token_fault fault;
    (void)state;
    char *text = oms_malloc(OMS_TOKEN_BYTES_MAX + 2);
    memset(text, 'A', OMS_TOKEN_BYTES_MAX + 2);
    assert_null(http_token_verify(&set, oms_str_make(text, OMS_TOKEN_BYTES_MAX + 1), NOW_MS, &fault));
    assert_int_equal(fault, HTTP_TOKEN_TOO_LARGE);
    assert_null(http_token_verify(&set, oms_str_make(text, OMS_TOKEN_BYTES_MAX), NOW_MS, &fault));
    assert_int_equal(fault, HTTP_TOKEN_MALFORMED);
    oms_free(text);
}

static void times(const char *rest, enum http_token_fault wanted)
{
    char text[512];
    snprintf(text, sizeof(text), "{\"iss\":\"" ISSUER "\",\"aud\":\"orders\",\"sub\":\"u1\"%s}", rest);
    expect("ES256", p256, "{\"alg\":\"ES256\"}", text, wanted);
}

static void test_times(void **state)
{
    (void)state;
    times("", HTTP_TOKEN_NO_EXPIRY);
    times(",\"exp\":1799999940", HTTP_TOKEN_FINE); /* exactly the skew */
    times(",\"exp\":1799999939", HTTP_TOKEN_EXPIRED);
    times(",\"exp\":0", HTTP_TOKEN_EXPIRED);
    times(",\"exp\":1800000000.75", HTTP_TOKEN_FINE);
    times(",\"exp\":\"1800000300\"", HTTP_TOKEN_MALFORMED);
    times(",\"exp\":null", HTTP_TOKEN_MALFORMED);
    times(",\"exp\":true", HTTP_TOKEN_MALFORMED);
    times(",\"exp\":-1", HTTP_TOKEN_MALFORMED);
    times(",\"exp\":1.8e9", HTTP_TOKEN_FINE); /* a JSON number as any other */
    times(",\"exp\":1.8e300", HTTP_TOKEN_MALFORMED);
    times(",\"exp\":-0.5", HTTP_TOKEN_MALFORMED);
    times(",\"exp\":99999999999999999999", HTTP_TOKEN_MALFORMED);
    times(",\"exp\":9223372036854775807", HTTP_TOKEN_MALFORMED);
    times(",\"exp\":1800000300,\"nbf\":1800000060", HTTP_TOKEN_FINE);
    times(",\"exp\":1800000300,\"nbf\":1800000061", HTTP_TOKEN_NOT_YET);
    times(",\"exp\":1800000300,\"iat\":1800000061", HTTP_TOKEN_NOT_YET);
    times(",\"exp\":1800000300,\"nbf\":\"soon\"", HTTP_TOKEN_MALFORMED);
}

static void test_issuer_and_audience(void **state)
{
    static const struct {
        const char *audience;
        enum http_token_fault fault;
    } cases[] = {
        {"\"liteoms\"", HTTP_TOKEN_FINE},        {"[\"x\",\"orders\"]", HTTP_TOKEN_FINE},
        {"\"other\"", HTTP_TOKEN_AUDIENCE},      {"[]", HTTP_TOKEN_AUDIENCE},
        {"[[\"orders\"]]", HTTP_TOKEN_AUDIENCE}, {"{\"orders\":1}", HTTP_TOKEN_AUDIENCE},
        {"null", HTTP_TOKEN_AUDIENCE},           {"\"order\"", HTTP_TOKEN_AUDIENCE},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        snprintf(text, sizeof(text), "{\"iss\":\"" ISSUER "\",\"aud\":%s,\"sub\":\"u\",\"exp\":1800000300}",
                 cases[i].audience);
        expect("ES256", p256, "{\"alg\":\"ES256\"}", text, cases[i].fault);
    }
    expect("ES256", p256, "{\"alg\":\"ES256\"}", "{\"iss\":\"" ISSUER "\",\"sub\":\"u\",\"exp\":1800000300}",
           HTTP_TOKEN_AUDIENCE);
    expect("ES256", p256, "{\"alg\":\"ES256\"}",
           "{\"iss\":\"" ISSUER "/\",\"aud\":\"orders\",\"exp\":1800000300}", HTTP_TOKEN_ISSUER);
    expect("ES256", p256, "{\"alg\":\"ES256\"}", "{\"aud\":\"orders\",\"exp\":1800000300}",
           HTTP_TOKEN_ISSUER);
    expect("ES256", p256, "{\"alg\":\"ES256\"}", "{\"iss\":[\"" ISSUER "\"],\"exp\":1800000300}",
           HTTP_TOKEN_ISSUER);
}

static struct http_claims *claims_of(const char *rest)
{
    enum http_token_fault fault;
    char *token = fixture_token("ES256", p256, OMS_STR_NONE, "{\"alg\":\"ES256\"}", payload(rest));
    struct http_claims *claims = verify(token, &fault);
    assert_int_equal(fault, HTTP_TOKEN_FINE);
    oms_free(token);
    return claims;
}

static bool has_role(const struct http_claims *claims, const char *role)
{
    for (size_t i = 0; i < claims->role_count; i++)
        if (oms_str_eq_c(claims->roles[i], role))
            return true;
    return false;
}

static void test_claims(void **state)
{
    (void)state;
    struct http_claims *claims =
        claims_of("\"tenant_id\":\"shop\",\"roles\":\"staff\",\"name\":\"Ann\",\"vendor_id\":\"v1\"");
    assert_true(oms_str_eq_c(claims->subject, "u1"));
    assert_true(oms_str_eq_c(claims->display_name, "Ann"));
    assert_true(oms_str_eq_c(claims->vendor_id, "v1"));
    assert_false(oms_str_present(claims->customer_id));
    assert_int_equal(claims->expires_ms, (NOW_S + 300) * 1000 + HTTP_TOKEN_SKEW_MS);
    assert_int_equal(claims->tenant_count, 1);
    assert_true(has_role(claims, "staff"));
    struct principal principal;
    http_claims_principal(claims, 7, &principal);
    assert_int_equal(principal.tenant, 7);
    assert_int_equal(principal.kind, PRINCIPAL_USER);
    assert_true(oms_str_eq_c(principal.subject, "u1"));
    assert_false(principal.is_operator);
    assert_int_equal(principal.role_count, 1);
    http_claims_release(claims);

    /* Keycloak's nesting, a list of tenants, and what the issuer may not assert. */
    claims =
        claims_of("\"tenant_id\":[\"second\",\"shop\",\"foreign\",7,\"shop\"],"
                  "\"realm_access\":{\"roles\":[\"customer\",\"admin\",\"operator\"]},\"roles\":[\"staff\"]");
    assert_int_equal(claims->tenant_count, 2);
    assert_int_equal(claims->role_count, 2);
    assert_true(has_role(claims, "customer") && has_role(claims, "staff"));
    assert_false(claims->is_operator);
    http_claims_release(claims);

    claims = claims_of("\"tenant_id\":{\"shop\":{\"id\":1},\"foreign\":{}}");
    assert_int_equal(claims->tenant_count, 1);
    assert_true(oms_str_eq_c(claims->tenants[0], "shop"));
    http_claims_release(claims);

    claims = claims_of("\"tenant_id\":\"foreign\"");
    assert_int_equal(claims->tenant_count, 0);
    assert_true(claims->tenant_claimed);
    http_claims_release(claims);
}

static void test_operator_needs_its_issuer(void **state)
{
    (void)state;
    issuer.any_role = true; /* all roles, but that one is apart */
    struct http_claims *claims = claims_of("\"roles\":[\"operator\",\"anything\"]");
    assert_false(claims->is_operator);
    assert_false(has_role(claims, "operator"));
    assert_true(has_role(claims, "anything"));
    http_claims_release(claims);
    issuer.is_operator = true;
    claims = claims_of("\"roles\":[\"operator\"]");
    assert_true(claims->is_operator);
    http_claims_release(claims);
    issuer.any_role = issuer.is_operator = false;
}

static void test_claim_paths(void **state)
{
    static const struct oms_str dotted[] = {{"https://x", 9}, {"example/roles", 13}},
                                nested[] = {{"a", 1}, {"b", 1}, {"c", 1}};
    (void)state;
    struct http_claim_path kept = issuer.role_paths[0];
    issuer.role_paths[0] =
        (struct http_claim_path){.whole = OMS_STR("https://x.example/roles"), .names = dotted, .count = 2};
    struct http_claims *claims = claims_of("\"https://x.example/roles\":[\"staff\"]");
    assert_true(has_role(claims, "staff"));
    http_claims_release(claims);
    issuer.role_paths[0] = (struct http_claim_path){.names = nested, .count = 3};
    claims = claims_of("\"a\":{\"b\":{\"c\":[\"customer\"]}}");
    assert_true(has_role(claims, "customer"));
    http_claims_release(claims);
    claims = claims_of("\"a\":{\"b\":[\"c\"]}");
    assert_int_equal(claims->role_count, 0);
    http_claims_release(claims);
    /* Keycloak's roles of a client. */
    static const struct oms_str client[] = {{"resource_access", 15}, {"shop-api", 8}, {"roles", 5}};
    issuer.role_paths[0] = (struct http_claim_path){.names = client, .count = 3};
    claims = claims_of("\"resource_access\":{\"account\":{\"roles\":[\"customer\"]},"
                       "\"shop-api\":{\"roles\":[\"staff\",7,null,\"\"]}},\"realm_access\":{\"roles\":[]}");
    assert_int_equal(claims->role_count, 1);
    assert_true(has_role(claims, "staff"));
    http_claims_release(claims);
    claims = claims_of("\"resource_access\":{\"shop-api\":{\"roles\":{\"customer\":{},\"x\":1}}}");
    assert_int_equal(claims->role_count, 1);
    assert_true(has_role(claims, "customer"));
    http_claims_release(claims);
    issuer.role_paths[0] = kept;
}

static void test_subject(void **state)
{
    char text[512], long_subject[200];
    static const char *const bad[] = {"", ",\"sub\":\"\"", ",\"sub\":7", ",\"sub\":null",
                                      ",\"sub\":\"a\\nb\""};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        snprintf(text, sizeof(text), "{\"iss\":\"" ISSUER "\",\"aud\":\"orders\",\"exp\":1800000300%s}",
                 bad[i]);
        expect("ES256", p256, "{\"alg\":\"ES256\"}", text, HTTP_TOKEN_SUBJECT);
    }
    memset(long_subject, 'a', sizeof(long_subject));
    long_subject[OMS_ID_BYTES_MAX + 1] = '\0';
    snprintf(text, sizeof(text),
             "{\"iss\":\"" ISSUER "\",\"aud\":\"orders\",\"exp\":1800000300,\"sub\":\"%s\"}", long_subject);
    expect("ES256", p256, "{\"alg\":\"ES256\"}", text, HTTP_TOKEN_SUBJECT);
}

static void test_too_many_roles(void **state)
{
    char text[2048] = "\"roles\":[";
    (void)state;
    issuer.any_role = true;
    for (unsigned i = 0; i < OMS_PRINCIPAL_ROLES_MAX + 1; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\"r%u\"", i ? "," : "", i);
    strcat(text, "]");
    expect("ES256", p256, "{\"alg\":\"ES256\"}", payload(text), HTTP_TOKEN_CLAIMS);
    issuer.any_role = false;
    struct http_claims *claims = claims_of(text); /* those that do not count do not count */
    assert_int_equal(claims->role_count, 0);
    http_claims_release(claims);
}

static enum http_tenant_fault choose(const struct http_claims *claims, const char *header,
                                     const char *requested, const char *single, const char *wanted)
{
    struct oms_str name = OMS_STR_NONE;
    enum http_tenant_fault fault =
        http_claims_tenant(claims, oms_str_of(header), oms_str_of(requested), oms_str_of(single), &name);
    if (fault == HTTP_TENANT_FINE)
        assert_true(oms_str_eq_c(name, wanted));
    assert_non_null(http_tenant_fault_message(fault));
    return fault;
}

static void test_choice_of_tenant(void **state)
{
    (void)state;
    struct http_claims *one = claims_of("\"tenant_id\":\"shop\""),
                       *two = claims_of("\"tenant_id\":[\"shop\",\"second\"]"), *none = claims_of(""),
                       *foreign = claims_of("\"tenant_id\":\"foreign\"");
    assert_int_equal(choose(one, NULL, NULL, NULL, "shop"), HTTP_TENANT_FINE);
    assert_int_equal(choose(one, "shop", "shop", NULL, "shop"), HTTP_TENANT_FINE);
    assert_int_equal(choose(one, "second", NULL, NULL, NULL), HTTP_TENANT_FORBIDDEN);
    assert_int_equal(choose(two, NULL, NULL, NULL, NULL), HTTP_TENANT_REQUIRED);
    assert_int_equal(choose(two, "second", NULL, NULL, "second"), HTTP_TENANT_FINE);
    assert_int_equal(choose(two, NULL, "shop", NULL, "shop"), HTTP_TENANT_FINE);
    assert_int_equal(choose(two, "second", "shop", NULL, NULL), HTTP_TENANT_CONFLICT);
    assert_int_equal(choose(none, NULL, NULL, NULL, NULL), HTTP_TENANT_FORBIDDEN);
    /* Single-tenant mode: a missing claim means the tenant, a wrong one does not. */
    assert_int_equal(choose(none, NULL, NULL, "shop", "shop"), HTTP_TENANT_FINE);
    assert_int_equal(choose(none, "shop", NULL, "shop", "shop"), HTTP_TENANT_FINE);
    assert_int_equal(choose(none, "second", NULL, "shop", NULL), HTTP_TENANT_FORBIDDEN);
    assert_int_equal(choose(none, NULL, NULL, "unlisted", NULL), HTTP_TENANT_FORBIDDEN);
    assert_int_equal(choose(foreign, NULL, NULL, "shop", NULL), HTTP_TENANT_FORBIDDEN);
    issuer.is_operator = true;
    struct http_claims *operator= claims_of("\"roles\":[\"operator\"]");
    assert_int_equal(choose(operator, NULL, NULL, NULL, NULL), HTTP_TENANT_REQUIRED);
    assert_int_equal(choose(operator, NULL, "anybody", NULL, "anybody"), HTTP_TENANT_FINE);
    assert_int_equal(choose(operator, NULL, NULL, "shop", "shop"), HTTP_TENANT_FINE);
    issuer.is_operator = false;
    http_claims_release(one);
    http_claims_release(two);
    http_claims_release(none);
    http_claims_release(foreign);
    http_claims_release(operator);
}

static void test_messages_reveal_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HTTP_TOKEN_FAULTS; i++) {
        const char *message = http_token_fault_message((enum http_token_fault)i);
        assert_non_null(message);
        assert_null(strchr(message, '"')); /* it stands between quotes in a header */
        assert_non_null(http_token_fault_name((enum http_token_fault)i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_algorithm_confusion),
        cmocka_unit_test(test_every_truncation_and_flip),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_issuer_and_audience),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_operator_needs_its_issuer),
        cmocka_unit_test(test_claim_paths),
        cmocka_unit_test(test_subject),
        cmocka_unit_test(test_too_many_roles),
        cmocka_unit_test(test_choice_of_tenant),
        cmocka_unit_test(test_messages_reveal_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
