/*
 * WebSockets on h2o's sockets.
 *
 * h2o writes the 101 and gives the socket away (h2o_http1_upgrade); from then on this file reads and writes
 * it, and the connection, which keeps its place in the shard's list, has a WebSocket instead of requests.
 *
 * What is sent waits as counted chunks, so that a reader costs no copy of a shared payload while it waits;
 * when the socket is free, up to FLUSH_BYTES_MAX of it are gathered into one buffer and written together
 * (one record per buffer under TLS), at the end of the loop's turn, so that many small messages cost one
 * write. The client's own noise is bounded: only its last ping is answered, and while it does not read
 * nothing more is read from it.
 *
 * The end: a close frame goes out after what waits, then the client's close frame or its end of the stream is
 * awaited for CLOSE_WAIT_NS; what else it sends is thrown away (a socket that is closed with unread bytes
 * answers them by a reset, which can overtake the close frame). `gone` comes from the loop, never from inside
 * a function that a protocol calls.
 */
#include "http/websocket.h"

#include "http/h2o/internal.h"
#include "http/metrics.h"
#include "http/websocket_frame.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

#define FLUSH_BYTES_MAX  (64u << 10)
#define READ_PAUSE_BYTES (1u << 20) /* of unsent: reading pauses */
#define CLOSE_WAIT_NS    3000000000u
#define DEAF_WAIT_NS     1000000000u /* behind a frame that was none: so long what comes is thrown away */
#define PIECES_CAPACITY  8

/* A chunk that waits, behind its message's frame head if it is the message's first. */
struct piece {
    struct http_payload *payload;
    struct oms_str text;
    unsigned char head[HTTP_WS_HEAD_MAX];
    unsigned char head_len; /* 0: not the first */
};

struct websocket {
    struct http_websocket super;
    const struct http_websocket_events *events;
    void *context;
    struct http_h2o_shard *home;
    struct http_connection *connection; /* NULL when it went before the upgrade was done */
    h2o_socket_t *sock;                 /* NULL until the 101 is out */
    struct http_ws_parser parser;
    struct piece *pieces; /* from `first`, `count` of them, going round */
    unsigned first, count, capacity;
    size_t offset;  /* bytes of the first piece that are gone */
    size_t unsent;  /* bytes and pieces that wait, and `writing` */
    size_t writing; /* bytes in `out` */
    char *out;
    struct http_payload *pong; /* the answer to the last ping, while it waits */
    h2o_timeout_entry_t flush;
    uint64_t closing_ns; /* 0: no close frame was queued */
    bool peer_closed;    /* its close frame came */
    bool deaf;           /* it sent what is no frame: nothing that follows means anything */
    bool told_ready;     /* nothing was sent since `ready` */
    bool paused;
    char peer[HTTP_PEER_SIZE];
};

static struct websocket *websocket_of(const struct http_websocket *ws)
{
    return (struct websocket *)(uintptr_t)ws; /* its first member */
}

static uint64_t now_ns(const struct websocket *ws)
{
    return rt_mono_ns(ws->home->server->config.host);
}

static void count_websockets(struct http_h2o_shard *shard, int change)
{
    shard->websockets = (unsigned)((int)shard->websockets + change);
    http_metrics_set(shard->row, shard->server->ids.websockets, shard->websockets);
}

/* ---- what waits ---- */

static struct piece *piece_at(const struct websocket *ws, unsigned at)
{
    return &ws->pieces[(ws->first + at) % ws->capacity];
}

static void grow_pieces(struct websocket *ws)
{
    unsigned capacity = ws->capacity ? 2 * ws->capacity : PIECES_CAPACITY;
    struct piece *pieces = oms_reallocarray(NULL, capacity, sizeof(*pieces));
    for (unsigned i = 0; i < ws->count; i++)
        pieces[i] = *piece_at(ws, i);
    oms_free(ws->pieces);
    ws->pieces = pieces;
    ws->capacity = capacity;
    ws->first = 0;
}

static size_t cost_of(const struct piece *piece)
{
    return sizeof(*piece) + piece->head_len + piece->text.len;
}

static void push_piece(struct websocket *ws, const struct piece *piece)
{
    if (ws->count == ws->capacity)
        grow_pieces(ws);
    *piece_at(ws, ws->count++) = *piece;
    ws->unsent += cost_of(piece);
}

static void pop_piece(struct websocket *ws)
{
    struct piece *piece = piece_at(ws, 0);
    ws->unsent -= cost_of(piece);
    http_payload_release(piece->payload);
    ws->first = (ws->first + 1) % ws->capacity;
    ws->offset = 0;
    if (--ws->count == 0) {
        oms_free(ws->pieces);
        ws->pieces = NULL;
        ws->capacity = ws->first = 0;
    }
}

static void push_control(struct websocket *ws, enum http_ws_opcode opcode, struct http_payload *payload)
{
    struct piece piece = {.payload = payload, .text = payload ? http_payload_text(payload) : OMS_STR("")};
    piece.head_len = (unsigned char)http_ws_head(piece.head, opcode, piece.text.len);
    push_piece(ws, &piece);
}

/* ---- the end ---- */

/* The socket is closed, or was never had; nothing refers to the WebSocket but its protocol. */
static void finish(struct websocket *ws)
{
    if (ws->connection)
        ws->connection->websocket = NULL;
    h2o_timeout_unlink(&ws->flush);
    count_websockets(ws->home, -1);
    ws->events->gone(&ws->super, ws->context);
    while (ws->count)
        pop_piece(ws);
    http_payload_release(ws->pong);
    http_ws_parser_fini(&ws->parser);
    oms_free(ws->out);
    oms_free(ws);
}

/* Only called by the loop. */
static void close_now(struct websocket *ws)
{
    h2o_socket_t *sock = ws->sock;
    ws->connection->websocket = NULL;
    ws->connection = NULL;
    h2o_socket_read_stop(sock);
    h2o_socket_close(sock);
    finish(ws);
}

/* ---- writing ---- */

static void pause_reading(struct websocket *ws, bool pause);
static void schedule_flush(struct websocket *ws);

/* At a frame's border the answer to a ping may go before what waits. */
static size_t gather_pong(struct websocket *ws, char *out)
{
    unsigned char head[HTTP_WS_HEAD_MAX];
    struct oms_str text = http_payload_text(ws->pong);
    size_t len = http_ws_head(head, HTTP_WS_PONG, text.len);
    memcpy(out, head, len);
    memcpy(out + len, text.data, text.len);
    http_payload_release(ws->pong);
    ws->pong = NULL;
    return len + text.len;
}

/* Copies what is left of the first piece as far as there is room. */
static size_t gather_piece(struct websocket *ws, char *out, size_t room)
{
    struct piece *piece = piece_at(ws, 0);
    size_t taken = 0;
    if (ws->offset < piece->head_len) {
        size_t left = piece->head_len - ws->offset;
        taken = left < room ? left : room;
        memcpy(out, piece->head + ws->offset, taken);
        ws->offset += taken;
    }
    if (ws->offset >= piece->head_len) {
        size_t at = ws->offset - piece->head_len, left = piece->text.len - at;
        size_t take = left < room - taken ? left : room - taken;
        memcpy(out + taken, piece->text.data + at, take);
        taken += take;
        ws->offset += take;
        if (take == left)
            pop_piece(ws);
    }
    return taken;
}

static size_t gather(struct websocket *ws)
{
    size_t pong = ws->pong ? HTTP_WS_HEAD_MAX + HTTP_WS_CONTROL_MAX : 0;
    size_t room = ws->unsent + pong < FLUSH_BYTES_MAX ? ws->unsent + pong : FLUSH_BYTES_MAX, len = 0;
    ws->out = oms_malloc(room ? room : 1);
    for (;;) {
        bool border = ws->count == 0 || (ws->offset == 0 && piece_at(ws, 0)->head_len);
        if (ws->pong && border && room - len >= pong)
            len += gather_pong(ws, ws->out + len);
        else if (ws->count && len < room)
            len += gather_piece(ws, ws->out + len, room - len);
        else
            return len;
    }
}

static void on_written(h2o_socket_t *sock, const char *err);

static void flush_now(struct websocket *ws)
{
    if (!ws->sock || ws->out || (ws->count == 0 && !ws->pong))
        return;
    h2o_iovec_t buf = {.len = gather(ws)};
    buf.base = ws->out;
    ws->writing = buf.len;
    ws->unsent += buf.len;
    http_metrics_add(ws->home->row, ws->home->server->ids.sent_bytes, buf.len);
    h2o_socket_write(ws->sock, &buf, 1, on_written);
}

static void on_written(h2o_socket_t *sock, const char *err)
{
    struct websocket *ws = sock->data;
    oms_free(ws->out);
    ws->out = NULL;
    ws->unsent -= ws->writing;
    ws->writing = 0;
    if (err || (ws->closing_ns && ws->peer_closed && ws->count == 0)) {
        close_now(ws);
        return;
    }
    pause_reading(ws, ws->unsent > READ_PAUSE_BYTES / 2 && ws->paused);
    if (ws->count || ws->pong) {
        flush_now(ws);
    } else if (!ws->told_ready && !ws->closing_ns) {
        ws->told_ready = true;
        ws->events->ready(&ws->super, ws->context);
    }
}

static void on_flush(h2o_timeout_entry_t *entry)
{
    flush_now(H2O_STRUCT_FROM_MEMBER(struct websocket, flush, entry));
}

static void schedule_flush(struct websocket *ws)
{
    if (ws->sock && !ws->out && !h2o_timeout_is_linked(&ws->flush))
        h2o_timeout_link(ws->home->h2o.loop, &ws->home->h2o.zero_timeout, &ws->flush);
}

/* ---- reading ---- */

static void on_ping(struct websocket *ws)
{
    struct oms_str text = ws->parser.text;
    if (ws->closing_ns)
        return;
    http_payload_release(ws->pong);
    ws->pong = http_payload_create((uint32_t)text.len);
    memcpy(ws->pong->bytes, text.data, text.len);
    schedule_flush(ws);
}

static void on_close_frame(struct websocket *ws)
{
    ws->peer_closed = true;
    if (!ws->closing_ns)
        http_websocket_close(&ws->super,
                             ws->parser.code == HTTP_WS_NO_STATUS ? HTTP_WS_NORMAL : ws->parser.code, "");
}

/* True while more is to be read. */
static bool take_event(struct websocket *ws, enum http_ws_event event)
{
    switch (event) {
    case HTTP_WS_EVENT_NONE:
        break;
    case HTTP_WS_EVENT_MESSAGE:
        if (!ws->closing_ns)
            ws->events->message(&ws->super, ws->parser.text, ws->context);
        break;
    case HTTP_WS_EVENT_PING:
        on_ping(ws);
        break;
    case HTTP_WS_EVENT_PONG:
        if (!ws->closing_ns && ws->events->pong)
            ws->events->pong(&ws->super, ws->context);
        break;
    case HTTP_WS_EVENT_CLOSE:
        on_close_frame(ws);
        return false;
    case HTTP_WS_EVENT_ERROR:
        OMS_LOG(OMS_LOG_INFO, "http.websocket_refused", OMS_LOG_U64("code", ws->parser.code),
                OMS_LOG_STR("peer", ws->super.peer));
        http_websocket_close(&ws->super, ws->parser.code, "");
        ws->deaf = true;
        return false;
    }
    return true;
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    struct websocket *ws = sock->data;
    size_t taken = 0;
    if (err) {
        close_now(ws);
        return;
    }
    while (!ws->peer_closed && !ws->deaf && taken < sock->input->size) {
        enum http_ws_event event;
        taken += http_ws_parse(&ws->parser, sock->input->bytes + taken, sock->input->size - taken, &event);
        if (!take_event(ws, event))
            break;
    }
    h2o_buffer_consume(&sock->input, ws->peer_closed || ws->deaf ? sock->input->size : taken);
    http_ws_parser_rest(&ws->parser);
    if (ws->closing_ns && ws->peer_closed && ws->count == 0 && !ws->out)
        close_now(ws); /* our close frame is out already */
    else
        pause_reading(ws, ws->unsent > READ_PAUSE_BYTES && !ws->closing_ns);
}

static void pause_reading(struct websocket *ws, bool pause)
{
    if (pause == ws->paused)
        return;
    ws->paused = pause;
    if (pause)
        h2o_socket_read_stop(ws->sock);
    else
        h2o_socket_read_start(ws->sock, on_read);
}

/* ---- what protocols do ---- */

static void websocket_send(struct http_websocket *super, const struct http_chunk *chunks, size_t count)
{
    struct websocket *ws = websocket_of(super);
    uint64_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += chunks[i].text.len;
    for (size_t i = 0; i < count; i++) {
        struct piece piece = {.payload = chunks[i].payload, .text = chunks[i].text};
        if (ws->closing_ns) {
            http_payload_release(chunks[i].payload);
            continue;
        }
        if (i == 0)
            piece.head_len = (unsigned char)http_ws_head(piece.head, HTTP_WS_TEXT, len);
        push_piece(ws, &piece);
    }
    ws->told_ready = false;
    schedule_flush(ws);
}

static size_t websocket_unsent(const struct http_websocket *super)
{
    return websocket_of(super)->unsent;
}

static void websocket_ping(struct http_websocket *super)
{
    struct websocket *ws = websocket_of(super);
    if (ws->closing_ns)
        return;
    push_control(ws, HTTP_WS_PING, NULL);
    schedule_flush(ws);
}

static void websocket_close(struct http_websocket *super, unsigned code, const char *reason)
{
    struct websocket *ws = websocket_of(super);
    size_t len = strlen(reason) < HTTP_WS_REASON_MAX ? strlen(reason) : HTTP_WS_REASON_MAX;
    if (ws->closing_ns)
        return;
    struct http_payload *payload = http_payload_create((uint32_t)(2 + len));
    payload->bytes[0] = (char)(code >> 8);
    payload->bytes[1] = (char)(code & 0xff);
    memcpy(payload->bytes + 2, reason, len);
    push_control(ws, HTTP_WS_CLOSE, payload);
    ws->closing_ns = now_ns(ws);
    if (ws->sock)
        pause_reading(ws, false);
    schedule_flush(ws);
}

static const struct http_websocket_ops websocket_ops = {
    .send = websocket_send,
    .unsent = websocket_unsent,
    .ping = websocket_ping,
    .close = websocket_close,
};

/* ---- the upgrade ---- */

/* The 101 is out, or the connection is gone (`sock` NULL). */
static void on_upgraded(void *data, h2o_socket_t *sock, size_t request_len)
{
    struct websocket *ws = data;
    if (!sock) {
        finish(ws);
        return;
    }
    ws->sock = sock;
    sock->data = ws;
    h2o_buffer_consume(&sock->input, request_len);
    h2o_socket_read_start(sock, on_read);
    schedule_flush(ws);
    if (sock->input->size)
        on_read(sock, NULL); /* what came right behind the request */
}

static struct websocket *create_websocket(struct http_slot *slot, const struct http_websocket_events *events,
                                          void *context)
{
    struct websocket *ws = oms_calloc(1, sizeof(*ws));
    struct http_connection *connection = slot->connection;
    ws->super = (struct http_websocket){.ops = &websocket_ops, .shard = slot->exchange.shard};
    memcpy(ws->peer, connection->peer, connection->peer_len);
    ws->super.peer = oms_str_make(ws->peer, connection->peer_len);
    ws->events = events;
    ws->context = context;
    ws->home = http_h2o_shard_of_slot(slot);
    ws->connection = connection;
    ws->flush.cb = on_flush;
    ws->told_ready = true;
    http_ws_parser_init(&ws->parser, OMS_WEBSOCKET_MESSAGE_MAX);
    connection->websocket = &ws->super;
    count_websockets(ws->home, 1);
    return ws;
}

struct http_websocket *http_h2o_websocket_accept(struct http_exchange *exchange, struct oms_str accept,
                                                 const char *protocol,
                                                 const struct http_websocket_events *events, void *context)
{
    struct http_slot *slot = http_slot_of(exchange);
    struct http_header headers[3] = {{OMS_STR("upgrade"), OMS_STR("websocket")},
                                     {OMS_STR("sec-websocket-accept"), accept},
                                     {OMS_STR("sec-websocket-protocol"), oms_str_of(protocol)}};
    uint64_t now = rt_mono_ns(http_h2o_shard_of_slot(slot)->server->config.host);
    if (!http_slot_answered(slot, now))
        return NULL;
    h2o_req_t *req = slot->request;
    struct websocket *ws = create_websocket(slot, events, context);
    http_h2o_observe(slot, 101, now);
    http_h2o_set_head(slot, 101, SIZE_MAX, NULL, headers, protocol ? 3 : 2, true);
    h2o_http1_upgrade(req, NULL, 0, on_upgraded, ws);
    return &ws->super;
}

/* ---- what connections.c does ---- */

void http_h2o_websocket_detach(struct http_websocket *super)
{
    websocket_of(super)->connection = NULL;
}

uint64_t http_h2o_websocket_buffered(const struct http_websocket *super)
{
    return websocket_of(super)->parser.message.len;
}

bool http_h2o_websocket_overdue(const struct http_websocket *super, uint64_t now)
{
    const struct websocket *ws = websocket_of(super);
    return ws->closing_ns && now - ws->closing_ns > (ws->deaf ? DEAF_WAIT_NS : CLOSE_WAIT_NS);
}

void http_h2o_websocket_wake(struct http_websocket *super)
{
    struct websocket *ws = websocket_of(super);
    if (ws->sock)
        pause_reading(ws, false);
}
