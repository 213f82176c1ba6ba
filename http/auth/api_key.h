/*
 * API keys as they are presented: making one, reading one, and the claims of who presents it. What a key is,
 * and what is kept of it: actors/tenant_api_key.h.
 *
 * A key is checked against the tenant's current version on every request; nothing of it is cached. Checking
 * costs one SHA-256 of 64 bytes, for a good key as for a guess, and a comparison in constant time.
 */
#ifndef HTTP_AUTH_API_KEY_H
#define HTTP_AUTH_API_KEY_H

#include "actors/tenant.h"
#include "actors/tenant_api_key.h"
#include "http/auth/claims.h"

/* "lok_", the id, "_", the secret, and the NUL. */
#define HTTP_API_KEY_TEXT_SIZE (4 + TENANT_API_KEY_ID_SIZE + 1 + TENANT_API_KEY_SECRET_SIZE + 1)

/* Borrows from the text. */
struct http_api_key {
    struct oms_str id, secret;
    uint32_t tenant; /* by the id; whether there is one is not known here */
};

/* Whether the bearer token is meant to be a key, well formed or not: no JSON Web Token begins like one. */
bool http_api_key_is(struct oms_str token);
/* False for a text that is no key. */
bool http_api_key_parse(struct oms_str text, struct http_api_key *out);
/* A new secret from the operating system's randomness, and the hash to keep. */
void http_api_key_make(char secret[TENANT_API_KEY_SECRET_SIZE], unsigned char hash[TENANT_API_KEY_HASH_SIZE]);
/* The key's text, as its holder presents it. */
void http_api_key_text(struct oms_str id, const char secret[TENANT_API_KEY_SECRET_SIZE],
                       char text[HTTP_API_KEY_TEXT_SIZE]);
/*
 * The key among those of the tenant whose secret this is: NULL when it is none, or was revoked. It may have
 * expired.
 */
const struct tenant_api_key *http_api_key_find(const struct tenant_version *tenant,
                                               const struct http_api_key *presented);
/* What whoever has the key claims to be, with one hold; nothing of it is borrowed. */
struct http_claims *http_api_key_claims(const struct tenant_version *tenant,
                                        const struct tenant_api_key *key);

/* ---- when a key was last used ---- */

/*
 * For people who look for keys that nobody needs: to the minute, of the keys that were used lately, and
 * forgotten when the server ends. Of fixed size; shards write and read it together.
 */
struct http_api_key_uses;
struct http_api_key_uses *http_api_key_uses_create(void);
void http_api_key_uses_destroy(struct http_api_key_uses *uses);
/* Any thread; NULL is allowed. */
void http_api_key_used(struct http_api_key_uses *uses, struct oms_str id, int64_t now_ms);
/* 0: not since the start, or it was forgotten. Any thread; NULL is allowed. */
int64_t http_api_key_last_used(struct http_api_key_uses *uses, struct oms_str id);

#endif
