/*
 * The parts of an order: lines, shipments, payments, returns, refunds, activities, holds, notes.
 *
 * A vendor sees their own lines and whatever holds one of them. Such a list is filtered first: its context is
 * an array of the parts to show.
 */
#include "actors/order.h"
#include "actors/order_sight.h"
#include "http/api/resolve.h"

/* ---- lists of parts ---- */

struct part_list {
    const struct api_order *of;
    const void **parts;
};

static const void *part_item(struct gql_exec *x, const void *context, size_t index)
{
    const struct part_list *list = context;
    return api_part(x, list->of, list->parts[index]);
}

/* Fills `out` with those of `count` parts of `size` bytes that `shows` lets through. */
static bool filtered(struct gql_exec *x, const struct api_order *of, const void *parts, size_t count,
                     size_t size,
                     bool (*shows)(const struct gql_exec *x, const struct api_order *of, const void *part),
                     struct gql_list *out)
{
    struct part_list *list = OMS_ARENA_NEW(gql_exec_arena(x), struct part_list);
    size_t kept = 0;
    if (list)
        list->parts = oms_arena_calloc(gql_exec_arena(x), count + 1, sizeof(void *));
    if (!list || !list->parts) {
        gql_fail(x, "INTERNAL", "The answer is too large");
        return false;
    }
    list->of = of;
    for (size_t i = 0; i < count; i++) {
        const void *part = (const char *)parts + i * size;
        if (shows(x, of, part))
            list->parts[kept++] = part;
    }
    *out = (struct gql_list){kept, part_item, list};
    return true;
}

static bool shows_line(const struct gql_exec *x, const struct api_order *of, const void *part)
{
    const struct order_line *line = part;
    return access_sees_all_lines(&of->on) ||
           access_vendor(api_scene_of(x)->access, PERMISSION_GET_ORDER, line->vendor.id);
}

static bool shows_line_id(const struct gql_exec *x, const struct api_order *of, uint32_t id)
{
    const struct order_line *line = order_find_line(of->order, id);
    return line && shows_line(x, of, line);
}

static bool shows_item(const struct gql_exec *x, const struct api_order *of, const void *part)
{
    return shows_line_id(x, of, ((const struct order_item *)part)->line);
}

static bool shows_shipment(const struct gql_exec *x, const struct api_order *of, const void *part)
{
    const struct order_shipment *shipment = part;
    for (size_t i = 0; i < shipment->item_count; i++)
        if (shows_item(x, of, &shipment->items[i]))
            return true;
    return access_sees_all_lines(&of->on);
}

static bool shows_return_item(const struct gql_exec *x, const struct api_order *of, const void *part)
{
    return shows_line_id(x, of, ((const struct order_return_item *)part)->line);
}

static bool shows_return(const struct gql_exec *x, const struct api_order *of, const void *part)
{
    const struct order_return *returned = part;
    for (size_t i = 0; i < returned->item_count; i++)
        if (shows_return_item(x, of, &returned->items[i]))
            return true;
    return access_sees_all_lines(&of->on);
}

static bool shows_money(const struct gql_exec *x, const struct api_order *of, const void *part)
{
    (void)x;
    (void)part;
    return access_sees_payments(&of->on);
}

static bool shows_always(const struct gql_exec *x, const struct api_order *of, const void *part)
{
    (void)x;
    (void)of;
    (void)part;
    return true;
}

static bool shows_note(const struct gql_exec *x, const struct api_order *of, const void *part)
{
    (void)x;
    return access_sees_staff_notes(&of->on) || ((const struct order_note *)part)->visible_to_customer;
}

#define ORDER_LIST_FN(name, array, count_member, shows)                                                      \
    static bool name(struct gql_exec *x, const void *parent, struct gql_list *out)                           \
    {                                                                                                        \
        const struct api_order *p = parent;                                                                  \
        const struct order *o = p->order;                                                                    \
        return filtered(x, p, o->array, o->count_member, sizeof(o->array[0]), shows, out);                   \
    }
ORDER_LIST_FN(order_lines, lines, line_count, shows_line)
ORDER_LIST_FN(order_shipments, shipments, shipment_count, shows_shipment)
ORDER_LIST_FN(order_payments, payments, payment_count, shows_money)
ORDER_LIST_FN(order_returns, returns, return_count, shows_return)
ORDER_LIST_FN(order_refunds, refunds, refund_count, shows_money)
ORDER_LIST_FN(order_activities, activities, activity_count, shows_always)
ORDER_LIST_FN(order_notes, notes, notes_held, shows_note)

/* Active holds, then the last released ones. Their reasons ("chargeback suspected") are the staff's own. */
static bool order_holds(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_order *p = parent;
    const struct order *o = p->order;
    struct part_list *list = OMS_ARENA_NEW(gql_exec_arena(x), struct part_list);
    if (!access_sees_holds(&p->on)) {
        *out = (struct gql_list){0, part_item, NULL};
        return true;
    }
    if (list)
        list->parts =
            oms_arena_calloc(gql_exec_arena(x), o->hold_count + o->released_hold_count + 1, sizeof(void *));
    if (!list || !list->parts) {
        gql_fail(x, "INTERNAL", "The answer is too large");
        return false;
    }
    list->of = p;
    for (size_t i = 0; i < o->hold_count; i++)
        list->parts[i] = &o->holds[i];
    for (size_t i = 0; i < o->released_hold_count; i++)
        list->parts[o->hold_count + i] = &o->released_holds[i];
    *out = (struct gql_list){o->hold_count + o->released_hold_count, part_item, list};
    return true;
}

/* ---- shorthand: leaves of a part ---- */

#define PART_FN(name, Type, expression)                                                                      \
    static bool name(struct gql_exec *x, const void *parent, struct oms_buf *out)                            \
    {                                                                                                        \
        const struct api_part *of = parent;                                                                  \
        const Type *p = of->part;                                                                            \
        (void)x;                                                                                             \
        return (expression);                                                                                 \
    }

#define PART_MONEY_FN(name, Type, expression)                                                                \
    static const void *name(struct gql_exec *x, const void *parent)                                          \
    {                                                                                                        \
        const struct api_part *of = parent;                                                                  \
        const Type *p = of->part;                                                                            \
        return api_money(x, (expression), of->of->order->currency);                                          \
    }

#define PART_OBJECT_FN(name, Type, expression)                                                               \
    static const void *name(struct gql_exec *x, const void *parent)                                          \
    {                                                                                                        \
        const Type *p = ((const struct api_part *)parent)->part;                                             \
        (void)x;                                                                                             \
        return (expression);                                                                                 \
    }

static bool write_number_id(struct oms_buf *out, uint32_t number)
{
    oms_buf_append_char(out, '"');
    oms_buf_append_u64(out, number);
    oms_buf_append_char(out, '"');
    return true;
}

/* ---- LineItem ---- */
PART_FN(line_id, struct order_line, write_number_id(out, p->id))
PART_FN(line_sku, struct order_line, api_write_text(out, p->sku))
PART_FN(line_name, struct order_line, api_write_text(out, p->name))
PART_FN(line_category, struct order_line, api_write_text(out, p->category))
PART_FN(line_quantity, struct order_line, api_write_int(out, p->quantity))
PART_FN(line_options, struct order_line, api_write_raw(out, p->options))
PART_FN(line_gift, struct order_line, api_write_bool(out, p->free_gift))
PART_FN(line_taxable, struct order_line, api_write_bool(out, p->taxable))
PART_FN(line_shipped, struct order_line, api_write_int(out, p->shipped))
PART_FN(line_delivered, struct order_line, api_write_int(out, p->delivered))
PART_FN(line_returned, struct order_line, api_write_int(out, p->returned))
PART_FN(line_cancelled, struct order_line, api_write_int(out, p->cancelled))
PART_FN(line_allocated, struct order_line, api_write_int(out, p->allocated))
PART_MONEY_FN(line_price, struct order_line, p->unit_price)
PART_MONEY_FN(line_discount, struct order_line, p->discount)
PART_MONEY_FN(line_total, struct order_line, order_line_total(p))
PART_OBJECT_FN(line_vendor, struct order_line, &p->vendor)
PART_OBJECT_FN(line_package, struct order_line,
               oms_str_present(p->package.weight) || oms_str_present(p->package.dimensions) ? &p->package
                                                                                            : NULL)

API_LEAF_FN(vendor_id, struct order_vendor, api_write_text(out, p->id))
API_LEAF_FN(vendor_name, struct order_vendor, api_write_text(out, p->name))
API_LEAF_FN(vendor_country, struct order_vendor, api_write_text(out, p->country))
API_LEAF_FN(package_weight, struct order_package, api_write_text(out, p->weight))
API_LEAF_FN(package_dimensions, struct order_package, api_write_text(out, p->dimensions))

/* ---- Shipment ---- */
PART_FN(shipment_id, struct order_shipment, api_write_part_id(out, ORDER_PART_SHIPMENT, p->id))
PART_FN(shipment_status, struct order_shipment, api_write_name(out, order_shipment_status_name(p->status)))
PART_FN(shipment_mode, struct order_shipment,
        p->mode != ORDER_SHIPMENT_MODE_NONE && api_write_name(out, order_shipment_mode_name(p->mode)))
PART_FN(shipment_provider, struct order_shipment, api_write_text(out, p->provider))
PART_FN(shipment_warehouse, struct order_shipment, api_write_text(out, p->warehouse))
PART_FN(shipment_pickup_from, struct order_shipment, api_write_instant(out, p->pickup_from))
PART_FN(shipment_pickup_until, struct order_shipment, api_write_instant(out, p->pickup_until))
PART_FN(shipment_tracking, struct order_shipment, api_write_text(out, p->tracking_reference))
PART_FN(shipment_tracking_url, struct order_shipment, api_write_text(out, p->tracking_url))
PART_FN(shipment_label, struct order_shipment, api_write_text(out, p->label_url))
PART_FN(shipment_carrier, struct order_shipment, api_write_text(out, p->carrier_status))
PART_FN(shipment_reason, struct order_shipment, api_write_text(out, p->reason))
PART_FN(shipment_created, struct order_shipment, api_write_time(out, p->created_at))
PART_FN(shipment_confirmed, struct order_shipment, api_write_instant(out, p->confirmed_at))
PART_FN(shipment_dispatched, struct order_shipment, api_write_instant(out, p->dispatched_at))
PART_FN(shipment_delivered, struct order_shipment, api_write_instant(out, p->delivered_at))
PART_OBJECT_FN(shipment_package, struct order_shipment,
               oms_str_present(p->package.weight) || oms_str_present(p->package.dimensions) ? &p->package
                                                                                            : NULL)
PART_OBJECT_FN(shipment_address, struct order_shipment,
               oms_str_present(p->address.country) || oms_str_present(p->address.city) ? &p->address : NULL)

static const void *shipment_amount(struct gql_exec *x, const void *parent)
{
    const struct api_part *of = parent;
    const struct order_shipment *p = of->part;
    struct order_sight sight = {of->of->order, api_scene_of(x)->access, &of->of->on};
    if (!p->has_cost || !order_sees_all_items(&sight, p->items, p->item_count))
        return NULL;
    return api_money(x, p->cost, of->of->order->currency);
}

static bool shipment_items(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_part *of = parent;
    const struct order_shipment *p = of->part;
    return filtered(x, of->of, p->items, p->item_count, sizeof(p->items[0]), shows_item, out);
}

static bool write_line_sku(struct oms_buf *out, const struct api_part *of, uint32_t line)
{
    const struct order_line *found = order_find_line(of->of->order, line);
    return api_write_text(out, found ? found->sku : OMS_STR(""));
}

PART_FN(item_line, struct order_item, write_number_id(out, p->line))
PART_FN(item_sku, struct order_item, write_line_sku(out, of, p->line))
PART_FN(item_quantity, struct order_item, api_write_int(out, p->quantity))

/* ---- Payment ---- */
PART_FN(payment_id, struct order_payment, api_write_part_id(out, ORDER_PART_PAYMENT, p->id))
PART_FN(payment_status, struct order_payment, api_write_name(out, order_payment_entry_status_name(p->status)))
PART_FN(payment_method, struct order_payment, api_write_text(out, p->method))
PART_FN(payment_provider, struct order_payment, api_write_text(out, p->provider))
PART_FN(payment_transaction, struct order_payment, api_write_text(out, p->transaction_id))
PART_FN(payment_occurred, struct order_payment, api_write_time(out, p->occurred_at))
PART_FN(payment_recorded, struct order_payment, api_write_time(out, p->recorded_at))
PART_MONEY_FN(payment_amount, struct order_payment, p->amount)

/* ---- Return ---- */
PART_FN(return_id, struct order_return, api_write_part_id(out, ORDER_PART_RETURN, p->id))
PART_FN(return_status, struct order_return, api_write_name(out, order_return_status_name(p->status)))
PART_FN(return_reason, struct order_return, api_write_text(out, p->reason))
PART_FN(return_comments, struct order_return, api_write_text(out, p->comments))
PART_FN(return_note, struct order_return, api_write_text(out, p->decision_note))
PART_FN(return_requested, struct order_return, api_write_time(out, p->requested_at))
PART_FN(return_approved, struct order_return, api_write_instant(out, p->approved_at))
PART_FN(return_received, struct order_return, api_write_instant(out, p->received_at))
PART_FN(return_closed, struct order_return, api_write_instant(out, p->closed_at))

static const void *return_requested_by(struct gql_exec *x, const void *parent)
{
    const struct api_part *of = parent;
    return api_actor(x, of->of, &((const struct order_return *)of->part)->requested_by);
}

/* A vendor sees what their own items are worth. */
static const void *return_value(struct gql_exec *x, const void *parent)
{
    const struct api_part *of = parent;
    const struct order_return *p = of->part;
    int64_t value = access_sees_all_lines(&of->of->on) ? p->value : 0;
    for (size_t i = 0; i < p->item_count && !access_sees_all_lines(&of->of->on); i++)
        if (shows_return_item(x, of->of, &p->items[i]))
            value += p->items[i].value;
    return api_money(x, value, of->of->order->currency);
}

static bool return_items(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct api_part *of = parent;
    const struct order_return *p = of->part;
    return filtered(x, of->of, p->items, p->item_count, sizeof(p->items[0]), shows_return_item, out);
}

PART_FN(return_item_line, struct order_return_item, write_number_id(out, p->line))
PART_FN(return_item_sku, struct order_return_item, write_line_sku(out, of, p->line))
PART_FN(return_item_quantity, struct order_return_item, api_write_int(out, p->quantity))
PART_FN(return_item_received, struct order_return_item, api_write_int(out, p->received))
PART_FN(return_item_condition, struct order_return_item, api_write_text(out, p->condition))
PART_FN(return_item_restock, struct order_return_item, api_write_bool(out, p->restock))

/* ---- Refund ---- */
PART_FN(refund_id, struct order_refund, api_write_part_id(out, ORDER_PART_REFUND, p->id))
PART_FN(refund_status, struct order_refund, api_write_name(out, order_refund_status_name(p->status)))
PART_FN(refund_return, struct order_refund,
        p->return_id &&api_write_part_id(out, ORDER_PART_RETURN, p->return_id))
PART_FN(refund_reason, struct order_refund, api_write_text(out, p->reason))
PART_FN(refund_provider, struct order_refund, api_write_text(out, p->provider))
PART_FN(refund_transaction, struct order_refund, api_write_text(out, p->transaction_id))
PART_FN(refund_created, struct order_refund, api_write_time(out, p->created_at))
PART_FN(refund_settled, struct order_refund, api_write_instant(out, p->settled_at))
PART_MONEY_FN(refund_amount, struct order_refund, p->amount)
PART_MONEY_FN(refund_fee, struct order_refund, p->fee)
PART_MONEY_FN(refund_shipping, struct order_refund, p->shipping)

/* ---- Activity ---- */
PART_FN(activity_step, struct order_activity, api_write_text(out, p->step_name))
PART_FN(activity_stage, struct order_activity, api_write_name(out, order_stage_name(p->stage)))
PART_FN(activity_status, struct order_activity, api_write_text(out, p->activity_status))
PART_FN(activity_sequence, struct order_activity, api_write_int(out, p->sequence))
PART_FN(activity_optional, struct order_activity, api_write_bool(out, p->optional))
PART_FN(activity_outcome, struct order_activity, api_write_name(out, order_outcome_name(p->outcome)))
PART_FN(activity_reviewer, struct order_activity,
        access_sees_staff_notes(&of->of->on) && api_write_text(out, p->reviewer))
PART_FN(activity_comments, struct order_activity,
        access_sees_staff_notes(&of->of->on) && api_write_text(out, p->comments))
PART_FN(activity_input, struct order_activity,
        access_sees_staff_notes(&of->of->on) && api_write_raw(out, p->user_input))
PART_FN(activity_started, struct order_activity, api_write_instant(out, p->started_at))
PART_FN(activity_due, struct order_activity, api_write_instant(out, p->due_at))
PART_FN(activity_finished, struct order_activity, api_write_instant(out, p->finished_at))

static const void *activity_actor(struct gql_exec *x, const void *parent)
{
    const struct api_part *of = parent;
    const struct order_activity *p = of->part;
    (void)x;
    return p->finished_at && access_sees_staff_notes(&of->of->on) ? &p->actor : NULL;
}

/* ---- Hold ---- */
PART_FN(hold_id, struct order_hold, api_write_part_id(out, ORDER_PART_HOLD, p->id))
PART_FN(hold_reason, struct order_hold, api_write_text(out, p->reason))
PART_FN(hold_placed, struct order_hold, api_write_time(out, p->placed_at))
PART_FN(hold_expires, struct order_hold, api_write_instant(out, p->expires_at))
PART_FN(hold_released, struct order_hold, api_write_instant(out, p->released_at))
PART_FN(hold_release_reason, struct order_hold, api_write_text(out, p->release_reason))
PART_OBJECT_FN(hold_owner, struct order_hold, &p->owner)
PART_OBJECT_FN(hold_released_by, struct order_hold, p->released_at ? &p->released_by : NULL)

static bool hold_blocks(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct order_hold *p = ((const struct api_part *)parent)->part;
    char separator = '[';
    (void)x;
    for (unsigned i = 1; i < ORDER_COMMAND_COUNT; i++) {
        if (!(p->blocks >> i & 1))
            continue;
        oms_buf_append_char(out, separator);
        api_write_name(out, order_command_info((enum order_command_type)i)->mutation);
        separator = ',';
    }
    if (separator == '[')
        oms_buf_append_char(out, '[');
    oms_buf_append_char(out, ']');
    return true;
}

/* ---- Note ---- */
PART_FN(note_id, struct order_note, api_write_part_id(out, ORDER_PART_NOTE, p->id))
PART_FN(note_text, struct order_note, api_write_text(out, p->text))
PART_FN(note_created, struct order_note, api_write_time(out, p->created_at))
PART_FN(note_visible, struct order_note, api_write_bool(out, p->visible_to_customer))

static const void *note_author(struct gql_exec *x, const void *parent)
{
    const struct api_part *of = parent;
    return api_actor(x, of->of, &((const struct order_note *)of->part)->author);
}

/* ---- Actor ---- */

const struct order_actor *api_actor(struct gql_exec *x, const struct api_order *of,
                                    const struct order_actor *actor)
{
    if (access_sees_contact(&of->on) || !oms_str_present(actor->subject) ||
        !oms_str_eq(actor->subject, of->order->customer.customer_id))
        return actor;
    struct order_actor *veiled = OMS_ARENA_NEW(gql_exec_arena(x), struct order_actor);
    if (!veiled) {
        gql_fail(x, "INTERNAL", "The answer is too large");
        return NULL;
    }
    *veiled = *actor;
    veiled->subject = OMS_STR_NONE;
    return veiled;
}

API_LEAF_FN(actor_kind, struct order_actor, api_write_name(out, principal_kind_name(p->kind)))
API_LEAF_FN(actor_subject, struct order_actor, api_write_text(out, p->subject))
API_LEAF_FN(actor_name, struct order_actor, api_write_text(out, p->display_name))

static const struct gql_binding bindings[] = {
    API_LIST("Order.lineItems", order_lines),
    API_LIST("Order.shipments", order_shipments),
    API_LIST("Order.payments", order_payments),
    API_LIST("Order.returns", order_returns),
    API_LIST("Order.refunds", order_refunds),
    API_LIST("Order.activities", order_activities),
    API_LIST("Order.holds", order_holds),
    API_LIST_NEEDS("Order.notes", order_notes, API_NEEDS_NOTES),
    API_LEAF("LineItem.lineItemId", line_id),
    API_LEAF("LineItem.productSku", line_sku),
    API_LEAF("LineItem.productName", line_name),
    API_LEAF("LineItem.productCategory", line_category),
    API_OBJECT("LineItem.vendor", line_vendor),
    API_OBJECT("LineItem.productPrice", line_price),
    API_LEAF("LineItem.orderQuantity", line_quantity),
    API_OBJECT("LineItem.discountAmount", line_discount),
    API_LEAF("LineItem.options", line_options),
    API_OBJECT("LineItem.package", line_package),
    API_LEAF("LineItem.isFreeGift", line_gift),
    API_LEAF("LineItem.isTaxable", line_taxable),
    API_LEAF("LineItem.shippedQuantity", line_shipped),
    API_LEAF("LineItem.deliveredQuantity", line_delivered),
    API_LEAF("LineItem.returnedQuantity", line_returned),
    API_LEAF("LineItem.cancelledQuantity", line_cancelled),
    API_LEAF("LineItem.allocatedQuantity", line_allocated),
    API_OBJECT("LineItem.totalAmount", line_total),
    API_LEAF("Vendor.vendorId", vendor_id),
    API_LEAF("Vendor.name", vendor_name),
    API_LEAF("Vendor.country", vendor_country),
    API_LEAF("Package.weight", package_weight),
    API_LEAF("Package.dimensions", package_dimensions),
    API_LEAF("Shipment.shipmentId", shipment_id),
    API_LEAF("Shipment.status", shipment_status),
    API_LEAF("Shipment.mode", shipment_mode),
    API_LEAF("Shipment.provider", shipment_provider),
    API_LEAF("Shipment.warehouse", shipment_warehouse),
    API_OBJECT("Shipment.package", shipment_package),
    API_LEAF("Shipment.pickupFrom", shipment_pickup_from),
    API_LEAF("Shipment.pickupUntil", shipment_pickup_until),
    API_OBJECT("Shipment.shipmentAddress", shipment_address),
    API_OBJECT("Shipment.shipmentAmount", shipment_amount),
    API_LEAF("Shipment.trackingReference", shipment_tracking),
    API_LEAF("Shipment.trackingUrl", shipment_tracking_url),
    API_LEAF("Shipment.labelUrl", shipment_label),
    API_LEAF("Shipment.carrierStatus", shipment_carrier),
    API_LEAF("Shipment.reason", shipment_reason),
    API_LIST("Shipment.shipmentItems", shipment_items),
    API_LEAF("Shipment.createdAt", shipment_created),
    API_LEAF("Shipment.confirmedAt", shipment_confirmed),
    API_LEAF("Shipment.dispatchedAt", shipment_dispatched),
    API_LEAF("Shipment.deliveredAt", shipment_delivered),
    API_LEAF("ShipmentItem.lineItemId", item_line),
    API_LEAF("ShipmentItem.productSku", item_sku),
    API_LEAF("ShipmentItem.quantity", item_quantity),
    API_LEAF("Payment.paymentId", payment_id),
    API_LEAF("Payment.status", payment_status),
    API_LEAF("Payment.method", payment_method),
    API_LEAF("Payment.provider", payment_provider),
    API_LEAF("Payment.transactionId", payment_transaction),
    API_OBJECT("Payment.amount", payment_amount),
    API_LEAF("Payment.occurredAt", payment_occurred),
    API_LEAF("Payment.recordedAt", payment_recorded),
    API_LEAF("Return.returnId", return_id),
    API_LEAF("Return.status", return_status),
    API_LEAF("Return.reason", return_reason),
    API_LEAF("Return.comments", return_comments),
    API_LEAF("Return.decisionNote", return_note),
    API_LIST("Return.items", return_items),
    API_OBJECT("Return.refundableAmount", return_value),
    API_OBJECT("Return.requestedBy", return_requested_by),
    API_LEAF("Return.requestedAt", return_requested),
    API_LEAF("Return.approvedAt", return_approved),
    API_LEAF("Return.receivedAt", return_received),
    API_LEAF("Return.closedAt", return_closed),
    API_LEAF("ReturnItem.lineItemId", return_item_line),
    API_LEAF("ReturnItem.productSku", return_item_sku),
    API_LEAF("ReturnItem.quantity", return_item_quantity),
    API_LEAF("ReturnItem.receivedQuantity", return_item_received),
    API_LEAF("ReturnItem.condition", return_item_condition),
    API_LEAF("ReturnItem.restock", return_item_restock),
    API_LEAF("Refund.refundId", refund_id),
    API_LEAF("Refund.status", refund_status),
    API_LEAF("Refund.returnId", refund_return),
    API_OBJECT("Refund.amount", refund_amount),
    API_OBJECT("Refund.restockingFee", refund_fee),
    API_OBJECT("Refund.shippingAmount", refund_shipping),
    API_LEAF("Refund.reason", refund_reason),
    API_LEAF("Refund.provider", refund_provider),
    API_LEAF("Refund.transactionId", refund_transaction),
    API_LEAF("Refund.createdAt", refund_created),
    API_LEAF("Refund.settledAt", refund_settled),
    API_LEAF("Activity.stepName", activity_step),
    API_LEAF("Activity.stage", activity_stage),
    API_LEAF("Activity.activityStatus", activity_status),
    API_LEAF("Activity.sequence", activity_sequence),
    API_LEAF("Activity.optional", activity_optional),
    API_LEAF("Activity.outcome", activity_outcome),
    API_LEAF("Activity.reviewer", activity_reviewer),
    API_LEAF("Activity.comments", activity_comments),
    API_LEAF("Activity.userInput", activity_input),
    API_OBJECT("Activity.actor", activity_actor),
    API_LEAF("Activity.startedAt", activity_started),
    API_LEAF("Activity.dueAt", activity_due),
    API_LEAF("Activity.finishedAt", activity_finished),
    API_LEAF("Hold.holdId", hold_id),
    API_OBJECT("Hold.owner", hold_owner),
    API_LEAF("Hold.reason", hold_reason),
    API_LEAF("Hold.blocks", hold_blocks),
    API_LEAF("Hold.placedAt", hold_placed),
    API_LEAF("Hold.expiresAt", hold_expires),
    API_LEAF("Hold.releasedAt", hold_released),
    API_OBJECT("Hold.releasedBy", hold_released_by),
    API_LEAF("Hold.releaseReason", hold_release_reason),
    API_LEAF("Note.noteId", note_id),
    API_LEAF("Note.text", note_text),
    API_OBJECT("Note.author", note_author),
    API_LEAF("Note.createdAt", note_created),
    API_LEAF("Note.visibleToCustomer", note_visible),
    API_LEAF("Actor.kind", actor_kind),
    API_LEAF("Actor.subject", actor_subject),
    API_LEAF("Actor.displayName", actor_name),
};

void api_bind_parts(struct api_bindings *to)
{
    api_bindings_add(to, bindings, sizeof(bindings) / sizeof(bindings[0]));
}
