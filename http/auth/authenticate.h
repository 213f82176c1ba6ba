/*
 * From a request to who sends it: the Authorization header, the token cache, the verification, and the answer
 * 401.
 *
 * One object per shard, on its thread; the issuers are shared and immutable, and so are the sets of keys that
 * they publish, of which each shard has its own pointers. Permissions are no part of it: they are looked up
 * in the tenant's current version on every request.
 *
 * A bearer token that begins with "lok_" is an API key of a tenant (http/auth/api_key.h) and is looked up in
 * the tenant's current version on every request.
 *
 * A token whose key is not known makes its request wait until the keys have been fetched again: for
 * OMS_JWKS_WAIT_MS at most, OMS_JWKS_WAITING_MAX requests per issuer. Then it goes on, or is answered: 401
 * when the issuer does not publish the key, 503 when that could not be found out.
 */
#ifndef HTTP_AUTH_AUTHENTICATE_H
#define HTTP_AUTH_AUTHENTICATE_H

#include "http/auth/api_key.h"
#include "http/auth/claims.h"
#include "http/auth/issuer.h"
#include "http/auth/jwks_keeper.h"
#include "http/auth/token_cache.h"
#include "http/auth/waiting.h"
#include "http/exchange.h"

struct rt_host;

/* The shard's version of the tenant of this number, or NULL (actors_tenant). */
typedef const struct tenant_version *http_auth_tenant_fn(struct rt_shard *shard, uint32_t number);

struct http_auth {
    struct rt_host *host;
    struct http_token_cache *cache;
    struct oms_str single_tenant;   /* absent: several tenants */
    struct http_issuer_set issuers; /* with the published keys that this shard knows, and holds */
    struct http_jwks *jwks;         /* NULL: no issuer publishes its keys, nobody ever waits */
    struct http_waiting *room;
    http_auth_tenant_fn *tenant_of; /* NULL: there are no API keys */
    struct http_api_key_uses *uses; /* borrowed; may be NULL */
    uint64_t failed;                /* 1 << index % 64: the last fetch of an issuer's keys failed */
    bool closing;
};

/* The cache is made here; the issuers (their set is copied) and the host are borrowed. cache_max 0: the
 * default. */
void http_auth_init(struct http_auth *auth, struct rt_host *host, const struct http_issuer_set *issuers,
                    struct oms_str single_tenant, unsigned cache_max);
void http_auth_fini(struct http_auth *auth);
/* Before the host starts: keys come from the keeper, which is borrowed. */
void http_auth_use_keeper(struct http_auth *auth, struct http_jwks *jwks, struct rt_shard *shard);
/* Before the host starts: API keys are found in the tenants' versions; `uses` is borrowed and may be NULL. */
void http_auth_use_api_keys(struct http_auth *auth, http_auth_tenant_fn *tenant_of,
                            struct http_api_key_uses *uses);
/* On the shard's thread: the keeper has found out something (http_jwks_config.on_news). */
void http_auth_news(struct http_auth *auth, const struct http_jwks_news *news);

/*
 * The sender's claims with a hold for the caller; or NULL: then it was answered (401 as below, 503), or
 * resume->known will be called with the claims when its key has come, or it will be answered then.
 */
const struct http_claims *http_authenticate_or_wait(struct http_auth *auth, struct http_exchange *exchange,
                                                    const struct http_auth_resume *resume);
/*
 * The same for an exchange that cannot wait, which is answered 503 instead. The sender's claims with a hold
 * for the caller; NULL after it has answered 401 with WWW-Authenticate (RFC 6750 section 3) and the code
 * UNAUTHENTICATED.
 */
const struct http_claims *http_authenticate(struct http_auth *auth, struct http_exchange *exchange);
/* The request's tenant by its claims and headers; `requested` is the input's tenantId or absent. Does not
 * answer. */
enum http_tenant_fault http_auth_tenant(const struct http_auth *auth, const struct http_exchange *exchange,
                                        const struct http_claims *claims, struct oms_str requested,
                                        struct oms_str *out);

#endif
