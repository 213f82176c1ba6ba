/*
 * What is stored of one user's authorization in a tenant (UserAuthorizationSnapshot): roles and grants that
 * another system, usually the identity service, has told. Immutable, a copy on every shard, so that a
 * permission is evaluated without a lock or a hop.
 *
 * It does not lie in the tenant's version, since a login would then make a new version of the tenant: each
 * user is an actor (kind 4) whose state is this, one unit of the log per change (user_actor.c).
 *
 * Two things are told, each with an order of its own, in which an older one never overwrites a newer one: a
 * snapshot (roles, grants or both) by its source's version, and the roles of a login by its time. A
 * snapshot's roles count as of the time when it was taken in.
 */
#ifndef USER_H
#define USER_H

#include "actors/permission.h"
#include "actors/refusal.h"
#include "actors/workflow.h"

struct oms_buf;

struct user_version {
    struct user_version *next; /* the table's own */
    uint32_t tenant;
    uint32_t version; /* 1, 2, …: one per change */
    uint32_t holds;
    uint16_t role_count, rule_count;
    enum workflow_origin origin; /* of the last change */
    bool removed;                /* by removeUserAuthorization: kept for its version */
    int64_t source_version;      /* 0: not told */
    int64_t roles_at;            /* when the roles were so; 0: never told */
    int64_t updated_at;
    struct oms_str user; /* the token's sub */
    const struct oms_str *roles;
    const struct permission_rule *rules; /* one per scope; the holder is absent */
};

/* ---- changes ---- */

enum user_update_kind {
    USER_SNAPSHOT, /* roles, rules or both are replaced by what it has */
    USER_LOGIN,    /* roles, as of `at` */
    USER_REMOVE,
};

struct user_update {
    enum user_update_kind kind;
    struct oms_str user;
    bool has_roles, has_rules;
    const struct oms_str *roles;
    size_t role_count;
    const struct permission_rule *rules;
    size_t rule_count;
    enum workflow_origin origin;
    int64_t source_version; /* 0: not told */
    int64_t at;             /* LOGIN; 0: now */
};

/*
 * Reads { user | userId | sub, roles: [...], grants | permissions | rows: [{ permission(s), scope }], version
 * | sourceVersion } into a snapshot; `user` may be given apart (not absent). All lives in `arena` or is
 * borrowed from the tree. Unknown keys are refused with the nearest valid one. Any thread.
 */
bool user_update_parse(const struct oms_value *tree, struct oms_arena *arena, struct user_update *out,
                       struct refusal_list *refusals);
/* Reads { user, version } into a removal. */
bool user_remove_parse(const struct oms_value *tree, struct user_update *out, struct refusal_list *refusals);
/*
 * Reads a login: { sub, tenant_id, roles }, its time `occurred_at` or absent. Keys that it does not know are
 * left alone, since identity services tell much; so is the role "operator", which nobody gains by a login.
 */
bool user_login_parse(const struct oms_value *data, struct oms_str occurred_at, struct oms_arena *arena,
                      struct user_update *out, struct refusal_list *refusals);

enum user_outcome {
    USER_CHANGED, /* `out` is the next version */
    USER_SAME,    /* it is like that already */
    USER_OLDER,   /* what is there is newer: nothing changes */
    USER_OTHER,   /* the same version is there with other content */
};

/*
 * The version after an update; `now` NULL: there is none yet. `out` borrows from both and is to be encoded.
 * Pure.
 */
enum user_outcome user_follow(const struct user_version *now, const struct user_update *update,
                              int64_t now_ms, struct user_version *out);
/* Whether both grant the same: a login tells mostly what was known. */
bool user_grants_same(const struct user_version *a, const struct user_version *b);

/* ---- codec ---- */

/* Appends the stored form, without the tenant, which is in the address. */
void user_version_encode(const struct user_version *user, struct oms_buf *out);
/* A copy of its own, one allocation, one hold. OMS_CORRUPT for what user_version_encode did not write. */
OMS_MUST_USE enum oms_status user_version_decode(struct oms_str bytes, uint32_t tenant,
                                                 struct user_version **out);
/* Holds are not atomic: a copy belongs to its shard. NULL is allowed. */
const struct user_version *user_version_hold(const struct user_version *user);
void user_version_release(const struct user_version *user);

#endif
