/*
 * Fetches the keys that an issuer publishes, by libcurl, over the discovery document (OpenID Connect
 * Discovery 1.0) where the configuration says so. Blocks: for a pool's thread.
 *
 * Everything has an end: OMS_JWKS_FETCH_MS for the whole, OMS_JWKS_BYTES_MAX for a document. Redirects are
 * not followed, certificates are verified, nothing is sent but the request itself.
 */
#ifndef HTTP_AUTH_JWKS_FETCH_H
#define HTTP_AUTH_JWKS_FETCH_H

#include <stdatomic.h>

#include "http/auth/issuer.h"
#include "runtime/base/buf.h"

/* Once per process, before any thread fetches. */
void http_jwks_fetch_prepare(void);
/*
 * The document of keys into `document` (initialised by the caller), and how long it may be kept. OMS_IO with
 * a sentence's end in `error`, which holds no word of what was received; OMS_CLOSED once *stop is set.
 */
OMS_MUST_USE enum oms_status http_jwks_fetch(const struct http_issuer *issuer, const atomic_bool *stop,
                                             struct oms_buf *document, int64_t *ttl_ms,
                                             struct oms_error *error);

/*
 * How long what came with this Cache-Control (RFC 9111 section 5.2.2) may be kept, within OMS_JWKS_TTL_MIN_MS
 * and OMS_JWKS_TTL_MAX_MS; absent, or without a word about it: OMS_JWKS_TTL_MS.
 */
int64_t http_jwks_ttl_ms(struct oms_str cache_control);
/*
 * The URL of the keys in a discovery document for `issuer`, copied to `out`. OMS_INVALID: it is none, or for
 * another issuer, or leads out of TLS.
 */
OMS_MUST_USE enum oms_status http_jwks_read_discovery(struct oms_str document,
                                                      const struct http_issuer *issuer, struct oms_buf *out,
                                                      struct oms_error *error);

#endif
