/*
 * The rows of every mutation's input (domain section 9). A new field is one row here and one in the schema.
 * The order of rows is the order in which faults are listed and in which the fingerprint reads: append only,
 * or raise ORDER_FINGERPRINT_VERSION.
 */
#include "actors/order_input_tables.h"

#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define TABLE(name, type, rows)                                                                              \
    static const struct order_input_table name = {sizeof(type), rows, OMS_COUNT_OF(rows)}
#define ROW(text, kind_, t, m)                                                                               \
    .name = text, .name_len = sizeof(text) - 1, .kind = kind_, .offset = offsetof(t, m)
#define OPT(text, kind, t, m)                                                                                \
    {                                                                                                        \
        ROW(text, kind, t, m)                                                                                \
    }
#define REQ(text, kind, t, m)                                                                                \
    {                                                                                                        \
        ROW(text, kind, t, m), .required = true                                                              \
    }
#define FLAG(text, kind, t, m, f)                                                                            \
    {                                                                                                        \
        ROW(text, kind, t, m), .aux = offsetof(t, f)                                                         \
    }
#define REQ_FLAG(text, kind, t, m, f)                                                                        \
    {                                                                                                        \
        ROW(text, kind, t, m), .aux = offsetof(t, f), .required = true                                       \
    }
#define PART(text, needed, t, m, p)                                                                          \
    {                                                                                                        \
        ROW(text, INPUT_PART, t, m), .required = needed, .prefix = p                                         \
    }
#define JSON(text, t, m, bytes)                                                                              \
    {                                                                                                        \
        ROW(text, INPUT_JSON, t, m), .max = (bytes)                                                          \
    }
#define ENUM(text, t, m, function, words)                                                                    \
    {                                                                                                        \
        ROW(text, INPUT_ENUM, t, m), .parse = function, .expected = words                                    \
    }
#define OBJECT(text, needed, t, m, tab)                                                                      \
    {                                                                                                        \
        ROW(text, INPUT_OBJECT, t, m), .required = needed, .table = &(tab)                                   \
    }
#define OBJECT_FLAG(text, t, m, f, tab)                                                                      \
    {                                                                                                        \
        ROW(text, INPUT_OBJECT, t, m), .aux = offsetof(t, f), .table = &(tab)                                \
    }
#define LIST(text, needed, t, m, n, limit, tab)                                                              \
    {                                                                                                        \
        ROW(text, INPUT_LIST, t, m), .required = needed, .aux = offsetof(t, n), .max = limit,                \
                                     .table = &(tab)                                                         \
    }
/* Absent means all: an empty one, which a form without a choice sends, must not. */
#define LIST_OR_ALL(text, t, m, n, limit, tab)                                                               \
    {                                                                                                        \
        ROW(text, INPUT_LIST, t, m),                                                                         \
            .aux = offsetof(t, n), .max = limit, .table = &(tab),                                            \
            .expected = "Name at least one line, or leave " text " out for all of them"                      \
    }
#define LIST_FLAG(text, t, m, n, f, limit, tab)                                                              \
    {                                                                                                        \
        ROW(text, INPUT_LIST, t, m), .aux = offsetof(t, n), .flag = offsetof(t, f), .max = limit,            \
                                     .table = &(tab)                                                         \
    }
#define TEXTS(text, kind, t, m, n, limit)                                                                    \
    {                                                                                                        \
        ROW(text, kind, t, m), .aux = offsetof(t, n), .max = limit                                           \
    }

/* ---- enum words behind one type of function ---- */

static bool parse_stage(struct oms_str text, unsigned *out)
{
    enum order_stage value;

    if (!order_stage_parse(text, &value))
        return false;
    *out = value;
    return true;
}
static bool parse_mode(struct oms_str text, unsigned *out)
{
    enum order_shipment_mode value;

    if (!order_shipment_mode_parse(text, &value))
        return false;
    *out = value;
    return true;
}
static bool parse_shipment(struct oms_str text, unsigned *out)
{
    enum order_shipment_status value;

    if (!order_shipment_status_parse(text, &value))
        return false;
    *out = value;
    return true;
}
static bool parse_payment(struct oms_str text, unsigned *out)
{
    enum order_payment_entry_status value;

    if (!order_payment_entry_status_parse(text, &value))
        return false;
    *out = value;
    return true;
}
static bool parse_refund(struct oms_str text, unsigned *out)
{
    enum order_refund_status value;

    if (!order_refund_status_parse(text, &value))
        return false;
    *out = value;
    return true;
}

#define STAGE_WORDS    "DRAFT, PENDING or CONFIRMED"
#define MODE_WORDS     "PICKUP, DROPOFF or WAREHOUSE"
#define SHIPMENT_WORDS "FAILED or RETURNED_TO_SENDER"
#define PAYMENT_WORDS  "AUTHORIZED, CAPTURED, FAILED or VOIDED"
#define REFUND_WORDS   "PENDING, SUCCEEDED or FAILED"

/* ---- parts ---- */

static const struct order_input_field customer_rows[] = {
    OPT("customerId", INPUT_TEXT, struct order_customer, customer_id),
    OPT("name", INPUT_TEXT, struct order_customer, name),
    OPT("firstName", INPUT_TEXT, struct order_customer, first_name),
    OPT("lastName", INPUT_TEXT, struct order_customer, last_name),
    OPT("email", INPUT_TEXT, struct order_customer, email),
    OPT("phone", INPUT_TEXT, struct order_customer, phone),
};
TABLE(customer_table, struct order_customer, customer_rows);

static const struct order_input_field address_rows[] = {
    OPT("recipient", INPUT_TEXT, struct order_address, recipient),
    OPT("street", INPUT_TEXT, struct order_address, street),
    OPT("line2", INPUT_TEXT, struct order_address, line2),
    OPT("city", INPUT_TEXT, struct order_address, city),
    OPT("state", INPUT_TEXT, struct order_address, state),
    OPT("postal", INPUT_TEXT, struct order_address, postal),
    OPT("country", INPUT_TEXT, struct order_address, country),
    OPT("phone", INPUT_TEXT, struct order_address, phone),
};
TABLE(address_table, struct order_address, address_rows);

static const struct order_input_field vendor_rows[] = {
    REQ("vendorId", INPUT_TEXT, struct order_vendor, id),
    OPT("name", INPUT_TEXT, struct order_vendor, name),
    OPT("country", INPUT_TEXT, struct order_vendor, country),
};
TABLE(vendor_table, struct order_vendor, vendor_rows);

static const struct order_input_field package_rows[] = {
    OPT("weight", INPUT_DECIMAL_TEXT, struct order_package, weight),
    OPT("dimensions", INPUT_TEXT, struct order_package, dimensions),
};
TABLE(package_table, struct order_package, package_rows);

static const struct order_input_field line_rows[] = {
    REQ("productSku", INPUT_TEXT, struct order_line_input, sku),
    REQ("productName", INPUT_TEXT, struct order_line_input, name),
    OPT("productCategory", INPUT_TEXT, struct order_line_input, category),
    OBJECT("vendor", true, struct order_line_input, vendor, vendor_table),
    REQ("orderQuantity", INPUT_COUNT, struct order_line_input, quantity),
    REQ("productPrice", INPUT_MONEY, struct order_line_input, price),
    OPT("discountAmount", INPUT_DECIMAL, struct order_line_input, discount),
    JSON("options", struct order_line_input, options, OMS_ORDER_OPTIONS_BYTES_MAX),
    OBJECT("package", false, struct order_line_input, package, package_table),
    OPT("isFreeGift", INPUT_BOOL, struct order_line_input, free_gift),
    OPT("isTaxable", INPUT_BOOL_NOT, struct order_line_input, not_taxable),
};
TABLE(line_table, struct order_line_input, line_rows);

static const struct order_input_field tax_line_rows[] = {
    REQ("title", INPUT_TEXT, struct order_tax_line_input, title),
    OPT("rate", INPUT_DECIMAL_TEXT, struct order_tax_line_input, rate),
    OPT("amount", INPUT_DECIMAL, struct order_tax_line_input, amount),
};
TABLE(tax_line_table, struct order_tax_line_input, tax_line_rows);

static const struct order_input_field note_rows[] = {
    REQ("text", INPUT_TEXT, struct order_note_input, text),
    OPT("visibleToCustomer", INPUT_BOOL, struct order_note_input, visible_to_customer),
};
TABLE(note_table, struct order_note_input, note_rows);

/* shippingDetails lies flat in the creation. */
static const struct order_input_field shipping_rows[] = {
    OPT("method", INPUT_TEXT, struct order_create_input, shipping_method),
    OPT("deliveryTime", INPUT_TEXT, struct order_create_input, delivery_time),
    OPT("cost", INPUT_DECIMAL, struct order_create_input, shipping_cost),
};
TABLE(shipping_table, struct order_create_input, shipping_rows);

static const struct order_input_field payment_details_rows[] = {
    OPT("method", INPUT_TEXT, struct order_payment_input, method),
    OPT("provider", INPUT_TEXT, struct order_payment_input, provider),
    OPT("paidAmount", INPUT_DECIMAL, struct order_payment_input, amount),
    OPT("transactionId", INPUT_TEXT, struct order_payment_input, transaction_id),
    ENUM("status", struct order_payment_input, status, parse_payment, PAYMENT_WORDS),
};
TABLE(payment_details_table, struct order_payment_input, payment_details_rows);

static const struct order_input_field sku_rows[] = {
    OPT("productSku", INPUT_TEXT, struct order_line_ref, sku),
    OPT("vendorId", INPUT_TEXT, struct order_line_ref, vendor_id),
    PART("lineItemId", false, struct order_line_ref, line_item_id, ""),
    OPT("orderQuantity", INPUT_REF_COUNT, struct order_line_ref, quantity),
    OPT("discountAmount", INPUT_DECIMAL, struct order_line_ref, discount),
};
TABLE(sku_table, struct order_line_ref, sku_rows);

static const struct order_input_field shipment_item_rows[] = {
    PART("lineItemId", false, struct order_line_ref, line_item_id, ""),
    OPT("productSku", INPUT_TEXT, struct order_line_ref, sku),
    OPT("vendorId", INPUT_TEXT, struct order_line_ref, vendor_id),
    REQ("quantity", INPUT_REF_COUNT, struct order_line_ref, quantity),
};
TABLE(shipment_item_table, struct order_line_ref, shipment_item_rows);

static const struct order_input_field return_item_rows[] = {
    PART("lineItemId", false, struct order_return_item_input, ref.line_item_id, ""),
    OPT("productSku", INPUT_TEXT, struct order_return_item_input, ref.sku),
    OPT("vendorId", INPUT_TEXT, struct order_return_item_input, ref.vendor_id),
    {ROW("quantity", INPUT_REF_COUNT, struct order_return_item_input, ref.quantity),
     .expected = "a whole number, not negative"}, /* 0 of a line may have come back */
    OPT("condition", INPUT_TEXT, struct order_return_item_input, condition),
    OPT("restock", INPUT_BOOL_TRUE, struct order_return_item_input, restock),
};
TABLE(return_item_table, struct order_return_item_input, return_item_rows);

/* ---- commands; offsets are of the whole command ---- */

#define CMD struct order_command

#define SUMS(member)                                                                                         \
    LIST_FLAG("taxLines", CMD, member.tax_lines, member.tax_line_count, member.has_tax_lines,                \
              OMS_ORDER_TAX_LINES_MAX, tax_line_table),                                                      \
        OPT("taxAmount", INPUT_DECIMAL, CMD, member.tax),                                                    \
        OPT("totalDiscountsFee", INPUT_DECIMAL, CMD, member.discounts),                                      \
        OPT("totalAmount", INPUT_DECIMAL, CMD, member.total),                                                \
        OPT("finalAmount", INPUT_DECIMAL, CMD, member.final)

static const struct order_input_field create_rows[] = {
    OPT("externalRef", INPUT_TEXT, CMD, create.external_ref),
    OPT("source", INPUT_TEXT, CMD, create.source),
    FLAG("placedAt", INPUT_INSTANT, CMD, create.placed_at, create.has_placed_at),
    ENUM("stage", CMD, create.stage, parse_stage, STAGE_WORDS),
    OBJECT("customerDetails", true, CMD, create.customer, customer_table),
    OBJECT_FLAG("destination", CMD, create.destination, create.has_destination, address_table),
    OBJECT_FLAG("billingAddress", CMD, create.billing, create.has_billing, address_table),
    LIST("lineItems", true, CMD, create.lines, create.line_count, OMS_ORDER_LINES_MAX, line_table),
    OBJECT("shippingDetails", false, CMD, create, shipping_table),
    OBJECT_FLAG("paymentDetails", CMD, create.payment, create.has_payment, payment_details_table),
    TEXTS("coupons", INPUT_CODES, CMD, create.coupons, create.coupon_count, OMS_ORDER_COUPONS_MAX),
    OPT("taxesIncluded", INPUT_BOOL, CMD, create.taxes_included),
    TEXTS("taxDetails", INPUT_TEXTS, CMD, create.tax_details, create.tax_detail_count,
          OMS_ORDER_TAX_LINES_MAX),
    TEXTS("offerDetails", INPUT_TEXTS, CMD, create.offers, create.offer_count, OMS_ORDER_COUPONS_MAX),
    SUMS(create.sums),
    LIST("notes", false, CMD, create.notes, create.note_count, OMS_ORDER_NOTES_MAX, note_table),
};
TABLE(create_table, CMD, create_rows);

static const struct order_input_field add_line_rows[] = {
    LIST("lineItems", true, CMD, lines.added, lines.added_count, OMS_ORDER_LINES_MAX, line_table),
    SUMS(lines.sums),
};
TABLE(add_line_table, CMD, add_line_rows);

static const struct order_input_field edit_lines_rows[] = {
    LIST("productSkus", true, CMD, lines.refs, lines.ref_count, OMS_ORDER_LINES_MAX, sku_table),
    SUMS(lines.sums),
};
TABLE(edit_lines_table, CMD, edit_lines_rows);

static const struct order_input_field destination_rows[] = {
    OBJECT_FLAG("destination", CMD, destination.destination, destination.has_destination, address_table),
    OBJECT_FLAG("billingAddress", CMD, destination.billing, destination.has_billing, address_table),
};
TABLE(destination_table, CMD, destination_rows);

static const struct order_input_table bare_table = {sizeof(CMD), NULL, 0};

static const struct order_input_field cancel_lines_rows[] = {
    LIST("productSkus", true, CMD, cancel.refs, cancel.ref_count, OMS_ORDER_LINES_MAX, sku_table),
    REQ("cancellationReason", INPUT_TEXT, CMD, cancel.reason),
};
TABLE(cancel_lines_table, CMD, cancel_lines_rows);

static const struct order_input_field cancel_order_rows[] = {
    REQ("cancellationReason", INPUT_TEXT, CMD, cancel.reason),
};
TABLE(cancel_order_table, CMD, cancel_order_rows);

static const struct order_input_field add_shipment_rows[] = {
    LIST_OR_ALL("shipmentItems", CMD, shipment.items, shipment.item_count, OMS_ORDER_LINES_MAX,
                shipment_item_table),
    ENUM("mode", CMD, shipment.mode, parse_mode, MODE_WORDS),
    OPT("provider", INPUT_TEXT, CMD, shipment.provider),
    OPT("warehouse", INPUT_TEXT, CMD, shipment.warehouse),
    OBJECT("package", false, CMD, shipment.package, package_table),
    OPT("pickupFrom", INPUT_INSTANT, CMD, shipment.pickup_from),
    OPT("pickupUntil", INPUT_INSTANT, CMD, shipment.pickup_until),
    OBJECT_FLAG("shipmentAddress", CMD, shipment.address, shipment.has_address, address_table),
    OPT("shipmentAmount", INPUT_DECIMAL, CMD, shipment.cost),
    OPT("trackingReference", INPUT_TEXT, CMD, shipment.tracking_reference),
    OPT("labelUrl", INPUT_TEXT, CMD, shipment.label_url),
};
TABLE(add_shipment_table, CMD, add_shipment_rows);

#define SHIPMENT_ID(needed) PART("shipmentId", needed, CMD, shipment.shipment, ORDER_PART_SHIPMENT)

static const struct order_input_field confirm_shipment_rows[] = {
    SHIPMENT_ID(true),
    OPT("provider", INPUT_TEXT, CMD, shipment.provider),
    OPT("trackingReference", INPUT_TEXT, CMD, shipment.tracking_reference),
    OPT("pickupFrom", INPUT_INSTANT, CMD, shipment.pickup_from),
    OPT("pickupUntil", INPUT_INSTANT, CMD, shipment.pickup_until),
    OPT("shipmentAmount", INPUT_DECIMAL, CMD, shipment.cost),
};
TABLE(confirm_shipment_table, CMD, confirm_shipment_rows);

static const struct order_input_field dispatch_shipment_rows[] = {
    SHIPMENT_ID(true),
    OPT("provider", INPUT_TEXT, CMD, shipment.provider),
    OPT("trackingReference", INPUT_TEXT, CMD, shipment.tracking_reference),
    OPT("shippingReference", INPUT_TEXT, CMD, shipment.tracking_url),
    OPT("labelUrl", INPUT_TEXT, CMD, shipment.label_url),
    OPT("shipmentAmount", INPUT_DECIMAL, CMD, shipment.cost),
    OPT("occurredAt", INPUT_INSTANT, CMD, shipment.occurred_at),
};
TABLE(dispatch_shipment_table, CMD, dispatch_shipment_rows);

static const struct order_input_field deliver_shipment_rows[] = {
    SHIPMENT_ID(true),
    OPT("occurredAt", INPUT_INSTANT, CMD, shipment.occurred_at),
};
TABLE(deliver_shipment_table, CMD, deliver_shipment_rows);

static const struct order_input_field cancel_shipment_rows[] = {
    SHIPMENT_ID(true),
    OPT("reason", INPUT_TEXT, CMD, shipment.reason),
};
TABLE(cancel_shipment_table, CMD, cancel_shipment_rows);

static const struct order_input_field fail_shipment_rows[] = {
    SHIPMENT_ID(true),
    OPT("reason", INPUT_TEXT, CMD, shipment.reason),
    ENUM("status", CMD, shipment.status, parse_shipment, SHIPMENT_WORDS),
    OPT("occurredAt", INPUT_INSTANT, CMD, shipment.occurred_at),
};
TABLE(fail_shipment_table, CMD, fail_shipment_rows);

static const struct order_input_field mark_shipped_rows[] = {
    OPT("provider", INPUT_TEXT, CMD, shipment.provider),
    OPT("trackingReference", INPUT_TEXT, CMD, shipment.tracking_reference),
    OPT("shippingReference", INPUT_TEXT, CMD, shipment.tracking_url),
    OPT("occurredAt", INPUT_INSTANT, CMD, shipment.occurred_at),
};
TABLE(mark_shipped_table, CMD, mark_shipped_rows);

static const struct order_input_field tracking_rows[] = {
    REQ("shippingReference", INPUT_TEXT, CMD, shipment.tracking_url),
    SHIPMENT_ID(false),
    OPT("trackingReference", INPUT_TEXT, CMD, shipment.tracking_reference),
};
TABLE(tracking_table, CMD, tracking_rows);

static const struct order_input_field payment_rows[] = {
    REQ("amount", INPUT_MONEY, CMD, payment.amount),
    ENUM("status", CMD, payment.status, parse_payment, PAYMENT_WORDS),
    OPT("method", INPUT_TEXT, CMD, payment.method),
    OPT("provider", INPUT_TEXT, CMD, payment.provider),
    OPT("transactionId", INPUT_TEXT, CMD, payment.transaction_id),
    OPT("occurredAt", INPUT_INSTANT, CMD, payment.occurred_at),
};
TABLE(payment_table, CMD, payment_rows);

static const struct order_input_field request_return_rows[] = {
    LIST_OR_ALL("items", CMD, returns.items, returns.item_count, OMS_ORDER_LINES_MAX, return_item_table),
    REQ("reason", INPUT_TEXT, CMD, returns.reason),
    OPT("comments", INPUT_TEXT, CMD, returns.comments),
};
TABLE(request_return_table, CMD, request_return_rows);

#define RETURN_ID(needed) PART("returnId", needed, CMD, returns.return_id, ORDER_PART_RETURN)

static const struct order_input_field approve_return_rows[] = {
    RETURN_ID(true),
    OPT("comments", INPUT_TEXT, CMD, returns.comments),
};
TABLE(approve_return_table, CMD, approve_return_rows);

static const struct order_input_field reject_return_rows[] = {
    RETURN_ID(true),
    REQ("reason", INPUT_TEXT, CMD, returns.reason),
};
TABLE(reject_return_table, CMD, reject_return_rows);

static const struct order_input_field receive_return_rows[] = {
    RETURN_ID(true),
    LIST_OR_ALL("items", CMD, returns.items, returns.item_count, OMS_ORDER_LINES_MAX, return_item_table),
    OPT("comments", INPUT_TEXT, CMD, returns.comments),
    OPT("occurredAt", INPUT_INSTANT, CMD, returns.occurred_at),
};
TABLE(receive_return_table, CMD, receive_return_rows);

static const struct order_input_field cancel_return_rows[] = {
    RETURN_ID(true),
    OPT("reason", INPUT_TEXT, CMD, returns.reason),
};
TABLE(cancel_return_table, CMD, cancel_return_rows);

static const struct order_input_field refund_rows[] = {
    PART("returnId", false, CMD, refund.return_id, ORDER_PART_RETURN),
    OPT("amount", INPUT_MONEY, CMD, refund.amount),
    OPT("reason", INPUT_TEXT, CMD, refund.reason),
    OPT("refundShipping", INPUT_BOOL, CMD, refund.refund_shipping),
    PART("refundId", false, CMD, refund.refund_id, ORDER_PART_REFUND),
    ENUM("status", CMD, refund.status, parse_refund, REFUND_WORDS),
    OPT("provider", INPUT_TEXT, CMD, refund.provider),
    OPT("transactionId", INPUT_TEXT, CMD, refund.transaction_id),
};
TABLE(refund_table, CMD, refund_rows);

static const struct order_input_field escalate_rows[] = {
    REQ("reviewer", INPUT_TEXT, CMD, step.reviewer),
    OPT("stepName", INPUT_TEXT, CMD, step.step_name),
    OPT("comments", INPUT_TEXT, CMD, step.comments),
};
TABLE(escalate_table, CMD, escalate_rows);

static const struct order_input_field review_rows[] = {
    REQ_FLAG("isApproved", INPUT_BOOL_FLAG, CMD, step.is_approved, step.has_is_approved),
    OPT("comments", INPUT_TEXT, CMD, step.comments),
    OPT("stepName", INPUT_TEXT, CMD, step.step_name),
};
TABLE(review_table, CMD, review_rows);

static const struct order_input_field complete_activity_rows[] = {
    REQ("stepName", INPUT_TEXT, CMD, step.step_name),
    JSON("userInput", CMD, step.user_input, OMS_TEXT_BYTES_MAX),
    OPT("comments", INPUT_TEXT, CMD, step.comments),
};
TABLE(complete_activity_table, CMD, complete_activity_rows);

static const struct order_input_field skip_activity_rows[] = {
    REQ("stepName", INPUT_TEXT, CMD, step.step_name),
    OPT("comments", INPUT_TEXT, CMD, step.comments),
};
TABLE(skip_activity_table, CMD, skip_activity_rows);

static const struct order_input_field place_hold_rows[] = {
    REQ("reason", INPUT_TEXT, CMD, hold.reason),
    OPT("blocks", INPUT_COMMANDS, CMD, hold.blocks),
    OPT("expiresAt", INPUT_INSTANT, CMD, hold.expires_at),
};
TABLE(place_hold_table, CMD, place_hold_rows);

static const struct order_input_field release_hold_rows[] = {
    PART("holdId", true, CMD, hold.hold, ORDER_PART_HOLD),
    OPT("reason", INPUT_TEXT, CMD, hold.reason),
};
TABLE(release_hold_table, CMD, release_hold_rows);

static const struct order_input_field add_note_rows[] = {
    REQ("note", INPUT_TEXT, CMD, note.text),
    OPT("visibleToCustomer", INPUT_BOOL, CMD, note.visible_to_customer),
};
TABLE(add_note_table, CMD, add_note_rows);

/* The server's own: no mutation takes it, webhooks make it. */
static bool parse_shipment_status(struct oms_str text, unsigned *out)
{
    enum order_shipment_status status;

    if (!order_shipment_status_parse(text, &status))
        return false;
    *out = status;
    return true;
}

static const struct order_input_field track_shipment_rows[] = {
    OPT("trackingReference", INPUT_TEXT, CMD, shipment.tracking_reference),
    ENUM("status", CMD, shipment.status, parse_shipment_status,
         "CONFIRMED, IN_TRANSIT, DELIVERED, FAILED or RETURNED_TO_SENDER"),
    OPT("carrierStatus", INPUT_TEXT, CMD, shipment.carrier_status),
    OPT("provider", INPUT_TEXT, CMD, shipment.provider),
    OPT("shippingReference", INPUT_TEXT, CMD, shipment.tracking_url),
    OPT("occurredAt", INPUT_INSTANT, CMD, shipment.occurred_at),
};
TABLE(track_shipment_table, CMD, track_shipment_rows);

const struct order_input_table *order_input_table_of(enum order_command_type type)
{
    static const struct order_input_table *const tables[ORDER_COMMAND_COUNT] = {
        [ORDER_COMMAND_CREATE_ORDER] = &create_table,
        [ORDER_COMMAND_ADD_LINE_ITEM] = &add_line_table,
        [ORDER_COMMAND_REMOVE_LINE_ITEM] = &edit_lines_table,
        [ORDER_COMMAND_CHANGE_QUANTITY] = &edit_lines_table,
        [ORDER_COMMAND_CHANGE_DESTINATION] = &destination_table,
        [ORDER_COMMAND_PLACE_ORDER] = &bare_table,
        [ORDER_COMMAND_CONFIRM_ORDER] = &bare_table,
        [ORDER_COMMAND_CANCEL_LINE_ITEMS] = &cancel_lines_table,
        [ORDER_COMMAND_ADD_SHIPMENT] = &add_shipment_table,
        [ORDER_COMMAND_CONFIRM_SHIPMENT] = &confirm_shipment_table,
        [ORDER_COMMAND_DISPATCH_SHIPMENT] = &dispatch_shipment_table,
        [ORDER_COMMAND_DELIVER_SHIPMENT] = &deliver_shipment_table,
        [ORDER_COMMAND_CANCEL_SHIPMENT] = &cancel_shipment_table,
        [ORDER_COMMAND_FAIL_SHIPMENT] = &fail_shipment_table,
        [ORDER_COMMAND_MARK_AS_SHIPPED] = &mark_shipped_table,
        [ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE] = &tracking_table,
        [ORDER_COMMAND_RECORD_PAYMENT] = &payment_table,
        [ORDER_COMMAND_MARK_AS_COMPLETED] = &bare_table,
        [ORDER_COMMAND_CANCEL_ORDER] = &cancel_order_table,
        [ORDER_COMMAND_REQUEST_RETURN] = &request_return_table,
        [ORDER_COMMAND_APPROVE_RETURN] = &approve_return_table,
        [ORDER_COMMAND_REJECT_RETURN] = &reject_return_table,
        [ORDER_COMMAND_RECEIVE_RETURN] = &receive_return_table,
        [ORDER_COMMAND_CANCEL_RETURN] = &cancel_return_table,
        [ORDER_COMMAND_PROCESS_REFUND] = &refund_table,
        [ORDER_COMMAND_ESCALATE_REVIEWER] = &escalate_table,
        [ORDER_COMMAND_REVIEW_ORDER] = &review_table,
        [ORDER_COMMAND_COMPLETE_ACTIVITY] = &complete_activity_table,
        [ORDER_COMMAND_SKIP_ACTIVITY] = &skip_activity_table,
        [ORDER_COMMAND_PLACE_HOLD] = &place_hold_table,
        [ORDER_COMMAND_RELEASE_HOLD] = &release_hold_table,
        [ORDER_COMMAND_ADD_NOTE] = &add_note_table,
        [ORDER_COMMAND_TRACK_SHIPMENT] = &track_shipment_table,
    };

    return type < ORDER_COMMAND_COUNT ? tables[type] : NULL;
}
