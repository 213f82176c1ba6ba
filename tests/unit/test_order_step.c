/* Steps, reviews, deadlines and holds: what blocks what, and what follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/limits.h"
#include "tests/unit/order_fixture.h"

#define HOUR (3600ll * 1000)

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

#define STEP(stage, name, sequence, more)                                                                    \
    "{\"stage\":\"" stage "\",\"stepName\":\"" name "\",\"activityStatus\":\"On" name                        \
    "\",\"sequence\":" #sequence more "}"
#define OPTIONAL ",\"optional\":true"

static enum order_outcome outcome(const char *name)
{
    for (size_t i = 0; i < lab.order->activity_count; i++)
        if (oms_str_eq_c(lab.order->activities[i].step_name, name))
            return lab.order->activities[i].outcome;
    fail_msg("no step %s", name);
    return ORDER_OUTCOME_WAITING;
}

static bool status_is(const char *text)
{
    return oms_str_eq_c(order_activity_status(lab.order), text);
}

static enum refusal_code complete(const char *step)
{
    return lab_step(&lab, ORDER_COMMAND_COMPLETE_ACTIVITY, step);
}

static enum refusal_code escalate(const char *reviewer)
{
    struct order_command command = lab_command(ORDER_COMMAND_ESCALATE_REVIEWER);

    command.step.reviewer = oms_str_of(reviewer);
    return lab_run(&lab, &command);
}

static enum refusal_code review(bool approved)
{
    struct order_command command = lab_command(ORDER_COMMAND_REVIEW_ORDER);

    command.step.has_is_approved = true;
    command.step.is_approved = approved;
    command.step.comments = OMS_STR("looked at it");
    return lab_run(&lab, &command);
}

static struct order_decision *fire(void)
{
    static const struct principal timer = {.kind = PRINCIPAL_TIMER};
    struct order_timer due = order_timer_next(lab.order);
    struct order_command command = lab_command(due.command);

    if (due.command == ORDER_COMMAND_EXPIRE_HOLD)
        command.hold.hold = due.part;
    else
        command.step.activity = due.part;
    lab.context.principal = &timer;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    lab.context.principal = &lab.principal;
    return &lab.decision;
}

/* ---- order of steps ---- */

static void test_steps_run_in_sequence(void **state)
{
    (void)state;
    lab_workflow(&lab,
                 "[" STEP("CONFIRMED", "weigh", 1, OPTIONAL) "," STEP("CONFIRMED", "pick", 2, "") "," STEP(
                     "CONFIRMED", "gift_wrap", 3, OPTIONAL) "," STEP("CONFIRMED", "pack", 4, "") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab.order->workflow_version, 7);
    assert_true(status_is("Onweigh"));
    assert_int_equal(complete("pack"), REFUSAL_UNEXPECTED_STEP);
    assert_string_equal(lab_message(&lab), "Expected step pick, got pack");
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_STEP_PENDING);
    assert_int_equal(complete("pick"), REFUSAL_NONE);
    assert_int_equal(outcome("weigh"), ORDER_OUTCOME_SKIPPED); /* passed over */
    assert_true(status_is("Ongift_wrap"));
    assert_int_equal(complete("pick"), REFUSAL_UNEXPECTED_STEP); /* done already */
    assert_int_equal(complete("nothing"), REFUSAL_NOT_FOUND);
    assert_int_equal(lab_step(&lab, ORDER_COMMAND_SKIP_ACTIVITY, "pack"), REFUSAL_STEP_PENDING);
    assert_int_equal(lab_step(&lab, ORDER_COMMAND_SKIP_ACTIVITY, "gift_wrap"), REFUSAL_NONE);
    assert_true(status_is("Onpack"));
    assert_int_equal(complete("pack"), REFUSAL_NONE);
    assert_true(status_is("NoPendingActions"));
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
}

static void test_own_steps_of_commands(void **state)
{
    (void)state;
    lab_workflow(
        &lab, "[" STEP("PENDING", "confirm_order", 1, "") "," STEP("CONFIRMED", "pick", 1, "") "," STEP(
                  "CONFIRMED", "mark_as_shipped", 2, "") "," STEP("SHIPPED", "mark_as_completed", 1, "") "]");
    lab_place(&lab, ORDER_STAGE_PENDING);
    assert_true(status_is("Onconfirm_order"));
    assert_int_equal(complete("confirm_order"), REFUSAL_UNEXPECTED_STEP);          /* the command does it */
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_CONFIRM_ORDER), REFUSAL_NONE); /* never blocks itself */
    assert_int_equal(outcome("confirm_order"), ORDER_OUTCOME_DONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_UNEXPECTED_STEP);
    assert_string_equal(lab_message(&lab), "Expected step pick, got mark_as_shipped");
    assert_int_equal(complete("pick"), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_int_equal(outcome("mark_as_shipped"), ORDER_OUTCOME_DONE);
    assert_int_equal(lab_pay(&lab, "44.00", "t"), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_COMPLETED), REFUSAL_NONE);
    assert_int_equal(outcome("mark_as_completed"), ORDER_OUTCOME_DONE);
}

static void test_created_beyond_earlier_steps(void **state)
{
    (void)state;
    lab_workflow(&lab,
                 "[" STEP("PENDING", "fraud", 1, "") "," STEP("CONFIRMED", "confirm_order", 1, "") "," STEP(
                     "CONFIRMED", "pick", 2, OPTIONAL) "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(outcome("fraud"), ORDER_OUTCOME_NOT_APPLICABLE);
    assert_int_equal(outcome("confirm_order"), ORDER_OUTCOME_DONE); /* in the stage that it enters */
    assert_true(status_is("Onpick"));
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_int_equal(outcome("pick"), ORDER_OUTCOME_SKIPPED);
}

static void test_payments_need_no_step(void **state)
{
    (void)state;
    lab_workflow(&lab,
                 "[" STEP("CONFIRMED", "pick", 1, "") "," STEP("CONFIRMED", "record_payment", 2, "") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_pay(&lab, "1.00", "t"), REFUSAL_NONE); /* a fact, whatever waits before it */
    assert_int_equal(outcome("record_payment"), ORDER_OUTCOME_DONE);
    assert_int_equal(outcome("pick"), ORDER_OUTCOME_WAITING);
    assert_int_equal(lab_cancel(&lab), REFUSAL_NONE);
    assert_int_equal(outcome("pick"), ORDER_OUTCOME_NOT_APPLICABLE);
    assert_true(status_is("NoPendingActions"));
}

static void test_dispatch_obeys_steps_and_scans_do_not(void **state)
{
    (void)state;
    lab_workflow(&lab,
                 "[" STEP("CONFIRMED", "pick", 1, "") "," STEP("CONFIRMED", "mark_as_shipped", 2, "") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_add_shipment(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DISPATCH_SHIPMENT, 1), REFUSAL_STEP_PENDING);
    assert_int_equal(lab_scan(&lab, 1, ORDER_SHIPMENT_IN_TRANSIT, 0), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CONFIRMED);
    assert_int_equal(complete("pick"), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_SHIPPED); /* the gate opened */
    assert_int_equal(outcome("mark_as_shipped"), ORDER_OUTCOME_DONE);
}

static void test_roles_of_steps(void **state)
{
    static const struct oms_str roles[] = {{"picker", 6}};

    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "pick", 1, ",\"role\":\"picker\"") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(complete("pick"), REFUSAL_FORBIDDEN);
    lab.principal.roles = roles;
    lab.principal.role_count = 1;
    assert_int_equal(complete("pick"), REFUSAL_NONE);
}

/* ---- reviews ---- */

static void test_reviews(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "review_order", 1, "") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(review(true), REFUSAL_NOT_ASSIGNED_REVIEWER);
    assert_int_equal(escalate("boss"), REFUSAL_NONE);
    assert_int_equal(review(true), REFUSAL_NOT_ASSIGNED_REVIEWER);
    assert_int_equal(escalate("staff-1"), REFUSAL_NONE); /* replaces the reviewer */
    assert_int_equal(review(false), REFUSAL_NONE);
    assert_int_equal(outcome("review_order"), ORDER_OUTCOME_REJECTED);
    assert_int_equal(lab.order->hold_count, 1); /* onReject defaults to hold */
    assert_int_equal(lab_release(&lab, 1), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED),
                     REFUSAL_STEP_PENDING); /* rejected never counts */
    assert_int_equal(review(true), REFUSAL_UNEXPECTED_STEP);
    assert_int_equal(escalate("staff-1"), REFUSAL_NONE); /* asks for a new review: no dead end */
    assert_int_equal(review(true), REFUSAL_NONE);
    assert_int_equal(outcome("review_order"), ORDER_OUTCOME_APPROVED);
    assert_int_equal(escalate("boss"), REFUSAL_UNEXPECTED_STEP);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
}

static void test_rejection_may_cancel(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("PENDING", "review_order", 1, ",\"onReject\":\"cancel\"") "]");
    lab_place(&lab, ORDER_STAGE_PENDING);
    assert_int_equal(escalate("staff-1"), REFUSAL_NONE);
    assert_int_equal(review(false), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CANCELLED);
    assert_true(oms_str_eq_c(lab.order->cancellation_reason, "looked at it"));
}

static void test_rejection_may_retry(void **state)
{
    (void)state;
    lab_workflow(&lab,
                 "[" STEP("PENDING", "check", 1, "") "," STEP("PENDING", "escalate_reviewer", 2, "") "," STEP(
                     "PENDING", "review_order", 3, ",\"onReject\":\"retry:check\"") "]");
    lab_place(&lab, ORDER_STAGE_PENDING);
    assert_int_equal(escalate("staff-1"), REFUSAL_UNEXPECTED_STEP);
    assert_string_equal(lab_message(&lab), "Expected step check, got escalate_reviewer");
    assert_int_equal(complete("check"), REFUSAL_NONE);
    assert_int_equal(escalate("staff-1"), REFUSAL_NONE);
    assert_int_equal(outcome("escalate_reviewer"), ORDER_OUTCOME_DONE);
    assert_int_equal(review(false), REFUSAL_NONE);
    assert_int_equal(outcome("check"), ORDER_OUTCOME_WAITING);
    assert_int_equal(outcome("escalate_reviewer"), ORDER_OUTCOME_WAITING);
    assert_int_equal(outcome("review_order"), ORDER_OUTCOME_WAITING);
    assert_true(status_is("Oncheck"));
    assert_int_equal(lab.order->hold_count, 0);
}

/* ---- deadlines ---- */

static void test_deadlines_pause_on_hold(void **state)
{
    int64_t start = lab.context.now_ms;

    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "pick", 1, ",\"dueIn\":\"PT48H\",\"onDue\":\"skip\"") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(order_timer_next(lab.order).at, start + 48 * HOUR);
    lab.context.now_ms += 10 * HOUR;
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(order_timer_next(lab.order).at, 0);
    lab.context.now_ms += 100 * HOUR;
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_release(&lab, 1), REFUSAL_NONE);
    assert_int_equal(order_timer_next(lab.order).at, 0); /* another hold is there */
    assert_int_equal(lab_release(&lab, 2), REFUSAL_NONE);
    assert_int_equal(order_timer_next(lab.order).at, start + 148 * HOUR);
    assert_int_equal(order_timer_next(lab.order).command, ORDER_COMMAND_STEP_DUE);
    assert_int_equal(fire()->kind, ORDER_DECISION_NOTHING); /* too early */
    lab.context.now_ms = start + 148 * HOUR;
    assert_int_equal(fire()->kind, ORDER_DECISION_EVENTS);
    assert_int_equal(outcome("pick"), ORDER_OUTCOME_SKIPPED);
    assert_int_equal(order_timer_next(lab.order).at, 0);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
}

static void test_deadlines_notify_and_cancel(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("PENDING", "call", 1, ",\"dueIn\":\"PT1H\"") "," STEP(
                           "CONFIRMED", "pick", 1, ",\"dueIn\":\"PT1H\",\"onDue\":\"cancel\"") "]");
    lab_place(&lab, ORDER_STAGE_PENDING);
    lab.context.now_ms += HOUR;
    assert_int_equal(fire()->kind, ORDER_DECISION_EVENTS);
    assert_true(lab.order->activities[0].overdue);
    assert_int_equal(outcome("call"), ORDER_OUTCOME_WAITING);
    assert_int_equal(order_timer_next(lab.order).at, 0);
    assert_int_equal(complete("call"), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_CONFIRM_ORDER), REFUSAL_NONE);
    lab.context.now_ms += HOUR;
    assert_int_equal(fire()->kind, ORDER_DECISION_EVENTS);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CANCELLED);
}

/* ---- holds ---- */

static void test_holds_block_what_they_name(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_hold(&lab, ORDER_COMMAND_BIT(ORDER_COMMAND_CANCEL_ORDER), 0), REFUSAL_NONE);
    assert_int_equal(lab_cancel(&lab), REFUSAL_ON_HOLD);
    assert_string_equal(lab_message(&lab), "Hold HLD-1 blocks cancelOrder: fraud check");
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_ON_HOLD);
    assert_int_equal(lab_add_shipment(&lab, 1, 1), REFUSAL_NONE); /* no transition */
    assert_int_equal(lab_pay(&lab, "1.00", "t"), REFUSAL_NONE);
    assert_int_equal(lab_hold(&lab, ORDER_COMMAND_BIT(ORDER_COMMAND_ADD_NOTE), 0), REFUSAL_INVALID);
    assert_int_equal(lab_release(&lab, 2), REFUSAL_NONE);
    assert_int_equal(lab_release(&lab, 2), REFUSAL_NOT_FOUND);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_int_equal(lab.order->released_hold_count, 1);
}

static void test_customers_do_not_read_why(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_hold(&lab, ORDER_COMMAND_BIT(ORDER_COMMAND_CANCEL_ORDER), 0), REFUSAL_NONE);
    lab_as_scoped(&lab, "c", PERMISSION_SCOPE_CUSTOMER, "cust-1", PERMISSION_ALL);
    assert_int_equal(lab_cancel(&lab), REFUSAL_ON_HOLD);
    assert_string_equal(lab_message(&lab), "Hold HLD-1 blocks cancelOrder");
}

static void test_holds_expire(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_hold(&lab, 0, lab.context.now_ms), REFUSAL_INVALID); /* in the past */
    assert_int_equal(lab_hold(&lab, 0, lab.context.now_ms + 2 * HOUR), REFUSAL_NONE);
    assert_int_equal(lab_hold(&lab, 0, lab.context.now_ms + HOUR), REFUSAL_NONE);
    assert_int_equal(order_timer_next(lab.order).part, 2); /* the earlier one */
    assert_int_equal(fire()->kind, ORDER_DECISION_NOTHING);
    lab.context.now_ms += HOUR;
    assert_int_equal(fire()->kind, ORDER_DECISION_EVENTS);
    assert_int_equal(lab.order->hold_count, 1);
    lab.context.now_ms += HOUR;
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED),
                     REFUSAL_NONE); /* over, though not fired yet */
}

static void test_released_holds_are_few(void **state)
{
    (void)state;
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    for (uint32_t i = 1; i <= OMS_ORDER_HOLDS_RELEASED_KEPT + 5; i++) {
        assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
        assert_int_equal(lab_release(&lab, i), REFUSAL_NONE);
    }
    assert_int_equal(lab.order->released_hold_count, OMS_ORDER_HOLDS_RELEASED_KEPT);
    assert_int_equal(lab.order->released_holds[0].id, 6);
    for (unsigned i = 0; i < OMS_ORDER_HOLDS_ACTIVE_MAX; i++)
        assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_LIMIT_EXCEEDED);
}

static void test_completion_waits_for_delivery_where_asked(void **state)
{
    (void)state;
    lab_workflow(&lab, "{\"steps\":[],\"defaults\":{\"complete_requires\":\"delivered\"}}");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_pay(&lab, "43.99", "t"), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_COMPLETED), REFUSAL_WRONG_STAGE);
    assert_int_equal(lab.decision.refusals.count, 2); /* both reasons at once */
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DELIVER_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_COMPLETED), REFUSAL_PAYMENT_OUTSTANDING);
    assert_string_equal(lab_message(&lab), "43.99 USD of 44.00 USD are paid");
    assert_int_equal(lab_pay(&lab, "0.01", "t2"), REFUSAL_NONE);
    assert_int_equal(lab_hold(&lab, ORDER_COMMAND_BIT(ORDER_COMMAND_PROCESS_REFUND), 0), REFUSAL_NONE);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_COMPLETED), REFUSAL_NONE);
    assert_int_equal(lab.order->hold_count, 0); /* a finished order keeps none */
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_steps_run_in_sequence),
        T(test_own_steps_of_commands),
        T(test_created_beyond_earlier_steps),
        T(test_payments_need_no_step),
        T(test_dispatch_obeys_steps_and_scans_do_not),
        T(test_roles_of_steps),
        T(test_reviews),
        T(test_rejection_may_cancel),
        T(test_rejection_may_retry),
        T(test_deadlines_pause_on_hold),
        T(test_deadlines_notify_and_cancel),
        T(test_holds_block_what_they_name),
        T(test_customers_do_not_read_why),
        T(test_holds_expire),
        T(test_released_holds_are_few),
        T(test_completion_waits_for_delivery_where_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
