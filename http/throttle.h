/*
 * Leaky buckets, each kept as the time at which it is full again: requests per second of each tenant, and
 * budgets of what requests cost, of tenants and of subjects.
 *
 * One object per shard, used on that shard's thread only: shards share nothing, so each admits its share of
 * the rate. A tenant's bucket of requests holds one second of the share, but at least one request, so that a
 * rate smaller than the number of shards is slow and not zero. A budget has its whole capacity on every
 * shard, since a request that is allowed must fit into it, and restores its share.
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
/* The same for `count` requests at once: all of them or none. */
OMS_MUST_USE uint64_t http_throttle_take_many(struct http_throttle *throttle, uint32_t tenant,
                                              uint64_t per_second, uint64_t count, uint64_t now_ns);
/* Where the time of the tenant's bucket is kept, for budgets; until the next call. */
uint64_t *http_throttle_place(struct http_throttle *throttle, uint32_t tenant);

/* ---- budgets ---- */

#define HTTP_BUDGET_CAPACITY_MAX UINT64_C(100000000)

struct http_budget {
    uint64_t capacity; /* units that a full bucket holds, at most HTTP_BUDGET_CAPACITY_MAX; 0: no budget */
    uint64_t restore;  /* units a second, of the whole server; not 0 with a capacity */
};

/*
 * The nanoseconds after which the bucket that is full at `full_ns` has `units` (at most the capacity), 0 when
 * it has them now. shares: shards that divide the restoring among them.
 */
uint64_t http_budget_wait(const struct http_budget *budget, unsigned shares, uint64_t full_ns, uint64_t units,
                          uint64_t now_ns);
/* Takes them, whether they are there or not; returns when the bucket is full again. */
uint64_t http_budget_take(const struct http_budget *budget, unsigned shares, uint64_t full_ns, uint64_t units,
                          uint64_t now_ns);
/* What it has. */
uint64_t http_budget_available(const struct http_budget *budget, unsigned shares, uint64_t full_ns,
                               uint64_t now_ns);

/*
 * Buckets of whoever comes, by a keyed hash of who it is: a table of fixed size that forgets the one nearest
 * to full when it has no room. So it never grows, and who is forgotten had next to nothing to wait for.
 */
struct http_budget_table;
struct http_budget_table *http_budget_table_create(void);
void http_budget_table_destroy(struct http_budget_table *table);
/* The bucket's time; until the next call. */
uint64_t *http_budget_table_place(struct http_budget_table *table, uint64_t hash);

#endif
