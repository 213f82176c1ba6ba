/*
 * A lane of an inbox as a pure fold of its events; see inbox.h. Used by the actor and by the projector.
 *
 * What is old is forgotten by applying an event, by that event's time and nothing else, so that every fold of
 * the same log comes to the same state.
 */
#ifndef INBOX_STATE_H
#define INBOX_STATE_H

#include "actors/inbox.h"

struct inbox {
    struct inbox_entry *items; /* oldest first */
    size_t count, cap;
    uint32_t version;     /* units so far */
    uint32_t number_next; /* of the next entry */
    size_t waiting;
};

void inbox_init(struct inbox *inbox);
void inbox_fini(struct inbox *inbox);

struct inbox_entry *inbox_find(const struct inbox *inbox, struct oms_hash128 key);
struct inbox_entry *inbox_find_number(const struct inbox *inbox, uint32_t number);
/* Whether another entry (one that waits, or not) finds room at that time. */
bool inbox_has_room(const struct inbox *inbox, bool waits, int64_t now_ms);
/* When its durable timer is due: the oldest waiting entry's time; 0: nothing waits. */
int64_t inbox_due(const struct inbox *inbox);

/* ---- events ---- */
void inbox_put_added(const struct inbox_entry *entry, struct oms_buf *out);
void inbox_put_settled(uint32_t number, enum inbox_phase phase, int64_t expires_at, struct oms_str reason,
                       struct oms_buf *out);
/* One event of a unit of that time. OMS_CORRUPT for other bytes. */
OMS_MUST_USE enum oms_status inbox_apply(struct inbox *inbox, struct oms_str event, int64_t time_ms);

/* ---- the stored form ---- */
void inbox_encode(const struct inbox *inbox, struct oms_buf *out);
/* Into an initialised one. */
OMS_MUST_USE enum oms_status inbox_decode(struct oms_str bytes, struct inbox *inbox);
/* One entry as a JSON object, without its answer. */
void inbox_write_json(const struct inbox_entry *entry, unsigned lane, struct oms_buf *out);

#endif
