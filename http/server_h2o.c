/*
 * The server on libh2o 2.2 (its libuv build): the only file that knows h2o.
 *
 * Every shard has an h2o context, a listening socket and its own connections on its own loop; the
 * configuration and the TLS context are shared and immutable. Three rules of h2o shape this file:
 *
 * - A request can be disposed at any moment before its answer. So the request knows its exchange and the
 *   exchange its request, and the disposal cuts the two apart; all text that a handler may keep is copied
 *   to the exchange's arena. An exchange lives until it is answered and its request disposed, whichever
 *   comes last: the answer's bytes are sent from its buffer without another copy.
 * - h2o buffers bodies, limits no resets and lets streams stall. So a timer samples every connection
 *   (guard.h) and ends the harmful ones by shutdown(2); h2o then sees the end of the stream and closes.
 *   Closing a socket under h2o's feet is never safe. (h2o_socket_t.bytes_read holds the last read only:
 *   the kernel's count is taken.)
 * - Its graceful shutdown speaks to HTTP/2 connections only; idle HTTP/1 ones are ended here.
 */
#include "http/server_h2o.h"

#include <errno.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "http/connection.h"
#include "http/listen.h"
#include "http/metrics.h"
#include "http/server_limits.h"
#include "http/tls.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/host_uv.h"
#include "runtime/shard.h"

#if defined(__SANITIZE_ADDRESS__)
#define HTTP_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HTTP_ASAN 1
#endif
#endif
#ifdef HTTP_ASAN
/* h2o keeps free lists per thread and never gives them back: not a leak of ours, and bounded. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\n";
}
#endif

#define DRAIN_INTERVAL_MS  50
#define STREAM_IDS_SAMPLED 4 /* of one connection and sample */

/* The handler that h2o calls; behind it our pointer. */
struct h2o_entry {
    h2o_handler_t super;
    struct http_server *server;
};

struct shard_server {
    struct http_server *server;
    struct rt_shard *shard;
    struct http_metrics_row *row;
    unsigned index;
    h2o_context_t h2o;
    h2o_accept_ctx_t accept;
    uv_tcp_t listener;
    bool listening;
    struct http_connections connections;
    struct http_slots slots;
    struct rt_timer timer;
    uint64_t buffered; /* the last sum over our connections */
    struct rt_message drain_message;
    bool drain_asked, draining, drained;
    int64_t drain_at_ms, drain_deadline_ms;
    bool context_made;
};

struct http_server {
    struct http_server_config config;
    struct http_server_limits limits;
    h2o_globalconf_t h2o;
    SSL_CTX *tls;
    struct http_listen_address address;
    char url[96];
    struct http_server_numbers ids;
    unsigned shard_count;
    atomic_bool draining;
    atomic_uint drain_timeout_ms;
    _Atomic uint64_t buffered_all;
    pthread_mutex_t lock;
    pthread_cond_t drained;
    unsigned undrained; /* shards; under the lock */
    bool drained_clean; /* under the lock */
    struct shard_server shards[];
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
    struct shard_server *shard = H2O_STRUCT_FROM_MEMBER(struct shard_server, h2o, req->conn->ctx);
    struct http_slot *slot = *slot_in(req);
    OMS_ASSERT(slot && slot->request == req);
    if (http_slot_disposed(slot))
        http_metrics_add(shard->row, shard->server->ids.abandoned, 1);
}

/* ---- the exchange's operations ---- */

static struct oms_str exchange_header(struct http_exchange *exchange, const char *name)
{
    h2o_req_t *req = http_slot_of(exchange)->request;
    if (!req)
        return OMS_STR_NONE;
    if (strcmp(name, "host") == 0)
        return exchange->authority;
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

static void send_response(struct http_slot *slot, bool last, unsigned status, const char *content_type,
                          const struct http_header *headers, size_t header_count)
{
    static h2o_generator_t generator = {NULL, NULL}; /* h2o only reads it: everything is sent at once */
    struct http_exchange *exchange = &slot->exchange;
    h2o_req_t *req = slot->request;
    h2o_iovec_t body = {exchange->out.data, exchange->out.len};
    bool bodiless = status == 204 || status == 304;

    req->res.status = (int)status;
    req->res.reason = http_status_reason(status);
    req->res.content_length = bodiless ? SIZE_MAX : body.len;
    if (content_type)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type,
                       strlen(content_type));
    for (unsigned i = 0; i < exchange->cors_count; i++)
        add_header(req, &exchange->cors[i], false); /* static, or in the arena */
    for (size_t i = 0; i < header_count; i++)
        add_header(req, &headers[i], true);
    if (last)
        req->http1_is_persistent = 0;
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
    struct shard_server *shard = OMS_CONTAINER_OF(slot->home, struct shard_server, slots);
    struct http_server *server = shard->server;
    uint64_t now_ns = rt_mono_ns(server->config.host);
    OMS_ASSERT(status >= 200 && status <= 599);
    if (!http_slot_answered(slot, now_ns))
        return;
    http_metrics_add(shard->row, server->ids.sent_bytes, exchange->out.len);
    if (server->config.observe)
        server->config.observe(exchange, status, now_ns - exchange->started_ns, server->config.context);
    send_response(slot, shard->draining, status, content_type, headers, header_count);
}

static const struct http_exchange_ops exchange_ops = {
    .header = exchange_header,
    .header_count = exchange_header_count,
    .respond = exchange_respond,
};

/* ---- requests ---- */

static struct http_connection *connection_of(h2o_conn_t *conn)
{
    h2o_socket_t *sock = conn->callbacks->get_socket(conn);
    return sock ? sock->on_close.data : NULL;
}

/* What the request weighed, uncompressed; see guard.c. */
static uint64_t request_size(const h2o_req_t *req)
{
    uint64_t size = req->entity.len + req->input.path.len + req->input.authority.len + 64;
    for (size_t i = 0; i < req->headers.size; i++)
        size += req->headers.entries[i].name->len + req->headers.entries[i].value.len + 4;
    return size;
}

/* Stream numbers grow by two: the largest one seen tells how many were opened. Costs a little, so it is
 * sampled. */
static void sample_stream_number(struct http_connection *connection, h2o_req_t *req)
{
    if (connection->ids_sampled >= STREAM_IDS_SAMPLED || !req->conn->callbacks->log_.http2.stream_id)
        return;
    connection->ids_sampled++;
    h2o_iovec_t text = req->conn->callbacks->log_.http2.stream_id(req);
    int64_t number = 0;
    if (oms_str_to_i64(oms_str_make(text.base, text.len), &number) == OMS_OK &&
        (uint64_t)(number + 1) / 2 > connection->sample.streams)
        connection->sample.streams = (uint64_t)(number + 1) / 2;
}

static void count_request(struct http_connection *connection, h2o_req_t *req)
{
    connection->is_http2 = req->version >= 0x200;
    connection->sample.request_bytes += request_size(req);
    connection->sample.requests++;
    if (connection->is_http2)
        sample_stream_number(connection, req);
}

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
    struct shard_server *shard = H2O_STRUCT_FROM_MEMBER(struct shard_server, h2o, req->conn->ctx);
    struct http_connection *connection = connection_of(req->conn);
    OMS_ASSERT(connection);
    count_request(connection, req);

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
    struct shard_server *shard = H2O_STRUCT_FROM_MEMBER(struct shard_server, h2o, req->conn->ctx);
    struct http_connection *connection = connection_of(req->conn);
    if (connection)
        count_request(connection, req);
    http_metrics_add(shard->row, shard->server->ids.library_errors, 1);
    OMS_LOG(OMS_LOG_INFO, "http.bad_request", OMS_LOG_I64("status", req->res.status),
            OMS_LOG_STR("peer",
                        connection ? oms_str_make(connection->peer, connection->peer_len) : OMS_STR_NONE));
}

/* ---- connections ---- */

static h2o_socket_t *sock_of(const struct http_connection *connection)
{
    return connection->socket;
}

static struct shard_server *shard_of(const struct http_connection *connection)
{
    return connection->owner;
}

static void end_connection(struct http_connection *connection)
{
    if (connection->ended)
        return;
    connection->ended = true;
    int fd = h2o_socket_get_fd(sock_of(connection));
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
}

static void on_connection_closed(void *data)
{
    struct http_connection *connection = data;
    struct shard_server *shard = shard_of(connection);
    http_connection_destroy(&shard->connections, connection);
    http_metrics_set(shard->row, shard->server->ids.connections, shard->connections.count);
}

static void on_handle_closed(uv_handle_t *handle)
{
    oms_free(handle);
}

static void start_timer(struct shard_server *shard);

/* Gives an accepted socket to h2o. */
static void adopt(struct shard_server *shard, uv_tcp_t *tcp)
{
    struct http_server *server = shard->server;
    struct sockaddr_storage address;
    int len = sizeof(address);
    struct http_connection *connection = http_connection_create(&shard->connections);
    h2o_socket_t *sock = h2o_uv_socket_create((uv_stream_t *)tcp, on_handle_closed);
    memset(&address, 0, sizeof(address));
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&address, &len) == 0)
        connection->peer_len = http_listen_format((struct sockaddr *)&address, (socklen_t)len,
                                                  connection->peer, sizeof(connection->peer));
    uv_tcp_nodelay(tcp, 1);
    connection->owner = shard;
    connection->socket = sock;
    connection->stream = tcp;
    sock->on_close.cb = on_connection_closed;
    sock->on_close.data = connection;
    http_metrics_add(shard->row, server->ids.accepted, 1);
    http_metrics_set(shard->row, server->ids.connections, shard->connections.count);
    start_timer(shard);
    h2o_accept(&shard->accept, sock);
}

static void refuse_connection(struct shard_server *shard, uv_tcp_t *tcp)
{
    http_metrics_add(shard->row, shard->server->ids.refused, 1);
    OMS_LOG(OMS_LOG_WARN, "http.too_many_connections",
            OMS_LOG_U64("limit", shard->server->limits.connections));
    uv_close((uv_handle_t *)tcp, on_handle_closed);
}

static void on_accept(uv_stream_t *listener, int status)
{
    struct shard_server *shard = listener->data;
    if (status != 0)
        return;
    uv_tcp_t *tcp = oms_malloc(sizeof(*tcp));
    int failed = uv_tcp_init(listener->loop, tcp);
    OMS_ASSERT(failed == 0);
    if (uv_accept(listener, (uv_stream_t *)tcp) != 0)
        uv_close((uv_handle_t *)tcp, on_handle_closed);
    else if (shard->connections.count >= shard->server->limits.connections)
        refuse_connection(shard, tcp);
    else
        adopt(shard, tcp);
}

/* ---- sampling ---- */

static int sample_stream(h2o_req_t *req, void *data)
{
    const struct timeval *now = data;
    const struct timeval *begin = &req->timestamps.request_begin_at;
    if (req->pathconf || begin->tv_sec == 0)
        return 0; /* it has arrived, or is only a priority's place holder */
    struct http_connection *connection = connection_of(req->conn);
    if (!connection)
        return 0;
    int64_t age_ms = (now->tv_sec - begin->tv_sec) * 1000 + (now->tv_usec - begin->tv_usec) / 1000;
    connection->is_http2 = true;
    connection->sample.receiving++;
    if (age_ms > connection->sample.oldest_receiving_ms)
        connection->sample.oldest_receiving_ms = age_ms;
    sample_stream_number(connection, req);
    return 0;
}

/* What must be known before the walk over HTTP/2 streams, for every connection. */
static void begin_sample(struct http_connection *connection)
{
    struct http_guard_sample *sample = &connection->sample;
    sample->receiving = 0;
    sample->oldest_receiving_ms = 0;
    connection->ids_sampled = 0;
    sample->buffered_bytes = 0;
    if (!connection->is_http2 && sock_of(connection)->input) {
        sample->buffered_bytes = sock_of(connection)->input->size;
        sample->receiving = connection->slots == 0 && sample->buffered_bytes > 0;
    }
}

static void finish_sample(struct http_connection *connection)
{
    struct http_guard_sample *sample = &connection->sample;
    int fd = h2o_socket_get_fd(sock_of(connection));
    uint64_t received = fd >= 0 ? http_socket_received(fd) : 0;
    if (received > sample->received_bytes) {
        http_metrics_add(shard_of(connection)->row, shard_of(connection)->server->ids.received_bytes,
                         received - sample->received_bytes);
        sample->received_bytes = received;
    }
}

static void punish(struct http_connection *connection, enum http_guard_verdict verdict)
{
    struct shard_server *shard = shard_of(connection);
    http_metrics_add(shard->row, shard->server->ids.ended[verdict], 1);
    OMS_LOG(OMS_LOG_WARN, "http.connection_ended", OMS_LOG_TEXT("reason", http_guard_verdict_name(verdict)),
            OMS_LOG_STR("peer", oms_str_make(connection->peer, connection->peer_len)),
            OMS_LOG_U64("requests", connection->sample.requests),
            OMS_LOG_U64("received_bytes", connection->sample.received_bytes));
    end_connection(connection);
}

/*
 * After a read error libuv lets nobody write to the stream any more, and says so by uv_write's result, which
 * h2o 2.2 does not look at: closing a TLS connection that its client has reset, h2o waits for ever for the
 * end of its close_notify. Here it is told.
 */
static void end_dead_writes(struct shard_server *shard)
{
    struct http_connection *next;
    for (struct http_connection *c = shard->connections.first; c; c = next) {
        h2o_socket_t *sock = sock_of(c);
        h2o_socket_cb written = sock->_cb.write;
        uv_stream_t *stream = c->stream;
        next = c->next; /* c may go away */
        if (written && !uv_is_writable(stream) && uv_stream_get_write_queue_size(stream) == 0) {
            sock->_cb.write = NULL;
            written(sock, "the stream cannot be written to");
        }
    }
}

static void judge_connections(struct shard_server *shard)
{
    struct http_server *server = shard->server;
    const struct http_guard_limits limits = {
        .buffered_bytes_max = server->limits.body_bytes_connection,
        .request_timeout_ms = server->limits.request_timeout_ms,
        .response_timeout_ms = server->limits.response_timeout_ms,
    };
    struct timeval now = *h2o_get_timestamp(&shard->h2o, NULL, NULL);
    struct http_connection *worst;

    end_dead_writes(shard);
    for (struct http_connection *c = shard->connections.first; c; c = c->next)
        begin_sample(c);
    server->h2o.http2.callbacks.foreach_request(&shard->h2o, sample_stream, &now);
    for (struct http_connection *c = shard->connections.first; c; c = c->next)
        finish_sample(c);
    uint64_t buffered =
        http_connections_judge(&shard->connections, &limits, rt_mono_ns(server->config.host), punish, &worst);
    uint64_t all =
        atomic_fetch_add(&server->buffered_all, buffered - shard->buffered) + buffered - shard->buffered;
    shard->buffered = buffered;
    http_metrics_set(shard->row, server->ids.buffered, buffered);
    http_metrics_set(shard->row, server->ids.in_flight, shard->slots.in_flight);
    if (all > server->limits.body_bytes_all && worst)
        punish(worst, HTTP_GUARD_BUFFERED);
}

/* ---- the drain ---- */

static void report_drained(struct shard_server *shard, bool clean)
{
    struct http_server *server = shard->server;
    shard->drained = true;
    pthread_mutex_lock(&server->lock);
    server->undrained--;
    server->drained_clean = server->drained_clean && clean;
    pthread_cond_broadcast(&server->drained);
    pthread_mutex_unlock(&server->lock);
}

static void drain_step(struct shard_server *shard)
{
    int64_t late_ms = rt_now_ms(shard->server->config.host) - shard->drain_deadline_ms;
    end_dead_writes(shard);
    for (struct http_connection *c = shard->connections.first; c; c = c->next) {
        bool idle = !c->is_http2 && c->slots == 0 && (!sock_of(c)->input || sock_of(c)->input->size == 0);
        if (idle || late_ms >= 0)
            end_connection(c);
    }
    /* An HTTP/1 connection whose handler has not answered notices its end only by the answer: do not wait for
     * it. */
    if (shard->connections.count == 0 || late_ms > 1000)
        report_drained(shard, shard->connections.count == 0);
}

/* Takes what already waits in the listener's queue (closing drops it), then closes. */
static void stop_listening(struct shard_server *shard)
{
    if (!shard->listening)
        return;
    shard->listening = false;
    uv_os_fd_t fd;
    int accepted;
    if (uv_fileno((uv_handle_t *)&shard->listener, &fd) == 0) {
        while ((accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
            uv_tcp_t *tcp = oms_malloc(sizeof(*tcp));
            uv_tcp_init(shard->h2o.loop, tcp);
            if (uv_tcp_open(tcp, accepted) == 0) {
                adopt(shard, tcp);
            } else {
                close(accepted);
                uv_close((uv_handle_t *)tcp, on_handle_closed);
            }
        }
    }
    uv_close((uv_handle_t *)&shard->listener, NULL);
}

static void begin_drain(struct shard_server *shard)
{
    stop_listening(shard);
    shard->draining = true;
    h2o_context_request_shutdown(&shard->h2o);
    drain_step(shard);
}

static void on_timer(struct rt_shard *rt_shard, struct rt_timer *timer)
{
    struct shard_server *shard = OMS_CONTAINER_OF(timer, struct shard_server, timer);
    (void)rt_shard;
    if (shard->draining && !shard->drained)
        drain_step(shard);
    else if (shard->drain_asked && !shard->draining &&
             rt_now_ms(shard->server->config.host) >= shard->drain_at_ms)
        begin_drain(shard);
    else
        judge_connections(shard);
    start_timer(shard);
}

/* Runs while there are connections or a drain; an idle server has nothing to look at. */
static void start_timer(struct shard_server *shard)
{
    bool drain = shard->drain_asked && !shard->drained;
    if (shard->timer.heap_index || (shard->connections.count == 0 && !drain))
        return;
    int64_t wait_ms = drain ? DRAIN_INTERVAL_MS : HTTP_GUARD_INTERVAL_MS;
    rt_timer_start(shard->shard, &shard->timer, rt_now_ms(shard->server->config.host) + wait_ms);
}

static void on_drain(struct rt_shard *rt_shard, struct rt_message *message)
{
    struct shard_server *shard = OMS_CONTAINER_OF(message, struct shard_server, drain_message);
    struct http_server *server = shard->server;
    (void)rt_shard;
    shard->drain_asked = true;
    shard->drain_at_ms = rt_now_ms(server->config.host) + server->limits.drain_grace_ms;
    shard->drain_deadline_ms = shard->drain_at_ms + atomic_load(&server->drain_timeout_ms);
    if (server->limits.drain_grace_ms == 0)
        begin_drain(shard);
    rt_timer_stop(shard->shard, &shard->timer);
    start_timer(shard);
}

void http_server_drain(struct http_server *server, unsigned timeout_ms)
{
    if (atomic_exchange(&server->draining, true))
        return;
    atomic_store(&server->drain_timeout_ms, timeout_ms);
    for (unsigned i = 0; i < server->shard_count; i++) {
        struct rt_message *message = &server->shards[i].drain_message;
        *message = (struct rt_message){.home = (uint16_t)i, .on_return = on_drain};
        rt_post(server->config.host, i, message);
    }
}

bool http_server_wait_drained(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    while (server->undrained)
        pthread_cond_wait(&server->drained, &server->lock);
    bool clean = server->drained_clean;
    pthread_mutex_unlock(&server->lock);
    return clean;
}

bool http_server_draining(const struct http_server *server)
{
    return atomic_load_explicit(&server->draining, memory_order_relaxed);
}

/* ---- making and ending ---- */

static void unref_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    uv_unref(handle);
}

/* The host stops, drained or not: nothing of ours may keep its loop going. */
static void on_host_stop(void *arg)
{
    struct shard_server *shard = arg;
    stop_listening(shard);
    for (struct http_connection *c = shard->connections.first; c; c = c->next)
        end_connection(c);
    uv_walk(shard->h2o.loop, unref_handle, NULL);
}

static void set_up_h2o(struct http_server *server)
{
    h2o_globalconf_t *h2o = &server->h2o;
    const struct http_server_limits *limits = &server->limits;
    h2o_config_init(h2o);
    h2o->server_name = h2o_iovec_init("", 0);
    /* Twice our limit, so that a body slightly over it gets an answer instead of a reset. */
    h2o->max_request_entity_size = 2 * limits->body_bytes;
    h2o->handshake_timeout = limits->handshake_timeout_ms;
    h2o->http1.req_timeout = limits->request_timeout_ms;
    h2o->http2.idle_timeout = limits->idle_timeout_ms;
    h2o_hostconf_t *host = h2o_config_register_host(h2o, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    host->http2.push_preload = 0;
    host->http2.reprioritize_blocking_assets = 0;
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

static void set_up_shard(struct http_server *server, unsigned index, int fd)
{
    struct shard_server *shard = &server->shards[index];
    uv_loop_t *loop = rt_host_uv_loop(server->config.host, index);
    shard->server = server;
    shard->index = index;
    shard->shard = server->config.host->shards[index];
    shard->row = http_metrics_row(server->config.metrics, index);
    shard->timer.fire = on_timer;
    http_slots_init(&shard->slots, shard->shard, &exchange_ops);
    h2o_context_init(&shard->h2o, loop, &server->h2o);
    shard->context_made = true;
    shard->accept =
        (h2o_accept_ctx_t){.ctx = &shard->h2o, .hosts = server->h2o.hosts, .ssl_ctx = server->tls};
    int failed = uv_tcp_init(loop, &shard->listener);
    OMS_ASSERT(failed == 0);
    shard->listener.data = shard;
    failed = uv_tcp_open(&shard->listener, fd);
    OMS_ASSERT(failed == 0);
    failed = uv_listen((uv_stream_t *)&shard->listener, SOMAXCONN, on_accept);
    OMS_ASSERT(failed == 0);
    shard->listening = true;
    rt_host_uv_on_stop(server->config.host, index, on_host_stop, shard);
}

static enum oms_status open_server(struct http_server *server, int *fds, struct oms_error *error)
{
    const struct http_server_config *config = &server->config;
    enum oms_status status = http_listen_parse(config->listen, &server->address, error);
    if (status == OMS_OK && config->tls_cert_file)
        status = http_tls_create(config->tls_cert_file, config->tls_key_file, &server->tls, error);
    if (status == OMS_OK)
        status = http_listen_open(&server->address, server->shard_count, fds, error);
    return status;
}

enum oms_status http_server_create(const struct http_server_config *config, struct http_server **out,
                                   struct oms_error *error)
{
    unsigned count = config->host->shard_count;
    struct http_server *server = oms_calloc(1, sizeof(*server) + count * sizeof(server->shards[0]));
    int fds[OMS_SHARDS_MAX];
    server->config = *config;
    server->shard_count = count;
    enum oms_status status = open_server(server, fds, error);
    if (status != OMS_OK) {
        http_tls_destroy(server->tls);
        oms_free(server);
        return status;
    }
    signal(SIGPIPE,
           SIG_IGN); /* a client that goes away is an error of write(2), not the end of the process */
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->drained, NULL);
    server->undrained = count;
    server->drained_clean = true;
    server->limits = http_server_limits_complete(&config->limits);
    http_server_numbers_register(&server->ids, config->metrics);
    set_up_h2o(server);
    for (unsigned i = 0; i < count; i++)
        set_up_shard(server, i, fds[i]);
    snprintf(server->url, sizeof(server->url), "%s://%s", server->tls ? "https" : "http",
             server->address.text);
    *out = server;
    return OMS_OK;
}

const char *http_server_url(const struct http_server *server)
{
    return server->url;
}

unsigned http_server_port(const struct http_server *server)
{
    const char *colon = strrchr(server->address.text, ':');
    return (unsigned)strtoul(colon + 1, NULL, 10);
}

void http_server_destroy(struct http_server *server)
{
    if (!server)
        return;
    bool clean = true;
    for (unsigned i = 0; i < server->shard_count; i++) {
        struct shard_server *shard = &server->shards[i];
        if (shard->connections.count || shard->slots.in_flight) {
            clean = false; /* h2o and a handler still point to each other; the process is about to end */
            continue;
        }
        /* Its second GOAWAY may still be due; disposing the timer that holds it would be a bug in h2o's eyes.
         */
        h2o_timeout_unlink(&shard->h2o.http2._graceful_shutdown_timeout);
        h2o_context_dispose(&shard->h2o);
        http_slots_fini(&shard->slots);
    }
    if (!clean) {
        OMS_LOG(OMS_LOG_WARN, "http.server_abandoned", OMS_LOG_TEXT("url", server->url));
        return;
    }
    h2o_config_dispose(&server->h2o);
    http_tls_destroy(server->tls);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->drained);
    oms_free(server);
}
