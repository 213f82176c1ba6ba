/*
 * Whether a key signed a text, as JSON Web Algorithms have it (RFC 7518 sections 3.2 to 3.4), by OpenSSL.
 *
 * Not by libjwt 1.10, which refuses every token whose header has a `typ` other than "JWT", and so the access
 * tokens of RFC 9068 ("at+jwt"); and which chooses between HMAC and public keys by what the token says. Here
 * the key's kind decides.
 */
#ifndef HTTP_AUTH_SIGNATURE_H
#define HTTP_AUTH_SIGNATURE_H

#include "http/auth/issuer.h"

/* The key must be of the kind that the algorithm needs. `signature` is decoded. Any thread. */
bool http_signature_valid(enum http_algorithm algorithm, const struct http_issuer_key *key,
                          struct oms_str text, struct oms_str signature);

#endif
