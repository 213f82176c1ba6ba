/*
 * Prepared documents of one shard, least recently used out first, bounded in number and bytes. The key is the
 * document's text: a keyed hash finds it, the whole text decides.
 */
#ifndef API_PLAN_CACHE_H
#define API_PLAN_CACHE_H

#include "http/graphql/graphql.h"
#include "runtime/base/hash.h"

struct plan_entry;

struct plan_cache {
    struct oms_hash_key key;
    struct plan_entry **buckets; /* a power of two of them */
    size_t bucket_count, count, count_max;
    size_t bytes, bytes_max;
    struct plan_entry *newest, *oldest;
    uint64_t hits, misses, evictions;
};

void plan_cache_init(struct plan_cache *cache, size_t count_max, size_t bytes_max);
void plan_cache_fini(struct plan_cache *cache);
/* The document's plan with a hold for the caller, or NULL. */
struct gql_prepared *plan_cache_get(struct plan_cache *cache, struct oms_str document);
/* Keeps it with a hold of its own; what is too large for the whole cache is not kept. */
void plan_cache_put(struct plan_cache *cache, struct oms_str document, struct gql_prepared *prepared);

#endif
