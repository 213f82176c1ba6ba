/*
 * WebSocket frames (RFC 6455 section 5) as a server reads and writes them: bytes to messages, no socket.
 *
 * The parser takes bytes as they come, a whole frame or a part of one, unmasks them into the message that
 * they belong to, and keeps nothing but that message. What a client must not send is an error with the code
 * that the close frame should carry; after an error the parser must not be used again.
 *
 * Why not a library: two hundred lines, and ours keeps 200 bytes for an idle connection where a library's
 * buffers of fixed size keep some 9 KB.
 */
#ifndef HTTP_WEBSOCKET_FRAME_H
#define HTTP_WEBSOCKET_FRAME_H

#include "runtime/base/buf.h"
#include "runtime/base/str.h"

enum http_ws_opcode {
    HTTP_WS_CONTINUATION = 0,
    HTTP_WS_TEXT = 1,
    HTTP_WS_BINARY = 2,
    HTTP_WS_CLOSE = 8,
    HTTP_WS_PING = 9,
    HTTP_WS_PONG = 10
};

/* Section 7.4.1. */
enum http_ws_code {
    HTTP_WS_NORMAL = 1000,
    HTTP_WS_GOING_AWAY = 1001,
    HTTP_WS_PROTOCOL_ERROR = 1002,
    HTTP_WS_UNSUPPORTED_DATA = 1003,
    HTTP_WS_NO_STATUS = 1005, /* never on the wire */
    HTTP_WS_INVALID_PAYLOAD = 1007,
    HTTP_WS_POLICY_VIOLATION = 1008,
    HTTP_WS_MESSAGE_TOO_BIG = 1009
};

#define HTTP_WS_HEAD_MAX    10
#define HTTP_WS_CONTROL_MAX 125
#define HTTP_WS_REASON_MAX  (HTTP_WS_CONTROL_MAX - 2)

/* The head of a whole, unmasked frame with `len` bytes behind it. Returns its length. */
size_t http_ws_head(unsigned char out[HTTP_WS_HEAD_MAX], enum http_ws_opcode opcode, uint64_t len);

enum http_ws_event {
    HTTP_WS_EVENT_NONE,    /* everything was taken, more is needed */
    HTTP_WS_EVENT_MESSAGE, /* `text` */
    HTTP_WS_EVENT_PING,    /* `text` is to be answered */
    HTTP_WS_EVENT_PONG,
    HTTP_WS_EVENT_CLOSE, /* `code`, HTTP_WS_NO_STATUS without one */
    HTTP_WS_EVENT_ERROR  /* `code` */
};

struct http_ws_parser {
    struct oms_buf message; /* the text message in progress, unmasked */
    uint64_t left;          /* of the frame's payload */
    unsigned char head[14];
    unsigned char head_len, head_need;
    unsigned char mask[4];
    unsigned char mask_at;
    unsigned char opcode;
    unsigned char control_len;
    bool in_payload;
    bool final;
    bool in_message; /* a text message has begun and not ended */
    char control[HTTP_WS_CONTROL_MAX];
    unsigned code;
    struct oms_str text; /* of the last event; until the next call */
};

/* message_max: bytes of a message, however many frames it has. */
void http_ws_parser_init(struct http_ws_parser *parser, size_t message_max);
void http_ws_parser_fini(struct http_ws_parser *parser);
/* Gives memory back unless a message is in progress. */
void http_ws_parser_rest(struct http_ws_parser *parser);
/* Takes bytes up to the first event; returns how many. */
size_t http_ws_parse(struct http_ws_parser *parser, const char *data, size_t len, enum http_ws_event *event);

#endif
