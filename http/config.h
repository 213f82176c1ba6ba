/*
 * The server's configuration file: JSON with every key optional. docs/configuration.md explains the keys and
 * docs/liteoms.example.json shows them; a test holds the three together.
 *
 * Unknown keys are errors that name the key and the nearest valid one, since a misspelt limit that silently
 * does nothing is worse than a server that does not start. Tenants are passed on as JSON values: the actors'
 * layer knows what is in them (tenant_parse).
 */
#ifndef HTTP_CONFIG_H
#define HTTP_CONFIG_H

#include "actors/tenant_webhook.h"
#include "http/auth/issuer.h"
#include "http/graphql_settings.h"
#include "http/nats_settings.h"
#include "http/outhook_settings.h"
#include "http/server_h2o.h"
#include "runtime/base/arena.h"
#include "runtime/base/log.h"
#include "runtime/base/value.h"

#define HTTP_CONFIG_BYTES_MAX (16u << 20)

/* Text lives in `arena` and is NUL-terminated where it names a file. 0 in a limit: the default of limits.h.
 */
struct http_config {
    struct oms_str listen;            /* "127.0.0.1:8080" */
    struct oms_str tls_cert, tls_key; /* absent: no TLS; else both */
    struct oms_str data;              /* the data folder; absent: not configured */
    unsigned shards;                  /* 0: as many as the machine has cores, within limits */
    bool dev;
    bool host_only; /* no issuer is needed: the server is for a command on its host (http/manage) */
    bool graphiql, graphiql_given; /* use http_config_graphiql */
    struct oms_str single_tenant;  /* absent: several tenants */
    enum oms_log_level log_level;
    struct http_server_limits limits;
    unsigned drain_timeout_ms;
    unsigned token_cache_max; /* per shard */
    struct http_graphql_settings graphql;
    struct http_nats_settings nats;
    struct http_outhook_settings outhooks;
    const struct tenant_webhook *webhooks; /* of the operator's carrier account */
    size_t webhook_count;
    uint64_t disk_reserve_bytes;
    uint64_t orders_resident_max; /* per shard */
    uint64_t orders_thawed_max;   /* per shard */
    unsigned stream_replay_hours; /* 0: to the beginning of the log */
    const struct http_issuer *issuers;
    size_t issuer_count;
    const struct oms_value *tenants; /* objects with a "name" */
    size_t tenant_count;
    struct oms_str master_key_file; /* absent: in the data folder */
    struct oms_str erasure_log;     /* absent: in the data folder */
    struct oms_arena arena;
};

/* The defaults. */
void http_config_init(struct http_config *config);
void http_config_fini(struct http_config *config);
/*
 * Reads `text` over what is in `config`. Relative file names are looked for in `folder` ("": the current
 * one). OMS_INVALID with a message that names the line or the key; then `config` can only be finished.
 */
OMS_MUST_USE enum oms_status http_config_parse(struct http_config *config, struct oms_str text,
                                               const char *folder, struct oms_error *error);
/* The same from a file. Messages begin with its name. */
OMS_MUST_USE enum oms_status http_config_load(struct http_config *config, const char *file,
                                              struct oms_error *error);
/*
 * What can be said before anything is made or opened: every tenant's settings are usable (OMS_INVALID names
 * the tenant and the key), and somebody could call: there is an issuer, or `dev`. After the command line's
 * options have been applied.
 */
OMS_MUST_USE enum oms_status http_config_check(const struct http_config *config, struct oms_error *error);

/* Whether /graphiql is served: as configured, else in development mode only. */
bool http_config_graphiql(const struct http_config *config);

/* All keys of the top level of "limits" and of "privacy", for the test of the documents; NULL-terminated. */
extern const char *const http_config_keys[];
extern const char *const http_config_limit_keys[];
extern const char *const http_config_privacy_keys[];

#endif
