/*
 * The rules that a command must pass before its input is looked at: access, stage, holds, steps, and whether
 * there is anything to act on. One row per command; order_decide and order_available_actions walk the same
 * rows.
 */
#include <stdio.h>

#include "actors/order_internal.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define IN(stage)     (1u << ORDER_STAGE_##stage)
#define BEFORE_LEAVE  (IN(DRAFT) | IN(PENDING))
#define LIVE          (IN(DRAFT) | IN(PENDING) | IN(CONFIRMED) | IN(SHIPPED))
#define ANY           (LIVE | IN(COMPLETED) | IN(CANCELLED))
#define HAS_SHIPMENTS (IN(CONFIRMED) | IN(SHIPPED) | IN(COMPLETED))

static const struct order_rule rules[ORDER_COMMAND_COUNT] = {
    [ORDER_COMMAND_CREATE_ORDER] = {ANY, false, false, NULL, order_decide_create},
    [ORDER_COMMAND_ADD_LINE_ITEM] = {BEFORE_LEAVE, true, false, NULL, order_decide_add_lines},
    [ORDER_COMMAND_REMOVE_LINE_ITEM] = {BEFORE_LEAVE, true, false, NULL, order_decide_remove_lines},
    [ORDER_COMMAND_CHANGE_QUANTITY] = {BEFORE_LEAVE, true, false, NULL, order_decide_change_quantity},
    [ORDER_COMMAND_CHANGE_DESTINATION] = {LIVE, true, false, order_ready_edit_destination,
                                          order_decide_change_destination},
    [ORDER_COMMAND_PLACE_ORDER] = {IN(DRAFT), true, false, order_ready_place, order_decide_place},
    [ORDER_COMMAND_CONFIRM_ORDER] = {IN(PENDING), true, false, NULL, order_decide_confirm},
    [ORDER_COMMAND_CANCEL_LINE_ITEMS] = {IN(PENDING) | IN(CONFIRMED), false, false, order_ready_cancel_lines,
                                         order_decide_cancel_lines},
    [ORDER_COMMAND_ADD_SHIPMENT] = {IN(CONFIRMED) | IN(SHIPPED), false, false, order_ready_add_shipment,
                                    order_decide_add_shipment},
    [ORDER_COMMAND_CONFIRM_SHIPMENT] = {IN(CONFIRMED) | IN(SHIPPED), false, false,
                                        order_ready_confirm_shipment, order_decide_confirm_shipment},
    [ORDER_COMMAND_DISPATCH_SHIPMENT] = {IN(CONFIRMED) | IN(SHIPPED), false, false,
                                         order_ready_dispatch_shipment, order_decide_dispatch_shipment},
    [ORDER_COMMAND_DELIVER_SHIPMENT] = {HAS_SHIPMENTS, false, false, order_ready_deliver_shipment,
                                        order_decide_deliver_shipment},
    [ORDER_COMMAND_CANCEL_SHIPMENT] = {HAS_SHIPMENTS, false, false, order_ready_cancel_shipment,
                                       order_decide_cancel_shipment},
    [ORDER_COMMAND_FAIL_SHIPMENT] = {HAS_SHIPMENTS, false, false, order_ready_fail_shipment,
                                     order_decide_fail_shipment},
    [ORDER_COMMAND_MARK_AS_SHIPPED] = {IN(CONFIRMED), false, false, order_ready_mark_shipped,
                                       order_decide_mark_shipped},
    [ORDER_COMMAND_ADD_SHIPPING_TRACKING_REFERENCE] = {HAS_SHIPMENTS, false, false, order_ready_tracking,
                                                       order_decide_tracking},
    [ORDER_COMMAND_RECORD_PAYMENT] = {ANY, false, true, NULL, order_decide_payment},
    [ORDER_COMMAND_MARK_AS_COMPLETED] = {IN(SHIPPED), true, false, order_ready_complete,
                                         order_decide_complete},
    [ORDER_COMMAND_CANCEL_ORDER] = {IN(PENDING) | IN(CONFIRMED), true, false, order_ready_cancel_order,
                                    order_decide_cancel_order},
    [ORDER_COMMAND_REQUEST_RETURN] = {HAS_SHIPMENTS, false, false, order_ready_request_return,
                                      order_decide_request_return},
    [ORDER_COMMAND_APPROVE_RETURN] = {HAS_SHIPMENTS, false, false, order_ready_approve_return,
                                      order_decide_approve_return},
    [ORDER_COMMAND_REJECT_RETURN] = {HAS_SHIPMENTS, false, false, order_ready_approve_return,
                                     order_decide_reject_return},
    [ORDER_COMMAND_RECEIVE_RETURN] = {HAS_SHIPMENTS, false, false, order_ready_receive_return,
                                      order_decide_receive_return},
    [ORDER_COMMAND_CANCEL_RETURN] = {HAS_SHIPMENTS, false, false, order_ready_cancel_return,
                                     order_decide_cancel_return},
    [ORDER_COMMAND_PROCESS_REFUND] = {ANY & ~IN(DRAFT), false, true, order_ready_refund, order_decide_refund},
    [ORDER_COMMAND_ESCALATE_REVIEWER] = {LIVE | IN(COMPLETED), false, false, order_ready_escalate,
                                         order_decide_escalate},
    [ORDER_COMMAND_REVIEW_ORDER] = {LIVE | IN(COMPLETED), false, false, order_ready_review,
                                    order_decide_review},
    [ORDER_COMMAND_COMPLETE_ACTIVITY] = {LIVE | IN(COMPLETED), false, false, order_ready_activity,
                                         order_decide_complete_activity},
    [ORDER_COMMAND_SKIP_ACTIVITY] = {LIVE | IN(COMPLETED), false, false, order_ready_skip,
                                     order_decide_skip_activity},
    [ORDER_COMMAND_PLACE_HOLD] = {LIVE, false, false, NULL, order_decide_place_hold},
    [ORDER_COMMAND_RELEASE_HOLD] = {LIVE, false, false, order_ready_release_hold, order_decide_release_hold},
    [ORDER_COMMAND_ADD_NOTE] = {ANY, false, false, NULL, order_decide_add_note},
    [ORDER_COMMAND_EXPIRE_HOLD] = {ANY, false, true, NULL, order_decide_expire_hold},
    [ORDER_COMMAND_STEP_DUE] = {ANY, false, true, NULL, order_decide_step_due},
    [ORDER_COMMAND_TRACK_SHIPMENT] = {ANY, false, true, NULL, order_decide_track},
    [ORDER_COMMAND_MIGRATE_WORKFLOW] = {LIVE, false, true, NULL, order_decide_migrate},
    [ORDER_COMMAND_ERASE_CUSTOMER] = {ANY, false, true, NULL, order_decide_erase},
};

const struct order_rule *order_rule_of(enum order_command_type type)
{
    OMS_ASSERT(type > ORDER_COMMAND_NONE && type < ORDER_COMMAND_COUNT);
    return &rules[type];
}

/* ---- access ---- */

static const struct access_order full_access = {.full = true, .all_lines = true};

bool order_access(const struct order *order, const struct order_context *context, enum permission permission,
                  struct access_order *out)
{
    struct oms_str vendors[OMS_ORDER_LINES_MAX];

    if (principal_is_internal(context->principal) || access_unscoped(context->access, permission)) {
        *out = full_access;
        return true;
    }
    memset(out, 0, sizeof(*out));
    if (!access_may(context->access, permission))
        return false;
    for (size_t i = 0; i < order->line_count; i++)
        vendors[i] = order->lines[i].vendor.id;
    return access_match(context->access, permission, order_customer_id(order), vendors, order->line_count,
                        out);
}

static bool vendor_only(const struct access_order *on)
{
    return !on->full && !on->customer;
}

/* System commands belong to the server, its webhooks and its imports. */
static bool check_system(struct order_work *work)
{
    enum principal_kind kind = work->context->principal->kind;

    work->on = full_access;
    if (work->type == ORDER_COMMAND_MIGRATE_WORKFLOW && !work->internal &&
        access_unscoped(work->context->access, PERMISSION_MANAGE_WORKFLOW))
        return true;
    if (work->type == ORDER_COMMAND_ERASE_CUSTOMER)
        return work->internal || access_unscoped(work->context->access, PERMISSION_ERASE_CUSTOMER) ||
               refusal_add(work->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                           "This needs the permission erase_customer for the whole tenant");
    if (work->internal || kind == PRINCIPAL_WEBHOOK || kind == PRINCIPAL_IMPORT)
        return true;
    return refusal_add(work->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                       "This is done by the server only");
}

bool order_check_access(struct order_work *work)
{
    const struct order_command_info *info = order_command_info(work->type);
    const struct order_rule *rule = order_rule_of(work->type);
    struct access_order reads;

    if (info->permission == PERMISSION_COUNT)
        return check_system(work);
    if (!order_access(work->order, work->context, info->permission, &work->on)) {
        if (!order_access(work->order, work->context, PERMISSION_GET_ORDER, &reads))
            return refusal_add(work->refusals, REFUSAL_NOT_FOUND, REFUSAL_FIELD("orderId"),
                               "There is no such order");
        return refusal_add(work->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                           "This needs the permission %s on this order", info->word);
    }
    if (vendor_only(&work->on) && rule->vendor_never)
        return refusal_add(work->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                           "A vendor may not do this: %s", info->mutation);
    if (vendor_only(&work->on) && rule->vendor_all && !work->on.all_lines)
        return refusal_add(work->refusals, REFUSAL_FORBIDDEN, REFUSAL_NO_FIELD,
                           "%s concerns the whole order, which has lines of other vendors", info->mutation);
    return true;
}

bool order_line_reachable(const struct order_work *work, const struct order_line *line)
{
    if (work->internal || !vendor_only(&work->on) || work->on.all_lines)
        return true;
    return access_vendor(work->context->access, order_command_info(work->type)->permission, line->vendor.id);
}

static bool items_reachable(const struct order_work *work, uint32_t line)
{
    const struct order_line *found = order_find_line(work->order, line);

    return found && order_line_reachable(work, found);
}

bool order_shipment_reachable(const struct order_work *work, const struct order_shipment *shipment)
{
    for (size_t i = 0; i < shipment->item_count; i++)
        if (!items_reachable(work, shipment->items[i].line))
            return false;
    return true;
}

bool order_return_reachable(const struct order_work *work, const struct order_return *ret)
{
    for (size_t i = 0; i < ret->item_count; i++)
        if (!items_reachable(work, ret->items[i].line))
            return false;
    return true;
}

/* ---- stage and holds ---- */

static bool check_stage(struct order_work *work)
{
    const struct order_rule *rule = order_rule_of(work->type);
    char wanted[96] = "";

    if (rule->stages & 1u << work->order->stage)
        return true;
    for (unsigned stage = ORDER_STAGE_DRAFT; stage < ORDER_STAGE_COUNT; stage++)
        if (rule->stages & 1u << stage) {
            size_t len = strlen(wanted);

            snprintf(wanted + len, sizeof(wanted) - len, "%s%s", len ? ", " : "",
                     order_stage_name((enum order_stage)stage));
        }
    return refusal_add(work->refusals, REFUSAL_WRONG_STAGE, REFUSAL_NO_FIELD,
                       "%s needs stage %s, the order is %s", order_command_info(work->type)->mutation, wanted,
                       order_stage_name(work->order->stage));
}

static bool hold_blocks(const struct order_work *work, const struct order_hold *hold,
                        enum order_command_type type)
{
    order_command_set blocks = hold->blocks ? hold->blocks : ORDER_HOLD_DEFAULT;

    if (hold->id == work->hold_released || (hold->expires_at && hold->expires_at <= work->now))
        return false;
    return (blocks & ORDER_COMMAND_BIT(type)) != 0;
}

bool order_check_holds(struct order_work *work, enum order_command_type type, bool refuse)
{
    bool open = true;

    for (size_t i = 0; i < work->order->hold_count; i++) {
        const struct order_hold *hold = &work->order->holds[i];

        if (!hold_blocks(work, hold, type))
            continue;
        open = false;
        if (!refuse)
            break;
        /* Why an order is held is for staff. */
        if (work->on.full && hold->reason.len && hold->reason.len <= OMS_NAME_BYTES_MAX)
            refusal_add(work->refusals, REFUSAL_ON_HOLD, REFUSAL_NO_FIELD, "Hold HLD-%u blocks %s: %.*s",
                        (unsigned)hold->id, order_command_info(type)->mutation, OMS_STR_ARG(hold->reason));
        else
            refusal_add(work->refusals, REFUSAL_ON_HOLD, REFUSAL_NO_FIELD, "Hold HLD-%u blocks %s",
                        (unsigned)hold->id, order_command_info(type)->mutation);
    }
    return open;
}

bool order_check_state(struct order_work *work)
{
    const struct order_rule *rule = order_rule_of(work->type);

    return check_stage(work) && order_check_holds(work, work->type, true) && order_check_steps(work) &&
           (!rule->ready || rule->ready(work));
}
