/*
 * The stored form of events: a type, then its payload's fields by table. Numbers are stored: append only.
 *
 * A record is { 1: type, 2: payload }. Events of one shape share a table, so that a payload's numbers mean
 * the same in all of them. See order_codec.h and order_pack.h.
 */
#include "actors/order_codec.h"
#include "actors/order_pack.h"

enum { EVENT_TYPE = 1, EVENT_PAYLOAD = 2 };

static const struct order_pack_field line_price_rows[] = {
    PACK_U32_AT(1, struct order_line_price, line),
    PACK_I64_AT(2, struct order_line_price, priced_quantity),
    PACK_I64_AT(3, struct order_line_price, discount),
    PACK_I64_AT(4, struct order_line_price, allocated_discount),
    PACK_I64_AT(5, struct order_line_price, allocated_tax),
};
static PACK_TABLE(pack_line_price, struct order_line_price, line_price_rows);

static const struct order_pack_field pricing_rows[] = {
    PACK_RECORD_AT(1, struct order_pricing, totals, order_pack_totals),
    PACK_RECORDS_AT(2, struct order_pricing, lines, line_count, pack_line_price),
    PACK_RECORDS_AT(3, struct order_pricing, tax_lines, tax_line_count, order_pack_tax_line),
    PACK_BOOL_AT(4, struct order_pricing, tax_given),
    PACK_BOOL_AT(5, struct order_pricing, discount_given),
};
static PACK_TABLE(pack_pricing, struct order_pricing, pricing_rows);

static const struct order_pack_field created_rows[] = {
    PACK_TEXT_AT(1, struct order_created, order_id),
    PACK_TEXT_AT(2, struct order_created, external_ref),
    PACK_WORD_AT(3, struct order_created, source),
    PACK_HASH_AT(4, struct order_created, content_fingerprint),
    PACK_U32_AT(5, struct order_created, workflow_version),
    PACK_U16_AT(6, struct order_created, currency),
    PACK_ENUM_AT(7, struct order_created, stage, ORDER_STAGE_COUNT),
    PACK_TIME_AT(8, struct order_created, placed_at),
    PACK_RECORD_AT(9, struct order_created, customer, order_pack_customer),
    PACK_RECORD_AT(10, struct order_created, destination, order_pack_address),
    PACK_RECORD_AT(11, struct order_created, billing, order_pack_address),
    PACK_BOOL_AT(12, struct order_created, has_destination),
    PACK_BOOL_AT(13, struct order_created, has_billing),
    PACK_BOOL_AT(14, struct order_created, taxes_included),
    PACK_BOOL_AT(15, struct order_created, tax_given),
    PACK_BOOL_AT(16, struct order_created, discount_given),
    PACK_RECORDS_AT(17, struct order_created, lines, line_count, order_pack_line),
    PACK_RECORD_AT(18, struct order_created, shipping, order_pack_shipping),
    PACK_TEXTS_AT(19, struct order_created, coupons, coupon_count),
    PACK_TEXTS_AT(20, struct order_created, offers, offer_count),
    PACK_RECORDS_AT(21, struct order_created, tax_lines, tax_line_count, order_pack_tax_line),
    PACK_TEXTS_AT(22, struct order_created, tax_details, tax_detail_count),
    PACK_RECORD_AT(23, struct order_created, totals, order_pack_totals),
    PACK_RECORDS_AT(24, struct order_created, activities, activity_count, order_pack_activity),
};
static PACK_TABLE(pack_created, struct order_created, created_rows);

static const struct order_pack_field lines_added_rows[] = {
    PACK_RECORDS_AT(1, struct order_lines_added, lines, line_count, order_pack_line),
    PACK_RECORD_AT(2, struct order_lines_added, pricing, pack_pricing),
};
static PACK_TABLE(pack_lines_added, struct order_lines_added, lines_added_rows);

static const struct order_pack_field lines_changed_rows[] = {
    PACK_RECORDS_AT(1, struct order_lines_changed, items, item_count, order_pack_item),
    PACK_PERSONAL_AT(2, struct order_lines_changed, reason),
    PACK_RECORD_AT(3, struct order_lines_changed, pricing, pack_pricing),
};
static PACK_TABLE(pack_lines_changed, struct order_lines_changed, lines_changed_rows);

static const struct order_pack_field destination_rows[] = {
    PACK_RECORD_AT(1, struct order_destination_changed, destination, order_pack_address),
    PACK_RECORD_AT(2, struct order_destination_changed, billing, order_pack_address),
    PACK_BOOL_AT(3, struct order_destination_changed, has_destination),
    PACK_BOOL_AT(4, struct order_destination_changed, has_billing),
};
static PACK_TABLE(pack_destination, struct order_destination_changed, destination_rows);

static const struct order_pack_field stage_rows[] = {
    PACK_ENUM_AT(1, struct order_stage_changed, from, ORDER_STAGE_COUNT),
    PACK_PERSONAL_AT(2, struct order_stage_changed, reason),
};
static PACK_TABLE(pack_stage, struct order_stage_changed, stage_rows);

static const struct order_pack_field shipment_changed_rows[] = {
    PACK_U32_AT(1, struct order_shipment_changed, shipment),
    PACK_ENUM_AT(2, struct order_shipment_changed, status, ORDER_SHIPMENT_STATUS_COUNT),
    PACK_TIME_AT(3, struct order_shipment_changed, occurred_at),
    PACK_TEXT_AT(4, struct order_shipment_changed, provider),
    PACK_TEXT_AT(5, struct order_shipment_changed, tracking_reference),
    PACK_TEXT_AT(6, struct order_shipment_changed, tracking_url),
    PACK_PERSONAL_AT(7, struct order_shipment_changed, label_url),
    PACK_PERSONAL_AT(8, struct order_shipment_changed, reason),
    PACK_TEXT_AT(9, struct order_shipment_changed, carrier_status),
    PACK_I64_AT(10, struct order_shipment_changed, cost),
    PACK_BOOL_AT(11, struct order_shipment_changed, has_cost),
    PACK_TIME_AT(12, struct order_shipment_changed, pickup_from),
    PACK_TIME_AT(13, struct order_shipment_changed, pickup_until),
};
static PACK_TABLE(pack_shipment_changed, struct order_shipment_changed, shipment_changed_rows);

static const struct order_pack_field return_changed_rows[] = {
    PACK_U32_AT(1, struct order_return_changed, return_id),
    PACK_PERSONAL_AT(2, struct order_return_changed, note),
    PACK_RECORDS_AT(3, struct order_return_changed, items, item_count, order_pack_return_item),
    PACK_TIME_AT(4, struct order_return_changed, occurred_at),
};
static PACK_TABLE(pack_return_changed, struct order_return_changed, return_changed_rows);

static const struct order_pack_field refund_settled_rows[] = {
    PACK_U32_AT(1, struct order_refund_settled, refund),
    PACK_ENUM_AT(2, struct order_refund_settled, status, ORDER_REFUND_STATUS_COUNT),
    PACK_TEXT_AT(3, struct order_refund_settled, provider),
    PACK_TEXT_AT(4, struct order_refund_settled, transaction_id),
};
static PACK_TABLE(pack_refund_settled, struct order_refund_settled, refund_settled_rows);

static const struct order_pack_field step_started_rows[] = {
    PACK_U32_AT(1, struct order_step_started, activity),
    PACK_TIME_AT(2, struct order_step_started, due_at),
    PACK_I64_AT(3, struct order_step_started, due_left_ms),
};
static PACK_TABLE(pack_step_started, struct order_step_started, step_started_rows);

static const struct order_pack_field step_finished_rows[] = {
    PACK_U32_AT(1, struct order_step_finished, activity),
    PACK_ENUM_AT(2, struct order_step_finished, outcome, ORDER_OUTCOME_COUNT),
    PACK_PERSONAL_AT(3, struct order_step_finished, comments),
    PACK_PERSONAL_JSON_AT(4, struct order_step_finished, user_input),
};
static PACK_TABLE(pack_step_finished, struct order_step_finished, step_finished_rows);

static const struct order_pack_field reviewer_rows[] = {
    PACK_U32_AT(1, struct order_reviewer_assigned, activity),
    PACK_TEXT_AT(2, struct order_reviewer_assigned, reviewer),
    PACK_PERSONAL_AT(3, struct order_reviewer_assigned, comments),
};
static PACK_TABLE(pack_reviewer, struct order_reviewer_assigned, reviewer_rows);

static const struct order_pack_field steps_reset_rows[] = {
    PACK_U32_AT(1, struct order_steps_reset, activity),
};
static PACK_TABLE(pack_steps_reset, struct order_steps_reset, steps_reset_rows);

static const struct order_pack_field step_overdue_rows[] = {
    PACK_U32_AT(1, struct order_step_overdue, activity),
    PACK_U32_AT(2, struct order_step_overdue, on_due),
};
static PACK_TABLE(pack_step_overdue, struct order_step_overdue, step_overdue_rows);

static const struct order_pack_field hold_released_rows[] = {
    PACK_U32_AT(1, struct order_hold_released, hold),
    PACK_BOOL_AT(2, struct order_hold_released, expired),
    PACK_PERSONAL_AT(3, struct order_hold_released, reason),
};
static PACK_TABLE(pack_hold_released, struct order_hold_released, hold_released_rows);

static const struct order_pack_field migrated_rows[] = {
    PACK_U32_AT(1, struct order_workflow_migrated, from),
    PACK_U32_AT(2, struct order_workflow_migrated, to),
    PACK_RECORDS_AT(3, struct order_workflow_migrated, activities, activity_count, order_pack_activity),
};
static PACK_TABLE(pack_migrated, struct order_workflow_migrated, migrated_rows);

static const struct order_pack_field erased_rows[] = {
    PACK_U32_AT(1, struct order_erased, notes),
};
static PACK_TABLE(pack_erased, struct order_erased, erased_rows);

/* Payloads lie in one union, so a table is all that a type needs. */
static const struct order_pack_table *const payloads[ORDER_EVENT_COUNT] = {
    [ORDER_EVENT_ORDER_CREATED] = &pack_created,
    [ORDER_EVENT_LINE_ITEMS_ADDED] = &pack_lines_added,
    [ORDER_EVENT_LINE_ITEMS_REMOVED] = &pack_lines_changed,
    [ORDER_EVENT_QUANTITIES_CHANGED] = &pack_lines_changed,
    [ORDER_EVENT_DESTINATION_CHANGED] = &pack_destination,
    [ORDER_EVENT_ORDER_PLACED] = &pack_stage,
    [ORDER_EVENT_ORDER_CONFIRMED] = &pack_stage,
    [ORDER_EVENT_ORDER_SHIPPED] = &pack_stage,
    [ORDER_EVENT_ORDER_COMPLETED] = &pack_stage,
    [ORDER_EVENT_ORDER_CANCELLED] = &pack_stage,
    [ORDER_EVENT_LINE_ITEMS_CANCELLED] = &pack_lines_changed,
    [ORDER_EVENT_SHIPMENT_ADDED] = &order_pack_shipment,
    [ORDER_EVENT_SHIPMENT_CONFIRMED] = &pack_shipment_changed,
    [ORDER_EVENT_SHIPMENT_DISPATCHED] = &pack_shipment_changed,
    [ORDER_EVENT_SHIPMENT_DELIVERED] = &pack_shipment_changed,
    [ORDER_EVENT_SHIPMENT_CANCELLED] = &pack_shipment_changed,
    [ORDER_EVENT_SHIPMENT_FAILED] = &pack_shipment_changed,
    [ORDER_EVENT_SHIPMENT_SCANNED] = &pack_shipment_changed,
    [ORDER_EVENT_TRACKING_ADDED] = &pack_shipment_changed,
    [ORDER_EVENT_PAYMENT_RECORDED] = &order_pack_payment,
    [ORDER_EVENT_RETURN_REQUESTED] = &order_pack_return,
    [ORDER_EVENT_RETURN_APPROVED] = &pack_return_changed,
    [ORDER_EVENT_RETURN_REJECTED] = &pack_return_changed,
    [ORDER_EVENT_RETURN_RECEIVED] = &pack_return_changed,
    [ORDER_EVENT_RETURN_CANCELLED] = &pack_return_changed,
    [ORDER_EVENT_RETURN_CLOSED] = &pack_return_changed,
    [ORDER_EVENT_REFUND_PROCESSED] = &order_pack_refund,
    [ORDER_EVENT_REFUND_SETTLED] = &pack_refund_settled,
    [ORDER_EVENT_STEP_STARTED] = &pack_step_started,
    [ORDER_EVENT_STEP_FINISHED] = &pack_step_finished,
    [ORDER_EVENT_REVIEWER_ASSIGNED] = &pack_reviewer,
    [ORDER_EVENT_STEPS_RESET] = &pack_steps_reset,
    [ORDER_EVENT_STEP_OVERDUE] = &pack_step_overdue,
    [ORDER_EVENT_HOLD_PLACED] = &order_pack_hold,
    [ORDER_EVENT_HOLD_RELEASED] = &pack_hold_released,
    [ORDER_EVENT_NOTE_ADDED] = &order_pack_note,
    [ORDER_EVENT_WORKFLOW_MIGRATED] = &pack_migrated,
    [ORDER_EVENT_CUSTOMER_ERASED] = &pack_erased,
};

void order_event_encode(const struct order_event *event, struct oms_buf *out)
{
    order_event_seal(event, OMS_STR_NONE, NULL, out);
}

void order_event_seal(const struct order_event *event, struct oms_str customer, struct oms_buf *personal,
                      struct oms_buf *out)
{
    struct order_pack pack = {.seal = personal, .customer = customer};
    size_t mark;

    OMS_ASSERT(event->type > ORDER_EVENT_NONE && event->type < ORDER_EVENT_COUNT);
    oms_wire_put_u64(out, EVENT_TYPE, event->type);
    mark = oms_wire_begin(out, EVENT_PAYLOAD);
    order_pack_write(&pack, payloads[event->type], &event->created, out);
    oms_wire_end(out, mark);
}

enum oms_status order_event_decode(struct oms_str bytes, struct oms_arena *arena, struct order_event *out)
{
    return order_event_open(bytes, OMS_STR_NONE, arena, out);
}

enum oms_status order_event_open(struct oms_str bytes, struct oms_str personal, struct oms_arena *arena,
                                 struct order_event *out)
{
    struct order_pack pack = {.arena = arena, .sealed = personal};
    struct oms_str payload = OMS_STR_NONE;
    uint64_t type = 0;
    struct oms_wire wire;

    memset(out, 0, sizeof *out);
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == EVENT_TYPE)
            type = wire.number;
        else if (wire.field == EVENT_PAYLOAD)
            payload = wire.bytes;
    }
    if (wire.corrupt || !type)
        return OMS_CORRUPT;
    if (type >= ORDER_EVENT_COUNT)
        return OMS_NOT_FOUND;
    out->type = (enum order_event_type)type;
    return order_pack_read(&pack, payloads[type], payload, &out->created);
}
