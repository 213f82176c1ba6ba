/*
 * `liteoms tenant` and `liteoms apikey`: the operator's work on the host, without a token.
 *
 * They speak GraphQL with the server that runs on the data folder, as its operator (http/auth/host_issuer.h).
 * When none runs, the folder's lock is free: then the command starts one for itself, which listens on the
 * loopback at a free port, trusts nobody else, and ends with the command. So there is one way for everything
 * that changes a tenant.
 */
#ifndef HTTP_MANAGE_MANAGE_H
#define HTTP_MANAGE_MANAGE_H

struct http_config;

struct manage_environment {
    const char *data_default;
    /* Runs a server by its configuration until SIGTERM; in a process of its own. Returns its exit status. */
    int (*serve)(const struct http_config *config);
};

/* Exit status: 0 done, 1 refused or not possible, 2 wrong usage. */
int manage_tenant_main(int argc, char **argv, const struct manage_environment *environment);
int manage_api_key_main(int argc, char **argv, const struct manage_environment *environment);

#endif
