/*
 * The index terms of an order; see order_terms.h.
 *
 * Keys sort by tenant, index, term, instant, id. A term's zero bytes are escaped (00 → 00 ff) and it ends in
 * 00 00, so that terms sort as their text and none is the prefix of another.
 */
#include "actors/order_terms.h"

#include <stdlib.h>

#include "actors/ids.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/wire.h"

#define TAIL_SIZE (8 + IDS_ORDER_SIZE)

_Static_assert(4 + 1 + 2 * OMS_ID_BYTES_MAX + 2 + TAIL_SIZE <= ORDER_TERM_KEY_MAX,
               "a key has room for any term");

/* ---- keys ---- */

size_t order_term_prefix(uint32_t tenant, enum order_index index, struct oms_str term,
                         unsigned char out[ORDER_TERM_KEY_MAX])
{
    size_t len = 0;

    oms_put_be32(out, tenant);
    len += 4;
    out[len++] = (unsigned char)index;
    if (!oms_str_present(term))
        return len;
    for (size_t i = 0; i < term.len && i < OMS_ID_BYTES_MAX; i++) {
        out[len++] = (unsigned char)term.data[i];
        if (!term.data[i])
            out[len++] = 0xff;
    }
    out[len++] = 0;
    out[len++] = 0;
    return len;
}

size_t order_term_stage_prefix(uint32_t tenant, enum order_stage stage, unsigned char out[ORDER_TERM_KEY_MAX])
{
    size_t len = order_term_prefix(tenant, ORDER_INDEX_STAGE, OMS_STR_NONE, out);

    out[len++] = (unsigned char)stage;
    return len;
}

/* The sign bit is turned, so that instants before 1970 sort before the others. */
size_t order_term_complete(unsigned char key[ORDER_TERM_KEY_MAX], size_t len, int64_t instant_ms,
                           const unsigned char id[IDS_ORDER_SIZE])
{
    OMS_ASSERT(len + TAIL_SIZE <= ORDER_TERM_KEY_MAX);
    oms_put_be64(key + len, (uint64_t)instant_ms ^ UINT64_C(1) << 63);
    memcpy(key + len + 8, id, IDS_ORDER_SIZE);
    return len + TAIL_SIZE;
}

bool order_term_read(struct oms_str key, int64_t *instant_ms, unsigned char id[IDS_ORDER_SIZE])
{
    const unsigned char *tail;

    if (key.len < 5 + TAIL_SIZE)
        return false;
    tail = (const unsigned char *)key.data + key.len - TAIL_SIZE;
    *instant_ms = (int64_t)(oms_get_be64(tail) ^ UINT64_C(1) << 63);
    memcpy(id, tail + 8, IDS_ORDER_SIZE);
    return true;
}

/* ---- collecting ---- */

void order_terms_init(struct order_terms *terms, struct oms_arena *arena)
{
    *terms = (struct order_terms){.arena = arena};
}

struct collect {
    struct order_terms *terms;
    uint32_t tenant;
    int64_t instant;
    unsigned char id[IDS_ORDER_SIZE];
};

static void add_key(struct collect *collect, unsigned char key[ORDER_TERM_KEY_MAX], size_t prefix)
{
    size_t len = order_term_complete(key, prefix, collect->instant, collect->id);
    char *copy = oms_arena_alloc(collect->terms->arena, len);

    if (copy) {
        memcpy(copy, key, len);
        collect->terms->keys[collect->terms->count++] = oms_str_make(copy, len);
    }
}

static void add_term(struct collect *collect, enum order_index index, struct oms_str term)
{
    unsigned char key[ORDER_TERM_KEY_MAX];

    if (term.len)
        add_key(collect, key, order_term_prefix(collect->tenant, index, term, key));
}

static int compare_keys(const void *a, const void *b)
{
    return oms_str_compare(*(const struct oms_str *)a, *(const struct oms_str *)b);
}

static void sort_unique(struct order_terms *terms)
{
    size_t kept = 0;

    qsort(terms->keys, terms->count, sizeof *terms->keys, compare_keys);
    for (size_t i = 0; i < terms->count; i++)
        if (!kept || !oms_str_eq(terms->keys[kept - 1], terms->keys[i]))
            terms->keys[kept++] = terms->keys[i];
    terms->count = kept;
}

bool order_terms_collect(const struct order *order, uint32_t tenant, struct order_terms *terms)
{
    struct collect collect = {.terms = terms, .tenant = tenant, .instant = order->placed_at};
    unsigned char key[ORDER_TERM_KEY_MAX];

    terms->count = 0;
    terms->keys = oms_arena_calloc(terms->arena, 3 + 2 * order->line_count + order->shipment_count,
                                   sizeof *terms->keys);
    if (!terms->keys || ids_order_parse(order->order_id, collect.id) != OMS_OK)
        return false;
    add_key(&collect, key, order_term_stage_prefix(tenant, order->stage, key));
    add_term(&collect, ORDER_INDEX_CUSTOMER, order->customer.customer_id);
    add_term(&collect, ORDER_INDEX_EXTERNAL_REF, order->external_ref);
    for (size_t i = 0; i < order->line_count; i++) {
        add_term(&collect, ORDER_INDEX_VENDOR, order->lines[i].vendor.id);
        add_term(&collect, ORDER_INDEX_SKU, order->lines[i].sku);
    }
    for (size_t i = 0; i < order->shipment_count; i++)
        add_term(&collect, ORDER_INDEX_REFERENCE, order->shipments[i].tracking_reference);
    sort_unique(terms);
    return !terms->arena->exhausted;
}

void order_terms_diff(const struct order_terms *before, const struct order_terms *after,
                      void (*emit)(void *context, bool is_delete, struct oms_str key, struct oms_str value),
                      void *context)
{
    size_t b = 0, a = 0;

    while (b < before->count || a < after->count) {
        int order = b == before->count  ? 1
                    : a == after->count ? -1
                                        : oms_str_compare(before->keys[b], after->keys[a]);

        if (order < 0)
            emit(context, true, before->keys[b], OMS_STR_NONE);
        else if (order > 0)
            emit(context, false, after->keys[a], OMS_STR(""));
        b += order <= 0;
        a += order >= 0;
    }
}
