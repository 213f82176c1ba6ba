/*
 * A shard's current tenant versions, by number and by name. The table holds a count on each version;
 * replacing one releases the old, which lives on while a request of this shard holds it.
 */
#ifndef TENANT_TABLE_H
#define TENANT_TABLE_H

#include "actors/tenant.h"

struct tenant_table {
    const struct tenant_version **items; /* sorted by number */
    size_t count, cap;
    uint32_t *names; /* numbers, hashed by name, with linear probing; 0: free */
    size_t name_slots;
};

void tenant_table_fini(struct tenant_table *table);
/* Takes over the caller's count; replaces the version of the same number. */
void tenant_table_put(struct tenant_table *table, const struct tenant_version *version);
/* NULL when there is none; borrowed. */
const struct tenant_version *tenant_table_get(const struct tenant_table *table, uint32_t number);
const struct tenant_version *tenant_table_by_name(const struct tenant_table *table, struct oms_str name);

#endif
