/*
 * Where a tenant's events are sent: the endpoints of its webhooks.
 *
 * Kept here as plain data, stored with the tenant's version, so that a change counts everywhere from its
 * answer on; how far an endpoint is, and what became of its deliveries, is its outlet's (actors/outlet.h).
 * Secrets leave this structure to sign with, and in the one answer that makes them: no query and no log shows
 * them.
 */
#ifndef TENANT_ENDPOINT_H
#define TENANT_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/refusal.h"
#include "runtime/base/limits.h"

struct oms_arena;
struct oms_buf;
struct tenant_version;

#define TENANT_ENDPOINT_PREFIX    "whe_"
#define TENANT_ENDPOINT_ID_SIZE   20 /* the prefix and 16 hexadecimal digits */
#define TENANT_ENDPOINT_KEY_BYTES 8  /* of them */
#define TENANT_SECRET_PREFIX      "whsec_"

struct tenant_secret {
    struct oms_str text; /* "whsec_" and base64 */
    int64_t until;       /* it is not signed with from then on; 0: it is the current one */
};

struct tenant_endpoint {
    struct oms_str id, url;
    struct oms_str description;                             /* absent: none */
    struct oms_str filter;                                  /* an EventFilter as JSON; absent: every event */
    struct tenant_secret secrets[OMS_ENDPOINT_SECRETS_MAX]; /* newest first */
    size_t secret_count;
    bool disabled;
    uint32_t revision; /* 1, 2, …: one per change */
    uint64_t start;    /* events of later commits are its events */
    int64_t created_at, updated_at;
};

/* The id of 8 random bytes. */
void tenant_endpoint_id(const unsigned char random[TENANT_ENDPOINT_KEY_BYTES],
                        char out[TENANT_ENDPOINT_ID_SIZE]);
/* The bytes of an id; false for any other text. */
bool tenant_endpoint_id_parse(struct oms_str id, unsigned char out[TENANT_ENDPOINT_KEY_BYTES]);
/* NULL when there is none. */
const struct tenant_endpoint *tenant_find_endpoint(const struct tenant_version *tenant, struct oms_str id);

/* ---- changes, of a copy of the version; false with a refusal ---- */

/* Adds one, or takes the place of the one with its id; its text is copied. */
bool tenant_version_put_endpoint(struct tenant_version *wanted, const struct tenant_endpoint *endpoint,
                                 struct refusal_list *refusals);
bool tenant_version_delete_endpoint(struct tenant_version *wanted, struct oms_str id,
                                    struct refusal_list *refusals);

/* ---- for tenant_codec.c and tenant_change.c ---- */

/* The stored form of one (runtime/base/wire.h), without a tag of its own. */
void tenant_endpoint_encode(const struct tenant_endpoint *endpoint, struct oms_buf *out);
/* Copies into the arena. OMS_CORRUPT for other bytes. */
OMS_MUST_USE enum oms_status tenant_endpoint_decode(struct oms_str bytes, struct oms_arena *arena,
                                                    struct tenant_endpoint *out);
/* A deep copy of all of them into the version's arena; false when it is exhausted. */
bool tenant_version_copy_endpoints(struct tenant_version *wanted, const struct tenant_version *from);

#endif
