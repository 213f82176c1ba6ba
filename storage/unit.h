/*
 * The unit of work: all that one accepted command did, as one record of the log, which is at once the commit,
 * the feed, the outbox, the audit trail and the memory of idempotency keys.
 *
 * A record is wire-tagged (runtime/base/wire.h) and ends in a CRC-32C. Storage reads its head (address,
 * versions, time); `meta` and `events` are bytes of the layer above. Its partition and commit number are the
 * key.
 */
#ifndef STORE_UNIT_H
#define STORE_UNIT_H

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/message.h"
#include "storage/vault.h"

/* A unit on its way: made by a shard, moved to the committer and the materialiser, and back home. */
struct store_unit {
    struct rt_message message; /* message.to is the actor */
    uint64_t shard_seq;        /* 1, 2, … per shard: acknowledgements are "durable up to" */
    uint64_t lsn;          /* 1, 2, … per process, set by the committer: reads wait for "applied up to" */
    uint64_t commit;       /* set by the committer: without a gap per partition */
    uint32_t version_from; /* version before; 0 for a creation */
    uint32_t version_to;
    int64_t time_ms;
    struct oms_buf record;   /* memory kept for the next use of the node */
    struct oms_buf personal; /* texts to be sealed (sealed.h); kept for the fold until it is home */
    unsigned char key[STORE_VAULT_WRAPPED_SIZE]; /* of `personal`, when there is one */
    bool has_key;
    bool destroys;                /* the actor's keys before this unit */
    struct store_unit *home_next; /* storage's own: units that go home together */
};

/* The partition of a tenant. */
uint16_t store_partition_of(uint32_t tenant);

/* Writing: begin, then meta and events in order, then end (adds the checksum). */
void store_unit_begin(struct store_unit *unit, const struct rt_address *actor, uint32_t version_from,
                      uint32_t version_to, int64_t time_ms);
void store_unit_put_meta(struct store_unit *unit, struct oms_str meta);
/* Nested writing of an event's bytes straight into the record: mark = begin_event(); write; end_event(mark).
 */
size_t store_unit_begin_event(struct store_unit *unit);
void store_unit_end_event(struct store_unit *unit, size_t mark);
/* For sealed.c: the field of the sealed texts; ended as an event is. */
size_t store_unit_begin_sealed(struct store_unit *unit);
/* With this unit all keys of the actor's earlier units are destroyed. */
void store_unit_put_destroys(struct store_unit *unit);
/* OMS_LIMIT when the record is over OMS_UNIT_BYTES_MAX. */
OMS_MUST_USE enum oms_status store_unit_end(struct store_unit *unit);

/* A decoded record; slices borrow from the source. */
struct store_record {
    uint16_t partition;
    uint64_t commit;
    struct rt_address actor;
    uint32_t version_from, version_to;
    int64_t time_ms;
    uint64_t epoch;
    struct oms_str meta;
    struct oms_str *events; /* in `arena` */
    size_t event_count;
    struct oms_str sealed;   /* personal texts as they lie in the log; absent: none */
    struct oms_str personal; /* opened (sealed.h); absent until then, and for good when they were erased */
    bool erased;             /* their key is gone */
    bool destroys;           /* all keys of the actor's earlier units */
};

/*
 * OMS_CORRUPT on a bad checksum or a truncated field; also when the arena (reset by the caller) has no room
 * for the table of events. meta is absent when none was put.
 */
OMS_MUST_USE enum oms_status store_record_decode(uint16_t partition, uint64_t commit, struct oms_str value,
                                                 struct oms_arena *arena, struct store_record *out);
/* Does the checksum fit? */
bool store_record_intact(struct oms_str value);
/* Only whose record it is, without checking the sum: for grouping before decoding. OMS_CORRUPT when it is
 * absent. */
OMS_MUST_USE enum oms_status store_record_peek(struct oms_str value, struct rt_address *out);

#endif
