/*
 * The parts of an exchange that do not depend on what carries it: names of methods and statuses, error
 * bodies, and the hand-over to the carrier.
 *
 * Invariant: a response that outgrew its maximum is never sent in part; it becomes a 500 that says so.
 */
#include "http/exchange.h"

#include <stdarg.h>
#include <stdio.h>

#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/utf8.h"

#define JSON_TYPE "application/json; charset=utf-8"

static const char *const method_names[HTTP_OTHER] = {"GET",   "HEAD",   "POST",   "PUT",
                                                     "PATCH", "DELETE", "OPTIONS"};

enum http_method http_method_parse(struct oms_str text)
{
    for (unsigned i = 0; i < HTTP_OTHER; i++)
        if (oms_str_eq_c(text, method_names[i]))
            return (enum http_method)i;
    return HTTP_OTHER;
}

const char *http_method_name(enum http_method method)
{
    return method < HTTP_OTHER ? method_names[method] : NULL;
}

const char *http_status_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } table[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < OMS_COUNT_OF(table); i++)
        if (table[i].status == status)
            return table[i].reason;
    return "Unknown";
}

struct oms_str http_exchange_header(const struct http_exchange *exchange, const char *name)
{
    /* The carrier copies the value to the exchange's arena: a change that no caller can see. */
    return exchange->ops->header((struct http_exchange *)(uintptr_t)exchange, name);
}

unsigned http_exchange_header_count(const struct http_exchange *exchange, const char *name)
{
    return exchange->ops->header_count(exchange, name);
}

void http_respond(struct http_exchange *exchange, unsigned status, const char *content_type,
                  const struct http_header *headers, size_t header_count)
{
    if (exchange->out.overflow) {
        OMS_LOG(OMS_LOG_ERROR, "http.response_too_large", OMS_LOG_STR("path", exchange->path),
                OMS_LOG_U64("limit_bytes", exchange->out.max));
        http_respond_error(exchange, 500, "LIMIT_EXCEEDED",
                           "the response is larger than %zu bytes; ask for less", exchange->out.max);
        return;
    }
    exchange->ops->respond(exchange, status, content_type, headers, header_count);
}

static void respond_error(struct http_exchange *exchange, unsigned status, const struct http_header *headers,
                          size_t header_count, const char *code, const char *format, va_list args)
{
    char text[512];
    int written = vsnprintf(text, sizeof(text), format, args);
    OMS_ASSERT(written >= 0);
    struct oms_str message = oms_str_of(text);
    message.len =
        oms_utf8_valid_prefix(message); /* what was formatted in may end in the middle of a character */

    struct oms_buf *out = &exchange->out;
    oms_buf_reset(out);
    oms_buf_append_lit(out, "{\"errors\":[{\"message\":");
    oms_json_write_string(out, message);
    oms_buf_append_lit(out, ",\"extensions\":{\"code\":");
    oms_json_write_string(out, oms_str_of(code));
    oms_buf_append_lit(out, "}}]}");
    exchange->ops->respond(exchange, status, JSON_TYPE, headers, header_count);
}

void http_respond_error(struct http_exchange *exchange, unsigned status, const char *code, const char *format,
                        ...)
{
    va_list args;
    va_start(args, format);
    respond_error(exchange, status, NULL, 0, code, format, args);
    va_end(args);
}

void http_respond_error_with(struct http_exchange *exchange, unsigned status,
                             const struct http_header *headers, size_t header_count, const char *code,
                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    respond_error(exchange, status, headers, header_count, code, format, args);
    va_end(args);
}

/* ---- streaming ---- */

bool http_stream_begin(struct http_exchange *exchange, unsigned status, const char *content_type,
                       const struct http_header *headers, size_t header_count,
                       const struct http_stream_events *events, void *context)
{
    OMS_ASSERT(events->ready && events->gone);
    return exchange->ops->stream_begin(exchange, status, content_type, headers, header_count, events,
                                       context);
}

bool http_stream_is_ready(const struct http_exchange *exchange)
{
    return exchange->ops->stream_is_ready(exchange);
}

static void check_chunks(const struct http_chunk *chunks, size_t count)
{
    OMS_ASSERT(count <= HTTP_STREAM_CHUNKS_MAX);
    for (size_t i = 0; i < count; i++)
        OMS_ASSERT(chunks[i].text.len > 0);
}

void http_stream_send(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count)
{
    check_chunks(chunks, count);
    OMS_ASSERT(count >= 1 && http_stream_is_ready(exchange));
    exchange->ops->stream_send(exchange, chunks, count);
}

void http_stream_end(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count)
{
    check_chunks(chunks, count);
    exchange->ops->stream_end(exchange, chunks, count);
}

void http_stream_abort(struct http_exchange *exchange)
{
    exchange->ops->stream_abort(exchange);
}
