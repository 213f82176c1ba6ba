/*
 * What a verified token says, reduced to what we use and to what its issuer may say. Immutable; counted,
 * since a request in flight may outlive the cache's entry. Holds are not atomic: claims belong to the shard
 * that made them; what travels is a copy of the principal (principal_copy).
 */
#ifndef HTTP_AUTH_CLAIMS_H
#define HTTP_AUTH_CLAIMS_H

#include "actors/principal.h"
#include "runtime/base/arena.h"

#define HTTP_CLAIMS_TENANTS_MAX 256

struct http_claims {
    unsigned holds;
    enum principal_kind kind; /* USER or API_KEY; SYSTEM for readers of the server's own */
    int64_t expires_ms;       /* last instant at which they count, skew included */
    bool is_operator;         /* an issuer marked so asserted the role */
    bool tenant_claimed;      /* the token has the tenant claim at all, whatever of it was allowed */
    bool any_tenant;          /* the issuer may assert every tenant */
    uint64_t key_mark;        /* of the published key that signed the token; 0: a configured one */
    struct oms_str issuer, subject;
    struct oms_str display_name, vendor_id, customer_id; /* absent when the token has none */
    const struct oms_str *tenants;                       /* claimed and allowed */
    size_t tenant_count;
    const struct oms_str
        *allowed_tenants; /* the issuer's list; NULL with any_tenant. Borrowed from the issuer */
    size_t allowed_tenant_count;
    const struct oms_str *roles; /* claimed and allowed */
    size_t role_count;
    struct oms_arena arena; /* all of the text */
};

/* New, with one hold, empty. */
struct http_claims *http_claims_create(void);
const struct http_claims *http_claims_hold(const struct http_claims *claims);
/* A deep copy with one hold, which nobody else shares: it may move to another shard. */
struct http_claims *http_claims_copy(const struct http_claims *claims);
/* NULL is allowed. */
void http_claims_release(const struct http_claims *claims);
/* The acting person in a tenant; borrows text from the claims, which the caller holds meanwhile. */
void http_claims_principal(const struct http_claims *claims, uint32_t tenant, struct principal *out);

/* Why a request has no tenant. */
enum http_tenant_fault {
    HTTP_TENANT_FINE,
    HTTP_TENANT_REQUIRED,  /* several are possible, or none is named: say which */
    HTTP_TENANT_FORBIDDEN, /* not in the token, or the issuer may not speak for it */
    HTTP_TENANT_CONFLICT,  /* X-Tenant-Id and tenantId differ */
};

/*
 * The tenant's name of a request. `header` is X-Tenant-Id, `requested` the input's tenantId (both may be
 * absent), `single_tenant` the configured one or absent. Only an operator may name a tenant that the token
 * does not. The name borrows from the arguments or the claims; whether such a tenant exists is not known
 * here.
 */
enum http_tenant_fault http_claims_tenant(const struct http_claims *claims, struct oms_str header,
                                          struct oms_str requested, struct oms_str single_tenant,
                                          struct oms_str *out);
/* A sentence for the client; static storage. */
const char *http_tenant_fault_message(enum http_tenant_fault fault);

#endif
