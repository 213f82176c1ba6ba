/*
 * The `meta` bytes of a unit of work: who did it, by which command, under which idempotency key. One per
 * unit, since all its events share it; version and time stand in the unit's own head (storage/unit.h).
 */
#ifndef ACTORS_UNIT_META_H
#define ACTORS_UNIT_META_H

#include "actors/order_event.h"
#include "storage/unit.h"

/* Writes the meta of the unit's first event into the unit (after store_unit_begin, before its events). Who
 * did it is a personal text of the unit when that is the order's customer (`customer`: their id; absent:
 * nobody is). */
void unit_meta_put(struct store_unit *unit, const struct order_event_meta *meta, struct oms_str customer);
/* The meta of the record's first event; text borrows from the record. Each further event's sequence is one
 * higher. */
OMS_MUST_USE enum oms_status unit_meta_read(const struct store_record *record, struct order_event_meta *out);

/*
 * Applies the record's events, up to `ordinal_max` (inclusive; SIZE_MAX: all), to the order: the one fold of
 * projector, history and feed. OMS_CORRUPT when they do not decode. Decoded events live in `scratch`.
 */
struct order;
OMS_MUST_USE enum oms_status unit_fold(const struct store_record *record, size_t ordinal_max,
                                       struct oms_arena *scratch, struct order *order);

#endif
