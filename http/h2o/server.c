/* The server's making and end, and the connections that it accepts. */
#include "http/server_h2o.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>

#include "http/h2o/internal.h"
#include "http/metrics.h"
#include "http/tls.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/host_uv.h"

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

#define NOT_SENT_BYTES_MAX (128 << 10)

/* ---- accepting ---- */

static void on_connection_closed(void *data)
{
    struct http_connection *connection = data;
    struct http_h2o_shard *shard = http_h2o_shard_of(connection);
    if (connection->websocket)
        http_h2o_websocket_detach(connection->websocket);
    http_connection_destroy(&shard->connections, connection);
    http_metrics_set(shard->row, shard->server->ids.connections, shard->connections.count);
}

static void on_handle_closed(uv_handle_t *handle)
{
    oms_free(handle);
}

/*
 * A reader that does not read gets little kernel memory: what is not on its way yet is bounded (in flight it
 * is by the reader's own window). A client that vanished without a word is noticed by what it does not
 * acknowledge.
 */
static void set_options(uv_tcp_t *tcp, const struct http_server_limits *limits)
{
    int not_sent = NOT_SENT_BYTES_MAX;
    unsigned user_timeout = 2 * limits->response_timeout_ms;
    uv_os_fd_t fd;
    uv_tcp_nodelay(tcp, 1);
    if (uv_fileno((uv_handle_t *)tcp, &fd) != 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent, sizeof(not_sent));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
}

/* Gives an accepted socket to h2o. */
static void adopt(struct http_h2o_shard *shard, uv_tcp_t *tcp)
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
    set_options(tcp, &server->limits);
    connection->owner = shard;
    connection->socket = sock;
    connection->stream = tcp;
    sock->on_close.cb = on_connection_closed;
    sock->on_close.data = connection;
    http_metrics_add(shard->row, server->ids.accepted, 1);
    http_metrics_set(shard->row, server->ids.connections, shard->connections.count);
    http_h2o_start_timer(shard);
    h2o_accept(&shard->accept, sock);
}

static void refuse_connection(struct http_h2o_shard *shard, uv_tcp_t *tcp)
{
    http_metrics_add(shard->row, shard->server->ids.refused, 1);
    OMS_LOG(OMS_LOG_WARN, "http.too_many_connections",
            OMS_LOG_U64("limit", shard->server->limits.connections));
    uv_close((uv_handle_t *)tcp, on_handle_closed);
}

static void on_accept(uv_stream_t *listener, int status)
{
    struct http_h2o_shard *shard = listener->data;
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

/* Takes what already waits in the listener's queue (closing drops it), then closes. */
void http_h2o_stop_listening(struct http_h2o_shard *shard)
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

/* ---- the drain, from outside ---- */

void http_server_drain(struct http_server *server, unsigned timeout_ms)
{
    if (atomic_exchange(&server->draining, true))
        return;
    atomic_store(&server->drain_timeout_ms, timeout_ms);
    for (unsigned i = 0; i < server->shard_count; i++) {
        struct rt_message *message = &server->shards[i].drain_message;
        *message = (struct rt_message){.home = (uint16_t)i, .on_return = http_h2o_on_drain};
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
    struct http_h2o_shard *shard = arg;
    http_h2o_stop_listening(shard);
    for (struct http_connection *c = shard->connections.first; c; c = c->next)
        http_h2o_end_connection(c);
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
    http_h2o_register_requests(server, host);
}

static void set_up_shard(struct http_server *server, unsigned index, int fd)
{
    struct http_h2o_shard *shard = &server->shards[index];
    uv_loop_t *loop = rt_host_uv_loop(server->config.host, index);
    shard->server = server;
    shard->index = index;
    shard->shard = server->config.host->shards[index];
    shard->row = http_metrics_row(server->config.metrics, index);
    shard->timer.fire = http_h2o_on_timer;
    http_slots_init(&shard->slots, shard->shard, &http_h2o_exchange_ops);
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
        struct http_h2o_shard *shard = &server->shards[i];
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
