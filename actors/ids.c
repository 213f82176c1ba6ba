/*
 * Ids, node ids and cursors; see ids.h.
 *
 * Everything that is hashed is written with its length before it, under a word that says what it is for, so
 * that no two different inputs hash the same bytes.
 */
#include "actors/ids.h"

#include "runtime/base/buf.h"
#include "runtime/base/encoding.h"
#include "runtime/base/wire.h"

/* ---- hashing ---- */

static void hash_text(struct oms_siphash *state, struct oms_str text)
{
    unsigned char len[8];

    oms_put_be64(len, oms_str_present(text) ? text.len : UINT64_MAX);
    oms_siphash_update(state, len, sizeof len);
    oms_siphash_update(state, text.data, text.len);
}

static void hash_begin(struct oms_siphash *state, const struct oms_hash_key *key, const char *purpose,
                       uint32_t tenant)
{
    unsigned char number[4];

    oms_siphash_init(state, key);
    hash_text(state, oms_str_of(purpose));
    oms_put_be32(number, tenant);
    oms_siphash_update(state, number, sizeof number);
}

static void hash_id(struct oms_siphash *state, unsigned char out[IDS_ORDER_SIZE])
{
    struct oms_hash128 hash = oms_siphash_final(state);

    oms_put_be64(out, hash.hi);
    oms_put_be64(out + 8, hash.lo);
}

/* ---- orders ---- */

void ids_order_from_reference(const struct oms_hash_key *key, uint32_t tenant, struct oms_str source,
                              struct oms_str reference, unsigned char out[IDS_ORDER_SIZE])
{
    struct oms_siphash state;

    hash_begin(&state, key, "order-reference", tenant);
    hash_text(&state, source);
    hash_text(&state, reference);
    hash_id(&state, out);
}

void ids_order_from_key(const struct oms_hash_key *key, uint32_t tenant, struct oms_str subject,
                        struct oms_str idempotency_key, unsigned char out[IDS_ORDER_SIZE])
{
    struct oms_siphash state;

    hash_begin(&state, key, "order-key", tenant);
    hash_text(&state, subject);
    hash_text(&state, idempotency_key);
    hash_id(&state, out);
}

void ids_order_random(int64_t now_ms, uint64_t random_hi, uint64_t random_lo,
                      unsigned char out[IDS_ORDER_SIZE])
{
    oms_ulid_make(now_ms, random_hi, random_lo, out);
}

void ids_order_text(const unsigned char id[IDS_ORDER_SIZE], char out[IDS_ORDER_TEXT + 1])
{
    memcpy(out, "ORD-", 4);
    oms_base32_id_encode(id, out + 4);
    out[IDS_ORDER_TEXT] = 0;
}

enum oms_status ids_order_parse(struct oms_str text, unsigned char out[IDS_ORDER_SIZE])
{
    if (text.len != IDS_ORDER_TEXT || !oms_str_eq_nocase(oms_str_make(text.data, 4), OMS_STR("ORD-")))
        return OMS_INVALID;
    return oms_base32_id_decode(oms_str_make(text.data + 4, OMS_BASE32_ID_SIZE), out);
}

void ids_order_address(uint32_t tenant, const unsigned char id[IDS_ORDER_SIZE], struct rt_address *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->key, id, IDS_ORDER_SIZE);
    out->tenant = tenant;
    out->kind = RT_ACTOR_ORDER;
}

void ids_tenant_address(uint32_t tenant, struct rt_address *out)
{
    memset(out, 0, sizeof *out);
    out->tenant = tenant;
    out->kind = RT_ACTOR_TENANT;
}

struct oms_hash128 ids_idempotency(const struct oms_hash_key *key, uint32_t tenant, struct oms_str subject,
                                   struct oms_str mutation, struct oms_str target,
                                   struct oms_str idempotency_key)
{
    struct oms_siphash state;

    hash_begin(&state, key, "idempotency", tenant);
    hash_text(&state, subject);
    hash_text(&state, mutation);
    hash_text(&state, target);
    hash_text(&state, idempotency_key);
    return oms_siphash_final(&state);
}

/* ---- node ids: kind (1), tenant (4), order (16), commit (8), ordinal (4), as far as the kind has them ----
 */

#define NODE_TENANT_SIZE 5
#define NODE_ORDER_SIZE  (NODE_TENANT_SIZE + IDS_ORDER_SIZE)
#define NODE_EVENT_SIZE  (NODE_ORDER_SIZE + 12)

static size_t node_size(unsigned kind)
{
    switch (kind) {
    case IDS_NODE_ORDER:
        return NODE_ORDER_SIZE;
    case IDS_NODE_EVENT:
        return NODE_EVENT_SIZE;
    case IDS_NODE_TENANT:
        return NODE_TENANT_SIZE;
    default:
        return 0;
    }
}

static size_t to_base64url(const unsigned char *bytes, size_t len, char *out, size_t max)
{
    struct oms_buf text = {.data = out, .cap = max - 1, .max = max - 1};

    oms_base64url_encode(&text, bytes, len);
    out[text.len] = 0;
    return text.len;
}

size_t ids_node_text(const struct ids_node *node, char out[IDS_NODE_TEXT_MAX])
{
    unsigned char bytes[NODE_EVENT_SIZE];

    bytes[0] = (unsigned char)node->kind;
    oms_put_be32(bytes + 1, node->tenant);
    memcpy(bytes + NODE_TENANT_SIZE, node->order, IDS_ORDER_SIZE);
    oms_put_be64(bytes + NODE_ORDER_SIZE, node->commit);
    oms_put_be32(bytes + NODE_ORDER_SIZE + 8, node->ordinal);
    return to_base64url(bytes, node_size(node->kind), out, IDS_NODE_TEXT_MAX);
}

enum oms_status ids_node_parse(struct oms_str text, struct ids_node *out)
{
    char storage[IDS_NODE_TEXT_MAX];
    struct oms_buf buf = {.data = storage, .cap = sizeof storage, .max = sizeof storage};
    const unsigned char *bytes = (const unsigned char *)storage;

    if (text.len >= IDS_NODE_TEXT_MAX || oms_base64url_decode(text, &buf) != OMS_OK || buf.len == 0 ||
        buf.len != node_size(bytes[0]))
        return OMS_INVALID;
    memset(out, 0, sizeof *out);
    out->kind = (enum ids_node_kind)bytes[0];
    out->tenant = oms_get_be32(bytes + 1);
    if (out->kind != IDS_NODE_TENANT)
        memcpy(out->order, bytes + NODE_TENANT_SIZE, IDS_ORDER_SIZE);
    if (out->kind == IDS_NODE_EVENT) {
        out->commit = oms_get_be64(bytes + NODE_ORDER_SIZE);
        out->ordinal = oms_get_be32(bytes + NODE_ORDER_SIZE + 8);
    }
    return OMS_OK;
}

/* ---- cursors of the log: format (1), commit (8), ordinal (4) ---- */

#define CURSOR_FORMAT 1
#define CURSOR_SIZE   13

size_t ids_cursor_text(struct ids_cursor cursor, char out[IDS_CURSOR_TEXT_MAX])
{
    unsigned char bytes[CURSOR_SIZE];

    bytes[0] = CURSOR_FORMAT;
    oms_put_be64(bytes + 1, cursor.commit);
    oms_put_be32(bytes + 9, cursor.ordinal);
    return to_base64url(bytes, sizeof bytes, out, IDS_CURSOR_TEXT_MAX);
}

enum oms_status ids_cursor_parse(struct oms_str text, struct ids_cursor *out)
{
    char storage[IDS_CURSOR_TEXT_MAX];
    struct oms_buf buf = {.data = storage, .cap = sizeof storage, .max = sizeof storage};
    const unsigned char *bytes = (const unsigned char *)storage;

    if (oms_str_eq_c(text, "0")) {
        *out = (struct ids_cursor){0};
        return OMS_OK;
    }
    if (text.len >= IDS_CURSOR_TEXT_MAX || oms_base64url_decode(text, &buf) != OMS_OK ||
        buf.len != CURSOR_SIZE || bytes[0] != CURSOR_FORMAT)
        return OMS_INVALID;
    out->commit = oms_get_be64(bytes + 1);
    out->ordinal = oms_get_be32(bytes + 9);
    return OMS_OK;
}

/* ---- cursors of lists: query (4), key ---- */

#define LIST_KEY_MAX 1024

void ids_list_cursor_text(uint32_t query, struct oms_str key, struct oms_buf *out)
{
    unsigned char bytes[4 + LIST_KEY_MAX];

    if (key.len > LIST_KEY_MAX) {
        out->overflow = true;
        return;
    }
    oms_put_be32(bytes, query);
    if (key.len)
        memcpy(bytes + 4, key.data, key.len);
    oms_base64url_encode(out, bytes, 4 + key.len);
}

enum oms_status ids_list_cursor_parse(struct oms_str text, uint32_t query, struct oms_buf *key)
{
    char storage[4 + LIST_KEY_MAX];
    struct oms_buf buf = {.data = storage, .cap = sizeof storage, .max = sizeof storage};

    if (oms_base64url_decode(text, &buf) != OMS_OK || buf.overflow || buf.len < 4 ||
        oms_get_be32((const unsigned char *)storage) != query)
        return OMS_INVALID;
    oms_buf_append(key, storage + 4, buf.len - 4);
    return OMS_OK;
}
