/* Money of an order: sums, checks of given sums, allocation to lines and units, edits, cancellation, and the
 * limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/money.h"
#include "tests/unit/order_fixture.h"

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

static enum refusal_code create_with(const struct order_line_input *lines, size_t count,
                                     void (*change)(struct order_create_input *))
{
    struct order_command command = lab_create(&lab, ORDER_STAGE_PENDING, lines, count);

    if (change)
        change(&command.create);
    return lab_run(&lab, &command);
}

/* ---- sums ---- */

static void test_everyday_sums(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab.order->totals.total, 4000);
    assert_int_equal(lab.order->totals.discounts, 0);
    assert_int_equal(lab.order->totals.shipping, 400);
    assert_int_equal(lab.order->totals.final, 4400);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PENDING);
    assert_int_equal(lab.order->refund_due, 0);
}

static void given_sums(struct order_create_input *in)
{
    in->shipping_cost.text = OMS_STR("4.00");
    in->sums.total.text = OMS_STR("40.00");
    in->sums.discounts.text = OMS_STR("3.00");
    in->sums.tax.text = OMS_STR("2.11");
    in->sums.final.text = OMS_STR("43.11");
}

static void test_given_sums_are_checked(void **state)
{
    static const struct {
        size_t offset;
        const char *text, *field, *message;
    } wrong[] = {
        {offsetof(struct order_sums_input, total), "40.01", "totalAmount",
         "totalAmount is 40.01 USD, expected 40.00 USD"},
        {offsetof(struct order_sums_input, final), "43.10", "finalAmount",
         "finalAmount is 43.10 USD, expected 43.11 USD"},
        {offsetof(struct order_sums_input, discounts), "0.99", "totalDiscountsFee",
         "totalDiscountsFee is 0.99 USD, expected at least 1.00 USD: the discounts of the lines count"},
    };
    struct order_line_input lines[2] = {lab_line("A", "v1", 3, "10.00"), lab_line("B", "v2", 2, "5.00")};

    (void)state;
    lines[0].discount.text = OMS_STR("1.00");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct order_command command = lab_create(&lab, ORDER_STAGE_PENDING, lines, 2);

        given_sums(&command.create);
        ((struct order_amount *)((char *)&command.create.sums + wrong[i].offset))->text =
            oms_str_of(wrong[i].text);
        assert_int_equal(lab_run(&lab, &command), REFUSAL_TOTALS_MISMATCH);
        assert_string_equal(lab_field(&lab), wrong[i].field);
        assert_string_equal(lab_message(&lab), wrong[i].message);
    }
    assert_int_equal(create_with(lines, 2, given_sums), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.final, 4311);
    assert_int_equal(lab.order->totals.discounts, 300);
    assert_true(lab.order->tax_given && lab.order->discount_given);
}

static void included_tax(struct order_create_input *in)
{
    in->taxes_included = true;
    in->sums.tax.text = OMS_STR("6.39");
    in->sums.final.text = OMS_STR("40.00");
}

static void test_taxes_included(void **state)
{
    struct order_line_input line = lab_line("A", "v1", 4, "10.00");

    (void)state;
    assert_int_equal(create_with(&line, 1, included_tax), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.tax, 639);
    assert_int_equal(lab.order->totals.final, 4000);
    assert_int_equal(order_line_net(lab.order, &lab.order->lines[0]), 4000);
}

static struct order_tax_line_input tax_lines[2];

static void by_rates(struct order_create_input *in)
{
    tax_lines[0] = (struct order_tax_line_input){.title = OMS_STR("State"), .rate = OMS_STR("0.0825")};
    tax_lines[1] = (struct order_tax_line_input){
        .title = OMS_STR("City"), .rate = OMS_STR("0.01"), .amount = {OMS_STR("0.40"), 0}};
    in->sums.tax_lines = tax_lines;
    in->sums.tax_line_count = 2;
    in->sums.has_tax_lines = true;
}

/* 0.0825 × 0.10 = 0.00825 → 0.01, × 0.18 = 0.01485 → 0.01, × 0.06 = 0.00495 → 0: each line rounds once, half
 * up. */
static void test_rates_round_half_up_per_line(void **state)
{
    struct order_line_input lines[4] = {lab_line("A", "v1", 1, "0.10"), lab_line("B", "v1", 1, "0.18"),
                                        lab_line("C", "v1", 1, "0.06"), lab_line("D", "v1", 1, "20.00")};

    (void)state;
    lines[3].not_taxable = true;
    assert_int_equal(create_with(lines, 4, by_rates), REFUSAL_NONE);
    assert_int_equal(lab.order->tax_lines[0].amount, 2);
    assert_true(lab.order->tax_lines[0].computed);
    assert_int_equal(lab.order->tax_lines[1].amount, 40);
    assert_false(lab.order->tax_lines[1].computed);
    assert_int_equal(lab.order->totals.tax, 42);
    assert_int_equal(lab.order->lines[3].allocated_tax, 0);
    assert_int_equal(lab.order->lines[0].allocated_tax + lab.order->lines[1].allocated_tax +
                         lab.order->lines[2].allocated_tax,
                     42);
}

static void half_cent(struct order_create_input *in)
{
    tax_lines[0] = (struct order_tax_line_input){.title = OMS_STR("VAT"), .rate = OMS_STR("0.5")};
    in->sums.tax_lines = tax_lines;
    in->sums.tax_line_count = 1;
    in->sums.has_tax_lines = true;
}

static void test_half_rounds_up(void **state)
{
    struct order_line_input line = lab_line("A", "v1", 1, "0.01");

    (void)state;
    assert_int_equal(create_with(&line, 1, half_cent), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.tax, 1);
}

static void included_rate(struct order_create_input *in)
{
    by_rates(in);
    in->taxes_included = true;
    tax_lines[0].rate = OMS_STR("0.19");
    in->sums.tax_line_count = 1;
}

static void test_included_rate(void **state)
{
    struct order_line_input line = lab_line("A", "v1", 1, "119.00");

    (void)state;
    assert_int_equal(create_with(&line, 1, included_rate), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.tax, 1900);
    assert_int_equal(lab.order->totals.final, 11900);
}

static void percent_as_rate(struct order_create_input *in)
{
    by_rates(in);
    tax_lines[0].rate = OMS_STR("8.25");
}

static void test_bad_rates(void **state)
{
    struct order_line_input line = lab_line("A", "v1", 1, "1.00");

    (void)state;
    assert_int_equal(create_with(&line, 1, percent_as_rate), REFUSAL_INVALID);
    assert_string_equal(lab_field(&lab), "taxLines.0.rate");
}

/* ---- allocation ---- */

static void ten_off(struct order_create_input *in)
{
    in->sums.discounts.text = OMS_STR("10.00");
}

static void test_discount_is_allocated_exactly(void **state)
{
    struct order_line_input lines[3] = {lab_line("A", "v1", 1, "10.00"), lab_line("B", "v1", 1, "10.00"),
                                        lab_line("C", "v1", 1, "10.00")};

    (void)state;
    assert_int_equal(create_with(lines, 3, ten_off), REFUSAL_NONE);
    assert_int_equal(lab.order->lines[0].allocated_discount, 333);
    assert_int_equal(lab.order->lines[1].allocated_discount, 333);
    assert_int_equal(lab.order->lines[2].allocated_discount, 334);
    assert_int_equal(lab.order->totals.final, 2000);
}

static void test_last_unit_takes_the_remainder(void **state)
{
    struct order_line_input line = lab_line("A", "v1", 3, "10.00");
    const struct order_line *placed;

    (void)state;
    assert_int_equal(create_with(&line, 1, ten_off), REFUSAL_NONE);
    placed = &lab.order->lines[0];
    assert_int_equal(order_line_share(lab.order, placed, 0, 1), 667);
    assert_int_equal(order_line_share(lab.order, placed, 1, 1), 667);
    assert_int_equal(order_line_share(lab.order, placed, 2, 1), 666);
    assert_int_equal(order_line_share(lab.order, placed, 0, 3), 2000);
    assert_int_equal(order_line_net(lab.order, placed), 2000);
}

static void tiny_tax(struct order_create_input *in)
{
    in->sums.tax.text = OMS_STR("0.05");
}

static void test_tax_smaller_than_units(void **state)
{
    struct order_line_input line = lab_line("A", "v1", 7, "1.00");
    int64_t sum = 0;

    (void)state;
    assert_int_equal(create_with(&line, 1, tiny_tax), REFUSAL_NONE);
    for (int64_t i = 0; i < 7; i++) {
        int64_t share = order_line_share(lab.order, &lab.order->lines[0], i, 1);

        assert_true(share == 100 || share == 101);
        sum += share;
    }
    assert_int_equal(sum, 705);
}

static void free_shipping(struct order_create_input *in)
{
    in->shipping_cost.text = OMS_STR("5.00");
    in->sums.discounts.text = OMS_STR("13.00");
}

static void test_discount_beyond_the_lines_goes_to_shipping(void **state)
{
    struct order_line_input line = lab_line("A", "v1", 1, "10.00");

    (void)state;
    assert_int_equal(create_with(&line, 1, free_shipping), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.final, 200);
    assert_int_equal(lab.order->totals.shipping_discount, 300);
    assert_int_equal(lab.order->lines[0].allocated_discount, 1000);
}

/* ---- refusals and limits ---- */

static void sixteen_off(struct order_create_input *in)
{
    in->shipping_cost.text = OMS_STR("5.00");
    in->sums.discounts.text = OMS_STR("15.01");
}

static void test_negative_final_is_refused(void **state)
{
    struct order_line_input line = lab_line("A", "v1", 1, "10.00");

    (void)state;
    assert_int_equal(create_with(&line, 1, sixteen_off), REFUSAL_INVALID);
    assert_string_equal(lab_field(&lab), "totalDiscountsFee");
    line.discount.text = OMS_STR("10.01");
    assert_int_equal(create_with(&line, 1, NULL), REFUSAL_INVALID);
    assert_string_equal(lab_field(&lab), "lineItems.0.discountAmount");
    line.discount.text = OMS_STR("-1.00");
    assert_int_equal(create_with(&line, 1, NULL), REFUSAL_INVALID);
}

static void test_zero_and_free(void **state)
{
    struct order_line_input lines[2] = {lab_line("A", "v1", 2, "0.00"), lab_line("GIFT", "v1", 1, "7.50")};

    (void)state;
    lines[1].free_gift = true;
    assert_int_equal(create_with(lines, 2, NULL), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.final, 0);
    assert_int_equal(lab.order->lines[1].unit_price, 750);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PAID); /* nothing is owed */
}

static void test_largest_amounts(void **state)
{
    struct order_line_input lines[2] = {lab_line("A", "v1", 1, "92233720368547758.07"),
                                        lab_line("B", "v1", 1, "0.01")};

    (void)state;
    assert_int_equal(create_with(lines, 2, NULL), REFUSAL_INVALID); /* the sum does not fit */
    lines[0].quantity = 2;
    assert_int_equal(create_with(lines, 1, NULL), REFUSAL_INVALID); /* the product does not fit */
    lines[0].quantity = 1;
    lines[0].price.text = OMS_STR("92233720368547758.08");
    assert_int_equal(create_with(lines, 1, NULL), REFUSAL_INVALID); /* the number does not fit */
    assert_string_equal(lab_field(&lab), "lineItems.0.productPrice");
    lines[0].price.text = OMS_STR("92233720368547758.07");
    assert_int_equal(create_with(lines, 1, tiny_tax), REFUSAL_INVALID); /* the final amount does not fit */
    assert_int_equal(create_with(lines, 1, NULL), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.final, INT64_MAX);
    assert_int_equal(lab_pay(&lab, "92233720368547758.07", "t1"), REFUSAL_NONE);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PAID);
    assert_int_equal(lab_pay(&lab, "0.01", "t2"), REFUSAL_INVALID); /* the sum of payments does not fit */
    assert_int_equal(lab_cancel(&lab), REFUSAL_NONE);
    assert_int_equal(lab.order->refund_due, INT64_MAX);
}

static void test_large_allocation_is_exact(void **state)
{
    struct order_line_input lines[2] = {lab_line("A", "v1", 2000000000, "30000000.01"),
                                        lab_line("B", "v1", 3, "0.01")};
    struct order_command command = lab_create(&lab, ORDER_STAGE_PENDING, lines, 2);

    (void)state;
    command.create.sums.discounts.text = OMS_STR("59999999999999999.99");
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->lines[0].allocated_discount + lab.order->lines[1].allocated_discount,
                     INT64_C(5999999999999999999));
    assert_int_equal(order_line_net(lab.order, &lab.order->lines[0]) +
                         order_line_net(lab.order, &lab.order->lines[1]),
                     lab.order->totals.final);
}

static void test_currencies(void **state)
{
    struct order_line_input lines[2] = {lab_line("A", "v1", 1, "1000.0"), lab_line("B", "v1", 1, "1.234")};

    (void)state;
    lines[0].price.currency = MONEY_CODE('J', 'P', 'Y');
    assert_int_equal(create_with(lines, 1, NULL), REFUSAL_INVALID); /* yen have no decimals */
    assert_string_equal(lab_message(&lab), "productPrice has more decimals than JPY allows: at most 0");
    lines[0].price = (struct order_amount){OMS_STR("1.000"), MONEY_CODE('K', 'W', 'D')};
    assert_int_equal(create_with(lines, 2, NULL), REFUSAL_CURRENCY_MISMATCH);
    assert_string_equal(lab_field(&lab), "lineItems.1.productPrice");
    lines[1].price.currency = MONEY_CODE('K', 'W', 'D');
    assert_int_equal(create_with(lines, 2, NULL), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.final, 2234);
    assert_int_equal(lab_pay(&lab, "2.2345", "t1"), REFUSAL_INVALID);
}

/* ---- edits ---- */

static enum refusal_code change_quantity(uint32_t line, int64_t quantity, const char *tax,
                                         const char *discounts)
{
    struct order_command command = lab_command(ORDER_COMMAND_CHANGE_QUANTITY);
    struct order_line_ref ref = {.line_item_id = line, .quantity = quantity};

    command.lines.refs = &ref;
    command.lines.ref_count = 1;
    command.lines.sums.tax.text = oms_str_of(tax);
    command.lines.sums.discounts.text = oms_str_of(discounts);
    return lab_run(&lab, &command);
}

static void test_edits_need_new_tax_and_discounts(void **state)
{
    struct order_line_input lines[2] = {lab_line("A", "v1", 3, "10.00"), lab_line("B", "v2", 2, "5.00")};

    (void)state;
    assert_int_equal(create_with(lines, 2, given_sums), REFUSAL_NONE);
    assert_int_equal(change_quantity(1, 1, "1.00", NULL), REFUSAL_REQUIRED);
    assert_string_equal(lab_field(&lab), "totalDiscountsFee");
    assert_int_equal(change_quantity(1, 1, NULL, "3.00"), REFUSAL_REQUIRED);
    assert_string_equal(lab_field(&lab), "taxAmount");
    assert_int_equal(change_quantity(1, 1, "1.00", "3.00"), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.final, 2000 - 300 + 400 + 100);
    assert_int_equal(change_quantity(9, 1, "1.00", "3.00"), REFUSAL_NOT_FOUND);
    assert_int_equal(change_quantity(1, 0, "1.00", "3.00"), REFUSAL_INVALID);
}

static void test_edit_after_cancelling_units(void **state)
{
    struct order_line_input lines[2] = {lab_line("A", "v1", 3, "10.00"), lab_line("B", "v2", 2, "5.00")};

    (void)state;
    lines[0].discount.text = OMS_STR("1.00");
    assert_int_equal(create_with(lines, 2, NULL), REFUSAL_NONE);
    assert_int_equal(lab_cancel_lines(&lab, 1, 1), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.total, 3000);
    assert_int_equal(lab.order->totals.discounts, 67); /* the first unit took 0.33 of the 1.00 */
    assert_int_equal(change_quantity(2, 4, NULL, NULL), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.total, 4000);
    assert_int_equal(lab.order->totals.discounts, 67);
    assert_int_equal(lab.order->lines[0].priced_quantity, 2);
    assert_int_equal(change_quantity(1, 1, NULL, NULL), REFUSAL_INVALID); /* one is cancelled already */
}

/* ---- cancellation ---- */

static void test_cancelled_units_take_their_shares(void **state)
{
    struct order_line_input lines[2] = {lab_line("A", "v1", 3, "10.00"), lab_line("B", "v2", 2, "5.00")};

    (void)state;
    assert_int_equal(create_with(lines, 2, given_sums),
                     REFUSAL_NONE); /* discount 3.00, tax 2.11, final 43.11 */
    assert_int_equal(lab_pay(&lab, "43.11", "t1"), REFUSAL_NONE);
    assert_int_equal(lab_cancel_lines(&lab, 1, 2), REFUSAL_NONE);
    /* Line 1 bears 2.25 of the discount and 1.58 of the tax; two units: 1.50 and 1.05. */
    assert_int_equal(lab.order->totals.total, 2000);
    assert_int_equal(lab.order->totals.discounts, 150);
    assert_int_equal(lab.order->totals.tax, 106);
    assert_int_equal(lab.order->totals.final, 2000 - 150 + 400 + 106);
    assert_int_equal(lab.order->refund_due, 4311 - 2356);
    assert_int_equal(lab.order->payment, ORDER_PAYMENT_STATUS_PAID);
    assert_int_equal(lab_cancel_lines(&lab, 1, 2), REFUSAL_QUANTITY_EXCEEDED);
    assert_int_equal(lab_cancel_lines(&lab, 1, -1), REFUSAL_NONE);
    assert_int_equal(lab_cancel_lines(&lab, 2, 2), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CANCELLED);
    assert_int_equal(lab.order->totals.total, 0);
    assert_int_equal(lab.order->totals.discounts, 0);
    assert_int_equal(lab.order->totals.tax, 0);
    assert_int_equal(lab.order->refund_due, 4311);
}

static void test_tax_lines_shrink_with_the_tax(void **state)
{
    struct order_line_input line = lab_line("A", "v1", 3, "10.00");

    (void)state;
    assert_int_equal(create_with(&line, 1, by_rates), REFUSAL_NONE); /* 2.48 computed + 0.40 given */
    assert_int_equal(lab.order->totals.tax, 288);
    assert_int_equal(lab_cancel_lines(&lab, 1, 1), REFUSAL_NONE);
    assert_int_equal(lab.order->totals.tax, 192);
    assert_int_equal(lab.order->tax_lines[0].amount, 165);
    assert_int_equal(lab.order->tax_lines[1].amount, 27);
}

static void test_vendor_sums(void **state)
{
    struct order_totals totals;

    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    order_vendor_totals(lab.order, OMS_STR("v2"), &totals);
    assert_int_equal(totals.total, 1000);
    assert_int_equal(totals.final, 1000);
    assert_int_equal(totals.shipping, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_everyday_sums),
        T(test_given_sums_are_checked),
        T(test_taxes_included),
        T(test_rates_round_half_up_per_line),
        T(test_half_rounds_up),
        T(test_included_rate),
        T(test_bad_rates),
        T(test_discount_is_allocated_exactly),
        T(test_last_unit_takes_the_remainder),
        T(test_tax_smaller_than_units),
        T(test_discount_beyond_the_lines_goes_to_shipping),
        T(test_negative_final_is_refused),
        T(test_zero_and_free),
        T(test_largest_amounts),
        T(test_large_allocation_is_exact),
        T(test_currencies),
        T(test_edits_need_new_tax_and_discounts),
        T(test_edit_after_cancelling_units),
        T(test_cancelled_units_take_their_shares),
        T(test_tax_lines_shrink_with_the_tax),
        T(test_vendor_sums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
