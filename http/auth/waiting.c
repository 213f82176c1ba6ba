/* A list, a timer for its earliest, and a table of marks that newer ones overwrite. See waiting.h. */
#include "http/auth/waiting.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/hash.h"
#include "runtime/base/prng.h"
#include "runtime/shard.h"

struct not_found {
    uint64_t mark;
    int64_t until_ms;
};

struct http_waiting {
    struct rt_shard *shard;
    void (*late)(void *context, struct http_waiter *waiter);
    void *context;
    struct rt_timer timer;
    struct http_waiter *first, **last;
    unsigned count[HTTP_ISSUERS_ALL];
    struct oms_hash_key key; /* nobody outside knows which kids share a place */
    struct not_found not_found[OMS_JWKS_UNKNOWN_MAX];
};

static void set_timer(struct http_waiting *room)
{
    int64_t due_ms = INT64_MAX;
    for (const struct http_waiter *waiter = room->first; waiter; waiter = waiter->next)
        if (waiter->due_ms < due_ms)
            due_ms = waiter->due_ms;
    if (room->first)
        rt_timer_start(room->shard, &room->timer, due_ms);
    else
        rt_timer_stop(room->shard, &room->timer);
}

static void append(struct http_waiting *room, struct http_waiter *waiter)
{
    waiter->next = NULL;
    *room->last = waiter;
    room->last = &waiter->next;
    room->count[waiter->issuer]++;
}

/* Takes out those of the issuer, or, with any other number, those that were due by then. */
static struct http_waiter *take(struct http_waiting *room, size_t issuer, int64_t due_ms)
{
    struct http_waiter *taken = NULL, **taken_last = &taken, **at = &room->first;
    while (*at) {
        struct http_waiter *waiter = *at;
        if (waiter->issuer != issuer && waiter->due_ms > due_ms) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        waiter->next = NULL;
        room->count[waiter->issuer]--;
        *taken_last = waiter;
        taken_last = &waiter->next;
    }
    room->last = at;
    set_timer(room);
    return taken;
}

static void fire(struct rt_shard *shard, struct rt_timer *timer)
{
    struct http_waiting *room = OMS_CONTAINER_OF(timer, struct http_waiting, timer);
    struct http_waiter *waiter = take(room, SIZE_MAX, rt_now_ms(rt_shard_host(shard))), *next;
    for (; waiter; waiter = next) {
        next = waiter->next;
        room->late(room->context, waiter);
    }
}

struct http_waiting *http_waiting_create(struct rt_shard *shard,
                                         void (*late)(void *context, struct http_waiter *waiter),
                                         void *context)
{
    struct http_waiting *room = oms_calloc(1, sizeof(*room));
    room->shard = shard;
    room->late = late;
    room->context = context;
    room->timer.fire = fire;
    room->last = &room->first;
    oms_random_bytes(&room->key, sizeof(room->key));
    return room;
}

void http_waiting_destroy(struct http_waiting *room)
{
    OMS_ASSERT(!room || !room->first);
    oms_free(room);
}

bool http_waiting_add(struct http_waiting *room, const struct http_waiter *waiter)
{
    OMS_ASSERT(waiter->issuer < OMS_COUNT_OF(room->count));
    if (room->count[waiter->issuer] >= OMS_JWKS_WAITING_MAX)
        return false;
    struct http_waiter *copy = oms_malloc(sizeof(*copy));
    *copy = *waiter;
    append(room, copy);
    if (room->first == copy || copy->due_ms < room->timer.due_ms)
        rt_timer_start(room->shard, &room->timer, copy->due_ms);
    return true;
}

struct http_waiter *http_waiting_take(struct http_waiting *room, size_t issuer)
{
    return take(room, issuer, INT64_MIN);
}

void http_waiting_return(struct http_waiting *room, struct http_waiter *waiter)
{
    append(room, waiter);
    set_timer(room);
}

void http_waiting_free(struct http_waiter *waiter)
{
    oms_free(waiter);
}

/* ---- keys that were not found ---- */

static uint64_t mark_of(const struct http_waiting *room, const struct http_unknown_key *key)
{
    return oms_siphash64(&room->key, key->kid, key->kid_len) ^ oms_mix64(key->issuer + 1);
}

void http_waiting_not_found(struct http_waiting *room, const struct http_unknown_key *key, int64_t now_ms)
{
    uint64_t mark = mark_of(room, key);
    room->not_found[mark % OMS_JWKS_UNKNOWN_MAX] = (struct not_found){mark, now_ms + OMS_JWKS_UNKNOWN_MS};
}

bool http_waiting_is_not_found(const struct http_waiting *room, const struct http_unknown_key *key,
                               int64_t now_ms)
{
    uint64_t mark = mark_of(room, key);
    const struct not_found *found = &room->not_found[mark % OMS_JWKS_UNKNOWN_MAX];
    return found->mark == mark && found->until_ms > now_ms;
}
