/*
 * One HTTP request and its answer, as handlers see it: no h2o here.
 *
 * An exchange lives on the shard whose connection it came from; every function is called on that shard's thread. The
 * client can go away at any time: then `gone` is set, and the exchange stays valid until the handler answers or
 * releases it, so a handler that waits for an actor needs no care but to call http_respond in the end. A handler is
 * called once and must answer exactly once, now or later.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/str.h"

struct rt_shard;

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS, HTTP_OTHER };

struct http_header {
    struct oms_str name; /* lower case */
    struct oms_str value;
};

struct http_exchange {
    struct rt_shard *shard;
    enum http_method method;
    struct oms_str method_text;
    struct oms_str path;  /* without the query; not decoded */
    struct oms_str query; /* behind '?', not decoded; absent without one */
    struct oms_str body;
    struct oms_str peer;  /* numeric address and port */
    unsigned http_version; /* 10, 11, 20 */
    uint64_t started_ns;   /* mono_ns */
    bool gone;             /* the client reset the stream or closed the connection */
    struct oms_arena arena; /* the request's memory: until the exchange ends */
    struct oms_buf out;     /* the response body is built here and recycled with the exchange */
    struct http_header cors[4]; /* set by the CORS layer, added to whatever answers */
    unsigned cors_count;
    void *handler_data;
};

/* The value of a request header (lower-case name), or absent. Several of one name: the first. */
struct oms_str http_exchange_header(const struct http_exchange *exchange, const char *name);
/* How many request headers have the name. */
unsigned http_exchange_header_count(const struct http_exchange *exchange, const char *name);

/*
 * Answers with exchange->out as the body and ends the handler's use of the exchange. `headers` are copied; content
 * type is static text. HEAD sends no body. Safe when the client has gone (then nothing is sent).
 */
void http_respond(struct http_exchange *exchange, unsigned status, const char *content_type,
                  const struct http_header *headers, size_t header_count);
/* Answers {"errors":[{"message":…,"extensions":{"code":…}}]} as JSON; `message` may be formatted. */
void http_respond_error(struct http_exchange *exchange, unsigned status, const char *code, const char *format, ...)
    OMS_PRINTF(4, 5);

/* A route: the longest matching `path` wins; one that ends in '/' matches everything below it. */
struct http_route {
    const char *path;
    unsigned methods; /* 1u << enum http_method, or'ed; HEAD is allowed where GET is */
    void (*handle)(struct http_exchange *exchange, void *context);
    void *context; /* the same on all shards: immutable, or indexed by shard */
};

#endif
