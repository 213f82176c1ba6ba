/*
 * Taking a live order along to another version of its tenant's workflow.
 *
 * Steps are known by their names: what was done, approved or skipped stays so, what was waited for is waited
 * for with its reviewer, and its deadline counts from when it began. New steps of the order's stage begin to
 * wait, unless the order shows that they were done.
 */
#ifndef ORDER_MIGRATE_H
#define ORDER_MIGRATE_H

#include "actors/order_view.h"
#include "actors/workflow.h"

/* Why an order would not get on under a version. */
enum order_strand {
    ORDER_STRAND_NONE = 0,
    ORDER_STRAND_STEP_REMOVED,    /* what somebody is at, or must do, is no step of the new version's stage */
    ORDER_STRAND_STEP_IMPOSSIBLE, /* a new required step's command can never run on this order any more */
    ORDER_STRAND_REFUNDS,         /* max_refund_amount is no amount of the order's currency */
    ORDER_STRAND_COUNT
};

/* "STEP_REMOVED"; NULL for NONE; static storage. */
const char *order_strand_name(enum order_strand strand);

struct order_migration {
    struct order_activity *activities; /* in the arena; text is the order's and the workflow's */
    size_t activity_count;
    enum order_strand strand;
    struct oms_str step;    /* that it is about; absent for REFUNDS */
    struct oms_str message; /* a sentence */
};

/*
 * What would become of a live order under `to`. Pure; any thread that may read the order. `from` is its
 * pinned version, NULL when that is not known. false when the arena is exhausted.
 */
bool order_migrate_plan(const struct order *order, const struct workflow *from, const struct workflow *to,
                        int64_t now_ms, struct oms_arena *arena, struct order_migration *out);

#endif
