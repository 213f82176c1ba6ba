/*
 * The development issuer: a secret in the data folder that the server trusts with --dev, and tokens made with
 * it.
 *
 * The secret is made at first use, 32 random bytes as hex, readable by its owner only. Whoever can read it
 * can act as anybody in every tenant; a server without --dev ignores it.
 */
#ifndef HTTP_AUTH_DEV_ISSUER_H
#define HTTP_AUTH_DEV_ISSUER_H

#include "http/auth/issuer.h"
#include "runtime/base/buf.h"

#define HTTP_DEV_ISSUER_FILE     "dev-issuer.secret"
#define HTTP_DEV_ISSUER_NAME     "liteoms-dev"
#define HTTP_DEV_ISSUER_AUDIENCE "liteoms"

/*
 * Reads the secret of the folder, which must exist, and makes it when there is none. It may assert every
 * tenant and role. OMS_DENIED when others could read the file or it cannot be read, OMS_CORRUPT when it is no
 * secret of ours. Text lives in `arena`.
 */
OMS_MUST_USE enum oms_status http_dev_issuer_load(const char *data_folder, struct oms_arena *arena,
                                                  struct http_issuer *out, struct oms_error *error);

struct http_dev_token {
    struct oms_str tenant; /* absent: a token without one */
    struct oms_str subject;
    struct oms_str vendor_id, customer_id; /* absent: no such claim */
    const struct oms_str *roles;
    size_t role_count;
    int64_t now_ms, ttl_s;
};

/* Appends a signed token. OMS_INVALID for an empty subject or a ttl that is not positive. */
OMS_MUST_USE enum oms_status http_dev_issuer_mint(const struct http_issuer *issuer,
                                                  const struct http_dev_token *token, struct oms_buf *out,
                                                  struct oms_error *error);

#endif
