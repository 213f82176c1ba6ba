/*
 * A version of a tenant: all that requests must know of it, immutable, one copy per shard.
 *
 * The tenant's actor owns the truth; after a change is durable every shard decodes its own copy from the same
 * bytes, so that reading needs no lock and no shared count. A copy lives while its shard holds it
 * (tenant_version_hold, release), for a request may outlive the version it began with.
 */
#ifndef TENANT_H
#define TENANT_H

#include "actors/permission.h"
#include "actors/tenant_webhook.h"
#include "actors/workflow.h"

/* Numbers are stored. */
enum tenant_status { TENANT_ACTIVE = 1, TENANT_SUSPENDED = 2, TENANT_REMOVED = 3 };

/* 0: not limited beyond the server's own maxima. */
struct tenant_limits {
    uint64_t requests_per_second; /* http/throttle.h */
    uint64_t streams;             /* open at once, on all shards: http/stream */
    /* Stored, but enforced nowhere yet: tenant_parse takes nothing but 0. */
    uint64_t open_orders;
    uint64_t stored_events;
};

struct tenant_version {
    uint32_t number;  /* 1 …; what keys carry */
    uint32_t version; /* 1, 2, …: one per change */
    struct oms_str name;
    enum tenant_status status;
    uint16_t currency; /* default of inputs without one; MONEY_CURRENCY_NONE: none */
    struct permission_table permissions;
    const struct workflow *workflows; /* ascending by version; the last one is current; at least one */
    size_t workflow_count;
    const struct oms_str *cors_origins; /* "https://shop.example", or "*" */
    size_t cors_origin_count;
    struct tenant_limits limits;
    const struct tenant_webhook *webhooks; /* who may send webhooks; one per provider */
    size_t webhook_count;

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
 * "limits": {…}, "webhooks": [...] }. Unknown keys are refused with the nearest valid one. The result has one hold, number 0,
 * version 1 and its workflow as version 1: tenant_succeed gives it its place. Any thread.
 */
OMS_MUST_USE enum oms_status tenant_parse(const struct oms_value *config, struct tenant_version **out,
                                          struct oms_error *error);
/* A tenant with all defaults. `name` must be valid. */
struct tenant_version *tenant_create_default(struct oms_str name);
/* 1 … OMS_TENANT_NAME_BYTES_MAX of a–z, 0–9, '-', '_' and '.', beginning with a letter or digit. */
bool tenant_name_valid(struct oms_str name);

/*
 * Fits a wanted version (as parsed) to the one that it replaces, before it is stored: it takes over the
 * number and the workflow versions that orders have pinned, and its own workflow becomes a new version when
 * it differs from the current one. `version` stays the caller's. OMS_LIMIT: too many workflow versions,
 * `wanted` is then unchanged.
 */
OMS_MUST_USE enum oms_status tenant_version_follow(struct tenant_version *wanted,
                                                   const struct tenant_version *before);
/* Whether both say the same, but for `version` and holds. */
bool tenant_version_same(const struct tenant_version *a, const struct tenant_version *b);

/* ---- codec ---- */

/* Appends the stored form (runtime/base/wire.h). Equal versions give equal bytes. */
void tenant_version_encode(const struct tenant_version *tenant, struct oms_buf *out);
/* A new copy with one hold. OMS_CORRUPT for bytes that this function did not write, OMS_LIMIT when they are
 * too many. */
OMS_MUST_USE enum oms_status tenant_version_decode(struct oms_str bytes, struct tenant_version **out);

/* ---- reading ---- */

/* The workflow of this version; 0 or an unknown version: the current one for 0, NULL for an unknown. */
const struct workflow *tenant_workflow(const struct tenant_version *tenant, uint32_t version);
/* Whether pages of this origin may call. */
bool tenant_allows_origin(const struct tenant_version *tenant, struct oms_str origin);
/* "active"; static storage. */
const char *tenant_status_name(enum tenant_status status);

#endif
