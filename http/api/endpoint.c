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
#include "http/api/batch.h"
#include "http/api/params.h"
#include "http/api/request.h"
#include "http/stream/stream.h"
#include "runtime/base/limits.h"

/* ---- life ---- */

struct api_request *api_request_create(struct api_shard *as, struct http_exchange *exchange,
                                       const struct http_claims *claims, enum api_media media)
{
    struct api_request *request = OMS_ARENA_NEW(&exchange->arena, struct api_request);
    if (!request)
        return NULL;
    request->as = as;
    request->exchange = exchange;
    request->claims = claims;
    request->media = media;
    gql_errors_init(&request->errors, &exchange->arena);
    request->problem.errors = &request->errors;
    request->tenant_header = http_exchange_header(exchange, "x-tenant-id");
    return request;
}

void api_request_drop(struct api_request *request)
{
    if (request->prepared)
        gql_prepared_release(request->prepared);
    http_claims_release(request->claims);
}

void api_request_refuse(struct api_request *request)
{
    const struct http_header allow = {OMS_STR("allow"), OMS_STR("POST")};
    struct http_exchange *exchange = request->exchange;
    enum api_media media = request->media;
    unsigned status = request->problem.status;
    if (!status)
        status = media == API_MEDIA_GRAPHQL_RESPONSE ? 400 : 200;
    request->as->stats.errors++;
    oms_buf_reset(&exchange->out);
    gql_respond(NULL, NULL, &request->errors, &exchange->out);
    api_request_drop(request);
    api_answer(exchange, media, status, &allow, status == 405);
}

/* ---- getting ready ---- */

/* The schema is nobody's business where the configuration says so. */
static bool check_introspection(struct api_request *request)
{
    for (size_t i = 0; i < request->root_count; i++) {
        struct oms_str field = gql_request_root(request->gql, i)->field;
        if (oms_str_eq_c(field, "__schema") || oms_str_eq_c(field, "__type"))
            return api_problem(&request->problem, 0, "INTROSPECTION_DISABLED",
                               "Introspection is switched off on this server: \"%.*s\" cannot be asked",
                               OMS_STR_ARG(field));
    }
    return true;
}

static bool refuse_cost(struct api_request *request, uint64_t max)
{
    struct gql_error *error = gql_errors_add(&request->errors, "MAX_COST_EXCEEDED",
                                             "The request costs %" PRIu64 ", which is more than the %" PRIu64
                                             " that are allowed: ask for smaller pages, or for less in them",
                                             request->cost.requested, max);
    char text[80];
    snprintf(text, sizeof(text), "\"cost\":%" PRIu64 ",\"maxCost\":%" PRIu64, request->cost.requested, max);
    if (error)
        error->extensions = oms_str_copy(&request->exchange->arena, oms_str_of(text));
    return false;
}

/* One request may cost so much; that of a batch is looked at as a whole. */
static bool check_cost(struct api_request *request, const struct api_params *params)
{
    uint64_t max = request->as->api->cost_max;
    request->cost.requested = gql_request_cost(request->gql, &request->exchange->arena);
    if (params->extensions) {
        const struct oms_value *wanted = oms_value_get_set(params->extensions, "cost");
        request->cost.wanted = wanted && wanted->kind == OMS_VALUE_BOOL && wanted->boolean;
    }
    return !max || request->cost.requested <= max || refuse_cost(request, max);
}

bool api_request_ready(struct api_request *request, struct api_params *params)
{
    struct http_exchange *exchange = request->exchange;
    params->any_document = request->claims->is_operator;
    if (!api_documents_get(&request->as->documents, params, &request->prepared, &request->problem) ||
        gql_bind(request->prepared, params->operation_name, params->variables, &exchange->arena,
                 &request->gql, &request->errors) != OMS_OK)
        return false;
    if (gql_request_operation(request->gql) == GQL_MUTATION) {
        if (exchange->method == HTTP_GET)
            return api_problem(&request->problem, 405, "METHOD_NOT_ALLOWED", "Mutations need POST");
        request->key_header = http_exchange_header(exchange, "idempotency-key");
    }
    request->root_count = gql_request_root_count(request->gql);
    request->results = oms_arena_calloc(&exchange->arena, request->root_count + 1, sizeof(*request->results));
    request->tasks = oms_arena_calloc(&exchange->arena, request->root_count + 1, sizeof(*request->tasks));
    if (!request->results || !request->tasks)
        return api_problem(&request->problem, 503, "BUSY", "The request needs too much memory");
    return (!request->as->api->config.graphql.introspection_off || check_introspection(request)) &&
           check_cost(request, params);
}

/* ---- streams ---- */

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

/* Runs what its parameters ask, or answers why not. A refusal of api_admit ends the exchange, in which the
 * request lives: what it holds is known here before. */
static void run(struct api_request *request, struct api_params *params, bool streams)
{
    if (!api_request_ready(request, params)) {
        api_request_refuse(request);
        return;
    }
    struct gql_prepared *prepared = request->prepared;
    const struct http_claims *claims = request->claims;
    if (api_admit(&request, 1, request->cost.requested)) {
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
    request = api_request_create(as, exchange, claims, accepted.media);
    if (!request) {
        http_claims_release(claims);
        api_refuse(exchange, accepted.media, 503, "BUSY", "The request needs too much memory");
    } else if (!api_params_read(exchange, &params, &request->problem)) {
        api_request_refuse(request);
    } else if (params.batch) {
        api_batch_start(request, params.batch);
    } else {
        run(request, &params, accepted.streams);
    }
}

void api_handle_graphql(struct http_exchange *exchange, void *api)
{
    handle(exchange, api, NULL);
}

void api_handle_graphql_as(struct http_exchange *exchange, void *api, const struct http_claims *claims)
{
    handle(exchange, api, claims);
}
