/*
 * From a request to who sends it: the Authorization header, the token cache, the verification, and the answer
 * 401.
 *
 * One object per shard, on its thread; the issuers are shared and immutable. Permissions are no part of it:
 * they are looked up in the tenant's current version on every request.
 */
#ifndef HTTP_AUTH_AUTHENTICATE_H
#define HTTP_AUTH_AUTHENTICATE_H

#include "http/auth/claims.h"
#include "http/auth/issuer.h"
#include "http/auth/token_cache.h"
#include "http/exchange.h"

struct rt_host;

struct http_auth {
    struct rt_host *host;
    const struct http_issuer_set *issuers;
    struct http_token_cache *cache;
    struct oms_str single_tenant; /* absent: several tenants */
};

/* The cache is made here; the issuers and the host are borrowed. cache_max 0: the default. */
void http_auth_init(struct http_auth *auth, struct rt_host *host, const struct http_issuer_set *issuers,
                    struct oms_str single_tenant, unsigned cache_max);
void http_auth_fini(struct http_auth *auth);

/*
 * The sender's claims with a hold for the caller; NULL after it has answered 401 with WWW-Authenticate (RFC
 * 6750 section 3) and the code UNAUTHENTICATED.
 */
const struct http_claims *http_authenticate(struct http_auth *auth, struct http_exchange *exchange);
/* The request's tenant by its claims and headers; `requested` is the input's tenantId or absent. Does not
 * answer. */
enum http_tenant_fault http_auth_tenant(const struct http_auth *auth, const struct http_exchange *exchange,
                                        const struct http_claims *claims, struct oms_str requested,
                                        struct oms_str *out);

#endif
