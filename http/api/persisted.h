/*
 * Documents that clients registered by their SHA-256 (automatic persisted queries, as Apollo's clients know
 * them): a bounded store per shard, least recently used out first.
 *
 * A shard that learns a document tells the others by a message that goes round and comes home, so shards
 * share no memory and take no lock, and a client whose next connection lands elsewhere finds its document
 * there. A client that is faster than the message, or whose document went for room, is told
 * PERSISTED_QUERY_NOT_FOUND and sends the text once more, which runs at once and registers it: at most one
 * extra round trip, never a loop.
 */
#ifndef API_PERSISTED_H
#define API_PERSISTED_H

#include "http/digest.h"
#include "runtime/base/hash.h"
#include "runtime/shard.h"

struct persisted_entry;
struct persisted_news;

struct persisted {
    struct rt_shard *shard;
    struct persisted *const *all; /* the stores of all shards, by their index */
    unsigned count_all;
    struct oms_hash_key key;
    struct persisted_entry **buckets; /* a power of two of them */
    size_t bucket_count, count, count_max;
    size_t bytes, bytes_max;
    struct persisted_entry *newest, *oldest;
    struct persisted_news *under_way; /* messages on their round */
    unsigned under_way_count;
    uint64_t hits, misses, registered, evictions;
};

/* count_max 0: keeps nothing. `all` (count_all pointers) outlives the store and is filled before the shards
 * run. */
void persisted_init(struct persisted *persisted, struct rt_shard *shard, struct persisted *const *all,
                    unsigned count_all, size_t count_max, size_t bytes_max);
/* After the shards have stopped. */
void persisted_fini(struct persisted *persisted);
/* The document, until the next call of a function of this store; absent when it is not known. On its shard.
 */
struct oms_str persisted_get(struct persisted *persisted, const struct http_digest *digest);
/* Keeps a copy here and tells the other shards. The caller has seen that the digest is the document's, and
 * that it can be prepared. On its shard. */
void persisted_put(struct persisted *persisted, const struct http_digest *digest, struct oms_str document);

#endif
