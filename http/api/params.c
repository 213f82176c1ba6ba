/* See params.h. What is not given and what is null are the same; a wrong type is refused, never guessed. */
#include "http/api/params.h"

#include <stdarg.h>
#include <stdio.h>

#include "http/api/negotiate.h"
#include "http/query_string.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/utf8.h"

bool api_problem(struct api_problem *problem, unsigned status, const char *code, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct oms_str message = oms_str_of(text);
    message.len = oms_utf8_valid_prefix(message); /* a client's text may end in the middle of a character */
    (void)gql_errors_add(problem->errors, code, "%.*s", OMS_STR_ARG(message));
    problem->status = status;
    return false;
}

static bool bad(struct api_problem *problem, const char *message)
{
    return api_problem(problem, 400, "BAD_REQUEST", "%s", message);
}

/* ---- one parameter ---- */

static bool text_param(const struct oms_value *body, const char *name, struct oms_str *out,
                       struct api_problem *problem)
{
    const struct oms_value *value = oms_value_get_set(body, name);
    if (!value)
        return true;
    if (value->kind != OMS_VALUE_STRING)
        return api_problem(problem, 400, "BAD_REQUEST", "\"%s\" must be a string", name);
    *out = value->text;
    return true;
}

static bool object_param(const struct oms_value *body, const char *name, const struct oms_value **out,
                         struct api_problem *problem)
{
    *out = oms_value_get_set(body, name);
    return !*out || (*out)->kind == OMS_VALUE_OBJECT ||
           api_problem(problem, 400, "BAD_REQUEST", "\"%s\" must be an object", name);
}

static bool read_json(struct oms_arena *arena, struct oms_str text, const char *what, struct oms_value **out,
                      struct api_problem *problem)
{
    struct oms_json_error error;
    *out = OMS_ARENA_NEW(arena, struct oms_value);
    if (!*out)
        return api_problem(problem, 503, "BUSY", "The request needs too much memory");
    return oms_json_parse(text, OMS_JSON_DEPTH_MAX, arena, *out, &error) == OMS_OK ||
           api_problem(problem, 400, "BAD_REQUEST", "%s is not valid JSON: line %u, column %u: %s", what,
                       error.line, error.column, error.message);
}

/* A document, or the hash of one. */
static bool check_document(const struct api_params *params, struct api_problem *problem)
{
    return oms_str_present(params->query) ||
           (params->extensions && oms_value_get_set(params->extensions, "persistedQuery")) ||
           bad(problem, "\"query\" is missing: send the GraphQL document in it");
}

/* ---- POST ---- */

bool api_params_read_item(const struct oms_value *item, struct api_params *out, struct api_problem *problem)
{
    *out = (struct api_params){.variables = NULL};
    if (item->kind != OMS_VALUE_OBJECT)
        return bad(problem, "The body must be a JSON object with \"query\"");
    return text_param(item, "query", &out->query, problem) &&
           text_param(item, "operationName", &out->operation_name, problem) &&
           object_param(item, "variables", &out->variables, problem) &&
           object_param(item, "extensions", &out->extensions, problem) && check_document(out, problem);
}

static bool read_post(struct http_exchange *exchange, struct api_params *out, struct api_problem *problem)
{
    struct oms_value *body;
    switch (api_body_type(http_exchange_header(exchange, "content-type"))) {
    case API_BODY_JSON:
        break;
    case API_BODY_OTHER:
        return api_problem(problem, 415, "UNSUPPORTED_MEDIA_TYPE",
                           "Send the request as Content-Type: application/json");
    case API_BODY_CHARSET:
        return api_problem(problem, 415, "UNSUPPORTED_MEDIA_TYPE",
                           "Send the request in UTF-8: Content-Type: application/json; charset=utf-8");
    }
    if (!read_json(&exchange->arena, exchange->body, "The body", &body, problem))
        return false;
    if (body->kind != OMS_VALUE_LIST)
        return api_params_read_item(body, out, problem);
    *out = (struct api_params){.batch = body};
    return true;
}

/* ---- GET ---- */

/* An object in JSON; absent, empty and null are none. */
static bool query_object(struct http_exchange *exchange, const char *name, const struct oms_value **out,
                         struct api_problem *problem)
{
    struct oms_str text = http_query_get(exchange->query, name, &exchange->arena);
    struct oms_value *value;
    char what[64];
    if (text.len == 0)
        return true;
    snprintf(what, sizeof(what), "The parameter \"%s\"", name);
    if (!read_json(&exchange->arena, text, what, &value, problem))
        return false;
    if (value->kind == OMS_VALUE_OBJECT)
        *out = value;
    else if (value->kind != OMS_VALUE_NULL)
        return api_problem(problem, 400, "BAD_REQUEST", "%s must be a JSON object", what);
    return true;
}

static bool read_get(struct http_exchange *exchange, struct api_params *out, struct api_problem *problem)
{
    *out = (struct api_params){.variables = NULL};
    out->query = http_query_get(exchange->query, "query", &exchange->arena);
    out->operation_name = http_query_get(exchange->query, "operationName", &exchange->arena);
    if (out->operation_name.len == 0)
        out->operation_name = OMS_STR_NONE;
    return query_object(exchange, "variables", &out->variables, problem) &&
           query_object(exchange, "extensions", &out->extensions, problem) && check_document(out, problem);
}

bool api_params_read(struct http_exchange *exchange, struct api_params *out, struct api_problem *problem)
{
    return exchange->method == HTTP_POST ? read_post(exchange, out, problem)
                                         : read_get(exchange, out, problem);
}
