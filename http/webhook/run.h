/*
 * One update on its way to its order, or a snapshot on its way to its tenant: finds the order, makes the
 * command, sends it, and judges what comes back. Used for a delivery that has just come and for one that
 * waited. On the shard's thread that starts it.
 */
#ifndef WEBHOOK_RUN_H
#define WEBHOOK_RUN_H

#include "actors/ids.h"
#include "actors/order_call.h"
#include "actors/system.h"
#include "http/webhook/payload.h"
#include "storage/store.h"

enum webhook_outcome {
    WEBHOOK_APPLIED,     /* durable: an order has it, now or since an earlier delivery */
    WEBHOOK_REFUSED,     /* an order refused it, or nothing could be made of it: refusals */
    WEBHOOK_AHEAD,       /* the same, but it may apply later */
    WEBHOOK_MALFORMED,   /* refused before any order was asked: the same for ever */
    WEBHOOK_UNAVAILABLE, /* nothing happened, or nobody knows: it can be sent again */
    WEBHOOK_SUSPENDED,   /* the tenant */
    WEBHOOK_FULL,        /* the tenant is at a limit of its own: it can be sent again */
};

struct webhook_run {
    /* set by the caller; everything outlives the run */
    struct rt_shard *shard;
    struct actors_system *system;
    const struct webhook_update *update;
    uint32_t tenant;         /* 0: of whichever tenant has the tracking reference */
    struct oms_str provider; /* the subject */
    struct oms_str key;      /* of idempotency, at most 100 bytes */
    struct oms_arena *arena;
    enum workflow_origin origin; /* of a snapshot: WORKFLOW_WEBHOOK, WORKFLOW_EVENT_STREAM */
    void (*done)(struct webhook_run *run);

    /* results */
    enum webhook_outcome outcome;
    struct refusal_list refusals;
    char order_id[IDS_ORDER_TEXT + 1]; /* "" when there is none to tell */
    uint64_t version;                  /* of the order after it; 0: not told */
    bool replayed;
    struct oms_str answer; /* of a snapshot that was APPLIED: JSON, which nobody but the inbox remembers;
                              absent: an order has it */

    /* the run's own */
    struct principal principal;
    struct order_call call;
    struct order_command command;
    struct store_read read;
    unsigned char id[IDS_ORDER_SIZE];
    enum order_stage stage;
    unsigned step;
    uint32_t *tenants;
    size_t tenant_count, found;
    enum oms_status read_status;
    /* … of snapshots: run_snapshot.c */
    struct user_call user_call;
    struct user_update user_update;
    struct tenant_call tenant_call;
    struct tenant_change change;
    struct tenant_snapshot snapshot;
    const struct oms_value *part;
};

/* Calls `done` in this turn or later, once. The caller keeps the run until then. */
void webhook_run_start(struct webhook_run *run);
/* The run of a snapshot, which webhook_run_start has begun. */
void webhook_run_snapshot(struct webhook_run *run);
/* Gives back what the run holds, after `done`. */
void webhook_run_fini(struct webhook_run *run);

#endif
