/* Workflows from data: what is built, and that a fault is named with its step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/workflow.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"

static struct oms_arena arena;

static int set_up(void **state)
{
    (void)state;
    oms_arena_init(&arena, 4096, 4 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    oms_arena_fini(&arena);
    return 0;
}

#define STEP(stage, name, sequence, more)                                                                    \
    "{\"stage\":\"" stage "\",\"stepName\":\"" name "\",\"sequence\":" sequence more "}"

static enum oms_status build(const char *json, struct workflow *out, struct oms_error *error)
{
    return workflow_build_json(oms_str_of(json), 3, &arena, out, error);
}

static void the_built_in_workflow_blocks_nothing(void **state)
{
    struct oms_error error = {OMS_OK, ""};
    struct workflow workflow;

    (void)state;
    assert_int_equal(workflow_build_json(workflow_default_json(), 1, &arena, &workflow, &error), OMS_OK);
    assert_true(workflow.step_count >= 3);
    for (size_t i = 0; i < workflow.step_count; i++)
        assert_true(workflow.steps[i].optional || workflow.steps[i].command == ORDER_COMMAND_CONFIRM_ORDER ||
                    workflow.steps[i].command == ORDER_COMMAND_MARK_AS_SHIPPED ||
                    workflow.steps[i].command == ORDER_COMMAND_MARK_AS_COMPLETED);
    assert_true(workflow.defaults.has_days_to_return);
    assert_int_equal(workflow.defaults.days_to_return, 30);
}

static void fields_are_read(void **state)
{
    struct workflow w;
    const struct workflow_step *step;

    (void)state;
    assert_int_equal(build(
                         "{\"steps\":[" STEP(
                             "CONFIRMED", "pick", "5",
                             ",\"activityStatus\":\"Picking\",\"optional\":true,\"role\":\"picker\","
                             "\"dueIn\":\"PT48H\","
                             "\"onDue\":\"escalate\",\"onReject\":\"cancel\"") "," STEP("CONFIRMED",
                                                                                        "review_order", "6",
                                                                                        ",\"on_reject\":"
                                                                                        "\"retry:pick\"") "," STEP("CONFIRMED",
                                                                                                                   "markAsShipped",
                                                                                                                   "7",
                                                                                                                   "") "," STEP("COMPLETED",
                                                                                                                                "request_return",
                                                                                                                                "1",
                                                                                                                                ",\"conditions\":{\"days_to_return\":14,\"allow_partial_return\":false}") "],"
                                                                                                                                                                                                          "\"defaults\":{\"days_to_return\":60,\"auto_approve\":true,\"restocking_fee_percent\":\"12.5\","
                                                                                                                                                                                                          "\"max_refund_amount\":100,\"complete_requires\":\"delivered\"}}",
                         &w, NULL),
                     OMS_OK);
    assert_int_equal(w.version, 3);
    assert_int_equal(w.step_count, 4);
    step = &w.steps[0];
    assert_true(oms_str_eq_c(step->name, "pick") && oms_str_eq_c(step->activity_status, "Picking"));
    assert_true(oms_str_eq_c(step->role, "picker") && step->optional && !step->conditions_only);
    assert_int_equal(step->command, ORDER_COMMAND_NONE);
    assert_int_equal(step->due_in_ms, 48 * 3600 * 1000);
    assert_int_equal(step->on_due, WORKFLOW_DUE_ESCALATE);
    assert_int_equal(step->on_reject, WORKFLOW_REJECT_CANCEL);
    assert_int_equal(w.steps[1].on_reject, WORKFLOW_REJECT_RETRY);
    assert_int_equal(w.steps[1].retry_step, 0);
    assert_int_equal(w.steps[2].command, ORDER_COMMAND_MARK_AS_SHIPPED);
    assert_true(oms_str_eq(w.steps[2].activity_status, w.steps[2].name));
    assert_int_equal(w.defaults.restocking_fee, 125000);
    assert_true(oms_str_eq_c(w.defaults.max_refund_amount, "100") && w.defaults.complete_requires_delivered);
    assert_ptr_equal(workflow_find_step(&w, OMS_STR("pick")), step);
    assert_null(workflow_find_step(&w, OMS_STR("pack")));
}

static void a_steps_conditions_lie_over_the_defaults(void **state)
{
    const struct workflow_conditions *returns, *refunds;
    struct workflow w;

    (void)state;
    assert_int_equal(build("{\"steps\":[" STEP(
                               "SHIPPED", "request_return", "1",
                               ",\"conditions\":{\"days_to_return\":14}") "],"
                                                                          "\"defaults\":{\"days_to_return\":"
                                                                          "60,\"auto_approve\":true}}",
                           &w, NULL),
                     OMS_OK);
    returns = workflow_conditions_of(&w, ORDER_COMMAND_REQUEST_RETURN);
    refunds = workflow_conditions_of(&w, ORDER_COMMAND_PROCESS_REFUND);
    assert_int_equal(returns->days_to_return, 14);
    assert_true(returns->auto_approve);
    assert_int_equal(refunds->days_to_return, 60);
    assert_true(w.steps[0].conditions_only);
    assert_false(workflow_conditions_of(NULL, ORDER_COMMAND_REQUEST_RETURN)->has_days_to_return);
}

static void faults_name_the_step(void **state)
{
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"7", "steps must be a list"},
        {"{}", "steps is missing"},
        {"{\"steps\":[],\"x\":1}", "unknown key 'x'"},
        {"[1]", "step 1 '?': a step must be an object"},
        {"[{\"stepName\":\"a\",\"sequence\":1}]", "step 1 'a': stage is missing"},
        {"[{\"stage\":\"CONFIRMED\",\"sequence\":1}]", "stepName is missing"},
        {"[" STEP("CONFIRMD", "a", "1", "") "]", "stage must be"},
        {"[" STEP("CANCELLED", "a", "1", "") "]", "a cancelled order has no steps"},
        {"[" STEP("SHIPPED", "a", "1", "") "," STEP("CONFIRMED", "b", "1", "") "]",
         "step 2 'b': stage CONFIRMED comes after"},
        {"[" STEP("SHIPPED", "a", "2", "") "," STEP("SHIPPED", "b", "2", "") "]",
         "sequence 2 does not follow 2"},
        {"[" STEP("SHIPPED", "a", "1", "") "," STEP("SHIPPED", "a", "2", "") "]",
         "there is such a step already"},
        {"[" STEP("SHIPPED", "a", "-1", "") "]", "sequence must be"},
        {"[" STEP("SHIPPED", "a", "1.5", "") "]", "sequence must be"},
        {"[" STEP("SHIPPED", "", "1", "") "]", "stepName must have"},
        {"[" STEP("DRAFT", "mark_as_shipped", "1", "") "]",
         "mark_as_shipped cannot be performed in stage DRAFT"},
        {"[" STEP("CONFIRMED", "cancel_order", "1", "") "]", "cancel_order needs no step"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"optionl\":true") "]", "did you mean 'optional'?"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"optional\":1") "]", "optional must be true or false"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"onDue\":\"skip\"") "]", "onDue needs dueIn"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"dueIn\":\"2 days\"") "]", "ISO 8601"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"dueIn\":\"P1D\",\"onDue\":\"skp\"") "]", "did you mean 'skip'?"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"onReject\":\"retry:b\"") "]", "no step 'b'"},
        {"[" STEP("PENDING", "b", "1", "") "," STEP("CONFIRMED", "a", "1", ",\"onReject\":\"retry:b\"") "]",
         "cannot go back to stage PENDING"},
        {"[" STEP("SHIPPED", "request_return", "1", ",\"dueIn\":\"P1D\"") "]", "conditions and role only"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"when\":[{\"field\":\"x\"}]") "]", "when is not supported yet"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"conditions\":{\"days_to_retrun\":1}") "]",
         "did you mean 'days_to_return'?"},
        {"{\"steps\":[],\"defaults\":{\"restocking_fee_percent\":101}}", "defaults: restocking_fee_percent"},
        {"{\"steps\":[],\"defaults\":{\"max_refund_amount\":\"-1\"}}", "defaults: max_refund_amount"},
        {"{\"steps\":[],\"defaults\":{\"non_returnable_sku_patterns\":[\"^G\"]}}", "not supported yet"},
        {"{\"steps\":[]", "line 1, column"},
    };

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        struct oms_error error = {OMS_OK, ""};
        struct workflow w;

        assert_int_equal(build(bad[i].json, &w, &error), OMS_INVALID);
        if (!strstr(error.message, bad[i].says))
            print_error("%s\n  says: %s\n", bad[i].json, error.message);
        assert_non_null(strstr(error.message, bad[i].says));
    }
}

static void the_number_of_steps_is_bounded(void **state)
{
    static char json[OMS_WORKFLOW_STEPS_MAX * 100 + 200];
    struct oms_error error = {OMS_OK, ""};
    struct workflow w;
    size_t len = 1;

    (void)state;
    json[0] = '[';
    for (int i = 0; i <= OMS_WORKFLOW_STEPS_MAX; i++)
        len += (size_t)snprintf(json + len, sizeof json - len,
                                "%s{\"stage\":\"CONFIRMED\",\"stepName\":\"s%d\",\"sequence\":%d}",
                                i ? "," : "", i, i);
    snprintf(json + len, sizeof json - len, "]");
    assert_int_equal(build(json, &w, &error), OMS_LIMIT);
}

static void durations(void **state)
{
    static const char *const bad[] = {
        "",       "P",      "PT",   "48H",    "PT48", "P1Y",    "P1M",
        "PT1H1H", "PT1M1H", "P-1D", "PT0.5S", "P1DT", "P1W2DT", "P999999999D",
        "P367D",  "PTT1H",  "P1H",  "PT1D",   "pt1h", "P1D ",   "PT9999999999999999999S"};
    int64_t ms;

    (void)state;
    assert_int_equal(workflow_duration_parse(OMS_STR("PT48H"), &ms), OMS_OK);
    assert_int_equal(ms, 172800000);
    assert_int_equal(workflow_duration_parse(OMS_STR("P1DT2H3M4S"), &ms), OMS_OK);
    assert_int_equal(ms, 93784000);
    assert_int_equal(workflow_duration_parse(OMS_STR("P2W"), &ms), OMS_OK);
    assert_int_equal(ms, 14 * 86400000);
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++)
        assert_int_not_equal(workflow_duration_parse(oms_str_of(bad[i]), &ms), OMS_OK);
}

static void its_source_builds_it_again(void **state)
{
    struct workflow first, second;

    (void)state;
    assert_int_equal(workflow_build_json(workflow_default_json(), 1, &arena, &first, NULL), OMS_OK);
    assert_int_equal(workflow_build_json(first.source, 1, &arena, &second, NULL), OMS_OK);
    assert_true(oms_str_eq(first.source, second.source));
    assert_int_equal(first.step_count, second.step_count);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_built_in_workflow_blocks_nothing),
        TEST(fields_are_read),
        TEST(a_steps_conditions_lie_over_the_defaults),
        TEST(faults_name_the_step),
        TEST(the_number_of_steps_is_bounded),
        TEST(durations),
        TEST(its_source_builds_it_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
