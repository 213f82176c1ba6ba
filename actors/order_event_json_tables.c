/*
 * What each event shows, and to whom: the rows of order_event_json_tables.h. A new field of an event is one
 * row here; a field that a vendor must not see is PRIVATE.
 */
#include "actors/order_event_json_tables.h"

#include "runtime/base/assert.h"

/* ---- rows ---- */

#define TABLE(name, type, rows)      static const struct json_table name = {sizeof(type), rows, OMS_COUNT_OF(rows)}
#define ROW(text, kind_, seen, t, m) .name = text, .kind = kind_, .for_vendor = seen, .offset = offsetof(t, m)
#define SHARED(text, kind, t, m)                                                                             \
    {                                                                                                        \
        ROW(text, kind, SHOWN, t, m)                                                                         \
    }
#define PRIVATE(text, kind, t, m)                                                                            \
    {                                                                                                        \
        ROW(text, kind, HIDDEN, t, m)                                                                        \
    }
#define WORD(text, t, m, function)                                                                           \
    {                                                                                                        \
        ROW(text, JSON_WORD, SHOWN, t, m), .word = (function)                                                \
    }
#define PART(text, t, m, part)                                                                               \
    {                                                                                                        \
        ROW(text, JSON_PART, SHOWN, t, m), .prefix = (part)                                                  \
    }
#define OBJECT(text, seen, t, m, tab)                                                                        \
    {                                                                                                        \
        ROW(text, JSON_OBJECT, seen, t, m), .table = &(tab)                                                  \
    }
#define FLAGGED(text, kind, seen, t, m, flag)                                                                \
    {                                                                                                        \
        ROW(text, kind, seen, t, m), .aux = offsetof(t, flag)                                                \
    }
#define FLAGGED_OBJECT(text, seen, t, m, flag, tab)                                                          \
    {                                                                                                        \
        ROW(text, JSON_OBJECT, seen, t, m), .aux = offsetof(t, flag), .table = &(tab)                        \
    }
#define LIST(text, seen, t, m, n, tab)                                                                       \
    {                                                                                                        \
        ROW(text, JSON_LIST, seen, t, m), .aux = offsetof(t, n), .table = &(tab)                             \
    }
#define LINES(text, t, m, n, item, id, tab)                                                                  \
    {                                                                                                        \
        ROW(text, JSON_LIST, SHOWN, t, m), .aux = offsetof(t, n), .line = offsetof(item, id) + 1,            \
                                           .table = &(tab)                                                   \
    }
#define TEXTS(text, seen, t, m, n)                                                                           \
    {                                                                                                        \
        ROW(text, JSON_TEXTS, seen, t, m), .aux = offsetof(t, n)                                             \
    }

/* Words by number, behind one type of function. */
static const char *stage_word(unsigned value)
{
    return order_stage_name((enum order_stage)value);
}
static const char *shipment_word(unsigned value)
{
    return value ? order_shipment_status_name((enum order_shipment_status)value) : NULL;
}
static const char *mode_word(unsigned value)
{
    return value ? order_shipment_mode_name((enum order_shipment_mode)value) : NULL;
}
static const char *payment_word(unsigned value)
{
    return order_payment_entry_status_name((enum order_payment_entry_status)value);
}
static const char *return_word(unsigned value)
{
    return order_return_status_name((enum order_return_status)value);
}
static const char *refund_word(unsigned value)
{
    return order_refund_status_name((enum order_refund_status)value);
}
static const char *outcome_word(unsigned value)
{
    return order_outcome_name((enum order_outcome)value);
}

static const char *on_due_word(unsigned value)
{
    static const char *const words[] = {NULL, "notify", "escalate", "skip", "cancel"};

    return value < OMS_COUNT_OF(words) ? words[value] : NULL;
}

static const struct json_field customer_rows[] = {
    PRIVATE("customerId", JSON_TEXT, struct order_customer, customer_id),
    SHARED("name", JSON_TEXT, struct order_customer, name),
    SHARED("firstName", JSON_TEXT, struct order_customer, first_name),
    SHARED("lastName", JSON_TEXT, struct order_customer, last_name),
    PRIVATE("email", JSON_TEXT, struct order_customer, email),
    SHARED("phone", JSON_TEXT, struct order_customer, phone),
};
TABLE(customer_table, struct order_customer, customer_rows);

static const struct json_field address_rows[] = {
    SHARED("recipient", JSON_TEXT, struct order_address, recipient),
    SHARED("street", JSON_TEXT, struct order_address, street),
    SHARED("line2", JSON_TEXT, struct order_address, line2),
    SHARED("city", JSON_TEXT, struct order_address, city),
    SHARED("state", JSON_TEXT, struct order_address, state),
    SHARED("postal", JSON_TEXT, struct order_address, postal),
    SHARED("country", JSON_TEXT, struct order_address, country),
    SHARED("phone", JSON_TEXT, struct order_address, phone),
};
TABLE(address_table, struct order_address, address_rows);

static const struct json_field vendor_rows[] = {
    SHARED("vendorId", JSON_TEXT, struct order_vendor, id),
    SHARED("name", JSON_TEXT, struct order_vendor, name),
    SHARED("country", JSON_TEXT, struct order_vendor, country),
};
TABLE(vendor_table, struct order_vendor, vendor_rows);

static const struct json_field package_rows[] = {
    SHARED("weight", JSON_TEXT, struct order_package, weight),
    SHARED("dimensions", JSON_TEXT, struct order_package, dimensions),
};
TABLE(package_table, struct order_package, package_rows);

static const struct json_field line_rows[] = {
    PART("lineItemId", struct order_line, id, ""),
    SHARED("productSku", JSON_TEXT, struct order_line, sku),
    SHARED("productName", JSON_TEXT, struct order_line, name),
    SHARED("productCategory", JSON_TEXT, struct order_line, category),
    OBJECT("vendor", SHOWN, struct order_line, vendor, vendor_table),
    SHARED("orderQuantity", JSON_NUMBER, struct order_line, quantity),
    SHARED("productPrice", JSON_MONEY, struct order_line, unit_price),
    SHARED("discountAmount", JSON_MONEY, struct order_line, discount),
    SHARED("options", JSON_RAW, struct order_line, options),
    OBJECT("package", SHOWN, struct order_line, package, package_table),
    SHARED("isFreeGift", JSON_BOOL, struct order_line, free_gift),
    SHARED("isTaxable", JSON_BOOL, struct order_line, taxable),
};
const struct json_table order_event_line_table = {sizeof(struct order_line), line_rows,
                                                  OMS_COUNT_OF(line_rows)};

static const struct json_field shipping_rows[] = {
    SHARED("method", JSON_TEXT, struct order_shipping, method),
    SHARED("deliveryTime", JSON_TEXT, struct order_shipping, delivery_time),
    PRIVATE("cost", JSON_MONEY, struct order_shipping, cost),
};
TABLE(shipping_table, struct order_shipping, shipping_rows);

static const struct json_field tax_line_rows[] = {
    SHARED("title", JSON_TEXT, struct order_tax_line, title),
    SHARED("rate", JSON_TEXT, struct order_tax_line, rate),
    SHARED("amount", JSON_MONEY, struct order_tax_line, amount),
};
TABLE(tax_line_table, struct order_tax_line, tax_line_rows);

static const struct json_field totals_rows[] = {
    SHARED("totalAmount", JSON_MONEY, struct order_totals, total),
    SHARED("totalDiscountsFee", JSON_MONEY, struct order_totals, discounts),
    SHARED("taxAmount", JSON_MONEY, struct order_totals, tax),
    SHARED("shippingAmount", JSON_MONEY, struct order_totals, shipping),
    SHARED("finalAmount", JSON_MONEY, struct order_totals, final),
};
TABLE(totals_table, struct order_totals, totals_rows);

static const struct json_field item_rows[] = {
    PART("lineItemId", struct order_item, line, ""),
    SHARED("quantity", JSON_NUMBER, struct order_item, quantity),
};
TABLE(item_table, struct order_item, item_rows);

static const struct json_field created_rows[] = {
    SHARED("orderId", JSON_TEXT, struct order_created, order_id),
    SHARED("externalRef", JSON_TEXT, struct order_created, external_ref),
    SHARED("source", JSON_TEXT, struct order_created, source),
    WORD("stage", struct order_created, stage, stage_word),
    SHARED("placedAt", JSON_TIME, struct order_created, placed_at),
    OBJECT("customerDetails", SHOWN, struct order_created, customer, customer_table),
    FLAGGED_OBJECT("destination", SHOWN, struct order_created, destination, has_destination, address_table),
    FLAGGED_OBJECT("billingAddress", HIDDEN, struct order_created, billing, has_billing, address_table),
    LINES("lineItems", struct order_created, lines, line_count, struct order_line, id,
          order_event_line_table),
    OBJECT("shippingDetails", SHOWN, struct order_created, shipping, shipping_table),
    TEXTS("coupons", HIDDEN, struct order_created, coupons, coupon_count),
    TEXTS("offerDetails", HIDDEN, struct order_created, offers, offer_count),
    PRIVATE("taxesIncluded", JSON_BOOL, struct order_created, taxes_included),
    LIST("taxLines", HIDDEN, struct order_created, tax_lines, tax_line_count, tax_line_table),
    TEXTS("taxDetails", HIDDEN, struct order_created, tax_details, tax_detail_count),
    OBJECT("totals", HIDDEN, struct order_created, totals, totals_table),
    PRIVATE("workflowVersion", JSON_COUNT, struct order_created, workflow_version),
};
TABLE(created_table, struct order_created, created_rows);

static const struct json_field lines_added_rows[] = {
    LINES("lineItems", struct order_lines_added, lines, line_count, struct order_line, id,
          order_event_line_table),
    OBJECT("totals", HIDDEN, struct order_lines_added, pricing.totals, totals_table),
    LIST("taxLines", HIDDEN, struct order_lines_added, pricing.tax_lines, pricing.tax_line_count,
         tax_line_table),
};
TABLE(lines_added_table, struct order_lines_added, lines_added_rows);

static const struct json_field lines_changed_rows[] = {
    LINES("items", struct order_lines_changed, items, item_count, struct order_item, line, item_table),
    SHARED("cancellationReason", JSON_TEXT, struct order_lines_changed, reason),
    OBJECT("totals", HIDDEN, struct order_lines_changed, pricing.totals, totals_table),
    LIST("taxLines", HIDDEN, struct order_lines_changed, pricing.tax_lines, pricing.tax_line_count,
         tax_line_table),
};
TABLE(lines_changed_table, struct order_lines_changed, lines_changed_rows);

static const struct json_field destination_rows[] = {
    FLAGGED_OBJECT("destination", SHOWN, struct order_destination_changed, destination, has_destination,
                   address_table),
    FLAGGED_OBJECT("billingAddress", HIDDEN, struct order_destination_changed, billing, has_billing,
                   address_table),
};
TABLE(destination_table, struct order_destination_changed, destination_rows);

static const struct json_field stage_rows[] = {
    WORD("from", struct order_stage_changed, from, stage_word),
    SHARED("cancellationReason", JSON_TEXT, struct order_stage_changed, reason),
};
TABLE(stage_table, struct order_stage_changed, stage_rows);

static const struct json_field shipment_rows[] = {
    PART("shipmentId", struct order_shipment, id, ORDER_PART_SHIPMENT),
    WORD("status", struct order_shipment, status, shipment_word),
    WORD("mode", struct order_shipment, mode, mode_word),
    SHARED("provider", JSON_TEXT, struct order_shipment, provider),
    SHARED("warehouse", JSON_TEXT, struct order_shipment, warehouse),
    OBJECT("package", SHOWN, struct order_shipment, package, package_table),
    SHARED("pickupFrom", JSON_TIME, struct order_shipment, pickup_from),
    SHARED("pickupUntil", JSON_TIME, struct order_shipment, pickup_until),
    OBJECT("shipmentAddress", SHOWN, struct order_shipment, address, address_table),
    FLAGGED("shipmentAmount", JSON_MONEY, SHOWN_OF_WHOLE, struct order_shipment, cost, has_cost),
    SHARED("trackingReference", JSON_TEXT, struct order_shipment, tracking_reference),
    SHARED("trackingUrl", JSON_TEXT, struct order_shipment, tracking_url),
    SHARED("labelUrl", JSON_TEXT, struct order_shipment, label_url),
    LINES("shipmentItems", struct order_shipment, items, item_count, struct order_item, line, item_table),
};
TABLE(shipment_table, struct order_shipment, shipment_rows);

static const struct json_field shipment_changed_rows[] = {
    PART("shipmentId", struct order_shipment_changed, shipment, ORDER_PART_SHIPMENT),
    WORD("status", struct order_shipment_changed, status, shipment_word),
    SHARED("occurredAt", JSON_TIME, struct order_shipment_changed, occurred_at),
    SHARED("provider", JSON_TEXT, struct order_shipment_changed, provider),
    SHARED("trackingReference", JSON_TEXT, struct order_shipment_changed, tracking_reference),
    SHARED("shippingReference", JSON_TEXT, struct order_shipment_changed, tracking_url),
    SHARED("labelUrl", JSON_TEXT, struct order_shipment_changed, label_url),
    SHARED("reason", JSON_TEXT, struct order_shipment_changed, reason),
    SHARED("carrierStatus", JSON_TEXT, struct order_shipment_changed, carrier_status),
    FLAGGED("shipmentAmount", JSON_MONEY, SHOWN_OF_WHOLE, struct order_shipment_changed, cost, has_cost),
    SHARED("pickupFrom", JSON_TIME, struct order_shipment_changed, pickup_from),
    SHARED("pickupUntil", JSON_TIME, struct order_shipment_changed, pickup_until),
};
TABLE(shipment_changed_table, struct order_shipment_changed, shipment_changed_rows);

static const struct json_field payment_rows[] = {
    PART("paymentId", struct order_payment, id, ORDER_PART_PAYMENT),
    WORD("status", struct order_payment, status, payment_word),
    SHARED("method", JSON_TEXT, struct order_payment, method),
    SHARED("provider", JSON_TEXT, struct order_payment, provider),
    SHARED("transactionId", JSON_TEXT, struct order_payment, transaction_id),
    SHARED("amount", JSON_MONEY, struct order_payment, amount),
    SHARED("occurredAt", JSON_TIME, struct order_payment, occurred_at),
};
TABLE(payment_table, struct order_payment, payment_rows);

static const struct json_field return_item_rows[] = {
    PART("lineItemId", struct order_return_item, line, ""),
    SHARED("quantity", JSON_NUMBER, struct order_return_item, quantity),
    SHARED("receivedQuantity", JSON_NUMBER, struct order_return_item, received),
    SHARED("condition", JSON_TEXT, struct order_return_item, condition),
    SHARED("restock", JSON_BOOL, struct order_return_item, restock),
};
TABLE(return_item_table, struct order_return_item, return_item_rows);

static const struct json_field return_rows[] = {
    PART("returnId", struct order_return, id, ORDER_PART_RETURN),
    WORD("status", struct order_return, status, return_word),
    SHARED("reason", JSON_TEXT, struct order_return, reason),
    SHARED("comments", JSON_TEXT, struct order_return, comments),
    LINES("items", struct order_return, items, item_count, struct order_return_item, line, return_item_table),
};
TABLE(return_table, struct order_return, return_rows);

static const struct json_field return_changed_rows[] = {
    PART("returnId", struct order_return_changed, return_id, ORDER_PART_RETURN),
    SHARED("decisionNote", JSON_TEXT, struct order_return_changed, note),
    SHARED("occurredAt", JSON_TIME, struct order_return_changed, occurred_at),
    LINES("items", struct order_return_changed, items, item_count, struct order_return_item, line,
          return_item_table),
};
TABLE(return_changed_table, struct order_return_changed, return_changed_rows);

static const struct json_field refund_rows[] = {
    PART("refundId", struct order_refund, id, ORDER_PART_REFUND),
    WORD("status", struct order_refund, status, refund_word),
    PART("returnId", struct order_refund, return_id, ORDER_PART_RETURN),
    SHARED("amount", JSON_MONEY, struct order_refund, amount),
    SHARED("restockingFee", JSON_MONEY, struct order_refund, fee),
    SHARED("shippingAmount", JSON_MONEY, struct order_refund, shipping),
    SHARED("reason", JSON_TEXT, struct order_refund, reason),
    SHARED("provider", JSON_TEXT, struct order_refund, provider),
    SHARED("transactionId", JSON_TEXT, struct order_refund, transaction_id),
};
TABLE(refund_table, struct order_refund, refund_rows);

static const struct json_field refund_settled_rows[] = {
    PART("refundId", struct order_refund_settled, refund, ORDER_PART_REFUND),
    WORD("status", struct order_refund_settled, status, refund_word),
    SHARED("provider", JSON_TEXT, struct order_refund_settled, provider),
    SHARED("transactionId", JSON_TEXT, struct order_refund_settled, transaction_id),
};
TABLE(refund_settled_table, struct order_refund_settled, refund_settled_rows);

static const struct json_field step_started_rows[] = {
    SHARED("stepName", JSON_STEP, struct order_step_started, activity),
    SHARED("dueAt", JSON_TIME, struct order_step_started, due_at),
};
TABLE(step_started_table, struct order_step_started, step_started_rows);

static const struct json_field step_finished_rows[] = {
    SHARED("stepName", JSON_STEP, struct order_step_finished, activity),
    WORD("outcome", struct order_step_finished, outcome, outcome_word),
    SHARED("comments", JSON_TEXT, struct order_step_finished, comments),
    SHARED("userInput", JSON_RAW, struct order_step_finished, user_input),
};
TABLE(step_finished_table, struct order_step_finished, step_finished_rows);

static const struct json_field reviewer_rows[] = {
    SHARED("stepName", JSON_STEP, struct order_reviewer_assigned, activity),
    SHARED("reviewer", JSON_TEXT, struct order_reviewer_assigned, reviewer),
    SHARED("comments", JSON_TEXT, struct order_reviewer_assigned, comments),
};
TABLE(reviewer_table, struct order_reviewer_assigned, reviewer_rows);

static const struct json_field steps_reset_rows[] = {
    SHARED("stepName", JSON_STEP, struct order_steps_reset, activity),
};
TABLE(steps_reset_table, struct order_steps_reset, steps_reset_rows);

static const struct json_field step_overdue_rows[] = {
    SHARED("stepName", JSON_STEP, struct order_step_overdue, activity),
    WORD("onDue", struct order_step_overdue, on_due, on_due_word),
};
TABLE(step_overdue_table, struct order_step_overdue, step_overdue_rows);

static const struct json_field migrated_step_rows[] = {
    SHARED("stepName", JSON_TEXT, struct order_activity, step_name),
    WORD("outcome", struct order_activity, outcome, outcome_word),
    SHARED("dueAt", JSON_TIME, struct order_activity, due_at),
};
TABLE(migrated_step_table, struct order_activity, migrated_step_rows);

static const struct json_field migrated_rows[] = {
    SHARED("fromVersion", JSON_COUNT, struct order_workflow_migrated, from),
    SHARED("toVersion", JSON_COUNT, struct order_workflow_migrated, to),
    LIST("activities", SHOWN, struct order_workflow_migrated, activities, activity_count, migrated_step_table),
};
TABLE(migrated_table, struct order_workflow_migrated, migrated_rows);

static const struct json_field hold_rows[] = {
    PART("holdId", struct order_hold, id, ORDER_PART_HOLD),
    SHARED("reason", JSON_TEXT, struct order_hold, reason),
    SHARED("blocks", JSON_COMMANDS, struct order_hold, blocks),
    SHARED("expiresAt", JSON_TIME, struct order_hold, expires_at),
};
TABLE(hold_table, struct order_hold, hold_rows);

static const struct json_field hold_released_rows[] = {
    PART("holdId", struct order_hold_released, hold, ORDER_PART_HOLD),
    SHARED("expired", JSON_BOOL, struct order_hold_released, expired),
    SHARED("reason", JSON_TEXT, struct order_hold_released, reason),
};
TABLE(hold_released_table, struct order_hold_released, hold_released_rows);

static const struct json_field note_rows[] = {
    PART("noteId", struct order_note, id, ORDER_PART_NOTE),
    SHARED("text", JSON_TEXT, struct order_note, text),
    SHARED("visibleToCustomer", JSON_BOOL, struct order_note, visible_to_customer),
};
TABLE(note_table, struct order_note, note_rows);

static const struct json_field erased_rows[] = {
    SHARED("notes", JSON_COUNT, struct order_erased, notes),
};
TABLE(erased_table, struct order_erased, erased_rows);

const struct order_event_row order_event_rows[ORDER_EVENT_COUNT] = {
    [ORDER_EVENT_ORDER_CREATED] = {&created_table, EVERYBODY},
    [ORDER_EVENT_LINE_ITEMS_ADDED] = {&lines_added_table, SEEN_BY_CUSTOMER | SEEN_BY_LINE},
    [ORDER_EVENT_LINE_ITEMS_REMOVED] = {&lines_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_LINE},
    [ORDER_EVENT_QUANTITIES_CHANGED] = {&lines_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_LINE},
    [ORDER_EVENT_DESTINATION_CHANGED] = {&destination_table, EVERYBODY},
    [ORDER_EVENT_ORDER_PLACED] = {&stage_table, EVERYBODY},
    [ORDER_EVENT_ORDER_CONFIRMED] = {&stage_table, EVERYBODY},
    [ORDER_EVENT_ORDER_SHIPPED] = {&stage_table, EVERYBODY},
    [ORDER_EVENT_ORDER_COMPLETED] = {&stage_table, EVERYBODY},
    [ORDER_EVENT_ORDER_CANCELLED] = {&stage_table, EVERYBODY},
    [ORDER_EVENT_LINE_ITEMS_CANCELLED] = {&lines_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_LINE},
    [ORDER_EVENT_SHIPMENT_ADDED] = {&shipment_table, SEEN_BY_CUSTOMER | SEEN_BY_LINE},
    [ORDER_EVENT_SHIPMENT_CONFIRMED] = {&shipment_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_SHIPMENT},
    [ORDER_EVENT_SHIPMENT_DISPATCHED] = {&shipment_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_SHIPMENT},
    [ORDER_EVENT_SHIPMENT_DELIVERED] = {&shipment_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_SHIPMENT},
    [ORDER_EVENT_SHIPMENT_CANCELLED] = {&shipment_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_SHIPMENT},
    [ORDER_EVENT_SHIPMENT_FAILED] = {&shipment_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_SHIPMENT},
    [ORDER_EVENT_SHIPMENT_SCANNED] = {&shipment_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_SHIPMENT},
    [ORDER_EVENT_TRACKING_ADDED] = {&shipment_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_SHIPMENT},
    [ORDER_EVENT_PAYMENT_RECORDED] = {&payment_table, SEEN_BY_CUSTOMER},
    [ORDER_EVENT_RETURN_REQUESTED] = {&return_table, SEEN_BY_CUSTOMER | SEEN_BY_LINE},
    [ORDER_EVENT_RETURN_APPROVED] = {&return_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_RETURN},
    [ORDER_EVENT_RETURN_REJECTED] = {&return_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_RETURN},
    [ORDER_EVENT_RETURN_RECEIVED] = {&return_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_RETURN},
    [ORDER_EVENT_RETURN_CANCELLED] = {&return_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_RETURN},
    [ORDER_EVENT_RETURN_CLOSED] = {&return_changed_table, SEEN_BY_CUSTOMER | SEEN_BY_RETURN},
    [ORDER_EVENT_REFUND_PROCESSED] = {&refund_table, SEEN_BY_CUSTOMER},
    [ORDER_EVENT_REFUND_SETTLED] = {&refund_settled_table, SEEN_BY_CUSTOMER},
    [ORDER_EVENT_STEP_STARTED] = {&step_started_table, STAFF},
    [ORDER_EVENT_STEP_FINISHED] = {&step_finished_table, STAFF},
    [ORDER_EVENT_REVIEWER_ASSIGNED] = {&reviewer_table, STAFF},
    [ORDER_EVENT_STEPS_RESET] = {&steps_reset_table, STAFF},
    [ORDER_EVENT_STEP_OVERDUE] = {&step_overdue_table, STAFF},
    [ORDER_EVENT_HOLD_PLACED] = {&hold_table, STAFF},
    [ORDER_EVENT_HOLD_RELEASED] = {&hold_released_table, STAFF},
    [ORDER_EVENT_NOTE_ADDED] = {&note_table, SEEN_WHEN_VISIBLE},
    [ORDER_EVENT_WORKFLOW_MIGRATED] = {&migrated_table, STAFF},
    [ORDER_EVENT_CUSTOMER_ERASED] = {&erased_table, STAFF},
};
