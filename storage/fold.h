/*
 * The fold: turns a window of log records into one atomic write of the derived families and their applied
 * positions.
 *
 * The materialiser, recovery and verification all use this one, so that what runs, what replays and what is
 * checked are the same function of the log. One owner, one thread.
 */
#ifndef STORE_FOLD_H
#define STORE_FOLD_H

#include "runtime/base/limits.h"
#include "storage/store.h"
#include "storage/writes.h"

struct store_fold_item;

struct store_fold {
    const struct store_vault *vault; /* the engine's; of a scratch engine: that of the log's */
    struct store_engine *engine; /* borrowed: base states are read from it and the window is written to it */
    const struct store_projector *projector;
    uint64_t applied[OMS_PARTITIONS]; /* commit numbers up to which the engine holds the fold */
    uint64_t writes_done;             /* derived keys written since init, for the numbers */
    /* Where sealed records that come without their texts find their keys; NULL: all texts are given. */
    struct store_engine *keys;
    struct store_view *keys_view;
    bool check_history; /* each actor's first version in a window must follow its stored timeline */

    /* the window */
    struct store_fold_item *items;
    size_t count, cap;
    size_t folded; /* of them, once the window is closed */
    bool closed;
    uint64_t seen[OMS_PARTITIONS]; /* applied plus what is in the window */
    struct store_writes writes;

    /* kept from actor to actor and from window to window */
    struct store_record *records;
    size_t records_cap;
    struct oms_arena decoded;
    struct oms_arena scratch;
    struct oms_buf base;
    struct oms_buf run;
};

/* Reads the applied positions of the engine. OMS_CORRUPT when they do not decode or their format is unknown.
 */
OMS_MUST_USE enum oms_status store_fold_init(struct store_fold *fold, struct store_engine *engine,
                                             const struct store_projector *projector,
                                             struct oms_error *error);
void store_fold_fini(struct store_fold *fold);
/*
 * Adds a record to the window; its bytes are borrowed until store_fold_run. `personal` are its texts when the
 * caller has them (absent: they are opened with their key, if it has any). OMS_CORRUPT when its commit number
 * does not follow the partition's last.
 */
OMS_MUST_USE enum oms_status store_fold_add(struct store_fold *fold, uint16_t partition, uint64_t commit,
                                            const struct rt_address *actor, struct oms_str value,
                                            struct oms_str personal);
/*
 * The same in steps, so that who folds can let others run between them: folds at least one more actor, and no
 * more after `records`, of the window, which takes no more records from then on. *done when all are folded
 * and store_fold_write is due; so at once for an empty window. After a failure the fold is spent.
 */
OMS_MUST_USE enum oms_status store_fold_some(struct store_fold *fold, size_t records, bool *done,
                                             struct oms_error *error);
/* Writes the folded window and empties it. After a failure nothing of it was written and the fold is spent.
 */
OMS_MUST_USE enum oms_status store_fold_write(struct store_fold *fold, struct oms_error *error);
/* Folds and writes the window at once. */
OMS_MUST_USE enum oms_status store_fold_run(struct store_fold *fold, struct oms_error *error);

/* The applied position of a partition in `engine`: OMS_OK (0 when there is none) or OMS_IO, OMS_CORRUPT. */
OMS_MUST_USE enum oms_status store_fold_applied(struct store_engine *engine, uint16_t partition,
                                                uint64_t *out);

#endif
