/*
 * The connections of a shard: counted, sampled, judged, drained.
 *
 * h2o buffers bodies, limits no resets and lets streams stall. So a timer samples every connection (guard.h)
 * and ends the harmful ones by shutdown(2); h2o then sees the end of the stream and closes. Closing a socket
 * under h2o's feet is never safe. (h2o_socket_t.bytes_read holds the last read only: the kernel's count is
 * taken.) Its graceful shutdown speaks to HTTP/2 connections only; idle HTTP/1 ones are ended here.
 */
#include "http/h2o/internal.h"
#include "http/metrics.h"
#include "http/websocket.h"
#include "http/websocket_frame.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

#define DRAIN_INTERVAL_MS  50
#define WEBSOCKET_GRACE_MS 500 /* behind the drain's deadline, for their closing handshake */
#define STREAM_IDS_SAMPLED 4   /* of one connection and sample */

/* ---- counting ---- */

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

void http_h2o_count_request(struct http_connection *connection, h2o_req_t *req)
{
    connection->is_http2 = req->version >= 0x200;
    connection->sample.request_bytes += request_size(req);
    connection->sample.requests++;
    if (connection->is_http2)
        sample_stream_number(connection, req);
}

void http_h2o_end_connection(struct http_connection *connection)
{
    if (connection->ended)
        return;
    connection->ended = true;
    int fd = h2o_socket_get_fd(http_h2o_socket_of(connection));
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
    if (connection->stream_slot)
        http_h2o_stream_wake(connection->stream_slot);
    if (connection->websocket)
        http_h2o_websocket_wake(connection->websocket);
}

/* ---- sampling ---- */

static int sample_stream(h2o_req_t *req, void *data)
{
    const struct timeval *now = data;
    const struct timeval *begin = &req->timestamps.request_begin_at;
    if (req->pathconf || begin->tv_sec == 0)
        return 0; /* it has arrived, or is only a priority's place holder */
    struct http_connection *connection = http_h2o_connection_of(req->conn);
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
    if (connection->websocket) {
        sample->buffered_bytes = http_h2o_websocket_buffered(connection->websocket);
    } else if (!connection->is_http2 && http_h2o_socket_of(connection)->input) {
        sample->buffered_bytes = http_h2o_socket_of(connection)->input->size;
        sample->receiving = connection->slots == 0 && sample->buffered_bytes > 0;
    }
}

static void finish_sample(struct http_connection *connection, uint64_t now_ns)
{
    struct http_guard_sample *sample = &connection->sample;
    h2o_socket_t *sock = http_h2o_socket_of(connection);
    int fd = h2o_socket_get_fd(sock);
    bool left = false;
    uint64_t received = fd >= 0 ? http_socket_received(fd, &left) : 0;
    if (received > sample->received_bytes) {
        http_metrics_add(http_h2o_shard_of(connection)->row,
                         http_h2o_shard_of(connection)->server->ids.received_bytes,
                         received - sample->received_bytes);
        sample->received_bytes = received;
    }
    sample->sent_bytes = sock->bytes_written;
    connection->unwritten_bytes = uv_stream_get_write_queue_size(connection->stream);
    if (left && connection->stream_slot)
        http_h2o_end_connection(connection); /* h2o reads no connection that it answers */
    if (connection->websocket && http_h2o_websocket_overdue(connection->websocket, now_ns))
        http_h2o_end_connection(connection);
}

static void punish(struct http_connection *connection, enum http_guard_verdict verdict)
{
    struct http_h2o_shard *shard = http_h2o_shard_of(connection);
    http_metrics_add(shard->row, shard->server->ids.ended[verdict], 1);
    OMS_LOG(OMS_LOG_WARN, "http.connection_ended", OMS_LOG_TEXT("reason", http_guard_verdict_name(verdict)),
            OMS_LOG_STR("peer", oms_str_make(connection->peer, connection->peer_len)),
            OMS_LOG_U64("requests", connection->sample.requests),
            OMS_LOG_U64("received_bytes", connection->sample.received_bytes));
    http_h2o_end_connection(connection);
}

/* One stream of HTTP/2, or the connection of an HTTP/1 one: its client has read nothing for too long. */
static void cut_stream(struct http_slot *slot)
{
    struct http_connection *connection = slot->connection;
    struct http_h2o_shard *shard = http_h2o_shard_of(connection);
    const struct http_stream_events *events = slot->events;
    void *context = slot->events_context;
    http_metrics_add(shard->row, shard->server->ids.streams_cut, 1);
    OMS_LOG(OMS_LOG_INFO, "http.stream_cut",
            OMS_LOG_STR("peer", oms_str_make(connection->peer, connection->peer_len)));
    http_slot_silence(slot);
    if (events)
        events->gone(&slot->exchange, context);
    http_h2o_stream_cut(slot);
}

/*
 * libuv's function, put before it for the library: h2o 2.2 calls it with no buffers at all when OpenSSL
 * refuses to encrypt, as it does once a client has sent a broken record, and libuv ends the process for that.
 * Here such a write fails like one on a connection that has gone, and h2o closes it. (The dynamic linker
 * looks for a library's symbols in the program first.)
 */
int uv_write(uv_write_t *request, uv_stream_t *stream, const uv_buf_t bufs[], unsigned count, uv_write_cb cb)
{
    static char byte[1];
    const uv_buf_t lost = {byte, sizeof(byte)};
    uv_os_fd_t fd;
    if (count > 0)
        return uv_write2(request, stream, bufs, count, NULL, cb);
    if (uv_fileno((uv_handle_t *)stream, &fd) == 0)
        shutdown(fd, SHUT_RDWR);
    return uv_write2(request, stream, &lost, 1, NULL, cb);
}

/*
 * After a read error libuv lets nobody write to the stream any more, and says so by uv_write's result, which
 * h2o 2.2 does not look at: closing a TLS connection that its client has reset, h2o waits for ever for the
 * end of its close_notify. Here it is told.
 */
static void end_dead_writes(struct http_h2o_shard *shard)
{
    struct http_connection *next;
    for (struct http_connection *c = shard->connections.first; c; c = next) {
        h2o_socket_t *sock = http_h2o_socket_of(c);
        h2o_socket_cb written = sock->_cb.write;
        uv_stream_t *stream = c->stream;
        next = c->next; /* c may go away */
        if (written && !uv_is_writable(stream) && uv_stream_get_write_queue_size(stream) == 0) {
            sock->_cb.write = NULL;
            written(sock, "the stream cannot be written to");
        }
    }
}

static void judge_connections(struct http_h2o_shard *shard)
{
    struct http_server *server = shard->server;
    const struct http_guard_limits limits = {
        .buffered_bytes_max = server->limits.body_bytes_connection,
        .request_timeout_ms = server->limits.request_timeout_ms,
        .response_timeout_ms = server->limits.response_timeout_ms,
    };
    const struct http_sentence sentence = {punish, cut_stream};
    const uint64_t now_ns = rt_mono_ns(server->config.host);
    struct timeval now = *h2o_get_timestamp(&shard->h2o, NULL, NULL);
    struct http_connection *worst;

    end_dead_writes(shard);
    for (struct http_connection *c = shard->connections.first; c; c = c->next)
        begin_sample(c);
    server->h2o.http2.callbacks.foreach_request(&shard->h2o, sample_stream, &now);
    for (struct http_connection *c = shard->connections.first; c; c = c->next)
        finish_sample(c, now_ns);
    uint64_t buffered = http_connections_judge(&shard->connections, &limits, rt_mono_ns(server->config.host),
                                               &sentence, &worst);
    uint64_t all =
        atomic_fetch_add(&server->buffered_all, buffered - shard->buffered) + buffered - shard->buffered;
    shard->buffered = buffered;
    http_metrics_set(shard->row, server->ids.buffered, buffered);
    http_metrics_set(shard->row, server->ids.in_flight, shard->slots.in_flight);
    if (all > server->limits.body_bytes_all && worst)
        punish(worst, HTTP_GUARD_BUFFERED);
}

/* ---- the drain ---- */

static void report_drained(struct http_h2o_shard *shard, bool clean)
{
    struct http_server *server = shard->server;
    shard->drained = true;
    pthread_mutex_lock(&server->lock);
    server->undrained--;
    server->drained_clean = server->drained_clean && clean;
    pthread_cond_broadcast(&server->drained);
    pthread_mutex_unlock(&server->lock);
}

static void drain_step(struct http_h2o_shard *shard)
{
    int64_t late_ms = rt_now_ms(shard->server->config.host) - shard->drain_deadline_ms;
    end_dead_writes(shard);
    for (struct http_connection *c = shard->connections.first; c; c = c->next) {
        bool idle = !c->is_http2 && !c->websocket && c->slots == 0 &&
                    (!http_h2o_socket_of(c)->input || http_h2o_socket_of(c)->input->size == 0);
        if (c->websocket && late_ms >= 0 && late_ms < WEBSOCKET_GRACE_MS)
            http_websocket_close(c->websocket, HTTP_WS_GOING_AWAY, "the server stops");
        else if (idle || late_ms >= 0)
            http_h2o_end_connection(c);
    }
    /* An HTTP/1 connection whose handler has not answered notices its end only by the answer: do not wait for
     * it. */
    if (shard->connections.count == 0 || late_ms > 1000)
        report_drained(shard, shard->connections.count == 0);
}

static void begin_drain(struct http_h2o_shard *shard)
{
    http_h2o_stop_listening(shard);
    shard->draining = true;
    h2o_context_request_shutdown(&shard->h2o);
    drain_step(shard);
}

void http_h2o_on_timer(struct rt_shard *rt_shard, struct rt_timer *timer)
{
    struct http_h2o_shard *shard = OMS_CONTAINER_OF(timer, struct http_h2o_shard, timer);
    (void)rt_shard;
    if (shard->draining && !shard->drained)
        drain_step(shard);
    else if (shard->drain_asked && !shard->draining &&
             rt_now_ms(shard->server->config.host) >= shard->drain_at_ms)
        begin_drain(shard);
    else
        judge_connections(shard);
    http_h2o_start_timer(shard);
}

/* Runs while there are connections or a drain; an idle server has nothing to look at. */
void http_h2o_start_timer(struct http_h2o_shard *shard)
{
    bool drain = shard->drain_asked && !shard->drained;
    if (shard->timer.heap_index || (shard->connections.count == 0 && !drain))
        return;
    int64_t wait_ms = drain ? DRAIN_INTERVAL_MS : HTTP_GUARD_INTERVAL_MS;
    rt_timer_start(shard->shard, &shard->timer, rt_now_ms(shard->server->config.host) + wait_ms);
}

void http_h2o_on_drain(struct rt_shard *rt_shard, struct rt_message *message)
{
    struct http_h2o_shard *shard = OMS_CONTAINER_OF(message, struct http_h2o_shard, drain_message);
    struct http_server *server = shard->server;
    (void)rt_shard;
    shard->drain_asked = true;
    shard->drain_at_ms = rt_now_ms(server->config.host) + server->limits.drain_grace_ms;
    shard->drain_deadline_ms = shard->drain_at_ms + atomic_load(&server->drain_timeout_ms);
    if (server->limits.drain_grace_ms == 0)
        begin_drain(shard);
    rt_timer_stop(shard->shard, &shard->timer);
    http_h2o_start_timer(shard);
}
