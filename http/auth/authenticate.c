/* One answer for every fault, so that all endpoints refuse alike. The token itself is never logged. */
#include "http/auth/authenticate.h"

#include <stdio.h>

#include "http/auth/jwks.h"
#include "http/auth/token.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/shard.h"

void http_auth_init(struct http_auth *auth, struct rt_host *host, const struct http_issuer_set *issuers,
                    struct oms_str single_tenant, unsigned cache_max)
{
    *auth = (struct http_auth){
        .host = host,
        .issuers = *issuers,
        .cache = http_token_cache_create(cache_max ? cache_max : OMS_TOKEN_CACHE_MAX),
        .single_tenant = single_tenant,
    };
}

void http_auth_fini(struct http_auth *auth)
{
    http_token_cache_destroy(auth->cache);
    http_waiting_destroy(auth->room);
    for (size_t i = 0; i < auth->issuers.count; i++)
        http_key_set_release(auth->issuers.fetched[i]);
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

static void answer_busy(struct http_exchange *exchange)
{
    const struct http_header header = {OMS_STR("retry-after"), OMS_STR("2")};
    http_respond_error_with(exchange, 503, &header, 1, "BUSY",
                            "the keys of the bearer token's issuer cannot be had now; try again");
}

/* ---- keys that are not known (yet) ---- */

static uint64_t issuer_bit(size_t issuer)
{
    _Static_assert(HTTP_ISSUERS_MAX <= 64, "one bit each; the development issuer publishes nothing");
    return UINT64_C(1) << (issuer % 64);
}

/* Verifies and remembers; NULL with the fault. */
static const struct http_claims *verify(struct http_auth *auth, struct oms_str token,
                                        struct http_unknown_key *unknown, enum http_token_fault *fault)
{
    struct http_claims *claims =
        http_token_verify_or_ask(&auth->issuers, token, rt_now_ms(auth->host), unknown, fault);
    if (claims)
        http_token_cache_put(auth->cache, token, claims);
    return claims;
}

/* Nobody knows the key of this token: waits for it, or answers. */
static void look_for_key(struct http_auth *auth, struct http_exchange *exchange, struct oms_str token,
                         const struct http_unknown_key *unknown, const struct http_auth_resume *resume)
{
    int64_t now_ms = rt_now_ms(auth->host);
    const struct http_waiter waiter = {
        .exchange = exchange,
        .token = token,
        .resume = resume ? *resume : (struct http_auth_resume){NULL, NULL},
        .issuer = unknown->issuer,
        .asked_ns = rt_mono_ns(auth->host),
        .due_ms = now_ms + OMS_JWKS_WAIT_MS,
    };
    http_jwks_count_unknown(auth->jwks, unknown->issuer);
    if (http_waiting_is_not_found(auth->room, unknown, now_ms)) {
        answer_fault(exchange, HTTP_TOKEN_KEY_UNKNOWN);
        return;
    }
    http_jwks_want(auth->jwks, unknown->issuer);
    /* While an issuer does not answer, its users are told so at once. */
    if (auth->closing || !resume || auth->failed & issuer_bit(unknown->issuer) ||
        !http_waiting_add(auth->room, &waiter))
        answer_busy(exchange);
}

static void on_late(void *context, struct http_waiter *waiter)
{
    (void)context;
    OMS_LOG(OMS_LOG_WARN, "http.token_key_late", OMS_LOG_U64("waited_ms", OMS_JWKS_WAIT_MS));
    answer_busy(waiter->exchange);
    http_waiting_free(waiter);
}

/* What the news mean for one that waits. */
static void decide(struct http_auth *auth, struct http_waiter *waiter, const struct http_jwks_news *news)
{
    struct http_unknown_key unknown;
    enum http_token_fault fault = HTTP_TOKEN_KEY_UNKNOWN;
    struct http_exchange *exchange = waiter->exchange;
    const struct http_claims *claims = NULL;
    /* Of a client that has gone no header can be read any more: what it asked must not run. */
    if (!exchange->gone && news->outcome != HTTP_JWKS_CLOSING)
        claims = verify(auth, waiter->token, &unknown, &fault);
    if (claims) {
        waiter->resume.known(exchange, waiter->resume.context, claims);
    } else if (exchange->gone || news->outcome != HTTP_JWKS_FETCHED) {
        answer_busy(exchange);
    } else if (fault != HTTP_TOKEN_KEY_UNKNOWN) {
        answer_fault(exchange, fault);
    } else if (news->started_ns >= waiter->asked_ns) {
        http_waiting_not_found(auth->room, &unknown, rt_now_ms(auth->host));
        answer_fault(exchange, fault);
    } else {
        http_jwks_want(auth->jwks, waiter->issuer);
        http_waiting_return(auth->room, waiter);
        return;
    }
    http_waiting_free(waiter);
}

static void decide_all(struct http_auth *auth, size_t issuer, const struct http_jwks_news *news)
{
    struct http_waiter *waiter = http_waiting_take(auth->room, issuer), *next;
    for (; waiter; waiter = next) {
        next = waiter->next;
        decide(auth, waiter, news);
    }
}

static void take_keys(struct http_auth *auth, size_t issuer, const struct http_key_set *keys)
{
    const struct http_key_set **known = &auth->issuers.fetched[issuer];
    if (*known == keys)
        return;
    http_key_set_release(*known);
    *known = keys ? http_key_set_hold(keys) : NULL;
    http_token_cache_withdraw(auth->cache, auth->issuers.items[issuer]->issuer, keys);
}

void http_auth_news(struct http_auth *auth, const struct http_jwks_news *news)
{
    if (news->outcome == HTTP_JWKS_CLOSING) {
        auth->closing = true;
        for (size_t i = 0; i < auth->issuers.count; i++)
            decide_all(auth, i, news);
        return;
    }
    take_keys(auth, news->issuer, news->keys);
    if (news->outcome == HTTP_JWKS_FAILED)
        auth->failed |= issuer_bit(news->issuer);
    else
        auth->failed &= ~issuer_bit(news->issuer);
    decide_all(auth, news->issuer, news);
}

void http_auth_use_keeper(struct http_auth *auth, struct http_jwks *jwks, struct rt_shard *shard)
{
    auth->jwks = jwks;
    auth->room = http_waiting_create(shard, on_late, auth);
}

void http_auth_use_api_keys(struct http_auth *auth, http_auth_tenant_fn *tenant_of,
                            struct http_api_key_uses *uses)
{
    auth->tenant_of = tenant_of;
    auth->uses = uses;
}

/* ---- the way of a request ---- */

/* The claims of whoever presents an API key, or NULL after answering. A tenant that was removed has none. */
static const struct http_claims *check_api_key(struct http_auth *auth, struct http_exchange *exchange,
                                               struct oms_str token)
{
    struct http_api_key presented;
    const struct tenant_version *tenant = NULL;
    const struct tenant_api_key *key = NULL;
    int64_t now = rt_now_ms(auth->host);
    if (http_api_key_parse(token, &presented)) {
        tenant = auth->tenant_of(exchange->shard, presented.tenant);
        key = http_api_key_find(tenant, &presented);
    }
    if (!key || tenant->status == TENANT_REMOVED) {
        answer_fault(exchange, HTTP_TOKEN_API_KEY);
        return NULL;
    }
    if (tenant_api_key_status(key, now) != TENANT_API_KEY_LIVE) {
        answer_fault(exchange, HTTP_TOKEN_API_KEY_EXPIRED);
        return NULL;
    }
    http_api_key_used(auth->uses, key->id, now);
    return http_api_key_claims(tenant, key);
}

/* A token that is not in the cache. */
static __attribute__((noinline)) const struct http_claims *verify_new(struct http_auth *auth,
                                                                      struct http_exchange *exchange,
                                                                      struct oms_str token,
                                                                      const struct http_auth_resume *resume)
{
    struct http_unknown_key unknown;
    enum http_token_fault fault;
    const struct http_claims *claims = verify(auth, token, &unknown, &fault);
    if (!claims && fault == HTTP_TOKEN_KEY_UNKNOWN && auth->jwks)
        look_for_key(auth, exchange, token, &unknown, resume);
    else if (!claims)
        answer_fault(exchange, fault);
    return claims;
}

const struct http_claims *http_authenticate_or_wait(struct http_auth *auth, struct http_exchange *exchange,
                                                    const struct http_auth_resume *resume)
{
    struct oms_str header = http_exchange_header(exchange, "authorization");
    if (!oms_str_present(header)) {
        answer_missing(exchange);
        return NULL;
    }
    struct oms_str token = bearer(header);
    if (!token.len || http_exchange_header_count(exchange, "authorization") > 1) {
        answer_fault(exchange, HTTP_TOKEN_MALFORMED);
        return NULL;
    }
    if (auth->tenant_of && http_api_key_is(token))
        return check_api_key(auth, exchange, token);
    const struct http_claims *cached = http_token_cache_get(auth->cache, token, rt_now_ms(auth->host));
    return cached ? cached : verify_new(auth, exchange, token, resume);
}

const struct http_claims *http_authenticate(struct http_auth *auth, struct http_exchange *exchange)
{
    return http_authenticate_or_wait(auth, exchange, NULL);
}

enum http_tenant_fault http_auth_tenant(const struct http_auth *auth, const struct http_exchange *exchange,
                                        const struct http_claims *claims, struct oms_str requested,
                                        struct oms_str *out)
{
    return http_claims_tenant(claims, http_exchange_header(exchange, "x-tenant-id"), requested,
                              auth->single_tenant, out);
}
