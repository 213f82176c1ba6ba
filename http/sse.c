/* Answers as server-sent events. See sse.h. */
#include "http/sse.h"

#include "runtime/base/assert.h"

bool http_sse_begin(struct http_exchange *exchange, const struct http_stream_events *events, void *context)
{
    /* Between us and a browser may stand a proxy that collects answers before it passes them on. */
    const struct http_header headers[] = {
        {OMS_STR("cache-control"), OMS_STR("no-store")},
        {OMS_STR("x-accel-buffering"), OMS_STR("no")},
    };
    return http_stream_begin(exchange, 200, "text/event-stream; charset=utf-8", headers,
                             OMS_COUNT_OF(headers), events, context);
}

static void on_ready(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

static void on_gone(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

void http_sse_respond(struct http_exchange *exchange)
{
    static const struct http_stream_events events = {.ready = on_ready, .gone = on_gone};
    struct http_payload *payload =
        http_payload_event("next", OMS_STR_NONE, oms_buf_str(&exchange->out)); /* the buffer goes at begin */
    if (!http_sse_begin(exchange, &events, NULL)) {
        http_payload_release(payload);
        return;
    }
    const struct http_chunk chunks[] = {{payload, http_payload_text(payload)}, HTTP_SSE_COMPLETE};
    http_stream_end(exchange, chunks, OMS_COUNT_OF(chunks));
}
