/* See api_key.h. */
#include "http/auth/api_key.h"

#include <openssl/crypto.h>
#include <stdatomic.h>

#include "http/digest.h"
#include "runtime/base/alloc.h"
#include "runtime/base/encoding.h"
#include "runtime/base/hash.h"
#include "runtime/base/prng.h"

_Static_assert(HTTP_DIGEST_BYTES == TENANT_API_KEY_HASH_SIZE, "what is kept is a SHA-256");

#define PREFIX_LEN  (sizeof(TENANT_API_KEY_PREFIX) - 1)
#define SECRET_AT   (PREFIX_LEN + TENANT_API_KEY_ID_SIZE + 1)
#define SECRET_SIZE (TENANT_API_KEY_SECRET_SIZE / 2)

bool http_api_key_is(struct oms_str token)
{
    return oms_str_starts(token, OMS_STR(TENANT_API_KEY_PREFIX));
}

bool http_api_key_parse(struct oms_str text, struct http_api_key *out)
{
    if (!http_api_key_is(text) || text.len != HTTP_API_KEY_TEXT_SIZE - 1 || text.data[SECRET_AT - 1] != '_')
        return false;
    out->id = oms_str_make(text.data + PREFIX_LEN, TENANT_API_KEY_ID_SIZE);
    out->secret = oms_str_make(text.data + SECRET_AT, TENANT_API_KEY_SECRET_SIZE);
    return tenant_api_key_id_parse(out->id, &out->tenant);
}

void http_api_key_make(char secret[TENANT_API_KEY_SECRET_SIZE], unsigned char hash[TENANT_API_KEY_HASH_SIZE])
{
    unsigned char random[SECRET_SIZE];
    oms_random_bytes(random, sizeof(random));
    oms_hex_encode(random, sizeof(random), secret);
    struct http_digest digest = http_digest_of(oms_str_make(secret, TENANT_API_KEY_SECRET_SIZE));
    memcpy(hash, digest.bytes, sizeof(digest.bytes));
    OPENSSL_cleanse(random, sizeof(random));
}

void http_api_key_text(struct oms_str id, const char secret[TENANT_API_KEY_SECRET_SIZE],
                       char text[HTTP_API_KEY_TEXT_SIZE])
{
    memcpy(text, TENANT_API_KEY_PREFIX, PREFIX_LEN);
    memcpy(text + PREFIX_LEN, id.data, TENANT_API_KEY_ID_SIZE);
    text[SECRET_AT - 1] = '_';
    memcpy(text + SECRET_AT, secret, TENANT_API_KEY_SECRET_SIZE);
    text[HTTP_API_KEY_TEXT_SIZE - 1] = '\0';
}

const struct tenant_api_key *http_api_key_find(const struct tenant_version *tenant,
                                               const struct http_api_key *presented)
{
    /* Hashed before it is looked up: what an id that does not exist costs is the same. */
    struct http_digest digest = http_digest_of(presented->secret);
    const struct tenant_api_key *key = tenant ? tenant_find_api_key(tenant, presented->id) : NULL;
    if (!key || key->revoked_at || CRYPTO_memcmp(digest.bytes, key->hash, sizeof(digest.bytes)) != 0)
        return NULL;
    return key;
}

struct http_claims *http_api_key_claims(const struct tenant_version *tenant, const struct tenant_api_key *key)
{
    struct http_claims *claims = http_claims_create();
    struct oms_arena *arena = &claims->arena;
    struct oms_str *tenants = oms_arena_calloc(arena, 1, sizeof(*tenants)); /* a new arena has room */
    tenants[0] = oms_str_copy(arena, tenant->name);
    claims->kind = PRINCIPAL_API_KEY;
    claims->expires_ms = key->expires_at ? key->expires_at : INT64_MAX;
    claims->tenant_claimed = true;
    claims->issuer = OMS_STR("api-key");
    claims->subject = oms_str_copy(arena, key->id);
    claims->display_name = oms_str_copy(arena, key->name);
    claims->tenants = tenants;
    claims->tenant_count = 1;
    return claims;
}

/* ---- when a key was last used ---- */

#define USES      4096u /* a power of two */
#define PROBES    8u
#define MINUTE_MS 60000

/* Two words that are read and written each for itself: a use that is told for another key for an instant
 * harms nobody. */
struct use {
    _Atomic uint64_t id; /* hash of the key's id; 0: free */
    _Atomic int64_t minute;
};

struct http_api_key_uses {
    struct oms_hash_key key;
    struct use items[USES];
};

struct http_api_key_uses *http_api_key_uses_create(void)
{
    struct http_api_key_uses *uses = oms_calloc(1, sizeof(*uses));
    oms_random_bytes(&uses->key, sizeof(uses->key));
    return uses;
}

void http_api_key_uses_destroy(struct http_api_key_uses *uses)
{
    oms_free(uses);
}

static uint64_t use_hash(const struct http_api_key_uses *uses, struct oms_str id)
{
    return oms_siphash64(&uses->key, id.data, id.len) | 1;
}

void http_api_key_used(struct http_api_key_uses *uses, struct oms_str id, int64_t now_ms)
{
    if (!uses)
        return;
    uint64_t hash = use_hash(uses, id);
    int64_t minute = now_ms / MINUTE_MS;
    struct use *oldest = NULL;
    for (unsigned i = 0; i < PROBES; i++) {
        struct use *use = &uses->items[(hash / 2 + i) & (USES - 1)];
        if (atomic_load_explicit(&use->id, memory_order_relaxed) == hash) {
            /* Written once a minute, so that shards do not take the line from one another. */
            if (atomic_load_explicit(&use->minute, memory_order_relaxed) != minute)
                atomic_store_explicit(&use->minute, minute, memory_order_relaxed);
            return;
        }
        if (!oldest || atomic_load_explicit(&use->minute, memory_order_relaxed) <
                           atomic_load_explicit(&oldest->minute, memory_order_relaxed))
            oldest = use;
    }
    atomic_store_explicit(&oldest->minute, minute, memory_order_relaxed);
    atomic_store_explicit(&oldest->id, hash, memory_order_relaxed);
}

int64_t http_api_key_last_used(struct http_api_key_uses *uses, struct oms_str id)
{
    if (!uses)
        return 0;
    uint64_t hash = use_hash(uses, id);
    for (unsigned i = 0; i < PROBES; i++) {
        struct use *use = &uses->items[(hash / 2 + i) & (USES - 1)];
        if (atomic_load_explicit(&use->id, memory_order_relaxed) == hash)
            return atomic_load_explicit(&use->minute, memory_order_relaxed) * MINUTE_MS;
    }
    return 0;
}
