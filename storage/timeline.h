/*
 * The timeline: which commits changed an actor, so that its history is read without scanning the log.
 *
 * A run is what one window of the materialiser added for one actor. Its key is the actor's address, the first
 * version of the run (be32) and its first commit (be64; two units may leave the version where it is). Its
 * value is one pair of varints per unit: version_to minus the version before it, commit minus the commit
 * before it (the first pair counts from the key's version − 1 and from 0). How units are cut into runs has no
 * meaning: readers see one sequence.
 */
#ifndef STORE_TIMELINE_H
#define STORE_TIMELINE_H

#include "storage/engine.h"
#include "storage/keys.h"
#include "storage/unit.h"

#define STORE_TIMELINE_KEY_SIZE (STORE_ADDRESS_KEY_SIZE + 4 + 8)

/* Writes the key of the run that these records (one actor's, oldest first, count > 0) make, and appends its
 * value. */
void store_timeline_pack(const struct store_record *records, size_t count,
                         unsigned char key[STORE_TIMELINE_KEY_SIZE], struct oms_buf *value);

struct store_timeline_item {
    uint32_t version_to;
    uint64_t commit;
};

/* Unpacks one run, one item a call; false at its end, or when it is corrupt (then `corrupt`). */
struct store_timeline_run {
    struct oms_wire wire;
    struct store_timeline_item item;
    bool corrupt;
};
void store_timeline_run_read(struct store_timeline_run *run, struct oms_str key, struct oms_str value);
bool store_timeline_run_next(struct store_timeline_run *run);

/*
 * Walks an actor's units in a view, oldest first, from the first with version_to >= from_version (0 or 1:
 * all). Blocking; on the thread that owns the view. The record itself is
 * view_log_get(store_partition_of(tenant), commit).
 */
struct store_timeline;
struct store_timeline *store_timeline_open(struct store_engine *engine, struct store_view *view,
                                           const struct rt_address *actor, uint32_t from_version);
/* False at the end or on an error: *status then says OMS_OK, OMS_IO or OMS_CORRUPT. */
bool store_timeline_next(struct store_timeline *timeline, struct store_timeline_item *out,
                         enum oms_status *status);
void store_timeline_close(struct store_timeline *timeline);

#endif
