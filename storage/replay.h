/* Folding a partition's log from disk, window by window: recovery and verification. One owner, one thread. */
#ifndef STORE_REPLAY_H
#define STORE_REPLAY_H

#include "storage/fold.h"

struct store_replay {
    struct store_engine *source; /* whose log is read; the fold writes to its own engine */
    struct store_view *view;
    struct store_fold *fold;
    struct oms_buf bytes; /* copies of a window's records */
    uint64_t units, record_bytes;
    void (*progress)(void *context, uint64_t units_done); /* after each window; may be NULL */
    void *progress_context;
};

void store_replay_init(struct store_replay *replay, struct store_engine *source, struct store_fold *fold);
void store_replay_fini(struct store_replay *replay);
/*
 * Folds the partition's records behind the fold's applied position up to commit `to`. OMS_CORRUPT, with a
 * line in `error`, at the first that is missing, does not decode, belongs to another partition or does not
 * fold.
 */
OMS_MUST_USE enum oms_status store_replay_partition(struct store_replay *replay, uint16_t partition,
                                                    uint64_t to, struct oms_error *error);

#endif
