/*
 * Frames of a WebSocket client. The first byte says in pieces of what size the rest comes; whatever the size,
 * the same events must come of the same bytes, and no message over the maximum.
 */
#include <stddef.h>
#include <stdint.h>

#include "http/websocket_frame.h"
#include "runtime/base/assert.h"

#define MESSAGE_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Something that two different courses of events hardly share. */
static uint64_t digest(const char *data, size_t size, size_t step)
{
    struct http_ws_parser parser;
    enum http_ws_event event = HTTP_WS_EVENT_NONE;
    uint64_t sum = 1;
    http_ws_parser_init(&parser, MESSAGE_MAX);
    for (size_t at = 0; at < size && event != HTTP_WS_EVENT_ERROR;) {
        size_t part = size - at < step ? size - at : step;
        size_t taken = http_ws_parse(&parser, data + at, part, &event);
        OMS_ASSERT(taken > 0 && taken <= part && (taken == part || event != HTTP_WS_EVENT_NONE));
        at += taken;
        if (event == HTTP_WS_EVENT_NONE)
            continue;
        sum = sum * 1000003 + (uint64_t)event;
        if (event == HTTP_WS_EVENT_CLOSE || event == HTTP_WS_EVENT_ERROR) {
            sum = sum * 1000003 + parser.code;
        } else {
            OMS_ASSERT(parser.text.len <= MESSAGE_MAX);
            for (size_t i = 0; i < parser.text.len; i++)
                sum = sum * 1000003 + (unsigned char)parser.text.data[i];
        }
        http_ws_parser_rest(&parser);
    }
    http_ws_parser_fini(&parser);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *bytes = (const char *)data + 1;
    OMS_ASSERT(digest(bytes, size - 1, size) == digest(bytes, size - 1, 1u + data[0] % 16));
    return 0;
}
