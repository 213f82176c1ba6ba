/*
 * The past of orders, read from the log: an order's events, the tenant's feed, and an order as it was.
 * Blocking; a pool thread. Events are never edited, so everything here is a fold or a walk over a prefix of
 * the log.
 */
#ifndef ORDER_HISTORY_H
#define ORDER_HISTORY_H

#include "actors/order_event.h"
#include "actors/order_view.h"
#include "actors/permission.h"
#include "actors/refusal.h"
#include "runtime/base/value.h"
#include "storage/engine.h"
#include "storage/unit.h"

/* One event with its place. Text and payload live in the list's arena. */
struct order_history_event {
    unsigned char order_id[16];
    uint64_t commit;  /* of its unit, in the tenant's partition */
    unsigned ordinal; /* in its unit, from 0 */
    struct order_event_meta meta;
    struct order_event event;
};

struct order_history_page {
    struct order_history_event *items; /* oldest first */
    size_t count;
    bool has_next;
    uint64_t end_commit; /* where the next page starts, also when a filter left nothing */
    unsigned end_ordinal;
    uint64_t examined;
};

/* An order's own events after (commit, ordinal) (0,0: from the beginning), at most `limit`. OMS_NOT_FOUND:
 * none. */
OMS_MUST_USE enum oms_status order_history_events(struct store_engine *engine, struct store_view *view,
                                                  const struct rt_address *order, uint64_t after_commit,
                                                  unsigned after_ordinal, unsigned limit,
                                                  struct oms_arena *arena, struct order_history_page *page);

struct order_event_filter; /* parsed EventFilter: types, commands, stages, … */
OMS_MUST_USE enum oms_status order_event_filter_parse(const struct oms_value *input, struct oms_arena *arena,
                                                      const struct order_event_filter **out,
                                                      struct refusal_list *refusals);

/* Whether the event alone matches: its type and command. NULL: no filter. Any thread. */
bool order_event_filter_event(const struct order_event_filter *filter, enum order_event_type type,
                              enum order_command_type command);
/* Whether the order after the event's unit matches, of what this caller sees of it. */
bool order_event_filter_order(const struct order_event_filter *filter, const struct order *order,
                              const struct access *access, const struct access_order *on);

/* The tenant's feed, in commit order, filtered, with the caller's scope applied, examining a bounded number.
 */
OMS_MUST_USE enum oms_status order_history_feed(struct store_engine *engine, struct store_view *view,
                                                uint32_t tenant, const struct access *access,
                                                const struct order_event_filter *filter,
                                                uint64_t after_commit, unsigned after_ordinal, unsigned limit,
                                                struct oms_arena *arena, struct order_history_page *page);

/*
 * The order as it was: at `version` (0: not asked) or at the last version not after `at_ms`, folded from its
 * units. *out is made with order_create and freed by the caller; OMS_NOT_FOUND when it did not exist then.
 */
OMS_MUST_USE enum oms_status order_history_at(struct store_engine *engine, struct store_view *view,
                                              const struct rt_address *order, uint32_t version, int64_t at_ms,
                                              struct order **out);
/* The order as of one event of a unit (after its events up to `ordinal`). */
OMS_MUST_USE enum oms_status order_history_at_event(struct store_engine *engine, struct store_view *view,
                                                    const struct rt_address *order, uint64_t commit,
                                                    unsigned ordinal, struct order **out);

/* Gives a thawed order those of its notes that lie beside the state. */
OMS_MUST_USE enum oms_status order_history_merge_notes(struct store_engine *engine, struct store_view *view,
                                                       const struct rt_address *address, struct order *order);

/* The newest stored order, notes included, from an open view. OMS_NOT_FOUND when there is none. */
OMS_MUST_USE enum oms_status order_history_load(struct store_engine *engine, struct store_view *view,
                                                const struct rt_address *order, struct order **out);

#endif
