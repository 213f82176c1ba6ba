/* A server to talk to: the one that runs on the data folder, or one that this command runs for itself. See
 * manage.h. */
#ifndef HTTP_MANAGE_MANAGE_CLIENT_H
#define HTTP_MANAGE_MANAGE_CLIENT_H

#include <sys/types.h>

#include "http/auth/host_issuer.h"
#include "http/config.h"
#include "http/manage/manage.h"
#include "runtime/base/arena.h"
#include "runtime/base/value.h"

struct manage_client {
    const char *data;
    struct http_host_access access;
    pid_t own; /* the server that we run; 0: none */
    struct oms_buf answer;
};

/* Finds a server, or starts one with `config` (its addresses, tenants and issuers are left out). */
OMS_MUST_USE enum oms_status manage_client_open(struct manage_client *client, struct http_config *config,
                                                const struct manage_environment *environment,
                                                struct oms_error *error);
/* Ends our own server. False when it did not end well. */
bool manage_client_close(struct manage_client *client);
/*
 * Sends a document with its variables (JSON) and reads the answer's "data" into the arena. OMS_IO: no answer;
 * OMS_DENIED with the first of "errors".
 */
OMS_MUST_USE enum oms_status manage_client_ask(struct manage_client *client, const char *document,
                                               struct oms_str variables, struct oms_arena *arena,
                                               const struct oms_value **data, struct oms_error *error);

#endif
