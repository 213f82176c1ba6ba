/* Linear hashing (Litwin 1980): after each insertion at most one bucket is split. See user_table.h. */
#include "actors/user_table.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define BUCKETS_FIRST 16

void user_table_fini(struct user_table *table)
{
    for (size_t i = 0; i < table->bucket_count; i++)
        while (table->buckets[i]) {
            struct user_version *user = table->buckets[i];

            table->buckets[i] = user->next;
            user_version_release(user);
        }
    oms_free(table->buckets);
    oms_free(table->tenants);
    *table = (struct user_table){.key = table->key};
}

static uint64_t hash_of(const struct user_table *table, uint32_t tenant, struct oms_str user)
{
    return oms_siphash64(&table->key, user.data, user.len) ^ oms_mix64(tenant + UINT64_C(1));
}

/* The buckets are the first bucket_count of twice the largest power of two that is not more. */
static size_t bucket_of(const struct user_table *table, uint64_t hash)
{
    size_t low = table->bucket_cap / 2, at = (size_t)hash & (table->bucket_cap - 1);

    return at < table->bucket_count ? at : (size_t)hash & (low - 1);
}

static void split(struct user_table *table)
{
    if (table->bucket_count == table->bucket_cap) {
        table->buckets = oms_reallocarray(table->buckets, table->bucket_cap * 2, sizeof table->buckets[0]);
        memset(table->buckets + table->bucket_cap, 0, table->bucket_cap * sizeof table->buckets[0]);
        table->bucket_cap *= 2;
    }
    size_t from = table->bucket_count - table->bucket_cap / 2, to = table->bucket_count++;
    struct user_version **at = &table->buckets[from];
    while (*at) {
        struct user_version *user = *at;

        if (bucket_of(table, hash_of(table, user->tenant, user->user)) != to) {
            at = &user->next;
            continue;
        }
        *at = user->next;
        user->next = table->buckets[to];
        table->buckets[to] = user;
    }
}

static struct user_version **find(const struct user_table *table, uint32_t tenant, struct oms_str user)
{
    struct user_version **at = &table->buckets[bucket_of(table, hash_of(table, tenant, user))];

    while (*at && ((*at)->tenant != tenant || !oms_str_eq((*at)->user, user)))
        at = &(*at)->next;
    return at;
}

const struct user_version *user_table_put(struct user_table *table, struct user_version *user)
{
    OMS_ASSERT(user->tenant <= OMS_TENANTS_MAX);
    if (!table->buckets) {
        table->bucket_cap = table->bucket_count = BUCKETS_FIRST;
        table->buckets = oms_calloc(BUCKETS_FIRST, sizeof table->buckets[0]);
        table->tenants = oms_calloc(OMS_TENANTS_MAX + 1, sizeof table->tenants[0]);
    }
    struct user_version **at = find(table, user->tenant, user->user), *before = *at;
    user->next = before ? before->next : NULL;
    *at = user;
    if (before) {
        before->next = NULL;
        return before;
    }
    table->tenants[user->tenant]++;
    if (++table->count > table->bucket_count)
        split(table);
    return NULL;
}

const struct user_version *user_table_get(const struct user_table *table, uint32_t tenant,
                                          struct oms_str user)
{
    return table->buckets && oms_str_present(user) ? *find(table, tenant, user) : NULL;
}

size_t user_table_count(const struct user_table *table, uint32_t tenant)
{
    return table->tenants && tenant <= OMS_TENANTS_MAX ? table->tenants[tenant] : 0;
}
