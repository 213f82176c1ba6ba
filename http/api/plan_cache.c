/*
 * Buckets of chained entries and a list by age. See plan_cache.h.
 *
 * Clients send a few documents again and again: the newest entries are compared before anything is hashed,
 * since comparing a document costs a tenth of a keyed hash over it.
 */
#include "http/api/plan_cache.h"

#include "runtime/base/alloc.h"
#include "runtime/base/prng.h"

#define NEWEST_COMPARED 4

struct plan_entry {
    struct plan_entry *chain;
    struct plan_entry *newer, *older;
    struct gql_prepared *prepared;
    uint64_t hash;
    size_t bytes;
    size_t len;
    char document[];
};

void plan_cache_init(struct plan_cache *cache, size_t count_max, size_t bytes_max)
{
    memset(cache, 0, sizeof(*cache));
    oms_random_bytes(&cache->key, sizeof(cache->key));
    cache->count_max = count_max;
    cache->bytes_max = bytes_max;
    for (cache->bucket_count = 16; cache->bucket_count < 2 * count_max;)
        cache->bucket_count *= 2;
    cache->buckets = oms_calloc(cache->bucket_count, sizeof(cache->buckets[0]));
}

static struct plan_entry **chain_of(struct plan_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash & (cache->bucket_count - 1)];
}

static void unlink_age(struct plan_cache *cache, struct plan_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct plan_cache *cache, struct plan_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void drop(struct plan_cache *cache, struct plan_entry *entry)
{
    struct plan_entry **at = chain_of(cache, entry->hash);
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    unlink_age(cache, entry);
    cache->count--;
    cache->bytes -= entry->bytes;
    gql_prepared_release(entry->prepared);
    oms_free(entry);
}

void plan_cache_fini(struct plan_cache *cache)
{
    while (cache->oldest)
        drop(cache, cache->oldest);
    oms_free(cache->buckets);
}

static bool is_of(const struct plan_entry *entry, struct oms_str document)
{
    return entry->len == document.len && memcmp(entry->document, document.data, document.len) == 0;
}

static struct plan_entry *find(struct plan_cache *cache, struct oms_str document)
{
    struct plan_entry *entry = cache->newest;
    for (unsigned i = 0; entry && i < NEWEST_COMPARED; i++, entry = entry->older)
        if (is_of(entry, document))
            return entry;
    if (!entry)
        return NULL; /* these were all */
    uint64_t hash = oms_siphash64(&cache->key, document.data, document.len);
    for (entry = *chain_of(cache, hash); entry; entry = entry->chain)
        if (entry->hash == hash && is_of(entry, document))
            return entry;
    return NULL;
}

struct gql_prepared *plan_cache_get(struct plan_cache *cache, struct oms_str document)
{
    struct plan_entry *entry = find(cache, document);
    if (!entry) {
        cache->misses++;
        return NULL;
    }
    if (cache->newest != entry) {
        unlink_age(cache, entry);
        link_newest(cache, entry);
    }
    cache->hits++;
    gql_prepared_hold(entry->prepared);
    return entry->prepared;
}

void plan_cache_put(struct plan_cache *cache, struct oms_str document, struct gql_prepared *prepared)
{
    size_t bytes = sizeof(struct plan_entry) + document.len + gql_prepared_bytes(prepared);
    if (bytes > cache->bytes_max / 4)
        return;
    while (cache->oldest &&
           (cache->count + 1 > cache->count_max || cache->bytes + bytes > cache->bytes_max)) {
        drop(cache, cache->oldest);
        cache->evictions++;
    }
    struct plan_entry *entry = oms_malloc(sizeof(*entry) + document.len);
    entry->hash = oms_siphash64(&cache->key, document.data, document.len);
    entry->len = document.len;
    entry->bytes = bytes;
    entry->prepared = prepared;
    memcpy(entry->document, document.data, document.len);
    gql_prepared_hold(prepared);
    struct plan_entry **chain = chain_of(cache, entry->hash);
    entry->chain = *chain;
    *chain = entry;
    link_newest(cache, entry);
    cache->count++;
    cache->bytes += bytes;
}
