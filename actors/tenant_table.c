/* A sorted array: tenants are few and change rarely, look-ups are many. See tenant_table.h. */
#include "actors/tenant_table.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

void tenant_table_fini(struct tenant_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        tenant_version_release(table->items[i]);
    oms_free(table->items);
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
}

const struct tenant_version *tenant_table_get(const struct tenant_table *table, uint32_t number)
{
    size_t at = lower_bound(table, number);
    return at < table->count && table->items[at]->number == number ? table->items[at] : NULL;
}

const struct tenant_version *tenant_table_by_name(const struct tenant_table *table, struct oms_str name)
{
    for (size_t i = 0; i < table->count; i++)
        if (oms_str_eq(table->items[i]->name, name))
            return table->items[i];
    return NULL;
}
