/*
 * Every stage × command pair, as a table written by hand from the specification: what the command answers on
 * the everyday order that ordinary commands brought to that stage. availableActions must tell the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/order_fixture.h"

/*
 * One letter per stage, in the order DRAFT PENDING CONFIRMED SHIPPED COMPLETED CANCELLED:
 * + accepted, w WRONG_STAGE, i INVALID, n NOT_FOUND, q QUANTITY_EXCEEDED, p PAYMENT_OUTSTANDING, u
 * UNEXPECTED_STEP, t NOT_RETURNABLE, x REFUND_EXCEEDED, c CONFLICT, m NOT_FOUND (there is no such shipment or
 * return yet; availableActions says INVALID)
 */
static const struct {
    enum order_command_type command;
    const char *answers;
} table[] = {
    {ORDER_COMMAND_CREATE_ORDER, "cccccc"}, /* other content: CONFLICT at every stage */
    {ORDER_COMMAND_ADD_LINE_ITEM, "++wwww"},
    {ORDER_COMMAND_REMOVE_LINE_ITEM, "++wwww"},
    {ORDER_COMMAND_CHANGE_QUANTITY, "++wwww"},
    {ORDER_COMMAND_CHANGE_DESTINATION, "+++www"}, /* in SHIPPED a shipment has left */
    {ORDER_COMMAND_PLACE_ORDER, "+wwwww"},
    {ORDER_COMMAND_CONFIRM_ORDER, "w+wwww"},
    {ORDER_COMMAND_CANCEL_LINE_ITEMS, "w++www"},
    {ORDER_COMMAND_ADD_SHIPMENT, "ww+qww"},
    {ORDER_COMMAND_CONFIRM_SHIPMENT, "wwmiww"},
    {ORDER_COMMAND_DISPATCH_SHIPMENT, "wwmiww"},
    {ORDER_COMMAND_DELIVER_SHIPMENT, "wwm++w"},
    {ORDER_COMMAND_CANCEL_SHIPMENT, "wwmiiw"},
    {ORDER_COMMAND_FAIL_SHIPMENT, "wwm++w"},
    {ORDER_COMMAND_MARK_AS_SHIPPED, "ww+www"},
    {ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE, "www++w"},
    {ORDER_COMMAND_RECORD_PAYMENT, "++++++"},
    {ORDER_COMMAND_MARK_AS_COMPLETED, "wwwpww"},
    {ORDER_COMMAND_CANCEL_ORDER, "w++www"},
    {ORDER_COMMAND_REQUEST_RETURN, "wwt++w"},
    {ORDER_COMMAND_APPROVE_RETURN, "wwmmmw"},
    {ORDER_COMMAND_REJECT_RETURN, "wwmmmw"},
    {ORDER_COMMAND_RECEIVE_RETURN, "wwmmmw"},
    {ORDER_COMMAND_CANCEL_RETURN, "wwmmmw"},
    {ORDER_COMMAND_PROCESS_REFUND, "wxxx+x"}, /* only the completed one is paid */
    {ORDER_COMMAND_ESCALATE_REVIEWER, "uuuuuw"},
    {ORDER_COMMAND_REVIEW_ORDER, "uuuuuw"},
    {ORDER_COMMAND_COMPLETE_ACTIVITY, "uuuuuw"},
    {ORDER_COMMAND_SKIP_ACTIVITY, "uuuuuw"},
    {ORDER_COMMAND_PLACE_HOLD, "++++ww"},
    {ORDER_COMMAND_RELEASE_HOLD, "nnnnww"},
    {ORDER_COMMAND_ADD_NOTE, "++++++"},
};

static enum refusal_code code_of(char letter)
{
    switch (letter) {
    case 'w':
        return REFUSAL_WRONG_STAGE;
    case 'i':
        return REFUSAL_INVALID;
    case 'n':
    case 'm':
        return REFUSAL_NOT_FOUND;
    case 'q':
        return REFUSAL_QUANTITY_EXCEEDED;
    case 'p':
        return REFUSAL_PAYMENT_OUTSTANDING;
    case 'u':
        return REFUSAL_UNEXPECTED_STEP;
    case 't':
        return REFUSAL_NOT_RETURNABLE;
    case 'x':
        return REFUSAL_REFUND_EXCEEDED;
    case 'c':
        return REFUSAL_CONFLICT;
    default:
        return REFUSAL_NONE;
    }
}

static struct order_line_input one_line;
static struct order_line_ref one_ref;

/* An input that is right wherever the command may run at all. */
static struct order_command good_input(struct order_lab *lab, enum order_command_type type)
{
    struct order_command command = lab_command(type);

    one_line = lab_line("C", "v1", 1, "1.00");
    one_ref = (struct order_line_ref){.line_item_id = 1, .quantity = 1};
    switch (type) {
    case ORDER_COMMAND_CREATE_ORDER:
        command = lab_create(lab, ORDER_STAGE_CONFIRMED, &one_line, 1);
        command.fingerprint.lo = 99;
        break;
    case ORDER_COMMAND_ADD_LINE_ITEM:
        command.lines.added = &one_line;
        command.lines.added_count = 1;
        break;
    case ORDER_COMMAND_REMOVE_LINE_ITEM:
    case ORDER_COMMAND_CHANGE_QUANTITY:
        command.lines.refs = &one_ref;
        command.lines.ref_count = 1;
        break;
    case ORDER_COMMAND_CHANGE_DESTINATION:
        command.destination.has_destination = true;
        command.destination.destination.city = OMS_STR("Paris");
        command.destination.destination.country = OMS_STR("fr");
        break;
    case ORDER_COMMAND_CANCEL_LINE_ITEMS:
        command.cancel.refs = &one_ref;
        command.cancel.ref_count = 1;
        command.cancel.reason = OMS_STR("why");
        break;
    case ORDER_COMMAND_CANCEL_ORDER:
        command.cancel.reason = OMS_STR("why");
        break;
    case ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE:
        command.shipment.tracking_url = OMS_STR("https://carrier.example/x");
        command.shipment.shipment = lab->order->stage == ORDER_STAGE_SHIPPED ? 0 : 1;
        break;
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
    case ORDER_COMMAND_DELIVER_SHIPMENT:
    case ORDER_COMMAND_CANCEL_SHIPMENT:
    case ORDER_COMMAND_FAIL_SHIPMENT:
        command.shipment.shipment = 1;
        break;
    case ORDER_COMMAND_RECORD_PAYMENT:
        command.payment.amount = lab_amount(lab, "1.00");
        break;
    case ORDER_COMMAND_APPROVE_RETURN:
    case ORDER_COMMAND_REJECT_RETURN:
    case ORDER_COMMAND_RECEIVE_RETURN:
    case ORDER_COMMAND_CANCEL_RETURN:
        command.returns.return_id = 1;
        command.returns.reason = OMS_STR("why");
        break;
    case ORDER_COMMAND_PROCESS_REFUND:
        command.refund.amount = lab_amount(lab, "1.00");
        command.refund.reason = OMS_STR("why");
        break;
    case ORDER_COMMAND_RELEASE_HOLD:
        command.hold.hold = 1;
        break;
    case ORDER_COMMAND_ADD_NOTE:
        command.note.text = OMS_STR("hello");
        break;
    default:
        break;
    }
    return command;
}

static void check_action(struct order_lab *lab, enum order_command_type type, enum refusal_code expected)
{
    struct order_action actions[ORDER_ACTIONS_MAX];
    size_t count = order_available_actions(lab->order, &lab->context, &lab->arena, actions);

    assert_int_equal(count, ORDER_ACTIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (actions[i].command != type)
            continue;
        assert_int_equal(actions[i].allowed, expected == REFUSAL_NONE);
        if (!actions[i].allowed)
            assert_int_equal(actions[i].reasons.items[0].code, expected);
        return;
    }
    assert_int_equal(type, ORDER_COMMAND_CREATE_ORDER);
}

static void test_every_pair(void **state)
{
    (void)state;
    assert_int_equal(sizeof(table) / sizeof(table[0]), ORDER_COMMAND_LAST_PUBLIC);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        for (unsigned stage = ORDER_STAGE_DRAFT; stage <= ORDER_STAGE_CANCELLED; stage++) {
            enum refusal_code expected = code_of(table[i].answers[stage - ORDER_STAGE_DRAFT]);
            struct order_command command;
            struct order_lab lab;
            enum refusal_code got;
            uint64_t version;

            lab_init(&lab);
            lab_bring_to(&lab, (enum order_stage)stage);
            version = lab.order->version;
            command = good_input(&lab, table[i].command);
            check_action(&lab, table[i].command,
                         table[i].answers[stage - ORDER_STAGE_DRAFT] == 'm' ? REFUSAL_INVALID : expected);
            got = lab_run(&lab, &command);
            if (got != expected)
                print_error("%s in %s: got %s (%s), expected %s\n",
                            order_command_info(table[i].command)->mutation,
                            order_stage_name((enum order_stage)stage), refusal_code_name(got),
                            lab_message(&lab), refusal_code_name(expected));
            assert_int_equal(got, expected);
            assert_int_equal(lab.order->version, version + (expected == REFUSAL_NONE));
            lab_check_invariants(&lab);
            lab_check_refold(&lab);
            lab_fini(&lab);
        }
}

static void test_names_round_trip(void **state)
{
    (void)state;
    for (unsigned i = 1; i < ORDER_COMMAND_COUNT; i++) {
        const struct order_command_info *info = order_command_info((enum order_command_type)i);

        assert_int_equal(order_command_parse(oms_str_of(info->mutation)), i);
        assert_int_equal(order_command_parse(oms_str_of(info->word)), i);
        if (i <= ORDER_COMMAND_LAST_PUBLIC)
            assert_string_equal(permission_name(info->permission), info->word);
        else
            assert_int_equal(info->permission, PERMISSION_COUNT);
    }
    for (unsigned i = 1; i < ORDER_EVENT_COUNT; i++)
        assert_int_equal(order_event_parse(oms_str_of(order_event_name((enum order_event_type)i))), i);
    for (unsigned i = 1; i < ORDER_STAGE_COUNT; i++) {
        enum order_stage stage;

        assert_true(order_stage_parse(oms_str_of(order_stage_name((enum order_stage)i)), &stage));
        assert_int_equal(stage, i);
    }
    assert_int_equal(order_command_parse(OMS_STR("markasshipped")), ORDER_COMMAND_NONE);
}

static void test_part_ids(void **state)
{
    char text[ORDER_PART_ID_SIZE];
    uint32_t number = 0;

    (void)state;
    assert_int_equal(order_part_id(ORDER_PART_SHIPMENT, 12, text), 6);
    assert_string_equal(text, "SHP-12");
    assert_true(order_part_parse(OMS_STR("shp-12"), ORDER_PART_SHIPMENT, &number));
    assert_int_equal(number, 12);
    assert_true(order_part_parse(OMS_STR("4294967295"), ORDER_PART_SHIPMENT, &number));
    assert_int_equal(number, UINT32_MAX);
    assert_false(order_part_parse(OMS_STR("4294967296"), ORDER_PART_SHIPMENT, &number));
    assert_false(order_part_parse(OMS_STR("RET-1"), ORDER_PART_SHIPMENT, &number));
    assert_false(order_part_parse(OMS_STR("SHP-0"), ORDER_PART_SHIPMENT, &number));
    assert_false(order_part_parse(OMS_STR("SHP-"), ORDER_PART_SHIPMENT, &number));
    assert_false(order_part_parse(OMS_STR(""), ORDER_PART_SHIPMENT, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_names_round_trip),
        cmocka_unit_test(test_part_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
