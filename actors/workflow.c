/*
 * Reading workflows, durations, and the built-in one; see workflow.h. Built in workflow_build.c.
 */
#include "actors/workflow.h"

#include <stdio.h>

#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

/* Nothing required but what shipping and completion do themselves: imported orders pass without a clerk. */
static const char default_json[] =
    "{\"steps\":["
    "{\"stage\":\"PENDING\",\"stepName\":\"confirm_order\",\"activityStatus\":\"AwaitingConfirmation\","
    "\"sequence\":10},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"review_order\",\"activityStatus\":\"AwaitingReview\","
    "\"sequence\":10,"
    "\"optional\":true},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"pick_and_pack\",\"activityStatus\":\"AwaitingPicking\","
    "\"sequence\":20,"
    "\"optional\":true},"
    "{\"stage\":\"CONFIRMED\",\"stepName\":\"mark_as_shipped\",\"activityStatus\":\"AwaitingShipment\","
    "\"sequence\":30},"
    "{\"stage\":\"SHIPPED\",\"stepName\":\"mark_as_completed\",\"activityStatus\":\"AwaitingCompletion\","
    "\"sequence\":10}],"
    "\"defaults\":{\"days_to_return\":30,\"allow_partial_return\":true,\"auto_approve\":false,"
    "\"restocking_fee_percent\":0}}";

struct oms_str workflow_default_json(void)
{
    return (struct oms_str){default_json, sizeof default_json - 1};
}

/* ---- durations (ISO 8601-1:2019, 5.5.2, without years and months, whose length is not fixed) ---- */

static int64_t unit_ms(char unit, bool time)
{
    if (time)
        return unit == 'H' ? 3600000 : unit == 'M' ? 60000 : unit == 'S' ? 1000 : 0;
    return unit == 'W' ? 7 * 86400000ll : unit == 'D' ? 86400000 : 0;
}

enum oms_status workflow_duration_parse(struct oms_str text, int64_t *out_ms)
{
    int64_t total = 0, number = 0, last = INT64_MAX;
    bool time = false, digits = false, any = false;

    if (text.len < 3 || text.data[0] != 'P')
        return OMS_INVALID;
    for (size_t i = 1; i < text.len; i++) {
        char c = text.data[i];

        if (c >= '0' && c <= '9') {
            digits = true;
            number = number * 10 + (c - '0');
            if (number > OMS_WORKFLOW_DUE_MAX_MS / 1000)
                return OMS_LIMIT;
        } else if (c == 'T' && !time && !digits && i + 1 < text.len) {
            time = true;
        } else {
            int64_t unit = unit_ms(c, time);

            /* Units fall, each at most once. */
            if (!digits || !unit || unit >= last)
                return OMS_INVALID;
            total += number * unit;
            last = unit;
            number = 0;
            digits = false;
            any = true;
        }
        if (total > OMS_WORKFLOW_DUE_MAX_MS)
            return OMS_LIMIT;
    }
    if (digits || !any)
        return OMS_INVALID;
    *out_ms = total;
    return OMS_OK;
}

void workflow_duration_text(int64_t ms, char out[32])
{
    static const struct {
        int64_t ms;
        char unit;
    } days[] = {{7 * 86400000ll, 'W'}, {86400000, 'D'}},
      times[] = {{3600000, 'H'}, {60000, 'M'}, {1000, 'S'}};
    size_t len = (size_t)snprintf(out, 32, "P");

    for (size_t i = 0; i < OMS_COUNT_OF(days); i++)
        if (ms >= days[i].ms) {
            len +=
                (size_t)snprintf(out + len, 32 - len, "%lld%c", (long long)(ms / days[i].ms), days[i].unit);
            ms %= days[i].ms;
        }
    if (ms)
        len += (size_t)snprintf(out + len, 32 - len, "T");
    for (size_t i = 0; i < OMS_COUNT_OF(times); i++)
        if (ms >= times[i].ms) {
            len +=
                (size_t)snprintf(out + len, 32 - len, "%lld%c", (long long)(ms / times[i].ms), times[i].unit);
            ms %= times[i].ms;
        }
}

/* ---- commands and stages ---- */

#define STAGE(name)  (1u << ORDER_STAGE_##name)
#define LIVE_STAGES  (STAGE(DRAFT) | STAGE(PENDING) | STAGE(CONFIRMED) | STAGE(SHIPPED))
#define AFTER_STAGES (STAGE(SHIPPED) | STAGE(COMPLETED))
#define SHIP_STAGES  (STAGE(CONFIRMED) | STAGE(SHIPPED) | STAGE(COMPLETED))

unsigned workflow_command_stages(enum order_command_type command)
{
    switch (command) {
    case ORDER_COMMAND_CREATE_ORDER:
        return STAGE(DRAFT) | STAGE(PENDING) | STAGE(CONFIRMED);
    case ORDER_COMMAND_ADD_LINE_ITEM:
    case ORDER_COMMAND_REMOVE_LINE_ITEM:
    case ORDER_COMMAND_CHANGE_QUANTITY:
        return STAGE(DRAFT) | STAGE(PENDING);
    case ORDER_COMMAND_CHANGE_DESTINATION:
        return STAGE(DRAFT) | STAGE(PENDING) | STAGE(CONFIRMED);
    case ORDER_COMMAND_PLACE_ORDER:
        return STAGE(DRAFT) | STAGE(PENDING);
    case ORDER_COMMAND_CONFIRM_ORDER:
        return STAGE(PENDING) | STAGE(CONFIRMED);
    case ORDER_COMMAND_CANCEL_LINE_ITEMS:
        return STAGE(PENDING) | STAGE(CONFIRMED);
    case ORDER_COMMAND_ADD_SHIPMENT:
    case ORDER_COMMAND_CONFIRM_SHIPMENT:
    case ORDER_COMMAND_DISPATCH_SHIPMENT:
    case ORDER_COMMAND_DELIVER_SHIPMENT:
    case ORDER_COMMAND_CANCEL_SHIPMENT:
    case ORDER_COMMAND_FAIL_SHIPMENT:
    case ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE:
        return SHIP_STAGES;
    case ORDER_COMMAND_MARK_AS_SHIPPED:
        return STAGE(CONFIRMED) | STAGE(SHIPPED);
    case ORDER_COMMAND_MARK_AS_COMPLETED:
    case ORDER_COMMAND_REQUEST_RETURN:
    case ORDER_COMMAND_APPROVE_RETURN:
    case ORDER_COMMAND_REJECT_RETURN:
    case ORDER_COMMAND_RECEIVE_RETURN:
    case ORDER_COMMAND_CANCEL_RETURN:
        return AFTER_STAGES;
    case ORDER_COMMAND_PROCESS_REFUND:
    case ORDER_COMMAND_RECORD_PAYMENT:
    case ORDER_COMMAND_ADD_NOTE:
        return LIVE_STAGES | STAGE(COMPLETED);
    case ORDER_COMMAND_ESCALATE_REVIEWER:
    case ORDER_COMMAND_REVIEW_ORDER:
        return LIVE_STAGES;
    default:
        return 0;
    }
}

enum order_command_type workflow_leaving_command(enum order_stage stage)
{
    switch (stage) {
    case ORDER_STAGE_DRAFT:
        return ORDER_COMMAND_PLACE_ORDER;
    case ORDER_STAGE_PENDING:
        return ORDER_COMMAND_CONFIRM_ORDER;
    case ORDER_STAGE_CONFIRMED:
        return ORDER_COMMAND_MARK_AS_SHIPPED;
    case ORDER_STAGE_SHIPPED:
        return ORDER_COMMAND_MARK_AS_COMPLETED;
    case ORDER_STAGE_NONE:
    case ORDER_STAGE_COMPLETED:
    case ORDER_STAGE_CANCELLED:
    case ORDER_STAGE_COUNT:
        break;
    }
    return ORDER_COMMAND_NONE;
}

/* ---- reading ---- */

const struct workflow_step *workflow_find_step(const struct workflow *workflow, struct oms_str name)
{
    for (size_t i = 0; workflow && i < workflow->step_count; i++)
        if (oms_str_eq(workflow->steps[i].name, name))
            return &workflow->steps[i];
    return NULL;
}

const struct workflow_step *workflow_command_step(const struct workflow *workflow,
                                                  enum order_command_type command)
{
    for (size_t i = 0; workflow && i < workflow->step_count; i++)
        if (workflow->steps[i].command == command)
            return &workflow->steps[i];
    return NULL;
}

const struct workflow_conditions *workflow_conditions_of(const struct workflow *workflow,
                                                         enum order_command_type command)
{
    static const struct workflow_conditions none = {0};
    const struct workflow_step *step = workflow_command_step(workflow, command);

    if (step)
        return &step->conditions;
    return workflow ? &workflow->defaults : &none;
}
