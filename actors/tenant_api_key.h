/*
 * API keys: how a tenant's machines prove who they are, without an identity provider.
 *
 * A key's text is "lok_<id>_<secret>": the id is 20 hexadecimal digits, of which the first 8 are the tenant's
 * number, so that a key is found without a search; the secret is 64 digits, 256 random bits. What is kept is
 * the SHA-256 of the secret. A secret of that size cannot be guessed, so a slow hash would add nothing but
 * load. Making, hashing and comparing are http's (http/auth/api_key.h); the list is part of the tenant's
 * version, so that a key that was revoked is revoked on every shard when the caller hears of it.
 *
 * What a key may do is written in it, once and for good: a list of permissions under one scope. It has no
 * roles, so that a change of the rolemap never widens a key, and it is never the operator.
 */
#ifndef TENANT_API_KEY_H
#define TENANT_API_KEY_H

#include "actors/permission.h"
#include "actors/refusal.h"

struct oms_buf;
struct tenant_version;

#define TENANT_API_KEY_ID_SIZE     20
#define TENANT_API_KEY_SECRET_SIZE 64
#define TENANT_API_KEY_PREFIX      "lok_"
#define TENANT_API_KEY_HASH_SIZE   32

struct tenant_api_key {
    struct oms_str id; /* TENANT_API_KEY_ID_SIZE hexadecimal digits, lower case */
    unsigned char hash[TENANT_API_KEY_HASH_SIZE];
    struct oms_str name;       /* for people */
    struct oms_str created_by; /* subject; absent: it had none */
    struct oms_str revoked_by;
    uint64_t permissions; /* PERMISSION_BIT set */
    struct permission_scope scope;
    int64_t created_at;
    int64_t expires_at; /* 0: never */
    int64_t revoked_at; /* 0: it was not */
};

enum tenant_api_key_status { TENANT_API_KEY_LIVE, TENANT_API_KEY_EXPIRED, TENANT_API_KEY_REVOKED };

enum tenant_api_key_status tenant_api_key_status(const struct tenant_api_key *key, int64_t now_ms);
/* "ACTIVE", as the API has it; static storage. */
const char *tenant_api_key_status_name(enum tenant_api_key_status status);
/* NULL when there is none, whatever its status. */
const struct tenant_api_key *tenant_find_api_key(const struct tenant_version *tenant, struct oms_str id);
/* Writes the id of a key of this tenant from 6 random bytes. */
void tenant_api_key_id(uint32_t tenant, const unsigned char random[6], char out[TENANT_API_KEY_ID_SIZE]);
/* The tenant's number in an id; false when it is no id. */
bool tenant_api_key_id_parse(struct oms_str id, uint32_t *tenant);

/* ---- changes, of a copy of the version ---- */

/*
 * Adds a key; its text is copied. False with a refusal: OMS_TENANT_API_KEYS_MAX are live, or one with its id
 * is there. The oldest keys that are not live go when OMS_TENANT_API_KEYS_KEPT of them are there.
 */
bool tenant_version_add_api_key(struct tenant_version *wanted, const struct tenant_api_key *key,
                                int64_t now_ms, struct refusal_list *refusals);
/* Revokes it for good; one that is revoked stays as it is. False with NOT_FOUND. */
bool tenant_version_revoke_api_key(struct tenant_version *wanted, struct oms_str id, struct oms_str by,
                                   int64_t now_ms, struct refusal_list *refusals);

/* ---- for tenant_codec.c and tenant_change.c ---- */

/* The stored form of one (runtime/base/wire.h), without a tag of its own. */
void tenant_api_key_encode(const struct tenant_api_key *key, struct oms_buf *out);
/* Copies into the arena. OMS_CORRUPT for other bytes. */
OMS_MUST_USE enum oms_status tenant_api_key_decode(struct oms_str bytes, struct oms_arena *arena,
                                                   struct tenant_api_key *out);
/* A deep copy of all of them into the version's arena; false when it is exhausted. */
bool tenant_version_copy_api_keys(struct tenant_version *wanted, const struct tenant_version *from);
/* Makes the version's permission table know its keys: those that are not revoked. After every change of the
 * list. False when the arena is exhausted. */
bool tenant_version_index_api_keys(struct tenant_version *tenant);

#endif
