/*
 * The rows of what events and the state share. Numbers are stored: append only. Lines, shipments and the like
 * keep their most usual fields below 64, where a tag is one byte.
 */
#include "actors/order_pack.h"

static const struct order_pack_field actor_rows[] = {
    PACK_ENUM_AT(1, struct order_actor, kind, PRINCIPAL_KIND_COUNT),
    PACK_OWN_AT(2, struct order_actor, subject),
    PACK_OWN_AT(3, struct order_actor, display_name),
};
PACK_TABLE(order_pack_actor, struct order_actor, actor_rows);

static const struct order_pack_field customer_rows[] = {
    PACK_PERSONAL_AT(1, struct order_customer, customer_id),
    PACK_PERSONAL_AT(2, struct order_customer, name),
    PACK_PERSONAL_AT(3, struct order_customer, first_name),
    PACK_PERSONAL_AT(4, struct order_customer, last_name),
    PACK_PERSONAL_AT(5, struct order_customer, email),
    PACK_PERSONAL_AT(6, struct order_customer, phone),
};
PACK_TABLE(order_pack_customer, struct order_customer, customer_rows);

static const struct order_pack_field address_rows[] = {
    PACK_PERSONAL_AT(1, struct order_address, recipient), PACK_PERSONAL_AT(2, struct order_address, street),
    PACK_PERSONAL_AT(3, struct order_address, line2),     PACK_PERSONAL_AT(4, struct order_address, city),
    PACK_PERSONAL_AT(5, struct order_address, state),     PACK_PERSONAL_AT(6, struct order_address, postal),
    PACK_TEXT_AT(7, struct order_address, country),       PACK_PERSONAL_AT(8, struct order_address, phone),
};
PACK_TABLE(order_pack_address, struct order_address, address_rows);

static const struct order_pack_field vendor_rows[] = {
    PACK_WORD_AT(1, struct order_vendor, id),
    PACK_TEXT_AT(2, struct order_vendor, name),
    PACK_TEXT_AT(3, struct order_vendor, country),
};
static PACK_TABLE(pack_vendor, struct order_vendor, vendor_rows);

static const struct order_pack_field package_rows[] = {
    PACK_TEXT_AT(1, struct order_package, weight),
    PACK_TEXT_AT(2, struct order_package, dimensions),
};
static PACK_TABLE(pack_package, struct order_package, package_rows);

static const struct order_pack_field line_rows[] = {
    PACK_U32_AT(1, struct order_line, id),
    PACK_BOOL_AT(2, struct order_line, free_gift),
    PACK_NOT_AT(3, struct order_line, taxable),
    PACK_TEXT_AT(4, struct order_line, sku),
    PACK_TEXT_AT(5, struct order_line, name),
    PACK_WORD_AT(6, struct order_line, category),
    PACK_RECORD_AT(7, struct order_line, vendor, pack_vendor),
    PACK_PERSONAL_JSON_AT(8, struct order_line, options),
    PACK_RECORD_AT(9, struct order_line, package, pack_package),
    PACK_I64_AT(10, struct order_line, unit_price),
    PACK_I64_AT(11, struct order_line, quantity),
    PACK_FROM_AT(12, struct order_line, priced_quantity, quantity),
    PACK_I64_AT(13, struct order_line, discount),
    PACK_I64_AT(14, struct order_line, allocated_discount),
    PACK_I64_AT(15, struct order_line, allocated_tax),
    PACK_I64_AT(16, struct order_line, settled_quantity),
    PACK_I64_AT(17, struct order_line, cancelled),
    PACK_I64_AT(18, struct order_line, allocated),
    PACK_I64_AT(19, struct order_line, shipped),
    PACK_I64_AT(20, struct order_line, delivered),
    PACK_I64_AT(21, struct order_line, return_open),
    PACK_I64_AT(22, struct order_line, returned),
};
PACK_TABLE_FROM(order_pack_line, struct order_line, line_rows);

static const struct order_pack_field shipping_rows[] = {
    PACK_WORD_AT(1, struct order_shipping, method),
    PACK_TEXT_AT(2, struct order_shipping, delivery_time),
    PACK_I64_AT(3, struct order_shipping, cost),
};
PACK_TABLE(order_pack_shipping, struct order_shipping, shipping_rows);

static const struct order_pack_field tax_line_rows[] = {
    PACK_TEXT_AT(1, struct order_tax_line, title),
    PACK_TEXT_AT(2, struct order_tax_line, rate),
    PACK_I64_AT(3, struct order_tax_line, amount),
    PACK_BOOL_AT(4, struct order_tax_line, computed),
};
PACK_TABLE(order_pack_tax_line, struct order_tax_line, tax_line_rows);

/* The final amount is mostly the total. */
static const struct order_pack_field totals_rows[] = {
    PACK_I64_AT(1, struct order_totals, total),
    PACK_I64_AT(2, struct order_totals, discounts),
    PACK_I64_AT(3, struct order_totals, tax),
    PACK_I64_AT(4, struct order_totals, shipping),
    PACK_FROM_AT(5, struct order_totals, final, total),
    PACK_I64_AT(6, struct order_totals, shipping_discount),
    PACK_I64_AT(7, struct order_totals, shipping_tax),
};
PACK_TABLE_FROM(order_pack_totals, struct order_totals, totals_rows);

static const struct order_pack_field item_rows[] = {
    PACK_U32_AT(1, struct order_item, line),
    PACK_I64_AT(2, struct order_item, quantity),
};
PACK_TABLE(order_pack_item, struct order_item, item_rows);

static const struct order_pack_field payment_rows[] = {
    PACK_U32_AT(1, struct order_payment, id),
    PACK_ENUM_AT(2, struct order_payment, status, ORDER_PAYMENT_ENTRY_STATUS_COUNT),
    PACK_WORD_AT(3, struct order_payment, method),
    PACK_WORD_AT(4, struct order_payment, provider),
    PACK_TEXT_AT(5, struct order_payment, transaction_id),
    PACK_I64_AT(6, struct order_payment, amount),
    PACK_TIME_AT(7, struct order_payment, recorded_at),
    PACK_FROM_AT(8, struct order_payment, occurred_at, recorded_at),
    PACK_ACTOR_AT(9, struct order_payment, actor),
};
PACK_TABLE_FROM(order_pack_payment, struct order_payment, payment_rows);

static const struct order_pack_field shipment_rows[] = {
    PACK_U32_AT(1, struct order_shipment, id),
    PACK_ENUM_AT(2, struct order_shipment, status, ORDER_SHIPMENT_STATUS_COUNT),
    PACK_ENUM_AT(3, struct order_shipment, mode, ORDER_SHIPMENT_MODE_COUNT),
    PACK_TEXT_AT(4, struct order_shipment, provider),
    PACK_TEXT_AT(5, struct order_shipment, warehouse),
    PACK_RECORD_AT(6, struct order_shipment, package, pack_package),
    PACK_TIME_AT(7, struct order_shipment, pickup_from),
    PACK_TIME_AT(8, struct order_shipment, pickup_until),
    PACK_RECORD_AT(9, struct order_shipment, address, order_pack_address),
    PACK_I64_AT(10, struct order_shipment, cost),
    PACK_BOOL_AT(11, struct order_shipment, has_cost),
    PACK_TEXT_AT(12, struct order_shipment, tracking_reference),
    PACK_TEXT_AT(13, struct order_shipment, tracking_url),
    PACK_PERSONAL_AT(14, struct order_shipment, label_url),
    PACK_PERSONAL_AT(15, struct order_shipment, reason),
    PACK_TEXT_AT(16, struct order_shipment, carrier_status),
    PACK_RECORDS_AT(17, struct order_shipment, items, item_count, order_pack_item),
    PACK_TIME_AT(18, struct order_shipment, created_at),
    PACK_TIME_AT(19, struct order_shipment, confirmed_at),
    PACK_TIME_AT(20, struct order_shipment, dispatched_at),
    PACK_TIME_AT(21, struct order_shipment, delivered_at),
    PACK_TIME_AT(22, struct order_shipment, closed_at),
    PACK_TIME_AT(23, struct order_shipment, status_at),
};
PACK_TABLE(order_pack_shipment, struct order_shipment, shipment_rows);

static const struct order_pack_field return_item_rows[] = {
    PACK_U32_AT(1, struct order_return_item, line),     PACK_I64_AT(2, struct order_return_item, quantity),
    PACK_I64_AT(3, struct order_return_item, received), PACK_TEXT_AT(4, struct order_return_item, condition),
    PACK_BOOL_AT(5, struct order_return_item, restock), PACK_I64_AT(6, struct order_return_item, value),
};
PACK_TABLE(order_pack_return_item, struct order_return_item, return_item_rows);

static const struct order_pack_field return_rows[] = {
    PACK_U32_AT(1, struct order_return, id),
    PACK_ENUM_AT(2, struct order_return, status, ORDER_RETURN_STATUS_COUNT),
    PACK_PERSONAL_AT(3, struct order_return, reason),
    PACK_PERSONAL_AT(4, struct order_return, comments),
    PACK_PERSONAL_AT(5, struct order_return, decision_note),
    PACK_RECORDS_AT(6, struct order_return, items, item_count, order_pack_return_item),
    PACK_I64_AT(7, struct order_return, value),
    PACK_I64_AT(8, struct order_return, refunded),
    PACK_ACTOR_AT(9, struct order_return, requested_by),
    PACK_TIME_AT(10, struct order_return, requested_at),
    PACK_TIME_AT(11, struct order_return, approved_at),
    PACK_TIME_AT(12, struct order_return, received_at),
    PACK_TIME_AT(13, struct order_return, closed_at),
};
PACK_TABLE(order_pack_return, struct order_return, return_rows);

static const struct order_pack_field refund_rows[] = {
    PACK_U32_AT(1, struct order_refund, id),
    PACK_ENUM_AT(2, struct order_refund, status, ORDER_REFUND_STATUS_COUNT),
    PACK_U32_AT(3, struct order_refund, return_id),
    PACK_I64_AT(4, struct order_refund, amount),
    PACK_I64_AT(5, struct order_refund, goods),
    PACK_I64_AT(6, struct order_refund, fee),
    PACK_I64_AT(7, struct order_refund, shipping),
    PACK_PERSONAL_AT(8, struct order_refund, reason),
    PACK_WORD_AT(9, struct order_refund, provider),
    PACK_TEXT_AT(10, struct order_refund, transaction_id),
    PACK_ACTOR_AT(11, struct order_refund, actor),
    PACK_TIME_AT(12, struct order_refund, created_at),
    PACK_TIME_AT(13, struct order_refund, settled_at),
};
PACK_TABLE(order_pack_refund, struct order_refund, refund_rows);

static const struct order_pack_field activity_rows[] = {
    PACK_ACTIVITY_AT(1),
    PACK_U32_AT(2, struct order_activity, step),
    PACK_I32_AT(3, struct order_activity, sequence),
    PACK_WORD_AT(4, struct order_activity, step_name),
    PACK_WORD_AT(5, struct order_activity, activity_status),
    PACK_TEXT_AT(6, struct order_activity, reviewer),
    PACK_PERSONAL_AT(7, struct order_activity, comments),
    PACK_PERSONAL_JSON_AT(8, struct order_activity, user_input),
    PACK_ACTOR_WHEN(9, struct order_activity, actor, finished_at),
    PACK_TIME_AT(10, struct order_activity, started_at),
    PACK_TIME_AT(11, struct order_activity, due_at),
    PACK_I64_AT(12, struct order_activity, due_left_ms),
    PACK_TIME_AT(13, struct order_activity, finished_at),
};
PACK_TABLE(order_pack_activity, struct order_activity, activity_rows);

static const struct order_pack_field hold_rows[] = {
    PACK_U32_AT(1, struct order_hold, id),
    PACK_ACTOR_AT(2, struct order_hold, owner),
    PACK_PERSONAL_AT(3, struct order_hold, reason),
    PACK_U64_AT(4, struct order_hold, blocks),
    PACK_TIME_AT(5, struct order_hold, placed_at),
    PACK_TIME_AT(6, struct order_hold, expires_at),
    PACK_TIME_AT(7, struct order_hold, released_at),
    PACK_ACTOR_WHEN(8, struct order_hold, released_by, released_at),
    PACK_PERSONAL_AT(9, struct order_hold, release_reason),
};
PACK_TABLE(order_pack_hold, struct order_hold, hold_rows);

static const struct order_pack_field note_rows[] = {
    PACK_U32_AT(1, struct order_note, id),          PACK_BOOL_AT(2, struct order_note, visible_to_customer),
    PACK_PERSONAL_AT(3, struct order_note, text),   PACK_ACTOR_AT(4, struct order_note, author),
    PACK_TIME_AT(5, struct order_note, created_at),
};
PACK_TABLE(order_pack_note, struct order_note, note_rows);

static const struct order_pack_field key_rows[] = {
    PACK_HASH_AT(1, struct order_key, key),
    PACK_HASH_AT(2, struct order_key, fingerprint),
    PACK_U64_AT(3, struct order_key, version),
    PACK_TIME_AT(4, struct order_key, at),
};
PACK_TABLE(order_pack_key, struct order_key, key_rows);
