/* Lists and counts; every transition asserts what it takes for granted. */
#include "http/connection.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define ARENA_CHUNK_BYTES  (16u << 10)
#define OUT_KEPT_BYTES_MAX (256u << 10) /* a recycled response buffer keeps at most this */
#define SLOTS_KEPT_MAX     2048
/* A stream that its client leaves sooner than this was no use to anybody: it counts as a reset. */
#define STREAM_LIFE_MIN_NS 1000000000u
#define PATIENCE           10u /* response timeouts, for an answer that is being read */

_Static_assert(offsetof(struct http_slot, exchange) == 0, "http_slot_of");

/* ---- slots ---- */

void http_slots_init(struct http_slots *slots, struct rt_shard *shard, const struct http_exchange_ops *ops)
{
    *slots = (struct http_slots){.shard = shard, .ops = ops};
}

static void slot_free(struct http_slot *slot)
{
    oms_arena_fini(&slot->exchange.arena);
    oms_buf_fini(&slot->exchange.out);
    oms_free(slot);
}

void http_slots_fini(struct http_slots *slots)
{
    OMS_ASSERT(slots->in_flight == 0);
    while (slots->free) {
        struct http_slot *slot = slots->free;
        slots->free = slot->next;
        slot_free(slot);
    }
}

/* No memory is taken before it is used. */
static void slot_prepare(struct http_slot *slot)
{
    oms_arena_init(&slot->exchange.arena, ARENA_CHUNK_BYTES, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&slot->exchange.out, OMS_RESPONSE_BYTES_MAX);
}

static struct http_slot *slot_create(struct http_slots *slots)
{
    struct http_slot *slot = oms_calloc(1, sizeof(*slot));
    slot->home = slots;
    slot->exchange.ops = slots->ops;
    slot->exchange.shard = slots->shard;
    slot_prepare(slot);
    return slot;
}

struct http_slot *http_slot_take(struct http_slots *slots, struct http_connection *connection, void *request,
                                 uint64_t now_ns)
{
    struct http_slot *slot = slots->free;
    if (slot) {
        slots->free = slot->next;
        slots->free_count--;
        slot->next = NULL;
    } else {
        slot = slot_create(slots);
    }
    struct http_exchange *exchange = &slot->exchange;
    slot->request = request;
    slot->connection = connection;
    slots->in_flight++;
    connection->slots++;
    connection->sample.in_flight++;
    exchange->gone = false;
    exchange->cors_count = 0;
    exchange->route = 0;
    exchange->refusal = 0;
    exchange->handler_data = NULL;
    exchange->started_ns = now_ns;
    memcpy(slot->peer, connection->peer, connection->peer_len);
    exchange->peer = oms_str_make(slot->peer, connection->peer_len);
    return slot;
}

/* Answered (or never to be) and without a request: nobody refers to it any more. */
static void slot_recycle(struct http_slot *slot)
{
    struct http_slots *slots = slot->home;
    OMS_ASSERT(!slot->request && !slot->connection && slot->answered_ns);
    if (slots->free_count >= SLOTS_KEPT_MAX) {
        slot_free(slot);
        return;
    }
    struct http_exchange *exchange = &slot->exchange;
    oms_arena_reset(&exchange->arena);
    oms_buf_reset(&exchange->out);
    if (exchange->out.cap > OUT_KEPT_BYTES_MAX) {
        oms_buf_fini(&exchange->out);
        oms_buf_init(&exchange->out, OMS_RESPONSE_BYTES_MAX);
    }
    slot->answered_ns = 0;
    slot->prev = NULL;
    slot->next = slots->free;
    slots->free = slot;
    slots->free_count++;
}

static void list_push(struct http_slot_list *list, struct http_slot *slot)
{
    slot->prev = list->last;
    slot->next = NULL;
    if (list->last)
        list->last->next = slot;
    else
        list->first = slot;
    list->last = slot;
}

static void list_remove(struct http_slot_list *list, struct http_slot *slot)
{
    if (slot->prev)
        slot->prev->next = slot->next;
    else
        list->first = slot->next;
    if (slot->next)
        slot->next->prev = slot->prev;
    else
        list->last = slot->prev;
    slot->prev = slot->next = NULL;
}

/* The handler has nothing to answer any more; false: nobody waits for it either. */
static bool leave_flight(struct http_slot *slot, uint64_t now_ns)
{
    OMS_ASSERT(!slot->answered_ns && slot->home->in_flight > 0);
    slot->home->in_flight--;
    slot->answered_ns = now_ns ? now_ns : 1;
    if (!slot->request) {
        slot_recycle(slot);
        return false;
    }
    slot->connection->sample.in_flight--;
    return true;
}

bool http_slot_answered(struct http_slot *slot, uint64_t now_ns)
{
    if (!leave_flight(slot, now_ns))
        return false;
    list_push(&slot->connection->unsent, slot);
    return true;
}

/* ---- streams ---- */

bool http_slot_streams(struct http_slot *slot, const struct http_stream_events *events, void *context,
                       uint64_t now_ns)
{
    if (!leave_flight(slot, now_ns))
        return false;
    slot->events = events;
    slot->events_context = context;
    slot->connection->streams++;
    slot->home->streams++;
    return true;
}

void http_slot_slim(struct http_slot *slot)
{
    struct http_exchange *exchange = &slot->exchange;
    OMS_ASSERT(slot->answered_ns);
    oms_arena_fini(&exchange->arena);
    oms_buf_fini(&exchange->out);
    slot_prepare(slot);
    exchange->path = exchange->query = exchange->body = exchange->authority = OMS_STR_NONE;
    exchange->cors_count = 0;
    if (exchange->method == HTTP_OTHER)
        exchange->method_text = OMS_STR_NONE;
}

void http_slot_sending(struct http_slot *slot, uint64_t now_ns)
{
    http_slot_sent(slot);
    slot->sending_ns = now_ns ? now_ns : 1;
    list_push(&slot->connection->sending, slot);
}

void http_slot_sent(struct http_slot *slot)
{
    if (!slot->sending_ns)
        return;
    slot->sending_ns = 0;
    list_remove(&slot->connection->sending, slot);
}

void http_slot_silence(struct http_slot *slot)
{
    slot->events = NULL;
    slot->events_context = NULL;
}

static void stream_disposed(struct http_slot *slot, uint64_t now_ns)
{
    struct http_connection *connection = slot->connection;
    const struct http_stream_events *events = slot->events;
    void *context = slot->events_context;
    OMS_ASSERT(connection->streams > 0 && slot->home->streams > 0);
    http_slot_sent(slot);
    connection->streams--;
    slot->home->streams--;
    slot->connection = NULL;
    if (events && now_ns - slot->exchange.started_ns < STREAM_LIFE_MIN_NS)
        connection->sample.abandoned++;
    http_slot_silence(slot);
    slot->stream = NULL;
    slot->exchange.gone = true;
    if (events)
        events->gone(&slot->exchange, context);
    slot_recycle(slot);
}

bool http_slot_disposed(struct http_slot *slot, uint64_t now_ns)
{
    struct http_connection *connection = slot->connection;
    OMS_ASSERT(slot->request && connection && connection->slots > 0);
    slot->request = NULL;
    connection->slots--;
    if (slot->stream) {
        stream_disposed(slot, now_ns);
        return false;
    }
    slot->connection = NULL;
    if (slot->answered_ns) {
        list_remove(&connection->unsent, slot);
        slot_recycle(slot);
        return false;
    }
    connection->sample.abandoned++;
    connection->sample.in_flight--;
    slot->exchange.gone = true;
    return true;
}

/* ---- connections ---- */

struct http_connection *http_connection_create(struct http_connections *connections)
{
    struct http_connection *connection = oms_calloc(1, sizeof(*connection));
    connection->next = connections->first;
    if (connection->next)
        connection->next->prev = connection;
    connections->first = connection;
    connections->count++;
    return connection;
}

void http_connection_destroy(struct http_connections *connections, struct http_connection *connection)
{
    OMS_ASSERT(connection->slots == 0 && !connection->unsent.first && connections->count > 0);
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        connections->first = connection->next;
    if (connection->next)
        connection->next->prev = connection->prev;
    connections->count--;
    oms_free(connection);
}

static uint64_t age_ns(const struct http_slot *slot, uint64_t since_ns, uint64_t now_ns)
{
    return slot && now_ns > since_ns ? now_ns - since_ns : 0;
}

/*
 * For how long something has waited without anything going out: the oldest answer, or what the kernel was
 * given. A client may read slowly, but not for ever.
 */
static uint64_t waited_ns(struct http_connection *c, uint64_t now_ns, uint64_t timeout_ns)
{
    const struct http_slot *oldest = c->unsent.first;
    if (c->unwritten_bytes != c->unwritten_before || c->sample.sent_bytes != c->sent_before)
        c->moved_ns = now_ns;
    c->unwritten_before = c->unwritten_bytes;
    c->sent_before = c->sample.sent_bytes;
    uint64_t still_ns = now_ns - c->moved_ns,
             oldest_ns = age_ns(oldest, oldest ? oldest->answered_ns : 0, now_ns);
    if (oldest_ns > PATIENCE * timeout_ns)
        return oldest_ns;
    return c->unwritten_bytes || oldest_ns > still_ns ? still_ns : oldest_ns;
}

/* One stalled stream of many costs that stream only. */
static void cut_streams(struct http_connection *c, uint64_t now_ns, uint64_t timeout_ns,
                        const struct http_sentence *sentence)
{
    struct http_slot *slot;
    while ((slot = c->sending.first) && age_ns(slot, slot->sending_ns, now_ns) > timeout_ns) {
        http_slot_sent(slot);
        sentence->cut(slot);
    }
}

/* Its messages are no requests, so the guard's arithmetic does not fit; each was bounded and paid for. */
static enum http_guard_verdict judge_websocket(struct http_connection *c,
                                               const struct http_guard_limits *limits)
{
    c->guard.buffered = c->sample.buffered_bytes;
    return c->sample.oldest_unsent_ms > limits->response_timeout_ms ? HTTP_GUARD_SLOW_RESPONSE
                                                                    : HTTP_GUARD_FINE;
}

uint64_t http_connections_judge(struct http_connections *connections, const struct http_guard_limits *limits,
                                uint64_t now_ns, const struct http_sentence *sentence,
                                struct http_connection **worst)
{
    const uint64_t timeout_ns = (uint64_t)limits->response_timeout_ms * 1000000;
    uint64_t buffered = 0;
    *worst = NULL;
    for (struct http_connection *c = connections->first; c; c = c->next) {
        if (c->ended)
            continue;
        c->sample.oldest_unsent_ms = (int64_t)(waited_ns(c, now_ns, timeout_ns) / 1000000);
        enum http_guard_verdict verdict =
            c->websocket ? judge_websocket(c, limits) : http_guard_judge(&c->guard, &c->sample, limits);
        if (verdict != HTTP_GUARD_FINE) {
            sentence->end(c, verdict);
            continue;
        }
        cut_streams(c, now_ns, timeout_ns, sentence);
        buffered += c->guard.buffered;
        if (c->guard.buffered && (!*worst || c->guard.buffered > (*worst)->guard.buffered))
            *worst = c;
    }
    return buffered;
}
