/*
 * A chained hash table over an array of entries, linked by index, and a list in order of use. Index 0 means
 * none; entry 0 is the list's anchor.
 */
#include "http/auth/token_cache.h"

#include "http/auth/jwks.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/hash.h"
#include "runtime/base/prng.h"

struct entry {
    struct oms_hash128 hash;
    const struct http_claims *claims;
    uint32_t next;         /* in the bucket, or of the free list */
    uint32_t newer, older; /* in order of use */
};

struct http_token_cache {
    struct oms_hash_key key;
    unsigned max;
    uint32_t bucket_mask;
    uint32_t free;
    uint32_t *buckets;
    struct entry *entries; /* [0] is the anchor: its `older` is the newest, its `newer` the oldest */
    struct http_token_cache_stats stats;
};

static void reset(struct http_token_cache *cache)
{
    memset(cache->buckets, 0, (cache->bucket_mask + 1) * sizeof(*cache->buckets));
    cache->entries[0] = (struct entry){.newer = 0, .older = 0};
    for (uint32_t i = 1; i <= cache->max; i++)
        cache->entries[i] = (struct entry){.next = i < cache->max ? i + 1 : 0};
    cache->free = 1;
    cache->stats.size = 0;
}

struct http_token_cache *http_token_cache_create(unsigned max)
{
    OMS_ASSERT(max >= 1 && max <= 1u << 24);
    struct http_token_cache *cache = oms_calloc(1, sizeof(*cache));
    cache->max = max;
    uint32_t buckets = 1;
    while (buckets < max)
        buckets *= 2;
    cache->bucket_mask = buckets - 1;
    cache->buckets = oms_calloc(buckets, sizeof(*cache->buckets));
    cache->entries = oms_calloc((size_t)max + 1, sizeof(*cache->entries));
    oms_random_bytes(&cache->key, sizeof(cache->key));
    reset(cache);
    return cache;
}

static uint32_t *bucket_of(struct http_token_cache *cache, struct oms_hash128 hash)
{
    return &cache->buckets[hash.lo & cache->bucket_mask];
}

static uint32_t find(struct http_token_cache *cache, struct oms_hash128 hash)
{
    uint32_t i = *bucket_of(cache, hash);
    while (i && !(cache->entries[i].hash.lo == hash.lo && cache->entries[i].hash.hi == hash.hi))
        i = cache->entries[i].next;
    return i;
}

static void unlink_use(struct http_token_cache *cache, uint32_t i)
{
    struct entry *e = cache->entries;
    e[e[i].newer].older = e[i].older;
    e[e[i].older].newer = e[i].newer;
}

static void link_newest(struct http_token_cache *cache, uint32_t i)
{
    struct entry *e = cache->entries;
    e[i].newer = 0;
    e[i].older = e[0].older;
    e[e[0].older].newer = i;
    e[0].older = i;
}

static void drop(struct http_token_cache *cache, uint32_t i)
{
    struct entry *entry = &cache->entries[i];
    uint32_t *at = bucket_of(cache, entry->hash);
    while (*at != i)
        at = &cache->entries[*at].next;
    *at = entry->next;
    unlink_use(cache, i);
    http_claims_release(entry->claims);
    *entry = (struct entry){.next = cache->free};
    cache->free = i;
    cache->stats.size--;
}

const struct http_claims *http_token_cache_get(struct http_token_cache *cache, struct oms_str token,
                                               int64_t now_ms)
{
    uint32_t i = find(cache, oms_siphash128(&cache->key, token.data, token.len));
    if (i && cache->entries[i].claims->expires_ms < now_ms) {
        drop(cache, i);
        i = 0;
    }
    if (!i) {
        cache->stats.misses++;
        return NULL;
    }
    cache->stats.hits++;
    unlink_use(cache, i);
    link_newest(cache, i);
    return http_claims_hold(cache->entries[i].claims);
}

void http_token_cache_put(struct http_token_cache *cache, struct oms_str token,
                          const struct http_claims *claims)
{
    struct oms_hash128 hash = oms_siphash128(&cache->key, token.data, token.len);
    uint32_t i = find(cache, hash);
    if (i)
        drop(cache, i);
    if (!cache->free) {
        drop(cache, cache->entries[0].newer);
        cache->stats.evictions++;
    }
    i = cache->free;
    struct entry *entry = &cache->entries[i];
    cache->free = entry->next;
    uint32_t *bucket = bucket_of(cache, hash);
    *entry = (struct entry){.hash = hash, .claims = http_claims_hold(claims), .next = *bucket};
    *bucket = i;
    link_newest(cache, i);
    cache->stats.size++;
}

void http_token_cache_withdraw(struct http_token_cache *cache, struct oms_str issuer,
                               const struct http_key_set *keys)
{
    uint32_t next;
    for (uint32_t i = cache->entries[0].older; i; i = next) {
        const struct http_claims *claims = cache->entries[i].claims;
        next = cache->entries[i].older;
        if (oms_str_eq(claims->issuer, issuer) && !http_key_set_has(keys, claims->key_mark))
            drop(cache, i);
    }
}

void http_token_cache_clear(struct http_token_cache *cache)
{
    for (uint32_t i = cache->entries[0].older; i; i = cache->entries[i].older)
        http_claims_release(cache->entries[i].claims);
    reset(cache);
}

void http_token_cache_destroy(struct http_token_cache *cache)
{
    if (!cache)
        return;
    http_token_cache_clear(cache);
    oms_free(cache->buckets);
    oms_free(cache->entries);
    oms_free(cache);
}

struct http_token_cache_stats http_token_cache_stats(const struct http_token_cache *cache)
{
    return cache->stats;
}
