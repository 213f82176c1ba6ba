/*
 * Cross-origin requests (Fetch standard, section 3.2): which web pages may call the API.
 *
 * Every tenant names its origins. A preflight carries no token, so nobody knows its tenant yet: it is
 * answered from the union of all tenants' origins. The request that follows is checked against its own
 * tenant's once that is known. With
 * --dev every origin may. Cookies are never credentials here, so no answer allows credentials.
 *
 * One object per shard, used on that shard's thread only. Invariant: the union holds an origin exactly as
 * often as tenants name it.
 */
#ifndef HTTP_CORS_H
#define HTTP_CORS_H

#include "http/exchange.h"

struct http_cors;

/* allow_any: every origin, for development. */
struct http_cors *http_cors_create(bool allow_any);
void http_cors_destroy(struct http_cors *cors);

/*
 * Is the text an origin as browsers send it: scheme://host or scheme://host:port in lower case, nothing
 * behind; or "*": any page?
 */
bool http_cors_origin_valid(struct oms_str origin);
/* Replaces the origins of a tenant; text is copied. None: the tenant allows no other origin. */
void http_cors_set(struct http_cors *cors, uint32_t tenant, const struct oms_str *origins, size_t count);

/*
 * Before routing. Answers a preflight and returns true; else puts the headers for whatever answers into the
 * exchange (from the union, so that a page can read even a 401) and returns false. `methods`: what the path
 * allows, as in http_route; 0 when there is no such path.
 */
bool http_cors_begin(struct http_cors *cors, struct http_exchange *exchange, unsigned methods);
/*
 * When the tenant of the request is known: false after answering 403 ORIGIN_NOT_ALLOWED. Requests without an
 * Origin (no browser) and of pages that this server sent itself pass.
 */
OMS_MUST_USE bool http_cors_check(struct http_cors *cors, struct http_exchange *exchange, uint32_t tenant);

#endif
