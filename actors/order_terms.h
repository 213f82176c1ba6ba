/*
 * The index terms of an order: what lists find it by.
 *
 * A term is a key of STORE_TERMS: tenant (4), index (1), the term's text (escaped so that no term is the
 * prefix of another), the sort key (placedAt, 8, big endian), the order's id (16). Its value is empty: a
 * value that followed the order's statuses would be rewritten under every key by every command. The projector
 * stores the difference between the terms before and after a unit, so a usual transition moves one key.
 */
#ifndef ORDER_TERMS_H
#define ORDER_TERMS_H

#include "actors/order_view.h"
#include "runtime/message.h"
#include "storage/vault.h"

/* Numbers are stored in keys: append only. */
enum order_index {
    ORDER_INDEX_STAGE = 1,        /* term: stage, 1 byte; all stages together are all orders */
    ORDER_INDEX_CUSTOMER = 2,     /* term: a hash of customerId (order_term_customer) */
    ORDER_INDEX_VENDOR = 3,       /* term: vendorId, each once */
    ORDER_INDEX_SKU = 4,          /* term: sku, each once */
    ORDER_INDEX_REFERENCE = 5,    /* term: tracking reference of a shipment, each once */
    ORDER_INDEX_EXTERNAL_REF = 6, /* term: externalRef, whatever its source; none when absent */
};

/* The term of a customer's id, since an index is no place to read who bought: a keyed hash. */
#define ORDER_TERM_HASH_SIZE 16
struct oms_str order_term_customer(const struct store_vault *vault, uint32_t tenant, struct oms_str id,
                                   unsigned char out[ORDER_TERM_HASH_SIZE]);

struct order_term_text {
    enum order_index index;
    struct oms_str text;
};

/*
 * First what the terms are made of, borrowed from the order, which keeps a text as long as it lives, whatever
 * is applied to it; then the keys, in the arena, sorted and unique. Most commands touch nothing of it, and
 * making keys costs as much as deciding the command.
 */
struct order_terms {
    struct oms_arena *arena;
    const struct store_vault *vault; /* hashes the customers' ids */
    unsigned char customer[ORDER_TERM_HASH_SIZE];
    uint32_t tenant;
    int64_t instant;
    enum order_stage stage;
    struct oms_str order_id; /* absent: nothing was taken, there are no terms */
    struct order_term_text *texts;
    size_t text_count;
    struct oms_str *keys;
    size_t count;
};

/* No terms. */
void order_terms_init(struct order_terms *terms, struct oms_arena *arena, const struct store_vault *vault);
/* Notes what the order's terms are made of as it is now. false when the arena is exhausted. */
bool order_terms_take(const struct order *order, uint32_t tenant, struct order_terms *terms);
/* Whether both were made of the same; then their keys are the same. */
bool order_terms_same(const struct order_terms *a, const struct order_terms *b);
/* Makes the keys of what was taken. false when the arena is exhausted. An order whose
 * id is none, which no list could show, has none. */
bool order_terms_build(struct order_terms *terms);
/* Both: sets the terms of the order as it is now. On false the list is not to be used. */
bool order_terms_collect(const struct order *order, uint32_t tenant, struct order_terms *terms);
/*
 * Of built terms: calls `emit` for every key that only `before` has (is_delete) and for every key that only
 * `after` has, in key order; the value is empty.
 */
void order_terms_diff(const struct order_terms *before, const struct order_terms *after,
                      void (*emit)(void *context, bool is_delete, struct oms_str key, struct oms_str value),
                      void *context);

/* ---- keys, for scans ---- */

#define ORDER_TERM_KEY_MAX 512

/*
 * The prefix that all keys of this term share, up to the sort key: a scan's lower bound; the upper bound is
 * the prefix behind which 0xff bytes follow. Returns its length. A term over
 * OMS_ID_BYTES_MAX is cut to it, here and when stored, so a look-up must check the state.
 */
size_t order_term_prefix(uint32_t tenant, enum order_index index, struct oms_str term,
                         unsigned char out[ORDER_TERM_KEY_MAX]);
/* The prefix of a stage's keys. */
size_t order_term_stage_prefix(uint32_t tenant, enum order_stage stage,
                               unsigned char out[ORDER_TERM_KEY_MAX]);
/* Adds sort key and id to a prefix of `len` bytes; returns the full length. Ascending by instant. */
size_t order_term_complete(unsigned char key[ORDER_TERM_KEY_MAX], size_t len, int64_t instant_ms,
                           const unsigned char id[16]);
/* The sort instant and id at a key's end; false for a key of another shape. */
bool order_term_read(struct oms_str key, int64_t *instant_ms, unsigned char id[16]);

#endif
