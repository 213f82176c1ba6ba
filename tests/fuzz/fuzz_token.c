/*
 * Bearer tokens from strangers. The input is tried as a token as it is, and its text as the payload of a
 * token that is well signed, so that what stands behind the signature is reached too. Nothing but a
 * well-signed token may pass.
 */
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>

#include "http/auth/api_key.h"
#include "http/auth/token.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/encoding.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW_MS INT64_C(1800000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_claims *verify_signed(const struct http_issuer_set *set, const uint8_t *data, size_t size,
                                         enum http_token_fault *fault)
{
    static const char header[] = "{\"alg\":\"HS256\"}";
    unsigned char mac[SHA256_DIGEST_LENGTH];
    unsigned mac_len = sizeof(mac);
    struct oms_buf token;
    oms_buf_init(&token, 1u << 20);
    oms_base64url_encode(&token, header, sizeof(header) - 1);
    oms_buf_append_char(&token, '.');
    oms_base64url_encode(&token, data, size);
    HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1, (const unsigned char *)token.data, token.len, mac,
         &mac_len);
    oms_buf_append_char(&token, '.');
    oms_base64url_encode(&token, mac, mac_len);
    struct http_claims *claims = http_token_verify(set, oms_buf_str(&token), NOW_MS, fault);
    oms_buf_fini(&token);
    return claims;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct oms_str audience = {"a", 1};
    struct http_issuer issuer = {
        .issuer = OMS_STR("i"),
        .audiences = &audience,
        .audience_count = 1,
        .algorithms = 1u << HTTP_ALG_HS256,
        .keys = {{.kind = HTTP_KEY_HMAC, .material = OMS_STR(SECRET)}},
        .key_count = 1,
        .any_tenant = true,
        .any_role = true,
    };
    struct http_issuer_set set = {.items = {&issuer}, .count = 1};
    enum http_token_fault fault;
    if (size > 1u << 16)
        return 0;
    http_issuer_default_claims(&issuer);
    struct http_claims *claims = http_token_verify(&set, oms_str_make(data, size), NOW_MS, &fault);
    OMS_ASSERT((claims != NULL) == (fault == HTTP_TOKEN_FINE));
    http_claims_release(claims);

    claims = verify_signed(&set, data, size, &fault);
    OMS_ASSERT((claims != NULL) == (fault == HTTP_TOKEN_FINE));
    if (claims) {
        OMS_ASSERT(claims->subject.len > 0 && claims->expires_ms + HTTP_TOKEN_SKEW_MS >= NOW_MS);
        OMS_ASSERT(claims->role_count <= OMS_PRINCIPAL_ROLES_MAX && !claims->is_operator);
        OMS_ASSERT(claims->tenant_count <= HTTP_CLAIMS_TENANTS_MAX);
    }
    http_claims_release(claims);

    struct http_api_key key;
    if (http_api_key_parse(oms_str_make(data, size), &key))
        OMS_ASSERT(key.id.len == TENANT_API_KEY_ID_SIZE && key.secret.len == TENANT_API_KEY_SECRET_SIZE);
    return 0;
}
