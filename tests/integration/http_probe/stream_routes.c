/*
 * Streaming answers of the probe, GET or POST:
 *
 *   /stream?count=N&bytes=B&chunks=C[&every=MS][&abort=1]
 *       N times C chunks of B bytes, each time when the last ones have been taken (and MS later), then the
 * end (or an abort). A byte's value tells its place, so that a test sees one that is missing. /subscribe
 * nothing, until somebody publishes /publish?bytes=B  one chunk to every subscriber on the shard that can
 * take it; answers how many /stream-counts    what happened so far, as JSON
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/exchange.h"
#include "http/router.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/shard.h"
#include "tests/integration/http_probe/routes.h"

struct stream {
    struct http_exchange *exchange;
    struct stream *prev, *next; /* subscribers */
    struct rt_timer timer;
    unsigned long count, bytes, chunks, every, sent;
    bool abort, subscribed, waits;
};

static struct stream *subscribers[OMS_SHARDS_MAX];
static atomic_uint begun, gone, ended, skipped;

static unsigned long parameter(struct oms_str query, const char *name, unsigned long fallback)
{
    char text[256];
    snprintf(text, sizeof(text), "&%.*s", OMS_STR_ARG(query));
    char key[32];
    snprintf(key, sizeof(key), "&%s=", name);
    const char *at = strstr(text, key);
    return at ? strtoul(at + strlen(key), NULL, 10) : fallback;
}

static struct stream **list_of(const struct stream *stream)
{
    return &subscribers[rt_shard_index(stream->exchange->shard)];
}

static void forget(struct stream *stream, atomic_uint *why)
{
    atomic_fetch_add(why, 1);
    if (stream->waits)
        rt_timer_stop(stream->exchange->shard, &stream->timer);
    if (stream->subscribed) {
        if (stream->prev)
            stream->prev->next = stream->next;
        else
            *list_of(stream) = stream->next;
        if (stream->next)
            stream->next->prev = stream->prev;
    }
    oms_free(stream);
}

static void send_more(struct stream *stream)
{
    struct http_chunk chunks[HTTP_STREAM_CHUNKS_MAX];
    struct http_exchange *exchange = stream->exchange;
    if (stream->sent == stream->count) {
        if (stream->abort)
            http_stream_abort(exchange);
        else
            http_stream_end(exchange, NULL, 0);
        forget(stream, &ended);
        return;
    }
    struct http_payload *payload = http_payload_create((uint32_t)stream->bytes);
    memset(payload->bytes, 'a' + (int)(stream->sent % 26), stream->bytes);
    for (unsigned long i = 0; i < stream->chunks; i++)
        chunks[i] = (struct http_chunk){http_payload_hold(payload), http_payload_text(payload)};
    http_payload_release(payload);
    stream->sent++;
    if (stream->sent == stream->count && !stream->abort && stream->chunks > 1) { /* an end behind a send */
        http_stream_send(exchange, chunks, stream->chunks - 1);
        http_stream_end(exchange, chunks + stream->chunks - 1, 1);
        forget(stream, &ended);
        return;
    }
    http_stream_send(exchange, chunks, stream->chunks);
}

static void on_every(struct rt_shard *shard, struct rt_timer *timer)
{
    struct stream *stream = OMS_CONTAINER_OF(timer, struct stream, timer);
    (void)shard;
    stream->waits = false;
    send_more(stream);
}

static void on_ready(struct http_exchange *exchange, void *context)
{
    struct stream *stream = context;
    OMS_ASSERT(stream->exchange == exchange && http_stream_is_ready(exchange));
    if (stream->subscribed)
        return;
    if (stream->every == 0) {
        send_more(stream);
        return;
    }
    stream->waits = true;
    rt_timer_start(exchange->shard, &stream->timer,
                   rt_now_ms(rt_shard_host(exchange->shard)) + (int64_t)stream->every);
}

static void on_gone(struct http_exchange *exchange, void *context)
{
    struct stream *stream = context;
    OMS_ASSERT(stream->exchange == exchange);
    forget(stream, &gone);
}

static const struct http_stream_events events = {on_ready, on_gone};

static struct stream *begin(struct http_exchange *exchange)
{
    const struct http_header headers[] = {{OMS_STR("cache-control"), OMS_STR("no-store")}};
    struct stream *stream = oms_calloc(1, sizeof(*stream));
    stream->exchange = exchange;
    stream->count = parameter(exchange->query, "count", 1);
    stream->bytes = parameter(exchange->query, "bytes", 10);
    stream->chunks = parameter(exchange->query, "chunks", 1);
    stream->every = parameter(exchange->query, "every", 0);
    stream->abort = parameter(exchange->query, "abort", 0) == 1;
    stream->timer.fire = on_every;
    if (!http_stream_begin(exchange, 200, "text/event-stream", headers, 1, &events, stream)) {
        oms_free(stream);
        return NULL;
    }
    OMS_ASSERT(!http_stream_is_ready(exchange)); /* the head is on its way */
    atomic_fetch_add(&begun, 1);
    return stream;
}

static void handle_stream(struct http_exchange *exchange, void *context)
{
    (void)context;
    begin(exchange);
}

static void handle_subscribe(struct http_exchange *exchange, void *context)
{
    (void)context;
    struct stream *stream = begin(exchange);
    if (!stream)
        return;
    stream->subscribed = true;
    stream->next = *list_of(stream);
    if (stream->next)
        stream->next->prev = stream;
    *list_of(stream) = stream;
}

static void handle_publish(struct http_exchange *exchange, void *context)
{
    unsigned count = 0;
    unsigned long bytes = parameter(exchange->query, "bytes", 100);
    struct http_payload *payload = http_payload_create((uint32_t)bytes);
    (void)context;
    memset(payload->bytes, 'p', bytes);
    for (struct stream *s = subscribers[rt_shard_index(exchange->shard)]; s; s = s->next) {
        if (!http_stream_is_ready(s->exchange)) {
            atomic_fetch_add(&skipped, 1);
            continue;
        }
        const struct http_chunk chunk = {http_payload_hold(payload), http_payload_text(payload)};
        http_stream_send(s->exchange, &chunk, 1);
        count++;
    }
    http_payload_release(payload);
    oms_buf_appendf(&exchange->out, "%u\n", count);
    http_respond(exchange, 200, "text/plain", NULL, 0);
}

static void handle_counts(struct http_exchange *exchange, void *context)
{
    (void)context;
    oms_buf_appendf(&exchange->out, "{\"begun\":%u,\"gone\":%u,\"ended\":%u,\"skipped\":%u}\n",
                    atomic_load(&begun), atomic_load(&gone), atomic_load(&ended), atomic_load(&skipped));
    http_respond(exchange, 200, "application/json", NULL, 0);
}

void probe_add_stream_routes(struct http_router *router)
{
    const unsigned methods = 1u << HTTP_GET | 1u << HTTP_POST;
    const struct http_route routes[] = {
        {"/stream", methods, handle_stream, NULL},
        {"/subscribe", methods, handle_subscribe, NULL},
        {"/publish", methods, handle_publish, NULL},
        {"/stream-counts", 1u << HTTP_GET, handle_counts, NULL},
    };
    for (unsigned i = 0; i < OMS_COUNT_OF(routes); i++)
        http_router_add(router, &routes[i]);
}
