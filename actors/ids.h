/*
 * Identifiers: of orders, of API nodes, and cursors.
 *
 * An order's id is 16 bytes, written "ORD-" + 26 characters of Crockford's base 32. It derives by a keyed
 * hash from (tenant, source, external reference), else from (tenant, subject, idempotency key), so that a
 * repeated creation lands on the same actor; with neither it is a ULID. The key is a secret of the store:
 * without it nobody computes the id of somebody else's reference. Pure functions, any thread; strings are
 * borrowed.
 */
#ifndef IDS_H
#define IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/hash.h"
#include "runtime/base/str.h"
#include "runtime/message.h"

struct oms_buf;

#define IDS_ORDER_SIZE 16
#define IDS_ORDER_TEXT 30 /* characters of "ORD-…" */

/* ---- orders ---- */

void ids_order_from_reference(const struct oms_hash_key *key, uint32_t tenant, struct oms_str source,
                              struct oms_str reference, unsigned char out[IDS_ORDER_SIZE]);
void ids_order_from_key(const struct oms_hash_key *key, uint32_t tenant, struct oms_str subject,
                        struct oms_str idempotency_key, unsigned char out[IDS_ORDER_SIZE]);
/* A ULID of the time and 80 of the random bits. */
void ids_order_random(int64_t now_ms, uint64_t random_hi, uint64_t random_lo,
                      unsigned char out[IDS_ORDER_SIZE]);
/* Writes 30 characters and a NUL. */
void ids_order_text(const unsigned char id[IDS_ORDER_SIZE], char out[IDS_ORDER_TEXT + 1]);
/* Reads either case; OMS_INVALID for anything that ids_order_text does not write (but for case). */
OMS_MUST_USE enum oms_status ids_order_parse(struct oms_str text, unsigned char out[IDS_ORDER_SIZE]);
/* The actor's address. */
void ids_order_address(uint32_t tenant, const unsigned char id[IDS_ORDER_SIZE], struct rt_address *out);
/* The actor of a tenant. */
void ids_tenant_address(uint32_t tenant, struct rt_address *out);

/*
 * What an order remembers of an idempotency key: hash of (tenant, subject, mutation, target, key). `target`
 * is the order's id bytes.
 */
struct oms_hash128 ids_idempotency(const struct oms_hash_key *key, uint32_t tenant, struct oms_str subject,
                                   struct oms_str mutation, struct oms_str target,
                                   struct oms_str idempotency_key);

/* ---- global node ids: base64url, opaque to clients, bound to their tenant ---- */

enum ids_node_kind { IDS_NODE_ORDER = 1, IDS_NODE_EVENT = 2, IDS_NODE_TENANT = 3 };

struct ids_node {
    enum ids_node_kind kind;
    uint32_t tenant;
    unsigned char order[IDS_ORDER_SIZE]; /* ORDER, EVENT */
    uint64_t commit;                     /* EVENT: its place */
    uint32_t ordinal;                    /* EVENT */
};

#define IDS_NODE_TEXT_MAX 64
/* Writes a NUL; returns the length. */
size_t ids_node_text(const struct ids_node *node, char out[IDS_NODE_TEXT_MAX]);
/* OMS_INVALID for anything that ids_node_text does not write. The caller compares the tenant with the
 * request's. */
OMS_MUST_USE enum oms_status ids_node_parse(struct oms_str text, struct ids_node *out);

/* ---- cursors of the log: (commit, ordinal of the event in it) ---- */

struct ids_cursor {
    uint64_t commit;
    uint32_t ordinal;
};

#define IDS_CURSOR_TEXT_MAX 32
size_t ids_cursor_text(struct ids_cursor cursor, char out[IDS_CURSOR_TEXT_MAX]);
/* "0" is the beginning: (0, 0). OMS_INVALID for a foreign text. */
OMS_MUST_USE enum oms_status ids_cursor_parse(struct oms_str text, struct ids_cursor *out);

/* ---- cursors of lists: a key of the driving index, bound to the query by a small hash of it ---- */

/* Appends base64url of (query, key). */
void ids_list_cursor_text(uint32_t query, struct oms_str key, struct oms_buf *out);
/* Appends the key; OMS_INVALID when the text is foreign or of another query. */
OMS_MUST_USE enum oms_status ids_list_cursor_parse(struct oms_str text, uint32_t query, struct oms_buf *key);

#endif
