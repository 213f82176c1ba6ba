/*
 * What of an order's goods a caller sees: everything, or as a vendor their own lines and whatever holds one
 * of them. One place for fields, events and filters, which must not tell different things.
 *
 * Pure; any thread. The order is as it was at what is asked about (a line may have left it since).
 */
#ifndef ORDER_SIGHT_H
#define ORDER_SIGHT_H

#include "actors/order_view.h"
#include "actors/permission.h"

struct order_sight {
    const struct order *order;
    const struct access *access;
    const struct access_order *on; /* their standing to this order, under get_order */
};

/* NULL is a line that the order has not: only who sees all lines sees it. */
bool order_sees_line(const struct order_sight *sight, const struct order_line *line);
/* Whether one of the items is theirs: then they see the shipment. */
bool order_sees_items(const struct order_sight *sight, const struct order_item *items, size_t count);
/* Whether all of them are: then what the shipment costs is one of their sums. */
bool order_sees_all_items(const struct order_sight *sight, const struct order_item *items, size_t count);

#endif
