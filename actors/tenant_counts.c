/* See tenant_counts.h. */
#include "actors/tenant_counts.h"

#include "actors/order_codec.h"
#include "storage/store.h"

void tenant_counts_key(uint32_t tenant, unsigned char out[TENANT_COUNTS_KEY_SIZE])
{
    const struct rt_address address = {.tenant = tenant, .kind = RT_ACTOR_TENANT};
    order_aside_key(&address, ORDER_ASIDE_COUNTS, 0, out);
}

void tenant_counts_put(uint32_t tenant, struct tenant_usage delta, struct store_writes *writes)
{
    unsigned char key[TENANT_COUNTS_KEY_SIZE];
    const int64_t deltas[] = {delta.open_orders, delta.stored_events, delta.webhooks_waiting};
    tenant_counts_key(tenant, key);
    store_writes_add(writes, STORE_ASIDE, oms_str_make(key, sizeof(key)), deltas, 3);
}

struct tenant_usage tenant_counts_decode(struct oms_str value)
{
    return (struct tenant_usage){store_sum_read(value, 0), store_sum_read(value, 1),
                                 store_sum_read(value, 2)};
}

void tenant_counts_add(struct tenant_counts *counts, struct tenant_usage delta)
{
    if (delta.open_orders)
        atomic_fetch_add_explicit(&counts->open_orders, delta.open_orders, memory_order_relaxed);
    if (delta.stored_events)
        atomic_fetch_add_explicit(&counts->stored_events, delta.stored_events, memory_order_relaxed);
    if (delta.webhooks_waiting)
        atomic_fetch_add_explicit(&counts->webhooks_waiting, delta.webhooks_waiting, memory_order_relaxed);
}

struct tenant_usage tenant_counts_read(const struct tenant_counts *counts)
{
    return (struct tenant_usage){atomic_load_explicit(&counts->open_orders, memory_order_relaxed),
                                 atomic_load_explicit(&counts->stored_events, memory_order_relaxed),
                                 atomic_load_explicit(&counts->webhooks_waiting, memory_order_relaxed)};
}
