/*
 * Sets of keys that an issuer publishes: JSON Web Key Sets (RFC 7517, RFC 7518 section 6).
 *
 * A set is made once from a document and immutable then; all shards share it, counted by atomics. Of a
 * document only public RSA and EC keys count that may verify with one of the issuer's algorithms; every other
 * key is skipped (RFC 7517 section 5), symmetric and private ones too: what is published is no secret. A
 * document that is none makes no set.
 */
#ifndef HTTP_AUTH_JWKS_H
#define HTTP_AUTH_JWKS_H

#include <stdatomic.h>

#include "http/auth/issuer.h"
#include "runtime/base/arena.h"
#include "runtime/base/limits.h"

struct http_key_set {
    atomic_uint holds;
    size_t count;
    struct http_issuer_key keys[OMS_JWKS_KEYS_MAX]; /* in the document's order */
    unsigned skipped;                               /* keys of the document that do not count */
    const char *skipped_why;                        /* of the first of them; static storage; NULL: none */
    struct oms_arena arena;                         /* all of the text */
};

/*
 * The set of a document, with one hold, or NULL: `error` says what is wrong with it, without a word of it.
 * `algorithms`: those of the issuer. Any thread; borrows nothing.
 */
const struct http_key_set *http_jwks_parse(struct oms_str document, unsigned algorithms,
                                           struct oms_error *error);
/* Any thread. */
const struct http_key_set *http_key_set_hold(const struct http_key_set *set);
/* Any thread; NULL is allowed. */
void http_key_set_release(const struct http_key_set *set);
/* Whether a key with this mark is in the set; a set that is NULL has none. */
bool http_key_set_has(const struct http_key_set *set, uint64_t mark);
/* Whether both have the same keys, in whatever order; either may be NULL. */
bool http_key_set_same(const struct http_key_set *a, const struct http_key_set *b);

#endif
