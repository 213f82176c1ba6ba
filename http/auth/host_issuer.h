/*
 * The host's own issuer: whoever can read the data folder of a running server is its operator, without a
 * token from elsewhere. `liteoms tenant` and `liteoms apikey` are its users.
 *
 * At its start the server makes a secret, which it keeps in memory and, when it is ready, writes with its
 * address into a file in the data folder that only its own user can read; the file goes when the server
 * stops. A token that is signed with the secret may assert the role `operator` and nothing else. The secret
 * is another at every start, so a token that got lost, or was sent to whoever took a crashed server's port,
 * is worth nothing afterwards.
 */
#ifndef HTTP_AUTH_HOST_ISSUER_H
#define HTTP_AUTH_HOST_ISSUER_H

#include "http/auth/issuer.h"
#include "runtime/base/buf.h"

#define HTTP_HOST_ISSUER_FILE     "host.json"
#define HTTP_HOST_ISSUER_NAME     "liteoms-host"
#define HTTP_HOST_ISSUER_AUDIENCE "liteoms-host"
#define HTTP_HOST_SECRET_SIZE     64 /* hexadecimal digits */
#define HTTP_HOST_TOKEN_TTL_S     60

struct http_host_access {
    char secret[HTTP_HOST_SECRET_SIZE + 1];
    char url[512];       /* where the server listens */
    char tls_cert[4096]; /* the file with its certificate; "": no TLS */
};

/* Server: makes the secret, and the issuer that trusts it. `access` must outlive the issuer. */
void http_host_issuer_make(struct http_host_access *access, struct http_issuer *out);
/* Server: writes the file, atomically. OMS_IO. */
OMS_MUST_USE enum oms_status http_host_issuer_publish(const struct http_host_access *access,
                                                      const char *data_folder, struct oms_error *error);
/* Server: removes the file. */
void http_host_issuer_withdraw(const char *data_folder);

/* Client: reads the file. OMS_NOT_FOUND: no server runs there, or it did not get ready; OMS_DENIED: not ours
 * to read, or readable by others; OMS_CORRUPT. */
OMS_MUST_USE enum oms_status http_host_issuer_read(const char *data_folder, struct http_host_access *out,
                                                   struct oms_error *error);
/* Client: appends an operator's token for the next minute. `subject` is who it is, for the record. */
OMS_MUST_USE enum oms_status http_host_issuer_mint(const struct http_host_access *access,
                                                   struct oms_str subject, int64_t now_ms,
                                                   struct oms_buf *out, struct oms_error *error);

#endif
