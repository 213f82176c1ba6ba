/*
 * The loop: epoll over non-blocking sockets, one nghttp2 session each. Requests are submitted from the close
 * callback of the stream before (or by the clock), and everything that a turn produced for a connection is
 * written at once at the end of it, as a server's and a browser's stack do.
 *
 * Streams live in a fixed array per connection; `idle` is a stack of free ones. Windows are opened so wide
 * that flow control never decides a measurement.
 */
#include "bench/load/load.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"

#define READ_BYTES    (256u << 10)
#define RESPONSE_MAX  (4u << 20)
#define OUT_MAX       (16u << 20)
#define WINDOW_STREAM (4 << 20)
#define WINDOW_ALL    (64 << 20)
#define DRAIN_NS      (10ull * 1000000000ull)

struct connection;

struct stream {
    struct connection *connection;
    uint64_t started_ns;
    uint64_t tag;
    struct oms_str body;
    size_t body_sent;
    unsigned status;
    struct oms_buf response;
    char *buffer;
};

struct connection {
    struct load *load;
    int fd;
    nghttp2_session *session;
    struct stream *streams;
    struct stream **idle;
    unsigned idle_count;
    struct oms_buf out; /* bytes from out_sent on still have to be written */
    size_t out_sent;
    bool wants_write; /* EPOLLOUT is armed */
    bool dirty;       /* on the list of connections to flush in this turn */
};

struct load {
    const struct load_config *config;
    const struct load_workload *workload;
    struct load_result *result;
    struct connection *connections;
    struct connection **dirty;
    unsigned dirty_count;
    int epoll_fd, timer_fd;
    unsigned turn; /* round robin over connections at a fixed rate */
    nghttp2_nv headers[8];
    size_t header_count;
    char *bearer;
    char authority[32];
    uint64_t submitted, answered, in_flight;
    uint64_t begin_ns, measure_ns, end_ns;
    uint64_t due_count; /* requests made by the clock so far */
    bool measuring, stopping, broken;
    struct oms_error *error;
};

uint64_t load_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void note_wrong(struct load *load, const char *why, const struct stream *stream)
{
    struct load_result *result = load->result;

    if (result->wrong++ == 0) {
        struct oms_str answer = oms_buf_str(&stream->response);
        if (answer.len > 600)
            answer.len = 600;
        snprintf(result->first_wrong, sizeof(result->first_wrong), "%s (status %u): %.*s", why,
                 stream->status, OMS_STR_ARG(answer));
    }
}

static void mark_dirty(struct connection *connection)
{
    if (!connection->dirty) {
        connection->dirty = true;
        connection->load->dirty[connection->load->dirty_count++] = connection;
    }
}

static void fail(struct load *load, const char *what)
{
    if (!load->broken)
        (void)oms_error_set(load->error, OMS_IO, "%s", what);
    load->broken = true;
}

/* ---- a request ---- */

static ssize_t give_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t len, uint32_t *flags,
                         nghttp2_data_source *source, void *user_data)
{
    struct stream *stream = source->ptr;
    size_t left = stream->body.len - stream->body_sent;

    (void)session;
    (void)id;
    (void)user_data;
    if (len > left)
        len = left;
    memcpy(out, stream->body.data + stream->body_sent, len);
    stream->body_sent += len;
    if (stream->body_sent == stream->body.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

/* Sends the workload's next request on an idle stream. False when there is none. */
static bool submit(struct connection *connection, uint64_t started_ns)
{
    struct load *load = connection->load;
    struct stream *stream = connection->idle[connection->idle_count - 1];
    struct load_request request = {.buffer = stream->buffer};
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = give_body};

    if (load->config->requests_max && load->submitted == load->config->requests_max)
        return false;
    if (!load->workload->next(load->workload->context, &request))
        return false;
    connection->idle_count--;
    stream->started_ns = started_ns;
    stream->tag = request.tag;
    stream->body = request.body;
    stream->body_sent = 0;
    stream->status = 0;
    oms_buf_reset(&stream->response);
    size_t header_count = load->header_count;
    if (request.header_name) /* behind the common ones, in their last place */
        load->headers[header_count++] = (nghttp2_nv){
            (uint8_t *)(uintptr_t)request.header_name, (uint8_t *)(uintptr_t)request.header_value,
            strlen(request.header_name), strlen(request.header_value), NGHTTP2_NV_FLAG_NONE};
    int32_t id =
        nghttp2_submit_request(connection->session, NULL, load->headers, header_count, &provider, stream);
    if (id < 0) {
        fail(load, nghttp2_strerror(id));
        return false;
    }
    load->submitted++;
    load->in_flight++;
    mark_dirty(connection);
    return true;
}

static void fill(struct connection *connection)
{
    while (connection->idle_count && !connection->load->stopping && submit(connection, load_now_ns()))
        ;
}

/* ---- nghttp2's callbacks ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user_data)
{
    (void)flags;
    (void)user_data;
    if (frame->hd.type == NGHTTP2_HEADERS && name_len == 7 && memcmp(name, ":status", 7) == 0) {
        struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        int64_t status = 0;
        if (stream && oms_str_to_i64(oms_str_make(value, value_len), &status) == OMS_OK)
            stream->status = (unsigned)status;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *user_data)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    struct connection *connection = user_data;

    (void)flags;
    if (stream) {
        oms_buf_append(&stream->response, data, len);
        connection->load->result->bytes_in += len;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *user_data)
{
    struct connection *connection = user_data;
    struct load *load = connection->load;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    uint64_t now = load_now_ns();

    if (!stream)
        return 0;
    if (error_code)
        stream->status = 0;
    const char *why = load->workload->check(load->workload->context, stream->tag, stream->status,
                                            oms_buf_str(&stream->response));
    if (why)
        note_wrong(load, why, stream);
    if (load->measuring && now < load->end_ns) {
        histogram_record(&load->result->latency, now > stream->started_ns ? now - stream->started_ns : 0);
        load->result->answers++;
    }
    load->answered++;
    load->in_flight--;
    connection->idle[connection->idle_count++] = stream;
    if (load->config->rate == 0)
        fill(connection);
    return 0;
}

static nghttp2_session_callbacks *callbacks(void)
{
    nghttp2_session_callbacks *set;
    OMS_ASSERT(nghttp2_session_callbacks_new(&set) == 0);
    nghttp2_session_callbacks_set_on_header_callback(set, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(set, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(set, on_close);
    return set;
}

/* ---- sockets ---- */

static int dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void want_write(struct connection *connection, bool on)
{
    struct epoll_event event = {.events = EPOLLIN | (on ? (uint32_t)EPOLLOUT : 0), .data.ptr = connection};

    if (connection->wants_write == on)
        return;
    connection->wants_write = on;
    (void)epoll_ctl(connection->load->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

/* Collects what the session has to say and writes as much as the socket takes. */
static void flush(struct connection *connection)
{
    struct load *load = connection->load;

    connection->dirty = false;
    for (;;) {
        const uint8_t *data;
        ssize_t len = nghttp2_session_mem_send(connection->session, &data);
        if (len < 0) {
            fail(load, nghttp2_strerror((int)len));
            return;
        }
        if (len == 0)
            break;
        oms_buf_append(&connection->out, data, (size_t)len);
    }
    while (connection->out_sent < connection->out.len) {
        ssize_t done = send(connection->fd, connection->out.data + connection->out_sent,
                            connection->out.len - connection->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            want_write(connection, true);
            return;
        }
        if (done < 0) {
            fail(load, strerror(errno));
            return;
        }
        connection->out_sent += (size_t)done;
    }
    oms_buf_reset(&connection->out);
    connection->out_sent = 0;
    want_write(connection, false);
}

static void receive(struct connection *connection, uint8_t *buffer)
{
    struct load *load = connection->load;

    for (;;) {
        ssize_t len = recv(connection->fd, buffer, READ_BYTES, MSG_DONTWAIT);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (len <= 0) {
            fail(load, len == 0 ? "the server closed a connection" : strerror(errno));
            return;
        }
        ssize_t used = nghttp2_session_mem_recv(connection->session, buffer, (size_t)len);
        if (used < 0) {
            fail(load, nghttp2_strerror((int)used));
            return;
        }
        mark_dirty(connection); /* window updates, acknowledgements */
        if ((size_t)len < READ_BYTES)
            return;
    }
}

static enum oms_status connection_open(struct load *load, struct connection *connection,
                                       const nghttp2_session_callbacks *set)
{
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_STREAM},
                                               {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    unsigned streams = load->config->streams;

    connection->load = load;
    connection->fd = dial(load->config->port);
    if (connection->fd < 0)
        return oms_error_set(load->error, OMS_IO, "cannot connect to 127.0.0.1:%u: %s", load->config->port,
                             strerror(errno));
    OMS_ASSERT(nghttp2_session_client_new(&connection->session, set, connection) == 0);
    OMS_ASSERT(nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings, 2) == 0);
    OMS_ASSERT(nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0, WINDOW_ALL) ==
               0);
    oms_buf_init(&connection->out, OUT_MAX);
    connection->streams = oms_calloc(streams, sizeof(struct stream));
    connection->idle = oms_calloc(streams, sizeof(struct stream *));
    for (unsigned i = 0; i < streams; i++) {
        struct stream *stream = &connection->streams[i];
        stream->connection = connection;
        stream->buffer = oms_malloc(LOAD_BUFFER_SIZE);
        oms_buf_init(&stream->response, RESPONSE_MAX);
        connection->idle[connection->idle_count++] = stream;
    }
    OMS_ASSERT(epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) == 0);
    return OMS_OK;
}

static void connection_close(struct connection *connection)
{
    if (!connection->load)
        return;
    if (connection->session)
        nghttp2_session_del(connection->session);
    if (connection->fd >= 0)
        close(connection->fd);
    for (unsigned i = 0; connection->streams && i < connection->load->config->streams; i++) {
        oms_buf_fini(&connection->streams[i].response);
        oms_free(connection->streams[i].buffer);
    }
    oms_free(connection->streams);
    oms_free(connection->idle);
    oms_buf_fini(&connection->out);
}

/* ---- the run ---- */

static void add_header(struct load *load, const char *name, const char *value)
{
    load->headers[load->header_count++] =
        (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
                     NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static void make_headers(struct load *load)
{
    snprintf(load->authority, sizeof(load->authority), "127.0.0.1:%u", load->config->port);
    add_header(load, ":method", "POST");
    add_header(load, ":scheme", "http");
    add_header(load, ":authority", load->authority);
    add_header(load, ":path", load->config->path);
    add_header(load, "content-type", "application/json");
    if (load->config->token) {
        size_t size = strlen(load->config->token) + sizeof("Bearer ");
        load->bearer = oms_malloc(size);
        snprintf(load->bearer, size, "Bearer %s", load->config->token);
        add_header(load, "authorization", load->bearer);
    }
}

static uint64_t due_ns(const struct load *load, uint64_t index)
{
    return load->begin_ns + (uint64_t)((double)index * 1e9 / load->config->rate);
}

/* A connection with an idle stream, or NULL when all are busy. */
static struct connection *next_idle(struct load *load)
{
    for (unsigned i = 0; i < load->config->connections; i++) {
        struct connection *connection = &load->connections[load->turn++ % load->config->connections];
        if (connection->idle_count)
            return connection;
    }
    return NULL;
}

/* Sends all that is due; arms the timer for the next one. False: every stream is busy, an answer must come
 * first. */
static void pace(struct load *load)
{
    struct itimerspec when = {0};

    while (!load->stopping) {
        uint64_t due = due_ns(load, load->due_count);
        if (due > load_now_ns()) {
            when.it_value.tv_sec = (time_t)(due / 1000000000ull);
            when.it_value.tv_nsec = (long)(due % 1000000000ull);
            (void)timerfd_settime(load->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
            return;
        }
        struct connection *connection = next_idle(load);
        if (!connection || !submit(connection, due))
            return;
        load->due_count++;
    }
}

static void check_clock(struct load *load)
{
    uint64_t now = load_now_ns();

    if (!load->measuring && now >= load->measure_ns) {
        load->measuring = true;
        load->measure_ns = now;
    }
    if (now >= load->end_ns || (load->config->requests_max && load->submitted == load->config->requests_max))
        load->stopping = true;
}

static void turn(struct load *load, uint8_t *buffer)
{
    struct epoll_event events[256];

    for (unsigned i = 0; i < load->dirty_count && !load->broken; i++)
        flush(load->dirty[i]);
    load->dirty_count = 0;
    int count = epoll_wait(load->epoll_fd, events, 256, 100);

    for (int i = 0; i < count && !load->broken; i++) {
        struct connection *connection = events[i].data.ptr;
        if (!connection) {
            uint64_t expirations;
            ssize_t got = read(load->timer_fd, &expirations, sizeof(expirations));
            (void)got;
            continue;
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            receive(connection, buffer);
        if (events[i].events & EPOLLOUT)
            mark_dirty(connection);
    }
    check_clock(load);
    if (load->config->rate > 0)
        pace(load);
}

static void run(struct load *load)
{
    const struct load_config *config = load->config;
    uint8_t *buffer = oms_malloc(READ_BYTES);

    load->begin_ns = load_now_ns();
    load->measure_ns =
        config->requests_max ? load->begin_ns : load->begin_ns + (uint64_t)(config->warmup_s * 1e9);
    load->end_ns = config->requests_max && config->duration_s <= 0
                       ? UINT64_MAX
                       : load->measure_ns + (uint64_t)(config->duration_s * 1e9);
    load->measuring = config->requests_max != 0;
    for (unsigned i = 0; i < config->connections; i++) {
        mark_dirty(&load->connections[i]);
        if (config->rate == 0)
            fill(&load->connections[i]);
    }
    while (!load->broken && !(load->stopping && load->in_flight == 0)) {
        turn(load, buffer);
        /* A workload with nothing left to say, or one that waits for its own answers. */
        for (unsigned i = 0; config->rate == 0 && i < config->connections && !load->stopping; i++)
            if (load->connections[i].idle_count == config->streams)
                fill(&load->connections[i]);
        if (load->stopping && load->end_ns != UINT64_MAX && load_now_ns() > load->end_ns + DRAIN_NS)
            break;
    }
    uint64_t ended = load->end_ns;
    if (config->requests_max && load_now_ns() < ended)
        ended = load_now_ns();
    load->result->seconds = (double)(ended - load->measure_ns) / 1e9;
    load->result->unanswered = load->in_flight;
    oms_free(buffer);
}

enum oms_status load_run(const struct load_config *config, const struct load_workload *workload,
                         struct load_result *result, struct oms_error *error)
{
    struct load load = {.config = config, .workload = workload, .result = result, .error = error};
    nghttp2_session_callbacks *set = callbacks();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    enum oms_status status = OMS_OK;

    OMS_ASSERT(config->connections > 0 && config->streams > 0 && config->streams <= 100);
    memset(result, 0, sizeof(*result));
    make_headers(&load);
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    OMS_ASSERT(load.epoll_fd >= 0 && load.timer_fd >= 0);
    OMS_ASSERT(epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, load.timer_fd, &event) == 0);
    load.connections = oms_calloc(config->connections, sizeof(struct connection));
    load.dirty = oms_calloc(config->connections, sizeof(struct connection *));
    for (unsigned i = 0; i < config->connections && status == OMS_OK; i++)
        status = connection_open(&load, &load.connections[i], set);
    if (status == OMS_OK) {
        run(&load);
        status = load.broken ? OMS_IO : OMS_OK;
    }
    for (unsigned i = 0; i < config->connections; i++)
        connection_close(&load.connections[i]);
    oms_free(load.connections);
    oms_free(load.dirty);
    oms_free(load.bearer);
    close(load.epoll_fd);
    close(load.timer_fd);
    nghttp2_session_callbacks_del(set);
    return status;
}

/* ---- one plain request ---- */

static enum oms_status send_all(int fd, const char *data, size_t len, struct oms_error *error)
{
    while (len) {
        ssize_t done = send(fd, data, len, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return oms_error_set(error, OMS_IO, "send: %s", strerror(errno));
        data += done;
        len -= (size_t)done;
    }
    return OMS_OK;
}

/* Removes the chunk sizes of a chunked body in place (RFC 9112 section 7.1). */
static size_t dechunk(char *data, size_t len)
{
    size_t in = 0, out = 0;

    while (in < len) {
        char *end;
        size_t size = strtoul(data + in, &end, 16);
        char *line = memchr(end, '\n', (size_t)(data + len - end));
        if (size == 0 || !line)
            break;
        in = (size_t)(line + 1 - data);
        if (size > len - in)
            size = len - in;
        memmove(data + out, data + in, size);
        out += size;
        in += size + 2;
    }
    return out;
}

static enum oms_status split_response(struct oms_buf *raw, unsigned *status, struct oms_buf *out,
                                      struct oms_error *error)
{
    oms_buf_append_char(raw, '\0');
    char *body = raw->len > 1 ? strstr(raw->data, "\r\n\r\n") : NULL;
    if (!body || sscanf(raw->data, "HTTP/1.%*d %u", status) != 1)
        return oms_error_set(error, OMS_IO, "no HTTP response");
    *body = '\0';
    body += 4;
    size_t len = (size_t)(raw->data + raw->len - 1 - body);
    if (strcasestr(raw->data, "transfer-encoding: chunked"))
        len = dechunk(body, len);
    oms_buf_append(out, body, len);
    return OMS_OK;
}

enum oms_status load_fetch(uint16_t port, const char *method, const char *path, const char *token,
                           struct oms_str body, unsigned *status, struct oms_buf *out,
                           struct oms_error *error)
{
    struct oms_buf raw;
    char chunk[16384];
    int fd = dial(port);

    if (fd < 0)
        return oms_error_set(error, OMS_IO, "cannot connect to 127.0.0.1:%u: %s", port, strerror(errno));
    oms_buf_init(&raw, 64u << 20);
    oms_buf_appendf(&raw, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n", method, path,
                    port);
    if (token)
        oms_buf_appendf(&raw, "Authorization: Bearer %s\r\n", token);
    if (oms_str_present(body))
        oms_buf_appendf(&raw, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
    oms_buf_append_lit(&raw, "\r\n");
    oms_buf_append_str(&raw, body);
    enum oms_status result = send_all(fd, raw.data, raw.len, error);
    oms_buf_reset(&raw);
    while (result == OMS_OK) {
        ssize_t len = recv(fd, chunk, sizeof(chunk), 0);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            result = oms_error_set(error, OMS_IO, "recv: %s", strerror(errno));
        if (len <= 0)
            break;
        oms_buf_append(&raw, chunk, (size_t)len);
    }
    if (result == OMS_OK)
        result = split_response(&raw, status, out, error);
    oms_buf_fini(&raw);
    close(fd);
    return result;
}
