/*
 * The story of a GraphQL request over HTTP (the GraphQL foundation's draft of that name): negotiate the type
 * of the answer, authenticate, read the parameters, get the document's plan, bind it, look who may, start.
 * What a request must look like is in params.c, which type it is answered in in negotiate.c, and what happens
 * after the start in request.c.
 *
 * A request that could not be run at all (no JSON, no document) is 4xx. Faults in a document are 400 for
 * graphql-response+json and 200 for plain JSON, as the draft has it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "http/api/answer.h"
#include "http/api/params.h"
#include "http/api/request.h"
#include "http/cors.h"
#include "http/stream/stream.h"
#include "runtime/base/limits.h"

#define NS_PER_S UINT64_C(1000000000)

/* ---- faults ---- */

/* Answers a request whose document could not be run: 400 for graphql-response+json, 200 for plain JSON. */
static void respond_faults(struct http_exchange *exchange, const struct gql_errors *errors,
                           enum api_media media)
{
    oms_buf_reset(&exchange->out);
    gql_respond(NULL, NULL, errors, &exchange->out);
    api_answer(exchange, media, media == API_MEDIA_GRAPHQL_RESPONSE ? 400 : 200, NULL, 0);
}

/* ---- plans ---- */

/* The prepared document with a hold, or NULL with errors. */
static struct gql_prepared *prepare(struct api_shard *as, struct oms_str document, struct gql_errors *errors)
{
    struct gql_prepared *prepared = plan_cache_get(&as->plans, document);
    if (prepared)
        return prepared;
    if (gql_prepare(as->api->schema, document, &prepared, errors) != OMS_OK)
        return NULL;
    plan_cache_put(&as->plans, document, prepared);
    return prepared;
}

/* The request with its parts allocated in the exchange's arena; NULL when that is exhausted. */
static struct api_request *request_create(struct api_shard *as, struct http_exchange *exchange)
{
    struct api_request *request = OMS_ARENA_NEW(&exchange->arena, struct api_request);
    if (!request) {
        http_respond_error(exchange, 503, "BUSY", "The request needs too much memory");
        return NULL;
    }
    request->as = as;
    request->exchange = exchange;
    gql_errors_init(&request->errors, &exchange->arena);
    request->tenant_header = http_exchange_header(exchange, "x-tenant-id");
    request->key_header = http_exchange_header(exchange, "idempotency-key");
    return request;
}

/* The tenant that a root field names, or NULL: its task then answers what is wrong with that. */
static const struct tenant_version *tenant_of(const struct api_request *request, size_t root)
{
    const struct oms_value *args = gql_request_root(request->gql, root)->args;
    const struct oms_value *input = args ? oms_value_get_set(args, "input") : NULL;
    const struct oms_value *tenant = args ? oms_value_get_set(input ? input : args, "tenantId") : NULL;
    struct oms_str name;
    if (http_claims_tenant(request->claims, request->tenant_header, tenant ? tenant->text : OMS_STR_NONE,
                           request->as->api->config.single_tenant, &name) != HTTP_TENANT_FINE)
        return NULL;
    return actors_tenant_by_name(request->as->shard, name);
}

/* Whether pages of the request's origin may call the tenant: answers 403 when not. */
static bool check_origin(struct api_request *request, const struct tenant_version *tenant)
{
    const struct api_config *config = &request->as->api->config;
    return !config->cors || !oms_str_present(http_exchange_header(request->exchange, "origin")) ||
           http_cors_check(config->cors(config->cors_context, rt_shard_index(request->as->shard)),
                           request->exchange, tenant->number);
}

/* Whether the tenant may have one request more in this second: answers 429 when not. */
static bool check_rate(struct api_request *request, const struct tenant_version *tenant)
{
    struct api_shard *as = request->as;
    char seconds[24];
    uint64_t wait_ns = http_throttle_take(&as->throttle, tenant->number, tenant->limits.requests_per_second,
                                          rt_mono_ns(as->api->config.host));
    if (!wait_ns)
        return true;
    snprintf(seconds, sizeof(seconds), "%" PRIu64, wait_ns / NS_PER_S + (wait_ns % NS_PER_S != 0));
    struct http_header retry = {OMS_STR("retry-after"), oms_str_of(seconds)};
    http_respond_error_with(request->exchange, 429, &retry, 1, "THROTTLED",
                            "Tenant '%.*s' has more than its %" PRIu64
                            " requests a second: nothing was done; retry in %s s",
                            OMS_STR_ARG(tenant->name), tenant->limits.requests_per_second, seconds);
    return false;
}

/* What is refused as a whole, before any root starts. Neighbouring roots of one tenant count once. */
static bool check_tenants(struct api_request *request)
{
    const struct tenant_version *last = NULL;
    for (size_t i = 0; i < request->root_count; i++) {
        const struct tenant_version *tenant = tenant_of(request, i);
        if (!tenant || tenant == last)
            continue;
        if (!check_origin(request, tenant) || !check_rate(request, tenant))
            return false;
        last = tenant;
    }
    return true;
}

/* 405 with what is allowed instead. */
static void respond_needs_post(struct api_request *request)
{
    struct http_exchange *exchange = request->exchange;
    const struct http_header allow = {OMS_STR("allow"), OMS_STR("POST")};
    oms_buf_reset(&exchange->out);
    oms_buf_append_lit(&exchange->out, "{\"errors\":[{\"message\":\"Mutations need POST\",\"extensions\":"
                                       "{\"code\":\"METHOD_NOT_ALLOWED\"}}]}");
    api_answer(exchange, request->media, 405, &allow, 1);
}

/* What the operation is, and what its kind needs; false after answering. */
static bool make_ready(struct api_request *request, const struct api_params *params)
{
    struct http_exchange *exchange = request->exchange;
    if (gql_bind(request->prepared, params->operation_name, params->variables, &exchange->arena,
                 &request->gql, &request->errors) != OMS_OK) {
        respond_faults(exchange, &request->errors, request->media);
        return false;
    }
    request->root_count = gql_request_root_count(request->gql);
    request->results = oms_arena_calloc(&exchange->arena, request->root_count + 1, sizeof(*request->results));
    request->tasks = oms_arena_calloc(&exchange->arena, request->root_count + 1, sizeof(*request->tasks));
    if (gql_request_operation(request->gql) == GQL_MUTATION && exchange->method == HTTP_GET) {
        respond_needs_post(request);
        return false;
    }
    if (!request->results || !request->tasks) {
        api_refuse(exchange, request->media, 503, "BUSY", "The request needs too much memory");
        return false;
    }
    return check_tenants(request);
}

/* The document's variables as text: a stream is bound again where its events happen. */
static bool variables_text(struct http_exchange *exchange, const struct oms_value *variables,
                           struct oms_str *out)
{
    struct oms_buf text;
    *out = OMS_STR_NONE;
    if (!variables)
        return true;
    oms_buf_init(&text, OMS_BODY_BYTES_MAX);
    oms_value_write_json(variables, &text);
    bool fits = !text.overflow;
    *out = oms_str_copy(&exchange->arena, oms_buf_str(&text));
    oms_buf_fini(&text);
    return fits && oms_str_present(*out);
}

/* Answers a subscription with its stream, or says what is missing for one. */
static void subscribe(struct api_request *request, const struct api_params *params, bool streams)
{
    struct http_exchange *exchange = request->exchange;
    const struct api_config *config = &request->as->api->config;
    struct stream_request stream = {
        .document = params->query,
        .operation = params->operation_name,
        .gql = request->gql,
        .claims = request->claims,
        .tenant_header = request->tenant_header,
        .last_event_id = http_exchange_header(exchange, "last-event-id"),
    };
    if (!config->subscribe)
        api_refuse(exchange, request->media, 501, "NOT_IMPLEMENTED", "Subscriptions are not served here");
    else if (!streams && !exchange->is_websocket)
        api_refuse(
            exchange, request->media, 406, "NOT_ACCEPTABLE",
            "A subscription is answered as a stream: send Accept: text/event-stream, or use a WebSocket "
            "with the protocol graphql-transport-ws");
    else if (!variables_text(exchange, params->variables, &stream.variables))
        api_refuse(exchange, request->media, 413, "BODY_TOO_LARGE", "The variables are too large");
    else
        config->subscribe(config->stream_context, request->as, exchange, &stream, !exchange->is_websocket);
}

/* Binds and starts; answers faults. Owns the holds of `request`, which lives in the exchange: not to be
 * touched once that is answered. */
static void run(struct api_request *request, const struct api_params *params, bool streams)
{
    struct gql_prepared *prepared = request->prepared;
    const struct http_claims *claims = request->claims;
    if (make_ready(request, params)) {
        if (gql_request_operation(request->gql) != GQL_SUBSCRIPTION) {
            api_request_start(request);
            return;
        }
        subscribe(request, params, streams);
    }
    gql_prepared_release(prepared);
    http_claims_release(claims);
}

/* The type to answer in, or false after answering 406. */
static bool negotiate(struct http_exchange *exchange, struct api_accepted *accepted)
{
    *accepted = api_negotiate(http_exchange_header(exchange, "accept"));
    if (accepted->media != API_MEDIA_NONE)
        return true;
    http_respond_error(
        exchange, 406, "NOT_ACCEPTABLE",
        "Answers are application/json, application/graphql-response+json or text/event-stream");
    return false;
}

/* Owns the hold on `claims`, who may be unknown yet (NULL): then the token in the headers says. */
static void handle(struct http_exchange *exchange, struct api *api, const struct http_claims *claims)
{
    struct api_shard *as = api->shards[rt_shard_index(exchange->shard)];
    struct api_params params;
    struct api_accepted accepted;
    struct api_request *request;
    as->stats.requests++;
    if (!negotiate(exchange, &accepted)) {
        http_claims_release(claims);
        return;
    }
    if (!claims && !api->config.authenticate(exchange, api->config.authenticate_context, &claims))
        return;
    if (api_params_read(exchange, accepted.media, &params) &&
        (request = request_create(as, exchange)) != NULL) {
        request->media = accepted.media;
        request->claims = claims;
        request->prepared = prepare(as, params.query, &request->errors);
        if (request->prepared) {
            run(request, &params, accepted.streams);
            return;
        }
        as->stats.errors++;
        respond_faults(exchange, &request->errors, accepted.media);
    }
    http_claims_release(claims);
}

void api_handle_graphql(struct http_exchange *exchange, void *api)
{
    handle(exchange, api, NULL);
}

void api_handle_graphql_as(struct http_exchange *exchange, void *api, const struct http_claims *claims)
{
    handle(exchange, api, claims);
}
