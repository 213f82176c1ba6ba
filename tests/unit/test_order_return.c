/* Returns and refunds: windows, quantities, values, fees, bounds, and what closes a return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/order_fixture.h"

#define DAY (24ll * 3600 * 1000)

static struct order_lab lab;

static int setup(void **state)
{
    (void)state;
    lab_init(&lab);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lab_finish(&lab);
    return 0;
}

/* 3 × 10.00 less 10.00 in all, shipping 4.00, paid 24.00, all delivered. */
static void deliver_discounted(void)
{
    struct order_line_input line = lab_line("A", "v1", 3, "10.00");
    struct order_command command = lab_create(&lab, ORDER_STAGE_CONFIRMED, &line, 1);

    command.create.shipping_cost.text = OMS_STR("4.00");
    command.create.sums.discounts.text = OMS_STR("10.00");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab_pay(&lab, "24.00", "t1"), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DELIVER_SHIPMENT, 1), REFUSAL_NONE);
}

static void come_back(uint32_t id, int64_t quantity)
{
    assert_int_equal(lab_return(&lab, 1, quantity), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_APPROVE_RETURN, id), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_RECEIVE_RETURN, id), REFUSAL_NONE);
}

/* ---- returns ---- */

static void test_life_of_a_return(void **state)
{
    (void)state;
    deliver_discounted();
    assert_int_equal(lab_return(&lab, 1, 4), REFUSAL_QUANTITY_EXCEEDED);
    assert_int_equal(lab_return(&lab, 1, 2), REFUSAL_NONE);
    assert_int_equal(lab_return(&lab, 1, 2), REFUSAL_QUANTITY_EXCEEDED); /* two are asked back already */
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_RECEIVE_RETURN, 1), REFUSAL_INVALID);
    assert_int_equal(lab_refund_return(&lab, 1, ORDER_REFUND_SUCCEEDED), REFUSAL_INVALID); /* not received */
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_APPROVE_RETURN, 1), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_REJECT_RETURN, 1), REFUSAL_INVALID);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_RECEIVE_RETURN, 1), REFUSAL_NONE);
    assert_int_equal(lab.order->returns[0].value, 1334);
    assert_int_equal(lab.order->refund_due, 1334);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_CANCEL_RETURN, 1), REFUSAL_INVALID);
    assert_int_equal(lab_refund_return(&lab, 1, ORDER_REFUND_SUCCEEDED), REFUSAL_NONE);
    assert_int_equal(lab.order->returns[0].status, ORDER_RETURN_CLOSED);
    assert_int_equal(lab.order->refund_due, 0);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PARTIALLY_REFUNDED);
    assert_int_equal(lab_refund_return(&lab, 1, ORDER_REFUND_SUCCEEDED), REFUSAL_REFUND_EXCEEDED);
}

static void test_rejected_and_cancelled_free_the_goods(void **state)
{
    (void)state;
    deliver_discounted();
    assert_int_equal(lab_return(&lab, 1, 3), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_REJECT_RETURN, 1), REFUSAL_NONE);
    assert_int_equal(lab_return(&lab, 1, 3), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_APPROVE_RETURN, 2), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_CANCEL_RETURN, 2), REFUSAL_NONE);
    assert_int_equal(lab_return(&lab, 1, 3), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_APPROVE_RETURN, 9), REFUSAL_NOT_FOUND);
}

static void test_less_than_asked_comes_back(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_RECEIVE_RETURN);
    struct order_return_item_input item = {
        .ref = {.line_item_id = 1, .quantity = 4}, .condition = OMS_STR("scratched"), .restock = true};

    (void)state;
    deliver_discounted();
    assert_int_equal(lab_return(&lab, 1, 3), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_APPROVE_RETURN, 1), REFUSAL_NONE);
    command.returns.return_id = 1;
    command.returns.items = &item;
    command.returns.item_count = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_QUANTITY_EXCEEDED);
    item.ref.quantity = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->lines[0].returned, 1);
    assert_int_equal(lab.order->returns[0].value, 667);
    assert_true(lab.order->returns[0].items[0].restock);
    assert_true(oms_str_eq_c(lab.order->returns[0].items[0].condition, "scratched"));
    assert_int_equal(lab_return(&lab, 1, 2), REFUSAL_NONE); /* what stayed with the customer can come later */
}

static void test_nothing_came_back(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_RECEIVE_RETURN);
    struct order_return_item_input item = {.ref = {.line_item_id = 1, .quantity = 0}};

    (void)state;
    deliver_discounted();
    assert_int_equal(lab_return(&lab, 1, 1), REFUSAL_NONE);
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_APPROVE_RETURN, 1), REFUSAL_NONE);
    command.returns.return_id = 1;
    command.returns.items = &item;
    command.returns.item_count = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->returns[0].status, ORDER_RETURN_CLOSED); /* nothing is left to wait for */
}

/* More than there is, said in two parts: no window has passed. */
static void test_a_line_named_twice(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_REQUEST_RETURN);
    struct order_return_item_input items[] = {{.ref = {.line_item_id = 1, .quantity = 2}},
                                              {.ref = {.line_item_id = 1, .quantity = 2}}};

    (void)state;
    deliver_discounted();
    command.returns.reason = OMS_STR("too many");
    command.returns.items = items;
    command.returns.item_count = 2;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_QUANTITY_EXCEEDED);
    assert_string_equal(lab_field(&lab), "items.1.quantity");
    items[1].ref.quantity = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->returns[0].items[0].quantity, 3);
}

static void test_the_window(void **state)
{
    (void)state;
    lab_workflow(&lab, "{\"steps\":[],\"defaults\":{\"days_to_return\":10}}");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_return(&lab, 1, 1), REFUSAL_NOT_RETURNABLE);
    assert_int_equal(lab_add_shipment(&lab, 1, 2), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DISPATCH_SHIPMENT, 1), REFUSAL_NONE);
    lab.context.now_ms += 8 * DAY;
    assert_int_equal(lab_add_shipment(&lab, 1, 1), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DISPATCH_SHIPMENT, 2), REFUSAL_NONE);
    lab.context.now_ms += 2 * DAY;
    assert_int_equal(lab_return(&lab, 1, 3), REFUSAL_NONE); /* the last moment of the first */
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_CANCEL_RETURN, 1), REFUSAL_NONE);
    lab.context.now_ms += 1;
    assert_int_equal(lab_return(&lab, 1, 2), REFUSAL_RETURN_WINDOW_EXPIRED);
    assert_int_equal(lab_return(&lab, 1, 1), REFUSAL_NONE); /* of the second */
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DELIVER_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab_return(&lab, 1, 2), REFUSAL_NONE); /* delivered now: the window runs from here */
    lab.context.now_ms += 11 * DAY;
    assert_int_equal(lab_on_return(&lab, ORDER_COMMAND_CANCEL_RETURN, 3), REFUSAL_NONE);
    assert_int_equal(lab_return(&lab, 0, 0), REFUSAL_RETURN_WINDOW_EXPIRED);
}

static void test_whole_returns_only(void **state)
{
    (void)state;
    lab_workflow(&lab, "{\"steps\":[],\"defaults\":{\"allow_partial_return\":false,\"auto_approve\":true}}");
    deliver_discounted();
    assert_int_equal(lab_return(&lab, 1, 2), REFUSAL_PARTIAL_RETURN_NOT_ALLOWED);
    assert_int_equal(lab_return(&lab, 1, 3), REFUSAL_NONE);
    assert_int_equal(lab.order->returns[0].status, ORDER_RETURN_APPROVED); /* in the same commit */
}

/* ---- refunds ---- */

static void test_unit_values_add_up(void **state)
{
    int64_t sum = 0;

    (void)state;
    deliver_discounted();
    for (uint32_t i = 1; i <= 3; i++) {
        come_back(i, 1);
        assert_int_equal(lab_refund_return(&lab, i, ORDER_REFUND_SUCCEEDED), REFUSAL_NONE);
        sum += lab.order->refunds[i - 1].amount;
    }
    assert_int_equal(lab.order->refunds[2].amount, 666);
    assert_int_equal(sum, 2000);
    assert_int_equal(lab.order->refund_due, 0);
}

static void test_pending_reserves(void **state)
{
    struct order_command settle = lab_command(ORDER_COMMAND_PROCESS_REFUND);

    (void)state;
    deliver_discounted();
    assert_int_equal(lab_refund_amount(&lab, "20.00", ORDER_REFUND_NONE), REFUSAL_NONE);
    assert_int_equal(lab.order->refunds[0].status, ORDER_REFUND_PENDING);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PAID);
    assert_int_equal(lab_refund_amount(&lab, "4.01", ORDER_REFUND_NONE), REFUSAL_REFUND_EXCEEDED);
    settle.refund.refund_id = 1;
    settle.refund.status = ORDER_REFUND_FAILED;
    assert_int_equal(lab_run(&lab, &settle), REFUSAL_NONE);
    assert_int_equal(lab_run(&lab, &settle), REFUSAL_CONFLICT);
    assert_int_equal(lab_refund_amount(&lab, "24.00", ORDER_REFUND_NONE), REFUSAL_NONE);
    settle.refund.refund_id = 2;
    settle.refund.status = ORDER_REFUND_NONE; /* settled: SUCCEEDED */
    assert_int_equal(lab_run(&lab, &settle), REFUSAL_NONE);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_REFUNDED);
    assert_int_equal(lab_refund_amount(&lab, "0.01", ORDER_REFUND_NONE), REFUSAL_REFUND_EXCEEDED);
    settle.refund.refund_id = 7;
    assert_int_equal(lab_run(&lab, &settle), REFUSAL_REFUND_EXCEEDED); /* nothing pending and nothing left */
}

static void test_amounts_need_a_reason(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_PROCESS_REFUND);

    (void)state;
    deliver_discounted();
    assert_int_equal(lab_run(&lab, &command), REFUSAL_REQUIRED);
    assert_string_equal(lab_field(&lab), "amount");
    command.refund.amount = lab_amount(&lab, "1.00");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_REQUIRED);
    assert_string_equal(lab_field(&lab), "reason");
    command.refund.reason = OMS_STR("late");
    command.refund.amount = lab_amount(&lab, "0.00");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_INVALID);
    command.refund.amount = lab_amount(&lab, "-1.00");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_INVALID);
}

static void test_a_return_settles_in_parts(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_PROCESS_REFUND);

    (void)state;
    deliver_discounted();
    come_back(1, 3);
    command.refund.return_id = 1;
    command.refund.amount = lab_amount(&lab, "20.01");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_REFUND_EXCEEDED);
    command.refund.amount = lab_amount(&lab, "5.00");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab_refund_return(&lab, 1, ORDER_REFUND_SUCCEEDED), REFUSAL_NONE);
    assert_int_equal(lab.order->refunds[1].amount, 1500);
    assert_int_equal(lab.order->returns[0].status,
                     ORDER_RETURN_RECEIVED); /* the first part is still pending */
    command = lab_command(ORDER_COMMAND_PROCESS_REFUND);
    command.refund.refund_id = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->returns[0].status, ORDER_RETURN_CLOSED);
}

static void test_restocking_fee(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_PROCESS_REFUND);

    (void)state;
    lab_workflow(&lab, "{\"steps\":[],\"defaults\":{\"restocking_fee_percent\":\"12.5\"}}");
    deliver_discounted();
    come_back(1, 3);
    assert_int_equal(lab.order->refund_due, 2000);
    command.refund.return_id = 1;
    command.refund.status = ORDER_REFUND_SUCCEEDED;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->refunds[0].goods, 2000);
    assert_int_equal(lab.order->refunds[0].fee, 250);
    assert_int_equal(lab.order->refunds[0].amount, 1750);
    assert_int_equal(lab.order->refund_due, 0); /* the fee is kept */
    assert_int_equal(lab.order->returns[0].status, ORDER_RETURN_CLOSED);
}

static void test_shipping_goes_back_once(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_PROCESS_REFUND);

    (void)state;
    deliver_discounted();
    come_back(1, 3);
    command.refund.refund_shipping = true;
    command.refund.reason = OMS_STR("late");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->refunds[0].amount, 400);
    assert_int_equal(lab.order->refund_due, 2000); /* the goods are owed all the same */
    assert_int_equal(lab_run(&lab, &command), REFUSAL_REFUND_EXCEEDED);
    assert_string_equal(lab_field(&lab), "refundShipping");
    command.refund.refund_shipping = false;
    command.refund.return_id = 1;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->refund_due, 0);
}

static void test_max_refund_amount(void **state)
{
    (void)state;
    lab_workflow(&lab, "{\"steps\":[],\"defaults\":{\"max_refund_amount\":\"5.00\"}}");
    deliver_discounted();
    assert_int_equal(lab_refund_amount(&lab, "5.01", ORDER_REFUND_NONE), REFUSAL_REFUND_EXCEEDED);
    assert_int_equal(lab_refund_amount(&lab, "5.00", ORDER_REFUND_NONE), REFUSAL_NONE);
    assert_int_equal(lab_refund_amount(&lab, "5.00", ORDER_REFUND_NONE), REFUSAL_NONE); /* per refund */
}

static void test_refund_of_a_cancelled_order(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_pay(&lab, "44.00", "t1"), REFUSAL_NONE);
    assert_int_equal(lab_cancel(&lab), REFUSAL_NONE);
    assert_int_equal(lab.order->refund_due, 4400);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PAID);
    assert_int_equal(lab_refund_amount(&lab, "44.00", ORDER_REFUND_SUCCEEDED), REFUSAL_NONE);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_REFUNDED);
    assert_int_equal(lab.order->refund_due, 0);
}

static void test_unpaid_returns_refund_nothing(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_PROCESS_REFUND);

    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_pay(&lab, "6.00", "t1"), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    come_back(1, 1);
    assert_int_equal(lab_refund_return(&lab, 1, ORDER_REFUND_SUCCEEDED), REFUSAL_REFUND_EXCEEDED);
    command.refund.return_id = 1;
    command.refund.amount = lab_amount(&lab, "6.00");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE); /* never above what was paid */
    assert_int_equal(lab.order->refund_due, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_life_of_a_return),
        T(test_rejected_and_cancelled_free_the_goods),
        T(test_less_than_asked_comes_back),
        T(test_nothing_came_back),
        T(test_a_line_named_twice),
        T(test_the_window),
        T(test_whole_returns_only),
        T(test_unit_values_add_up),
        T(test_pending_reserves),
        T(test_amounts_need_a_reason),
        T(test_a_return_settles_in_parts),
        T(test_restocking_fee),
        T(test_shipping_goes_back_once),
        T(test_max_refund_amount),
        T(test_refund_of_a_cancelled_order),
        T(test_unpaid_returns_refund_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
