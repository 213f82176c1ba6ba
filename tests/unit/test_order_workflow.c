/* Workflows at work: conditions that are asked once, patterns, escalation, and the way to another version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "actors/order_migrate.h"
#include "runtime/base/assert.h"
#include "tests/unit/order_fixture.h"

#define HOUR (3600ll * 1000)

static struct order_lab lab;
static struct workflow other;

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
#define OPTIONAL               ",\"optional\":true"
#define WHEN(field, op, value) ",\"when\":[{\"field\":\"" field "\",\"op\":\"" op "\",\"value\":" value "}]"

static const struct order_activity *activity(const char *name)
{
    for (size_t i = 0; i < lab.order->activity_count; i++)
        if (oms_str_eq_c(lab.order->activities[i].step_name, name))
            return &lab.order->activities[i];
    fail_msg("no step %s", name);
    return NULL;
}

static bool at(const char *status)
{
    return oms_str_eq_c(order_activity_status(lab.order), status);
}

static enum refusal_code complete(const char *step)
{
    return lab_step(&lab, ORDER_COMMAND_COMPLETE_ACTIVITY, step);
}

static enum refusal_code escalate(const char *step, const char *reviewer)
{
    struct order_command command = lab_command(ORDER_COMMAND_ESCALATE_REVIEWER);

    command.step.reviewer = oms_str_of(reviewer);
    command.step.step_name = oms_str_of(step);
    return lab_run(&lab, &command);
}

static enum order_decision_kind fire(void)
{
    static const struct principal timer = {.kind = PRINCIPAL_TIMER};
    struct order_timer due = order_timer_next(lab.order);
    struct order_command command = lab_command(due.command);

    command.step.activity = due.part;
    lab.context.principal = &timer;
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    lab.context.principal = &lab.principal;
    return lab.decision.kind;
}

static void target(const char *json)
{
    struct oms_error error = {OMS_OK, ""};

    if (workflow_build_json(oms_str_of(json), 8, &lab.forever, &other, &error) != OMS_OK)
        fail_msg("%s", error.message);
    lab.context.target = &other;
}

static enum refusal_code migrate(bool without_step)
{
    struct order_command command = lab_command(ORDER_COMMAND_MIGRATE_WORKFLOW);
    enum refusal_code code;

    command.migrate.version = 8;
    command.migrate.without_step = without_step;
    code = lab_run(&lab, &command);
    if (code == REFUSAL_NONE)
        lab.context.workflow = &other;
    return code;
}

/* ---- when ---- */

/* The everyday order: 3 × A at 10.00 of v1, 2 × B at 5.00 of v2, shipping 4.00, USD, New York. */
static void test_what_can_be_asked(void **state)
{
    static const struct {
        const char *when;
        bool holds;
    } cases[] = {
        {WHEN("finalAmount", "gte", "\"44.00\""), true},
        {WHEN("finalAmount", ">", "44"), false},
        {WHEN("finalAmount", "lt", "44.0001"), true},
        {WHEN("total_amount", "eq", "40"), true},
        {WHEN("totalAmount", "in", "[39, \"40.0\"]"), true},
        {WHEN("shippingCost", "lte", "3.99"), false},
        {WHEN("paidAmount", "eq", "0"), true},
        {WHEN("quantity", "eq", "5"), true},
        {WHEN("lineCount", "gt", "2"), false},
        {WHEN("vendorCount", "gte", "2"), true},
        {WHEN("currency", "eq", "\"USD\""), true},
        {WHEN("currency", "not_in", "[\"USD\",\"EUR\"]"), false},
        {WHEN("source", "eq", "\"api\""), true},
        {WHEN("externalRef", "matches", "\"^R-[0-9]+$\""), true},
        {WHEN("customerId", "ne", "\"cust-1\""), false},
        {WHEN("destination.country", "eq", "\"United States\""), true},
        {WHEN("country", "in", "[\"GB\",\"DE\"]"), false},
        {WHEN("destination.city", "matches", "\"York\""), true},
        {WHEN("destination.state", "exists", "true"), false},
        {WHEN("destination.state", "exists", "false"), true},
        {WHEN("destination.state", "ne", "\"NY\""), true},
        {WHEN("shippingMethod", "exists", "true"), false},
        {WHEN("paymentStatus", "eq", "\"pending\""), true},
        {WHEN("fulfillmentStatus", "in", "[\"SHIPPED\",\"DELIVERED\"]"), false},
        {WHEN("sku", "eq", "\"B\""), true},
        {WHEN("productSku", "not_in", "[\"B\"]"), false},
        {WHEN("sku", "matches", "\"^[C-Z]\""), false},
        {WHEN("vendorId", "in", "[\"v2\",\"v9\"]"), true},
        {WHEN("couponCode", "exists", "false"), true},
        {WHEN("hasFreeGift", "eq", "false"), true},
        {WHEN("onHold", "ne", "true"), true},
        {WHEN("taxesIncluded", "eq", "true"), false},
    };

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(cases); i++) {
        char json[512];

        snprintf(json, sizeof json,
                 "[" STEP("CONFIRMED", "check", 1, "%s") "," STEP("CONFIRMED", "pack", 2, "") "]",
                 cases[i].when);
        lab_fini(&lab);
        lab_init(&lab);
        lab_workflow(&lab, json);
        lab_place(&lab, ORDER_STAGE_CONFIRMED);
        if (at("Oncheck") != cases[i].holds)
            fail_msg("%s", cases[i].when);
        assert_int_equal(activity("check")->outcome,
                         cases[i].holds ? ORDER_OUTCOME_WAITING : ORDER_OUTCOME_NOT_APPLICABLE);
    }
}

static void test_it_is_asked_once(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "check", 1, WHEN("paymentStatus", "ne", "\"PAID\"")) "," STEP(
                           "CONFIRMED", "pack", 2, WHEN("paymentStatus", "eq", "\"PAID\"")) "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_true(at("Oncheck"));
    assert_int_equal(lab_pay(&lab, "44.00", "t"), REFUSAL_NONE);
    assert_true(at("Oncheck")); /* it was asked when the step became current */
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_STEP_PENDING);
    assert_int_equal(complete("check"), REFUSAL_NONE);
    assert_true(at("Onpack"));
    assert_int_equal(lab_cancel(&lab), REFUSAL_NONE);
}

/* What the command itself does counts for the step behind it. */
static void test_it_sees_the_command_that_came_before(void **state)
{
    (void)state;
    lab_workflow(&lab,
                 "[" STEP("CONFIRMED", "record_payment", 1, "") "," STEP(
                     "CONFIRMED", "dun", 2,
                     WHEN("paymentStatus", "ne", "\"PAID\"")) "," STEP("CONFIRMED", "thank", 3,
                                                                       WHEN("paidAmount", "gt", "10")) "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_pay(&lab, "44.00", "t"), REFUSAL_NONE);
    assert_int_equal(activity("record_payment")->outcome, ORDER_OUTCOME_DONE);
    assert_int_equal(activity("dun")->outcome, ORDER_OUTCOME_NOT_APPLICABLE);
    assert_true(at("Onthank"));
    assert_true(activity("thank")->started_at > 0);
}

/* A required step that does not apply is in nobody's way, nor can it be done. */
static void test_what_does_not_apply_is_passed(void **state)
{
    (void)state;
    lab_workflow(
        &lab, "[" STEP("CONFIRMED", "weigh", 1, OPTIONAL) "," STEP(
                  "CONFIRMED", "check", 2,
                  WHEN("finalAmount", "gt",
                       "1000")) "," STEP("CONFIRMED", "insure", 3,
                                         OPTIONAL WHEN("finalAmount", "gt",
                                                       "1000")) "," STEP("CONFIRMED", "mark_as_shipped", 4,
                                                                         WHEN("lineCount", "gt", "5")) "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_true(at("Onweigh"));
    assert_int_equal(complete("check"), REFUSAL_UNEXPECTED_STEP);
    assert_string_equal(lab_message(&lab), "Step check does not apply to this order");
    assert_int_equal(lab_step(&lab, ORDER_COMMAND_SKIP_ACTIVITY, "insure"), REFUSAL_UNEXPECTED_STEP);
    assert_int_equal(lab_simple(&lab, ORDER_COMMAND_MARK_AS_SHIPPED), REFUSAL_NONE);
    assert_int_equal(activity("weigh")->outcome, ORDER_OUTCOME_SKIPPED);
    assert_int_equal(activity("check")->outcome, ORDER_OUTCOME_NOT_APPLICABLE);
    assert_int_equal(activity("insure")->outcome, ORDER_OUTCOME_NOT_APPLICABLE);
    assert_int_equal(activity("mark_as_shipped")->outcome, ORDER_OUTCOME_NOT_APPLICABLE);
}

/* A scan that ships the last parcel: the stage follows when all that is left does not apply. */
static void test_the_stage_advances_past_it(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "pick", 1, "") "," STEP(
                           "CONFIRMED", "chase", 2, WHEN("fulfillmentStatus", "eq", "\"UNFULFILLED\"")) "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_add_shipment(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_scan(&lab, 1, ORDER_SHIPMENT_IN_TRANSIT, 0), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_CONFIRMED);
    assert_int_equal(complete("pick"), REFUSAL_NONE);
    assert_int_equal(activity("chase")->outcome, ORDER_OUTCOME_NOT_APPLICABLE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_SHIPPED);
}

static void test_deadlines_start_when_it_applies(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "pick", 1, "") "," STEP(
                           "CONFIRMED", "pack", 2,
                           ",\"dueIn\":\"PT2H\",\"onDue\":\"skip\"" WHEN("quantity", "gte", "5")) "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(order_timer_next(lab.order).at, 0);
    lab.context.now_ms += HOUR;
    assert_int_equal(complete("pick"), REFUSAL_NONE);
    assert_int_equal(order_timer_next(lab.order).at, lab.context.now_ms + 2 * HOUR);
}

/* ---- one step behind the one that leaves ---- */

static void test_a_step_behind_a_dispatch_is_no_deadlock(void **state)
{
    (void)state;
    lab_workflow(&lab,
                 "[" STEP("CONFIRMED", "dispatch_shipment", 1, "") "," STEP("CONFIRMED", "weigh", 2, "") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_add_shipment(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DISPATCH_SHIPMENT, 1), REFUSAL_STEP_PENDING);
    assert_int_equal(complete("weigh"), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DISPATCH_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab.order->stage, ORDER_STAGE_SHIPPED);
}

/* ---- escalation ---- */

static void test_an_overdue_step_is_escalated(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "review_order", 1,
                                ",\"dueIn\":\"PT1H\",\"onDue\":\"escalate\",\"escalateTo\":\"staff-1\"") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(escalate("", "idle"), REFUSAL_NONE);
    lab.context.now_ms += HOUR;
    assert_int_equal(fire(), ORDER_DECISION_EVENTS);
    assert_int_equal(lab.decision.events[0].step_overdue.on_due, WORKFLOW_DUE_ESCALATE + 1);
    assert_true(activity("review_order")->overdue);
    assert_true(oms_str_eq_c(activity("review_order")->reviewer, "staff-1"));
    assert_int_equal(order_timer_next(lab.order).at, 0);
}

/* ---- SKUs that never come back ---- */

static void test_patterns_bar_returns(void **state)
{
    (void)state;
    lab_workflow(&lab, "{\"steps\":[],\"defaults\":{\"non_returnable_sku_patterns\":[\"^X\",\"A$\"],"
                       "\"allow_partial_return\":false}}");
    lab_bring_to(&lab, ORDER_STAGE_COMPLETED);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_DELIVER_SHIPMENT, 1), REFUSAL_NONE);
    assert_int_equal(lab_return(&lab, 1, 1), REFUSAL_NOT_RETURNABLE);
    assert_string_equal(lab_message(&lab), "SKU A (line 1) is not returnable");
    assert_int_equal(lab_return(&lab, 2, 1), REFUSAL_PARTIAL_RETURN_NOT_ALLOWED);
    assert_int_equal(lab_return(&lab, 2, 2), REFUSAL_NONE); /* what can come back has */
    assert_int_equal(lab_return(&lab, 1, 1), REFUSAL_NOT_RETURNABLE);
}

static void test_nothing_named_means_what_can_come_back(void **state)
{
    struct order_command command = lab_command(ORDER_COMMAND_REQUEST_RETURN);

    (void)state;
    lab_workflow(&lab, "[" STEP("SHIPPED", "request_return", 1,
                                ",\"conditions\":{\"nonReturnableSkuPatterns\":[\"(?i)^a$\"]}") "]");
    lab_bring_to(&lab, ORDER_STAGE_COMPLETED);
    assert_int_equal(lab_run(&lab, &command), REFUSAL_NONE);
    assert_int_equal(lab.order->returns[0].item_count, 1);
    assert_int_equal(lab.order->returns[0].items[0].line, 2);
}

/* ---- another version ---- */

static void test_what_was_done_stays_done(void **state)
{
    (void)state;
    lab_workflow(&lab,
                 "[" STEP("PENDING", "confirm_order", 1, "") "," STEP("CONFIRMED", "pick", 1, "") "," STEP(
                     "CONFIRMED", "weigh", 2, OPTIONAL) "," STEP("CONFIRMED", "pack", 3, "") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(complete("pick"), REFUSAL_NONE);
    assert_int_equal(lab_step(&lab, ORDER_COMMAND_SKIP_ACTIVITY, "weigh"), REFUSAL_NONE);
    target("[" STEP("CONFIRMED", "confirm_order", 1, "") "," STEP("CONFIRMED", "label", 2, OPTIONAL) "," STEP(
        "CONFIRMED", "pick", 3,
        "") "," STEP("CONFIRMED", "weigh", 4,
                     "") "," STEP("CONFIRMED", "insure", 5,
                                  WHEN("finalAmount", "gt", "1000")) "," STEP("CONFIRMED", "pack", 6,
                                                                              "") "]");
    assert_int_equal(migrate(false), REFUSAL_NONE);
    assert_true(lab_has(&lab, ORDER_EVENT_WORKFLOW_MIGRATED));
    assert_int_equal(lab.order->workflow_version, 8);
    assert_int_equal(activity("confirm_order")->outcome, ORDER_OUTCOME_DONE); /* entered long ago */
    assert_int_equal(activity("pick")->outcome, ORDER_OUTCOME_DONE);
    assert_int_equal(activity("weigh")->outcome, ORDER_OUTCOME_WAITING); /* required now */
    assert_true(at("Onlabel"));
    assert_int_equal(complete("weigh"), REFUSAL_NONE);
    assert_int_equal(activity("insure")->outcome, ORDER_OUTCOME_NOT_APPLICABLE);
    assert_true(at("Onpack"));
    assert_int_equal(migrate(false), REFUSAL_NONE);
    assert_int_equal(lab.decision.kind, ORDER_DECISION_NOTHING); /* there already */
}

static void test_a_removed_step_strands(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "fraud", 1, "") "," STEP("CONFIRMED", "pack", 2, "") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    target("[" STEP("PENDING", "fraud", 1, "") "," STEP("CONFIRMED", "pack", 2, "") "]");
    assert_int_equal(migrate(false), REFUSAL_UNEXPECTED_STEP);
    assert_string_equal(
        lab_message(&lab),
        "The order is at step fraud (Onfraud), which version 8 does not have in stage CONFIRMED");
    assert_int_equal(migrate(true), REFUSAL_NONE);
    assert_int_equal(activity("fraud")->outcome, ORDER_OUTCOME_NOT_APPLICABLE);
    assert_true(at("Onpack"));
}

static void test_an_impossible_step_strands(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "pack", 1, "") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(lab_add_shipment(&lab, 0, 0), REFUSAL_NONE);
    assert_int_equal(lab_shipment(&lab, ORDER_COMMAND_CONFIRM_SHIPMENT, 1), REFUSAL_NONE);
    target("[" STEP("CONFIRMED", "add_shipment", 1, "") "," STEP(
        "CONFIRMED", "change_destination", 2, "") "," STEP("CONFIRMED", "pack", 3, "") "]");
    assert_int_equal(migrate(true), REFUSAL_UNEXPECTED_STEP);
    assert_string_equal(lab_message(&lab),
                        "Version 8 requires step change_destination in stage CONFIRMED, but "
                        "changeDestination is no longer possible on this order");
    target("{\"steps\":[],\"defaults\":{\"max_refund_amount\":\"1.005\"}}");
    assert_int_equal(migrate(true), REFUSAL_UNEXPECTED_STEP);
    target("[" STEP("CONFIRMED", "add_shipment", 1, "") "," STEP("CONFIRMED", "pack", 3, "") "]");
    assert_int_equal(migrate(false), REFUSAL_NONE);
    assert_int_equal(activity("add_shipment")->outcome, ORDER_OUTCOME_DONE); /* the order shows it */
}

/* What a step had used of its time is used, also on hold. */
static void test_deadlines_go_along(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "pack", 1, ",\"dueIn\":\"PT10H\"") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    lab.context.now_ms += 4 * HOUR;
    target("[" STEP("CONFIRMED", "pack", 1, ",\"dueIn\":\"PT24H\",\"onDue\":\"skip\"") "]");
    assert_int_equal(migrate(false), REFUSAL_NONE);
    assert_int_equal(order_timer_next(lab.order).at, lab.context.now_ms + 20 * HOUR);
    lab.context.now_ms += 20 * HOUR;
    assert_int_equal(fire(), ORDER_DECISION_EVENTS);
    assert_int_equal(activity("pack")->outcome, ORDER_OUTCOME_SKIPPED);
}

static void test_paused_deadlines_go_along(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "pack", 1, ",\"dueIn\":\"PT10H\"") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    lab.context.now_ms += 4 * HOUR;
    assert_int_equal(lab_hold(&lab, 0, 0), REFUSAL_NONE);
    lab.context.now_ms += 100 * HOUR;
    target("[" STEP("CONFIRMED", "pack", 1, ",\"dueIn\":\"PT5H\",\"onDue\":\"skip\"") "]");
    assert_int_equal(migrate(false), REFUSAL_NONE);
    assert_int_equal(order_timer_next(lab.order).at, 0);
    assert_int_equal(lab_release(&lab, 1), REFUSAL_NONE);
    assert_int_equal(order_timer_next(lab.order).at, lab.context.now_ms + HOUR);
}

static void test_reviews_go_along(void **state)
{
    (void)state;
    lab_workflow(&lab, "[" STEP("CONFIRMED", "review_order", 1, "") "]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    assert_int_equal(escalate("", "boss"), REFUSAL_NONE);
    target("[" STEP("CONFIRMED", "check", 1, "") "," STEP("CONFIRMED", "review_order", 2, "") "]");
    assert_int_equal(migrate(false), REFUSAL_NONE);
    assert_true(oms_str_eq_c(activity("review_order")->reviewer, "boss"));
    assert_true(at("Oncheck"));
}

static void test_who_may_take_along(void **state)
{
    (void)state;
    lab_workflow(&lab, "[]");
    lab_place(&lab, ORDER_STAGE_CONFIRMED);
    target("[" STEP("CONFIRMED", "pack", 1, "") "]");
    lab_as_scoped(&lab, "cust-1", PERMISSION_SCOPE_CUSTOMER, "cust-1", PERMISSION_ALL);
    assert_int_equal(migrate(false), REFUSAL_FORBIDDEN);
    lab_as_staff(&lab, "staff-1");
    lab.context.target = NULL;
    assert_int_equal(migrate(false), REFUSAL_NOT_FOUND);
    assert_int_equal(lab_cancel(&lab), REFUSAL_NONE);
    assert_int_equal(migrate(false), REFUSAL_WRONG_STAGE); /* a finished order stays on what it had */
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_what_can_be_asked),
        T(test_it_is_asked_once),
        T(test_it_sees_the_command_that_came_before),
        T(test_what_does_not_apply_is_passed),
        T(test_the_stage_advances_past_it),
        T(test_deadlines_start_when_it_applies),
        T(test_a_step_behind_a_dispatch_is_no_deadlock),
        T(test_an_overdue_step_is_escalated),
        T(test_patterns_bar_returns),
        T(test_nothing_named_means_what_can_come_back),
        T(test_what_was_done_stays_done),
        T(test_a_removed_step_strands),
        T(test_an_impossible_step_strands),
        T(test_deadlines_go_along),
        T(test_paused_deadlines_go_along),
        T(test_reviews_go_along),
        T(test_who_may_take_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
