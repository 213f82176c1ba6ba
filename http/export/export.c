/*
 * The course of an export: who asks, the first page, then page after page as the client takes them. See
 * export.h.
 *
 * The first page is read before the answer begins, so that what is wrong can be said by a status. From then
 * on a failure breaks the answer off without a proper end, which every client can tell from one.
 */
#include "http/export/export_impl.h"

#include <stdio.h>

#include "actors/order_filter.h"
#include "http/cors.h"
#include "http/query_string.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

/* A shard's exports, from their start until their last read is home. */
struct shard_exports {
    struct export *first;
};

struct http_exports {
    struct http_exports_config config;
    struct shard_exports *shards;
    /* Shared by the shards: a snapshot costs the whole store, and few are ever open. */
    _Atomic unsigned all;
    _Atomic uint8_t tenants[OMS_TENANTS_MAX];
};

static struct api *api_of(const struct export *export)
{
    return export->as->api;
}

/* ---- life ---- */

static bool count_in(struct export *export)
{
    struct http_exports *exports = export->exports;
    _Atomic uint8_t *own = &exports->tenants[export->tenant->number];
    if (atomic_fetch_add(own, 1) >= OMS_EXPORTS_TENANT_MAX) {
        atomic_fetch_sub(own, 1);
        return false;
    }
    if (atomic_fetch_add(&exports->all, 1) >= OMS_EXPORTS_MAX) {
        atomic_fetch_sub(&exports->all, 1);
        atomic_fetch_sub(own, 1);
        return false;
    }
    export->counted = true;
    return true;
}

static void count_out(struct export *export)
{
    if (!export->counted)
        return;
    atomic_fetch_sub(&export->exports->all, 1);
    atomic_fetch_sub(&export->exports->tenants[export->tenant->number], 1);
    export->counted = false;
}

static struct export *export_create(struct http_exports *exports, struct http_exchange *exchange,
                                    const struct http_claims *claims)
{
    struct export *export = oms_calloc(1, sizeof(*export));
    unsigned index = rt_shard_index(exchange->shard);
    struct shard_exports *mine = &exports->shards[index];
    export->exports = exports;
    export->exchange = exchange;
    export->claims = claims;
    export->as = exports->config.api->shards[index];
    export->limit = OMS_EXPORT_PAGE_ORDERS;
    export->format = oms_str_eq_c(exchange->path, "/export/orders.csv")      ? EXPORT_CSV
                     : oms_str_eq_c(exchange->path, "/export/customer.json") ? EXPORT_CUSTOMER
                                                                             : EXPORT_JSONL;
    oms_arena_init(&export->arena, 16u << 10, 1u << 20);
    export->next = mine->first;
    if (mine->first)
        mine->first->prev = export;
    mine->first = export;
    return export;
}

static void close_view(struct export *export)
{
    if (export->view)
        export->engine->ops->view_close(export->view);
    export->view = NULL;
}

static void export_free(struct export *export)
{
    http_payload_release(export->page);
    if (export->prepared)
        gql_prepared_release(export->prepared);
    tenant_version_release(export->tenant);
    user_version_release(export->principal.own);
    http_claims_release(export->claims);
    oms_arena_fini(&export->arena);
    oms_free(export);
}

/* Ends it, now or when its read comes home. The exchange is answered, or gone. */
static void export_end(struct export *export)
{
    export->exchange = NULL;
    if (export->in_flight)
        return;
    struct shard_exports *mine = &export->exports->shards[rt_shard_index(export->as->shard)];
    *(export->prev ? &export->prev->next : &mine->first) = export->next;
    if (export->next)
        export->next->prev = export->prev;
    close_view(export);
    count_out(export);
    export_free(export);
}

/* ---- who asks, and what for ---- */

static void refuse(struct export *export, unsigned status, const char *code, const char *message)
{
    struct http_exchange *exchange = export->exchange;
    const struct http_header retry = {OMS_STR("retry-after"), OMS_STR("10")};
    http_respond_error_with(exchange, status, &retry, status == 429 || status == 503, code, "%s", message);
    export_end(export);
}

/* The tenant's current version, when the caller may still export under it. */
static bool check_permission(struct export *export, const struct tenant_version *tenant)
{
    struct oms_arena arena;
    struct access access;
    bool may = false;
    oms_arena_init(&arena, 4096, 1u << 20);
    if (permission_evaluate(&tenant->permissions, &export->principal, &arena, &access)) {
        may = access_unscoped(&access, PERMISSION_EXPORT_ORDERS);
        bool personal = access_unscoped(&access, PERMISSION_GET_ORDER);
        may = may && (!export->gql || personal || !export->personal);
        may = may && (personal || export->format != EXPORT_CUSTOMER);
        if (!export->gql)
            export->personal = personal;
    }
    oms_arena_fini(&arena);
    return may;
}

static bool check_rate(struct export *export)
{
    struct api_shard *as = export->as;
    uint64_t wait_ns = http_throttle_take_many(&as->gate.requests, export->tenant->number,
                                               export->tenant->limits.requests_per_second, 1,
                                               rt_mono_ns(as->api->config.host));
    return wait_ns == 0;
}

/* From here on under this version, with the caller as known now. */
static void stand_under(struct export *export, const struct tenant_version *tenant)
{
    const struct tenant_version *before = export->tenant;
    const struct user_version *own = export->principal.own;
    export->tenant = tenant_version_hold(tenant);
    tenant_version_release(before);
    http_claims_principal(export->claims, tenant->number, &export->principal);
    actors_principal_own(export->as->shard, &export->principal);
    user_version_hold(export->principal.own);
    user_version_release(own);
}

/* False after answering. */
static bool find_tenant(struct export *export)
{
    const struct api_config *config = &api_of(export)->config;
    struct http_exchange *exchange = export->exchange;
    struct oms_str name;
    enum http_tenant_fault fault =
        http_claims_tenant(export->claims, http_exchange_header(exchange, "x-tenant-id"), OMS_STR_NONE,
                           config->single_tenant, &name);
    const struct tenant_version *tenant =
        fault == HTTP_TENANT_FINE ? actors_tenant_by_name(export->as->shard, name) : NULL;
    if (fault == HTTP_TENANT_FINE && (!tenant || tenant->status == TENANT_REMOVED))
        fault = HTTP_TENANT_FORBIDDEN;
    if (fault != HTTP_TENANT_FINE) {
        refuse(export, fault == HTTP_TENANT_REQUIRED ? 400 : 403,
               fault == HTTP_TENANT_REQUIRED ? "TENANT_REQUIRED" : "FORBIDDEN",
               http_tenant_fault_message(fault));
        return false;
    }
    if (config->cors && oms_str_present(http_exchange_header(exchange, "origin")) &&
        !http_cors_check(config->cors(config->cors_context, rt_shard_index(export->as->shard)), exchange,
                         tenant->number)) {
        export_end(export); /* it has answered */
        return false;
    }
    stand_under(export, tenant);
    return true;
}

/* ---- parameters ---- */

/* Appends "name":["A","B"] of "A,B"; false when a word is no stage. */
static bool put_stages(struct oms_str text, struct oms_buf *out)
{
    enum order_stage stage;
    oms_buf_append_lit(out, "\"stage\":[");
    for (size_t start = 0, i = 0; i <= text.len; i++) {
        if (i < text.len && text.data[i] != ',')
            continue;
        if (!order_stage_parse(oms_str_make(text.data + start, i - start), &stage))
            return false;
        oms_buf_appendf(out, "%s\"%s\"", start ? "," : "", order_stage_name(stage));
        start = i + 1;
    }
    oms_buf_append_lit(out, "],");
    return true;
}

static bool put_instant(const char *name, struct oms_str text, struct oms_buf *out)
{
    char canonical[OMS_DATETIME_TEXT_SIZE];
    int64_t ms;
    if (oms_datetime_parse(text, &ms) != OMS_OK)
        return false;
    oms_datetime_format(ms, canonical);
    oms_buf_appendf(out, "\"%s\":\"%s\",", name, canonical);
    return true;
}

static bool put_customer(struct export *export, struct oms_buf *out)
{
    struct oms_str query = export->exchange->query;
    export->customer_id = http_query_get(query, "customerId", &export->arena);
    export->email = http_query_get(query, "email", &export->arena);
    if ((export->customer_id.len != 0) == (export->email.len != 0))
        return false;
    oms_buf_appendf(out, "\"%s\":[", export->customer_id.len ? "customerId" : "email");
    oms_json_write_string(out, export->customer_id.len ? export->customer_id : export->email);
    oms_buf_append_lit(out, "],");
    return true;
}

/* The filter as the API's OrderFilter; NULL, or what is wrong. */
static const char *read_filter(struct export *export, struct oms_buf *json)
{
    struct oms_str query = export->exchange->query;
    struct oms_arena *arena = &export->arena;
    struct oms_str stage = http_query_get(query, "stage", arena),
                   from = http_query_get(query, "placedFrom", arena),
                   to = http_query_get(query, "placedTo", arena);
    struct oms_value *value = OMS_ARENA_NEW(arena, struct oms_value);
    struct oms_json_error json_error;
    struct refusal_list refusals;
    oms_buf_append_char(json, '{');
    if (export->format == EXPORT_CUSTOMER && !put_customer(export, json))
        return "exactly one of \"customerId\" and \"email\" says whose data is exported";
    if (stage.len && !put_stages(stage, json))
        return "\"stage\" is a list of stages such as CONFIRMED,SHIPPED";
    oms_buf_append_lit(json, "\"placedAt\":{");
    if (from.len && !put_instant("from", from, json))
        return "\"placedFrom\" is no RFC 3339 instant";
    if (to.len && !put_instant("to", to, json))
        return "\"placedTo\" is no RFC 3339 instant";
    json->len -= json->data[json->len - 1] == ',';
    oms_buf_append_lit(json, "}}");
    struct oms_str text = oms_str_copy(arena, oms_buf_str(json));
    refusal_list_init(&refusals, arena);
    if (!value || json->overflow || oms_json_parse(text, 8, arena, value, &json_error) != OMS_OK ||
        order_filter_parse(value, arena, &export->filter, &refusals) != OMS_OK)
        return "the filter is too large";
    return NULL;
}

/* NULL, or what is wrong. */
static const char *read_query(struct export *export)
{
    struct http_exchange *exchange = export->exchange;
    struct oms_str after = http_query_get(exchange->query, "after", &export->arena);
    struct oms_buf json;
    export->from.as_of_ms = rt_now_ms(api_of(export)->config.host);
    if (export->format == EXPORT_CUSTOMER && after.len)
        return "an export of a customer is not gone on with: there is no \"after\"";
    if (after.len && !export_cursor_parse(after, &export->from))
        return "\"after\" is not a cursor of an export";
    oms_buf_init(&json, 8192);
    const char *wrong = read_filter(export, &json);
    oms_buf_fini(&json);
    return wrong;
}

/* The document is prepared per export: that takes as long as reading a few orders, once. */
static bool prepare(struct export *export)
{
    struct gql_errors errors;
    gql_errors_init(&errors, &export->arena);
    return gql_prepare(api_of(export)->schema, export_document(export->personal), &export->prepared,
                       &errors) == OMS_OK &&
           gql_bind(export->prepared, OMS_STR_NONE, NULL, &export->arena, &export->gql, &errors) == OMS_OK;
}

/* ---- pages ---- */

static void page_returned(struct rt_shard *shard, struct rt_message *message);

static void ask(struct export *export)
{
    struct store_read *read = &export->read;
    OMS_ASSERT(!export->in_flight && !export->page);
    export->ready = false;
    export->in_flight = true;
    export->now_ms = rt_now_ms(api_of(export)->config.host);
    memset(read, 0, sizeof(*read));
    read->run = export_page_run;
    read->job.tenant = export->tenant->number;
    read->job.message.home = (uint16_t)rt_shard_index(export->as->shard);
    read->job.message.on_return = page_returned;
    store_read(actors_store(api_of(export)->config.system), export->as->shard, read);
}

/* Without a proper end: the client goes on behind the last cursor that it has. */
static void break_off(struct export *export, const char *why)
{
    OMS_LOG(OMS_LOG_INFO, "export.broken_off", OMS_LOG_TEXT("reason", why),
            OMS_LOG_U64("tenant", export->tenant->number), OMS_LOG_U64("orders", export->orders));
    http_stream_abort(export->exchange);
    export_end(export);
}

/* What the tenant's version of the page, or the user's, allowed may be over; then the page is made again, or
 * there is none.
 */
static bool tenant_stands(struct export *export)
{
    const struct tenant_version *now = actors_tenant(export->as->shard, export->tenant->number);
    struct principal who = export->principal;
    actors_principal_own(export->as->shard, &who);
    if (now == export->tenant && who.own == export->principal.own)
        return true;
    if (now)
        stand_under(export, now);
    if (!now || now->status == TENANT_REMOVED || !check_permission(export, now)) {
        break_off(export, "the permission was withdrawn");
        return false;
    }
    http_payload_release(export->page);
    export->page = NULL;
    ask(export);
    return false;
}

/* Hands the page that is ready to the connection, and asks for the next. */
static void flow(struct export *export)
{
    while (export->ready && http_stream_is_ready(export->exchange)) {
        if (!tenant_stands(export))
            return;
        struct http_payload *page = export->page;
        const struct http_chunk chunk = {page, page ? http_payload_text(page) : OMS_STR_NONE};
        export->page = NULL;
        if (export->last) {
            http_stream_end(export->exchange, &chunk, page != NULL);
            export_end(export);
            return;
        }
        if (export->now_ms - export->started_ms > OMS_EXPORT_MS_MAX) {
            http_payload_release(page);
            break_off(export, "its snapshot is old");
            return;
        }
        export->from = export->to;
        export->orders_before = export->orders;
        ask(export);
        if (page)
            http_stream_send(export->exchange, &chunk, 1);
    }
}

static void on_ready(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    flow(context);
}

static void on_gone(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    export_end(context);
}

static void begin(struct export *export)
{
    static const struct http_stream_events events = {.ready = on_ready, .gone = on_gone};
    static const struct {
        const char *type, *disposition;
    } kinds[] = {
        [EXPORT_JSONL] = {"application/jsonl; charset=utf-8", "attachment; filename=\"orders.jsonl\""},
        [EXPORT_CSV] = {"text/csv; charset=utf-8; header=present", "attachment; filename=\"orders.csv\""},
        [EXPORT_CUSTOMER] = {"application/json; charset=utf-8", "attachment; filename=\"customer.json\""},
    };
    const struct http_header headers[] = {
        {OMS_STR("cache-control"), OMS_STR("no-store")},
        {OMS_STR("content-disposition"), oms_str_of(kinds[export->format].disposition)},
    };
    export->begun = true;
    if (!http_stream_begin(export->exchange, 200, kinds[export->format].type, headers, OMS_COUNT_OF(headers),
                           &events, export))
        export_end(export);
}

static void first_returned(struct export *export, bool ran)
{
    if (!ran)
        refuse(export, 503, "BUSY", "Too many reads are in flight: retry in a moment");
    else if (export->status == OMS_INVALID)
        refuse(export, 400, "BAD_REQUEST", "\"after\" is not a cursor of an export");
    else if (export->status != OMS_OK)
        refuse(export, 500, "INTERNAL", "The orders cannot be read");
    else
        begin(export);
}

static void page_returned(struct rt_shard *shard, struct rt_message *message)
{
    struct export *export = OMS_CONTAINER_OF(message, struct export, read.job.message);
    bool ran = message->status == OMS_OK;
    (void)shard;
    export->in_flight = false;
    if (!export->exchange) {
        export_end(export);
        return;
    }
    export->ready = ran && export->status == OMS_OK;
    if (!export->begun)
        first_returned(export, ran);
    else if (!export->ready)
        break_off(export, ran ? "the orders cannot be read" : "too many reads are in flight");
    else
        flow(export);
}

/* ---- the handler ---- */

void http_export_as(struct http_exchange *exchange, void *context, const struct http_claims *claims)
{
    struct export *export = export_create(context, exchange, claims);
    const char *wrong;
    if (!find_tenant(export))
        return;
    if (!check_rate(export))
        refuse(export, 429, "THROTTLED", "The tenant has more requests a second than its limit");
    else if (!check_permission(export, export->tenant))
        refuse(export, 403, "FORBIDDEN",
               export->format == EXPORT_CUSTOMER
                   ? "Exporting a customer needs export_orders and get_order on the whole tenant"
                   : "Exporting needs the permission export_orders on the whole tenant");
    else if ((wrong = read_query(export)) != NULL)
        refuse(export, 400, "BAD_REQUEST", wrong);
    else if (!count_in(export))
        refuse(export, 429, "BUSY", "Too many exports are running: retry when one has ended");
    else if (!prepare(export))
        refuse(export, 500, "INTERNAL", "The export cannot be prepared");
    else {
        export->started_ms = rt_now_ms(api_of(export)->config.host);
        ask(export);
    }
}

static void handle(struct http_exchange *exchange, void *context)
{
    struct http_exports *exports = context;
    const struct http_claims *claims = NULL;
    if (exports->config.authenticate(exchange, exports->config.authenticate_context, &claims))
        http_export_as(exchange, exports, claims);
}

struct http_exports *http_exports_create(const struct http_exports_config *config)
{
    struct http_exports *exports = oms_calloc(1, sizeof(*exports));
    exports->config = *config;
    exports->shards = oms_calloc(config->api->shard_count, sizeof(exports->shards[0]));
    return exports;
}

void http_exports_add_routes(struct http_router *router, struct http_exports *exports)
{
    const struct http_route routes[] = {
        {"/export/orders.jsonl", 1u << HTTP_GET, handle, exports},
        {"/export/orders.csv", 1u << HTTP_GET, handle, exports},
        {"/export/customer.json", 1u << HTTP_GET, handle, exports},
    };
    for (size_t i = 0; i < OMS_COUNT_OF(routes); i++)
        http_router_add(router, &routes[i]);
}

void http_exports_stop(struct http_exports *exports)
{
    for (unsigned i = 0; exports && i < exports->config.api->shard_count; i++)
        for (struct export *export = exports->shards[i].first; export; export = export->next)
            close_view(export);
}

void http_exports_destroy(struct http_exports *exports)
{
    for (unsigned i = 0; exports && i < exports->config.api->shard_count; i++) {
        while (exports->shards[i].first) {
            struct export *export = exports->shards[i].first;
            exports->shards[i].first = export->next;
            export_free(export);
        }
    }
    if (exports)
        oms_free(exports->shards);
    oms_free(exports);
}
