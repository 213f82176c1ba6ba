/*
 * A version of a tenant: all that requests must know of it, immutable, one copy per shard.
 *
 * The tenant's actor owns the truth; after a change is durable every shard decodes its own copy from the same
 * bytes, so that reading needs no lock and no shared count. A copy lives while its shard holds it
 * (tenant_version_hold, release), for a request may outlive the version it began with.
 */
#ifndef TENANT_H
#define TENANT_H

#include "actors/fulfillment.h"
#include "actors/permission.h"
#include "actors/tenant_api_key.h"
#include "actors/tenant_endpoint.h"
#include "actors/tenant_webhook.h"
#include "actors/workflow.h"

/* Numbers are stored. */
enum tenant_status { TENANT_ACTIVE = 1, TENANT_SUSPENDED = 2, TENANT_REMOVED = 3 };

/* 0: not limited beyond the server's own maxima. */
struct tenant_limits {
    uint64_t requests_per_second; /* http/throttle.h */
    uint64_t streams;             /* open at once, on all shards: http/stream */
    uint64_t open_orders;         /* DRAFT, PENDING, CONFIRMED and SHIPPED: order_actor.c */
    uint64_t stored_events;       /* of all its orders, for good: order_actor.c */
};

/* What the configuration and the API may both say of a tenant; numbers are stored. */
enum tenant_part {
    TENANT_PART_STATUS,
    TENANT_PART_CURRENCY,
    TENANT_PART_ORIGINS,
    TENANT_PART_LIMITS,
    TENANT_PART_ROLEMAP,
    TENANT_PARTS
};

/* A change that was made under an idempotency key. */
struct tenant_key {
    struct oms_hash128 key, fingerprint;
    int64_t at;
};

/* Where a snapshot (tenant_snapshot.h) came from. */
struct tenant_source {
    enum workflow_origin origin; /* BUILT_IN: nobody has told anything */
    int64_t version;             /* in the system that owns it; 0: not told */
    int64_t updated_at;          /* 0: not told */
};

struct tenant_version {
    uint32_t number;  /* 1 …; what keys carry */
    uint32_t version; /* 1, 2, …: one per change */
    struct oms_str name;
    enum tenant_status status;
    struct oms_str status_reason, status_by; /* absent: not told */
    int64_t status_at;                       /* 0: it is as it was created, or was configured */
    int64_t created_at;                      /* 0: before this was remembered */
    uint64_t configured[TENANT_PARTS];       /* tenant_settings.h; 0: never configured */
    uint16_t currency;                       /* default of inputs without one; MONEY_CURRENCY_NONE: none */
    struct permission_table permissions;
    struct tenant_source rolemap_source; /* of permissions.roles */
    struct fulfillment fulfillment;
    struct tenant_source warehouses_source, carriers_source;
    const struct workflow *workflows; /* ascending by version; the last one is current; at least one */
    size_t workflow_count;
    const struct oms_str *cors_origins; /* "https://shop.example", or "*" */
    size_t cors_origin_count;
    struct tenant_limits limits;
    const struct tenant_webhook *webhooks; /* who may send webhooks; one per provider */
    size_t webhook_count;
    const struct tenant_api_key *api_keys; /* oldest first; revoked and expired ones too */
    size_t api_key_count;
    const struct tenant_endpoint *endpoints; /* where its events are sent; oldest first */
    size_t endpoint_count;
    bool workflow_kept; /* from configuration that names none: follow leaves the workflow as it is */
    const struct tenant_key *keys; /* oldest first */
    size_t key_count;

    struct oms_arena arena; /* all of the above */
    uint32_t holds;         /* the owner's and others', on one shard */
};

/* ---- life: on the shard (or thread) that made the copy ---- */

/* One more holder. */
const struct tenant_version *tenant_version_hold(const struct tenant_version *tenant);
/* One holder less; frees it with the last. NULL is allowed. */
void tenant_version_release(const struct tenant_version *tenant);

/* ---- making ---- */

/*
 * From configuration: { "name", "status": "active" | "suspended", "currency", "rolemap": [rows] (absent: the
 * built-in one), "authorizations": [rows], "workflow": {…} (absent: the built-in one), "cors_origins": [...],
 * "limits": {…}, "webhooks": [...] }. Unknown keys are refused with the nearest valid one. The result has one
 * hold, number 0, version 1 and its workflow as version 1: tenant_succeed gives it its place. Any thread.
 */
OMS_MUST_USE enum oms_status tenant_parse(const struct oms_value *config, struct tenant_version **out,
                                          struct oms_error *error);
/* Reads one of "status", "currency", "cors_origins", "limits" and "webhooks" into a version of one's own. */
OMS_MUST_USE enum oms_status tenant_parse_part(struct tenant_version *tenant, const char *key,
                                               const struct oms_value *value, struct oms_error *error);
/* A tenant with all defaults. `name` must be valid. */
struct tenant_version *tenant_create_default(struct oms_str name);
/* 1 … OMS_TENANT_NAME_BYTES_MAX of a–z, 0–9, '-', '_' and '.', beginning with a letter or digit. */
bool tenant_name_valid(struct oms_str name);

/*
 * Fits a wanted version (as parsed) to the one that it replaces, before it is stored: it takes over the
 * number, the keys, and the workflow versions that orders have pinned. Its own workflow becomes a new version
 * when the configuration has changed: one that was configured before, and has been followed since by a
 * version from elsewhere (the API, a webhook), does not come back. `version` stays the caller's. OMS_LIMIT:
 * too many workflow versions, `wanted` is then unchanged.
 */
OMS_MUST_USE enum oms_status tenant_version_follow(struct tenant_version *wanted,
                                                   const struct tenant_version *before);
/* Whether both say the same, but for `version` and holds. */
bool tenant_version_same(const struct tenant_version *a, const struct tenant_version *b);

/* ---- changes of one part ---- */

/* A copy of its own, to be changed and submitted; one hold. */
struct tenant_version *tenant_version_copy(const struct tenant_version *tenant);
/* Where a new workflow comes from. */
struct tenant_snapshot {
    enum workflow_origin origin;
    int64_t version; /* in the system that owns it; 0: not told */
    int64_t now_ms;
    bool older; /* out: it was refused, since what is there is newer */
};
/*
 * Appends `workflow` (a tree as workflow_build takes it) as the newest version of a copy; what is like the
 * current one changes nothing. False with refusals, whose fields begin with "workflow": its faults, CONFLICT
 * for a snapshot that is older than the one we have (snapshot->older), LIMIT_EXCEEDED.
 */
bool tenant_version_set_workflow(struct tenant_version *wanted, const struct oms_value *workflow,
                                 struct tenant_snapshot *snapshot, struct refusal_list *refusals);
/* Gives a new workflow version that was configured the time of its taking effect. */
void tenant_version_stamp(struct tenant_version *wanted, int64_t now_ms);
/* The remembered change of this key, or NULL. */
const struct tenant_key *tenant_find_key(const struct tenant_version *tenant, struct oms_hash128 key);
/* Remembers one more in a copy; old ones are forgotten. False when the memory for them is full. */
bool tenant_version_remember(struct tenant_version *wanted, const struct tenant_key *key);

/* ---- codec ---- */

/* Appends the stored form (runtime/base/wire.h). Equal versions give equal bytes. */
void tenant_version_encode(const struct tenant_version *tenant, struct oms_buf *out);
/* A new copy with one hold. OMS_CORRUPT for bytes that this function did not write, OMS_LIMIT when they are
 * too many. */
OMS_MUST_USE enum oms_status tenant_version_decode(struct oms_str bytes, struct tenant_version **out);

/* ---- reading ---- */

/* The workflow of this version; 0 or an unknown version: the current one for 0, NULL for an unknown. */
const struct workflow *tenant_workflow(const struct tenant_version *tenant, uint32_t version);
/* "API"; static storage. */
const char *workflow_origin_name(enum workflow_origin origin);
/* Whether pages of this origin may call. */
bool tenant_allows_origin(const struct tenant_version *tenant, struct oms_str origin);
/* "active"; static storage. */
const char *tenant_status_name(enum tenant_status status);

#endif
