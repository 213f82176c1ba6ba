/*
 * From a public key of OpenSSL to a key that verifies tokens: the one way in, for keys of the configuration
 * and for published ones.
 *
 * A key is written again as plain public PEM, so that what verifies later is a public key and nothing
 * else, whatever was in the file or document; and its kind and size are looked at here and nowhere else.
 */
#ifndef HTTP_AUTH_PUBLIC_KEY_H
#define HTTP_AUTH_PUBLIC_KEY_H

#include "http/auth/issuer.h"

struct evp_pkey_st;

/*
 * Fills `out` with the key's kind, its PEM and `kid`, both in `arena`. OMS_INVALID with a sentence's end in
 * `error` ("holds …") for a key that is neither RSA of HTTP_RSA_BITS_MIN to HTTP_RSA_BITS_MAX bits nor on
 * P-256, P-384 or P-521; OMS_LIMIT when the arena is full. The key stays the caller's. Any thread.
 */
OMS_MUST_USE enum oms_status http_public_key(struct evp_pkey_st *key, struct oms_str kid,
                                             struct oms_arena *arena, struct http_issuer_key *out,
                                             struct oms_error *error);

#endif
