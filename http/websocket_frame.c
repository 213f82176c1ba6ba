/* A head is collected byte by byte, since it may arrive so; a payload is unmasked in place of its message. */
#include "http/websocket_frame.h"

#include "runtime/base/assert.h"
#include "runtime/base/utf8.h"

#define FINAL    0x80
#define RESERVED 0x70
#define MASKED   0x80

size_t http_ws_head(unsigned char out[HTTP_WS_HEAD_MAX], enum http_ws_opcode opcode, uint64_t len)
{
    size_t bytes = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;
    out[0] = (unsigned char)(FINAL | opcode);
    out[1] = bytes == 0 ? (unsigned char)len : bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++)
        out[2 + i] = (unsigned char)(len >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}

void http_ws_parser_init(struct http_ws_parser *parser, size_t message_max)
{
    memset(parser, 0, sizeof(*parser));
    oms_buf_init(&parser->message, message_max);
    parser->head_need = 2;
}

void http_ws_parser_fini(struct http_ws_parser *parser)
{
    oms_buf_fini(&parser->message);
}

void http_ws_parser_rest(struct http_ws_parser *parser)
{
    if (parser->in_message || !parser->message.data)
        return;
    size_t max = parser->message.max;
    oms_buf_fini(&parser->message);
    oms_buf_init(&parser->message, max);
    parser->text = OMS_STR_NONE;
}

static enum http_ws_event refuse(struct http_ws_parser *parser, enum http_ws_code code)
{
    parser->code = code;
    return HTTP_WS_EVENT_ERROR;
}

static bool is_control(unsigned opcode)
{
    return opcode & 8;
}

/* The length that the head says; its bytes are there. */
static uint64_t head_payload_len(const struct http_ws_parser *parser)
{
    unsigned short_len = parser->head[1] & 0x7f;
    size_t bytes = short_len == 126 ? 2 : short_len == 127 ? 8 : 0;
    uint64_t len = bytes ? 0 : short_len;
    for (size_t i = 0; i < bytes; i++)
        len = len << 8 | parser->head[2 + i];
    return len;
}

/* What the first two bytes tell (section 5.2): also how long the head is. */
static enum http_ws_event begin_head(struct http_ws_parser *parser)
{
    unsigned opcode = parser->head[0] & 0x0f, short_len = parser->head[1] & 0x7f;
    bool final = parser->head[0] & FINAL;
    if (parser->head[0] & RESERVED || !(parser->head[1] & MASKED))
        return refuse(parser, HTTP_WS_PROTOCOL_ERROR);
    if (is_control(opcode)) {
        if (opcode > HTTP_WS_PONG || !final || short_len > HTTP_WS_CONTROL_MAX)
            return refuse(parser, HTTP_WS_PROTOCOL_ERROR);
    } else if (opcode > HTTP_WS_BINARY || (opcode == HTTP_WS_CONTINUATION) != parser->in_message) {
        return refuse(parser, HTTP_WS_PROTOCOL_ERROR);
    } else if (opcode == HTTP_WS_BINARY) {
        return refuse(parser, HTTP_WS_UNSUPPORTED_DATA);
    }
    parser->head_need = (unsigned char)(2 + (short_len == 126 ? 2 : short_len == 127 ? 8 : 0) + 4);
    return HTTP_WS_EVENT_NONE;
}

static enum http_ws_event end_head(struct http_ws_parser *parser)
{
    unsigned short_len = parser->head[1] & 0x7f;
    uint64_t len = head_payload_len(parser);
    if ((short_len == 126 && len < 126) || (short_len == 127 && (len <= UINT16_MAX || len >> 63)))
        return refuse(parser, HTTP_WS_PROTOCOL_ERROR); /* not the shortest form */
    parser->opcode = parser->head[0] & 0x0f;
    parser->final = parser->head[0] & FINAL;
    if (parser->opcode == HTTP_WS_TEXT) {
        oms_buf_reset(&parser->message);
        parser->in_message = true;
    }
    if (is_control(parser->opcode))
        parser->control_len = 0;
    else if (len > parser->message.max - parser->message.len)
        return refuse(parser, HTTP_WS_MESSAGE_TOO_BIG);
    memcpy(parser->mask, parser->head + parser->head_len - 4, 4);
    parser->mask_at = 0;
    parser->left = len;
    parser->in_payload = true;
    return HTTP_WS_EVENT_NONE;
}

static size_t take_head(struct http_ws_parser *parser, const char *data, size_t len,
                        enum http_ws_event *event)
{
    size_t taken = 0;
    while (taken < len && !parser->in_payload && *event == HTTP_WS_EVENT_NONE) {
        parser->head[parser->head_len++] = (unsigned char)data[taken++];
        if (parser->head_len == 2)
            *event = begin_head(parser);
        else if (parser->head_len == parser->head_need)
            *event = end_head(parser);
    }
    return taken;
}

/* Section 5.3. */
static void unmask(struct http_ws_parser *parser, char *out, const char *data, size_t len)
{
    unsigned at = parser->mask_at;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)((unsigned char)data[i] ^ parser->mask[at++ & 3]);
    parser->mask_at = at & 3;
}

static size_t take_payload(struct http_ws_parser *parser, const char *data, size_t len)
{
    size_t take = parser->left < len ? (size_t)parser->left : len;
    if (take == 0)
        return 0;
    if (is_control(parser->opcode)) {
        unmask(parser, parser->control + parser->control_len, data, take);
        parser->control_len = (unsigned char)(parser->control_len + take);
    } else {
        bool room = oms_buf_reserve(&parser->message, take);
        OMS_ASSERT(room); /* the head was checked */
        unmask(parser, parser->message.data + parser->message.len, data, take);
        parser->message.len += take;
    }
    parser->left -= take;
    return take;
}

/* Section 7.4: what a peer may give as a reason. */
static bool is_sendable(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static enum http_ws_event end_close(struct http_ws_parser *parser)
{
    const unsigned char *bytes = (const unsigned char *)parser->control;
    parser->code = HTTP_WS_NO_STATUS;
    if (parser->control_len == 0)
        return HTTP_WS_EVENT_CLOSE;
    unsigned code = parser->control_len >= 2 ? (unsigned)(bytes[0] << 8 | bytes[1]) : 0;
    if (!is_sendable(code))
        return refuse(parser, HTTP_WS_PROTOCOL_ERROR);
    if (!oms_utf8_valid(oms_str_make(parser->control + 2, parser->control_len - 2u)))
        return refuse(parser, HTTP_WS_INVALID_PAYLOAD);
    parser->code = code;
    return HTTP_WS_EVENT_CLOSE;
}

static enum http_ws_event end_frame(struct http_ws_parser *parser)
{
    parser->in_payload = false;
    parser->head_len = 0;
    parser->head_need = 2;
    if (is_control(parser->opcode)) {
        parser->text = oms_str_make(parser->control, parser->control_len);
        if (parser->opcode == HTTP_WS_CLOSE)
            return end_close(parser);
        return parser->opcode == HTTP_WS_PING ? HTTP_WS_EVENT_PING : HTTP_WS_EVENT_PONG;
    }
    if (!parser->final)
        return HTTP_WS_EVENT_NONE;
    parser->in_message = false;
    parser->text = oms_str_make(parser->message.len ? parser->message.data : "", parser->message.len);
    if (!oms_utf8_valid(parser->text))
        return refuse(parser, HTTP_WS_INVALID_PAYLOAD);
    return HTTP_WS_EVENT_MESSAGE;
}

size_t http_ws_parse(struct http_ws_parser *parser, const char *data, size_t len, enum http_ws_event *event)
{
    size_t taken = 0;
    *event = HTTP_WS_EVENT_NONE;
    do {
        taken += take_head(parser, data + taken, len - taken, event);
        if (*event != HTTP_WS_EVENT_NONE || !parser->in_payload)
            break;
        taken += take_payload(parser, data + taken, len - taken);
        if (parser->left == 0)
            *event = end_frame(parser);
    } while (*event == HTTP_WS_EVENT_NONE && taken < len);
    return taken;
}
