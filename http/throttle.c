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

/* New ones are full. */
uint64_t *http_throttle_place(struct http_throttle *throttle, uint32_t tenant)
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

uint64_t http_throttle_take_many(struct http_throttle *throttle, uint32_t tenant, uint64_t per_second,
                                 uint64_t count, uint64_t now_ns)
{
    if (!per_second)
        return 0;
    uint64_t interval = throttle->shares * SECOND_NS / per_second;
    uint64_t burst = interval > SECOND_NS ? interval : SECOND_NS;
    uint64_t *full = http_throttle_place(throttle, tenant);
    uint64_t then = (*full > now_ns ? *full : now_ns) + count * interval;
    if (then > now_ns + burst)
        return then - (now_ns + burst);
    *full = then;
    return 0;
}

uint64_t http_throttle_take(struct http_throttle *throttle, uint32_t tenant, uint64_t per_second,
                            uint64_t now_ns)
{
    return http_throttle_take_many(throttle, tenant, per_second, 1, now_ns);
}

/* ---- budgets ---- */

_Static_assert(HTTP_BUDGET_CAPACITY_MAX <= UINT64_MAX / (OMS_SHARDS_MAX * SECOND_NS), "no product overflows");

/* How long the units take to come. */
static uint64_t time_of(const struct http_budget *budget, unsigned shares, uint64_t units)
{
    return units * (shares * SECOND_NS) / budget->restore;
}

uint64_t http_budget_take(const struct http_budget *budget, unsigned shares, uint64_t full_ns, uint64_t units,
                          uint64_t now_ns)
{
    OMS_ASSERT(units <= HTTP_BUDGET_CAPACITY_MAX);
    return (full_ns > now_ns ? full_ns : now_ns) + time_of(budget, shares, units);
}

uint64_t http_budget_wait(const struct http_budget *budget, unsigned shares, uint64_t full_ns, uint64_t units,
                          uint64_t now_ns)
{
    uint64_t then = http_budget_take(budget, shares, full_ns, units, now_ns);
    uint64_t empty = now_ns + time_of(budget, shares, budget->capacity);
    return then > empty ? then - empty : 0;
}

uint64_t http_budget_available(const struct http_budget *budget, unsigned shares, uint64_t full_ns,
                               uint64_t now_ns)
{
    uint64_t missing_ns = full_ns > now_ns ? full_ns - now_ns : 0;
    uint64_t whole_ns = time_of(budget, shares, budget->capacity);
    if (missing_ns >= whole_ns)
        return 0;
    /* What is missing of a unit counts as a whole one. */
    uint64_t unit_ns = shares * SECOND_NS;
    return budget->capacity - (missing_ns * budget->restore + unit_ns - 1) / unit_ns;
}

/* ---- the table ---- */

#define TABLE_SETS 2048u
#define TABLE_WAYS 4u

struct http_budget_table {
    struct bucket {
        uint64_t hash, full_ns;
    } buckets[TABLE_SETS][TABLE_WAYS];
};

struct http_budget_table *http_budget_table_create(void)
{
    return oms_calloc(1, sizeof(struct http_budget_table));
}

void http_budget_table_destroy(struct http_budget_table *table)
{
    oms_free(table);
}

uint64_t *http_budget_table_place(struct http_budget_table *table, uint64_t hash)
{
    struct bucket *set = table->buckets[hash % TABLE_SETS], *fullest = set;
    for (unsigned i = 0; i < TABLE_WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i].full_ns;
        if (set[i].full_ns < fullest->full_ns)
            fullest = &set[i];
    }
    *fullest = (struct bucket){hash, 0};
    return &fullest->full_ns;
}
