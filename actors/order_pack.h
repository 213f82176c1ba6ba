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
    PACK_PERSONAL, /* text that erasing a customer destroys: a number, its place among the sealed texts */
    PACK_PERSONAL_JSON, /* the same of a text that is JSON */
    PACK_OWN,           /* the same where the actor who is named is the customer, else text */
    PACK_WORD,          /* text; common words as their number (order_words.c) */
    PACK_HASH,          /* oms_hash128; all zero is absent; the pack's own fingerprint as a 1 */
    PACK_ACTOR,         /* order_actor; the pack's own actor as a 1 */
    PACK_RECORD,        /* a structure of `table`, in place; left out when it has no field */
    PACK_RECORDS,       /* pointer to structures of `table`; their count (size_t) at `aux` */
    PACK_TEXTS,         /* pointer to oms_str; their count at `aux` */
};

struct order_pack_table;

/*
 * `probe`, `mask` and `absent` let a writer pass over a field that is not there without asking for its kind:
 * eight bytes of the structure at `probe`, masked, are `absent` then. Most fields of most records are not
 * there.
 */
struct order_pack_field {
    uint8_t kind;
    uint16_t offset;
    uint16_t aux;
    uint16_t probe;
    uint64_t mask;
    uint64_t absent; /* with mask 0: 1, which is never equal */
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
    struct oms_buf *seal;            /* writing: where personal texts go; NULL: they stay where they are */
    struct oms_str customer; /* writing with `seal`: whose actors are personal too; absent: nobody's */
    bool own;                /* the actor being written is the customer */
    struct oms_str sealed;   /* reading: the opened texts; absent: erased */
};

/* Appends a text to the sealed ones; its number, from 1. */
uint64_t order_pack_seal(struct oms_buf *seal, struct oms_str text);
/* The text of a number: ORDER_ERASED when `sealed` is absent; absent for a number that it has not. */
struct oms_str order_pack_unseal(struct oms_str sealed, uint64_t number);

/* Where each field of a record lay, for a writer that copies what has not changed. */
struct order_pack_trace {
    struct oms_str *fields; /* table->count of them, cleared; tag, length and value */
    unsigned packed;        /* the number of a field that is not read into the object; 0: none */
};

/* Appends the fields of `object`. */
void order_pack_write(const struct order_pack *pack, const struct order_pack_table *table, const void *object,
                      struct oms_buf *out);
/* Fills a cleared object. OMS_CORRUPT, or OMS_LIMIT when the arena is exhausted. */
OMS_MUST_USE enum oms_status order_pack_read(const struct order_pack *pack,
                                             const struct order_pack_table *table, struct oms_str source,
                                             void *object);

/* Whether a field is known not to be there; one that is not may still write nothing. */
bool order_pack_row_absent(const struct order_pack_table *table, unsigned number, const void *object);
/* Appends one field of `object`, if it is there. */
void order_pack_write_row(const struct order_pack *pack, const struct order_pack_table *table,
                          unsigned number, const void *object, struct oms_buf *out);
/* order_pack_read that also fills the trace; a field that comes twice, which we never write, is OMS_CORRUPT.
 */
OMS_MUST_USE enum oms_status order_pack_read_traced(const struct order_pack *pack,
                                                    const struct order_pack_table *table,
                                                    struct oms_str source, void *object,
                                                    struct order_pack_trace *trace);
/* Whether the records of the table hold no list: then two whose bytes are equal are written alike. */
bool order_pack_is_flat(const struct order_pack_table *table);
/* The head of a list and its items' lengths, for who walks a list themselves. `list` is started by them. */
OMS_MUST_USE bool order_pack_list_begin(struct oms_wire *list, struct oms_str source, size_t *count);
OMS_MUST_USE bool order_pack_list_item(struct oms_wire *list, struct oms_str *item);

/* ---- rows; the member's size is checked when compiled ---- */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(void *) == 8, "the probes count on it");

#define PACK_PLACE(type, member, bytes)                                                                      \
    ((uint16_t)(offsetof(type, member) + 0 * sizeof(char[sizeof(((type *)0)->member) == (bytes) ? 1 : -1])))
/* The eight bytes that hold the first `bytes` (1, 2, 4 or 8) of `member`, and which of them. */
#define PACK_PROBE(type, member)                                                                             \
    ((uint16_t)(sizeof(type) < 8                             ? 0                                             \
                : offsetof(type, member) + 8 <= sizeof(type) ? offsetof(type, member)                        \
                                                             : sizeof(type) - 8))
#define PACK_SHIFT(type, member) (8 * ((offsetof(type, member) - PACK_PROBE(type, member)) & 7))
#define PACK_MASK(type, member, bytes)                                                                       \
    (sizeof(type) < 8 ? 0 : (UINT64_MAX >> (64 - 8 * (bytes))) << PACK_SHIFT(type, member))
#define PACK_ABSENT(type) (sizeof(type) < 8)

#define PACK_ROW(number, kind, type, member, bytes, aux, probed, probed_bytes, table)                        \
    [number] = {kind,                                                                                        \
                PACK_PLACE(type, member, bytes),                                                             \
                aux,                                                                                         \
                PACK_PROBE(type, probed),                                                                    \
                PACK_MASK(type, probed, probed_bytes),                                                       \
                PACK_ABSENT(type),                                                                           \
                table}
#define PACK_FIELD(n, kind, t, m, bytes) PACK_ROW(n, kind, t, m, bytes, 0, m, bytes, NULL)
/* Never passed over by the probe; not in a structure of less than eight bytes. */
#define PACK_ALWAYS(n, kind, t, m, bytes, aux, table)                                                        \
    [n] = {kind, PACK_PLACE(t, m, bytes), aux, 0, 0, 1, table}

#define PACK_BOOL_AT(n, t, m) PACK_FIELD(n, PACK_BOOL, t, m, 1)
#define PACK_NOT_AT(n, t, m)                                                                                 \
    [n] = {PACK_BOOL_NOT,                                                                                    \
           PACK_PLACE(t, m, 1),                                                                              \
           0,                                                                                                \
           PACK_PROBE(t, m),                                                                                 \
           PACK_MASK(t, m, 1),                                                                               \
           UINT64_C(1) << PACK_SHIFT(t, m),                                                                  \
           NULL}
#define PACK_U16_AT(n, t, m)  PACK_FIELD(n, PACK_U16, t, m, 2)
#define PACK_U32_AT(n, t, m)  PACK_FIELD(n, PACK_U32, t, m, 4)
#define PACK_U64_AT(n, t, m)  PACK_FIELD(n, PACK_U64, t, m, 8)
#define PACK_I32_AT(n, t, m)  PACK_FIELD(n, PACK_I32, t, m, 4)
#define PACK_I64_AT(n, t, m)  PACK_FIELD(n, PACK_I64, t, m, 8)
#define PACK_TIME_AT(n, t, m) PACK_FIELD(n, PACK_TIME, t, m, 8)
/* An absent text has no pointer. */
#define PACK_TEXT_AT(n, t, m)     PACK_ROW(n, PACK_TEXT, t, m, sizeof(struct oms_str), 0, m.data, 8, NULL)
#define PACK_PERSONAL_AT(n, t, m) PACK_ROW(n, PACK_PERSONAL, t, m, sizeof(struct oms_str), 0, m.data, 8, NULL)
#define PACK_PERSONAL_JSON_AT(n, t, m)                                                                       \
    PACK_ROW(n, PACK_PERSONAL_JSON, t, m, sizeof(struct oms_str), 0, m.data, 8, NULL)
#define PACK_OWN_AT(n, t, m)   PACK_ROW(n, PACK_OWN, t, m, sizeof(struct oms_str), 0, m.data, 8, NULL)
#define PACK_WORD_AT(n, t, m)  PACK_ROW(n, PACK_WORD, t, m, sizeof(struct oms_str), 0, m.data, 8, NULL)
#define PACK_HASH_AT(n, t, m)  PACK_ALWAYS(n, PACK_HASH, t, m, 16, 0, NULL)
#define PACK_ACTOR_AT(n, t, m) PACK_ALWAYS(n, PACK_ACTOR, t, m, sizeof(struct order_actor), 0, NULL)
/* Written only when the eight bytes of `when` are not zero: what is only set together with it. */
#define PACK_ACTOR_WHEN(n, t, m, when)                                                                       \
    PACK_ROW(n, PACK_ACTOR, t, m, sizeof(struct order_actor), 0, when, 8, NULL)
#define PACK_RECORD_WHEN(n, t, m, flag, row_table)                                                           \
    PACK_ROW(n, PACK_RECORD, t, m, sizeof(((t *)0)->m), 0, flag, 1, &(row_table))
#define PACK_FROM_AT(n, t, m, base) PACK_ALWAYS(n, PACK_I64_FROM, t, m, 8, PACK_PLACE(t, base, 8), NULL)
#define PACK_ENUM_AT(n, t, m, limit)                                                                         \
    PACK_ROW(n, PACK_ENUM, t, m, sizeof(unsigned), (uint16_t)(limit), m, sizeof(unsigned), NULL)
#define PACK_RECORD_AT(n, t, m, row_table)                                                                   \
    PACK_ALWAYS(n, PACK_RECORD, t, m, sizeof(((t *)0)->m), 0, &(row_table))
/* An absent list has no items. */
#define PACK_RECORDS_AT(n, t, m, count, row_table)                                                           \
    PACK_ROW(n, PACK_RECORDS, t, m, sizeof(void *), PACK_PLACE(t, count, sizeof(size_t)), count, 8,          \
             &(row_table))
#define PACK_TEXTS_AT(n, t, m, count)                                                                        \
    PACK_ROW(n, PACK_TEXTS, t, m, sizeof(void *), PACK_PLACE(t, count, sizeof(size_t)), count, 8, NULL)
#define PACK_ACTIVITY_AT(n) [n] = {PACK_ACTIVITY, 0, 0, 0, 0, 1, NULL}
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
