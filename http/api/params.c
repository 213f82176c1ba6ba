/* See params.h. What is not given and what is null are the same; a wrong type is refused, never guessed. */
#include "http/api/params.h"

#include <stdio.h>

#include "http/api/answer.h"
#include "http/query_string.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/utf8.h"

struct reader {
    struct http_exchange *exchange;
    enum api_media media;
};

static bool bad(const struct reader *reader, const char *message)
{
    api_refuse(reader->exchange, reader->media, 400, "BAD_REQUEST", "%s", message);
    return false;
}

/* ---- one parameter ---- */

static bool text_param(const struct reader *reader, const struct oms_value *body, const char *name,
                       struct oms_str *out)
{
    const struct oms_value *value = oms_value_get_set(body, name);
    if (!value)
        return true;
    if (value->kind != OMS_VALUE_STRING) {
        api_refuse(reader->exchange, reader->media, 400, "BAD_REQUEST", "\"%s\" must be a string", name);
        return false;
    }
    *out = value->text;
    return true;
}

static bool object_param(const struct reader *reader, const struct oms_value *body, const char *name,
                         const struct oms_value **out)
{
    *out = oms_value_get_set(body, name);
    if (*out && (*out)->kind != OMS_VALUE_OBJECT) {
        api_refuse(reader->exchange, reader->media, 400, "BAD_REQUEST", "\"%s\" must be an object", name);
        return false;
    }
    return true;
}

static bool read_json(const struct reader *reader, struct oms_str text, const char *what,
                      struct oms_value **out)
{
    struct oms_json_error error;
    struct oms_arena *arena = &reader->exchange->arena;
    *out = OMS_ARENA_NEW(arena, struct oms_value);
    if (!*out) {
        api_refuse(reader->exchange, reader->media, 503, "BUSY", "The request needs too much memory");
        return false;
    }
    if (oms_json_parse(text, OMS_JSON_DEPTH_MAX, arena, *out, &error) == OMS_OK)
        return true;
    api_refuse(reader->exchange, reader->media, 400, "BAD_REQUEST",
               "%s is not valid JSON: line %u, column %u: %s", what, error.line, error.column, error.message);
    return false;
}

/* ---- POST ---- */

static bool read_object(const struct reader *reader, const struct oms_value *body, struct api_params *out)
{
    if (body->kind != OMS_VALUE_OBJECT)
        return bad(reader, "The body must be a JSON object with \"query\"");
    return text_param(reader, body, "query", &out->query) &&
           text_param(reader, body, "operationName", &out->operation_name) &&
           object_param(reader, body, "variables", &out->variables) &&
           object_param(reader, body, "extensions", &out->extensions);
}

static bool read_post(const struct reader *reader, struct api_params *out)
{
    struct oms_value *body;
    switch (api_body_type(http_exchange_header(reader->exchange, "content-type"))) {
    case API_BODY_JSON:
        break;
    case API_BODY_OTHER:
        api_refuse(reader->exchange, reader->media, 415, "UNSUPPORTED_MEDIA_TYPE",
                   "Send the request as Content-Type: application/json");
        return false;
    case API_BODY_CHARSET:
        api_refuse(reader->exchange, reader->media, 415, "UNSUPPORTED_MEDIA_TYPE",
                   "Send the request in UTF-8: Content-Type: application/json; charset=utf-8");
        return false;
    }
    return read_json(reader, reader->exchange->body, "The body", &body) && read_object(reader, body, out);
}

/* ---- GET ---- */

/* An object in JSON; absent, empty and null are none. */
static bool query_object(const struct reader *reader, const char *name, const struct oms_value **out)
{
    struct http_exchange *exchange = reader->exchange;
    struct oms_str text = http_query_get(exchange->query, name, &exchange->arena);
    struct oms_value *value;
    char what[64];
    if (text.len == 0)
        return true;
    snprintf(what, sizeof(what), "The parameter \"%s\"", name);
    if (!read_json(reader, text, what, &value))
        return false;
    if (value->kind == OMS_VALUE_OBJECT)
        *out = value;
    else if (value->kind != OMS_VALUE_NULL) {
        api_refuse(exchange, reader->media, 400, "BAD_REQUEST", "%s must be a JSON object", what);
        return false;
    }
    return true;
}

static bool read_get(const struct reader *reader, struct api_params *out)
{
    struct http_exchange *exchange = reader->exchange;
    out->query = http_query_get(exchange->query, "query", &exchange->arena);
    out->operation_name = http_query_get(exchange->query, "operationName", &exchange->arena);
    if (out->operation_name.len == 0)
        out->operation_name = OMS_STR_NONE;
    return query_object(reader, "variables", &out->variables) &&
           query_object(reader, "extensions", &out->extensions);
}

bool api_params_read(struct http_exchange *exchange, enum api_media media, struct api_params *out)
{
    const struct reader reader = {exchange, media};
    *out = (struct api_params){.variables = NULL};
    if (!(exchange->method == HTTP_POST ? read_post(&reader, out) : read_get(&reader, out)))
        return false;
    return oms_str_present(out->query) ||
           bad(&reader, "\"query\" is missing: send the GraphQL document in it");
}
