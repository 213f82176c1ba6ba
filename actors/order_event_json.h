/*
 * What an event shows: the `change` of OrderEvent as JSON, and who may see which event and what of it.
 *
 * The whole tenant's staff see everything. A customer sees the life of their order, but no steps, reviews,
 * holds and staff notes. A vendor sees what touches their lines: those lines, their shipments and returns,
 * the stage, and customer-visible notes; never payments, refunds, the customer's e-mail or sums of others.
 */
#ifndef ORDER_EVENT_JSON_H
#define ORDER_EVENT_JSON_H

#include "actors/order_event.h"
#include "actors/permission.h"

struct oms_buf;

/*
 * Whether this caller sees the event at all. `order` is the order as of the event or later; it tells a
 * vendor's lines apart and may be NULL for who sees all lines.
 */
bool order_event_visible(const struct order_event *event, const struct order *order,
                         const struct access_order *on, const struct access *access);

/* Whether showing the event takes the order: for who sees only some lines, and for the names of steps. */
bool order_event_needs_order(const struct order_event *event, const struct access_order *on);

/*
 * Appends the event's change as one JSON object, as far as the caller may see it. Money is { amount, currency
 * }. `order` as above; without it
 * a step is shown by its number. Absent fields are left out, and so are objects that would be empty.
 */
void order_event_change_json(const struct order_event *event, const struct order *order,
                             const struct access_order *on, const struct access *access, uint16_t currency,
                             struct oms_buf *out);

#endif
