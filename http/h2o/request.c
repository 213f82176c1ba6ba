/*
 * Requests of h2o and the exchanges that handlers see.
 *
 * A request can be disposed at any moment before its answer. So the request knows its exchange and the
 * exchange its request, and the disposal cuts the two apart; all text that a handler may keep is copied to
 * the exchange's arena. An exchange lives until it is answered and its request disposed, whichever comes
 * last: the answer's bytes are sent from its buffer without another copy.
 */
#include <stdio.h>

#include "http/h2o/internal.h"
#include "http/metrics.h"
#include "runtime/base/log.h"

/* The handler that h2o calls; behind it our pointer. */
struct h2o_entry {
    h2o_handler_t super;
    struct http_server *server;
};

/* ---- a request and its exchange ---- */

/*
 * Where a request keeps its exchange: in its environment, which nothing else here uses. A disposer in its
 * pool would do as well, but costs a malloc of its own per request.
 */
static void **slot_in(h2o_req_t *req)
{
    return (void **)&h2o_req_getenv(req, "exchange", 8, 1)->base;
}

/* h2o calls the loggers of a path once per request, when it is disposed, answered or not: from now on it is
 * gone. */
static void on_request_disposed(h2o_logger_t *logger, h2o_req_t *req)
{
    (void)logger;
    struct http_h2o_shard *shard = http_h2o_shard_of_request(req);
    struct http_slot *slot = *slot_in(req);
    OMS_ASSERT(slot && slot->request == req);
    bool streamed = slot->stream;
    if (streamed)
        http_h2o_stream_disposed(slot);
    if (http_slot_disposed(slot, rt_mono_ns(shard->server->config.host)))
        http_metrics_add(shard->row, shard->server->ids.abandoned, 1);
    if (streamed)
        http_metrics_set(shard->row, shard->server->ids.streams, shard->slots.streams);
}

/* ---- the exchange's operations ---- */

static struct oms_str exchange_header(struct http_exchange *exchange, const char *name)
{
    h2o_req_t *req = http_slot_of(exchange)->request;
    if (!req)
        return OMS_STR_NONE;
    if (strcmp(name, "host") == 0)
        return exchange->authority;
    if (strcmp(name, "upgrade") == 0) /* set aside by h2o, if Connection names it */
        return req->upgrade.base
                   ? oms_str_copy(&exchange->arena, oms_str_make(req->upgrade.base, req->upgrade.len))
                   : OMS_STR_NONE;
    ssize_t at = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);
    if (at < 0)
        return OMS_STR_NONE;
    h2o_iovec_t value = req->headers.entries[at].value;
    return oms_str_copy(&exchange->arena, oms_str_make(value.base ? value.base : "", value.len));
}

static unsigned exchange_header_count(const struct http_exchange *exchange, const char *name)
{
    const h2o_req_t *req = ((const struct http_slot *)exchange)->request;
    unsigned count = 0;
    ssize_t at = -1;
    while (req && (at = h2o_find_header_by_str(&req->headers, name, strlen(name), at)) >= 0)
        count++;
    return count;
}

/* `copy`: the text may go before the response has gone out. */
static void add_header(h2o_req_t *req, const struct http_header *header, bool copy)
{
    struct oms_str name = header->name, value = header->value;
    if (copy) {
        name.data = h2o_strdup(&req->pool, name.data, name.len).base;
        value.data = h2o_strdup(&req->pool, value.data, value.len).base;
    }
    h2o_add_header_by_str(&req->pool, &req->res.headers, name.data, name.len, 1, NULL, value.data, value.len);
}

void http_h2o_set_head(struct http_slot *slot, unsigned status, size_t content_length,
                       const char *content_type, const struct http_header *headers, size_t header_count,
                       bool copy)
{
    struct http_exchange *exchange = &slot->exchange;
    h2o_req_t *req = slot->request;
    req->res.status = (int)status;
    req->res.reason = http_status_reason(status);
    req->res.content_length = content_length;
    if (content_type)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type,
                       strlen(content_type));
    for (unsigned i = 0; i < exchange->cors_count; i++)
        add_header(req, &exchange->cors[i], false); /* static, or in the arena */
    for (size_t i = 0; i < header_count; i++)
        add_header(req, &headers[i], copy);
    if (http_h2o_shard_of_slot(slot)->draining)
        req->http1_is_persistent = 0;
}

void http_h2o_observe(struct http_slot *slot, unsigned status, uint64_t now_ns)
{
    const struct http_server_config *config = &http_h2o_shard_of_slot(slot)->server->config;
    if (config->observe)
        config->observe(&slot->exchange, status, now_ns - slot->exchange.started_ns, config->context);
}

static void send_response(struct http_slot *slot, unsigned status, const char *content_type,
                          const struct http_header *headers, size_t header_count)
{
    static h2o_generator_t generator = {NULL, NULL}; /* h2o only reads it: everything is sent at once */
    struct http_exchange *exchange = &slot->exchange;
    h2o_req_t *req = slot->request;
    h2o_iovec_t body = {exchange->out.data, exchange->out.len};
    bool bodiless = status == 204 || status == 304;

    http_h2o_set_head(slot, status, bodiless ? SIZE_MAX : body.len, content_type, headers, header_count,
                      true);
    h2o_start_response(req, &generator);
    if (bodiless || exchange->method == HTTP_HEAD || body.len == 0)
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
}

static void exchange_respond(struct http_exchange *exchange, unsigned status, const char *content_type,
                             const struct http_header *headers, size_t header_count)
{
    struct http_slot *slot = http_slot_of(exchange);
    struct http_h2o_shard *shard = http_h2o_shard_of_slot(slot);
    uint64_t now_ns = rt_mono_ns(shard->server->config.host);
    OMS_ASSERT(status >= 200 && status <= 599);
    if (!http_slot_answered(slot, now_ns))
        return;
    http_metrics_add(shard->row, shard->server->ids.sent_bytes, exchange->out.len);
    http_h2o_observe(slot, status, now_ns);
    send_response(slot, status, content_type, headers, header_count);
}

const struct http_exchange_ops http_h2o_exchange_ops = {
    .header = exchange_header,
    .header_count = exchange_header_count,
    .respond = exchange_respond,
    .stream_begin = http_h2o_stream_begin,
    .stream_is_ready = http_h2o_stream_is_ready,
    .stream_send = http_h2o_stream_send,
    .stream_end = http_h2o_stream_end,
    .stream_abort = http_h2o_stream_abort,
    .websocket_accept = http_h2o_websocket_accept,
};

/* ---- requests ---- */

/* Copies what a handler may keep. False when the body is too large: then it has none. */
static bool fill_exchange(struct http_exchange *exchange, const h2o_req_t *req, uint64_t body_bytes_max)
{
    bool fits = req->entity.len <= body_bytes_max;
    size_t body_len = fits ? req->entity.len : 0;
    size_t path_len = req->path.len, host_len = req->input.authority.len;
    char *text = oms_arena_alloc(&exchange->arena, path_len + host_len + body_len + 1);
    OMS_ASSERT(text); /* the limits of h2o and of create keep the sum far below the arena's */
    memcpy(text, req->path.base, path_len);
    if (host_len)
        memcpy(text + path_len, req->input.authority.base, host_len);
    if (body_len)
        memcpy(text + path_len + host_len, req->entity.base, body_len);

    size_t query_at = req->query_at < path_len ? req->query_at : path_len;
    exchange->path = oms_str_make(text, query_at);
    exchange->query =
        query_at < path_len ? oms_str_make(text + query_at + 1, path_len - query_at - 1) : OMS_STR_NONE;
    exchange->authority = host_len ? oms_str_make(text + path_len, host_len) : OMS_STR_NONE;
    exchange->body = oms_str_make(text + path_len + host_len, body_len);
    exchange->method = http_method_parse(oms_str_make(req->method.base, req->method.len));
    exchange->method_text =
        exchange->method == HTTP_OTHER
            ? oms_str_copy(&exchange->arena, oms_str_make(req->method.base, req->method.len))
            : oms_str_of(http_method_name(exchange->method));
    exchange->http_version = req->version >= 0x200 ? 20 : req->version == 0x101 ? 11 : 10;
    return fits;
}

static int on_req(h2o_handler_t *handler, h2o_req_t *req)
{
    struct http_server *server = ((struct h2o_entry *)handler)->server;
    struct http_h2o_shard *shard = http_h2o_shard_of_request(req);
    struct http_connection *connection = http_h2o_connection_of(req->conn);
    OMS_ASSERT(connection);
    http_h2o_count_request(connection, req);

    struct http_slot *slot = http_slot_take(&shard->slots, connection, req, rt_mono_ns(server->config.host));
    struct http_exchange *exchange = &slot->exchange;
    *slot_in(req) = slot;
    if (!fill_exchange(exchange, req, server->limits.body_bytes))
        exchange->refusal = 413;
    else if (shard->slots.in_flight > server->limits.requests_in_flight)
        exchange->refusal = 503;
    server->config.handle(exchange, server->config.context);
    return 0;
}

/* ---- errors that h2o answers by itself: our form of body, a count and a log line ---- */

struct error_body {
    h2o_ostream_t super;
    h2o_iovec_t body;
};

static void send_error_body(h2o_ostream_t *stream, h2o_req_t *req, h2o_iovec_t *bufs, size_t bufcnt,
                            h2o_send_state_t state)
{
    struct error_body *self = (struct error_body *)stream;
    (void)bufs;
    h2o_ostream_send_next(stream, req, &self->body, bufcnt ? 1 : 0, state);
}

static void on_error_response(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)filter;
    static const char form[] = "{\"errors\":[{\"message\":\"%s\",\"extensions\":{\"code\":\"%s\"}}]}";
    const char *code = "BAD_REQUEST", *message = "the request is malformed";
    if (req->res.status == 413) {
        code = "BODY_TOO_LARGE";
        message = "the request's body is larger than this server takes";
    } else if (req->res.status == 404) {
        code = "NOT_FOUND";
        message = "there is nothing at this path";
    } else if (req->res.status == 417) {
        code = "EXPECTATION_FAILED";
        message = "only 'Expect: 100-continue' is understood";
    }
    char text[256];
    int len = snprintf(text, sizeof(text), form, message, code);
    struct error_body *body = (struct error_body *)h2o_add_ostream(req, sizeof(*body), slot);
    body->super.do_send = send_error_body;
    body->body = h2o_strdup(&req->pool, text, (size_t)len);
    req->res.content_length = (size_t)len;
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE,
                   H2O_STRLIT("application/json; charset=utf-8"), 1);
    h2o_setup_next_ostream(req, &body->super.next);
}

static void on_library_answer(h2o_logger_t *logger, h2o_req_t *req)
{
    (void)logger;
    struct http_h2o_shard *shard = http_h2o_shard_of_request(req);
    struct http_connection *connection = http_h2o_connection_of(req->conn);
    if (connection)
        http_h2o_count_request(connection, req);
    http_metrics_add(shard->row, shard->server->ids.library_errors, 1);
    OMS_LOG(OMS_LOG_INFO, "http.bad_request", OMS_LOG_I64("status", req->res.status),
            OMS_LOG_STR("peer",
                        connection ? oms_str_make(connection->peer, connection->peer_len) : OMS_STR_NONE));
}

void http_h2o_register_requests(struct http_server *server, h2o_hostconf_t *host)
{
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    struct h2o_entry *entry = (struct h2o_entry *)h2o_create_handler(path, sizeof(*entry));
    entry->super.on_req = on_req;
    entry->server = server;
    h2o_create_logger(path, sizeof(h2o_logger_t))->log_access = on_request_disposed;
    path->error_log.emit_request_errors = 0;
    host->fallback_path.error_log.emit_request_errors = 0;
    h2o_create_filter(&host->fallback_path, sizeof(h2o_filter_t))->on_setup_ostream = on_error_response;
    h2o_create_logger(&host->fallback_path, sizeof(h2o_logger_t))->log_access = on_library_answer;
}
