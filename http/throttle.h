/*
 * Requests per second of each tenant: a token bucket per tenant, kept as the time at which it is full again.
 *
 * One object per shard, used on that shard's thread only: shards share nothing, so each admits its share of
 * the tenant's rate. A bucket holds one second of the share, but at least one request, so that a rate smaller
 * than the number of shards is slow and not zero.
 */
#ifndef HTTP_THROTTLE_H
#define HTTP_THROTTLE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct http_throttle {
    unsigned shares;   /* shards that divide a rate among them */
    uint64_t *full_ns; /* by tenant number: when its bucket is full again; grows with the limited tenants */
    size_t count;
};

/* shares: at least 1. */
void http_throttle_init(struct http_throttle *throttle, unsigned shares);
void http_throttle_fini(struct http_throttle *throttle);
/*
 * Takes one request of the tenant at the monotonic time now_ns. Returns 0 when it is admitted, else the
 * nanoseconds after which one would be; then nothing is taken. per_second: of the whole server; 0: no limit.
 */
OMS_MUST_USE uint64_t http_throttle_take(struct http_throttle *throttle, uint32_t tenant, uint64_t per_second,
                                         uint64_t now_ns);

#endif
