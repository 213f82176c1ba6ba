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

struct oms_str order_term_customer(const struct store_vault *vault, uint32_t tenant, struct oms_str id,
                                   unsigned char out[ORDER_TERM_HASH_SIZE])
{
    unsigned char text[4 + OMS_ID_BYTES_MAX];
    size_t len = id.len < OMS_ID_BYTES_MAX ? id.len : OMS_ID_BYTES_MAX;
    struct oms_hash128 hash;

    oms_put_be32(text, tenant);
    memcpy(text + 4, id.data, len);
    hash = store_vault_hash(vault, text, 4 + len);
    oms_put_be64(out, hash.hi);
    oms_put_be64(out + 8, hash.lo);
    return oms_str_make(out, ORDER_TERM_HASH_SIZE);
}

void order_terms_init(struct order_terms *terms, struct oms_arena *arena, const struct store_vault *vault)
{
    *terms = (struct order_terms){.arena = arena, .vault = vault};
}

static void take_text(struct order_terms *terms, enum order_index index, struct oms_str text)
{
    if (text.len)
        terms->texts[terms->text_count++] = (struct order_term_text){index, text};
}

bool order_terms_take(const struct order *order, uint32_t tenant, struct order_terms *terms)
{
    struct oms_str customer = order_customer_id(order);

    *terms = (struct order_terms){.arena = terms->arena,
                                  .vault = terms->vault,
                                  .tenant = tenant,
                                  .instant = order->placed_at,
                                  .stage = order->stage,
                                  .order_id = order->order_id};
    terms->texts = oms_arena_alloc(terms->arena, (2 + 2 * order->line_count + order->shipment_count) *
                                                     sizeof *terms->texts);
    if (!terms->texts)
        return false;
    if (customer.len)
        take_text(terms, ORDER_INDEX_CUSTOMER,
                  order_term_customer(terms->vault, tenant, customer, terms->customer));
    take_text(terms, ORDER_INDEX_EXTERNAL_REF, order->external_ref);
    for (size_t i = 0; i < order->line_count; i++) {
        take_text(terms, ORDER_INDEX_VENDOR, order->lines[i].vendor.id);
        take_text(terms, ORDER_INDEX_SKU, order->lines[i].sku);
    }
    for (size_t i = 0; i < order->shipment_count; i++)
        take_text(terms, ORDER_INDEX_REFERENCE, order->shipments[i].tracking_reference);
    return true;
}

bool order_terms_same(const struct order_terms *a, const struct order_terms *b)
{
    if (a->tenant != b->tenant || a->instant != b->instant || a->stage != b->stage ||
        a->text_count != b->text_count || !oms_str_eq(a->order_id, b->order_id))
        return false;
    for (size_t i = 0; i < a->text_count; i++) {
        const struct order_term_text *left = &a->texts[i], *right = &b->texts[i];

        /* Mostly it is the very same text. */
        if (left->index != right->index || left->text.len != right->text.len ||
            (left->text.data != right->text.data && !oms_str_eq(left->text, right->text)))
            return false;
    }
    return true;
}

static void add_key(struct order_terms *terms, const unsigned char id[IDS_ORDER_SIZE],
                    unsigned char key[ORDER_TERM_KEY_MAX], size_t prefix)
{
    size_t len = order_term_complete(key, prefix, terms->instant, id);
    char *copy = oms_arena_alloc(terms->arena, len);

    if (copy) {
        memcpy(copy, key, len);
        terms->keys[terms->count++] = oms_str_make(copy, len);
    }
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

bool order_terms_build(struct order_terms *terms)
{
    unsigned char key[ORDER_TERM_KEY_MAX], id[IDS_ORDER_SIZE];

    terms->count = 0;
    if (!oms_str_present(terms->order_id) || ids_order_parse(terms->order_id, id) != OMS_OK)
        return true;
    terms->keys = oms_arena_alloc(terms->arena, (1 + terms->text_count) * sizeof *terms->keys);
    if (!terms->keys)
        return false;
    add_key(terms, id, key, order_term_stage_prefix(terms->tenant, terms->stage, key));
    for (size_t i = 0; i < terms->text_count; i++)
        add_key(terms, id, key,
                order_term_prefix(terms->tenant, terms->texts[i].index, terms->texts[i].text, key));
    sort_unique(terms);
    return !terms->arena->exhausted;
}

bool order_terms_collect(const struct order *order, uint32_t tenant, struct order_terms *terms)
{
    return order_terms_take(order, tenant, terms) && order_terms_build(terms);
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
