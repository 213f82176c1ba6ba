/* Lists and counts; every transition asserts what it takes for granted. */
#include "http/connection.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define ARENA_CHUNK_BYTES  (16u << 10)
#define OUT_KEPT_BYTES_MAX (256u << 10) /* a recycled response buffer keeps at most this */
#define SLOTS_KEPT_MAX     2048

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

static struct http_slot *slot_create(struct http_slots *slots)
{
    struct http_slot *slot = oms_calloc(1, sizeof(*slot));
    slot->home = slots;
    slot->exchange.ops = slots->ops;
    slot->exchange.shard = slots->shard;
    oms_arena_init(&slot->exchange.arena, ARENA_CHUNK_BYTES, OMS_REQUEST_ARENA_BYTES_MAX);
    oms_buf_init(&slot->exchange.out, OMS_RESPONSE_BYTES_MAX);
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

static void unsent_push(struct http_connection *connection, struct http_slot *slot)
{
    slot->prev = connection->unsent_last;
    slot->next = NULL;
    if (connection->unsent_last)
        connection->unsent_last->next = slot;
    else
        connection->unsent_first = slot;
    connection->unsent_last = slot;
}

static void unsent_remove(struct http_connection *connection, struct http_slot *slot)
{
    if (slot->prev)
        slot->prev->next = slot->next;
    else
        connection->unsent_first = slot->next;
    if (slot->next)
        slot->next->prev = slot->prev;
    else
        connection->unsent_last = slot->prev;
    slot->prev = slot->next = NULL;
}

bool http_slot_answered(struct http_slot *slot, uint64_t now_ns)
{
    OMS_ASSERT(!slot->answered_ns && slot->home->in_flight > 0);
    slot->home->in_flight--;
    slot->answered_ns = now_ns ? now_ns : 1;
    if (!slot->request) {
        slot_recycle(slot);
        return false;
    }
    slot->connection->sample.in_flight--;
    unsent_push(slot->connection, slot);
    return true;
}

bool http_slot_disposed(struct http_slot *slot)
{
    struct http_connection *connection = slot->connection;
    OMS_ASSERT(slot->request && connection && connection->slots > 0);
    slot->request = NULL;
    slot->connection = NULL;
    connection->slots--;
    if (slot->answered_ns) {
        unsent_remove(connection, slot);
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
    OMS_ASSERT(connection->slots == 0 && !connection->unsent_first && connections->count > 0);
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        connections->first = connection->next;
    if (connection->next)
        connection->next->prev = connection->prev;
    connections->count--;
    oms_free(connection);
}

uint64_t http_connections_judge(struct http_connections *connections, const struct http_guard_limits *limits,
                                uint64_t now_ns,
                                void (*end)(struct http_connection *connection,
                                            enum http_guard_verdict verdict),
                                struct http_connection **worst)
{
    uint64_t buffered = 0;
    *worst = NULL;
    for (struct http_connection *c = connections->first; c; c = c->next) {
        const struct http_slot *oldest = c->unsent_first;
        bool waits = oldest && now_ns > oldest->answered_ns;
        if (c->ended)
            continue;
        c->sample.oldest_unsent_ms = waits ? (int64_t)((now_ns - oldest->answered_ns) / 1000000) : 0;
        enum http_guard_verdict verdict = http_guard_judge(&c->guard, &c->sample, limits);
        if (verdict != HTTP_GUARD_FINE) {
            end(c, verdict);
            continue;
        }
        buffered += c->guard.buffered;
        if (c->guard.buffered && (!*worst || c->guard.buffered > (*worst)->guard.buffered))
            *worst = c;
    }
    return buffered;
}
