/* A parsed OrderFilter and its check against one order. Internal to lists: order_list.h has the public side.
 */
#ifndef ORDER_FILTER_H
#define ORDER_FILTER_H

#include "actors/ids.h"
#include "actors/order_list.h"

/* A list of texts; count 0: not asked. */
struct order_filter_texts {
    const struct oms_str *items;
    size_t count;
};

/* from inclusive, to exclusive; INT64_MIN and INT64_MAX when open. */
struct order_filter_range {
    int64_t from, to;
};

struct order_filter {
    unsigned stages, fulfillments, payments; /* bits; 0: not asked */
    struct order_filter_texts activity, customers, emails, vendors, skus, external_refs, sources, references;
    int on_hold, refund_due; /* −1: not asked */
    struct order_filter_range placed, created;
    int64_t modified_since; /* INT64_MIN: not asked */
    /* modifiedSince as a cursor of the log: the reader asks the order's timeline (order_behind.h) */
    bool modified_is_cursor;
    struct ids_cursor modified_cursor;
};

/*
 * Everything asked for holds, of what this caller sees of the order: a filter must not tell a vendor what its
 * fields would not (payments, the customer's id and e-mail, other vendors' lines). A cursor in modifiedSince is not
 * looked at: that takes the store.
 */
bool order_filter_matches(const struct order_filter *filter, const struct order *order,
                          const struct access *access, const struct access_order *on);

#endif
