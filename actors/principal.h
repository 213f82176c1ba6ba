/*
 * Who acts: the authenticated caller of one request, or the machinery behind a timer, a webhook or an import.
 *
 * Immutable data, made by authentication and carried with the command to the order's shard. Permissions are
 * not in here: they are evaluated from the tenant's current version on every request (permission.h), so that
 * a withdrawal works at once.
 */
#ifndef PRINCIPAL_H
#define PRINCIPAL_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/limits.h"
#include "runtime/base/str.h"

/* Numbers are stored in events: new kinds go to the end. */
enum principal_kind {
    PRINCIPAL_USER = 0,
    PRINCIPAL_API_KEY,
    PRINCIPAL_WEBHOOK,
    PRINCIPAL_TIMER,
    PRINCIPAL_IMPORT,
    PRINCIPAL_SYSTEM,
    PRINCIPAL_KIND_COUNT
};

struct user_version;

struct principal {
    enum principal_kind kind;
    uint32_t tenant;  /* number of the tenant that the request is about */
    bool is_operator; /* an issuer marked `operator` asserted the role; only this crosses tenants */
    struct oms_str
        subject; /* the token's sub; the provider's name for a webhook; absent for SYSTEM and TIMER */
    struct oms_str display_name; /* absent when the token has none */
    struct oms_str vendor_id;    /* claim; absent: the subject stands for it */
    struct oms_str customer_id;  /* claim; absent: the subject stands for it */
    const struct oms_str *roles;
    size_t role_count;
    /*
     * What is stored of a USER in the tenant (user.h), as of the evaluation; NULL: nothing, or another kind
     * of caller. Of the shard that evaluates: a copy that travels has none.
     */
    const struct user_version *own;
};

/* "USER", "API_KEY", …; static storage. */
const char *principal_kind_name(enum principal_kind kind);
/* TIMER and SYSTEM act for the server itself and need no permission. */
static inline bool principal_is_internal(const struct principal *principal)
{
    return principal->kind == PRINCIPAL_TIMER || principal->kind == PRINCIPAL_SYSTEM;
}
/* A deep copy whose text and roles live in `arena`; false when it is exhausted. Any thread. */
bool principal_copy(const struct principal *principal, struct oms_arena *arena, struct principal *out);

#endif
