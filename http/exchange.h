/*
 * One HTTP request and its answer, as handlers see it: no h2o here.
 *
 * An exchange lives on the shard whose connection it came from; every function is called on that shard's
 * thread. The client can go away at any time: then `gone` is set, and the exchange stays valid until the
 * handler answers or releases it, so a handler that waits for an actor needs no care but to call http_respond
 * in the end. A handler is called once and must answer exactly once, now or later.
 *
 * All text of an exchange (path, query, body, headers once looked up) lives in its arena, so it outlives a
 * client that goes away. After http_respond the handler must not touch the exchange again.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "http/payload.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/str.h"

struct rt_shard;

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER
};

struct http_header {
    struct oms_str name; /* lower case */
    struct oms_str value;
};

struct http_exchange;
struct http_chunk;
struct http_stream_events;
struct http_websocket;
struct http_websocket_events;

/*
 * What carries the exchange: h2o in the server, a WebSocket for an operation on one, a stand-in in tests.
 * Handlers use the functions below instead. A carrier that cannot stream or upgrade leaves those members
 * NULL.
 */
struct http_exchange_ops {
    struct oms_str (*header)(struct http_exchange *exchange, const char *name);
    unsigned (*header_count)(const struct http_exchange *exchange, const char *name);
    void (*respond)(struct http_exchange *exchange, unsigned status, const char *content_type,
                    const struct http_header *headers, size_t header_count);
    bool (*stream_begin)(struct http_exchange *exchange, unsigned status, const char *content_type,
                         const struct http_header *headers, size_t header_count,
                         const struct http_stream_events *events, void *context);
    bool (*stream_is_ready)(const struct http_exchange *exchange);
    void (*stream_send)(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count);
    void (*stream_end)(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count);
    void (*stream_abort)(struct http_exchange *exchange);
    /* The request was found proper; `accept` is the value of Sec-WebSocket-Accept. */
    struct http_websocket *(*websocket_accept)(struct http_exchange *exchange, struct oms_str accept,
                                               const char *protocol,
                                               const struct http_websocket_events *events, void *context);
};

struct http_exchange {
    const struct http_exchange_ops *ops;
    struct rt_shard *shard;
    enum http_method method;
    struct oms_str method_text;
    struct oms_str path;  /* without the query; not decoded */
    struct oms_str query; /* behind '?', not decoded; absent without one */
    struct oms_str body;
    struct oms_str authority;   /* the Host header or :authority; absent without one */
    struct oms_str peer;        /* numeric address and port */
    unsigned http_version;      /* 10, 11, 20 */
    uint64_t started_ns;        /* mono_ns */
    bool gone;                  /* the client reset the stream or closed the connection */
    bool is_websocket;          /* an operation of a WebSocket: may stream whatever it accepts */
    struct oms_arena arena;     /* the request's memory: until the exchange ends */
    struct oms_buf out;         /* the response body is built here and recycled with the exchange */
    struct http_header cors[4]; /* set by the CORS layer, added to whatever answers */
    unsigned cors_count;
    unsigned
        refusal; /* 413 or 503: the server refused it; the router answers so instead of calling a handler */
    unsigned route; /* number that the router gave to the matched route, for metrics; 0: none */
    void *handler_data;
};

/*
 * The value of a request header (lower-case name), or absent. Several of one name: the first. The text lives
 * as long as the exchange (it is copied to the arena); after the client has gone no header is found any more.
 */
struct oms_str http_exchange_header(const struct http_exchange *exchange, const char *name);
/* How many request headers have the name. */
unsigned http_exchange_header_count(const struct http_exchange *exchange, const char *name);

/*
 * Answers with exchange->out as the body and ends the handler's use of the exchange. `headers` are copied;
 * content type is static text. HEAD sends no body. Safe when the client has gone (then nothing is sent).
 */
void http_respond(struct http_exchange *exchange, unsigned status, const char *content_type,
                  const struct http_header *headers, size_t header_count);
/* Answers {"errors":[{"message":…,"extensions":{"code":…}}]} as JSON; `message` may be formatted. */
void http_respond_error(struct http_exchange *exchange, unsigned status, const char *code, const char *format,
                        ...) OMS_PRINTF(4, 5);
/* The same with headers of its own: WWW-Authenticate, Retry-After, Allow. They are copied. */
void http_respond_error_with(struct http_exchange *exchange, unsigned status,
                             const struct http_header *headers, size_t header_count, const char *code,
                             const char *format, ...) OMS_PRINTF(6, 7);

/* The reason phrase of a status (RFC 9110 section 15); "Unknown" for one that we do not send. Static storage.
 */
const char *http_status_reason(unsigned status);
/* HTTP_GET for "GET" …; methods are case-sensitive (RFC 9110 section 9.1). */
enum http_method http_method_parse(struct oms_str text);
/* "GET" …; NULL for HTTP_OTHER. Static storage. */
const char *http_method_name(enum http_method method);

/* ---- streaming: an answer whose end is not known when it begins ---- */

/*
 * What a streaming handler is told, on the exchange's shard. `ready`: everything handed over so far has been
 * taken by the connection, more may be sent; never called from inside a function below. `gone`: the client
 * went away or was cut off; the exchange must not be touched again (also not ended). One of gone and
 * http_stream_end ends it.
 */
struct http_stream_events {
    void (*ready)(struct http_exchange *exchange, void *context);
    void (*gone)(struct http_exchange *exchange, void *context);
};

/*
 * Begins a streaming answer instead of http_respond: status and headers go out at once (cross-origin ones
 * included; `ready` comes when they are out), the body comes by http_stream_send. The exchange's request text
 * (path, query, body, headers) and its arena are given back: copy before what must outlive this. `events` is
 * static. False when the client has gone already, or the method is HEAD: the exchange has then ended and no
 * event comes.
 */
OMS_MUST_USE bool http_stream_begin(struct http_exchange *exchange, unsigned status, const char *content_type,
                                    const struct http_header *headers, size_t header_count,
                                    const struct http_stream_events *events, void *context);
/* Whether nothing is on its way: only then may be sent. */
bool http_stream_is_ready(const struct http_exchange *exchange);
#define HTTP_STREAM_CHUNKS_MAX 64
/* Sends the chunks in order and takes over their holds: at least one, at most HTTP_STREAM_CHUNKS_MAX, none of
 * them empty. `ready` comes later. However large they are, a part of bounded size is in flight at a time. */
void http_stream_send(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count);
/* Ends the answer after the chunks (may be none), also while something is on its way: that goes out before.
 */
void http_stream_end(struct http_exchange *exchange, const struct http_chunk *chunks, size_t count);
/* Ends it without a proper end (HTTP/2: a reset; HTTP/1: the connection closes): for a client that reads
 * nothing any more. `gone` is not called. */
void http_stream_abort(struct http_exchange *exchange);

/* A route: the longest matching `path` wins; one that ends in '/' matches everything below it. */
struct http_route {
    const char *path;
    unsigned methods; /* 1u << enum http_method, or'ed; HEAD is allowed where GET is */
    void (*handle)(struct http_exchange *exchange, void *context);
    void *context; /* the same on all shards: immutable, or indexed by shard */
};

#endif
