/*
 * Between the sources of the fold: how an order keeps what an event brings, and the parts of order_apply.
 *
 * Everything kept lives in the order's arena, whose maximum no state can reach within the limits, so that
 * running out is a bug. What is replaced stays in the arena as garbage and is counted.
 */
#ifndef ORDER_FOLD_H
#define ORDER_FOLD_H

#include "actors/order_internal.h"
#include "runtime/base/assert.h"

static inline struct oms_str order_keep(struct order *order, struct oms_str text)
{
    struct oms_str copy;

    if (!oms_str_present(text))
        return OMS_STR_NONE;
    copy = oms_str_copy(&order->arena, text);
    OMS_ASSERT(copy.data);
    return copy;
}

static inline void order_replace(struct order *order, struct oms_str *field, struct oms_str text)
{
    order->garbage += field->len;
    *field = order_keep(order, text);
}

static inline void order_replace_if_present(struct order *order, struct oms_str *field, struct oms_str text)
{
    if (oms_str_present(text))
        order_replace(order, field, text);
}

static inline void *order_keep_array(struct order *order, const void *items, size_t count, size_t size)
{
    void *copy;

    if (!count)
        return NULL;
    copy = oms_arena_calloc(&order->arena, count, size);
    OMS_ASSERT(copy);
    memcpy(copy, items, count * size);
    return copy;
}

/* Room for one more behind `count`; returns the array, moved when it grew. */
static inline void *order_grow(struct order *order, void *items, size_t count, size_t *cap, size_t size)
{
    void *larger;
    size_t wanted;

    if (count < *cap)
        return items;
    wanted = *cap ? *cap * 2 : 2;
    larger = oms_arena_calloc(&order->arena, wanted, size);
    OMS_ASSERT(larger);
    if (count)
        memcpy(larger, items, count * size);
    order->garbage += *cap * size;
    *cap = wanted;
    return larger;
}

static inline struct order_actor order_keep_actor(struct order *order, const struct order_actor *actor)
{
    /* The same few people act on an order again and again: share their text. */
    if (oms_str_present(order->created_by.subject) && oms_str_eq(actor->subject, order->created_by.subject) &&
        oms_str_present(actor->display_name) == oms_str_present(order->created_by.display_name) &&
        oms_str_eq(actor->display_name, order->created_by.display_name))
        return (struct order_actor){actor->kind, order->created_by.subject, order->created_by.display_name};
    return (struct order_actor){actor->kind, order_keep(order, actor->subject),
                                order_keep(order, actor->display_name)};
}

static inline struct order_address order_keep_address(struct order *order, const struct order_address *in)
{
    return (struct order_address){
        .recipient = order_keep(order, in->recipient),
        .street = order_keep(order, in->street),
        .line2 = order_keep(order, in->line2),
        .city = order_keep(order, in->city),
        .state = order_keep(order, in->state),
        .postal = order_keep(order, in->postal),
        .country = order_keep(order, in->country),
        .phone = order_keep(order, in->phone),
    };
}

static inline struct order_package order_keep_package(struct order *order, const struct order_package *in)
{
    return (struct order_package){order_keep(order, in->weight), order_keep(order, in->dimensions)};
}

static inline struct order_line *order_line_at(struct order *order, uint32_t id)
{
    struct order_line *line = (struct order_line *)order_find_line(order, id);

    OMS_ASSERT(line);
    return line;
}

static inline struct order_return *order_return_at(struct order *order, uint32_t id)
{
    struct order_return *ret = (struct order_return *)order_find_return(order, id);

    OMS_ASSERT(ret);
    return ret;
}

/*
 * What one event does; order_state.c says in a table which event is whose. Each reads its own member of the
 * event's union and nothing of the others.
 */

/* ---- order_state_lines.c ---- */
void order_apply_created(struct order *order, const struct order_event *event,
                         const struct order_event_meta *meta);
void order_apply_lines_added(struct order *order, const struct order_event *event,
                             const struct order_event_meta *meta);
void order_apply_lines_removed(struct order *order, const struct order_event *event,
                               const struct order_event_meta *meta);
void order_apply_quantities(struct order *order, const struct order_event *event,
                            const struct order_event_meta *meta);
void order_apply_lines_cancelled(struct order *order, const struct order_event *event,
                                 const struct order_event_meta *meta);
void order_apply_destination(struct order *order, const struct order_event *event,
                             const struct order_event_meta *meta);

/* ---- order_state_goods.c ---- */
void order_apply_shipment_added(struct order *order, const struct order_event *event,
                                const struct order_event_meta *meta);
/* Confirmed, dispatched, delivered, cancelled, failed, scanned, and a tracking reference. */
void order_apply_shipment_changed(struct order *order, const struct order_event *event,
                                  const struct order_event_meta *meta);
void order_apply_return_requested(struct order *order, const struct order_event *event,
                                  const struct order_event_meta *meta);
void order_apply_return_approved(struct order *order, const struct order_event *event,
                                 const struct order_event_meta *meta);
void order_apply_return_received(struct order *order, const struct order_event *event,
                                 const struct order_event_meta *meta);
void order_apply_return_closed(struct order *order, const struct order_event *event,
                               const struct order_event_meta *meta);
/* Rejected or cancelled. */
void order_apply_return_ended(struct order *order, const struct order_event *event,
                              const struct order_event_meta *meta);

/* ---- order_state_money.c ---- */
void order_apply_payment(struct order *order, const struct order_event *event,
                         const struct order_event_meta *meta);
void order_apply_refund(struct order *order, const struct order_event *event,
                        const struct order_event_meta *meta);
void order_apply_refund_settled(struct order *order, const struct order_event *event,
                                const struct order_event_meta *meta);

/* ---- order_state_steps.c ---- */
void order_apply_step_started(struct order *order, const struct order_event *event,
                              const struct order_event_meta *meta);
void order_apply_step_finished(struct order *order, const struct order_event *event,
                               const struct order_event_meta *meta);
void order_apply_reviewer_assigned(struct order *order, const struct order_event *event,
                                   const struct order_event_meta *meta);
void order_apply_steps_reset(struct order *order, const struct order_event *event,
                             const struct order_event_meta *meta);
void order_apply_step_overdue(struct order *order, const struct order_event *event,
                              const struct order_event_meta *meta);
void order_apply_hold_placed(struct order *order, const struct order_event *event,
                             const struct order_event_meta *meta);
void order_apply_hold_released(struct order *order, const struct order_event *event,
                               const struct order_event_meta *meta);
void order_apply_note(struct order *order, const struct order_event *event,
                      const struct order_event_meta *meta);
void order_apply_workflow_migrated(struct order *order, const struct order_event *event,
                                   const struct order_event_meta *meta);

/* ---- order_erase.c ---- */
void order_apply_erased(struct order *order, const struct order_event *event,
                        const struct order_event_meta *meta);

#endif
