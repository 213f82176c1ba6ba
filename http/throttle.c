/*
 * A bucket is one number. Each request moves the time at which the bucket is full by one interval, and is
 * admitted while that time lies at most one burst ahead. A bucket that was full long ago counts as full now,
 * so nothing has to be filled by a timer, and a changed rate needs no conversion.
 */
#include "http/throttle.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define SECOND_NS UINT64_C(1000000000)

void http_throttle_init(struct http_throttle *throttle, unsigned shares)
{
    OMS_ASSERT(shares > 0);
    *throttle = (struct http_throttle){.shares = shares};
}

void http_throttle_fini(struct http_throttle *throttle)
{
    oms_free(throttle->full_ns);
    *throttle = (struct http_throttle){0};
}

/* The tenant's place; new ones are full. */
static uint64_t *place(struct http_throttle *throttle, uint32_t tenant)
{
    OMS_ASSERT(tenant < OMS_TENANTS_MAX);
    if (tenant >= throttle->count) {
        size_t count = throttle->count ? throttle->count : 16;
        while (count <= tenant)
            count *= 2;
        throttle->full_ns = oms_reallocarray(throttle->full_ns, count, sizeof(throttle->full_ns[0]));
        memset(throttle->full_ns + throttle->count, 0,
               (count - throttle->count) * sizeof(throttle->full_ns[0]));
        throttle->count = count;
    }
    return &throttle->full_ns[tenant];
}

uint64_t http_throttle_take(struct http_throttle *throttle, uint32_t tenant, uint64_t per_second,
                            uint64_t now_ns)
{
    if (!per_second)
        return 0;
    uint64_t interval = throttle->shares * SECOND_NS / per_second;
    uint64_t burst = interval > SECOND_NS ? interval : SECOND_NS;
    uint64_t *full = place(throttle, tenant);
    uint64_t then = (*full > now_ns ? *full : now_ns) + interval;
    if (then > now_ns + burst)
        return then - (now_ns + burst);
    *full = then;
    return 0;
}
