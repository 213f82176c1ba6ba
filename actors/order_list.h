/*
 * Lists of orders: run in the read pool on one view of the store, from materialised state; no actor is woken.
 *
 * A filter chooses one driving index by a table, reads it in the sort's order and checks the rest of the
 * filter and the caller's scope on each order's state, up to OMS_LIST_EXAMINED_MAX rows; then the page ends
 * short, with a cursor.
 */
#ifndef ORDER_LIST_H
#define ORDER_LIST_H

#include "actors/order_view.h"
#include "actors/permission.h"
#include "actors/refusal.h"
#include "runtime/base/value.h"
#include "storage/engine.h"

struct order_filter; /* parsed; lives in the arena */

/* From the coerced OrderFilter input (NULL: no filter); modifiedSince may be a cursor or a time. */
OMS_MUST_USE enum oms_status order_filter_parse(const struct oms_value *input, struct oms_arena *arena,
                                                const struct order_filter **out,
                                                struct refusal_list *refusals);

/* Orders with a shipment of this tracking reference, of those that the caller sees. NULL: no room. */
const struct order_filter *order_filter_of_reference(struct oms_str reference, struct oms_arena *arena);

struct order_list_query {
    uint32_t tenant;
    const struct access *access; /* scopes of get_order narrow the list, and choose the driving index */
    const struct order_filter *filter;
    bool descending; /* by placedAt, then id */
    bool backward;   /* last/before instead of first/after */
    unsigned limit;  /* 1 … OMS_PAGE_SIZE_MAX */
    struct oms_str
        cursor; /* opaque; absent: from the edge. Refused by OMS_INVALID when it is not of this query */
};

struct order_row {
    struct order *order; /* thawed; freed by order_page_fini */
    struct access_order on;
    struct oms_str cursor; /* in the page's arena */
};

struct order_page {
    struct order_row *rows; /* in list order, also when asked backward */
    size_t count;
    bool has_next, has_previous;
    struct oms_str end_cursor,
        start_cursor; /* also of an empty page that ended at the bound; absent otherwise */
    uint64_t examined;
};

/* Blocking; a pool thread. Memory in `arena` but for the orders. OMS_INVALID: a bad cursor. */
OMS_MUST_USE enum oms_status order_list_run(struct store_engine *engine, struct store_view *view,
                                            const struct order_list_query *query, struct oms_arena *arena,
                                            struct order_page *page);
void order_page_fini(struct order_page *page);

struct order_count {
    uint64_t count;
    bool capped; /* there are more, or the bound of examined rows ended it */
    uint64_t examined;
};

/* Counts matches up to OMS_COUNT_MAX. */
OMS_MUST_USE enum oms_status order_list_count(struct store_engine *engine, struct store_view *view,
                                              const struct order_list_query *query, struct order_count *out);

#endif
