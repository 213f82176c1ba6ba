/*
 * A shard's copies of what is stored of users, found by tenant and user. The table holds a count on each; a
 * replaced one lives on while a request of this shard holds it. It grows one bucket at a time (linear
 * hashing), so that no insertion stops the shard for long.
 */
#ifndef USER_TABLE_H
#define USER_TABLE_H

#include "actors/user.h"
#include "runtime/base/hash.h"

struct user_table {
    struct oms_hash_key key; /* set by the owner before the first use */
    struct user_version **buckets;
    size_t bucket_cap, bucket_count; /* bucket_cap is a power of two */
    size_t count;
    uint32_t *tenants; /* users by tenant number; OMS_TENANTS_MAX + 1 of them, or NULL */
};

void user_table_fini(struct user_table *table);
/* Takes over the caller's count; replaces the version of the same user and returns it with its count, or
 * NULL. */
const struct user_version *user_table_put(struct user_table *table, struct user_version *user);
/* NULL when there is none; borrowed. */
const struct user_version *user_table_get(const struct user_table *table, uint32_t tenant,
                                          struct oms_str user);
/* Users of a tenant, with removed ones. */
size_t user_table_count(const struct user_table *table, uint32_t tenant);

#endif
