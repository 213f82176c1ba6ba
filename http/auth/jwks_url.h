/*
 * From where keys may be fetched: over TLS, or in clear text from this very machine. Whoever could change
 * them on their way could sign tokens.
 */
#ifndef HTTP_AUTH_JWKS_URL_H
#define HTTP_AUTH_JWKS_URL_H

#include "runtime/base/str.h"

/*
 * NULL when keys may be fetched from `url`; otherwise why not, the end of a sentence (static storage).
 * `allow_http`: clear text may leave this machine. Any thread.
 */
const char *http_jwks_url_fault(struct oms_str url, bool allow_http);
/* Whether the URL is https:; of one without a fault. */
bool http_jwks_url_is_secure(struct oms_str url);

#endif
