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
#include "storage/keys.h"

/* ---- events ---- */

/* Appends the event with its payload. */
void order_event_encode(const struct order_event *event, struct oms_buf *out);
/*
 * The same with its personal texts appended to `personal`, which is to be sealed apart (storage/sealed.h):
 * customer, addresses, what people wrote, and the name of an actor who is the customer (`customer`: their id;
 * absent: nobody is).
 */
void order_event_seal(const struct order_event *event, struct oms_str customer, struct oms_buf *personal,
                      struct oms_buf *out);
/*
 * Reads one event: arrays in the arena, text borrowed from `bytes`, which must outlive the event. OMS_CORRUPT
 * for bytes that do not decode, OMS_NOT_FOUND for a type that this version does not know, OMS_LIMIT for an
 * exhausted arena.
 */
OMS_MUST_USE enum oms_status order_event_decode(struct oms_str bytes, struct oms_arena *arena,
                                                struct order_event *out);
/* The same of an event whose personal texts were sealed: they are borrowed from `personal`; ORDER_ERASED when
 * that is absent. */
OMS_MUST_USE enum oms_status order_event_open(struct oms_str bytes, struct oms_str personal,
                                              struct oms_arena *arena, struct order_event *out);

/* ---- state ---- */

/* Appends the state without notes. The order exists (version > 0). */
void order_freeze(const struct order *order, struct oms_buf *out);
/*
 * Fills an order that order_init made; text lives in its arena (one copy of `bytes`). notes_held is 0 and
 * note_count as it was. After a failure (OMS_CORRUPT) the order must be finished with order_fini or
 * order_destroy.
 */
OMS_MUST_USE enum oms_status order_thaw(struct oms_str bytes, struct order *order);

/*
 * For a fold, which thaws a state, changes little of it and freezes it again: what has not changed is copied
 * as bytes. Released holds, which nothing changes any more, are not even read: such an order may be changed
 * by order_apply and asked for what order_terms and order_timer_next look at, and must not be shown.
 */
#define ORDER_STATE_FIELDS 49

struct order_origin {
    struct order order;                        /* as it was */
    struct oms_str head;                       /* the bytes before the numbered fields */
    struct oms_str fields[ORDER_STATE_FIELDS]; /* the bytes of each */
    const void *lists[ORDER_STATE_FIELDS];     /* copies of those that can be compared */
};

/* order_thaw of a whole state for order_refreeze; the origin lives as long as the order. */
OMS_MUST_USE enum oms_status order_thaw_traced(struct oms_str bytes, struct order *order,
                                               struct order_origin *origin);
/* Appends what order_freeze would of the order with its released holds. */
void order_refreeze(const struct order *order, const struct order_origin *origin, struct oms_buf *out);

/* ---- asides: parts kept beside the state, each written once ---- */

/* Numbers are stored, in keys: append only. */
enum order_aside_kind {
    ORDER_ASIDE_NOTE = 1,
    ORDER_ASIDE_UPLOAD_PAGE = 8,
    ORDER_ASIDE_COUNTS = 20 /* tenant_counts.h */
};

/* address (21), kind (1), sequence (8): a note's sequence is its number. */
#define ORDER_ASIDE_KEY_SIZE (STORE_ADDRESS_KEY_SIZE + 9)

void order_aside_key(const struct rt_address *order, enum order_aside_kind kind, uint64_t sequence,
                     unsigned char out[ORDER_ASIDE_KEY_SIZE]);
/* OMS_CORRUPT for a key of another shape; a kind that this version does not know is given as it is. */
OMS_MUST_USE enum oms_status order_aside_key_read(struct oms_str key, struct rt_address *order,
                                                  unsigned *kind, uint64_t *sequence);

/* Appends the stored form of a note. */
void order_note_encode(const struct order_note *note, struct oms_buf *out);
/* Text is borrowed from `bytes`. */
OMS_MUST_USE enum oms_status order_note_decode(struct oms_str bytes, struct order_note *out);
/*
 * Gives a thawed order its notes back, in ascending number, without a gap, up to note_count. An order that
 * holds some (its newest ones) already takes none: thaw, merge, then apply. Text is copied to the order's
 * arena. OMS_CORRUPT when the note does not decode or does not follow the last one.
 */
OMS_MUST_USE enum oms_status order_note_merge(struct order *order, struct oms_str bytes);

/* ---- durable deadlines: keys of STORE_TIMERS ---- */

/* due (8, big endian), address (21), command (1), part (4). */
#define ORDER_TIMER_KEY_SIZE (8 + STORE_ADDRESS_KEY_SIZE + 5)

void order_timer_key(const struct rt_address *order, const struct order_timer *timer,
                     unsigned char out[ORDER_TIMER_KEY_SIZE]);
/* false for a key of another shape. */
bool order_timer_read(struct oms_str key, struct rt_address *order, struct order_timer *out);

#endif
