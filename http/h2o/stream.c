/*
 * Streaming answers on h2o.
 *
 * h2o asks for more by calling `proceed` when it has taken what it was given: for HTTP/2 when the bytes have
 * been copied into the connection's buffer and written to the socket, for HTTP/1 when they have been written.
 * Only then are the chunks' holds given back, or when the request is disposed. So one send is in flight at a
 * time, and a part of it of at most SENT_BYTES_MAX is in h2o's hands.
 *
 * What h2o 2.2 does not do for us:
 * - Its chunked encoding holds the head back until there is a body. Here the head must go out at once, so the
 *   chunks of HTTP/1.1 are framed here, and the header that says so keeps h2o's filter away.
 * - It keeps a request's body until the answer ends. A stream would keep it for days: it is given back.
 * - Nobody can end one HTTP/2 stream while a send is in flight. So its own functions for a client's reset
 *   are called, which the library exports.
 * - For both it takes structures of h2o/http2_internal.h. A later library with other ones is recognised, and
 *   then a body is kept, and the whole connection ended.
 * - An HTTP/1 connection is not read while it is answered, so nobody notices that its client has left:
 *   connections.c looks at the socket's state.
 */
#include <stdio.h>

#include "http/h2o/internal.h"
/* Needs h2o.h before it. */
#include <h2o/http2_internal.h>

#include "http/metrics.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"

#define SENT_BYTES_MAX (256u << 10)
#define CHUNKS_INLINE  4
#define CHUNKS_MAX     (2 * HTTP_STREAM_CHUNKS_MAX) /* a send in flight, and an end behind it */
#define CANCEL         8                            /* RFC 9113 section 7 */

/* Lies in the request's pool, which h2o keeps anyway: it lives as long as the request. */
struct stream {
    h2o_generator_t generator;
    struct http_slot *slot;
    struct http_chunk *chunks; /* `few`, or on the heap */
    unsigned count, capacity;
    unsigned given; /* chunks that h2o has whole */
    size_t offset;  /* and so much of the next one */
    bool framed;    /* HTTP/1.1's chunks */
    bool in_flight; /* h2o will call proceed */
    bool ending;    /* nothing comes behind `chunks` */
    bool ended;     /* h2o knows */
    struct http_chunk few[CHUNKS_INLINE];
    char frame[20];
};

static struct stream *stream_of(const struct http_exchange *exchange)
{
    return ((const struct http_slot *)exchange)->stream;
}

static h2o_req_t *request_of(const struct stream *stream)
{
    return stream->slot->request;
}

static bool is_http2(const h2o_req_t *req)
{
    return req->conn->callbacks->log_.http2.stream_id != NULL;
}

static uint64_t now_ns(const struct http_slot *slot)
{
    return rt_mono_ns(http_h2o_shard_of_slot(slot)->server->config.host);
}

/* When this turn of the loop began, by the same clock: exact enough for how long a send takes, and asked for
 * each of them. */
static uint64_t turn_ns(const struct http_slot *slot)
{
    return h2o_now(http_h2o_shard_of_slot(slot)->h2o.loop) * UINT64_C(1000000);
}

/* ---- chunks ---- */

static void add_chunks(struct stream *stream, const struct http_chunk *chunks, size_t count)
{
    OMS_ASSERT(stream->count + count <= CHUNKS_MAX);
    if (stream->count + count > stream->capacity) {
        unsigned capacity = stream->count + (unsigned)count;
        struct http_chunk *more = oms_reallocarray(NULL, capacity, sizeof(*more));
        memcpy(more, stream->chunks, stream->count * sizeof(*more));
        if (stream->chunks != stream->few)
            oms_free(stream->chunks);
        stream->chunks = more;
        stream->capacity = capacity;
    }
    if (count)
        memcpy(stream->chunks + stream->count, chunks, count * sizeof(*chunks));
    stream->count += (unsigned)count;
}

/* The first `count` have been taken. */
static void drop_chunks(struct stream *stream, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        http_payload_release(stream->chunks[i].payload);
    stream->count -= count;
    stream->given -= count;
    if (stream->count) {
        memmove(stream->chunks, stream->chunks + count, stream->count * sizeof(*stream->chunks));
    } else if (stream->chunks != stream->few) {
        oms_free(stream->chunks);
        stream->chunks = stream->few;
        stream->capacity = CHUNKS_INLINE;
    }
}

/* ---- handing over to h2o ---- */

struct part {
    h2o_iovec_t bufs[CHUNKS_MAX + 2]; /* with the frame's begin and end */
    size_t count;
    size_t bytes;
};

/* As much of what waits as h2o may have at once. */
static void take_part(struct stream *stream, struct part *part)
{
    while (stream->given < stream->count && part->bytes < SENT_BYTES_MAX) {
        struct oms_str text = stream->chunks[stream->given].text;
        size_t left = text.len - stream->offset, room = SENT_BYTES_MAX - part->bytes;
        size_t take = left < room ? left : room;
        if (take)
            part->bufs[part->count++] = (h2o_iovec_t){(char *)(uintptr_t)text.data + stream->offset, take};
        part->bytes += take;
        stream->offset += take;
        if (stream->offset == text.len) {
            stream->given++;
            stream->offset = 0;
        }
    }
}

/* RFC 9112 section 7.1. The first of part->bufs was left free. */
static void frame_part(struct stream *stream, struct part *part, bool final)
{
    static const char next[] = "\r\n", last[] = "\r\n0\r\n\r\n";
    h2o_iovec_t end = {(char *)(uintptr_t)(final ? last : next), final ? sizeof(last) - 1 : sizeof(next) - 1};
    if (part->bytes == 0) { /* only the end: without the line break behind a chunk */
        end.base += 2;
        end.len -= 2;
    }
    int len = part->bytes ? snprintf(stream->frame, sizeof(stream->frame), "%zx\r\n", part->bytes) : 0;
    part->bufs[0] = (h2o_iovec_t){stream->frame, (size_t)len};
    if (end.len)
        part->bufs[part->count++] = end;
}

/*
 * Ends the answer with the connection (HTTP/1). Without anything to write h2o would close it at once, and it
 * would be gone when this returns; so the socket is shut down, and h2o learns of it by a write that fails.
 * What was written before still reaches the client.
 */
static void end_by_closing(struct stream *stream)
{
    h2o_iovec_t byte = {(char *)(uintptr_t) "\n", 1};
    stream->in_flight = stream->ended = true;
    http_h2o_end_connection(stream->slot->connection);
    h2o_send(request_of(stream), &byte, 1, H2O_SEND_STATE_ERROR);
}

static void hand_over(struct stream *stream)
{
    struct http_h2o_shard *shard = http_h2o_shard_of_slot(stream->slot);
    h2o_req_t *req = request_of(stream);
    struct part part;
    OMS_ASSERT(!stream->in_flight && !stream->ended);
    part.count = stream->framed; /* the frame's begin */
    part.bytes = 0;
    take_part(stream, &part);
    bool final = stream->ending && stream->given == stream->count;
    if (stream->framed)
        frame_part(stream, &part, final);
    http_metrics_add(shard->row, shard->server->ids.sent_bytes, part.bytes);
    http_slot_sending(stream->slot, turn_ns(stream->slot));
    if (final && !stream->framed && part.bytes == 0 && !is_http2(req)) {
        end_by_closing(stream);
        return;
    }
    stream->in_flight = true;
    stream->ended = final;
    h2o_send(req, part.bufs, part.count, final ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

/* Called by h2o: what it was given has been taken. */
static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    struct stream *stream = (struct stream *)generator;
    struct http_slot *slot = stream->slot;
    (void)req;
    stream->in_flight = false;
    drop_chunks(stream, stream->given);
    if (stream->count || stream->ending) {
        hand_over(stream);
        return;
    }
    http_slot_sent(slot);
    if (slot->events)
        slot->events->ready(&slot->exchange, slot->events_context); /* may end the stream: nothing after it */
}

/* ---- beginning ---- */

/* h2o's stream around a request of HTTP/2; NULL when it does not look as we know it: see the file's head. */
static h2o_http2_stream_t *http2_stream_of(h2o_req_t *req)
{
    h2o_http2_stream_t *stream = H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req);
    h2o_iovec_t text = req->conn->callbacks->log_.http2.stream_id(req);
    int64_t number;
    enum oms_status status = oms_str_to_i64(oms_str_make(text.base, text.len), &number);
    return status == OMS_OK && number == stream->stream_id ? stream : NULL;
}

static h2o_http2_conn_t *http2_conn_of(h2o_req_t *req)
{
    h2o_http2_conn_t *conn = (h2o_http2_conn_t *)req->conn;
    bool known = conn->sock == req->conn->callbacks->get_socket(req->conn) && conn->num_streams.pull.open &&
                 conn->state <= H2O_HTTP2_CONN_STATE_IS_CLOSING && conn->_write.buf &&
                 conn->_write.timeout_entry.cb;
    return known ? conn : NULL;
}

/* Of a body that nobody reads any more: the library reads it no more once it is whole. */
static void release_body(h2o_req_t *req)
{
    if (!is_http2(req) || !req->entity.base)
        return;
    h2o_http2_stream_t *stream = http2_stream_of(req);
    if (stream && stream->_req_body && stream->_req_body->bytes == req->entity.base) {
        h2o_buffer_dispose(&stream->_req_body);
        req->entity = (h2o_iovec_t){NULL, 0};
    }
}

static struct stream *create_stream(struct http_slot *slot)
{
    h2o_req_t *req = slot->request;
    struct stream *stream = h2o_mem_alloc_pool(&req->pool, sizeof(*stream));
    memset(stream, 0, sizeof(*stream));
    stream->generator.proceed = on_proceed;
    stream->slot = slot;
    stream->chunks = stream->few;
    stream->capacity = CHUNKS_INLINE;
    stream->framed = !is_http2(req) && req->version >= 0x101;
    return stream;
}

static void begin_body(struct http_slot *slot)
{
    h2o_req_t *req = slot->request;
    struct stream *stream = slot->stream;
    if (stream->framed)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_TRANSFER_ENCODING, NULL,
                       H2O_STRLIT("chunked"));
    else
        req->http1_is_persistent = 0;
    if (!is_http2(req))
        slot->connection->stream_slot = slot;
    stream->in_flight = true;
    http_slot_sending(slot, turn_ns(slot));
    h2o_start_response(req, &stream->generator);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_IN_PROGRESS);
    /* The head is flattened: its parts lie in memory that goes. */
    req->res.headers.size = 0;
    release_body(req);
}

bool http_h2o_stream_begin(struct http_exchange *exchange, unsigned status, const char *content_type,
                           const struct http_header *headers, size_t header_count,
                           const struct http_stream_events *events, void *context)
{
    struct http_slot *slot = http_slot_of(exchange);
    OMS_ASSERT(status >= 200 && status <= 599 && status != 204 && status != 304);
    if (exchange->method == HTTP_HEAD) { /* has no body, so it ends here */
        oms_buf_reset(&exchange->out);
        exchange->ops->respond(exchange, status, content_type, headers, header_count);
        return false;
    }
    struct http_h2o_shard *shard = http_h2o_shard_of_slot(slot);
    uint64_t now = now_ns(slot);
    if (!http_slot_streams(slot, events, context, now))
        return false;
    slot->stream = create_stream(slot);
    http_h2o_observe(slot, status, now);
    http_metrics_set(shard->row, shard->server->ids.streams, shard->slots.streams);
    http_h2o_set_head(slot, status, SIZE_MAX, content_type, headers, header_count, false);
    begin_body(slot);
    http_slot_slim(slot);
    return true;
}

/* ---- going on and ending ---- */

bool http_h2o_stream_is_ready(const struct http_exchange *exchange)
{
    const struct stream *stream = stream_of(exchange);
    return !stream->in_flight && !stream->ending;
}

void http_h2o_stream_send(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count)
{
    struct stream *stream = stream_of(exchange);
    OMS_ASSERT(stream && stream->slot->events);
    add_chunks(stream, chunks, count);
    hand_over(stream);
}

void http_h2o_stream_end(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count)
{
    struct stream *stream = stream_of(exchange);
    OMS_ASSERT(stream && stream->slot->events);
    http_slot_silence(stream->slot);
    add_chunks(stream, chunks, count);
    stream->ending = true;
    if (!stream->in_flight)
        hand_over(stream);
}

/* As if the client had reset the stream, and the client is told. */
static void reset_http2(struct http_slot *slot)
{
    h2o_req_t *req = slot->request;
    h2o_http2_conn_t *conn = http2_conn_of(req);
    h2o_http2_stream_t *stream = http2_stream_of(req);
    if (!conn || !stream) {
        http_h2o_end_connection(slot->connection);
        return;
    }
    if (conn->state < H2O_HTTP2_CONN_STATE_IS_CLOSING) {
        h2o_http2_encode_rst_stream_frame(&conn->_write.buf, stream->stream_id, CANCEL);
        h2o_http2_conn_request_write(conn);
    }
    h2o_http2_stream_reset(conn, stream);
}

void http_h2o_stream_cut(struct http_slot *slot)
{
    struct stream *stream = slot->stream;
    stream->ending = true; /* whatever h2o still asks for, nothing more is given */
    if (is_http2(slot->request))
        reset_http2(slot);
    else
        http_h2o_end_connection(slot->connection);
}

void http_h2o_stream_wake(struct http_slot *slot)
{
    struct stream *stream = slot->stream;
    if (!stream->in_flight)
        end_by_closing(stream);
}

void http_h2o_stream_abort(struct http_exchange *exchange)
{
    struct http_slot *slot = http_slot_of(exchange);
    OMS_ASSERT(slot->stream && slot->events);
    http_slot_silence(slot);
    http_slot_sent(slot);
    http_h2o_stream_cut(slot);
}

void http_h2o_stream_disposed(struct http_slot *slot)
{
    struct stream *stream = slot->stream;
    stream->given = stream->count;
    drop_chunks(stream, stream->count);
    if (slot->connection->stream_slot == slot)
        slot->connection->stream_slot = NULL;
}
