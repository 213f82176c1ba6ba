/* See traffic.h. */
#include "http/api/traffic.h"

#include <stdatomic.h>

#include "http/api/request.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

#define MINUTE_MS 60000

/* Written by its shard alone; a reader that meets it between two writes reckons a little wrong once. */
struct api_traffic {
    _Atomic uint32_t minute; /* since 1970 */
    _Atomic uint32_t count, before;
};

struct api_traffic *api_traffic_create(void)
{
    return oms_calloc(OMS_TENANTS_MAX + 1, sizeof(struct api_traffic));
}

void api_traffic_destroy(struct api_traffic *traffic)
{
    oms_free(traffic);
}

static uint32_t get(const _Atomic uint32_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void put(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

void api_traffic_count(struct api_traffic *traffic, uint32_t tenant, uint64_t requests, int64_t now_ms)
{
    struct api_traffic *own = &traffic[tenant];
    uint32_t minute = (uint32_t)(now_ms / MINUTE_MS);
    if (get(&own->minute) != minute) {
        put(&own->before, get(&own->minute) + 1 == minute ? get(&own->count) : 0);
        put(&own->count, 0);
        put(&own->minute, minute);
    }
    put(&own->count, get(&own->count) + (uint32_t)requests);
}

uint64_t api_traffic_read(const struct api *api, uint32_t tenant, int64_t now_ms)
{
    uint32_t minute = (uint32_t)(now_ms / MINUTE_MS);
    uint64_t left = MINUTE_MS - (uint64_t)(now_ms % MINUTE_MS), sum = 0;
    for (unsigned i = 0; i < api->shard_count && tenant <= OMS_TENANTS_MAX; i++) {
        const struct api_traffic *own = &api->shards[i]->traffic[tenant];
        uint32_t counted = get(&own->minute);
        if (counted == minute)
            sum += get(&own->count) + get(&own->before) * left / MINUTE_MS;
        else if (counted + 1 == minute)
            sum += get(&own->count) * left / MINUTE_MS;
    }
    return sum;
}
