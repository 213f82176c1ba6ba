/*
 * Verifying bearer tokens: JSON Web Tokens (RFC 7519) signed by a trusted issuer, compact serialisation (RFC
 * 7515 section 7.1).
 *
 * Which algorithms count is said by the issuer's configuration, which keys can serve one by the key's kind,
 * and neither by the token. What a token may assert is what its issuer may.
 */
#ifndef HTTP_AUTH_TOKEN_H
#define HTTP_AUTH_TOKEN_H

#include "http/auth/claims.h"
#include "http/auth/issuer.h"
#include "runtime/base/limits.h"

#define HTTP_TOKEN_SKEW_MS 60000

enum http_token_fault {
    HTTP_TOKEN_FINE,
    HTTP_TOKEN_MALFORMED,
    HTTP_TOKEN_TOO_LARGE,
    HTTP_TOKEN_ISSUER,    /* unknown, or absent */
    HTTP_TOKEN_ALGORITHM, /* not one of the issuer's, or `none` */
    HTTP_TOKEN_SIGNATURE,
    HTTP_TOKEN_KEY_UNKNOWN, /* no published key has its kid, as far as this shard knows */
    HTTP_TOKEN_NO_EXPIRY,
    HTTP_TOKEN_EXPIRED,
    HTTP_TOKEN_NOT_YET, /* nbf or iat lie ahead */
    HTTP_TOKEN_AUDIENCE,
    HTTP_TOKEN_SUBJECT, /* missing or too long */
    HTTP_TOKEN_CLAIMS,  /* more tenants or roles than we take */
    HTTP_TOKEN_API_KEY, /* no key, a key that is not known, or one that was revoked */
    HTTP_TOKEN_API_KEY_EXPIRED,
    HTTP_TOKEN_FAULTS
};

/* What a token with the fault HTTP_TOKEN_KEY_UNKNOWN needs. */
struct http_unknown_key {
    size_t issuer; /* its index in the set */
    size_t kid_len;
    char kid[OMS_JWKS_KID_BYTES_MAX]; /* empty for a token without one */
};

/*
 * The same as http_token_verify; with the fault HTTP_TOKEN_KEY_UNKNOWN `unknown` says whose key is missing.
 * Such a token would be good in all other respects that its form, its times and its audience show.
 */
struct http_claims *http_token_verify_or_ask(const struct http_issuer_set *issuers, struct oms_str token,
                                             int64_t now_ms, struct http_unknown_key *unknown,
                                             enum http_token_fault *fault);
/*
 * The claims with one hold, or NULL with the fault. `token` is what follows "Bearer "; now_ms since 1970. Any
 * thread; the result belongs to the caller's.
 */
struct http_claims *http_token_verify(const struct http_issuer_set *issuers, struct oms_str token,
                                      int64_t now_ms, enum http_token_fault *fault);
/* A sentence for the client that helps and reveals nothing; static storage. */
const char *http_token_fault_message(enum http_token_fault fault);
/* "expired" …, for the log and metrics; static storage. */
const char *http_token_fault_name(enum http_token_fault fault);

#endif
