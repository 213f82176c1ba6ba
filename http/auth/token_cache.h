/*
 * Verified tokens of one shard: from a keyed hash of the whole token to its claims, until they expire.
 *
 * Checking a signature costs tens of microseconds and a client repeats its token on every request. The hash
 * is 128 bits of SipHash under a key that nobody outside knows, so that equal hashes mean equal tokens and
 * the tokens themselves need not be kept. Only tokens that passed are in here, and never longer than they are
 * valid; permissions are not cached with them. The longest unused goes first when it is full.
 */
#ifndef HTTP_AUTH_TOKEN_CACHE_H
#define HTTP_AUTH_TOKEN_CACHE_H

#include "http/auth/claims.h"

struct http_key_set;
struct http_token_cache;

struct http_token_cache_stats {
    uint64_t hits, misses, evictions;
    uint64_t size;
};

/* `max` tokens at most, at least 1. One shard's thread uses it. */
struct http_token_cache *http_token_cache_create(unsigned max);
void http_token_cache_destroy(struct http_token_cache *cache);
/* The claims with a hold for the caller, or NULL when they are not here or have expired. */
const struct http_claims *http_token_cache_get(struct http_token_cache *cache, struct oms_str token,
                                               int64_t now_ms);
/* Takes a hold of its own. */
void http_token_cache_put(struct http_token_cache *cache, struct oms_str token,
                          const struct http_claims *claims);
/* Forgets the tokens of an issuer whose key `keys` (may be NULL) has no more: it was withdrawn. Looks at all
 * entries. `issuer` is the text that the claims borrow. */
void http_token_cache_withdraw(struct http_token_cache *cache, struct oms_str issuer,
                               const struct http_key_set *keys);
/* Forgets everything. */
void http_token_cache_clear(struct http_token_cache *cache);
struct http_token_cache_stats http_token_cache_stats(const struct http_token_cache *cache);

#endif
