/*
 * The base JSON parser reads the file: it keeps numbers as they were written, which the tenants' part needs
 * for money, and gives line and column. The tree borrows from a copy of the text in the configuration's
 * arena.
 */
#include "http/config.h"

#include <errno.h>
#include <stdio.h>

#include "actors/tenant.h"
#include "http/listen.h"
#include "http/secret_file.h"
#include "http/settings.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define ARENA_BYTES_MAX  (256u << 20)
#define JSON_DEPTH       32
#define DRAIN_TIMEOUT_MS 10000
#define HOUR_MS          3600000u
#define KIB              UINT64_C(1024)
#define GIB              (KIB * KIB * KIB)

const char *const http_config_keys[] = {
    "listen",  "tls",     "data",    "shards",   "dev",  "graphiql", "single_tenant", "log_level", "limits",
    "graphql", "issuers", "tenants", "webhooks", "nats", "privacy",  "webhooks_out",  NULL};

const char *const http_config_privacy_keys[] = {"master_key_file", "erasure_log", NULL};

const char *const http_config_limit_keys[] = {"body_bytes",
                                              "body_bytes_connection",
                                              "body_bytes_all",
                                              "connections",
                                              "requests_in_flight",
                                              "handshake_timeout_ms",
                                              "request_timeout_ms",
                                              "idle_timeout_ms",
                                              "response_timeout_ms",
                                              "drain_grace_ms",
                                              "drain_timeout_ms",
                                              "token_cache",
                                              "disk_reserve_bytes",
                                              "orders_resident",
                                              "orders_thawed",
                                              "stream_replay_hours",
                                              NULL};

void http_config_init(struct http_config *config)
{
    *config = (struct http_config){
        .listen = OMS_STR("127.0.0.1:8080"),
        .log_level = OMS_LOG_INFO,
        .drain_timeout_ms = DRAIN_TIMEOUT_MS,
        .token_cache_max = OMS_TOKEN_CACHE_MAX,
        .disk_reserve_bytes = OMS_DISK_RESERVE_BYTES,
        .orders_resident_max = OMS_ORDERS_RESIDENT_MAX,
        .orders_thawed_max = OMS_ORDERS_THAWED_MAX,
    };
    http_graphql_settings_init(&config->graphql);
    http_outhook_settings_init(&config->outhooks);
    oms_arena_init(&config->arena, 64u << 10, ARENA_BYTES_MAX);
}

void http_config_fini(struct http_config *config)
{
    oms_arena_fini(&config->arena);
    *config = (struct http_config){0};
}

static size_t count_of(const char *const *keys)
{
    size_t count = 0;
    while (keys[count])
        count++;
    return count;
}

/* A file's name, made independent of the current folder; NUL-terminated. */
static struct oms_str file_name(struct http_config *config, const char *folder, struct oms_str name)
{
    if (!oms_str_present(name) || name.data[0] == '/' || !folder[0])
        return oms_str_copy(&config->arena, name);
    size_t folder_len = strlen(folder);
    char *path = oms_arena_alloc(&config->arena, folder_len + 1 + name.len + 1);
    OMS_ASSERT(path); /* the arena holds a whole configuration several times */
    memcpy(path, folder, folder_len);
    path[folder_len] = '/';
    memcpy(path + folder_len + 1, name.data, name.len);
    path[folder_len + 1 + name.len] = '\0';
    return oms_str_make(path, folder_len + 1 + name.len);
}

static void read_tls(struct http_settings *top, struct http_config *config, const char *folder)
{
    static const char *const keys[] = {"cert", "key"};
    const struct oms_value *value = http_settings_get(top, "tls");
    struct http_settings tls;
    if (!value)
        return;
    http_settings_begin(&tls, value, "tls", top->error);
    http_settings_only(&tls, keys, OMS_COUNT_OF(keys));
    http_settings_text(&tls, "cert", &config->tls_cert);
    http_settings_text(&tls, "key", &config->tls_key);
    if (!tls.failed && (!oms_str_present(config->tls_cert) || !oms_str_present(config->tls_key)))
        http_settings_fault(&tls, NULL, "needs both 'cert' and 'key', the names of two PEM files");
    config->tls_cert = file_name(config, folder, config->tls_cert);
    config->tls_key = file_name(config, folder, config->tls_key);
    top->failed = tls.failed;
}

static void read_limits(struct http_settings *top, struct http_config *config)
{
    const struct oms_value *value = http_settings_get(top, "limits");
    struct http_server_limits *server = &config->limits;
    struct http_settings limits;
    if (!value)
        return;
    http_settings_begin(&limits, value, "limits", top->error);
    http_settings_only(&limits, http_config_limit_keys, count_of(http_config_limit_keys));
    http_settings_u64(&limits, "body_bytes", KIB, OMS_REQUEST_ARENA_BYTES_MAX / 4, &server->body_bytes);
    http_settings_u64(&limits, "body_bytes_connection", KIB, 64 * GIB, &server->body_bytes_connection);
    http_settings_u64(&limits, "body_bytes_all", KIB, 1024 * GIB, &server->body_bytes_all);
    http_settings_unsigned(&limits, "connections", 1, 1000000, &server->connections);
    http_settings_unsigned(&limits, "requests_in_flight", 1, 1000000, &server->requests_in_flight);
    http_settings_unsigned(&limits, "handshake_timeout_ms", 100, HOUR_MS, &server->handshake_timeout_ms);
    http_settings_unsigned(&limits, "request_timeout_ms", 100, HOUR_MS, &server->request_timeout_ms);
    http_settings_unsigned(&limits, "idle_timeout_ms", 100, 24 * HOUR_MS, &server->idle_timeout_ms);
    http_settings_unsigned(&limits, "response_timeout_ms", 100, HOUR_MS, &server->response_timeout_ms);
    http_settings_unsigned(&limits, "drain_grace_ms", 0, HOUR_MS, &server->drain_grace_ms);
    http_settings_unsigned(&limits, "drain_timeout_ms", 0, HOUR_MS, &config->drain_timeout_ms);
    http_settings_unsigned(&limits, "token_cache", 1, 1u << 24, &config->token_cache_max);
    http_settings_u64(&limits, "disk_reserve_bytes", 0, 1024 * GIB, &config->disk_reserve_bytes);
    http_settings_u64(&limits, "orders_resident", 1, UINT64_C(1) << 40, &config->orders_resident_max);
    http_settings_u64(&limits, "orders_thawed", 1, UINT64_C(1) << 40, &config->orders_thawed_max);
    http_settings_unsigned(&limits, "stream_replay_hours", 0, 24 * 366 * 100, &config->stream_replay_hours);
    top->failed = limits.failed;
}

static void read_issuers(struct http_settings *top, struct http_config *config, const char *folder)
{
    const struct oms_value *items = NULL;
    size_t count = 0;
    http_settings_list(top, "issuers", &items, &count);
    if (count > HTTP_ISSUERS_MAX) {
        http_settings_fault(top, "issuers", "holds %zu; %d are the most", count, HTTP_ISSUERS_MAX);
        return;
    }
    struct http_issuer *issuers = oms_arena_calloc(&config->arena, count ? count : 1, sizeof(*issuers));
    OMS_ASSERT(issuers);
    for (size_t i = 0; i < count && !top->failed; i++) {
        char path[160];
        http_settings_path(top, "issuers", (long)i, path);
        if (http_issuer_parse(&items[i], path, folder, &config->arena, &issuers[i], top->error) != OMS_OK) {
            top->failed = true;
            return;
        }
        for (size_t k = 0; k < i; k++)
            if (oms_str_eq(issuers[k].issuer, issuers[i].issuer))
                http_settings_fault(top, "issuers", "names '%.*s' twice", OMS_STR_ARG(issuers[i].issuer));
    }
    if (count) {
        config->issuers = issuers;
        config->issuer_count = count;
    }
}

/* The parsed tree is ours to change: it lies in the configuration's arena. */
static bool read_secret_files(struct http_settings *top, struct http_config *config,
                              const struct oms_value *list, const char *path, const char *folder)
{
    struct oms_value *own = (struct oms_value *)(uintptr_t)list;
    if (list && http_secret_files_read(own, path, folder, &config->arena, top->error) != OMS_OK)
        top->failed = true;
    return !top->failed;
}

static void read_webhooks(struct http_settings *top, struct http_config *config, const char *folder)
{
    const struct oms_value *list = http_settings_get(top, "webhooks");
    if (list && read_secret_files(top, config, list, "webhooks", folder) &&
        tenant_webhooks_parse(list, &config->arena, &config->webhooks, &config->webhook_count, top->error) !=
            OMS_OK)
        top->failed = true;
}

static void read_tenants(struct http_settings *top, struct http_config *config, const char *folder)
{
    http_settings_list(top, "tenants", &config->tenants, &config->tenant_count);
    for (size_t i = 0; i < config->tenant_count && !top->failed; i++) {
        struct http_settings tenant;
        struct oms_str name = OMS_STR_NONE;
        char path[160];
        http_settings_path(top, "tenants", (long)i, path);
        http_settings_begin(&tenant, &config->tenants[i], path, top->error);
        http_settings_text(&tenant, "name", &name);
        if (!tenant.failed && !oms_str_present(name))
            http_settings_fault(&tenant, "name", "is required");
        top->failed = tenant.failed;
        strcat(path, ".webhooks"); /* a path ends far before its 160 bytes */
        (void)(top->failed ||
               read_secret_files(top, config, oms_value_get_set(&config->tenants[i], "webhooks"), path,
                                 folder));
        for (size_t k = 0; k < i && !top->failed; k++)
            if (oms_str_eq(oms_value_get(&config->tenants[k], "name")->text, name))
                http_settings_fault(top, "tenants", "names '%.*s' twice", OMS_STR_ARG(name));
    }
}

static void read_privacy(struct http_settings *top, struct http_config *config, const char *folder)
{
    const struct oms_value *value = http_settings_get(top, "privacy");
    struct http_settings privacy;
    if (!value)
        return;
    http_settings_begin(&privacy, value, "privacy", top->error);
    http_settings_only(&privacy, http_config_privacy_keys, count_of(http_config_privacy_keys));
    http_settings_text(&privacy, "master_key_file", &config->master_key_file);
    http_settings_text(&privacy, "erasure_log", &config->erasure_log);
    config->master_key_file = file_name(config, folder, config->master_key_file);
    config->erasure_log = file_name(config, folder, config->erasure_log);
    top->failed = privacy.failed;
}

static void read_listen(struct http_settings *top, struct http_config *config)
{
    struct http_listen_address address;
    struct oms_error fault;
    struct oms_str listen = OMS_STR_NONE;
    http_settings_text(top, "listen", &listen);
    if (!oms_str_present(listen))
        return;
    if (http_listen_parse(listen, &address, &fault) != OMS_OK)
        http_settings_fault(top, "listen", "is not usable: %s", fault.message);
    config->listen = listen;
}

static void read_top(struct http_settings *top, struct http_config *config, const char *folder)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", "off"};
    unsigned level = config->log_level;
    struct oms_str data = OMS_STR_NONE;
    http_settings_only(top, http_config_keys, count_of(http_config_keys));
    read_listen(top, config);
    http_settings_text(top, "data", &data);
    if (oms_str_present(data))
        config->data = file_name(config, folder, data);
    http_settings_unsigned(top, "shards", 0, OMS_SHARDS_MAX, &config->shards);
    http_settings_bool(top, "dev", &config->dev);
    config->graphiql_given |= http_settings_get(top, "graphiql") != NULL;
    http_settings_bool(top, "graphiql", &config->graphiql);
    http_settings_text(top, "single_tenant", &config->single_tenant);
    if (oms_str_present(config->single_tenant) && !tenant_name_valid(config->single_tenant))
        http_settings_fault(
            top, "single_tenant",
            "must be a tenant's name: 1 to 64 of a-z, 0-9, '-', '_' and '.', beginning with a "
            "letter or a digit");
    http_settings_word(top, "log_level", levels, OMS_COUNT_OF(levels), &level);
    config->log_level = (enum oms_log_level)level;
    read_tls(top, config, folder);
    read_privacy(top, config, folder);
    read_limits(top, config);
    http_graphql_settings_read(top, folder, &config->arena, &config->graphql);
    http_nats_settings_read(top, folder, &config->arena, &config->nats);
    http_outhook_settings_read(top, &config->arena, &config->outhooks);
    read_issuers(top, config, folder);
    read_tenants(top, config, folder);
    read_webhooks(top, config, folder);
}

enum oms_status http_config_parse(struct http_config *config, struct oms_str text, const char *folder,
                                  struct oms_error *error)
{
    struct oms_json_error fault;
    struct http_settings top;
    struct oms_str copy = oms_str_copy(&config->arena, text);
    struct oms_value *tree = OMS_ARENA_NEW(&config->arena, struct oms_value);
    if (!oms_str_present(copy) || !tree || text.len > HTTP_CONFIG_BYTES_MAX)
        return oms_error_set(error, OMS_INVALID, "the configuration is too large");
    if (oms_json_parse(copy, JSON_DEPTH, &config->arena, tree, &fault) != OMS_OK)
        return oms_error_set(error, OMS_INVALID, "line %u, column %u: %s", fault.line, fault.column,
                             fault.message);
    http_settings_begin(&top, tree, "", error);
    read_top(&top, config, folder);
    return top.failed ? OMS_INVALID : OMS_OK;
}

bool http_config_graphiql(const struct http_config *config)
{
    return config->graphiql_given ? config->graphiql : config->dev;
}

static enum oms_status read_file(const char *file, char **data, size_t *len, struct oms_error *error)
{
    FILE *stream = fopen(file, "re");
    if (!stream)
        return oms_error_set(error, errno == ENOENT ? OMS_NOT_FOUND : OMS_DENIED,
                             "cannot read the configuration '%s': %s", file, strerror(errno));
    *data = oms_malloc(HTTP_CONFIG_BYTES_MAX);
    *len = fread(*data, 1, HTTP_CONFIG_BYTES_MAX, stream);
    bool failed = ferror(stream) != 0;
    fclose(stream);
    if (!failed && *len < HTTP_CONFIG_BYTES_MAX)
        return OMS_OK;
    oms_free(*data);
    return oms_error_set(error, OMS_INVALID, "cannot read the configuration '%s': %s", file,
                         failed ? "not a file that can be read" : "it is too large");
}

enum oms_status http_config_load(struct http_config *config, const char *file, struct oms_error *error)
{
    char folder[4096] = "";
    struct oms_error inner;
    char *data = NULL;
    size_t len = 0;
    enum oms_status status = read_file(file, &data, &len, error);
    if (status != OMS_OK)
        return status;
    const char *slash = strrchr(file, '/');
    if (slash && (size_t)(slash - file) < sizeof(folder)) {
        memcpy(folder, file, (size_t)(slash - file));
        if (slash == file)
            folder[0] = '/';
    }
    status = http_config_parse(config, oms_str_make(data, len), folder, &inner);
    oms_free(data);
    if (status != OMS_OK)
        oms_error_set(error, status, "%s: %.400s", file, inner.message);
    return status;
}

enum oms_status http_config_check(const struct http_config *config, struct oms_error *error)
{
    for (size_t i = 0; i < config->tenant_count; i++) {
        struct tenant_version *tenant;
        struct oms_error fault;
        enum oms_status status = tenant_parse(&config->tenants[i], &tenant, &fault);
        if (status != OMS_OK)
            return oms_error_set(error, status, "tenants[%zu]: %s", i, fault.message);
        tenant_version_release(tenant);
    }
    if (config->issuer_count == 0 && !config->dev && !config->host_only)
        return oms_error_set(
            error, OMS_INVALID,
            "no issuer is configured, so nobody could call: name one under \"issuers\" in the "
            "configuration, or start with --dev");
    return OMS_OK;
}
