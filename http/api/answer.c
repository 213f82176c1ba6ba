/* The ways in which the endpoint answers. See answer.h. */
#include "http/api/answer.h"

#include <stdarg.h>
#include <stdio.h>

#include "http/sse.h"
#include "runtime/base/json.h"
#include "runtime/base/utf8.h"

void api_answer(struct http_exchange *exchange, enum api_media media, unsigned status,
                const struct http_header *headers, size_t header_count)
{
    if (media == API_MEDIA_EVENT_STREAM && !exchange->out.overflow)
        http_sse_respond(exchange);
    else
        http_respond(exchange, status, api_media_type(media), headers, header_count);
}

void api_refuse(struct http_exchange *exchange, enum api_media media, unsigned status, const char *code,
                const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct oms_str message = oms_str_of(text);
    message.len = oms_utf8_valid_prefix(message); /* a client's text may end in the middle of a character */
    struct oms_buf *out = &exchange->out;
    oms_buf_reset(out);
    oms_buf_append_lit(out, "{\"errors\":[{\"message\":");
    oms_json_write_string(out, message);
    oms_buf_append_lit(out, ",\"extensions\":{\"code\":");
    oms_json_write_string(out, oms_str_of(code));
    oms_buf_append_lit(out, "}}]}");
    api_answer(exchange, media, status, NULL, 0);
}
