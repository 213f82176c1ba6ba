/* One answer for every fault, so that all endpoints refuse alike. The token itself is never logged. */
#include "http/auth/authenticate.h"

#include <stdio.h>

#include "http/auth/token.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/host.h"

void http_auth_init(struct http_auth *auth, struct rt_host *host, const struct http_issuer_set *issuers,
                    struct oms_str single_tenant, unsigned cache_max)
{
    *auth = (struct http_auth){
        .host = host,
        .issuers = issuers,
        .cache = http_token_cache_create(cache_max ? cache_max : OMS_TOKEN_CACHE_MAX),
        .single_tenant = single_tenant,
    };
}

void http_auth_fini(struct http_auth *auth)
{
    http_token_cache_destroy(auth->cache);
    *auth = (struct http_auth){0};
}

/* RFC 6750 section 3.1: no error code when the request has no credentials at all. */
static void answer_missing(struct http_exchange *exchange)
{
    const struct http_header header = {OMS_STR("www-authenticate"), OMS_STR("Bearer realm=\"liteoms\"")};
    http_respond_error_with(exchange, 401, &header, 1, "UNAUTHENTICATED",
                            "this needs a bearer token in the Authorization header");
}

static void answer_fault(struct http_exchange *exchange, enum http_token_fault fault)
{
    char text[256];
    const char *message = http_token_fault_message(fault);
    int len =
        snprintf(text, sizeof(text),
                 "Bearer realm=\"liteoms\", error=\"invalid_token\", error_description=\"%s\"", message);
    const struct http_header header = {OMS_STR("www-authenticate"), oms_str_make(text, (size_t)len)};
    OMS_LOG(OMS_LOG_INFO, "http.token_refused", OMS_LOG_TEXT("reason", http_token_fault_name(fault)),
            OMS_LOG_STR("peer", exchange->peer));
    http_respond_error_with(exchange, 401, &header, 1, "UNAUTHENTICATED", "%s", message);
}

/* What follows "Bearer "; absent for another scheme. The scheme's name has no case (RFC 9110 section 11.1).
 */
static struct oms_str bearer(struct oms_str header)
{
    static const struct oms_str scheme = {"bearer ", 7};
    if (header.len < scheme.len || !oms_str_eq_nocase(oms_str_make(header.data, scheme.len), scheme))
        return OMS_STR_NONE;
    return oms_str_trim(oms_str_make(header.data + scheme.len, header.len - scheme.len));
}

const struct http_claims *http_authenticate(struct http_auth *auth, struct http_exchange *exchange)
{
    struct oms_str header = http_exchange_header(exchange, "authorization");
    enum http_token_fault fault;
    if (!oms_str_present(header)) {
        answer_missing(exchange);
        return NULL;
    }
    struct oms_str token = bearer(header);
    if (!token.len || http_exchange_header_count(exchange, "authorization") > 1) {
        answer_fault(exchange, HTTP_TOKEN_MALFORMED);
        return NULL;
    }
    int64_t now_ms = rt_now_ms(auth->host);
    const struct http_claims *cached = http_token_cache_get(auth->cache, token, now_ms);
    if (cached)
        return cached;
    struct http_claims *claims = http_token_verify(auth->issuers, token, now_ms, &fault);
    if (!claims) {
        answer_fault(exchange, fault);
        return NULL;
    }
    http_token_cache_put(auth->cache, token, claims);
    return claims;
}

enum http_tenant_fault http_auth_tenant(const struct http_auth *auth, const struct http_exchange *exchange,
                                        const struct http_claims *claims, struct oms_str requested,
                                        struct oms_str *out)
{
    return http_claims_tenant(claims, http_exchange_header(exchange, "x-tenant-id"), requested,
                              auth->single_tenant, out);
}
