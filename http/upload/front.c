/* The handler of /import: who asks, what for, and the answer as HTTP says it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "http/cors.h"
#include "http/query_string.h"
#include "http/upload/upload_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

/* ---- asks ---- */

struct upload_ask *upload_ask_create(struct http_uploads *uploads, struct http_exchange *exchange,
                                     enum upload_op op)
{
    struct upload_ask *ask = oms_calloc(1, sizeof(*ask));

    ask->uploads = uploads;
    ask->exchange = exchange;
    ask->op = op;
    oms_arena_init(&ask->arena, 4096, 4u << 20);
    oms_buf_init(&ask->out, OMS_RESPONSE_BYTES_MAX);
    return ask;
}

static void link_ask(struct upload_ask *ask, struct rt_shard *shard)
{
    struct upload_shard *us = upload_shard_of(ask->uploads, shard);

    ask->shard = shard;
    ask->live_next = us->asks;
    if (us->asks)
        us->asks->live_prev = ask;
    us->asks = ask;
}

void upload_ask_free(struct upload_ask *ask)
{
    struct upload_shard *us = upload_shard_of(ask->uploads, ask->shard);

    *(ask->live_prev ? &ask->live_prev->live_next : &us->asks) = ask->live_next;
    if (ask->live_next)
        ask->live_next->live_prev = ask->live_prev;
    oms_arena_fini(&ask->arena);
    oms_buf_fini(&ask->out);
    oms_free(ask);
}

void upload_ask_fail(struct upload_ask *ask, unsigned status, const char *code, const char *format, ...)
{
    va_list args;

    ask->status = status;
    ask->code = code;
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is */
    vsnprintf(ask->message_text, sizeof(ask->message_text), format, args);
    va_end(args);
}

static void arrived(struct rt_shard *shard, struct rt_message *message)
{
    (void)shard;
    upload_session_take(OMS_CONTAINER_OF(message, struct upload_ask, message));
}

void upload_ask_send(struct upload_ask *ask)
{
    ask->message.on_return = arrived;
    rt_post(ask->uploads->config.host, rt_shard_of(ask->uploads->config.host, &ask->address), &ask->message);
}

static void came_back(struct rt_shard *shard, struct rt_message *message)
{
    (void)shard;
    upload_ask_answer(OMS_CONTAINER_OF(message, struct upload_ask, message));
}

void upload_ask_return(struct upload_ask *ask)
{
    ask->message.on_return = came_back;
    rt_post(ask->uploads->config.host, rt_shard_index(ask->shard), &ask->message);
}

/* ---- answering ---- */

struct headers {
    struct http_header items[8];
    size_t count;
    char offset[24], length[24], retry[24], location[64];
};

static void add_header(struct headers *headers, const char *name, const char *value)
{
    OMS_ASSERT(headers->count < OMS_COUNT_OF(headers->items));
    headers->items[headers->count++] = (struct http_header){oms_str_of(name), oms_str_of(value)};
}

static void make_headers(const struct upload_ask *ask, struct headers *headers)
{
    add_header(headers, "tus-resumable", "1.0.0");
    add_header(headers, "cache-control", "no-store");
    if (ask->known) {
        snprintf(headers->offset, sizeof(headers->offset), "%" PRIu64, ask->offset_now);
        add_header(headers, "upload-offset", headers->offset);
        add_header(headers, "upload-complete", ask->complete ? "?1" : "?0");
        snprintf(headers->length, sizeof(headers->length), "%" PRIu64,
                 ask->complete && !ask->length_now ? ask->offset_now : ask->length_now);
        if (ask->length_now || ask->complete)
            add_header(headers, "upload-length", headers->length);
        else
            add_header(headers, "upload-defer-length", "1");
    }
    if (ask->status == 201) {
        char id[UPLOAD_ID_TEXT + 1];
        upload_id_text(ask->address.key, id);
        snprintf(headers->location, sizeof(headers->location), UPLOAD_PATH "/%s", id);
        add_header(headers, "location", headers->location);
    }
    if (ask->retry_s) {
        snprintf(headers->retry, sizeof(headers->retry), "%u", ask->retry_s);
        add_header(headers, "retry-after", headers->retry);
    }
}

void upload_ask_answer(struct upload_ask *ask)
{
    struct http_exchange *exchange = ask->exchange;
    struct headers headers = {.count = 0};

    if (exchange) {
        make_headers(ask, &headers);
        if (ask->code) {
            http_respond_error_with(exchange, ask->status, headers.items, headers.count, ask->code, "%s",
                                    ask->message_text);
        } else {
            oms_buf_reset(&exchange->out);
            oms_buf_append_str(&exchange->out, oms_buf_str(&ask->out));
            http_respond(exchange, ask->status, "application/json; charset=utf-8", headers.items,
                         headers.count);
        }
    }
    upload_ask_free(ask);
}

static void refuse(struct http_exchange *exchange, unsigned status, const char *code, const char *message)
{
    const struct http_header retry = {OMS_STR("retry-after"), OMS_STR("1")};

    http_respond_error_with(exchange, status, &retry, status == 429 || status == 503, code, "%s", message);
}

/* ---- who asks ---- */

/* The tenant that the caller may import for; NULL after answering. The principal borrows from the claims. */
static const struct tenant_version *find_tenant(struct http_uploads *uploads, struct http_exchange *exchange,
                                                const struct http_claims *claims, struct principal *who)
{
    const struct api_config *config = &uploads->config.api->config;
    struct api_shard *as = uploads->config.api->shards[rt_shard_index(exchange->shard)];
    struct oms_str name;
    enum http_tenant_fault fault = http_claims_tenant(claims, http_exchange_header(exchange, "x-tenant-id"),
                                                      OMS_STR_NONE, config->single_tenant, &name);
    const struct tenant_version *tenant =
        fault == HTTP_TENANT_FINE ? actors_tenant_by_name(exchange->shard, name) : NULL;

    if (fault == HTTP_TENANT_FINE && (!tenant || tenant->status == TENANT_REMOVED))
        fault = HTTP_TENANT_FORBIDDEN;
    if (fault != HTTP_TENANT_FINE) {
        bool required = fault == HTTP_TENANT_REQUIRED;
        refuse(exchange, required ? 400 : 403, required ? "TENANT_REQUIRED" : "FORBIDDEN",
               http_tenant_fault_message(fault));
        return NULL;
    }
    if (config->cors && oms_str_present(http_exchange_header(exchange, "origin")) &&
        !http_cors_check(config->cors(config->cors_context, rt_shard_index(exchange->shard)), exchange,
                         tenant->number))
        return NULL; /* it has answered */
    http_claims_principal(claims, tenant->number, who);
    if (http_throttle_take_many(&as->gate.requests, tenant->number, tenant->limits.requests_per_second, 1,
                                rt_mono_ns(uploads->config.host)) != 0) {
        refuse(exchange, 429, "THROTTLED", "The tenant has more requests a second than its limit");
        return NULL;
    }
    return tenant;
}

static bool may_import(struct http_exchange *exchange, const struct tenant_version *tenant,
                       const struct principal *caller)
{
    struct principal who = *caller;
    struct oms_arena arena;
    struct access access;

    oms_arena_init(&arena, 4096, 1u << 20);
    actors_principal_own(exchange->shard, &who);
    bool may = permission_evaluate(&tenant->permissions, &who, &arena, &access) &&
               access_unscoped(&access, PERMISSION_CREATE_ORDER);
    oms_arena_fini(&arena);
    if (!may)
        refuse(exchange, 403, "FORBIDDEN", "Importing needs the permission create_order on the whole tenant");
    return may;
}

/* ---- what for ---- */

/* A header with a whole number; *given tells whether it is there. False when it is something else. */
static bool read_number(const struct http_exchange *exchange, const char *name, bool *given, uint64_t *out)
{
    struct oms_str text = http_exchange_header(exchange, name);
    int64_t number = 0;

    *given = oms_str_present(text);
    if (!*given)
        return true;
    bool fits =
        text.len && text.data[0] >= '0' && text.data[0] <= '9' && oms_str_to_i64(text, &number) == OMS_OK;
    *out = (uint64_t)number;
    return fits;
}

static bool is_chunk_type(struct oms_str type)
{
    static const char *const types[] = {"application/offset+octet-stream",
                                        "application/partial-upload",
                                        "application/octet-stream",
                                        "text/csv",
                                        "application/jsonl",
                                        "application/x-ndjson"};
    const char *end = oms_str_present(type) ? memchr(type.data, ';', type.len) : NULL;

    if (!oms_str_present(type))
        return false;
    struct oms_str name = oms_str_trim(end ? oms_str_make(type.data, (size_t)(end - type.data)) : type);
    for (size_t i = 0; i < OMS_COUNT_OF(types); i++)
        if (oms_str_eq_nocase(name, oms_str_of(types[i])))
            return true;
    return false;
}

/* NULL, or what is wrong. */
static const char *read_chunk(struct upload_ask *ask)
{
    const struct http_exchange *exchange = ask->exchange;
    struct oms_str complete = http_exchange_header(exchange, "upload-complete");
    bool given;

    if (!read_number(exchange, "upload-offset", &given, &ask->offset) || !given)
        return "Upload-Offset: expected the offset of the chunk's first byte";
    if (oms_str_present(complete) && !oms_str_eq_c(complete, "?1") && !oms_str_eq_c(complete, "?0"))
        return "Upload-Complete: expected ?1 with the last chunk, or ?0";
    ask->ends = oms_str_eq_c(complete, "?1");
    ask->body = oms_str_present(exchange->body) ? exchange->body : OMS_STR("");
    return NULL;
}

static void run(struct upload_ask *ask)
{
    const char *wrong = NULL;

    if (!read_number(ask->exchange, "upload-length", &ask->has_length, &ask->length) ||
        (ask->has_length && (ask->length == 0 || ask->length > OMS_UPLOAD_BYTES_MAX)))
        wrong = "Upload-Length: expected the file's bytes, 1 to 4294967296";
    else if (ask->op == UPLOAD_OP_WRITE)
        wrong = read_chunk(ask);
    if (wrong) {
        upload_ask_fail(ask, 400, "BAD_REQUEST", "%s", wrong);
        upload_ask_answer(ask);
    } else if (ask->op == UPLOAD_OP_CREATE || (ask->op == UPLOAD_OP_STATE && !ask->address.kind)) {
        ask->body = oms_str_present(ask->exchange->body) ? ask->exchange->body : OMS_STR("");
        upload_list(ask);
    } else {
        upload_ask_send(ask);
    }
}

struct asked {
    enum upload_op op;
    bool is_one; /* of one upload */
    bool results;
    unsigned char id[UPLOAD_ID_SIZE];
};

/* "/import", "/import/{id}", "/import/{id}/results"; false for something else. */
static bool read_path(const struct http_exchange *exchange, struct asked *out)
{
    struct oms_str rest = oms_str_make(exchange->path.data + sizeof(UPLOAD_PATH) - 1,
                                       exchange->path.len - (sizeof(UPLOAD_PATH) - 1));

    *out = (struct asked){.op = exchange->method == HTTP_POST     ? UPLOAD_OP_CREATE
                                : exchange->method == HTTP_PATCH  ? UPLOAD_OP_WRITE
                                : exchange->method == HTTP_DELETE ? UPLOAD_OP_REMOVE
                                                                  : UPLOAD_OP_STATE};
    if (rest.len == 0)
        return true;
    rest = oms_str_make(rest.data + 1, rest.len - 1);
    out->is_one = true;
    struct oms_str tail = OMS_STR("/results");
    if (rest.len == UPLOAD_ID_TEXT + tail.len &&
        oms_str_eq(oms_str_make(rest.data + UPLOAD_ID_TEXT, tail.len), tail)) {
        out->results = true;
        rest.len = UPLOAD_ID_TEXT;
        if (out->op != UPLOAD_OP_STATE)
            return false;
    }
    return upload_id_parse(rest, out->id) == OMS_OK;
}

static void start_results(struct http_uploads *uploads, struct http_exchange *exchange,
                          const struct rt_address *address)
{
    struct oms_str format = http_query_get(exchange->query, "format", &exchange->arena);
    struct oms_str only = http_query_get(exchange->query, "only", &exchange->arena);
    bool jsonl = oms_str_eq_c(format, "jsonl"), refused = oms_str_eq_c(only, "refused");

    if (oms_str_present(format) && !jsonl && !oms_str_eq_c(format, "csv"))
        refuse(exchange, 400, "BAD_REQUEST", "\"format\": expected csv or jsonl");
    else if (oms_str_present(only) && !refused)
        refuse(exchange, 400, "BAD_REQUEST", "\"only\": expected refused");
    else
        upload_results_start(uploads, exchange, address, jsonl, refused);
}

static void start(struct http_uploads *uploads, struct http_exchange *exchange, const struct asked *asked,
                  const struct tenant_version *tenant, const struct principal *who)
{
    struct rt_address address = {.tenant = tenant->number};

    if (asked->is_one)
        upload_address(tenant->number, asked->id, &address);
    if (asked->results) {
        start_results(uploads, exchange, &address);
        return;
    }
    struct upload_ask *ask = upload_ask_create(uploads, exchange, asked->op);
    link_ask(ask, exchange->shard);
    ask->address = address;
    ask->tenant_name = oms_str_copy(&ask->arena, tenant->name);
    if (!principal_copy(who, &ask->arena, &ask->principal)) {
        upload_ask_fail(ask, 503, "BUSY", "The server is busy");
        upload_ask_answer(ask);
        return;
    }
    run(ask);
}

static void serve(struct http_uploads *uploads, struct http_exchange *exchange,
                  const struct http_claims *claims)
{
    struct oms_str tus = http_exchange_header(exchange, "tus-resumable");
    struct oms_str type = http_exchange_header(exchange, "content-type");
    struct principal who;
    struct asked asked;
    const struct tenant_version *tenant = find_tenant(uploads, exchange, claims, &who);

    if (!tenant || !may_import(exchange, tenant, &who))
        return;
    if (!read_path(exchange, &asked)) /* the routes let no other method through */
        refuse(exchange, 404, "NOT_FOUND", "There is no such upload");
    else if (oms_str_present(tus) && !oms_str_eq_c(tus, "1.0.0"))
        refuse(exchange, 412, "PRECONDITION_FAILED", "Tus-Resumable: 1.0.0 is spoken here");
    else if (asked.op == UPLOAD_OP_CREATE &&
             !(oms_str_present(type) && oms_str_starts(type, OMS_STR("application/json"))))
        refuse(exchange, 415, "UNSUPPORTED_MEDIA_TYPE",
               "An upload begins with application/json; the file comes by PATCH");
    else if (asked.op == UPLOAD_OP_WRITE && !is_chunk_type(type))
        refuse(exchange, 415, "UNSUPPORTED_MEDIA_TYPE",
               "A chunk comes as application/offset+octet-stream, text/csv or application/jsonl");
    else
        start(uploads, exchange, &asked, tenant, &who);
}

void http_upload_as(struct http_exchange *exchange, void *context, const struct http_claims *claims)
{
    serve(context, exchange, claims);
    http_claims_release(claims);
}

static void handle(struct http_exchange *exchange, void *context)
{
    struct http_uploads *uploads = context;
    const struct http_claims *claims = NULL;

    if (uploads->config.authenticate(exchange, uploads->config.authenticate_context, &claims))
        http_upload_as(exchange, uploads, claims);
}

/* ---- an upload's end ---- */

void http_upload_due(void *context, struct rt_shard *shard, const struct rt_address *upload)
{
    struct http_uploads *uploads = context;
    struct upload_ask *ask;

    if (!uploads->config.api)
        return;
    ask = upload_ask_create(uploads, NULL, UPLOAD_OP_EXPIRE);
    link_ask(ask, shard);
    ask->address = *upload;
    upload_session_take(ask);
}

/* ---- life ---- */

struct http_uploads *http_uploads_create(struct rt_host *host)
{
    struct http_uploads *uploads = oms_calloc(1, sizeof(*uploads));

    uploads->config.host = host;
    uploads->shard_count = host->shard_count;
    uploads->shards = oms_calloc(host->shard_count, sizeof(uploads->shards[0]));
    for (unsigned i = 0; i < host->shard_count; i++)
        uploads->shards[i] = (struct upload_shard){.uploads = uploads, .shard = host->shards[i]};
    return uploads;
}

void http_uploads_bind(struct http_uploads *uploads, const struct http_uploads_config *config)
{
    uploads->config = *config;
}

void http_uploads_add_routes(struct http_router *router, struct http_uploads *uploads)
{
    const struct http_route routes[] = {
        {UPLOAD_PATH, 1u << HTTP_GET | 1u << HTTP_POST, handle, uploads},
        {UPLOAD_PATH "/", 1u << HTTP_GET | 1u << HTTP_PATCH | 1u << HTTP_DELETE, handle, uploads},
    };
    for (size_t i = 0; i < OMS_COUNT_OF(routes); i++)
        http_router_add(router, &routes[i]);
}

void http_uploads_destroy(struct http_uploads *uploads)
{
    for (unsigned i = 0; uploads && i < uploads->shard_count; i++) {
        struct upload_shard *us = &uploads->shards[i];
        while (us->first) {
            struct upload_session *session = us->first;
            us->first = session->next;
            upload_session_free(session);
        }
        while (us->asks)
            upload_ask_free(us->asks);
        while (us->results)
            upload_results_free(us->results);
    }
    if (uploads)
        oms_free(uploads->shards);
    oms_free(uploads);
}
