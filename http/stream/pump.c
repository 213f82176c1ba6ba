/* From a stream to whoever reads it. See pump.h. */
#include "http/stream/pump.h"

#include "http/sse.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/shard.h"

/* One subscription. While nothing is on its way it is in the list of the idle, the longest idle one first. */
struct pump {
    struct stream_reader reader;
    struct http_exchange *exchange;
    struct stream_pumps *pumps;
    struct pump *prev, *next;
    int64_t idle_since_ms;
    bool idle;
    struct http_payload *left; /* popped, but without room in the last send; NULL: none */
};

struct stream_pumps {
    struct rt_shard *shard;
    struct pump *idle_first, *idle_last;
    struct rt_timer heartbeat;
};

static int64_t now_ms(const struct stream_pumps *pumps)
{
    return rt_now_ms(rt_shard_host(pumps->shard));
}

/* ---- the idle, for heartbeats ---- */

static void idle_leave(struct pump *pump)
{
    struct stream_pumps *pumps = pump->pumps;
    if (!pump->idle)
        return;
    *(pump->prev ? &pump->prev->next : &pumps->idle_first) = pump->next;
    *(pump->next ? &pump->next->prev : &pumps->idle_last) = pump->prev;
    pump->prev = pump->next = NULL;
    pump->idle = false;
}

static void idle_enter(struct pump *pump)
{
    struct stream_pumps *pumps = pump->pumps;
    if (pump->exchange->is_websocket)
        return; /* its connection has pings of its own */
    pump->idle = true;
    pump->idle_since_ms = now_ms(pumps);
    pump->prev = pumps->idle_last;
    pump->next = NULL;
    *(pump->prev ? &pump->prev->next : &pumps->idle_first) = pump;
    pumps->idle_last = pump;
    if (!pumps->heartbeat.heap_index)
        rt_timer_start(pumps->shard, &pumps->heartbeat, pump->idle_since_ms + OMS_STREAM_HEARTBEAT_MS);
}

static void on_heartbeat(struct rt_shard *shard, struct rt_timer *timer)
{
    struct stream_pumps *pumps = OMS_CONTAINER_OF(timer, struct stream_pumps, heartbeat);
    const struct http_chunk beat = HTTP_SSE_HEARTBEAT;
    int64_t now = now_ms(pumps);
    (void)shard;
    while (pumps->idle_first && now - pumps->idle_first->idle_since_ms >= OMS_STREAM_HEARTBEAT_MS) {
        struct pump *pump = pumps->idle_first;
        idle_leave(pump);
        http_stream_send(pump->exchange, &beat, 1);
    }
    if (pumps->idle_first)
        rt_timer_start(pumps->shard, timer, pumps->idle_first->idle_since_ms + OMS_STREAM_HEARTBEAT_MS);
}

/* ---- sending ---- */

static void pump_destroy(struct pump *pump)
{
    idle_leave(pump);
    stream_close(&pump->reader);
    http_payload_release(pump->left);
    oms_free(pump);
}

static struct http_payload *pop(struct pump *pump)
{
    struct http_payload *payload = pump->left;
    pump->left = NULL;
    return payload ? payload : stream_pop(&pump->reader);
}

/* What the stream has, up to a send's bounds; the rest stays in its ring. */
static size_t gather(struct pump *pump, struct http_chunk *chunks)
{
    size_t count = 0, bytes = 0;
    struct http_payload *payload;
    while (count < HTTP_STREAM_CHUNKS_MAX && (payload = pop(pump)) != NULL) {
        if (count && bytes + payload->len > OMS_STREAM_SEND_BYTES_MAX) {
            pump->left = payload;
            break;
        }
        bytes += payload->len;
        chunks[count++] = (struct http_chunk){payload, http_payload_text(payload)};
    }
    return count;
}

static void finish(struct pump *pump)
{
    struct http_payload *words = stream_last_words(&pump->reader);
    struct http_exchange *exchange = pump->exchange;
    const struct http_chunk chunks[] = {{words, http_payload_text(words)}, HTTP_SSE_COMPLETE};
    pump_destroy(pump);
    http_stream_end(exchange, chunks, OMS_COUNT_OF(chunks));
}

static void flow(struct pump *pump)
{
    struct http_chunk chunks[HTTP_STREAM_CHUNKS_MAX];
    size_t count = gather(pump, chunks);
    if (count) {
        idle_leave(pump);
        http_stream_send(pump->exchange, chunks, count);
    } else if (stream_ended(&pump->reader) != STREAM_END_NONE) {
        finish(pump);
    } else if (!pump->idle) {
        idle_enter(pump);
    }
}

static void on_wake(struct stream_reader *reader)
{
    struct pump *pump = OMS_CONTAINER_OF(reader, struct pump, reader);
    if (http_stream_is_ready(pump->exchange))
        flow(pump);
}

static void on_ready(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    flow(context);
}

static void on_gone(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    pump_destroy(context);
}

/* ---- opening ---- */

static void refuse(struct http_exchange *exchange, const struct gql_errors *errors, bool as_events)
{
    oms_buf_reset(&exchange->out);
    gql_respond(NULL, NULL, errors, &exchange->out);
    if (as_events)
        http_sse_respond(exchange);
    else
        http_respond(exchange, 400, "application/graphql-response+json; charset=utf-8", NULL, 0);
}

void stream_pump(struct stream_pumps *pumps, struct api_shard *as, struct http_exchange *exchange,
                 const struct stream_request *request, bool as_events)
{
    static const struct stream_reader_ops reader_ops = {.wake = on_wake};
    static const struct http_stream_events events = {.ready = on_ready, .gone = on_gone};
    struct pump *pump = oms_calloc(1, sizeof(*pump));
    struct gql_errors errors;
    pump->reader.ops = &reader_ops;
    pump->exchange = exchange;
    pump->pumps = pumps;
    gql_errors_init(&errors, &exchange->arena);
    if (stream_open(as, &pump->reader, request, &errors) != OMS_OK) {
        oms_free(pump);
        refuse(exchange, &errors, as_events);
        return;
    }
    if (!http_sse_begin(exchange, &events, pump)) {
        pump_destroy(pump);
        return;
    }
    if (http_stream_is_ready(exchange))
        flow(pump);
}

struct stream_pumps *stream_pumps_create(struct rt_shard *shard)
{
    struct stream_pumps *pumps = oms_calloc(1, sizeof(*pumps));
    pumps->shard = shard;
    pumps->heartbeat.fire = on_heartbeat;
    return pumps;
}

void stream_pumps_destroy(struct stream_pumps *pumps)
{
    if (!pumps)
        return;
    OMS_ASSERT(!pumps->idle_first);
    oms_free(pumps);
}
