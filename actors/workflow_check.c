/*
 * Rules about a workflow as a whole, for new versions only: required steps at which every order would stay.
 *
 * A step by itself was judged when it was read. Here stand the faults that only show beside others: a command
 * that its own step keeps from being possible, and conditions that contradict one another.
 */
#include <stdarg.h>
#include <stdio.h>

#include "actors/workflow.h"
#include "runtime/base/limits.h"

struct check {
    const struct workflow *workflow;
    const char *prefix;
    bool bare;
    struct refusal_list *refusals;
};

static OMS_PRINTF(4, 5) void fault(const struct check *check, size_t index, const char *key,
                                   const char *format, ...)
{
    const struct workflow_step *step = &check->workflow->steps[index];
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    refusal_add(
        check->refusals, REFUSAL_INVALID,
        refusal_field(check->refusals, "%s%s%zu.%s", check->prefix, check->bare ? "" : "steps.", index, key),
        "step %zu '%.*s': %s", index + 1, OMS_STR_ARG(step->name), text);
}

/*
 * Nothing can be delivered, or fail, before it has left; and it does not leave while a required step of
 * CONFIRMED waits. Only a carrier's scan would help.
 */
static void check_possible(const struct check *check, size_t index)
{
    const struct workflow_step *step = &check->workflow->steps[index];
    bool after_leaving =
        step->command == ORDER_COMMAND_DELIVER_SHIPMENT || step->command == ORDER_COMMAND_FAIL_SHIPMENT;

    if (step->optional || step->conditions_only)
        return;
    if (step->stage == ORDER_STAGE_CONFIRMED && after_leaving)
        fault(check, index, "stepName",
              "a required step that no command can complete: nothing leaves while it waits, so %s is never "
              "possible in stage CONFIRMED; move it to SHIPPED, or make it optional",
              order_command_info(step->command)->word);
}

static bool empty_range(const struct workflow_when *low, const struct workflow_when *high)
{
    bool above = low->op == WORKFLOW_OP_GT || low->op == WORKFLOW_OP_GTE;
    bool below = high->op == WORKFLOW_OP_LT || high->op == WORKFLOW_OP_LTE;
    bool touching = low->op == WORKFLOW_OP_GTE && high->op == WORKFLOW_OP_LTE;

    if (low->fact != high->fact || !above || !below)
        return false;
    return low->numbers[0] > high->numbers[0] || (low->numbers[0] == high->numbers[0] && !touching);
}

/* Two conditions of which one excludes the other: the step would never be waited for. */
static void check_reachable(const struct check *check, size_t index)
{
    const struct workflow_step *step = &check->workflow->steps[index];

    for (size_t a = 0; a < step->when_count; a++)
        for (size_t b = 0; b < step->when_count; b++) {
            const struct workflow_when *left = &step->when[a], *right = &step->when[b];
            enum workflow_fact_kind kind = workflow_fact_kind(left->fact);
            bool numbers = kind == WORKFLOW_KIND_AMOUNT || kind == WORKFLOW_KIND_NUMBER;

            if ((numbers && empty_range(left, right)) ||
                (kind == WORKFLOW_KIND_FLAG && a < b && left->fact == right->fact &&
                 (left->flag == right->flag) != (left->op == right->op))) {
                fault(check, index, "when",
                      "the step can never be reached: its conditions %zu and %zu exclude one another", a + 1,
                      b + 1);
                return;
            }
        }
}

void workflow_check(const struct workflow *workflow, const char *prefix, bool bare,
                    struct refusal_list *refusals)
{
    struct check check = {workflow, prefix, bare, refusals};

    for (size_t i = 0; i < workflow->step_count; i++) {
        check_possible(&check, i);
        check_reachable(&check, i);
    }
}
