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
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/value.h"

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

#define WHEN(field, op, value) ",\"when\":[{\"field\":\"" field "\",\"op\":\"" op "\",\"value\":" value "}]"

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
    assert_int_equal(
        build(
            "{\"steps\":[" STEP(
                "CONFIRMED", "pick", "5",
                ",\"activityStatus\":\"Picking\",\"optional\":true,\"role\":\"picker\","
                "\"dueIn\":\"PT48H\","
                "\"onDue\":\"escalate\",\"onReject\":\"cancel\"") "," STEP("CONFIRMED", "review_order", "6",
                                                                           ",\"on_reject\":"
                                                                           "\"retry:pick\"") "," STEP("CONFIR"
                                                                                                      "MED",
                                                                                                      "markAs"
                                                                                                      "Shippe"
                                                                                                      "d",
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
        {"[" STEP("CONFIRMED", "a", "1", ",\"when\":[{\"field\":\"x\"}]") "]",
         "step 1 'a': when: unknown field 'x'"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"when\":{}") "]", "when must be a list"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"when\":[7]") "]", "a condition must be an object"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("finalAmont", "gt", "1")) "]", "did you mean 'finalAmount'?"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("finalAmount", "above", "1")) "]", "unknown op 'above'"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("finalAmount", "matches", "1")) "]",
         "finalAmount cannot be asked with matches, only with eq, ne, gt, gte, lt, lte, in, not_in"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("finalAmount", "gt", "\"much\"")) "]",
         "a decimal of at least 0"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("finalAmount", "gt", "0.00001")) "]", "at most 4 digits"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("lineCount", "gt", "1.5")) "]", "a whole number"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("currency", "eq", "\"XYZ\"")) "]", "no currency"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("country", "eq", "\"Atlantis\"")) "]", "is no country"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("paymentStatus", "eq", "\"DONE\"")) "]", "is no paymentStatus"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("onHold", "eq", "\"yes\"")) "]", "with true or false"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("sku", "in", "\"A\"")) "]", "in needs a list"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("sku", "in", "[]")) "]", "in needs a list"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("sku", "matches", "\"A(\"")) "]", "is wrong at character 3"},
        {"[" STEP("CONFIRMED", "a", "1", WHEN("sku", "eq", "null")) "]", "value is missing"},
        {"[" STEP(
             "CONFIRMED", "a", "1",
             ",\"when\":[{\"field\":\"finalAmount\",\"op\":\"gt\",\"value\":5},{\"field\":\"finalAmount\","
             "\"op\":\"lt\",\"value\":5}]") "]",
         "can never be reached"},
        {"[" STEP("CONFIRMED", "a", "1",
                  ",\"when\":[{\"field\":\"onHold\",\"op\":\"eq\",\"value\":true},{\"field\":\"onHold\","
                  "\"op\":\"ne\",\"value\":true}]") "]",
         "can never be reached"},
        {"[" STEP("CONFIRMED", "deliver_shipment", "1", "") "]",
         "a required step that no command can complete"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"onReject\":\"retry:b\"") "," STEP(
             "CONFIRMED", "b", "2", ",\"onReject\":\"retry:a\"") "]",
         "a cycle of retries"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"onReject\":\"retry\"") "]", "retry needs a step"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"onReject\":\"retyr:a\"") "]", "unknown onReject"},
        {"[" STEP("SHIPPED", "request_return", "1", ",\"optional\":false") "]", "never required"},
        {"[" STEP("SHIPPED", "request_return", "1", WHEN("lineCount", "gt", "1")) "]",
         "conditions and role only"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"conditions\":{\"days_to_return\":1}") "]",
         "days_to_return is a condition of the step request_return"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"dueIn\":\"P1D\",\"escalateTo\":\"b\"") "]",
         "escalateTo needs onDue: escalate"},
        {"[" STEP("CONFIRMED", "a\\n", "1", "") "]", "control character"},
        {"[" STEP("CONFIRMED", "a", "1", ",\"conditions\":{\"days_to_retrun\":1}") "]",
         "did you mean 'days_to_return'?"},
        {"{\"steps\":[],\"defaults\":{\"restocking_fee_percent\":101}}", "defaults: restocking_fee_percent"},
        {"{\"steps\":[],\"defaults\":{\"max_refund_amount\":\"-1\"}}", "defaults: max_refund_amount"},
        {"{\"steps\":[],\"defaults\":{\"non_returnable_sku_patterns\":\"^G\"}}", "must be a list"},
        {"{\"steps\":[],\"defaults\":{\"non_returnable_sku_patterns\":[\"^G\",\"[\"]}}",
         "the pattern '[' is wrong at character"},
        {"{\"steps\":[],\"defaults\":{\"non_returnable_sku_patterns\":[7]}}", "a pattern must be a string"},
        {"{\"steps\":[],\"defaults\":{\"non_returnable_sku_patterns\":[\"(a+)+$\"]}}", "make it simpler"},
        {"{\"steps\":[],\"defaults\":7}", "defaults must be an object"},
        {"{\"steps\":[],\"defaults\":{\"auto_approve\":true,\"autoApprove\":true}}", "given twice"},
        {"{\"steps\":[]", "line 1, column"},
    };

    (void)state;
    for (size_t i = 0; i < OMS_COUNT_OF(bad); i++) {
        struct oms_error error = {OMS_OK, ""};
        struct workflow w;

        if (build(bad[i].json, &w, &error) != OMS_INVALID)
            fail_msg("%s\n  is taken", bad[i].json);
        if (!strstr(error.message, bad[i].says))
            print_error("%s\n  says: %s\n", bad[i].json, error.message);
        assert_non_null(strstr(error.message, bad[i].says));
    }
}

/* Everything that is wrong is told at once, each with the path of its value. */
static void all_faults_have_paths(void **state)
{
    static const struct {
        const char *field, *says;
    } wanted[] = {
        {"workflow.defaults.days_to_return", "defaults: days_to_return must be"},
        {"workflow.steps.0.stage", "stage must be"},
        {"workflow.steps.1.dueIn", "step 2 'b': dueIn must be"},
        {"workflow.steps.1.when.1.value", "step 2 'b': when: 'nowhere' is no country"},
        {"workflow.steps.1.conditions.x", "unknown condition 'x'"},
        {"workflow.steps.2", "a step must be an object"},
        {"workflow.steps.3.step_name", "there is such a step already (step 2)"},
        {"workflow.extra", "unknown key 'extra'"},
    };
    const char *json =
        "{\"defaults\":{\"days_to_return\":-1},\"steps\":["
        "{\"stage\":\"NOW\",\"stepName\":\"a\",\"sequence\":1},"
        "{\"stage\":\"PENDING\",\"stepName\":\"b\",\"sequence\":1,\"dueIn\":\"soon\",\"when\":["
        "{\"field\":\"lineCount\",\"op\":\"gt\",\"value\":1},"
        "{\"field\":\"country\",\"op\":\"eq\",\"value\":\"nowhere\"}],\"conditions\":{\"x\":1}},"
        "7,"
        "{\"stage\":\"CONFIRMED\",\"step_name\":\"b\",\"sequence\":1}],\"extra\":0}";
    struct oms_json_error fault;
    struct refusal_list refusals;
    struct oms_value value;
    struct workflow w;

    (void)state;
    refusal_list_init(&refusals, &arena);
    assert_int_equal(oms_json_parse(oms_str_of(json), 16, &arena, &value, &fault), OMS_OK);
    assert_false(workflow_build_new(&value, 1, "workflow.", &arena, &w, &refusals));
    assert_int_equal(refusals.count, OMS_COUNT_OF(wanted));
    for (size_t k = 0; k < OMS_COUNT_OF(wanted); k++) {
        bool found = false;

        for (size_t i = 0; i < refusals.count; i++)
            found = found || (oms_str_eq_c(refusals.items[i].field, wanted[k].field) &&
                              strstr(oms_str_copy(&arena, refusals.items[i].message).data, wanted[k].says));
        if (!found)
            print_error("%s\n", wanted[k].field);
        assert_true(found);
    }
}

/* A rule that came later does not make a stored version unreadable. */
static void stored_versions_are_taken_as_they_are(void **state)
{
    const char *json = "[" STEP("CONFIRMED", "deliver_shipment", "1", "") "]";
    struct workflow w;

    (void)state;
    assert_int_equal(build(json, &w, NULL), OMS_INVALID);
    assert_int_equal(workflow_build_stored(oms_str_of(json), 2, &arena, &w), OMS_OK);
    assert_int_equal(w.step_count, 1);
}

static void workflows_are_drawn(void **state)
{
    struct workflow w;
    struct oms_buf out;

    (void)state;
    assert_int_equal(
        build(
            "[" STEP(
                "CONFIRMED", "pick \\\"it\\\"]", "1",
                ",\"role\":\"picker\",\"dueIn\":\"P9DT1H\",\"onDue\":\"skip\"") "," STEP("CONFIRMED",
                                                                                         "review_order", "2",
                                                                                         ",\"optional\":true,"
                                                                                         "\"onReject\":"
                                                                                         "\"retry:pick "
                                                                                         "\\\"it\\\"]\"") "]",
            &w, NULL),
        OMS_OK);
    oms_buf_init(&out, 1 << 16);
    workflow_draw(&w, WORKFLOW_MERMAID, &out);
    oms_buf_append_char(&out, '\0');
    assert_non_null(strstr(out.data, "flowchart TD\n"));
    assert_non_null(strstr(out.data, "s1[\"pick #34;it#34;#93;<br/>role: picker<br/>due: P1W2DT1H, skip\"]"));
    assert_non_null(strstr(out.data, "s2([\"review_order\"])"));
    assert_non_null(strstr(out.data, "s2 -. rejected .-> s1"));
    assert_non_null(strstr(out.data, "e3 --> s1\n  s1 --> s2\n  s2 --> e4"));
    oms_buf_reset(&out);
    workflow_draw(&w, WORKFLOW_DOT, &out);
    oms_buf_append_char(&out, '\0');
    assert_non_null(strstr(out.data, "digraph workflow {"));
    assert_non_null(strstr(out.data, "s1 [label=\"pick &#34;it&#34;&#93;\\nrole: picker"));
    assert_non_null(strstr(out.data, "s2 -> s1 [label=\"rejected\", style=dashed];"));
    oms_buf_fini(&out);
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
        TEST(all_faults_have_paths),
        TEST(stored_versions_are_taken_as_they_are),
        TEST(workflows_are_drawn),
        TEST(the_number_of_steps_is_bounded),
        TEST(durations),
        TEST(its_source_builds_it_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
