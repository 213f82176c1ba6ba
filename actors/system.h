/*
 * The actor system of LiteOMS: order and tenant actors on every shard, wired to the runtime and the store.
 *
 * One system per process. It registers the actor classes, holds replies until their units are durable, keeps
 * the tenants' current versions on every shard, and feeds due deadlines to their orders.
 */
#ifndef ACTORS_SYSTEM_H
#define ACTORS_SYSTEM_H

#include "actors/held.h"
#include "actors/inbox.h"
#include "actors/tenant.h"
#include "actors/tenant_counts.h"
#include "actors/upload.h"
#include "actors/user.h"
#include "runtime/shard.h"
#include "storage/store.h"

struct actors_system;

struct actors_config {
    struct rt_host *host;
    struct store *store;
    struct oms_hash_key id_key; /* secret of this store: order ids and idempotency keys are hashed with it */
    uint64_t orders_resident_max; /* per shard; 0: OMS_ORDERS_RESIDENT_MAX */
    uint64_t orders_thawed_max;   /* per shard; 0: OMS_ORDERS_THAWED_MAX */
    /*
     * Told of every version that a shard gets, before requests can see it: on the shard's thread, and during
     * create for those that were stored. May be NULL.
     */
    void (*on_tenant)(void *context, struct rt_shard *shard, const struct tenant_version *tenant);
    void *on_tenant_context;
    /* Tries what waits in an inbox (inbox.h). NULL: nothing is tried. */
    inbox_try *on_waiting;
    void *on_waiting_context;
    /* Forgets an upload whose time is over (upload.h). NULL: it stays. */
    upload_due *on_upload_due;
    void *on_upload_context;
};

/* The fold from log records to derived families; pure, the same for every system. Given to store_open. */
struct store_projector actors_projector(void);

/*
 * Before host start, after store_open. Reads the stored tenants and publishes them to every shard, so that
 * the first request finds them. The system borrows host and store.
 */
OMS_MUST_USE enum oms_status actors_system_create(const struct actors_config *config,
                                                  struct actors_system **out, struct oms_error *error);
/* After the host and its actors are destroyed. */
void actors_system_destroy(struct actors_system *system);
/*
 * For a crash's discard (rt_host_sim_crash, store_abandon): frees the message when it is the actor layer's
 * own, false when it is not. A call of the layer above that waits inside one is left to its owner.
 */
bool actors_discard(struct rt_message *message);

/* On a shard's thread: the system that it belongs to. */
struct actors_system *actors_system_of(struct rt_shard *shard);
struct store *actors_store(struct actors_system *system);
const struct oms_hash_key *actors_id_key(const struct actors_system *system);

/* ---- tenants, on a shard's thread ---- */

/* The shard's current version, or NULL. Borrowed until the end of the turn; hold it (tenant.h) to keep it. */
const struct tenant_version *actors_tenant(struct rt_shard *shard, uint32_t number);
const struct tenant_version *actors_tenant_by_name(struct rt_shard *shard, struct oms_str name);
/* Calls `each` for every tenant of the shard, in order of number. */
void actors_tenants_each(struct rt_shard *shard,
                         void (*each)(void *context, const struct tenant_version *tenant), void *context);

/* What the tenant has, with what is in flight; any thread. */
struct tenant_usage actors_usage(const struct actors_system *system, uint32_t number);

/*
 * A change of one part of a tenant, made by its actor on the newest version, so that two changes never undo
 * one another. `apply` runs on the tenant's shard: it may read what the change points to and writes refusals
 * (then nothing happens) and `wanted`, a copy of the newest version.
 */
struct tenant_change {
    bool (*apply)(const struct tenant_change *change, struct tenant_version *wanted, int64_t now_ms,
                  struct refusal_list *refusals);
    bool has_key; /* a repeat of the key changes nothing again */
    struct oms_hash128 key, fingerprint;
};

/*
 * Creates or changes a tenant: one unit of work of the tenant's actor. It comes home when the change is
 * durable and every shard has the new version, so that whoever hears of it can rely on it everywhere.
 */
struct tenant_call {
    struct rt_message message;
    struct oms_str config; /* the wanted version, encoded by tenant.h's codec; memory of the caller */
    /* Instead of config: of the tenant `number`. With config: a tenant that must not exist yet, under the
     * change's key; its apply is not called. */
    const struct tenant_change *change;
    struct refusal_list *refusals; /* of the change; memory of the caller */
    bool replayed;                 /* out: the change's key was here before */
    uint32_t number;               /* in: 0 to create by name; out: the tenant's number */
    bool changed;                  /* out: false when it was like that already */
    enum oms_status status;        /* out: OMS_OK, OMS_INVALID, OMS_IO (unknown), OMS_BUSY, OMS_NO_SPACE */
    struct held_item held;         /* the actor layer's own, like what follows */
    struct oms_buf encoded;
    unsigned shards_left;
};
/* Clears the call; the caller then sets config, number and message.on_return. */
void tenant_call_init(struct tenant_call *call);
void tenant_call_fini(struct tenant_call *call);
/* Moves the call; message.on_return is the caller's. */
void tenant_call_send(struct rt_shard *shard, struct tenant_call *call);

/* ---- users, on a shard's thread ---- */

/* What the shard has of a user's stored authorization, or NULL. Borrowed until the end of the turn; hold it
 * (user.h) to keep it. */
const struct user_version *actors_user(struct rt_shard *shard, uint32_t tenant, struct oms_str user);
/* Before an evaluation: gives a principal of kind USER what is stored of them here, borrowed as above. */
void actors_principal_own(struct rt_shard *shard, struct principal *principal);

/*
 * Changes what is stored of a user: one unit of the user's actor. It comes home when that is durable and
 * every shard has it.
 */
struct user_call {
    struct rt_message message;
    uint32_t tenant;
    const struct user_update *update; /* memory of the caller */
    enum user_outcome outcome;        /* out, with status OMS_OK */
    int64_t newest;                   /* out: the source's version that was there; 0: none */
    enum oms_status status;           /* out: OMS_OK, OMS_IO (unknown), OMS_BUSY, OMS_NO_SPACE, OMS_LIMIT */
    struct held_item held;            /* the actor layer's own, like what follows */
    struct oms_buf encoded;
    unsigned shards_left;
};
/* Clears the call; the caller then sets tenant, update and message.on_return. */
void user_call_init(struct user_call *call);
void user_call_fini(struct user_call *call);
/* Moves the call; message.on_return is the caller's. */
void user_call_send(struct rt_shard *shard, struct user_call *call);
/* What a call that came home says: false with the refusal of one that was not done, CONFLICT for an older
 * one. */
bool user_call_refuse(const struct user_call *call, struct refusal_list *refusals);

/* ---- numbers ---- */
struct actors_stats {
    uint64_t orders_live, orders_thawed;
    uint64_t commands_accepted, commands_refused, commands_replayed;
    uint64_t commands_over_limit; /* of those refused, for a limit of the tenant */
    uint64_t reads;
    uint64_t loads_cached, loads_pool; /* states found without and with a blocking read */
    uint64_t held;                     /* replies that wait for durability now */
    uint64_t timers_fired;
};
/* The shard's own thread. */
const struct actors_stats *actors_stats(struct rt_shard *shard);

#endif
