/*
 * How much a tenant has: open orders, stored events, and webhooks that wait in its inbox.
 *
 * Two copies of the same numbers. The stored one is a fold of the log like every derived family
 * (projector.c), exact at the applied position, and checked by `liteoms verify`. The one in memory is what
 * shards add to when they submit a unit, so that it is ahead of the log by just what is in flight; it begins
 * with the stored one. Shards share it: with the streams of a tenant it is the one thing that they do, since
 * a limit of a tenant is one for all shards.
 *
 * A write that fails stops the process, and recovery counts again.
 */
#ifndef TENANT_COUNTS_H
#define TENANT_COUNTS_H

#include <stdatomic.h>
#include <stdint.h>

#include "storage/keys.h"

struct store_writes;

struct tenant_counts {
    _Atomic int64_t open_orders;
    _Atomic int64_t stored_events;
    _Atomic int64_t webhooks_waiting;
};

/* Open orders are live ones (order_live): DRAFT, PENDING, CONFIRMED, SHIPPED. */
struct tenant_usage {
    int64_t open_orders, stored_events, webhooks_waiting;
};

/* The stored counters lie beside the tenant's state, as an aside (order_codec.h). */
#define TENANT_COUNTS_KEY_SIZE (STORE_ADDRESS_KEY_SIZE + 9)
void tenant_counts_key(uint32_t tenant, unsigned char out[TENANT_COUNTS_KEY_SIZE]);
/* Adds to the stored ones. */
void tenant_counts_put(uint32_t tenant, struct tenant_usage delta, struct store_writes *writes);
struct tenant_usage tenant_counts_decode(struct oms_str value);

/* Adds; any shard. */
void tenant_counts_add(struct tenant_counts *counts, struct tenant_usage delta);
struct tenant_usage tenant_counts_read(const struct tenant_counts *counts);

#endif
