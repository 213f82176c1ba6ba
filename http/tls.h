/*
 * The server's TLS context: one for all shards, immutable once made (OpenSSL counts its references
 * atomically). TLS 1.2 and 1.3; for 1.2 only the suites that HTTP/2 allows (RFC 9113 section 9.2.2). ALPN
 * picks h2, then http/1.1.
 */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "runtime/base/status.h"

struct ssl_ctx_st;

/*
 * Reads a PEM certificate chain and its key. OMS_INVALID or OMS_NOT_FOUND with a message that names the file
 * and the fault; the caller frees the context by http_tls_destroy.
 */
OMS_MUST_USE enum oms_status http_tls_create(const char *cert_file, const char *key_file,
                                             struct ssl_ctx_st **out, struct oms_error *error);
void http_tls_destroy(struct ssl_ctx_st *context);

#endif
