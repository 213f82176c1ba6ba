/*
 * Structures to wire records and back, by tables: one row says a field's number, kind and place. Internal to
 * the codecs.
 *
 * One copy of the rules (zero and absent are left out, unknown fields are skipped, every enum and count is
 * checked) serves all events and the state; a new field is one row. Field numbers are stored: never reused.
 * Tables nest a few levels deep and are static, so that walking them by recursion is bounded by the code, not
 * by the input.
 */
#ifndef ORDER_PACK_H
#define ORDER_PACK_H

#include <stddef.h>

#include "actors/order_view.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/wire.h"

enum order_pack_kind {
    PACK_NONE = 0, /* a number that is not, or no longer, used */
    PACK_BOOL,
    PACK_BOOL_NOT, /* usually true: stored when false; only in tables with has_from */
    PACK_U16,
    PACK_U32,
    PACK_U64,
    PACK_I32,
    PACK_I64,
    PACK_I64_FROM, /* stored as the difference to the i64 at `aux` of the same structure */
    PACK_TIME,     /* i64; stored as the difference to the pack's base time; 0 is absent */
    PACK_ENUM,     /* below `aux` */
    PACK_ACTIVITY, /* stage, outcome and flags of an order_activity as one number; offset 0 */
    PACK_TEXT,
    PACK_WORD,    /* text; common words as their number (order_words.c) */
    PACK_HASH,    /* oms_hash128; all zero is absent; the pack's own fingerprint as a 1 */
    PACK_ACTOR,   /* order_actor; the pack's own actor as a 1 */
    PACK_RECORD,  /* a structure of `table`, in place; left out when it has no field */
    PACK_RECORDS, /* pointer to structures of `table`; their count (size_t) at `aux` */
    PACK_TEXTS,   /* pointer to oms_str; their count at `aux` */
};

struct order_pack_table;

struct order_pack_field {
    uint8_t kind;
    uint16_t offset;
    uint16_t aux;
    const struct order_pack_table *table;
};

struct order_pack_table {
    size_t size;
    const struct order_pack_field *fields; /* index = field number; 0 is unused */
    unsigned count;                        /* one above the highest number */
    bool has_from;                         /* some PACK_I64_FROM or PACK_BOOL_NOT */
};

/* What a whole record shares. */
struct order_pack {
    int64_t base_time;               /* 0 in events */
    const struct order_actor *actor; /* NULL in events */
    struct oms_hash128 fingerprint;  /* zero in events */
    struct oms_arena *arena;         /* reading: arrays; text is borrowed from the source */
};

/* Appends the fields of `object`. */
void order_pack_write(const struct order_pack *pack, const struct order_pack_table *table, const void *object,
                      struct oms_buf *out);
/* Fills a cleared object. OMS_CORRUPT, or OMS_LIMIT when the arena is exhausted. */
OMS_MUST_USE enum oms_status order_pack_read(const struct order_pack *pack,
                                             const struct order_pack_table *table, struct oms_str source,
                                             void *object);

/* ---- rows; the member's size is checked when compiled ---- */

#define PACK_PLACE(type, member, bytes)                                                                      \
    ((uint16_t)(offsetof(type, member) + 0 * sizeof(char[sizeof(((type *)0)->member) == (bytes) ? 1 : -1])))
#define PACK_FIELD(number, kind, type, member, bytes)                                                        \
    [number] = {kind, PACK_PLACE(type, member, bytes), 0, NULL}

#define PACK_BOOL_AT(n, t, m)       PACK_FIELD(n, PACK_BOOL, t, m, 1)
#define PACK_NOT_AT(n, t, m)        PACK_FIELD(n, PACK_BOOL_NOT, t, m, 1)
#define PACK_U16_AT(n, t, m)        PACK_FIELD(n, PACK_U16, t, m, 2)
#define PACK_U32_AT(n, t, m)        PACK_FIELD(n, PACK_U32, t, m, 4)
#define PACK_U64_AT(n, t, m)        PACK_FIELD(n, PACK_U64, t, m, 8)
#define PACK_I32_AT(n, t, m)        PACK_FIELD(n, PACK_I32, t, m, 4)
#define PACK_I64_AT(n, t, m)        PACK_FIELD(n, PACK_I64, t, m, 8)
#define PACK_TIME_AT(n, t, m)       PACK_FIELD(n, PACK_TIME, t, m, 8)
#define PACK_TEXT_AT(n, t, m)       PACK_FIELD(n, PACK_TEXT, t, m, sizeof(struct oms_str))
#define PACK_WORD_AT(n, t, m)       PACK_FIELD(n, PACK_WORD, t, m, sizeof(struct oms_str))
#define PACK_HASH_AT(n, t, m)       PACK_FIELD(n, PACK_HASH, t, m, 16)
#define PACK_ACTOR_AT(n, t, m)      PACK_FIELD(n, PACK_ACTOR, t, m, sizeof(struct order_actor))
#define PACK_FROM_AT(n, t, m, base) [n] = {PACK_I64_FROM, PACK_PLACE(t, m, 8), PACK_PLACE(t, base, 8), NULL}
#define PACK_ENUM_AT(n, t, m, limit)                                                                         \
    [n] = {PACK_ENUM, PACK_PLACE(t, m, sizeof(unsigned)), (uint16_t)(limit), NULL}
#define PACK_RECORD_AT(n, t, m, row_table) [n] = {PACK_RECORD, (uint16_t)offsetof(t, m), 0, &(row_table)}
#define PACK_RECORDS_AT(n, t, m, count_member, row_table)                                                    \
    [n] = {PACK_RECORDS, PACK_PLACE(t, m, sizeof(void *)), PACK_PLACE(t, count_member, sizeof(size_t)),      \
           &(row_table)}
#define PACK_TEXTS_AT(n, t, m, count_member)                                                                 \
    [n] = {PACK_TEXTS, PACK_PLACE(t, m, sizeof(void *)), PACK_PLACE(t, count_member, sizeof(size_t)), NULL}
#define PACK_TABLE(name, type, rows)                                                                         \
    const struct order_pack_table name = {sizeof(type), rows, OMS_COUNT_OF(rows), false}
#define PACK_TABLE_FROM(name, type, rows)                                                                    \
    const struct order_pack_table name = {sizeof(type), rows, OMS_COUNT_OF(rows), true}

/* ---- tables that events and the state share (order_pack_tables.c) ---- */
extern const struct order_pack_table order_pack_actor;
extern const struct order_pack_table order_pack_customer;
extern const struct order_pack_table order_pack_address;
extern const struct order_pack_table order_pack_line;
extern const struct order_pack_table order_pack_shipping;
extern const struct order_pack_table order_pack_tax_line;
extern const struct order_pack_table order_pack_totals;
extern const struct order_pack_table order_pack_item;
extern const struct order_pack_table order_pack_payment;
extern const struct order_pack_table order_pack_shipment;
extern const struct order_pack_table order_pack_return_item;
extern const struct order_pack_table order_pack_return;
extern const struct order_pack_table order_pack_refund;
extern const struct order_pack_table order_pack_activity;
extern const struct order_pack_table order_pack_hold;
extern const struct order_pack_table order_pack_note;
extern const struct order_pack_table order_pack_key;

/* ---- common words (order_words.c) ---- */

/* The number of a word, from 1; 0: not common. */
unsigned order_word_number(struct oms_str text);
/* Static storage; absent for an unknown number. */
struct oms_str order_word_text(uint64_t number);

#endif
