/*
 * The stored forms of an order: events in the log's units, the state in its family (and frozen in memory),
 * and what is kept beside the state.
 *
 * All are wire records (runtime/base/wire.h): tagged, unknown fields are skipped, so that an older program
 * reads what a newer one wrote as far as it knows it, and absent or zero fields cost nothing. The state
 * leaves out notes (asides of their own, written once) and whatever order_derive computes.
 *
 * Decoding trusts nothing: every count, enum and cross reference is checked, so that corrupt bytes become
 * OMS_CORRUPT and never a wild pointer. Any thread; the bytes may be given up after decoding unless a
 * function says otherwise.
 */
#ifndef ORDER_CODEC_H
#define ORDER_CODEC_H

#include "actors/order.h"
#include "runtime/base/buf.h"

/* ---- events ---- */

/* Appends the event with its payload. */
void order_event_encode(const struct order_event *event, struct oms_buf *out);
/*
 * Reads one event: arrays in the arena, text borrowed from `bytes`, which must outlive the event. OMS_CORRUPT
 * for bytes that do not decode, OMS_NOT_FOUND for a type that this version does not know, OMS_LIMIT for an
 * exhausted arena.
 */
OMS_MUST_USE enum oms_status order_event_decode(struct oms_str bytes, struct oms_arena *arena,
                                                struct order_event *out);

/* ---- state ---- */

/* Appends the state without notes. The order exists (version > 0). */
void order_freeze(const struct order *order, struct oms_buf *out);
/*
 * Fills an order that order_init made; text lives in its arena (one copy of `bytes`). notes_held is 0 and
 * note_count as it was. After a failure (OMS_CORRUPT) the order must be finished with order_fini or
 * order_destroy.
 */
OMS_MUST_USE enum oms_status order_thaw(struct oms_str bytes, struct order *order);

/* ---- asides: parts kept beside the state, each written once ---- */

/* Numbers are stored, in keys: address, kind (1 byte), sequence (8 bytes). */
enum order_aside_kind { ORDER_ASIDE_NOTE = 1 };

struct order_aside {
    enum order_aside_kind kind;
    uint64_t sequence; /* a note's number */
    struct oms_str bytes;
};

#define ORDER_ASIDE_SUFFIX_SIZE 9
/* What follows the address in the aside's key. */
void order_aside_suffix(const struct order_aside *aside, unsigned char out[ORDER_ASIDE_SUFFIX_SIZE]);
OMS_MUST_USE enum oms_status order_aside_parse_suffix(struct oms_str suffix, struct order_aside *out);

/*
 * The aside that this event makes, if any: true, kind and sequence are set and its bytes are appended to
 * `out` (bytes points there). Called when the event is folded, with `order` after order_apply.
 */
bool order_aside_of_event(const struct order *order, const struct order_event *event, struct oms_buf *out,
                          struct order_aside *aside);
/*
 * Gives a thawed order one of its notes back, in ascending sequence from wherever the reader begins, up to
 * note_count without a gap. Text is copied to the order's arena. OMS_CORRUPT when it does not decode or does
 * not follow.
 */
OMS_MUST_USE enum oms_status order_aside_merge(struct order *order, const struct order_aside *aside);

#endif
