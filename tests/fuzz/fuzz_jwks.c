/*
 * Documents that an issuer publishes: of keys, and of discovery. Whatever comes, only keys count that are
 * public, strong enough and fit for an algorithm; and the same document makes the same set.
 */
#include <stddef.h>
#include <stdint.h>

#include "http/auth/jwks.h"
#include "http/auth/jwks_fetch.h"
#include "runtime/base/assert.h"

#define ALGORITHMS (1u << HTTP_ALG_RS256 | 1u << HTTP_ALG_ES256 | 1u << HTTP_ALG_ES512)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct http_issuer_key *key)
{
    OMS_ASSERT(key->kind == HTTP_KEY_RSA || key->kind == HTTP_KEY_P256 || key->kind == HTTP_KEY_P521);
    OMS_ASSERT(key->mark && key->algorithms && !(key->algorithms & ~ALGORITHMS));
    OMS_ASSERT(oms_str_starts(key->material, OMS_STR("-----BEGIN PUBLIC KEY-----")));
    OMS_ASSERT(key->kid.len <= OMS_JWKS_KID_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_issuer issuer = {.issuer = {"https://i", 9},
                                              .jwks = {.url = {"https://i/d", 11}, .is_discovery = true}};
    struct oms_str text = oms_str_make(data, size);
    struct oms_error error;
    struct oms_buf url;
    const struct http_key_set *set = http_jwks_parse(text, ALGORITHMS, &error);
    if (set) {
        const struct http_key_set *again = http_jwks_parse(text, ALGORITHMS, &error);
        OMS_ASSERT(again && set->count + set->skipped == again->count + again->skipped);
        OMS_ASSERT(set->count + set->skipped <= OMS_JWKS_KEYS_MAX);
        for (size_t i = 0; i < set->count; i++) {
            look_at(&set->keys[i]);
            OMS_ASSERT(set->keys[i].kind == HTTP_KEY_RSA || http_key_set_has(again, set->keys[i].mark));
        }
        http_key_set_release(again);
    }
    http_key_set_release(set);
    oms_buf_init(&url, 1u << 12);
    if (http_jwks_read_discovery(text, &issuer, &url, &error) == OMS_OK)
        OMS_ASSERT(url.len > 8 && (url.data[0] | 0x20) == 'h');
    oms_buf_fini(&url);
    int64_t ttl_ms = http_jwks_ttl_ms(text);
    OMS_ASSERT(ttl_ms >= OMS_JWKS_TTL_MIN_MS && ttl_ms <= OMS_JWKS_TTL_MAX_MS);
    return 0;
}
