/*
 * A sorted array by number, and a hash of names: every request finds its tenant by name, and an operator may
 * have thousands. A tenant's name and number stay for good, so the hash only grows. See tenant_table.h.
 */
#include "actors/tenant_table.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/hash.h"

void tenant_table_fini(struct tenant_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        tenant_version_release(table->items[i]);
    oms_free(table->items);
    oms_free(table->names);
    *table = (struct tenant_table){0};
}

/* The first index whose number is at least `number`. */
static size_t lower_bound(const struct tenant_table *table, uint32_t number)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->items[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- names ---- */

static size_t slot_of(const struct tenant_table *table, struct oms_str name)
{
    static const struct oms_hash_key key = {UINT64_C(0x74656e616e742d6e), UINT64_C(0x616d6573)};
    return (size_t)oms_siphash64(&key, name.data, name.len) & (table->name_slots - 1);
}

static void put_name(struct tenant_table *table, const struct tenant_version *version)
{
    size_t slot = slot_of(table, version->name);
    while (table->names[slot])
        slot = (slot + 1) & (table->name_slots - 1);
    table->names[slot] = version->number;
}

/* The new tenant is in the array already. At most half of the slots are taken. */
static void index_name(struct tenant_table *table, const struct tenant_version *version)
{
    OMS_ASSERT(version->number > 0);
    if (2 * table->count <= table->name_slots) {
        put_name(table, version);
        return;
    }
    oms_free(table->names);
    table->name_slots = table->name_slots ? 2 * table->name_slots : 32;
    table->names = oms_calloc(table->name_slots, sizeof(table->names[0]));
    for (size_t i = 0; i < table->count; i++)
        put_name(table, table->items[i]);
}

/* ---- both ---- */

void tenant_table_put(struct tenant_table *table, const struct tenant_version *version)
{
    size_t at = lower_bound(table, version->number);
    if (at < table->count && table->items[at]->number == version->number) {
        tenant_version_release(table->items[at]);
        table->items[at] = version;
        return;
    }
    if (table->count == table->cap) {
        table->cap = table->cap ? table->cap * 2 : 16;
        table->items = oms_reallocarray(table->items, table->cap, sizeof(table->items[0]));
    }
    memmove(table->items + at + 1, table->items + at, (table->count - at) * sizeof(table->items[0]));
    table->items[at] = version;
    table->count++;
    index_name(table, version);
}

const struct tenant_version *tenant_table_get(const struct tenant_table *table, uint32_t number)
{
    size_t at = lower_bound(table, number);
    return at < table->count && table->items[at]->number == number ? table->items[at] : NULL;
}

const struct tenant_version *tenant_table_by_name(const struct tenant_table *table, struct oms_str name)
{
    if (!table->name_slots)
        return NULL;
    for (size_t slot = slot_of(table, name);; slot = (slot + 1) & (table->name_slots - 1)) {
        const struct tenant_version *tenant =
            table->names[slot] ? tenant_table_get(table, table->names[slot]) : NULL;
        if (!tenant || oms_str_eq(tenant->name, name))
            return tenant;
    }
}
