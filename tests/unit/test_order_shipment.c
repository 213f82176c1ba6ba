/* Shipments: allocation per line, the state machine, carriers' scans, gates, vendors, and the stage that
 * follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/order_fixture.h"

static struct order_lab lab;

static int setup(void **state)
{
    (void)state;
    lab_init(&lab);
    lab_place(&lab, ORDER_STAGE_CONFIRMED); /* 3 × A of v1, 2 × B of v2 */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lab_finish(&lab);
    return 0;
}

static enum refusal_code dispatch(uint32_t shipment)
{
    return lab_shipment(&lab, ORDER_COMMAND_DISPATCH_SHIPMENT, shipment);
}

static enum refusal_code deliver(uint32_t shipment)
{
    return lab_shipment(&lab, ORDER_COMMAND_DELIVER_SHIPMENT, shipment);
}

/* ---- allocation ---- */

static void test_allocation_is_per_line(void **state)
{
    (void)state;
    assert_int_equal(lab_add_shipment(&lab, 2, 3),
                     REFUSAL_QUANTITY_EXCEEDED); /* 5 units in all, but 2 of this line */
    assert_string_equal(lab_field(&lab), "shipmentItems.0.quantity");
    assert_int_equal(lab_add_shipment(&lab, 1, 2), REFUSAL_NONE);
    assert_int_equal(lab_add_shipment(&lab, 1, 2), REFUSAL_QUANTITY_EXCEEDED);
    assert_int_equal(lab_add_shipment(&lab, 1, 1), REFUSAL_NONE);
    assert_int_equal(lab_add_shipment(&lab, 1, 1), REFUSAL_QUANTITY_EXCEEDED);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_CANCEL_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab_add_shipment(&lab, 1, 2), REFUSAL_NONE); /* a cancelled one holds nothing */
    assert_int_equal(lab_add_shipment(&lab, 0, 0), REFUSAL_NONE); /* the rest */
    assert_int_equal(lab.order->lines[1].allocated, 2);
    assert_int_equal(lab_add_shipment(&lab, 0, 0), REFUSAL_QUANTITY_EXCEEDED);
}

static void test_one_line_named_twice(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_ADD_SHIPMENT);
    struct order_line_ref refs[2] = {{.line_item_id = 1, .quantity = 2},
                                     {.sku = OMS_STR("A"), .quantity = 2}};

    (void)state;
    command.shipment.items = refs;
    command.shipment.item_count = 2;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_QUANTITY_EXCEEDED);
    assert_string_equal(lab_field(&lab), "shipmentItems.1.quantity");
    refs[1].quantity = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->shipments[0].item_count, 1);
    assert_int_equal(lab.order->shipments[0].items[0].quantity, 3);
}

static void test_ambiguous_skus(void **state)
{
    struct order_line_input lines[3] = {lab_line("A", "v1", 1, "1.00"), lab_line("A", "v2", 1, "1.00"),
                                        lab_line("A", "v2", 1, "1.00")};
    struct order_command command;
    struct order_line_ref ref = {.sku = OMS_STR("A"), .quantity = 1};

    (void)state;
    lab_fini(&lab);
    lab_init(&lab);
    command = lab_create(&lab, ORDER_STAGE_CONFIRMED, lines, 3);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    command = lab_command(ORDER_COMMAND_ADD_SHIPMENT);
    command.shipment.items = &ref;
    command.shipment.item_count = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_AMBIGUOUS_LINE);
    ref.vendor_id = OMS_STR("v2");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_AMBIGUOUS_LINE);
    ref.vendor_id = OMS_STR("v1");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    ref = (struct order_line_ref){.line_item_id = 3, .sku = OMS_STR("B"), .quantity = 1};
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NOT_FOUND); /* the id and the SKU disagree */
    ref.sku = OMS_STR("A");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
}

static void test_cancelled_units_cannot_ship(void **state)
{
    (void)state;
    assert_int_equal(lab_cancel_lines(&lab, 1, 1), REFUSAL_NONE);
    assert_int_equal(lab_add_shipment(&lab, 1, 3), REFUSAL_QUANTITY_EXCEEDED);
    assert_int_equal(lab_add_shipment(&lab, 1, 2), REFUSAL_NONE);
    assert_int_equal(lab_cancel_lines(&lab, 1, 1), REFUSAL_QUANTITY_EXCEEDED); /* in a live shipment */
}

/* ---- the state machine ---- */

static void test_life_of_a_shipment(void **state)
{
    (void)state;
    assert_int_equal(lab_add_shipment(&lab, 1, 3), REFUSAL_NONE);
    assert_int_equal(deliver(1), REFUSAL_INVALID);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_CONFIRM_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_CONFIRM_SHIPMENT, 1), REFUSAL_INVALID);
    assert_int_equal(dispatch(1), REFUSAL_NONE);
    assert_int_equal(lab.order->fulfillment, ORDER_FULFILLMENT_PARTIALLY_SHIPPED);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_CANCEL_SHIPMENT, 1), REFUSAL_INVALID); /* it has left */
    assert_int_equal(deliver(1), REFUSAL_NONE);
    assert_int_equal(lab.order->fulfillment, ORDER_FULFILLMENT_PARTIALLY_DELIVERED);
    assert_int_equal(deliver(1), REFUSAL_INVALID);
    assert_int_equal(deliver(2), REFUSAL_NOT_FOUND);
    assert_int_equal(lab_cancel(&lab), REFUSAL_WRONG_STAGE); /* something was delivered */
}

static void test_the_stage_follows_the_goods(void **state)
{
    (void)state;
    assert_int_equal(lab_add_shipment(&lab, 1, 3), REFUSAL_NONE);
    assert_int_equal(lab_add_shipment(&lab, 2, 2), REFUSAL_NONE);
    assert_int_equal(dispatch(1), REFUSAL_NONE);
    assert_int_equal(dispatch(2), REFUSAL_NONE);
    assert_true(lab_has(&lab, ORDER_EVENT_ORDER_SHIPPED));
    assert_int_equal(lab.order->stage, ORDER_STAGE_SHIPPED);
    assert_int_equal(lab.order->fulfillment, ORDER_FULFILLMENT_SHIPPED);
    assert_int_equal(deliver(1), REFUSAL_NONE);
    assert_int_equal(deliver(2), REFUSAL_NONE);
    assert_int_equal(lab.order->fulfillment, ORDER_FULFILLMENT_DELIVERED);
}

static void test_cancelling_the_rest_ships_the_order(void **state)
{
    (void)state;
    assert_int_equal(lab_add_shipment(&lab, 1, 3), REFUSAL_NONE);
    assert_int_equal(dispatch(1), REFUSAL_NONE);
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_cancel_lines(&lab, 2, -1), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CONFIRMED); /* under the usual gates */
    assert_int_equal(lab_release(&lab, 1), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_SHIPPED);
    assert_int_equal(lab.order->fulfillment, ORDER_FULFILLMENT_SHIPPED);
}

static void test_a_failed_shipment_frees_its_goods(void **state)
{
    (void)state;
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_FAIL_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab.order->shipments[0].status, ORDER_SHIPMENT_FAILED);
    assert_int_equal(lab.order->fulfillment, ORDER_FULFILLMENT_UNFULFILLED);
    assert_int_equal(lab.order->stage, ORDER_STAGE_SHIPPED);
    assert_int_equal(lab_add_shipment(&lab, 1, 3), REFUSAL_NONE);
    assert_int_equal(dispatch(2), REFUSAL_NONE);
    assert_int_equal(lab_scan(&lab, 2, ORDER_SHIPMENT_RETURNED_TO_SENDER, 0), REFUSAL_NONE);
    assert_int_equal(lab.order->shipments[1].status, ORDER_SHIPMENT_RETURNED_TO_SENDER);
    assert_int_equal(lab.order->lines[0].allocated, 0);
}

static void test_goods_in_a_return_do_not_fail(void **state)
{
    (void)state;
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_int_equal(lab_return(&lab, 1, 1), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_FAIL_SHIPMENT, 1), REFUSAL_CONFLICT);
    assert_int_equal(lab_scan(&lab, 1, ORDER_SHIPMENT_FAILED, 0),
                     REFUSAL_NONE); /* recorded, but moves nothing */
    assert_true(lab_has(&lab, ORDER_EVENT_SHIPMENT_SCANNED));
    assert_int_equal(lab.order->shipments[0].status, ORDER_SHIPMENT_IN_TRANSIT);
}

static void test_mark_as_shipped_takes_everything(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_MARK_AS_SHIPPED);

    (void)state;
    assert_int_equal(lab_add_shipment(&lab, 1, 2), REFUSAL_NONE);
    command.shipment.tracking_reference = OMS_STR("1Z");
    command.shipment.tracking_url = OMS_STR("https://carrier.example/1Z");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->shipment_count, 2);
    assert_int_equal(lab.order->shipments[0].status, ORDER_SHIPMENT_IN_TRANSIT);
    assert_int_equal(lab.order->shipments[1].item_count, 2);
    assert_true(oms_str_eq_c(lab.order->shipments[1].tracking_reference, "1Z"));
    assert_true(oms_str_eq_c(lab.order->shipping_reference, "https://carrier.example/1Z"));
    assert_int_equal(lab.order->stage, ORDER_STAGE_SHIPPED);
    assert_ptr_equal(order_find_tracking(lab.order, OMS_STR("1Z")), &lab.order->shipments[1]);
}

static void test_details_need_one_shipment(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_MARK_AS_SHIPPED);

    (void)state;
    command.shipment.tracking_reference = OMS_STR("1Z");
    assert_int_equal(lab_add_shipment(&lab, 1, 3), REFUSAL_NONE);
    assert_int_equal(lab_add_shipment(&lab, 2, 2), REFUSAL_NONE);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_INVALID); /* which of the two would it be? */
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DISPATCH_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_false(oms_str_present(lab.order->shipments[0].tracking_reference));
    assert_true(oms_str_eq_c(lab.order->shipments[1].tracking_reference, "1Z"));
}

static void test_cancel_order_cancels_open_shipments(void **state)
{
    (void)state;
    assert_int_equal(lab_add_shipment(&lab, 1, 2), REFUSAL_NONE);
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_cancel(&lab), REFUSAL_NONE); /* a hold that names nothing does not block it */
    assert_int_equal(lab.order->shipments[0].status, ORDER_SHIPMENT_CANCELLED);
    assert_int_equal(lab.order->hold_count, 0);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_CANCELLED);
    assert_true(oms_str_eq_c(lab.order->cancellation_reason, "changed my mind"));
}

/* ---- scans ---- */

static void test_scans_are_facts(void **state)
{
    int64_t now = lab.context.now_ms;

    (void)state;
    assert_int_equal(lab_add_shipment(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(dispatch(1), REFUSAL_ON_HOLD); /* a person is held back, a fact is not */
    assert_int_equal(lab_scan(&lab, 1, ORDER_SHIPMENT_IN_TRANSIT, now + 1000), REFUSAL_NONE);
    assert_int_equal(lab.order->fulfillment, ORDER_FULFILLMENT_SHIPPED);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CONFIRMED); /* the stage waits */
    assert_int_equal(lab_scan(&lab, 1, ORDER_SHIPMENT_DELIVERED, now + 9000), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_release(&lab, 1), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_SHIPPED); /* … and advances when its gates open */
}

static void test_older_scans_never_regress(void **state)
{
    int64_t now = lab.context.now_ms;

    (void)state;
    assert_int_equal(lab_add_shipment(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_scan(&lab, 1, ORDER_SHIPMENT_DELIVERED, now + 9000), REFUSAL_NONE);
    assert_int_equal(lab.order->shipments[0].dispatched_at, now + 9000);
    assert_int_equal(lab_scan(&lab, 1, ORDER_SHIPMENT_IN_TRANSIT, now + 1000), REFUSAL_NONE);
    assert_int_equal(lab.order->shipments[0].status, ORDER_SHIPMENT_DELIVERED);
    assert_int_equal(lab_scan(&lab, 1, ORDER_SHIPMENT_FAILED, now + 8999), REFUSAL_NONE);
    assert_true(lab_has(&lab, ORDER_EVENT_SHIPMENT_SCANNED));
    assert_int_equal(lab.order->shipments[0].status, ORDER_SHIPMENT_DELIVERED);
    assert_int_equal(lab.order->shipments[0].status_at, now + 9000);
    assert_int_equal(lab_scan(&lab, 1, ORDER_SHIPMENT_FAILED, now + 9000), REFUSAL_NONE);
    assert_int_equal(lab.order->shipments[0].status, ORDER_SHIPMENT_FAILED);
}

static void test_occurred_at_bounds(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_DISPATCH_SHIPMENT);

    (void)state;
    assert_int_equal(lab_add_shipment(&lab, 1, 1), REFUSAL_NONE);
    command.shipment.shipment = 1;
    command.shipment.occurred_at = lab.context.now_ms + 25ll * 3600 * 1000;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_INVALID);
    command.shipment.occurred_at = lab.context.now_ms - 1000;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    command.type = ORDER_COMMAND_DELIVER_SHIPMENT;
    command.shipment.occurred_at = lab.context.now_ms - 2000;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_INVALID); /* before it was dispatched */
}

/* ---- tracking ---- */

static void test_tracking_urls(void **state)
{
    static const char *const bad[] = {"carrier.example/1",     "ftp://x.example/",      "https://",
                                      "javascript:alert(1)",   "https://x.example/a b", "http:///x",
                                      "https://u:p@x.example/"};
    struct order_command command = lab_command(ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE);

    (void)state;
    command.shipment.tracking_url = OMS_STR("http://carrier.example/1");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_WRONG_STAGE);
    assert_int_equal(lab_add_shipment(&lab, 1, 1), REFUSAL_NONE);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_WRONG_STAGE); /* without a shipmentId only in SHIPPED */
    command.shipment.shipment = 1;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        command.shipment.tracking_url = oms_str_of(bad[i]);
        assert_int_equal(lab_run(&lab, &command), REFUSAL_INVALID);
    }
    command.shipment.tracking_url = OMS_STR("HTTPS://carrier.example/1?x=2");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->shipments[0].status, ORDER_SHIPMENT_PENDING);
    assert_true(oms_str_eq_c(lab.order->shipments[0].tracking_url, "HTTPS://carrier.example/1?x=2"));
}

static void test_destination_until_confirmed(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_CHANGE_DESTINATION);

    (void)state;
    command.destination.has_destination = true;
    command.destination.destination.city = OMS_STR("Paris");
    command.destination.destination.country = OMS_STR("France");
    assert_int_equal(lab_add_shipment(&lab, 1, 1), REFUSAL_NONE);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_true(oms_str_eq_c(lab.order->destination.country, "FR"));
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_CONFIRM_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_WRONG_STAGE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_CANCEL_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
}

/* ---- vendors ---- */

static void test_vendors_act_on_their_lines(void **state)
{
    (void)state;
    lab_as_scoped(&lab, "vend", PERMISSION_SCOPE_VENDOR, "v1", PERMISSION_ALL);
    assert_int_equal(lab_cancel(&lab), REFUSAL_FORBIDDEN); /* not all lines are theirs */
    assert_int_equal(lab_pay(&lab, "1.00", "t"), REFUSAL_FORBIDDEN);
    assert_int_equal(lab_add_shipment(&lab, 2, 1), REFUSAL_NOT_FOUND);
    assert_int_equal(lab_cancel_lines(&lab, 2, 1), REFUSAL_NOT_FOUND);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_int_equal(lab.order->lines[0].shipped, 3);
    assert_int_equal(lab.order->lines[1].shipped, 0);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED),
                     REFUSAL_INVALID); /* nothing of theirs is left */
    lab_as_scoped(&lab, "vend2", PERMISSION_SCOPE_VENDOR, "v2", PERMISSION_ALL);
    assert_int_equal(deliver(1), REFUSAL_NOT_FOUND); /* somebody else's shipment */
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_SHIPPED);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_COMPLETED), REFUSAL_FORBIDDEN);
    lab_as_scoped(&lab, "vend3", PERMISSION_SCOPE_VENDOR, "v3", PERMISSION_ALL);
    assert_int_equal(deliver(1), REFUSAL_NOT_FOUND);
    assert_string_equal(lab_field(&lab), "orderId"); /* not even that the order exists */
}

/* ---- payments ---- */

static void test_the_ledger(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_RECORD_PAYMENT);

    (void)state;
    command.payment.provider = OMS_STR("psp");
    command.payment.transaction_id = OMS_STR("t1");
    command.payment.amount = lab_amount(&lab, "44.00");
    command.payment.status = ORDER_PAYMENT_AUTHORIZED;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PENDING);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_DUPLICATE);
    command.payment.status = ORDER_PAYMENT_CAPTURED;
    command.payment.amount = lab_amount(&lab, "40.00");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE); /* settles the authorization */
    assert_int_equal(lab.order->payment_count, 1);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PARTIALLY_PAID);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_DUPLICATE);
    assert_string_equal(lab_field(&lab), "transactionId");
    command.payment.provider = OMS_STR("other");
    command.payment.amount = lab_amount(&lab, "4.00");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE); /* the same id at another provider */
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PAID);
    command.payment.transaction_id = OMS_STR_NONE;
    command.payment.amount = lab_amount(&lab, "1.00");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE); /* cash has no id */
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->refund_due, 200); /* overpaid */
    command.payment.status = ORDER_PAYMENT_FAILED;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->paid, 4600);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_allocation_is_per_line),
        T(test_one_line_named_twice),
        T(test_ambiguous_skus),
        T(test_cancelled_units_cannot_ship),
        T(test_life_of_a_shipment),
        T(test_the_stage_follows_the_goods),
        T(test_cancelling_the_rest_ships_the_order),
        T(test_a_failed_shipment_frees_its_goods),
        T(test_goods_in_a_return_do_not_fail),
        T(test_mark_as_shipped_takes_everything),
        T(test_details_need_one_shipment),
        T(test_cancel_order_cancels_open_shipments),
        T(test_scans_are_facts),
        T(test_older_scans_never_regress),
        T(test_occurred_at_bounds),
        T(test_tracking_urls),
        T(test_destination_until_confirmed),
        T(test_vendors_act_on_their_lines),
        T(test_the_ledger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
