/* Readers of one subscription. See readers.h. The thread owns everything; the others look under the lock,
 * which it takes once for each turn of its loop. */
#include "bench/load/readers.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/load.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"

#define READ_BYTES    (256u << 10)
#define BLOCK_MAX     (1u << 20)
#define OUT_MAX       (16u << 20)
#define WINDOW_STREAM (1 << 20)
#define WINDOW_ALL    (64 << 20)
#define ATTACH_S      60
#define DAY_MS        (24 * 3600 * 1000ll)

struct reader {
    struct readers *all;
    uint64_t events;
    uint64_t last_commit;
    bool attached, ended;
    struct oms_buf part; /* the beginning of an event whose end has not come yet */
};

struct wire {
    struct readers *all;
    int fd;
    nghttp2_session *session;
    struct oms_buf out;
    size_t out_sent;
    bool wants_write;
};

struct readers {
    struct readers_config config;
    struct wire *wires;
    struct reader *items;
    size_t count;
    int epoll_fd;
    nghttp2_session_callbacks *callbacks;
    struct oms_str body;
    char *path, *bearer;
    char authority[32];
    int64_t now_ms; /* of the day; once for each turn */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    struct readers_result result; /* under the lock */
    unsigned attached;            /* under the lock */
    atomic_bool stopping;
    char broken[160]; /* under the lock; empty: fine */
};

static int64_t day_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000) % DAY_MS;
}

static void fail(struct readers *all, const char *why)
{
    if (!all->broken[0])
        snprintf(all->broken, sizeof(all->broken), "%s", why);
}

/* ---- events ---- */

static void note_wrong(struct readers *all, const char *why, struct oms_str block)
{
    if (all->result.wrong++ == 0)
        snprintf(all->result.first_wrong, sizeof(all->result.first_wrong), "%s: %.*s", why,
                 (int)(block.len < 200 ? block.len : 200), block.data);
}

static const char *find(struct oms_str text, const char *what, size_t len)
{
    const char *at = memmem(text.data, text.len, what, len);
    return at ? at + len : NULL;
}

/* Milliseconds of the day in "2026-01-31T23:59:59.999Z". */
static int64_t time_of_day(const char *text)
{
    const char *t = text + 11;
    return ((t[0] - '0') * 10 + (t[1] - '0')) * 3600000ll + ((t[3] - '0') * 10 + (t[4] - '0')) * 60000ll +
           ((t[6] - '0') * 10 + (t[7] - '0')) * 1000ll + (t[9] - '0') * 100 + (t[10] - '0') * 10 +
           (t[11] - '0');
}

static void take_event(struct reader *reader, struct oms_str block, const char *commit, const char *at)
{
    struct readers *all = reader->all;
    uint64_t number = strtoull(commit, NULL, 10);
    if (number < reader->last_commit)
        note_wrong(all, "an event out of order", block);
    reader->last_commit = number;
    reader->events++;
    all->result.events++;
    int64_t took_ms = all->now_ms - time_of_day(at);
    if (took_ms < -DAY_MS / 2)
        took_ms += DAY_MS;
    histogram_record(&all->result.latency, took_ms > 0 ? (uint64_t)took_ms * 1000000u : 0);
}

/* One whole event of the stream, without the empty line behind it. */
static void take_block(struct reader *reader, struct oms_str block)
{
    struct readers *all = reader->all;
    if (block.len == 0 || block.data[0] == ':')
        return;
    const char *commit = find(block, "\"commit\":\"", 10), *at = find(block, "\"at\":\"", 6);
    if (block.len < 12 || memcmp(block.data, "event: next\n", 12) != 0) {
        reader->ended = true;
        all->result.ended++;
        return;
    }
    if (commit && at && (size_t)(block.data + block.len - at) >= 24)
        take_event(reader, block, commit, at);
    else if (find(block, "\"event\":null", 12))
        all->result.checkpoints++;
    else
        note_wrong(all, "no event", block);
    if (!reader->attached) {
        reader->attached = true;
        all->attached++;
    }
}

/* Takes what is whole; returns how much that was. */
static size_t take_blocks(struct reader *reader, struct oms_str text)
{
    size_t done = 0;
    const char *end;
    while ((end = memmem(text.data + done, text.len - done, "\n\n", 2)) != NULL) {
        size_t len = (size_t)(end - (text.data + done));
        take_block(reader, oms_str_make(text.data + done, len));
        done += len + 2;
    }
    return done;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *user_data)
{
    struct reader *reader = nghttp2_session_get_stream_user_data(session, id);
    struct oms_str text = oms_str_make(data, len);
    (void)flags;
    (void)user_data;
    if (!reader)
        return 0;
    reader->all->result.bytes += len;
    if (reader->part.len) {
        oms_buf_append(&reader->part, data, len);
        text = oms_buf_str(&reader->part);
    }
    size_t done = take_blocks(reader, text);
    if (done == text.len) {
        oms_buf_reset(&reader->part);
    } else if (reader->part.len) {
        memmove(reader->part.data, reader->part.data + done, reader->part.len - done);
        reader->part.len -= done;
    } else {
        oms_buf_append(&reader->part, text.data + done, text.len - done);
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *user_data)
{
    struct reader *reader = nghttp2_session_get_stream_user_data(session, id);
    (void)error_code;
    (void)user_data;
    if (reader && !reader->ended) {
        reader->ended = true;
        reader->all->result.ended++;
    }
    return 0;
}

/* ---- subscribing ---- */

static ssize_t give_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t len, uint32_t *flags,
                         nghttp2_data_source *source, void *user_data)
{
    const struct readers *all = source->ptr;
    (void)session;
    (void)id;
    (void)user_data;
    OMS_ASSERT(len >= all->body.len); /* a document is far shorter than a frame */
    memcpy(out, all->body.data, all->body.len);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)all->body.len;
}

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static void subscribe(struct readers *all, struct wire *wire, struct reader *reader)
{
    bool get = all->config.get;
    nghttp2_data_provider provider = {.source.ptr = all, .read_callback = give_body};
    const nghttp2_nv headers[] = {
        header(":method", get ? "GET" : "POST"),   header(":scheme", "http"),
        header(":authority", all->authority),      header(":path", get ? all->path : "/graphql"),
        header("accept", "text/event-stream"),     header("authorization", all->bearer),
        header("content-type", "application/json")};
    size_t count = OMS_COUNT_OF(headers) - (get ? 1 : 0);
    int32_t id = nghttp2_submit_request(wire->session, NULL, headers, count, get ? NULL : &provider, reader);
    OMS_ASSERT(id > 0);
}

/* ---- sockets ---- */

static void flush(struct wire *wire)
{
    for (;;) {
        const uint8_t *data;
        ssize_t len = nghttp2_session_mem_send(wire->session, &data);
        if (len <= 0)
            break;
        oms_buf_append(&wire->out, data, (size_t)len);
    }
    bool blocked = false;
    while (wire->out_sent < wire->out.len && !blocked) {
        ssize_t done = send(wire->fd, wire->out.data + wire->out_sent, wire->out.len - wire->out_sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done >= 0)
            wire->out_sent += (size_t)done;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            blocked = true;
        else if (errno != EINTR) {
            fail(wire->all, strerror(errno));
            return;
        }
    }
    if (!blocked) {
        oms_buf_reset(&wire->out);
        wire->out_sent = 0;
    }
    if (blocked != wire->wants_write) {
        struct epoll_event event = {.events = EPOLLIN | (blocked ? (uint32_t)EPOLLOUT : 0), .data.ptr = wire};
        wire->wants_write = blocked;
        (void)epoll_ctl(wire->all->epoll_fd, EPOLL_CTL_MOD, wire->fd, &event);
    }
}

static void receive(struct wire *wire, uint8_t *buffer)
{
    for (;;) {
        ssize_t len = recv(wire->fd, buffer, READ_BYTES, MSG_DONTWAIT);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (len <= 0) {
            fail(wire->all, len == 0 ? "the server closed a connection" : strerror(errno));
            (void)epoll_ctl(wire->all->epoll_fd, EPOLL_CTL_DEL, wire->fd, NULL);
            return;
        }
        wire->all->now_ms = day_ms();
        if (nghttp2_session_mem_recv(wire->session, buffer, (size_t)len) < 0) {
            fail(wire->all, "the server broke the protocol");
            return;
        }
        if ((size_t)len < READ_BYTES)
            return;
    }
}

static void *run(void *context)
{
    struct readers *all = context;
    struct epoll_event events[256];
    uint8_t *buffer = oms_malloc(READ_BYTES);
    for (unsigned i = 0; i < all->config.connections; i++)
        flush(&all->wires[i]);
    while (!atomic_load_explicit(&all->stopping, memory_order_relaxed)) {
        int count = epoll_wait(all->epoll_fd, events, 256, 50);
        pthread_mutex_lock(&all->lock);
        for (int i = 0; i < count; i++) {
            struct wire *wire = events[i].data.ptr;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                receive(wire, buffer);
            flush(wire);
        }
        pthread_mutex_unlock(&all->lock);
    }
    oms_free(buffer);
    return NULL;
}

static enum oms_status wire_open(struct readers *all, struct wire *wire, struct oms_error *error)
{
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_STREAM},
                                               {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(all->config.port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = wire};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    wire->all = all;
    oms_buf_init(&wire->out, OUT_MAX);
    wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire->fd < 0 || connect(wire->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return oms_error_set(error, OMS_IO, "cannot connect to 127.0.0.1:%u: %s", all->config.port,
                             strerror(errno));
    (void)setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    OMS_ASSERT(nghttp2_session_client_new(&wire->session, all->callbacks, wire) == 0);
    OMS_ASSERT(nghttp2_submit_settings(wire->session, NGHTTP2_FLAG_NONE, settings, 2) == 0);
    OMS_ASSERT(nghttp2_session_set_local_window_size(wire->session, NGHTTP2_FLAG_NONE, 0, WINDOW_ALL) == 0);
    OMS_ASSERT(epoll_ctl(all->epoll_fd, EPOLL_CTL_ADD, wire->fd, &event) == 0);
    return OMS_OK;
}

/* ---- life ---- */

static void make_texts(struct readers *all)
{
    static const char hex[] = "0123456789ABCDEF";
    struct oms_buf text;
    oms_buf_init(&text, BLOCK_MAX);
    oms_buf_append_lit(&text, "{\"query\":");
    oms_json_write_string(&text, oms_str_of(all->config.document));
    oms_buf_append_char(&text, '}');
    char *body = oms_malloc(text.len);
    memcpy(body, text.data, text.len);
    all->body = oms_str_make(body, text.len);
    oms_buf_reset(&text);
    oms_buf_append_lit(&text, "/graphql?query=");
    for (const unsigned char *c = (const unsigned char *)all->config.document; *c; c++) {
        oms_buf_append_char(&text, '%');
        oms_buf_append_char(&text, hex[*c >> 4]);
        oms_buf_append_char(&text, hex[*c & 15]);
    }
    oms_buf_append_char(&text, '\0');
    all->path = oms_malloc(text.len);
    memcpy(all->path, text.data, text.len);
    oms_buf_fini(&text);
    size_t size = strlen(all->config.token) + sizeof("Bearer ");
    all->bearer = oms_malloc(size);
    snprintf(all->bearer, size, "Bearer %s", all->config.token);
    snprintf(all->authority, sizeof(all->authority), "127.0.0.1:%u", all->config.port);
}

static bool wait_attached(struct readers *all, struct oms_error *error)
{
    for (int i = 0; i < ATTACH_S * 100; i++) {
        struct timespec pause = {0, 10 * 1000000};
        pthread_mutex_lock(&all->lock);
        unsigned attached = all->attached;
        bool fine = !all->broken[0] && !all->result.ended && !all->result.wrong;
        pthread_mutex_unlock(&all->lock);
        if (!fine || attached == all->count)
            break;
        nanosleep(&pause, NULL);
    }
    pthread_mutex_lock(&all->lock);
    bool done = all->attached == all->count && !all->broken[0];
    if (!done)
        (void)oms_error_set(error, OMS_IO, "%u of %zu streams attached; %s %s", all->attached, all->count,
                            all->broken, all->result.first_wrong);
    pthread_mutex_unlock(&all->lock);
    return done;
}

enum oms_status readers_open(const struct readers_config *config, struct readers **out,
                             struct oms_error *error)
{
    struct readers *all = oms_calloc(1, sizeof(*all));
    enum oms_status status = OMS_OK;
    all->config = *config;
    all->count = (size_t)config->connections * config->streams;
    all->items = oms_calloc(all->count, sizeof(all->items[0]));
    all->wires = oms_calloc(config->connections, sizeof(all->wires[0]));
    all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    pthread_mutex_init(&all->lock, NULL);
    OMS_ASSERT(all->epoll_fd >= 0 && nghttp2_session_callbacks_new(&all->callbacks) == 0);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all->callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(all->callbacks, on_close);
    make_texts(all);
    for (unsigned i = 0; i < config->connections; i++)
        all->wires[i].fd = -1;
    for (unsigned i = 0; i < config->connections && status == OMS_OK; i++) {
        status = wire_open(all, &all->wires[i], error);
        for (unsigned j = 0; j < config->streams && status == OMS_OK; j++) {
            struct reader *reader = &all->items[i * config->streams + j];
            reader->all = all;
            oms_buf_init(&reader->part, BLOCK_MAX);
            subscribe(all, &all->wires[i], reader);
        }
    }
    if (status == OMS_OK) {
        all->started = pthread_create(&all->thread, NULL, run, all) == 0;
        if (!all->started || !wait_attached(all, error))
            status = OMS_IO;
    }
    if (status != OMS_OK) {
        readers_close(all);
        return status;
    }
    readers_reset(all);
    *out = all;
    return OMS_OK;
}

void readers_reset(struct readers *all)
{
    pthread_mutex_lock(&all->lock);
    memset(&all->result, 0, sizeof(all->result));
    for (size_t i = 0; i < all->count; i++)
        all->items[i].events = 0;
    pthread_mutex_unlock(&all->lock);
}

void readers_look(struct readers *all, struct readers_result *out)
{
    pthread_mutex_lock(&all->lock);
    *out = all->result;
    out->least = UINT64_MAX;
    for (size_t i = 0; i < all->count; i++) {
        uint64_t events = all->items[i].events;
        out->least = events < out->least ? events : out->least;
        out->most = events > out->most ? events : out->most;
    }
    if (all->broken[0]) {
        out->wrong++;
        snprintf(out->first_wrong, sizeof(out->first_wrong), "%s", all->broken);
    }
    pthread_mutex_unlock(&all->lock);
}

void readers_close(struct readers *all)
{
    atomic_store(&all->stopping, true);
    if (all->started)
        pthread_join(all->thread, NULL);
    for (unsigned i = 0; i < all->config.connections; i++) {
        struct wire *wire = &all->wires[i];
        if (wire->session)
            nghttp2_session_del(wire->session);
        if (wire->fd >= 0)
            close(wire->fd);
        oms_buf_fini(&wire->out);
    }
    for (size_t i = 0; i < all->count; i++)
        oms_buf_fini(&all->items[i].part);
    nghttp2_session_callbacks_del(all->callbacks);
    close(all->epoll_fd);
    pthread_mutex_destroy(&all->lock);
    oms_free((void *)(uintptr_t)all->body.data);
    oms_free(all->path);
    oms_free(all->bearer);
    oms_free(all->items);
    oms_free(all->wires);
    oms_free(all);
}
