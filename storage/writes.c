/*
 * The collector of a window's derived writes: append, then one sort by (family, key, order of arrival).
 *
 * The sort looks at 16 bytes of the key that stand in the sorted items themselves, and at the whole key only
 * when these are equal. Families whose writes came in order already (states and timelines do: actors are
 * folded in the order of their addresses) are recognised in one pass and not sorted.
 */
#include "storage/writes.h"

#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/wire.h"

#define WRITES_BYTES_MAX  ((size_t)2 << 30) /* of one window; what it folds is far smaller */
#define WRITES_BYTES_KEEP ((size_t)64 << 20)

/* `high` and `low` are the key's first 16 bytes behind the skipped ones, big endian. */
struct store_writes_sort {
    uint64_t high, low;
    const unsigned char *key;
    uint32_t key_len;
    uint32_t entry;
};

void store_writes_init(struct store_writes *writes)
{
    memset(writes, 0, sizeof(*writes));
    oms_buf_init(&writes->bytes, WRITES_BYTES_MAX);
}

void store_writes_fini(struct store_writes *writes)
{
    oms_buf_fini(&writes->bytes);
    oms_free(writes->entries);
    oms_free(writes->sums);
    oms_free(writes->sort);
    oms_free(writes->out);
    memset(writes, 0, sizeof(*writes));
}

void store_writes_reset(struct store_writes *writes)
{
    if (writes->bytes.cap > WRITES_BYTES_KEEP) {
        oms_buf_fini(&writes->bytes);
        oms_buf_init(&writes->bytes, WRITES_BYTES_MAX);
    }
    oms_buf_reset(&writes->bytes);
    writes->count = writes->sum_count = 0;
    writes->sums_mixed = false;
    memset(writes->family_count, 0, sizeof(writes->family_count));
}

static void add(struct store_writes *writes, enum store_family family, bool is_delete, struct oms_str key,
                struct oms_str value)
{
    OMS_ASSERT((unsigned)family < STORE_FAMILY_COUNT && key.len > 0);
    OMS_ASSERT(key.len <= UINT32_MAX && value.len <= UINT32_MAX && writes->count < UINT32_MAX);
    if (writes->count == writes->cap) {
        writes->cap = writes->cap ? writes->cap * 2 : 1024;
        writes->entries = oms_reallocarray(writes->entries, writes->cap, sizeof(*writes->entries));
    }
    writes->entries[writes->count++] = (struct store_writes_entry){
        .offset = writes->bytes.len,
        .key_len = (uint32_t)key.len,
        .value_len = (uint32_t)value.len,
        .family = (uint8_t)family,
        .is_delete = is_delete,
    };
    writes->family_count[family]++;
    oms_buf_append_str(&writes->bytes, key);
    oms_buf_append_str(&writes->bytes, value);
    OMS_ASSERT(!writes->bytes.overflow);
}

void store_writes_put(struct store_writes *writes, enum store_family family, struct oms_str key,
                      struct oms_str value)
{
    add(writes, family, false, key, value);
}

void store_writes_delete(struct store_writes *writes, enum store_family family, struct oms_str key)
{
    add(writes, family, true, key, OMS_STR_NONE);
}

/* ---- counters ---- */

static int compare_sum(const struct store_writes *writes, const struct store_writes_sum *sum,
                       enum store_family family, struct oms_str key)
{
    if (sum->family != (uint8_t)family)
        return sum->family < (uint8_t)family ? -1 : 1;
    return oms_str_compare(oms_str_make(writes->bytes.data + sum->offset, sum->key_len), key);
}

/*
 * A window visits actors by address, so a tenant's counters are added to in one run and keys ascend: the last
 * sum is the one, or there is none. Whoever comes in another order is served all the same.
 */
static struct store_writes_sum *find_sum(struct store_writes *writes, enum store_family family,
                                         struct oms_str key)
{
    if (!writes->sum_count)
        return NULL;
    struct store_writes_sum *last = &writes->sums[writes->sum_count - 1];
    int order = compare_sum(writes, last, family, key);
    if (order == 0)
        return last;
    if (order < 0 && !writes->sums_mixed)
        return NULL;
    for (size_t i = 0; i < writes->sum_count; i++)
        if (compare_sum(writes, &writes->sums[i], family, key) == 0)
            return &writes->sums[i];
    writes->sums_mixed = true;
    return NULL;
}

void store_writes_add(struct store_writes *writes, enum store_family family, struct oms_str key,
                      const int64_t *deltas, size_t count)
{
    OMS_ASSERT(count >= 1 && count <= STORE_SUM_NUMBERS && key.len > 0);
    struct store_writes_sum *sum = find_sum(writes, family, key);
    if (!sum) {
        if (writes->sum_count == writes->sum_cap) {
            writes->sum_cap = writes->sum_cap ? writes->sum_cap * 2 : 64;
            writes->sums = oms_reallocarray(writes->sums, writes->sum_cap, sizeof(*writes->sums));
        }
        sum = &writes->sums[writes->sum_count++];
        *sum = (struct store_writes_sum){.offset = writes->bytes.len,
                                         .key_len = (uint32_t)key.len,
                                         .family = (uint8_t)family,
                                         .count = (uint8_t)count};
        oms_buf_append_str(&writes->bytes, key);
        OMS_ASSERT(!writes->bytes.overflow);
    }
    OMS_ASSERT(sum->count == count);
    for (size_t i = 0; i < count; i++)
        sum->deltas[i] += deltas[i];
}

int64_t store_sum_read(struct oms_str value, size_t index)
{
    return value.len >= 8 * (index + 1) ? (int64_t)oms_get_be64((const unsigned char *)value.data + 8 * index)
                                        : 0;
}

enum oms_status store_writes_settle(struct store_writes *writes, struct store_engine *engine)
{
    enum oms_status status = OMS_OK;
    struct oms_buf base, key;
    oms_buf_init(&base, 8 * STORE_SUM_NUMBERS);
    oms_buf_init(&key, 4096);
    for (size_t i = 0; i < writes->sum_count && status == OMS_OK; i++) {
        const struct store_writes_sum *sum = &writes->sums[i];
        unsigned char value[8 * STORE_SUM_NUMBERS];
        oms_buf_reset(&base);
        oms_buf_reset(&key); /* a copy: a write may move `bytes` */
        oms_buf_append(&key, writes->bytes.data + sum->offset, sum->key_len);
        status = engine->ops->get(engine, (enum store_family)sum->family, oms_buf_str(&key), true, &base);
        if (status == OMS_NOT_FOUND)
            status = OMS_OK;
        if (status == OMS_OK && (base.overflow || (base.len && base.len != 8u * sum->count)))
            status = OMS_CORRUPT;
        if (status != OMS_OK)
            break;
        for (size_t n = 0; n < sum->count; n++)
            oms_put_be64(value + 8 * n,
                         (uint64_t)store_sum_read(oms_buf_str(&base), n) + (uint64_t)sum->deltas[n]);
        store_writes_put(writes, (enum store_family)sum->family, oms_buf_str(&key),
                         oms_str_make(value, 8u * sum->count));
    }
    oms_buf_fini(&base);
    oms_buf_fini(&key);
    return status;
}

/* ---- sorting ---- */

static uint64_t load_prefix(const unsigned char *key, size_t len)
{
    unsigned char bytes[8] = {0};
    if (len >= 8)
        return oms_get_be64(key);
    memcpy(bytes, key, len);
    return oms_get_be64(bytes);
}

static int compare(const void *left, const void *right)
{
    const struct store_writes_sort *a = left, *b = right;
    if (a->high != b->high)
        return a->high < b->high ? -1 : 1;
    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    uint32_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(a->key, b->key, len);
    if (order)
        return order;
    if (a->key_len != b->key_len)
        return a->key_len < b->key_len ? -1 : 1;
    return a->entry < b->entry ? -1 : a->entry > b->entry;
}

static void fill(struct store_writes *writes, size_t starts[STORE_FAMILY_COUNT])
{
    const unsigned char *bytes = (const unsigned char *)writes->bytes.data;
    for (size_t i = 0; i < writes->count; i++) {
        const struct store_writes_entry *entry = &writes->entries[i];
        struct store_writes_sort *item = &writes->sort[starts[entry->family]++];
        item->key = bytes + entry->offset;
        item->key_len = entry->key_len;
        item->entry = (uint32_t)i;
        item->high = load_prefix(item->key, item->key_len);
        item->low = item->key_len > 8 ? load_prefix(item->key + 8, item->key_len - 8) : 0;
    }
}

static void sort_family(struct store_writes_sort *items, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (compare(&items[i - 1], &items[i]) > 0) {
            qsort(items, count, sizeof(*items), compare);
            return;
        }
}

static void emit(struct store_writes *writes)
{
    for (size_t i = 0; i < writes->count; i++) {
        const struct store_writes_entry *entry = &writes->entries[writes->sort[i].entry];
        const char *key = writes->bytes.data + entry->offset;
        writes->out[i] = (struct store_write){
            .family = (enum store_family)entry->family,
            .is_delete = entry->is_delete,
            .key = {key, entry->key_len},
            .value = {key + entry->key_len, entry->value_len},
        };
    }
}

size_t store_writes_sorted(struct store_writes *writes, const struct store_write **out)
{
    size_t starts[STORE_FAMILY_COUNT], start = 0;
    if (writes->out_cap < writes->count) {
        writes->out_cap = writes->cap;
        writes->sort = oms_reallocarray(writes->sort, writes->out_cap, sizeof(*writes->sort));
        writes->out = oms_reallocarray(writes->out, writes->out_cap, sizeof(*writes->out));
    }
    for (size_t family = 0; family < STORE_FAMILY_COUNT; family++) {
        starts[family] = start;
        start += writes->family_count[family];
    }
    fill(writes, starts); /* moves each start to its family's end */
    for (size_t family = 0; family < STORE_FAMILY_COUNT; family++)
        sort_family(writes->sort + starts[family] - writes->family_count[family],
                    writes->family_count[family]);
    emit(writes);
    *out = writes->out;
    return writes->count;
}
