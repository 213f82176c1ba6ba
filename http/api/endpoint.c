/*
 * GraphQL over HTTP (the GraphQL foundation's draft of that name): what a request must look like and how it
 * is answered. POST with a JSON body, or GET for queries; answers application/graphql-response+json when the
 * client accepts it, else application/json, whose faults in the document are 200.
 */
#include <inttypes.h>
#include <stdio.h>

#include "http/api/request.h"
#include "http/cors.h"
#include "http/query_string.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define NS_PER_S UINT64_C(1000000000)

struct params {
    struct oms_str query;
    struct oms_str operation_name;
    const struct oms_value *variables;
};

/* ---- media types ---- */

static bool type_is(struct oms_str header, const char *type)
{
    size_t len = strlen(type);
    struct oms_str trimmed = oms_str_trim(header);
    return trimmed.len >= len &&
           oms_str_eq_nocase(oms_str_make(trimmed.data, len), oms_str_make(type, len)) &&
           (trimmed.len == len || trimmed.data[len] == ';' || trimmed.data[len] == ' ');
}

/* Whether a parameter of the media range says q=0: "not acceptable" (RFC 9110 section 12.4.2). */
static bool range_refused(struct oms_str range)
{
    for (size_t start = 0, i = 0; i <= range.len; i++) {
        if (i < range.len && range.data[i] != ';')
            continue;
        struct oms_str one = oms_str_trim(oms_str_make(range.data + start, i - start));
        start = i + 1;
        if (one.len < 3 || !oms_str_eq_nocase(oms_str_make(one.data, 2), OMS_STR("q=")))
            continue;
        size_t at = 2;
        while (at < one.len && (one.data[at] == '0' || one.data[at] == '.'))
            at++;
        return at == one.len;
    }
    return false;
}

/* What Accept says of one type: the most specific range that fits it counts (RFC 9110 section 12.5.1). */
struct acceptance {
    unsigned rank; /* 0: no range fits; 1: all types; 2: application; 3: the type itself */
    bool refused;
};

static void fit(struct acceptance *acceptance, struct oms_str range, const char *type)
{
    unsigned rank = type_is(range, type)              ? 3
                    : type_is(range, "application/*") ? 2
                    : type_is(range, "*/*")           ? 1
                                                      : 0;
    if (rank > acceptance->rank)
        *acceptance = (struct acceptance){rank, range_refused(range)};
}

/*
 * What the client accepts: fills graphql_response; false when neither type is among it. Ranges that fit both
 * get plain JSON.
 */
static bool accepts(struct oms_str header, bool *graphql_response)
{
    struct acceptance json = {0}, graphql = {0};
    *graphql_response = false;
    if (!oms_str_present(header))
        return true;
    for (size_t start = 0, i = 0; i <= header.len; i++) {
        if (i < header.len && header.data[i] != ',')
            continue;
        struct oms_str one = oms_str_make(header.data + start, i - start);
        fit(&json, one, "application/json");
        fit(&graphql, one, "application/graphql-response+json");
        start = i + 1;
    }
    bool takes_json = json.rank && !json.refused, takes_graphql = graphql.rank && !graphql.refused;
    *graphql_response = takes_graphql && (graphql.rank == 3 || !takes_json);
    return takes_json || takes_graphql;
}

/* ---- faults ---- */

/* Answers a request whose document could not be run: 400 for graphql-response+json, 200 for plain JSON. */
static void respond_faults(struct http_exchange *exchange, const struct gql_errors *errors,
                           bool graphql_response)
{
    oms_buf_reset(&exchange->out);
    gql_respond(NULL, NULL, errors, &exchange->out);
    http_respond(exchange, graphql_response ? 400 : 200,
                 graphql_response ? "application/graphql-response+json; charset=utf-8"
                                  : "application/json; charset=utf-8",
                 NULL, 0);
}

static bool bad(struct http_exchange *exchange, const char *message)
{
    http_respond_error(exchange, 400, "BAD_REQUEST", "%s", message);
    return false;
}

/* ---- parameters ---- */

static bool text_param(struct http_exchange *exchange, const struct oms_value *body, const char *name,
                       struct oms_str *out)
{
    const struct oms_value *value = oms_value_get_set(body, name);
    *out = OMS_STR_NONE;
    if (!value)
        return true;
    if (value->kind != OMS_VALUE_STRING) {
        http_respond_error(exchange, 400, "BAD_REQUEST", "\"%s\" must be a string", name);
        return false;
    }
    *out = value->text;
    return true;
}

static bool object_param(struct http_exchange *exchange, const struct oms_value *body, const char *name,
                         const struct oms_value **out)
{
    *out = oms_value_get_set(body, name);
    if (*out && (*out)->kind != OMS_VALUE_OBJECT) {
        http_respond_error(exchange, 400, "BAD_REQUEST", "\"%s\" must be an object", name);
        return false;
    }
    return true;
}

static bool read_object(struct http_exchange *exchange, const struct oms_value *body, struct params *out)
{
    const struct oms_value *extensions;
    if (body->kind != OMS_VALUE_OBJECT)
        return bad(exchange, "The body must be a JSON object with \"query\"");
    if (!text_param(exchange, body, "query", &out->query) ||
        !text_param(exchange, body, "operationName", &out->operation_name) ||
        !object_param(exchange, body, "variables", &out->variables) ||
        !object_param(exchange, body, "extensions", &extensions))
        return false;
    return oms_str_present(out->query) ||
           bad(exchange, "\"query\" is missing: send the GraphQL document in it");
}

static bool read_json(struct http_exchange *exchange, struct oms_str text, struct oms_value *out,
                      const char *what)
{
    struct oms_json_error error;
    if (oms_json_parse(text, OMS_JSON_DEPTH_MAX, &exchange->arena, out, &error) == OMS_OK)
        return true;
    http_respond_error(exchange, 400, "BAD_REQUEST", "%s is not valid JSON: line %u, column %u: %s", what,
                       error.line, error.column, error.message);
    return false;
}

static bool read_post(struct http_exchange *exchange, struct params *out)
{
    struct oms_value *body = OMS_ARENA_NEW(&exchange->arena, struct oms_value);
    if (!type_is(http_exchange_header(exchange, "content-type"), "application/json")) {
        http_respond_error(exchange, 415, "UNSUPPORTED_MEDIA_TYPE",
                           "Send the request as Content-Type: application/json");
        return false;
    }
    return body && read_json(exchange, exchange->body, body, "The body") && read_object(exchange, body, out);
}

static bool read_get(struct http_exchange *exchange, struct params *out)
{
    struct oms_str variables;
    struct oms_arena *arena = &exchange->arena;
    out->query = http_query_get(exchange->query, "query", arena);
    out->operation_name = http_query_get(exchange->query, "operationName", arena);
    variables = http_query_get(exchange->query, "variables", arena);
    if (!oms_str_present(out->query))
        return bad(exchange, "The parameter \"query\" is missing: send the GraphQL document in it");
    if (oms_str_present(out->operation_name) && out->operation_name.len == 0)
        out->operation_name = OMS_STR_NONE;
    if (oms_str_present(variables) && variables.len) {
        struct oms_value *value = OMS_ARENA_NEW(arena, struct oms_value);
        if (!value || !read_json(exchange, variables, value, "The parameter \"variables\""))
            return false;
        if (value->kind == OMS_VALUE_OBJECT)
            out->variables = value;
        else if (value->kind != OMS_VALUE_NULL)
            return bad(exchange, "The parameter \"variables\" must be a JSON object");
    }
    return true;
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

/* Binds and starts; answers faults. Owns the holds of `request`, which lives in the exchange: not to be
 * touched once that is answered. */
static void run(struct api_request *request, const struct params *params)
{
    struct http_exchange *exchange = request->exchange;
    struct gql_prepared *prepared = request->prepared;
    const struct http_claims *claims = request->claims;
    enum oms_status status = gql_bind(request->prepared, params->operation_name, params->variables,
                                      &exchange->arena, &request->gql, &request->errors);
    bool answered = false;
    if (status == OMS_OK) {
        enum gql_operation operation = gql_request_operation(request->gql);
        request->root_count = gql_request_root_count(request->gql);
        request->results =
            oms_arena_calloc(&exchange->arena, request->root_count + 1, sizeof(*request->results));
        request->tasks = oms_arena_calloc(&exchange->arena, request->root_count + 1, sizeof(*request->tasks));
        if (operation == GQL_MUTATION && exchange->method == HTTP_GET) {
            struct http_header allow = {OMS_STR("allow"), OMS_STR("POST")};
            oms_buf_reset(&exchange->out);
            oms_buf_append_lit(&exchange->out,
                               "{\"errors\":[{\"message\":\"Mutations need POST\",\"extensions\":"
                               "{\"code\":\"METHOD_NOT_ALLOWED\"}}]}");
            http_respond(exchange, 405, "application/json; charset=utf-8", &allow, 1);
            answered = true;
        } else if (!request->results || !request->tasks) {
            http_respond_error(exchange, 503, "BUSY", "The request needs too much memory");
            answered = true;
        } else if (!check_tenants(request)) {
            answered = true;
        } else {
            api_request_start(request);
            return;
        }
    }
    if (!answered)
        respond_faults(exchange, &request->errors, request->graphql_response);
    gql_prepared_release(prepared);
    http_claims_release(claims);
}

void api_handle_graphql(struct http_exchange *exchange, void *context)
{
    struct api *api = context;
    struct api_shard *as = api->shards[rt_shard_index(exchange->shard)];
    struct params params = {.variables = NULL};
    const struct http_claims *claims;
    bool graphql_response;
    as->stats.requests++;
    if (!accepts(http_exchange_header(exchange, "accept"), &graphql_response)) {
        http_respond_error(exchange, 406, "NOT_ACCEPTABLE",
                           "Answers are application/json or application/graphql-response+json");
        return;
    }
    if (!api->config.authenticate(exchange, api->config.authenticate_context, &claims))
        return;
    struct api_request *request = NULL;
    if ((exchange->method == HTTP_POST ? read_post(exchange, &params) : read_get(exchange, &params)) &&
        (request = request_create(as, exchange)) != NULL) {
        request->graphql_response = graphql_response;
        request->claims = claims;
        request->prepared = prepare(as, params.query, &request->errors);
        if (request->prepared) {
            run(request, &params);
            return;
        }
        as->stats.errors++;
        respond_faults(exchange, &request->errors, graphql_response);
    }
    http_claims_release(claims);
}
